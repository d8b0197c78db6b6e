//! Charts and times as whoever looks sees them: one cursor for all charts, times in the viewer's zone.

use serde_json::json;
use zelador_testbed::home::until;

use crate::dashboard::{address, browser};
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
