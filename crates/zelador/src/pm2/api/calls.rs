//! What PM2's library asks of a daemon, answered by the engine.
//!
//! Each call names a method and brings arguments; the answer has values or one error in words. Always
//! holds: a call means to the engine what the verb of the same meaning does on the command line.

use std::sync::{Mutex, PoisonError};

use rustix::process::{Pid, Signal as ToCaller, getpid, kill_process};
use serde_json::{Value, json};
use zelador_api::bus::Saying;
use zelador_api::client::ClientError;
use zelador_api::config::Change;
use zelador_api::id::InstanceId;
use zelador_api::signal::Signal;
use zelador_api::{
    AppView, Command, Declaration, Done, Goal, Replicas, StandardInput, Surplus, Unchanged, route,
};

use super::saves::Saves;
use super::{caller, conf};
use crate::command::{Context, whole};
use crate::failure::Failure;
use crate::render::jlist;

/// A method: its name, its parameters, and what it does.
type Method = (&'static str, &'static [&'static str], fn(&Asked<'_>) -> Answer);

/// What a call brings back, or why not.
type Answer = Result<Value, Failure>;

/// One call.
pub struct Call<'a> {
    /// What it says.
    pub message: &'a Value,
    /// The process that calls.
    pub caller: Option<i32>,
    /// Looks whether the list was saved.
    pub saves: &'a Saves,
}

/// A call of a method that there is.
struct Asked<'a> {
    context: &'a Context,
    arguments: &'a [Value],
    /// The process that calls.
    caller: Option<i32>,
}

/// All methods of PM2's daemon.
const METHODS: [Method; 28] = [
    ("prepare", &["env"], prepare),
    ("getMonitorData", &["env"], |call| Ok(jlist::values(&call.apps()?))),
    ("getSystemData", &["env"], |_| Err(Failure::new("`pm2 slist` and /metrics show the host"))),
    ("startProcessId", &["id"], start),
    ("stopProcessId", &["id"], |call| call.act(|selectors| Command::Stop { selectors })),
    ("restartProcessId", &["opts"], |call| {
        call.again(|selectors, change| Command::Restart { selectors, change })
    }),
    ("reloadProcessId", &["opts"], reload),
    ("softReloadProcessId", &["opts"], reload),
    ("deleteProcessId", &["id"], delete),
    ("duplicateProcessId", &["id"], duplicate),
    ("resetMetaProcessId", &["id"], |call| {
        call.act(|selectors| Command::Reset { selectors })?;
        Ok(jlist::values(&call.apps()?))
    }),
    ("sendLineToStdin", &["packet"], send_line),
    ("sendDataToProcessId", &["packet"], send_data),
    ("msgProcess", &["cmd"], message),
    ("sendSignalToProcessId", &["opts"], signal_to_id),
    ("sendSignalToProcessName", &["opts"], signal_to_name),
    ("reloadLogs", &["opts"], |call| {
        call.context.engine.post::<()>(route::LOGS_REOPEN, &())?;
        Ok(json!({}))
    }),
    // What is stopped is not watched, and what a restart brings says whether it is watched then.
    ("stopWatch", &["method", "value"], |_| Ok(json!({ "success": true }))),
    ("startWatch", &["method", "value"], |_| Err(Failure::new(WATCHING))),
    ("toggleWatch", &["method", "value"], |_| Err(Failure::new(WATCHING))),
    // The bus tells it anyway, whoever has done it.
    ("notifyByProcessId", &["opts"], |_| Ok(Value::Null)),
    ("notifyKillPM2", &[], |_| Ok(Value::Null)),
    ("monitor", &["pm_id"], |call| Ok(json!({ "success": true, "pm_id": call.first() }))),
    ("unmonitor", &["pm_id"], |call| Ok(json!({ "success": true, "pm_id": call.first() }))),
    ("ping", &["env"], |_| Ok(json!({ "msg": "pong" }))),
    ("getVersion", &["env"], |call| Ok(json!(version(call.caller)))),
    ("getReport", &["arg"], report),
    (KILL, &["opts"], kill),
];

/// Held during a reload: the library reloads two instances of an app at once, zelador one after another.
static RELOADING: Mutex<()> = Mutex::new(());

/// The one method that is not answered.
const KILL: &str = "killMe";

const WATCHING: &str = "watching is changed by a restart with `watch`, or by `pm2 restart --watch`";

/// Returns the answer to a call; `None`: the library waits for none, and could not take it.
pub fn answer(call: &Call<'_>) -> Option<Value> {
    let answer = answer_to(call);
    (call.message["method"] != KILL).then_some(answer)
}

