//! A small Debian with a real systemd or `OpenRC`, booted in a container of its own.
//!
//! The root folder is made once (`debootstrap`, some minutes) and kept beside the build; what a
//! machine writes lies over it in a temporary folder, so that its second boot finds what the first
//! has left. Always holds: nothing of the host is touched, and nothing is left mounted: the mounts
//! belong to the container's process.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::FlockOperation;
use tempfile::TempDir;

use crate::home::{LIMIT, Said, said, until_within};

/// How long Debian may take to be fetched and unpacked.
const MADE_WITHIN: Duration = Duration::from_mins(15);

/// What it has beside the essentials.
const PACKAGES: &str = "systemd,dbus,procps,openrc";

/// What starts and keeps a machine's services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Init {
    /// systemd.
    Systemd,
    /// `OpenRC`, with its own process 1.
    Openrc,
}

impl Init {
    /// How `systemd-nspawn` is told to boot with it.
    fn boots(self) -> &'static str {
        match self {
            Self::Systemd => "--boot",
            Self::Openrc => "/sbin/openrc-init",
        }
    }

    /// A line of shell that succeeds once the services run.
    fn is_up(self) -> &'static str {
        match self {
            Self::Systemd => "systemctl is-active multi-user.target",
            Self::Openrc => {
                "test -p /run/openrc/init.ctl && rc-status --runlevel | grep -qx default"
            }
        }
    }

    fn power_off(self) -> &'static [&'static str] {
        match self {
            Self::Systemd => &["systemctl", "poweroff"],
            Self::Openrc => &["openrc-shutdown", "--poweroff", "now"],
        }
    }
}

/// A machine, booted or not.
pub struct Machine {
    root: PathBuf,
    binary: PathBuf,
    init: Init,
    folder: TempDir,
    running: Option<(Child, i32)>,
}

impl Machine {
    /// Returns a machine that has `binary` as `/usr/local/bin/zelador`. `root` is where the root
    /// folder is, or is made.
    ///
    /// # Errors
    /// This host cannot have one; the text says why.
    pub fn new(root: &Path, binary: &str, init: Init) -> Result<Self, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("only root can boot a container".to_owned());
        }
        for (tool, package) in
            [("systemd-nspawn", "systemd-container"), ("debootstrap", "debootstrap")]
        {
            let found = Command::new("sh").args(["-c", &format!("command -v {tool}")]).output();
            if !found.is_ok_and(|output| output.status.success()) {
                return Err(format!("`{tool}` is missing (Debian: {package})"));
            }
        }
        make_root(root)?;
        let folder = TempDir::new().map_err(|error| error.to_string())?;
        for name in ["upper", "work", "root"] {
            fs::create_dir(folder.path().join(name)).map_err(|error| error.to_string())?;
        }
        Ok(Self { root: root.to_owned(), binary: binary.into(), init, folder, running: None })
    }

    /// Boots it, and waits until its services run.
    ///
    /// # Errors
    /// It does not boot here; the text is what it says.
    pub fn boot(&mut self) -> Result<(), String> {
        let at = |name: &str| self.folder.path().join(name).display().to_string();
        let script = format!(
            "mount -t overlay overlay -o lowerdir={},upperdir={},workdir={} {root} && \
             exec systemd-nspawn -q -D {root} --register=no --keep-unit --private-network \
             --bind-ro={}:/usr/local/bin/zelador {}",
            self.root.display(),
            at("upper"),
            at("work"),
            self.binary.display(),
            self.init.boots(),
            root = at("root"),
        );
        let console = self.folder.path().join("console");
        let out = File::create(&console).map_err(|error| error.to_string())?;
        let err = out.try_clone().map_err(|error| error.to_string())?;
        let child = Command::new("unshare")
            .args(["--mount", "sh", "-c", &script])
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .map_err(|error| format!("`unshare` cannot be started: {error}"))?;
        let container = i32::try_from(child.id()).unwrap_or_default();
        self.running = Some((child, 0));
        let end = Instant::now() + LIMIT;
        while Instant::now() < end {
            if let Some(first) = first_process(container) {
                if let Some((_, leader)) = &mut self.running {
                    *leader = first;
                }
                if self.shell(self.init.is_up()).code == 0 {
                    return Ok(());
                }
            }
            let ended = self
                .running
                .as_mut()
                .is_some_and(|(child, _)| child.try_wait().is_ok_and(|status| status.is_some()));
            if ended {
                break;
            }
            std::thread::park_timeout(Duration::from_millis(50));
        }
        let text = fs::read_to_string(console).unwrap_or_default();
        Err(format!("a container with {:?} does not boot here: {}", self.init, text.trim()))
    }

    /// Runs a program in it, as root.
    pub fn run(&self, words: &[&str]) -> Said {
        let leader = self.running.as_ref().map_or(0, |(_, leader)| *leader).to_string();
        let mut command = Command::new("nsenter");
        command.args(["-t", &leader, "-m", "-u", "-i", "-n", "-p", "-C"]);
        command.args(["env", "-i", "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"]);
        command.args(["HOME=/root", "SYSTEMD_PAGER="]).args(words).stdin(Stdio::null());
        said(&command.output().expect("nsenter belongs to util-linux"))
    }

    /// Runs a line of shell in it, as root.
    pub fn shell(&self, line: &str) -> Said {
        self.run(&["sh", "-c", line])
    }

    /// Runs a program in it that must succeed; returns its standard output.
    ///
    /// # Panics
    /// It does not.
    pub fn ok(&self, words: &[&str]) -> String {
        let said = self.run(words);
        assert_eq!(said.code, 0, "{words:?}: {}{}", said.out, said.err);
        said.out
    }

    /// A file in it.
    pub fn text(&self, path: &str) -> String {
        self.run(&["cat", path]).out
    }

    /// Shuts it down as a host is, and waits for its end.
    pub fn power_off(&mut self) {
        self.run(self.init.power_off());
        let Some((mut child, _)) = self.running.take() else { return };
        until_within("the machine to end", Duration::from_mins(2), || {
            child.try_wait().is_ok_and(|status| status.is_some())
        });
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let journal =
                self.run(&["journalctl", "--no-pager", "-n", "60", "-o", "short-monotonic"]);
            eprintln!("--- journal\n{}{}", journal.out, journal.err);
            let logs = self.shell("cat /home/*/.zelador/zelador.log /root/.zelador/zelador.log");
            eprintln!("--- zelador.log\n{}", logs.out);
        }
        if let Some((mut child, leader)) = self.running.take() {
            // The first process of a container takes everything in it along.
            crate::home::kill(leader, rustix::process::Signal::KILL);
            let end = Instant::now() + LIMIT;
            while child.try_wait().is_ok_and(|it| it.is_none()) && Instant::now() < end {
                std::thread::park_timeout(Duration::from_millis(5));
            }
            _ = child.kill();
            _ = child.wait();
        }
    }
}

