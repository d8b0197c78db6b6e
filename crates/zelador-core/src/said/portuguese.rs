//! The sentences in Portuguese, as in Brazil.

use super::{Said, Why, comma, counts, span};
use crate::incident::{Outcome, TryResult};
use crate::notify::Language;
use crate::words::{Words, times};

const PT: Language = Language::Pt;

pub(super) fn sentence(said: &Said) -> String {
    match said {
        Said::Detected(why) => format!("detectado: {}", reason(why)),
        Said::Again(why) => format!("de novo: {}", reason(why)),
        Said::CameBack(why) => format!("voltou: {}", reason(why)),
        Said::Evidence { took, lines, threads, deaths, usage, descriptors } => {
            let took = took.as_millis();
            let counts = counts(*lines, *threads, *deaths);
            let mut told = format!("evidências reunidas em {took} ms: {}", counts.told(PT));
            if let Some((memory, cpu)) = usage {
                let memory = comma(PT, memory.to_string());
                told.push_str(&format!(", {memory} de memória, {cpu:.0} % de um núcleo"));
            }
            if let Some(open) = descriptors {
                told.push_str(&format!(", {open} descritores abertos"));
            }
            told
        }
        Said::NoEvidence => {
            "nenhuma evidência chegou a tempo: segue-se com o que já se sabia".to_owned()
        }
        Said::Diagnosis { cause, confidence, because, remedy } => {
            let because = match because[..] {
                [] => String::new(),
                _ => format!(", porque {}", Words::joined(because, "; ").told(PT)),
            };
            let (confidence, remedy) = (confidence * 100.0, remedy.told(PT));
            let cause = cause.told(PT);
            format!(
                "diagnóstico: {cause} (confiança {confidence:.0} %){because}; remédio: {remedy}"
            )
        }
        Said::SameDiagnosis(cause) => format!("diagnóstico: como antes, {}", cause.told(PT)),
        Said::Ladder { remedies, learned } => {
            let words: Vec<String> = remedies.iter().map(|it| it.told(PT)).collect();
            let learned = if *learned { ", na ordem do que já ajudou" } else { "" };
            format!("o que pode ser tentado: {}{learned}", words.join(", depois "))
        }
        Said::NotNow { remedy, why } => {
            format!("{}: agora não, {}", remedy.told(PT), reason(why))
        }
        Said::Asks { remedy, why, incident, within } => format!(
            "o próximo passo seria {}, e {}: `zelador incident approve {incident}` ou `zelador \
             incident reject {incident}`, em até {}{}",
            remedy.told(PT),
            reason(why),
            span(PT, *within),
            remedy.undo_in(PT).map_or_else(String::new, |undo| format!("; para desfazer: {undo}"))
        ),
        Said::Holder { holder, incident } => {
            format!(
                "{holder}: `zelador incident approve {incident}` o encerraria",
                holder = holder.told(PT)
            )
        }
        Said::WouldHaveTried(remedy) => {
            format!("teria tentado: {}; o modo é `observe`", remedy.told(PT))
        }
        Said::WouldHaveLeftDown => {
            "teria deixado parado: iniciar não ajuda; o modo é `observe`".to_owned()
        }
        Said::StartCannotHelp => {
            "iniciar não ajuda: se terminar do mesmo modo outra vez, fica parado".to_owned()
        }
        Said::Refused { remedy, why } => {
            format!("a guarda recusa: {}, porque {}", remedy.told(PT), reason(why))
        }
        Said::Proposes { remedy, why, incident } => {
            format!("{}: {}: `zelador incident approve {incident}`", remedy.told(PT), reason(why))
        }
        Said::InMaintenance { remedy, rest } => {
            format!("{}: agora não, a manutenção dura mais {}", remedy.told(PT), span(PT, *rest))
        }
        Said::Raised(raise) => raise.told(PT),
        Said::Lowered(limit) => {
            format!("desfeito: {} volta ao que era no próximo início", limit.told(PT))
        }
        Said::AsksModel { why, model, within: Some(within) } => {
            format!("{}: {model} é consultado, por {} no máximo", why.told(PT), span(PT, *within))
        }
        Said::AsksModel { why, model, within: None } => {
            format!("{}: {model} já foi consultado sobre o mesmo problema", why.told(PT))
        }
        Said::NoAdvice(Some(why)) => format!("sem conselho: {why}", why = why.told(PT)),
        Said::NoAdvice(None) => {
            "o modelo não respondeu a tempo: segue-se sem a palavra dele".to_owned()
        }
        Said::Advice { cause, confidence, reason, more } => {
            let words: Vec<String> = more.iter().map(|it| it.told(PT)).collect();
            let worth = if words.is_empty() {
                "o que não muda nada do que se tenta".to_owned()
            } else {
                format!("então também se pode tentar: {}", words.join(", "))
            };
            let sure = confidence * 100.0;
            let cause = cause.told(PT);
            format!("o modelo diz: {cause} ({sure:.0} % de certeza): {reason}; {worth}")
        }
        Said::RuntimeIsSilent => "o ambiente dele não disse mais nada a tempo".to_owned(),
        Said::Try { number, remedy, again } => {
            let told = if *again {
                String::new()
            } else {
                format!("; depois, {}", remedy.must_hold_in(PT))
            };
            format!("tentativa {number}: {}{told}", remedy.told(PT))
        }
        Said::TryFailed { number, result, why } => {
            let word = if *result == TryResult::Worse { "piorou" } else { "não ajudou" };
            format!("tentativa {number} {word}: {}", reason(why))
        }
        Said::NextTry(pause) => format!("próxima tentativa em {}", span(PT, *pause)),
        Said::Done(what) => format!("feito: {what}", what = what.told(PT)),
        Said::TakenBack => "desfeito: a réplica acrescentada sai".to_owned(),
        Said::Restarted { pid, within } => format!(
            "reiniciado (pid {pid}); a própria verificação tem {} para voltar ao normal",
            span(PT, *within)
        ),
        Said::MustHold(lasts) => format!(
            "a própria verificação voltou ao normal: curado se isso durar {}",
            span(PT, *lasts)
        ),
        Said::DidNotHold => "isso não durou".to_owned(),
        Said::PolicyIsAtWork => {
            "não está no ar: a política de reinício tem a próxima palavra".to_owned()
        }
        Said::WaitingFor(what) => format!("aguarda {what}: um reinício não o traria de volta"),
        Said::PartOf { incident, dependency } => {
            format!("faz parte do incidente {incident}: {dependency} está fora do ar")
        }
        Said::AlsoSuffers { app, incident } => {
            format!("{app} também sofre com isso (incidente {incident})")
        }
        Said::IsBack(what) => format!("{what} voltou: o app se recupera sozinho?"),
        Said::StaysSick(complaint) => {
            format!(
                "continua doente embora aquilo de que precisa tenha voltado: {complaint}",
                complaint = complaint.told(PT)
            )
        }
        Said::Flaps => "a verificação vai e volta: é um só incidente até que fique bem".to_owned(),
        Said::WaitsUnseen(pause) => format!(
            "aguarda por {} aquilo de que precisa, e que o zelador não pode verificar",
            span(PT, *pause)
        ),
        Said::WaitingWasNoHelp(complaint) => {
            format!("aguardar não ajudou: {complaint}", complaint = complaint.told(PT))
        }
        Said::RestartHides { times, lately } => {
            let times = crate::words::times(*times as usize);
            let times = times.told(PT);
            let what = if *lately {
                format!("terminou {times} em uma hora")
            } else {
                format!("voltou {times} com o mesmo fim")
            };
            format!("{what}: um reinício só esconde o problema, e uma pessoa deve olhar")
        }
        Said::Told(words) => words.told(PT).to_owned(),
        Said::Escalated(why) => {
            format!("escalado: {}; uma pessoa é necessária, e fica como está", reason(why))
        }
        Said::No(remedy) => format!("uma pessoa disse não: {}", remedy.told(PT)),
        Said::Yes(remedy) => format!("uma pessoa disse sim: {}", remedy.told(PT)),
        Said::Muted => "silenciado: ninguém mais é avisado".to_owned(),
        Said::Closed { outcome, after, why } => {
            let word = match outcome {
                Outcome::Healed => "curado",
                Outcome::Recovered => "recuperado",
                Outcome::TakenOver => "assumido por alguém",
            };
            format!("{word} após {}: {}", span(PT, *after), reason(why))
        }
    }
}

