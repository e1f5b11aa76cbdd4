//! For each rule, a run that it is quiet of and one that it speaks of, mostly with one step between them.

use super::Gather;
use super::fixture::{ANSWERS, Bench, answer, row, verdict};
use crate::host::Used;
use crate::record::{Details, FIRST_REQUESTS, Nanos, OWN_LIMIT, Opened, Outcome, Phase, Remark, Sample, Stamps};
use crate::scenario::audit::{Setting, rule};
use crate::scenario::plan::{Counted, Endpoint};
use crate::scenario::{History, Order, PromptCache, Task};
use crate::stats::{Row, Second};

pub(super) type Change = fn(&mut Bench);

/// Where a rule is quiet, and where it speaks.
pub(super) struct Case(pub &'static str, pub Change, pub Change);

fn nothing(_: &mut Bench) {}

/// Every sample of the first target, changed by its number.
pub(super) fn each(bench: &mut Bench, change: fn(u64, &mut Sample)) {
    let samples = (0..ANSWERS).map(|index| {
        let mut sample = answer(0, index);
        change(index, &mut sample);
        sample
    });
    bench.gather(0, samples);
}

pub(super) fn both_spec(bench: &mut Bench, specs: [serde_json::Value; 2]) {
    for (target, spec) in bench.plan.targets.iter_mut().zip(specs) {
        target.spec = serde_json::from_value(spec).unwrap();
    }
}

/// Tokens guessed ahead for each answer of the two targets, half of them accepted.
fn drafts(bench: &mut Bench, drafted: [Option<u64>; 2]) {
    for (target, drafted) in drafted.into_iter().enumerate() {
        let samples = (0..ANSWERS).map(|index| Sample {
            details: Details { drafted, accepted: drafted.map(|tokens| tokens / 2), ..Details::default() },
            ..answer(target, index)
        });
        bench.gather(target, samples);
        if drafted.is_some() {
            *row(&mut bench.targets[target], "draft_acceptance") =
                Row { mean: Some(0.5), ..Row::new("draft_acceptance", "1") };
        }
    }
}

/// An Ollama elsewhere, asked to draft so many tokens; the other side reports none.
fn ollama_drafts(bench: &mut Bench, tokens: u32) {
    bench.plan.targets[0].spec =
        serde_json::from_value(serde_json::json!({ "ollama": { "options": { "draft_num_predict": tokens } } }))
            .unwrap();
}

/// An Ollama elsewhere whose model has these parameters.
fn drafting_model(bench: &mut Bench, parameters: &str) {
    bench.plan.targets[0].facts.set("model_parameters", parameters, "/api/show");
}

fn speculative(bench: &mut Bench, value: &str) {
    bench.plan.targets[1].facts.set("speculative", "none".to_owned(), "command line");
    bench.plan.targets[0].facts.set("speculative", value.to_owned(), "/slots");
}

/// A model that took 1.6 s to load for the cold request, and so many microseconds once more.
fn reload(bench: &mut Bench, again_us: u64) {
    *row(&mut bench.targets[0], "cold_server_load") =
        Row { mean: Some(1_600_000.0), ..Row::new("cold_server_load", "us") };
    loads(bench, &[1, again_us]);
}

fn set_load(bench: &mut Bench, load: serde_json::Value) {
    bench.plan.load = serde_json::from_value(load).unwrap();
}

pub(super) fn open(bench: &mut Bench, planned: u64) {
    set_load(
        bench,
        serde_json::json!({ "open": {
            "about": "x", "spec": { "rate": 1.0 }, "duration": "5s", "warmup": "0s", "in_flight": 8, "pacing": "timer",
            "planned": planned, "hash": ""
        } }),
    );
}

fn closed(bench: &mut Bench, users: u32, until: serde_json::Value, think: &str) {
    set_load(
        bench,
        serde_json::json!({ "closed": { "users": users, "until": until, "think": think, "warmup": "0s" } }),
    );
}

pub(super) fn at(bench: &mut Bench, number: usize, host: &str) {
    bench.plan.targets[number].endpoint =
        Endpoint::Tcp { host: host.to_owned(), port: 80, prefix: String::new(), tls: false };
}

/// Over https, with a certificate that is checked or not.
pub(super) fn https(bench: &mut Bench, number: usize, insecure: bool) {
    let target = &mut bench.plan.targets[number];
    let host = format!("10.0.0.{number}");
    target.endpoint = Endpoint::Tcp { host, port: 443, prefix: String::new(), tls: true };
    let tls = serde_json::json!({ "insecure": insecure });
    target.spec = serde_json::from_value(serde_json::json!({ "openai": { "url": "https://x", "tls": tls } })).unwrap();
}

/// The last ten requests find nobody, so many milliseconds after each other; of one of them the engine says that it is full.
fn refuses(bench: &mut Bench, apart_ms: u64, full: Option<u64>) {
    let samples = (0..ANSWERS).map(|index| {
        let mut sample = answer(0, index);
        if index >= ANSWERS - 10 {
            let planned = 10_000_000_000 + (index + 10 - ANSWERS) * apart_ms * 1_000_000;
            sample.stamps =
                Stamps { planned: Nanos(planned), end: Some(Nanos(planned + 1_000_000)), ..Stamps::default() };
            sample.outcome = if full == Some(index) { Outcome::Rejected } else { Outcome::Connect };
        }
        sample
    });
    bench.gather(0, samples);
}

/// The first target's last requests get no answer within so many seconds; of one of them a piece comes late.
fn hangs(bench: &mut Bench, last: u64, timeout_s: u64, late: Option<u64>) {
    let samples = (0..ANSWERS).map(|index| {
        let mut sample = answer(0, index);
        if index >= ANSWERS - last {
            let sent = answer(0, ANSWERS - last).stamps.sent.unwrap_or_default();
            let end = Nanos(sent.0 + timeout_s * 1_000_000_000);
            let piece = (late == Some(index)).then(|| Nanos(end.0 - 1_000_000));
            sample.stamps = Stamps {
                planned: sent,
                sent: Some(sent),
                first_byte: piece,
                last_token: piece,
                end: Some(end),
                ..Stamps::default()
            };
            sample.outcome = Outcome::Timeout;
        }
        sample
    });
    bench.gather(0, samples);
}

/// The first target's processes were gone for so long of a window of 10 s.
fn missed(bench: &mut Bench, missed_s: f64) {
    bench.targets[0].window = Some(crate::stats::Window { from: Nanos(0), to: Nanos(10_000_000_000) });
    bench.conditions.targets = vec![Used { cpu_s: Some(1.0), missed_s, ..Used::default() }, Used::default()];
}

fn counted(bench: &mut Bench, requests: u64, mean_ms: f64) {
    bench.plan.targets[0].facts.counted = Some(Counted { requests, mean_ms });
}

fn seconds(bench: &mut Bench, count: u64, ratio: fn(u64) -> f64) {
    bench.timeline = (0..count)
        .map(|t_s| {
            let p50 = 1000.0 + t_s as f64;
            Second { t_s, latency_p50_us: Some(p50), latency_p95_us: Some(p50 * ratio(t_s)), ..Second::default() }
        })
        .collect();
}

pub(super) const CASES: &[Case] = &[
    Case("interrupted", |b| b.lost = true, |b| b.complete = false),
    Case("shard-lost", |b| b.complete = false, |b| b.lost = true),
    Case("no-answers", |b| b.outcomes(0, 2, 0), |b| b.outcomes(0, 1, 5)),
    Case("no-answers", nothing, |b| b.outcomes(1, 0, 0)),
    // A first request that we cut off, and one that the engine refused; cold starts that were asked for are other ones.
    Case(
        "first-requests",
        |b| first(b, &[(0, Outcome::Unfinished), (1, Outcome::Ok), (FIRST_REQUESTS, Outcome::Timeout)]),
        |b| first(b, &[(0, Outcome::Rejected), (1, Outcome::Ok)]),
    ),
    Case(
        "first-requests",
        |b| first(b, &[(0, Outcome::Ok)]),
        |b| first(b, &[(0, Outcome::Connect), (1, Outcome::Timeout)]),
    ),
    Case("unequal-requests", |b| b.outcomes(0, 198, 0), |b| b.outcomes(0, 197, 0)),
    // Of twenty answers that take half a minute each, one that failed is a failure; two are unequal work.
    Case(
        "unequal-requests",
        |b| (b.outcomes(0, 19, 1), b.outcomes(1, 20, 0)).1,
        |b| (b.outcomes(0, 18, 2), b.outcomes(1, 20, 0)).1,
    ),
    // A row that isn't there is no failure.
    Case("unequal-requests", |b| b.outcomes(0, 199, 1), |b| (b.outcomes(0, 19, 0), b.outcomes(1, 20, 0)).1),
    // By duration, unequal numbers are throughput.
    Case(
        "unequal-requests",
        |b| {
            b.outcomes(1, 100, 0);
            closed(b, 2, serde_json::json!({ "duration": "5s" }), "0s");
        },
        |b| {
            b.outcomes(1, 100, 0);
            open(b, 200);
        },
    ),
    Case(
        "different-requests",
        |b| {
            b.plan.task = Task::Chat;
            b.plan.workload.history = History::Own;
            each(b, |i, s| s.request_hash = i + u64::from(i == 7));
        },
        |b| each(b, |i, s| s.request_hash = i + u64::from(i == 7)),
    ),
    Case(
        "different-requests",
        |b| each(b, |i, s| (s.index, s.request_hash) = (i + ANSWERS, 7)),
        |b| {
            b.plan.workload.history = History::Own;
            each(b, |_, s| s.request_hash = 7);
        },
    ),
    Case("different-requests", nothing, |b| {
        b.plan.task = Task::Chat;
        each(b, |_, s| s.request_hash = 7);
    }),
    Case("planned-requests", |b| planned(b, 266), |b| planned(b, 267)),
    Case("planned-requests", nothing, |b| closed(b, 2, serde_json::json!({ "requests": 201 }), "0s")),
    Case(
        "planned-requests",
        |b| {
            closed(b, 2, serde_json::json!({ "requests": 300 }), "0s");
            b.complete = false;
        },
        |b| each(b, |i, s| s.turn = Some(1 + u32::from(i == 5))),
    ),
    Case(
        "planned-requests",
        |b| {
            closed(b, 2, serde_json::json!({ "requests": 300 }), "0s");
            b.plan.until_ci = Some(crate::scenario::Share(0.05));
        },
        |b| open(b, 201),
    ),
    Case("error-rate", |b| b.outcomes(0, 198, 2), |b| b.outcomes(0, 197, 3)),
    // Beyond 1 % and beyond chance: 7 of 200 against none may be luck, 8 may not.
    Case("one-sided-failures", |b| b.outcomes(0, 193, 7), |b| b.outcomes(0, 192, 8)),
    Case(
        "one-sided-failures",
        |b| {
            b.outcomes(0, 150, 50);
            b.outcomes(1, 150, 50);
        },
        |b| b.outcomes(1, 150, 50),
    ),
    Case(
        "one-sided-failures",
        |b| (b.outcomes(0, 90_000, 10_000), b.outcomes(1, 90_900, 9_100)).1,
        |b| (b.outcomes(0, 90_000, 10_000), b.outcomes(1, 91_100, 8_900)).1,
    ),
    Case("one-sided-failures", |b| b.outcomes(1, 0, 0), |b| b.outcomes(1, 0, 200)),
    // Many rows: beyond chance, and not beyond the limit.
    Case(
        "one-sided-failures",
        |b| (b.outcomes(0, 9900, 100), b.outcomes(1, 10_000, 0)).0,
        |b| {
            b.outcomes(0, 9890, 110);
            b.outcomes(1, 10_000, 0);
        },
    ),
    Case("retries", nothing, |b| each(b, |i, s| s.retries = u32::from(i == 3))),
    Case(
        "reconnects",
        |b| each(b, |i, s| s.opened = (i < 2).then_some(Opened::Closed)),
        |b| each(b, |i, s| s.opened = (i < 3).then_some(Opened::Closed)),
    ),
    Case(
        "reconnects",
        |b| (open(b, 200), each(b, |_, s| s.opened = Some(Opened::Closed))).0,
        |b| each(b, |i, s| s.opened = Some([Opened::Closed, Opened::NotKept][i as usize % 2])),
    ),
    // Of a few requests, one or two are above any share.
    Case("reconnects", |b| reopened(b, 20, 2), |b| reopened(b, 20, 3)),
    // A user's first connection, one that was idle by our own rule, and one after a failure are nobody's fault.
    Case(
        "reconnects",
        |b| each(b, |i, s| s.opened = Some([Opened::First, Opened::Idle, Opened::Broken][i as usize % 3])),
        |b| each(b, |i, s| s.opened = (i < 3).then_some(Opened::NotKept)),
    ),
    Case(
        "own-limits",
        |b| {
            each(b, |i, s| {
                if i == 7 {
                    (s.outcome, s.error) = (Outcome::Unsent, Some("8 requests were in flight".to_owned()));
                }
            });
        },
        |b| {
            each(b, |i, s| {
                if i == 7 {
                    let words = format!("{OWN_LIMIT}no connection to http://10.0.0.0:80: Too many open files");
                    (s.outcome, s.error) = (Outcome::Unsent, Some(words));
                }
            });
        },
    ),
    Case(
        "zero-tokens",
        |b| each(b, |i, s| s.output_tokens = Some(if i < 2 { 0 } else { 20 })),
        |b| each(b, |i, s| s.output_tokens = Some(if i < 3 { 0 } else { 20 })),
    ),
    Case(
        "zero-tokens",
        |b| (b.plan.task = Task::Embed, each(b, |_, s| s.output_tokens = Some(0))).0,
        |b| {
            b.plan.task = Task::Chat;
            each(b, |_, s| s.output_tokens = Some(0));
        },
    ),
    Case("missing-tokens", nothing, |b| each(b, |i, s| s.output_tokens = (i > 0).then_some(20))),
    Case(
        "missing-tokens",
        |b| (b.plan.task = Task::Classify, each(b, |_, s| s.output_tokens = None)).0,
        |b| {
            each(b, |_, s| s.output_tokens = None);
        },
    ),
    Case(
        "empty-answers",
        |b| each(b, |i, s| s.text_hash = (i > 1).then_some(i)),
        |b| each(b, |i, s| s.text_hash = (i > 2).then_some(i)),
    ),
    Case("unequal-output", |b| b.row("output_tokens").mean = Some(32.7), |b| b.row("output_tokens").mean = Some(32.8)),
    // Three answers of wildly unlike lengths tell nothing.
    Case(
        "unequal-output",
        |b| {
            let row = b.row("output_tokens");
            (row.mean, row.sd, row.n) = (Some(60.0), Some(40.0), Some(3));
        },
        |b| b.row("output_tokens").mean = Some(10.0),
    ),
    // Just the limit is not beyond it; nor are 2.576 standard errors, for chance.
    Case(
        "unequal-output",
        |b| output(b, (24.0, 5.0, 200), (20.0, 5.0, 200)),
        |b| output(b, (24.1, 5.0, 200), (20.0, 5.0, 200)),
    ),
    Case(
        "unequal-output",
        |b| output(b, (2.576, 0.0, 1), (0.0, 1.0, 1)),
        |b| output(b, (2.577, 0.0, 1), (0.0, 1.0, 1)),
    ),
    // The token that ends an answer is counted by some engines, and not by others.
    Case(
        "unequal-output",
        |b| output(b, (3.0, 0.5, 200), (2.0, 0.5, 200)),
        |b| output(b, (3.1, 0.5, 200), (2.0, 0.5, 200)),
    ),
    Case("output-lengths", |b| label_lengths(b, 3, 4), |b| label_lengths(b, 3, 5)),
    // 19 % and 21 % of the answers moved from below all others to above them.
    Case(
        "output-lengths",
        |b| each(b, |i, s| s.output_tokens = Some(if i < 40 { 60 } else { 8 + i * 7 % 40 })),
        |b| each(b, |i, s| s.output_tokens = Some(if i < 42 { 60 } else { 8 + i * 7 % 40 })),
    ),
    Case("output-lengths", |b| moved(b, 50), |b| moved(b, 51)),
    Case(
        "one-token-answers",
        |b| each(b, |i, s| s.output_tokens = Some(if i < 10 { 1 } else { 20 })),
        |b| each(b, |i, s| s.output_tokens = Some(if i < 11 { 1 } else { 20 })),
    ),
    Case(
        "one-token-answers",
        |b| (b.plan.task = Task::Classify, each(b, |_, s| s.output_tokens = Some(1))).0,
        |b| {
            each(b, |_, s| s.output_tokens = Some(1));
        },
    ),
    Case(
        "finish-reasons",
        |b| each(b, |i, s| s.finish = Some(if i < 40 { "length" } else { "eos" }.into())),
        |b| each(b, |i, s| s.finish = Some(if i < 41 { "length" } else { "eos" }.into())),
    ),
    Case("finish-reasons", |b| each(b, |_, s| s.finish = None), |b| each(b, |_, s| s.finish = Some("other".into()))),
    // A handful of answers may have ended as they did by chance.
    Case(
        "finish-reasons",
        |b| each(b, |i, s| s.finish = (i < 2).then(|| if i == 0 { "length" } else { "stop" }.into())),
        |b| each(b, |i, s| s.finish = (i < 20).then(|| if i < 10 { "MAX_TOKENS" } else { "stop" }.into())),
    ),
    // Of several words the one that is furthest apart is told; many of both is no difference.
    Case("finish-reasons", |b| ended(b, [10, 190, 0], [1, 199, 0]), |b| ended(b, [100, 100, 0], [0, 40, 10])),
    Case("finish-reasons", |b| ended(b, [9, 191, 0], [0, 200, 0]), |b| ended(b, [20, 100, 80], [0, 50, 0])),
    Case("finish-reasons", nothing, |b| ended(b, [60, 60, 80], [0, 80, 20])),
    Case("finish-reasons", |b| ended(b, [50, 150, 0], [20, 140, 0]), |b| ended(b, [10, 20, 170], [1, 49, 0])),
    Case("claimed-limit", |b| claim(b, 40, ANSWERS, 64), |b| claim(b, 41, ANSWERS, 64)),
    Case("claimed-limit", |b| claim(b, 9, 9, 64), |b| claim(b, 10, 10, 64)),
    Case("claimed-limit", |b| claim(b, 200, ANSWERS, 15), |b| claim(b, 200, ANSWERS, 16)),
    Case(
        "tokens-per-chunk",
        |b| each(b, |_, s| (s.output_tokens, s.chunks) = (Some(20), 5)),
        |b| each(b, |i, s| (s.output_tokens, s.chunks) = (Some(20 + u64::from(i == 0)), 5)),
    ),
    Case(
        "tokens-per-chunk",
        |b| each(b, |_, s| (s.stamps.first_token, s.chunks) = (None, 1)),
        |b| {
            each(b, |_, s| s.chunks = 1);
        },
    ),
    Case("tokens-per-chunk", |b| each(b, |_, s| s.chunks = 0), |b| each(b, |_, s| s.chunks = 4)),
    // Sixty items in the fixture: a tenth of them is six.
    Case("same-answers", |b| each(b, |i, s| s.text_hash = Some(i % 6)), |b| each(b, |i, s| s.text_hash = Some(i % 5))),
    Case(
        "same-answers",
        |b| each(b, |i, s| (s.item, s.text_hash) = (i as usize % 9, Some(1))),
        |b| each(b, |i, s| (s.item, s.text_hash) = (i as usize % 11, Some(1))),
    ),
    Case("same-answers", |b| labels(b, 2, 2), |b| labels(b, 2, 1)),
    Case("same-answers", |b| labels(b, 1, 1), |b| labels(b, 3, 1)),
    Case("same-answers", |b| each(b, |_, s| s.text_hash = None), |b| each(b, |_, s| s.text_hash = Some(1))),
    Case(
        "thinking",
        |b| both_spec(b, [serde_json::json!({ "ollama": { "think": false } }), serde_json::json!({ "openai": {} })]),
        |b| both_spec(b, [serde_json::json!({ "ollama": { "think": true } }), serde_json::json!({ "openai": {} })]),
    ),
    Case(
        "thinking",
        |b| both_spec(b, [openai(serde_json::json!({ "reasoning_effort": "none" })), openai(serde_json::json!({}))]),
        |b| both_spec(b, [openai(serde_json::json!({ "reasoning_effort": "low" })), openai(serde_json::json!({}))]),
    ),
    Case("thinking", |b| both_spec(b, [kwargs(false), kwargs(false)]), |b| both_spec(b, [kwargs(false), kwargs(true)])),
    Case("thinking", nothing, |b| each(b, |i, s| s.thoughts = u32::from(i < 3) * 40)),
    // All sides guess ahead, or one does; and one that is set up for it.
    Case("drafting", |b| drafts(b, [Some(6), Some(6)]), |b| drafts(b, [Some(6), None])),
    Case("drafting", |b| drafts(b, [None, None]), |b| drafts(b, [None, Some(1)])),
    Case("drafting", |b| speculative(b, "false"), |b| speculative(b, "draft-simple")),
    Case("drafting", |b| ollama_drafts(b, 0), |b| ollama_drafts(b, 4)),
    Case(
        "drafting",
        |b| drafting_model(b, "num_ctx 512 draft_num_predict 0"),
        |b| drafting_model(b, "draft_num_predict 8 num_ctx 512"),
    ),
    Case(
        "no-stream",
        |b| (b.plan.workload.stream = false, b.targets[0].rows.retain(|r| r.metric != "ttft")).0,
        |b| {
            b.targets[0].rows.retain(|r| r.metric != "ttft");
        },
    ),
    Case(
        "no-stream",
        |b| (b.targets[0].rows.retain(|r| r.metric != "ttft"), b.outcomes(0, 0, 9)).1,
        |b| (b.targets[0].rows.retain(|r| r.metric != "ttft"), b.outcomes(0, 1, 9)).1,
    ),
    // 2 of 200 are 1 %, which is the limit.
    Case("no-stream", |b| remark(b, Remark::NoStream, 2), |b| remark(b, Remark::NoStream, 3)),
    Case("no-end-mark", nothing, |b| remark(b, Remark::NoEnd, 1)),
    Case("bad-counts", nothing, |b| remark(b, Remark::BadCount, 4)),
    Case("bad-text", nothing, |b| remark(b, Remark::BadText, 1)),
    Case("open-thoughts", nothing, |b| remark(b, Remark::OpenThought, 150)),
    Case("schema-not-kept", nothing, |b| remark(b, Remark::OutOfSchema, 1)),
    Case("schema-not-kept", nothing, |b| {
        each(b, |index, sample| {
            sample.remarks.add(Remark::OutOfSchema);
            sample.finish = Some(if index < 50 { "length" } else { "stop" }.to_owned());
        });
    }),
    Case("thinking", nothing, |b| {
        each(b, |_, s| s.thoughts = 3);
        *row(&mut b.targets[0], "ttfat") = Row { p50: Some(250_000.0), ..Row::new("ttfat", "us") };
    }),
    Case(
        "bad-vectors",
        |b| each(b, |_, s| s.dimensions = Some(384)),
        |b| {
            each(b, |i, s| {
                s.dimensions = Some(if i == 7 { 0 } else { 384 });
                s.remarks.add_vector(if i < 3 {
                    &[f32::NAN]
                } else if i < 5 {
                    &[0.0]
                } else {
                    &[1.0]
                });
            });
        },
    ),
    Case("vector-lengths", |b| vectors(b, |_| 384, |_| 384), |b| vectors(b, |i| 384 - u32::from(i % 2 == 0), |_| 383)),
    Case("vector-lengths", |b| vectors(b, |_| 384, |i| 384 * u32::from(i > 3)), |b| vectors(b, |_| 384, |_| 768)),
    Case("undefined-cosines", |b| undefined(b, 0.0), |b| undefined(b, 3.0)),
    Case("stand-in", nothing, |b| b.plan.targets[1].stand_in = true),
    Case(
        "quantisation",
        |b| b.plan.targets[0].facts.quantization = Some("q4_k_m".into()),
        |b| b.plan.targets[0].facts.quantization = Some("Q8_0".into()),
    ),
    Case(
        "quantisation",
        |b| b.plan.targets[0].facts.quantization = None,
        |b| {
            b.plan.targets[0].facts.quantization = Some("F16".into());
        },
    ),
    Case("parameters", |b| sizes(b, "1B", "1.1B"), |b| sizes(b, "1B", "1.11B")),
    Case("parameters", |b| sizes(b, "8x7B", "1B"), |b| sizes(b, "7B", "500M")),
    Case("model-size", |b| files(b, 100, 110), |b| files(b, 100, 111)),
    Case(
        "model-size",
        |b| {
            files(b, 94, 1);
            sizes(b, "135M", "361536");
        },
        |b| files(b, 94, 1),
    ),
    Case(
        "unparsed-labels",
        |b| {
            // One can be read: it is told of the other alone.
            labelled(b, [0.5, 0.5], [0.5, 0.5], 0.2);
        },
        |b| labelled(b, [0.51, 0.5], [0.49, 0.5], 0.2),
    ),
    Case(
        "no-better-than-commonest",
        |b| labelled(b, [0.0, 0.0], [0.2, 0.21], 0.2),
        |b| labelled(b, [0.0, 0.0], [0.2, 0.1], 0.2),
    ),
    Case("context-length", |b| contexts(b, Some(4096), Some(4096)), |b| contexts(b, Some(4096), Some(8192))),
    Case("context-length", |b| contexts(b, None, Some(8192)), |b| contexts(b, Some(1), Some(2))),
    Case("slots", |b| slots(b, 2, 2), |b| slots(b, 1, 4)),
    // Where none is short, it is a note.
    Case("slots", |b| slots(b, 4, 4), |b| slots(b, 2, 4)),
    Case("slots", |b| slots(b, 1, 1), |b| slots(b, 4, 1)),
    Case("threads", |b| set(b, "threads", "2", "2"), |b| set(b, "threads", "1", "2")),
    // Both leave it to themselves; or one says nothing at all.
    Case("threads", |b| set(b, "threads", "default", "-1"), |b| set(b, "threads", "default", "1")),
    Case("threads", |b| b.plan.targets[0].facts.set("threads", "1", "x"), |b| set(b, "threads", "0", "1")),
    Case("batch", |b| set(b, "batch", "512", "512"), |b| set(b, "batch", "2048", "512")),
    Case(
        "batch",
        |b| (set(b, "batch", "512", "512"), set(b, "ubatch", "64", "64")).1,
        |b| (set(b, "batch", "512", "512"), set(b, "ubatch", "512", "64")).1,
    ),
    // Of one side alone the physical size is known: that is no difference.
    Case("batch", |b| physical_of_one(b, "512"), |b| physical_of_one(b, "2048")),
    Case("flash-attention", |b| set(b, "flash_attention", "on", "1"), |b| set(b, "flash_attention", "on", "off")),
    Case("flash-attention", |b| set(b, "flash_attention", "auto", "-1"), |b| set(b, "flash_attention", "auto", "0")),
    Case("kv-cache-type", |b| kv(b, ["f16", "f16"], ["f16", "f16"]), |b| kv(b, ["f16", "f16"], ["q8_0", "q8_0"])),
    Case(
        "kv-cache-type",
        |b| (kv(b, ["q8_0", "q8_0"], ["f16", "f16"]), b.plan.targets[1].facts.settings.clear()).1,
        |b| kv(b, ["q8_0", "f16"], ["q8_0", "q8_0"]),
    ),
    // A runner that has one type for both.
    Case(
        "kv-cache-type",
        |b| set(b, "kv_cache", "q8_0", "q8_0"),
        |b| {
            b.plan.targets[0].facts.set("kv_cache", "q8_0", "x");
            b.plan.targets[1].facts.set("kv_cache_k", "f16", "x");
            b.plan.targets[1].facts.set("kv_cache_v", "f16", "x");
        },
    ),
    Case(
        "own-sampling",
        |b| both_spec(b, [ollama(serde_json::json!({ "num_thread": 1 })), ollama(serde_json::json!({}))]),
        |b| {
            both_spec(
                b,
                [ollama(serde_json::json!({ "num_predict": 5, "stop": ["\n"] })), ollama(serde_json::json!({}))],
            )
        },
    ),
    // The same for all, in each wire's own words; and a field that is only left out.
    Case(
        "own-sampling",
        |b| {
            both_spec(
                b,
                [openai(serde_json::json!({ "max_tokens": 5 })), ollama(serde_json::json!({ "num_predict": 5 }))],
            )
        },
        |b| {
            both_spec(
                b,
                [openai(serde_json::json!({ "max_tokens": 6 })), ollama(serde_json::json!({ "num_predict": 5 }))],
            )
        },
    ),
    Case(
        "own-sampling",
        |b| {
            b.plan.task = Task::Embed;
            both_spec(b, [openai(serde_json::json!({ "seed": 5 })), openai(serde_json::json!({}))]);
        },
        |b| both_spec(b, [openai(serde_json::json!({ "top_k": null })), openai(serde_json::json!({}))]),
    ),
    Case("cannot-honour", nothing, |b| b.plan.targets[0].inequalities.push("it knows no top_k".into())),
    Case(
        "own-history",
        |b| b.plan.workload.history = History::Own,
        |b| {
            b.plan.task = Task::Chat;
            b.plan.workload.history = History::Own;
        },
    ),
    Case("tls-on-one-side", |b| (https(b, 0, false), https(b, 1, false)).0, |b| https(b, 0, false)),
    Case(
        "unchecked-certificate",
        |b| (https(b, 0, false), https(b, 1, false)).0,
        |b| (https(b, 0, true), https(b, 1, false)).0,
    ),
    // Over plain http there is nothing to check.
    Case(
        "unchecked-certificate",
        |b| {
            https(b, 0, true);
            at(b, 0, "10.0.0.1");
        },
        |b| https(b, 1, true),
    ),
    Case("different-transports", nothing, |b| b.plan.targets[0].endpoint = Endpoint::Unix { path: "/x".into() }),
    Case(
        "same-endpoint",
        |b| b.plan.targets[1].endpoint = b.plan.targets[0].endpoint.clone(),
        |b| b.plan.targets[1].same_as = Some(b.plan.targets[0].name.clone()),
    ),
    // 44 tokens: a quarter more and eight are 63.
    Case("unequal-prompts", |b| prompts(b, 63.0), |b| prompts(b, 63.1)),
    // Of one target that tells, there is nothing to be unlike.
    Case("unequal-prompts", |b| (prompts(b, 99.0), b.targets[1].rows.clear()).1, |b| prompts(b, 24.0)),
    // What `templates-differ` says of a pair isn't said twice; where that is off, it isn't said at all.
    Case(
        "unequal-prompts",
        |b| (prompts(b, 99.0), longer(b, |_| 55)).0,
        |b| {
            prompts(b, 99.0);
            longer(b, |_| 55);
            b.plan.audit = serde_json::from_value(serde_json::json!({ "templates-differ": "off" })).unwrap();
        },
    ),
    Case("templates-differ", |b| longer(b, |_| 1), |b| longer(b, |_| 2)),
    // A tokeniser's difference goes with the text: 179 of 200 are not nine of ten.
    Case("templates-differ", |b| longer(b, |i| 21 + u64::from(i < 21)), |b| longer(b, |i| 21 + u64::from(i < 20))),
    // Few pairs have to differ all alike, and in prompts of several lengths.
    Case("templates-differ", |b| few_longer(b, 3, |i| i, |_| 27), |b| few_longer(b, 4, |i| i, |_| 27)),
    Case("templates-differ", |b| few_longer(b, 9, |i| i, |i| 27 + i / 8), |b| few_longer(b, 9, |i| i, |_| 27)),
    Case("templates-differ", |b| few_longer(b, 9, |i| i % 2, |_| 27), |b| few_longer(b, 9, |i| i % 3, |_| 27)),
    Case("templates-differ", |b| longer(b, |i| 2 + i % 5), |b| render(b, "<s>{system}{prompt}", "{system}{prompt}")),
    Case(
        "templates-differ",
        |b| render(b, "{prompt}\n", "{prompt}\n"),
        |b| (render(b, "{prompt}", "{prompt}"), longer(b, |_| 3)).1,
    ),
    // Without a nonce, a count that leaves out what a cache gave would differ, too.
    Case("templates-differ", |b| shorter(b, false, PromptCache::AsIs), |b| shorter(b, true, PromptCache::AsIs)),
    Case("templates-differ", nothing, |b| shorter(b, false, PromptCache::Bust)),
    Case("requested-prompts", |b| requested(b, 0), |b| requested(b, 1)),
    Case("truncated-prompts", |b| full(b, 2), |b| full(b, 3)),
    Case("truncated-prompts", |b| cut_at(b, 50), |b| cut_at(b, 49)),
    Case("cold-load", |b| loads(b, &[99_999]), |b| loads(b, &[100_000])),
    // The same load after an answer without one is another finding.
    Case("cold-load", |b| loads(b, &[1, 100_000]), |b| loads(b, &[500_000, 1])),
    Case("model-reload", |b| loads(b, &[1, 99_999]), |b| loads(b, &[1, 100_000])),
    Case("model-reload", |b| loads(b, &[500_000, 1]), |b| loads(b, &[500_000, 1, 500_000])),
    // Waiting for a busy engine is no load: others are served meanwhile. In a second in which nobody is, it may be one.
    Case("model-reload", |b| queue(b, 0), |b| queue(b, 1000)),
    Case("model-reload", |b| queue(b, 99), |b| queue(b, 101)),
    // One that was given up was served as well, for all that is known.
    Case("model-reload", |b| behind(b, 25_000), |b| behind(b, 24_000)),
    // A quarter of the cold request's load, no more, may be a look at a model that is there.
    Case("model-reload", |b| reload(b, 400_000), |b| reload(b, 400_001)),
    Case("model-reload", |b| reload(b, 100_001), |b| reload(b, 1_600_000)),
    // Of answers that take 18 s, 180 ms are nothing.
    Case("model-reload", |b| slow_load(b, 180_000), |b| slow_load(b, 180_001)),
    // Three in ten prompts come from a cache whole; four do.
    Case("cache-when-busting", |b| hits(b, 3), |b| hits(b, 4)),
    Case(
        "cache-when-busting",
        |b| (b.plan.workload.prompt_cache = PromptCache::AsIs, hits(b, 9)).1,
        |b| cached(b, &[1], 9, 10),
    ),
    // What all prompts begin with is there whatever comes after it; all of a prompt is a hit, be it long or short.
    Case("cache-when-busting", |b| headed(b, |_| 31), |b| headed(b, |prompt| prompt - 1)),
    Case("cache-when-busting", |b| headed(b, |prompt| 31 + prompt % 3), |b| headed(b, |prompt| prompt - prompt % 16)),
    // 2 of 200 are 1 %, which is the limit.
    Case("nonce-in-answers", |b| nonces(b, Task::Generate, 2), |b| nonces(b, Task::Generate, 3)),
    Case(
        "nonce-in-answers",
        |b| (nonces(b, Task::Classify, 0), b.plan.workload.system = Some("Sort.".to_owned())).1,
        |b| nonces(b, Task::Classify, 0),
    ),
    Case("one-sided-cache", |b| cached(b, &[0], 2, 10), |b| cached(b, &[0], 21, 100)),
    Case("one-sided-cache", |b| cached(b, &[0, 1], 9, 10), |b| cached(b, &[1], 9, 10)),
    // Much on both sides, and no more than the limit apart, though not by chance; or by chance.
    Case("one-sided-cache", |b| caches(b, ANSWERS, [60, 45]), |b| caches(b, ANSWERS, [60, 39])),
    Case("one-sided-cache", |b| caches(b, 5, [50, 0]), |b| caches(b, 20, [50, 0])),
    Case("one-sided-cache", |b| caches(b, 5, [0, 50]), |b| caches(b, 20, [0, 50])),
    // A template's head that comes from a cache leaves as much work as there is without the head.
    Case("one-sided-cache", |b| cached(b, &[0], 31, 75), |b| cached(b, &[0], 51, 75)),
    Case("send-lag", |b| b.row("send_lag").p99 = Some(1000.0), |b| b.row("send_lag").p99 = Some(1000.1)),
    Case(
        "send-lag",
        |b| (b.row("latency").p50 = Some(200_000.0), b.row("send_lag").p99 = Some(2000.0)).0,
        |b| {
            b.row("latency").p50 = Some(200_000.0);
            b.row("send_lag").p99 = Some(2000.1);
        },
    ),
    Case(
        "send-lag-share",
        |b| b.comparisons = vec![verdict(1040.0, 1000.0)],
        |b| b.comparisons = vec![verdict(1039.0, 1000.0)],
    ),
    Case(
        "send-lag-share",
        |b| {
            let mut told = verdict(1000.0, 1001.0);
            told.verdict = crate::stats::Verdict::Undecided;
            b.comparisons = vec![told];
        },
        |b| b.comparisons = vec![verdict(1000.0, 1039.0)],
    ),
    // The main metric's difference is looked at where that is a time, else the median latency's: of this target.
    Case("send-lag-share", |b| differ(b, "ttft.p50", "us", 1040.0), |b| differ(b, "ttft.p50", "us", 1039.0)),
    Case(
        "send-lag-share",
        |b| differ(b, "tokens", "1", 1001.0),
        |b| {
            differ(b, "tokens", "1", 9000.0);
            b.comparisons[1] = verdict(1001.0, 1000.0);
        },
    ),
    Case(
        "unsent-requests",
        |b| b.targets[0].outcomes = vec![(Outcome::Ok, 999), (Outcome::Unsent, 1)],
        |b| b.targets[0].outcomes = vec![(Outcome::Ok, 998), (Outcome::Unsent, 1)],
    ),
    Case("missed-rate", |b| open(b, 202), |b| open(b, 203)),
    Case("missed-rate", |b| unsent(b, 2), |b| unsent(b, 3)),
    Case(
        "missed-rate",
        |b| (open(b, 400), b.complete = false).0,
        |b| {
            open(b, 200);
            each(b, |i, s| s.outcome = if i < 3 { Outcome::Unsent } else { Outcome::Ok });
        },
    ),
    Case("missed-rate", |b| (open(b, 400), b.plan.until_ci = Some(crate::scenario::Share(0.05))).0, |b| open(b, 400)),
    Case("generator-cpu", |b| b.conditions.own_cores = Some(1.6), |b| b.conditions.own_cores = Some(1.61)),
    Case(
        "generator-cpu",
        |b| b.conditions.own_cores_allowed = Some(0.0),
        |b| b.conditions.own_cores_allowed = Some(0.5),
    ),
    Case("different-generators", |b| generators(b, 1_100_000), |b| generators(b, 1_300_000)),
    Case(
        "different-generators",
        |b| {
            generators(b, 2_200_000);
            b.row("latency").p50 = Some(250_000.0);
        },
        |b| {
            generators(b, 2_200_000);
            b.row("latency").p50 = Some(150_000.0);
        },
    ),
    Case("unchecked-clocks", nothing, |b| b.unchecked = 3),
    // Two users are at work nearly all the time: 1.98 of 2.4 is enough, of 2.5 would not be; users come whole.
    Case("low-concurrency", nothing, |b| closed(b, 3, serde_json::json!({ "requests": 200 }), "0s")),
    Case(
        "low-concurrency",
        |b| closed(b, 3, serde_json::json!({ "requests": 200 }), "9ms"),
        |b| {
            closed(b, 3, serde_json::json!({ "requests": 200 }), "1ms");
        },
    ),
    Case(
        "low-concurrency",
        |b| closed(b, 21, serde_json::json!({ "requests": 200 }), "0s"),
        |b| {
            closed(b, 20, serde_json::json!({ "requests": 200 }), "0s");
        },
    ),
    Case("low-concurrency", |b| at_work(b, 2.0), |b| at_work(b, 1.99)),
    Case("same-host", |b| at(b, 0, "127.0.0.1"), |b| (at(b, 0, "127.0.0.1"), at(b, 1, "LocalHost")).0),
    Case(
        "same-host",
        |b| (at(b, 0, "::1"), at(b, 1, "::1"), b.plan.order = Order::Isolated).0,
        |b| {
            at(b, 0, "::1");
            b.plan.targets[1].endpoint = Endpoint::Unix { path: "/x".into() };
        },
    ),
    Case("clock-jump", |b| b.conditions.clock_jump_s = Some(0.05), |b| b.conditions.clock_jump_s = Some(-0.051)),
    Case(
        "cpu-frequency",
        |b| b.conditions.frequency_mhz = Some((2100.0, 3000.0)),
        |b| b.conditions.frequency_mhz = Some((2099.0, 3000.0)),
    ),
    Case(
        "swapping",
        |b| b.conditions.swapped_bytes = Some(1 << 20),
        |b| b.conditions.swapped_bytes = Some((1 << 20) + 1),
    ),
    Case(
        "swap-in-use",
        |b| b.conditions.swap_bytes = Some(64 << 20),
        |b| b.conditions.swap_bytes = Some((64 << 20) + 1),
    ),
    Case("other-load", |b| b.conditions.other_cores = Some(0.8), |b| b.conditions.other_cores = Some(0.81)),
    // Two cores are allowed, of a machine of 256: a tenth of those.
    Case(
        "other-load",
        |b| (b.conditions.machine_cores, b.conditions.other_cores) = (Some(256.0), Some(25.6)),
        |b| (b.conditions.machine_cores, b.conditions.other_cores) = (Some(256.0), Some(240.0)),
    ),
    // One after another: what counts is what there was beside each.
    Case("other-load", |b| apart(b, 0.8), |b| apart(b, 0.81)),
    // In half a second, ten of the kernel's hundredths.
    Case("stolen-time", |b| half_a_second(b, 0.2), |b| half_a_second(b, 0.21)),
    // One and a half times, and half a core more.
    Case("different-cores", |b| cores(b, 1.49, 1.0), |b| cores(b, 1.5, 1.0)),
    Case("different-cores", |b| cores(b, 0.49, 0.0), |b| cores(b, 0.5, 0.0)),
    Case("different-cores", |b| cores(b, 0.8, 1.29), |b| cores(b, 0.8, 1.31)),
    // Of the other machine nothing is known; a stand-in's time says nothing.
    Case("different-cores", |b| b.conditions.target_cores = vec![Some(1.0), Some(2.0)], |b| cores(b, 1.0, 2.0)),
    Case("different-cores", |b| (cores(b, 1.0, 2.0), b.plan.targets[1].stand_in = true).1, |b| cores(b, 2.0, 1.0)),
    // Half the time it has nothing to do: it works with as many.
    Case(
        "different-cores",
        |b| {
            cores(b, 1.0, 2.0);
            one_by_one(b, 200, false);
        },
        |b| {
            cores(b, 1.0, 1.0);
            one_by_one(b, 200, false);
        },
    ),
    // Half of its requests time out: it was at work all the same.
    Case(
        "different-cores",
        |b| {
            cores(b, 1.0, 1.0);
            one_by_one(b, 100, true);
        },
        |b| {
            cores(b, 1.0, 2.0);
            one_by_one(b, 100, true);
        },
    ),
    // Refusals of 9 s, and of 10.8 s; of as long, with an answer that it is full in their midst.
    Case("target-gone", |b| refuses(b, 1000, None), |b| refuses(b, 1200, None)),
    Case("target-gone", |b| refuses(b, 1200, Some(195)), |b| refuses(b, 2500, Some(195))),
    // Two users, of whom one gets no answer or both; within 9 and 11 s; and one whose engine was heard of at the very end.
    Case("target-gone", |b| hangs(b, 1, 60, None), |b| hangs(b, 2, 60, None)),
    Case("target-gone", |b| hangs(b, 2, 9, None), |b| hangs(b, 2, 11, None)),
    Case("target-gone", |b| hangs(b, 2, 60, Some(ANSWERS - 1)), |b| hangs(b, 9, 60, None)),
    Case("processes-missed", |b| missed(b, 0.2), |b| missed(b, 0.21)),
    Case("processes-missed", nothing, |b| missed(b, 5.0)),
    Case("engine-count", |b| counted(b, ANSWERS, 10.0), |b| counted(b, ANSWERS + 1, 10.0)),
    Case("engine-count", nothing, |b| counted(b, ANSWERS - 1, 10.0)),
    Case("engine-mean", |b| counted(b, ANSWERS, 15.0), |b| counted(b, ANSWERS, 30.0)),
    Case(
        "which-process",
        |b| b.conditions.targets = vec![Used::default(); 2],
        |b| {
            b.conditions.targets = vec![Used { unclear: true, ..Used::default() }, Used::default()];
        },
    ),
    Case("prompt-cache-growth", |b| grows(b, 100, 132, "8192"), |b| grows(b, 100, 133, "8192")),
    Case("prompt-cache-growth", |b| grows(b, 400, 440, "-1"), |b| grows(b, 400, 441, "-1")),
    Case("prompt-cache-growth", |b| grows(b, 100, 900, "0"), |b| grows(b, 100, 900, "64")),
    // Its command line isn't seen; by its version it has such a cache, or none.
    Case("prompt-cache-growth", |b| of_version(b, "0.11.4"), |b| of_version(b, "0.34.1")),
    Case(
        "prompt-cache-growth",
        |b| (of_version(b, "0.34.1"), b.plan.targets[1].stand_in = true).1,
        |b| of_version(b, "1.0.0"),
    ),
    Case("stolen-time", |b| b.conditions.stolen_cores = Some(0.16), |b| b.conditions.stolen_cores = Some(0.161)),
    Case("precise-pacing", |b| precise(b, 3.0), |b| precise(b, 2.0)),
    Case("precise-pacing", |b| (open(b, 200), b.conditions.cores = Some(2.0)).1, |b| precise(b, 1.0)),
    Case("not-steady", |b| steady(b, 1.052), |b| steady(b, 1.053)),
    Case("not-steady", |b| steady(b, 0.953), |b| steady(b, 0.952)),
    // The first half one and a half times the mean of the rest, exactly; and too few rows to be more than chance.
    Case("not-steady", |b| cut(b, 0.5, 0.8), |b| cut(b, 0.5, 0.79)),
    Case("not-steady", |b| cut(b, 0.049, 0.9), |b| cut(b, 0.05, 0.9)),
    // Two milliseconds more say nothing, however few an answer takes; nor do the first answers of all users.
    Case("not-steady", |b| early(b, 2e3, 1.99), |b| early(b, 2e3, 2.01)),
    Case("not-steady", |b| early(b, 20e3, 1.49), |b| early(b, 20e3, 1.51)),
    Case("not-steady", |b| (early(b, 18e6, 2.0), users(b, 20)).1, |b| (early(b, 18e6, 2.0), users(b, 19)).1),
    Case("not-steady", |b| (early(b, 18e6, 1.4), open(b, 200)).1, |b| (early(b, 18e6, 2.0), open(b, 200)).1),
    Case("drift", |b| fast_drifts(b, 0.99), |b| fast_drifts(b, 1.01)),
    Case("drift", |b| drifts(b, 0.1, 0.3), |b| drifts(b, 0.101, 0.3)),
    Case("drift", |b| drifts(b, -0.3, -0.1), |b| drifts(b, -0.3, -0.101)),
    Case("drift", |b| drifts(b, -0.3, 0.3), |b| drifts(b, 0.2, 0.3)),
    // The other's is known, and is none.
    Case("drift", |b| still(b, 0.1), |b| still(b, 0.101)),
    Case("server-time", |b| server_over(b, 2, 110_000), |b| server_over(b, 3, 110_000)),
    // The slack is 0.1 ms and 1 % of the latency, which is 10 ms here.
    Case("server-time", |b| server_over(b, 9, 200_000), |b| server_over(b, 9, 200_001)),
    Case("equal-samples", |b| repeat(b, 200, 20), |b| repeat(b, 200, 19)),
    Case("equal-samples", |b| repeat(b, 4, 1), |b| repeat(b, 5, 1)),
    Case("equal-samples", |b| repeat(b, 5, 2), |b| repeat(b, 9, 1)),
    Case("identical-samples", nothing, |b| b.gathered[1] = b.gathered[0].clone()),
    Case(
        "identical-samples",
        |b| (b.gather(0, (0..4).map(|i| answer(0, i))), b.gathered[1] = b.gathered[0].clone()).0,
        |b| (b.gather(0, (0..5).map(|i| answer(0, i))), b.gathered[1] = b.gathered[0].clone()).0,
    ),
    Case(
        "impossible-times",
        |b| b.gathered[0].fastest = Some(Nanos(1000)),
        |b| b.gathered[0].fastest = Some(Nanos(999)),
    ),
    Case(
        "impossible-times",
        |b| b.gathered[0].fastest = None,
        |b| each(b, |i, s| s.stamps.end = if i == 9 { s.stamps.sent } else { s.stamps.end }),
    ),
    Case("too-much-throughput", |b| in_flight(b, 2.099), |b| in_flight(b, 2.101)),
    Case(
        "too-much-throughput",
        |b| (limit(b, "too-much-throughput", "50%"), in_flight(b, 3.0)).1,
        |b| (limit(b, "too-much-throughput", "50%"), in_flight(b, 3.01)).1,
    ),
    Case("flat-latency", |b| flat(b, 30, 9_000), |b| flat(b, 30, 0)),
    Case("flat-latency", |b| flat(b, 29, 0), |b| flat(b, 31, 0)),
    // Latency that grows is not flat, however little of it is noise.
    Case("flat-latency", nothing, |b| flat(b, 200, 100)),
    Case("flat-latency", |b| long_prompts(b, 300, 0), |b| long_prompts(b, 700, 0)),
    Case("flat-latency", |b| long_prompts(b, 700, 60), |b| long_prompts(b, 700, 40)),
    Case("flat-latency", |b| long_prompts(b, 700, 50), |b| long_prompts(b, 700, 49)),
    Case("flat-latency", |b| constant(b, "0%"), |b| constant(b, "0.1%")),
    Case("fixed-percentiles", |b| multiple(b, 9, 2.0), |b| multiple(b, 10, 2.0)),
    Case("fixed-percentiles", |b| multiple(b, 200, 0.0), |b| multiple(b, 200, 3.0)),
    // A latency of nothing is no multiple, and the others' still are. All the same on both sides is another rule's.
    Case(
        "fixed-percentiles",
        |b| (constant(b, "0%"), b.gathered[1] = b.gathered[0].clone()).1,
        |b| {
            multiple(b, 200, 1.37);
            none_of(b, 150);
        },
    ),
    Case("fixed-percentiles", |b| shape(b, 20_000.0, 26_000.0), |b| shape(b, 20_000.0, 25_000.0)),
    Case(
        "fixed-percentiles",
        |b| row(&mut b.targets[1], "latency").mean = Some(20_000.1),
        |b| {
            row(&mut b.targets[1], "latency").mean = Some(20_000.0);
        },
    ),
    Case(
        "fixed-percentiles",
        |b| {
            for target in &mut b.targets {
                let row = row(target, "latency");
                (row.mean, row.sd) = (Some(20_000.0), Some(200.0));
            }
        },
        |b| {
            for target in &mut b.targets {
                let row = row(target, "ttft");
                (row.mean, row.sd) = (Some(20_000.0), Some(201.0));
            }
        },
    ),
    Case("fixed-percentiles", |b| seconds(b, 4, |_| 1.2), |b| seconds(b, 5, |_| 1.2)),
    // Seconds without a distribution are left out; a median that stays is no multiple that holds.
    Case(
        "fixed-percentiles",
        |b| told(b, &[(1.0, 2.0); 6]),
        |b| {
            told(b, &[(0.0, 1.0), (1.0, 2.0), (2.0, 4.0), (5.0, 5.0), (3.0, 6.0), (4.0, 8.0), (5.0, 10.0)]);
        },
    ),
    Case("fixed-percentiles", |b| seconds(b, 9, |t| 1.2 + t as f64 / 1e4), |b| seconds(b, 9, |_| 1.5)),
    Case("impossible-figures", |b| b.row("latency").p95 = Some(19_980.0), |b| b.row("latency").p95 = Some(19_950.0)),
    Case("impossible-figures", |b| b.row("latency").p95 = Some(19_960.0), |b| b.row("latency").p95 = Some(19_959.9)),
    Case("impossible-figures", |b| bounded(b, Some(0.0), -1e-6, None), |b| bounded(b, Some(0.0), -1.1e-6, None)),
    Case("impossible-figures", |b| bounded(b, None, 1e-6, Some(0.0)), |b| bounded(b, None, 1.1e-6, Some(0.0))),
    Case("impossible-figures", |b| b.row("ttft").mean = b.row("ttft").min, |b| b.row("ttft").mean = Some(1000.0)),
    Case("impossible-figures", |b| b.row("ttft").mean = b.row("ttft").max, |b| b.row("ttft").mean = Some(9001.0)),
    Case("clamped-values", nothing, |b| b.row("latency").clamped = 1),
    Case("long-answers", |b| long(b, "closed", 99, "1s"), |b| long(b, "closed", 101, "1s")),
    // A number of requests ends with an answer.
    Case("long-answers", |b| b.row("latency").mean = Some(1e6), |b| long(b, "open", 101, "1s")),
    // Blocks are cut by answers.
    Case(
        "long-answers",
        |b| {
            long(b, "closed", 101, "1s");
            b.plan.order = Order::Alternate;
        },
        |b| long(b, "closed", 500, "1s"),
    ),
    Case("short-warmup", |b| long(b, "closed", 51, "51ms"), |b| long(b, "closed", 51, "50ms")),
    Case("short-warmup", |b| long(b, "open", 51, "60ms"), |b| long(b, "open", 51, "0s")),
    Case("unequal-contention", |b| ends_later(b, 200), |b| ends_later(b, 230)),
    Case(
        "unequal-contention",
        |b| {
            ends_later(b, 230);
            b.plan.order = Order::Isolated;
        },
        |b| ends_later(b, 1000),
    ),
    Case("few-samples", |b| b.outcomes(0, 20, 0), |b| b.outcomes(0, 19, 0)),
    Case("few-samples", |b| b.outcomes(0, 1, 0), |b| b.outcomes(0, 2, 0)),
];

fn claim(bench: &mut Bench, at_limit: u64, answers: u64, limit: u32) {
    bench.plan.workload.sampling.max_tokens = limit;
    let samples = (0..answers).map(|index| {
        let mut sample = answer(0, index);
        sample.output_tokens = Some(if index < at_limit { u64::from(limit) } else { 7 });
        sample
    });
    bench.gather(0, samples);
}

/// First requests that ended so, before the load.
fn first(bench: &mut Bench, tries: &[(u64, Outcome)]) {
    let tries = tries.iter().map(|(index, outcome)| Sample {
        phase: Phase::Cold,
        outcome: *outcome,
        error: Some("no".to_owned()),
        ..answer(0, *index)
    });
    let tries: Vec<Sample> = tries.collect();
    bench.gather(0, tries.into_iter().chain((0..ANSWERS).map(|index| answer(0, index))));
}

/// So many requests, some of which found their connection closed by the engine.
fn reopened(bench: &mut Bench, requests: u64, closed: u64) {
    let opened = |index| (index < closed).then_some(Opened::Closed);
    bench.gather(0, (0..requests).map(|index| Sample { opened: opened(index), ..answer(0, index) }));
}

/// Answers that count so many tokens each, on both sides.
fn label_lengths(bench: &mut Bench, a: u64, b: u64) {
    for (target, tokens) in [(0, a), (1, b)] {
        bench.gather(target, (0..ANSWERS).map(|index| Sample { output_tokens: Some(tokens), ..answer(target, index) }));
    }
}

/// Requests of four users to an engine that serves one at a time, a second each, and counts the wait as load; before the last
/// it serves nobody for so many milliseconds.
fn queue(bench: &mut Bench, away_ms: u64) {
    const MS: u64 = 1_000_000;
    let samples = (0..40).map(|index| {
        let away = if index == 39 { away_ms } else { 0 };
        let (begins, sent) = (1000 * index + away, 1000 * u64::max(index, 3) - 3000);
        let end = begins + 1000;
        let mut sample = answer(0, index);
        sample.stamps.planned = Nanos((5000 + sent) * MS);
        sample.stamps.sent = Some(Nanos((5000 + sent) * MS));
        sample.stamps.first_token = Some(Nanos((5000 + begins + 10) * MS));
        sample.stamps.end = Some(Nanos((5000 + end) * MS));
        sample.server_total = Some(Nanos((end - sent) * MS));
        sample.server_load = Some(Nanos((begins - sent) * MS + 1000));
        sample
    });
    bench.gather(0, samples);
    bench.row("latency").p50 = Some(4e6);
}

/// A load of so many microseconds among answers that take 18 s.
fn slow_load(bench: &mut Bench, us: u64) {
    loads(bench, &[1, us]);
    bench.row("latency").p50 = Some(18e6);
}

/// Of ten prompts of both sides, so many come from a cache whole.
fn hits(bench: &mut Bench, of_ten: u64) {
    for target in 0..2 {
        let samples = (0..ANSWERS).map(|index| {
            let mut sample = answer(target, index);
            (sample.prompt_tokens, sample.cached_tokens) = (Some(40), Some(if index % 10 < of_ten { 40 } else { 0 }));
            sample
        });
        bench.gather(target, samples);
    }
}

/// Prompts of 40 to 79 tokens on both sides, and what of each comes from a cache.
fn headed(bench: &mut Bench, cached: fn(u64) -> u64) {
    for target in 0..2 {
        let samples = (0..ANSWERS).map(|index| {
            let (mut sample, prompt) = (answer(target, index), 40 + index % 40);
            (sample.prompt_tokens, sample.cached_tokens) = (Some(prompt), Some(cached(prompt)));
            sample
        });
        bench.gather(target, samples);
    }
}

/// One target after another, with so many cores taken by others beside the second.
fn apart(bench: &mut Bench, others: f64) {
    bench.plan.order = Order::Isolated;
    bench.conditions.other_cores_beside = vec![Some(0.0), Some(others)];
}

/// A window of half a second, in which so many cores were stolen of two.
fn half_a_second(bench: &mut Bench, stolen: f64) {
    let window = crate::stats::Window { from: Nanos(0), to: Nanos(500_000_000) };
    bench.targets.iter_mut().for_each(|target| target.window = Some(window));
    (bench.conditions.cores, bench.conditions.stolen_cores) = (Some(2.0), Some(stolen));
}

/// A tenth of the rows, at the beginning, took so many times the mean of the rest, in microseconds.
fn early(bench: &mut Bench, rest: f64, before: f64) {
    let whole = 0.1 * before + 0.9;
    bench.row("latency").mean = Some(rest * whole);
    bench.targets[0].steady = Some(crate::stats::Steady { from_s: 3.0, cut_share: 0.1, mean_ratio: 1.0 / whole });
}

/// A closed loop of so many users.
fn users(bench: &mut Bench, users: u32) {
    closed(bench, users, serde_json::json!({ "requests": ANSWERS }), "0s");
}

/// Answers of 2 ms that take this much longer at the end, at least.
fn fast_drifts(bench: &mut Bench, low: f64) {
    bench.row("latency").p50 = Some(2e3);
    drifts(bench, low, low + 0.2);
}

/// Sets from where a rule speaks.
fn limit(bench: &mut Bench, id: &str, text: &str) {
    let spec = rule(id).unwrap();
    bench.plan.audit.set(spec, Setting::parse(text, spec.threshold.map(|t| t.unit)).unwrap());
}

/// Mean, standard deviation and number of the answers' tokens, on both sides.
fn output(bench: &mut Bench, a: (f64, f64, u64), b: (f64, f64, u64)) {
    for (target, (mean, sd, n)) in bench.targets.iter_mut().zip([a, b]) {
        let row = row(target, "output_tokens");
        (row.mean, row.sd, row.n) = (Some(mean), Some(sd), Some(n));
    }
}

/// So many requests were to be made, of which a quarter may be missing.
fn planned(bench: &mut Bench, requests: u64) {
    limit(bench, "planned-requests", "25%");
    closed(bench, 2, serde_json::json!({ "requests": requests }), "0s");
}

/// So many of two hundred answers longer than all others of either side; a limit of a quarter.
fn moved(bench: &mut Bench, count: u64) {
    limit(bench, "output-lengths", "25%");
    let tokens = |target: usize, long: u64| {
        (0..ANSWERS).map(move |index| {
            let mut sample = answer(target, index);
            sample.output_tokens = Some(if index < long { 60 } else { 8 });
            sample
        })
    };
    bench.gather(0, tokens(0, count));
    bench.gather(1, tokens(1, 0));
}

/// How many answers ended at the limit, by themselves, and otherwise; on both sides.
fn ended(bench: &mut Bench, a: [u64; 3], b: [u64; 3]) {
    for (target, counts) in [a, b].into_iter().enumerate() {
        let words = ["length", "stop", "abort"].into_iter().zip(counts);
        let words = words.flat_map(|(word, count)| (0..count).map(move |_| word));
        let samples = words.zip(0..).map(|(word, index)| {
            let mut sample = answer(target, index);
            sample.finish = Some(word.to_owned());
            sample
        });
        bench.gather(target, samples);
    }
}

/// Shares of prompts from a cache on both sides, in per cent, over so many answers.
fn caches(bench: &mut Bench, answers: u64, shares: [u64; 2]) {
    for (target, share) in shares.into_iter().enumerate() {
        let samples = (0..answers).map(|index| {
            let mut sample = answer(target, index);
            (sample.prompt_tokens, sample.cached_tokens) = (Some(100), Some(share));
            sample
        });
        bench.gather(target, samples);
    }
}

/// A main metric of this unit, 1000 on the other side, beside a median latency that is far apart; and another target's.
fn differ(bench: &mut Bench, metric: &'static str, unit: &str, value: f64) {
    bench.primary = metric;
    let main = crate::stats::Comparison { metric: metric.to_owned(), unit: unit.to_owned(), ..verdict(value, 1000.0) };
    let others = crate::stats::Comparison { target: 1, ..main.clone() };
    let others = crate::stats::Comparison { target_value: Some(1001.0), ..others };
    bench.comparisons = vec![main, verdict(9000.0, 1000.0), others];
}

/// Four users in a closed loop, so many of them at work on average; a limit of a half.
fn at_work(bench: &mut Bench, users: f64) {
    limit(bench, "low-concurrency", "50%");
    closed(bench, 4, serde_json::json!({ "requests": 200 }), "0s");
    bench.gathered.iter_mut().for_each(|side| side.occupied_s = users * side.span_s());
}

/// Three generators, one of which takes so many nanoseconds to connect, and the others a tenth of a millisecond.
fn generators(bench: &mut Bench, slow: u64) {
    let mut gather = Gather::new(&bench.plan);
    for index in 0..ANSWERS {
        let shard = (index % 3) as u32;
        let connect = Some(Nanos(if shard == 2 { slow } else { 100_000 }));
        gather.push(&Sample { shard: Some(shard), connect, ..answer(0, index) });
    }
    bench.gathered[0] = gather.finish().swap_remove(0);
}

/// An open loop of two hundred requests, so many of them unsent.
fn unsent(bench: &mut Bench, count: u64) {
    open(bench, 200);
    let samples = (0..ANSWERS).map(|index| {
        let mut sample = answer(0, index);
        sample.outcome = if index < count { Outcome::Unsent } else { Outcome::Ok };
        sample
    });
    bench.gather(0, samples);
}

fn labels(bench: &mut Bench, expected: usize, answers: u64) {
    bench.plan.task = Task::Classify;
    let samples = (0..ANSWERS).map(|index| {
        let mut sample = answer(0, index);
        (sample.expected_label, sample.text_hash) = (Some(index as usize % expected), Some(index % answers));
        sample
    });
    bench.gather(0, samples);
}

fn openai(extra: serde_json::Value) -> serde_json::Value {
    serde_json::json!({ "openai": { "extra": extra } })
}

fn ollama(options: serde_json::Value) -> serde_json::Value {
    serde_json::json!({ "ollama": { "options": options } })
}

pub(super) fn kwargs(thinks: bool) -> serde_json::Value {
    openai(serde_json::json!({ "chat_template_kwargs": { "enable_thinking": thinks } }))
}

fn sizes(bench: &mut Bench, a: &str, b: &str) {
    for (target, size) in bench.plan.targets.iter_mut().zip([a, b]) {
        target.facts.parameters = Some(size.to_owned());
    }
}

/// Sizes of the models' files, in MiB; no engine tells its parameters.
fn files(bench: &mut Bench, a: u64, b: u64) {
    for (target, size) in bench.plan.targets.iter_mut().zip([a, b]) {
        (target.facts.size_bytes, target.facts.parameters) = (Some(size << 20), None);
    }
}

/// Both targets' shares of unreadable answers and of right ones, and what always giving the commonest label gets right.
fn labelled(bench: &mut Bench, unread: [f64; 2], right: [f64; 2], commonest: f64) {
    for target in 0..2 {
        let samples =
            (0..ANSWERS).map(|index| Sample { expected_label: Some(index as usize % 3), ..answer(target, index) });
        bench.gather(target, samples);
        for (metric, value) in
            [("unparsed_rate", unread[target]), ("accuracy", right[target]), ("accuracy_commonest", commonest)]
        {
            let told = Row { n: Some(ANSWERS), mean: Some(value), ..Row::new(metric, "1") };
            *row(&mut bench.targets[target], metric) = told;
        }
    }
}

fn contexts(bench: &mut Bench, a: Option<u64>, b: Option<u64>) {
    (bench.plan.targets[0].facts.context, bench.plan.targets[1].facts.context) = (a, b);
}

fn set(bench: &mut Bench, name: &str, a: &str, b: &str) {
    for (target, value) in bench.plan.targets.iter_mut().zip([a, b]) {
        target.facts.set(name, value, "command line");
    }
}

fn physical_of_one(bench: &mut Bench, batch: &str) {
    set(bench, "batch", "512", batch);
    bench.plan.targets[0].facts.set("ubatch", "512", "command line");
}

fn kv(bench: &mut Bench, a: [&str; 2], b: [&str; 2]) {
    set(bench, "kv_cache_k", a[0], b[0]);
    set(bench, "kv_cache_v", a[1], b[1]);
}

/// Requests of the first target that take 100 ms, so often one; of half of them nothing comes.
fn one_by_one(bench: &mut Bench, every_ms: u64, fails: bool) {
    let samples = (0..ANSWERS).map(|index| {
        let (sent, mut sample) = (1000 + index * every_ms, answer(0, index));
        span(&mut sample, sent, sent + 100);
        if fails && index % 2 == 1 {
            given_up(&mut sample);
        }
        sample
    });
    bench.gather(0, samples);
}

/// A request between two moments, in milliseconds.
fn span(sample: &mut Sample, sent_ms: u64, end_ms: u64) {
    let at = |ms: u64| Nanos(ms * 1_000_000);
    sample.stamps.planned = at(sent_ms);
    (sample.stamps.sent, sample.stamps.end) = (Some(at(sent_ms)), Some(at(end_ms)));
    sample.server_total = Some(at(end_ms - sent_ms));
}

/// A request that wasn't answered in time, and of which nothing had come.
fn given_up(sample: &mut Sample) {
    sample.outcome = Outcome::Timeout;
    (sample.stamps.first_token, sample.stamps.last_token) = (None, None);
    (sample.server_total, sample.server_load) = (None, None);
}

/// A request that waits for 10 s until the engine begins with it. Before it another was sent, which is given up at some time.
fn behind(bench: &mut Bench, given_up_at_ms: u64) {
    let mut samples: Vec<Sample> = (0..3).map(|index| answer(0, index)).collect();
    span(&mut samples[0], 1000, 1100);
    span(&mut samples[1], 5000, given_up_at_ms);
    given_up(&mut samples[1]);
    span(&mut samples[2], 15_000, 25_500);
    samples[2].stamps.first_token = Some(Nanos(25_100_000_000));
    samples[2].server_load = Some(Nanos(10_000_000_000));
    bench.gather(0, samples.into_iter());
}

fn cores(bench: &mut Bench, a: f64, b: f64) {
    at(bench, 0, "127.0.0.1");
    at(bench, 1, "localhost");
    bench.conditions.target_cores = vec![Some(a), Some(b)];
}

/// Memory of the first target at the window's beginning and end, in MiB, and what its command line says of the cache.
fn grows(bench: &mut Bench, begin: u64, end: u64, cache: &str) {
    let used = Used { begin_bytes: Some(begin << 20), end_bytes: Some(end << 20), ..Used::default() };
    bench.conditions.targets = vec![used, Used::default()];
    bench.plan.targets[0].facts.set("cache_ram_mib", cache, "command line");
}

/// An Ollama of a version whose memory doubles, and whose command line isn't seen.
fn of_version(bench: &mut Bench, version: &str) {
    let used = Used { begin_bytes: Some(400 << 20), end_bytes: Some(800 << 20), ..Used::default() };
    bench.conditions.targets = vec![Used::default(), used];
    bench.plan.targets[1].spec = serde_json::from_value(serde_json::json!({ "ollama": {} })).unwrap();
    bench.plan.targets[1].facts.engine = Some("ollama".to_owned());
    bench.plan.targets[1].facts.version = Some(version.to_owned());
}

fn slots(bench: &mut Bench, a: u64, b: u64) {
    (bench.plan.targets[0].facts.slots, bench.plan.targets[1].facts.slots) = (Some(a), Some(b));
}

fn prompts(bench: &mut Bench, mean: f64) {
    bench.row("prompt_tokens").mean = Some(mean);
    row(&mut bench.targets[1], "prompt_tokens").mean = Some(44.0);
}

fn full(bench: &mut Bench, count: u64) {
    contexts(bench, Some(512), Some(512));
    let samples = (0..ANSWERS).map(|index| {
        let mut sample = answer(0, index);
        sample.prompt_tokens = Some(if index < count { 511 } else { 510 });
        sample
    });
    bench.gather(0, samples);
}

/// Prompts of the first target that were to have so many tokens fewer than they have.
fn requested(bench: &mut Bench, fewer: u64) {
    let samples = (0..ANSWERS).map(|index| {
        let sample = answer(0, index);
        Sample { wanted_prompt: sample.prompt_tokens.map(|tokens| tokens - fewer), ..sample }
    });
    bench.gather(0, samples);
}

fn cut_at(bench: &mut Bench, context: u64) {
    contexts(bench, Some(context), Some(context));
    bench.gather(0, (0..ANSWERS).map(|index| answer(0, index)));
}

/// Answers one after another, with these loads in microseconds.
fn loads(bench: &mut Bench, loads: &[u64]) {
    let samples = (0..).step_by(20).zip(loads).map(|(index, us)| {
        let mut sample = answer(0, index);
        sample.server_load = Some(Nanos(us * 1000));
        sample
    });
    bench.gather(0, samples);
}

fn cached(bench: &mut Bench, targets: &[usize], part: u64, whole: u64) {
    for target in targets {
        let samples = (0..ANSWERS).map(|index| {
            let mut sample = answer(*target, index);
            (sample.prompt_tokens, sample.cached_tokens) = (Some(whole), Some(part));
            sample
        });
        bench.gather(*target, samples);
    }
}

fn steady(bench: &mut Bench, mean_ratio: f64) {
    bench.targets[0].steady = Some(crate::stats::Steady { from_s: 3.0, cut_share: 0.1, mean_ratio });
}

fn cut(bench: &mut Bench, cut_share: f64, mean_ratio: f64) {
    bench.targets[0].steady = Some(crate::stats::Steady { from_s: 3.0, cut_share, mean_ratio });
}

/// The first side drifts by this at least, and the second doesn't.
fn still(bench: &mut Bench, low: f64) {
    drifts(bench, low, 0.3);
    bench.targets[1].drift = Some(crate::stats::Drift { change: 0.0, low: -0.02, high: 0.02 });
}

fn drifts(bench: &mut Bench, low: f64, high: f64) {
    bench.targets[0].drift = Some(crate::stats::Drift { change: f64::midpoint(low, high), low, high });
}

/// An open loop whose arrivals are waited for precisely, on a machine of so many cores.
fn precise(bench: &mut Bench, cores: f64) {
    open(bench, 200);
    bench.conditions.cores = Some(cores);
    if let crate::scenario::plan::LoadPlan::Open(open) = &mut bench.plan.load {
        open.pacing = crate::scenario::Pacing::Precise;
    }
}

fn server_over(bench: &mut Bench, count: u64, over: u64) {
    let samples = (0..ANSWERS).map(|index| {
        let mut sample = answer(0, index);
        let sent = sample.stamps.sent.unwrap();
        sample.stamps.end = Some(Nanos(sent.0 + 10_000_000));
        sample.server_total = Some(Nanos(if index < count { 10_000_000 + over } else { 9_000_000 }));
        sample
    });
    // 110 us are within the slack of a latency of 10 ms; of one of 1 ms they would not be.
    let short = over == 110_000;
    let samples = samples.map(|mut sample| {
        if short && sample.index < count {
            sample.stamps.end = Some(Nanos(sample.stamps.sent.unwrap().0 + 900_000));
            sample.server_total = Some(Nanos(900_000 + over));
        }
        sample
    });
    bench.gather(0, samples);
}

/// The other side's latency: mean and 95th percentile, about a median of 20 ms.
fn shape(bench: &mut Bench, mean: f64, p95: f64) {
    let row = row(&mut bench.targets[1], "latency");
    (row.mean, row.p95) = (Some(mean), Some(p95));
}

/// A mean beside a smallest or a largest value.
fn bounded(bench: &mut Bench, min: Option<f64>, mean: f64, max: Option<f64>) {
    let row = bench.row("gap");
    (row.min, row.mean, row.max) = (min, Some(mean), max);
}

/// So many answers with so many different latencies.
fn repeat(bench: &mut Bench, answers: u64, different: u64) {
    let samples = (0..answers).map(|index| {
        let mut sample = answer(0, index);
        sample.stamps.end = Some(Nanos(sample.stamps.sent.unwrap().0 + 5_000_000 + index % different));
        sample
    });
    bench.gather(0, samples);
}

fn in_flight(bench: &mut Bench, requests: f64) {
    bench.gathered[0].in_flight_s = requests * bench.gathered[0].span_s();
}

/// Answers of 5 to 95 tokens that take 10 ms each, and so many microseconds of it by chance.
fn flat(bench: &mut Bench, answers: u64, noise_us: u64) {
    let samples = (0..answers).map(|index| {
        let mut sample = answer(0, index);
        sample.output_tokens = Some(5 + index % 10 * 10);
        let noise = noise_us * 1000 * (index * 7919 % 13) / 12;
        sample.stamps.end = Some(Nanos(sample.stamps.sent.unwrap().0 + 10_000_000 + noise + index));
        sample
    });
    bench.gather(0, samples);
}

/// Latencies that are all one, whatever the length; the most that latency may grow by to be flat.
fn constant(bench: &mut Bench, growth: &str) {
    limit(bench, "flat-latency", growth);
    each(bench, |i, s| {
        s.output_tokens = Some(5 + i % 10 * 10);
        s.stamps.end = s.stamps.sent.map(|sent| Nanos(sent.0 + 10_000_000));
    });
}

/// Prompts of 10 and of `most` tokens, whose answers take as long; `cached` of a hundred tokens come from a cache.
fn long_prompts(bench: &mut Bench, most: u64, cached: u64) {
    let samples = (0..ANSWERS).map(|index| {
        let mut sample = answer(0, index);
        let prompt = if index % 2 == 0 { 100 } else { most };
        (sample.prompt_tokens, sample.cached_tokens) = (Some(prompt), Some(prompt * cached / 100));
        sample.output_tokens = Some(20);
        sample.stamps.end = Some(Nanos(sample.stamps.sent.unwrap().0 + 10_000_000 + index * 7919 % 1000));
        sample
    });
    bench.gather(0, samples);
}

/// Latencies that are the other side's times a number, to the nanosecond, but for one of them where the number is 0.
fn multiple(bench: &mut Bench, answers: u64, times: f64) {
    let samples = (0..answers).map(|index| {
        let (mut sample, other) = (answer(0, index), answer(1, index).latency().unwrap());
        let factor = if times == 0.0 { 2.0 + f64::from(u32::from(index == 100)) } else { times };
        sample.stamps.end = Some(Nanos(sample.stamps.sent.unwrap().0 + (other.0 as f64 * factor) as u64));
        sample
    });
    bench.gather(0, samples);
}

/// The other side's answer of this number took no time at all.
fn none_of(bench: &mut Bench, number: u64) {
    let samples = (0..ANSWERS).map(|index| {
        let mut sample = answer(1, index);
        sample.stamps.end = if index == number { sample.stamps.sent } else { sample.stamps.end };
        sample
    });
    bench.gather(1, samples);
}

/// Seconds of the first target by their median and 95th percentile, in microseconds.
fn told(bench: &mut Bench, seconds: &[(f64, f64)]) {
    let second = |(t_s, (p50, p95)): (u64, &(f64, f64))| Second {
        t_s,
        latency_p50_us: Some(*p50),
        latency_p95_us: Some(*p95),
        ..Second::default()
    };
    bench.timeline = (0..).zip(seconds).map(second).collect();
}

/// So many answers of the first target have this remark on them.
/// Prompts of the first target that count so many tokens more.
fn longer(bench: &mut Bench, more: fn(u64) -> u64) {
    let samples = (0..ANSWERS).map(|index| {
        let sample = answer(0, index);
        Sample { prompt_tokens: sample.prompt_tokens.map(|tokens| tokens + more(index)), ..sample }
    });
    bench.gather(0, samples);
}

/// So many requests to each target, of prompts of lengths of their own; the first target counts more of them.
fn few_longer(bench: &mut Bench, count: u64, length: fn(u64) -> u64, more: fn(u64) -> u64) {
    for target in 0..2 {
        let samples = (0..count).map(|index| {
            let sample = answer(target, index);
            let more = if target == 0 { more(index) } else { 0 };
            Sample { prompt_tokens: Some(40 + length(index) + more), ..sample }
        });
        bench.gather(target, samples);
    }
}

/// Prompts of the first target that count 9 tokens less, where it may or may not tell how many came from a cache.
fn shorter(bench: &mut Bench, cache_told: bool, cache: PromptCache) {
    bench.plan.workload.prompt_cache = cache;
    let samples = (0..ANSWERS).map(|index| {
        let sample = answer(0, index);
        let (prompt, cached) =
            (sample.prompt_tokens.map(|tokens| tokens - 9), sample.cached_tokens.filter(|_| cache_told));
        Sample { prompt_tokens: prompt, cached_tokens: cached, ..sample }
    });
    bench.gather(0, samples);
}

/// How the two engines render a prompt.
fn render(bench: &mut Bench, first: &str, second: &str) {
    for (target, template) in bench.plan.targets.iter_mut().zip([first, second]) {
        target.facts.template = Some(template.to_owned());
    }
}

/// Caches are busted, and so many answers of the first target repeat the nonce.
fn nonces(bench: &mut Bench, task: Task, count: u64) {
    bench.plan.task = task;
    bench.plan.workload.prompt_cache = PromptCache::Bust;
    bench.row("accuracy").mean = Some(0.5);
    remark(bench, Remark::NonceRepeated, count);
}

fn remark(bench: &mut Bench, remark: Remark, count: u64) {
    let samples = (0..ANSWERS).map(|index| {
        let mut sample = answer(0, index);
        if index < count {
            sample.remarks.add(remark);
        }
        sample
    });
    bench.gather(0, samples);
}

/// The lengths of both targets' vectors.
fn vectors(bench: &mut Bench, first: fn(u64) -> u32, second: fn(u64) -> u32) {
    for (target, length) in [(0, first), (1, second)] {
        let samples = (0..ANSWERS).map(|index| Sample { dimensions: Some(length(index)), ..answer(target, index) });
        bench.gather(target, samples);
    }
}

fn undefined(bench: &mut Bench, pairs: f64) {
    let told = Row { n: Some(60), mean: Some(pairs), ..Row::new("cosine_undefined", "1") };
    *row(&mut bench.targets[0], "cosine_undefined") = told;
}

/// Answers of so many milliseconds in a window of a second, after a warm-up.
fn long(bench: &mut Bench, load: &str, answer_ms: u32, warmup: &str) {
    match load {
        "open" => open(bench, 200),
        _ => closed(bench, 2, serde_json::json!({ "duration": "1s" }), "0s"),
    }
    let mut changed = serde_json::to_value(&bench.plan.load).unwrap();
    (changed[load]["warmup"], changed[load]["duration"]) = (warmup.into(), "1s".into());
    if load == "closed" {
        changed[load].as_object_mut().unwrap().remove("duration");
    }
    set_load(bench, changed);
    row(&mut bench.targets[0], "latency").mean = Some(f64::from(answer_ms) * 1e3);
}

/// The last answer of the first target ends so many milliseconds later.
fn ends_later(bench: &mut Bench, ms: u64) {
    let samples = (0..ANSWERS).map(|index| {
        let mut sample = answer(0, index);
        if index + 1 == ANSWERS {
            sample.stamps.end = sample.stamps.end.map(|end| Nanos(end.0 + ms * 1_000_000));
        }
        sample
    });
    bench.gather(0, samples);
}
