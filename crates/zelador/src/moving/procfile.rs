//! A Procfile: `name: command`, a line each.

use super::{App, Translated};

/// Returns the apps of a Procfile in `folder`; `has_env`: there is a `.env` beside it, which foreman
/// reads.
pub fn translate(text: &str, folder: &str, has_env: bool) -> Translated {
    let mut done = Translated::default();
    for (index, line) in text.lines().enumerate() {
        let (number, line) = (index + 1, line.trim());
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let named = line.split_once(':').map(|(name, command)| (name.trim(), command.trim()));
        let fits = |name: &str| {
            !name.is_empty()
                && name.chars().all(|it| it.is_ascii_alphanumeric() || "-_".contains(it))
        };
        let Some((name, command)) =
            named.filter(|(name, command)| fits(name) && !command.is_empty())
        else {
            done.leave(number, line, "not `name: command`");
            continue;
        };
        if name == "release" {
            done.leave(number, line, "runs once before a release: run it in your deployment");
            continue;
        }
        let mut app = App::named(name);
        // A line for a shell, as it is there; a single word would be looked up as a file.
        app.set("script", "bash");
        app.set("interpreter", "none");
        let with_exec =
            if is_simple(command) { format!("exec {command}") } else { command.to_owned() };
        app.set("args", vec!["-c".to_owned(), with_exec]);
        app.set("cwd", folder);
        if has_env {
            app.set("env_file", ".env");
        }
        if command.contains("$PORT") || command.contains("${PORT") {
            done.leave(number, line, "foreman gives PORT by itself: set `env: { PORT: 5000 }`");
        }
        done.apps.push(app);
    }
    done
}

/// One program with its arguments: no second process is needed for the shell.
fn is_simple(command: &str) -> bool {
    let assigns = command.split_whitespace().next().is_some_and(|word| word.contains('='));
    !assigns && !command.contains(['|', '&', ';', '<', '>', '(', '`', '\n'])
}
