//! What the host or a limit has no more of: descriptors, threads, processes, disk, inodes.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::json;
use zelador_api::Remedy::{
    FreeDisk, NotifyOnly, RaiseLimitAndRestart, Restart, RestartWithBackoff, StopAndNotify,
};
use zelador_api::diagnosis::Cause;

use super::Ends::{Healed, Told};
use super::Part::{Code, FullVolume, Line, Probe, Threads};
use super::place::control_group;
use super::{Fault, Place, Scene};
use crate::home::http_get;

/// Answers only when it can write an order down.
const WRITES: &str = "function broken() {}
function health(request, response) {
  try {
    require('fs').writeFileSync('orders/' + process.hrtime.bigint(), Buffer.alloc(8192, 'x'));
    for (const name of require('fs').readdirSync('orders')) require('fs').unlinkSync('orders/' + name);
    response.end('ok\\n');
  } catch (error) {
    console.error(error);
    response.writeHead(500).end('cannot store the order\\n');
  }
}";

/// The same for a service that ends where it cannot store its orders.
const DIES_WRITING: &str = "function broken() {}
function store() {
  require('fs').writeFileSync('orders/last', Buffer.alloc(8192, 'x'));
}
store();
function health(request, response) {
  store();
  response.end('ok\\n');
}";

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        name: "descriptors-crash",
        what: "Node: EMFILE ends it",
        stage: |place| {
            let mut app = place
                .node("const held = []; for (;;) held.push(require('fs').openSync('/dev/null'));");
            app["limits"] = json!({ "nofile": 96 });
            Ok(place.scene(app))
        },
        causes: &[Cause::TooManyOpenFiles],
        remedies: &[RaiseLimitAndRestart, Restart, RestartWithBackoff],
        shows: &[Line("EMFILE: too many open files")],
        ends: Healed,
        fast: true,
    },
    Fault {
        name: "descriptors-alive",
        what: "Node: it lives without a descriptor left, and takes no connection",
        stage: |place| {
            let mut app = place.node(
                "state.held = [];\n  try { for (;;) state.held.push(require('fs').openSync('/dev/null')); } \
                 catch (error) { console.error(error.message); }",
            );
            app["limits"] = json!({ "nofile": 96 });
            Ok(place.scene(app))
        },
        causes: &[Cause::TooManyOpenFiles],
        remedies: &[RaiseLimitAndRestart, Restart, RestartWithBackoff],
        shows: &[Threads, Probe],
        ends: Healed,
        fast: false,
    },
    Fault {
        name: "threads",
        what: "Python: no more threads can be made",
        stage: |place| {
            control_group("pids")?;
            let mut app = place.python(
                "import time\n\nfor _ in range(100):\n    \
                 threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()",
            );
            app["limits"] = json!({ "pids": 24 });
            Ok(place.scene(app))
        },
        causes: &[Cause::ThreadExhaustion],
        remedies: &[RaiseLimitAndRestart, RestartWithBackoff, Restart, StopAndNotify],
        shows: &[Line("can't start new thread")],
        ends: Healed,
        fast: true,
    },
    Fault {
        name: "processes",
        what: "C: its user may have no more processes (`nproc`) after a deploy that forks more workers",
        stage: too_many_workers,
        causes: &[Cause::ThreadExhaustion],
        remedies: &[RaiseLimitAndRestart, RestartWithBackoff, Restart, StopAndNotify],
        shows: &[Code(1), Line("fork: Resource temporarily unavailable")],
        ends: Healed,
        fast: true,
    },
    Fault {
        name: "disk-full",
        what: "its disk (a tmpfs) is full of somebody else's files",
        stage: |place| {
            let scene = on_a_small_disk(place, WRITES, json!({}), "size=2M", fills("backup.tar"))?;
            let backup = place.folder().join("backup.tar");
            Ok(scene.harm(move || {
                (!backup.exists()).then(|| "somebody else's file was removed".to_owned())
            }))
        },
        causes: &[Cause::DiskFull],
        remedies: &[FreeDisk, StopAndNotify, NotifyOnly],
        shows: &[FullVolume, Line("ENOSPC"), Probe],
        ends: Told,
        fast: false,
    },
    Fault {
        name: "disk-full-of-cache",
        what: "its disk is full of its own declared cache",
        stage: |place| {
            let heal = json!({ "cache_folders": ["./cache"] });
            on_a_small_disk(place, WRITES, heal, "size=2M", fills("cache/pages"))
        },
        causes: &[Cause::DiskFull],
        remedies: &[FreeDisk, StopAndNotify, NotifyOnly],
        shows: &[FullVolume, Line("ENOSPC"), Probe],
        ends: Healed,
        fast: true,
    },
    Fault {
        name: "disk-full-dies",
        what: "it ends because its disk is full of its own declared cache",
        stage: |place| {
            let heal = json!({ "cache_folders": ["./cache"] });
            on_a_small_disk(place, DIES_WRITING, heal, "size=2M", |folder| {
                fills("cache/pages")(folder);
                fs::remove_file(folder.join("orders/last")).expect("it was stored");
                fills("cache/more")(folder);
            })
        },
        causes: &[Cause::DiskFull],
        remedies: &[FreeDisk, StopAndNotify, NotifyOnly],
        shows: &[FullVolume, Line("ENOSPC")],
        ends: Healed,
        fast: true,
    },
    Fault {
        name: "inodes",
        what: "its disk has room, and no inode left: its own declared cache has them",
        stage: |place| {
            let heal = json!({ "cache_folders": ["./cache"] });
            on_a_small_disk(place, WRITES, heal, "size=8M,nr_inodes=64", |folder| {
                let names = (0..64).map(|number| folder.join(format!("cache/page-{number}")));
                // Until no more can be made.
                _ = names.map(File::create).find(Result::is_err);
            })
        },
        causes: &[Cause::DiskFull],
        remedies: &[FreeDisk, StopAndNotify, NotifyOnly],
        shows: &[FullVolume, Line("ENOSPC"), Probe],
        ends: Healed,
        fast: true,
    },
];

