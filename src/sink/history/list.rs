//! The list of earlier runs: a line a run, `csv` with a row a run and target, and `json`.

use super::super::csv_text::{number, rows, text};
use super::super::draw::{Look, print, wrapped};
use super::words;
use crate::history::{History, RunEntry, RunState};
use crate::metrics::{metric_words, value_words};
use crate::report::{human, pretty};
use crate::stats::Verdict;
use serde_json::json;
use std::io::{self, Write};

/// Columns from which engines stand in the list.
const WIDE: u16 = 110;

/// Writes it for a terminal.
pub fn history_table(history: &History, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let width = usize::from(look.width.clamp(40, 160));
    let wide = look.width >= WIDE;
    if !history.entries.is_empty() {
        let mut header = vec!["run", "began (UTC)", "main metric", "result"];
        if wide {
            header.insert(3, "engines");
        }
        let row = |entry: &RunEntry| {
            let mut row = vec![words::folder(&entry.dir), words::when(&entry.started), figures(entry), result(entry)];
            if wide {
                row.insert(3, engines(entry));
            }
            row
        };
        let header = header.into_iter().map(str::to_owned).collect();
        print(header, history.entries.iter().map(row).collect(), 0, look, out)?;
    }
    for damaged in &history.damaged {
        wrapped(out, &format!("damaged: {}: {}", words::folder(&damaged.dir), damaged.why), width, "  ")?;
    }
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    writeln!(out, "\n{}, {} damaged", count(history.entries.len(), "run"), history.damaged.len())
}

/// The main metric of each target: `latency p50: native 11.9 ms, ollama 20.1 ms`.
fn figures(entry: &RunEntry) -> String {
    let one = |target: &crate::stats::TargetFigures| {
        let figure =
            target.figure(&entry.primary).map(|figure| value_words(&entry.primary, &figure.unit, figure.value));
        format!("{} {}", target.label(), figure.unwrap_or_else(|| "–".to_owned()))
    };
    let all = entry.targets.iter().map(one).collect::<Vec<_>>().join(", ");
    human::printable(&format!("{}: {all}", metric_words(&entry.primary)))
}

/// The engines: `native llama.cpp b6000, ollama ollama 0.34.1`.
fn engines(entry: &RunEntry) -> String {
    let one = |plan: &crate::scenario::plan::TargetPlan| {
        let told = [plan.facts.engine.as_deref(), plan.facts.version.as_deref()];
        let told = told.into_iter().flatten().collect::<Vec<_>>().join(" ");
        format!("{} {}", plan.name, if told.is_empty() { "untold" } else { &told })
    };
    human::printable(&entry.plan.targets.iter().map(one).collect::<Vec<_>>().join(", "))
}

/// What came of it, in a few words.
fn result(entry: &RunEntry) -> String {
    if entry.state() != RunState::Complete {
        return entry.state().as_str().to_owned();
    }
    let name = |at: usize| entry.targets.get(at).map(|target| target.name.as_str()).unwrap_or_default();
    let one = |told: &crate::history::MainVerdict| match told.verdict {
        Verdict::Undecided => "undecided".to_owned(),
        verdict if entry.verdicts.len() == 1 => verdict.as_str().to_owned(),
        verdict => format!("{} {}", name(told.target), verdict.as_str()),
    };
    let told: Vec<String> = entry.verdicts.iter().map(one).collect();
    human::printable(&told.join(", "))
}

/// Writes a row a run and target.
pub fn history_csv(history: &History, out: &mut dyn Write) -> io::Result<()> {
    let header = [
        "dir",
        "scenario",
        "started",
        "ended",
        "state",
        "reason",
        "target",
        "stand_in",
        "wire",
        "engine",
        "version",
        "model",
        "digest",
        "quantization",
        "primary",
        "unit",
        "value",
        "ratio",
        "low",
        "high",
        "verdict",
        "workload_hash",
        "cpu",
        "logical_cores",
        "kernel",
        "tool",
        "samples",
    ];
    let told = |x: &Option<String>| text(x.as_deref().unwrap_or_default()).into_owned();
    let of = |entry: &RunEntry, at: usize| {
        let (target, plan) = (&entry.targets[at], &entry.plan.targets[at]);
        let figure = target.figure(&entry.primary);
        let verdict = entry.verdicts.iter().find(|verdict| verdict.target == at);
        [
            text(&entry.dir).into_owned(),
            text(&entry.plan.name).into_owned(),
            text(&entry.started).into_owned(),
            told(&entry.ended),
            entry.state().as_str().to_owned(),
            told(&entry.invalid.first().cloned()),
            text(&target.name).into_owned(),
            target.stand_in.to_string(),
            plan.wire().to_owned(),
            told(&plan.facts.engine),
            told(&plan.facts.version),
            text(&plan.model).into_owned(),
            told(&plan.facts.digest),
            told(&plan.facts.quantization),
            text(&entry.primary).into_owned(),
            figure.as_ref().map(|figure| figure.unit.clone()).unwrap_or_default(),
            number(figure.map(|figure| figure.value)),
            number(verdict.and_then(|v| v.ratio)),
            number(verdict.and_then(|v| v.low)),
            number(verdict.and_then(|v| v.high)),
            verdict.map(|v| v.verdict.as_str().to_owned()).unwrap_or_default(),
            text(&entry.plan.workload.hash).into_owned(),
            told(&entry.machine.cpu),
            entry.machine.logical_cores.map(|n| n.to_string()).unwrap_or_default(),
            told(&entry.machine.kernel),
            text(&entry.tool).into_owned(),
            entry.samples.to_string(),
        ]
    };
    let gone = |damaged: &crate::history::Damaged| {
        let mut row: [String; 27] = Default::default();
        row[0] = text(&damaged.dir).into_owned();
        row[4] = "damaged".to_owned();
        row[5] = text(&damaged.why).into_owned();
        row
    };
    let runs = history.entries.iter().flat_map(|entry| (0..entry.targets.len()).map(move |at| of(entry, at)));
    rows(out, header, runs.chain(history.damaged.iter().map(gone)))
}

/// Writes it as JSON.
pub fn history_json(history: &History, out: &mut dyn Write) -> io::Result<()> {
    let target = |entry: &RunEntry, at: usize| {
        let (target, plan) = (&entry.targets[at], &entry.plan.targets[at]);
        let figure = target.figure(&entry.primary);
        json!({
            "name": target.name, "stand_in": target.stand_in, "wire": plan.wire(), "engine": plan.facts.engine,
            "version": plan.facts.version, "model": plan.model, "digest": plan.facts.digest,
            "quantization": plan.facts.quantization, "value": figure.as_ref().map(|f| f.value),
            "unit": figure.as_ref().map(|f| f.unit.clone()),
        })
    };
    let run = |entry: &RunEntry| {
        let targets: Vec<_> = (0..entry.targets.len()).map(|at| target(entry, at)).collect();
        json!({
            "dir": entry.dir, "scenario": entry.plan.name, "started": entry.started, "ended": entry.ended,
            "state": entry.state(), "invalid": entry.invalid, "primary": entry.primary, "verdicts": entry.verdicts,
            "targets": targets, "workload_hash": entry.plan.workload.hash, "machine": entry.machine,
            "tool": entry.tool, "samples": entry.samples,
        })
    };
    let runs: Vec<_> = history.entries.iter().map(run).collect();
    let told = json!({
        "schema_version": 1, "tool": crate::report::TOOL, "folder": history.folder.display().to_string(), "runs": runs,
        "damaged": history.damaged,
    });
    pretty(out, &told)
}
