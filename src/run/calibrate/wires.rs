//! The wires of a calibration: each as a scenario of one target, prepared as a run's is.

use super::super::child::StandIn;
use super::super::prepare::prepare;
use super::super::{Failure, Options};
use super::probe::Wired;
use crate::record::Stopwatch;
use crate::scenario::{Overrides, load_str};
use anyhow::anyhow;

/// Every wire that the server speaks, whole answers and streams.
pub(super) fn all(server: &StandIn) -> Vec<(&'static str, bool)> {
    let names = ["ollama", "openai", "json"].into_iter().chain(server.socket().map(|_| "gg_core"));
    names.flat_map(|wire| [(wire, false), (wire, true)]).collect()
}

/// Makes a wire ready.
pub(super) async fn ready(server: &StandIn, wire: &str, stream: bool, clock: Stopwatch) -> Result<Wired, Failure> {
    let loaded = load_str("calibration", &scenario(server, wire, stream), &Overrides::default());
    let loaded = loaded.map_err(|error| Failure::Other(anyhow!("the calibration's own scenario: {error}")))?;
    let prepared = prepare(loaded, &Options { quiet: true, ..Options::default() }).await?;
    let targets = prepared.targets(clock)?;
    Ok(Wired { prepared, targets })
}

/// Short prompts and 8 tokens, as a classifier's; of paced streams, up to 24.
fn scenario(server: &StandIn, wire: &str, stream: bool) -> String {
    let url = server.url();
    let target = match (wire, server.socket()) {
        ("gg_core", Some(socket)) => {
            format!("{{ gg_core: {{ socket: {:?}, max_connections: 4096 }} }}", socket.display().to_string())
        }
        ("json", _) => format!(
            "{{ json: {{ url: \"{url}\", path: /api/generate, stream: {}, body: {{ model: standin, prompt: \"{{{{prompt}}}}\", \
             stream: {stream}, options: {{ num_predict: \"{{{{max_tokens}}}}\" }} }}, \
             answer: {{ text: /response, done: /done, output_tokens: /eval_count }} }} }}",
            if stream { "ndjson" } else { "none" }
        ),
        (wire, _) => format!("{{ {wire}: {{ url: \"{url}\" }} }}"),
    };
    let tokens = if stream { 24 } else { 8 };
    format!(
        "name: calibration\ntask: generate\ntargets: {{ null_server: {target} }}\nworkload:\n  prompts: {{ inline: [ {{ text: \
         \"My card was charged twice for one order\" }}, {{ text: \"The app closes when I open a photo\" }} ] }}\n  \
         stream: {stream}\n  sampling: {{ max_tokens: {tokens} }}\n  prompt_cache: as_is\n\
         load: {{ closed: {{ users: 1, duration: 1s }} }}\ndrain: 1s\n"
    )
}
