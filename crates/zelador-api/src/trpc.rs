//! The wire format of tRPC, as far as queries without subscriptions go: what `httpLink` and
//! `httpBatchLink` of versions 10 and 11 send and expect.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use zelador_core::check::Status;
use zelador_core::notify::Language;
use zelador_core::probe::Measure;
use zelador_core::retry::{Attempt, AttemptOutcome};
use zelador_core::supervisor::{HealthView, RetryView, SimpleHealth, VerdictView};

/// The answer to one procedure call: its HTTP status and its envelope.
#[derive(Clone, Debug, PartialEq)]
pub struct Envelope {
    /// The HTTP status of a single call.
    pub status: u16,
    /// `{ "result": { "data": … } }` or `{ "error": … }`.
    pub body: Value,
}

/// tRPC's error codes that zelador uses: name, number of JSON-RPC, HTTP status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    /// No such procedure.
    NotFound,
    /// The procedure exists, as a query.
    MethodNotSupported,
    /// The input is not understood.
    BadRequest,
    /// Zelador failed.
    Internal,
}

impl ErrorCode {
    const fn parts(self) -> (&'static str, i32, u16) {
        match self {
            Self::NotFound => ("NOT_FOUND", -32004, 404),
            Self::MethodNotSupported => ("METHOD_NOT_SUPPORTED", -32005, 405),
            Self::BadRequest => ("BAD_REQUEST", -32600, 400),
            Self::Internal => ("INTERNAL_SERVER_ERROR", -32603, 500),
        }
    }
}

impl Envelope {
    /// Returns the envelope of a result.
    pub fn result(data: &impl Serialize) -> Self {
        match serde_json::to_value(data) {
            Ok(data) => Self { status: 200, body: json!({ "result": { "data": data } }) },
            Err(error) => Self::error(ErrorCode::Internal, "", &error.to_string()),
        }
    }

    /// Returns the envelope of an error of the procedure at `path`.
    pub fn error(code: ErrorCode, path: &str, message: &str) -> Self {
        let (name, number, status) = code.parts();
        let data = json!({ "code": name, "httpStatus": status, "path": path });
        let body = json!({ "error": { "message": message, "code": number, "data": data } });
        Self { status, body }
    }

    /// Returns what a batch answers: the bodies in order, and their common status or 207.
    pub fn batch(envelopes: Vec<Self>) -> Self {
        let mut statuses = envelopes.iter().map(|envelope| envelope.status);
        let first = statuses.next().unwrap_or(200);
        let status = if statuses.all(|other| other == first) { first } else { 207 };
        let bodies = envelopes.into_iter().map(|envelope| envelope.body).collect();
        Self { status, body: Value::Array(bodies) }
    }
}

/// The procedures that exist.
pub const PROCEDURES: [&str; 7] = [
    "health.check",
    "health.status",
    "health.simple",
    "health.history",
    "retry.stats",
    "retry.history",
    "breaker.list",
];

/// One line of what `health.history` answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Of what: `memory`, `app:api`.
    pub component: String,
    /// What it changed to.
    pub status: Status,
    /// Why.
    pub message: String,
    /// ISO 8601.
    pub timestamp: String,
}

impl From<&VerdictView> for Verdict {
    fn from(view: &VerdictView) -> Self {
        Self {
            component: view.component.clone(),
            status: view.status,
            message: view.message.clone(),
            timestamp: view.at.to_string(),
        }
    }
}

/// One line of what `retry.stats` answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RetryStats {
    /// `query`, `send`, `restart` …
    pub operation: String,
    /// How many came to an end.
    pub total: u64,
    /// How many of them well.
    pub successful: u64,
    /// How many of them not.
    pub failed: u64,
    /// Attempts of all of them.
    pub attempts: u64,
    /// Attempts that failed.
    pub failed_attempts: u64,
    /// Percent.
    pub success_rate: Option<f64>,
    /// Attempts of one operation.
    pub average_attempts: Option<f64>,
    /// The latest first.
    pub last_errors: Vec<String>,
}

/// One line of what `retry.history` answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RetryAttempt {
    /// `query`, `send`, `restart` …
    pub operation: String,
    /// Towards what: `app:api`, `notify:slack`.
    pub target: String,
    /// 1 is the first.
    pub attempt: u32,
    /// `succeeded`, `retrying` or `gave-up`.
    pub outcome: String,
    /// What went wrong.
    pub error: Option<String>,
    /// Seconds until the next attempt.
    pub delay: Option<f64>,
    /// Seconds.
    pub duration: f64,
    /// ISO 8601.
    pub timestamp: String,
}

/// How many errors `retry.stats` tells.
const LAST_ERRORS: usize = 5;

impl From<&RetryView> for RetryStats {
    fn from(view: &RetryView) -> Self {
        let stats = &view.stats;
        let errors = stats.last_errors().take(LAST_ERRORS);
        Self {
            operation: view.operation.clone(),
            total: stats.total,
            successful: stats.successful,
            failed: stats.failed,
            attempts: stats.attempts,
            failed_attempts: stats.failed_attempts,
            success_rate: view.success_rate,
            average_attempts: view.average_attempts,
            last_errors: errors.map(|(_, error)| error.to_string()).collect(),
        }
    }
}

