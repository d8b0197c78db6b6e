//! Whoever asks for Portuguese reads Portuguese: every page is compared with what it is in English.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use zelador_testbed::home::{Zelador, free_port, http_get, until, until_within};

use crate::{SERVER, zelador};

/// What is the same in both languages although it has two words or more: what servers, programs and the system said,
/// and the refusal of a command.
const QUOTED: [&str; 5] = [
    "listen EADDRINUSE",
    "address already in use",
    "throw er",
    "Unhandled 'error' event",
    "no app, and no id, is called",
];

/// Attributes that people see or hear.
const SPOKEN: [&str; 20] = [
    "aria-label",
    "title",
    "placeholder",
    "data-more",
    "data-none",
    "data-match",
    "data-failed",
    "data-loading",
    "data-summary",
    "data-foretold",
    "data-limitword",
    "data-memory",
    "data-cpu",
    "data-latency",
    "data-restarts",
    "data-on",
    "data-off",
    "data-of",
    "data-label",
    "alt",
];

fn page(zelador: &Zelador, path: &str, language: &str) -> String {
    asked(zelador, &format!("GET /health{path}"), language, "", "")
}

/// What a request of the dashboard is answered.
fn asked(zelador: &Zelador, what: &str, language: &str, token: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", zelador.port())).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let length = body.len();
    let token = match token {
        "" => String::new(),
        token => format!("authorization: Bearer {token}\r\ncontent-type: application/json\r\n"),
    };
    write!(
        stream,
        "{what} HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: text/html\r\naccept-language: {language}\r\n\
         {token}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

/// What a person reads or hears of a page: texts between tags, without scripts, and what attributes say.
fn texts(html: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut rest = html.split_once("<body").map_or("", |(_, body)| body);
    let mut silent = None;
    while let Some((text, after)) = rest.split_once('<') {
        let Some((tag, more)) = after.split_once('>') else { break };
        if silent.is_none() {
            found.insert(decoded(text));
        }
        rest = more;
        let name = tag.split([' ', '/']).next().unwrap_or_default();
        match silent {
            Some(open) if tag == format!("/{open}") => silent = None,
            // Names and values, and what programs have written.
            None if ["script", "style", "time", "code"].contains(&name) => {
                silent = Some(name.to_owned());
            }
            None if tag.contains("translate=\"no\"") => silent = Some(name.to_owned()),
            None if tag.starts_with("div class=\"line") => silent = Some(name.to_owned()),
            _ => {}
        }
        for attribute in SPOKEN {
            let said = tag.split_once(&format!(" {attribute}=\"")).map(|(_, value)| value);
            let said = said.and_then(|value| value.split_once('"'));
            found.extend(said.map(|(value, _)| decoded(value)));
        }
    }
    found
}

fn decoded(text: &str) -> String {
    let plain = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&amp;", "&")];
    plain.iter().fold(text.trim().to_owned(), |text, (code, sign)| text.replace(code, sign))
}

/// The words of a text, without what is quoted in it.
fn words(text: &str) -> Vec<String> {
    let text = QUOTED.iter().fold(text.to_owned(), |text, quoted| text.replace(quoted, "|"));
    // What stands between backticks is a name.
    let own: Vec<&str> = text.split('`').step_by(2).collect();
    let is_word =
        |word: &&str| !word.is_empty() && word.chars().all(|c| c.is_alphabetic() || c == '\'');
    own.join("|")
        .split(|c: char| c.is_whitespace() || "(),.;:".contains(c))
        .filter(is_word)
        .map(str::to_lowercase)
        .collect()
}

/// What of a Portuguese text is English: all of it, or three words in a row.
fn english_in(pt: &str, en: &BTreeSet<String>) -> Option<String> {
    let own = words(pt);
    if own.len() >= 2 && pt.contains(char::is_whitespace) && en.contains(pt) {
        return Some(pt.to_owned());
    }
    let rows =
        |words: &[String]| words.windows(3).map(|row| row.join(" ")).collect::<BTreeSet<_>>();
    let theirs: BTreeSet<String> = en.iter().flat_map(|text| rows(&words(text))).collect();
    rows(&own).intersection(&theirs).next().map(|row| format!("{row}: {pt}"))
}

/// Pages in a state that says much: apps that hang, die, cannot get their port and wait for a database, checks of
/// every kind that fail, somebody who sets things aside, commands of every kind.
#[test]
fn no_sentence_of_zelador_is_left_in_english_on_a_portuguese_page() {
    let zelador = zelador();
    let (port, nobody) = (free_port(), free_port());
    // Accepts, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().unwrap();
    let held = silent.port();
    zelador.write("server.js", SERVER);
    let closed = format!("127.0.0.1:{nobody}");
    let secrets = format!("HOOK=http://{closed}/\n");
    std::fs::write(zelador.home().join("secrets.env"), secrets).unwrap();
    let usual = "interval: '500ms', timeout: '300ms', failure_threshold: 1";
    zelador.write(
        "ecosystem.config.js",
        &format!(
            "const soon = {{ {usual} }};
             const web = (more) => ({{ script: 'server.js', kill_timeout: 500, ...more }});
             const health = (more) => ({{ ...soon, start_period: '500ms', verify_within: '3s', ...more }});
             module.exports = {{ zelador: {{
               checks: {{ interval: '1s', load: {{ degraded: 0.0001, unhealthy: 2000 }},
                 backup: {{ file: '/nowhere/at/all', ...soon }}, old: {{ file: '/etc/passwd', max_age: '1s', ...soon }},
                 gate: {{ tcp: '{closed}', ...soon }}, mute: {{ http: 'http://{silent}/', ...soon }},
                 name: {{ dns: 'nowhere.invalid', ...soon }}, proof: {{ certificate: '/etc/passwd', ...soon }},
                 tool: {{ command: ['sh', '-c', 'exit 2'], ...soon }}, rpc: {{ grpc: '{silent}', ...soon }},
                 job: {{ heartbeat: '1500ms', ...soon }}, socket: {{ unix: '/nowhere.sock', ...soon }} }},
               notify: {{ channels: {{ hook: {{ webhook: {{ url_env: 'HOOK' }} }}, lost: {{ ntfy: {{ topic_env: 'LOST' }} }} }} }},
               databases: {{ main: {{ url: 'postgres://u:p@{closed}/x', interval: '1s', timeout: '1s' }},
                 cache: {{ url: 'redis://{closed}/0', interval: '1s', timeout: '1s' }} }} }},
             apps: [
               web({{ name: 'loja', env: {{ PORT: {port}, DB_PASSWORD: 'hunter2' }}, max_memory_restart: '300M',
                 health: health({{ http: 'http://127.0.0.1:{port}/health', timeout: '1s' }}) }}),
               web({{ name: 'taken', env: {{ PORT: {held} }}, max_restarts: 2, half_open_after: '30m' }}),
               {{ name: 'lost', script: 'false', max_restarts: 2, half_open_after: '30m' }},
               {{ name: 'killed', script: 'sleep', args: '1000' }},
               {{ name: 'waits', script: 'sleep', args: '1000', depends_on: {{ main: {{ condition: 'healthy' }} }} }},
               {{ name: 'after', script: 'sleep', args: '1000', depends_on: {{ taken: {{ condition: 'ready' }} }} }},
               {{ name: 'bad', script: 'sleep', args: '1000', health: health({{ http: 'http://{closed}/' }}), heal: {{ mode: 'observe' }} }},
               {{ name: 'trio', script: 'sleep', args: '1000', instances: 3 }},
               {{ name: 'down', script: 'sleep', args: '1000', autostart: false }},
               {{ name: 'alien', script: './alien.sh', interpreter: 'none' }},
               {{ name: 'foreign', script: 'sleep', args: '1000', uid: 'nobody-here' }},
               {{ name: 'homeless', script: 'sleep', args: '1000', cwd: '/nowhere/at/all' }},
               {{ name: 'grouped', script: 'sleep', args: '1000', limits: {{ groups: ['nobody-here'] }} }}] }}",
        ),
    );
    let alien = zelador.write("alien.sh", "#!/nowhere/at/all\n");
    std::fs::set_permissions(alien, PermissionsExt::from_mode(0o755)).unwrap();
    zelador.ok(&["config", "check", "ecosystem.config.js"]);
    // Something does not come up, and that is the answer.
    _ = zelador.run(&["start", "ecosystem.config.js"]);
    until("it to answer", || http_get(port, "/health").is_some_and(|(code, _)| code == 200));
    zelador_testbed::home::kill(zelador.pid("killed"), rustix::process::Signal::KILL);
    _ = http_get(port, "/hang");
    for command in [
        &["scale", "trio", "2"][..],
        &["reload", "trio"],
        &["restart", "trio"],
        &["stop", "trio"],
        &["start", "trio"],
        &["maintenance", "start", "30m", "trio"],
        &["check", "mute", "gate"],
        &["reset", "loja"],
    ] {
        _ = zelador.run(command);
    }
    // What is refused, which the audit tells.
    for command in [
        &["restart", "nobody"][..],
        &["scale", "trio", "0"],
        &["incident", "approve", "9999"],
        &["check", "mute", "gat"],
        &["trigger", "trio", "dance"],
    ] {
        assert_ne!(zelador.run(command).code, 0, "{command:?}");
    }
    let of = |app: &str| zelador.incidents().into_iter().find(|it| it["app"] == app);
    let healed = || of("loja").is_some_and(|it| it["stage"]["outcome"] == "healed");
    until_within("it to be healed", Duration::from_mins(1), healed);
    until_within("the port to be explained", Duration::from_mins(1), || {
        let found = of("taken").is_some_and(|it| !it["diagnosis"].is_null());
        found && zelador.status("taken") == "errored" && zelador.status("lost") == "errored"
    });
    until("what cannot be started to be given up", || {
        ["alien", "foreign", "homeless", "grouped"].iter().all(|it| zelador.status(it) == "errored")
    });
    until("what is observed", || of("bad").is_some_and(|it| !it["diagnosis"].is_null()));
    let mut pages: Vec<String> =
        ["", "/incidents", "/checks", "/retries", "/breakers", "/report", "/settings", "/audit"]
            .map(str::to_owned)
            .to_vec();
    pages.extend(["/login", "/app/nothing", "/incident/9999"].map(str::to_owned));
    let apps = [
        "loja", "taken", "lost", "killed", "waits", "after", "bad", "trio", "down", "alien",
        "foreign", "homeless", "grouped",
    ];
    pages.extend(apps.map(|app| format!("/app/{app}")));
    let incidents = zelador.incidents();
    pages.extend(incidents.iter().map(|it| format!("/incident/{}", it["id"])));
    let mut left: BTreeMap<String, String> = BTreeMap::new();
    let mut read = BTreeSet::new();
    for path in &pages {
        let (en, pt) = (page(&zelador, path, "en"), page(&zelador, path, "pt-BR"));
        assert!(pt.contains("lang=\"pt-BR\""), "{path}: {pt}");
        let (en, pt) = (texts(&en), texts(&pt));
        let english = pt.iter().filter_map(|text| english_in(text, &en));
        left.extend(english.map(|text| (text, path.clone())));
        read.extend(pt.into_iter().filter(|text| words(text).len() >= 2));
    }
    assert!(read.len() > 200, "{} sentences are no realistic state", read.len());
    assert_eq!(left, BTreeMap::new(), "English, and on which page");
    let settings = page(&zelador, "/settings", "pt-BR");
    for why in ["sem conexão com 127.0.0.1: conexão recusada", "$LOST não está no ambiente"] {
        assert!(settings.contains(why), "{why}: {settings}");
    }
    // What stands as somebody else's word is passed over above: why there is no further attempt is zelador's.
    let retries = page(&zelador, "/retries", "pt-BR");
    assert!(retries.contains("tentativas falharam, a última porque"), "{retries}");
    assert!(!retries.contains("attempts failed"), "{retries}");
}

#[test]
fn what_a_button_is_refused_is_told_in_the_language_of_the_page() {
    let zelador = zelador();
    zelador.start("{ name: 'loja', script: 'sleep', args: '1000' }");
    let token = zelador.ok(&["token"]).out;
    let restart = r#"{"verb":"restart","of":"nada"}"#;
    let told = |language| asked(&zelador, "POST /health/act", language, token.trim(), restart);
    let answer = told("pt-BR");
    assert!(answer.contains("nenhum aplicativo, e nenhum id, se chama `nada`"), "{answer}");
    assert!(answer.contains("`zelador list` mostra o que há"), "{answer}");
    let answer = told("en");
    assert!(answer.contains("no app, and no id, is called `nada`"), "{answer}");
    let wrong = asked(&zelador, "POST /health/login", "pt-BR", token.trim(), r#"{"token":"nada"}"#);
    assert!(wrong.contains("esse não é o token"), "{wrong}");
}
