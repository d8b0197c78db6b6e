//! A service unit of systemd.

use zelador_api::config::shell_words;

use super::ini::{self, Dialect, Entry};
use super::{App, Translated, command};

/// Returns the app of a unit; `name` is the unit's, without `.service`.
pub fn translate(text: &str, name: &str) -> Translated {
    let (entries, _, odd) = ini::read(text, Dialect::Systemd);
    let mut done = Translated::default();
    for (line, text) in odd {
        done.leave(line, text, "neither a section nor `Key=value`");
    }
    let mut app = App::named(name);
    // The defaults that differ.
    app.set("script", "");
    app.set("kill_signal", "SIGTERM");
    app.set("kill_timeout", "90s");
    app.set("autorestart", false);
    let mut ends_well: Vec<i64> = vec![0];
    let mut started = false;
    for entry in &entries {
        let Entry { line, section, key, value } = entry;
        // An empty value takes back what was said before; a drop-in does that, a unit has no need.
        let why = if value.is_empty() {
            Some("an empty value means nothing here".to_owned())
        } else if key == "ExecStart" && started {
            Some("an app has one command: make it an app of its own".to_owned())
        } else if key == "SuccessExitStatus" {
            let codes: Vec<i64> =
                value.split_whitespace().filter_map(|it| it.parse().ok()).collect();
            let all = codes.len() == value.split_whitespace().count();
            ends_well.extend(codes);
            (!all).then(|| "signals are not ends that count as good".to_owned())
        } else {
            started |= key == "ExecStart";
            one(&mut app, section, key, value).err()
        };
        if let Some(why) = why {
            done.leave(*line, format!("{key}={value}"), why);
        }
    }
    if app.get("stop_exit_codes").is_some() {
        app.set("stop_exit_codes", ends_well);
    }
    if started {
        done.apps.push(app);
    } else {
        done.leave(1, format!("{name}.service"), "it has no ExecStart");
    }
    done
}

fn one(app: &mut App, section: &str, key: &str, value: &str) -> Result<(), String> {
    let left = |why: &str| Err(why.to_owned());
    // `%%` is a percent sign; everything else would have to be asked of systemd.
    let plain = value.replace("%%", "");
    if plain.contains('%') && key != "Description" {
        return left("write out what the specifier (%) stands for");
    }
    let value = value.replace("%%", "%");
    let value = value.as_str();
    match (section, key) {
        ("Service", "ExecStart") => return exec(app, value),
        ("Service", "WorkingDirectory") => {
            let folder = value.strip_prefix('-').unwrap_or(value);
            if !folder.starts_with('/') {
                return left("give the folder in full as `cwd`");
            }
            app.set("cwd", folder);
        }
        ("Service", "Environment") => {
            let words = shell_words(value).ok_or("a quote is not closed")?;
            for word in words {
                let (name, value) = word.split_once('=').ok_or("not NAME=value")?;
                app.add_env(name, value);
            }
        }
        ("Service", "EnvironmentFile") => {
            let file = value.strip_prefix('-').unwrap_or(value);
            let mut files =
                app.get("env_file").and_then(|it| it.as_array()).cloned().unwrap_or_default();
            files.push(file.into());
            app.set("env_file", files);
            if value.starts_with('-') {
                return left("taken over; here the file must be there");
            }
        }
        ("Service", "User") => app.set("uid", value),
        ("Service", "Group") => app.set("gid", value),
        ("Service", "Restart") => match value {
            "no" => app.set("autorestart", false),
            "always" => app.set("autorestart", true),
            "on-failure" | "on-abnormal" | "on-abort" | "on-watchdog" => {
                app.set("autorestart", true);
                app.set("stop_exit_codes", Vec::<i64>::new());
                if value != "on-failure" {
                    return left("taken over as `on-failure`");
                }
            }
            _ => return left("not known"),
        },
        ("Service", "RestartSec") => app.set("restart_delay", millis(value)?),
        ("Service", "TimeoutStopSec") => app.set("kill_timeout", millis(value)?),
        ("Service", "TimeoutSec") => {
            app.set("kill_timeout", millis(value)?);
            return left("taken over for the stop only");
        }
        ("Service", "KillSignal") => app.set("kill_signal", value),
        ("Service", "KillMode") => match value {
            "control-group" => {}
            "mixed" | "process" => app.set("treekill", false),
            _ => return left("what is left of a stopped app is always killed"),
        },
        ("Service", "MemoryMax" | "MemoryHigh" | "MemoryLimit") => {
            if value == "infinity" {
                return Ok(());
            }
            if !value.ends_with(|last: char| last.is_ascii_digit() || "KMG".contains(last)) {
                return left("give the amount: `max_memory_restart: '500M'`");
            }
            app.set("max_memory_restart", value);
            return left("taken over as max_memory_restart: it is restarted, not refused memory");
        }
        ("Service", "StandardOutput" | "StandardError") => {
            let field = if key == "StandardOutput" { "out_file" } else { "error_file" };
            let file =
                ["file:", "append:", "truncate:"].iter().find_map(|it| value.strip_prefix(it));
            match (value, file) {
                ("null", _) => app.set(field, "/dev/null"),
                (_, Some(file)) => app.set(field, file),
                // To the journal by default; here `zelador logs`.
                ("journal" | "inherit", _) => {}
                _ => return left("output goes to files: `zelador logs`"),
            }
        }
        ("Service", "Type") => match value {
            "simple" | "exec" => {}
            "forking" => return left("let the program stay in the foreground"),
            "notify" | "notify-reload" => {
                return left(
                    "it is up when it runs; `wait_ready` waits for Node's message `ready`",
                );
            }
            _ => return left("it is started as `simple`"),
        },
        ("Unit" | "Service", "StartLimitBurst") => {
            app.set("max_restarts", value.parse::<u32>().map_err(|_| "no number")?);
        }
        ("Unit" | "Service", "StartLimitIntervalSec" | "StartLimitInterval") => {
            app.set("restart_window", millis(value)?);
        }
        // What it is for people, and when it starts: with zelador.
        ("Unit", "Description" | "Documentation") | ("Install", "WantedBy") => {}
        ("Unit", "After" | "Requires" | "Wants" | "BindsTo" | "PartOf") => {
            let of_host =
                |unit: &str| unit.ends_with(".target") || unit == "systemd-journald.service";
            if !value.split_whitespace().all(of_host) {
                return left("`depends_on` names apps and databases that must be up before");
            }
        }
        (
            "Service",
            "ExecStartPre" | "ExecStartPost" | "ExecStop" | "ExecStopPost" | "ExecReload",
        ) => {
            return left("put it into a script that executes the program in the end");
        }
        _ => return left("there is nothing like it"),
    }
    Ok(())
}

