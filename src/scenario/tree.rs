//! The located tree: a YAML text whose every key and value knows where it was written. YAML's one door.
//!
//! Bounded before and while it is read (size, nodes, depth, aliases), so that no text can make it slow or large.

use super::mistake::{Mistake, Place, quoted};
use indexmap::IndexMap;
use serde::de::{self, Deserialize, Deserializer};
use serde_json::Number;
use serde_yaml::budget::BudgetBreach;

/// Bytes a scenario may have.
pub(super) const MAX_BYTES: usize = 1 << 20;
const MAX_NODES: usize = 20_000;
const MAX_DEPTH: usize = 32;
const MAX_ALIASES: usize = 100;

/// A value and where it was written.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub value: Value,
    pub place: Place,
    /// Written in quotes or as a block: a text whatever it looks like.
    pub quoted: bool,
    /// From the command line or the environment, which know only texts: the schema says what type was meant.
    pub loose: bool,
    /// What the environment and files put into it.
    pub filled: Option<Filled>,
}

/// What the environment and files put into a text.
#[derive(Clone, Debug, Default)]
pub(super) struct Filled {
    /// The variables' names; a file's is `file:PATH`.
    pub names: Vec<String>,
    /// Whether one of them has a default written in the scenario.
    pub defaulted: bool,
    /// Whether one of them could not be filled in: said already, so nothing more is said of this value.
    pub failed: bool,
    /// The values that were there, not the scenario's own defaults, each after its reference.
    pub given: Vec<(String, String)>,
    /// The text as it was written, with its references.
    pub written: String,
    /// Whether only certain words, numbers or lengths of time may stand there: settings that a report can't do without, and
    /// no place for a secret.
    pub closed: bool,
}

impl Filled {
    /// How the value may be told; `None` as it is.
    fn shown(&self) -> Option<&str> {
        (!self.given.is_empty() && !self.closed).then_some(self.written.as_str())
    }
}

/// A value.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Map(IndexMap<String, Entry>),
}

/// A value in a map, and where its key was written.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub key: Place,
    pub node: Node,
}

impl Node {
    /// A value from elsewhere than the file.
    pub fn new(value: Value, place: Place) -> Self {
        Self { value, place, quoted: false, loose: false, filled: None }
    }

    /// The value in a field, if this is a map that has it.
    pub fn get(&self, field: &str) -> Option<&Node> {
        self.entry(field).map(|entry| &entry.node)
    }

    /// The entry of a field, if this is a map that has it.
    pub fn entry(&self, field: &str) -> Option<&Entry> {
        match &self.value {
            Value::Map(map) => map.get(field),
            _ => None,
        }
    }

    /// As [`Node::entry`], to be changed.
    pub fn entry_mut(&mut self, field: &str) -> Option<&mut Entry> {
        match &mut self.value {
            Value::Map(map) => map.get_mut(field),
            _ => None,
        }
    }

    /// The value at a path of field names and list positions.
    pub fn at(&self, path: &[impl AsRef<str>]) -> Option<&Node> {
        path.iter().try_fold(self, |node, step| match &node.value {
            Value::List(list) => list.get(step.as_ref().parse::<usize>().ok()?),
            _ => node.get(step.as_ref()),
        })
    }

    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The tree without its places.
    pub fn into_json(self) -> serde_json::Value {
        match self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(b) => serde_json::Value::Bool(b),
            Value::Number(number) => serde_json::Value::Number(number),
            Value::Text(text) => serde_json::Value::String(text),
            Value::List(list) => list.into_iter().map(Node::into_json).collect(),
            Value::Map(map) => map.into_iter().map(|(key, entry)| (key, entry.node.into_json())).collect(),
        }
    }

    /// The tree as it may be told: what came from the environment or a file as the reference that was written.
    pub fn shown(&self) -> Node {
        let mut shown = self.clone();
        shown.visit(&mut |node| {
            if let Some(text) = node.filled.as_ref().and_then(Filled::shown) {
                node.value = Value::Text(text.to_owned());
            }
        });
        shown
    }

    /// Visits this node and all below it.
    pub fn visit(&mut self, visitor: &mut dyn FnMut(&mut Node)) {
        visitor(self);
        match &mut self.value {
            Value::List(list) => list.iter_mut().for_each(|node| node.visit(visitor)),
            Value::Map(map) => map.values_mut().for_each(|entry| entry.node.visit(visitor)),
            _ => {}
        }
    }
}

