//! Verdicts from evidence that is known.

use super::*;
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

const SETTINGS: Settings = Settings { smallest_effect: 0.02, seed: 1, task: Task::Classify, open_loop: false };

fn known(low: f64, high: f64) -> Evidence {
    let centre = f64::midpoint(low, high);
    Evidence { centre, low, high, units: 10, error: (high - low) / 4.5, rank_p: Some(0.25), variance: Some(0.01) }
}

/// The comparisons of `a` with `b` whose metrics all have this evidence.
fn compared(a: &TargetSummary, b: &TargetSummary, evidence: &Evidence) -> Vec<Comparison> {
    all((3, a), (5, b), &SETTINGS, &|_| Ok(evidence.clone()), &|_, n| n)
}

fn median(a: f64, b: f64, evidence: &Evidence) -> Comparison {
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
        let reason = (verdict == Verdict::Undecided).then(|| "the interval comes within 2 % of equal".to_owned());
        assert_eq!(told.reason, reason);
        assert_eq!((told.low, told.high), (Some(tidy(low.exp())), Some(tidy(high.exp()))));
        assert_eq!((told.blocks, told.rank_p, told.target, told.reference), (Some(10), Some(0.25), 3, 5));
    }
    // The ratio is the units', the values beside it the run's.
    let told = median(90.0, 120.0, &known(-0.5, -0.3));
    assert_eq!(
        (told.target_value, told.reference_value, told.ratio),
        (Some(90.0), Some(120.0), Some(tidy((-0.4_f64).exp())))
    );
    assert_eq!(told.p, p_beyond(-0.4, 0.2 / 4.5, 10, 0.02).map(tidy));
}

#[test]
fn more_of_a_rate_is_better() {
    let rate = |x: f64| {
        let mut one = summary("a", &[]);
        one.rows.push(Row { mean: Some(x), ..Row::new("requests_per_s", unit::REQUESTS_PER_S) });
        one
    };
    let verdict = |evidence: Evidence| compared(&rate(10.0), &rate(12.0), &evidence)[0].verdict;
    assert_eq!([verdict(known(0.1, 0.2)), verdict(known(-0.2, -0.1))], [Verdict::Better, Verdict::Worse]);
}

#[test]
fn without_evidence_there_is_a_reason() {
    let (a, b) = (summary("a", &[("latency", 100.0)]), summary("b", &[("latency", 50.0)]));
    let told = all((0, &a), (1, &b), &SETTINGS, &|_| Err("too short".to_owned()), &|_, n| n);
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
    let told = first(&of(0.011), &other);
    assert_eq!((told.verdict, told.reason.as_deref()), (Verdict::Undecided, Some("1.1 % of the requests to a failed")));
    assert_eq!(first(&other, &of(0.2)).reason.as_deref(), Some("20.0 % of the requests to a failed"));
    // What is told of a rate is told with its failures.
    let mut rates = [of(0.2), other];
    for side in &mut rates {
        side.rows[0] = Row { mean: Some(9.0), ..Row::new("requests_per_s", unit::REQUESTS_PER_S) };
    }
    assert_eq!(first(&rates[0], &rates[1]).verdict, Verdict::Better);
}

#[test]
fn a_difference_of_proportions_goes_by_its_own_interval() {
    let row = |a: f64, b: f64| Comparison { ratio: Some(a / b), ..begin_at(a, b) };
    let sides = |a: f64, n: u64, b: f64| {
        let estimate = |x| wilson(x, n, n).unwrap();
        Some(((estimate(a), n), (estimate(b), n)))
    };
    let told = |a, n, b, more| judge_proportion(row(a, b), sides(a, n, b), more, 0.01);
    assert_eq!(told(0.9, 1000, 0.8, true).verdict, Verdict::Better);
    assert_eq!(told(0.9, 1000, 0.8, false).verdict, Verdict::Worse);
    assert_eq!(told(0.8, 1000, 0.9, true).verdict, Verdict::Worse);
    assert_eq!(told(0.8, 1000, 0.9, false).verdict, Verdict::Better);
    let same = told(0.8, 1000, 0.82, true);
    assert_eq!(same.verdict, Verdict::Undecided);
    assert_eq!(same.reason.as_deref(), Some("the difference may be -5.4 to +1.4 percentage points"));
    // The ends of the ratio's interval, and p, are those of the formulas.
    let (a, b) = (wilson(0.9, 1000, 1000).unwrap(), wilson(0.8, 1000, 1000).unwrap());
    let told = told(0.9, 1000, 0.8, true);
    let (low, high) = proportion_ratio(a, 1000, b, 1000).unwrap();
    assert_eq!((told.low, told.high), (Some(tidy(low)), Some(tidy(high))));
    assert_eq!(told.p, Some(tidy(p_of_difference(a.value - b.value, newcombe(a, b), 0.01))));
    // Just the smallest difference is not beyond it, on either side.
    let (low, high) = newcombe(a, b);
    let edge = |smallest: f64| judge_proportion(row(0.9, 0.8), sides(0.9, 1000, 0.8), true, smallest).verdict;
    assert_eq!([edge(low), edge(low - 1e-9)], [Verdict::Undecided, Verdict::Better]);
    let edge = |smallest: f64| judge_proportion(row(0.8, 0.9), sides(0.8, 1000, 0.9), true, smallest).verdict;
    assert_eq!([edge(low), edge(low - 1e-9), edge(high)], [Verdict::Undecided, Verdict::Worse, Verdict::Equal]);
    let none = judge_proportion(row(0.9, 0.8), None, true, 0.01);
    assert_eq!((none.verdict, none.reason.as_deref()), (Verdict::Undecided, Some("no interval")));
}

