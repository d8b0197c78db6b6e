//! The sentences in English.

use super::{Said, Why, counts, span};
use crate::incident::TryResult;
use crate::notify::Language;
use crate::words::{Words, times};

const EN: Language = Language::En;

pub(super) fn sentence(said: &Said) -> String {
    match said {
        Said::Detected(why) => format!("detected: {}", reason(why)),
        Said::Again(why) => format!("again: {}", reason(why)),
        Said::CameBack(why) => format!("it came back: {}", reason(why)),
        Said::Evidence { took, lines, threads, deaths, usage, descriptors } => {
            let took = took.as_millis();
            let counts = counts(*lines, *threads, *deaths);
            let mut told = format!("evidence gathered in {took} ms: {}", counts.told(EN));
            if let Some((memory, cpu)) = usage {
                told.push_str(&format!(", {memory} of memory, {cpu:.0} % of a core"));
            }
            if let Some(open) = descriptors {
                told.push_str(&format!(", {open} open descriptors"));
            }
            told
        }
        Said::NoEvidence => "no evidence came in time: going on with what was known".to_owned(),
        Said::Diagnosis { cause, confidence, because, remedy } => {
            let because = match because[..] {
                [] => String::new(),
                _ => format!(", because {}", Words::joined(because, "; ").told(EN)),
            };
            let confidence = confidence * 100.0;
            format!("diagnosis: {cause} (confidence {confidence:.0} %){because}; remedy: {remedy}")
        }
        Said::SameDiagnosis(cause) => format!("diagnosis: as before, {cause}"),
        Said::Ladder { remedies, learned } => {
            let words: Vec<String> = remedies.iter().map(ToString::to_string).collect();
            let learned = if *learned { ", in the order of what helped before" } else { "" };
            format!("what can be tried: {}{learned}", words.join(", then "))
        }
        Said::NotNow { remedy, why } => format!("{remedy}: not now, {}", reason(why)),
        Said::Asks { remedy, why, incident, within } => format!(
            "{remedy} would be next, and {}: `zelador incident approve {incident}` or `zelador \
             incident reject {incident}`, within {}{}",
            reason(why),
            span(EN, *within),
            remedy.undo().map_or_else(String::new, |undo| format!("; to take it back: {undo}"))
        ),
        Said::Holder { holder, incident } => {
            format!(
                "{holder}: `zelador incident approve {incident}` would end it",
                holder = holder.told(EN)
            )
        }
        Said::WouldHaveTried(remedy) => {
            format!("would have tried: {remedy}; its mode is `observe`")
        }
        Said::WouldHaveLeftDown => {
            "would have left it down: a start cannot help; its mode is `observe`".to_owned()
        }
        Said::StartCannotHelp => {
            "a start cannot help: if it ends in the same way again, it is left down".to_owned()
        }
        Said::Refused { remedy, why } => {
            format!("the guard refuses: {remedy}, because {}", reason(why))
        }
        Said::Proposes { remedy, why, incident } => {
            format!("{remedy}: {}: `zelador incident approve {incident}`", reason(why))
        }
        Said::InMaintenance { remedy, rest } => {
            format!("{remedy}: not now, its maintenance lasts another {}", span(EN, *rest))
        }
        Said::Raised(raise) => raise.told(EN),
        Said::Lowered(limit) => format!("taken back: {limit} is as before at the next start"),
        Said::AsksModel { why, model, within: Some(within) } => {
            format!("{}: {model} is asked, {} at most", why.told(EN), span(EN, *within))
        }
        Said::AsksModel { why, model, within: None } => {
            format!("{}: {model} was asked about the same trouble before", why.told(EN))
        }
        Said::NoAdvice(Some(why)) => format!("no advice: {why}", why = why.told(EN)),
        Said::NoAdvice(None) => {
            "the model has not answered in time: going on without its word".to_owned()
        }
        Said::Advice { cause, confidence, reason, more } => {
            let words: Vec<String> = more.iter().map(ToString::to_string).collect();
            let worth = if words.is_empty() {
                "which changes nothing of what is tried".to_owned()
            } else {
                format!("so this can be tried too: {}", words.join(", "))
            };
            let sure = confidence * 100.0;
            format!("the model says: {cause} ({sure:.0} % sure): {reason}; {worth}")
        }
        Said::RuntimeIsSilent => "its runtime has said nothing more in time".to_owned(),
        Said::Try { number, remedy, again } => {
            let told =
                if *again { String::new() } else { format!("; then {}", remedy.must_hold()) };
            format!("try {number}: {remedy}{told}")
        }
        Said::TryFailed { number, result, why } => {
            let word = if *result == TryResult::Worse { "made it worse" } else { "did not help" };
            format!("try {number} {word}: {}", reason(why))
        }
        Said::NextTry(pause) => format!("next try in {}", span(EN, *pause)),
        Said::Done(what) => format!("done: {what}", what = what.told(EN)),
        Said::TakenBack => "taken back: the replica that was added goes".to_owned(),
        Said::Restarted { pid, within } => format!(
            "restarted (pid {pid}); its own check has {} to be good again",
            span(EN, *within)
        ),
        Said::MustHold(lasts) => {
            format!("its own check is good: healed if that lasts {}", span(EN, *lasts))
        }
        Said::DidNotHold => "that did not last".to_owned(),
        Said::PolicyIsAtWork => "it is not up: its restart policy has the next word".to_owned(),
        Said::WaitingFor(what) => {
            format!("waiting for {what}: a restart would not bring it back")
        }
        Said::PartOf { incident, dependency } => {
            format!("this is part of incident {incident}: {dependency} is down")
        }
        Said::AlsoSuffers { app, incident } => {
            format!("{app} suffers from it too (incident {incident})")
        }
        Said::IsBack(what) => format!("{what} is back: does the app recover by itself?"),
        Said::StaysSick(complaint) => {
            format!(
                "it stays sick although what it needs is back: {complaint}",
                complaint = complaint.told(EN)
            )
        }
        Said::Flaps => {
            "its check comes and goes: this is one incident until it has stayed well".to_owned()
        }
        Said::WaitsUnseen(pause) => format!(
            "waiting for what it needs, which zelador cannot look at, for {}",
            span(EN, *pause)
        ),
        Said::WaitingWasNoHelp(complaint) => {
            format!("waiting did not help: {complaint}", complaint = complaint.told(EN))
        }
        Said::RestartHides { times, lately } => {
            let times = crate::words::times(*times as usize);
            let what = if *lately {
                format!("ended {times} within an hour")
            } else {
                format!("came back {times} with the same end")
            };
            format!("it {what}: a restart only hides it, and a person should look")
        }
        Said::Told(words) => words.told(EN).to_owned(),
        Said::Escalated(why) => {
            format!("escalated: {}; a person is needed, and it is left as it is", reason(why))
        }
        Said::No(remedy) => format!("a person said no: {remedy}"),
        Said::Yes(remedy) => format!("a person said yes: {remedy}"),
        Said::Muted => "muted: nobody hears of it any more".to_owned(),
        Said::Closed { outcome, after, why } => {
            format!("{outcome} after {}: {}", span(EN, *after), reason(why))
        }
    }
}

