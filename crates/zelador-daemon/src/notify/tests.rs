//! Every channel against a local server: the shape that its service publishes, and what its answers
//! mean.

use std::fs;
use std::time::Duration;

use serde_json::Value;
use zelador_core::id::IncidentId;
use zelador_core::notify::{
    About, Channel, DigestLine, Language, Plan, Secret, SlackTo, Tale, Template,
};
use zelador_core::unit::Moment;
use zelador_core::words::quoted;
use zelador_testbed::receiver::{Got, Receiver, Reply};

use super::*;

mod mail;

const AT: Moment = Moment::from_micros(1_700_000_000_000_000);
const OK: Reply = Reply::Say(200, "", "ok");

/// A home with these secrets, and a server.
struct Far {
    folder: tempfile::TempDir,
    server: Receiver,
}

impl Far {
    fn of(usual: Reply) -> Self {
        let far = Self { folder: tempfile::tempdir().unwrap(), server: Receiver::start(usual) };
        let url = far.server.url();
        let text = format!("URL={url}/hook?key=t0pse-cret\nTOKEN=t0k-en\nTOPIC=alarms\n");
        fs::write(far.folder.path().join("secrets.env"), text).unwrap();
        far
    }

    async fn send(
        &self,
        kind: ChannelKind,
        message: Message,
        handle: Option<&str>,
    ) -> DeliveryOutcome {
        let delivery = Delivery {
            id: 1,
            name: "ops".to_owned(),
            channel: Channel { kind, template: Template::default(), answers: false },
            at: AT,
            message,
            handle: handle.map(str::to_owned),
            host: Some("db1".to_owned()),
            zone: Some("America/Sao_Paulo".to_owned()),
            answers_at: None,
        };
        deliver(&delivery, &Home::new(self.folder.path())).await
    }

    fn last(&self) -> Got {
        self.server.got().pop().expect("something came")
    }
}

fn env(name: &str) -> Secret {
    Secret::Env(name.to_owned())
}

fn slack() -> ChannelKind {
    ChannelKind::Slack(SlackTo::Webhook { url: env("URL") })
}

/// As long, and as full of marks, as anything can be.
fn message(news: News) -> Message {
    let long = "<b>&amp; `x` @everyone ``` ä ".repeat(400);
    Message {
        key: "incident/7".to_owned(),
        news,
        about: About {
            kind: "crash-loop".to_owned(),
            app: Some("api".to_owned()),
            incident: Some(IncidentId::new(7)),
        },
        severity: Severity::Critical,
        title: format!("api: crash loop {long}"),
        text: long.clone(),
        story: (0..8).map(|_| Tale { at: AT, what: long.clone() }).collect(),
        lines: vec![DigestLine {
            at: AT,
            severity: Severity::Warning,
            text: long,
            resolved: false,
        }],
        opened_at: AT,
        at: AT,
        repeats: 3,
        links: vec![("Show".to_owned(), "https://ops.example/health/incident/7".to_owned())],
        questions: Vec::new(),
        language: Language::En,
    }
}

fn chars(value: &Value) -> usize {
    value.as_str().expect("it is text").chars().count()
}

fn delivered(handle: Option<&str>) -> DeliveryOutcome {
    DeliveryOutcome::Delivered { handle: handle.map(str::to_owned) }
}

