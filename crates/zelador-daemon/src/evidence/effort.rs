//! How much the threads of a process want a processor, whether they get one or not.
//!
//! On a busy host a loop gets but a part of a core, as somebody who works a little does; the kernel
//! counts beside the time in which a thread ran the time in which it waited for its turn.

use std::fs;
use std::time::{Duration, Instant};

use zelador_core::evidence::Thread;

/// How many threads are watched, the busiest first.
const WATCHED: usize = 4;

/// In less time a turn on a processor, a few milliseconds, is too much of it.
const SHORTEST: Duration = Duration::from_millis(50);

/// What some threads of a process had wanted at a moment.
#[derive(Debug, Default)]
pub(super) struct Efforts {
    pid: i32,
    begun: Option<Instant>,
    wanted: Vec<(i32, Duration)>,
}

impl Efforts {
    /// Begins to watch the first of the threads.
    pub(super) fn begin(pid: i32, threads: &[Thread]) -> Self {
        let known = |thread: &Thread| Some((thread.tid, wanted(pid, thread.tid)?));
        let begun = Some(Instant::now());
        Self { pid, begun, wanted: threads.iter().take(WATCHED).filter_map(known).collect() }
    }

    /// Tells the threads how much they wanted since; nothing where the kernel does not count it.
    pub(super) fn end(self, threads: &mut [Thread]) {
        let Some(over) = self.begun.map(|it| it.elapsed()).filter(|it| *it >= SHORTEST) else {
            return;
        };
        for (tid, before) in self.wanted {
            let thread = threads.iter_mut().find(|thread| thread.tid == tid);
            if let Some((thread, now)) = thread.zip(wanted(self.pid, tid)) {
                let share = now.saturating_sub(before).as_secs_f64() / over.as_secs_f64();
                thread.effort = Some((share.min(1.0) * 100.0).round() as u8);
            }
        }
    }
}

/// For how long a thread has run or waited for its turn: the first two numbers of `schedstat`, in
/// nanoseconds.
fn wanted(pid: i32, tid: i32) -> Option<Duration> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{tid}/schedstat")).ok()?;
    let mut numbers = text.split_ascii_whitespace().map(str::parse::<u64>);
    let (ran, waited) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    Some(Duration::from_nanos(ran.saturating_add(waited)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::processes::fixture::{Program, wait_for};

    /// The effort of the only thread of a program, however busy the machine is.
    fn effort_of(program: &Program) -> Option<u8> {
        let limit = Instant::now() + Duration::from_secs(20);
        let (mut threads, _, _) = super::super::threads::of(program.pid(), limit).unwrap();
        let efforts = Efforts::begin(program.pid(), &threads);
        std::thread::sleep(SHORTEST * 4);
        efforts.end(&mut threads);
        threads[0].effort
    }

    #[test]
    fn a_loop_wants_a_processor_all_the_time_and_a_sleeper_does_not() {
        // Four loops on the processors that there are: none gets as much as it wants.
        let loops: Vec<Program> = (0..4).map(|_| Program::shell("while :; do :; done")).collect();
        let sleeper = Program::shell("exec sleep 1000");
        wait_for("the loop to be seen", || effort_of(&loops[0]).filter(|it| *it >= 60));
        wait_for("the sleeper to be seen", || effort_of(&sleeper).filter(|it| *it <= 5));
    }
}
