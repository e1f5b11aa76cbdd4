//! How much a model may reason before it answers: one word for all APIs, which spell it in many ways.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};
use std::borrow::Cow;

/// Whether a model reasons before it answers, and how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Think {
    /// Not at all.
    Off,
    /// As much as the engine has it by itself; `medium` where an API knows levels only.
    On,
    /// A little.
    Low,
    /// Some.
    Medium,
    /// Much.
    High,
}

/// What its words are, for the schema.
pub(super) const PATTERN: &str = "^(off|on|low|medium|high|true|false)$";

/// The words, as people write them.
const WORDS: [(&str, Think); 5] =
    [("off", Think::Off), ("on", Think::On), ("low", Think::Low), ("medium", Think::Medium), ("high", Think::High)];

impl Think {
    /// The one that a text names; `true` and `false` are on and off.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "true" => Some(Think::On),
            "false" => Some(Think::Off),
            _ => WORDS.iter().find(|(word, _)| *word == text).map(|(_, think)| *think),
        }
    }

    /// The word for it.
    pub fn word(self) -> &'static str {
        WORDS.iter().find(|(_, think)| *think == self).map_or("", |(word, _)| word)
    }

    /// Whether the model may reason.
    pub fn thinks(self) -> bool {
        self != Think::Off
    }

    /// The level, where it names one.
    pub fn level(self) -> Option<&'static str> {
        matches!(self, Think::Low | Think::Medium | Think::High).then(|| self.word())
    }
}

// By hand: `on` and `off` are texts in one YAML and truth values in another, and `true` was the only word once.
impl<'de> Deserialize<'de> for Think {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Truth(bool),
            Word(String),
        }
        match Written::deserialize(from)? {
            Written::Truth(true) => Ok(Think::On),
            Written::Truth(false) => Ok(Think::Off),
            Written::Word(text) => Think::parse(&text)
                .ok_or_else(|| serde::de::Error::custom(format!("`{text}` is not one of off, on, low, medium, high"))),
        }
    }
}

impl JsonSchema for Think {
    fn schema_name() -> Cow<'static, str> {
        "Think".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "boolean"], "pattern": PATTERN })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{from_value, json};

    #[test]
    fn every_word_is_read_and_written_back_and_truth_is_on_or_off() {
        for (word, think) in WORDS {
            assert_eq!(from_value::<Think>(json!(word)).unwrap(), think);
            assert_eq!((json!(think), think.word()), (json!(word), word));
        }
        assert_eq!(
            (from_value::<Think>(json!(true)).unwrap(), from_value::<Think>(json!(false)).unwrap()),
            (Think::On, Think::Off)
        );
        assert_eq!((Think::On.level(), Think::High.level(), Think::Off.thinks()), (None, Some("high"), false));
        let told = from_value::<Think>(json!("max")).unwrap_err().to_string();
        assert!(told.contains("`max` is not one of off, on, low, medium, high"), "{told}");
        assert!(from_value::<Think>(json!(3)).is_err());
    }
}
