//! `ecosystem`: writes an ecosystem file to begin with.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use crate::cli::more::EcosystemKind;
use crate::failure::Failure;
use crate::{declare, output, voice};

/// The file that is written.
const NAME: &str = "ecosystem.config.js";

const COMMENTED: &str = include_str!("ecosystem/commented.config.js");
const SIMPLE: &str = include_str!("ecosystem/simple.config.js");

/// Writes the file into this folder; one that is there is only overwritten with `force`.
pub fn write(kind: Option<EcosystemKind>, force: bool) -> Result<ExitCode, Failure> {
    let text = match kind {
        Some(EcosystemKind::Simple) => SIMPLE,
        None => COMMENTED,
    };
    match write_to(Path::new(NAME), text, force) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(Failure::with_help(
                format!("{NAME} is there already, and is left as it is"),
                "`--force` overwrites it",
            ));
        }
        Err(error) => return Err(Failure::new(format!("{NAME} cannot be written: {error}"))),
    }
    if voice::is_pm2() {
        let path = declare::whole_path(Path::new(NAME)).unwrap_or_else(|| NAME.into());
        output::tell(&format!("File {} generated\n", path.display()))?;
        return Ok(ExitCode::SUCCESS);
    }
    output::tell(&format!(
        "wrote {NAME}: edit it, then `zelador config check {NAME}` and `zelador start {NAME}`\n"
    ))?;
    Ok(ExitCode::SUCCESS)
}

fn write_to(path: &Path, text: &str, force: bool) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(!force).create(force).truncate(force);
    options.open(path)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_there_is_not_overwritten_unless_asked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        write_to(&path, "first", false).unwrap();
        let refused = write_to(&path, "second", false).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "first");
        write_to(&path, "third", true).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "third");
    }
}
