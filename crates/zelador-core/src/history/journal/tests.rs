use super::*;
use crate::death::Death;
use crate::evidence::PastDeath;
use crate::healing::Remedy;
use crate::incident::{Trouble, Try};
use crate::instance::{Goal, Start, Then};
use crate::unit::spoken;

const NOW: Moment = Moment::from_micros(1_700_000_000_000_000);

struct Story {
    journal: Journal,
    instance: Instance,
    told: Vec<String>,
    tick: u64,
}

impl Story {
    fn new() -> Self {
        let name = AppName::new("api").expect("a name");
        let instance = Instance::new(InstanceId::new(0), name, 0, Goal::Up, NOW);
        Self { journal: Journal::default(), instance, told: Vec::new(), tick: 0 }
    }

    fn now(&self) -> Moment {
        NOW + Duration::from_secs(self.tick)
    }

    fn record(&mut self) {
        self.tick += 1;
        let record = Record::Instance(Box::new(self.instance.clone()));
        let events = self.journal.tell(self.now(), &record);
        assert_eq!(self.journal.tell(self.now(), &record), [], "nothing new the second time");
        self.told.extend(events.iter().map(|it| {
            let run = it.run.map(|run| format!(" run {run}")).unwrap_or_default();
            let lasted = it.lasted.map(|it| format!(" after {}", spoken(it))).unwrap_or_default();
            format!("{}{run}{lasted}: {}", it.kind.word(), it.text)
        }));
    }

    fn phase(&mut self, phase: Phase) {
        self.instance.phase = phase;
        self.record();
    }

    fn up(&mut self, run: u64, cause: Cause) {
        self.instance.last_start = Some(Start { at: self.now(), cause });
        self.phase(Phase::Starting { run: RunId::new(run), give_up_at: NOW });
        let since = self.now();
        self.phase(Phase::Running { run: RunId::new(run), pid: 41, since, ready_by: None });
    }
}

#[test]
fn a_life_is_told_once() {
    let mut story = Story::new();
    story.up(1, Cause::Declared);
    let (at, death) = (story.now(), Death::Exited { code: 7 });
    story.instance.remember(PastDeath { at, death, uptime_millis: 5, explained: None });
    let death = Death::Exited { code: 7 };
    story.up(2, Cause::Died { death });
    let stopping = |death| Phase::Stopping {
        run: RunId::new(2),
        pid: Some(41),
        kill_at: NOW,
        then: Then::Start,
        death,
        waits: false,
    };
    story.phase(stopping(None));
    story.phase(stopping(Some(Death::Exited { code: 0 })));
    story.up(3, Cause::Healed { incident: IncidentId::new(9) });
    story.phase(Phase::Tripped { trial_at: None });
    let later = story.now() + Duration::from_secs(9);
    story.phase(Phase::Backoff { retry_at: later, held: false, fresh: false });
    story.phase(Phase::Backoff { retry_at: later, held: true, fresh: false });
    story.phase(Phase::Starting { run: RunId::new(4), give_up_at: NOW });
    let (run, since) = (RunId::new(4), story.now());
    let running = |ready_by| Phase::Running { run, pid: 42, since, ready_by };
    story.phase(running(Some(later)));
    story.phase(running(None));
    story.phase(Phase::Finished { death: Death::Exited { code: 0 } });
    insta::assert_snapshot!(story.told.join("\n"));
}

#[test]
fn what_ended_with_the_host_is_told_with_what_is_known_of_its_end() {
    let mut story = Story::new();
    story.up(1, Cause::Declared);
    let ended_at = Some(story.now() + Duration::from_secs(3));
    story.tick += 3600;
    story.up(2, Cause::HostRestarted { ended_at });
    story.tick += 3600;
    story.up(3, Cause::HostRestarted { ended_at: None });
    // Its own start was because of the host; its end was not.
    story.phase(Phase::Stopped);
    let ends = story.told.iter().filter(|it| it.starts_with("stopped")).map(String::as_str);
    assert_eq!(
        ends.collect::<Vec<_>>(),
        [
            "stopped run 1 after 4 s: the host was restarted",
            "stopped run 2: the host was restarted",
            "stopped run 3 after 2 s: ",
        ]
    );
}

#[test]
fn every_remedy_that_is_tried_is_told_once() {
    let mut journal = Journal::default();
    let (id, app) = (IncidentId::new(3), AppName::new("api").expect("a name"));
    let mut incident = Incident::new(id, app, InstanceId::new(0), Trouble::Unresponsive, NOW);
    let mut tell = |incident: &Incident| -> Vec<String> {
        let events = journal.tell(NOW, &Record::Incident(Box::new(incident.clone())));
        let remedies = events.iter().filter(|it| it.kind == Kind::Remedy);
        remedies.map(|it| it.text.english().to_owned()).collect()
    };
    assert!(tell(&incident).is_empty());
    for (remedy, said) in [
        (Remedy::CollectGarbage, "collect garbage"),
        (Remedy::Command("drain".to_owned()), "run `drain`"),
        (Remedy::Restart, "restart"),
    ] {
        incident.tries.push(Try { remedy, at: NOW, result: None });
        assert_eq!(tell(&incident), [said]);
        assert!(tell(&incident).is_empty(), "told once");
    }
}