/// What `retry.history` answers, the latest attempt first; `operation` narrows it down.
pub fn retry_history(views: &[RetryView], operation: Option<&str>) -> Vec<RetryAttempt> {
    let wanted = views.iter().filter(|view| operation.is_none_or(|it| it == view.operation));
    let mut attempts: Vec<_> = wanted
        .flat_map(|view| view.stats.latest.iter().map(|attempt| (view.operation.as_str(), attempt)))
        .collect();
    attempts.sort_by_key(|(_, attempt)| std::cmp::Reverse(attempt.at));
    let entry = |(operation, attempt): (&str, &Attempt)| {
        let (outcome, error, delay) = match &attempt.outcome {
            AttemptOutcome::Succeeded => ("succeeded", None, None),
            AttemptOutcome::Retrying { error, delay, .. } => ("retrying", Some(error), Some(delay)),
            AttemptOutcome::GaveUp { error, .. } => ("gave-up", Some(error), None),
        };
        RetryAttempt {
            operation: operation.to_owned(),
            target: attempt.target.clone(),
            attempt: attempt.number,
            outcome: outcome.to_owned(),
            error: error.map(ToString::to_string),
            delay: delay.map(|it| seconds(*it)),
            duration: seconds(attempt.took),
            timestamp: attempt.at.to_string(),
        }
    };
    attempts.into_iter().map(entry).collect()
}

/// What `health.check` and `health.status` answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// The worst of all.
    pub overall: Status,
    /// Everything that is looked at.
    pub checks: Vec<CheckEntry>,
    /// The apps, by namespace.
    pub groups: Vec<GroupEntry>,
    /// Seconds.
    pub uptime: f64,
    /// ISO 8601.
    pub timestamp: String,
}

/// One thing that is looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckEntry {
    /// `memory`, `database:main`, `app:api` …
    pub component: String,
    /// The verdict.
    pub status: Status,
    /// Milliseconds.
    pub response_time: f64,
    /// In one sentence.
    pub message: String,
    /// What it rests on: each with its name, value and unit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub measures: Vec<Measure>,
    /// ISO 8601.
    pub timestamp: String,
    /// Why it does not count for the whole: in maintenance, or muted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_aside: Option<String>,
}

/// How the apps of a namespace are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupEntry {
    /// The namespace.
    pub group: String,
    /// The worst of them.
    pub status: Status,
    /// In one sentence.
    pub message: String,
}

impl From<&HealthView> for Health {
    fn from(view: &HealthView) -> Self {
        let checks = view.checks.iter().map(|check| CheckEntry {
            component: check.component.clone(),
            status: check.status,
            response_time: (check.took.as_secs_f64() * 1e6).round() / 1e3,
            message: check.message.clone(),
            measures: check.measures.clone(),
            timestamp: check.at.to_string(),
            set_aside: check.set_aside.as_ref().map(|it| it.told(view.at, Language::En)),
        });
        let groups = view.groups.iter().map(|group| GroupEntry {
            group: group.group.clone(),
            status: group.status,
            message: group.message.clone(),
        });
        Self {
            groups: groups.collect(),
            overall: view.overall,
            checks: checks.collect(),
            uptime: seconds(view.uptime),
            timestamp: view.at.to_string(),
        }
    }
}

/// What `health.simple` answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Simple {
    /// `ok`, or `degraded` for everything else.
    pub status: String,
    /// Seconds.
    pub uptime: f64,
    /// ISO 8601.
    pub timestamp: String,
}

impl From<SimpleHealth> for Simple {
    fn from(health: SimpleHealth) -> Self {
        let word = if health.overall == Status::Healthy { "ok" } else { "degraded" };
        Self {
            status: word.to_owned(),
            uptime: seconds(health.uptime),
            timestamp: health.at.to_string(),
        }
    }
}

fn seconds(span: std::time::Duration) -> f64 {
    (span.as_secs_f64() * 1e3).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_of_equal_statuses_has_that_status_and_a_mixed_one_207() {
        let (good, bad) = (Envelope::result(&1), Envelope::error(ErrorCode::NotFound, "x", "no"));
        assert_eq!(Envelope::batch(vec![good.clone(), good.clone()]).status, 200);
        assert_eq!(Envelope::batch(vec![bad.clone(), bad.clone()]).status, 404);
        assert_eq!(Envelope::batch(vec![good, bad]).status, 207);
    }

    #[test]
    fn an_error_has_trpcs_shape() {
        let envelope = Envelope::error(ErrorCode::NotFound, "a.b", "no procedure");
        assert_eq!(
            envelope.body,
            json!({ "error": { "message": "no procedure", "code": -32004,
                "data": { "code": "NOT_FOUND", "httpStatus": 404, "path": "a.b" } } })
        );
    }
}
