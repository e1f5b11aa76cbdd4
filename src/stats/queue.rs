//! Users of a closed loop who may wait for each other: what their requests have in common, and how sure a mean of them is.

use super::dependence::seen;

/// So many users, whose requests are held in groups of `width` neighbours in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Queue {
    pub users: usize,
    pub width: u64,
}

/// How sure the mean of groups is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sure {
    /// Its variance.
    pub squared: f64,
    /// By how much it is larger than if no group had anything in common with another.
    pub factor: f64,
}

impl Queue {
    /// Nobody waits for anyone.
    pub const NONE: Self = Self { users: 1, width: 1 };

    /// Groups that were under way at once.
    pub fn overlap(self) -> usize {
        self.users.div_ceil(usize::try_from(self.width).unwrap_or(usize::MAX))
    }

    /// What groups have in common with those so many further on, beside what requests scatter, in one queue that all users wait in:
    /// two requests whose places in the list lie d apart wait for 1 - d / users of the same ones.
    fn shares(self) -> Vec<f64> {
        let (users, width) = (self.users as f64, self.width as f64);
        let of = |apart: f64| (1.0 - apart.abs() / users).max(0.0);
        let places = -(self.width as i64 - 1)..self.width as i64;
        let share = |lag: f64| {
            let at = |d: i64| (width - (d as f64).abs()) * of(lag * width + d as f64);
            places.clone().map(at).sum::<f64>() / width
        };
        let lags = (self.users as u64).saturating_sub(1).div_ceil(self.width);
        (0..=lags).map(|lag| share(lag as f64)).collect()
    }

    /// How sure the mean of `values`, one a group, is: the scatter of single groups, and a dependence that is of a queue's
    /// making. Its one unknown is how much of a queue there is (none with a slot for each user, 1 with one slot), by least squares
    /// over the correlations that are seen; it rests on all groups, where the scatter of joined ones rests on a few.
    ///
    /// Correlations around the values' own mean are too low by the variance of that mean, and so is their scatter: with n
    /// values and a factor f, r (1 - f / n) + f / n is taken, and n - f for n (Priestley, Spectral Analysis and Time Series,
    /// 1981, 5.3). `None` of fewer than eight groups, and where a queue is longer than a quarter of them.
    pub fn sure(self, values: &[f64]) -> Option<Sure> {
        let n = values.len() as f64;
        let lags = self.users.saturating_sub(1).div_ceil(usize::try_from(self.width).ok()?);
        if values.len() < 8 || lags * 4 > values.len() {
            return None;
        }
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|x| (x - mean).powi(2)).sum();
        let plain = Sure { squared: squares / (n - 1.0) / n, factor: 1.0 };
        if lags == 0 || squares <= 0.0 {
            return Some(plain);
        }
        let shares = self.shares();
        let (all, rest) = shares.split_first()?;
        let (sum, own) = (rest.iter().sum::<f64>(), rest.iter().map(|share| share * share).sum::<f64>());
        let seen: Vec<f64> = (1..=lags).map(|lag| seen(values, lag)).collect();
        let mut queue = 0.0;
        for _ in 0..20 {
            let low = ((1.0 + 2.0 * queue * sum) / n).min(0.5);
            let fitted: f64 = seen.iter().zip(rest).map(|(r, share)| (r * (1.0 - low) + low) * share).sum();
            queue = (fitted / own).clamp(0.0, all.recip());
        }
        let factor = 1.0 + 2.0 * queue * sum;
        Some(Sure { squared: squares / n / (n - factor.min(n / 2.0)) * factor, factor })
    }
}

/// Fewest degrees of freedom that are reckoned with.
pub(super) const LEAST_FREE: f64 = 3.0;

/// How much larger the square of the error is in a run that shows a difference of engines that work at once: equal ones meet
/// the machine's moods with the same requests, others with unlike ones, and neighbours are alike for longer (`make truth`).
const OUT_OF_STEP: f64 = 1.45;

/// What the length of a longer run is reckoned from. It needn't be as sure to cover the truth as an interval, but has to scatter
/// little: an error that is put too low by chance advises a run that shows nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Outlook {
    /// The square of the standard error of the log ratio of a run as long as this one, whose engines differ.
    pub squared: f64,
    /// Its degrees of freedom.
    pub free: f64,
}

