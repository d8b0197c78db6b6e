//! Folders that are served as they are: `static` in a file, `serve` on the command line.
//!
//! Each becomes an app with `script: 'serve'`, so that it is checked and kept like any other; what it
//! serves stands in its environment, under PM2's names.

use super::names::Names;
use super::node::{Key, Node, Value};
use super::place::Place;

/// PM2's port.
const PORT: i64 = 8080;

/// The fields of a served folder.
const SITE: &[Names] = &[
    ("path", &[]),
    ("port", &[]),
    ("name", &[]),
    ("namespace", &[]),
    ("host", &[]),
    ("spa", &[]),
    ("homepage", &[]),
    ("ftp", &[]),
    ("basic_auth", &[]),
    ("basic_auth_username", &[]),
    ("basic_auth_password", &[]),
    ("watch", &[]),
    ("monitor", &[]),
];

/// Fields that the server reads from a variable.
const VARIABLES: [(&str, &str); 6] = [
    ("host", "PM2_SERVE_HOST"),
    ("spa", "PM2_SERVE_SPA"),
    ("homepage", "PM2_SERVE_HOMEPAGE"),
    ("ftp", "PM2_SERVE_FTP"),
    ("basic_auth_username", "PM2_SERVE_BASIC_AUTH_USERNAME"),
    ("basic_auth_password", "PM2_SERVE_BASIC_AUTH_PASSWORD"),
];

/// Returns the apps that serve the folders of a list, as fields, and where each of them stands.
pub(super) fn apps(place: &Place<'_>) -> Vec<(String, Node)> {
    let places = match &place.node.value {
        Value::List(_) => place.items(),
        Value::Table(_) => vec![place.clone()],
        _ => {
            return place
                .refuse("a list of folders: `[{ path: 'public', port: 8080 }]`")
                .unwrap_or_default();
        }
    };
    places.iter().filter_map(|place| Some((place.field.clone(), app(place)?))).collect()
}

fn app(place: &Place<'_>) -> Option<Node> {
    let block = place.block("a served folder", SITE)?;
    let text = |name: &str| block.get(name).and_then(Place::text_or_number);
    let port = block.get("port").map_or(Some(PORT), |place| place.whole(1..=65_535));
    let port = port.unwrap_or(PORT);
    for flag in ["spa", "ftp", "monitor", "basic_auth"] {
        block.get(flag).and_then(Place::flag);
    }
    let mut env = vec![
        variable("PM2_SERVE_PATH", text("path").unwrap_or_else(|| ".".to_owned())),
        variable("PM2_SERVE_PORT", port.to_string()),
    ];
    for (field, name) in VARIABLES {
        let value = block.get(field).map(|place| match &place.node.value {
            Value::Bool(flag) => Some(flag.to_string()),
            _ => place.text_or_number(),
        });
        env.extend(value.flatten().map(|value| variable(name, value)));
    }
    let name = text("name").unwrap_or_else(|| default_name(port));
    let mut fields = vec![
        field("script", Value::from("serve")),
        field("name", Value::from(name)),
        field("env", Value::Table(env)),
    ];
    fields.extend(text("namespace").map(|name| field("namespace", Value::from(name))));
    fields.extend(block.get("watch").map(|place| (Key::new("watch"), place.node.clone())));
    Some(Node { value: Value::Table(fields), position: place.node.position })
}

/// The name of an app that serves a folder on a port: PM2's.
pub fn default_name(port: i64) -> String {
    format!("static-page-server-{port}")
}

fn field(name: &str, value: Value) -> (Key, Node) {
    (Key::new(name), Node::from(value))
}

fn variable(name: &str, value: String) -> (Key, Node) {
    field(name, Value::from(value))
}
