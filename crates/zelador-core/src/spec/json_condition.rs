//! What a body of JSON must say.

use serde::{Deserialize, Serialize};

use crate::words;
use crate::words::Words;

/// A condition on a value in a JSON body: `queue.depth < 100`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JsonCondition {
    /// Names and indices with dots between: `checks.0.status`.
    pub path: String,
    /// `==`, `!=`, `<`, `<=`, `>` or `>=`.
    pub operator: Operator,
    /// What it is compared with, as JSON or as plain text.
    pub value: String,
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Operator {
    #[serde(rename = "==")]
    Equal,
    #[serde(rename = "!=")]
    NotEqual,
    #[serde(rename = "<")]
    Below,
    #[serde(rename = "<=")]
    AtMost,
    #[serde(rename = ">")]
    Above,
    #[serde(rename = ">=")]
    AtLeast,
}

impl Operator {
    /// Every operator as it is written; the longer ones first.
    pub const WRITTEN: [(&'static str, Self); 6] = [
        ("==", Self::Equal),
        ("!=", Self::NotEqual),
        ("<=", Self::AtMost),
        (">=", Self::AtLeast),
        ("<", Self::Below),
        (">", Self::Above),
    ];

    /// As it is written.
    pub fn written(self) -> &'static str {
        Self::WRITTEN.iter().find(|(_, it)| *it == self).map_or("", |(written, _)| written)
    }
}

impl JsonCondition {
    /// Returns `None` when it holds, and else what is the case, in few words.
    pub fn complaint(&self, body: &serde_json::Value) -> Option<Words> {
        let Self { path, operator, value } = self;
        let mut found = body;
        for step in path.split('.').filter(|step| !step.is_empty() && *step != "$") {
            let next = match found {
                serde_json::Value::Array(items) => {
                    step.parse::<usize>().ok().and_then(|index| items.get(index))
                }
                other => other.get(step),
            };
            match next {
                Some(next) => found = next,
                None => return Some(words!("it has no `{path}`", "não tem `{path}`")),
            }
        }
        let text = match found {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let numbers = text.parse::<f64>().ok().zip(value.parse::<f64>().ok());
        let holds = match (operator, numbers) {
            (Operator::Equal, Some((it, wanted))) => it.total_cmp(&wanted).is_eq(),
            (Operator::NotEqual, Some((it, wanted))) => it.total_cmp(&wanted).is_ne(),
            (Operator::Equal, None) => text == *value,
            (Operator::NotEqual, None) => text != *value,
            (Operator::Below, Some((it, limit))) => it < limit,
            (Operator::AtMost, Some((it, limit))) => it <= limit,
            (Operator::Above, Some((it, limit))) => it > limit,
            (Operator::AtLeast, Some((it, limit))) => it >= limit,
            (_, None) => false,
        };
        let short: String = text.chars().take(60).collect();
        let operator = operator.written();
        (!holds).then(|| {
            words!(
                "`{path}` is {short}, not {operator} {value}",
                "`{path}` é {short}, não {operator} {value}",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_on_json_say_what_is_the_case() {
        let body = serde_json::json!({ "status": "ok", "queue": { "depth": 120 }, "up": [true] });
        let complaint = |path: &str, operator, value: &str| {
            let (path, value) = (path.to_owned(), value.to_owned());
            JsonCondition { path, operator, value }.complaint(&body)
        };
        assert_eq!(complaint("status", Operator::Equal, "ok"), None);
        assert_eq!(complaint("$.queue.depth", Operator::Above, "100"), None);
        assert_eq!(complaint("up.0", Operator::Equal, "true"), None);
        assert_eq!(
            complaint("queue.depth", Operator::Below, "100").unwrap(),
            "`queue.depth` is 120, not < 100"
        );
        assert_eq!(
            complaint("queue.rate", Operator::Below, "1").unwrap(),
            "it has no `queue.rate`"
        );
        assert!(complaint("status", Operator::Below, "100").is_some(), "text is no number");
    }
}
