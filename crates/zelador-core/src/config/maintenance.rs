//! Windows of maintenance: `'0 2 * * 0 for 2h'`, or `{ cron: '0 2 * * 0', for: '2h' }`.

use std::time::Duration;

use super::amount;
use super::fields::WINDOW;
use super::node::Value;
use super::place::Place;
use crate::spec::{CronPattern, Window};
use crate::unit::SECOND;

const ALLOWED: &str = "windows like `0 2 * * 0 for 2h`, or `{ cron: '0 2 * * 0', for: '2h' }`";

/// The longest window: a week. What lasts longer is no maintenance.
const LONGEST: Duration = Duration::from_hours(7 * 24);

/// Returns the windows that stand there: one, or a list.
pub(super) fn windows(place: &Place<'_>) -> Vec<Window> {
    match &place.node.value {
        Value::List(_) => place.items().iter().filter_map(window).collect(),
        Value::Bool(false) => Vec::new(),
        _ => window(place).into_iter().collect(),
    }
}

fn window(place: &Place<'_>) -> Option<Window> {
    match &place.node.value {
        Value::Text(text) => {
            let Some((pattern, span)) = text.rsplit_once(" for ") else {
                return place.refuse(ALLOWED);
            };
            let Some(lasts) = amount::span(span.trim()).filter(is_fit) else {
                return place.refuse_found(format!("for `{}`", span.trim()), SPANS);
            };
            Some(Window { begins: pattern_of(place, pattern.trim())?, lasts })
        }
        Value::Table(_) => {
            let block = place.block("a window", WINDOW)?;
            let (Some(cron), Some(span)) = (block.get("cron"), block.get("for")) else {
                return place.refuse_found("`cron` or `for` missing", ALLOWED);
            };
            let lasts = span.span(SECOND)?;
            if !is_fit(&lasts) {
                return span.refuse(SPANS);
            }
            Some(Window { begins: pattern_of(cron, &cron.text()?)?, lasts })
        }
        _ => place.refuse(ALLOWED),
    }
}

const SPANS: &str = "a time from 1s to 7d";

fn is_fit(span: &Duration) -> bool {
    (SECOND..=LONGEST).contains(span)
}

fn pattern_of(place: &Place<'_>, text: &str) -> Option<CronPattern> {
    match CronPattern::new(text) {
        Ok(pattern) => Some(pattern),
        Err(reason) => place.refuse_with_help(
            "a cron pattern of five fields like `0 3 * * *`, or six with seconds first",
            reason.trim_end_matches('.').to_owned(),
        ),
    }
}
