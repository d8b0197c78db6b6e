//! `diagnose`: why an app is sick, by rules, from what is known of it or from evidence of somebody else.

use std::io::{self, Read};
use std::process::ExitCode;

use zelador_api::diagnosis::{Cause, Metrics, Snapshot, UserRule, judge_with};
use zelador_api::{
    AppView, Death, Explain, Explained, Goal, Incident, Phase, Remedy, Status, WouldAsk, route,
    snapshot as as_read,
};

use super::{Context, incidents, select};
use crate::failure::Failure;
use crate::output;
use crate::render::text;
use crate::settings;
use crate::tail::Tail;

/// Evidence from standard input.
const STDIN: &str = "-";

/// So much evidence at most: 80 lines of 100 KiB.
const LARGEST: u64 = 8 << 20;

/// How many of the last lines of each log are looked at.
const LINES: usize = 60;

/// Says why an app is sick.
pub fn diagnose(
    context: &Context,
    app: &str,
    json: bool,
    show_prompt: bool,
) -> Result<ExitCode, Failure> {
    let (evidence, is_well) =
        if app == STDIN { (from_stdin()?, false) } else { of_app(context, app)? };
    let wanted = Explain { evidence, remedy_failed: false };
    if show_prompt {
        let asked: WouldAsk = context.engine.post(route::DIAGNOSIS_PROMPT, &wanted)?;
        output::answer(&if json { line(&asked)? } else { prompt(&asked) })?;
        return Ok(ExitCode::SUCCESS);
    }
    // Evidence of somebody else is judged by the rules alone, without an engine.
    let explained = if app == STDIN {
        let answer = judge_with(&wanted.evidence, &own_rules(context));
        Explained { answer, advisor: None }
    } else {
        context.engine.post(route::DIAGNOSIS, &wanted)?
    };
    output::answer(&if json { line(&explained)? } else { shown(&explained, is_well) })?;
    Ok(ExitCode::SUCCESS)
}

/// The rules of `zelador.toml`; those that cannot be read are done without, and that is said.
fn own_rules(context: &Context) -> Vec<UserRule> {
    match settings::read(&context.home.settings()) {
        Ok(overlay) => overlay.rules.unwrap_or_default(),
        Err(wrong) => {
            output::note(&format!("your own rules are not used: {wrong}"));
            Vec::new()
        }
    }
}

fn line(value: &impl serde::Serialize) -> Result<String, Failure> {
    let text = serde_json::to_string(value).map_err(|error| Failure::new(error.to_string()))?;
    Ok(format!("{}\n", text::json(text)))
}

/// What a model would be asked: the words as they are, then the rest of the request.
fn prompt(asked: &WouldAsk) -> String {
    let (Some(url), Some(body)) = (&asked.url, &asked.body) else {
        return "no advisor is set (`advisor` in the settings): nothing would leave\n".to_owned();
    };
    let reason = match &asked.reason {
        Some(reason) => format!("asked because {reason}"),
        None => "not asked: the rules are sure".to_owned(),
    };
    let body = serde_json::to_string_pretty(body).unwrap_or_default();
    format!("{reason}\nPOST {url}\n{body}\n")
}

fn from_stdin() -> Result<Snapshot, Failure> {
    let mut text = Vec::new();
    io::stdin().lock().take(LARGEST).read_to_end(&mut text)?;
    serde_json::from_slice(&text).map_err(|error| {
        Failure::with_help(
            format!("standard input is no evidence: {error}"),
            "a JSON object: exit_code, signal, uptime_s, restarts_last_hour, log_tail, metrics",
        )
    })
}

