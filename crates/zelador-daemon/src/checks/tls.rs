//! TLS towards what is looked at: the host's own certificate authorities are trusted.

use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::patience::Patience;
use super::said;
use zelador_core::probe::Finding;
use zelador_core::words;
use zelador_core::words::Words;

/// Returns the settings of a connection whose certificate is verified, or is not.
pub(super) fn client(verified: bool) -> Arc<ClientConfig> {
    static VERIFIED: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    static UNVERIFIED: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    let cell = if verified { &VERIFIED } else { &UNVERIFIED };
    Arc::clone(cell.get_or_init(|| Arc::new(settings(verified))))
}

fn settings(verified: bool) -> ClientConfig {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("ring knows the default versions of TLS");
    if !verified {
        let any = Arc::new(AnyCertificate(provider));
        return builder.dangerous().with_custom_certificate_verifier(any).with_no_client_auth();
    }
    let mut roots = RootCertStore::empty();
    // A host without authorities trusts nobody; the look says so.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    builder.with_root_certificates(roots).with_no_client_auth()
}

/// Shakes hands; `name` is whom the certificate must be for.
pub(super) async fn handshake(
    stream: TcpStream,
    name: &str,
    verified: bool,
    patience: Patience,
) -> Result<TlsStream<TcpStream>, Finding> {
    let Ok(server) = ServerName::try_from(name.to_owned()) else {
        return Err(Finding::Unavailable {
            detail: words!("`{name}` is no name for TLS", "`{name}` não é um nome para TLS"),
        });
    };
    let connector = TlsConnector::from(client(verified));
    match patience.wait(connector.connect(server, stream)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(Finding::Refused { detail: refused(name, &error) }),
        Err(_) => Err(Finding::TimedOut {
            detail: words!(
                "no TLS handshake with {name} within {t}",
                "sem handshake TLS com {name} em {t}",
                t = patience.timeout(),
            ),
        }),
    }
}

fn refused(name: &str, error: &std::io::Error) -> Words {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<Error>());
    match cause {
        Some(Error::InvalidCertificate(why)) => {
            words!(
                "the certificate of {name} is not valid: {why}",
                "o certificado de {name} não é válido: {why}",
            )
        }
        Some(Error::InvalidMessage(_)) => said::does_not_speak(name, "TLS"),
        _ => words!("TLS with {name} failed: {error}", "TLS com {name} falhou: {error}"),
    }
}

/// Takes any certificate: for what the user calls insecure, and to see when one ends.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
