//! What is read where the newest saved list is no good.

#![allow(clippy::unwrap_used, reason = "a test ends at the first thing that fails")]

use std::fs;

use zelador_api::saved::{generation, read};

#[test]
fn the_newest_whole_file_is_taken_and_what_is_wrong_with_the_others_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dump.json");
    let refused = |holds: &str| {
        let said = read(&path).unwrap_err().to_string();
        assert!(said.contains(holds), "{said}");
    };
    refused("no list was saved");
    fs::write(&path, "{ \"version\": 1, \"at\": 5, \"ap").unwrap();
    refused("dump.json is broken: EOF");
    fs::write(&path, r#"{ "version": 2, "anything": true }"#).unwrap();
    refused("has layout 2, this zelador reads 1");
    fs::write(generation(&path, 1), "").unwrap();
    refused("dump.json.1 is broken: EOF");
    fs::write(generation(&path, 3), r#"{ "version": 1, "at": 5, "apps": [] }"#).unwrap();
    let found = read(&path).unwrap();
    assert_eq!((found.saved.at.as_micros(), found.path), (5, generation(&path, 3)));
    assert_eq!(found.instead_of.len(), 2, "{:?}", found.instead_of);
    fs::remove_file(&path).unwrap();
    assert!(read(&path).unwrap().instead_of[0].ends_with("dump.json is missing"));
    fs::write(&path, r#"{ "version": 1, "at": 7, "apps": [] }"#).unwrap();
    let found = read(&path).unwrap();
    assert_eq!((found.saved.at.as_micros(), found.instead_of.as_slice()), (7, [].as_slice()));
}
