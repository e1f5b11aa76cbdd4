//! `timeout: auto`: how long an answer may take, found from the first answers. A limit that is the same for every engine
//! makes errors of our own on a slow one: six users before one slot wait for five others' answers.

use crate::drive::{ColdStart, LaneSetup};
use crate::record::{Nanos, Sample};
use crate::report::Manifest;
use crate::report::words::about;
use crate::scenario::plan::{LoadPlan, Plan};
use crate::scenario::{Span, TIMEOUT_LEAST, TIMEOUT_MOST};
use crate::target::Target;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How many times as long as it should an answer may take: engines that share a machine take each other's time, and a first
/// answer is no mean.
const MARGIN: f64 = 3.0;

/// A deadline that was found.
#[derive(Debug, PartialEq)]
struct FoundDeadline {
    timeout: Span,
    /// What asks for so long, in words; `None` of the least.
    why: Option<String>,
}

/// The setup of a load whose deadline is still to be found, with the deadline: kept in the manifest, and taken by the
/// targets.
pub(super) fn found(
    setup: &LaneSetup,
    targets: &[Arc<Target>],
    first: &[ColdStart],
    manifest: &Mutex<Manifest>,
    note: impl Fn(&str),
) -> LaneSetup {
    let mut plan = Plan::clone(&setup.plan);
    let found = {
        // What the engines told of themselves once their models were loaded stands there.
        let mut manifest = crate::host::lock(manifest);
        let found = longest(&manifest.plan, first);
        manifest.plan.allow(found.timeout);
        found
    };
    plan.allow(found.timeout);
    targets.iter().for_each(|target| target.allow(found.timeout.0));
    if let Some(why) = found.why {
        note(&format!("loadcmp: timeout: auto is {}: {why}", about(found.timeout.0)));
    }
    LaneSetup { plan: Arc::new(plan), ..setup.clone() }
}

/// The longest that any target needs: one deadline for all, so that none has another's advantage.
fn longest(plan: &Plan, first: &[ColdStart]) -> FoundDeadline {
    let least = TIMEOUT_LEAST.as_secs_f64();
    let mut found = FoundDeadline { timeout: Span(TIMEOUT_LEAST), why: None };
    for (target, first) in plan.targets.iter().zip(first) {
        let most = f64::from(plan.workload.sampling.max_tokens);
        let Some(answer_s) = first.sample.as_ref().and_then(|sample| answer_s(sample, most)) else { continue };
        let known = target.facts.slots.map(|slots| slots.max(1) as f64);
        let slots = known.unwrap_or(1.0);
        let users = at_once(&plan.load, answer_s, known);
        let needed = MARGIN * answer_s * (users / slots).max(1.0);
        let timeout = Span(Duration::from_secs_f64(needed.clamp(least, TIMEOUT_MOST.as_secs_f64()).ceil()));
        if timeout > found.timeout {
            let capped = if needed > TIMEOUT_MOST.as_secs_f64() { ", the maximum" } else { "" };
            let slots = if slots > 1.0 { format!(" over {slots:.0} slots") } else { String::new() };
            let each = crate::report::human::length(answer_s);
            let why = format!(
                "a full answer of `{}` takes about {each}, {users:.0} at once{slots}, times {MARGIN:.0}{capped}",
                target.name
            );
            found = FoundDeadline { timeout, why: Some(why) };
        }
    }
    found
}

/// Seconds that an answer of `most` tokens takes by the first one, the loading of the model left out.
fn answer_s(first: &Sample, most: f64) -> Option<f64> {
    let load = first.server_load.map_or(0.0, Nanos::seconds);
    let whole = (first.latency()?.seconds() - load).max(0.0);
    // A stream's pieces are about its tokens, where nobody counts those.
    let pieces = first.stamps.first_token.map(|_| u64::from(first.chunks));
    let Some(tokens) = first.output_tokens.or(pieces).filter(|tokens| *tokens > 0) else { return Some(whole) };
    let tokens = tokens as f64;
    let per_token = match (first.server_output, first.tpot()) {
        (Some(output), _) => output.seconds() / tokens,
        (None, Some(nanos)) => nanos / 1e9,
        // All of it goes to the tokens: too long is safe, too short makes errors.
        (None, None) => whole / tokens,
    };
    let before = (whole - per_token * tokens).max(0.0);
    Some(before + per_token * most.max(tokens))
}

