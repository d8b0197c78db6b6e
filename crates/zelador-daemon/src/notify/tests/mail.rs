//! Mail against a local server.

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::task::JoinHandle;
use zelador_core::notify::MailTls;

use super::*;

/// A mail server for one message, which says this to a command of that name; returns what it was told.
async fn mail_server(says: (&'static str, &'static str)) -> (u16, JoinHandle<String>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let task = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        write.write_all(b"220 sink ESMTP\r\n").await.unwrap();
        let (mut said, mut in_data) = (String::new(), false);
        while let Ok(Some(line)) = lines.next_line().await {
            said.push_str(&line);
            said.push('\n');
            let answer = match line.split(' ').next().unwrap_or_default() {
                "." if in_data => {
                    in_data = false;
                    "250 kept\r\n"
                }
                _ if in_data => continue,
                word if word == says.0 => says.1,
                "EHLO" => "250-sink\r\n250 8BITMIME\r\n",
                "DATA" => {
                    in_data = true;
                    "354 go on\r\n"
                }
                "QUIT" => break,
                _ => "250 ok\r\n",
            };
            if write.write_all(answer.as_bytes()).await.is_err() {
                break;
            }
            if answer.starts_with("250 kept") {
                break;
            }
        }
        said
    });
    (port, task)
}

/// A server that takes everything.
const NOTHING_ELSE: (&str, &str) = ("", "");

fn mail(port: u16) -> ChannelKind {
    ChannelKind::Mail {
        host: "127.0.0.1".to_owned(),
        port,
        tls: MailTls::None,
        from: "zelador@example.org".to_owned(),
        to: vec!["Ana <ana@example.org>".to_owned(), "ops@example.org".to_owned()],
        user: None,
        password: None,
    }
}

fn short(news: News) -> Message {
    Message { text: "boom".to_owned(), ..message(news) }
}

#[tokio::test]
async fn what_a_mail_server_refuses_for_good_is_not_tried_again() {
    let far = Far::of(OK);
    let outcome = |command, reply| {
        let far = &far;
        async move {
            let (port, task) = mail_server((command, reply)).await;
            let outcome = far.send(mail(port), short(News::Opened), None).await;
            task.abort();
            outcome
        }
    };
    for (command, reply) in [
        ("RCPT", "550 5.1.1 no such user\r\n"),
        ("MAIL", "553 5.7.1 sender not allowed\r\n"),
        ("RCPT", "554 5.7.1 spam\r\n"),
    ] {
        let said = outcome(command, reply).await;
        let DeliveryOutcome::Refused { reason } = &said else { panic!("{reply}: {said:?}") };
        assert!(reason.english().contains(reply[4..].trim_end()), "{reason}");
    }
    for (command, reply) in [
        ("RCPT", "450 4.2.1 try later\r\n"),
        ("MAIL", "530 5.7.0 authentication required\r\n"),
        ("EHLO", "502 5.5.1 not implemented\r\n"),
    ] {
        let said = outcome(command, reply).await;
        assert!(matches!(said, DeliveryOutcome::Failed { .. }), "{reply}: {said:?}");
    }
}

#[tokio::test]
async fn mail_is_one_conversation() {
    let far = Far::of(OK);
    let (port, task) = mail_server(NOTHING_ELSE).await;
    let opened = far.send(mail(port), short(News::Opened), None).await;
    let DeliveryOutcome::Delivered { handle: Some(first) } = opened else { panic!("{opened:?}") };
    let said = task.await.unwrap();
    for part in [
        "MAIL FROM:<zelador@example.org>",
        "RCPT TO:<ana@example.org>",
        "RCPT TO:<ops@example.org>",
        "Subject: ",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        &format!("Message-ID: {first}"),
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(said.lines().all(|line| line.len() <= 998), "RFC 5322");
    let (port, task) = mail_server(NOTHING_ELSE).await;
    let resolved = far.send(mail(port), short(News::Resolved), Some(&first)).await;
    assert_eq!(resolved, delivered(Some(&first)), "answers go on answering the first");
    let said = task.await.unwrap();
    assert!(said.contains(&format!("In-Reply-To: {first}")), "{said}");
}
