//! The sentence above everything: how things are, counted in apps.
//!
//! Always holds: an app is one, however many instances it has, and is as its worst one is; one that is
//! not up yet is not called healthy.

use std::collections::BTreeMap;

use maud::{Markup, html};
use zelador_core::check::Status;
use zelador_core::incident::Incident;
use zelador_core::instance::Goal;
use zelador_core::supervisor::{InstanceView, View};

use super::lang::Lang;
use super::overview::component;
use super::parts::{self, Look, icon, time};

/// Looks below this rank need somebody's attention.
const NEEDS_ATTENTION: u8 = 2;

/// The apps of which something is wanted.
#[derive(Debug, Default)]
struct Apps {
    /// Those that count.
    all: usize,
    /// Those in maintenance or muted.
    resting: usize,
    /// Those that need attention: a name, and how it looks.
    sick: Vec<(String, Look)>,
    /// Those that are on their way, or wait for another one.
    waiting: Vec<(String, Look)>,
}

impl Apps {
    fn of(lang: Lang, instances: &[InstanceView]) -> Self {
        let mut apps: BTreeMap<&str, Vec<&InstanceView>> = BTreeMap::new();
        for instance in instances.iter().filter(|it| it.goal == Goal::Up) {
            apps.entry(&instance.app).or_default().push(instance);
        }
        let mut seen = Self::default();
        for (app, instances) in apps {
            let looks: Vec<(&InstanceView, Look)> = instances
                .into_iter()
                .filter(|it| it.set_aside.is_none())
                .map(|it| (it, parts::instance(lang, it)))
                .collect();
            let Some(worst) = looks.iter().map(|(_, look)| *look).min_by_key(|look| look.rank)
            else {
                seen.resting += 1;
                continue;
            };
            seen.all += 1;
            let alike = looks.iter().filter(|(_, look)| look.rank == worst.rank).count();
            let one = looks.iter().find(|(_, look)| look.rank == worst.rank);
            let name = one.filter(|_| alike == 1).map_or(app, |(it, _)| it.name.as_str());
            match worst.rank {
                rank if rank < NEEDS_ATTENTION => seen.sick.push((parts::plain(name), worst)),
                NEEDS_ATTENTION => seen.waiting.push((parts::plain(name), worst)),
                _ => {}
            }
        }
        seen
    }

    /// How they are, without a full stop; `any`: there are apps.
    fn told(&self, lang: Lang, any: bool) -> String {
        let all = self.all;
        let well = all - self.sick.len() - self.waiting.len();
        match (self.sick.as_slice(), self.waiting.as_slice(), lang) {
            _ if !any => lang.t("Nothing to take care of yet", "Nada para cuidar ainda").to_owned(),
            _ if all == 0 && self.resting > 0 => lang
                .t(
                    "Every app is in maintenance or muted",
                    "Todos os apps estão em manutenção ou silenciados",
                )
                .to_owned(),
            _ if all == 0 => {
                lang.t("Every app is stopped", "Todos os apps estão parados").to_owned()
            }
            ([], [], _) if all == 1 => {
                lang.t("The app is healthy", "O app está saudável").to_owned()
            }
            ([], [], _) if all == 2 => {
                lang.t("Both apps healthy", "Os dois apps saudáveis").to_owned()
            }
            ([], [], Lang::En) => format!("All {all} apps healthy"),
            ([], [], Lang::Pt) => format!("Todos os {all} apps saudáveis"),
            ([], [(name, look)], _) => {
                let is = lang.t("is not up yet", "ainda não está no ar");
                let one = format!("{name} {is}: {}", look.word);
                if all == 1 { one } else { format!("{}; {one}", healthy(lang, well, all)) }
            }
            ([], waiting, _) => {
                let are = lang.t("are not up yet", "ainda não estão no ar");
                format!("{}; {} {are}", healthy(lang, well, all), waiting.len())
            }
            ([(name, look)], ..) => {
                let needs = lang.t("needs attention", "precisa de atenção");
                format!("{name} {needs}: {}", look.word)
            }
            (sick, _, Lang::En) => format!("{} of {all} apps need attention", sick.len()),
            (sick, _, Lang::Pt) => format!("{} de {all} apps precisam de atenção", sick.len()),
        }
    }
}

fn healthy(lang: Lang, well: usize, all: usize) -> String {
    match lang {
        Lang::En => format!("{well} of {all} apps healthy"),
        Lang::Pt => format!("{well} de {all} apps saudáveis"),
    }
}

