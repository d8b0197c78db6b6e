//! The query that a look at a database makes, and what its answer must be.

use zelador_core::probe::{Finding, Measure};
use zelador_core::redact;
use zelador_core::words;
use zelador_core::words::quoted;

/// The longest text of a server that is passed on.
const LONGEST_TEXT: usize = 200;

/// A query of the user's own, or none.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Query<'a> {
    /// `None`: the usual one of its kind.
    pub text: Option<&'a str>,
    /// What the first value of the answer must be.
    pub expect: Option<&'a str>,
}

impl<'a> Query<'a> {
    /// The query; `usual` where the user has none.
    pub(super) fn text(&self, usual: &'a str) -> &'a str {
        self.text.unwrap_or(usual)
    }

    /// The query as it stands in a sentence: short, on one line, without secrets.
    pub(super) fn said(&self, usual: &'a str) -> String {
        let text = redact::text(self.text(usual));
        text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(60).collect()
    }

    /// What the answer amounts to. `SELECT 1` must give 1.
    pub(super) fn judge(&self, answer: Option<&str>, measures: Vec<Measure>) -> Finding {
        self.judge_against("SELECT 1", Some("1"), answer, measures)
    }

    /// The same for another usual query, whose right answer is `right`.
    pub(super) fn judge_against(
        &self,
        usual: &'a str,
        right: Option<&str>,
        answer: Option<&str>,
        measures: Vec<Measure>,
    ) -> Finding {
        let expect = if self.text.is_none() { right } else { self.expect };
        let said = self.said(usual);
        match (expect, answer) {
            (None, _) => Finding::Measured { detail: quoted(said), measures },
            (Some(expect), Some(answer)) if expect == answer => {
                Finding::Measured { detail: quoted(said), measures }
            }
            (Some(expect), Some(answer)) => {
                let short: String = tidy(answer, None).chars().take(60).collect();
                Finding::WrongAnswer {
                    detail: words!(
                        "{said} gave `{short}`, not `{expect}`",
                        "{said} deu `{short}`, não `{expect}`"
                    ),
                }
            }
            (Some(expect), None) => Finding::WrongAnswer {
                detail: words!(
                    "{said} gave nothing, not `{expect}`",
                    "{said} não deu nada, e não `{expect}`"
                ),
            },
        }
    }
}

/// Without secrets, on one line, and not too long.
pub(super) fn tidy(text: &str, password: Option<&str>) -> String {
    let text = match password {
        // A shorter one would be masked in the middle of words, and tell more than it hides.
        Some(password) if password.len() >= 4 => text.replace(password, redact::MASK),
        _ => text.to_owned(),
    };
    let text = redact::text(&text);
    let printable = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    printable.take(LONGEST_TEXT).collect()
}
