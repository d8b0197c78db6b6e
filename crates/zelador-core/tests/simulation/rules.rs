//! The rules that compare what was with what is, one function each.

use crate::guardian::{Guardian, Process};
use crate::invariants::Before;
use crate::rule::{Rule, Violation, broken};
use crate::script::DATABASE;
use std::collections::{BTreeMap, BTreeSet};
use zelador_core::death::Death;
use zelador_core::effect::Effect;
use zelador_core::healing::HOLDS_FOR;
use zelador_core::id::{IncidentId, InstanceId, RunId};
use zelador_core::incident::{Incident, Outcome, Stage, Trouble};
use zelador_core::input::{Command, Fact, Input};
use zelador_core::instance::{Goal, Instance, Phase};
use zelador_core::record::Record;
use zelador_core::supervisor::{Deadline, InstanceView, Supervisor, View};
use zelador_core::unit::Moment;

/// Records that were never written stand for what a new supervisor has.
pub fn records_agree(kept: &BTreeMap<String, Record>, durable: &[Record]) -> Result<(), Violation> {
    let mut missing: BTreeSet<&String> = kept.keys().collect();
    for record in durable {
        let key = record.key();
        missing.remove(&key);
        let same = match (kept.get(&key), record) {
            (Some(Record::Instance(kept)), Record::Instance(now)) => {
                let mut kept = kept.clone();
                kept.usage = None;
                kept == *now
            }
            (Some(kept), record) => kept == record,
            (None, Record::Counters(_) | Record::Settings(_) | Record::History(_)) => true,
            (None, _) => false,
        };
        if !same {
            return broken(
                Rule::RecordsAgree,
                format!("{:?} was kept, {record:?} is true", kept.get(&key)),
            );
        }
    }
    match missing.first() {
        Some(key) => broken(Rule::RecordsAgree, format!("{key} was kept and is no more")),
        None => Ok(()),
    }
}

/// A tick at a deadline leaves a later one, or fewer of them.
pub fn deadlines_move_on(
    before: &Before,
    after: Option<(Moment, Deadline)>,
    input: &Input,
    ticks_in_a_row: &mut usize,
) -> Result<(), Violation> {
    let due = |deadline: &Option<(Moment, Deadline)>| {
        deadline.as_ref().is_some_and(|(at, _)| *at <= before.now)
    };
    if *input != Input::Tick || !due(&before.deadline) || !due(&after) {
        *ticks_in_a_row = 0;
        return Ok(());
    }
    *ticks_in_a_row += 1;
    if before.deadline == after || *ticks_in_a_row > 8 {
        return broken(Rule::DeadlinesMoveOn, format!("{}: {after:?} is due again", before.now));
    }
    Ok(())
}

/// Facts of an old run change nothing.
pub fn old_facts_change_nothing(
    before: &[Record],
    after: &[Record],
    effects: &[Effect],
) -> Result<(), Violation> {
    if before != after || !effects.is_empty() {
        return broken(
            Rule::OldFactsChangeNothing,
            format!("a fact about an old run had consequences: {effects:?}"),
        );
    }
    Ok(())
}

/// Only where a run has just ended the next one is ahead of its record.
pub fn ahead_of_something(input: &Input, effects: &[Effect]) -> Result<(), Violation> {
    let ended = matches!(
        input,
        Input::Fact(Fact::Exited { .. } | Fact::SpawnFailed { .. } | Fact::Inventory { .. })
    );
    for effect in effects {
        if let Effect::Spawn { run, ahead: true, .. } = effect
            && !ended
        {
            return broken(Rule::SpawnsAreRecorded, format!("run {run} is ahead of nothing"));
        }
    }
    Ok(())
}

/// Of all that follows from what was heard at once, in the order in which it is done: the record of the run,
/// and of the next run's number, comes before the process, or after it where that is ahead.
pub fn spawns_are_recorded(effects: &[Effect]) -> Result<(), Violation> {
    for (index, effect) in effects.iter().enumerate() {
        let Effect::Spawn { run, ahead, .. } = effect else { continue };
        let before = if *ahead { effects } else { &effects[..index] };
        let recorded = before
            .iter()
            .any(|effect| matches!(effect, Effect::Record(Record::Instance(it)) if it.has(*run)));
        let counted = before.iter().any(|effect| {
            matches!(effect, Effect::Record(Record::Counters(it)) if it.run > run.number())
        });
        if !recorded || !counted {
            return broken(
                Rule::SpawnsAreRecorded,
                format!("run {run} is started without a record"),
            );
        }
    }
    Ok(())
}

