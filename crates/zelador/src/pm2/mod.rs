//! The command line as PM2: the same commands of the same engine, in PM2's words.
//!
//! Called by the name `pm2`, or as `zelador pm2 …`. This folder holds words only: how a line is
//! read (`words`, `verbs`), what is said (`say`), what tables look like (`table`, `describe`), which
//! files PM2 has (`files`, `dump`). What is asked of the engine, and how the answers look that
//! programs read, is that of zelador's own voice.
//!
//! Always holds: stdout of a verb whose stdout programs read (`jlist`, `pid`, `env` …) carries the
//! answer and nothing else.

mod act;
pub mod api;
mod describe;
mod dump;
pub mod files;
pub mod home;
mod listed;
mod look;
pub mod say;
mod start;
mod table;
pub mod verbs;
mod whole;
mod words;
mod write;

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;

use zelador_api::Done;
use zelador_api::home::Home;

use crate::command::Context;
use crate::failure::Failure;
use crate::render::terminal;
use crate::voice::{self, Voice};
use crate::{cli, command, output};

use verbs::{Answer, Own, Verb};
use words::{Line, Misunderstood};

/// The PM2 whose words these are, as scripts that compare versions read it; what follows the `+`
/// does not count for them.
const VERSION: &str = concat!("7.0.4+zelador.", env!("CARGO_PKG_VERSION"));

/// The name under which this program is PM2.
const NAME: &str = "pm2";

/// Returns whether this program was called as PM2.
pub fn is_name(program: &OsStr) -> bool {
    Path::new(program).file_name() == Some(OsStr::new(NAME))
}

/// Returns the home of this program where it is called by one of PM2's names.
///
/// # Errors
/// Nobody says where it is, or PM2 itself runs there.
pub fn home() -> Result<Home, Failure> {
    home::find(true)
}

/// Shows the list as PM2 does at the end of a verb that changed something.
///
/// # Errors
/// Nobody answers, or nobody reads.
pub fn print_list(context: &Context) -> Result<(), Failure> {
    look::print_list(context)
}

/// Says what a command did, as PM2 does.
pub fn tell(done: &Done) {
    act::tell(done);
}

/// Speaks PM2. `words` are those after the program's name; `by_name`: it was called as `pm2`.
pub fn enter(words: &[OsString], by_name: bool) -> ExitCode {
    voice::set(Voice::Pm2);
    output::set_silent(env::var("PM2_SILENT").is_ok_and(|value| value == "true" || value == "1"));
    let at = words::place_of_verb(words);
    let Some((at, name)) = at.map(|at| (at, words[at].to_string_lossy().into_owned())) else {
        return without_verb(words);
    };
    let Some(verb) = verbs::find(&name) else {
        if name == "help" {
            return printed(&help(), ExitCode::SUCCESS);
        }
        return unknown(&name);
    };
    let spoken = match verb.answer {
        Answer::Nothing(why) => {
            say::warning(why);
            return ExitCode::SUCCESS;
        }
        Answer::Nobody(why) => {
            say::error(&format!("`pm2 {name}`: {why}"));
            return ExitCode::FAILURE;
        }
        Answer::Zelador(other) => zelador(other, words, at, by_name),
        Answer::Own(Own::Logs) => zelador("logs", words, at, by_name),
        Answer::Own(own) => own_verb(own, verb, words, by_name),
    };
    match spoken {
        Ok(code) => code,
        Err(failure) if failure.report() => ExitCode::FAILURE,
        Err(_) => ExitCode::SUCCESS,
    }
}

/// A line without a verb asks for the version or for help; else that is a mistake.
fn without_verb(words: &[OsString]) -> ExitCode {
    match Line::read(words) {
        Ok(line) if line.version => printed(&format!("{VERSION}\n"), ExitCode::SUCCESS),
        Ok(line) if line.help => printed(&help(), ExitCode::SUCCESS),
        Ok(_) => printed(USAGE, ExitCode::FAILURE),
        Err(why) => misunderstood(&why),
    }
}

fn printed(text: &str, code: ExitCode) -> ExitCode {
    // A closed pipe is all that can go wrong here.
    _ = output::answer(text);
    code
}

fn unknown(name: &str) -> ExitCode {
    let near = verbs::nearest(name).map(|near| format!(" (did you mean `{near}`?)"));
    say::error(&format!("Command not found: {name}{}", near.unwrap_or_default()));
    printed(USAGE, ExitCode::FAILURE)
}

