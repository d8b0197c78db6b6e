//! From the limits of an app to what the guardian sets between fork and exec.
//!
//! What zelador has no right to is found out before anything is started, so that the message names the
//! field and what is allowed.

use std::io;

use zelador_core::death::SpawnFailure;
use zelador_core::spec::{IoPriority, Limits, Resource};
use zelador_core::words;
use zelador_core::words::{Words, quoted};
use zelador_guardian::message::{Extras, Limit};

use crate::errno;

/// The capability that lifts the hard limits of resources.
const SYS_RESOURCE: u32 = 24;
/// The one that lifts those of niceness.
const SYS_NICE: u32 = 23;
/// The one that lets capabilities be dropped for good.
const SETPCAP: u32 = 8;

/// Returns what the guardian sets.
pub(super) fn extras(limits: &Limits) -> Result<Extras, SpawnFailure> {
    let mut resources = Vec::new();
    for limit in &limits.resources {
        let field = format!("limits.{}", limit.resource.word());
        let most = limit.most.unwrap_or(libc::RLIM64_INFINITY);
        let number = number(limit.resource);
        let hard = hard_limit(number)
            .map_err(|error| refused(&field, errno::said(&error), Words::default()))?;
        if most > hard && !has(SYS_RESOURCE) {
            let found = words!(
                "{most}, above the hard limit",
                "{most}, acima do limite máximo",
                most = spoken(most),
            );
            let allowed = words!(
                "up to {hard}, since zelador has no CAP_SYS_RESOURCE",
                "até {hard}, pois o zelador não tem CAP_SYS_RESOURCE",
                hard = spoken(hard),
            );
            return Err(refused(&field, found, allowed));
        }
        resources.push(Limit { resource: number, soft: most, hard: most });
    }
    if let Some(nice) = limits.nice {
        let own = rustix::process::getpriority_process(None).unwrap_or_default();
        if nice < own && !has(SYS_NICE) {
            let allowed = words!(
                "{own} to 19, since zelador has no CAP_SYS_NICE",
                "de {own} a 19, pois o zelador não tem CAP_SYS_NICE",
            );
            return Err(refused("limits.nice", quoted(nice), allowed));
        }
    }
    if let Some(IoPriority::Realtime(_)) = limits.io
        && !has(SYS_NICE)
        && !has(21)
    {
        let allowed = words!(
            "`best-effort` or `idle`, since zelador has neither CAP_SYS_NICE nor CAP_SYS_ADMIN",
            "`best-effort` ou `idle`, pois o zelador não tem CAP_SYS_NICE nem CAP_SYS_ADMIN",
        );
        return Err(refused("limits.ionice", quoted("realtime"), allowed));
    }
    if let Some(score) = limits.oom_score_adj {
        let own = std::fs::read_to_string("/proc/self/oom_score_adj").unwrap_or_default();
        let own: i32 = own.trim().parse().unwrap_or_default();
        if score < own && !has(SYS_RESOURCE) {
            let allowed = words!(
                "{own} to 1000, since zelador has no CAP_SYS_RESOURCE",
                "de {own} a 1000, pois o zelador não tem CAP_SYS_RESOURCE",
            );
            return Err(refused("limits.oom_score_adj", quoted(score), allowed));
        }
    }
    if limits.capabilities.is_some() && !has(SETPCAP) {
        let allowed = words!(
            "nothing, since zelador has no CAP_SETPCAP (is not root): apps have none anyway",
            "nada, pois o zelador não tem CAP_SETPCAP (não é root): os aplicativos já não têm nenhuma",
        );
        return Err(refused("limits.capabilities", a_list(), allowed));
    }
    Ok(Extras {
        limits: resources,
        nice: limits.nice,
        io: limits.io.map(io_number),
        oom: limits.oom_score_adj,
        umask: limits.umask,
        no_new_privs: limits.no_new_privs,
        capabilities: limits.capabilities,
        ..Extras::default()
    })
}

pub(super) fn refused(field: &str, found: Words, allowed: Words) -> SpawnFailure {
    SpawnFailure::Setting { field: field.to_owned(), found, allowed }
}

/// What was found where nothing may stand.
pub(super) fn a_list() -> Words {
    words!("a list", "uma lista")
}

fn number(resource: Resource) -> u32 {
    match resource {
        Resource::Nofile => libc::RLIMIT_NOFILE,
        Resource::Nproc => libc::RLIMIT_NPROC,
        Resource::Core => libc::RLIMIT_CORE,
        Resource::As => libc::RLIMIT_AS,
    }
}

/// `IOPRIO_PRIO_VALUE`: the class above bit 13, the level below.
fn io_number(io: IoPriority) -> u32 {
    match io {
        IoPriority::Realtime(level) => 1 << 13 | u32::from(level),
        IoPriority::BestEffort(level) => 2 << 13 | u32::from(level),
        IoPriority::Idle => 3 << 13,
    }
}

fn hard_limit(resource: u32) -> io::Result<u64> {
    let mut found = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `found` is writable and of the right type.
    if unsafe { libc::prlimit64(0, resource, std::ptr::null(), &raw mut found) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(found.rlim_max)
}

fn spoken(limit: u64) -> Words {
    if limit == libc::RLIM64_INFINITY { words!("unlimited", "sem limite") } else { quoted(limit) }
}

/// Whether this process has a capability.
fn has(number: u32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let bits = line.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).unwrap_or_default();
    bits >> number & 1 == 1
}
