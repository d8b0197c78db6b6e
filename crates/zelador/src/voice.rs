//! In whose words the command line speaks: zelador's own, or PM2's.
//!
//! Chosen once, before anything is said. Always holds: the voice changes words, streams and
//! defaults, never what a command means to the engine.

use std::env;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use zelador_api::config::Defaults;
use zelador_api::signal::Signal;

use crate::home;

/// In whose words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Voice {
    /// Answers on stdout, everything said about them on stderr.
    #[default]
    Zelador,
    /// Messages on stdout, errors on stderr.
    Pm2,
    /// PM2, for a verb whose stdout programs read: messages go to stderr.
    Pm2Data,
}

static VOICE: AtomicU8 = AtomicU8::new(Voice::Zelador as u8);

/// From here on everything is said in this voice.
pub fn set(voice: Voice) {
    VOICE.store(voice as u8, Ordering::Relaxed);
}

/// The voice in which everything is said.
pub fn current() -> Voice {
    const PM2: u8 = Voice::Pm2 as u8;
    const DATA: u8 = Voice::Pm2Data as u8;
    match VOICE.load(Ordering::Relaxed) {
        PM2 => Voice::Pm2,
        DATA => Voice::Pm2Data,
        _ => Voice::Zelador,
    }
}

/// Whether it is PM2's.
pub fn is_pm2() -> bool {
    current() != Voice::Zelador
}

/// What apps get that do not say so themselves: in PM2's voice as PM2 has it, and as its variables
/// say.
pub fn defaults() -> Defaults {
    let usual = Defaults {
        // Whoever has no home is told so elsewhere.
        logs: home::current().map(|home| home.logs()).unwrap_or_default(),
        ..Defaults::default()
    };
    if !is_pm2() {
        return usual;
    }
    let variable = |name: &str| env::var(name).ok().filter(|value| !value.trim().is_empty());
    let time = |name: &str| variable(name)?.trim().parse().ok().map(Duration::from_millis);
    Defaults {
        signal: variable(KILL_SIGNAL)
            .and_then(|name| Signal::parse(name.trim()))
            .unwrap_or(usual.signal),
        grace: time(KILL_TIMEOUT).unwrap_or(Defaults::PM2_GRACE),
        message: variable(KILL_USE_MESSAGE).is_some_and(|value| value != "false"),
        ready_within: time(LISTEN_TIMEOUT).unwrap_or(usual.ready_within),
        lenient: true,
        instance_var: variable(INSTANCE_VAR).unwrap_or(usual.instance_var),
        ..usual
    }
}

/// The signal that asks apps to end.
const KILL_SIGNAL: &str = "PM2_KILL_SIGNAL";
/// The milliseconds from that signal to `SIGKILL`.
const KILL_TIMEOUT: &str = "PM2_KILL_TIMEOUT";
/// Whether the message `shutdown` takes the signal's place.
const KILL_USE_MESSAGE: &str = "PM2_KILL_USE_MESSAGE";
/// The milliseconds that a run may take to say that it is ready.
const LISTEN_TIMEOUT: &str = "PM2_GRACEFUL_LISTEN_TIMEOUT";
/// The name of the variable with the replica's index.
const INSTANCE_VAR: &str = "PM2_PROCESS_INSTANCE_VAR";
