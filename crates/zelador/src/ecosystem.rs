//! Reads ecosystem files of every format into one tree.
//!
//! A path and the environment go in, a [`Node`] comes out. JavaScript is evaluated in a child
//! process with limits on time and memory, so no file can hang or bloat the command line. Always
//! holds: nothing is checked here but the format; what the fields mean is decided by
//! [`zelador_api::config`].

mod error;
mod evaluate;
#[cfg(test)]
mod fuzz;
mod javascript;
mod json;
mod lines;
mod native;
mod outcome;
pub(crate) mod run;
mod toml;
mod with_node;
mod yaml;

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use zelador_api::config::{Node, Value};
use zelador_api::spec::Environment;

pub use error::ReadError;
pub use evaluate::evaluate_main;

/// The largest file that is read, in bytes: far above any real one, far below what hurts.
const LARGEST: u64 = 4 << 20;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    JavaScript,
    Json,
    Yaml,
    Toml,
}

/// Returns true for a path whose name says that it declares apps, and is not itself a script:
/// `.json`, `.json5`, `.jsonc`, `.yml`, `.yaml`, `.toml`, `.config.js` (`.cjs`, `.mjs`), and a `.js`
/// with `ecosystem` in its name.
pub fn is_ecosystem(path: &Path) -> bool {
    format(path).is_some()
}

/// Returns what the file says.
///
/// # Errors
///
/// One clear reason: the file, and the line where there is one.
pub fn read(path: &Path, env: &Environment) -> Result<Node, ReadError> {
    let format = format(path).ok_or_else(|| ReadError::UnknownFormat(path.to_owned()))?;
    let text = text(path)?;
    let node = match format {
        Format::JavaScript => javascript::read(path, env),
        Format::Json => json::read(path, &text, env),
        Format::Yaml => yaml::read(path, &text),
        Format::Toml => toml::read(path, &text),
    }?;
    if node.value == Value::Null { Err(ReadError::Empty(path.to_owned())) } else { Ok(node) }
}

/// What a file on standard input is called.
pub const STDIN_NAME: &str = "standard input";

/// Returns what the JSON on standard input says; paths in it begin in the current folder.
///
/// # Errors
///
/// One clear reason.
pub fn read_stdin(env: &Environment) -> Result<Node, ReadError> {
    let path = Path::new(STDIN_NAME);
    let text = whole_text(path, io::stdin().lock())?;
    let node = json::read(path, &text, env)?;
    if node.value == Value::Null { Err(ReadError::Empty(path.to_owned())) } else { Ok(node) }
}

/// Returns what JSON that zelador has made itself says.
///
/// # Errors
///
/// One clear reason.
pub fn read_text(name: &Path, text: &str) -> Result<Node, ReadError> {
    json::read(name, text, &Environment::new())
}

fn format(path: &Path) -> Option<Format> {
    let name = path.file_name()?.to_str()?.to_ascii_lowercase();
    let (stem, extension) = name.rsplit_once('.')?;
    match extension {
        "json" | "json5" | "jsonc" => Some(Format::Json),
        "yml" | "yaml" => Some(Format::Yaml),
        "toml" => Some(Format::Toml),
        "js" | "cjs" | "mjs" => {
            let declares = stem.contains("ecosystem")
                || stem.ends_with(".config")
                || stem.contains(".config.");
            declares.then_some(Format::JavaScript)
        }
        _ => None,
    }
}

fn text(path: &Path) -> Result<String, ReadError> {
    let owned = || PathBuf::from(path);
    let unreadable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => ReadError::Missing(owned()),
        _ => ReadError::Unreadable(owned(), error),
    };
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(ReadError::NotAFile(owned()));
    }
    let file = fs::File::open(path).map_err(unreadable)?;
    whole_text(path, file)
}

fn whole_text(path: &Path, file: impl Read) -> Result<String, ReadError> {
    let owned = || PathBuf::from(path);
    let unreadable = |error: io::Error| ReadError::Unreadable(owned(), error);
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > LARGEST {
        return Err(ReadError::TooLarge(owned()));
    }
    let text = String::from_utf8(bytes).map_err(|_| ReadError::NotText(owned()))?;
    let text = text.strip_prefix('\u{feff}').map(ToOwned::to_owned).unwrap_or(text);
    if text.trim().is_empty() { Err(ReadError::Empty(owned())) } else { Ok(text) }
}
