//! Asking a language model: when, with which words, and what becomes of its answer.
//!
//! Pure. A model advises and never acts: it may choose a cause of the closed set and point to lines that exist; what is
//! done about the cause is chosen here, by the evidence, and never costs more than what the rules would have done.
//! Always holds: nothing leaves that was not masked, and an answer that does not fit changes nothing.

mod advice;
mod mask;
mod prompt;

use serde::{Deserialize, Serialize};

pub use advice::{Advice, Wrong, parse};
pub use mask::mask;
pub use prompt::{Prompt, prompt};

use super::judge::{AS_LIKELY, Hypothesis};
use super::snapshot::Snapshot;
use super::{Action, Answer, Cause, Diagnosis, Reasons, action};
use crate::healing::Remedy;
use crate::notify;
use crate::words;

/// In which language reasons are given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Language {
    /// English.
    #[default]
    English,
    /// Portuguese.
    Portuguese,
}

/// Below this the rules are unsure.
const UNSURE: f64 = 0.7;

/// Two explanations contradict each other where so great a part of what speaks for one speaks for the other.
const NEAR: f64 = 0.85;

/// So do two that were found apart, where they are nearly as sure as each other.
const NEARLY: f64 = 0.15;

/// Why a model should be asked about an answer of the rules; `None`: it need not.
pub fn reason_to_ask(answer: &Answer) -> Option<WhyAsk> {
    let best = &answer.best;
    if best.cause == Cause::Unknown || best.confidence < UNSURE {
        return Some(WhyAsk::Unsure);
    }
    let second = answer.hypotheses.get(1)?;
    let contradicts = is_near(second, best.confidence) && second.action != best.action;
    contradicts.then_some(WhyAsk::Contradicting)
}

/// Whether an explanation comes near to the likeliest, of which it is known how sure that is.
fn is_near(other: &Hypothesis, best: f64) -> bool {
    if other.confidence > AS_LIKELY {
        other.confidence > best - NEARLY
    } else {
        other.confidence >= NEAR * AS_LIKELY
    }
}

/// Why a model is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhyAsk {
    /// The rules found nothing that is likely.
    Unsure,
    /// Two things are likely, and they want different remedies.
    Contradicting,
    /// What was tried did not help.
    RemedyFailed,
}

impl WhyAsk {
    /// In a language, without a capital.
    pub fn told(self, language: notify::Language) -> &'static str {
        match self {
            Self::Unsure => language.pick("the rules are unsure", "as regras estão incertas"),
            Self::Contradicting => {
                language.pick("the rules contradict each other", "as regras se contradizem")
            }
            Self::RemedyFailed => language.pick("a remedy failed", "um remédio não ajudou"),
        }
    }
}

/// The same about what an incident was taken for.
pub fn reason_to_ask_about(diagnosis: &Diagnosis) -> Option<WhyAsk> {
    if diagnosis.cause == Cause::Unknown || diagnosis.confidence < UNSURE {
        return Some(WhyAsk::Unsure);
    }
    let contradicts = |other: &Hypothesis| {
        other.cause != diagnosis.cause
            && is_near(other, diagnosis.confidence)
            && Remedy::of(other.action) != diagnosis.remedy
    };
    diagnosis.hypotheses.iter().any(contradicts).then_some(WhyAsk::Contradicting)
}

/// Returns what an incident is taken for once the advice is taken in. The remedy stays that of the rules where the model
/// would do nothing, or more than they: its word holds nobody back from what is known to help, and adds no risk.
pub fn advised(by_rules: &Diagnosis, advice: &Advice, snapshot: &Snapshot) -> Diagnosis {
    let mut merged = by_rules.clone();
    if advice.cause == Cause::Unknown || advice.cause == by_rules.cause {
        return merged;
    }
    let supported = by_rules.hypotheses.iter().any(|it| it.cause == advice.cause);
    let found = hypothesis(advice, supported, snapshot);
    merged.hypotheses.retain(|it| it.cause != found.cause);
    let wanted = Remedy::of(found.action);
    let is_gentler = wanted.risk() <= by_rules.remedy.risk() && risk(found.action) <= RESTART;
    let does = !matches!(wanted, Remedy::NotifyOnly | Remedy::StopAndNotify | Remedy::None);
    // A cause that forbids a start would hold the rules' remedy back.
    if by_rules.confidence > found.confidence || (!does && !supported) {
        merged.hypotheses.insert(1.min(merged.hypotheses.len()), found);
        return merged;
    }
    merged.cause = found.cause;
    merged.confidence = found.confidence;
    merged.because.clone_from(&found.because);
    merged.hypotheses.insert(0, found);
    if does && is_gentler {
        merged.remedy = wanted;
    }
    merged
}

/// The risk of a plain restart.
const RESTART: u8 = 3;

/// How much harm an action can do where it is wrong, from 0.
fn risk(action: Action) -> u8 {
    match action {
        Action::None | Action::NotifyOnly => 0,
        Action::StopAndNotify | Action::WaitForDependency => 1,
        Action::RestartWithBackoff => 2,
        Action::Restart | Action::Reload => 3,
        Action::RaiseLimitAndRestart | Action::ScaleOut => 4,
        Action::FreeDisk => 5,
    }
}

/// The most that a model's word is believed: it is confident of anything.
const BELIEVED: f64 = 0.6;

/// Returns the rules' answer with the model's advice taken in.
pub fn weigh(answer: Answer, advice: &Advice, snapshot: &Snapshot) -> Answer {
    let mut answer = answer;
    if reason_to_ask(&answer).is_none() || advice.cause == Cause::Unknown || snapshot.stop_requested
    {
        return answer;
    }
    let by_rules = answer.best.clone();
    let supported = answer.hypotheses.iter().any(|it| it.cause == advice.cause);
    let mut found = hypothesis(advice, supported, snapshot);
    if risk(found.action) > risk(by_rules.action) {
        found.action = by_rules.action;
    }
    let confidence = found.confidence;
    // Only numbers speak against a signal, a status or what the kernel counts.
    if by_rules.confidence > confidence {
        answer.hypotheses.retain(|it| it.cause != found.cause || it.cause == by_rules.cause);
        if found.cause != by_rules.cause {
            answer.hypotheses.insert(1.min(answer.hypotheses.len()), found);
        }
        return answer;
    }
    answer.hypotheses.retain(|it| it.cause != found.cause);
    answer.hypotheses.insert(0, found.clone());
    answer.best = found;
    answer
}

/// What the model says, as an explanation among others; `supported`: the rules named that cause too.
fn hypothesis(advice: &Advice, supported: bool, snapshot: &Snapshot) -> Hypothesis {
    let (action, restart_helps) = action::choose(advice.cause, snapshot);
    let reason = &advice.reason;
    let mut because = Reasons(vec![words!(
        "a language model suggests it: {reason}",
        "um modelo de linguagem sugere: {reason}",
    )]);
    because.extend(advice.lines.iter().filter_map(|number| {
        let line = snapshot.log_tail.get(number.checked_sub(1)?)?;
        let text: String = mask(line).chars().take(200).collect();
        Some(words!("line {number}: {text}", "linha {number}: {text}"))
    }));
    let confidence = advice.confidence.min(if supported { 0.85 } else { BELIEVED });
    Hypothesis { cause: advice.cause, confidence, because, restart_helps, action }
}

#[cfg(test)]
mod tests;
