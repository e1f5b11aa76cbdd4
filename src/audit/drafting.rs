//! Speculative decoding: whether one side guesses tokens ahead and another doesn't.

use super::AuditInputs;
use super::judge::{Check, Judge};
use crate::metrics::human::percent;
use crate::scenario::TargetSpec;
use crate::scenario::plan::TargetPlan;

pub(super) const CHECKS: [(&str, Check); 1] = [("drafting", drafting)];

/// Ollama's setting for it, in a request's options and in a model's parameters.
const OLLAMAS: &str = "draft_num_predict";

/// Whether an engine says of itself that it guesses ahead, or is told to; `None` where nobody says.
fn is_set_up(target: &TargetPlan) -> Option<bool> {
    let on = |told: &str| !matches!(told, "false" | "none" | "off" | "0");
    // What a request asks for goes before the model's own parameter.
    let asked = match &target.spec {
        TargetSpec::Ollama(spec) => spec.options.get(OLLAMAS).map(|value| on(&value.to_string())),
        _ => None,
    };
    let parameter = || {
        let mut words = target.facts.setting("model_parameters")?.split_whitespace();
        words.find(|word| *word == OLLAMAS)?;
        words.next().map(on)
    };
    target.facts.setting("speculative").map(on).or(asked).or_else(parameter)
}

fn drafting(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    let targets = &evidence.plan.targets;
    let drafted = |at: usize| evidence.gathered.get(at).map_or((0, 0), |side| (side.drafted, side.answered));
    let drafts = |at: usize| drafted(at).0 > 0 || is_set_up(&targets[at]) == Some(true);
    let others: Vec<usize> = (0..targets.len()).filter(|at| !drafts(*at)).collect();
    if others.is_empty() {
        return;
    }
    let listed = others.iter().map(|at| match is_set_up(&targets[*at]) {
        Some(_) => format!("{} doesn't", targets[*at].label()),
        None => format!("{} reports none", targets[*at].label()),
    });
    let listed = listed.collect::<Vec<_>>().join(", ");
    for at in (0..targets.len()).filter(|at| drafts(*at)) {
        let ((answers, answered), label) = (drafted(at), targets[at].label());
        let accepted = evidence.targets.get(at).and_then(|target| target.value("draft_acceptance"));
        let seen = match (answers, accepted) {
            (0, _) => String::new(),
            (_, Some(share)) => {
                format!(" in {answers} of {answered} answers, {} of the drafted tokens accepted", percent(share))
            }
            (_, None) => format!(" in {answers} of {answered} answers"),
        };
        let sentence = format!(
            "{label} uses speculative decoding{seen}; {listed}. Its speed depends on how predictable the text is: this \
             compares two setups, not two engines. Use the same draft model on both sides, or none (llama-server \
             without `--spec-type` and `-md`)."
        );
        let mut rests = vec![("answers with drafts", format!("{answers} of {answered}"))];
        rests.extend(accepted.map(|share| ("draft acceptance", percent(share))));
        judge.find(Some(at), sentence, &rests);
    }
}
