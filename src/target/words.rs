//! The engine's own words for what went wrong, whatever form they have: objects and texts under several names, plain text,
//! a web page of some proxy's.

use super::answer::{Answer, brief};
use super::lenient;
use crate::record::Remark;
use serde_json::Value;

/// The object in what an engine sent that the strict reading refused; `None` where it is none, or tells of an error, and the answer
/// has been told so. `bare` = whether a text `message` by itself is an error, too.
pub(super) fn object(
    answer: &mut Answer,
    data: &[u8],
    whose: &str,
    bare: impl FnOnce(&Value) -> bool,
) -> Option<Value> {
    let Ok((value, bad_text)) = lenient::read(data) else {
        answer.fail(format!("not valid JSON of {whose}: {}", told(data)));
        return None;
    };
    if bad_text {
        answer.remark(Remark::BadText);
    }
    if let Some(error) = error_in(&value, bare(&value)) {
        answer.fail(error);
        return None;
    }
    Some(value)
}

/// What an object that is no answer says of an error, if it tells one. `bare` = a text `message` by itself is one, too.
pub(super) fn error_in(object: &Value, bare: bool) -> Option<String> {
    if let Some(error) = object.get("error").filter(|error| truthy(error)) {
        // `{"error": true, "message": …}`: the words stand beside it.
        let beside = ["message", "detail", "reason"].iter().find_map(|key| object.get(*key)?.as_str());
        return Some(match (error, beside) {
            (Value::Bool(_) | Value::Number(_), Some(words)) => brief(words),
            _ => of(error),
        });
    }
    let word = |key: &str| object.get(key).and_then(Value::as_str);
    if word("object") == Some("error") || word("type") == Some("error") || word("status") == Some("error") {
        return Some(of(object));
    }
    if object.get("detail").is_some_and(|detail| detail.is_string() || detail.as_array().is_some_and(|d| !d.is_empty()))
    {
        return Some(of(object));
    }
    let message = word("message").is_some_and(|message| !message.is_empty());
    (message && (bare || object.get("code").is_some())).then(|| of(object))
}

/// The words of a value that is known to be an error.
pub(super) fn of(error: &Value) -> String {
    match error {
        Value::String(text) => {
            // Ollama from 0.30 on hands on what its engine's server said, JSON in a text.
            let inner = serde_json::from_str::<Value>(text).ok().filter(Value::is_object);
            inner.map_or_else(|| plain(text), |inner| of(&inner))
        }
        Value::Object(told) => {
            let words = ["error", "message", "detail", "msg", "error_message", "reason"];
            match words.iter().find_map(|key| told.get(*key).filter(|value| truthy(value) && !value.is_boolean())) {
                Some(value) => of(value),
                None => brief(&error.to_string()),
            }
        }
        // FastAPI's list of what was wrong with a request.
        Value::Array(list) if !list.is_empty() => {
            let words: Vec<String> = list.iter().take(5).map(of).collect();
            brief(&words.join("; "))
        }
        other => brief(&other.to_string()),
    }
}

/// The words in a body, an event or a line of any form.
pub(super) fn told(body: &[u8]) -> String {
    match lenient::read(body.trim_ascii()) {
        Ok((value @ (Value::Object(_) | Value::String(_) | Value::Array(_)), _)) => of(&value),
        _ => plain(&String::from_utf8_lossy(body)),
    }
}

/// A text's words; of a web page its title first, and no tags.
fn plain(text: &str) -> String {
    let text = text.trim().trim_start_matches('\u{feff}').trim_start();
    let page = text.starts_with('<') || text.to_ascii_lowercase().contains("<html");
    let words = if page { page_words(text) } else { text.to_owned() };
    if words.is_empty() { "an empty body".to_owned() } else { brief(&words) }
}

