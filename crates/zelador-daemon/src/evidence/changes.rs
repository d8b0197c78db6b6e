//! What changed in the folder of an app since a moment: its script, what it is built of, its settings, its revision.
//!
//! Bounded: the folder itself and the usual folders of sources, no deeper; names and ages only, no content.

use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use zelador_core::effect::Place;
use zelador_core::unit::Moment;
use zelador_core::words;
use zelador_core::words::Words;

/// Folders in which sources or what is built of them lies, besides the app's own.
const FOLDERS: [&str; 9] = ["", "src", "lib", "dist", "build", "app", "bin", "config", "target"];

/// Endings of what a program is made of; an app's own data and logs are none of them.
const ENDINGS: [&str; 32] = [
    "js",
    "mjs",
    "cjs",
    "ts",
    "tsx",
    "jsx",
    "py",
    "rb",
    "php",
    "go",
    "rs",
    "java",
    "jar",
    "war",
    "kt",
    "ex",
    "exs",
    "cs",
    "dll",
    "so",
    "json",
    "jsonc",
    "toml",
    "yaml",
    "yml",
    "conf",
    "cfg",
    "ini",
    "xml",
    "properties",
    "lock",
    "node",
];

/// Names that tell the same without such an ending.
const NAMES: [&str; 9] = [
    ".env",
    "bun.lockb",
    "go.sum",
    "go.mod",
    "Gemfile",
    "Pipfile",
    "Procfile",
    "Dockerfile",
    "requirements.txt",
];

/// How many files are looked at.
const LOOKED_AT: usize = 1000;

/// How many are named.
const NAMED: usize = 6;

/// How far above the app's folder its repository may begin.
const ABOVE: usize = 8;

/// How much of the end of git's own log is read.
const LOG: u64 = 16 << 10;

/// Returns what changed, in words.
pub(super) fn of(place: &Place, now: Moment) -> Vec<Words> {
    place.good_since.map_or_else(Vec::new, |since| look(place, since, now))
}

fn look(place: &Place, since: Moment, now: Moment) -> Vec<Words> {
    let mut said: Vec<Words> = revision(&place.folder, since, now).into_iter().collect();
    let mut files = changed(place, since);
    files.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    let more = files.len().saturating_sub(NAMED);
    let named = files.iter().take(NAMED).map(|(at, path)| {
        let shown = path.strip_prefix(&place.folder).unwrap_or(path).display();
        words!("{shown} ({t} ago)", "{shown} (há {t})", t = now.since(*at))
    });
    let named: Vec<Words> = named.collect();
    if !named.is_empty() {
        let more = (more > 0).then(|| words!(" and {more} more", " e mais {more}"));
        said.push(words!(
            "changed files: {named}{more}",
            "arquivos alterados: {named}{more}",
            named = Words::joined(&named, ", "),
            more = more,
        ));
    }
    said
}

/// The files of the app that were written later than the moment.
fn changed(place: &Place, since: Moment) -> Vec<(Moment, PathBuf)> {
    let mut paths = vec![place.script.clone(), place.folder.join("node_modules")];
    for folder in FOLDERS {
        let entries = fs::read_dir(place.folder.join(folder)).into_iter().flatten().flatten();
        let own = entries.map(|entry| entry.path()).filter(|path| is_source(path));
        paths.extend(own.take(LOOKED_AT.saturating_sub(paths.len())));
    }
    paths.sort();
    paths.dedup();
    let written = |path: PathBuf| {
        let at = fs::metadata(&path).and_then(|known| known.modified()).ok()?;
        let at = Moment::from_epoch(at.duration_since(UNIX_EPOCH).ok()?);
        (at > since).then_some((at, path))
    };
    paths.into_iter().filter_map(written).collect()
}

fn is_source(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    ENDINGS.contains(&ending) || NAMES.contains(&name) || name.starts_with(".env.")
}

