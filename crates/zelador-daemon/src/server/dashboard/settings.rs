//! The settings in force, to be read: of secrets only where they are found.

use maud::{Markup, html};
use zelador_core::healing::Remedy;
use zelador_core::notify::{ChannelState, ChannelView, Language, NotifyView, Plan, Route};
use zelador_core::redact;
use zelador_core::spec::{AdvisorSpec, Cadence, HostMeter, KeyFrom, NamedTarget, Settings};
use zelador_core::spec::{Limit, PulseSpec, Rotation, Thresholds};
use zelador_core::supervisor::{OwnPolicies, Supervisor};
use zelador_core::unit::ByteSize;

use super::Dashboard;
use super::lang::Lang;
use super::live::{Absent, Fragment};
use super::parts::{self, icon, time};
use super::policies;
use super::table::{Column, table};

/// A name, and what it is set to.
type Row = (String, String);

/// The pieces of the page.
///
/// # Errors
/// Nobody has told the settings.
pub async fn fragments(dashboard: &Dashboard, lang: Lang) -> Result<Vec<Fragment>, Absent> {
    let look = |supervisor: &Supervisor| {
        let (settings, own) = (supervisor.settings().clone(), supervisor.own_policies());
        (settings, supervisor.notify_view(), own)
    };
    let (mut settings, notify, own) = dashboard.handle.ask(look).await?;
    // The address may have been given by the environment.
    settings.http = dashboard.handle.settings.borrow().http;
    let home = dashboard.handle.home.path().display().to_string();
    Ok(vec![Fragment::new("list", page(lang, &settings, &notify, &own, home))])
}

fn page(
    lang: Lang,
    settings: &Settings,
    notify: &NotifyView,
    own: &[OwnPolicies],
    home: String,
) -> Markup {
    let named = settings.named.iter();
    let rules = settings.rules.iter();
    let windows = settings.maintenance.iter();
    let databases = settings.databases.iter();
    let before = [
        (lang.t("General", "Geral"), general(lang, settings, home)),
        (lang.t("Checks", "Verificações"), checks(lang, settings)),
        (
            lang.t("Databases", "Bancos de dados"),
            databases
                .map(|(name, it)| {
                    let every = cadence(lang, &it.cadence);
                    let slow = lang.span(it.slow);
                    let slower = lang.t("degraded from", "degradado a partir de");
                    (name.clone(), format!("{}; {every}; {slower} {slow}", redact::url(&it.url)))
                })
                .collect(),
        ),
        (
            lang.t("Checks with a name", "Verificações com nome"),
            named
                .map(|(name, it)| {
                    let every = cadence(lang, &it.cadence);
                    (name.clone(), format!("{}; {every}", target(lang, &it.target)))
                })
                .collect(),
        ),
        (
            lang.t("Maintenance windows", "Janelas de manutenção"),
            windows
                .map(|it| {
                    let (lasts, word) = (lang.span(it.lasts), lang.t("for", "por"));
                    (it.begins.as_str().to_owned(), format!("{word} {lasts}"))
                })
                .collect(),
        ),
        (
            lang.t("Rules of diagnosis", "Regras de diagnóstico"),
            rules
                .map(|it| {
                    let action = it.action.map(|action| Remedy::of(action).told(lang.language()));
                    let action = action.map(|it| format!(" → {it}")).unwrap_or_default();
                    (it.pattern.clone(), format!("{}{action}", it.cause.told(lang.language())))
                })
                .collect(),
        ),
        (lang.t("Language model", "Modelo de linguagem"), advisor(lang, settings.advisor.as_ref())),
    ];
    let after = [
        (lang.t("Retries", "Novas tentativas"), policies::retries(lang, settings, own)),
        (lang.t("Breakers", "Disjuntores"), policies::breakers(lang, settings, own)),
        (lang.t("Notices", "Avisos"), plan(lang, &settings.notify, notify)),
        (lang.t("Logs", "Logs"), rotation(lang, &settings.rotation)),
        (
            lang.t("History", "Histórico"),
            vec![
                row(lang.t("Kept for", "Mantido por"), lang.span(settings.history.age)),
                row(lang.t("At most", "No máximo"), size(lang, settings.history.size)),
            ],
        ),
    ];
    html! {
        p.dim { (lang.t("As they are in force. To change them, edit the block ", "Como estão em vigor. Para mudá-las, edite o bloco ")) code { "zelador" } (lang.t(" of the ecosystem file, or zelador.toml.", " do arquivo ecosystem ou o zelador.toml.")) }
        @for (title, rows) in &before { (section(title, rows)) }
        (channels(lang, notify))
        @for (title, rows) in &after { (section(title, rows)) }
    }
}

