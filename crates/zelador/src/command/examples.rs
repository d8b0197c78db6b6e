//! `examples` and `completion`: help beyond `--help`.

use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::shells;

use crate::cli::Cli;
use crate::cli::more::Shell;
use crate::failure::Failure;
use crate::output;

const EXAMPLES: &str = include_str!("examples.txt");

/// Shows examples of the verbs.
pub fn examples() -> Result<ExitCode, Failure> {
    output::answer(EXAMPLES)?;
    Ok(ExitCode::SUCCESS)
}

/// Prints what completes verbs and options in a shell.
pub fn completion(shell: Shell) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    let mut command = Cli::command();
    let name = "zelador";
    match shell {
        Shell::Bash => clap_complete::generate(shells::Bash, &mut command, name, &mut script),
        Shell::Zsh => clap_complete::generate(shells::Zsh, &mut command, name, &mut script),
        Shell::Fish => clap_complete::generate(shells::Fish, &mut command, name, &mut script),
    }
    output::answer(&String::from_utf8_lossy(&script))?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn every_example_is_understood() {
        let lines = EXAMPLES.lines().filter_map(|line| line.trim().strip_prefix("zelador "));
        let mut count = 0;
        for line in lines {
            let command = line.split("  #").next().unwrap_or_default().trim();
            let words = command.split(" | ").next().unwrap_or_default().split_whitespace();
            let words = std::iter::once("zelador").chain(words.map(|word| word.trim_matches('\'')));
            if let Err(error) = Cli::try_parse_from(words) {
                panic!("{line}: {error}");
            }
            count += 1;
        }
        assert!(count > 20, "{count}");
    }
}
