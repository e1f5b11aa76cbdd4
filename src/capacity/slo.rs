//! The limits that a target has to keep, as a person writes them: `ttft.p95 <= 300ms and errors <= 1%`.

use crate::scenario::nearest;

/// What a limit is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Time to first token, from the planned instant.
    Ttft,
    /// Time to the end of the answer, from the planned instant.
    Latency,
    /// Mean gap between tokens of a request.
    Itl,
    /// Time per output token.
    Tpot,
    /// Longest wait between two pieces of an answer.
    GapMax,
    /// Output tokens of a request per second of its latency.
    TokensPerS,
    /// Share of requests without a complete answer.
    Errors,
    /// Share of requests that have an answer and kept every limit on times and token rates.
    Goodput,
}

/// Every name that a limit may begin with.
const NAMES: [(&str, Measure); 9] = [
    ("ttft", Measure::Ttft),
    ("latency", Measure::Latency),
    ("response", Measure::Latency),
    ("itl", Measure::Itl),
    ("tpot", Measure::Tpot),
    ("gap_max", Measure::GapMax),
    ("tokens_per_s", Measure::TokensPerS),
    ("errors", Measure::Errors),
    ("goodput", Measure::Goodput),
];

/// What of a measure is limited.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Figure {
    /// Its mean over answered requests.
    Mean,
    /// The quantile (0 to 1) over all requests; one without an answer counts as infinitely slow.
    Quantile(f64),
    /// The share itself, of errors and goodput.
    Share,
}

/// One limit.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    /// What it is on.
    pub measure: Measure,
    /// What of it.
    pub figure: Figure,
    /// Microseconds, tokens per second, or a share from 0 to 1.
    pub bound: f64,
    /// As it was written, but for its spaces.
    pub text: String,
}

impl Measure {
    /// Whether a limit is an upper one.
    pub fn at_most(self) -> bool {
        !matches!(self, Measure::TokensPerS | Measure::Goodput)
    }

    /// Whether it is a time.
    pub fn is_time(self) -> bool {
        !matches!(self, Measure::TokensPerS | Measure::Errors | Measure::Goodput)
    }

    /// Whether it can only be measured of streamed answers.
    pub fn needs_stream(self) -> bool {
        matches!(self, Measure::Ttft | Measure::Itl | Measure::Tpot | Measure::GapMax)
    }

    /// Unit of its values.
    pub fn unit(self) -> &'static str {
        use crate::stats::unit;
        match self {
            Measure::TokensPerS => unit::TOKENS_PER_S,
            Measure::Errors | Measure::Goodput => unit::ONE,
            _ => unit::MICROS,
        }
    }
}

impl Limit {
    /// What it is on, without its bound: `ttft.p95`.
    pub fn subject(&self) -> &str {
        self.text.split(' ').next().unwrap_or_default()
    }

    /// Whether a single request keeps it by itself: so it is of times and token rates, whatever the figure.
    pub fn of_each(&self) -> bool {
        self.measure.is_time() || self.measure == Measure::TokensPerS
    }

    /// Whether a value lies beyond it.
    pub fn broken_by(&self, value: f64) -> bool {
        if self.measure.at_most() { value > self.bound } else { value < self.bound }
    }
}

/// All limits; a rate is sustained if every one is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Slo {
    /// The limits, in the order written; one on errors is added where there is none.
    pub limits: Vec<Limit>,
    /// Whether that one was added.
    pub errors_added: bool,
}

/// Errors that are allowed where nothing is said of them: a target that fails fast is not a fast one.
const ERRORS: &str = "errors <= 1%";

/// Requests beyond a limit that should be expected at the limit itself.
const EXPECTED_BEYOND: f64 = 80.0;
/// Requests that a mean needs.
const MEAN_NEEDS: u64 = 400;

/// Why a text is no list of limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SloError {
    /// What is wrong.
    pub what: String,
    /// The text.
    pub text: String,
    /// Place of the wrong part in characters, and its length.
    pub at: (usize, usize),
    /// What to do.
    pub help: String,
}

impl std::fmt::Display for SloError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let caret = format!("{}{}", " ".repeat(self.at.0), "^".repeat(self.at.1.max(1)));
        write!(
            f,
            "error: {}\n --> --slo, column {}\n  |\n  | {}\n  | {caret}\n  = {}",
            self.what,
            self.at.0 + 1,
            self.text,
            self.help
        )
    }
}

impl std::error::Error for SloError {}

/// A word of the text and its place in characters.
#[derive(Clone, Debug)]
struct Word {
    text: String,
    at: usize,
}

impl Word {
    fn wrong(&self, whole: &str, what: String, help: impl Into<String>) -> SloError {
        SloError { what, text: whole.to_owned(), at: (self.at, self.text.chars().count()), help: help.into() }
    }
}

const OPERATORS: &str = "write <= for times and errors, >= for tokens_per_s and goodput";
const FORM: &str = "a limit is METRIC.FIGURE <= VALUE: ttft.p95 <= 300ms, errors <= 1%; several are joined by `and`";

