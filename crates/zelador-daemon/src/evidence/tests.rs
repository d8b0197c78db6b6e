use std::fs;

use zelador_core::death::Death;

use zelador_core::words::quoted;

use super::*;
use crate::processes::fixture::{Program, wait_for};

/// Stands for the tail of the logs, which another module reads.
fn tail(path: &Path, lines: usize, max_bytes: usize) -> io::Result<Vec<Timed>> {
    let text = fs::read_to_string(path)?;
    let text = &text[text.len().saturating_sub(max_bytes)..];
    let known = |line: &str| line.starts_with("line 4").then_some(NOW);
    let all: Vec<Timed> = text.lines().map(|line| (line.to_owned(), known(line))).collect();
    Ok(all[all.len().saturating_sub(lines)..].to_vec())
}

fn about(program: &Program) -> Subject {
    Subject { run: Some(program.key()), ..Subject::default() }
}

const NOW: Moment = Moment::from_micros(1_700_000_000_000_000);

/// As [`TIME_LIMIT`], for a machine that is overloaded with other tests.
const PATIENCE_MILLIS: u64 = 20_000;

#[test]
fn a_stopped_process_is_described() {
    let program = Program::shell("exec sleep 1000");
    let stop = zelador_core::signal::Signal::parse("STOP").unwrap();
    let member =
        crate::processes::kill::Member { pid: program.pid(), start_time: program.key().start_time };
    wait_for("the shell to become sleep", || {
        let name = fs::read_to_string(format!("/proc/{}/comm", program.pid())).ok()?;
        (name == "sleep\n").then_some(())
    });
    assert!(crate::processes::kill::signal(member, stop).unwrap());
    let death =
        PastDeath { at: NOW, death: Death::Exited { code: 1 }, uptime_millis: 5, explained: None };
    let subject = Subject { deaths: vec![death.clone()], ..about(&program) };
    let evidence = wait_for("the process to be stopped", || {
        let evidence = gather(&subject, NOW, Arc::new(tail));
        (evidence.threads.first()?.state == 'T').then_some(evidence)
    });
    assert_eq!(evidence.gathered_at, NOW);
    assert_eq!(evidence.deaths, [death]);
    assert_eq!(evidence.missing, Vec::<Words>::new());
    let [thread] = &evidence.threads[..] else { panic!("{evidence:?}") };
    assert!(evidence.host.as_ref().is_some_and(|host| host.processors > 0));
    assert_eq!((thread.tid, thread.name.as_str()), (program.pid(), "sleep"));
    let usage = evidence.usage.expect("it was measured");
    assert_eq!(usage.processes, 1);
    let descriptors = evidence.descriptors.clone().expect("it is ours");
    assert!(descriptors.open >= 3 && descriptors.limit >= 3, "{descriptors:?}");
    assert!(evidence.took_millis < PATIENCE_MILLIS, "{evidence:?}");
}

#[test]
fn open_files_and_pipes_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let ready = folder.path().join("ready");
    let script = format!(
        "for n in 3 4 5 6 7 8 9; do eval \"exec $n</dev/null\"; done; touch {}; \
         while :; do sleep 1000; done",
        ready.display()
    );
    let program = Program::shell(&script);
    wait_for("the files to be open", || ready.exists().then_some(()));
    let found = gather(&about(&program), NOW, Arc::new(tail)).descriptors.expect("it is ours");
    assert!(found.open >= 10 && found.files >= 8, "{found:?}");
}

#[test]
fn the_busiest_thread_comes_first_and_at_most_sixteen_are_kept() {
    // This test's own process: many threads.
    let stop = Arc::new(std::sync::Barrier::new(21));
    let idle: Vec<_> = (0..20)
        .map(|_| {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || stop.wait())
        })
        .collect();
    let limit = Instant::now() + Duration::from_secs(20);
    let (threads, count, note) = threads::of(std::process::id().cast_signed(), limit).unwrap();
    stop.wait();
    for thread in idle {
        thread.join().unwrap();
    }
    assert_eq!(note, None);
    assert!(threads.len() == 16 && count >= 21, "{count}");
    assert!(threads.is_sorted_by(|a, b| a.cpu_millis >= b.cpu_millis), "{threads:?}");
}

