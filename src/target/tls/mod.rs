//! TLS over a stamped socket: whom a target's certificate is checked by, the handshake, and what goes wrong with both, in
//! words. Nothing of it is touched by a target that is asked over plain http: no authorities are read for one.

mod stream;
mod trust;
mod words;

pub(super) use stream::Sealed;
pub(super) use words::words;

use super::socket::{Socket, Stamped};
use crate::record::chain;
use crate::scenario::plan::Endpoint;
use crate::scenario::{TargetSpec, TlsSpec};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

/// Longest wait for a handshake: below the limit of a whole connection, so that it can be said what was waited for.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(4);

/// Longest wait for a server to show that it speaks TLS after all.
const GUESS_LIMIT: Duration = Duration::from_secs(1);

/// How a target's connections are encrypted.
#[derive(Clone)]
pub(super) struct Tls {
    config: Arc<ClientConfig>,
    /// Whom the certificate must be of.
    name: ServerName<'static>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Tls {
    /// What an endpoint needs: nothing unless it is https. The error is a sentence.
    pub(super) fn of(endpoint: &Endpoint, spec: &TargetSpec) -> Result<Option<Self>, String> {
        match (endpoint, spec.tls()) {
            (Endpoint::Tcp { host, tls: true, .. }, Some(spec)) => Self::new(host, spec).map(Some),
            _ => Ok(None),
        }
    }

    /// For a host. The error is a sentence.
    pub(super) fn new(host: &str, spec: &TlsSpec) -> Result<Self, String> {
        let name = ServerName::try_from(host.to_owned());
        let name = name.map_err(|_| format!("`{host}` can't be the name in a certificate"))?;
        Ok(Self { config: Arc::new(trust::config(spec)?), name })
    }

    /// The settings, for a client of another kind.
    pub(super) fn config(&self) -> ClientConfig {
        (*self.config).clone()
    }

    /// Shakes hands over a socket. Whatever goes wrong is told in words.
    pub(super) async fn seal(&self, socket: Stamped) -> io::Result<Sealed> {
        let clock = socket.marks().clock();
        let connecting = TlsConnector::from(self.config.clone()).connect(self.name.clone(), socket);
        match tokio::time::timeout(HANDSHAKE_LIMIT, connecting).await {
            Ok(Ok(stream)) => Ok(Sealed::new(stream, clock)),
            Ok(Err(error)) => {
                // A limit of our own, such as one of open files, must stay what it is.
                let told = words::of_handshake(&error);
                Err(told.map_or(error, |told| io::Error::new(io::ErrorKind::InvalidData, told)))
            }
            Err(_) => {
                let limit = HANDSHAKE_LIMIT.as_secs();
                let told = format!("it accepted the connection, but its TLS handshake took more than {limit} s");
                Err(io::Error::new(io::ErrorKind::TimedOut, told))
            }
        }
    }
}

/// Opens a connection to an endpoint and, over https, shakes hands; in words why it can't. For questions that are asked
/// before a run: a certificate that isn't good is told of alike, whichever wire is spoken then.
pub(super) async fn reach(endpoint: &Endpoint, spec: &TlsSpec, limit: Duration) -> Result<(), String> {
    let opened = tokio::time::timeout(limit, Socket::open(endpoint)).await;
    let socket = match opened {
        Ok(Ok(socket)) => socket,
        Ok(Err(error)) => return Err(chain(&error)),
        Err(_) => return Err(format!("no connection within {} s", limit.as_secs())),
    };
    if let Endpoint::Tcp { host, tls: true, .. } = endpoint {
        let clock = crate::record::Stopwatch::start();
        let sealed = Tls::new(host, spec)?.seal(Stamped::over(socket, clock)).await;
        sealed.map_err(|error| chain(&error))?;
    }
    Ok(())
}

/// Whether TLS is spoken at an address of plain http: asked when what came from there is no HTTP.
pub(super) async fn is_spoken_at(endpoint: &Endpoint) -> bool {
    let Endpoint::Tcp { host, port, prefix, tls: false } = endpoint else { return false };
    let sealed = Endpoint::Tcp { host: host.clone(), port: *port, prefix: prefix.clone(), tls: true };
    let any = TlsSpec { ca: None, insecure: true };
    matches!(tokio::time::timeout(GUESS_LIMIT, reach(&sealed, &any, GUESS_LIMIT)).await, Ok(Ok(())))
}
