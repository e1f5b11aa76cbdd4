//! From the text of a gate to what it means; a mistake is told with its place and with what may stand there.

use super::words::{Of, UNITS, Word, words};
use super::{Bound, Definition, Figure, From, Gate, Kind, Relation, Subject, metric};
use crate::metrics::{names, typed, unit};
use crate::scenario::cut::quantile;
use crate::scenario::nearest;

/// Why a text is no gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GateError {
    /// What is wrong, in one sentence.
    pub what: String,
    /// Where in the text, in characters, and how many.
    pub at: (usize, usize),
    /// What to do.
    pub help: String,
}

impl std::fmt::Display for GateError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (at character {}): {}", self.what, self.at.0 + 1, self.help)
    }
}

impl std::error::Error for GateError {}

const FORM: &str = "a gate is SUBJECT <= BOUND: native.latency.p95 <= 20ms, native.ttft.p95 <= 1.05 * ollama.ttft.p95, \
    native.ttft.p95 <= 1.10 * baseline, errors == 0";

impl Word {
    fn wrong(&self, what: impl Into<String>, help: impl Into<String>) -> GateError {
        GateError { what: what.into(), at: (self.at, self.text.chars().count().max(1)), help: help.into() }
    }

    /// A part of it, from a character on.
    fn part(&self, from: usize, text: &str) -> Word {
        Word { text: text.to_owned(), at: self.at + from }
    }
}

/// Reads a gate, by ids or, where that fails, by labels.
pub(super) fn gate(text: &str) -> Result<Gate, GateError> {
    let by_ids = read(text);
    match typed(text).filter(|_| by_ids.is_err()) {
        None => by_ids,
        Some(typed) => read(&typed.text).map_err(|error| GateError { at: typed.back(error.at), ..error }),
    }
}

fn read(text: &str) -> Result<Gate, GateError> {
    let words = words(text);
    let end = Word { text: String::new(), at: text.trim_end().chars().count() };
    let mut rest = words.iter();
    let mut next = |what: &str| rest.next().ok_or_else(|| end.wrong(format!("{what} is missing"), FORM));
    let (first, operator) = (next("a metric")?, next("a comparison")?);
    let subject = subject(first)?;
    let relation = relation(operator, subject.metric)?;
    let side: Vec<&Word> = rest.collect();
    let bound = bound(&side, &end, &subject)?;
    check_bound(&side, &subject, relation, &bound)?;
    let text = words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
    Ok(Gate { subject, relation, bound, text })
}

fn relation(word: &Word, metric: &Definition) -> Result<Relation, GateError> {
    match word.text.as_str() {
        "<=" | "≤" | "<" => Ok(Relation::AtMost),
        ">=" | "≥" | ">" => Ok(Relation::AtLeast),
        "==" if metric.exact && metric.kind != Kind::Time || metric.kind == Kind::Share => Ok(Relation::Equal),
        "==" => Err(word.wrong(
            format!("`{}` is measured, and measured values are never exactly equal", metric.id),
            "write <= or >=; == is for shares and counts, such as errors == 0",
        )),
        other => Err(word.wrong(format!("`{other}` is not a comparison"), "write <=, >= or ==")),
    }
}

/// `[target.]metric[.figure]`. A target's name may have dots, and after the metric comes no other's name: so the last one
/// that stands there is the metric, and the target is the longest that can be meant.
fn subject(word: &Word) -> Result<Subject, GateError> {
    let parts: Vec<&str> = word.text.split('.').collect();
    let begins = |at: usize| parts[..at].iter().map(|part| part.chars().count() + 1).sum::<usize>();
    let at = parts.iter().rposition(|part| metric(part).is_some()).unwrap_or_else(|| {
        // Without any metric in it: the last word that isn't a figure was meant to be one.
        let figure = (1..parts.len()).find(|at| read_figure(&parts[*at..].join(".")).is_some());
        figure.unwrap_or(parts.len()) - 1
    });
    let Some(known) = metric(parts[at]) else { return Err(unknown(&word.part(begins(at), parts[at]))) };
    let figure = match &parts[at + 1..] {
        [] if !known.spread || known.kind == Kind::PerSecond => Figure::Mean,
        [] => {
            let help = format!("such as {}.p95 or {}.mean", word.text, word.text);
            return Err(word.wrong(format!("the figure of `{}` is missing", known.id), help));
        }
        written => {
            // A percentile may have a decimal: p99.9.
            let text = written.join(".");
            let place = word.part(begins(at + 1), &text);
            if !known.spread {
                let what = format!("`{}` is a single value without figures", known.id);
                return Err(place.wrong(what, format!("write it without `.{text}`")));
            }
            let help = "figures: mean, min, max, and percentiles from p1 to p99.9, such as p50, p90, p95, p99";
            read_figure(&text).ok_or_else(|| place.wrong(format!("unknown figure `{text}`"), help))?
        }
    };
    let target = (at > 0).then(|| parts[..at].join("."));
    Ok(Subject { target, metric: known, figure })
}

