//! Rules that a run over real sockets brings about by itself: stand-ins that behave so, targets that are set up so, a
//! generator that is held up. Nothing is edited afterwards.

use crate::audit::run::{Live, OLLAMA, OPENAI, STEADY};
use crate::cli::{StandIn, rows};
#[cfg(unix)]
use std::process::Command;
#[cfg(unix)]
use std::time::{Duration, Instant};

/// Rules that no run of stand-ins on a machine like others shows; a directory that was edited does, or the rule's own
/// test.
const EDITED: [(&str, &str); 40] = [
    ("target-gone", "an engine that is killed and stays away is in tests/gone.rs"),
    ("processes-missed", "readings with a gap are in src/host/windows.rs"),
    ("engine-count", "an engine whose count stands still is in tests/gg_core_live.rs"),
    ("engine-mean", "no stand-in says that it took longer than it did"),
    ("drafting", "engines that guess tokens ahead are in tests/inside.rs"),
    ("requested-prompts", "engines with other tokenisers are in tests/tokens.rs"),
    ("first-requests", "an engine that stumbles is in tests/first_request.rs"),
    ("templates-differ", "engines with other templates are in tests/alike_prompts.rs"),
    ("schema-not-kept", "one that minds no schema is there, too"),
    ("nonce-in-answers", "one that repeats its prompt is there, too"),
    ("unparsed-labels", "labels are in tests/classify_fair.rs"),
    ("no-better-than-commonest", "there, too"),
    ("model-size", "stand-ins have no file; another engine's is in tests/classify_fair.rs"),
    ("different-requests", "all targets get the one list of the seed"),
    ("planned-requests", "users ask until the list is empty, whatever the answers"),
    ("reconnects", "an engine that closes after its answers is in tests/connections.rs"),
    ("own-limits", "a process that runs out of files is in tests/own_limits.rs"),
    ("send-lag-share", "a difference must be shown whose size is a lag's"),
    ("shard-lost", "generators that are killed are in tests/shards.rs"),
    ("unchecked-clocks", "generators that start at an instant are there, too"),
    ("different-generators", "several on one machine are alike"),
    ("threads", "command lines of a server's children are in tests/alike_machine.rs"),
    ("batch", "the same"),
    ("flash-attention", "the same"),
    ("kv-cache-type", "the same"),
    ("different-cores", "a stand-in's processor time says nothing of an engine's settings"),
    ("which-process", "a server with several children is in tests/alike_machine.rs"),
    ("prompt-cache-growth", "the same"),
    ("clock-jump", "setting the clock takes the right to"),
    ("cpu-frequency", "the machine's"),
    ("swapping", "the machine's"),
    ("swap-in-use", "the machine's"),
    ("stolen-time", "the machine's"),
    ("equal-samples", "loadcmp reads the times itself: no engine can make them equal"),
    ("identical-samples", "the same"),
    ("impossible-times", "the same"),
    ("too-much-throughput", "the same"),
    ("fixed-percentiles", "the same"),
    ("impossible-figures", "figures are folded from samples, and can't contradict each other"),
    ("clamped-values", "a latency of more than a day"),
];

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
fn answers_that_are_long_for_their_window() {
    let slow = ["--first-token-ms", "400"];
    let timed = Live { load: "{ closed: { users: 2, duration: 2s, warmup: 100ms } }", ..Live::default() };
    let told = timed.run(&slow, &STEADY);
    told.finding("long-answers", "a");
    assert_eq!(told.finding("short-warmup", "a")["severity"], "note");
    // Of a number of requests the slower one has the most for itself.
    let counted = Live { load: "{ closed: { users: 2, requests: 12 } }", ..Live::default() };
    let told = counted.run(&slow, &STEADY);
    assert!(told.finding("unequal-contention", "a")["sentence"].contains("after b"));
}

#[test]
fn lengths_that_do_not_show_in_latency() {
    let flat = ["--first-token-ms", "30", "--early-stop", "1"];
    // The noise of a busy machine must not pass for growth; tokens at an even rate grow by all of it.
    let live =
        Live { load: "{ closed: { users: 2, requests: 80 } }", set: &["audit.flat-latency=50%"], ..Live::default() };
    let told = live.run(&flat, &["--decode-rate", "800", "--early-stop", "1"]);
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
    assert_eq!(told.finding("thinking", "a")["severity"], "warning");
    for id in ["slots", "context-length"] {
        told.finding(id, "");
    }

    let other = ["--quantization", "Q4_0", "--parameters", "7B"];
    let told = Live::default().run(&[&STEADY[..], &other].concat(), &STEADY);
    told.finding("quantisation", "");
    told.finding("parameters", "");

    let own = "  a: { ollama: { url: \"{a}\", options: { num_predict: 2, num_ctx: 2048 } } }\n  b: { ollama: { url: \"{b}\", \
               num_ctx: 4096 } }\n";
    let told = Live { targets: own, ..Live::default() }.run(&STEADY, &STEADY);
    assert!(told.finding("own-sampling", "a")["sentence"].contains("max_tokens 2"));
    told.finding("context-length", "");
    told.finding("unequal-output", "a");

    let one = StandIn::start(&STEADY);
    let chat = ["task=chat", "workload.history=own", "workload.prompts.synthetic.turns=2", "allow_same_endpoint=true"];
    let told = Live { set: &chat, ..Live::default() }.run_at(&one.url, &one.url);
    told.finding("own-history", "");
    told.finding("same-endpoint", "b");

    let whole = json("standin", "{{prompt}}", "output_tokens: /eval_count").replace("stream: ndjson", "stream: none");
    let whole = whole.replace("raw: true", "raw: true, stream: false");
    let told = Live { targets: &whole, ..Live::default() }.run(&STEADY, &STEADY);
    told.only_a(&["no-stream", "cannot-honour"]);
}

