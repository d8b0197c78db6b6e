//! Answers programs that use PM2's library (`require('pm2')`): the two sockets of its daemon.
//!
//! A process of its own, started by the engine when somebody calls, with the listening sockets in the
//! place of its standard input and output; it asks the engine like every other verb. What crosses the
//! sockets (`amp`), which methods there are (`calls`), who calls (`caller`), what is said about apps (`conf`), what is told to
//! listeners (`bus`, `happenings`, `tails`). Always holds: only the owner of the home and root are
//! answered; the process ends when nobody has called for a while, or zelador has ended.

mod amp;
mod bus;
mod caller;
mod calls;
mod conf;
mod happenings;
mod saves;
mod tails;

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Semaphore, broadcast, mpsc};
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{self, Instant};
use zelador_api::home::Home;

use amp::Part;
use bus::Bus;
use calls::Call;
use saves::Saves;

use crate::voice::{self, Voice};

/// Without a caller for so long, the process ends.
const IDLE: Duration = Duration::from_secs(10);

/// From one look at that to the next.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// So many calls of one connection are under way at once: a stop takes as long as its app.
const AT_ONCE: usize = 16;

/// So many connections at once; more wait.
const MOST_CALLERS: usize = 128;

/// How long a listener may leave a message unread before it is hung up on.
const READS_WITHIN: Duration = Duration::from_secs(30);

/// The bytes that are read at once.
const BLOCK: usize = 64 << 10;

/// Answers until nobody calls any more.
///
/// # Errors
/// The process was not started by an engine.
pub fn serve(home: Home) -> Result<(), String> {
    voice::set(Voice::Pm2Data);
    crate::home::choose(home.clone());
    let told = |error: io::Error| format!("the sockets for PM2's library cannot be used: {error}");
    let (calls, listeners) = sockets().map_err(told)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(AT_ONCE)
        .build()
        .map_err(told)?;
    let served = runtime.block_on(LocalSet::new().run_until(async {
        let calls = UnixListener::from_std(calls)?;
        let listeners = UnixListener::from_std(listeners)?;
        answer(home, calls, listeners).await;
        Ok(())
    }));
    // A call that is under way has nobody who waits for it any more.
    runtime.shutdown_background();
    served.map_err(told)
}

type Listener = std::os::unix::net::UnixListener;

/// The two sockets; the standard input and output lead nowhere from then on.
fn sockets() -> io::Result<(Listener, Listener)> {
    let null = std::fs::OpenOptions::new().read(true).write(true).open("/dev/null")?;
    let taken = |descriptor: BorrowedFd<'_>| -> io::Result<Listener> {
        let socket = Listener::from(descriptor.try_clone_to_owned()?);
        socket.set_nonblocking(true)?;
        // Anything but a socket says so here.
        socket.local_addr()?;
        Ok(socket)
    };
    let both = (taken(io::stdin().as_fd())?, taken(io::stdout().as_fd())?);
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    Ok(both)
}

async fn answer(home: Home, calls: UnixListener, listeners: UnixListener) {
    let socket = home.socket();
    let saves = Arc::new(Saves::begin(home.clone()));
    let bus = Rc::new(Bus::new(home));
    let mut callers = JoinSet::new();
    let mut look = time::interval(LOOK_EVERY);
    let mut idle_since = Instant::now();
    loop {
        let has_room = callers.len() < MOST_CALLERS;
        tokio::select! {
            biased;
            // First: whoever listens is to hear of what is called for next.
            came = listeners.accept(), if has_room => {
                if let Some(stream) = allowed(came) {
                    callers.spawn_local(tell(stream, bus.listen()));
                }
            }
            came = calls.accept(), if has_room => {
                if let Some(stream) = allowed(came) {
                    callers.spawn_local(take_calls(stream, Rc::clone(&bus), Arc::clone(&saves)));
                }
            }
            Some(_) = callers.join_next() => idle_since = Instant::now(),
            _ = look.tick() => {
                if saves.is_due() {
                    let saves = Arc::clone(&saves);
                    tokio::task::spawn_blocking(move || saves.follow());
                }
                let is_idle = callers.is_empty() && idle_since.elapsed() >= IDLE;
                // The guardian removes it when zelador ends, and only then.
                if is_idle || !socket.exists() {
                    return;
                }
            }
        }
    }
}

