//! `import pm2`: takes over the apps of a PM2, one after another.
//!
//! An app is stopped there before it is started here, since both would want the same port; it must
//! then stay up for as long as it says that a good start takes, or it goes back. Always holds:
//! nothing is stopped before everything is understood; PM2 is left with every app that did not
//! move; what was moved is noted before it is touched, for the way back.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zelador_api::client::ClientError;
use zelador_api::spec::AppSpec;
use zelador_api::{
    Command, Declaration, Done, Goal, InstanceView, Phase, SaveWish, Unchanged, View, route,
};

use super::super::{Context, act, look, start};
use super::theirs::Pm2;
use crate::cli::import::FromPm2;
use crate::failure::Failure;
use crate::moving::pm2::{Taken, apps};
use crate::render::{text, words};
use crate::tail::Tail;
use crate::{declare, output};

/// An app must stay up this long, at least and at most, whatever its `min_uptime` is.
const STAYS_UP: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));

/// From one look at a new app to the next.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What was moved, for the way back.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Moved {
    pm2_home: PathBuf,
    apps: Vec<MovedApp>,
}

#[derive(Debug, Serialize, Deserialize)]
struct MovedApp {
    name: String,
    is_up: bool,
}

/// Takes over a PM2.
pub fn import(context: &Context, wish: &FromPm2) -> Result<ExitCode, Failure> {
    let theirs = Pm2::find(wish)?;
    let (taken, modules) = apps(&theirs.list()?);
    let known = known(context)?;
    let mut plan: Vec<(Taken, AppSpec)> = Vec::new();
    for app in taken {
        if known.contains(&app.name) {
            output::note(&format!("{} is in zelador's list already: left alone", app.name));
            continue;
        }
        let fields = Value::Object(app.fields.clone());
        let from = format!("{} of PM2", app.name);
        let (spec, notes) = declare::imported(&from, &fields, &app.cwd, app.env.clone())?;
        for note in notes.iter().chain(&app.notes) {
            output::note(&format!("{}: {note}", app.name));
        }
        plan.push((app, spec));
    }
    for module in modules {
        output::note(&format!("the module {module} is not taken over: {}", instead_of(&module)));
    }
    if plan.is_empty() {
        output::tell("PM2 has no app to take over\n")?;
        return Ok(ExitCode::SUCCESS);
    }
    tell_plan(&theirs, &plan)?;
    if wish.dry_run {
        return Ok(ExitCode::SUCCESS);
    }
    move_all(context, &theirs, &plan)
}

