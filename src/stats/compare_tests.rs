//! Verdicts from evidence that is known.

use super::*;
use crate::metrics::unit;
use crate::record::Outcome;
use crate::stats::{Row, wilson};

fn summary(name: &str, rows: &[(&str, f64)]) -> TargetSummary {
    let row = |(metric, p50): &(&str, f64)| Row { p50: Some(*p50), n: Some(1000), ..Row::new(metric, unit::MICROS) };
    TargetSummary {
        name: name.to_owned(),
        stand_in: false,
        window: None,
        steady: None,
        drift: None,
        units: Vec::new(),
        work: crate::stats::Work::default(),
        rows: rows.iter().map(row).collect(),
        outcomes: vec![(Outcome::Ok, 1000)],
        failures: Vec::new(),
        confusion: None,
    }
}

fn with_errors(mut summary: TargetSummary, share: f64) -> TargetSummary {
    let (mut row, estimate) = (Row::new("error_rate", unit::ONE), wilson(share, 1000, 1000).unwrap());
    (row.mean, row.low, row.high, row.n) = (Some(share), Some(estimate.low), Some(estimate.high), Some(1000));
    summary.rows.push(row);
    summary
}

const SETTINGS: ComparisonSettings =
    ComparisonSettings { smallest_effect: 0.02, seed: 1, task: Task::Classify, open_loop: false };

fn known(low: f64, high: f64) -> RatioEvidence {
    let centre = f64::midpoint(low, high);
    RatioEvidence { centre, low, high, ..RatioEvidence::new(centre, (high - low) / 2.0 / 2.262_158, 9.0, 10).unwrap() }
}

/// The comparisons of `a` with `b` whose metrics all have this evidence.
fn compared(a: &TargetSummary, b: &TargetSummary, evidence: &RatioEvidence) -> Vec<Comparison> {
    let mut rows = all((3, a), (5, b), &SETTINGS, &|_| (None, Ok(evidence.clone())));
    decide(&mut rows, &SETTINGS, Doubts::default());
    rows
}

fn median(a: f64, b: f64, evidence: &RatioEvidence) -> Comparison {
    let (a, b) = (summary("a", &[("latency", a)]), summary("b", &[("latency", b)]));
    let mut rows = compared(&a, &b, evidence);
    assert_eq!(rows.len(), 1);
    rows.remove(0)
}

#[test]
fn the_near_end_of_the_interval_decides() {
    let (down, up) = (-bound(-1.0, 0.02), bound(1.0, 0.02));
    for (low, high, verdict) in [
        (up, 0.5, Verdict::Undecided),
        (up + 1e-9, 0.5, Verdict::Worse),
        (-0.5, down, Verdict::Undecided),
        (-0.5, down - 1e-9, Verdict::Better),
        (-0.5, 0.5, Verdict::Undecided),
        (0.001, 0.01, Verdict::Equal),
    ] {
        let told = median(100.0, 100.0, &known(low, high));
        assert_eq!(told.verdict, verdict, "{low} {high}");
        let reason = (verdict == Verdict::Undecided).then(|| "the CI overlaps ±2 %".to_owned());
        assert_eq!(told.reason, reason);
        assert_eq!((told.low, told.high), (Some(tidy(low.exp())), Some(tidy(high.exp()))));
        assert_eq!((told.blocks, told.target, told.reference), (Some(10), 3, 5));
    }
    // The ratio is the quotient of the values.
    let told = median(90.0, 120.0, &known(-0.5, -0.3));
    assert_eq!((told.target_value, told.reference_value, told.ratio), (Some(90.0), Some(120.0), Some(0.75)));
    assert_eq!(told.p, p_beyond(&known(-0.5, -0.3), 0.02).map(tidy));
}

#[test]
fn more_of_a_rate_is_better() {
    let rate = |x: f64| {
        let mut one = summary("a", &[]);
        one.rows.push(Row { mean: Some(x), ..Row::new("requests_per_s", unit::REQUESTS_PER_S) });
        one
    };
    let verdict = |evidence: RatioEvidence| compared(&rate(10.0), &rate(12.0), &evidence)[0].verdict;
    assert_eq!([verdict(known(0.1, 0.2)), verdict(known(-0.2, -0.1))], [Verdict::Better, Verdict::Worse]);
}

