//! Incidents: a table of all, and the story of one.

use comfy_table::CellAlignment;
use jiff::tz::TimeZone;
use zelador_api::evidence::{Descriptors, Evidence, TimedLines};
use zelador_api::unit::{Moment, spoken};
use zelador_api::{Incident, Outcome, Stage};

use super::terminal::{Colour, Terminal};
use super::{text, words};

/// How many of the last lines of each stream the story shows: a trace with the message above it.
const LINES_SHOWN: usize = 20;

/// Returns the table of incidents; it ends with a line end.
pub fn table(incidents: &[Incident], now: Moment, zone: &TimeZone, terminal: Terminal) -> String {
    if incidents.is_empty() {
        return "no incidents\n".to_owned();
    }
    let mut table = terminal.table();
    let headings = ["id", "app", "trouble", "state", "opened", "duration", "attempts"];
    table.set_header(headings.map(|heading| terminal.heading(heading)));
    for incident in incidents {
        let number = |text: String| terminal.cell(&text).set_alignment(CellAlignment::Right);
        table.add_row([
            number(incident.id.to_string()),
            terminal.cell(incident.app.as_str()),
            terminal.cell(&trouble(incident)),
            terminal.coloured(&incident.state(), state_colour(incident)),
            terminal.cell(&words::local(incident.opened_at, zone)),
            number(duration(incident, now)),
            number(incident.attempts.to_string()),
        ]);
    }
    let open = incidents.iter().filter(|incident| incident.is_open()).count();
    let asks = incidents.iter().filter(|incident| incident.question().is_some());
    let asks: Vec<String> = asks.map(|incident| incident.id.to_string()).collect();
    let asks = match asks.as_slice() {
        [] => String::new(),
        ids => format!("; a person is asked in {} (`zelador incident show ID`)", ids.join(", ")),
    };
    format!("{table}\n{}, {open} open{asks}\n", words::counted(incidents.len(), "incident"))
}

/// What a person is asked, and how that is answered: `restart? (`zelador incident approve 9`, or `reject 9`)`.
pub(super) fn asked(incident: &Incident) -> Option<String> {
    let question = incident.question()?;
    let id = incident.id;
    Some(format!("{}? (`zelador incident approve {id}`, or `reject {id}`)", question.remedy))
}

/// What is wrong, and how often it ended so: `died (7 times)`.
fn trouble(incident: &Incident) -> String {
    let often = incident.deaths.max(incident.reopened.saturating_add(1));
    let trouble = &incident.trouble;
    if often > 1 { format!("{trouble} ({often} times)") } else { trouble.to_string() }
}

/// That nobody hears of it any more, and who wanted that: `muted by uid 1000`.
pub fn muted(incident: &Incident) -> Option<String> {
    let by = incident.muted_by.as_ref().map(|who| format!(" by {who}")).unwrap_or_default();
    incident.muted.then(|| format!("muted{by}"))
}

