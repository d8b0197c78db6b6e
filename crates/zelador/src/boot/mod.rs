//! What makes zelador begin with the host: for whom, with which init system, under which name.
//!
//! Pure but for looking: [`systemd`] and [`scripts`] say what the files hold, [`Install::find`]
//! looks up who and where; `command/startup.rs` writes the files and has them taken into use.

pub mod scripts;
pub mod systemd;
mod users;

use std::env;
use std::path::{Path, PathBuf};

use zelador_api::home::Home;

use crate::cli::boot::{Startup, StartupOf};
use crate::failure::Failure;
use crate::voice;
pub use users::User;

/// What starts services on this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// systemd, a unit of the system.
    Systemd,
    /// systemd, a unit of the user's own manager.
    SystemdUser,
    /// `OpenRC`.
    Openrc,
    /// A script in `/etc/init.d`.
    Sysv,
}

/// Names of distributions that PM2 takes too, all with systemd by now.
const WITH_SYSTEMD: [&str; 10] = [
    "systemd", "ubuntu", "ubuntu14", "centos", "centos6", "debian", "arch", "oracle", "amazon",
    "redhat",
];

impl Platform {
    /// Returns the one of this name.
    ///
    /// # Errors
    /// There is none, or PM2 knows it and zelador does not.
    pub fn named(name: &str) -> Result<Self, Failure> {
        Ok(match name {
            name if WITH_SYSTEMD.contains(&name) => Self::Systemd,
            "systemd-user" => Self::SystemdUser,
            "openrc" | "gentoo" => Self::Openrc,
            "sysv" | "systemv" | "upstart" => Self::Sysv,
            other => {
                return Err(Failure::with_help(
                    format!("no init system is called `{other}`"),
                    "known are systemd, systemd-user, openrc and sysv; without a name the one of \
                     this host is taken",
                ));
            }
        })
    }

    /// Returns the one of this host.
    ///
    /// # Errors
    /// None is found.
    pub fn of_this_host() -> Result<Self, Failure> {
        let there = |path: &str| Path::new(path).exists();
        if there("/run/systemd/system") {
            Ok(Self::Systemd)
        } else if there("/sbin/openrc-run") || there("/usr/sbin/openrc-run") {
            Ok(Self::Openrc)
        } else if in_path("systemctl").is_some() {
            Ok(Self::Systemd)
        } else if there("/etc/init.d") {
            Ok(Self::Sysv)
        } else {
            Err(Failure::with_help(
                "this host has neither systemd nor OpenRC nor /etc/init.d",
                "`zelador startup systemd --dry-run` prints a unit to adapt; in a container \
                 `zelador runtime FILE` is the main process",
            ))
        }
    }

    /// Its name, as [`Self::named`] takes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Systemd => "systemd",
            Self::SystemdUser => "systemd-user",
            Self::Openrc => "openrc",
            Self::Sysv => "sysv",
        }
    }
}

/// How the folder, the variable and the service are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// `~/.zelador`, `ZELADOR_HOME`, `zelador-USER`.
    Zelador,
    /// `~/.pm2`, `PM2_HOME`, `pm2-USER`: scripts that speak to PM2's service find it.
    Pm2,
}

impl Names {
    /// Those of the voice that is spoken.
    pub fn current() -> Self {
        if voice::is_pm2() { Self::Pm2 } else { Self::Zelador }
    }

    fn folder(self) -> &'static str {
        match self {
            Self::Zelador => ".zelador",
            Self::Pm2 => ".pm2",
        }
    }

    /// The variable that names the home.
    fn variable(self) -> &'static str {
        match self {
            Self::Zelador => "ZELADOR_HOME",
            Self::Pm2 => "PM2_HOME",
        }
    }

    /// What is typed, and what the name of the service begins with.
    pub fn word(self) -> &'static str {
        match self {
            Self::Zelador => "zelador",
            Self::Pm2 => "pm2",
        }
    }

    /// The file that zelador's own log is, in the home.
    fn log(self) -> &'static str {
        match self {
            Self::Zelador => "zelador.log",
            Self::Pm2 => "pm2.log",
        }
    }

    /// The words before the verb.
    pub fn program(self, program: &Path) -> String {
        let program = scripts::quoted(&program.to_string_lossy());
        match self {
            Self::Zelador => program,
            Self::Pm2 => format!("{program} pm2"),
        }
    }
}

