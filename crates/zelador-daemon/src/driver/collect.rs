//! Has a runtime collect its garbage by its own means: Node through its inspector, a JVM through `jcmd`.
//!
//! An inspector that Node's own arguments opened is used as it is; otherwise it is opened by a signal, on a port of loopback
//! that only this process learns, and closed again. Always holds: a process that would end by that signal does not get it.

use std::collections::BTreeSet;
use std::fs;
use std::process::Stdio;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::{Instant, sleep};
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;
use zelador_core::signal::Signal;
use zelador_core::unit::ByteSize;
use zelador_core::words;
use zelador_core::words::{Words, quoted};

use crate::{errno, evidence, processes};

/// How long the inspector may take to open: the signal is noticed between two turns of the event loop.
const OPENS_WITHIN: Duration = Duration::from_secs(5);

/// How often it is looked whether it has.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// How long a port may take to say whether it is an inspector's.
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);

/// How long after it was told to an inspector closes, in milliseconds: the session has to be over. One that is closed at
/// once takes Node along (SIGSEGV) in 3 of 150 times, one that is closed 0.3 s later in none of 100 (Node 20.20.2).
const CLOSES_AFTER: u32 = 500;

/// The number of the request that closes an inspector.
const CLOSES: u32 = 2;

/// The largest answer of the inspector, in bytes.
const LARGEST: usize = 1 << 20;

/// What can be asked to collect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Runtime {
    Node,
    Java,
}

/// Has the process, or the first one below it that has a runtime, collect its garbage; returns what came of it.
///
/// # Errors
/// It has no runtime that can be asked, or does not answer within the time.
pub(super) async fn garbage(pid: i32, within: Duration) -> Result<Words, Words> {
    let Some((pid, runtime)) = find(pid) else {
        return Err(words!(
            "none of its processes is Node or a JVM",
            "nenhum dos processos dele é Node nem uma JVM",
        ));
    };
    let before = resident(pid);
    let done = async {
        match runtime {
            Runtime::Node => of_node(pid).await,
            Runtime::Java => of_java(pid).await,
        }
    };
    tokio::time::timeout(within, done).await.map_err(|_| {
        words!(
            "process {pid} did not collect within {t}",
            "o processo {pid} não coletou em {t}",
            t = within,
        )
    })??;
    Ok(words!(
        "process {pid} collected: {before} before, {after} after",
        "o processo {pid} coletou: {before} antes, {after} depois",
        before = before,
        after = resident(pid),
    ))
}

/// The first process with a runtime, from the main one down.
fn find(pid: i32) -> Option<(i32, Runtime)> {
    let mut near = vec![pid];
    let mut seen = BTreeSet::new();
    while let Some(pid) = near.pop() {
        if !seen.insert(pid) {
            continue;
        }
        let program = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
        match program.file_name().and_then(|name| name.to_str()) {
            Some("node") => return Some((pid, Runtime::Node)),
            Some("java") => return Some((pid, Runtime::Java)),
            _ => {}
        }
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        let children =
            tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
        near.extend(children.flat_map(|list| {
            list.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<i32>>()
        }));
    }
    None
}

fn resident(pid: i32) -> Option<ByteSize> {
    let text = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = text.split(' ').nth(1)?.parse().ok()?;
    Some(ByteSize::new(pages * rustix::param::page_size() as u64))
}

async fn of_java(pid: i32) -> Result<(), Words> {
    let mut command = Command::new("jcmd");
    command.arg(pid.to_string()).arg("GC.run").stdin(Stdio::null()).kill_on_drop(true);
    let done = command.output().await.map_err(|error| errno::said_of("jcmd", &error))?;
    let said = String::from_utf8_lossy(&done.stderr);
    let last = said.trim().lines().last().unwrap_or_default();
    if done.status.success() {
        Ok(())
    } else {
        let status = done.status;
        Err(words!("jcmd ended with {status}: {last}", "jcmd terminou com {status}: {last}"))
    }
}

