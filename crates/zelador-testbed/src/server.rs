//! A private server of any kind: one process that is started, stopped, frozen, and ends with its test.

use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use crate::process::{self, PATIENCE};

/// The process of a server, or none while it is stopped. It ends when this is dropped.
#[derive(Debug)]
pub struct Process {
    child: Option<Child>,
    /// The signal that stops it, and the one that ends it at last, a frozen one too.
    signals: (&'static str, &'static str),
}

impl Process {
    pub(crate) fn ended_by(stop: &'static str, at_last: &'static str) -> Self {
        Self { child: None, signals: (stop, at_last) }
    }

    /// Takes in a new process once it answers; false when it ended before, or took too long.
    pub(crate) fn take_in(&mut self, up: Option<Child>) -> bool {
        self.child = up;
        self.child.is_some()
    }

    /// Ends it by a signal, and waits for that.
    pub(crate) fn end(&mut self, signal: &str) {
        if let Some(child) = self.child.take() {
            process::end(child, signal);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end(self.signals.1);
    }
}

/// Waits until a new process answers; `None` when it ended before, or took too long.
pub(crate) fn until_up(mut child: Child, answers: impl Fn() -> bool) -> Option<Child> {
    let limit = Instant::now() + PATIENCE;
    while !answers() {
        let ended = child.try_wait().expect("it is a child").is_some();
        if ended || Instant::now() > limit {
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        thread::park_timeout(Duration::from_millis(10));
    }
    Some(child)
}

/// What can be done to a private server, whatever it serves.
pub trait Server {
    /// Its process, to look at.
    fn process(&self) -> &Process;

    /// Its process, to change.
    fn process_mut(&mut self) -> &mut Process;

    /// Starts it and waits until it answers; false when it ended at once.
    fn launch(&mut self) -> bool;

    /// What it has said.
    fn log(&self) -> String;

    /// Its process id; `None` while it is stopped.
    fn pid(&self) -> Option<u32> {
        self.process().child.as_ref().map(Child::id)
    }

    /// Stops it and waits until it has ended. Its data stay.
    fn stop(&mut self) {
        let signal = self.process().signals.0;
        self.process_mut().end(signal);
    }

    /// Starts it when it is stopped, with the same data, port and socket.
    ///
    /// # Panics
    /// It does not start, as when the port has been taken by another program.
    fn start_again(&mut self) {
        self.stop();
        assert!(self.launch(), "it does not start again:\n{}", self.log());
    }

    /// Makes it hang (`SIGSTOP`): connections are accepted by the kernel, nothing is answered.
    ///
    /// # Panics
    /// It is stopped.
    fn freeze(&self) {
        process::freeze(self.pid().expect("a server that runs"));
    }

    /// Lets it go on after [`Server::freeze`].
    ///
    /// # Panics
    /// It is stopped.
    fn thaw(&self) {
        process::send("CONT", self.pid().expect("a server that runs"));
    }
}
