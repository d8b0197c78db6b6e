//! The words of PM2's command line, as commander takes them: options anywhere, before the verb or
//! after it, the last of several counts, and all after `--` is the script's.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, CommandFactory, Parser};

use crate::cli::Options;

/// One command line of PM2.
#[derive(Debug, Default, Parser)]
#[command(name = "pm2", disable_version_flag = true, disable_help_flag = true)]
#[command(args_override_self = true)]
pub struct Line {
    /// The verb, and what it is about
    #[arg(value_name = "WORD")]
    pub words: Vec<String>,
    /// Arguments of the script
    #[arg(last = true, value_name = "ARGS")]
    pub args: Vec<String>,
    /// Say nothing but what is asked for as data
    #[arg(short, long)]
    pub silent: bool,
    /// No colours
    #[arg(long)]
    pub no_color: bool,
    /// Print the version
    #[arg(short, short_alias = 'V', long)]
    pub version: bool,
    /// Print this
    #[arg(short, long)]
    pub help: bool,
    /// Lay `env_NAME` of the ecosystem file over `env`
    #[arg(long = "env", value_name = "NAME")]
    pub env_name: Option<String>,
    /// Only these apps of the ecosystem file
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub only: Option<Vec<String>>,
    /// Give apps the environment of this shell
    #[arg(short = 'a', long)]
    pub update_env: bool,
    /// Start a script that is up once more; save an empty list; overwrite a file
    #[arg(short, long)]
    pub force: bool,
    /// Follow the logs of what was started
    #[arg(long)]
    pub attach: bool,
    /// Start in the foreground, and stop everything with it
    #[arg(long)]
    pub no_daemon: bool,
    /// Order of the list: `FIELD:asc`, `FIELD:desc`
    #[arg(long, value_name = "FIELD")]
    pub sort: Option<String>,
    /// The list as lines of `key : value`
    #[arg(short, long = "mini-list")]
    pub mini: bool,
    /// Write what is started into `NAME-pm2.json`
    #[arg(short, long)]
    pub write: bool,
    /// With `--watch`: only files with these extensions
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub ext: Vec<String>,
    /// How a script is started, or what a restart changes.
    #[command(flatten)]
    pub options: Options,
    /// What PM2 knows and nothing comes of.
    #[command(flatten)]
    pub ignored: Ignored,
}

/// Options that are taken and have no effect: what they ask for is so anyway, or is nothing that
/// one can miss.
#[derive(Debug, Default, Args)]
pub struct Ignored {
    #[arg(long, value_name = "N", hide = true)]
    parallel: Option<String>,
    #[arg(long, value_name = "HOME", hide = true)]
    hp: Option<String>,
    #[arg(long, value_name = "NAME", hide = true)]
    service_name: Option<String>,
    #[arg(long, hide = true)]
    wait_ip: bool,
    #[arg(long, hide = true)]
    no_vizion: bool,
    #[arg(long, hide = true)]
    no_pmx: bool,
    #[arg(long, hide = true)]
    no_automation: bool,
    #[arg(long, hide = true)]
    source_map_support: bool,
    #[arg(long, hide = true)]
    disable_source_map_support: bool,
    #[arg(long, hide = true)]
    trace: bool,
    #[arg(long, hide = true)]
    disable_trace: bool,
    #[arg(long, hide = true)]
    v8: bool,
    #[arg(long, hide = true)]
    event_loop_inspector: bool,
    #[arg(long, hide = true)]
    deep_monitoring: bool,
}

impl Ignored {
    /// The options that ask for something that does not happen, and that somebody may miss.
    pub fn missed(&self) -> Vec<&'static str> {
        let given = [
            ("--trace", self.trace),
            ("--v8", self.v8),
            ("--event-loop-inspector", self.event_loop_inspector),
            ("--deep-monitoring", self.deep_monitoring),
        ];
        given.into_iter().filter(|(_, given)| *given).map(|(name, _)| name).collect()
    }
}

/// Why a command line is not understood, as commander says it.
#[derive(Debug, PartialEq, Eq)]
pub struct Misunderstood(pub String);

impl Misunderstood {
    /// Returns what clap found, in commander's words.
    pub fn from_clap(error: &clap::Error) -> Self {
        let of = |kind| match error.get(kind) {
            Some(ContextValue::String(text)) => Some(text.as_str()),
            Some(ContextValue::Strings(texts)) => texts.first().map(String::as_str),
            _ => None,
        };
        let option = of(ContextKind::InvalidArg).unwrap_or_default();
        let said = match error.kind() {
            ErrorKind::UnknownArgument => {
                let near = of(ContextKind::SuggestedArg);
                let near = near.map_or(String::new(), |near| format!(" (did you mean `{near}'?)"));
                format!("unknown option `{option}'{near}")
            }
            ErrorKind::InvalidValue if of(ContextKind::InvalidValue).is_none_or(str::is_empty) => {
                format!("option `{option}' argument missing")
            }
            ErrorKind::MissingRequiredArgument => {
                format!("missing required argument `{}'", option.trim_matches(['<', '>', '.']))
            }
            _ => {
                let text = error.to_string();
                let first = text.lines().next().unwrap_or_default();
                first.strip_prefix("error: ").unwrap_or(first).to_owned()
            }
        };
        Self(said)
    }
}

