//! The host: what the kernel allows, the clock, and the programs that apps are run by.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::process::{Resource, getrlimit};
use zelador_api::home::Home;

use super::Finding;
use crate::boot::in_path;

/// The oldest kernel: `clone3` and `pidfd_open` came with Linux 5.3.
const OLDEST: (u32, u32) = (5, 3);
/// From here on the kernel tells how a process ended that is no child (`PIDFD_GET_INFO`).
const TELLS_ENDS: (u32, u32) = (6, 15);

/// Descriptors of a service in the engine: a pidfd, its state, two pipes of three ends each, input,
/// channel, and the two log files.
const EACH: u64 = 12;
/// So many services fit before it is worth a word.
const ENOUGH_SERVICES: u64 = 100;

/// A source tree with its `node_modules` has some ten thousand folders.
const ENOUGH_WATCHES: u64 = 65_536;

/// How long a program may take to tell its version.
const PATIENCE: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(10);

pub(super) fn all(home: &Home, guardian: Option<u32>) -> Vec<Finding> {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut all = vec![
        self::kernel(kernel.trim()),
        groups(guardian),
        controllers(&Groups::read(guardian)),
        descriptors(getrlimit(Resource::Nofile).maximum),
        watches(number("/proc/sys/fs/inotify/max_user_watches")),
        processes(Path::new("/proc/1/stat")),
        clock(SystemTime::now()),
        kept_right(synchronised()),
        zone(),
    ];
    all.extend(memory_of_log(home));
    all.push(node());
    all
}

fn number(path: &str) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn kernel(release: &str) -> Finding {
    const NAME: &str = "kernel";
    let mut parts = release.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    let shown = format!("Linux {release}");
    let (Some(major), Some(minor)) = (parts.next(), parts.next()) else {
        return Finding::warning(NAME, shown, "its version is not understood");
    };
    if (major, minor) < OLDEST {
        let help = format!("zelador needs Linux {}.{} or newer", OLDEST.0, OLDEST.1);
        return Finding::failure(NAME, shown, help);
    }
    if (major, minor) < TELLS_ENDS {
        let more =
            "if ever the guardian itself is killed, how a service ended after that is not known";
        return Finding::ok(NAME, format!("{shown}: {more}"));
    }
    Finding::ok(NAME, shown)
}

/// Whether runs can have control groups of their own.
fn groups(guardian: Option<u32>) -> Finding {
    const NAME: &str = "cgroups";
    const HELP: &str = "as root, in a unit with Delegate=yes (`zelador startup`), or with a user's own \
                        systemd they can";
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let mount = mounts.lines().find_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        kind.starts_with("cgroup2 ").then(|| place.split(' ').nth(4))?
    });
    let without = "the end of a run's tree is found by session and mark";
    let Some(mount) = mount else {
        return Finding::warning(NAME, format!("no cgroup v2 here: {without}"), HELP);
    };
    let of = guardian.map_or("self".to_owned(), |pid| pid.to_string());
    let own = fs::read_to_string(format!("/proc/{of}/cgroup")).unwrap_or_default();
    let own = own.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or("/").to_owned();
    let folder = PathBuf::from(mount).join(own.trim_start_matches('/'));
    let folder = if folder.is_dir() { folder } else { PathBuf::from(mount) };
    if rustix::fs::access(&folder, rustix::fs::Access::WRITE_OK).is_err() {
        let found = format!("{} cannot be written: {without}", folder.display());
        return Finding::warning(NAME, found, HELP);
    }
    let has = fs::read_to_string(folder.join("cgroup.controllers")).unwrap_or_default();
    Finding::ok(NAME, format!("each run has one below {} ({})", folder.display(), has.trim()))
}

/// What the kernel says of the control groups of a process.
struct Groups {
    /// `/proc/self/mountinfo`.
    mounts: String,
    /// `/proc/PID/cgroup`.
    own: String,
}

impl Groups {
    fn read(guardian: Option<u32>) -> Self {
        let of = guardian.map_or("self".to_owned(), |pid| pid.to_string());
        Self {
            mounts: fs::read_to_string("/proc/self/mountinfo").unwrap_or_default(),
            own: fs::read_to_string(format!("/proc/{of}/cgroup")).unwrap_or_default(),
        }
    }

