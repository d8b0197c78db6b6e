//! The other side of a move from PM2: its folder, its daemon, its program.
//!
//! Always holds: PM2 is only ever asked through its own program, and only while its daemon runs
//! already: asking would start one.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use zelador_api::home::Home;

use crate::bring_up::lock_is_free;
use crate::cli::import::FromPm2;
use crate::failure::Failure;
use crate::moving::pm2::list_in;
use crate::pm2::home::is_pm2_alive;

/// A PM2.
pub struct Pm2 {
    home: PathBuf,
    /// Its program, and that its daemon runs.
    live: Option<PathBuf>,
}

impl Pm2 {
    /// Finds it.
    ///
    /// # Errors
    /// There is none, or it runs and there is no program to ask it with.
    pub fn find(wish: &FromPm2) -> Result<Self, Failure> {
        let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
        let home = match (&wish.home, variable("PM2_HOME"), variable("HOME")) {
            (Some(home), ..) => home.clone(),
            (None, Some(home), _) => home.into(),
            (None, None, Some(home)) => PathBuf::from(home).join(".pm2"),
            (None, None, None) => return Err(Failure::new("neither PM2_HOME nor HOME is set")),
        };
        let home = fs::canonicalize(&home).map_err(|error| {
            Failure::with_help(
                format!("PM2's folder {} cannot be entered: {error}", home.display()),
                "`--home FOLDER` names another",
            )
        })?;
        let whose = Home::new(&home);
        if !lock_is_free(&whose) {
            return Err(Failure::with_help(
                format!(
                    "zelador itself runs in {}: its apps are zelador's already",
                    home.display()
                ),
                "`--home FOLDER` names the folder of a PM2",
            ));
        }
        if !is_pm2_alive(&whose) {
            return Ok(Self { home, live: None });
        }
        let program = wish.pm2.clone().or_else(in_path).ok_or_else(|| {
            Failure::with_help(
                format!(
                    "PM2 runs in {}, and there is no `pm2` in PATH to ask it with",
                    home.display()
                ),
                "`--pm2 FILE` names it",
            )
        })?;
        Ok(Self { home, live: Some(program) })
    }

    /// Whether its daemon runs.
    pub fn is_live(&self) -> bool {
        self.live.is_some()
    }

    /// Its folder.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Whether it has a list that it would bring up with the host.
    pub fn has_saved(&self) -> bool {
        self.home.join("dump.pm2").is_file()
    }

    /// Its list: the live one, else the one that was saved.
    ///
    /// # Errors
    /// There is none, or it cannot be understood.
    pub fn list(&self) -> Result<Vec<Value>, Failure> {
        if self.is_live() {
            let said = self.run(&["jlist"])?;
            return list_in(&said).ok_or_else(|| {
                Failure::new("`pm2 jlist` prints no list: look at it, it may say why")
            });
        }
        let saved = ["dump.pm2", "dump.pm2.bak"].map(|name| self.home.join(name));
        let read = |path: &PathBuf| serde_json::from_str(&fs::read_to_string(path).ok()?).ok();
        saved.iter().find_map(read).ok_or_else(|| {
            Failure::with_help(
                format!("PM2 does not run in {}, and has saved no list there", self.home.display()),
                "`--home FOLDER` names another; `pm2 save` saves a list",
            )
        })
    }

    /// Stops or starts instances by their ids.
    ///
    /// # Errors
    /// PM2 refuses; what it says is told.
    pub fn ask(&self, verb: &str, ids: &[u64]) -> Result<(), Failure> {
        let ids: Vec<String> = ids.iter().map(u64::to_string).collect();
        let words: Vec<&str> = [verb].into_iter().chain(ids.iter().map(String::as_str)).collect();
        self.run(&words).map(|_| ())
    }

    /// Has it write its list as it is now.
    ///
    /// # Errors
    /// PM2 refuses; what it says is told.
    pub fn save(&self) -> Result<(), Failure> {
        self.run(&["save", "--force"]).map(|_| ())
    }

    fn run(&self, words: &[&str]) -> Result<String, Failure> {
        let Some(program) = &self.live else {
            return Err(Failure::new(format!("PM2 does not run in {}", self.home.display())));
        };
        let mut command = Command::new(program);
        command.args(words).env("PM2_HOME", &self.home).stdin(Stdio::null());
        command.env("PM2_DISCRETE_MODE", "true").env("PM2_DISABLE_VERSION_CHECK", "true");
        let output = command.output().map_err(|error| {
            Failure::new(format!("{} cannot be started: {error}", program.display()))
        })?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() {
            return Ok(text(&output.stdout));
        }
        let said = text(&output.stderr);
        Err(Failure::new(format!("`pm2 {}` failed: {}", words.join(" "), said.trim())))
    }
}

/// The `pm2` in PATH that is not this program under another name.
fn in_path() -> Option<PathBuf> {
    let own = env::current_exe().and_then(fs::canonicalize).ok();
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|folder| folder.join("pm2"))
        .find(|file| file.is_file() && fs::canonicalize(file).ok() != own)
}
