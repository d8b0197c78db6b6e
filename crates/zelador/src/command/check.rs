//! `config check`: what a file declares, or everything that is wrong with it.

use std::path::Path;
use std::process::ExitCode;

use zelador_api::spec::AppSpec;

use crate::failure::Failure;
use crate::render::{text, words};
use crate::{declare, output};

/// Checks an ecosystem file.
pub fn check(file: &Path, env_name: Option<&str>) -> Result<ExitCode, Failure> {
    let declared = declare::file(file, env_name, None)?;
    for note in &declared.notes {
        output::note(&format!("{note}"));
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
