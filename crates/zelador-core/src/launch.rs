//! What exactly is executed for one run of an app: program, arguments, environment, log files.
//!
//! Pure: the declaration and the numbers go in, the launch comes out.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::config::is_node;
use crate::healing::raise::Bound;
use crate::id::{InstanceId, RunId};
use crate::identity;
use crate::instance::Instance;
use crate::spec::{
    AppSpec, Environment, ExecMode, Hook, Limits, LogFormat, LogTarget, Notify, Resource,
    ResourceLimit, SocketSpec,
};
use crate::unit::ByteSize;

/// One process to start.
#[derive(Clone, Debug, PartialEq)]
pub struct Launch {
    /// The instance it is for.
    pub instance: InstanceId,
    /// Its app's name.
    pub app: String,
    /// The program: an absolute path, or a word that is looked up in the environment's PATH.
    pub program: String,
    /// It is the script itself: where it is a bare word, a file of that name in `cwd` comes before
    /// those in PATH, as in PM2.
    pub is_script: bool,
    /// Its arguments, without the program itself.
    pub args: Vec<String>,
    /// Working directory.
    pub cwd: PathBuf,
    /// The whole environment.
    pub env: Environment,
    /// Files with variables that are laid between the inherited and the declared ones.
    pub env_files: Vec<PathBuf>,
    /// The names of variables that no file changes.
    pub declared: BTreeSet<String>,
    /// User to run as.
    pub uid: Option<String>,
    /// Group to run as.
    pub gid: Option<String>,
    /// Where standard output goes; empty: nowhere.
    pub out: Vec<PathBuf>,
    /// Where standard error goes; empty: nowhere.
    pub err: Vec<PathBuf>,
    /// Whether standard output goes where zelador's own goes; no file gets it then.
    pub out_inherited: bool,
    /// The same for standard error.
    pub err_inherited: bool,
    /// day.js format of the date before each line.
    pub date_format: Option<String>,
    /// How a line stands in the files.
    pub log_format: LogFormat,
    /// What it may say to zelador, and hear.
    pub channel: Channel,
    /// How it says that it is ready and alive.
    pub notify: Notify,
    /// The sockets that it is handed.
    pub sockets: Vec<SocketSpec>,
    /// What it may use and do at most.
    pub limits: Limits,
    /// Whether what it leaves behind is ended with it.
    pub tree: bool,
}

/// Node's IPC channel of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Channel {
    /// None.
    #[default]
    None,
    /// Messages both ways: `process.send`, `process.on('message')`.
    Messages,
    /// Messages, and the primary's side of `node:cluster`.
    Cluster {
        /// The worker's `cluster.worker.id`, from 1 on.
        worker: u32,
    },
}

/// The script of an app that serves static files: zelador itself, wherever it lies.
pub const FILE_SERVER: &str = "zelador:serve";

/// The word by which zelador becomes that server.
pub const FILE_SERVER_ROLE: &str = "serve-files";

/// The variable that every process of a run inherits, so that orphans can be told apart.
pub const RUN_VARIABLE: &str = "ZELADOR_RUN";

/// The value of [`RUN_VARIABLE`] for a run of the zelador in `home`.
pub fn run_mark(home: &Path, run: RunId) -> String {
    format!("{run}@{}", home.display())
}

/// Returns what to execute for a run of an instance; `home` is `$ZELADOR_HOME`, `more` are the
/// variables of the app's settings.
pub fn launch(
    spec: &AppSpec,
    instance: &Instance,
    run: RunId,
    home: &Path,
    more: Option<&Environment>,
) -> Launch {
    let settings = &spec.launch;
    let (program, args) = match &settings.interpreter {
        Some(interpreter) => {
            let mut args = settings.interpreter_args.clone();
            if let Some(heap) = spec.raised.get(&Bound::Heap) {
                // Of two the last one counts.
                args.push(format!("--max-old-space-size={}", heap >> 20));
            }
            args.push(settings.script.clone());
            args.extend(settings.args.iter().cloned());
            (interpreter.clone(), args)
        }
        None => (settings.script.clone(), settings.args.clone()),
    };
    let (out, err) = log_paths(spec, instance.id, home);
    let combined = combined_path(spec, instance.id);
    let sinks = |path: Option<PathBuf>| path.into_iter().chain(combined.clone()).collect();
    Launch {
        instance: instance.id,
        app: spec.name.to_string(),
        program,
        is_script: settings.interpreter.is_none(),
        args,
        cwd: settings.cwd.clone(),
        env: environment(spec, instance, run, home, more),
        env_files: settings.env_files.iter().map(|file| file.path.clone()).collect(),
        declared: declared(spec, more),
        uid: settings.uid.clone(),
        gid: settings.gid.clone(),
        out: sinks(out),
        err: sinks(err),
        out_inherited: spec.logs.out == LogTarget::Inherit,
        err_inherited: spec.logs.err == LogTarget::Inherit,
        date_format: spec.logs.date_format.clone(),
        log_format: spec.logs.format,
        channel: channel(spec, instance),
        notify: spec.notify,
        sockets: spec.sockets.clone(),
        limits: limits(spec),
        tree: spec.stop.tree,
    }
}

