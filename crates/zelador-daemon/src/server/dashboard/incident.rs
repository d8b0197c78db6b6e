//! One incident, told so that a tired person understands it at three in the morning.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use zelador_core::evidence::Evidence;
use zelador_core::id::IncidentId;
use zelador_core::incident::{Incident, Outcome, Stage};

use super::Dashboard;
use super::lang::Lang;
use super::live::Fragment;
use super::parts::{self, badge, icon, time};
use super::tail::level;
use crate::server::Failure;

/// How many lines of each log are shown; the rest unfolds.
const LINES: usize = 40;

async fn find(dashboard: &Dashboard, id: u64) -> Option<Incident> {
    let id = IncidentId::new(id);
    let now =
        dashboard.handle.ask(move |supervisor| supervisor.incident(id).cloned()).await.ok()?;
    match now {
        Some(incident) => Some(incident),
        None => dashboard.read(move |reader| reader.incident(id)).await.ok()?,
    }
}

/// The pieces of the page.
pub async fn fragments(dashboard: &Dashboard, id: u64, lang: Lang) -> Option<Vec<Fragment>> {
    let incident = find(dashboard, id).await?;
    Some(vec![
        Fragment::new("top", top(lang, &incident)),
        Fragment::new("orders", orders(lang, &incident)),
        Fragment::new("story", story(lang, &incident)),
        Fragment::new("diagnosis", diagnosis(lang, &incident)),
        Fragment::new("evidence", evidence(lang, &incident)),
    ])
}

