//! How quick a page of the dashboard is, as the browser itself measures it.

use std::time::Duration;

use serde_json::json;

use crate::browser::Browser;

/// What it takes until something is seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Paint {
    /// From the request to the first contentful paint.
    pub first: Duration,
    /// How many answers must come one after another before that: what they cost on a slow line does not depend
    /// on this host.
    pub trips: u64,
    /// Over the wire, headers included; without streams, which have no end.
    pub bytes: u64,
}

/// How evenly a page moves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Frames {
    /// A second.
    pub rate: f64,
    /// The longest time without one.
    pub longest: Duration,
    /// How many elements of the page were filled anew meanwhile.
    pub changes: u64,
}

/// A page with nothing on it, to compare with.
pub const EMPTY: &str = "data:text/html,nothing";

/// Opens a page as somebody who has never been there.
///
/// # Panics
/// It is not painted.
pub fn paint(browser: &mut Browser, url: &str) -> Paint {
    browser.open("data:text/html,before");
    browser.call("Network.clearBrowserCache", &json!({}));
    browser.open(url);
    browser.until(
        "the first paint",
        "performance.getEntriesByName('first-contentful-paint').length > 0",
    );
    let first = browser.eval("performance.getEntriesByName('first-contentful-paint')[0].startTime");
    let bytes = browser.eval(
        "performance.getEntriesByType('navigation').concat(performance.getEntriesByType('resource')) \
         .filter((it) => !it.name.includes('/live') && !it.name.includes('/logs/')) \
         .reduce((sum, it) => sum + it.transferSize, 0)",
    );
    // The page, the styles that it names, and what comes after them: scripts that are waited for, styles of styles.
    let trips = browser.eval(
        "(() => { const blocking = performance.getEntriesByType('resource').filter((it) => it.renderBlockingStatus === 'blocking'); \
         const turns = blocking.map((it) => it.initiatorType === 'link' ? 1 : 2); \
         return 1 + Math.max(0, ...turns); })()",
    );
    Paint {
        trips: trips.as_u64().unwrap_or(u64::MAX),
        first: Duration::from_secs_f64(first.as_f64().expect("it was painted") / 1e3),
        bytes: bytes.as_u64().unwrap_or(u64::MAX),
    }
}

/// Counts the frames of the page that is open, for that long.
pub fn frames(browser: &mut Browser, span: Duration) -> Frames {
    let counted = browser.eval(&format!(
        "new Promise((done) => {{ \
           let changes = 0; \
           const watch = new MutationObserver((all) => {{ changes += new Set(all.map((it) => it.target)).size; }}); \
           watch.observe(document.documentElement, {{ childList: true, subtree: true }}); \
           let begun, last, count = 0, longest = 0; \
           const frame = (now) => {{ \
             if (begun === undefined) begun = now; else {{ count += 1; longest = Math.max(longest, now - last); }} \
             last = now; \
             if (now - begun < {}) requestAnimationFrame(frame); \
             else {{ watch.disconnect(); done([count * 1000 / (now - begun), longest, changes]); }} \
           }}; \
           requestAnimationFrame(frame); \
         }})",
        span.as_millis()
    ));
    let number = |at: usize| counted[at].as_f64().unwrap_or_default();
    Frames {
        rate: number(0),
        longest: Duration::from_secs_f64(number(1) / 1e3),
        changes: counted[2].as_u64().unwrap_or_default(),
    }
}

/// Apps whose processor time and memory differ each time they are looked at.
pub fn lively(apps: usize) -> String {
    let app = |number| {
        format!(
            "{{ name: 'svc-{number}', script: '/bin/sh', args: ['-c', 'while sleep 1.$(({number} % 9)); do i=$((i + 1)); done'] }}"
        )
    };
    (0..apps).map(app).collect::<Vec<_>>().join(",")
}
