//! What the host or a limit has no more of: descriptors, threads, disk.

use std::fs;

use serde_json::json;
use zelador_api::Remedy::{
    FreeDisk, NotifyOnly, RaiseLimitAndRestart, Restart, RestartWithBackoff, StopAndNotify,
};
use zelador_api::diagnosis::Cause;

use super::Ends::{Healed, Told};
use super::Part::{FullVolume, Line, Probe, Threads};
use super::place::{control_group, small_disk};
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
        name: "disk-full",
        what: "its disk (a tmpfs) is full of somebody else's files",
        stage: |place| {
            let scene = on_a_small_disk(place, json!({}), "backup.tar", "size=2M")?;
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
            on_a_small_disk(place, heal, "cache/pages", "size=2M")
        },
        causes: &[Cause::DiskFull],
        remedies: &[FreeDisk, StopAndNotify, NotifyOnly],
        shows: &[FullVolume, Line("ENOSPC"), Probe],
        ends: Healed,
        fast: true,
    },
];

/// A service that writes on a disk of its own; the fault fills a file on it until nothing more fits.
fn on_a_small_disk(
    place: &Place,
    heal: serde_json::Value,
    file: &'static str,
    options: &str,
) -> Result<Scene, String> {
    let disk = small_disk(place.folder(), options)?;
    let mut app = place.node_program(WRITES);
    app["heal"] = heal;
    for folder in ["orders", "cache"] {
        fs::create_dir(place.folder().join(folder)).expect("the disk is ours");
    }
    let (path, port) = (place.folder().join(file), place.port());
    let scene = place.scene(app).keep(disk);
    Ok(scene.inject(move |_| {
        // Until nothing more fits, which is an error.
        _ = fs::write(path, vec![b'x'; 4 << 20]);
        _ = http_get(port, "/health");
    }))
}
