//! `set`, `get`, `unset`, `multiset`, `conf`: the settings of modules, in the file and in force.
//!
//! The file is changed here, also while zelador is down; an engine that runs is told to read it,
//! and an app that the settings are for is restarted with them.

use std::process::ExitCode;

use zelador_api::client::ClientError;
use zelador_api::config::{LOGROTATE, ModuleConf, SettingError, SettingName, shell_words};
use zelador_api::module_conf::{self, ModuleConfError};
use zelador_api::select::nearest;
use zelador_api::{Command, Goal, View, route};

use super::Context;
use crate::failure::Failure;
use crate::pm2::say;
use crate::render::text;
use crate::{bring_up, output, voice};

/// Changes one setting.
pub fn set(context: &Context, key: &str, value: &str) -> Result<ExitCode, Failure> {
    set_all(context, &[(name(key)?, value.to_owned())])
}

/// Changes several, or none of them when one is wrong.
pub fn multiset(context: &Context, words: &[String]) -> Result<ExitCode, Failure> {
    let mut parts = Vec::new();
    for word in words {
        let split = shell_words(word);
        parts
            .extend(split.ok_or_else(|| Failure::new(format!("a quote is not closed in {word}")))?);
    }
    if parts.is_empty() || parts.len() % 2 != 0 {
        return Err(Failure::with_help(
            format!("found {} words, allowed: pairs of a setting and its value", parts.len()),
            "`zelador multiset \"pm2-logrotate:max_size 10M pm2-logrotate:retain 30\"`",
        ));
    }
    let pair = |pair: &[String]| Ok((name(&pair[0])?, pair[1].clone()));
    let pairs: Result<Vec<_>, Failure> = parts.chunks(2).map(pair).collect();
    set_all(context, &pairs?)
}

fn set_all(context: &Context, pairs: &[(SettingName, String)]) -> Result<ExitCode, Failure> {
    pairs.iter().try_for_each(|(name, value)| check_zone(name, value))?;
    bring_up::make(context.home.path())?;
    let notes = module_conf::change(&context.home, |conf| {
        let noted = pairs.iter().map(|(name, value)| conf.set(name, value));
        noted.collect::<Result<Vec<_>, SettingError>>().map_err(Failure::from)
    })?;
    notes.into_iter().flatten().for_each(|note| output::note(&note));
    let names: Vec<String> = pairs.iter().map(|(name, _)| shown(name)).collect();
    let are = if names.len() == 1 { "is" } else { "are" };
    take_effect(context, &format!("{} {are} set", names.join(", ")), pairs.iter().map(|it| &it.0))
}

/// Whether a time zone is known is the host's to say.
fn check_zone(name: &SettingName, value: &str) -> Result<(), Failure> {
    let is_zone = name.module() == LOGROTATE && name.to_string().ends_with(":TZ");
    if is_zone && !matches!(value, "" | "false") && jiff::tz::TimeZone::get(value).is_err() {
        return Err(Failure::new(format!(
            "{name} is {value:?}; allowed: a time zone that this host knows, like \
             `America/Sao_Paulo` or `UTC`, or false"
        )));
    }
    Ok(())
}

/// Takes away a setting, a module's settings, or all of them.
pub fn unset(context: &Context, key: &str) -> Result<ExitCode, Failure> {
    let conf = module_conf::read(&context.home)?;
    if key == "all" {
        let modules = conf.modules().filter_map(|it| conf.name(it).ok());
        let modules: Vec<SettingName> = modules.collect();
        if !modules.is_empty() {
            module_conf::change(&context.home, |conf| {
                conf.clear();
                Ok::<_, ModuleConfError>(())
            })?;
        }
        return take_effect(context, "no setting of a module is left", modules.iter());
    }
    let name = conf.name(key)?;
    if conf.get(&name).is_none() {
        // What scripts take away in case it is there.
        return if voice::is_pm2() { list(&conf, None) } else { Err(missing(&conf, key)) };
    }
    module_conf::change(&context.home, |conf| Ok::<_, ModuleConfError>(conf.unset(&name)))?;
    take_effect(context, &format!("{} is unset", shown(&name)), [&name].into_iter())
}

/// Prints one setting; of a module, or of all, what sets them.
pub fn get(context: &Context, key: Option<&str>) -> Result<ExitCode, Failure> {
    let conf = module_conf::read(&context.home)?;
    let Some(key) = key.filter(|key| *key != "all") else {
        return list(&conf, None);
    };
    let name = conf.name(key)?;
    let Some(value) = conf.get(&name) else { return Err(missing(&conf, key)) };
    if name.is_module() && conf.all(Some(key)).iter().any(|(name, _)| !name.is_module()) {
        return list(&conf, Some(key));
    }
    let value = text::plain(&value);
    let whole = name.to_string();
    let said = match whole.split_once(':').filter(|_| voice::is_pm2()) {
        Some((module, option)) => {
            let (module, option) = (text::plain(module), text::plain(option));
            format!("Value for module {module} key {option}: {value}\n")
        }
        None => format!("{value}\n"),
    };
    output::answer(&said)?;
    Ok(ExitCode::SUCCESS)
}