fn misunderstood(why: &Misunderstood) -> ExitCode {
    if !output::is_silent() {
        eprintln!("\n  error: {}\n", crate::render::text::plain(&why.0));
    }
    ExitCode::FAILURE
}

const USAGE: &str = "
usage: pm2 [options] <command>

pm2 -h, --help             all commands and options
pm2 examples               examples
zelador --help             what PM2 has no words for

";

fn help() -> String {
    let mut shown = "\n  usage: pm2 [options] <command>\n\n  Commands:\n\n".to_owned();
    for verb in verbs::VERBS.iter().filter(|verb| !verb.does.is_empty()) {
        let mut line = verb.names.join("|");
        verb.needs.iter().for_each(|need| line.push_str(&format!(" <{need}>")));
        shown.push_str(&format!("    {line:<60} {}\n", verb.does));
    }
    format!("{shown}\n  Options:\n{}", Line::shown_options())
}

/// Hands a verb over to zelador's own voice.
fn zelador(name: &str, words: &[OsString], at: usize, by_name: bool) -> Result<ExitCode, Failure> {
    let (before, after) = (&words[..at], words.get(at + 1..).unwrap_or_default());
    let mut line = vec![OsString::from("zelador"), OsString::from(name)];
    line.extend(before.iter().chain(after).cloned());
    match cli::try_read(&line) {
        Ok(cli) => {
            terminal::set_no_colours(cli.no_color);
            if cli.silent {
                output::set_silent(true);
            }
            crate::home::choose(home::find(by_name)?);
            Ok(command::run(cli.verb))
        }
        Err(error) if !error.use_stderr() => {
            output::answer(&error.to_string())?;
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => Ok(misunderstood(&Misunderstood::from_clap(&error))),
    }
}

fn own_verb(own: Own, verb: &Verb, words: &[OsString], by_name: bool) -> Result<ExitCode, Failure> {
    let line = match Line::read(words) {
        Ok(line) => line,
        Err(why) => return Ok(misunderstood(&why)),
    };
    terminal::set_no_colours(line.no_color);
    if line.silent {
        output::set_silent(true);
    }
    if line.help {
        return Ok(printed(&help(), ExitCode::SUCCESS));
    }
    if let Some(missing) = verb.needs.get(line.rest().len()) {
        let why = Misunderstood(format!("missing required argument `{missing}'"));
        return Ok(misunderstood(&why));
    }
    if is_data(own) {
        voice::set(Voice::Pm2Data);
    }
    for option in line.ignored.missed() {
        say::warning(&format!("{option} has no effect"));
    }
    crate::home::choose(home::find(by_name)?);
    let context = Context::new()?;
    match own {
        Own::Start if line.no_daemon => start::in_foreground(&context, line),
        Own::Start => start::start(&context, line),
        Own::StartOrRestart => start::start_or(&context, &line, start::RESTART),
        Own::StartOrReload => start::start_or(&context, &line, start::RELOAD),
        Own::Stop => act::stop(&context, &line),
        Own::Restart => act::restart(&context, &line),
        Own::Reload => act::reload(&context, &line),
        Own::Delete => act::delete(&context, &line),
        Own::Scale => act::scale(&context, &line),
        Own::Reset => act::reset(&context, &line),
        Own::SendSignal => act::signal(&context, &line),
        Own::List => look::list(&context, &line),
        Own::Jlist => look::jlist(&context),
        Own::Prettylist => look::prettylist(&context),
        Own::Describe => look::describe(&context, &line),
        Own::Pid => look::pid(&context, &line),
        Own::Id => look::id(&context, &line),
        Own::Env => look::env(&context, &line),
        Own::Save => whole::save(&context, line.force),
        Own::Resurrect => whole::resurrect(&context),
        Own::Cleardump => whole::clear(&context),
        Own::Kill => whole::kill(&context),
        Own::Ping => whole::ping(&context),
        Own::Flush => whole::flush(&context, &line),
        Own::ReloadLogs => whole::reload_logs(&context),
        Own::Update => whole::update(&context),
        Own::Logs => unreachable!("answered above"),
    }
}

/// Whether programs read the stdout of a verb.
fn is_data(own: Own) -> bool {
    matches!(own, Own::Jlist | Own::Prettylist | Own::Pid | Own::Id | Own::Env | Own::Ping)
}
