//! What the `package.json` of a module says about how it is run.

use serde_json::{Map, Value, json};

/// A module, as its package describes it.
#[derive(Debug, PartialEq)]
pub struct Package {
    /// The package's name, and the app's.
    pub name: String,
    /// Its version.
    pub version: String,
    /// How it is run: fields of an ecosystem file.
    pub fields: Value,
    /// Its settings, as long as nobody sets them.
    pub defaults: Map<String, Value>,
}

/// Reads a `package.json`: `apps` says how it is run, else `bin` what, else `main`.
///
/// # Errors
/// It is no package, or says nothing that can be run.
pub fn read(text: &str) -> Result<Package, String> {
    let whole: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let text = |name: &str| whole.get(name).and_then(Value::as_str);
    let name = text("name").ok_or("it has no name")?.to_owned();
    let app = match whole.get("apps") {
        Some(Value::Array(apps)) => apps.first(),
        other => other,
    };
    let mut fields = match app {
        Some(Value::Object(fields)) => fields.clone(),
        _ => {
            let first = |bin: &Value| match bin {
                Value::Object(programs) => programs.values().next()?.as_str().map(str::to_owned),
                other => other.as_str().map(str::to_owned),
            };
            let program = whole.get("bin").and_then(first);
            let script = program.or_else(|| text("main").map(str::to_owned));
            let script = script.ok_or("it has no `apps`, no `bin` and no `main`")?;
            // A program that npm runs need not end in `.js`.
            let node = json!({ "script": script, "interpreter": "node" });
            node.as_object().cloned().unwrap_or_default()
        }
    };
    fields.insert("name".to_owned(), json!(name));
    fields.entry("namespace").or_insert_with(|| json!(NAMESPACE));
    Ok(Package {
        version: text("version").unwrap_or("0.0.0").to_owned(),
        fields: Value::Object(fields),
        defaults: whole.get("config").and_then(Value::as_object).cloned().unwrap_or_default(),
        name,
    })
}

/// The namespace of modules, by which all of them are named.
pub const NAMESPACE: &str = "modules";

#[cfg(test)]
mod tests {
    use super::*;

    fn script(rest: &str) -> Result<Value, String> {
        read(&format!(r#"{{ "name": "m", "version": "1.2.3", {rest} }}"#)).map(|it| it.fields)
    }

    #[test]
    fn a_package_says_what_is_run_in_one_of_three_ways() {
        let plain = |path: &str| json!({ "script": path, "interpreter": "node", "name": "m", "namespace": "modules" });
        assert_eq!(script(r#""main": "index.js""#), Ok(plain("index.js")));
        assert_eq!(script(r#""main": "a.js", "bin": "cli""#), Ok(plain("cli")));
        assert_eq!(script(r#""bin": { "x": "x.js", "y": "y.js" }"#), Ok(plain("x.js")));
        for apps in [r#"[{ "script": "s.py", "name": "other" }]"#, r#"{ "script": "s.py" }"#] {
            let fields = json!({ "script": "s.py", "name": "m", "namespace": "modules" });
            assert_eq!(script(&format!(r#""main": "a.js", "apps": {apps}"#)), Ok(fields), "{apps}");
        }
        assert!(script(r#""bin": {}"#).is_err());
        assert_eq!(read("{}"), Err("it has no name".to_owned()));
        assert!(read("nonsense").is_err());
    }

    #[test]
    fn its_settings_have_defaults_of_any_kind() {
        let package = read(r#"{ "name": "m", "main": "a.js", "config": { "n": 3, "on": true } }"#);
        let package = package.unwrap();
        assert_eq!(Value::Object(package.defaults), json!({ "n": 3, "on": true }));
        assert_eq!(package.version, "0.0.0");
    }
}
