//! What pages are made of besides HTML and styles: embedded, packed once, kept by browsers for ever.

use std::io::Write;
use std::sync::OnceLock;

use axum::extract::Path;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;

/// One file.
struct Asset {
    name: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
}

const ASSETS: [Asset; 4] = [
    Asset {
        name: "app.js",
        kind: "text/javascript; charset=utf-8",
        bytes: include_bytes!("assets/app.js"),
    },
    Asset {
        name: "charts.js",
        kind: "text/javascript; charset=utf-8",
        bytes: include_bytes!("assets/charts.js"),
    },
    Asset {
        name: "uplot.js",
        kind: "text/javascript; charset=utf-8",
        bytes: include_bytes!("assets/uplot.js"),
    },
    Asset { name: "icon.svg", kind: "image/svg+xml", bytes: include_bytes!("assets/icon.svg") },
];

/// A packed file and the name that changes with it.
struct Packed {
    asset: &'static Asset,
    path: String,
    gzip: Vec<u8>,
}

fn packed() -> &'static [Packed] {
    static PACKED: OnceLock<Vec<Packed>> = OnceLock::new();
    static FILES: [Asset; 4] = ASSETS;
    PACKED.get_or_init(|| {
        let pack = |asset: &'static Asset| Packed {
            asset,
            path: format!("{:016x}.{}", fingerprint(asset.bytes), asset.name),
            gzip: gzip(asset.bytes, Compression::best()),
        };
        FILES.iter().map(pack).collect()
    })
}

/// Where an asset is: its name changes with what is in it, so that it can be kept for ever.
pub fn path(name: &str) -> String {
    let found = packed().iter().find(|it| it.asset.name == name);
    format!("/health/assets/{}", found.map_or(name, |it| &it.path))
}

/// Answers with an asset.
pub async fn serve(Path(path): Path<String>, headers: HeaderMap) -> Response {
    let Some(found) = packed().iter().find(|it| it.path == path) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let common = [
        (CONTENT_TYPE, found.asset.kind),
        (CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (VARY, "accept-encoding"),
    ];
    if takes_gzip(&headers) {
        return (common, [(CONTENT_ENCODING, "gzip")], found.gzip.as_slice()).into_response();
    }
    (common, found.asset.bytes).into_response()
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
