//! The settings of modules: PM2's `module_conf.json`, as `set` and `unset` change it.
//!
//! Pure: the text of the file goes in and comes out. Always holds: what another program wrote into
//! the file stays in it; a known setting that is wrong never comes in by [`ModuleConf::set`]. A
//! value may be a secret (`pm2-slack:slack_url`): whoever shows them masks them.

use std::collections::BTreeMap;

use serde_json::ser::PrettyFormatter;
use serde_json::{Map, Value as Json};

use super::overlay::Overlay;
use crate::id::AppName;
use crate::redact;
use crate::spec::Environment;

mod known;
mod name;

use known::{logrotate, slack};
use name::DEEPEST;
pub use name::{SettingError, SettingName};

/// The module whose settings are zelador's own rotation.
pub const LOGROTATE: &str = "pm2-logrotate";

/// The module whose settings are a channel of zelador's own.
pub const SLACK: &str = "pm2-slack";

/// Not a module: where PM2 keeps which modules are installed.
const INSTALLED: &str = "module-db-v2";

/// All settings, by module.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModuleConf(Map<String, Json>);

/// Why a file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not JSON with an object in it{0}")]
pub struct NoSettings(String);

impl ModuleConf {
    /// Reads the file's text.
    ///
    /// # Errors
    /// It is not JSON, or no object.
    pub fn parse(text: &str) -> Result<Self, NoSettings> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        match serde_json::from_str(text) {
            Ok(Json::Object(map)) => Ok(Self(map)),
            Ok(_) => Err(NoSettings(String::new())),
            Err(error) => Err(NoSettings(format!(": {error}"))),
        }
    }

    /// Returns the file's text, laid out as PM2 does.
    pub fn to_text(&self) -> String {
        use serde::Serialize;
        let mut bytes = Vec::new();
        let mut writer = serde_json::Serializer::with_formatter(
            &mut bytes,
            PrettyFormatter::with_indent(b"    "),
        );
        // Writing to memory cannot fail, and the keys are texts.
        _ = self.0.serialize(&mut writer);
        bytes.push(b'\n');
        String::from_utf8(bytes).unwrap_or_default()
    }

    /// Returns the name that `text` is for what there is: a module's own name may have dots.
    ///
    /// # Errors
    /// It is no name.
    pub fn name(&self, text: &str) -> Result<SettingName, SettingError> {
        if text != INSTALLED && self.0.contains_key(text) {
            return Ok(SettingName(vec![text.to_owned()]));
        }
        SettingName::parse(text)
    }

    /// Sets one; returns what is worth saying about it.
    ///
    /// # Errors
    /// It is known, and the value is not among those that it can have. Nothing was changed.
    pub fn set(&mut self, name: &SettingName, value: &str) -> Result<Option<String>, SettingError> {
        let note = match name.0.as_slice() {
            [module, option] if module == LOGROTATE => logrotate(option, &Json::from(value))?.1,
            _ => None,
        };
        let (last, above) = name.0.split_last().expect("a name has a part");
        let mut table = &mut self.0;
        for part in above {
            let entry = table.entry(part).or_insert_with(|| Json::Object(Map::new()));
            if !entry.is_object() {
                *entry = Json::Object(Map::new());
            }
            table = entry.as_object_mut().expect("it was just made one");
        }
        table.insert(last.clone(), Json::from(value));
        Ok(note)
    }

    /// Takes one away, or all of a module's; returns whether there was anything.
    pub fn unset(&mut self, name: &SettingName) -> bool {
        let Some((last, above)) = name.0.split_last() else { return false };
        let mut table = &mut self.0;
        for part in above {
            match table.get_mut(part).and_then(Json::as_object_mut) {
                Some(deeper) => table = deeper,
                None => return false,
            }
        }
        table.remove(last).is_some()
    }

    /// Takes everything away but the list of what is installed.
    pub fn clear(&mut self) {
        self.0.retain(|key, _| key == INSTALLED);
    }

    /// The value of one; that of a group is JSON.
    pub fn get(&self, name: &SettingName) -> Option<String> {
        let mut parts = name.0.iter();
        let mut found = self.0.get(parts.next()?)?;
        for part in parts {
            found = found.get(part)?;
        }
        Some(plain(found))
    }

    /// The names of the modules that have settings.
    pub fn modules(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str).filter(|key| *key != INSTALLED)
    }

    /// Every setting with its value, in the order of their names; those of one module, or all.
    pub fn all(&self, of: Option<&str>) -> Vec<(SettingName, String)> {
        let mut found = Vec::new();
        for (module, value) in self.0.iter().filter(|(key, _)| *key != INSTALLED) {
            if of.is_none_or(|of| of == module) {
                leaves(&mut vec![module.clone()], value, &mut found);
            }
        }
        found
    }

    /// Every setting as it may be shown: secrets are masked.
    pub fn shown(&self, of: Option<&str>) -> Vec<(SettingName, String)> {
        let shown = |(name, value): (SettingName, String)| {
            let option = name.0.last().map(String::as_str).unwrap_or_default();
            // Whoever has the address may write to the channel.
            let is_hook = option.starts_with("slack_url") && !value.is_empty();
            let value =
                if is_hook { redact::MASK.into() } else { redact::variable(option, &value) };
            (name, value)
        };
        self.all(of).into_iter().map(shown).collect()
    }

    /// What is said about zelador's own settings, and everything in it that is wrong.
    pub fn overlay(&self) -> (Overlay, Vec<String>) {
        let (mut overlay, mut wrong) = (Overlay::default(), Vec::new());
        if let Some(options) = self.0.get(LOGROTATE).and_then(Json::as_object) {
            for (option, value) in options {
                match logrotate(option, value) {
                    Ok((said, _)) => overlay.logs.extend(said),
                    Err(error) => wrong.push(error.to_string()),
                }
            }
        }
        if let Some(options) = self.0.get(SLACK).and_then(Json::as_object) {
            overlay.notify = slack(options);
        }
        (overlay, wrong)
    }

    /// The variables that apps are given for their settings: each option by its name, and all of
    /// them as JSON by the app's.
    pub fn environments(&self) -> BTreeMap<AppName, Environment> {
        let of_app = |(module, value): (&String, &Json)| {
            let options =
                value.as_object().filter(|_| module != INSTALLED && module != LOGROTATE)?;
            let named = options.iter().map(|(name, value)| (name.clone(), plain(value)));
            let whole = std::iter::once((module.clone(), value.to_string()));
            // The operating system ends variables at a NUL, and their names at `=` too.
            let fits = |(name, value): &(String, String)| {
                !name.is_empty() && !name.contains(['=', '\0']) && !value.contains('\0')
            };
            Some((AppName::new(module.clone())?, named.chain(whole).filter(fits).collect()))
        };
        self.0.iter().filter_map(of_app).collect()
    }

    /// Notes where a module is installed from: what it was asked for by.
    pub fn install(&mut self, module: &str, source: &str) {
        let list = self.0.entry(INSTALLED).or_insert_with(|| Json::Object(Map::new()));
        if !list.is_object() {
            *list = Json::Object(Map::new());
        }
        if let Some(list) = list.as_object_mut() {
            list.insert(module.to_owned(), serde_json::json!({ "source": source }));
        }
    }

    /// Sets what a module declares as its settings, where nothing is set yet.
    pub fn set_defaults(&mut self, module: &str, defaults: &Map<String, Json>) {
        if defaults.is_empty() || module == INSTALLED {
            return;
        }
        let table = self.0.entry(module).or_insert_with(|| Json::Object(Map::new()));
        if let Some(table) = table.as_object_mut() {
            for (name, value) in defaults {
                table.entry(name).or_insert_with(|| value.clone());
            }
        }
    }

    /// Notes that a module is not installed any more; returns whether it was.
    pub fn uninstall(&mut self, module: &str) -> bool {
        let list = self.0.get_mut(INSTALLED).and_then(Json::as_object_mut);
        list.is_some_and(|list| list.remove(module).is_some())
    }

    /// The modules that are installed.
    pub fn installed(&self) -> Vec<String> {
        let list = self.0.get(INSTALLED).and_then(Json::as_object);
        list.into_iter().flat_map(Map::keys).cloned().collect()
    }
}

