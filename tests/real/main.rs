//! Whole runs against real engines: the program, engines that `make engines` installs and starts on loopback, and tiny
//! models whose greedy text is known beforehand (the next words of a ring, one token each).
//!
//! All but the first are asked for by name (`make test-real`); once asked for, an engine that is missing is a failure.
//! Nothing here is about speed.

#[path = "../common/cli.rs"]
mod cli;

mod answers;
mod believed;
mod capacity;
mod costs;
mod ladder;
mod slow;
#[cfg(unix)] // A script is made a program.
mod suites;
mod sweeps;
mod weights;

use cli::{Row, Run, loadcmp, number, rows, text, write};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

// ------------------------------------------------------------------------------------------------------- the engines

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Engine {
    Old,
    New,
    Llama,
    LlamaEmbed,
    Busy,
}

use Engine::{Busy, Llama, LlamaEmbed, New, Old};

impl Engine {
    const ALL: [Engine; 5] = [Old, New, Llama, LlamaEmbed, Busy];

    /// The variable that says where it is, where it is otherwise, and its name in `engines.sh`.
    fn settings(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Old => ("LOADCMP_REAL_OLLAMA_OLD", "127.0.0.1:21434", "ollama-old"),
            New => ("LOADCMP_REAL_OLLAMA_NEW", "127.0.0.1:21435", "ollama-new"),
            Llama => ("LOADCMP_REAL_LLAMA", "127.0.0.1:21436", "llama"),
            LlamaEmbed => ("LOADCMP_REAL_LLAMA_EMBED", "127.0.0.1:21437", "llama-embed"),
            Busy => ("LOADCMP_REAL_OLLAMA_BUSY", "127.0.0.1:21438", "busy"),
        }
    }

    /// `host:port`.
    fn address(self) -> String {
        let (variable, usual, _) = self.settings();
        let told = std::env::var(variable).unwrap_or_else(|_| usual.to_owned());
        told.trim_start_matches("http://").trim_end_matches('/').to_owned()
    }

    fn is_ollama(self) -> bool {
        matches!(self, Old | New | Busy)
    }

    /// A target of this engine, as a YAML flow map. One thread each: on a small machine more would fight for cores.
    fn target(self, model: &str) -> String {
        let address = self.address();
        if self.is_ollama() {
            format!("{{ ollama: {{ url: \"{address}\", model: {model}, options: {{ num_thread: 1 }} }} }}")
        } else {
            format!("{{ openai: {{ url: \"{address}\", model: {model} }} }}")
        }
    }

    fn name(self) -> &'static str {
        self.settings().2
    }

    /// What it answers: the body, and the status before it.
    fn ask(self, path: &str, body: Option<&str>) -> std::io::Result<(u16, String)> {
        let mut socket = TcpStream::connect(self.address())?;
        socket.set_read_timeout(Some(Duration::from_secs(60)))?;
        // HTTP/1.0: the answer ends with the connection, in one piece.
        let request = match body {
            None => format!("GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", self.address()),
            Some(body) => format!(
                "POST {path} HTTP/1.0\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                self.address(),
                body.len()
            ),
        };
        socket.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer)?;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer.split_whitespace().nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body).to_owned();
        Ok((status, body))
    }

    /// Unloads a model of an Ollama, and waits until it is gone.
    fn unload(self, model: &str) {
        let body = format!("{{\"model\":\"{model}\",\"keep_alive\":0,\"stream\":false}}");
        let (status, told) = self.ask("/api/generate", Some(&body)).expect("an answer");
        assert_eq!(status, 200, "{told}");
        wait_for("the model to be unloaded", || {
            !self.ask("/api/ps", None).expect("an answer").1.contains(&format!("\"{model}:latest\""))
        });
        // The list is shorter before the process behind it has ended.
        std::thread::sleep(Duration::from_millis(500));
    }

    /// What tells that this engine is there, and is what these tests were written for.
    fn proof(self) -> Result<(), String> {
        let told = |path: &str| self.ask(path, None).map(|(_, body)| body).unwrap_or_default();
        let (path, wanted) = match self {
            Old | Busy => ("/api/version", "\"0.11.4\""),
            New => ("/api/version", "\"0.34.1\""),
            Llama => ("/v1/models", "\"cyc\""),
            LlamaEmbed => ("/v1/models", "\"emb\""),
        };
        let answer = told(path);
        if !answer.contains(wanted) {
            let (variable, _, name) = self.settings();
            let met = if answer.is_empty() { "nothing answers".to_owned() } else { format!("it says {answer}") };
            return Err(format!("  {name}: no {wanted} at {} ({variable}): {met}", self.address()));
        }
        if self.is_ollama() {
            let tags = told("/api/tags");
            for model in ["cyc:latest", "mid:latest", "emb:latest"] {
                if !tags.contains(model) {
                    return Err(format!("  {}: it has no model {model}", self.name()));
                }
            }
        }
        Ok(())
    }
}

