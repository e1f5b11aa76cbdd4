use super::*;
use crate::audit::Severity;
use crate::host::fixture::floor;
use crate::report::Report;
use crate::report::fixture::report;
use crate::scenario::Task;

fn told(reports: &[Report], failed: usize) -> Repeats {
    let names: Vec<String> = reports[0].plan.targets.iter().map(|target| target.name.clone()).collect();
    let run = |number: usize| PlannedRepeat {
        folder: format!("repeats/{number:02}"),
        order: names.clone(),
        failed: (number > reports.len()).then(|| "target `a`: gone".to_owned()),
        code: (number > reports.len()).then_some(3),
    };
    let manifest = RepeatsManifest {
        inconclusive: Default::default(),
        schema_version: REPEATS_VERSION,
        tool: String::new(),
        command: String::new(),
        name: "x".to_owned(),
        about: None,
        task: Task::Classify,
        seed: 1,
        started: "2026-11-21T01:02:03Z".to_owned(),
        ended: None,
        status: Status::Complete,
        reference: names[reports[0].plan.reference].clone(),
        targets: names.clone(),
        pause_s: 5.0,
        restarted: Vec::new(),
        sought: Vec::new(),
        runs: (1..=reports.len() + failed).map(run).collect(),
    };
    let mut builder = RepeatsBuilder::new(&manifest);
    for (at, report) in reports.iter().enumerate() {
        builder.push(at + 1, manifest.runs[at].clone(), report);
    }
    builder.finish(manifest)
}

fn doubts_of(all: &Repeats) -> Vec<&str> {
    all.notes.iter().map(String::as_str).filter(|note| note.starts_with("in ")).collect()
}

#[test]
fn runs_of_one_plan_are_told_together_and_their_doubts_once() {
    let mut one = report(Task::Classify, false);
    for (target, sentence) in [(0, "a has few."), (1, "b has few.")] {
        one.findings.push(crate::audit::Finding {
            id: "few-samples".to_owned(),
            severity: Severity::Warning,
            target: Some(target),
            sentence: sentence.to_owned(),
            evidence: Vec::new(),
            threshold: None,
        });
    }
    let all = told(&vec![one.clone(); 3], 0);
    let main = all.comparison(0, "latency.p50").unwrap();
    assert_eq!((main.verdict, main.blocks), (Verdict::Better, Some(3)));
    assert_eq!(all.invalid, None);
    assert!(doubts_of(&all).contains(&"in every run: b has few."), "{:?}", all.notes);
    let doubts = one.found(Severity::Warning).count();
    assert_eq!(all.notes.iter().filter(|note| note.starts_with("in every run: ")).count(), doubts, "{:?}", all.notes);
    assert!(all.how().contains("a pause of 5 s between runs"), "{}", all.how());
}

#[test]
fn a_lone_stand_in_is_not_compared_however_often_it_runs() {
    let all = told(&vec![report(Task::Classify, true); 3], 0);
    assert!(!all.comparisons.is_empty());
    assert!(all.comparisons.iter().all(|c| c.verdict == Verdict::NotCompared && c.ratio.is_none() && c.p.is_none()));
    assert!(all.runs.iter().flat_map(|run| &run.comparisons).all(|c| c.ratio.is_none()));
    assert!(all.headlines()[0].starts_with("Not compared: "), "{:?}", all.headlines());
}

#[test]
fn a_run_of_another_model_is_none_of_these_runs() {
    let one = report(Task::Classify, false);
    let mut other = one.clone();
    other.plan.targets[0].model = "another:model".to_owned();
    let all = told(&[one.clone(), other, one.clone(), one], 0);
    assert_eq!(all.counted().count(), 3);
    let why = all.runs[1].left_out.as_deref().unwrap();
    assert!(why.contains("had another model than in the earlier runs: another:model"), "{why}");
    assert!(all.notes.iter().any(|note| note.starts_with("repeats/02 is left out: ")), "{:?}", all.notes);
}

#[test]
fn what_the_machine_cannot_tell_apart_no_number_of_runs_does() {
    let mut coarse = report(Task::Classify, false);
    coarse.floors = vec![Some(floor("gg_core", false, 50.0, 10.0)), Some(floor("ollama", false, 60.0, 9e3))];
    let all = told(&vec![coarse; 3], 0);
    let main = all.comparison(0, "latency.p50").unwrap();
    assert_eq!(main.verdict, Verdict::Undecided);
    assert!(main.reason.as_deref().unwrap().contains("below this machine's noise floor"), "{main:?}");
}

#[test]
fn more_than_a_third_that_failed_spoil_the_rest() {
    let one = report(Task::Classify, false);
    assert_eq!(told(&[one.clone(), one.clone()], 1).invalid, None);
    let spoilt = told(&[one.clone(), one], 2);
    assert_eq!(spoilt.invalid.as_deref(), Some("of 4 runs 2 failed: more than a third"));
    assert!(spoilt.notes.iter().any(|note| note == "repeats/03 has no result: target `a`: gone"), "{:?}", spoilt.notes);
}

#[test]
fn what_more_than_a_third_of_the_runs_cannot_decide_all_of_them_do_not() {
    let quiet = report(Task::Classify, false);
    let mut busy = quiet.clone();
    busy.plan.order = crate::scenario::Order::Isolated;
    busy.findings.push(crate::audit::Finding {
        id: "other-load".to_owned(),
        severity: Severity::Warning,
        target: None,
        sentence: "Others were at work.".to_owned(),
        evidence: Vec::new(),
        threshold: None,
    });
    let main = |runs: [&Report; 3]| {
        let all = told(&runs.map(Clone::clone), 0);
        let main = all.comparison(0, "latency.p50").unwrap();
        (main.verdict, main.reason.clone().unwrap_or_default())
    };
    assert_eq!(main([&quiet, &busy, &quiet]).0, Verdict::Better);
    let (verdict, why) = main([&busy, &quiet, &busy]);
    assert_eq!(verdict, Verdict::Undecided);
    assert!(why.starts_with("in 2 of 3 runs other processes used the machine"), "{why}");
    let (verdict, why) = main([&busy; 3]);
    assert!(verdict == Verdict::Undecided && why.starts_with("in every run other processes"), "{why}");
}
