//! The table of what was seen, as it stands in `docs/healing.md`.

use std::fmt::Write;
use std::time::Duration;

use super::{End, Verdict};

/// The table begins after this line …
pub const BEGIN: &str = "<!-- faults: made by `cargo run -p zelador-testbed --bin faults` -->";

/// … and ends before this one.
pub const END: &str = "<!-- end of faults -->";

/// What was said of a fault; or its name, and why it cannot be had on this host.
pub type Played = Result<Verdict, (String, String)>;

/// Returns the table in Markdown, a family after the other, with what it comes to in the end.
pub fn markdown(families: &[(&str, Vec<Played>)]) -> String {
    let mut text = String::from(
        "| fault | detected | evidence | cause | remedy | begun | end | harm |\n|---|---|---|---|---|---|---|---|\n",
    );
    for (family, verdicts) in families {
        _ = writeln!(text, "| **{family}** | | | | | | | |");
        for verdict in verdicts {
            match verdict {
                Ok(verdict) => line(&mut text, verdict),
                Err((name, why)) => {
                    _ = writeln!(text, "| `{name}`: not played, {why} | | | | | | | |");
                }
            }
        }
    }
    text.push('\n');
    text.push_str(&summary(
        families.iter().flat_map(|(_, it)| it).filter_map(|it| it.as_ref().ok()),
    ));
    text
}

fn line(text: &mut String, verdict: &Verdict) {
    let Verdict { fault, detected, lacks, cause, remedies, begun, .. } = verdict;
    let mark = |is_right: bool| if is_right { "" } else { "✗ " };
    let cause = cause.map_or_else(
        || "none".to_owned(),
        |(cause, confidence)| format!("{cause:?} {:.0} %", confidence * 100.0),
    );
    let remedies: Vec<String> = remedies.iter().map(ToString::to_string).collect();
    let end = match verdict.end {
        End::Healed(after) if verdict.falsely_healed => {
            format!("falsely healed, {}", spoken(after))
        }
        End::Healed(after) => format!("healed, {}", spoken(after)),
        End::Told(after) => format!("told, {}", spoken(after)),
        End::Neither => "neither healed nor told".to_owned(),
    };
    _ = writeln!(
        text,
        "| {} | {} | {} | {}{cause} | {}{} | {} | {}{end} | {} |",
        fault.what,
        detected.map_or_else(|| "✗ never".to_owned(), spoken),
        if lacks.is_empty() {
            "complete".to_owned()
        } else {
            format!("✗ lacks {}", lacks.join(", "))
        },
        mark(verdict.cause_is_right),
        mark(verdict.remedy_is_right),
        remedies.join(", "),
        begun.map_or_else(|| "–".to_owned(), spoken),
        mark(verdict.ended_right() && verdict.is_verified && !verdict.falsely_healed),
        if verdict.harm.is_empty() {
            "none".to_owned()
        } else {
            format!("✗ {}", verdict.harm.join(", "))
        },
    );
}

/// Says what all of them come to.
pub fn summary<'a>(verdicts: impl Iterator<Item = &'a Verdict>) -> String {
    let verdicts: Vec<&Verdict> = verdicts.collect();
    let count = |holds: fn(&&&Verdict) -> bool| verdicts.iter().filter(holds).count();
    let begun = begun_after_deaths(&verdicts).map_or_else(String::new, |median| {
        format!(" After a death something was begun within {} (median).", spoken(median))
    });
    format!(
        "{} faults: cause right in {}, remedy right or harmless in {}, evidence complete in {}, healed or told as it \
         must be in {}, falsely healed {}, harmed {}.{begun}\n",
        verdicts.len(),
        count(|it| it.cause_is_right),
        count(|it| it.remedy_is_right),
        count(|it| it.lacks.is_empty()),
        count(|it| it.ended_right()),
        count(|it| it.falsely_healed),
        count(|it| !it.harm.is_empty()),
    )
}

/// How long it took, in the middle of all deaths, from the detection to the first thing that was done.
pub fn begun_after_deaths(verdicts: &[&Verdict]) -> Option<Duration> {
    let deaths = verdicts.iter().filter(|it| it.is_death);
    let mut begun: Vec<Duration> = deaths.filter_map(|it| it.begun).collect();
    begun.sort_unstable();
    begun.get(begun.len() / 2).copied()
}

/// `35 ms`, `2.4 s`.
fn spoken(span: Duration) -> String {
    if span < Duration::from_secs(1) {
        format!("{} ms", span.as_millis())
    } else {
        format!("{:.1} s", span.as_secs_f64())
    }
}

/// Puts the table between its marks.
///
/// # Errors
/// The text has no marks.
pub fn put(text: &str, table: &str) -> Result<String, String> {
    let parts = text.split_once(BEGIN).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(END)?;
        Some(format!("{before}{BEGIN}\n\n{table}\n{END}{after}"))
    });
    parts.ok_or_else(|| format!("there is no `{BEGIN}` with a `{END}` after it"))
}
