//! What is done about an incident outside of its processes' lives: commands, room on the disk, the
//! holder of a port. Off the driver's thread, bounded in time; what came of it goes back as a fact.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use zelador_core::effect::Deed;
use zelador_core::id::IncidentId;
use zelador_core::input::{Fact, Input};
use zelador_core::redact;
use zelador_core::signal::Signal;
use zelador_core::spec::Environment;
use zelador_core::unit::Moment;
use zelador_core::words;
use zelador_core::words::{Words, quoted};

use super::{Driver, Message, collect, room};
use crate::{errno, evidence, processes};

/// How much of what a command said is told.
const SAID: u64 = 300;

/// How long the holder of a port has to end before it is killed: PM2's `KILL_TIMEOUT` is 1600 ms, and
/// a foreign program may have more to finish.
const ENDS_WITHIN: Duration = Duration::from_secs(5);

/// How often it is looked whether it has.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

impl Driver {
    /// Does it; answered by `Applied`.
    pub(crate) fn apply(&mut self, incident: IncidentId, deed: Deed, timeout: Duration) {
        let (sender, now) = (self.sender.clone(), self.clock.now());
        let date_format = self.supervisor.settings().rotation.date_format.clone();
        if let Deed::Collect { pid } = deed {
            self.tasks.spawn(async move {
                let result = collect::garbage(pid, timeout).await;
                let fact = Fact::Applied { incident, result };
                _ = sender.send(Message::Input(Input::Fact(fact))).await;
            });
            return;
        }
        // Not on the blocking pool: a few that take their time would have stops and samples wait.
        let done = thread::Builder::new().name("deed".to_owned()).spawn(move || {
            let result = match deed {
                Deed::Command { argv, cwd, env, uid, gid } => {
                    command(&as_user(argv, uid, gid), &cwd, &env, timeout)
                }
                Deed::FreeDisk { logs, caches, on } => {
                    let on = on.as_deref();
                    room::free(&room::Mine { logs: &logs, caches: &caches, on }, &date_format)
                }
                Deed::WeighDisk { logs, caches, on } => {
                    let on = Some(&*on);
                    room::weigh(&room::Mine { logs: &logs, caches: &caches, on }, &date_format)
                }
                Deed::End { pid, started_at } => end(pid, started_at, now),
                // Begun above.
                Deed::Collect { .. } => return,
            };
            let fact = Fact::Applied { incident, result };
            _ = sender.blocking_send(Message::Input(Input::Fact(fact)));
        });
        if let Err(error) = done {
            self.facts.push(Fact::Applied { incident, result: Err(errno::said(&error)) });
        }
    }
}

/// Another user than zelador's own: by the tool of util-linux, so that the engine forks nothing itself.
fn as_user(argv: Vec<String>, uid: Option<String>, gid: Option<String>) -> Vec<String> {
    let Some(uid) = uid else { return argv };
    let group = match gid {
        Some(gid) => vec!["--regid".to_owned(), gid, "--clear-groups".to_owned()],
        None => vec!["--init-groups".to_owned()],
    };
    let prefix = ["setpriv".to_owned(), "--reuid".to_owned(), uid];
    prefix.into_iter().chain(group).chain(["--".to_owned()]).chain(argv).collect()
}

