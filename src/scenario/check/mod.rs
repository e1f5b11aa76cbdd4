//! The schema walk: a tree against the JSON Schema made from the types, every mistake told at once and where it stands.
//!
//! It knows the part of JSON Schema that those types make. What the command line and the environment gave as text takes
//! the type the schema asks for here.

mod pattern;
mod words;

use super::mistake::{Mistake, Place, nearest, quoted};
use super::secret::is_secret_name;
use super::tree::{Entry, Node, Value};
use indexmap::IndexMap;
use pattern::{LENGTH_OF_TIME, is_span};
use serde_json::Value as Json;
use words::{describe, describe_number, did_you_mean, first_sentence, kind, no_article};

/// Mistakes after which the walk looks for no more: nobody reads them, and a hostile text has as many as it likes.
const ENOUGH: usize = 100;

/// Walks the tree, and gives loose texts their types.
pub(super) fn check(root: &mut Node, schema: &Json, mistakes: &mut Vec<Mistake>) {
    let owner = Owner { name: "scenario".to_owned(), place: root.place.clone() };
    Walk { schema, mistakes }.node(root, schema, &owner);
}

/// Most fields that are listed to whoever wrote one that isn't there.
const LISTED: usize = 24;

/// The key a value belongs to, for messages about the value as a whole.
struct Owner {
    name: String,
    place: Place,
}

struct Walk<'a> {
    schema: &'a Json,
    mistakes: &'a mut Vec<Mistake>,
}

impl<'a> Walk<'a> {
    fn node(&mut self, node: &mut Node, schema: &'a Json, owner: &Owner) {
        let (schema, optional) = self.resolve(schema);
        if node.filled.as_ref().is_some_and(|filled| filled.failed) || (optional && matches!(node.value, Value::Null)) {
            return;
        }
        if let Some(choices) = schema["oneOf"].as_array() {
            // A number may stand in the place of a map.
            if let Some(number) = choices.iter().find(|choice| choice["type"] == "integer") {
                loosen(node, &["integer"]);
                if let Value::Number(written) = &node.value
                    && is_number(written, &["integer"])
                {
                    node.filled.iter_mut().for_each(|filled| filled.closed = true);
                    let written = written.clone();
                    return self.number(&written, node, number, owner);
                }
            }
            let (maps, words) = (choices.iter().any(|choice| choice["type"] == "object"), constants(choices));
            // Where both may stand, what is no map is taken for a word.
            return match maps && (words.is_empty() || matches!(node.value, Value::Map(_))) {
                true => self.tagged(node, schema, choices, owner),
                false => self.word(node, &words, owner),
            };
        }
        let types = types(schema);
        loosen(node, &types);
        let closed = closed(&node.value, schema, &types);
        node.filled.iter_mut().for_each(|filled| filled.closed = closed);
        match &mut node.value {
            Value::Text(text) if types.contains(&"string") => {
                let text = std::mem::take(text);
                self.text(&text, node, schema, owner);
                node.value = Value::Text(text);
            }
            Value::Number(number) if is_number(number, &types) => {
                let number = number.clone();
                self.number(&number, node, schema, owner);
            }
            Value::Bool(_) if types.contains(&"boolean") => {}
            Value::List(list) if types.contains(&"array") => {
                let least = schema["minItems"].as_u64().unwrap_or(0);
                if (list.len() as u64) < least {
                    let message = format!("`{}` must not be empty", owner.name);
                    self.mistakes.push(Mistake::new(message, owner.place.clone()));
                }
                for (i, item) in list.iter_mut().enumerate() {
                    if self.mistakes.len() >= ENOUGH {
                        return;
                    }
                    let owner = Owner { name: format!("{}[{i}]", owner.name), place: item.place.clone() };
                    self.node(item, &schema["items"], &owner);
                }
            }
            Value::Map(map) if types.contains(&"object") => self.map(map, schema, owner),
            _ if types.is_empty() => {}
            _ => self.wrong_type(node, schema, &types, owner),
        }
    }

