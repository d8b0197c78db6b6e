//! Each file system that is written to, with thresholds of its own.

use std::fs;

use serde_json::Value;
use zelador_testbed::disk;
use zelador_testbed::home::{Zelador, until};

use crate::zelador;

/// How the disks are: their status with its reason, by a look that is made now.
fn disks(zelador: &Zelador) -> (String, String) {
    let body = zelador.get("/api/trpc/health.check").1;
    let body: Value = serde_json::from_str(&body).unwrap_or_default();
    let checks = body["result"]["data"]["checks"].as_array().cloned().unwrap_or_default();
    let found = checks.into_iter().find(|it| it["component"] == "disk").unwrap_or_default();
    let text = |name: &str| found[name].as_str().unwrap_or_default().to_owned();
    (text("status"), text("message"))
}

#[test]
fn a_file_system_is_judged_by_its_own_thresholds_and_told_with_its_own_values() {
    if let Err(why) = disk::own_mounts() {
        return println!("not run: {why}");
    }
    let zelador = zelador();
    let small = zelador.app().join("small");
    fs::create_dir(&small).unwrap();
    // 512 pages.
    if let Err(why) = disk::mount(&small, "size=2M,nr_inodes=100") {
        return println!("not run: {why}");
    }
    let page = 4096;
    let small = small.canonicalize().unwrap();
    let (filler, mount) = (small.join("filler"), small.display().to_string());
    fs::write(&filler, vec![1; 300 * page]).unwrap();
    zelador.write(
        "ecosystem.config.js",
        &format!(
            "module.exports = {{ zelador: {{ checks: {{ interval: '1h', failure_threshold: 1,
               success_threshold: 1, memory: false, cpu: false, inodes: true,
               disk: {{ degraded: 100, unhealthy: 100, margin: 0,
                 mounts: {{ '{mount}': {{ degraded: 50, unhealthy: 95, margin: 3 }} }} }} }} }},
             apps: [{{ name: 'a', script: 'sleep', args: '1000', out_file: 'small/a.log' }}] }}"
        ),
    );
    zelador.ok(&["start", "ecosystem.config.js"]);
    until("the small one to be degraded", || disks(&zelador).0 == "degraded");
    let why = disks(&zelador).1;
    assert!(why.contains(&format!(" % of {mount} in use, ")), "{why}");
    assert!(why.ends_with("; degraded from 50.0 % on"), "{why}");
    let told = zelador.get("/health.json").1;
    let told: Value = serde_json::from_str(&told).unwrap();
    let value = |name: &str| {
        let found = &told["checks"][name][0];
        (found["observedValue"].as_f64(), found["observedUnit"].as_str().unwrap_or_default())
    };
    let (share, unit) = value(&format!("disk:{mount}"));
    assert!(share.is_some_and(|it| (58.0..60.0).contains(&it)) && unit == "percent", "{told}");
    let (free, unit) = value(&format!("disk:{mount} free"));
    assert!(free.is_some_and(|it| (8e5..9e5).contains(&it)) && unit == "bytes", "{told}");
    for name in [format!("disk:{mount} inodes"), format!("inodes:{mount}")] {
        let (share, unit) = value(&name);
        assert!(share.is_some_and(|it| (2.0..6.0).contains(&it)) && unit == "percent", "{told}");
    }
    let others = told["checks"].as_object().unwrap().keys();
    assert!(others.filter(|name| name.starts_with("disk:/")).count() > 3, "{told}");
    fs::write(&filler, vec![1; 248 * page]).unwrap();
    let (status, why) = disks(&zelador);
    assert_eq!(status, "degraded", "below 50 %, not yet below 47: {why}");
    assert!(why.ends_with("; degraded from 50.0 % on, until below 47.0 %"), "{why}");
    assert!(why.starts_with("48."), "{why}");
    fs::write(&filler, vec![1; 200 * page]).unwrap();
    assert_eq!(disks(&zelador).0, "healthy");
}
