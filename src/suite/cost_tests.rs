use super::*;
use crate::scenario::{Overrides, load_str};
use proptest::prelude::*;

fn scenario(more: &str) -> Scenario {
    let text = format!(
        "name: x\ntask: generate\ntargets: {{ a: {{ ollama: {{}} }}, b: {{ ollama: {{}} }} }}\n\
         workload: {{ prompts: {{ inline: [{{ text: hi }}] }}, sampling: {{ max_tokens: 100 }} }}\n{more}\n"
    );
    load_str("x.yaml", &text, &Overrides::default()).map_err(|e| e.to_string()).unwrap().scenario
}

/// Twenty tokens a second, one request at a time.
fn paces() -> Vec<Pace> {
    let pace = |name: &str| Pace {
        target: name.to_owned(),
        first_s: 4.0,
        base_s: 0.1,
        word_s: 0.001,
        token_s: 0.05,
        slots: Some(1),
        whole_s: None,
    };
    vec![pace("a"), pace("b")]
}

const ASKED: RequestSize = RequestSize { words: 100.0, turns: 1.0 };

fn cost(scenario: &Scenario) -> Cost {
    let paces = paces();
    let known = RunTimes { run_s: 1.0, paces: &paces };
    known.cost([(scenario, ASKED)].into_iter(), (1, None)).unwrap()
}

#[test]
fn requests_take_what_answers_take_and_times_what_they_say() {
    // An answer: 0.1 + 0.1 + 5 s.
    let answer = 5.2;
    let one = scenario("order: isolated\nload: { closed: { users: 1, requests: 60, warmup: 2s } }");
    let told = cost(&one).seconds(1.0, 1.0);
    assert!((told - (1.0 + 2.0 * answer + 2.0 * (60.0 * answer + 2.0))).abs() < 1e-6, "{told}");
    // More users than slots: no faster.
    let four = scenario("order: isolated\nload: { closed: { users: 4, requests: 60, warmup: 2s } }");
    assert!((cost(&four).seconds(1.0, 1.0) - told).abs() < 1e-6);
    // Driven for a time: that, and the last answers.
    let timed = scenario("order: isolated\nload: { closed: { users: 1, duration: 20s } }");
    let told = cost(&timed).seconds(1.0, 1.0);
    assert!((told - (1.0 + 2.0 * answer + 2.0 * (20.0 + answer))).abs() < 1e-6, "{told}");
    // At once: between the longest and the sum.
    let at_once = scenario("load: { closed: { users: 1, requests: 60 } }");
    let told = cost(&at_once).seconds(1.0, 1.0);
    assert!(told > 60.0 * answer && told < 120.0 * answer, "{told}");
    let cold = scenario(
        "order: isolated\ncold_start: { repeats: 2 }\nload: { closed: { users: 1, requests: 60, warmup: 2s } }",
    );
    assert!(cost(&cold).seconds(1.0, 1.0) > cost(&one).seconds(1.0, 1.0) + 2.0 * 2.0 * 4.0);
    // Of an engine that wasn't timed nothing is known.
    let known = RunTimes { run_s: 1.0, paces: &paces()[..1] };
    assert_eq!(known.cost([(&one, ASKED)].into_iter(), (1, None)), None);
}

#[test]
fn a_load_that_finds_its_own_length_takes_between_its_least_and_its_most() {
    let auto = scenario("load: { closed: { users: 1, duration: auto }, until: { least: 20s, most: 3m } }");
    let (least, most) = cost(&auto).range(1.0, 1.0);
    assert!(most - least > 150.0 && least > 20.0 && most > 180.0, "{least} {most}");
    let one = scenario("load: { closed: { users: 1, duration: 60s } }");
    let (least, most) = cost(&one).range(1.0, 1.0);
    assert!((most - least).abs() < 1e-6);
}

