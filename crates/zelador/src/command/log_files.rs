//! `flush` and `reloadLogs`: what is done with the log files themselves.

use std::process::ExitCode;

use zelador_api::{FlushDone, LogFiles, route};

use super::{Context, select};
use crate::failure::Failure;
use crate::output;
use crate::render::{text, words};

/// Empties the log files of apps; without selectors, of all of them, and zelador's own.
pub fn flush(context: &Context, selectors: Vec<String>) -> Result<ExitCode, Failure> {
    let files = if selectors.is_empty() {
        LogFiles::All
    } else {
        let apps = context.engine.apps()?;
        let mut ids = Vec::new();
        for selector in &selectors {
            ids.extend(select(&apps, selector)?.into_iter().map(|app| app.instance.id));
        }
        LogFiles::Of(ids)
    };
    let done: FlushDone = context.engine.post(route::LOGS_FLUSH, &files)?;
    for (path, error) in &done.failed {
        let path = path.display().to_string();
        output::error(&format!("{} cannot be emptied: {error}", text::plain(&path)));
    }
    let files = words::counted(done.emptied.len(), "log file");
    output::tell(&format!("emptied {files}\n"))?;
    Ok(if done.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Has every log file closed, and opened anew by its path.
pub fn reload(context: &Context) -> Result<ExitCode, Failure> {
    let () = context.engine.post(route::LOGS_REOPEN, &())?;
    output::tell("log files are opened anew\n")?;
    Ok(ExitCode::SUCCESS)
}
