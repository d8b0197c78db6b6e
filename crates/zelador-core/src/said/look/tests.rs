use super::*;
use crate::unit::SECOND;
use crate::words;
use crate::words::quoted;

#[test]
fn every_reason_of_a_check_is_told_in_every_language() {
    let text = |it: &str| Box::new(Look::Text(quoted(it)));
    let share = |value| Percent::new(value).expect("it is one");
    let memory = Look::Memory { share: share(78.1), total: ByteSize::mebibytes(15_974) };
    let beyond = |measure, unit, edge, below, usual| Look::Beyond {
        what: text("SELECT 1"),
        measure,
        unit,
        status: Status::Degraded,
        edge,
        until: None,
        below,
        usual,
    };
    let kept = |below, until| Look::Beyond {
        what: text("SELECT 1"),
        measure: None,
        unit: Unit::Percent,
        status: Status::Unhealthy,
        edge: 90.0,
        until: Some(until),
        below,
        usual: None,
    };
    let band = Band { low: 180.0, high: 240.5, outliers: (100.0, 300.0) };
    let died = Death::Exited { code: 1 };
    let all = [
        memory,
        Look::Cpu { busy: share(12.0), cores: 1 },
        Look::Cpu { busy: share(12.5), cores: 8 },
        Look::Disk {
            share: share(50.0),
            mount: "/mnt/a.b".into(),
            free: ByteSize::mebibytes(1_600),
        },
        Look::NoDisk,
        Look::Inodes { share: share(98.5), mount: "/var".into(), free: 120 },
        Look::NoInodes,
        Look::Several(vec![Look::NoDisk, Look::Cpu { busy: share(12.5), cores: 1 }]),
        Look::Slow { what: text("HTTP 200"), took: 2 * SECOND, slow: SECOND },
        beyond(None, Unit::Percent, 75.0, false, None),
        beyond(Some(("left".into(), 1.5)), Unit::Days, 3.0, true, None),
        beyond(Some(("memory".into(), 300.0)), Unit::Count, 250.5, false, Some(band)),
        kept(false, 87.0),
        kept(true, 93.0),
        Look::CannotLook(quoted("/proc/stat: permission denied")),
        Look::Flaps { changes: 4, looks: 21, own: text("HTTP 200") },
        Look::NotYet,
        Look::Up { age: Duration::from_millis(4_200), pid: 4711 },
        Look::ComesUp(None),
        Look::ComesUp(Some(text("connection refused"))),
        Look::DoesNotComeUp(text("HTTP 500")),
        Look::NotReady(text("HTTP 503")),
        Look::WaitsFor {
            name: "database main".into(),
            message: words!("connection closed by {at}", "conexão encerrada por {at}", at = "db"),
            own: text("HTTP 500"),
        },
        Look::Starts,
        Look::Restarts,
        Look::AboutToStart,
        Look::NextStart(3 * SECOND),
        Look::DiesOften { times: 3, death: died.clone() },
        Look::KeepsFailing(None),
        Look::KeepsFailing(Some(died.clone())),
        Look::EndedForGood(died),
    ];
    let line = |it: &Look| {
        let kept = serde_json::to_string(it).expect("it can be written");
        assert_eq!(&serde_json::from_str::<Look>(&kept).expect(&kept), it);
        format!("{}\n    {}", it.told(Language::En), it.told(Language::Pt))
    };
    insta::assert_snapshot!(all.iter().map(line).collect::<Vec<_>>().join("\n"));
}
