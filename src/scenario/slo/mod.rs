//! The limits that a target has to keep, as a person writes them: `ttft.p95 <= 300ms and errors <= 1%`.
//!
//! `loadcmp capacity` searches for the load that keeps them; a scenario's `slo` has each request judged by them (goodput).

mod grammar;
mod words;

use crate::metrics::{self, Better, Definition, Kind};
use serde::{Deserialize, Serialize};
pub use words::SloError;

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
    /// The measure of a metric, if a limit may be on it.
    fn of(metric: &Definition) -> Option<Self> {
        const LIMITED: [(Definition, Measure); 9] = [
            (metrics::TTFT, Measure::Ttft),
            (metrics::LATENCY, Measure::Latency),
            (metrics::RESPONSE, Measure::Latency),
            (metrics::ITL, Measure::Itl),
            (metrics::TPOT, Measure::Tpot),
            (metrics::ITL_MAX, Measure::GapMax),
            (metrics::TOKENS_PER_S, Measure::TokensPerS),
            (metrics::ERROR_RATE, Measure::Errors),
            (metrics::GOODPUT, Measure::Goodput),
        ];
        LIMITED.iter().find(|(known, _)| known.id == metric.id).map(|(_, measure)| *measure)
    }

    /// The metric that it is.
    pub fn metric(self) -> &'static Definition {
        match self {
            Measure::Ttft => &metrics::TTFT,
            Measure::Latency => &metrics::LATENCY,
            Measure::Itl => &metrics::ITL,
            Measure::Tpot => &metrics::TPOT,
            Measure::GapMax => &metrics::ITL_MAX,
            Measure::TokensPerS => &metrics::TOKENS_PER_S,
            Measure::Errors => &metrics::ERROR_RATE,
            Measure::Goodput => &metrics::GOODPUT,
        }
    }

    /// Whether a limit is an upper one.
    pub fn at_most(self) -> bool {
        self.metric().better == Better::Less
    }

    /// Whether it is a time.
    pub fn is_time(self) -> bool {
        self.metric().kind == Kind::Time
    }

    /// Whether it can only be measured of streamed answers.
    pub fn needs_stream(self) -> bool {
        matches!(self, Measure::Ttft | Measure::Itl | Measure::Tpot | Measure::GapMax)
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

/// All limits; a load is sustained if every one is kept. Written and read back as its text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Slo {
    /// The limits, in the order written.
    pub limits: Vec<Limit>,
    /// Whether one on errors was added ([`Slo::with_errors`]).
    pub errors_added: bool,
}

/// Errors that are allowed where nothing is said of them: a target that fails fast is not a fast one.
const ERRORS: &str = "errors <= 1%";

impl Slo {
    /// Reads limits joined by `and` (or commas).
    pub fn parse(text: &str) -> Result<Self, SloError> {
        Ok(Self { limits: grammar::limits(text)?, errors_added: false })
    }

    /// The same, with a limit on errors where there is none.
    pub fn with_errors(mut self) -> Self {
        if !self.limits.iter().any(|limit| limit.measure == Measure::Errors) {
            let text = ERRORS.to_owned();
            self.limits.push(Limit { measure: Measure::Errors, figure: Figure::Share, bound: 0.01, text });
            self.errors_added = true;
        }
        self
    }

    /// The limits as one text, which reads back as these.
    pub fn text(&self) -> String {
        self.limits.iter().map(|limit| limit.text.as_str()).collect::<Vec<_>>().join(" and ")
    }

    /// The limits that a single request keeps or breaks: what goodput is counted by.
    pub fn of_each(&self) -> impl Iterator<Item = &Limit> {
        self.limits.iter().filter(|limit| limit.of_each())
    }

    /// The first limit that needs streams.
    pub fn needs_stream(&self) -> Option<&Limit> {
        self.limits.iter().find(|limit| limit.measure.needs_stream())
    }
}

impl TryFrom<String> for Slo {
    type Error = SloError;
    fn try_from(text: String) -> Result<Self, SloError> {
        Self::parse(&text)
    }
}