/// Reads one YAML document.
pub(super) fn read(text: &str) -> Result<Node, Mistake> {
    let mut node: Node = serde_yaml::from_str_with_options(text, options()).map_err(|e| tell(&e, text))?;
    node.visit(&mut |node| {
        if let Place::File { byte, .. } = node.place {
            node.quoted = matches!(text.as_bytes().get(byte), Some(b'"' | b'\'' | b'|' | b'>'));
        }
    });
    Ok(node)
}

fn options() -> serde_yaml::Options {
    serde_yaml::options! {
        budget: serde_yaml::budget! {
            max_events: 4 * MAX_NODES,
            max_nodes: MAX_NODES,
            max_depth: MAX_DEPTH,
            // Above the depth, so that one message tells of both kinds of nesting.
            flow_nesting_limit: 4 * MAX_DEPTH,
            max_aliases: MAX_ALIASES,
            max_anchors: MAX_ALIASES,
            max_recorded_anchor_events: 4 * MAX_NODES,
            max_recorded_anchor_bytes: 4 * MAX_BYTES,
            max_total_scalar_bytes: MAX_BYTES,
            max_documents: 2,
        },
        alias_limits: serde_yaml::alias_limits! {
            max_total_replayed_events: MAX_NODES,
            max_replay_stack_depth: 4,
        },
        duplicate_keys: serde_yaml::DuplicateKeyPolicy::Error,
        merge_keys: serde_yaml::MergeKeyPolicy::Error,
        // Else `yes` and `no` are true and false, and a label called `no` would be lost.
        strict_booleans: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = serde_yaml::Spanned::<Value>::deserialize(deserializer)?;
        Ok(Node::new(spanned.value, place(spanned.referenced)))
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> de::Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }
    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("an infinite number"))
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }
    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::Text(value))
    }
    fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(node) = seq.next_element()? {
            list.push(node);
        }
        Ok(Value::List(list))
    }
    fn visit_map<A: de::MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut map = IndexMap::new();
        while let Some(key) = access.next_key::<serde_yaml::Spanned<String>>()? {
            map.insert(key.value, Entry { key: place(key.referenced), node: access.next_value()? });
        }
        Ok(Value::Map(map))
    }
}

fn place(location: serde_yaml::Location) -> Place {
    let size = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    if location.line() == 0 {
        return Place::Whole;
    }
    let span = location.span();
    Place::File {
        line: size(location.line()),
        column: size(location.column()),
        width: size(span.len()),
        byte: span.byte_offset().map_or(usize::MAX, size),
    }
}

