//! One app: what it is at, what it was, what happened to it.

use maud::{Markup, html};
use zelador_core::aside::SetAside;
use zelador_core::history::{Event, Kind};
use zelador_core::instance::{Goal, Phase};
use zelador_core::spec::Environment;
use zelador_core::supervisor::{AppView, InstanceView, Supervisor};
use zelador_core::unit::{ByteSize, Moment};

use super::Dashboard;
use super::lang::Lang;
use super::live::{Absent, Fragment};
use super::parts::{self, badge, icon, time};
use super::table::{Column, table};
use crate::history::{IncidentRow, Run};

/// How many runs, events and incidents are listed.
const LISTED: u32 = 30;

/// The pieces of the page.
///
/// # Errors
/// There is no such app, or nobody has told how it is.
pub async fn fragments(
    dashboard: &Dashboard,
    name: &str,
    lang: Lang,
) -> Result<Vec<Fragment>, Absent> {
    let app = name.to_owned();
    let look = move |supervisor: &Supervisor| -> Option<(Vec<AppView>, Environment)> {
        let views = supervisor.app_views_of(&app);
        let env = supervisor.environment_of(views.first()?.instance.id, false)?;
        Some((views, env))
    };
    let (views, env) = dashboard.handle.ask(look).await?.ok_or(Absent::Gone)?;
    let first = views.first().ok_or(Absent::Gone)?;
    let declared = declaration(lang, first, views.len(), &env);
    let instances: Vec<InstanceView> = views.into_iter().map(|it| it.instance).collect();
    let app = name.to_owned();
    let past = dashboard.read(move |reader| {
        let all = (Moment::default(), Moment::from_micros(i64::MAX as u64));
        let events = reader.events(Some(&app), all.0, all.1, LISTED * 2)?;
        Ok((reader.runs(&app, LISTED)?, events, reader.incidents(Some(&app), all.0, LISTED)?))
    });
    let past = past.await;
    let failed = past.as_ref().err().map(|failure| lang.say(&failure.error));
    let (runs, events, incidents) = past.unwrap_or_default();
    Ok(vec![
        Fragment::new("head", head(lang, &instances)),
        Fragment::new("log-of", log_of(&instances)),
        Fragment::new("declared", declared),
        Fragment::new("instances", list_instances(lang, &instances)),
        Fragment::new("checks", checks(lang, &instances)),
        Fragment::new("runs", list_runs(lang, &runs, failed.as_deref())),
        Fragment::new("events", list_events(lang, &events)),
        Fragment::new("incidents", list_incidents(lang, &incidents)),
    ])
}

