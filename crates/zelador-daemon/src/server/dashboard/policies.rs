//! How what failed is tried again and when it is left alone, as it is in force for each operation.

use zelador_core::breaker::{BreakerPolicy, Window};
use zelador_core::retry::{Jitter, RetryPolicy};
use zelador_core::spec::{BreakerChange, REMEDY, Settings};

use super::lang::Lang;
use crate::again;

/// Every operation that is tried again, with how.
pub fn retries(lang: Lang, settings: &Settings) -> Vec<(String, String)> {
    let said = &settings.resilience;
    let general = RetryPolicy::general();
    vec![
        ("answer".to_owned(), retry(lang, &said.retry("answer", again::PM2))),
        ("ask".to_owned(), retry(lang, &said.retry("ask", RetryPolicy { retries: 1, ..general }))),
        ("heartbeat".to_owned(), retry(lang, &said.retry("heartbeat", general))),
        ("listen".to_owned(), retry(lang, &said.retry("listen", again::ADDRESS))),
        (REMEDY.to_owned(), retry(lang, &said.retry(REMEDY, RetryPolicy::service_restart()))),
        ("send".to_owned(), retry(lang, &settings.notify.retry)),
    ]
}

/// Every operation that has a breaker, with when it opens and for how long.
pub fn breakers(lang: Lang, settings: &Settings) -> Vec<(String, String)> {
    let said = &settings.resilience;
    let cadence = settings.cadence;
    let look = || BreakerPolicy::look(cadence.interval, cadence.failure_threshold);
    let looks = ["query", "request", "connect", "call", "open", "resolve", "handshake"];
    let looks = looks.map(|name| (name, look()));
    let others = [
        ("send", BreakerPolicy::channel()),
        ("ask", BreakerPolicy::model()),
        (REMEDY, BreakerPolicy::remedy()),
    ];
    let of_operations = looks.into_iter().chain(others);
    let mut rows: Vec<(String, String)> = of_operations
        .map(|(name, policy)| (name.to_owned(), breaker(lang, &said.breaker(name, policy))))
        .collect();
    let own = settings.databases.iter().map(|(name, it)| (name, "query", it.cadence, it.breaker));
    for (name, operation, cadence, change) in own.filter(|it| it.3 != BreakerChange::default()) {
        let policy = BreakerPolicy::look(cadence.interval, cadence.failure_threshold);
        let policy = change.of(said.breaker(operation, policy));
        rows.push((format!("database:{name} {operation}"), breaker(lang, &policy)));
    }
    rows
}

fn retry(lang: Lang, policy: &RetryPolicy) -> String {
    let (first, cap) = (lang.span(policy.first), lang.span(policy.cap));
    let times = match policy.retries {
        u32::MAX => lang.t("until it is too old", "até envelhecer demais").to_owned(),
        1 => lang.t("once more", "mais uma vez").to_owned(),
        times => format!("{times} {}", lang.t("times more", "vezes mais")),
    };
    let factor = policy.factor.value();
    let jitter = match policy.jitter {
        Jitter::None => String::new(),
        Jitter::Full => lang.t("; full jitter", "; jitter total").to_owned(),
        Jitter::Equal => lang.t("; equal jitter", "; jitter igual").to_owned(),
        Jitter::Decorrelated => {
            lang.t("; decorrelated jitter", "; jitter descorrelacionado").to_owned()
        }
    };
    let within = policy
        .total
        .map(|total| format!("; {} {}", lang.t("within", "dentro de"), lang.span(total)));
    format!("{times}; {first} → {cap}, × {factor}{jitter}{}", within.unwrap_or_default())
}

fn breaker(lang: Lang, policy: &BreakerPolicy) -> String {
    let in_row = policy
        .failures_in_row
        .map(|failures| format!("{failures} {}; ", lang.t("failures in a row", "falhas seguidas")));
    let window = match policy.window {
        Window::Count(calls) => format!("{calls} {}", lang.t("calls", "chamadas")),
        Window::Time(span) => lang.span(span),
    };
    let share = lang.percent(policy.failure_rate.value());
    let of = lang.t("failed of at least", "com falha de pelo menos");
    let within = lang.t("of the last", "das últimas");
    let slow = policy.slow.map(|slow| {
        let (share, slow) = (lang.percent(policy.slow_rate.value()), lang.span(slow));
        format!("; {share} {} {slow}", lang.t("slower than", "mais lentas que"))
    });
    let (open, cap) = (lang.span(policy.open_for), lang.span(policy.open_cap));
    let (opens, closes) = (lang.t("open", "aberto"), lang.t("closes after", "fecha após"));
    format!(
        "{}{share} {of} {} {within} {window}{}; {opens} {open} → {cap}; {closes} {}",
        in_row.unwrap_or_default(),
        policy.minimum_calls,
        slow.unwrap_or_default(),
        policy.successes_to_close,
    )
}
