//! What a check asks: one kind (`http`, `tcp`, `command` …) with the fields that belong to it.
//!
//! The same for the health check and the probes of an app, and for the checks that have a name.

use std::collections::BTreeMap;
use std::path::Path;

use super::environment;
use super::health::is_authority;
use super::measured::{limits, own_limit};
use super::node::Value;
use super::place::{Block, Place};
use super::shell;
use crate::spec::{
    CommandProbe, Environment, FileProbe, HEALTHY_STATUS, HttpProbe, JsonCondition, Limit,
    Operator, ProbeTarget, TalkProbe,
};
use crate::unit::{ByteSize, SECOND};
use crate::watch::absolute;

/// Every kind, with the fields that mean something beside it.
pub(super) const KINDS: [(&str, &[&str]); 13] = [
    (
        "http",
        &[
            "status",
            "contains",
            "method",
            "headers",
            "body",
            "degraded_status",
            "lacks",
            "json",
            "degraded_json",
            "insecure",
        ],
    ),
    ("tcp", &["send", "expect"]),
    ("udp", &["send", "expect"]),
    ("socket", &["send", "expect"]),
    ("command", &[]),
    ("dns", &["expect"]),
    ("grpc", &["service"]),
    ("websocket", &["send", "expect"]),
    ("file", &["max_age", "min_size", "max_size", "absent"]),
    ("certificate", &["degraded", "unhealthy"]),
    ("log", &["path", "degraded", "unhealthy"]),
    ("heartbeat", &[]),
    ("process", &[]),
];

/// A certificate is renewed by ACME clients 30 days before its end: one that has 21 days left was
/// not, and 3 days leave a weekend.
const CERTIFICATE_DAYS: (f64, f64) = (21.0, 3.0);

/// From so many matching lines a minute on, if nothing else is said: any at all is worth a look.
const LOG_RATE: (f64, f64) = (1.0, 60.0);

/// What is known of the place where a check is declared.
pub(super) struct Around<'a> {
    /// The variables of the app, for its port.
    pub env: &'a Environment,
    /// Where relative paths begin, and commands run.
    pub folder: &'a Path,
    /// The user that commands run as.
    pub user: Option<&'a str>,
}

/// Returns what is asked, and the limits that come with it.
pub(super) fn target(block: &Block<'_>, around: &Around<'_>) -> Option<(ProbeTarget, Vec<Limit>)> {
    let mut given =
        KINDS.iter().filter_map(|(kind, fields)| Some((*kind, *fields, block.get(kind)?)));
    let Some((kind, fields, place)) = given.next() else {
        let kinds: Vec<String> = KINDS.iter().map(|(kind, _)| format!("`{kind}`")).collect();
        return block.place.refuse_found("nothing to ask", format!("one of {}", kinds.join(", ")));
    };
    if let Some((second, _, other)) = given.next() {
        return other.refuse(format!("either `{kind}` or `{second}`, not both"));
    }
    let mut refused = false;
    for field in KINDS.iter().flat_map(|(_, fields)| fields.iter()) {
        if !fields.contains(field)
            && let Some(place) = block.get(field)
        {
            let kinds: Vec<String> = KINDS
                .iter()
                .filter(|(_, fields)| fields.contains(field))
                .map(|(kind, _)| format!("`{kind}`"))
                .collect();
            if !refused || kinds.len() < 2 {
                place.refuse::<()>(format!("this field only beside {}", kinds.join(", ")));
            }
            refused = true;
        }
    }
    let target = match kind {
        "http" => ProbeTarget::Http(http(block, place, around.env)?),
        "tcp" => ProbeTarget::Tcp(talk(block, tcp_address(place)?)),
        "udp" => ProbeTarget::Udp(talk(block, tcp_address(place)?)),
        "socket" => {
            let path = absolute(around.folder, &place.text()?);
            ProbeTarget::Unix(talk(block, path.to_string_lossy().into_owned()))
        }
        "command" => {
            if let Value::Text(text) = &place.node.value
                && let Some(found) = shell::operator(text)
            {
                return place.refuse_found(
                    format!("`{found}`, which only a shell understands"),
                    "a program and its arguments; in quotes it is a plain character, and `['sh', '-c', '…']` asks a shell",
                );
            }
            let words = place.words()?;
            if words.is_empty() {
                return place.refuse("a program and its arguments");
            }
            let user = around.user.map(str::to_owned);
            ProbeTarget::Command(CommandProbe { words, cwd: around.folder.to_owned(), user })
        }
        "dns" => ProbeTarget::Dns {
            name: place.text()?,
            expect: block.get("expect").and_then(Place::words).unwrap_or_default(),
        },
        "grpc" => ProbeTarget::Grpc {
            address: tcp_address(place)?,
            service: text_of(block, "service").unwrap_or_default(),
        },
        "websocket" => ProbeTarget::WebSocket {
            url: url(place, &["ws", "wss"], around.env)?,
            send: text_of(block, "send"),
            expect: text_of(block, "expect"),
        },
        "file" => ProbeTarget::File(FileProbe {
            path: absolute(around.folder, &place.text()?),
            absent: block.get("absent").and_then(Place::flag).unwrap_or_default(),
            max_age: block.get("max_age").and_then(|place| place.span(SECOND)),
            min_size: block.get("min_size").and_then(Place::size).map(ByteSize::bytes),
            max_size: block.get("max_size").and_then(Place::size).map(ByteSize::bytes),
        }),
        "certificate" => ProbeTarget::Certificate { of: certificate(place, around.folder)? },
        "log" => ProbeTarget::Log {
            paths: text_of(block, "path")
                .map(|path| absolute(around.folder, &path))
                .into_iter()
                .collect(),
            pattern: pattern(place)?,
        },
        "heartbeat" => ProbeTarget::Heartbeat { every: place.span(SECOND)? },
        _ if place.flag()? => ProbeTarget::Process,
        _ => return place.refuse("true"),
    };
    let mut limits = limits(block);
    match kind {
        "certificate" => limits.push(own_limit(block, "left", true, CERTIFICATE_DAYS)),
        "log" => limits.push(own_limit(block, "rate", false, LOG_RATE)),
        _ => {}
    }
    Some((target, limits))
}

