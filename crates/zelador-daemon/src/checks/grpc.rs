//! The health protocol of gRPC (`grpc.health.v1.Health/Check`), over HTTP/2 without TLS.
//!
//! <https://github.com/grpc/grpc/blob/master/doc/health-checking.md>. Its two messages have one
//! field each, so that they are written and read here without a compiler of protocols.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper::header::{CONTENT_TYPE, HeaderMap, TE};
use hyper::{Request, Uri};
use hyper_util::rt::{TokioExecutor, TokioIo};
use zelador_core::probe::Finding;
use zelador_core::words;
use zelador_core::words::quoted;

use super::connect::{connect, split};
use super::patience::Patience;
use super::said;

/// Asks once.
pub(super) async fn look(address: &str, service: &str, patience: Patience) -> Finding {
    let Some((host, port)) = split(address) else {
        return Finding::Unavailable { detail: said::not_an_address(address) };
    };
    let stream = match connect(host, port, patience).await {
        Ok(stream) => stream,
        Err(finding) => return finding,
    };
    let uri = format!("http://{address}/grpc.health.v1.Health/Check").parse::<Uri>();
    let Ok(uri) = uri else {
        return Finding::Unavailable { detail: said::not_an_address(address) };
    };
    let exchange = async {
        let (mut sender, connection) =
            http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        let request = Request::post(uri)
            .header(CONTENT_TYPE, "application/grpc")
            .header(TE, "trailers")
            .body(Full::new(Bytes::from(question(service))))
            .expect("a request of fixed parts");
        let talk = async {
            let response = sender.send_request(request).await?;
            let (head, body) = response.into_parts();
            let body = body.collect().await?;
            let trailers = body.trailers().cloned().unwrap_or_default();
            Ok::<_, hyper::Error>((head.status, head.headers, body.to_bytes(), trailers))
        };
        let mut talk = std::pin::pin!(talk);
        tokio::select! {
            biased;
            answer = &mut talk => answer,
            _ = connection => talk.await,
        }
    };
    let (status, headers, body, trailers) = match patience.wait(exchange).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => {
            return Finding::WrongAnswer {
                detail: words!("the answer is not gRPC", "a resposta não é gRPC"),
            };
        }
        Err(_) => {
            return Finding::TimedOut { detail: said::no_answer(address, patience) };
        }
    };
    if !status.is_success() {
        let status = status.as_u16();
        let detail = words!("HTTP {status}, which is not gRPC", "HTTP {status}, que não é gRPC");
        return Finding::WrongAnswer { detail };
    }
    judged(service, &body, &headers, &trailers)
}

/// A frame with `HealthCheckRequest { service = 1 }`.
fn question(service: &str) -> Vec<u8> {
    let mut message = Vec::new();
    if !service.is_empty() {
        message.push(0x0a); // field 1, length-delimited
        let mut length = service.len();
        while length >= 0x80 {
            message.push(length as u8 | 0x80);
            length >>= 7;
        }
        message.push(length as u8);
        message.extend_from_slice(service.as_bytes());
    }
    let mut frame = vec![0]; // not compressed
    frame.extend_from_slice(&(message.len() as u32).to_be_bytes());
    frame.extend_from_slice(&message);
    frame
}

fn judged(service: &str, body: &[u8], headers: &HeaderMap, trailers: &HeaderMap) -> Finding {
    let of = |name: &str| {
        let value = trailers.get(name).or_else(|| headers.get(name));
        value.and_then(|value| value.to_str().ok()).map(str::to_owned)
    };
    let what = if service.is_empty() {
        words!("the server", "o servidor")
    } else {
        quoted(format!("`{service}`"))
    };
    let is = |state: &str| words!("{what} is {state}", "{what} está {state}", what = what);
    match of("grpc-status").as_deref() {
        None | Some("0") => {}
        Some("5") => {
            return Finding::WrongAnswer {
                detail: words!(
                    "{what} is not known there",
                    "{what} não é conhecido lá",
                    what = what
                ),
            };
        }
        Some("12") => {
            let detail = words!(
                "it does not offer the health protocol of gRPC",
                "não oferece o protocolo de saúde do gRPC",
            );
            return Finding::WrongAnswer { detail };
        }
        Some(code) => {
            let said = of("grpc-message").map(|text| format!(": {text}")).unwrap_or_default();
            return Finding::WrongAnswer { detail: quoted(format!("gRPC status {code}{said}")) };
        }
    }
    // Five bytes of frame, then field 1 as a number; nothing at all means 0.
    match body.get(5..) {
        Some([0x08, 1, ..]) => Finding::Answered { detail: is("SERVING") },
        Some([0x08, 2, ..]) => Finding::WrongAnswer { detail: is("NOT_SERVING") },
        Some([0x08, 3, ..]) => Finding::WrongAnswer { detail: is("SERVICE_UNKNOWN") },
        Some(_) => Finding::WrongAnswer { detail: is("UNKNOWN") },
        None => Finding::WrongAnswer {
            detail: words!("the answer is not gRPC", "a resposta não é gRPC"),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::time::Duration;

    use hyper::Response;
    use hyper::body::{Frame, Incoming};
    use hyper::service::service_fn;
    use tokio::net::TcpListener;

    use super::*;

    /// A server of the protocol: `shop` serves, `attic` does not, others are not known.
    async fn serve() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let answer = |request: Request<Incoming>| async move {
            assert_eq!(request.uri().path(), "/grpc.health.v1.Health/Check");
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let asked = body.get(7..).unwrap_or_default().to_vec();
            let (status, code) = match asked.as_slice() {
                b"shop" | b"" => (Some(1), "0"),
                b"attic" => (Some(2), "0"),
                _ => (None, "5"),
            };
            let message = status.map(|status| vec![0, 0, 0, 0, 2, 8, status]).unwrap_or_default();
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", code.parse().unwrap());
            let frames = [Frame::data(Bytes::from(message)), Frame::trailers(trailers)];
            let body = http_body_util::StreamBody::new(futures_util::stream::iter(
                frames.map(Ok::<_, Infallible>),
            ));
            let response = Response::builder().header(CONTENT_TYPE, "application/grpc").body(body);
            Ok::<_, Infallible>(response.unwrap())
        };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(
                    hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                        .serve_connection(TokioIo::new(stream), service_fn(answer)),
                );
            }
        });
        address
    }

    #[tokio::test]
    async fn services_say_whether_they_serve() {
        let address = serve().await;
        let looked = async |service: &str| {
            look(&address, service, Patience::new(Duration::from_secs(20))).await
        };
        let well = |detail: &str| Finding::Answered { detail: quoted(detail) };
        let wrong = |detail: &str| Finding::WrongAnswer { detail: quoted(detail) };
        assert_eq!(looked("").await, well("the server is SERVING"));
        assert_eq!(looked("shop").await, well("`shop` is SERVING"));
        assert_eq!(looked("attic").await, wrong("`attic` is NOT_SERVING"));
        assert_eq!(looked("cellar").await, wrong("`cellar` is not known there"));
    }

    #[tokio::test]
    async fn what_is_no_grpc_is_told() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let answer = b"HTTP/1.1 400 Bad Request\r\n\r\n";
            tokio::io::AsyncWriteExt::write_all(&mut stream, answer).await.unwrap();
        });
        let found = look(&address, "", Patience::new(Duration::from_secs(20))).await;
        assert_eq!(found, Finding::WrongAnswer { detail: quoted("the answer is not gRPC") });
    }
}
