//! Processes that live and do not do their work.

use rustix::process::Signal;
use zelador_api::Remedy::{self, Reload, Restart, RestartWithBackoff};
use zelador_api::diagnosis::Cause;

use super::Ends::Healed;
use super::Fault;
use super::Part::{Line, Probe, Threads};
use crate::home::kill;

const ANEW: &[Remedy] = &[Restart, RestartWithBackoff, Reload];

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        name: "stopped",
        what: "it hangs (`SIGSTOP`)",
        stage: |place| {
            let name = place.name();
            let scene = place.scene(place.node(""));
            Ok(scene.inject(move |zelador| kill(zelador.pid(name), Signal::STOP)))
        },
        causes: &[Cause::DeadlockOrHang],
        remedies: ANEW,
        shows: &[Threads, Probe],
        ends: Healed,
        fast: true,
    },
    Fault {
        name: "event-loop-blocked",
        what: "Node: the event loop waits for a lock for ever",
        stage: |place| {
            Ok(place
                .scene(place.node("Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);")))
        },
        causes: &[Cause::DeadlockOrHang],
        remedies: ANEW,
        shows: &[Threads, Probe],
        ends: Healed,
        fast: false,
    },
    Fault {
        name: "deadlock",
        what: "C: two threads wait for each other's mutex",
        stage: |place| Ok(place.scene(place.c(DEADLOCK, "embrace();"))),
        causes: &[Cause::DeadlockOrHang],
        remedies: ANEW,
        shows: &[Threads, Probe],
        ends: Healed,
        fast: true,
    },
    Fault {
        name: "busy-loop",
        what: "Node: a loop without end blocks everything",
        stage: |place| Ok(place.scene(place.node("for (;;);"))),
        causes: &[Cause::CpuRunaway],
        remedies: ANEW,
        shows: &[Threads, Probe],
        ends: Healed,
        fast: true,
    },
    Fault {
        name: "never-answers",
        what: "Node: requests are taken and never answered",
        stage: |place| {
            let text = "function broken() {}
function health(request, response, state) { if (!state.broken) response.end('ok\\n'); }";
            Ok(place.scene(place.node_program(text)))
        },
        causes: &[Cause::DeadlockOrHang],
        remedies: ANEW,
        shows: &[Threads, Probe],
        ends: Healed,
        fast: false,
    },
    Fault {
        name: "wrong-answers",
        what: "Node: every answer is a 500 with a stack trace, until it is started anew",
        stage: |place| {
            let text = "function broken() {}
function health(request, response, state) {
  try {
    response.end(state.broken ? state.cache.get('shop') : 'ok\\n');
  } catch (error) {
    console.error(error);
    response.writeHead(500).end('sorry\\n');
  }
}";
            Ok(place.scene(place.node_program(text)))
        },
        causes: &[Cause::UncaughtException, Cause::Unknown],
        remedies: ANEW,
        shows: &[Threads, Probe, Line("TypeError: Cannot read properties of undefined")],
        ends: Healed,
        fast: false,
    },
];

const DEADLOCK: &str = r"
#include <pthread.h>
#include <unistd.h>
static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER, b = PTHREAD_MUTEX_INITIALIZER;
static void *other(void *_) {
  pthread_mutex_lock(&b);
  usleep(50000);
  pthread_mutex_lock(&a);
  return 0;
}
static void embrace(void) {
  pthread_t thread;
  pthread_create(&thread, 0, other, 0);
  pthread_mutex_lock(&a);
  usleep(50000);
  pthread_mutex_lock(&b);
}
";
