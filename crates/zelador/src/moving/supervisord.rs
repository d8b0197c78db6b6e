//! supervisord's `[program:x]` sections.

use std::collections::BTreeMap;

use serde_json::Value;
use zelador_api::config::shell_words;

use super::ini::{self, Dialect, Entry};
use super::{App, Translated, command};

/// Returns the apps of a configuration in `folder`; `env` are the variables that `%(ENV_x)s` means.
pub fn translate(text: &str, folder: &str, env: &BTreeMap<String, String>) -> Translated {
    let (entries, sections, odd) = ini::read(text, Dialect::Supervisord);
    let mut done = Translated::default();
    for (line, text) in odd {
        done.leave(line, text, "neither a section nor `key=value`");
    }
    let mut groups: Vec<(String, String)> = Vec::new();
    for (line, section) in &sections {
        let of_section: Vec<&Entry> =
            entries.iter().filter(|entry| entry.section == *section).collect();
        match section.split_once(':') {
            Some(("program", name)) => {
                program(&mut done, name.trim(), *line, &of_section, (folder, env));
            }
            Some(("group", group)) => {
                for entry in of_section {
                    if entry.key == "programs" {
                        let names = entry.value.split(',').map(|name| name.trim().to_owned());
                        groups.extend(names.map(|name| (name, group.to_owned())));
                    } else {
                        done.leave(entry.line, said(entry), "zelador has no priorities of groups");
                    }
                }
            }
            Some(_) => done.leave(*line, format!("[{section}]"), "there is nothing like it"),
            None if section == "include" => {
                done.leave(*line, "[include]", "translate those files one by one");
            }
            None => done.leave(*line, format!("[{section}]"), "is about supervisord itself"),
        }
    }
    for (name, group) in groups {
        let has_name = |app: &&mut App| app.get("name") == Some(&Value::from(name.as_str()));
        if let Some(app) = done.apps.iter_mut().find(has_name) {
            app.set("namespace", group);
        }
    }
    done
}

fn said(entry: &Entry) -> String {
    format!("{}={}", entry.key, entry.value)
}

type Surroundings<'a> = (&'a str, &'a BTreeMap<String, String>);

fn program(
    done: &mut Translated,
    name: &str,
    section: usize,
    entries: &[&Entry],
    surroundings: Surroundings<'_>,
) {
    let mut app = App::named(name);
    let find = |key: &str| entries.iter().find(|entry| entry.key == key);
    let mut filled = Vec::new();
    for entry in entries {
        match fill(&entry.value, name, surroundings) {
            Ok(value) => filled.push((*entry, value)),
            Err(what) => {
                let why = match what.as_str() {
                    "process_num" => {
                        "give the number by `increment_var`, or NODE_APP_INSTANCE".into()
                    }
                    _ => format!("`%({what})s` is not known here"),
                };
                done.leave(entry.line, said(entry), why);
            }
        }
    }
    if !filled.iter().any(|(entry, _)| entry.key == "command") {
        if find("command").is_none() {
            done.leave(section, format!("[program:{name}]"), "it has no command");
        }
        return;
    }
    // The defaults that differ: supervisord waits 10 s, sends SIGTERM to the main process only, and
    // starts again only what ended unexpectedly.
    app.set("script", Value::Null);
    app.set("kill_signal", "SIGTERM");
    app.set("kill_timeout", "10s");
    app.set("treekill", false);
    let mut exit_codes: Vec<i64> = vec![0];
    let mut only_unexpected = true;
    for (entry, value) in &filled {
        let why = match one(&mut app, &entry.key, value) {
            Ok(()) => continue,
            Err(Special::AutoRestart) => match value.as_str() {
                "false" => {
                    only_unexpected = false;
                    app.set("autorestart", false);
                    continue;
                }
                "true" => {
                    only_unexpected = false;
                    continue;
                }
                _ => continue,
            },
            Err(Special::ExitCodes) => {
                exit_codes = value.split(',').filter_map(|code| code.trim().parse().ok()).collect();
                continue;
            }
            Err(Special::RedirectErr) => {
                if value == "true" {
                    match app.get("out_file").cloned() {
                        Some(file) => app.set("error_file", file),
                        None => app.set("merge_err", true),
                    }
                }
                continue;
            }
            Err(Special::Left(why)) => why,
        };
        done.leave(entry.line, said(entry), why);
    }
    if app.get("merge_err").is_some() {
        app.0.retain(|(field, _)| *field != "merge_err");
        if let Some(file) = app.get("out_file").cloned() {
            app.set("error_file", file);
        } else if let Some((entry, _)) = filled.iter().find(|(it, _)| it.key == "redirect_stderr") {
            done.leave(entry.line, said(entry), "give both the same file: out_file and error_file");
        }
    }
    if only_unexpected {
        app.set("stop_exit_codes", exit_codes);
    }
    done.apps.push(app);
}