    /// The process's own folder in a hierarchy whose mounts have this type, and, in v1, this
    /// controller.
    fn folder(&self, kind: &str, controller: Option<&str>) -> Option<PathBuf> {
        let lists = |list: &str| controller.is_none_or(|it| list.split(',').any(|its| its == it));
        let mount = self.mounts.lines().find_map(|line| {
            let (place, of) = line.split_once(" - ")?;
            let mut words = of.split(' ');
            let fits = words.next() == Some(kind) && lists(words.next_back()?);
            fits.then(|| place.split(' ').nth(4))?
        })?;
        let path = self.own.lines().find_map(|line| {
            let (list, path) = line.split_once(':')?.1.split_once(':')?;
            (list.is_empty() == controller.is_none() && lists(list)).then_some(path)
        })?;
        Some(Path::new(mount).join(path.trim_start_matches('/')))
    }

    /// How zelador can hold limits by this controller.
    fn holds(&self, controller: &str) -> Option<&'static str> {
        let writable = |path: &Path| rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok();
        let unified = self.folder("cgroup2", None).filter(|folder| writable(folder));
        let handed = unified.and_then(|it| fs::read_to_string(it.join("cgroup.controllers")).ok());
        if handed.is_some_and(|list| list.split_whitespace().any(|it| it == controller)) {
            return Some("v2");
        }
        let own = self.folder("cgroup", Some(controller));
        own.filter(|folder| writable(folder)).map(|_| "v1")
    }
}

/// Which limits of whole trees can be held (`limits` of an app).
fn controllers(groups: &Groups) -> Finding {
    const NAME: &str = "controllers";
    let all = ["memory", "cpu", "pids"].map(|name| (name, groups.holds(name)));
    let held: Vec<String> = all
        .iter()
        .filter_map(|(name, by)| by.map(|by| format!("`{name}` (cgroup {by})")))
        .collect();
    let missing: Vec<String> =
        all.iter().filter(|(_, by)| by.is_none()).map(|(name, _)| format!("`{name}`")).collect();
    if missing.is_empty() {
        return Finding::ok(NAME, format!("limits can be held of {}", held.join(", ")));
    }
    let found = format!("limits of {} cannot be held: no controller", missing.join(", "));
    let help = "as root, or in a unit with Delegate=yes; `limits` of apps that are not held are told \
                when they start";
    Finding::warning(NAME, found, help)
}

fn descriptors(hard: Option<u64>) -> Finding {
    const NAME: &str = "descriptors";
    let Some(hard) = hard else { return Finding::ok(NAME, "without a limit") };
    let found = format!("{hard}: room for about {} services", hard.saturating_sub(64) / EACH);
    if hard / EACH >= ENOUGH_SERVICES {
        return Finding::ok(NAME, found);
    }
    Finding::warning(NAME, found, "`ulimit -Hn 65536`, or LimitNOFILE=65536 in the unit")
}

fn watches(most: Option<u64>) -> Finding {
    const NAME: &str = "inotify";
    let Some(most) = most else { return Finding::ok(NAME, "its limits cannot be read here") };
    let found = format!("{most} folders can be watched by all programs of a user");
    if most >= ENOUGH_WATCHES {
        return Finding::ok(NAME, found);
    }
    let help = "for `watch: true` on a large tree: sysctl fs.inotify.max_user_watches=524288";
    Finding::warning(NAME, found, help)
}

/// Whether this user sees the processes of others.
fn processes(of_first: &Path) -> Finding {
    const NAME: &str = "/proc";
    match fs::read(of_first) {
        Ok(_) => Finding::ok(NAME, "all processes can be seen"),
        Err(_) => Finding::warning(
            NAME,
            "processes of other users are hidden (hidepid)",
            "who else holds a port is told by user only; `gid=` of the mount lets a group see them",
        ),
    }
}

/// Whether the clock is later than this program.
fn clock(now: SystemTime) -> Finding {
    const NAME: &str = "clock";
    let built = fs::metadata("/proc/self/exe").and_then(|file| file.modified());
    if built.is_ok_and(|built| now < built) || now < UNIX_EPOCH {
        return Finding::failure(
            NAME,
            "it is before this program was written",
            "set it (`timedatectl set-ntp true`): certificates, cron and dates depend on it",
        );
    }
    Finding::ok(NAME, jiff::Zoned::now().strftime("%Y-%m-%d %H:%M:%S %Z").to_string())
}

/// Whether something keeps the clock right, as the kernel knows; `None`: it does not say.
fn synchronised() -> Option<bool> {
    // SAFETY: all zeroes is a valid `timex`, and means "change nothing".
    let mut state: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a whole `timex`; without modes the call only reads.
    let answer = unsafe { libc::adjtimex(&raw mut state) };
    (answer >= 0).then_some(answer != libc::TIME_ERROR && state.status & libc::STA_UNSYNC == 0)
}

