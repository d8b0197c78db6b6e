//! The messages as bytes: one place where both directions are written down.
//!
//! Pure. After the version comes the number of the message, then its fields in the order of the
//! declaration.

use crate::codec::{Reader, Writer};
use crate::message::{
    Ended, Extras, FromGuardian, LONGEST_LABEL, LONGEST_NAME, Launch, Limit, Malformed, Message,
    Stage, Stream, ToGuardian, VERSION, Which, Why,
};

/// A descriptor of a service has a number below this: it leaves room above for the guardian's own
/// within 1024, the usual limit.
const MOST_NUMBER: u32 = 512;

impl Message for ToGuardian {
    fn encode(&self) -> Vec<u8> {
        let mut to = Writer::new();
        to.u8(VERSION);
        match self {
            Self::Hello => to.u8(0),
            Self::Alive => to.u8(1),
            Self::Spawn { run, launch } => {
                let plain = *launch.extras == Extras::default();
                to.u8(if plain { 2 } else { 12 });
                to.u64(*run);
                launch.write(&mut to);
                if !plain {
                    launch.extras.write(&mut to);
                }
            }
            Self::Signal { run, signal, group } => {
                to.u8(3);
                to.u64(*run);
                to.u8(*signal);
                to.bool(*group);
            }
            Self::Ask { run, signal, group } => {
                to.u8(13);
                to.u64(*run);
                to.u8(*signal);
                to.bool(*group);
            }
            Self::Linger { run, on } => {
                to.u8(4);
                to.u64(*run);
                to.bool(*on);
            }
            Self::Release { run } => {
                to.u8(5);
                to.u64(*run);
            }
            Self::Adopt { run, pid, start_time, label, which } => {
                to.u8(6);
                to.u64(*run);
                to.u32(*pid);
                to.u64(*start_time);
                to.bytes(label);
                to.u32(which.0.into());
            }
            Self::Upgrade { argv, table_flag } => {
                to.u8(7);
                to.list(argv, |to, one| to.bytes(one));
                to.bytes(table_flag);
            }
            Self::Shutdown => to.u8(8),
            Self::Stow { name } => {
                to.u8(9);
                to.bytes(name);
            }
            Self::Discard { name } => {
                to.u8(10);
                to.bytes(name);
            }
            Self::Ready { status } => {
                to.u8(11);
                to.bytes(status);
            }
        }
        to.finish()
    }

    fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        whole(bytes, |from| {
            Some(match from.u8()? {
                0 => Self::Hello,
                1 => Self::Alive,
                2 => Self::Spawn { run: from.u64()?, launch: Launch::read(from)? },
                3 => Self::Signal { run: from.u64()?, signal: from.u8()?, group: from.bool()? },
                4 => Self::Linger { run: from.u64()?, on: from.bool()? },
                5 => Self::Release { run: from.u64()? },
                6 => Self::Adopt {
                    run: from.u64()?,
                    pid: from.u32()?,
                    start_time: from.u64()?,
                    label: label(from)?,
                    which: which(from)?,
                },
                7 => Self::Upgrade { argv: from.list(Reader::bytes)?, table_flag: from.bytes()? },
                8 => Self::Shutdown,
                9 => Self::Stow { name: name(from)? },
                10 => Self::Discard { name: name(from)? },
                11 => Self::Ready { status: from.bytes()? },
                12 => {
                    let (run, mut launch) = (from.u64()?, Launch::read(from)?);
                    launch.extras = Box::new(Extras::read(from)?);
                    Self::Spawn { run, launch }
                }
                13 => Self::Ask { run: from.u64()?, signal: from.u8()?, group: from.bool()? },
                _ => return None,
            })
        })
    }
}

