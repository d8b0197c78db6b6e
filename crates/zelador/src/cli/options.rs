//! How a script is started: what an ecosystem file says in fields, as options.

use clap::Args;
use zelador_api::config::{Node, Value};

use super::watch::Watch;

/// How a script is started, or what a restart changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Options of an app")]
pub struct Options {
    /// Name of the app; default: the file's name without extension
    #[arg(short, long, value_name = "NAME")]
    pub name: Option<String>,
    /// How many replicas: a number, `max`, or a negative number (that many fewer than processors)
    #[arg(short, long, value_name = "N", allow_hyphen_values = true)]
    pub instances: Option<String>,
    /// Program that runs the script; `none`: the script is executed itself
    #[arg(long, value_name = "PROGRAM")]
    pub interpreter: Option<String>,
    /// Arguments of the interpreter
    #[arg(long, visible_alias = "node-args", value_name = "ARGS", allow_hyphen_values = true)]
    pub interpreter_args: Option<String>,
    /// `fork` or `cluster`
    #[arg(long, value_name = "MODE")]
    pub exec_mode: Option<String>,
    /// Run it in fork mode
    #[arg(short = 'x', long, conflicts_with = "exec_mode")]
    pub execute_command: bool,
    /// Working directory
    #[arg(long, value_name = "FOLDER")]
    pub cwd: Option<String>,
    /// Word for grouping, which names all apps of the group
    #[arg(long, value_name = "NAME")]
    pub namespace: Option<String>,
    /// User to run as, by name or number (root only)
    #[arg(short, long, visible_alias = "uid", value_name = "USER")]
    pub user: Option<String>,
    /// Group to run as, by name or number (root only)
    #[arg(long, value_name = "GROUP")]
    pub gid: Option<String>,
    /// Do not hand over variables whose name contains this; can be given several times
    #[arg(long, value_name = "PART")]
    pub filter_env: Vec<String>,
    /// File with variables, read at every start: `.env`; can be given several times
    #[arg(long, value_name = "FILE")]
    pub env_file: Vec<String>,
    /// Variable with the replica's index
    #[arg(long, value_name = "NAME")]
    pub instance_var: Option<String>,
    /// List it as stopped
    #[arg(long)]
    pub no_autostart: bool,
    /// Do not start it again when it ends
    #[arg(long)]
    pub no_autorestart: bool,
    /// Exit codes that mean "finished": it is not started again
    #[arg(long, value_name = "CODE", num_args = 1..)]
    pub stop_exit_codes: Vec<String>,
    /// Restart it above this memory, its child processes included: `200M`
    #[arg(long, value_name = "SIZE")]
    pub max_memory_restart: Option<String>,
    /// Wait this long before each restart: milliseconds, or `2s`
    #[arg(long, value_name = "TIME")]
    pub restart_delay: Option<String>,
    /// Wait this long before the first restart, half as long again before each next one
    #[arg(long, value_name = "TIME")]
    pub exp_backoff_restart_delay: Option<String>,
    /// Give up after so many short runs in a row, or so many restarts within `--restart-window`
    #[arg(long, value_name = "N")]
    pub max_restarts: Option<String>,
    /// Give up after `--max-restarts` restarts within this time too: `10m`
    #[arg(long, value_name = "TIME")]
    pub restart_window: Option<String>,
    /// A run of this length was a good start
    #[arg(long, value_name = "TIME")]
    pub min_uptime: Option<String>,
    /// Restart it by the clock: `0 3 * * *`; `0`: not any more
    #[arg(short, long, visible_alias = "cron", value_name = "PATTERN")]
    pub cron_restart: Option<String>,
    /// How long it may take to end before it is killed
    #[arg(short, long, value_name = "TIME")]
    pub kill_timeout: Option<String>,
    /// The signal that asks it to end
    #[arg(long, value_name = "SIGNAL")]
    pub kill_signal: Option<String>,
    /// Send that signal to the main process only
    #[arg(long)]
    pub no_treekill: bool,
    /// Ask it to end by the message `shutdown` instead of a signal
    #[arg(long)]
    pub shutdown_with_message: bool,
    /// It is up when it says `ready`
    #[arg(long)]
    pub wait_ready: bool,
    /// How long to wait for that
    #[arg(long, value_name = "TIME")]
    pub listen_timeout: Option<String>,
    /// File for standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<String>,
    /// File for standard error
    #[arg(short, long, value_name = "FILE")]
    pub error: Option<String>,
    /// File for both, besides; without a name `NAME.log` in the folder of logs
    #[arg(short, long, value_name = "FILE", num_args = 0..=1, default_missing_value = "")]
    pub log: Option<String>,
    /// Write no logs
    #[arg(long)]
    pub disable_logs: bool,
    /// `json`: each line as an object
    #[arg(long, value_name = "TYPE")]
    pub log_type: Option<String>,
    /// Date before each line: `YYYY-MM-DD HH:mm:ss`
    #[arg(long, value_name = "FORMAT")]
    pub log_date_format: Option<String>,
    /// Date before each line, in the usual format
    #[arg(long)]
    pub time: bool,
    /// All replicas write to the same files
    #[arg(long)]
    pub merge_logs: bool,
    /// File that tells the main process
    #[arg(short, long = "pid", value_name = "FILE")]
    pub pid_file: Option<String>,
    /// Which changes of files restart it.
    #[command(flatten)]
    pub watch: Watch,
}

