//! What the command line lays over a scenario: `--set a.b=value`, `--target NAME=SPEC` and `--seed`.
//!
//! Nothing is checked here but the form of the argument: the schema walk, which comes after, finds a wrong field or
//! value wherever it was written.

use super::Laid;
use super::mistake::{Mistake, Place, is_secret_name, mask, quoted};
use super::tree::{self, Entry, Node, Value};
use indexmap::IndexMap;

/// Wires that a `--target` can name, with the field its address fills.
const WIRES: [(&str, &str); 3] = [("ollama", "url"), ("openai", "url"), ("gg_core", "socket")];

/// Fields deep, at most.
pub(super) const MAX_DEPTH: usize = 32;

/// What the command line changes in a scenario.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--set`: `path=value`, where the path is made of field names and list positions (`load.closed.users=8`).
    pub set: Vec<String>,
    /// `--target`: `NAME=SPEC`, such as `native=openai:http://127.0.0.1:8080,model=qwen`. Replaces or adds a target.
    pub targets: Vec<String>,
    /// `--sweep`: `path=1,2,4`, one more path for the scenario's `sweep.over`.
    pub sweep: Vec<String>,
    /// `--seed`.
    pub seed: Option<u64>,
    /// What a suite lays over its scenarios, before all of the others.
    pub laid: Vec<Laid>,
    /// `--driver goose`, asked for by name: not every load can be driven so.
    pub goose: bool,
}

/// Lays all of it over the tree: targets first, so that `--set` can change them.
pub(super) fn lay(root: &mut Node, overrides: &Overrides, mistakes: &mut Vec<Mistake>) {
    for laid in &overrides.laid {
        if let Err(mistake) = lay_one(root, laid) {
            mistakes.push(mistake);
        }
    }
    for argument in &overrides.targets {
        if let Err(mistake) = target(root, argument) {
            mistakes.push(mistake);
        }
    }
    for argument in &overrides.set {
        if let Err(mistake) = set(root, argument) {
            mistakes.push(mistake);
        }
    }
    for argument in &overrides.sweep {
        if let Err(mistake) = super::sweep::lay(root, argument) {
            mistakes.push(mistake);
        }
    }
    if let Some(seed) = overrides.seed {
        let place = Place::Argument(format!("--seed {seed}"));
        let node = Node::new(Value::Number(seed.into()), place.clone());
        if let Value::Map(map) = &mut root.value {
            map.insert("seed".to_owned(), Entry { key: place, node });
        }
    }
}

/// A value of a suite. JSON is YAML: it is read as it would be had it been written here.
fn lay_one(root: &mut Node, laid: &Laid) -> Result<(), Mistake> {
    let place = Place::Argument(format!("{}: {}", laid.from, laid.path));
    let path: Vec<&str> = laid.path.trim().split('.').collect();
    if path.iter().any(|step| step.is_empty()) || path.len() > MAX_DEPTH {
        return Err(Mistake::new("a path is made of field names with `.` between them", place)
            .help("for example: load.closed.users: 8"));
    }
    insert(root, &path, value(&laid.value.to_string(), &place)?, &place)
}

/// `--set path=value`.
fn set(root: &mut Node, argument: &str) -> Result<(), Mistake> {
    let place = Place::Argument(format!("--set {}", shown(argument)));
    let Some((path, value)) = argument.split_once('=') else {
        return Err(
            Mistake::new("--set needs a path, `=` and a value", place).help("for example: --set load.closed.users=8")
        );
    };
    let path: Vec<&str> = path.trim().split('.').collect();
    if path.iter().any(|step| step.is_empty()) || path.len() > MAX_DEPTH {
        return Err(Mistake::new("the path of --set is made of field names with `.` between them", place)
            .help("for example: --set load.closed.users=8"));
    }
    insert(root, &path, self::value(value, &place)?, &place)
}