#[test]
fn the_last_lines_are_kept_without_secrets_and_the_rest_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let (out, err) = (folder.path().join("out.log"), folder.path().join("err.log"));
    let not_written_yet = folder.path().join("gone.log");
    let lines: Vec<String> =
        (0..50).map(|number| format!("line {number} password=x{number}")).collect();
    fs::write(&out, lines.join("\n")).unwrap();
    fs::create_dir(&err).unwrap();
    let logs = vec![(Stream::Out, out), (Stream::Err, err.clone()), (Stream::Err, not_written_yet)];
    let evidence = gather(&Subject { logs, ..Subject::default() }, NOW, Arc::new(tail));
    assert_eq!(evidence.out_tail.len(), 40);
    assert_eq!(evidence.out_tail[0], "line 10 password=********");
    assert_eq!(evidence.out_tail[39], "line 49 password=********");
    let times: Vec<_> = evidence.said_out().into_iter().map(|(at, _)| at).collect();
    assert_eq!((times[29], times[30], times[39]), (None, Some(NOW), Some(NOW)));
    assert_eq!((evidence.err_tail.len(), evidence.err_times.len()), (0, 0));
    let [process, log] = &evidence.missing[..] else { panic!("{evidence:?}") };
    assert_eq!(*process, "process: the instance has none now");
    assert!(log.english().starts_with(&format!("log {}: is a directory", err.display())), "{log}");
}

#[test]
fn a_log_that_hangs_is_left_behind() {
    #[allow(clippy::unnecessary_wraps, reason = "it is a `Tail`")]
    fn hanging(_: &Path, _: usize, _: usize) -> io::Result<Vec<Timed>> {
        std::thread::park_timeout(Duration::from_mins(1));
        Ok(Vec::new())
    }
    let logs = vec![(Stream::Err, "/hung/err.log".into())];
    let evidence = gather(&Subject { logs, ..Subject::default() }, NOW, Arc::new(hanging));
    assert!(evidence.missing.contains(&quoted("log /hung/err.log: not read in time")));
    assert!(evidence.took_millis >= (TIME_LIMIT * 2 / 3).as_millis() as u64);
    assert!(evidence.took_millis < PATIENCE_MILLIS, "{evidence:?}");
}

#[test]
fn who_has_the_port_is_known_although_everything_else_hangs() {
    fn hang<T: Default>() -> T {
        std::thread::park_timeout(Duration::from_mins(1));
        T::default()
    }
    #[allow(clippy::unnecessary_wraps, reason = "it is a `Tail`")]
    fn tail(path: &Path, _: usize, _: usize) -> io::Result<Vec<Timed>> {
        let Ok(port) = path.display().to_string().parse::<u16>() else { return Ok(hang()) };
        Ok(vec![(format!("Error: listen EADDRINUSE: address already in use :::{port}"), None)])
    }
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let logs = vec![(Stream::Out, "hung".into()), (Stream::Err, port.to_string().into())];
    let subject = Subject { has_ended: true, logs, ..Subject::default() };
    let mut looks = Looks::begin(&subject, NOW, &(Arc::new(tail) as Tail));
    looks.volumes = Look::begin("volumes", hang);
    looks.changes = Look::begin("changes", hang);
    let mut evidence = Evidence::default();
    looks.end(&subject, Instant::now() + Duration::from_secs(3), &mut evidence);
    let own = i32::try_from(std::process::id()).ok();
    assert!(evidence.port_holders.iter().any(|holder| holder.pid == own), "{evidence:?}");
    let hung =
        ["log hung", "volumes", "changes"].map(|it| quoted(format!("{it}: not read in time")));
    assert_eq!(evidence.missing, hung);
}

#[test]
fn a_process_that_has_ended_is_missing() {
    let mut program = Program::shell("exit 3");
    program.reap();
    let evidence = gather(&about(&program), NOW, Arc::new(tail));
    let (pid, nobody) = (program.pid(), Vec::<String>::new());
    assert_eq!(evidence.missing, [quoted(format!("process: {pid} has ended"))]);
    assert_eq!((evidence.out_tail, evidence.threads.len()), (nobody, 0));
}
