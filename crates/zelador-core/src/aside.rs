//! Why something is set aside: what in, until when, and by whom.
//!
//! Pure: what is shown of a maintenance or a mute, and its words in any language.

use serde::{Deserialize, Serialize};

use crate::notify::Language;
use crate::said::span;
use crate::unit::Moment;
use crate::words::Words;

/// What somebody set aside until `until`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Kept<T>")]
pub struct Held<T> {
    /// When it ends.
    pub until: T,
    /// Who wanted it, as the audit calls them.
    pub by: String,
}

/// As it was kept by an engine that did not note who it was, or does.
#[derive(Deserialize)]
#[serde(untagged)]
enum Kept<T> {
    By { until: T, by: String },
    Nobodys(T),
}

impl<T> From<Kept<T>> for Held<T> {
    fn from(kept: Kept<T>) -> Self {
        match kept {
            Kept::By { until, by } => Self { until, by },
            Kept::Nobodys(until) => Self { until, by: NOBODY.to_owned() },
        }
    }
}

/// Whoever did not say who they are.
pub const NOBODY: &str = "unknown";

/// Why something does not count for the whole, and is left alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetAside {
    /// What kind of rest it is.
    pub how: How,
    /// When it ends; `None`: when somebody ends it.
    pub until: Option<Moment>,
    /// Who wanted it, as the audit calls them; `None`: a window of the configuration.
    pub by: Option<String>,
}

/// A kind of rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// The app, or everything, is being worked on.
    Maintenance,
    /// Nobody wants to hear of this check.
    Muted,
}

/// What the audit calls whoever uses the dashboard.
pub const DASHBOARD: &str = "dashboard";

/// Who gave a command, as the audit calls them, in a language: names stay.
pub fn asker(who: &str, language: Language) -> &str {
    match who {
        DASHBOARD => language.pick(DASHBOARD, "painel"),
        NOBODY => language.pick(NOBODY, "desconhecido"),
        other => other,
    }
}

/// The same in every language.
pub fn asker_words(who: &str) -> Words {
    let of = |language| asker(who, language).to_owned();
    Words::new(of(Language::En), of(Language::Pt))
}

/// By whom, in words.
pub fn by(who: &str, language: Language) -> String {
    match (language, who) {
        (Language::Pt, DASHBOARD) => "pelo painel".to_owned(),
        (Language::Pt, NOBODY) => "por alguém desconhecido".to_owned(),
        (Language::Pt, who) => format!("por {who}"),
        (Language::En, who) => format!("by {who}"),
    }
}

impl How {
    /// In a word.
    pub fn told(self, language: Language) -> &'static str {
        match self {
            Self::Maintenance => language.pick("maintenance", "manutenção"),
            Self::Muted => language.pick("muted", "silenciado"),
        }
    }
}

impl SetAside {
    /// In words: `in maintenance for another 20 min, by uid 1000`, `muted, by dashboard`.
    pub fn told(&self, now: Moment, language: Language) -> String {
        let how = match self.how {
            How::Maintenance => language.pick("in maintenance", "em manutenção"),
            How::Muted => self.how.told(language),
        };
        let rest = self.until.map(|until| {
            let lasts = language.pick("for another", "por mais");
            format!(" {lasts} {}", span(language, until.since(now)))
        });
        format!("{how}{}, {}", rest.unwrap_or_default(), self.whose(language))
    }

    /// By whom, in words.
    pub fn whose(&self, language: Language) -> String {
        match &self.by {
            Some(who) => by(who, language),
            None => language.pick("by its window", "por sua janela").to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_an_older_engine_kept_is_held_by_somebody_unknown() {
        let read = |text| serde_json::from_str::<Held<Option<u64>>>(text).expect(text);
        let held = |until, by: &str| Held { until, by: by.to_owned() };
        assert_eq!(read("7"), held(Some(7), NOBODY));
        assert_eq!(read("null"), held(None, NOBODY));
        let kept = held(None, "uid 0");
        assert_eq!(read(&serde_json::to_string(&kept).expect("it can be written")), kept);
    }

    #[test]
    fn a_rest_is_told_with_its_end_and_with_who_wanted_it() {
        let now = Moment::from_micros(1_700_000_000_000_000);
        let told = |how, until: Option<u64>, by: Option<&str>| {
            let until = until.map(|minutes| now + Duration::from_mins(minutes));
            let aside = SetAside { how, until, by: by.map(str::to_owned) };
            [Language::En, Language::Pt].map(|language| aside.told(now, language))
        };
        assert_eq!(
            told(How::Maintenance, Some(20), Some("uid 1000")),
            [
                "in maintenance for another 20 min, by uid 1000",
                "em manutenção por mais 20 min, por uid 1000"
            ]
        );
        assert_eq!(
            told(How::Maintenance, Some(90), None),
            [
                "in maintenance for another 1 h 30 min, by its window",
                "em manutenção por mais 1 h 30 min, por sua janela"
            ]
        );
        assert_eq!(
            told(How::Muted, None, Some("dashboard")),
            ["muted, by dashboard", "silenciado, pelo painel"]
        );
    }
}
