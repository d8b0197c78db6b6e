//! The words of the command line.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};

/// Keeps other people's services alive: supervises, checks, diagnoses, heals, and leaves a record.
#[derive(Debug, Parser)]
#[command(name = "zelador", version, after_help = AFTER_HELP)]
#[command(arg_required_else_help = true, infer_long_args = false)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

const AFTER_HELP: &str = "\
Selectors: an app's name, a number from the list, `name/index` for one replica, `all`, or an
ecosystem file, which stands for the names of its apps.

Only `start`, and `resurrect` when there is a saved list, bring zelador up; every other verb says
so when it is not running.

Exit codes: 0 done; 1 failed or refused (also when one of several apps did).
`health`: 0 healthy, 1 degraded, 2 unhealthy or no answer.

Environment: ZELADOR_HOME, the folder of everything that zelador keeps (default: ~/.zelador);
NO_COLOR, no colours; COLUMNS, the width of tables when stdout is no terminal.";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Start an app, or bring up what is down; brings zelador up when needed
    Start(Box<Start>),
    /// Stop apps and keep them in the list
    Stop(Selectors),
    /// Stop and start apps
    Restart(Selectors),
    /// Replace apps one instance after another: workers of a cluster without a gap
    Reload(Selectors),
    /// Stop apps and forget them
    #[command(visible_alias = "del")]
    Delete(Selectors),
    /// Show the list of apps
    #[command(visible_aliases = ["ls", "l", "ps", "status"])]
    List,
    /// Print the list as JSON, in PM2's shape (nothing on stdout and exit code 1 when zelador is
    /// not running)
    Jlist,
    /// Show everything about an app
    #[command(visible_aliases = ["describe", "desc", "info"])]
    Show {
        /// Name, number or `name/index`
        selector: String,
    },
    /// Show the last lines of logs and follow them
    #[command(visible_alias = "log")]
    Logs(Logs),
    /// Save the list of apps, for `resurrect`
    #[command(visible_alias = "dump")]
    Save {
        /// Save an empty list too
        #[arg(short, long)]
        force: bool,
    },
    /// Start the apps that were saved
    Resurrect,
    /// Stop and forget every app, then end zelador
    Kill,
    /// Tell who answers
    Ping,
    /// Show how everything is (exit code: 0 healthy, 1 degraded, 2 unhealthy or no answer)
    Health {
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Look at everything now instead of telling what the last looks found
        #[arg(long)]
        now: bool,
    },
    /// Show what went wrong and what was done about it
    #[command(visible_alias = "incident")]
    Incidents {
        /// The number of one incident, to see its story
        id: Option<u64>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Check configuration
    #[command(subcommand)]
    Config(Config),
}

/// Configuration.
#[derive(Debug, Subcommand)]
pub enum Config {
    /// Say everything that is wrong with an ecosystem file, or what it declares
    Check {
        /// The file
        file: PathBuf,
        /// Lay `env_NAME` over `env`
        #[arg(long = "env", value_name = "NAME")]
        env_name: Option<String>,
        /// Print the apps as they are understood, as JSON without the inherited environment
        #[arg(long)]
        json: bool,
    },
}

/// Which apps.
#[derive(Debug, Args)]
pub struct Selectors {
    /// Names, numbers, `name/index`, `all`, or an ecosystem file
    #[arg(required = true, value_name = "SELECTOR")]
    pub selectors: Vec<String>,
}

/// What to start, and how.
#[derive(Debug, Default, Args)]
pub struct Start {
    /// Ecosystem files, scripts, programs, commands in quotes; or names, numbers or `all` of what
    /// is in the list. Default: `ecosystem.config.js` in this folder
    #[arg(value_name = "FILE|SCRIPT|NAME|ID|all")]
    pub targets: Vec<String>,
    /// Arguments of the script
    #[arg(last = true, value_name = "ARGS")]
    pub args: Vec<String>,
    /// Lay `env_NAME` of the ecosystem file over `env`
    #[arg(long = "env", value_name = "NAME")]
    pub env_name: Option<String>,
    /// Only these apps of the ecosystem file
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub only: Option<Vec<String>>,
    /// How a script is started
    #[command(flatten)]
    pub options: Options,
}

