//! What is tried again, and what is not tried for now: of everything that zelador calls, looks at,
//! sends to and starts.

use maud::{Markup, html};
use zelador_core::incident::{Incident, Stage};
use zelador_core::instance::Phase;
use zelador_core::retry::{Attempt, AttemptOutcome};
use zelador_core::supervisor::{BreakerView, InstanceView, RetryView, Supervisor};
use zelador_core::words::Words;

use super::Dashboard;
use super::lang::Lang;
use super::live::{Absent, Fragment};
use super::page::percent;
use super::parts::{self, icon, time};

/// How many of the latest errors of an operation are listed.
const ERRORS: usize = 8;

/// What is looked at for what is tried again.
struct Tried {
    instances: Vec<InstanceView>,
    open: Vec<Incident>,
    operations: Vec<RetryView>,
}

impl Tried {
    fn of(supervisor: &Supervisor) -> Self {
        let open = supervisor.incidents().into_iter().filter(|it| it.is_open()).cloned();
        Self {
            instances: supervisor.view().instances,
            open: open.collect(),
            operations: supervisor.retries(),
        }
    }
}

/// What is tried again, and what came of it so far.
pub async fn retries(dashboard: &Dashboard, lang: Lang) -> Result<Vec<Fragment>, Absent> {
    let tried = dashboard.handle.ask(Tried::of).await?;
    Ok(vec![Fragment::new(
        "list",
        html! {
            p.dim { (lang.t("What failed and is tried again: restarts with their delay, and remedies with their pauses.", "O que falhou e é tentado de novo: reinícios com seu atraso e remédios com suas pausas.")) }
            (waiting(lang, &tried))
            (operations(lang, &tried.operations))
        },
    )])
}

/// What waits for its next try now.
fn waiting(lang: Lang, tried: &Tried) -> Markup {
    let starts: Vec<_> = tried
        .instances
        .iter()
        .filter_map(|it| match &it.phase {
            Phase::Backoff { retry_at, held, .. } => Some((it, *retry_at, *held)),
            _ => None,
        })
        .collect();
    let healing: Vec<_> =
        tried.open.iter().filter(|it| !matches!(it.stage, Stage::Escalated)).collect();
    html! {
        @if starts.is_empty() && healing.is_empty() { (parts::empty(lang.t("Nothing is being retried", "Nada está sendo tentado de novo"), html! { p { (lang.t("Everything that is wanted is up.", "Tudo o que é desejado está no ar.")) } })) }
        @else { div.scroll tabindex="0" role="region" aria-label=(lang.t("Retries", "Tentativas")) { table {
            thead { tr { th scope="col" { "App" } th scope="col" { (lang.t("What", "O quê")) } th.num scope="col" { (lang.t("Tries", "Tentativas")) } th scope="col" { (lang.t("Next", "Próxima")) } th scope="col" { (lang.t("Because", "Porque")) } } }
            tbody {
                @for (it, at, held) in &starts { tr {
                    th scope="row" { a href={ "/health/app/" (percent(&it.app)) } { (parts::plain(&it.name)) } }
                    td { (lang.t("restart", "reinício")) } td.num { (it.unstable_restarts) }
                    td { @if *held { (lang.t("when its dependency is up", "quando a dependência estiver no ar")) } @else { (time(*at, true)) } }
                    td { (it.deaths.first().map(|it| parts::plain(&it.death.told(lang.language()))).unwrap_or_default()) }
                } }
                @for it in &healing { tr {
                    th scope="row" { a href={ "/health/incident/" (it.id) } { (super::overview::subject(lang, it.app.as_str())) } }
                    td { (lang.t("remedy", "remédio")) " (" (super::overview::state_word(lang, &it.state_words())) ")" } td.num { (it.attempts) }
                    td { @if let Some(at) = it.deadline() { (time(at, true)) } @else { "–" } }
                    td { (lang.say(&it.trouble.words())) }
                } }
            }
        } } }
    }
}

/// Every operation with its numbers.
fn operations(lang: Lang, views: &[RetryView]) -> Markup {
    let share = |it: &RetryView| {
        it.success_rate.map_or_else(|| "–".to_owned(), |rate| format!("{} %", lang.number(rate, 1)))
    };
    let average = |it: &RetryView| {
        it.average_attempts.map_or_else(|| "–".to_owned(), |average| lang.number(average, 2))
    };
    html! {
        @if !views.is_empty() { section aria-labelledby="operations-title" {
            h2 #operations-title { (lang.t("Operations", "Operações")) }
            div.scroll tabindex="0" role="region" aria-labelledby="operations-title" { table {
                thead { tr {
                    th scope="col" { (lang.t("Operation", "Operação")) } th.num scope="col" { (lang.t("Total", "Total")) }
                    th.num scope="col" { (lang.t("Successful", "Com sucesso")) } th.num scope="col" { (lang.t("Failed", "Com falha")) }
                    th.num scope="col" { (lang.t("Success rate", "Taxa de sucesso")) } th.num scope="col" { (lang.t("Average attempts", "Média de tentativas")) }
                    th scope="col" { (lang.t("Last errors", "Últimos erros")) }
                } }
                tbody { @for it in views { tr {
                    th scope="row" translate="no" { code { (parts::plain(&it.operation)) } }
                    td.num { (it.stats.total) } td.num { (it.stats.successful) } td.num { (it.stats.failed) }
                    td.num { (share(it)) } td.num { (average(it)) }
                    td.c-why { (errors(lang, it)) }
                } } }
            } }
        } }
    }
}

