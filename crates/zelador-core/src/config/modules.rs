//! The settings of modules: PM2's `module_conf.json`, as `set` and `unset` change it.
//!
//! Pure: the text of the file goes in and comes out. Always holds: what another program wrote into
//! the file stays in it; a known setting that is wrong never comes in by [`ModuleConf::set`]. A
//! value may be a secret (`pm2-slack:slack_url`): whoever shows them masks them.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::ser::PrettyFormatter;
use serde_json::{Map, Value as Json};

use super::fields::{LOGS, canonical, nearest};
use super::mistake::Report;
use super::node::{Key, Node, Value};
use super::notify::NotifyOverlay;
use super::overlay::Overlay;
use super::place::Place;
use super::rotation::LogsOverlay;
use crate::effect::Severity;
use crate::id::AppName;
use crate::notify::{Channel, ChannelKind, Route, Secret, SlackTo, Template};
use crate::redact;
use crate::spec::Environment;

/// The module whose settings are zelador's own rotation.
pub const LOGROTATE: &str = "pm2-logrotate";

/// The module whose settings are a channel of zelador's own.
pub const SLACK: &str = "pm2-slack";

/// Not a module: where PM2 keeps which modules are installed.
const INSTALLED: &str = "module-db-v2";

/// More parts than this are a slip of the finger.
const DEEPEST: usize = 8;

/// All settings, by module.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModuleConf(Map<String, Json>);

/// The name of a setting, taken apart: module, option, and what lies deeper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingName(Vec<String>);

/// Why a setting is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// The name is none.
    #[error("{0:?} is not the name of a setting; allowed: `MODULE:OPTION` or `MODULE.OPTION`")]
    Name(String),
    /// The value is not what a known setting can have.
    #[error("{name} is {found}; allowed: {allowed}")]
    Value {
        /// The setting.
        name: String,
        /// What was given.
        found: String,
        /// What may be given.
        allowed: String,
    },
}

/// Why a file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not JSON with an object in it{0}")]
pub struct NoSettings(String);

impl SettingName {
    /// Takes a name apart: at colons, or at dots where there is no colon; quotes protect both.
    ///
    /// # Errors
    /// A part is empty, or there are too many.
    pub fn parse(text: &str) -> Result<Self, SettingError> {
        let refused = || SettingError::Name(text.to_owned());
        let at_colons = split(text, ':').ok_or_else(refused)?;
        let parts =
            if at_colons.len() > 1 { at_colons } else { split(text, '.').ok_or_else(refused)? };
        let fits = |part: &String| {
            !part.is_empty() && part.trim() == part && !part.chars().any(char::is_control)
        };
        if !parts.iter().all(fits) || parts.len() > DEEPEST || parts[0] == INSTALLED {
            return Err(refused());
        }
        Ok(Self(parts))
    }

    /// The module.
    pub fn module(&self) -> &str {
        &self.0[0]
    }

    /// Whether it stands for a whole module.
    pub fn is_module(&self) -> bool {
        self.0.len() == 1
    }
}

impl std::fmt::Display for SettingName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&joined(&self.0))
    }
}

fn joined(parts: &[String]) -> String {
    let protected = |part: &String| {
        if part.contains([':', '.']) { format!("\"{part}\"") } else { part.clone() }
    };
    // The first part may have dots: a colon follows it.
    let mut text = match parts {
        [only] => return protected(only),
        [first, ..] if !first.contains(':') => first.clone(),
        [first, ..] => protected(first),
        [] => return String::new(),
    };
    for part in &parts[1..] {
        text.push(':');
        text.push_str(&if part.contains(':') { format!("\"{part}\"") } else { part.clone() });
    }
    text
}

/// Splits at `between` outside quotes, which go; `None` for a quote that is not closed.
fn split(text: &str, between: char) -> Option<Vec<String>> {
    let (mut parts, mut quote) = (vec![String::new()], None);
    for c in text.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            None if c == '"' || c == '\'' => quote = Some(c),
            None if c == between => parts.push(String::new()),
            _ => parts.last_mut()?.push(c),
        }
    }
    quote.is_none().then_some(parts)
}

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

