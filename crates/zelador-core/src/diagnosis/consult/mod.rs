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

use super::judge::Hypothesis;
use super::snapshot::Snapshot;
use super::{Action, Answer, Cause, action};

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

/// Two explanations nearer to each other than this contradict each other.
const NEAR: f64 = 0.15;

/// Why a model should be asked about an answer of the rules; `None`: it need not.
pub fn reason_to_ask(answer: &Answer) -> Option<&'static str> {
    let best = &answer.best;
    if best.cause == Cause::Unknown || best.confidence < UNSURE {
        return Some("the rules are unsure");
    }
    let second = answer.hypotheses.get(1)?;
    let contradicts = second.confidence > best.confidence - NEAR && second.action != best.action;
    contradicts.then_some("the rules contradict each other")
}

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
    let (wanted, restart_helps) = action::choose(advice.cause, snapshot);
    let action = if risk(wanted) <= risk(by_rules.action) { wanted } else { by_rules.action };
    let mut because = vec![format!("a language model suggests it: {}", advice.reason)];
    because.extend(advice.lines.iter().filter_map(|number| {
        let line = snapshot.log_tail.get(number.checked_sub(1)?)?;
        let text: String = mask(line).chars().take(200).collect();
        Some(format!("line {number}: {text}"))
    }));
    let supported = answer.hypotheses.iter().any(|it| it.cause == advice.cause);
    let confidence = advice.confidence.min(if supported { 0.85 } else { BELIEVED });
    let found = Hypothesis { cause: advice.cause, confidence, because, restart_helps, action };
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

#[cfg(test)]
mod tests;