impl Slo {
    /// Reads limits joined by `and` (or commas).
    pub fn parse(text: &str) -> Result<Self, SloError> {
        let shown: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let words = words(&shown);
        let end = Word { text: String::new(), at: shown.trim_end().chars().count() };
        let mut limits: Vec<Limit> = Vec::new();
        let mut rest = words.iter();
        loop {
            let mut next =
                |what: &str| rest.next().ok_or_else(|| end.wrong(&shown, format!("{what} is missing"), FORM));
            let (name, operator, value) = (next("a metric")?, next("a comparison")?, next("a value")?);
            limits.push(limit(&shown, name, operator, value)?);
            match rest.next() {
                None => break,
                Some(word) if matches!(word.text.as_str(), "and" | "," | "&&") => {}
                Some(word) => return Err(word.wrong(&shown, format!("`{}` where `and` should be", word.text), FORM)),
            }
        }
        let errors_added = !limits.iter().any(|limit| limit.measure == Measure::Errors);
        if errors_added {
            limits.push(Limit {
                measure: Measure::Errors,
                figure: Figure::Share,
                bound: 0.01,
                text: ERRORS.to_owned(),
            });
        }
        Ok(Self { limits, errors_added })
    }

    /// The limits as one text, which reads back as these.
    pub fn text(&self) -> String {
        self.limits.iter().map(|limit| limit.text.as_str()).collect::<Vec<_>>().join(" and ")
    }

    /// Requests that a certain pass of an open loop has to rest on. A queue that is seldom long hides from few requests: of the
    /// share that may be beyond a percentile's limit, so many should be expected that several excursions are among them.
    pub fn requests_needed(&self) -> u64 {
        let of = |limit: &Limit| match limit.figure {
            Figure::Quantile(q) => {
                let beyond = if limit.measure.at_most() { 1.0 - q } else { q };
                (EXPECTED_BEYOND / beyond).ceil() as u64
            }
            Figure::Mean => MEAN_NEEDS,
            Figure::Share => 0,
        };
        self.limits.iter().map(of).max().unwrap_or(0)
    }

    /// The first limit that needs streams.
    pub fn needs_stream(&self) -> Option<&Limit> {
        self.limits.iter().find(|limit| limit.measure.needs_stream())
    }
}

/// Cut at spaces, and around comparisons and commas.
fn words(text: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let kind = |c: char| match c {
        '<' | '>' | '=' | '≤' | '≥' | '!' => 1,
        ',' | '&' => 2,
        _ => 0,
    };
    let mut last = None;
    for (at, c) in text.chars().enumerate() {
        if c.is_whitespace() {
            last = None;
            continue;
        }
        match words.last_mut() {
            Some(word) if last == Some(kind(c)) => word.text.push(c),
            _ => words.push(Word { text: c.to_string(), at }),
        }
        last = Some(kind(c));
    }
    join_units(words)
}

/// A unit may stand apart from its number: `300 ms`.
fn join_units(words: Vec<Word>) -> Vec<Word> {
    let mut joined: Vec<Word> = Vec::new();
    for word in words {
        let unit = UNITS.iter().any(|(unit, ..)| *unit == word.text);
        match joined.last_mut() {
            Some(number) if unit && number.text.parse::<f64>().is_ok() => number.text.push_str(&word.text),
            _ => joined.push(word),
        }
    }
    joined
}

/// Units: their factor, and whether they are of time.
const UNITS: [(&str, f64, bool); 8] = [
    ("ns", 1e-3, true),
    ("us", 1.0, true),
    ("µs", 1.0, true),
    ("ms", 1e3, true),
    ("s", 1e6, true),
    ("%", 0.01, false),
    ("tok/s", 1.0, false),
    ("tokens/s", 1.0, false),
];

