//! What stands in the logs of a run that outlived its guardian and its engine.

use std::collections::BTreeSet;
use std::io::Write;

use rustix::fs::{Mode, OFlags};
use zelador_api::spot::Spot;

use super::sources::Label;

/// Its pipes were taken back: what waited in them follows.
const SHORT: &str = "zelador: guardian and engine were killed together: what was on its way from this run to its logs may be missing here\n";

/// Its pipes ended with those who held them.
const LASTING: &str = "zelador: guardian and engine were killed together: what this run writes from there on is lost, until it is restarted\n";

/// Says in the logs of a run that there is a gap, before anything else is written to them.
pub(super) fn note(label: &Label, has_pipes: bool) {
    let gap = if has_pipes { SHORT } else { LASTING };
    let files: BTreeSet<_> = label.out.iter().chain(&label.err).collect();
    for path in files {
        let flags = OFlags::WRONLY | OFlags::APPEND;
        let file = Spot::find(path).and_then(|spot| spot.open(flags, Mode::empty()));
        let noted = file.and_then(|mut file| file.write_all(gap.as_bytes()));
        if let Err(error) = noted {
            tracing::debug!(path = %path.display(), %error, "the gap in a log is not noted");
        }
    }
}
