//! How blocks are cut to fit a given time: every block is the same work for every target, and together they take as long as
//! was said beforehand, however fast each target is.

use crate::record::Nanos;
use crate::scenario::BlocksSpec;

/// From so many units of each user on, a block needs no whole number of them to be filled.
const MANY: f64 = 10.0;

/// How far a block may stay below its share of the time for the sake of a whole number of units of each user.
const BELOW: f64 = 0.2;

/// Least pairs of blocks: with one alone there is no interval.
pub(super) const LEAST_PAIRS: u32 = 2;

/// Units per second of a target with all its users: what of each unit lies between two instants.
pub(super) fn pace(units: &[(Nanos, Nanos)], from: Nanos, to: Nanos) -> Option<f64> {
    let inside = |(begun, ended): &(Nanos, Nanos)| {
        let whole = ended.since(*begun).0.max(1) as f64;
        (*ended).min(to).since((*begun).max(from)).0 as f64 / whole
    };
    let work: f64 = units.iter().map(inside).sum();
    let seconds = to.since(from).seconds();
    Some(work / seconds).filter(|pace| pace.is_finite() && *pace > 0.0)
}

/// A cut.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Fit {
    /// Pairs of blocks that fit.
    pub pairs: u32,
    /// Units of each block.
    pub units: u64,
}

/// Cuts `seconds` into rounds of one block of each target. A block has at least one unit of each user; where even that takes
/// longer than its share of the time, there are fewer blocks.
pub(super) fn fit(paces: &[f64], users: u32, seconds: f64, blocks: &BlocksSpec) -> Fit {
    let users = f64::from(users.max(1));
    let (warmup, settle) = (blocks.warmup.0.as_secs_f64(), blocks.settle.0.as_secs_f64());
    // One unit of each user, and what a block costs beside its work: a warm-up ends with the unit that is under way.
    let each: Vec<f64> = paces.iter().map(|pace| users / pace).collect();
    let warm = |unit: f64| match (warmup > 0.0, unit < warmup) {
        (false, _) => 0.0,
        (true, true) => warmup + unit / 2.0,
        (true, false) => unit,
    };
    let beside: f64 = each.iter().map(|unit| warm(*unit) + settle).sum();
    let all: f64 = each.iter().sum::<f64>().max(f64::MIN_POSITIVE);
    let of_each = (seconds / f64::from(blocks.pairs.max(1)) - beside) / all;
    if of_each >= MANY {
        return Fit { pairs: blocks.pairs, units: (of_each * users) as u64 };
    }
    let of_each = (of_each - BELOW).ceil().max(1.0);
    let pairs = (seconds / (beside + of_each * all)).round();
    Fit { pairs: (pairs as u32).clamp(LEAST_PAIRS, blocks.pairs.max(LEAST_PAIRS)), units: (of_each * users) as u64 }
}

/// Whether another round is begun, after `done` rounds that took `took` seconds of `seconds`.
pub(super) fn goes_on(fit: &Fit, done: u32, took: f64, seconds: f64) -> bool {
    let next = took + took / f64::from(done.max(1));
    done < LEAST_PAIRS || if done < fit.pairs { next <= seconds * 1.2 } else { next <= seconds * 1.05 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Span;
    use std::time::Duration;

    fn blocks(pairs: u32) -> BlocksSpec {
        let ms = |ms| Span(Duration::from_millis(ms));
        BlocksSpec { pairs, settle: ms(100), warmup: ms(200) }
    }

    #[test]
    fn a_pace_is_what_lies_inside() {
        let at = |list: &[(u64, u64)]| list.iter().map(|(a, b)| (Nanos(*a), Nanos(*b))).collect::<Vec<_>>();
        let (from, to) = (Nanos(1_000_000_000), Nanos(3_000_000_000));
        assert_eq!(pace(&[], from, to), None);
        // Half of the first, all of the second, a quarter of the third.
        let units = at(&[(0, 2_000_000_000), (1_000_000_000, 2_000_000_000), (2_000_000_000, 6_000_000_000)]);
        assert_eq!(pace(&units, from, to), Some(1.75 / 2.0));
    }

    #[test]
    fn the_whole_is_as_long_as_was_said_whatever_the_paces_are() {
        // What a round takes in truth, by the same simple picture of lockstep.
        let rounds = [(vec![500.0, 1.0], 1), (vec![500.0, 500.0], 4), (vec![0.25, 0.5], 4), (vec![2.0, 3.0], 2)];
        for (paces, users) in rounds {
            for seconds in [20.0, 60.0, 240.0] {
                let fit = fit(&paces, users, seconds, &blocks(10));
                let unit: f64 = paces.iter().map(|pace| f64::from(users) / pace).sum();
                let per_user = fit.units as f64 / f64::from(users);
                let beside: f64 = paces.iter().map(|pace| 0.1 + (f64::from(users) / pace).max(0.2)).sum();
                let all = f64::from(fit.pairs) * (per_user * unit + beside);
                // Two pairs at least, though one answer of each takes longer.
                let least = 2.0 * (unit + beside);
                assert!((all / seconds.max(least) - 1.0).abs() < 0.25, "{paces:?} {seconds}: {fit:?}, {all}");
            }
        }
    }

    #[test]
    fn a_block_is_a_whole_number_of_units_of_each_user_where_they_are_few() {
        let slow = fit(&[0.25, 0.25], 4, 240.0, &blocks(24));
        // 16 s an answer: two of each user in a round of each, 32 s of warm-up beside them.
        assert_eq!(slow, Fit { pairs: 4, units: 4 });
        assert!(goes_on(&slow, 1, 500.0, 240.0), "two rounds at least");
        assert!(!goes_on(&slow, 3, 230.0, 240.0));
        assert!(goes_on(&slow, 3, 190.0, 240.0));
    }
}