/// Nobody was told to think, and one does: seen in the answers, on either wire, streamed or whole.
#[test]
fn thoughts_in_the_answers() {
    let thinker = [&STEADY[..], &["--think-tokens", "6"]].concat();
    for (targets, task, stream) in [(OLLAMA, "generate", "true"), (OLLAMA, "chat", "false"), (OPENAI, "chat", "true")] {
        let set = [format!("task={task}"), format!("workload.stream={stream}")];
        let set = [set[0].as_str(), set[1].as_str()];
        let told = Live { targets, set: &set, ..Live::default() }.run(&thinker, &STEADY);
        told.only_a(&["thinking"]);
        let finding = told.finding("thinking", "a");
        assert!(finding["sentence"].contains("reasons in 40 of 40 answers though it was not asked to"), "{finding:?}");
        assert_eq!(finding["severity"], "warning");
        let samples = rows(&told.out().join("samples.csv"));
        for row in samples.iter().filter(|row| row["phase"] == "measure") {
            let thoughts = match (row["target"].as_str(), stream) {
                ("b", _) => "0",
                (_, "true") => "6",
                _ => "1",
            };
            assert_eq!((row["thoughts"].as_str(), row["output_tokens"].as_str()), (thoughts, "16"), "{row:?}");
        }
    }
    // All alike: a note.
    let told = Live::default().run(&thinker, &thinker);
    assert_eq!(told.finding("thinking", "a")["severity"], "note");
}

/// An engine that closes kept-alive connections: asked again over a new one, and told. What it had for more than a few
/// milliseconds before it closed is its failure: on a busy machine that may be all of them.
#[test]
fn connections_that_are_hung_up() {
    let load = "{ closed: { users: 2, requests: 60 } }";
    let told = Live { load, ..Live::default() }
        .run(&[&STEADY[..], &["--fault-hang-up", "0.1", "--seed", "3"]].concat(), &STEADY);
    let of_a = |id: &str| told.ids().contains(&(id, "a (stand-in)"));
    assert!(of_a("retries") || of_a("error-rate"), "{:?}", told.ids());
    assert!(!told.ids().contains(&("retries", "b (stand-in)")), "{:?}", told.ids());
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
    told.finding("different-transports", "");
}

#[test]
fn one_target_over_tls_that_is_not_checked() {
    let a = StandIn::start(&[&STEADY[..], &["--tls-listen", "127.0.0.1:0"]].concat());
    let b = StandIn::start(&STEADY);
    let targets = "  a: { ollama: { url: \"{a}\", tls: { insecure: true } } }\n  b: { ollama: { url: \"{b}\" } }\n";
    let told = Live { targets, ..Live::default() }.run_at(&a.tls_url, &b.url);
    assert_eq!(told.finding("tls-on-one-side", "")["severity"], "note");
    told.only_a(&["unchecked-certificate"]);
}

#[test]
fn a_generator_that_could_not_send() {
    // Eight may be in flight, and each is for a second and a half; the other engine needs one, but for a moment in which the
    // machine did other work.
    let load = "{ open: { rate: 40, arrivals: constant, duration: 1s, in_flight: 8 } }";
    let slow = ["--first-token-ms", "1500", "--slots", "8"];
    let told = Live { load, ..Live::default() }.run(&slow, &STEADY);
    for id in ["unsent-requests", "missed-rate"] {
        told.finding(id, "a");
    }
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
        assert!(from.elapsed() < Duration::from_secs(90), "no rows");
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
    assert_eq!(told.finding("send-lag", "a")["severity"], "invalid");
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

/// Every rule is brought about here or in the files beside it, or [`EDITED`] says why not.
#[test]
fn every_rule_is_seen_live_or_says_why_not() {
    let list = include_str!("live.rs").split_once("];").expect("the tests").1;
    let quiet = include_str!("quiet.rs").split_once("const BOTH").expect("what they find").1;
    let live = [list, include_str!("faults.rs"), include_str!("odd.rs"), quiet].concat();
    for rule in &loadcmp::audit::RULES {
        let edited = EDITED.iter().any(|(id, why)| *id == rule.id && !why.is_empty());
        assert_ne!(edited, live.contains(&format!("\"{}\"", rule.id)), "{}", rule.id);
    }
}
