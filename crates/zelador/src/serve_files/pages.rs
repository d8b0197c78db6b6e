//! What is answered where there is no such file: the first page of an application, a list of what the
//! folder has, the site's own `404.html`, or a word.

use std::path::{Component, Path, PathBuf};

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::contained::Contained;
use super::options::Options;

/// What a name in a link need not be escaped for.
const IN_LINK: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

/// Ends of paths that ask for a part of a page and not for a page.
const PARTS: [&str; 18] = [
    "js", "mjs", "css", "map", "json", "png", "jpg", "jpeg", "gif", "svg", "webp", "avif", "ico",
    "woff", "woff2", "ttf", "wasm", "xml",
];

/// Returns what is answered in a missing file's place.
pub async fn instead(options: &Options, folder: &Contained, request: &Parts) -> Response {
    let path = request.uri.path();
    if options.listing
        && path.ends_with('/')
        && let Some(listed) = listing(folder, path).await
    {
        return page(StatusCode::OK, listed.into_bytes(), request);
    }
    if options.spa
        && asks_for_page(request)
        && let Some(home) = folder.page(&options.homepage).await
    {
        return page(StatusCode::OK, home, request);
    }
    not_found(folder).await
}

/// Returns the site's `404.html`, or a word.
async fn not_found(folder: &Contained) -> Response {
    match folder.page("404.html").await {
        Some(own) => html(StatusCode::NOT_FOUND, own),
        None => (StatusCode::NOT_FOUND, "404 not found\n").into_response(),
    }
}

/// A script that is missing must not get a page: that is harder to understand than an error.
fn asks_for_page(request: &Parts) -> bool {
    let accepts = request.headers.get(header::ACCEPT).and_then(|it| it.to_str().ok());
    let extension = Path::new(request.uri.path()).extension().and_then(|it| it.to_str());
    let is_part = extension.is_some_and(|it| PARTS.contains(&it.to_ascii_lowercase().as_str()));
    !is_part || accepts.is_some_and(|accepts| accepts.contains("text/html"))
}

fn html(status: StatusCode, text: Vec<u8>) -> Response {
    (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], text).into_response()
}

fn page(status: StatusCode, text: Vec<u8>, request: &Parts) -> Response {
    let length = text.len();
    let mut response = html(status, text);
    if request.method == Method::HEAD {
        *response.body_mut() = Body::empty();
        response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    }
    response
}

async fn listing(folder: &Contained, path: &str) -> Option<String> {
    let decoded = percent_decode_str(path.trim_start_matches('/')).decode_utf8().ok()?;
    let relative = PathBuf::from(&*decoded);
    let plain = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    if !relative.components().all(plain) {
        return None;
    }
    let names = folder.names(relative).await?;
    let title = escaped(&format!("/{decoded}"));
    let mut text = format!(
        "<!doctype html><html><head><meta charset=\"utf-8\"><title>{title}</title></head><body><h1>{title}</h1><ul>\n"
    );
    if !decoded.is_empty() {
        text.push_str("<li><a href=\"../\">../</a></li>\n");
    }
    for name in names {
        let link = utf8_percent_encode(&name, IN_LINK);
        text.push_str(&format!("<li><a href=\"./{link}\">{}</a></li>\n", escaped(&name)));
    }
    text.push_str("</ul></body></html>\n");
    Some(text)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
