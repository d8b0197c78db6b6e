//! Runs every fuzz target of the workspace: `cargo run -p zelador-testbed --bin fuzz -- --inputs N`.
//!
//! A target is a test whose name begins with `fuzz_`. What each did is printed in the end; the exit code
//! is that of the tests.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use zelador_testbed::fuzz::{INPUTS, REPORT, SECONDS, SEED};

const USAGE: &str = "usage: fuzz [--inputs N] [--seconds N] [--seed N] [TARGET…]
  --inputs N    so many inputs a target
  --seconds N   so many seconds a target at most
  --seed N      where the inputs begin (default: 1)
  TARGET        a part of a target's name (default: all)";

fn main() -> ExitCode {
    let (mut variables, mut targets) = (Vec::new(), Vec::new());
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let variable = match word.as_str() {
            "--inputs" => INPUTS,
            "--seconds" => SECONDS,
            "--seed" => SEED,
            other if !other.starts_with('-') => {
                targets.push(word);
                continue;
            }
            _ => return wrong(&format!("`{word}` is not known")),
        };
        match words.next().filter(|value| value.parse::<u64>().is_ok()) {
            Some(value) => variables.push((variable, value)),
            None => return wrong(&format!("a number must follow `{word}`")),
        }
    }
    let report = std::env::temp_dir().join(format!("zelador-fuzz-{}.txt", std::process::id()));
    let pattern = if targets.is_empty() { ".*".to_owned() } else { targets.join("|") };
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let ran = Command::new("cargo")
        .args(["nextest", "run", "--workspace", "--locked", "--no-fail-fast", "--retries", "0"])
        .args(["--profile", "fuzz", "--cargo-profile", "fuzz"])
        // All of them are there; end-to-end tests take long to build.
        .args(["--lib", "--bins", "--test", "fuzz", "-E"])
        .arg(format!("test(/fuzz_.*({pattern})/)"))
        .current_dir(root)
        .env(REPORT, &report)
        .envs(variables)
        .status();
    print!("{}", std::fs::read_to_string(&report).unwrap_or_default());
    _ = std::fs::remove_file(&report);
    match ran {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => wrong(&format!("cargo cannot be run: {error}")),
    }
}

fn wrong(what: &str) -> ExitCode {
    eprintln!("error: {what}\n{USAGE}");
    ExitCode::FAILURE
}
