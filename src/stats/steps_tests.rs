//! Known histories, and properties of any.

use super::*;
use proptest::prelude::*;

/// 14 nights around 12 ms with a noise of 1 %, drawn once.
const NIGHTS: [f64; 14] =
    [12.05, 11.93, 12.11, 11.98, 12.02, 12.16, 11.89, 12.07, 11.96, 12.1, 12.0, 11.91, 12.13, 12.04];

fn nights(change: impl Fn(usize, f64) -> f64) -> Steps {
    let values: Vec<f64> = NIGHTS.iter().enumerate().map(|(night, x)| change(night, *x)).collect();
    steps(&values, &StepsBy::default())
}

#[test]
fn a_step_is_told_at_its_first_run_and_a_lone_night_is_none() {
    let found = nights(|night, x| match night {
        4 => x * 1.6,
        8.. => x * 1.08,
        _ => x,
    });
    assert_eq!((found.lone.as_slice(), found.steps.len()), (&[4][..], 1), "{found:?}");
    let step = found.steps[0];
    assert!(step.at == 8 && (step.after / step.before - 1.08).abs() < 0.015 && step.p <= 0.01, "{step:?}");
    assert_eq!(found.level, Some(step.after));
}

#[test]
fn a_flat_history_and_one_with_only_noisy_nights_have_no_step() {
    assert_eq!(nights(|_, x| x).steps, []);
    let noisy = nights(|night, x| if [4, 11].contains(&night) { x * 2.0 } else { x });
    assert_eq!((noisy.steps.len(), noisy.lone), (0, vec![4, 11]));
    // Two such nights in a row are still fewer than a level.
    let burst = nights(|night, x| if [4, 5].contains(&night) { x * 2.0 } else { x });
    assert_eq!((burst.steps.len(), burst.lone), (0, vec![4, 5]));
}

#[test]
fn a_night_that_is_off_by_less_than_matters_does_not_stand_alone() {
    let quiet = |off: f64| nights(move |night, x| (12.0 + (x - 12.0) / 50.0) * if night == 4 { off } else { 1.0 });
    assert_eq!((quiet(1.015).lone, quiet(1.05).lone), (vec![], vec![4]));
}

#[test]
fn what_rose_and_was_repaired_are_two_steps() {
    let values: Vec<f64> =
        (0..28).map(|night| NIGHTS[night % 14] * if (10..19).contains(&night) { 1.2 } else { 1.0 }).collect();
    let found = steps(&values, &StepsBy::default());
    assert_eq!(found.steps.iter().map(|step| step.at).collect::<Vec<_>>(), [10, 19], "{found:?}");
}

#[test]
fn what_is_too_small_to_matter_is_no_step() {
    let small = |night: usize, x: f64| {
        if night >= 8 { 12.0 + (x - 12.0) / 100.0 + 0.12 } else { 12.0 + (x - 12.0) / 100.0 }
    };
    assert_eq!(nights(small).steps, []);
    let values: Vec<f64> = (0..14).map(|night| small(night, NIGHTS[night])).collect();
    assert_eq!(steps(&values, &StepsBy { smallest: 0.005, ..StepsBy::default() }).steps.len(), 1);
}

#[test]
fn zeros_are_told_by_differences() {
    let values: Vec<f64> = (0..14)
        .map(|night| if night >= 7 { 0.25 + f64::from(night % 2) / 100.0 } else { f64::from(night % 3) / 200.0 })
        .collect();
    let found = steps(&values, &StepsBy::default());
    assert!(found.steps.len() == 1 && found.steps[0].at == 7 && found.steps[0].before < 0.011, "{found:?}");
}

#[test]
fn few_values_show_nothing_and_are_no_error() {
    for n in 0..6 {
        let values: Vec<f64> = (0..n).map(|i| if i < 3 { 1.0 } else { 9.0 }).collect();
        assert_eq!(steps(&values, &StepsBy::default()).steps, [], "{n}");
    }
    assert_eq!(StepsBy::default().fewest(), 10);
    assert_eq!(steps(&[], &StepsBy::default()).level, None);
    assert_eq!(steps(&[5.0; 30], &StepsBy::default()).steps, []);
}

proptest! {
    #[test]
    fn any_history_is_told_and_its_scale_does_not_matter(
        values in prop::collection::vec(0.1_f64..1e6, 0..40),
        scale in 0.001_f64..1e3,
    ) {
        let by = StepsBy { permutations: 99, ..StepsBy::default() };
        let found = steps(&values, &by);
        let ends: Vec<usize> = std::iter::once(0).chain(found.steps.iter().map(|step| step.at)).chain([values.len()]).collect();
        for ends in ends.windows(2) {
            let kept = (ends[0]..ends[1]).filter(|at| !found.lone.contains(at)).count();
            prop_assert!(found.steps.is_empty() || kept >= by.least, "{found:?}");
        }
        for step in &found.steps {
            prop_assert!(step.p <= by.alpha && (step.after / step.before).ln().abs() >= by.smallest.ln_1p() - 1e-9);
        }
        let scaled: Vec<f64> = values.iter().map(|value| value * scale).collect();
        let again = steps(&scaled, &by);
        let places = |steps: &Steps| steps.steps.iter().map(|step| step.at).collect::<Vec<_>>();
        prop_assert_eq!((places(&again), &again.lone), (places(&found), &found.lone));
        prop_assert_eq!(&steps(&values, &by), &found);
    }
}
