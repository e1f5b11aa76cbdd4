//! Lengths as they are written, a time or `auto`, and when a run may end early.

use super::{Share, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Length of a measured window as written: a time, or `auto`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// As long as it has to be: of a load, as the main metric needs (`load.until`); of a deadline, as the first answers say.
    Auto,
    /// This long.
    Of(Span),
}

/// What a written length looks like: the schema's pattern, and what [`Length::parse`] takes.
pub(super) const PATTERN: &str = r"^(auto|0|[0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))$";

impl Length {
    /// Reads `auto` and lengths of time; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "auto" { Some(Self::Auto) } else { Span::parse(text).map(Self::Of) }
    }

    /// The time, where one is written.
    pub fn span(self) -> Option<Span> {
        match self {
            Length::Auto => None,
            Length::Of(span) => Some(span),
        }
    }
}

impl Serialize for Length {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Length::Auto => serializer.serialize_str("auto"),
            Length::Of(span) => span.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl serde::de::Visitor<'_> for Text {
            type Value = Length;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a duration, such as 500ms, 30s, 5m, or auto")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Length, E> {
                Length::parse(text).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }
            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Length, E> {
                // Without a unit only nothing at all is clear.
                let zero = (number == 0).then(|| Length::Of(Span::default()));
                zero.ok_or_else(|| E::invalid_value(serde::de::Unexpected::Unsigned(number), &self))
            }
        }
        deserializer.deserialize_any(Text)
    }
}

impl JsonSchema for Length {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Length".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "title": "a duration, or `auto`",
            "description": "A duration (500us, 250ms, 30s, 1.5m, 2h), or auto: as long as it has to be",
            "type": ["string", "integer"],
            "pattern": PATTERN,
            "minimum": 0,
            "maximum": 0
        })
    }
}

/// When a run may end early; also the bounds of `duration: auto`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "`until`")]
pub struct UntilSpec {
    /// Target precision: half the width of the main metric's interval, relative to the ratio.
    #[serde(default = "defaults::ci")]
    pub ci: Share,
    /// Minimum measured time per target.
    #[serde(default = "defaults::least")]
    pub least: Span,
    /// Minimum number of measured answers per target.
    #[serde(default = "defaults::answers")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub answers: u64,
    /// Maximum measured time per target with `duration: auto`; otherwise the load's duration or number of requests is
    /// the maximum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<Span>,
}

impl Default for UntilSpec {
    fn default() -> Self {
        Self { ci: defaults::ci(), least: defaults::least(), answers: defaults::answers(), most: None }
    }
}

mod defaults {
    use super::{Duration, Share, Span};

    pub fn ci() -> Share {
        Share(0.05)
    }
    pub fn least() -> Span {
        Span(Duration::from_secs(20))
    }
    pub fn answers() -> u64 {
        30
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::span::PATTERN as SPAN;

    #[test]
    fn lengths_are_read_and_written_alike() {
        for text in ["auto", "20s", "250ms"] {
            let length = Length::parse(text).unwrap();
            assert_eq!(serde_json::to_string(&length).unwrap(), format!("\"{text}\""));
            assert_eq!(serde_json::from_str::<Length>(&format!("\"{text}\"")).unwrap(), length);
        }
        assert_eq!(serde_json::from_str::<Length>("0").unwrap(), Length::Of(Span::default()));
        assert!(serde_json::from_str::<Length>("20").is_err() && Length::parse("Auto").is_none());
        assert!(PATTERN.contains(&SPAN[2..]), "what a span is, a length may be");
    }
}
