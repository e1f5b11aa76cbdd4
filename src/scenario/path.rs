//! A place in a scenario's tree by its path, `load.closed.users`, and a value for it as it was typed.

use super::mistake::{Mistake, Place, quoted};
use super::tree::{self, Entry, Node, Value};
use indexmap::IndexMap;

/// Fields deep, at most.
const MAX_DEPTH: usize = 32;

/// The steps of a path such as `load.closed.users`; `None` if it is none. A name with dots in it is one step where it is a key
/// that is there, the longest there is, or stands in quotes: `targets."llama.cpp".openai.url`.
pub(super) fn steps(root: &Node, path: &str) -> Option<Vec<String>> {
    let pieces = pieces(path.trim())?;
    let (mut steps, mut at, mut node) = (Vec::new(), 0, Some(root));
    while at < pieces.len() {
        let longest = (at + 2..=pieces.len()).rev().find_map(|end| {
            let plain = pieces[at..end].iter().all(|(_, quoted)| !quoted);
            let name = pieces[at..end].iter().map(|(text, _)| *text).collect::<Vec<_>>().join(".");
            (plain && node.is_some_and(|node| node.entry(&name).is_some())).then_some((name, end))
        });
        let (name, end) = longest.unwrap_or_else(|| (pieces[at].0.to_owned(), at + 1));
        node = node.and_then(|node| node.at(&[&name]));
        steps.push(name);
        at = end;
    }
    (steps.len() <= MAX_DEPTH).then_some(steps)
}

/// What stands between the dots of a path, and whether it stands in quotes; `None` if nothing does somewhere.
fn pieces(path: &str) -> Option<Vec<(&str, bool)>> {
    let (mut pieces, mut rest) = (Vec::new(), path);
    loop {
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
        let (piece, after) = match quote {
            Some(quote) => rest[1..].split_once(quote)?,
            None => rest.split_at(rest.find('.').unwrap_or(rest.len())),
        };
        if piece.is_empty() {
            return None;
        }
        pieces.push((piece, quote.is_some()));
        if after.is_empty() {
            return Some(pieces);
        }
        rest = after.strip_prefix('.')?;
    }
}

/// Puts a value at a path; maps on the way are made where there are none.
pub(super) fn insert(root: &mut Node, path: &[impl AsRef<str>], value: Node, place: &Place) -> Result<(), Mistake> {
    let Some((step, rest)) = path.split_first() else {
        *root = value;
        return Ok(());
    };
    let step = step.as_ref();
    if matches!(root.value, Value::Null) {
        root.value = Value::Map(IndexMap::new());
    }
    match &mut root.value {
        Value::Map(map) => {
            let fresh = || Entry { key: place.clone(), node: Node::new(Value::Null, place.clone()) };
            insert(&mut map.entry(step.to_owned()).or_insert_with(fresh).node, rest, value, place)
        }
        Value::List(list) => {
            let length = list.len();
            let position = step.parse::<usize>().ok().filter(|n| *n <= length).ok_or_else(|| {
                let message = format!("{} is not a position in a list of {length}", quoted(step));
                Mistake::new(message, place.clone()).help("positions count from 0; the next after the last adds one")
            })?;
            if position == length {
                list.push(Node::new(Value::Null, place.clone()));
            }
            insert(&mut list[position], rest, value, place)
        }
        _ => Err(Mistake::new(format!("there are no fields below {}", quoted(step)), place.clone())
            .help("the field before it is a single value")),
    }
}

/// A value as it was typed: YAML for lists and maps, and a text whose type the schema tells for all else.
pub(super) fn value(text: &str, place: &Place) -> Result<Node, Mistake> {
    let text = text.trim();
    if text.len() > tree::MAX_BYTES {
        return Err(Mistake::new("the value is too long", place.clone()));
    }
    let mut node = match text.chars().next() {
        None => Node::new(Value::Null, place.clone()),
        Some('[' | '{' | '"' | '\'') => tree::read(text).map_err(|mistake| mistake.moved(place.clone()))?,
        Some(_) if matches!(text, "null" | "~") => Node::new(Value::Null, place.clone()),
        // Not read as YAML: `model=qwen2.5:7b` and `stop=@end` are texts as they stand.
        Some(_) => Node { loose: true, ..Node::new(Value::Text(text.to_owned()), place.clone()) },
    };
    node.visit(&mut |node| {
        node.place = place.clone();
        if let Value::Map(map) = &mut node.value {
            map.values_mut().for_each(|entry| entry.key = place.clone());
        }
    });
    Ok(node)
}
