//! Pages that are one list: incidents, checks, who did what.

use maud::{Markup, html};
use zelador_core::aside::asker;
use zelador_core::supervisor::Supervisor;
use zelador_core::unit::Moment;

use super::Dashboard;
use super::lang::Lang;
use super::live::{Absent, Fragment};
use super::page::percent;
use super::parts::{self, badge, icon, time};

/// How many entries are listed.
const LISTED: u32 = 200;

fn one(content: Markup) -> Vec<Fragment> {
    vec![Fragment::new("list", content)]
}

/// What stands where the past cannot be read.
fn unreadable(error: &str) -> Markup {
    html! { p.note.warn { (icon("warn")) (error) } }
}

/// All incidents.
pub async fn incidents(dashboard: &Dashboard, lang: Lang) -> Result<Vec<Fragment>, Absent> {
    let found = dashboard.read(|reader| reader.incidents(None, Moment::default(), LISTED)).await;
    Ok(one(match found {
        Ok(found) if found.is_empty() => parts::empty(
            lang.t("No incidents", "Nenhum incidente"),
            html! { p { (lang.t("When something goes wrong, its whole story is here.", "Quando algo der errado, a história completa estará aqui.")) } },
        ),
        Ok(found) => super::app::list_incidents(lang, &found),
        Err(failure) => unreadable(&lang.say(&failure.error)),
    }))
}

/// All checks with their last results.
pub async fn checks(dashboard: &Dashboard, lang: Lang) -> Result<Vec<Fragment>, Absent> {
    let health = dashboard.handle.ask(Supervisor::health).await?;
    let mut checks = health.checks;
    checks.sort_by(|one, other| {
        other.status.cmp(&one.status).then_with(|| one.component.cmp(&other.component))
    });
    Ok(one(html! {
        p.facts { (badge(parts::status(lang, health.overall))) span { (lang.count(checks.len(), ("check", "verificação"), ("checks", "verificações"))) } }
        @if let Some(whole) = &health.set_aside { (parts::resting_note(lang, lang.t("Everything", "Tudo"), whole)) }
        (parts::groups(lang, &health.groups))
        div.scroll tabindex="0" role="region" aria-label=(lang.t("Checks", "Verificações")) { table.checks {
            thead { tr { th scope="col" { (lang.t("Component", "Componente")) } th scope="col" { (lang.t("State", "Estado")) } th scope="col" { (lang.t("Why", "Por quê")) } th.num scope="col" { (lang.t("Took", "Levou")) } th.num scope="col" { (lang.t("Looked at", "Verificado")) } } }
            tbody { @for check in &checks { tr {
                th scope="row" { @match check.component.strip_prefix("app:") {
                    Some(app) => { a href={ "/health/app/" (percent(app.rsplit_once('/').map_or(app, |(app, _)| app))) } { (parts::plain(app)) } },
                    None => (super::overview::component(lang, &check.component)),
                } }
                td.c-state { (badge(parts::status(lang, check.status))) }
                td.c-why {
                    (parts::plain(&check.told(lang.language())))
                    @if let Some(aside) = &check.set_aside { div.resting { (parts::resting_by(lang, aside)) } }
                }
                td.num data-label=(lang.t("Took", "Levou")) { (lang.span(check.took)) }
                td.num data-label=(lang.t("Looked at", "Verificado")) { (time(check.at, true)) }
            } } }
        } }
    }))
}

/// Who did what.
pub async fn audit(dashboard: &Dashboard, lang: Lang) -> Result<Vec<Fragment>, Absent> {
    let found = dashboard.read(|reader| reader.audit(LISTED)).await;
    Ok(one(match found {
        Err(failure) => unreadable(&lang.say(&failure.error)),
        Ok(found) if found.is_empty() => {
            parts::empty(lang.t("No command yet", "Nenhum comando ainda"), html! {})
        }
        Ok(found) => html! {
            p.dim { (lang.t("Every command: who gave it, from where, and what was answered.", "Cada comando: quem o deu, de onde e qual foi a resposta.")) }
            div.scroll tabindex="0" role="region" aria-label=(lang.t("Audit", "Auditoria")) { table {
                thead { tr { th scope="col" { (lang.t("When", "Quando")) } th scope="col" { (lang.t("Who", "Quem")) } th scope="col" { (lang.t("From", "De")) } th scope="col" { (lang.t("Command", "Comando")) } th scope="col" { (lang.t("Result", "Resultado")) } } }
                tbody { @for it in &found { tr {
                    td { (time(it.at, false)) } td { (parts::plain(asker(&it.who, lang.language()))) } td translate="no" { (parts::plain(&it.origin)) }
                    td translate="no" { code { (it.verb) } " " (parts::plain(&it.target)) }
                    td { span class={ "end " (if it.ok { "ok" } else { "bad" }) } { (icon(if it.ok { "ok" } else { "bad" })) span { (parts::theirs(lang, &it.result)) } } }
                } } }
            } }
        },
    }))
}