pub(super) fn reason(why: &Why) -> String {
    match why {
        Why::Text(text) => text.told(PT).to_owned(),
        Why::Objection(objection) => objection.told(PT),
        Why::Died { name, death, lived } => {
            let lived = lived.map(|lived| format!(" após {}", span(PT, lived)));
            format!("{name} {}{}", death.told(PT), lived.unwrap_or_default())
        }
        Why::CheckIsUnhealthy { name, message } => {
            format!("a verificação de {name} falha: {message}", message = message.told(PT))
        }
        Why::CheckIsGood => "a própria verificação voltou ao normal".to_owned(),
        Why::StartHeld(up) => format!("um início se manteve: no ar há {}", span(PT, *up)),
        Why::Finished => "terminou".to_owned(),
        Why::Stopped => "alguém o parou".to_owned(),
        Why::Removed => "o app foi removido".to_owned(),
        Why::DiedOf(incident) => format!("morreu: o incidente {incident} trata disso"),
        Why::NobodyAnswered => "ninguém disse sim a tempo".to_owned(),
        Why::CauseUnknown => "a causa não é conhecida".to_owned(),
        Why::NothingToDo => "nada que o zelador possa fazer ajudaria".to_owned(),
        Why::DoesNotStayUp => "não se mantém no ar".to_owned(),
        Why::TookTooLong => "o reinício demorou demais".to_owned(),
        Why::BudgetSpent(count) => {
            format!("foi reiniciado {} em uma hora, que é o limite", times(*count).told(PT))
        }
        Why::PolicyDoesNotHelp(why) => {
            format!("a política de reinício não ajuda: {}", reason(why))
        }
        Why::NothingHelped(tries) if tries.is_empty() => {
            "não há nada que possa ser tentado".to_owned()
        }
        Why::NothingHelped(tries) => {
            let words = tries.iter().map(|(times, remedy, result)| {
                let result = result.map(|result| match result {
                    TryResult::Healed => " (curado)",
                    TryResult::NoEffect => " (sem efeito)",
                    TryResult::Worse => " (pior)",
                });
                format!("{times} \u{d7} {}{}", remedy.told(PT), result.unwrap_or_default())
            });
            format!("nada ajudou: {}", words.collect::<Vec<_>>().join(", "))
        }
        Why::NoUseToStart { cause, trial_in } => {
            let next = trial_in.map_or_else(
                || "fica parado até alguém o iniciar".to_owned(),
                |after| format!("um início de teste em {}", span(PT, after)),
            );
            format!("{}, então iniciar não ajuda; {next}", cause.told(PT))
        }
    }
}
