//! Two runs beside each other: of two result directories (`loadcmp compare`), or the two of an interference measurement.

use super::floors::{self, apart_words, words};
use super::setup::{Difference, Kind, Unlike, differences, of_targets, unlike_workloads};
use super::sweep::SweptTarget;
use super::{Report, SCHEMA_VERSION, Status, TOOL};
use crate::gate::Judgement;
use crate::host::{Floor, least_difference_us};
use crate::scenario::gate::Inconclusive;
use crate::stats::{Comparison, Doubts, compare_summaries, decide};
use serde::{Deserialize, Serialize};

/// What the second run is to the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// Any two runs of the same workload: usually a later one.
    Compare,
    /// The same targets driven one after another, and then at once.
    Interference,
}

/// Two runs, told. Ratios are the second run ÷ the first.
#[derive(Clone, Debug, Serialize)]
pub struct TwoRuns {
    /// Version of this document's form.
    pub schema_version: u32,
    /// The program and version that wrote it.
    pub tool: String,
    /// What the second run is to the first.
    pub relation: Relation,
    /// The first run: what ratios are told against.
    pub first: ComparedRun,
    /// The second run.
    pub second: ComparedRun,
    /// The metric that was declared the main one.
    pub primary: String,
    /// The targets that both runs have.
    pub pairs: Vec<Pair>,
    /// Targets of either run that have none beside them.
    pub unmatched: Vec<String>,
    /// What else the two runs don't have in common.
    pub unlike: Vec<Unlike>,
    /// Reasons to read it with care, in sentences.
    pub notes: Vec<String>,
    /// What became of the gates that the second run was held to; `None` without any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub judgement: Option<Judgement>,
    /// The targets that were held to them: those of the second run, in its order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<SweptTarget>,
    /// The smallest effect that its verdicts were decided by, as a share.
    #[serde(skip)]
    pub smallest_effect: f64,
    /// What an inconclusive gate does to the exit code.
    #[serde(skip)]
    pub inconclusive: Inconclusive,
}

/// One of the two runs.
#[derive(Clone, Debug, Serialize)]
pub struct ComparedRun {
    /// The name it goes by: its directory or file as it was given.
    pub name: String,
    /// When it began, UTC (RFC 3339).
    pub started: String,
    /// Whether its own audit found it invalid.
    pub invalid: bool,
}

/// A target in both runs.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Pair {
    /// Its name in the first run, a stand-in marked.
    pub first: String,
    /// Its name in the second run.
    pub second: String,
    /// Its metrics: `target_value` is the second run's, `reference_value` the first's.
    pub comparisons: Vec<Comparison>,
    /// What a request costs its wire in the first run when the server does nothing; `None` if that wasn't calibrated.
    pub first_floor: Option<Floor>,
    /// The same in the second run.
    pub second_floor: Option<Floor>,
    /// The least difference of two response times that shows anything, in microseconds; `None` where it wasn't
    /// measured, or the runs are from two machines.
    pub least_difference_us: Option<f64>,
    /// What the engines differ in.
    pub unlike: Vec<Unlike>,
}

impl Pair {
    /// The two floors in a sentence; `None` where they were no measure.
    pub fn floor_words(&self) -> Option<String> {
        let (least, a, b) = (self.least_difference_us?, self.first_floor.as_ref()?, self.second_floor.as_ref()?);
        let told = if a == b { format!("{} in both", words(a)) } else { format!("{}; then {}", words(a), words(b)) };
        Some(format!("Noise floor: {told}.{}", apart_words(least)))
    }
}

impl TwoRuns {
    /// Puts two runs beside each other; of unlike workloads, what they differ in.
    pub fn new(relation: Relation, first: (&str, &Report), second: (&str, &Report)) -> Result<Self, Vec<Unlike>> {
        let (a, b) = (first.1, second.1);
        let unlike = unlike_workloads(&a.plan, &b.plan);
        if !unlike.is_empty() {
            return Err(unlike);
        }
        let matched = matched(a, b);
        let side = |(name, report): (&str, &Report)| ComparedRun {
            name: name.to_owned(),
            started: report.started.clone(),
            invalid: !report.invalid().is_empty(),
        };
        let alone = |report: &Report, name: &str, used: Vec<usize>| {
            let rest = (0..report.targets.len()).filter(move |at| !used.contains(at));
            rest.map(|at| format!("{} of {name}", report.targets[at].label())).collect::<Vec<_>>()
        };
        let mut unmatched = alone(a, first.0, matched.iter().map(|m| m.0).collect());
        unmatched.extend(alone(b, second.0, matched.iter().map(|m| m.1).collect()));
        let mut unlike = of_runs(a, b);
        if relation == Relation::Interference {
            unlike.retain(|u| u.what != "order");
        }
        let pairs = pairs(a, b, &matched);
        let mut notes = notes(relation, first, second);
        if relation == Relation::Compare && pairs.iter().any(|pair| pair.least_difference_us.is_none()) {
            notes.push(unmeasured(first, second));
        }
        Ok(Self {
            schema_version: SCHEMA_VERSION,
            tool: TOOL.to_owned(),
            relation,
            first: side(first),
            second: side(second),
            primary: b.primary.clone(),
            pairs,
            unmatched,
            unlike,
            notes,
            judgement: None,
            targets: Vec::new(),
            smallest_effect: b.comparing().smallest_effect,
            inconclusive: Inconclusive::default(),
        })
    }

