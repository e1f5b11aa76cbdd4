//! Distributions of lengths, in words or in tokens.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::value::MapAccessDeserializer;
use serde::{Deserialize, Deserializer, Serialize};

/// Longest length that a bare number may say.
const MOST: u32 = 2_000_000;

/// A distribution of lengths: a number where all are the same.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[schemars(title = "a distribution of lengths")]
pub enum Lengths {
    /// All the same.
    Fixed(#[schemars(range(min = 1, max = 2_000_000))] u32),
    /// Uniform between two lengths, both included.
    Uniform {
        /// Shortest.
        #[schemars(range(min = 1, max = 100000))]
        min: u32,
        /// Longest.
        #[schemars(range(min = 1, max = 100000))]
        max: u32,
    },
    /// Lognormal: many short ones and a long tail.
    Lognormal {
        /// Median length.
        #[schemars(range(min = 1, max = 100000))]
        median: f64,
        /// Standard deviation of the logarithm (0.5 is mild, 1 is wide).
        #[schemars(range(min = 0.0, max = 5.0))]
        sigma: f64,
        /// Longest allowed; longer draws are cut to it.
        #[schemars(range(min = 1, max = 100000))]
        max: u32,
    },
    /// Short ones and long ones, nothing between.
    Bimodal {
        /// Length of the short ones.
        #[schemars(range(min = 1, max = 100000))]
        short: u32,
        /// Length of the long ones.
        #[schemars(range(min = 1, max = 100000))]
        long: u32,
        /// Share of long ones, 0 to 1.
        #[schemars(range(min = 0.0, max = 1.0))]
        long_share: f64,
    },
}

impl Lengths {
    /// The longest that may come of it.
    pub fn longest(&self) -> u32 {
        match *self {
            Lengths::Fixed(length) => length,
            Lengths::Uniform { max, .. } | Lengths::Lognormal { max, .. } => max,
            Lengths::Bimodal { short, long, .. } => long.max(short),
        }
    }
}

impl std::fmt::Display for Lengths {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Lengths::Fixed(length) => write!(f, "{length}"),
            Lengths::Uniform { min, max } => write!(f, "{min} to {max}"),
            Lengths::Lognormal { median, max, .. } => write!(f, "a median of {median}, at most {max}"),
            Lengths::Bimodal { short, long, .. } => write!(f, "{short} or {long}"),
        }
    }
}

/// Reads a distribution, or a number in its place.
pub(super) fn written<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Lengths>, D::Error> {
    struct Either;
    impl<'de> serde::de::Visitor<'de> for Either {
        type Value = Option<Lengths>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a number, or a distribution of lengths")
        }
        fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Self::Value, E> {
            let fits = u32::try_from(number).ok().filter(|number| (1..=MOST).contains(number));
            let length = fits.ok_or_else(|| E::invalid_value(serde::de::Unexpected::Unsigned(number), &self))?;
            Ok(Some(Lengths::Fixed(length)))
        }
        fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
            Lengths::deserialize(MapAccessDeserializer::new(map)).map(Some)
        }
        fn visit_unit<E: serde::de::Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
    }
    deserializer.deserialize_any(Either)
}

/// The schema of a distribution, or of the number in its place.
pub(super) fn schema(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = Lengths::json_schema(generator);
    let number = serde_json::json!({ "type": "integer", "minimum": 1, "maximum": MOST });
    if let Some(choices) = schema.get_mut("oneOf").and_then(serde_json::Value::as_array_mut) {
        choices.push(number);
    }
    schema
}
