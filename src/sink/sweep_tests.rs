use super::*;
use crate::report::sweep::{Gathering, PlannedRun, SWEEP_VERSION, SweepBuilder, SweepManifest};
use crate::report::{Report, fixture};
use crate::scenario::Task;
use crate::scenario::plan::LoadPlan;
use crate::stats::fixture::closed_loop;
use serde_json::json;
use std::sync::OnceLock;

/// A run at a number of users: both targets served by two slots, so that they queue from the third user on.
fn run(mut report: Report, users: u32) -> (Report, Gathering) {
    let LoadPlan::Closed(closed) = &mut report.plan.load else { panic!("an open loop") };
    closed.users = users;
    let wait = f64::from(users.max(2)) / 2.0;
    let mut gathered = Gathering::new(2);
    for (target, ms) in [(0, 12.0), (1, 20.0)] {
        closed_loop(&report.plan, target, ms * wait, 0.1, u64::from(users)).iter().for_each(|row| gathered.push(row));
        for row in &mut report.targets[target].rows {
            if row.metric == "requests_per_s" {
                row.mean = Some(1e3 / ms * f64::from(users) / wait * (1.0 + 0.01 * f64::from(users % 3)));
            }
        }
    }
    (report, gathered)
}

fn sweep() -> Sweep {
    static MADE: OnceLock<Sweep> = OnceLock::new();
    MADE.get_or_init(made).clone()
}

fn made() -> Sweep {
    let mut report = fixture::report(Task::Generate, false);
    report.findings.clear();
    let mut builder = SweepBuilder::new();
    let levels = [1_u32, 2, 4, 8, 16];
    let mut runs = Vec::new();
    for (at, users) in levels.into_iter().enumerate() {
        let planned = PlannedRun {
            folder: format!("points/{:02}-users-{users}", at + 1),
            point: at + 1,
            repeat: 1,
            values: vec![json!(users)],
            failed: None,
            code: None,
        };
        let (report, gathered) = run(report.clone(), users);
        builder.push(planned.clone(), &report, gathered);
        runs.push(planned);
    }
    runs.push(PlannedRun {
        folder: "points/06-users-32".into(),
        point: 6,
        repeat: 1,
        values: vec![json!(32)],
        failed: Some("nobody <b>answers</b>".into()),
        code: None,
    });
    builder.finish(SweepManifest {
        schema_version: SWEEP_VERSION,
        tool: "loadcmp 0.1.0".into(),
        name: "users".into(),
        about: Some("More and more users <script>".into()),
        task: Task::Generate,
        seed: 42,
        started: "2026-11-21T01:02:03Z".into(),
        ended: None,
        status: Status::Complete,
        paths: vec!["load.closed.users".into()],
        repeats: 1,
        runs,
    })
}

fn told(width: u16) -> String {
    let mut text = Vec::new();
    let files = std::path::Path::new("results/users-20261129T120000Z");
    sweep_table(&sweep(), Look { width, ..Look::default() }, Some(files), &mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    let last: Vec<&str> = text.lines().rev().take(2).collect();
    assert!(last[0].ends_with("/sweep.html") && text.contains("ratio (95 % CI)"), "{text}");
    let longest = text.lines().map(|line| line.chars().count()).max().unwrap();
    assert!(longest <= usize::from(width), "{longest}\n{text}");
    text
}

#[test]
fn a_sweep_in_80_columns() {
    insta::assert_snapshot!(told(80));
}

#[test]
fn a_sweep_in_120_columns() {
    insta::assert_snapshot!(told(120));
}

#[test]
fn a_sweep_for_a_pull_request() {
    let mut text = Vec::new();
    sweep_markdown(&sweep(), &mut text).unwrap();
    insta::assert_snapshot!(String::from_utf8(text).unwrap());
}

#[test]
fn the_page_escapes_what_others_wrote_and_draws_the_law() {
    let mut text = Vec::new();
    super::super::sweep_html(&sweep(), &mut text).unwrap();
    let page = String::from_utf8(text).unwrap();
    assert!(!page.contains("<script") && !page.contains("<b>answers") && page.contains("&#60;script"), "{page}");
    assert!(page.contains("Throughput by requests in flight") && page.contains("scalability law"), "{page}");
    for tag in ["table", "svg", "figure", "details", "tr", "p"] {
        let open = page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
        assert_eq!(open, page.matches(&format!("</{tag}>")).count(), "{tag}");
    }
}

#[test]
fn the_sheet_has_no_formula_and_a_row_a_figure() {
    let mut swept = sweep();
    swept.targets[0].name = "=1+1".into();
    swept.runs[0].planned.values[0] = json!("@sum");
    let mut text = Vec::new();
    sweep_csv(&swept, &mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains(",'=1+1,") && text.contains(",'@sum,") && !text.contains(",=1+1"), "{text}");
    let figures: usize = swept.runs.iter().flat_map(|run| &run.targets).map(|target| target.figures.len()).sum();
    assert_eq!(text.lines().count(), figures + 1);
}

#[test]
fn a_stand_in_on_one_side_of_a_sweep_is_not_compared() {
    let mut swept = sweep();
    swept.targets[1].stand_in = true;
    swept
        .runs
        .iter_mut()
        .flat_map(|run| &mut run.verdicts)
        .for_each(|c| c.verdict = crate::stats::Verdict::NotCompared);
    let told = swept.headlines();
    let name = swept.targets[1].name.clone();
    assert!(told.contains(&format!("Not compared: `{name}` is a stand-in.")), "{told:?}");
    assert!(!told.iter().any(|words| words.contains("better")), "{told:?}");
    assert!(
        !points(&swept, 1).header.iter().any(|head| head.contains("ratio")),
        "no ratio with a stand-in on one side"
    );
}

#[test]
fn of_several_runs_at_a_point_the_ratios_lie_between() {
    let mut swept = sweep();
    for (run, ratio) in swept.runs.iter_mut().zip([1.5, 2.0]) {
        run.planned.point = 1;
        run.verdicts[0].ratio = Some(ratio);
    }
    let sheet = points(&swept, 1);
    assert!(sheet.rows[0].contains(&"1.73 (2 runs: 1.50–2.00)".to_owned()), "{:?}", sheet.rows[0]);
}
