//! Several runs of one plan: one row per run, target and metric for programs, tables for the terminal and a pull
//! request, and the gates for CI.

use super::csv_text::{count, number, rows, text};
use super::draw::{Look, print, verdict, wrapped};
use super::junit::{Case, junit};
use super::lines::in_order;
use super::markup::{cells, plain};
use crate::gate::JudgedGate;
use crate::metrics::{metric_words, value_words};
use crate::report::repeats::{RepeatRun, Repeats};
use crate::report::{human, pretty};
use std::io::{self, Write};

/// Writes `repeats.csv`: one row per run, target and metric, then one over all runs that count, whose `run` is `all`. A
/// target beside the reference has both values and their ratio; the reference, and what is told of no pair, its own
/// value alone.
pub fn repeats_csv(repeats: &Repeats, out: &mut dyn Write) -> io::Result<()> {
    let header = [
        "run",
        "folder",
        "counts",
        "place",
        "target",
        "stand_in",
        "reference",
        "metric",
        "unit",
        "target_value",
        "reference_value",
        "ratio",
        "low",
        "high",
        "verdict",
        "runs",
        "p",
        "reason",
    ];
    let name = |at: usize| repeats.targets.get(at).map(|target| text(&target.name).into_owned()).unwrap_or_default();
    let stand_in = |at: usize| repeats.targets.get(at).is_some_and(|target| target.stand_in).to_string();
    let mut table = Vec::new();
    for run in &repeats.runs {
        let begin = |target: usize| {
            let own = repeats.targets.get(target).map(|target| &target.name);
            let place = run.planned.order.iter().position(|known| Some(known) == own);
            [
                run.number.to_string(),
                text(&run.planned.folder).into_owned(),
                run.counts().to_string(),
                count(place.map(|at| at as u64 + 1)),
                name(target),
                stand_in(target),
            ]
        };
        let why = text(run.left_out.as_deref().unwrap_or_default()).into_owned();
        for figure in &run.figures {
            let told = run.comparison(figure.target, &figure.metric);
            let blank = String::new;
            let rest = [
                told.map(|_| name(repeats.reference)).unwrap_or_default(),
                figure.metric.clone(),
                figure.unit.clone(),
                told.map_or(figure.value, |told| told.target_value).to_string(),
                number(told.map(|told| told.reference_value)),
                number(told.and_then(|told| told.ratio)),
                blank(),
                blank(),
                told.map(|told| told.verdict.as_str().to_owned()).unwrap_or_default(),
                blank(),
                blank(),
                why.clone(),
            ];
            table.push(whole(begin(figure.target), rest));
        }
    }
    for figure in &repeats.figures {
        let begin = [
            "all".to_owned(),
            String::new(),
            String::new(),
            String::new(),
            name(figure.target),
            stand_in(figure.target),
        ];
        let rest = match repeats.comparison(figure.target, &figure.metric) {
            Some(c) => [
                name(c.reference),
                c.metric.clone(),
                c.unit.clone(),
                number(c.target_value),
                number(c.reference_value),
                number(c.ratio),
                number(c.low),
                number(c.high),
                c.verdict.as_str().to_owned(),
                count(c.blocks.map(|runs| runs as u64)),
                number(c.p),
                text(c.reason.as_deref().unwrap_or_default()).into_owned(),
            ],
            // The ends are of the value itself, where there is no ratio.
            None => [
                String::new(),
                figure.metric.clone(),
                figure.unit.clone(),
                figure.value.to_string(),
                String::new(),
                String::new(),
                number(figure.low),
                number(figure.high),
                String::new(),
                count(Some(figure.runs as u64)),
                String::new(),
                String::new(),
            ],
        };
        table.push(whole(begin, rest));
    }
    rows(out, header, table.into_iter())
}

/// Both parts of a row.
fn whole(begin: [String; 6], rest: [String; 12]) -> [String; 18] {
    let mut all = begin.into_iter().chain(rest);
    std::array::from_fn(|_| all.next().unwrap_or_default())
}

/// Writes it as JSON.
pub fn repeats_json(repeats: &Repeats, out: &mut dyn Write) -> io::Result<()> {
    pretty(out, repeats)
}

/// A table, the first column of words and the others of numbers up to `right`.
struct Sheet {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
    right: usize,
}

