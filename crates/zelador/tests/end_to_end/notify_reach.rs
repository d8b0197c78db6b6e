//! Notices that reach their reader: in the reader's own words, and by mail servers that speak TLS.

use std::process::{Child, Command, Stdio};

use zelador_testbed::home::{Zelador, free_port, text, until};
use zelador_testbed::receiver::{Receiver, Reply};
use zelador_testbed::tls::TlsServer;

use crate::zelador;

/// A mail server that takes everything and writes down what it is told: `CERT KEY PORT FILE KIND`.
const POST: &str = "
const [cert, key, port, file, kind] = process.argv.slice(2), fs = require('fs'), net = require('net'), tls = require('tls');
const made = { cert: fs.readFileSync(cert), key: fs.readFileSync(key) };
const note = (text) => fs.appendFileSync(file, text + '\\n');
const talk = (stream, safe) => {
  let data = false, rest = '';
  stream.on('error', () => {});
  stream.on('data', (bytes) => {
    rest += bytes;
    for (let end; (end = rest.indexOf('\\r\\n')) >= 0;) {
      const line = rest.slice(0, end), word = line.split(' ')[0];
      rest = rest.slice(end + 2);
      note((safe ? 'safe ' : 'open ') + line);
      if (data) { if (line === '.') { data = false; stream.write('250 kept\\r\\n'); } }
      else if (word === 'EHLO') stream.write(safe ? '250-post\\r\\n250 8BITMIME\\r\\n' : '250-post\\r\\n250 STARTTLS\\r\\n');
      else if (word === 'DATA') { data = true; stream.write('354 go on\\r\\n'); }
      else if (word === 'QUIT') stream.end('221 bye\\r\\n');
      else if (word === 'STARTTLS') {
        stream.removeAllListeners('data');
        stream.write('220 go on\\r\\n', () => talk(new tls.TLSSocket(stream, { isServer: true, ...made }), true));
        return;
      } else stream.write('250 ok\\r\\n');
    }
  });
};
const greet = (stream, safe) => { stream.write('220 post ESMTP\\r\\n'); talk(stream, safe); };
const server = kind === 'implicit' ? tls.createServer(made, (stream) => greet(stream, true)) : net.createServer((stream) => greet(stream, false));
server.on('tlsClientError', () => note('refused'));
server.listen(port, '127.0.0.1', () => note('listening'));
";

/// A mail server. Ended when dropped.
struct Post(Child);

impl Post {
    fn start(zelador: &Zelador, tls: &TlsServer, port: u16, kind: &str) -> Self {
        let script = zelador.write("post.js", POST);
        let cert = tls.certificate();
        let file = zelador.app().join(format!("{kind}.txt"));
        let child = Command::new("node")
            .arg(script)
            .args([&cert, &cert.with_file_name("key.pem")])
            .arg(port.to_string())
            .arg(&file)
            .arg(kind)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        until("the mail server", || text(&file).contains("listening"));
        Self(child)
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

#[test]
fn mail_goes_over_tls_to_a_server_that_is_vouched_for_and_to_no_other() {
    let (zelador, tls) = (zelador(), TlsServer::start(30));
    let kinds = ["implicit", "starttls"];
    let servers = kinds.map(|kind| {
        let port = free_port();
        (port, Post::start(&zelador, &tls, port, kind))
    });
    let channel = |at: usize| {
        format!(
            "{0}: {{ mail: {{ host: 'localhost', port: {1}, tls: '{0}', from: 'zelador@example.org', to: 'ops@example.org' }} }}",
            kinds[at], servers[at].0
        )
    };
    zelador.write(
        "ecosystem.config.js",
        &format!(
            "module.exports = {{ apps: [], zelador: {{ notify: {{ channels: {{ {}, {} }}, routes: [{{ app: 'x', to: 'implicit' }}] }} }} }}",
            channel(0),
            channel(1)
        ),
    );
    let start = |trust: bool| {
        let mut command = zelador.command(&["start", "ecosystem.config.js"]);
        if trust {
            command.env("SSL_CERT_FILE", tls.certificate());
        }
        let said = command.output().unwrap();
        assert!(said.status.success(), "{said:?}");
    };
    start(false);
    for kind in kinds {
        let said = zelador.run(&["notify", "test", kind]);
        assert_eq!(said.code, 1, "nobody vouches for it: {}", said.out);
        assert!(said.err.contains("certificate"), "{}", said.err);
        assert!(!text(zelador.app().join(format!("{kind}.txt"))).contains("Subject"));
    }
    zelador.ok(&["kill"]);
    start(true);
    for kind in kinds {
        let said = zelador.ok(&["notify", "test", kind]).out;
        assert!(said.contains("took the message"), "{said}");
        let told = text(zelador.app().join(format!("{kind}.txt")));
        for part in ["MAIL FROM:<zelador@example.org>", "RCPT TO:<ops@example.org>", "Subject: "] {
            assert!(told.contains(&format!("safe {part}")), "{kind}: {told}");
            assert!(!told.contains(&format!("open {part}")), "in the clear, {kind}: {told}");
        }
    }
}

#[test]
fn a_template_is_what_the_channel_shows() {
    let (zelador, slack) = (zelador(), Receiver::start(Reply::Say(200, "", "ok")));
    let plain = Receiver::start(Reply::Say(200, "", "ok"));
    let secrets = format!("SLACK={}/a\nPLAIN={}/b\n", slack.url(), plain.url());
    std::fs::write(zelador.home().join("secrets.env"), secrets).unwrap();
    zelador.write(
        "ecosystem.config.js",
        "module.exports = { apps: [{ name: 'api', script: 'false', max_restarts: 2, restart_delay: 0 }],
           zelador: { checks: { cpu: false, memory: false, disk: false }, notify: { channels: {
             ops: { slack: { url_env: 'SLACK' }, template: { title: 'ATENÇÃO {app} ({severity})', text: 'ver {kind} <{app}>: {text}' } },
             hook: { webhook: { url_env: 'PLAIN' }, template: { text: '{app} has {title}' } } } } } }",
    );
    zelador.run(&["start", "ecosystem.config.js"]);
    let told =
        |of: &Receiver| of.got().iter().map(|it| it.body.clone()).find(|it| it.contains("api"));
    until("both to be told", || told(&slack).is_some() && told(&plain).is_some());
    let body: serde_json::Value = serde_json::from_str(&told(&slack).unwrap()).unwrap();
    let shown = body["attachments"][0]["blocks"].to_string();
    let titles = ["critical", "warning"].map(|it| format!("ATENÇÃO api ({it})"));
    assert!(titles.iter().any(|it| shown.contains(it)), "{shown}");
    // What is of Slack's own language is not taken for it.
    assert!(shown.contains("&lt;api&gt;"), "{shown}");
    let body: serde_json::Value = serde_json::from_str(&told(&plain).unwrap()).unwrap();
    let title = body["title"].as_str().unwrap();
    assert_eq!(body["text"], format!("api has {title}"), "{body}");
}
