//! The words that frame a message, in the languages that there are.

use serde::{Deserialize, Serialize};

use super::message::News;
use crate::effect::Severity;

/// A language of messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Language {
    /// English.
    #[default]
    En,
    /// Portuguese, as in Brazil.
    Pt,
}

/// Labels of what stands beside the text.
pub struct Labels {
    /// How bad.
    pub severity: &'static str,
    /// Which app.
    pub app: &'static str,
    /// Which incident.
    pub incident: &'static str,
    /// On which host.
    pub host: &'static str,
    /// Since when.
    pub since: &'static str,
    /// When it was.
    pub when: &'static str,
    /// For how long.
    pub lasted: &'static str,
    /// How often it was not said.
    pub repeats: &'static str,
}

impl Language {
    /// Reads `en`, `pt` or `pt-BR`.
    pub fn read(word: &str) -> Option<Self> {
        match word.to_ascii_lowercase().replace('_', "-").as_str() {
            "en" | "en-us" | "en-gb" => Some(Self::En),
            "pt" | "pt-br" | "pt-pt" => Some(Self::Pt),
            _ => None,
        }
    }

    /// The one of two texts that is in this language.
    pub fn pick<T>(self, en: T, pt: T) -> T {
        match self {
            Self::En => en,
            Self::Pt => pt,
        }
    }

    /// A severity.
    pub fn severity(self, severity: Severity) -> &'static str {
        match severity {
            Severity::Info => self.pick("info", "informação"),
            Severity::Warning => self.pick("warning", "atenção"),
            Severity::Critical => self.pick("critical", "crítico"),
        }
    }

    /// How a message stands to its matter.
    pub fn news(self, news: News) -> &'static str {
        match news {
            News::Opened => self.pick("open", "aberto"),
            News::Changed => self.pick("changed", "mudou"),
            News::Reminder => self.pick("still open", "ainda aberto"),
            News::Resolved => self.pick("resolved", "resolvido"),
            News::Event => self.pick("event", "evento"),
            News::Digest => self.pick("digest", "resumo"),
            News::Test => self.pick("test", "teste"),
        }
    }

    /// The labels.
    pub fn labels(self) -> Labels {
        self.pick(
            Labels {
                severity: "Severity",
                app: "App",
                incident: "Incident",
                host: "Host",
                since: "Since",
                when: "When",
                lasted: "Lasted",
                repeats: "Not said before",
            },
            Labels {
                severity: "Gravidade",
                app: "App",
                incident: "Incidente",
                host: "Servidor",
                since: "Desde",
                when: "Quando",
                lasted: "Durou",
                repeats: "Repetições não enviadas",
            },
        )
    }
}
