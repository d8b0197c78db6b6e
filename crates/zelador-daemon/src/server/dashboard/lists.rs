//! Pages that are one list: incidents, who did what.

use maud::{Markup, html};
use zelador_core::aside::asker;
use zelador_core::unit::Moment;

use super::Dashboard;
use super::lang::Lang;
use super::live::{Absent, Fragment};
use super::parts::{self, icon, time};
use super::table::{Column, table};
use crate::history::Audit;

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
        Ok(found) => {
            let (open, over): (Vec<_>, Vec<_>) =
                found.into_iter().partition(|it| it.closed_at.is_none());
            html! {
                @for (title, found) in [(lang.t("Open", "Abertos"), open), (lang.t("Over", "Encerrados"), over)] {
                    @if !found.is_empty() { section { h2 { (title) } (super::app::list_incidents(lang, &found)) } }
                }
            }
        }
        Err(failure) => unreadable(&lang.say(&failure.error)),
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
            div.scroll tabindex="0" role="region" aria-label=(lang.t("Audit", "Auditoria")) {
                (table(
                    [
                        Column::text(lang.t("When", "Quando")),
                        Column::text(lang.t("Who", "Quem")),
                        Column::text(lang.t("From", "De")),
                        Column::text(lang.t("Command", "Comando")),
                        Column::long(lang.t("Result", "Resultado")),
                    ],
                    found.iter().map(|it| command(lang, it)),
                ))
            }
        },
    }))
}

/// A command, and what came of it.
fn command(lang: Lang, it: &Audit) -> [Markup; 5] {
    let look = if it.ok { "ok" } else { "bad" };
    let result = match (it.result.is_empty(), it.ok) {
        (true, true) => html! { (lang.t("done", "feito")) },
        (true, false) => html! { (lang.t("failed", "falhou")) },
        (false, _) => parts::theirs(lang, &it.result),
    };
    [
        time(it.at, false),
        html! { (parts::plain(asker(&it.who, lang.language()))) },
        html! { span translate="no" { (parts::plain(&it.origin)) } },
        html! { span translate="no" { code { (it.verb) } " " (parts::plain(&it.target)) } },
        html! { span class={ "end " (look) } { (icon(look)) span { (result) } } },
    ]
}
