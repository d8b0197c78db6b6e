//! zelador keeps other people's services alive: the command line.
//!
//! The verb decides which process this becomes, and the name it was called by in whose words it
//! speaks: zelador's own or PM2's. The roles that zelador starts itself in (guardian, engine,
//! evaluator) are entered before anything else is set up; all other verbs read files, ask the engine
//! over its control socket, and print. Always holds: in zelador's voice stdout carries the answer and
//! nothing else, and everything that it says about itself goes to stderr; in both voices no byte that
//! comes from an app reaches a terminal as a control sequence (except by `logs --raw`).

mod boot;
mod bring_up;
mod cli;
mod command;
mod declare;
mod ecosystem;
mod engine;
mod failure;
mod history_file;
mod home;
mod monit;
mod moving;
mod output;
mod pm2;
mod render;
mod roles;
mod serve_files;
mod settings;
mod tail;
mod voice;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use voice::Voice;

fn main() -> ExitCode {
    let mut words: Vec<OsString> = std::env::args_os().collect();
    if let Some(role) = words.get(1).and_then(|verb| roles::named(verb)) {
        return roles::enter(role, words.split_off(2));
    }
    if words.first().is_some_and(|program| pm2::is_name(program)) {
        return pm2::enter(&words[1..], true);
    }
    if words.get(1).is_some_and(|verb| verb == "pm2") {
        return pm2::enter(&words[2..], false);
    }
    if let Some(verb) = words.first().and_then(verb_of_name) {
        // Its home and its defaults; what it says is zelador's own, and not on stdout.
        voice::set(Voice::Pm2Data);
        if verb == "runtime" {
            match pm2::home() {
                Ok(found) => home::choose(found),
                Err(failure) => {
                    failure.report();
                    return ExitCode::FAILURE;
                }
            }
        }
    }
    match cli::read(&as_another_name(words)) {
        Ok(cli) => {
            output::set_silent(cli.silent);
            render::terminal::set_no_colours(cli.no_color);
            command::run(cli.verb)
        }
        Err(answered) => answered,
    }
}

/// Other names of this program that stand for a verb, as PM2's do; `start` after them says nothing.
const NAMES: [(&str, &str); 3] =
    [("pm2-runtime", "runtime"), ("pm2-docker", "runtime"), ("pm2-dev", "dev")];

/// Returns the verb that a name of this program stands for.
fn verb_of_name(program: &OsString) -> Option<&'static str> {
    let name = Path::new(program).file_name()?;
    NAMES.iter().find(|(known, _)| name == *known).map(|(_, verb)| *verb)
}

/// Returns the words as they would be under the usual name.
fn as_another_name(mut words: Vec<OsString>) -> Vec<OsString> {
    let Some(verb) = words.first().and_then(verb_of_name) else { return words };
    if words.get(1).is_some_and(|word| word == "start") {
        words.remove(1);
    }
    let options = ["-h", "--help", "-v", "-V", "--version", "help"];
    if words.get(1).is_some_and(|word| word == "-v") {
        words[1] = "-V".into();
    }
    if words.len() != 2 || !options.iter().any(|option| words[1] == *option) {
        words.insert(1, verb.into());
    } else if words[1] != "-V" && words[1] != "--version" {
        words = vec![words.swap_remove(0), verb.into(), "--help".into()];
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pm2s_other_names_stand_for_verbs() {
        let read = |line: &str| {
            let words = as_another_name(line.split(' ').map(OsString::from).collect());
            let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
            words[1..].join(" ")
        };
        assert_eq!(read("/usr/bin/pm2-runtime start app.js -i 2"), "runtime app.js -i 2");
        assert_eq!(read("pm2-docker eco.json --json"), "runtime eco.json --json");
        assert_eq!(read("pm2-dev app.js"), "dev app.js");
        assert_eq!(read("pm2-runtime -v"), "-V");
        assert_eq!(read("pm2-runtime --help"), "runtime --help");
        assert_eq!(read("pm2-runtime"), "runtime");
        assert_eq!(read("zelador runtime start"), "runtime start");
    }
}