/// The page around its pieces.
pub fn page(lang: Lang, app: &str, piece: &dyn Fn(&str) -> Markup, may_act: bool) -> Markup {
    let name = parts::plain(app);
    html! {
        p.crumb { a href="/health" { (lang.t("Overview", "Visão geral")) } " / " }
        div.title {
            h1 { (name) }
            (actions(lang, app, may_act))
        }
        div #head { (piece("head")) }
        section aria-labelledby="charts-title" {
            div.bar {
                h2 #charts-title { (lang.t("Metrics", "Métricas")) }
                div.chips role="group" aria-label=(lang.t("Range", "Período")) #ranges {
                    @for (seconds, en, pt) in [(900, "15 min", "15 min"), (3600, "1 h", "1 h"), (21_600, "6 h", "6 h"), (86_400, "24 h", "24 h"), (604_800, "7 d", "7 d"), (2_592_000, "30 d", "30 d"), (7_776_000, "90 d", "90 d")] {
                        button.chip type="button" data-range=(seconds) aria-pressed=(if seconds == 3600 { "true" } else { "false" }) { (lang.t(en, pt)) }
                    }
                }
                div.chips role="group" aria-label=(lang.t("Move in time", "Mover no tempo")) {
                    button.chip #earlier type="button" aria-label=(lang.t("Earlier", "Antes")) { "←" }
                    button.chip #later type="button" aria-label=(lang.t("Later", "Depois")) { "→" }
                    button.chip #wider type="button" aria-label=(lang.t("Zoom out", "Reduzir")) { "−" }
                    button.chip #closer type="button" aria-label=(lang.t("Zoom in", "Ampliar")) { "+" }
                    button.chip #now type="button" { (lang.t("Now", "Agora")) }
                }
            }
            p #range-said.dim role="status" {}
            div #charts.charts
                data-of={ "app:" (app) } data-check={ "check:app:" (app) }
                data-memory=(lang.t("Memory", "Memória")) data-cpu=(lang.t("CPU, % of a core", "CPU, % de um núcleo"))
                data-latency=(lang.t("Check latency", "Latência da verificação")) data-restarts=(lang.t("Restarts", "Reinícios"))
                data-none=(lang.t("No data in this range yet", "Ainda não há dados neste período"))
                data-failed=(lang.t("The chart could not be loaded", "O gráfico não pôde ser carregado"))
                data-limitword=(lang.t("limit", "limite")) data-foretold=(lang.t("at its limit in about {in}", "no limite em cerca de {in}")) data-loading=(lang.t("Loading…", "Carregando…"))
                data-summary=(lang.t("from {min} to {max}, mean {mean}", "de {min} a {max}, média {mean}")) {}
            ul.legend aria-label=(lang.t("Marks", "Marcas")) {
                @for kind in [Kind::Died, Kind::Opened, Kind::Remedy, Kind::Closed, Kind::Changed] {
                    @let (class, shape) = parts::kind_icon(kind);
                    li class=(class) { (icon(shape)) (lang.kind(kind)) }
                }
            }
        }
        section aria-labelledby="instances-title" {
            h2 #instances-title { (lang.t("Instances", "Instâncias")) }
            div.scroll #instances tabindex="0" role="region" aria-labelledby="instances-title" { (piece("instances")) }
        }
        section aria-labelledby="checks-title" { h2 #checks-title { (lang.t("Checks", "Verificações")) } div #checks { (piece("checks")) } }
        section aria-labelledby="logs-title" {
            div.bar {
                h2 #logs-title { "Logs" }
                @if may_act {
                label.choice { span.hide { (lang.t("Instance", "Instância")) } select #log-of { (piece("log-of")) } }
                label.find { span.hide { (lang.t("Search in the logs", "Buscar nos logs")) } input #log-find type="search" placeholder=(lang.t("Search", "Buscar")) autocomplete="off" spellcheck="false"; }
                label { span.hide { (lang.t("Level", "Nível")) } select #log-level {
                    option value="" { (lang.t("All levels", "Todos os níveis")) }
                    option value="debug" { "debug+" } option value="info" { "info+" } option value="warn" { "warn+" } option value="error" { "error" }
                } }
                button.chip #log-pause type="button" aria-pressed="false" data-on=(lang.t("Pause", "Pausar")) data-off=(lang.t("Go on", "Continuar")) { (lang.t("Pause", "Pausar")) }
                }
            }
            @if may_act {
                div #logs.logs tabindex="0" role="log" aria-live="off" aria-labelledby="logs-title"
                    data-none=(lang.t("Nothing was written yet.", "Nada foi escrito ainda.")) data-match=(lang.t("No line matches.", "Nenhuma linha corresponde.")) {}
            } @else { p { a href=(to_sign_in(app)) { (lang.t("Sign in to read them", "Entre para lê-los")) } } }
        }
        section aria-labelledby="runs-title" { h2 #runs-title { (lang.t("Runs", "Execuções")) } div.scroll #runs tabindex="0" role="region" aria-labelledby="runs-title" { (piece("runs")) } }
        section aria-labelledby="incidents-title" { h2 #incidents-title { (lang.t("Incidents", "Incidentes")) } div #incidents { (piece("incidents")) } }
        section aria-labelledby="events-title" { h2 #events-title { (lang.t("What happened", "O que aconteceu")) } div #events { (piece("events")) } }
        section aria-labelledby="env-title" {
            h2 #env-title { (lang.t("Declaration", "Declaração")) }
            div #declared { (piece("declared")) }
        }
    }
}

/// Where the token is given, and from where it goes back to the app.
fn to_sign_in(app: &str) -> String {
    let back = format!("/health/app/{}", super::page::percent(app));
    format!("/health/login?to={}", super::page::percent(&back))
}

fn actions(lang: Lang, app: &str, may_act: bool) -> Markup {
    let ask = |en: &'static str, pt: &'static str| lang.t(en, pt);
    let buttons = [
        (
            "restart",
            ask("Restart", "Reiniciar"),
            ask(
                "Every instance is stopped and started again.",
                "Cada instância é parada e iniciada de novo.",
            ),
        ),
        (
            "reload",
            ask("Reload", "Recarregar"),
            ask(
                "One instance after another is replaced.",
                "Uma instância é substituída após a outra.",
            ),
        ),
        (
            "stop",
            ask("Stop", "Parar"),
            ask("It stays down until somebody starts it.", "Fica parado até que alguém o inicie."),
        ),
        (
            "start",
            ask("Start", "Iniciar"),
            ask("What is down is started.", "O que está parado é iniciado."),
        ),
        (
            "scale",
            ask("Scale", "Escalar"),
            ask("Instances are added or removed.", "Instâncias são adicionadas ou removidas."),
        ),
        (
            "report",
            ask("Report a problem", "Relatar problema"),
            ask(
                "An incident is opened: evidence is gathered, and a remedy is proposed. Nothing is done before a person says yes.",
                "Um incidente é aberto: evidências são reunidas e um remédio é proposto. Nada é feito antes que uma pessoa diga sim.",
            ),
        ),
    ];
    html! {
        div.actions role="group" aria-label=(lang.t("Actions", "Ações")) data-of=(app) {
            @for (verb, word, more) in buttons {
                button type="button" data-verb=(verb) data-more=(more) disabled[!may_act] { (word) }
            }
            @if !may_act { a.dim href=(to_sign_in(app)) { (lang.t("Sign in to act", "Entre para agir")) } }
        }
    }
}

fn head(lang: Lang, instances: &[InstanceView]) -> Markup {
    let worst = instances.iter().map(|it| parts::instance(lang, it)).min_by_key(|look| look.rank);
    let up = instances.iter().filter(|it| it.pid.is_some()).count();
    let memory: u64 = instances.iter().filter_map(|it| it.usage).map(|it| it.memory.bytes()).sum();
    // The sum of no floating-point number is -0.
    let cpu = instances.iter().filter_map(|it| it.usage).fold(0.0, |sum, it| sum + it.cpu);
    let restarts: u32 = instances.iter().map(|it| it.restarts).sum();
    let since = instances.iter().filter(|it| it.pid.is_some()).filter_map(|it| it.started_at).min();
    html! {
        p.facts {
            @if let Some(look) = worst { (badge(look)) }
            span { strong { (up) "/" (instances.len()) } " " (lang.t("up", "no ar")) }
            @if let Some(at) = since { span { (lang.t("up for", "no ar há")) " " time.since datetime=(at) { (time(at, false)) } } }
            span { strong { (lang.bytes(ByteSize::new(memory))) } }
            span { strong { (lang.percent(cpu)) } " CPU" }
            span { (lang.count(restarts as usize, ("restart", "reinício"), ("restarts", "reinícios"))) }
        }
        @if let Some(aside) = whole(instances) { (parts::resting_note(lang, lang.t("The app", "O app"), aside)) }
        @for instance in instances {
            @if let Some(start) = instance.last_start.as_ref().filter(|_| instance.restarts > 0) {
                p.dim { (parts::plain(&instance.name)) ": " (lang.t("started last", "iniciado por último")) " " (time(start.at, true)) " – " (parts::plain(&lang.start(&start.cause))) }
            }
        }
    }
}

/// Why the app is set aside, if all of it is.
fn whole(instances: &[InstanceView]) -> Option<&SetAside> {
    let first = instances.first()?.set_aside.as_ref()?;
    instances.iter().all(|it| it.set_aside.as_ref() == Some(first)).then_some(first)
}

fn list_instances(lang: Lang, instances: &[InstanceView]) -> Markup {
    let columns = [
        Column::number("id"),
        Column::row(lang.t("Name", "Nome")),
        Column::text(lang.t("State", "Estado")),
        Column::number("pid"),
        Column::number("CPU"),
        Column::number(lang.t("Memory", "Memória")),
        Column::number(lang.t("Threads", "Threads")),
        Column::number(lang.t("Descriptors", "Descritores")),
        Column::number(lang.t("Up for", "No ar há")),
        Column::number(lang.t("Restarts", "Reinícios")),
    ];
    let cells = |it: &InstanceView| {
        let usage = it.usage.filter(|_| it.pid.is_some());
        [
            html! { (it.id) },
            html! { (parts::plain(&it.name)) },
            html! { (badge(parts::instance(lang, it))) @if let Phase::Backoff { retry_at, .. } = &it.phase { " " span.dim { (time(*retry_at, true)) } } },
            html! { (dash(it.pid)) },
            html! { (dash(usage.map(|it| lang.percent(it.cpu)))) },
            html! { (dash(usage.map(|it| lang.bytes(it.memory)))) },
            html! { (dash(usage.map(|it| it.threads))) },
            html! { (dash(usage.and_then(|it| it.descriptors))) },
            html! { @if let Some(at) = it.started_at.filter(|_| it.pid.is_some()) { time.since datetime=(at) { (time(at, false)) } } @else { "–" } },
            html! { (it.restarts) },
        ]
    };
    table(columns, instances.iter().map(cells))
}

/// The value, or a dash.
pub fn dash(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| value.to_string())
}

fn checks(lang: Lang, instances: &[InstanceView]) -> Markup {
    html! {
        @for it in instances {
            @match &it.health {
                Some(health) => p.check {
                    (badge(parts::status(lang, health.status)))
                    @if instances.len() > 1 { strong { (parts::plain(&it.name)) } }
                    @if let Some(aside) = it.set_aside.as_ref().filter(|_| whole(instances).is_none()) { (parts::resting_by(lang, aside)) }
                    span { (parts::plain(&health.told(lang.language()))) }
                    @if !health.took.is_zero() { span.dim { (lang.t("took", "levou")) " " (lang.took(health.took)) " · " (time(health.at, true)) } }
                },
                None if it.goal == Goal::Down => p.dim { (parts::plain(&it.name)) ": " (lang.t("stopped: not looked at", "parado: não é verificado")) },
                None => p.dim { (parts::plain(&it.name)) ": " (lang.t("not looked at yet", "ainda não verificado")) },
            }
        }
    }
}

fn list_runs(lang: Lang, runs: &[Run], failed: Option<&str>) -> Markup {
    let columns = [
        Column::number(lang.t("Run", "Execução")),
        Column::text(lang.t("Started", "Início")),
        Column::long(lang.t("Why", "Por quê")),
        Column::text(lang.t("Lasted", "Durou")),
        Column::long(lang.t("How it ended", "Como terminou")),
    ];
    html! {
        @if let Some(error) = failed { p.note.warn { (icon("warn")) (error) } }
        @else if runs.is_empty() { p.dim { (lang.t("No run is known yet.", "Nenhuma execução conhecida ainda.")) } }
        @else { (table(columns, runs.iter().map(|run| one_run(lang, run)))) }
    }
}

/// A run, and how it ended.
fn one_run(lang: Lang, run: &Run) -> [Markup; 5] {
    [
        html! { (run.id) },
        time(run.begun_at, false),
        html! { (lang.say(&run.cause)) },
        html! { @match (run.up_at, run.ended_at) {
            (Some(up), Some(ended)) => (lang.span(ended.since(up))),
            (Some(up), None) => time.since datetime=(up) { (time(up, false)) },
            _ => "–",
        } },
        html! { @match (&run.ended, run.ended_at) {
            (Some(how), _) if run.asked => span.end.off { (icon("off")) (lang.t("stopped on request", "parada a pedido")) @if !how.is_empty() { span.dim { " (" (lang.say(how)) ")" } } },
            (Some(how), _) => span.end.bad { (icon("bad")) span { (lang.say(how)) } },
            (None, None) => span.end.ok { (icon("ok")) (lang.t("running", "em execução")) },
            (None, Some(_)) => "–",
        } },
    ]
}

fn list_events(lang: Lang, events: &[Event]) -> Markup {
    let told =
        events.iter().filter(|event| !matches!(event.kind, Kind::Begun)).take(LISTED as usize);
    html! {
        @if events.is_empty() { p.dim { (lang.t("Nothing yet.", "Nada ainda.")) } }
        ol.events { @for event in told { (one_event(lang, event)) } }
    }
}

/// One thing that happened.
fn one_event(lang: Lang, event: &Event) -> Markup {
    let (class, shape) = parts::kind_icon(event.kind);
    html! {
        li class=(class) {
            (time(event.at, false)) span.what { (icon(shape)) (lang.kind(event.kind)) }
            span {
                span { (lang.say(&event.text)) }
                @if let Some(lasted) = event.lasted.filter(|_| event.kind != Kind::Closed) { span.dim { " · " (lang.t("after", "após")) " " (lang.span(lasted)) } }
                @if let Some(id) = event.incident { " " a href={ "/health/incident/" (id) } { (lang.t("incident", "incidente")) " " (id) } }
            }
        }
    }
}

/// Incidents, the latest first.
pub fn list_incidents(lang: Lang, incidents: &[IncidentRow]) -> Markup {
    html! {
        @if incidents.is_empty() { p.dim { (lang.t("None. That is good.", "Nenhum. Isso é bom.")) } }
        @else { ul.incidents { @for it in incidents {
            @let (class, shape) = match (it.closed_at, it.state.english()) { (Some(_), _) => ("ok", "ok"), (None, "escalated") => ("bad", "bad"), (None, _) => ("warn", "warn") };
            li { a class={ "incident " (class) } href={ "/health/incident/" (it.id) } {
                (icon(shape)) strong { (super::overview::subject(lang, &it.app)) } " · " (lang.say(&it.trouble)) (super::overview::because(lang, it.cause))
                span.dim {
                    " · " (super::overview::state_word(lang, &it.state)) " · " (time(it.opened_at, true))
                    @if let Some(closed) = it.closed_at { " · " (lang.t("lasted", "durou")) " " (lang.span(closed.since(it.opened_at))) }
                }
            } }
        } } }
    }
}

/// Whose log is shown: an instance each.
fn log_of(instances: &[InstanceView]) -> Markup {
    html! { @for it in instances { option value=(it.id) { (parts::plain(&it.name)) } } }
}

/// What was declared: how it is started and limited, and in which environment.
fn declaration(lang: Lang, view: &AppView, count: usize, env: &Environment) -> Markup {
    let launch = &view.spec.launch;
    let path = |path: &Option<std::path::PathBuf>| path.as_ref().map(|it| it.display().to_string());
    let limit = view.spec.max_memory;
    let rows = [
        ("Script", Some(launch.script.clone())),
        (
            lang.t("Arguments", "Argumentos"),
            (!launch.args.is_empty()).then(|| launch.args.join(" ")),
        ),
        (lang.t("Folder", "Pasta"), Some(launch.cwd.display().to_string())),
        (lang.t("Memory limit", "Limite de memória"), limit.map(|it| lang.bytes(it))),
        (
            lang.t("Depends on", "Depende de"),
            (!view.spec.depends_on.is_empty()).then(|| view.spec.depends_on.join(", ")),
        ),
        (lang.t("Standard output", "Saída padrão"), path(&view.out_log)),
        (lang.t("Standard error", "Saída de erro"), path(&view.err_log)),
    ];
    html! {
        dl.facts-list {
            @for (name, value) in rows { @if let Some(value) = value { dt { (name) } dd { code { (parts::plain(&value)) } } } }
            dt { (lang.t("Instances", "Instâncias")) } dd { data #count value=(count) data-limit=(limit.map_or(0, ByteSize::bytes)) { (count) } }
        }
        details { summary { (lang.t("Environment", "Ambiente")) " " span.dim { "(" (env.len()) "; " (lang.t("secrets are masked", "segredos ocultos")) ")" } }
            div.scroll tabindex="0" role="region" aria-label=(lang.t("Environment", "Ambiente")) { table.plain #environment { tbody {
                @for (name, value) in env { tr { th scope="row" { code { (parts::plain(name)) } } td { code { (parts::plain(value)) } } } }
            } } }
        }
    }
}
