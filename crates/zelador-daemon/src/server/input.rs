//! What is written to the standard input of instances, on the control socket.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::StatusCode;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use tokio::sync::oneshot;
use zelador_api::StandardInput;

use super::asker::Asker;
use super::json::Json;
use super::{Failure, Handle};
use crate::driver::Message;

/// How long a service may take to read what is written. Its pipe takes 64 KiB at once: only one that
/// does not read its input at all comes to this.
const READS_WITHIN: Duration = Duration::from_secs(2);

/// Writes to the standard input of an instance.
pub(super) async fn write(
    State(handle): State<Handle>,
    asker: Asker,
    Json(wish): Json<StandardInput>,
) -> Result<Json<()>, Failure> {
    let target = wish.instance.to_string();
    handle.noted(&asker, "input", target, hand_over(&handle, wish)).await
}

async fn hand_over(handle: &Handle, wish: StandardInput) -> Result<Json<()>, Failure> {
    let (sender, answer) = oneshot::channel();
    let message = Message::StandardInput(wish.instance, sender);
    handle.inbox.send(message).await.map_err(|_| Failure::ending())?;
    let input = answer.await.map_err(|_| Failure::ending())?;
    let input = input.map_err(|why| Failure::new(StatusCode::CONFLICT, why.to_string()))?;
    let written = tokio::task::spawn_blocking(move || write_all(&input, &wish.bytes)).await;
    match written {
        Ok(Ok(())) => Ok(Json(())),
        Ok(Err(why)) => Err(Failure::new(StatusCode::CONFLICT, why)),
        Err(error) => Err(Failure::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())),
    }
}

/// Writes everything, or says why not. Always returns within [`READS_WITHIN`].
fn write_all(input: &OwnedFd, bytes: &[u8]) -> Result<(), String> {
    let until = Instant::now() + READS_WITHIN;
    let mut left = bytes;
    while !left.is_empty() {
        match rustix::io::write(input, left) {
            Ok(count) => left = &left[count..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                let patience = until.saturating_duration_since(Instant::now());
                if patience.is_zero() || !has_room(input, patience)? {
                    let taken = bytes.len() - left.len();
                    return Err(format!(
                        "it does not read its standard input: {taken} of {} bytes went in",
                        bytes.len()
                    ));
                }
            }
            Err(Errno::PIPE) => return Err("it has closed its standard input".to_owned()),
            Err(errno) => return Err(failed(errno)),
        }
    }
    Ok(())
}

/// Waits until a pipe takes something again.
fn has_room(input: &OwnedFd, patience: Duration) -> Result<bool, String> {
    let patience = Timespec::try_from(patience).map_err(|error| error.to_string())?;
    match poll(&mut [PollFd::new(input, PollFlags::OUT)], Some(&patience)) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::INTR) => Ok(true),
        Err(errno) => Err(failed(errno)),
    }
}

fn failed(errno: Errno) -> String {
    format!("its standard input cannot be written: {}", io::Error::from(errno))
}

#[cfg(test)]
mod tests {
    use rustix::pipe::{PipeFlags, pipe_with};

    use super::*;

    #[test]
    fn what_does_not_go_in_is_told_by_how_much() {
        let (reader, writer) = pipe_with(PipeFlags::NONBLOCK).unwrap();
        assert_eq!(write_all(&writer, b"hello\n"), Ok(()));
        let mut read = [0; 16];
        assert_eq!(rustix::io::read(&reader, &mut read), Ok(6));
        let size = rustix::pipe::fcntl_getpipe_size(&writer).unwrap();
        let why = write_all(&writer, &vec![b'x'; size + 1]).unwrap_err();
        assert_eq!(
            why,
            format!("it does not read its standard input: {size} of {} bytes went in", size + 1)
        );
        drop(reader);
        assert_eq!(write_all(&writer, b"x").unwrap_err(), "it has closed its standard input");
    }
}
