//! `send` and `attach`: what is written to the standard input of apps.

use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead};
use std::os::unix::ffi::OsStringExt;
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::Duration;

use zelador_api::client::ClientError;
use zelador_api::{AppView, StandardInput, route};

use super::{Context, logs, select};
use crate::cli::Logs;
use crate::failure::Failure;
use crate::output;
use crate::render::terminal::{Colour, Terminal};
use crate::render::text;

/// From one look at whether somebody still reads our output to the next.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How many typed lines may wait for the app.
const LINES_AHEAD: usize = 64;

/// Writes a line to the standard input of apps.
pub fn send(context: &Context, selector: &str, words: &[OsString]) -> Result<ExitCode, Failure> {
    let mut line = words.join(OsStr::new(" ")).into_vec();
    line.push(b'\n');
    let apps = context.engine.apps()?;
    let mut code = ExitCode::SUCCESS;
    for app in select(&apps, selector)? {
        let name = name(app);
        match write(context, app, line.clone()) {
            Ok(()) => {
                let mark = Terminal::stdout().paint("✓", Colour::Green);
                output::tell(&format!("{mark} {name}: the line is in its standard input\n"))?;
            }
            Err(ClientError::Problem(problem)) => {
                output::error(&format!("{name}: {}", problem.error));
                code = ExitCode::FAILURE;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(code)
}

/// Shows the output of an app, and writes what is typed to its standard input.
pub fn attach(
    context: &Context,
    selector: &str,
    separator: Option<OsString>,
) -> Result<ExitCode, Failure> {
    let apps = context.engine.apps()?;
    let app = match select(&apps, selector)?.as_slice() {
        [app] => *app,
        several => {
            let names: Vec<String> = several.iter().map(|app| name(app)).collect();
            return Err(Failure::with_help(
                format!("`{selector}` is several: {}", names.join(", ")),
                "attach to one of them, by its number",
            ));
        }
    };
    output::remark(&format!(
        "attached to {}; Ctrl-C leaves, and the app stays up",
        text::plain(&name(app))
    ));
    let of = Logs {
        selector: Some(app.instance.id.to_string()),
        lines: 0,
        raw: true,
        ..Logs::default()
    };
    let (begun, is_shown) = mpsc::sync_channel::<()>(1);
    // Where nothing can be shown the sender is dropped, which ends the wait as well.
    let shown =
        thread::spawn(move || logs::logs_and(&Context::new()?, &of, move || _ = begun.send(())));
    _ = is_shown.recv();
    let (sender, typed) = mpsc::sync_channel(LINES_AHEAD);
    thread::spawn(move || read_lines(io::stdin().lock(), &sender));
    let separator = separator.map_or_else(|| vec![b'\n'], OsString::into_vec);
    forward(context, app, &typed, &separator, || shown.is_finished());
    if shown.is_finished() {
        return shown.join().unwrap_or(Err(Failure::NobodyReads));
    }
    Ok(ExitCode::SUCCESS)
}

/// Hands lines to the app until there are no more, or nobody reads its output any more.
fn forward(
    context: &Context,
    app: &AppView,
    typed: &Receiver<Vec<u8>>,
    separator: &[u8],
    is_over: impl Fn() -> bool,
) {
    while !is_over() {
        match typed.recv_timeout(LOOK_EVERY) {
            Ok(mut line) => {
                line.extend_from_slice(separator);
                // Whoever is away, the app or the engine, may be back for the next line.
                if let Err(error) = write(context, app, line) {
                    output::error(&format!("{}: {error}", name(app)));
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Reads lines, without their ends, for as long as somebody takes them.
fn read_lines(mut from: impl BufRead, to: &SyncSender<Vec<u8>>) {
    loop {
        let mut line = Vec::new();
        match from.read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {
                line.pop_if(|last| *last == b'\n');
                if to.send(line).is_err() {
                    return;
                }
            }
        }
    }
}

fn write(context: &Context, app: &AppView, bytes: Vec<u8>) -> Result<(), ClientError> {
    let wish = StandardInput { instance: app.instance.id, bytes };
    context.engine.post(route::INPUT, &wish)
}

fn name(app: &AppView) -> String {
    format!("{} (id {})", text::plain(&app.instance.name), app.instance.id)
}
