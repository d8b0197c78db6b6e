//! The runs the guardian keeps: how each is started, adopted, signalled and ends.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use crate::keep::{Descriptors, Kept};
use crate::limits::Nofile;
use crate::message::{Ended, Launch, Stage, Stream, Why};
use crate::slots::Slots;
use crate::spawn::{Failure, Plan, Stack};
use crate::wait;

/// How long the status of an ended process that is not ours is waited for: its parent must reap it
/// first. `init` does so within milliseconds.
const STATUS_WAIT: Duration = Duration::from_millis(500);

/// One run.
#[derive(Debug)]
pub(crate) struct Entry {
    pub kept: Kept,
    /// Whether it is no child, so that its pidfd is watched.
    pub adopted: bool,
    /// It has ended but its status is not known yet: when that is given up.
    pub exiting: Option<Instant>,
}

/// What every service is started with.
#[derive(Debug)]
pub(crate) struct Ground {
    pub stack: Stack,
    pub slots: Slots,
    /// `/dev/null`.
    pub null: OwnedFd,
    pub nofile: Nofile,
    pub oom: Option<i32>,
}

impl Ground {
    /// Starts a service. `passed` begins with its group's folder when the launch says so; `others` runs exist;
    /// `closed` is what the child closes first.
    pub fn spawn(
        &mut self,
        run: u64,
        launch: Launch,
        passed: &[OwnedFd],
        others: usize,
        closed: &[RawFd],
    ) -> Result<Entry, Failure> {
        let invalid = |stage| Failure { stage, errno: libc::EINVAL };
        if launch.out == Stream::SameAsOut {
            return Err(invalid(Stage::Pipes));
        }
        let (mut descriptors, ends) = Descriptors::open(&launch, others)
            .map_err(|error| Failure::new(Stage::Pipes, &error))?;
        let text = |bytes| CString::new(bytes).map_err(|_| invalid(Stage::Exec));
        let texts = |list: Vec<_>| list.into_iter().map(text).collect::<Result<Vec<_>, _>>();
        let program = text(launch.program)?;
        let (argv, env) = (texts(launch.argv)?, texts(launch.env)?);
        let cwd = (!launch.cwd.is_empty()).then(|| CString::new(launch.cwd)).transpose();
        let cwd = cwd.map_err(|_| invalid(Stage::Directory))?;
        let extras = &launch.extras;
        let cgroups = usize::from(launch.cgroup) + usize::from(extras.cgroups);
        if passed.len() < cgroups + extras.passed.len() {
            return Err(Failure { stage: Stage::Cgroup, errno: libc::EBADF });
        }
        let (cgroups, passed) = passed.split_at(cgroups);
        let (group, cgroups) = cgroups.split_at(usize::from(launch.cgroup));
        let cgroups: Vec<_> = cgroups.iter().map(AsRawFd::as_raw_fd).collect();
        // Another user must not keep the groups of root.
        let drops = launch.uid.is_some_and(|uid| uid != 0) && rustix::process::geteuid().is_root();
        let groups = launch.groups.as_deref().or_else(|| drops.then_some(&[]));

        let null = self.null.as_raw_fd();
        let out = match launch.out {
            Stream::Inherit => libc::STDOUT_FILENO,
            _ => ends.out.as_ref().map_or(null, AsRawFd::as_raw_fd),
        };
        let err = match launch.err {
            Stream::SameAsOut => out,
            Stream::Inherit => libc::STDERR_FILENO,
            Stream::Pipe | Stream::Null => ends.err.as_ref().map_or(null, AsRawFd::as_raw_fd),
        };
        let input = ends.input.as_ref().map_or(null, AsRawFd::as_raw_fd);
        let mut all = vec![(input, 0), (out, 1), (err, 2)];
        let channel_at = extras.channel_at.unwrap_or(3) as RawFd;
        all.extend(ends.channel.as_ref().map(|channel| (channel.as_raw_fd(), channel_at)));
        let numbers = extras.passed.iter().map(|number| *number as RawFd);
        all.extend(passed.iter().map(AsRawFd::as_raw_fd).zip(numbers));
        // Groups by their files are open above.
        let staged = cgroups.is_empty().then(|| self.slots.stage(self.null.as_fd(), &mut all));
        let (staged, copied) = staged.flatten().unzip();
        let unstaged = staged.is_none() && !extras.passed.is_empty();
        let raised = if unstaged { raise(&mut all)? } else { Vec::new() };
        let started = self.stack.start(&Plan {
            program: &program,
            argv: &argv,
            env: Some(&env),
            cwd: cwd.as_ref(),
            uid: launch.uid,
            gid: launch.gid,
            groups,
            nofile: Some(self.nofile.with(launch.nofile)),
            oom: self.oom,
            group: group.first().map(AsRawFd::as_raw_fd),
            cgroups: &cgroups,
            copied,
            closed,
            descriptors: &all,
            extras,
        })?;
        drop((staged, raised));
        let start_time = wait::stat(started.pid).ok().flatten().map_or(0, |stat| stat.start_time);
        descriptors.pidfd = Some(started.pidfd);
        let kept = Kept {
            run,
            pid: started.pid,
            start_time,
            label: launch.label,
            ended: None,
            linger: false,
            foreign: false,
            leads_group: true,
            descriptors,
        };
        Ok(Entry { kept, adopted: false, exiting: None })
    }
}

