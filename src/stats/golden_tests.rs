//! Whole folds, figure by figure, kept as goldens. That the methods are right is what their own tests and `make truth` say;
//! these say that what is told of a run doesn't change unseen.

use super::fixture::{MS, S, closed_loop, folded, plan};
use super::*;
use crate::record::{Nanos, Outcome, Phase, Sample, Stamps};
use crate::scenario::plan::Plan;
use crate::scenario::{Order, Task};

/// A line a target, row, comparison and histogram; what is `None` is left out.
fn told(folded: &Folded) -> String {
    let mut lines = Vec::new();
    let mut tell = |what: &str, value: serde_json::Value| {
        let text = match value {
            serde_json::Value::Object(fields) => {
                let words = fields.into_iter().filter(|(_, value)| !value.is_null());
                words.map(|(key, value)| format!("{key} {value}")).collect::<Vec<_>>().join(", ")
            }
            other => other.to_string(),
        };
        lines.push(format!("{what}: {text}"));
    };
    let json = |value: &dyn erased::Told| value.json();
    for target in &folded.targets {
        let mut head = json(target);
        if let Some(fields) = head.as_object_mut() {
            fields.remove("rows");
            fields.remove("units");
        }
        tell("target", head);
        target.units.iter().for_each(|series| tell("  units", json(series)));
        target.rows.iter().for_each(|row| tell("  row", json(row)));
    }
    folded.comparisons.iter().for_each(|comparison| tell("comparison", json(comparison)));
    for packed in &folded.histograms {
        let values = packed.values_at(&[0.0, 0.1, 0.5, 0.9, 0.99, 1.0]);
        tell("histogram", serde_json::json!([packed.target, packed.metric, packed.n(), values]));
    }
    // Seconds at the beginning, at the end, and of both targets.
    let whole = folded.timeline.len();
    let some = folded.timeline.iter().enumerate().filter(|(at, _)| at % 8 < 2 || at + 2 > whole);
    some.for_each(|(at, second)| tell(&format!("second {at} of {whole}"), json(second)));
    lines.join("\n")
}

/// What can be told as JSON.
mod erased {
    pub trait Told {
        fn json(&self) -> serde_json::Value;
    }

    impl<T: serde::Serialize> Told for T {
        fn json(&self) -> serde_json::Value {
            serde_json::to_value(self).unwrap()
        }
    }
}

/// Both targets' samples, in the order they end.
fn samples(plan: &Plan) -> Vec<Sample> {
    let mut samples = closed_loop(plan, 0, 12.0, 0.25, 1);
    samples.extend(closed_loop(plan, 1, 12.5, 0.35, 2));
    samples.sort_by_key(|row| row.stamps.end);
    samples
}

fn fold(plan: &Plan, samples: &[Sample], windows: &[(u32, u64, u64)]) -> Folded {
    let mut fold = Fold::new(plan, plan.workload.items);
    for target in 0..2 {
        let driven = |block: u32| samples.iter().any(|row| row.target == target && row.block == block);
        for (block, from, to) in windows.iter().filter(|window| driven(window.0)) {
            fold.window(target, *block, Nanos(*from), Some(Nanos(*to)));
        }
    }
    samples.iter().for_each(|row| fold.push(row));
    fold.finish()
}

#[test]
fn a_closed_loop_of_each_task() {
    for (task, name) in [(Task::Classify, "classify"), (Task::Embed, "embed"), (Task::Generate, "generate")] {
        insta::assert_snapshot!(format!("fold_{name}"), told(&folded(&plan(task, false))));
    }
}

