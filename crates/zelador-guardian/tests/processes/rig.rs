//! A guardian in a temporary home, and the engine's part played by the case itself.

use std::fs;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use tempfile::TempDir;
use zelador_guardian::message::{Ended, FromGuardian, Launch, Stream, ToGuardian};
use zelador_guardian::{Descriptors, Kept, link};

use crate::processes::{LIMIT, kill, start_time_of, within};

fn readable(descriptor: BorrowedFd) -> bool {
    let mut one = libc::pollfd { fd: descriptor.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one valid element.
    unsafe { libc::poll(&raw mut one, 1, LIMIT.as_millis() as i32) == 1 }
}

fn case_socket(home: &Path) -> (OwnedFd, SocketAddrUnix) {
    let socket = rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    );
    let address = SocketAddrUnix::new(home.join("case.sock")).expect("a short path");
    (socket.expect("a socket"), address)
}

pub fn connect_to_case(home: &Path) -> OwnedFd {
    let (socket, address) = case_socket(home);
    rustix::net::connect(&socket, &address).expect("the case listens");
    socket
}

pub fn send_byte(socket: &OwnedFd, byte: u8, passed: &[BorrowedFd]) {
    use std::mem::MaybeUninit;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = rustix::net::SendAncillaryBuffer::new(&mut space);
    if !passed.is_empty() {
        assert!(control.push(rustix::net::SendAncillaryMessage::ScmRights(passed)));
    }
    let bytes = [byte];
    let flags = rustix::net::SendFlags::NOSIGNAL;
    let _ = rustix::net::sendmsg(socket, &[std::io::IoSlice::new(&bytes)], &mut control, flags);
}

fn receive(socket: &OwnedFd) -> Option<(u8, Option<OwnedFd>)> {
    use std::mem::MaybeUninit;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = rustix::net::RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let received = rustix::net::recvmsg(
        socket,
        &mut [std::io::IoSliceMut::new(&mut byte)],
        &mut control,
        rustix::net::RecvFlags::CMSG_CLOEXEC,
    );
    let passed = control.drain().find_map(|one| match one {
        rustix::net::RecvAncillaryMessage::ScmRights(mut list) => list.next(),
        _ => None,
    });
    received.ok().filter(|received| received.bytes == 1).map(|_| (byte[0], passed))
}

pub fn receive_byte(socket: &OwnedFd) -> Option<u8> {
    receive(socket).map(|(byte, _)| byte)
}

/// A guardian and its home.
pub struct Rig {
    home: TempDir,
    listener: OwnedFd,
    pub guardian: Child,
    patience: String,
}

impl Rig {
    /// Patient with the engine, but quick to start the next.
    pub fn new() -> Self {
        Self::with_patience("60000,0,0,200,60000,0")
    }

    /// `silence,settled,first delay,farewell,trial,probation`, in milliseconds.
    pub fn with_patience(patience: &str) -> Self {
        Self::with_words(patience, &[])
    }

    /// As `new`; it begins with the host.
    pub fn resurrecting() -> Self {
        Self::with_words("60000,0,0,200,60000,0", &["--resurrect"])
    }

    fn with_words(patience: &str, words: &[&str]) -> Self {
        let home = tempfile::tempdir().expect("a temporary folder");
        let (listener, address) = case_socket(home.path());
        rustix::net::bind(&listener, &address).expect("the folder is new");
        rustix::net::listen(&listener, 16).expect("it is bound");
        let guardian = start_guardian(home.path(), patience, words);
        Self { home, listener, guardian, patience: patience.to_owned() }
    }

    pub fn home(&self) -> &Path {
        self.home.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.home().join(name)
    }

    pub fn start_another(&self) -> Child {
        start_guardian(self.home(), &self.patience, &[])
    }

    pub fn guardian_argv(&self) -> Vec<Vec<u8>> {
        let argv = crate::roles::argv("role-guardian", self.home(), &self.patience);
        argv.into_iter().map(std::ffi::CString::into_bytes).collect()
    }

    /// Returns the next engine's process, which has done nothing yet.
    pub fn next_process(&self) -> (OwnedFd, u32) {
        assert!(readable(self.listener.as_fd()), "no engine came; log: {}", self.log());
        let flags = SocketFlags::CLOEXEC;
        let case = rustix::net::accept_with(&self.listener, flags).expect("one is waiting");
        let peer = rustix::net::sockopt::socket_peercred(&case).expect("it is connected");
        let pid = peer.pid.as_raw_nonzero().get() as u32;
        (case, pid)
    }

    /// Returns the next engine, whose part is now the case's.
    pub fn engine(&self) -> Engine {
        let (case, pid) = self.next_process();
        send_byte(&case, b'p', &[]);
        assert!(readable(case.as_fd()));
        let (_, link) = receive(&case).expect("it answers");
        Engine { case: Some(case), pid, link: link.expect("with its link") }
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.path(zelador_guardian::LOG)).unwrap_or_default()
    }

    /// Returns the exit code of the guardian, which ends by itself.
    pub fn code(&mut self) -> Option<i32> {
        let ended = within(LIMIT, || self.guardian.try_wait().expect("it is our child"));
        ended.expect("the guardian ends").code()
    }
}

fn start_guardian(home: &Path, patience: &str, more: &[&str]) -> Child {
    let argv = crate::roles::argv("role-guardian", home, patience);
    let words = argv.iter().map(|one| one.to_str().expect("plain"));
    let words: Vec<_> = words.chain(more.iter().copied()).collect();
    Command::new(words[0]).args(&words[1..]).spawn().expect("this program can be started")
}

