//! One incident, told so that a tired person understands it at three in the morning.

use maud::{Markup, html};
use zelador_core::aside::by;
use zelador_core::evidence::{Evidence, PastDeath, TimedLines};
use zelador_core::id::IncidentId;
use zelador_core::incident::{Entry, Incident, Outcome, Stage, Trouble};
use zelador_core::said::Said;
use zelador_core::unit::Moment;
use zelador_core::words::Words;

use super::Dashboard;
use super::lang::Lang;
use super::live::{Absent, Fragment};
use super::parts::{self, badge, icon, time};
use super::tail::level;

/// How many lines of each log are shown; the rest unfolds.
const LINES: usize = 40;

/// The incident of this number, as it is now or as it was.
///
/// # Errors
/// There is none, or nobody has told.
pub async fn find(dashboard: &Dashboard, id: u64) -> Result<Incident, Absent> {
    let id = IncidentId::new(id);
    let now = dashboard.handle.ask(move |supervisor| supervisor.incident(id).cloned()).await?;
    match now {
        Some(incident) => Ok(incident),
        None => dashboard.read(move |reader| reader.incident(id)).await?.ok_or(Absent::Gone),
    }
}

/// The pieces of the page, with or without the lines that apps wrote.
pub async fn fragments(
    dashboard: &Dashboard,
    id: u64,
    lang: Lang,
    with_lines: bool,
) -> Result<Vec<Fragment>, Absent> {
    let incident = find(dashboard, id).await?;
    Ok(vec![
        Fragment::new("top", top(lang, &incident)),
        Fragment::new("orders", orders(lang, &incident)),
        Fragment::new("story", story(lang, &incident)),
        Fragment::new("diagnosis", diagnosis(lang, &incident)),
        Fragment::new("evidence", evidence(lang, &incident, with_lines)),
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
    let app = super::overview::subject(lang, incident.app.as_str());
    let state = incident.state_words();
    html! {
        h1 { (app) ": " (lang.say(&incident.trouble.words())) }
        p.facts {
            (badge(look(lang, incident)))
            @if incident.is_open() && incident.stage != Stage::Escalated { span { (super::overview::state_word(lang, &state)) } }
            span { (lang.t("began", "começou")) " " (time(incident.opened_at, false)) " (" (time(incident.opened_at, true)) ")" }
            @match incident.closed_at {
                Some(closed) => span { (lang.t("lasted", "durou")) " " strong { (lang.span(closed.since(incident.opened_at))) } },
                None => span { (lang.t("open for", "aberto há")) " " time.since datetime=(incident.opened_at) { (time(incident.opened_at, false)) } },
            }
            span { (lang.count(incident.attempts as usize, ("try", "tentativa"), ("tries", "tentativas"))) }
            @if let Some(first) = incident.part_of { a href={ "/health/incident/" (first) } { (lang.t("Part of incident", "Parte do incidente")) " " (first) } }
            @if !incident.sufferers.is_empty() { span { (lang.t("with it:", "com ele:")) " " (suffering(incident)) } }
            @if incident.channel().is_some() { a href="/health/settings" { (lang.t("To the channels", "Para os canais")) } }
            @else if incident.instance != Incident::HOST { a href={ "/health/app/" (super::page::percent(incident.app.as_str())) } { (lang.t("To the app", "Para o app")) } }
        }
        p.answer { (in_short(lang, incident)) }
    }
}

/// The apps that suffer from it too.
fn suffering(incident: &Incident) -> String {
    let names: Vec<String> = incident.sufferers.iter().map(ToString::to_string).collect();
    parts::plain(&names.join(", "))
}

/// What a person can say to it while it is open. Whoever has not signed in is asked to.
fn orders(lang: Lang, incident: &Incident) -> Markup {
    let name = format!("{} {}", lang.t("incident", "incidente"), incident.id);
    let quiet = lang.t(
        "Nobody hears of it any more; it is dealt with all the same.",
        "Ninguém mais é avisado; o tratamento continua.",
    );
    let over = lang.t("What was reported is over.", "O que foi relatado acabou.");
    let asked = incident.asks_for();
    html! {
        @if incident.is_open() {
            @if let Some(remedy) = asked {
                p.answer { (lang.t("It asks for a yes or a no:", "Pede um sim ou um não:")) " " strong { (remedy.told(lang.language())) } }
            }
            div.actions role="group" aria-label=(lang.t("Your word", "Sua palavra")) data-of=(incident.id) data-name=(name) {
                @if let Some(remedy) = asked {
                    @let more = remedy.told(lang.language());
                    button type="button" data-verb="approve" data-more=(more) { (lang.t("Approve", "Aprovar")) }
                    button type="button" data-verb="reject" data-more=(more) { (lang.t("Reject", "Recusar")) }
                }
                @if incident.trouble == Trouble::Reported {
                    button type="button" data-verb="close" data-more=(over) { (lang.t("Close", "Encerrar")) }
                }
                @if incident.muted { span.dim { (lang.t("Muted", "Silenciado")) @if let Some(who) = &incident.muted_by { " " (parts::plain(&by(who, lang.language()))) } } }
                @else { button type="button" data-verb="mute" data-more=(quiet) { (lang.t("Mute", "Silenciar")) } }
            }
        }
    }
}

/// What was done, and whether it helped, in one sentence.
fn in_short(lang: Lang, incident: &Incident) -> Markup {
    let tries = incident.attempts;
    if incident.is_open() && incident.asks_for().is_some() {
        return html! { (lang.t("It waits for a person's word.", "Aguarda a palavra de uma pessoa.")) };
    }
    if incident.is_open() && incident.trouble == Trouble::Reported {
        return html! { (lang.t("It is open until the one who reported it closes it.", "Fica aberto até que quem o relatou o encerre.")) };
    }
    html! {
        @match (&incident.stage, lang) {
            (Stage::Closed { outcome: Outcome::Healed }, Lang::En) => "What was done helped. Nothing more needs to be done.",
            (Stage::Closed { outcome: Outcome::Healed }, Lang::Pt) => "O que foi feito ajudou. Nada mais precisa ser feito.",
            (Stage::Closed { outcome: Outcome::Recovered }, Lang::En) => "It became healthy by itself. Nothing needs to be done.",
            (Stage::Closed { outcome: Outcome::Recovered }, Lang::Pt) => "Ficou saudável sozinho. Nada precisa ser feito.",
            (Stage::Closed { .. }, Lang::En) if incident.part_of.is_some() => "It is dealt with where its cause is.",
            (Stage::Closed { .. }, Lang::Pt) if incident.part_of.is_some() => "É tratado junto com a causa.",
            (Stage::Closed { .. }, Lang::En) => "Somebody took over. Nothing more is done here.",
            (Stage::Closed { .. }, Lang::Pt) => "Alguém assumiu. Nada mais é feito aqui.",
            (Stage::Escalated, Lang::En) if tries == 0 => { "It was left as it is. " strong { "A person is needed." } },
            (Stage::Escalated, Lang::Pt) if tries == 0 => { "Foi deixado como está. " strong { "Uma pessoa é necessária." } },
            (Stage::Escalated, Lang::En) => { "Nothing helped after " (lang.count(tries as usize, ("try", ""), ("tries", ""))) ". " strong { "A person is needed." } },
            (Stage::Escalated, Lang::Pt) => { "Nada ajudou após " (lang.count(tries as usize, ("", "tentativa"), ("", "tentativas"))) ". " strong { "Uma pessoa é necessária." } },
            (Stage::WaitingForDependency { dependency }, Lang::En) => { "Nothing is done to it: it waits for " strong { (parts::plain(dependency)) } "." },
            (Stage::WaitingForDependency { dependency }, Lang::Pt) => { "Nada é feito com ele: aguarda " strong { (parts::plain(dependency)) } "." },
            (_, Lang::En) => "It is being dealt with. This page keeps itself up to date.",
            (_, Lang::Pt) => "Está sendo tratado. Esta página se atualiza sozinha.",
        }
    }
}

/// How an entry of the story looks.
fn entry_look(entry: &Entry) -> (&'static str, &'static str) {
    let Some(said) = &entry.said else { return ("off", "off") };
    match said {
        Said::Closed { .. } => ("ok", "ok"),
        Said::Detected(_) | Said::CameBack(_) | Said::Again(_) | Said::Escalated(_) => {
            ("bad", "bad")
        }
        Said::Try { .. } | Said::Restarted { .. } | Said::Done(_) => ("fix", "fix"),
        Said::Diagnosis { .. } | Said::SameDiagnosis(_) => ("deploy", "warn"),
        _ => ("off", "off"),
    }
}

fn story(lang: Lang, incident: &Incident) -> Markup {
    let before = std::iter::once(incident.opened_at).chain(incident.story.iter().map(|it| it.at));
    html! {
        @if incident.story.is_empty() { p.dim { (lang.t("Nothing was told.", "Nada foi registrado.")) } }
        ol.timeline { @for (entry, before) in incident.story.iter().zip(before) {
            @let (class, shape) = entry_look(entry);
            @let later = entry.at.since(before);
            li class=(class) {
                span.when { (time(entry.at, false)) @if later.as_millis() > 0 { span.dim { " +" (lang.span(later)) } } }
                span.dot { (icon(shape)) }
                span.what lang=[entry.said.is_none().then_some("en")] { (parts::marked(&entry.told(lang.language()))) }
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
        p.cause { strong { (diagnosis.cause.told(lang.language())) } }
        div.sure {
            (parts::gauge(sure, None, "plain", &format!("{sure} %")))
            span { (sure) " % " (lang.t("sure", "de certeza")) " · " (lang.t("remedy", "remédio")) ": " (diagnosis.remedy.told(lang.language())) }
        }
        ul.because {
            @for reason in &diagnosis.because { li { (parts::marked(&lang.say(reason))) } }
            @for it in &incident.learned { li { (lang.say(&it.words())) } }
        }
        @let others: Vec<_> = diagnosis.hypotheses.iter().filter(|it| it.cause != diagnosis.cause).collect();
        @if !others.is_empty() { details {
            summary { (lang.t("Also considered", "Também considerado")) " (" (others.len()) ")" }
            ul.because { @for other in others { li { (other.cause.told(lang.language())) " (" (format!("{:.0}", other.confidence * 100.0)) " %): " (lang.say(&Words::joined(&other.because, "; "))) } } }
        } }
    }
}

fn evidence(lang: Lang, incident: &Incident, with_lines: bool) -> Markup {
    let Some(found) = &incident.evidence else {
        return html! { p.dim { (lang.t("None was gathered.", "Nenhuma foi reunida.")) } };
    };
    html! {
        p.dim { (lang.t("Gathered", "Reunidas")) " " (time(found.gathered_at, false)) ", " (found.took_millis) " ms" }
        ul.because { @for (at, fact) in facts(lang, found) { li { @if let Some(at) = at { (time(at, false)) ": " } (parts::plain(&fact)) } } }
        @if with_lines {
            (lines(lang, incident, lang.t("Standard error", "Saída de erro"), &found.said_err()))
            (lines(lang, incident, lang.t("Standard output", "Saída padrão"), &found.said_out()))
        } @else if !(found.said_err().is_empty() && found.said_out().is_empty()) {
            p { a href={ "/health/login?to=/health/incident/" (incident.id) } { (lang.t("Sign in to read what was written", "Entre para ler o que foi escrito")) } }
        }
    }
}

/// What was found, one sentence each, with its time where it has one.
pub fn facts(lang: Lang, found: &Evidence) -> Vec<(Option<Moment>, String)> {
    let mut facts = Vec::new();
    if let Some(usage) = found.usage {
        let (memory, cpu) = (lang.bytes(usage.memory), lang.percent(usage.cpu));
        let processes = lang.count(
            usage.processes as usize,
            ("process", "processo"),
            ("processes", "processos"),
        );
        facts.push(match lang {
            Lang::En => format!("{memory} of memory, {cpu} of a core, {processes}"),
            Lang::Pt => format!("{memory} de memória, {cpu} de um núcleo, {processes}"),
        });
    }
    if let Some(it) = &found.descriptors {
        let (open, limit) = (it.open, it.limit);
        let count = |count: u32, one, many| lang.count(count as usize, one, many);
        let of = [
            count(it.sockets, ("socket", "socket"), ("sockets", "sockets")),
            count(it.pipes, ("pipe", "pipe"), ("pipes", "pipes")),
            count(it.files, ("file", "arquivo"), ("files", "arquivos")),
        ];
        let of = of.join(", ");
        facts.push(match lang {
            Lang::En => format!("{open} of {limit} descriptors open ({of})"),
            Lang::Pt => format!("{open} de {limit} descritores abertos ({of})"),
        });
    }
    if let Some(thread) = found.threads.first() {
        let (count, name, tid, state) =
            (found.threads_of_process(), &thread.name, thread.tid, thread.state);
        let waits = lang.t("waits in", "espera em");
        let place = thread.waits_in.as_ref().map(|place| format!(", {waits} {place}"));
        let place = place.unwrap_or_default();
        facts.push(match lang {
            Lang::En if count == 1 => format!("1 thread, {name} ({tid}), state {state}{place}"),
            Lang::Pt if count == 1 => format!("1 thread, {name} ({tid}), estado {state}{place}"),
            Lang::En => {
                format!("{count} threads; the busiest is {name} ({tid}), state {state}{place}")
            }
            Lang::Pt => {
                format!("{count} threads; a mais ocupada é {name} ({tid}), estado {state}{place}")
            }
        });
    }
    facts.extend(found.further().iter().map(|it| lang.say(it)));
    let holders = found.port_holders.iter().map(|it| it.spoken(found.gathered_at));
    facts.extend(holders.map(|it| lang.say(&it)));
    let mut facts: Vec<_> = facts.into_iter().map(|fact| (None, fact)).collect();
    let before = lang.t("died before", "morreu antes");
    let death =
        |it: &PastDeath| (Some(it.at), format!("{before}: {}", it.death.told(lang.language())));
    facts.extend(found.deaths.iter().take(3).map(death));
    let missing = lang.t("not gathered", "não reunido");
    let missing = |what: &Words| (None, format!("{missing}: {}", lang.say(what)));
    facts.extend(found.missing.iter().map(missing));
    facts
}

/// Whether a line is one of those that matter: it tells of an error, or the diagnosis rests on it.
pub fn matters(incident: &Incident, line: &str) -> bool {
    let quoted = || {
        let because = incident.diagnosis.iter().flat_map(|it| it.because.iter());
        let line = line.trim();
        line.len() >= 12 && because.into_iter().any(|reason| reason.english().contains(line))
    };
    level(line) == "error" || quoted()
}

/// The time of a day in UTC, to the millisecond.
pub fn clock(at: Moment) -> String {
    at.timestamp().strftime("%H:%M:%S.%3f").to_string()
}

fn lines(lang: Lang, incident: &Incident, title: &str, lines: &TimedLines<'_>) -> Markup {
    if lines.is_empty() {
        return html! {};
    }
    let hidden = lines.len().saturating_sub(LINES);
    let line = |(at, text): &(Option<Moment>, &String)| {
        let important = matters(incident, text);
        html! { div.line.mark[important] { @if let Some(at) = at { time.fine.dim datetime=(at) { (clock(*at)) " UTC" } " " } @if important { span.hide { (lang.t("important: ", "importante: ")) } } (parts::plain(text)) } }
    };
    html! {
        h3 { (title) }
        div.logs.still tabindex="0" role="region" aria-label=(title) {
            @if hidden > 0 { details { summary { (hidden) " " (lang.t("older lines", "linhas mais antigas")) } @for text in &lines[..hidden] { (line(text)) } } }
            @for text in &lines[hidden..] { (line(text)) }
        }
    }
}
