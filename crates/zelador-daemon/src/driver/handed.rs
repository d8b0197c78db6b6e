//! What a run is handed: declared sockets, what its predecessor had kept, where it says that it is
//! ready.
//!
//! Always holds: whatever a caller or a run may still have to say through one of these is stowed with
//! the guardian before the run begins, so a killed engine loses none of it.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, chmodat};
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with, sockopt,
};
use rustix::pipe::PipeFlags;
use zelador_api::spot::{self, Spot};
use zelador_core::death::SpawnFailure;
use zelador_core::id::{AppName, RunId};
use zelador_core::launch::{Channel, Launch};
use zelador_core::spec::{Listen, SocketSpec};
use zelador_core::words;

use super::Driver;
use super::stowed::Stowed;
use crate::backend::native::{FIRST, Handed, give_file};
use crate::errno;

/// Callers that may wait for an app that is down; the kernel cuts it to `net.core.somaxconn` (4096).
const BACKLOG: i32 = 4096;

impl Driver {
    /// Opens what a run is handed.
    ///
    /// # Errors
    /// A socket cannot be opened.
    pub(crate) fn hand_over(
        &mut self,
        run: RunId,
        launch: &Launch,
    ) -> Result<Handed, SpawnFailure> {
        let mut handed = Handed::default();
        let mut names = Vec::new();
        let failed = |error: io::Error| {
            SpawnFailure::Other(words!(
                "no descriptor is left: {said}",
                "não resta nenhum descritor: {said}",
                said = errno::said(&error),
            ))
        };
        for (index, spec) in launch.sockets.iter().enumerate() {
            let socket = self.socket(launch, index, spec)?;
            handed.pass(socket, FIRST + names.len() as u32);
            names.push(spec.name.clone());
        }
        for (name, descriptor) in self.stored(launch).map_err(failed)? {
            handed.pass(descriptor, FIRST + names.len() as u32);
            names.push(name);
        }
        let after = FIRST + names.len() as u32;
        if !names.is_empty() {
            handed.env.push(("LISTEN_FDS", names.len().to_string()));
            handed.env.push(("LISTEN_FDNAMES", names.join(":")));
            // The guardian fills it in: the number is not known before.
            handed.env.push(("LISTEN_PID", String::new()));
        }
        let notified = launch.notify.descriptor;
        if launch.channel != Channel::None && (after > FIRST || notified == Some(FIRST)) {
            handed.channel_at = Some(if notified == Some(after) { after + 1 } else { after });
        }
        if let Some(number) = notified {
            if number < after {
                return Err(SpawnFailure::Setting {
                    field: "notification_fd".to_owned(),
                    found: words!(
                        "{number}, which a socket or a kept descriptor has",
                        "{number}, que é de um socket ou de um descritor guardado",
                    ),
                    allowed: words!("{after} to 255", "de {after} a 255"),
                });
            }
            let ours = pipe(&mut handed, number).map_err(failed)?;
            self.native
                .stow(&Stowed::Ready { ready: run.number() }.bytes(), &ours)
                .map_err(failed)?;
            self.listen_to_pipe(run, ours);
        }
        if launch.notify.socket {
            let (ours, address) = notify_socket().map_err(failed)?;
            let name = Stowed::Notify { notify: run.number() }.bytes();
            self.native.stow(&name, &ours).map_err(failed)?;
            handed.env.push(("NOTIFY_SOCKET", address));
            if let Some(every) = launch.notify.watchdog {
                handed.env.push(("WATCHDOG_USEC", every.as_micros().to_string()));
            }
            self.listen_to_notify(run, ours);
        }
        Ok(handed)
    }

