//! How the desk behaves, by chosen times.

mod digests;

use std::time::Duration;

use jiff::tz::TimeZone;

use super::*;
use crate::effect::Severity;
use crate::question::Question;
use crate::unit::{Moment, SECOND};
use crate::words::quoted;

const NOW: Moment = Moment::from_micros(1_700_000_000_000_000);

fn hook(name: &str) -> (String, Channel) {
    let kind = ChannelKind::Slack(SlackTo::Webhook { url: Secret::Env("URL".to_owned()) });
    (name.to_owned(), Channel { kind, template: Template::default(), answers: false })
}

fn edited(name: &str) -> (String, Channel) {
    let kind = ChannelKind::Discord { url: Secret::Env("URL".to_owned()) };
    (name.to_owned(), Channel { kind, template: Template::default(), answers: false })
}

/// A desk with a plan, and the time.
struct Scene {
    desk: Desk,
    plan: Plan,
    now: Moment,
    quiet_until: Option<Moment>,
}

impl Scene {
    fn of(channels: impl IntoIterator<Item = (String, Channel)>) -> Self {
        let plan = Plan { channels: channels.into_iter().collect(), ..Plan::default() };
        Self { desk: Desk::default(), plan, now: NOW, quiet_until: None }
    }

    fn post(&mut self, key: &str, progress: Option<Progress>, severity: Severity, text: &str) {
        let kind = if progress.is_some() { "crash-loop" } else { "app" };
        let about = About { kind: kind.to_owned(), app: Some("api".to_owned()), incident: None };
        let post = Post {
            key: key.to_owned(),
            about,
            severity,
            progress,
            title: "api: crash loop".to_owned(),
            text: text.to_owned(),
            story: Vec::new(),
            question: None,
            opened_at: self.now,
        };
        let Self { desk, plan, now, quiet_until } = self;
        desk.post(Terms { now: *now, plan, quiet_until: *quiet_until }, post);
    }

    fn opens(&mut self, key: &str) {
        self.post(key, Some(Progress::Opened), Severity::Warning, "it dies young");
    }

    /// An incident that is open asks something.
    fn asks(&mut self, key: &str, asked_at: Moment) {
        let remedy = crate::healing::Remedy::Restart;
        let incident = crate::id::IncidentId::new(3);
        let about =
            About { kind: "crash-loop".to_owned(), app: Some("api".to_owned()), incident: None };
        let post = Post {
            key: key.to_owned(),
            about,
            severity: Severity::Critical,
            progress: Some(Progress::Diagnosed),
            title: "api: crash loop".to_owned(),
            text: "a restart would be next".to_owned(),
            story: Vec::new(),
            question: Some(Question { incident, asked_at, remedy, until: None }),
            opened_at: self.now,
        };
        let Self { desk, plan, now, quiet_until } = self;
        desk.post(Terms { now: *now, plan, quiet_until: *quiet_until }, post);
    }

    fn closes(&mut self, key: &str) {
        self.post(key, Some(Progress::Closed), Severity::Warning, "a start held");
    }

    fn later(&mut self, span: Duration) {
        self.now = self.now + span;
        let Self { desk, plan, now, quiet_until } = self;
        desk.tick(Terms { now: *now, plan, quiet_until: *quiet_until });
    }

    fn answer(&mut self, id: DeliveryId, outcome: DeliveryOutcome) -> bool {
        let Self { desk, plan, now, quiet_until } = self;
        desk.delivered(Terms { now: *now, plan, quiet_until: *quiet_until }, id, outcome)
    }

    /// What is sent now, as `channel: news text`; everything is taken.
    fn sent(&mut self) -> Vec<String> {
        let mut all = Vec::new();
        loop {
            let deliveries = self.desk.deliveries();
            if deliveries.is_empty() {
                return all;
            }
            for it in deliveries {
                let on = it.handle.as_ref().map(|handle| format!(" on {handle}"));
                let Message { news, text, .. } = &it.message;
                all.push(format!("{}: {news:?}{}: {text}", it.name, on.unwrap_or_default()));
                let handle = it.handle.or(Some(format!("m{}", it.id)));
                assert!(self.answer(it.id, DeliveryOutcome::Delivered { handle }));
            }
        }
    }

