//! `install` and `uninstall`: modules, which npm installs and which run as apps.
//!
//! A module has a folder of its own in the home, as with PM2: `modules/NAME/node_modules/NAME`.
//! Always holds: a folder is replaced only by one that npm has finished, and put back when its app
//! cannot be declared.

mod package;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, ExitCode, Stdio};

use zelador_api::client::ClientError;
use zelador_api::module_conf::{self, ModuleConfError};
use zelador_api::{Command, Unchanged};

use super::{Context, act, look, start};
use crate::failure::Failure;
use crate::render::text;
use crate::{bring_up, declare, output};

use package::Package;

/// The modules of PM2 whose work zelador does itself: scripts that install them go on.
const BUILT_IN: [(&str, &str); 3] = [
    (
        "pm2-logrotate",
        "logs are rotated already; `pm2 set pm2-logrotate:max_size 10M` is understood",
    ),
    ("pm2-slack", "its settings count: `pm2 set pm2-slack:slack_url URL`"),
    ("pm2-server-monit", "`pm2 slist` and `zelador health` show the host"),
];

fn is_built_in(name: &str) -> bool {
    let known = BUILT_IN.iter().find(|(known, _)| *known == name);
    if let Some((_, why)) = known {
        output::note(&format!("{name} is built in: {why}"));
    }
    known.is_some()
}

/// Installs a module and starts it; one that is there already is replaced.
pub fn install(context: &Context, wanted: &str) -> Result<ExitCode, Failure> {
    let version = wanted.rfind('@').filter(|at| *at > 0).unwrap_or(wanted.len());
    if is_built_in(&wanted[..version]) {
        return Ok(ExitCode::SUCCESS);
    }
    let path = Path::new(wanted);
    let source = if path.exists() {
        declare::whole_path(path).unwrap_or_else(|| path.to_owned()).display().to_string()
    } else {
        wanted.to_owned()
    };
    bring_up::make(context.home.path())?;
    let folders = Folders::new(&context.home.modules());
    let installed = fetch(&source, &folders.new).and_then(|package| {
        folders.exchange(&package.name)?;
        let declared = declare_module(context, &folders.of(&package.name), &package, &source);
        if declared.is_err() {
            folders.put_back(&package.name)?;
        }
        declared
    });
    folders.tidy();
    installed
}

/// Has npm install a package into a folder of its own, and returns how it describes itself.
fn fetch(source: &str, into: &Path) -> Result<Package, Failure> {
    fs::create_dir_all(into).map_err(|error| cannot("made", into, &error))?;
    output::remark(&format!("npm installs {source}"));
    let ended = Process::new("npm")
        .args(["install", "--no-audit", "--no-fund", "--omit=dev", "--loglevel=error", "--prefix"])
        .arg(into)
        .args(["--", source])
        .stdin(Stdio::null())
        // Its words are no answer of ours.
        .stdout(Stdio::null())
        .status();
    match ended {
        Ok(ended) if ended.success() => {}
        Ok(ended) => {
            return Err(Failure::with_help(
                format!("npm did not install {source} ({ended}); what was there is as it was"),
                "what npm says is above",
            ));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(Failure::with_help(
                "npm is not in PATH, and installs modules",
                "install Node with npm, and try again",
            ));
        }
        Err(error) => return Err(Failure::new(format!("npm cannot be started: {error}"))),
    }
    let name = installed_name(into)
        .ok_or_else(|| Failure::new(format!("npm does not tell what {source} installed")))?;
    let file = into.join("node_modules").join(&name).join("package.json");
    let said = fs::read_to_string(&file).map_err(|error| cannot("read", &file, &error))?;
    package::read(&said)
        .map_err(|why| Failure::new(format!("{source} cannot be run: {why} ({})", file.display())))
}

/// The package that was asked for is the one that the folder depends on.
fn installed_name(folder: &Path) -> Option<String> {
    let text = fs::read_to_string(folder.join("package.json")).ok()?;
    let package: serde_json::Value = serde_json::from_str(&text).ok()?;
    package.get("dependencies")?.as_object()?.keys().next().cloned()
}

