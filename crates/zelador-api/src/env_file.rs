//! Reads `.env` files; whoever starts something needs them, and whoever declares it looks first.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use zelador_core::dotenv::{self, DotenvError};
use zelador_core::spec::Environment;
use zelador_core::words;
use zelador_core::words::{Words, quoted};

/// The largest file that is read, in bytes: more does not fit into an environment.
const LARGEST: u64 = 1 << 20;

/// Why a file cannot be used.
#[derive(Debug)]
pub enum EnvFileError {
    /// It is not there, or may not be read.
    Read(io::Error),
    /// It is a folder, a pipe, a device.
    NoFile,
    /// It is larger than `LARGEST`.
    TooLarge,
    /// It is no text.
    NoText,
    /// Something in it is wrong.
    Syntax(DotenvError),
}

impl EnvFileError {
    /// What is wrong with it, in every language.
    pub fn words(&self) -> Words {
        match self {
            Self::Read(error) if error.kind() == io::ErrorKind::NotFound => {
                words!("it does not exist", "não existe")
            }
            Self::Read(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                words!("zelador may not read it", "o zelador não pode lê-lo")
            }
            Self::Read(error) => quoted(error),
            Self::NoFile => words!("it is no file", "não é um arquivo"),
            Self::TooLarge => {
                let most = LARGEST >> 10;
                words!("it is larger than {most} KiB", "é maior que {most} KiB")
            }
            Self::NoText => words!("it is no UTF-8 text", "não é um texto em UTF-8"),
            Self::Syntax(DotenvError { line, what }) => {
                words!("line {line}: {what}", "linha {line}: {what}", what = what)
            }
        }
    }
}

impl fmt::Display for EnvFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words().english())
    }
}

impl std::error::Error for EnvFileError {}

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
    dotenv::parse(&text).map_err(EnvFileError::Syntax)
}

/// Returns when a file was written, in microseconds since the Unix epoch; `None` if that cannot be
/// told.
pub fn written_at(path: &Path) -> Option<u64> {
    let modified = fs::metadata(path).ok()?.modified().ok()?;
    let since = modified.duration_since(std::time::UNIX_EPOCH).ok()?;
    u64::try_from(since.as_micros()).ok()
}
