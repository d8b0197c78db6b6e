//! What the system says of a failure, in every language.
//!
//! An error of a system call, or of the resolver, goes in; a phrase without a capital comes out. The
//! English one is the system's own; the Portuguese one is glibc's for Brazil, where it is one that people
//! meet. Always holds: an error that another program worded is told as it is.

use std::fmt;
use std::io;

use rustix::io::Errno;
use zelador_api::spot::Refused;
use zelador_core::words;
use zelador_core::words::Words;

/// The standard library's words before what the resolver says.
const LOOKUP: &str = "failed to lookup address information: ";

/// The phrase, without the error's number.
pub fn said(error: &io::Error) -> Words {
    if let Some(refused) = error.get_ref().and_then(|own| own.downcast_ref::<Refused>()) {
        return refused.words().clone();
    }
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let english = uncapitalised(text.strip_prefix(LOOKUP).unwrap_or(text));
    let portuguese = match error.raw_os_error() {
        Some(number) => of_a_call(Errno::from_raw_os_error(number)),
        None => of_the_resolver(&english),
    };
    let portuguese = portuguese.unwrap_or(&english).to_owned();
    Words::new(english, portuguese)
}

/// The same after the name of what it is about.
pub fn said_of(what: impl fmt::Display, error: &io::Error) -> Words {
    words!("{what}: {said}", "{what}: {said}", said = said(error))
}

/// Whether there was only no descriptor, or no memory, just now: it says nothing about what was asked for.
pub fn is_want(error: &io::Error) -> bool {
    let want = [Errno::MFILE, Errno::NFILE, Errno::AGAIN, Errno::NOMEM];
    Errno::from_io_error(error).is_some_and(|errno| want.contains(&errno))
}

fn of_a_call(error: Errno) -> Option<&'static str> {
    Some(match error {
        Errno::ACCESS => "permissão negada",
        Errno::ADDRINUSE => "endereço já em uso",
        Errno::ADDRNOTAVAIL => "não é possível acessar o endereço solicitado",
        Errno::AGAIN => "recurso temporariamente indisponível",
        Errno::CONNABORTED => "a conexão foi interrompida",
        Errno::CONNREFUSED => "conexão recusada",
        Errno::CONNRESET => "conexão fechada pela outra ponta",
        Errno::HOSTUNREACH => "não há rota para o host",
        Errno::INVAL => "argumento inválido",
        Errno::IO => "erro de entrada/saída",
        Errno::ISDIR => "é um diretório",
        Errno::LOOP => "muitos níveis de links simbólicos",
        Errno::MFILE => "muitos arquivos abertos",
        Errno::NAMETOOLONG => "nome de arquivo muito longo",
        Errno::NETUNREACH => "a rede está fora de alcance",
        Errno::NFILE => "muitos arquivos abertos no sistema",
        Errno::NOENT => "arquivo ou diretório inexistente",
        Errno::NOEXEC => "erro no formato de execução",
        Errno::NOMEM => "não foi possível alocar memória",
        Errno::NOSPC => "não há espaço disponível no dispositivo",
        Errno::NOTDIR => "não é um diretório",
        Errno::PERM => "operação não permitida",
        Errno::PIPE => "pipe quebrado",
        Errno::ROFS => "sistema de arquivos somente para leitura",
        Errno::TIMEDOUT => "tempo esgotado para conexão",
        Errno::TOOBIG => "lista de argumentos muito longa",
        Errno::TXTBSY => "área de texto ocupada",
        _ => return None,
    })
}

/// As `gai_strerror` of glibc has it.
fn of_the_resolver(english: &str) -> Option<&'static str> {
    Some(match english {
        "name or service not known" => "nome ou serviço desconhecido",
        "no address associated with hostname" => "nenhum endereço associado ao nome",
        "temporary failure in name resolution" => "falha temporária na resolução de nome",
        _ => return None,
    })
}

fn uncapitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use std::net::ToSocketAddrs;

    use zelador_core::notify::Language;

    use super::*;

    fn told(words: &Words) -> (&str, &str) {
        (words.english(), words.told(Language::Pt))
    }

    #[test]
    fn a_failed_call_is_told_in_the_readers_language_and_without_its_number() {
        let missing = std::fs::read("/nowhere").unwrap_err();
        assert_eq!(
            told(&said_of("/nowhere", &missing)),
            ("/nowhere: no such file or directory", "/nowhere: arquivo ou diretório inexistente")
        );
        let unnamed = "nobody.invalid:80".to_socket_addrs().unwrap_err();
        let unnamed = said(&unnamed);
        assert!(!unnamed.english().contains("lookup") && !unnamed.is_quoted(), "{unnamed:?}");
    }

    #[test]
    fn a_host_without_room_for_a_moment_is_told_from_one_that_refuses() {
        for (errno, want) in [(libc::EMFILE, true), (libc::EACCES, false), (libc::EROFS, false)] {
            assert_eq!(is_want(&io::Error::from_raw_os_error(errno)), want, "{errno}");
        }
    }

    #[test]
    fn what_somebody_else_worded_is_told_as_it_is() {
        let other = io::Error::new(io::ErrorKind::ConnectionRefused, "Not today");
        assert_eq!(told(&said(&other)), ("not today", "not today"));
    }
}
