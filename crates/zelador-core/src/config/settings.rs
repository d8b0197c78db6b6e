//! The settings of zelador: the block `zelador` beside the apps, and the whole of `zelador.toml`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use super::fields::{CHECKS, DATABASE, DISK_THRESHOLDS, HISTORY, HOST_THRESHOLDS, LOGS, SETTINGS};
use super::health::is_authority;
use super::measured;
use super::names::Names;
use super::node::Value;
use super::notify::NotifyOverlay;
use super::overlay::{CadenceOverlay, DatabaseOverlay, HistoryOverlay, Overlay, Switch};
use super::place::Place;
use super::rotation::LogsOverlay;
use super::{diagnosis, maintenance, mounts, named, pulse, resilience};
use crate::redact;
use crate::spec::{BreakerChange, CPU_CAUSE, CPU_WATCH, Limit, MARGIN, MEMORY_CAUSE, Thresholds};
use crate::unit::Percent;
use crate::watch::absolute;

/// Returns what is said; relative paths of databases begin at `folder`.
pub(super) fn check(place: &Place<'_>, folder: &Path) -> Overlay {
    let mut overlay = Overlay::default();
    let Some(block) = place.block("zelador's settings", SETTINGS) else { return overlay };
    overlay.http = block.get("http").and_then(http);
    let mut named = Vec::new();
    let checks = block.get("checks").and_then(|place| {
        place.block_with("`checks`", CHECKS, |key, place| {
            let is_check = named::is_check(place);
            if is_check {
                named.push((key.name.clone(), place.clone()));
            }
            is_check
        })
    });
    if let Some(checks) = checks {
        overlay.named = named::checks(&checks, named, folder);
        overlay.cadence = CadenceOverlay::check(&checks);
        let share = |name: &str, known, around| thresholds(checks.get(name)?, known, around);
        let memory = share("memory", HOST_THRESHOLDS, (Duration::ZERO, MEMORY_CAUSE));
        let cpu = share("cpu", HOST_THRESHOLDS, (CPU_WATCH, CPU_CAUSE));
        let disk = share("disk", DISK_THRESHOLDS, (Duration::ZERO, 0.0));
        (overlay.memory, overlay.cpu) = (memory.map(|it| it.0), cpu.map(|it| it.0));
        (overlay.disk, overlay.mounts) = disk.unzip();
    }
    if let Some(place) = block.get("databases") {
        overlay.databases = databases(place, folder);
    }
    if let Some(logs) = block.get("logs").and_then(|place| place.block("`logs`", LOGS)) {
        overlay.logs = LogsOverlay::check(&logs);
    }
    if let Some(history) = block.get("history").and_then(|place| place.block("`history`", HISTORY))
    {
        overlay.history = HistoryOverlay::check(&history);
    }
    if let Some(place) = block.get("notify") {
        overlay.notify = NotifyOverlay::check(place, folder);
    }
    overlay.maintenance = block.get("maintenance").map(maintenance::windows);
    overlay.rules = block.get("diagnosis").and_then(diagnosis::rules);
    overlay.heartbeat = block.get("heartbeat").and_then(|place| pulse::check(place, folder));
    if let Some(place) = block.get("retry") {
        overlay.resilience.retry = resilience::retries(place);
    }
    if let Some(place) = block.get("breaker") {
        overlay.resilience.breaker = resilience::breakers(place);
    }
    overlay.advisor = block.get("advisor").and_then(|place| diagnosis::advisor(place, folder));
    overlay
}

fn http(place: &Place<'_>) -> Option<Switch<SocketAddr>> {
    const ALLOWED: &str = "an address like `127.0.0.1:9615`, a port, or false";
    if place.is_false() {
        return Some(Switch::Off);
    }
    let text = match &place.node.value {
        Value::Number(_) | Value::Text(_) => place.text_or_number()?,
        _ => return place.refuse(ALLOWED),
    };
    let text = text.trim();
    let local = |port: &str| Some(SocketAddr::from(([127, 0, 0, 1], port.parse().ok()?)));
    let address = text
        .parse()
        .ok()
        .or_else(|| local(text))
        .or_else(|| local(text.strip_prefix("localhost:")?));
    match address {
        Some(address) => Some(Switch::On(address)),
        None => place.refuse(ALLOWED),
    }
}

