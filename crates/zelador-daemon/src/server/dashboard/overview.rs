//! How everything is, at one look.

use maud::{Markup, html};
use zelador_core::check::Status;
use zelador_core::diagnosis::{Cause, Diagnosis, Reasons};
use zelador_core::incident::Incident;
use zelador_core::instance::Phase;
use zelador_core::spec::Settings;
use zelador_core::supervisor::{InstanceView, Supervisor, View};
use zelador_core::unit::ByteSize;
use zelador_core::words::Words;

use super::Dashboard;
use super::lang::Lang;
use super::live::{Absent, Fragment};
use super::page::percent;
use super::parts::{self, badge, icon, time};
use super::past::{Cache, Lines, Past, SPARK_STEP};
use super::summary::summary;
use super::tiles;

/// What is looked at for the overview.
struct Seen {
    view: View,
    settings: Settings,
    /// The latest incident that is over, and all that are not.
    last: Option<Incident>,
    open: Vec<Incident>,
}

impl Seen {
    fn of(supervisor: &Supervisor) -> Self {
        let incidents = supervisor.incidents();
        let last = incidents.iter().find(|it| !it.is_open()).map(|it| short(it));
        let open = incidents.iter().filter(|it| it.is_open()).map(|it| short(it)).collect();
        Self { view: supervisor.view(), settings: supervisor.settings().clone(), last, open }
    }
}

/// Without what the overview does not show.
fn short(incident: &Incident) -> Incident {
    let diagnosis = incident.diagnosis.as_ref().map(|it| Diagnosis {
        because: Reasons::default(),
        hypotheses: Vec::new(),
        ..it.clone()
    });
    Incident { evidence: None, diagnosis, story: Vec::new(), ..incident.clone() }
}

/// The pieces of the page.
pub async fn fragments(
    dashboard: &Dashboard,
    cache: &mut Cache,
    lang: Lang,
) -> Result<Vec<Fragment>, Absent> {
    let seen = dashboard.handle.ask(Seen::of).await?;
    let past = cache.of_apps(dashboard).await;
    let mut fragments = vec![
        Fragment::new("sum", summary(lang, &seen.view, seen.last.as_ref())),
        Fragment::new("trouble", trouble(dashboard, lang)),
        Fragment::new("resting", resting(lang, &seen)),
        Fragment::new("groups", parts::groups(lang, &seen.view.health.groups)),
        Fragment::new("host", tiles::host(lang, &seen.view.health, &seen.settings, &past)),
        Fragment::new("open", open(lang, &seen)),
    ];
    let mut rows = String::new();
    let mut key = String::new();
    for instance in &seen.view.instances {
        let cells = cells(lang, instance, &past);
        rows.push_str(&row(lang, instance, &cells).into_string());
        key.push_str(&format!("{} {}\n", instance.id, instance.name));
        let id = instance.id;
        fragments.extend(
            cells.into_iter().map(|(name, cell)| Fragment::new(format!("a{id}-{name}"), cell)),
        );
    }
    let rows = if seen.view.instances.is_empty() {
        html! {}
    } else {
        maud::PreEscaped(rows)
    };
    fragments.push(Fragment::keyed("rows", &key, rows));
    fragments.push(Fragment::new("none", none(lang, seen.view.instances.is_empty())));
    Ok(fragments)
}

