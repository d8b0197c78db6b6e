//! Where the output of an app goes.

use std::path::{Path, PathBuf};

use super::node::Value;
use super::place::{Block, Place};
use crate::spec::{LogFormat, LogSpec, LogTarget};
use crate::watch::absolute;

/// What `time: true` means: PM2.
const TIME_FORMAT: &str = "YYYY-MM-DDTHH:mm:ss";

/// Returns where the output of the app goes; relative paths begin at `cwd`. `combined` is the file
/// that gets both streams where none is named (`log_file: true`).
pub(super) fn check(app: &Block<'_>, cwd: &Path, combined: &Path) -> LogSpec {
    let flag = |name: &str| app.get(name).and_then(Place::flag);
    let stream = |name: &str| {
        app.get(name).and_then(|place| target(place, cwd)).unwrap_or(LogTarget::Default)
    };
    let (out, err) = (stream("out_file"), stream("error_file"));
    let combined: Option<PathBuf> = app.get("log_file").and_then(|place| {
        if matches!(place.node.value, Value::Bool(true)) {
            return Some(combined.to_owned());
        }
        match target(place, cwd)? {
            LogTarget::File(path) => Some(path),
            LogTarget::Default | LogTarget::Off | LogTarget::Inherit => None,
        }
    });
    let given = app.get("log_date_format").filter(|place| !place.is_false());
    let given = given.filter(|place| place.node.value != Value::Text(String::new()));
    let date_format = given.and_then(Place::text);
    let time = flag("time").unwrap_or(false).then(|| TIME_FORMAT.to_owned());
    let merge = flag("merge_logs").unwrap_or_else(|| shares_files(app));
    let format = app.get("log_type").and_then(format).unwrap_or_default();
    let date_format = date_format.or(time);
    let spec = LogSpec { out, err, combined, date_format, format, merge };
    if flag("disable_logs").unwrap_or(false) {
        return LogSpec { out: LogTarget::Off, err: LogTarget::Off, combined: None, ..spec };
    }
    spec
}

/// PM2 shares the files in fork mode when `instances` is not set; one instance needs no number
/// either.
fn shares_files(app: &Block<'_>) -> bool {
    let one = |place: &Place<'_>| {
        place.number().is_some_and(|number| number.to_bits() == 1.0_f64.to_bits())
    };
    app.get("instances").is_none_or(one)
}

fn format(place: &Place<'_>) -> Option<LogFormat> {
    match &place.node.value {
        Value::Text(text) if text == "json" => Some(LogFormat::Json),
        Value::Text(text) if matches!(text.as_str(), "raw" | "") => Some(LogFormat::Raw),
        Value::Bool(false) => Some(LogFormat::Raw),
        _ => place.refuse("`json` or `raw`"),
    }
}

fn target(place: &Place<'_>, cwd: &Path) -> Option<LogTarget> {
    const ALLOWED: &str = "the path of a file, or `/dev/null`";
    if place.is_false() {
        return Some(LogTarget::Off);
    }
    let Value::Text(text) = &place.node.value else { return place.refuse(ALLOWED) };
    match text.trim() {
        "NULL" | "null" | "/dev/null" => Some(LogTarget::Off),
        "" => place.refuse(ALLOWED),
        _ => Some(LogTarget::File(absolute(cwd, &place.without_nul(text)?))),
    }
}
