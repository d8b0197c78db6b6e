//! Every sentence in every language.

use super::*;
use crate::unit::SECOND;
use crate::words;

/// One of each.
fn all() -> Vec<Said> {
    let (remedy, incident) = (Remedy::Restart, IncidentId::new(7));
    let died = Why::Died {
        name: "api/0".to_owned(),
        death: Death::Exited { code: 3 },
        lived: Some(Duration::from_millis(4200)),
    };
    let reasons = [
        Why::Text(words!("no answer within {t}", "sem resposta em {t}", t = SECOND / 2)),
        Why::CheckIsUnhealthy { name: "api/0".to_owned(), message: quoted("HTTP 500") },
        Why::CheckIsGood,
        Why::StartHeld(90 * SECOND),
        Why::Finished,
        Why::Stopped,
        Why::Removed,
        Why::DiedOf(IncidentId::new(4)),
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
            because: vec![
                quoted("no answer"),
                words!("it was asked to stop", "pediram que parasse"),
            ],
            remedy: remedy.clone(),
        },
        Said::Diagnosis {
            cause: Cause::Unknown,
            confidence: 0.3,
            because: Vec::new(),
            remedy: remedy.clone(),
        },
        Said::SameDiagnosis(Cause::DiskFull),
        Said::Ladder { remedies: vec![Remedy::Reconnect, remedy.clone()], learned: true },
        Said::NotNow { remedy: remedy.clone(), why: Objection::QuietHours.into() },
        Said::Asks {
            remedy: remedy.clone(),
            why: Objection::Asks.into(),
            incident,
            within: 900 * SECOND,
        },
        Said::Holder { holder: quoted("port 80 is held by nginx"), incident },
        Said::WouldHaveTried(remedy.clone()),
        Said::WouldHaveLeftDown,
        Said::StartCannotHelp,
        Said::Refused { remedy: remedy.clone(), why: Why::Text(quoted("its data is damaged")) },
        Said::Try { number: 1, remedy: remedy.clone(), again: false },
        Said::Try { number: 2, remedy: remedy.clone(), again: true },
        Said::NextTry(4 * SECOND),
        Said::Done(words!("3 files removed", "3 arquivos removidos")),
        Said::TakenBack,
        Said::Restarted { pid: 4711, within: 10 * SECOND },
        Said::MustHold(SECOND),
        Said::DidNotHold,
        Said::PolicyIsAtWork,
        Said::WaitingFor("database main".to_owned()),
        Said::PartOf { incident, dependency: "database main".to_owned() },
        Said::AlsoSuffers { app: "web".to_owned(), incident },
        Said::IsBack("database main".to_owned()),
        Said::StaysSick(quoted("HTTP 500")),
        Said::Flaps,
        Said::WaitsUnseen(63 * SECOND),
        Said::WaitingWasNoHelp(quoted("HTTP 500")),
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
    let why = |objection: Objection| Why::Objection(objection);
    let within = Duration::from_hours(1);
    let objections = [
        Objection::StartCannotHelp(Cause::SyntaxError),
        Objection::NoVolumeIsFull,
        Objection::TouchesOthers,
        Objection::UsedUp { remedy: Remedy::Restart, uses: 3, within },
        Objection::HostUsedUp { uses: 20, within },
        Objection::DidNotHelp { remedy: Remedy::Restart, wait: 90 * SECOND },
        Objection::CameBack { times: 4, within },
        Objection::QuietHours,
        Objection::Neighbour("web".to_owned()),
        Objection::JustUsed,
    ];
    all.extend(objections.map(|it| Said::NotNow { remedy: Remedy::Restart, why: why(it) }));
    let ask = |why, within| Said::AsksModel { why, model: "qwen".to_owned(), within };
    let advice = |more: &[Remedy]| Said::Advice {
        cause: Cause::MemoryLeak,
        confidence: 0.7,
        reason: "it only grows".to_owned(),
        more: more.to_vec(),
    };
    let raise = |from| Raise { limit: Bound::Memory, from, to: 134_217_728 };
    all.extend([
        Said::Proposes { remedy: Remedy::Restart, why: why(Objection::Asks), incident },
        Said::InMaintenance { remedy: Remedy::Restart, rest: 90 * SECOND },
        Said::Raised(raise(None)),
        Said::Raised(raise(Some(67_108_864))),
        Said::Lowered(Bound::OpenFiles),
        ask(WhyAsk::Unsure, Some(20 * SECOND)),
        ask(WhyAsk::Contradicting, None),
        ask(WhyAsk::RemedyFailed, Some(SECOND)),
        Said::NoAdvice(Some(quoted("connection refused"))),
        Said::NoAdvice(None),
        advice(&[]),
        advice(&[Remedy::CollectGarbage]),
        Said::RuntimeIsSilent,
    ]);
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
    let old = r#"{"refused":{"remedy":"restart","why":"its data is damaged"}}"#;
    let said =
        Said::Refused { remedy: Remedy::Restart, why: Why::Text(quoted("its data is damaged")) };
    assert_eq!(serde_json::from_str::<Said>(old).expect("a reason was text"), said);
    let old = r#"{"at":1700000000000000,"what":"detected: something"}"#;
    let entry: crate::incident::Entry = serde_json::from_str(old).expect("it can be read");
    assert_eq!(entry.told(Language::Pt), "detected: something");
}
