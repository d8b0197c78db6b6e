//! Programs that end by a fault of their own, or by somebody else's hand.

use rustix::process::Signal as Send;
use zelador_api::Remedy::{self, NotifyOnly, Restart, RestartWithBackoff};
use zelador_api::diagnosis::Cause;

use super::Ends::Healed;
use super::Part::{Code, Line, Signal};
use super::{Fault, Place, Scene};
use crate::home::kill;

/// A restart puts right what was only in memory.
const AGAIN: &[Remedy] = &[Restart, RestartWithBackoff];

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        name: "uncaught-exception",
        what: "Node: nobody catches a TypeError",
        stage: |place| Ok(place.scene(place.node("const user = undefined; user.name.trim();"))),
        causes: &[Cause::UncaughtException],
        remedies: AGAIN,
        shows: &[Code(1), Line("TypeError: Cannot read properties of undefined")],
        ends: Healed,
        fast: true,
    },
    Fault {
        name: "unhandled-rejection",
        what: "Node: nobody catches a rejected promise",
        stage: |place| {
            Ok(place
                .scene(place.node("(async () => { const order = null; return order.total; })();")))
        },
        causes: &[Cause::UncaughtException],
        remedies: AGAIN,
        shows: &[Code(1)],
        ends: Healed,
        fast: false,
    },
    Fault {
        name: "python-traceback",
        what: "Python: a traceback ends the main thread",
        stage: |place| Ok(place.scene(place.python("orders = []\nprint(100 / len(orders))"))),
        causes: &[Cause::UncaughtException],
        remedies: AGAIN,
        shows: &[Code(1), Line("ZeroDivisionError: division by zero")],
        ends: Healed,
        fast: true,
    },
    Fault {
        name: "segfault",
        what: "C: a null pointer is written to",
        stage: |place| Ok(place.scene(place.c("", "*(volatile int *)0 = 1;"))),
        causes: &[Cause::Segfault],
        remedies: AGAIN,
        shows: &[Signal("SIGSEGV")],
        ends: Healed,
        fast: true,
    },
    Fault {
        name: "heap-corruption",
        what: "C: the C library finds a double free",
        stage: |place| {
            let before = "#include <stdlib.h>";
            Ok(place.scene(place.c(before, "char *it = malloc(24); free(it); free(it);")))
        },
        causes: &[Cause::Segfault],
        remedies: AGAIN,
        shows: &[Signal("SIGABRT"), Line("double free")],
        ends: Healed,
        fast: false,
    },
    Fault {
        name: "assertion",
        what: "C: an assertion fails (`abort`)",
        stage: |place| Ok(place.scene(place.c("#include <assert.h>", "assert(2 + 2 == 5);"))),
        causes: &[Cause::PanicAssertion],
        remedies: AGAIN,
        shows: &[Signal("SIGABRT"), Line("Assertion `2 + 2 == 5' failed")],
        ends: Healed,
        fast: false,
    },
    Fault {
        name: "rust-panic",
        what: "Rust: `unwrap` of a `None` panics",
        stage: |place| Ok(place.scene(place.rust("let none: Option<u8> = None; none.unwrap();"))),
        causes: &[Cause::PanicAssertion],
        remedies: AGAIN,
        shows: &[Code(101), Line("panicked at")],
        ends: Healed,
        fast: true,
    },
    Fault {
        name: "stack-overflow",
        what: "Node: a function calls itself without end",
        stage: |place| {
            Ok(place.scene(place.node("const deeper = (n) => deeper(n + 1) + 1; deeper(0);")))
        },
        causes: &[Cause::StackOverflow],
        remedies: AGAIN,
        shows: &[Line("Maximum call stack size exceeded")],
        ends: Healed,
        fast: false,
    },
    Fault {
        name: "silent-exit",
        what: "exit code 3 without a word",
        stage: |place| Ok(place.scene(place.node("process.exit(3);"))),
        causes: &[Cause::Unknown],
        remedies: &[Restart, RestartWithBackoff, NotifyOnly],
        shows: &[Code(3)],
        ends: Healed,
        fast: true,
    },
    Fault {
        name: "killed",
        what: "somebody kills it (`SIGKILL`)",
        stage: |place| Ok(signalled(place, Send::KILL)),
        causes: &[Cause::ExternalKill],
        remedies: &[Restart, RestartWithBackoff, NotifyOnly],
        shows: &[Signal("SIGKILL")],
        ends: Healed,
        fast: true,
    },
    Fault {
        name: "terminated",
        what: "somebody ends it (`SIGTERM`)",
        stage: |place| Ok(signalled(place, Send::TERM)),
        causes: &[Cause::ExternalKill],
        remedies: &[Restart, RestartWithBackoff, NotifyOnly],
        shows: &[Signal("SIGTERM")],
        ends: Healed,
        fast: false,
    },
];

fn signalled(place: &Place, signal: Send) -> Scene {
    let name = place.name();
    let scene = place.scene(place.node(""));
    scene.inject(move |zelador| kill(zelador.pid(name), signal))
}
