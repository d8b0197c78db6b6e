//! Handing everything over to a new guardian image: by an engine whose guardian was killed, or by a
//! guardian that upgrades itself.
//!
//! The table is a memfd; the descriptors it names are kept open across `execve` under their numbers.
//! Always holds: after a failed `execve` every descriptor is as it was, CLOEXEC included.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use crate::codec::{Reader, Writer};
use crate::keep::{Descriptors, Kept};
use crate::limits::Nofile;
use crate::link;
use crate::message::{Ended, Which};
use crate::wire;

/// First byte of a table. A guardian of another version must still read its predecessor's.
const TABLE_VERSION: u8 = 1;

/// What a new guardian image is given.
#[derive(Debug)]
pub struct Handover {
    /// The listening control socket, from `Welcome`.
    pub listener: Option<OwnedFd>,
    /// The soft and hard limit of open files from `Welcome`, which services get back.
    pub nofile: Option<(u64, u64)>,
    /// All runs that are not released.
    pub runs: Vec<Kept>,
    /// All stowed descriptors, by name.
    pub stowed: Vec<(Vec<u8>, OwnedFd)>,
}

/// What only a guardian that replaces itself can hand over.
#[derive(Debug, Default)]
pub(crate) struct Own<'a> {
    pub lock: Option<BorrowedFd<'a>>,
    pub oom: Option<i32>,
    /// The executable before it: kept open, and told on the command line.
    pub former: Option<BorrowedFd<'a>>,
    /// The saved list is still to be brought up.
    pub resurrect: bool,
}

/// A table as it was written: what it names is still nobody's, and open whatever becomes of this.
#[derive(Debug)]
pub(crate) struct Outline {
    lock: Option<RawFd>,
    oom: Option<i32>,
    listener: Option<RawFd>,
    nofile: Option<Nofile>,
    runs: Vec<(Kept, Which, Vec<RawFd>)>,
    stowed: Vec<(Vec<u8>, RawFd)>,
    resurrect: bool,
}

/// A table as it was taken over.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub lock: Option<OwnedFd>,
    pub oom: Option<i32>,
    pub listener: Option<OwnedFd>,
    pub nofile: Option<Nofile>,
    pub runs: Vec<Kept>,
    pub stowed: Vec<(Vec<u8>, OwnedFd)>,
    pub resurrect: bool,
}

/// Turns the calling process into a guardian: `execve` of `argv[0]`, or of the image of this process where
/// that is another file now, with `argv`, `table_flag` and the number of the table's descriptor. That number belongs into `Options::table`.
///
/// Returns only on failure, with the descriptors of `handover` as they were. Other threads of the
/// process end; descriptors that are not handed over get CLOEXEC.
pub fn become_guardian(argv: &[CString], table_flag: &CStr, handover: &Handover) -> io::Error {
    let nofile = handover.nofile.map(|(soft, hard)| Nofile { soft, hard });
    let runs: Vec<_> = handover.runs.iter().collect();
    let stowed: Vec<_> = handover.stowed.iter().map(|(name, one)| (name, one)).collect();
    let listener = handover.listener.as_ref();
    let own = Own::default();
    let Some((file, rest)) = argv.split_first() else { return io::ErrorKind::InvalidInput.into() };
    let image: Vec<_> = [OWN_IMAGE.to_owned()].into_iter().chain(rest.iter().cloned()).collect();
    let image = image.as_slice();
    let [first, second] = if is_own(file) { [argv, image] } else { [image, argv] };
    execute(first, table_flag, &own, listener, nofile, &runs, &stowed);
    execute(second, table_flag, &own, listener, nofile, &runs, &stowed)
}

/// The executable of this process, which is there also when its file was removed or replaced.
pub(crate) const OWN_IMAGE: &CStr = c"/proc/self/exe";

/// Whether this file is still the executable of this process. What somebody has put in its place counts when an
/// upgrade has tried it, and may be no zelador at all.
pub(crate) fn is_own(file: &CStr) -> bool {
    let identity = |path| rustix::fs::stat(path).map(|found| (found.st_dev, found.st_ino));
    matches!((identity(file), identity(OWN_IMAGE)), (Ok(file), Ok(own)) if file == own)
}

