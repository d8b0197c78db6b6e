//! What is known of the process that calls.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use zelador_api::spec::Environment;

/// The environment that a process was started with; empty where that cannot be read.
pub fn environment(pid: i32) -> Environment {
    let bytes = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let variable = |entry: &[u8]| {
        let text = String::from_utf8(entry.to_vec()).ok()?;
        let (name, value) = text.split_once('=')?;
        Some((name.to_owned(), value.to_owned()))
    };
    bytes.split(|byte| *byte == 0).filter_map(variable).collect()
}

/// The version of PM2 whose command line a process is; `None`: it is another program.
pub fn version(pid: i32) -> Option<String> {
    let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let words = line.split(|byte| *byte == 0).filter_map(|word| std::str::from_utf8(word).ok());
    // Behind Node and its options stands the script, as it was typed.
    let folder = PathBuf::from(format!("/proc/{pid}/cwd"));
    words.skip(1).find_map(|word| of_package(&folder.join(word)))
}

/// The version of the package `pm2` that a file belongs to.
fn of_package(file: &Path) -> Option<String> {
    let file = fs::canonicalize(file).ok()?;
    file.ancestors().skip(1).find_map(|folder| {
        let package = fs::read(folder.join("package.json")).ok()?;
        let package: Value = serde_json::from_slice(&package).ok()?;
        let is_pm2 = package["name"] == "pm2";
        package["version"].as_str().filter(|_| is_pm2).map(str::to_owned)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_that_of_the_package_the_program_lies_in() {
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("node_modules/pm2/bin");
        fs::create_dir_all(&bin).unwrap();
        fs::write(bin.join("pm2"), "").unwrap();
        let package = folder.path().join("node_modules/pm2/package.json");
        fs::write(&package, r#"{ "name": "pm2", "version": "6.0.8" }"#).unwrap();
        let link = folder.path().join("pm2");
        std::os::unix::fs::symlink(bin.join("pm2"), &link).unwrap();
        assert_eq!(of_package(&link).as_deref(), Some("6.0.8"));
        fs::write(&package, r#"{ "name": "mine", "version": "1.0.0" }"#).unwrap();
        assert_eq!(of_package(&link), None);
        assert!(environment(std::process::id() as i32).contains_key("PATH"));
    }
}
