//! The program itself: who answers, of which version, where, and whether it begins with the host.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use zelador_api::client::ClientError;
use zelador_api::home::Home;
use zelador_api::token::{self, Token};
use zelador_api::{Pong, View, route};

use super::super::{Context, startup};
use super::Finding;
use crate::boot::{self, Install, Platform};
use crate::cli::boot::{Startup, StartupOf};
use crate::failure::Failure;
use crate::pm2::home::is_pm2_alive;
use crate::{roles, settings};

/// How long anybody on this host may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Who answers; `None`: nobody does.
pub(super) fn running(context: &Context) -> Option<Pong> {
    context.engine.get_within(route::PING, PATIENCE).ok()
}

pub(super) fn all(context: &Context, running: Option<&Pong>) -> Vec<Finding> {
    let mut found = vec![answers(context, running)];
    if let Some(pong) = running {
        found.push(version(pong));
        found.push(guardian(pong.guardian_pid));
    }
    found.push(settings(context));
    found.push(address(context, running));
    found.extend(token(context, running));
    found.push(boot(context));
    found.push(saved(context, running.is_some()));
    found.extend(pm2());
    found
}

fn answers(context: &Context, running: Option<&Pong>) -> Finding {
    const NAME: &str = "engine";
    if let Some(pong) = running {
        let Pong { engine_pid, guardian_pid, .. } = pong;
        return Finding::ok(NAME, format!("answers (pid {engine_pid}, guardian {guardian_pid})"));
    }
    match context.engine.get_within::<Pong>(route::PING, PATIENCE) {
        Ok(_) => Finding::ok(NAME, "answers"),
        Err(error @ ClientError::NotRunning(_)) => {
            Finding::warning(NAME, "zelador is not running", error.help().unwrap_or_default())
        }
        Err(error) => {
            let help = error.help().unwrap_or_else(|| "`zelador logs --self` may tell why".into());
            Finding::failure(NAME, error.to_string(), help)
        }
    }
}

fn version(pong: &Pong) -> Finding {
    let own = env!("CARGO_PKG_VERSION");
    if pong.version == own {
        return Finding::ok("version", own);
    }
    let found = format!("the engine is {}, this command line {own}", pong.version);
    Finding::warning("version", found, "`zelador upgrade` goes over to this one, unnoticed")
}

/// Whether the guardian executes the file that this is.
fn guardian(pid: u32) -> Finding {
    const NAME: &str = "executable";
    let identity = |path: &Path| fs::metadata(path).map(|file| (file.dev(), file.ino()));
    let theirs = PathBuf::from(format!("/proc/{pid}/exe"));
    let (Ok(theirs), Ok(own)) = (identity(&theirs), identity(Path::new("/proc/self/exe"))) else {
        return Finding::ok(NAME, "that of the guardian cannot be seen by this user");
    };
    let own_path = roles::program().map(|path| path.display().to_string()).unwrap_or_default();
    if theirs == own {
        return Finding::ok(NAME, own_path);
    }
    let found = format!("the guardian executes another file than {own_path}");
    Finding::warning(NAME, found, "`zelador upgrade` goes over to this one, unnoticed")
}

fn settings(context: &Context) -> Finding {
    const NAME: &str = "settings";
    let path = context.home.settings();
    match settings::read(&path) {
        Ok(_) if path.exists() => Finding::ok(NAME, path.display().to_string()),
        Ok(_) => Finding::ok(NAME, "the defaults"),
        Err(mistakes) => {
            let first = mistakes.lines().next().unwrap_or_default().to_owned();
            let help = format!("correct {}; until then the defaults count", path.display());
            Finding::failure(NAME, first, help)
        }
    }
}

/// Whether the endpoints answer where they are to be.
fn address(context: &Context, running: Option<&Pong>) -> Finding {
    const NAME: &str = "http";
    let Some(pong) = running else { return Finding::ok(NAME, "zelador is not running") };
    let Some(address) = pong.http else {
        return Finding::ok(NAME, "the endpoints are switched off");
    };
    if !address.ip().is_loopback() && read_token(context).is_none() {
        let found = format!("others reach {address}, and there is no token: nobody listens");
        return Finding::failure(NAME, found, "`zelador token` makes one");
    }
    match status_of(address) {
        Some(200 | 503) => Finding::ok(NAME, format!("answers on {address}")),
        Some(status) => {
            let found = format!("{address} answers HTTP {status} to /healthz: not zelador's");
            Finding::failure(NAME, found, "choose another: `http` in zelador.toml, or ZELADOR_HTTP")
        }
        None => {
            let help = "`zelador logs --self` tells why; `http` in zelador.toml, or ZELADOR_HTTP, \
                        chooses another";
            Finding::failure(NAME, format!("nobody answers on {address}"), help)
        }
    }
}

