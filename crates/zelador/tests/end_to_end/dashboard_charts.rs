//! Charts and times as whoever looks sees them: one cursor for all charts, times in the viewer's zone.

use serde_json::json;
use zelador_testbed::browser::Browser;
use zelador_testbed::home::{free_port, until};

use crate::dashboard::{address, browser, sign_in};
use crate::zelador;

#[test]
fn the_cursor_of_one_chart_is_that_of_all() {
    let zelador = zelador();
    zelador.start("{ name: 'bee', script: 'sleep', args: '1000' }");
    until("numbers", || {
        let (_, body) = zelador.get("/health/chart?of=app:bee&metrics=memory,cpu,restarts&from=1");
        body.matches("\"at\":[1").count() >= 3
    });
    let mut browser = browser();
    browser.look_as("en", false, 1280, 1400);
    browser.open(&address(&zelador, "/health/app/bee"));
    browser.until("charts", "document.querySelectorAll('.chart canvas').length >= 3");
    let heads = "[...document.querySelectorAll('.chart')].filter((it) => it.querySelector('canvas')).map((it) => it.querySelector('h3 span').textContent)";
    let place = browser.eval("(() => { const it = document.querySelectorAll('.chart .u-over')[1].getBoundingClientRect(); return [it.right - 3, it.top + 20]; })()");
    let moved = json!({ "type": "mouseMoved", "x": place[0], "y": place[1] });
    browser.call("Input.dispatchMouseEvent", &moved);
    // Each says its value at the same moment.
    browser.until(
        "the moment on every chart",
        &format!("(() => {{ const all = {heads}.map((it) => it.split(' · ')[1]); return all.length >= 3 && all.every((it) => it && it === all[0]); }})()"),
    );
    let away = json!({ "type": "mouseMoved", "x": 1, "y": 1 });
    browser.call("Input.dispatchMouseEvent", &away);
    browser.until("no moment", &format!("{heads}.every((it) => !it.includes(' · '))"));
    assert_eq!(browser.wrongs(), Vec::<String>::new());
}

/// Moves the pointer over an element, away from its right edge, until what is to be shown there is; returns where that is.
fn point(browser: &mut Browser, of: &str, what: &str, shown: &str) -> (f64, f64) {
    let edge = browser.eval(&format!(
        "(() => {{ const it = document.querySelector('{of}').getBoundingClientRect(); return [it.right, it.top + it.height / 2]; }})()"
    ));
    let (right, y) = (edge[0].as_f64().expect(of), edge[1].as_f64().expect(of));
    let found = (1..80).map(|off| right - f64::from(off)).find(|x| {
        let moved = json!({ "type": "mouseMoved", "x": x, "y": y });
        browser.call("Input.dispatchMouseEvent", &moved);
        browser.eval(shown) == true
    });
    (found.expect(what), y)
}

#[test]
fn a_mark_on_a_chart_says_what_happened_and_leads_to_its_incident() {
    let zelador = zelador();
    zelador.write("bee.js", "setTimeout(() => process.exit(3), 200)");
    zelador.write(
        "ecosystem.config.js",
        "module.exports = { apps: [{ name: 'bee', script: 'bee.js', max_memory_restart: '300M', max_restarts: 2, half_open_after: '30m' }] }",
    );
    zelador.run(&["start", "ecosystem.config.js"]);
    until("it to give up", || zelador.status("bee") == "errored");
    until("numbers", || {
        let (_, body) = zelador.get("/health/chart?of=app:bee&metrics=restarts&from=1");
        body.contains("\"at\":[1") && body.contains("\"opened\"")
    });
    let mut browser = browser();
    browser.look_as("pt-BR", false, 1280, 1400);
    browser.open(&address(&zelador, "/health/app/bee"));
    browser.until("charts", "document.querySelectorAll('.chart canvas').length >= 1");
    // Who has just begun sees that, not an hour of nothing.
    browser.until(
        "a quarter of an hour",
        "document.querySelector('[data-range=\"900\"]').getAttribute('aria-pressed') === 'true'",
    );
    let head = "[...document.querySelectorAll('.chart')].find((it) => it.querySelector('canvas')).querySelector('h3 span').textContent";
    point(
        &mut browser,
        ".chart .u-over",
        "what happened",
        &format!(
            "{head}.includes('morreu: saiu com o código 3') || {head}.includes('incidente: ')"
        ),
    );
    let over = "[...document.querySelectorAll('.chart .u-over')].some((it) => it.style.cursor === 'pointer')";
    let (x, y) = point(&mut browser, ".chart .u-over", "a way to it", over);
    for kind in ["mousePressed", "mouseReleased"] {
        let click = json!({ "type": kind, "x": x, "y": y, "button": "left", "clickCount": 1 });
        browser.call("Input.dispatchMouseEvent", &click);
    }
    browser.until("its incident", "location.pathname === '/health/incident/1'");
    assert_eq!(browser.wrongs(), Vec::<String>::new());
}

