//! What is tried again, and what is not tried for now: of everything that zelador calls, looks at,
//! sends to and starts.

use maud::{Markup, html};
use zelador_core::incident::{Incident, Stage};
use zelador_core::instance::Phase;
use zelador_core::notify::{ChannelState, ChannelView};
use zelador_core::retry::{Attempt, AttemptOutcome};
use zelador_core::supervisor::{BreakerView, InstanceView, RetryView, Supervisor};
use zelador_core::words::Words;

use super::Dashboard;
use super::lang::Lang;
use super::live::{Absent, Fragment};
use super::page::percent;
use super::parts::{self, icon, time};
use super::table::{Column, table};

/// How many of the latest errors of an operation are listed.
const ERRORS: usize = 8;

/// What is looked at for what is tried again.
struct Tried {
    instances: Vec<InstanceView>,
    open: Vec<Incident>,
    channels: Vec<ChannelView>,
    operations: Vec<RetryView>,
}

impl Tried {
    fn of(supervisor: &Supervisor) -> Self {
        let open = supervisor.incidents().into_iter().filter(|it| it.is_open()).cloned();
        Self {
            instances: supervisor.view().instances,
            open: open.collect(),
            channels: supervisor.notify_view().channels,
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
            p.dim { (lang.t("What failed and is tried again: starts, remedies and messages, with when that is.", "O que falhou e é tentado de novo: inícios, remédios e mensagens, com a hora em que isso acontece.")) }
            (waiting(lang, &tried))
            (operations(lang, &tried.operations))
        },
    )])
}

/// What waits for its next try now: starts, trials, remedies, and messages for channels that fail.
fn waiting(lang: Lang, tried: &Tried) -> Markup {
    let rows: Vec<[Markup; 5]> = tried
        .instances
        .iter()
        .filter_map(|it| start(lang, it))
        .chain(tried.open.iter().filter_map(|it| remedy(lang, it)))
        .chain(tried.channels.iter().filter_map(|it| message(lang, it)))
        .collect();
    html! {
        @if rows.is_empty() { (parts::empty(lang.t("Nothing is being retried", "Nada está sendo tentado de novo"), html! {})) }
        @else { div.scroll tabindex="0" role="region" aria-label=(lang.t("Retries", "Tentativas")) {
            (table(
                [
                    Column::row(lang.t("Target", "Alvo")),
                    Column::text(lang.t("What", "O quê")),
                    Column::number(lang.t("Tries", "Tentativas")),
                    Column::text(lang.t("Next", "Próxima")),
                    Column::long(lang.t("Because", "Motivo")),
                ],
                rows,
            ))
        } }
    }
}

/// A start that waits for its time, its dependency or its trial.
fn start(lang: Lang, it: &InstanceView) -> Option<[Markup; 5]> {
    let (what, next) = match &it.phase {
        Phase::Backoff { held: true, .. } => (
            lang.t("start", "início"),
            html! { (lang.t("when its dependency is up", "quando a dependência estiver no ar")) },
        ),
        Phase::Backoff { retry_at, .. } => (lang.t("restart", "reinício"), time(*retry_at, true)),
        Phase::Tripped { trial_at: Some(at) } => {
            (lang.t("trial start", "início de teste"), time(*at, true))
        }
        _ => return None,
    };
    let because = it.deaths.first().map(|it| it.death.told(lang.language())).unwrap_or_default();
    Some([
        html! { a href={ "/health/app/" (percent(&it.app)) } { (parts::plain(&it.name)) } },
        html! { (what) },
        html! { (it.unstable_restarts) },
        next,
        html! { (parts::plain(&because)) },
    ])
}

/// A remedy that is under way or waits for its time, a person or a dependency.
fn remedy(lang: Lang, it: &Incident) -> Option<[Markup; 5]> {
    let next = match (&it.stage, it.deadline()) {
        // Its start stands for itself.
        (Stage::AwaitingStart | Stage::AwaitingTrial, _) => return None,
        (_, Some(at)) => time(at, true),
        (Stage::WaitingForDependency { dependency }, None) => html! {
            (lang.t("when this is up:", "quando estiver no ar:")) " " (parts::plain(dependency))
        },
        (_, None) => return None,
    };
    Some([
        html! { a href={ "/health/incident/" (it.id) } { (super::overview::subject(lang, it.app.as_str())) } },
        html! { (lang.t("remedy", "remédio")) " (" (super::overview::state_word(lang, &it.state_words())) ")" },
        html! { (it.attempts) },
        next,
        html! { (lang.say(&it.trouble.words())) },
    ])
}

/// Messages that wait for a channel that fails.
fn message(lang: Lang, it: &ChannelView) -> Option<[Markup; 5]> {
    let ChannelState::Failing { reason, retry_at, .. } = &it.state else { return None };
    let waiting = lang.count(it.waiting, ("message", "mensagem"), ("messages", "mensagens"));
    Some([
        html! { a href="/health/settings" { (lang.t("channel", "canal")) " " (parts::plain(&it.name)) } },
        html! { (waiting) },
        html! { "–" },
        time(*retry_at, true),
        parts::theirs(lang, reason),
    ])
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
            div.scroll tabindex="0" role="region" aria-labelledby="operations-title" {
                (table(
                    [
                        Column::row(lang.t("Operation", "Operação")),
                        Column::number(lang.t("Total", "Total")),
                        Column::number(lang.t("Successful", "Com sucesso")),
                        Column::number(lang.t("Failed", "Com falha")),
                        Column::number(lang.t("Success rate", "Taxa de sucesso")),
                        Column::number(lang.t("Average attempts", "Média de tentativas")),
                        Column::long(lang.t("Last errors", "Últimos erros")),
                    ],
                    views.iter().map(|it| [
                        html! { span translate="no" { code { (parts::plain(&it.operation)) } } },
                        html! { (it.stats.total) },
                        html! { (it.stats.successful) },
                        html! { (it.stats.failed) },
                        html! { (share(it)) },
                        html! { (average(it)) },
                        errors(lang, it),
                    ]),
                ))
            }
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
        @else { div.scroll tabindex="0" role="region" aria-label=(lang.t("Breakers", "Disjuntores")) {
            (table(
                [
                    Column::row(lang.t("Target", "Alvo")),
                    Column::text(lang.t("Operation", "Operação")),
                    Column::text(lang.t("State", "Estado")),
                    Column::text(lang.t("Since", "Desde")),
                    Column::text(lang.t("Next trial", "Próximo teste")),
                    Column::number(lang.t("Opened", "Abriu")),
                    Column::long(lang.t("What it says", "O que diz")),
                ],
                views.iter().map(|it| cells(lang, it)),
            ))
        } }
    }
}

fn cells(lang: Lang, it: &BreakerView) -> [Markup; 7] {
    [
        html! { span translate="no" { (target(&it.target)) } },
        html! { span translate="no" { code { (parts::plain(&it.operation)) } } },
        state(lang, it),
        html! { @if let Some(at) = it.since { (time(at, true)) } @else { "–" } },
        html! { @if let Some(at) = it.trial_at { (time(at, true)) } @else if it.is_open() { (lang.t("when a person says so", "quando uma pessoa disser")) } @else { "–" } },
        html! { (it.trips) },
        html! { @if it.trial_at.is_some() { (lang.t("not tried until then", "não se tenta até lá")) } @else { (lang.say(&it.message)) } },
    ]
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
