//! A whole file: apps, and beside them the settings of zelador.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use super::app::{self, Checked};
use super::defaults::Defaults;
use super::dependencies;
use super::fields::{APP, TOP};
use super::mistake::{Mistakes, Note, Report};
use super::names::{canonical, nearest, nearest_of};
use super::node::{Key, Node, Value};
use super::overlay::Overlay;
use super::place::Place;
use super::settings;
use super::sites;
use crate::spec::{AppSpec, Cadence, Environment};

/// What the checker cannot find out itself.
#[derive(Clone, Debug)]
pub struct Context {
    /// The file as the user named it; mistakes begin with it.
    pub file: PathBuf,
    /// The folder of the file, absolute: the base of every relative `cwd`, and the `cwd` of an app
    /// that has none. For a command line, the current directory.
    pub folder: PathBuf,
    /// Variables of whoever gives the command.
    pub inherited_env: Arc<Environment>,
    /// `--env NAME`: `env_NAME` is laid over `env`.
    pub env_name: Option<String>,
    /// Processors of the host: what `instances: 'max'` means.
    pub cores: u32,
    /// `--only a,b`: the apps that are wanted; `None`: all. The others are checked all the same.
    pub only: Option<Vec<String>>,
    /// Names that apps may depend on besides those of the file: apps in the list, databases of
    /// `zelador.toml`. `None`: they are not known here, so any name may be one of them.
    pub known: Option<BTreeSet<String>>,
    /// Whether there is a file; interpreters are looked for by it.
    pub is_file: fn(&std::path::Path) -> bool,
    /// How often apps are checked when neither they nor the file says so.
    pub cadence: Cadence,
    /// What apps get that do not say so themselves.
    pub defaults: Defaults,
}

/// What a file declares.
#[derive(Clone, Debug, PartialEq)]
pub struct Declared {
    /// The apps, in the order of the file.
    pub apps: Vec<AppSpec>,
    /// The block `zelador`.
    pub settings: Overlay,
    /// What is right and yet worth saying.
    pub notes: Vec<Note>,
}

/// Returns what an ecosystem file declares.
///
/// # Errors
///
/// Every mistake in the document, not only the first.
pub fn check(document: &Node, context: &Context) -> Result<Declared, Mistakes> {
    let report = Report::new(&context.file);
    let top = Place { report: &report, field: String::new(), node: document };
    let sites = sites_of(&top);
    let (mut places, settings) = parts(&top, context);
    places.extend(sites.iter().map(|(field, node)| Place {
        report: &report,
        field: field.clone(),
        node,
    }));
    let cadence = settings.cadence.over(context.cadence);
    let checked: Vec<Checked<'_>> =
        places.iter().filter_map(|place| app::check(place, context, cadence)).collect();
    let dependants: Vec<_> = checked.iter().map(|it| (&it.app, it.depends_on.as_ref())).collect();
    let databases = settings.databases.keys().map(String::as_str).collect();
    dependencies::check(&dependants, &databases, context.known.as_ref());
    let apps = unique(&report, checked, context);
    Ok(Declared { notes: report.conclude()?, apps, settings })
}

/// Returns what `zelador.toml` says: the block `zelador` without the word.
///
/// # Errors
///
/// Every mistake in the document, not only the first.
pub fn check_settings(
    document: &Node,
    context: &Context,
) -> Result<(Overlay, Vec<Note>), Mistakes> {
    let report = Report::new(&context.file);
    let top = Place { report: &report, field: String::new(), node: document };
    let overlay = settings::check(&top, &context.folder);
    Ok((overlay, report.conclude()?))
}

/// Returns the app that a command line like `zelador start server.js --name api -- --port 1`
/// means: `fields` are those of an app in a file (`name`, `instances`, `exec_interpreter`, `cwd`,
/// `env` …), and mistakes name them.
///
/// # Errors
///
/// Every mistake in the fields, not only the first.
pub fn script_app(
    script: &str,
    args: &[String],
    fields: Vec<(&str, Value)>,
    context: &Context,
) -> Result<(AppSpec, Vec<Note>), Mistakes> {
    let mut entries = vec![(Key::new("script"), Node::from(Value::from(script)))];
    if !args.is_empty() {
        entries.push((Key::new("args"), Value::from(args.to_vec()).into()));
    }
    entries.extend(fields.into_iter().map(|(name, value)| (Key::new(name), Node::from(value))));
    let document = Node::from(Value::Table(entries));
    let report = Report::new(&context.file);
    let top = Place { report: &report, field: String::new(), node: &document };
    let app = app::check(&top, context, context.cadence).map(|checked| checked.app);
    let notes = report.conclude()?;
    Ok((app.expect("a table without mistakes is an app"), notes))
}

