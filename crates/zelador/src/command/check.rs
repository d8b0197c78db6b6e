//! `config check`: what a file declares, or everything that is wrong with it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use zelador_api::spec::AppSpec;

use super::Context;
use crate::declare::Asked;
use crate::failure::Failure;
use crate::render::{text, words};
use crate::{declare, output, settings};

/// Checks an ecosystem file.
pub fn check(file: &Path, env_name: Option<String>, json: bool) -> Result<ExitCode, Failure> {
    if file.file_name().is_some_and(|name| name == "zelador.toml") {
        return check_settings(file);
    }
    let known = Some(known_names());
    let mut declared = declare::file(file, Asked { env_name, known, only: None })?;
    declared.apps.iter_mut().try_for_each(declare::look_at_env_files)?;
    for note in &declared.notes {
        output::note(&format!("{note}"));
    }
    if json {
        // Whoever asks knows his own environment, and a file with it would be full of secrets.
        declared.apps.iter_mut().for_each(|app| app.launch.inherited_env = Arc::default());
        let json = serde_json::to_string_pretty(&declared.apps)
            .map_err(|error| Failure::new(error.to_string()))?;
        output::answer(&format!("{}\n", text::json(json)))?;
        return Ok(ExitCode::SUCCESS);
    }
    let path = file.display().to_string();
    let apps = words::counted(declared.apps.len(), "app");
    let mut said = format!("{} is in order: {apps}\n", text::plain(&path));
    for app in &declared.apps {
        said.push_str(&format!("  {}\n", text::plain(&summary(app))));
    }
    output::answer(&said)?;
    Ok(ExitCode::SUCCESS)
}

/// What apps may depend on besides: what a zelador that is there knows.
fn known_names() -> BTreeSet<String> {
    Context::new().map(|context| context.known_names()).unwrap_or_default()
}

/// Checks zelador's own settings file.
fn check_settings(file: &Path) -> Result<ExitCode, Failure> {
    if let Err(mistakes) = settings::read(file) {
        mistakes.lines().for_each(output::error);
        return Ok(ExitCode::FAILURE);
    }
    output::answer(&format!("{} is in order\n", text::plain(&file.display().to_string())))?;
    Ok(ExitCode::SUCCESS)
}

fn summary(app: &AppSpec) -> String {
    let launch = &app.launch;
    let mut said = format!("{}: ", app.name);
    if app.instances > 1 {
        said.push_str(&format!("{} × ", app.instances));
    }
    let program = launch.interpreter.iter().chain(&launch.interpreter_args);
    let words = program.chain([&launch.script]).chain(&launch.args);
    let words: Vec<String> = words.map(|word| zelador_api::redact::text(word)).collect();
    said.push_str(&words.join(" "));
    said.push_str(&format!(" in {}", launch.cwd.display()));
    if app.health.is_none() {
        said.push_str(", no health check");
    }
    said
}