pub(super) fn reason(why: &Why) -> String {
    match why {
        Why::Text(text) => text.told(EN).to_owned(),
        Why::Objection(objection) => objection.told(EN),
        Why::Died { name, death, lived } => {
            let lived = lived.map(|lived| format!(" after {}", span(EN, lived)));
            format!("{name} {death}{}", lived.unwrap_or_default())
        }
        Why::CheckIsUnhealthy { name, message } => {
            format!("the check of {name} is unhealthy: {message}", message = message.told(EN))
        }
        Why::CheckIsGood => "its own check is good again".to_owned(),
        Why::StartHeld(up) => format!("a start held: up for {}", span(EN, *up)),
        Why::Finished => "it finished".to_owned(),
        Why::Stopped => "somebody stopped it".to_owned(),
        Why::Removed => "the app was removed".to_owned(),
        Why::DiedOf(incident) => format!("it has died: incident {incident} is about that"),
        Why::NobodyAnswered => "nobody said yes in time".to_owned(),
        Why::CauseUnknown => "its cause is not known".to_owned(),
        Why::NothingToDo => "nothing that zelador may do would help".to_owned(),
        Why::DoesNotStayUp => "it does not stay up".to_owned(),
        Why::TookTooLong => "the restart took too long".to_owned(),
        Why::BudgetSpent(count) => {
            format!("it was restarted {} within an hour, which is the budget", times(*count))
        }
        Why::PolicyDoesNotHelp(why) => {
            format!("its restart policy does not help: {}", reason(why))
        }
        Why::NothingHelped(tries) if tries.is_empty() => {
            "there is nothing that may be tried".to_owned()
        }
        Why::NothingHelped(tries) => {
            let words = tries.iter().map(|(times, remedy, result)| {
                let result = result.map(|result| format!(" ({result})")).unwrap_or_default();
                format!("{times} \u{d7} {remedy}{result}")
            });
            format!("nothing helped: {}", words.collect::<Vec<_>>().join(", "))
        }
        Why::NoUseToStart { cause, trial_in } => {
            let next = trial_in.map_or_else(
                || "it stays down until somebody starts it".to_owned(),
                |after| format!("one trial start in {}", span(EN, after)),
            );
            format!("{cause}, so a start cannot help; {next}")
        }
    }
}
