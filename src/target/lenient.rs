//! The second, lenient reading of what an engine sent, for what the strict one refuses: half a character, bare `NaN`,
//! fields of another kind than usual. What can't be read is blank, and says so; it never fails an answer.

use crate::record::Nanos;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;
use std::borrow::Cow;

/// What JSON has no word for, and engines write all the same.
const NO_NUMBERS: [&[u8]; 8] = [b"-Infinity", b"Infinity", b"-NaN", b"NaN", b"-nan", b"nan", b"-inf", b"inf"];

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Reads JSON, mended if need be. Beside it: whether U+FFFD stands for what was no text. The error is that of the bytes
/// as they came.
pub(super) fn read(bytes: &[u8]) -> Result<(Value, bool), serde_json::Error> {
    let error = match serde_json::from_slice(bytes) {
        Ok(value) => return Ok((value, false)),
        Err(error) => error,
    };
    let (mended, bad_text) = mend(bytes);
    serde_json::from_slice(&mended).map(|value| (value, bad_text)).map_err(|_| error)
}

/// The bytes with U+FFFD for what is no UTF-8 and for half a pair of surrogates, control characters in texts escaped, and
/// what is no number in quotes. Beside it: whether there was text to mend.
fn mend(bytes: &[u8]) -> (Vec<u8>, bool) {
    let text = String::from_utf8_lossy(bytes);
    let mut bad_text = matches!(text, Cow::Owned(_));
    let mut rest = text.trim_start_matches('\u{feff}').as_bytes();
    let mut out = Vec::with_capacity(rest.len() + 16);
    let mut quoted = false;
    while let Some(&byte) = rest.first() {
        let mut taken = 1;
        if !quoted {
            quoted = byte == b'"';
            if let Some(word) = NO_NUMBERS.iter().find(|word| rest.starts_with(word)) {
                out.push(b'"');
                out.extend_from_slice(word);
                out.push(b'"');
                taken = word.len();
            } else {
                out.push(byte);
            }
        } else if byte == b'\\' {
            match unit(rest) {
                Some(0xd800..=0xdbff) if matches!(rest.get(6..).and_then(unit), Some(0xdc00..=0xdfff)) => taken = 12,
                Some(0xd800..=0xdfff) => {
                    bad_text = true;
                    out.extend_from_slice(b"\\ufffd");
                    rest = &rest[6..];
                    continue;
                }
                _ => taken = rest.len().min(2),
            }
            out.extend_from_slice(&rest[..taken]);
        } else if byte < b' ' {
            out.extend_from_slice(format!("\\u{byte:04x}").as_bytes());
        } else {
            quoted = byte != b'"';
            out.push(byte);
        }
        rest = &rest[taken..];
    }
    (out, bad_text)
}

/// The code unit of a `\uXXXX` at the start.
fn unit(bytes: &[u8]) -> Option<u16> {
    let digits = bytes.strip_prefix(b"\\u")?.get(..4)?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// A count: a whole number, also as a float or a text. What is there and is none sets `bad`.
pub(super) fn count(value: Option<&Value>, bad: &mut bool) -> Option<u64> {
    let value = value.filter(|value| !value.is_null())?;
    let told = value.as_u64().or_else(|| {
        let number = number(value).filter(|n| n.fract() == 0.0 && (0.0..9e15).contains(n))?;
        Some(number as u64)
    });
    *bad |= told.is_none();
    told
}

/// A time in units of `unit` nanoseconds. What is there and is no time sets `bad`.
pub(super) fn time(value: Option<&Value>, unit: f64, bad: &mut bool) -> Option<Nanos> {
    let value = value.filter(|value| !value.is_null())?;
    let told = number(value).filter(|n| n.is_finite() && *n >= 0.0).map(|n| Nanos((n * unit).round() as u64));
    *bad |= told.is_none();
    told
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// What a field of text said: the text, and whether there was reasoning in it.
#[derive(Debug, Default)]
pub(super) struct TextField<'a> {
    pub(super) text: Cow<'a, str>,
    pub(super) thought: bool,
}

/// A text, also as a list of parts, an object that holds it, or a number; null is the empty text.
pub(super) fn said(value: Option<&Value>) -> TextField<'_> {
    match value {
        None | Some(Value::Null) => TextField::default(),
        Some(Value::String(text)) => TextField { text: text.as_str().into(), thought: false },
        Some(Value::Array(parts)) => {
            let mut all = TextField::default();
            for part in parts {
                let part = said(Some(part));
                all.text.to_mut().push_str(&part.text);
                all.thought |= part.thought;
            }
            all
        }
        Some(Value::Object(part)) => {
            let kind = part.get("type").and_then(Value::as_str).unwrap_or_default();
            if kind.contains("think") || kind.contains("reason") {
                return TextField { text: Cow::default(), thought: true };
            }
            said(part.get("text").or_else(|| part.get("content")))
        }
        Some(other) => TextField { text: other.to_string().into(), thought: false },
    }
}

/// A text without regard to reasoning, as in a field that holds nothing else.
pub(super) fn text(value: Option<&Value>) -> Cow<'_, str> {
    let said = said(value);
    if said.thought && said.text.is_empty() { "…".into() } else { said.text }
}