impl Line {
    /// Reads a command line without the program's name.
    ///
    /// # Errors
    /// An option is not known, or has no value.
    pub fn read(words: &[OsString]) -> Result<Self, Misunderstood> {
        let program = OsString::from("pm2");
        let line = Self::try_parse_from(std::iter::once(&program).chain(words));
        let mut line = line.map_err(|error| Misunderstood::from_clap(&error))?;
        line.options.watch.only(&line.ext);
        Ok(line)
    }

    /// The words after the verb.
    pub fn rest(&self) -> &[String] {
        self.words.get(1..).unwrap_or_default()
    }

    /// The options, as `--help` shows them.
    pub fn shown_options() -> String {
        let help = Self::command().render_help().to_string();
        help.split_once("Options:").map_or(String::new(), |(_, options)| options.to_owned())
    }
}

/// Returns where the verb stands: the first word that is no option and no option's value.
pub fn place_of_verb(words: &[OsString]) -> Option<usize> {
    let command = Line::command();
    let takes_value = |word: &str| {
        let argument = command.get_arguments().find(|it| match word.strip_prefix("--") {
            Some(long) => {
                it.get_long() == Some(long)
                    || it.get_all_aliases().is_some_and(|all| all.contains(&long))
            }
            None => it.get_short().is_some_and(|short| {
                word.strip_prefix('-') == Some(short.encode_utf8(&mut [0; 4]))
            }),
        });
        argument.is_some_and(|it| it.get_action().takes_values())
    };
    let mut at = 0;
    while let Some(word) = words.get(at) {
        let word = word.to_string_lossy();
        if word == "--" {
            return None;
        }
        if !word.starts_with('-') || word == "-" {
            return Some(at);
        }
        let next_is_word =
            words.get(at + 1).is_some_and(|next| !next.as_encoded_bytes().starts_with(b"-"));
        at += if takes_value(&word) && next_is_word { 2 } else { 1 };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    fn read(line: &str) -> Line {
        Line::read(&words(line)).unwrap_or_else(|error| panic!("{line}: {error:?}"))
    }

    #[test]
    fn the_command_line_is_consistent_in_itself() {
        Line::command().debug_assert();
    }

    #[test]
    fn options_stand_anywhere_and_the_last_one_counts() {
        let line = read("--name a start app.js -i 2 -i max --watch --name b -- --port 1 -x");
        assert_eq!(line.words, ["start", "app.js"]);
        assert_eq!(line.args, ["--port", "1", "-x"]);
        assert_eq!(line.options.name.as_deref(), Some("b"));
        assert_eq!(line.options.instances.as_deref(), Some("max"));
        let line = read("-s delete all");
        assert!(line.silent && line.words == ["delete", "all"]);
        let line = read("start eco.config.js --env production --only a,b");
        assert_eq!(line.only.unwrap_or_default(), ["a", "b"]);
        let line = read("start app.js --watch src --watch lib --node-args --harmony");
        assert_eq!(line.options.watch.paths, ["src", "lib"]);
        assert_eq!(line.options.interpreter_args.as_deref(), Some("--harmony"));
        let line = read("start app.js --no-autorestart --no-vizion --no-pmx --source-map-support");
        assert!(line.options.no_autorestart && line.ignored.missed().is_empty());
    }

    #[test]
    fn extensions_narrow_what_is_watched() {
        let paths = |line: &str| read(line).options.watch.paths;
        assert_eq!(paths("start app.js --watch --ext js,json"), ["**/*.{js,json}"]);
        assert_eq!(paths("start app.js --ext .ts --watch src/"), ["src/**/*.{ts}"]);
        assert_eq!(paths("restart app --watch false --ext js"), ["false"]);
        assert!(paths("start app.js --ext js").is_empty(), "it does not watch by itself");
    }

    #[test]
    fn the_verb_is_found_behind_options() {
        let verb = |line: &str| {
            let words = words(line);
            place_of_verb(&words).map(|at| words[at].to_string_lossy().into_owned())
        };
        for line in [
            "start app.js",
            "-s start",
            "--name api start app.js",
            "-n api -i 2 start app.js",
            "--name=api start",
            "--no-color --watch src start",
            "--unknown start",
        ] {
            assert_eq!(verb(line).as_deref(), Some("start"), "{line}");
        }
        assert_eq!(verb("--version"), None);
        assert_eq!(verb("-- start"), None);
    }

    #[test]
    fn what_is_not_understood_is_said_as_commander_says_it() {
        let said = |line: &str| Line::read(&words(line)).unwrap_err().0;
        assert_eq!(said("start app.js --bogus"), "unknown option `--bogus'");
        assert_eq!(
            said("start x --max-restart 3"),
            "unknown option `--max-restart' (did you mean `--max-restarts'?)"
        );
        assert!(said("start x --name").contains("--name"));
    }
}
