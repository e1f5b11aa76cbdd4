//! A text that must not be shown. Only `expose` tells it, and only the wire calls that. And the values that came from the
//! environment or a file, which texts of others may repeat: an engine's error that quotes a token.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::{PoisonError, RwLock};

/// Characters of the shortest value that is looked for in other texts: a shorter one stands in too many words by chance.
const SHORTEST: usize = 6;
/// Digits of the shortest number that is: shorter ones are ports, sizes, counts.
const SHORTEST_NUMBER: usize = 9;

/// What is looked for, the longest first, and what is shown in its place.
static KNOWN: RwLock<Vec<(String, String)>> = RwLock::new(Vec::new());

/// Has a value that came from the environment or a file replaced by `shown` wherever it is met, as it is and as JSON writes it.
pub(super) fn remember(value: &str, shown: &str) {
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    let quoted = serde_json::to_string(value).unwrap_or_default();
    let inside = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
    // A text of several lines is met line by line, too.
    let forms = [value, value.trim(), inside].into_iter().chain(value.lines().map(str::trim));
    for form in forms {
        if sought(form) && !known.iter().any(|(have, _)| have == form) {
            known.push((form.to_owned(), shown.to_owned()));
        }
    }
    known.sort_by_key(|(form, _)| std::cmp::Reverse(form.len()));
}

/// Whether a value is looked for in other texts. Where an engine answers is shown, and short texts stand in too many words by
/// chance.
pub fn sought(value: &str) -> bool {
    if value.parse::<IpAddr>().is_ok() || value.eq_ignore_ascii_case("localhost") {
        return false;
    }
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    let number = value.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if number { digits >= SHORTEST_NUMBER } else { value.chars().count() >= SHORTEST }
}

/// Shows a value again: an engine tells it of itself.
pub fn release(value: &str) {
    KNOWN.write().unwrap_or_else(PoisonError::into_inner).retain(|(known, _)| known != value);
}

/// What this process's environment holds under names that say so (`API_KEY`, `HF_TOKEN`), each after its reference.
fn environment() -> impl Iterator<Item = (String, String)> {
    let plain =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let secret = plain.filter(|(name, value)| is_secret_name(name) && value.len() >= 8);
    secret.map(|(name, value)| (format!("${{{name}}}"), value))
}

/// Remembers the secrets of this process's environment: wherever they are met, they are no figure.
pub(super) fn remember_environment() {
    environment().for_each(|(reference, value)| remember(&value, &reference));
}

/// An argument of the command line into which a shell has put a secret of the environment, as it was written before; `None` if
/// it is none.
pub(super) fn by_shell(argument: &str) -> Option<String> {
    let put = |text: String, (reference, value): (String, String)| text.replace(&value, &reference);
    Some(environment().fold(argument.to_owned(), put)).filter(|written| written != argument)
}

/// A text without the values that came from the environment or a file: each is shown as the reference that it was written as.
/// Called before a text is cut short, or the rest of a value would stand there.
pub fn scrub(text: &str) -> Cow<'_, str> {
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    let mut clean = Cow::Borrowed(text);
    for (value, shown) in known.iter() {
        if clean.contains(value.as_str()) {
            clean = Cow::Owned(clean.replace(value.as_str(), shown));
        }
    }
    clean
}

/// The values that [`scrub`] replaces, the longest first: for another process that is to do the same.
pub fn scrubbed_values() -> Vec<String> {
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    known.iter().map(|(value, _)| value.clone()).collect()
}

/// As [`scrub`], of a text that is one's own: the usual one has nothing to be replaced, and is not copied.
pub fn scrubbed(text: String) -> String {
    let clean = match scrub(&text) {
        Cow::Owned(clean) => Some(clean),
        Cow::Borrowed(_) => None,
    };
    clean.unwrap_or(text)
}

/// A text that must not be shown: prints as `***`, and serialises so too.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text that must not be shown.
    pub fn new(text: String) -> Self {
        Self(text)
    }
    /// The text itself, for the wire and nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Serialize for Secret {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(if self.is_empty() { "" } else { "***" })
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Secret)
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Secret".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "title": "a secret", "type": "string" })
    }
}

/// Whether a name says that what it holds is secret.
pub(super) fn is_secret_name(name: &str) -> bool {
    const WORDS: [&str; 6] = ["token", "authorization", "cookie", "key", "secret", "password"];
    let name = name.to_ascii_lowercase();
    // A limit of tokens, as it is often mistyped, is no secret.
    WORDS.iter().any(|word| name.ends_with(word)) && !name.ends_with("max_token")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_shown_by_its_name_until_it_is_released() {
        remember("sk-unit-4711\"x", "${UNIT}");
        remember("unit-model:7b", "${UNIT_MODEL}");
        remember("unit-line-one\nunit-line-two\n", "${file:unit.pem}");
        let shown =
            "auto, port 8080 of 10.0.0.1, 127.0.0.1, 192.168.100.200, ::ffff:10.0.0.1, localhost, 42, 1.234.567.8";
        for value in shown.split([' ', ',']) {
            remember(value, "${SHORT}");
        }
        assert_eq!(scrub(shown), shown);
        assert_eq!(scrub("no key sk-unit-4711\"x here"), "no key ${UNIT} here");
        assert_eq!(scrub(r#"{"error":"sk-unit-4711\"x"}"#), r#"{"error":"${UNIT}"}"#);
        assert_eq!(scrub("unit-line-two"), "${file:unit.pem}");
        assert_eq!(scrub("no unit-model:7b"), "no ${UNIT_MODEL}");
        release("unit-model:7b");
        assert_eq!(scrub("no unit-model:7b"), "no unit-model:7b");
    }

    #[test]
    fn a_secret_is_told_by_nothing_but_expose() {
        let secret = Secret::new("s3cr3t".to_owned());
        assert_eq!(secret.expose(), "s3cr3t");
        for shown in [format!("{secret:?}"), format!("{secret:#?}"), serde_json::to_string(&secret).unwrap()] {
            assert!(!shown.contains("s3cr3t") && shown.contains("***"), "{shown}");
        }
    }
}
