//! Samples and plans for tests: realistic, and the same every time.

use crate::record::{Nanos, Outcome, Phase, Sample, Stamps};
use crate::scenario::plan::Plan;
use crate::scenario::{BlocksSpec, Order, Sampling, Task};
use crate::stats::{Fold, Folded};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, LogNormal};

pub const MS: u64 = 1_000_000;
pub const S: u64 = 1_000 * MS;

/// An answered request of 1 ms, planned at 1 s.
pub fn sample(target: usize, index: u64) -> Sample {
    Sample {
        target,
        phase: Phase::Measure,
        block: 0,
        user: 0,
        index,
        conversation: None,
        turn: None,
        stamps: Stamps {
            planned: Nanos(S),
            dispatched: Some(Nanos(S + 1_000)),
            sent: Some(Nanos(S + 20_000)),
            first_byte: Some(Nanos(S + MS)),
            first_token: None,
            first_answer: None,
            last_token: None,
            end: Some(Nanos(S + 20_000 + MS)),
        },
        outcome: Outcome::Ok,
        http_status: Some(200),
        finish: None,
        prompt_tokens: None,
        cached_tokens: None,
        output_tokens: None,
        chunks: 1,
        expected_label: None,
        label: None,
        server_total: None,
        server_load: None,
        server_prompt: None,
        server_output: None,
        request_hash: index,
        text_hash: None,
        error: None,
        item: index as usize % 60,
        itl_max: None,
        gaps: Vec::new(),
        shard: None,
        dimensions: None,
        connect: None,
        retries: 0,
        thoughts: 0,
        remarks: crate::record::Remarks::default(),
        opened: None,
        wanted_prompt: None,
        prefix_group: None,
        prefix_use: None,
        details: crate::record::Details::default(),
    }
}

/// A plan of two targets, `native` and the reference `ollama`; the second one is a stand-in if asked.
pub fn plan(task: Task, stand_in: bool) -> Plan {
    let target = |name: &str, stand_in: bool, path: &str, model: &str, engine: &str| {
        serde_json::json!({
            "name": name, "stand_in": stand_in, "model": model, "inequalities": [],
            "endpoint": { "unix": { "path": path } },
            "spec": { "gg_core": {} },
            "facts": { "engine": engine, "version": "1.2.3", "quantization": "Q4_K_M", "models": [model] },
        })
    };
    let labels: &[&str] = match task {
        Task::Classify => &["billing", "bug", "feature", "account", "shipping", "praise"],
        _ => &[],
    };
    let name = match task {
        Task::Classify => "classify",
        Task::Embed => "embed",
        Task::Generate => "generate",
        Task::Chat => "chat",
    };
    serde_json::from_value(serde_json::json!({
        "name": name,
        "about": "Support tickets, four users on each side",
        "task": task,
        "seed": 42,
        "targets": [
            target("native", false, "/run/gg/core.sock", "qwen2.5-0.5b", "gg-core"),
            target("ollama", stand_in, "/tmp/ollama.sock", "qwen2.5:0.5b", if stand_in { "loadcmp stand-in" } else { "ollama" }),
        ],
        "reference": 1,
        "workload": {
            "source": "data/tickets.csv", "items": 60, "hash": "9f".repeat(32), "labels": labels, "constrain": "none",
            "format": "raw", "system": null, "sampling": Sampling { max_tokens: 8, seed: Some(42), ..Sampling::default() },
            "stream": matches!(task, Task::Generate | Task::Chat), "prompt_cache": "bust", "history": "scripted",
        },
        "order": Order::Concurrent,
        "blocks": BlocksSpec::default(),
        "interference": false,
        "smallest_effect": "2%",
        "until_ci": null,
        "load": { "closed": { "users": 4, "until": { "duration": "20s" }, "think": "0s", "warmup": "2s" } },
        "timeout": "60s",
        "drain": "10s",
    }))
    .unwrap()
}

