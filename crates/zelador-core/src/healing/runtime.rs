//! Which runtime an app has that can be asked for something: to say more about itself than the kernel
//! knows, or to collect its garbage.

use serde::{Deserialize, Serialize};

use crate::config::is_node;
use crate::diagnosis::Cause;
use crate::spec::{AppSpec, Hook, LaunchSpec};

/// A runtime whose threads can be looked at from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Runtime {
    /// Node, which writes a report on a signal where it was started with `--report-on-signal`.
    Node,
    /// A JVM, by `jstack`.
    Java,
    /// Python, by `py-spy`.
    Python,
}

impl Runtime {
    /// Of which runtime more should be asked against a cause; `None`: it would tell nothing, or nobody can be asked.
    pub fn to_ask(cause: Cause, spec: &AppSpec) -> Option<Self> {
        let tells =
            matches!(cause, Cause::DeadlockOrHang | Cause::CpuRunaway | Cause::ThreadExhaustion);
        let (name, mut words) = (program(&spec.launch), options(&spec.launch));
        match name {
            _ if !tells => None,
            "java" => Some(Self::Java),
            _ if name.starts_with("python") => Some(Self::Python),
            // It writes between two turns of its loop: one that computes all the time has none.
            _ if cause == Cause::CpuRunaway => None,
            _ if is_node(name) && words.any(|word| word == "--report-on-signal") => {
                Some(Self::Node)
            }
            _ => None,
        }
    }
}

/// How an app is asked to collect its garbage: as it declares, or else by its runtime where that needs
/// no preparation and harms nobody: a JVM answers `jcmd`, and so does Node whose own arguments opened
/// its inspector. Any other Node would have to be sent `SIGUSR1`, and whether its program takes that
/// for a wish to end cannot be seen from outside: Node catches that signal in every program.
pub fn garbage_hook(spec: &AppSpec) -> Option<Hook> {
    match &spec.heal.hooks.gc {
        Some(Hook::Off) => None,
        Some(hook) => Some(hook.clone()),
        None => can_collect(&spec.launch).then_some(Hook::Runtime),
    }
}

fn can_collect(launch: &LaunchSpec) -> bool {
    let opens = |word: &str| word == "--inspect" || word.starts_with("--inspect=");
    match program(launch) {
        "java" => true,
        "bun" => false,
        name => is_node(name) && options(launch).any(opens),
    }
}

/// The name of the program that is run.
fn program(launch: &LaunchSpec) -> &str {
    let program = launch.interpreter.as_deref().unwrap_or(&launch.script);
    program.rsplit('/').next().unwrap_or_default()
}

/// What Node is told beside its script.
fn options(launch: &LaunchSpec) -> impl Iterator<Item = &str> {
    let more = launch.env.get("NODE_OPTIONS").map(String::as_str).unwrap_or_default();
    let words = launch.interpreter_args.iter().map(String::as_str);
    words.chain(more.split_ascii_whitespace())
}