/// Whether a metric stands in it, as in `7b.latency.p95`, whose target's name begins as a number does.
fn named(word: &Word) -> bool {
    word.text.split('.').any(|part| metric(part).is_some())
}

fn unknown(word: &Word) -> GateError {
    let near = nearest(&word.text, names().map(|(name, _)| name));
    let near = near.and_then(|near| names().find(|(name, _)| *name == near));
    let near = near.map(|(_, path)| format!("did you mean `{path}`? ")).unwrap_or_default();
    word.wrong(format!("unknown metric `{}`", word.text), format!("{near}`loadcmp metrics` lists all metrics"))
}

fn read_figure(word: &str) -> Option<Figure> {
    match word {
        "mean" => Some(Figure::Mean),
        "min" => Some(Figure::Min),
        "max" => Some(Figure::Max),
        _ => quantile(word).map(Figure::Quantile),
    }
}

/// `VALUE`, or `[FACTOR *] (TARGET.METRIC | baseline) [+ VALUE | - VALUE]`
fn bound(side: &[&Word], end: &Word, subject: &Subject) -> Result<Bound, GateError> {
    let constant = |word: &Word| word.text.starts_with(|c: char| c.is_ascii_digit() || c == '.') && !named(word);
    let (factor, rest) = match side {
        [] => return Err(end.wrong("a bound is missing", FORM)),
        [value] if constant(value) => {
            let plus = value_of(value, subject.metric, false)?;
            return Ok(Bound { from: From::Constant, factor: 1.0, plus });
        }
        // Before it is taken for a name: more follows than a value has.
        [value, more, ..] if constant(value) && !matches!(more.text.as_str(), "*" | "×") => {
            return Err(ended(more));
        }
        [factor, times, rest @ ..] if matches!(times.text.as_str(), "*" | "×") => {
            let number: Option<f64> = factor.text.parse().ok();
            let number = number.filter(|x: &f64| x.is_finite() && *x > 0.0);
            let help = "a factor is a number above 0 and comes first: 1.05 * ollama.latency.p95";
            (number.ok_or_else(|| factor.wrong(format!("`{}` is not a factor", factor.text), help))?, rest)
        }
        rest => (1.0, rest),
    };
    let [from, rest @ ..] = rest else {
        return Err(end.wrong("the metric after the factor is missing", FORM));
    };
    let plus = match rest {
        [] => 0.0,
        [sign, value] if matches!(sign.text.as_str(), "+" | "-" | "−") => {
            let value = value_of(value, subject.metric, true)?;
            if sign.text == "+" { value } else { -value }
        }
        [word, ..] => {
            return Err(ended(word));
        }
    };
    Ok(Bound { from: measured_from(from, subject)?, factor, plus })
}

fn ended(word: &Word) -> GateError {
    let help = if word.text == "and" { "write two gates, each on its own line" } else { FORM };
    word.wrong(format!("`{}` where the gate should end", word.text), help)
}

fn measured_from(word: &Word, subject: &Subject) -> Result<From, GateError> {
    if word.text == "baseline" {
        return Ok(From::Baseline(subject.clone()));
    }
    if let Some(path) = word.text.strip_prefix("baseline.") {
        let of = self::subject(&word.part("baseline.".len(), path))?;
        if of.path() != subject.path() {
            let what = format!("`{}` is compared with `{}`, which is another metric", subject.path(), of.path());
            return Err(word.wrong(what, "both sides must have the same metric and figure"));
        }
        return Ok(From::Baseline(Subject { target: of.target.or(subject.target.clone()), ..of }));
    }
    if word.text.starts_with(|c: char| c.is_ascii_digit()) && !named(word) {
        return Err(word.wrong(format!("`{}` has no target", word.text), FORM));
    }
    let of = self::subject(word)?;
    if of.target.is_none() {
        let help = format!("name a target: ollama.{}", word.text);
        return Err(word.wrong(format!("`{}` has no target", word.text), help));
    }
    same(word, subject, &of)?;
    Ok(From::Target(of))
}

