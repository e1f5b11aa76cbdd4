//! From the runs to what they say together.

use super::{
    PlannedRepeat, REPEATS_VERSION, RepeatRun, RepeatedTarget, Repeats, RepeatsManifest, RunComparison, RunFigure,
    RunsFigure,
};
use crate::audit::Severity;
use crate::gate::{GateOutcome, JudgedGate, Judgement, NO_BASELINE, OfRun, judge_runs};
use crate::host::Floor;
use crate::metrics::{self, Definition};
use crate::report::{Report, Status, floors, human};
use crate::stats::{
    Comparison, Doubts, RunPair, Verdict, compare_runs, decide_by, geometric_mean, lone_stand_in, over_runs,
    run_metrics, tidy,
};

/// Figures that are shares: no ratio is told of them over runs.
const SHARES: [&Definition; 4] = [&metrics::ERROR_RATE, &metrics::ACCURACY, &metrics::MACRO_F1, &metrics::AGREEMENT];

/// What a run asked, and of whom.
#[derive(Clone, Debug, PartialEq, Eq)]
struct RunSetup {
    workload: String,
    /// Each target: its name, its model, and whether it is a stand-in.
    targets: Vec<(String, String, bool)>,
}

impl RunSetup {
    fn of(report: &Report) -> Self {
        let plan = &report.plan;
        let targets = plan.targets.iter().map(|t| (t.name.clone(), t.model.clone(), t.stand_in)).collect();
        Self { workload: plan.workload.hash.clone(), targets }
    }

    /// Why this is no run of the plan that the first was of, if it isn't.
    fn unlike(&self, first: &Self) -> Option<String> {
        if self.workload != first.workload {
            return Some("its workload differs from the earlier runs: the prompts changed".to_owned());
        }
        let pairs = self.targets.iter().filter_map(|now| Some((now, first.targets.iter().find(|was| was.0 == now.0)?)));
        pairs.into_iter().find(|(now, was)| now != was).map(|((name, model, stand_in), was)| match *stand_in == was.2 {
            true => format!("`{name}` had another model than in the earlier runs: {model}, not {}", was.1),
            false if *stand_in => format!("a stand-in took the place of `{name}`, a real engine in the earlier runs"),
            false => format!("`{name}` was a real engine, and a stand-in in the earlier runs"),
        })
    }
}

/// Takes the runs one by one, so that no more than one report is held at a time.
pub struct RepeatsBuilder {
    targets: Vec<RepeatedTarget>,
    reference: usize,
    primary: String,
    smallest_effect: f64,
    open_loop: bool,
    strict: bool,
    /// What the first run that ended asked, and of whom: another is another plan.
    asked: Option<RunSetup>,
    /// What a request costs each target's wire on this machine when the server does nothing.
    floors: Vec<Option<Floor>>,
    runs: Vec<RepeatRun>,
    /// What runs that count doubt of themselves: rule and target, in how many, and the first's sentence.
    doubts: Vec<(String, usize, String)>,
    /// Of each run, whether too many of each target's requests failed, and its gates.
    beside: Vec<(Vec<bool>, Vec<OfRun>)>,
    adapted: Option<String>,
    /// Of the runs that count, those that decide nothing though they are valid, and why.
    undecided: (usize, Option<String>),
}

impl RepeatsBuilder {
    /// For the targets of a manifest, none of whose runs is known yet.
    pub fn new(manifest: &RepeatsManifest) -> Self {
        let target = |name: &String| RepeatedTarget { name: name.clone(), stand_in: false };
        Self {
            targets: manifest.targets.iter().map(target).collect(),
            reference: manifest.targets.iter().position(|name| *name == manifest.reference).unwrap_or_default(),
            primary: String::new(),
            smallest_effect: 0.0,
            open_loop: false,
            strict: false,
            asked: None,
            floors: vec![None; manifest.targets.len()],
            runs: Vec::new(),
            doubts: Vec::new(),
            beside: Vec::new(),
            adapted: None,
            undecided: (0, None),
        }
    }