    /// Whether a run in it was found invalid by its own audit.
    pub fn invalid(&self) -> bool {
        self.first.invalid || self.second.invalid
    }
}

/// What else to know of two runs before their figures are compared: none of it stops a comparison. Targets are told beside
/// their figures, or as ones that nothing stands beside.
fn of_runs(a: &Report, b: &Report) -> Vec<Unlike> {
    let all = differences((&a.plan, &a.machine, &a.tool), (&b.plan, &b.machine, &b.tool));
    let of_run = |one: &Difference| one.target.is_none() && one.kind != Kind::Asked && one.unlike.what != "targets";
    all.into_iter().filter(of_run).map(|one| one.unlike).collect()
}

/// What two targets of two runs differ in.
fn targets_unlike((a, i): (&Report, usize), (b, j): (&Report, usize)) -> Vec<Unlike> {
    let sides = a.plan.targets.get(i).zip(b.plan.targets.get(j));
    let all = sides.map(|(first, second)| of_targets((&a.plan, first), (&b.plan, second))).unwrap_or_default();
    all.into_iter().map(|one| one.unlike).collect()
}

/// The targets of two runs beside each other, by the positions that [`matched`] tells.
pub(super) fn pairs(a: &Report, b: &Report, matched: &[(usize, usize)]) -> Vec<Pair> {
    let elsewhere = a.machine.unlike(&b.machine).is_some();
    let pair = |&(i, j): &(usize, usize)| {
        let floor = |report: &Report, at: usize| report.floors.get(at).cloned().flatten();
        let (first_floor, second_floor) = (floor(a, i), floor(b, j));
        // Of two machines, neither floor says what the other can't tell apart.
        let floors = first_floor.as_ref().zip(second_floor.as_ref()).filter(|_| !elsewhere);
        let small = |c: &Comparison| floors::below(c, floors);
        let mut comparisons = compare_summaries(&b.targets[j], &a.targets[i], &b.comparing());
        decide(&mut comparisons, &b.comparing(), Doubts { of_difference: Some(&small), of_all: None });
        let least_difference_us = floors.map(|(a, b)| least_difference_us(a, b));
        Pair {
            first: a.targets[i].label(),
            second: b.targets[j].label(),
            comparisons,
            first_floor,
            second_floor,
            least_difference_us,
            unlike: targets_unlike((a, i), (b, j)),
        }
    };
    matched.iter().map(pair).collect()
}

/// Which targets stand beside which: by name; a lone target of each run, whatever their names.
pub(super) fn matched(a: &Report, b: &Report) -> Vec<(usize, usize)> {
    if a.targets.len() == 1 && b.targets.len() == 1 {
        return vec![(0, 0)];
    }
    let place = |name: &str| b.targets.iter().position(|target| target.name == name);
    a.targets.iter().enumerate().filter_map(|(at, target)| Some((at, place(&target.name)?))).collect()
}

fn notes(relation: Relation, first: (&str, &Report), second: (&str, &Report)) -> Vec<String> {
    let mut notes = Vec::new();
    for (name, report) in [first, second] {
        if report.status != Status::Complete {
            notes.push(format!("{name} was interrupted: it covers what was done until then."));
        }
        if !report.invalid().is_empty() {
            notes.push(format!("{name} is invalid by its own audit: don't draw conclusions from it."));
        }
        if report.has_stand_in() {
            notes.push(format!("{name} has figures of a stand-in: they say nothing about a real engine."));
        }
    }
    if relation == Relation::Compare {
        notes.push(
            "The two runs were made at different times: a change of the machine in between changes the ratio, too. One run \
             of both in alternating blocks (`order: alternate`) rules that out."
                .to_owned(),
        );
    }
    notes
}

