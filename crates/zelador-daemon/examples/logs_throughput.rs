//! Measures the logs against `cat > file`: a million lines of 100 bytes, one or many per write.
//!
//! `cargo run --release -p zelador-daemon --example logs_throughput [FOLDER]`. For each way: wall
//! time from the writer's start until all lines are in the file, and processor time of the reader
//! and of the writer.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::fs::MemfdFlags;
use rustix::pipe::PipeFlags;
use zelador_core::unit::ByteSize;
use zelador_daemon::logs::{DateFormat, LogEvent, Logs, Rotation, RunId, Source, Stream};

const LINES: usize = 1_000_000;

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let first = arguments.next();
    if first.as_deref() == Some("write") {
        return write(arguments.next().and_then(|number| number.parse().ok()).unwrap_or(1));
    }
    let folder = first.map_or_else(std::env::temp_dir, PathBuf::from);
    let file = folder.join(format!("logs_throughput.{}.log", std::process::id()));
    println!("{:32}{:>9}{:>9}{:>15}{:>15}", "", "wall s", "MB/s", "reader CPU s", "writer CPU s");
    for per_write in [1, 640] {
        for (name, way) in [
            ("cat", Way::Cat),
            ("logs", Way::Logs { date: None, hold: 1 << 20 }),
            ("logs, hold pipe of 64 KiB", Way::Logs { date: None, hold: 64 << 10 }),
            ("logs with date", Way::Logs { date: Some("YYYY-MM-DD HH:mm:ss Z"), hold: 64 << 10 }),
        ] {
            for _ in 0..3 {
                let Measured { wall, reader, writer } = measure(&way, per_write, &file)?;
                let speed = LINES as f64 * 100.0 / 1e6 / wall.as_secs_f64();
                println!(
                    "{:32}{:9.3}{speed:9.0}{:15.3}{:15.3}",
                    format!("{name}, {per_write} a write"),
                    wall.as_secs_f64(),
                    reader.as_secs_f64(),
                    writer.as_secs_f64()
                );
                std::fs::remove_file(&file)?;
            }
        }
    }
    Ok(())
}

enum Way {
    Cat,
    Logs { date: Option<&'static str>, hold: usize },
}

struct Measured {
    wall: Duration,
    reader: Duration,
    writer: Duration,
}

fn write(per_write: usize) -> io::Result<()> {
    let mut out = File::from(io::stdout().as_fd().try_clone_to_owned()?); // without its buffer
    let batch: Vec<u8> = [[b'x'; 99].as_slice(), b"\n"].concat().repeat(per_write);
    let mut left = LINES;
    while left > 0 {
        let now = left.min(per_write);
        out.write_all(&batch[..now * 100])?;
        left -= now;
    }
    Ok(())
}

fn measure(way: &Way, per_write: usize, file: &Path) -> io::Result<Measured> {
    let (pipe, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    let mut writer = Command::new(std::env::current_exe()?);
    writer.args(["write", &per_write.to_string()]);
    let before = processor_time(libc::RUSAGE_CHILDREN);
    let measured = match way {
        Way::Cat => {
            let out = File::create(file)?;
            let begin = Instant::now();
            let mut cat = Command::new("cat").stdin(Stdio::from(pipe)).stdout(out).spawn()?;
            writer.stdout(Stdio::from(write)).spawn()?.wait()?;
            let after = processor_time(libc::RUSAGE_CHILDREN);
            drop(writer); // and with it the last write end
            cat.wait()?;
            let wall = begin.elapsed();
            let reader = processor_time(libc::RUSAGE_CHILDREN).saturating_sub(after);
            Measured { wall, reader, writer: after.saturating_sub(before) }
        }
        Way::Logs { date, hold } => {
            rustix::pipe::fcntl_setpipe_size(&write, 1 << 20)?;
            let (hold_read, hold_write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
            rustix::pipe::fcntl_setpipe_size(&hold_write, *hold)?;
            let state = rustix::fs::memfd_create("state", MemfdFlags::CLOEXEC)?;
            rustix::fs::ftruncate(&state, 4096)?;
            let run = RunId::new(1);
            let source = Source {
                run,
                stream: Stream::Out,
                pipe,
                hold_read,
                hold_write,
                state,
                sinks: vec![file.to_owned()],
                date_format: date.map(DateFormat::parse),
            };
            let (sender, events) = mpsc::channel::<LogEvent>();
            let rotation = Rotation { max_size: ByteSize::mebibytes(1 << 20), keep: 1 };
            let own = processor_time(libc::RUSAGE_SELF);
            let tell = move |event| _ = sender.send(event);
            let logs = Logs::start(rotation, None, vec![source], tell)?;
            let begin = Instant::now();
            writer.stdout(Stdio::from(write)).spawn()?.wait()?;
            logs.finish(run);
            _ = events.recv();
            let wall = begin.elapsed();
            logs.stop();
            Measured {
                wall,
                reader: processor_time(libc::RUSAGE_SELF).saturating_sub(own),
                writer: processor_time(libc::RUSAGE_CHILDREN).saturating_sub(before),
            }
        }
    };
    let mut all = Vec::new();
    File::open(file)?.read_to_end(&mut all)?;
    assert_eq!(memchr::memchr_iter(b'\n', &all).count(), LINES, "lines");
    Ok(measured)
}

fn processor_time(of: libc::c_int) -> Duration {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: `usage` has room for the answer, and all zeros is a valid one.
    let usage = unsafe {
        libc::getrusage(of, usage.as_mut_ptr());
        usage.assume_init()
    };
    let span = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec as u64) + Duration::from_micros(time.tv_usec as u64)
    };
    span(usage.ru_utime) + span(usage.ru_stime)
}