/// Every test begins here: with all the engines, or not at all.
fn engines() {
    static MISSING: LazyLock<Vec<String>> =
        LazyLock::new(|| Engine::ALL.iter().filter_map(|engine| engine.proof().err()).collect());
    assert!(
        MISSING.is_empty(),
        "these tests need real engines, and not all of them are there:\n{}\n\
         `make engines` installs and starts them (it needs Go 1.26, a C++ compiler, Python 3.10 with venv, and curl; \
         some minutes the first time); `scripts/engines/engines.sh status` tells what runs",
        MISSING.join("\n")
    );
}

fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(30), "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

// ------------------------------------------------------------------------------------------------------ the known text

/// The ring of made-up words that `make_tiny.py` builds: 700 of them, from `baba` to `cofu`.
static RING: LazyLock<Vec<String>> = LazyLock::new(|| {
    let (consonants, vowels) = ("bcdfghjklmnprstvz", "aeiou");
    let syllables = || consonants.chars().flat_map(|c| vowels.chars().map(move |v| format!("{c}{v}")));
    syllables().flat_map(|first| syllables().map(move |second| format!("{first}{second}"))).take(700).collect()
});

/// What the model says after `prompt`: the words that follow its last one, or those from the first on.
fn continuation(prompt: &str, words: usize) -> String {
    let last = prompt.rsplit(' ').next().unwrap_or_default();
    let next = RING.iter().position(|word| word == last).map_or(0, |place| place + 1);
    (0..words).map(|n| format!(" {}", RING[(next + n) % RING.len()])).collect()
}

/// As `text_hash` of `samples.csv`: the first eight bytes of SHA-256.
fn hash(text: &str) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(text.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

// ------------------------------------------------------------------------------------------------------------ the runs

fn scenarios() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/real")
}

fn data(name: &str) -> String {
    std::fs::read_to_string(scenarios().join("data").join(name)).expect(name)
}

fn workload_hash(run: &Run) -> String {
    run.manifest()["plan"]["workload"]["hash"].as_str().expect("a hash").to_owned()
}

/// The rest of a scenario: everything but its targets.
#[derive(Clone, Copy)]
struct Asking {
    task: &'static str,
    workload: &'static str,
    load: &'static str,
}

/// A scenario over some engines, each a target by its own name.
fn scenario(targets: &[(Engine, &str)], asking: Asking) -> String {
    let lines: String =
        targets.iter().map(|(engine, model)| format!("  {}: {}\n", engine.name(), engine.target(model))).collect();
    format!(
        "name: real\ntask: {}\nseed: 7\ntargets:\n{lines}workload: {{ {} }}\nload: {{ closed: {{ {} }} }}\ntimeout: 30s\n",
        asking.task, asking.workload, asking.load
    )
}

/// A folder with a scenario and the shipped data beside it.
fn folder(yaml: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(dir.path().join("data")).expect("a folder");
    for name in ["ring.txt", "next.csv", "talks.jsonl"] {
        write(&dir.path().join("data"), name, &data(name));
    }
    let path = write(dir.path(), "t.yaml", yaml);
    (dir, path)
}

fn run(yaml: &str, more: &[&str]) -> Run {
    let (dir, path) = folder(yaml);
    Run::of(dir, &path, |command| {
        command.args(["--real", "--quiet"]).args(more);
    })
}