/// Why it isn't known which differences are below what can be told apart.
fn unmeasured(first: (&str, &Report), second: (&str, &Report)) -> String {
    let lacks = |(_, report): &(&str, &Report)| report.floors.iter().all(Option::is_none);
    let why = match (lacks(&first), lacks(&second)) {
        (true, true) => "neither run was calibrated (loadcmp calibrate)".to_owned(),
        (true, false) => format!("{} was not calibrated (loadcmp calibrate)", first.0),
        (false, true) => format!("{} was not calibrated (loadcmp calibrate)", second.0),
        (false, false) if first.1.machine.unlike(&second.1.machine).is_some() => {
            "the runs are from two machines".to_owned()
        }
        (false, false) => "a target's wire was not calibrated (loadcmp calibrate)".to_owned(),
    };
    format!("The smallest measurable difference is not known: {why}.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::fixture::floor;
    use crate::report::fixture::report;
    use crate::scenario::Task;
    use crate::stats::Verdict;

    #[test]
    fn a_run_beside_itself_shows_nothing() {
        let run = report(Task::Classify, false);
        let beside = TwoRuns::new(Relation::Compare, ("a", &run), ("b", &run)).unwrap();
        assert_eq!(beside.pairs.iter().map(|p| p.first.as_str()).collect::<Vec<_>>(), ["native", "ollama"]);
        assert!(beside.unmatched.is_empty() && beside.unlike.is_empty());
        for c in beside.pairs.iter().flat_map(|p| &p.comparisons) {
            assert!(matches!(c.verdict, Verdict::Equal | Verdict::Undecided), "{c:?}");
        }
        let main = beside.pairs[0].comparisons.iter().find(|c| c.metric == "latency.p50").unwrap();
        assert_eq!(main.ratio, Some(1.0));
    }

    #[test]
    fn ratios_are_the_second_run_over_the_first() {
        let (a, mut b) = (report(Task::Classify, false), report(Task::Classify, false));
        // The reference is 20 ms, the native runtime 12 ms: as lone targets they stand beside each other.
        let mut lone = a.clone();
        lone.targets.truncate(1);
        b.targets.remove(0);
        let beside = TwoRuns::new(Relation::Compare, ("a", &lone), ("b", &b)).unwrap();
        let main = beside.pairs[0].comparisons.iter().find(|c| c.metric == "latency.p50").unwrap();
        assert!(main.ratio.unwrap() > 1.5, "{main:?}");
        assert_eq!(main.verdict, Verdict::Worse);
        assert_eq!((beside.pairs[0].first.as_str(), beside.pairs[0].second.as_str()), ("native", "ollama"));
    }

    #[test]
    fn the_floors_of_both_runs_say_what_is_told_apart() {
        let (mut a, mut b) = (report(Task::Classify, false), report(Task::Classify, false));
        // 20 ms beside 12 ms.
        a.targets.truncate(1);
        b.targets.remove(0);
        let verdict = |a: &Report, b: &Report| {
            let beside = TwoRuns::new(Relation::Compare, ("a", a), ("b", b)).unwrap();
            let main = beside.pairs[0].comparisons.iter().find(|c| c.metric == "latency.p50").unwrap().verdict;
            let told = beside
                .notes
                .iter()
                .find(|note| note.contains("smallest measurable difference"))
                .cloned()
                .unwrap_or_default();
            (main, told, beside.pairs[0].floor_words())
        };
        let (main, told, words) = verdict(&a, &b);
        assert!(main == Verdict::Worse && told.contains("neither run") && words.is_none(), "{told}");
        b.floors = vec![Some(floor("ollama", false, 70.0, 1.0))];
        assert!(verdict(&a, &b).1.contains("a was not calibrated"));
        a.floors = vec![Some(floor("gg_core", false, 50.0, 2.0))];
        let (main, told, words) = verdict(&a, &b);
        assert!(main == Verdict::Worse && told.is_empty() && words.unwrap().contains("below 22.0 µs"));
        // The machine became slow: between the two floors lies as much as between the targets.
        b.floors = vec![Some(floor("ollama", false, 9e3, 1.0))];
        assert_eq!(verdict(&a, &b).0, Verdict::Undecided);
        b.machine.cpu = Some("Other".to_owned());
        let (main, told, words) = verdict(&a, &b);
        assert!(main == Verdict::Worse && told.contains("two machines") && words.is_none(), "{told}");
    }

    #[test]
    fn targets_without_a_like_are_listed_and_unlike_workloads_refused() {
        let (a, mut b) = (report(Task::Classify, false), report(Task::Classify, false));
        b.targets[0].name = "other".to_owned();
        let beside = TwoRuns::new(Relation::Interference, ("a", &a), ("b", &b)).unwrap();
        assert_eq!(beside.unmatched, ["native of a", "other of b"]);
        assert_eq!(beside.pairs.len(), 1);
        b.plan.workload.hash = "x".to_owned();
        let unlike = TwoRuns::new(Relation::Compare, ("a", &a), ("b", &b)).unwrap_err();
        assert_eq!(unlike[0].what, "prompts and sampling");
    }
}
