//! Where in its own source a program failed: the frame beside a message that is neither the runtime's nor a library's.

use super::text::{Line, says};
use super::trace::SOURCES;

/// So many lines on either side of a message are looked at.
const NEAR: usize = 12;

/// Parts of frames that are not the program's own.
const OF_OTHERS: &[&str] = &[
    "node_modules/",
    "node:",
    "ext:",
    "site-packages/",
    "dist-packages/",
    "<frozen",
    "/lib/python",
    "/usr/lib/",
    "/usr/local/",
    "/gems/",
    "/vendor/",
    "/rustc/",
    "/.cargo/",
    "/deps/",
    "at java.",
    "at javax.",
    "at jdk.",
    "at sun.",
    "java.base/",
    "at kotlin.",
    "at org.springframework.",
    "at org.apache.",
    "at io.netty.",
    "at system.",
    "at microsoft.",
];

/// What may stand between a message and its frames.
const BETWEEN: &[&str] = &["goroutine ", "stack trace", "stack backtrace", "note: run with"];

/// Returns the place that a message is about, `/srv/cart.js:71:29`; `None`: it says so itself, or nothing does.
pub(super) fn of(lines: &[Line], message: usize) -> Option<String> {
    if place(&lines[message].written).is_some() {
        return None;
    }
    let is_near = |line: &&Line| {
        // Blank, or pointing into the source above it.
        let points = line.written.bytes().all(|byte| b"^~ ".contains(&byte));
        line.is_frame || points || says(&line.text, BETWEEN)
    };
    let own = |line: &Line| {
        let place = place(&line.written).filter(|_| line.is_frame)?;
        (!says(&line.text, OF_OTHERS)).then_some(place)
    };
    let below = lines[message + 1..].iter().take(NEAR).take_while(is_near).find_map(own);
    let mut above = lines[..message].iter().rev().take(NEAR).take_while(is_near);
    below.or_else(|| above.find_map(own))
}

/// The first place in a text.
fn place(text: &str) -> Option<String> {
    SOURCES.iter().find_map(|ending| {
        text.match_indices(ending).find_map(|(at, _)| {
            let (file, rest) = text.split_at(at + ending.len());
            let number =
                ["\", line ", ":line ", ":"].iter().find_map(|it| rest.strip_prefix(it))?;
            let is_number = |c: char| c.is_ascii_digit() || c == ':';
            let end = number.find(|c| !is_number(c)).unwrap_or(number.len());
            let number = number[..end].trim_end_matches(':');
            let from = file.rfind([' ', '(', '"']).map_or(0, |at| at + 1);
            (!number.is_empty()).then(|| format!("{}:{number}", &file[from..]))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::super::text::lines;
    use super::*;

    fn of_text(text: &str, message: usize) -> Option<String> {
        let tail: Vec<String> = text.lines().map(str::to_owned).collect();
        of(&lines(&tail), message)
    }

    #[test]
    fn the_own_place_is_found_below_or_above_the_message() {
        for (text, message, expected) in [
            (
                "TypeError: x is null\n    at Object.get (node:fs:1:2)\n    at f (/srv/node_modules/a/i.js:1:2)\n    at total (/srv/cart.js:71:29)",
                0,
                Some("/srv/cart.js:71:29"),
            ),
            (
                "/srv/erro.js:3\nconsole.log(x)\n^^^^^^^\n\nSyntaxError: Unexpected identifier",
                4,
                Some("/srv/erro.js:3"),
            ),
            (
                "Traceback (most recent call last):\n  File \"/srv/a.py\", line 3, in <module>\n    run()\n  File \"/srv/.venv/lib/python3.12/site-packages/x.py\", line 9, in run\n    y\nKeyError: 'k'",
                5,
                Some("/srv/a.py:3"),
            ),
            (
                "panic: boom\n\ngoroutine 1 [running]:\nmain.main()\n\t/src/main.go:40 +0x1d4",
                0,
                Some("/src/main.go:40"),
            ),
            (
                "Exception in thread \"main\" java.lang.NullPointerException\n\tat java.base/java.util.Objects.requireNonNull(Objects.java:233)\n\tat shop.Cart.total(Cart.java:71)",
                0,
                Some("Cart.java:71"),
            ),
            (
                "Unhandled exception. System.InvalidOperationException: x\n   at System.Linq.Enumerable.First()\n   at Shop.Worker.Run() in /src/Worker.cs:line 41",
                0,
                Some("/src/Worker.cs:41"),
            ),
            (
                "/srv/a.rb:3:in `f': undefined method `x' (NoMethodError)\n\tfrom /srv/b.rb:9:in `g'",
                0,
                None,
            ),
            ("Error: boom\nGET / 200\n    at f (/srv/a.js:1:2)", 0, None),
        ] {
            assert_eq!(of_text(text, message).as_deref(), expected, "{text}");
        }
    }
}