/// A run that must end well.
fn good(yaml: &str, more: &[&str]) -> Run {
    let run = run(yaml, more);
    assert_eq!(run.code, 0, "{}", run.err);
    run
}

/// A seed no earlier run has had: engines keep prompts they have seen, and the same seed asks the same ones again.
fn fresh_seed() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock");
    // Fifteen digits, and none in front that YAML wouldn't take for a number's.
    (100_000_000_000_000 + now.as_nanos() % 900_000_000_000_000).to_string()
}

fn measured(samples: &[Row], target: Engine) -> Vec<&Row> {
    samples.iter().filter(|row| row["target"] == target.name() && row["phase"] == "measure").collect()
}

/// Position of a row's prompt in the data: the column counts from 1.
fn item(row: &Row) -> usize {
    row["item"].parse::<usize>().expect("a number") - 1
}

/// Milliseconds of a column of microseconds.
fn ms(row: &Row, column: &str) -> Option<f64> {
    number(row, column).map(|us| us / 1e3)
}

/// What must hold of any engine's answers that came to a good end, whatever was asked.
fn times_agree(samples: &[Row]) {
    // What the clocks of two processes on one machine may differ in reading the same moment.
    const SLACK: f64 = 2.0;
    for row in samples {
        assert_eq!(row["outcome"], "ok", "{row:?}");
        assert_eq!(row["http_status"], "200", "{row:?}");
        let at = |column: &str| ms(row, column);
        let (planned, sent, end) = (at("planned_us").unwrap(), at("sent_us").unwrap(), at("end_us").unwrap());
        let first_byte = at("first_byte_us").unwrap();
        assert!(planned <= sent && sent <= end && first_byte <= end, "{row:?}");
        assert!((at("latency_us").unwrap() - (end - sent)).abs() < 1e-6, "{row:?}");
        assert!((at("response_us").unwrap() - (end - planned)).abs() < 1e-6, "{row:?}");
        if let (Some(first), Some(last)) = (at("first_token_us"), at("last_token_us")) {
            assert!(sent <= first && first_byte <= first && first <= last && last <= end, "{row:?}");
        }
        let part = |column: &str| at(column).unwrap_or(0.0);
        let parts = part("server_prompt_us") + part("server_output_us");
        if let Some(total) = at("server_total_us") {
            assert!(parts + part("server_load_us") <= total + SLACK, "{row:?}");
            // `sent` is read before the write, and `end` after the read: the engine's own time lies within.
            assert!(total <= end - sent, "{row:?}");
        } else {
            assert!(parts <= end - planned + SLACK, "{row:?}");
        }
    }
}

/// The same requests for every target, by number and phase.
fn same_requests(samples: &[Row]) -> BTreeMap<(String, String), String> {
    let mut all: BTreeMap<String, BTreeMap<(String, String), String>> = BTreeMap::new();
    for row in samples {
        let key = (row["phase"].clone(), row["index"].clone());
        let before = all.entry(row["target"].clone()).or_default().insert(key, row["request_hash"].clone());
        assert!(before.is_none(), "asked twice: {row:?}");
    }
    let mut each = all.into_values();
    let first = each.next().expect("a target");
    assert!(each.all(|other| other == first));
    first
}

const PAIRS: [[Engine; 2]; 3] = [[Llama, New], [Llama, Old], [Old, New]];

/// One kind of asking on each pair of engines: what must hold of all, then what `also` says of each pair.
fn on_each_pair(asking: Asking, model: impl Fn(Engine) -> (Engine, &'static str), also: impl Fn([Engine; 2], &[Row])) {
    engines();
    let mut asked = BTreeSet::new();
    for pair in PAIRS {
        let targets = pair.map(&model);
        let run = good(&scenario(&targets, asking), &[]);
        let samples = run.samples();
        times_agree(&samples);
        asked.insert((workload_hash(&run), same_requests(&samples)));
        also(targets.map(|(engine, _)| engine), &samples);
    }
    assert_eq!(asked.len(), 1, "all pairs are asked the same");
}

fn generator(engine: Engine) -> (Engine, &'static str) {
    (engine, "cyc")
}
