//! An incident as a document that a person can paste, and in a few plain sentences.

use jiff::tz::TimeZone;
use zelador_api::unit::{Moment, spoken};
use zelador_api::{Incident, Stage};

use super::incidents::duration;
use super::{text, words};

/// Returns a post-mortem in Markdown.
pub fn markdown(incident: &Incident, now: Moment, zone: &TimeZone) -> String {
    let mut said = format!(
        "# Incident {}: {} ({})\n\n| | |\n|---|---|\n| state | {} |\n| opened | {} |\n",
        incident.id,
        cell(incident.app.as_str()),
        incident.trouble,
        cell(&incident.state()),
        words::local(incident.opened_at, zone)
    );
    if let Some(at) = incident.closed_at {
        said.push_str(&format!("| closed | {} |\n", words::local(at, zone)));
    }
    said.push_str(&format!("| lasted | {} |\n", duration(incident, now)));
    if let Some(first) = incident.part_of {
        said.push_str(&format!("| part of | incident {first} |\n"));
    }
    if !incident.sufferers.is_empty() {
        let names: Vec<_> = incident.sufferers.iter().map(|it| cell(it.as_str())).collect();
        said.push_str(&format!("| with it | {} |\n", names.join(", ")));
    }
    if let Some(print) = &incident.fingerprint {
        said.push_str(&format!("| fingerprint | `{print}` |\n"));
    }
    if let Some(diagnosis) = &incident.diagnosis {
        let sure = (diagnosis.confidence * 100.0).round();
        said.push_str(&format!("\n## Cause\n\n{} ({sure} % sure)\n\n", diagnosis.cause));
        for why in &diagnosis.because {
            said.push_str(&format!("- {}\n", cell(why.english())));
        }
        for other in diagnosis.hypotheses.iter().filter(|it| it.cause != diagnosis.cause) {
            let percent = (other.confidence * 100.0).round();
            said.push_str(&format!("- less likely: {} ({percent} %)\n", other.cause));
        }
    }
    if !incident.earlier.is_empty() {
        let before: Vec<String> = incident.earlier.iter().map(ToString::to_string).collect();
        said.push_str(&format!("\nThe same as in incident {}.\n", before.join(", ")));
    }
    for it in &incident.learned {
        said.push_str(&format!("\n{}: {}.\n", cell(&it.remedy.to_string()), it.seen.spoken()));
    }
    if !incident.tries.is_empty() {
        said.push_str("\n## What was tried\n\n| when | remedy | result |\n|---|---|---|\n");
        for it in &incident.tries {
            let result = it.result.map_or_else(|| "not known".to_owned(), |it| it.to_string());
            let at = words::local(it.at, zone);
            said.push_str(&format!("| {at} | {} | {result} |\n", cell(&it.remedy.to_string())));
        }
    }
    said.push_str("\n## Timeline\n\n");
    for entry in &incident.story {
        said.push_str(&format!("- {} {}\n", words::local(entry.at, zone), cell(&entry.what)));
    }
    if let Some(evidence) = &incident.evidence {
        said.push_str("\n## Evidence\n\n");
        for fact in super::incidents::summary(evidence, zone) {
            said.push_str(&format!("- {}\n", cell(&fact)));
        }
        for (name, lines) in super::incidents::last_words(evidence, zone) {
            if lines.is_empty() {
                continue;
            }
            said.push_str(&format!("\n## Last lines of {name}\n\n"));
            // Indented: no line of a log can end the block.
            for line in lines {
                said.push_str(&format!("    {line}\n"));
            }
        }
    }
    said
}

