//! The overview of many apps in a browser: until it is there, and while it changes.

use std::time::Duration;

use zelador_testbed::browser::Browser;
use zelador_testbed::home::{Zelador, until};
use zelador_testbed::pace::{EMPTY, Frames, frames, lively, paint};

/// How often a page is opened.
const OPENED: usize = 9;

/// How long frames are counted: ten updates of the page.
const COUNTED: Duration = Duration::from_secs(20);

/// Prints first paint, bytes and frames.
pub fn measure(binary: &str, apps: usize) {
    let Some(mut browser) = Browser::start() else {
        println!("no Chromium here: neither paint nor frames are measured");
        return;
    };
    browser.look_as("en", false, 1280, 900);
    let zelador = super::started(binary, apps);
    let address = |path: &str| format!("http://127.0.0.1:{}{path}", zelador.port());
    for (path, url) in [
        ("nothing", EMPTY.to_owned()),
        ("/health", address("/health")),
        ("/health/app/s7", address("/health/app/s7")),
    ] {
        let mut all: Vec<_> = (0..OPENED).map(|_| paint(&mut browser, &url)).collect();
        all.sort_by_key(|it| it.first);
        println!(
            "{path} of {apps} apps: first paint {:.0} ms (best), {:.0} ms (median), {:.1} kB over the wire",
            all[0].first.as_secs_f64() * 1e3,
            all[OPENED / 2].first.as_secs_f64() * 1e3,
            all[0].bytes as f64 / 1e3
        );
    }
    zelador.ok(&["kill"]);
    let zelador = Zelador::new(binary);
    zelador.start(&lively(apps));
    until("the endpoints", || zelador.get("/healthz").0 != 0);
    let address = |path: &str| format!("http://127.0.0.1:{}{path}", zelador.port());
    let show = |what: &str, it: Frames| {
        println!(
            "{what}: {:.1} frames a second, the longest {:.0} ms, {} changes",
            it.rate,
            it.longest.as_secs_f64() * 1e3,
            it.changes
        );
    };
    browser.open(EMPTY);
    show("an empty page", frames(&mut browser, COUNTED));
    browser.open(&address("/health"));
    browser.until("to be live", "document.querySelector('#link').classList.contains('on')");
    show(&format!("{apps} apps updating"), frames(&mut browser, COUNTED));
    zelador.ok(&["kill"]);
}
