//! Programs that tests start, and that end with the test.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::find;
use super::kill;
use super::stat::stat;
use super::tree::RunKey;
use zelador_core::launch::RUN_VARIABLE;

/// A shell that leads its own process group, with its whole tree.
pub(crate) struct Program {
    child: Child,
    key: RunKey,
}

impl Program {
    /// Starts `sh -c script`.
    pub(crate) fn shell(script: &str) -> Self {
        static STARTED: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = STARTED.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let mark = format!("{number}@/test/{}", std::process::id());
        let child = Command::new("/bin/sh")
            .args(["-c", script])
            .env(RUN_VARIABLE, &mark)
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("/bin/sh starts");
        let pid = child.id().cast_signed();
        let stat = stat(pid).unwrap().expect("it was just started");
        // Whoever inherits orphans here is the test runner's own subreaper, or pid 1.
        let guardian = std::process::id().cast_signed();
        let key = RunKey {
            pid,
            start_time: stat.start_time,
            pgid: Some(pid),
            mark,
            guardian,
            group: None,
        };
        Self { child, key }
    }

    pub(crate) fn pid(&self) -> i32 {
        self.key.pid
    }

    pub(crate) fn key(&self) -> RunKey {
        self.key.clone()
    }

    /// Takes the exit status, as the guardian does.
    pub(crate) fn reap(&mut self) {
        self.child.wait().expect("it is a child");
    }

    /// Kills the whole tree.
    pub(crate) fn end(&mut self) {
        for _ in 0..100 {
            let members = find::tree(&self.key).unwrap_or_default();
            if members.is_empty() {
                break;
            }
            for member in members {
                let _ = kill::signal(member, zelador_core::signal::Signal::KILL);
            }
            let _ = self.child.try_wait();
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.end();
    }
}

/// Asks until there is an answer, for at most 20 s.
pub(crate) fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let limit = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < limit, "waited 20 s for {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// How many processes run with this command name whose environment carries the mark.
pub(crate) fn marked(mark: &str) -> Vec<i32> {
    let all = super::snapshot::snapshot().unwrap();
    let alive = all.all().iter().filter(|stat| !stat.is_dead());
    alive
        .filter(|stat| super::tree::mark_of(stat).unwrap().as_deref() == Some(mark))
        .map(|stat| stat.pid)
        .collect()
}
