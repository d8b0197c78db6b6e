//! Runs a child process that answers on its standard output, for a limited time.

use std::io::{self, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// The longest answer that is read, in bytes.
const LONGEST: u64 = 64 << 20;
/// How long a child may take to end after it has answered.
const FAREWELL: Duration = Duration::from_millis(200);

/// What a child process left.
pub(crate) enum Left {
    /// It wrote this, and ended or was ended.
    Output(Vec<u8>),
    /// It did not end in time and was killed.
    TooSlow,
}

/// Runs `command` with `input` on its standard input; it is killed after `limit`.
pub(crate) fn run(command: &mut Command, input: &[u8], limit: Duration) -> io::Result<Left> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let end = Instant::now() + limit;
    if let Some(mut stdin) = stdin {
        let input = input.to_vec();
        // A child that ends without reading breaks the pipe; its answer says why.
        thread::spawn(move || stdin.write_all(&input).ok());
    }
    let (sender, receiver) = mpsc::sync_channel(1);
    if let Some(stdout) = stdout {
        thread::spawn(move || {
            let mut output = Vec::new();
            let read = stdout.take(LONGEST).read_to_end(&mut output);
            sender.send(read.map(|_| output)).ok()
        });
    }
    let answer = receiver.recv_timeout(end.saturating_duration_since(Instant::now()));
    if answer.is_ok() {
        wait(&mut child, FAREWELL);
    }
    // Without effect on a child that has ended: it is not waited for before this.
    child.kill().ok();
    child.wait()?;
    match answer {
        Ok(output) => output.map(Left::Output),
        Err(mpsc::RecvTimeoutError::Timeout) => Ok(Left::TooSlow),
        Err(mpsc::RecvTimeoutError::Disconnected) => Ok(Left::Output(Vec::new())),
    }
}

fn wait(child: &mut Child, limit: Duration) {
    let end = Instant::now() + limit;
    while matches!(child.try_wait(), Ok(None)) && Instant::now() < end {
        thread::sleep(Duration::from_millis(2));
    }
}
