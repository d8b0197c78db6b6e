//! The words for starting with the host.

use std::path::PathBuf;

use clap::Args;

/// Which service.
#[derive(Clone, Debug, Default, Args)]
pub struct StartupOf {
    /// systemd, systemd-user, openrc or sysv; default: what this host has
    pub platform: Option<String>,
    /// Whose zelador it is; default: yours
    #[arg(short, long, value_name = "NAME")]
    pub user: Option<String>,
    /// The name of the service; default: `zelador-USER`
    #[arg(long, value_name = "NAME")]
    pub service_name: Option<String>,
}

/// How zelador begins with the host.
#[derive(Clone, Debug, Default, Args)]
pub struct Startup {
    /// Which service.
    #[command(flatten)]
    pub of: StartupOf,
    /// Folder in which `.zelador` is; default: the user's home
    #[arg(long, value_name = "FOLDER")]
    pub hp: Option<PathBuf>,
    /// Not before the network has an address
    #[arg(long)]
    pub wait_ip: bool,
    /// Print the file and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Move the apps of a zelador that was started by hand to the service now (each restarts once);
    /// default: at the next boot
    #[arg(long)]
    pub now: bool,
}
