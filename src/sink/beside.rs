//! Two runs beside each other: for the terminal, a pull request, and programs.

use super::csv_text::{number, rows, text};
use super::lines::in_order;
use super::markdown::plain;
use super::table::{Look, print, verdict, wrapped};
use crate::report::words::{metric_words, ratio_words};
use crate::report::{Beside, Pair, Relation, human};
use crate::stats::Comparison;
use std::io::{self, Write};

/// Writes it for a terminal.
pub fn beside_table(beside: &Beside, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let width = usize::from(look.width.clamp(40, 160));
    wrapped(out, &headline(beside), width, "")?;
    for pair in &beside.pairs {
        writeln!(out)?;
        wrapped(out, &sentence(beside, pair), width, "")?;
        writeln!(out)?;
        let header = [pair_name(pair), columns(beside).0, columns(beside).1, "ratio (95 %)".into(), "verdict".into()];
        let lines = in_order(&pair.comparisons);
        let row = |(name, c): &(String, &Comparison)| {
            let value = |x: Option<f64>| x.map_or_else(|| "–".to_owned(), |x| human::value(x, &c.unit));
            let mut row = vec![name.clone(), value(c.reference_value), value(c.target_value)];
            row.extend(verdict(Some(c)));
            row
        };
        print(header.to_vec(), lines.iter().map(row).collect(), 3, look, out)?;
        for (reason, metrics) in reasons(&pair.comparisons) {
            wrapped(out, &format!("not shown: {} ({reason})", metrics.join(", ")), width, "  ")?;
        }
    }
    writeln!(out)?;
    for note in told(beside) {
        wrapped(out, &format!("! {note}"), width, "  ")?;
    }
    Ok(())
}

/// Writes it for a pull request.
pub fn beside_markdown(beside: &Beside, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "### {}\n", plain(&headline(beside)))?;
    for pair in &beside.pairs {
        writeln!(out, "**{}**\n", plain(&sentence(beside, pair)))?;
        let (first, second) = columns(beside);
        writeln!(
            out,
            "| {} | {} | {} | ratio (95 %) | verdict |",
            plain(&pair_name(pair)),
            plain(&first),
            plain(&second)
        )?;
        writeln!(out, "|:--|--:|--:|--:|:--|")?;
        for (name, c) in in_order(&pair.comparisons) {
            let value = |x: Option<f64>| x.map_or_else(|| "–".to_owned(), |x| human::value(x, &c.unit));
            let ratio = ratio_words(c).unwrap_or_default();
            let (first, second) = (value(c.reference_value), value(c.target_value));
            writeln!(out, "| {} | {first} | {second} | {ratio} | {} |", plain(&name), c.verdict.as_str())?;
        }
        writeln!(out)?;
    }
    told(beside).iter().try_for_each(|note| writeln!(out, "- {}", plain(note)))
}

/// Writes it as JSON.
pub fn beside_json(beside: &Beside, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, beside)?;
    out.write_all(b"\n")
}

/// Writes a row a target and metric.
pub fn beside_csv(beside: &Beside, out: &mut dyn Write) -> io::Result<()> {
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
            [
                c.metric.clone(),
                c.unit.clone(),
                text(&pair.first).into_owned(),
                text(&pair.second).into_owned(),
                number(c.reference_value),
                number(c.target_value),
                number(c.ratio),
                number(c.low),
                number(c.high),
                c.verdict.as_str().to_owned(),
                text(c.reason.as_deref().unwrap_or_default()).into_owned(),
            ]
        })
    });
    rows(out, header, cells)
}

fn headline(beside: &Beside) -> String {
    match beside.relation {
        Relation::Compare => format!(
            "{} ({}) beside {} ({}): ratios are the second / the first.",
            beside.first.name, beside.first.started, beside.second.name, beside.second.started
        ),
        Relation::Interference => {
            "Interference: what sharing the machine costs each target. Ratios are at once / one after another."
                .to_owned()
        }
    }
}

/// What the columns of values are called.
fn columns(beside: &Beside) -> (String, String) {
    match beside.relation {
        Relation::Compare => ("first".to_owned(), "second".to_owned()),
        Relation::Interference => ("alone".to_owned(), "at once".to_owned()),
    }
}

fn pair_name(pair: &Pair) -> String {
    if pair.first == pair.second { pair.first.clone() } else { format!("{} / {}", pair.second, pair.first) }
}

/// What came of the main metric.
fn sentence(beside: &Beside, pair: &Pair) -> String {
    let metric = metric_words(&beside.primary);
    let Some(c) = pair.comparisons.iter().find(|c| c.metric == beside.primary) else {
        return format!("{}: {metric} was not measured in both.", pair_name(pair));
    };
    let (Some(first), Some(second)) = (c.reference_value, c.target_value) else {
        return format!("{}: {metric} was not measured in both.", pair_name(pair));
    };
    let values = format!("{} before, {} now", human::value(first, &c.unit), human::value(second, &c.unit));
    let values = match beside.relation {
        Relation::Compare => values,
        Relation::Interference => {
            format!("{} alone, {} beside the others", human::value(first, &c.unit), human::value(second, &c.unit))
        }
    };
    let ratio = ratio_words(c).map(|r| format!(", ratio {}", r.replace('(', "(95 % interval "))).unwrap_or_default();
    let why = c.reason.as_deref().map(|why| format!("; {why}")).unwrap_or_default();
    format!("{}: {metric} {}: {values}{ratio}{why}.", pair_name(pair), c.verdict.as_str())
}

/// Why verdicts aren't shown: each reason once, with its metrics.
fn reasons(comparisons: &[Comparison]) -> Vec<(&str, Vec<String>)> {
    let mut reasons: Vec<(&str, Vec<String>)> = Vec::new();
    for c in comparisons {
        let Some(reason) = c.reason.as_deref() else { continue };
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, metrics)) => metrics.push(metric_words(&c.metric)),
            None => reasons.push((reason, vec![metric_words(&c.metric)])),
        }
    }
    reasons
}

/// What to be careful about.
fn told(beside: &Beside) -> Vec<String> {
    let mut told = beside.notes.clone();
    if !beside.unmatched.is_empty() {
        told.push(format!("Compared with nothing: {}.", beside.unmatched.join(", ")));
    }
    let unlike = |u: &crate::report::Unlike| format!("{} {} against {}", u.what, u.first, u.second);
    told.extend(beside.unlike.iter().map(|u| format!("The runs differ in {}.", unlike(u))));
    for pair in &beside.pairs {
        told.extend(pair.unlike.iter().map(|u| format!("{} differs in {}.", pair_name(pair), unlike(u))));
    }
    told
}
