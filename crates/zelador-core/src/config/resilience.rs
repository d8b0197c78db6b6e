//! `retry` and `breaker`: how what failed is tried again, and when it is left alone; for all operations
//! under `default`, and for each under its own name.

use std::collections::BTreeMap;
use std::time::Duration;

use super::fields::{BREAKER, BREAKERS, DELAYS, RETRIES, RETRY};
use super::names::Names;
use super::node::Value;
use super::place::{Block, Place};
use crate::breaker::Window;
use crate::retry::{Factor, Jitter};
use crate::spec::{BreakerChange, RetryChange};
use crate::unit::Percent;

/// The shortest delay and open time: what is shorter is a busy loop.
const SHORTEST: Duration = Duration::from_millis(10);

/// The most attempts: with a delay of a second more than two weeks.
const MOST_RETRIES: i64 = 1_000_000;

/// Returns what is said of the retries of operations, by their names.
pub(super) fn retries(place: &Place<'_>) -> BTreeMap<String, RetryChange> {
    operations(
        place,
        "`retry`: `default`, `answer`, `ask`, `export`, `heartbeat`, `listen`, `remedy`, `send` (a look is tried again by its own cadence)",
        RETRIES,
        |name, place| retry(place, if name == "send" { DELAYS } else { RETRY }),
    )
}

/// Returns what is said of the breakers of operations, by their names.
pub(super) fn breakers(place: &Place<'_>) -> BTreeMap<String, BreakerChange> {
    operations(
        place,
        "`breaker`: `default`, `query`, `request`, `connect`, `call`, `open`, `resolve`, `handshake`, `send`, `ask`, `remedy`",
        BREAKERS,
        |_, place| breaker(place),
    )
}

fn operations<T>(
    place: &Place<'_>,
    whose: &str,
    known: &'static [Names],
    read: impl Fn(&str, &Place<'_>) -> Option<T>,
) -> BTreeMap<String, T> {
    let Some(block) = place.block(whose, known) else { return BTreeMap::new() };
    let said = known.iter().filter_map(|(name, _)| Some((*name, block.get(name)?)));
    said.filter_map(|(name, place)| Some((name.to_owned(), read(name, place)?))).collect()
}

/// Returns what a block says of a retry that has these fields.
pub(super) fn retry(place: &Place<'_>, known: &'static [Names]) -> Option<RetryChange> {
    let block = place.block("a retry", known)?;
    let change = RetryChange {
        retries: block.get("retries").and_then(|it| it.whole(0..=MOST_RETRIES)).map(|n| n as u32),
        first: span(&block, "first_delay", SHORTEST),
        factor: block.get("factor").and_then(|place| {
            let factor = place.number().and_then(Factor::new);
            factor.or_else(|| place.refuse("a number from 1 to 100"))
        }),
        cap: span(&block, "max_delay", SHORTEST),
        jitter: block.get("jitter").and_then(jitter),
        total: span(&block, "total_time", SHORTEST),
        longest_retry_after: span(&block, "max_retry_after", Duration::ZERO),
    };
    no_shorter(&block, "max_delay", ("first_delay", change.first), change.cap);
    Some(change)
}

/// Returns what a block says of a breaker.
pub(super) fn breaker(place: &Place<'_>) -> Option<BreakerChange> {
    let block = place.block("a breaker", BREAKER)?;
    let count = |name: &str, most: i64| {
        block.get(name).and_then(|place| place.whole(1..=most)).map(|count| count as u32)
    };
    let share = |name: &str| {
        block.get(name).and_then(|place| {
            let share = place.number().filter(|share| *share > 0.0).and_then(Percent::new);
            share.or_else(|| place.refuse("a share above 0, up to 100"))
        })
    };
    let failures_in_row = block.get("failures").and_then(|place| {
        if place.is_false() { Some(None) } else { place.whole(1..=1_000).map(|n| Some(n as u32)) }
    });
    let change = BreakerChange {
        failures_in_row,
        window: block.get("window").and_then(window),
        minimum_calls: count("minimum_calls", 100_000),
        failure_rate: share("failure_rate"),
        slow: span(&block, "slow", Duration::from_millis(1)),
        slow_rate: share("slow_rate"),
        successes_to_close: count("successes", 1_000),
        open_for: span(&block, "open_for", SHORTEST),
        open_cap: span(&block, "max_open", SHORTEST),
        trials_at_once: count("trials", 100),
        trial_timeout: span(&block, "trial_timeout", Duration::from_millis(100)),
        at_once: count("at_once", 1_000),
    };
    no_shorter(&block, "max_open", ("open_for", change.open_for), change.open_cap);
    if let (Some(Window::Count(most)), Some(minimum)) = (change.window, change.minimum_calls)
        && minimum > most
        && let Some(place) = block.get("minimum_calls")
    {
        place.refuse::<()>(format!("at most {most}, as many calls as `window` holds"));
    }
    Some(change)
}

fn span(block: &Block<'_>, name: &str, least: Duration) -> Option<Duration> {
    block.get(name).and_then(|place| place.span(least))
}

/// Reports a longest time that is shorter than the first one.
fn no_shorter(
    block: &Block<'_>,
    name: &str,
    (first_name, first): (&str, Option<Duration>),
    longest: Option<Duration>,
) {
    if let (Some(first), Some(longest), Some(place)) = (first, longest, block.get(name))
        && longest < first
    {
        place.refuse::<()>(format!("at least `{first_name}`, {}", crate::unit::spoken(first)));
    }
}

fn jitter(place: &Place<'_>) -> Option<Jitter> {
    const ALLOWED: &str = "`none`, `full`, `equal` or `decorrelated`";
    if place.is_false() {
        return Some(Jitter::None);
    }
    let Value::Text(word) = &place.node.value else { return place.refuse(ALLOWED) };
    match word.as_str() {
        "none" => Some(Jitter::None),
        "full" => Some(Jitter::Full),
        "equal" => Some(Jitter::Equal),
        "decorrelated" => Some(Jitter::Decorrelated),
        _ => place.refuse(ALLOWED),
    }
}

/// A number is so many calls, a text with a unit so long.
fn window(place: &Place<'_>) -> Option<Window> {
    let allowed = format!(
        "a number of calls from 1 to {}, or a time from `1s` to `{}s`",
        Window::MOST_CALLS,
        Window::MOST_SECONDS
    );
    if let Some(calls) = place.number() {
        let fits = calls.fract() == 0.0 && (1.0..=f64::from(Window::MOST_CALLS)).contains(&calls);
        return if fits { Some(Window::Count(calls as u32)) } else { place.refuse(allowed) };
    }
    let Value::Text(text) = &place.node.value else { return place.refuse(allowed) };
    let longest = Duration::from_secs(Window::MOST_SECONDS);
    let fits = |span: &Duration| (Duration::from_secs(1)..=longest).contains(span);
    match super::amount::span(text).filter(fits) {
        Some(span) => Some(Window::Time(span)),
        None => place.refuse(allowed),
    }
}
