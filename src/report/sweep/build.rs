//! From the runs of a sweep to what they say together.

use super::{
    Costs, Figure, Level, PlannedRun, RunTarget, SWEEP_VERSION, Scaling, Sweep, SweepManifest, SweptRun, SweptTarget,
    uncompared,
};
use crate::record::{Phase, Sample};
use crate::report::{Report, Status, human};
use crate::scenario::plan::{LoadPlan, Until};
use crate::stats::{CostSums, Row, TargetSummary, Users, compare_costs, fit_costs, fit_usl, tidy, unit};
use std::collections::BTreeMap;

/// The figures of a run that a sweep keeps: a metric, and the field of its row.
const FIGURES: [&str; 21] = [
    "latency.p50",
    "latency.p95",
    "latency.mean",
    "response.p50",
    "response.p95",
    "ttft.p50",
    "ttft.p95",
    "tpot.mean",
    "prefill_tokens_per_s.p50",
    "decode_tokens_per_s.p50",
    "server_prefill_per_s.p50",
    "server_decode_per_s.p50",
    "requests_per_s",
    "output_tokens_per_s",
    "prompt_tokens_per_s",
    "error_rate",
    "accuracy",
    "cosine.mean",
    "cpu_per_request",
    "cpu_per_1k_tokens",
    "memory_peak",
];

/// The paths that change how many requests are in flight.
const CONCURRENCY: [&str; 2] = ["load.closed.users", "load.open.in_flight"];

/// What is gathered of a run's samples beside its report, by target.
#[derive(Clone, Debug, Default)]
pub struct Gathering {
    targets: Vec<(CostSums, Users)>,
}

impl Gathering {
    /// For a number of targets.
    pub fn new(targets: usize) -> Self {
        Self { targets: vec![Default::default(); targets] }
    }

    /// Takes a row; only measured requests with a complete answer count.
    pub fn push(&mut self, sample: &Sample) {
        let counts = sample.phase == Phase::Measure && sample.outcome.answered();
        if let Some((costs, users)) = self.targets.get_mut(sample.target).filter(|_| counts) {
            costs.push(sample);
            users.push(sample);
        }
    }
}

/// Takes the runs one by one, so that no more than one report is held at a time.
pub struct SweepBuilder {
    targets: Vec<SweptTarget>,
    reference: usize,
    primary: String,
    runs: Vec<SweptRun>,
    gathered: Vec<Gathering>,
    by_duration: bool,
}

impl SweepBuilder {
    /// Nothing yet.
    #[allow(clippy::new_without_default, reason = "an empty sweep has no runs")]
    pub fn new() -> Self {
        let (targets, runs, gathered) = (Vec::new(), Vec::new(), Vec::new());
        Self { targets, reference: 0, primary: String::new(), runs, gathered, by_duration: false }
    }

    /// Whether there is no run yet.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Takes a run.
    pub fn push(&mut self, planned: PlannedRun, report: &Report, gathered: Gathering) {
        if self.targets.is_empty() {
            let target = |t: &TargetSummary| SweptTarget { name: t.name.clone(), stand_in: t.stand_in };
            self.targets = report.targets.iter().map(target).collect();
            (self.reference, self.primary) = (report.plan.reference, report.primary.clone());
        }
        for (known, met) in self.targets.iter_mut().zip(&report.targets) {
            known.stand_in |= met.stand_in;
        }
        self.by_duration |=
            matches!(&report.plan.load, LoadPlan::Closed(closed) if matches!(closed.until, Until::Duration(_)));
        let of_target = |(summary, (costs, users)): (&TargetSummary, &(CostSums, Users))| {
            let (prompt, output) = costs.mean_tokens();
            let counted = |x: f64| (costs.requests() > 0.0).then_some(x);
            let mut figures: Vec<Figure> = FIGURES.iter().filter_map(|metric| figure(summary, metric)).collect();
            let user = |metric, unit: &str, value: Option<f64>| {
                value.map(tidy).map(|value| Figure {
                    metric,
                    unit: unit.to_owned(),
                    n: None,
                    value,
                    low: None,
                    high: None,
                })
            };
            figures.extend(user("fairness", unit::ONE, users.jain()));
            figures.extend(user("slowest_user.latency.mean", unit::MICROS, users.slowest_us()));
            RunTarget {
                requests: summary.requests(),
                answered: summary.answered(),
                prompt_tokens: counted(prompt),
                output_tokens: counted(output),
                figures,
            }
        };
        let main = report.comparisons.iter().filter(|c| c.metric == report.primary);
        let sentences = |found: Vec<&crate::audit::Finding>| found.iter().map(|f| f.sentence.clone()).collect();
        self.runs.push(SweptRun {
            planned,
            concurrency: report.plan.load.concurrency(),
            status: report.status,
            invalid: sentences(report.invalid()),
            doubts: sentences(report.found(crate::audit::Severity::Warning).collect()),
            gates: report.judgement.as_ref().and_then(|judgement| judgement.worst()),
            code: report.judgement.as_ref().map_or(0, |judgement| judgement.code(report.plan.gates.inconclusive)),
            targets: report.targets.iter().zip(&gathered.targets).map(of_target).collect(),
            verdicts: main.cloned().collect(),
        });
        self.gathered.push(gathered);
    }

