//! Pages that are one list: incidents, checks, what is tried again, what is not, who did what, and the
//! settings.

use maud::{Markup, html};
use zelador_api::home::Home;
use zelador_core::aside::asker;
use zelador_core::incident::{Incident, Stage};
use zelador_core::instance::Phase;
use zelador_core::redact;
use zelador_core::spec::Settings;
use zelador_core::supervisor::{Supervisor, View};
use zelador_core::unit::Moment;

use super::Dashboard;
use super::lang::Lang;
use super::live::Fragment;
use super::page::percent;
use super::parts::{self, badge, icon, time};
use crate::history::Audit;

/// How many entries are listed.
const LISTED: u32 = 200;

fn one(content: Markup) -> Vec<Fragment> {
    vec![Fragment::new("list", content)]
}

/// What stands where the past cannot be read.
fn unreadable(lang: Lang, error: &str) -> Markup {
    html! { p.note.warn { (icon("warn")) (lang.t("The history cannot be read:", "O histórico não pode ser lido:")) " " (error) } }
}

/// All incidents.
pub async fn incidents(dashboard: &Dashboard, lang: Lang) -> Option<Vec<Fragment>> {
    let found = dashboard.read(|reader| reader.incidents(None, Moment::default(), LISTED)).await;
    Some(one(match found {
        Ok(found) if found.is_empty() => parts::empty(
            lang.t("No incidents", "Nenhum incidente"),
            html! { p { (lang.t("When something goes wrong, its whole story is here.", "Quando algo der errado, a história completa estará aqui.")) } },
        ),
        Ok(found) => super::app::list_incidents(lang, &found),
        Err(failure) => unreadable(lang, &lang.say(&failure.error)),
    }))
}

/// All checks with their last results.
pub async fn checks(dashboard: &Dashboard, lang: Lang) -> Option<Vec<Fragment>> {
    let health = dashboard.handle.ask(Supervisor::health).await.ok()?;
    let mut checks = health.checks;
    checks.sort_by(|one, other| {
        other.status.cmp(&one.status).then_with(|| one.component.cmp(&other.component))
    });
    Some(one(html! {
        p.facts { (badge(parts::status(lang, health.overall))) span { (lang.count(checks.len(), ("check", "verificação"), ("checks", "verificações"))) } }
        @if let Some(whole) = &health.set_aside { (parts::resting_note(lang, lang.t("Everything", "Tudo"), whole)) }
        (parts::groups(lang, &health.groups))
        div.scroll tabindex="0" role="region" aria-label=(lang.t("Checks", "Verificações")) { table.checks {
            thead { tr { th scope="col" { (lang.t("Component", "Componente")) } th scope="col" { (lang.t("State", "Estado")) } th scope="col" { (lang.t("Why", "Por quê")) } th.num scope="col" { (lang.t("Took", "Levou")) } th.num scope="col" { (lang.t("Looked at", "Verificado")) } } }
            tbody { @for check in &checks { tr {
                th scope="row" { @match check.component.strip_prefix("app:") {
                    Some(app) => { a href={ "/health/app/" (percent(app.rsplit_once('/').map_or(app, |(app, _)| app))) } { (parts::plain(app)) } },
                    None => (super::overview::component(lang, &check.component)),
                } }
                td.c-state { (badge(parts::status(lang, check.status))) }
                td.c-why {
                    (parts::plain(&check.told(lang.language())))
                    @if let Some(aside) = &check.set_aside { div.resting { (parts::resting_by(lang, aside)) } }
                }
                td.num data-label=(lang.t("Took", "Levou")) { (lang.span(check.took)) }
                td.num data-label=(lang.t("Looked at", "Verificado")) { (time(check.at, true)) }
            } } }
        } }
    }))
}

/// What the two pages about trying look at.
fn look(supervisor: &Supervisor) -> (View, Vec<Incident>) {
    let open = supervisor.incidents().into_iter().filter(|it| it.is_open()).cloned().collect();
    (supervisor.view(), open)
}