#[test]
fn without_evidence_there_is_a_reason() {
    let (a, b) = (summary("a", &[("latency", 100.0)]), summary("b", &[("latency", 50.0)]));
    let mut told = all((0, &a), (1, &b), &SETTINGS, &|_| (None, Err("too short".to_owned())));
    decide(&mut told, &SETTINGS, Doubts::default());
    assert_eq!((told[0].ratio, told[0].low, told[0].reason.as_deref()), (Some(2.0), None, Some("too short")));
    assert_eq!((told[0].verdict, told[0].p, told[0].needs.clone()), (Verdict::Undecided, None, None));
    let one = |x: f64, y: f64| median(x, y, &known(0.1, 0.2)).reason;
    let zero = Some("a ratio needs two values above zero".to_owned());
    assert_eq!([one(0.0, 5.0), one(5.0, 0.0), one(0.0, 0.0), one(-1.0, 5.0)], [(); 4].map(|()| zero.clone()));
    // Measured on one side; on neither there is no line.
    let none = summary("none", &[]);
    let told = |a: &TargetSummary, b: &TargetSummary| {
        let rows = compared(a, b, &known(0.1, 0.2));
        rows.into_iter().map(|row| (row.target_value, row.reference_value, row.ratio, row.reason)).collect::<Vec<_>>()
    };
    let reason = Some("not measured on none".to_owned());
    assert_eq!(told(&none, &b), [(None, Some(50.0), None, reason.clone())]);
    assert_eq!(told(&a, &none), [(Some(100.0), None, None, reason)]);
    assert_eq!(told(&none, &none), []);
}

#[test]
fn times_of_targets_that_fail_are_no_fair_comparison() {
    let of = |share: f64| with_errors(summary("a", &[("latency", 100.0)]), share);
    let other = with_errors(summary("b", &[("latency", 50.0)]), 0.0);
    let first = |a: &TargetSummary, b: &TargetSummary| compared(a, b, &known(0.1, 0.2)).remove(0);
    assert_eq!(first(&of(0.01), &other).verdict, Verdict::Worse);
    // Of a thousand requests fifteen are chance: their share may be 0.9 %. Twenty are more than 1 % for sure.
    assert_eq!(first(&of(0.015), &other).verdict, Verdict::Worse);
    let told = first(&of(0.02), &other);
    assert_eq!((told.verdict, told.reason.as_deref()), (Verdict::Undecided, Some("2.0 % of the requests to a failed")));
    assert_eq!(first(&other, &of(0.2)).reason.as_deref(), Some("20.0 % of the requests to a failed"));
    // What is told of a rate is told with its failures.
    let mut rates = [of(0.2), other];
    for side in &mut rates {
        side.rows[0] = Row { mean: Some(9.0), ..Row::new("requests_per_s", unit::REQUESTS_PER_S) };
    }
    assert_eq!(first(&rates[0], &rates[1]).verdict, Verdict::Better);
}

/// A row with this evidence of a difference of two proportions.
fn proportion(a: f64, b: f64, n: u64, more_is_better: bool) -> Comparison {
    let of = |x: f64| with_errors(summary("a", &[("latency", 1.0)]), x);
    let side = |x: f64| {
        let mut side = of(x);
        let (row, estimate) = (side.rows.last_mut().unwrap(), wilson(x, n, n).unwrap());
        (row.low, row.high, row.n) = (Some(estimate.low), Some(estimate.high), Some(n));
        side
    };
    let told = proportion::difference(&side(a), &side(b), "error_rate").unwrap();
    let mut row = begin_at(1.0, 1.0);
    decide_row(&mut row, told, more_is_better);
    let mut rows = [row];
    decide(&mut rows, &SETTINGS, Doubts::default());
    let [row] = rows;
    row
}

