//! Whether something grows for as long as it is watched, as memory that leaks does, and bursts in a row of counts.

use super::interval::t_quantile;
use super::row::tidy;
use serde::{Deserialize, Serialize};
use statrs::distribution::{DiscreteCDF, Poisson};

/// Equal stretches that the time is cut into, at most and at least. Few enough that an allocator's ups and downs even out in
/// each.
const STRETCHES: usize = 24;
const LEAST_STRETCHES: usize = 12;
/// Seconds that are watched at least, and that are advised: two readings a stretch, one a second, and some to spare.
const LEAST_SECONDS: f64 = 48.0;
const ADVISED_SECONDS: f64 = 60.0;
/// Growth that is worth a word, as a share of the level at the beginning, and in the readings' unit where that is more.
const LEAST_SHARE: f64 = 0.01;

/// How a level developed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Course {
    /// It kept growing: a leak, if it is memory.
    Grows,
    /// It grew at first, then less or not at all: a cache that fills.
    Settles,
    /// No growth found.
    NotShown,
}

/// How a level changed over the measured time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Growth {
    /// The level in the first stretch, in the readings' unit.
    pub from: f64,
    /// The level in the last stretch.
    pub to: f64,
    /// Change per hour.
    pub per_hour: f64,
    /// Lower end of its 95 % interval.
    pub low: f64,
    /// Upper end: a larger growth would have been detected.
    pub high: f64,
    /// Measured seconds.
    pub seconds: f64,
    /// Number of batches of the time.
    pub stretches: usize,
    /// How it developed.
    pub course: Course,
}

/// The growth of a level from readings (seconds, value) between two instants; `Err` with the seconds that it should have
/// been watched for, where readings a second apart would do. `least` is the least growth worth a word, in the readings' unit.
///
/// The time is cut into 24 equal stretches (into fewer, down to 12, where one would have no reading), each with the median of
/// its readings. The slope is the mean of the steps from one to the next, with a t interval over them: the steps of a level that wanders
/// (a random walk, as heaps do) are independent where its values are not, so that least squares on the values would find
/// slopes in most of them (Granger and Newbold, Journal of Econometrics 2, 1974); of a straight line with noise around it
/// the interval is wider than it need be. One jump is no slope: it is one step of many.
/// `Grows` needs the interval above zero, a growth worth a word, and a second half that grew at least half as much as the
/// first.
pub fn growth(readings: &[(f64, f64)], from_s: f64, to_s: f64, least: f64) -> Result<Growth, f64> {
    let seconds = to_s - from_s;
    if !(seconds.is_finite() && seconds >= LEAST_SECONDS) {
        return Err(ADVISED_SECONDS);
    }
    let inside = readings.iter().filter(|(t_s, value)| (from_s..=to_s).contains(t_s) && value.is_finite());
    let inside: Vec<(f64, f64)> = inside.map(|(t_s, value)| ((t_s - from_s) / seconds, *value)).collect();
    let levels = (LEAST_STRETCHES..=STRETCHES).rev().find_map(|count| levels(&inside, count));
    let levels = levels.ok_or(ADVISED_SECONDS.max(seconds * 1.25))?;
    let length = seconds / levels.len() as f64;
    let steps: Vec<f64> = levels.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let n = steps.len() as f64;
    let mean = steps.iter().sum::<f64>() / n;
    let error = (steps.iter().map(|step| (step - mean).powi(2)).sum::<f64>() / (n - 1.0) / n).sqrt();
    let half = t_quantile(0.975, n - 1.0).unwrap_or(f64::INFINITY) * error;
    let an_hour = |step: f64| tidy(step * 3600.0 / length);
    let (from, to) = (levels[0], levels[levels.len() - 1]);
    let middle = levels.len() / 2;
    let (first, second) = (levels[middle] - from, to - levels[middle]);
    let worth = to - from > least.max(LEAST_SHARE * from.abs());
    let course = match worth && mean - half > 0.0 {
        true if second >= 0.5 * first => Course::Grows,
        true => Course::Settles,
        // A jump or two: it grew, and its interval says that it need not go on.
        false if worth && second < 0.1 * first => Course::Settles,
        false => Course::NotShown,
    };
    Ok(Growth {
        from,
        to,
        per_hour: an_hour(mean),
        low: an_hour(mean - half),
        high: an_hour(mean + half),
        seconds: tidy(seconds),
        stretches: levels.len(),
        course,
    })
}