/// Reads the settings of pm2-slack: `slack_url` is a channel, `slack_url-APP` one of that app alone, and
/// `servername` what this host is called. Which events it tells is zelador's own matter: incidents.
fn slack(options: &Map<String, Json>) -> NotifyOverlay {
    let mut overlay = NotifyOverlay::default();
    let is_set = |value: &Json| value.as_str().is_some_and(|url| url.starts_with("http"));
    for (option, _) in options.iter().filter(|(_, value)| is_set(value)) {
        let app = match option.strip_prefix("slack_url") {
            Some("") => None,
            Some(rest) => match rest.strip_prefix('-') {
                Some(app) => Some(app.to_owned()),
                None => continue,
            },
            None => continue,
        };
        let name = app.as_ref().map_or_else(|| SLACK.to_owned(), |app| format!("{SLACK}-{app}"));
        let url = Secret::Module { module: SLACK.to_owned(), option: option.clone() };
        let kind = ChannelKind::Slack(SlackTo::Webhook { url });
        overlay
            .channels
            .insert(name.clone(), Channel { kind, template: Template::default(), answers: false });
        overlay.routes.push(Route {
            apps: app.into_iter().collect(),
            severity: Severity::Warning,
            kinds: Vec::new(),
            to: vec![name],
        });
    }
    overlay.host = options.get("servername").map(plain).filter(|name| !name.trim().is_empty());
    overlay
}

