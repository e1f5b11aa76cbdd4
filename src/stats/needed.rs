//! How long a run would have to be to show a difference.

use super::interval::t_quantile;
use super::queue::{LEAST_FREE, Outlook};
use super::series::RatioEvidence;

/// The true difference that a run should be long enough to show.
const WORTH_SHOWING: f64 = 0.05;
/// Most degrees of freedom that a longer run is taken to have: its groups become longer, not more.
const MOST_FREE: f64 = 60.0;
/// The normal's point at 90 %: nine runs in ten.
const POWER: f64 = 1.281_551_565_544_600_5;

/// Times as long a run has to be for a true difference of [`worth_showing`] to be shown beyond the smallest effect in nine runs
/// of ten. `family` is the number of ratios that Holm corrects together.
///
/// A difference d is shown if its estimate lies t standard errors beyond the smallest effect e, t the point at
/// 1 - 0.025 / family (Holm's first step, the strictest) with the degrees of freedom of the longer run. How long that takes is
/// reckoned from this run's error, itself an estimate: over all runs that may advise so, nine of ten show it if
/// (ln(1 + d) - ln(1 + e)) / error is the 90 % point of the noncentral t around that t (Johnson and Welch, Biometrika 31, 1940).
pub(super) fn times_longer(told: &RatioEvidence, smallest_effect: f64, family: usize) -> Option<f64> {
    let room = worth_showing(smallest_effect).ln_1p() - smallest_effect.ln_1p();
    let sure = 1.0 - 0.025 / family.max(1) as f64;
    let Outlook { squared, free } = told.outlook;
    let mut times = 1.0;
    // The longer run's degrees of freedom follow from its length, and that from them.
    for _ in 0..4 {
        let then = (told.free * times).min(MOST_FREE).max(told.free);
        times = squared * (noncentral_90(t_quantile(sure, then)?, free) / room).powi(2);
    }
    Some(times).filter(|times| times.is_finite())
}

/// The true difference that a run should be long enough to show, as a share: `Comparison::needs` is told for it. Below the
/// smallest effect nothing is ever shown: then one half as large again is aimed at.
pub fn worth_showing(smallest_effect: f64) -> f64 {
    WORTH_SHOWING.max(smallest_effect * 1.5 + 0.01)
}

/// The 90 % point of the noncentral t with `free` degrees of freedom around `point` (Abramowitz and Stegun, Handbook of
/// Mathematical Functions, 1964, 26.7.10, solved for t).
fn noncentral_90(point: f64, free: f64) -> f64 {
    let free = free.max(LEAST_FREE);
    let a = 1.0 - 1.0 / (4.0 * free);
    let inner = a * a + (point * point - POWER * POWER) / (2.0 * free);
    (a * point + POWER * inner.max(0.0).sqrt()) / (a * a - POWER * POWER / (2.0 * free))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: f64, b: f64, within: f64) -> bool {
        (a / b - 1.0).abs() < within
    }

    #[test]
    fn a_run_is_told_how_much_longer_it_should_be() {
        let of = |error: f64, free: f64| RatioEvidence::new(0.0, error, free, 10).unwrap();
        let room = 1.05_f64.ln() - 1.02_f64.ln();
        // With many degrees of freedom the normal's points: 1.959964 and 1.281552.
        let many = times_longer(&of(0.1, 1e4), 0.02, 1).unwrap();
        assert!(near(many, 0.01 * (3.241_516 / room).powi(2), 1e-3), "{many}");
        // With few more, and with a family, too; a run that is long enough is told less than its own length.
        let few = |family| times_longer(&of(0.1, 9.0), 0.02, family).unwrap();
        assert!(few(1) > many && few(5) > few(1) && few(0) == few(1));
        assert!(times_longer(&of(0.001, 9.0), 0.02, 1).unwrap() < 1.0);
        assert!(near(worth_showing(0.02), 0.05, 1e-9) && near(worth_showing(0.1), 0.16, 1e-9));
    }

    #[test]
    fn the_noncentral_t_is_that_of_the_tables() {
        // By integration of its density: 90 % points around 2.
        for (free, want) in [(5.0, 4.301), (10.0, 3.747), (30.0, 3.428)] {
            assert!(near(noncentral_90(2.0, free), want, 0.03), "{free}: {}", noncentral_90(2.0, free));
        }
        assert!(near(noncentral_90(1.959_964, 1e9), 3.241_516, 1e-5));
    }
}
