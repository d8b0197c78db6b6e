//! The typed client against an engine: every method, over the control socket and over TCP.

use std::time::Duration;

use serde_json::Value;
use zelador_api::Status;
use zelador_api::client::{Client, ClientError};
use zelador_api::home::Home;
use zelador_api::rest::{OPENAPI, Report, Stream, Verb};
use zelador_api::token::Token;
use zelador_testbed::home::{Zelador, until};
use zelador_testbed::receiver::{Receiver, Reply};

use crate::zelador;

const PATIENCE: Duration = Duration::from_secs(20);

fn with_everything(hook: &Receiver) -> Zelador {
    let zelador = zelador();
    let secrets = format!("HOOK={}\n", hook.url());
    std::fs::write(zelador.home().join("secrets.env"), secrets).unwrap();
    zelador.write("say.js", "console.log('hello'); setInterval(() => {}, 1000)");
    zelador.write(
        "ecosystem.config.js",
        "module.exports = { apps: [{ name: 'loja & filial', script: 'say.js' }], zelador: {
           checks: { cron: { heartbeat: '1h' }, gone: { tcp: 1, interval: '1s' } },
           notify: { channels: { ops: { webhook: { url_env: 'HOOK' } } } } } }",
    );
    zelador.ok(&["start", "ecosystem.config.js"]);
    let log = zelador.home().join("logs");
    until("its line", || {
        let files = std::fs::read_dir(&log).into_iter().flatten().flatten();
        files.map(|it| zelador_testbed::home::text(it.path())).any(|it| it.contains("hello"))
    });
    zelador
}

/// Calls every method; returns the names of those that were called.
async fn all(client: &Client, hook: &Receiver) -> Result<Vec<&'static str>, ClientError> {
    let mut called = Vec::new();
    let mut note = |name| called.push(name);
    let mut events = client.listen().await?;
    note("listen");
    let apps = client.list_apps().await?;
    note("listApps");
    assert_eq!((apps.len(), apps[0].app.as_str()), (1, "loja & filial"));
    let id = apps[0].id;
    assert_eq!(client.get_app(id).await?.pid, apps[0].pid);
    note("getApp");
    assert_eq!(client.get_logs(id, Stream::Out, 5).await?.lines.last().unwrap(), "hello");
    assert!(client.get_logs(id, Stream::Err, 5).await?.lines.is_empty());
    note("getLogs");
    let report = Report { what: "it is slow".to_owned() };
    assert!(client.open_incident(id, &report).await?.ok);
    note("openIncident");
    let open = client.list_incidents(Some(true)).await?;
    let reported = open.iter().find(|it| it.trouble == zelador_api::Trouble::Reported).unwrap();
    note("listIncidents");
    assert!(client.get_incident(reported.id).await?.open);
    note("getIncident");
    assert!(client.close_incident(reported.id).await?.ok);
    assert!(!client.get_incident(reported.id).await?.open);
    note("closeIncident");
    for verb in [Verb::Restart, Verb::Reload, Verb::Stop, Verb::Start] {
        assert!(client.act_on_app(id, verb).await?.ok, "{verb:?}");
    }
    assert_ne!(client.get_app(id).await?.pid, apps[0].pid);
    note("actOnApp");
    let checks = client.list_checks().await?;
    assert!(checks.iter().any(|it| it.component == "check:gone" || it.component == "gone"));
    note("listChecks");
    assert_eq!(client.get_notify().await?.channels[0].name, "ops");
    note("getNotify");
    let before = hook.got().len();
    assert!(client.try_channel("ops").await?.ok && hook.got().len() > before);
    note("tryChannel");
    let overall = client.healthz().await?.status;
    note("healthz");
    assert_eq!(client.livez().await?.status, "alive");
    note("livez");
    assert_eq!(client.readyz().await?.apps.len(), 1);
    note("readyz");
    assert_eq!(client.readyz_app("loja & filial").await?.instances.len(), 1);
    note("readyzApp");
    assert!(!client.health_json().await?.checks.is_empty());
    note("healthJson");
    client.heartbeat("cron").await?;
    note("heartbeat");
    client.heartbeat_by_post("cron").await?;
    note("heartbeatByPost");
    assert!(client.health_check().await?.checks.len() > 2);
    note("health_check");
    let status = client.health_status().await?;
    assert!(status.overall == overall || status.overall > Status::Healthy);
    note("health_status");
    assert!(client.health_simple().await?.uptime > 0.0);
    note("health_simple");
    assert!(
        client.health_history(None).await?.len() >= client.health_history(Some("x")).await?.len()
    );
    note("health_history");
    let stats = client.retry_stats().await?;
    assert!(stats.iter().any(|it| it.operation == "connect" && it.attempts > 0), "{stats:?}");
    note("retry_stats");
    let tried = client.retry_history(Some("connect")).await?;
    assert!(!tried.is_empty() && tried.iter().all(|it| it.operation == "connect"));
    note("retry_history");
    assert!(client.breaker_list().await?.iter().any(|it| it.target.contains("loja & filial")));
    note("breaker_list");
    let event = events.next().await?.expect("the engine lives");
    assert!(event.id > 0 && !event.kind.is_empty() && event.data.is_object(), "{event:?}");
    Ok(called)
}

#[test]
fn every_operation_is_called_by_its_method_over_both_ways() {
    let hook = Receiver::start(Reply::Say(200, "", "ok"));
    let zelador = with_everything(&hook);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let home = Home::new(zelador.home());
    let token = Token::new(zelador.ok(&["token"]).out.trim()).unwrap();
    let address = format!("127.0.0.1:{}", zelador.port());
    until("the endpoints", || zelador.get("/livez").0 == 200);
    let document: Value = serde_json::from_str(OPENAPI).unwrap();
    let operations = document["paths"].as_object().unwrap().values();
    let mut documented: Vec<&str> = operations
        .flat_map(|it| it.as_object().unwrap().values())
        .filter_map(|it| it["operationId"].as_str())
        .collect();
    documented.sort_unstable();
    let ways = [
        Client::new(&home, PATIENCE).with_token(token.clone()),
        Client::over_tcp(&address, PATIENCE).with_token(token),
    ];
    for client in ways {
        let called = runtime.block_on(all(&client, &hook));
        let mut called = called.unwrap_or_else(|error| panic!("{client:?}: {error}"));
        called.sort_unstable();
        assert_eq!(called, documented, "{client:?}");
    }
    let refused = |of: Result<(), ClientError>| of.unwrap_err().to_string();
    let stranger = Client::over_tcp(&address, PATIENCE);
    let said = refused(runtime.block_on(stranger.act_on_app(0, Verb::Stop)).map(drop));
    assert!(said.contains("token is missing"), "{said}");
    let said = refused(runtime.block_on(stranger.get_app(99)).map(drop));
    assert!(said.contains("no instance 99"), "{said}");
    let said = refused(runtime.block_on(stranger.readyz_app("no/such")).map(drop));
    assert!(said.contains("no app `no/such`"), "{said}");
    let nobody = Client::over_tcp("127.0.0.1:1", PATIENCE);
    let said = refused(runtime.block_on(nobody.livez()).map(drop));
    assert!(said.contains("no connection to 127.0.0.1:1"), "{said}");
}