/// What is tried again, and when.
pub async fn retries(dashboard: &Dashboard, lang: Lang) -> Option<Vec<Fragment>> {
    let (view, open) = dashboard.handle.ask(look).await.ok()?;
    let waiting: Vec<_> = view
        .instances
        .iter()
        .filter_map(|it| match &it.phase {
            Phase::Backoff { retry_at, held, .. } => Some((it, *retry_at, *held)),
            _ => None,
        })
        .collect();
    let healing: Vec<_> = open.iter().filter(|it| !matches!(it.stage, Stage::Escalated)).collect();
    Some(one(html! {
        p.dim { (lang.t("What failed and is tried again: restarts with their delay, and remedies with their pauses.", "O que falhou e é tentado de novo: reinícios com seu atraso e remédios com suas pausas.")) }
        @if waiting.is_empty() && healing.is_empty() { (parts::empty(lang.t("Nothing is being retried", "Nada está sendo tentado de novo"), html! { p { (lang.t("Everything that is wanted is up.", "Tudo o que é desejado está no ar.")) } })) }
        @else { div.scroll tabindex="0" role="region" aria-label=(lang.t("Retries", "Tentativas")) { table {
            thead { tr { th scope="col" { "App" } th scope="col" { (lang.t("What", "O quê")) } th.num scope="col" { (lang.t("Tries", "Tentativas")) } th scope="col" { (lang.t("Next", "Próxima")) } th scope="col" { (lang.t("Because", "Porque")) } } }
            tbody {
                @for (it, at, held) in &waiting { tr {
                    th scope="row" { a href={ "/health/app/" (percent(&it.app)) } { (parts::plain(&it.name)) } }
                    td { (lang.t("restart", "reinício")) } td.num { (it.unstable_restarts) }
                    td { @if *held { (lang.t("when its dependency is up", "quando a dependência estiver no ar")) } @else { (time(*at, true)) } }
                    td { (it.deaths.first().map(|it| parts::plain(&it.death.told(lang.language()))).unwrap_or_default()) }
                } }
                @for it in &healing { tr {
                    th scope="row" { a href={ "/health/incident/" (it.id) } { (parts::plain(it.app.as_str())) } }
                    td { (lang.t("remedy", "remédio")) " (" (super::overview::state_word(lang, &it.state_words())) ")" } td.num { (it.attempts) }
                    td { @if let Some(at) = it.deadline() { (time(at, true)) } @else { "–" } }
                    td { (lang.say(&it.trouble.words())) }
                } }
            }
        } } }
    }))
}

/// What is not tried for now.
pub async fn breakers(dashboard: &Dashboard, lang: Lang) -> Option<Vec<Fragment>> {
    let (view, _) = dashboard.handle.ask(look).await.ok()?;
    Some(one(html! {
        p.dim { (lang.t("A breaker opens when an app keeps dying young; it is then left alone until a trial start, or until somebody starts it.", "Um disjuntor abre quando um app morre cedo repetidamente; ele é deixado em paz até um início de teste, ou até que alguém o inicie.")) }
        @if view.instances.is_empty() { (parts::empty(lang.t("No apps yet", "Ainda não há apps"), html! {})) }
        @else { div.scroll tabindex="0" role="region" aria-label=(lang.t("Breakers", "Disjuntores")) { table {
            thead { tr { th scope="col" { "App" } th scope="col" { (lang.t("Breaker", "Disjuntor")) } th.num scope="col" { (lang.t("Short runs in a row", "Execuções curtas seguidas")) } th scope="col" { (lang.t("Trial start", "Início de teste")) } } }
            tbody { @for it in &view.instances {
                @let (look, trial) = match &it.phase {
                    Phase::Tripped { trial_at } => (parts::Look { class: "bad", word: lang.t("open", "aberto"), rank: 0 }, Some(*trial_at)),
                    _ if it.unstable_restarts > 0 => (parts::Look { class: "warn", word: lang.t("closed, counting", "fechado, contando"), rank: 1 }, None),
                    _ => (parts::Look { class: "ok", word: lang.t("closed", "fechado"), rank: 2 }, None),
                };
                tr {
                    th scope="row" { a href={ "/health/app/" (percent(&it.app)) } { (parts::plain(&it.name)) } }
                    td { (badge(look)) } td.num { (it.unstable_restarts) }
                    td { @match trial { Some(Some(at)) => (time(at, true)), Some(None) => (lang.t("when somebody starts it", "quando alguém o iniciar")), None => "–" } }
                }
            } }
        } } }
    }))
}

