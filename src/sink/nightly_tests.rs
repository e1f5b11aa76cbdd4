//! The page of many nights: it stays as short as that of a few.

use super::nightly::nightly_html;
use crate::gate::GateOutcome;
use crate::history::{Compared, Family, Mover, RatioLine, Series, SeriesPoint, StepTold, Trend};
use crate::report::Status;
use crate::stats::{StepsBy, unit};
use crate::suite::{Check, Night, Nightly, SUITE_VERSION, ScenarioRun, ScenarioState, Suite};

const NIGHTS: usize = 200;
const SCENARIOS: usize = 14;
const CHECKS: usize = 33;
/// Scenarios that have a step.
const STEPPED: usize = 12;
const METRICS: [&str; 3] = ["latency.p50", "latency.p95", "requests_per_s"];

fn started(night: usize) -> String {
    let (month, day) = (night / 28 % 12 + 1, night % 28 + 1);
    format!("{}-{month:02}-{day:02}T02:00:00Z", 2026 + night / 336)
}

fn night(at: usize) -> Night {
    let headline = |number: usize| {
        let other = number == 13 && at + 1 == NIGHTS;
        let verdict = if other { "worse" } else { "better" };
        format!(
            "In this run native is {verdict} than ollama in latency p50: 41.{number} ms against 52.8 ms, ratio 0.78 \
             (95 % CI 0.75–0.82). `loadcmp run x`"
        )
    };
    let scenario = |number: usize| ScenarioRun {
        name: format!("scenario-{number}"),
        folder: format!("{number:02}"),
        sweep: number == 3,
        hash: String::new(),
        state: ScenarioState::Done,
        why: None,
        code: None,
        expected_s: Some(60.0),
        cut: None,
        took_s: Some(61.0),
        headlines: vec![headline(number)],
        invalid: Vec::new(),
        stand_in: false,
        engines: Vec::new(),
    };
    // Eighteen checks move.
    let outcome = |number: usize| match number {
        0..=5 if (at + number).is_multiple_of(3) => GateOutcome::Fail,
        6..=17 if (at + number).is_multiple_of(5) => GateOutcome::Inconclusive,
        _ => GateOutcome::Pass,
    };
    let check = |number: usize| Check {
        name: format!("check {number}: the latency of classification stays where it was"),
        category: "speed".to_owned(),
        scenario: Some(format!("scenario-{}", number % SCENARIOS)),
        gate: Some("native.latency.p50 <= 50ms".to_owned()),
        full: None,
        needs: Vec::new(),
        at: Vec::new(),
        cannot: None,
        outcome: outcome(number),
        judged: Vec::new(),
        why: None,
        before: None,
    };
    let suite = Suite {
        schema_version: SUITE_VERSION,
        tool: "loadcmp".to_owned(),
        name: "herald".to_owned(),
        about: None,
        quick: false,
        judge_stand_ins: false,
        inconclusive: Default::default(),
        started: started(at),
        ended: Some(started(at)),
        status: Status::Complete,
        budget_s: None,
        paces: Vec::new(),
        scenarios: (0..SCENARIOS).map(scenario).collect(),
        checks: (0..CHECKS).map(check).collect(),
        before: None,
    };
    Night { folder: format!("night-{at:03}"), suite }
}