    fn fail(&mut self, retry_after: Option<Duration>) -> usize {
        let deliveries = self.desk.deliveries();
        for it in &deliveries {
            let reason = quoted("HTTP 500");
            self.answer(it.id, DeliveryOutcome::Failed { reason, retry_after });
        }
        deliveries.len()
    }

    fn due_in(&self) -> Option<Duration> {
        self.desk.deadline(&self.plan).map(|at| at.since(self.now))
    }
}

#[test]
fn an_incident_is_one_matter_from_its_beginning_to_its_end() {
    let mut scene = Scene::of([hook("ops"), edited("chat")]);
    scene.opens("incident/1");
    assert_eq!(scene.sent(), ["chat: Opened: it dies young", "ops: Opened: it dies young"]);
    // Small news only where a message is changed in its place.
    scene.post("incident/1", Some(Progress::Diagnosed), Severity::Warning, "no database");
    assert_eq!(scene.sent(), ["chat: Changed on m0: no database"]);
    scene.post("incident/1", Some(Progress::Diagnosed), Severity::Warning, "no database");
    assert_eq!(scene.sent(), [""; 0], "the same is no news");
    scene.post("incident/1", Some(Progress::Escalated), Severity::Critical, "a person is needed");
    let worse =
        ["chat: Changed on m0: a person is needed", "ops: Changed on m1: a person is needed"];
    assert_eq!(scene.sent(), worse);
    scene.closes("incident/1");
    let over = ["chat: Resolved on m0: a start held", "ops: Resolved on m1: a start held"];
    assert_eq!(scene.sent(), over);
    scene.closes("incident/1");
    assert_eq!(scene.sent(), [""; 0]);
    assert_eq!(scene.desk.durable().count(), 0, "nothing is left of it");
    assert_eq!(scene.due_in(), None);
}

#[test]
fn what_waits_for_a_channel_becomes_one_message_and_survives_a_restart() {
    let mut scene = Scene::of([hook("ops")]);
    scene.opens("incident/1");
    assert_eq!(scene.fail(None), 1);
    scene.closes("incident/1");
    assert_eq!(scene.fail(None), 0, "not before its pause is over");
    assert_eq!(scene.due_in(), Some(2 * SECOND));
    let mut after = Scene::of([hook("ops")]);
    for record in scene.desk.durable() {
        match record {
            crate::record::Record::Matter(matter) => after.desk.restore_matter(*matter),
            crate::record::Record::Parcel(parcel) => after.desk.restore_parcel(*parcel),
            other => panic!("{other:?}"),
        }
    }
    after.later(3 * SECOND);
    assert_eq!(after.sent(), ["ops: Resolved: a start held"]);
    assert_eq!(after.desk.durable().count(), 0);
}

#[test]
fn a_channel_that_fails_is_told_through_the_others_until_it_is_back() {
    let mut scene = Scene::of([hook("ops"), hook("other")]);
    scene.plan.routes.push(Route {
        apps: vec!["api".to_owned()],
        severity: Severity::Warning,
        kinds: Vec::new(),
        to: vec!["ops".to_owned()],
    });
    scene.opens("incident/1");
    for pause in [2, 4, 8] {
        assert_eq!(scene.fail(None), 1);
        scene.later(pause * SECOND);
    }
    // Now both: the other hears of it, while `ops` is tried again.
    let deliveries = scene.desk.deliveries();
    let said: Vec<String> =
        deliveries.iter().map(|it| format!("{} {}", it.name, it.message.text)).collect();
    assert_eq!(
        said,
        ["other notices cannot be delivered: HTTP 500".to_owned(), "ops it dies young".to_owned()]
    );
    for it in deliveries {
        scene.answer(it.id, DeliveryOutcome::Delivered { handle: None });
    }
    assert_eq!(scene.sent(), ["other: Resolved: notices are delivered again after 14 s"]);
}

