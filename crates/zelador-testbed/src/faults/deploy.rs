//! New releases, configurations and hosts on which the service does not start any more.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use zelador_api::Remedy::{
    self, KillPortHolder, NotifyOnly, Restart, RestartWithBackoff, StopAndNotify,
};
use zelador_api::diagnosis::Cause;
use zelador_api::route;

use super::Ends::{HealedOnceMended, Told};
use super::Part::{Code, Line, NeverStarted, PortHolder};
use super::place::Other;
use super::{Fault, LIMIT, Place, Scene};
use crate::home::{http_get, until, until_within};
use crate::process::program;

/// Starting again cannot help: a person is needed.
const NO_START: &[Remedy] = &[StopAndNotify, NotifyOnly];

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        name: "syntax-error",
        what: "a deploy whose JavaScript does not parse",
        stage: |place| Ok(deploy_node(place, "const http = require('http';\n")),
        causes: &[Cause::SyntaxError],
        remedies: NO_START,
        shows: &[Code(1), Line("SyntaxError")],
        ends: Told,
        fast: true,
    },
    Fault {
        name: "indentation",
        what: "a deploy whose Python does not parse",
        stage: |place| Ok(deploy_python(place, "def main():\nprint('hello')\n")),
        causes: &[Cause::SyntaxError],
        remedies: NO_START,
        shows: &[Code(1), Line("IndentationError")],
        ends: Told,
        fast: false,
    },
    Fault {
        name: "missing-module",
        what: "a deploy that needs a package which was not installed (Node)",
        stage: |place| Ok(deploy_node(place, "require('express-of-nobody')();\n")),
        causes: &[Cause::MissingModule],
        remedies: NO_START,
        shows: &[Code(1), Line("Cannot find module 'express-of-nobody'")],
        ends: Told,
        fast: true,
    },
    Fault {
        name: "missing-python-module",
        what: "the same in Python",
        stage: |place| Ok(deploy_python(place, "import flask_of_nobody\n")),
        causes: &[Cause::MissingModule],
        remedies: NO_START,
        shows: &[Code(1), Line("ModuleNotFoundError")],
        ends: Told,
        fast: false,
    },
    Fault {
        name: "missing-variable",
        what: "a deploy that needs a variable which is not set (Node)",
        stage: |place| {
            let text = "if (!process.env.SHOP_DATABASE_URL) throw new Error('SHOP_DATABASE_URL is not set');\n";
            Ok(deploy_node(place, text))
        },
        causes: &[Cause::MissingEnvVar],
        remedies: NO_START,
        shows: &[Code(1), Line("SHOP_DATABASE_URL")],
        ends: Told,
        fast: true,
    },
    Fault {
        name: "missing-python-variable",
        what: "the same in Python: a `KeyError` of `os.environ`",
        stage: |place| {
            Ok(deploy_python(place, "import os\nurl = os.environ['SHOP_DATABASE_URL']\n"))
        },
        causes: &[Cause::MissingEnvVar],
        remedies: NO_START,
        shows: &[Code(1), Line("KeyError: 'SHOP_DATABASE_URL'")],
        ends: Told,
        fast: false,
    },
    Fault {
        name: "missing-file",
        what: "its configuration file is gone",
        stage: |place| {
            let settings = place.write("settings.json", "{}");
            let app = place
                .python_that_begins("import json\nsettings = json.load(open('settings.json'))\n");
            Ok(restarted(place, app, move || fs::remove_file(settings).expect("it was there")))
        },
        causes: &[Cause::MissingFile],
        remedies: NO_START,
        shows: &[Code(1), Line("No such file or directory: 'settings.json'")],
        ends: Told,
        fast: false,
    },
    Fault {
        name: "invalid-configuration",
        what: "its configuration file is no JSON any more",
        stage: |place| {
            let settings = place.write("settings.json", "{ \"limit\": 10 }");
            let begins = "const settings = JSON.parse(require('fs').readFileSync('settings.json', 'utf8'));\n";
            let app = place.node_that_begins(begins);
            Ok(restarted(place, app, move || {
                fs::write(settings, "{ \"limit\": 10, }").expect("the folder is ours");
            }))
        },
        causes: &[Cause::BadConfig],
        remedies: NO_START,
        shows: &[Code(1), Line("in JSON at position")],
        ends: Told,
        fast: true,
    },
    Fault {
        name: "corrupt-data",
        what: "its SQLite database is damaged",
        stage: |place| Ok(corrupt_data(place)),
        causes: &[Cause::DataCorruption],
        remedies: NO_START,
        shows: &[Code(1), Line("sqlite3.DatabaseError")],
        ends: Told,
        fast: true,
    },
    Fault {
        name: "permission-denied",
        what: "it may not read its key",
        stage: |place| {
            let key = place.write("shop.key", "secret");
            let mut app = place.python_that_begins("key = open('shop.key').read()\n");
            // What root may do besides would let it read everything.
            app["limits"] = json!({ "capabilities": [] });
            Ok(restarted(place, app, move || {
                fs::set_permissions(key, fs::Permissions::from_mode(0o000))
                    .expect("the file is ours");
            }))
        },
        causes: &[Cause::PermissionDenied],
        remedies: NO_START,
        shows: &[Code(1), Line("Permission denied: 'shop.key'")],
        ends: Told,
        fast: false,
    },
    Fault {
        name: "missing-interpreter",
        what: "its interpreter is not installed any more",
        stage: |place| {
            let link = place.folder().join("node-18");
            std::os::unix::fs::symlink(program("node", "nodejs"), &link).expect("it is empty");
            let mut app = place.node("");
            app["interpreter"] = json!(link);
            Ok(restarted(place, app, move || fs::remove_file(link).expect("it was there")))
        },
        causes: &[Cause::MissingCommand],
        remedies: NO_START,
        shows: &[NeverStarted],
        ends: Told,
        fast: true,
    },
    Fault {
        name: "missing-folder",
        what: "its working directory was removed",
        stage: |place| {
            let folder = place.folder().join("current");
            fs::create_dir(&folder).expect("it is empty");
            let mut app = place.node("");
            app["script"] = json!(place.folder().join("app.js"));
            app["cwd"] = json!(folder);
            Ok(restarted(place, app, move || fs::remove_dir_all(folder).expect("it was there")))
        },
        causes: &[Cause::MissingFile],
        remedies: NO_START,
        shows: &[NeverStarted],
        ends: Told,
        fast: false,
    },
    Fault {
        name: "not-executable",
        what: "a deploy lost the executable bit of its binary",
        stage: |place| {
            let app = place.c("", "");
            let binary = place.folder().join("app");
            Ok(restarted(place, app, move || {
                fs::set_permissions(binary, fs::Permissions::from_mode(0o644)).expect("it is ours");
            }))
        },
        causes: &[Cause::PermissionDenied],
        remedies: NO_START,
        shows: &[NeverStarted],
        ends: Told,
        fast: false,
    },
    Fault {
        name: "wrong-format",
        what: "a deploy brought a binary that this host cannot execute",
        stage: |place| {
            let app = place.c("", "");
            let binary = place.folder().join("app");
            Ok(restarted(place, app, move || {
                fs::remove_file(&binary).expect("it was there");
                fs::write(&binary, b"\x7fELF\x02\x01\x01not for this host").expect("it is ours");
                fs::set_permissions(binary, fs::Permissions::from_mode(0o755)).expect("it is ours");
            }))
        },
        causes: &[Cause::WrongArchitecture],
        remedies: NO_START,
        shows: &[NeverStarted],
        ends: Told,
        fast: false,
    },
    Fault {
        name: "bad-deploy",
        what: "a deploy with a bug that ends every start",
        stage: |place| {
            let text = "const routes = { home: undefined };\nroutes.home.register();\n";
            Ok(deploy_node(place, text))
        },
        causes: &[Cause::UncaughtException],
        remedies: &[Restart, RestartWithBackoff, StopAndNotify],
        shows: &[Code(1), Line("TypeError: Cannot read properties of undefined")],
        ends: Told,
        fast: true,
    },
    Fault {
        name: "already-running",
        what: "another instance holds its lock",
        stage: |place| {
            let lock = place.write("app.lock", "");
            let begins = "import fcntl\nlock = open('app.lock')\ntry:\n    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)\n\
                          except BlockingIOError as error:\n    raise SystemExit(f'app.lock: {error}: another instance is already running')\n";
            let (app, name) = (place.python_that_begins(begins), place.name());
            let held = Arc::new(Mutex::new(None));
            let scene = place.scene(app).keep(Arc::clone(&held));
            Ok(scene.inject(move |zelador| {
                zelador.ok(&["stop", name]);
                let file = File::open(lock).expect("it was there");
                file.lock().expect("nobody holds it now");
                *held.lock().expect("nobody panics with it") = Some(file);
                zelador.run(&["start", name]);
            }))
        },
        causes: &[Cause::AlreadyRunning],
        remedies: &[StopAndNotify, NotifyOnly, RestartWithBackoff],
        shows: &[Code(1), Line("already running")],
        ends: Told,
        fast: false,
    },
    Fault {
        name: "port-taken",
        what: "another program has its port, and goes in the end",
        stage: |place| Ok(port_taken_for_a_while(place)),
        causes: &[Cause::PortInUse],
        remedies: &[RestartWithBackoff, StopAndNotify, KillPortHolder],
        shows: &[Code(1), Line("EADDRINUSE"), PortHolder],
        ends: HealedOnceMended,
        fast: false,
    },
    Fault {
        name: "port-kept",
        what: "another program has its port and keeps it, until a person says that it may be ended",
        stage: |place| Ok(port_taken_for_ever(place)),
        causes: &[Cause::PortInUse],
        remedies: &[RestartWithBackoff, KillPortHolder],
        shows: &[Code(1), Line("EADDRINUSE"), PortHolder],
        ends: HealedOnceMended,
        fast: true,
    },
];

