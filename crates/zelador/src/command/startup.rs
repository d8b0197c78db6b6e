//! `startup` and `unstartup`: zelador begins with the host, and it is proven at once that it does.
//!
//! Always holds: no app is restarted unless `--now` asks for it. Where apps run under a zelador
//! that somebody started by hand, the proof is a trial of the same unit with an empty home.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use zelador_api::home::Home;
use zelador_api::{Pong, View, route};

use crate::boot::{self, Install, Names, Platform, scripts, systemd};
use crate::bring_up::lock_is_free;
use crate::cli::boot::{Startup, StartupOf};
use crate::engine::Engine;
use crate::failure::Failure;
use crate::render::{text, words};
use crate::{output, roles, voice};

mod by_systemd;
mod tools;

use by_systemd::{systemd_runs, with_systemd};
use tools::{systemctl, tool};

/// How long a zelador may take to stop its apps and end; the guardian kills what is left after 60 s.
const END_WITHIN: Duration = Duration::from_secs(80);

/// From one look at the guardian's lock to the next.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How long a service has to answer after its init system has said that it is up.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Makes zelador begin with the host.
pub fn startup(wish: &Startup) -> Result<ExitCode, Failure> {
    let program = roles::program().map_err(Failure::new)?;
    let install = Install::find(program, &wish.of, wish)?;
    let text = match install.platform {
        Platform::Systemd | Platform::SystemdUser => systemd::unit(&install),
        Platform::Openrc => scripts::openrc(&install),
        Platform::Sysv => scripts::sysv(&install),
    };
    if wish.dry_run {
        output::answer(&text)?;
        return Ok(ExitCode::SUCCESS);
    }
    if voice::is_pm2() {
        output::remark(&format!("Init System found: {}", install.platform.name()));
    }
    if needs_root(install.platform) {
        output::remark(match install.names {
            Names::Zelador => "to begin with the host, root has to install a service; paste this:",
            Names::Pm2 => "To setup the Startup Script, copy/paste the following command:",
        });
        output::answer(&format!("{}\n", install.as_root(&wish.of)))?;
        if install.platform == Platform::Systemd {
            output::help(&format!(
                "without root: `{} startup systemd-user`, a unit of your own",
                install.names.word()
            ));
        }
        return Ok(ExitCode::FAILURE);
    }
    check_home(&install)?;
    if let Some(doubt) = install.fleeting() {
        output::note(&doubt);
    }
    let path = path_of(install.platform, &install.service)?;
    let before = fs::read_to_string(&path).ok();
    write(&path, &text, install.platform)?;
    output::remark(&format!("wrote {}", path.display()));
    let installed = match install.platform {
        Platform::Systemd | Platform::SystemdUser => {
            with_systemd(&install, wish.now, before.is_some_and(|before| before != text))
        }
        Platform::Openrc | Platform::Sysv => with_script(&install, &path, wish.now),
    };
    if installed.is_ok() && voice::is_pm2() {
        let platform = install.platform.name();
        output::tell(&format!(
            "[PM2] Freeze a process list on reboot via:\n$ pm2 save\n\n\
             [PM2] Remove init script via:\n$ pm2 unstartup {platform}\n"
        ))?;
    }
    installed
}