/// What a guardian tells a new engine.
struct Introduction {
    guardian: u32,
    listener: OwnedFd,
    kept: Vec<(Kept, bool)>,
    is_asked_to_end: bool,
}

/// The engine's end of the link.
pub struct Engine {
    case: Option<OwnedFd>,
    pub pid: u32,
    pub link: OwnedFd,
}

impl Engine {
    pub fn say(&self, message: &ToGuardian) {
        self.pass(message, &[]);
    }

    pub fn pass(&self, message: &ToGuardian, passed: &[BorrowedFd]) {
        link::send(self.link.as_fd(), message, passed).expect("the guardian takes it");
    }

    pub fn hear(&self) -> (FromGuardian, Vec<OwnedFd>) {
        assert!(readable(self.link.as_fd()), "the guardian says nothing");
        link::receive(self.link.as_fd()).expect("the link works").expect("the guardian lives")
    }

    /// Hears the introduction; returns the guardian's pid, the control socket and the runs with
    /// whether each is adopted.
    pub fn greet(&self) -> (u32, OwnedFd, Vec<(Kept, bool)>) {
        let Introduction { guardian, listener, kept, is_asked_to_end } = self.introduced();
        assert!(!is_asked_to_end);
        (guardian, listener, kept)
    }

    /// Hears the introduction; returns whether it is asked to end at once.
    pub fn greet_the_end(&self) -> bool {
        self.introduced().is_asked_to_end
    }

    fn introduced(&self) -> Introduction {
        let (welcome, mut passed) = self.hear();
        let FromGuardian::Welcome { guardian_pid, runs, .. } = welcome else {
            panic!("not welcomed but {welcome:?}");
        };
        self.say(&ToGuardian::Hello);
        let (mut kept, mut is_asked_to_end) = (Vec::new(), false);
        for _ in 0..runs {
            let (message, passed) = self.hear();
            match message {
                FromGuardian::Kept { adopted, .. } => {
                    let run = Kept::from_message(message, passed).expect("all descriptors");
                    kept.push((run, adopted));
                }
                FromGuardian::Terminate => is_asked_to_end = true,
                message => panic!("{message:?}"),
            }
        }
        let listener = passed.pop().expect("the control socket");
        Introduction { guardian: guardian_pid, listener, kept, is_asked_to_end }
    }

    /// Starts `sh -c script`; returns its pid and descriptors.
    pub fn shell(&self, run: u64, script: &str) -> (u32, Descriptors) {
        self.say(&ToGuardian::Spawn { run, launch: shell(script) });
        self.spawned(run)
    }

    pub fn spawned(&self, run: u64) -> (u32, Descriptors) {
        let (message, passed) = self.hear();
        let FromGuardian::Spawned { run: of, pid, start_time: since, which } = message else {
            panic!("not spawned but {message:?}");
        };
        assert_eq!(of, run);
        assert!(start_time_of(pid).is_none_or(|start| start == since));
        (pid, Descriptors::from_list(which, passed).expect("all descriptors"))
    }

    /// As `spawned`, without looking at the process.
    pub fn spawned_quickly(&self) {
        let (message, _) = self.hear();
        assert!(matches!(message, FromGuardian::Spawned { .. }), "{message:?}");
    }

    pub fn ended(&self, run: u64) -> Ended {
        let (message, _) = self.hear();
        let FromGuardian::Ended { run: of, ended } = message else {
            panic!("not ended but {message:?}");
        };
        assert_eq!(of, run);
        ended
    }

    /// Kills the engine's process and closes what the case has of it.
    pub fn kill(self) {
        kill(self.pid, libc::SIGKILL);
    }

    /// Lets the engine's process end by itself, after it has closed its link and some time has passed.
    pub fn leave_slowly(&self) {
        send_byte(self.case.as_ref().expect("it is there"), b'l', &[]);
    }

    /// Lets the engine's process take the place of its guardian when that is gone.
    pub fn inherit(&self) {
        send_byte(self.case.as_ref().expect("it is there"), b'h', &[]);
    }

    /// Lets the engine's process end by itself.
    pub fn leave(mut self) {
        self.case = None;
    }
}

pub fn shell(script: &str) -> Launch {
    Launch {
        program: b"/bin/sh".to_vec(),
        argv: vec![b"sh".to_vec(), b"-c".to_vec(), script.into()],
        env: vec![b"PATH=/usr/bin:/bin".to_vec()],
        cwd: Vec::new(),
        uid: None,
        gid: None,
        groups: None,
        nofile: None,
        out: Stream::Pipe,
        err: Stream::SameAsOut,
        label: b"label".to_vec(),
        input: false,
        channel: false,
        cgroup: false,
        lasting: true,
        extras: Box::default(),
    }
}

/// Returns the next line that a service wrote.
pub fn line(descriptors: &Descriptors) -> String {
    let pipe = &descriptors.out.as_ref().expect("standard output is a pipe").pipe;
    let mut file = fs::File::from(pipe.try_clone().expect("descriptors are left"));
    let mut line = Vec::new();
    loop {
        assert!(readable(pipe.as_fd()), "no line came");
        let mut byte = [0];
        match file.read(&mut byte) {
            Ok(1) if byte != *b"\n" => line.push(byte[0]),
            Ok(_) => return String::from_utf8(line).expect("plain text"),
            Err(error) => panic!("{error}"),
        }
    }
}

/// Connects to the control socket as a client would.
pub fn connect(home: &Path) -> UnixStream {
    let mut stream =
        UnixStream::connect(home.join(zelador_guardian::SOCKET)).expect("it is listened on");
    stream.write_all(b"?").expect("the queue holds it");
    stream
}
