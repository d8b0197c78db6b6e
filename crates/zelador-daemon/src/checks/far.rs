//! Whether a file system answers that belongs to a server or to another program.

use std::path::PathBuf;
use std::time::Duration;

use zelador_core::words::Words;

use super::aside::{NotDone, aside};
use super::patience::Patience;
use super::said;
use crate::errno;

/// Longer than a network takes, and shorter than a person waits.
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);

/// Asks the file system that is mounted there for its room: the server has to answer that.
///
/// # Errors
/// It does not, or says no; the text says which.
pub async fn answers(point: PathBuf) -> Result<(), Words> {
    let shown = point.display().to_string();
    let patience = Patience::new(ANSWERS_WITHIN);
    let asked = aside(format!("mount {shown}"), patience, move || rustix::fs::statfs(&point)).await;
    match asked {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(errno::said_of(shown, &error.into())),
        Err(NotDone::Failed(why)) => Err(why),
        Err(NotDone::Late | NotDone::StillBusy) => Err(said::silent_file_system(&shown, patience)),
    }
}
