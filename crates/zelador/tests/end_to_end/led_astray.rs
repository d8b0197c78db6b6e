//! An app's user who puts something else where zelador, as root, writes and reads for the app.

use std::fs;
use std::os::unix::fs::{chown, lchown, symlink};
use std::path::Path;

use zelador_testbed::home::{Zelador, text, until};

use crate::zelador;

const NOBODY: u32 = 65534;

/// A folder of nobody's with links of nobody's, each to a file of root's that says `secret`.
fn folder_with_links(zelador: &Zelador, names: &[&str]) -> std::path::PathBuf {
    let folder = zelador.app().join("own");
    fs::create_dir(&folder).unwrap();
    fs::create_dir(zelador.app().join("roots")).unwrap();
    for name in names {
        let target = zelador.app().join("roots").join(name);
        fs::write(&target, "secret\n").unwrap();
        symlink(target, folder.join(name)).unwrap();
        lchown(folder.join(name), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    chown(&folder, Some(NOBODY), Some(NOBODY)).unwrap();
    folder
}

fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|it| it.file_type().is_symlink())
}

#[test]
fn no_link_of_an_apps_user_leads_root_to_another_file() {
    if !rustix::process::geteuid().is_root() {
        println!("not run: only root runs apps of other users");
        return;
    }
    let zelador = zelador();
    let names = ["out.log", "err.log", "app-0.pid"];
    let own = folder_with_links(&zelador, &names);
    let missing = zelador.app().join("roots/made");
    fs::remove_file(own.join("err.log")).unwrap();
    symlink(&missing, own.join("err.log")).unwrap();
    lchown(own.join("err.log"), Some(NOBODY), Some(NOBODY)).unwrap();
    let path = |name: &str| own.join(name).display().to_string();
    zelador.start(&format!(
        "{{ name: 'a', script: 'sh', args: ['-c', 'echo said; echo bad >&2; exec sleep 1000'],
            out_file: '{}', error_file: '{}', pid_file: '{}' }}",
        path("out.log"),
        path("err.log"),
        path("app.pid"),
    ));
    let told = |name: &str| {
        let log = text(zelador.home().join("zelador.log"));
        log.lines().any(|line| line.contains(&path(name)) && line.contains("is a link"))
    };
    until("it is told", || names.iter().all(|name| told(name)));
    let flushed = zelador.run(&["flush"]);
    let flushed = format!("{}{}", flushed.out, flushed.err);
    assert!(flushed.contains("is a link"), "{flushed}");
    let shown = zelador.run(&["logs", "--nostream"]);
    let shown = format!("{}{}", shown.out, shown.err);
    assert!(!shown.contains("secret"), "{shown}");
    for name in ["out.log", "app-0.pid"] {
        assert_eq!(text(zelador.app().join("roots").join(name)), "secret\n", "{name}");
    }
    assert!(!missing.exists() && is_link(&own.join("out.log")));
    assert_eq!(zelador.status("a"), "online");
    // The lines wait until there is a place for them.
    for name in ["out.log", "err.log"] {
        fs::remove_file(own.join(name)).unwrap();
    }
    until("its lines are written", || {
        text(own.join("out.log")) == "said\n" && text(own.join("err.log")) == "bad\n"
    });
}
