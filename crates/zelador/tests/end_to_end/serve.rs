//! Static files as an app.

use std::io::{Read, Write};
use std::net::TcpStream;

use zelador_testbed::home::{free_port, http_get, text, until};

use crate::zelador;

#[test]
fn a_folder_is_served_as_an_app() {
    let zelador = zelador();
    let port = free_port();
    zelador.write("index.html", "home");
    zelador.write(".env", "hunter2");
    let port_text = port.to_string();
    let said = zelador.ok(&["serve", ".", &port_text, "--spa"]);
    assert!(said.err.contains("every address of this host"), "{}", said.err);
    until("the page", || http_get(port, "/") == Some((200, "home".to_owned())));
    assert_eq!(http_get(port, "/some/where"), Some((200, "home".to_owned())), "one page");
    assert!(!http_get(port, "/.env").unwrap().1.contains("hunter2"));
    let name = format!("static-page-server-{port}");
    assert_eq!(zelador.status(&name), "online");
    let shown = zelador.ok(&["show", &name]).out;
    assert!(shown.contains("zelador:serve"), "{shown}");
    // It ends when it is asked to.
    zelador.ok(&["stop", &name]);
    assert!(http_get(port, "/").is_none());
    assert!(!zelador.ok(&["show", &name]).out.contains("last death"), "it was not killed");
    let said = zelador.run(&["serve", "nowhere"]);
    assert!(said.code == 1 && said.err.contains("nowhere is no folder"), "{}", said.err);
}

#[test]
fn a_login_is_in_no_command_line_and_no_view() {
    let zelador = zelador();
    let port = free_port();
    zelador.write("index.html", "home");
    let mut serve = zelador.command(&[
        "expose",
        "--port",
        &port.to_string(),
        "--host",
        "127.0.0.1",
        "--name",
        "files",
    ]);
    serve.args(["--basic-auth-username", "ana"]).env("PM2_SERVE_BASIC_AUTH_PASSWORD", "hunter2");
    assert!(serve.status().unwrap().success());
    until("an answer", || http_get(port, "/").is_some_and(|(code, _)| code == 401));
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Basic YW5hOmh1bnRlcjI=\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("home"), "{answer}");
    let command_line =
        text(std::path::PathBuf::from(format!("/proc/{}/cmdline", zelador.pid("files"))));
    assert!(
        command_line.contains("serve-files") && !command_line.contains("hunter2"),
        "{command_line}"
    );
    for view in
        [&["show", "files"][..], &["jlist"], &["env", "0"], &["logs", "files", "--nostream"]]
    {
        assert!(!zelador.ok(view).out.contains("hunter2"), "{view:?}");
    }
}

#[test]
fn a_file_declares_folders_that_are_served() {
    let zelador = zelador();
    let (one, two) = (free_port(), free_port());
    std::fs::create_dir(zelador.app().join("public")).unwrap();
    zelador.write("public/index.html", "public");
    zelador.write("404.html", "own");
    zelador.write(
        "ecosystem.config.js",
        &format!(
            "module.exports = {{
               apps: [{{ name: 'front', script: 'serve', env: {{ PM2_SERVE_PATH: './public', PM2_SERVE_PORT: {one}, PM2_SERVE_SPA: 'true' }} }}],
               static: [{{ path: '.', port: {two}, host: '127.0.0.1' }}] }}"
        ),
    );
    zelador.ok(&["start", "ecosystem.config.js"]);
    until("the first", || http_get(one, "/x") == Some((200, "public".to_owned())));
    until("the second", || http_get(two, "/x") == Some((404, "own".to_owned())));
    assert_eq!(zelador.status(&format!("static-page-server-{two}")), "online");
    zelador.ok(&["stop", "ecosystem.config.js"]);
    assert!(http_get(one, "/").is_none() && http_get(two, "/").is_none());
}
