//! Limits of whole process trees, held by controllers of cgroups: memory, processors, number of
//! processes.
//!
//! In cgroup v2 they are set on the run's own group, whose parents must hand the controllers down. On
//! a host whose controllers are still those of v1 each has a hierarchy of its own, where a group is
//! made for the run too. Always holds: what cannot be held is named, and costs the run nothing else.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use zelador_core::id::RunId;
use zelador_core::spec::Limits;
use zelador_core::words;
use zelador_core::words::Words;

use super::cgroup;
use crate::errno;
use crate::evidence::memory;

/// The period over which processors are dealt out, in microseconds: the kernel's default.
const PERIOD: u64 = 100_000;

/// The group into which zelador itself goes: one that hands controllers down may hold no process.
pub const SELF: &str = "zelador-self";

/// Where groups with limits are made.
#[derive(Debug, Default)]
pub struct Controllers {
    /// The place of all groups in cgroup v2, and the guardian.
    unified: Option<(PathBuf, i32)>,
    /// The place of all groups in the hierarchy of each controller of v1.
    own: BTreeMap<&'static str, PathBuf>,
}

/// The groups of one run that hold its limits.
#[derive(Debug, Default)]
pub struct Held {
    /// Each `cgroup.procs` that it must enter besides that of its v2 group.
    pub enter: Vec<OwnedFd>,
    /// The fields that nobody holds, each with why.
    pub not_held: Vec<Words>,
}

