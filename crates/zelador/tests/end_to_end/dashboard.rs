//! The dashboard in a real browser: every page, every action.

use std::io::Write;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;
use zelador_testbed::browser::Browser;
use zelador_testbed::home::{Zelador, free_port, http_get, kill, until};

use crate::health::web;
use crate::{SERVER, zelador};

/// The audit of pages for people who use other senses; newer ones may find more.
const AXE: &str = "axe-core@4.14.1";

pub fn browser() -> Browser {
    Browser::start().expect("there is no Chromium: ./test installs it")
}

pub fn address(zelador: &Zelador, path: &str) -> String {
    format!("http://127.0.0.1:{}{path}", zelador.port())
}

/// What axe finds that is serious.
pub fn audit(browser: &mut Browser) -> Vec<String> {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("axe");
    let file = folder.join("node_modules/axe-core/axe.min.js");
    if !file.exists() {
        std::fs::create_dir_all(&folder).unwrap();
        let args = ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", ".", AXE];
        let done = Command::new("npm").args(args).current_dir(&folder).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    let source = std::fs::read_to_string(file).unwrap();
    browser.eval(&format!("{source}; 1"));
    let found = browser.eval(
        "axe.run(document, { resultTypes: ['violations'] }).then((it) => it.violations \
         .filter((v) => ['serious', 'critical'].includes(v.impact)) \
         .map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160) + ' ' + (n.any[0] || {}).message).join(' | ')}`))",
    );
    serde_json::from_value(found).unwrap()
}

/// Gives the token in the form, with nothing but keys.
pub fn sign_in(browser: &mut Browser, zelador: &Zelador, to: &str) {
    let token = zelador.ok(&["token"]).out.trim().to_owned();
    browser.open(&address(zelador, &format!("/health/login?to={to}")));
    browser.eval("document.querySelector('#token').focus()");
    browser.type_text("this is not it at all");
    browser.key("Enter");
    browser.until("a refusal", "document.querySelector('#wrong').textContent !== ''");
    browser.eval("document.querySelector('#token').value = ''");
    browser.type_text(&token);
    browser.key("Enter");
    browser.until(
        "to be known",
        &format!("location.pathname === '{to}' && document.readyState === 'complete'"),
    );
}

pub fn press(browser: &mut Browser, verb: &str) {
    browser.eval(&format!("document.querySelector('[data-verb={verb}]').focus()"));
    browser.key("Enter");
    browser.until("the question", "document.querySelector('#ask').open");
    browser.key("Enter");
    browser.until("an answer", "document.querySelector('#said').textContent !== ''");
    browser.eval("document.querySelector('#said').textContent = ''");
}

#[test]
fn every_page_is_right_in_both_languages_schemes_and_sizes() {
    let zelador = zelador();
    let port = free_port();
    zelador.write("server.js", SERVER);
    zelador.start(&format!(
        "{{ name: 'loja', script: 'server.js', env: {{ PORT: {port}, DB_PASSWORD: 'hunter2' }}, max_memory_restart: '300M', health: {{ http: 'http://127.0.0.1:{port}/health', interval: '1s', timeout: '500ms', failure_threshold: 2, start_period: '1s', verify_within: '3s' }} }},
         {{ name: 'trio', script: 'sleep', args: '1000', instances: 3 }}, {{ name: 'down', script: 'sleep', args: '1000', autostart: false }}"
    ));
    until("it to answer", || http_get(port, "/health").is_some_and(|(code, _)| code == 200));
    _ = http_get(port, "/hang");
    until("it to be healed", || {
        zelador.incidents().first().is_some_and(|it| it["stage"]["outcome"] == "healed")
    });
    let mut browser = browser();
    let pictures = std::env::var_os("ZELADOR_PICTURES").map(PathBuf::from);
    let pages = [
        "",
        "/app/loja",
        "/app/trio",
        "/incidents",
        "/incident/1",
        "/checks",
        "/retries",
        "/breakers",
        "/report",
        "/settings",
        "/audit",
        "/login",
        "/app/nothing",
    ];
    for (language, dark, width) in [("en-US,en", false, 1280), ("pt-BR,pt;q=0.9", true, 390)] {
        browser.look_as(language, dark, width, 900);
        for page in pages {
            browser.open(&address(&zelador, &format!("/health{page}")));
            if page.starts_with("/app/") && !page.ends_with("nothing") {
                browser
                    .until("the charts", "document.querySelectorAll('.chart canvas').length >= 3");
                browser.until(
                    "the way to the log",
                    "document.querySelector('[aria-labelledby=logs-title] a') !== null",
                );
            }
            if browser.eval("document.body.dataset.live") != "" {
                browser.until(
                    "to be live",
                    "document.querySelector('#link').classList.contains('on')",
                );
            }
            let wide = browser.eval("document.documentElement.scrollWidth - innerWidth");
            assert!(wide.as_i64().unwrap_or(99) <= 0, "{page} at {width}: {wide} too wide");
            assert_eq!(audit(&mut browser), Vec::<String>::new(), "{page} {language} {width}");
            assert_eq!(browser.wrongs(), Vec::<String>::new(), "{page}");
            let section = "(() => { const it = document.querySelector('nav [aria-current]'); if (!it) return true; const [a, b] = [it, it.parentElement].map((it) => it.getBoundingClientRect()); return a.left >= b.left - 1 && a.right <= b.right + 1; })()";
            assert_eq!(browser.eval(section), true, "{page}: its section is out of sight");
            let tag = browser.eval("document.documentElement.lang");
            assert_eq!(tag, if language.starts_with("pt") { "pt-BR" } else { "en" });
            let shown = browser.eval("document.documentElement.outerHTML").to_string();
            assert!(!shown.contains("hunter2"), "{page} shows a secret");
            if let Some(folder) = &pictures {
                let name = format!(
                    "{}-{}-{width}.png",
                    page.trim_start_matches('/').replace('/', "-"),
                    &language[..2]
                );
                browser.picture(&folder.join(name));
            }
        }
    }
    let told = browser
        .eval(&format!("fetch('{}').then((it) => it.text())", "/health/incident/1/markdown"));
    let told = told.as_str().unwrap();
    assert!(
        told.starts_with("# Incidente 1: loja: não responde")
            && told.contains("## Evidências")
            && told.contains("curado após"),
        "{told}"
    );
}

#[test]
fn a_page_lives_through_the_death_of_the_engine_without_a_reload() {
    let zelador = zelador();
    zelador.start("{ name: 'one', script: 'sleep', args: '1000' }");
    // 503 when this host is busy: they answer all the same.
    until("the endpoints", || zelador.get("/healthz").0 != 0);
    let mut browser = browser();
    browser.open(&address(&zelador, "/health"));
    browser.eval("window.__same = true");
    browser.until("to be live", "document.querySelector('#link').classList.contains('on')");
    let rows = |count: u32| format!("document.querySelectorAll('#rows tr').length === {count}");
    browser.until("one app", &rows(1));
    zelador.ok(&["start", "sleep", "--name", "two", "--", "1000"]);
    browser.until("a second app by itself", &rows(2));
    zelador.ok(&["stop", "one"]);
    let state = "document.querySelector('tr[data-name=one] .c-state data').dataset.class";
    browser.until("it to be shown as stopped", &format!("{state} === 'off'"));
    let (engine, _) = zelador.roles();
    kill(engine, Signal::KILL);
    until("another engine", || zelador.roles_now().is_some_and(|(pid, _)| pid != engine));
    zelador.ok(&["delete", "two"]);
    browser.until("the change after it", &rows(1));
    browser.until("to be live again", "document.querySelector('#link').classList.contains('on')");
    zelador.ok(&["delete", "one"]);
    browser.until(
        "the empty page",
        "document.querySelector('#none').textContent.includes('zelador start')",
    );
    assert_eq!(browser.eval("window.__same"), true, "it was not loaded again");
    assert_eq!(browser.wrongs(), Vec::<String>::new());
}

#[test]
fn what_is_clicked_is_done_with_the_token_only_and_is_in_the_audit() {
    let zelador = zelador();
    zelador.start("{ name: 'app', script: 'sleep', args: '1000' }");
    // 503 when this host is busy: they answer all the same.
    until("the endpoints", || zelador.get("/healthz").0 != 0);
    let mut browser = browser();
    browser.open(&address(&zelador, "/health/app/app"));
    assert_eq!(browser.eval("document.querySelector('[data-verb=stop]').disabled"), true);
    let act = "fetch('/health/act', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ verb: 'stop', of: 'app' }) }).then((it) => it.status)";
    assert_eq!(browser.eval(act), 401, "nobody gave a token");
    sign_in(&mut browser, &zelador, "/health/app/app");
    assert_eq!(browser.eval("document.cookie"), "", "no script sees the session");
    let pid = zelador.pid("app");
    press(&mut browser, "restart");
    assert_ne!(zelador.pid("app"), pid);
    press(&mut browser, "stop");
    assert_eq!(zelador.status("app"), "stopped");
    press(&mut browser, "start");
    assert_eq!(zelador.status("app"), "online");
    press(&mut browser, "reload");
    browser.eval("document.querySelector('[data-verb=scale]').focus()");
    browser.key("Enter");
    browser.until("the question", "document.querySelector('#ask').open");
    browser.eval("document.querySelector('#ask-number').select()");
    browser.type_text("3");
    browser.key("Enter");
    browser.until("an answer", "document.querySelector('#said').textContent !== ''");
    until("three of them", || zelador.jlist().len() == 3);
    // A question that is not answered with yes changes nothing.
    browser.eval("document.querySelector('[data-verb=stop]').focus()");
    browser.key("Enter");
    browser.until("the question", "document.querySelector('#ask').open");
    browser.key("Escape");
    browser.until("no question", "!document.querySelector('#ask').open");
    assert_eq!(zelador.jlist().iter().filter(|it| it["pm2_env"]["status"] == "online").count(), 3);
    browser.open(&address(&zelador, "/health/audit"));
    for verb in ["login", "restart", "stop", "start", "reload", "scale", "declare"] {
        browser.until(verb, &format!("[...document.querySelectorAll('td code')].some((it) => it.textContent === '{verb}')"));
    }
    let who = browser.eval("document.querySelector('tbody tr').innerText");
    assert!(who.as_str().unwrap().contains("dashboard"), "{who}");
    // From another origin, with the session's cookie: a page of somebody else's.
    let foreign = "fetch('/health/act', { method: 'POST', headers: { 'Content-Type': 'text/plain' }, body: '{}' }).then((it) => it.status)";
    assert_eq!(browser.eval(foreign), 415, "no form can send this");
    browser.eval("document.querySelector('#leave').click()");
    browser.until("not to be known", "document.body.dataset.may === '0'");
    assert_eq!(browser.eval(act), 401);
    assert_eq!(browser.wrongs(), Vec::<String>::new());
}

#[test]
fn an_incident_that_asks_is_answered_on_its_page() {
    let zelador = zelador();
    let port = free_port();
    zelador.write("server.js", SERVER);
    zelador.start(&web(port, "heal: 'ask'"));
    until("it to answer", || http_get(port, "/health").is_some_and(|(code, _)| code == 200));
    let before = zelador.pid("web");
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(b"GET /hang HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let stage = || zelador.incidents().first().map(|it| it["stage"]["stage"].clone());
    until("it to ask", || stage().is_some_and(|it| it == "awaiting-approval"));
    assert_eq!(zelador.pid("web"), before, "nothing is done without a yes");
    let mut browser = browser();
    sign_in(&mut browser, &zelador, "/health/incident/1");
    assert_eq!(audit(&mut browser), Vec::<String>::new());
    press(&mut browser, "mute");
    browser.until("it to be muted", "!document.querySelector('[data-verb=mute]')");
    press(&mut browser, "approve");
    browser.until("it to be over", "document.querySelector('#top').textContent.includes('helped')");
    assert_ne!(zelador.pid("web"), before);
    assert_eq!(browser.eval("document.querySelector('#orders').textContent"), "");
    let story = zelador.ok(&["incidents", "1"]).out;
    assert!(story.contains("muted") && story.contains("a person said yes: restart"), "{story}");
    assert_eq!(browser.wrongs(), Vec::<String>::new());
}

#[test]
fn logs_are_followed_searched_and_never_believed() {
    let zelador = zelador();
    zelador.write(
        "app.js",
        "console.log('<img src=x onerror=\"window.__bad=1\">\\u001b[31mred\\u001b[0m'); console.error('ERROR token=verysecret'); \
         let n = 0; setInterval(() => console.log('tick ' + n++), 100)",
    );
    zelador.start("{ name: 'talker', script: 'app.js' }");
    // 503 when this host is busy: they answer all the same.
    until("the endpoints", || zelador.get("/healthz").0 != 0);
    let mut browser = browser();
    sign_in(&mut browser, &zelador, "/health/app/talker");
    let shown = "document.querySelector('#logs').innerText";
    browser.until("its lines", &format!("{shown}.includes('tick 3') && {shown}.includes('ERROR')"));
    let log = browser.eval(shown).to_string();
    assert!(log.contains("onerror=") && log.contains(">red"), "{log}");
    assert!(!log.contains("verysecret") && !log.contains("[31m"), "{log}");
    assert_eq!(
        browser.eval(
            "window.__bad === undefined && document.querySelectorAll('#logs img').length === 0"
        ),
        true
    );
    let set = |id: &str, value: &str, event: &str| {
        format!(
            "document.querySelector('{id}').value = '{value}'; document.querySelector('{id}').dispatchEvent(new Event('{event}'))"
        )
    };
    browser.eval(&set("#log-level", "error", "change"));
    browser
        .until("errors only", &format!("!{shown}.includes('tick') && {shown}.includes('ERROR')"));
    browser.eval(&set("#log-level", "", "change"));
    browser.eval(&set("#log-find", "TICK 1", "input"));
    browser.until("what was searched", "document.querySelectorAll('#logs mark').length > 0 && [...document.querySelectorAll('#logs .line')].every((it) => it.textContent.includes('tick 1'))");
    browser.eval(&set("#log-find", "", "input"));
    browser.eval("document.querySelector('#log-pause').click()");
    let count = browser.eval("document.querySelectorAll('#logs .line').length");
    let written =
        || zelador_testbed::home::text(zelador.home().join("logs/talker-out.log")).lines().count();
    let before = written();
    until("more lines", || written() > before + 20);
    assert_eq!(browser.eval("document.querySelectorAll('#logs .line').length"), count, "paused");
    browser.eval("document.querySelector('#log-pause').click()");
    browser
        .until("to go on", &format!("document.querySelectorAll('#logs .line').length > {count}"));
    assert_eq!(browser.wrongs(), Vec::<String>::new());
}

#[test]
fn charts_are_zoomed_and_marked_and_the_list_is_searched_by_keys() {
    let zelador = zelador();
    zelador.start("{ name: 'bee', script: 'sleep', args: '1000' }, { name: 'ant', script: 'sleep', args: '1000' }, { name: 'cat', script: 'sleep', args: '1000', autostart: false }");
    kill(zelador.pid("bee"), Signal::KILL);
    until("its restart", || zelador.restarts("bee") == 1);
    // 503 when this host is busy: they answer all the same.
    until("the endpoints", || zelador.get("/healthz").0 != 0);
    let mut browser = browser();
    let data = |query: &str| {
        let (code, body) = zelador.get(&format!("/health/chart?{query}"));
        (code, serde_json::from_str::<Value>(&body).unwrap_or_default())
    };
    until("its death and numbers", || {
        let (_, it) = data("of=app:bee&metrics=memory&from=1");
        it["marks"].as_array().is_some_and(|marks| marks.iter().any(|mark| mark["kind"] == "died"))
            && it["lines"][0]["at"].is_array()
    });
    assert_eq!(data("of=app:bee&metrics=memory&from=9&to=3").0, 400);
    assert!(
        data("of=app:bee&metrics=nonsense&from=1").1["error"]
            .as_str()
            .unwrap()
            .contains("allowed are memory")
    );
    browser.look_as("en", false, 1280, 900);
    browser.open(&address(&zelador, "/health/app/bee"));
    browser.until("charts", "document.querySelectorAll('.chart canvas').length >= 3");
    assert!(
        browser
            .eval("document.querySelector('.plot').getAttribute('aria-label')")
            .as_str()
            .unwrap()
            .contains("mean")
    );
    browser.eval("document.querySelector('[data-range=\"86400\"]').click()");
    browser.until("a day", "document.querySelector('[data-range=\"86400\"]').getAttribute('aria-pressed') === 'true' && Date.now() / 1000 - Number(document.querySelector('#charts').dataset.loaded) > 86000");
    browser.eval("document.querySelector('#closer').click()");
    browser.until(
        "half of it",
        "Date.now() / 1000 - Number(document.querySelector('#charts').dataset.loaded) < 44000",
    );
    browser.eval("document.querySelector('#earlier').click()");
    browser.until("an earlier time", "document.querySelector('#range-said').textContent !== ''");
    browser.open(&address(&zelador, "/health"));
    browser.until("to be live", "document.querySelector('#link').classList.contains('on')");
    let names = "[...document.querySelectorAll('#rows tr')].filter((it) => !it.hidden).map((it) => it.dataset.name).join()";
    assert_eq!(browser.eval(names), "bee,ant,cat");
    // From the top of the page on with keys only: the first stop is the way past the navigation.
    browser.key("Tab");
    assert_eq!(browser.eval("document.activeElement.className"), "skip");
    browser.eval("document.querySelector('.sort').focus()");
    browser.key("Enter");
    assert_eq!(browser.eval(names), "ant,bee,cat");
    assert_eq!(
        browser.eval("document.querySelector('.sort').closest('th').getAttribute('aria-sort')"),
        "ascending"
    );
    browser.eval("document.activeElement.blur()");
    browser.key("/");
    assert_eq!(browser.eval("document.activeElement.id"), "find");
    browser.type_text("an");
    assert_eq!(browser.eval(names), "ant");
    browser.key("Escape");
    browser.eval("document.querySelector('[data-filter=off]').click()");
    assert_eq!(browser.eval(names), "cat");
    assert!(
        browser.eval("location.search").as_str().unwrap().contains("f=off"),
        "it can be passed on"
    );
    assert_eq!(browser.wrongs(), Vec::<String>::new());
}
