//! `notify`, `notification_fd`, `watchdog` and `sockets`.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::fields::SOCKET;
use super::limits::octal;
use super::node::Value;
use super::place::{Block, Place};
use crate::sd_notify::is_name;
use crate::spec::{Listen, Notify, SOCKET_MODE, SocketSpec};
use crate::unit::SECOND;
use crate::watch::absolute;

/// systemd: `DefaultTimeoutStartSec`. Such programs are used to it.
pub(super) const READY_WITHIN: Duration = Duration::from_secs(90);

/// A watchdog that bites more often costs more than it finds.
const LEAST_WATCHDOG: Duration = SECOND;

/// Sockets of an app at most.
const MOST_SOCKETS: usize = 16;

pub(super) fn notify(app: &Block<'_>, sockets: usize) -> Notify {
    let notify = app.get("notify");
    let ready = notify.and_then(|place| match &place.node.value {
        Value::Text(text) if text == "status" => None,
        Value::Bool(flag) => Some(*flag),
        _ => place.refuse("true, false, or `status`: told, and not waited for"),
    });
    let watchdog = app.get("watchdog").filter(|place| !place.is_false());
    let watchdog = watchdog.and_then(|place| place.span(LEAST_WATCHDOG));
    let first = 3 + sockets as i64;
    let descriptor = app.get("notification_fd").and_then(|place| place.whole(first..=255));
    Notify {
        socket: notify.is_some_and(|place| !place.is_false()) || watchdog.is_some(),
        ready: ready.unwrap_or_default(),
        descriptor: descriptor.map(|number| number as u32),
        watchdog,
    }
}

pub(super) fn sockets(app: &Block<'_>, cwd: &Path) -> Vec<SocketSpec> {
    let Some(place) = app.get("sockets") else { return Vec::new() };
    let items = match &place.node.value {
        Value::List(_) => place.items(),
        Value::Text(_) | Value::Number(_) | Value::Table(_) => vec![place.clone()],
        _ => {
            place.refuse::<()>("a list of sockets");
            Vec::new()
        }
    };
    if items.len() > MOST_SOCKETS {
        place.refuse::<()>(format!("at most {MOST_SOCKETS} sockets"));
    }
    let sockets: Vec<SocketSpec> = items.iter().filter_map(|place| socket(place, cwd)).collect();
    let mut names = BTreeSet::new();
    for socket in &sockets {
        if !names.insert(&socket.name) {
            place.refuse_found::<()>(
                format!("two sockets called {:?}", socket.name),
                "another `name` for each",
            );
        }
    }
    sockets
}

fn socket(place: &Place<'_>, cwd: &Path) -> Option<SocketSpec> {
    let Value::Table(_) = &place.node.value else {
        let text = place.text_or_number()?;
        let listen = match text.split_once(':') {
            Some(("unix", path)) => Some(Listen::Unix(absolute(cwd, path))),
            Some(("tcp", address)) => address_of(address).map(Listen::Tcp),
            Some(("udp", address)) => address_of(address).map(Listen::Udp),
            _ if text.contains('/') => Some(Listen::Unix(absolute(cwd, &text))),
            _ => address_of(&text).map(Listen::Tcp),
        };
        let listen = listen.or_else(|| refuse_address(place))?;
        return Some(SocketSpec { name: name_of(&listen), listen, mode: SOCKET_MODE });
    };
    let block = place.block("a socket", SOCKET)?;
    let address = |name: &str| -> Option<SocketAddr> {
        let place = block.get(name)?;
        address_of(&place.text_or_number()?).or_else(|| refuse_address(place))
    };
    let path = |place: &Place<'_>| -> Option<PathBuf> { Some(absolute(cwd, &place.text()?)) };
    let given: Vec<Option<Listen>> = [
        block.get("tcp").map(|_| address("tcp").map(Listen::Tcp)),
        block.get("udp").map(|_| address("udp").map(Listen::Udp)),
        block.get("unix").map(|place| path(place).map(Listen::Unix)),
    ]
    .into_iter()
    .flatten()
    .collect();
    let [listen] = <[Option<Listen>; 1]>::try_from(given)
        .ok()
        .or_else(|| place.refuse("one of `tcp`, `udp` and `unix`"))?;
    let listen = listen?;
    let name = match block.get("name") {
        None => name_of(&listen),
        Some(place) => {
            let name = place.text_or_number()?;
            if !is_name(&name) {
                return place.refuse("a name of printable ASCII without colons");
            }
            name
        }
    };
    let mode = block.get("mode").and_then(|place| match &place.node.value {
        Value::Text(text) => octal(text, 0o777).or_else(|| place.refuse(PERMISSIONS)),
        _ => place.refuse(PERMISSIONS),
    });
    Some(SocketSpec { name, listen, mode: mode.unwrap_or(SOCKET_MODE) })
}

const PERMISSIONS: &str = "permissions as octal text, like `0660`";

fn refuse_address<T>(place: &Place<'_>) -> Option<T> {
    place.refuse(
        "a port (on every address), `127.0.0.1:3000`, `[::1]:3000`, `udp:…`, or the path of a file",
    )
}

fn name_of(listen: &Listen) -> String {
    let name = match listen {
        Listen::Tcp(address) | Listen::Udp(address) => address.port().to_string(),
        Listen::Unix(path) => {
            path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
        }
    };
    if is_name(&name) { name } else { "socket".to_owned() }
}

/// A port alone means every address, both families where the host has them.
fn address_of(text: &str) -> Option<SocketAddr> {
    let text = text.trim();
    let any = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    if let Ok(port) = text.parse::<u16>() {
        return Some(SocketAddr::new(any, port)).filter(|address| address.port() > 0);
    }
    let named = match text.split_once(':') {
        Some(("localhost", port)) => Some((IpAddr::V4(Ipv4Addr::LOCALHOST), port)),
        Some(("" | "*", port)) => Some((any, port)),
        _ => None,
    };
    let address = match named {
        Some((address, port)) => port.parse().ok().map(|port| SocketAddr::new(address, port)),
        None => text.parse().ok(),
    };
    address.filter(|address| address.port() > 0)
}