    /// A declared socket: opened the first time, the same for ever after.
    fn socket(
        &mut self,
        launch: &Launch,
        index: usize,
        spec: &SocketSpec,
    ) -> Result<OwnedFd, SpawnFailure> {
        let address = &spec.listen;
        let refused = |error: io::Error| SpawnFailure::Setting {
            field: format!("sockets[{index}]"),
            found: words!(
                "{address}, which cannot be opened ({said})",
                "{address}, que não pode ser aberto ({said})",
                said = errno::said(&error),
            ),
            allowed: words!(
                "an address of this host that nobody else has, a file in a folder that zelador may write",
                "um endereço deste servidor que ninguém mais tenha, um arquivo numa pasta em que o zelador possa escrever",
            ),
        };
        let Some(app) = AppName::new(launch.app.as_str()) else {
            return Err(refused(io::ErrorKind::InvalidInput.into()));
        };
        let name = Stowed::of_socket(app, spec).bytes();
        if let Some(known) = self.native.stowed(&name) {
            return known.try_clone().map_err(refused);
        }
        // What was declared before may have its place.
        self.close_unwanted_ports();
        let socket = open(spec, launch.uid.as_deref()).map_err(refused)?;
        self.native.stow(&name, &socket).map_err(refused)?;
        tracing::info!(app = %launch.app, socket = %spec.listen, "a socket is open");
        Ok(socket)
    }

    /// What earlier runs of the instance gave us to keep.
    fn stored(&self, launch: &Launch) -> io::Result<Vec<(String, OwnedFd)>> {
        let own = self.native.stowed_names().filter_map(|bytes| match Stowed::read(bytes) {
            Some(Stowed::Store { app, instance, store, .. })
                if app.as_str() == launch.app && instance == launch.instance.number() =>
            {
                Some((store, self.native.stowed(bytes)?.try_clone()))
            }
            _ => None,
        });
        own.map(|(name, descriptor)| Ok((name, descriptor?))).collect()
    }
}

/// A pipe whose write end the service gets.
fn pipe(handed: &mut Handed, number: u32) -> io::Result<OwnedFd> {
    let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&read, true)?;
    handed.pass(write, number);
    Ok(read)
}

/// How the address of every `NOTIFY_SOCKET` of ours begins; `@` stands for the byte 0 of an abstract name.
const NOTIFY_ADDRESS: &str = "@zelador/";

/// A socket for datagrams at a name that nobody can guess, and the name as the service is told it.
fn notify_socket() -> io::Result<(OwnedFd, String)> {
    use std::hash::{BuildHasher, Hasher, RandomState};
    let random = || RandomState::new().build_hasher().finish();
    let address = format!("{NOTIFY_ADDRESS}{:016x}{:016x}", random(), random());
    Ok((notify_socket_at(&address)?, address))
}

/// The same at the address that a service was told; one that is not ours is none.
pub(super) fn notify_socket_at(address: &str) -> io::Result<OwnedFd> {
    let name = address.strip_prefix('@').filter(|_| address.starts_with(NOTIFY_ADDRESS));
    let name = name.ok_or(io::ErrorKind::InvalidInput)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)?;
    sockopt::set_socket_passcred(&socket, true)?;
    bind(&socket, &SocketAddrUnix::new_abstract_name(name.as_bytes())?)?;
    Ok(socket)
}

fn open(spec: &SocketSpec, user: Option<&str>) -> io::Result<OwnedFd> {
    let (kind, address) = match &spec.listen {
        Listen::Unix(path) => return open_file(path, spec.mode, user),
        Listen::Tcp(address) => (SocketType::STREAM, *address),
        Listen::Udp(address) => (SocketType::DGRAM, *address),
    };
    let at = |address: std::net::SocketAddr| -> io::Result<OwnedFd> {
        let family = if address.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
        let socket = socket_with(family, kind, SocketFlags::CLOEXEC, None)?;
        if kind == SocketType::STREAM {
            sockopt::set_socket_reuseaddr(&socket, true)?;
        }
        if address.is_ipv6() {
            // Any address means both families.
            sockopt::set_ipv6_v6only(&socket, !address.ip().is_unspecified())?;
        }
        bind(&socket, &address)?;
        if kind == SocketType::STREAM {
            listen(&socket, BACKLOG)?;
        }
        Ok(socket)
    };
    match at(address) {
        // A host without IPv6.
        Err(error)
            if address.ip().is_unspecified()
                && error.raw_os_error() == Some(libc::EAFNOSUPPORT) =>
        {
            at((std::net::Ipv4Addr::UNSPECIFIED, address.port()).into())
        }
        done => done,
    }
}

