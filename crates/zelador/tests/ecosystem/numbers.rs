//! Numbers that are none: what a file computes from what is not there.

use super::{Folder, has_node};

#[test]
fn a_number_that_is_none_is_a_mistake_wherever_a_number_belongs() {
    let folder = Folder::new();
    folder.write("node_modules/settings.js", "");
    // What is installed only node can load.
    let of_node = ["", "require('settings');\n"];
    for before in of_node.into_iter().take(if has_node() { 2 } else { 1 }) {
        for (value, found) in [
            ("Number(process.env.NOBODY_SET_THIS)", "NaN"),
            ("1 / 0", "Infinity"),
            ("-1 / 0", "-Infinity"),
        ] {
            let text = format!(
                "{before}module.exports = {{ apps: [{{ name: 'a', script: 'a.js', instances: {value},
                   max_memory_restart: {value}, kill_timeout: {value}, max_restarts: {value},
                   limits: {{ memory: {value}, cpu: {value}, pids: {value}, nofile: {value} }},
                   health: {{ tcp: 1, interval: {value} }} }}] }};"
            );
            let error = folder.write("n.config.js", &text).error("n.config.js");
            for field in [
                "instances",
                "max_memory_restart",
                "kill_timeout",
                "max_restarts",
                "limits.memory",
                "limits.cpu",
                "limits.pids",
                "limits.nofile",
                "health.interval",
            ] {
                let told = error.lines().any(|line| line.contains(field) && line.contains(found));
                assert!(told, "{field} {value}: {error}");
            }
        }
    }
}