/// Returns it in a few sentences.
pub fn explained(incident: &Incident) -> String {
    let app = text::plain(incident.app.as_str()).into_owned();
    let first = incident.story.first().map(|entry| text::plain(&entry.what).into_owned());
    let mut said = format!("{}\n", first.unwrap_or_else(|| format!("{app}: {}", incident.trouble)));
    match &incident.diagnosis {
        None => said.push_str("Why is not known yet.\n"),
        Some(diagnosis) => {
            let sure = (diagnosis.confidence * 100.0).round();
            said.push_str(&format!("It seems that {} ({sure} % sure):\n", diagnosis.cause));
            for why in &diagnosis.because {
                said.push_str(&format!("  - {}\n", text::plain(why.english())));
            }
            said.push_str(&format!("What helps against that: {}.\n", diagnosis.remedy));
        }
    }
    if !incident.earlier.is_empty() {
        let before: Vec<String> = incident.earlier.iter().map(ToString::to_string).collect();
        said.push_str(&format!("The same as in incident {}.\n", before.join(", ")));
    }
    for it in &incident.learned {
        said.push_str(&format!("What was learned: {}: {}.\n", it.remedy, it.seen.spoken()));
    }
    if incident.deaths > 1 {
        said.push_str(&format!("It ended {} times in a row in the same way.\n", incident.deaths));
    }
    for it in &incident.tries {
        let result = it.result.map_or_else(|| "not known yet".to_owned(), |it| it.to_string());
        said.push_str(&format!("Tried: {}; result: {result}.\n", it.remedy));
    }
    if let Some(remedy) = incident.ladder.first() {
        said.push_str(&format!("Next, if that does not help: {remedy}.\n"));
    }
    if let Some(asked) = super::incidents::asked(incident) {
        said.push_str(&format!("A person is asked: {asked}.\n"));
    }
    if incident.reopened > 0 {
        said.push_str(&format!(
            "It came back {}.\n",
            words::counted(incident.reopened as usize, "time")
        ));
    }
    let lasted = incident.closed_at.map(|at| spoken(at.since(incident.opened_at)));
    match lasted {
        Some(lasted) => said.push_str(&format!("Now: {}, after {lasted}.\n", incident.state())),
        None => said.push_str(&format!("Now: {}.\n", text::plain(&now_of(incident)))),
    }
    said
}

/// How an open incident stands, with what a person must know of that.
fn now_of(incident: &Incident) -> String {
    match incident.stage {
        // Why nothing more is done, and what the guard refused just before.
        Stage::Escalated => {
            let all: Vec<&str> = incident.story.iter().map(|entry| entry.what.as_str()).collect();
            let Some(at) = all.iter().rposition(|what| what.starts_with("escalated: ")) else {
                return incident.state();
            };
            let before = at.checked_sub(1).map(|before| all[before]);
            let refused = before.filter(|what| what.starts_with("the guard refuses: "));
            refused.into_iter().chain([all[at]]).collect::<Vec<_>>().join("; ")
        }
        Stage::AwaitingStart => {
            format!("{}: it is started again without anybody's help", incident.state())
        }
        Stage::AwaitingTrial => {
            format!("{}: it is down until then, and nobody has to start it", incident.state())
        }
        // What it asks is said already.
        Stage::AwaitingApproval { .. } => "it waits for the answer".to_owned(),
        Stage::Observing => format!("{}: nothing is done about it", incident.state()),
        _ => incident.state(),
    }
}

/// A text that stays in its place in Markdown.
fn cell(said: &str) -> String {
    let mut kept = String::new();
    for letter in text::plain(said).chars() {
        if matches!(letter, '|' | '`' | '*' | '_' | '<' | '[' | '#' | '\\') {
            kept.push('\\');
        }
        kept.push(letter);
    }
    kept
}

#[cfg(test)]
mod tests {
    use zelador_api::Remedy;

    use super::*;
    use crate::render::sample;

    #[test]
    fn a_post_mortem_has_its_parts_and_nothing_of_a_log_that_markdown_obeys() {
        let mut incident = sample::incident();
        if let Some(evidence) = &mut incident.evidence {
            evidence.err_tail.push("``` # not a heading".to_owned());
        }
        incident.story[0].what = "a | b <script>".to_owned();
        let said = markdown(&incident, Moment::from_micros(sample::NOW), &TimeZone::UTC);
        for part in
            ["# Incident 7: api", "## Cause", "## Timeline", "a \\| b \\<script>", "    ``` #"]
        {
            assert!(said.contains(part), "{part}: {said}");
        }
        let explained = explained(&incident);
        assert!(explained.contains("It seems that it computes"), "{explained}");
    }

    #[test]
    fn it_is_said_what_came_back_and_why_a_person_is_needed() {
        let mut incident = sample::incident();
        incident.closed_at = None;
        incident.stage = Stage::AwaitingStart;
        let said = explained(&incident);
        assert!(said.contains("without anybody's help") && !said.contains("came back"), "{said}");
        incident.proposal = Some(Remedy::StopAndNotify);
        let said = explained(&incident);
        let asked = "A person is asked: leave it down and tell a person? (`zelador incident approve 7`, or `reject 7`).\n";
        assert!(said.contains(asked) && said.contains("without anybody's help"), "{said}");
        incident.proposal = None;
        incident.reopened = 3;
        incident.stage = Stage::Escalated;
        for what in [
            "the guard refuses: restart, because it was used 3 times",
            "escalated: a person is needed",
        ] {
            let mut entry = incident.story[0].clone();
            entry.what = what.to_owned();
            incident.story.push(entry);
        }
        let said = explained(&incident);
        assert!(said.contains("It came back 3 times.\n"), "{said}");
        let now = "Now: the guard refuses: restart, because it was used 3 times; escalated: a person is needed.\n";
        assert!(said.ends_with(now), "{said}");
    }
}
