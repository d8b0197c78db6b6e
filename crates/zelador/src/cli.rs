//! The words of the command line.

pub mod boot;
pub mod import;
pub mod more;
mod number;
pub mod options;
pub mod serve;
pub mod watch;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, Parser, Subcommand};

use crate::output;
use crate::pm2::verbs;

pub use crate::command::logs::Level;
pub use more::{More, Notify};
use number::number;
pub use options::Options;

/// Keeps other people's services alive: supervises, checks, diagnoses, heals, and leaves a record.
#[derive(Debug, Parser)]
#[command(name = "zelador", version, after_help = AFTER_HELP)]
#[command(arg_required_else_help = true, infer_long_args = false)]
pub struct Cli {
    /// Say nothing but errors and what was asked for as data (JSON, logs, pids)
    #[arg(short, long, global = true)]
    pub silent: bool,
    /// No colours
    #[arg(long, global = true)]
    pub no_color: bool,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

const AFTER_HELP: &str = "\
Selectors: an app's name, the path of its script, a namespace, a number from the list, `name/index`
for one replica, `/regex/` on names, `all`; or an ecosystem file, which stands for its apps (`-`:
JSON on standard input).

Only the verbs that start (`start`, `startOr…`), and `resurrect` when there is a list, bring zelador
up; every other verb says so when it is not running.

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
    /// Stop and start apps; given a file, the file is the truth; options change what is stored
    Restart(Box<Restart>),
    /// Replace apps one instance after another: workers of a cluster without a gap
    Reload(Selectors),
    /// Call an action that an app offers over its channel (`@pm2/io`)
    Trigger {
        /// Names, numbers, `name/index` or `all`
        selector: String,
        /// Which action
        action: String,
        /// What it is given
        param: Option<String>,
    },
    /// Stop apps and forget them
    #[command(visible_alias = "del")]
    Delete(Selectors),
    /// Show the list of apps
    #[command(visible_aliases = ["ls", "l", "ps", "status"])]
    List(List),
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
    /// Watch apps, their logs and the host on a screen, and act on them
    #[command(visible_alias = "dash")]
    Monit,
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
        /// Show it anew every so many seconds, until Ctrl-C
        #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "2",
            value_parser = clap::value_parser!(u64).range(1..=3600))]
        watch: Option<u64>,
    },
    /// Show what went wrong and what was done about it
    #[command(visible_alias = "incident")]
    Incidents {
        /// The number of one incident, or what to do with it
        #[arg(value_name = "ID|show|export|explain|approve|reject|mute|close|open")]
        what: Option<String>,
        /// Its number, after a word; after `open` the app, and what is wrong with it in your words
        #[arg(value_name = "ID|APP WORDS")]
        of: Vec<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Print a post-mortem in Markdown (the only form of `export`)
        #[arg(long)]
        markdown: bool,
    },
    /// Run apps in the foreground, as the main process of a container: their output is ours
    #[command(visible_alias = "docker")]
    Runtime(Box<boot::Runtime>),
    /// Run apps in the foreground, and restart them when files change
    Dev(Box<boot::Runtime>),
    /// Take over apps from another process manager
    #[command(subcommand)]
    Import(import::Import),
    /// Begin with the host: install a service, and prove that it works
    Startup(boot::Startup),
    /// Do not begin with the host any more; what runs is left alone
    Unstartup(boot::StartupOf),
    /// Check a file, or print and change settings of modules as `conf`
    #[command(args_conflicts_with_subcommands = true)]
    Config {
        /// `check`
        #[command(subcommand)]
        what: Option<Config>,
        /// `MODULE:OPTION`, or `MODULE`
        key: Option<String>,
        /// Its value
        #[arg(allow_hyphen_values = true)]
        value: Option<String>,
    },
    /// The others.
    #[command(flatten)]
    More(More),
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
    /// Names, namespaces, numbers, `name/index`, `/regex/`, `all`, or an ecosystem file
    #[arg(required = true, value_name = "SELECTOR")]
    pub selectors: Vec<String>,
    /// Only these apps of the ecosystem file
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub only: Option<Vec<String>>,
}

