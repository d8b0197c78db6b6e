//! `start --write`: what was typed, as an ecosystem file.

use std::fs;
use std::path::PathBuf;

use serde_json::{Map, Value, json};
use zelador_api::config::Value as Field;
use zelador_api::spec::AppSpec;

use super::say;
use super::words::Line;
use crate::failure::Failure;

/// Writes `NAME-pm2.json` into the current folder, in the place of one that is there.
///
/// # Errors
/// The folder cannot be written.
pub fn write(spec: &AppSpec, line: &Line) -> Result<(), Failure> {
    let path = PathBuf::from(format!("{}-pm2.json", spec.name));
    say::message(&format!("Writing configuration to {}", path.display()));
    let text = serde_json::to_string_pretty(&document(spec, line)).unwrap_or_default() + "\n";
    fs::write(&path, text)
        .map_err(|error| Failure::new(format!("{} cannot be written: {error}", path.display())))
}

fn document(spec: &AppSpec, line: &Line) -> Value {
    let mut app = Map::new();
    app.insert("name".to_owned(), json!(spec.name));
    app.insert("script".to_owned(), json!(spec.launch.script));
    app.insert("cwd".to_owned(), json!(spec.launch.cwd));
    if !line.args.is_empty() {
        app.insert("args".to_owned(), json!(line.args));
    }
    for (field, value) in line.options.fields() {
        app.entry(field).or_insert_with(|| json(&value));
    }
    json!({ "apps": [app] })
}

fn json(value: &Field) -> Value {
    match value {
        Field::Null => Value::Null,
        Field::Bool(value) => json!(value),
        Field::Number(number) => json!(number),
        Field::Text(text) => json!(text),
        Field::List(list) => list.iter().map(|node| json(&node.value)).collect(),
        Field::Table(fields) => {
            fields.iter().map(|(key, node)| (key.name.clone(), json(&node.value))).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::path::Path;

    use super::*;
    use crate::declare;

    #[test]
    fn what_is_written_declares_what_was_typed() {
        let words = "start /bin/cat -n reader -i 2 --watch --max-memory-restart 90M --no-autorestart -- -n x";
        let words: Vec<OsString> = words.split(' ').map(OsString::from).collect();
        let line = Line::read(&words).unwrap();
        let (spec, _) = declare::script("/bin/cat", &line.args, &line.options).unwrap();
        let mut document = document(&spec, &line);
        let fields = document["apps"][0].take();
        let (back, _) = declare::imported(
            "a test",
            &fields,
            Path::new("/"),
            (*spec.launch.inherited_env).clone(),
        )
        .unwrap();
        assert_eq!(back, spec);
    }
}