/// Who did what.
pub async fn audit(dashboard: &Dashboard, lang: Lang) -> Option<Vec<Fragment>> {
    let found = dashboard.read(|reader| reader.audit(LISTED)).await;
    Some(one(match found {
        Err(failure) => unreadable(lang, &lang.say(&failure.error)),
        Ok(found) if found.is_empty() => {
            parts::empty(lang.t("No command yet", "Nenhum comando ainda"), html! {})
        }
        Ok(found) => html! {
            p.dim { (lang.t("Every command: who gave it, from where, and what was answered.", "Cada comando: quem o deu, de onde e qual foi a resposta.")) }
            div.scroll tabindex="0" role="region" aria-label=(lang.t("Audit", "Auditoria")) { table {
                thead { tr { th scope="col" { (lang.t("When", "Quando")) } th scope="col" { (lang.t("Who", "Quem")) } th scope="col" { (lang.t("From", "De")) } th scope="col" { (lang.t("Command", "Comando")) } th scope="col" { (lang.t("Result", "Resultado")) } } }
                tbody { @for it in &found { tr {
                    td { (time(it.at, false)) } td { (parts::plain(asker(&it.who, lang.language()))) } td translate="no" { (parts::plain(&it.origin)) }
                    td translate="no" { code { (it.verb) } " " (parts::plain(&it.target)) }
                    td { span class={ "end " (if it.ok { "ok" } else { "bad" }) } { (icon(if it.ok { "ok" } else { "bad" })) (result(lang, it)) } }
                } } }
            } }
        },
    }))
}

/// What was answered; a refusal in the words of the command line.
fn result(lang: Lang, audit: &Audit) -> Markup {
    html! { span lang=[(!audit.ok).then_some("en")] { (lang.say(&audit.result)) } }
}

/// The settings in force, to be read.
pub fn settings(lang: Lang, settings: &Settings, home: &Home) -> Markup {
    let shares = |it: Option<zelador_core::spec::Thresholds>| {
        it.map_or_else(
            || lang.t("off", "desligado").to_owned(),
            |it| {
                format!(
                    "{} / {}",
                    lang.percent(it.degraded.value()),
                    lang.percent(it.unhealthy.value())
                )
            },
        )
    };
    let span = |it: std::time::Duration| lang.span(it);
    let cadence = settings.cadence;
    let size = |bytes: u64| lang.bytes(zelador_core::unit::ByteSize::new(bytes));
    let groups = [
        (
            lang.t("General", "Geral"),
            vec![
                (lang.t("Home", "Pasta"), home.path().display().to_string()),
                (lang.t("Listens on", "Escuta em"), super::app::dash(settings.http)),
                (lang.t("Version", "Versão"), env!("CARGO_PKG_VERSION").to_owned()),
            ],
        ),
        (
            lang.t("Checks", "Verificações"),
            vec![
                (lang.t("Every", "A cada"), span(cadence.interval)),
                (lang.t("Timeout", "Tempo limite"), span(cadence.timeout)),
                (lang.t("Worse after", "Piora após"), cadence.failure_threshold.to_string()),
                (lang.t("Better after", "Melhora após"), cadence.success_threshold.to_string()),
                (
                    lang.t("Memory, degraded / unhealthy", "Memória, degradado / com falha"),
                    shares(settings.memory),
                ),
                (
                    lang.t("CPU, degraded / unhealthy", "CPU, degradado / com falha"),
                    shares(settings.cpu),
                ),
                (
                    lang.t("Disk, degraded / unhealthy", "Disco, degradado / com falha"),
                    shares(settings.disk),
                ),
            ],
        ),
        (
            lang.t("Databases", "Bancos de dados"),
            settings
                .databases
                .iter()
                .map(|(name, it)| (name.as_str(), redact::url(&it.url)))
                .collect(),
        ),
        (
            lang.t("Logs", "Logs"),
            vec![(lang.t("Rotated at", "Rotação em"), size(settings.rotation.max_size.bytes()))],
        ),
        (
            lang.t("History", "Histórico"),
            vec![
                (lang.t("Kept for", "Mantido por"), span(settings.history.age)),
                (lang.t("At most", "No máximo"), size(settings.history.size)),
            ],
        ),
    ];
    html! {
        h1 { (lang.t("Settings", "Configuração")) }
        p.dim { (lang.t("As they are in force. To change them, edit the block `zelador` of the ecosystem file, or zelador.toml.", "Como estão em vigor. Para mudá-las, edite o bloco `zelador` do arquivo ecosystem ou o zelador.toml.")) }
        @for (title, rows) in groups { @if !rows.is_empty() {
            section { h2 { (title) } dl.facts-list { @for (name, value) in rows { dt { (parts::plain(name)) } dd { (parts::plain(&value)) } } } }
        } }
    }
}
