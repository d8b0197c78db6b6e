//! When a zelador in the foreground has nothing left to do, and with which exit code it ends.
//!
//! Pure: the list goes in, the verdict comes out. The code is the app's where there is one app, as
//! if it had been started without zelador; [`NONE_UP`] where there are several (PM2's code).

use zelador_api::{Death, InstanceView, Phase, View};

/// PM2: exit code when no app is online any more.
pub const NONE_UP: u8 = 2;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Something is up, or about to be.
    Up,
    /// Nothing is up, by somebody's wish: they may have another one.
    Idle,
    /// Everything has ended for good.
    Over(u8),
}

/// Returns what the list means.
pub fn verdict(view: &View) -> Verdict {
    let is_up = |instance: &InstanceView| {
        instance.pid.is_some()
            || matches!(
                instance.phase,
                Phase::Starting { .. }
                    | Phase::Running { .. }
                    | Phase::Stopping { .. }
                    | Phase::Backoff { .. }
            )
    };
    let has_ended = |instance: &InstanceView| {
        matches!(instance.phase, Phase::Finished { .. } | Phase::Tripped { .. })
    };
    if view.instances.iter().any(is_up) {
        return Verdict::Up;
    }
    match view.instances.as_slice() {
        [only] if has_ended(only) => Verdict::Over(code(only)),
        [_, ..] if view.instances.iter().all(has_ended) => Verdict::Over(NONE_UP),
        _ => Verdict::Idle,
    }
}

/// The exit code of an app, as a shell would tell it.
fn code(instance: &InstanceView) -> u8 {
    let death = match &instance.phase {
        Phase::Finished { death } => Some(death),
        _ => instance.deaths.first().map(|past| &past.death),
    };
    let code = match death {
        Some(Death::Exited { code }) => u8::try_from(*code).unwrap_or(NONE_UP),
        Some(Death::Signaled { signal, .. }) => 128_u8.saturating_add(signal.number()),
        Some(Death::OutOfMemory) => 128 + 9,
        _ => NONE_UP,
    };
    // Giving up on an app is a failure, also when it always ended well.
    let gave_up = matches!(instance.phase, Phase::Tripped { .. });
    if gave_up && code == 0 { NONE_UP } else { code }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn of(phases: &[Value]) -> Verdict {
        let instance = |(id, phase): (usize, &Value)| {
            json!({
                "id": id, "app": "api", "index": 0, "name": "api", "goal": "up", "phase": phase,
                "status": "x", "pid": null, "restarts": 0, "unstable_restarts": 0, "created_at": 0,
                "started_at": null, "usage": null, "health": null, "backoff": null,
                "deaths": [{ "at": 1, "death": dead(7), "uptime_millis": 5 }],
            })
        };
        let instances: Vec<Value> = phases.iter().enumerate().map(instance).collect();
        let health = json!({ "overall": "healthy", "checks": [], "uptime": { "secs": 1, "nanos": 0 }, "at": 0 });
        let view = json!({
            "at": 0, "started_at": 0, "instances": instances, "health": health, "ignored_facts": 0,
        });
        verdict(&serde_json::from_value(view).unwrap())
    }

    fn dead(code: i32) -> Value {
        serde_json::to_value(Death::Exited { code }).unwrap()
    }

    fn finished(code: i32) -> Value {
        json!({ "phase": "finished", "death": dead(code) })
    }

    #[test]
    fn the_end_is_that_of_the_only_app_or_pm2s_when_there_are_several() {
        let (stopped, tripped) =
            (json!({ "phase": "stopped" }), json!({ "phase": "tripped", "trial_at": null }));
        let backoff = json!({ "phase": "backoff", "retry_at": 5, "held": false });
        assert_eq!(of(&[]), Verdict::Idle);
        assert_eq!(of(&[finished(0)]), Verdict::Over(0));
        assert_eq!(of(&[finished(3)]), Verdict::Over(3));
        assert_eq!(of(std::slice::from_ref(&tripped)), Verdict::Over(7), "the last death");
        assert_eq!(of(&[finished(0), tripped.clone()]), Verdict::Over(NONE_UP));
        assert_eq!(of(&[stopped.clone(), finished(0)]), Verdict::Idle);
        assert_eq!(of(&[backoff, tripped]), Verdict::Up);
    }
}
