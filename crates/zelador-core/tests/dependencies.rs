//! The core stays pure: it depends on nothing that has a clock, a socket or a runtime.

#![allow(clippy::disallowed_types, reason = "a test may ask cargo")]

use std::collections::BTreeSet;
use std::process::Command;

/// What the core may be built from, with what that is built from itself.
const ALLOWED: &str = include_str!("dependencies.txt");

#[test]
fn the_core_depends_on_the_allowed_crates_only() {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--package", "zelador-core", "--edges", "normal", "--prefix", "none"])
        .args(["--offline", "--locked", "--format", "{lib}"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs this test, so it can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    let found: BTreeSet<&str> = text.lines().map(str::trim).filter(|it| !it.is_empty()).collect();
    let allowed: BTreeSet<&str> = ALLOWED.lines().filter(|it| !it.starts_with('#')).collect();
    let extra: Vec<&&str> = found.difference(&allowed).collect();
    assert!(
        extra.is_empty(),
        "not on the list of crates/zelador-core/tests/dependencies.txt: {extra:?}"
    );
    assert!(found.contains("zelador_core"), "the list is read from the right tree: {found:?}");
}
