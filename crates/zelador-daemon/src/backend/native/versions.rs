//! Versions of Node that version managers have installed: what `node@20` means.

use std::fs;
use std::path::{Path, PathBuf};

use zelador_core::death::SpawnFailure;
use zelador_core::spec::Environment;
use zelador_core::words;
use zelador_core::words::quoted;

/// Where managers keep their versions: the variable that names their folder, that folder below the home,
/// the versions in it, and the folder of programs in one of those.
const MANAGERS: [(&str, &str, &str, &str); 6] = [
    ("NVM_DIR", ".nvm", "versions/node", "bin"),
    ("FNM_DIR", ".local/share/fnm", "node-versions", "installation/bin"),
    ("VOLTA_HOME", ".volta", "tools/image/node", "bin"),
    ("MISE_DATA_DIR", ".local/share/mise", "installs/node", "bin"),
    ("ASDF_DATA_DIR", ".asdf", "installs/nodejs", "bin"),
    ("N_PREFIX", "/usr/local", "n/versions/node", "bin"),
];

/// Major, minor, patch.
type Version = (u32, u32, u32);

/// Returns the folder of the programs of a version: the newest of those that `wanted` (`20`, `20.11`,
/// `20.11.1`, `latest`) stands for.
pub(super) fn node(wanted: &str, env: &Environment) -> Result<PathBuf, SpawnFailure> {
    let home = env.get("HOME").map_or("/root", String::as_str);
    let mut all: Vec<(Version, PathBuf)> = Vec::new();
    for (variable, usual, versions, programs) in MANAGERS {
        let base = env.get(variable).map_or_else(|| Path::new(home).join(usual), PathBuf::from);
        let entries = fs::read_dir(base.join(versions)).into_iter().flatten().flatten();
        all.extend(entries.filter_map(|entry| {
            let version = parse(entry.file_name().to_str()?)?;
            let programs = entry.path().join(programs);
            programs.join("node").is_file().then_some((version, programs))
        }));
    }
    all.sort_by_key(|(version, _)| *version);
    let fits = |(version, _): &&(Version, PathBuf)| is_meant(wanted, *version);
    match all.iter().rev().find(fits) {
        Some((_, programs)) => Ok(programs.clone()),
        None => {
            let mut found: Vec<String> = all
                .iter()
                .map(|((major, minor, patch), _)| format!("{major}.{minor}.{patch}"))
                .collect();
            found.dedup();
            let found = match found.as_slice() {
                [] => words!("none", "nenhuma"),
                found => quoted(found.join(", ")),
            };
            Err(SpawnFailure::NoSuchVersion { wanted: format!("node@{wanted}"), found })
        }
    }
}

fn parse(name: &str) -> Option<Version> {
    let mut parts = name.strip_prefix('v').unwrap_or(name).split('.').map(str::parse);
    let version = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
    parts.next().is_none().then_some(version)
}

fn is_meant(wanted: &str, (major, minor, patch): Version) -> bool {
    let has = [major, minor, patch];
    let parts = || wanted.split('.').map(|part| part.parse::<u32>().ok());
    wanted == "latest" || parts().zip(has).all(|(wanted, has)| wanted == Some(has))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_that_is_meant_is_found() {
        let home = tempfile::tempdir().unwrap();
        for version in [
            ".nvm/versions/node/v20.9.0/bin",
            ".nvm/versions/node/v20.11.1/bin",
            ".nvm/versions/node/v22.0.0-rc.1/bin",
            ".local/share/fnm/node-versions/v18.20.0/installation/bin",
            "elsewhere/tools/image/node/20.10.0/bin",
        ] {
            let programs = home.path().join(version);
            fs::create_dir_all(&programs).unwrap();
            fs::write(programs.join("node"), "").unwrap();
        }
        fs::create_dir_all(home.path().join(".nvm/versions/node/v21.0.0/bin")).unwrap();
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let env = Environment::from([
            ("HOME".to_owned(), text(home.path())),
            ("VOLTA_HOME".to_owned(), text(&home.path().join("elsewhere"))),
            ("N_PREFIX".to_owned(), text(home.path())),
        ]);
        for (wanted, expected) in [
            ("20", ".nvm/versions/node/v20.11.1/bin"),
            ("20.9", ".nvm/versions/node/v20.9.0/bin"),
            ("20.10.0", "elsewhere/tools/image/node/20.10.0/bin"),
            ("18", ".local/share/fnm/node-versions/v18.20.0/installation/bin"),
            ("latest", ".nvm/versions/node/v20.11.1/bin"),
        ] {
            assert_eq!(node(wanted, &env), Ok(home.path().join(expected)), "{wanted}");
        }
        for missing in ["2", "21", "20.12", "20.11.10"] {
            let said = node(missing, &env).unwrap_err().to_string();
            assert!(said.contains("18.20.0, 20.9.0, 20.10.0, 20.11.1"), "{said}");
        }
    }
}