fn page_words(page: &str) -> String {
    // Lower case of ASCII alone leaves every place where it is.
    let lower = page.to_ascii_lowercase();
    let title = lower.find("<title").and_then(|at| {
        let from = at + lower[at..].find('>')? + 1;
        let to = from + lower[from..].find("</title")?;
        Some((from, to))
    });
    let title_words = title.map(|(from, to)| squeezed(&page[from..to])).unwrap_or_default();
    let mut rest = String::new();
    let mut at = title.map_or(0, |(_, to)| to);
    while at < page.len() {
        let Some(open) = page[at..].find('<').map(|found| at + found) else {
            rest.push_str(&page[at..]);
            break;
        };
        rest.push_str(&page[at..open]);
        rest.push(' ');
        let hidden = ["script", "style"].into_iter().find(|tag| lower[open + 1..].starts_with(tag));
        let end = match hidden {
            Some(tag) => lower[open..].find(&format!("</{tag}")).map(|found| open + found),
            None => Some(open),
        };
        at = end.and_then(|end| page[end..].find('>').map(|found| end + found + 1)).unwrap_or(page.len());
    }
    let rest = squeezed(&rest);
    match (title_words.is_empty(), rest.strip_prefix(title_words.as_str()).unwrap_or(&rest).trim()) {
        (true, rest) => rest.to_owned(),
        (false, "") => title_words,
        (false, rest) => format!("{title_words}: {rest}"),
    }
}

fn squeezed(text: &str) -> String {
    let text = text.replace("&nbsp;", " ").replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    let text = text.replace("&#39;", "'").replace("&amp;", "&");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Null, false and the empty text say "no"; everything else says "yes".
pub(super) fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(yes) => *yes,
        Value::String(text) => !text.is_empty(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn words_are_found_in_every_form() {
        for (body, words) in [
            (r#"{"error":{"message":"no slot","type":"x","code":500}}"#, "no slot"),
            (r#"{"error":"no slot"}"#, "no slot"),
            (r#"{"error":"{\"error\":{\"message\":\"too long\"}}"}"#, "too long"),
            (r#"{"object":"error","message":"no slot","code":500}"#, "no slot"),
            (r#"{"detail":"Not Found"}"#, "Not Found"),
            (r#"{"detail":[{"loc":["body"],"msg":"field required"}]}"#, "field required"),
            (r#"{"error":{"code":7}}"#, r#"{"code":7}"#),
            ("Internal Server Error", "Internal Server Error"),
            ("", "an empty body"),
            (
                "<!DOCTYPE html>\n<html><head><title>502 Bad\n Gateway</title><style>p{x:y}</style></head><body>\
                 <h1>502 Bad Gateway</h1><p>nginx &amp; co</p><script>let a = 1 < 2;</script></body></html>",
                "502 Bad Gateway: nginx & co",
            ),
            ("<b>busy</b>", "busy"),
        ] {
            assert_eq!(told(body.as_bytes()), words, "{body}");
        }
    }

    #[test]
    fn an_error_is_told_from_an_answer() {
        for (object, bare, error) in [
            (json!({"error": null, "message": {"content": "x"}}), true, None),
            (json!({"error": ""}), true, None),
            (json!({"error": true, "message": "gone"}), false, Some("gone")),
            (json!({"object": "error", "message": "gone"}), false, Some("gone")),
            (json!({"object": "chat.completion.chunk"}), true, None),
            (json!({"message": "gone", "code": 500}), false, Some("gone")),
            (json!({"message": "queued"}), false, None),
            (json!({"message": "gone"}), true, Some("gone")),
            (json!({"detail": "gone"}), false, Some("gone")),
            (json!({"detail": []}), false, None),
            (json!(null), true, None),
            (json!(["error"]), true, None),
        ] {
            assert_eq!(error_in(&object, bare).as_deref(), error, "{object}");
        }
    }

    proptest! {
        #[test]
        fn any_body_has_words(body in "[<>/a-ztile \\PC]{0,60}") {
            prop_assert!(!told(body.as_bytes()).is_empty());
        }
    }
}
