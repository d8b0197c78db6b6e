//! Where zelador keeps what it keeps: `$ZELADOR_HOME`, by default `~/.zelador`, mode 0700.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The folder of one zelador and the files in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home(PathBuf);

/// Why there is no home.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// Neither variable tells where it is.
    #[error("neither ZELADOR_HOME nor HOME is set")]
    Unset,
    /// A relative path means another folder in every directory.
    #[error("ZELADOR_HOME is `{}`, it must be an absolute path", .0.display())]
    Relative(PathBuf),
}

impl Home {
    /// Returns the home in `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Returns the home that `ZELADOR_HOME` names, or `~/.zelador`.
    ///
    /// # Errors
    /// Neither variable is set, or the path is relative.
    pub fn from_variables(
        zelador_home: Option<OsString>,
        home: Option<OsString>,
    ) -> Result<Self, HomeError> {
        let given = zelador_home.filter(|path| !path.is_empty()).map(PathBuf::from);
        if let Some(path) = given {
            return if path.is_absolute() {
                Ok(Self(path))
            } else {
                Err(HomeError::Relative(path))
            };
        }
        let user = home.filter(|path| !path.is_empty()).ok_or(HomeError::Unset)?;
        Ok(Self(PathBuf::from(user).join(".zelador")))
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The control socket; the guardian listens on it.
    pub fn socket(&self) -> PathBuf {
        self.0.join("zelador.sock")
    }

    /// Locked by the guardian for as long as it lives; holds its pid.
    pub fn lock(&self) -> PathBuf {
        self.0.join("guardian.lock")
    }

    /// What zelador says about itself; `pm2.log` in a home of PM2's shape.
    pub fn own_log(&self) -> PathBuf {
        self.0.join(if self.is_pm2() { "pm2.log" } else { "zelador.log" })
    }

    /// What happened, an object a line.
    pub fn events(&self) -> PathBuf {
        self.0.join("events.jsonl")
    }

    /// Whether this home has PM2's shape: `pm2.log`, `pm2.pid`, `dump.pm2`. Decided when the home is
    /// brought up in PM2's voice, or was PM2's before.
    pub fn is_pm2(&self) -> bool {
        self.pm2_mark().exists()
    }

    /// PM2's mark of its first use, by which a home of its shape is known.
    pub fn pm2_mark(&self) -> PathBuf {
        self.0.join("touch")
    }

    /// The guardian's pid, where PM2 has its daemon's.
    pub fn pm2_pid(&self) -> PathBuf {
        self.0.join("pm2.pid")
    }

    /// Where programs call that use PM2's library.
    pub fn pm2_calls(&self) -> PathBuf {
        self.0.join("rpc.sock")
    }

    /// Where they listen to what happens.
    pub fn pm2_bus(&self) -> PathBuf {
        self.0.join("pub.sock")
    }

    /// The saved list as PM2 reads it.
    pub fn pm2_dump(&self) -> PathBuf {
        self.0.join("dump.pm2")
    }

    /// The folder of the apps' logs.
    pub fn logs(&self) -> PathBuf {
        self.0.join("logs")
    }

    /// The state that outlives the engine, and the history.
    pub fn history(&self) -> PathBuf {
        self.0.join("history.db")
    }

    /// The same of a zelador in the foreground, which begins with an empty list.
    pub fn foreground_history(&self) -> PathBuf {
        self.0.join("foreground.db")
    }

    /// The folder of logs that pass through a zelador in the foreground.
    pub fn foreground_logs(&self) -> PathBuf {
        self.0.join("foreground")
    }

    /// What `save` wrote.
    pub fn dump(&self) -> PathBuf {
        self.0.join("dump.json")
    }

    /// What a language model answered, and how much of its budget is used.
    pub fn advice(&self) -> PathBuf {
        self.0.join("advice.json")
    }

    /// The boot of the host in which the saved list was brought up last.
    pub fn booted(&self) -> PathBuf {
        self.0.join("booted")
    }

    /// The settings of modules.
    pub fn module_conf(&self) -> PathBuf {
        self.0.join("module_conf.json")
    }

    /// The word by which those who ask over the network are known.
    pub fn token(&self) -> PathBuf {
        self.0.join("token")
    }

    /// What links that answer a question are signed with.
    pub fn answers_key(&self) -> PathBuf {
        self.0.join("answers.key")
    }

    /// The folder of installed modules.
    pub fn modules(&self) -> PathBuf {
        self.0.join("modules")
    }

    /// Zelador's own settings.
    pub fn settings(&self) -> PathBuf {
        self.0.join("zelador.toml")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_home_comes_from_the_variables() {
        let home = |a: Option<&str>, b: Option<&str>| {
            Home::from_variables(a.map(OsString::from), b.map(OsString::from))
        };
        assert_eq!(home(None, Some("/home/ana")).unwrap().path(), Path::new("/home/ana/.zelador"));
        assert_eq!(home(Some("/srv/z"), None).unwrap().path(), Path::new("/srv/z"));
        assert!(matches!(home(Some("z"), None), Err(HomeError::Relative(_))));
        assert!(matches!(home(Some(""), None), Err(HomeError::Unset)));
    }
}