/// Runs a program to its end; killed when its time is over.
fn command(
    argv: &[String],
    cwd: &Path,
    env: &Environment,
    timeout: Duration,
) -> Result<Words, Words> {
    let Some((program, args)) = argv.split_first() else {
        return Err(words!("the command is empty", "o comando está vazio"));
    };
    let failed = |error: io::Error| errno::said_of(format_args!("`{program}`"), &error);
    // A file instead of a pipe: however much it says, it is never held up.
    let said = rustix::fs::memfd_create("said", rustix::fs::MemfdFlags::CLOEXEC);
    let said = File::from(said.map_err(|error| failed(error.into()))?);
    let (out, err) = (said.try_clone().map_err(failed)?, said.try_clone().map_err(failed)?);
    let mut command = Command::new(program);
    command.args(args).current_dir(cwd).env_clear().envs(env);
    let mut child = command.stdin(Stdio::null()).stdout(out).stderr(err).spawn().map_err(failed)?;
    let until = Instant::now() + timeout;
    let status = loop {
        match child.try_wait().map_err(failed)? {
            Some(status) => break status,
            None if Instant::now() >= until => {
                // It may have ended just now.
                _ = child.kill();
                _ = child.wait();
                return Err(words!(
                    "`{program}` took longer than {t}",
                    "`{program}` demorou mais que {t}",
                    t = timeout,
                ));
            }
            None => thread::sleep(LOOK_AGAIN),
        }
    };
    let last = redact::text(&last_line(&said));
    if status.success() {
        Ok(if last.is_empty() {
            words!("`{program}` ended with 0", "`{program}` terminou com 0")
        } else {
            quoted(last)
        })
    } else {
        Err(words!(
            "`{program}` ended with {status}: {last}",
            "`{program}` terminou com {status}: {last}",
        ))
    }
}

fn last_line(said: &File) -> String {
    let length = said.metadata().map_or(0, |known| known.len());
    let mut end = vec![0; length.min(SAID * 4) as usize];
    if said.read_exact_at(&mut end, length.saturating_sub(SAID * 4)).is_err() {
        return String::new();
    }
    let text = String::from_utf8_lossy(&end);
    text.trim().lines().last().unwrap_or_default().chars().take(SAID as usize).collect()
}

/// Ends a process, if it is the one that was seen.
fn end(pid: i32, started_at: Option<Moment>, now: Moment) -> Result<Words, Words> {
    let unknown = |error| errno::said_of(format!("/proc/{pid}/stat"), &error);
    let known = evidence::port::started_at(pid, now).map_err(unknown)?;
    let differs = |a: Moment, b: Moment| a.since(b).max(b.since(a)) > Duration::from_secs(2);
    match (known, started_at) {
        (None, _) => {
            return Ok(words!("process {pid} has ended already", "o processo {pid} já terminou"));
        }
        (Some(known), Some(seen)) if differs(known, seen) => {
            return Err(words!(
                "process {pid} is another one by now",
                "o processo {pid} agora é outro"
            ));
        }
        _ => {}
    }
    let Some(member) = processes::member(pid).map_err(unknown)? else {
        return Ok(words!("process {pid} has ended already", "o processo {pid} já terminou"));
    };
    let told = processes::signal(member, Signal::TERM).map_err(|error| errno::said(&error))?;
    let until = Instant::now() + ENDS_WITHIN;
    while told && processes::member(pid).map_err(unknown)? == Some(member) {
        if Instant::now() >= until {
            processes::signal(member, Signal::KILL).map_err(|error| errno::said(&error))?;
            thread::sleep(LOOK_AGAIN);
            return Ok(words!("process {pid} was killed", "o processo {pid} foi morto"));
        }
        thread::sleep(LOOK_AGAIN);
    }
    Ok(words!("process {pid} has ended", "o processo {pid} terminou"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_tells_its_last_line_without_secrets_and_its_failure() {
        let run = |line: &str, within| {
            let argv = ["sh", "-c", line].map(str::to_owned);
            let env = [("PATH".to_owned(), "/usr/bin:/bin".to_owned())].into();
            command(&argv, Path::new("/"), &env, within)
        };
        let minute = Duration::from_mins(1);
        let said = run("echo one; echo password=hunter2", minute);
        assert_eq!(said, Ok(quoted("password=********")));
        let failed = run("echo no >&2; exit 3", minute).unwrap_err();
        assert!(
            failed.english().contains("exit status: 3") && failed.english().contains("no"),
            "{failed}"
        );
        let late = run("exec sleep 1000", Duration::from_millis(100)).unwrap_err();
        assert!(late.english().contains("took longer"), "{late}");
    }
}
