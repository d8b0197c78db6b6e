//! Messages survive the way there; garbage is refused without harm.

use zelador_guardian::message::{
    Ended, Extras, FromGuardian, Launch, Limit, Malformed, Message, Stage, Stream, ToGuardian,
    VERSION, Which, Why,
};

/// The same numbers at every run: xorshift64*.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn bytes(&mut self, most: u64) -> Vec<u8> {
        (0..self.below(most + 1)).map(|_| self.next() as u8).collect()
    }

    fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.below(2) == 1).then(|| make(self))
    }

    fn list<T>(&mut self, most: u64, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(most + 1)).map(|_| make(self)).collect()
    }

    fn yes(&mut self) -> bool {
        self.below(2) == 1
    }

    fn stream(&mut self) -> Stream {
        [Stream::Pipe, Stream::Null, Stream::SameAsOut, Stream::Inherit][self.below(4) as usize]
    }

    fn which(&mut self) -> Which {
        let bits =
            [Which::PIDFD, Which::STATE, Which::OUT, Which::ERR, Which::INPUT, Which::CHANNEL];
        Which(bits.into_iter().filter(|_| self.yes()).fold(0, |all, one| all | one))
    }

    fn ended(&mut self) -> Ended {
        Ended { status: self.next() as i32, known: self.yes(), at_micros: self.next() }
    }

    fn launch(&mut self) -> Launch {
        Launch {
            program: self.bytes(40),
            argv: self.list(5, |random| random.bytes(20)),
            env: self.list(5, |random| random.bytes(200)),
            cwd: self.bytes(40),
            uid: self.maybe(|random| random.next() as u32),
            gid: self.maybe(|random| random.next() as u32),
            groups: self.maybe(|random| random.list(4, |random| random.next() as u32)),
            nofile: self.maybe(Self::next),
            out: self.stream(),
            err: self.stream(),
            input: self.yes(),
            channel: self.yes(),
            label: self.bytes(4096),
            cgroup: self.yes(),
            lasting: self.yes(),
            extras: if self.yes() { Box::new(self.extras()) } else { Box::default() },
        }
    }

    fn extras(&mut self) -> Extras {
        Extras {
            limits: self.list(3, |random| Limit {
                resource: random.next() as u32,
                soft: random.next(),
                hard: random.next(),
            }),
            nice: self.maybe(|random| random.next() as i32),
            io: self.maybe(|random| random.next() as u32),
            oom: self.maybe(|random| random.next() as i32),
            umask: self.maybe(|random| random.next() as u32),
            no_new_privs: self.yes(),
            capabilities: self.maybe(Self::next),
            cgroups: self.next() as u8,
            passed: self.list(4, |random| random.below(512) as u32),
            channel_at: self.maybe(|random| random.below(512) as u32),
        }
    }

    fn request(&mut self) -> ToGuardian {
        let run = self.next();
        match self.below(13) {
            12 => ToGuardian::Ask { run, signal: self.next() as u8, group: self.yes() },
            9 => ToGuardian::Stow { name: self.bytes(1024) },
            11 => ToGuardian::Ready { status: self.bytes(60) },
            10 => ToGuardian::Discard { name: self.bytes(9) },
            0 => ToGuardian::Hello,
            1 => ToGuardian::Alive,
            2 => ToGuardian::Spawn { run, launch: self.launch() },
            3 => ToGuardian::Signal { run, signal: self.next() as u8, group: self.yes() },
            4 => ToGuardian::Linger { run, on: self.yes() },
            5 => ToGuardian::Release { run },
            6 => ToGuardian::Adopt {
                run,
                pid: self.next() as u32,
                start_time: self.next(),
                label: self.bytes(4096),
                which: self.which(),
            },
            7 => ToGuardian::Upgrade {
                argv: self.list(4, |random| random.bytes(9)),
                table_flag: self.bytes(9),
            },
            _ => ToGuardian::Shutdown,
        }
    }

    fn answer(&mut self) -> FromGuardian {
        let run = self.next();
        match self.below(9) {
            8 => FromGuardian::Resurrect,
            7 => FromGuardian::Stowed { name: self.bytes(1024) },
            0 => FromGuardian::Welcome {
                version: self.next() as u8,
                guardian_pid: self.next() as u32,
                runs: self.next() as u32,
                stowed: self.next() as u32,
                nofile_soft: self.next(),
                nofile_hard: self.next(),
            },
            1 => FromGuardian::Kept {
                run,
                pid: self.next() as u32,
                start_time: self.next(),
                label: self.bytes(4096),
                ended: self.maybe(Self::ended),
                adopted: self.yes(),
                linger: self.yes(),
                foreign: self.yes(),
                leads_group: self.yes(),
                which: self.which(),
            },
            2 => FromGuardian::Spawned {
                run,
                pid: self.next() as u32,
                start_time: self.next(),
                which: self.which(),
            },
            3 => {
                use Stage::{Cgroup, Directory, Exec, Fork, Gid, Groups, Limits, Pipes, Uid};
                let stages = [Pipes, Fork, Cgroup, Limits, Groups, Gid, Uid, Directory, Exec];
                let stage = stages[self.below(9) as usize];
                FromGuardian::SpawnFailed { run, stage, errno: self.next() as i32 }
            }
            4 => FromGuardian::Ended { run, ended: self.ended() },
            5 => FromGuardian::Terminate,
            _ => {
                use Why::{Different, Failed, Gone, Living, Taken, Unknown};
                let errno = self.next() as i32;
                let reasons = [Unknown, Taken, Gone, Different, Living, Failed(errno)];
                FromGuardian::Refused { run, why: reasons[self.below(6) as usize] }
            }
        }
    }
}

