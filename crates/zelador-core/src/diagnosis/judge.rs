//! From evidence to ranked causes.
//!
//! Status and numbers come before text; of the text, the end comes before what was said earlier, and
//! what was overcome counts for little. Deterministic: the same evidence has the same answer.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::alive::alive;
use super::board::{Board, Score};
use super::contexts::contexts;
use super::level::is_bad;
use super::numbers::status;
use super::phrase::Haystack;
use super::rules::Rule;
use super::snapshot::Snapshot;
use super::text::{Level, Line, lines};
use super::trace::without_places;
use super::{Action, Cause, Reasons, action, chain, codes, ending, origin, pairs, rules};
use crate::redact;
use crate::words;
use crate::words::Words;

/// One explanation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hypothesis {
    /// Why it is sick.
    pub cause: Cause,
    /// How sure, from 0 to 1.
    pub confidence: f64,
    /// What it rests on: lines and numbers, secrets masked.
    #[serde(flatten)]
    pub because: Reasons,
    /// Whether a restart ends the incident.
    pub restart_helps: action::Helps,
    /// What to do.
    pub action: Action,
}

/// What is found, the likeliest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The likeliest.
    #[serde(flatten)]
    pub best: Hypothesis,
    /// All that is worth naming, the likeliest first.
    pub hypotheses: Vec<Hypothesis>,
}

/// Below this nothing is known.
const LEAST: f64 = 0.22;

/// A line that many ordinary ones follow says at least this part of what it would say as the last.
const FADED: f64 = 0.12;

/// Returns what the evidence says.
pub fn judge(snapshot: &Snapshot) -> Answer {
    let lines = lines(&snapshot.log_tail);
    let mut board = Board::default();
    let said = weigh(&lines, snapshot);
    read(&mut board, &lines, &said);
    contexts(&mut board, &lines, &said.parts, snapshot);
    status(&mut board, snapshot, &lines);
    if snapshot.is_alive() {
        alive(&mut board, snapshot);
    }
    let mut answer = rank(board, snapshot);
    if let Some(place) = origin(&answer.best, &lines, &said) {
        answer.best.because.push(place.clone());
        answer.hypotheses[0].because.push(place);
    }
    answer
}

/// Where the program has failed, where that is what ails it.
fn origin(best: &Hypothesis, lines: &[Line], said: &Said) -> Option<Words> {
    let own =
        [Cause::UncaughtException, Cause::PanicAssertion, Cause::SyntaxError, Cause::StackOverflow];
    let tells = |known: &Vec<(Cause, f64)>| known.iter().any(|(cause, _)| *cause == best.cause);
    let is_message = |at: &usize| !lines[*at].is_frame && tells(&said.known[*at]);
    let message = (0..lines.len()).rev().find(is_message).filter(|_| own.contains(&best.cause))?;
    let place = redact::text(&origin::of(lines, message)?);
    Some(words!("it happened in {place}", "aconteceu em {place}"))
}

/// What is known of the lines, and how much each of them counts.
struct Said {
    known: Vec<Vec<(Cause, f64)>>,
    parts: Vec<f64>,
}

/// Weighs the lines.
fn weigh(lines: &[Line], snapshot: &Snapshot) -> Said {
    let known: Vec<Vec<(Cause, f64)>> = lines.iter().map(|line| known(line, snapshot)).collect();
    let is_said = |line: &&Line| !line.is_frame && !line.written.trim().is_empty();
    let is_worse = |line: &&Line| {
        line.level == Level::Error
            || is_said(line) && line.level == Level::Unsaid && is_bad(&line.text)
    };
    let worst = lines.iter().rev().find(is_worse).map_or(0, |line| line.number);
    let last = lines.iter().rev().find(is_said).map_or(0, |line| line.number);
    let tells_why = |at: usize| known[at].iter().any(is_specific);
    let wrapped = chain::shares(lines, tells_why);
    let tells_something = |at: usize| known[at].iter().any(is_likely);
    let earlier = ending::shares(lines, snapshot, tells_something);
    let part = |line: &Line| {
        let fade = 0.9_f64.powi(i32::try_from(line.followed_by).unwrap_or(i32::MAX)).max(FADED);
        let mood = if line.number < last { mood(line) } else { 1.0 };
        let grave = grave(line, snapshot, line.number < worst);
        let share = wrapped[line.number] * earlier[line.number];
        grave * overcome(line, snapshot) * mood * fade * share
    };
    let parts = lines.iter().map(part).collect();
    Said { known, parts }
}

