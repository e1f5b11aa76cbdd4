//! The bench's own server, which is not the bottleneck: one thread, raw sockets, prepared answers, and its own record. And a
//! bare client for it, whose rate is the server's limit: a client that gets less is measured, and not the server.
//!
//! `server serve [--openai] [--stream N] [--first-ms X] [--gap-ms X] [--record FILE]` serves on a free port of loopback, until its
//! standard input ends: Ollama's `/api/generate`, whole or with N chunks of one token, each a write of its own, or OpenAI's
//! `/v1/chat/completions` with N chunks. `server load HOST:PORT PATH BODY-FILE CONNECTIONS SECONDS [REQUESTS FILE]` is the client.

mod answers;
mod load;
mod serve;

use std::process::ExitCode;

/// Seconds of processor time that this process has used.
fn cpu_s() -> f64 {
    // Fields 14 and 15 after the name, in ticks of 10 ms.
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let rest = stat.rsplit(')').next().unwrap_or_default();
    rest.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

fn main() -> ExitCode {
    // Cargo hands `--bench` to every benchmark.
    let given: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let told = match given.split_first() {
        Some((word, rest)) if word == "serve" => serve::Options::of(rest).and_then(serve::run),
        Some((word, rest)) if word == "load" => load::run(rest),
        None => Ok(()), // `cargo bench`: nothing to measure by itself.
        Some((word, _)) => Err(std::io::Error::other(format!("`{word}` is neither `serve` nor `load`"))),
    };
    match told {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("server: {error}");
            ExitCode::FAILURE
        }
    }
}