    /// Follows references; whether nothing at all may stand there too.
    fn resolve(&self, mut schema: &'a Json) -> (&'a Json, bool) {
        let mut optional = false;
        loop {
            if let Some(name) = schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/definitions/")) {
                schema = &self.schema["definitions"][name];
            } else if let Some([only]) = schema["allOf"].as_array().map(Vec::as_slice) {
                schema = only;
            } else if let Some(choices) = schema["anyOf"].as_array() {
                optional |= choices.iter().any(|choice| choice["type"] == "null");
                let Some(value) = choices.iter().find(|choice| choice["type"] != "null") else {
                    return (schema, optional);
                };
                schema = value;
            } else {
                return (schema, optional || types(schema).contains(&"null"));
            }
        }
    }

    fn text(&mut self, text: &str, node: &Node, schema: &Json, owner: &Owner) {
        let length = text.chars().count() as u64;
        let name = &owner.name;
        let message = if schema["minLength"].as_u64().is_some_and(|least| length < least) {
            format!("`{name}` must not be empty")
        } else if let Some(most) = schema["maxLength"].as_u64().filter(|most| length > *most) {
            format!("`{name}` must have at most {most} characters, not {length}")
        } else if let Some(meant) = pattern::unmatched(text, schema) {
            format!("`{name}` must be {meant}, not {}", describe(node, text))
        } else {
            return;
        };
        let span = is_span(schema) && text.parse::<f64>().is_ok();
        let note = if span { format!("did you mean `{text}s`?") } else { String::new() };
        self.mistakes.push(Mistake::new(message, node.place.clone()).note(note));
    }

    fn number(&mut self, number: &serde_json::Number, node: &Node, schema: &Json, owner: &Owner) {
        let value = number.as_f64().unwrap_or(f64::NAN);
        let name = &owner.name;
        if is_span(schema) && value != 0.0 {
            let message = format!("`{name}` must be {LENGTH_OF_TIME}, not the number {number}");
            self.mistakes.push(Mistake::new(message, node.place.clone()).note(format!("did you mean `{number}s`?")));
            return;
        }
        let widest = match schema["format"].as_str() {
            Some("uint32") => Some(f64::from(u32::MAX)),
            _ => None,
        };
        let (least, most) = (schema["minimum"].as_f64(), schema["maximum"].as_f64().or(widest));
        if least.is_some_and(|least| value < least) || most.is_some_and(|most| value > most) {
            let range = match (least, most) {
                (Some(least), Some(most)) => format!("from {least} to {most}"),
                (Some(least), None) => format!("at least {least}"),
                (None, Some(most)) => format!("at most {most}"),
                (None, None) => "another number".to_owned(),
            };
            self.mistakes.push(Mistake::new(
                format!("`{name}` must be {range}, not {}", describe_number(node, number)),
                node.place.clone(),
            ));
        }
    }

    /// One of a few words.
    fn word(&mut self, node: &mut Node, words: &[&str], owner: &Owner) {
        node.filled.iter_mut().for_each(|filled| filled.closed = true);
        let list = words.join(", ");
        let Some(text) = node.text() else {
            let message = format!("`{}` must be one of {list}, not {}", owner.name, kind(node));
            self.mistakes.push(Mistake::new(message, place(node, owner)));
            return;
        };
        if !words.contains(&text) {
            let message = format!("`{}` must be one of {list}, not {}", owner.name, describe(node, text));
            self.mistakes.push(Mistake::new(message, node.place.clone()).note(did_you_mean(text, words)));
        }
    }

    /// A map of one key, which is the word for its kind.
    fn tagged(&mut self, node: &mut Node, schema: &'a Json, choices: &'a [Json], owner: &Owner) {
        let kinds: Vec<(&str, &Json)> =
            choices.iter().filter_map(|c| c["properties"].as_object()?.iter().next()).map(|(k, s)| (&**k, s)).collect();
        let names: Vec<&str> = kinds.iter().map(|(name, _)| *name).collect();
        let title = schema["title"].as_str().unwrap_or("this");
        let list = names.join(", ");
        let one_of = if names.len() > 1 { format!("one of {list}") } else { list.clone() };
        let Value::Map(map) = &mut node.value else {
            let message = match node.text() {
                Some(word) if names.contains(&word) => format!("`{}` needs settings below `{word}`", owner.name),
                _ => format!("`{}` must be {title}, a map of one kind ({list}), not {}", owner.name, kind(node)),
            };
            let example = node.text().and_then(|word| nearest(word, names.iter().copied())).or(names.first().copied());
            let help = format!("write it as `{}: {{ {}: ... }}`", owner.name, example.unwrap_or_default());
            self.mistakes.push(Mistake::new(message, place(node, owner)).help(help));
            return;
        };
        let known: Vec<&str> = map.keys().map(String::as_str).filter(|key| names.contains(key)).collect();
        match (known.as_slice(), map.len()) {
            (_, 0) => {
                let message = format!("{title} needs its kind: {one_of}");
                self.mistakes.push(Mistake::new(message, owner.place.clone()));
            }
            ([], _) => {
                let fields: Vec<&str> = map.keys().map(String::as_str).collect();
                let missing_kind = kinds.iter().find(|(_, kind)| {
                    let (kind, _) = self.resolve(kind);
                    fields.iter().any(|field| kind["properties"].get(field).is_some())
                });
                let place = map.values().next().map_or_else(|| owner.place.clone(), |entry| entry.key.clone());
                let first = fields.first().copied().unwrap_or_default();
                let mistake = match missing_kind {
                    Some((kind, _)) if did_you_mean(first, &names).is_empty() => {
                        Mistake::new(format!("{title} needs its kind before its fields: {one_of}"), place)
                            .help(format!("write it as `{}: {{ {kind}: {{ {first}: ... }} }}`", owner.name))
                    }
                    _ => Mistake::new(format!("{} is not a kind of {}", quoted(first), no_article(title)), place)
                        .note(did_you_mean(first, &names))
                        .help(format!("kinds: {list}")),
                };
                self.mistakes.push(mistake);
            }
            (_, 1) => {
                for (name, kind) in &kinds {
                    if let Some(entry) = map.get_mut(*name) {
                        let owner = Owner { name: (*name).to_owned(), place: entry.key.clone() };
                        self.node(&mut entry.node, kind, &owner);
                    }
                }
            }
            _ => {
                let all: Vec<String> = map.keys().map(|key| quoted(key)).collect();
                let place = map.values().nth(1).map_or_else(|| owner.place.clone(), |entry| entry.key.clone());
                let message = format!("{title} has one kind, and here are {}: {}", map.len(), all.join(", "));
                self.mistakes.push(Mistake::new(message, place));
            }
        }
    }

    fn map(&mut self, map: &mut IndexMap<String, Entry>, schema: &'a Json, owner: &Owner) {
        let title = schema["title"].as_str().map_or_else(|| format!("`{}`", owner.name), str::to_owned);
        let fields = schema["properties"].as_object();
        for (key, entry) in map.iter_mut() {
            if self.mistakes.len() >= ENOUGH {
                return;
            }
            self.key(key, &entry.key, &schema["propertyNames"], owner);
            let owner = Owner { name: key.clone(), place: entry.key.clone() };
            if let Some(field) =
                fields.and_then(|fields| fields.get(key).or_else(|| fields.get(super::audit::current(key))))
            {
                self.node(&mut entry.node, field, &owner);
            } else if schema["additionalProperties"] == false {
                let mistake = self.unknown_field(key, &entry.key, fields, &title);
                self.mistakes.push(mistake);
            } else {
                // Free maps: the values still have to be given their types.
                self.node(&mut entry.node, &schema["additionalProperties"], &owner);
            }
        }
        if map.is_empty() && schema["minProperties"].as_u64().is_some_and(|least| least > 0) {
            let message = format!("`{}` must not be empty", owner.name);
            self.mistakes.push(Mistake::new(message, owner.place.clone()));
        }
        let required = schema["required"].as_array().map(Vec::as_slice).unwrap_or_default();
        let missing: Vec<&str> = required.iter().filter_map(Json::as_str).filter(|f| !map.contains_key(*f)).collect();
        if let Some((last, others)) = missing.split_last() {
            let others = others.iter().map(|field| quoted(field)).collect::<Vec<_>>().join(", ");
            let and = if others.is_empty() { "" } else { " and " };
            let mut mistake = Mistake::new(format!("{title} needs {others}{and}`{last}`"), owner.place.clone());
            for field in missing {
                let about = first_sentence(schema["properties"][field]["description"].as_str().unwrap_or_default());
                if !about.is_empty() {
                    mistake.add_help(format!("`{field}`: {about}"));
                }
            }
            self.mistakes.push(mistake);
        }
    }

    /// A key of a map whose names are the scenario's own.
    fn key(&mut self, key: &str, place: &Place, names: &Json, owner: &Owner) {
        let message = if let Some(most) = names["maxLength"].as_u64().filter(|most| key.chars().count() as u64 > *most)
        {
            format!("a name in `{}` must have at most {most} characters: {}", owner.name, quoted(key))
        } else if let Some(meant) = pattern::unmatched(key, names) {
            format!("a name in `{}` must be {meant}: {}", owner.name, quoted(key))
        } else {
            return;
        };
        self.mistakes.push(Mistake::new(message, place.clone()));
    }

    fn unknown_field(
        &self,
        key: &str,
        place: &Place,
        fields: Option<&serde_json::Map<String, Json>>,
        title: &str,
    ) -> Mistake {
        let names: Vec<&str> = fields.into_iter().flat_map(|fields| fields.keys()).map(String::as_str).collect();
        let mistake = Mistake::new(format!("unknown field {} in {title}", quoted(key)), place.clone());
        let near = did_you_mean(key, &names);
        let mistake = if near.is_empty() {
            let mut homes = Vec::new();
            self.homes(key, self.schema, "", 0, &mut homes);
            homes.dedup();
            match homes.as_slice() {
                [home] => mistake.note(format!("it belongs in `{home}`")),
                [one, two] => mistake.note(format!("it belongs in `{one}` or `{two}`")),
                _ => mistake,
            }
        } else {
            mistake.note(near)
        };
        if names.len() <= LISTED {
            return mistake.help(format!("fields: {}", names.join(", ")));
        }
        // Of a long list, those that share a part of the name.
        let shares = |name: &&&str| key.split(['-', '_']).any(|part| part.len() > 2 && name.contains(part));
        let alike: Vec<&str> = names.iter().filter(shares).copied().collect();
        let mistake = if alike.is_empty() { mistake } else { mistake.help(format!("similar: {}", alike.join(", "))) };
        mistake.help(format!("`loadcmp schema` describes all {}", names.len()))
    }

    /// Where a field of this name would be right.
    fn homes(&self, key: &str, schema: &'a Json, path: &str, depth: usize, homes: &mut Vec<String>) {
        // The types are nested six deep; they can't contain themselves.
        if depth > 8 {
            return;
        }
        let (schema, _) = self.resolve(schema);
        let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        for choice in schema["oneOf"].as_array().into_iter().flatten() {
            for (kind, of) in choice["properties"].as_object().into_iter().flatten() {
                self.homes(key, of, &below(kind), depth + 1, homes);
            }
        }
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            if name == key {
                homes.push(if path.is_empty() { "scenario".to_owned() } else { path.to_owned() });
            }
            self.homes(key, field, &below(name), depth + 1, homes);
        }
        if schema["additionalProperties"].is_object() {
            self.homes(key, &schema["additionalProperties"], &below("NAME"), depth + 1, homes);
        }
    }

    fn wrong_type(&mut self, node: &Node, schema: &Json, types: &[&str], owner: &Owner) {
        let wanted = match types {
            ["string", "boolean"] => pattern::THINK_WORDS,
            ["number", "string"] => "a number, or `auto`",
            ["string", "integer"] => schema["title"].as_str().unwrap_or("a text"),
            ["string", ..] if pattern::of_audit(schema).is_some() => pattern::of_audit(schema).unwrap_or_default(),
            ["string", ..] => "a text",
            ["integer", ..] => "a whole number",
            ["number", ..] => "a number",
            ["boolean", ..] => "true or false",
            ["array", ..] => "a list",
            _ => "a map",
        };
        let is = match &node.value {
            Value::Text(text) => describe(node, text),
            // A token that is all digits is no less of a secret.
            Value::Number(_) if is_secret_name(&owner.name) => kind(node).to_owned(),
            Value::Number(number) => describe_number(node, number),
            _ => kind(node).to_owned(),
        };
        let and = if matches!(node.value, Value::Null) { "and is" } else { "not" };
        let mistake = Mistake::new(format!("`{}` must be {wanted}, {and} {is}", owner.name), place(node, owner));
        let plain = matches!(node.value, Value::Number(_) | Value::Bool(_));
        let in_quotes = wanted == "a text" && plain && !is_secret_name(&owner.name);
        self.mistakes.push(if in_quotes { mistake.note("put it in quotes") } else { mistake });
    }
}

