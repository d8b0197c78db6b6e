//! Why a command is turned down: an answer, not an error of zelador.

use serde::{Deserialize, Serialize};

use crate::words;
use crate::words::Words;

/// Why a command was turned down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "refusal", content = "detail")]
pub enum Refusal {
    /// Nothing is called that.
    Unknown {
        /// What was asked for.
        selector: String,
        /// The nearest name there is.
        nearest: Option<String>,
    },
    /// `all` of nothing.
    Nothing,
    /// None of the apps offers this action.
    NoAction {
        /// Which apps were asked.
        apps: String,
        /// Which action.
        action: String,
        /// What they offer.
        known: Vec<String>,
    },
    /// It is being reloaded already.
    Reloading {
        /// Which app.
        app: String,
    },
    /// What stands between the slashes is no regular expression.
    Pattern {
        /// What was asked for.
        selector: String,
        /// What is wrong with it.
        reason: String,
    },
    /// It cannot be done to these apps.
    NotPossible {
        /// Why not.
        reason: Words,
        /// The next thing to try.
        help: Option<Words>,
    },
    /// Zelador is about to end.
    Stopping,
}

impl Refusal {
    /// Why, in every language.
    pub fn words(&self) -> Words {
        match self {
            Self::Unknown { selector, nearest: None } => words!(
                "no app, and no id, is called `{selector}`",
                "nenhum aplicativo, e nenhum id, se chama `{selector}`",
            ),
            Self::Unknown { selector, nearest: Some(name) } => words!(
                "no app, and no id, is called `{selector}`; did you mean `{name}`?",
                "nenhum aplicativo, e nenhum id, se chama `{selector}`; você quis dizer `{name}`?",
            ),
            Self::Nothing => words!("there is no app", "não há nenhum aplicativo"),
            Self::NoAction { apps, action, known } if known.is_empty() => {
                words!("{apps} offers no action `{action}`", "{apps} não oferece a ação `{action}`",)
            }
            Self::NoAction { apps, action, known } => {
                let known = known.join(", ");
                words!(
                    "{apps} offers no action `{action}`, only: {known}",
                    "{apps} não oferece a ação `{action}`, só: {known}",
                )
            }
            Self::Reloading { app } => words!(
                "{app} is being reloaded already: wait until that is done",
                "{app} já está sendo recarregado: aguarde até que termine",
            ),
            Self::Pattern { selector, reason } => words!(
                "`{selector}` is no regular expression: {reason}",
                "`{selector}` não é uma expressão regular: {reason}",
            ),
            Self::NotPossible { reason, .. } => reason.clone(),
            Self::Stopping => words!("zelador is stopping", "o zelador está parando"),
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.words().english())
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::Language;

    #[test]
    fn a_refusal_is_told_in_every_language() {
        let name = || "web".to_owned();
        let told = |refusal: Refusal| {
            let words = refusal.words();
            assert_eq!(refusal.to_string(), words.english());
            format!("{}\n    {}", words.english(), words.told(Language::Pt))
        };
        let all = [
            Refusal::Unknown { selector: "wbe".to_owned(), nearest: None },
            Refusal::Unknown { selector: "wbe".to_owned(), nearest: Some(name()) },
            Refusal::Nothing,
            Refusal::NoAction { apps: name(), action: "gc".to_owned(), known: Vec::new() },
            Refusal::NoAction {
                apps: name(),
                action: "gc".to_owned(),
                known: vec!["db".to_owned()],
            },
            Refusal::Reloading { app: name() },
            Refusal::Pattern { selector: "/[/".to_owned(), reason: "unclosed".to_owned() },
            Refusal::NotPossible { reason: words!("no", "não"), help: None },
            Refusal::Stopping,
        ];
        insta::assert_snapshot!(all.map(told).join("\n"), @r"
        no app, and no id, is called `wbe`
            nenhum aplicativo, e nenhum id, se chama `wbe`
        no app, and no id, is called `wbe`; did you mean `web`?
            nenhum aplicativo, e nenhum id, se chama `wbe`; você quis dizer `web`?
        there is no app
            não há nenhum aplicativo
        web offers no action `gc`
            web não oferece a ação `gc`
        web offers no action `gc`, only: db
            web não oferece a ação `gc`, só: db
        web is being reloaded already: wait until that is done
            web já está sendo recarregado: aguarde até que termine
        `/[/` is no regular expression: unclosed
            `/[/` não é uma expressão regular: unclosed
        no
            não
        zelador is stopping
            o zelador está parando
        ");
    }
}
