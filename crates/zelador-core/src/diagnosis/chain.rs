//! Exceptions that wrap each other: the root says why, what wraps it says only what came of that.

use super::text::Line;

/// What a line says that wraps one whose cause is known, as a part of what it would say alone.
const WRAPPER: f64 = 0.5;

/// One exception of a chain: its lines, without frames.
type Link = Vec<usize>;

/// Returns how much each line counts; `is_known`: whether a line says a cause that is more than "nobody caught it".
pub(super) fn shares(lines: &[Line], is_known: impl Fn(usize) -> bool) -> Vec<f64> {
    let mut shares = vec![1.0; lines.len()];
    for chain in chains(lines) {
        // The innermost that says anything.
        let Some(root) = chain.iter().rposition(|link| link.iter().any(|at| is_known(*at))) else {
            continue;
        };
        let said = chain[root].first().and_then(|at| message(&lines[*at].text));
        for at in chain[..root].iter().flatten() {
            // One that repeats its cause says all that the cause says, and more.
            let repeats = said.is_some_and(|said| lines[*at].text.contains(said));
            shares[*at] = if repeats { 1.0 } else { WRAPPER };
        }
    }
    shares
}

/// What an exception says, without its name.
fn message(text: &str) -> Option<&str> {
    let text = text.trim().trim_start_matches("caused by: ");
    let (_, said) = text.split_once(": ")?;
    (said.len() >= 10).then_some(said)
}

/// The chains, each from the outermost to the root.
fn chains(lines: &[Line]) -> Vec<Vec<Link>> {
    let mut chains: Vec<Vec<Link>> = Vec::new();
    let mut open = false;
    let mut at = 0;
    while at < lines.len() {
        let line = &lines[at];
        if goes_inward(lines, at) {
            if !open {
                chains.push(vec![before(lines, at)]);
            }
            open = true;
            if let Some(chain) = chains.last_mut() {
                chain.push(vec![at]);
            }
        } else if let Some(link) = outward(lines, at) {
            if !open {
                chains.push(vec![before(lines, at)]);
            }
            open = true;
            at = link.last().copied().unwrap_or(at);
            if let Some(chain) = chains.last_mut() {
                chain.insert(0, link);
            }
        } else if open && !line.is_frame && !line.written.trim().is_empty() {
            let is_numbered = numbered(&line.text);
            let Some(chain) = chains.last_mut() else { break };
            if is_numbered {
                chain.push(vec![at]);
            } else if line.written.starts_with([' ', '}']) {
                if let Some(link) = chain.last_mut() {
                    link.push(at);
                }
            } else {
                open = false;
            }
        }
        at += 1;
    }
    chains
}

/// Whether what a line begins is the cause of what stands before it.
fn goes_inward(lines: &[Line], at: usize) -> bool {
    let text = lines[at].text.trim_start();
    // Ruby tells the cause of an exception after its frames.
    let is_ruby = !lines[at].is_frame
        && text.contains(".rb:")
        && text.contains(":in ")
        && at
            .checked_sub(1)
            .is_some_and(|above| lines[above].text.trim_start().starts_with("from "));
    ["caused by", "[cause]:", "---> ", "cause: ", "root cause:", "ursache: "]
        .iter()
        .any(|mark| text.starts_with(mark))
        || is_ruby
}

/// What wraps the exception that stands before it, as Python and PHP tell it: the lines of the message.
fn outward(lines: &[Line], at: usize) -> Option<Link> {
    let text = &lines[at].text;
    if text.starts_with("next ") && text.contains(": ") && text.contains(".php") {
        return Some(vec![at]);
    }
    if !text.contains("the above exception was the direct cause of the following") {
        return None;
    }
    let mut below = at + 1;
    while let Some(line) = lines.get(below) {
        let is_message = !line.is_frame
            && !line.written.starts_with(' ')
            && !line.written.is_empty()
            && !line.text.starts_with("traceback");
        if is_message {
            return Some(vec![below]);
        }
        below += 1;
    }
    None
}

/// `0: could not connect`, as anyhow and eyre number causes.
fn numbered(text: &str) -> bool {
    text.starts_with(' ')
        && text.trim_start().split_once(": ").is_some_and(|(number, _)| {
            !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
        })
}

/// So many lines the message before a chain may have.
const MESSAGE: usize = 3;

/// The message of the exception that stands before a line.
fn before(lines: &[Line], at: usize) -> Link {
    let is_text = |line: &Line| !line.is_frame && !line.written.trim().is_empty();
    let mut link: Link = Vec::new();
    for above in (0..at).rev() {
        let line = &lines[above];
        if !is_text(line) || line.text.starts_with("stack trace:") {
            // Nothing was read yet, or the message ends at frames above it.
            if link.is_empty() {
                continue;
            }
            break;
        }
        link.push(above);
        if !line.written.starts_with([' ', '}']) || link.len() >= MESSAGE {
            break;
        }
    }
    link
}
