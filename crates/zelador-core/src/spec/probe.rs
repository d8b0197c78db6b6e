//! What can be asked of an app, or of anything else that has a name among the checks.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::JsonCondition;
use crate::redact;
use crate::words;
use crate::words::{Words, quoted};

/// What a check asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProbeTarget {
    /// A request over HTTP/1.1.
    Http(HttpProbe),
    /// A connection that must be accepted.
    Tcp(TalkProbe),
    /// A datagram that must be answered, if an answer is expected.
    Udp(TalkProbe),
    /// A connection to a unix socket; the place is its path.
    Unix(TalkProbe),
    /// A program: exit code 0 is healthy, 1 degraded, anything else unhealthy; its last line of
    /// output is the message.
    Command(CommandProbe),
    /// A name that must have an address.
    Dns {
        /// The name.
        name: String,
        /// Addresses that must be among those found.
        expect: Vec<String>,
    },
    /// The health protocol of gRPC, over HTTP/2 without TLS.
    Grpc {
        /// `host:port`.
        address: String,
        /// The service that is asked about; empty: the server as a whole.
        service: String,
    },
    /// A WebSocket that must open, and answer if an answer is expected.
    WebSocket {
        /// `ws://host:port/path` or `wss://…`.
        url: String,
        /// Text that is sent when it is open.
        send: Option<String>,
        /// Text that the first message must contain.
        expect: Option<String>,
    },
    /// A file that must exist, be young enough, large enough.
    File(FileProbe),
    /// A certificate that must be valid for some time yet.
    Certificate {
        /// `host:port`, or the path of a PEM file.
        of: String,
    },
    /// How often lines with a pattern are written to a log: lines a minute.
    Log {
        /// The files; none: the app's own logs.
        paths: Vec<PathBuf>,
        /// A regular expression.
        pattern: String,
    },
    /// The service calls us, at `/api/heartbeat/NAME`, at least so often.
    Heartbeat {
        /// Longer silence is unhealthy.
        every: Duration,
    },
    /// What the app's process tree uses: only its limits judge.
    Process,
}

/// A request over HTTP/1.1, and what a good answer is.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpProbe {
    /// `http://host:port/path` or `https://…`.
    pub url: String,
    /// The method; GET unless told otherwise.
    #[serde(default = "get", skip_serializing_if = "is_get")]
    pub method: String,
    /// Further headers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Lowest and highest status that is healthy. Kubernetes: 200 to 399.
    pub status: (u16, u16),
    /// Further ranges that are healthy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more_status: Vec<(u16, u16)>,
    /// Ranges that are degraded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub degraded_status: Vec<(u16, u16)>,
    /// Text that the body must contain.
    pub contains: Option<String>,
    /// Text that the body must not contain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lacks: Option<String>,
    /// What values in a JSON body must be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub json: Vec<JsonCondition>,
    /// The same, but what does not hold is degraded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub degraded_json: Vec<JsonCondition>,
    /// True: any certificate will do.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub insecure: bool,
}

fn get() -> String {
    "GET".to_owned()
}

fn is_get(method: &String) -> bool {
    method == "GET"
}

/// What Kubernetes takes as healthy.
pub const HEALTHY_STATUS: (u16, u16) = (200, 399);

impl HttpProbe {
    /// A GET of this URL, whose answer must be 200 to 399.
    pub fn get(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            method: get(),
            headers: BTreeMap::new(),
            body: None,
            status: HEALTHY_STATUS,
            more_status: Vec::new(),
            degraded_status: Vec::new(),
            contains: None,
            lacks: None,
            json: Vec::new(),
            degraded_json: Vec::new(),
            insecure: false,
        }
    }
}

impl std::fmt::Debug for HttpProbe {
    /// The URL and the headers are shown without their secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpProbe")
            .field("method", &self.method)
            .field("url", &redact::url(&self.url))
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// A place that is spoken to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TalkProbe {
    /// `host:port`, or the path of a socket.
    pub address: String,
    /// What is sent; `\r`, `\n`, `\t` and `\xNN` stand for themselves as in C.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send: Option<String>,
    /// Text that must come back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<String>,
}

impl TalkProbe {
    /// A place where a connection must be accepted.
    pub fn new(address: impl Into<String>) -> Self {
        Self { address: address.into(), send: None, expect: None }
    }