    /// Whether there is no run yet.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Takes the run of a number, from 1; its ratio of the main metric for each target but the reference, in words.
    pub fn push(&mut self, number: usize, planned: PlannedRepeat, report: &Report) {
        // The run has the targets in an order of its own.
        let places: Vec<Option<usize>> = report
            .targets
            .iter()
            .map(|target| self.targets.iter().position(|known| known.name == target.name))
            .collect();
        let place = |at: usize| places.get(at).copied().flatten();
        for (at, target) in report.targets.iter().enumerate() {
            if let Some(known) = place(at).and_then(|at| self.targets.get_mut(at)) {
                known.stand_in |= target.stand_in;
            }
        }
        if self.runs.is_empty() {
            self.primary.clone_from(&report.primary);
            self.smallest_effect = report.plan.smallest_effect.0;
            self.open_loop = report.comparing().open_loop;
            self.strict = report.plan.gates.strict;
        }
        let left_out = self.left_out(report);
        if let Some(why) = report.undecided().filter(|_| left_out.is_none()) {
            let (runs, first) = &mut self.undecided;
            *runs += 1;
            first.get_or_insert(why);
        }
        for finding in report.found(Severity::Warning).filter(|_| left_out.is_none()) {
            // A rule may doubt each of several targets: of each it is told once, in however many runs.
            let name = finding.target.and_then(|at| report.targets.get(at)).map(|target| target.name.as_str());
            let key = format!("{} {}", finding.id, name.unwrap_or_default());
            match self.doubts.iter_mut().find(|(known, ..)| *known == key) {
                Some((_, runs, _)) => *runs += 1,
                None => self.doubts.push((key, 1, finding.sentence.clone())),
            }
        }
        for (at, floor) in report.floors.iter().enumerate() {
            if let Some(known) = places.get(at).copied().flatten().and_then(|at| self.floors.get_mut(at)) {
                *known = known.take().or_else(|| floor.clone());
            }
        }
        let metrics: Vec<(&str, &str)> = run_metrics(self.open_loop)
            .map(|metric| (metric.path, metric.unit))
            .chain(SHARES.iter().map(|share| (share.id, share.unit)))
            .collect();
        let of_targets = report.targets.iter().enumerate().filter_map(|(at, target)| Some((place(at)?, target)));
        let figures = of_targets.clone().flat_map(|(at, target)| {
            metrics.iter().filter_map(move |(path, unit)| {
                let value = target.value(path)?;
                Some(RunFigure { metric: (*path).to_owned(), unit: (*unit).to_owned(), target: at, value })
            })
        });
        let comparisons = report.comparisons.iter().filter(|c| place(c.reference) == Some(self.reference));
        let comparisons = comparisons.filter_map(|c| {
            let (target_value, reference_value) = c.target_value.zip(c.reference_value)?;
            let ratio = (reference_value > 0.0 && target_value > 0.0).then(|| target_value / reference_value)?;
            let (metric, target, verdict) = (c.metric.clone(), place(c.target)?, c.verdict);
            // A stand-in's figures stand beside a real engine's, and no more.
            let ratio = Some(tidy(ratio)).filter(|_| verdict != Verdict::NotCompared);
            Some(RunComparison { metric, target, target_value, reference_value, ratio, verdict })
        });
        let mut failed = vec![false; self.targets.len()];
        of_targets.for_each(|(at, target)| failed[at] = target.too_many_failed().is_some());
        let judged = report.judgement.as_ref().map(|judgement| judgement.gates.as_slice()).unwrap_or_default();
        let gates = OfRun::all(judged, &report.evidence(&report.gates_spoilt(), Err(NO_BASELINE)));
        let adapted = report.judgement.as_ref().and_then(|judgement| judgement.adapted.clone());
        self.adapted = self.adapted.take().or(adapted);
        let run = RepeatRun {
            number,
            started: report.started.clone(),
            status: report.status,
            left_out,
            gates: report.judgement.as_ref().and_then(Judgement::worst),
            figures: figures.collect(),
            comparisons: comparisons.collect(),
            planned,
        };
        self.runs.push(run);
        self.beside.push((failed, gates));
    }