#[test]
fn a_difference_of_proportions_goes_by_its_own_interval() {
    use crate::stats::{newcombe, proportion_ratio};
    let told = |a, b, more| proportion(a, b, 1000, more);
    assert_eq!(told(0.9, 0.8, true).verdict, Verdict::Better);
    assert_eq!(told(0.9, 0.8, false).verdict, Verdict::Worse);
    assert_eq!(told(0.8, 0.9, true).verdict, Verdict::Worse);
    assert_eq!(told(0.8, 0.9, false).verdict, Verdict::Better);
    let same = told(0.8, 0.82, true);
    assert_eq!(same.verdict, Verdict::Undecided);
    assert_eq!(same.reason.as_deref(), Some("the difference may be -5.4 to +1.4 percentage points"));
    assert_eq!(proportion(0.8, 0.8, 100_000, true).verdict, Verdict::Equal);
    // The ends of the ratio's interval are those of the formula.
    let (a, b) = (wilson(0.9, 1000, 1000).unwrap(), wilson(0.8, 1000, 1000).unwrap());
    let row = told(0.9, 0.8, true);
    let (low, high) = proportion_ratio(a, 1000, b, 1000).unwrap();
    assert_eq!((row.low, row.high), (Some(tidy(low)), Some(tidy(high))));
    assert!(newcombe(a, b).0 > 0.01 && row.p.is_some_and(|p| p < 1e-6), "{row:?}");
}

fn begin_at(a: f64, b: f64) -> Comparison {
    let (a, b) = (summary("a", &[("latency", a)]), summary("b", &[("latency", b)]));
    begin("latency.p50", unit::MICROS, (0, &a), (1, &b)).unwrap()
}

/// The p of a ratio whose error has nine degrees of freedom.
fn of_p(metric: &str, p: f64) -> Comparison {
    let error = 0.01;
    let t = crate::stats::t_quantile(1.0 - p / 2.0, 9.0).unwrap();
    let centre = bound(1.0, 0.02) + t * error;
    let told = RatioEvidence::new(centre, error, 9.0, 10).unwrap();
    let basis = Basis {
        weight: Weight::Ratio(told),
        more_is_better: true,
        spoilt: None,
        interval: THE_INTERVAL,
        size: Some((1000, 20.0)),
    };
    Comparison { metric: metric.to_owned(), basis: Some(basis), ..begin_at(1.0, 1.0) }
}

#[test]
fn all_but_the_main_metric_pay_for_their_number() {
    let mut rows = [of_p("latency.mean", 0.04), of_p("a", 0.01), of_p("b", 0.03), of_p("c", 0.9), begin_at(1.0, 1.0)];
    rows[4].reason = Some("its own".to_owned());
    decide(&mut rows, &SETTINGS, Doubts::default());
    let told: Vec<_> = rows.iter().map(|row| (row.p.map(|p| (p * 1e4).round() / 1e4), row.verdict)).collect();
    assert_eq!(
        told,
        [
            (Some(0.04), Verdict::Better),
            (Some(0.03), Verdict::Better),
            (Some(0.06), Verdict::Undecided),
            (Some(0.9), Verdict::Undecided),
            (None, Verdict::Undecided),
        ]
    );
    let reason = "not significant after correction for the number of comparisons (Holm)";
    assert_eq!((rows[2].reason.as_deref(), rows[4].reason.as_deref()), (Some(reason), Some("its own")));
    // Of two targets the main metrics, too, are two.
    let mut two = [of_p("latency.mean", 0.04), Comparison { target: 2, ..of_p("latency.mean", 0.03) }];
    decide(&mut two, &SETTINGS, Doubts::default());
    assert!(two.iter().all(|row| row.verdict == Verdict::Undecided), "{two:?}");
}

#[test]
fn what_is_known_besides_is_given_against_a_verdict_and_asked_again_without_it_stands() {
    let mut rows = [of_p("latency.mean", 0.001), begin_at(1.0, 1.0)];
    let small = |c: &Comparison| (c.metric == "latency.mean").then(|| "too small".to_owned());
    decide(&mut rows, &SETTINGS, Doubts { of_difference: Some(&small), of_all: None });
    assert_eq!((rows[0].verdict, rows[0].reason.as_deref()), (Verdict::Undecided, Some("too small")));
    decide(&mut rows, &SETTINGS, Doubts { of_difference: None, of_all: Some("others were at work") });
    assert_eq!((rows[0].verdict, rows[0].reason.as_deref()), (Verdict::Undecided, Some("others were at work")));
    assert_eq!(rows[1].reason, None, "of what has no evidence nothing more is said");
    decide(&mut rows, &SETTINGS, Doubts::default());
    assert_eq!((rows[0].verdict, rows[0].reason.as_deref()), (Verdict::Better, None));
}

