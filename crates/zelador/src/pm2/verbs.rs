//! Every verb of PM2, by all its names: who answers it, and what it needs.

/// Who answers a verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// This voice.
    Own(Own),
    /// The verb of this name of zelador's own voice, with the same words.
    Zelador(&'static str),
    /// Nobody: why, and what to do instead.
    Nobody(&'static str),
    /// Nobody, and scripts go on: why.
    Nothing(&'static str),
}

/// The verbs that this voice answers itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Own {
    Start,
    StartOrRestart,
    StartOrReload,
    Stop,
    Restart,
    Reload,
    Delete,
    Scale,
    Reset,
    SendSignal,
    List,
    Jlist,
    Prettylist,
    Describe,
    Logs,
    Pid,
    Id,
    Env,
    Save,
    Resurrect,
    Cleardump,
    Kill,
    Ping,
    Flush,
    ReloadLogs,
    Update,
}

use Answer::{Nobody, Nothing, Zelador};

/// One verb.
pub struct Verb {
    /// By all these names.
    pub names: &'static [&'static str],
    /// What must follow it, in commander's words.
    pub needs: &'static [&'static str],
    /// Who answers.
    pub answer: Answer,
    /// What it does, for `--help`; empty: not shown.
    pub does: &'static str,
}

const fn own(
    names: &'static [&'static str],
    needs: &'static [&'static str],
    verb: Own,
    does: &'static str,
) -> Verb {
    Verb { names, needs, answer: Answer::Own(verb), does }
}

const fn other(names: &'static [&'static str], answer: Answer, does: &'static str) -> Verb {
    Verb { names, needs: &[], answer, does }
}

/// What commander calls the selectors of a verb.
const SELECTORS: &[&str] = &["id|name|namespace|all|json|stdin"];
const FILE: &[&str] = &["json"];
const ONE: &[&str] = &["name|id"];

const CLOUD: &str = "PM2's cloud is not spoken to: `zelador health`, `zelador incidents` and the \
                     health endpoints on 127.0.0.1:9615 are here";
const MODULES: &str = "modules are installed by `pm2 install`, and published by `npm publish`";
const PROFILER: &str = "profiles are not taken: `node --inspect` and `pm2 inspect` reach the app";
const DEPLOY: &str = "nothing is copied over ssh: use rsync or git, then `pm2 reload FILE`";
const GIT: &str = "versions are not switched: use git, then `pm2 reload`";
const OTEL: &str = "tracing is not set up: load OpenTelemetry's packages in the app";