#[test]
fn a_channel_may_ask_for_a_longer_pause_and_one_that_is_deaf_is_given_up() {
    let mut scene = Scene::of([hook("ops")]);
    scene.opens("incident/1");
    scene.fail(Some(90 * SECOND));
    assert_eq!(scene.due_in(), Some(90 * SECOND));
    scene.later(89 * SECOND);
    assert!(scene.desk.deliveries().is_empty());
    scene.later(SECOND);
    let id = scene.desk.deliveries()[0].id;
    scene.later(30 * SECOND);
    assert!(!scene.answer(id, DeliveryOutcome::Delivered { handle: None }), "too late");
    scene.later(4 * SECOND);
    assert_eq!(scene.sent(), ["ops: Opened: it dies young"]);
}

#[test]
fn the_end_tells_when_it_began_and_how_long_it_lasted() {
    let mut scene = Scene::of([hook("ops")]);
    scene.opens("check/cpu");
    scene.sent();
    scene.later(90 * SECOND);
    scene.post("check/cpu", Some(Progress::Opened), Severity::Critical, "worse");
    let changed = scene.desk.deliveries().remove(0);
    assert_eq!((changed.message.news, changed.message.opened_at), (News::Changed, NOW));
    scene.answer(changed.id, DeliveryOutcome::Delivered { handle: None });
    scene.later(30 * SECOND);
    scene.closes("check/cpu");
    let resolved = scene.desk.deliveries().remove(0).message;
    assert_eq!((resolved.news, resolved.opened_at), (News::Resolved, NOW));
    let fields = resolved.fields("db1", &TimeZone::UTC, scene.now);
    assert!(fields.contains(&("Lasted", "2 min".to_owned())), "{fields:?}");
}

#[test]
fn what_is_critical_is_so_until_its_end() {
    let mut scene = Scene::of([edited("ops")]);
    scene.opens("incident/1");
    scene.post("incident/1", Some(Progress::Escalated), Severity::Critical, "needed");
    scene.sent();
    scene.post("incident/1", Some(Progress::Diagnosed), Severity::Warning, "as before");
    let changed = scene.desk.deliveries().remove(0).message;
    assert_eq!((changed.news, changed.severity), (News::Changed, Severity::Critical));
}

#[test]
fn more_than_the_limit_becomes_a_digest_when_there_is_room_again() {
    let mut scene = Scene::of([hook("ops")]);
    scene.plan.limit = Limit { most: 2, within: 60 * SECOND };
    for number in 0..5 {
        scene.opens(&format!("incident/{number}"));
        let sent = scene.sent();
        assert_eq!(sent.len(), usize::from(number < 2), "{sent:?}");
    }
    assert_eq!(scene.due_in(), Some(60 * SECOND));
    scene.later(60 * SECOND);
    assert_eq!(scene.sent(), ["ops: Digest: api: crash loop: it dies young"]);
}

#[test]
fn the_same_words_are_said_once_and_counted() {
    let mut scene = Scene::of([hook("ops")]);
    for _ in 0..3 {
        scene.post("event/api", None, Severity::Warning, "restarted");
    }
    assert_eq!(scene.sent(), ["ops: Event: restarted"]);
    scene.later(11 * 60 * SECOND);
    scene.post("event/api", None, Severity::Info, "restarted");
    assert_eq!(scene.sent(), [""; 0], "nobody asked for what is only good to know");
}