/// Returns the story of one incident; it ends with a line end.
pub fn story(incident: &Incident, now: Moment, zone: &TimeZone, terminal: Terminal) -> String {
    let mut told = String::new();
    let mut line = |text: &str| {
        told.push_str(text);
        told.push('\n');
    };
    let heading = |text: &str| terminal.paint(text, Colour::Cyan);
    let number = if incident.instance == Incident::HOST {
        String::new()
    } else {
        format!(" (id {})", incident.instance)
    };
    let trouble = trouble(incident);
    let title = format!("incident {}: {}{number}: {trouble}", incident.id, incident.app);
    line(&heading(&text::plain(&title)));
    let state = terminal.paint(&text::plain(&incident.state()), state_colour(incident));
    line(&format!(
        "  state     {state}, {}",
        words::counted(incident.attempts as usize, "attempt")
    ));
    if let Some(asked) = asked(incident) {
        line(&format!("  asked     {asked}"));
    }
    if let Some(said) = muted(incident) {
        line(&format!("  told      nobody: it is {}", text::plain(&said)));
    }
    if let Some(first) = incident.part_of {
        line(&format!("  part of   incident {first}"));
    }
    if !incident.sufferers.is_empty() {
        let names: Vec<String> = incident.sufferers.iter().map(ToString::to_string).collect();
        line(&format!("  with it   {}", names.join(", ")));
    }
    line(&format!("  opened    {}", words::local(incident.opened_at, zone)));
    match incident.closed_at {
        Some(at) => line(&format!(
            "  closed    {} (after {})",
            words::local(at, zone),
            duration(incident, now)
        )),
        None => line(&format!("  open for  {}", duration(incident, now))),
    }
    line("");
    line(&heading("what happened"));
    for entry in &incident.story {
        line(&format!("  {}  {}", words::local(entry.at, zone), text::plain(&entry.what)));
    }
    if let Some(diagnosis) = &incident.diagnosis {
        line("");
        let sure = (diagnosis.confidence * 100.0).round();
        line(&heading("diagnosis"));
        line(&format!("  {} ({sure} % sure); remedy: {}", diagnosis.cause, diagnosis.remedy));
        for reason in &diagnosis.because {
            line(&format!("  - {}", text::plain(reason.english())));
        }
        for it in &incident.learned {
            line(&format!("  against this: {}: {}", it.remedy, it.seen.spoken()));
        }
    }
    if let Some(evidence) = &incident.evidence {
        line("");
        line(&heading("evidence"));
        for said in summary(evidence, zone) {
            line(&format!("  {said}"));
        }
        for (name, lines) in last_words(evidence, zone) {
            tail(name, &lines, &mut line);
        }
    }
    told
}

/// What was found, one sentence each.
pub fn summary(evidence: &Evidence, zone: &TimeZone) -> Vec<String> {
    let at = words::local(evidence.gathered_at, zone);
    let mut said = vec![format!("gathered at {at} in {} ms", evidence.took_millis)];
    if let Some(usage) = evidence.usage {
        let processes = match usage.processes {
            1 => "1 process".to_owned(),
            many => format!("{many} processes"),
        };
        said.push(format!(
            "{} of memory, {} cpu, {processes}",
            usage.memory,
            words::cpu(usage.cpu)
        ));
    }
    if let Some(Descriptors { open, limit, sockets, pipes, files }) = evidence.descriptors {
        said.push(format!(
            "{open} of {limit} descriptors open ({sockets} sockets, {pipes} pipes, {files} files)"
        ));
    }
    if let Some(thread) = evidence.threads.first() {
        let waits = thread.waits_in.as_ref().map(|place| format!(", waits in {place}"));
        said.push(
            text::plain(&format!(
                "{}; the busiest is {} ({}), state {}{}",
                words::counted(evidence.threads_of_process(), "thread"),
                thread.name,
                thread.tid,
                thread.state,
                waits.unwrap_or_default()
            ))
            .into_owned(),
        );
    }
    for holder in &evidence.port_holders {
        said.push(text::plain(holder.spoken(evidence.gathered_at).english()).into_owned());
    }
    said.extend(evidence.further().iter().map(|it| text::plain(it.english()).into_owned()));
    for missing in &evidence.missing {
        said.push(format!("not gathered: {}", text::plain(missing.english())));
    }
    said
}

/// What was said at last, by whom: both streams with the times that are known, and the dumps.
pub fn last_words<'a>(evidence: &'a Evidence, zone: &TimeZone) -> Vec<(&'a str, Vec<String>)> {
    let dumps = evidence.dumps.iter().map(|dump| {
        (dump.of.as_str(), dump.lines.iter().map(|line| text::plain(line).into_owned()).collect())
    });
    let out = ("standard output", timed(&evidence.said_out(), zone));
    let err = ("standard error", timed(&evidence.said_err(), zone));
    [out, err].into_iter().chain(dumps).collect()
}

/// Each line with its time before it; one without a time stands below the others.
fn timed(said: &TimedLines<'_>, zone: &TimeZone) -> Vec<String> {
    let some_known = said.iter().any(|(at, _)| at.is_some());
    let line = |(at, line): &(Option<Moment>, &String)| {
        let line = text::plain(line);
        match at {
            Some(at) => format!("{}  {line}", words::clock(*at, zone)),
            None if some_known => format!("{:12}  {line}", ""),
            None => line.into_owned(),
        }
    };
    said.iter().map(line).collect()
}