/// What the lines say, each for itself.
fn read(board: &mut Board, lines: &[Line], said: &Said) {
    for ((line, known), part) in lines.iter().zip(&said.known).zip(&said.parts) {
        for (cause, weight) in known {
            let value = weight * part;
            if value > 0.05 {
                board.add(*cause, value, quote(line), order(line));
            }
        }
    }
}

/// What the words and codes of a line point to.
fn known(line: &Line, snapshot: &Snapshot) -> Vec<(Cause, f64)> {
    if line.is_frame {
        let haystack = Haystack::new(&line.text);
        return weights(rules::of_frames(), &haystack).collect();
    }
    let text = without_places(&line.text);
    let haystack = Haystack::new(&text);
    let mut known: Vec<_> = weights(rules::all(), &haystack).chain(codes::codes(&text)).collect();
    let is_known = known
        .iter()
        .any(|(cause, weight)| *cause != Cause::UncaughtException && *weight >= pairs::KNOWN);
    if !is_known {
        known.extend(pairs::pairs(&haystack, snapshot.uptime_s));
    }
    known
}

fn weights<'a>(
    rules: impl Iterator<Item = &'static Rule> + 'a,
    text: &'a Haystack<'_>,
) -> impl Iterator<Item = (Cause, f64)> + 'a {
    rules.filter(|rule| rule.matches(text)).map(|rule| (rule.cause, rule.weight))
}

/// Whether it is more than that nobody caught something.
fn is_specific((cause, weight): &(Cause, f64)) -> bool {
    !matches!(cause, Cause::UncaughtException | Cause::PanicAssertion) && *weight >= pairs::KNOWN
}

/// Whether it is that, or at least a thing and what is wrong with it.
fn is_likely((cause, weight): &(Cause, f64)) -> bool {
    !matches!(cause, Cause::UncaughtException | Cause::PanicAssertion) && *weight >= pairs::WEIGHT
}

/// How much the level of a line lets it say; `is_outdone`: whether something worse is said later.
fn grave(line: &Line, snapshot: &Snapshot, is_outdone: bool) -> f64 {
    let is_last_word = line.followed_by == 0;
    let ended_itself = snapshot.exit_code.is_some_and(|code| code != 0);
    match line.level {
        // What a service that lives warns of is what it suffers from; so is the last word of one that died.
        Level::Warning if snapshot.is_alive() || is_last_word && !is_outdone => 0.75,
        Level::Warning => 0.4,
        // Some say at level `info` what they then die of, and some say no level at all.
        Level::Calm if ended_itself && is_last_word && !line.states_level => 0.75,
        Level::Calm if ended_itself && is_last_word && line.tells_of_failure() => 0.5,
        Level::Calm => 0.12,
        Level::Unsaid | Level::Error => 1.0,
    }
}

/// What a sentence that speaks of no trouble says, where it is not the last.
const STATEMENT: f64 = 0.25;

/// How much of a line is left where it speaks of no trouble: what a program prints of its settings and its work.
fn mood(line: &Line) -> f64 {
    // Of other languages only the commonest words of trouble are known.
    let is_foreign = line.text.chars().any(|c| !c.is_ascii() && c.is_alphabetic());
    let is_sentence =
        line.level == Level::Unsaid && !line.is_frame && !line.written.starts_with(' ');
    let has_code =
        line.written.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(is_code);
    if is_sentence && !is_foreign && !has_code && !is_bad(&line.text) { STATEMENT } else { 1.0 }
}

/// `ECONNREFUSED`, `SQLITE_BUSY`, `42P01`.
fn is_code(word: &str) -> bool {
    word.len() > 4
        && word.bytes().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == b'_')
        && word.bytes().any(|c| c.is_ascii_uppercase())
}

