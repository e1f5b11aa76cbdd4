//! Each rule once through the real path: a run's directory in which one thing is wrong, told again; and the same run, in
//! which nothing is, and no rule speaks.

use crate::audit::directory::{Directory, REQUESTS, ids};
use crate::cli::number;
use loadcmp::audit::{RULES, Severity};
use serde_json::json;

/// A rule, and how it is brought about.
type Case = (&'static str, fn(&mut Directory));

const CASES: &[Case] = &[
    ("interrupted", |d| d.manifest["status"] = json!("interrupted")),
    ("shard-lost", |d| {
        d.manifest["status"] = json!("interrupted");
        d.manifest["cause"] = json!({ "shard": "shard 1 was lost after 3.0 s: its connection ended" });
    }),
    ("no-answers", |d| {
        d.set("a", "outcome", REQUESTS - 1, "timeout");
    }),
    ("first-requests", |d| {
        d.first("a", "outcome", "rejected");
    }),
    ("unequal-requests", |d| {
        d.keep("a", 110);
    }),
    ("different-requests", |d| {
        d.set("a", "request_hash", 1, "00000000000000aa");
    }),
    ("planned-requests", |d| d.manifest["plan"]["load"]["closed"]["until"]["requests"] = json!(121)),
    ("error-rate", |d| {
        d.set("a", "outcome", 3, "error_frame").set("b", "outcome", 3, "error_frame");
    }),
    ("one-sided-failures", |d| {
        d.set("a", "outcome", 20, "truncated");
    }),
    ("retries", |d| {
        d.set("a", "retries", 1, "1");
    }),
    ("reconnects", |d| {
        d.set("a", "connection", 20, "closed");
    }),
    ("zero-tokens", |d| {
        d.set("a", "output_tokens", 5, "0");
    }),
    ("missing-tokens", |d| {
        d.set("a", "output_tokens", 1, "");
    }),
    ("empty-answers", |d| {
        d.set("a", "text_hash", 5, "");
    }),
    ("unequal-output", |d| {
        d.each("a", |_, row| times(row, "output_tokens", 2.0));
    }),
    // The same mean, and none of the scatter.
    ("output-lengths", |d| {
        let sum: f64 = (0..REQUESTS).map(|index| d.number("a", index, "output_tokens")).sum();
        d.set("a", "output_tokens", REQUESTS, &format!("{:.0}", sum / REQUESTS as f64));
    }),
    ("one-token-answers", |d| {
        d.set("a", "output_tokens", 10, "1");
    }),
    ("finish-reasons", |d| {
        d.set("a", "finish", REQUESTS, "length");
    }),
    ("claimed-limit", |d| {
        d.set("a", "finish", 90, "stop").set("a", "output_tokens", 90, "32");
    }),
    ("tokens-per-chunk", |d| {
        d.set("a", "chunks", REQUESTS, "2");
    }),
    ("same-answers", |d| {
        d.set("a", "text_hash", REQUESTS, "00000000000000aa");
    }),
    ("thinking", |d| d.target(0)["spec"]["ollama"]["think"] = json!(true)),
    ("no-stream", |d| {
        d.set("a", "first_token_us", REQUESTS, "").set("a", "last_token_us", REQUESTS, "");
    }),
    ("no-end-mark", |d| {
        d.set("a", "remarks", 1, "no_end_mark");
    }),
    ("bad-counts", |d| {
        d.set("a", "remarks", 1, "bad_count");
    }),
    ("bad-text", |d| {
        d.set("a", "remarks", 1, "bad_text");
    }),
    ("open-thoughts", |d| {
        d.set("a", "remarks", 1, "open_thought");
    }),
    ("schema-not-kept", |d| {
        d.set("a", "remarks", 1, "out_of_schema");
    }),
    ("unparsed-labels", |d| {
        labelled(d, |at| ["x", "y"][at % 2]);
        d.set("a", "label", 100, "").set("a", "outcome", 100, "unparsed");
    }),
    ("no-better-than-commonest", |d| labelled(d, |_| "x")),
    ("bad-vectors", |d| {
        d.set("a", "dimensions", REQUESTS, "384").set("a", "remarks", 1, "zero_vector");
    }),
    ("vector-lengths", |d| {
        d.set("a", "dimensions", REQUESTS, "384").set("a", "dimensions", 1, "383");
    }),
    ("quantisation", |d| {
        fact(d, 0, "quantization", json!("Q4_0"));
        fact(d, 1, "quantization", json!("F16"));
    }),
    ("parameters", |d| {
        fact(d, 0, "parameters", json!("7B"));
        fact(d, 1, "parameters", json!("494M"));
    }),
    ("model-size", |d| {
        for (target, bytes) in [(0, 98_566_144), (1, 1_492_128)] {
            fact(d, target, "size_bytes", json!(bytes));
            fact(d, target, "parameters", json!(null));
            d.target(target)["stand_in"] = json!(false);
        }
    }),
    ("context-length", |d| {
        fact(d, 0, "context", json!(4096));
        fact(d, 1, "context", json!(8192));
    }),
    ("slots", |d| {
        fact(d, 0, "slots", json!(1));
        fact(d, 1, "slots", json!(8));
    }),
    ("threads", |d| settings(d, "threads", ["1", "2"])),
    ("batch", |d| settings(d, "batch", ["512", "2048"])),
    ("flash-attention", |d| settings(d, "flash_attention", ["on", "off"])),
    ("kv-cache-type", |d| settings(d, "kv_cache", ["f16", "q8_0"])),
    ("own-sampling", |d| d.target(0)["spec"]["ollama"]["options"] = json!({ "temperature": 1.5 })),
    ("cannot-honour", |d| d.target(0)["inequalities"] = json!(["it knows no top_k"])),
    ("own-history", |d| {
        d.manifest["plan"]["task"] = json!("chat");
        d.manifest["plan"]["workload"]["history"] = json!("own");
    }),
    ("different-transports", |d| d.target(0)["endpoint"] = json!({ "unix": { "path": "/tmp/x.sock" } })),
    ("tls-on-one-side", |d| d.target(0)["endpoint"]["tcp"]["tls"] = json!(true)),
    ("unchecked-certificate", |d| {
        d.target(0)["endpoint"]["tcp"]["tls"] = json!(true);
        d.target(0)["spec"]["ollama"]["tls"] = json!({ "insecure": true });
    }),
    ("same-endpoint", |d| d.target(1)["same_as"] = d.target(0)["name"].clone()),
    ("unequal-prompts", |d| {
        d.each("a", |_, row| times(row, "prompt_tokens", 3.0));
    }),
    ("templates-differ", |d| {
        fact(d, 0, "template", json!("<s>{prompt}"));
        fact(d, 1, "template", json!("{prompt}"));
    }),
    ("drafting", |d| {
        d.set("a", "draft_tokens", REQUESTS, "6").set("a", "draft_accepted", REQUESTS, "3");
    }),
    ("requested-prompts", |d| {
        d.each("a", |_, row| set(row, "requested_prompt_tokens", "5000"));
    }),
    ("truncated-prompts", |d| {
        fact(d, 0, "context", json!(64));
        d.set("a", "prompt_tokens", 5, "64");
    }),
    ("cold-load", |d| {
        d.forget_before("server_load_us").set("a", "server_load_us", REQUESTS, "").set(
            "a",
            "server_load_us",
            1,
            "900000.000",
        );
    }),
    ("model-reload", |d| {
        d.each("a", |at, row| {
            if at == 60 {
                set(row, "server_load_us", "900000.000")
            }
        });
    }),
    ("cache-when-busting", |d| {
        d.manifest["plan"]["workload"]["prompt_cache"] = json!("bust");
        d.both(|_, row| set(row, "cached_tokens", &row["prompt_tokens"].clone()));
    }),
    ("nonce-in-answers", |d| {
        d.manifest["plan"]["workload"]["prompt_cache"] = json!("bust");
        d.set("a", "remarks", 5, "nonce_repeated");
    }),
    ("one-sided-cache", |d| {
        d.each("a", |_, row| set(row, "cached_tokens", &row["prompt_tokens"].clone()));
    }),
    ("send-lag", |d| {
        d.both(|_, row| later(row, "planned_us", -3_000.0));
    }),
    ("send-lag-share", |d| {
        // Six seconds of it, or there are too few stretches of time for a verdict.
        let stamps = ["planned_us", "sent_us", "first_byte_us", "first_token_us", "last_token_us", "end_us"];
        d.both(|at, row| stamps.iter().for_each(|name| later(row, name, at as f64 * 50_000.0)));
        d.latencies("b", |_, us| us + 5_000.0).both(|_, row| later(row, "planned_us", -6_000.0));
    }),
    ("own-limits", |d| {
        d.set("a", "outcome", 1, "unsent").set("a", "error", 1, "loadcmp's own limit: Too many open files");
    }),
    ("unsent-requests", |d| {
        d.set("a", "outcome", 1, "unsent");
    }),
    ("missed-rate", |d| {
        d.manifest["plan"]["load"] = json!({ "open": {
            "about": "constant, 1000/s", "spec": { "rate": 1000.0 }, "duration": "1s", "warmup": "0s", "in_flight": 64,
            "pacing": "timer", "planned": 140, "hash": "00"
        } });
    }),
    ("generator-cpu", |d| {
        d.manifest["conditions"]["own_cores"] = json!(1.9);
        // Of a window of a quarter of a second, about as long as this run, nothing would be said.
        for window in d.manifest["windows"].as_array_mut().expect("windows") {
            window["to"] = json!(11_000_000_000_u64);
        }
    }),
    ("different-generators", |d| {
        d.each("a", |_, row| {
            let slow = matches!(row["user"].as_str(), "1" | "3");
            row.insert("shard".to_owned(), if slow { "1" } else { "0" }.to_owned());
            row.insert("connect_us".to_owned(), if slow { "40000.000" } else { "200.000" }.to_owned());
        });
    }),
    ("unchecked-clocks", |d| {
        let shard =
            |index: u32| json!({ "shard": { "index": index, "of": 2 }, "run": "r", "clocks": [], "checked": false });
        d.manifest["shards"] = json!([shard(0), shard(1)]);
    }),
    ("low-concurrency", |d| d.manifest["plan"]["load"]["closed"]["users"] = json!(8)),
    ("clock-jump", |d| d.manifest["conditions"]["clock_jump_s"] = json!(3.0)),
    ("cpu-frequency", |d| d.manifest["conditions"]["frequency_mhz"] = json!([800.0, 3200.0])),
    ("swapping", |d| d.manifest["conditions"]["swapped_bytes"] = json!(50_000_000)),
    ("swap-in-use", |d| d.manifest["conditions"]["swap_bytes"] = json!(500_000_000)),
    ("other-load", |d| d.manifest["conditions"]["other_cores"] = json!(3.0)),
    ("different-cores", |d| {
        d.manifest["conditions"]["target_cores"] = json!([1.0, 2.0]);
        (d.target(0)["stand_in"], d.target(1)["stand_in"]) = (json!(false), json!(false));
    }),
    ("which-process", |d| d.manifest["conditions"]["targets"] = json!([{ "unclear": true }, {}])),
    ("prompt-cache-growth", |d| {
        settings(d, "cache_ram_mib", ["8192", "0"]);
        let grown = json!({ "begin_bytes": 300_000_000, "end_bytes": 600_000_000 });
        d.manifest["conditions"]["targets"] = json!([grown, grown]);
    }),
    ("stolen-time", |d| d.manifest["conditions"]["stolen_cores"] = json!(3.0)),
    ("precise-pacing", |d| {
        d.manifest["plan"]["load"] = json!({ "open": {
            "about": "constant, 10/s", "spec": { "rate": 10.0 }, "duration": "1s", "warmup": "0s", "in_flight": 64,
            "pacing": "precise", "planned": 120, "hash": "00"
        } });
        d.manifest["conditions"]["cores"] = json!(2.0);
    }),
    // A tenth of the requests at the beginning take five times as long.
    ("not-steady", |d| {
        d.latencies("a", |at, us| if at < 24 { us * 5.0 } else { us });
    }),
    ("drift", |d| {
        let stamps = ["planned_us", "sent_us", "first_byte_us", "first_token_us", "last_token_us", "end_us"];
        d.both(|at, row| stamps.iter().for_each(|name| later(row, name, at as f64 * 50_000.0)));
        d.latencies("a", |at, us| us * (1.0 + at as f64 / 60.0));
    }),
    ("server-time", |d| {
        d.set("a", "server_total_us", 10, "60000000.000");
    }),
    ("equal-samples", |d| {
        d.latencies("a", |_, _| 10_500.0);
    }),
    ("identical-samples", |d| {
        let other = d.clone();
        d.latencies("a", |at, _| other.number("b", at, "end_us") - other.number("b", at, "sent_us"));
    }),
    ("impossible-times", |d| {
        d.latencies("a", |at, us| if at == 7 { 0.19 } else { us });
    }),
    ("too-much-throughput", |d| {
        d.latencies("a", |_, us| us * 3.0);
    }),
    ("flat-latency", |d| {
        d.latencies("a", |at, _| 9_000.0 + (at * 7919 % 97) as f64)
            .each("a", |at, row| set(row, "output_tokens", &(4 + at % 10 * 3).to_string()));
    }),
    ("fixed-percentiles", |d| {
        let other = d.clone();
        d.latencies("a", |at, _| 1.5 * (other.number("b", at, "end_us") - other.number("b", at, "sent_us")));
    }),
    ("clamped-values", |d| {
        d.latencies("a", |at, us| if at == 7 { 1e11 } else { us });
    }),
    ("long-answers", |d| {
        let load = &mut d.manifest["plan"]["load"]["closed"];
        (load["until"], load["warmup"]) = (json!({ "duration": "50ms" }), json!("1ms"));
    }),
    ("short-warmup", |d| {
        let load = &mut d.manifest["plan"]["load"]["closed"];
        (load["until"], load["warmup"]) = (json!({ "duration": "50ms" }), json!("1ms"));
    }),
    ("unequal-contention", |d| {
        d.each("a", |at, row| {
            if at + 1 == REQUESTS {
                later(row, "end_us", 20e6);
            }
        });
    }),
    ("few-samples", |d| {
        d.keep("a", 12).keep("b", 12).manifest["plan"]["load"]["closed"]["until"]["requests"] = json!(12);
    }),
];

fn set(row: &mut crate::cli::Row, column: &str, value: &str) {
    row.insert(column.to_owned(), value.to_owned());
}

fn times(row: &mut crate::cli::Row, column: &str, factor: f64) {
    let value = number(row, column).expect("a number") * factor;
    set(row, column, &value.to_string());
}

fn later(row: &mut crate::cli::Row, column: &str, us: f64) {
    let value = number(row, column).expect("a number") + us;
    set(row, column, &format!("{value:.3}"));
}

fn fact(directory: &mut Directory, target: usize, name: &str, value: serde_json::Value) {
    directory.target(target)["facts"][name] = value;
}

/// Answers with labels, of two in turn, which are read as `read` says by a request's place.
fn labelled(directory: &mut Directory, read: fn(usize) -> &'static str) {
    directory.manifest["plan"]["task"] = json!("classify");
    directory.manifest["plan"]["workload"]["labels"] = json!(["x", "y"]);
    for target in ["a", "b"] {
        directory.each(target, |at, row| {
            set(row, "expected_label", ["x", "y"][at % 2]);
            set(row, "label", read(at));
        });
    }
}

fn settings(directory: &mut Directory, name: &str, values: [&str; 2]) {
    for (target, value) in values.into_iter().enumerate() {
        fact(directory, target, "settings", json!([{ "name": name, "value": value, "by": "command line" }]));
    }
}

/// What is true of two stand-ins on one machine however well they do.
const OF_ANY: [&str; 3] = ["stand-in", "same-host", "slots"];

#[test]
fn a_healthy_run_is_not_doubted() {
    let found = Directory::healthy().found();
    assert_eq!(ids(&found, Severity::Warning), [""; 0], "{found:#?}");
    assert_eq!(ids(&found, Severity::Note), ["stand-in", "stand-in", "same-host"], "{found:#?}");
}

#[test]
fn each_rule_speaks_of_its_fault() {
    let mut wrong = Vec::new();
    for (id, fault) in CASES {
        let mut directory = Directory::healthy();
        fault(&mut directory);
        let report = directory.told();
        let finding = report.findings.iter().find(|finding| finding.id == *id);
        match finding {
            None => wrong.push(format!("{id} is silent; found: {:?}", ids(&report.findings, Severity::Note))),
            Some(finding) if finding.severity == Severity::Invalid && report.invalid().is_empty() => {
                wrong.push(format!("{id} does not make the report invalid"));
            }
            Some(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What any run of stand-ins has is quiet where it isn't so; what samples can't bring about is tested beside its rule.
#[test]
fn every_rule_is_here_or_says_why_not() {
    let mut directory = Directory::healthy();
    directory.manifest["plan"]["order"] = json!("isolated");
    directory.target(0)["stand_in"] = json!(false);
    let found = directory.found();
    assert!(!ids(&found, Severity::Note).contains(&"same-host"), "{found:?}");
    let stand_ins: Vec<_> = found.iter().filter(|finding| finding.id == "stand-in").collect();
    assert_eq!(stand_ins.len(), 1);
    // Beside a real engine a stand-in is no trifle.
    assert_eq!((stand_ins[0].severity, stand_ins[0].target), (Severity::Warning, Some(1)));
    for rule in &RULES {
        let here = CASES.iter().any(|(id, _)| *id == rule.id) || OF_ANY.contains(&rule.id);
        // Figures are folded from samples, and can't contradict each other; pairs of vectors are in `odd.rs`.
        // What ten seconds of refusals, processes and engines' own counts say is in `src/audit/cases.rs`.
        let elsewhere = ["target-gone", "processes-missed", "engine-count", "engine-mean"];
        let known = ["impossible-figures", "undefined-cosines"].contains(&rule.id) || elsewhere.contains(&rule.id);
        assert!(here || known, "{} has no case", rule.id);
    }
}

/// What answers of less than a millisecond do within two, and what waits for a busy engine, is no finding.
#[test]
fn what_is_small_or_a_wait_is_no_finding() {
    let mut directory = Directory::healthy();
    directory.latencies("a", |at, _| if at < 24 { 1_900.0 } else { 700.0 } + (at * 7919 % 97) as f64);
    // It says that its model was loaded for longer than the longest stretch in which nobody was served: others were.
    let mut ends = Vec::new();
    directory.each("b", |_, row| ends.push(number(row, "end_us").expect("an end")));
    ends.sort_by(f64::total_cmp);
    let longest = ends.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max);
    let (limit, load) = (longest + 2_000.0, 2.0 * longest + 4_000.0);
    directory.each("b", |at, row| {
        if at == 8 {
            let end = number(row, "sent_us").expect("sent") + load / 0.9;
            set(row, "end_us", &format!("{end:.3}"));
            set(row, "server_total_us", &format!("{:.3}", load / 0.9));
            set(row, "server_load_us", &format!("{load:.3}"));
        }
    });
    directory.manifest["plan"]["audit"] = json!({ "model-reload": format!("{:.3}ms", limit / 1000.0) });
    let found = directory.found();
    let told = ids(&found, Severity::Note);
    for id in ["not-steady", "drift", "model-reload", "cold-load"] {
        assert!(!told.contains(&id), "{id}: {found:#?}");
    }
}

/// Other processes beside one of two targets that are measured one after another: no side is called better.
#[test]
fn targets_one_after_another_are_not_compared_beside_other_load() {
    let reasons = |beside: serde_json::Value, order: &str| {
        let mut directory = Directory::healthy();
        directory.manifest["plan"]["order"] = json!(order);
        directory.manifest["plan"]["gates"]["all"] =
            json!(["a.latency.p50 <= 100 * b.latency.p50", "a.latency.max <= 60s"]);
        directory.manifest["plan"]["gates"]["stand_ins"] = json!(true);
        directory.manifest["conditions"]["other_cores"] = json!(0.5);
        directory.manifest["conditions"]["other_cores_beside"] = beside;
        let report = directory.told();
        let of_others = |reason: &Option<String>| reason.as_ref().is_some_and(|why| why.contains("one after another"));
        let undecided = report.comparisons.iter().filter(|c| of_others(&c.reason)).count();
        let gates = report.judgement.expect("gates").gates;
        assert_eq!(gates[1].outcome, loadcmp::gate::GateOutcome::Pass, "{gates:?}");
        (
            undecided == report.comparisons.len(),
            undecided,
            of_others(&gates[0].reason),
            ids(&report.findings, Severity::Warning).join(" "),
        )
    };
    let (all, _, gate, found) = reasons(json!([0.0, 1.5]), "isolated");
    assert!(all && gate && found == "other-load", "{found}");
    for (beside, order) in [(json!([0.0, 0.1]), "isolated"), (json!([0.0, 1.5]), "concurrent")] {
        let (_, undecided, gate, found) = reasons(beside, order);
        assert!(undecided == 0 && !gate && !found.contains("other-load"), "{order}: {found}");
    }
}
