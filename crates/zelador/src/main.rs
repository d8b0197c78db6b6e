//! The command line of zelador.

mod ecosystem;
mod roles;
mod settings;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use zelador_api::config::{Context, check, check_settings};
use zelador_api::spec::{Cadence, Environment};

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    if let Some(role) = words.next().and_then(|verb| roles::named(&verb)) {
        return roles::enter(role, words.collect());
    }
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["evaluate"] => ecosystem::evaluate_main(),
        ["config", "check", file] if ecosystem::is_ecosystem(Path::new(file)) => {
            config_check(Path::new(file))
        }
        _ => {
            eprintln!("usage: zelador config check FILE");
            ExitCode::from(2)
        }
    }
}

/// Prints what a file declares as JSON, or what is wrong with it.
fn config_check(file: &Path) -> ExitCode {
    let env: Environment = std::env::vars().collect();
    let result = ecosystem::read(file, &env).map_err(|error| {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
        format!("{error}{}\nhelp: {}", cause.unwrap_or_default(), error.help())
    });
    let checked = result.and_then(|document| {
        let folder = file.canonicalize().ok().and_then(|file| Some(file.parent()?.to_owned()));
        let context = Context {
            file: file.to_owned(),
            folder: folder.unwrap_or_else(|| PathBuf::from("/")),
            inherited_env: Arc::new(env),
            env_name: None,
            cores: std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32),
            only: None,
            cadence: Cadence::default(),
        };
        if file.file_name().is_some_and(|name| name == "zelador.toml") {
            let checked = check_settings(&document, &context);
            return checked.map(|_| Vec::new()).map_err(|mistakes| mistakes.to_string());
        }
        let declared = check(&document, &context).map_err(|mistakes| mistakes.to_string())?;
        for note in &declared.notes {
            eprintln!("{note}");
        }
        Ok(declared.apps)
    });
    match checked {
        Ok(mut apps) => {
            for app in &mut apps {
                app.launch.inherited_env = Arc::default();
            }
            println!("{}", serde_json::to_string_pretty(&apps).unwrap_or_default());
            ExitCode::SUCCESS
        }
        Err(text) => {
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}
