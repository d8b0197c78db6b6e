//! `import`: moving in from another process manager.

mod file;
mod pm2;
mod theirs;

use std::process::ExitCode;

use super::Context;
use crate::cli::import::Import;
use crate::failure::Failure;

/// Takes over apps from another process manager.
pub fn import(context: &Context, import: &Import) -> Result<ExitCode, Failure> {
    match import {
        Import::Pm2(wish) if wish.undo => pm2::undo(context, wish),
        Import::Pm2(wish) => pm2::import(context, wish),
        Import::Supervisord(of) => file::import(context, of, file::Kind::Supervisord),
        Import::Systemd(of) => file::import(context, of, file::Kind::Systemd),
        Import::Procfile(of) => file::import(context, of, file::Kind::Procfile),
    }
}
