//! What happens to instances, in the events of PM2's bus.
//!
//! Pure: events of the engine go in, PM2's words come out; what is said is the difference between two
//! events of an instance. Always holds: an end is said before the start that follows it.

use std::collections::BTreeMap;

use serde_json::Value;

/// Something that PM2 has a word for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Happening {
    /// The word.
    pub event: &'static str,
    /// Whether somebody asked for it.
    pub manually: bool,
}

const fn by_itself(event: &'static str) -> Happening {
    Happening { event, manually: false }
}

const fn asked(event: &'static str) -> Happening {
    Happening { event, manually: true }
}

/// What was seen last of an instance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Seen {
    phase: String,
    pid: Option<i64>,
    /// A stop is under way, or was, and what follows it is a restart.
    restarting: bool,
    is_new: bool,
}

/// Tells the events of PM2's bus.
#[derive(Debug, Default)]
pub struct Happenings(BTreeMap<u64, Seen>);

impl Happenings {
    /// Knows an instance as it is, without a word.
    pub fn know(&mut self, id: u64, phase: &str, pid: Option<i64>) {
        let seen = Seen { phase: phase.to_owned(), pid, ..Seen::default() };
        self.0.insert(id, seen);
    }

    /// Takes the data of an event `instance`; returns what it means, in order.
    pub fn instance(&mut self, data: &Value) -> Vec<Happening> {
        let (Some(id), Some(phase)) = (data["id"].as_u64(), data["phase"].as_str()) else {
            return Vec::new();
        };
        let pid = data["pid"].as_i64();
        let new = || Seen { is_new: true, ..Seen::default() };
        let before = self.0.get(&id).cloned().unwrap_or_else(new);
        let mut after = Seen { phase: phase.to_owned(), pid, ..before.clone() };
        let mut said = Vec::new();
        let replaced = before.phase == "running" && phase == "running" && before.pid != pid;
        if phase == "tripped" && before.phase != "tripped" {
            said.push(by_itself("restart overlimit"));
        }
        if before.pid.is_some() && before.pid != pid && !replaced {
            said.push(by_itself("exit"));
        }
        if before.phase == "stopping" {
            match phase {
                "stopping" => {}
                "stopped" => said.push(asked("stop")),
                _ => after.restarting = true,
            }
        }
        if replaced {
            said.extend([by_itself("online"), asked("reload")]);
        }
        if phase == "running" && before.phase != "running" {
            said.push(by_itself("online"));
            if before.is_new {
                said.push(asked("start"));
            } else if after.restarting {
                said.push(asked("restart"));
            }
            (after.is_new, after.restarting) = (false, false);
        }
        self.0.insert(id, after);
        said
    }

    /// Takes the data of an event `instance-gone`.
    pub fn gone(&mut self, data: &Value) -> Vec<Happening> {
        let before = data["id"].as_u64().and_then(|id| self.0.remove(&id));
        let Some(before) = before else { return Vec::new() };
        let exit = before.pid.is_some().then_some(by_itself("exit"));
        exit.into_iter().chain([asked("delete")]).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn words(happenings: &mut Happenings, phases: &[(&str, Option<i64>)]) -> Vec<&'static str> {
        let mut words = Vec::new();
        for (phase, pid) in phases {
            let said = happenings.instance(&json!({ "id": 0, "phase": phase, "pid": pid }));
            words.extend(said.iter().map(|it| it.event));
        }
        words
    }

    #[test]
    fn a_life_is_told_in_pm2s_words() {
        let mut told = Happenings::default();
        let up = [("starting", None), ("starting", Some(10)), ("running", Some(10))];
        assert_eq!(words(&mut told, &up), ["online", "start"]);
        let crash = [("backoff", None), ("starting", Some(11)), ("running", Some(11))];
        assert_eq!(words(&mut told, &crash), ["exit", "online"]);
        let at_once = [("starting", Some(12)), ("running", Some(12))];
        assert_eq!(words(&mut told, &at_once), ["exit", "online"]);
        let restart = [("stopping", Some(12)), ("starting", Some(13)), ("running", Some(13))];
        assert_eq!(words(&mut told, &restart), ["exit", "online", "restart"]);
        assert_eq!(words(&mut told, &[("running", Some(14))]), ["online", "reload"]);
        let stop = [("stopping", Some(14)), ("stopped", None)];
        assert_eq!(words(&mut told, &stop), ["exit", "stop"]);
        let again = [("starting", Some(15)), ("running", Some(15)), ("tripped", None)];
        assert_eq!(words(&mut told, &again), ["online", "restart overlimit", "exit"]);
        let gone = told.gone(&json!({ "id": 0 }));
        assert_eq!(gone, [asked("delete")]);
        assert_eq!(told.gone(&json!({ "id": 0 })), []);
    }

    #[test]
    fn what_was_up_already_is_not_started() {
        let mut told = Happenings::default();
        told.know(0, "running", Some(10));
        assert_eq!(words(&mut told, &[("running", Some(10))]), Vec::<&str>::new());
        assert_eq!(told.gone(&json!({ "id": 0 })), [by_itself("exit"), asked("delete")]);
    }
}
