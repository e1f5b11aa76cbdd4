//! What limits may look like: a metric, a figure of it, a comparison, a value with its unit.

use super::words::{SloError, UNITS, Word, words};
use super::{Figure, Limit, Measure};
use crate::metrics;
use crate::metrics::human::printable;
use crate::scenario::cut::quantile;
use crate::scenario::nearest;

/// Every name that a limit may begin with, what people write in the place of longer ones first.
fn names() -> impl Iterator<Item = &'static str> {
    metrics::ids().filter(|id| metrics::metric(id).is_some_and(|metric| metric.slo))
}

const OPERATORS: &str = "write <= for times and errors, >= for tokens_per_s and goodput";
const FORM: &str = "a limit is METRIC.FIGURE <= VALUE: ttft.p95 <= 300ms, errors <= 1%; several are joined by `and`";

/// Reads limits joined by `and` (or commas), by ids or, where that fails, by labels.
pub(super) fn limits(text: &str) -> Result<Vec<Limit>, SloError> {
    let by_ids = read(text);
    match metrics::typed(text).filter(|_| by_ids.is_err()) {
        None => by_ids,
        Some(typed) => {
            let in_text = |error: SloError| SloError { at: typed.back(error.at), text: printable(text), ..error };
            read(&typed.text).map_err(in_text)
        }
    }
}

fn read(text: &str) -> Result<Vec<Limit>, SloError> {
    let shown = printable(text);
    let words = words(&shown);
    let end = Word { text: String::new(), at: shown.trim_end().chars().count() };
    let mut limits: Vec<Limit> = Vec::new();
    let mut rest = words.iter();
    loop {
        let mut next = |what: &str| rest.next().ok_or_else(|| end.wrong(&shown, format!("{what} is missing"), FORM));
        let (name, operator, value) = (next("a metric")?, next("a comparison")?, next("a value")?);
        limits.push(limit(&shown, name, operator, value)?);
        match rest.next() {
            None => return Ok(limits),
            Some(word) if matches!(word.text.as_str(), "and" | "," | "&&") => {}
            Some(word) => return Err(word.wrong(&shown, format!("`{}` where `and` should be", word.text), FORM)),
        }
    }
}

fn limit(whole: &str, name: &Word, operator: &Word, value: &Word) -> Result<Limit, SloError> {
    let (word, figure) = match name.text.split_once('.') {
        Some((word, figure)) => (word, Some(figure)),
        None => (name.text.as_str(), None),
    };
    let Some(measure) = metrics::metric(word).filter(|metric| metric.slo).and_then(Measure::of) else {
        let help = match nearest(word, names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("limits can be on {}", names().collect::<Vec<_>>().join(", ")),
        };
        let part = Word { text: word.to_owned(), at: name.at };
        return Err(part.wrong(whole, format!("unknown metric `{word}`"), help));
    };
    let share = matches!(measure, Measure::Errors | Measure::Goodput);
    let figure = match (figure, share) {
        (None, true) => Figure::Share,
        (Some(_), true) => {
            return Err(name.wrong(whole, format!("`{word}` is a share of the requests, without figures"), FORM));
        }
        (None, false) => {
            let help = format!("such as {word}.p95 or {word}.mean");
            return Err(name.wrong(whole, format!("the figure of `{word}` is missing"), help));
        }
        (Some(figure), false) => match read_figure(figure) {
            Some(figure) => figure,
            None => {
                let help = "figures: mean, and percentiles from p1 to p99.9, such as p50, p90, p95, p99";
                let part = Word { text: figure.to_owned(), at: name.at + word.chars().count() + 1 };
                return Err(part.wrong(whole, format!("unknown figure `{figure}`"), help));
            }
        },
    };
    let at_most = match operator.text.as_str() {
        "<=" | "≤" => true,
        ">=" | "≥" => false,
        other => return Err(operator.wrong(whole, format!("`{other}` is not a comparison for a limit"), OPERATORS)),
    };
    if at_most != measure.at_most() {
        let what = format!("a limit on `{word}` is {} one", if measure.at_most() { "an upper" } else { "a lower" });
        return Err(operator.wrong(whole, what, OPERATORS));
    }
    let bound = read_value(whole, value, measure)?;
    let operator = if at_most { "<=" } else { ">=" };
    Ok(Limit { measure, figure, bound, text: format!("{} {operator} {}", name.text, value.text) })
}

fn read_figure(word: &str) -> Option<Figure> {
    if word == "mean" {
        return Some(Figure::Mean);
    }
    quantile(word).map(Figure::Quantile)
}

fn read_value(whole: &str, value: &Word, measure: Measure) -> Result<f64, SloError> {
    let at = value.text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(value.text.len());
    let (digits, unit) = value.text.split_at(at);
    let known = UNITS.iter().find(|(known, ..)| *known == unit);
    let wants = match measure {
        Measure::TokensPerS => "tokens per second, such as 20",
        Measure::Errors | Measure::Goodput => "a share, such as 1%",
        _ => "a time with its unit, such as 300ms",
    };
    let wrong = |what: &str| value.wrong(whole, format!("`{}` {what}", value.text), format!("it must be {wants}"));
    let number: f64 = digits.parse().map_err(|_| wrong("is not a value"))?;
    let fits = match (measure, known) {
        (Measure::TokensPerS, Some((unit, ..))) => unit.ends_with("/s"),
        (Measure::TokensPerS, None) => unit.is_empty(),
        (Measure::Errors | Measure::Goodput, known) => known.is_some_and(|(unit, ..)| *unit == "%") || unit.is_empty(),
        (_, known) => known.is_some_and(|(.., time)| *time),
    };
    if !fits {
        return Err(wrong("has the wrong unit"));
    }
    let bound = number * known.map_or(1.0, |(_, factor, _)| *factor);
    let zero_is_right = measure == Measure::Errors;
    let share = matches!(measure, Measure::Errors | Measure::Goodput);
    if !bound.is_finite() || bound < 0.0 || bound == 0.0 && !zero_is_right || share && bound > 1.0 {
        return Err(wrong("is not a limit"));
    }
    Ok(bound)
}