/// Makes zelador not begin with the host any more.
pub fn unstartup(of: &StartupOf) -> Result<ExitCode, Failure> {
    let program = roles::program().map_err(Failure::new)?;
    let install = Install::find(program, of, &Startup::default())?;
    let platform = install.platform;
    if needs_root(platform) {
        let line = install.as_root(of).replacen(" startup ", " unstartup ", 1);
        let line = line.split(" --hp ").next().unwrap_or(&line).to_owned();
        output::remark("root has to remove the service; paste this:");
        output::answer(&format!("{line}\n"))?;
        return Ok(ExitCode::FAILURE);
    }
    let path = path_of(platform, &install.service)?;
    if !path.exists() {
        return Err(Failure::with_help(
            format!("there is no {}", path.display()),
            "`-u USER` and `--service-name NAME` must be those that `startup` was given",
        ));
    }
    let service = install.service.as_str();
    match platform {
        Platform::Systemd | Platform::SystemdUser => {
            systemctl(platform, &["disable", service])?;
        }
        Platform::Openrc => _ = tool("rc-update", &["del", service, "default"]),
        Platform::Sysv if boot::in_path("update-rc.d").is_some() => {}
        Platform::Sysv => _ = tool("chkconfig", &["--del", service]),
    }
    fs::remove_file(&path).map_err(|error| cannot("remove", &path, &error))?;
    match platform {
        Platform::Systemd | Platform::SystemdUser if systemd_runs() => {
            systemctl(platform, &["daemon-reload"])?;
        }
        Platform::Sysv if boot::in_path("update-rc.d").is_some() => {
            tool("update-rc.d", &[service, "remove"])?;
        }
        _ => {}
    }
    output::tell(&format!("removed {}\n", text::plain(&path.to_string_lossy())))?;
    if !lock_is_free(&install.home) {
        output::note("zelador and its apps run on until the host ends, or `zelador kill`");
    }
    Ok(ExitCode::SUCCESS)
}

fn needs_root(platform: Platform) -> bool {
    platform != Platform::SystemdUser && !rustix::process::geteuid().is_root()
}

/// Where the file of the service belongs.
pub(super) fn path_of(platform: Platform, service: &str) -> Result<PathBuf, Failure> {
    Ok(match platform {
        Platform::Systemd => Path::new("/etc/systemd/system").join(format!("{service}.service")),
        Platform::SystemdUser => {
            let config = std::env::var_os("XDG_CONFIG_HOME").filter(|path| !path.is_empty());
            let config = match (config, std::env::var_os("HOME")) {
                (Some(config), _) => PathBuf::from(config),
                (None, Some(home)) => PathBuf::from(home).join(".config"),
                (None, None) => return Err(Failure::new("HOME is not set")),
            };
            config.join("systemd/user").join(format!("{service}.service"))
        }
        Platform::Openrc | Platform::Sysv => Path::new("/etc/init.d").join(service),
    })
}

fn cannot(what: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("{} cannot be {what}d: {error}", path.display()))
}

fn write(path: &Path, text: &str, platform: Platform) -> Result<(), Failure> {
    let mode = match platform {
        Platform::Systemd | Platform::SystemdUser => 0o644,
        Platform::Openrc | Platform::Sysv => 0o755,
    };
    let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| {
        let temporary = path.with_extension("zelador-new");
        fs::write(&temporary, text)?;
        fs::set_permissions(&temporary, fs::Permissions::from_mode(mode))?;
        fs::rename(&temporary, path)
    });
    written.map_err(|error| Failure::new(format!("{} cannot be written: {error}", path.display())))
}

/// A home of somebody else would be refused at boot, when nobody looks.
fn check_home(install: &Install) -> Result<(), Failure> {
    let path = install.home.path();
    match fs::metadata(path) {
        Ok(found) if found.uid() != install.user.uid => Err(Failure::with_help(
            format!(
                "the home {} belongs to user {}, not to {} ({})",
                path.display(),
                found.uid(),
                install.user.name,
                install.user.uid
            ),
            "`-u NAME` names the user, `--hp FOLDER` the folder in which `.zelador` is",
        )),
        _ => Ok(()),
    }
}

/// Stops a zelador that was started by hand; its list stays.
fn end_by_hand(home: &Home) -> Result<(), Failure> {
    let pid = guardian(home);
    let signalled = pid.parse().ok().and_then(rustix::process::Pid::from_raw).is_some_and(|pid| {
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).is_ok()
    });
    let until = Instant::now() + END_WITHIN;
    while signalled && !lock_is_free(home) && Instant::now() < until {
        std::thread::sleep(LOOK_EVERY);
    }
    if lock_is_free(home) {
        return Ok(());
    }
    Err(Failure::new(format!(
        "the zelador that was started by hand (guardian pid {pid}) does not end"
    )))
}

