use super::*;
use crate::report::fixture::report;
use crate::scenario::Task;

fn check(name: &str, category: &str, gate: Option<&str>) -> Check {
    Check {
        name: name.to_owned(),
        category: category.to_owned(),
        scenario: gate.map(|_| "s".to_owned()),
        gate: gate.map(str::to_owned),
        full: None,
        needs: Vec::new(),
        at: Vec::new(),
        cannot: gate.is_none().then(|| "no engine tells".to_owned()),
        outcome: GateOutcome::NotMeasured,
        judged: Vec::new(),
        why: None,
        before: None,
    }
}

fn run(state: ScenarioState) -> ScenarioRun {
    ScenarioRun {
        name: "s".to_owned(),
        folder: "s".to_owned(),
        sweep: false,
        hash: String::new(),
        state,
        why: None,
        code: None,
        expected_s: Some(5.0),
        took_s: None,
        headlines: Vec::new(),
        invalid: Vec::new(),
        cut: None,
        stand_in: false,
        engines: Vec::new(),
    }
}

fn suite(checks: Vec<Check>) -> Suite {
    Suite {
        schema_version: SUITE_VERSION,
        tool: String::new(),
        name: "t".to_owned(),
        about: None,
        quick: false,
        judge_stand_ins: false,
        inconclusive: Default::default(),
        started: "2026-11-21T02:00:00Z".to_owned(),
        ended: None,
        status: Status::Complete,
        budget_s: None,
        paces: Vec::new(),
        scenarios: vec![run(ScenarioState::Done)],
        checks,
        before: None,
    }
}

fn points(values: &[u64]) -> Vec<RunAtPoint> {
    let point = |n: &u64| RunAtPoint {
        values: vec![("load.closed.users".to_owned(), (*n).into())],
        report: Ok(report(Task::Classify, false)),
        past: None,
    };
    values.iter().map(point).collect()
}

#[test]
fn a_check_is_as_bad_as_the_worst_of_its_points() {
    let mut one = check("a", "x", Some("native.latency.p50 <= 1s"));
    let mut points = points(&[1, 4]);
    judge_check(&mut one, Some(&run(ScenarioState::Done)), &points);
    assert_eq!((one.outcome, one.judged.len()), (GateOutcome::Pass, 2));
    assert!(one.told().contains("users 1") && one.told().ends_with("and 1 more"), "{}", one.told());
    // Only the points that it names.
    one.at = vec![("load.closed.users".to_owned(), 4.into())];
    judge_check(&mut one, Some(&run(ScenarioState::Done)), &points);
    assert_eq!(one.judged.len(), 1);
    one.at = vec![("load.closed.users".to_owned(), 9.into())];
    judge_check(&mut one, Some(&run(ScenarioState::Done)), &points);
    assert_eq!((one.outcome, one.told().as_str()), (GateOutcome::NotMeasured, "the scenario has no such point"));
    // A point without a report is a gap.
    one.at.clear();
    points[1].report = Err("gone".to_owned());
    judge_check(&mut one, Some(&run(ScenarioState::Done)), &points);
    assert_eq!(one.outcome, GateOutcome::NotMeasured);
    assert!(one.told().contains("gone"), "{}", one.told());
    // Unless another fails already.
    let mut fails = check("a", "x", Some("native.latency.p50 <= 1ms"));
    judge_check(&mut fails, Some(&run(ScenarioState::Done)), &points);
    assert_eq!(fails.outcome, GateOutcome::Fail);
    judge_check(&mut fails, Some(&run(ScenarioState::Failed)), &[]);
    assert_eq!((fails.outcome, fails.told().as_str()), (GateOutcome::NotMeasured, "s could not be run"));
}

#[test]
fn what_cannot_be_measured_never_passes_and_fails_nothing() {
    let mut none = check("kernel fusion", "kernels", None);
    judge_check(&mut none, None, &[]);
    assert_eq!((none.outcome, none.told().as_str()), (GateOutcome::NotMeasured, "no engine tells"));
    let mut suite = suite(vec![none]);
    assert_eq!(suite.code(), 0);
    assert!(suite.headline().starts_with("None of the checks can be measured"), "{}", suite.headline());
    suite.checks.push(check("b", "x", Some("errors == 0")));
    assert_eq!(suite.code(), 5, "one that could be measured wasn't");
}