async fn of_node(pid: i32) -> Result<(), Words> {
    let before = evidence::port::listened(pid);
    let collect = || (1, "HeapProfiler.collectGarbage", json!({}));
    if has_inspector(pid) {
        let found = inspector_among(&before).await;
        let (port, url) = found.ok_or_else(|| {
            words!("its inspector does not answer", "o inspetor dele não responde")
        })?;
        return ask(port, &url, [collect()]).await;
    }
    if !processes::catches(pid, Signal::USR1) {
        return Err(words!(
            "process {pid} would end by SIGUSR1, which opens its inspector",
            "o processo {pid} terminaria com SIGUSR1, que abre o inspetor dele",
        ));
    }
    let member = processes::member(pid).map_err(|error| errno::said(&error))?;
    let member = member.ok_or_else(|| words!("it has ended", "terminou"))?;
    processes::signal(member, Signal::USR1).map_err(|error| errno::said(&error))?;
    let until = Instant::now() + OPENS_WITHIN;
    let port = loop {
        let new = evidence::port::listened(pid).difference(&before).next().copied();
        match new {
            Some(port) => break port,
            None if Instant::now() >= until => {
                return Err(words!(
                    "its inspector does not open: is it open already?",
                    "o inspetor dele não abre: já está aberto?",
                ));
            }
            None => sleep(LOOK_AGAIN).await,
        }
    };
    let url = target(port).await?;
    // `require` is there during the evaluation only, and nothing that is thrown later may reach the app.
    let close = format!(
        "(inspector => {{ setTimeout(() => {{ try {{ inspector.close() }} catch {{}} }}, {CLOSES_AFTER}) }})\
         (require('inspector'))"
    );
    let evaluate = json!({ "expression": close, "includeCommandLineAPI": true });
    ask(port, &url, [collect(), (CLOSES, "Runtime.evaluate", evaluate)]).await
}

/// Whether its own arguments opened its inspector, which stays open then.
fn has_inspector(pid: i32) -> bool {
    let read = |what: &str| fs::read(format!("/proc/{pid}/{what}")).unwrap_or_default();
    let (arguments, environment) = (read("cmdline"), read("environ"));
    let options = environment.split(|byte| *byte == 0);
    let options = options.filter_map(|it| it.strip_prefix(b"NODE_OPTIONS="));
    let options = options.flat_map(|it| it.split(u8::is_ascii_whitespace));
    let mut words = arguments.split(|byte| *byte == 0).chain(options);
    words.any(|word| word == b"--inspect" || word.starts_with(b"--inspect="))
}

/// The port of an inspector among those that a process listens on, and its address.
async fn inspector_among(ports: &BTreeSet<u16>) -> Option<(u16, String)> {
    for port in ports {
        // The others are the app's own, and may say nothing for long.
        if let Ok(Ok(url)) = tokio::time::timeout(ANSWERS_WITHIN, target(*port)).await {
            return Some((*port, url));
        }
    }
    None
}

/// Has these done by an inspector, one after the other.
async fn ask<const N: usize>(
    port: u16,
    url: &str,
    all: [(u32, &str, Value); N],
) -> Result<(), Words> {
    let stream =
        TcpStream::connect(("127.0.0.1", port)).await.map_err(|error| errno::said(&error))?;
    let (mut socket, _) = Box::pin(client_async(url, stream)).await.map_err(quoted)?;
    for (id, method, params) in all {
        let asked = json!({ "id": id, "method": method, "params": params }).to_string();
        socket.send(Message::text(asked)).await.map_err(quoted)?;
        loop {
            let said = match socket.next().await {
                Some(Ok(Message::Text(text))) => text,
                Some(Ok(_)) => continue,
                // It closes as soon as it was told to.
                _ if id == CLOSES => break,
                _ => {
                    return Err(words!(
                        "its inspector broke off",
                        "o inspetor dele foi interrompido"
                    ));
                }
            };
            let said: Value = serde_json::from_str(said.as_str()).unwrap_or_default();
            if said["id"] == id {
                match said.get("error") {
                    Some(error) => {
                        return Err(words!(
                            "its inspector says: {error}",
                            "o inspetor dele diz: {error}"
                        ));
                    }
                    None => break,
                }
            }
        }
    }
    // It waits for its clients to go.
    _ = socket.close(None).await;
    Ok(())
}

/// The address of the only thing that can be debugged.
async fn target(port: u16) -> Result<String, Words> {
    let failed = |error: hyper::Error| words!("its inspector: {error}", "o inspetor dele: {error}");
    let stream =
        TcpStream::connect(("127.0.0.1", port)).await.map_err(|error| errno::said(&error))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
    let conversation = async {
        let request = hyper::Request::get("/json/list")
            .header("host", format!("127.0.0.1:{port}"))
            .body(Empty::<Bytes>::new())
            .map_err(quoted)?;
        let answer = sender.send_request(request).await.map_err(failed)?;
        let body = Limited::new(answer.into_body(), LARGEST).collect().await;
        let body = body.map_err(quoted)?.to_bytes();
        let list: Value = serde_json::from_slice(&body).map_err(quoted)?;
        let url = list[0]["webSocketDebuggerUrl"].as_str();
        url.map(str::to_owned).ok_or_else(|| {
            words!("its inspector names no target", "o inspetor dele não indica um alvo")
        })
    };
    let mut conversation = std::pin::pin!(conversation);
    tokio::select! {
        biased;
        answer = &mut conversation => answer,
        _ = connection => conversation.await,
    }
}
