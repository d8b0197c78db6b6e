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
use crate::message::Ended;
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
}

/// A table as it was read.
#[derive(Debug)]
pub(crate) struct Table {
    pub lock: Option<OwnedFd>,
    pub oom: Option<i32>,
    pub listener: Option<OwnedFd>,
    pub nofile: Option<Nofile>,
    pub runs: Vec<Kept>,
    pub stowed: Vec<(Vec<u8>, OwnedFd)>,
}

/// Turns the calling process into a guardian: `execve` of `argv[0]` with `argv`, `table_flag` and
/// the number of the table's descriptor. That number belongs into `Options::table`.
///
/// Returns only on failure, with the descriptors of `handover` as they were. Other threads of the
/// process end; descriptors that are not handed over get CLOEXEC.
pub fn become_guardian(argv: &[CString], table_flag: &CStr, handover: &Handover) -> io::Error {
    let nofile = handover.nofile.map(|(soft, hard)| Nofile { soft, hard });
    let runs: Vec<_> = handover.runs.iter().collect();
    let stowed: Vec<_> = handover.stowed.iter().map(|(name, one)| (name, one)).collect();
    let listener = handover.listener.as_ref();
    let own = Own::default();
    let error = execute(argv, table_flag, &own, listener, nofile, &runs, &stowed);
    let Some((_, rest)) = argv.split_first() else { return error };
    let argv: Vec<_> = [OWN_IMAGE.to_owned()].into_iter().chain(rest.iter().cloned()).collect();
    execute(&argv, table_flag, &own, listener, nofile, &runs, &stowed)
}

/// The executable of this process, which is there also when its file was removed or is being replaced.
pub(crate) const OWN_IMAGE: &CStr = c"/proc/self/exe";

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
    let Ok(number) = CString::new(table.as_raw_fd().to_string()) else {
        return io::ErrorKind::InvalidInput.into();
    };
    let Some(program) = argv.first() else { return io::ErrorKind::InvalidInput.into() };
    let mut pointers: Vec<_> = argv.iter().map(|one| one.as_ptr()).collect();
    pointers.extend([table_flag.as_ptr(), number.as_ptr(), ptr::null()]);

    close_on_exec_all();
    let mark = |close| passed.iter().try_for_each(|one| set_close_on_exec(*one, close));
    if let Err(error) = mark(false) {
        let _ = mark(true);
        return error;
    }
    unsafe extern "C" {
        static environ: *const *const libc::c_char;
    }
    // SAFETY: `program` and all pointers in the zero-terminated `pointers` live until the call
    // returns; the environment is libc's own.
    unsafe { libc::execve(program.as_ptr(), pointers.as_ptr(), environ) };
    let error = io::Error::last_os_error();
    let _ = mark(true);
    error
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
    let Ok(numbers) = std::fs::read_dir("/proc/self/fd") else { return };
    for number in numbers.flatten().filter_map(|one| one.file_name().to_str()?.parse().ok()) {
        let number: RawFd = number;
        if number > 2 {
            // SAFETY: changes only the flag of a descriptor; one that is closed gives EBADF.
            unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) };
        }
    }
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
    (to.finish(), passed)
}

fn put<'a>(to: &mut Writer, passed: &mut Vec<BorrowedFd<'a>>, one: BorrowedFd<'a>) {
    to.i32(one.as_raw_fd());
    passed.push(one);
}

impl Table {
    /// Reads the table in `memfd` and takes the descriptors it names, which get CLOEXEC again.
    pub fn read(memfd: OwnedFd) -> io::Result<Self> {
        let mut file = File::from(memfd);
        let mut bytes = Vec::new();
        file.rewind()?;
        file.read_to_end(&mut bytes)?;
        let mut from = Reader::new(&bytes);
        let table = decode(&mut from).filter(|_| from.is_empty());
        table.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "malformed table"))
    }
}

fn decode(from: &mut Reader) -> Option<Table> {
    if from.u8()? != TABLE_VERSION {
        return None;
    }
    Some(Table {
        lock: from.option(descriptor)?,
        oom: from.option(Reader::i32)?,
        listener: from.option(descriptor)?,
        nofile: from.option(|from| Some(Nofile { soft: from.u64()?, hard: from.u64()? }))?,
        runs: from.list(kept)?,
        stowed: from.list(|from| Some((wire::name(from)?, descriptor(from)?)))?,
    })
}

fn kept(from: &mut Reader) -> Option<Kept> {
    let (run, pid, start_time, label) = (from.u64()?, from.u32()?, from.u64()?, from.bytes()?);
    let ended = from.option(Ended::read)?;
    let (linger, foreign, leads_group) = (from.bool()?, from.bool()?, from.bool()?);
    let which = wire::which(from)?;
    let list: Option<Vec<_>> = (0..which.count()).map(|_| descriptor(from)).collect();
    let descriptors = Descriptors::from_list(which, list?)?;
    Some(Kept { run, pid, start_time, label, ended, linger, foreign, leads_group, descriptors })
}

fn descriptor(from: &mut Reader) -> Option<OwnedFd> {
    let number = from.i32().filter(|number| *number > 2)?;
    // SAFETY: only asks; a number that is not open gives EBADF.
    if unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) } < 0 {
        return None;
    }
    // SAFETY: it is open, and it is ours: the former image left it for us and names each once.
    Some(unsafe { OwnedFd::from_raw_fd(number) })
}
