//! A program, a folder or a log on a file system that may hang: whether that answers is found out before anybody enters it.
//!
//! The guardian starts a process and waits for its `execve`; one that waits in the kernel for a server that is gone
//! would hold up the guardian, and with it everybody. Always holds: neither this engine nor its guardian touches such
//! a file system for a start before it has answered; it may still fall silent in the instant between.

use std::path::{Path, PathBuf};

use zelador_core::death::SpawnFailure;
use zelador_core::id::RunId;
use zelador_core::input::{Fact, Input};
use zelador_core::launch::Launch;

use super::{Driver, Message};
use crate::checks::far;

impl Driver {
    /// The mount to be asked before this can be started.
    pub(crate) fn far_mount(&mut self, launch: &Launch) -> Option<PathBuf> {
        let program = launch.cwd.join(&launch.program);
        let path = launch.env.get("PATH").map(|path| std::env::split_paths(path).collect());
        let searched: Vec<PathBuf> =
            if launch.program.contains('/') { Vec::new() } else { path.unwrap_or_default() };
        let own = [launch.cwd.as_path(), &program];
        // It is looked how long the logs are.
        let files = launch.env_files.iter().chain(&launch.out).chain(&launch.err);
        let files = files.map(PathBuf::as_path);
        let all = own.into_iter().chain(files).chain(searched.iter().map(PathBuf::as_path));
        self.far_mounts.on_the_way(all.filter(|path: &&Path| path.is_absolute()))
    }

    /// Starts it when the file system has answered; one that does not is a start for which the host has no room.
    pub(crate) fn spawn_when_it_answers(&mut self, run: RunId, launch: Launch, mount: PathBuf) {
        let sender = self.sender.clone();
        self.tasks.spawn(async move {
            let message = match far::answers(mount).await {
                Ok(()) => Message::Answers(run, Box::new(launch)),
                Err(why) => {
                    let failure = SpawnFailure::Other(why);
                    Message::Input(Input::Fact(Fact::SpawnFailed { run, failure }))
                }
            };
            _ = sender.send(message).await;
        });
    }
}
