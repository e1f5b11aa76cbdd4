//! `benchstat.txt`: the run in Go's benchmark format, with the names, steps and units of Ollama's own `cmd/bench`, so that
//! `benchstat` reads both side by side.
//!
//! A line is one stretch of the run or one block, as ratios are taken over; a figure that is known of the whole run alone has
//! one line. All but `prefill` and `load` are by the client's clock.

use crate::report::Report;
use crate::report::human::{self, printable};
use crate::scenario::Order;
use crate::scenario::plan::TargetPlan;
use crate::stats::TargetSummary;
use std::io::{self, Write};

/// The steps by their series in microseconds: each value is a line of so many nanoseconds an operation.
const STEPS: [(&str, &str); 3] = [("ttft", "ttft.p50"), ("total", "latency.p50"), ("response", "response.p50")];

/// Writes it.
pub fn benchstat(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let plan = &report.plan;
    writeln!(out, "# {}, {}, {}", printable(&report.tool), printable(&plan.name), printable(&report.started))?;
    writeln!(out, "# {}", printable(&report.load_words()))?;
    if let Some(unfinished) = &report.unfinished {
        writeln!(out, "# {}", printable(&unfinished.sentence))?;
    }
    writeln!(
        out,
        "# One line per {}; prefill and load are by the engine's clock, everything else by the client's.",
        if report.plan.order == Order::Alternate { "block" } else { "batch" }
    )?;
    writeln!(out, "Unit ns/token better=lower\nUnit token/sec better=higher\nUnit request/sec better=higher")?;
    writeln!(out, "scenario: {}", printable(&plan.name))?;
    // Files of unlike work are not compared: benchstat keeps apart what differs in this.
    writeln!(out, "workload: {:.16}", plan.workload.hash)?;
    if let Some(cpu) = &report.machine.cpu {
        writeln!(out, "cpu: {}", printable(cpu))?;
    }
    // The reference first: benchstat takes the first column for the base.
    let all = report.targets.iter().zip(&plan.targets).enumerate();
    let (first, others): (Vec<_>, Vec<_>) = all.partition(|(at, _)| *at == plan.reference);
    for (_, (summary, planned)) in first.into_iter().chain(others) {
        writeln!(out, "\ntarget: {}", printable(&summary.label()))?;
        writeln!(out, "# {}", about(planned))?;
        target(report, summary, &name(summary, planned), out)?;
    }
    Ok(())
}

/// The engine in a comment, as Ollama's tells the model.
fn about(planned: &TargetPlan) -> String {
    let facts = &planned.facts;
    let told = [
        Some(format!("Model: {}", planned.model)),
        facts.parameters.as_ref().map(|n| format!("Params: {n}")),
        facts.quantization.as_ref().map(|quant| format!("Quant: {quant}")),
        facts.family.as_ref().map(|family| format!("Family: {family}")),
        facts.size_bytes.map(|n| format!("Size: {}", human::bytes(n))),
        facts
            .engine
            .as_ref()
            .map(|engine| format!("Engine: {engine} {}", facts.version.as_deref().unwrap_or_default())),
    ];
    printable(told.into_iter().flatten().collect::<Vec<_>>().join(" | ").trim_end())
}

/// The benchmark's name: the model, as Ollama's has it; a stand-in's says so.
fn name(summary: &TargetSummary, planned: &TargetPlan) -> String {
    let model: String =
        planned.model.chars().map(|c| if c.is_whitespace() || c.is_control() { '_' } else { c }).collect();
    format!("BenchmarkModel/name={model}{}", if summary.stand_in { "(stand-in)" } else { "" })
}