/// `--target NAME=SPEC`, with SPEC as `wire`, `wire:address` or `wire:address,field=value,...`.
fn target(root: &mut Node, argument: &str) -> Result<(), Mistake> {
    let place = Place::Argument(format!("--target {}", shown(argument)));
    let example = "for example: --target native=openai:http://127.0.0.1:8080,model=qwen";
    let Some((name, spec)) = argument.split_once('=').filter(|(name, _)| !name.contains([':', ','])) else {
        return Err(Mistake::new("--target needs a name, `=` and what it is", place).help(example));
    };
    let (wire, rest) = spec.split_once(':').unwrap_or((spec, ""));
    let wires = WIRES.map(|(wire, _)| wire);
    if wire == "json" {
        return Err(Mistake::new("a `json` target says more than fits on a command line", place)
            .help("write it in the scenario"));
    }
    let Some((_, address_field)) = WIRES.iter().find(|(known, _)| *known == wire) else {
        let near = super::mistake::nearest(wire, wires).map(|near| format!("did you mean `{near}`?"));
        return Err(Mistake::new(format!("{} is no kind of target", quoted(wire)), place)
            .note(near.unwrap_or_default())
            .help(format!("kinds: {}", wires.join(", ")))
            .help(example));
    };
    let mut node = Node::new(Value::Map(IndexMap::new()), place.clone());
    for (i, part) in rest.split(',').enumerate().filter(|(_, part)| !part.trim().is_empty()) {
        let is_field = |(field, _): &(&str, &str)| field.chars().all(|c| c.is_ascii_alphanumeric() || "_.".contains(c));
        match part.split_once('=').filter(is_field) {
            Some((field, value)) => {
                let path: Vec<&str> = field.split('.').collect();
                insert(&mut node, &path, self::value(value, &place)?, &place)?;
            }
            None if i == 0 => insert(&mut node, &[address_field], self::value(part, &place)?, &place)?,
            None => {
                let message = format!("{} is no `field=value`", quoted(part));
                return Err(Mistake::new(message, place).help(example));
            }
        }
    }
    let tagged = IndexMap::from([(wire.to_owned(), Entry { key: place.clone(), node })]);
    insert(root, &["targets", name], Node::new(Value::Map(tagged), place.clone()), &place)
}

/// Puts a value at a path; maps on the way are made where there are none.
pub(super) fn insert(root: &mut Node, path: &[&str], value: Node, place: &Place) -> Result<(), Mistake> {
    let Some((step, rest)) = path.split_first() else {
        *root = value;
        return Ok(());
    };
    if matches!(root.value, Value::Null) {
        root.value = Value::Map(IndexMap::new());
    }
    match &mut root.value {
        Value::Map(map) => {
            let fresh = || Entry { key: place.clone(), node: Node::new(Value::Null, place.clone()) };
            insert(&mut map.entry((*step).to_owned()).or_insert_with(fresh).node, rest, value, place)
        }
        Value::List(list) => {
            let length = list.len();
            let position = step.parse::<usize>().ok().filter(|n| *n <= length).ok_or_else(|| {
                let message = format!("{} is no position in a list of {length}", quoted(step));
                Mistake::new(message, place.clone()).help("positions count from 0; the next after the last adds one")
            })?;
            if position == length {
                list.push(Node::new(Value::Null, place.clone()));
            }
            insert(&mut list[position], rest, value, place)
        }
        _ => Err(Mistake::new(format!("there are no fields below {}", quoted(step)), place.clone())
            .help("what stands before it is a single value")),
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

/// The argument as it may be printed.
pub(super) fn shown(argument: &str) -> String {
    match argument.split_once('=') {
        // A header's name says nothing about how secret its value is, so all of them are masked.
        Some((path, value)) if !value.contains("${") && (is_secret_name(path) || path.contains(".headers")) => {
            format!("{path}=***")
        }
        _ => mask(argument),
    }
}
