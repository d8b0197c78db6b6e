//! Small things that pages share: how a state, a time, a line and a bar look.

use maud::{Markup, PreEscaped, html};
use zelador_core::aside::{How, SetAside};
use zelador_core::check::Status;
use zelador_core::history::{Kind, Rollup};
use zelador_core::instance::{Goal, Phase};
use zelador_core::supervisor::{GroupView, InstanceView};
use zelador_core::unit::Moment;
use zelador_core::unseen::is_unseen;
use zelador_core::words::Words;

use super::lang::Lang;

/// The shapes: states differ by shape and word, not by colour only.
const SPRITE: &str = r#"<svg hidden xmlns="http://www.w3.org/2000/svg"><defs>
<symbol id="i-ok" viewBox="0 0 16 16"><circle cx="8" cy="8" r="7" fill="currentColor"/><path d="m4.8 8.2 2.2 2.2 4.2-4.6" fill="none" stroke="var(--page)" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round"/></symbol>
<symbol id="i-warn" viewBox="0 0 16 16"><path d="M8 1.2 15.3 14.2H.7z" fill="currentColor"/><path d="M8 6v3.6" stroke="var(--page)" stroke-width="1.8" stroke-linecap="round"/><circle cx="8" cy="11.9" r="1" fill="var(--page)"/></symbol>
<symbol id="i-bad" viewBox="0 0 16 16"><path d="M5 1h6l4 4v6l-4 4H5l-4-4V5z" fill="currentColor"/><path d="m5.6 5.6 4.8 4.8m0-4.8-4.8 4.8" stroke="var(--page)" stroke-width="1.8" stroke-linecap="round"/></symbol>
<symbol id="i-off" viewBox="0 0 16 16"><circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" stroke-width="1.8"/></symbol>
<symbol id="i-wait" viewBox="0 0 16 16"><circle cx="8" cy="8" r="6.2" fill="none" stroke="currentColor" stroke-width="1.6"/><path d="M8 4.6V8l2.4 1.6" fill="none" stroke="currentColor" stroke-width="1.6" stroke-linecap="round"/></symbol>
<symbol id="i-rest" viewBox="0 0 16 16"><circle cx="8" cy="8" r="7" fill="currentColor"/><path d="M6.2 5.2v5.6M9.8 5.2v5.6" stroke="var(--page)" stroke-width="1.8" stroke-linecap="round"/></symbol>
<symbol id="i-fix" viewBox="0 0 16 16"><path d="M8 2v12M2 8h12" stroke="currentColor" stroke-width="3" stroke-linecap="round"/></symbol>
<symbol id="i-up" viewBox="0 0 16 16"><path d="M8 13.5v-11m-4.5 4.6L8 2.5l4.5 4.6" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round"/></symbol>
</defs></svg>"#;

/// The shapes, once a page.
pub fn sprite() -> Markup {
    PreEscaped(SPRITE.to_owned())
}

/// One of the shapes.
pub fn icon(name: &str) -> Markup {
    html! { svg.i aria-hidden="true" { use href={ "#i-" (name) } {} } }
}

/// What was said: where it is somebody else's it stays as it is.
pub fn theirs(lang: Lang, said: &Words) -> Markup {
    html! {
        @if said.is_quoted() { span lang="en" translate="no" { (plain(said.english())) } }
        @else { (plain(&lang.say(said))) }
    }
}

/// A sentence in which commands and names stand between backticks.
pub fn marked(text: &str) -> Markup {
    let text = plain(text);
    let parts: Vec<&str> = text.split('`').collect();
    // One that has no partner is somebody else's.
    if parts.len().is_multiple_of(2) {
        return html! { (text) };
    }
    html! { @for (at, part) in parts.iter().enumerate() { @if at % 2 == 1 { code { (part) } } @else { (part) } } }
}

/// A class, a shape and a word for how something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// `ok`, `warn`, `bad`, `off`, `wait`: class and shape.
    pub class: &'static str,
    /// The word.
    pub word: &'static str,
    /// The worst first, for sorting.
    pub rank: u8,
}

/// How a status looks.
pub fn status(lang: Lang, status: Status) -> Look {
    let word = lang.status(status);
    match status {
        Status::Healthy => Look { class: "ok", word, rank: 4 },
        Status::Degraded => Look { class: "warn", word, rank: 1 },
        Status::Unhealthy => Look { class: "bad", word, rank: 0 },
    }
}

