//! What the APIs of a scenario's targets have no word for, told beside each target: of sampling and reasoning.

use crate::scenario::plan::{Plan, TargetPlan};
use crate::scenario::{Api, PromptFormat, TargetSpec, Task, Think};

/// Tells it, where text is generated.
pub(super) fn tell(plan: &mut Plan) {
    if plan.task == Task::Embed {
        return;
    }
    let told: Vec<Vec<String>> = plan.targets.iter().map(|target| of(plan, target)).collect();
    for (target, told) in plan.targets.iter_mut().zip(told) {
        target.inequalities.extend(told);
    }
}

fn of(plan: &Plan, target: &TargetPlan) -> Vec<String> {
    let mut told = Vec::new();
    let engine = target.facts.engine.as_deref().unwrap_or_default().to_lowercase();
    if let TargetSpec::OpenAi(spec) = &target.spec {
        match spec.api {
            Api::Completions if engine.contains("ollama") => {
                told.push("Ollama's /v1 has no top_k, min_p and repeat_penalty: its defaults apply".to_owned());
            }
            Api::Completions => {}
            Api::Responses if engine.contains("ollama") => told.push(
                "Ollama's /v1/responses has no seed, top_k, min_p, repeat_penalty and stop: its defaults apply"
                    .to_owned(),
            ),
            Api::Responses => {}
            Api::Messages => told.push(
                "/v1/messages has no seed, min_p, repeat_penalty and repeat_last_n: the engine's defaults apply"
                    .to_owned(),
            ),
        }
    }
    if plan.workload.logprobs {
        told.extend(probabilities(target));
    }
    if let Some(think) = plan.think(target) {
        told.extend(reasoning(plan, target, &engine, think));
    }
    told
}

/// Whose API has no word for log-probabilities.
fn probabilities(target: &TargetPlan) -> Option<String> {
    let api = match &target.spec {
        TargetSpec::GgCore(_) => "GG-CORE's requests have",
        TargetSpec::Json(_) => "a `json` target has",
        TargetSpec::OpenAi(spec) if spec.api == Api::Responses => "/v1/responses of llama-server and Ollama has",
        TargetSpec::OpenAi(spec) if spec.api == Api::Messages => "/v1/messages has",
        TargetSpec::OpenAi(_) | TargetSpec::Ollama(_) => return None,
    };
    Some(format!("`logprobs` isn't sent: {api} no field for it"))
}

/// What of an asked-for reasoning a target can't be told.
fn reasoning(plan: &Plan, target: &TargetPlan, engine: &str, think: Think) -> Option<String> {
    let word = think.word();
    match &target.spec {
        TargetSpec::GgCore(_) => Some(format!("`think: {word}` isn't sent: GG-CORE's requests have no field for it")),
        TargetSpec::Json(_) => Some(format!("`think: {word}` isn't sent: add what your engine expects to `body`")),
        TargetSpec::Ollama(_) if plan.workload.format == PromptFormat::Raw && think.thinks() => {
            Some(format!("`think: {word}` works through the model's template, which `format: raw` skips"))
        }
        TargetSpec::OpenAi(spec) => match (spec.api, think) {
            (Api::Completions, _) if plan.workload.format == PromptFormat::Raw => {
                Some(format!("`think: {word}` isn't sent: /v1/completions has no field for it"))
            }
            (Api::Messages, _) if engine == "llama.cpp" => Some(format!(
                "`think: {word}` has no effect on llama-server's /v1/messages: start it with `--reasoning-budget`, or \
                 use another API"
            )),
            (Api::Completions | Api::Responses, Think::On) => {
                Some("`think: on` is sent as `medium`: this API has only levels".to_owned())
            }
            _ => None,
        },
        TargetSpec::Ollama(_) => None,
    }
}
