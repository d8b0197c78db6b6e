//! What a look amounts to: values, told in any language.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{comma, span};
use crate::check::{Band, Status};
use crate::death::Death;
use crate::notify::Language;
use crate::probe::{Unit, measure_name};
use crate::unit::{ByteSize, Percent};
use crate::words::Words;

/// Why a check, or an app, is as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Look {
    /// In the words of somebody else: a server, a command, the system.
    Text(Words),
    /// The host's memory in use.
    Memory {
        /// In use.
        share: Percent,
        /// Of this.
        total: ByteSize,
    },
    /// The host's processors.
    Cpu {
        /// The busy share of all.
        busy: Percent,
        /// How many.
        cores: u32,
    },
    /// A file system: of several that are well, the fullest.
    Disk {
        /// In use.
        share: Percent,
        /// Where it is mounted.
        mount: String,
        /// What an app may still write.
        free: ByteSize,
    },
    /// There is no file system to look at.
    NoDisk,
    /// The inodes of a file system: of several that are well, of the one with the largest share.
    Inodes {
        /// In use.
        share: Percent,
        /// Where it is mounted.
        mount: String,
        /// How many are left.
        free: u64,
    },
    /// No file system here counts inodes.
    NoInodes,
    /// More than one thing is beyond its limit; the worst stands first.
    Several(Vec<Look>),
    /// It was good, but took too long.
    Slow {
        /// What it said.
        what: Box<Look>,
        /// How long it took.
        took: Duration,
        /// From when on that is slow.
        slow: Duration,
    },
    /// What was measured is beyond a limit.
    Beyond {
        /// What it said.
        what: Box<Look>,
        /// Name and value, where `what` does not say them.
        measure: Option<(String, f64)>,
        /// In which unit.
        unit: Unit,
        /// What it is beyond the limit.
        status: Status,
        /// The limit.
        edge: f64,
        /// From where on it is over, where the value is back at the limit but not by its margin.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<f64>,
        /// It should not be below the limit, rather than above.
        below: bool,
        /// What is usual at this hour, where the limit was learnt.
        usual: Option<Band>,
    },
    /// The look itself was not possible.
    CannotLook(Words),
    /// Its verdict comes and goes.
    Flaps {
        /// How often it changed.
        changes: usize,
        /// Within how many looks.
        looks: usize,
        /// What the last look said.
        own: Box<Look>,
    },
    /// Nobody has looked yet.
    NotYet,
    /// It is up, and nobody asks it.
    Up {
        /// For how long.
        age: Duration,
        /// Its process.
        pid: i32,
    },
    /// Its startup probe is not good yet; what that said last.
    ComesUp(Option<Box<Look>>),
    /// Its startup probe gives up.
    DoesNotComeUp(Box<Look>),
    /// Its readiness probe is bad.
    NotReady(Box<Look>),
    /// What it needs is down.
    WaitsFor {
        /// What it needs.
        name: String,
        /// How that is.
        message: Words,
        /// What its own check says.
        own: Box<Look>,
    },
    /// It is being started.
    Starts,
    /// It is being stopped, to be started again.
    Restarts,
    /// It is about to be started.
    AboutToStart,
    /// It died, and waits.
    NextStart(Duration),
    /// It is up, and its last runs all ended in the same way.
    DiesOften {
        /// How many.
        times: u32,
        /// How.
        death: Death,
    },
    /// Its breaker is open; how it died last.
    KeepsFailing(Option<Death>),
    /// It is not started again.
    EndedForGood(Death),
}