/// The metrics over runs: every target's value, and of one pair its ratio.
fn metrics(repeats: &Repeats) -> Vec<Sheet> {
    let label = |at: usize| repeats.targets.get(at).map(|t| human::printable(&t.label())).unwrap_or_default();
    let others: Vec<usize> = (0..repeats.targets.len()).filter(|at| *at != repeats.reference).collect();
    if others.is_empty() {
        let row = |figure: &crate::report::repeats::RunsFigure| {
            let value = |x: f64| value_words(&figure.metric, &figure.unit, x);
            let ends = figure.low.zip(figure.high);
            let ends = ends.map(|(low, high)| human::between(&value(low), &value(high))).unwrap_or_default();
            vec![metric_words(&figure.metric), value(figure.value), ends]
        };
        let header = vec![String::new(), label(0), "95 % CI over runs".to_owned()];
        return vec![Sheet { header, rows: repeats.figures.iter().map(row).collect(), right: 2 }];
    }
    let sheet = |target: usize| {
        let of: Vec<_> = repeats.comparisons.iter().filter(|c| c.target == target).cloned().collect();
        let mut told = in_order(&of);
        // What was declared the main metric is read first.
        told.sort_by_key(|(_, c)| c.metric != repeats.primary);
        let mut rows: Vec<Vec<String>> = told
            .into_iter()
            .map(|(name, c)| {
                let value = |x: Option<f64>| x.map_or_else(|| "–".to_owned(), |x| value_words(&c.metric, &c.unit, x));
                let [ratio, verdict] = verdict(Some(c));
                vec![name, value(c.target_value), value(c.reference_value), ratio, verdict]
            })
            .collect();
        for metric in ["error_rate", "accuracy"] {
            let value = |at: usize| {
                repeats.figure(at, metric).map(|figure| value_words(&figure.metric, &figure.unit, figure.value))
            };
            if let (Some(ours), Some(theirs)) = (value(target), value(repeats.reference)) {
                rows.push(vec![metric_words(metric), ours, theirs, String::new(), String::new()]);
            }
        }
        let header = vec![
            String::new(),
            label(target),
            label(repeats.reference),
            "ratio (95 % CI)".to_owned(),
            "verdict".to_owned(),
        ];
        Sheet { header, rows, right: 3 }
    };
    others.into_iter().map(sheet).collect()
}

/// The runs one by one, in the main metric.
fn each(repeats: &Repeats) -> Sheet {
    let label = |at: usize| repeats.targets.get(at).map(|t| human::printable(&t.label())).unwrap_or_default();
    let others: Vec<usize> = (0..repeats.targets.len()).filter(|at| *at != repeats.reference).collect();
    let mut header = vec!["run".to_owned(), "order".to_owned()];
    header.extend((0..repeats.targets.len()).map(label));
    for at in &others {
        let of = if others.len() > 1 { format!(" of {}", label(*at)) } else { String::new() };
        header.extend([format!("ratio{of}"), "single run".to_owned()]);
    }
    let row = |run: &RepeatRun| {
        let order: Vec<String> = run.planned.order.iter().map(|name| human::printable(name)).collect();
        let mut row = vec![format!("{:02}", run.number), order.join(", ")];
        row.extend((0..repeats.targets.len()).map(|at| {
            let figure = run.figure(at, &repeats.primary);
            figure.map_or_else(|| "–".to_owned(), |figure| value_words(&figure.metric, &figure.unit, figure.value))
        }));
        for at in &others {
            let told = run.comparison(*at, &repeats.primary);
            row.push(told.and_then(|told| told.ratio).map_or_else(|| "–".to_owned(), human::ratio));
            row.push(match (run.counts(), told) {
                (false, _) => "left out".to_owned(),
                (true, Some(told)) => told.verdict.as_str().to_owned(),
                (true, None) => "–".to_owned(),
            });
        }
        if others.is_empty() && !run.counts() {
            row.push("left out".to_owned());
        }
        row
    };
    let rows: Vec<Vec<String>> = repeats.runs.iter().map(row).collect();
    if others.is_empty() && rows.iter().any(|row| row.len() > header.len()) {
        header.push(String::new());
    }
    let rows = rows.into_iter().map(|mut row| {
        row.resize(header.len(), String::new());
        row
    });
    Sheet { rows: rows.collect(), header, right: 1 }
}

/// A row a gate: what became of it, the gate, its figures and why.
fn gates(repeats: &Repeats) -> Vec<[String; 3]> {
    let judged = repeats.judgement.iter().flat_map(|judgement| &judgement.gates);
    judged.map(|judged| [judged.outcome.as_str().to_owned(), named(repeats, judged), told(judged)]).collect()
}

/// The gate, and the target where it names none and there are several.
fn named(repeats: &Repeats, judged: &JudgedGate) -> String {
    let target = judged.target.and_then(|at| repeats.targets.get(at)).filter(|_| repeats.targets.len() > 1);
    match target.filter(|target| !judged.gate.starts_with(&format!("{}.", target.name))) {
        Some(target) => format!("{}: {}", target.name, judged.gate),
        None => judged.gate.clone(),
    }
}

fn told(judged: &JudgedGate) -> String {
    let parts = [judged.figures(), judged.reason.clone().unwrap_or_default()];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")
}

