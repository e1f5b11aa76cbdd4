//! The one serialisable document that everything people read is made from.
//!
//! [`Manifest`] is what is known without samples, and is written as the run goes; with the samples' fold it makes a
//! [`Report`]. Every float in it is finite or `None`, and `None` means not measured.

pub mod answers;
mod baseline;
mod cold;
mod compare;
mod cost;
mod file;
mod floors;
mod gated;
pub mod lasting;
mod levels;
mod manifest;
pub mod pareto;
pub mod repeats;
mod schema;
mod setup;
mod soak;
pub mod sweep;
mod unfinished;
mod watching;
pub mod words;

pub use crate::metrics::human;
pub use baseline::{BaselineDelta, KeptRuns};
pub use cold::ColdRun;
pub use compare::{ComparedRun, Pair, Relation, TwoRuns};
pub use file::{pretty, replace};
pub use levels::{Level, Levels};
pub use manifest::{ClockReading, Manifest, ShardFacts, Status};
pub use schema::schema;
pub use setup::{Difference, Kind, Unlike, differences, length, unlike_setups};
pub use soak::{Drifted, Soak, SoakedTarget};
pub use unfinished::{Cause, Unfinished};

use crate::audit::{AuditInputs, Finding, Gathered, Severity, audit, identical_requests};
use crate::drive::Found;
use crate::gate::Judgement;
use crate::host::{Conditions, Facts, Floor, Probe};
use crate::record::zst::{PACKED, PLAIN};
use crate::scenario::Order;
use crate::scenario::plan::Plan;
use crate::stats::{Comparison, ComparisonSettings, Doubts, Folded, Packed, Row, Second, TargetSummary, decide};
use serde::{Deserialize, Serialize};

/// What writes documents, with its version.
pub const TOOL: &str = concat!("loadcmp ", env!("CARGO_PKG_VERSION"));

/// Version of the form of `report.json` and `manifest.json`.
pub const SCHEMA_VERSION: u32 = 3;

/// The files of every run's directory, each with what it is.
const FILES: [(&str, &str); 14] = [
    ("manifest.json", "the plan, the machine, versions"),
    (PLAIN, "one row per request"),
    ("summary.csv", "one row per target and metric"),
    ("comparison.csv", "ratios with intervals and verdicts"),
    ("findings.csv", "what the audit found"),
    ("failures.csv", "why requests failed: one row per target and reason"),
    ("timeline.csv", "one row per target and second"),
    ("resources.csv", "what the machine and each process tree used: one row per second"),
    ("report.json", "everything except the timeline, for programs"),
    ("report.md", "for a pull request"),
    ("report.html", "this page"),
    ("histograms.hlog", "distributions, for HdrHistogram tools"),
    ("benchstat.txt", "for benchstat, in the format of Ollama's bench"),
    ("metrics.prom", "for Prometheus' textfile collector"),
];

/// The files of a run's directory: those of every run, and those that this one has besides.
pub fn files(plan: &Plan, baseline: bool, packed: bool) -> Vec<(&'static str, &'static str)> {
    let metrics = plan.targets.iter().any(|target| target.spec.metrics().is_some());
    let besides = [
        (!plan.variants.is_empty(), ("variants.csv", "one row per target: speed, memory, size and quality")),
        (!plan.gates.is_empty(), ("gates.csv", "one row per gate: outcome, values, bound")),
        (!plan.gates.is_empty(), ("junit.xml", "the gates, for CI")),
        (baseline, ("baseline.json", "the baseline, as it was then")),
        (plan.keeps_answers(), ("answers.jsonl", "answers of the engines, with their prompts")),
        (metrics, ("metrics.csv", "the engines' own published metrics")),
    ];
    let always = FILES.into_iter().map(|file| if packed && file.0 == PLAIN { (PACKED, file.1) } else { file });
    always.chain(besides.into_iter().filter_map(|(there, file)| there.then_some(file))).collect()
}

