//! What each engine puts around a prompt, asked once and kept among its facts. No load: nothing is generated.

use super::say::wrapped;
use super::{Failure, tell};
use crate::scenario::plan::{Plan, TargetPlan};
use crate::scenario::{Family, TargetSpec, TemplatePlan, TemplateSpec};
use crate::target::discover::{has_templates, template, template_of};
use std::time::Duration;

/// Longest wait for an engine whose model has just answered.
const PATIENCE: Duration = Duration::from_secs(5);

/// Longest wait for one that has to load its model first.
const LOADING: Duration = Duration::from_secs(60);

/// Each target's template, as far as it tells, in the plan's order; nothing where there is no other to put it beside.
pub(super) async fn told(plan: &Plan) -> Vec<Option<String>> {
    each(plan, PATIENCE).await
}

/// The same before any request: an Ollama loads its model for it.
pub(super) async fn told_at_first(plan: &Plan, quiet: bool) -> Vec<Option<String>> {
    let compared = plan.targets.len() > 1 && has_templates(plan);
    for target in plan.targets.iter().filter(|_| compared && !quiet) {
        if matches!(target.spec, TargetSpec::Ollama(_)) && target.facts.loaded == Some(false) && !target.stand_in {
            tell(wrapped(&format!("loadcmp: `{}` loads its model to show its prompt template", target.name)));
        }
    }
    each(plan, LOADING.min(plan.load_timeout.0)).await
}

async fn each(plan: &Plan, patience: Duration) -> Vec<Option<String>> {
    let mut told = Vec::new();
    if plan.targets.len() > 1 {
        for target in &plan.targets {
            told.push(template(plan, target, patience).await);
        }
    }
    told
}

/// Chooses the templates that we render ourselves: those that are named, and those of another target's model.
pub(super) async fn choose(targets: &mut [TargetPlan]) -> Result<(), Failure> {
    let mut chosen = Vec::new();
    for (at, target) in targets.iter().enumerate() {
        let template = match target.spec.template() {
            None => continue,
            Some(TemplateSpec::From(name)) => {
                let other = targets.iter().find(|other| other.name == *name);
                let told = match other {
                    Some(other) => template_of(other).await,
                    None => Err(format!("there is no target `{name}`")),
                };
                told.map_err(|why| {
                    let (words, wire, target) = (Family::words(), target.wire(), &target.name);
                    Failure::Target(format!(
                        "error: target `{target}`: {why}\n  name it instead: `targets.{target}.{wire}.template` is one of {words}"
                    ))
                })?
            }
            Some(named) => named.family().map(|family| TemplatePlan { family, system: None }),
        };
        chosen.push((at, template));
    }
    for (at, template) in chosen {
        targets[at].template = template;
    }
    Ok(())
}

/// Keeps what was told in the plan.
pub(super) fn keep(plan: &mut Plan, told: &[Option<String>]) {
    for (target, template) in plan.targets.iter_mut().zip(told) {
        target.facts.template.clone_from(template);
    }
}
