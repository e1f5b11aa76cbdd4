//! Gates, tiers and the baseline, the same in every format: what became of each, with its figures and why.

use super::csv_text::{self, number};
use super::draw::{Look, print, verdict, wrapped};
use super::lines::{in_order, values};
use super::markup::{cells, plain};
use crate::gate::{GateOutcome, JudgedGate, Judgement, Reached};
use crate::report::Report;
use crate::report::sweep::SweptTarget;
use crate::stats::TargetSummary;
use std::io::{self, Write};

/// A row a gate: what became of it, the gate, whose it is where it names no target, its figures and why.
pub(super) fn rows(report: &Report) -> Vec<[String; 3]> {
    let side = |target: &TargetSummary| SweptTarget { name: target.name.clone(), stand_in: target.stand_in };
    rows_of(report.judgement.as_ref(), &report.targets.iter().map(side).collect::<Vec<_>>())
}

/// The same of any judgement of these targets.
pub(super) fn rows_of(judgement: Option<&Judgement>, targets: &[SweptTarget]) -> Vec<[String; 3]> {
    let judged = judgement.into_iter().flat_map(|judgement| &judgement.gates);
    judged.map(|judged| [judged.outcome.as_str().to_owned(), named(targets, judged), marked(targets, judged)]).collect()
}

/// The gate, and the target where it names none and there are several.
fn named(targets: &[SweptTarget], judged: &JudgedGate) -> String {
    let target = judged.target.and_then(|at| targets.get(at)).filter(|_| targets.len() > 1);
    match target.filter(|target| !judged.gate.starts_with(&format!("{}.", target.name))) {
        Some(target) => format!("{}: {}", target.name, judged.gate),
        None => judged.gate.clone(),
    }
}

/// Figures and reason; a stand-in that was judged is marked.
fn marked(targets: &[SweptTarget], judged: &JudgedGate) -> String {
    let stand_in = judged.target.and_then(|at| targets.get(at)).is_some_and(|target| target.stand_in);
    match stand_in && judged.outcome != GateOutcome::NotMeasured {
        true => format!("{}; of a stand-in", told(judged)),
        false => told(judged),
    }
}

/// Figures and reason.
fn told(judged: &JudgedGate) -> String {
    let parts = [judged.figures(), judged.reason.clone().unwrap_or_default()];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")
}

/// How far each target got in the tiers, in sentences.
pub(super) fn tier_words(report: &Report) -> Vec<String> {
    let words = |reached: &Reached| {
        let target = report.targets.get(reached.target);
        let name = target.map(|target| target.label()).unwrap_or_default();
        if target.is_some_and(|target| target.stand_in) && !report.plan.gates.stand_ins {
            return format!("{name} has no tiers.");
        }
        let got = match &reached.tier {
            Some(tier) => format!("{name} has reached the tier `{tier}`"),
            None => format!("{name} has reached no tier"),
        };
        let Some(next) = &reached.next else { return format!("{got}, the highest.") };
        let lacks: Vec<String> =
            reached.lacks.iter().map(|judged| format!("{} ({})", judged.gate, of_tier(judged))).collect();
        format!("{got}; `{next}` lacks {}.", lacks.join(", "))
    };
    report.judgement.iter().flat_map(|judgement| &judgement.tiers).map(words).collect()
}

fn of_tier(judged: &JudgedGate) -> String {
    let told = told(judged);
    if told.is_empty() { judged.outcome.as_str().to_owned() } else { told }
}

/// What else is to be said of gates and baseline.
pub(super) fn notes(report: &Report) -> Vec<String> {
    let adapted = report.judgement.iter().filter_map(|judgement| judgement.adapted.clone());
    let baseline = report.baseline.iter().map(|baseline| baseline.words());
    let alone = report.baseline.iter().flat_map(|baseline| &baseline.unmatched);
    baseline.chain(alone.map(|name| format!("Without a counterpart: {name}."))).chain(adapted).collect()
}

/// The run beside its baseline: a table a target, header and rows.
pub(super) fn deltas(report: &Report) -> Vec<([String; 5], Vec<[String; 5]>)> {
    let pairs = report.baseline.iter().flat_map(|baseline| &baseline.pairs);
    // Where it is known how far runs scatter, the interval is that of one more run of an equal engine.
    let scattered = report.baseline.as_ref().is_some_and(|baseline| baseline.scatter_of.is_some());
    let ratio = if scattered { "ratio (98 % CI)" } else { "ratio (95 % CI)" };
    let table = |pair: &crate::report::Pair| {
        let header = [pair.second.as_str(), "baseline", "now", ratio, "verdict"].map(str::to_owned);
        let row = |(name, c): (String, &crate::stats::Comparison)| {
            let (then, now) = values(c);
            let [ratio, verdict] = verdict(Some(c));
            [name, then, now, ratio, verdict]
        };
        (header, in_order(&pair.comparisons).into_iter().map(row).collect())
    };
    pairs.map(table).collect()
}