fn section(title: &str, rows: &[Row]) -> Markup {
    html! {
        @if !rows.is_empty() {
            section { h2 { (title) } dl.facts-list { @for (name, value) in rows { dt { (parts::plain(name)) } dd { (parts::plain(value)) } } } }
        }
    }
}

fn row(name: &str, value: String) -> Row {
    (name.to_owned(), value)
}

fn size(lang: Lang, bytes: u64) -> String {
    lang.bytes(ByteSize::new(bytes))
}

fn yes(lang: Lang, is: bool) -> String {
    (if is { lang.t("yes", "sim") } else { lang.t("no", "não") }).to_owned()
}

fn off(lang: Lang) -> String {
    lang.t("off", "desligado").to_owned()
}

fn general(lang: Lang, settings: &Settings, home: String) -> Vec<Row> {
    let mut rows = vec![
        row(lang.t("Home", "Pasta"), home),
        row(lang.t("Listens on", "Escuta em"), super::app::dash(settings.http)),
        row(lang.t("Version", "Versão"), env!("CARGO_PKG_VERSION").to_owned()),
    ];
    if let Some(PulseSpec { to, interval, fail, .. }) = &settings.heartbeat {
        let every = format!("{} {}", lang.t("every", "a cada"), lang.span(*interval));
        let fails = lang.t("tells when it is unhealthy", "avisa quando está com falha");
        let fails = if *fail { format!("; {fails}") } else { String::new() };
        rows.push(row(
            lang.t("Ping outward", "Sinal para fora"),
            format!("{to:?}; {every}{fails}"),
        ));
    }
    rows
}

fn checks(lang: Lang, settings: &Settings) -> Vec<Row> {
    let Cadence { interval, timeout, failure_threshold, success_threshold, .. } = settings.cadence;
    let looks = |count: u32| {
        lang.count(
            count as usize,
            ("look", "verificação"),
            ("looks in a row", "verificações seguidas"),
        )
    };
    let shares = |it: Option<Thresholds>| {
        let Some(it) = it else { return off(lang) };
        let (degraded, unhealthy) = (it.degraded.value(), it.unhealthy.value());
        let learnt = lang.t("; what is usual is learnt", "; o que é usual é aprendido");
        let learnt = if it.auto { learnt } else { "" };
        format!("{} / {}{learnt}", lang.percent(degraded), lang.percent(unhealthy))
    };
    vec![
        row(lang.t("Every", "A cada"), lang.span(interval)),
        row(lang.t("Timeout", "Tempo limite"), lang.span(timeout)),
        row(lang.t("Worse after", "Piora após"), looks(failure_threshold)),
        row(lang.t("Better after", "Melhora após"), looks(success_threshold)),
        row(
            lang.t("Memory, degraded / unhealthy", "Memória, degradado / com falha"),
            shares(settings.memory),
        ),
        row(
            lang.t("CPU, degraded / unhealthy", "CPU, degradado / com falha"),
            shares(settings.cpu),
        ),
        row(
            lang.t("Disk, degraded / unhealthy", "Disco, degradado / com falha"),
            shares(settings.disk) + &mounts(lang, &settings.mounts),
        ),
    ]
}

