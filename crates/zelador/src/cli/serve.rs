//! What `serve` takes.

use std::path::PathBuf;

use clap::Args;

/// What is served, and how.
#[derive(Debug, Args)]
pub struct Serve {
    /// The folder
    #[arg(default_value = ".")]
    pub path: PathBuf,
    /// The port; default: 8080
    #[arg(value_parser = super::number::<u16>("a port up to 65535"))]
    pub port: Option<u16>,
    /// The port
    #[arg(long = "port", value_name = "PORT", conflicts_with = "port",
        value_parser = super::number::<u16>("a port up to 65535"))]
    pub port_option: Option<u16>,
    /// The address to listen on; default: every address of this host
    #[arg(long, value_name = "ADDRESS")]
    pub host: Option<String>,
    /// Answer unknown paths with index.html
    #[arg(long)]
    pub spa: bool,
    /// List folders that have no index.html
    #[arg(long)]
    pub ftp: bool,
    /// Name of the login that is asked for
    #[arg(long, value_name = "NAME")]
    pub basic_auth_username: Option<String>,
    /// Password of that login; better in `PM2_SERVE_BASIC_AUTH_PASSWORD`, where no list of processes
    /// shows it
    #[arg(long, value_name = "PASSWORD")]
    pub basic_auth_password: Option<String>,
    /// Name of the app; default: static-page-server-PORT
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Word for grouping
    #[arg(long, value_name = "NAME")]
    pub namespace: Option<String>,
    /// No effect: every app is watched over
    #[arg(long, hide = true)]
    pub monitor: bool,
}
