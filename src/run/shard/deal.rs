//! What all generators of a run must have alike, and what differs where they don't.

use crate::report::TOOL;
use crate::scenario::plan::Plan;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// What all must have alike: names and values, as they are told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Deal(Vec<(String, String)>);

impl Deal {
    /// Of a plan as it may be told.
    pub(super) fn of(plan: &Plan) -> Self {
        let targets: Vec<_> =
            plan.targets.iter().map(|target| json!([target.name, target.wire(), target.model])).collect();
        let load = serde_json::to_value(&plan.load).unwrap_or_default();
        let all = [
            ("program", json!(TOOL)),
            ("scenario", json!(plan.name)),
            ("seed", json!(plan.seed)),
            ("workload", json!(plan.workload.hash)),
            ("load", load),
            ("order", json!(plan.order)),
            ("targets", json!(targets)),
            ("reference", json!(plan.reference)),
        ];
        Self(all.into_iter().map(|(name, value)| (name.to_owned(), value.to_string())).collect())
    }

    /// What differs from another's, in words; `None` if nothing does.
    pub(super) fn differs(&self, other: &Self) -> Option<String> {
        let unlike = self.0.iter().zip(&other.0).find(|(one, other)| one != other);
        let told = unlike.map(|((name, here), (_, there))| format!("{name} is {here} and {there}"));
        told.or_else(|| (self.0.len() != other.0.len()).then(|| "they are of other versions".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Task;
    use crate::stats::fixture::plan;

    #[test]
    fn what_differs_is_told() {
        let one = plan(Task::Classify, true);
        assert_eq!(Deal::of(&one).differs(&Deal::of(&one)), None);
        let other = Plan { seed: 7, ..one.clone() };
        let told = Deal::of(&one).differs(&Deal::of(&other)).unwrap();
        assert!(told.starts_with("seed is ") && told.ends_with(" and 7"), "{told}");
    }
}