fn text_of(block: &Block<'_>, name: &str) -> Option<String> {
    block.get(name).and_then(Place::text)
}

fn talk(block: &Block<'_>, address: String) -> TalkProbe {
    TalkProbe { address, send: text_of(block, "send"), expect: text_of(block, "expect") }
}

fn http(block: &Block<'_>, place: &Place<'_>, env: &Environment) -> Option<HttpProbe> {
    let ranges = |name: &str| block.get(name).map(statuses);
    let mut status = match ranges("status") {
        Some(ranges) => ranges?,
        None => vec![HEALTHY_STATUS],
    };
    let degraded_status = match ranges("degraded_status") {
        Some(ranges) => ranges?,
        None => Vec::new(),
    };
    let json = |name: &str| block.get(name).map_or(Some(Vec::new()), conditions);
    let method = match block.get("method") {
        Some(place) => {
            let method = place.text()?.to_ascii_uppercase();
            if !method.chars().all(|c| c.is_ascii_alphabetic()) {
                return place.refuse("a method like GET, HEAD or POST");
            }
            method
        }
        None => "GET".to_owned(),
    };
    let headers = match block.get("headers") {
        Some(place) => headers(place)?,
        None => BTreeMap::new(),
    };
    let first = status.remove(0);
    Some(HttpProbe {
        url: url(place, &["http", "https"], env)?,
        method,
        headers,
        body: text_of(block, "body"),
        status: first,
        more_status: status,
        degraded_status,
        contains: text_of(block, "contains"),
        lacks: text_of(block, "lacks"),
        json: json("json")?,
        degraded_json: json("degraded_json")?,
        insecure: block.get("insecure").and_then(Place::flag).unwrap_or_default(),
    })
}

fn headers(place: &Place<'_>) -> Option<BTreeMap<String, String>> {
    let Some(entries) = place.entries() else {
        return place.refuse("an object like `{ Accept: 'application/json' }`");
    };
    let mut headers = BTreeMap::new();
    for (key, place) in entries {
        let token = |c: char| c.is_ascii_alphanumeric() || "-_.!#$%&'*+^`|~".contains(c);
        if key.name.is_empty() || !key.name.chars().all(token) {
            return place.refuse_found("this name", "the name of a header");
        }
        let value = place.text_or_number()?;
        if value.chars().any(char::is_control) {
            return place.refuse_found("control characters", "one line of text");
        }
        headers.insert(key.name.to_ascii_lowercase(), value);
    }
    Some(headers)
}