fn limit(whole: &str, name: &Word, operator: &Word, value: &Word) -> Result<Limit, SloError> {
    let (word, figure) = match name.text.split_once('.') {
        Some((word, figure)) => (word, Some(figure)),
        None => (name.text.as_str(), None),
    };
    let Some((_, measure)) = NAMES.iter().find(|(known, _)| *known == word) else {
        let near = nearest(word, NAMES.iter().map(|(name, _)| *name));
        let near = near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
        let known = NAMES.map(|(name, _)| name).join(", ");
        let part = Word { text: word.to_owned(), at: name.at };
        return Err(part.wrong(whole, format!("unknown metric `{word}`"), format!("{near}metrics: {known}")));
    };
    let measure = *measure;
    let share = matches!(measure, Measure::Errors | Measure::Goodput);
    let figure = match (figure, share) {
        (None, true) => Figure::Share,
        (Some(_), true) => {
            return Err(name.wrong(whole, format!("`{word}` is a share of the requests and has no figures"), FORM));
        }
        (None, false) => {
            let help = format!("such as {word}.p95 or {word}.mean");
            return Err(name.wrong(whole, format!("which figure of `{word}` is meant is missing"), help));
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
        other => return Err(operator.wrong(whole, format!("`{other}` is no comparison of a limit"), OPERATORS)),
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
    let digits = word.strip_prefix('p').filter(|digits| digits.starts_with(|c: char| c.is_ascii_digit()))?;
    // As in summary.csv.
    let percent: f64 = if digits == "999" { 99.9 } else { digits.parse().ok()? };
    (1.0..=99.9).contains(&percent).then_some(Figure::Quantile(percent / 100.0))
}

fn read_value(whole: &str, value: &Word, measure: Measure) -> Result<f64, SloError> {
    let at = value.text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(value.text.len());
    let (digits, unit) = value.text.split_at(at);
    let known = UNITS.iter().find(|(known, ..)| *known == unit);
    let wants = match measure {
        Measure::TokensPerS => "tokens a second, such as 20",
        Measure::Errors | Measure::Goodput => "a share, such as 1%",
        _ => "a time with its unit, such as 300ms",
    };
    let wrong = |what: &str| value.wrong(whole, format!("`{}` {what}", value.text), format!("it has to be {wants}"));
    let number: f64 = digits.parse().map_err(|_| wrong("is no value"))?;
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
        return Err(wrong("is no limit"));
    }
    Ok(bound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_with_their_units() {
        let slo =
            Slo::parse("ttft.p95<=300ms and itl.mean <= 2.5 ms, tokens_per_s.p10 >= 20 and errors <= 0.5%").unwrap();
        let told: Vec<_> = slo.limits.iter().map(|l| (l.measure, l.figure, l.bound)).collect();
        assert_eq!(
            told,
            [
                (Measure::Ttft, Figure::Quantile(0.95), 300_000.0),
                (Measure::Itl, Figure::Mean, 2500.0),
                (Measure::TokensPerS, Figure::Quantile(0.1), 20.0),
                (Measure::Errors, Figure::Share, 0.005),
            ]
        );
        assert!(!slo.errors_added);
        assert_eq!(Slo::parse(&slo.text()).unwrap().limits, slo.limits);
        assert_eq!(slo.limits[0].subject(), "ttft.p95");
    }

    #[test]
    fn errors_are_limited_where_nothing_is_said_of_them() {
        let slo = Slo::parse("latency.p99 ≤ 2s").unwrap();
        assert!(slo.errors_added && slo.limits[1].bound == 0.01);
        assert_eq!(slo.text(), "latency.p99 <= 2s and errors <= 1%");
        assert_eq!(slo.requests_needed(), 8000);
        assert_eq!(Slo::parse("latency.p95 <= 2s").unwrap().requests_needed(), 1600);
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        for (text, column, what) in [
            ("ttf.p95 <= 300ms", 1, "unknown metric `ttf`"),
            ("errors <= 1% and ttft.p0 <= 1s", 23, "unknown figure `p0`"),
            ("ttft <= 300ms", 1, "which figure of `ttft`"),
            ("errors.p95 <= 1%", 1, "has no figures"),
            ("ttft.p95 < 300ms", 10, "`<` is no comparison"),
            ("ttft.p95 >= 300ms", 10, "is an upper one"),
            ("tokens_per_s.p5 <= 3", 17, "is a lower one"),
            ("ttft.p95 <= 300", 13, "wrong unit"),
            ("ttft.p95 <= 3%", 13, "wrong unit"),
            ("errors <= 3ms", 11, "wrong unit"),
            ("errors <= 300%", 11, "no limit"),
            ("latency.p95 <= 0ms", 16, "no limit"),
            ("latency.p95 <= -3ms", 16, "no value"),
            ("ttft.p95 <=", 12, "a value is missing"),
            ("ttft.p95 <= 3ms or errors <= 1%", 17, "where `and` should be"),
            ("ttft.p95 <= 3ms and", 20, "a metric is missing"),
            ("", 1, "a metric is missing"),
        ] {
            let error = Slo::parse(text).unwrap_err();
            assert_eq!((error.at.0 + 1, error.what.contains(what)), (column, true), "{text}: {error}");
        }
        let told = Slo::parse("errors <= 1% and ttf.p95 <= 3ms").unwrap_err().to_string();
        assert!(told.contains("did you mean `ttft`?") && told.contains("tokens_per_s"), "{told}");
        let lines: Vec<&str> = told.lines().collect();
        assert_eq!(lines[4].find('^'), lines[3].find("ttf"), "{told}");
    }

    proptest::proptest! {
        #[test]
        fn no_text_upsets_it(text in "\\PC{0,40}|[a-z.<>=0-9% µ≤,&]{0,40}") {
            if let Ok(slo) = Slo::parse(&text) {
                let again = Slo::parse(&slo.text()).unwrap();
                proptest::prop_assert_eq!(again.limits, slo.limits);
            }
        }
    }
}
