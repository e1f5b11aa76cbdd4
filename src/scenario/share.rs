//! A share as people write it: `2%`. The sign is asked for, as a unit is of a length of time: `2` could be meant twice.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A share as people write it: `2%`, `0.5%`. Held as a fraction: 0.02.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Share(pub f64);

/// What a written share looks like: the schema's pattern, and what [`Share::parse`] takes.
pub(super) const PATTERN: &str = r"^[0-9]+(\.[0-9]+)?%$";

impl Share {
    /// Reads `2%` and `0.5%`; `None` for anything else, and from a million per cent on.
    pub fn parse(text: &str) -> Option<Self> {
        let number = text.strip_suffix('%')?;
        let plain = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
        let percent: f64 = number.parse().ok().filter(|_| plain(whole) && plain(decimals))?;
        (percent < 1e6).then_some(Self(percent / 100.0))
    }
}

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Twelve digits: what a division by a hundred added is not told.
        let percent = (self.0 * 1e14).round() / 1e12;
        write!(f, "{percent}%")
    }
}

impl Serialize for Share {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong = || serde::de::Error::invalid_value(serde::de::Unexpected::Str(&text), &"a share, such as 2%");
        Self::parse(&text).ok_or_else(wrong)
    }
}

impl JsonSchema for Share {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Share".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "title": "a share",
            "description": "A percentage: 2%, 0.5%",
            "type": "string",
            "pattern": PATTERN
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read_and_written_alike() {
        for (text, value) in [("2%", 0.02), ("0.5%", 0.005), ("100%", 1.0), ("0%", 0.0)] {
            let share = Share::parse(text).unwrap();
            assert!((share.0 - value).abs() < 1e-15, "{text}");
            assert_eq!(share.to_string(), text);
        }
        for text in ["2", "%", ".5%", "5.%", "-1%", "+1%", "1e3%", "nan%", "inf%", "2 %", "10000000%"] {
            assert_eq!(Share::parse(text), None, "{text}");
        }
    }
}