/// How an instance looks: its phase, and when that is fine its health.
pub fn instance(lang: Lang, view: &InstanceView) -> Look {
    let wait = |word| Look { class: "wait", word, rank: 2 };
    match &view.phase {
        Phase::Stopped if view.goal == Goal::Up => wait(lang.t("about to start", "vai iniciar")),
        Phase::Stopped => Look { class: "off", word: lang.t("stopped", "parado"), rank: 5 },
        Phase::Finished { .. } => {
            Look { class: "off", word: lang.t("finished", "terminou"), rank: 5 }
        }
        Phase::Starting { .. } | Phase::Running { ready_by: Some(_), .. } => {
            wait(lang.t("starting", "iniciando"))
        }
        Phase::Stopping { .. } => wait(lang.t("stopping", "parando")),
        Phase::Backoff { held: true, .. } => {
            wait(lang.t("waiting for a dependency", "aguardando dependência"))
        }
        Phase::Backoff { .. } => Look {
            class: "warn",
            word: lang.t("waiting to restart", "aguardando reinício"),
            rank: 1,
        },
        Phase::Tripped { .. } => {
            Look { class: "bad", word: lang.t("gave up", "desistiu"), rank: 0 }
        }
        Phase::Running { .. } => match &view.health {
            Some(health) => status(lang, health.status),
            None => Look { class: "ok", word: lang.t("running", "em execução"), rank: 4 },
        },
    }
}

/// A state with its shape and word.
pub fn badge(look: Look) -> Markup {
    html! { span class={ "badge " (look.class) } { (icon(look.class)) (look.word) } }
}

/// A moment in the viewer's zone; `ago`: as the time that has passed.
pub fn time(at: Moment, ago: bool) -> Markup {
    let text = at.timestamp().strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
    html! { time class=(if ago { "ago" } else { "at" }) datetime=(at) { (text) } }
}

/// How what is set aside looks.
fn rest(lang: Lang, aside: &SetAside) -> Look {
    Look { class: "rest", word: aside.how.told(lang.language()), rank: 3 }
}

/// What is set aside, as a badge, with its end.
pub fn resting(lang: Lang, aside: &SetAside) -> Markup {
    html! { span.rests { (badge(rest(lang, aside))) " " (end(lang, aside)) } }
}

/// The same with who wanted it.
pub fn resting_by(lang: Lang, aside: &SetAside) -> Markup {
    html! { (resting(lang, aside)) span.dim { (plain(&aside.whose(lang.language()))) } }
}

/// A sentence on what is set aside, and what that means.
pub fn resting_note(lang: Lang, what: &str, aside: &SetAside) -> Markup {
    let means = match aside.how {
        How::Maintenance => lang.t(
            "What dies is started again, but no incident is opened, nothing is healed, and nobody is told.",
            "O que morre é iniciado de novo, mas nenhum incidente é aberto, nada é tratado e ninguém é avisado.",
        ),
        How::Muted => lang.t(
            "It is looked at, but no incident is opened and nobody is told.",
            "É verificado, mas nenhum incidente é aberto e ninguém é avisado.",
        ),
    };
    html! {
        p.note.rest { (icon("rest")) span {
            strong { (what) ": " (aside.how.told(lang.language())) } " " (end(lang, aside)) ", "
            (plain(&aside.whose(lang.language()))) ". " span.dim { (means) }
        } }
    }
}

/// When it ends: the time of the day, and how long that is.
fn end(lang: Lang, aside: &SetAside) -> Markup {
    html! {
        @if let Some(until) = aside.until {
            (lang.t("until", "até")) " " time.clock datetime=(until) { (time(until, false)) }
        } @else { (lang.t("until somebody ends it", "até que alguém termine")) }
    }
}

/// How the apps of each group are, where there is more than one; with the reason of the worst.
pub fn groups(lang: Lang, groups: &[GroupView]) -> Markup {
    html! {
        @if groups.len() > 1 { ul.groups aria-label=(lang.t("Groups", "Grupos")) {
            @for group in groups { li {
                strong { (plain(&group.group)) } " " (badge(status(lang, group.status)))
                span.dim {
                    @if group.status == Status::Healthy {
                        (lang.count(group.instances, ("instance", "instância"), ("instances", "instâncias")))
                    } @else { (plain(&group.told(lang.language()))) }
                }
            } }
        } }
    }
}

