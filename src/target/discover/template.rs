//! What an engine makes of a prompt before its model reads it: asked without load, where the engine tells.

use super::{Control, text};
use crate::metrics::human;
use crate::scenario::plan::{Plan, TargetPlan};
use crate::scenario::{Api, Family, OpenAiSpec, PromptFormat, TargetSpec, Task, TemplatePlan, scrub};
use crate::target::render::{RequestSettings, RequestText};
use crate::target::route::settings_for;
use crate::target::{ollama, openai};
use crate::workload::{Item, Turn};
use serde_json::{Value, json};
use std::time::Duration;

/// Texts that stand for the system message and the prompt, which no template knows: what an engine puts around them is its
/// template, and nothing of the workload gets into it.
const SYSTEM: &str = "loadcmp-probe-of-the-system-message";
const PROMPT: &str = "loadcmp-probe-of-the-prompt";

/// Most characters kept of a template; of a longer one both ends are.
const MOST: usize = 4000;

/// The fields of a chat request that change how it is rendered, besides its messages.
const RENDERED_BY: [&str; 5] = ["messages", "chat_template", "chat_template_kwargs", "reasoning_effort", "tools"];

/// Whether engines put templates of their own around this plan's prompts.
pub fn has_templates(plan: &Plan) -> bool {
    plan.task != Task::Embed && plan.workload.format == PromptFormat::Chat
}

/// How a target renders the messages of a request, with `{system}` and `{prompt}` in the place of their texts. `None` where
/// it doesn't tell, or not within `patience`. An Ollama loads its model for it.
pub async fn template(plan: &Plan, target: &TargetPlan, patience: Duration) -> Option<String> {
    if !has_templates(plan) {
        return None;
    }
    let mut settings = settings_for(plan, target);
    // A model's own message is a part of its template; the scenario's is none.
    if plan.workload.system.is_some() {
        settings.system = Some(SYSTEM.to_owned());
    }
    // Anthropic's way to switch reasoning gets to no template.
    if matches!(&target.spec, TargetSpec::OpenAi(spec) if spec.api == Api::Messages) {
        settings.think = None;
    }
    let turn = Turn { user: PROMPT.to_owned(), assistant: None, think: None };
    let item = Item { turns: vec![turn], ..Item::default() };
    let asked = RequestText::new(&settings, &item, 0, None, None);
    let rendered = match &target.spec {
        TargetSpec::Ollama(spec) => {
            let body = ollama::body(spec, &target.model, &settings, &asked);
            by_ollama(target, body, patience).await?
        }
        TargetSpec::OpenAi(spec) => {
            // Its other APIs' requests become messages like these.
            let spec = &OpenAiSpec { api: Api::Completions, ..spec.clone() };
            let body = openai::body(spec, &target.model, &settings, &asked);
            rendered(target, body, patience).await?
        }
        // It has no template: the prompt goes to the model as we render it.
        TargetSpec::GgCore(_) => asked.prompt,
        TargetSpec::Json(_) => return None,
    };
    shown(&rendered, &settings)
}

/// The template of an Ollama's model, as `/api/show` tells it, to be rendered for a target whose engine has none; `Ok(None)`
/// where the model's is the prompt alone. The error is a sentence.
pub async fn template_of(target: &TargetPlan) -> Result<Option<TemplatePlan>, String> {
    let name = &target.name;
    let silent = || format!("the Ollama of `{name}` doesn't show the template of `{}`", target.model);
    let control = Control::of(target).await.ok_or_else(silent)?;
    let shown = control.ask("/api/show", Some(json!({ "model": target.model }))).await.ok_or_else(silent)?;
    let template = text(&shown, "/template").ok_or_else(silent)?;
    // The language's blanks and comments aside.
    let plain: String = template.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    if plain == "{{.Prompt}}" {
        return Ok(None);
    }
    let family = Family::of(&template).ok_or_else(|| {
        let start = human::cut(&human::printable(&scrub(&template)), 80);
        format!("loadcmp doesn't know the template of `{}`: {start}", target.model)
    })?;
    Ok(Some(TemplatePlan { family, system: text(&shown, "/system").filter(|system| !system.trim().is_empty()) }))
}