    /// What they say together.
    pub fn finish(self, manifest: SweepManifest) -> Sweep {
        let costs = self.costs();
        let scaling = self.scaling(&manifest.paths);
        let notes = self.notes(&manifest, &costs);
        let Self { targets, reference, primary, runs, .. } = self;
        Sweep { schema_version: SWEEP_VERSION, manifest, targets, reference, primary, runs, costs, scaling, notes }
    }

    /// Whether a run's figures count in what all say together.
    fn counts(run: &SweptRun) -> bool {
        run.status == Status::Complete && run.invalid.is_empty()
    }

    fn costs(&self) -> Costs {
        let whole = || self.runs.iter().zip(&self.gathered).filter(|(run, _)| Self::counts(run));
        let Some(least) = whole().map(|(run, _)| run.concurrency).min() else { return Costs::default() };
        let mut costs = Costs { concurrency: least, ..Costs::default() };
        // The runs of a point are one point: what the line doesn't fit there, it doesn't fit in all of them.
        let mut points: BTreeMap<usize, Vec<CostSums>> = BTreeMap::new();
        for (run, gathered) in whole().filter(|(run, _)| run.concurrency == least) {
            let sums = points.entry(run.planned.point).or_insert_with(|| vec![CostSums::default(); self.targets.len()]);
            sums.iter_mut().zip(&gathered.targets).for_each(|(sum, (costs, _))| sum.add(costs));
        }
        for target in 0..self.targets.len() {
            let of_target: Vec<CostSums> = points.values().filter_map(|sums| sums.get(target).copied()).collect();
            match fit_costs(target, &of_target) {
                Ok(fit) => costs.fits.push(fit),
                Err(why) => costs.lacking.push((target, why)),
            }
        }
        if let Some(reference) = costs.fits.iter().find(|fit| fit.target == self.reference) {
            // A stand-in's costs stand beside a real engine's, and no more.
            let comparable = |at: usize| uncompared(&self.targets, at, self.reference).is_none();
            let others = costs.fits.iter().filter(|fit| fit.target != self.reference && comparable(fit.target));
            costs.comparisons = others.map(|fit| compare_costs(fit, reference)).collect();
        }
        costs
    }

    fn scaling(&self, paths: &[String]) -> Vec<Scaling> {
        if !paths.iter().any(|path| CONCURRENCY.contains(&path.as_str())) {
            return Vec::new();
        }
        // What else was set, in words that can be compared, and the runs with it in the order they first came.
        type Set = Vec<(String, serde_json::Value)>;
        let mut groups: Vec<(Set, Vec<usize>)> = Vec::new();
        let mut whole: Vec<usize> = (0..self.runs.len()).filter(|at| Self::counts(&self.runs[*at])).collect();
        whole.sort_by_key(|at| self.runs[*at].planned.point);
        for at in whole {
            let set = paths.iter().cloned().zip(self.runs[at].planned.values.iter().cloned());
            let others: Set = set.filter(|(path, _)| !CONCURRENCY.contains(&path.as_str())).collect();
            match groups.iter_mut().find(|(known, _)| *known == others) {
                Some((_, runs)) => runs.push(at),
                None => groups.push((others, vec![at])),
            }
        }
        let each = groups.iter().flat_map(|group| (0..self.targets.len()).map(move |target| (group, target)));
        each.filter_map(|((at, runs), target)| self.scaling_of(target, at, runs)).collect()
    }

