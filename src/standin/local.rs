//! A socket of this machine by its path: a Unix socket; on Windows a named pipe, which takes its place.

use std::io;
use std::path::{Path, PathBuf};

/// Who came in.
#[cfg(unix)]
pub(super) type LocalStream = tokio::net::UnixStream;
#[cfg(windows)]
pub(super) type LocalStream = tokio::net::windows::named_pipe::NamedPipeServer;

/// An open one, whose file is gone when it is dropped.
#[derive(Debug)]
pub struct LocalListener {
    path: PathBuf,
    #[cfg(unix)]
    listener: tokio::net::UnixListener,
    /// A pipe's next instance, which nobody has connected to yet: without one a caller would find no pipe.
    #[cfg(windows)]
    next: LocalStream,
}

#[cfg(unix)]
impl LocalListener {
    /// Opens it. A socket file that nobody serves any more is replaced.
    pub(super) fn bind(path: &Path) -> anyhow::Result<Self> {
        use anyhow::Context;
        use std::os::unix::fs::FileTypeExt;
        if let Ok(found) = std::fs::symlink_metadata(path) {
            anyhow::ensure!(found.file_type().is_socket(), "{} exists and is not a socket", path.display());
            let taken = std::os::unix::net::UnixStream::connect(path).is_ok();
            anyhow::ensure!(!taken, "{} is in use by another process", path.display());
            std::fs::remove_file(path).with_context(|| format!("removing the stale socket {}", path.display()))?;
        }
        let listener =
            tokio::net::UnixListener::bind(path).with_context(|| format!("listening on {}", path.display()))?;
        Ok(Self { path: path.to_owned(), listener })
    }

    /// Waits for a caller.
    pub(super) async fn accept(&mut self) -> io::Result<LocalStream> {
        self.listener.accept().await.map(|(stream, _)| stream)
    }
}

#[cfg(unix)]
impl Drop for LocalListener {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(windows)]
impl LocalListener {
    /// Opens it: a name such as `\\.\pipe\GG-CORE` that nobody has. Callers of other machines are refused.
    pub(super) fn bind(path: &Path) -> anyhow::Result<Self> {
        use anyhow::Context;
        let mut options = tokio::net::windows::named_pipe::ServerOptions::new();
        let next = options.first_pipe_instance(true).create(path);
        let next = next
            .with_context(|| format!("listening on {}, a pipe's name such as \\\\.\\pipe\\GG-CORE", path.display()))?;
        Ok(Self { path: path.to_owned(), next })
    }

    /// Waits for a caller.
    pub(super) async fn accept(&mut self) -> io::Result<LocalStream> {
        self.next.connect().await?;
        let next = tokio::net::windows::named_pipe::ServerOptions::new().create(&self.path)?;
        Ok(std::mem::replace(&mut self.next, next))
    }
}