impl Look {
    /// The sentence in a language, without a capital and a full stop.
    pub fn told(&self, language: Language) -> String {
        let is = |en: &str, pt: &str| language.pick(en, pt).to_owned();
        let of = |en: &str, pt: &str, what: &Self| {
            format!("{}: {}", language.pick(en, pt), what.told(language))
        };
        let number = |text: String| comma(language, text);
        let span = |it: &Duration| span(language, *it);
        match self {
            Self::Text(text) => text.told(language).to_owned(),
            Self::Memory { share, total } => number(format!(
                "{share} {} {total} {}",
                language.pick("of", "de"),
                language.pick("memory in use", "de memória em uso")
            )),
            Self::Cpu { busy, cores } => {
                let noun = match cores {
                    1 => language.pick("core", "núcleo"),
                    _ => language.pick("cores", "núcleos"),
                };
                let (of, busy_word) = (language.pick("of", "de"), language.pick("busy", "em uso"));
                number(format!("{busy} {of} {cores} {noun} {busy_word}"))
            }
            Self::Disk { share, mount, free } => {
                let (share, free) = (number(share.to_string()), number(free.to_string()));
                match language {
                    Language::En => format!("{share} of {mount} in use, {free} free"),
                    Language::Pt => format!("{share} de {mount} em uso, {free} livres"),
                }
            }
            Self::NoDisk => {
                is("no file system to look at", "nenhum sistema de arquivos a verificar")
            }
            Self::Inodes { share, mount, free } => {
                let share = number(share.to_string());
                match language {
                    Language::En => format!("{share} of the inodes of {mount} in use, {free} free"),
                    Language::Pt => format!("{share} dos inodes de {mount} em uso, {free} livres"),
                }
            }
            Self::NoInodes => is(
                "no file system here counts inodes",
                "nenhum sistema de arquivos aqui conta inodes",
            ),
            Self::Several(looks) => {
                let told: Vec<String> = looks.iter().map(|look| look.told(language)).collect();
                told.join(language.pick("; also ", "; também "))
            }
            Self::Slow { what, took, slow } => {
                let (what, took, slow) = (what.told(language), span(took), span(slow));
                match language {
                    Language::En => format!("{what}, but after {took}; {slow} is slow"),
                    Language::Pt => format!("{what}, mas após {took}; {slow} é lento"),
                }
            }
            Self::Beyond { .. } => self.beyond(language),
            Self::CannotLook(why) => {
                let (look, why) =
                    (language.pick("cannot look", "não é possível verificar"), why.told(language));
                format!("{look}: {why}")
            }
            Self::Flaps { changes, looks, own } => {
                let own = own.told(language);
                match language {
                    Language::En => format!("flapping: {changes} changes in {looks} looks; {own}"),
                    Language::Pt => {
                        format!("oscilando: {changes} mudanças em {looks} verificações; {own}")
                    }
                }
            }
            Self::NotYet => is("not looked at yet", "ainda não verificado"),
            Self::Up { age, pid } => {
                format!("{} {} (pid {pid})", language.pick("up for", "no ar há"), span(age))
            }
            Self::ComesUp(None) => {
                is("is coming up: not asked yet", "está subindo: sem resposta ainda")
            }
            Self::ComesUp(Some(what)) => of("is coming up", "está subindo", what),
            Self::DoesNotComeUp(what) => of("does not come up", "não sobe", what),
            Self::NotReady(what) => of("not ready", "não está pronto", what),
            Self::WaitsFor { name, message, own } => {
                let (own, message) = (own.told(language), message.told(language));
                match language {
                    Language::En => format!("waiting for {name} ({message}); its own check: {own}"),
                    Language::Pt => {
                        format!("aguarda {name} ({message}); a própria verificação: {own}")
                    }
                }
            }
            Self::Starts => is("is being started", "está sendo iniciado"),
            Self::Restarts => is("is being restarted", "está sendo reiniciado"),
            Self::AboutToStart => is("is about to be started", "está prestes a ser iniciado"),
            Self::NextStart(wait) => {
                let said =
                    language.pick("died; the next start is in", "morreu; o próximo início é em");
                format!("{said} {}", span(wait))
            }
            Self::DiesOften { times, death } => {
                let how = death.told(language);
                match language {
                    Language::En => {
                        format!("is up, but died {times} times in a row: the process {how}")
                    }
                    Language::Pt => {
                        format!("está no ar, mas morreu {times} vezes seguidas: o processo {how}")
                    }
                }
            }
            Self::KeepsFailing(death) => {
                let how = death.as_ref().map_or_else(
                    || is("was restarted too often", "foi reiniciado vezes demais"),
                    |death| death.told(language),
                );
                format!(
                    "{} {how}",
                    language.pick("keeps failing: the process", "continua falhando: o processo")
                )
            }
            Self::EndedForGood(death) => {
                let said =
                    language.pick("ended for good: the process", "terminou de vez: o processo");
                format!("{said} {}", death.told(language))
            }
        }
    }

    fn beyond(&self, language: Language) -> String {
        let Self::Beyond { what, measure, unit, status, edge, until, below, usual } = self else {
            return String::new();
        };
        let amount = |value: f64| amount(language, *unit, value);
        let mut told = what.told(language);
        if let Some((name, value)) = measure {
            let is = language.pick("is", "é");
            let name = measure_name(name, language);
            told.push_str(&format!("; {name} {is} {}", amount(*value)));
        }
        let edge = amount(*edge);
        told.push_str(&match (language, below) {
            (Language::En, true) => format!("; {status} below {edge}"),
            (Language::En, false) => format!("; {status} from {edge} on"),
            (Language::Pt, true) => format!("; {} abaixo de {edge}", status.told(language)),
            (Language::Pt, false) => format!("; {} a partir de {edge}", status.told(language)),
        });
        if let Some(until) = until.map(amount) {
            told.push_str(&match (language, below) {
                (Language::En, true) => format!(", until {until}"),
                (Language::En, false) => format!(", until below {until}"),
                (Language::Pt, true) => format!(", até {until}"),
                (Language::Pt, false) => format!(", até ficar abaixo de {until}"),
            });
        }
        if let Some(band) = usual {
            let (low, high) = (amount(band.low), amount(band.high));
            told.push_str(&match language {
                Language::En => format!(": normally {low}–{high} at this hour"),
                Language::Pt => format!(": normalmente {low}–{high} a esta hora"),
            });
        }
        told
    }
}

impl Status {
    /// In a word.
    pub fn told(self, language: Language) -> &'static str {
        match self {
            Self::Healthy => language.pick("healthy", "saudável"),
            Self::Degraded => language.pick("degraded", "degradado"),
            Self::Unhealthy => language.pick("unhealthy", "com falha"),
        }
    }
}

/// An amount with the words and the decimal sign of the language.
pub(crate) fn amount(language: Language, unit: Unit, value: f64) -> String {
    let said = unit.said(value);
    match (language, unit) {
        (Language::Pt, Unit::Days) => said.replace("day", "dia"),
        (Language::Pt, Unit::PerMinute) => comma(language, said).replace("a minute", "por minuto"),
        _ => comma(language, said),
    }
}

#[cfg(test)]
mod tests;
