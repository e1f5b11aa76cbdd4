//! What the bar of a run that finds its own length tells: what it waits for, and how much of that is there.

use crate::drive::{Found, Why};
use crate::metrics::human::share as percent;
use crate::scenario::{Least, Share, Span};
use std::time::Duration;

/// How far a target is.
pub(super) struct Far {
    pub answers: u64,
    /// How long it has been measured; `None` where that isn't one stretch.
    pub time: Option<Duration>,
    /// What must be measured in any case.
    pub least: Least,
    /// The most that may be, where that is a time.
    pub most: Option<Span>,
    /// The precision that is waited for.
    pub ci: Option<Share>,
    /// How long it turned out to have to be, once that is known.
    pub found: Option<Found>,
}

/// How full its bar is, and what is waited for: `first stage: 12 of 30 answers, 8 of 20 s`, then `until ±5 %: 34 of about 80
/// answers, about 40 s left`.
pub(super) fn told(far: &Far) -> (f64, String) {
    let Far { answers, least, .. } = far;
    let Some(found) = far.found else {
        let seconds = |time: Duration| time.as_secs();
        let time = far.time.map(|time| format!(", {} of {} s", seconds(time), seconds(least.time.0)));
        let whole = far.most.map_or(least.time.0, |most| most.0);
        let share = match far.time {
            Some(time) => time.as_secs_f64() / whole.as_secs_f64().max(1e-3),
            None => 0.0,
        };
        let of = if *answers < least.answers { format!(" of {}", least.answers) } else { String::new() };
        return (share, format!("first stage: {answers}{of} answers{}", time.unwrap_or_default()));
    };
    let what = match (found.why, far.ci) {
        (Why::Known, Some(ci)) => format!("until ±{}", percent(ci.0)),
        (Why::Decided, _) => "decided".to_owned(),
        (Why::Failing, _) => "a target fails".to_owned(),
        (Why::Most(_) | Why::Unknown, _) => "to the maximum".to_owned(),
        (Why::Least | Why::Answers | Why::Known, _) => "measuring".to_owned(),
    };
    let (length, first) = (found.length.0.as_secs_f64(), found.first.0.as_secs_f64().max(1e-3));
    // At the pace of the first stage.
    let about = ((found.answers as f64 * length / first).round() as u64).max(least.answers).max(*answers);
    let left = far.time.map(|time| (length - time.as_secs_f64()).ceil());
    let left_words = match left {
        None => String::new(),
        Some(left) if left > 0.0 => format!(", about {left:.0} s left"),
        Some(_) if *answers < least.answers && found.why != Why::Failing => ", waiting for those".to_owned(),
        Some(_) => ", draining".to_owned(),
    };
    let share = far.time.map_or(*answers as f64 / about.max(1) as f64, |time| time.as_secs_f64() / length.max(1e-3));
    (share, format!("{what}: {answers} of about {about} answers{left_words}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_tells_what_it_waits_for() {
        let s = Duration::from_secs;
        let far = |answers, time: Option<u64>, found: Option<(u64, Why)>| {
            let least = Least { time: Span(s(20)), answers: 30 };
            let found =
                found.map(|(length, why)| Found { first: Span(s(20)), answers: 36, length: Span(s(length)), why });
            told(&Far { answers, time: time.map(s), least, most: Some(Span(s(180))), ci: Some(Share(0.05)), found }).1
        };
        assert_eq!(far(12, Some(8), None), "first stage: 12 of 30 answers, 8 of 20 s");
        assert_eq!(far(12, None, None), "first stage: 12 of 30 answers");
        assert_eq!(far(288, None, None), "first stage: 288 answers");
        let known = Some((44, Why::Known));
        assert_eq!(far(40, Some(22), known), "until ±5 %: 40 of about 79 answers, about 22 s left");
        assert_eq!(far(40, None, known), "until ±5 %: 40 of about 79 answers");
        assert_eq!(far(90, Some(44), known), "until ±5 %: 90 of about 90 answers, draining");
        assert_eq!(
            far(9, Some(180), Some((180, Why::Unknown))),
            "to the maximum: 9 of about 324 answers, waiting for those"
        );
        assert_eq!(far(9, Some(30), Some((30, Why::Failing))), "a target fails: 9 of about 54 answers, draining");
    }
}