/// The limits of single file systems: `; /var: 90 % / 95 %`.
fn mounts(lang: Lang, limits: &[Limit]) -> String {
    let of = |limit: &Limit| {
        let (Some(degraded), Some(unhealthy)) = (limit.degraded, limit.unhealthy) else {
            return format!("; {}: {}", limit.measure, off(lang));
        };
        let (degraded, unhealthy) = (lang.percent(degraded), lang.percent(unhealthy));
        format!("; {}: {degraded} / {unhealthy}", limit.measure)
    };
    limits.iter().map(of).collect()
}

fn cadence(lang: Lang, cadence: &Cadence) -> String {
    format!("{} {}", lang.t("every", "a cada"), lang.span(cadence.interval))
}

/// What a check with a name asks.
fn target(lang: Lang, target: &NamedTarget) -> String {
    match target {
        NamedTarget::Probe(probe) => probe.words().told(lang.language()).to_owned(),
        NamedTarget::Host(HostMeter::Swap) => lang.t("swap in use", "swap em uso").to_owned(),
        NamedTarget::Host(HostMeter::Inodes) => lang.t("inodes in use", "inodes em uso").to_owned(),
        NamedTarget::Host(HostMeter::Descriptors) => {
            lang.t("open files of the host", "arquivos abertos do servidor").to_owned()
        }
        NamedTarget::Host(HostMeter::Load) => lang.t("load", "carga").to_owned(),
        NamedTarget::Host(HostMeter::Clock) => {
            lang.t("how far the clock is off", "desvio do relógio").to_owned()
        }
        NamedTarget::Host(HostMeter::Network(name)) => {
            format!("{} {name}", lang.t("network interface", "interface de rede"))
        }
        NamedTarget::Host(HostMeter::Pressure(of)) => {
            format!("{} {}", lang.t("pressure on", "pressão sobre"), of.word())
        }
    }
}

fn advisor(lang: Lang, advisor: Option<&AdvisorSpec>) -> Vec<Row> {
    let Some(it) = advisor else { return Vec::new() };
    let key = match &it.key {
        KeyFrom::Nowhere => lang.t("none", "nenhuma").to_owned(),
        KeyFrom::Variable(name) => format!("${name}"),
        KeyFrom::File(path) => path.display().to_string(),
    };
    vec![
        row(lang.t("Model", "Modelo"), it.model.clone()),
        row(lang.t("Address", "Endereço"), redact::url(&it.url)),
        row(lang.t("Key in", "Chave em"), key),
        row(lang.t("Timeout", "Tempo limite"), lang.span(it.timeout)),
        row(lang.t("Tokens of an answer", "Tokens por resposta"), it.max_tokens.to_string()),
        row(lang.t("Tokens a day", "Tokens por dia"), it.budget_per_day.to_string()),
    ]
}

fn rotation(lang: Lang, it: &Rotation) -> Vec<Row> {
    let keep = it.keep.to_string();
    let all = lang.t("all", "todos").to_owned();
    let total = it.max_total_size.map_or_else(|| off(lang), |it| lang.bytes(it));
    vec![
        row(lang.t("Rotated at", "Rotação em"), lang.bytes(it.max_size)),
        row(
            lang.t("Rotated by the clock", "Rotação por horário"),
            it.at.as_ref().map_or_else(|| off(lang), |it| it.as_str().to_owned()),
        ),
        row(lang.t("Files kept", "Arquivos mantidos"), if keep == "all" { all } else { keep }),
        row(lang.t("Size kept", "Tamanho mantido"), total),
        row(lang.t("Compressed", "Comprimidos"), yes(lang, it.compress)),
        row(lang.t("Date in names", "Data nos nomes"), it.date_format.clone()),
    ]
}