/// A field: its controller, and the file and value of v2 and of v1 (`None`: v1 has nothing like it).
struct Wanted {
    field: &'static str,
    controller: &'static str,
    unified: (&'static str, String),
    own: Option<Vec<(&'static str, String)>>,
}

fn wanted(limits: &Limits) -> Vec<Wanted> {
    let mut all = Vec::new();
    if let Some(high) = limits.memory_high {
        let unified = ("memory.high", high.bytes().to_string());
        all.push(Wanted { field: "memory_high", controller: "memory", unified, own: None });
    }
    if let Some(most) = limits.memory {
        let bytes = most.bytes().to_string();
        let own = Some(vec![("memory.limit_in_bytes", bytes.clone())]);
        let unified = ("memory.max", bytes);
        all.push(Wanted { field: "memory", controller: "memory", unified, own });
    }
    if let Some(thousandths) = limits.cpu {
        let quota = u64::from(thousandths) * PERIOD / 1000;
        let own = vec![
            ("cpu.cfs_period_us", PERIOD.to_string()),
            ("cpu.cfs_quota_us", quota.to_string()),
        ];
        let unified = ("cpu.max", format!("{quota} {PERIOD}"));
        all.push(Wanted { field: "cpu", controller: "cpu", unified, own: Some(own) });
    }
    if let Some(most) = limits.pids {
        let own = Some(vec![("pids.max", most.to_string())]);
        let unified = ("pids.max", most.to_string());
        all.push(Wanted { field: "pids", controller: "pids", unified, own });
    }
    all
}

impl Controllers {
    /// Looks for the controllers of this host; `unified` is the place of all groups in cgroup v2.
    pub fn find(guardian: i32, home: &Path, unified: Option<&Path>) -> Self {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let own = fs::read_to_string(format!("/proc/{guardian}/cgroup")).unwrap_or_default();
        let place =
            |controller| Some((controller, cgroup::folder_of(controller, &mounts, &own, home)?));
        Self {
            unified: unified.map(|folder| (folder.to_owned(), guardian)),
            own: ["memory", "cpu", "pids"].into_iter().filter_map(place).collect(),
        }
    }

    /// Limits the groups of a run before it enters them; `group` is its group in cgroup v2.
    pub fn hold(&self, run: RunId, limits: &Limits, group: Option<&Path>) -> Held {
        let mut held = Held::default();
        for wanted in wanted(limits) {
            if let Err(why) = self.hold_one(run, &wanted, group, &mut held.enter) {
                let field = wanted.field;
                held.not_held.push(words!(
                    "`{field}` is not held: {why}",
                    "`{field}` não é aplicado: {why}",
                    why = why,
                ));
            }
        }
        held
    }

    fn hold_one(
        &self,
        run: RunId,
        wanted: &Wanted,
        group: Option<&Path>,
        enter: &mut Vec<OwnedFd>,
    ) -> Result<(), Words> {
        let controller = wanted.controller;
        let mut why = words!(
            "this host has no cgroup controller `{controller}` for zelador",
            "este servidor não tem controlador de cgroup `{controller}` para o zelador",
        );
        if let (Some(group), Some((folder, guardian))) = (group, &self.unified) {
            let (file, value) = &wanted.unified;
            match hand_down(folder, *guardian, controller)
                .and_then(|()| write(&group.join(file), value))
            {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    why = words!(
                        "cgroup v2 refuses {file}: {said}",
                        "o cgroup v2 recusa {file}: {said}",
                        said = errno::said(&error),
                    );
                }
            }
        }
        let Some(place) = self.own.get(controller) else { return Err(why) };
        let Some(files) = &wanted.own else {
            let file = wanted.unified.0;
            return Err(words!(
                "cgroup v1, which this host has, knows no {file}",
                "o cgroup v1, que este servidor tem, não conhece {file}",
            ));
        };
        let group = place.join(run.to_string());
        let made = fs::create_dir_all(&group).and_then(|()| {
            files.iter().try_for_each(|(file, value)| write(&group.join(file), value))?;
            OpenOptions::new().write(true).open(group.join("cgroup.procs"))
        });
        match made {
            Ok(procs) => {
                enter.push(procs.into());
                Ok(())
            }
            Err(error) => Err(errno::said_of(group.display(), &error)),
        }
    }

    /// Whether the kernel has killed something of a run because its memory ran out; `None`: nobody
    /// has counted.
    pub fn out_of_memory(&self, run: RunId, group: Option<&Path>) -> Option<bool> {
        let unified = group.map(|group| group.join("memory.events"));
        let own = self.own.get("memory");
        let own = own.map(|place| place.join(run.to_string()).join("memory.oom_control"));
        [unified, own].into_iter().flatten().find_map(|path| {
            let text = fs::read_to_string(path).ok()?;
            let killed = text.lines().find_map(|line| line.strip_prefix("oom_kill "))?;
            Some(killed.trim() != "0")
        })
    }

    /// What is counted of a run's memory, in its group of either version.
    pub fn memory(&self, run: RunId, group: Option<&Path>) -> memory::Counted {
        let own = self.own.get("memory").map(|place| place.join(run.to_string()));
        let groups = group.map(Path::to_owned).into_iter().chain(own);
        groups
            .map(|group| memory::of_group(&group))
            .find(|it| *it != memory::Counted::default())
            .unwrap_or_default()
    }

    /// Removes the groups of a run, as far as they are empty.
    pub fn remove(&self, run: RunId) {
        for place in self.own.values() {
            cgroup::remove(&place.join(run.to_string()));
        }
    }

    /// Removes the groups of runs that nobody knows, as far as they are empty.
    pub fn tidy(&self, known: impl Fn(RunId) -> bool) {
        for place in self.own.values() {
            cgroup::tidy(place, &known);
        }
    }

    /// Removes the place of all groups.
    pub fn end(&self) {
        for place in self.own.values().filter(|place| place.exists()) {
            cgroup::remove(place);
        }
    }
}

/// Has the guardian's own group hand a controller down to the place of all groups, and that to the
/// groups in it.
fn hand_down(folder: &Path, guardian: i32, controller: &str) -> io::Result<()> {
    let word = format!("+{controller}");
    let is_there = |group: &Path| {
        let there = fs::read_to_string(group.join("cgroup.controllers")).unwrap_or_default();
        there.split_ascii_whitespace().any(|known| known == controller)
    };
    let parent = folder.parent().ok_or(io::ErrorKind::NotFound)?;
    if !is_there(parent) {
        return Err(io::ErrorKind::NotFound.into());
    }
    if !is_there(folder) {
        let control = parent.join("cgroup.subtree_control");
        if write(&control, &word).is_err() {
            make_room(parent, guardian)?;
            write(&control, &word)?;
        }
    }
    write(&folder.join("cgroup.subtree_control"), &word)
}

/// Moves guardian and engine out of their group, if nobody else is in it.
fn make_room(group: &Path, guardian: i32) -> io::Result<()> {
    let engine = i32::try_from(std::process::id()).unwrap_or_default();
    let listed = fs::read_to_string(group.join("cgroup.procs"))?;
    let mut others = listed.lines().filter_map(|line| line.parse::<i32>().ok());
    if others.any(|pid| pid != guardian && pid != engine) {
        return Err(io::Error::other(
            "other processes are in zelador's own group; in a unit with Delegate=yes there are none",
        ));
    }
    let own = group.join(SELF);
    fs::create_dir_all(&own)?;
    let procs = own.join("cgroup.procs");
    write(&procs, &guardian.to_string())?;
    write(&procs, &engine.to_string())
}

fn write(path: &Path, value: &str) -> io::Result<()> {
    // Never made: a file that is not there is a controller that is not there.
    let mut file = OpenOptions::new().write(true).open(path)?;
    io::Write::write_all(&mut file, value.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use zelador_core::unit::ByteSize;

    fn limits() -> Limits {
        Limits {
            memory: Some(ByteSize::mebibytes(64)),
            memory_high: Some(ByteSize::mebibytes(48)),
            cpu: Some(1500),
            pids: Some(20),
            ..Limits::default()
        }
    }

    #[test]
    fn controllers_of_v2_are_handed_down_and_the_groups_own_files_say_the_limits() {
        let root = tempfile::tempdir().unwrap();
        let (folder, group) = (root.path().join("zelador-1"), root.path().join("zelador-1/7"));
        fs::create_dir_all(&group).unwrap();
        for place in [root.path(), &folder] {
            fs::write(place.join("cgroup.controllers"), "cpu memory pids\n").unwrap();
            fs::write(place.join("cgroup.subtree_control"), "").unwrap();
        }
        for file in ["memory.max", "memory.high", "cpu.max", "pids.max"] {
            fs::write(group.join(file), "").unwrap();
        }
        let controllers = Controllers { unified: Some((folder.clone(), 1)), own: BTreeMap::new() };
        let held = controllers.hold(RunId::new(7), &limits(), Some(&group));
        assert_eq!((held.enter.len(), held.not_held), (0, Vec::<Words>::new()));
        let said = |file: &str| fs::read_to_string(group.join(file)).unwrap();
        assert_eq!(said("memory.max"), "67108864");
        assert_eq!(said("memory.high"), "50331648");
        assert_eq!(said("cpu.max"), "150000 100000");
        assert_eq!(said("pids.max"), "20");
        fs::write(group.join("memory.events"), "low 0\nmax 3\noom 1\noom_kill 1\n").unwrap();
        assert_eq!(controllers.out_of_memory(RunId::new(7), Some(&group)), Some(true));
        fs::write(group.join("memory.events"), "low 0\nmax 3\noom 1\noom_kill 0\n").unwrap();
        assert_eq!(controllers.out_of_memory(RunId::new(7), Some(&group)), Some(false));
    }

    #[test]
    fn what_nobody_holds_is_named() {
        let held = Controllers::default().hold(RunId::new(7), &limits(), None);
        assert_eq!(held.not_held.len(), 4);
        assert_eq!(
            held.not_held[3],
            "`pids` is not held: this host has no cgroup controller `pids` for zelador"
        );
    }
}