enum Special {
    AutoRestart,
    ExitCodes,
    RedirectErr,
    Left(String),
}

fn one(app: &mut App, key: &str, value: &str) -> Result<(), Special> {
    let left = |why: &str| Err(Special::Left(why.to_owned()));
    match key {
        "command" => match shell_words(value) {
            Some(words) if !words.is_empty() => {
                command(app, &words);
                app.set("interpreter", "none");
            }
            _ => return left("a quote is not closed"),
        },
        "directory" => app.set("cwd", value),
        "user" => app.set("uid", value),
        "numprocs" if value == "1" => {}
        "numprocs" => match value.parse::<u32>() {
            Ok(count) => app.set("instances", count),
            Err(_) => return left("no number"),
        },
        // What it is called when there is one: its name.
        "process_name" if value == "%(program_name)s" || !value.contains("%(") => {}
        "autostart" if value == "false" => app.set("autostart", false),
        "autorestart" => return Err(Special::AutoRestart),
        "exitcodes" => return Err(Special::ExitCodes),
        "redirect_stderr" => return Err(Special::RedirectErr),
        "startsecs" if value == "0" => {}
        "startsecs" => app.set("min_uptime", format!("{value}s")),
        "startretries" => match value.parse::<u32>() {
            Ok(tries) => app.set("max_restarts", tries.saturating_add(1)),
            Err(_) => return left("no number"),
        },
        "stopsignal" => {
            app.set("kill_signal", format!("SIG{}", value.strip_prefix("SIG").unwrap_or(value)));
        }
        "stopwaitsecs" => app.set("kill_timeout", format!("{value}s")),
        "stopasgroup" if value == "true" => app.set("treekill", true),
        // It starts by default; what is left of the tree after the grace is killed always.
        "autostart" | "stopasgroup" | "killasgroup" => {}
        "stdout_logfile" | "stderr_logfile" => {
            let field = if key == "stdout_logfile" { "out_file" } else { "error_file" };
            match value {
                "AUTO" => {}
                "NONE" | "/dev/null" => app.set(field, "/dev/null"),
                "/dev/stdout" | "/dev/stderr" | "/dev/fd/1" | "/dev/fd/2" | "syslog" => {
                    return left("in a container: `zelador runtime` writes all output to its own");
                }
                file => app.set(field, file),
            }
        }
        "environment" => match environment(value) {
            Some(variables) => {
                variables.iter().for_each(|(name, value)| app.add_env(name, value));
            }
            None => return left("no list of NAME=\"value\""),
        },
        "priority" => return left("`depends_on` says what must be up before"),
        "stdout_logfile_maxbytes"
        | "stdout_logfile_backups"
        | "stderr_logfile_maxbytes"
        | "stderr_logfile_backups" => {
            return left("zelador rotates all logs: `zelador.logs` in the file");
        }
        "umask" => return left("set it in a script that executes the program"),
        _ => return left("there is nothing like it"),
    }
    Ok(())
}

/// `A="1",B=two`
fn environment(text: &str) -> Option<Vec<(String, String)>> {
    let mut variables = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let (value, more) = match after.chars().next() {
            Some(quote @ ('"' | '\'')) => after[1..].split_once(quote)?,
            _ => after.find(',').map_or((after, ""), |at| after.split_at(at)),
        };
        variables.push((name.trim().to_owned(), value.trim_end().to_owned()));
        rest = more.trim_start().strip_prefix(',').unwrap_or(more.trim_start()).trim_start();
    }
    Some(variables)
}

/// Replaces `%(here)s` and its like; the error is the name that is not known.
fn fill(text: &str, program: &str, (folder, env): Surroundings<'_>) -> Result<String, String> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        filled.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(more) = rest.strip_prefix('%') {
            filled.push('%');
            rest = more;
        } else if let Some((name, more)) =
            rest.strip_prefix('(').and_then(|rest| rest.split_once(')'))
        {
            let value = match name {
                "here" => Some(folder),
                "program_name" | "group_name" => Some(program),
                _ => name.strip_prefix("ENV_").and_then(|name| env.get(name)).map(String::as_str),
            };
            filled.push_str(value.ok_or_else(|| name.to_owned())?);
            rest = more.strip_prefix(['s', 'd']).unwrap_or(more);
        } else {
            filled.push('%');
        }
    }
    filled.push_str(rest);
    Ok(filled)
}