/// What is installed.
#[derive(Clone, Debug)]
pub struct Install {
    /// How everything is called.
    pub names: Names,
    /// With which init system.
    pub platform: Platform,
    /// The executable, absolute.
    pub program: PathBuf,
    /// Whose zelador it is.
    pub user: User,
    /// Where it keeps what it keeps.
    pub home: Home,
    /// Where programs are looked up.
    pub path: String,
    /// The name of the service.
    pub service: String,
    /// Not before the network has an address.
    pub wait_ip: bool,
}

impl Install {
    /// Looks up what the command line leaves open.
    ///
    /// # Errors
    /// There is no such user or init system.
    pub fn find(program: PathBuf, of: &StartupOf, more: &Startup) -> Result<Self, Failure> {
        let platform = match &of.platform {
            Some(name) => Platform::named(name)?,
            None => Platform::of_this_host()?,
        };
        let mut user = match &of.user {
            Some(name) => User::named(name)?,
            None => User::own()?,
        };
        let names = Names::current();
        let named = [names.variable(), "ZELADOR_HOME"].map(env::var_os);
        let named = named.into_iter().flatten().find(|home| !home.is_empty());
        let home = match (&more.hp, named) {
            (Some(folder), _) => {
                user.home.clone_from(folder);
                Home::new(folder.join(names.folder()))
            }
            (None, Some(home)) => Home::from_variables(Some(home), None)?,
            (None, None) => Home::new(user.home.join(names.folder())),
        };
        if !home.path().is_absolute() {
            let found = home.path().display();
            return Err(Failure::new(format!("`--hp` must be an absolute path: {found}")));
        }
        let service = service_name(of, platform, names, &user)?;
        let path = search_path(env::var("PATH").ok().as_deref());
        Ok(Self { names, platform, program, user, home, path, service, wait_ip: more.wait_ip })
    }

    /// The variables that the guardian begins with.
    fn environment(&self) -> Vec<(&'static str, String)> {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let mut variables = vec![
            ("HOME", text(&self.user.home)),
            ("ZELADOR_HOME", text(self.home.path())),
            ("PATH", self.path.clone()),
        ];
        if self.names == Names::Pm2 {
            variables.push((Names::Pm2.variable(), text(self.home.path())));
        }
        variables
    }

    /// The command that does this as root, to be pasted.
    pub fn as_root(&self, of: &StartupOf) -> String {
        let usual = Home::new(self.user.home.join(self.names.folder()));
        let mut line = format!("sudo env PATH={}", scripts::quoted(&self.path));
        if self.home != usual {
            line.push_str(&format!(" {}=", self.names.variable()));
            line.push_str(&scripts::quoted(&self.home.path().to_string_lossy()));
        }
        let program = self.names.program(&self.program);
        line.push_str(&format!(
            " {program} startup {} -u {}",
            self.platform.name(),
            scripts::quoted(&self.user.name)
        ));
        if self.home == usual {
            line.push_str(&format!(" --hp {}", scripts::quoted(&self.user.home.to_string_lossy())));
        }
        if let Some(name) = &of.service_name {
            line.push_str(&format!(" --service-name {}", scripts::quoted(name)));
        }
        if self.wait_ip {
            line.push_str(" --wait-ip");
        }
        line
    }

    /// What may make the executable vanish before the next boot, if anything.
    pub fn fleeting(&self) -> Option<String> {
        let path = self.program.to_string_lossy();
        let doubts = [
            ("/.nvm/", "goes with that version of Node"),
            ("/.fnm/", "goes with that version of Node"),
            ("/_npx/", "is a cache of npx"),
            ("/tmp/", "is emptied"),
        ];
        let (_, why) = doubts.into_iter().find(|(part, _)| path.contains(part))?;
        Some(format!("{path} {why}: copy it to /usr/local/bin and run this again from there"))
    }
}

/// The name of the service.
///
/// # Errors
/// It cannot be a file name.
pub fn service_name(
    of: &StartupOf,
    platform: Platform,
    names: Names,
    user: &User,
) -> Result<String, Failure> {
    let name = match (&of.service_name, platform) {
        (Some(name), _) => name.strip_suffix(".service").unwrap_or(name).to_owned(),
        (None, Platform::SystemdUser) => names.word().to_owned(),
        (None, _) => format!("{}-{}", names.word(), user.name),
    };
    let fits = |letter: char| letter.is_ascii_alphanumeric() || "-_.@\\:".contains(letter);
    if name.is_empty() || name.starts_with(['.', '-']) || !name.chars().all(fits) {
        return Err(Failure::with_help(
            format!("a service cannot be called `{name}`"),
            "letters, digits and - _ . @ can be used",
        ));
    }
    Ok(name)
}

