//! What its end says: the wait status, and what was used until then.

use super::Cause;
use super::alive::leak;
use super::board::Board;
use super::snapshot::Snapshot;
use super::text::{Line, says};
use crate::unit::ByteSize;
use crate::words;
use crate::words::Decimal;

/// From this age on a process that grew all the time leaks, in seconds: a day.
const LONG_LIFE: f64 = 86_400.0;

/// Whether the code is one of .NET's host, which begin at 129: `StatusCode` in its `error_codes.h`, cut to a byte.
fn is_of_net_host(snapshot: &Snapshot, lines: &[Line]) -> bool {
    let words = [
        "libhostfxr",
        "libhostpolicy",
        "libcoreclr",
        "hostfxr",
        "runtimeconfig.json",
        "to run this application",
        "framework: 'microsoft.",
    ];
    snapshot.exit_code.is_some_and(|code| (129..=165).contains(&code))
        && lines.iter().any(|line| says(&line.text, &words))
}

/// What the wait status says.
pub(super) fn status(board: &mut Board, snapshot: &Snapshot, lines: &[Line]) {
    let metrics = &snapshot.metrics;
    let ended = snapshot.ending_signal().filter(|_| !is_of_net_host(snapshot, lines));
    if snapshot.stop_requested {
        board.add(
            Cause::ExternalKill,
            3.0,
            words!("it was asked to stop", "pediram que parasse"),
            0,
        );
        return;
    }
    let rss = metrics.rss_mb.last().copied().unwrap_or_default();
    let died_of_memory = matches!(ended, Some("SIGKILL" | "SIGABRT" | "SIGTRAP"))
        || board.value(Cause::OutOfMemoryHeap) > 0.5;
    if died_of_memory
        && snapshot.uptime_s.is_some_and(|seconds| seconds >= LONG_LIFE)
        && let Some(growth) = leak(&metrics.rss_mb, snapshot.uptime_s)
        && growth >= 2.0
    {
        board.add(
            Cause::MemoryLeak,
            2.7,
            words!(
                "memory grew steadily for days, to {growth} times what it was",
                "a memória cresceu sem parar por dias, até {growth} vezes o que era",
                growth = Decimal(growth, 1)
            ),
            0,
        );
    }
    let at_limit = metrics.mem_limit_mb.is_some_and(|limit| limit > 0.0 && rss >= 0.93 * limit);
    let events = metrics.oom_kill_events.unwrap_or_default();
    let host_is_full = metrics.mem_pct.is_some_and(|used| used >= 95.0);
    match ended {
        Some("SIGKILL") => {
            if events > 0.0 || at_limit || host_is_full || board.value(Cause::OomKilled) > 0.5 {
                let why = if events > 0.0 {
                    words!(
                        "the kernel counts {events:.0} kills for memory",
                        "o kernel conta {events:.0} mortes por falta de memória"
                    )
                } else if at_limit {
                    words!(
                        "{used} were in use, at the limit",
                        "{used} estavam em uso, no limite",
                        used = ByteSize::mebibytes(rss as u64),
                    )
                } else {
                    words!("the host's memory was full", "a memória do servidor estava cheia")
                };
                board.add(Cause::OomKilled, 2.5, why, 0);
            } else if board.value(Cause::DeadlockOrHang) < 0.5 {
                board.add(
                    Cause::ExternalKill,
                    1.6,
                    words!(
                        "ended by SIGKILL, and memory was not short",
                        "encerrado por SIGKILL, e não faltava memória"
                    ),
                    0,
                );
            }
        }
        // Those that look after memory ask before they kill.
        Some("SIGTERM") if board.value(Cause::OomKilled) > 0.9 => {
            board.add(
                Cause::OomKilled,
                1.6,
                words!("ended by SIGTERM, for memory", "encerrado por SIGTERM, por memória"),
                0,
            );
        }
        Some(signal @ ("SIGTERM" | "SIGINT" | "SIGHUP" | "SIGQUIT")) => {
            board.add(
                Cause::ExternalKill,
                1.4,
                words!("ended by {signal}", "encerrado por {signal}"),
                0,
            );
        }
        Some(signal @ ("SIGSEGV" | "SIGBUS")) => {
            board.add(
                Cause::Segfault,
                2.0,
                words!("ended by {signal}", "encerrado por {signal}"),
                0,
            );
            let deep = board.value(Cause::StackOverflow);
            if deep > 0.5 {
                board.add(
                    Cause::StackOverflow,
                    2.2,
                    words!("the stack overflowed before", "a pilha estourou antes"),
                    0,
                );
            }
        }
        // Swift and Clang's traps end a program so too, after it said why.
        Some("SIGILL") if board.value(Cause::PanicAssertion) > 0.5 => {
            board.add(
                Cause::PanicAssertion,
                1.3,
                words!("ended itself by SIGILL", "encerrou a si mesmo com SIGILL"),
                0,
            );
        }
        Some("SIGILL") => board.add(
            Cause::WrongArchitecture,
            1.2,
            words!("ended by SIGILL", "encerrado por SIGILL"),
            0,
        ),
        Some("SIGSYS") => {
            board.add(
                Cause::PermissionDenied,
                0.9,
                words!(
                    "ended by SIGSYS: a call is forbidden",
                    "encerrado por SIGSYS: uma chamada é proibida"
                ),
                0,
            );
        }
        Some("SIGXCPU") => board.add(
            Cause::CpuRunaway,
            1.0,
            words!("ended by SIGXCPU", "encerrado por SIGXCPU"),
            0,
        ),
        Some("SIGUSR1" | "SIGUSR2" | "SIGALRM" | "SIGPIPE" | "SIGSTOP") => {
            board.add(
                Cause::ExternalKill,
                0.8,
                words!(
                    "ended by a signal of another process",
                    "encerrado por um sinal de outro processo"
                ),
                0,
            );
        }
        Some("SIGFPE") => {
            board.add(
                Cause::Segfault,
                0.6,
                words!(
                    "ended by a fault of the processor",
                    "encerrado por uma falha do processador"
                ),
                0,
            );
        }
        // Chromium and V8 end themselves by it after they said why.
        Some("SIGTRAP") => board.add(
            Cause::Segfault,
            0.5,
            words!("ended itself by SIGTRAP", "encerrou a si mesmo com SIGTRAP"),
            0,
        ),
        Some("SIGABRT") => board.add(
            Cause::PanicAssertion,
            0.45,
            words!("it ended itself by SIGABRT", "encerrou a si mesmo com SIGABRT"),
            0,
        ),
        _ => {}
    }
    match snapshot.exit_code {
        Some(0) => {
            let was_told = board.value(Cause::ExternalKill) > 0.05
                || lines.iter().any(|line| {
                    says(
                        &line.text,
                        &[
                            "sigterm",
                            "sigint",
                            "shutdown request",
                            "received signal",
                            "graceful shutdown",
                        ],
                    )
                });
            let cause = if was_told { Cause::ExternalKill } else { Cause::CleanExit };
            board.add(cause, 1.8, words!("it ended with code 0", "terminou com o código 0"), 0);
        }
        Some(127) => {
            board.add(
                Cause::MissingCommand,
                0.9,
                words!(
                    "exit code 127: a program was not found",
                    "código de saída 127: um programa não foi encontrado"
                ),
                0,
            );
        }
        Some(126) => {
            let refused = board.value(Cause::PermissionDenied);
            let cause =
                if refused > 0.5 { Cause::PermissionDenied } else { Cause::WrongArchitecture };
            board.add(
                cause,
                0.9,
                words!(
                    "exit code 126: a program could not be executed",
                    "código de saída 126: um programa não pôde ser executado"
                ),
                0,
            );
        }
        // systemd's own codes, and those of sysexits.h.
        Some(203) if board.value(Cause::PermissionDenied) > 0.5 => {}
        Some(203) => {
            board.add(
                Cause::MissingCommand,
                0.6,
                words!(
                    "exit code 203: it could not be executed",
                    "código de saída 203: não pôde ser executado"
                ),
                0,
            );
        }
        Some(200) => {
            board.add(
                Cause::MissingFile,
                0.6,
                words!(
                    "exit code 200: its folder could not be entered",
                    "código de saída 200: não foi possível entrar na pasta dele"
                ),
                0,
            );
        }
        Some(216 | 217) => {
            board.add(
                Cause::BadConfig,
                0.9,
                words!(
                    "exit code 216 or 217: its user or group is unknown",
                    "código de saída 216 ou 217: o usuário ou o grupo dele não existe"
                ),
                0,
            );
        }
        Some(78) => board.add(
            Cause::BadConfig,
            0.5,
            words!(
                "exit code 78: its configuration is wrong",
                "código de saída 78: a configuração está errada"
            ),
            0,
        ),
        Some(77) => board.add(
            Cause::PermissionDenied,
            0.4,
            words!("exit code 77: it may not", "código de saída 77: não tem permissão"),
            0,
        ),
        Some(101) if board.value(Cause::PanicAssertion) > 0.3 => {
            board.add(
                Cause::PanicAssertion,
                0.7,
                words!("exit code 101: a panic of Rust", "código de saída 101: um panic do Rust"),
                0,
            );
        }
        Some(_) | None => {}
    }
    if events > 0.0
        && !snapshot.is_alive()
        && ended != Some("SIGKILL")
        && board.value(Cause::OutOfMemoryHeap) < 0.5
    {
        board.add(
            Cause::OomKilled,
            0.9,
            words!(
                "the kernel has killed for memory in its group",
                "o kernel matou por falta de memória no grupo dele"
            ),
            0,
        );
    }
}