    /// Why a run doesn't count, if it doesn't.
    fn left_out(&mut self, report: &Report) -> Option<String> {
        if report.status != Status::Complete {
            let cut = report.unfinished.as_ref().map(|unfinished| unfinished.sentence.clone());
            return Some(cut.unwrap_or_else(|| "it was interrupted".to_owned()));
        }
        if let Some(first) = report.invalid().first() {
            return Some(format!("invalid: {}", first.sentence));
        }
        let now = RunSetup::of(report);
        let first = self.asked.get_or_insert_with(|| now.clone());
        now.unlike(first)
    }

    /// What they say together.
    pub fn finish(self, manifest: RepeatsManifest) -> Repeats {
        let invalid = self.invalid(&manifest);
        let comparisons = self.comparisons();
        let (figures, judgement) = (self.figures(), self.judgement(invalid.as_deref()));
        let notes = self.notes(&manifest);
        let Self { targets, reference, primary, smallest_effect, runs, .. } = self;
        Repeats {
            schema_version: REPEATS_VERSION,
            manifest,
            targets,
            reference,
            primary,
            smallest_effect,
            runs,
            figures,
            comparisons,
            judgement,
            invalid,
            notes,
        }
    }

    fn counted(&self) -> impl Iterator<Item = (&RepeatRun, &(Vec<bool>, Vec<OfRun>))> {
        self.runs.iter().zip(&self.beside).filter(|(run, _)| run.counts())
    }

    /// Why all of it is worthless: more than a third of the runs that ended don't count. Runs that a signal cut off did not end.
    fn invalid(&self, manifest: &RepeatsManifest) -> Option<String> {
        let failed = manifest.runs.iter().filter(|run| run.failed.is_some()).count();
        let spoilt = self.runs.iter().filter(|run| !run.counts() && run.status == Status::Complete).count();
        let counted = self.counted().count();
        let (left_out, ended) = (failed + spoilt, failed + spoilt + counted);
        (left_out * 3 > ended).then(|| {
            let parts: Vec<String> = [(spoilt, "are invalid"), (failed, "failed")]
                .into_iter()
                .filter(|(n, _)| *n > 0)
                .map(|(n, word)| format!("{n} {word}"))
                .collect();
            format!("of {ended} runs {}: more than a third", parts.join(" and "))
        })
    }

    fn figures(&self) -> Vec<RunsFigure> {
        let mut told: Vec<RunsFigure> = Vec::new();
        for target in 0..self.targets.len() {
            let all = run_metrics(self.open_loop).map(|metric| (metric.path, metric.unit));
            for (metric, unit) in all.chain(SHARES.iter().map(|share| (share.id, share.unit))) {
                let values: Vec<f64> =
                    self.counted().filter_map(|(run, _)| Some(run.figure(target, metric)?.value)).collect();
                let logs: Option<Vec<f64>> = values
                    .iter()
                    .map(|x| (*x > 0.0 && !SHARES.iter().any(|share| share.id == metric)).then(|| x.ln()))
                    .collect();
                let value = match &logs {
                    Some(_) => geometric_mean(&values),
                    None => (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64),
                };
                let Some(value) = value else { continue };
                let ends = match &logs {
                    Some(logs) => over_runs(logs).map(|over| (over.low.exp(), over.high.exp())),
                    // A share of few requests scatters less than it is unsure.
                    None => None,
                };
                told.push(RunsFigure {
                    metric: metric.to_owned(),
                    unit: unit.to_owned(),
                    target,
                    runs: values.len(),
                    value: tidy(value),
                    low: ends.map(|ends| tidy(ends.0)),
                    high: ends.map(|ends| tidy(ends.1)),
                });
            }
        }
        told
    }

