//! A Linux kernel of the tests' own, as an ordinary process (User-mode Linux): control groups v2 whatever the host has,
//! a clock that may be set, and a power that may be cut.
//!
//! It sees the host's files read-only; what it writes goes into its memory, onto its disk, or into the folder by
//! which it is spoken to. Always holds: it has no network but its own loopback, and nothing of the host is changed.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;

use crate::home::{LIMIT, Said};

/// The kernel's program, and the package of Debian that has it.
const PROGRAM: &str = "linux.uml";

/// Enough for zelador and some small services; it is taken only as it is used.
const MEMORY: &str = "mem=768M";

/// A file system for what is to outlive the kernel: its size in bytes.
const DISK: u64 = 96 << 20;

/// The first process: sets the machine up, then runs one script after the other as it is told their names.
const INIT: &str = r#"#!/bin/sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/run/home TMPDIR=/run
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs run /run
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir -p /run/home /run/shared /run/disk
mount -t hostfs shared /run/shared -o SHARED
[ ! -e /dev/ubda ] || mount -t ext4 /dev/ubda /run/disk
ip link set lo up
stty -echo
echo "is up"
while read -r name; do
  sh /run/shared/$name.sh >/run/shared/$name.out 2>/run/shared/$name.err </dev/null
  echo "ended $name $?"
done
echo o >/proc/sysrq-trigger
sleep 60
"#;

/// A machine whose power can be cut, with a disk that stays.
pub struct Kernel {
    folder: TempDir,
    running: Option<Running>,
    scripts: u32,
}

struct Running {
    child: Child,
    console: Receiver<String>,
}

impl Kernel {
    /// Returns a machine with an empty disk, that is not booted yet.
    ///
    /// # Errors
    /// This host cannot have one; the text says why.
    pub fn new() -> Result<Self, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("the files of another user cannot be made".to_owned());
        }
        let found = Command::new("sh").args(["-c", &format!("command -v {PROGRAM}")]).output();
        if !found.is_ok_and(|output| output.status.success()) {
            return Err(format!("`{PROGRAM}` is missing (Debian: user-mode-linux)"));
        }
        let told = |error: std::io::Error| error.to_string();
        let folder = TempDir::new().map_err(told)?;
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("shared")).map_err(told)?;
        fs::write(at("init"), INIT.replace("SHARED", &at("shared").display().to_string()))
            .map_err(told)?;
        fs::set_permissions(at("init"), fs::Permissions::from_mode(0o755)).map_err(told)?;
        let disk = fs::File::create(at("disk")).map_err(told)?;
        disk.set_len(DISK).map_err(told)?;
        let made = Command::new("mkfs.ext4").arg("-q").arg(at("disk")).output();
        let made = made.map_err(|error| format!("`mkfs.ext4` (Debian: e2fsprogs): {error}"))?;
        if !made.status.success() {
            return Err(String::from_utf8_lossy(&made.stderr).into_owned());
        }
        Ok(Self { folder, running: None, scripts: 0 })
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The folder that outlives the machine, as its programs see it.
    pub fn disk(&self) -> &'static Path {
        Path::new("/run/disk")
    }

    /// Boots it.
    ///
    /// # Errors
    /// It does not boot here; the text is what it says.
    pub fn boot(&mut self) -> Result<(), String> {
        let told = |error: std::io::Error| error.to_string();
        let mut child = Command::new(PROGRAM)
            .args([MEMORY, "root=none", "rootfstype=hostfs", "rootflags=/", "ro", "quiet"])
            .args(["con=null", "con0=fd:0,fd:1", "loglevel=0"])
            .arg(format!("ubd0={}", self.at("disk").display()))
            .arg(format!("init={}", self.at("init").display()))
            .arg(format!("uml_dir={}", self.at("sockets").display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(told)?;
        let out = child.stdout.take().ok_or("it has no console")?;
        let (line, console) = channel();
        thread::spawn(move || {
            for read in BufReader::new(out).lines().map_while(Result::ok) {
                if line.send(read).is_err() {
                    return;
                }
            }
        });
        self.running = Some(Running { child, console });
        self.says("is up", LIMIT).map(drop)
    }

    /// Waits for a line of the console that holds this, and returns it.
    fn says(&mut self, part: &str, within: Duration) -> Result<String, String> {
        let running = self.running.as_mut().ok_or("it is off")?;
        let (until, mut all) = (Instant::now() + within, String::new());
        while let Ok(line) =
            running.console.recv_timeout(until.saturating_duration_since(Instant::now()))
        {
            if line.contains(part) {
                return Ok(line);
            }
            all.push_str(&line);
            all.push('\n');
        }
        Err(format!("the kernel does not say `{part}` within {within:?}, but: {all}"))
    }

    /// Runs lines of shell in it, as root.
    ///
    /// # Panics
    /// They take longer than anything may.
    pub fn run(&mut self, lines: &str) -> Said {
        self.begin(lines);
        let name = self.scripts;
        let ended = format!("ended {name} ");
        let said = self.says(&ended, LIMIT).unwrap_or_else(|why| panic!("{lines}: {why}"));
        let code = said.rsplit(' ').next().and_then(|code| code.trim().parse().ok());
        Said { code: code.unwrap_or(-1), out: self.said("out"), err: self.said("err") }
    }

    /// Begins to run lines of shell in it, and does not wait for their end.
    ///
    /// # Panics
    /// It is off.
    pub fn begin(&mut self, lines: &str) {
        self.scripts += 1;
        let name = self.scripts;
        fs::write(self.at("shared").join(format!("{name}.sh")), lines).expect("there is room");
        let input = self.running.as_mut().and_then(|it| it.child.stdin.as_mut());
        writeln!(input.expect("it is on"), "{name}").expect("it reads");
    }

    /// What the lines that were begun last have said until now: `out` or `err`.
    pub fn said(&self, stream: &str) -> String {
        let path = self.at("shared").join(format!("{}.{stream}", self.scripts));
        String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
    }

    /// Runs lines of shell in it that must succeed; returns what they say.
    ///
    /// # Panics
    /// They do not.
    pub fn ok(&mut self, lines: &str) -> String {
        let said = self.run(lines);
        assert_eq!(said.code, 0, "{lines}: {}{}", said.out, said.err);
        said.out
    }

    /// Ends it as a host without power does: what was not on its disk yet is gone.
    pub fn cut_power(&mut self) {
        let Some(Running { mut child, .. }) = self.running.take() else { return };
        if let Some(group) = Pid::from_raw(child.id().cast_signed()) {
            _ = kill_process_group(group, Signal::KILL);
        }
        _ = child.wait();
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        self.cut_power();
    }
}
