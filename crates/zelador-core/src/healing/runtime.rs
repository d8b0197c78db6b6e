//! Which runtime an app has that can say more about itself than the kernel knows.

use serde::{Deserialize, Serialize};

use crate::config::is_node;
use crate::diagnosis::Cause;
use crate::spec::AppSpec;

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
        let launch = &spec.launch;
        let program = launch.interpreter.as_deref().unwrap_or(&launch.script);
        let name = program.rsplit('/').next().unwrap_or_default();
        let options = launch.env.get("NODE_OPTIONS").map(String::as_str).unwrap_or_default();
        let words = launch.interpreter_args.iter().map(String::as_str);
        let mut words = words.chain(options.split_ascii_whitespace());
        match name {
            _ if !tells => None,
            "java" => Some(Self::Java),
            _ if name.starts_with("python") => Some(Self::Python),
            _ if is_node(name) && words.any(|word| word == "--report-on-signal") => {
                Some(Self::Node)
            }
            _ => None,
        }
    }
}