/// A run, told.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Report {
    /// Version of this document's form.
    pub schema_version: u32,
    /// The program and version that wrote it.
    pub tool: String,
    /// The command line, with secrets masked; empty if not known.
    #[serde(default)]
    pub command: String,
    /// When the run began, UTC (RFC 3339).
    pub started: String,
    /// When it ended; `None` if it was killed.
    pub ended: Option<String>,
    /// Whether it ran to its end.
    pub status: Status,
    /// Why it didn't, and how far it got.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unfinished: Option<Unfinished>,
    /// The main metric, declared beforehand.
    pub primary: String,
    /// Audit findings, the most severe first.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// The targets, in the plan's order.
    pub targets: Vec<TargetSummary>,
    /// Each target compared with the reference.
    pub comparisons: Vec<Comparison>,
    /// What a soak showed; `None` if this was none.
    #[serde(default)]
    pub soak: Option<Soak>,
    /// The length the run chose, for `duration: auto` or `until`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<Found>,
    /// The machine that sent the load.
    pub machine: Facts,
    /// The noise floor of each target's wire on this machine (the cost of a request to a server that does nothing), in
    /// the plan's order; `None` if not calibrated.
    #[serde(default)]
    pub floors: Vec<Option<Floor>>,
    /// How the machine fared meanwhile; `None` where that isn't known. In `manifest.json`, not in `report.json`: figures
    /// that went through JSON may end in another digit, and a run told again is the same to the byte.
    #[serde(skip)]
    pub conditions: Option<Conditions>,
    /// The plan of the run.
    pub plan: Plan,
    /// The Pareto front, if some targets are variants of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub front: Option<pareto::Front>,
    /// The speed of the machine, if gates are scaled by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<Probe>,
    /// The outcomes of gates and tiers; `None` without any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judgement: Option<Judgement>,
    /// The baseline, and this run compared with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Box<BaselineDelta>>,
    /// Names of the other files.
    pub files: Vec<String>,
    /// The distributions, mergeable.
    pub histograms: Vec<Packed>,
    /// A row a target and second: in `timeline.csv`, not in `report.json`.
    #[serde(skip)]
    pub timeline: Vec<Second>,
    /// What stood at which level when: in `resources.csv`, not in `report.json`.
    #[serde(skip)]
    pub levels: Levels,
    /// Of the requests that all targets got, how many were the same by their hash, and how many were compared; on the page.
    #[serde(skip)]
    pub identical: Option<(u64, u64)>,
    /// Answers for people to look at: in `answers.jsonl`, not in `report.json`.
    #[serde(skip)]
    pub answers: Vec<answers::ShownPrompt>,
}

impl Report {
    /// Whether the rows are compressed.
    pub fn packed(&self) -> bool {
        self.files.iter().any(|name| name == PACKED)
    }

    /// Takes note that they are.
    pub fn pack(&mut self) {
        self.files.iter_mut().filter(|name| *name == PLAIN).for_each(|name| *name = PACKED.to_owned());
    }

    /// Makes the document of what was folded and gathered of the samples.
    pub fn build(manifest: &Manifest, folded: Folded, gathered: &[Gathered], levels: Levels) -> Self {
        let mut report = Self {
            schema_version: SCHEMA_VERSION,
            tool: manifest.tool.clone(),
            command: manifest.command.clone(),
            started: manifest.started.clone(),
            ended: manifest.ended.clone(),
            status: match manifest.status {
                // Told again from a directory whose run never said that it had ended.
                Status::Running => Status::Interrupted,
                status => status,
            },
            unfinished: None,
            primary: String::new(),
            findings: Vec::new(),
            targets: folded.targets,
            comparisons: folded.comparisons,
            soak: None,
            found: manifest.found,
            machine: manifest.machine.clone(),
            floors: manifest.floors.clone(),
            conditions: manifest.conditions.clone(),
            plan: manifest.plan.clone(),
            front: None,
            probe: manifest.probe,
            judgement: None,
            baseline: None,
            files: files(&manifest.plan, false, false).into_iter().map(|(name, _)| name.to_owned()).collect(),
            histograms: folded.histograms,
            timeline: folded.timeline,
            levels,
            identical: identical_requests(gathered),
            answers: Vec::new(),
        };
        if let Some(conditions) = &manifest.conditions {
            let sides = report.targets.iter_mut().zip(&conditions.targets).zip(&report.plan.targets);
            for ((target, used), plan) in sides {
                let rows = cost::rows(target, used, &cost::Loaded::of(plan)).into_iter().map(Row::tidied);
                target.rows.extend(rows);
            }
        }
        for (at, target) in report.targets.iter_mut().enumerate() {
            target.rows.extend(cold::rows(&manifest.cold_starts, at).into_iter().map(Row::tidied));
        }
        if report.plan.soak {
            let soak = Soak::of(&report.targets, &report.timeline, &report.levels);
            for (target, soaked) in report.targets.iter_mut().zip(&soak.targets) {
                target.rows.extend(soaked.row().map(Row::tidied));
            }
            report.soak = Some(soak);
        }
        // Before the audit: what this machine can't tell apart needs no finding of its own.
        report.decide(None);
        report.primary = report.main_metric().to_owned();
        if report.status != Status::Complete {
            let killed = || if manifest.ended.is_none() { Cause::Killed } else { Cause::Signal };
            let cause = manifest.cause.clone().unwrap_or_else(killed);
            report.unfinished = Some(Unfinished::new(cause, &report.plan, &report.targets));
        }
        report.findings = audit(&AuditInputs {
            plan: &report.plan,
            unfinished: report.unfinished.as_ref().map(|unfinished| unfinished.sentence.as_str()),
            shard_lost: report
                .unfinished
                .as_ref()
                .is_some_and(|unfinished| matches!(unfinished.cause, Cause::Shard(_))),
            unchecked_clocks: manifest.shards.iter().filter(|shard| !shard.checked).count(),
            targets: &report.targets,
            comparisons: &report.comparisons,
            gathered,
            timeline: &report.timeline,
            primary: &report.primary,
            conditions: manifest.conditions.as_ref(),
        });
        if let Some(why) = report.undecided() {
            report.decide(Some(why));
        }
        report
    }

