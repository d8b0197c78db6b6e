//! What numbers say of a process that lives: memory that grows, a processor that spins, a check that fails.

use super::Cause;
use super::board::Board;
use super::snapshot::Snapshot;
use crate::words;
use crate::words::Decimal;

/// What is seen of a process that lives.
pub(super) fn alive(board: &mut Board, snapshot: &Snapshot) {
    let metrics = &snapshot.metrics;
    let probe = metrics.probe.as_ref();
    let fails = probe.is_some_and(|probe| probe.consecutive_failures >= 1.0);
    let answers = probe.is_some_and(|probe| probe.last_status.is_some());
    if let Some(growth) = leak(&metrics.rss_mb, snapshot.uptime_s)
        && (metrics.mem_pct.is_some_and(|used| used >= 80.0)
            || near(metrics.rss_mb.last(), metrics.mem_limit_mb)
            || growth >= 3.0)
    {
        board.add(
            Cause::MemoryLeak,
            1.4,
            words!(
                "memory grows steadily, to {growth} times what it was",
                "a memória cresce sem parar, até {growth} vezes o que era",
                growth = Decimal(growth, 1)
            ),
            0,
        );
    }
    let most = |counts: fn(Cause) -> bool| {
        let said = board.0.iter().filter(|(cause, _)| counts(**cause));
        said.map(|(_, it)| it.value).fold(0.0, f64::max)
    };
    let told = most(|cause| cause != Cause::UncaughtException);
    let told_of_work = most(|cause| cause != Cause::UncaughtException && !is_wait(cause));
    let kills = metrics.oom_kill_events.unwrap_or_default();
    if kills > 0.0 && told < 0.5 {
        board.add(
            Cause::OomKilled,
            0.9,
            words!(
                "the kernel counts {kills:.0} kills for memory",
                "o kernel conta {kills:.0} mortes por falta de memória"
            ),
            0,
        );
    }
    // Who may use a quarter of a core is as busy with that as others with a whole one.
    let quota = metrics.cpu_limit_pct.filter(|limit| *limit > 0.0);
    let uses = |cpu: f64, percent: f64| quota.is_some_and(|quota| cpu >= quota * percent / 100.0);
    if let Some(cpu) = metrics.cpu_pct.filter(|_| fails && !answers) {
        let is_whole = cpu >= 90.0 && (cpu / 100.0 - (cpu / 100.0).round()).abs() <= 0.12;
        let whole = is_whole || uses(cpu, 90.0);
        let beside = |told: f64| if told > 0.8 { 0.6 } else { 1.3 };
        let share = beside(told);
        if whole {
            // Who waits for another computes nothing.
            let share = beside(told_of_work);
            board.add(
                Cause::CpuRunaway,
                share,
                words!(
                    "it uses {cpu:.0} % of a core, and does not answer",
                    "usa {cpu:.0} % de um núcleo, e não responde"
                ),
                0,
            );
        } else if cpu < 15.0 {
            board.add(
                Cause::DeadlockOrHang,
                share,
                words!(
                    "it does not answer, and uses {cpu:.0} % of a core",
                    "não responde, e usa {cpu:.0} % de um núcleo"
                ),
                0,
            );
        } else if cpu >= 90.0 {
            board.add(
                Cause::CpuRunaway,
                share * 0.6,
                words!(
                    "it uses {cpu:.0} % of a core, and does not answer",
                    "usa {cpu:.0} % de um núcleo, e não responde"
                ),
                0,
            );
        }
    } else if fails && !answers && told < 0.5 {
        board.add(
            Cause::DeadlockOrHang,
            0.6,
            words!("it lives and does not answer", "está vivo e não responde"),
            0,
        );
    }
    let is_slow =
        probe.and_then(|probe| probe.last_latency_ms).is_some_and(|millis| millis >= 1000.0);
    // A sample spans a few periods of a quota, not whole ones, and others keep it from a part of its own.
    let is_busy = metrics.cpu_pct.is_some_and(|cpu| cpu >= 80.0 || uses(cpu, 60.0));
    if answers && is_slow && is_busy {
        board.add(
            Cause::Overload,
            0.9,
            words!(
                "it answers, slowly, and computes all the time",
                "responde devagar e calcula o tempo todo"
            ),
            0,
        );
    }
}

/// Whether a program that suffers from it waits, and does not compute.
fn is_wait(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::DependencyUnreachable
            | Cause::DnsFailure
            | Cause::DbLock
            | Cause::DbTooManyConnections
            | Cause::RateLimited
    )
}

fn near(value: Option<&f64>, limit: Option<f64>) -> bool {
    value.zip(limit).is_some_and(|(value, limit)| *value >= 0.8 * limit)
}

/// How many times as much memory it uses as at first, where that grew steadily and for long.
pub(super) fn leak(rss: &[f64], uptime: Option<f64>) -> Option<f64> {
    if rss.len() < 4 || uptime.is_some_and(|seconds| seconds < 1800.0) {
        return None;
    }
    // The first sample may be of a program that was just loading.
    let from = rss[rss.len() / 4].max(1.0);
    let steps = rss.windows(2).filter(|pair| pair[1] >= pair[0] * 0.98).count();
    let is_steady = steps + 1 >= rss.len() - rss.len() / 8;
    let late = rss[rss.len() - 1] / rss[rss.len() / 2].max(1.0);
    let growth = rss[rss.len() - 1] / from;
    (is_steady && growth >= 1.4 && late >= 1.15).then_some(growth)
}
