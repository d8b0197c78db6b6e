//! Foreign requests: to the endpoints, and to the control socket.

use axum::body::Body;
use axum::http::{Method, Request, Uri};
use tokio::sync::{mpsc, watch};
use tower_service::Service;
use zelador_core::spec::Settings;
use zelador_testbed::fuzz::fuzz;

use super::{Handle, Home, StatusCode, private, public};

/// Feeds requests that read `METHOD PATH` and, on the lines after it, a body; to nobody: what is
/// understood is answered with 503.
fn requests(name: &str, good: &[&[u8]], router: fn(Handle) -> axum::Router) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let (inbox, _) = mpsc::channel(1);
    let (_sender, settings) = watch::channel(Settings::default());
    let home = Home::new("/nowhere");
    let folder = tempfile::tempdir().unwrap();
    let archive = crate::history::Archive::start(&folder.path().join("history.db")).unwrap();
    let clock = crate::clock::Clock::start();
    // Nobody explains: such a request is told that the engine is ending.
    let (advisor, _) = mpsc::channel(1);
    let (sayings, _) = tokio::sync::broadcast::channel(1);
    let handle =
        Handle { inbox, guardian_pid: 1, home, settings, archive, clock, advisor, sayings };
    let mut router = router(handle);
    fuzz(name, good, |input| {
        let (line, body) = match input.iter().position(|byte| *byte == b'\n') {
            Some(end) => (&input[..end], &input[end + 1..]),
            None => (input, &[][..]),
        };
        let line = String::from_utf8_lossy(line);
        let (method, path) = line.split_once(' ').unwrap_or(("GET", &line));
        let (Ok(method), Ok(path)) = (method.parse::<Method>(), path.parse::<Uri>()) else {
            return;
        };
        let request = Request::builder().method(method).uri(path);
        let request = request.header("content-type", "application/json");
        let Ok(request) = request.body(Body::from(body.to_vec())) else { return };
        let Ok(answer) = runtime.block_on(router.call(request));
        let status = answer.status();
        assert!(
            !status.is_server_error()
                || status == StatusCode::SERVICE_UNAVAILABLE
                || status == StatusCode::INTERNAL_SERVER_ERROR && name.contains("tRPC"),
            "{status}"
        );
    });
}

#[test]
fn fuzz_trpc() {
    let good: [&[u8]; 5] = [
        b"GET /api/trpc/health.check",
        b"GET /api/trpc/health.check,health.status,health.simple?batch=1&input=%7B%7D",
        b"POST /api/trpc/health.simple?batch=1\n{}",
        b"GET /api/trpc/nothing%2Cof%20this?batch=1&batch=2",
        b"GET /healthz",
    ];
    requests("requests to tRPC", &good, public);
}

#[test]
fn fuzz_control_socket() {
    let good: [&[u8]; 8] = [
        b"GET /v1/view",
        b"GET /v1/bus",
        b"POST /v1/say\n{\"instance\":0,\"message\":{\"topic\":\"x\"}}",
        b"POST /v1/commands\n{\"stop\":{\"selectors\":[\"all\"]}}",
        b"POST /v1/commands\n{\"declare\":{\"apps\":[],\"settings\":null}}",
        b"POST /v1/logs/flush\n{\"selectors\":[\"api\"]}",
        b"GET /v1/incidents/7",
        b"POST /v1/settings\n{\"http\":\"off\",\"databases\":{}}",
    ];
    requests("requests to the control socket", &good, private);
}
