//! Foreign files of other process managers.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use zelador_testbed::fuzz::{fuzz, fuzz_text};

use super::{pm2, procfile, supervisord, systemd};
use crate::declare;

#[test]
fn fuzz_supervisord() {
    let good = [
        "[program:api]\ncommand=node %(here)s/app.js --port 1 ; why\nnumprocs=2\nprocess_name=%(program_name)s_%(process_num)02d\nenvironment=A=\"1,2\",B='x'\nuser=ana\nstopsignal=TERM\nstartsecs=5\n",
        "[group:all]\nprograms=a,b\n[include]\nfiles = /etc/*.conf\n[program:x]\ncommand=x\n  --more\n",
    ];
    let env = BTreeMap::from([("HOME".to_owned(), "/root".to_owned())]);
    fuzz_text("supervisord.conf", &good, |text| {
        _ = supervisord::translate(text, "/srv", &env).to_ecosystem();
    });
}

#[test]
fn fuzz_systemd_units() {
    let good = [
        "[Unit]\nDescription=x\nAfter=network.target\n[Service]\nType=simple\nExecStart=/usr/bin/node \\\n  app.js \"a b\" $$X ${Y}\nEnvironment=\"A=1 2\" B=3\nEnvironmentFile=-/etc/x\nRestart=on-failure\nRestartSec=5min 20s\nUser=ana\nLimitNOFILE=1024:4096\n",
        "[Service]\nExecStart=-@/bin/sh sh -c 'echo %i'\nKillSignal=SIGTERM\nTimeoutStopSec=infinity\n",
    ];
    fuzz_text("systemd units", &good, |text| {
        _ = systemd::translate(text, "x.service").to_ecosystem();
    });
}

#[test]
fn fuzz_procfiles() {
    let good = ["web: node app.js -p $PORT\nworker: bundle exec x # no\n\n# y\nrelease: z\n"];
    fuzz_text("Procfiles", &good, |text| {
        _ = procfile::translate(text, "/srv", text.len() % 2 == 0).to_ecosystem();
    });
}

#[test]
fn fuzz_lists_of_pm2() {
    let good: [&[u8]; 2] = [
        br#"[{"name":"api","pm_id":0,"pm_exec_path":"/srv/app.js","pm_cwd":"/srv","exec_mode":"cluster_mode","instances":2,"args":["--port","1"],"node_args":[],"status":"online","env":{"A":"1","PM2_USAGE":"CLI"},"max_memory_restart":100000,"cron_restart":"0 3 * * *","kill_timeout":1600,"restart_time":3,"pmx_module":false,"namespace":"default","log_date_format":"YYYY","stop_exit_codes":[0]}]"#,
        br#"[{"pm2_env":{"name":"w","pm_exec_path":"/bin/sh","exec_interpreter":"none","status":"errored","watch":["src"],"ignore_watch":"x","exp_backoff_restart_delay":100},"pid":1,"monit":{"cpu":1,"memory":2}}]"#,
    ];
    fuzz("lists of PM2", &good, |bytes| {
        let Ok(list) = serde_json::from_slice::<Vec<Value>>(bytes) else { return };
        for app in pm2::apps(&list).0 {
            let fields = Value::Object(app.fields);
            _ = declare::imported("a list", &fields, Path::new("/srv"), app.env);
        }
    });
}