#[test]
fn what_stays_open_is_said_again_and_again_until_it_is_over() {
    let mut scene = Scene::of([hook("ops")]);
    scene.plan.remind_every = Some(3600 * SECOND);
    scene.opens("incident/1");
    assert_eq!(scene.sent().len(), 1);
    for _ in 0..2 {
        assert_eq!(scene.due_in(), Some(3600 * SECOND));
        scene.later(3600 * SECOND);
        assert_eq!(scene.sent(), ["ops: Reminder on m0: it dies young"]);
    }
    scene.closes("incident/1");
    assert_eq!(scene.sent(), ["ops: Resolved on m0: a start held"]);
    assert_eq!(scene.due_in(), None);
}

#[test]
fn routes_choose_by_app_severity_and_kind() {
    let mut scene = Scene::of([hook("all"), hook("shop"), hook("pager")]);
    let route = |apps: &[&str], severity, kinds: &[&str], to: &str| Route {
        apps: apps.iter().map(ToString::to_string).collect(),
        severity,
        kinds: kinds.iter().map(ToString::to_string).collect(),
        to: vec![to.to_owned()],
    };
    scene.plan.routes = vec![
        route(&[], Severity::Info, &[], "all"),
        route(&["shop-*"], Severity::Warning, &[], "shop"),
        route(&[], Severity::Critical, &["crash-loop"], "pager"),
    ];
    scene.opens("incident/1");
    assert_eq!(scene.sent(), ["all: Opened: it dies young"]);
    scene.post("incident/1", Some(Progress::Escalated), Severity::Critical, "needed");
    assert_eq!(scene.sent(), ["all: Changed on m0: needed", "pager: Opened: needed"]);
}

#[test]
fn what_is_refused_is_dropped_and_what_is_a_day_old_too() {
    let mut scene = Scene::of([hook("ops")]);
    scene.opens("incident/1");
    let id = scene.desk.deliveries()[0].id;
    scene.answer(id, DeliveryOutcome::Refused { reason: quoted("HTTP 400") });
    assert_eq!(scene.sent(), [""; 0]);
    scene.opens("incident/2");
    scene.later(3 * SECOND);
    scene.fail(Some(3600 * SECOND));
    scene.closes("incident/1");
    scene.closes("incident/2");
    for _ in 0..24 {
        scene.later(3600 * SECOND);
        scene.fail(Some(3600 * SECOND));
    }
    assert_eq!(scene.desk.durable().count(), 0, "{:?}", scene.desk);
}

#[test]
fn a_template_is_filled_once_and_says_what_it_does_not_know() {
    let filled = Template::fill("{app}: {text}", |name| match name {
        "app" => "{text}".to_owned(),
        _ => "down".to_owned(),
    });
    assert_eq!(filled, "{text}: down", "what is filled in is no template");
    assert_eq!(Template::unknown("{app} {titel}").as_deref(), Some("{titel}"));
    assert_eq!(Template::unknown("{app").as_deref(), Some("{"));
    assert_eq!(Template::unknown("{app} {story}"), None);
}

#[test]
fn each_question_is_told_once_and_only_a_channel_that_answers_gets_links() {
    let (name, channel) = hook("duty");
    let mut scene = Scene::of([hook("ops"), (name, Channel { answers: true, ..channel })]);
    scene.plan.base_url = Some("https://ops.example.org".to_owned());
    scene.opens("incident/3");
    scene.sent();
    let first = scene.now;
    scene.asks("incident/3", first);
    let deliveries = scene.desk.deliveries();
    let links: Vec<_> = deliveries
        .iter()
        .map(|it| (it.name.as_str(), it.answers_at.as_deref(), it.message.questions.len()))
        .collect();
    assert_eq!(links, [("duty", Some("https://ops.example.org"), 1), ("ops", None, 1)]);
    for delivery in deliveries {
        assert!(scene.answer(delivery.id, DeliveryOutcome::Delivered { handle: None }));
    }
    scene.asks("incident/3", first);
    assert_eq!(scene.sent(), Vec::<String>::new(), "the same question is no news");
    scene.asks("incident/3", first + SECOND);
    assert_eq!(scene.sent().len(), 2, "another one is, though it reads the same");
}