fn target(report: &Report, summary: &TargetSummary, name: &str, out: &mut dyn Write) -> io::Result<()> {
    let positive = |x: &f64| x.is_finite() && *x > 0.0;
    // Times of the prompt, where the engine tells both.
    let prefill =
        summary.value("server_prompt.mean").zip(summary.value("prompt_tokens.mean")).map(|(us, n)| us * 1e3 / n);
    if let Some(ns) = prefill.filter(positive) {
        writeln!(out, "{name}/step=prefill 1 {ns:.2} ns/token {:.2} token/sec", 1e9 / ns)?;
    }
    for us in series(summary, "tpot.mean").into_iter().filter(positive) {
        writeln!(out, "{name}/step=generate 1 {:.2} ns/token {:.2} token/sec", us * 1e3, 1e6 / us)?;
    }
    for (step, path) in STEPS {
        // In a closed loop a response is a latency.
        if step == "response" && !report.comparing().open_loop {
            continue;
        }
        for us in series(summary, path).into_iter().filter(positive) {
            writeln!(out, "{name}/step={step} 1 {:.0} ns/op", us * 1e3)?;
        }
    }
    if let Some(us) = summary.value("cold_server_load").filter(positive) {
        writeln!(out, "{name}/step=load 1 {:.0} ns/op", us * 1e3)?;
    }
    for (path, unit) in [("output_tokens_per_s", "token/sec"), ("requests_per_s", "request/sec")] {
        for rate in series(summary, path).into_iter().filter(positive) {
            writeln!(out, "{name}/step=throughput 1 {rate:.2} {unit}")?;
        }
    }
    Ok(())
}

/// A metric's value in each unit of the run; where no unit has the rows for it, the run's.
fn series(summary: &TargetSummary, path: &str) -> Vec<f64> {
    match summary.units.iter().find(|series| series.metric == path) {
        Some(series) => series.values.clone(),
        None => summary.value(path).into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::report;
    use crate::scenario::Task;

    fn text(report: &Report) -> String {
        let mut bytes = Vec::new();
        benchstat(report, &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn lines_are_those_of_ollamas_own_bench() {
        let report = report(Task::Generate, true);
        let text = text(&report);
        let mut under = "";
        let mut steps = std::collections::BTreeMap::<(&str, &str), usize>::new();
        for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            if let Some(target) = line.strip_prefix("target: ") {
                under = target;
            }
            let Some(rest) = line.strip_prefix("BenchmarkModel/name=") else { continue };
            let words: Vec<&str> = rest.split(' ').collect();
            let (model, step) = words[0].split_once("/step=").expect("a step");
            assert_eq!(model.ends_with("(stand-in)"), under.ends_with("(stand-in)"), "{line}");
            assert_eq!(words[1], "1", "{line}");
            let pairs: Vec<(f64, &str)> = words[2..].chunks(2).map(|two| (two[0].parse().unwrap(), two[1])).collect();
            let units: Vec<&str> = pairs.iter().map(|(_, unit)| *unit).collect();
            match step {
                "generate" | "prefill" => {
                    assert_eq!(units, ["ns/token", "token/sec"], "{line}");
                    assert!((pairs[0].0 * pairs[1].0 / 1e9 - 1.0).abs() < 0.01, "{line}");
                }
                "ttft" | "total" | "load" => assert_eq!(units, ["ns/op"], "{line}"),
                _ => assert!(step == "throughput" && units.len() == 1, "{line}"),
            }
            *steps.entry((under, step)).or_default() += 1;
        }
        for target in ["native", "ollama (stand-in)"] {
            assert!(
                steps[&(target, "ttft")] >= 6 && steps[&(target, "total")] >= 6,
                "enough for an interval: {steps:?}"
            );
        }
    }

    #[test]
    fn a_name_of_several_words_stays_one() {
        let mut report = report(Task::Classify, false);
        report.plan.targets[0].model = "my model\nBenchmarkX 1 1 ns/op".to_owned();
        let text = text(&report);
        assert!(text.contains("BenchmarkModel/name=my_model_BenchmarkX_1_1_ns/op/step=total 1 "), "{text}");
        assert!(text.lines().all(|line| !line.starts_with("BenchmarkX")));
    }
}
