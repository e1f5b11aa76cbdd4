//! Why requests failed, by target: the rows of the table in the terminal, in Markdown and on the page, and `failures.csv`.

use super::csv_text::{rows as write_rows, text};
use crate::record::Outcome;
use crate::report::{Report, human};
use crate::stats::{Reason, TargetSummary};
use std::io::{self, Write};

/// The heads of the table.
pub(super) const HEADS: [&str; 5] = ["target", "requests", "first", "last", "why requests failed"];

/// The rows of the table, by target, then the most frequent reason first; none where nothing failed.
pub(super) fn rows(report: &Report) -> Vec<[String; 5]> {
    let row = |target: &TargetSummary, reason: &Reason| {
        let time = |s: f64| human::time(s * 1e6);
        let times = [reason.first_s, reason.last_s].map(time);
        let [first, last] = times;
        [target.label(), human::count(reason.count), first, last, words(reason)]
    };
    report.targets.iter().flat_map(|target| target.failures.iter().map(move |reason| row(target, reason))).collect()
}

/// A reason in words: `HTTP 500: out of memory`, `truncated: no end marker`.
fn words(reason: &Reason) -> String {
    reason_words(reason.outcome, reason.http_status, &reason.words)
}

/// How requests ended, and the engine's words for it, as one.
pub(super) fn reason_words(outcome: Option<Outcome>, http_status: Option<u16>, words: &str) -> String {
    let name = outcome.map(|outcome| outcome.as_str().replace('_', " "));
    let how = match (outcome, http_status) {
        (Some(Outcome::HttpStatus), Some(status)) => Some(format!("HTTP {status}")),
        (_, Some(status)) => name.map(|name| format!("{name}, HTTP {status}")),
        (_, None) => name,
    };
    match how {
        Some(how) if words.is_empty() => how,
        Some(how) => format!("{how}: {words}"),
        None => words.to_owned(),
    }
}

/// What the table's columns are; `None` where there is no table.
pub(super) fn legend(report: &Report) -> Option<String> {
    let words = || report.targets.iter().flat_map(|target| &target.failures).map(|reason| reason.words.as_str());
    let ids = if words().any(|words| words.contains('#')) { "; # stands for numbers and ids that differ" } else { "" };
    words().next().map(|_| format!("First and last: time since the run's start{ids}."))
}

/// The requests that got no answer by our own doing, of every target, in one sentence; `None` without any.
pub(super) fn ours(report: &Report) -> Option<String> {
    let of = |target: &TargetSummary| {
        let (unsent, unfinished) = (target.ended(Outcome::Unsent), target.ended(Outcome::Unfinished));
        let told = [
            (unsent, "unsent (a limit of loadcmp)"),
            (unfinished, "unfinished (loadcmp stopped waiting when the run ended)"),
        ];
        let told: Vec<String> =
            told.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{} {what}", human::count(n))).collect();
        (!told.is_empty()).then(|| format!("{} {}", target.label(), told.join(", ")))
    };
    let told: Vec<String> = report.targets.iter().filter_map(of).collect();
    (!told.is_empty()).then(|| format!("Not failures of an engine, and not counted as errors: {}.", told.join("; ")))
}

/// Writes `failures.csv`: one row a reason.
pub fn failures_csv(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let header = ["target", "stand_in", "outcome", "http_status", "reason", "requests", "first_s", "last_s"];
    let cells = report.targets.iter().flat_map(|target| {
        target.failures.iter().map(|reason| {
            [
                text(&target.name).into_owned(),
                target.stand_in.to_string(),
                reason.outcome.map_or("", Outcome::as_str).to_owned(),
                reason.http_status.map(|status| status.to_string()).unwrap_or_default(),
                text(&reason.words).into_owned(),
                reason.count.to_string(),
                reason.first_s.to_string(),
                reason.last_s.to_string(),
            ]
        })
    });
    write_rows(out, header, cells)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::report;
    use crate::scenario::Task;

    #[test]
    fn what_is_ours_stands_apart_from_what_failed_in_one_line() {
        let mut report = report(Task::Generate, false);
        assert_eq!(ours(&report), None);
        report.targets[0].outcomes.extend([(Outcome::Unsent, 3), (Outcome::Unfinished, 2)]);
        report.targets[1].outcomes.push((Outcome::Unfinished, 4));
        let unfinished = "unfinished (loadcmp stopped waiting when the run ended)";
        let want = format!(
            "Not failures of an engine, and not counted as errors: native 3 unsent (a limit of loadcmp), 2 {unfinished}; \
             ollama \
             4 {unfinished}."
        );
        assert_eq!(ours(&report), Some(want.clone()));
        let told = |sink: crate::sink::Sink| {
            let mut bytes = Vec::new();
            sink(&report, &mut bytes).unwrap();
            String::from_utf8(bytes).unwrap().replace("&#39;", "'")
        };
        assert!(told(crate::sink::markdown).contains(&want) && told(crate::sink::html).contains(&want));
    }

    #[test]
    fn a_reason_says_how_and_why() {
        let reason = |outcome, http_status, words: &str| {
            words_of(Reason { outcome, http_status, words: words.to_owned(), count: 1, first_s: 0.0, last_s: 0.0 })
        };
        fn words_of(reason: Reason) -> String {
            words(&reason)
        }
        assert_eq!(reason(Some(Outcome::HttpStatus), Some(500), "boom"), "HTTP 500: boom");
        assert_eq!(reason(Some(Outcome::HttpStatus), Some(500), ""), "HTTP 500");
        assert_eq!(reason(Some(Outcome::Rejected), Some(429), "later"), "rejected, HTTP 429: later");
        assert_eq!(reason(Some(Outcome::ErrorFrame), None, "boom"), "error frame: boom");
        assert_eq!(reason(None, None, "other reasons"), "other reasons");
    }
}
