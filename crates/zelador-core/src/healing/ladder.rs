//! Which remedies are tried against a cause, and in which order.
//!
//! Pure. Always holds: what is not offered or allowed by the declaration is not on the ladder; what is
//! gentle comes before what ends a process.

use super::raise::raise;
use super::{Remedy, garbage_hook};
use crate::diagnosis::{Cause, Diagnosis};
use crate::spec::{AppSpec, ExecMode};

/// Returns the remedies against what was found, in the order in which they are tried before anything
/// was learned.
pub fn ladder(diagnosis: &Diagnosis, spec: &AppSpec) -> Vec<Remedy> {
    let hooks = &spec.heal.hooks;
    let mut rungs = Vec::new();
    let cause = diagnosis.cause;
    let offered = |is_offered: bool, remedy: Remedy| is_offered.then_some(remedy);
    if matches!(cause, Cause::MemoryLeak | Cause::OutOfMemoryHeap | Cause::OomKilled) {
        rungs.extend(offered(garbage_hook(spec).is_some(), Remedy::CollectGarbage));
        rungs.extend(offered(hooks.clear_cache.is_some(), Remedy::ClearCache));
    }
    let is_connection = matches!(
        cause,
        Cause::DbTooManyConnections | Cause::DependencyUnreachable | Cause::DnsFailure
    );
    rungs.extend(offered(is_connection && hooks.reconnect.is_some(), Remedy::Reconnect));
    let declared = spec.heal.commands.iter().filter(|(_, it)| it.when.contains(&cause));
    rungs.extend(declared.map(|(name, _)| Remedy::Command(name.clone())));
    let waits =
        matches!(diagnosis.remedy, Remedy::WaitForDependency) || cause == Cause::RateLimited;
    rungs.extend(offered(waits, Remedy::WaitForDependency));
    let is_cluster = spec.mode == ExecMode::Cluster;
    rungs.push(match &diagnosis.remedy {
        Remedy::ScaleOut if !spec.may_grow() => Remedy::NotifyOnly,
        Remedy::ScaleOut
        | Remedy::FreeDisk
        | Remedy::NotifyOnly
        | Remedy::StopAndNotify
        | Remedy::None => diagnosis.remedy.clone(),
        // That is a limit of its user on this host: no start of one app frees any of it.
        _ if cause == Cause::InotifyLimit => Remedy::NotifyOnly,
        _ if raise(cause, spec).is_some() => Remedy::RaiseLimitAndRestart,
        // A process that does not answer is not replaced gently: it would be asked to finish first.
        _ if cause == Cause::MemoryLeak && is_cluster => Remedy::Reload,
        _ => Remedy::Restart,
    });
    rungs
}
