//! More work than one process can do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::json;
use zelador_api::Remedy::{NotifyOnly, ScaleOut};
use zelador_api::diagnosis::Cause;

use super::Ends::Healed;
use super::Part::{Probe, Threads};
use super::place::control_group;
use super::{Fault, Place, Scene};
use crate::home::http_get;

/// Every request costs 60 ms of the processor.
const WORKS: &str = "function broken() {}
function health(request, response) {
  const used = () => { const { user, system } = process.cpuUsage(); return user + system; };
  const enough = used() + 60000;
  while (used() < enough);
  response.end('ok\\n');
}";

/// So many ask again as soon as they have their answer. With a quarter of a processor, one worker
/// needs 2.6 s for all of them and the check, two need 1.3 s, three 0.9 s.
const CALLERS: usize = 10;

pub(super) const FAULTS: &[Fault] = &[Fault {
    name: "overload",
    what: "Node: more requests than a worker with a quarter of a processor can do",
    stage: more_than_one_can_do,
    causes: &[Cause::Overload],
    remedies: &[ScaleOut, NotifyOnly],
    shows: &[Probe, Threads],
    ends: Healed,
    fast: false,
}];

/// Ends the callers when dropped.
struct Until(Arc<AtomicBool>);

impl Drop for Until {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn more_than_one_can_do(place: &Place) -> Result<Scene, String> {
    control_group("cpu")?;
    let mut app = place.node_program(WORKS);
    app["exec_mode"] = json!("cluster");
    app["limits"] = json!({ "cpu": 0.25 });
    app["heal"] = json!({ "max_instances": 3 });
    app["health"]["timeout"] = json!("8s");
    // It must last until samples of what it uses are of nothing else.
    app["health"]["interval"] = json!("1s");
    app["health"]["failure_threshold"] = json!(4);
    app["health"]["limits"] = json!({ "first byte": { "unhealthy": "1800ms" } });
    let (port, over) = (place.port(), Arc::new(AtomicBool::new(false)));
    let scene = place.scene(app).keep(Until(Arc::clone(&over)));
    Ok(scene.inject(move |_| {
        for _ in 0..CALLERS {
            let over = Arc::clone(&over);
            thread::spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    _ = http_get(port, "/");
                }
            });
        }
    }))
}
