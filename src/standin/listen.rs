//! Where a stand-in is reached: a TCP port of this machine, one for https, a local socket, or all of them.

use super::local::LocalListener;
use super::tls::Identity;
use anyhow::Context;
use std::net::SocketAddr;
use std::path::Path;
use tokio::net::{TcpListener, TcpSocket};
use tokio_rustls::TlsAcceptor;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1024;

/// The open doors of a stand-in.
#[derive(Default)]
pub struct Listeners {
    /// The Ollama and OpenAI wires.
    pub http: Option<TcpListener>,
    /// The Ollama and OpenAI wires over TLS, and what shakes hands there.
    pub(super) https: Option<(TcpListener, TlsAcceptor)>,
    /// The GG-CORE wire.
    pub gg_core: Option<LocalListener>,
    /// The Ollama and OpenAI wires, on a local socket.
    pub http_socket: Option<LocalListener>,
}

impl Listeners {
    /// The HTTP address that was taken, its port included.
    pub fn address(&self) -> Option<SocketAddr> {
        self.http.as_ref().and_then(|listener| listener.local_addr().ok())
    }

    /// The https address that was taken, its port included.
    pub fn https_address(&self) -> Option<SocketAddr> {
        self.https.as_ref().and_then(|(listener, _)| listener.local_addr().ok())
    }
}

/// Opens the doors; to be called within a tokio runtime. Port 0 takes a free one. An address that other machines
/// reach is refused unless `allow_remote`. A socket file that nobody serves any more is replaced.
pub fn bind(http: Option<SocketAddr>, socket: Option<&Path>, allow_remote: bool) -> anyhow::Result<Listeners> {
    let mut listeners = Listeners::default();
    if let Some(address) = http {
        listeners.http = Some(port(address, allow_remote)?);
    }
    if let Some(path) = socket {
        listeners.gg_core = Some(LocalListener::bind(path)?);
    }
    Ok(listeners)
}

/// Opens a door for https, too: with a certificate from files (it and its key), or else one made for it here. Gives the
/// certificate as PEM.
pub fn bind_https(
    listeners: &mut Listeners,
    address: SocketAddr,
    files: Option<(&Path, &Path)>,
    allow_remote: bool,
) -> anyhow::Result<String> {
    let identity = match files {
        Some((certificate, key)) => Identity::read(certificate, key)?,
        None => Identity::made(&address.ip().to_string())?,
    };
    let pem = identity.pem();
    listeners.https = Some((port(address, allow_remote)?, identity.acceptor()?));
    Ok(pem)
}

fn port(address: SocketAddr, allow_remote: bool) -> anyhow::Result<TcpListener> {
    let loopback = address.ip().to_canonical().is_loopback();
    anyhow::ensure!(
        loopback || allow_remote,
        "{address} can be reached from other machines. To allow that, add --allow-remote"
    );
    let open = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(cfg!(unix))?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    open().with_context(|| format!("listening on {address}"))
}

/// Opens a door of HTTP's on a local socket, too; as [`bind`], within a tokio runtime.
pub fn bind_http_socket(listeners: &mut Listeners, path: &Path) -> anyhow::Result<()> {
    listeners.http_socket = Some(LocalListener::bind(path)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_loopback_is_open_by_default() {
        for remote in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "[::ffff:192.0.2.1]:0"] {
            let error = bind(Some(remote.parse().unwrap()), None, false).err().unwrap().to_string();
            assert!(error.contains("--allow-remote"), "{error}");
        }
        let listeners = bind(Some("127.0.0.1:0".parse().unwrap()), None, false).unwrap();
        assert_ne!(listeners.address().unwrap().port(), 0);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let live = bind(None, Some(&path), false).unwrap();
        let error = bind(None, Some(&path), false).err().unwrap().to_string();
        assert!(error.contains("another process"), "{error}");
        drop(live);
        assert!(!path.exists());
        std::fs::write(&path, "kept").unwrap();
        assert!(bind(None, Some(&path), false).is_err());
        assert!(path.exists());
    }
}
