//! Speaking to a port or a socket: something is sent, something must come back.

use std::net::SocketAddr;
use std::path::Path;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{UdpSocket, UnixStream};
use zelador_core::probe::{Finding, Measure};
use zelador_core::spec::TalkProbe;
use zelador_core::words;

use super::connect::{connect, resolve, split};
use super::patience::Patience;
use super::said;

/// How much of an answer is read and searched.
const ANSWER_READ: usize = 64 << 10;

/// Looks whether a connection is accepted, and what comes back.
pub(super) async fn tcp(talk: &TalkProbe, patience: Patience) -> Finding {
    let Some((host, port)) = split(&talk.address) else {
        return Finding::Unavailable { detail: said::not_an_address(&talk.address) };
    };
    let begin = tokio::time::Instant::now();
    let stream = match connect(host, port, patience).await {
        Ok(stream) => stream,
        Err(finding) => return finding,
    };
    let connected = begin.elapsed();
    if talk.send.is_none() && talk.expect.is_none() {
        return Finding::Answered { detail: said::connected() };
    }
    let finding = converse(stream, talk, patience).await;
    match finding {
        Finding::Answered { detail } => {
            let measures = vec![Measure::span("connect", connected)];
            Finding::Measured { detail, measures }
        }
        other => other,
    }
}

/// The same over a unix socket.
pub(super) async fn unix(talk: &TalkProbe, patience: Patience) -> Finding {
    let path = Path::new(&talk.address);
    match patience.wait(UnixStream::connect(path)).await {
        Ok(Ok(_)) if talk.send.is_none() && talk.expect.is_none() => {
            Finding::Answered { detail: said::connected() }
        }
        Ok(Ok(stream)) => converse(stream, talk, patience).await,
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => {
            Finding::Refused { detail: said::no_socket(&talk.address) }
        }
        Ok(Err(error)) => Finding::Refused { detail: said::at(&error, &talk.address) },
        Err(_) => Finding::TimedOut { detail: said::no_connection(&talk.address, patience) },
    }
}

async fn converse(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    talk: &TalkProbe,
    patience: Patience,
) -> Finding {
    let mut answer = Vec::new();
    let conversation = async {
        stream.write_all(&talk.bytes_to_send()).await?;
        stream.flush().await?;
        let Some(expect) = &talk.expect else { return Ok(true) };
        let mut buffer = [0; 4096];
        while answer.len() < ANSWER_READ {
            let read = stream.read(&mut buffer).await?;
            if read == 0 {
                return Ok(false);
            }
            answer.extend_from_slice(&buffer[..read]);
            if memchr::memmem::find(&answer, expect.as_bytes()).is_some() {
                return Ok(true);
            }
        }
        Ok::<_, std::io::Error>(false)
    };
    let result = patience.wait(conversation).await;
    conclude(result, talk, &answer, patience)
}

/// Sends a datagram; where nothing is expected, only a port that is known to be closed is bad.
pub(super) async fn udp(talk: &TalkProbe, patience: Patience) -> Finding {
    let Some((host, port)) = split(&talk.address) else {
        return Finding::Unavailable { detail: said::not_an_address(&talk.address) };
    };
    let addresses = match resolve(host, port, patience).await {
        Ok(addresses) => addresses,
        Err(finding) => return finding,
    };
    let mut found = Finding::Refused { detail: said::no_address(host) };
    for address in addresses {
        found = udp_at(address, talk, patience).await;
        if !matches!(found, Finding::Refused { .. }) {
            break;
        }
    }
    found
}

async fn udp_at(address: SocketAddr, talk: &TalkProbe, patience: Patience) -> Finding {
    let mut answer = Vec::new();
    let exchange = async {
        let local = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(local).await?;
        socket.connect(address).await?;
        socket.send(&talk.bytes_to_send()).await?;
        let mut buffer = vec![0; ANSWER_READ];
        let Some(expect) = &talk.expect else {
            // A closed port is told by the host itself, on the next call.
            tokio::task::yield_now().await;
            socket.send(&[]).await?;
            return Ok(true);
        };
        let read = socket.recv(&mut buffer).await?;
        answer.extend_from_slice(&buffer[..read]);
        Ok::<_, std::io::Error>(memchr::memmem::find(&answer, expect.as_bytes()).is_some())
    };
    let result = patience.wait(exchange).await;
    conclude(result, talk, &answer, patience)
}