/// The page around its pieces.
pub fn page(lang: Lang, id: u64, piece: &dyn Fn(&str) -> Markup) -> Markup {
    html! {
        p.crumb { a href="/health/incidents" { (lang.t("Incidents", "Incidentes")) } " / " }
        div #top { (piece("top")) }
        div #orders { (piece("orders")) }
        div.actions { a.button href={ "/health/incident/" (id) "/markdown" } download={ "incident-" (id) ".md" } { (lang.t("Export as Markdown", "Exportar em Markdown")) } }
        section aria-labelledby="diagnosis-title" { h2 #diagnosis-title { (lang.t("Why", "Por quê")) } div #diagnosis { (piece("diagnosis")) } }
        section aria-labelledby="story-title" { h2 #story-title { (lang.t("What happened", "O que aconteceu")) } div #story { (piece("story")) } }
        section aria-labelledby="evidence-title" { h2 #evidence-title { (lang.t("Evidence", "Evidências")) } div #evidence { (piece("evidence")) } }
    }
}

/// The class and shape of where it stands.
fn look(lang: Lang, incident: &Incident) -> parts::Look {
    let word = match (&incident.stage, lang) {
        (Stage::Closed { outcome: Outcome::Healed }, _) => lang.t("healed", "curado"),
        (Stage::Closed { outcome: Outcome::Recovered }, _) => lang.t("recovered", "recuperado"),
        (Stage::Closed { .. }, _) => lang.t("over", "encerrado"),
        (Stage::Escalated, _) => lang.t("a person is needed", "uma pessoa é necessária"),
        _ => lang.t("being dealt with", "em tratamento"),
    };
    let class = match &incident.stage {
        Stage::Closed { .. } => "ok",
        Stage::Escalated => "bad",
        _ => "warn",
    };
    parts::Look { class, word, rank: 0 }
}

fn top(lang: Lang, incident: &Incident) -> Markup {
    let app = parts::plain(incident.app.as_str());
    let state = incident.state();
    html! {
        h1 { (app) ": " (super::overview::trouble_word(lang, &incident.trouble.to_string())) }
        p.facts {
            (badge(look(lang, incident)))
            @if incident.is_open() { span { (super::overview::state_word(lang, &state)) } }
            span { (lang.t("began", "começou")) " " (time(incident.opened_at, false)) " (" (time(incident.opened_at, true)) ")" }
            @match incident.closed_at {
                Some(closed) => span { (lang.t("lasted", "durou")) " " strong { (lang.span(closed.since(incident.opened_at))) } },
                None => span { (lang.t("open for", "aberto há")) " " time.since datetime=(incident.opened_at) { (time(incident.opened_at, false)) } },
            }
            span { (lang.count(incident.attempts as usize, ("try", "tentativa"), ("tries", "tentativas"))) }
            a href={ "/health/app/" (super::page::percent(incident.app.as_str())) } { (lang.t("To the app", "Para o app")) }
        }
        p.answer { (in_short(lang, incident)) }
    }
}

/// What a person can say to it while it is open. Whoever has not signed in is asked to.
fn orders(lang: Lang, incident: &Incident) -> Markup {
    let name = format!("{} {}", lang.t("incident", "incidente"), incident.id);
    let quiet = lang.t(
        "Nobody hears of it any more; it is dealt with all the same.",
        "Ninguém mais é avisado; o tratamento continua.",
    );
    let asked = incident.asks_for();
    html! {
        @if incident.is_open() {
            @if let Some(remedy) = asked {
                p.answer { (lang.t("It asks for a yes or a no:", "Pede um sim ou um não:")) " " strong lang="en" { (remedy) } }
            }
            div.actions role="group" aria-label=(lang.t("Your word", "Sua palavra")) data-of=(incident.id) data-name=(name) {
                @if let Some(remedy) = asked {
                    @let more = remedy.to_string();
                    button type="button" data-verb="approve" data-more=(more) { (lang.t("Approve", "Aprovar")) }
                    button type="button" data-verb="reject" data-more=(more) { (lang.t("Reject", "Recusar")) }
                }
                @if incident.muted { span.dim { (lang.t("Muted", "Silenciado")) } }
                @else { button type="button" data-verb="mute" data-more=(quiet) { (lang.t("Mute", "Silenciar")) } }
            }
        }
    }
}

/// What was done, and whether it helped, in one sentence.
fn in_short(lang: Lang, incident: &Incident) -> Markup {
    let tries = incident.attempts;
    html! {
        @match (&incident.stage, lang) {
            (Stage::Closed { outcome: Outcome::Healed }, Lang::En) => "What was done helped. Nothing more needs to be done.",
            (Stage::Closed { outcome: Outcome::Healed }, Lang::Pt) => "O que foi feito ajudou. Nada mais precisa ser feito.",
            (Stage::Closed { outcome: Outcome::Recovered }, Lang::En) => "It became healthy by itself. Nothing needs to be done.",
            (Stage::Closed { outcome: Outcome::Recovered }, Lang::Pt) => "Ficou saudável sozinho. Nada precisa ser feito.",
            (Stage::Closed { .. }, Lang::En) => "Somebody took over. Nothing more is done here.",
            (Stage::Closed { .. }, Lang::Pt) => "Alguém assumiu. Nada mais é feito aqui.",
            (Stage::Escalated, Lang::En) if tries == 0 => { "It was left as it is. " strong { "A person is needed." } },
            (Stage::Escalated, Lang::Pt) if tries == 0 => { "Foi deixado como está. " strong { "Uma pessoa é necessária." } },
            (Stage::AwaitingApproval { .. }, Lang::En) => "It waits for a person's word.",
            (Stage::AwaitingApproval { .. }, Lang::Pt) => "Aguarda a palavra de uma pessoa.",
            (Stage::Escalated, Lang::En) => { "Nothing helped after " (lang.count(tries as usize, ("try", ""), ("tries", ""))) ". " strong { "A person is needed." } },
            (Stage::Escalated, Lang::Pt) => { "Nada ajudou após " (lang.count(tries as usize, ("", "tentativa"), ("", "tentativas"))) ". " strong { "Uma pessoa é necessária." } },
            (Stage::WaitingForDependency { dependency }, Lang::En) => { "Nothing is done to it: it waits for " strong { (parts::plain(dependency)) } "." },
            (Stage::WaitingForDependency { dependency }, Lang::Pt) => { "Nada é feito com ele: aguarda " strong { (parts::plain(dependency)) } "." },
            (_, Lang::En) => "It is being dealt with. This page keeps itself up to date.",
            (_, Lang::Pt) => "Está sendo tratado. Esta página se atualiza sozinha.",
        }
    }
}

/// How an entry of the story looks, told by its first words.
fn entry_look(what: &str) -> (&'static str, &'static str) {
    let begins = |words: &[&str]| words.iter().any(|word| what.starts_with(word));
    if begins(&["healed", "recovered"]) {
        ("ok", "ok")
    } else if begins(&["detected", "escalated", "gave up"]) || what.contains("a person is needed") {
        ("bad", "bad")
    } else if begins(&["try ", "restarted"]) {
        ("fix", "fix")
    } else if begins(&["diagnosis"]) {
        ("deploy", "warn")
    } else {
        ("off", "off")
    }
}

fn story(lang: Lang, incident: &Incident) -> Markup {
    let before = std::iter::once(incident.opened_at).chain(incident.story.iter().map(|it| it.at));
    html! {
        @if incident.story.is_empty() { p.dim { (lang.t("Nothing was told.", "Nada foi registrado.")) } }
        ol.timeline { @for (entry, before) in incident.story.iter().zip(before) {
            @let (class, shape) = entry_look(&entry.what);
            @let later = entry.at.since(before);
            li class=(class) {
                span.when { (time(entry.at, false)) @if later.as_millis() > 0 { span.dim { " +" (lang.span(later)) } } }
                span.dot { (icon(shape)) }
                span.what lang="en" { (parts::plain(&entry.what)) }
            }
        } }
    }
}

fn diagnosis(lang: Lang, incident: &Incident) -> Markup {
    let Some(diagnosis) = &incident.diagnosis else {
        return html! { p.dim { (lang.t("There is no diagnosis yet.", "Ainda não há diagnóstico.")) } };
    };
    let sure = (diagnosis.confidence * 100.0).round();
    html! {
        p.cause lang="en" { strong { (diagnosis.cause) } }
        div.sure {
            (parts::gauge(sure, None, "plain", &format!("{sure} %")))
            span { (sure) " % " (lang.t("sure", "de certeza")) " · " (lang.t("remedy", "remédio")) ": " span lang="en" { (diagnosis.remedy) } }
        }
        ul.because { @for reason in &diagnosis.because { li lang="en" { (parts::plain(reason)) } } }
        @let others: Vec<_> = diagnosis.hypotheses.iter().filter(|it| it.cause != diagnosis.cause).collect();
        @if !others.is_empty() { details {
            summary { (lang.t("Also considered", "Também considerado")) " (" (others.len()) ")" }
            ul.because { @for other in others { li lang="en" { (other.cause) " (" (format!("{:.0}", other.confidence * 100.0)) " %): " (parts::plain(&other.because.join("; "))) } } }
        } }
    }
}

fn evidence(lang: Lang, incident: &Incident) -> Markup {
    let Some(found) = &incident.evidence else {
        return html! { p.dim { (lang.t("None was gathered.", "Nenhuma foi reunida.")) } };
    };
    html! {
        p.dim { (lang.t("Gathered", "Reunidas")) " " (time(found.gathered_at, false)) ", " (found.took_millis) " ms" }
        ul.because { @for fact in facts(found) { li lang="en" { (parts::plain(&fact)) } } }
        (lines(lang, incident, lang.t("Standard error", "Saída de erro"), &found.err_tail))
        (lines(lang, incident, lang.t("Standard output", "Saída padrão"), &found.out_tail))
    }
}

/// What was found, one sentence each.
fn facts(found: &Evidence) -> Vec<String> {
    let mut facts = Vec::new();
    if let Some(usage) = found.usage {
        facts.push(format!(
            "{} of memory, {:.0} % of a core, processes: {}",
            usage.memory, usage.cpu, usage.processes
        ));
    }
    if let Some(it) = &found.descriptors {
        facts.push(format!(
            "{} of {} descriptors open ({} sockets, {} pipes, {} files)",
            it.open, it.limit, it.sockets, it.pipes, it.files
        ));
    }
    if let Some(thread) = found.threads.first() {
        let place = thread.waits_in.as_ref().map(|place| format!(", waits in {place}"));
        facts.push(format!(
            "{} threads; the busiest is {} ({}), state {}{}",
            found.threads.len(),
            thread.name,
            thread.tid,
            thread.state,
            place.unwrap_or_default()
        ));
    }
    facts.extend(found.port_holders.iter().map(|holder| holder.spoken(found.gathered_at)));
    facts.extend(
        found
            .deaths
            .iter()
            .take(3)
            .map(|death| format!("died before, {}: {}", death.at, death.death)),
    );
    facts.extend(found.missing.iter().map(|missing| format!("not gathered: {missing}")));
    facts
}

/// Whether a line is one of those that matter: it tells of an error, or the diagnosis rests on it.
fn matters(incident: &Incident, line: &str) -> bool {
    let quoted = || {
        let because = incident.diagnosis.iter().flat_map(|diagnosis| &diagnosis.because);
        let line = line.trim();
        line.len() >= 12 && because.into_iter().any(|reason| reason.contains(line))
    };
    level(line) == "error" || quoted()
}

fn lines(lang: Lang, incident: &Incident, title: &str, lines: &[String]) -> Markup {
    if lines.is_empty() {
        return html! {};
    }
    let hidden = lines.len().saturating_sub(LINES);
    let line = |text: &String| {
        let important = matters(incident, text);
        html! { div.line.mark[important] { @if important { span.hide { (lang.t("important: ", "importante: ")) } } (parts::plain(text)) } }
    };
    html! {
        h3 { (title) }
        div.logs.still tabindex="0" role="region" aria-label=(title) {
            @if hidden > 0 { details { summary { (hidden) " " (lang.t("older lines", "linhas mais antigas")) } @for text in &lines[..hidden] { (line(text)) } } }
            @for text in &lines[hidden..] { (line(text)) }
        }
    }
}

/// The whole story as a text to be passed on.
pub async fn markdown(State(dashboard): State<Dashboard>, Path(id): Path<u64>) -> Response {
    let Some(incident) = find(&dashboard, id).await else {
        let error = format!("there is no incident {id}");
        return Failure::new(StatusCode::NOT_FOUND, error).into_response();
    };
    let name = format!("attachment; filename=\"incident-{id}.md\"");
    let kind = "text/markdown; charset=utf-8";
    ([(CONTENT_TYPE, kind.to_owned()), (CONTENT_DISPOSITION, name)], in_markdown(&incident))
        .into_response()
}

fn in_markdown(incident: &Incident) -> String {
    let mut text = format!(
        "# Incident {}: {}: {}\n\n- state: {}\n- opened: {}\n",
        incident.id,
        escaped(incident.app.as_str()),
        incident.trouble,
        incident.state(),
        incident.opened_at
    );
    if let Some(closed) = incident.closed_at {
        let lasted = zelador_core::unit::spoken(closed.since(incident.opened_at));
        text.push_str(&format!("- closed: {closed} (after {lasted})\n"));
    }
    text.push_str(&format!("- tries: {}\n", incident.attempts));
    if let Some(diagnosis) = &incident.diagnosis {
        let sure = (diagnosis.confidence * 100.0).round();
        text.push_str(&format!(
            "\n## Diagnosis\n\n{} ({sure} % sure); remedy: {}\n\n",
            diagnosis.cause, diagnosis.remedy
        ));
        for reason in &diagnosis.because {
            text.push_str(&format!("- {}\n", escaped(reason)));
        }
    }
    text.push_str("\n## What happened\n\n");
    for entry in &incident.story {
        text.push_str(&format!("- {} {}\n", entry.at, escaped(&entry.what)));
    }
    if let Some(found) = &incident.evidence {
        text.push_str("\n## Evidence\n\n");
        for fact in facts(found) {
            text.push_str(&format!("- {}\n", escaped(&fact)));
        }
        for (title, lines) in
            [("Standard error", &found.err_tail), ("Standard output", &found.out_tail)]
        {
            if lines.is_empty() {
                continue;
            }
            text.push_str(&format!("\n### {title}\n\n"));
            for line in lines {
                // Four blanks: nothing in a line can end the block.
                text.push_str(&format!("    {}\n", parts::plain(line)));
            }
        }
    }
    text
}

/// A text of somebody else's that makes no Markdown and no HTML.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in parts::plain(text).chars() {
        if "\\`*_[]<>#|".contains(c) {
            safe.push('\\');
        }
        safe.push(c);
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_log_says_stays_text_when_it_is_passed_on() {
        let evidence = Evidence {
            err_tail: vec![
                "```\n# not a title".into(),
                "<b>Error</b>: \u{1b}[31mno\u{1b}[0m".into(),
            ],
            ..Evidence::default()
        };
        let at = 1_700_000_000_000_000_u64;
        let incident: Incident = serde_json::from_value(serde_json::json!({
            "id": 3, "app": "api", "instance": 0, "trouble": "unresponsive", "opened_at": at,
            "closed_at": null, "stage": { "stage": "escalated" }, "attempts": 4,
            "evidence": evidence, "diagnosis": null,
            "story": [{ "at": at, "what": "detected: <script>*x*" }],
        }))
        .unwrap();
        let text = in_markdown(&incident);
        assert!(text.contains("detected: \\<script\\>\\*x\\*"), "{text}");
        assert!(text.contains("    ```# not a title\n    <b>Error</b>: no\n"), "{text}");
        assert!(matters(&incident, "Error: connect ECONNREFUSED"));
        assert!(!matters(&incident, "listening"));
    }
}