fn answer_to(call: &Call<'_>) -> Value {
    let Call { message, caller, saves } = *call;
    if message["type"] == "methods" {
        let described = METHODS.iter().map(|(name, parameters, _)| {
            ((*name).to_owned(), json!({ "name": name, "params": parameters }))
        });
        return json!({ "methods": described.collect::<serde_json::Map<_, _>>() });
    }
    let (Some(name), Some(arguments)) = (message["method"].as_str(), message["args"].as_array())
    else {
        return json!({ "error": "found no `method` or no `args` in the message" });
    };
    let Some((_, _, method)) = METHODS.iter().find(|(known, ..)| *known == name) else {
        return json!({ "error": format!("method \"{name}\" does not exist in zelador") });
    };
    saves.follow();
    let answered =
        Context::new().and_then(|context| method(&Asked { context: &context, arguments, caller }));
    match answered {
        Ok(Value::Null) => json!({ "args": [] }),
        Ok(value) => json!({ "args": [value] }),
        Err(failure) => json!({ "error": failure.in_words() }),
    }
}

impl Asked<'_> {
    fn first(&self) -> &Value {
        self.arguments.first().unwrap_or(&Value::Null)
    }

    fn apps(&self) -> Result<Vec<AppView>, Failure> {
        Ok(self.context.engine.apps()?)
    }

    /// The instance of a number, which may be written as text or stand in an object.
    fn app(&self, id: &Value) -> Result<AppView, Failure> {
        let id = if id["id"].is_null() { id } else { &id["id"] };
        let number = id.as_u64().or_else(|| id.as_str()?.parse().ok());
        let apps = self.apps()?;
        let found = apps.into_iter().find(|it| Some(it.instance.id.number().into()) == number);
        found.ok_or_else(|| Failure::new(format!("{id} id unknown")))
    }

    /// Does something to the instance of the first argument, and returns how it is then.
    fn act(&self, command: impl FnOnce(Vec<String>) -> Command) -> Answer {
        let app = self.app(self.first())?;
        self.command(&command(exactly(&app)))?;
        Ok(element(&self.app(&json!(app.instance.id))?))
    }

    fn again(&self, command: impl FnOnce(Vec<String>, Option<Box<Change>>) -> Command) -> Answer {
        let app = self.app(self.first())?;
        let change = conf::change(self.context, &app, &self.first()["env"])?.map(Box::new);
        self.act(|selectors| command(selectors, change))
    }

    /// Gives a command; one that failed for an instance has failed.
    fn command(&self, command: &Command) -> Result<Done, Failure> {
        let done = self.context.engine.command(command)?;
        match done.instances.iter().find(|it| !it.ok) {
            Some(failed) => Err(Failure::new(failed.to_string())),
            None => Ok(done),
        }
    }

    fn say(&self, id: InstanceId, message: Value) -> Result<(), ClientError> {
        self.context.engine.post(route::SAY, &Saying { instance: id, message })
    }
}

/// Means this instance, whatever the apps are called.
fn exactly(app: &AppView) -> Vec<String> {
    vec![format!("{}/{}", app.instance.app, app.instance.index)]
}

/// An instance as PM2 returns it, with its process beside it.
fn element(app: &AppView) -> Value {
    let mut element = jlist::values(std::slice::from_ref(app))[0].take();
    element["process"] = json!({ "pid": app.instance.pid.unwrap_or(0) });
    element
}

fn prepare(call: &Asked<'_>) -> Answer {
    let spec = conf::declared(call.first(), call.caller)?;
    let name = spec.name.clone();
    if let Some(there) = call.apps()?.iter().find(|it| it.instance.app == name.as_str()) {
        return Err(Failure::new(format!(
            "an app is called {name} already ({}): give this one another name, or delete that one",
            there.spec.launch.script
        )));
    }
    let goal = if spec.autostart { Goal::Up } else { Goal::Down };
    let apps = vec![Declaration { spec, goal, replace: true }];
    let unchanged = Unchanged::LeaveAlone;
    call.command(&Command::Declare { apps, settings: None, unchanged })?;
    let apps = call.apps()?;
    let own = apps.iter().filter(|it| it.instance.app == name.as_str());
    Ok(own.map(element).collect())
}

fn start(call: &Asked<'_>) -> Answer {
    let app = call.app(call.first())?;
    if app.instance.phase.run().is_some() {
        return Err(Failure::new("process already online"));
    }
    call.act(|selectors| Command::Start { selectors })
}

fn reload(call: &Asked<'_>) -> Answer {
    let _one = RELOADING.lock().unwrap_or_else(PoisonError::into_inner);
    call.again(|selectors, change| Command::Reload { selectors, change })
}

fn delete(call: &Asked<'_>) -> Answer {
    let mut app = call.app(call.first())?;
    call.command(&Command::Delete { selectors: exactly(&app) })?;
    app.instance.pid = None;
    "stopped".clone_into(&mut app.instance.status);
    Ok(element(&app))
}