    fn comparisons(&self) -> Vec<Comparison> {
        let runs = self.counted().count();
        let mut rows = Vec::new();
        for target in (0..self.targets.len()).filter(|at| *at != self.reference) {
            for metric in run_metrics(self.open_loop) {
                let pair = |(run, (failed, _)): (&RepeatRun, &(Vec<bool>, Vec<OfRun>))| {
                    let told = run.comparison(target, metric.path)?;
                    let failed = failed[target] || failed[self.reference];
                    Some(RunPair { target: told.target_value, reference: told.reference_value, failed })
                };
                let pairs: Vec<RunPair> = self.counted().filter_map(pair).collect();
                rows.extend(compare_runs(metric, (target, self.reference), &pairs, runs, self.smallest_effect));
            }
        }
        // However many runs say so: what this machine can't tell apart is no difference between engines.
        let floor = |at: usize| self.floors.get(at)?.as_ref();
        let small = |row: &Comparison| floors::below(row, floor(row.target).zip(floor(row.reference)));
        // As runs that are invalid: what more than a third of them can't decide, all together don't.
        let (undecided, why) = &self.undecided;
        let why = why.as_ref().filter(|_| undecided * 3 > runs);
        let why = why.map(|why| match *undecided == runs {
            true => format!("in every run {why}"),
            false => format!("in {undecided} of {runs} runs {why}"),
        });
        let doubts = Doubts { of_difference: Some(&small), of_all: why.as_deref() };
        decide_by(&mut rows, &self.primary, self.smallest_effect, doubts);
        for row in &mut rows {
            let side = |at: usize| (self.targets[at].name.as_str(), self.targets[at].stand_in);
            if let Some(why) = lone_stand_in(side(row.target), side(row.reference)) {
                (row.verdict, row.reason) = (Verdict::NotCompared, Some(why));
                (row.ratio, row.low, row.high, row.p) = (None, None, None, None);
            }
        }
        rows
    }

    /// The gates over the runs that count, in the order written; one without a target once for each, in the scenario's order.
    fn judgement(&self, invalid: Option<&str>) -> Option<Judgement> {
        let first = self.beside.iter().map(|(_, gates)| gates).find(|gates| !gates.is_empty())?;
        let counted: Vec<(&RepeatRun, &Vec<OfRun>)> = self.counted().map(|(run, (_, gates))| (run, gates)).collect();
        let name = |run: &RepeatRun, gate: &OfRun| gate.target().and_then(|at| run.planned.order.get(at).cloned());
        let mut texts: Vec<&str> = Vec::new();
        for gate in first {
            if !texts.contains(&gate.gate()) {
                texts.push(gate.gate());
            }
        }
        let mut gates: Vec<JudgedGate> = Vec::new();
        for text in texts {
            let names = self.targets.iter().map(|target| Some(target.name.clone())).chain([None]);
            for (at, wanted) in names.enumerate() {
                let of_target = |(run, gates): &(&RepeatRun, &Vec<OfRun>)| {
                    let is = |gate: &&OfRun| gate.gate() == text && name(run, gate) == wanted;
                    gates.iter().find(is).cloned()
                };
                let found: Vec<OfRun> = counted.iter().filter_map(of_target).collect();
                let Some(judged) = judge_runs(&found.iter().collect::<Vec<_>>(), self.strict) else { continue };
                let judged = JudgedGate { target: wanted.map(|_| at), ..judged };
                gates.push(match invalid {
                    Some(why) => JudgedGate {
                        outcome: GateOutcome::NotMeasured,
                        reason: Some(format!("invalid: {why}")),
                        ..judged
                    },
                    None => judged,
                });
            }
        }
        // Without a run that counts there is nothing to judge; the exit code says so by itself.
        (!gates.is_empty()).then(|| Judgement {
            gates,
            tiers: Vec::new(),
            adapted: self.adapted.clone(),
            strict: self.strict,
        })
    }

    fn notes(&self, manifest: &RepeatsManifest) -> Vec<String> {
        let mut notes = Vec::new();
        for run in self.runs.iter().filter(|run| run.status == Status::Complete) {
            notes.extend(run.left_out.iter().map(|why| format!("{} is left out: {why}", run.planned.folder)));
        }
        for run in manifest.runs.iter().filter(|run| run.failed.is_some()) {
            let why = human::one_sentence(run.failed.as_deref().unwrap_or_default());
            notes.push(format!("{} has no result: {why}", run.folder));
        }
        let counted = self.counted().count();
        notes.extend(self.doubts.iter().map(|(_, runs, sentence)| match *runs == counted {
            true => format!("in every run: {sentence}"),
            false => format!("in {runs} of {counted} runs: {sentence}"),
        }));
        let begun = manifest.runs.iter().filter(|run| run.failed.is_some()).count() + self.runs.len();
        if begun < manifest.runs.len() && manifest.status == Status::Complete {
            notes.push(format!("{begun} of {} runs were started: the last ones failed.", manifest.runs.len()));
        }
        notes
    }
}
