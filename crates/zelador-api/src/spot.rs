//! Where the file of a path stands, so that nobody leads a zelador of root's to another one.
//!
//! Logs and pid files stand where the users of apps may write: such a user can put a link, a named pipe or a
//! second name of a foreign file there, and change the folders before it at any moment. A path goes in; what comes
//! out holds the folder itself open, and whatever is done from there on is done in that folder.
//!
//! Always holds: a link is followed only if nobody but root and zelador's own user can have laid it there, or if it
//! leads from another user to folders of the same one; a descriptor, as `/dev/stdout` leads to one, only if it is one
//! of a process of theirs.

#[cfg(test)]
mod tests;

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, PROC_SUPER_MAGIC, ResolveFlags, Stat, fstat, fstatfs,
    mkdirat, openat, openat2, readlinkat, unlinkat,
};
use rustix::io::Errno;
use zelador_core::words;
use zelador_core::words::Words;

/// So many links are followed, as by the kernel: `MAXSYMLINKS`.
const MOST_LINKS: usize = 40;

/// The mode of a folder that is made on the way to a file, where the umask allows it.
const FOLDER: Mode = Mode::from_raw_mode(0o755);

/// The inode of the root of every `/proc`.
const PROC_ROOT: u64 = 1;

/// The place of a file: it need not be there.
#[derive(Debug)]
pub struct Spot {
    folder: OwnedFd,
    name: OsString,
    /// The name is one of a descriptor: the kernel knows where it leads.
    is_descriptor: bool,
}

/// Why a file is left alone; what [`io::Error::get_ref`] has of such an error.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Refused(Words);

impl Refused {
    /// The same in every language.
    pub fn words(&self) -> &Words {
        &self.0
    }

    fn error(words: Words) -> io::Error {
        io::Error::new(io::ErrorKind::PermissionDenied, Self(words))
    }
}

impl Spot {
    /// Finds where the file of a path stands.
    ///
    /// # Errors
    /// A folder of the path is not there, or a link of somebody else is on the way.
    pub fn find(path: &Path) -> io::Result<Self> {
        Walk::begin()?.to(path, false)
    }

    /// The same; folders that are missing are made.
    ///
    /// # Errors
    /// As there; a folder cannot be made.
    pub fn make(path: &Path) -> io::Result<Self> {
        Walk::begin()?.to(path, true)
    }

    /// The place of another file in the same folder; what a link of that name leads to is not looked for.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn beside(&self, name: &OsStr) -> io::Result<Self> {
        let (folder, name) = (self.folder.try_clone()?, name.to_owned());
        Ok(Self { folder, name, is_descriptor: false })
    }

    /// The folder, by a path that leads to it as long as this lives, whatever becomes of its name.
    pub fn folder(&self) -> PathBuf {
        Path::new("/proc/self/fd").join(self.folder.as_raw_fd().to_string())
    }

    /// The file by the name that the folder has now.
    ///
    /// # Errors
    /// The kernel does not tell it.
    pub fn present_path(&self) -> io::Result<PathBuf> {
        Ok(std::fs::read_link(self.folder())?.join(&self.name))
    }

    /// The file by such a path. A link may have its name by then: whoever opens it has to say that it follows none.
    pub fn path(&self) -> PathBuf {
        self.folder().join(&self.name)
    }

    /// Whether the file may be renamed: it is not reached through a descriptor.
    pub fn has_name(&self) -> bool {
        !self.is_descriptor
    }

    /// Opens the file and waits for nobody: neither for the reader of a named pipe nor for its writer.
    ///
    /// # Errors
    /// What the system says; a link has taken the file's place, or it is another's that was given a name there.
    pub fn open(&self, flags: OFlags, mode: Mode) -> io::Result<File> {
        let flags = flags | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        if self.is_descriptor {
            return Ok(openat(&self.folder, &self.name, flags, mode)?.into());
        }
        let file = openat(&self.folder, &self.name, flags | OFlags::NOFOLLOW, mode)?;
        self.check(&file)?;
        Ok(file.into())
    }

    /// Opens the file for reading.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn read(&self) -> io::Result<File> {
        self.open(OFlags::RDONLY, Mode::empty())
    }

    /// In a folder of others the file may be a foreign one that they gave a name there, or moved there.
    fn check(&self, file: &OwnedFd) -> io::Result<()> {
        let (folder, file) = (fstat(&self.folder)?, fstat(file)?);
        let is_folder = FileType::from_raw_mode(file.st_mode) == FileType::Directory;
        if is_folder || !others_write(&folder) {
            return Ok(());
        }
        let (name, owner) = (self.name.display(), file.st_uid);
        if file.st_nlink > 1 {
            let (names, user) = (file.st_nlink, folder.st_uid);
            return Err(Refused::error(words!(
                "{name} has {names} names, in a folder of user {user} that others may write; allowed is 1 there",
                "{name} tem {names} nomes, numa pasta do usuário {user} em que outros podem escrever; ali só se permite 1",
            )));
        }
        if !is_own(owner) && !is_own(folder.st_uid) && owner != folder.st_uid {
            let user = folder.st_uid;
            return Err(Refused::error(words!(
                "{name} is of user {owner}, in a folder of user {user}; allowed there are its own files and those of root and zelador's user",
                "{name} é do usuário {owner}, numa pasta do usuário {user}; ali se permitem os arquivos dele e os do root e do usuário do zelador",
            )));
        }
        Ok(())
    }
}