impl Message for FromGuardian {
    fn encode(&self) -> Vec<u8> {
        let mut to = Writer::new();
        to.u8(VERSION);
        match self {
            Self::Welcome { version, guardian_pid, runs, stowed, nofile_soft, nofile_hard } => {
                to.u8(0);
                to.u8(*version);
                to.u32(*guardian_pid);
                to.u32(*runs);
                to.u32(*stowed);
                to.u64(*nofile_soft);
                to.u64(*nofile_hard);
            }
            Self::Kept {
                run,
                pid,
                start_time,
                label,
                ended,
                adopted,
                linger,
                foreign,
                leads_group,
                which,
            } => {
                to.u8(1);
                to.u64(*run);
                to.u32(*pid);
                to.u64(*start_time);
                to.bytes(label);
                to.option(ended.as_ref(), |to, ended| ended.write(to));
                to.bool(*adopted);
                to.bool(*linger);
                to.bool(*foreign);
                to.bool(*leads_group);
                to.u32(which.0.into());
            }
            Self::Spawned { run, pid, start_time, which } => {
                to.u8(2);
                to.u64(*run);
                to.u32(*pid);
                to.u64(*start_time);
                to.u32(which.0.into());
            }
            Self::SpawnFailed { run, stage, errno } => {
                to.u8(3);
                to.u64(*run);
                to.u8(*stage as u8);
                to.i32(*errno);
            }
            Self::Ended { run, ended } => {
                to.u8(4);
                to.u64(*run);
                ended.write(&mut to);
            }
            Self::Terminate => to.u8(5),
            Self::Refused { run, why } => {
                to.u8(6);
                to.u64(*run);
                why.write(&mut to);
            }
            Self::Stowed { name } => {
                to.u8(7);
                to.bytes(name);
            }
            Self::Resurrect => to.u8(8),
        }
        to.finish()
    }

    fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        whole(bytes, |from| {
            Some(match from.u8()? {
                0 => Self::Welcome {
                    version: from.u8()?,
                    guardian_pid: from.u32()?,
                    runs: from.u32()?,
                    stowed: from.u32()?,
                    nofile_soft: from.u64()?,
                    nofile_hard: from.u64()?,
                },
                1 => Self::Kept {
                    run: from.u64()?,
                    pid: from.u32()?,
                    start_time: from.u64()?,
                    label: label(from)?,
                    ended: from.option(Ended::read)?,
                    adopted: from.bool()?,
                    linger: from.bool()?,
                    foreign: from.bool()?,
                    leads_group: from.bool()?,
                    which: which(from)?,
                },
                2 => Self::Spawned {
                    run: from.u64()?,
                    pid: from.u32()?,
                    start_time: from.u64()?,
                    which: which(from)?,
                },
                3 => Self::SpawnFailed {
                    run: from.u64()?,
                    stage: Stage::from_number(from.u8()?)?,
                    errno: from.i32()?,
                },
                4 => Self::Ended { run: from.u64()?, ended: Ended::read(from)? },
                5 => Self::Terminate,
                6 => Self::Refused { run: from.u64()?, why: Why::read(from)? },
                7 => Self::Stowed { name: name(from)? },
                8 => Self::Resurrect,
                _ => return None,
            })
        })
    }
}

/// Reads the version, then a body that must end with the bytes.
fn whole<T>(bytes: &[u8], read: impl FnOnce(&mut Reader) -> Option<T>) -> Result<T, Malformed> {
    let mut from = Reader::new(bytes);
    match from.u8() {
        Some(VERSION) => {}
        Some(other) => return Err(Malformed::Version(other)),
        None => return Err(Malformed::Body),
    }
    read(&mut from).filter(|_| from.is_empty()).ok_or(Malformed::Body)
}

fn label(from: &mut Reader) -> Option<Vec<u8>> {
    from.bytes().filter(|label| label.len() <= LONGEST_LABEL)
}

pub(crate) fn name(from: &mut Reader) -> Option<Vec<u8>> {
    from.bytes().filter(|name| name.len() <= LONGEST_NAME)
}

pub(crate) fn which(from: &mut Reader) -> Option<Which> {
    let which = Which(u16::try_from(from.u32()?).ok()?);
    let known =
        Which::PIDFD | Which::STATE | Which::OUT | Which::ERR | Which::INPUT | Which::CHANNEL;
    let together = |bits| which.0 & bits == 0 || which.has(bits);
    (which.0 & !known == 0 && together(Which::OUT) && together(Which::ERR)).then_some(which)
}

