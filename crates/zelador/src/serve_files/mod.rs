//! A server of static files: the process that `zelador serve` and `script: 'serve'` start as an app.
//!
//! It knows nothing of zelador; what it serves stands in its environment (`PM2_SERVE_…`, PM2's names),
//! so that a password is in no command line. Always holds: nothing outside of the folder is served,
//! whatever links lie in it (`contained`), and no file or folder whose name begins with a dot except
//! `.well-known`; only GET and HEAD are answered.

mod contained;
mod options;
mod pages;

use std::io;
use std::process::ExitCode;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tower_http::services::ServeDir;

use contained::Contained;
pub use options::{Options, Variable};

/// What is served, and how.
struct Site {
    options: Options,
    folder: Contained,
    files: ServeDir<tower_http::services::fs::DefaultServeDirFallback, Contained>,
    /// The header that must come with every request.
    authorization: Option<String>,
}

/// Serves what the environment says, until a signal asks for the end.
pub fn main() -> ExitCode {
    match Options::from_variables(|name| std::env::var(name).ok()).and_then(serve) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(options: Options) -> Result<(), String> {
    let failed = |what: &str| {
        let what = what.to_owned();
        move |error: io::Error| format!("{what}: {error}")
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed("the runtime cannot be set up"))?;
    runtime.block_on(async {
        let folder = options.path.display().to_string();
        let site = Site::new(options).map_err(failed(&format!("{folder} cannot be served")))?;
        let (host, port) = (site.options.host.as_str(), site.options.port);
        let listener = TcpListener::bind((host, port)).await;
        let listener =
            listener.map_err(failed(&format!("port {port} of {host} cannot be listened on")))?;
        println!("{}", site.greeting());
        let ended = async {
            let (Ok(mut int), Ok(mut term)) =
                (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
            else {
                return std::future::pending().await;
            };
            tokio::select! { _ = int.recv() => {} _ = term.recv() => {} }
        };
        let served = axum::serve(listener, router(site)).with_graceful_shutdown(ended);
        served.await.map_err(failed("serving ended"))
    })
}

fn router(site: Site) -> Router {
    Router::new().fallback(answer).with_state(Arc::new(site))
}

impl Site {
    fn new(options: Options) -> io::Result<Self> {
        let folder = Contained::open(&options.path)?;
        let files = ServeDir::with_backend("", folder.clone());
        let authorization = options.login.as_ref().map(options::Login::header);
        Ok(Self { options, folder, files, authorization })
    }

    /// What is said at the start: what is served where, and who can reach it.
    fn greeting(&self) -> String {
        let Options { host, port, path, .. } = &self.options;
        let reach = match host.as_str() {
            "0.0.0.0" | "::" => {
                " (every address of this host; `--host 127.0.0.1` or PM2_SERVE_HOST for this host only)"
            }
            _ => "",
        };
        format!("serving {} on http://{host}:{port}{reach}", path.display())
    }

    fn may_pass(&self, headers: &HeaderMap) -> bool {
        let Some(wanted) = &self.authorization else { return true };
        let given = headers
            .get(header::AUTHORIZATION)
            .map(axum::http::HeaderValue::as_bytes)
            .unwrap_or_default();
        same(given, wanted.as_bytes())
    }
}

/// Compares in a time that does not tell how much of it is right.
fn same(a: &[u8], b: &[u8]) -> bool {
    let differences = a.iter().zip(b).fold(0, |all, (a, b)| all | (a ^ b));
    std::hint::black_box(differences) == 0 && a.len() == b.len()
}

async fn answer(State(site): State<Arc<Site>>, request: Request) -> Response {
    if !site.may_pass(request.headers()) {
        let challenge = (header::WWW_AUTHENTICATE, "Basic realm=\"files\", charset=\"UTF-8\"");
        return (StatusCode::UNAUTHORIZED, [challenge], "401 unauthorized\n").into_response();
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let allow = (header::ALLOW, "GET, HEAD");
        return (StatusCode::METHOD_NOT_ALLOWED, [allow], "405 only GET and HEAD\n")
            .into_response();
    }
    let (parts, _) = request.into_parts();
    let mut files = site.files.clone();
    let mut response = match files.try_call(Request::from_parts(parts.clone(), Body::empty())).await
    {
        Ok(response) if response.status() != StatusCode::NOT_FOUND => response.map(Body::new),
        // What may not be read is not there, as far as anybody outside is concerned.
        Ok(_) | Err(_) => pages::instead(&site.options, &site.folder, &parts).await,
    };
    let headers = response.headers_mut();
    let sniff = axum::http::HeaderValue::from_static("nosniff");
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, sniff);
    response
}

#[cfg(test)]
mod tests;
