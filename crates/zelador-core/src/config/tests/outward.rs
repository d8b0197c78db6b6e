//! The ping outward, and the host's pressure.

use super::*;
use crate::check::{Status, judge, plans};
use crate::probe::{Finding, Measure, ProbeOutcome, Unit};
use crate::spec::{HostMeter, NamedTarget, PulseAddress, PulseSpec, Scarce};
use crate::unit::Moment;

fn settings(block: &str) -> Settings {
    let declared = declared(&format!(r#"{{"apps":[],"zelador":{block}}}"#));
    Settings::resolve(&[&declared.settings])
}

fn wrong(block: &str) -> String {
    mistakes(&format!(r#"{{"apps":[],"zelador":{block}}}"#)).to_string()
}

#[test]
fn a_heartbeat_is_an_address_or_an_object_and_can_be_switched_off() {
    let plain = settings(r#"{ "heartbeat": "https://hc-ping.com/x" }"#).heartbeat;
    let url = |url: &str| PulseAddress::Url(url.to_owned());
    let expected = PulseSpec {
        to: url("https://hc-ping.com/x"),
        interval: 60 * SECOND,
        timeout: 10 * SECOND,
        fail: false,
    };
    assert_eq!(plain, Some(expected));
    let said =
        r#"{ "heartbeat": { "urlFile": "ping", "every": "5m", "timeout": 2000, "fail": true } }"#;
    let said = settings(said).heartbeat.expect("it is said");
    assert_eq!((said.interval, said.timeout, said.fail), (300 * SECOND, 2 * SECOND, true));
    assert!(matches!(said.to, PulseAddress::Secret(_)));
    assert_eq!(settings(r#"{ "heartbeat": false }"#).heartbeat, None);
    let said = [
        wrong(r#"{ "heartbeat": 5 }"#),
        wrong(r#"{ "heartbeat": "ftp://s3cr3t" }"#),
        wrong(r#"{ "heartbeat": { "interval": "1s" } }"#),
        wrong(r#"{ "heartbeat": { "url": "https://h/s3cr3t", "url_env": "X" } }"#),
        wrong(r#"{ "heartbeat": { "url": "https://h/s3cr3t", "interval": 10 } }"#),
    ];
    let said = said.join("\n");
    assert!(!said.contains("s3cr3t"), "{said}");
    insta::assert_snapshot!(said, @r#"
    ecosystem.config.js: zelador.heartbeat: found 5, allowed: an address like `https://hc-ping.com/…`, an object with `url`, or false
    ecosystem.config.js: zelador.heartbeat: found something else, allowed: an address like `https://hc-ping.com/…`
    ecosystem.config.js: zelador.heartbeat: found no `url`, allowed: an address like `https://hc-ping.com/…`, an object with `url`, or false
    ecosystem.config.js: zelador.heartbeat.url: found both, allowed: `url`, `url_env` or `url_file`
    ecosystem.config.js: zelador.heartbeat.interval: found 10, allowed: milliseconds, or text like `10s`, `5m`, `1h`, at least 1 s
    "#);
}

#[test]
fn pressure_is_judged_by_the_measures_that_are_named() {
    let all = settings(r#"{ "checks": { "pressure": true } }"#);
    let names: Vec<&str> = all.named.keys().map(String::as_str).collect();
    assert_eq!(names, ["pressure cpu", "pressure io", "pressure memory"]);
    let some = settings(
        r#"{ "checks": { "cpu": false, "memory": false, "disk": false,
             "pressure": { "memory": { "some_avg10": { "degraded": 15 } }, "io": false } } }"#,
    );
    assert_eq!(some.named.len(), 1, "io is off, and nothing is said of cpu");
    let memory = &some.named["pressure memory"];
    assert_eq!(memory.target, NamedTarget::Host(HostMeter::Pressure(Scarce::Memory)));
    let plan = plans(&some).remove(0);
    let judged = |some: f64, full: f64| {
        let measures = vec![
            Measure::new("some avg10", some, Unit::Percent),
            Measure::new("full avg10", full, Unit::Percent),
        ];
        let finding = Finding::Measured { detail: crate::words::quoted("pressure"), measures };
        judge(&plan, None, &ProbeOutcome { finding, took: Duration::ZERO }, Moment::default())
    };
    assert_eq!(judged(14.9, 99.0).status, Status::Healthy, "`full` is not named");
    let degraded = judged(15.0, 0.0);
    assert_eq!(degraded.status, Status::Degraded);
    assert_eq!(degraded.message, "pressure; waiting in 10 s is 15.0 %; degraded from 15.0 % on");
    assert_eq!(judged(50.0, 0.0).status, Status::Unhealthy);
    insta::assert_snapshot!(
        wrong(r#"{ "checks": { "pressure": { "disk": true, "io": 5 } } }"#), @r#"
    ecosystem.config.js: zelador.checks.pressure.disk: found an unknown field, allowed: the fields of pressure
    ecosystem.config.js: zelador.checks.pressure.io: found 5, allowed: true, false, or `{ some_avg10: { degraded: 20, unhealthy: 50 } }`
    "#);
}

#[test]
fn a_window_holds_every_threshold_and_what_is_said_wins_over_what_is_inherited() {
    let cadence = |block: &str| settings(block).cadence;
    let of = |it: Cadence| (it.failure_threshold, it.success_threshold, it.within);
    // Three failures are inherited, and two looks can never hold them.
    assert_eq!(of(cadence(r#"{ "checks": { "within": 2 } }"#)), (2, 2, Some(2)));
    let said = r#"{ "checks": { "within": 8, "failure_threshold": 5 } }"#;
    assert_eq!(of(cadence(said)), (5, 2, Some(8)));
    // One check wants more of them than the window that it inherits has.
    let said = r#"{ "checks": { "within": 2, "api": { "tcp": 80, "failure_threshold": 4 } } }"#;
    let named = settings(said).named.into_values().next().expect("it is declared");
    assert_eq!(of(named.cadence), (4, 2, Some(4)));
    let said = wrong(r#"{ "checks": { "within": 3, "failure_threshold": 4 } }"#);
    insta::assert_snapshot!(said, @"ecosystem.config.js: zelador.checks.failure_threshold: found 4, allowed: at most 3, as many results as `within` looks at");
}
