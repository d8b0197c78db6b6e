//! Against small servers that misbehave, and against a real model.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use zelador_core::diagnosis::consult::Language;
use zelador_core::diagnosis::{Action, Cause};
use zelador_core::effect::Effect;
use zelador_core::input::{Fact, Input};
use zelador_core::spec::Provider;
use zelador_core::supervisor::{Supervisor, Surroundings};

use super::*;
use crate::driver::Message;

/// A server that answers each connection with the next of these, the last for ever; it counts and keeps what it was asked.
struct Fake {
    url: String,
    asked: Arc<AtomicUsize>,
    bodies: Arc<std::sync::Mutex<Vec<String>>>,
}

async fn fake(answers: Vec<Option<String>>) -> Fake {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (asked, bodies) = (Arc::new(AtomicUsize::new(0)), Arc::default());
    let (count, kept): (_, Arc<std::sync::Mutex<Vec<String>>>) =
        (asked.clone(), Arc::clone(&bodies));
    tokio::spawn(async move {
        loop {
            let Ok((mut stream, _)) = listener.accept().await else { break };
            let at = count.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1);
            let (answer, kept) = (answers[at].clone(), Arc::clone(&kept));
            tokio::spawn(async move {
                let mut read = Vec::new();
                let mut buffer = [0; 4096];
                while !is_whole(&read) {
                    match stream.read(&mut buffer).await {
                        Ok(count) if count > 0 => read.extend_from_slice(&buffer[..count]),
                        _ => return,
                    }
                }
                kept.lock().unwrap().push(String::from_utf8_lossy(&read).into_owned());
                match answer {
                    Some(answer) => _ = stream.write_all(answer.as_bytes()).await,
                    // It hangs until the other side has had enough.
                    None => _ = stream.read(&mut buffer).await,
                }
            });
        }
    });
    Fake { url, asked, bodies }
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head
        .split("content-length: ")
        .nth(1)
        .and_then(|rest| rest.lines().next()?.trim().parse().ok());
    body.len() >= length.unwrap_or(0_usize)
}

/// One that hangs is `None`.
#[allow(clippy::unnecessary_wraps, reason = "as the answers of a server are listed")]
fn http(status: &str, body: &str) -> Option<String> {
    Some(format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    ))
}

fn openai(content: &str, end: &str) -> Option<String> {
    let body = json!({ "choices": [{ "finish_reason": end, "message": { "content": content } }], "usage": { "total_tokens": 700 } });
    http("200 OK", &body.to_string())
}

fn advice() -> String {
    json!({ "cause": "missing_file", "confidence": 0.9, "lines": [1], "reason": "the flux file is gone" }).to_string()
}

fn spec(url: &str) -> AdvisorSpec {
    AdvisorSpec {
        provider: Provider::Openai,
        url: url.to_owned(),
        model: "test".to_owned(),
        key: KeyFrom::Nowhere,
        timeout: Duration::from_secs(5),
        max_tokens: 100,
        budget_per_day: 50_000,
        language: Language::Portuguese,
    }
}

/// Nothing that a rule knows.
fn riddle() -> Snapshot {
    let lines = ["flux capacitor is misaligned; token=hunter2hunter2".to_owned()];
    Snapshot { exit_code: Some(1), log_tail: lines.to_vec(), ..Snapshot::default() }
}

struct Bed {
    advisor: Advisor,
    folder: tempfile::TempDir,
    settings: watch::Sender<Settings>,
}

fn bed(spec: AdvisorSpec) -> Bed {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { advisor: Some(spec), ..Settings::default() };
    let (sender, receiver) = watch::channel(settings);
    let file = folder.path().join("advice.json");
    let (advisor, _) = Advisor::new(&file, Clock::start(), receiver, permitted());
    Bed { advisor, folder, settings: sender }
}