/// How a kind of event looks: class and shape.
pub fn kind_icon(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Died | Kind::Tripped => ("bad", "bad"),
        Kind::Opened | Kind::Escalated => ("warn", "warn"),
        Kind::Remedy => ("fix", "fix"),
        Kind::Closed | Kind::Up | Kind::Ready => ("ok", "ok"),
        Kind::Waiting | Kind::Held => ("wait", "wait"),
        Kind::Changed | Kind::Declared => ("deploy", "up"),
        _ => ("off", "off"),
    }
}

/// The size of a sparkline.
const SPARK: (f64, f64) = (96.0, 22.0);

/// A line of the last hour: values oldest first with their moment; gaps are left open.
pub fn sparkline(points: &[(u64, Rollup)], from: u64, to: u64, width: u64, floor: i64) -> Markup {
    let greatest = points.iter().map(|(_, it)| it.max).max().unwrap_or(0).max(floor).max(1);
    let span = to.saturating_sub(from).max(1) as f64;
    let mut path = String::new();
    let mut before: Option<u64> = None;
    for (at, rollup) in points {
        let x = at.saturating_sub(from) as f64 / span * SPARK.0;
        let y = SPARK.1 - 1.0 - rollup.mean.max(0) as f64 / greatest as f64 * (SPARK.1 - 2.0);
        let joined = before.is_some_and(|before| at - before <= width * 2);
        path.push_str(&format!("{}{x:.0} {y:.1}", if joined { "L" } else { "M" }));
        before = Some(*at);
    }
    html! {
        svg.spark viewBox={ "0 0 " (SPARK.0) " " (SPARK.1) } width=(SPARK.0) height=(SPARK.1) preserveAspectRatio="none" aria-hidden="true" {
            path d=(path) {}
        }
    }
}

/// How many days the bar has.
pub const DAYS: u64 = 90;

/// A day in seconds.
const DAY: u64 = 24 * 60 * 60;

/// The share of the days in which it was up: a bar, and a number to sort by.
pub fn days(lang: Lang, days: &[(u64, Rollup)], today: u64) -> Markup {
    let (bar, share) = uptime_bar(lang, days, today);
    html! { data value=(share.unwrap_or(-1.0)) { (bar) } @if let Some(share) = share { span.dim.num { (lang.number(share, usize::from(share < 99.95))) " %" } } }
}

/// The days of the bar, those that are alike in one shape, with what a script tells of each. Returns the bar
/// and the share of the time in which it was up.
fn uptime_bar(lang: Lang, days: &[(u64, Rollup)], today: u64) -> (Markup, Option<f64>) {
    let first = today.saturating_sub((DAYS - 1) * DAY);
    let mean = |day: u64| days.iter().find(|(at, _)| *at == day).map(|(_, it)| it.mean);
    let means: Vec<Option<i64>> = (0..DAYS).map(|index| mean(first + index * DAY)).collect();
    let mut shapes: [String; 5] = Default::default();
    for (index, mean) in means.iter().enumerate() {
        let (class, width) = match mean {
            None => (0, "2"),
            Some(999..) => (4, "1.5"),
            Some(950..=998) => (3, "1.5"),
            Some(500..=949) => (2, "1.5"),
            Some(_) => (1, "1.5"),
        };
        shapes[class].push_str(&format!("M{} 0h{width}v18h-{width}z", index * 2));
    }
    let share = Rollup::merge(days.iter().filter(|(at, _)| *at >= first).map(|(_, it)| *it));
    let share = share.map(|it| it.mean as f64 / 10.0);
    let label = match share {
        Some(share) => {
            format!("{} {}", lang.number(share, 1), lang.t("% up in 90 days", "% no ar em 90 dias"))
        }
        None => lang.t("no history yet", "ainda sem histórico").to_owned(),
    };
    let known = means.iter().skip_while(|mean| mean.is_none());
    let told: Vec<String> =
        known.map(|mean| mean.map_or_else(String::new, |it| it.to_string())).collect();
    let bar = html! {
        svg.days viewBox={ "0 0 " (DAYS * 2) " 18" } preserveAspectRatio="none" role="img" aria-label=(label)
            data-today=(today) data-up=(told.join(",")) data-word=(lang.t("up", "no ar")) data-none=(lang.t("not known", "sem dados")) {
            @for (class, shape) in shapes.iter().enumerate().filter(|(_, shape)| !shape.is_empty()) {
                path class={ "d" (class) } d=(shape) {}
            }
        }
    };
    (bar, share)
}

