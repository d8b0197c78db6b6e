//! What pages are made of besides HTML and styles: embedded as `build.rs` packed it, kept by browsers for ever.

use std::io::{Read, Write};
use std::sync::OnceLock;

use axum::extract::Path;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

/// One file, packed.
struct Asset {
    name: &'static str,
    kind: &'static str,
    gzip: &'static [u8],
}

/// What `build.rs` has packed.
macro_rules! packed {
    ($name:literal) => {
        include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".gz"))
    };
}

const SCRIPT: &str = "text/javascript; charset=utf-8";

static ASSETS: [Asset; 4] = [
    Asset { name: "app.js", kind: SCRIPT, gzip: packed!("app.js") },
    Asset { name: "charts.js", kind: SCRIPT, gzip: packed!("charts.js") },
    Asset { name: "uplot.js", kind: SCRIPT, gzip: packed!("uplot.js") },
    Asset { name: "icon.svg", kind: "image/svg+xml", gzip: packed!("icon.svg") },
];

impl Asset {
    fn path(&self) -> String {
        format!("{:016x}.{}", fingerprint(self.gzip), self.name)
    }
}

fn all() -> &'static [(String, &'static Asset)] {
    static ALL: OnceLock<Vec<(String, &'static Asset)>> = OnceLock::new();
    ALL.get_or_init(|| ASSETS.iter().map(|asset| (asset.path(), asset)).collect())
}

/// Where an asset is: its name changes with what is in it, so that it can be kept for ever.
pub fn path(name: &str) -> String {
    let found = all().iter().find(|(_, asset)| asset.name == name);
    format!("/health/assets/{}", found.map_or(name, |(path, _)| path))
}

/// Answers with an asset.
pub async fn serve(Path(path): Path<String>, headers: HeaderMap) -> Response {
    let Some((_, found)) = all().iter().find(|(its, _)| *its == path) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let common = [
        (CONTENT_TYPE, found.kind),
        (CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (VARY, "accept-encoding"),
    ];
    if takes_gzip(&headers) {
        return (common, [(CONTENT_ENCODING, "gzip")], found.gzip).into_response();
    }
    let mut plain = Vec::new();
    match GzDecoder::new(found.gzip).read_to_end(&mut plain) {
        Ok(_) => (common, plain).into_response(),
        // What was packed when it was built unpacks.
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Whether the other side unpacks gzip.
pub fn takes_gzip(headers: &HeaderMap) -> bool {
    let accepts = headers.get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    accepts.is_some_and(|accepts| {
        accepts.split(',').any(|entry| {
            let mut parts = entry.split(';').map(str::trim);
            parts.next() == Some("gzip") && parts.next() != Some("q=0")
        })
    })
}

/// Packs bytes.
pub fn gzip(bytes: &[u8], level: Compression) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), level);
    // Writing to memory cannot fail.
    _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

/// FNV-1a: tells versions of a file apart, nothing more.
pub fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
