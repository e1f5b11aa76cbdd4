//! A healthy run of two targets for tests: no rule speaks of it, and each test makes one thing sick.

use super::{AuditInputs, Finding, Gather, Gathered, audit};
use crate::host::Conditions;
use crate::record::{Nanos, Outcome, Sample};
use crate::scenario::Task;
use crate::scenario::plan::{Endpoint, Plan};
use crate::stats::fixture::{self, MS, S};
use crate::stats::{Comparison, Row, Second, TargetSummary, Verdict};

/// Evidence that can be changed.
pub struct Bench {
    pub plan: Plan,
    pub complete: bool,
    pub lost: bool,
    pub unchecked: usize,
    pub targets: Vec<TargetSummary>,
    pub comparisons: Vec<Comparison>,
    pub gathered: Vec<Gathered>,
    pub timeline: Vec<Second>,
    pub conditions: Conditions,
    pub primary: &'static str,
}

/// Answers of each target.
pub const ANSWERS: u64 = 200;

impl Bench {
    /// Two real engines on other machines, 200 answers each, in a closed loop of two users.
    pub fn healthy() -> Self {
        let mut plan = fixture::plan(Task::Generate, false);
        for (at, target) in plan.targets.iter_mut().enumerate() {
            target.endpoint =
                Endpoint::Tcp { host: format!("10.0.0.{at}"), port: 80, prefix: String::new(), tls: false };
        }
        plan.load = serde_json::from_value(serde_json::json!({
            "closed": { "users": 2, "until": { "requests": ANSWERS }, "think": "0s", "warmup": "0s" }
        }))
        .unwrap();
        let mut gather = Gather::new(&plan);
        for target in 0..2 {
            (0..ANSWERS).for_each(|index| gather.push(&answer(target, index)));
        }
        let conditions = Conditions { cores: Some(8.0), own_cores: Some(0.5), ..Conditions::default() };
        let conditions = Conditions { own_cores_allowed: Some(2.0), other_cores: Some(0.0), ..conditions };
        let targets = ["native", "ollama"].map(summary).to_vec();
        let (complete, timeline, gathered) = (true, Vec::new(), gather.finish());
        Self {
            plan,
            complete,
            lost: false,
            unchecked: 0,
            targets,
            comparisons: Vec::new(),
            gathered,
            timeline,
            conditions,
            primary: "latency.p50",
        }
    }

    /// What the rules find.
    pub fn found(&self) -> Vec<Finding> {
        audit(&AuditInputs {
            plan: &self.plan,
            unfinished: (!self.complete || self.lost).then_some("Unfinished: interrupted."),
            shard_lost: self.lost,
            unchecked_clocks: self.unchecked,
            targets: &self.targets,
            comparisons: &self.comparisons,
            gathered: &self.gathered,
            timeline: &self.timeline,
            primary: self.primary,
            conditions: Some(&self.conditions),
        })
    }

    /// The finding of a rule.
    pub fn finding(&self, id: &str) -> Option<Finding> {
        self.found().into_iter().find(|finding| finding.id == id)
    }

    /// The first target's row of a metric, added if it isn't there.
    pub fn row(&mut self, metric: &str) -> &mut Row {
        row(&mut self.targets[0], metric)
    }

    /// Replaces the outcomes of a target.
    pub fn outcomes(&mut self, target: usize, ok: u64, failed: u64) {
        self.targets[target].outcomes = vec![(Outcome::Ok, ok), (Outcome::Timeout, failed)];
    }

    /// Gathers other samples for a target in place of its own.
    pub fn gather(&mut self, target: usize, samples: impl Iterator<Item = Sample>) {
        let mut gather = Gather::new(&self.plan);
        samples.for_each(|sample| gather.push(&sample));
        self.gathered[target] = gather.finish().swap_remove(target);
    }
}

/// A target's row of a metric, added if it isn't there.
pub fn row<'a>(target: &'a mut TargetSummary, metric: &str) -> &'a mut Row {
    let at = target.rows.iter().position(|row| row.metric == metric).unwrap_or(target.rows.len());
    if at == target.rows.len() {
        target.rows.push(Row::new(metric, "us"));
    }
    &mut target.rows[at]
}

/// One answer of a healthy target: 8 to 47 tokens, half a millisecond each, and some scatter that is the target's own.
pub fn answer(target: usize, index: u64) -> Sample {
    let tokens = 8 + index * 7 % 40;
    let scatter = (index * 7919 + target as u64 * 104_729) % 100_003;
    // A user asks every 19 ms, about as long as an answer takes.
    let planned = S + index / 2 * 19 * MS;
    let sent = planned + 20_000;
    let end = sent + 5 * MS + tokens * MS / 2 + scatter;
    let mut sample = fixture::sample(target, index);
    sample.user = (index % 2) as u32;
    sample.stamps.planned = Nanos(planned);
    sample.stamps.sent = Some(Nanos(sent));
    sample.stamps.first_token = Some(Nanos(sent + 5 * MS));
    sample.stamps.last_token = Some(Nanos(end));
    sample.stamps.end = Some(Nanos(end));
    sample.finish = Some("stop".to_owned());
    sample.output_tokens = Some(tokens);
    sample.chunks = tokens as u32;
    sample.prompt_tokens = Some(40 + index % 9);
    sample.cached_tokens = Some(0);
    sample.text_hash = Some(1000 + index);
    sample.server_total = Some(Nanos(end - sent - 100_000));
    sample.server_load = Some(Nanos(1_000));
    sample
}

fn summary(name: &str) -> TargetSummary {
    let mut target = TargetSummary {
        name: name.to_owned(),
        stand_in: false,
        window: None,
        steady: None,
        drift: None,
        units: Vec::new(),
        work: crate::stats::Work::default(),
        rows: Vec::new(),
        outcomes: vec![(Outcome::Ok, ANSWERS)],
        failures: Vec::new(),
        confusion: None,
    };
    let scale = if name == "native" { 1.0 } else { 1.01 };
    let ranks = |row: &mut Row, p50: f64, p95: f64| {
        *row = Row { n: Some(ANSWERS), mean: Some(p50 * scale), sd: Some(p50 / 4.0), ..row.clone() };
        (row.min, row.p50, row.p95, row.max) = (Some(p50 / 3.0), Some(p50), Some(p95), Some(p95 * 1.5));
    };
    for (metric, p50, p95) in [
        ("latency", 20_000.0, 25_000.0),
        ("ttft", 5_000.0, 6_000.0),
        ("send_lag", 20.0, 50.0),
        ("output_tokens", 27.0, 45.0),
    ] {
        ranks(row(&mut target, metric), p50, p95);
    }
    row(&mut target, "send_lag").p99 = Some(70.0);
    ranks(row(&mut target, "prompt_tokens"), 44.0, 48.0);
    target
}

/// A verdict on the median latency, with these two values in microseconds.
pub fn verdict(target_value: f64, reference_value: f64) -> Comparison {
    Comparison {
        metric: "latency.p50".to_owned(),
        unit: "us".to_owned(),
        target: 0,
        reference: 1,
        target_value: Some(target_value),
        reference_value: Some(reference_value),
        ratio: Some(target_value / reference_value),
        low: None,
        high: None,
        blocks: None,
        pairs: None,
        unpaired: None,
        p: None,
        needs: None,
        verdict: Verdict::Better,
        reason: None,
        basis: None,
    }
}
