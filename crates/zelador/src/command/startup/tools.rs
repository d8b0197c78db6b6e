//! The programs of the host that `startup` uses.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::boot::Platform;
use crate::failure::Failure;

/// How much of the end of a log is looked at.
const LOG_READ: i64 = 4096;
/// How many lines of it are shown.
const LOG_SHOWN: usize = 12;

/// Runs systemctl for the system or for the user, and returns what it says on stdout.
///
/// # Errors
/// It is not there, or it fails; what it said on stderr is told.
pub fn systemctl(platform: Platform, args: &[&str]) -> Result<String, Failure> {
    let mut all = vec!["--no-ask-password", "--no-pager"];
    if platform == Platform::SystemdUser {
        all.push("--user");
    }
    all.extend(args);
    tool("systemctl", &all)
}

/// Runs a program, and returns what it says on stdout.
///
/// # Errors
/// It is not there, or it fails; what it said on stderr is told.
pub fn tool(program: &str, args: &[&str]) -> Result<String, Failure> {
    let output = Command::new(program).args(args).stdin(Stdio::null()).output();
    let output =
        output.map_err(|error| Failure::new(format!("`{program}` cannot be started: {error}")))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let words: Vec<&str> = args.iter().copied().filter(|word| !word.starts_with("--")).collect();
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Failure::new(format!("`{program} {}` failed: {}", words.join(" "), said.trim())))
}

/// The last lines of a log.
pub fn last_lines(path: &Path) -> String {
    let mut bytes = Vec::new();
    if let Ok(mut log) = File::open(path) {
        if log.seek(SeekFrom::End(-LOG_READ)).is_err() {
            _ = log.rewind();
        }
        _ = log.read_to_end(&mut bytes);
    }
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LOG_SHOWN)..].join("\n")
}
