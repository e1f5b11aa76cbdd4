//! Rules that a run over real sockets brings about by itself: stand-ins that behave so, targets that are set up so, a
//! generator that is held up. Nothing is edited afterwards.

use crate::cli::{Row, StandIn, loadcmp, rows, text, write};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A finished run.
pub struct Told {
    dir: tempfile::TempDir,
    pub code: i32,
    pub err: String,
    pub found: Vec<Row>,
}

impl Told {
    /// Ids with the targets they speak of.
    pub fn ids(&self) -> BTreeSet<(&str, &str)> {
        self.found.iter().map(|row| (row["id"].as_str(), row["target"].as_str())).collect()
    }

    pub fn out(&self) -> PathBuf {
        self.dir.path().join("out")
    }

    /// A finding of `target`, or of no single one.
    pub fn finding(&self, id: &str, target: &str) -> &Row {
        let label = if target.is_empty() { String::new() } else { format!("{target} (stand-in)") };
        let found = self.found.iter().find(|row| row["id"] == id && row["target"] == label);
        found.unwrap_or_else(|| panic!("{id} of {target:?} is not in {:?}\n{}", self.ids(), self.err))
    }

    /// That these rules speak of `a`, and of `b` not.
    pub fn only_a(&self, ids: &[&str]) {
        for id in ids {
            self.finding(id, "a");
            let b = self.found.iter().find(|row| row["id"] == *id && row["target"] == "b (stand-in)");
            assert!(b.is_none(), "{b:?}");
        }
    }
}

/// Engines that take long enough for a few users to be at work at once.
pub const STEADY: [&str; 6] = ["--first-token-ms", "3", "--decode-rate", "4000", "--slots", "8"];

/// A scenario: targets as YAML with `{a}` and `{b}` for the addresses, and what is laid over.
pub struct Live<'a> {
    pub targets: &'a str,
    pub load: &'a str,
    pub set: &'a [&'a str],
    pub more: &'a str,
    /// Instants of arrivals, for `trace.csv` beside the scenario.
    pub trace: &'a str,
}

/// Engines that tell their context and slots.
pub const OPENAI: &str = "  a: { openai: { url: \"{a}\" } }\n  b: { openai: { url: \"{b}\" } }\n";

pub const OLLAMA: &str = "  a: { ollama: { url: \"{a}\" } }\n  b: { ollama: { url: \"{b}\" } }\n";

impl Default for Live<'_> {
    fn default() -> Self {
        Self { targets: OLLAMA, load: "{ closed: { users: 2, requests: 40 } }", set: &[], more: "", trace: "" }
    }
}

impl Live<'_> {
    pub fn yaml(&self, a: &str, b: &str) -> String {
        let targets = self.targets.replace("{a}", a).replace("{b}", b);
        format!(
            "name: t\ntask: generate\nseed: 5\ntargets:\n{targets}reference: b\nworkload: {{ prompts: {{ synthetic: \
             {{ count: 40, words: {{ uniform: {{ min: 3, max: 12 }} }} }} }}, sampling: {{ max_tokens: 16 }} }}\n\
             load: {}\n{}",
            self.load, self.more
        )
    }

    /// Runs it against two engines.
    pub fn run(&self, a: &[&str], b: &[&str]) -> Told {
        let (a, b) = (StandIn::start(a), StandIn::start(b));
        self.run_at(&a.url, &b.url)
    }

    pub fn run_at(&self, a: &str, b: &str) -> Told {
        self.run_while(a, b, |_, _| {})
    }

    /// Does something to the process once it measures.
    pub fn run_while(&self, a: &str, b: &str, meanwhile: impl FnOnce(u32, &dyn Fn() -> bool)) -> Told {
        let dir = tempfile::tempdir().expect("a directory");
        let path = write(dir.path(), "t.yaml", &self.yaml(a, b));
        write(dir.path(), "trace.csv", self.trace);
        let out = dir.path().join("out");
        let mut command = loadcmp();
        command.arg("run").arg(path).arg("--out").arg(&out).args(["--driver", "native"]);
        for set in self.set {
            command.args(["--set", set]);
        }
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a run");
        let samples = out.join("samples.csv");
        let measures = || std::fs::read_to_string(&samples).is_ok_and(|text| text.matches(",measure,").count() > 2);
        meanwhile(child.id(), &measures);
        let output = child.wait_with_output().expect("a run");
        let (code, err) = (output.status.code().unwrap_or(-1), text(&output).1);
        assert!(out.join("findings.csv").exists(), "{code}: {err}");
        let found = rows(&out.join("findings.csv"));
        Told { dir, code, err, found }
    }
}