impl Outlook {
    /// From all groups of a run of engines that work at once. `sizes`: a long request's scatter is large, and where requests are
    /// unlike, a few tell most of it (Satterthwaite, Biometrics Bulletin 2(6), 1946). The mean and the queue take one each.
    ///
    /// `error` is that of its interval: where it is larger, what depends on each other is more than a queue.
    pub fn of(sure: Sure, error: f64, sizes: &[f64]) -> Self {
        let (squares, fourths) =
            sizes.iter().fold((0.0, 0.0), |all, size| (all.0 + size.powi(2), all.1 + size.powi(4)));
        let rows = if fourths > 0.0 { squares * squares / fourths } else { 0.0 };
        let squared = (sure.squared * OUT_OF_STEP).max(error * error);
        Self { squared, free: (rows / sure.factor - 2.0).max(LEAST_FREE) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn near(a: f64, b: f64, within: f64) -> bool {
        (a / b - 1.0).abs() < within
    }

    /// `n` groups of `width` requests that each wait for as many others as there are `slots` fewer than users: sums of so many
    /// draws, one of them new.
    fn waits(n: usize, queue: Queue, one_slot: bool, draw: &mut ChaCha8Rng) -> Vec<f64> {
        let width = queue.width as usize;
        let of = if one_slot { queue.users } else { 1 };
        let draws: Vec<f64> = (0..n * width + of).map(|_| draw.random::<f64>() - 0.5).collect();
        let wait: Vec<f64> = draws.windows(of).map(|part| part.iter().sum()).collect();
        wait.chunks_exact(width).take(n).map(|group| group.iter().sum::<f64>() / width as f64).collect()
    }

    #[test]
    fn a_queue_is_told_from_none_and_the_error_is_the_true_one() {
        let mut draw = ChaCha8Rng::seed_from_u64(3);
        for (users, width, n) in [(4, 1, 36), (4, 2, 40), (4, 8, 40), (8, 2, 60), (1, 1, 20)] {
            for one_slot in [true, false] {
                let queue = Queue { users, width };
                let runs = 600;
                let told: Vec<(f64, Sure)> = (0..runs)
                    .map(|_| waits(n, queue, one_slot, &mut draw))
                    .map(|wait| (wait.iter().sum::<f64>() / n as f64, queue.sure(&wait).unwrap()))
                    .collect();
                let truth = told.iter().map(|(mean, _)| mean * mean).sum::<f64>() / f64::from(runs);
                let mean = told.iter().map(|(_, sure)| sure.squared).sum::<f64>() / f64::from(runs);
                // 600 means tell their variance to 6 %.
                assert!((0.75..1.35).contains(&(mean / truth)), "{users} {width} {one_slot}: {mean} {truth}");
            }
        }
    }

    #[test]
    fn few_groups_say_nothing_of_a_queue() {
        let some: Vec<f64> = (0..16).map(|i| f64::from(i * 7 % 5)).collect();
        let sure = |users, width, n: usize| Queue { users, width }.sure(&some[..n]);
        assert_eq!((sure(4, 1, 7), sure(6, 1, 16)), (None, None));
        let plain = sure(1, 1, 16).unwrap();
        assert!(plain.factor == 1.0 && sure(4, 1, 16).is_some() && sure(64, 16, 16).is_some());
        assert_eq!(Queue { users: 4, width: 1 }.sure(&[2.0; 12]), Some(Sure { squared: 0.0, factor: 1.0 }));
    }

    #[test]
    fn so_many_groups_are_under_way_at_once() {
        let overlap = |users, width| Queue { users, width }.overlap();
        assert_eq!([overlap(4, 1), overlap(4, 3), overlap(4, 8), overlap(1, 1)], [4, 2, 1, 1]);
        // One wide, a queue's share falls evenly; where a group holds more than all users, neighbours alone have one.
        assert_eq!(Queue { users: 4, width: 1 }.shares(), [1.0, 0.75, 0.5, 0.25]);
        assert_eq!(Queue { users: 4, width: 4 }.shares(), [2.75, 0.625]);
    }

    #[test]
    fn few_large_requests_tell_little_of_the_scatter() {
        let sure = Sure { squared: 0.01, factor: 2.0 };
        let even = Outlook::of(sure, 0.11, &[3.0; 40]);
        assert!(near(even.free, 18.0, 1e-9) && near(even.squared, 0.0145, 1e-9));
        assert_eq!(Outlook::of(sure, 0.11, &[100.0, 1.0, 1.0, 1.0]).free, LEAST_FREE);
        assert_eq!(Outlook::of(sure, 0.11, &[]).free, LEAST_FREE);
        assert!(near(Outlook::of(sure, 0.2, &[3.0; 40]).squared, 0.04, 1e-9));
    }
}
