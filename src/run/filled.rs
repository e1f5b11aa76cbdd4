//! Whether two runs sent the same where their settings came from the environment or from files. A report has only the
//! references; a hash beside them says whether the values were the same.

use crate::scenario::TargetSpec;
use crate::workload::hash_of;
use serde_json::Value;

/// Fields that change no work: where a target is, who may ask, and what only watches.
const LEFT_OUT: [&str; 7] = ["url", "socket", "model", "token", "headers", "process", "metrics"];

/// Digits of the hash: enough to see a difference.
const DIGITS: usize = 12;

/// A short hash of the values in a target's settings that came from the environment or a file; `None` where none did. `shown`
/// are the same settings with their references.
pub(super) fn filled(sent: &TargetSpec, shown: &TargetSpec) -> Option<String> {
    let json = |spec: &TargetSpec| serde_json::to_value(spec).unwrap_or_default();
    let (sent, shown) = (json(sent), json(shown));
    let mut found = Vec::new();
    for (wire, fields) in sent.as_object()? {
        for (name, value) in fields.as_object().into_iter().flatten() {
            if !LEFT_OUT.contains(&name.as_str()) {
                find(name, value, shown.get(wire).and_then(|fields| fields.get(name)), &mut found);
            }
        }
    }
    let pieces: Vec<&[u8]> = found.iter().map(String::as_bytes).collect();
    (!pieces.is_empty()).then(|| hash_of(&pieces).chars().take(DIGITS).collect())
}

/// Finds the values that are shown otherwise than they are sent, each after its place.
fn find(place: &str, sent: &Value, shown: Option<&Value>, found: &mut Vec<String>) {
    if Some(sent) == shown {
        return;
    }
    match (sent, shown) {
        (Value::Object(fields), Some(Value::Object(others))) => {
            for (name, value) in fields {
                find(&format!("{place}.{name}"), value, others.get(name), found);
            }
        }
        (Value::Array(all), Some(Value::Array(others))) => {
            for (at, value) in all.iter().enumerate() {
                find(&format!("{place}.{at}"), value, others.get(at), found);
            }
        }
        _ => found.extend([place.to_owned(), sent.to_string()]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(extra: Value) -> TargetSpec {
        let spec = json!({ "openai": { "url": "auto", "model": "auto", "extra": extra } });
        serde_json::from_value(spec).unwrap()
    }

    #[test]
    fn a_value_that_came_from_elsewhere_is_told_by_a_hash_and_one_that_was_written_is_not() {
        let shown = of(json!({ "effort": "${EFF}", "n": 1 }));
        let hash = |effort: &str| filled(&of(json!({ "effort": effort, "n": 1 })), &shown).unwrap();
        assert_eq!((hash("low").len(), hash("low")), (DIGITS, hash("low")));
        assert_ne!(hash("low"), hash("high"));
        assert_eq!(filled(&shown, &shown), None);
        let (deep, other) = (of(json!({ "a": [{ "b": "x" }] })), of(json!({ "a": [{ "b": "${X}" }] })));
        assert!(filled(&deep, &other).is_some());
    }

    #[test]
    fn another_token_and_another_address_are_no_other_setting() {
        let spec = |url: &str, key: &str| {
            let spec = json!({ "openai": { "url": url, "model": "auto", "token": key, "headers": { "x": key } } });
            serde_json::from_value::<TargetSpec>(spec).unwrap()
        };
        assert_eq!(filled(&spec("a:1", "one"), &spec("${URL}", "${KEY}")), None);
    }
}