impl Launch {
    fn write(&self, to: &mut Writer) {
        to.bytes(&self.program);
        to.list(&self.argv, |to, one| to.bytes(one));
        to.list(&self.env, |to, one| to.bytes(one));
        to.bytes(&self.cwd);
        to.option(self.uid.as_ref(), |to, id| to.u32(*id));
        to.option(self.gid.as_ref(), |to, id| to.u32(*id));
        to.option(self.groups.as_ref(), |to, groups| to.list(groups, |to, id| to.u32(*id)));
        to.option(self.nofile.as_ref(), |to, limit| to.u64(*limit));
        to.u8(self.out as u8);
        to.u8(self.err as u8);
        to.bool(self.input);
        to.bool(self.channel);
        to.bytes(&self.label);
        to.bool(self.cgroup);
        to.bool(self.lasting);
    }

    fn read(from: &mut Reader) -> Option<Self> {
        Some(Self {
            program: from.bytes()?,
            argv: from.list(Reader::bytes)?,
            env: from.list(Reader::bytes)?,
            cwd: from.bytes()?,
            uid: from.option(Reader::u32)?,
            gid: from.option(Reader::u32)?,
            groups: from.option(|from| from.list(Reader::u32))?,
            nofile: from.option(Reader::u64)?,
            out: Stream::read(from)?,
            err: Stream::read(from)?,
            input: from.bool()?,
            channel: from.bool()?,
            label: label(from)?,
            cgroup: from.bool()?,
            lasting: from.bool()?,
            extras: Box::default(),
        })
    }
}

impl Extras {
    fn write(&self, to: &mut Writer) {
        to.list(&self.limits, |to, limit| {
            to.u32(limit.resource);
            to.u64(limit.soft);
            to.u64(limit.hard);
        });
        to.option(self.nice.as_ref(), |to, nice| to.i32(*nice));
        to.option(self.io.as_ref(), |to, io| to.u32(*io));
        to.option(self.oom.as_ref(), |to, oom| to.i32(*oom));
        to.option(self.umask.as_ref(), |to, umask| to.u32(*umask));
        to.bool(self.no_new_privs);
        to.option(self.capabilities.as_ref(), |to, bits| to.u64(*bits));
        to.u8(self.cgroups);
        to.list(&self.passed, |to, number| to.u32(*number));
        to.option(self.channel_at.as_ref(), |to, number| to.u32(*number));
    }

    fn read(from: &mut Reader) -> Option<Self> {
        let number = |from: &mut Reader| from.u32().filter(|number| *number < MOST_NUMBER);
        Some(Self {
            limits: from.list(|from| {
                Some(Limit { resource: from.u32()?, soft: from.u64()?, hard: from.u64()? })
            })?,
            nice: from.option(Reader::i32)?,
            io: from.option(Reader::u32)?,
            oom: from.option(Reader::i32)?,
            umask: from.option(Reader::u32)?,
            no_new_privs: from.bool()?,
            capabilities: from.option(Reader::u64)?,
            cgroups: from.u8()?,
            passed: from.list(number)?,
            channel_at: from.option(number)?,
        })
    }
}

impl Stream {
    fn read(from: &mut Reader) -> Option<Self> {
        [Self::Pipe, Self::Null, Self::SameAsOut, Self::Inherit]
            .get(usize::from(from.u8()?))
            .copied()
    }
}

impl Ended {
    pub(crate) fn write(&self, to: &mut Writer) {
        to.i32(self.status);
        to.bool(self.known);
        to.u64(self.at_micros);
    }

    pub(crate) fn read(from: &mut Reader) -> Option<Self> {
        Some(Self { status: from.i32()?, known: from.bool()?, at_micros: from.u64()? })
    }
}

impl Why {
    fn write(self, to: &mut Writer) {
        let (number, errno) = match self {
            Self::Unknown => (0, 0),
            Self::Taken => (1, 0),
            Self::Gone => (2, 0),
            Self::Different => (3, 0),
            Self::Living => (4, 0),
            Self::Failed(errno) => (5, errno),
        };
        to.u8(number);
        to.i32(errno);
    }

    fn read(from: &mut Reader) -> Option<Self> {
        let (number, errno) = (from.u8()?, from.i32()?);
        Some(match number {
            0 => Self::Unknown,
            1 => Self::Taken,
            2 => Self::Gone,
            3 => Self::Different,
            4 => Self::Living,
            5 => Self::Failed(errno),
            _ => return None,
        })
    }
}