/// How much of it is left after what was overcome.
fn overcome(line: &Line, snapshot: &Snapshot) -> f64 {
    let ended_itself = snapshot.exit_code.is_some_and(|code| code != 0);
    match line.level {
        // Nothing is overcome by a program that then ends with an error.
        Level::Error if line.recovered && ended_itself && line.followed_by == 0 => 0.6,
        _ if line.recovered => 0.15,
        _ => 1.0,
    }
}

/// Where a line stands among the reasons: sentences come before what is printed below them, the latest first.
pub(super) fn order(line: &Line) -> usize {
    let whole = if line.written.starts_with(' ') { usize::MAX } else { usize::MAX / 2 };
    whole - line.number
}

/// What a reason says, without its digits: lines that differ in times and numbers alone say the same.
fn said(why: &Words) -> String {
    why.english().chars().filter(|c| !c.is_ascii_digit()).collect()
}

pub(super) fn quote(line: &Line) -> Words {
    let text: String = line.written.trim().trim_end_matches(',').chars().take(200).collect();
    let (number, text) = (line.number + 1, redact::text(&text));
    words!("line {number}: {text}", "linha {number}: {text}")
}

/// The causes by their scores, with how sure each is.
fn rank(board: Board, snapshot: &Snapshot) -> Answer {
    let mut scores: Vec<(Cause, Score)> =
        board.0.into_iter().filter(|(_, score)| score.value >= LEAST).collect();
    scores.sort_by(|a, b| b.1.value.total_cmp(&a.1.value).then(a.0.cmp(&b.0)));
    let best = scores.first().map_or(0.0, |(_, score)| score.value);
    let second = scores.get(1).map_or(0.0, |(_, score)| score.value);
    let mut hypotheses: Vec<Hypothesis> = scores
        .into_iter()
        .take(4)
        .map(|(cause, mut score)| {
            score.because.sort_by_key(|(order, _)| *order);
            let mut because: Vec<Words> = score.because.into_iter().map(|(_, why)| why).collect();
            let mut known = BTreeSet::new();
            because.retain(|why| known.insert(said(why)));
            because.truncate(5);
            let confidence = confidence(score.value, best, second);
            hypothesis(cause, confidence, Reasons(because), snapshot)
        })
        .collect();
    if hypotheses.is_empty() {
        let because =
            Reasons(vec![words!("nothing in the evidence tells", "nada nas evidências diz")]);
        hypotheses.push(hypothesis(Cause::Unknown, 0.4, because, snapshot));
    }
    careful(&mut hypotheses);
    Answer { best: hypotheses[0].clone(), hypotheses }
}

/// How sure an explanation is for which as much speaks as for the likeliest; others are less so, in proportion.
pub(super) const AS_LIKELY: f64 = 0.5;

/// How sure a score makes: by its height, and by how far the next one is behind.
fn confidence(value: f64, best: f64, second: f64) -> f64 {
    if value < best {
        return AS_LIKELY * value / best;
    }
    let height: f64 = match value {
        v if v >= 0.85 => 0.98,
        v if v >= 0.6 => 0.93,
        v if v >= 0.4 => 0.8,
        _ => 0.6,
    };
    let ahead = (best - second) / best;
    if ahead < 0.05 {
        height - 0.2
    } else if ahead < 0.15 {
        height - 0.07
    } else {
        height
    }
}

fn hypothesis(cause: Cause, confidence: f64, because: Reasons, snapshot: &Snapshot) -> Hypothesis {
    let (action, restart_helps) = action::choose(cause, snapshot);
    Hypothesis { cause, confidence, because, restart_helps, action }
}

/// From this part of the best score on, damaged data is likely enough to leave the files alone.
const MAYBE_DAMAGED: f64 = 0.3;

/// Starting again on data that may be damaged is the one thing that cannot be undone.
fn careful(hypotheses: &mut [Hypothesis]) {
    let may_be_damaged = hypotheses
        .iter()
        .any(|it| it.cause == Cause::DataCorruption && it.confidence >= MAYBE_DAMAGED);
    let best = &mut hypotheses[0];
    if may_be_damaged && best.action.starts_again() && !best.cause.is_about_its_end() {
        best.action = Action::StopAndNotify;
    }
}
