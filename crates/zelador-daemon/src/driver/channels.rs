//! What runs say over their channels, and what is said to them; the ports that workers share.
//!
//! Always holds: a port is stowed with the guardian before a worker gets it, so that the next engine
//! has it too.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use tokio::sync::oneshot;
use zelador_core::effect::Say;
use zelador_core::id::{AppName, InstanceId, RunId};
use zelador_core::input::{Fact, Input};
use zelador_core::signal::Signal;

use super::Driver;
use super::handed::remove_socket;
use super::stowed::Stowed;
use crate::backend::native::FIRST;
use crate::ipc::{self, Channel, Heard, Query};

/// Ports that one app may share among its workers: far more than a service listens on.
const MOST_PORTS: usize = 64;

impl Driver {
    /// Begins to listen to the channel of a run, if it has one.
    pub(super) fn open_channel(&mut self, run: RunId) {
        let Some(socket) = self.native.channel(run) else { return };
        let begun = socket.and_then(|socket| {
            Channel::new(run, socket, self.sender.clone(), self.sayings.clone())
        });
        match begun {
            Ok((channel, speaker)) => {
                self.speakers.insert(run, speaker);
                self.tasks.spawn(channel.run());
            }
            Err(error) => tracing::warn!(%run, %error, "the channel of a run cannot be read"),
        }
    }

    /// A run is over: nobody is on the other side any more.
    pub(super) fn close_channel(&mut self, run: RunId) {
        self.speakers.remove(&run);
        for users in self.port_users.values_mut() {
            users.remove(&run);
        }
    }

    /// Says something to a run; one that cannot hear gets the signal.
    pub(crate) fn say(&mut self, run: RunId, say: &Say) {
        let heard = self.speakers.get(&run).is_some_and(|speaker| speaker.say(ipc::say(say), None));
        if heard {
            self.native.linger(run);
            return;
        }
        match say {
            Say::Shutdown | Say::Disconnect => self.terminate_run(run, Signal::INT, true),
            Say::Act { .. } => tracing::debug!(%run, "an action was called, and nobody hears"),
        }
    }

    /// Says anything to an instance over its channel; returns false when it does not hear.
    pub(super) fn say_to(&self, of: InstanceId, message: &Value) -> bool {
        let speaker = self.supervisor.run_of(of).and_then(|run| self.speakers.get(&run));
        speaker.is_some_and(|speaker| speaker.say(ipc::line(message), None))
    }

    /// A run said something.
    pub(super) fn heard(&mut self, run: RunId, heard: Heard, done: oneshot::Sender<()>) {
        match heard {
            Heard::Ready(by) => self.step(Input::Fact(Fact::Ready { run, by })),
            Heard::Told(told) => self.step(Input::Fact(Fact::Told { run, told })),
            Heard::Wants(query) => self.share(run, &query),
            Heard::Waits(seq) => self.tell(run, ipc::acknowledge(seq), None),
            Heard::Closed(port) => self.port_closed(run, &port),
            Heard::Other => {}
        }
        // The task may have ended with its run.
        _ = done.send(());
    }

    /// A worker wants a port: the same socket for all that ask for the same.
    fn share(&mut self, run: RunId, query: &Query) {
        let Some(app) = self.supervisor.app_of(run) else { return };
        if let Some(number) = query.number() {
            return self.share_declared(run, &app, number, query);
        }
        let name = port_name(&app, &query.key());
        let known = self.native.stowed(&name).map(std::os::fd::OwnedFd::try_clone);
        let port = match known {
            Some(port) => port.map_err(|error| error.raw_os_error().unwrap_or(libc::EMFILE)),
            None => self.new_port(run, &app, &name, query),
        };
        match port {
            Ok(port) => {
                self.port_users.entry(name).or_default().insert(run);
                self.tell(run, ipc::answer(query, None), Some(port));
            }
            Err(errno) => {
                let error = std::io::Error::from_raw_os_error(errno);
                tracing::warn!(%app, port = %query.key(), %error, "a port cannot be shared");
                self.tell(run, ipc::answer(query, Some(errno)), None);
            }
        }
    }

