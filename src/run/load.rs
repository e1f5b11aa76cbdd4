//! How the requests will be driven: the loop, and an open loop's instants, built before anything is sent.

use super::Failure;
use crate::scenario::plan::{ClosedPlan, LoadPlan, OpenPlan, Plan, Until};
use crate::scenario::{
    Arrivals as Kind, ClosedSpec, Length, OpenSpec, PromptsSpec, Rate, Scenario, Span, StageSpec, TracePart, TraceSpec,
};
use crate::workload::{Arrivals, SourceError, Trace, read_trace};
use std::path::Path;
use std::sync::Arc;

/// The load of a scenario, and its arrivals where the loop is open. A trace's path starts from `base`.
/// `told` tells what is wrong with the trace.
pub(super) fn load(
    scenario: &Scenario,
    base: &Path,
    told: &dyn Fn(SourceError) -> Failure,
) -> Result<(LoadPlan, Option<Arc<Arrivals>>), Failure> {
    let wrong = |why: String| Failure::Usage(format!("error: {why}"));
    match (&scenario.load.closed, &scenario.load.open) {
        (Some(closed), _) => Ok((LoadPlan::Closed(closed_plan(closed)), None)),
        (None, Some(open)) => {
            // The prompts of the same record say which of its requests are used.
            let part = match &scenario.workload.prompts {
                PromptsSpec::Trace(prompts) => prompts.part(),
                _ => TracePart::default(),
            };
            let read = |spec: &TraceSpec| read_trace(spec, part, base).map_err(told);
            let trace = open.trace.as_ref().map(read).transpose()?;
            // A rate that is still to be found has no instants: for a look, and for a search that sets its own.
            let arrivals = if open.rate == Some(Rate::Auto) {
                Ok(Arrivals::at(Vec::new(), Vec::new()))
            } else {
                Arrivals::build(open, trace.as_ref(), scenario.seed)
            };
            let arrivals = arrivals.map_err(|why| wrong(format!("load.open: {why}")))?;
            let plan = open_plan(open, scenario.in_flight(), trace.as_ref(), &arrivals);
            Ok((LoadPlan::Open(Box::new(plan)), Some(Arc::new(arrivals))))
        }
        (None, None) => Err(wrong("`load` needs a loop: `closed` or `open`".to_owned())),
    }
}

fn closed_plan(spec: &ClosedSpec) -> ClosedPlan {
    let ClosedSpec { users, duration, requests, think, warmup } = *spec;
    let until = match (duration.and_then(Length::span), requests) {
        (Some(duration), _) => Until::Duration(duration),
        (None, requests) => Until::Requests(requests.unwrap_or(1)),
    };
    ClosedPlan { users, until, think, warmup }
}

pub(super) fn open_plan(spec: &OpenSpec, in_flight: u32, trace: Option<&Trace>, arrivals: &Arrivals) -> OpenPlan {
    OpenPlan {
        about: schedule_words(spec),
        spec: spec.clone(),
        duration: trace.map_or_else(|| spec.window(), Trace::duration),
        warmup: spec.warmup,
        in_flight,
        pacing: spec.pacing,
        planned: arrivals.measure().len() as u64,
        hash: arrivals.hash(),
    }
}

/// Stages that are told one by one, at most.
const STAGES_TOLD: usize = 4;

/// The schedule in words: `Poisson, 20/s`, `ramp 5/s to 50/s, constant`.
pub(super) fn schedule_words(spec: &OpenSpec) -> String {
    if let Some(trace) = &spec.trace {
        let path = trace.path.display();
        return if trace.speed == 1.0 { format!("trace {path}") } else { format!("trace {path} at {}x", trace.speed) };
    }
    let law = match (spec.arrivals, spec.burstiness, spec.burst) {
        (Kind::Gamma, Some(burstiness), _) => format!("gamma (burstiness {burstiness})"),
        (Kind::Gamma, None, _) => "gamma".to_owned(),
        (Kind::Bursts, _, Some(burst)) if burst.gap == Span::default() => format!("bursts of {}", burst.size),
        (Kind::Bursts, _, Some(burst)) => format!("bursts of {} with gaps of {}", burst.size, burst.gap),
        (Kind::Bursts, _, None) => "bursts".to_owned(),
        (Kind::Poisson, ..) => "Poisson".to_owned(),
        (Kind::Constant, ..) => "constant".to_owned(),
    };
    match (spec.rate, spec.ramp) {
        (Some(rate), _) => format!("{law}, {rate}"),
        (None, Some(ramp)) => format!("ramp {}/s to {}/s, {law}", ramp.from, ramp.to),
        (None, None) => format!("stages {}, {law}", stages(&spec.as_stages())),
    }
}