/// The served folders beside the apps, as apps.
fn sites_of(top: &Place<'_>) -> Vec<(String, Node)> {
    let entries = top.entries().unwrap_or_default();
    let list = entries.iter().find(|(key, place)| key.name == "static" && !place.is_null());
    list.map(|(_, place)| sites::apps(place)).unwrap_or_default()
}

/// Returns where the apps stand, and the settings beside them.
fn parts<'a>(top: &Place<'a>, context: &Context) -> (Vec<Place<'a>>, Overlay) {
    const ALLOWED: &str = "an object with `apps`, a list of apps, or one app";
    let nothing = (Vec::new(), Overlay::default());
    let Some(entries) = top.entries() else {
        if matches!(top.node.value, Value::List(_)) {
            return (top.items(), Overlay::default());
        }
        top.refuse::<()>(ALLOWED);
        return nothing;
    };
    let names = |wanted: &str, known| {
        entries.iter().any(|(key, _)| canonical(&key.name, known) == Some(wanted))
    };
    let has_apps = names("apps", TOP) || names("pm2", TOP);
    if !has_apps && !names("zelador", TOP) && names("script", APP) {
        return (vec![top.clone()], Overlay::default());
    }
    if entries.is_empty() {
        top.refuse_found::<()>("an empty object", ALLOWED);
        return nothing;
    }
    let mut has_unknown = false;
    let other = |key: &Key, place: &Place<'a>| {
        if key.name.starts_with("x-") || key.name == "__esModule" {
            return true;
        }
        if nearest(&key.name, TOP).is_some() || !has_apps {
            has_unknown = true;
            return false;
        }
        place.note("is not known beside `apps` and has no effect");
        true
    };
    let Some(block) = top.block_with("an ecosystem file", TOP, other) else { return nothing };
    if let Some(place) = block.get("deploy") {
        place.note("field `deploy` is accepted but has no effect yet");
    }
    let settings = block.get("zelador").map(|place| settings::check(place, &context.folder));
    let apps = block.get("apps").or_else(|| block.get("pm2"));
    let places = match apps.map(|place| (place, &place.node.value)) {
        Some((place, Value::List(_))) => place.items(),
        Some((place, Value::Table(_))) => vec![place.clone()],
        Some((place, _)) => place.refuse("a list of apps").unwrap_or_default(),
        None if settings.is_none() && !has_unknown && block.get("static").is_none() => {
            top.refuse_found("no `apps`", ALLOWED).unwrap_or_default()
        }
        None => Vec::new(),
    };
    (places, settings.unwrap_or_default())
}

/// Returns the apps that are wanted; two of one name are a mistake, and so is a wanted name that
/// no app has.
fn unique(report: &Report, checked: Vec<Checked<'_>>, context: &Context) -> Vec<AppSpec> {
    for (index, Checked { app, name: place, .. }) in checked.iter().enumerate() {
        if app.launch.script.is_empty() {
            continue; // it has no script, so its name may be none of the user's
        }
        let before = checked[..index].iter().find(|other| other.app.name == app.name);
        if let Some(Checked { name: first, .. }) = before {
            let line = first.node.position.map(|at| format!(", line {}", at.line));
            let first = format!("{}{}", first.field, line.unwrap_or_default());
            let found = format!("the name {:?}, which {first} has too", app.name.as_str());
            place.refuse_found::<()>(found, "a name that no other app of the file has");
        }
    }
    let mut apps: Vec<AppSpec> = checked.into_iter().map(|checked| checked.app).collect();
    if let Some(only) = &context.only {
        for wanted in only {
            if apps.iter().all(|app| app.name.as_str() != wanted) {
                let names = apps.iter().map(|app| app.name.as_str());
                let help = nearest_of(wanted, names.clone());
                let help = help.map(|near| format!("did you mean `{near}`?"));
                let names = names.collect::<Vec<_>>().join(", ");
                let allowed = format!("names of apps: {names}");
                report.mistake(None, "--only", format!("{wanted:?}"), allowed, help);
            }
        }
        apps.retain(|app| only.iter().any(|wanted| wanted == app.name.as_str()));
    }
    let source = context.file.file_name().map(|name| context.folder.join(name));
    for app in &mut apps {
        app.source.clone_from(&source);
    }
    apps
}