#[test]
fn answers_that_are_short_or_all_alike() {
    let live = Live { set: &["workload.sampling.max_tokens=1"], ..Live::default() };
    live.run(&STEADY, &STEADY).finding("one-token-answers", "a");
    // The ring of words has one answer to each place in it: of a single token there are few.
    let set = ["workload.prompts.synthetic.count=2000", "workload.sampling.max_tokens=1"];
    let load = "{ closed: { users: 2, requests: 900 } }";
    let told = Live { load, set: &set, ..Live::default() }.run(&[], &[]);
    assert!(told.finding("same-answers", "a")["sentence"].contains("900 different prompts"));
    // A single request is no measurement.
    let told = Live { load: "{ closed: { users: 1, requests: 1 } }", ..Live::default() }.run(&STEADY, &STEADY);
    assert_eq!((told.finding("no-answers", "a")["severity"].as_str(), told.code), ("invalid", 4));
    // Every answer ends before its first word.
    let stop = ["workload.sampling.stop=[\" \"]"];
    Live { set: &stop, ..Live::default() }.run(&STEADY, &STEADY).finding("empty-answers", "a");
}

#[test]
fn lengths_that_do_not_show_in_latency() {
    let flat = ["--first-token-ms", "30", "--early-stop", "1"];
    let told = Live { load: "{ closed: { users: 2, requests: 80 } }", ..Live::default() }
        .run(&flat, &["--decode-rate", "800", "--early-stop", "1"]);
    told.only_a(&["flat-latency"]);
}

#[test]
fn prompts_that_fill_the_context() {
    // A context of the length of the longest prompts.
    let set = ["workload.prompts.synthetic.words={fixed: 12}"];
    let live = Live { set: &set, targets: OPENAI, ..Live::default() };
    let probe = live.run(&STEADY, &STEADY);
    let samples = rows(&probe.out().join("samples.csv"));
    let most = samples.iter().map(|row| row["prompt_tokens"].parse::<u64>().expect("a count")).max().expect("rows");
    let context = most.to_string();
    let told = live.run(&[&STEADY[..], &["--context", &context]].concat(), &STEADY);
    told.only_a(&["truncated-prompts"]);
    told.finding("context-length", "");
}

#[test]
fn models_that_load_while_they_are_measured() {
    let kept = "  a: { ollama: { url: \"{a}\", keep_alive: \"0\" } }\n  b: { ollama: { url: \"{b}\" } }\n";
    let load = ["--load-ms", "120", "--slots", "8"];
    let told = Live { targets: kept, load: "{ closed: { users: 1, requests: 6 } }", ..Live::default() };
    told.run(&load, &load).only_a(&["cold-load"]);
    // Dropped while nobody asked: the pause of the trace is longer than the model stays.
    let trace = "at\n0.0\n0.25\n0.3\n0.35\n2.2\n2.5\n";
    let kept = "  a: { ollama: { url: \"{a}\", keep_alive: \"900ms\" } }\n  b: { ollama: { url: \"{b}\" } }\n";
    let open = "{ open: { trace: { path: trace.csv, column: at } } }";
    let told = Live { targets: kept, load: open, trace, ..Live::default() }.run(&load, &load);
    told.only_a(&["model-reload"]);
}

/// A `json` target at a stand-in's Ollama wire: another reading of its answers, and another prompt.
fn json(model: &str, prompt: &str, answer: &str) -> String {
    format!(
        "  a: {{ json: {{ url: \"{{a}}\", path: /api/generate, stream: ndjson, body: {{ model: {model}, prompt: \"{prompt}\", \
         raw: true, options: {{ num_predict: \"{{{{max_tokens}}}}\" }} }}, answer: {{ text: /response, done: /done, \
         {answer} }} }} }}\n  b: {{ ollama: {{ url: \"{{b}}\" }} }}\n"
    )
}