fn stages(all: &[StageSpec]) -> String {
    let told = all.iter().take(STAGES_TOLD).map(|stage| match stage.from {
        Some(from) => format!("{from}/s to {}/s", stage.rate),
        None => format!("{}/s", stage.rate),
    });
    let told = told.collect::<Vec<_>>().join(", ");
    if all.len() > STAGES_TOLD { format!("{told}, … ({} in all)", all.len()) } else { told }
}

/// Says that the time had room for fewer blocks than were asked for.
pub(super) fn fewer_blocks(plan: &Plan, made: u32) -> String {
    let length = plan.load_length().map_or_else(String::new, |length| format!(" in {:.0} s", length.as_secs_f64()));
    format!(
        "loadcmp: {made} blocks per target instead of {}: answers take too long for more{length}; a longer `duration` \
         allows more",
        plan.blocks.pairs
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Overrides, load_str};

    fn scenario(load: &str) -> Scenario {
        let text = format!(
            "name: x\ntask: generate\ntargets: {{ a: {{ ollama: {{}} }} }}\n\
             workload: {{ prompts: {{ inline: [{{ text: hi }}] }} }}\nload: {load}\n"
        );
        load_str("x.yaml", &text, &Overrides::default()).map_err(|e| e.to_string()).unwrap().scenario
    }

    fn told(open: &str) -> String {
        schedule_words(scenario(&format!("{{ open: {{ {open} }} }}")).load.open.as_ref().unwrap())
    }

    #[test]
    fn schedules_in_words() {
        assert_eq!(told("rate: 20, duration: 5s"), "Poisson, 20/s");
        let ramp = "ramp: { from: 5, to: 50 }, duration: 5s, arrivals: constant";
        assert_eq!(told(ramp), "ramp 5/s to 50/s, constant");
        let stages = "stages: [{ rate: 5, duration: 1s }, { from: 5, rate: 50, duration: 1s }]";
        assert_eq!(
            told(&format!("{stages}, arrivals: gamma, burstiness: 0.5")),
            "stages 5/s, 5/s to 50/s, gamma (burstiness 0.5)"
        );
        let many = ["{ rate: 5, duration: 1s }"; 5].join(", ");
        assert_eq!(told(&format!("stages: [{many}]")), "stages 5/s, 5/s, 5/s, 5/s, … (5 in all), Poisson");
        let bursts = "rate: 2.5, duration: 5s, arrivals: bursts, burst: { size: 10";
        assert_eq!(told(&format!("{bursts} }}")), "bursts of 10, 2.5/s");
        assert_eq!(told(&format!("{bursts}, gap: 5ms }}")), "bursts of 10 with gaps of 5ms, 2.5/s");
        let trace = "trace: { path: tests/broken/data.csv";
        assert_eq!(told(&format!("{trace} }}")), "trace tests/broken/data.csv");
        assert_eq!(told(&format!("{trace}, speed: 2 }}")), "trace tests/broken/data.csv at 2x");
    }

    fn plain(error: SourceError) -> Failure {
        Failure::Usage(format!("error: {error}"))
    }

    #[test]
    fn an_open_loops_plan_has_its_number_and_hash_and_its_arrivals_come_along() {
        let scenario = scenario("{ open: { rate: 50, duration: 4s, warmup: 1s, arrivals: constant } }");
        let (plan, arrivals) = load(&scenario, Path::new("."), &plain).map_err(|_| "no plan").unwrap();
        let (LoadPlan::Open(plan), Some(arrivals)) = (plan, arrivals) else { panic!("a closed loop") };
        assert_eq!((plan.planned, plan.duration.to_string(), plan.in_flight), (200, "4s".to_owned(), 1024));
        assert_eq!((plan.hash, arrivals.warmup().len()), (arrivals.hash(), 50));
    }

    #[test]
    fn a_trace_gives_the_plan_its_length_and_a_wrong_one_is_told() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a.csv"), "offset_s\n0\n2\n4\n").unwrap();
        let mut scenario = scenario("{ open: { trace: { path: tests/broken/data.csv, speed: 2 } } }");
        let path = |scenario: &mut Scenario, path: &str| {
            scenario.load.open.as_mut().and_then(|open| open.trace.as_mut()).unwrap().path = path.into();
        };
        path(&mut scenario, "a.csv");
        let (plan, _) = load(&scenario, dir.path(), &plain).map_err(|_| "no plan").unwrap();
        assert_eq!(plan.until(), Until::Duration(Span(std::time::Duration::from_secs(3))));
        std::fs::write(dir.path().join("a.csv"), "offset_s\nx\n").unwrap();
        let Err(Failure::Usage(why)) = load(&scenario, dir.path(), &plain) else { panic!("it was read") };
        assert!(why.starts_with("error: ") && why.ends_with("a.csv:2: `x` is not a number of seconds"), "{why}");
    }
}
