//! With systemd: a unit, and the user that lingers.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use zelador_api::home::Home;

use super::tools::{last_lines, systemctl, tool};
use super::{answering, guardian, moved, prove, write};
use crate::boot::{Install, Platform, systemd};
use crate::bring_up::lock_is_free;
use crate::failure::Failure;
use crate::output;

pub(super) fn with_systemd(
    install: &Install,
    now: bool,
    changed: bool,
) -> Result<ExitCode, Failure> {
    let (platform, service) = (install.platform, install.service.as_str());
    if !systemd_runs() {
        systemctl(platform, &["enable", service])?;
        output::note(
            "systemd does not run here, so it was not started: it begins at the next boot",
        );
        return Ok(ExitCode::SUCCESS);
    }
    systemctl(platform, &["daemon-reload"])?;
    systemctl(platform, &["enable", service])?;
    output::remark(&format!("{service} is enabled: it begins with the host"));
    if platform == Platform::SystemdUser {
        linger(&install.user.name);
    }
    if systemctl(platform, &["is-active", service]).is_ok() {
        if changed {
            let user = if platform == Platform::SystemdUser { "--user " } else { "" };
            output::note(&format!(
                "it runs already, and its file has changed: `systemctl {user}restart {service}` \
                 applies it and restarts the apps"
            ));
        }
        return prove(install);
    }
    if lock_is_free(&install.home) {
        start_unit(install, service)?;
        return prove(install);
    }
    if now {
        moved(install, || start_unit(install, service))?;
        return prove(install);
    }
    trial(install)?;
    output::tell(&format!("{service} was tried with an empty home, and works\n"))?;
    output::note(&format!(
        "the apps run under the zelador that was started by hand (guardian pid {}); they move to \
         {service} at the next boot, or with `{} startup --now` (each restarts once)",
        guardian(&install.home),
        install.names.word()
    ));
    Ok(ExitCode::SUCCESS)
}

/// Has the user's manager begin with the host, not with the first login.
fn linger(user: &str) {
    let on = tool("loginctl", &["show-user", user, "--property=Linger", "--value"]);
    if on.is_ok_and(|said| said.trim() == "yes")
        || tool("loginctl", &["enable-linger", user]).is_ok()
    {
        return;
    }
    output::note(&format!(
        "it begins with your first login; to begin with the host: `sudo loginctl enable-linger {user}`"
    ));
}

fn start_unit(install: &Install, service: &str) -> Result<(), Failure> {
    let Err(failed) = systemctl(install.platform, &["start", service]) else { return Ok(()) };
    failed.report();
    let unit = format!("{service}.service");
    let mut journal = vec!["--no-pager", "--quiet", "-n", "12", "-o", "cat"];
    journal.extend(match install.platform {
        Platform::SystemdUser => ["--user-unit", unit.as_str()],
        _ => ["--unit", unit.as_str()],
    });
    let said = tool("journalctl", &journal).unwrap_or_default();
    output::remark(&format!("what systemd has heard of it:\n{}", said.trim_end()));
    let own = last_lines(&install.home.own_log());
    if !own.is_empty() {
        output::remark(&format!("the end of {}:\n{own}", install.home.own_log().display()));
    }
    Err(Failure::with_help(
        format!("{service} is installed and does not start"),
        format!(
            "mend what is said above and run this again, or `{} unstartup`",
            install.names.word()
        ),
    ))
}

pub(super) fn systemd_runs() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

/// Starts the same unit with an empty home, and stops it again.
fn trial(install: &Install) -> Result<(), Failure> {
    let platform = install.platform;
    let service = format!("{}-trial", install.service);
    let runtime = match platform {
        Platform::SystemdUser => std::env::var_os("XDG_RUNTIME_DIR").map_or_else(
            || PathBuf::from(format!("/run/user/{}", install.user.uid)),
            PathBuf::from,
        ),
        _ => PathBuf::from("/run"),
    };
    let folder = runtime.join(if platform == Platform::SystemdUser {
        "systemd/user"
    } else {
        "systemd/system"
    });
    let path = folder.join(format!("{service}.service"));
    write(&path, &systemd::trial(install), platform)?;
    let home = Home::new(install.home.path().join(systemd::TRIAL));
    let tried = systemctl(platform, &["daemon-reload"]).and_then(|_| {
        let trial = Install { home: home.clone(), service: service.clone(), ..install.clone() };
        start_unit(&trial, &service)?;
        answering(&home).map(|_| ())
    });
    // Whatever came of it, nothing of the trial stays.
    _ = systemctl(platform, &["stop", &service]);
    _ = fs::remove_file(&path);
    _ = fs::remove_dir_all(home.path());
    _ = systemctl(platform, &["daemon-reload"]);
    tried
}