/// Every channel with how it is.
fn channels(lang: Lang, notify: &NotifyView) -> Markup {
    html! {
        section aria-labelledby="channels-title" {
            h2 #channels-title { (lang.t("Channels", "Canais")) }
            @if notify.channels.is_empty() { p.dim { (lang.t("None: nobody is told of anything. docs/notifications.md shows how.", "Nenhum: ninguém é avisado de nada. docs/notifications.md mostra como.")) } }
            @else { div.scroll tabindex="0" role="region" aria-labelledby="channels-title" {
                (table(
                    [
                        Column::row(lang.t("Name", "Nome")),
                        Column::text(lang.t("Kind", "Tipo")),
                        Column::text(lang.t("Leads to", "Leva a")),
                        Column::long(lang.t("State", "Estado")),
                        Column::number(lang.t("Waiting", "Aguardando")),
                    ],
                    notify.channels.iter().map(|it| [
                        html! { (parts::plain(&it.name)) },
                        html! { span translate="no" { (it.kind) } },
                        html! { span translate="no" { (parts::plain(&it.place)) } },
                        state(lang, it),
                        html! { (it.waiting) },
                    ]),
                ))
            } }
            @for name in &notify.unknown { p.note.warn { (icon("warn")) (lang.t("A route names a channel that there is not:", "Uma rota cita um canal que não existe:")) " " (parts::plain(name)) } }
        }
    }
}

/// How a channel is: the reason, where it takes nothing.
pub fn state(lang: Lang, channel: &ChannelView) -> Markup {
    html! {
        @match &channel.state {
            ChannelState::Good => span.badge.ok { (icon("ok")) (lang.t("good", "bom")) },
            ChannelState::Failing { since, reason, retry_at } => {
                span.badge.bad { (icon("bad")) (lang.t("fails", "falha")) } " "
                span.dim { (time(*since, true)) ": " (parts::theirs(lang, reason)) "; " (lang.t("tried again", "nova tentativa")) " " (time(*retry_at, true)) }
            },
        }
    }
}

fn plan(lang: Lang, plan: &Plan, notify: &NotifyView) -> Vec<Row> {
    let route = |it: &Route| {
        let any = |of: &[String]| match of {
            [] => lang.t("all", "todos").to_owned(),
            of => of.join(", "),
        };
        let severity = lang.language().severity(it.severity);
        let (from, apps, kinds) = (lang.t("from", "a partir de"), any(&it.apps), any(&it.kinds));
        row(
            lang.t("Route", "Rota"),
            format!(
                "apps: {apps}; {from} {severity}; {}: {kinds} → {}",
                lang.t("kinds", "tipos"),
                it.to.join(", ")
            ),
        )
    };
    let quiet = plan.quiet.as_ref().map(|it| {
        let zone = it.zone.as_ref().map(|zone| format!(" ({zone})")).unwrap_or_default();
        format!("{} – {}{zone}", it.from.strftime("%H:%M"), it.to.strftime("%H:%M"))
    });
    let messages =
        lang.count(plan.limit.most as usize, ("message", "mensagem"), ("messages", "mensagens"));
    let limit = format!("{messages} {} {}", lang.t("in", "em"), lang.span(plan.limit.within));
    let language = match plan.language {
        Language::En => "English",
        Language::Pt => "português",
    };
    let mut rows: Vec<Row> = notify.routes.iter().map(route).collect();
    rows.extend([
        row(lang.t("Quiet hours", "Horas de silêncio"), quiet.unwrap_or_else(|| off(lang))),
        row(
            lang.t("Reminders", "Lembretes"),
            plan.remind_every.map_or_else(
                || off(lang),
                |it| format!("{} {}", lang.t("every", "a cada"), lang.span(it)),
            ),
        ),
        row(lang.t("The same not again within", "O mesmo não de novo em"), lang.span(plan.dedup)),
        row(lang.t("At most, of a channel", "No máximo, por canal"), limit),
        row(lang.t("The end is told", "O fim é avisado"), yes(lang, plan.resolved)),
        row(lang.t("Language", "Idioma"), language.to_owned()),
        row(
            lang.t("Time zone", "Fuso horário"),
            plan.zone().unwrap_or(lang.t("the host's", "o do servidor")).to_owned(),
        ),
        row(
            lang.t("Reached at", "Acessível em"),
            plan.base_url.clone().unwrap_or_else(|| "–".to_owned()),
        ),
    ]);
    rows
}