/// Gates, tiers and the baseline in the terminal; nothing where there are none.
pub(super) fn table(report: &Report, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let width = usize::from(look.width.clamp(40, 160));
    for (header, rows) in deltas(report) {
        writeln!(out)?;
        print(header.to_vec(), rows.into_iter().map(Vec::from).collect(), 4, look, out)?;
    }
    if report.judgement.is_some() {
        writeln!(out)?;
    }
    table_of(rows(report), look, out)?;
    tier_words(report).into_iter().chain(notes(report)).try_for_each(|words| wrapped(out, &words, width, "  "))
}

/// What became of gates, as a table; nothing where there are none.
pub(super) fn table_of(rows: Vec<[String; 3]>, look: Look, out: &mut dyn Write) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let header = ["outcome", "gate", "value (95 % CI) and reason"].map(str::to_owned).to_vec();
    print(header, rows.into_iter().map(Vec::from).collect(), 1, look, out)
}

/// The same for a pull request: lines that end with an empty one.
pub(super) fn markdown_of(rows: &[[String; 3]]) -> Vec<String> {
    if rows.is_empty() {
        return Vec::new();
    }
    let mut lines = vec!["| outcome | gate | value (95 % CI) and reason |\n|:--|:--|:--|".to_owned()];
    for [outcome, gate, told] in rows {
        let outcome = if outcome == "FAIL" { "**FAIL**" } else { outcome };
        lines.push(format!("| {outcome} | {} | {} |", plain(gate), plain(told)));
    }
    lines.push(String::new());
    lines
}

/// The same for a pull request: the gates first, each delta folded away; empty where there are none.
pub(super) fn markdown(report: &Report) -> String {
    let mut text = String::new();
    let mut add = |line: String| {
        text.push_str(&line);
        text.push('\n');
    };
    markdown_of(&rows(report)).into_iter().for_each(&mut add);
    for words in tier_words(report).iter().chain(&notes(report)) {
        add(format!("- {}", plain(words)));
    }
    for (header, rows) in deltas(report) {
        add(format!("\n<details><summary>{} and the baseline</summary>\n", plain(&header[0])));
        add(format!("| {} |\n|:--|--:|--:|--:|:--|", cells(&header)));
        rows.iter().for_each(|row| add(format!("| {} |", cells(row))));
        add("\n</details>".to_owned());
    }
    text
}

/// `gates.csv`: a row a gate, those of the tiers that a target lacks after them.
pub fn gates_csv(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let header = [
        "gate",
        "tier",
        "target",
        "stand_in",
        "outcome",
        "measure",
        "unit",
        "value",
        "other",
        "point",
        "low",
        "high",
        "bound",
        "bound_as_written",
        "reason",
    ];
    let judgement = report.judgement.iter();
    let gates = judgement.clone().flat_map(|judgement| judgement.gates.iter().map(|judged| (judged, "")));
    let lacks = judgement
        .flat_map(|judgement| &judgement.tiers)
        .flat_map(|reached| reached.lacks.iter().map(|judged| (judged, reached.next.as_deref().unwrap_or_default())));
    let table = gates.chain(lacks).map(|(judged, tier)| {
        let target = judged.target.and_then(|at| report.targets.get(at));
        [
            csv_text::text(&judged.gate).into_owned(),
            csv_text::text(tier).into_owned(),
            csv_text::text(target.map(|target| target.name.as_str()).unwrap_or_default()).into_owned(),
            target.is_some_and(|target| target.stand_in).to_string(),
            judged.outcome.as_str().to_lowercase(),
            judged.measure.as_str().to_owned(),
            judged.unit.clone(),
            number(judged.value),
            number(judged.other),
            number(judged.point),
            number(judged.low),
            number(judged.high),
            number(judged.bound),
            number(judged.unscaled),
            csv_text::text(judged.reason.as_deref().unwrap_or_default()).into_owned(),
        ]
    });
    csv_text::rows(out, header, table)
}
