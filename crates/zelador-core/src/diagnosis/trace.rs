//! Traces of many runtimes: which lines are frames, and which record a trace belongs to.
//!
//! A frame names a place of the program, and the names of places are no evidence: `ratelimit.js:31` throttles nobody.

use super::text::Line;

/// Endings of the names of sources.
pub(super) const SOURCES: &[&str] = &[
    ".js", ".cjs", ".mjs", ".ts", ".mts", ".cts", ".jsx", ".tsx", ".py", ".rb", ".rake", ".go",
    ".rs", ".php", ".ex", ".exs", ".erl", ".java", ".kt", ".scala", ".cs", ".fs", ".lua", ".pl",
];

/// Marks the lines that are frames, or lines of the source that a runtime prints with them.
pub(super) fn mark(lines: &mut [Line]) {
    let mut frames: Vec<bool> = lines.iter().map(|line| is_frame(&line.written)).collect();
    for at in 0..lines.len() {
        let after = lines.get(at + 1).map(|line| line.written.as_str());
        // The source below a frame of Python, and what points into it.
        let python = at > 0 && frames[at] && is_python(&lines[at].written);
        if python {
            for below in at + 1..lines.len().min(at + 4) {
                let text = &lines[below].written;
                if !text.starts_with("    ") || text.trim_start().starts_with("File \"") {
                    break;
                }
                frames[below] = true;
            }
        }
        // The source above a caret, which Node prints below its place.
        let is_caret =
            after.is_some_and(|it| !it.trim().is_empty() && it.trim().bytes().all(|c| c == b'^'));
        if is_caret && at > 0 && frames[at - 1] {
            frames[at] = true;
        }
        // A function of Go above its place.
        let is_call = lines[at].written.ends_with(')') && !lines[at].written.contains(": ");
        if is_call && after.is_some_and(is_go) {
            frames[at] = true;
        }
    }
    for (line, frame) in lines.iter_mut().zip(frames) {
        line.is_frame = frame;
    }
}

/// Whether a line, read alone, is a frame.
pub(super) fn is_frame(line: &str) -> bool {
    let text = line.trim();
    let is_indented = line.starts_with([' ', '\t']);
    if let Some(rest) = text.strip_prefix("at ") {
        let is_call = rest.trim_end_matches(" {").ends_with(')');
        return ends_in_place(rest)
            || is_call && (is_indented || !rest.contains(' '))
            || is_indented && rest.contains(" in /");
    }
    is_python(line)
        || is_go(line)
        || text.starts_with('#') && is_php(text)
        || text.starts_with("from ") && text.contains(':') && text.contains(":in ")
        || text.starts_with("... ") && (text.ends_with(" more") || text.ends_with(" omitted"))
        || text.starts_with("--- End of ")
        || is_indented && (is_elixir(text) || is_lua(text) || is_rust(text))
        || is_native(text)
        // A place alone: what Node and Rails print.
        || !text.contains(' ') && ends_in_place(text)
        || is_rails(text)
}

fn is_python(line: &str) -> bool {
    let text = line.trim_start();
    text.starts_with("File \"") && text.contains("\", line ")
}

/// `\t/src/main.go:14 +0x65`.
fn is_go(line: &str) -> bool {
    let place = line.trim().split(' ').next().unwrap_or_default();
    line.starts_with([' ', '\t']) && place.contains(".go:") && ends_in_place(place)
        || line.starts_with("created by ") && !line.contains(": ")
}

/// `#0 /srv/a.php(12): f()`, `#1 {main}`, `#2 [internal function]: f()`.
fn is_php(text: &str) -> bool {
    let rest = text.trim_start_matches('#').trim_start_matches(|c: char| c.is_ascii_digit());
    rest.len() + 1 < text.len()
        && (rest.contains(".php(") || rest == " {main}" || rest.starts_with(" [internal function]"))
}

/// `(elixir 1.16.0) lib/system.ex:1110: System.cmd(…)`.
fn is_elixir(text: &str) -> bool {
    [".ex:", ".exs:", ".erl:"].iter().any(|mark| {
        text.split_once(mark).is_some_and(|(before, after)| {
            let file = before.rsplit(") ").next().unwrap_or(before);
            after.starts_with(|c: char| c.is_ascii_digit()) && !file.contains(' ')
        })
    })
}

fn is_lua(text: &str) -> bool {
    text.contains(": in function ") || text.ends_with(": in main chunk") || text == "[C]: in ?"
}

/// `12: core::result::unwrap_failed`.
fn is_rust(text: &str) -> bool {
    text.split_once(": ").is_some_and(|(number, rest)| {
        number.bytes().all(|byte| byte.is_ascii_digit())
            && rest.contains("::")
            && (!rest.contains(' ') || rest.starts_with('<'))
    })
}

/// `3: 0xee85e7 v8::internal::V8::FatalProcessOutOfMemory(…) [node]`.
fn is_native(text: &str) -> bool {
    text.split_once(": 0x").is_some_and(|(number, rest)| {
        !number.is_empty()
            && number.bytes().all(|byte| byte.is_ascii_digit())
            && rest.ends_with(']')
    })
}

/// `app/models/order.rb:12:in 'total'`, and nothing behind it.
fn is_rails(text: &str) -> bool {
    text.contains(".rb:") && text.contains(":in ") && text.ends_with('\'') && !text.contains(": ")
}