/// Requests at once at a target: a closed loop's users; of an open loop, as many as its rate keeps in flight, or all that
/// may be where that is more than the slots answer that it is known to have.
fn at_once(load: &LoadPlan, answer_s: f64, slots: Option<f64>) -> f64 {
    match load {
        LoadPlan::Closed(closed) => f64::from(closed.users),
        LoadPlan::Open(open) => {
            let most = (open.planned as f64).min(f64::from(open.in_flight)).max(1.0);
            let rate = open.planned as f64 / open.duration.0.as_secs_f64().max(1e-9);
            let flying = (rate * answer_s).ceil().max(1.0);
            if slots.is_some_and(|slots| flying > slots) { most } else { flying.min(most) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Outcome;
    use crate::stats::fixture::sample;
    use proptest::prelude::*;

    /// A plan of so many users and tokens, whose reference has so many slots.
    fn plan(users: u32, tokens: u32, slots: Option<u64>) -> Plan {
        let mut plan = crate::stats::fixture::plan(crate::scenario::Task::Generate, true);
        if let LoadPlan::Closed(closed) = &mut plan.load {
            closed.users = users;
        }
        plan.workload.sampling.max_tokens = tokens;
        plan.targets.truncate(1);
        plan.targets[0].facts.slots = slots;
        plan
    }

    fn nanos(seconds: f64) -> Nanos {
        Nanos((seconds * 1e9) as u64)
    }

    /// A first answer that took so long, of so many tokens.
    fn first(seconds: f64, tokens: Option<u64>) -> ColdStart {
        let mut sample = sample(0, 0);
        sample.stamps = crate::record::Stamps { sent: Some(Nanos(0)), end: Some(nanos(seconds)), ..Default::default() };
        sample.output_tokens = tokens;
        (sample.server_load, sample.server_output, sample.chunks) = (None, None, 0);
        ColdStart { outcome: Outcome::Ok, error: None, sample: Some(sample) }
    }

    fn seconds(plan: &Plan, first: ColdStart) -> u64 {
        longest(plan, &[first]).timeout.0.as_secs()
    }

    #[test]
    fn a_deadline_is_three_times_what_the_users_before_the_slots_take() {
        // Ten tokens a second, six users of 128 tokens on one slot: the last one's answer comes after 77 s.
        assert_eq!(seconds(&plan(6, 128, Some(1)), first(0.8, Some(8))), 231);
        assert_eq!(seconds(&plan(6, 128, None), first(0.8, Some(8))), 231, "one slot, where nobody says");
        assert_eq!(seconds(&plan(6, 128, Some(4)), first(0.8, Some(8))), 60, "58 s");
        // 64 users of 64 tokens on one worker at 42.5 tokens a second.
        assert_eq!(seconds(&plan(64, 64, Some(1)), first(8.0 / 42.5, Some(8))), 290);
        // Never below what it was, however fast, nor without an end.
        assert_eq!(seconds(&plan(4, 128, Some(4)), first(0.01, Some(8))), 60);
        assert_eq!(seconds(&plan(64, 512, Some(1)), first(30.0, Some(8))), 1800);
        assert!(longest(&plan(64, 512, Some(1)), &[first(30.0, Some(8))]).why.unwrap().ends_with("the maximum"));
        // Embeddings have no tokens.
        assert_eq!(seconds(&plan(64, 128, Some(1)), first(1.0, None)), 192);
        let none = ColdStart { outcome: Outcome::Timeout, error: None, sample: None };
        assert_eq!(longest(&plan(6, 128, None), &[none]), FoundDeadline { timeout: Span(TIMEOUT_LEAST), why: None });
    }

    #[test]
    fn the_loading_of_a_model_is_no_part_of_an_answer() {
        let mut slow = first(100.8, Some(8));
        if let Some(sample) = &mut slow.sample {
            (sample.server_load, sample.server_output) = (Some(nanos(100.0)), Some(nanos(0.8)));
        }
        assert_eq!(seconds(&plan(6, 128, Some(1)), slow), 231);
    }

    #[test]
    fn an_open_loop_counts_what_its_rate_keeps_in_flight() {
        let open = |rate: f64, seconds: u64| {
            let spec = serde_json::from_str(&format!(r#"{{"rate": {rate}, "duration": "{seconds}s"}}"#)).unwrap();
            let planned = (rate * seconds as f64) as u64;
            LoadPlan::Open(Box::new(crate::scenario::plan::OpenPlan {
                about: String::new(),
                spec,
                duration: Span(Duration::from_secs(seconds)),
                warmup: Span::default(),
                in_flight: 1024,
                pacing: crate::scenario::Pacing::Timer,
                planned,
                hash: String::new(),
            }))
        };
        assert_eq!(at_once(&open(2.0, 30), 1.0, Some(4.0)), 2.0);
        assert_eq!(at_once(&open(2.0, 30), 10.0, Some(4.0)), 60.0, "a queue that grows");
        assert_eq!(at_once(&open(200.0, 30), 10.0, Some(4.0)), 1024.0);
        assert_eq!(at_once(&open(40.0, 30), 0.08, None), 4.0, "an engine that doesn't tell its slots may have enough");
    }

    proptest! {
        #[test]
        fn every_deadline_lies_between_the_least_and_the_most(
            took in 0.0..1e6f64, tokens in prop::option::of(0u64..9999), users in 1u32..5000, most in 1u32..100_000,
            slots in prop::option::of(0u64..99),
        ) {
            let found = longest(&plan(users, most, slots), &[first(took, tokens)]).timeout.0;
            prop_assert!(found >= TIMEOUT_LEAST && found <= TIMEOUT_MOST);
        }
    }
}