fn conclude(
    result: Result<std::io::Result<bool>, tokio::time::error::Elapsed>,
    talk: &TalkProbe,
    answer: &[u8],
    patience: Patience,
) -> Finding {
    let shown = || {
        let text = String::from_utf8_lossy(answer);
        let printable = text.chars().map(|c| if c.is_control() { ' ' } else { c });
        zelador_core::redact::text(printable.take(60).collect::<String>().trim())
    };
    let expect = talk.expect.as_deref().unwrap_or_default();
    match result {
        Ok(Ok(true)) if talk.expect.is_some() => Finding::Answered {
            detail: words!("answered with `{expect}`", "respondeu com `{expect}`"),
        },
        Ok(Ok(true)) => Finding::Answered { detail: words!("taken", "recebido") },
        Ok(Ok(false)) if answer.is_empty() => {
            Finding::WrongAnswer { detail: said::closed_without_answer() }
        }
        Ok(Ok(false)) => {
            let answer = shown();
            let detail = words!(
                "answered `{answer}`, without `{expect}`",
                "respondeu `{answer}`, sem `{expect}`",
            );
            Finding::WrongAnswer { detail }
        }
        Ok(Err(error)) => Finding::Refused { detail: said::at(&error, &talk.address) },
        Err(_) if answer.is_empty() => {
            Finding::TimedOut { detail: said::no_answer(&talk.address, patience) }
        }
        Err(_) => {
            let answer = shown();
            let detail = words!(
                "answered `{answer}`, but not `{expect}` within {t}",
                "respondeu `{answer}`, mas não `{expect}` em {t}",
                t = patience.timeout(),
            );
            Finding::TimedOut { detail }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::net::{TcpListener, UnixListener};

    use zelador_core::words::quoted;

    use super::*;
    use crate::checks::rig::LONG;

    fn talk(address: String, send: &str, expect: &str) -> TalkProbe {
        TalkProbe { address, send: Some(send.to_owned()), expect: Some(expect.to_owned()) }
    }

    async fn echo(stream: impl AsyncRead + AsyncWrite + Unpin) {
        let (mut read, mut write) = tokio::io::split(stream);
        _ = tokio::io::copy(&mut read, &mut write).await;
    }

    #[tokio::test]
    async fn what_is_sent_must_bring_back_what_is_expected() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(echo(stream));
            }
        });
        let found = tcp(&talk(address.clone(), r"PING\r\n", "PING"), Patience::new(LONG)).await;
        let Finding::Measured { detail, measures } = found else { panic!("{found:?}") };
        assert_eq!(
            (detail.english(), measures[0].name.as_str()),
            ("answered with `PING`", "connect")
        );
        let short = Patience::new(Duration::from_millis(200));
        let found = tcp(&talk(address, "PING", "PONG"), short).await;
        let detail = quoted("answered `PING`, but not `PONG` within 200 ms");
        assert_eq!(found, Finding::TimedOut { detail });
    }

    #[tokio::test]
    async fn a_unix_socket_is_spoken_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s").display().to_string();
        let missing = unix(&TalkProbe::new(path.clone()), Patience::new(LONG)).await;
        assert_eq!(missing, Finding::Refused { detail: quoted(format!("no socket at {path}")) });
        let listener = UnixListener::bind(&path).unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(echo(stream));
            }
        });
        let found = unix(&talk(path.clone(), "hello", "hell"), Patience::new(LONG)).await;
        assert_eq!(found, Finding::Answered { detail: quoted("answered with `hell`") });
        let found = unix(&TalkProbe::new(path), Patience::new(LONG)).await;
        assert_eq!(found, Finding::Answered { detail: quoted("connected") });
    }

    #[tokio::test]
    async fn a_datagram_is_answered_or_refused() {
        let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = server.local_addr().unwrap().to_string();
        let task = tokio::spawn(async move {
            let mut buffer = [0; 64];
            let (read, from) = server.recv_from(&mut buffer).await.unwrap();
            server.send_to(&buffer[..read], from).await.unwrap();
        });
        let found = udp(&talk(address.clone(), "ping", "pi"), Patience::new(LONG)).await;
        assert_eq!(found, Finding::Answered { detail: quoted("answered with `pi`") });
        task.await.unwrap();
        let found = udp(&talk(address.clone(), "ping", "pi"), Patience::new(LONG)).await;
        assert_eq!(
            found,
            Finding::Refused { detail: quoted(format!("connection refused at {address}")) }
        );
    }
}
