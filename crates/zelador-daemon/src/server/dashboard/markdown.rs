//! One incident as a text to be passed on.

use axum::extract::{Path, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use zelador_core::incident::Incident;

use super::Dashboard;
use super::incident::{clock, facts, find};
use super::lang::Lang;
use super::live::Absent;
use super::overview::{state_word, subject};
use super::parts;
use crate::server::Failure;

/// The whole story as a text to be passed on; what apps wrote for whoever has the token.
pub async fn markdown(
    State(dashboard): State<Dashboard>,
    Path(id): Path<u64>,
    headers: HeaderMap,
) -> Response {
    let lang = Lang::of(&headers);
    let incident = match find(&dashboard, id).await {
        Ok(incident) => incident,
        Err(Absent::Gone) => {
            let error = format!("there is no incident {id}");
            return Failure::new(StatusCode::NOT_FOUND, error).into_response();
        }
        Err(Absent::Unanswered(failure)) => return failure.into_response(),
    };
    let name = format!("attachment; filename=\"incident-{id}.md\"");
    let kind = "text/markdown; charset=utf-8";
    (
        [(CONTENT_TYPE, kind.to_owned()), (CONTENT_DISPOSITION, name)],
        in_markdown(lang, &incident, dashboard.knows(&headers)),
    )
        .into_response()
}

fn in_markdown(lang: Lang, incident: &Incident, with_lines: bool) -> String {
    let mut text = format!(
        "# {} {}: {}: {}\n\n- {}: {}\n- {}: {}\n",
        lang.t("Incident", "Incidente"),
        incident.id,
        escaped(&subject(lang, incident.app.as_str())),
        lang.say(&incident.trouble.words()),
        lang.t("state", "estado"),
        state_word(lang, &incident.state_words()),
        lang.t("opened", "aberto"),
        incident.opened_at
    );
    if let Some(closed) = incident.closed_at {
        let lasted = lang.span(closed.since(incident.opened_at));
        let (word, after) = (lang.t("closed", "encerrado"), lang.t("after", "após"));
        text.push_str(&format!("- {word}: {closed} ({after} {lasted})\n"));
    }
    text.push_str(&format!("- {}: {}\n", lang.t("tries", "tentativas"), incident.attempts));
    if let Some(diagnosis) = &incident.diagnosis {
        let sure = (diagnosis.confidence * 100.0).round();
        text.push_str(&format!(
            "\n## {}\n\n{} ({sure} % {}); {}: {}\n\n",
            lang.t("Diagnosis", "Diagnóstico"),
            diagnosis.cause.told(lang.language()),
            lang.t("sure", "de certeza"),
            lang.t("remedy", "remédio"),
            diagnosis.remedy.told(lang.language())
        ));
        for reason in &diagnosis.because {
            text.push_str(&format!("- {}\n", escaped(reason.told(lang.language()))));
        }
    }
    text.push_str(&format!("\n## {}\n\n", lang.t("What happened", "O que aconteceu")));
    for entry in &incident.story {
        text.push_str(&format!("- {} {}\n", entry.at, escaped(&entry.told(lang.language()))));
    }
    if let Some(found) = &incident.evidence {
        text.push_str(&format!("\n## {}\n\n", lang.t("Evidence", "Evidências")));
        for (at, fact) in facts(lang, found) {
            let at = at.map(|at| format!("{at}: ")).unwrap_or_default();
            text.push_str(&format!("- {at}{}\n", escaped(&fact)));
        }
        for (title, lines) in [
            (lang.t("Standard error", "Saída de erro"), found.said_err()),
            (lang.t("Standard output", "Saída padrão"), found.said_out()),
        ] {
            if lines.is_empty() || !with_lines {
                continue;
            }
            text.push_str(&format!("\n### {title}\n\n"));
            for (at, line) in lines {
                let at = at.map(|at| format!("{}  ", clock(at))).unwrap_or_default();
                // Four blanks: nothing in a line can end the block.
                text.push_str(&format!("    {at}{}\n", parts::plain(line)));
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
    use zelador_core::death::Death;
    use zelador_core::evidence::{Evidence, PastDeath};
    use zelador_core::unit::Moment;

    use super::super::incident::matters;
    use super::*;

    #[test]
    fn what_a_log_says_stays_text_when_it_is_passed_on() {
        let evidence = Evidence {
            err_tail: vec![
                "```\n# not a title".into(),
                "<b>Error</b>: \u{1b}[31mno\u{1b}[0m".into(),
            ],
            deaths: vec![PastDeath {
                at: Moment::from_micros(1_700_000_000_123_000),
                death: Death::Exited { code: 3 },
                uptime_millis: 40,
                explained: None,
            }],
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
        let text = in_markdown(Lang::En, &incident, true);
        assert!(text.contains("detected: \\<script\\>\\*x\\*"), "{text}");
        assert!(text.contains("    ```# not a title\n    <b>Error</b>: no\n"), "{text}");
        let died = "- 2023-11-14T22:13:20.123Z: died before: exited with code 3\n";
        assert!(text.contains(died), "{text}");
        assert!(matters(&incident, "Error: connect ECONNREFUSED"));
        assert!(!matters(&incident, "listening"));
    }
}
