//! Going over to another executable.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use zelador_guardian::message::ToGuardian;

use super::Native;
use crate::{RESURRECT_FLAG, TABLE_FLAG};

impl Native {
    /// Has the guardian become this executable when this engine has ended. One that begins with the
    /// host goes on as such.
    pub fn upgrade(&mut self, program: &Path) {
        let words = std::fs::read(format!("/proc/{}/cmdline", self.guardian_pid));
        let words = words.unwrap_or_default();
        let is_service =
            words.split(|byte| *byte == 0).any(|word| word == RESURRECT_FLAG.as_bytes());
        let argv = [program.as_os_str().as_bytes(), b"guardian"].into_iter();
        let argv = argv
            .chain(is_service.then_some(RESURRECT_FLAG.as_bytes()))
            .map(<[u8]>::to_vec)
            .collect();
        self.link.send(ToGuardian::Upgrade { argv, table_flag: TABLE_FLAG.into() });
        self.link.flush_blocking();
    }
}