/// The JSON among those variables with its secrets masked; `None` if it is no object.
pub fn masked(json: &str) -> Option<String> {
    fn mask(key: &str, value: &mut Json) {
        match value {
            Json::Object(table) => table.iter_mut().for_each(|(key, value)| mask(key, value)),
            Json::Array(items) => items.iter_mut().for_each(|value| mask(key, value)),
            Json::String(text) => *text = redact::variable(key, text),
            Json::Number(_) | Json::Bool(_) | Json::Null => {}
        }
    }
    let mut value = serde_json::from_str(json).ok().filter(Json::is_object)?;
    mask("", &mut value);
    Some(value.to_string())
}

fn leaves(path: &mut Vec<String>, value: &Json, found: &mut Vec<(SettingName, String)>) {
    match value.as_object() {
        Some(table) if path.len() < DEEPEST => {
            for (key, value) in table {
                path.push(key.clone());
                leaves(path, value, found);
                path.pop();
            }
        }
        _ => found.push((SettingName(path.clone()), plain(value))),
    }
}

/// A text as it is, anything else as JSON.
fn plain(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn name(text: &str) -> SettingName {
        SettingName::parse(text).unwrap()
    }

    pub(super) fn conf(settings: &[(&str, &str)]) -> ModuleConf {
        let mut conf = ModuleConf::default();
        for (key, value) in settings {
            conf.set(&name(key), value).unwrap();
        }
        conf
    }

    #[test]
    fn the_file_has_pm2s_layout_and_keeps_what_others_wrote() {
        let old = r#"{"module-db-v2":{"x":{"apps":[]}},"other":{"n":5,"deep":{"er":true}}}"#;
        let mut conf = ModuleConf::parse(old).unwrap();
        conf.set(&name("pm2-logrotate:max_size"), "10M").unwrap();
        conf.set(&name("other:deep:er"), "no").unwrap();
        assert_eq!(
            conf.to_text(),
            "{\n    \"module-db-v2\": {\n        \"x\": {\n            \"apps\": []\n        }\n    \
             },\n    \"other\": {\n        \"deep\": {\n            \"er\": \"no\"\n        },\n        \
             \"n\": 5\n    },\n    \"pm2-logrotate\": {\n        \"max_size\": \"10M\"\n    }\n}\n"
        );
        assert_eq!(ModuleConf::parse(&conf.to_text()).unwrap(), conf);
        let shown: Vec<String> =
            conf.all(None).iter().map(|(name, value)| format!("{name} {value}")).collect();
        assert_eq!(shown, ["other:deep:er no", "other:n 5", "pm2-logrotate:max_size 10M"]);
        assert_eq!(conf.get(&name("other:n")).as_deref(), Some("5"));
        assert_eq!(conf.get(&name("other:m")), None);
        assert!(conf.unset(&name("other:deep")) && !conf.unset(&name("other:deep")));
        conf.clear();
        assert_eq!((conf.installed(), conf.all(None).len()), (vec!["x".to_owned()], 0));
        assert!(ModuleConf::parse("[]").is_err() && ModuleConf::parse("{").is_err());
        assert_eq!(ModuleConf::parse(" \n").unwrap(), ModuleConf::default());
    }

    #[test]
    fn an_app_is_given_its_settings_one_by_one_and_as_json() {
        let conf = conf(&[("mod:a", "1"), ("mod:deep:password", "2"), ("alone", "x")]);
        let all = conf.environments();
        assert_eq!(all.len(), 1);
        let env = &all.first_key_value().unwrap().1;
        assert_eq!((env["a"].as_str(), env["deep"].as_str()), ("1", r#"{"password":"2"}"#));
        assert_eq!(env["mod"], r#"{"a":"1","deep":{"password":"2"}}"#);
        let masked = masked(&env["mod"]).unwrap();
        assert!(masked.contains(r#""a":"1""#) && !masked.contains('2'), "{masked}");
    }
}
