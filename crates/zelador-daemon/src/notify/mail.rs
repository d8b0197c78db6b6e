//! E-mail; what follows answers the first message, so that a mail program shows one conversation.

use std::error::Error;
use std::io;

use lettre::message::{Mailbox, SinglePart};
use lettre::transport::smtp;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters, TlsParametersBuilder};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use zelador_core::notify::{ChannelKind, MailTls, shortened};
use zelador_core::words;
use zelador_core::words::{Words, quoted};

use super::secret::Secrets;
use super::{Failed, Letter, PATIENCE, Sent};
use crate::errno;
use crate::https::{NoAnswer, vouched_for};

/// RFC 5322 asks for lines below 78 characters; this leaves room for the word `Subject`.
const SUBJECT: usize = 180;

pub(super) async fn send(
    channel: &ChannelKind,
    letter: &Letter<'_>,
    secrets: &Secrets<'_>,
) -> Sent {
    let ChannelKind::Mail { host, port, tls, from, to, user, password } = channel else {
        return Err(Failed::new(words!(
            "this is no mail channel",
            "este não é um canal de e-mail"
        )));
    };
    let message = write(from, to, letter)?;
    let parameters = || {
        let vouched_for = vouched_for().into_iter().map(|it| Certificate::from_der(it.to_vec()));
        let parameters = vouched_for
            .filter_map(Result::ok)
            .fold(TlsParameters::builder(host.clone()), TlsParametersBuilder::add_root_certificate)
            .build();
        parameters.map_err(|error| Failed::new(quoted(error)))
    };
    let tls = match tls {
        MailTls::Implicit => Tls::Wrapper(parameters()?),
        MailTls::StartTls => Tls::Required(parameters()?),
        MailTls::None => Tls::None,
    };
    let mut server = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host.as_str())
        .port(*port)
        .tls(tls)
        .timeout(Some(PATIENCE));
    if let (Some(user), Some(password)) = (user, password) {
        server = server.credentials(Credentials::new(user.clone(), secrets.reveal(password)?));
    }
    let sent = tokio::time::timeout(PATIENCE, server.build().send(message)).await;
    match sent {
        Ok(Ok(_)) => Ok(Some(letter.handle.map_or_else(|| id(letter), str::to_owned))),
        Ok(Err(error)) => {
            let refused = error.status().is_some_and(|code| is_of_the_message(code.into()));
            Err(Failed { refused, ..Failed::new(reason(host, &error)) })
        }
        Err(_) => Err(Failed::new(late(host))),
    }
}

/// Why the server has not taken it.
fn reason(host: &str, error: &smtp::Error) -> Words {
    let cause = error.source();
    if let (Some(code), Some(said)) = (error.status(), cause) {
        return words!("{host} answered {code} {said}", "{host} respondeu {code} {said}");
    }
    if error.is_timeout() {
        return late(host);
    }
    match cause.and_then(|cause| cause.downcast_ref::<io::Error>()) {
        Some(cause) => NoAnswer::Connect(host.to_owned(), errno::said(cause)).words(),
        None => quoted(error),
    }
}

fn late(host: &str) -> Words {
    NoAnswer::TimedOut { host: host.to_owned(), patience: PATIENCE }.words()
}

/// Whether a reply (RFC 5321) says that this message will never be taken. What is wrong with a password,
/// with encryption or with the server's state (RFC 4954, RFC 3207) may be mended, and is tried again.
fn is_of_the_message(code: u16) -> bool {
    (500..600).contains(&code) && !matches!(code, 500..=504 | 521..=524 | 530..=538)
}

pub(super) fn write(from: &str, to: &[String], letter: &Letter<'_>) -> Result<Message, Failed> {
    let refused = |what: Words| Failed { refused: true, ..Failed::new(what) };
    let mailbox = |address: &str| {
        let mailbox: Result<Mailbox, _> = address.parse();
        mailbox.map_err(|error| {
            refused(words!(
                "`{address}` is no address: {error}",
                "`{address}` não é um endereço: {error}"
            ))
        })
    };
    let subject = format!("[{}] {}", letter.host, letter.headline());
    let subject: String = subject.chars().filter(|c| !c.is_control()).collect();
    let mut message = Message::builder()
        .from(mailbox(from)?)
        .subject(shortened(&subject, SUBJECT))
        .message_id(Some(id(letter)));
    for address in to {
        message = message.to(mailbox(address)?);
    }
    if let Some(first) = letter.handle {
        message = message.in_reply_to(first.to_owned()).references(first.to_owned());
    }
    // With its type, or a reader takes what is not ASCII for something else.
    message.singlepart(SinglePart::plain(text(letter))).map_err(|error| refused(quoted(error)))
}

fn text(letter: &Letter<'_>) -> String {
    let mut text = format!("{}\n\n", letter.text);
    for (label, value) in letter.fields() {
        text.push_str(&format!("{label}: {value}\n"));
    }
    let story = letter.story(usize::MAX);
    if !story.is_empty() {
        text.push_str(&format!("\n{story}\n"));
    }
    for (label, url) in &letter.links {
        text.push_str(&format!("\n{label}: {url}\n"));
    }
    text
}

/// One message's own, the same for every try.
fn id(letter: &Letter<'_>) -> String {
    let plain = |text: &str| -> String {
        text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
    };
    let (key, at) = (plain(&letter.message.key), letter.message.at.as_micros());
    format!("<{key}.{at}@{}.zelador>", plain(letter.host))
}
