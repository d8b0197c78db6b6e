//! Who a process is: the variables that PM2 hands to its apps, and that apps and their libraries read.
//!
//! Pure: the declaration and the instance go in, variables come out. Always holds: what an app declares
//! under one of these names is its own, but for `pm_id` and `name`, which are never another's.

use std::path::Path;

use crate::id::InstanceId;
use crate::instance::Instance;
use crate::launch::{log_paths, pid_path};
use crate::spec::{AppSpec, Environment, ExecMode};
use crate::unit::Moment;

/// All names, for whoever must not hand them on: an app that gives a command tells what it is, not what
/// the next one is to be.
pub const VARIABLES: [&str; 16] = [
    "pm_id",
    "name",
    "NODE_APP_INSTANCE",
    "exec_interpreter",
    "exec_mode",
    "instances",
    "namespace",
    "pm_cwd",
    "pm_err_log_path",
    "pm_exec_path",
    "pm_out_log_path",
    "pm_pid_path",
    "restart_time",
    "unique_id",
    "NODE_CHANNEL_FD",
    "NODE_UNIQUE_ID",
];

/// Adds what a process of this instance is told; `home` is `$ZELADOR_HOME`, `own` says whether the app
/// declares a variable itself.
pub fn tell(
    env: &mut Environment,
    spec: &AppSpec,
    instance: &Instance,
    home: &Path,
    own: impl Fn(&str) -> bool,
) {
    let path = |path: &Path| path.to_string_lossy().into_owned();
    // PM2 writes `/dev/null` where nothing is written.
    let log = |file: Option<_>| file.as_deref().map_or("/dev/null".to_owned(), path);
    let (out, err) = log_paths(spec, instance.id, home);
    let interpreter = spec.launch.interpreter.as_deref().unwrap_or("none");
    let told = [
        ("exec_interpreter", interpreter.to_owned()),
        ("exec_mode", spec.mode.pm2_name().to_owned()),
        ("instances", spec.instances.to_string()),
        ("namespace", spec.namespace.clone()),
        ("pm_cwd", path(&spec.launch.cwd)),
        ("pm_err_log_path", log(err)),
        ("pm_exec_path", spec.launch.script.clone()),
        ("pm_out_log_path", log(out)),
        ("pm_pid_path", path(&pid_path(spec, instance.id, home))),
        ("restart_time", instance.restarts.to_string()),
        ("unique_id", unique_id(spec.name.as_str(), instance.created_at, instance.id)),
    ];
    for (name, value) in told.into_iter().filter(|(name, _)| !own(name)) {
        env.insert(name.to_owned(), value);
    }
    env.insert("pm_id".to_owned(), instance.id.to_string());
    env.insert("name".to_owned(), spec.name.to_string());
    env.insert(spec.launch.instance_var.clone(), instance.index.to_string());
}

impl ExecMode {
    /// PM2's word for it.
    pub fn pm2_name(self) -> &'static str {
        match self {
            Self::Fork => "fork_mode",
            Self::Cluster => "cluster_mode",
        }
    }
}

/// Returns a number that is an instance's alone, in the shape of PM2's: the same as long as the instance
/// is declared.
pub fn unique_id(app: &str, created_at: Moment, id: InstanceId) -> String {
    let name: u64 = app.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let (since, id) = (created_at.as_micros(), id.number());
    format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        since >> 28 & 0xffff_ffff,
        since >> 12 & 0xffff,
        since & 0xfff,
        id & 0xfff,
        name & 0xffff_ffff_ffff,
    )
}
