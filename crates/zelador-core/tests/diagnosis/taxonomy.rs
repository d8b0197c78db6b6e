//! The taxonomy as a table: what is right, and what would be harmful, for each cause. Written apart from the rules,
//! so that a mistake there is not one here.

use crate::cases::Case;

/// The actions that are right, the best first, and whether a restart helps.
pub fn accepted(cause: &str, case: &Case) -> (Vec<&'static str>, &'static str) {
    if case.stop_requested() {
        return (vec!["none", "notify_only"], "no");
    }
    let stop = || vec!["stop_and_notify", "notify_only"];
    let (mut actions, mut helps) = match cause {
        "port_in_use" => {
            (vec!["restart_with_backoff", "stop_and_notify", "kill_port_holder"], "temporarily")
        }
        "already_running" => (vec!["stop_and_notify", "restart_with_backoff", "notify_only"], "no"),
        "out_of_memory_heap" => {
            (vec!["raise_limit_and_restart", "restart_with_backoff", "restart"], "temporarily")
        }
        "oom_killed" => {
            (vec!["restart_with_backoff", "restart", "raise_limit_and_restart"], "temporarily")
        }
        "memory_leak" => (vec!["restart", "reload", "restart_with_backoff"], "temporarily"),
        "cpu_runaway" | "deadlock_or_hang" => {
            (vec!["restart", "restart_with_backoff", "reload"], "yes")
        }
        "overload" => (vec!["scale_out", "notify_only"], "no"),
        "stack_overflow" => (vec!["restart", "restart_with_backoff"], "temporarily"),
        "disk_full" => (vec!["free_disk", "stop_and_notify", "notify_only"], "no"),
        "inotify_limit" => {
            (vec!["raise_limit_and_restart", "stop_and_notify", "notify_only"], "no")
        }
        "too_many_open_files" => {
            (vec!["raise_limit_and_restart", "restart", "restart_with_backoff"], "temporarily")
        }
        "thread_exhaustion" => (
            vec!["raise_limit_and_restart", "restart_with_backoff", "restart", "stop_and_notify"],
            "temporarily",
        ),
        "dependency_unreachable" => (vec!["wait_for_dependency", "restart_with_backoff"], "no"),
        "dns_failure" => {
            (vec!["wait_for_dependency", "restart_with_backoff", "stop_and_notify"], "no")
        }
        "db_too_many_connections" => {
            (vec!["wait_for_dependency", "restart_with_backoff"], "temporarily")
        }
        "db_lock" => (vec!["restart_with_backoff", "restart", "wait_for_dependency"], "yes"),
        "rate_limited" => (vec!["restart_with_backoff", "wait_for_dependency"], "no"),
        "uncaught_exception" | "panic_assertion" => {
            (vec!["restart", "restart_with_backoff"], "yes")
        }
        "segfault" => (vec!["restart_with_backoff", "restart"], "temporarily"),
        "external_kill" => (vec!["restart", "restart_with_backoff", "notify_only", "none"], "yes"),
        "clean_exit" => (vec!["none", "notify_only"], "no"),
        "unknown" => (vec!["restart_with_backoff", "restart", "notify_only"], "temporarily"),
        _ => (stop(), "no"),
    };
    if case.is_crash_loop() {
        match cause {
            "port_in_use" | "uncaught_exception" | "panic_assertion" | "segfault"
            | "stack_overflow" | "out_of_memory_heap" | "oom_killed" | "unknown" => {
                (actions, helps) = (vec!["stop_and_notify", "restart_with_backoff"], "no");
            }
            "dependency_unreachable"
            | "dns_failure"
            | "db_too_many_connections"
            | "rate_limited"
            | "db_lock" => {
                actions.push("stop_and_notify");
            }
            _ => {}
        }
    }
    (actions, helps)
}

/// Whether an action that is not right would do damage.
pub fn is_harmful(cause: &str, action: &str) -> bool {
    let starts =
        ["restart", "restart_with_backoff", "raise_limit_and_restart", "reload", "scale_out"];
    ["kill_port_holder", "free_disk"].contains(&action)
        || cause == "data_corruption" && starts.contains(&action)
}
