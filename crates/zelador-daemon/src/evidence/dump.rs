//! What a runtime says about its own threads: `jstack`, `py-spy dump`, Node's diagnostic report. More than evidence is
//! worth by default, so it is taken only where a rule asks for it, from a process that lives.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use zelador_api::spot;
use zelador_core::evidence::Dump;
use zelador_core::healing::Runtime;
use zelador_core::signal::Signal;
use zelador_core::unit::ByteSize;
use zelador_core::words;
use zelador_core::words::Words;

use super::line::presentable;
use crate::{errno, processes};

/// How many lines of a dump are kept.
const LINES: usize = 120;

/// How much of a dump is read, in bytes: a report of Node has 50 KiB and more.
const LARGEST: u64 = 4 << 20;

/// How often it is looked whether a tool has ended, or a report is there.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Takes it; blocks for up to `within`.
///
/// # Errors
/// The tool is not there, may not, or is not done in time.
pub fn take(pid: i32, runtime: Runtime, within: Duration) -> Result<Dump, Words> {
    let until = Instant::now() + within;
    let pid_word = pid.to_string();
    match runtime {
        Runtime::Java => tool(&["jstack", "-l", &pid_word], "jstack", until),
        Runtime::Python => tool(&["py-spy", "dump", "--pid", &pid_word], "py-spy dump", until),
        Runtime::Node => report(pid, until),
    }
}

fn tool(argv: &[&str], of: &str, until: Instant) -> Result<Dump, Words> {
    let said = rustix::fs::memfd_create("dump", rustix::fs::MemfdFlags::CLOEXEC);
    let failed = |error: io::Error| errno::said_of(of, &error);
    let said = File::from(said.map_err(|error| failed(error.into()))?);
    let out = said.try_clone().map_err(failed)?;
    let mut command = Command::new(argv[0]);
    command.args(&argv[1..]).stdin(Stdio::null()).stdout(out).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            words!("{tool} is not installed", "{tool} não está instalado", tool = argv[0])
        }
        _ => failed(error),
    })?;
    let status = loop {
        match child.try_wait().map_err(failed)? {
            Some(status) => break status,
            None if Instant::now() >= until => {
                // It may have ended just now.
                _ = child.kill();
                _ = child.wait();
                return Err(words!("{of}: not done in time", "{of}: não terminou a tempo"));
            }
            None => thread::sleep(LOOK_AGAIN),
        }
    };
    if !status.success() {
        return Err(words!("{of} ended with {status}", "{of} terminou com {status}"));
    }
    let length = said.metadata().map_or(0, |known| known.len()).min(LARGEST);
    let mut text = vec![0; usize::try_from(length).unwrap_or_default()];
    said.read_exact_at(&mut text, 0).map_err(failed)?;
    Ok(dump(of, String::from_utf8_lossy(&text).lines()))
}

/// Bounded, without blank lines, secrets masked; what says "deadlock" comes first, for it comes last in the dump.
fn dump<'a>(of: &str, lines: impl Iterator<Item = &'a str>) -> Dump {
    let all: Vec<&str> = lines.filter(|line| !line.trim().is_empty()).collect();
    let found = all.iter().position(|line| line.contains("deadlock"));
    let (before, after) = all.split_at(found.unwrap_or(all.len()));
    let lines = after.iter().chain(before).take(LINES).map(|line| presentable(line));
    Dump { of: of.to_owned(), lines: lines.collect() }
}

/// Node writes a report on a signal where it was started with `--report-on-signal`; that it would end by the signal
/// otherwise is looked at before.
fn report(pid: i32, until: Instant) -> Result<Dump, Words> {
    const OF: &str = "Node diagnostic report";
    let signal = Signal::USR2;
    if !processes::catches(pid, signal) {
        return Err(words!(
            "{OF}: it is not started with --report-on-signal",
            "{OF}: não foi iniciado com --report-on-signal",
        ));
    }
    let folder = folder_of_reports(pid).ok_or_else(|| {
        words!("{OF}: its folder is not known", "{OF}: a pasta dele não é conhecida")
    })?;
    let known = reports(&folder, pid);
    let member = processes::member(pid).map_err(|error| errno::said(&error))?;
    let member = member.ok_or_else(|| words!("it has ended", "terminou"))?;
    processes::signal(member, signal).map_err(|error| errno::said(&error))?;
    while Instant::now() < until {
        // It is written bit by bit: only a whole one can be read.
        let whole = reports(&folder, pid).difference(&known).find_map(|path| read(path));
        if let Some(report) = whole {
            return Ok(dump(OF, summary(&report).iter().map(String::as_str)));
        }
        thread::sleep(LOOK_AGAIN);
    }
    Err(words!("{OF}: none was written in time", "{OF}: nenhum foi gravado a tempo"))
}

fn read(path: &Path) -> Option<Value> {
    let mut text = Vec::new();
    spot::read(path).ok()?.take(LARGEST).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

fn reports(folder: &Path, pid: i32) -> BTreeSet<PathBuf> {
    let mark = format!(".{pid}.");
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_one = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let is_json = path.extension().is_some_and(|ending| ending == "json");
        is_json && name.starts_with("report.") && name.contains(&mark)
    };
    entries.filter(is_one).collect()
}