/// The medians of readings (share of the time, value) in so many equal stretches; `None` if one has none.
fn levels(readings: &[(f64, f64)], count: usize) -> Option<Vec<f64>> {
    let mut stretches: Vec<Vec<f64>> = vec![Vec::new(); count];
    for (share, value) in readings {
        stretches[((share * count as f64) as usize).min(count - 1)].push(*value);
    }
    stretches.iter().all(|stretch| !stretch.is_empty()).then(|| stretches.into_iter().map(median).collect())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let (low, high) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
    f64::midpoint(low, high)
}

/// A burst of failures beyond chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Burst {
    /// First second of it, from the run's start.
    pub from_s: u64,
    /// Last second of it.
    pub to_s: u64,
    /// Failures in it.
    pub failures: u64,
}

/// Quiet seconds that end a burst.
const QUIET: u64 = 5;
/// Failures that a burst has, at least.
const LEAST_FAILURES: u64 = 5;
/// Probability of as many by chance, over all of the run, that is taken for none.
const CHANCE: f64 = 0.001;

/// Bursts in the failures of each second: (second, failures), in order. Failures less than five seconds apart lie together;
/// together they are a burst if there are five or more, and if at the rate of failures outside it as many would come by
/// chance less than once in a thousand such runs (Poisson, corrected for the number of places where it could lie).
pub fn bursts(seconds: &[(u64, u64)]) -> Vec<Burst> {
    let mut together: Vec<Burst> = Vec::new();
    for &(at, failures) in seconds.iter().filter(|(_, failures)| *failures > 0) {
        match together.last_mut() {
            Some(last) if at.saturating_sub(last.to_s) <= QUIET => {
                (last.to_s, last.failures) = (at, last.failures + failures);
            }
            _ => together.push(Burst { from_s: at, to_s: at, failures }),
        }
    }
    let all: u64 = together.iter().map(|burst| burst.failures).sum();
    let whole = seconds.len() as f64;
    together.retain(|burst| {
        let length = (burst.to_s - burst.from_s + 1) as f64;
        let (outside, rest) = ((all - burst.failures) as f64, whole - length);
        // All of the run in one: that is a rate, and no burst.
        if burst.failures < LEAST_FAILURES || rest < length {
            return false;
        }
        let expected = outside / rest * length;
        let chance = if expected > 0.0 {
            Poisson::new(expected).map_or(1.0, |poisson| poisson.sf(burst.failures - 1))
        } else {
            0.0
        };
        chance * (whole / length).max(1.0) < CHANCE
    });
    together
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    const MIB: f64 = 1024.0 * 1024.0;

    /// An hour of readings, one a second.
    fn hour(level: impl FnMut(usize) -> f64) -> Vec<(f64, f64)> {
        (0..3600).map(|i| i as f64).zip((0..3600).map(level)).collect()
    }

    fn of(readings: &[(f64, f64)]) -> Growth {
        growth(readings, 0.0, 3600.0, MIB).unwrap()
    }

    #[test]
    fn a_leak_is_found_with_its_slope() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        // 40 MiB an hour on 500, with 3 MiB of noise.
        let told = of(&hour(|i| 500.0 * MIB + 40.0 * MIB * i as f64 / 3600.0 + 3.0 * MIB * random.random::<f64>()));
        assert_eq!(told.course, Course::Grows);
        assert!((told.per_hour / MIB - 40.0).abs() < 2.0 && told.low < told.per_hour && told.per_hour < told.high);
        assert!((told.from / MIB - 502.0).abs() < 2.0 && (told.to / MIB - 541.0).abs() < 2.0, "{told:?}");
    }

    #[test]
    fn levels_jumps_and_caches_that_fill_are_no_leak() {
        let mut random = ChaCha8Rng::seed_from_u64(2);
        assert_eq!(of(&hour(|_| 500.0 * MIB)).course, Course::NotShown);
        assert_eq!(of(&hour(|_| (500.0 + 9.0 * random.random::<f64>()) * MIB)).course, Course::NotShown);
        assert_eq!(of(&hour(|i| if i < 900 { 500.0 } else { 600.0 } * MIB)).course, Course::Settles);
        let fills = of(&hour(|i| (500.0 + 100.0 * (1.0 - (-(i as f64) / 700.0).exp())) * MIB));
        assert_eq!(fills.course, Course::Settles, "{fills:?}");
        // A collector's saw, and what falls.
        assert_eq!(of(&hour(|i| (500.0 + (i % 400) as f64 / 4.0) * MIB)).course, Course::NotShown);
        assert_eq!(of(&hour(|i| (500.0 - i as f64 / 100.0) * MIB)).course, Course::NotShown);
        // Less than is worth a word, however sure.
        assert_eq!(of(&hour(|i| 500.0 * MIB + i as f64 * 100.0)).course, Course::NotShown);
    }

    #[test]
    fn a_level_that_wanders_is_seldom_taken_for_a_leak() {
        let mut random = ChaCha8Rng::seed_from_u64(3);
        let found = (0..400).filter(|_| {
            let mut level = 500.0 * MIB;
            let readings = hour(|_| {
                level += (random.random::<f64>() - 0.5) * MIB;
                level
            });
            of(&readings).course == Course::Grows
        });
        // Upward alone: 2.5 % of 400, and chance about it.
        let found = found.count();
        assert!(found <= 22, "{found} of 400");
    }

    #[test]
    fn too_short_a_time_says_how_long_it_should_have_been() {
        let readings = hour(|_| 1.0);
        assert_eq!(growth(&readings, 0.0, 10.0, 0.0), Err(60.0));
        assert_eq!(growth(&readings, 5.0, 5.0, 0.0), Err(60.0));
        assert!(growth(&readings, 0.0, 60.0, 0.0).is_ok());
        // Read every ten seconds: of 200 there are 20 stretches with a reading each, and of 100 too few.
        let seldom: Vec<_> = readings.into_iter().step_by(10).collect();
        assert!(growth(&seldom, 0.0, 200.0, 0.0).is_ok());
        assert_eq!(growth(&seldom, 0.0, 100.0, 0.0), Err(125.0));
    }

    #[test]
    fn failures_close_together_are_a_burst_and_spread_ones_are_not() {
        let run = |failures: &dyn Fn(u64) -> u64| bursts(&(0..1000).map(|s| (s, failures(s))).collect::<Vec<_>>());
        assert_eq!(
            run(&|s| if (300..303).contains(&s) { 4 } else { 0 }),
            [Burst { from_s: 300, to_s: 302, failures: 12 }]
        );
        assert_eq!(run(&|s| u64::from(s % 20 == 0)), []);
        assert_eq!(run(&|s| u64::from(s % 20 == 0) + if s == 500 { 9 } else { 0 }).len(), 1);
        assert_eq!(run(&|_| 3), []);
        assert_eq!(run(&|s| if s == 5 { 4 } else { 0 }), [], "four are too few");
        assert_eq!(bursts(&[]), []);
    }

    proptest! {
        #[test]
        fn any_readings_are_told_without_breaking(
            readings in prop::collection::vec((any::<f64>(), any::<f64>()), 0..200), from: f64, to: f64, least: f64,
            counts in prop::collection::vec((0..u64::MAX / 2, 0..1_000_000_u64), 0..50),
        ) {
            let _ = growth(&readings, from, to, least);
            let mut counts = counts;
            counts.sort_unstable();
            for burst in bursts(&counts) {
                prop_assert!(burst.from_s <= burst.to_s && burst.failures >= LEAST_FAILURES);
            }
        }
    }
}
