//! Watches the files of apps: says which of them changed, and decides nothing.
//!
//! One thread of its own waits for inotify, so that a flood of changes delays no control loop; an
//! app that asks for polling gets another one, which may hang on a network file system. `rules`
//! says what is not watched, `tree` which folders there are, `thread` is the loop, `polling` looks
//! by the clock.
//!
//! Always holds: what is ignored is never descended into, so it costs no watch; a folder is asked
//! of the kernel before it is listed, so that nothing in it is missed; what waits to be told is
//! bounded.

mod batch;
mod notified;
mod polling;
mod rules;
mod thread;
mod tree;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, mpsc};

use rustix::event::EventfdFlags;
use zelador_core::id::AppName;
use zelador_core::input::Fact;
use zelador_core::watch::WatchPlan;

use polling::Poller;
use thread::{Command, Worker};

/// Where facts go. It may wait; the threads here do nothing else meanwhile.
pub type Tell = Arc<dyn Fn(Fact) + Send + Sync>;

/// All watches. Its methods never wait; its threads end when it is dropped.
pub struct Watcher {
    tell: Tell,
    thread: Option<Thread>,
    pollers: BTreeMap<AppName, Poller>,
}

/// The thread that waits for inotify.
struct Thread {
    commands: mpsc::Sender<Command>,
    bell: Arc<OwnedFd>,
}

impl Watcher {
    /// Returns a watcher of nothing, which has no thread yet.
    pub fn new(tell: impl Fn(Fact) + Send + Sync + 'static) -> Self {
        Self { tell: Arc::new(tell), thread: None, pollers: BTreeMap::new() }
    }

    /// Watches this for an app instead of what was watched for it before; `None`: nothing.
    pub fn set(&mut self, app: AppName, plan: Option<WatchPlan>) {
        if let Err(error) = self.try_set(app.clone(), plan) {
            tracing::warn!(%app, %error, "the files of an app cannot be watched");
        }
    }

    fn try_set(&mut self, app: AppName, plan: Option<WatchPlan>) -> io::Result<()> {
        self.pollers.remove(&app);
        if let Some(plan) = plan.as_ref().filter(|plan| plan.polling.is_some()) {
            self.command(Command { app: app.clone(), plan: None });
            let poller = Poller::start(app.clone(), plan.clone(), Arc::clone(&self.tell))?;
            self.pollers.insert(app, poller);
            return Ok(());
        }
        if plan.is_some() && self.thread.is_none() {
            self.thread = Some(Thread::start(Arc::clone(&self.tell))?);
        }
        self.command(Command { app, plan });
        Ok(())
    }

    fn command(&self, command: Command) {
        if let Some(thread) = &self.thread {
            // The thread ends only after this side.
            _ = thread.commands.send(command);
            thread.ring();
        }
    }
}

impl Thread {
    fn start(tell: Tell) -> io::Result<Self> {
        let bell =
            Arc::new(rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let (commands, inbox) = mpsc::channel();
        let worker = Worker::new(inbox, Arc::clone(&bell), tell);
        std::thread::Builder::new().name("watch".to_owned()).spawn(move || worker.run())?;
        Ok(Self { commands, bell })
    }

    fn ring(&self) {
        _ = rustix::io::write(&*self.bell, &1_u64.to_ne_bytes());
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        if let Some(Thread { commands, bell }) = self.thread.take() {
            drop(commands);
            _ = rustix::io::write(&*bell, &1_u64.to_ne_bytes());
        }
    }
}
