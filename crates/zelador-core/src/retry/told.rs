//! Why something failed and is not tried again, in every language.

use super::{ErrorClass, GiveUp};
use crate::words;
use crate::words::{Words, counted};

impl ErrorClass {
    /// As it stands in a sentence, in every language: [`ErrorClass::said`] in English.
    pub fn words(self) -> Words {
        let portuguese = match self {
            Self::Unreachable => "não pode ser alcançado",
            Self::TimedOut => "não responde a tempo",
            Self::ConnectionLost => "a conexão se rompeu",
            Self::Overloaded => "tem trabalho demais",
            Self::ServerFailed => "ele próprio falhou",
            Self::Ineffective => "não ajudou",
            Self::Denied => "não nos deixa entrar",
            Self::Invalid => "o que se pediu está errado",
            Self::NotFound => "não está lá",
            Self::Cancelled => "ninguém mais espera por isso",
        };
        Words::new(self.said().to_owned(), portuguese.to_owned())
    }
}

impl GiveUp {
    /// Why there is no further attempt, in every language.
    pub fn words(&self) -> Words {
        match self {
            Self::NotWorthwhile { class } => words!(
                "{class}: another attempt would not change that",
                "{class}: outra tentativa não mudaria isso",
                class = class.words()
            ),
            Self::AttemptsUsed { attempts: 1, class } => words!(
                "the only attempt failed because {class}",
                "a única tentativa falhou porque {class}",
                class = class.words()
            ),
            Self::AttemptsUsed { attempts, class } => words!(
                "{attempts} attempts failed, the last one because {class}",
                "{attempts} tentativas falharam, a última porque {class}",
                class = class.words()
            ),
            Self::TimeUsed { attempts, total } => words!(
                "{failed} within {total}, which is all the time there is",
                "{failed} em {total}, que é todo o tempo que há",
                failed = counted(
                    *attempts as usize,
                    ("attempt failed", "attempts failed"),
                    ("tentativa falhou", "tentativas falharam"),
                ),
                total = *total
            ),
            Self::AskedToWaitTooLong { retry_after } => words!(
                "it asks to be left alone for {retry_after}",
                "pede para ser deixado em paz por {retry_after}",
                retry_after = *retry_after
            ),
            Self::BudgetUsed => words!(
                "its target has no retries left: too many operations fail there",
                "seu alvo não tem mais tentativas: operações demais falham lá",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::notify::Language;

    #[test]
    fn why_there_is_no_further_attempt_is_told_in_the_readers_language() {
        let class = ErrorClass::TimedOut;
        let second = Duration::from_secs(1);
        for (why, portuguese) in [
            (GiveUp::NotWorthwhile { class }, "não responde a tempo: outra"),
            (GiveUp::AttemptsUsed { attempts: 1, class }, "a única tentativa falhou"),
            (GiveUp::AttemptsUsed { attempts: 3, class }, "3 tentativas falharam, a última"),
            (GiveUp::TimeUsed { attempts: 1, total: second }, "1 tentativa falhou em 1"),
            (GiveUp::TimeUsed { attempts: 3, total: second }, "3 tentativas falharam em 1"),
            (GiveUp::AskedToWaitTooLong { retry_after: second }, "pede para ser deixado"),
            (GiveUp::BudgetUsed, "seu alvo não tem mais tentativas"),
        ] {
            let told = why.words();
            assert!(told.told(Language::Pt).starts_with(portuguese), "{told:?}");
        }
    }
}
