//! The unit of systemd.

use super::{Install, Platform};
use crate::roles::{HOME_TAKEN, KILLED, RESURRECT_FLAG};

/// Returns the text of the unit.
pub fn unit(install: &Install) -> String {
    let of_user = install.platform == Platform::SystemdUser;
    let network = match (of_user, install.wait_ip) {
        // A user's manager does not know the units of the system.
        (true, _) => "",
        (false, true) => "Wants=network-online.target\nAfter=network-online.target\n",
        (false, false) => "After=network.target\n",
    };
    let user = if of_user { String::new() } else { format!("User={}\n", install.user.name) };
    let variables: Vec<String> = install
        .environment()
        .iter()
        .map(|(name, value)| format!("Environment={}\n", word(&format!("{name}={value}"))))
        .collect();
    let protection = if of_user { "" } else { "OOMScoreAdjust=-900\n" };
    let target = if of_user { "default.target" } else { "multi-user.target" };
    format!(
        "\
# Made by `{word} startup`; `{word} unstartup` removes it.
[Unit]
Description=zelador of {name}: keeps services alive
{network}StartLimitIntervalSec=0

[Service]
# Ready when the list is up; `systemctl status` shows how it is.
Type=notify
NotifyAccess=main
{user}{variables}ExecStart={program} guardian {RESURRECT_FLAG}
ExecReload={program} reload all
Restart=always
RestartSec=1
# {KILLED}: `zelador kill` was asked for. {HOME_TAKEN}: another zelador has this home.
RestartPreventExitStatus={KILLED} {HOME_TAKEN}
SuccessExitStatus={KILLED}
# A stop asks the guardian, which stops the apps in order (within 60 s), and then leaves nothing.
KillMode=mixed
TimeoutStopSec=90
# The list has 60 s to come up before zelador says that it is ready all the same.
TimeoutStartSec=120
# A new engine may take 200 s over a long history before the guardian gives up on it.
WatchdogSec=300
# Each app has a control group of its own below this one; an app that runs out of memory is an
# app's matter.
Delegate=yes
OOMPolicy=continue
{protection}LimitNOFILE=1048576
TasksMax=infinity

[Install]
WantedBy={target}
",
        word = install.names.word(),
        name = install.user.name,
        variables = variables.concat(),
        program = program(install),
    )
}

/// The unit that is started once to prove that the real one will work: the same, for a home of its
/// own without any app.
pub fn trial(install: &Install) -> String {
    let home = install.home.path().join(TRIAL);
    let install = Install { home: zelador_api::home::Home::new(home), ..install.clone() };
    unit(&install)
        .replace("Restart=always", "Environment=ZELADOR_HTTP=off\nRestart=no")
        .replace("Description=zelador of", "Description=trial start of zelador of")
}

/// The folder of the trial's home, below the home.
pub const TRIAL: &str = "trial";

/// The executable as `ExecStart=` takes it, where `$` stands for a variable, too.
fn program(install: &Install) -> String {
    word(&install.program.to_string_lossy().replace('$', "$$"))
}

/// One word of a unit: `%` begins a specifier, quotes keep blanks together.
fn word(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_systemd_would_take_for_something_else_is_escaped() {
        assert_eq!(word(r#"A=50% "a\b""#), r#""A=50%% \"a\\b\"""#);
    }
}