#[test]
fn a_load_is_cut_to_its_share_and_never_below_its_least() {
    let mut one = scenario("load: { closed: { users: 4, requests: 60, warmup: 2s } }");
    assert_eq!(cut(&mut one, 0.25, 5.0).as_deref(), Some("15 of 60 requests"));
    let closed = one.load.closed.as_ref().unwrap();
    assert_eq!((closed.requests, closed.warmup.0), (Some(15), Duration::from_millis(500)));
    assert_eq!(one.shown.as_ref().unwrap().load.closed.as_ref().unwrap().requests, Some(15));
    assert_eq!(cut(&mut one, 0.01, 5.0).as_deref(), Some("4 of 15 requests"));
    assert_eq!(cut(&mut one, 0.01, 5.0), None);
    let mut timed = scenario("load: { closed: { users: 4, duration: 60s } }");
    assert_eq!(cut(&mut timed, 0.1, 5.0).as_deref(), Some("15s of 60s"));
    let mut open = scenario("load: { open: { rate: 2, duration: 60s, warmup: 5s } }");
    assert_eq!(cut(&mut open, 0.1, 0.1).as_deref(), Some("6s of 60s"));
    let mut stages = scenario("load: { open: { stages: [{ rate: 2, duration: 60s }] } }");
    assert_eq!(cut(&mut stages, 0.1, 0.1), None);
}

#[test]
fn what_does_not_fit_even_at_its_least_is_dropped_and_the_rest_shares_the_time() {
    let of = |load: &str| cost(&scenario(&format!("order: isolated\nload: {load}")));
    let costs = [
        of("{ closed: { users: 1, requests: 200 } }"),
        of("{ closed: { users: 64, requests: 600 } }"),
        of("{ closed: { users: 1, duration: 30s } }"),
    ];
    let (share, dropped) = fit(&costs, 300.0, 1.0);
    // 64 requests of 5.2 s on each of two engines are more than 300 s.
    assert_eq!(dropped, [1]);
    let total = costs[0].seconds(share, 1.0) + costs[2].seconds(share, 1.0);
    assert!(share > 0.0 && share < 1.0 && total <= 300.0 && total > 290.0, "{share} {total}");
    assert_eq!(fit(&costs, 1e9, 1.0), (1.0, Vec::new()));
    assert_eq!(fit(&costs, 1.0, 1.0).1.len(), 3);
}

/// A closed loop; read once, for reading takes longer than what is asked here.
fn closed(users: u32, requests: u64) -> Scenario {
    static ONE: std::sync::OnceLock<Scenario> = std::sync::OnceLock::new();
    let mut one = ONE.get_or_init(|| scenario("load: { closed: { users: 1, requests: 1 } }")).clone();
    let closed = one.load.closed.as_mut().unwrap();
    (closed.users, closed.requests) = (users, Some(requests));
    one
}

proptest! {
    #[test]
    fn what_is_kept_fits(
        loads in proptest::collection::vec((1_u32..64, 1_u64..2000), 1..12),
        left in 0.0..5000.0,
        factor in 0.1..10.0,
    ) {
        let costs: Vec<Cost> = loads.iter().map(|(users, requests)| cost(&closed(*users, *requests))).collect();
        let (share, dropped) = fit(&costs, left, factor);
        let kept = (0..costs.len()).filter(|at| !dropped.contains(at));
        let total = kept.map(|at| costs[at].seconds(share, factor)).sum::<f64>();
        prop_assert!((0.0..=1.0).contains(&share) && total <= left + 1e-6, "{share} {total} {left}");
    }

    #[test]
    fn what_is_cut_takes_no_longer_than_was_told(users in 1_u32..64, requests in 1_u64..2000, share in 0.0..1.0) {
        let whole = closed(users, requests);
        let mut shorter = whole.clone();
        cut(&mut shorter, share, 5.2);
        // A request more, for they are whole.
        prop_assert!(cost(&shorter).seconds(1.0, 1.0) <= cost(&whole).seconds(share, 1.0) + 2.0 * 5.3);
    }
}