fn begin_at(a: f64, b: f64) -> Comparison {
    let (a, b) = (summary("a", &[("latency", a)]), summary("b", &[("latency", b)]));
    begin("latency.p50", unit::MICROS, (0, &a), (1, &b)).unwrap()
}

#[test]
fn p_of_a_difference_is_read_back_from_its_interval() {
    let near = |a: f64, b: f64| (a - b).abs() < 1e-9;
    // 0.09 beyond the bound, in half widths of 0.05 and 0.08 of 1.96 standard errors.
    assert!(near(p_of_difference(0.1, (0.05, 0.2), 0.01), 2.0 * normal_above(0.09 / 0.05 * Z)));
    assert!(near(p_of_difference(-0.1, (-0.3, -0.02), 0.01), 2.0 * normal_above(0.09 / 0.08 * Z)));
    assert_eq!(p_of_difference(0.001, (-0.1, 0.1), 0.01), 1.0);
    assert_eq!([p_of_difference(0.1, (0.1, 0.1), 0.01), p_of_difference(0.1, (0.1, 0.1), 0.1)], [0.0, 1.0]);
    assert!(near(p_of_difference(0.0, (-0.1, 0.1), 0.0), 1.0));
}

#[test]
fn all_but_the_main_metric_pay_for_their_number() {
    let row = |metric: &str, p: Option<f64>, verdict| Comparison {
        metric: metric.to_owned(),
        p,
        verdict,
        ..begin_at(1.0, 1.0)
    };
    let mut rows = [
        row("main", Some(0.04), Verdict::Better),
        row("a", Some(0.01), Verdict::Better),
        row("b", Some(0.03), Verdict::Worse),
        row("c", None, Verdict::Undecided),
        row("d", Some(0.9), Verdict::Undecided),
    ];
    rows[4].reason = Some("its own".to_owned());
    assert_eq!(correct(&mut rows, "main"), 3);
    let told: Vec<_> = rows.iter().map(|row| (row.p, row.verdict)).collect();
    assert_eq!(
        told,
        [
            (Some(0.04), Verdict::Better),
            (Some(0.03), Verdict::Better),
            (Some(0.06), Verdict::Undecided),
            (None, Verdict::Undecided),
            (Some(0.9), Verdict::Undecided),
        ]
    );
    let reason = "one of many metrics: corrected for their number (Holm) it is not shown";
    assert_eq!((rows[2].reason.as_deref(), rows[4].reason.as_deref()), (Some(reason), Some("its own")));
    // At five in a hundred exactly there is nothing to show.
    let mut edge = [row("a", Some(0.05), Verdict::Better), row("main", None, Verdict::Undecided)];
    assert_eq!((correct(&mut edge, "main"), edge[0].verdict), (1, Verdict::Undecided));
}

/// Without a rate of tokens, the time of an answer is the main metric of generated text, and pays for nothing.
#[test]
fn the_main_metric_is_one_that_both_have() {
    let side = |name: &str, tokens: Option<f64>| {
        let mut side = summary(name, &[("latency", 100.0), ("ttft", 10.0)]);
        let row = Row { mean: tokens, ..Row::new("output_tokens_per_s", unit::TOKENS_PER_S) };
        side.rows.extend(tokens.map(|_| row));
        side
    };
    let settings = Settings { task: Task::Generate, ..SETTINGS };
    let verdicts = |a: Option<f64>, b: Option<f64>| {
        let evidence = known(-0.1, -0.021);
        let rows = all((0, &side("a", a)), (1, &side("b", b)), &settings, &|_| Ok(evidence.clone()), &|_, n| n);
        rows.into_iter().map(|row| (row.metric, row.verdict)).collect::<Vec<_>>()
    };
    let told = |list: &[(&str, Verdict)]| list.iter().map(|(m, v)| ((*m).to_owned(), *v)).collect::<Vec<_>>();
    use Verdict::{Better, Undecided, Worse};
    assert_eq!(
        verdicts(Some(9.0), Some(9.0)),
        told(&[("latency.p50", Undecided), ("ttft.p50", Undecided), ("output_tokens_per_s", Worse)])
    );
    // One side alone has it: its line has no ratio.
    let lone = [("latency.p50", Better), ("ttft.p50", Better), ("output_tokens_per_s", Undecided)];
    assert_eq!(verdicts(Some(9.0), None), told(&lone));
    assert_eq!(verdicts(None, None), told(&lone[..2]));
}

#[test]
fn what_is_lacking_is_told() {
    let told = [
        lacking(&Lacking::Units { have: 3, blocks: true }),
        lacking(&Lacking::Units { have: 3, blocks: false }),
        lacking(&Lacking::Rows { least: 20, have: 60 }),
        lacking(&Lacking::Rows { least: 20, have: 120 }),
    ];
    assert_eq!(
        told,
        [
            "3 blocks have another beside them, and an interval needs 6",
            "the measured window is too short to be cut into 6 stretches",
            "60 answers on one side: an interval needs 20 in each of 6 stretches, 120 in all",
            "120 answers on one side, unevenly in time: an interval needs 20 in each of 6 stretches",
        ]
    );
}

#[test]
fn words_and_closeness() {
    let words = [Verdict::Better, Verdict::Worse, Verdict::Undecided].map(Verdict::as_str);
    assert_eq!(words, ["better", "worse", "undecided"]);
    let told = begin_at(10.0, 12.0);
    assert_eq!([told.closer_than(2.1), told.closer_than(2.0)], [true, false]);
    assert!(!Comparison { target_value: None, ..told }.closer_than(9.0));
    assert_eq!(SETTINGS.smallest_difference(), 0.01);
    let open = Settings { open_loop: true, ..SETTINGS };
    assert_eq!([SETTINGS.primary(true), open.primary(true)], ["latency.p50", "response.p50"]);
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
