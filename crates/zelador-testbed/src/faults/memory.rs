//! Memory that runs out: in the runtime, in the control group, slowly.

use serde_json::json;
use zelador_api::Remedy::{self, RaiseLimitAndRestart, Reload, Restart, RestartWithBackoff};
use zelador_api::diagnosis::Cause;

use super::Ends::Healed;
use super::Fault;
use super::Part::{Line, OutOfMemory, Probe};
use super::place::control_group;

const MORE: &[Remedy] = &[RaiseLimitAndRestart, RestartWithBackoff, Restart];

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        name: "heap-exhausted",
        what: "Node: the heap (`--max-old-space-size`) is full",
        stage: |place| {
            let mut app = place
                .node("const kept = []; for (;;) kept.push(new Array(1e6).fill(kept.length));");
            app["node_args"] = json!("--max-old-space-size=24");
            Ok(place.scene(app))
        },
        causes: &[Cause::OutOfMemoryHeap],
        remedies: MORE,
        shows: &[Line("heap out of memory")],
        ends: Healed,
        fast: true,
    },
    Fault {
        name: "address-space",
        what: "Python: a `MemoryError` at its limit (`as`)",
        stage: |place| {
            let mut app = place.python("everything = bytearray(4 << 30)");
            app["limits"] = json!({ "as": "2G" });
            Ok(place.scene(app))
        },
        causes: &[Cause::OutOfMemoryHeap],
        remedies: MORE,
        shows: &[Line("MemoryError")],
        ends: Healed,
        fast: false,
    },
    Fault {
        name: "oom-killed",
        what: "the kernel kills it at the limit of its control group",
        stage: |place| {
            control_group("memory")?;
            let mut app = place.python("everything = b'x' * (400 << 20)");
            app["limits"] = json!({ "memory": "96M" });
            Ok(place.scene(app))
        },
        causes: &[Cause::OomKilled],
        remedies: &[RestartWithBackoff, Restart, RaiseLimitAndRestart],
        shows: &[OutOfMemory],
        ends: Healed,
        fast: true,
    },
    Fault {
        name: "leak",
        what: "Node: memory grows until its check says so",
        stage: |place| {
            let mut app = place.node(
                "const kept = []; setInterval(() => kept.push(Buffer.alloc(6 << 20, 1)), 250);",
            );
            app["health"] = json!({
                "process": true, "interval": "500ms", "failure_threshold": 2, "success_threshold": 2,
                "limits": { "memory": { "degraded": "140M", "unhealthy": "160M" } },
            });
            Ok(place.scene(app))
        },
        causes: &[Cause::MemoryLeak],
        remedies: &[Restart, Reload, RestartWithBackoff],
        shows: &[Probe],
        ends: Healed,
        fast: false,
    },
];
