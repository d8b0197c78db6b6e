//! Who asks: for the audit of what was done.

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::serve::IncomingStream;
use zelador_core::effect::{Affected, Done};
use zelador_core::input::{Command, IncidentOrder, Replicas};
use zelador_core::unit::spoken;
use zelador_core::words;
use zelador_core::words::Words;

use super::listen::Owned;
use super::{Failure, Handle};
use crate::history::{Audit, Item};

/// The longest text of the audit, in characters.
const LONGEST: usize = 300;

/// The other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) enum Peer {
    /// On the control socket.
    Local { uid: u32, pid: Option<i32> },
    /// Over TCP.
    Remote(SocketAddr),
    /// Not known.
    Nobody,
}

impl Connected<IncomingStream<'_, Owned>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Owned>) -> Self {
        match stream.io().peer_cred() {
            Ok(peer) => Self::Local { uid: peer.uid(), pid: peer.pid() },
            Err(_) => Self::Nobody,
        }
    }
}

/// Who asks, in words.
#[derive(Clone, Debug)]
pub(super) struct Asker {
    who: String,
    origin: String,
}

impl<S: Sync> FromRequestParts<S> for Asker {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<Peer>>().map_or(Peer::Nobody, |it| it.0);
        Ok(match peer {
            Peer::Local { uid, pid } => {
                let name =
                    pid.and_then(|pid| std::fs::read_to_string(format!("/proc/{pid}/comm")).ok());
                let name = name.map(|name| format!(" ({})", name.trim_end())).unwrap_or_default();
                let pid = pid.map(|pid| format!("pid {pid}{name}")).unwrap_or_default();
                let name = crate::backend::native::user_name(uid);
                Self { who: name.unwrap_or_else(|| format!("uid {uid}")), origin: pid }
            }
            Peer::Remote(address) => {
                let by_header = parts.headers.contains_key(AUTHORIZATION);
                let who = if by_header { "token" } else { "dashboard" };
                Self { who: who.to_owned(), origin: address.to_string() }
            }
            Peer::Nobody => Self { who: "unknown".to_owned(), origin: String::new() },
        })
    }
}

impl Asker {
    /// From where, without what differs from one connection to the next.
    pub(super) fn source(&self) -> &str {
        self.origin.rsplit_once(':').map_or(&self.origin, |(address, _)| address)
    }

    #[cfg(test)]
    pub(super) fn remote(origin: String) -> Self {
        Self { who: "dashboard".to_owned(), origin }
    }

    /// The same, by a link that a channel was sent.
    pub(super) fn by_link(self, channel: &str) -> Self {
        Self { who: format!("link ({channel})"), ..self }
    }
}

impl Handle {
    /// Has something done, and notes who wanted it.
    pub(super) async fn command_by(
        &self,
        asker: &Asker,
        command: Command,
    ) -> Result<Done, Failure> {
        let told = in_words(&command);
        let answer = self.command(command.signed(&asker.who)).await;
        if let Some((verb, target)) = told {
            match &answer {
                Ok(done) => {
                    let ok = done.instances.iter().all(|it| it.ok);
                    self.note(asker, verb, &target, ok, outcome(done));
                }
                Err(failure) => self.note(asker, verb, &target, false, failure.error.clone()),
            }
        }
        answer
    }

    /// Awaits something that was asked for, and notes who wanted it and what became of it.
    pub(super) async fn noted<T>(
        &self,
        asker: &Asker,
        verb: &str,
        target: String,
        done: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let answer = done.await;
        self.audit(asker, verb, target, answer.as_ref().map(|_| Words::default()));
        answer
    }

    /// Notes who wanted what, and what became of it.
    pub(super) fn audit(
        &self,
        asker: &Asker,
        verb: &str,
        target: String,
        answer: Result<Words, &Failure>,
    ) {
        match answer {
            Ok(result) => self.note(asker, verb, &target, true, result),
            Err(failure) => self.note(asker, verb, &target, false, failure.error.clone()),
        }
    }

    fn note(&self, asker: &Asker, verb: &str, target: &str, ok: bool, result: Words) {
        self.archive.keep(Item::Audit(Audit {
            at: self.clock.now(),
            who: asker.who.clone(),
            origin: asker.origin.clone(),
            verb: verb.to_owned(),
            target: short(target),
            ok,
            result: result.map(short),
        }));
    }
}

/// How everything is called on the command line.
const ALL: &str = "all";

/// What a command is called on the command line, and whom it concerns, in no language; `None`: it changes nothing.
fn in_words(command: &Command) -> Option<(&'static str, String)> {
    let of = |selectors: &[String]| selectors.join(", ");
    Some(match command {
        Command::Declare { apps, .. } => {
            let names: Vec<&str> = apps.iter().map(|it| it.spec.name.as_str()).collect();
            ("declare", names.join(", "))
        }
        Command::Start { selectors } => ("start", of(selectors)),
        Command::Stop { selectors } => ("stop", of(selectors)),
        Command::Restart { selectors, .. } => ("restart", of(selectors)),
        Command::Reload { selectors, .. } => ("reload", of(selectors)),
        Command::Trigger { selectors, action, .. } => {
            ("trigger", format!("{} ({action})", of(selectors)))
        }
        Command::Delete { selectors } => ("delete", of(selectors)),
        Command::Scale { selectors, to, .. } => {
            let to = match to {
                Replicas::Exactly(count) => count.to_string(),
                Replicas::More(count) => format!("+{count}"),
                Replicas::Fewer(count) => format!("-{count}"),
            };
            ("scale", format!("{} {to}", of(selectors)))
        }
        Command::Reset { selectors } => ("reset", of(selectors)),
        Command::Signal { selectors, signal } => {
            ("signal", format!("{} ({signal})", of(selectors)))
        }
        Command::Incident { id, order, .. } => {
            let verb = match order {
                IncidentOrder::Approve => "incident approve",
                IncidentOrder::Reject => "incident reject",
                IncidentOrder::Mute => "incident mute",
                IncidentOrder::Close => "incident close",
            };
            (verb, id.to_string())
        }
        Command::By { command, .. } => return in_words(command),
        Command::Report { selectors, .. } => ("incident open", of(selectors)),
        Command::Maintenance { selectors, lasts, .. } => {
            let whole = if selectors.is_empty() { ALL.to_owned() } else { of(selectors) };
            match lasts {
                Some(lasts) => ("maintenance", format!("{whole} ({})", spoken(*lasts))),
                None => ("maintenance end", whole),
            }
        }
        Command::Mute { check, muted, lasts, .. } => {
            let span = lasts.map(|lasts| format!(" ({})", spoken(lasts))).unwrap_or_default();
            (if *muted { "mute" } else { "unmute" }, format!("{check}{span}"))
        }
        Command::Breaker { target, operation, order } => {
            let of = operation.as_ref().map(|it| format!(" {it}")).unwrap_or_default();
            ("breaker", format!("{target}{of} ({})", order.said()))
        }
        Command::Shutdown => ("kill", ALL.to_owned()),
        Command::CheckNow => return None,
    })
}

/// What became of each, what failed first: of many not all is kept.
fn outcome(done: &Done) -> Words {
    let said = |it: &Affected| {
        let app = &it.app;
        words!("{app}: {what}", "{app}: {what}", what = it.what)
    };
    let (well, failed): (Vec<_>, Vec<_>) = done.instances.iter().partition(|it| it.ok);
    let said: Vec<Words> = failed.into_iter().chain(well).map(said).collect();
    Words::joined(&said, "; ")
}

fn short(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