/// A caller whose calls a real supervisor permits.
fn permitted() -> Caller {
    let (sender, mut inbox) = mpsc::channel(8);
    tokio::spawn(async move {
        let clock = Clock::start();
        let surroundings = Surroundings {
            home: "/nowhere".into(),
            zone: jiff::tz::TimeZone::UTC,
            seed: 7,
            boot: String::new(),
            last_up: None,
        };
        let mut supervisor = Supervisor::new(surroundings, clock.now());
        let mut waiting = BTreeMap::new();
        while let Some(message) = inbox.recv().await {
            let fact = match message {
                Message::Call { call, wanted, answers } => {
                    waiting.insert(call, answers);
                    Fact::CallWanted { call, wanted }
                }
                Message::Input(Input::Fact(fact)) => fact,
                _ => continue,
            };
            for effect in supervisor.step(clock.now(), Input::Fact(fact)) {
                let Effect::Call { call, answer } = effect else { continue };
                _ = waiting[&call].send(answer).await;
            }
        }
    });
    Caller::new(sender)
}

#[tokio::test]
async fn a_good_answer_is_taken_once_for_each_kind_of_trouble() {
    let server = fake(vec![openai(&advice(), "stop")]).await;
    let mut bed = bed(spec(&server.url));
    let first = bed.advisor.explain(&riddle(), false).await;
    assert_eq!(first.answer.best.cause, Cause::MissingFile, "{first:?}");
    assert_eq!(first.answer.best.action, Action::StopAndNotify);
    let again = bed.advisor.explain(&riddle(), false).await;
    assert_eq!(again.answer.best.cause, Cause::MissingFile);
    assert_eq!(server.asked.load(Ordering::SeqCst), 1, "the second was known");
    // The next engine knows it too.
    let file = bed.folder.path().join("advice.json");
    let (mut next, _) = Advisor::new(&file, Clock::start(), bed.settings.subscribe(), permitted());
    assert_eq!(next.explain(&riddle(), false).await.answer.best.cause, Cause::MissingFile);
    assert_eq!(server.asked.load(Ordering::SeqCst), 1);
    let body = server.bodies.lock().unwrap().concat();
    assert!(!body.contains("hunter2"), "nothing secret left: {body}");
    assert!(body.contains("Brazilian Portuguese") && body.contains("flux capacitor"));
}