/// The thresholds of a share, and those of single mounts.
fn thresholds(
    place: &Place<'_>,
    known: &'static [Names],
    (watch, cause): (Duration, f64),
) -> Option<(Switch<Thresholds>, Vec<Limit>)> {
    if place.is_false() {
        return Some((Switch::Off, Vec::new()));
    }
    if !matches!(place.node.value, Value::Table(_)) {
        return place.refuse("`{ degraded: 75, unhealthy: 90 }`, or false");
    }
    let block = place.block("thresholds", known)?;
    let share = |name: &str| match block.get(name) {
        Some(place) => match place.number().and_then(Percent::new) {
            Some(percent) => Some(percent),
            None => place.refuse("a share from 0 to 100"),
        },
        None => place.refuse_found(format!("no `{name}`"), "both `degraded` and `unhealthy`"),
    };
    let auto = block.get("degraded").is_some_and(measured::is_auto);
    let unhealthy = share("unhealthy");
    let degraded = if auto { unhealthy } else { share("degraded") };
    let (degraded, unhealthy) = (degraded?, unhealthy?);
    let margin = match block.get("margin") {
        Some(_) => share("margin")?,
        None => Percent::new(MARGIN)?,
    };
    if degraded > unhealthy {
        let highest = unhealthy.value();
        return block.get("degraded")?.refuse(format!("at most `unhealthy`, {highest}"));
    }
    let watch = match block.get("watch") {
        Some(place) => place.span(Duration::ZERO)?,
        None => watch,
    };
    let cause = match block.get("cause") {
        Some(_) => share("cause")?,
        None => Percent::new(cause)?,
    };
    let thresholds = Thresholds { degraded, unhealthy, margin, watch, cause, auto };
    let mounts = block.get("mounts");
    let mounts = mounts.map(|place| mounts::limits(place, &thresholds.limit(""), true));
    Some((Switch::On(thresholds), mounts.unwrap_or_default()))
}

fn databases(place: &Place<'_>, folder: &Path) -> BTreeMap<String, DatabaseOverlay> {
    let mut databases = BTreeMap::new();
    let Some(entries) = place.entries() else {
        place.refuse::<()>("an object like `{ main: 'mysql://user:password@host/name' }`");
        return databases;
    };
    for (key, place) in entries {
        if key.name.trim().is_empty() || key.name.chars().any(char::is_control) {
            place.refuse_found::<()>("this name", "a printable name");
        }
        if let Some(database) = database(&place, folder) {
            databases.insert(key.name.clone(), database);
        }
    }
    databases
}

fn database(place: &Place<'_>, folder: &Path) -> Option<DatabaseOverlay> {
    if let Value::Text(_) = &place.node.value {
        return Some(DatabaseOverlay {
            url: url(place, folder)?,
            slow: None,
            cadence: CadenceOverlay::default(),
            query: None,
            expect: None,
            limits: Vec::new(),
            breaker: BreakerChange::default(),
        });
    }
    if !matches!(place.node.value, Value::Table(_)) {
        return place.refuse("a URL, or an object with `url`");
    }
    let block = place.block("a database", DATABASE)?;
    let cadence = CadenceOverlay::check(&block);
    let slow = block.get("slow").and_then(|place| place.span(Duration::from_millis(1)));
    let Some(url_place) = block.get("url") else {
        return place.refuse_found("no `url`", ALLOWED_URLS);
    };
    Some(DatabaseOverlay {
        url: url(url_place, folder)?,
        slow,
        cadence,
        query: block.get("query").and_then(Place::text),
        expect: block.get("expect").and_then(Place::text_or_number),
        limits: measured::limits(&block),
        breaker: block.get("breaker").and_then(resilience::breaker).unwrap_or_default(),
    })
}