/// Pointers at the wrong fields of a real answer tell of work that was not done.
#[test]
fn counts_and_times_that_are_others() {
    let run = |prompt: &str, answer: &str| {
        let set = ["workload.prompt_cache=bust"];
        Live { targets: &json("standin", prompt, answer), set: &set, ..Live::default() }.run(&STEADY, &STEADY)
    };
    let zero = run("{{prompt}}", "output_tokens: /prompt_eval_cached_count");
    zero.only_a(&["zero-tokens"]);
    assert_eq!(zero.code, 4, "{}", zero.err);
    run("{{prompt}}", "finish: /done_reason").only_a(&["missing-tokens"]);
    let cached = "prompt_tokens: /prompt_eval_count, cached_tokens: /prompt_eval_count, output_tokens: /eval_count";
    run("{{prompt}}", cached).only_a(&["one-sided-cache", "cache-when-busting"]);
    let more = "output_tokens: /total_duration, server_total: /total_duration, time_unit: us";
    run("{{prompt}}", more).only_a(&["server-time", "tokens-per-chunk", "unequal-output", "output-lengths"]);
    let thrice = "prompt_tokens: /prompt_eval_count, output_tokens: /eval_count";
    run("{{prompt}} {{prompt}} {{prompt}}", thrice).finding("unequal-prompts", "");
    // Each answer is said to have ended by itself, with exactly the tokens that were asked for.
    let claims = json("stop", "{{prompt}}", "finish: /model, output_tokens: /eval_count");
    let engine = [&STEADY[..], &["--model", "stop"]].concat();
    let told = Live { targets: &claims, ..Live::default() }.run(&engine, &STEADY);
    told.only_a(&["claimed-limit", "finish-reasons"]);
}

#[test]
fn engines_that_are_set_up_unlike() {
    let thinks =
        "  a: { openai: { url: \"{a}\", extra: { reasoning_effort: high } } }\n  b: { openai: { url: \"{b}\" } }\n";
    let told = Live { targets: thinks, ..Live::default() }
        .run(&[&STEADY[..4], &["--slots", "1", "--context", "2048"]].concat(), &STEADY);
    told.only_a(&["thinking"]);
    assert_eq!(told.finding("thinking", "a")["severity"], "doubt");
    for id in ["slots", "context-length"] {
        told.finding(id, "");
    }

    let one = StandIn::start(&STEADY);
    let chat = ["task=chat", "workload.history=own", "workload.prompts.synthetic.turns=2"];
    let told = Live { set: &chat, ..Live::default() }.run_at(&one.url, &one.url);
    told.finding("own-history", "");
    told.finding("same-endpoint", "b");

    let whole = json("standin", "{{prompt}}", "output_tokens: /eval_count").replace("stream: ndjson", "stream: none");
    let whole = whole.replace("raw: true", "raw: true, stream: false");
    let told = Live { targets: &whole, ..Live::default() }.run(&STEADY, &STEADY);
    told.only_a(&["no-stream", "cannot-honour"]);
}

#[cfg(unix)]
#[test]
fn a_socket_of_another_kind() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("s.sock");
    let socket = path.to_str().expect("a path");
    let a = StandIn::start(&[&STEADY[..], &["--http-socket", socket]].concat());
    let b = StandIn::start(&STEADY);
    let answer = "output_tokens: /eval_count";
    let targets = json("standin", "{{prompt}}", answer).replace("url: \"{a}\"", &format!("socket: \"{socket}\""));
    let told = Live { targets: &targets, ..Live::default() }.run_at(&a.url, &b.url);
    told.finding("unlike-transports", "");
}

#[test]
fn a_generator_that_could_not_send() {
    // Two may be in flight, and each is for 300 ms.
    let load = "{ open: { rate: 40, arrivals: constant, duration: 1s, in_flight: 2 } }";
    let slow = ["--first-token-ms", "300", "--slots", "8"];
    let told = Live { load, ..Live::default() }.run(&slow, &STEADY);
    told.only_a(&["unsent-requests", "missed-rate"]);
    told.finding("unequal-requests", "");
    assert_eq!(told.code, 4, "{}", told.err);
}

#[cfg(unix)]
fn signal(name: &str, pid: u32) {
    assert!(Command::new("kill").args([name, &pid.to_string()]).status().expect("kill").success());
}

