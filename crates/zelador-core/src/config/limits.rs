//! `limits`: what an app may use and do at most.

use super::fields::LIMITS;
use super::node::Value;
use super::place::{Block, Place};
use crate::spec::{CAPABILITIES, IoPriority, Limits, Resource, ResourceLimit};
use crate::unit::ByteSize;

/// cgroup v2 refuses a quota below 1 ms in its period of 100 ms: a hundredth of a processor.
const LEAST_CPU: f64 = 0.01;
/// More processors than any host has.
const MOST_CPU: f64 = 4096.0;
/// In less no program can be executed: a static one that does nothing takes some hundred kilobytes.
const LEAST_MEMORY: ByteSize = ByteSize::mebibytes(1);

/// Returns the limits; without the block there are none.
pub(super) fn check(app: &Block<'_>) -> Limits {
    let Some(place) = app.get("limits") else { return Limits::default() };
    let Some(block) = place.block("`limits`", LIMITS) else { return Limits::default() };
    let size = |name: &str| block.get(name).and_then(memory_size);
    let whole = |name: &str, range| block.get(name).and_then(|place| place.whole(range));
    let (memory, memory_high) = (size("memory"), size("memory_high"));
    if let (Some(most), Some(high), Some(place)) = (memory, memory_high, block.get("memory_high"))
        && high > most
    {
        place.refuse::<()>(format!("no more than `memory`, {most}"));
    }
    Limits {
        memory,
        memory_high,
        cpu: block.get("cpu").and_then(cpu),
        pids: whole("pids", 1..=4_194_304).map(|number| number as u32),
        resources: Resource::ALL.iter().filter_map(|it| resource(&block, *it)).collect(),
        nice: whole("nice", -20..=19).map(|number| number as i32),
        io: block.get("ionice").and_then(io),
        oom_score_adj: whole("oom_score_adj", -1000..=1000).map(|number| number as i32),
        umask: block.get("umask").and_then(umask),
        no_new_privs: block.get("no_new_privs").and_then(Place::flag).unwrap_or_default(),
        groups: block.get("groups").and_then(Place::words),
        capabilities: block.get("capabilities").and_then(capabilities),
    }
}

fn memory_size(place: &Place<'_>) -> Option<ByteSize> {
    match place.size()? {
        size if size < LEAST_MEMORY => {
            place.refuse("1048576 bytes or more, or text like `500M`, `1G`")
        }
        size => Some(size),
    }
}

/// `1.5` processors, or `150%` of one; in thousandths.
fn cpu(place: &Place<'_>) -> Option<u32> {
    let found = match &place.node.value {
        Value::Text(text) => match text.trim().strip_suffix('%') {
            Some(share) => share.trim().parse::<f64>().ok().map(|share| share / 100.0),
            None => text.trim().parse().ok(),
        },
        _ => place.number(),
    };
    match found.filter(|number| (LEAST_CPU..=MOST_CPU).contains(number)) {
        Some(number) => Some((number * 1000.0).round() as u32),
        None => place.refuse("processors from 0.01 to 4096 like `1.5`, or text like `150%`"),
    }
}

fn resource(block: &Block<'_>, resource: Resource) -> Option<ResourceLimit> {
    let place = block.get(resource.word())?;
    if matches!(&place.node.value, Value::Text(text) if text == "unlimited") {
        return Some(ResourceLimit { resource, most: None });
    }
    let whole = |least| Some(place.whole(least..=i64::from(u32::MAX))?.unsigned_abs());
    let most = match resource {
        Resource::Core if place.number() == Some(0.0) => 0,
        Resource::Core => place.size()?.bytes(),
        Resource::As => memory_size(place)?.bytes(),
        Resource::Nofile => whole(8)?,
        Resource::Nproc => whole(0)?,
    };
    Some(ResourceLimit { resource, most: Some(most) })
}

fn io(place: &Place<'_>) -> Option<IoPriority> {
    let refused = || {
        place.refuse(
            "`idle`, `best-effort` or `realtime`, the latter two with a level: `best-effort:7`",
        )
    };
    let Value::Text(text) = &place.node.value else { return refused() };
    let (class, level) = text.split_once(':').unwrap_or((text, "4"));
    let level: Option<u8> = level.parse().ok().filter(|level| *level < 8);
    match (class, level) {
        ("idle", _) if !text.contains(':') => Some(IoPriority::Idle),
        ("best-effort", Some(level)) => Some(IoPriority::BestEffort(level)),
        ("realtime", Some(level)) => Some(IoPriority::Realtime(level)),
        _ => refused(),
    }
}

/// Octal text, as everywhere.
fn umask(place: &Place<'_>) -> Option<u32> {
    let allowed = "octal text from `000` to `777`, like `027`";
    match &place.node.value {
        Value::Text(text) => octal(text, 0o777).or_else(|| place.refuse(allowed)),
        // 027 in JavaScript is the number 23 already: nobody can know what was meant.
        _ => place.refuse(allowed),
    }
}

/// A number in octal digits, up to `most`.
pub(super) fn octal(text: &str, most: u32) -> Option<u32> {
    let digits = text.trim_start_matches("0o");
    u32::from_str_radix(digits, 8).ok().filter(|number| *number <= most)
}

/// A list of names; those that are not in it are dropped. An empty list drops all.
fn capabilities(place: &Place<'_>) -> Option<u64> {
    let mut bits = 0;
    for word in place.words()? {
        let name = word.to_ascii_uppercase();
        let name = name.strip_prefix("CAP_").unwrap_or(&name);
        match CAPABILITIES.iter().position(|known| *known == name) {
            Some(number) => bits |= 1 << number,
            None => {
                let near = super::names::nearest_of(name, CAPABILITIES.iter().copied());
                let help = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                let allowed = format!("names of capabilities like `NET_BIND_SERVICE`{help}");
                return place.refuse_found(format!("{word:?}"), allowed);
            }
        }
    }
    Some(bits)
}