/// Puts duplicates above all wanted numbers in the place of these descriptors, so that none is in
/// another's way.
fn raise(all: &mut [(RawFd, RawFd)]) -> Result<Vec<OwnedFd>, Failure> {
    let above = all.iter().map(|(_, number)| number + 1).max().unwrap_or_default();
    let mut raised = Vec::new();
    for (from, _) in all {
        // SAFETY: it is one of the descriptors that the caller holds.
        let borrowed = unsafe { BorrowedFd::borrow_raw(*from) };
        let duplicate = rustix::io::fcntl_dupfd_cloexec(borrowed, above)
            .map_err(|errno| Failure::new(Stage::Pipes, &errno.into()))?;
        *from = duplicate.as_raw_fd();
        raised.push(duplicate);
    }
    Ok(raised)
}

/// Why a process could not be reached.
fn why(error: io::Error) -> Why {
    match error.raw_os_error() {
        Some(libc::ESRCH) | None => Why::Gone,
        Some(errno) => Why::Failed(errno),
    }
}

impl Entry {
    /// Takes over a process that somebody else started. Its group is left alone until `Linger` says
    /// otherwise.
    pub fn adopt(
        run: u64,
        pid: u32,
        start_time: u64,
        label: Vec<u8>,
        descriptors: Option<Descriptors>,
    ) -> Result<Self, Why> {
        let same = || match wait::stat(pid).map_err(why)? {
            None => Err(Why::Gone),
            Some(stat) if stat.start_time != start_time => Err(Why::Different),
            Some(stat) => Ok(stat),
        };
        same()?;
        let pidfd = wait::open(pid).map_err(why)?;
        // Only now is it certain whom the pidfd means: it was this process before and after.
        let leads_group = same()?.group == pid;
        let descriptors = Descriptors { pidfd: Some(pidfd), ..descriptors.unwrap_or_default() };
        let kept = Kept {
            run,
            pid,
            start_time,
            label,
            ended: None,
            linger: true,
            foreign: true,
            leads_group,
            descriptors,
        };
        Ok(Self { kept, adopted: !wait::is_child(pid), exiting: None })
    }

    /// Returns what a former guardian, or an engine in its place, has kept.
    pub fn from_table(kept: Kept) -> Self {
        let adopted = kept.ended.is_none() && !wait::is_child(kept.pid);
        Self { kept, adopted, exiting: None }
    }

    /// Sends a signal to the main process or to its group.
    pub fn signal(&self, signal: u8, group: bool) -> Result<(), Why> {
        let kept = &self.kept;
        let pidfd = kept.descriptors.pidfd.as_ref().map(AsFd::as_fd);
        let sent = match (group && kept.leads_group, pidfd) {
            (true, pidfd) => {
                wait::signal_group(kept.pid, pidfd, self.is_reaped(), i32::from(signal))
            }
            (false, Some(pidfd)) => wait::signal(pidfd, i32::from(signal)),
            (false, None) => return Err(Why::Gone),
        };
        sent.map_err(why)
    }

    /// Whether its number may belong to somebody else. The end of a child is recorded as it is reaped; of
    /// another's, whoever handed it over may have missed it.
    fn is_reaped(&self) -> bool {
        let kept = &self.kept;
        // The pidfd keeps a signal from another one where the kernel can; elsewhere only what is known counts.
        let is_there = || {
            let found = wait::stat(kept.pid).ok().flatten();
            found.is_some_and(|stat| stat.start_time == kept.start_time)
        };
        kept.ended.is_some() || self.adopted && !is_there()
    }

    /// Kills what is left of its group, unless it may outlive the main process.
    pub fn kill_rest(&self) {
        if !self.kept.linger && self.kept.leads_group {
            let _ = self.signal(libc::SIGKILL as u8, true);
        }
    }

    /// Records the end.
    pub fn end(&mut self, status: Option<i32>) {
        self.exiting = None;
        self.kept.ended = Some(Ended {
            status: status.unwrap_or(0),
            known: status.is_some(),
            at_micros: wait::now_micros(),
        });
    }

    /// Looks at an adopted run whose pidfd said that it ended; returns whether the end is recorded.
    pub fn look(&mut self, now: Instant) -> bool {
        if self.kept.ended.is_some() || wait::is_child(self.kept.pid) {
            // A child is reaped, and its status known, on SIGCHLD.
            return false;
        }
        let Some(pidfd) = &self.kept.descriptors.pidfd else { return false };
        let status = wait::status_of_other(pidfd.as_fd());
        if self.exiting.is_none() {
            self.kill_rest();
        }
        match status {
            Ok(Some(status)) => self.end(Some(status)),
            Ok(None) => {
                if now < *self.exiting.get_or_insert(now + STATUS_WAIT) {
                    return false;
                }
                self.end(None);
            }
            Err(_) => self.end(None),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    use super::*;

    #[test]
    fn a_number_that_was_given_away_is_not_signalled_as_the_group_of_an_adopted_run() {
        let mut other = Command::new("sleep").arg("1000").process_group(0).spawn().unwrap();
        let start_time = wait::stat(other.id()).unwrap().unwrap().start_time;
        let mut entry = Entry {
            kept: Kept {
                run: 1,
                pid: other.id(),
                start_time,
                label: Vec::new(),
                ended: None,
                linger: false,
                foreign: false,
                leads_group: true,
                descriptors: Descriptors::default(),
            },
            adopted: true,
            exiting: None,
        };
        let nothing = 0;
        let same = entry.signal(nothing, true);
        entry.kept.start_time -= 1;
        let another = entry.signal(nothing, true);
        other.kill().unwrap();
        other.wait().unwrap();
        assert_eq!((same, another), (Ok(()), Err(Why::Gone)));
    }
}
