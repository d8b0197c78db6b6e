//! How what failed is tried again and when it is left alone, as it is in force for each operation.

use std::sync::Arc;

use zelador_core::breaker::{BreakerPolicy, Window};
use zelador_core::check::CheckTarget;
use zelador_core::retry::{Jitter, RetryPolicy};
use zelador_core::spec::{BreakerChange, NamedTarget, REMEDY, Settings};
use zelador_core::supervisor::OwnPolicies;

use super::lang::Lang;
use crate::again;
#[cfg(feature = "otlp")]
use crate::otlp::EXPORT;

/// Every operation that is tried again, with how; below them the apps that say otherwise.
pub fn retries(lang: Lang, settings: &Settings, own: &[OwnPolicies]) -> Vec<(String, String)> {
    let said = &settings.resilience;
    let general = RetryPolicy::general();
    let mut rows = vec![
        ("answer".to_owned(), retry(lang, &said.retry("answer", again::PM2))),
        ("ask".to_owned(), retry(lang, &said.retry("ask", RetryPolicy { retries: 1, ..general }))),
        #[cfg(feature = "otlp")]
        (EXPORT.to_owned(), retry(lang, &said.retry(EXPORT, general))),
        ("heartbeat".to_owned(), retry(lang, &said.retry("heartbeat", general))),
        ("listen".to_owned(), retry(lang, &said.retry("listen", again::ADDRESS))),
        (REMEDY.to_owned(), retry(lang, &said.retry(REMEDY, RetryPolicy::service_restart()))),
        ("send".to_owned(), retry(lang, &settings.notify.retry)),
    ];
    let own = own.iter().filter_map(|it| Some((of_app(it), retry(lang, it.retry.as_ref()?))));
    rows.extend(own);
    rows
}

/// What the remedies of an app are called, as on the page of breakers.
fn of_app(own: &OwnPolicies) -> String {
    format!("app:{} {REMEDY}", own.app)
}

/// Every operation that has a breaker, with when it opens and for how long; below them the databases,
/// checks and apps that say otherwise.
pub fn breakers(lang: Lang, settings: &Settings, own: &[OwnPolicies]) -> Vec<(String, String)> {
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
    let databases = settings
        .databases
        .iter()
        .map(|(name, it)| (format!("database:{name}"), "query", it.cadence, it.breaker));
    let named = settings.named.iter().filter_map(|(name, it)| {
        let NamedTarget::Probe(probe) = &it.target else { return None };
        let operation = CheckTarget::App(Arc::clone(probe)).operation()?;
        Some((format!("check:{name}"), operation, it.cadence, it.breaker))
    });
    let said_of = databases.chain(named).filter(|it| it.3 != BreakerChange::default());
    for (target, operation, cadence, change) in said_of {
        let policy = BreakerPolicy::look(cadence.interval, cadence.failure_threshold);
        let policy = change.of(said.breaker(operation, policy));
        rows.push((format!("{target} {operation}"), breaker(lang, &policy)));
    }
    let own = own.iter().filter_map(|it| Some((of_app(it), breaker(lang, it.breaker.as_ref()?))));
    rows.extend(own);
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
