//! The command line of `loadcmp serve`, and the process around the engine: runtime, announcement, end.

use super::{EngineSpec, bind, bind_http_socket, bind_https, serve};
use crate::host::signalled;
use anyhow::Context;
use std::future::Future;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use tokio::sync::oneshot;

/// Arguments of `loadcmp serve`.
#[derive(Clone, Debug, clap::Args)]
pub struct ServeArgs {
    /// Address of the Ollama and OpenAI wires; port 0 = a free one.
    #[arg(long, default_value = "127.0.0.1:11500", value_name = "ADDRESS")]
    pub listen: SocketAddr,
    /// Serve only the GG-CORE socket, no HTTP.
    #[arg(long, requires = "socket")]
    pub no_http: bool,
    /// Unix socket of the GG-CORE wire, on Windows a named pipe; its token is taken from CORE_AUTH_TOKEN.
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// Also serve the Ollama and OpenAI wires on this Unix socket, on Windows a named pipe.
    #[arg(long, value_name = "PATH")]
    pub http_socket: Option<PathBuf>,
    /// Also serve the Ollama and OpenAI wires over TLS on this address; port 0 = a free one. A self-signed certificate
    /// for localhost and the loopback addresses is made at each start.
    #[arg(long, value_name = "ADDRESS")]
    pub tls_listen: Option<SocketAddr>,
    /// Write the certificate of --tls-listen to this file, for a target's `tls: { ca: FILE }`.
    #[arg(long, value_name = "FILE", requires = "tls_listen")]
    pub tls_save: Option<PathBuf>,
    /// Your own certificate chain for --tls-listen (PEM).
    #[arg(long, value_name = "FILE", requires_all = ["tls_listen", "tls_key"])]
    pub tls_cert: Option<PathBuf>,
    /// The key of --tls-cert (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Listen on an address that other machines can reach.
    #[arg(long)]
    pub allow_remote: bool,
    /// Server threads.
    #[arg(long, default_value_t = 2, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: u16,
    /// Append one row per request served to this CSV file.
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// Exit when standard input closes, so that a child never outlives its parent.
    #[arg(long)]
    pub until_stdin_closes: bool,
    /// What is served.
    #[command(flatten)]
    pub engine: EngineSpec,
}

/// Serves until Ctrl-C, SIGTERM, SIGHUP, or the end of standard input if that was asked. Says on standard error where it
/// listens, one line a listener: `stand-in listening on http://127.0.0.1:PORT`, the same with `https://`, `stand-in listening on
/// unix:PATH`.
pub fn run(args: ServeArgs) -> anyhow::Result<()> {
    let mut runtime = match args.threads {
        1 => tokio::runtime::Builder::new_current_thread(),
        many => {
            let mut builder = tokio::runtime::Builder::new_multi_thread();
            builder.worker_threads(usize::from(many));
            builder
        }
    };
    let runtime = runtime.enable_all().build().context("starting the stand-in")?;
    let served = runtime.block_on(async {
        let http = (!args.no_http).then_some(args.listen);
        let mut listeners = bind(http, args.socket.as_deref(), args.allow_remote)?;
        if let Some(path) = &args.http_socket {
            bind_http_socket(&mut listeners, path)?;
        }
        if let Some(address) = args.tls_listen {
            let files = args.tls_cert.as_deref().zip(args.tls_key.as_deref());
            let certificate = bind_https(&mut listeners, address, files, args.allow_remote)?;
            if let Some(path) = &args.tls_save {
                std::fs::write(path, certificate).with_context(|| format!("writing {}", path.display()))?;
            }
        }
        let end = end(args.until_stdin_closes)?;
        // A parent that has closed the other end wants no lines.
        let mut err = std::io::stderr();
        if let Some(address) = listeners.address() {
            let _ = writeln!(err, "stand-in listening on http://{address}");
        }
        if let Some(address) = listeners.https_address() {
            let _ = writeln!(err, "stand-in listening on https://{address}");
        }
        for path in args.http_socket.iter().chain(&args.socket) {
            let _ = writeln!(err, "stand-in listening on unix:{}", path.display());
        }
        serve(args.engine, listeners, args.record, end).await
    });
    runtime.shutdown_background();
    served
}

/// A wait for the process's end: by a signal, which `main` has caught since its start, or by standard input.
fn end(until_stdin_closes: bool) -> anyhow::Result<impl Future<Output = ()>> {
    let (closed, mut stdin) = oneshot::channel();
    // Where nobody watches standard input, the sender is kept, so that the wait never ends.
    let mut kept = Some(closed);
    if until_stdin_closes && let Some(closed) = kept.take() {
        let watch = move || {
            let mut buffer = [0; 256];
            while matches!(std::io::stdin().read(&mut buffer), Ok(1..)) {}
            let _ = closed.send(());
        };
        std::thread::Builder::new().name("standin-stdin".into()).spawn(watch).context("watching standard input")?;
    }
    // From before there is an engine: a signal that came while it was made ready ends it, too.
    Ok(async move {
        let _kept = kept;
        tokio::select! {
            _ = signalled(0) => {}
            _ = &mut stdin => {}
        }
    })
}
