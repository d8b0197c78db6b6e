//! Real databases that are down, silent, full, locked, or let nobody in.

use crate::server::Server;
use std::process::Command;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use zelador_api::Remedy::{
    self, NotifyOnly, Restart, RestartWithBackoff, StopAndNotify, WaitForDependency,
};
use zelador_api::diagnosis::Cause;

use super::Ends::{HealedOnceMended, Told};
use super::Part::{Code, Line, Probe, Threads};
use super::place::Other;
use super::{Fault, Place, Scene};
use crate::mariadb::MariaDb;
use crate::postgres::Postgres;
use crate::process::program;
use crate::redis::Redis;

const SHOP: &str = include_str!("services/shop.py");
const CARTS: &str = include_str!("services/redis.js");

/// Nothing is done to the app until its database is back.
const WAIT: &[Remedy] = &[WaitForDependency, RestartWithBackoff];

/// Nobody but a person can put it right.
const NO_START: &[Remedy] = &[StopAndNotify, NotifyOnly];

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        name: "postgres-down",
        what: "PostgreSQL, which it depends on, is down; it answers 500",
        stage: |place| {
            let server = shared(Postgres::start());
            let scene = needing_postgres(place, &server, Patience::Patient);
            let (down, up) = (Arc::clone(&server), server);
            Ok(scene.inject(move |_| of(&down).stop()).mend(move |_| of(&up).start_again()))
        },
        causes: &[Cause::DependencyUnreachable],
        remedies: WAIT,
        shows: &[Threads, Probe],
        ends: HealedOnceMended,
        fast: false,
    },
    Fault {
        name: "postgres-silent",
        what: "PostgreSQL hangs (`SIGSTOP`)",
        stage: |place| {
            let server = shared(Postgres::start());
            let scene = needing_postgres(place, &server, Patience::Patient);
            let (still, on) = (Arc::clone(&server), server);
            Ok(scene.inject(move |_| of(&still).freeze()).mend(move |_| of(&on).thaw()))
        },
        causes: &[Cause::DependencyUnreachable],
        remedies: WAIT,
        shows: &[Threads, Probe],
        ends: HealedOnceMended,
        fast: false,
    },
    Fault {
        name: "mariadb-refusing",
        what: "MariaDB refuses connections; the app ends itself each time",
        stage: |place| {
            let server = shared(MariaDb::start());
            let app = shop(place, &mariadb(of(&server).port(), "SELECT 1"), Patience::Strict);
            let scene = place.scene(app).keep(Arc::clone(&server));
            let (down, up) = (Arc::clone(&server), server);
            Ok(scene.inject(move |_| of(&down).stop()).mend(move |_| of(&up).start_again()))
        },
        causes: &[Cause::DependencyUnreachable],
        remedies: WAIT,
        // 2002: nobody listens; 2013: it is cut off while it is let in.
        shows: &[Code(1), Line("ERROR 20")],
        ends: HealedOnceMended,
        fast: false,
    },
    Fault {
        name: "redis-down",
        what: "Redis, which it depends on, is down; it answers 500",
        stage: |place| {
            let server = shared(Redis::start());
            let scene = carts(place, &server);
            let (down, up) = (Arc::clone(&server), server);
            Ok(scene.inject(move |_| of(&down).stop()).mend(move |_| of(&up).start_again()))
        },
        causes: &[Cause::DependencyUnreachable],
        remedies: WAIT,
        shows: &[Line("ECONNREFUSED"), Threads, Probe],
        ends: HealedOnceMended,
        fast: true,
    },
    Fault {
        name: "sqlite-locked",
        what: "another program has locked its SQLite database",
        stage: |place| Ok(sqlite_locked(place)),
        causes: &[Cause::DbLock],
        remedies: &[RestartWithBackoff, Restart, WaitForDependency],
        shows: &[Code(1), Line("database is locked")],
        ends: HealedOnceMended,
        fast: true,
    },
    Fault {
        name: "mariadb-lock",
        what: "a row is locked in MariaDB (1205)",
        stage: |place| {
            let server = shared(MariaDb::start());
            let port = of(&server).port();
            run(&mariadb(
                port,
                "CREATE TABLE stock (id INT PRIMARY KEY, n INT) ENGINE=InnoDB; INSERT INTO stock VALUES (1, 1)",
            ));
            let buys = "SET innodb_lock_wait_timeout = 1; UPDATE stock SET n = n + 1 WHERE id = 1";
            let app = shop(place, &mariadb(port, buys), Patience::Strict);
            let locker = shared(None);
            let scene = place.scene(app).keep(server).keep(Arc::clone(&locker));
            let lock = Arc::clone(&locker);
            Ok(scene
                .inject(move |_| {
                    let locks = "BEGIN; UPDATE stock SET n = 5 WHERE id = 1; SELECT SLEEP(1000)";
                    *of(&lock) = Some(other(&mariadb(port, locks)));
                })
                .mend(move |_| *of(&locker) = None))
        },
        causes: &[Cause::DbLock],
        remedies: &[RestartWithBackoff, Restart, WaitForDependency],
        shows: &[Code(1), Line("ERROR 1205")],
        ends: HealedOnceMended,
        fast: false,
    },
    Fault {
        name: "postgres-full",
        what: "PostgreSQL has no connection left",
        stage: |place| {
            let server = shared(Postgres::start());
            let url = of(&server).url();
            let app = shop(place, &psql(&url, "SELECT 1"), Patience::Strict);
            let others = shared(Vec::new());
            let scene = place.scene(app).keep(server).keep(Arc::clone(&others));
            let greedy = Arc::clone(&others);
            Ok(scene
                .inject(move |_| {
                    // They wait for somebody to type.
                    let mut idle = psql(&url, "");
                    idle.retain(|word| !word.starts_with("--command"));
                    let one_more = psql(&url, "SELECT 1");
                    crate::home::until("no connection to be left", || {
                        of(&greedy).push(other(&idle));
                        // The app's own had the last one, perhaps, and gives it back.
                        (0..3).all(|_| !succeeds(&one_more))
                    });
                })
                .mend(move |_| of(&others).clear()))
        },
        causes: &[Cause::DbTooManyConnections],
        remedies: WAIT,
        shows: &[Code(1), Line("connection")],
        ends: HealedOnceMended,
        fast: false,
    },
    Fault {
        name: "postgres-password",
        what: "PostgreSQL refuses its password",
        stage: |place| {
            let server = Postgres::start();
            let url = server.url();
            let app = shop(place, &psql(&url, "SELECT 1"), Patience::Strict);
            let change = psql(&url, "ALTER ROLE ana PASSWORD 'another'");
            Ok(place.scene(app).keep(server).inject(move |_| run(&change)))
        },
        causes: &[Cause::DependencyAuthFailed],
        remedies: NO_START,
        shows: &[Code(1), Line("password authentication failed")],
        ends: Told,
        fast: false,
    },
    Fault {
        name: "mariadb-password",
        what: "MariaDB refuses its password",
        stage: |place| {
            let server = MariaDb::start();
            let app = shop(place, &mariadb(server.port(), "SELECT 1"), Patience::Strict);
            let change = mariadb(server.port(), "SET PASSWORD = PASSWORD('another')");
            Ok(place.scene(app).keep(server).inject(move |_| run(&change)))
        },
        causes: &[Cause::DependencyAuthFailed],
        remedies: NO_START,
        shows: &[Code(1), Line("Access denied")],
        ends: Told,
        fast: false,
    },
    Fault {
        name: "missing-table",
        what: "PostgreSQL: a migration took the table away",
        stage: |place| {
            let server = Postgres::start();
            let url = server.url();
            run(&psql(&url, "CREATE TABLE orders (id int)"));
            let app = shop(place, &psql(&url, "SELECT count(*) FROM orders"), Patience::Strict);
            let drop = psql(&url, "DROP TABLE orders");
            Ok(place.scene(app).keep(server).inject(move |_| run(&drop)))
        },
        causes: &[Cause::DbSchema],
        remedies: NO_START,
        shows: &[Code(1), Line("relation \"orders\" does not exist")],
        ends: Told,
        fast: false,
    },
];

