//! From facts to effects: what the guardian says is taken in batches, so that a hundred deaths at once
//! are settled once and are one transaction of the history, and not a hundred before the last of them is
//! answered. What need not wait for its record is asked for before the next fact is looked at.

use std::thread;
use std::time::Duration;

use tokio::time::Instant;
use zelador_core::batch::Batch;
use zelador_core::effect::Effect;
use zelador_core::id::RunId;
use zelador_core::input::{Fact, Input};

use super::{Driver, Later, Stop};
use crate::backend::native::Heard;

/// So many ends are left with the guardian while a full disk keeps them from being recorded: each holds
/// some ten descriptors, and services die on while a disk is full.
const MOST_UNRECORDED: usize = 64;

/// How long a guardian that does not stop to speak is listened to before everybody else has a turn: a thousand deaths
/// at once take no longer.
const HEARD_FOR: Duration = Duration::from_millis(250);

/// How long that turn is at most.
const OTHERS_FOR: Duration = Duration::from_millis(25);

/// What is to be done about a run when a fact of it is recorded.
enum Afterwards {
    /// It has begun.
    Listen(RunId),
    /// It is over.
    Forget(RunId),
}

impl Driver {
    /// Whether the guardian has to wait for everybody else.
    pub(super) fn is_others_turn(&self) -> bool {
        self.others_until.is_some_and(|until| Instant::now() < until)
    }

    /// Takes everything that the guardian has to say, or as much as there is time for.
    pub(super) fn hear(&mut self) -> Option<Stop> {
        self.others_until = None;
        let until = Instant::now() + HEARD_FOR;
        let mut put_off = None;
        loop {
            let mut effects = Vec::new();
            let mut afterwards = Vec::new();
            let mut batch = Batch::default();
            let mut last = None;
            let mut has_asked = false;
            while batch.has_room() {
                let heard = match put_off.take() {
                    Some(heard) => heard,
                    None if Instant::now() < until => self.native.hear(&self.logs),
                    None => {
                        self.others_until = Some(Instant::now() + OTHERS_FOR);
                        Heard::Nothing
                    }
                };
                match heard {
                    Heard::Fact(fact) if !batch.takes(&fact) => {
                        put_off = Some(Heard::Fact(fact));
                        break;
                    }
                    Heard::Fact(fact) => {
                        let mut decided = self.decide(fact, &mut afterwards);
                        let begun = self.start_ahead(&mut decided);
                        has_asked |= !begun.is_empty();
                        batch.add(begun);
                        effects.extend(decided);
                    }
                    other => {
                        last = Some(other);
                        break;
                    }
                }
            }
            if has_asked {
                // The kernel takes a sender for done, and wakes the guardian on this very processor: what is
                // recorded now would keep the new processes waiting (0.5 ms of a restart's 1.5, when it does).
                thread::yield_now();
            }
            effects.extend(self.supervisor.settle_heard());
            self.settle(effects);
            for then in afterwards {
                match then {
                    Afterwards::Listen(run) => {
                        self.busy_at = Some(Instant::now());
                        self.open_channel(run);
                    }
                    Afterwards::Forget(run) => self.put_off(Later::Forget(run)),
                }
            }
            self.do_overdue();
            match last {
                None => {}
                Some(Heard::Terminate) => self.terminate(),
                Some(Heard::Resurrect) => self.resurrect(),
                Some(Heard::Gone) => return Some(Stop::GuardianGone),
                Some(Heard::Nothing | Heard::Fact(_)) => {
                    if self.others_until.is_some() {
                        self.do_all();
                    }
                    return None;
                }
            }
        }
    }

    /// One step of the supervisor, and of what its effects bring about at once.
    pub(crate) fn step(&mut self, input: Input) {
        let effects = self.supervisor.step(self.clock.now(), input);
        self.settle(effects);
    }

    fn decide(&mut self, fact: Fact, afterwards: &mut Vec<Afterwards>) -> Vec<Effect> {
        match &fact {
            Fact::SpawnFailed { run, .. } => self.close_notify(*run),
            Fact::Exited { run, .. } => afterwards.push(Afterwards::Forget(*run)),
            Fact::Spawned { run, .. } => afterwards.push(Afterwards::Listen(*run)),
            _ => {}
        }
        self.supervisor.hear(self.clock.now(), fact)
    }

    /// The end of a run is recorded: nobody needs it any more.
    pub(super) fn forget(&mut self, run: RunId) {
        self.logs.finish(run);
        self.close_channel(run);
        self.close_notify(run);
        self.unrecorded.push_back(run);
        self.let_forget();
    }

    /// Lets the guardian forget the ends that are recorded. While the history cannot be written it keeps the last ones:
    /// an engine that ended then would leave the next one nothing else to know them by.
    pub(super) fn let_forget(&mut self) {
        let kept = if self.history.is_behind() { MOST_UNRECORDED } else { 0 };
        while self.unrecorded.len() > kept
            && let Some(run) = self.unrecorded.pop_front()
        {
            self.native.recorded(run);
        }
    }

    /// Performs effects, and what follows from the facts that come of it, until there are none.
    pub(super) fn settle(&mut self, mut effects: Vec<Effect>) {
        loop {
            self.perform(effects);
            if self.facts.is_empty() {
                break;
            }
            effects = Vec::new();
            for fact in std::mem::take(&mut self.facts) {
                effects.extend(self.supervisor.step(self.clock.now(), Input::Fact(fact)));
            }
        }
        if self.native.has_stowed() {
            self.close_unwanted_ports();
        }
    }
}
