//! Who can be held to a label by a schema, and the room that such an answer needs.

use super::plan::{Plan, TargetPlan};
use super::{Api, Constrain, TargetSpec, Task, WorkloadSpec};

impl TargetSpec {
    /// Whether its wire has a field for the schema of an answer.
    pub fn takes_a_schema(&self) -> bool {
        match self {
            TargetSpec::Ollama(_) => true,
            // Anthropic's API has no schema of an answer.
            TargetSpec::OpenAi(spec) => spec.api != Api::Messages,
            TargetSpec::GgCore(_) | TargetSpec::Json(_) => false,
        }
    }
}

impl WorkloadSpec {
    /// What `constrain` comes to with these targets: one of `schema` and `none`.
    pub fn constrained<'a>(&self, task: Task, targets: impl IntoIterator<Item = &'a TargetSpec>) -> Constrain {
        match self.constrain {
            _ if task != Task::Classify => Constrain::None,
            Constrain::Auto if targets.into_iter().all(TargetSpec::takes_a_schema) => Constrain::Schema,
            Constrain::Auto => Constrain::None,
            written => written,
        }
    }
}

impl Plan {
    /// Whether a target's requests hold a schema: that of a label, or the scenario's own.
    pub fn sends_a_schema(&self, target: &TargetPlan) -> bool {
        let has = match self.task {
            Task::Classify => self.workload.constrain == Constrain::Schema,
            Task::Generate | Task::Chat => self.workload.schema.is_some(),
            Task::Embed => false,
        };
        has && target.spec.takes_a_schema()
    }

    /// What to change where answers hold no label that can be read: a setting for the command line, and why.
    pub fn readable_labels(&self) -> Option<(&'static str, &'static str)> {
        let schema = self.targets.iter().all(|target| target.spec.takes_a_schema());
        match self.workload.constrain {
            Constrain::None if schema => {
                Some(("--set workload.constrain=auto", "which forces every engine to answer with a label"))
            }
            _ if self.workload.examples.is_empty() => {
                Some(("--set workload.examples=6", "which shows examples in each prompt"))
            }
            _ => None,
        }
    }

    /// The same as a sentence.
    pub fn for_readable_labels(&self) -> String {
        match self.readable_labels() {
            Some((setting, why)) => format!("Try `{setting}`, {why}."),
            None => "Use a larger model, or a clearer `instruction`.".to_owned(),
        }
    }
}

/// Room that was enough for a short label on every engine tried, in tokens.
const ROOM: u32 = 32;

/// `max_tokens` that leave room for the JSON around any of these labels, blanks and all. The schema ends an answer itself, so
/// that room which isn't needed costs nothing.
pub fn room_for_a_label(labels: &[String]) -> u32 {
    least_tokens(labels).map_or(ROOM, |(least, _)| least.saturating_mul(2).max(ROOM))
}

/// Tokens that the longest answer by the schema takes at least, and that answer. Two characters a token: the JSON around the
/// label is made of short tokens, with blanks at the engine's will, and the end takes one. SmolLM2 needs 7 for
/// `{"label": "feature"}` without its end, and 12 with the line breaks that llama.cpp's grammar lets it write.
pub(super) fn least_tokens(labels: &[String]) -> Option<(u32, String)> {
    labels.iter().map(|label| of_one(label)).max()
}

fn of_one(label: &str) -> (u32, String) {
    let answer = serde_json::json!({ "label": label }).to_string().replacen(':', ": ", 1);
    // A character beyond ASCII is a token or more.
    let halves = answer.chars().map(|c| if c.is_ascii() { 1 } else { 2 }).sum::<usize>();
    (u32::try_from(halves.div_ceil(2)).unwrap_or(u32::MAX), answer)
}