/// Whether the app outlives a database that fails.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// It answers 500.
    Patient,
    /// It ends itself.
    Strict,
}

fn shared<T>(it: T) -> Arc<Mutex<T>> {
    Arc::new(Mutex::new(it))
}

fn of<T>(it: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    it.lock().expect("nobody panics with it")
}

/// An app that asks its database by this client.
fn shop(place: &Place, client: &[String], patience: Patience) -> Value {
    let mut app = place.python_program(SHOP);
    app["env"]["CLIENT"] = json!(json!(client).to_string());
    app["env"]["PGCONNECT_TIMEOUT"] = json!("1");
    if patience == Patience::Strict {
        app["env"]["STRICT"] = json!("1");
        // It listens once its database has answered.
        app["health"]["start_period"] = json!("5s");
    }
    app
}

pub(super) fn needing_postgres(
    place: &Place,
    server: &Arc<Mutex<Postgres>>,
    patience: Patience,
) -> Scene {
    let url = of(server).url();
    let mut app = shop(place, &psql(&url, "SELECT 1"), patience);
    let database = format!("{}-main", place.name());
    app["depends_on"] = json!([database]);
    place.scene(app).keep(Arc::clone(server)).database(&database, declared(&url))
}

fn declared(url: &str) -> Value {
    json!({ "url": url, "interval": "500ms", "timeout": "1s", "failure_threshold": 2, "success_threshold": 1 })
}