/// The template in a rendered prompt; `None` where the prompt isn't in it as it was said.
fn shown(rendered: &str, settings: &RequestSettings) -> Option<String> {
    let whole = rendered.contains(PROMPT) && (settings.system.as_deref() != Some(SYSTEM) || rendered.contains(SYSTEM));
    let template = rendered.replace(PROMPT, "{prompt}").replace(SYSTEM, "{system}");
    // It may repeat what it was sent (`chat_template_kwargs`, `tools`): that goes before a cut leaves half of it.
    whole.then(|| ends(&scrub(&template), MOST / 2))
}

/// A text, of which only both ends are kept where it is longer than two of them.
fn ends(text: &str, each: usize) -> String {
    let count = text.chars().count();
    if count <= 2 * each {
        return text.to_owned();
    }
    let (head, tail) = (text.chars().take(each), text.chars().skip(count - each));
    head.chain(['…']).chain(tail).collect()
}

/// Ollama's `_debug_render_only`: the measured request's own body, so that no option of it has the model loaded anew.
async fn by_ollama(target: &TargetPlan, mut body: Value, patience: Duration) -> Option<String> {
    // Versions that don't know it would answer.
    if target.facts.version.as_deref().is_some_and(before_rendering) {
        return None;
    }
    body["_debug_render_only"] = true.into();
    body["stream"] = false.into();
    body["options"]["num_predict"] = 1.into();
    let told = Control::of(target).await?.ask_within(patience, "/api/chat", Some(body)).await?;
    text(&told, "/_debug_info/rendered_template")
}

/// Whether an Ollama is older than the versions that render without answering (0.12).
fn before_rendering(version: &str) -> bool {
    let mut parts = version.split(['.', '-']).map_while(|part| part.parse::<u64>().ok());
    match (parts.next(), parts.next()) {
        // A build from source says 0.0.0.
        (Some(0), Some(0)) | (None, _) | (_, None) => false,
        (Some(major), Some(minor)) => (major, minor) < (0, 12),
    }
}

/// llama-server's `/apply-template`; asked of a server that has told its `/props`, as that one does.
pub(super) async fn rendered(target: &TargetPlan, body: Value, patience: Duration) -> Option<String> {
    target.facts.slots?;
    let mut asked = json!({ "add_generation_prompt": true });
    for field in RENDERED_BY {
        if let Some(value) = body.get(field) {
            asked[field] = value.clone();
        }
    }
    let told = Control::of(target).await?.ask_within(patience, "/apply-template", Some(asked)).await?;
    text(&told, "/prompt")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_that_would_answer_are_not_asked() {
        for (version, old) in [
            ("0.11.4", true),
            ("0.9.0-rc1", true),
            ("0.12.0", false),
            ("0.34.1-loadcmp-standin", false),
            ("1.0.0", false),
            ("0.0.0", false),
            ("", false),
            ("main", false),
        ] {
            assert_eq!(before_rendering(version), old, "{version}");
        }
    }

    #[test]
    fn a_template_is_what_stands_around_the_texts() {
        let mut settings = RequestSettings::of(&crate::stats::fixture::plan(Task::Generate, false));
        let rendered = format!("<s>{SYSTEM}\n<u>{PROMPT}\n<a>");
        assert_eq!(shown(&rendered, &settings).as_deref(), Some("<s>{system}\n<u>{prompt}\n<a>"));
        settings.system = Some(SYSTEM.to_owned());
        assert!(shown(&rendered, &settings).is_some());
        assert_eq!(shown(&format!("<u>{PROMPT}"), &settings), None, "the system message is gone");
        assert_eq!(shown("<u>another text", &settings), None);
        assert_eq!(ends("abcdefg", 2), "ab…fg");
        assert_eq!(ends("abcd", 2), "abcd");
        assert_eq!(ends("äöü€é", 2), "äö…€é");
    }
}