/// The folders of the caller's PATH that are absolute, and the usual ones.
fn search_path(given: Option<&str>) -> String {
    const USUAL: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let mut folders: Vec<&str> = Vec::new();
    for folder in given.unwrap_or_default().split(':').chain(USUAL.split(':')) {
        if folder.starts_with('/') && !folders.contains(&folder) && !folder.contains('\n') {
            folders.push(folder);
        }
    }
    folders.join(":")
}

/// Returns the program of this name in PATH.
pub fn in_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    pub fn install(platform: Platform) -> Install {
        Install {
            names: Names::Zelador,
            platform,
            program: "/opt/my tools/zelador".into(),
            user: User { name: "ana".to_owned(), uid: 1000, home: "/home/ana".into() },
            home: Home::new("/home/ana/.zelador"),
            path: search_path(Some("/home/ana/100%/bin:relative:/usr/bin")),
            service: "zelador-ana".to_owned(),
            wait_ip: false,
        }
    }

    #[test]
    fn what_is_installed_is_stable() {
        insta::assert_snapshot!(systemd::unit(&install(Platform::Systemd)));
        insta::assert_snapshot!(systemd::unit(&Install {
            wait_ip: true,
            ..install(Platform::SystemdUser)
        }));
        insta::assert_snapshot!(scripts::openrc(&install(Platform::Openrc)));
        insta::assert_snapshot!(scripts::sysv(&install(Platform::Sysv)));
    }

    #[test]
    fn in_pm2s_voice_the_service_has_pm2s_name_and_home() {
        let (names, home) = (Names::Pm2, Home::new("/home/ana/.pm2"));
        let user = install(Platform::Systemd).user;
        let of = StartupOf::default();
        let service = |platform| service_name(&of, platform, names, &user).unwrap();
        assert_eq!(service(Platform::Systemd), "pm2-ana");
        assert_eq!(service(Platform::SystemdUser), "pm2");
        let unit = systemd::unit(&Install { names, home, ..install(Platform::Systemd) });
        assert!(unit.contains("Environment=\"PM2_HOME=/home/ana/.pm2\"\n"), "{unit}");
        assert!(unit.contains("Environment=\"ZELADOR_HOME=/home/ana/.pm2\"\n"), "{unit}");
        assert!(unit.contains("ExecReload=\"/opt/my tools/zelador\" reload all\n"), "{unit}");
    }

    #[test]
    fn the_command_to_paste_carries_what_this_install_is() {
        let of = StartupOf { platform: None, user: None, service_name: Some("z".to_owned()) };
        let install = Install { wait_ip: true, ..install(Platform::Systemd) };
        assert_eq!(
            install.as_root(&of),
            "sudo env PATH='/home/ana/100%/bin:/usr/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/sbin:/bin' \
             '/opt/my tools/zelador' startup systemd -u ana --hp /home/ana --service-name z --wait-ip"
        );
        let elsewhere = Install { home: Home::new("/srv/z"), ..install.clone() };
        assert!(elsewhere.as_root(&of).contains(" ZELADOR_HOME=/srv/z "));
        let (names, home) = (Names::Pm2, Home::new("/home/ana/.pm2"));
        let pm2 = Install { names, home, ..install }.as_root(&of);
        assert!(pm2.contains("zelador' pm2 startup systemd -u ana --hp /home/ana "), "{pm2}");
    }

    #[test]
    fn a_name_is_a_file_name() {
        let user = User { name: "ana".to_owned(), uid: 1000, home: "/home/ana".into() };
        let named = |name: &str| {
            let of = StartupOf { platform: None, user: None, service_name: Some(name.to_owned()) };
            service_name(&of, Platform::Systemd, Names::Zelador, &user).ok()
        };
        assert_eq!(named("apps.service").as_deref(), Some("apps"));
        assert_eq!(named("../../etc/passwd"), None);
        assert_eq!(named("a b"), None);
        assert_eq!(named(""), None);
    }
}