/// All of them.
pub const VERBS: &[Verb] = &[
    own(&["start"], &[], Own::Start, "start apps, or restart those in the list"),
    own(
        &["startOrRestart"],
        FILE,
        Own::StartOrRestart,
        "restart what runs of a file, start the rest",
    ),
    own(
        &["startOrReload", "startOrGracefulReload"],
        FILE,
        Own::StartOrReload,
        "reload what runs of a file, start the rest",
    ),
    own(&["stop"], SELECTORS, Own::Stop, "stop apps and keep them in the list"),
    own(&["restart"], SELECTORS, Own::Restart, "stop and start apps"),
    own(&["reload", "gracefulReload"], SELECTORS, Own::Reload, "replace one process after another"),
    own(
        &["delete", "del"],
        &["name|id|namespace|script|all|json|stdin"],
        Own::Delete,
        "stop apps and forget them",
    ),
    own(&["scale"], &["app_name", "number"], Own::Scale, "have more or fewer processes of an app"),
    own(&["reset"], &["name|id|all"], Own::Reset, "count restarts from 0 on"),
    own(&["sendSignal"], &["signal", "pm2_id|name"], Own::SendSignal, "send a signal"),
    own(&["list", "ls", "l", "ps", "status"], &[], Own::List, "show the list"),
    own(&["jlist"], &[], Own::Jlist, "print the list as JSON"),
    own(&["prettylist"], &[], Own::Prettylist, "print the list as JavaScript shows it"),
    own(&["describe", "desc", "show", "info"], ONE, Own::Describe, "show everything about an app"),
    own(&["logs", "log"], &[], Own::Logs, "show logs and follow them"),
    own(&["pid"], &[], Own::Pid, "print pids"),
    own(&["id"], &["name"], Own::Id, "print the numbers of an app"),
    own(&["env"], &["id"], Own::Env, "print the environment of an app, secrets masked"),
    own(&["save", "dump"], &[], Own::Save, "save the list"),
    own(&["resurrect"], &[], Own::Resurrect, "start what was saved"),
    own(&["cleardump"], &[], Own::Cleardump, "empty the saved list"),
    own(&["kill"], &[], Own::Kill, "stop and forget everything, and end"),
    own(&["ping"], &[], Own::Ping, "see whether somebody answers"),
    own(&["flush"], &[], Own::Flush, "empty log files"),
    own(&["reloadLogs"], &[], Own::ReloadLogs, "open log files anew"),
    own(&["update", "updatePM2"], &[], Own::Update, "go over to the program that is installed now"),
    other(&["ecosystem", "init"], Zelador("ecosystem"), "write an ecosystem file"),
    other(&["report"], Zelador("report"), "print what helps with a bug report"),
    other(&["slist", "sysinfos"], Zelador("slist"), "show the host"),
    other(&["examples"], Zelador("examples"), "show examples"),
    other(&["completion"], Zelador("completion"), "print a completion script"),
    other(&["startup"], Zelador("startup"), "begin with the host"),
    other(&["unstartup"], Zelador("unstartup"), "do not begin with the host any more"),
    other(&["set"], Zelador("set"), "set a setting"),
    other(&["get"], Zelador("get"), "print a setting"),
    other(&["unset"], Zelador("unset"), "remove a setting"),
    other(&["multiset"], Zelador("multiset"), "set several settings"),
    other(&["conf", "config"], Zelador("conf"), "print or set settings"),
    other(&["monit", "imonit", "dashboard", "dash"], Zelador("monit"), "watch it live"),
    other(&["serve", "expose"], Zelador("serve"), "serve files over HTTP"),
    other(&["send"], Zelador("send"), "write a line to an app's standard input"),
    other(&["attach"], Zelador("attach"), "be an app's standard input and output"),
    other(&["trigger"], Zelador("trigger"), "trigger an action of an app"),
    other(&["inspect"], Zelador("inspect"), "open a debugger's port"),
    other(&["deploy"], Nobody(DEPLOY), ""),
    other(&["logrotate"], Nothing("logs are rotated already: nothing to install"), ""),
    other(&["monitor", "unmonitor"], Nothing(CLOUD), ""),
    other(&["link", "unlink", "plus", "register", "logout"], Nothing(CLOUD), ""),
    other(&["login", "open"], Nobody(CLOUD), ""),
    other(
        &["install", "module:install"],
        Zelador("install"),
        "install a module by npm, and run it",
    ),
    other(&["module:update"], Zelador("install"), ""),
    other(&["uninstall", "module:uninstall"], Zelador("uninstall"), "remove a module"),
    other(&["module:generate", "autoinstall"], Nobody(MODULES), ""),
    other(&["publish", "module:publish", "package"], Nobody(MODULES), ""),
    other(&["profile:cpu", "profile:mem"], Nobody(PROFILER), ""),
    other(&["pull", "forward", "backward"], Nobody(GIT), ""),
    other(&["install-otel", "uninstall-otel"], Nobody(OTEL), ""),
    other(&["deepUpdate"], Nobody("`pm2 update` goes over to the program that is installed"), ""),
    other(&["create"], Nobody("`pm2 ecosystem` writes a file to begin with"), ""),
];

/// Returns the verb of a name.
pub fn find(name: &str) -> Option<&'static Verb> {
    VERBS.iter().find(|verb| verb.names.contains(&name))
}

/// Returns what to do instead of a verb of PM2's that nobody answers.
pub fn instead(name: &str) -> Option<&'static str> {
    match find(name)?.answer {
        Nobody(why) | Nothing(why) => Some(why),
        Answer::Own(_) | Zelador(_) => None,
    }
}

/// Returns the name of a verb that is most like this one.
pub fn nearest(name: &str) -> Option<&'static str> {
    let all = VERBS.iter().flat_map(|verb| verb.names.iter().copied());
    zelador_api::select::nearest(name, all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_handed_over_is_a_verb_of_zelador() {
        use clap::CommandFactory;
        let known = crate::cli::Cli::command();
        for verb in VERBS {
            if let Zelador(name) = verb.answer {
                assert!(known.find_subcommand(name).is_some(), "{name}");
            }
        }
    }

    #[test]
    fn every_name_is_that_of_one_verb() {
        let mut names: Vec<&str> = VERBS.iter().flat_map(|verb| verb.names).copied().collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
        assert_eq!(nearest("lsit"), Some("list"));
    }
}
