//! Two runs beside each other: for the terminal, a pull request, and programs.

use super::csv_text::{number, rows, text};
use super::draw::{Look, print, verdict, wrapped};
use super::gates;
use super::lines::{in_order, reasons_of, values};
use super::markup::plain;
use crate::metrics::{metric_words, value_words};
use crate::report::words::{ratio_clause, ratio_words};
use crate::report::{Pair, Relation, TwoRuns, pretty};
use crate::stats::Comparison;
use std::io::{self, Write};

/// Writes it for a terminal.
pub fn compare_table(beside: &TwoRuns, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let width = usize::from(look.width.clamp(40, 160));
    wrapped(out, &headline(beside), width, "")?;
    for pair in &beside.pairs {
        writeln!(out)?;
        wrapped(out, &sentence(beside, pair), width, "")?;
        writeln!(out)?;
        let header =
            [pair_name(pair), columns(beside).0, columns(beside).1, "ratio (95 % CI)".into(), "verdict".into()];
        let lines = in_order(&pair.comparisons);
        let row = |(name, c): &(String, &Comparison)| {
            let (first, second) = values(c);
            let mut row = vec![name.clone(), first, second];
            row.extend(verdict(Some(c)));
            row
        };
        print(header.to_vec(), lines.iter().map(row).collect(), 3, look, out)?;
        for (reason, metrics) in reasons_of(&pair.comparisons) {
            wrapped(out, &format!("undecided: {} ({reason})", metrics.join(", ")), width, "  ")?;
        }
        if let Some(words) = pair.floor_words() {
            wrapped(out, &words, width, "  ")?;
        }
    }
    writeln!(out)?;
    let gates = gates::rows_of(beside.judgement.as_ref(), &beside.targets);
    if !gates.is_empty() {
        gates::table_of(gates, look, out)?;
        writeln!(out)?;
    }
    for note in told(beside) {
        wrapped(out, &format!("! {note}"), width, "  ")?;
    }
    Ok(())
}

/// Writes it for a pull request.
pub fn compare_markdown(beside: &TwoRuns, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "### {}\n", plain(&headline(beside)))?;
    let gates = gates::markdown_of(&gates::rows_of(beside.judgement.as_ref(), &beside.targets));
    gates.iter().try_for_each(|line| writeln!(out, "{line}"))?;
    for pair in &beside.pairs {
        writeln!(out, "**{}**\n", plain(&sentence(beside, pair)))?;
        let (first, second) = columns(beside);
        writeln!(
            out,
            "| {} | {} | {} | ratio (95 % CI) | verdict |",
            plain(&pair_name(pair)),
            plain(&first),
            plain(&second)
        )?;
        writeln!(out, "|:--|--:|--:|--:|:--|")?;
        for (name, c) in in_order(&pair.comparisons) {
            let (ratio, (first, second)) = (ratio_words(c).unwrap_or_default(), values(c));
            writeln!(out, "| {} | {first} | {second} | {ratio} | {} |", plain(&name), c.verdict.as_str())?;
        }
        writeln!(out)?;
        if let Some(words) = pair.floor_words() {
            writeln!(out, "{}\n", plain(&words))?;
        }
    }
    told(beside).iter().try_for_each(|note| writeln!(out, "- {}", plain(note)))
}

/// Writes it as JSON.
pub fn compare_json(beside: &TwoRuns, out: &mut dyn Write) -> io::Result<()> {
    pretty(out, beside)
}

/// Writes one row per target and metric.
pub fn compare_csv(beside: &TwoRuns, out: &mut dyn Write) -> io::Result<()> {
    let header = [
        "metric",
        "unit",
        "first_target",
        "second_target",
        "first_value",
        "second_value",
        "ratio",
        "low",
        "high",
        "verdict",
        "reason",
    ];
    let cells = beside.pairs.iter().flat_map(|pair| {
        pair.comparisons.iter().map(move |c| {
            let [first, second, ratio, low, high, verdict, reason] = cells_of(c);
            let [one, other] = [&pair.first, &pair.second].map(|name| text(name).into_owned());
            [c.metric.clone(), c.unit.clone(), one, other, first, second, ratio, low, high, verdict, reason]
        })
    });
    rows(out, header, cells)
}

/// What a comparison of two runs comes to, for a sheet: the first run's value and the second's, ratio, its interval, verdict, reason.
pub(super) fn cells_of(c: &Comparison) -> [String; 7] {
    let [first, second, ratio, low, high] = [c.reference_value, c.target_value, c.ratio, c.low, c.high].map(number);
    let reason = text(c.reason.as_deref().unwrap_or_default()).into_owned();
    [first, second, ratio, low, high, c.verdict.as_str().to_owned(), reason]
}

fn headline(beside: &TwoRuns) -> String {
    match beside.relation {
        Relation::Compare => format!(
            "{} ({}) and {} ({}): ratio = second ÷ first.",
            beside.first.name, beside.first.started, beside.second.name, beside.second.started
        ),
        Relation::Interference => {
            "Interference: the cost of sharing the machine, per target. Ratio = at once ÷ one after another.".to_owned()
        }
    }
}

/// What the columns of values are called.
fn columns(beside: &TwoRuns) -> (String, String) {
    match beside.relation {
        Relation::Compare => ("first".to_owned(), "second".to_owned()),
        Relation::Interference => ("alone".to_owned(), "at once".to_owned()),
    }
}

fn pair_name(pair: &Pair) -> String {
    if pair.first == pair.second { pair.first.clone() } else { format!("{} / {}", pair.second, pair.first) }
}

/// What came of the main metric.
fn sentence(beside: &TwoRuns, pair: &Pair) -> String {
    let metric = metric_words(&beside.primary);
    let Some(c) = pair.comparisons.iter().find(|c| c.metric == beside.primary) else {
        return format!("{}: {metric} was not measured in both runs.", pair_name(pair));
    };
    let (Some(first), Some(second)) = (c.reference_value, c.target_value) else {
        return format!("{}: {metric} was not measured in both runs.", pair_name(pair));
    };
    let (first, second) = (value_words(&c.metric, &c.unit, first), value_words(&c.metric, &c.unit, second));
    let values = match beside.relation {
        Relation::Compare => format!("{first} before, {second} now"),
        Relation::Interference => format!("{first} alone, {second} with the others"),
    };
    let ratio = ratio_clause(c);
    let why = c.reason.as_deref().map(|why| format!("; {why}")).unwrap_or_default();
    format!("{}: {metric} {}: {values}{ratio}{why}.", pair_name(pair), c.verdict.as_str())
}

/// What to be careful about.
fn told(beside: &TwoRuns) -> Vec<String> {
    beside.notes.iter().cloned().chain(differences(beside)).collect()
}

/// What the two runs don't have in common, in sentences: targets, settings, engines.
pub(super) fn differences(beside: &TwoRuns) -> Vec<String> {
    let mut told = Vec::new();
    if !beside.unmatched.is_empty() {
        told.push(format!("Without a counterpart: {}.", beside.unmatched.join(", ")));
    }
    let unlike = |u: &crate::report::Unlike| format!("{} {} vs {}", u.what, u.first, u.second);
    told.extend(beside.unlike.iter().map(|u| format!("The runs differ in {}.", unlike(u))));
    for pair in &beside.pairs {
        told.extend(pair.unlike.iter().map(|u| format!("{} differs in {}.", pair_name(pair), unlike(u))));
    }
    told
}