fn title(repeats: &Repeats) -> String {
    let about = repeats.manifest.about.as_ref().map(|about| format!(": {about}")).unwrap_or_default();
    format!("{}{about}", repeats.manifest.name)
}

/// What has to be read before any figure.
fn first(repeats: &Repeats) -> Vec<String> {
    let invalid = repeats.invalid.as_ref().map(|why| format!("INVALID: {why}."));
    repeats.unfinished().into_iter().chain(invalid).collect()
}

/// Writes it for a terminal: the runs one by one first, and the verdict last.
pub fn repeats_table(repeats: &Repeats, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let width = usize::from(look.width.clamp(40, 160));
    wrapped(out, &title(repeats), width, "")?;
    wrapped(out, &repeats.how(), width, "")?;
    if !repeats.runs.is_empty() {
        writeln!(out)?;
        wrapped(out, &format!("{} of each run", metric_words(&repeats.primary)), width, "")?;
        let sheet = each(repeats);
        print(sheet.header, sheet.rows, sheet.right, look, out)?;
    }
    for sheet in metrics(repeats) {
        writeln!(out)?;
        print(sheet.header, sheet.rows, sheet.right, look, out)?;
    }
    if !repeats.comparisons.is_empty() {
        writeln!(out)?;
        wrapped(out, &repeats.ratios_words(), width, "")?;
    }
    repeats.notes.iter().try_for_each(|note| wrapped(out, &format!("! {note}"), width, "  "))?;
    let rows = gates(repeats);
    if !rows.is_empty() {
        writeln!(out)?;
        let header = ["outcome", "gate", "value over the runs (95 % CI) and reason"].map(str::to_owned).to_vec();
        print(header, rows.into_iter().map(Vec::from).collect(), 1, look, out)?;
    }
    let mut adapted = repeats.judgement.iter().filter_map(|judgement| judgement.adapted.as_ref());
    adapted.try_for_each(|words| wrapped(out, words, width, "  "))?;
    writeln!(out)?;
    first(repeats).iter().try_for_each(|words| wrapped(out, words, width, "  "))?;
    repeats.headlines().iter().try_for_each(|headline| wrapped(out, headline, width, "  "))
}

/// Writes `report.md`, for a pull request.
pub fn repeats_markdown(repeats: &Repeats, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "### {}\n", plain(&title(repeats)))?;
    first(repeats).iter().try_for_each(|words| writeln!(out, "**{}**\n", plain(words)))?;
    repeats.headlines().iter().try_for_each(|headline| writeln!(out, "**{}**\n", plain(headline)))?;
    writeln!(out, "{}\n", plain(&repeats.how()))?;
    let rows = gates(repeats);
    if !rows.is_empty() {
        writeln!(out, "| outcome | gate | value over the runs (95 % CI) and reason |\n|:--|:--|:--|")?;
        for [outcome, gate, told] in &rows {
            let outcome = if outcome == "FAIL" { "**FAIL**" } else { outcome };
            writeln!(out, "| {outcome} | {} | {} |", plain(gate), plain(told))?;
        }
        writeln!(out)?;
    }
    let sheet = |sheet: &Sheet, out: &mut dyn Write| {
        writeln!(out, "| {} |\n|:--|{}", cells(&sheet.header), "--:|".repeat(sheet.header.len() - 1))?;
        sheet.rows.iter().try_for_each(|row| writeln!(out, "| {} |", cells(row)))?;
        writeln!(out)
    };
    metrics(repeats).iter().try_for_each(|one| sheet(one, out))?;
    if !repeats.runs.is_empty() {
        writeln!(out, "**{} of each run**\n", plain(&metric_words(&repeats.primary)))?;
        sheet(&each(repeats), out)?;
    }
    if !repeats.comparisons.is_empty() {
        writeln!(out, "{}\n", plain(&repeats.ratios_words()))?;
    }
    repeats.notes.iter().try_for_each(|note| writeln!(out, "- {}", plain(note)))
}

/// Writes `junit.xml`: the gates over the runs, and that it was cut short or is worthless where it is.
pub fn repeats_junit(repeats: &Repeats, out: &mut dyn Write) -> io::Result<()> {
    let suite = &repeats.manifest.name;
    let stopped = first(repeats).into_iter().map(|message| {
        let name = "the runs ended by themselves and count";
        Case::error(suite, name, "unfinished", message)
    });
    let counts = repeats.manifest.inconclusive;
    let judged = repeats.judgement.iter().flat_map(|judgement| &judgement.gates);
    let cases = gates(repeats)
        .into_iter()
        .zip(judged)
        .map(|([_, name, message], judged)| Case::judged(suite, name, judged.outcome, counts, message));
    junit(&stopped.chain(cases).collect::<Vec<_>>(), out)
}