/// The status that is answered to `/healthz`.
fn status_of(mut address: SocketAddr) -> Option<u16> {
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    write!(stream, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = [0; 16];
    stream.read_exact(&mut answer).ok()?;
    std::str::from_utf8(&answer).ok()?.split(' ').nth(1)?.parse().ok()
}

fn read_token(context: &Context) -> Option<Token> {
    Token::read(&context.home, std::env::var(token::VARIABLE).ok().as_deref())
}

/// A token that is there and no good; nothing where there is none and none is needed.
fn token(context: &Context, running: Option<&Pong>) -> Option<Finding> {
    const NAME: &str = "token";
    let there = context.home.token().exists() || std::env::var_os(token::VARIABLE).is_some();
    match read_token(context) {
        Some(_) => Some(Finding::ok(NAME, "asking over the network needs it")),
        None if there => {
            let found = format!("shorter than {} characters, or no one word", token::SHORTEST);
            Some(Finding::failure(NAME, found, "`zelador token --new` makes another"))
        }
        None if running.is_some() => {
            Some(Finding::ok(NAME, "none: nothing can be changed over HTTP"))
        }
        None => None,
    }
}

/// Whether something starts zelador with the host.
fn boot(context: &Context) -> Finding {
    const NAME: &str = "boot";
    let more = Startup::default();
    let of = StartupOf { platform: None, user: None, service_name: None };
    let install = roles::program()
        .map_err(Failure::new)
        .and_then(|program| Install::find(program, &of, &more));
    let Ok(install) = install else {
        return Finding::ok(NAME, "no init system here: in a container, `zelador runtime FILE`");
    };
    let user_service =
        || boot::service_name(&of, Platform::SystemdUser, install.names, &install.user);
    let system = startup::path_of(install.platform, &install.service);
    let user = user_service().and_then(|name| startup::path_of(Platform::SystemdUser, &name));
    let there = [(install.platform, system), (Platform::SystemdUser, user)]
        .into_iter()
        .find_map(|(platform, path)| Some((platform, path.ok().filter(|path| path.exists())?)));
    let Some((platform, path)) = there else {
        let found = format!("nothing starts {} with the host", context.home.path().display());
        return Finding::warning(NAME, found, "`zelador startup` installs a service");
    };
    let unit = fs::read_to_string(&path).unwrap_or_default();
    let program = install.program.to_string_lossy();
    if !unit.contains(program.as_ref()) {
        let found = format!("{} starts another executable than {program}", path.display());
        return Finding::warning(NAME, found, "`zelador startup` writes it anew");
    }
    let lingers = Path::new("/var/lib/systemd/linger").join(&install.user.name);
    if platform == Platform::SystemdUser && !lingers.exists() {
        let found = format!("{} begins with the user's first login", path.display());
        let help = format!("`sudo loginctl enable-linger {}`", install.user.name);
        return Finding::warning(NAME, found, help);
    }
    Finding::ok(NAME, path.display().to_string())
}

/// Whether there is a list to bring up with the host.
fn saved(context: &Context, is_running: bool) -> Finding {
    const NAME: &str = "saved list";
    let path = context.home.dump();
    let listed = context.engine.get_within::<View>(route::VIEW, PATIENCE);
    let has_apps = is_running && listed.is_ok_and(|view| !view.instances.is_empty());
    match zelador_api::saved::read(&path) {
        Ok(found) if found.instead_of.is_empty() => {
            Finding::ok(NAME, format!("{} apps", found.saved.apps.len()))
        }
        Ok(found) => Finding::warning(
            NAME,
            found.instead_of.join("; "),
            format!("{} is taken; `zelador save` writes a new one", found.path.display()),
        ),
        Err(zelador_api::saved::SavedError::Missing(_)) if !has_apps => Finding::ok(NAME, "none"),
        Err(zelador_api::saved::SavedError::Missing(_)) => Finding::warning(
            NAME,
            "none: after a boot of the host no app is up",
            "`zelador save` saves the list",
        ),
        Err(error) => Finding::failure(NAME, error.to_string(), error.help()),
    }
}

/// Another PM2 that lives.
fn pm2() -> Option<Finding> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let usual = || Some(PathBuf::from(variable("HOME")?).join(".pm2"));
    let home = variable("PM2_HOME").map(PathBuf::from).or_else(usual)?;
    if !is_pm2_alive(&Home::new(&home)) {
        return None;
    }
    Some(Finding::warning(
        "pm2",
        format!("a PM2 lives in {}: its apps are not zelador's", home.display()),
        "`zelador import pm2` takes them over, one after another",
    ))
}