/// Opens the file of a path for reading.
///
/// # Errors
/// As [`Spot::find`] and [`Spot::read`].
pub fn read(path: &Path) -> io::Result<File> {
    Spot::find(path)?.read()
}

/// Removes the file of a path: a link that has its name, not what that leads to.
///
/// # Errors
/// As [`Spot::find`]; what the system says.
pub fn remove(path: &Path) -> io::Result<()> {
    let (folders, name) = split(path)?;
    let mut walk = Walk::begin()?;
    walk.through(folders, false)?;
    Ok(unlinkat(&walk.folder, name, AtFlags::empty())?)
}

/// What a name in a folder leads to.
enum Link {
    To(PathBuf, Option<Foreign>),
    Descriptor,
}

/// The user who has laid a link, and what is said if it leads out of that user's folders.
struct Foreign(u32, Words);

/// On the way to a file, in the folder that was reached.
struct Walk {
    folder: OwnedFd,
    followed: usize,
}

impl Walk {
    fn begin() -> io::Result<Self> {
        Ok(Self { folder: enter(CWD, OsStr::new("."))?, followed: 0 })
    }

    /// Goes through these folders; those that are missing are made if it `makes` some.
    fn through(&mut self, folders: Vec<OsString>, makes: bool) -> io::Result<()> {
        // Mostly there is no link on the way, and the kernel finds that out at once.
        if let Ok(folder) = enter_all(&self.folder, &folders) {
            self.folder = folder;
            return Ok(());
        }
        for name in folders {
            match enter(&self.folder, &name) {
                Ok(folder) => self.folder = folder,
                Err(Errno::NOENT) if makes => match mkdirat(&self.folder, &name, FOLDER) {
                    Err(error) if error != Errno::EXIST => return Err(error.into()),
                    _ => self.folder = enter(&self.folder, &name)?,
                },
                // A link, or no folder.
                Err(error @ (Errno::NOTDIR | Errno::LOOP)) => match self.link(&name)? {
                    Some(Link::To(target, foreign)) => {
                        self.follow(parts(&target), foreign, makes)?;
                    }
                    Some(Link::Descriptor) => {
                        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
                        self.folder = openat(&self.folder, &name, flags, Mode::empty())?;
                    }
                    None => return Err(error.into()),
                },
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Goes where a link leads. One of another user may lead to that user's folders, where it could put everything
    /// itself; nothing is made on the way there.
    fn follow(
        &mut self,
        folders: Vec<OsString>,
        foreign: Option<Foreign>,
        makes: bool,
    ) -> io::Result<()> {
        self.through(folders, makes && foreign.is_none())?;
        match foreign {
            Some(Foreign(user, refusal)) if fstat(&self.folder)?.st_uid != user => {
                Err(Refused::error(refusal))
            }
            _ => Ok(()),
        }
    }

    fn to(mut self, path: &Path, makes: bool) -> io::Result<Spot> {
        let (folders, mut name) = split(path)?;
        self.through(folders, makes)?;
        loop {
            let is_descriptor = match self.link(&name)? {
                Some(Link::To(target, foreign)) => {
                    let (folders, next) = split(&target)?;
                    self.follow(folders, foreign, makes)?;
                    name = next;
                    continue;
                }
                Some(Link::Descriptor) => true,
                None => false,
            };
            return Ok(Spot { folder: self.folder, name, is_descriptor });
        }
    }

    /// Where the link of that name leads; `None`: there is none.
    fn link(&mut self, name: &OsStr) -> io::Result<Option<Link>> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let found = match openat(&self.folder, name, flags, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(None),
            found => found?,
        };
        let (stat, folder) = (fstat(&found)?, fstat(&self.folder)?);
        if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
            return Ok(None);
        }
        self.followed += 1;
        if self.followed > MOST_LINKS {
            return Err(Errno::LOOP.into());
        }
        let is_descriptor =
            folder.st_ino != PROC_ROOT && fstatfs(&self.folder)?.f_type == PROC_SUPER_MAGIC;
        let trusted = is_own(stat.st_uid) && !others_write(&folder);
        let foreign = (!trusted).then(|| {
            let (name, owner) = (name.display(), stat.st_uid);
            let (user, mode) = (folder.st_uid, folder.st_mode & 0o7777);
            let refusal = words!(
                "{name} is a link of user {owner} in a folder of user {user} with mode {mode:04o}; allowed are links of root and of zelador's user where nobody else may write, and those of another user to its own folders",
                "{name} é um link do usuário {owner} numa pasta do usuário {user} com modo {mode:04o}; permitem-se links do root e do usuário do zelador onde ninguém mais pode escrever, e os de outro usuário para as pastas dele",
            );
            Foreign(owner, refusal)
        });
        match foreign {
            // One of ours may have been moved there.
            Some(Foreign(user, refusal)) if is_descriptor || is_own(user) => {
                Err(Refused::error(refusal))
            }
            None if is_descriptor => Ok(Some(Link::Descriptor)),
            foreign => {
                let target = readlinkat(&found, "", Vec::new())?.into_bytes();
                Ok(Some(Link::To(OsString::from_vec(target).into(), foreign)))
            }
        }
    }
}

/// The folders before a file, and its name.
fn split(path: &Path) -> io::Result<(Vec<OsString>, OsString)> {
    let mut folders = parts(path);
    match folders.pop() {
        Some(name) if path.file_name() == Some(&name) => Ok((folders, name)),
        _ => Err(Errno::ISDIR.into()),
    }
}

fn parts(path: &Path) -> Vec<OsString> {
    let parts = path.components().filter(|part| *part != Component::CurDir);
    parts.map(|part| part.as_os_str().to_owned()).collect()
}

/// Opens a folder, not one that a link leads to. Told that it is to be one, the kernel mounts what is
/// mounted when it is needed.
fn enter(folder: impl AsFd, name: &OsStr) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(folder, name, flags, Mode::empty())
}

/// Goes through all of these folders in one step, if no link is among them.
fn enter_all(folder: impl AsFd, names: &[OsString]) -> rustix::io::Result<OwnedFd> {
    let way: PathBuf = Path::new(".").join(names.iter().collect::<PathBuf>());
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat2(folder, way, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS)
}

/// Whether a user is trusted to lay links: it may write every file that zelador may.
fn is_own(user: u32) -> bool {
    user == 0 || user == rustix::process::geteuid().as_raw()
}

/// Whether others may put something into a folder. The group that an ordinary user has for itself is no other.
fn others_write(folder: &Stat) -> bool {
    let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
    let by_group = folder.st_mode & 0o020 != 0;
    let is_users = !user.is_root() && folder.st_gid == group.as_raw();
    !is_own(folder.st_uid) || folder.st_mode & 0o002 != 0 || by_group && !is_users
}