/// Without a rate of tokens, the time of an answer is the main metric of generated text, and pays for nothing.
#[test]
fn the_main_metric_is_one_that_both_have() {
    let side = |name: &str, tokens: Option<f64>| {
        let mut side = summary(name, &[("latency", 100.0), ("ttft", 10.0), ("ttfat", 10.0)]);
        side.rows[0].mean = Some(100.0);
        let row = Row { mean: tokens, ..Row::new("output_tokens_per_s", unit::TOKENS_PER_S) };
        side.rows.extend(tokens.map(|_| row));
        side
    };
    let settings = ComparisonSettings { task: Task::Generate, ..SETTINGS };
    let verdicts = |a: Option<f64>, b: Option<f64>| {
        let evidence = known(-0.1, -0.021);
        let mut rows = all((0, &side("a", a)), (1, &side("b", b)), &settings, &|_| (None, Ok(evidence.clone())));
        decide(&mut rows, &settings, Doubts::default());
        rows.into_iter().map(|row| (row.metric, row.verdict)).collect::<Vec<_>>()
    };
    let told = |list: &[(&str, Verdict)]| list.iter().map(|(m, v)| ((*m).to_owned(), *v)).collect::<Vec<_>>();
    use Verdict::{Better, Undecided, Worse};
    assert_eq!(
        verdicts(Some(9.0), Some(9.0)),
        told(&[
            ("latency.p50", Undecided),
            ("latency.mean", Undecided),
            ("ttft.p50", Undecided),
            ("output_tokens_per_s", Worse)
        ])
    );
    // One side alone has it: its line has no ratio.
    let lone = [
        ("latency.p50", Undecided),
        ("latency.mean", Better),
        ("ttft.p50", Undecided),
        ("output_tokens_per_s", Undecided),
    ];
    assert_eq!(verdicts(Some(9.0), None), told(&lone));
    assert_eq!(verdicts(None, None), told(&lone[..3]));
}

#[test]
fn words_and_closeness() {
    let words = [Verdict::Better, Verdict::Worse, Verdict::Equal, Verdict::Undecided].map(Verdict::as_str);
    assert_eq!(words, ["better", "worse", "equal", "undecided"]);
    let old: Verdict = serde_json::from_str("\"not shown\"").unwrap();
    assert_eq!((old, serde_json::to_string(&old).unwrap().as_str()), (Verdict::Undecided, "\"undecided\""));
    let told = begin_at(10.0, 12.0);
    assert_eq!([told.closer_than(2.1), told.closer_than(2.0)], [true, false]);
    assert!(!Comparison { target_value: None, ..told }.closer_than(9.0));
    assert_eq!(smallest_difference(SETTINGS.smallest_effect), 0.01);
    let open = ComparisonSettings { open_loop: true, ..SETTINGS };
    assert_eq!([SETTINGS.primary(true), open.primary(true)], ["latency.mean", "response.p50"]);
}

/// One of two alone is a stand-in: both figures are told, and nothing of them together. Two stand-ins are compared.
#[test]
fn a_stand_in_is_compared_with_its_like_alone() {
    let side =
        |name: &str, ms: f64, stand_in: bool| TargetSummary { stand_in, ..summary(name, &[("latency", ms * 1e3)]) };
    let told = |a: bool, b: bool| compare_summaries(&side("x", 9.0, a), &side("y", 12.0, b), &SETTINGS);
    for (a, b, who) in [(true, false, "`x` is a stand-in"), (false, true, "`y` is a stand-in")] {
        let rows = told(a, b);
        assert!(!rows.is_empty());
        for c in rows {
            assert_eq!((c.verdict, c.reason.as_deref(), c.ratio), (Verdict::NotCompared, Some(who), None));
            assert!(c.low.is_none() && c.p.is_none() && c.needs.is_none() && c.target_value.is_some(), "{c:?}");
        }
    }
    for (a, b) in [(true, true), (false, false)] {
        assert!(told(a, b).iter().all(|c| c.verdict != Verdict::NotCompared && c.ratio.is_some()));
    }
}
