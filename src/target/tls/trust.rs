//! Whom a certificate is checked by: the authorities that the machine trusts, those of a file, or nobody.

use crate::scenario::TlsSpec;
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::client::{Resumption, WebPkiServerVerifier, verify_server_name};
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

/// How connections are encrypted and checked. The error is a sentence.
pub(super) fn config(spec: &TlsSpec) -> Result<ClientConfig, String> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let check: Arc<dyn ServerCertVerifier> = match &spec.ca {
        _ if spec.insecure => Arc::new(Unchecked { provider: provider.clone() }),
        Some(path) => {
            let named = named(path)?;
            Arc::new(Checked { inner: verifier(named.clone(), &provider)?, named })
        }
        None => Arc::new(Checked { inner: verifier(of_the_machine()?, &provider)?, named: Vec::new() }),
    };
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = versions.map_err(|error| format!("no TLS: {error}"))?;
    let mut config = builder.dangerous().with_custom_certificate_verifier(check).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // Every new connection costs a whole handshake: what one costs must not depend on which came before it.
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// The certificates of a file.
fn named(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let wrong =
        |error: &dyn std::fmt::Display| format!("the certificates of `tls: {{ ca: {} }}`: {error}", path.display());
    let all = CertificateDer::pem_file_iter(path).map_err(|error| wrong(&error))?;
    let all = all.collect::<Result<Vec<_>, _>>().map_err(|error| wrong(&error))?;
    if all.is_empty() { Err(wrong(&"it has none")) } else { Ok(all) }
}

/// The certificates of the authorities that this machine trusts.
fn of_the_machine() -> Result<Vec<CertificateDer<'static>>, String> {
    let found = rustls_native_certs::load_native_certs();
    if !found.certs.is_empty() {
        return Ok(found.certs);
    }
    let why = found.errors.first().map(|error| format!(" ({error})")).unwrap_or_default();
    Err(format!(
        "this machine has no list of certificate authorities{why}: install one (on most systems the package \
         `ca-certificates`), name the server's CA with `tls: {{ ca: FILE }}`, or skip the check with `tls: {{ \
         insecure: true }}`"
    ))
}

fn verifier(
    certificates: Vec<CertificateDer<'static>>,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, String> {
    let mut roots = RootCertStore::empty();
    // A machine's list may hold some of an age that can't be read any more.
    roots.add_parsable_certificates(certificates);
    let built = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build();
    built.map_err(|error| format!("the certificates of `tls: {{ ca }}` can't be used for a check: {error}"))
}

/// Whether a certificate is refused for saying that it is a CA's, as those of `openssl req -x509` do: webpki takes none of
/// them from a server, whoever signed it. Its own error is of a crate that only rustls knows.
pub(super) fn is_a_cas(why: &CertificateError) -> bool {
    matches!(why, CertificateError::Other(other) if other.0.to_string().contains("CaUsedAsEndEntity"))
}

/// By authorities; a certificate that is itself among those of `ca` is trusted, too.
#[derive(Debug)]
struct Checked {
    inner: Arc<WebPkiServerVerifier>,
    named: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Checked {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let checked = self.inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        // By the time that it is refused for being a CA's, its dates are found right; the name is left to check.
        if matches!(&checked, Err(Error::InvalidCertificate(why)) if is_a_cas(why)) && self.named.contains(end_entity) {
            verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
            return Ok(ServerCertVerified::assertion());
        }
        checked
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// By nobody, as `insecure: true` asks: any certificate will do. That the server holds its key is still checked, at the cost
/// that it has for all.
#[derive(Debug)]
struct Unchecked {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Unchecked {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        tokio_rustls::rustls::crypto::verify_tls12_signature(message, cert, dss, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        tokio_rustls::rustls::crypto::verify_tls13_signature(message, cert, dss, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