fn open_file(path: &Path, mode: u32, user: Option<&str>) -> io::Result<OwnedFd> {
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    remove_dead_socket(path);
    let spot = Spot::find(path)?;
    bind(&socket, &SocketAddrUnix::new(path)?)?;
    let file = bound(&spot)?;
    // Not by the mode of the socket: the umask would take from it. Nobody calls before the next step.
    let by_descriptor = format!("/proc/self/fd/{}", file.as_raw_fd());
    chmodat(CWD, by_descriptor, Mode::from_raw_mode(mode), AtFlags::empty())?;
    if let Some(user) = user {
        give_file(&file, user)?;
    }
    listen(&socket, BACKLOG)?;
    Ok(socket)
}

/// The file of a socket that was just bound there, and no other one that somebody has put in its place.
fn bound(spot: &Spot) -> io::Result<File> {
    let file = spot.open(OFlags::PATH, Mode::empty())?;
    let found = file.metadata()?;
    let own = rustix::process::geteuid().as_raw();
    if !found.file_type().is_socket() || found.uid() != own || found.nlink() != 1 {
        return Err(io::Error::other("another file was put in the place of the socket's"));
    }
    Ok(file)
}

/// Removes the file of a socket that nobody listens on any more; anything else stays. Never waits: one whose
/// holder takes no more callers has a holder.
pub(super) fn remove_dead_socket(path: &Path) {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let refused = || -> rustix::io::Result<bool> {
        let caller = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        let answer = rustix::net::connect(&caller, &SocketAddrUnix::new(path)?);
        Ok(answer == Err(rustix::io::Errno::CONNREFUSED))
    };
    if refused().unwrap_or(false) {
        remove_socket(path);
    }
}

/// Removes the file of a socket; anything else stays. What cannot be removed is found dead by whoever
/// wants its place.
pub(crate) fn remove_socket(path: &Path) {
    if std::fs::symlink_metadata(path).is_ok_and(|it| it.file_type().is_socket()) {
        _ = spot::remove(path);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_file_of_a_socket_has_its_mode_and_owner_and_no_other_file_gets_them() {
        let folder = tempfile::tempdir().unwrap();
        let (path, target) = (folder.path().join("a.sock"), folder.path().join("target"));
        let user = rustix::process::geteuid().is_root().then_some("nobody");
        open_file(&path, 0o666, user).unwrap();
        let found = fs::metadata(&path).unwrap();
        assert_eq!(found.mode() & 0o7777, 0o666, "whatever the umask");
        assert!(user.is_none() || found.uid() != 0);
        fs::write(&target, "").unwrap();
        let spot = Spot::find(&path).unwrap();
        let place: [&dyn Fn() -> io::Result<()>; 3] =
            [&|| symlink(&target, &path), &|| fs::hard_link(&target, &path), &|| {
                UnixListener::bind(&path)
                    .and_then(|_| fs::hard_link(&path, folder.path().join("b")))
            }];
        for put in place {
            fs::remove_file(&path).unwrap();
            put().unwrap();
            assert!(bound(&spot).is_err(), "{:?}", fs::symlink_metadata(&path));
        }
    }

    #[test]
    fn a_socket_whose_holder_accepts_nobody_is_not_waited_for_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("busy.sock");
        let listener = UnixListener::bind(&path).unwrap();
        listen(&listener, 0).unwrap();
        let _waits = UnixStream::connect(&path).unwrap();
        let (done, is_done) = mpsc::channel();
        let own = path.clone();
        std::thread::spawn(move || {
            remove_dead_socket(&own);
            done.send(()).unwrap();
        });
        is_done.recv_timeout(Duration::from_secs(20)).unwrap();
        assert!(path.exists());
        drop(listener);
        remove_dead_socket(&path);
        assert!(!path.exists());
    }
}