/// The word for why an answer ended; null, false and the empty text say nothing.
pub(super) fn reason(value: Option<&Value>) -> Option<Cow<'_, str>> {
    match value? {
        Value::Null | Value::Bool(false) => None,
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(text.as_str().into()),
        Value::Object(told) => {
            let word = ["type", "reason", "finish_reason"].iter().find_map(|key| told.get(*key)?.as_str());
            Some(word.map_or_else(|| super::answer::brief(&Value::Object(told.clone()).to_string()).into(), Into::into))
        }
        other => Some(other.to_string().into()),
    }
}

/// A vector: a list of numbers, or little-endian floats in base64. An element that is no number is NaN.
pub(super) fn vector(value: Option<&Value>) -> Option<Vec<f32>> {
    match value? {
        Value::Array(list) if matches!(list.first(), Some(Value::Array(_))) => vector(list.first()),
        Value::Array(list) => Some(list.iter().map(|x| number(x).map_or(f32::NAN, |x| x as f32)).collect()),
        Value::String(text) => {
            let bytes = BASE64.decode(text.trim()).ok()?;
            let (floats, rest) = bytes.as_chunks::<4>();
            rest.is_empty().then(|| floats.iter().map(|float| f32::from_le_bytes(*float)).collect())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn what_is_no_json_by_the_letter_is_mended() {
        for (bytes, value, bad_text) in [
            (&br#"{"a":"x"}"#[..], json!({"a": "x"}), false),
            (br#"{"a":"\ud83d"}"#, json!({"a": "\u{fffd}"}), true),
            (br#"{"a":"\ud83dx\ude00"}"#, json!({"a": "\u{fffd}x\u{fffd}"}), true),
            (br#"{"a":"\\ud83d \ud83d\ude00 \ud83d"}"#, json!({"a": "\\ud83d \u{1f600} \u{fffd}"}), true),
            (b"{\"a\":\"\xf0\x9f\"}", json!({"a": "\u{fffd}"}), true),
            (b"\xef\xbb\xbf{\"a\":1}", json!({"a": 1}), false),
            (b"{\"a\":\"two\nlines\"}", json!({"a": "two\nlines"}), false),
            (b"[NaN, -Infinity, nan, \"NaN \\\" inf\"]", json!(["NaN", "-Infinity", "nan", "NaN \" inf"]), false),
        ] {
            let told = read(bytes).unwrap_or_else(|error| panic!("{}: {error}", String::from_utf8_lossy(bytes)));
            assert_eq!(told, (value, bad_text), "{}", String::from_utf8_lossy(bytes));
        }
        assert!(read(b"{\"a\":").is_err_and(|error| error.is_eof()) && read(b"no").is_err());
    }

    #[test]
    fn counts_times_and_vectors_are_read_or_blank() {
        for (value, told, is_bad) in [
            (json!(null), None, false),
            (json!(3), Some(3), false),
            (json!(3.0), Some(3), false),
            (json!("3"), Some(3), false),
            (json!(3.5), None, true),
            (json!(-3), None, true),
            (json!("NaN"), None, true),
            (json!({}), None, true),
        ] {
            let mut bad = false;
            assert_eq!((count(Some(&value), &mut bad), bad), (told, is_bad), "{value}");
        }
        let mut bad = false;
        assert_eq!(time(Some(&json!(1.5)), 1e3, &mut bad), Some(Nanos(1500)));
        assert_eq!((time(Some(&json!(-1)), 1.0, &mut bad), bad), (None, true));
        assert_eq!(vector(Some(&json!("AACAPwAAAEA="))), Some(vec![1.0, 2.0]));
        assert_eq!(vector(Some(&json!("AACAPwAAAEA"))), Some(vec![1.0, 2.0]));
        assert_eq!(vector(Some(&json!("AACAPwA="))), None);
        assert_eq!(vector(Some(&json!([[0.5]]))), Some(vec![0.5]));
        let told = vector(Some(&json!([1, "2.5", null, "NaN"]))).expect("a vector");
        assert_eq!(told[..2], [1.0, 2.5]);
        assert!(told[2].is_nan() && told[3].is_nan());
    }

    #[test]
    fn texts_come_in_parts() {
        let parts = json!([{"type": "text", "text": "a"}, {"type": "thinking", "thinking": "hm"}, "b"]);
        let told = said(Some(&parts));
        assert_eq!((told.text.as_ref(), told.thought), ("ab", true));
        assert_eq!(said(Some(&Value::Null)).text, "");
        assert_eq!(reason(Some(&json!({"type": "stop", "matched": 2}))).as_deref(), Some("stop"));
        assert_eq!(reason(Some(&json!(""))), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_mended_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..60), text in "[\\\\u0-9a-f\"{}:,dDNaInf]{0,40}") {
            let _ = read(&bytes);
            let _ = read(text.as_bytes());
        }

        #[test]
        fn what_is_json_is_left_as_it_is(text in "\\PC{0,20}") {
            let bytes = json!({"a": text, "n": [1, -2.5, null, true]}).to_string().into_bytes();
            prop_assert_eq!(mend(&bytes), (bytes, false));
        }
    }
}