/// Where it writes them: what it was told, or its working directory.
fn folder_of_reports(pid: i32) -> Option<PathBuf> {
    let words = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let words = String::from_utf8_lossy(&words).into_owned();
    let mut told = words.split('\0').filter_map(|word| {
        word.strip_prefix("--report-directory=").or(word.strip_prefix("--diagnostic-dir="))
    });
    let own = fs::read_link(format!("/proc/{pid}/cwd")).ok()?;
    Some(told.next().map_or(own.clone(), |folder| own.join(folder)))
}

/// What of a report tells a person where it is: the stack, the heap, what is open.
fn summary(report: &Value) -> Vec<String> {
    let mut said = Vec::new();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    said.push(format!("message: {}", text(&report["javascriptStack"]["message"])));
    for frame in report["javascriptStack"]["stack"].as_array().into_iter().flatten() {
        said.push(text(frame));
    }
    let size = |value: &Value| ByteSize::new(value.as_u64().unwrap_or_default());
    let heap = &report["javascriptHeap"];
    said.push(format!(
        "heap: {} used of at most {}",
        size(&heap["usedMemory"]),
        size(&heap["memoryLimit"])
    ));
    for handle in report["libuv"].as_array().into_iter().flatten() {
        let kind = text(&handle["type"]);
        if handle["is_active"] == true && !kind.is_empty() {
            said.push(format!("active: {kind}"));
        }
    }
    for frame in report["nativeStack"].as_array().into_iter().flatten().take(12) {
        said.push(format!("native: {}", text(&frame["symbol"])));
    }
    said
}

#[cfg(test)]
mod tests {
    use std::process::Child;

    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    /// A process that ends with the test.
    struct Running(Child);

    impl Running {
        fn new(argv: &[&str], folder: &Path) -> Self {
            let mut command = Command::new(argv[0]);
            command.args(&argv[1..]).current_dir(folder).stdout(Stdio::null());
            Self(command.spawn().expect("it is installed by ./test"))
        }

        fn pid(&self) -> i32 {
            i32::try_from(self.0.id()).expect("a pid")
        }

        fn lives(&mut self) -> bool {
            self.0.try_wait().expect("it is ours").is_none()
        }
    }

    impl Drop for Running {
        fn drop(&mut self) {
            // It may have ended by itself.
            _ = self.0.kill();
            _ = self.0.wait();
        }
    }

    fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let limit = Instant::now() + LONG;
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(Instant::now() < limit, "{what}");
            thread::sleep(LOOK_AGAIN);
        }
    }

    const SERVER: &str = "require('http').createServer().listen(0, '127.0.0.1')";

    #[test]
    fn a_node_that_waits_says_for_what_in_its_report() {
        let folder = tempfile::tempdir().unwrap();
        let mut node = Running::new(&["node", "--report-on-signal", "-e", SERVER], folder.path());
        let pid = node.pid();
        until("it to take signals", || processes::catches(pid, Signal::USR2).then_some(()));
        // What it waits for is open a little later.
        let told = until("its server", || {
            let dump = take(pid, Runtime::Node, LONG).expect("it writes one");
            assert_eq!(dump.of, "Node diagnostic report");
            let told = dump.lines.join("\n");
            told.contains("active: tcp").then_some(told)
        });
        assert!(told.contains("heap: ") && told.contains("native: "), "{told}");
        assert!(node.lives());
    }

    #[test]
    fn a_node_that_would_end_by_the_signal_is_not_sent_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut node = Running::new(&["node", "-e", SERVER], folder.path());
        until("it to run", || processes::catches(node.pid(), Signal::USR1).then_some(()));
        let why = take(node.pid(), Runtime::Node, LONG).unwrap_err();
        let told = "Node diagnostic report: it is not started with --report-on-signal";
        assert_eq!(why.english(), told);
        assert!(node.lives());
    }

    #[test]
    fn a_tool_that_is_not_there_is_said_to_be_not_installed() {
        let until = Instant::now() + Duration::from_secs(5);
        let told = tool(&["zelador-has-no-such-tool"], "a dump", until).unwrap_err();
        assert_eq!(told, "zelador-has-no-such-tool is not installed");
    }

    #[test]
    fn a_python_that_spins_says_where() {
        let folder = tempfile::tempdir().unwrap();
        let spins = "def turns():\n    while True:\n        pass\nturns()";
        let mut python = Running::new(&["python3", "-c", spins], folder.path());
        let mut asks = Command::new("py-spy");
        let asked = asks.args(["dump", "--pid", &python.pid().to_string()]).output();
        let said = asked.expect("it is installed by ./test").stderr;
        if String::from_utf8_lossy(&said).contains("ermission") {
            println!("not run: this host lets nobody look into a process");
            return;
        }
        // Of one that is still being loaded nothing is known.
        let dump = until("it to be in its loop", || {
            let dump = take(python.pid(), Runtime::Python, LONG).ok()?;
            dump.lines.iter().any(|line| line.contains("turns (<string>:")).then_some(dump)
        });
        assert_eq!(dump.of, "py-spy dump");
        assert!(python.lives());
    }
}
