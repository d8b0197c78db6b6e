//! Sentences that looks of several kinds say.

use std::io;

use zelador_core::words;
use zelador_core::words::Words;

use super::patience::Patience;
use crate::errno;

pub(super) fn not_an_address(address: &str) -> Words {
    words!("`{address}` is not `host:port`", "`{address}` não é `host:porta`")
}

pub(super) fn no_socket(place: &str) -> Words {
    words!("no socket at {place}", "nenhum socket em {place}")
}

/// What the system said of a place.
pub(super) fn at(error: &io::Error, place: &str) -> Words {
    words!("{said} at {place}", "{said} em {place}", said = errno::said(error))
}

pub(super) fn no_connection(place: &str, patience: Patience) -> Words {
    words!(
        "no connection to {place} within {t}",
        "sem conexão com {place} em {t}",
        t = patience.timeout()
    )
}

pub(super) fn no_answer(place: &str, patience: Patience) -> Words {
    words!(
        "no answer from {place} within {t}",
        "sem resposta de {place} em {t}",
        t = patience.timeout()
    )
}

pub(super) fn no_address(host: &str) -> Words {
    words!("no address is known for {host}", "nenhum endereço é conhecido para {host}")
}

pub(super) fn no_address_since(host: &str, why: &Words) -> Words {
    words!(
        "no address is known for {host}: {why}",
        "nenhum endereço é conhecido para {host}: {why}",
        why = why,
    )
}

pub(super) fn address_not_found(host: &str, patience: Patience) -> Words {
    words!(
        "the address of {host} was not found within {t}",
        "o endereço de {host} não foi encontrado em {t}",
        t = patience.timeout(),
    )
}

pub(super) fn not_let_in(place: &str, patience: Patience) -> Words {
    words!(
        "not let in by {place} within {t}",
        "{place} não deixou entrar em {t}",
        t = patience.timeout()
    )
}

pub(super) fn no_answer_to(place: &str, asked: &str, patience: Patience) -> Words {
    words!(
        "connected to {place}, but no answer to {asked} within {t}",
        "conectado a {place}, mas sem resposta a {asked} em {t}",
        t = patience.timeout(),
    )
}

pub(super) fn closed_by(place: &str) -> Words {
    words!("connection closed by {place}", "conexão encerrada por {place}")
}

pub(super) fn closed_without_answer() -> Words {
    words!("the connection was closed without an answer", "a conexão foi encerrada sem resposta")
}

pub(super) fn does_not_speak(place: &str, protocol: &str) -> Words {
    words!("{place} does not speak {protocol}", "{place} não fala {protocol}")
}

pub(super) fn offers_no_tls(place: &str) -> Words {
    words!("{place} offers no TLS", "{place} não oferece TLS")
}

pub(super) fn bad_url(why: &str) -> Words {
    words!("its URL cannot be used: {why}", "a URL não pode ser usada: {why}")
}

/// A URL that has another form than it should have.
pub(super) fn no_such_url(form: &str) -> Words {
    words!("its URL is not `{form}`", "a URL não é `{form}`")
}

pub(super) fn silent_file_system(of: &str, patience: Patience) -> Words {
    words!(
        "the file system of {of} did not answer within {t}",
        "o sistema de arquivos de {of} não respondeu em {t}",
        t = patience.timeout(),
    )
}

pub(super) fn connected() -> Words {
    words!("connected", "conectado")
}