/// Returns the connection of somebody who may call.
fn allowed(came: io::Result<(UnixStream, tokio::net::unix::SocketAddr)>) -> Option<UnixStream> {
    let (stream, _) = came.ok()?;
    let own = rustix::process::geteuid().as_raw();
    match stream.peer_cred() {
        Ok(peer) if [own, 0].contains(&peer.uid()) => Some(stream),
        Ok(peer) => {
            eprintln!("somebody else's call on a socket of PM2's is refused: uid {}", peer.uid());
            None
        }
        Err(_) => None,
    }
}

/// Hands a listener what is told on the bus.
async fn tell(mut stream: UnixStream, mut frames: broadcast::Receiver<Arc<[u8]>>) {
    let (mut from, mut to) = stream.split();
    let mut unwanted = [0; 64];
    loop {
        tokio::select! {
            biased;
            read = from.read(&mut unwanted) => match read {
                // Listeners have nothing to say.
                Ok(1..) => {}
                Ok(0) | Err(_) => return,
            },
            frame = frames.recv() => match frame {
                Ok(frame) => {
                    let written = time::timeout(READS_WITHIN, to.write_all(&frame)).await;
                    if !matches!(written, Ok(Ok(()))) {
                        return;
                    }
                }
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            },
        }
    }
}

/// Answers the calls of a connection, several at once.
async fn take_calls(stream: UnixStream, bus: Rc<Bus>, saves: Arc<Saves>) {
    let caller = stream.peer_cred().ok().and_then(|peer| peer.pid());
    let (from, to) = stream.into_split();
    let (answers, answered) = mpsc::channel(AT_ONCE);
    let writing = tokio::task::spawn_local(write(to, answered));
    if let Err(error) = read_calls(from, caller, &bus, &saves, answers).await {
        eprintln!("a connection of PM2's library is closed: {error}");
    }
    // The last answers are written; a task that only writes does not panic.
    _ = writing.await;
}

async fn read_calls(
    mut from: OwnedReadHalf,
    caller: Option<i32>,
    bus: &Bus,
    saves: &Arc<Saves>,
    answers: mpsc::Sender<Vec<u8>>,
) -> Result<(), amp::BadFrame> {
    let at_once = Arc::new(Semaphore::new(AT_ONCE));
    let mut frames = amp::Frames::default();
    let mut block = vec![0; BLOCK];
    loop {
        while let Some(mut message) = frames.next()? {
            // What is asked for last is the number under which the answer is waited for.
            let Some(number) = message.pop() else { continue };
            let Some(Part::Json(asked)) = message.into_iter().next() else { continue };
            // It is closed by nobody.
            let Ok(permit) = Arc::clone(&at_once).acquire_owned().await else { return Ok(()) };
            bus.ready().await;
            let (answers, saves) = (answers.clone(), Arc::clone(saves));
            tokio::task::spawn_blocking(move || {
                let call = Call { message: &asked, caller, saves: &saves };
                if let Some(answer) = calls::answer(&call) {
                    // The caller may have gone.
                    _ = answers.blocking_send(amp::frame(&[Part::Json(answer), number]));
                }
                drop(permit);
            });
        }
        match from.read(&mut block).await {
            Ok(0) | Err(_) => return Ok(()),
            Ok(count) => frames.take(&block[..count]),
        }
    }
}

async fn write(mut to: OwnedWriteHalf, mut answered: mpsc::Receiver<Vec<u8>>) {
    while let Some(frame) = answered.recv().await {
        let written = time::timeout(READS_WITHIN, to.write_all(&frame)).await;
        if !matches!(written, Ok(Ok(()))) {
            return;
        }
    }
}
