//! Files as people have them, with everything that happens to them.

use std::collections::BTreeMap;

use super::{Translated, procfile, supervisord, systemd};

fn shown(done: &Translated) -> String {
    let left: Vec<String> =
        done.left.iter().map(|it| format!("{}: {}: {}\n", it.line, it.what, it.why)).collect();
    format!("{}---\n{}", done.to_ecosystem(), left.concat())
}

/// Every app must be one that the checker takes.
fn checked(done: &Translated) {
    for app in &done.apps {
        let env = BTreeMap::new();
        let fields = app.to_json();
        let folder = std::path::Path::new("/srv");
        if let Err(error) = crate::declare::imported("test", &fields, folder, env) {
            panic!("{fields}: {error}");
        }
    }
}

#[test]
fn a_configuration_of_supervisord() {
    let env = BTreeMap::from([("REGION".to_owned(), "eu".to_owned())]);
    let done =
        supervisord::translate(include_str!("tests/supervisord.conf"), "/etc/supervisor", &env);
    checked(&done);
    insta::assert_snapshot!(shown(&done));
}

#[test]
fn units_of_systemd() {
    for (name, text) in [
        ("api", include_str!("tests/api.service")),
        ("worker", include_str!("tests/worker.service")),
    ] {
        let done = systemd::translate(text, name);
        checked(&done);
        insta::assert_snapshot!(format!("systemd_{name}"), shown(&done));
    }
    let nothing = systemd::translate("[Unit]\nDescription=x\n", "empty");
    assert!(nothing.apps.is_empty() && nothing.left[0].why == "it has no ExecStart");
}

#[test]
fn a_procfile() {
    let done = procfile::translate(include_str!("tests/Procfile"), "/srv/shop", true);
    checked(&done);
    insta::assert_snapshot!(shown(&done));
}