fn exec(app: &mut App, value: &str) -> Result<(), String> {
    let line = value.trim_start_matches(['-', ':', '+', '!', '@']);
    let special = value.len() - line.len();
    if value.starts_with('@') {
        return Err("the program's own name (@) cannot be another".to_owned());
    }
    let words = shell_words(line).filter(|words| !words.is_empty());
    let words = words.ok_or("a quote is not closed")?;
    if words.iter().any(|word| word.replace("$$", "").contains('$')) {
        // systemd fills in variables itself; here a shell does.
        let words: Vec<String> = words.iter().map(|word| for_shell(word)).collect();
        app.set("script", format!("exec {}", words.join(" ")));
    } else {
        let words: Vec<String> = words.iter().map(|word| word.replace("$$", "$")).collect();
        command(app, &words);
    }
    if special > 0 {
        return Err("taken over without the sign before it".to_owned());
    }
    Ok(())
}

/// A word of a unit's command as a shell understands it: `${NAME}` stays one word, `$NAME` alone
/// is split at blanks, `$$` is a dollar sign, and so is a `$` in the middle of a word.
fn for_shell(word: &str) -> String {
    let name = |text: &str| {
        !text.is_empty() && text.chars().all(|it| it.is_ascii_alphanumeric() || it == '_')
    };
    if word.strip_prefix('$').is_some_and(name) {
        return word.to_owned();
    }
    let plain = |it: char| it.is_ascii_alphanumeric() || "-_./:=,+@%".contains(it);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    let mut quoted = String::from('"');
    let mut rest = word;
    while let Some(first) = rest.chars().next() {
        let variable = rest.strip_prefix("${").and_then(|it| it.split_once('}'));
        let taken = match variable {
            Some((inner, _)) if name(inner) => {
                let whole = &rest[..inner.len() + 3];
                quoted.push_str(whole);
                whole.len()
            }
            _ => {
                if matches!(first, '"' | '\\' | '`' | '$') {
                    quoted.push('\\');
                }
                quoted.push(first);
                if rest.starts_with("$$") { 2 } else { first.len_utf8() }
            }
        };
        rest = &rest[taken..];
    }
    quoted.push('"');
    quoted
}

/// A span of time as systemd writes it, in milliseconds: `5min 20s`, `1.5`.
fn millis(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no span of time that can be taken over");
    let mut whole = 0.0;
    let mut rest = text.trim();
    while !rest.is_empty() {
        let digits = rest.find(|it: char| !it.is_ascii_digit() && it != '.').unwrap_or(rest.len());
        let number: f64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = rest[digits..].trim_start();
        let letters = rest.find(|it: char| !it.is_ascii_alphabetic()).unwrap_or(rest.len());
        whole += number
            * match &rest[..letters] {
                "" | "s" | "sec" | "second" | "seconds" => 1000.0,
                "ms" | "msec" => 1.0,
                "m" | "min" | "minute" | "minutes" => 60_000.0,
                "h" | "hr" | "hour" | "hours" => 3_600_000.0,
                _ => return Err(wrong()),
            };
        rest = rest[letters..].trim_start();
    }
    Ok(whole as u64)
}