/// Reads one setting of pm2-logrotate; also returns what is worth saying about it.
fn logrotate(option: &str, value: &Json) -> Result<(LogsOverlay, Option<String>), SettingError> {
    if canonical(option, LOGS).is_none() {
        let near = nearest(option, LOGS).map(|near| format!("; did you mean `{near}`?"));
        let note = format!("{LOGROTATE} has no setting `{option}`: it is kept and has no effect");
        return Ok((LogsOverlay::default(), Some(note + &near.unwrap_or_default())));
    }
    let report = Report::new(Path::new(LOGROTATE));
    let node = Node::from(match value {
        Json::Null => Value::Null,
        Json::Bool(flag) => Value::from(*flag),
        Json::Number(number) => Value::from(number.as_f64().unwrap_or(f64::NAN)),
        other => Value::from(plain(other)),
    });
    let table = Node::from(Value::Table(vec![(Key::new(option), node)]));
    let place = Place { report: &report, field: String::new(), node: &table };
    let block = place.block(LOGROTATE, LOGS);
    let said = block.map(|block| LogsOverlay::check(&block)).unwrap_or_default();
    let wrong = |mistake: &super::Mistake| SettingError::Value {
        name: format!("{LOGROTATE}:{option}"),
        found: mistake.found.clone(),
        allowed: mistake.allowed.clone(),
    };
    match report.conclude() {
        Err(mistakes) => {
            Err(mistakes.all().first().map_or_else(|| SettingError::Name(option.to_owned()), wrong))
        }
        Ok(_) if canonical(option, LOGS) == Some("worker_interval") => {
            let note = format!(
                "{LOGROTATE}:{option} has no effect here: sizes are looked at with every line"
            );
            Ok((said, Some(note)))
        }
        Ok(_) => Ok((said, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_of_pm2_slack_are_channels_and_show_no_address() {
        let conf = conf(&[
            ("pm2-slack:slack_url", "https://hooks.example/T0/B0/x"),
            ("pm2-slack:slack_url-api", "https://hooks.example/T0/B0/y"),
            ("pm2-slack:servername", "db1"),
            ("pm2-slack:error", "true"),
        ]);
        let (overlay, wrong) = conf.overlay();
        assert_eq!(wrong, [""; 0]);
        let plan = Settings::resolve(&[&overlay]).notify;
        assert_eq!(plan.channels.keys().collect::<Vec<_>>(), ["pm2-slack", "pm2-slack-api"]);
        assert_eq!(plan.host.as_deref(), Some("db1"));
        assert_eq!(plan.routes[1].apps, ["api"]);
        assert!(!format!("{overlay:?}").contains("hooks.example"), "only where it is found");
    }
    use crate::spec::{Keep, Rotation, Settings};
    use crate::unit::ByteSize;

    fn name(text: &str) -> SettingName {
        SettingName::parse(text).unwrap()
    }

    fn conf(settings: &[(&str, &str)]) -> ModuleConf {
        let mut conf = ModuleConf::default();
        for (key, value) in settings {
            conf.set(&name(key), value).unwrap();
        }
        conf
    }

    #[test]
    fn a_name_is_split_at_colons_or_dots_and_quotes_protect_them() {
        for (text, parts) in [
            ("pm2-logrotate:max_size", vec!["pm2-logrotate", "max_size"]),
            ("pm2-logrotate.max_size", vec!["pm2-logrotate", "max_size"]),
            ("socket.io:a:b", vec!["socket.io", "a", "b"]),
            ("\"socket.io\".port", vec!["socket.io", "port"]),
            ("mod:'a:b'", vec!["mod", "a:b"]),
            ("mod:slack_url-my.app", vec!["mod", "slack_url-my.app"]),
            ("mod", vec!["mod"]),
        ] {
            let parsed = name(text);
            assert_eq!(parsed.0, parts, "{text}");
            assert_eq!(name(&parsed.to_string()), parsed, "{parsed} is read as what it says");
        }
        for wrong in ["", ":", "mod:", ":x", "a..b", "mod:'x", "module-db-v2:x", "a:b\u{7}"] {
            assert!(SettingName::parse(wrong).is_err(), "{wrong:?}");
        }
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
    fn the_settings_of_pm2_logrotate_are_those_of_the_logs() {
        let conf = conf(&[
            ("pm2-logrotate:max_size", "5K"),
            ("pm2-logrotate:retain", "all"),
            ("pm2-logrotate:compress", "true"),
            ("pm2-logrotate:dateFormat", "YYYY-MM-DD"),
            ("pm2-logrotate:workerInterval", "30"),
            ("pm2-logrotate:rotateInterval", "0 0 * * *"),
            ("pm2-logrotate:rotateModule", "false"),
            ("pm2-logrotate:TZ", "America/Sao_Paulo"),
            ("pm2-logrotate:max_total_size", "1G"),
        ]);
        let (overlay, wrong) = conf.overlay();
        assert_eq!(wrong, [""; 0]);
        let Rotation { max_size, keep, max_total_size, compress, date_format, at, zone, modules } =
            Settings::resolve(&[&overlay]).rotation;
        assert_eq!((max_size, keep), (ByteSize::new(5120), Keep::All));
        assert_eq!(max_total_size, Some(ByteSize::mebibytes(1024)));
        assert_eq!((compress, modules, date_format.as_str()), (true, false, "YYYY-MM-DD"));
        assert_eq!(at.as_ref().map(crate::spec::CronPattern::as_str), Some("0 0 * * *"));
        assert_eq!(zone.as_deref(), Some("America/Sao_Paulo"));
        assert!(conf.environments().is_empty(), "they are no app's");
    }

    #[test]
    fn a_wrong_value_of_a_known_setting_is_refused_by_name_value_and_what_is_allowed() {
        for (option, value, said) in [
            ("max_size", "abc", "max_size is \"abc\"; allowed: bytes, or text like"),
            ("retain", "-1", "retain is \"-1\"; allowed: a whole number"),
            ("compress", "yes", "compress is \"yes\"; allowed: true or false"),
            ("dateFormat", "YYYY/MM", "dateFormat is \"YYYY/MM\"; allowed: a day.js format"),
            ("rotateInterval", "often", "rotateInterval is \"often\"; allowed: a cron pattern"),
            ("TZ", "/etc/passwd", "TZ is \"/etc/passwd\"; allowed: the name of a time zone"),
            ("workerInterval", "soon", "workerInterval is \"soon\"; allowed: a whole number"),
        ] {
            let mut conf = ModuleConf::default();
            let refused = conf.set(&name(&format!("pm2-logrotate:{option}")), value);
            let error = refused.unwrap_err().to_string();
            assert!(error.starts_with(&format!("pm2-logrotate:{said}")), "{error}");
            assert_eq!(conf, ModuleConf::default());
            // A file that was edited by hand: the rest of it counts.
            let text =
                format!(r#"{{"pm2-logrotate":{{"{option}":"{value}","max_total_size":5}}}}"#);
            let (overlay, wrong) = ModuleConf::parse(&text).unwrap().overlay();
            assert!(wrong.len() == 1 && overlay.logs.max_total_size.is_some(), "{wrong:?}");
        }
        let mut conf = ModuleConf::default();
        let note = conf.set(&name("pm2-logrotate:max_sise"), "1").unwrap().unwrap();
        assert!(note.contains("did you mean `max_size`?"), "{note}");
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
