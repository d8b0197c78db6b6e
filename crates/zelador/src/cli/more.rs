//! The verbs beside starting, stopping and looking.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// What to do, besides.
#[derive(Debug, Subcommand)]
pub enum More {
    /// Have more or fewer replicas: `scale api 4`, `scale api +2`, `scale api -1`
    Scale {
        /// Name, namespace, number, `/regex/` or `all`
        selector: String,
        /// How many there are to be; `+N`: so many more; `-N`: so many fewer
        #[arg(value_name = "N|+N|-N", allow_hyphen_values = true)]
        to: String,
    },
    /// Count restarts and short runs from 0 on
    Reset {
        /// Names, namespaces, numbers, `/regex/` or `all`
        #[arg(required = true, value_name = "SELECTOR")]
        selectors: Vec<String>,
    },
    /// Send a signal to main processes: `sendSignal SIGUSR2 api`
    #[command(name = "sendSignal", visible_alias = "signal")]
    SendSignal {
        /// `SIGHUP`, `HUP` or `1`
        signal: String,
        /// Names, namespaces, numbers, `/regex/` or `all`
        #[arg(required = true, value_name = "SELECTOR")]
        selectors: Vec<String>,
    },
    /// Write a line to the standard input of apps: `send repl "process.uptime()"`
    Send {
        /// Name, number, `name/index`, namespace, `/regex/` or `all`
        selector: String,
        /// The line; several words become one line with blanks between them
        #[arg(
            required = true,
            value_name = "WORD",
            allow_hyphen_values = true,
            trailing_var_arg = true
        )]
        line: Vec<OsString>,
    },
    /// Show an app's output, and write what is typed to its standard input
    ///
    /// Ctrl-C or Ctrl-D leaves, and the app stays up.
    Attach {
        /// Name, number or `name/index`
        selector: String,
        /// What each line ends with; default: a line feed
        separator: Option<OsString>,
    },
    /// Show what was tried again: how often, with what success, and the last errors
    Retries {
        /// The operation whose attempts are shown, one by one: `restart`
        operation: Option<String>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Show the breakers, which keep what fails from being tried all the time, or operate one
    Breaker {
        /// What to do; default: show all
        #[arg(value_enum, default_value = "list")]
        what: BreakerOrder,
        /// Of what: `app:api`, `notify:slack`
        #[arg(required_if_eq_any([
            ("what", "force-open"), ("what", "disable"), ("what", "metrics-only"), ("what", "reset"),
        ]))]
        target: Option<String>,
        /// Which operation: `start`, `send`; default: all of the target
        operation: Option<String>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Show what is in maintenance or muted, or begin and end a maintenance
    ///
    /// What is in maintenance is kept up, but opens no incident, gets no remedy, and nobody is told.
    Maintenance {
        /// What to do; default: show
        #[command(subcommand)]
        what: Option<Maintenance>,
    },
    /// Mute a check: it is looked at and shown, but nobody is told and nothing is done
    #[command(subcommand)]
    Check(Check),
    /// Print main processes, one a line; 0 for what is not up
    Pid {
        /// Name, namespace, number, `/regex/`; default: all
        selector: Option<String>,
    },
    /// Print the numbers of an app: `[ 0, 1 ]`
    Id {
        /// Name, namespace or `/regex/`
        selector: String,
    },
    /// Print the environment that an app is given, secrets masked
    Env {
        /// Name, number or `name/index`
        selector: String,
        /// Secrets too
        #[arg(long)]
        show_secrets: bool,
    },
    /// Empty the log files of apps, or of all of them; what is written next is kept
    Flush {
        /// Names, namespaces, numbers, `/regex/`; default: all, and zelador's own log
        #[arg(value_name = "SELECTOR")]
        selectors: Vec<String>,
    },
    /// Change a setting of a module: `set pm2-logrotate:max_size 10M`; an app of that name restarts
    Set {
        /// `MODULE:OPTION` or `MODULE.OPTION`
        key: String,
        /// Its value
        #[arg(allow_hyphen_values = true)]
        value: String,
    },
    /// Print a setting of a module, or what sets those of a module or of all
    Get {
        /// `MODULE:OPTION`, or `MODULE`; default: all
        key: Option<String>,
    },
    /// Take away a setting of a module, those of a module, or `all`
    Unset {
        /// `MODULE:OPTION`, `MODULE` or `all`
        key: String,
    },
    /// Change several settings: `multiset "pm2-logrotate:max_size 10M pm2-logrotate:retain 30"`
    Multiset {
        /// Settings, each followed by its value
        #[arg(required = true, value_name = "KEY VALUE", allow_hyphen_values = true)]
        pairs: Vec<String>,
    },
    /// Print settings of modules as `get`; with a value, change one as `set`
    Conf {
        /// `MODULE:OPTION`, or `MODULE`; default: all
        key: Option<String>,
        /// Its value
        #[arg(allow_hyphen_values = true)]
        value: Option<String>,
    },
    /// Have npm install a module, and run it as an app
    ///
    /// What pm2-logrotate, pm2-slack and pm2-server-monit do is built in: nothing is installed for them.
    #[command(visible_alias = "module:install")]
    Install {
        /// Name of a package (`NAME@VERSION`), folder, archive or git address
        package: String,
        /// PM2 goes back when the module restarts within this time; no effect: `zelador show` tells
        #[arg(long, value_name = "MILLISECONDS", num_args = 0..=1, default_missing_value = "3000")]
        #[arg(hide = true)]
        safe: Option<String>,
    },
    /// Stop a module and remove it; its settings are kept
    #[command(visible_alias = "module:uninstall")]
    Uninstall {
        /// Its name, or `all`
        module: String,
    },
    /// Have a Node app open its inspector, for a debugger
    Inspect {
        /// Name, number or `name/index`
        selector: String,
    },
    /// Close every log file and open it anew, after something else has moved it
    #[command(name = "reloadLogs", alias = "reload-logs")]
    ReloadLogs,
    /// Start what an ecosystem file declares, and restart what is listed already
    #[command(name = "startOrRestart", alias = "start-or-restart")]
    StartOrRestart(OfFile),
    /// Start what an ecosystem file declares, and reload what is listed already
    #[command(name = "startOrReload", alias = "start-or-reload")]
    #[command(visible_alias = "startOrGracefulReload")]
    StartOrReload(OfFile),
    /// Serve a folder with static files, as an app
    #[command(visible_alias = "expose")]
    Serve(super::serve::Serve),
    /// Go over to another executable of zelador; services notice nothing, and one that is no good is
    /// rolled back
    Upgrade {
        /// The executable; default: this one
        binary: Option<PathBuf>,
    },
    /// Say why an app is sick, and what would help: from what is known of it, or from evidence on
    /// standard input (`diagnose --json -`)
    Diagnose {
        /// Name, number or `name/index`; `-`: a JSON object of evidence on standard input
        app: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Show exactly what a language model would be asked, and send nothing
        #[arg(long)]
        show_prompt: bool,
    },
    /// Show who is told what, or try a channel
    #[command(subcommand)]
    Notify(Notify),
    /// Have the engine panic, to see what follows: services go on, and the guardian starts another engine
    #[command(name = "debug-panic", hide = true)]
    DebugPanic {
        /// Where
        #[arg(default_value = "driver")]
        at: PanicPlace,
    },
    /// Check the installation and the host, and say what is missing and what to do (exit code: 0 all is
    /// well, 1 warnings, 2 something does not work)
    Doctor {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the token that asking over the network needs; made when there is none
    Token {
        /// Make a new one; a zelador that listens takes it at its next start
        #[arg(long)]
        new: bool,
    },
    /// Empty the saved list
    Cleardump,
    /// Print the list as JavaScript shows an object, in PM2's shape
    Prettylist,
    /// Show the host: processors, memory, disks
    #[command(visible_alias = "sysinfos")]
    Slist {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print what helps with a bug report, secrets masked; with `--since 7d` what was healed and what not
    Report {
        /// Tell instead what was healed since so long ago: `90m`, `12h`, `7d`
        #[arg(long, value_name = "SPAN")]
        since: Option<String>,
        /// Print JSON (with --since)
        #[arg(long, requires = "since")]
        json: bool,
    },
    /// Write a commented ecosystem.config.js into this folder
    #[command(visible_alias = "init")]
    Ecosystem {
        /// `simple`: a short one without comments
        kind: Option<EcosystemKind>,
        /// Overwrite one that is there
        #[arg(short, long)]
        force: bool,
    },
    /// Print a script that completes verbs and options in a shell
    Completion {
        /// The shell
        shell: Shell,
    },
    /// Show examples of the verbs
    Examples,
}

/// Maintenance.
#[derive(Debug, Subcommand)]
pub enum Maintenance {
    /// Begin one: `maintenance start 30m`, `maintenance start 2h api web`
    Start {
        /// How long: `30m`, `2h`
        span: String,
        /// Names, namespaces, numbers, `/regex/`; default: everything
        #[arg(value_name = "SELECTOR")]
        selectors: Vec<String>,
    },
    /// End it before its time
    End {
        /// Names, namespaces, numbers, `/regex/`; default: that of everything
        #[arg(value_name = "SELECTOR")]
        selectors: Vec<String>,
    },
}

/// Checks.
#[derive(Debug, Subcommand)]
pub enum Check {
    /// Mute one: `check mute database:main --for 1h`
    Mute {
        /// What it is called in `zelador health`; `app:NAME`: all replicas of an app
        name: String,
        /// How long: `1h`; default: until it is unmuted
        #[arg(long = "for", value_name = "SPAN")]
        span: Option<String>,
    },
    /// Hear of it again
    Unmute {
        /// What it is called
        name: String,
    },
}

/// Notices.
#[derive(Debug, Subcommand)]
pub enum Notify {
    /// Show channels, how they are, and routes
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Send a message to a channel, and say whether it was taken
    Test {
        /// The channel's name
        channel: String,
    },
}

/// An ecosystem file, and what of it.
#[derive(Debug, Args)]
pub struct OfFile {
    /// The file; `-`: JSON on standard input
    pub file: PathBuf,
    /// Lay `env_NAME` of the file over `env`
    #[arg(long = "env", value_name = "NAME")]
    pub env_name: Option<String>,
    /// Only these apps of the file
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub only: Option<Vec<String>>,
}

/// Which ecosystem file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EcosystemKind {
    /// One app, no comments.
    Simple,
}

/// Where an engine panics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PanicPlace {
    /// In the driver.
    Driver,
    /// In the thread that moves lines.
    Logs,
    /// In a task: the engine goes on.
    Task,
}

/// Which shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// bash
    Bash,
    /// zsh
    Zsh,
    /// fish
    Fish,
}

/// What to do to a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BreakerOrder {
    /// Show all
    List,
    /// Keep it open: nothing is tried until told otherwise
    ForceOpen,
    /// Turn it off: everything is tried, nothing is counted
    Disable,
    /// Only count: everything is tried
    MetricsOnly,
    /// Close it, as if nothing had happened; of an app that keeps dying: start it now
    Reset,
}