/// The names in our list; none when zelador does not run.
fn known(context: &Context) -> Result<Vec<String>, Failure> {
    match context.engine.get::<View>(route::VIEW) {
        Ok(view) => Ok(view.instances.into_iter().map(|instance| instance.app).collect()),
        Err(ClientError::NotRunning(_)) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

fn instead_of(module: &str) -> &'static str {
    match module {
        "pm2-logrotate" => "zelador rotates all logs by itself",
        _ => "modules run inside PM2",
    }
}

fn tell_plan(theirs: &Pm2, plan: &[(Taken, AppSpec)]) -> Result<(), Failure> {
    for (app, spec) in plan {
        let how = match (app.is_up, theirs.is_live()) {
            (true, true) => "stop there, start here, see that it stays up",
            (true, false) => "start",
            (false, _) => "list as stopped",
        };
        let replicas = words::counted(spec.instances as usize, "instance");
        say(&format!("{}: {replicas} of {}: {how}", spec.name, spec.launch.script))?;
    }
    Ok(())
}

fn say(line: &str) -> Result<(), Failure> {
    Ok(output::tell(&format!("{}\n", text::plain(line)))?)
}

fn move_all(
    context: &Context,
    theirs: &Pm2,
    plan: &[(Taken, AppSpec)],
) -> Result<ExitCode, Failure> {
    start::up(context)?;
    // All are listed first, so that the numbers are in PM2's order.
    let down = |spec: &AppSpec| Declaration { spec: spec.clone(), goal: Goal::Down, replace: true };
    let apps = plan.iter().map(|(_, spec)| down(spec)).collect();
    let unchanged = Unchanged::LeaveAlone;
    context.engine.command(&Command::Declare { apps, settings: None, unchanged })?;
    let mut moved = read_moved(context).unwrap_or_default();
    theirs.home().clone_into(&mut moved.pm2_home);
    let mut failed = Vec::new();
    for (app, spec) in plan {
        moved.apps.retain(|other| other.name != app.name);
        moved.apps.push(MovedApp { name: app.name.clone(), is_up: app.is_up });
        write_moved(context, &moved)?;
        if !app.is_up {
            continue;
        }
        if let Err(failure) = move_one(context, theirs, app, spec) {
            failure.report();
            moved.apps.pop();
            write_moved(context, &moved)?;
            failed.push(app.name.as_str());
        } else {
            say(&format!("{} has moved", app.name))?;
        }
    }
    // With the host, PM2 would bring them up as well.
    if theirs.is_live() && theirs.has_saved() {
        theirs.save()?;
    }
    context.engine.post::<zelador_api::SaveDone>(route::SAVE, &SaveWish::default())?;
    look::print_list(&context.engine)?;
    if !theirs.is_live() && theirs.has_saved() {
        output::note(
            "PM2 does not run, and would start its saved list with the host: `pm2 unstartup`",
        );
    }
    output::note("the list is saved; the way back is `zelador import pm2 --undo`");
    output::help("`zelador startup` begins with the host; then `pm2 unstartup`, and `pm2 kill`");
    if failed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    Err(Failure::with_help(
        format!("still with PM2: {}", failed.join(", ")),
        "mend what is said above, and run this again: what has moved is left alone",
    ))
}

/// Moves one app that is up; on failure it is up with PM2 again, and not in our list.
fn move_one(context: &Context, theirs: &Pm2, app: &Taken, spec: &AppSpec) -> Result<(), Failure> {
    if theirs.is_live() {
        theirs.ask("stop", &app.ids).inspect_err(|_| _ = delete(context, &app.name))?;
    }
    let Err(why) = bring_up(context, spec) else { return Ok(()) };
    let tail = last_words(context, &app.name);
    _ = delete(context, &app.name);
    if theirs.is_live() {
        theirs.ask("restart", &app.ids)?;
        return Err(Failure::new(format!("{}: {why}{tail}: it is back with PM2", app.name)));
    }
    Err(Failure::new(format!("{}: {why}{tail}", app.name)))
}

/// Starts an app here and sees that it stays up; the error says why not.
fn bring_up(context: &Context, spec: &AppSpec) -> Result<(), String> {
    let name = spec.name.as_str();
    let selectors = vec![name.to_owned()];
    let done = context.engine.command(&Command::Start { selectors });
    let done = done.map_err(|error| error.to_string())?;
    if let Some(affected) = done.instances.iter().find(|affected| !affected.ok) {
        return Err(format!("it does not start here ({affected})"));
    }
    let until = Instant::now() + spec.restart.min_uptime.clamp(STAYS_UP.0, STAYS_UP.1);
    let mut first = None;
    loop {
        let view: View = context.engine.get(route::VIEW).map_err(|error| error.to_string())?;
        let of_app = view.instances.iter().filter(|instance| instance.app == name);
        let pids: Vec<Option<i32>> = of_app.map(pid_if_up).collect();
        let stays = first.get_or_insert_with(|| pids.clone()) == &pids;
        if pids.iter().any(Option::is_none) || !stays {
            return Err("it does not stay up here".to_owned());
        }
        if Instant::now() >= until {
            return Ok(());
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

fn pid_if_up(instance: &InstanceView) -> Option<i32> {
    matches!(instance.phase, Phase::Running { .. }).then_some(instance.pid).flatten()
}

/// So many lines of a log are looked through for one with something in it.
const LOOKED_THROUGH: usize = 20;

/// The last line that it wrote to standard error, where there is one.
fn last_words(context: &Context, name: &str) -> String {
    let apps: Vec<zelador_api::AppView> = context.engine.get(route::APPS).unwrap_or_default();
    let of_app = apps.into_iter().find(|app| app.instance.app == name);
    let mut last = String::new();
    let mut keep = |line: &[u8]| {
        let line = String::from_utf8_lossy(line);
        if !line.trim().is_empty() {
            last = format!("; its last words: {}", text::plain(line.trim()));
        }
        Ok(())
    };
    if let Some(mut tail) = of_app.and_then(|app| app.err_log).map(Tail::new) {
        // A log that cannot be read has none.
        _ = tail.last(LOOKED_THROUGH, &mut keep).and_then(|()| tail.rest(&mut keep));
    }
    last
}

fn delete(context: &Context, name: &str) -> Result<Done, ClientError> {
    context.engine.command(&Command::Delete { selectors: vec![name.to_owned()] })
}

/// Gives everything back.
pub fn undo(context: &Context, wish: &FromPm2) -> Result<ExitCode, Failure> {
    let moved = read_moved(context).ok_or_else(|| {
        Failure::new(format!("nothing was imported: there is no {}", path(context).display()))
    })?;
    let home = wish.home.clone().unwrap_or_else(|| moved.pm2_home.clone());
    let theirs = Pm2::find(&FromPm2 { home: Some(home), ..wish.clone() })?;
    let live = theirs.is_live();
    if !live && moved.apps.iter().any(|app| app.is_up) {
        return Err(Failure::with_help(
            format!("PM2 does not run in {}", theirs.home().display()),
            "`pm2 resurrect` brings it up with its apps stopped; then run this again",
        ));
    }
    start::up(context)?;
    let known = known(context)?;
    // By their names: the ids are others when its daemon was started anew.
    let (listed, _) = apps(&if live { theirs.list()? } else { Vec::new() });
    for app in &moved.apps {
        if known.contains(&app.name) {
            act::tell(&delete(context, &app.name)?)?;
        }
        let there = listed.iter().find(|other| other.name == app.name);
        if let Some(there) = there.filter(|_| app.is_up) {
            theirs.ask("restart", &there.ids)?;
        }
        say(&format!("{} is back with PM2", app.name))?;
    }
    if live && theirs.has_saved() {
        theirs.save()?;
    }
    context.engine.post::<zelador_api::SaveDone>(route::SAVE, &SaveWish { empty: true })?;
    fs::remove_file(path(context)).map_err(|error| {
        Failure::new(format!("{} cannot be removed: {error}", path(context).display()))
    })?;
    Ok(ExitCode::SUCCESS)
}

fn path(context: &Context) -> PathBuf {
    context.home.path().join("imported-from-pm2.json")
}

fn read_moved(context: &Context) -> Option<Moved> {
    serde_json::from_slice(&fs::read(path(context)).ok()?).ok()
}

fn write_moved(context: &Context, moved: &Moved) -> Result<(), Failure> {
    let path = path(context);
    let temporary = path.with_extension("new");
    let text = serde_json::to_vec_pretty(moved).unwrap_or_default();
    fs::write(&temporary, text)
        .and_then(|()| fs::rename(&temporary, &path))
        .map_err(|error| Failure::new(format!("{} cannot be written: {error}", path.display())))
}
