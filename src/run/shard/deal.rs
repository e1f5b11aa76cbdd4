//! What all generators of a run must have alike, and what differs where they don't.

use crate::report::TOOL;
use crate::report::human::cut;
use crate::scenario::plan::Plan;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// What may differ between generators: where they reach the engines, what these said of themselves, and what is found as it goes.
const OWN: [&str; 8] = ["about", "driver", "start", "nonce_salt", "endpoint", "facts", "filled", "same_as"];
/// The parts of a target's settings that say where it is.
const PLACES: [&str; 4] = ["url", "socket", "process", "token"];

/// All that must be alike: each setting by its path, with its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Deal(BTreeMap<String, String>);

impl Deal {
    /// Of a plan as it may be told.
    pub(super) fn of(plan: &Plan) -> Self {
        let mut plan = plan.told();
        if plan.timeout_auto {
            // Each finds its own from the first answers.
            plan.allow(crate::scenario::Span::default());
        }
        let mut all = BTreeMap::from([("program".to_owned(), TOOL.to_owned())]);
        leaves("", &serde_json::to_value(&plan).unwrap_or_default(), &mut all);
        Self(all)
    }

    /// What differs from another's, in words; `None` if nothing does.
    pub(super) fn differs(&self, other: &Self) -> Option<String> {
        let nothing = String::from("not set");
        let names = self.0.keys().chain(other.0.keys());
        names.into_iter().find_map(|name| {
            let (here, there) = (self.0.get(name).unwrap_or(&nothing), other.0.get(name).unwrap_or(&nothing));
            (here != there).then(|| format!("{name} is {} and {}", cut(here, 80), cut(there, 80)))
        })
    }
}

/// Every value of a document, by its path.
fn leaves(path: &str, value: &Value, all: &mut BTreeMap<String, String>) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let place = path.contains(".spec") && PLACES.contains(&name.as_str());
                if !place && !OWN.contains(&name.as_str()) {
                    leaves(&below(name), value, all);
                }
            }
        }
        Value::Array(list) => {
            for (number, value) in list.iter().enumerate() {
                leaves(&below(&number.to_string()), value, all);
            }
        }
        Value::Null => {}
        value => {
            all.insert(path.to_owned(), value.to_string());
        }
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
        let told = |change: fn(&mut Plan)| {
            let mut other = one.clone();
            change(&mut other);
            Deal::of(&one).differs(&Deal::of(&other))
        };
        let seed = told(|plan| plan.seed = 7).unwrap();
        assert!(seed.starts_with("seed is ") && seed.ends_with(" and 7"), "{seed}");
        assert!(told(|plan| plan.workload.stream ^= true).unwrap().starts_with("workload.stream is"));
        assert!(told(|plan| plan.blocks.pairs += 1).unwrap().starts_with("blocks.pairs is"));
        // Where an engine is, and what a run is salted with, is each one's own.
        assert_eq!(told(|plan| plan.workload.nonce_salt = "7".to_owned()), None);
    }
}
