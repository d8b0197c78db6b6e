//! The names of fields: which are known, and which other names they have.

use super::names::Names;

/// The fields of an app. `env_…` is known besides.
pub(super) const APP: &[Names] = &[
    ("script", &["exec", "cmd", "command"]),
    ("name", &[]),
    ("name_prefix", &[]),
    ("namespace", &[]),
    ("cwd", &[]),
    ("args", &[]),
    ("exec_interpreter", &["interpreter"]),
    ("node_args", &["interpreter_args"]),
    ("exec_mode", &[]),
    ("instances", &[]),
    ("increment_var", &[]),
    ("instance_var", &[]),
    ("port", &[]),
    ("env", &[]),
    ("env_file", &["env_files"]),
    ("filter_env", &[]),
    ("append_env_to_name", &[]),
    ("autostart", &[]),
    ("autorestart", &[]),
    ("stop_exit_codes", &[]),
    ("max_restarts", &[]),
    ("min_uptime", &[]),
    ("restart_delay", &[]),
    ("exp_backoff_restart_delay", &[]),
    ("half_open_after", &[]),
    ("restart_window", &[]),
    ("max_memory_restart", &[]),
    ("cron_restart", &["cron"]),
    ("maintenance", &[]),
    ("kill_timeout", &[]),
    ("kill_signal", &[]),
    ("kill_retry_time", &[]),
    ("treekill", &[]),
    ("shutdown_with_message", &[]),
    ("wait_ready", &[]),
    ("listen_timeout", &[]),
    ("watch", &[]),
    ("ignore_watch", &[]),
    ("watch_delay", &[]),
    ("watch_options", &[]),
    ("out_file", &["out", "output", "out_log"]),
    ("error_file", &["error", "err", "err_file", "err_log"]),
    ("log_file", &["log"]),
    ("pid_file", &["pid"]),
    ("merge_logs", &["combine_logs"]),
    ("log_date_format", &[]),
    ("time", &[]),
    ("log_type", &[]),
    ("disable_logs", &[]),
    ("uid", &["user"]),
    ("gid", &[]),
    ("health", &[]),
    ("heal", &["healing"]),
    ("hooks", &[]),
    ("probes", &[]),
    ("depends_on", &[]),
    ("on_dependency_down", &[]),
    ("notify", &[]),
    ("notification_fd", &[]),
    ("watchdog", &[]),
    ("sockets", &[]),
    ("limits", &[]),
    ("force", &[]),
    ("source_map_support", &[]),
    ("disable_source_map_support", &[]),
    ("vizion", &[]),
    ("pmx", &[]),
    ("automation", &[]),
    ("trace", &[]),
    ("v8", &[]),
    ("event_loop_inspector", &[]),
    ("deep_monitoring", &[]),
    ("io", &[]),
    ("post_update", &[]),
    ("install_url", &[]),
    ("windows_hide", &[]),
    ("write", &[]),
    ("execute_command", &[]),
    ("username", &[]),
];

/// The fields of something that an app depends on.
pub(super) const DEPENDENCY: &[Names] = &[("condition", &[])];

/// The fields of a socket.
pub(super) const SOCKET: &[Names] =
    &[("tcp", &[]), ("udp", &[]), ("unix", &[]), ("name", &[]), ("mode", &[])];

/// What an app may use and do at most; the other names are those of the kernel.
pub(super) const LIMITS: &[Names] = &[
    ("memory", &["memory_max"]),
    ("memory_high", &[]),
    ("cpu", &["cpu_max", "cpus"]),
    ("pids", &["pids_max", "tasks"]),
    ("nofile", &[]),
    ("nproc", &[]),
    ("core", &[]),
    ("as", &[]),
    ("nice", &[]),
    ("ionice", &[]),
    ("oom_score_adj", &[]),
    ("umask", &[]),
    ("no_new_privs", &["no_new_privileges"]),
    ("groups", &[]),
    ("capabilities", &["cap_keep"]),
];

