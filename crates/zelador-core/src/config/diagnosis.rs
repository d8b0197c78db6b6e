//! Rules of the user for diagnoses, and the language model that may be asked.

use std::path::Path;
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::fields::{ADVISOR, DIAGNOSIS, RULE};
use super::node::Value;
use super::overlay::Switch;
use super::place::{Block, Place};
use crate::diagnosis::consult::Language;
use crate::diagnosis::{Action, Cause, MOST_RULES, UserRule, may_ask, pattern};
use crate::spec::{AdvisorSpec, KeyFrom, Provider};
use crate::watch::absolute;

/// A small local model needs half a minute for a whole answer: measured with 135 M parameters on one core.
const TIMEOUT: Duration = Duration::from_secs(30);
/// A cause, a sentence and a few numbers fit.
const MAX_TOKENS: u32 = 300;
/// Ten questions a day at 4,500 tokens each, and some.
const BUDGET: u64 = 50_000;

/// `diagnosis: { rules: [{ pattern, cause, action }] }`.
pub(super) fn rules(place: &Place<'_>) -> Option<Vec<UserRule>> {
    let block = place.block("`diagnosis`", DIAGNOSIS)?;
    let rules = block.get("rules")?;
    if !matches!(rules.node.value, Value::List(_)) {
        return rules.refuse("a list of `{ pattern, cause, action }`");
    }
    let items = rules.items();
    if items.len() > MOST_RULES {
        return rules.refuse(format!("at most {MOST_RULES} rules"));
    }
    Some(items.iter().filter_map(rule).collect())
}

fn rule(place: &Place<'_>) -> Option<UserRule> {
    const ALLOWED: &str = "`{ pattern: 'E-4412', cause: 'dependency_unreachable' }`";
    if !matches!(place.node.value, Value::Table(_)) {
        return place.refuse(ALLOWED);
    }
    let block = place.block("a rule", RULE)?;
    let need = |name: &str| match block.get(name) {
        Some(place) => Some(place),
        None => place.refuse_found(format!("no `{name}`"), ALLOWED),
    };
    let (at_pattern, at_cause) = (need("pattern"), need("cause"));
    let text = at_pattern.and_then(Place::text);
    let text = text.and_then(|text| match (pattern(&text), at_pattern) {
        (Ok(_), _) => Some(text),
        (Err(why), Some(place)) => place.refuse(format!("a regular expression: {why}")),
        (Err(_), None) => None,
    });
    let cause: Option<Cause> = at_cause.and_then(|place| word(place, &Cause::ALL));
    let action = match block.get("action") {
        Some(place) => {
            let action: Action = word(place, &Action::ALL)?;
            if cause.is_some_and(|cause| !may_ask(cause, action)) {
                return place.refuse("an action that cannot do damage for this cause");
            }
            Some(action)
        }
        None => None,
    };
    Some(UserRule { pattern: text?, cause: cause?, action })
}

/// One word of a closed set.
fn word<T: DeserializeOwned + serde::Serialize>(place: &Place<'_>, all: &[T]) -> Option<T> {
    let text = place.text()?;
    match serde_json::from_value(serde_json::Value::String(text.trim().to_owned())) {
        Ok(value) => Some(value),
        Err(_) => {
            let words: Vec<String> = all
                .iter()
                .filter_map(|it| serde_json::to_value(it).ok()?.as_str().map(str::to_owned))
                .collect();
            place.refuse(format!("one of {}", words.join(", ")))
        }
    }
}

