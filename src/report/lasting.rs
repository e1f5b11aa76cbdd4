//! How long a run is measured, in words: beforehand by its bounds, and afterwards by what it came to.

use super::human;
use super::words::about;
use crate::drive::{Found, Why};
use crate::scenario::plan::{Plan, Until};
use crate::scenario::{Order, Span};

fn time(span: Span) -> String {
    human::time(span.0.as_secs_f64() * 1e6)
}

/// How long a load is measured, as it is known beforehand: `20s`, `500 requests`, `20s to 3m`; `each` = `" each"` where there are
/// several targets.
pub fn length_words(plan: &Plan, each: &str) -> String {
    match (plan.load.until(), plan.least) {
        (Until::Duration(most), Some(least)) if least.time < most => format!("{} to {most}", least.time),
        (Until::Duration(length), _) => length.to_string(),
        (Until::Requests(n), Some(_)) => format!("at most {n} requests{each}"),
        (Until::Requests(n), None) => format!("{n} requests{each}"),
    }
}

/// What a run that may end early waits for, as the end of a sentence; nothing for others.
pub fn early_words(plan: &Plan) -> String {
    match (plan.until_ci, plan.least) {
        (Some(ci), _) if plan.order != Order::Isolated => {
            format!(", until the main metric is decided or its ratio known within {ci}")
        }
        (_, Some(least)) => format!(", until each has {} answers", least.answers),
        (_, None) => String::new(),
    }
}

/// What became of a run that found its own length: `34.2 s (20s to 3m: …)`.
pub fn found_words(plan: &Plan, found: &Found) -> String {
    format!("{} ({}: {})", time(found.length), length_words(plan, " each"), why_words(plan, found))
}

/// Why a run has its length.
pub fn why_words(plan: &Plan, found: &Found) -> String {
    let first = time(found.first);
    let ci = plan.until_ci.map_or_else(String::new, |ci| ci.to_string());
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
            format!("until each had {} answers", plan.least.map_or(0, |least| least.answers))
        }
    }
}

/// `1 answer`, `36 answers`.
pub fn answers_words(answers: u64) -> String {
    if answers == 1 { "1 answer".to_owned() } else { format!("{answers} answers") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::report;
    use crate::scenario::{Least, Share, Task};
    use std::time::Duration;

    #[test]
    fn lengths_in_words_beforehand_and_afterwards() {
        let s = |s: u64| Span(Duration::from_secs(s));
        let mut plan = report(Task::Classify, true).plan;
        assert_eq!((length_words(&plan, ""), early_words(&plan)), ("20s".to_owned(), String::new()));
        plan.least = Some(Least { time: s(5), answers: 30 });
        assert_eq!(early_words(&plan), ", until each has 30 answers");
        plan.until_ci = Some(Share(0.05));
        assert_eq!(length_words(&plan, ""), "5s to 20s");
        assert_eq!(early_words(&plan), ", until the main metric is decided or its ratio known within 5%");
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
            "5.00 s (5s to 20s: decided after 5.00 s)",
            "11.0 s (5s to 20s: by the variation in the first 5.00 s, the main ratio is then known within 5%)",
            "20.0 s (5s to 20s: a ratio within 5% would take about 12 min)",
            "20.0 s (5s to 20s: the first 5.00 s, with 36 answers each, don't show how long a ratio within 5% would take)",
            "5.00 s (5s to 20s: a target fails, and a longer run would not help)",
            "5.00 s (5s to 20s: there is no ratio to estimate)",
            "9.00 s (5s to 20s: until each had 30 answers)",
        ];
        assert_eq!(told, expected);
    }
}