fn duplicate(call: &Asked<'_>) -> Answer {
    let app = call.app(call.first())?;
    let before: Vec<InstanceId> = call.apps()?.iter().map(|it| it.instance.id).collect();
    let selectors = vec![app.instance.app.clone()];
    let to = Replicas::More(1);
    call.command(&Command::Scale { selectors, to, surplus: Surplus::LowestId })?;
    let apps = call.apps()?;
    let new = apps.iter().find(|it| !before.contains(&it.instance.id));
    Ok(new.map_or(Value::Null, element))
}

fn send_line(call: &Asked<'_>) -> Answer {
    let packet = call.first();
    let Some(line) = packet["line"].as_str() else {
        return Err(Failure::new("pm_id or line field missing"));
    };
    let app = call.app(&packet["pm_id"])?;
    let wish = StandardInput { instance: app.instance.id, bytes: line.as_bytes().to_vec() };
    call.context.engine.post::<()>(route::INPUT, &wish)?;
    Ok(json!({ "pm_id": packet["pm_id"], "line": line }))
}

fn send_data(call: &Asked<'_>) -> Answer {
    let packet = call.first();
    if packet["topic"].as_str().is_none_or(str::is_empty) || packet.get("data").is_none() {
        return Err(Failure::new("ID, DATA or TOPIC field is missing"));
    }
    let app = call.app(&packet["id"])?;
    call.say(app.instance.id, packet.clone())?;
    Ok(json!({ "success": true, "data": packet }))
}

/// Calls an action that apps offer; what they answer comes over the bus.
fn message(call: &Asked<'_>) -> Answer {
    let asked = call.first();
    let action = asked["msg"].as_str().unwrap_or_default();
    let apps = match asked.get("id") {
        Some(id) => vec![call.app(id)?],
        None => call.apps()?,
    };
    let name = asked["name"].as_str();
    let named = |app: &AppView| {
        let own = [app.instance.app.as_str(), app.instance.namespace.as_str(), "all"];
        asked.get("id").is_some() || name.is_some_and(|name| own.contains(&name))
    };
    let offers = |app: &AppView| app.instance.actions.iter().any(|it| it.name == action);
    let chosen: Vec<&AppView> = apps.iter().filter(|app| named(app) && offers(app)).collect();
    if chosen.is_empty() {
        return Err(Failure::new(format!("no app that is meant offers the action {action}")));
    }
    for app in &chosen {
        let plain = asked["opts"].is_null() && asked["uuid"].is_null();
        call.say(app.instance.id, if plain { action.into() } else { asked.clone() })?;
    }
    Ok(json!({ "process_count": chosen.len(), "success": true }))
}

fn signal_to_id(call: &Asked<'_>) -> Answer {
    let app = call.app(&call.first()["process_id"])?;
    signal(call, exactly(&app))
}

fn signal_to_name(call: &Asked<'_>) -> Answer {
    let name = call.first()["process_name"].as_str().unwrap_or_default().to_owned();
    signal(call, vec![name])
}

fn signal(call: &Asked<'_>, selectors: Vec<String>) -> Answer {
    // By name, or as the library's constants have it: by number.
    let named = call.first()["signal"].as_str().map(str::to_owned);
    let word = named.unwrap_or_else(|| call.first()["signal"].to_string());
    let Some(signal) = Signal::parse(&word) else {
        return Err(Failure::new(format!("signal {word} is unknown")));
    };
    call.command(&Command::Signal { selectors, signal })?;
    Ok(jlist::values(&call.apps()?))
}

/// The caller's own version, where it is PM2's command line from npm: at any other it would ask people to
/// run `pm2 update`, which ends this daemon and starts PM2's.
fn version(caller: Option<i32>) -> String {
    let own = crate::pm2::VERSION.split('+').next().unwrap_or_default();
    caller.and_then(caller::version).unwrap_or_else(|| own.to_owned())
}

fn report(call: &Asked<'_>) -> Answer {
    Ok(json!({
        "pm2_version": crate::pm2::VERSION,
        "node_version": "N/A",
        "argv": ["zelador"],
        "argv0": "zelador",
        "uid": rustix::process::geteuid().as_raw(),
        "gid": rustix::process::getegid().as_raw(),
        "env": {},
        "managed_apps": call.apps()?.len(),
    }))
}

/// Ends zelador. The library waits for `SIGQUIT`, which only the process that asks can wish for.
fn kill(call: &Asked<'_>) -> Answer {
    let asked = call.first()["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok());
    whole::end(call.context, |_| Ok(()))?;
    let caller = asked.filter(|pid| Some(*pid) == call.caller).and_then(Pid::from_raw);
    if let Some(pid) = caller.filter(|pid| *pid != getpid()) {
        // It may have gone without waiting.
        _ = kill_process(pid, ToCaller::QUIT);
    }
    Ok(Value::Null)
}