const ALLOWED_URLS: &str = "`mysql://user:password@host:port/name`, `mariadb://…`, \
     `postgres://…`, `redis://…` or `sqlite:///path`";

fn url(place: &Place<'_>, folder: &Path) -> Option<String> {
    let Value::Text(text) = &place.node.value else {
        return place.refuse(ALLOWED_URLS);
    };
    let text = text.trim();
    let refuse =
        |allowed: &str| place.refuse_found(format!("{:?}", without_password(text)), allowed);
    if text.chars().any(char::is_control) {
        return refuse("a URL without control characters");
    }
    let Some((scheme, rest)) = text.split_once(':') else { return refuse(ALLOWED_URLS) };
    match scheme.to_ascii_lowercase().as_str() {
        "redis" | "rediss" | "valkey" | "valkeys" if rest.starts_with("///") => {
            refuse("a host after `redis://`; for a unix socket `redis+unix:///path`")
        }
        "redis+unix" | "unix" => Some(format!("redis+unix:{rest}")),
        "mysql" | "mariadb" | "postgres" | "postgresql" | "redis" | "rediss" | "valkey"
        | "valkeys" => match rest.strip_prefix("//").map(server_mistake) {
            Some(None) => Some(format!("{}:{rest}", scheme.to_ascii_lowercase())),
            Some(Some(allowed)) => refuse(allowed),
            None => refuse(ALLOWED_URLS),
        },
        "sqlite" => match rest.strip_prefix("//").unwrap_or(rest) {
            "" | ":memory:" => refuse("the path of a file: `sqlite:///path` or `sqlite:path`"),
            path => Some(format!("sqlite://{}", absolute(folder, path).to_string_lossy())),
        },
        _ => refuse(ALLOWED_URLS),
    }
}

/// Says what should stand instead of `user:password@host:port/name?options`, if it is wrong.
fn server_mistake(rest: &str) -> Option<&'static str> {
    let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (path, options) = tail.split_once('?').unwrap_or((tail, ""));
    if path.contains(['@', '#']) || user.contains('@') || (user.is_empty() && tail.contains('@')) {
        return Some("`/`, `?`, `#` and `@` in a password written as %2F, %3F, %23 and %40");
    }
    let by_socket = host.is_empty() && (options.contains("socket=") || options.contains("host="));
    let host_is_right = by_socket || is_authority(host, false);
    (!host_is_right).then_some("a host, and a port from 1 to 65535, after `://`")
}

/// The URL without what may be a password, also where it is too broken to be sure.
fn without_password(text: &str) -> String {
    let masked = redact::text(&redact::url(text));
    if masked != text && !masked.contains('@') || masked == text && !text.contains('@') {
        return masked;
    }
    // From the first colon after the scheme to the last `@`, whatever stands between.
    let begin = text.find("://").map_or(0, |at| at + 3);
    let end = text.rfind('@').unwrap_or(begin).max(begin);
    let user = text[begin..end].split(':').next().unwrap_or_default();
    let colon = if user.len() == end - begin { "" } else { ":" };
    let mask = if colon.is_empty() { "" } else { redact::MASK };
    redact::text(&format!("{}{user}{colon}{mask}{}", &text[..begin], &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_spelling_of_a_url_shows_its_password() {
        for text in [
            "mysql://ana:s3cr3t@db/x",
            "mysql://ana:s3cr3t/@db/x",
            "mysql://ana:s3c#r3t@db/x",
            "postgres://ana:s3cr3t@db/x",
            "mysql:/ana:s3cr3t@db",
            "ana:s3cr3t@db",
            "mysql://ana:s3c@r3t@db/x",
            "mysql://ana:a@s3c/r3t@db/x",
        ] {
            let shown = without_password(text);
            assert!(!shown.contains("r3t") && !shown.contains("s3c"), "{text} -> {shown}");
            assert!(shown.contains("db"), "{shown}");
        }
        assert_eq!(without_password("mysql://ana@db/x"), "mysql://ana@db/x");
    }
}
