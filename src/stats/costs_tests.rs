use super::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, LogNormal};

/// A grid of points whose times are a declared cost with noise: a factor for each point (the machine as it was then) and one
/// for each request.
fn grid(cost: impl Fn(f64, f64) -> f64, between: f64, within: f64, seed: u64) -> Vec<CostSums> {
    let mut draw = ChaCha8Rng::seed_from_u64(seed);
    let mut factor = move |sigma: f64| LogNormal::new(-sigma * sigma / 2.0, sigma).unwrap().sample(&mut draw);
    let mut points = Vec::new();
    for prompt in [20.0, 100.0, 400.0] {
        for output in [4.0, 16.0, 64.0] {
            let (mut sums, point) = (CostSums::default(), factor(between));
            for request in 0..30 {
                // Prompts of a point differ by a few tokens.
                let prompt = prompt + f64::from(request % 3);
                sums.push_row(prompt, output, cost(prompt, output) * point * factor(within));
            }
            points.push(sums);
        }
    }
    points
}

fn declared(prompt: f64, output: f64) -> f64 {
    8_000.0 + 25.0 * prompt + 1_500.0 * output
}

#[test]
fn declared_costs_are_found_again() {
    let fit = fit_costs(0, &grid(declared, 0.0, 0.0, 1)).unwrap();
    for (bounds, want) in [(Some(fit.fixed_us), 8_000.0), (fit.prompt_token_us, 25.0), (fit.output_token_us, 1_500.0)] {
        let bounds = bounds.unwrap();
        assert!((bounds.value / want - 1.0).abs() < 1e-6 && bounds.high.unwrap() - bounds.low.unwrap() < 1e-3 * want);
    }
    assert!(fit.r2 > 0.999_999 && fit.bent.is_empty() && (fit.points, fit.requests) == (9, 270), "{fit:?}");
}

#[test]
fn intervals_hold_the_truth_as_often_as_they_say() {
    let (mut held, mut all, mut called) = ([0_u32; 3], 0_u32, 0_u32);
    for seed in 0..200 {
        let a = fit_costs(0, &grid(declared, 0.03, 0.1, seed)).unwrap();
        let b = fit_costs(1, &grid(declared, 0.03, 0.1, seed + 10_000)).unwrap();
        let bounds = [a.fixed_us, a.prompt_token_us.unwrap(), a.output_token_us.unwrap()];
        for (at, (bounds, want)) in bounds.into_iter().zip([8_000.0, 25.0, 1_500.0]).enumerate() {
            held[at] += u32::from(!bounds.beyond(want));
        }
        let beside = compare_costs(&a, &b);
        called += u32::from(beside.output_token.unwrap().beyond(1.0));
        all += 1;
    }
    // 95 % of 200 is 190; a binomial lies within 4 of its standard deviations (3.1 each).
    let least = |n: u32| n >= 177;
    assert!(held.iter().all(|n| least(*n)) && least(all - called), "{held:?} {called} of {all}");
}

#[test]
fn a_cheaper_token_is_shown_and_an_equal_one_is_not() {
    let cheaper = |prompt: f64, output: f64| declared(prompt, output) - 3_000.0 - 0.2 * 1_500.0 * output;
    let a = fit_costs(0, &grid(cheaper, 0.005, 0.05, 3)).unwrap();
    let b = fit_costs(1, &grid(declared, 0.005, 0.05, 4)).unwrap();
    let told = compare_costs(&a, &b);
    let (output, prompt) = (told.output_token.unwrap(), told.prompt_token.unwrap());
    assert!(output.beyond(1.0) && (output.value - 0.8).abs() < 0.03, "{output:?}");
    assert!(told.fixed_us.beyond(0.0) && (told.fixed_us.value + 3_000.0).abs() < 400.0, "{:?}", told.fixed_us);
    assert!(!prompt.beyond(1.0), "{prompt:?}");
}

#[test]
fn a_curve_is_no_line_and_that_is_said() {
    let square = |prompt: f64, output: f64| declared(prompt, output) + 0.5 * prompt * prompt;
    let fit = fit_costs(0, &grid(square, 0.002, 0.02, 5)).unwrap();
    assert!(fit.bent.len() == 1 && fit.bent[0].contains("prompt token is not constant"), "{:?}", fit.bent);
}

#[test]
fn what_did_not_vary_has_no_cost_of_its_own() {
    let points = |of: &dyn Fn(f64) -> (f64, f64)| -> Vec<CostSums> {
        let made = |x: f64| {
            let (mut sums, (prompt, output)) = (CostSums::default(), of(x));
            sums.push_row(prompt, output, 1_000.0 + 50.0 * output + prompt);
            sums
        };
        [1.0, 2.0, 4.0, 8.0].map(made).to_vec()
    };
    let only = fit_costs(0, &points(&|x| (10.0, 8.0 * x))).unwrap();
    assert!(only.prompt_token_us.is_none() && (only.output_token_us.unwrap().value - 50.0).abs() < 1e-6, "{only:?}");
    assert!((only.fixed_us.value - 1_010.0).abs() < 1e-6, "{only:?}");
    let why = |points: &[CostSums]| fit_costs(0, points).unwrap_err();
    assert!(why(&points(&|x| (10.0 * x, 8.0 * x))).contains("grew together"));
    assert!(why(&points(&|_| (10.0, 8.0))).contains("neither prompts nor answers"));
    assert!(why(&points(&|x| (10.0, 8.0 * x))[..2]).contains("2 points, and 2 costs need 3"));
    assert_eq!(why(&[CostSums::default()]), "no request was answered");
}