fn carts(place: &Place, server: &Arc<Mutex<Redis>>) -> Scene {
    place.write("app.js", CARTS);
    let mut app = place.app("app.js");
    app["env"]["CACHE"] = json!(format!("{}:{}", of(server).port(), Redis::PASSWORD));
    let cache = format!("{}-cache", place.name());
    app["depends_on"] = json!([cache]);
    let url = of(server).url();
    place.scene(app).keep(Arc::clone(server)).database(&cache, declared(&url))
}

fn psql(url: &str, sql: &str) -> Vec<String> {
    let client = program("psql", "postgresql-client").display().to_string();
    vec![
        client,
        "--no-psqlrc".to_owned(),
        "--quiet".to_owned(),
        format!("--command={sql}"),
        url.to_owned(),
    ]
}

fn mariadb(port: u16, sql: &str) -> Vec<String> {
    let client = program("mariadb", "mariadb-client").display().to_string();
    let password = format!("--password={}", MariaDb::PASSWORD);
    let words =
        ["--no-defaults", "--host=127.0.0.1", "--protocol=tcp", "--user=ana", "--database=shop"];
    let mut client = vec![client];
    client.extend(words.map(str::to_owned));
    client.extend([format!("--port={port}"), password, format!("--execute={sql}")]);
    client
}

fn run(client: &[String]) {
    let said = Command::new(&client[0]).args(&client[1..]).output().expect("it is there");
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
}

fn succeeds(client: &[String]) -> bool {
    let said = Command::new(&client[0]).args(&client[1..]).output().expect("it is there");
    said.status.success()
}

fn other(client: &[String]) -> Other {
    Other::start(Command::new(&client[0]).args(&client[1..]))
}

fn sqlite_locked(place: &Place) -> Scene {
    let begins = "import sqlite3, time\ndata = sqlite3.connect('shop.db', timeout=0.1)\n\
                  data.execute('CREATE TABLE IF NOT EXISTS orders (id INTEGER)')\n\
                  data.execute('INSERT INTO orders VALUES (1)')\ndata.commit()";
    let app = place.python("data.execute('INSERT INTO orders VALUES (2)')\ndata.commit()");
    let text = std::fs::read_to_string(place.folder().join("app.py")).expect("it was written");
    place.write("app.py", &format!("{begins}\n{text}"));
    let (folder, port) = (place.folder().to_owned(), place.port());
    let locker = shared(None);
    let locks = Arc::clone(&locker);
    let scene = place.scene(app).keep(Arc::clone(&locker)).inject(move |_| {
        let text = "import sqlite3, time\ndata = sqlite3.connect('shop.db')\n\
                    data.execute('BEGIN EXCLUSIVE')\nopen('locked', 'w')\ntime.sleep(1000)";
        let mut program = Command::new(program("python3", "python3"));
        *of(&locks) = Some(Other::start(program.args(["-c", text]).current_dir(&folder)));
        crate::home::until("the lock", || folder.join("locked").exists());
        _ = crate::home::http_get(port, "/break");
    });
    scene.mend(move |_| *of(&locker) = None)
}
