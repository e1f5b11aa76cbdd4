//! Gates on two runs that were made before: the second is held to them, and the first is its baseline.

use super::sweep::SweptTarget;
use super::{Report, Status, TwoRuns};
use crate::gate::{self, GateInputs, Past};
use crate::scenario::gate::{Gate, Inconclusive};
use crate::scenario::plan::GatesPlan;

impl TwoRuns {
    /// Judges gates on the second run. `stand_ins`: whether stand-ins are judged like real engines. Whether figures are judged
    /// in the place of intervals, and bounds scaled by the machine's speed, is as the second run's scenario says.
    pub fn judge(&mut self, first: &Report, second: &Report, gates: Vec<Gate>, stand_ins: bool, counts: Inconclusive) {
        if gates.is_empty() {
            return;
        }
        let own = &second.plan.gates;
        let gates = GatesPlan {
            all: gates,
            tiers: Vec::new(),
            strict: own.strict,
            adaptive: own.adaptive,
            stand_ins: stand_ins || own.stand_ins,
            inconclusive: counts,
        };
        let mut plan = second.plan.clone();
        plan.gates = gates;
        let past = match (first.status, self.first.invalid) {
            (Status::Complete, false) => Ok(Past {
                targets: &first.targets,
                histograms: &first.histograms,
                probe: first.probe.as_ref(),
                nights: &crate::stats::ONE_RUN,
            }),
            (Status::Complete, true) => Err("the first run is invalid"),
            _ => Err("the first run was interrupted"),
        };
        let spoilt = second.gates_spoilt();
        let evidence = GateInputs { plan: &plan, ..second.evidence(&spoilt, Err(gate::NO_BASELINE)) };
        self.judgement = Some(gate::judge(&GateInputs { past, ..evidence }));
        self.inconclusive = counts;
        let side =
            |target: &crate::stats::TargetSummary| SweptTarget { name: target.name.clone(), stand_in: target.stand_in };
        self.targets = second.targets.iter().map(side).collect();
    }

    /// The exit code: 4 if one of the two runs is invalid, else that of the gates.
    pub fn code(&self) -> u8 {
        let gates = self.judgement.as_ref().map_or(0, |judgement| judgement.code(self.inconclusive));
        if self.invalid() { 4 } else { gates }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Relation;
    use super::*;
    use crate::gate::GateOutcome;
    use crate::report::fixture::report;
    use crate::scenario::Task;

    fn held(first: &Report, second: &Report, gates: &[&str]) -> TwoRuns {
        let mut beside = TwoRuns::new(Relation::Compare, ("a", first), ("b", second)).unwrap();
        let gates = gates.iter().map(|text| Gate::parse(text).unwrap()).collect();
        beside.judge(first, second, gates, false, Inconclusive::Exit5);
        beside
    }

    #[test]
    fn the_first_run_is_the_baseline() {
        let run = report(Task::Classify, false);
        let beside =
            held(&run, &run, &["latency.p50 <= 2 * baseline", "native.latency.p50 <= 0.5 * baseline.latency.p50"]);
        let outcomes: Vec<_> = beside.judgement.iter().flat_map(|j| &j.gates).map(|judged| judged.outcome).collect();
        assert_eq!(outcomes, [GateOutcome::Pass, GateOutcome::Pass, GateOutcome::Fail]);
        assert_eq!((beside.code(), beside.targets.len()), (1, 2));
        assert_eq!(held(&run, &run, &["native.latency.p50 <= 1s"]).code(), 0);
        assert_eq!(held(&run, &run, &["native.latency.p50 <= baseline"]).code(), 5);
        assert!(held(&run, &run, &[]).judgement.is_none());
    }

    #[test]
    fn a_first_run_that_is_no_good_or_a_stand_in_is_no_baseline() {
        let run = report(Task::Classify, false);
        let gates = ["native.latency.p50 <= 2 * baseline", "native.latency.p50 <= 1s"];
        let outcomes = |first: &Report| -> Vec<GateOutcome> {
            let beside = held(first, &run, &gates);
            beside.judgement.unwrap().gates.iter().map(|judged| judged.outcome).collect()
        };
        let mut cut = run.clone();
        cut.status = Status::Interrupted;
        assert_eq!(outcomes(&cut), [GateOutcome::NotMeasured, GateOutcome::Pass]);
        let mut stand_in = run.clone();
        stand_in.targets[0].stand_in = true;
        assert_eq!(outcomes(&stand_in), [GateOutcome::NotMeasured, GateOutcome::Pass]);
    }
}
