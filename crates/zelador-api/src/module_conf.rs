//! The file with the settings of modules, `module_conf.json`, as PM2 lays it out.
//!
//! Always holds: whoever changes it sees what the one before wrote (a lock on the home), and a
//! reader finds the file before a change or after it, never half of one. Only its owner may read
//! it: settings can be secrets.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use zelador_core::config::{ModuleConf, NoSettings};

use crate::home::Home;

pub use zelador_core::input::ModuleSettings;

/// Why the file was not read or written.
#[derive(Debug, thiserror::Error)]
pub enum ModuleConfError {
    /// It cannot be read.
    #[error("{} cannot be read", .0.display())]
    Read(PathBuf, #[source] io::Error),
    /// Something else is in it.
    #[error("{} is {cause}", .path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// What it is.
        cause: NoSettings,
    },
    /// It cannot be written; it is as it was.
    #[error("{} cannot be written", .0.display())]
    Write(PathBuf, #[source] io::Error),
}

impl ModuleConfError {
    /// Returns the next thing to try, shown under the error as `help:`.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Read(..) => "check who owns it",
            Self::Broken { .. } => "mend it, or move it away: nothing in it counts as it is",
            Self::Write(..) => "check who owns the home, and whether the disk is full",
        }
    }
}

/// Returns the settings; there are none while there is no file.
///
/// # Errors
/// It cannot be read, or is no JSON object.
pub fn read(home: &Home) -> Result<ModuleConf, ModuleConfError> {
    let path = home.module_conf();
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(ModuleConf::default()),
        other => other.map_err(|error| ModuleConfError::Read(path.clone(), error))?,
    };
    ModuleConf::parse(&text).map_err(|cause| ModuleConfError::Broken { path, cause })
}

/// Returns what the settings mean to an engine, and everything that is wrong with them.
pub fn in_force(home: &Home) -> (ModuleSettings, Vec<String>) {
    match read(home) {
        Ok(conf) => {
            let (overlay, wrong) = conf.overlay();
            (ModuleSettings { overlay, env: conf.environments() }, wrong)
        }
        Err(error) => (ModuleSettings::default(), vec![error.to_string()]),
    }
}

/// Changes the settings. Where `change` returns an error nothing is written. The home is there.
///
/// # Errors
/// The file cannot be read or written, or what `change` says.
pub fn change<T, E: From<ModuleConfError>>(
    home: &Home,
    change: impl FnOnce(&mut ModuleConf) -> Result<T, E>,
) -> Result<T, E> {
    let path = home.module_conf();
    let failed = |error: io::Error| ModuleConfError::Write(path.clone(), error);
    let beside = Beside::open(&path).map_err(failed)?;
    let mut conf = read(home)?;
    let before = conf.clone();
    let done = change(&mut conf)?;
    if conf != before {
        let sync = || File::open(home.path())?.sync_all();
        beside.replace(&path, &conf.to_text()).and_then(|()| sync()).map_err(failed)?;
    }
    Ok(done)
}

/// The file that takes the place of the settings. Whoever has it locked is the only one who changes them, and
/// does not wait for anything else.
struct Beside {
    path: PathBuf,
    file: File,
}

impl Beside {
    fn open(of: &Path) -> io::Result<Self> {
        let mut path = of.as_os_str().to_owned();
        path.push(".new");
        let path = PathBuf::from(path);
        loop {
            // One may be left by somebody who was killed.
            let mut options = File::options();
            options.write(true).create(true).truncate(false).mode(0o600);
            let file = options.open(&path)?;
            rustix::fs::flock(&file, FlockOperation::LockExclusive)?;
            let beside = Self { file, path: path.clone() };
            if beside.has_its_name() {
                return Ok(beside);
            }
        }
    }

    /// Whether it is still the file of its name: whoever had it before may have renamed or removed it.
    fn has_its_name(&self) -> bool {
        let identity = |found: fs::Metadata| (found.dev(), found.ino());
        let own = self.file.metadata().map(identity).ok();
        own.is_some() && own == fs::metadata(&self.path).map(identity).ok()
    }

    fn replace(mut self, path: &Path, text: &str) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.write_all(text.as_bytes())?;
        self.file.sync_all()?;
        fs::rename(&self.path, path)
    }
}

impl Drop for Beside {
    /// Removes it, unless it has taken the place of the settings.
    fn drop(&mut self) {
        if self.has_its_name() {
            _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use zelador_core::config::SettingName;

    use super::*;

    fn set(home: &Home, name: &str, value: &str) -> Result<(), ModuleConfError> {
        let name = SettingName::parse(name).unwrap();
        change(home, |conf| {
            conf.set(&name, value).unwrap();
            Ok(())
        })
    }

    #[test]
    fn many_who_set_at_once_lose_nothing_of_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path());
        std::thread::scope(|scope| {
            for writer in 0..8 {
                let home = home.clone();
                scope.spawn(move || {
                    for number in 0..10 {
                        set(&home, &format!("mod{writer}:key{number}"), "x").unwrap();
                    }
                });
            }
        });
        assert_eq!(read(&home).unwrap().all(None).len(), 80);
        let mode = fs::metadata(home.module_conf()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_broken_file_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path());
        fs::write(home.module_conf(), "{ \"a\": ").unwrap();
        let error = set(&home, "a:b", "c").unwrap_err();
        assert!(error.to_string().contains("module_conf.json is not JSON"), "{error}");
        assert_eq!(fs::read_to_string(home.module_conf()).unwrap(), "{ \"a\": ");
        assert_eq!(in_force(&home).1.len(), 1);
    }
}