/// A world in which something is changed, and the service started anew.
pub(super) fn restarted(
    place: &Place,
    app: Value,
    change: impl FnOnce() + Send + 'static,
) -> Scene {
    let name = place.name();
    place.scene(app).inject(move |zelador| {
        change();
        // It does not come up, and says so.
        zelador.run(&["restart", name]);
    })
}

fn deploy_node(place: &Place, text: &'static str) -> Scene {
    let (app, path) = (place.node(""), place.folder().join("app.js"));
    restarted(place, app, move || fs::write(path, text).expect("the folder is ours"))
}

fn deploy_python(place: &Place, text: &'static str) -> Scene {
    let (app, path) = (place.python(""), place.folder().join("app.py"));
    restarted(place, app, move || fs::write(path, text).expect("the folder is ours"))
}

fn corrupt_data(place: &Place) -> Scene {
    let begins = "import sqlite3\ndata = sqlite3.connect('shop.db')\n\
                  data.execute('CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, what TEXT)')\n\
                  data.executemany('INSERT INTO orders (what) VALUES (?)', [('x' * 500,)] * 100)\n\
                  data.commit()\nprint(data.execute('SELECT count(what) FROM orders').fetchone(), 'orders')\n";
    let path = place.folder().join("shop.db");
    let (damaged, seen) = (path.clone(), Arc::new(Mutex::new(Vec::new())));
    let kept = Arc::clone(&seen);
    let scene = restarted(place, place.python_that_begins(begins), move || {
        let mut bytes = fs::read(&damaged).expect("it was made");
        // All pages but the first: what is found in them is nonsense.
        bytes[4096..].fill(0xA5);
        fs::write(&damaged, &bytes).expect("the folder is ours");
        *kept.lock().expect("nobody panics with it") = bytes;
    });
    scene.harm(move || {
        let is_same = fs::read(&path).is_ok_and(|now| now == *seen.lock().expect("nobody panics"));
        (!is_same).then(|| "the damaged data was touched".to_owned())
    })
}