/// What is known of an app now: how it ended last, or how it is; and whether it is up and nothing of it is bad.
fn of_app(context: &Context, selector: &str) -> Result<(Snapshot, bool), Failure> {
    let apps = context.engine.apps()?;
    let [app] = select(&apps, selector)?[..] else {
        return Err(Failure::with_help(
            format!("`{selector}` is several processes"),
            "diagnose one of them, by its number",
        ));
    };
    if let Some(evidence) = of_incident(context, app)? {
        return Ok((evidence, false));
    }
    let instance = &app.instance;
    let now = incidents::now();
    let last = instance.deaths.first().filter(|_| instance.pid.is_none());
    let stop_requested = instance.goal == Goal::Down;
    let mut snapshot = Snapshot { log_tail: lines(app), stop_requested, ..Snapshot::default() };
    let seconds = instance.started_at.map(|at| now.since(at).as_secs_f64());
    snapshot.uptime_s = last.map_or(seconds, |death| Some(death.uptime_millis as f64 / 1000.0));
    let hour = std::time::Duration::from_hours(1);
    let recent = instance.deaths.iter().filter(|death| now.since(death.at) < hour).count();
    snapshot.restarts_last_hour = Some(recent as f64);
    match last.map(|death| &death.death) {
        Some(Death::Exited { code }) => snapshot.exit_code = Some(*code),
        Some(Death::Signaled { signal, .. }) => snapshot.signal = Some(signal.to_string()),
        Some(Death::OutOfMemory) => {
            snapshot.signal = Some("SIGKILL".to_owned());
            snapshot.metrics.oom_kill_events = Some(1.0);
        }
        // It has no log that could say why.
        Some(Death::NeverStarted(failure)) => {
            snapshot.exit_code = Some(-1);
            snapshot.log_tail.push(failure.to_string());
        }
        Some(Death::StartTimedOut | Death::Unknown) => snapshot.exit_code = Some(-1),
        None => {}
    }
    if let Some(usage) = instance.usage {
        snapshot.metrics = Metrics {
            rss_mb: vec![usage.memory.bytes() as f64 / f64::from(1 << 20)],
            cpu_pct: Some(usage.cpu),
            ..snapshot.metrics
        };
    }
    let is_good = instance.health.as_ref().is_none_or(|it| it.status == Status::Healthy);
    Ok((snapshot, is_good && matches!(instance.phase, Phase::Running { .. })))
}

/// What was gathered for an incident of it that is open, or of the death that it stayed dead of: the same
/// as the healer judges by, and as a model would be asked about.
fn of_incident(context: &Context, app: &AppView) -> Result<Option<Snapshot>, Failure> {
    let incidents: Vec<Incident> = context.engine.get(route::INCIDENTS)?;
    let instance = &app.instance;
    let is_up = matches!(instance.phase, Phase::Running { .. });
    let stayed_dead = |it: &Incident| {
        let gathered = it.evidence.as_ref().and_then(|evidence| evidence.death.as_ref());
        let last = instance.deaths.first().filter(|_| !is_up).map(|past| &past.death);
        gathered.is_some() && gathered == last
    };
    let its = incidents.iter().filter(|it| it.app.as_str() == instance.app);
    let of_it = its.filter(|it| it.is_open() || stayed_dead(it)).max_by_key(|it| it.id);
    Ok(of_it.and_then(|it| it.evidence.as_ref()).map(as_read))
}

/// The last lines of both streams; what cannot be read is not there.
fn lines(app: &AppView) -> Vec<String> {
    let mut all = Vec::new();
    for path in [&app.out_log, &app.err_log].into_iter().flatten() {
        let mut keep = |line: &[u8]| {
            all.push(String::from_utf8_lossy(line).into_owned());
            Ok(())
        };
        if let Err(error) = Tail::new(path).last(LINES, &mut keep) {
            output::note(&format!("{} cannot be read: {error}", path.display()));
        }
    }
    all
}

fn shown(explained: &Explained, is_well: bool) -> String {
    let mut shown = String::new();
    if is_well && explained.answer.best.cause == Cause::Unknown {
        return "nothing is known to ail it: it is up, and no check of it is bad\n".to_owned();
    }
    for (index, found) in explained.answer.hypotheses.iter().enumerate() {
        let percent = found.confidence * 100.0;
        let cause = id(&found.cause);
        if index == 0 {
            let (words, action) = (Remedy::of(found.action).to_string(), id(&found.action));
            let action = if words == action { words } else { format!("{words} ({action})") };
            shown.push_str(&format!(
                "{} ({cause}), {percent:.0} % sure\nwhat would help: {action}\n",
                found.cause
            ));
            for why in &found.because {
                shown.push_str(&format!("  because {}\n", text::plain(why.english())));
            }
        } else {
            shown.push_str(&format!("or: {} ({cause}), {percent:.0} %\n", found.cause));
        }
    }
    if let Some(advisor) = &explained.advisor {
        shown.push_str(&format!("advisor: {}\n", text::plain(advisor)));
    }
    shown
}

/// The word of the closed set.
fn id(value: &impl serde::Serialize) -> String {
    let json = serde_json::to_value(value).unwrap_or_default();
    json.as_str().unwrap_or_default().to_owned()
}
