//! An incident that a person opens and closes in the browser, and the settings that deviate.

use std::path::PathBuf;

use zelador_testbed::browser::Browser;
use zelador_testbed::home::{Zelador, until};

use crate::dashboard::{address, audit, browser, press, sign_in};
use crate::dashboard_states::answer;
use crate::zelador;

const SAID: &str = "document.querySelector('#said').textContent";

fn open_question(browser: &mut Browser) {
    browser.eval("document.querySelector('[data-verb=report]').focus()");
    browser.key("Enter");
    browser.until("the question", "document.querySelector('#ask').open");
    browser.until("the field", "document.activeElement.id === 'ask-text'");
}

/// Writes a picture where that is asked for.
fn picture(browser: &mut Browser, name: &str) {
    if let Some(folder) = std::env::var_os("ZELADOR_PICTURES").map(PathBuf::from) {
        browser.picture(&folder.join(format!("{name}.png")));
    }
}

/// Holds a page to what every page is held to.
fn hold(browser: &mut Browser, what: &str) {
    assert_eq!(audit(browser), Vec::<String>::new(), "{what}");
    let wide = browser.eval("document.documentElement.scrollWidth - innerWidth");
    assert!(wide.as_i64().unwrap_or(99) <= 0, "{what}: {wide} too wide");
    picture(browser, what);
}

fn reported(zelador: &Zelador) -> usize {
    zelador.incidents().iter().filter(|it| it["trouble"] == "reported").count()
}

#[test]
fn a_problem_is_reported_looked_into_and_closed_in_the_browser() {
    let zelador = zelador();
    zelador.start("{ name: 'loja', script: 'sleep', args: '1000' }");
    until("the endpoints", || zelador.get("/healthz").0 != 0);
    let mut browser = browser();
    browser.look_as("en", false, 1280, 900);
    browser.open(&address(&zelador, "/health/app/loja"));
    assert_eq!(
        browser.eval("document.querySelector('[data-verb=report]').disabled"),
        true,
        "who has not signed in cannot"
    );
    let act = "fetch('/health/act', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ verb: 'report', of: 'loja', what: 'x' }) }).then((it) => it.status)";
    assert_eq!(browser.eval(act), 401);
    sign_in(&mut browser, &zelador, "/health/app/loja");
    open_question(&mut browser);
    browser.key("Enter");
    assert_eq!(browser.eval("document.querySelector('#ask').open"), true, "it needs words");
    browser.type_text("answers are slow");
    hold(&mut browser, "reported-question-en-1280");
    browser.key("Escape");
    browser.until("no question", "!document.querySelector('#ask').open");
    assert_eq!(reported(&zelador), 0, "nothing was confirmed");
    open_question(&mut browser);
    assert_eq!(browser.eval("document.querySelector('#ask-text').value"), "", "begun anew");
    browser.type_text("answers are slow");
    browser.key("Enter");
    browser.until("an answer", &format!("{SAID}.includes('Noted')"));
    assert_eq!(reported(&zelador), 1);
    browser.until(
        "it to be listed",
        "document.querySelector('#incidents a[href=\"/health/incident/1\"]') !== null",
    );
    for (language, dark, width) in [("pt-BR,pt;q=0.9", true, 390), ("en-US,en", false, 1280)] {
        browser.look_as(language, dark, width, 900);
        browser.open(&address(&zelador, "/health/incident/1"));
        browser.until("its orders", "document.querySelector('[data-verb=close]') !== null");
        let story = browser.eval("document.querySelector('#story').innerText").to_string();
        let says = if width == 390 { "diz: answers are slow" } else { "says: answers are slow" };
        assert!(story.contains(says), "{story}");
        let waits = if width == 390 { "Aguarda a palavra" } else { "waits for a person" };
        browser.until(
            waits,
            &format!("document.querySelector('#top .answer').textContent.includes('{waits}')"),
        );
        hold(&mut browser, &format!("reported-incident-{}-{width}", &language[..2]));
    }
    press(&mut browser, "close");
    browser.until("its end", "!document.querySelector('[data-verb=close]')");
    let top = browser.eval("document.querySelector('#top').innerText").to_string();
    assert!(top.contains("over"), "{top}");
    let last = zelador.incidents().remove(0);
    assert!(!last["closed_at"].is_null(), "{last}");
    // Another question has no such field, and needs no words.
    browser.open(&address(&zelador, "/health/app/loja"));
    press(&mut browser, "restart");
    browser.open(&address(&zelador, "/health/audit"));
    for verb in ["incident open", "incident close"] {
        browser.until(verb, &format!("[...document.querySelectorAll('td code')].some((it) => it.textContent === '{verb}')"));
    }
    assert_eq!(browser.wrongs(), Vec::<String>::new());
}

#[test]
fn settings_show_what_deviates_of_a_check_and_of_an_app() {
    let zelador = zelador();
    zelador.write(
        "ecosystem.config.js",
        "module.exports = { apps: [
           { name: 'loja', script: 'sleep', args: '1000', heal: { retry: { retries: 7, first_delay: '3s' }, breaker: { open_for: '11m' } } },
           { name: 'usual', script: 'sleep', args: '1000' }],
         zelador: { retry: { export: { retries: 9 } }, checks: { disk: { degraded: 80, unhealthy: 90, mounts: { '/': { degraded: 99, unhealthy: 100 } } },
           partner: { tcp: 1, interval: '1h', breaker: { failures: 13 } }, plain: { tcp: 1, interval: '1h' } } } }",
    );
    zelador.ok(&["start", "ecosystem.config.js"]);
    until("the endpoints", || zelador.get("/healthz").0 != 0);
    let page = answer(&zelador, "/health/settings").replace('\u{a0}', " ");
    let row = |name: &str| {
        let rows = page.split("<dt>").filter(|it| it.starts_with(&format!("{name}</dt>")));
        rows.map(|it| it.split("</dd>").next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let of_app = row("app:loja remedy");
    assert!(of_app[0].contains("7 times more; 3 s"), "{of_app:?}");
    assert!(of_app[1].contains("open 11 min"), "{of_app:?}");
    assert!(row("check:partner connect")[0].contains("13 failures in a row"), "{page}");
    assert!(row("app:usual remedy").is_empty() && row("check:plain connect").is_empty(), "{page}");
    #[cfg(feature = "otlp")]
    assert!(row("export")[0].contains("9 times more"), "{page}");
    let mut browser = browser();
    for (language, dark, width) in [("pt-BR,pt;q=0.9", true, 390), ("en-US,en", false, 1280)] {
        browser.look_as(language, dark, width, 900);
        for (page, name) in [("/health/settings", "settings"), ("/health", "tiles")] {
            browser.open(&address(&zelador, page));
            browser
                .until("to be there", "document.querySelector('#list dt, #host .gauge') !== null");
            hold(&mut browser, &format!("{name}-{}-{width}", &language[..2]));
        }
    }
    // The mark of the mount that is shown, not of disks in general.
    let marks = browser.eval("[...document.querySelectorAll('#host .tile')].map((it) => [it.innerText, ...[...it.querySelectorAll('.mark')].map((it) => it.getAttribute('x'))].join(' '))");
    let marks = marks.to_string();
    if marks.contains("% of / in use") {
        assert!(marks.contains(" 99 100"), "{marks}");
    }
    assert_eq!(browser.wrongs(), Vec::<String>::new());
}
