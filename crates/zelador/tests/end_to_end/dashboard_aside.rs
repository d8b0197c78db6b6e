//! What is set aside, and how groups are, on the dashboard: where it is looked for, until when, by whom.

use rustix::process::Signal;
use zelador_testbed::browser::Browser;
use zelador_testbed::home::{Zelador, kill, until};

use crate::dashboard::{address, audit, browser, sign_in};
use crate::{whoami, zelador};

/// The text of an element; empty where there is none.
fn text(browser: &mut Browser, of: &str) -> String {
    let found = browser.eval(&format!("document.querySelector('{of}')?.innerText ?? ''"));
    found.as_str().unwrap_or_default().to_owned()
}

/// Opens a page, and waits until it is live.
fn open(browser: &mut Browser, zelador: &Zelador, path: &str) {
    browser.open(&address(zelador, path));
    browser.until("to be live", "document.querySelector('#link').classList.contains('on')");
}

/// An app that is dead on arrival, one that is well, in two groups, and a check that fails.
fn troubled() -> Zelador {
    let zelador = zelador();
    zelador.write(
        "ecosystem.config.js",
        "module.exports = { zelador: { checks: { gone: { file: '/nowhere/at/all', interval: '1s' } } },
           apps: [{ name: 'loja', script: 'sleep', args: '1000', namespace: 'vendas' },
                  { name: 'broken', script: 'false', namespace: 'fundos', max_restarts: 1 }] }",
    );
    zelador.run(&["start", "ecosystem.config.js"]);
    zelador
}

#[test]
fn what_is_set_aside_is_seen_on_every_page_with_its_end_and_who_wanted_it() {
    let zelador = troubled();
    let who = whoami();
    zelador.ok(&["maintenance", "start", "30m", "loja"]);
    zelador.ok(&["check", "mute", "gone"]);
    let mut browser = browser();
    let pictures = std::env::var_os("ZELADOR_PICTURES").map(std::path::PathBuf::from);
    for (language, dark, width) in
        [("en-US,en", true, 1280), ("pt-BR,pt;q=0.9", false, 1280), ("pt-BR,pt;q=0.9", true, 390)]
    {
        let is_pt = language.starts_with("pt");
        let (maintenance, muted) =
            if is_pt { ("manutenção", "silenciado") } else { ("maintenance", "muted") };
        let (end, by) = if is_pt {
            ("em 29 minutos", format!("por {who}"))
        } else {
            ("in 29 minutes", format!("by {who}"))
        };
        browser.look_as(language, dark, width, 900);
        let pages = [
            ("/health", "tr[data-name=loja] .c-state", vec![maintenance, end]),
            ("/health", "#resting", vec!["gone", muted, &by]),
            ("/health/app/loja", "#head .note", vec![maintenance, end, &by]),
            ("/health/checks", "#list", vec![maintenance, end, muted, &by]),
        ];
        for (page, place, words) in pages {
            open(&mut browser, &zelador, page);
            let shown = text(&mut browser, place);
            for word in words {
                assert!(shown.contains(word), "{page} {language}: no {word:?} in {shown}");
            }
            assert_eq!(audit(&mut browser), Vec::<String>::new(), "{page} {language} {width}");
            let wide = browser.eval("document.documentElement.scrollWidth - innerWidth");
            assert!(wide.as_i64().unwrap_or(99) <= 0, "{page} at {width}: {wide} too wide");
            if let Some(folder) = &pictures {
                let name =
                    format!("aside{}-{}-{width}.png", page.replace('/', "-"), &language[..2]);
                browser.picture(&folder.join(name));
            }
        }
    }
    // What is set aside is nobody's sorrow: it is dead, and only the other one needs attention.
    browser.look_as("en", false, 1280, 900);
    kill(zelador.pid("loja"), Signal::KILL);
    open(&mut browser, &zelador, "/health");
    browser.until(
        "the sum",
        "document.querySelector('#sum').innerText.includes('broken needs attention')",
    );
    let sum = text(&mut browser, "#sum");
    assert!(sum.contains("1 in maintenance or muted") && !sum.contains("gone"), "{sum}");
    // It ends while it is looked at, without a reload.
    zelador.ok(&["maintenance", "end", "loja"]);
    zelador.ok(&["check", "unmute", "gone"]);
    browser.until("its end", "!document.querySelector('.rests, .note.rest')");
    browser.until("the check again", "document.querySelector('#sum').innerText.includes('gone')");
    zelador.ok(&["maintenance", "start", "90m"]);
    browser.until(
        "the whole",
        "document.querySelector('#resting').innerText.includes('Everything: maintenance')",
    );
    assert!(text(&mut browser, "#sum").contains("Every app is in maintenance or muted"));
    open(&mut browser, &zelador, "/health/checks");
    assert!(text(&mut browser, "#list").contains("Everything: maintenance"));
    assert_eq!(browser.wrongs(), Vec::<String>::new());
}

#[test]
fn every_group_is_shown_with_its_verdict_and_the_reason_of_the_worst() {
    let zelador = troubled();
    let mut browser = browser();
    for page in ["/health", "/health/checks"] {
        open(&mut browser, &zelador, page);
        let of = |group: &str| {
            format!(
                "[...document.querySelectorAll('.groups li')].find((it) => it.innerText.startsWith('{group}'))?.innerText ?? ''"
            )
        };
        browser.until("a sick group", &format!("/unhealthy[^]*broken: /.test({})", of("fundos")));
        browser.until(
            "a good one",
            &format!("/^vendas\\s+healthy\\s+1 instance/.test({})", of("vendas")),
        );
    }
    assert_eq!(audit(&mut browser), Vec::<String>::new());
    // One group is no group.
    zelador.ok(&["delete", "broken"]);
    browser.until("no groups", "!document.querySelector('.groups')");
}

#[test]
fn an_incident_that_is_muted_says_by_whom() {
    let zelador = troubled();
    until("an incident", || !zelador.incidents().is_empty());
    let mut browser = browser();
    sign_in(&mut browser, &zelador, "/health/incident/1");
    crate::dashboard::press(&mut browser, "mute");
    browser
        .until("who", "document.querySelector('#orders').innerText.includes('Muted by dashboard')");
    open(&mut browser, &zelador, "/health");
    assert!(text(&mut browser, "#open").contains("muted"));
}
