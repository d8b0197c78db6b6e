//! `report`: what helps with a bug report, and no secret.

use std::fs;
use std::process::ExitCode;

use zelador_api::{Pong, View, redact, route};

use super::{Context, host};
use crate::failure::Failure;
use crate::output;
use crate::render::{self, terminal::Terminal, text};

/// How many of the last lines of zelador's own log are shown; as many as PM2 shows.
const LINES: usize = 20;
/// How much of its end is read for them, in bytes.
const READ: u64 = 64 << 10;

/// Prints the report.
pub fn report(context: &Context) -> Result<ExitCode, Failure> {
    let mut told = String::new();
    let mut part = |name: &str, body: &str| {
        told.push_str(&format!("--- {name}\n{}\n\n", body.trim_end()));
    };
    let pong = context.engine.get::<Pong>(route::PING);
    let engine = match &pong {
        Ok(pong) => format!("running, version {}", pong.version),
        Err(error) => error.to_string(),
    };
    let own = format!(
        "command line {}\nengine       {engine}\nhome         {}",
        env!("CARGO_PKG_VERSION"),
        text::plain(&context.home.path().display().to_string()),
    );
    part("zelador", &own);
    part("host", &host::shown(&host::look(context)));
    if let Ok(view) = context.engine.get::<View>(route::VIEW) {
        let terminal = Terminal { width: 120, colours: false };
        part("list", &render::list::list(&view, terminal));
        part("health", &render::health::health(&view.health, terminal));
    }
    part(&format!("last {LINES} lines of zelador's own log"), &tail(context));
    output::answer(&redacted(&told))?;
    Ok(ExitCode::SUCCESS)
}

fn tail(context: &Context) -> String {
    let path = context.home.own_log();
    let bytes = match fs::File::open(&path) {
        Ok(file) => end_of(file).unwrap_or_default(),
        Err(error) => return format!("{error}"),
    };
    let whole = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = whole.lines().collect();
    let last = lines[lines.len().saturating_sub(LINES)..].iter();
    last.map(|line| text::plain(line).into_owned()).collect::<Vec<_>>().join("\n")
}

fn end_of(mut file: fs::File) -> std::io::Result<Vec<u8>> {
    use std::io::{Read, Seek, SeekFrom};
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(READ)))?;
    let mut bytes = Vec::new();
    file.take(READ).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn redacted(told: &str) -> String {
    told.lines().map(redact::text).collect::<Vec<_>>().join("\n") + "\n"
}
