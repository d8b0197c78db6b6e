//! From the words of other process managers to those of an ecosystem file.
//!
//! Pure: text goes in; apps come out, and everything that could not be translated, by its line.

mod ini;
pub mod pm2;
pub mod procfile;
pub mod supervisord;
pub mod systemd;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;

use serde_json::Value;

/// What became of a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Translated {
    /// The apps, in the order of the file.
    pub apps: Vec<App>,
    /// What could not be translated.
    pub left: Vec<Left>,
}

/// The fields of one app, in the order in which people write them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct App(Vec<(&'static str, Value)>);

/// A line that could not be translated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// Its number, from 1 on.
    pub line: usize,
    /// What it says: `umask=022`.
    pub what: String,
    /// Why not, or what to do instead.
    pub why: String,
}

impl App {
    /// Returns an app of this name.
    fn named(name: &str) -> Self {
        Self(vec![("name", name.into())])
    }

    /// Sets a field; one that was set before keeps its place.
    fn set(&mut self, field: &'static str, value: impl Into<Value>) {
        let value = value.into();
        match self.0.iter_mut().find(|(known, _)| *known == field) {
            Some((_, old)) => *old = value,
            None => self.0.push((field, value)),
        }
    }

    /// A field.
    fn get(&self, field: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| *known == field).map(|(_, value)| value)
    }

    /// Adds variables to `env`.
    fn add_env(&mut self, name: &str, value: &str) {
        let mut env = self.get("env").and_then(Value::as_object).cloned().unwrap_or_default();
        env.insert(name.to_owned(), value.into());
        self.set("env", env);
    }

    /// The fields as JSON.
    pub fn to_json(&self) -> Value {
        let fields = self.0.iter().map(|(field, value)| ((*field).to_owned(), value.clone()));
        Value::Object(fields.collect())
    }
}

impl Translated {
    /// Notes a line that could not be translated.
    fn leave(&mut self, line: usize, what: impl Into<String>, why: impl Into<String>) {
        self.left.push(Left { line, what: what.into(), why: why.into() });
    }

    /// The ecosystem file.
    pub fn to_ecosystem(&self) -> String {
        let mut text = "module.exports = {\n  apps: [\n".to_owned();
        for App(fields) in &self.apps {
            text.push_str("    {\n");
            for (field, value) in fields {
                text.push_str(&format!("      {field}: {value},\n"));
            }
            text.push_str("    },\n");
        }
        text.push_str("  ],\n};\n");
        text
    }
}

/// Sets what is executed: the first word, and the rest as arguments, without a shell.
fn command(app: &mut App, words: &[String]) {
    let Some((program, args)) = words.split_first() else { return };
    app.set("script", program.as_str());
    // It is executed itself, whatever its name ends with.
    app.set("interpreter", "none");
    if !args.is_empty() {
        app.set("args", args.to_vec());
    }
}
