//! Rules that the user declared: what their programs say, and what that means.
//!
//! A pattern is searched in each line as it was written, by a matcher that is linear in the text. A user knows their
//! program: a rule that matches a line that was not overcome comes before what is known of programs in general. What it may
//! ask for is limited to what the cause would call for anyway, and to less.

use regex_lite::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use super::judge::{Hypothesis, judge, quote};
use super::snapshot::Snapshot;
use super::text::lines;
use super::{Action, Answer, Cause, Reasons, action};
use crate::words;

/// How sure a rule of the user is.
const SURE: f64 = 0.95;

/// How sure anything else may be beside it: too little to contradict it.
const BESIDE: f64 = 0.4;

/// A pattern is compiled into this many bytes at most.
const LARGEST_PATTERN: usize = 1 << 16;

/// More rules than this are no longer written by a person.
pub const MOST_RULES: usize = 200;

/// One rule of the user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRule {
    /// A regular expression.
    pub pattern: String,
    /// What a line with it means.
    pub cause: Cause,
    /// What to do; `None`: what the cause calls for.
    pub action: Option<Action>,
}

/// Compiles a pattern.
///
/// # Errors
/// What is wrong with it.
pub fn pattern(text: &str) -> Result<Regex, String> {
    if text.trim().is_empty() {
        return Err("an empty pattern is in every line".to_owned());
    }
    let built = RegexBuilder::new(text).size_limit(LARGEST_PATTERN).build();
    let regex = built.map_err(|error| error.to_string())?;
    if regex.is_match("") {
        return Err("it matches an empty line, and so every line".to_owned());
    }
    Ok(regex)
}

/// Whether a rule may ask for this: nothing that kills or deletes, and no start on data that may be damaged.
pub fn may_ask(cause: Cause, wanted: Action) -> bool {
    (wanted != Action::FreeDisk || cause == Cause::DiskFull)
        && !(cause == Cause::DataCorruption && wanted.starts_again())
}

/// Returns what the evidence says, the user's rules first.
pub fn judge_with(snapshot: &Snapshot, rules: &[UserRule]) -> Answer {
    let mut answer = judge(snapshot);
    if snapshot.stop_requested {
        return answer;
    }
    let lines = lines(&snapshot.log_tail);
    for rule in rules {
        let Ok(regex) = pattern(&rule.pattern) else { continue };
        let line = lines.iter().rev().find(|it| !it.recovered && regex.is_match(&it.written));
        let Some(line) = line else { continue };
        let (usual, restart_helps) = action::choose(rule.cause, snapshot);
        let wanted = rule.action.filter(|wanted| may_ask(rule.cause, *wanted));
        // Deleting needs the evidence that it always needs.
        let wanted =
            wanted.filter(|wanted| *wanted != Action::FreeDisk || usual == Action::FreeDisk);
        let (pattern, line) = (&rule.pattern, quote(line));
        let because = Reasons(vec![words!(
            "your rule `{pattern}`: {line}",
            "a sua regra `{pattern}`: {line}",
            line = line,
        )]);
        let action = wanted.unwrap_or(usual);
        let found =
            Hypothesis { cause: rule.cause, confidence: SURE, because, restart_helps, action };
        answer.hypotheses.retain(|it| it.cause != rule.cause);
        for other in &mut answer.hypotheses {
            other.confidence = other.confidence.min(BESIDE);
        }
        answer.hypotheses.insert(0, found.clone());
        answer.best = found;
        break;
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(line: &str) -> Snapshot {
        Snapshot {
            exit_code: Some(1),
            log_tail: vec!["2026-01-01 INFO up".to_owned(), line.to_owned()],
            ..Snapshot::default()
        }
    }

    #[test]
    fn a_rule_of_the_user_comes_first_and_asks_for_no_more_than_its_cause_may() {
        let rule = |cause, action| UserRule { pattern: r"E-\d{4}".to_owned(), cause, action };
        let said = "Error: licence server said E-4412";
        let answer = judge_with(&snapshot(said), &[rule(Cause::DependencyUnreachable, None)]);
        assert_eq!(answer.best.cause, Cause::DependencyUnreachable);
        assert_eq!(answer.best.action, Action::WaitForDependency);
        assert!(answer.best.because[0].english().contains("line 2"));
        // Nothing is deleted because a line says so.
        let answer = judge_with(&snapshot(said), &[rule(Cause::DiskFull, Some(Action::FreeDisk))]);
        assert_eq!(answer.best.action, Action::StopAndNotify);
        let answer = judge_with(&snapshot("Error: other"), &[rule(Cause::DbLock, None)]);
        assert_eq!(answer.best.cause, Cause::UncaughtException);
    }

    #[test]
    fn patterns_that_are_wrong_or_match_everything_are_told() {
        assert!(pattern("(").is_err() && pattern("x*").is_err() && pattern(" ").is_err());
        assert!(pattern("(a{1000}){1000}").is_err() && pattern(r"E-\d+").is_ok());
    }
}
