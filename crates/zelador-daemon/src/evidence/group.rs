//! The control groups that a process is in, of either version, and how much of the processors they allow.

use std::fs;
use std::path::{Path, PathBuf};

/// The groups that hold a process (`None`: this one) for a controller, its own first; none where there are none.
pub(super) fn groups(pid: Option<i32>, controller: &str) -> Vec<PathBuf> {
    let process = pid.map_or_else(|| "self".to_owned(), |pid| pid.to_string());
    let said = fs::read_to_string(format!("/proc/{process}/cgroup")).unwrap_or_default();
    let folders: Vec<(PathBuf, &str)> = said
        .lines()
        .filter_map(|line| {
            let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
            let root = Path::new("/sys/fs/cgroup");
            let root = match controllers {
                "" => root.to_owned(),
                _ if controllers.split(',').any(|it| it == controller) => root.join(controller),
                _ => return None,
            };
            Some((root, path.trim_start_matches('/')))
        })
        .collect();
    // Beside groups of v1 there may be one of v2 without controllers.
    let Some((root, path)) = folders.iter().max_by_key(|(root, _)| root.ends_with(controller))
    else {
        return Vec::new();
    };
    let own = root.join(path);
    // Of a container only its own part is to be seen, at the root.
    let above = own.ancestors().take_while(|it| it.starts_with(root)).chain([root.as_path()]);
    above.map(Path::to_owned).collect()
}

/// How much of the processors a process may use, in percent of a core: the least of its groups.
pub(super) fn processors_of(pid: i32) -> Option<f64> {
    groups(Some(pid), "cpu").iter().filter_map(|group| quota(group)).min_by(f64::total_cmp)
}

/// `cpu.max` says `25000 100000` or `max 100000`, v1 says -1 for no limit.
fn quota(group: &Path) -> Option<f64> {
    let read = |name: &str| fs::read_to_string(group.join(name)).ok();
    let words = read("cpu.max").or_else(|| {
        Some(format!("{} {}", read("cpu.cfs_quota_us")?, read("cpu.cfs_period_us")?))
    })?;
    let mut words = words.split_ascii_whitespace().map(str::parse::<f64>);
    let (quota, period) = (words.next()?.ok()?, words.next()?.ok()?);
    (quota > 0.0 && period > 0.0).then(|| 100.0 * quota / period)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_of_both_versions_are_read_and_no_quota_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let of = |files: &[(&str, &str)]| {
            let group = tempfile::tempdir_in(folder.path()).unwrap().keep();
            files.iter().for_each(|(name, text)| fs::write(group.join(name), text).unwrap());
            quota(&group)
        };
        assert_eq!(of(&[("cpu.max", "25000 100000\n")]), Some(25.0));
        assert_eq!(of(&[("cpu.max", "max 100000\n")]), None);
        let old = |quota| of(&[("cpu.cfs_quota_us", quota), ("cpu.cfs_period_us", "50000\n")]);
        assert_eq!(old("75000\n"), Some(150.0));
        assert_eq!(old("-1\n"), None);
        assert_eq!(of(&[]), None);
    }
}