/// `{ status: 'ok', 'queue.depth': '< 100' }`.
fn conditions(place: &Place<'_>) -> Option<Vec<JsonCondition>> {
    let Some(entries) = place.entries() else {
        return place.refuse("an object like `{ status: 'ok', 'queue.depth': '< 100' }`");
    };
    let mut conditions = Vec::new();
    for (key, place) in entries {
        let text = match &place.node.value {
            Value::Bool(flag) => flag.to_string(),
            _ => place.text_or_number()?,
        };
        let text = text.trim();
        let written = Operator::WRITTEN.iter().find(|(written, _)| text.starts_with(written));
        let (operator, value) = match written {
            Some((written, operator)) => (*operator, text[written.len()..].trim()),
            None => (Operator::Equal, text),
        };
        let equal = matches!(operator, Operator::Equal | Operator::NotEqual);
        if !equal && value.parse::<f64>().is_err() {
            return place.refuse("a number after `<`, `<=`, `>` or `>=`");
        }
        let (path, value) = (key.name.clone(), value.to_owned());
        conditions.push(JsonCondition { path, operator, value });
    }
    Some(conditions)
}

/// A whole URL, or a path beside `port`.
fn url(place: &Place<'_>, schemes: &[&str], env: &Environment) -> Option<String> {
    let plain = schemes[0];
    let allowed = format!(
        "a URL like `{plain}://127.0.0.1:3000/health`, or a path like `/health` with `port`"
    );
    let text = place.text()?;
    let url = if text.starts_with('/') {
        let Some(port) = environment::port(env) else {
            return place.refuse_with_help(
                "a path only beside `port` or `env.PORT`",
                "set `port`, or write the whole URL",
            );
        };
        format!("{plain}://127.0.0.1:{port}{text}")
    } else {
        text
    };
    let Some((scheme, rest)) = url.split_once("://") else { return place.refuse(allowed) };
    let scheme = scheme.to_ascii_lowercase();
    let printable = url.chars().all(|c| c.is_ascii_graphic());
    if !schemes.contains(&scheme.as_str()) || !printable || url.contains('#') {
        return place.refuse(allowed);
    }
    let authority_end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(authority_end);
    if authority.contains('@') {
        return place.refuse_with_help(
            "a URL without user and password",
            "give them in `headers: { Authorization: 'Basic …' }`",
        );
    }
    if !is_authority(authority, false) {
        return place.refuse(allowed);
    }
    let slash = if path.starts_with('/') { "" } else { "/" };
    Some(format!("{scheme}://{authority}{slash}{path}"))
}

fn tcp_address(place: &Place<'_>) -> Option<String> {
    let text = place.text_or_number()?;
    let text = text.trim();
    let address = match text.strip_prefix(':').unwrap_or(text) {
        port if port.chars().all(|c| c.is_ascii_digit()) => format!("127.0.0.1:{port}"),
        _ => text.to_owned(),
    };
    if !is_authority(&address, true) {
        return place.refuse("`host:port`, or a port");
    }
    Some(address)
}

fn certificate(place: &Place<'_>, folder: &Path) -> Option<String> {
    let text = place.text()?;
    let text = text.trim().trim_start_matches("https://").trim_end_matches('/');
    if text.starts_with(['/', '.']) {
        return Some(absolute(folder, text).to_string_lossy().into_owned());
    }
    let with_port = if is_authority(text, true) { text.to_owned() } else { format!("{text}:443") };
    if !is_authority(&with_port, true) {
        return place.refuse("`host`, `host:port`, or the path of a PEM file");
    }
    Some(with_port)
}

fn pattern(place: &Place<'_>) -> Option<String> {
    let text = place.text()?;
    match regex_lite::Regex::new(&text) {
        Ok(_) => Some(text),
        Err(error) => place.refuse(format!("a regular expression ({error})")),
    }
}

/// One status, `200-399`, or several of them in a list or with commas between.
fn statuses(place: &Place<'_>) -> Option<Vec<(u16, u16)>> {
    const ALLOWED: &str = "a status from 100 to 599, or a range like `200-399`";
    let one = |text: &str| -> Option<(u16, u16)> {
        let (low, high) = text.split_once('-').unwrap_or((text, text));
        let (low, high) = (low.trim().parse().ok()?, high.trim().parse().ok()?);
        (100 <= low && low <= high && high <= 599).then_some((low, high))
    };
    let texts = match &place.node.value {
        Value::List(_) => place.words()?,
        Value::Text(text) => text.split(',').map(str::to_owned).collect(),
        Value::Number(number) if number.fract() == 0.0 => vec![number.to_string()],
        _ => return place.refuse(ALLOWED),
    };
    let ranges: Option<Vec<_>> = texts.iter().map(|text| one(text.trim())).collect();
    match ranges {
        Some(ranges) if !ranges.is_empty() => Some(ranges),
        _ => place.refuse(ALLOWED),
    }
}