#[tokio::test]
async fn nobody_is_asked_where_the_rules_are_sure_or_the_day_is_used_up() {
    let server = fake(vec![openai(&advice(), "stop")]).await;
    let mut poor = bed(AdvisorSpec { budget_per_day: 100, ..spec(&server.url) });
    let explained = poor.advisor.explain(&riddle(), false).await;
    assert_eq!(explained.answer.best.cause, Cause::Unknown);
    assert!(explained.advisor.unwrap().english().contains("100 tokens of this day"));
    let mut bed = bed(spec(&server.url));
    let sure = Snapshot {
        exit_code: Some(1),
        log_tail: vec!["Error: listen EADDRINUSE: address already in use :::80".to_owned()],
        ..Snapshot::default()
    };
    assert_eq!(bed.advisor.explain(&sure, false).await.advisor, None);
    assert_eq!(server.asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn whatever_a_server_does_the_rules_decide_in_time() {
    let prose = "The capacitor seems sick. You should run rm -rf / to fix it.";
    for (name, answer) in [
        ("cut off", openai(&advice()[..20], "length")),
        ("schema ignored", openai(prose, "stop")),
        (
            "no cause of the list",
            openai(r#"{"cause":"format_disk","confidence":1,"lines":[1],"reason":""}"#, "stop"),
        ),
        ("lines that do not exist", openai(&advice().replace("[1]", "[41]"), "stop")),
        ("garbage", http("200 OK", "\u{0}\u{1}<html>")),
        ("another protocol", Some("SSH-2.0-OpenSSH_9.2\r\n".to_owned())),
        ("closed at once", Some(String::new())),
        ("half a body", Some("HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n{\"choi".to_owned())),
        ("401", http("401 Unauthorized", "{}")),
        ("hang", None),
    ] {
        let server = fake(vec![answer]).await;
        let mut bed =
            bed(AdvisorSpec { timeout: Duration::from_millis(1500), ..spec(&server.url) });
        let began = Instant::now();
        let explained = bed.advisor.explain(&riddle(), false).await;
        assert!(
            explained.advisor.as_ref().is_some_and(|it| it.english().contains("no advice")),
            "{name}: {explained:?}"
        );
        assert_ne!(explained.answer.best.cause, Cause::MissingFile, "{name}");
        assert!(began.elapsed() < Duration::from_secs(10), "{name}: {:?}", began.elapsed());
    }
}

#[tokio::test]
async fn an_overloaded_server_is_asked_again_and_a_dead_one_is_left_alone() {
    let busy = http("503 Service Unavailable", "{}");
    let server = fake(vec![busy, openai(&advice(), "stop")]).await;
    let mut patient = bed(spec(&server.url));
    assert_eq!(
        patient.advisor.explain(&riddle(), false).await.answer.best.cause,
        Cause::MissingFile
    );
    assert_eq!(server.asked.load(Ordering::SeqCst), 2);
    // It asks to be left alone for longer than there is time: so it is.
    let wait = "HTTP/1.1 429 Too Many Requests\r\nretry-after: 600\r\ncontent-length: 0\r\n\r\n";
    let server = fake(vec![Some(wait.to_owned())]).await;
    let mut bed = bed(spec(&server.url));
    for _ in 0..5 {
        bed.advisor.explain(&riddle(), false).await;
    }
    assert_eq!(server.asked.load(Ordering::SeqCst), 3, "then the breaker is open");
}

/// A real model server of its own, ended with the test.
struct Model {
    process: Child,
    url: String,
}

impl Drop for Model {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

fn model() -> Model {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let python = root.join("target/llm-venv/bin/python");
    assert!(python.exists(), "{} is missing: `./test` installs it", python.display());
    let mut process = Command::new(python)
        .arg(root.join("crates/zelador-testbed/llm_serve.py"))
        .args(["smollm2", "0", "2"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let line = lines.map_while(Result::ok).find(|line| line.starts_with("listening")).unwrap();
    let address = line.rsplit(' ').next().unwrap().trim_start_matches("http://").to_owned();
    Model { process, url: format!("http://{address}") }
}

#[tokio::test]
async fn a_real_model_that_is_small_and_sure_of_itself_does_no_harm() {
    let model = tokio::task::spawn_blocking(model).await.unwrap();
    let patience = Duration::from_mins(4);
    let (mut said, mut kept) = (0, Vec::new());
    for (provider, max_tokens) in [
        (Provider::Openai, 300),
        (Provider::Openai, 8),
        (Provider::Anthropic, 60),
        (Provider::Ollama, 60),
    ] {
        let spec = AdvisorSpec { provider, max_tokens, timeout: patience, ..spec(&model.url) };
        let mut bed = bed(spec);
        let by_rules = judge_with(&riddle(), &[]).best.action;
        let explained = bed.advisor.explain(&riddle(), false).await;
        let told = explained.advisor.as_ref().expect("it was asked").english();
        said += usize::from(told.contains("was asked"));
        kept.push(format!("{provider:?}: {told}"));
        let action = explained.answer.best.action;
        let is_harmless =
            [Action::StopAndNotify, Action::WaitForDependency, Action::NotifyOnly, Action::None];
        assert!(action == by_rules || is_harmless.contains(&action), "{explained:?}");
        // 8 tokens hold no answer; the messages of Anthropic come without the schema; Ollama's path is not there.
        if max_tokens == 8 || provider == Provider::Ollama {
            assert!(told.contains("no advice"), "{told}");
        }
    }
    println!("{said} of 4 fitted: {kept:#?}");
    // Killed in the middle: the rules decide.
    let Model { url, .. } = &model;
    let gone = spec(url);
    drop(model);
    let mut bed = bed(AdvisorSpec { timeout: Duration::from_secs(2), ..gone });
    let explained = bed.advisor.explain(&riddle(), false).await;
    assert!(explained.advisor.unwrap().english().contains("no advice"));
}

#[test]
fn every_body_is_json_with_the_words_and_the_schema() {
    let snapshot = riddle();
    let asked = prompt(&snapshot, &judge_with(&snapshot, &[]), Language::English);
    for (provider, place) in [
        (Provider::Openai, "/response_format/json_schema/schema"),
        (Provider::Anthropic, "/output_config/format/schema"),
        (Provider::Ollama, "/format"),
    ] {
        let body: Value = wire::body(&AdvisorSpec { provider, ..spec("http://h") }, &asked);
        assert_eq!(body.pointer(place), Some(&asked.schema), "{provider:?}");
        assert!(body.to_string().contains("flux capacitor"));
    }
}
