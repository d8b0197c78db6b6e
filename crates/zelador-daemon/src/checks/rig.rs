//! What the tests of database checks share.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use zelador_core::probe::{Finding, Measure, Unit};

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

/// How long a [`slow_door`] keeps a client waiting.
const AT_THE_DOOR: Duration = Duration::from_millis(400);

/// A port where a client is connected at once, and heard by the server at `port` only after a while.
pub async fn slow_door(port: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let door = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                tokio::time::sleep(AT_THE_DOOR).await;
                let mut server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                // Either may close first.
                _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    door
}

/// The phases of a look that took as long as a [`slow_door`].
pub fn slow_phases(finding: &Finding) -> Vec<&str> {
    let Finding::Measured { measures, .. } = finding else { panic!("{finding:?}") };
    let is_slow = |it: &&Measure| it.unit == Unit::Seconds && it.value >= AT_THE_DOOR.as_secs_f64();
    measures.iter().filter(is_slow).map(|it| it.name.as_str()).collect()
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