/// Whether a text ends in the number of a line.
fn ends_in_place(text: &str) -> bool {
    let text = text.trim_end_matches([' ', '{', ')']);
    let Some((before, number)) = text.rsplit_once(':') else { return false };
    let is_number = |it: &str| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_digit());
    let file = before.rsplit_once(':').filter(|(_, it)| is_number(it)).map_or(before, |(it, _)| it);
    is_number(number)
        && (SOURCES.iter().any(|ending| file.ends_with(ending))
            || file.starts_with("node:")
            || file.contains(" node:"))
}

/// A text (in lower case) without the names of the places in it: `… in /srv/ratelimit.php:31`, `ratelimit.go:31: …`.
pub(super) fn without_places(text: &str) -> String {
    let words: Vec<&str> = text.split(' ').collect();
    let mut kept = Vec::with_capacity(words.len());
    for (at, word) in words.iter().enumerate() {
        let bare =
            word.trim_end_matches([',', '.', ':', '\'', ')']).trim_start_matches(['\'', '(']);
        let place = SOURCES.iter().find(|ending| {
            let on_line = words.get(at + 1..at + 3) == Some(&["on", "line"]);
            let is_ruby = bare.split_once(":in").is_some_and(|(place, _)| ends_in_place(place));
            ends_in_place(bare) && bare.contains(*ending)
                || is_ruby && bare.contains(*ending)
                || on_line && bare.ends_with(*ending)
        });
        match place {
            Some(ending) => kept.push(*ending),
            None => kept.push(word),
        }
    }
    kept.join(" ")
}

/// So many ordinary records after a trace show that the service went on.
pub(super) const WENT_ON: usize = 2;

/// Words of a trace that ended a program, whatever was written before it.
const ENDS: &[&str] = &["exception in thread", "unhandled", "uncaught", "panic", "fatal"];

/// For each line, the record that it is the trace of: a trace that is written behind a record says no level of its own.
pub(super) fn records(lines: &[Line]) -> Vec<Option<usize>> {
    let mut of = vec![None; lines.len()];
    let mut head = None;
    for (at, line) in lines.iter().enumerate() {
        if line.states_level {
            head = Some(at);
        } else if line.written.trim().is_empty() {
        } else if is_of_trace(line) && line.followed_by >= WENT_ON {
            of[at] = head;
        } else {
            head = None;
        }
    }
    of
}

fn is_of_trace(line: &Line) -> bool {
    if line.is_frame || line.written.starts_with(' ') || line.text.starts_with("traceback") {
        return true;
    }
    let first = line.text.split([':', ' ']).next().unwrap_or_default();
    let is_name = first.ends_with("exception") || first.ends_with("error");
    (is_name || line.text.starts_with("caused by"))
        && !ENDS.iter().any(|word| line.text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_many_runtimes_are_told_from_messages() {
        for line in [
            "    at RateLimiter.hit (/srv/ratelimit.js:31:18)",
            "    at async file:///srv/main.mjs:12:3",
            "    at node:internal/main/run_main_module:36:49",
            "\tat com.zaxxer.hikari.pool.HikariPool.getConnection(HikariPool.java:179)",
            "   at Acme.Retry.OnTimeout() in /src/Retry.cs:line 12",
            "  File \"/srv/a.py\", line 3, in load",
            "\t/src/ratelimit/handler.go:12 +0x1d",
            "\tfrom /srv/app/throttling.rb:40:in `block in hit'",
            "#1 /srv/src/TooManyRequests.php(19): App\\Totals->of()",
            "    (elixir 1.16.0) lib/system.ex:1110: System.cmd(\"x\", [], [])",
            "  12: core::result::unwrap_failed",
            " 3: 0xee85e7 v8::internal::V8::FatalProcessOutOfMemory(v8::internal::Isolate*) [node]",
            "\t[C]: in function 'error'",
            "/srv/api/ratelimit.js:31",
            "\t... 24 common frames omitted",
        ] {
            assert!(is_frame(line), "{line}");
        }
        for line in [
            "Error: connect ECONNREFUSED 127.0.0.1:5432",
            "at 10:00 the disk was full (/dev/sda1)",
            "    1: Connection refused (os error 111)",
            "/srv/a.rb:3:in `fetch': key not found: \"X\" (KeyError)",
            "    code: 'ECONNREFUSED',",
            "main.go:31: context deadline exceeded",
            "from 10.0.0.1: connection refused",
            "config/production.json:12",
        ] {
            assert!(!is_frame(line), "{line}");
        }
    }

    #[test]
    fn the_names_of_places_are_taken_out_of_messages() {
        for (text, kept) in [
            ("uncaught typeerror: x in /srv/ratelimit.php:44", "uncaught typeerror: x in .php"),
            ("x in /srv/timeout.php on line 44", "x in .php on line 44"),
            ("thread 'main' panicked at src/deadlock.rs:3:4:", "thread 'main' panicked at .rs"),
            ("2026 timeout.go:31: refused", "2026 .go refused"),
            ("connect econnrefused 127.0.0.1:5432", "connect econnrefused 127.0.0.1:5432"),
        ] {
            assert_eq!(without_places(text), kept);
        }
        assert!(
            without_places("/srv/limit.rb:3:in `fetch': key not found").contains("key not found")
        );
    }
}
