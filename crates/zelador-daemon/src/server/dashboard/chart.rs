//! The numbers behind a chart, and what happened in that time.

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use zelador_core::history::{Kind, Metric, forecast};
use zelador_core::unit::Moment;

use super::Dashboard;
use super::lang::Lang;
use crate::history::Line;
use crate::server::Failure;
use crate::server::json::Json;

/// The most marks on a chart: more cannot be told apart.
const MOST_MARKS: u32 = 300;

/// Which chart.
#[derive(Deserialize)]
pub struct Asked {
    /// `host`, `app:NAME`, `check:COMPONENT`; several with commas.
    of: String,
    /// Metrics, with commas.
    metrics: String,
    /// Seconds since the Unix epoch.
    from: u64,
    /// The same; now when it is missing.
    to: Option<u64>,
    /// What memory may come to, in bytes: when it will be there is foretold of the present.
    limit: Option<i64>,
}

/// Answers with lines and marks.
pub async fn chart(
    State(dashboard): State<Dashboard>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Result<Json<Value>, Failure> {
    let lang = Lang::of(&headers);
    let bad = |error: String| Failure::new(StatusCode::BAD_REQUEST, error);
    let now = dashboard.seconds();
    let to = asked.to.unwrap_or(now).min(now + 1);
    if asked.from >= to {
        return Err(bad(format!("`from` is {}, which is not before `to`, {to}", asked.from)));
    }
    let metric = |word: &str| {
        Metric::from_word(word).ok_or_else(|| {
            let known: Vec<&str> = Metric::ALL.into_iter().map(Metric::word).collect();
            bad(format!("there is no metric `{word}`; allowed are {}", known.join(", ")))
        })
    };
    let metrics = asked.metrics.split(',').map(metric).collect::<Result<Vec<_>, _>>()?;
    let subjects: Vec<String> = asked.of.split(',').map(str::to_owned).collect();
    let app = subjects.iter().find_map(|it| it.strip_prefix("app:")).map(str::to_owned);
    let span = (asked.from, to);
    let ((width, lines), events) = dashboard
        .read(move |reader| {
            let lines = reader.chart(&subjects, &metrics, span)?;
            let moment = |at: u64| Moment::from_micros(at * 1_000_000);
            let events = match &app {
                Some(app) => {
                    reader.events(Some(app), moment(span.0), moment(span.1), MOST_MARKS * 4)?
                }
                None => Vec::new(),
            };
            Ok((lines, events))
        })
        .await?;
    let marks = events.into_iter().filter(|event| is_mark(event.kind)).take(MOST_MARKS as usize);
    let marks: Vec<Value> = marks
        .map(|event| {
            json!({
                "at": event.at.as_millis() as f64 / 1000.0, "kind": event.kind.word(),
                "word": lang.kind(event.kind), "text": lang.say(&event.text), "incident": event.incident,
            })
        })
        .collect();
    let limit = asked.limit.filter(|limit| *limit > 0 && asked.to.is_none());
    let lines: Vec<Value> = lines.into_iter().map(|it| line(it, limit)).collect();
    Ok(Json(json!({ "from": span.0, "to": to, "width": width, "lines": lines, "marks": marks })))
}

fn is_mark(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Declared
            | Kind::Changed
            | Kind::Died
            | Kind::Tripped
            | Kind::Remedy
            | Kind::Opened
            | Kind::Escalated
            | Kind::Closed
    )
}

fn line(line: Line, limit: Option<i64>) -> Value {
    let means: Vec<(u64, i64)> = line.points.iter().map(|(at, it)| (*at, it.mean)).collect();
    let foretold = limit
        .filter(|_| line.metric == Metric::Memory)
        .and_then(|limit| forecast(&means, limit))
        .map(|it| json!({ "now": it.now, "reached_in": it.reached_in.as_secs_f64() }));
    let columns = |pick: fn(&zelador_core::history::Rollup) -> i64| -> Vec<i64> {
        line.points.iter().map(|(_, it)| pick(it)).collect()
    };
    json!({
        "subject": line.subject, "metric": line.metric.word(), "unit": line.metric.unit(),
        "at": line.points.iter().map(|(at, _)| *at).collect::<Vec<_>>(),
        "min": columns(|it| it.min), "mean": columns(|it| it.mean),
        "max": columns(|it| it.max), "p95": columns(|it| it.p95), "forecast": foretold,
    })
}
