//! What was held back, and how it is told.

use super::*;

#[test]
fn quiet_hours_hold_back_what_is_not_critical_and_end_in_a_digest() {
    let mut scene = Scene::of([hook("ops")]);
    scene.quiet_until = Some(NOW + 3600 * SECOND);
    scene.plan.dedup = 7200 * SECOND;
    scene.opens("incident/1");
    scene.closes("incident/1");
    scene.post("event/api", None, Severity::Warning, "its memory is full: restarted");
    scene.post("incident/2", Some(Progress::Escalated), Severity::Critical, "needed");
    assert_eq!(scene.sent(), ["ops: Opened: needed"]);
    assert_eq!(scene.due_in(), Some(3600 * SECOND));
    scene.quiet_until = None;
    scene.later(3600 * SECOND);
    let delivery = scene.desk.deliveries().remove(0);
    assert_eq!(delivery.message.news, News::Digest);
    assert_eq!(delivery.message.title, "2 messages");
    let summary = "its memory is full: restarted; one of them resolved";
    assert_eq!((delivery.message.text.as_str(), delivery.message.is_over()), (summary, false));
    let told = delivery.message.told(usize::MAX, &TimeZone::UTC, delivery.at);
    assert!(told.contains("✓  api: crash loop: a start held"), "{told}");
    assert!(told.contains("warning  its memory is full: restarted"), "{told}");
}

#[test]
fn in_one_line_a_headline_is_said_once() {
    assert_eq!(together("api: died", "exited with code 3"), "api: died: exited with code 3");
    assert_eq!(together("host load", "host load is unhealthy"), "host load is unhealthy");
}

#[test]
fn a_digest_of_what_is_over_is_no_alarm() {
    let mut scene = Scene::of([hook("ops")]);
    scene.quiet_until = Some(NOW + 3600 * SECOND);
    for key in ["incident/1", "incident/2"] {
        scene.opens(key);
        scene.closes(key);
    }
    scene.quiet_until = None;
    scene.later(3600 * SECOND);
    let digest = scene.desk.deliveries().remove(0).message;
    assert_eq!((digest.news, digest.text.as_str()), (News::Digest, "all resolved"));
    assert!(digest.is_over() && digest.severity == Severity::Info);
}

#[test]
fn a_line_of_another_day_has_its_date_and_what_came_late_says_when_it_was() {
    let (evening, late, night) = (3600 * SECOND, 16_940 * SECOND, 17_000 * SECOND);
    let mut scene = Scene::of([hook("ops")]);
    scene.later(evening);
    scene.quiet_until = Some(NOW + night);
    scene.post("event/api", None, Severity::Warning, "restarted");
    scene.quiet_until = None;
    let mut read = |wait: Duration| {
        scene.later(wait);
        let delivery = scene.desk.deliveries().remove(0);
        let story = [evening, late].map(|at| Tale { at: NOW + at, what: "so".into() });
        let message = Message { story: story.to_vec(), ..delivery.message };
        let fields = message.fields("db1", &TimeZone::UTC, delivery.at);
        scene.answer(delivery.id, DeliveryOutcome::Delivered { handle: None });
        scene.post("event/web", None, Severity::Warning, "restarted");
        let when = fields.into_iter().find(|(label, _)| *label == "When").map(|(_, when)| when);
        (message.told(usize::MAX, &TimeZone::UTC, delivery.at), when)
    };
    let told = "2023-11-14 23:13:20  so\n02:55:40  so".to_owned();
    let (lines, when) = read(13_400 * SECOND);
    assert_eq!(lines, told);
    assert_eq!(when.as_deref(), Some("2023-11-14 23:13:20 UTC"));
    assert_eq!(read(Duration::ZERO).1, None, "it is now");
}
