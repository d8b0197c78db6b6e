//! The block `notify`.

use std::time::Duration;

use jiff::tz::TimeZone;

use super::*;
use crate::effect::Severity;
use crate::notify::{ChannelKind, Language, Limit, Plan, Secret, SlackTo};
use crate::unit::Moment;

fn plan(notify: &str) -> Plan {
    let declared = declared(&format!(r#"{{"apps":[],"zelador":{{"notify":{notify}}}}}"#));
    Settings::resolve(&[&declared.settings]).notify
}

fn wrong(notify: &str) -> String {
    mistakes(&format!(r#"{{"apps":[],"zelador":{{"notify":{notify}}}}}"#)).to_string()
}

#[test]
fn every_kind_of_channel_is_read() {
    let plan = plan(
        r#"{ "channels": {
        "a": { "slack": { "urlEnv": "SLACK_URL" } },
        "b": { "slack": { "token_file": "bot.token", "channel": "ops" } },
        "c": { "discord": { "url_env": "D" }, "template": { "title": "{app}: {text}" } },
        "d": { "teams": { "url_file": "/etc/teams" } },
        "e": { "telegram": { "token_env": "T", "chat_id": -100123 } },
        "f": { "ntfy": { "topic_env": "N", "server": "http://ntfy.lan/" } },
        "g": { "webhook": { "url_env": "W", "secret_env": "S" } },
        "h": { "email": { "host": "mail", "from": "Z <z@example.org>", "to": ["a@example.org"], "tls": "implicit" } },
        "i": { "pagerduty": { "routing_key_env": "P" } } },
        "routes": [{ "app": "shop-*", "kind": ["crash-loop", "check"], "severity": "critical", "to": "a" }],
        "quiet_hours": { "from": "22:00", "to": "07:00", "tz": "America/Sao_Paulo" },
        "reminders": false, "dedup": "1h", "resolved": false, "language": "pt-BR",
        "rate_limit": { "most": 3 }, "base_url": "https://ops.example/" }"#,
    );
    let words: Vec<&str> = plan.channels.values().map(|it| it.kind.word()).collect();
    let expected =
        ["slack", "slack", "discord", "teams", "telegram", "ntfy", "webhook", "mail", "pagerduty"];
    assert_eq!(words, expected);
    let url = Secret::Env("SLACK_URL".to_owned());
    assert_eq!(plan.channels["a"].kind, ChannelKind::Slack(SlackTo::Webhook { url }));
    let file = Secret::File("/srv/app/bot.token".into());
    assert!(
        matches!(&plan.channels["b"].kind, ChannelKind::Slack(SlackTo::Bot { token, .. }) if *token == file)
    );
    assert!(
        matches!(&plan.channels["e"].kind, ChannelKind::Telegram { chat, .. } if chat == "-100123")
    );
    assert!(
        matches!(&plan.channels["f"].kind, ChannelKind::Ntfy { server, .. } if server == "http://ntfy.lan")
    );
    assert!(matches!(&plan.channels["h"].kind, ChannelKind::Mail { port: 465, .. }));
    let route = &plan.routes[0];
    assert_eq!((route.severity, route.to.as_slice()), (Severity::Critical, &["a".to_owned()][..]));
    assert_eq!(plan.limit, Limit { most: 3, within: Duration::from_mins(1) });
    assert_eq!((plan.remind_every, plan.resolved, plan.language), (None, false, Language::Pt));
    assert_eq!(plan.base_url.as_deref(), Some("https://ops.example"));
}

#[test]
fn the_time_zone_of_people_is_named_once_or_for_their_quiet_hours_alone() {
    let at = |text: &str| {
        let time: jiff::Timestamp = text.parse().unwrap();
        Moment::from_micros(u64::try_from(time.as_microsecond()).unwrap())
    };
    let night = |more: &str| format!(r#"{{"from": "22:00", "to": "07:00"{more}}}"#);
    let plan_of = |notify: String| {
        let plan = plan(&notify);
        let quiet = plan.quiet_until(at("2026-11-28T01:30:00Z"), 0, &TimeZone::UTC);
        (plan.zone().map(str::to_owned), quiet.map(|end| end.to_string()))
    };
    let paulo = Some("America/Sao_Paulo".to_owned());
    let until = |end: &str| Some(format!("2026-11-28T{end}:00:00.000Z"));
    assert_eq!(plan_of(format!(r#"{{"quiet_hours": {}}}"#, night(""))), (None, until("07")));
    let both = [
        format!(r#"{{"time_zone": "America/Sao_Paulo", "quiet_hours": {}}}"#, night("")),
        format!(r#"{{"quiet_hours": {}}}"#, night(r#", "time_zone": "America/Sao_Paulo""#)),
    ];
    for notify in both {
        assert_eq!(plan_of(notify), (paulo.clone(), until("10")));
    }
    let two = format!(
        r#"{{"tz": "America/Sao_Paulo", "quiet_hours": {}}}"#,
        night(r#", "tz": "Europe/Lisbon""#)
    );
    assert_eq!(plan_of(two), (paulo, until("07")), "hours of another office");
    let said = wrong(r#"{"time_zone": "Brasil"}"#);
    assert!(said.contains("a time zone like `America/Sao_Paulo`"), "{said}");
}

#[test]
fn every_mistake_is_told_at_once_and_no_secret_with_it() {
    let said = wrong(
        r#"{ "channels": {
        "a": { "slack": { "url": "https://hooks.slack.com/services/T0/B0/s3cr3t" } },
        "b": { "slack": { "url_env": "https://hooks.slack.com/services/T0/B0/s3cr3t" } },
        "c": { "slack": { "url_env": "A" }, "teams": { "url_env": "B" } },
        "d": { "telegram": { "chat": "x" } },
        "e": { "mail": { "host": "mail", "from": "nobody", "to": [], "tls": "ssl" } },
        "f": { "slak": { "url_env": "A" } },
        "g": { "discord": { "url_env": "A" }, "template": { "title": "{ap}" } } },
        "routes": [{ "to": "opps" }, { "to": "a", "kind": "outage", "severity": "high" }, {}],
        "quiet_hours": { "from": "22:00", "to": "25:00" },
        "rate_limit": 5, "language": "fr", "base_url": "ops.example" }"#,
    );
    assert!(!said.contains("s3cr3t"), "{said}");
    insta::assert_snapshot!(said);
}

#[test]
fn layers_add_channels_and_routes() {
    let layer = |notify: &str| {
        declared(&format!(r#"{{"apps":[],"zelador":{{"notify":{notify}}}}}"#)).settings
    };
    let below =
        layer(r#"{ "channels": { "ops": { "slack": { "url_env": "A" } } }, "language": "pt" }"#);
    let above = layer(r#"{ "routes": [{ "to": "ops" }] }"#);
    let plan = Settings::resolve(&[&below, &above]).notify;
    assert_eq!((plan.channels.len(), plan.routes.len()), (1, 1));
    assert_eq!(plan.language, Language::Pt);
}

#[test]
fn links_that_lead_nowhere_are_noted() {
    let notes = |more: &str| {
        let channels = r#""channels": { "duty": { "slack": { "url_env": "A" }, "answers": true },
            "told": { "slack": { "url_env": "A" } } }"#;
        let text = format!(r#"{{"apps":[],"zelador":{{"notify":{{ {channels} {more} }}}}}}"#);
        let notes = declared(&text).notes;
        notes.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let found = notes("");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("duty") && found[0].contains("`base_url`"), "{found:?}");
    assert_eq!(notes(r#", "base_url": "https://ops.example""#), Vec::<String>::new());
}