/// Requests of a closed loop on one target: `users` of them, each answer `ms` at the median, for 20 s after 2 s of
/// warm-up, in the order they end.
pub fn closed_loop(plan: &Plan, target: usize, ms: f64, spread: f64, seed: u64) -> Vec<Sample> {
    let mut draw = ChaCha8Rng::seed_from_u64(seed);
    let latency = LogNormal::new((ms * MS as f64).ln(), spread).unwrap();
    let mut cold = sample(target, 0);
    cold.phase = Phase::Cold;
    cold.server_load = Some(Nanos(900 * MS));
    cold.stamps = Stamps { planned: Nanos(0), sent: Some(Nanos(30_000)), end: Some(Nanos(950 * MS)), ..cold.stamps };
    let mut all = vec![cold];
    let (mut clocks, mut indices) = (vec![S; plan.load.concurrency() as usize], [0_u64; 2]);
    while let Some((user, &planned)) =
        clocks.iter().enumerate().min_by_key(|(_, at)| **at).filter(|(_, at)| **at < 23 * S)
    {
        let warm = planned >= 3 * S;
        let index = &mut indices[usize::from(warm)];
        let mut row = sample(target, *index);
        *index += 1;
        row.user = user as u32;
        row.phase = if warm { Phase::Measure } else { Phase::Warmup };
        let sent = planned + 15_000 + (*index * 7919 % 20_000);
        let took = latency.sample(&mut draw) as u64;
        shape(&mut row, plan, planned, sent, took, *index * 31 % 100);
        clocks[user] = sent + took + 5_000;
        all.push(row);
    }
    all.sort_by_key(|row| row.stamps.end);
    all
}

/// Fills in what a request of this plan's task brings; `luck` from 0 to 99 decides what goes wrong.
fn shape(row: &mut Sample, plan: &Plan, planned: u64, sent: u64, took: u64, luck: u64) {
    let end = sent + took;
    row.stamps = Stamps {
        planned: Nanos(planned),
        dispatched: Some(Nanos(planned + 2_000)),
        sent: Some(Nanos(sent)),
        first_byte: Some(Nanos(end - took / 2)),
        end: Some(Nanos(end)),
        ..Stamps::default()
    };
    row.prompt_tokens = Some(42 + row.item as u64 % 9);
    row.output_tokens = Some(3);
    row.server_total = Some(Nanos(took * 9 / 10));
    row.server_prompt = Some(Nanos(took / 3));
    row.server_output = Some(Nanos(took / 2));
    match plan.task {
        Task::Classify => {
            let right = row.item % plan.workload.labels.len();
            row.expected_label = Some(right);
            row.label = match (luck + 10 * row.target as u64) % 100 {
                0..2 => None,
                2..12 => Some((right + 1) % plan.workload.labels.len()),
                _ => Some(right),
            };
            row.outcome = if row.label.is_some() { Outcome::Ok } else { Outcome::Unparsed };
        }
        Task::Embed => {
            row.dimensions = Some(384);
            row.output_tokens = None;
        }
        Task::Generate | Task::Chat => {
            row.output_tokens = Some(40 + luck % 9);
            row.stamps.first_token = Some(Nanos(sent + took / 8));
            row.stamps.last_token = Some(Nanos(end - 40_000));
            row.itl_max = Some(Nanos(took / 12));
            // One wait of a twelfth, and 38 that fill the rest.
            let (longest, all) = (took / 12, end - 40_000 - sent - took / 8);
            let gap = u32::try_from((all - longest) / 38 / 1000).unwrap_or(u32::MAX);
            row.gaps = vec![gap; 39];
            row.gaps[20] = u32::try_from(longest / 1000).unwrap_or(u32::MAX);
            row.chunks = 40;
        }
    }
    if row.target == 1 && luck == 99 && row.index.is_multiple_of(7) {
        row.outcome = Outcome::Truncated;
        row.error = Some("<b>the connection closed</b>".to_owned());
    }
}

/// A fold over a run of both targets: `native` at half the latency of `ollama`.
pub fn folded(plan: &Plan) -> Folded {
    let mut fold = Fold::new(plan, plan.workload.items);
    let mut samples = closed_loop(plan, 0, 12.0, 0.25, 1);
    samples.extend(closed_loop(plan, 1, 20.0, 0.35, 2));
    samples.sort_by_key(|row| row.stamps.end);
    for target in 0..2 {
        fold.window(target, 0, Nanos(3 * S), Some(Nanos(23 * S)));
    }
    samples.iter().for_each(|row| fold.push(row));
    if plan.task == Task::Embed {
        for item in 0..plan.workload.items {
            let vector: Vec<f32> = (0..8).map(|i| ((item * 7 + i * 3) % 11) as f32 - 4.0).collect();
            let near: Vec<f32> = vector.iter().enumerate().map(|(i, x)| x + 0.05 * i as f32).collect();
            fold.vector(0, item, &near);
            fold.vector(1, item, &vector);
        }
    }
    fold.finish()
}

/// An autoregressive series; its effective share is (1 - a) / (1 + a).
pub fn autoregressive(a: f64, n: usize) -> Vec<f64> {
    let mut draw = ChaCha8Rng::seed_from_u64(5);
    let mut x = 0.0;
    (0..n)
        .map(|_| {
            // Twelve uniforms are near enough to a normal.
            let noise: f64 = (0..12).map(|_| draw.random::<f64>()).sum::<f64>() - 6.0;
            x = a * x + noise;
            x
        })
        .collect()
}
