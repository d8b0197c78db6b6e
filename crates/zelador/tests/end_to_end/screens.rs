//! What is followed on a terminal: the list, the screen's pace, the logs of several apps.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use zelador_testbed::home::{Zelador, kill, text, until};

use crate::monit::Screen;
use crate::zelador;

/// The most drawings a second.
const MOST: f64 = 30.0;

#[test]
fn a_list_that_is_watched_shows_what_changes_in_its_place() {
    let zelador = zelador();
    zelador.start("{ name: 'api', script: 'sleep', args: '1000' }, { name: 'job', script: 'sleep', args: '1000' }");
    let mut screen = Screen::of(&zelador, &["list", "--watch"]);
    screen.until("online");
    zelador.ok(&["stop", "api"]);
    screen.until("stopped");
    let shown = screen.text();
    let row = |name: &str| shown.lines().find(|it| it.contains(name)).unwrap_or_default();
    assert!(row("api").contains("stopped") && row("job").contains("online"), "{shown}");
    assert_eq!(shown.matches(" api ").count(), 1, "in its place, not below it: {shown}");
    zelador.ok(&["delete", "api"]);
    until("it to be gone", || !screen.text().contains(" api "));
    // An engine that is lost is waited for.
    let (engine, _) = zelador.roles();
    kill(engine, Signal::KILL);
    zelador.ok(&["stop", "job"]);
    screen.until("stopped");
    screen.signal(Signal::INT);
    until("its end", || screen.has_ended());
}

/// Two apps, one of which writes all the time, on the screen.
fn flood(zelador: &Zelador) -> Screen {
    zelador.write(
        "flood.js",
        "let n = 0; setInterval(() => { for (let i = 0; i < 5; i += 1) console.log('line ' + n++); }, 2)",
    );
    zelador.start(
        "{ name: 'flood', script: 'flood.js' }, { name: 'calm', script: 'sleep', args: '1000' }",
    );
    let mut screen = Screen::of(zelador, &["monit"]);
    screen.until("line ");
    screen
}

#[test]
fn the_screen_is_drawn_thirty_times_a_second_at_most() {
    let zelador = zelador();
    let mut screen = flood(&zelador);
    screen.text();
    let (before, begun) = (screen.drawings(), Instant::now());
    // Each key changes what is shown, as do the lines of the log.
    for key in ["j", "k"].into_iter().cycle() {
        screen.press(key);
        screen.text();
        std::thread::park_timeout(Duration::from_millis(3));
        if begun.elapsed() > Duration::from_secs(4) {
            break;
        }
    }
    screen.text();
    let rate = (screen.drawings() - before) as f64 / begun.elapsed().as_secs_f64();
    assert!(rate > 5.0, "it moves: {rate}");
    assert!(rate < MOST * 1.05, "{rate} a second");
    screen.press("q");
    assert_eq!(screen.end().code(), Some(0));
}

#[test]
fn over_a_slow_line_a_key_waits_for_few_drawings() {
    let zelador = zelador();
    let mut screen = flood(&zelador);
    // 128 kbit/s.
    let step = || std::thread::park_timeout(Duration::from_millis(32));
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(2) {
        screen.take(512);
        step();
    }
    let before = screen.drawings();
    // Somebody holds a key down, and then wants to leave.
    screen.press(&"jk".repeat(100));
    screen.press("q");
    until("its end", || {
        screen.take(512);
        step();
        screen.has_ended()
    });
    let waited = screen.drawings() - before;
    assert!(waited <= 30, "{waited} drawings came before the last of 200 keys was heard");
    assert_eq!(screen.end().code(), Some(0));
}

#[test]
fn several_apps_are_followed_across_rotation_each_in_its_colour_and_only_what_was_asked_for() {
    let zelador = zelador();
    zelador.write(
        "talk.js",
        "console.log('2001-01-01T00:00:00Z WARN tick ancient');
         let n = 0; setInterval(() => { n += 1; const now = new Date().toISOString();
           console.log(`${now} INFO tick ${n} ${'x'.repeat(300)}`); console.log(`${now} WARN tick ${n} end`);
           console.log(`${now} WARN other ${n}`); }, 10)",
    );
    zelador.ok(&["set", "pm2-logrotate:max_size", "20K"]);
    zelador.start("{ name: 'ant', script: 'talk.js' }, { name: 'bee', script: 'talk.js' }, { name: 'cat', script: 'talk.js' }");
    let log = |name: &str| zelador.home().join(format!("logs/{name}-out.log"));
    // What is written from now on is new, whatever date it begins with.
    until("lines of each", || {
        ["ant", "bee", "cat"].iter().all(|name| text(log(name)).contains("INFO tick "))
    });
    let asked = ["logs", "/^(ant|bee)$/", "--since", "1h", "--grep", "tick", "--level", "warn"];
    let mut screen = Screen::of(&zelador, &asked);
    let rotated = |name: &str| {
        let files = std::fs::read_dir(zelador.home().join("logs")).unwrap().flatten();
        let of = format!("{name}-out");
        files.filter(|it| it.file_name().to_string_lossy().starts_with(&of)).count() >= 3
    };
    // Each was rotated twice while it was followed.
    until("rotations", || {
        screen.text();
        rotated("ant") && rotated("bee")
    });
    let last = |screen: &Screen, name: &str| numbers(screen, name).last().copied().unwrap_or(0);
    let (ant, bee) = (last(&screen, "ant"), last(&screen, "bee"));
    until("what follows", || {
        screen.text();
        last(&screen, "ant") > ant + 50 && last(&screen, "bee") > bee + 50
    });
    for name in ["ant", "bee"] {
        let numbers = numbers(&screen, name);
        let whole = &numbers[..numbers.len() - 1];
        let gap = whole.windows(2).find(|it| it[1] != it[0] + 1);
        assert!(gap.is_none() && whole.len() > 100, "{name}: after {gap:?} of {}", whole.len());
    }
    let written = String::from_utf8_lossy(&screen.written).into_owned();
    for other in ["INFO", "other", "ancient", "cat"] {
        assert!(!written.contains(other), "{other} was not asked for");
    }
    let colour = |name: &str| -> BTreeSet<String> {
        let lines =
            written.lines().filter(|it| it.contains(&format!("|{name}")) && it.contains("tick"));
        lines.map(|it| it.split(name).next().unwrap().trim_start_matches('\r').to_owned()).collect()
    };
    let (ant, bee) = (colour("ant"), colour("bee"));
    assert!(ant.iter().chain(&bee).all(|it| it.contains("\x1b[")), "{ant:?} {bee:?}");
    let sgr = |it: &BTreeSet<String>| {
        it.iter().map(|it| it.split('m').next().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    assert!(sgr(&ant).is_disjoint(&sgr(&bee)), "{ant:?} {bee:?}");
}

/// The numbers of the lines of an app that were shown, in order.
fn numbers(screen: &Screen, name: &str) -> Vec<u64> {
    let text = String::from_utf8_lossy(&screen.written).into_owned();
    let of = text.lines().filter(|it| it.contains(&format!("|{name}")));
    of.filter_map(|it| it.split("tick ").nth(1)?.split(' ').next()?.parse().ok()).collect()
}