/// The process below `container` that is number 1 in a world of its own.
fn first_process(container: i32) -> Option<i32> {
    let children =
        fs::read_to_string(format!("/proc/{container}/task/{container}/children")).ok()?;
    children.split_whitespace().filter_map(|pid| pid.parse().ok()).find(|pid: &i32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let inner = status.lines().find(|line| line.starts_with("NSpid:"));
        inner.is_some_and(|line| line.ends_with("\t1") && line.split_whitespace().count() > 2)
    })
}

/// Makes the root folder if it is not there, or has other packages; of several that want it, one does.
fn make_root(root: &Path) -> Result<(), String> {
    let told = |error: std::io::Error| format!("{}: {error}", root.display());
    let lock = File::create(root.with_extension("lock")).map_err(told)?;
    rustix::fs::flock(&lock, FlockOperation::LockExclusive).map_err(|errno| told(errno.into()))?;
    let made_with = "made-with";
    if fs::read_to_string(root.join(made_with)).is_ok_and(|packages| packages == PACKAGES) {
        return Ok(());
    }
    _ = fs::remove_dir_all(root);
    let unfinished = root.with_extension("unfinished");
    _ = fs::remove_dir_all(&unfinished);
    let log = root.with_extension("log");
    let out = File::create(&log).map_err(told)?;
    let err = out.try_clone().map_err(told)?;
    let mut child = Command::new("debootstrap")
        .args(["--variant=minbase", &format!("--include={PACKAGES}"), "bookworm"])
        .arg(&unfinished)
        .arg(mirror())
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .spawn()
        .map_err(told)?;
    let end = Instant::now() + MADE_WITHIN;
    let status = loop {
        match child.try_wait().map_err(told)? {
            Some(status) => break status,
            None if Instant::now() > end => {
                _ = child.kill();
                break child.wait().map_err(told)?;
            }
            None => std::thread::park_timeout(Duration::from_millis(200)),
        }
    };
    if !status.success() {
        let text = fs::read_to_string(&log).unwrap_or_default();
        let last = text.lines().last().unwrap_or_default();
        return Err(format!("debootstrap cannot make a Debian here ({status}): {last}"));
    }
    fs::write(unfinished.join(made_with), PACKAGES).map_err(told)?;
    fs::rename(&unfinished, root).map_err(told)
}

/// Where this host has its packages from, if it is a Debian.
fn mirror() -> String {
    let mut text = fs::read_to_string("/etc/apt/sources.list").unwrap_or_default();
    for entry in fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten() {
        text.push_str(&fs::read_to_string(entry.path()).unwrap_or_default());
    }
    let words = text.split_whitespace();
    let known =
        words.into_iter().find(|word| word.starts_with("http") && word.ends_with("/debian"));
    known.unwrap_or("http://deb.debian.org/debian").to_owned()
}