/// Only likes are compared: across targets one metric and figure; within one target what has the same unit, such as its p99
/// and its median, or its memory at most and at rest.
fn same(word: &Word, subject: &Subject, of: &Subject) -> Result<(), GateError> {
    let own = of.target.is_some() && of.target == subject.target;
    let alike =
        of.metric.kind == subject.metric.kind && matches!(of.metric.kind, Kind::Time | Kind::PerSecond | Kind::Bytes);
    match of.path() == subject.path() {
        true if own => {
            let what = format!("`{}` is compared with itself", subject.path());
            Err(word.wrong(what, "name another target, or another figure of this one"))
        }
        false if !(own && alike) => {
            let what = format!("`{}` is compared with `{}`, which is another metric", subject.path(), of.path());
            Err(word.wrong(
                what,
                "both sides must have the same metric and figure, or, for a single target, the same \
                                  unit",
            ))
        }
        _ => Ok(()),
    }
}

/// A value in the metric's unit. One that is added may be a number of points of a share.
fn value_of(word: &Word, metric: &Definition, added: bool) -> Result<f64, GateError> {
    let digits = word.text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(word.text.len());
    let (number, written) = word.text.split_at(digits);
    let wants = match metric.kind {
        Kind::Time => "a time with its unit, such as 20ms",
        Kind::PerSecond => "a rate, such as 25",
        Kind::Share if added => "percentage points, such as 1pp",
        Kind::Share => "a share, such as 1% or 0",
        Kind::Bytes => "a size with its unit, such as 2GiB",
        Kind::Number => "a number, such as 1.35",
    };
    let wrong = |what: &str| word.wrong(format!("`{}` {what}", word.text), format!("it must be {wants}"));
    let value: f64 = number.parse().map_err(|_| wrong("is not a value"))?;
    let known = UNITS.iter().find(|(known, ..)| *known == written);
    let of = known.map(|(.., of)| *of);
    let fits = match metric.kind {
        Kind::Time => of == Some(Of::Time) || (written.is_empty() && value == 0.0),
        Kind::PerSecond => written.is_empty() || of == Some(Of::Rate),
        Kind::Share if added => of == Some(Of::Points),
        Kind::Share => of == Some(Of::Share) || written.is_empty(),
        Kind::Bytes => of == Some(Of::Bytes) || (written.is_empty() && value == 0.0),
        Kind::Number if metric.unit == unit::JOULES => written.is_empty() || of == Some(Of::Joules),
        Kind::Number => written.is_empty(),
    };
    if !fits {
        return Err(wrong("has the wrong unit"));
    }
    let value = value * known.map_or(1.0, |(_, factor, _)| *factor);
    let possible = value.is_finite() && (metric.kind != Kind::Share || value <= 1.0);
    possible.then_some(value).ok_or_else(|| wrong("is too large"))
}

/// Bounds that can't be met, or can't be broken, are mistakes.
fn check_bound(side: &[&Word], subject: &Subject, relation: Relation, bound: &Bound) -> Result<(), GateError> {
    let Some(word) = side.last().filter(|_| bound.from == From::Constant) else {
        let Some(first) = side.first().filter(|_| relation == Relation::Equal) else { return Ok(()) };
        return Err(first.wrong("== needs a number", "use <= or >= to compare targets"));
    };
    let always = match relation {
        Relation::AtLeast => bound.plus == 0.0,
        Relation::AtMost => subject.metric.kind == Kind::Share && bound.plus >= 1.0,
        Relation::Equal => false,
    };
    let never = relation == Relation::AtMost
        && bound.plus == 0.0
        && (subject.metric.spread && subject.metric.kind == Kind::Time || subject.metric.kind == Kind::PerSecond);
    // Nought and all of it are counted; what lies between is an estimate.
    let between = !subject.metric.exact && bound.plus > 0.0 && bound.plus < 1.0;
    if relation == Relation::Equal && between {
        let what =
            format!("`{}` is measured, and a measured share is never exactly `{}`", subject.metric.id, word.text);
        return Err(word.wrong(what, "use <= or >=; shares can only be == 0 or == 100%"));
    }
    match (always, never) {
        (true, _) => Err(word.wrong("this gate always passes", "every possible value meets the bound")),
        (_, true) => Err(word.wrong("this gate always fails", "no possible value meets the bound")),
        _ => Ok(()),
    }
}
