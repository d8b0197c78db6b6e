//! A program that looks: exit code 0 is healthy, 1 degraded, anything else unhealthy, as with
//! Nagios' plugins (whose 3, unknown, counts as "cannot look"). The last line that it wrote is the
//! message. What is still there when the time is over is killed with its whole group.

use std::process::{ExitStatus, Stdio};

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use zelador_core::probe::Finding;
use zelador_core::redact;
use zelador_core::spec::CommandProbe;
use zelador_core::words;
use zelador_core::words::quoted;

use super::patience::Patience;
use crate::errno;

/// How much of the output is read.
const OUTPUT_READ: u64 = 64 << 10;
/// The longest message.
const LONGEST_MESSAGE: usize = 300;
/// What changes the user, where that is asked for: of util-linux, on every distribution. The standard
/// library would fork the whole engine for it.
const AS_USER: &str = "runuser";

/// Runs it once.
pub(super) async fn look(probe: &CommandProbe, patience: Patience) -> Finding {
    let Some((program, args)) = probe.words.split_first() else {
        return Finding::Unavailable {
            detail: words!("no program is named", "nenhum programa foi indicado"),
        };
    };
    let mut command = match probe.user.as_deref().filter(|_| rustix::process::geteuid().is_root()) {
        Some(user) => {
            let mut command = Command::new(AS_USER);
            command.args(["-u", user, "--", program]);
            command
        }
        None => Command::new(program),
    };
    command
        .args(args)
        .current_dir(&probe.cwd)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            let detail = words!(
                "`{program}` cannot be started: {why}",
                "`{program}` não pode ser iniciado: {why}",
                why = errno::said(&error),
            );
            return Finding::Unavailable { detail };
        }
    };
    // Dropping the look, as when its run ends, ends the program too.
    let group = Group(child.id());
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let work = async {
        let (out, err, status) = tokio::join!(read(out), read(err), child.wait());
        (out, err, status)
    };
    match patience.wait(work).await {
        Ok((out, err, Ok(status))) => {
            std::mem::forget(group);
            judged(program, status, &out, &err)
        }
        Ok((_, _, Err(error))) => Finding::Unavailable { detail: errno::said(&error) },
        Err(_) => {
            drop(group);
            // It was killed: this takes no time, and leaves no zombie.
            _ = child.wait().await;
            Finding::TimedOut {
                detail: words!(
                    "`{program}` did not end within {t}",
                    "`{program}` não terminou em {t}",
                    t = patience.timeout(),
                ),
            }
        }
    }
}

/// A process group that is killed when it is dropped.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        let pid = self.0.and_then(|pid| rustix::process::Pid::from_raw(pid as i32));
        if let Some(pid) = pid {
            _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
        }
    }
}

async fn read(pipe: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let Some(mut pipe) = pipe else { return bytes };
    _ = (&mut pipe).take(OUTPUT_READ).read_to_end(&mut bytes).await;
    // The rest is taken and thrown away, so that the program can end.
    _ = tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await;
    bytes
}

fn judged(program: &str, status: ExitStatus, out: &[u8], err: &[u8]) -> Finding {
    let detail = last_line(out).or_else(|| last_line(err)).map(quoted);
    let ended = match status.code() {
        Some(code) => {
            words!("`{program}` exited with {code}", "`{program}` saiu com o código {code}")
        }
        None => {
            words!("`{program}` was ended by a signal", "`{program}` foi encerrado por um sinal")
        }
    };
    let detail = detail.unwrap_or(ended);
    match status.code() {
        Some(0) => Finding::Answered { detail },
        Some(1) => Finding::Impaired { detail },
        Some(3) => Finding::Unavailable { detail },
        // The shell's words for "not executable" and "not found".
        Some(code @ (126 | 127)) => Finding::Unavailable {
            detail: words!(
                "{detail} (exit code {code})",
                "{detail} (código de saída {code})",
                detail = detail,
            ),
        },
        _ => Finding::WrongAnswer { detail },
    }
}

fn last_line(output: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(output);
    let line = text.lines().rev().map(str::trim).find(|line| !line.is_empty())?;
    let printable = line.chars().map(|c| if c.is_control() { ' ' } else { c });
    Some(redact::text(&printable.take(LONGEST_MESSAGE).collect::<String>()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::checks::rig::LONG;

    async fn looked(script: &str, timeout: Duration) -> Finding {
        let words = ["sh", "-c", script].map(str::to_owned).to_vec();
        let probe = CommandProbe { words, cwd: std::env::temp_dir(), user: None };
        look(&probe, Patience::new(timeout)).await
    }

    #[tokio::test]
    async fn the_exit_code_is_the_status_and_the_last_line_the_message() {
        let found = looked("echo first; echo fine; exit 0", LONG).await;
        assert_eq!(found, Finding::Answered { detail: quoted("fine") });
        let found = looked("echo slow >&2; exit 1", LONG).await;
        assert_eq!(found, Finding::Impaired { detail: quoted("slow") });
        assert_eq!(
            looked("exit 2", LONG).await,
            Finding::WrongAnswer { detail: quoted("`sh` exited with 2") }
        );
        assert_eq!(
            looked("kill -9 $$", LONG).await,
            Finding::WrongAnswer { detail: quoted("`sh` was ended by a signal") }
        );
        let found = looked("yes | head -c 10000000; echo; echo end", LONG).await;
        assert!(matches!(found, Finding::Answered { .. }), "much output does not block it");
    }

    #[tokio::test]
    async fn what_hangs_is_killed_with_all_of_its_children() {
        let folder = tempfile::tempdir().unwrap();
        let pid = folder.path().join("pid");
        let script = format!("sleep 600 & echo $! >{}; wait", pid.display());
        let found = looked(&script, Duration::from_millis(500)).await;
        let detail = quoted("`sh` did not end within 500 ms");
        assert_eq!(found, Finding::TimedOut { detail });
        let pid: i32 = std::fs::read_to_string(&pid).unwrap().trim().parse().unwrap();
        let gone = || {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            stat.is_empty() || stat.contains(") Z ")
        };
        let limit = std::time::Instant::now() + LONG;
        while !gone() {
            assert!(std::time::Instant::now() < limit, "its child lives on");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_cannot_look() {
        let words = vec!["zelador-no-such-program".to_owned()];
        let probe = CommandProbe { words, cwd: std::env::temp_dir(), user: None };
        let found = look(&probe, Patience::new(LONG)).await;
        assert!(matches!(found, Finding::Unavailable { .. }), "{found:?}");
    }
}
