//! The verbs: each asks, renders, prints, and tells how it went.

pub mod act;
mod check;
mod diagnose;
mod doctor;
mod ecosystem;
pub mod environment;
mod examples;
mod healed;
mod health;
mod host;
mod import;
pub mod incidents;
mod input;
mod inspect;
pub mod log_files;
pub mod logs;
pub mod look;
mod maintenance;
mod module_settings;
mod modules;
mod notify;
pub mod number;
mod report;
mod resilience;
pub mod runtime;
pub mod saving;
mod serve;
pub mod start;
mod startup;
mod token;
pub mod upgrade;
pub mod whole;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

use zelador_api::home::Home;
use zelador_api::select::{Candidate, Unselected, nearest};
use zelador_api::{AppView, InstanceView, Unchanged, View, route};

use crate::cli::{Config, More, Notify, Verb};
use crate::engine::Engine;
use crate::failure::Failure;
use crate::{declare, home, settings};

/// What every verb needs.
pub struct Context {
    /// Where zelador keeps what it keeps.
    pub home: Home,
    /// Who answers.
    pub engine: Engine,
}

impl Context {
    /// Whether zelador has a list; one that is not running has it again when it is brought up.
    pub fn keeps_list(&self) -> bool {
        zelador_daemon::keeps_list(&self.home.history())
    }
}

/// Does what the command line says, and returns its exit code.
pub fn run(verb: Verb) -> ExitCode {
    let otherwise = match verb {
        // A monitor must not take "no answer" for "degraded".
        Verb::Health { .. } => ExitCode::from(health::UNHEALTHY),
        _ => ExitCode::FAILURE,
    };
    match perform(verb) {
        Ok(code) => code,
        Err(failure) if failure.report() => otherwise,
        Err(_) => ExitCode::SUCCESS,
    }
}

fn perform(verb: Verb) -> Result<ExitCode, Failure> {
    // These need no home, or another one than ours.
    let verb = match verb {
        Verb::Config { what: Some(Config::Check { file, env_name, json }), .. } => {
            return check::check(&file, env_name, json);
        }
        Verb::Runtime(wish) => return runtime::runtime(*wish),
        Verb::Dev(wish) => return runtime::dev(*wish),
        Verb::Startup(wish) => return startup::startup(&wish),
        Verb::Unstartup(of) => return startup::unstartup(&of),
        other => other,
    };
    let context = Context::new()?;
    match verb {
        Verb::Start(start) => start::start(&context, &start),
        Verb::Stop(selectors) => act::stop(&context, selectors),
        Verb::Restart(restart) => act::restart(&context, *restart),
        Verb::Reload(selectors) => act::reload(&context, selectors),
        Verb::Trigger { selector, action, param } => {
            act::trigger(&context, selector, action, param)
        }
        Verb::Delete(selectors) => act::delete(&context, selectors),
        Verb::List(list) => look::list(&context, &list),
        Verb::Jlist => look::jlist(&context),
        Verb::Show { selector } => look::show(&context, &selector),
        Verb::Logs(logs) => logs::logs(&context, &logs),
        Verb::Monit => crate::monit::monit(context),
        Verb::Save { force } => saving::save(&context, force),
        Verb::Resurrect => saving::resurrect(&context),
        Verb::Import(import) => import::import(&context, &import),
        Verb::Kill => whole::kill(&context),
        Verb::Ping => whole::ping(&context),
        Verb::Health { json, now, watch } => health::health(&context, json, now, watch),
        Verb::Incidents { what, of, json, markdown } => {
            incidents::incidents(&context, what.as_deref(), &of, json, markdown)
        }
        Verb::More(more) => perform_more(&context, more),
        Verb::Config { what: None, key, value } => {
            module_settings::conf(&context, key.as_deref(), value.as_deref())
        }
        Verb::Config { .. }
        | Verb::Runtime(_)
        | Verb::Dev(_)
        | Verb::Startup(_)
        | Verb::Unstartup(_) => {
            unreachable!("answered above")
        }
    }
}