/// Which apps to restart, and what to change of them.
#[derive(Debug, Default, Args)]
pub struct Restart {
    /// Names, namespaces, numbers, `name/index`, `/regex/`, `all`, or an ecosystem file
    #[arg(required = true, value_name = "SELECTOR")]
    pub selectors: Vec<String>,
    /// Arguments of the script, from now on
    #[arg(last = true, value_name = "ARGS")]
    pub args: Vec<String>,
    /// Lay `env_NAME` of the ecosystem file over `env`
    #[arg(long = "env", value_name = "NAME")]
    pub env_name: Option<String>,
    /// Only these apps of the ecosystem file
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub only: Option<Vec<String>>,
    /// Give them the environment of this shell; a variable that is gone here goes
    #[arg(short = 'a', long)]
    pub update_env: bool,
    /// What to change
    #[command(flatten)]
    pub options: Options,
}

/// How to show the list.
#[derive(Debug, Default, Args)]
pub struct List {
    /// Blocks of `key : value` instead of a table
    #[arg(short, long = "mini-list")]
    pub mini: bool,
    /// Order: name, namespace, pid, id, cpu, memory, uptime or status; `:asc` or `:desc` after it
    #[arg(long, value_name = "FIELD", default_value = "id")]
    pub sort: String,
    /// Show it again and again
    #[arg(long)]
    pub watch: bool,
}

/// What to start, and how.
#[derive(Clone, Debug, Default, Args)]
pub struct Start {
    /// Ecosystem files, scripts, programs, commands in quotes; or names, numbers or `all` of what
    /// is in the list; `-`: JSON on standard input. Default: `ecosystem.config.js` in this folder
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
    /// Follow the logs of what was started
    #[arg(long)]
    pub attach: bool,
    /// PM2 starts the same script twice with this; here every app has a name of its own: use `--name`
    #[arg(short, long)]
    pub force: bool,
    /// How a script is started
    #[command(flatten)]
    pub options: Options,
}

/// Which logs, and how much of them.
#[derive(Debug, Default, Args)]
pub struct Logs {
    /// Name, number, `name/index`, namespace, `/regex/` or `all`; default: all
    pub selector: Option<String>,
    /// How many of the last lines of each file; 0: new lines only
    #[arg(long, default_value_t = 15, value_name = "N", value_parser = number::<usize>("a whole number"))]
    pub lines: usize,
    /// Lines from then on, rotated files too: `10m`, `2h`, `14:30`, `2026-11-28 14:30`
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Lines that this regular expression fits; small letters mean capitals too
    #[arg(long, value_name = "PATTERN")]
    pub grep: Option<String>,
    /// Lines of this level or worse; standard error counts as error where a line does not say it
    #[arg(long, value_enum, ignore_case = true)]
    pub level: Option<Level>,
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
    /// Each line as an object, and each change of an app's status
    #[arg(long, conflicts_with_all = ["raw", "format"])]
    pub json: bool,
    /// Each line as `timestamp=… app=… id=… type=… message=…`
    #[arg(long, conflicts_with = "raw")]
    pub format: bool,
    /// When each new line was seen, before it; the date is written as day.js does
    #[arg(long, value_name = "FORMAT", num_args = 0..=1)]
    #[arg(default_missing_value = "YYYY-MM-DD-HH:mm:ss")]
    pub timestamp: Option<String>,
    /// Show this text in reverse video
    #[arg(long, value_name = "TEXT", num_args = 0..=1, default_missing_value = "")]
    pub highlight: Option<String>,
    /// Zelador's own log
    #[arg(long = "self", conflicts_with_all = ["selector", "err", "out"])]
    pub own: bool,
}

/// Reads a line of words, the program's name among them.
///
/// # Errors
/// It is not understood, or asks for help.
pub fn try_read(line: &[OsString]) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line)
}

/// Reads the command line.
///
/// # Errors
/// It was answered already: help and version with exit code 0, mistakes with 1, as PM2 does.
pub fn read(words: &[OsString]) -> Result<Cli, ExitCode> {
    match Cli::try_parse_from(words) {
        Ok(cli) => Ok(cli),
        Err(error) => {
            if let Some(ContextValue::String(verb)) = error.get(ContextKind::InvalidSubcommand)
                && let Some(why) = verbs::instead(verb)
            {
                output::error(&format!(
                    "there is no `{verb}`: {}",
                    why.replace("`pm2 ", "`zelador ")
                ));
                return Err(ExitCode::FAILURE);
            }
            output::misread(&error, words);
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
            assert!(matches!(parse(verb), Ok(Verb::List(_))), "{verb}");
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