/// Whether a schema leaves no room for a text of one's own: a number, a switch, a length of time, a share.
fn closed(value: &Value, schema: &Json, types: &[&str]) -> bool {
    match value {
        Value::Number(_) | Value::Bool(_) => !types.is_empty(),
        Value::Text(_) => pattern::is_closed(schema),
        _ => false,
    }
}

/// Where a value is shown: at itself, or at its key where it is a map, a list or nothing.
fn place(node: &Node, owner: &Owner) -> Place {
    match node.value {
        Value::Map(_) | Value::List(_) | Value::Null => owner.place.clone(),
        _ => node.place.clone(),
    }
}

fn types(schema: &Json) -> Vec<&str> {
    match &schema["type"] {
        Json::String(one) => vec![one],
        Json::Array(several) => several.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    }
}

fn constants<'a>(choices: &'a [Json]) -> Vec<&'a str> {
    let several = |words: &'a Json| words.as_array().into_iter().flatten().filter_map(Json::as_str);
    let word = |choice: &'a Json| choice["const"].as_str().into_iter().chain(several(&choice["enum"]));
    choices.iter().flat_map(word).collect()
}

/// A text of the command line or the environment takes the type that is asked for, or the one it looks like.
fn loosen(node: &mut Node, types: &[&str]) {
    let Value::Text(text) = &node.value else { return };
    let text_only = types.contains(&"string") && !types.contains(&"number");
    if !node.loose || text_only || (types.is_empty() && node.quoted) {
        return;
    }
    if text.len() > 64 || text.contains('\n') {
        return;
    }
    if let Ok(Node { value: value @ (Value::Number(_) | Value::Bool(_)), .. }) = crate::scenario::tree::read(text) {
        node.value = value;
    }
}

