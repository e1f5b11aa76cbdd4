//! How long a run is measured, in words: beforehand by its bounds, and afterwards by what it came to.

use super::human;
use crate::drive::{Found, Why};
use crate::scenario::plan::{Plan, Until};
use crate::scenario::{Order, Span};
use std::time::Duration;

fn time(span: Span) -> String {
    human::time(span.0.as_secs_f64() * 1e6)
}

/// A length that somebody set, as it was written, with its unit after a space: `500 ms`, `90 s`, `3 min`.
pub fn span(length: Span) -> String {
    let text = length.to_string();
    let (number, unit) = text.split_at(text.find(char::is_alphabetic).unwrap_or(text.len()));
    format!("{number} {}", if unit == "m" { "min" } else { unit })
}

/// How long a load is measured, as it is known beforehand: `20 s`, `500 requests`, `20 s to 3 min`; `each` = `" each"` where there are
/// several targets.
pub fn length_words(plan: &Plan, each: &str) -> String {
    match (plan.load.until(), plan.least) {
        (Until::Duration(most), Some(least)) if least.time < most => {
            format!("{} to {}", span(least.time), span(most))
        }
        (Until::Duration(length), _) => span(length),
        (Until::Requests(n), Some(_)) => format!("at most {}{each}", human::counted(n, "request", "requests")),
        (Until::Requests(n), None) => format!("{}{each}", human::counted(n, "request", "requests")),
    }
}

/// What a run that may end early waits for, as the end of a sentence; nothing for others.
pub fn early_words(plan: &Plan) -> String {
    match (plan.until_ci, plan.least) {
        (Some(ci), _) if plan.order != Order::Isolated => {
            format!(", until the main metric is decided or its ratio known within {}", human::share(ci.0))
        }
        (_, Some(least)) => format!(", until each has {}", answers_words(least.answers)),
        (_, None) => String::new(),
    }
}

/// What became of a run that found its own length: `34.2 s (20 s to 3 min: …)`.
pub fn found_words(plan: &Plan, found: &Found) -> String {
    format!("{} ({}: {})", time(found.length), length_words(plan, " each"), why_words(plan, found))
}

/// Why a run has its length.
pub fn why_words(plan: &Plan, found: &Found) -> String {
    let first = time(found.first);
    let ci = plan.until_ci.map_or_else(String::new, |ci| human::share(ci.0));
    match found.why {
        Why::Decided => format!("decided after {first}"),
        Why::Known => format!("by the variation in the first {first}, the main ratio is then known within {ci}"),
        Why::Most(needs) => format!("a ratio within {ci} would take about {}", about(needs.0)),
        Why::Unknown => {
            format!(
                "the first {first}, with {} each, don't show how long a ratio within {ci} would take",
                answers_words(found.answers)
            )
        }
        Why::Failing => "a target fails, and a longer run would not help".to_owned(),
        Why::Least => "there is no ratio to estimate".to_owned(),
        Why::Answers => {
            format!("until each had {}", answers_words(plan.least.map_or(0, |least| least.answers)))
        }
    }
}

/// `1 answer`, `36 answers`.
pub fn answers_words(answers: u64) -> String {
    human::counted(answers, "answer", "answers")
}

/// A length of time to the second, or the minute where it is long.
pub fn about(time: Duration) -> String {
    human::length(time.as_secs_f64().ceil())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::report;
    use crate::scenario::{Least, Share, Task};
    use std::time::Duration;

    #[test]
    fn a_length_that_was_set_has_its_unit_after_a_space() {
        for (ms, text) in [
            (0, "0 s"),
            (500, "500 ms"),
            (1500, "1.5 s"),
            (20_000, "20 s"),
            (60_000, "60 s"),
            (90_000, "90 s"),
            (180_000, "3 min"),
            (7_200_000, "2 h"),
            (5_400_000, "90 min"),
        ] {
            assert_eq!(span(Span(Duration::from_millis(ms))), text);
        }
    }

    #[test]
    fn lengths_in_words_beforehand_and_afterwards() {
        let s = |s: u64| Span(Duration::from_secs(s));
        let mut plan = report(Task::Classify, true).plan;
        assert_eq!((length_words(&plan, ""), early_words(&plan)), ("20 s".to_owned(), String::new()));
        plan.least = Some(Least { time: s(5), answers: 30 });
        assert_eq!(early_words(&plan), ", until each has 30 answers");
        plan.until_ci = Some(Share(0.05));
        assert_eq!(length_words(&plan, ""), "5 s to 20 s");
        assert_eq!(early_words(&plan), ", until the main metric is decided or its ratio known within 5 %");
        let told = |length: u64, why| found_words(&plan, &Found { first: s(5), answers: 36, length: s(length), why });
        let told = [
            told(5, Why::Decided),
            told(11, Why::Known),
            told(20, Why::Most(s(720))),
            told(20, Why::Unknown),
            told(5, Why::Failing),
            told(5, Why::Least),
            told(9, Why::Answers),
        ];
        let expected = [
            "5.00 s (5 s to 20 s: decided after 5.00 s)",
            "11.0 s (5 s to 20 s: by the variation in the first 5.00 s, the main ratio is then known within 5 %)",
            "20.0 s (5 s to 20 s: a ratio within 5 % would take about 12 min)",
            "20.0 s (5 s to 20 s: the first 5.00 s, with 36 answers each, don't show how long a ratio within 5 % would take)",
            "5.00 s (5 s to 20 s: a target fails, and a longer run would not help)",
            "5.00 s (5 s to 20 s: there is no ratio to estimate)",
            "9.00 s (5 s to 20 s: until each had 30 answers)",
        ];
        assert_eq!(told, expected);
    }
}