fn perform_more(context: &Context, more: More) -> Result<ExitCode, Failure> {
    match more {
        More::Scale { selector, to } => number::scale(context, selector, &to),
        More::Reset { selectors } => number::reset(context, selectors),
        More::SendSignal { signal, selectors } => number::signal(context, &signal, selectors),
        More::Retries { operation, json } => {
            resilience::retries(context, operation.as_deref(), json)
        }
        More::Breaker { what, target, operation, json } => {
            resilience::breaker(context, what, target, operation, json)
        }
        More::Maintenance { what } => maintenance::maintenance(context, what),
        More::Check(what) => maintenance::check(context, what),
        More::Send { selector, line } => input::send(context, &selector, &line),
        More::Attach { selector, separator } => input::attach(context, &selector, separator),
        More::Pid { selector } => number::pid(context, selector.as_deref()),
        More::Id { selector } => number::id(context, &selector),
        More::Env { selector, show_secrets } => environment::env(context, &selector, show_secrets),
        More::Flush { selectors } => log_files::flush(context, selectors),
        More::Set { key, value } => module_settings::set(context, &key, &value),
        More::Get { key } => module_settings::get(context, key.as_deref()),
        More::Unset { key } => module_settings::unset(context, &key),
        More::Multiset { pairs } => module_settings::multiset(context, &pairs),
        More::Conf { key, value } => {
            module_settings::conf(context, key.as_deref(), value.as_deref())
        }
        More::Install { package, safe: _ } => modules::install(context, &package),
        More::Uninstall { module } => modules::uninstall(context, &module),
        More::Inspect { selector } => inspect::inspect(context, &selector),
        More::ReloadLogs => log_files::reload(context),
        More::StartOrRestart(of) => start::start_or(context, &of, Unchanged::Restart),
        More::StartOrReload(of) => start::start_or(context, &of, Unchanged::Reload),
        More::Serve(serve) => serve::serve(context, &serve),
        More::Upgrade { binary } => upgrade::upgrade(context, binary.as_deref()),
        More::Diagnose { app, json, show_prompt } => {
            diagnose::diagnose(context, &app, json, show_prompt)
        }
        More::Notify(Notify::List { json }) => notify::list(context, json),
        More::Notify(Notify::Test { channel }) => notify::test(context, &channel),
        More::DebugPanic { at } => doctor::panic(context, at),
        More::Doctor { json } => doctor::doctor(context, json),
        More::Token { new } => token::token(context, new),
        More::Cleardump => saving::clear(context),
        More::Prettylist => look::prettylist(context),
        More::Slist { json } => host::slist(context, json),
        More::Report { since: None, .. } => report::report(context),
        More::Report { since: Some(since), json } => healed::report(context, &since, json),
        More::Ecosystem { kind, force } => ecosystem::write(kind, force),
        More::Completion { shell } => examples::completion(shell),
        More::Examples => examples::examples(),
    }
}

/// Returns the instances that a selector names, as the engine understands it; the path of a script
/// begins in this folder.
///
/// # Errors
/// There is none; the nearest name is told.
fn select<'a>(apps: &'a [AppView], selector: &str) -> Result<Vec<&'a AppView>, Failure> {
    find(apps, selector).map_err(|why| unselected(selector, &why))
}

/// The same, for those who say it in their own words.
///
/// # Errors
/// There is none.
pub fn find<'a>(apps: &'a [AppView], selector: &str) -> Result<Vec<&'a AppView>, Unselected> {
    let candidates: Vec<Candidate<'_>> = apps.iter().map(candidate).collect();
    let whole = script_path(selector, |word| is_listed(word, &candidates));
    let selector = whole.as_deref().unwrap_or(selector);
    let ids = zelador_api::select::select(selector, &candidates)?;
    Ok(apps.iter().filter(|app| ids.contains(&app.instance.id)).collect())
}

