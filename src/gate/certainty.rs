//! How sure a figure is, and the ratio or the difference of two.

use crate::stats::{Estimate, newcombe};

/// How sure a figure is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Certainty {
    /// It was counted, or read once of the whole run: it is what it is.
    Exact,
    /// An estimate with its 95 % interval. An end may be infinite.
    Interval(f64, f64),
    /// An estimate without one, and why.
    Unknown(String),
}

impl Certainty {
    /// The ends of an interval, as far as there is one.
    pub fn ends(&self) -> Option<(f64, f64)> {
        match self {
            Certainty::Interval(low, high) => Some((*low, *high)),
            Certainty::Exact | Certainty::Unknown(_) => None,
        }
    }
}

/// A figure, and how sure it is.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Value {
    pub value: f64,
    pub sure: Certainty,
}

impl Value {
    /// Between what it lies; why that isn't known.
    pub fn between(&self) -> Result<(f64, f64), &str> {
        match &self.sure {
            Certainty::Exact => Ok((self.value, self.value)),
            Certainty::Interval(low, high) => Ok((*low, *high)),
            Certainty::Unknown(why) => Err(why),
        }
    }
}

/// Two figures, both exact or with the ends of both.
fn both(a: &Value, b: &Value, of: impl FnOnce((f64, f64), (f64, f64)) -> Certainty) -> Certainty {
    match (a.between(), b.between()) {
        _ if a.sure == Certainty::Exact && b.sure == Certainty::Exact => Certainty::Exact,
        (Ok(a), Ok(b)) => of(a, b),
        (Err(why), _) | (_, Err(why)) => Certainty::Unknown(why.to_owned()),
    }
}

/// How sure the ratio of two figures is that are sure by themselves, on the logarithmic scale, by the method of variance
/// estimates recovery (Zou and Donner, Statistics in Medicine 27, 2008, p. 1693). It takes them for independent; figures of
/// one run that rise and fall together make it too wide, which errs on the safe side.
pub(super) fn ratio(a: &Value, b: &Value) -> Certainty {
    both(a, b, |(low_a, high_a), (low_b, high_b)| {
        if a.value.is_infinite() {
            return Certainty::Interval(if low_a.is_infinite() { f64::INFINITY } else { 0.0 }, f64::INFINITY);
        }
        if a.value <= 0.0 || b.value <= 0.0 || low_a < 0.0 || low_b < 0.0 {
            return Certainty::Unknown("an interval reaches below 0, so there is no ratio".to_owned());
        }
        let (la, lb) = (a.value.ln(), b.value.ln());
        let below = (la - low_a.ln()).hypot(high_b.ln() - lb);
        let above = (high_a.ln() - la).hypot(lb - low_b.ln());
        Certainty::Interval((la - lb - below).exp(), (la - lb + above).exp())
    })
}

/// How sure the difference of two shares is.
pub(super) fn difference(a: &Value, b: &Value) -> Certainty {
    both(a, b, |ends_a, ends_b| {
        let estimate = |value: f64, (low, high): (f64, f64)| Estimate { value, low, high, n: 0 };
        let (low, high) = newcombe(estimate(a.value, ends_a), estimate(b.value, ends_b));
        Certainty::Interval(low, high)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn within(value: f64, low: f64, high: f64) -> Value {
        Value { value, sure: Certainty::Interval(low, high) }
    }

    #[test]
    fn what_is_not_known_of_one_is_not_known_of_both() {
        let (exact, unknown) = (
            Value { value: 2.0, sure: Certainty::Exact },
            Value { value: 2.0, sure: Certainty::Unknown("because".to_owned()) },
        );
        assert_eq!(ratio(&exact, &exact), Certainty::Exact);
        assert_eq!(difference(&exact, &exact), Certainty::Exact);
        for told in [ratio(&exact, &unknown), ratio(&unknown, &exact), difference(&unknown, &exact)] {
            assert_eq!(told, Certainty::Unknown("because".to_owned()));
        }
        // The one is exact: the other's interval is what there is.
        let told = ratio(&exact, &within(4.0, 2.0, 8.0)).ends().unwrap();
        assert!((told.0 - 0.25).abs() < 1e-9 && (told.1 - 1.0).abs() < 1e-9, "{told:?}");
        // A mean of 30 ms, -33 to 100 ms: no ratio of it has an interval, and none is a point.
        assert!(matches!(ratio(&within(30.0, -33.0, 100.0), &exact), Certainty::Unknown(_)));
        // From nought on it has one.
        let (low, high) = ratio(&within(30.0, 0.0, 100.0), &within(30.0, 0.0, 100.0)).ends().unwrap();
        assert!(low == 0.0 && high.is_infinite(), "{low} {high}");
        // Too many failed: infinite, surely or not.
        let infinite = |low| ratio(&within(f64::INFINITY, low, f64::INFINITY), &exact).ends().unwrap();
        assert_eq!(infinite(f64::INFINITY).0, f64::INFINITY);
        assert_eq!(infinite(3.0).0, 0.0);
    }

    proptest! {
        #[test]
        fn the_ratio_lies_in_its_interval(
            a in 0.1_f64..1e6, b in 0.1_f64..1e6, down in prop::array::uniform2(0.0_f64..1.0), up in prop::array::uniform2(1.0_f64..9.0),
        ) {
            let (x, y) = (within(a, a * down[0], a * up[0]), within(b, b * down[1], b * up[1]));
            let (low, high) = ratio(&x, &y).ends().unwrap();
            prop_assert!(low <= a / b * 1.000_001 && a / b <= high * 1.000_001, "{low} {high}");
            // No narrower than either of the two alone.
            prop_assert!(low <= a * down[0] / b * 1.000_001 && high * 1.000_001 >= a * up[0] / b);
        }
    }
}
