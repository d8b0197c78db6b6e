//! What the guard has against a remedy: values, told in any language.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Remedy;
use crate::diagnosis::Cause;
use crate::notify::Language;
use crate::said::span;
use crate::words::times;

/// Why a remedy is not done, or not now, or not without a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Objection {
    /// A start cannot help against this.
    StartCannotHelp(Cause),
    /// There is nothing to free.
    NoVolumeIsFull,
    /// The app's mode is `ask`.
    Asks,
    /// It touches what is not the app's own.
    TouchesOthers,
    /// The budget of the app is used up.
    UsedUp {
        /// Of this remedy.
        remedy: Remedy,
        /// How often it was used.
        uses: usize,
        /// Within this.
        within: Duration,
    },
    /// The budget of the host is used up.
    HostUsedUp {
        /// How many remedies were used.
        uses: usize,
        /// Within this.
        within: Duration,
    },
    /// Its breaker is open.
    DidNotHelp {
        /// Of this remedy.
        remedy: Remedy,
        /// For so long still.
        wait: Duration,
    },
    /// It was mended again and again.
    CameBack {
        /// How often.
        times: usize,
        /// Within this.
        within: Duration,
    },
    /// The app's quiet hours.
    QuietHours,
    /// Another app of its group is being healed.
    Neighbour(String),
    /// It was just used.
    JustUsed,
}

impl Objection {
    /// The reason in a language; fits after "because".
    pub fn told(&self, language: Language) -> String {
        let is = |en: &str, pt: &str| language.pick(en, pt).to_owned();
        let span = |it: &Duration| span(language, *it);
        match self {
            Self::StartCannotHelp(cause) => {
                format!(
                    "{}: {}",
                    cause.told(language),
                    language.pick("a start cannot help", "iniciar não ajuda")
                )
            }
            Self::NoVolumeIsFull => {
                is("none of its volumes is full", "nenhum dos volumes dele está cheio")
            }
            Self::Asks => is("its mode is `ask`", "o modo dele é `ask`"),
            Self::TouchesOthers => {
                is("it touches what is not the app's own", "mexe no que não é do próprio app")
            }
            Self::UsedUp { remedy, uses, within } => {
                let (remedy, within) = (remedy.told(language), span(within));
                let often = times(*uses).told(language).to_owned();
                match language {
                    Language::En => format!("{remedy} was used {often} within {within}"),
                    Language::Pt => format!("{remedy} já foi usado {often} em {within}"),
                }
            }
            Self::HostUsedUp { uses, within } => {
                let within = span(within);
                match (language, uses) {
                    (Language::En, 1) => {
                        format!("a remedy was used on this host within {within}")
                    }
                    (Language::En, _) => {
                        format!("{uses} remedies were used on this host within {within}")
                    }
                    (Language::Pt, 1) => {
                        format!("um remédio já foi usado neste servidor em {within}")
                    }
                    (Language::Pt, _) => {
                        format!("{uses} remédios já foram usados neste servidor em {within}")
                    }
                }
            }
            Self::DidNotHelp { remedy, wait } => {
                let (remedy, wait) = (remedy.told(language), span(wait));
                match language {
                    Language::En => {
                        format!("{remedy} did not help this app lately: not before {wait}")
                    }
                    Language::Pt => {
                        format!("{remedy} não ajudou este app há pouco: não antes de {wait}")
                    }
                }
            }
            Self::CameBack { times, within } => {
                let within = span(within);
                match language {
                    Language::En => format!(
                        "the same cause came back {times} times within {within}: mending it needs a person"
                    ),
                    Language::Pt => format!(
                        "a mesma causa voltou {times} vezes em {within}: o conserto precisa de uma pessoa"
                    ),
                }
            }
            Self::QuietHours => {
                is("these are its quiet hours", "estas são as horas de silêncio dele")
            }
            Self::Neighbour(app) => match language {
                Language::En => format!("{app}, of the same group, is being healed"),
                Language::Pt => format!("{app}, do mesmo grupo, está em tratamento"),
            },
            Self::JustUsed => is("it was just used", "acabou de ser usado"),
        }
    }
}
