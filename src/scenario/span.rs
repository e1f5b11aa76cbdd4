//! A length of time as people write it. Reading and writing are exact to the nanosecond, so a plan read back from its
//! directory is the plan that ran.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A length of time as people write it: `500us`, `250ms`, `30s`, `1.5m`, `2h`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

/// What a written span looks like: the schema's pattern, and what [`Span::parse`] takes.
pub(super) const PATTERN: &str = r"^(0|[0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))$";

/// The units, longest first, in nanoseconds.
const UNITS: [(&str, u128); 7] = [
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("µs", 1_000),
    ("ns", 1),
];

impl Span {
    /// Reads `500us`, `250ms`, `30s`, `1.5m`, `2h`, and a bare `0`. `None` for anything else, and past five centuries.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "0" {
            return Some(Self::default());
        }
        let unit_at = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, unit) = text.split_at(unit_at);
        let nanos_per_unit = UNITS.iter().find(|(name, _)| *name == unit)?.1;
        let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
        if whole.is_empty() || decimals.is_empty() || decimals.contains('.') {
            return None;
        }
        // Integers throughout: 0.1 s must be 100 ms and not a nanosecond less. Decimals past the 18th are below a
        // nanosecond in every unit.
        let decimals = &decimals[..decimals.len().min(18)];
        let scale = 10u128.pow(u32::try_from(decimals.len()).ok()?);
        let part = decimals.parse::<u128>().ok()? * nanos_per_unit / scale;
        let nanos = whole.parse::<u128>().ok()?.checked_mul(nanos_per_unit)?.checked_add(part)?;
        Some(Self(Duration::from_nanos(u64::try_from(nanos).ok()?)))
    }
}

impl std::fmt::Display for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let nanos = self.0.as_nanos();
        if nanos == 0 {
            return f.write_str("0s");
        }
        // Hours and minutes only where they come out whole, and more than one: `90s` says more than `1.5m`.
        let fits = |(name, unit): &&(&str, u128)| match *name {
            "h" | "m" => nanos.is_multiple_of(*unit) && nanos >= 2 * unit,
            _ => nanos >= *unit,
        };
        let (name, unit) = UNITS.iter().find(fits).copied().unwrap_or(("ns", 1));
        let (whole, part) = (nanos / unit, nanos % unit);
        if part == 0 {
            return write!(f, "{whole}{name}");
        }
        let digits = unit.ilog10() as usize;
        let decimals = format!("{part:0digits$}");
        write!(f, "{whole}.{}{name}", decimals.trim_end_matches('0'))
    }
}

impl Serialize for Span {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl serde::de::Visitor<'_> for Text {
            type Value = Span;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a duration, such as 500ms, 30s, 5m")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Span, E> {
                Span::parse(text).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }
            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Span, E> {
                // Without a unit only nothing at all is clear.
                let zero = (number == 0).then(Span::default);
                zero.ok_or_else(|| E::invalid_value(serde::de::Unexpected::Unsigned(number), &self))
            }
        }
        deserializer.deserialize_any(Text)
    }
}

impl JsonSchema for Span {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Span".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "title": "a duration",
            "description": "A duration: 500us, 250ms, 30s, 1.5m, 2h",
            "type": ["string", "integer"],
            "pattern": PATTERN,
            "minimum": 0,
            "maximum": 0
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spans_read_and_write_as_people_do() {
        let cases = [
            ("0", "0s"),
            ("0ms", "0s"),
            ("500us", "500us"),
            ("500µs", "500us"),
            ("250ms", "250ms"),
            ("0.1s", "100ms"),
            ("1.5s", "1.5s"),
            ("30s", "30s"),
            ("90s", "90s"),
            ("1.5m", "90s"),
            ("60m", "60m"),
            ("2h", "2h"),
            ("7199s", "7199s"),
            ("1.000000001s", "1.000000001s"),
        ];
        for (written, told) in cases {
            assert_eq!(Span::parse(written).map(|s| s.to_string()).as_deref(), Some(told), "{written}");
        }
    }

    #[test]
    fn what_is_no_span_is_refused() {
        let wrong =
            ["", "s", "5", "-5s", "5 s", " 5s", ".5s", "5.s", "1.2.3s", "1e3s", "5sec", "5M", "∞s", "0.0", "1d"];
        for text in wrong {
            assert_eq!(Span::parse(text), None, "{text}");
        }
        assert_eq!(Span::parse(&format!("{}h", "9".repeat(40))), None);
        assert_eq!(Span::parse("5124096h"), None, "past what nanoseconds in 64 bits hold");
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_exactly(nanos: u64) {
            let span = Span(Duration::from_nanos(nanos));
            prop_assert_eq!(Span::parse(&span.to_string()), Some(span));
            let json = serde_json::to_string(&span).unwrap();
            prop_assert_eq!(serde_json::from_str::<Span>(&json).unwrap(), span);
        }

        #[test]
        fn no_text_makes_it_panic(text in "[0-9.]{0,30}[a-zµ ]{0,3}|\\PC{0,20}") {
            let _ = Span::parse(&text);
        }
    }
}
