//! A rate as written: requests per second, or `auto`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a rate that is no number looks like: the schema's pattern.
pub(super) const PATTERN: &str = "^auto$";

/// Requests a second of an open loop, on each target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rate {
    /// Half of what the slower target answers, by a look before the load; never more than [`Rate::MOST`].
    Auto,
    /// So many a second.
    Of(f64),
}

impl Rate {
    /// Most requests a second that `auto` comes to: what tells of latency, and not of how much an engine can do.
    pub const MOST: f64 = 10.0;
    /// The share of what the slower target answers that `auto` comes to.
    pub const SHARE: f64 = 0.5;
    /// Fewest a second that can be written.
    const LEAST: f64 = 0.001;

    /// Requests a second; `None` where they are still to be found.
    pub fn per_second(self) -> Option<f64> {
        match self {
            Rate::Auto => None,
            Rate::Of(rate) => Some(rate),
        }
    }

    /// What `auto` comes to where the slower target answers `most` a second: two digits, so that it can be typed again.
    pub fn found(most: f64) -> f64 {
        let rate = (most * Self::SHARE).clamp(Self::LEAST, Self::MOST);
        let digits = 10f64.powi(1 - rate.log10().floor() as i32);
        ((rate * digits).round() / digits).max(Self::LEAST)
    }
}

impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Rate::Auto => f.write_str("half of what the slower target can answer"),
            Rate::Of(rate) => write!(f, "{rate}/s"),
        }
    }
}

impl Serialize for Rate {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Rate::Auto => serializer.serialize_str("auto"),
            Rate::Of(rate) => serializer.serialize_f64(*rate),
        }
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;
        impl serde::de::Visitor<'_> for Written {
            type Value = Rate;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("requests per second, such as 4 or 0.5, or auto")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Rate, E> {
                let wrong = || E::invalid_value(serde::de::Unexpected::Str(text), &self);
                (text == "auto").then_some(Rate::Auto).ok_or_else(wrong)
            }
            fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Rate, E> {
                Ok(Rate::Of(number))
            }
            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Rate, E> {
                Ok(Rate::Of(number as f64))
            }
            fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Rate, E> {
                Ok(Rate::Of(number as f64))
            }
        }
        deserializer.deserialize_any(Written)
    }
}

impl JsonSchema for Rate {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Rate".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "title": "requests per second, or `auto`",
            "description": "Requests per second (4, 0.5), or auto: half of what the slower target can answer, measured \
                            before the load",
            "type": ["number", "string"],
            "pattern": PATTERN,
            "minimum": 0.001,
            "maximum": 1_000_000
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn half_of_what_is_answered_in_two_digits() {
        for (most, rate) in [(0.631, 0.32), (9.0, 4.5), (3000.0, 10.0), (0.09, 0.045), (0.0001, 0.001), (2.0, 1.0)] {
            assert_eq!(Rate::found(most), rate, "{most}");
        }
    }

    proptest! {
        #[test]
        fn what_is_found_can_be_written_and_is_about_half(most in 0.002f64..1e6) {
            let found = Rate::found(most);
            let read: Rate = serde_json::from_str(&found.to_string()).unwrap();
            prop_assert_eq!(read, Rate::Of(found));
            prop_assert!((Rate::LEAST..=Rate::MOST).contains(&found));
            prop_assert!(found >= Rate::MOST * 0.94 || (found / (most * Rate::SHARE) - 1.0).abs() <= 0.06, "{}", found);
        }
    }
}
