//! How many tokens a prompt has by the engine's own tokeniser: asked without load, where there is one to ask.

use super::Control;
use super::template::rendered;
use crate::scenario::plan::{Plan, TargetPlan};
use crate::scenario::{Api, OpenAiSpec, PromptFormat, TargetSpec, Task};
use crate::target::openai;
use crate::target::render::RequestText;
use crate::target::route::settings_for;
use crate::workload::{Item, Nonce};
use serde_json::{Value, json};
use std::time::Duration;

/// Longest wait for a count.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whether a target may have a tokeniser that can be asked: llama-server, known by its `/props`.
pub fn may_tokenize(target: &TargetPlan) -> bool {
    matches!(target.spec, TargetSpec::OpenAi(_)) && target.facts.slots.is_some()
}

/// Tokens of the whole prompt of an item's first turn, as llama-server's `/tokenize` counts them, its template around it.
/// `None` where the target doesn't tell.
pub async fn tokenized(plan: &Plan, target: &TargetPlan, item: &Item, nonce: Option<Nonce>) -> Option<u64> {
    let TargetSpec::OpenAi(spec) = &target.spec else { return None };
    if !may_tokenize(target) {
        return None;
    }
    let mut settings = settings_for(plan, target);
    // As `template` renders: the other APIs' requests become messages like these, and Anthropic's `thinking` gets to none.
    if spec.api == Api::Messages {
        settings.think = None;
    }
    let spec = &OpenAiSpec { api: Api::Completions, ..spec.clone() };
    let asked = RequestText::new(&settings, item, 0, None, nonce);
    let prompt = if settings.task == Task::Embed || settings.format == PromptFormat::Raw {
        asked.prompt
    } else {
        rendered(target, openai::body(spec, &target.model, &settings, &asked), PATIENCE).await?
    };
    let body = json!({ "content": prompt, "add_special": true, "parse_special": true });
    let told = Control::of(target).await?.ask_within(PATIENCE, "/tokenize", Some(body)).await?;
    let tokens = told.get("tokens").and_then(Value::as_array)?;
    u64::try_from(tokens.len()).ok().filter(|count| *count > 0)
}