/// The living runs of which no record tells, and whose instance has no other: they began before their
/// record was written.
pub fn heirs(
    kept: &BTreeMap<String, Record>,
    runs: &BTreeMap<RunId, Process>,
) -> Vec<(InstanceId, RunId)> {
    let lives = |run: &RunId| runs.get(run).is_some_and(Process::is_alive);
    let instances = kept.values().filter_map(|record| match record {
        Record::Instance(it) if it.goal == Goal::Up && it.successor.is_none() => Some(it),
        _ => None,
    });
    let known = |run: &RunId| {
        kept.values().any(|record| match record {
            Record::Instance(it) => it.has(*run),
            Record::Retiring(it) => it.run == *run,
            _ => false,
        })
    };
    let of_instance = |it: &Instance| {
        let (Phase::Starting { run: before, .. } | Phase::Running { run: before, .. }) = it.phase
        else {
            return None;
        };
        let mine = |run: &&RunId| runs[*run].instance == it.id && lives(run) && !known(run);
        let newest = runs.keys().filter(mine).max().filter(|_| !lives(&before))?;
        (*newest > before).then_some((it.id, *newest))
    };
    instances.filter_map(|instance| of_instance(instance)).collect()
}

/// A new engine takes them: the loss of the one before costs no restart.
pub fn heirs_are_taken(heirs: &[(InstanceId, RunId)], after: &View) -> Result<(), Violation> {
    for (instance, run) in heirs {
        let now = after.instances.iter().find(|it| it.id == *instance);
        if now.is_none_or(|it| it.phase.run() != Some(*run)) {
            let what = format!("run {run} of instance {instance} was there and is not taken");
            return broken(Rule::HeirsAreTaken, what);
        }
    }
    Ok(())
}

/// What ended with zelador or with the host is no death, counts for nothing, and is to come up again.
pub fn what_ended_with_all_is_no_death(before: &View, after: &View) -> Result<(), Violation> {
    for old in before.instances.iter().filter(|it| matches!(it.phase, Phase::Running { .. })) {
        let Some(new) = after.instances.iter().find(|it| it.id == old.id) else { continue };
        let counts = |it: &InstanceView| (it.restarts, it.unstable_restarts, it.deaths.clone());
        let comes_up = matches!(new.phase, Phase::Starting { .. } | Phase::Backoff { .. });
        if counts(old) != counts(new) || !comes_up {
            return broken(
                Rule::EndedWithAll,
                format!("{} ended with all: {:?}", old.name, new.phase),
            );
        }
    }
    Ok(())
}

/// A run that did not end within its grace is killed, and had that grace.
pub fn who_is_killed_was_asked(
    effects: &[Effect],
    supervisor: &Supervisor,
    guardian: &Guardian,
) -> Result<(), Violation> {
    let killed = effects.iter().filter_map(|effect| match effect {
        Effect::Kill { run } => {
            guardian.runs.get(run).filter(|it| it.is_alive()).map(|it| (*run, it))
        }
        _ => None,
    });
    for (run, process) in killed.filter(|(_, process)| !process.asked) {
        let view = supervisor.view();
        let is_stopping = |it: &&InstanceView| matches!(it.phase, Phase::Stopping { run: stopping, pid: Some(_), .. } if stopping == run);
        if view.instances.iter().any(|it| is_stopping(&it)) {
            let what = format!("run {run} of {} was never asked to end", process.app);
            return broken(Rule::AskedBeforeKilled, what);
        }
    }
    Ok(())
}

/// The end of a run that was asked to end is no death.
pub fn stops_are_no_deaths(before: &View, after: &View, input: &Input) -> Result<(), Violation> {
    let Some(run) = run_of(input) else { return Ok(()) };
    let asked = |it: &&InstanceView| matches!(it.phase, Phase::Stopping { run: stopping, .. } if stopping == run);
    let Some(before) = before.instances.iter().find(asked) else { return Ok(()) };
    let Some(after) = after.instances.iter().find(|it| it.id == before.id) else { return Ok(()) };
    if after.unstable_restarts != before.unstable_restarts || after.deaths != before.deaths {
        return broken(
            Rule::StopsAreNoDeaths,
            format!("the end of run {run} was asked for, and counted: {input:?}"),
        );
    }
    Ok(())
}