/// Requests that left later than they were planned, near to each other, and some that failed.
#[test]
fn an_open_loop() {
    let mut plan = plan(Task::Generate, false);
    plan.load = serde_json::from_value(serde_json::json!({ "open": {
        "about": "x", "spec": { "rate": 300.0 }, "duration": "20s", "warmup": "0s", "in_flight": 4, "pacing": "timer",
        "planned": 6000, "hash": ""
    } }))
    .unwrap();
    let samples: Vec<Sample> = samples(&plan)
        .into_iter()
        .map(|mut row| {
            let back = if row.phase == Phase::Measure { row.index * 37 % 5 * MS } else { 0 };
            row.stamps.planned.0 = row.stamps.planned.0.saturating_sub(back);
            // Sent again now and then; a part of the prompts from a cache, and not told of each.
            row.retries = u32::from(row.index % 50 == 7) * 2;
            row.cached_tokens = (row.index % 3 != 0).then_some(row.index % 40);
            row
        })
        .collect();
    insta::assert_snapshot!("fold_open", told(&fold(&plan, &samples, &[(0, 3 * S, 23 * S)])));
}

/// Ten blocks of each, one of them on one side only.
#[test]
fn blocks_in_turns() {
    let mut plan = plan(Task::Generate, false);
    plan.order = Order::Alternate;
    let windows: Vec<(u32, u64, u64)> =
        (0..10).map(|block| (block, (3 + 2 * u64::from(block)) * S, (5 + 2 * u64::from(block)) * S)).collect();
    let samples: Vec<Sample> = samples(&plan)
        .into_iter()
        .filter_map(|mut row| {
            let block = row.stamps.planned.0.saturating_sub(3 * S) / (2 * S);
            row.block = block as u32;
            (row.target == 0 || block != 4).then_some(row)
        })
        .collect();
    let folded = fold(&plan, &samples, &windows);
    insta::assert_snapshot!("fold_blocks", told(&folded));
    // The same two, as if they were of two runs.
    let settings = ComparisonSettings::of(&plan);
    let apart = compare_summaries(&folded.targets[0], &folded.targets[1], &settings);
    insta::assert_snapshot!("two_runs", told(&Folded { comparisons: apart, ..Folded::default() }));
}

/// Nothing but failures on one side, whose first request was sent twice; answers without counts on the other.
#[test]
fn little_to_tell_of() {
    let plan = plan(Task::Generate, false);
    let samples: Vec<Sample> = samples(&plan)
        .into_iter()
        .filter(|row| row.phase == Phase::Cold || row.index < 40)
        .map(|mut row| match row.target {
            0 if row.phase == Phase::Measure => Sample { outcome: Outcome::Timeout, ..row },
            0 => row,
            _ => {
                row.output_tokens = row.output_tokens.filter(|_| row.index != 5);
                (row.prompt_tokens, row.stamps.first_token) = (None, None);
                row
            }
        })
        .collect();
    let again = Sample { stamps: Stamps { end: Some(Nanos(9)), ..samples[0].stamps }, ..samples[0].clone() };
    let later = Sample { stamps: Stamps { planned: Nanos(5), ..samples[1].stamps }, ..samples[1].clone() };
    let all = [samples, vec![again, later]].concat();
    insta::assert_snapshot!("fold_little", told(&fold(&plan, &all, &[])));
}

#[test]
fn a_run_is_told_how_much_longer_it_has_to_be() {
    // Of labels the median latency is looked at, of generated text the rate of tokens, and of text without counts the
    // latency again.
    let longer = |task: Task, counted: bool| {
        let plan = plan(task, false);
        let mut fold = Fold::new(&plan, plan.workload.items);
        assert_eq!(fold.times_as_long(0.05), None);
        (0..2).for_each(|target| fold.window(target, 0, Nanos(3 * S), Some(Nanos(23 * S))));
        for row in samples(&plan) {
            let tokens = row.output_tokens.filter(|_| counted || row.index != 5);
            fold.push(&Sample { output_tokens: tokens, ..row });
        }
        [0.1, 0.05, 0.01, 0.002].map(|half| fold.times_as_long(half).unwrap())
    };
    // A difference that is beyond doubt already needs no more, however wide its interval is.
    assert_eq!(longer(Task::Classify, true), [1.0; 4]);
    assert_eq!(longer(Task::Generate, true), [1.0; 4]);
    assert_eq!(longer(Task::Generate, false), longer(Task::Classify, true));
}