/// `advisor: { provider, url, model, … }`, or false.
pub(super) fn advisor(place: &Place<'_>, folder: &Path) -> Option<Switch<AdvisorSpec>> {
    if place.is_false() {
        return Some(Switch::Off);
    }
    if !matches!(place.node.value, Value::Table(_)) {
        return place.refuse(
            "`{ provider: 'openai', url: 'http://127.0.0.1:8080', model: 'name' }`, or false",
        );
    }
    let block = place.block("`advisor`", ADVISOR)?;
    let provider =
        block.get("provider").and_then(provider).or_else(|| missing(place, &block, "provider"));
    let url = block.get("url").and_then(url).or_else(|| missing(place, &block, "url"));
    let model =
        block.get("model").and_then(Place::text).or_else(|| missing(place, &block, "model"));
    let key = key(&block, folder);
    let whole = |name: &str, range| block.get(name).and_then(|place| place.whole(range));
    let span = |place: &Place<'_>| place.span(Duration::from_millis(100));
    Some(Switch::On(AdvisorSpec {
        provider: provider?,
        url: url?,
        model: model?,
        key: key?,
        timeout: block.get("timeout").and_then(span).unwrap_or(TIMEOUT),
        max_tokens: whole("max_tokens", 50..=8_192).map_or(MAX_TOKENS, |count| count as u32),
        budget_per_day: whole("budget_per_day", 0..=100_000_000)
            .map_or(BUDGET, |count| count as u64)
            .min(tokens_for_money(place, &block)),
        language: block.get("language").and_then(language).unwrap_or_default(),
    }))
}

/// As many tokens as the money of a day buys: `price` is that of a million, in whatever currency.
fn tokens_for_money(place: &Place<'_>, block: &Block<'_>) -> u64 {
    let amount = |name: &str| {
        let place = block.get(name)?;
        let number = place.number().filter(|number| *number > 0.0);
        number.or_else(|| place.refuse("a number above 0"))
    };
    match (amount("price"), amount("money_per_day")) {
        // Rounded down: less than a token costs nothing and buys nothing.
        (Some(price), Some(money)) => (money / price * 1e6) as u64,
        (None, Some(_)) if block.get("price").is_none() => {
            place.refuse_found::<()>(
                "no `price`",
                "`price` of a million tokens beside `money_per_day`",
            );
            u64::MAX
        }
        _ => u64::MAX,
    }
}

fn missing<T>(place: &Place<'_>, block: &Block<'_>, name: &str) -> Option<T> {
    if block.get(name).is_some() {
        return None;
    }
    place.refuse_found(format!("no `{name}`"), "`provider`, `url` and `model`")
}

fn provider(place: &Place<'_>) -> Option<Provider> {
    match place.text()?.trim() {
        "openai" => Some(Provider::Openai),
        "anthropic" => Some(Provider::Anthropic),
        "ollama" => Some(Provider::Ollama),
        _ => place.refuse("`openai` (also llama.cpp, vLLM), `anthropic` or `ollama`"),
    }
}

fn language(place: &Place<'_>) -> Option<Language> {
    match place.text()?.trim().to_ascii_lowercase().as_str() {
        "en" | "english" => Some(Language::English),
        "pt" | "pt-br" | "portuguese" => Some(Language::Portuguese),
        _ => place.refuse("`en` or `pt`"),
    }
}

fn url(place: &Place<'_>) -> Option<String> {
    const ALLOWED: &str = "`https://host` or `http://host:port`, without a user or a password";
    let text = place.text()?;
    let text = text.trim().trim_end_matches('/');
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let Some(rest) = rest.filter(|it| !it.is_empty()) else { return place.refuse(ALLOWED) };
    let is_plain = !rest.contains(['@', '?', '#', ' ']) && !rest.starts_with('/');
    if is_plain { Some(text.to_owned()) } else { place.refuse(ALLOWED) }
}

fn key(block: &Block<'_>, folder: &Path) -> Option<KeyFrom> {
    match (block.get("key_env"), block.get("key_file")) {
        (Some(_), Some(place)) => place.refuse("either `key_env` or `key_file`"),
        (Some(place), None) => {
            let name = place.text()?;
            let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            // Somebody who writes the key itself here should not find it in a message.
            if is_name && name.len() <= 64 && !name.starts_with(|c: char| c.is_ascii_digit()) {
                return Some(KeyFrom::Variable(name));
            }
            place.refuse_found(
                "no name of a variable",
                "the name of a variable, as `OPENAI_API_KEY`",
            )
        }
        (None, Some(place)) => Some(KeyFrom::File(absolute(folder, &place.text()?))),
        (None, None) => Some(KeyFrom::Nowhere),
    }
}
