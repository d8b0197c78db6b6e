//! E-mail; what follows answers the first message, so that a mail program shows one conversation.

use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters, TlsParametersBuilder};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use zelador_core::notify::{ChannelKind, MailTls, shortened};

use super::secret::Secrets;
use super::{Failed, Letter, PATIENCE, Sent};
use crate::https::vouched_for;

/// RFC 5322 asks for lines below 78 characters; this leaves room for the word `Subject`.
const SUBJECT: usize = 180;

pub(super) async fn send(
    channel: &ChannelKind,
    letter: &Letter<'_>,
    secrets: &Secrets<'_>,
) -> Sent {
    let ChannelKind::Mail { host, port, tls, from, to, user, password } = channel else {
        return Err(Failed::new("this is no mail channel"));
    };
    let message = write(from, to, letter)?;
    let parameters = || {
        let vouched_for = vouched_for().into_iter().map(|it| Certificate::from_der(it.to_vec()));
        let parameters = vouched_for
            .filter_map(Result::ok)
            .fold(TlsParameters::builder(host.clone()), TlsParametersBuilder::add_root_certificate)
            .build();
        parameters.map_err(|error| Failed::new(error.to_string()))
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
            let reason = match std::error::Error::source(&error) {
                Some(cause) => format!("{error}: {cause}"),
                None => error.to_string(),
            };
            let refused = error.status().is_some_and(|code| is_of_the_message(code.into()));
            Err(Failed { refused, ..Failed::new(reason) })
        }
        Err(_) => Err(Failed::new(format!("{host} did not answer in time"))),
    }
}

/// Whether a reply (RFC 5321) says that this message will never be taken. What is wrong with a password,
/// with encryption or with the server's state (RFC 4954, RFC 3207) may be mended, and is tried again.
fn is_of_the_message(code: u16) -> bool {
    (500..600).contains(&code) && !matches!(code, 500..=504 | 521..=524 | 530..=538)
}

pub(super) fn write(from: &str, to: &[String], letter: &Letter<'_>) -> Result<Message, Failed> {
    let refused = |what: String| Failed { refused: true, ..Failed::new(what) };
    let mailbox = |address: &str| {
        let mailbox: Result<Mailbox, _> = address.parse();
        mailbox.map_err(|error| refused(format!("`{address}` is no address: {error}")))
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
    message.body(text(letter)).map_err(|error| refused(error.to_string()))
}

fn text(letter: &Letter<'_>) -> String {
    let mut text = format!("{}\n\n", letter.text);
    for (label, value) in letter.message.fields(letter.host) {
        text.push_str(&format!("{label}: {value}\n"));
    }
    let story = letter.message.told(usize::MAX);
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