/// Waits until the first measured rows are there.
#[cfg(unix)]
fn wait(measures: &dyn Fn() -> bool) {
    let from = Instant::now();
    while !measures() {
        assert!(from.elapsed() < Duration::from_secs(30), "no rows");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Stopped for a while, as by a machine that has no time for it: what was due then leaves late.
#[cfg(unix)]
#[test]
fn a_generator_that_is_held_up_says_so() {
    let (a, b) = (StandIn::start(&STEADY), StandIn::start(&STEADY));
    let load = "{ open: { rate: 60, arrivals: constant, duration: 3s } }";
    let told = Live { load, ..Live::default() }.run_while(&a.url, &b.url, |pid, measures| {
        wait(measures);
        signal("-STOP", pid);
        std::thread::sleep(Duration::from_millis(300));
        signal("-CONT", pid);
    });
    assert_eq!(told.finding("generator-lag", "a")["severity"], "invalid");
    assert_eq!(told.code, 4, "{}", told.err);
}

#[cfg(unix)]
#[test]
fn a_run_that_is_interrupted_is_invalid() {
    let (a, b) = (StandIn::start(&STEADY), StandIn::start(&STEADY));
    let load = "{ closed: { users: 2, duration: 60s } }";
    let told = Live { load, ..Live::default() }.run_while(&a.url, &b.url, |pid, measures| {
        wait(measures);
        signal("-INT", pid);
    });
    told.finding("interrupted", "");
    assert_eq!(told.code, 4, "{}", told.err);
}

#[test]
fn users_who_wait_for_one_of_them() {
    // The others end what there is to do while the last one waits.
    let stalls = ["--fault-stall", "0.03", "--stall-for-ms", "700", "--slots", "8"];
    let load = "{ closed: { users: 4, requests: 60 } }";
    Live { load, ..Live::default() }.run(&stalls, &STEADY).only_a(&["low-concurrency"]);
}

#[test]
fn latencies_that_change_over_the_window() {
    // One slot of 10 ms at 130 arrivals a second: the queue grows to the end.
    let load = "{ open: { rate: 130, arrivals: constant, duration: 2s } }";
    let told = Live { load, ..Live::default() }.run(&["--first-token-ms", "10", "--slots", "1"], &STEADY);
    told.finding("drift", "a");
    // Twenty at once, then one at a time: what came first waited for the others.
    let trace: String = (0..20)
        .map(|n| n as f64 * 0.001)
        .chain((0..80).map(|n| 0.5 + n as f64 * 0.02))
        .fold("at\n".to_owned(), |text, at| text + &format!("{at:.4}\n"));
    let load = "{ open: { trace: { path: trace.csv, column: at } } }";
    let told =
        Live { load, trace: &trace, ..Live::default() }.run(&["--first-token-ms", "10", "--slots", "1"], &STEADY);
    told.finding("not-steady", "a");
}

/// What the machine did is read during a run; the thresholds are low, for tests can't ask for a busy one.
#[test]
fn processor_time_of_the_run_and_of_others() {
    let spinning = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let other = {
        let spinning = spinning.clone();
        std::thread::spawn(move || while spinning.load(std::sync::atomic::Ordering::Relaxed) {})
    };
    let set = ["audit={other-load: 1%, generator-cpu: 0.1%, few-samples: 41}"];
    let load = "{ open: { rate: 20, arrivals: constant, duration: 2s, pacing: precise } }";
    let told = Live { set: &set, load, ..Live::default() }.run(&STEADY, &STEADY);
    spinning.store(false, std::sync::atomic::Ordering::Relaxed);
    other.join().expect("an end");
    for (id, target) in [("other-load", ""), ("generator-cpu", ""), ("few-samples", "a")] {
        told.finding(id, target);
    }
    let few = std::thread::available_parallelism().is_ok_and(|cores| cores.get() <= 2);
    let manifest = std::fs::read(told.out().join("manifest.json")).expect("a manifest");
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).expect("JSON");
    let cores = manifest["conditions"]["cores"].as_f64();
    assert!(cores.is_some() || !few);
    let spins = told.found.iter().any(|row| row["id"] == "precise-pacing");
    assert_eq!(spins, cores.is_some_and(|cores| cores <= 2.0), "{cores:?}");
}