fn kept_right(synchronised: Option<bool>) -> Finding {
    const NAME: &str = "NTP";
    match synchronised {
        Some(true) => Finding::ok(NAME, "the clock is kept right"),
        None => Finding::ok(NAME, "the kernel does not say here whether the clock is kept right"),
        Some(false) => Finding::warning(
            NAME,
            "nothing keeps the clock right, or not yet",
            "chrony, or `timedatectl set-ntp true`: certificates, tokens and cron depend on it",
        ),
    }
}

fn zone() -> Finding {
    const NAME: &str = "time zone";
    match jiff::tz::TimeZone::try_system() {
        Ok(zone) => Finding::ok(NAME, zone.iana_name().unwrap_or("the system's").to_owned()),
        Err(_) => Finding::warning(
            NAME,
            "the system's is not known: UTC is taken for cron and dates",
            "set TZ, or link /etc/localtime",
        ),
    }
}

/// What an engine could not write about itself.
fn memory_of_log(home: &Home) -> Option<Finding> {
    let log = home.own_log();
    let file = fs::OpenOptions::new().append(true).open(&log);
    match file {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Some(Finding::failure(
            "own log",
            format!("{} cannot be written: {error}", log.display()),
            "check who owns it, and whether the disk is full",
        )),
        _ => None,
    }
}

/// Node and npm; apps of other languages need neither.
fn node() -> Finding {
    const NAME: &str = "node";
    let Some(node) = in_path("node") else {
        return Finding::warning(
            NAME,
            "no `node` in PATH: apps in JavaScript cannot be started",
            "install Node, or name it in `interpreter`",
        );
    };
    let Some(version) = version_of(&node) else {
        let found = format!("{} does not tell its version", node.display());
        return Finding::failure(NAME, found, format!("try `{} --version`", node.display()));
    };
    let found = format!("{version} ({})", node.display());
    if in_path("npm").is_some() {
        return Finding::ok(NAME, found);
    }
    Finding::warning(NAME, format!("{found}, and no `npm`"), "`zelador install` needs it")
}

fn version_of(program: &Path) -> Option<String> {
    let mut child = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let until = Instant::now() + PATIENCE;
    while child.try_wait().ok()?.is_none() {
        if Instant::now() >= until {
            _ = child.kill();
            _ = child.wait();
            return None;
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    let output = child.wait_with_output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(text).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::Grade;
    use super::*;

    #[test]
    fn what_the_kernel_is_too_old_or_too_strict_for_is_told() {
        assert_eq!(kernel("4.19.0-27-amd64").status, Grade::Failure);
        assert!(kernel("5.10.0").found.contains("not known"));
        assert_eq!(kernel("6.17.0-rc1").found, "Linux 6.17.0-rc1");
        assert_eq!(kernel("strange").status, Grade::Warning);
        assert_eq!(descriptors(Some(256)).status, Grade::Warning);
        assert_eq!(descriptors(Some(65536)).status, Grade::Ok);
        assert_eq!(descriptors(None).status, Grade::Ok);
        assert_eq!(watches(Some(8192)).status, Grade::Warning);
        assert_eq!(watches(Some(524_288)).status, Grade::Ok);
        assert_eq!(processes(Path::new("/nowhere")).status, Grade::Warning);
        assert_eq!(clock(UNIX_EPOCH + Duration::from_mins(1)).status, Grade::Failure);
        assert_eq!(clock(SystemTime::now()).status, Grade::Ok);
        assert_eq!(kept_right(Some(false)).status, Grade::Warning);
        assert_eq!(kept_right(synchronised().filter(|right| *right)).status, Grade::Ok);
    }

    #[test]
    fn controllers_are_found_in_both_versions_and_missing_ones_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        for path in ["unified/z", "memory/z"] {
            fs::create_dir_all(at(path)).unwrap();
        }
        fs::write(at("unified/z/cgroup.controllers"), "cpu pids\n").unwrap();
        let root = folder.path().display();
        let mounts = format!(
            "30 1 0:1 / {root}/unified rw - cgroup2 cgroup2 rw,nsdelegate\n\
             31 1 0:2 / {root}/memory rw - cgroup cgroup rw,memory\n"
        );
        let groups = Groups { mounts, own: "4:memory:/z\n0::/z\n".to_owned() };
        assert_eq!(groups.holds("cpu"), Some("v2"));
        assert_eq!(groups.holds("memory"), Some("v1"));
        assert_eq!(controllers(&groups).status, Grade::Ok);
        fs::write(at("unified/z/cgroup.controllers"), "pids\n").unwrap();
        let found = controllers(&groups);
        assert!(found.status == Grade::Warning && found.found.contains("limits of `cpu` cannot"));
    }

    #[test]
    fn a_program_that_hangs_or_fails_has_no_version() {
        assert_eq!(version_of(Path::new("/bin/false")), None);
        assert_eq!(version_of(Path::new("/nowhere")), None);
    }
}