    /// Adds how like the reference's each target's kept answers are: there is nothing to be told of vectors, or where none are kept.
    pub fn liken(&mut self, kept: &answers::AnswerPicks) {
        let reference = self.plan.reference;
        for (at, target) in self.targets.iter_mut().enumerate().filter(|(at, _)| *at != reference) {
            if let Some((n, mean)) = kept.similarity(at, reference) {
                target.rows.push(Row::total(&crate::metrics::ANSWER_SIMILARITY, n, Some(mean)).tidied());
            }
        }
    }

    /// Gives every comparison its verdict; `why` not, if there is a reason for none.
    fn decide(&mut self, why: Option<String>) {
        let floor = |at: usize| self.floors.get(at)?.as_ref();
        let small = |c: &Comparison| floors::below(c, floor(c.target).zip(floor(c.reference)));
        let doubts = Doubts { of_difference: Some(&small), of_all: why.as_deref() };
        decide(&mut self.comparisons, &ComparisonSettings::of(&self.plan), doubts);
    }

    /// Why no side is called better though the run is valid, if so: targets that were measured one after another had unlike
    /// parts of a machine on which others worked.
    fn undecided(&self) -> Option<String> {
        let apart = self.plan.order == Order::Isolated && self.targets.len() > 1;
        let of_others = |finding: &&Finding| finding.id == "other-load" && finding.severity >= Severity::Warning;
        self.findings.iter().find(of_others).filter(|_| apart)?;
        Some(
            "other processes used the machine, which does not affect targets equally that run one after another: \
             `order: alternate` spreads it evenly"
                .to_owned(),
        )
    }

    /// The distribution of a target's metric, where one was kept.
    pub fn histogram(&self, target: usize, metric: &str) -> Option<&Packed> {
        self.histograms.iter().find(|packed| packed.target == target && packed.metric == metric)
    }

    /// The findings of a severity.
    pub fn found(&self, severity: Severity) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |finding| finding.severity == severity)
    }

    /// What makes the comparison worthless, but for that it is unfinished, which is told apart and first.
    pub fn spoilt(&self) -> impl Iterator<Item = &Finding> {
        self.found(Severity::Invalid).filter(|finding| self.unfinished.is_none() || finding.id != "interrupted")
    }

    /// Why the comparison is worthless, if it is.
    pub fn invalid(&self) -> Vec<&Finding> {
        self.found(Severity::Invalid).collect()
    }

    /// The metric that was declared the main one (`stats::ComparisonSettings::primary`).
    fn main_metric(&self) -> &'static str {
        let counted = self.targets.iter().all(|target| target.value("output_tokens_per_s").is_some());
        self.comparing().primary(counted)
    }

    /// What its comparisons are made by.
    pub fn comparing(&self) -> ComparisonSettings {
        ComparisonSettings::of(&self.plan)
    }

    /// Whether any target was a stand-in.
    pub fn has_stand_in(&self) -> bool {
        self.targets.iter().any(|target| target.stand_in)
    }

    /// The reference, if the plan's position of it is right.
    pub fn reference(&self) -> Option<&TargetSummary> {
        self.targets.get(self.plan.reference)
    }

    /// The comparison of a metric for a target.
    pub fn comparison(&self, target: usize, metric: &str) -> Option<&Comparison> {
        self.comparisons.iter().find(|c| c.target == target && c.metric == metric)
    }
}