/// A program of somebody else that has the app's port.
#[derive(Clone)]
struct Squatter(Arc<Mutex<Option<Other>>>);

impl Squatter {
    fn lives(&self) -> bool {
        self.0.lock().expect("nobody panics with it").as_mut().is_some_and(Other::lives)
    }
}

/// A world in which that program takes the port while the app is stopped for a moment.
fn port_taken(place: &Place) -> (Scene, Squatter) {
    let (name, port) = (place.name(), place.port());
    let squatter = Squatter(Arc::default());
    let takes = squatter.clone();
    let scene = place.scene(place.node("")).keep(squatter.clone());
    let scene = scene.inject(move |zelador| {
        zelador.ok(&["stop", name]);
        let mut server = Command::new(program("python3", "python3"));
        server.args(["-m", "http.server", "--bind", "127.0.0.1", &port.to_string()]);
        *takes.0.lock().expect("nobody panics with it") = Some(Other::start(&mut server));
        until("the other program to listen", || http_get(port, "/").is_some());
        zelador.run(&["start", name]);
    });
    (scene, squatter)
}

/// The program goes by itself, and may not be touched before.
fn port_taken_for_a_while(place: &Place) -> Scene {
    let (scene, squatter) = port_taken(place);
    let lived = Arc::new(Mutex::new(true));
    let was_alive = Arc::clone(&lived);
    let scene = scene.mend(move |_| {
        *was_alive.lock().expect("nobody panics with it") = squatter.lives();
        drop(squatter.0.lock().expect("nobody panics with it").take());
    });
    scene.harm(move || {
        let lived = *lived.lock().expect("nobody panics with it");
        (!lived).then(|| "the other program was ended".to_owned())
    })
}

/// A person says that the program may be ended; until then it may not be touched.
fn port_taken_for_ever(place: &Place) -> Scene {
    let (scene, squatter) = port_taken(place);
    let name = place.name();
    let (lived, lives) = (Arc::new(Mutex::new(true)), squatter.clone());
    let was_alive = Arc::clone(&lived);
    let scene = scene.mend(move |zelador| {
        *was_alive.lock().expect("nobody panics with it") = squatter.lives();
        let asking = || {
            let all = zelador.ask(route::INCIDENTS)?;
            let asks = |it: &&Value| it["app"] == name && !it["proposal"].is_null();
            all.as_array()?.iter().find(asks).map(|it| it["id"].to_string())
        };
        // It asks when it has seen who has the port, which may be after the next death.
        until_within("the question", LIMIT, || asking().is_some());
        zelador.ok(&["incident", "approve", &asking().expect("nobody else answers")]);
    });
    scene.harm(move || {
        let lived = *lived.lock().expect("nobody panics with it");
        if !lived {
            return Some("the other program was ended before anybody said so".to_owned());
        }
        lives.lives().then(|| "the other program still has the port".to_owned())
    })
}
