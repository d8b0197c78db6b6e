//! What a process says over `NOTIFY_SOCKET` (`sd_notify(3)`).
//!
//! Pure: the bytes of a datagram go in, what they mean comes out. Always holds: foreign bytes never
//! panic, what is not known is passed over, and a text that is kept is short and printable.

use std::time::Duration;

/// One datagram.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notified {
    /// `READY=1`: up, or done with a reload.
    pub ready: bool,
    /// `RELOADING=1`.
    pub reloading: bool,
    /// `STOPPING=1`.
    pub stopping: bool,
    /// `WATCHDOG=1`: it is alive.
    pub alive: bool,
    /// `WATCHDOG=trigger`: it finds itself broken.
    pub broken: bool,
    /// `STATUS=…`, for people; empty: none any more.
    pub status: Option<String>,
    /// `MAINPID=…`.
    pub main_pid: Option<i32>,
    /// `EXTEND_TIMEOUT_USEC=…`: so much longer from now on.
    pub extend: Option<Duration>,
    /// `WATCHDOG_USEC=…`: how often it says that it is alive from now on.
    pub watchdog: Option<Duration>,
    /// `FDSTORE=1`: the descriptors beside it are to be kept, under this name (`FDNAME=…`).
    pub store: Option<String>,
    /// `FDSTOREREMOVE=1`: those of this name are not to be kept any more.
    pub unstore: Option<String>,
}

/// So many characters of a status are kept.
const STATUS_KEPT: usize = 200;

/// The longest name of a kept descriptor. systemd: 255.
const LONGEST_NAME: usize = 255;

/// The most that one message may ask for, so that a slip of the pen does not switch a limit off.
const LONGEST_SPAN: Duration = Duration::from_hours(1);

impl Notified {
    /// Returns what a datagram says.
    pub fn read(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let mut said = Self::default();
        let (mut store, mut unstore, mut name) = (false, false, "stored".to_owned());
        for (field, value) in text.lines().filter_map(|line| line.split_once('=')) {
            match field {
                "READY" => said.ready |= value == "1",
                "RELOADING" => said.reloading |= value == "1",
                "STOPPING" => said.stopping |= value == "1",
                "WATCHDOG" => {
                    said.alive |= value == "1";
                    said.broken |= value == "trigger";
                }
                "STATUS" => {
                    let plain = value.chars().filter(|c| !c.is_control()).take(STATUS_KEPT);
                    said.status = Some(plain.collect::<String>().trim().to_owned());
                }
                "MAINPID" => said.main_pid = value.parse().ok().filter(|pid| *pid > 1),
                "EXTEND_TIMEOUT_USEC" => said.extend = span(value),
                "WATCHDOG_USEC" => said.watchdog = span(value).filter(|span| !span.is_zero()),
                "FDSTORE" => store |= value == "1",
                "FDSTOREREMOVE" => unstore |= value == "1",
                "FDNAME" if is_name(value) => value.clone_into(&mut name),
                _ => {}
            }
        }
        said.store = store.then(|| name.clone());
        said.unstore = unstore.then_some(name);
        said
    }
}

fn span(micros: &str) -> Option<Duration> {
    Some(Duration::from_micros(micros.parse().ok()?).min(LONGEST_SPAN))
}

/// Names stand in `LISTEN_FDNAMES`, separated by colons.
pub fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_graphic() && c != ':' || c == ' ';
    (1..=LONGEST_NAME).contains(&name.len()) && name.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_programs_say_is_understood() {
        let said = Notified::read(b"READY=1\nSTATUS=serving \x1b[2J42 users\nMAINPID=77\nX=1\n");
        assert!(said.ready && !said.alive && !said.reloading);
        assert_eq!(said.status.as_deref(), Some("serving [2J42 users"));
        assert_eq!(said.main_pid, Some(77));
        let said = Notified::read(
            b"WATCHDOG=1\nWATCHDOG_USEC=2500000\nEXTEND_TIMEOUT_USEC=99999999999999",
        );
        assert_eq!((said.alive, said.watchdog), (true, Some(Duration::from_millis(2500))));
        assert_eq!(said.extend, Some(LONGEST_SPAN));
        let said = Notified::read(b"FDSTORE=1\nFDNAME=conn");
        assert_eq!(said.store.as_deref(), Some("conn"));
        let said = Notified::read(b"FDNAME=a:b\nFDSTOREREMOVE=1\nMAINPID=1\nMAINPID=-4");
        assert_eq!((said.unstore.as_deref(), said.main_pid), (Some("stored"), None));
    }

    proptest! {
        #[test]
        fn foreign_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..4_000)) {
            let said = Notified::read(&bytes);
            prop_assert!(said.status.is_none_or(|text| text.chars().count() <= STATUS_KEPT));
        }
    }
}