/// Shows or changes: what follows decides, as PM2's `conf` does.
pub fn conf(
    context: &Context,
    key: Option<&str>,
    value: Option<&str>,
) -> Result<ExitCode, Failure> {
    match (key, value) {
        (Some(key), Some(value)) => set(context, key, value),
        (key, _) => get(context, key),
    }
}

fn list(conf: &ModuleConf, of: Option<&str>) -> Result<ExitCode, Failure> {
    let (shown, plain) = (conf.shown(of), conf.all(of));
    let program = if voice::is_pm2() { "pm2" } else { "zelador" };
    let mut said = String::new();
    let mut heading = None;
    for (name, value) in &shown {
        if voice::is_pm2() && heading != Some(name.module()) {
            heading = Some(name.module());
            said.push_str(&format!("Module: {}\n", text::plain(name.module())));
        }
        let quoted = value.is_empty() || value.contains(char::is_whitespace);
        let value = if quoted { format!("\"{value}\"") } else { value.clone() };
        said.push_str(&format!("$ {program} set {} {}\n", name, text::plain(&value)));
    }
    if shown.is_empty() {
        output::note(&format!(
            "no setting of a module is set: `{program} set MODULE:OPTION VALUE`"
        ));
    }
    if shown != plain {
        output::note(&format!("secrets are masked: `{program} get MODULE:OPTION` shows one"));
    }
    output::answer(&said)?;
    Ok(ExitCode::SUCCESS)
}

/// Has a running engine read the file, and restarts the apps that the settings are for.
fn take_effect<'a>(
    context: &Context,
    said: &str,
    names: impl Iterator<Item = &'a SettingName>,
) -> Result<ExitCode, Failure> {
    let mut modules: Vec<&str> = names.map(SettingName::module).collect();
    modules.sort_unstable();
    modules.dedup();
    match context.engine.post::<()>(route::MODULE_SETTINGS, &()) {
        Err(ClientError::NotRunning(_)) => {
            changed(context, &format!("{said}; it counts when zelador is started"), &modules)?;
            return Ok(ExitCode::SUCCESS);
        }
        other => other?,
    }
    changed(context, said, &modules)?;
    let view: View = context.engine.get(route::VIEW)?;
    let is_up = |module: &&str| {
        let of_app = |it: &zelador_api::InstanceView| it.app == *module && it.goal == Goal::Up;
        view.instances.iter().any(of_app)
    };
    let selectors: Vec<String> = modules
        .into_iter()
        .filter(is_up)
        .map(|module| format!("/^{}$/", escaped(module)))
        .collect();
    if selectors.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let done = context.engine.command(&Command::Restart { selectors, change: None })?;
    super::act::finish(context, &done)
}

/// Says that settings of these modules were changed; PM2 shows what they are now.
fn changed(context: &Context, said: &str, modules: &[&str]) -> Result<(), Failure> {
    if !voice::is_pm2() {
        return Ok(output::tell(&format!("{said}\n"))?);
    }
    say::message("Setting changed");
    let conf = module_conf::read(&context.home)?;
    for module in modules.iter().filter(|_| !output::is_silent()) {
        if !conf.all(Some(module)).is_empty() {
            list(&conf, Some(module))?;
        }
    }
    Ok(())
}

/// A name as a pattern that nothing else fits: a name alone might be a number or a namespace.
fn escaped(name: &str) -> String {
    let special =
        |c: char| !c.is_alphanumeric() && c.is_ascii() && !matches!(c, '_' | '-' | '/' | '@');
    name.chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect()
}

fn name(key: &str) -> Result<SettingName, Failure> {
    SettingName::parse(key).map_err(Failure::from)
}

fn shown(name: &SettingName) -> String {
    text::plain(&name.to_string()).into_owned()
}

fn missing(conf: &ModuleConf, key: &str) -> Failure {
    let names: Vec<String> = conf.all(None).iter().map(|(name, _)| name.to_string()).collect();
    let modules = conf.modules();
    let near = nearest(key, names.iter().map(String::as_str).chain(modules));
    let help = near.map_or("`zelador conf` shows what is set".to_owned(), |near| {
        format!("did you mean `{near}`?")
    });
    Failure::with_help(format!("no setting is called `{key}`"), help)
}

impl From<SettingError> for Failure {
    fn from(error: SettingError) -> Self {
        Self::new(error.to_string())
    }
}

impl From<ModuleConfError> for Failure {
    fn from(error: ModuleConfError) -> Self {
        let help = error.help().to_owned();
        Self::of(&error, Some(help))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_pattern_of_itself_alone() {
        assert_eq!(escaped("@scope/mod.js"), "@scope/mod\\.js");
        assert_eq!(escaped("a(b)$"), "a\\(b\\)\\$");
        assert_eq!(escaped("ação-1_x"), "ação-1_x");
    }
}
