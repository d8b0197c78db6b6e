//! A WebSocket that must open, and answer where an answer is expected.

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::{Error, Message};
use zelador_core::probe::Finding;
use zelador_core::redact;
use zelador_core::words;

use super::connect::{bare, connect};
use super::patience::Patience;
use super::tls;

/// Opens it once.
pub(super) async fn look(
    url: &str,
    send: Option<&str>,
    expect: Option<&str>,
    patience: Patience,
) -> Finding {
    let shown = redact::url(url);
    let parsed = url.parse::<hyper::Uri>().ok();
    let place = parsed.as_ref().and_then(|uri| {
        let secure = uri.scheme_str()? == "wss";
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        Some((secure, bare(uri.host()?).to_owned(), port))
    });
    let Some((secure, host, port)) = place else {
        return Finding::Unavailable {
            detail: words!(
                "`{shown}` is not `ws://host:port/path`",
                "`{shown}` não é `ws://host:porta/caminho`"
            ),
        };
    };
    let stream = match connect(&host, port, patience).await {
        Ok(stream) => stream,
        Err(finding) => return finding,
    };
    let conversation = async {
        if secure {
            let stream = tls::handshake(stream, &host, true, patience).await?;
            Ok(converse(url, stream, send, expect).await)
        } else {
            Ok(converse(url, stream, send, expect).await)
        }
    };
    // The buffers of the library are large.
    match Box::pin(patience.wait(conversation)).await {
        Ok(Ok(finding) | Err(finding)) => finding,
        Err(_) => {
            let t = patience.timeout();
            let detail = if expect.is_some() {
                words!("no message within {t}", "nenhuma mensagem em {t}", t = t)
            } else {
                words!("not opened within {t}", "não abriu em {t}", t = t)
            };
            Finding::TimedOut { detail }
        }
    }
}

async fn converse(
    url: &str,
    stream: impl AsyncRead + AsyncWrite + Unpin,
    send: Option<&str>,
    expect: Option<&str>,
) -> Finding {
    let mut socket = match client_async(url, stream).await {
        Ok((socket, _)) => socket,
        Err(Error::Http(response)) => {
            let status = response.status().as_u16();
            let detail = words!(
                "HTTP {status} in place of a WebSocket",
                "HTTP {status} no lugar de um WebSocket",
            );
            return Finding::WrongAnswer { detail };
        }
        Err(_) => {
            return Finding::WrongAnswer {
                detail: words!("the answer is no WebSocket", "a resposta não é um WebSocket"),
            };
        }
    };
    let lost = || Finding::Refused {
        detail: words!(
            "opened, then the connection broke off",
            "abriu, e a conexão foi interrompida"
        ),
    };
    if let Some(text) = send
        && socket.send(Message::text(text)).await.is_err()
    {
        return lost();
    }
    let found = match expect {
        None => Finding::Answered { detail: words!("opened", "aberto") },
        Some(expect) => loop {
            match socket.next().await {
                Some(Ok(Message::Text(text))) if text.contains(expect) => {
                    break Finding::Answered {
                        detail: words!(
                            "opened, answered with `{expect}`",
                            "aberto, respondeu com `{expect}`",
                        ),
                    };
                }
                Some(Ok(Message::Text(text))) => {
                    let short: String = redact::text(text.as_str()).chars().take(60).collect();
                    let detail = words!(
                        "opened, answered `{short}`, without `{expect}`",
                        "aberto, respondeu `{short}`, sem `{expect}`",
                    );
                    break Finding::WrongAnswer { detail };
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => break lost(),
                Some(Ok(_)) => {}
            }
        },
    };
    // It has answered; how the farewell goes does not matter.
    _ = socket.close(None).await;
    found
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::net::TcpListener;
    use tokio_tungstenite::accept_async;

    use zelador_core::words::quoted;

    use super::*;

    #[tokio::test]
    async fn it_opens_and_answers() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let Ok(mut socket) = accept_async(stream).await else { return };
                    while let Some(Ok(message)) = socket.next().await {
                        if message.is_text() && socket.send(message).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        let url = format!("ws://{address}/live?x=1");
        let looked = async |send, expect| {
            look(&url, send, expect, Patience::new(Duration::from_secs(20))).await
        };
        let well = |detail: &str| Finding::Answered { detail: quoted(detail) };
        assert_eq!(looked(None, None).await, well("opened"));
        assert_eq!(looked(Some("hello"), Some("hell")).await, well("opened, answered with `hell`"));
        let found = looked(Some("hello"), Some("heaven")).await;
        let detail = quoted("opened, answered `hello`, without `heaven`");
        assert_eq!(found, Finding::WrongAnswer { detail });
        let short = Patience::new(Duration::from_millis(200));
        let found = look(&url, None, Some("word"), short).await;
        assert_eq!(found, Finding::TimedOut { detail: quoted("no message within 200 ms") });
    }
}
