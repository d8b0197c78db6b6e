//! The page behind a link of a message: it shows what is asked, and a press of its button answers.
//!
//! Only a `POST` answers: programs that look into links before people do (scanners of mail, previews of
//! chats) send `GET`. Whoever has the link needs no token of zelador's; it answers one question, once.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use maud::{Markup, html};
use zelador_core::id::IncidentId;
use zelador_core::incident::Incident;
use zelador_core::input::{Command, IncidentOrder};
use zelador_core::question::Question;
use zelador_core::unit::Moment;

use super::Dashboard;
use super::lang::Lang;
use super::page;
use super::parts::{plain, time};
use crate::answers::{Answers, Link, PATH};
use crate::server::asker::Asker;

/// Whether a path is one of a link, which needs no other token.
pub fn is_answer(path: &str) -> bool {
    path.starts_with(PATH)
}

/// What stands in the address.
type Address = (u64, u64, String, String);

/// What the link is about, as far as it is good.
enum Found {
    /// It is none of ours.
    Unknown,
    /// Its question was answered, or is out of date.
    Over,
    /// It waits for an answer.
    Stands(Link, Box<(Incident, Question)>),
}

async fn find(dashboard: &Dashboard, (incident, asked_at, channel, token): Address) -> Found {
    let (incident, asked_at) = (IncidentId::new(incident), Moment::from_micros(asked_at));
    let link = Link { incident, asked_at, channel };
    match Answers::of(&dashboard.handle.home) {
        Ok(answers) if answers.knows(&link, &token) => {}
        Ok(_) => return Found::Unknown,
        Err(error) => {
            tracing::warn!(%error, "links for answers cannot be recognised");
            return Found::Unknown;
        }
    }
    // A channel that may not answer any more takes its links with it.
    let may = dashboard
        .handle
        .settings
        .borrow()
        .notify
        .channels
        .get(&link.channel)
        .is_some_and(|it| it.answers);
    let open = dashboard.handle.ask(move |supervisor| supervisor.incident(incident).cloned()).await;
    let open = open.ok().flatten().filter(|_| may);
    let asked = open.and_then(|it| it.question().map(|question| (it, question)));
    match asked.filter(|(_, question)| question.asked_at == asked_at) {
        Some(asked) => Found::Stands(link, Box::new(asked)),
        None => Found::Over,
    }
}

/// Shows the question. Changes nothing, however often it is asked for.
pub async fn show(
    State(dashboard): State<Dashboard>,
    address: Result<Path<Address>, PathRejection>,
    headers: HeaderMap,
) -> Response {
    let lang = Lang::of(&headers);
    let Ok(Path(address)) = address else {
        return said(lang, &headers, StatusCode::NOT_FOUND, unknown(lang));
    };
    let here =
        format!("{PATH}{}/{}/{}/{}", address.0, address.1, page::percent(&address.2), address.3);
    match find(&dashboard, address).await {
        Found::Unknown => said(lang, &headers, StatusCode::NOT_FOUND, unknown(lang)),
        Found::Over => said(lang, &headers, StatusCode::GONE, over(lang)),
        Found::Stands(_, asked) => {
            let main = ask(lang, &asked.0, &asked.1, &here);
            said(lang, &headers, StatusCode::OK, main)
        }
    }
}

/// Takes the answer: `approve` or `reject`.
pub async fn answer(
    State(dashboard): State<Dashboard>,
    Path((incident, asked_at, channel, token, word)): Path<(u64, u64, String, String, String)>,
    asker: Asker,
    headers: HeaderMap,
) -> Response {
    let lang = Lang::of(&headers);
    let order = match word.as_str() {
        "approve" => IncidentOrder::Approve,
        "reject" => IncidentOrder::Reject,
        _ => return said(lang, &headers, StatusCode::NOT_FOUND, unknown(lang)),
    };
    let (link, asked) = match find(&dashboard, (incident, asked_at, channel, token)).await {
        Found::Unknown => return said(lang, &headers, StatusCode::NOT_FOUND, unknown(lang)),
        Found::Over => return said(lang, &headers, StatusCode::GONE, over(lang)),
        Found::Stands(link, asked) => (link, asked),
    };
    let asker = asker.by_link(&link.channel);
    let command =
        Command::Incident { id: link.incident, order, question: Some(link.asked_at), by: None };
    let (status, main) = match dashboard.handle.command_by(&asker, command).await {
        Ok(_) => (StatusCode::OK, done(lang, order, &asked.1)),
        Err(failure) => (failure.status, refused(lang, failure.error.told(lang.language()))),
    };
    said(lang, &headers, status, main)
}

fn said(lang: Lang, headers: &HeaderMap, status: StatusCode, main: Markup) -> Response {
    page::alone(lang, lang.t("Answer", "Responder"), &main, status, headers)
}

fn ask(lang: Lang, incident: &Incident, question: &Question, here: &str) -> Markup {
    let trouble = lang.say(&incident.trouble.words());
    let why = incident.diagnosis.as_ref().map(|diagnosis| diagnosis.cause.told(lang.language()));
    html! {
        section.login {
            h1 { (plain(incident.app.as_str())) ": " (trouble) }
            @if let Some(why) = why {
                p { (lang.t("Probably:", "Provavelmente:")) " " strong { (why) } }
            }
            p.answer { (lang.t("May zelador do this?", "O zelador pode fazer isto?")) " " strong { (question.remedy.told(lang.language())) } }
            @if let Some(until) = question.until {
                p.dim { (lang.t("The question stands until", "A pergunta vale até")) " " (time(until, false)) }
            }
            div.actions {
                form method="post" action={ (here) "/approve" } { button.primary type="submit" { (lang.t("Approve", "Aprovar")) } }
                form method="post" action={ (here) "/reject" } { button type="submit" { (lang.t("Reject", "Recusar")) } }
            }
            p.dim { (lang.t("This link answers once. What you say is noted.", "Este link responde uma vez. A resposta fica registrada.")) }
        }
    }
}

fn done(lang: Lang, order: IncidentOrder, question: &Question) -> Markup {
    let words = match order {
        IncidentOrder::Approve => lang.t("Approved", "Aprovado"),
        _ => lang.t("Rejected", "Recusado"),
    };
    html! {
        section.login {
            h1 { (words) ": " (question.remedy.told(lang.language())) }
            p { a href={ "/health/incident/" (question.incident) } { (lang.t("Show the incident", "Ver o incidente")) } }
        }
    }
}

fn over(lang: Lang) -> Markup {
    html! {
        section.login {
            h1 { (lang.t("This question is over", "Esta pergunta já passou")) }
            p { (lang.t("Somebody has answered it, or it is out of date.", "Alguém já respondeu, ou ela expirou.")) }
        }
    }
}

fn unknown(lang: Lang) -> Markup {
    html! {
        section.login {
            h1 { (lang.t("This link is not known here", "Este link não é conhecido aqui")) }
            p { (lang.t("Copy it whole from the message.", "Copie-o inteiro da mensagem.")) }
        }
    }
}

fn refused(lang: Lang, why: &str) -> Markup {
    html! {
        section.login {
            h1 { (lang.t("It was not done", "Não foi feito")) }
            p { (plain(why)) }
        }
    }
}