/// The fields of an app's health check, of a probe, and of a check with a name.
pub(super) const HEALTH: &[Names] = &[
    ("http", &["url"]),
    ("tcp", &[]),
    ("udp", &[]),
    ("socket", &["unix"]),
    ("command", &["exec"]),
    ("dns", &[]),
    ("grpc", &[]),
    ("websocket", &["ws"]),
    ("file", &[]),
    ("certificate", &["cert"]),
    ("log", &[]),
    ("heartbeat", &[]),
    ("process", &[]),
    ("status", &[]),
    ("degraded_status", &[]),
    ("contains", &[]),
    ("lacks", &[]),
    ("json", &[]),
    ("degraded_json", &[]),
    ("method", &[]),
    ("headers", &[]),
    ("body", &[]),
    ("insecure", &[]),
    ("send", &[]),
    ("expect", &[]),
    ("service", &[]),
    ("path", &[]),
    ("max_age", &[]),
    ("min_size", &[]),
    ("max_size", &[]),
    ("absent", &[]),
    ("degraded", &[]),
    ("unhealthy", &[]),
    ("limits", &[]),
    ("interval", &["period"]),
    ("timeout", &[]),
    ("failure_threshold", &[]),
    ("success_threshold", &[]),
    ("within", &[]),
    ("slow", &["degraded_latency"]),
    ("start_period", &["initial_delay"]),
    ("verify_within", &[]),
    ("breaker", &[]),
];

/// What the healer may do to an app.
pub(super) const HEAL: &[Names] = &[
    ("mode", &[]),
    ("quiet_hours", &[]),
    ("approve_within", &[]),
    ("max_instances", &[]),
    ("ceilings", &[]),
    ("cache_folders", &["cache_folder"]),
    ("commands", &[]),
    ("retry", &[]),
    ("breaker", &[]),
];

/// How far a limit may be raised.
pub(super) const CEILINGS: &[Names] =
    &[("heap", &[]), ("memory", &[]), ("open_files", &["nofile"]), ("processes", &["pids"])];

/// What an app offers to do about itself.
pub(super) const HOOKS: &[Names] = &[("gc", &[]), ("clear_cache", &[]), ("reconnect", &[])];

/// A command of the healer.
pub(super) const COMMAND: &[Names] = &[("run", &["command"]), ("when", &[]), ("timeout", &[])];

/// The probes of an app.
pub(super) const PROBES: &[Names] = &[("startup", &[]), ("readiness", &[]), ("liveness", &[])];

/// The fields of a limit to what is measured.
pub(super) const LIMIT: &[Names] =
    &[("degraded", &["warn"]), ("unhealthy", &["critical"]), ("below", &[]), ("margin", &[])];

/// The settings of zelador itself.
pub(super) const SETTINGS: &[Names] = &[
    ("http", &[]),
    ("checks", &[]),
    ("databases", &[]),
    ("logs", &[]),
    ("history", &[]),
    ("notify", &[]),
    ("diagnosis", &[]),
    ("advisor", &[]),
    ("heartbeat", &[]),
    ("maintenance", &[]),
    ("retry", &["retries"]),
    ("breaker", &["breakers"]),
];

/// The operations that are tried again. What a look does is tried again by its own cadence.
pub(super) const RETRIES: &[Names] = &[
    ("default", &[]),
    ("answer", &[]),
    ("ask", &[]),
    ("export", &[]),
    ("heartbeat", &[]),
    ("listen", &[]),
    ("remedy", &["restart"]),
    ("send", &[]),
];

/// The operations that have a breaker.
pub(super) const BREAKERS: &[Names] = &[
    ("default", &[]),
    ("ask", &[]),
    ("call", &[]),
    ("connect", &[]),
    ("handshake", &[]),
    ("open", &[]),
    ("query", &[]),
    ("remedy", &["restart"]),
    ("request", &[]),
    ("resolve", &[]),
    ("send", &[]),
];

/// How something is tried again.
pub(super) const RETRY: &[Names] = &[
    ("retries", &[]),
    ("first_delay", &[]),
    ("factor", &["multiplier"]),
    ("max_delay", &[]),
    ("jitter", &[]),
    ("total_time", &[]),
    ("max_retry_after", &[]),
];

/// The same of messages, which wait for a day whatever comes.
pub(super) const DELAYS: &[Names] =
    &[("first_delay", &[]), ("factor", &["multiplier"]), ("max_delay", &[])];

/// When something is left alone.
pub(super) const BREAKER: &[Names] = &[
    ("failures", &[]),
    ("window", &[]),
    ("minimum_calls", &[]),
    ("failure_rate", &[]),
    ("slow", &[]),
    ("slow_rate", &[]),
    ("successes", &[]),
    ("open_for", &[]),
    ("max_open", &[]),
    ("trials", &[]),
    ("trial_timeout", &[]),
    ("at_once", &[]),
];