fn tail(name: &str, lines: &[String], line: &mut impl FnMut(&str)) {
    if lines.is_empty() {
        return;
    }
    let shown = &lines[lines.len().saturating_sub(LINES_SHOWN)..];
    line(&format!("  last {} of {name}:", words::counted(shown.len(), "line")));
    for said in shown {
        line(&format!("    {said}"));
    }
}

/// How long it has been open, or was.
pub fn duration(incident: &Incident, now: Moment) -> String {
    spoken(incident.closed_at.unwrap_or(now).since(incident.opened_at))
}

/// The colour of its state.
pub fn state_colour(incident: &Incident) -> Colour {
    match incident.stage {
        Stage::Closed { outcome: Outcome::Healed | Outcome::Recovered } => Colour::Green,
        Stage::Closed { outcome: Outcome::TakenOver } => Colour::Grey,
        Stage::Escalated => Colour::Red,
        _ => Colour::Yellow,
    }
}

#[cfg(test)]
mod tests {
    use zelador_api::Remedy;

    use super::*;
    use crate::render::sample;

    const PLAIN: Terminal = Terminal { width: 110, colours: false };

    #[test]
    fn incidents_are_listed_with_local_times() {
        let zone = TimeZone::fixed(jiff::tz::offset(-3));
        let now = Moment::from_micros(sample::NOW);
        insta::assert_snapshot!(table(&[sample::incident()], now, &zone, PLAIN));
        assert_eq!(table(&[], now, &zone, PLAIN), "no incidents\n");
    }

    #[test]
    fn the_story_tells_what_was_seen_decided_and_done() {
        let now = Moment::from_micros(sample::NOW);
        insta::assert_snapshot!(story(&sample::incident(), now, &TimeZone::UTC, PLAIN));
    }

    #[test]
    fn what_a_person_is_asked_is_said_with_how_it_is_answered() {
        let now = Moment::from_micros(sample::NOW);
        let mut incident = sample::incident();
        let shown = |it: &Incident| {
            let all = std::slice::from_ref(it);
            (table(all, now, &TimeZone::UTC, PLAIN), story(it, now, &TimeZone::UTC, PLAIN))
        };
        let (listed, told) = shown(&incident);
        assert!(!listed.contains("asked") && !told.contains("asked"), "{listed}{told}");
        // A question beside what it does by itself.
        (incident.closed_at, incident.stage) = (None, Stage::AwaitingStart);
        incident.proposal = Some(Remedy::StopAndNotify);
        let (listed, told) = shown(&incident);
        let asked = "1 incident, 1 open; a person is asked in 7 (`zelador incident show ID`)\n";
        assert!(listed.ends_with(asked), "{listed}");
        let asked = "  asked     leave it down and tell a person? (`zelador incident approve 7`, or `reject 7`)\n";
        assert!(told.contains(asked), "{told}");
    }

    #[test]
    fn how_often_it_ended_so_is_said_beside_what_is_wrong() {
        let mut incident = sample::incident();
        let first = trouble(&incident);
        assert!(!first.contains("times"), "{first}");
        incident.reopened = 1;
        assert_eq!(trouble(&incident), format!("{first} (2 times)"));
        incident.deaths = 7;
        assert_eq!(trouble(&incident), format!("{first} (7 times)"));
    }

    #[test]
    fn what_belongs_together_is_named() {
        let now = Moment::from_micros(sample::NOW);
        let mut incident = sample::incident();
        let told = story(&incident, now, &TimeZone::UTC, PLAIN);
        assert!(!told.contains("part of") && !told.contains("with it"), "{told}");
        incident.part_of = Some(incident.id);
        incident.sufferers.insert(incident.app.clone());
        let told = story(&incident, now, &TimeZone::UTC, PLAIN);
        let (number, app) = (incident.id, &incident.app);
        assert!(told.contains(&format!("  part of   incident {number}\n")), "{told}");
        assert!(told.contains(&format!("  with it   {app}\n")), "{told}");
        let document = crate::render::post_mortem::markdown(&incident, now, &TimeZone::UTC);
        assert!(document.contains(&format!("| part of | incident {number} |")), "{document}");
        assert!(document.contains(&format!("| with it | {app} |")), "{document}");
    }
}
