//! The words for moving house.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// From where.
#[derive(Clone, Debug, Subcommand)]
pub enum Import {
    /// Take over the apps of a PM2, one after another, each with a way back
    Pm2(FromPm2),
    /// Print an ecosystem file for the programs of a supervisord
    Supervisord(FromFile),
    /// Print an ecosystem file for a service unit of systemd
    Systemd(FromFile),
    /// Print an ecosystem file for a Procfile
    Procfile(FromFile),
}

/// How to take over a PM2.
#[derive(Clone, Debug, Default, Args)]
pub struct FromPm2 {
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Give everything back to PM2
    #[arg(long, conflicts_with = "dry_run")]
    pub undo: bool,
    /// PM2's folder; default: `$PM2_HOME`, or `~/.pm2`
    #[arg(long, value_name = "FOLDER")]
    pub home: Option<PathBuf>,
    /// The program `pm2`; default: the one in PATH
    #[arg(long, value_name = "FILE")]
    pub pm2: Option<PathBuf>,
}

/// What to translate.
#[derive(Clone, Debug, Default, Args)]
pub struct FromFile {
    /// The file
    pub file: PathBuf,
    /// Start the apps instead of printing the file
    #[arg(long)]
    pub start: bool,
}
