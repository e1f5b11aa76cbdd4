//! Each rule just below and just above where it speaks ([`CASES`]), its words, and what all rules have in common.

use super::cases::{CASES, Case, Change, at, both_spec, each, kwargs, open};
use super::fixture::{ANSWERS, Bench, answer};
use super::*;
use crate::record::{Nanos, Phase, Sample};
use crate::scenario::audit::{Setting, rule};
use crate::scenario::plan::Endpoint;

#[test]
fn a_healthy_run_has_no_findings() {
    let found = Bench::healthy().found();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn each_rule_is_quiet_just_below_and_speaks_just_above() {
    let mut wrong = Vec::new();
    for (number, Case(id, quiet, speaks)) in CASES.iter().enumerate() {
        for (change, want) in [(quiet, false), (speaks, true)] {
            let mut bench = Bench::healthy();
            change(&mut bench);
            let finding = bench.finding(id);
            if finding.is_some() != want {
                wrong.push(format!("{number}: {id} should {}speak: {finding:?}", if want { "" } else { "not " }));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_rule_has_a_function_and_a_case() {
    let bound: Vec<&str> = FAMILIES.iter().flat_map(|family| family.iter()).map(|(id, _)| *id).collect();
    for spec in &RULES {
        assert_eq!(bound.iter().filter(|id| **id == spec.id).count(), 1, "{}", spec.id);
        assert!(CASES.iter().any(|Case(id, ..)| *id == spec.id), "{}", spec.id);
    }
    assert_eq!(bound.len(), RULES.len());
}

#[test]
fn a_finding_is_a_sentence_with_what_it_rests_on() {
    for Case(id, _, speaks) in CASES {
        let mut bench = Bench::healthy();
        speaks(&mut bench);
        let Some(finding) = bench.finding(id) else { continue };
        let spec = rule(id).unwrap();
        let first = finding.sentence.chars().next().unwrap();
        assert!(first.is_alphanumeric() && finding.sentence.len() > 15, "{id}: {}", finding.sentence);
        assert!(!finding.sentence.contains("NaN") && !finding.sentence.contains("inf "), "{id}: {}", finding.sentence);
        assert_eq!(finding.threshold.is_some(), spec.threshold.is_some(), "{id}");
        assert!(finding.severity <= spec.severity, "{id}");
        assert!(spec.threshold.is_none() || !finding.evidence.is_empty(), "{id} rests on nothing");
        assert!(finding.target.is_none_or(|target| target < 2), "{id}");
    }
}

/// What people read, of every case: and what other rules say of it, so that a change of one rule is seen wherever it shows.
#[test]
fn the_words_of_every_rule_are_kept() {
    let mut told = String::new();
    for Case(id, quiet, speaks) in CASES {
        let found = |change: &Change| {
            let mut bench = Bench::healthy();
            change(&mut bench);
            bench.found()
        };
        let others = |found: &[Finding]| {
            let ids = found.iter().filter(|finding| finding.id != *id).map(|finding| finding.id.as_str());
            ids.collect::<Vec<_>>().join(", ")
        };
        let (calm, loud) = (found(quiet), found(speaks));
        told.push_str(&format!("{id}\n"));
        for Finding { severity, target, sentence, threshold, .. } in loud.iter().filter(|finding| finding.id == *id) {
            let target = target.map_or("all".to_owned(), |target| format!("target {target}"));
            let limit = threshold.as_deref().map(|limit| format!(", limit {limit}")).unwrap_or_default();
            told.push_str(&format!("  {}, {target}{limit}: {sentence}\n", severity.as_str()));
        }
        for finding in loud.iter().filter(|finding| finding.id == *id && !finding.evidence.is_empty()) {
            told.push_str(&format!("  evidence: {}\n", finding.evidence_words()));
        }
        for (when, others) in [("quiet", others(&calm)), ("speaking", others(&loud))] {
            if !others.is_empty() {
                told.push_str(&format!("  beside it when {when}: {others}\n"));
            }
        }
    }
    insta::assert_snapshot!("findings", told);
}

#[test]
fn the_gravest_come_first() {
    let mut bench = Bench::healthy();
    bench.plan.targets[0].inequalities.push("it knows no top_k".into());
    bench.outcomes(0, 150, 50);
    bench.complete = false;
    let severities: Vec<Severity> = bench.found().iter().map(|finding| finding.severity).collect();
    assert!(severities.is_sorted_by(|a, b| a >= b) && severities.len() > 3, "{severities:?}");
    assert_eq!(bench.found()[0].id, "interrupted");
}

#[test]
fn a_scenario_sets_how_grave_and_from_where() {
    let mut bench = Bench::healthy();
    bench.outcomes(0, 190, 10);
    let set = |text: &str| {
        let mut bench = Bench::healthy();
        bench.outcomes(0, 190, 10);
        let spec = rule("error-rate").unwrap();
        bench.plan.audit.set(spec, Setting::parse(text, spec.threshold.map(|t| t.unit)).unwrap());
        bench.finding("error-rate")
    };
    assert_eq!(bench.finding("error-rate").unwrap().severity, Severity::Warning);
    assert_eq!(set("invalid").unwrap().severity, Severity::Invalid);
    assert_eq!(
        set("note 4%").map(|finding| (finding.severity, finding.threshold)),
        Some((Severity::Note, Some("4 %".into())))
    );
    assert_eq!((set("off"), set("5%"), set("invalid 6%")), (None, None, None));
}

#[test]
fn what_is_milder_by_its_nature_is_told_so() {
    // All stand-ins: nobody takes it for engines.
    let mut bench = Bench::healthy();
    bench.plan.targets[0].stand_in = true;
    assert_eq!(bench.finding("stand-in").unwrap().severity, Severity::Warning);
    bench.plan.targets[1].stand_in = true;
    assert_eq!(bench.finding("stand-in").unwrap().severity, Severity::Note);
    // Lag spoils an open loop; in a closed one latency begins when the request is sent.
    let mut bench = Bench::healthy();
    bench.row("send_lag").p99 = Some(5000.0);
    assert_eq!(bench.finding("send-lag").unwrap().severity, Severity::Warning);
    open(&mut bench, 200);
    assert_eq!(bench.finding("send-lag").unwrap().severity, Severity::Invalid);
    // All think: the same for all.
    let mut bench = Bench::healthy();
    both_spec(&mut bench, [kwargs(true), kwargs(true)]);
    assert_eq!(bench.finding("thinking").unwrap().severity, Severity::Note);
}

#[test]
fn only_measured_samples_count_but_for_the_model_that_was_there() {
    let mut bench = Bench::healthy();
    let warmup = |index| {
        let mut sample = answer(0, index);
        (sample.phase, sample.output_tokens, sample.text_hash) = (Phase::Warmup, Some(0), None);
        sample
    };
    let loaded = |index| {
        let mut sample = answer(0, index);
        sample.server_load = Some(Nanos(2_000_000_000));
        sample
    };
    bench.gather(0, (0..50).map(warmup).chain((50..51).map(loaded)).chain((51..ANSWERS).map(|index| answer(0, index))));
    assert_eq!((bench.gathered[0].rows, bench.gathered[0].no_tokens), (150, 0));
    let ids: Vec<String> = bench.found().into_iter().map(|finding| finding.id).collect();
    assert_eq!(ids, ["planned-requests", "model-reload"]);
    // A load in the warm-up is what a warm-up is for.
    let warm = |index| Sample { phase: Phase::Warmup, ..loaded(index) };
    bench.gather(0, (0..1).map(warm).chain((1..ANSWERS + 1).map(|index| answer(0, index))));
    assert!(bench.finding("cold-load").is_none() && bench.finding("model-reload").is_none());
}

#[test]
fn the_same_host_is_told_with_the_cores_each_took() {
    let mut bench = Bench::healthy();
    at(&mut bench, 0, "127.0.0.1");
    at(&mut bench, 1, "127.0.0.2");
    bench.conditions.target_cores = vec![Some(1.5), None];
    let finding = bench.finding("same-host").unwrap();
    assert!(finding.sentence.ends_with("They used: native 1.50 cores."), "{}", finding.sentence);
    assert_eq!(finding.evidence, [("native".to_owned(), "1.50 cores".to_owned())]);
}

#[test]
fn turns_after_the_first_may_come_from_a_cache() {
    let mut bench = Bench::healthy();
    each(&mut bench, |i, s| {
        (s.turn, s.prompt_tokens, s.cached_tokens) = (Some(1 + u32::from(i % 2 == 1)), Some(40), Some(i % 2 * 39));
    });
    assert!(bench.finding("cache-when-busting").is_none());
    assert_eq!(bench.gathered[0].first_turns.tokens(), (100 * 40, 0));
}

#[test]
fn what_is_kept_of_a_long_run_is_bounded() {
    let gathered = |samples: &mut dyn Iterator<Item = Sample>| {
        let mut bench = Bench::healthy();
        bench.gather(0, samples);
        bench.gathered.swap_remove(0)
    };
    // 4,096 prompts, texts and requests, and the latencies of the first thousand.
    let all = gathered(&mut (0..5000).map(|index| {
        let mut sample = answer(0, index);
        (sample.item, sample.text_hash) = (index as usize, Some(index));
        sample
    }));
    assert_eq!((all.prompts_and_texts(), all.asked.len(), all.answered), ((4096, 4096), 4096, 5000));
    assert_eq!(all.different_latencies().map(|(_, of)| of), Some(1000));
    let late = gathered(&mut (4090..4100).map(|index| answer(0, index)));
    assert_eq!(late.asked.len(), 6);
    let blocks =
        gathered(&mut (0..5000).map(|number| Sample { block: (number / 4096) as u32, ..answer(0, number % 4096) }));
    assert_eq!(blocks.asked.len(), 4096);
    // Of nothing, nothing is told.
    let none = gathered(&mut std::iter::empty());
    assert_eq!((none.different_latencies(), none.first_turns.share(), none.span_s()), (None, None, 0.0));
}

#[test]
fn blocks_are_counted_without_what_lies_between_them() {
    let mut bench = Bench::healthy();
    let span = bench.gathered[0].span_s();
    each(&mut bench, |i, s| {
        if i >= 100 {
            s.block = 1;
            s.stamps.planned.0 += 60_000_000_000;
            for at in [&mut s.stamps.sent, &mut s.stamps.end].into_iter().flatten() {
                at.0 += 60_000_000_000;
            }
        }
    });
    assert!((bench.gathered[0].span_s() - span).abs() < 0.05, "{}", bench.gathered[0].span_s());
}

#[test]
fn a_plan_alone_is_audited_before_the_run() {
    let mut bench = Bench::healthy();
    bench.plan.targets[0].endpoint = Endpoint::Unix { path: "/x".into() };
    bench.plan.targets[0].facts.quantization = Some("F16".into());
    let ids: Vec<String> = of_plan(&bench.plan).into_iter().map(|finding| finding.id).collect();
    assert_eq!(ids, ["quantisation", "different-transports"]);
}

#[test]
fn the_rules_are_a_table_that_markdown_reads() {
    let table = rules_table();
    assert_eq!(table.lines().count(), RULES.len() + 2);
    assert!(table.lines().all(|line| line.matches('|').count() == 5), "{table}");
    assert!(table.contains("| `unequal-output` | warning | 20 % | answers of a target are longer"), "{table}");
}
