//! A plan as it may be told. A plan that drives a run holds values of the environment and of files, since they are sent;
//! everything that is written or shown is made from [`Plan::told`], which has the references in their stead.

use super::plan::{Endpoint, EngineFacts, LoadPlan, Plan, TargetPlan};
use super::{TargetSpec, same_model, scrubbed};

impl Plan {
    /// The plan without any value that came from the environment or a file, for whatever is written or shown. What an engine
    /// tells of itself stays: where it answers, and a model that it lists.
    pub fn told(&self) -> Plan {
        let mut told = self.clone();
        let Some(written) = told.written.take() else { return told };
        told.about = written.about.clone();
        told.workload.source = written.source.clone();
        told.workload.labels = written.labels.clone();
        told.workload.system = written.system.clone();
        told.workload.sampling.stop = written.stop.clone();
        told.cold_start = written.cold_start.clone();
        told.start = told.start.map(|_| written.start.clone());
        if let (LoadPlan::Open(open), Some((about, spec))) = (&mut told.load, &written.open)
            && let Some(trace) = &mut open.spec.trace
            && let Some(shown) = &spec.trace
        {
            // All else of a schedule is numbers, which a search may have changed since.
            trace.path = shown.path.clone();
            open.about = about.clone();
        }
        for target in &mut told.targets {
            if let Some(shown) = written.targets.get(&target.name) {
                tell(target, shown);
            }
        }
        told
    }
}

/// Puts a target's settings as they were written in the place of what is sent.
fn tell(target: &mut TargetPlan, shown: &TargetSpec) {
    let (sent, named) = (target.spec.model(), shown.model());
    if sent != named && sent == Some(&target.model) && !confirmed(target) {
        // Short names are not looked for everywhere: where this one was asked for on trust, it stands in backquotes.
        let (sent, named) = (format!("`{}`", target.model), named.unwrap_or_default());
        for told in &mut target.inequalities {
            *told = told.replace(&sent, &format!("`{named}`"));
        }
        target.model = named.to_owned();
    }
    for told in &mut target.inequalities {
        *told = scrubbed(std::mem::take(told));
    }
    if target.spec.address() != shown.address()
        && let Endpoint::Tcp { prefix, .. } = &mut target.endpoint
    {
        *prefix = told_prefix(prefix, shown.address().unwrap_or_default());
    }
    target.spec = shown.clone();
    target.facts.scrub();
}

impl EngineFacts {
    /// Takes out of what an engine told whatever it repeats of what came from the environment or a file.
    pub fn scrub(&mut self) {
        let texts = [
            &mut self.engine,
            &mut self.version,
            &mut self.family,
            &mut self.parameters,
            &mut self.quantization,
            &mut self.size_of,
            &mut self.template,
        ];
        let settings = self.settings.iter_mut().map(|setting| &mut setting.value);
        for text in texts.into_iter().flatten().chain(&mut self.models).chain(settings) {
            *text = scrubbed(std::mem::take(text));
        }
    }
}

/// Whether the engine knows the model by the name that it was given.
pub fn confirmed(target: &TargetPlan) -> bool {
    // GG-CORE has warmed up what it was asked for, or there would be no plan.
    matches!(target.spec, TargetSpec::GgCore(_))
        || target.facts.models.iter().any(|known| same_model(known, &target.model))
}

/// The path of an address of which a part came from the environment: what was written in the scenario, or is a usual part of
/// an interface's path, stays.
fn told_prefix(prefix: &str, written: &str) -> String {
    let usual = |part: &str| {
        let version =
            part.strip_prefix('v').is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()));
        part.is_empty() || version || matches!(part, "api" | "openai") || written.split('/').any(|known| known == part)
    };
    prefix.split('/').map(|part| if usual(part) { part } else { "***" }).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_address_from_the_environment_the_usual_parts_of_its_path_stay() {
        for (prefix, written, told) in [
            ("", "${URL}", ""),
            ("/v1", "${URL}", "/v1"),
            ("/s3cr3t/v1", "${URL}", "/***/v1"),
            ("/llama/x", "http://${HOST}/llama/${KEY}", "/llama/***"),
        ] {
            assert_eq!(told_prefix(prefix, written), told);
        }
    }
}
