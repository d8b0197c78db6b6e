//! In whose words the command line speaks: zelador's own, or PM2's.
//!
//! Chosen once, before anything is said. Always holds: the voice changes words, streams and
//! defaults, never what a command means to the engine.

use std::env;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use zelador_api::config::StopDefaults;
use zelador_api::signal::Signal;

use crate::pm2;

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

/// How apps are asked to end when they do not say so: in PM2's voice as PM2 does, and as its
/// variables say.
pub fn stop_defaults() -> StopDefaults {
    if !is_pm2() {
        return StopDefaults::default();
    }
    let variable = |name| env::var(name).ok();
    let signal = variable(pm2::KILL_SIGNAL).and_then(|name| Signal::parse(name.trim()));
    let grace = variable(pm2::KILL_TIMEOUT).and_then(|text| text.trim().parse().ok());
    StopDefaults {
        signal: signal.unwrap_or(StopDefaults::PM2.signal),
        grace: grace.map_or(StopDefaults::PM2.grace, Duration::from_millis),
    }
}