/// The page around its pieces.
pub fn page(lang: Lang, piece: &dyn Fn(&str) -> Markup) -> Markup {
    let column = |key: &str, en, pt| {
        html! {
            th scope="col" aria-sort="none" { button.sort type="button" data-key=(key) { (lang.t(en, pt)) span.arrow aria-hidden="true" {} } }
        }
    };
    html! {
        h1 #sum.sum { (piece("sum")) }
        div #trouble { (piece("trouble")) }
        div #resting { (piece("resting")) }
        div #open { (piece("open")) }
        section aria-labelledby="host-title" {
            h2 #host-title { (lang.t("Host", "Servidor")) }
            div #host.gauges { (piece("host")) }
        }
        section aria-labelledby="apps-title" {
            div.bar {
                h2 #apps-title { "Apps" }
                span #shown.dim role="status" data-of=(lang.t("of", "de")) data-one=(lang.t("instance", "instância")) data-many=(lang.t("instances", "instâncias")) {}
                label.find { span.hide { (lang.t("Search apps", "Buscar apps")) } input #find type="search" placeholder=(lang.t("Search  /", "Buscar  /")) autocomplete="off" spellcheck="false"; }
                div.chips role="group" aria-label=(lang.t("Filter", "Filtro")) {
                    button.chip type="button" data-filter="" aria-pressed="true" { (lang.t("All", "Todos")) }
                    button.chip type="button" data-filter="bad" aria-pressed="false" { (lang.t("Needs attention", "Atenção")) }
                    button.chip type="button" data-filter="off" aria-pressed="false" { (lang.t("Stopped", "Parados")) }
                }
            }
            div #groups { (piece("groups")) }
            div.scroll tabindex="0" role="region" aria-labelledby="apps-title" {
                table.apps {
                    thead { tr {
                        (column("name", "Name", "Nome"))
                        (column("state", "State", "Estado"))
                        (column("days", "90 days", "90 dias"))
                        (column("cpu", "CPU", "CPU"))
                        (column("mem", "Memory", "Memória"))
                        (column("up", "Up for", "No ar há"))
                        (column("re", "Restarts", "Reinícios"))
                    } }
                    tbody #rows { (piece("rows")) }
                }
            }
            div #none { (piece("none")) }
            p #nothing.dim hidden { (lang.t("No app matches.", "Nenhum app corresponde.")) }
        }
    }
}

fn none(lang: Lang, is_empty: bool) -> Markup {
    if !is_empty {
        return html! {};
    }
    parts::empty(
        lang.t("No apps yet", "Ainda não há apps"),
        html! {
            p { (lang.t("Start one, and it appears here by itself:", "Inicie um, e ele aparece aqui sozinho:")) }
            pre { code { "zelador start ecosystem.config.js" } }
        },
    )
}

/// What an incident is about: an app, or the host.
pub fn subject(lang: Lang, app: &str) -> String {
    match app {
        Incident::HOST_NAME => lang.t(Incident::HOST_NAME, "o servidor").to_owned(),
        app => match app.strip_prefix(Incident::CHANNEL) {
            Some(channel) => format!("{} {}", lang.t("channel", "canal"), parts::plain(channel)),
            None => parts::plain(app),
        },
    }
}

/// What a check of the host is called.
pub fn component(lang: Lang, name: &str) -> String {
    match name {
        "memory" => lang.t("host memory", "memória do servidor").to_owned(),
        "cpu" => lang.t("host CPU", "CPU do servidor").to_owned(),
        "disk" => lang.t("disk", "disco").to_owned(),
        other => parts::plain(other),
    }
}

/// Says it when the history cannot be written.
fn trouble(dashboard: &Dashboard, lang: Lang) -> Markup {
    let archive = &dashboard.handle.archive;
    html! {
        @if archive.is_in_trouble() {
            p.note.warn { (icon("warn")) (lang.t("The history cannot be written at the moment; everything else works. See the log of zelador.", "O histórico não pode ser gravado no momento; todo o resto funciona. Veja o log do zelador.")) }
        } @else if archive.lost() > 0 {
            p.note.warn { (icon("warn")) (archive.lost()) " " (lang.t("entries of the history were lost since the engine began.", "registros do histórico foram perdidos desde o início do motor.")) }
        }
    }
}

/// What is set aside and has no place of its own on this page: everything, or checks that have no tile.
fn resting(lang: Lang, seen: &Seen) -> Markup {
    let health = &seen.view.health;
    let checks = health.checks.iter().filter(|check| {
        !check.component.starts_with("app:") && !tiles::CHECKS.contains(&check.component.as_str())
    });
    html! {
        @if let Some(whole) = &health.set_aside {
            (parts::resting_note(lang, lang.t("Everything", "Tudo"), whole))
        } @else {
            @for check in checks { @if let Some(aside) = &check.set_aside {
                (parts::resting_note(lang, &component(lang, &check.component), aside))
            } }
        }
    }
}

/// Incidents that are not over.
fn open(lang: Lang, seen: &Seen) -> Markup {
    html! {
        @if !seen.open.is_empty() {
            ul.incidents aria-label=(lang.t("Open incidents", "Incidentes abertos")) {
                @for incident in &seen.open {
                    li { a.incident href={ "/health/incident/" (incident.id) } {
                        (icon("warn"))
                        strong { (subject(lang, incident.app.as_str())) } " · " (lang.say(&incident.trouble.words()))
                        (because(lang, incident.diagnosis.as_ref().map(|it| it.cause)))
                        @if incident.muted { " · " (lang.t("muted", "silenciado")) }
                        span.dim { " · " (state_word(lang, &incident.state_words())) " · " (time(incident.opened_at, true)) }
                    } }
                }
            }
        }
    }
}

/// Why, after what is wrong, where that is known.
pub fn because(lang: Lang, cause: Option<Cause>) -> Markup {
    let known = cause.filter(|cause| *cause != Cause::Unknown);
    html! { @if let Some(cause) = known { ": " (cause.told(lang.language())) } }
}

/// The state of an incident.
pub fn state_word(lang: Lang, state: &Words) -> String {
    match (lang, state.english()) {
        (Lang::En, "escalated") => "a person is needed".to_owned(),
        _ => lang.say(state),
    }
}

/// The cells of a row that change by themselves.
fn cells(lang: Lang, instance: &InstanceView, past: &Past) -> [(&'static str, Markup); 8] {
    let look = parts::instance(lang, instance);
    let subject = format!("app:{}/{}", instance.app, instance.index);
    let known = |lines: &Lines| lines.get(&subject).cloned().unwrap_or_default();
    let usage = instance.usage.filter(|_| instance.pid.is_some());
    let (cpu, memory) = (usage.map(|it| it.cpu), usage.map(|it| it.memory));
    let spark = |lines: &Lines, floor| {
        parts::sparkline(&known(lines), past.from, past.to, SPARK_STEP, floor)
    };
    [
        (
            "state",
            match &instance.set_aside {
                Some(aside) => {
                    html! { data value="3" data-class="rest" { (badge(look)) } span.why title=(aside.whose(lang.language())) { (parts::resting(lang, aside)) } }
                }
                None => {
                    html! { data value=(look.rank) data-class=(look.class) { (badge(look)) } (why(lang, instance)) }
                }
            },
        ),
        ("days", parts::days(lang, &known(&past.days), past.today())),
        (
            "cpu",
            html! { data.num value=(cpu.unwrap_or(-1.0)) { (cpu.map_or_else(|| "–".to_owned(), |cpu| lang.percent(cpu))) } },
        ),
        ("cpus", spark(&past.cpu, 100)),
        (
            "mem",
            html! { data.num value=(memory.map_or(-1, |it: ByteSize| it.bytes() as i64)) { (memory.map_or_else(|| "–".to_owned(), |it| lang.bytes(it))) } },
        ),
        ("mems", spark(&past.memory, 0)),
        ("up", up_for(instance)),
        ("re", restarts(lang, instance)),
    ]
}

fn row(lang: Lang, instance: &InstanceView, cells: &[(&'static str, Markup); 8]) -> Markup {
    let id = instance.id;
    let cell = |name: &str| {
        let found = cells.iter().find(|(other, _)| *other == name).map(|(_, cell)| cell);
        html! { span id={ "a" (id) "-" (name) } { @if let Some(cell) = found { (cell) } } }
    };
    let name = parts::plain(&instance.name);
    html! {
        tr data-name=(name) data-id=(id) {
            th scope="row" { a href={ "/health/app/" (percent(&instance.app)) } { (name) } @if instance.namespace != "default" { span.dim.space { (parts::plain(&instance.namespace)) } } }
            td.c-state data-label=(lang.t("State", "Estado")) { (cell("state")) }
            td.c-days data-label=(lang.t("90 days", "90 dias")) { (cell("days")) }
            td.c-cpu data-label="CPU" { (cell("cpu")) (cell("cpus")) }
            td.c-mem data-label=(lang.t("Memory", "Memória")) { (cell("mem")) (cell("mems")) }
            td.c-up data-label=(lang.t("Up for", "No ar há")) { (cell("up")) }
            td.c-re data-label=(lang.t("Restarts", "Reinícios")) { (cell("re")) }
        }
    }
}

/// Since when it is up, told as a span.
fn up_for(instance: &InstanceView) -> Markup {
    let up = instance.started_at.filter(|_| matches!(instance.phase, Phase::Running { .. }));
    html! { @if let Some(at) = up { time.since datetime=(at) { (time(at, false)) } } @else { "–" } }
}

/// Why it is not as it should be, in a few words.
fn why(lang: Lang, instance: &InstanceView) -> Markup {
    let reason = match &instance.phase {
        Phase::Running { .. } => instance
            .health
            .as_ref()
            .filter(|it| it.status != Status::Healthy)
            .map(|it| it.told(lang.language())),
        Phase::Backoff { .. } | Phase::Tripped { .. } => {
            let last = instance.deaths.first();
            last.map(|past| {
                past.explained
                    .as_ref()
                    .map_or_else(|| past.death.told(lang.language()), |why| lang.say(why))
            })
        }
        _ => None,
    };
    html! { @if let Some(reason) = reason { span.why title=(reason) { (parts::plain(&reason)) } } }
}

/// How often, and why last.
fn restarts(lang: Lang, instance: &InstanceView) -> Markup {
    let last = instance.last_start.as_ref().filter(|_| instance.restarts > 0);
    html! {
        data.num value=(instance.restarts) { (instance.restarts) }
        @if let Some(start) = last {
            span.why title=(lang.start(&start.cause)) { (parts::plain(&lang.start(&start.cause))) }
        }
    }
}
