//! Reads `.env` files; whoever starts something needs them, and whoever declares it looks first.

use std::fs::{self, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use zelador_core::dotenv::{self, DotenvError};
use zelador_core::spec::Environment;

/// The largest file that is read, in bytes: more does not fit into an environment.
const LARGEST: u64 = 1 << 20;

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EnvFileError {
    /// It is not there, or may not be read.
    #[error("{}", reason(.0))]
    Read(io::Error),
    /// It is a folder, a pipe, a device.
    #[error("it is no file")]
    NoFile,
    /// It is larger than `LARGEST`.
    #[error("it is larger than {} KiB", LARGEST >> 10)]
    TooLarge,
    /// It is no text.
    #[error("it is no UTF-8 text")]
    NoText,
    /// Something in it is wrong.
    #[error(transparent)]
    Syntax(#[from] DotenvError),
}

/// Returns the variables of a file. Waits for nothing but the disk.
///
/// # Errors
/// It cannot be read, or is no such file.
pub fn read(path: &Path) -> Result<Environment, EnvFileError> {
    // A pipe without writer would be waited for.
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path);
    let file = file.map_err(EnvFileError::Read)?;
    let metadata = file.metadata().map_err(EnvFileError::Read)?;
    if !metadata.is_file() {
        return Err(EnvFileError::NoFile);
    }
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(EnvFileError::Read)?;
    if bytes.len() as u64 > LARGEST {
        return Err(EnvFileError::TooLarge);
    }
    let text = String::from_utf8(bytes).map_err(|_| EnvFileError::NoText)?;
    Ok(dotenv::parse(&text)?)
}

/// Returns when a file was written, in microseconds since the Unix epoch; `None` if that cannot be
/// told.
pub fn written_at(path: &Path) -> Option<u64> {
    let modified = fs::metadata(path).ok()?.modified().ok()?;
    let since = modified.duration_since(std::time::UNIX_EPOCH).ok()?;
    u64::try_from(since.as_micros()).ok()
}

/// The system's words without the number.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "it does not exist".to_owned(),
        io::ErrorKind::PermissionDenied => "zelador may not read it".to_owned(),
        _ => error.to_string(),
    }
}
