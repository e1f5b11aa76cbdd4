//! The floor beside what was measured: two times that differ by less than this machine can tell apart show nothing of the
//! engines, however sure the interval is.

use super::{Report, human};
use crate::host::{Floor, least_difference_us, least_first_token_difference_us};
use crate::stats::Comparison;

/// The least difference of a metric that two floors let one see, in microseconds; `None` for what a floor says nothing of,
/// such as rates and the gaps between tokens.
fn least_us(metric: &str, a: &Floor, b: &Floor) -> Option<f64> {
    match metric.split('.').next()? {
        "response" | "latency" => Some(least_difference_us(a, b)),
        "response_ttft" | "ttft" => least_first_token_difference_us(a, b),
        _ => None,
    }
}

/// Why a difference shows nothing of the engines, if it is below what the machine can tell apart by its floors: the numbers
/// did differ, only not by the engines' doing.
pub(super) fn below(c: &Comparison, floors: Option<(&Floor, &Floor)>) -> Option<String> {
    let least = floors.and_then(|(a, b)| least_us(&c.metric, a, b)).filter(|least| c.closer_than(*least))?;
    // The same words for each metric: a table tells them once.
    let least = human::time(least);
    Some(format!("the difference is below this machine's noise floor, {least} by its calibration"))
}

impl Report {
    /// The floor of each target in one sentence; says so where there is none.
    pub fn floor_words(&self) -> String {
        let of = |at: usize| self.floors.get(at).and_then(Option::as_ref);
        let floors: Vec<Option<&Floor>> = (0..self.targets.len()).map(of).collect();
        let told = match floors.first() {
            Some(Some(first)) if floors.iter().all(|floor| floor.is_some_and(|floor| floor == *first)) => {
                let each = if floors.len() > 1 { " for each" } else { "" };
                format!("{}{each}", words(first))
            }
            _ if floors.iter().all(Option::is_none) => {
                return "Noise floor: not calibrated (loadcmp calibrate).".to_owned();
            }
            _ => {
                let one = |(at, floor): (usize, &Option<&Floor>)| {
                    let told = floor.map_or_else(|| "not calibrated".to_owned(), words);
                    format!("{} {told}", self.targets[at].label())
                };
                floors.iter().enumerate().map(one).collect::<Vec<_>>().join("; ")
            }
        };
        let apart = match floors[..] {
            [Some(a), Some(b)] => apart_words(least_difference_us(a, b)),
            _ => String::new(),
        };
        format!("Noise floor: {told}.{apart}")
    }
}

/// `61.2 µs (9.10 µs between repeats), TTFT 40.0 µs`.
pub(super) fn words(floor: &Floor) -> String {
    let first = floor.ttft_p50_us.map(|us| format!(", TTFT {}", human::time(us))).unwrap_or_default();
    format!("{} ({} between repeats){first}", human::time(floor.response_p50_us), human::time(floor.between_us))
}

/// What that lets one see.
pub(super) fn apart_words(least_us: f64) -> String {
    format!(" Differences below {} can't be measured.", human::time(least_us))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::fixture::floor;
    use crate::report::Manifest;
    use crate::report::fixture::{manifest, report};
    use crate::scenario::Task;
    use crate::stats::{Verdict, fixture};

    fn with_floors(floors: Vec<Option<Floor>>) -> Report {
        let plan = fixture::plan(Task::Classify, false);
        let folded = fixture::folded(&plan);
        Report::build(&Manifest { floors, ..manifest(plan) }, folded, &[], crate::report::Levels::default())
    }

    /// 12 ms against 20 ms in the median.
    #[test]
    fn a_difference_below_the_floors_is_not_shown_and_one_above_is() {
        let plain = report(Task::Classify, false);
        let of = |report: &Report, metric: &str| report.comparison(0, metric).unwrap().clone();
        let times = ["latency.p50", "latency.p95", "latency.mean"];
        assert!(times.iter().all(|metric| of(&plain, metric).verdict == Verdict::Better));

        let coarse =
            with_floors(vec![Some(floor("gg_core", false, 50.0, 10.0)), Some(floor("ollama", false, 60.0, 9e3))]);
        let told = of(&coarse, "latency.p50");
        assert_eq!(told.verdict, Verdict::Undecided);
        assert!(told.reason.as_deref().unwrap().contains("below this machine's noise floor, 9.01 ms"), "{told:?}");
        let before = of(&plain, "latency.p50");
        assert_eq!((told.ratio, told.low, told.p), (before.ratio, before.low, before.p), "the numbers stay");
        // 18 against 35 ms is more than 9; a rate has no floor.
        assert_eq!(of(&coarse, "latency.p95").verdict, Verdict::Better);
        assert_eq!(of(&coarse, "requests_per_s").verdict, Verdict::Better);

        let (fine, rough) = (floor("gg_core", false, 50.0, 1.0), floor("ollama", false, 60.0, 9e3));
        for floors in [vec![Some(fine.clone()), Some(fine)], vec![None, Some(rough.clone())], vec![Some(rough)]] {
            let report = with_floors(floors);
            assert!(times.iter().all(|metric| of(&report, metric).verdict == Verdict::Better), "{:?}", report.floors);
        }
    }

    #[test]
    fn what_has_no_floor_or_was_not_measured_is_not_held_to_one() {
        let c = report(Task::Classify, false).comparison(0, "latency.p50").unwrap().clone();
        let (a, b) = (floor("ollama", true, 50.0, 9e9), floor("ollama", true, 50.0, 1.0));
        let told = |c: &Comparison| below(c, Some((&a, &b))).is_some();
        for (metric, small) in
            [("ttft.p95", true), ("response_ttft.p50", true), ("response.mean", true), ("itl.mean", false)]
        {
            assert_eq!(told(&Comparison { metric: metric.to_owned(), ..c.clone() }), small, "{metric}");
        }
        assert!(below(&c, None).is_none());
        assert!(!told(&Comparison { target_value: None, ..c }));
    }

    #[test]
    fn the_floor_is_told_once_where_it_is_alike() {
        let (a, b) = (floor("ollama", false, 60.0, 9.0), floor("gg_core", true, 50.0, 2.0));
        let said = |floors| with_floors(floors).floor_words();
        assert_eq!(said(vec![]), "Noise floor: not calibrated (loadcmp calibrate).");
        assert_eq!(said(vec![None, None]), said(vec![]));
        assert_eq!(
            said(vec![Some(a.clone()), Some(a.clone())]),
            "Noise floor: 60.0 µs (9.00 µs between repeats) for each. Differences below 9.00 µs can't be measured."
        );
        assert_eq!(
            said(vec![Some(b.clone()), Some(a)]),
            "Noise floor: native 50.0 µs (2.00 µs between repeats), TTFT 40.0 µs; ollama 60.0 µs (9.00 µs \
             between repeats). Differences below 19.0 µs can't be measured."
        );
        assert_eq!(
            said(vec![Some(b), None]),
            "Noise floor: native 50.0 µs (2.00 µs between repeats), TTFT 40.0 µs; ollama not calibrated."
        );
    }
}
