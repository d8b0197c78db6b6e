//! zelador keeps other people's services alive: the command line.
//!
//! The verb decides which process this becomes. The roles that zelador starts itself in (guardian,
//! engine, evaluator) are entered before anything else is set up; all other verbs read files, ask
//! the engine over its control socket, and print. Always holds: stdout carries the answer and
//! nothing else, everything that zelador says about itself goes to stderr, and no byte that comes
//! from an app reaches a terminal as a control sequence (except by `logs --raw`).

mod boot;
mod bring_up;
mod cli;
mod command;
mod declare;
mod ecosystem;
mod engine;
mod failure;
mod output;
mod render;
mod roles;
mod serve_files;
mod settings;
mod tail;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    if let Some(role) = words.next().and_then(|verb| roles::named(&verb)) {
        return roles::enter(role, words.collect());
    }
    match cli::read() {
        Ok(cli) => {
            output::set_silent(cli.silent);
            render::terminal::set_no_colours(cli.no_color);
            command::run(cli.verb)
        }
        Err(answered) => answered,
    }
}
