//! How the walk speaks of values: what they are, what was probably meant.

use crate::scenario::mistake::{cut, nearest};
use crate::scenario::tree::{Node, Value};

pub(super) fn did_you_mean(written: &str, names: &[&str]) -> String {
    nearest(written, names.iter().copied()).map(|name| format!("did you mean `{name}`?")).unwrap_or_default()
}

/// A text in a message. What came from a variable or a file is not shown.
pub(super) fn describe(node: &Node, text: &str) -> String {
    match from_variable(node) {
        Some(variable) => format!("what `{variable}` holds"),
        None => format!("the text \"{}\"", cut(text)),
    }
}

pub(super) fn describe_number(node: &Node, number: &serde_json::Number) -> String {
    match from_variable(node) {
        Some(variable) => format!("what `{variable}` holds"),
        None => number.to_string(),
    }
}

fn from_variable(node: &Node) -> Option<String> {
    node.filled.as_ref().filter(|filled| !filled.given.is_empty()).and_then(|filled| filled.names.first().cloned())
}

pub(super) fn kind(node: &Node) -> &'static str {
    match &node.value {
        Value::Null => "empty",
        Value::Bool(true) => "true",
        Value::Bool(false) => "false",
        Value::Number(_) => "a number",
        Value::Text(_) => "a text",
        Value::List(_) => "a list",
        Value::Map(_) => "a map",
    }
}

pub(super) fn no_article(title: &str) -> &str {
    title.strip_prefix("a ").or_else(|| title.strip_prefix("an ")).unwrap_or(title)
}

pub(super) fn first_sentence(text: &str) -> &str {
    text.split_inclusive(". ").next().unwrap_or_default().trim_end()
}
