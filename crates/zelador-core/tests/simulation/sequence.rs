//! What an app needs is there before it, and goes after it.

use std::collections::{BTreeMap, BTreeSet};

use zelador_core::check::Status;
use zelador_core::effect::Effect;
use zelador_core::instance::{Goal, Phase};
use zelador_core::spec::{AppSpec, Condition, OnDependencyDown};
use zelador_core::supervisor::{InstanceView, View};
use zelador_core::unit::Moment;

use crate::rule::{Rule, Violation, broken};

type Specs = BTreeMap<String, AppSpec>;

/// Nothing is started before what it needs, and what is wanted, is as far as was said.
pub fn starts_are_in_order(
    view: &View,
    specs: &Specs,
    effects: &[Effect],
) -> Result<(), Violation> {
    for effect in effects {
        let Effect::Spawn { run, launch, .. } = effect else { continue };
        let known = view.instances.iter().find(|it| it.id == launch.instance);
        // A successor takes the place of a run that is there.
        let Some(starting) = known.filter(|it| it.phase.run() == Some(*run)) else { continue };
        let Some(spec) = specs.get(&starting.app) else { continue };
        let by_itself = starting.last_start.as_ref().is_some_and(|it| it.cause.is_automatic());
        if by_itself && spec.on_dependency_down == OnDependencyDown::Restart {
            continue;
        }
        for name in spec.depends_on.iter().filter(|name| !leads_to(specs, name, &starting.app)) {
            let condition = spec.condition_of(name);
            let mut needed =
                view.instances.iter().filter(|it| it.app == *name && it.goal == Goal::Up);
            if let Some(short) = needed.find(|it| !is_as_far(it, condition)) {
                let what = format!(
                    "{} begins while {} is {:?}, not {condition:?}",
                    starting.name, short.name, short.phase
                );
                return broken(Rule::StartsInOrder, what);
            }
        }
    }
    Ok(())
}

fn is_as_far(needed: &InstanceView, condition: Condition) -> bool {
    let ready = needed.phase.is_ready();
    match (&needed.phase, condition) {
        (Phase::Finished { death }, _) => death.is_clean(),
        (Phase::Running { .. }, Condition::Started) => true,
        (_, Condition::Started | Condition::Ready) => ready,
        (_, Condition::Healthy) => {
            ready && needed.health.as_ref().is_some_and(|it| it.status != Status::Unhealthy)
        }
        (_, Condition::Completed) => false,
    }
}

/// Nothing is asked to end while something that needs it is stopping, unless that took
/// longer than it may.
pub fn stops_are_in_order(
    now: Moment,
    (before, after): (&View, &View),
    specs: &Specs,
    effects: &[Effect],
) -> Result<(), Violation> {
    for effect in effects {
        let (Effect::Terminate { run, .. } | Effect::Say { run, .. }) = effect else { continue };
        let own =
            |view: &View| view.instances.iter().find(|it| it.phase.run() == Some(*run)).cloned();
        let Some(stopping) = own(after) else { continue };
        let waited = own(before).map(|it| it.phase);
        match waited {
            Some(Phase::Stopping { waits: true, kill_at, .. }) if now >= kill_at => continue,
            // It came up when it was to stop already.
            Some(Phase::Stopping { pid: None, .. }) => continue,
            _ => {}
        }
        if !matches!(stopping.phase, Phase::Stopping { .. }) {
            continue;
        }
        let needs = |it: &&InstanceView| {
            let spec = specs.get(&it.app);
            spec.is_some_and(|spec| spec.depends_on.contains(&stopping.app))
                && !leads_to(specs, &stopping.app, &it.app)
        };
        let mut dependants = after.instances.iter().filter(needs);
        if let Some(other) = dependants.find(|it| matches!(it.phase, Phase::Stopping { .. })) {
            let what = format!("{} is asked to end while {} stops", stopping.name, other.name);
            return broken(Rule::StopsInOrder, what);
        }
    }
    Ok(())
}

fn leads_to(specs: &Specs, from: &str, to: &str) -> bool {
    let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(name) = open.pop() {
        if name == to {
            return true;
        }
        if seen.insert(name) {
            open.extend(specs.get(name).iter().flat_map(|it| &it.depends_on).map(String::as_str));
        }
    }
    false
}