    /// The bytes that are sent.
    pub fn bytes_to_send(&self) -> Vec<u8> {
        unescaped(self.send.as_deref().unwrap_or_default())
    }
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'\\' {
            bytes.push(*first);
            continue;
        }
        let (byte, used) = match tail {
            [b'n', ..] => (b'\n', 1),
            [b'r', ..] => (b'\r', 1),
            [b't', ..] => (b'\t', 1),
            [b'0', ..] => (0, 1),
            [b'\\', ..] => (b'\\', 1),
            [b'x', high, low, ..] => {
                let digits = [*high, *low];
                let code = std::str::from_utf8(&digits).ok();
                match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
                    Some(byte) => (byte, 3),
                    None => (b'\\', 0),
                }
            }
            _ => (b'\\', 0),
        };
        bytes.push(byte);
        rest = &rest[used..];
    }
    bytes
}

/// A program that looks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandProbe {
    /// The program and its arguments.
    pub words: Vec<String>,
    /// Where it runs.
    pub cwd: PathBuf,
    /// The user it runs as; `None`: zelador's own.
    #[serde(default)]
    pub user: Option<String>,
}

/// A file that is looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileProbe {
    /// Which one.
    pub path: PathBuf,
    /// True: it must not exist.
    #[serde(default)]
    pub absent: bool,
    /// Not written for longer than this is unhealthy.
    #[serde(default)]
    pub max_age: Option<Duration>,
    /// Fewer bytes are unhealthy.
    #[serde(default)]
    pub min_size: Option<u64>,
    /// More bytes are unhealthy.
    #[serde(default)]
    pub max_size: Option<u64>,
}

impl ProbeTarget {
    /// What is asked, in few words: `GET http://127.0.0.1/ answers 200 to 399`.
    pub fn said(&self) -> String {
        self.words().english().to_owned()
    }

    /// The same in every language.
    pub fn words(&self) -> Words {
        let talks = |place: Words, talk: &TalkProbe| match &talk.expect {
            Some(expect) => words!(
                "{place} answers with `{expect}`",
                "{place} responde com `{expect}`",
                place = place,
            ),
            None => {
                words!("{place} accepts a connection", "{place} aceita uma conexão", place = place,)
            }
        };
        match self {
            Self::Http(http) => {
                let (from, to) = http.status;
                let url = redact::url(&http.url);
                let method = &http.method;
                words!(
                    "{method} {url} answers {from} to {to}",
                    "{method} {url} responde de {from} a {to}",
                )
            }
            Self::Tcp(talk) => talks(quoted(&talk.address), talk),
            Self::Udp(TalkProbe { address, expect, .. }) => match expect {
                Some(expect) => words!(
                    "{address} answers a datagram with `{expect}`",
                    "{address} responde a um datagrama com `{expect}`",
                ),
                None => words!("{address} takes a datagram", "{address} aceita um datagrama"),
            },
            Self::Unix(talk) => {
                let path = &talk.address;
                talks(words!("the socket {path}", "o socket {path}"), talk)
            }
            Self::Command(command) => {
                let line = redact::text(&command.words.join(" "));
                words!("`{line}` exits with 0", "`{line}` sai com 0")
            }
            Self::Dns { name, .. } => {
                words!("the name {name} has an address", "o nome {name} tem um endereço")
            }
            Self::Grpc { address, service } if service.is_empty() => {
                words!("gRPC at {address} serves", "gRPC em {address} atende")
            }
            Self::Grpc { address, service } => {
                words!("gRPC at {address} serves {service}", "gRPC em {address} atende {service}")
            }
            Self::WebSocket { url, .. } => {
                let url = redact::url(url);
                words!("{url} opens", "{url} abre")
            }
            Self::File(file) => {
                let path = file.path.display();
                if file.absent {
                    words!("{path} does not exist", "{path} não existe")
                } else {
                    words!("{path} is as it should be", "{path} está como deve")
                }
            }
            Self::Certificate { of } => words!(
                "the certificate of {of} stays valid",
                "o certificado de {of} continua válido",
            ),
            Self::Log { paths, pattern } => {
                let own = || words!("its log", "seu log");
                let file = paths.first().map_or_else(own, |path| quoted(path.display()));
                words!(
                    "few lines of {file} match `{pattern}`",
                    "poucas linhas de {file} contêm `{pattern}`",
                    file = file,
                )
            }
            Self::Process => words!(
                "its processes stay within their limits",
                "seus processos ficam dentro dos limites",
            ),
            Self::Heartbeat { every } => {
                words!("it calls at least every {t}", "chama ao menos a cada {t}", t = *every)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_may_have_escapes() {
        let sent = |text: &str| {
            TalkProbe { send: Some(text.to_owned()), ..TalkProbe::new("x") }.bytes_to_send()
        };
        assert_eq!(sent(r"PING\r\n"), b"PING\r\n");
        assert_eq!(sent(r"\x1b\\n\q\x"), b"\x1b\\n\\q\\x");
    }
}