#[tokio::test]
async fn slack_gets_blocks_within_its_limits() {
    let far = Far::of(OK);
    assert_eq!(far.send(slack(), message(News::Opened), None).await, delivered(None));
    let got = far.last();
    assert_eq!((got.method.as_str(), got.path.as_str()), ("POST", "/hook?key=t0pse-cret"));
    assert_eq!(got.header("content-type"), Some("application/json"));
    let body = got.json();
    assert!(chars(&body["text"]) <= 4000);
    let blocks = body["attachments"][0]["blocks"].as_array().unwrap();
    assert!(blocks.len() <= 50);
    for block in blocks {
        match block["type"].as_str().unwrap() {
            "header" => {
                assert_eq!(block["text"]["type"], "plain_text");
                assert!(chars(&block["text"]["text"]) <= 150);
            }
            "section" => {
                if let Some(fields) = block["fields"].as_array() {
                    assert!((1..=10).contains(&fields.len()));
                    assert!(fields.iter().all(|it| chars(&it["text"]) <= 2000));
                } else {
                    assert!((1..=3000).contains(&chars(&block["text"]["text"])));
                    let text = block["text"]["text"].as_str().unwrap();
                    assert!(!text.contains("<b>"), "what a log line says is no markup");
                }
            }
            "actions" => {
                let elements = block["elements"].as_array().unwrap();
                assert!(elements.iter().all(|it| chars(&it["text"]["text"]) <= 75));
            }
            other => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn a_slack_bot_answers_in_the_thread_of_the_first_message() {
    let far = Far::of(Reply::Say(200, "", r#"{"ok":true,"channel":"C1","ts":"1700.5"}"#));
    let (token, server) = (env("TOKEN"), far.server.url());
    let bot = ChannelKind::Slack(SlackTo::Bot { token, channel: "#ops".to_owned(), server });
    let first = far.send(bot.clone(), message(News::Opened), None).await;
    assert_eq!(first, delivered(Some("C1/1700.5")));
    assert_eq!(far.last().header("authorization"), Some("Bearer t0k-en"));
    assert_eq!(far.last().path, "/chat.postMessage");
    assert_eq!(far.last().json()["channel"], "#ops");
    far.send(bot.clone(), message(News::Resolved), Some("C1/1700.5")).await;
    let body = far.last().json();
    assert_eq!((&body["channel"], &body["thread_ts"]), (&"C1".into(), &"1700.5".into()));
    assert_eq!(body["reply_broadcast"], true);
    far.server.next(Reply::Say(200, "", r#"{"ok":false,"error":"channel_not_found"}"#));
    let reason = quoted("Slack says channel_not_found");
    let failed = DeliveryOutcome::Failed { reason, retry_after: None };
    assert_eq!(far.send(bot, message(News::Opened), None).await, failed);
}

#[tokio::test]
async fn discord_gets_an_embed_which_is_changed_in_its_place() {
    let far = Far::of(Reply::Say(200, "", r#"{"id":"42"}"#));
    let discord = || ChannelKind::Discord { url: env("URL") };
    assert_eq!(far.send(discord(), message(News::Opened), None).await, delivered(Some("42")));
    assert_eq!(far.last().path, "/hook?wait=true&key=t0pse-cret");
    let body = far.last().json();
    let embed = &body["embeds"][0];
    let fields = embed["fields"].as_array().unwrap();
    assert!(chars(&embed["title"]) <= 256 && chars(&embed["description"]) <= 4096);
    assert!(fields.len() <= 25);
    let each = fields.iter().map(|it| chars(&it["name"]).max(1) + chars(&it["value"]).max(1));
    let footer = chars(&embed["footer"]["text"]);
    let all = chars(&embed["title"]) + chars(&embed["description"]) + each.sum::<usize>() + footer;
    assert!(all <= 6000, "{all}");
    assert!(embed["color"].as_u64().unwrap() <= 0xff_ff_ff);
    assert_eq!(body["allowed_mentions"]["parse"], serde_json::json!([]), "nobody is called");
    let resolved = far.send(discord(), message(News::Resolved), Some("42")).await;
    assert_eq!(resolved, delivered(Some("42")));
    let got = far.last();
    assert_eq!(
        (got.method.as_str(), got.path.as_str()),
        ("PATCH", "/hook/messages/42?key=t0pse-cret")
    );
    // Somebody deleted it.
    far.server.next(Reply::Say(404, "", r#"{"message":"Unknown Message","code":10008}"#));
    assert_eq!(
        far.send(discord(), message(News::Resolved), Some("41")).await,
        delivered(Some("42"))
    );
}

#[tokio::test]
async fn teams_gets_an_adaptive_card() {
    let far = Far::of(Reply::Say(202, "", ""));
    let teams = ChannelKind::Teams { url: env("URL") };
    assert_eq!(far.send(teams, message(News::Opened), None).await, delivered(None));
    assert!(far.last().body.len() <= 28 << 10, "{}", far.last().body.len());
    let body = far.last().json();
    assert_eq!(body["type"], "message");
    let card = &body["attachments"][0];
    assert_eq!(card["contentType"], "application/vnd.microsoft.card.adaptive");
    assert_eq!(card["content"]["type"], "AdaptiveCard");
    let parts = card["content"]["body"].as_array().unwrap();
    let known = ["Container", "TextBlock", "FactSet"];
    assert!(parts.iter().all(|part| known.contains(&part["type"].as_str().unwrap())));
    assert_eq!(card["content"]["actions"][0]["type"], "Action.OpenUrl");
}

#[tokio::test]
async fn telegram_gets_text_that_it_can_read_and_keeps_one_message() {
    let far = Far::of(Reply::Say(200, "", r#"{"ok":true,"result":{"message_id":9}}"#));
    let (chat, server) = ("-100".to_owned(), far.server.url());
    let telegram = ChannelKind::Telegram { token: env("TOKEN"), chat, server };
    assert_eq!(far.send(telegram.clone(), message(News::Opened), None).await, delivered(Some("9")));
    assert_eq!(far.last().path, "/bott0k-en/sendMessage");
    let body = far.last().json();
    let text = body["text"].as_str().unwrap();
    let read = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    assert!(read.chars().count() <= 4096, "{}", read.chars().count());
    for mark in ["b", "pre", "a"] {
        let opened =
            text.matches(&format!("<{mark}>")).count() + text.matches(&format!("<{mark} ")).count();
        assert_eq!(opened, text.matches(&format!("</{mark}>")).count(), "{mark}");
    }
    far.send(telegram.clone(), message(News::Changed), Some("9")).await;
    assert_eq!(far.last().path, "/bott0k-en/editMessageText");
    assert_eq!(far.last().json()["message_id"], 9);
    let same = r#"{"ok":false,"description":"Bad Request: message is not modified"}"#;
    far.server.next(Reply::Say(400, "", same));
    assert_eq!(
        far.send(telegram.clone(), message(News::Changed), Some("9")).await,
        delivered(Some("9"))
    );
    let busy = r#"{"ok":false,"error_code":429,"parameters":{"retry_after":31}}"#;
    far.server.next(Reply::Say(429, "", busy));
    match far.send(telegram, message(News::Resolved), Some("9")).await {
        DeliveryOutcome::Failed { retry_after, .. } => {
            assert_eq!(retry_after, Some(Duration::from_secs(31)));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(far.last().json()["reply_parameters"]["message_id"], 9, "the end makes a sound");
}

#[tokio::test]
async fn ntfy_gets_a_message_that_is_no_attachment() {
    let far = Far::of(OK);
    let (topic, token) = (env("TOPIC"), Some(env("TOKEN")));
    let ntfy = ChannelKind::Ntfy { server: far.server.url(), topic, token };
    assert_eq!(far.send(ntfy, message(News::Opened), None).await, delivered(None));
    let body = far.last().json();
    assert_eq!((&body["topic"], &body["priority"]), (&"alarms".into(), &5.into()));
    assert!(body["message"].as_str().unwrap().len() <= 4096);
    assert_eq!(far.last().header("authorization"), Some("Bearer t0k-en"));
}

#[tokio::test]
async fn a_webhook_is_signed_over_its_time_and_its_body() {
    let far = Far::of(OK);
    let hook = ChannelKind::Webhook { url: env("URL"), secret: Some(env("TOKEN")) };
    assert_eq!(far.send(hook, message(News::Opened), None).await, delivered(None));
    let got = far.last();
    let time = got.header("x-zelador-timestamp").unwrap();
    // Reckoned by another program: the receiver's.
    let mut openssl = std::process::Command::new("openssl")
        .args(["dgst", "-sha256", "-hmac", "t0k-en", "-r"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let signed = format!("{time}.{}", got.body);
    io::Write::write_all(&mut openssl.stdin.take().unwrap(), signed.as_bytes()).unwrap();
    let said = openssl.wait_with_output().unwrap().stdout;
    let expected = String::from_utf8_lossy(&said[..64]).into_owned();
    assert_eq!(got.header("x-zelador-signature"), Some(format!("v1={expected}").as_str()));
    let body = got.json();
    assert_eq!(body["news"], "opened");
    assert_eq!(body["incident"], 7);
    assert_eq!(got.header("idempotency-key"), body["id"].as_str());
}

#[tokio::test]
async fn pagerduty_gets_an_event_by_whose_key_it_ends_what_began() {
    let far = Far::of(Reply::Say(202, "", r#"{"status":"success"}"#));
    let pager = || ChannelKind::PagerDuty { key: env("TOKEN"), server: far.server.url() };
    assert_eq!(far.send(pager(), message(News::Opened), None).await, delivered(None));
    let first = far.last().json();
    assert_eq!(far.last().path, "/v2/enqueue");
    assert_eq!(first["event_action"], "trigger");
    assert!(chars(&first["payload"]["summary"]) <= 1024 && chars(&first["dedup_key"]) <= 255);
    let severity = first["payload"]["severity"].as_str().unwrap();
    assert!(["critical", "error", "warning", "info"].contains(&severity));
    assert_eq!(first["payload"]["source"], "db1");
    far.send(pager(), message(News::Resolved), None).await;
    let last = far.last().json();
    assert_eq!(
        (&last["event_action"], &last["dedup_key"]),
        (&"resolve".into(), &first["dedup_key"])
    );
    far.send(pager(), message(News::Test), None).await;
    assert_eq!(far.last().json()["event_action"], "resolve", "a try wakes nobody");
}

#[tokio::test]
async fn what_a_service_answers_is_understood_and_no_secret_comes_back() {
    let far = Far::of(OK);
    let failed = |reason: &str, seconds: Option<u64>| DeliveryOutcome::Failed {
        reason: quoted(reason),
        retry_after: seconds.map(Duration::from_secs),
    };
    far.server.next(Reply::Say(429, "retry-after: 7\r\n", ""));
    assert_eq!(far.send(slack(), message(News::Opened), None).await, failed("HTTP 429", Some(7)));
    far.server.next(Reply::Say(500, "", "<html>oops</html>"));
    assert_eq!(far.send(slack(), message(News::Opened), None).await, failed("HTTP 500", None));
    far.server.next(Reply::Say(404, "", "no_service"));
    let gone = far.send(slack(), message(News::Opened), None).await;
    assert_eq!(gone, failed("HTTP 404: no_service", None));
    let json = [
        (r#"{"message":"Unknown Webhook","code":10015}"#, "Unknown Webhook"),
        (r#"{"message":"invalid","errors":["key is","short"]}"#, "invalid; key is; short"),
        (r#"{"ok":false,"description":"chat not found"}"#, "chat not found"),
        (r#"{"code":40401,"error":"no topic"}"#, "no topic"),
        (r#"{"why":7}"#, r#"{"why":7}"#),
    ];
    for (body, said) in json {
        far.server.next(Reply::Say(404, "", body));
        let gone = far.send(slack(), message(News::Opened), None).await;
        assert_eq!(gone, failed(&format!("HTTP 404: {said}"), None));
    }
    far.server.next(Reply::Say(400, "", "invalid_payload"));
    let refused = DeliveryOutcome::Refused { reason: quoted("HTTP 400: invalid_payload") };
    assert_eq!(far.send(slack(), message(News::Opened), None).await, refused);
    far.server.next(Reply::Say(403, "", "who is t0k-en?"));
    let pager = ChannelKind::PagerDuty { key: env("TOKEN"), server: far.server.url() };
    let masked = far.send(pager, message(News::Opened), None).await;
    assert_eq!(masked, failed("HTTP 403: who is ********?", None));
    let missing = ChannelKind::Teams { url: env("NOT_THERE") };
    match far.send(missing, message(News::Opened), None).await {
        DeliveryOutcome::Failed { reason, .. } => {
            assert!(reason.english().contains("$NOT_THERE"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_hangs_is_given_up() {
    let far = Far::of(Reply::Hang);
    match far.send(slack(), message(News::Opened), None).await {
        DeliveryOutcome::Failed { reason, .. } => {
            assert_eq!(reason, "127.0.0.1 did not answer within 15 s");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_text_reads_in_both_languages() {
    let mut plan = Plan::default();
    assert_eq!(plan.trial("ops", AT).title, "zelador: a test");
    plan.language = Language::Pt;
    assert_eq!(plan.trial("ops", AT).title, "zelador: um teste");
    let message = Message { language: Language::Pt, ..message(News::Resolved) };
    assert_eq!((message.news_word(), message.severity_word()), ("resolvido", "crítico"));
    let labels: Vec<&str> =
        message.fields("db1", &TimeZone::UTC, AT).into_iter().map(|(label, _)| label).collect();
    let expected =
        ["Gravidade", "App", "Incidente", "Servidor", "Desde", "Durou", "Repetições não enviadas"];
    assert_eq!(labels, expected);
}

#[tokio::test]
async fn times_are_those_of_the_zone_that_was_named() {
    let far = Far::of(OK);
    assert_eq!(far.send(slack(), message(News::Opened), None).await, delivered(None));
    let told = far.last().json().to_string();
    assert!(told.contains("2023-11-14 19:13:20 -03"), "{told}");
    let zone = TimeZone::fixed(jiff::tz::offset(-3));
    assert!(message(News::Opened).told(usize::MAX, &zone, AT).starts_with("19:13:20  "));
    let template = Template { title: Some("{time}".to_owned()), text: None };
    let (title, _) = message(News::Opened).read_by(&template, "db1", &zone, AT);
    assert_eq!(title, "2023-11-14 19:13:20 -03");
}