/// The ping outward.
pub(super) const PULSE: &[Names] = &[
    ("url", &[]),
    ("url_env", &[]),
    ("url_file", &[]),
    ("interval", &["every"]),
    ("timeout", &[]),
    ("fail", &[]),
];

/// A window of maintenance.
pub(super) const WINDOW: &[Names] = &[("cron", &["begins"]), ("for", &["lasts"])];

/// How much of the past is kept.
pub(super) const HISTORY: &[Names] = &[("age", &[]), ("size", &[])];

/// How troubles are explained.
pub(super) const DIAGNOSIS: &[Names] = &[("rules", &[])];

/// What a line of a log means.
pub(super) const RULE: &[Names] = &[("pattern", &[]), ("cause", &[]), ("action", &[])];

/// A language model that may be asked.
pub(super) const ADVISOR: &[Names] = &[
    ("provider", &[]),
    ("url", &[]),
    ("model", &[]),
    ("key_env", &[]),
    ("key_file", &[]),
    ("timeout", &[]),
    ("max_tokens", &[]),
    ("budget_per_day", &[]),
    ("price", &[]),
    ("money_per_day", &[]),
    ("language", &[]),
];

/// How the host is looked at, and the default for databases and apps.
pub(super) const CHECKS: &[Names] = &[
    ("interval", &[]),
    ("timeout", &[]),
    ("failure_threshold", &[]),
    ("success_threshold", &[]),
    ("within", &[]),
    ("memory", &[]),
    ("cpu", &[]),
    ("disk", &[]),
    ("swap", &[]),
    ("inodes", &[]),
    ("descriptors", &[]),
    ("load", &[]),
    ("clock", &[]),
    ("network", &[]),
    ("pressure", &[]),
];

/// What may be waited for.
pub(super) const PRESSURE: &[Names] = &[("cpu", &[]), ("memory", &[]), ("io", &[])];

/// How much of the time something waited (`some`) or everything did (`full`).
pub(super) const WAITING: &[Names] = &[
    ("some_avg10", &[]),
    ("some_avg60", &[]),
    ("some_avg300", &[]),
    ("full_avg10", &[]),
    ("full_avg60", &[]),
    ("full_avg300", &[]),
];

/// From which shares on something is degraded, and unhealthy.
pub(super) const THRESHOLDS: &[Names] =
    &[("degraded", &["warn"]), ("unhealthy", &["critical"]), ("margin", &[])];

/// The same of the host's memory and processors, and when who is the cause is asked.
pub(super) const HOST_THRESHOLDS: &[Names] = &[
    ("degraded", &["warn"]),
    ("unhealthy", &["critical"]),
    ("margin", &[]),
    ("watch", &[]),
    ("cause", &[]),
];

/// The same of disks, and of single ones.
pub(super) const DISK_THRESHOLDS: &[Names] = &[
    ("degraded", &["warn"]),
    ("unhealthy", &["critical"]),
    ("margin", &[]),
    ("watch", &[]),
    ("cause", &[]),
    ("mounts", &[]),
];

/// The same of inodes.
pub(super) const INODE_THRESHOLDS: &[Names] =
    &[("degraded", &["warn"]), ("unhealthy", &["critical"]), ("margin", &[]), ("mounts", &[])];

/// The fields of a database.
pub(super) const DATABASE: &[Names] = &[
    ("url", &[]),
    ("query", &[]),
    ("expect", &[]),
    ("limits", &[]),
    ("within", &[]),
    ("slow", &[]),
    ("interval", &[]),
    ("timeout", &[]),
    ("failure_threshold", &[]),
    ("success_threshold", &[]),
    ("breaker", &[]),
];

/// The settings of every log; the other names are pm2-logrotate's.
pub(super) const LOGS: &[Names] = &[
    ("max_size", &[]),
    ("keep", &["retain"]),
    ("max_total_size", &[]),
    ("compress", &[]),
    ("date_format", &[]),
    ("rotate_at", &["rotate_interval"]),
    ("time_zone", &["TZ", "tz"]),
    ("rotate_modules", &["rotate_module"]),
    ("worker_interval", &[]),
];

/// What may stand beside the apps.
pub(super) const TOP: &[Names] =
    &[("apps", &[]), ("pm2", &[]), ("deploy", &[]), ("static", &[]), ("zelador", &[])];
