//! Why something failed and is not tried again, in every language.

use super::{ErrorClass, GiveUp};
use crate::words;
use crate::words::Words;

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
            Self::AttemptsUsed { attempts, class } => words!(
                "{attempts} attempts failed, the last one because {class}",
                "{attempts} tentativas falharam, a última porque {class}",
                class = class.words()
            ),
            Self::TimeUsed { attempts, total } => words!(
                "{attempts} attempts failed within {total}, which is all the time there is",
                "{attempts} tentativas falharam em {total}, que é todo o tempo que há",
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
    fn what_is_told_in_english_is_what_the_log_says() {
        let class = ErrorClass::TimedOut;
        let second = Duration::from_secs(1);
        for (why, portuguese) in [
            (GiveUp::NotWorthwhile { class }, "não responde a tempo: outra"),
            (GiveUp::AttemptsUsed { attempts: 3, class }, "3 tentativas falharam, a última"),
            (GiveUp::TimeUsed { attempts: 3, total: second }, "3 tentativas falharam em 1"),
            (GiveUp::AskedToWaitTooLong { retry_after: second }, "pede para ser deixado"),
            (GiveUp::BudgetUsed, "seu alvo não tem mais tentativas"),
        ] {
            assert_eq!(why.words().english(), why.to_string());
            let told = why.words();
            assert!(told.told(Language::Pt).starts_with(portuguese), "{told:?}");
        }
    }
}