/// How a script is started: what an ecosystem file says in fields.
#[derive(Debug, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Options of a script")]
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
    /// Working directory
    #[arg(long, value_name = "FOLDER")]
    pub cwd: Option<String>,
    /// Word for grouping
    #[arg(long, value_name = "NAME")]
    pub namespace: Option<String>,
    /// Do not start it again when it ends
    #[arg(long)]
    pub no_autorestart: bool,
    /// Restart it above this memory, its child processes included: `200M`
    #[arg(long, value_name = "SIZE")]
    pub max_memory_restart: Option<String>,
    /// Wait this long before each restart: milliseconds, or `2s`
    #[arg(long, value_name = "TIME")]
    pub restart_delay: Option<String>,
    /// Wait this long before the first restart, half as long again before each next one
    #[arg(long, value_name = "TIME")]
    pub exp_backoff_restart_delay: Option<String>,
    /// Give up after so many short runs in a row
    #[arg(long, value_name = "N")]
    pub max_restarts: Option<String>,
    /// Restart it by the clock: `0 3 * * *`
    #[arg(short, long, visible_alias = "cron", value_name = "PATTERN")]
    pub cron_restart: Option<String>,
    /// How long it may take to end before it is killed
    #[arg(short, long, value_name = "TIME")]
    pub kill_timeout: Option<String>,
    /// File for standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<String>,
    /// File for standard error
    #[arg(short, long, value_name = "FILE")]
    pub error: Option<String>,
    /// Date before each line: `YYYY-MM-DD HH:mm:ss`
    #[arg(long, value_name = "FORMAT")]
    pub log_date_format: Option<String>,
    /// Date before each line, in the usual format
    #[arg(long)]
    pub time: bool,
    /// All replicas write to the same files
    #[arg(long)]
    pub merge_logs: bool,
}

/// Which logs, and how much of them.
#[derive(Debug, Args)]
pub struct Logs {
    /// Name, number, `name/index`, namespace or `all`; default: all
    pub selector: Option<String>,
    /// How many of the last lines of each file; 0: new lines only
    #[arg(long, default_value_t = 15, value_name = "N")]
    pub lines: usize,
    /// Standard error only
    #[arg(long, conflicts_with = "out")]
    pub err: bool,
    /// Standard output only
    #[arg(long)]
    pub out: bool,
    /// Do not wait for new lines
    #[arg(long)]
    pub nostream: bool,
    /// Lines as the app wrote them, escape sequences included; standard error goes to stderr
    #[arg(long)]
    pub raw: bool,
    /// Zelador's own log
    #[arg(long = "self", conflicts_with_all = ["selector", "err", "out"])]
    pub own: bool,
}

/// Reads the command line.
///
/// # Errors
/// It was answered already: help and version with exit code 0, mistakes with 1, as PM2 does.
pub fn read() -> Result<Verb, ExitCode> {
    match Cli::try_parse() {
        Ok(cli) => Ok(cli.verb),
        Err(error) => {
            // A closed pipe is all that can go wrong here.
            let _ = error.print();
            Err(match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
                _ => ExitCode::FAILURE,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Verb, String> {
        let words = ["zelador"].into_iter().chain(line.split(' '));
        Cli::try_parse_from(words).map(|cli| cli.verb).map_err(|error| error.to_string())
    }

    #[test]
    fn the_command_line_is_consistent_in_itself() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_follows_two_dashes_goes_to_the_script() {
        let Ok(Verb::Start(start)) = parse("start app.js -i max -n api -- --port 1 -x") else {
            panic!("not a start");
        };
        assert_eq!(start.targets, ["app.js"]);
        assert_eq!(start.args, ["--port", "1", "-x"]);
        assert_eq!(start.options.name.as_deref(), Some("api"));
        assert_eq!(start.options.instances.as_deref(), Some("max"));
        let Ok(Verb::Start(start)) = parse("start app.js -i -1 --only a,b") else {
            panic!("not a start");
        };
        assert_eq!(start.options.instances.as_deref(), Some("-1"));
        assert_eq!(start.only.unwrap_or_default(), ["a", "b"]);
    }

    #[test]
    fn pm2s_aliases_are_known() {
        for verb in ["list", "ls", "l", "ps", "status"] {
            assert!(matches!(parse(verb), Ok(Verb::List)), "{verb}");
        }
        for verb in ["show", "describe", "desc", "info"] {
            assert!(matches!(parse(&format!("{verb} 0")), Ok(Verb::Show { .. })), "{verb}");
        }
        assert!(matches!(parse("del a b"), Ok(Verb::Delete(all)) if all.selectors == ["a", "b"]));
    }

    #[test]
    fn a_wrong_word_is_answered_with_the_nearest() {
        assert!(parse("lsit").unwrap_err().contains("'list'"));
        assert!(parse("strat x").unwrap_err().contains("'start'"));
        assert!(parse("start x --max-restart 3").unwrap_err().contains("--max-restarts"));
        assert!(parse("logs --follow").unwrap_err().contains("unexpected argument"));
        assert!(parse("stop").unwrap_err().contains("SELECTOR"));
    }

    #[test]
    fn the_help_is_stable() {
        insta::assert_snapshot!(Cli::command().render_help());
    }
}