/// The reader's error in words for someone who writes a scenario, not for someone who calls the reader.
fn tell(error: &serde_yaml::Error, text: &str) -> Mistake {
    use serde_yaml::Error as E;
    let error = error.without_snippet();
    let at = error.location().map_or(Place::Whole, place);
    let say = |message: String| Mistake::new(message, at.clone());
    match error {
        E::AliasError { error, .. } => tell(error, text),
        E::DuplicateMappingKey { key: Some(key), .. } => {
            say(format!("{} is written twice in one map", quoted(key))).note("the second time")
        }
        E::DuplicateMappingKey { .. } => say("a key is written twice in one map".to_owned()).note("the second time"),
        E::MultipleDocuments { .. } => say("a second YAML document; a scenario is one document".to_owned()),
        E::Budget { breach, .. } => say(match breach {
            BudgetBreach::Depth { .. } => {
                format!("nested too deeply: more than {MAX_DEPTH} levels")
            }
            BudgetBreach::Nodes { .. } | BudgetBreach::Events { .. } => {
                format!("too long: more than {MAX_NODES} values")
            }
            BudgetBreach::Aliases { .. } | BudgetBreach::Anchors { .. } | BudgetBreach::AliasAnchorRatio { .. } => {
                format!("too many aliases: more than {MAX_ALIASES}")
            }
            BudgetBreach::Documents { .. } => "a second YAML document; a scenario is one document".to_owned(),
            _ => "too long for a scenario".to_owned(),
        }),
        E::AliasReplayLimitExceeded { .. }
        | E::AliasExpansionLimitExceeded { .. }
        | E::AliasReplayCounterOverflow { .. } => {
            say(format!("the aliases multiply into more than {MAX_NODES} values")).note("repeated by aliases")
        }
        E::AliasReplayStackDepthExceeded { .. } => say("aliases are nested too deeply".to_owned()),
        E::RecursiveReferencesRequireWeakTypes { .. } => say("an alias is inside its own anchor".to_owned()),
        E::MergeKeyNotAllowed { .. } => say("merge keys (`<<`) are not supported".to_owned())
            .help("write the fields out, or change them for one run with --set"),
        E::UnsupportedTag { tag, .. } => say(format!("the YAML tag {} is not supported", quoted(tag)))
            .help("a text that begins with `!` must be in quotes"),
        E::UnknownAnchor { .. } => {
            say("an alias without an anchor".to_owned()).help("a text that begins with `*` must be in quotes")
        }
        E::NonFiniteFloat { value, .. } => say(format!("{} is not a usable number", quoted(value))),
        E::NullIntoString { .. } | E::Unexpected { expected: "string scalar", .. } => {
            say("a key must be a text".to_owned())
        }
        _ => syntax(error, at, text),
    }
}

/// A syntax error, with the usual cause where the line shows it.
fn syntax(error: &serde_yaml::Error, at: Place, text: &str) -> Mistake {
    let formatter = serde_yaml::UserMessageFormatter;
    let message = serde_yaml::MessageFormatter::format_message(&formatter, error);
    if message.contains("recursion limit") {
        return Mistake::new(format!("nested too deeply: more than {MAX_DEPTH} levels"), at);
    }
    // The place is told by the frame around the line, in one form for all mistakes.
    let message = message.split(" at line ").next().unwrap_or_default().split(" at byte ").next().unwrap_or_default();
    let mistake = Mistake::new(format!("not valid YAML: {}", message.trim_end_matches(['.', ',', ' '])), at.clone());
    let Place::File { line, .. } = at else { return mistake };
    let here = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
    let before = line.checked_sub(2).and_then(|n| text.lines().nth(n)).unwrap_or_default();
    let quotes = |what: &str| format!("a text that {what} must be in quotes");
    let tabbed = |l: &str| l.trim_start_matches(' ').starts_with('\t');
    let bare_variable = |l: &str| l.contains("${") && !l.contains("\"${") && !l.contains("'${");
    if tabbed(here) || tabbed(before) {
        mistake.help("YAML is indented with spaces; there is a tab here")
    } else if bare_variable(here) || bare_variable(before) {
        mistake.help("within { } or [ ], write \"${NAME}\" in quotes")
    } else if message.starts_with("unexpected character") {
        mistake.help(quotes("begins with this character"))
    } else if message.contains("mapping values are not allowed") {
        mistake.help(format!("check the indentation; {}", quotes("holds `: `")))
    } else if message.contains("did not find expected key") {
        mistake.help("check the indentation: all fields of a map must begin in the same column")
    } else if message.contains("quote") {
        mistake.help("is a closing quote missing?")
    } else {
        mistake
    }
}
