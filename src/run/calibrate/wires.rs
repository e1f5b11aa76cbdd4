//! The wires of a calibration: each as a scenario of one target, prepared as a run's is.

use super::super::child::StandIn;
use super::super::prepare::prepare;
use super::super::{Failure, Options};
use super::probe::{Way, Wired};
use crate::host::Transport;
use crate::record::Stopwatch;
use crate::scenario::{Overrides, load_str};
use anyhow::anyhow;
use std::path::PathBuf;

/// Every way to ask the server: each wire over each transport that a target can have it over, whole answers and streams.
pub(super) fn all(server: &StandIn) -> Vec<Way> {
    let tcp = ["ollama", "openai", "json"].map(|wire| (wire, Transport::Tcp));
    let tls = ["ollama", "openai", "json"].map(|wire| (wire, Transport::Tls));
    let unix = ["json", "gg_core"].map(|wire| (wire, Transport::Unix));
    let unix = unix.into_iter().filter(|_| server.socket().is_some());
    let both = |(wire, transport)| [false, true].map(|stream| Way { wire, transport, stream });
    // When a stream of GG-CORE's comes says nothing of when it was made: it has no floor.
    let timed = |way: &Way| way.wire != "gg_core" || !way.stream;
    tcp.into_iter().chain(tls).chain(unix).flat_map(both).filter(timed).collect()
}

/// Makes a wire ready.
pub(super) async fn ready(server: &StandIn, way: Way, clock: Stopwatch) -> Result<Wired, Failure> {
    let loaded = load_str("calibration", &scenario(server, way), &Overrides::default());
    let loaded = loaded.map_err(|error| Failure::Other(anyhow!("the calibration's own scenario: {error}")))?;
    let prepared = prepare(loaded, &Options { quiet: true, ..Options::default() }).await?;
    let targets = prepared.targets(clock)?;
    Ok(Wired { way, prepared, targets })
}

/// Short prompts and 8 tokens, as a classifier's; of streams, up to 24.
fn scenario(server: &StandIn, Way { wire, transport, stream }: Way) -> String {
    // The certificate is one that the null server has made for itself: who it is of is known.
    let (url, tls) = match transport {
        Transport::Tls => (server.tls_url().unwrap_or_default(), ", tls: { insecure: true }"),
        Transport::Tcp | Transport::Unix => (server.url(), ""),
    };
    let quoted = |path: Option<PathBuf>| format!("{:?}", path.unwrap_or_default().display().to_string());
    let target = match (wire, transport) {
        ("gg_core", _) => {
            format!(
                "{{ gg_core: {{ socket: {}, max_connections: 4096 }} }}",
                quoted(server.socket().map(PathBuf::from))
            )
        }
        ("json", transport) => format!(
            "{{ json: {{ {}, path: /api/generate, stream: {}, body: {{ model: standin, prompt: \"{{{{prompt}}}}\", \
             stream: {stream}, options: {{ num_predict: \"{{{{max_tokens}}}}\" }} }}, \
             answer: {{ text: /response, done: /done, output_tokens: /eval_count }} }} }}",
            match transport {
                Transport::Tcp | Transport::Tls => format!("url: \"{url}\"{tls}"),
                Transport::Unix => format!("socket: {}", quoted(server.http_socket())),
            },
            if stream { "ndjson" } else { "none" }
        ),
        (wire, _) => format!("{{ {wire}: {{ url: \"{url}\"{tls} }} }}"),
    };
    let tokens = if stream { 24 } else { 8 };
    format!(
        "name: calibration\ntask: generate\ntargets: {{ null_server: {target} }}\nworkload:\n  prompts: {{ inline: [ {{ text: \
         \"My card was charged twice for one order\" }}, {{ text: \"The app closes when I open a photo\" }} ] }}\n  \
         stream: {stream}\n  sampling: {{ max_tokens: {tokens} }}\n  prompt_cache: as_is\n\
         load: {{ closed: {{ users: 1, duration: 1s }} }}\ndrain: 1s\n"
    )
}
