//! How long a certificate stays valid: the one that a server shows, or the ones in a PEM file.

use std::time::{Duration, SystemTime};

use tokio_rustls::rustls::pki_types::CertificateDer;
use x509_cert::Certificate;
use x509_cert::der::{Decode, DecodePem};
use zelador_core::probe::{Finding, Measure, Unit};
use zelador_core::words;
use zelador_core::words::Amount;

use super::aside::{NotDone, aside};
use super::connect::{bare, connect, split};
use super::patience::Patience;
use super::said;
use super::tls;
use crate::errno;

/// Looks once; `of` is `host:port` or an absolute path.
pub(super) async fn look(of: &str, patience: Patience) -> Finding {
    if !of.starts_with('/') {
        return of_server(of, patience).await;
    }
    let path = of.to_owned();
    let read = aside(format!("certificate {of}"), patience, move || std::fs::read_to_string(path));
    match read.await {
        Ok(Ok(text)) => first_to_end(&text, of),
        Ok(Err(error)) => Finding::WrongAnswer { detail: errno::said_of(of, &error) },
        Err(NotDone::Failed(detail)) => Finding::Unavailable { detail },
        Err(NotDone::Late | NotDone::StillBusy) => Finding::TimedOut {
            detail: words!(
                "{of} was not read within {t}",
                "{of} não foi lido em {t}",
                t = patience.timeout()
            ),
        },
    }
}

async fn of_server(address: &str, patience: Patience) -> Finding {
    let Some((host, port)) = split(address) else {
        return Finding::Unavailable { detail: said::not_an_address(address) };
    };
    let stream = match connect(host, port, patience).await {
        Ok(stream) => stream,
        Err(finding) => return finding,
    };
    // Also one that has ended, or that nobody vouches for, is looked at.
    let stream = match tls::handshake(stream, bare(host), false, patience).await {
        Ok(stream) => stream,
        Err(finding) => return finding,
    };
    let shown = stream.get_ref().1.peer_certificates().and_then(|all| all.first());
    let Some(shown) = shown.map(CertificateDer::as_ref) else {
        return Finding::WrongAnswer {
            detail: words!("{address} shows no certificate", "{address} não mostra certificado"),
        };
    };
    match Certificate::from_der(shown) {
        Ok(certificate) => judged(&certificate, address, SystemTime::now()),
        Err(error) => Finding::WrongAnswer {
            detail: words!(
                "the certificate cannot be read: {error}",
                "o certificado não pode ser lido: {error}"
            ),
        },
    }
}

/// Of all certificates in a file, the one that ends first counts.
fn first_to_end(text: &str, of: &str) -> Finding {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    let pieces = text.split(BEGIN).skip(1).filter_map(|piece| piece.split(END).next());
    let read = |piece: &str| Certificate::from_pem(format!("{BEGIN}{piece}{END}\n")).ok();
    let first = pieces.filter_map(read).min_by_key(end_of);
    match first {
        Some(certificate) => judged(&certificate, of, SystemTime::now()),
        None => Finding::WrongAnswer {
            detail: words!("{of} holds no certificate", "{of} não contém certificado"),
        },
    }
}

fn end_of(certificate: &Certificate) -> SystemTime {
    certificate.tbs_certificate.validity.not_after.to_system_time()
}

fn judged(certificate: &Certificate, of: &str, now: SystemTime) -> Finding {
    const DAY: f64 = 86_400.0;
    let begin = certificate.tbs_certificate.validity.not_before.to_system_time();
    if let Ok(early) = begin.duration_since(now).map(|span| span.as_secs_f64())
        && early > 0.0
    {
        let detail = words!(
            "the certificate of {of} is not valid yet: only in {t}",
            "o certificado de {of} ainda não vale: só em {t}",
            t = Amount(Unit::Days, (early / DAY).ceil()),
        );
        return Finding::WrongAnswer { detail };
    }
    match end_of(certificate).duration_since(now) {
        Ok(left) => {
            let days = left.as_secs_f64() / DAY;
            let detail = words!(
                "the certificate of {of} is valid for {t}",
                "o certificado de {of} vale por {t}",
                t = Amount(Unit::Days, days),
            );
            let measures = vec![Measure::new("left", days, Unit::Days)];
            Finding::Measured { detail, measures }
        }
        Err(over) => {
            let detail = words!(
                "the certificate of {of} ended {ago} ago",
                "o certificado de {of} venceu há {ago}",
                ago = Duration::from_secs(over.duration().as_secs()),
            );
            Finding::WrongAnswer { detail }
        }
    }
}

#[cfg(test)]
mod tests {
    use zelador_testbed::tls::TlsServer;

    use super::*;

    #[tokio::test]
    async fn the_days_that_are_left_are_counted_at_the_server_and_in_the_file() {
        let server = TlsServer::start(40);
        let patience = || Patience::new(Duration::from_secs(20));
        let address = format!("localhost:{}", server.port());
        let path = server.certificate().display().to_string();
        for of in [address, path] {
            let found = look(&of, patience()).await;
            let Finding::Measured { detail, measures } = found else { panic!("{of}: {found:?}") };
            assert!(detail.english().ends_with("is valid for 39 days"), "{detail}");
            assert!((39.0..=40.0).contains(&measures[0].value), "{measures:?}");
        }
        let missing = look("/nowhere/x.pem", patience()).await;
        assert!(matches!(missing, Finding::WrongAnswer { .. }), "{missing:?}");
    }

    #[test]
    fn one_that_is_over_is_told() {
        let server = TlsServer::start(1);
        let text = std::fs::read_to_string(server.certificate()).unwrap();
        let certificate = Certificate::from_pem(text).unwrap();
        let later = SystemTime::now() + Duration::from_hours(72);
        let Finding::WrongAnswer { detail } = judged(&certificate, "x", later) else {
            panic!("it ended")
        };
        assert!(
            detail.english().starts_with("the certificate of x ended 1 d 2")
                || detail.english().starts_with("the certificate of x ended 2 d"),
            "{detail}"
        );
        let earlier = SystemTime::now() - Duration::from_hours(72);
        let found = judged(&certificate, "x", earlier);
        assert!(matches!(found, Finding::WrongAnswer { .. }), "{found:?}");
    }
}
