//! Reading what clients send: texts that may be given in several ways, borrowed from the request where they can be. And the numbers
//! of the command line.

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// A text: a string, null (empty), or a list of parts of which those with a `text` count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

/// One text or several: a string, null (none), or a list of strings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Texts<'a>(pub(super) Vec<Text<'a>>);

impl std::ops::Deref for Text<'_> {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl Texts<'_> {
    /// All of them as strings of their own.
    pub(super) fn owned(&self) -> Vec<String> {
        self.0.iter().map(|text| text.to_string()).collect()
    }

    /// All of them as one text; a single one as it is.
    pub(super) fn joined(&self) -> Cow<'_, str> {
        match self.0.as_slice() {
            [one] => Cow::Borrowed(&one.0),
            many => Cow::Owned(many.iter().map(|text| &*text.0).collect::<Vec<_>>().join("\n")),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Text<'de>;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
            fn visit_string<E>(self, text: String) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text)))
            }
            fn visit_unit<E>(self) -> Result<Text<'de>, E> {
                Ok(Text::default())
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Text<'de>, A::Error> {
                let mut whole = String::new();
                while let Some(Part(part)) = parts.next_element()? {
                    whole.push_str(&part);
                }
                Ok(Text(Cow::Owned(whole)))
            }
        }
        from.deserialize_any(Reader)
    }
}

/// The `text` of a part of a message.
struct Part<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Part<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Part<'de>;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a part with a text")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Part<'de>, A::Error> {
                let mut text = Cow::Borrowed("");
                while let Some(key) = map.next_key::<Text<'de>>()? {
                    if &*key == "text" {
                        text = map.next_value::<Text<'de>>()?.0;
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(Part(text))
            }
        }
        from.deserialize_map(Reader)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Texts<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Texts<'de>;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a string or a list of strings")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Texts<'de>, E> {
                Ok(Texts(vec![Text(Cow::Borrowed(text))]))
            }
            fn visit_str<E>(self, text: &str) -> Result<Texts<'de>, E> {
                Ok(Texts(vec![Text(Cow::Owned(text.to_owned()))]))
            }
            fn visit_unit<E>(self) -> Result<Texts<'de>, E> {
                Ok(Texts::default())
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut texts: A) -> Result<Texts<'de>, A::Error> {
                let mut all = Vec::new();
                while let Some(text) = texts.next_element()? {
                    all.push(text);
                }
                Ok(Texts(all))
            }
        }
        from.deserialize_any(Reader)
    }
}

/// One message of a conversation.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Message<'a> {
    /// What was said.
    #[serde(borrow, default)]
    pub(super) content: Text<'a>,
}

/// A conversation as one text: what was said, line by line; a single message as it is.
pub(super) fn conversation<'a>(messages: &'a [Message<'_>]) -> Cow<'a, str> {
    match messages {
        [one] => Cow::Borrowed(&one.content.0),
        many => Cow::Owned(many.iter().map(|message| &*message.content.0).collect::<Vec<_>>().join("\n")),
    }
}

/// A share from 0 to 1.
pub(super) fn share(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=1.0).contains(&value) { Ok(value) } else { Err("must be from 0 to 1".to_owned()) }
}

/// A number that is 0 or more.
pub(super) fn amount(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if value.is_finite() && value >= 0.0 { Ok(value) } else { Err("must be 0 or more".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_in_all_their_ways() {
        let text = |json: &'static str| serde_json::from_str::<Text<'_>>(json).map(|text| text.0.into_owned());
        assert_eq!(text(r#""a""#).unwrap(), "a");
        assert_eq!(text(r#""a\n""#).unwrap(), "a\n");
        assert_eq!(text("null").unwrap(), "");
        assert_eq!(text(r#"[{"type":"text","text":"a"},{"type":"image"},{"text":"b"}]"#).unwrap(), "ab");
        assert!(text("3").is_err());
        let texts = |json: &'static str| serde_json::from_str::<Texts<'_>>(json).map(|texts| texts.owned());
        assert_eq!(texts(r#""a""#).unwrap(), ["a"]);
        assert_eq!(texts(r#"["a","b"]"#).unwrap(), ["a", "b"]);
        assert!(texts("null").unwrap().is_empty());
        let plain: Text<'_> = serde_json::from_str(r#""a""#).unwrap();
        assert!(matches!(plain.0, Cow::Borrowed("a")), "borrowed where it can be");
    }

    #[test]
    fn a_conversation_is_what_was_said() {
        let messages: Vec<Message<'_>> =
            serde_json::from_str(r#"[{"role":"system","content":"a"},{"role":"user","content":"b"}]"#).unwrap();
        assert_eq!(conversation(&messages), "a\nb");
    }
}