/// One sentence that says how things are.
pub fn summary(lang: Lang, view: &View, last: Option<&Incident>) -> Markup {
    let apps = Apps::of(lang, &view.instances);
    let checks = view.health.checks.iter();
    let host: Vec<_> = checks
        .filter(|check| check.status != Status::Healthy && check.set_aside.is_none())
        .filter(|check| !check.component.starts_with("app:"))
        .collect();
    let is_bad = apps.sick.iter().any(|(_, look)| look.class == "bad")
        || host.iter().any(|check| check.status == Status::Unhealthy);
    let class = match (apps.sick.is_empty() && host.is_empty(), is_bad) {
        (true, _) if !apps.waiting.is_empty() => "wait",
        (true, _) => "ok",
        (false, false) => "warn",
        (false, true) => "bad",
    };
    html! {
        span class={ "lead " (class) } { (icon(class)) (apps.told(lang, !view.instances.is_empty())) }
        @for (at, check) in host.iter().enumerate() {
            span.also { (if apps.sick.is_empty() && at == 0 { lang.t(", but ", ", mas ") } else { "; " }) (component(lang, &check.component)) " " (lang.status(check.status)) }
        }
        @if apps.resting > 0 && apps.all > 0 {
            span.also { "; " (lang.count(apps.resting, ("in maintenance or muted", "em manutenção ou silenciado"), ("in maintenance or muted", "em manutenção ou silenciados"))) }
        }
        @if let Some(last) = last {
            span.also {
                "; " (lang.t("last incident", "último incidente")) " "
                a href={ "/health/incident/" (last.id) } { (time(last.closed_at.unwrap_or(last.opened_at), true)) }
                @if let Some(closed) = last.closed_at {
                    ", " (lang.say(&last.state_words())) " " (lang.t("in", "em")) " " (lang.span(closed.since(last.opened_at)))
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use zelador_core::unit::Moment;

    use super::*;

    /// An instance as the API tells it, in this phase.
    fn instance(app: &str, index: u32, phase: serde_json::Value) -> InstanceView {
        let view = json!({
            "id": index, "app": app, "index": index, "name": format!("{app}/{index}"), "goal": "up",
            "phase": phase, "status": "online", "pid": null, "restarts": 0, "unstable_restarts": 0,
            "created_at": Moment::default(), "started_at": null, "usage": null, "health": null, "deaths": [], "backoff": null,
        });
        serde_json::from_value(view).expect("an instance")
    }

    fn up() -> serde_json::Value {
        json!({ "phase": "running", "run": 1, "pid": 9, "since": Moment::default() })
    }

    fn told(instances: &[InstanceView]) -> String {
        Apps::of(Lang::En, instances).told(Lang::En, !instances.is_empty())
    }

    #[test]
    fn an_app_of_three_instances_is_one_app() {
        let trio: Vec<InstanceView> = (0..3).map(|at| instance("trio", at, up())).collect();
        assert_eq!(told(&trio), "The app is healthy");
        let with_web = [trio, vec![instance("web", 0, up())]].concat();
        assert_eq!(told(&with_web), "Both apps healthy");
        assert_eq!(told(&[]), "Nothing to take care of yet");
    }

    #[test]
    fn what_waits_for_a_dependency_is_not_healthy() {
        let held = json!({ "phase": "backoff", "retry_at": Moment::default(), "held": true });
        let of = [instance("db", 0, up()), instance("web", 0, held.clone())];
        let waits = "web/0 is not up yet: waiting for a dependency";
        assert_eq!(told(&of), format!("1 of 2 apps healthy; {waits}"));
        assert_eq!(told(&of[1..]), waits);
        let more = [of.to_vec(), vec![instance("job", 0, held)]].concat();
        assert_eq!(told(&more), "1 of 3 apps healthy; 2 are not up yet");
    }

    #[test]
    fn an_app_is_as_its_worst_instance_is() {
        let tripped = json!({ "phase": "tripped", "trial_at": null });
        let of = [instance("api", 0, up()), instance("api", 1, tripped.clone())];
        assert_eq!(told(&of), "api/1 needs attention: gave up");
        let both = [instance("api", 0, tripped.clone()), instance("api", 1, tripped)];
        assert_eq!(told(&both), "api needs attention: gave up");
    }
}
