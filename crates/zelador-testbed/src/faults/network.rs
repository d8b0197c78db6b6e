//! Names, certificates and other services that fail.

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use zelador_api::Remedy::{NotifyOnly, RestartWithBackoff, StopAndNotify, WaitForDependency};
use zelador_api::diagnosis::Cause;

use super::Ends::{HealedOnceMended, Told};
use super::Part::{Line, Probe, Threads};
use super::{Fault, Place, Scene};
use crate::receiver::{Receiver, Reply};
use crate::tls::TlsServer;

const RESOLVER: &str = include_str!("services/resolver.js");
const UPSTREAM: &str = include_str!("services/upstream.js");

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        name: "dns-failing",
        what: "the name of its database is not found any more",
        stage: |place| {
            let server = NameServer::start();
            place.write("app.js", RESOLVER);
            let mut app = place.app("app.js");
            app["env"]["DNS"] = json!(server.address);
            let (fails, works) = (Arc::clone(&server.knows), Arc::clone(&server.knows));
            Ok(place
                .scene(app)
                .keep(server)
                .inject(move |_| fails.store(false, Ordering::Relaxed))
                .mend(move |_| works.store(true, Ordering::Relaxed)))
        },
        causes: &[Cause::DnsFailure],
        remedies: &[WaitForDependency, RestartWithBackoff, StopAndNotify],
        shows: &[Line("ENOTFOUND"), Threads, Probe],
        ends: HealedOnceMended,
        fast: true,
    },
    Fault {
        name: "certificate-expired",
        what: "the certificate of a service that it needs has expired",
        stage: |place| {
            let (good, expired) = (TlsServer::start(90), TlsServer::start_expired());
            let at = |server: &TlsServer| json!({ "url": format!("https://127.0.0.1:{}/", server.port()), "ca": server.certificate() });
            let (first, then) = (at(&good), at(&expired));
            let scene = needing(place, &first).keep(good).keep(expired);
            let path = place.folder().join("upstream.json");
            Ok(scene.inject(move |_| std::fs::write(path, then.to_string()).expect("it is ours")))
        },
        causes: &[Cause::TlsCertificate],
        remedies: &[StopAndNotify, NotifyOnly],
        shows: &[Line("certificate has expired"), Threads, Probe],
        ends: Told,
        fast: false,
    },
    Fault {
        name: "dependency-slow",
        what: "a service that it needs does not answer in time",
        stage: |place| Ok(worse(place, Reply::Hang)),
        causes: &[Cause::DependencyUnreachable],
        remedies: &[WaitForDependency, RestartWithBackoff],
        shows: &[Line("ETIMEDOUT"), Threads, Probe],
        ends: HealedOnceMended,
        fast: true,
    },
    Fault {
        name: "rate-limited",
        what: "a service that it needs throttles it (429)",
        stage: |place| Ok(worse(place, Reply::Say(429, "retry-after: 60\r\n", "slow down"))),
        causes: &[Cause::RateLimited],
        remedies: &[RestartWithBackoff, WaitForDependency],
        shows: &[Line("HTTP 429"), Threads, Probe],
        ends: HealedOnceMended,
        fast: false,
    },
];

/// An app that needs the service at this place.
fn needing(place: &Place, upstream: &Value) -> Scene {
    place.write("app.js", UPSTREAM);
    place.write("upstream.json", &upstream.to_string());
    place.scene(place.app("app.js"))
}

/// The service that it needs answers like this, and well again once that is mended.
fn worse(place: &Place, reply: Reply) -> Scene {
    let (good, bad) = (Receiver::start(Reply::Say(200, "", "ok")), Receiver::start(reply));
    let at = |server: &Receiver| json!({ "url": server.url() });
    let (well, sick) = (at(&good), at(&bad).to_string());
    let again = well.to_string();
    let (path, back) = (place.folder().join("upstream.json"), place.folder().join("upstream.json"));
    needing(place, &well)
        .inject(move |_| std::fs::write(path, sick).expect("it is ours"))
        .mend(move |_| std::fs::write(back, again).expect("it is ours"))
}

/// A name server that knows every name, or none.
struct NameServer {
    address: String,
    knows: Arc<AtomicBool>,
    ends: Arc<AtomicBool>,
}

impl NameServer {
    fn start() -> Self {
        let socket = UdpSocket::bind(("127.0.0.1", 0)).expect("loopback has ports left");
        socket.set_read_timeout(Some(Duration::from_millis(100))).expect("it is not zero");
        let address = socket.local_addr().expect("it is bound").to_string();
        let (knows, ends) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(false)));
        let (knows_now, ended) = (Arc::clone(&knows), Arc::clone(&ends));
        thread::spawn(move || {
            let mut question = [0; 512];
            while !ended.load(Ordering::Relaxed) {
                let Ok((length, from)) = socket.recv_from(&mut question) else { continue };
                let answer = answer(&question[..length], knows_now.load(Ordering::Relaxed));
                _ = socket.send_to(&answer, from);
            }
        });
        Self { address, knows, ends }
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
    }
}

/// The answer to a question for one address (RFC 1035): 127.0.0.1, or that there is no such name.
fn answer(question: &[u8], knows: bool) -> Vec<u8> {
    // The number of the question; an answer, recursion wanted and had, and its code: 3 is NXDOMAIN.
    let mut answer = question.get(..2).unwrap_or_default().to_vec();
    answer.extend(if knows { [0x81, 0x80] } else { [0x81, 0x83] });
    // One question, so many answers, nothing else.
    answer.extend([0, 1, 0, u8::from(knows), 0, 0, 0, 0]);
    // The question: labels up to the empty one, its type and class.
    let rest = question.get(12..).unwrap_or_default();
    let name = rest.iter().position(|byte| *byte == 0).unwrap_or_default();
    answer.extend(rest.get(..name + 5).unwrap_or_default());
    if knows {
        // The name of byte 12, A, IN, a minute, four bytes.
        answer.extend([0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
    }
    answer
}