fn survives<M: Message + PartialEq + std::fmt::Debug>(message: &M, random: &mut Random) {
    let bytes = message.encode();
    assert_eq!(M::decode(&bytes).as_ref(), Ok(message));
    let cut = random.below(bytes.len() as u64) as usize;
    assert_eq!(M::decode(&bytes[..cut]), Err(Malformed::Body), "cut at {cut} of {message:?}");
    let mut longer = bytes.clone();
    longer.push(0);
    assert_eq!(M::decode(&longer), Err(Malformed::Body));
    let mut changed = bytes;
    let at = random.below(changed.len() as u64) as usize;
    changed[at] ^= 1 << random.below(8);
    let _ = M::decode(&changed); // any answer, but no panic
}

#[test]
fn every_message_survives_and_no_damaged_one_harms() {
    let mut random = Random(7);
    for _ in 0..20_000 {
        survives(&random.request(), &mut random);
        survives(&random.answer(), &mut random);
    }
}

#[test]
fn random_bytes_are_refused_or_read_but_never_harm() {
    let mut random = Random(11);
    for _ in 0..200_000 {
        let mut bytes = random.bytes(120);
        if let Some(first) = bytes.first_mut()
            && random.yes()
        {
            *first = VERSION;
        }
        if let Some(second) = bytes.get_mut(1) {
            *second %= 10;
        }
        let _ = ToGuardian::decode(&bytes);
        let _ = FromGuardian::decode(&bytes);
    }
}

#[test]
fn a_lie_about_a_length_reserves_no_memory() {
    let mut bytes = vec![VERSION, 2];
    bytes.extend([0; 8]);
    bytes.extend(u32::MAX.to_le_bytes());
    assert_eq!(ToGuardian::decode(&bytes), Err(Malformed::Body));
}

#[test]
fn another_version_is_told_from_garbage() {
    let mut bytes = ToGuardian::Hello.encode();
    bytes[0] = 77;
    assert_eq!(ToGuardian::decode(&bytes), Err(Malformed::Version(77)));
}
