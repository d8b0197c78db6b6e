//! What is sent, against the published shape (opentelemetry-proto, `examples/*.json`).

use serde_json::json;
use zelador_core::history::Metric;
use zelador_core::unit::Moment;

use super::*;

const AT: Moment = Moment::from_micros(1_700_000_000_000_000);

fn read(variables: &[(&str, &str)]) -> Result<Option<Settings>, String> {
    let find = |name: &str| variables.iter().find(|(known, _)| *known == name);
    Settings::read(|name| find(name).map(|(_, value)| (*value).to_owned()))
}

#[test]
fn the_variables_are_those_of_every_exporter() {
    assert_eq!(read(&[]), Ok(None));
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318/");
    let settings = read(&[endpoint]).unwrap().unwrap();
    assert_eq!(settings.endpoint, "http://127.0.0.1:4318");
    assert_eq!((settings.every.as_secs(), settings.service.as_str()), (60, "zelador"));
    let headers = ("OTEL_EXPORTER_OTLP_HEADERS", "Api-Key=a%20b, team=ops");
    let settings = read(&[endpoint, headers]).unwrap().unwrap();
    let said: Vec<_> =
        settings.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(said, [("api-key", "a b"), ("team", "ops")]);
    for (name, value) in [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "127.0.0.1:4317"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "s3cr3t"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "10s"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "0"),
    ] {
        let mistake = read(&[(name, value), endpoint]).unwrap_err();
        assert!(mistake.starts_with(name) && !mistake.contains("s3cr3t"), "{mistake}");
    }
}

#[test]
fn metrics_have_the_published_shape() {
    let values = [
        ("app:api/1".to_owned(), Metric::Cpu, 250),
        ("app:api/1".to_owned(), Metric::Restarts, 3),
        ("check:api".to_owned(), Metric::Latency, 1500),
        ("host".to_owned(), Metric::Memory, 1 << 30),
    ];
    let sent = shape::metrics(&shape::resource("zelador", "db1"), AT, &values);
    let of = &sent["resourceMetrics"][0];
    assert_eq!(
        of["resource"]["attributes"][0],
        json!({ "key": "service.name", "value": { "stringValue": "zelador" } })
    );
    let metrics = of["scopeMetrics"][0]["metrics"].as_array().unwrap();
    let names: Vec<&str> = metrics.iter().filter_map(|it| it["name"].as_str()).collect();
    assert_eq!(
        names,
        [
            "zelador.app.cpu.usage",
            "zelador.app.restarts",
            "zelador.check.duration",
            "zelador.host.memory.usage"
        ]
    );
    let point = &metrics[0]["gauge"]["dataPoints"][0];
    assert_eq!(point["asDouble"], 0.25);
    assert_eq!(point["timeUnixNano"], "1700000000000000000", "64-bit numbers are text");
    assert_eq!(
        point["attributes"][1],
        json!({ "key": "zelador.instance", "value": { "stringValue": "1" } })
    );
    let sum = &metrics[1]["sum"];
    assert_eq!((&sum["aggregationTemporality"], &sum["isMonotonic"]), (&json!(2), &json!(false)));
}

#[test]
fn events_are_log_records() {
    let data = json!({ "severity": "warning", "app": "api", "text": "it died" });
    let event = Arc::new(Event { id: 1, at: AT, kind: "notice".to_owned(), data });
    let sent = shape::logs(&shape::resource("zelador", "db1"), &[event]);
    let record = &sent["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0];
    assert_eq!(
        (&record["severityNumber"], &record["eventName"]),
        (&json!(13), &json!("zelador.notice"))
    );
    assert!(record["body"]["stringValue"].as_str().unwrap().contains("it died"));
}