impl From<Slo> for String {
    fn from(slo: Slo) -> Self {
        slo.text()
    }
}

impl schemars::JsonSchema for Slo {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Slo".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "title": "limits, as written", "type": "string" })
    }
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
    fn limits_are_on_what_the_table_says() {
        for metric in metrics::METRICS {
            let measure = Measure::of(metric);
            assert_eq!(measure.is_some(), metric.slo, "{}", metric.id);
            let alike = measure.is_none_or(|it| (it.metric().kind, it.metric().better) == (metric.kind, metric.better));
            assert!(alike, "{}", metric.id);
        }
        // People may write either word for the share of errors.
        assert_eq!(Slo::parse("error_rate <= 2%").unwrap().limits[0].measure, Measure::Errors);
    }

    #[test]
    fn errors_are_limited_where_nothing_is_said_of_them() {
        assert_eq!(Slo::parse("latency.p99 ≤ 2s").unwrap().limits.len(), 1);
        assert!(!Slo::parse("errors <= 2%").unwrap().with_errors().errors_added);
        let slo = Slo::parse("latency.p99 ≤ 2s").unwrap().with_errors();
        assert!(slo.errors_added && slo.limits[1].bound == 0.01);
        assert_eq!(slo.text(), "latency.p99 <= 2s and errors <= 1%");
        assert_eq!(slo.of_each().count(), 1);
        let labels = Slo::parse("TTFT p95 <= 300ms and errors <= 1%, tokens/s per request p5 >= 20").unwrap();
        assert_eq!(labels.text(), "ttft.p95 <= 300ms and errors <= 1% and tokens_per_s.p5 >= 20");
        let wrong = Slo::parse("TTFT p95 <= 300ms and latency p95 <= 3%").unwrap_err();
        assert_eq!((wrong.at, wrong.text.starts_with("TTFT p95")), ((37, 2), true), "{wrong}");
        let json = serde_json::to_string(&slo).unwrap();
        assert_eq!(json, "\"latency.p99 <= 2s and errors <= 1%\"");
        assert_eq!(serde_json::from_str::<Slo>(&json).unwrap().limits, slo.limits);
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        for (text, column, what) in [
            ("ttf.p95 <= 300ms", 1, "unknown metric `ttf`"),
            ("errors <= 1% and ttft.p0 <= 1s", 23, "unknown figure `p0`"),
            ("ttft <= 300ms", 1, "the figure of `ttft`"),
            ("errors.p95 <= 1%", 1, "without figures"),
            ("ttft.p95 < 300ms", 10, "`<` is not a comparison"),
            ("ttft.p95 >= 300ms", 10, "is an upper one"),
            ("tokens_per_s.p5 <= 3", 17, "is a lower one"),
            ("ttft.p95 <= 300", 13, "wrong unit"),
            ("ttft.p95 <= 3%", 13, "wrong unit"),
            ("errors <= 3ms", 11, "wrong unit"),
            ("errors <= 300%", 11, "not a limit"),
            ("latency.p95 <= 0ms", 16, "not a limit"),
            ("latency.p95 <= -3ms", 16, "not a value"),
            ("ttft.p95 <=", 12, "a value is missing"),
            ("ttft.p95 <= 3ms or errors <= 1%", 17, "where `and` should be"),
            ("ttft.p95 <= 3ms and", 20, "a metric is missing"),
            ("", 1, "a metric is missing"),
        ] {
            let error = Slo::parse(text).unwrap_err();
            assert_eq!((error.at.0 + 1, error.what.contains(what)), (column, true), "{text}: {error}");
        }
        let told = Slo::parse("errors <= 1% and ttf.p95 <= 3ms").unwrap_err().to_string();
        assert!(told.contains("did you mean `ttft`?") && !told.contains("tokens_per_s"), "{told}");
        let far = Slo::parse("nothing <= 1%").unwrap_err().to_string();
        assert!(far.contains("limits can be on") && far.contains("tokens_per_s"), "{far}");
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