#[cfg(test)]
pub(crate) mod fixture {
    //! A report for tests.
    use super::*;
    use crate::scenario::Task;
    use crate::stats::fixture;

    /// A manifest around the fixture's plan, from a machine that never was.
    pub fn manifest(plan: Plan) -> Manifest {
        let measured = |target| crate::drive::LaneWindow {
            target,
            block: 0,
            from: crate::record::Nanos(3_000_000_000),
            to: Some(crate::record::Nanos(23_000_000_000)),
        };
        Manifest {
            schema_version: SCHEMA_VERSION,
            tool: "loadcmp 0.1.0".to_owned(),
            command: "loadcmp run classify --seed 42".to_owned(),
            started: "2026-11-21T01:02:03Z".to_owned(),
            ended: Some("2026-11-21T01:02:26Z".to_owned()),
            status: Status::Complete,
            cause: None,
            seed: plan.seed,
            workload_hash: plan.workload.hash.clone(),
            found: None,
            windows: (0..plan.targets.len()).map(measured).collect(),
            conditions: None,
            cold_starts: Vec::new(),
            floors: Vec::new(),
            probe: None,
            shard: None,
            shards: Vec::new(),
            machine: Facts {
                os: Some("Debian GNU/Linux 12".to_owned()),
                kernel: Some("6.18.5".to_owned()),
                cpu: Some("Some CPU @ 2.0 GHz".to_owned()),
                logical_cores: Some(2),
                memory_bytes: Some(8 << 30),
            },
            plan,
        }
    }

    /// What is gathered of the samples that [`fixture::folded`] folds.
    fn gathered(plan: &Plan) -> Vec<Gathered> {
        let mut gather = crate::audit::Gather::new(plan);
        let rows = fixture::closed_loop(plan, 0, 12.0, 0.25, 1);
        for mut row in rows.into_iter().chain(fixture::closed_loop(plan, 1, 20.0, 0.35, 2)) {
            row.text_hash = Some(row.item as u64);
            gather.push(&row);
        }
        gather.finish()
    }

    /// A report of two targets, the reference a stand-in if asked.
    pub fn report(task: Task, stand_in: bool) -> Report {
        let plan = fixture::plan(task, stand_in);
        let folded = fixture::folded(&plan);
        let gathered = gathered(&plan);
        Report::build(&manifest(plan), folded, &gathered, Levels::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Task;

    #[test]
    fn a_report_survives_json() {
        let report = fixture::report(Task::Classify, true);
        let text = serde_json::to_string(&report).unwrap();
        let back: Report = serde_json::from_str(&text).unwrap();
        assert!(serde_json::to_string(&back).unwrap() == text);
        assert_eq!((back.schema_version, back.primary.as_str()), (3, "latency.mean"));
        assert!(back.timeline.is_empty());
        assert!(!report.timeline.is_empty());
    }

    proptest::proptest! {
        /// A suite takes its figures from the JSON of its runs: told again, it says the same.
        #[test]
        fn a_figure_is_read_back_to_the_last_bit(figure in proptest::num::f64::NORMAL) {
            let text = serde_json::to_string(&figure).unwrap();
            proptest::prop_assert_eq!(serde_json::from_str::<f64>(&text).unwrap().to_bits(), figure.to_bits());
        }
    }

    #[test]
    fn a_report_from_before_there_were_findings_reads() {
        let mut old = serde_json::to_value(fixture::report(Task::Classify, true)).unwrap();
        let fields = old.as_object_mut().unwrap();
        fields.remove("findings");
        fields.insert("notes".into(), serde_json::json!(["a sentence"]));
        fields["plan"].as_object_mut().unwrap().remove("audit");
        let read: Report = serde_json::from_value(old).unwrap();
        assert!(read.findings.is_empty() && read.invalid().is_empty());
    }

    #[test]
    fn a_run_that_never_said_it_ended_is_interrupted() {
        let plan = crate::stats::fixture::plan(Task::Chat, false);
        let manifest = Manifest { status: Status::Running, ended: None, ..fixture::manifest(plan.clone()) };
        let report = Report::build(&manifest, manifest.fold().finish(), &[], Levels::default());
        assert_eq!(report.status, Status::Interrupted);
        assert!(report.invalid().iter().any(|finding| finding.id == "interrupted"), "{:?}", report.findings);
    }

    #[test]
    fn the_main_metric_is_the_rate_of_tokens_where_answers_are_long() {
        assert_eq!(fixture::report(Task::Generate, false).primary, "output_tokens_per_s");
        assert_eq!(fixture::report(Task::Embed, false).primary, "latency.mean");
    }
}