#[test]
fn a_bar_of_days_tells_each_day_and_checks_have_one_too() {
    let zelador = zelador();
    let closed = free_port();
    zelador.write(
        "ecosystem.config.js",
        &format!(
            "module.exports = {{ zelador: {{ checks: {{ gate: {{ tcp: '127.0.0.1:{closed}', interval: '1s', failure_threshold: 1 }} }} }},
             apps: [{{ name: 'bee', script: 'sleep', args: '1000' }}] }}"
        ),
    );
    zelador.ok(&["start", "ecosystem.config.js"]);
    until("numbers of both", || {
        let (_, body) = zelador.get("/health/chart?of=app:bee,check:gate&metrics=up&from=1");
        body.matches("\"at\":[1").count() >= 2
    });
    let mut browser = browser();
    browser.look_as("pt-BR", false, 1280, 900);
    browser.open(&address(&zelador, "/health"));
    browser.until("a bar", "document.querySelector('#rows .days') !== null");
    let tip = "(document.querySelector('.tip:not([hidden])') || {}).textContent || ''";
    point(&mut browser, "#rows .days", "the day", &format!("({tip}).endsWith(': 100 % no ar')"));
    browser.open(&address(&zelador, "/health/checks"));
    browser.open(&address(&zelador, "/health/checks?q=gate"));
    let shown = "[...document.querySelectorAll('.checks tbody tr')].filter((it) => !it.hidden)";
    browser.until(
        "only what was searched for",
        &format!("{shown}.length === 1 && {shown}[0].textContent.includes('gate')"),
    );
    browser.eval("document.body.focus()");
    browser.key("/");
    browser.type_text("s at all");
    browser.until("nothing", &format!("{shown}.length === 0 && !document.querySelector('#sifted').hidden && location.search === '?q=gates+at+all'"));
    browser.key("Escape");
    browser.until("all", &format!("{shown}.length > 2 && location.search === ''"));
    let gate = ".checks [data-name=gate]";
    browser.until(
        "its line",
        &format!(
            "document.querySelector('{gate} .spark path')?.getAttribute('d')?.startsWith('M')"
        ),
    );
    point(
        &mut browser,
        &format!("{gate} .days"),
        "the day",
        &format!("({tip}).endsWith(': 0 % no ar')"),
    );
    assert_eq!(browser.wrongs(), Vec::<String>::new());
}

#[test]
fn times_are_those_of_the_viewers_zone() {
    let zelador = zelador();
    zelador.write("bee.js", "console.error('ERROR no honey'); process.exit(1)");
    // The app does not come up, and the command says so.
    zelador.write(
        "ecosystem.config.js",
        "module.exports = { apps: [{ name: 'bee', script: 'bee.js', max_restarts: 2, half_open_after: '30m' }] }",
    );
    zelador.run(&["start", "ecosystem.config.js"]);
    until("its evidence", || {
        zelador.incidents().first().is_some_and(|it| it["evidence"]["err_tail"][0].is_string())
    });
    until("the endpoints", || zelador.get("/healthz").0 != 0);
    let mut browser = browser();
    browser.look_as("pt-BR,pt;q=0.9", true, 390, 900);
    // Lines are for who has the token.
    sign_in(&mut browser, &zelador, "/health/app/bee");
    // Neither has summer time.
    for (zone, hours) in [("America/Sao_Paulo", -3), ("Asia/Kathmandu", 5)] {
        browser.call("Emulation.setTimezoneOverride", &json!({ "timezoneId": zone }));
        browser.open(&address(&zelador, "/health/app/bee"));
        let minutes = if hours > 0 { hours * 60 + 45 } else { hours * 60 };
        browser.until(
            zone,
            &format!(
                "(() => {{ const all = [...document.querySelectorAll('#runs time.at')]; \
                   const there = (it) => new Date(Date.parse(it.dateTime) + {minutes} * 60000).toISOString().slice(11, 19); \
                   return all.length >= 2 && all.every((it) => it.textContent.includes(there(it))); }})()"
            ),
        );
        browser.open(&address(&zelador, "/health/incident/1"));
        browser.until(
            "times of lines",
            &format!(
                "(() => {{ const there = (it) => new Date(Date.parse(it.dateTime) + {minutes} * 60000).toISOString().slice(11, 23); \
                   const lines = [...document.querySelectorAll('#evidence .line time')]; \
                   return lines.length >= 1 && lines.every((it) => it.textContent === there(it).replace('.', ',')); }})()"
            ),
        );
    }
    assert_eq!(browser.wrongs(), Vec::<String>::new());
}
