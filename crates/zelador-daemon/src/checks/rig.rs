//! What the tests of database checks share.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use zelador_core::probe::Finding;

/// Long enough for whatever answers at all.
pub const LONG: Duration = Duration::from_secs(20);

/// What a look that went wrong says.
pub fn detail_of(finding: Finding) -> String {
    match finding {
        Finding::Refused { detail }
        | Finding::TimedOut { detail }
        | Finding::WrongAnswer { detail } => detail.english().to_owned(),
        other => panic!("{other:?}"),
    }
}

/// Whether this question was answered.
pub fn has_answered(finding: &Finding, question: &str) -> bool {
    matches!(finding, Finding::Measured { detail, .. } if detail.english() == question)
}

/// Something that listens, and speaks to two clients as no database does.
pub async fn no_database() -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        for greeting in ["HTTP/1.1 400 Bad Request\r\n\r\n", ""] {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(greeting.as_bytes()).await.unwrap();
        }
    });
    (address, server)
}
