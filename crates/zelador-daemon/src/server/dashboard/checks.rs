//! Everything that is looked at: how it is, how it was, how long a look takes.

use std::sync::Arc;

use maud::{Markup, html};
use zelador_core::supervisor::{CheckView, Supervisor};

use super::Dashboard;
use super::lang::Lang;
use super::live::{Absent, Fragment};
use super::page::percent;
use super::parts::{self, badge, time};
use super::past::{Cache, Past, SPARK_STEP};

/// The most checks whose past is drawn: reading that of more takes longer than a look at the page.
const MOST_DRAWN: usize = 500;

/// The pieces of the page.
///
/// # Errors
/// Nobody has told how everything is.
pub async fn fragments(
    dashboard: &Dashboard,
    cache: &mut Cache,
    lang: Lang,
) -> Result<Vec<Fragment>, Absent> {
    let health = dashboard.handle.ask(Supervisor::health).await?;
    let mut checks = health.checks;
    checks.sort_by(|one, other| {
        other.status.cmp(&one.status).then_with(|| one.component.cmp(&other.component))
    });
    let past =
        if checks.len() <= MOST_DRAWN { cache.of_checks(dashboard).await } else { Arc::default() };
    Ok(vec![Fragment::new(
        "list",
        html! {
            p.facts { (badge(parts::status(lang, health.overall))) span { (lang.count(checks.len(), ("check", "verificação"), ("checks", "verificações"))) } }
            @if let Some(whole) = &health.set_aside { (parts::resting_note(lang, lang.t("Everything", "Tudo"), whole)) }
            (parts::groups(lang, &health.groups))
            div.scroll tabindex="0" role="region" aria-label=(lang.t("Checks", "Verificações")) { table.checks {
                thead { tr {
                    th scope="col" { (lang.t("Component", "Componente")) } th scope="col" { (lang.t("State", "Estado")) }
                    th scope="col" { (lang.t("Why", "Por quê")) } th scope="col" { (lang.t("90 days", "90 dias")) }
                    th.num scope="col" { (lang.t("Took", "Levou")) } th.num scope="col" { (lang.t("Looked at", "Verificado")) }
                } }
                tbody { @for check in &checks { (row(lang, check, &past)) } }
            } }
        },
    )])
}

fn row(lang: Lang, check: &CheckView, past: &Past) -> Markup {
    let component = check.component.as_str();
    let app = component.strip_prefix("app:");
    // What an app is, its check is too; of one instance the component has no number.
    let days = match app {
        Some(_) => past.days.get(component).or_else(|| past.days.get(&format!("{component}/0"))),
        None => past.days.get(&format!("check:{component}")),
    };
    let latency = past.latency.get(&format!("check:{component}"));
    html! { tr data-name=(component) {
        th scope="row" { @match app {
            Some(app) => { a href={ "/health/app/" (percent(app.rsplit_once('/').map_or(app, |(app, _)| app))) } { (parts::plain(app)) } },
            None => (super::overview::component(lang, component)),
        } }
        td.c-state { (badge(parts::status(lang, check.status))) }
        td.c-why {
            (parts::plain(&check.told(lang.language())))
            @if let Some(aside) = &check.set_aside { div.resting { (parts::resting_by(lang, aside)) } }
        }
        td.c-days data-label=(lang.t("90 days", "90 dias")) { @if let Some(days) = days { span { (parts::days(lang, days, past.today())) } } }
        td.num.c-took data-label=(lang.t("Took", "Levou")) {
            @if let Some(line) = latency { (parts::sparkline(line, past.from, past.to, SPARK_STEP, 0)) }
            (lang.took(check.took))
        }
        td.num data-label=(lang.t("Looked at", "Verificado")) { (time(check.at, true)) }
    } }
}