#[test]
fn what_was_skipped_or_not_decided_is_no_pass_and_stands_below_the_line() {
    let with = |outcome, cannot: bool| {
        let mut one = check("a", "x", Some("errors == 0"));
        one.outcome = outcome;
        one.cannot = cannot.then(|| "no engine tells".to_owned());
        one
    };
    let all = [
        vec![with(GateOutcome::Pass, false); 22],
        vec![with(GateOutcome::NotMeasured, false); 8],
        vec![with(GateOutcome::NotMeasured, true,); 3],
    ];
    let mut suite = suite(all.concat());
    suite.scenarios[0].state = ScenarioState::Skipped;
    assert_eq!(
        suite.headline(),
        "22 of 30 checks passed (73.3 %), 8 not measured (8 of scenarios that were not run); 3 more can't be measured through \
         an engine's interface."
    );
    assert_eq!(suite.code(), 5);
    // A scenario that nothing is asked of is missing all the same.
    suite.checks.clear();
    assert_eq!(suite.code(), 5);
    suite.scenarios[0].state = ScenarioState::Done;
    assert_eq!(suite.code(), 0);
}

#[test]
fn a_check_is_judged_only_where_the_run_did_what_it_is_about() {
    let all = points(&[1]);
    let Ok(report) = &all[0].report else { panic!("a report") };
    let requests = report.targets[0].value("requests").expect("requests");
    let judged = |gate: &str, needs: &str| {
        let mut one = check("a", "x", Some(gate));
        one.needs = vec![needs.to_owned()];
        judge_check(&mut one, Some(&run(ScenarioState::Done)), &all);
        (one.outcome, one.told())
    };
    let (fast, slow) = ("native.latency.p50 <= 1s", "native.latency.p50 <= 1ms");
    assert_eq!(judged(fast, &format!("native.requests >= {requests}")).0, GateOutcome::Pass);
    let (outcome, told) = judged(fast, "native.requests >= 1000000");
    assert_eq!(outcome, GateOutcome::NotMeasured);
    assert!(told.contains("it needs native.requests >= 1000000, and here that was"), "{told}");
    // Too few requests show no pass, and a failure is one.
    assert_eq!(judged(slow, "native.requests >= 1000000").0, GateOutcome::Fail);
    // Other requests than it is about show neither.
    let (outcome, told) = judged(slow, "native.prompt_tokens.max >= 1000000");
    assert_eq!(outcome, GateOutcome::NotMeasured, "{told}");
    assert!(judged(fast, "native.gpu_memory <= 1GB").1.contains("is not known"));
}

#[test]
fn what_a_short_form_is_held_to_in_a_gates_place_can_fail_it_and_not_pass_it() {
    let judged = |gate: &str| {
        let mut one = check("a", "x", Some(gate));
        one.full = Some("native.prompt_tokens.max >= 1000000".to_owned());
        judge_check(&mut one, Some(&run(ScenarioState::Done)), &points(&[1]));
        (one.outcome, one.told())
    };
    let (outcome, told) = judged("native.latency.p50 <= 1s");
    assert_eq!(outcome, GateOutcome::NotMeasured);
    assert!(told.contains("quick form") && told.contains("native.prompt_tokens.max >= 1000000"), "{told}");
    assert_eq!(judged("native.latency.p50 <= 1ms").0, GateOutcome::Fail);
}

#[test]
fn a_scenarios_own_gates_are_checks() {
    let mut suite = suite(vec![check("a", "x", Some("errors == 0"))]);
    suite.own_gates("s", ["native.latency.p50 <= 1ms"].into_iter());
    suite.own_gates("s", ["native.latency.p50 <= 1ms"].into_iter());
    assert_eq!(suite.checks.len(), 2, "once");
    judge_check(&mut suite.checks[1], Some(&run(ScenarioState::Done)), &points(&[1]));
    assert_eq!((suite.checks[1].outcome, suite.code()), (GateOutcome::Fail, 1));
    assert_eq!(suite.categories().last().map(|own| (own.name.as_str(), own.failed)), Some(("own gates", 1)));
}

