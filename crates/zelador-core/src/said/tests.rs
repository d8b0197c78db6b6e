//! Every sentence in every language.

use super::*;
use crate::unit::SECOND;

/// One of each.
fn all() -> Vec<Said> {
    let (remedy, incident) = (Remedy::Restart, IncidentId::new(7));
    let died = Why::Died {
        name: "api/0".to_owned(),
        death: Death::Exited { code: 3 },
        lived: Some(Duration::from_millis(4200)),
    };
    let reasons = [
        Why::Text("GET /health: no answer within 500 ms".to_owned()),
        Why::CheckIsUnhealthy { name: "api/0".to_owned(), message: "HTTP 500".to_owned() },
        Why::CheckIsGood,
        Why::StartHeld(90 * SECOND),
        Why::Finished,
        Why::Stopped,
        Why::Removed,
        Why::NobodyAnswered,
        Why::CauseUnknown,
        Why::NothingToDo,
        Why::DoesNotStayUp,
        Why::TookTooLong,
        Why::BudgetSpent(10),
        Why::PolicyDoesNotHelp(Box::new(died.clone())),
        Why::NothingHelped(Vec::new()),
        Why::NothingHelped(vec![(3, remedy.clone(), Some(TryResult::NoEffect))]),
        Why::NoUseToStart { cause: Cause::BadConfig, trial_in: None },
        Why::NoUseToStart { cause: Cause::PortInUse, trial_in: Some(60 * SECOND) },
    ];
    let mut all = vec![
        Said::Detected(died.clone()),
        Said::Again(died.clone()),
        Said::CameBack(died),
        Said::Evidence {
            took: Duration::from_millis(31),
            lines: 40,
            threads: 12,
            deaths: 2,
            usage: Some((ByteSize::new(54_945_382), 97.0)),
            descriptors: Some(21),
        },
        Said::NoEvidence,
        Said::Diagnosis {
            cause: Cause::DeadlockOrHang,
            confidence: 0.85,
            because: vec!["no answer".to_owned(), "no CPU time".to_owned()],
            remedy: remedy.clone(),
        },
        Said::SameDiagnosis(Cause::DiskFull),
        Said::Ladder { remedies: vec![Remedy::Reconnect, remedy.clone()], learned: true },
        Said::NotNow { remedy: remedy.clone(), why: "quiet hours".to_owned() },
        Said::Asks {
            remedy: remedy.clone(),
            why: "its mode is `ask`".to_owned(),
            incident,
            within: 900 * SECOND,
        },
        Said::Holder { holder: "port 80 is held by nginx".to_owned(), incident },
        Said::WouldHaveTried(remedy.clone()),
        Said::WouldHaveLeftDown,
        Said::StartCannotHelp,
        Said::Refused { remedy: remedy.clone(), why: "its data is damaged".to_owned() },
        Said::Try { number: 1, remedy: remedy.clone(), again: false },
        Said::Try { number: 2, remedy: remedy.clone(), again: true },
        Said::NextTry(4 * SECOND),
        Said::Done("3 files removed".to_owned()),
        Said::TakenBack,
        Said::Restarted { pid: 4711, within: 10 * SECOND },
        Said::PolicyIsAtWork,
        Said::WaitingFor("database main".to_owned()),
        Said::PartOf { incident, dependency: "database main".to_owned() },
        Said::AlsoSuffers { app: "web".to_owned(), incident },
        Said::IsBack("database main".to_owned()),
        Said::StaysSick("HTTP 500".to_owned()),
        Said::WaitsUnseen(63 * SECOND),
        Said::WaitingWasNoHelp("HTTP 500".to_owned()),
        Said::RestartHides { times: 3, lately: true },
        Said::RestartHides { times: 4, lately: false },
        Said::No(remedy.clone()),
        Said::Yes(remedy),
        Said::Muted,
    ];
    for result in [TryResult::NoEffect, TryResult::Worse] {
        all.push(Said::TryFailed { number: 1, result, why: Why::DoesNotStayUp });
    }
    for outcome in [Outcome::Healed, Outcome::Recovered, Outcome::TakenOver] {
        all.push(Said::Closed { outcome, after: 8 * SECOND, why: Why::CheckIsGood });
    }
    all.extend(reasons.map(Said::Escalated));
    all
}

#[test]
fn every_sentence_is_told_in_every_language() {
    let told =
        |said: &Said| format!("{}\n    {}", said.told(Language::En), said.told(Language::Pt));
    let lines: Vec<String> = all().iter().map(told).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn every_cause_has_words_of_its_own_in_portuguese() {
    let mut words: Vec<String> = Cause::ALL.iter().map(|it| it.told(Language::Pt)).collect();
    assert!(Cause::ALL.iter().all(|it| it.told(Language::Pt) != it.told(Language::En)));
    words.sort();
    words.dedup();
    assert_eq!(words.len(), Cause::ALL.len());
}

#[test]
fn a_sentence_is_kept_with_its_values_and_one_of_an_older_file_is_told_as_it_is() {
    for said in all() {
        let kept = serde_json::to_string(&said).expect("it can be written");
        assert_eq!(serde_json::from_str::<Said>(&kept).expect(&kept), said);
    }
    let old = r#"{"at":1700000000000000,"what":"detected: something"}"#;
    let entry: crate::incident::Entry = serde_json::from_str(old).expect("it can be read");
    assert_eq!(entry.told(Language::Pt), "detected: something");
}
