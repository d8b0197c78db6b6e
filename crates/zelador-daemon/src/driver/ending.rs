//! How an engine ends: the services with it, or not.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time;
use zelador_core::effect::{Done, Refusal};
use zelador_core::input::{Command, Fact, Input};
use zelador_guardian::Handover;

use super::Driver;
use crate::pm2;

/// How long the last answers may take to reach those who asked.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// How long somebody else who writes to the history is waited for in the end.
const LAST_RECORDS: Duration = Duration::from_secs(5);

/// What makes the driver stop.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// Everything is down, and everybody has an answer.
    Done,
    /// Another executable takes over.
    Upgrade,
    /// The control socket was removed.
    SocketGone,
    /// The guardian was killed.
    GuardianGone,
}

/// Why the engine ends.
pub enum Ended {
    /// It was told to.
    Told,
    /// Its guardian was killed; this is what the next one needs. The second value says whether a thread may
    /// wait for something where no signal ends it.
    GuardianGone(Handover, bool),
}

impl Driver {
    /// The host asks for an end: stop everything in order, and remember what was up.
    pub(super) fn terminate(&mut self) {
        if self.shutting_down {
            return;
        }
        tracing::info!(
            "zelador was asked to end: stopping all services; they are up again at the next start"
        );
        self.step(Input::Fact(Fact::AskedToEnd));
        self.history.freeze();
        self.begin_shutdown(None);
    }

    /// A command that waits for its end would never be answered, and the next engine knows what is written.
    pub(super) fn may_upgrade(&self) -> Result<(), String> {
        match self.answers.len() {
            0 if self.history.has_waiting() => {
                Err("the history cannot be written at the moment: what was done last would be lost"
                    .to_owned())
            }
            0 if !self.shutting_down => Ok(()),
            0 => Err("zelador is ending".to_owned()),
            1 => Err("a command is under way".to_owned()),
            many => Err(format!("{many} commands are under way")),
        }
    }

    pub(super) fn begin_shutdown(
        &mut self,
        answer: Option<oneshot::Sender<Result<Done, Refusal>>>,
    ) {
        self.shutting_down = true;
        let ticket = self.ticket(answer);
        self.step(Input::Command(ticket, Command::Shutdown));
    }

    /// The last things, in order: answers out, lines in their files, the guardian told.
    pub(super) async fn end(mut self, stop: Stop) -> Ended {
        self.do_all();
        if !self.history.keep_last(self.clock.now(), LAST_RECORDS) {
            tracing::error!(
                "the history cannot be written: the next engine does not know what was done last"
            );
        }
        self.closing.cancel();
        if stop != Stop::GuardianGone {
            let server = &mut self.server;
            let answered = async { while server.join_next().await.is_some() {} };
            _ = time::timeout(LAST_ANSWERS, answered).await;
        }
        self.tasks.abort_all();
        drop(self.inbox);
        self.logs.stop();
        self.archive.finish(LAST_ANSWERS / 4);
        match stop {
            Stop::Done => {
                self.pids.finish(LAST_ANSWERS);
                self.native.shut_down();
                pm2::end(&self.home);
                tracing::info!("the engine ends");
                Ended::Told
            }
            Stop::Upgrade => {
                self.pids.finish(LAST_ANSWERS);
                if let Some(program) = &self.upgrade_to {
                    self.native.upgrade(program);
                }
                tracing::info!("the engine ends for another one");
                Ended::Told
            }
            Stop::SocketGone => {
                self.pids.finish(LAST_ANSWERS);
                Ended::Told
            }
            Stop::GuardianGone => {
                let is_busy = self.aside.is_busy() || self.syncer.is_busy();
                Ended::GuardianGone(self.native.into_handover(), is_busy)
            }
        }
    }
}
