//! What stands in the logs of a run that outlived its guardian and its engine.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use zelador_api::spot::Spot;

use super::sources::Label;
use crate::logs::own_json;

/// Its pipes were taken back: what waited in them follows.
const SHORT: &str = "guardian and engine were killed together: what was on its way from this run to its logs may be missing here";

/// Its pipes ended with those who held them.
const LASTING: &str = "guardian and engine were killed together: what this run writes from there on is lost, until it is restarted";

/// Says in the logs of a run that there is a gap, before anything else is written to them.
pub(super) fn note(label: &Label, has_pipes: bool) {
    let gap = if has_pipes { SHORT } else { LASTING };
    let mut line = Vec::new();
    if label.json.is_some() {
        own_json(gap, &mut line);
    } else {
        line.extend(format!("zelador: {gap}\n").into_bytes());
    }
    let files: BTreeSet<_> = label.out.iter().chain(&label.err).collect();
    for path in files {
        if let Err(error) = append(path, &line) {
            tracing::debug!(path = %path.display(), %error, "the gap in a log is not noted");
        }
    }
}

/// Appends to a log that is there.
fn append(path: &Path, line: &[u8]) -> std::io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::APPEND;
    Spot::find(path)?.open(flags, Mode::empty())?.write_all(line)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_gap_is_noted_once_in_each_log_in_the_way_of_its_lines() {
        let folder = tempfile::tempdir().unwrap();
        let [both, err] = ["both.log", "err.log"].map(|name| folder.path().join(name));
        for file in [&both, &err] {
            fs::write(file, "before\n").unwrap();
        }
        let files = || Label {
            out: vec![both.clone()],
            err: vec![both.clone(), err.clone()],
            ..Label::default()
        };
        note(&files(), true);
        let plain = format!("before\nzelador: {SHORT}\n");
        assert_eq!(fs::read_to_string(&both).unwrap(), plain);
        assert_eq!(fs::read_to_string(&err).unwrap(), plain);

        note(&Label { json: Some(("api".to_owned(), 0)), ..files() }, false);
        let text = fs::read_to_string(&err).unwrap();
        let line = text.strip_prefix(&plain).expect("what was there stays");
        let line: serde_json::Value = serde_json::from_str(line).expect("one line of JSON");
        assert_eq!(
            (line["message"].as_str(), line["app_name"].as_str()),
            (Some(LASTING), Some("zelador"))
        );
    }

    #[test]
    fn a_log_that_is_gone_is_not_made_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let gone = folder.path().join("gone.log");
        note(&Label { out: vec![gone.clone()], ..Label::default() }, true);
        assert!(!gone.exists());
    }
}
