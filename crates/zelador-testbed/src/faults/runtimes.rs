//! What services of PHP, Ruby, Java and Go typically die of; each only where its runtime is installed.

use std::fs;

use serde_json::json;
use zelador_api::Remedy::{
    self, NotifyOnly, RaiseLimitAndRestart, Restart, RestartWithBackoff, StopAndNotify,
};
use zelador_api::diagnosis::Cause;

use super::Ends::{Healed, Told};
use super::Fault;
use super::Part::{Code, Line};
use super::deploy::restarted;

const AGAIN: &[Remedy] = &[Restart, RestartWithBackoff];
const MORE: &[Remedy] = &[RaiseLimitAndRestart, RestartWithBackoff, Restart];
const NO_START: &[Remedy] = &[StopAndNotify, NotifyOnly];

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        name: "php-memory",
        what: "PHP: `memory_limit` is used up",
        stage: |place| {
            let mut app = place.php("$kept = []; for (;;) $kept[] = str_repeat('x', 100000);")?;
            app["interpreter_args"] = json!(["-d", "memory_limit=16M"]);
            Ok(place.scene(app))
        },
        causes: &[Cause::OutOfMemoryHeap],
        remedies: MORE,
        shows: &[Code(255), Line("Allowed memory size of 16777216 bytes exhausted")],
        ends: Healed,
        fast: true,
    },
    Fault {
        name: "php-exception",
        what: "PHP: a method of `null` is called",
        stage: |place| Ok(place.scene(place.php("$order = null; $order->ship();")?)),
        causes: &[Cause::UncaughtException],
        remedies: AGAIN,
        shows: &[Code(255), Line("Call to a member function ship() on null")],
        ends: Healed,
        fast: false,
    },
    Fault {
        name: "php-dependencies",
        what: "PHP: a deploy without `composer install`",
        stage: |place| {
            let app = place.php("")?;
            let path = place.folder().join("app.php");
            Ok(restarted(place, app, move || {
                let text = fs::read_to_string(&path).expect("it was written");
                let needs = "<?php require __DIR__ . '/vendor/autoload.php'; ?>";
                fs::write(path, format!("{needs}{text}")).expect("the folder is ours");
            }))
        },
        causes: &[Cause::MissingModule],
        remedies: NO_START,
        shows: &[Code(255), Line("vendor/autoload.php")],
        ends: Told,
        fast: false,
    },
    Fault {
        name: "ruby-exception",
        what: "Ruby: a method of `nil` is called",
        stage: |place| Ok(place.scene(place.ruby("  order = nil\n  order.ship")?)),
        causes: &[Cause::UncaughtException],
        remedies: AGAIN,
        shows: &[Code(1), Line("undefined method `ship' for nil")],
        ends: Healed,
        fast: false,
    },
    Fault {
        name: "ruby-gem",
        what: "Ruby: a deploy that needs a gem which was not installed",
        stage: |place| {
            let app = place.ruby("")?;
            let path = place.folder().join("app.rb");
            Ok(restarted(place, app, move || {
                fs::write(path, "require 'sinatra_of_nobody'\n").expect("the folder is ours");
            }))
        },
        causes: &[Cause::MissingModule],
        remedies: NO_START,
        shows: &[Code(1), Line("cannot load such file -- sinatra_of_nobody (LoadError)")],
        ends: Told,
        fast: true,
    },
    Fault {
        name: "java-heap",
        what: "Java: the heap (`-Xmx`) is full",
        stage: |place| {
            let fills = "var kept = new java.util.ArrayList<byte[]>(); for (;;) kept.add(new byte[1 << 20]);";
            Ok(place.scene(place.java(&["-Xmx24m"], fills)?))
        },
        causes: &[Cause::OutOfMemoryHeap],
        remedies: MORE,
        shows: &[Code(1), Line("java.lang.OutOfMemoryError: Java heap space")],
        ends: Healed,
        fast: false,
    },
    Fault {
        name: "java-exception",
        what: "Java: nobody catches a `NullPointerException` of a cause",
        stage: |place| {
            let throws = "try { String order = null; order.trim(); }\n\
                          catch (RuntimeException e) { throw new IllegalStateException(\"order 17\", e); }";
            Ok(place.scene(place.java(&["-Xmx64m"], throws)?))
        },
        causes: &[Cause::UncaughtException],
        remedies: AGAIN,
        shows: &[Code(1), Line("Caused by: java.lang.NullPointerException")],
        ends: Healed,
        fast: false,
    },
    Fault {
        name: "java-class",
        what: "Java: a deploy forgot a class",
        stage: |place| {
            let app = place.java(&["-Xmx64m"], "")?;
            let class = place.folder().join("Service.class");
            Ok(restarted(place, app, move || fs::remove_file(class).expect("it was built")))
        },
        causes: &[Cause::MissingModule],
        remedies: NO_START,
        shows: &[Code(1), Line("java.lang.ClassNotFoundException: Service")],
        ends: Told,
        fast: false,
    },
    Fault {
        name: "go-panic",
        what: "Go: an entry is put into a nil map",
        stage: |place| {
            Ok(place.scene(place.go("\tvar orders map[string]int\n\torders[\"shoes\"]++")?))
        },
        causes: &[Cause::PanicAssertion],
        remedies: AGAIN,
        shows: &[Code(2), Line("panic: assignment to entry in nil map")],
        ends: Healed,
        fast: false,
    },
    Fault {
        name: "go-map-race",
        what: "Go: the runtime finds two writers of one map",
        stage: |place| {
            let races = "\torders := map[int]int{}\n\tfor range [8]int{} {\n\t\tgo func() {\n\t\t\tfor n := 0; ; n++ {\n\
                         \t\t\t\torders[n%100] = n\n\t\t\t}\n\t\t}()\n\t}\n\tselect {}";
            Ok(place.scene(place.go(races)?))
        },
        causes: &[Cause::PanicAssertion],
        remedies: AGAIN,
        shows: &[Code(2), Line("fatal error: concurrent map writes")],
        ends: Healed,
        fast: false,
    },
];
