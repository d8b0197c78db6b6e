//! The words for starting with the host, and for being the main process of a container.

use std::path::PathBuf;

use clap::Args;

use super::Start;

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

/// What runs in the foreground, and how its output looks.
#[derive(Clone, Debug, Default, Args)]
pub struct Runtime {
    /// What to start.
    #[command(flatten)]
    pub start: Start,
    /// Output of apps untouched (this is the default)
    #[arg(long, conflicts_with_all = ["formatted", "json", "format"])]
    pub raw: bool,
    /// Each line with its app before it: `0|api  | …`
    #[arg(long, conflicts_with_all = ["json", "format"])]
    pub formatted: bool,
    /// Each line as a JSON object
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
    /// Each line as `timestamp=… app=… id=… type=… message=…`
    #[arg(long)]
    pub format: bool,
    /// Do not end when no app is up any more
    #[arg(long)]
    pub no_auto_exit: bool,
    /// Wait this long before starting, in seconds
    #[arg(id = "start-delay", long = "delay", value_name = "SECONDS", default_value_t = 0.0,
        value_parser = super::number::<f64>("seconds, like `2` or `0.5`"))]
    pub delay: f64,
}