/// The latest errors of an operation: the last one, and those before it behind a word.
fn errors(lang: Lang, view: &RetryView) -> Markup {
    let latest: Vec<(&Attempt, &Words)> = view.stats.last_errors().take(ERRORS).collect();
    let one = |(attempt, error): &(&Attempt, &Words)| {
        html! {
            (time(attempt.at, true)) " · " span translate="no" { (parts::plain(&attempt.target)) } ": "
            (parts::theirs(lang, error))
            @if let AttemptOutcome::GaveUp { why, .. } = &attempt.outcome {
                span.dim { " (" (lang.t("given up", "desistiu")) ": " (parts::theirs(lang, why)) ")" }
            }
        }
    };
    html! {
        @match latest.split_first() {
            None => span.dim { "–" },
            Some((last, older)) => {
                div { (one(last)) }
                @if !older.is_empty() { details {
                    summary { (lang.count(older.len(), ("before it", "antes dele"), ("before it", "antes dele"))) }
                    ul.because { @for it in older { li { (one(it)) } } }
                } }
            },
        }
    }
}

/// What is not tried for now, and everything that could be.
pub async fn breakers(dashboard: &Dashboard, lang: Lang) -> Result<Vec<Fragment>, Absent> {
    let mut views = dashboard.handle.ask(Supervisor::breakers).await?;
    // What is not tried comes first, what is as it should be last.
    views.sort_by_key(rank);
    Ok(vec![Fragment::new("list", list(lang, &views))])
}

fn rank(view: &BreakerView) -> u8 {
    match (view.is_open(), view.is_closed()) {
        (true, _) => 0,
        (false, false) => 1,
        (false, true) if view.failure_rate.value() > 0.0 => 2,
        (false, true) => 3,
    }
}

/// Its state, that of a person's order too.
fn state(lang: Lang, view: &BreakerView) -> Markup {
    let class = ["bad", "warn", "warn", "ok"][usize::from(rank(view))];
    html! { span class={ "badge " (class) } { (icon(class)) (lang.say(&view.state)) } }
}

fn list(lang: Lang, views: &[BreakerView]) -> Markup {
    html! {
        p.dim { (lang.t("A breaker opens when what it guards keeps failing: a database, a check, a channel, a model, a remedy, or an app that dies young. It is then left alone until a trial, or until a person says otherwise: ", "Um disjuntor abre quando o que ele guarda falha repetidamente: um banco, uma verificação, um canal, um modelo, um remédio ou um app que morre cedo. É então deixado em paz até um teste, ou até que uma pessoa diga outra coisa: ")) code { "zelador breaker" } "." }
        @if views.is_empty() { (parts::empty(lang.t("No breakers yet", "Ainda não há disjuntores"), html! {})) }
        @else { div.scroll tabindex="0" role="region" aria-label=(lang.t("Breakers", "Disjuntores")) { table {
            thead { tr {
                th scope="col" { (lang.t("Target", "Alvo")) } th scope="col" { (lang.t("Operation", "Operação")) } th scope="col" { (lang.t("State", "Estado")) }
                th scope="col" { (lang.t("Since", "Desde")) } th scope="col" { (lang.t("Next trial", "Próximo teste")) }
                th.num scope="col" { (lang.t("Opened", "Abriu")) } th scope="col" { (lang.t("What it says", "O que diz")) }
            } }
            tbody { @for it in views { tr {
                th scope="row" translate="no" { (target(&it.target)) } td translate="no" { code { (parts::plain(&it.operation)) } }
                td { (state(lang, it)) }
                td { @if let Some(at) = it.since { (time(at, true)) } @else { "–" } }
                td { @if let Some(at) = it.trial_at { (time(at, true)) } @else if it.is_open() { (lang.t("when a person says so", "quando uma pessoa disser")) } @else { "–" } }
                td.num { (it.trips) } td { @if it.trial_at.is_some() { (lang.t("not tried until then", "não se tenta até lá")) } @else { (lang.say(&it.message)) } }
            } } }
        } } }
    }
}

/// What it is about; an app leads to its page.
fn target(target: &str) -> Markup {
    let app = target.strip_prefix("app:").filter(|name| *name != Incident::HOST_NAME);
    html! {
        @match app {
            Some(name) => a href={ "/health/app/" (percent(name.rsplit_once('/').map_or(name, |(app, _)| app))) } { (parts::plain(name)) },
            None => (parts::plain(target)),
        }
    }
}