/// Notes the module's settings, and starts it with them.
fn declare_module(
    context: &Context,
    folder: &Path,
    package: &Package,
    source: &str,
) -> Result<ExitCode, Failure> {
    let Package { name, version, fields, defaults } = package;
    let own = folder.join("node_modules").join(name);
    let env = declare::inherited_env();
    let from = own.join("package.json");
    let (app, notes) = declare::imported(&from.to_string_lossy(), fields, &own, env)?;
    let script = Path::new(&app.launch.script);
    if script.is_absolute() && !script.exists() {
        return Err(Failure::new(format!("{name} names {}, which it lacks", script.display())));
    }
    notes.iter().for_each(|note| output::note(note));
    module_conf::change(&context.home, |conf| {
        conf.set_defaults(name, defaults);
        conf.install(name, source);
        Ok::<_, ModuleConfError>(())
    })?;
    // An engine that is up has not seen the settings yet; one that comes up reads them.
    match context.engine.post::<()>(zelador_api::route::MODULE_SETTINGS, &()) {
        Ok(()) | Err(ClientError::NotRunning(_)) => {}
        Err(error) => return Err(error.into()),
    }
    let done = start::declare_one(context, app, Unchanged::Restart)?;
    output::tell(&format!("{} {} is installed\n", text::plain(name), text::plain(version)))?;
    act::tell(&done)?;
    if !defaults.is_empty() {
        output::remark(&format!("`zelador conf {name}` shows its settings"));
    }
    look::print_list(&context.engine)?;
    Ok(act::code(&done))
}

/// Stops a module, and removes its folder; its settings are kept.
pub fn uninstall(context: &Context, module: &str) -> Result<ExitCode, Failure> {
    if is_built_in(module) {
        return Ok(ExitCode::SUCCESS);
    }
    let installed = module_conf::read(&context.home)?.installed();
    let chosen: Vec<&String> =
        installed.iter().filter(|name| module == "all" || *name == module).collect();
    if chosen.is_empty() {
        let names = if installed.is_empty() { "none".to_owned() } else { installed.join(", ") };
        return Err(Failure::with_help(
            format!("no module is called `{module}`"),
            format!("installed: {names}"),
        ));
    }
    let folders = Folders::new(&context.home.modules());
    let apps = context.engine.apps()?;
    for name in chosen {
        let folder = folders.of(name);
        // An app of the same name that is another one is left alone.
        let is_its = |script: &str| Path::new(script).starts_with(&folder);
        if apps.iter().any(|app| app.instance.app == *name && is_its(&app.spec.launch.script)) {
            let selectors = vec![name.clone()];
            act::tell(&context.engine.command(&Command::Delete { selectors })?)?;
        }
        remove(&folder).map_err(|error| cannot("removed", &folder, &error))?;
        module_conf::change(&context.home, |conf| Ok::<_, ModuleConfError>(conf.uninstall(name)))?;
        output::tell(&format!("{} is removed\n", text::plain(name)))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::new(format!("{} cannot be {what}: {error}", path.display()))
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// The folders of modules, and those of one installation beside them.
struct Folders {
    modules: PathBuf,
    new: PathBuf,
    old: PathBuf,
}

impl Folders {
    fn new(modules: &Path) -> Self {
        let own = |what: &str| modules.join(format!(".{what}-{}", std::process::id()));
        Self { modules: modules.to_owned(), new: own("new"), old: own("old") }
    }

    /// The folder of a module: directly in that of all, so that relative links in it stay true.
    fn of(&self, name: &str) -> PathBuf {
        self.modules.join(name.replace('/', "+"))
    }

    /// Puts the new folder in the place of the one that is there.
    fn exchange(&self, name: &str) -> Result<(), Failure> {
        let place = self.of(name);
        match fs::rename(&place, &self.old) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(cannot("replaced", &place, &error));
            }
            _ => {}
        }
        fs::rename(&self.new, &place).map_err(|error| {
            // What was there is better than nothing.
            _ = fs::rename(&self.old, &place);
            cannot("written", &place, &error)
        })
    }

    /// Undoes that.
    fn put_back(&self, name: &str) -> Result<(), Failure> {
        let place = self.of(name);
        remove(&place).map_err(|error| cannot("removed", &place, &error))?;
        if self.old.exists() {
            fs::rename(&self.old, &place).map_err(|error| cannot("put back", &place, &error))?;
        }
        Ok(())
    }

    /// Removes what is left of the installation; a left-over harms nobody.
    fn tidy(&self) {
        _ = remove(&self.new);
        _ = remove(&self.old);
    }
}
