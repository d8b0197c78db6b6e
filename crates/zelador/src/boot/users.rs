//! Who a user is: from `/etc/passwd`, else from whatever `getent` asks (a directory service).

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::failure::Failure;

/// One user of this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The name.
    pub name: String,
    /// The number.
    pub uid: u32,
    /// The home folder.
    pub home: PathBuf,
}

impl User {
    /// Returns the user of this name or number.
    ///
    /// # Errors
    /// There is none.
    pub fn named(name: &str) -> Result<Self, Failure> {
        let known = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let found = known.lines().filter_map(parse).find(|user| user.is(name));
        found.or_else(|| asked(name)).ok_or_else(|| {
            Failure::with_help(format!("there is no user `{name}`"), "`-u NAME` names a user")
        })
    }

    /// Returns the user who runs this.
    ///
    /// # Errors
    /// This process belongs to a number without a name.
    pub fn own() -> Result<Self, Failure> {
        let uid = rustix::process::geteuid().as_raw();
        let mut user = Self::named(&uid.to_string())?;
        if let Some(home) = std::env::var_os("HOME").filter(|home| !home.is_empty()) {
            user.home = home.into();
        }
        Ok(user)
    }

    fn is(&self, name: &str) -> bool {
        self.name == name || name.parse() == Ok(self.uid)
    }
}

fn parse(line: &str) -> Option<User> {
    let fields: Vec<&str> = line.split(':').collect();
    let (name, uid, home) = (fields.first()?, fields.get(2)?.parse().ok()?, fields.get(5)?);
    Some(User { name: (*name).to_owned(), uid, home: home.into() })
}

fn asked(name: &str) -> Option<User> {
    let output = Command::new("getent").args(["passwd", "--", name]).output().ok()?;
    parse(String::from_utf8(output.stdout).ok()?.lines().next()?)
}