    /// A worker listens on a socket that its app declares, by the number that it has there.
    fn share_declared(&mut self, run: RunId, app: &AppName, number: u32, query: &Query) {
        let index = number.checked_sub(FIRST).map(|index| index as usize);
        let socket = index.and_then(|index| self.supervisor.socket_at(app, index));
        let name = socket.map(|socket| Stowed::of_socket(app.clone(), socket).bytes());
        let socket = name.and_then(|name| self.native.stowed(&name)?.try_clone().ok());
        if socket.is_none() {
            tracing::warn!(%app, number, "a worker listens on a descriptor that is no socket of its app");
        }
        let failure = socket.is_none().then_some(libc::EBADF);
        self.tell(run, ipc::answer(query, failure), socket);
    }

    fn new_port(
        &mut self,
        run: RunId,
        app: &AppName,
        name: &[u8],
        query: &Query,
    ) -> Result<std::os::fd::OwnedFd, i32> {
        let of_app = |name: &&Vec<u8>| matches!(Stowed::read(name), Some(Stowed::Port { app: its, .. }) if its == *app);
        if self.native.stowed_names().filter(of_app).count() >= MOST_PORTS {
            return Err(libc::EMFILE);
        }
        // A file would be made by zelador's user, wherever it may write.
        if query.address_type == -1 && self.native.has_another_user(run) {
            return Err(libc::EACCES);
        }
        let port = ipc::bind(query)?;
        self.native
            .stow(name, &port)
            .map_err(|error| error.raw_os_error().unwrap_or(libc::EMFILE))?;
        Ok(port)
    }

    fn tell(&mut self, run: RunId, line: String, port: Option<std::os::fd::OwnedFd>) {
        let heard = self.speakers.get(&run).is_some_and(|speaker| speaker.say(line, port));
        if !heard {
            tracing::debug!(%run, "a run does not hear its answer");
        }
    }

    /// A worker closed a port of its own accord: with the last one that is known to use it, it is
    /// closed for good.
    fn port_closed(&mut self, run: RunId, port: &str) {
        let Some(app) = self.supervisor.app_of(run) else { return };
        let name = port_name(&app, port);
        let Some(users) = self.port_users.get_mut(&name) else { return };
        if users.remove(&run) && users.is_empty() && self.supervisor.live_runs_of(&app) <= 1 {
            self.port_users.remove(&name);
            self.native.discard(&name);
        }
    }

    /// Closes the ports of apps that nobody wants up any more, so that callers are refused instead of
    /// waiting, what such apps had kept, and the sockets that no app declares any more.
    pub(super) fn close_unwanted_ports(&mut self) {
        let unwanted: BTreeSet<Vec<u8>> = self
            .native
            .stowed_names()
            .filter(|name| !Stowed::is_of_run(name))
            .filter(|name| match Stowed::read(name) {
                Some(Stowed::Port { app, .. } | Stowed::Store { app, .. }) => {
                    !self.supervisor.wants_ports(&app)
                }
                Some(Stowed::Socket { app, socket, mode }) => {
                    !self.supervisor.has_socket(&app, &socket, mode)
                }
                Some(
                    Stowed::Notify { .. }
                    | Stowed::Ready { .. }
                    | Stowed::Backlog { .. }
                    | Stowed::Pm2 { .. },
                ) => false,
                None => true,
            })
            .cloned()
            .collect();
        for name in unwanted {
            self.port_users.remove(&name);
            self.native.discard(&name);
            if let Some(Stowed::Socket { socket, .. }) = Stowed::read(&name)
                && socket.starts_with('/')
            {
                remove_socket(Path::new(&socket));
            }
        }
    }
}

fn port_name(app: &AppName, port: &str) -> Vec<u8> {
    Stowed::Port { app: app.clone(), port: port.to_owned() }.bytes()
}
