//! Hostile bytes in the place of messages.

use std::fmt::Debug;

use zelador_guardian::message::{
    Ended, Extras, FromGuardian, Launch, Limit, Message, Stream, ToGuardian, Which, Why,
};
use zelador_testbed::fuzz::fuzz;

/// What is understood is written again as it was read.
fn survives<M: Message + Debug + PartialEq>(bytes: &[u8]) {
    if let Ok(message) = M::decode(bytes) {
        assert_eq!(M::decode(&message.encode()), Ok(message));
    }
}

#[test]
fn fuzz_messages_to_the_guardian() {
    let launch = Launch {
        program: b"/bin/sh".to_vec(),
        argv: vec![b"sh".to_vec(), b"-c".to_vec(), b"true".to_vec()],
        env: vec![b"PATH=/bin".to_vec()],
        cwd: b"/".to_vec(),
        uid: Some(1),
        gid: Some(2),
        groups: Some(vec![3, 4]),
        nofile: Some(1024),
        out: Stream::Pipe,
        err: Stream::SameAsOut,
        input: true,
        channel: true,
        label: b"{}".to_vec(),
        cgroup: false,
        lasting: true,
        extras: Box::default(),
    };
    let limited = Launch {
        extras: Box::new(Extras {
            limits: vec![Limit { resource: 7, soft: 1, hard: 2 }],
            nice: Some(5),
            passed: vec![3, 4],
            channel_at: Some(5),
            ..Extras::default()
        }),
        ..launch.clone()
    };
    let good = [
        ToGuardian::Spawn { run: 7, launch }.encode(),
        ToGuardian::Spawn { run: 8, launch: limited }.encode(),
        ToGuardian::Signal { run: 7, signal: 15, group: true }.encode(),
        ToGuardian::Ask { run: 7, signal: 15, group: true }.encode(),
        ToGuardian::Adopt {
            run: 7,
            pid: 1,
            start_time: 2,
            label: b"x".to_vec(),
            which: Which(Which::STATE | Which::OUT),
        }
        .encode(),
        ToGuardian::Upgrade { argv: vec![b"/z".to_vec()], table_flag: b"--table".to_vec() }
            .encode(),
        ToGuardian::Stow { name: b"name".to_vec() }.encode(),
        ToGuardian::Hello.encode(),
    ];
    let good: Vec<&[u8]> = good.iter().map(Vec::as_slice).collect();
    fuzz("messages to the guardian", &good, survives::<ToGuardian>);
}

#[test]
fn fuzz_messages_of_the_guardian() {
    let ended = Some(Ended { status: 256, known: true, at_micros: 1 });
    let good = [
        FromGuardian::Welcome {
            version: 1,
            guardian_pid: 1,
            runs: 2,
            stowed: 3,
            nofile_soft: 4,
            nofile_hard: 5,
        }
        .encode(),
        FromGuardian::Kept {
            run: 7,
            pid: 1,
            start_time: 2,
            label: b"label".to_vec(),
            ended,
            adopted: false,
            linger: true,
            foreign: false,
            leads_group: true,
            which: Which(Which::PIDFD | Which::OUT),
        }
        .encode(),
        FromGuardian::Refused { run: 7, why: Why::Failed(11) }.encode(),
        FromGuardian::Stowed { name: b"name".to_vec() }.encode(),
        FromGuardian::Terminate.encode(),
    ];
    let good: Vec<&[u8]> = good.iter().map(Vec::as_slice).collect();
    fuzz("messages of the guardian", &good, survives::<FromGuardian>);
}
