//! Metrics and events for a collector of OpenTelemetry: built with the feature `otlp`.

use zelador_testbed::home::until;
use zelador_testbed::receiver::{Receiver, Reply};

use crate::zelador;

#[test]
fn a_collector_gets_metrics_of_every_app_and_events_though_it_was_away() {
    let (zelador, collector) = (zelador(), Receiver::start(Reply::Say(200, "", "{}")));
    collector.next(Reply::Say(503, "", ""));
    let url = collector.url();
    let secrets = format!(
        "OTEL_EXPORTER_OTLP_ENDPOINT={url}\nOTEL_EXPORTER_OTLP_HEADERS=api-key=k3y\nOTEL_METRIC_EXPORT_INTERVAL=1000\n"
    );
    std::fs::write(zelador.home().join("secrets.env"), secrets).unwrap();
    zelador.start("{ name: 'api', script: 'sleep', args: '1000', instances: 2 }");
    let bodies = |path: &str| -> String {
        let got = collector.got().into_iter().filter(|got| got.path == path);
        got.map(|got| got.body).collect()
    };
    until("its metrics", || bodies("/v1/metrics").contains("zelador.app.memory.usage"));
    until("the second instance", || {
        let text = bodies("/v1/metrics");
        text.contains(r#"{"key":"zelador.instance","value":{"stringValue":"1"}}"#)
            && text.contains("zelador.host.cpu.usage")
    });
    zelador.ok(&["restart", "api"]);
    until("what happened", || bodies("/v1/logs").contains("zelador.instance"));
    let last = collector.got().pop().unwrap();
    assert_eq!(last.header("api-key"), Some("k3y"));
    assert_eq!(last.header("content-type"), Some("application/json"));
    let log = zelador_testbed::home::text(zelador.home().join("zelador.log"));
    assert!(log.contains("takes nothing") && log.contains("HTTP 503"), "{log}");
    assert!(!log.contains("k3y"));
    let tried = zelador.ok(&["retries", "export"]).out;
    assert!(tried.contains("HTTP 503") && tried.contains("collector"), "{tried}");
}