/// A gauge with its thresholds: `value`, `degraded` and `unhealthy` are shares of 100.
pub fn gauge(value: f64, thresholds: Option<(f64, f64)>, look: &str, label: &str) -> Markup {
    let value = value.clamp(0.0, 100.0);
    html! {
        svg class={ "gauge " (look) } viewBox="0 0 100 6" preserveAspectRatio="none" role="img" aria-label=(label) {
            rect.track width="100" height="6" rx="1" {}
            rect.fill width=(format!("{value:.1}")) height="6" rx="1" {}
            @if let Some((degraded, unhealthy)) = thresholds {
                rect.mark.warn x=(degraded) width="0.6" height="6" {}
                rect.mark.bad x=(unhealthy) width="0.6" height="6" {}
            }
        }
    }
}

/// What stands where there is nothing to show.
pub fn empty(title: &str, more: Markup) -> Markup {
    html! { div.empty { p.big { (title) } div { (more) } } }
}

/// The question before something is done, with a field for a number or for words.
pub fn dialog(lang: Lang) -> Markup {
    html! {
        dialog #ask aria-labelledby="ask-what" {
            form method="dialog" {
                h2 #ask-what {}
                p #ask-more {}
                label #ask-field hidden { span { (lang.t("How many instances", "Quantas instâncias")) } input #ask-number type="number" min="1" max="256"; }
                label #ask-words hidden { span { (lang.t("What is wrong", "O que há de errado")) } input #ask-text type="text" maxlength="500" autocomplete="off"; }
                div.buttons {
                    button #ask-no type="button" { (lang.t("Cancel", "Cancelar")) }
                    button.primary #ask-yes value="yes" { (lang.t("Confirm", "Confirmar")) }
                }
            }
        }
    }
}

/// A text of somebody else's without terminal colours, other control characters and what is not seen.
pub fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            escape(&mut chars);
        } else if c == '\t' {
            shown.push_str("    ");
        } else if !c.is_control() && !is_unseen(c) {
            shown.push(c);
        }
    }
    shown
}

/// Passes over the rest of an escape sequence (ECMA-48).
fn escape(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match chars.peek() {
        Some('[') => {
            chars.next();
            for c in chars.by_ref() {
                if ('\u{40}'..='\u{7e}').contains(&c) {
                    return;
                }
            }
        }
        Some(']' | 'P' | '^' | '_' | 'X') => {
            while let Some(c) = chars.next() {
                if c == '\u{7}' {
                    return;
                }
                if c == '\u{1b}' {
                    chars.next_if_eq(&'\\');
                    return;
                }
            }
        }
        Some(_) => {
            chars.next();
        }
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_titles_and_turns_are_taken_out_of_a_line() {
        assert_eq!(plain("\u{1b}[1;31mred\u{1b}[0m"), "red");
        assert_eq!(plain("a\u{1b}]0;title\u{7}b\u{1b}]8;;http://x\u{1b}\\c"), "abc");
        assert_eq!(plain("x\u{202e}y\u{0}\tz\u{1b}"), "xy    z");
        assert_eq!(plain("a\u{feff}\u{61c}p\u{e0041}\u{200b}i"), "api");
        assert_eq!(plain("<script>"), "<script>", "escaping is maud's");
    }

    #[test]
    fn a_bar_shows_what_is_known_and_no_more() {
        let day = |at, mean| (at * DAY, Rollup { count: 10, min: 0, mean, max: 1000, p95: 1000 });
        let (bar, share) = uptime_bar(Lang::En, &[day(1000, 1000), day(999, 500)], 1000 * DAY);
        let bar = bar.into_string();
        assert_eq!(share, Some(75.0));
        let of = |class: &str| bar.split_once(&format!("class=\"{class}\" d=\"")).map(|it| it.1);
        let drawn =
            |class| of(class).map_or(0, |it| it.split('"').next().unwrap().matches('M').count());
        assert_eq!(["d0", "d1", "d2", "d3", "d4"].map(drawn), [88, 0, 1, 0, 1]);
        assert!(of("d4").unwrap().starts_with("M178 0h1.5"), "today stands last: {bar}");
        assert!(bar.contains("data-up=\"500,1000\""), "{bar}");
        assert_eq!(uptime_bar(Lang::Pt, &[], 0).1, None);
    }
}