/// What a selector is held against.
fn candidate(app: &AppView) -> Candidate<'_> {
    let script = app.spec.launch.script.as_str();
    Candidate { script, ..of_instance(&app.instance) }
}

/// The same of an instance whose script is not known.
fn of_instance(instance: &InstanceView) -> Candidate<'_> {
    Candidate {
        id: instance.id,
        app: &instance.app,
        index: instance.index,
        namespace: &instance.namespace,
        script: "",
    }
}

/// Whether a word names something in the list.
fn is_listed(word: &str, candidates: &[Candidate<'_>]) -> bool {
    zelador_api::select::select(word, candidates).is_ok()
}

/// Returns the absolute path where a word is that of a file in this folder, and names nothing in
/// the list.
fn script_path(word: &str, is_listed: impl FnOnce(&str) -> bool) -> Option<String> {
    let path = Path::new(word);
    let may_be_path = word.contains('/') || path.extension().is_some();
    if !may_be_path || path.is_absolute() || !path.is_file() || is_listed(word) {
        return None;
    }
    declare::whole_path(path).map(|whole| whole.to_string_lossy().into_owned())
}

impl Context {
    /// Returns what every verb needs; whether zelador runs shows when it is asked.
    ///
    /// # Errors
    /// Nobody says where its home is.
    pub fn new() -> Result<Self, Failure> {
        let home = home::current()?;
        Ok(Self { engine: Engine::new(&home)?, home })
    }

    /// Returns the selectors as the engine understands them: the path of a script is made whole.
    ///
    /// # Errors
    /// Nobody answers.
    pub fn selectors(&self, words: Vec<String>) -> Result<Vec<String>, Failure> {
        let mut view: Option<View> = None;
        let mut selectors = Vec::with_capacity(words.len());
        for word in words {
            // Only a word that is a file here costs a look at the list.
            if script_path(&word, |_| false).is_none() {
                selectors.push(word);
                continue;
            }
            if view.is_none() {
                view = Some(self.engine.get(route::VIEW)?);
            }
            let instances = view.as_ref().map(|view| view.instances.as_slice()).unwrap_or_default();
            let candidates: Vec<Candidate<'_>> = instances.iter().map(of_instance).collect();
            let whole = script_path(&word, |word| is_listed(word, &candidates));
            selectors.push(whole.unwrap_or(word));
        }
        Ok(selectors)
    }

    /// The names that an ecosystem file may depend on besides its own: what is in the list, and the
    /// databases of `zelador.toml`.
    pub fn known_names(&self) -> BTreeSet<String> {
        let view = self.engine.get::<View>(route::VIEW).ok();
        let apps = view.into_iter().flat_map(|view| view.instances).map(|instance| instance.app);
        // A settings file that is broken is complained about elsewhere.
        let base = settings::read(&self.home.settings()).unwrap_or_default();
        apps.chain(base.databases.into_keys()).collect()
    }
}

/// Returns how to say that a selector names nothing.
fn unselected(selector: &str, why: &Unselected) -> Failure {
    match why {
        Unselected::Nothing => Failure::new(why.to_string()),
        Unselected::Pattern(reason) => {
            Failure::new(format!("`{selector}` is no regular expression: {reason}"))
        }
        Unselected::Unknown { nearest } => unknown(selector, nearest.as_deref()),
    }
}

/// Returns how to say that nothing is called that.
fn unknown(selector: &str, nearest: Option<&str>) -> Failure {
    let error = format!("no app, and no id, is called `{selector}`");
    let help = match nearest {
        Some(name) => format!("did you mean `{name}`?"),
        None => "`zelador list` shows what there is".to_owned(),
    };
    Failure::with_help(error, help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_file_that_is_no_app_is_taken_for_a_path() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/main.rs");
        let here = "./src/main.rs";
        assert_eq!(script_path(here, |_| false).as_deref(), path.to_str());
        assert_eq!(script_path(here, |_| true), None, "an app of that name comes first");
        assert_eq!(script_path("src", |_| false), None);
        assert_eq!(script_path("nope.js", |_| false), None);
    }
}
