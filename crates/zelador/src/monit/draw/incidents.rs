//! What went wrong and what was done about it, the latest first.

use jiff::tz::TimeZone;
use ratatui::text::{Line, Span};
use zelador_api::Incident;
use zelador_api::unit::{Moment, spoken};

use super::{fold, palette};
use crate::monit::state::State;
use crate::render::terminal::Colour;
use crate::render::{incidents, text, words};

/// So many sentences of a story are shown, the first one and the latest.
const SENTENCES: usize = 6;
/// Columns of a time, and of the blanks around it.
const INDENT: usize = 12;

/// Returns its lines.
pub fn lines(state: &State, width: u16) -> Vec<Line<'static>> {
    if state.incidents.is_empty() {
        return vec![Line::from("no incidents: nothing had to be healed")];
    }
    let (open, over): (Vec<&Incident>, Vec<&Incident>) =
        state.incidents.iter().partition(|incident| incident.is_open());
    let all = open.into_iter().chain(over);
    all.flat_map(|incident| told(incident, state, usize::from(width))).collect()
}

fn told(incident: &Incident, state: &State, width: usize) -> Vec<Line<'static>> {
    let (now, look) = (state.now(), &state.look);
    let title = format!("#{} {}: {}  ", incident.id, incident.app, incident.trouble);
    let title = Span::styled(text::plain(&title).into_owned(), palette::strong());
    let colour = palette::paint(look, incidents::state_colour(incident));
    let standing = Span::styled(text::plain(&incident.state()).into_owned(), colour);
    let lasted = incidents::duration(incident, now);
    let tries = match incident.attempts {
        1 => "1 try".to_owned(),
        tries => format!("{tries} tries"),
    };
    let muted = incidents::muted(incident).map(|said| format!(", {said}")).unwrap_or_default();
    let facts = if incident.is_open() {
        format!("  open for {lasted}, {tries}{muted}")
    } else {
        format!("  {} ago, for {lasted}, {tries}", spoken(now.since(incident.opened_at)))
    };
    let whole = Line::from(vec![title.clone(), standing.clone(), Span::raw(facts.clone())]);
    let mut lines = if whole.width() <= width {
        vec![whole]
    } else {
        let mut lines = fold::broken(Line::from(vec![title, standing]), width);
        lines.extend(sentence("", facts.trim(), width, state));
        lines
    };
    if let Some(diagnosis) = &incident.diagnosis {
        let sure = (diagnosis.confidence * 100.0).round();
        let said = format!("it seems that {} ({sure} % sure)", diagnosis.cause);
        lines.extend(sentence("", &said, width, state));
    }
    let skipped = incident.story.len().saturating_sub(SENTENCES);
    for (place, entry) in incident.story.iter().enumerate() {
        if place > 0 && place <= skipped {
            if place == skipped {
                let said = format!("… `zelador incidents {}` tells all", incident.id);
                lines.extend(sentence("", &said, width, state));
            }
            continue;
        }
        let at = clock(entry.at, now, &look.zone);
        lines.extend(sentence(&at, &entry.what, width, state));
    }
    lines
}

fn sentence(at: &str, said: &str, width: usize, state: &State) -> Vec<Line<'static>> {
    let at = format!("  {at:<8}  ");
    let grey = palette::paint(&state.look, Colour::Grey);
    let mut parts = fold::folded(said, width.saturating_sub(INDENT), 0).into_iter();
    let first = parts.next().unwrap_or_default();
    let mut lines = vec![Line::from(vec![Span::styled(at, grey), Span::raw(first)])];
    lines.extend(parts.map(|part| Line::from(format!("{}{part}", " ".repeat(INDENT)))));
    lines
}

/// The time of the day; the date, if that was another day.
fn clock(at: Moment, now: Moment, zone: &TimeZone) -> String {
    let (at, now) = (words::local(at, zone), words::local(now, zone));
    let (day, time) = at.split_once(' ').unwrap_or((&at, ""));
    let is_today = now.starts_with(day);
    let short = day.get(2..).unwrap_or(day);
    if is_today { time.to_owned() } else { short.to_owned() }
}