/// A run that was ready retires only when another one of its instance is ready.
pub fn reloads_leave_nobody_alone(before: &View, after: &View) -> Result<(), Violation> {
    for old in before.instances.iter().filter(|it| it.phase.is_ready()) {
        let retires = after.retiring.iter().any(|it| Some(it.run) == old.phase.run());
        let new = after.instances.iter().find(|it| it.id == old.id);
        if retires && !new.is_some_and(|new| new.phase.is_ready()) {
            return broken(
                Rule::SomebodyIsReady,
                format!("{} retires, and nobody is ready in its place", old.name),
            );
        }
    }
    Ok(())
}

/// At most one open incident of an app and kind of trouble.
pub fn one_open_incident(incidents: &[&Incident]) -> Result<(), Violation> {
    let mut seen = BTreeSet::new();
    for incident in incidents.iter().filter(|it| it.is_open()) {
        if !seen.insert((incident.app.clone(), incident.trouble)) {
            let what = format!("{} has two open incidents: {}", incident.app, incident.trouble);
            return broken(Rule::OneOpenIncident, what);
        }
    }
    Ok(())
}

/// A death that a check was the first to see is what is treated, and not the silence besides.
pub fn deaths_are_treated_once(incidents: &[&Incident], view: &View) -> Result<(), Violation> {
    let died_since = |instance: InstanceId, since: Moment| {
        let last = view.instances.iter().find(|it| it.id == instance)?.deaths.first()?;
        // Work that was finished is no death.
        Some(!last.death.is_clean() && last.death != Death::Unknown && last.at > since)
    };
    let open = || incidents.iter().filter(|it| it.is_open());
    let mut silent = open().filter(|it| it.trouble == Trouble::Unresponsive && it.is_of_thought());
    let twice = silent.find(|silent| {
        died_since(silent.instance, silent.began_at()) == Some(true)
            && open().any(|it| it.trouble.is_deadly() && it.instance == silent.instance)
    });
    match twice {
        Some(it) => {
            broken(Rule::DeathsTreatedOnce, format!("{}: {} is silent, and died", it.id, it.app))
        }
        None => Ok(()),
    }
}

/// What hung is called healed only when its run has been up for as long as that must last.
pub fn healed_has_held(
    now: Moment,
    open_before: &BTreeSet<IncidentId>,
    incidents: &[&Incident],
    view: &View,
) -> Result<(), Violation> {
    let healed = Stage::Closed { outcome: Outcome::Healed };
    let hung = |it: &&&Incident| it.trouble == Trouble::Unresponsive && it.stage == healed;
    for it in incidents.iter().filter(|it| open_before.contains(&it.id)).filter(hung) {
        let phase = view.instances.iter().find(|known| known.id == it.instance).map(|it| &it.phase);
        let Some(Phase::Running { since, .. }) = phase else {
            return broken(Rule::HealedHasHeld, format!("{now}: {}: {phase:?}", it.id));
        };
        if now.since(*since) < HOLDS_FOR {
            let what = format!("{now}: {} is called healed, up since {since}", it.id);
            return broken(Rule::HealedHasHeld, what);
        }
    }
    Ok(())
}

/// The run that a fact is about.
pub fn run_of(input: &Input) -> Option<RunId> {
    match input {
        Input::Fact(
            Fact::Spawned { run, .. }
            | Fact::SpawnFailed { run, .. }
            | Fact::Ready { run, .. }
            | Fact::Exited { run, .. }
            | Fact::Swept { run },
        ) => Some(*run),
        _ => None,
    }
}

pub fn database_known_down(view: &View) -> bool {
    let name = format!("database:{DATABASE}");
    let check = view.health.checks.iter().find(|check| check.component == name);
    check.is_some_and(|check| check.message == crate::world::REFUSED)
}

/// Whether a command names this instance.
pub fn names(command: &Command, instance: &InstanceView) -> bool {
    match command {
        Command::Declare { apps, .. } => {
            apps.iter().any(|it| it.spec.name.as_str() == instance.app)
        }
        Command::Start { selectors }
        | Command::Stop { selectors }
        | Command::Restart { selectors, .. }
        | Command::Scale { selectors, .. }
        | Command::Reset { selectors }
        | Command::Reload { selectors, .. }
        | Command::Trigger { selectors, .. }
        | Command::Delete { selectors } => selectors.iter().any(|selector| {
            *selector == "all" || *selector == instance.app || *selector == instance.id.to_string()
        }),
        Command::By { command, .. } => names(command, instance),
        Command::Breaker { target, .. } => target.strip_prefix("app:") == Some(&instance.app),
        Command::Signal { .. }
        | Command::Maintenance { .. }
        | Command::Mute { .. }
        | Command::Incident { .. }
        | Command::Report { .. }
        | Command::CheckNow
        | Command::Shutdown => false,
    }
}