fn is_number(number: &serde_json::Number, types: &[&str]) -> bool {
    types.contains(&"number") || (types.contains(&"integer") && !number.is_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls `see` with every schema in a schema.
    fn each(schema: &Json, see: &mut dyn FnMut(&serde_json::Map<String, Json>)) {
        match schema {
            Json::Object(map) => {
                see(map);
                map.values().for_each(|schema| each(schema, see));
            }
            Json::Array(list) => list.iter().for_each(|schema| each(schema, see)),
            _ => {}
        }
    }

    #[test]
    fn the_walk_knows_every_word_the_schema_uses() {
        const KNOWN: &str = "$schema $ref definitions title description default type format properties required \
            additionalProperties propertyNames minProperties items minItems minLength maxLength pattern minimum \
            maximum oneOf anyOf allOf const";
        let schema = crate::scenario::schema();
        each(&schema, &mut |map| {
            // Names of fields and definitions are no words of JSON Schema; what they hold is.
            if map.contains_key("type") || map.contains_key("$ref") || map.contains_key("oneOf") {
                if map.values().all(Json::is_object) {
                    return;
                }
                for word in map.keys() {
                    assert!(KNOWN.split_whitespace().any(|known| known == word), "{word} in {map:?}");
                }
            }
            if let Some(Json::String(text)) = map.get("pattern") {
                assert!(pattern::PATTERNS.iter().any(|(known, _, _)| known == text), "{text}");
            }
        });
    }

    #[test]
    fn every_type_with_fields_has_a_title_that_messages_can_use() {
        let schema = crate::scenario::schema();
        for (name, definition) in schema["definitions"].as_object().unwrap() {
            if definition["type"] == "object" || definition["oneOf"][0]["type"] == "object" {
                assert!(definition["title"].is_string(), "{name}");
            }
        }
    }
}
