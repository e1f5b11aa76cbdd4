//! Which rules a run was held against: not those that its scenario switched off, nor those that have nothing to look at in it.

use super::RuleSpec;
use crate::scenario::Task;
use crate::scenario::plan::{LoadPlan, Plan};

/// Whether a rule was asked of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RuleAsked {
    /// It was: without a finding, the run passed it.
    Judged,
    /// The scenario switched it off.
    Off,
    /// There is nothing in this run that it could speak of: one target, another task, another kind of load.
    NotApplicable,
}

/// Rules, beside those of sides, that look at one target next to another.
const OF_PAIRS: [&str; 3] = ["identical-samples", "same-host", "unequal-contention"];
const OF_LABELS: [&str; 2] = ["unparsed-labels", "no-better-than-commonest"];
const OF_VECTORS: [&str; 3] = ["bad-vectors", "vector-lengths", "undefined-cosines"];
const OF_STREAMS: [&str; 3] = ["no-stream", "no-end-mark", "tokens-per-chunk"];
const OF_OPEN_LOOPS: [&str; 2] = ["unsent-requests", "missed-rate"];
const OF_CLOSED_LOOPS: [&str; 1] = ["low-concurrency"];
/// Nearly all runs have one generator, and a plan doesn't say how many: a run isn't told to have passed these.
const OF_SEVERAL_GENERATORS: [&str; 3] = ["shard-lost", "different-generators", "unchecked-clocks"];

/// Whether a rule was asked of a run by this plan.
pub fn asked(rule: &RuleSpec, plan: &Plan) -> RuleAsked {
    if plan.audit.setting(rule.id).off {
        return RuleAsked::Off;
    }
    let open = matches!(plan.load, LoadPlan::Open(_));
    let applies = match rule.id {
        id if rule.of_sides || OF_PAIRS.contains(&id) => plan.targets.len() > 1,
        id if OF_LABELS.contains(&id) => plan.task == Task::Classify,
        id if OF_VECTORS.contains(&id) => plan.task == Task::Embed,
        id if OF_STREAMS.contains(&id) => plan.workload.stream,
        id if OF_OPEN_LOOPS.contains(&id) => open,
        id if OF_CLOSED_LOOPS.contains(&id) => !open,
        id if OF_SEVERAL_GENERATORS.contains(&id) => false,
        _ => true,
    };
    if applies { RuleAsked::Judged } else { RuleAsked::NotApplicable }
}

#[cfg(test)]
mod tests {
    use super::super::RULES;
    use super::*;
    use crate::report::fixture::report;
    use crate::scenario::audit::{Setting, rule};

    fn count(plan: &Plan, wanted: RuleAsked) -> usize {
        RULES.iter().filter(|rule| asked(rule, plan) == wanted).count()
    }

    #[test]
    fn every_id_named_here_is_a_rules() {
        let all = [
            &OF_PAIRS[..],
            &OF_LABELS,
            &OF_VECTORS,
            &OF_STREAMS,
            &OF_OPEN_LOOPS,
            &OF_CLOSED_LOOPS,
            &OF_SEVERAL_GENERATORS,
        ]
        .concat();
        for id in all {
            assert_eq!(rule(id).map(|rule| rule.id), Some(id));
        }
    }

    #[test]
    fn what_is_off_or_has_nothing_to_look_at_is_not_judged() {
        let mut plan = report(Task::Classify, false).plan;
        let (judged, none) = (count(&plan, RuleAsked::Judged), count(&plan, RuleAsked::NotApplicable));
        assert_eq!((judged + none, count(&plan, RuleAsked::Off)), (RULES.len(), 0));
        plan.audit.set(rule("other-load").unwrap(), Setting { off: true, ..Setting::default() });
        assert_eq!((count(&plan, RuleAsked::Judged), count(&plan, RuleAsked::Off)), (judged - 1, 1));
        // A lone target has nobody whose requests could differ from its own.
        plan.targets.truncate(1);
        let of_sides = RULES.iter().filter(|rule| rule.of_sides).count();
        assert_eq!(count(&plan, RuleAsked::NotApplicable), none + of_sides + OF_PAIRS.len());
    }
}
