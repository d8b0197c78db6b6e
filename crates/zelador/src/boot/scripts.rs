//! Scripts for `OpenRC` and for `/etc/init.d`: zelador is started in the background, and looks after
//! itself from there (an engine whose guardian is killed takes its place).

use super::Install;
use crate::roles::RESURRECT_FLAG;

/// Returns the script of `OpenRC`.
pub fn openrc(install: &Install) -> String {
    // `use`, not `need`: not every distribution has a service that is called so, and file systems are
    // mounted before this runlevel.
    let needs = if install.wait_ip { "need net\n    use localmount" } else { "use net localmount" };
    format!(
        "\
#!/sbin/openrc-run
# Made by `{word} startup`; `{word} unstartup` removes it.
description={description}
{body}
depend() {{
    {needs}
}}

start() {{
    ebegin \"Starting ${{RC_SVCNAME}}\"
    zelador_up
    eend $?
}}

stop() {{
    ebegin \"Stopping ${{RC_SVCNAME}}\"
    zelador_down
    eend $?
}}

status() {{
    as_owner \"$zelador ping\"
}}
",
        word = install.names.word(),
        description = quoted(&format!("zelador of {}: keeps services alive", install.user.name)),
        body = body(install),
    )
}

/// Returns the script for `/etc/init.d`.
pub fn sysv(install: &Install) -> String {
    let network = if install.wait_ip { "$network $named" } else { "$network" };
    format!(
        "\
#!/bin/sh
# Made by `{word} startup`; `{word} unstartup` removes it.
### BEGIN INIT INFO
# Provides:          {service}
# Required-Start:    $local_fs $remote_fs {network}
# Required-Stop:     $local_fs $remote_fs {network}
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
# Short-Description: zelador of {name}: keeps services alive
### END INIT INFO
# chkconfig: 2345 95 05
{body}
case \"$1\" in
start) zelador_up ;;
stop) zelador_down ;;
restart | force-reload) zelador_down && zelador_up ;;
status) as_owner \"$zelador ping\" ;;
*)
    echo \"usage: $0 start|stop|restart|status\" >&2
    exit 2
    ;;
esac
",
        word = install.names.word(),
        service = install.service,
        name = install.user.name,
        body = body(install),
    )
}

/// Returns a line of shell that brings zelador up as somebody does by hand, unless it answers.
pub fn up(install: &Install) -> String {
    format!("{}zelador_up", body(install))
}

/// What both scripts do; `$zelador`, `$home` and `$log` are words for an inner shell.
fn body(install: &Install) -> String {
    let variables: Vec<String> = install
        .environment()
        .iter()
        .map(|(name, value)| format!("{name}={}", quoted(value)))
        .collect();
    let home = install.home.path().to_string_lossy();
    format!(
        "\
owner={owner}
zelador={zelador}
home={home}
log={log}

as_owner() {{
    if [ \"$(id -u)\" = {uid} ]; then sh -c \"$1\"; else su -s /bin/sh -c \"$1\" \"$owner\"; fi
}}

zelador_answers() {{
    as_owner \"$zelador ping\" >/dev/null 2>&1
}}

zelador_up() {{
    zelador_answers && return 0
    as_owner \"umask 077; mkdir -p $home && ulimit -n \\$(ulimit -Hn); setsid $zelador guardian {RESURRECT_FLAG} </dev/null >>$log 2>&1 &\"
    tries=0
    until zelador_answers; do
        tries=$((tries + 1))
        if [ $tries -ge 60 ]; then
            echo \"zelador does not answer; its log: $log\" >&2
            return 1
        fi
        sleep 1
    done
}}

zelador_down() {{
    pid=$(as_owner \"$zelador ping\" 2>/dev/null | sed -n 's/.*guardian pid \\([0-9]*\\).*/\\1/p')
    [ -n \"$pid\" ] || return 0
    kill -TERM \"$pid\"
    tries=0
    while kill -0 \"$pid\" 2>/dev/null; do
        tries=$((tries + 1))
        [ $tries -ge 75 ] && return 1
        sleep 1
    done
}}
",
        owner = quoted(&install.user.name),
        uid = install.user.uid,
        zelador = quoted(&format!(
            "env {} {}",
            variables.join(" "),
            quoted(&install.program.to_string_lossy())
        )),
        log = quoted(&quoted(&format!("{home}/{}", install.names.log()))),
        home = quoted(&quoted(&home)),
    )
}

/// A word as a POSIX shell reads it back.
pub fn quoted(text: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-+=:,@".contains(letter);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_quoted_word_is_read_back_by_a_shell() {
        for word in ["plain", "", "two words", "it's", "$HOME `id` \"x\" \\", "100%"] {
            let script = format!("printf %s {}", quoted(word));
            let output = Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8_lossy(&output.stdout), word);
        }
    }
}
