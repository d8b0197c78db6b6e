//! Thresholds of single file systems.

use super::*;
use crate::check::plans;
use crate::spec::{INODES, Limit};

fn settings(block: &str) -> Settings {
    let declared = declared(&format!(r#"{{"apps":[],"zelador":{{"checks":{block}}}}}"#));
    Settings::resolve(&[&declared.settings])
}

fn limit(measure: &str, degraded: f64, unhealthy: f64, margin: f64) -> Limit {
    let (degraded, unhealthy) = (Some(degraded), Some(unhealthy));
    Limit { measure: measure.into(), degraded, unhealthy, below: false, margin, auto: false }
}

#[test]
fn disks_and_inodes_take_thresholds_by_mount_and_what_is_not_said_is_as_of_all_others() {
    let said = settings(
        r#"{ "memory": false, "cpu": false,
             "disk": { "degraded": 70, "unhealthy": 85, "margin": 2, "mounts": {
               "/var/": { "degraded": "90", "unhealthy": 95, "margin": 1 }, "/": { "critical": 60 },
               "/data": { "degraded": "auto" }, "/mnt/cd": false } },
             "inodes": { "mounts": { "/var": { "degraded": 50 } } } }"#,
    );
    let expected = [
        limit("/var", 90.0, 95.0, 1.0),
        limit("/", 60.0, 60.0, 2.0),
        Limit { auto: true, ..limit("/data", 85.0, 85.0, 2.0) },
        Limit { degraded: None, unhealthy: None, ..limit("/mnt/cd", 0.0, 0.0, 2.0) },
    ];
    assert_eq!(said.mounts, expected);
    let plans = plans(&said);
    assert_eq!(plans[0].limits, expected, "the disk is judged by them");
    let inodes = [limit(INODES, 80.0, 90.0, 3.0), limit("/var", 50.0, 90.0, 3.0)];
    assert_eq!(plans[1].limits, inodes);
    // Who speaks of disks speaks of all of them; who does not leaves them as they are.
    let layer = |block: &str| {
        declared(&format!(r#"{{"apps":[],"zelador":{{"checks":{block}}}}}"#)).settings
    };
    let lower =
        layer(r#"{ "disk": { "degraded": 7, "unhealthy": 8, "mounts": { "/a": false } } }"#);
    let again = layer(r#"{ "disk": { "degraded": 7, "unhealthy": 8 } }"#);
    assert_eq!(Settings::resolve(&[&lower, &layer("{}")]).mounts.len(), 1);
    assert_eq!(Settings::resolve(&[&lower, &again]).mounts, []);
    let kept = serde_json::to_string(&lower).unwrap();
    assert_eq!(serde_json::from_str::<Overlay>(&kept).unwrap(), lower);
}

#[test]
fn what_is_wrong_with_a_mount_is_named() {
    let said = mistakes(
        r#"{"apps":[],"zelador":{"checks":{
             "memory": { "degraded": 7, "unhealthy": 8, "mounts": {} }, "swap": { "mounts": {} },
             "disk": { "degraded": 70, "unhealthy": 85, "mounts": {
               "var": { "degraded": 90, "unhealthy": 95 }, "/a/../b": false, "": false,
               "/c": { "degrade": 90 }, "/d": { "unhealthy": 101 }, "/e": { "degraded": 90 },
               "/f": 90, "/g": false, "/g/": false } },
             "inodes": { "mounts": { "/var": { "degraded": "auto" }, "srv": {} } } }}}"#,
    );
    insta::assert_snapshot!(said, @r#"
    ecosystem.config.js: zelador.checks.swap.mounts: found an unknown field, allowed: the fields of thresholds
    ecosystem.config.js: zelador.checks.inodes.mounts["/var"].degraded: found "auto", allowed: a share from 0 to 100
    ecosystem.config.js: zelador.checks.inodes.mounts.srv: found "srv", allowed: the absolute path at which a file system is mounted, like `/var`
    ecosystem.config.js: zelador.checks.memory.mounts: found an unknown field, allowed: the fields of thresholds
    ecosystem.config.js: zelador.checks.disk.mounts.var: found "var", allowed: the absolute path at which a file system is mounted, like `/var`
    ecosystem.config.js: zelador.checks.disk.mounts["/a/../b"]: found "/a/../b", allowed: the absolute path at which a file system is mounted, like `/var`
    ecosystem.config.js: zelador.checks.disk.mounts[""]: found "", allowed: the absolute path at which a file system is mounted, like `/var`
    ecosystem.config.js: zelador.checks.disk.mounts["/c"].degrade: found an unknown field, allowed: the fields of the thresholds of a mount; did you mean `degraded`?
    ecosystem.config.js: zelador.checks.disk.mounts["/d"].unhealthy: found 101, allowed: a share from 0 to 100
    ecosystem.config.js: zelador.checks.disk.mounts["/e"].degraded: found 90, allowed: at most `unhealthy`, 85
    ecosystem.config.js: zelador.checks.disk.mounts["/f"]: found 90, allowed: `{ degraded: 90, unhealthy: 95 }`, or false
    ecosystem.config.js: zelador.checks.disk.mounts["/g/"]: found `/g` a second time, allowed: each mount once
    "#);
    let said = mistakes(
        r#"{"apps":[],"zelador":{"checks":{
             "disk": { "degraded": 70, "unhealthy": 85, "mounts": ["/var"] } }}}"#,
    );
    insta::assert_snapshot!(said, @"ecosystem.config.js: zelador.checks.disk.mounts: found a list of 1, allowed: an object like `{ '/var': { degraded: 90, unhealthy: 95 } }`");
}
