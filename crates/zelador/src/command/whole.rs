//! `kill` and `ping`: zelador as a whole.

use std::fs;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use zelador_api::client::ClientError;
use zelador_api::{Done, Pong, route};

use super::{Context, act};
use crate::bring_up::lock_is_free;
use crate::failure::Failure;
use crate::output;
use crate::render::text;

/// How long the guardian may take to end after it was told to; it has nothing left to wait for.
const END_WITHIN: Duration = Duration::from_secs(30);

/// How long one look may take at who answers.
const LOOK_WITHIN: Duration = Duration::from_secs(5);

/// How long an engine that begins after all may take to stop everything in order.
const ORDERLY_WITHIN: Duration = Duration::from_secs(10);

/// How often it is told to end, when guardians change meanwhile.
const MOST_TRIES: u32 = 3;

/// From one look at the guardian's lock to the next.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Ends zelador and everything that it runs.
pub fn kill(context: &Context) -> Result<ExitCode, Failure> {
    let Some(done) = end(context, act::tell)? else {
        output::answer("zelador is not running\n")?;
        if context.home.socket().exists() {
            output::note(
                "it was killed, or the host went down, and its apps may run still: `zelador resurrect` \
                 takes them over, then `zelador kill` ends them",
            );
        }
        return Ok(ExitCode::SUCCESS);
    };
    output::answer("zelador has ended\n")?;
    Ok(act::code(&done))
}

/// Ends zelador and everything that it runs; `tell` says what became of that. Returns `None` when
/// nothing runs.
///
/// # Errors
/// It does not end.
pub fn end(
    context: &Context,
    tell: impl FnOnce(&Done) -> Result<(), Failure>,
) -> Result<Option<Done>, Failure> {
    for _ in 0..MOST_TRIES {
        let guardian = holder(context);
        let done = match context.engine.post::<Done>(route::SHUTDOWN, &()) {
            Ok(done) => done,
            Err(ClientError::NotRunning(_)) if lock_is_free(&context.home) => return Ok(None),
            // It ends already, or has just ended; or its guardian was killed, and another takes its place.
            Err(ClientError::NotRunning(_) | ClientError::Broken(_)) => {
                if is_there_again(context)? {
                    continue;
                }
                return Ok(Some(Done::default()));
            }
            Err(ClientError::TimedOut(_)) => return Err(end_without_engine(context)),
            Err(error) => return Err(error.into()),
        };
        tell(&done)?;
        let until = Instant::now() + END_WITHIN;
        // Another one may have been brought up meanwhile.
        while !lock_is_free(&context.home) && holder(context) == guardian {
            if Instant::now() >= until {
                return Err(still_there(context));
            }
            std::thread::sleep(LOOK_EVERY);
        }
        return Ok(Some(done));
    }
    Err(still_there(context))
}

/// Has the guardian end everything, since none of its engines answers, and says so.
fn end_without_engine(context: &Context) -> Failure {
    let guardian = holder(context);
    output::remark(&format!(
        "no engine answers: the guardian (pid {guardian}) is asked to end everything, and a second time after {} s, \
         when it kills what is left",
        ORDERLY_WITHIN.as_secs()
    ));
    let pid = guardian.parse().ok().and_then(Pid::from_raw);
    if let Some(error) = pid.and_then(|pid| kill_process(pid, Signal::TERM).err()) {
        return Failure::new(format!("the guardian (pid {guardian}) cannot be asked: {error}"));
    }
    let begin = Instant::now();
    let mut again = pid;
    while !lock_is_free(&context.home) {
        if begin.elapsed() >= ORDERLY_WITHIN
            && let Some(pid) = again.take()
        {
            // One that has ended just now needs no signal.
            _ = kill_process(pid, Signal::TERM);
        }
        if begin.elapsed() >= ORDERLY_WITHIN + END_WITHIN {
            return still_there(context);
        }
        std::thread::sleep(LOOK_EVERY);
    }
    Failure::with_help(
        "zelador has ended without an engine that answers: nothing runs any more, but the list is kept",
        "zelador's own log may tell why none did: `zelador logs --self`",
    )
}

/// Whether somebody answers after an answer has broken off; an engine that takes the place of a killed
/// guardian holds the control socket all the time, but not the lock.
fn is_there_again(context: &Context) -> Result<bool, Failure> {
    let until = Instant::now() + END_WITHIN;
    loop {
        match context.engine.get_within::<Pong>(route::PING, LOOK_WITHIN) {
            Ok(_) => return Ok(true),
            Err(ClientError::NotRunning(_)) if lock_is_free(&context.home) => return Ok(false),
            Err(_) if Instant::now() >= until => return Err(still_there(context)),
            Err(_) => std::thread::sleep(LOOK_EVERY),
        }
    }
}

fn still_there(context: &Context) -> Failure {
    let (guardian, span) = (holder(context), END_WITHIN.as_secs());
    Failure::with_help(
        format!("the guardian (pid {guardian}) is still there after {span} s"),
        "zelador's own log may tell why: `zelador logs --self`",
    )
}

/// Ends a zelador without services that does not end when it is told to: its guardian and its engine are killed.
pub fn end_by_force(context: &Context) {
    if lock_is_free(&context.home) {
        return;
    }
    let kill = |pid: &str, signal| {
        let pid = pid.parse().ok().and_then(Pid::from_raw);
        // Whoever is gone needs no signal.
        pid.is_some_and(|pid| kill_process(pid, signal).is_ok())
    };
    let guardian = holder(context);
    // One that stands still brings no other engine up, and an engine without a guardian would become one.
    kill(&guardian, Signal::STOP);
    let children = fs::read_to_string(format!("/proc/{guardian}/task/{guardian}/children"));
    for child in children.unwrap_or_default().split_whitespace() {
        kill(child, Signal::KILL);
    }
    kill(&guardian, Signal::KILL);
}

/// The guardian that holds the home, or held it last, as it has written its number.
fn holder(context: &Context) -> String {
    let text = fs::read_to_string(context.home.lock()).unwrap_or_default();
    text.trim().to_owned()
}

/// Tells who answers.
pub fn ping(context: &Context) -> Result<ExitCode, Failure> {
    let pong: Pong = context.engine.get(route::PING)?;
    let http = match pong.http {
        Some(address) => format!("health endpoints on http://{address}"),
        None => "no health endpoints on TCP".to_owned(),
    };
    let said = format!(
        "pong: zelador {}, engine pid {}, guardian pid {}, {http}",
        pong.version, pong.engine_pid, pong.guardian_pid
    );
    output::answer(&format!("{}\n", text::plain(&said)))?;
    Ok(ExitCode::SUCCESS)
}