fn series(scenario: usize, target: &str, reference: bool) -> Series {
    let level = |night: usize| if scenario < STEPPED && night >= 150 + scenario { 60_000.0 } else { 50_000.0 };
    let value = |night: usize| level(night) * (1.0 + 0.01 * ((night * 7 + scenario) % 5) as f64);
    let point = |night: usize| SeriesPoint {
        dir: format!("night-{night:03}/{scenario:02}"),
        started: started(night),
        value: value(night),
        low: Some(value(night) * 0.97),
        high: Some(value(night) * 1.03),
        invalid: false,
    };
    let at = 150 + scenario;
    let step = StepTold {
        at,
        dir: format!("night-{at:03}/{scenario:02}"),
        started: started(at),
        dir_before: format!("night-{:03}/{scenario:02}", at - 1),
        before: 51_000.0,
        after: 61_200.0,
        change: Some(0.2),
        better: Some(false),
        p: 0.001,
        of_ratio: false,
        mover: Some(Mover::Engine),
        certain: true,
        differs: Vec::new(),
    };
    let compared = |night: usize| Some(Compared { ratio: value(night) / 5e4, low: 0.9, high: 1.2 });
    let ratio = RatioLine {
        to: "ollama".to_owned(),
        values: (0..NIGHTS).map(|night| Some(value(night) / 5e4)).collect(),
        compared: (0..NIGHTS).map(compared).collect(),
        alone: Vec::new(),
        steps: Vec::new(),
        level: Some(1.0),
        p: None,
    };
    Series {
        scenario: format!("scenario-{scenario}"),
        part: None,
        target: target.to_owned(),
        stand_in: false,
        unit: unit::MICROS.to_owned(),
        more_is_better: Some(false),
        workload_hash: String::new(),
        points: (0..NIGHTS).map(point).collect(),
        alone: Vec::new(),
        steps: if scenario < STEPPED && !reference { vec![step] } else { Vec::new() },
        level: Some(61_200.0),
        p: None,
        reference,
        ratio: (!reference).then_some(ratio),
        left_out: Vec::new(),
    }
}

fn nightly() -> Nightly {
    let trend = |metric: &str| Trend {
        schema_version: 1,
        tool: "loadcmp".to_owned(),
        folder: "nights".to_owned(),
        metric: metric.to_owned(),
        by: StepsBy::default(),
        family: Family { lines: 84, rate: 0.05 },
        series: (0..SCENARIOS).flat_map(|at| [series(at, "native", false), series(at, "ollama", true)]).collect(),
        damaged: Vec::new(),
    };
    Nightly {
        schema_version: 1,
        tool: "loadcmp".to_owned(),
        name: "herald".to_owned(),
        nights: (0..NIGHTS).map(night).collect(),
        primary: (0..SCENARIOS).map(|at| (format!("scenario-{at}"), METRICS[0].to_owned())).collect(),
        trends: METRICS.map(trend).into(),
    }
}

/// `PAGES_OUT` takes the page for `tests/pages/look.mjs`, which measures it.
#[test]
fn two_hundred_nights_leave_open_what_changed() {
    let mut page = Vec::new();
    nightly_html(&nightly(), &mut page).unwrap();
    if let Ok(path) = std::env::var("PAGES_OUT") {
        std::fs::write(path, &page).unwrap();
    }
    let page = String::from_utf8(page).unwrap();
    // What is open: the page without its folds.
    let (mut open, mut depth) = (String::new(), 0);
    for part in page.split_inclusive('>') {
        let ends = part.ends_with("</details>");
        if part.trim_end().ends_with("<details>") {
            depth += 1;
        }
        if depth == 0 {
            open.push_str(part);
        }
        depth -= i32::from(ends);
    }
    assert_eq!(depth, 0);
    let count = |what: &str| open.matches(what).count();
    assert_eq!(count("</h3>"), 4, "drawings of scenarios with a step: {}", open.len());
    assert_eq!(count(">Report</a>"), 8, "steps");
    assert_eq!(count("/suite.html\">night-"), 7, "nights");
    let rows = open.split("id=\"checks\"").nth(1).and_then(|rest| rest.split("</table>").next()).unwrap_or_default();
    assert_eq!(rows.matches("<tr><th scope=\"row\">").count(), 10, "checks");
    for at in 0..SCENARIOS {
        let report = if at == 3 { "sweep" } else { "report" };
        assert_eq!(count(&format!("href=\"night-199/{at:02}/{report}.html\"")), 1, "scenario {at}");
    }
    assert!(!page.replace("<pre", "").contains('`'), "backticks");
    assert!(page.len() < 8_000_000, "{}", page.len());
}

/// A verdict that changed opens a scenario without a step.
#[test]
fn another_verdict_opens_a_scenario() {
    let mut nightly = nightly();
    nightly.trends.iter_mut().flat_map(|trend| &mut trend.series).for_each(|series| series.steps.clear());
    let mut page = Vec::new();
    nightly_html(&nightly, &mut page).unwrap();
    let page = String::from_utf8(page).unwrap();
    let before = page.split("<summary>13 more</summary>").next().unwrap();
    assert!(before.len() < page.len() && before.contains("id=\"scenario-1\"><a href=\"#scenario-1\">scenario-13</a>"));
}