impl Options {
    /// Returns the options as the fields that an ecosystem file has for them.
    pub fn fields(&self) -> Vec<(&'static str, Value)> {
        let texts = [
            ("name", &self.name),
            ("instances", &self.instances),
            ("exec_interpreter", &self.interpreter),
            ("node_args", &self.interpreter_args),
            ("exec_mode", &self.exec_mode),
            ("cwd", &self.cwd),
            ("namespace", &self.namespace),
            ("uid", &self.user),
            ("gid", &self.gid),
            ("instance_var", &self.instance_var),
            ("max_memory_restart", &self.max_memory_restart),
            ("restart_delay", &self.restart_delay),
            ("exp_backoff_restart_delay", &self.exp_backoff_restart_delay),
            ("max_restarts", &self.max_restarts),
            ("restart_window", &self.restart_window),
            ("min_uptime", &self.min_uptime),
            ("cron_restart", &self.cron_restart),
            ("kill_timeout", &self.kill_timeout),
            ("kill_signal", &self.kill_signal),
            ("listen_timeout", &self.listen_timeout),
            ("out_file", &self.output),
            ("error_file", &self.error),
            ("log_type", &self.log_type),
            ("log_date_format", &self.log_date_format),
            ("pid_file", &self.pid_file),
        ];
        let flags = [
            ("autostart", self.no_autostart, false),
            ("autorestart", self.no_autorestart, false),
            ("treekill", self.no_treekill, false),
            ("shutdown_with_message", self.shutdown_with_message, true),
            ("wait_ready", self.wait_ready, true),
            ("disable_logs", self.disable_logs, true),
            ("time", self.time, true),
            ("merge_logs", self.merge_logs, true),
        ];
        let combined = self.log.as_ref().map(|path| match path.as_str() {
            "" => ("log_file", Value::from(true)),
            path => ("log_file", Value::from(path)),
        });
        let lists = [("filter_env", &self.filter_env), ("stop_exit_codes", &self.stop_exit_codes)];
        let texts = texts.into_iter().filter_map(|(field, text)| {
            text.as_ref().map(|text| (field, Value::from(text.as_str())))
        });
        let flags = flags.into_iter().filter(|(_, given, _)| *given);
        let flags = flags.map(|(field, _, value)| (field, Value::from(value)));
        let lists = lists.into_iter().filter(|(_, list)| !list.is_empty());
        let lists = lists.map(|(field, list)| (field, listed(list)));
        let fork = self.execute_command.then(|| ("exec_mode", Value::from("fork")));
        let watch = self.watch.fields();
        let files =
            (!self.env_file.is_empty()).then(|| ("env_file", Value::from(self.env_file.clone())));
        texts
            .chain(combined)
            .chain(flags)
            .chain(lists)
            .chain(fork)
            .chain(watch)
            .chain(files)
            .collect()
    }
}

/// Several values of one option; each may hold several, with commas between them.
fn listed(values: &[String]) -> Value {
    let parts = values.iter().flat_map(|value| value.split(',')).map(str::trim);
    let parts = parts.filter(|part| !part.is_empty());
    Value::List(parts.map(|part| Node::from(Value::from(part))).collect())
}
