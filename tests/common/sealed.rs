//! Certificates of every kind, and a TLS server of a few lines that does with each connection what a test says.

#![allow(dead_code)] // Each test program uses a part.

use crate::raw::request;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, KeyPair, date_time_ymd};
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::Duration;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{ServerConfig, ServerConnection, Stream};

/// A certificate that signs itself, with its key.
pub struct Made {
    certificate: CertificateDer<'static>,
    key: KeyPair,
}

/// What a certificate is like.
#[derive(Clone, Copy, Default)]
pub struct Kind {
    /// Its last day is past.
    pub expired: bool,
    /// It says of itself that it is a CA's, as those of `openssl req -x509`.
    pub ca: bool,
}

pub fn made(name: &str, kind: Kind) -> Made {
    let key = KeyPair::generate().expect("a key");
    let mut about = CertificateParams::new([name.to_owned()]).expect("names");
    // Each is an issuer of its own.
    static MADE: AtomicUsize = AtomicUsize::new(0);
    let issuer = format!("engine {}", MADE.fetch_add(1, Relaxed));
    about.distinguished_name = DistinguishedName::new();
    about.distinguished_name.push(DnType::CommonName, issuer);
    if kind.expired {
        (about.not_before, about.not_after) = (date_time_ymd(2019, 1, 1), date_time_ymd(2020, 2, 3));
    }
    if kind.ca {
        about.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    let certificate = about.self_signed(&key).expect("a certificate").der().clone();
    Made { certificate, key }
}

fn pem(what: &str, der: &[u8]) -> String {
    format!("-----BEGIN {what}-----\n{}\n-----END {what}-----\n", STANDARD.encode(der))
}

impl Made {
    /// Its files in `dir`: the certificate, and the key.
    pub fn files(&self, dir: &Path, name: &str) -> (PathBuf, PathBuf) {
        let (certificate, key) = (dir.join(format!("{name}.pem")), dir.join(format!("{name}.key")));
        std::fs::write(&certificate, pem("CERTIFICATE", &self.certificate)).expect("a file");
        std::fs::write(&key, pem("PRIVATE KEY", &self.key.serialize_der())).expect("a file");
        (certificate, key)
    }

    fn config(&self) -> Arc<ServerConfig> {
        let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().expect("versions").with_no_client_auth();
        let key = PrivatePkcs8KeyDer::from(self.key.serialize_der()).into();
        Arc::new(builder.with_single_cert(vec![self.certificate.clone()], key).expect("a certificate with its key"))
    }
}

/// What becomes of a connection.
#[derive(Clone, Copy)]
pub struct Manner {
    /// How long the handshake is waited for.
    pub delay: Duration,
    /// Instead of a handshake it says in plain text that it speaks none.
    pub plain: bool,
    /// Everything goes out byte by byte.
    pub in_bytes: bool,
    /// How it goes on after an answer.
    pub after: After,
}

#[derive(Clone, Copy, PartialEq)]
pub enum After {
    Stay,
    /// It says farewell and closes.
    Farewell,
    /// It closes without a word.
    Gone,
}

impl Default for Manner {
    fn default() -> Self {
        Self { delay: Duration::ZERO, plain: false, in_bytes: false, after: After::Stay }
    }
}

/// A running server; it ends with the test's process.
pub struct Sealed {
    pub url: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Sealed {
    /// Starts one on a certificate for 127.0.0.1. `manner` is told the number of the connection, from 0; `answer` the head of
    /// a request, and closes the connection where it says nothing.
    pub fn start(
        manner: impl Fn(usize) -> Manner + Send + 'static,
        answer: impl Fn(&str) -> String + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("https://{}", listener.local_addr().expect("an address"));
        let config = made("127.0.0.1", Kind::default()).config();
        let (heads, answer) = (Arc::<Mutex<Vec<String>>>::default(), Arc::new(answer));
        let kept = heads.clone();
        std::thread::spawn(move || {
            for number in 0.. {
                let Ok((socket, _)) = listener.accept() else { return };
                let (config, heads, answer, manner) = (config.clone(), heads.clone(), answer.clone(), manner(number));
                std::thread::spawn(move || serve(socket, config, manner, &heads, &*answer));
            }
        });
        Self { url, heads: kept }
    }

    /// The heads of all requests so far.
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().expect("heads").clone()
    }
}

fn serve(
    mut socket: TcpStream,
    config: Arc<ServerConfig>,
    manner: Manner,
    heads: &Mutex<Vec<String>>,
    answer: &dyn Fn(&str) -> String,
) -> Option<()> {
    socket.set_nodelay(true).ok()?;
    sleep(manner.delay);
    if manner.plain {
        return socket.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").ok();
    }
    let mut tls = ServerConnection::new(config).ok()?;
    loop {
        let (head, _) = request(&mut Stream::new(&mut tls, &mut socket), &mut Vec::new())?;
        heads.lock().expect("heads").push(head.clone());
        let answer = answer(&head);
        if answer.is_empty() {
            return Some(());
        }
        std::io::Write::write_all(&mut tls.writer(), answer.as_bytes()).ok()?;
        if manner.after == After::Farewell {
            tls.send_close_notify();
        }
        let mut sealed = Vec::new();
        while tls.wants_write() {
            tls.write_tls(&mut sealed).ok()?;
        }
        let piece = if manner.in_bytes { 1 } else { sealed.len() };
        for part in sealed.chunks(piece.max(1)) {
            socket.write_all(part).ok()?;
        }
        if manner.after != After::Stay {
            return Some(());
        }
    }
}
