//! What the host is at, with the thresholds of what is shown.

use maud::{Markup, html};
use zelador_core::said::Look;
use zelador_core::spec::{Settings, Thresholds};
use zelador_core::supervisor::HealthView;

use super::lang::Lang;
use super::parts::{self, badge};
use super::past::{Past, SPARK_STEP};

/// The checks of the host that have a tile.
pub const CHECKS: [&str; 3] = ["memory", "cpu", "disk"];

/// A tile for each of them that is looked at.
pub fn host(lang: Lang, health: &HealthView, settings: &Settings, past: &Past) -> Markup {
    html! {
        @for (name, label, thresholds, line) in [
            ("memory", lang.t("Memory", "Memória"), settings.memory, past.memory.get("host")),
            ("cpu", "CPU", settings.cpu, past.cpu.get("host")),
            ("disk", lang.t("Disk", "Disco"), settings.disk, None),
        ] {
            @if let Some(check) = health.checks.iter().find(|check| check.component == name) {
                @let share = share_in(&check.message);
                @let look = parts::status(lang, check.status);
                @let limits = limits(settings, thresholds, check.said.as_deref());
                div.tile {
                    div.tile-head { span { (label) } (badge(look)) }
                    p.value { (share.map_or_else(|| "–".to_owned(), |share| lang.percent(share))) }
                    (parts::gauge(share.unwrap_or(0.0), limits, look.class, &format!("{label}: {}", check.told(lang.language()))))
                    p.dim { (parts::plain(&check.told(lang.language()))) }
                    @if let Some(aside) = check.set_aside.as_ref().filter(|_| health.set_aside.is_none()) { p { (parts::resting_by(lang, aside)) } }
                    @if let Some(line) = line { (parts::sparkline(line, past.from, past.to, SPARK_STEP, 0)) }
                }
            }
        }
    }
}

/// From where on what is shown is degraded, and unhealthy: of a mount with limits of its own those.
fn limits(
    settings: &Settings,
    thresholds: Option<Thresholds>,
    said: Option<&Look>,
) -> Option<(f64, f64)> {
    let mount = said.and_then(mount);
    match mount.and_then(|mount| settings.mounts.iter().find(|limit| limit.measure == mount)) {
        Some(own) => own.degraded.zip(own.unhealthy),
        None => thresholds.map(|it| (it.degraded.value(), it.unhealthy.value())),
    }
}

/// The file system whose share is told first.
fn mount(look: &Look) -> Option<&str> {
    match look {
        Look::Disk { mount, .. } => Some(mount),
        Look::Beyond { what, .. } => mount(what),
        Look::Several(looks) => mount(looks.first()?),
        _ => None,
    }
}

/// The share that a check's message tells first: `2.2 % of 23.5 GB memory in use`.
fn share_in(message: &str) -> Option<f64> {
    message.split_once(" %")?.0.rsplit(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use zelador_core::spec::Limit;
    use zelador_core::unit::{ByteSize, Percent};

    use super::*;

    #[test]
    fn a_tile_shows_the_share_whatever_is_told_before_it() {
        assert_eq!(share_in("2.2 % of 23.5 GB memory in use"), Some(2.2));
        let flapping =
            "flapping: 6 changes in 21 looks; 57.0 % of 2 cores busy; degraded from 60.0 % on";
        assert_eq!(share_in(flapping), Some(57.0));
        assert_eq!(share_in("cannot be read"), None);
    }

    #[test]
    fn a_disk_is_marked_with_the_limits_of_the_mount_that_is_shown() {
        let own = Limit {
            measure: "/var".to_owned(),
            degraded: Some(95.0),
            unhealthy: Some(98.0),
            below: false,
            margin: 0.0,
            auto: false,
        };
        let off =
            Limit { measure: "/mnt".to_owned(), degraded: None, unhealthy: None, ..own.clone() };
        let settings = Settings { mounts: vec![own, off], ..Settings::default() };
        let disk = |mount: &str| {
            let share = Percent::new(50.0).unwrap();
            Look::Disk { share, mount: mount.to_owned(), free: ByteSize::new(1) }
        };
        let shown = |look: &Look| limits(&settings, settings.disk, Some(look));
        assert_eq!(shown(&disk("/")), Some((80.0, 90.0)));
        assert_eq!(shown(&disk("/var")), Some((95.0, 98.0)));
        assert_eq!(shown(&disk("/mnt")), None, "it has no limits");
        let both = Look::Several(vec![disk("/var"), disk("/")]);
        assert_eq!(shown(&both), Some((95.0, 98.0)), "the worst stands first");
        assert_eq!(limits(&settings, settings.memory, None), Some((75.0, 90.0)));
    }
}