#[test]
fn one_exit_code_tells_the_worst() {
    let mut passing = check("a", "x", Some("errors <= 5%"));
    judge_check(&mut passing, Some(&run(ScenarioState::Done)), &points(&[1]));
    let mut suite = suite(vec![passing.clone()]);
    assert_eq!(suite.code(), 0);
    suite.scenarios.push(run(ScenarioState::Failed));
    assert_eq!(suite.code(), 3);
    suite.scenarios[0].code = Some(4);
    assert_eq!(suite.code(), 4, "as it would have ended alone");
    suite.scenarios[0].code = None;
    suite.scenarios[0].invalid.push("unequal".to_owned());
    assert_eq!(suite.code(), 4);
    let mut failing = check("b", "x", Some("errors <= 0%"));
    failing.outcome = GateOutcome::Fail;
    suite.checks.push(failing);
    assert_eq!(suite.code(), 1);
    suite.status = Status::Interrupted;
    assert_eq!(suite.code(), 4);
    assert_eq!(suite.scenario_notes().len(), 2);
}

#[test]
fn what_a_wire_cannot_do_fails_nothing_and_passes_nothing() {
    let mut cannot = run(ScenarioState::Cannot);
    cannot.why = Some("`native`: it has no embeddings".to_owned());
    let mut check = check("a", "x", Some("native.latency.p50 <= 1ms"));
    judge_check(&mut check, Some(&cannot), &[]);
    assert_eq!(
        (check.outcome, check.cannot.as_deref()),
        (GateOutcome::NotMeasured, Some("`native`: it has no embeddings"))
    );
    let mut suite = suite(vec![check]);
    suite.scenarios = vec![cannot];
    assert_eq!(suite.code(), 0);
    assert_eq!((suite.total().cannot, suite.total().not_measured), (1, 0));
}

#[test]
fn a_suite_is_told_beside_the_last_one_like_it() {
    let judged = |gate: &str| {
        let mut check = check("a", "x", Some(gate));
        judge_check(&mut check, Some(&run(ScenarioState::Done)), &points(&[1]));
        check
    };
    let before = suite(vec![judged("native.latency.p50 <= 1ms"), check("gone", "x", None)]);
    let mut now = suite(vec![judged("native.latency.p50 <= 1s"), check("new", "y", Some("errors == 0"))]);
    assert!(!now.comparable(&before), "it began no later");
    now.started = "2026-11-22T02:00:00Z".to_owned();
    assert!(now.comparable(&before));
    now.compare("results/t-1", &before);
    assert_eq!(now.checks[0].change(), "was FAIL");
    assert_eq!(now.checks[1].change(), "");
    assert_eq!(now.total().passed_before, Some(0));
    let rate = |category: &Category| category.rate();
    assert_eq!(now.categories().iter().map(rate).collect::<Vec<_>>(), [Some(1.0), Some(0.0)]);
    // What a stand-in did is no before of a real engine.
    let mut real = now.clone();
    let mut stood_in = before.clone();
    stood_in.scenarios[0].stand_in = true;
    real.compare("results/t-0", &stood_in);
    assert_eq!(real.checks[0].before, None);
    // Nor is what one engine did of another.
    let (mut other, mut then) = (now.clone(), before.clone());
    other.scenarios[0].engines = vec!["native: gg_core gg-core smol".to_owned()];
    assert!(other.comparable(&then), "it didn't say which");
    then.scenarios[0].engines = vec!["native: openai llama.cpp smol".to_owned()];
    assert!(!other.comparable(&then));
    other.compare("results/t-0", &then);
    assert_eq!(other.checks[0].before, None);
    then.scenarios[0].engines.clone_from(&other.scenarios[0].engines);
    assert!(other.comparable(&then));
    let mut same = now.clone();
    same.compare("results/t-2", &now);
    assert_eq!(same.checks[0].change(), "1.00 × before");
    let text = serde_json::to_string(&now).unwrap();
    assert_eq!(serde_json::to_string(&serde_json::from_str::<Suite>(&text).unwrap()).unwrap(), text);
}