/// What it may use at most: as declared, and as far as that was raised.
fn limits(spec: &AppSpec) -> Limits {
    let mut limits = spec.limits.clone();
    let raised = |limit| spec.raised.get(&limit).copied();
    if let (Some(raised), Some(declared)) = (raised(Bound::Memory), limits.memory) {
        limits.memory = Some(ByteSize::new(raised));
        // Where it is slowed down moves with it.
        let by = raised.saturating_sub(declared.bytes());
        limits.memory_high = limits.memory_high.map(|high| ByteSize::new(high.bytes() + by));
    }
    if let Some(raised) = raised(Bound::Processes) {
        // Only what is lower stood in the way.
        let pids = u32::try_from(raised).unwrap_or(u32::MAX);
        limits.pids = limits.pids.map(|declared| declared.max(pids));
        let of_user = limits.resources.iter_mut().filter(|it| it.resource == Resource::Nproc);
        of_user.for_each(|it| it.most = it.most.map(|declared| declared.max(raised)));
    }
    if let Some(raised) = raised(Bound::OpenFiles) {
        limits.resources.retain(|it| it.resource != Resource::Nofile);
        limits.resources.push(ResourceLimit { resource: Resource::Nofile, most: Some(raised) });
    }
    limits
}

/// Every Node app gets a channel, as PM2's do: one that was not told of it never notices.
fn channel(spec: &AppSpec, instance: &Instance) -> Channel {
    let program = spec.launch.interpreter.as_deref().unwrap_or(&spec.launch.script);
    let node = is_node(program);
    match spec.mode {
        ExecMode::Cluster => Channel::Cluster { worker: instance.index + 1 },
        ExecMode::Fork if node || spec.readiness.wait || spec.stop.message => Channel::Messages,
        ExecMode::Fork => Channel::None,
    }
}

/// The inherited variables, the declared ones over them, those of the app's settings (`more`), and
/// those that tell the process who it is.
pub fn environment(
    spec: &AppSpec,
    instance: &Instance,
    run: RunId,
    home: &Path,
    more: Option<&Environment>,
) -> Environment {
    let mut env = (*spec.launch.inherited_env).clone();
    env.extend(spec.launch.env.iter().map(|(name, value)| (name.clone(), value.clone())));
    if let Some(name) = &spec.launch.increment_var
        && let Some(first) = env.get(name).and_then(|value| value.trim().parse::<i64>().ok())
    {
        env.insert(name.clone(), first.saturating_add(instance.index.into()).to_string());
    }
    let settings = more.into_iter().flatten();
    env.extend(settings.map(|(name, value)| (name.clone(), value.clone())));
    let is_declared = |name: &str| {
        spec.launch.env.contains_key(name) || more.is_some_and(|more| more.contains_key(name))
    };
    identity::tell(&mut env, spec, instance, home, is_declared);
    env.insert(RUN_VARIABLE.to_owned(), run_mark(home, run));
    if spec.heal.hooks.gc == Some(Hook::Runtime) {
        private_inspector(&mut env);
    }
    env
}

/// Where Node's inspector listens once it is asked to: on a port that nobody knows, instead of 9229, which several apps
/// cannot share.
fn private_inspector(env: &mut Environment) {
    let options = env.entry("NODE_OPTIONS".to_owned()).or_default();
    if !options.contains("--inspect") {
        let blank = if options.is_empty() { "" } else { " " };
        options.push_str(blank);
        options.push_str("--inspect-port=127.0.0.1:0");
    }
}

/// The names of the variables that a file does not change: the declared ones, those of the app's
/// settings, and those that tell a process who it is.
fn declared(spec: &AppSpec, more: Option<&Environment>) -> BTreeSet<String> {
    let own = ["pm_id", "name", RUN_VARIABLE].map(str::to_owned);
    let named = spec.launch.env.keys().chain(more.into_iter().flat_map(Environment::keys));
    named.cloned().chain(own).chain([spec.launch.instance_var.clone()]).collect()
}

impl Launch {
    /// Lays variables that were read from a file between the inherited and the declared ones.
    pub fn lay(&mut self, file: Environment) {
        let laid = file.into_iter().filter(|(name, _)| !self.declared.contains(name));
        self.env.extend(laid);
    }
}

/// The file that tells the main process of an instance.
pub fn pid_path(spec: &AppSpec, instance: InstanceId, home: &Path) -> PathBuf {
    match &spec.pid_file {
        Some(path) => numbered(path, instance),
        None => home.join("pids").join(format!("{}-{instance}.pid", spec.name.file_stem())),
    }
}

/// Where standard output and standard error of an instance go; `None`: nowhere.
pub fn log_paths(
    spec: &AppSpec,
    instance: InstanceId,
    home: &Path,
) -> (Option<PathBuf>, Option<PathBuf>) {
    let path = |target: &LogTarget, kind: &str| {
        let path = match target {
            LogTarget::Default => {
                home.join("logs").join(format!("{}-{kind}.log", spec.name.file_stem()))
            }
            LogTarget::File(path) => path.clone(),
            LogTarget::Off | LogTarget::Inherit => return None,
        };
        Some(for_instance(spec, &path, instance))
    };
    (path(&spec.logs.out, "out"), path(&spec.logs.err, "error"))
}

/// The file that gets both streams of an instance besides.
pub fn combined_path(spec: &AppSpec, instance: InstanceId) -> Option<PathBuf> {
    spec.logs.combined.as_ref().map(|path| for_instance(spec, path, instance))
}

/// The file of one instance: its number stands before the extension unless the logs are merged.
fn for_instance(spec: &AppSpec, path: &Path, instance: InstanceId) -> PathBuf {
    if spec.logs.merge { path.to_owned() } else { numbered(path, instance) }
}

/// The path with the instance's number before its extension.
fn numbered(path: &Path, instance: InstanceId) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let name = match path.extension() {
        Some(extension) => format!("{stem}-{instance}.{}", extension.to_string_lossy()),
        None => format!("{stem}-{instance}"),
    };
    path.with_file_name(name)
}