/// `git: revision 1a2b3c4 since 5 min, before: 9f8e7d6`, from git's own log of where `HEAD` was.
fn revision(folder: &Path, since: Moment, now: Moment) -> Option<Words> {
    let log = folder
        .ancestors()
        .take(ABOVE)
        .map(|it| it.join(".git/logs/HEAD"))
        .find(|it| it.is_file())?;
    let mut file = fs::File::open(log).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LOG))).ok()?;
    let mut text = Vec::new();
    file.take(LOG).read_to_end(&mut text).ok()?;
    moved(&String::from_utf8_lossy(&text), since, now)
}

/// A line is `old new Name <mail> seconds zone<TAB>what was done`.
fn moved(log: &str, since: Moment, now: Moment) -> Option<Words> {
    let moves: Vec<(&str, &str, Moment)> = log
        .lines()
        .filter_map(|line| {
            let (head, _) = line.split_once('\t')?;
            let mut words = head.split(' ');
            let (old, new) = (words.next()?, words.next()?);
            let seconds: u64 = words.rev().nth(1)?.parse().ok()?;
            let at = Moment::from_epoch(Duration::from_secs(seconds));
            (at > since && old != new).then_some((old, new, at))
        })
        .collect();
    let (first, last) = (moves.first()?, moves.last()?);
    let short = |id: &str| id.chars().take(7).collect::<String>();
    let (old, new) = (short(first.0), short(last.1));
    Some(words!(
        "git: revision {new} since {age}, before: {old}",
        "git: revisão {new} há {age}, antes: {old}",
        age = now.since(last.2),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn what_was_written_since_is_named_and_data_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str| fs::write(folder.path().join(name), "x").unwrap();
        ["app.js", "package-lock.json", "data.sqlite", "app.log"].into_iter().for_each(write);
        let script = folder.path().join("app.js");
        let now = Moment::from_epoch(UNIX_EPOCH.elapsed().unwrap());
        let place = |since| Place {
            folder: folder.path().to_owned(),
            script: script.clone(),
            good_since: Some(since),
        };
        let said = of(&place(now - Duration::from_mins(1)), now);
        let [files] = &said[..] else { panic!("{said:?}") };
        assert!(
            files.english().contains("app.js") && files.english().contains("package-lock.json"),
            "{files}"
        );
        assert!(
            !files.english().contains("sqlite") && !files.english().contains("log ("),
            "{files}"
        );
        assert_eq!(of(&place(now + Duration::from_mins(1)), now), Vec::<Words>::new());
    }

    #[test]
    fn a_deployed_revision_is_told_with_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let git = |args: &[&str]| {
            let who = ["-c", "user.name=n", "-c", "user.email=e@x"];
            let done = Command::new("git").args(who).args(args).current_dir(folder.path()).output();
            let done = done.expect("git is installed");
            assert!(done.status.success(), "{done:?}");
            String::from_utf8(done.stdout).unwrap().trim().to_owned()
        };
        git(&["init", "-q"]);
        git(&["commit", "-q", "--allow-empty", "-m", "one"]);
        let first = git(&["rev-parse", "HEAD"]);
        git(&["commit", "-q", "--allow-empty", "-m", "two"]);
        let second = git(&["rev-parse", "HEAD"]);
        let log = fs::read_to_string(folder.path().join(".git/logs/HEAD")).unwrap();
        let two = log.lines().last().unwrap();
        let now = Moment::from_epoch(UNIX_EPOCH.elapsed().unwrap());
        let said = moved(two, now - Duration::from_hours(1), now).unwrap();
        assert!(
            said.english().contains(&second[..7]) && said.english().contains(&first[..7]),
            "{said}"
        );
        let inside = folder.path().join("deep/er");
        fs::create_dir_all(&inside).unwrap();
        assert!(revision(&inside, now - Duration::from_hours(1), now).is_some());
        assert_eq!(revision(&inside, now + Duration::from_hours(1), now), None);
    }
}
