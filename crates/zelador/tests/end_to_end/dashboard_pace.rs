//! The dashboard of a hundred apps: how large it is, and how it moves.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use zelador_testbed::home::until;
use zelador_testbed::pace::{EMPTY, frames, lively, paint};

use crate::dashboard::{address, browser};
use crate::zelador;

/// The most that a page may be over the wire, in bytes.
const LARGEST: u64 = 150_000;

/// The most that engine and guardian may use with a hundred apps, in KiB (PSS).
const MOST_MEMORY: u64 = 40 << 10;

/// How much of the frames of an empty page, in the same browser, the overview must keep; the figures are
/// in `docs/benchmarks.md`, this is what a busy host and an unoptimised build leave of them.
const KEPT: f64 = 0.6;

/// How long frames are counted: some updates of the page.
const COUNTED: Duration = Duration::from_secs(8);

#[test]
fn a_hundred_apps_are_small_over_the_wire_and_in_memory_and_programs_get_data() {
    let zelador = zelador();
    let apps: Vec<String> = (0..100)
        .map(|at| format!("{{ name: 'svc-{at}', script: 'sleep', args: '1000' }}"))
        .collect();
    zelador.start(&apps.join(","));
    // 503 when this host is busy: they answer all the same.
    until("the endpoints", || zelador.get("/healthz").0 != 0);
    let mut browser = browser();
    for page in ["/health", "/health/app/svc-7"] {
        let it = paint(&mut browser, &address(&zelador, page));
        assert!(it.bytes > 5_000 && it.bytes < LARGEST, "{page}: {} bytes", it.bytes);
        assert_eq!(it.trips, 1, "{page}: nothing is waited for before it is seen");
    }
    browser.open(&address(&zelador, "/health"));
    browser.until("all of them", "document.querySelectorAll('#rows tr').length === 100");
    let used = zelador.own_memory();
    assert!(used < MOST_MEMORY, "{used} KiB, while somebody looks");
    browser.until("how many", "document.querySelector('#shown').textContent === '100 instances'");
    assert_eq!(browser.wrongs(), Vec::<String>::new());
    let ask = |accept: &str| {
        let mut command = Command::new("curl");
        command.args(["-s", "-H", &format!("Accept: {accept}"), &address(&zelador, "/health")]);
        serde_json::from_slice::<Value>(&command.output().unwrap().stdout).unwrap()
    };
    assert!(ask("application/json")["overall"].is_string());
    let standard = ask("application/health+json");
    assert!(
        [json!("pass"), json!("warn"), json!("fail")].contains(&standard["status"]),
        "{standard}"
    );
    assert!(standard["checks"]["memory:responseTime"][0]["observedUnit"] == "ms");
    // The share that a verdict rests on, and what it is of.
    let value = |key: &str| standard["checks"][key][0]["observedValue"].as_f64().expect(key);
    let share = value("memory:used") * 100.0 / value("memory:total");
    assert!((share - value("memory:share")).abs() < 0.001, "{standard}");
}

#[test]
fn a_hundred_apps_that_change_do_not_halt_the_page() {
    let zelador = zelador();
    zelador.start(&lively(100));
    until("the endpoints", || zelador.get("/healthz").0 != 0);
    let mut browser = browser();
    browser.open(EMPTY);
    let before = frames(&mut browser, COUNTED);
    browser.open(&address(&zelador, "/health"));
    browser.until("all of them", "document.querySelectorAll('#rows tr').length === 100");
    browser.until("to be live", "document.querySelector('#link').classList.contains('on')");
    let busy = frames(&mut browser, COUNTED);
    browser.open(EMPTY);
    let after = frames(&mut browser, COUNTED);
    // Others use this machine too: the emptier of the two is the worse witness.
    let empty = before.rate.min(after.rate);
    assert!(busy.changes > 100, "most of them changed: {busy:?}");
    assert!(busy.rate > empty * KEPT, "{busy:?}, an empty page: {before:?} and {after:?}");
    assert_eq!(browser.wrongs(), Vec::<String>::new());
}