/// Ends the zelador that was started by hand, and has the service start its own; where that fails, the
/// apps are brought back as they were: they are not to be down for a mistake in a service.
fn moved(install: &Install, start: impl FnOnce() -> Result<(), Failure>) -> Result<(), Failure> {
    end_by_hand(&install.home)?;
    let Err(failed) = start() else { return Ok(()) };
    let back = Command::new("sh").args(["-c", &scripts::up(install)]).stdin(Stdio::null()).status();
    if back.is_ok_and(|status| status.success()) {
        output::note("the apps are back, under a zelador as it was started by hand");
    } else {
        output::note(&format!(
            "nothing runs now: `{} resurrect` brings the apps back",
            install.names.word()
        ));
    }
    Err(failed)
}

fn guardian(home: &Home) -> String {
    fs::read_to_string(home.lock()).unwrap_or_default().trim().to_owned()
}

fn answering(home: &Home) -> Result<(Pong, View), Failure> {
    let engine = Engine::new(home)?;
    let pong: Pong = engine.get_within(route::PING, ANSWER_WITHIN)?;
    Ok((pong, engine.get(route::VIEW)?))
}

/// Looks whether the service has brought zelador up, and says so.
fn prove(install: &Install) -> Result<ExitCode, Failure> {
    let (pong, view) = answering(&install.home)?;
    if matches!(install.platform, Platform::Systemd | Platform::SystemdUser) {
        let main = ["show", "--property=MainPID", "--value", &install.service];
        let main = systemctl(install.platform, &main)?;
        if main.trim() != pong.guardian_pid.to_string() {
            return Err(Failure::new(format!(
                "zelador answers, and it is not the one of {}: guardian pid {}, main process {}",
                install.service,
                pong.guardian_pid,
                main.trim()
            )));
        }
    }
    let up = view.instances.iter().filter(|instance| instance.pid.is_some()).count();
    output::tell(&format!(
        "{} runs: guardian pid {}, {} ({up} up)\n",
        text::plain(&install.service),
        pong.guardian_pid,
        words::counted(view.instances.len(), "instance")
    ))?;
    if view.instances.is_empty() {
        output::note("there is no app yet: `zelador start FILE`, then `zelador save`");
    }
    Ok(ExitCode::SUCCESS)
}

fn with_script(install: &Install, path: &Path, now: bool) -> Result<ExitCode, Failure> {
    let service = install.service.as_str();
    match install.platform {
        Platform::Openrc => _ = tool("rc-update", &["add", service, "default"])?,
        _ if boot::in_path("update-rc.d").is_some() => {
            tool("update-rc.d", &[service, "defaults"])?;
        }
        _ if boot::in_path("chkconfig").is_some() => _ = tool("chkconfig", &["--add", service])?,
        _ => {
            return Err(Failure::new(
                "neither update-rc.d nor chkconfig is here: the script is not enabled",
            ));
        }
    }
    output::remark(&format!("{service} is enabled: it begins with the host"));
    if !lock_is_free(&install.home) && !now {
        // What the script does is to leave alone what runs already: that much can be proven.
        output::note(&format!(
            "the apps run under the zelador that was started by hand (guardian pid {}); the next \
             boot begins with {service}",
            guardian(&install.home)
        ));
        return prove(install);
    }
    let start = || {
        match install.platform {
            Platform::Openrc => tool("rc-service", &[service, "start"]),
            _ => tool(&path.to_string_lossy(), &["start"]),
        }
        .map(|_| ())
    };
    if lock_is_free(&install.home) {
        start()?;
    } else {
        moved(install, start)?;
    }
    prove(install)
}