/// Fills this file until nothing more fits.
fn fills(file: &'static str) -> impl FnOnce(&Path) + Send + 'static {
    // That ends with an error.
    move |folder| _ = fs::write(folder.join(file), vec![b'x'; 4 << 20])
}

/// A service that writes on a disk of its own, and what uses that up.
fn on_a_small_disk(
    place: &Place,
    program: &str,
    heal: serde_json::Value,
    options: &str,
    uses_up: impl FnOnce(&Path) + Send + 'static,
) -> Result<Scene, String> {
    place.small_disk(options)?;
    let mut app = place.node_program(program);
    app["heal"] = heal;
    for folder in ["orders", "cache"] {
        fs::create_dir(place.folder().join(folder)).expect("the disk is ours");
    }
    let (folder, port) = (place.folder().to_owned(), place.port());
    Ok(place.scene(app).inject(move |_| {
        uses_up(&folder);
        _ = http_get(port, "/health");
    }))
}

/// As many processes as `workers` says are forked before it listens.
const FORKS: &str = "#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
__attribute__((constructor)) static void fork_workers(void) {
  int wanted = 0;
  FILE *file = fopen(\"workers\", \"r\");
  if (!file || fscanf(file, \"%d\", &wanted) != 1) exit(2);
  while (wanted-- > 0) {
    pid_t worker = fork();
    if (worker < 0) { perror(\"fork\"); exit(1); }
    if (worker == 0) for (;;) pause();
  }
}";

/// A service of a user who may have few processes.
fn too_many_workers(place: &Place) -> Result<Scene, String> {
    if !rustix::process::geteuid().is_root() {
        return Err("only root may start an app as another user".to_owned());
    }
    let mut app = place.c(FORKS, "");
    // Its user may not enter the folder of the test.
    let own = tempfile::tempdir().map_err(|error| error.to_string())?;
    fs::set_permissions(own.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
    fs::copy(place.folder().join("app"), own.path().join("app")).expect("it was built");
    let (workers, name) = (own.path().join("workers"), place.name());
    fs::write(&workers, "4").expect("it is ours");
    app["cwd"] = json!(own.path());
    app["uid"] = json!("nobody");
    // Whatever else this user runs on the host counts too.
    app["limits"] = json!({ "nproc": 50 });
    app["heal"] = json!({ "ceilings": { "processes": 200 } });
    Ok(place.scene(app).keep(own).inject(move |zelador| {
        fs::write(workers, "60").expect("it is ours");
        zelador.run(&["restart", name]);
    }))
}
