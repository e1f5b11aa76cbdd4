//! The stand-in's https: a certificate made at each start, for the loopback's names, or one from files.

use anyhow::{Context, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// Characters in a line of PEM.
const PEM_LINE: usize = 64;

/// A certificate with its key.
pub(super) struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    /// A new one, signed by itself, for `localhost` and the loopback's addresses, and for `host`.
    pub(super) fn made(host: &str) -> anyhow::Result<Self> {
        let mut names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
        if !names.iter().any(|name| name == host) {
            names.push(host.to_owned());
        }
        let key = rcgen::KeyPair::generate().context("making a key for https")?;
        let mut about = rcgen::CertificateParams::new(names).context("making a certificate for https")?;
        about.distinguished_name = rcgen::DistinguishedName::new();
        about.distinguished_name.push(rcgen::DnType::CommonName, "loadcmp stand-in");
        let certificate = about.self_signed(&key).context("making a certificate for https")?;
        Ok(Self { chain: vec![certificate.der().clone()], key: PrivatePkcs8KeyDer::from(key.serialize_der()).into() })
    }

    /// One from two files of PEM: the certificate with those above it, and the key.
    pub(super) fn read(certificate: &Path, key: &Path) -> anyhow::Result<Self> {
        let wrong = |path: &Path| format!("reading {}", path.display());
        let chain = CertificateDer::pem_file_iter(certificate).with_context(|| wrong(certificate))?;
        let chain = chain.collect::<Result<Vec<_>, _>>().with_context(|| wrong(certificate))?;
        ensure!(!chain.is_empty(), "{} has no certificate in PEM format", certificate.display());
        let key = PrivateKeyDer::from_pem_file(key).with_context(|| wrong(key))?;
        Ok(Self { chain, key })
    }

    /// The certificate as PEM, for a client's list of those it trusts. No secret is in it.
    pub(super) fn pem(&self) -> String {
        let mut text = String::new();
        for certificate in &self.chain {
            text.push_str("-----BEGIN CERTIFICATE-----\n");
            let coded = STANDARD.encode(certificate);
            for line in coded.as_bytes().chunks(PEM_LINE) {
                text.push_str(&String::from_utf8_lossy(line));
                text.push('\n');
            }
            text.push_str("-----END CERTIFICATE-----\n");
        }
        text
    }

    /// What shakes hands with it.
    pub(super) fn acceptor(self) -> anyhow::Result<TlsAcceptor> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let versions = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = versions.context("speaking TLS")?.with_no_client_auth();
        let mut config =
            builder.with_single_cert(self.chain, self.key).context("a certificate and its key for https")?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}