pub(crate) fn execute(
    argv: &[CString],
    table_flag: &CStr,
    own: &Own,
    listener: Option<&OwnedFd>,
    nofile: Option<Nofile>,
    runs: &[&Kept],
    stowed: &[(&Vec<u8>, &OwnedFd)],
) -> io::Error {
    let (bytes, mut passed) = encode(own, listener, nofile, runs, stowed);
    let table = match link::sealed(&bytes) {
        Ok(table) => table,
        Err(error) => return error,
    };
    passed.push(table.as_fd());
    passed.extend(own.former);
    close_on_exec_all();
    let mark = |close| passed.iter().try_for_each(|one| set_close_on_exec(*one, close));
    if let Err(error) = mark(false) {
        let _ = mark(true);
        return error;
    }
    let error = exec(argv, table_flag, table.as_raw_fd());
    let _ = mark(true);
    error
}

/// The same with the table that another image has left for this one, of which nothing was taken; `program`
/// is a descriptor of the executable, and not for it.
pub(crate) fn execute_unread(
    argv: &[CString],
    table_flag: &CStr,
    table: &OwnedFd,
    program: &OwnedFd,
) -> io::Error {
    for number in numbers() {
        // SAFETY: changes only the flag of a descriptor; one that is closed gives EBADF.
        unsafe { libc::fcntl(number, libc::F_SETFD, 0) };
    }
    let _ = set_close_on_exec(program.as_fd(), true);
    exec(argv, table_flag, table.as_raw_fd())
}

fn exec(argv: &[CString], table_flag: &CStr, table: RawFd) -> io::Error {
    let Ok(number) = CString::new(table.to_string()) else {
        return io::ErrorKind::InvalidInput.into();
    };
    let Some(program) = argv.first() else { return io::ErrorKind::InvalidInput.into() };
    let mut pointers: Vec<_> = argv.iter().map(|one| one.as_ptr()).collect();
    pointers.extend([table_flag.as_ptr(), number.as_ptr(), ptr::null()]);
    unsafe extern "C" {
        static environ: *const *const libc::c_char;
    }
    // SAFETY: `program` and all pointers in the zero-terminated `pointers` live until the call
    // returns; the environment is libc's own.
    unsafe { libc::execve(program.as_ptr(), pointers.as_ptr(), environ) };
    io::Error::last_os_error()
}

/// Gives CLOEXEC to every descriptor above standard error.
pub(crate) fn close_on_exec_all() {
    // SAFETY: changes only flags of descriptors, and closes none.
    let done =
        unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if done == 0 {
        return;
    }
    // Linux 5.10 knows close_range, but not this flag.
    for number in numbers() {
        // SAFETY: changes only the flag of a descriptor; one that is closed gives EBADF.
        unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
}

/// Closes every descriptor above standard error: a caller may wait for the end of one that it forgot.
///
/// # Safety
/// None of them is anybody's in this process.
pub(crate) unsafe fn close_all() {
    // SAFETY: as the caller promises.
    if unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0) } == 0 {
        return;
    }
    // Linux before 5.9.
    for number in numbers() {
        // SAFETY: as the caller promises.
        unsafe { libc::close(number) };
    }
}

/// The open descriptors above standard error.
fn numbers() -> Vec<RawFd> {
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else { return Vec::new() };
    let numbers = entries.flatten().filter_map(|one| one.file_name().to_str()?.parse().ok());
    numbers.filter(|number| *number > 2).collect()
}

fn set_close_on_exec(descriptor: BorrowedFd, close: bool) -> io::Result<()> {
    let flags = if close { rustix::io::FdFlags::CLOEXEC } else { rustix::io::FdFlags::empty() };
    Ok(rustix::io::fcntl_setfd(descriptor, flags)?)
}

