//! Which home PM2's voice is about, and whether PM2 itself lives there.
//!
//! `PM2_HOME` if it is set, else `ZELADOR_HOME` if that is set, else `~/.pm2` when called as `pm2`
//! and `~/.zelador` when called as `zelador pm2`. Always holds: nothing is written to a home in
//! which a PM2 daemon is alive.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use zelador_api::home::{Home, HomeError};

use crate::failure::Failure;
use crate::{bring_up, declare};

/// Returns the home. `by_name`: called as `pm2`.
///
/// # Errors
/// Nobody says where it is, or PM2 itself runs there.
pub fn find(by_name: bool) -> Result<Home, Failure> {
    let home =
        named(env::var_os("PM2_HOME"), env::var_os("ZELADOR_HOME"), env::var_os("HOME"), by_name)?;
    if is_pm2_alive(&home) {
        let pid = fs::read_to_string(home.pm2_pid()).unwrap_or_default();
        let who = pid.trim().parse().map_or(String::new(), |pid: u32| format!(" (pid {pid})"));
        return Err(Failure::with_help(
            format!("PM2 itself{who} runs in {}, and keeps its apps", home.path().display()),
            "`zelador import pm2` takes them over; PM2_HOME names another home",
        ));
    }
    Ok(home)
}

fn named(
    pm2_home: Option<OsString>,
    zelador_home: Option<OsString>,
    user: Option<OsString>,
    by_name: bool,
) -> Result<Home, HomeError> {
    let given = |path: Option<OsString>| path.filter(|path| !path.is_empty()).map(PathBuf::from);
    if let Some(path) = given(pm2_home) {
        // PM2 takes a relative path as it is; the folder of today is meant.
        return Ok(Home::new(declare::whole_path(&path).unwrap_or(path)));
    }
    if by_name && given(zelador_home.clone()).is_none() {
        let user = given(user).ok_or(HomeError::Unset)?;
        return Ok(Home::new(user.join(".pm2")));
    }
    Home::from_variables(zelador_home, user)
}

/// Whether a PM2 daemon listens in a home. Where zelador runs, the socket is its own.
pub fn is_pm2_alive(home: &Home) -> bool {
    let socket = home.pm2_calls();
    socket.exists() && bring_up::lock_is_free(home) && UnixStream::connect(socket).is_ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::path::Path;

    use rustix::fs::{FlockOperation, flock};

    use super::*;

    #[test]
    fn the_home_is_pm2s_where_somebody_says_so() {
        let home = |pm2: &str, zelador: &str, by_name| {
            let variable = |text: &str| Some(OsString::from(text)).filter(|it| !it.is_empty());
            let found = named(variable(pm2), variable(zelador), variable("/home/ana"), by_name);
            found.unwrap().path().to_owned()
        };
        assert_eq!(home("/srv/p", "/srv/z", true), Path::new("/srv/p"));
        assert_eq!(home("/srv/p", "/srv/z", false), Path::new("/srv/p"));
        assert_eq!(home("", "/srv/z", true), Path::new("/srv/z"));
        assert_eq!(home("", "", true), Path::new("/home/ana/.pm2"));
        assert_eq!(home("", "", false), Path::new("/home/ana/.zelador"));
        assert!(home("here", "", true).is_absolute());
        assert!(named(None, None, None, true).is_err());
    }

    #[test]
    fn a_daemon_is_alive_while_it_listens() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path());
        assert!(!is_pm2_alive(&home));
        let listener = UnixListener::bind(home.pm2_calls()).unwrap();
        assert!(is_pm2_alive(&home));
        let guardian = fs::File::create(home.lock()).unwrap();
        flock(&guardian, FlockOperation::LockExclusive).unwrap();
        assert!(!is_pm2_alive(&home), "it is zelador that listens");
        drop(guardian);
        drop(listener);
        assert!(!is_pm2_alive(&home), "a killed daemon leaves its socket behind");
    }
}
