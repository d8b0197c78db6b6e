//! A file system whose server is gone holds up whoever enters it, and nobody else.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;
use zelador_testbed::home::{kill, until};

use crate::zelador;

/// Mounts a file system of which nothing is ever answered, until its input ends.
const SILENT: &str = r"
import ctypes, os, struct, sys
folder = sys.argv[1].encode()
device = os.open('/dev/fuse', os.O_RDWR)
libc = ctypes.CDLL(None, use_errno=True)
options = f'fd={device},rootmode=40000,user_id=0,group_id=0,allow_other'.encode()
if libc.mount(b'silent', folder, b'fuse', 0, options):
    sys.exit(os.strerror(ctypes.get_errno()))
asked = os.read(device, 1 << 20)
unique = struct.unpack_from('<Q', asked, 8)[0]
# FUSE_INIT, version 7.31.
init = struct.pack('<IIIIHHIIHHI28x', 7, 31, 0, 0, 12, 9, 4096, 1, 0, 0, 0)
os.write(device, struct.pack('<IiQ', 16 + len(init), 0, unique) + init)
print('mounted', flush=True)
sys.stdin.read()
libc.umount2(folder, 2)
";

struct Silent(Child);

impl Silent {
    /// `None`: nothing can be mounted here, and it was said why.
    fn over(folder: &Path) -> Option<Self> {
        let mut mount = Command::new("python3");
        mount.args(["-c", SILENT]).arg(folder).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = mount.spawn().unwrap();
        let mut said = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
        let silent = Self(child);
        if said != "mounted\n" {
            eprintln!("skipped, nothing can be mounted here");
            return None;
        }
        Some(silent)
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        _ = self.0.wait();
    }
}

#[test]
fn a_mount_that_does_not_answer_holds_up_only_what_lives_on_it() {
    let zelador = zelador();
    let far = zelador.app().join("far");
    std::fs::create_dir(&far).unwrap();
    zelador.start(&format!(
        "{{ name: 'far', script: '/bin/sleep', args: '1000', interpreter: 'none', cwd: '{0}' }},
         {{ name: 'says', script: 'sleep', args: '1000', out_file: '{0}/out.log' }},
         {{ name: 'near', script: 'sleep', args: '1000' }}",
        far.display()
    ));
    let roles = zelador.roles();
    let Some(silent) = Silent::over(&far) else { return };
    for app in ["far", "says"] {
        kill(zelador.pid(app), Signal::KILL);
        until("it to be told why it cannot be started", || {
            zelador.ok(&["show", app]).out.contains("did not answer within 2 s")
        });
    }
    for _ in 0..3 {
        let near = zelador.pid("near");
        kill(near, Signal::KILL);
        until("the other to be up again", || ![0, near].contains(&zelador.pid("near")));
    }
    zelador.ok(&["restart", "near"]);
    assert_eq!(zelador.roles(), roles);
    drop(silent);
    until("both to be up again", || {
        ["far", "says"].into_iter().all(|app| zelador.status(app) == "online")
    });
    assert_eq!(zelador.roles(), roles);
}