fn encode<'a>(
    own: &Own<'a>,
    listener: Option<&'a OwnedFd>,
    nofile: Option<Nofile>,
    runs: &[&'a Kept],
    stowed: &[(&'a Vec<u8>, &'a OwnedFd)],
) -> (Vec<u8>, Vec<BorrowedFd<'a>>) {
    let mut to = Writer::new();
    let mut passed = Vec::new();
    to.u8(TABLE_VERSION);
    to.option(own.lock.as_ref(), |to, one| put(to, &mut passed, *one));
    to.option(own.oom.as_ref(), |to, one| to.i32(*one));
    to.option(listener.as_ref(), |to, one| put(to, &mut passed, (*one).as_fd()));
    to.option(nofile.as_ref(), |to, one| {
        to.u64(one.soft);
        to.u64(one.hard);
    });
    to.list(runs, |to, kept| {
        let kept: &'a Kept = kept;
        to.u64(kept.run);
        to.u32(kept.pid);
        to.u64(kept.start_time);
        to.bytes(&kept.label);
        to.option(kept.ended.as_ref(), |to, ended| ended.write(to));
        to.bool(kept.linger);
        to.bool(kept.foreign);
        to.bool(kept.leads_group);
        to.u32(kept.descriptors.which().0.into());
        for one in kept.descriptors.list() {
            put(to, &mut passed, one);
        }
    });
    to.list(stowed, |to, one| {
        let (name, descriptor): (&'a Vec<u8>, &'a OwnedFd) = *one;
        to.bytes(name);
        put(to, &mut passed, descriptor.as_fd());
    });
    // Only then, so that an image before this one reads all others.
    if own.resurrect {
        to.bool(true);
    }
    (to.finish(), passed)
}

fn put<'a>(to: &mut Writer, passed: &mut Vec<BorrowedFd<'a>>, one: BorrowedFd<'a>) {
    to.i32(one.as_raw_fd());
    passed.push(one);
}

impl Outline {
    /// Reads the table in `memfd`.
    pub fn read(memfd: &OwnedFd) -> io::Result<Self> {
        let mut file = File::from(memfd.try_clone()?);
        let mut bytes = Vec::new();
        file.rewind()?;
        file.read_to_end(&mut bytes)?;
        let mut from = Reader::new(&bytes);
        let table = decode(&mut from).filter(|_| from.is_empty());
        table.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "malformed table"))
    }

    /// Whether it names the lock of the home.
    pub fn has_lock(&self) -> bool {
        self.lock.is_some()
    }

    /// Whether it names a control socket.
    pub fn has_listener(&self) -> bool {
        self.listener.is_some()
    }

    /// Takes the descriptors, which get CLOEXEC.
    pub fn take(self) -> Table {
        let runs = self.runs.into_iter().filter_map(|(kept, which, list)| {
            let list = list.into_iter().map(own).collect();
            Some(Kept { descriptors: Descriptors::from_list(which, list)?, ..kept })
        });
        Table {
            lock: self.lock.map(own),
            oom: self.oom,
            listener: self.listener.map(own),
            nofile: self.nofile,
            runs: runs.collect(),
            stowed: self.stowed.into_iter().map(|(name, one)| (name, own(one))).collect(),
            resurrect: self.resurrect,
        }
    }
}

fn decode(from: &mut Reader) -> Option<Outline> {
    if from.u8()? != TABLE_VERSION {
        return None;
    }
    Some(Outline {
        lock: from.option(descriptor)?,
        oom: from.option(Reader::i32)?,
        listener: from.option(descriptor)?,
        nofile: from.option(|from| Some(Nofile { soft: from.u64()?, hard: from.u64()? }))?,
        runs: from.list(kept)?,
        stowed: from.list(|from| Some((wire::name(from)?, descriptor(from)?)))?,
        resurrect: if from.is_empty() { false } else { from.bool()? },
    })
}

fn kept(from: &mut Reader) -> Option<(Kept, Which, Vec<RawFd>)> {
    let (run, pid, start_time, label) = (from.u64()?, from.u32()?, from.u64()?, from.bytes()?);
    let ended = from.option(Ended::read)?;
    let (linger, foreign, leads_group) = (from.bool()?, from.bool()?, from.bool()?);
    let which = wire::which(from)?;
    let list: Option<Vec<_>> = (0..which.count()).map(|_| descriptor(from)).collect();
    let descriptors = Descriptors::default();
    let kept =
        Kept { run, pid, start_time, label, ended, linger, foreign, leads_group, descriptors };
    Some((kept, which, list?))
}

fn descriptor(from: &mut Reader) -> Option<RawFd> {
    let number = from.i32().filter(|number| *number > 2)?;
    // SAFETY: only asks; a number that is not open gives EBADF.
    (unsafe { libc::fcntl(number, libc::F_GETFD) } >= 0).then_some(number)
}

/// Takes a descriptor that a table names.
fn own(number: RawFd) -> OwnedFd {
    // SAFETY: it is open, and it is ours: the former image left it for us and names each once.
    let owned = unsafe { OwnedFd::from_raw_fd(number) };
    let _ = set_close_on_exec(owned.as_fd(), true);
    owned
}
