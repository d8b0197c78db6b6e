//! Which version of Node runs an app: read from where the program lies, without starting it.
//!
//! Version managers keep Node in a folder with the version in its name; what is installed otherwise
//! has its headers beside it. Each program is looked at once.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use zelador_api::AppView;

/// The versions of the programs that were looked at.
#[derive(Default)]
pub struct NodeVersions(BTreeMap<PathBuf, Option<String>>);

impl NodeVersions {
    /// Returns the version, like `20.20.2`; `None`: it is not Node, it is not up, or nobody tells.
    pub fn of_app(&mut self, app: &AppView) -> Option<String> {
        let interpreter = app.spec.launch.interpreter.as_deref()?;
        let name = Path::new(interpreter).file_name()?.to_str()?;
        if name != "node" && !name.starts_with("node@") {
            return None;
        }
        let program = fs::read_link(format!("/proc/{}/exe", app.instance.pid?)).ok()?;
        self.0.entry(program).or_insert_with_key(|program| version(program)).clone()
    }
}

fn version(program: &Path) -> Option<String> {
    let mut folders = program.components().rev();
    let named = folders.find_map(|part| numbered(part.as_os_str().to_str()?));
    named.or_else(|| {
        let header = program.parent()?.parent()?.join("include/node/node_version.h");
        from_header(&fs::read_to_string(header).ok()?)
    })
}

/// A folder that is named for a version: `v20.11.0`, `20.11.0`.
fn numbered(name: &str) -> Option<String> {
    let name = name.strip_prefix('v').unwrap_or(name);
    let parts: Vec<&str> = name.split('.').collect();
    let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|it| it.is_ascii_digit());
    (parts.len() == 3 && parts.iter().all(is_number)).then(|| name.to_owned())
}

fn from_header(header: &str) -> Option<String> {
    let number = |what: &str| {
        let line = header.lines().find(|line| line.contains(what))?;
        line.split_whitespace().last()?.parse::<u32>().ok()
    };
    let (major, minor) = (number("NODE_MAJOR_VERSION ")?, number("NODE_MINOR_VERSION ")?);
    Some(format!("{major}.{minor}.{}", number("NODE_PATCH_VERSION ")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_in_the_folder_or_beside_the_program() {
        let nvm = Path::new("/home/ana/.nvm/versions/node/v18.20.4/bin/node");
        assert_eq!(version(nvm).as_deref(), Some("18.20.4"));
        assert_eq!(version(Path::new("/nowhere/bin/node")), None);
        let folder = tempfile::tempdir().unwrap();
        let include = folder.path().join("include/node");
        fs::create_dir_all(&include).unwrap();
        let header = "#define NODE_MAJOR_VERSION 22\n#define NODE_MINOR_VERSION 3\n\
                      #define NODE_PATCH_VERSION 1\n";
        fs::write(include.join("node_version.h"), header).unwrap();
        assert_eq!(version(&folder.path().join("bin/node")).as_deref(), Some("22.3.1"));
    }
}
