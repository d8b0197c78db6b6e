//! Faults that come back, and faults that come together.

use crate::server::Server;
use std::fs;
use std::sync::{Arc, Mutex};

use rustix::process::Signal;
use zelador_api::Remedy::{Restart, RestartWithBackoff, StopAndNotify, WaitForDependency};
use zelador_api::diagnosis::Cause;

use super::Ends::{HealedOnceMended, Told};
use super::Fault;
use super::Part::{Code, Line, Probe, Threads};
use super::database::{Patience, needing_postgres};
use crate::home::kill;
use crate::postgres::Postgres;

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        name: "flapping",
        what: "it comes up, works for two seconds, and ends by the same exception, again and again",
        stage: |place| {
            let app = place.node("");
            let path = place.folder().join("app.js");
            let name = place.name();
            Ok(place.scene(app).inject(move |zelador| {
                let text = fs::read_to_string(&path).expect("it was written");
                let dies =
                    "setTimeout(() => { const last = undefined; last.order.ship(); }, 2000);";
                fs::write(path, format!("{text}\n{dies}\n")).expect("the folder is ours");
                zelador.run(&["restart", name]);
            }))
        },
        causes: &[Cause::UncaughtException],
        remedies: &[Restart, RestartWithBackoff, StopAndNotify],
        shows: &[Code(1), Line("TypeError: Cannot read properties of undefined")],
        ends: Told,
        fast: false,
    },
    Fault {
        name: "two-at-once",
        what: "its database goes down and it hangs itself, at the same moment",
        stage: |place| {
            let server = Arc::new(Mutex::new(Postgres::start()));
            let scene = needing_postgres(place, &server, Patience::Patient);
            let (down, up, name) = (Arc::clone(&server), server, place.name());
            Ok(scene
                .inject(move |zelador| {
                    down.lock().expect("nobody panics with it").stop();
                    kill(zelador.pid(name), Signal::STOP);
                })
                .mend(move |_| up.lock().expect("nobody panics with it").start_again()))
        },
        causes: &[Cause::DependencyUnreachable, Cause::DeadlockOrHang],
        remedies: &[WaitForDependency, Restart, RestartWithBackoff],
        shows: &[Threads, Probe],
        ends: HealedOnceMended,
        fast: false,
    },
];