    fn scaling_of(&self, target: usize, at: &[(String, serde_json::Value)], runs: &[usize]) -> Option<Scaling> {
        // By concurrency: throughput, fairness, mean latency and the slowest user's, output tokens.
        type Met = (f64, Option<f64>, Option<f64>, Option<f64>, Option<f64>);
        let mut by_level: BTreeMap<u32, Vec<Met>> = BTreeMap::new();
        for run in runs {
            let (met, users) = (&self.runs[*run], &self.gathered[*run].targets.get(target)?.1);
            let of = |metric| met.targets.get(target)?.figure(metric).map(|figure| figure.value);
            let (throughput, tokens) = (of("requests_per_s"), of("output_tokens_per_s"));
            if let Some(x) = throughput.filter(|x| *x > 0.0) {
                let level = by_level.entry(met.concurrency).or_default();
                level.push((x, users.jain(), users.mean_us(), users.slowest_us(), tokens));
            }
        }
        if by_level.len() < 2 {
            return None;
        }
        let mean = |all: &[f64]| (!all.is_empty()).then(|| all.iter().sum::<f64>() / all.len() as f64);
        let (first, base) = by_level.iter().next()?;
        let base_rate = mean(&base.iter().map(|met| met.0).collect::<Vec<_>>())? / f64::from(*first);
        let base_time = mean(&base.iter().filter_map(|met| met.2).collect::<Vec<_>>());
        let levels = by_level.iter().filter_map(|(concurrency, all)| {
            let rate = mean(&all.iter().map(|met| met.0).collect::<Vec<_>>())?;
            let by_base = |time: Option<f64>| Some(time? / base_time?);
            Some(Level {
                concurrency: *concurrency,
                runs: all.len(),
                requests_per_s: rate,
                output_tokens_per_s: mean(&all.iter().filter_map(|met| met.4).collect::<Vec<_>>()),
                efficiency: rate / f64::from(*concurrency) / base_rate,
                fairness: all.iter().filter_map(|met| met.1).min_by(f64::total_cmp),
                slowdown: by_base(mean(&all.iter().filter_map(|met| met.2).collect::<Vec<_>>())),
                slowest_user: by_base(all.iter().filter_map(|met| met.3).max_by(f64::total_cmp)),
            })
        });
        let pairs: Vec<(f64, f64)> =
            by_level.iter().flat_map(|(n, all)| all.iter().map(|met| (f64::from(*n), met.0))).collect();
        let (usl, lacking) = match fit_usl(&pairs) {
            Ok(usl) => (Some(usl), None),
            Err(why) => (None, Some(why)),
        };
        Some(Scaling { target, at: at.to_vec(), levels: levels.collect(), usl, lacking })
    }

    fn notes(&self, manifest: &SweepManifest, costs: &Costs) -> Vec<String> {
        let mut notes = Vec::new();
        let (made, planned) = (self.runs.len(), manifest.runs.len());
        if made < planned {
            notes.push(format!("{made} of {planned} runs were made."));
        }
        for run in manifest.runs.iter().filter(|run| run.failed.is_some()) {
            let why = run.failed.as_deref().unwrap_or_default();
            notes.push(format!("{} has no result: {}", run.folder, human::one_sentence(why)));
        }
        for run in self.runs.iter().filter(|run| !run.invalid.is_empty()) {
            let why = run.invalid.first().map(String::as_str).unwrap_or_default();
            notes.push(format!("{} is invalid and left out of the fits: {why}", run.planned.folder));
        }
        if self.by_duration {
            notes.push(
                "The points ran for a fixed time, so fast ones answered more requests than slow ones; `requests` \
                 instead of `duration` gives each the same work."
                    .to_owned(),
            );
        }
        let lengths = |path: &&String| path.starts_with("workload.");
        let others: Vec<&str> = manifest
            .paths
            .iter()
            .filter(|path| !lengths(path) && !CONCURRENCY.contains(&path.as_str()))
            .map(String::as_str)
            .collect();
        if !costs.fits.is_empty() && !others.is_empty() {
            notes.push(format!("Costs are fitted over all values of {} together.", others.join(", ")));
        }
        if !costs.fits.is_empty() && costs.concurrency > 1 {
            notes.push(format!(
                "Costs were measured with {} requests in flight: the time of a request includes waiting for the others.",
                costs.concurrency
            ));
        }
        notes
    }
}

/// A figure of a target with its interval, if it was measured.
fn figure(summary: &TargetSummary, metric: &'static str) -> Option<Figure> {
    let (name, field) = metric.split_once('.').unwrap_or((metric, "mean"));
    let row = summary.row(name)?;
    let value = row.figure(field)?;
    let ends = |row: &Row| match field {
        "p50" => (row.p50_low, row.p50_high),
        "p95" => (row.p95_low, row.p95_high),
        _ => (row.low, row.high),
    };
    let (low, high) = ends(row);
    Some(Figure { metric, unit: row.unit.clone(), n: row.n, value, low, high })
}
