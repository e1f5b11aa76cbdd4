//! The everyday flags of the command line, `--users 8` and its kin, laid over a scenario in its own words: each is a `--set` of
//! the field that it means in this scenario. And what gives way to a load of another kind.

use super::mistake::{Mistake, Place};
use super::path::{insert, value};
use super::tree::{Entry, Node, Value};
use indexmap::IndexMap;

/// Everyday flags, as they were typed. The schema says what each may be.
#[derive(Clone, Debug, Default)]
pub struct Everyday {
    /// `--users`: of a closed loop, or of a soak.
    pub users: Option<String>,
    /// `--requests`: measured ones of a closed loop, on each target.
    pub requests: Option<String>,
    /// `--duration` of the measured window, or `auto`.
    pub duration: Option<String>,
    /// `--rate` of an open loop, or of a soak.
    pub rate: Option<String>,
    /// `--model NAME` of all targets, or `TARGET=NAME` of one.
    pub models: Vec<String>,
    /// `--order`.
    pub order: Option<String>,
    /// `--prompts FILE`: `.csv`, `.jsonl`, or one prompt a line.
    pub prompts: Option<String>,
    /// `--max-tokens` of an answer.
    pub max_tokens: Option<String>,
}

/// The kinds of load, of which a scenario has one.
const KINDS: [&str; 3] = ["closed", "open", "soak"];

/// Fields of a load of which one is written, each with what it rules out.
const ONE_OF: [(&str, &[&str]); 3] = [
    ("closed", &["duration", "requests"]),
    ("open", &["rate", "ramp", "stages", "trace"]),
    ("soak", &["users", "rate"]),
];

impl Everyday {
    /// Lays the flags over the tree.
    pub(super) fn lay(&self, root: &mut Node, mistakes: &mut Vec<Mistake>) {
        let kind = |root: &Node| KINDS.into_iter().find(|kind| root.at(&["load", kind]).is_some()).unwrap_or("closed");
        // A soak has users and a rate of its own.
        let or_soak = |root: &Node, other| if kind(root) == "soak" { "soak" } else { other };
        let users = or_soak(root, "closed");
        mistakes.extend(lay_flag(root, "users", &self.users, &["load", users, "users"]));
        let rate = or_soak(root, "open");
        mistakes.extend(lay_flag(root, "rate", &self.rate, &["load", rate, "rate"]));
        let kind = kind(root);
        if let Some(requests) = self.requests.as_ref().filter(|_| kind != "closed") {
            let message = format!("--requests is for a closed loop, and this load is `{kind}`");
            let mistake = Mistake::new(message, Place::Argument(format!("--requests {requests}")));
            mistakes.push(mistake.help("set a length with --duration, or make it a closed loop with --users"));
        } else {
            mistakes.extend(lay_flag(root, "requests", &self.requests, &["load", kind, "requests"]));
        }
        mistakes.extend(lay_flag(root, "duration", &self.duration, &["load", kind, "duration"]));
        mistakes.extend(lay_flag(root, "order", &self.order, &["order"]));
        let tokens = ["workload", "sampling", "max_tokens"];
        mistakes.extend(lay_flag(root, "max-tokens", &self.max_tokens, &tokens));
        for model in &self.models {
            mistakes.extend(lay_model(root, model).err());
        }
        mistakes.extend(self.prompts.as_ref().and_then(|file| lay_prompts(root, file).err()));
    }
}

/// One flag whose value stands in one field.
fn lay_flag(root: &mut Node, flag: &str, written: &Option<String>, path: &[&str]) -> Option<Mistake> {
    let place = Place::Argument(format!("--{flag} {}", written.as_ref()?));
    value(written.as_ref()?, &place).and_then(|value| put(root, path, value, &place)).err()
}

/// `--model NAME` or `--model TARGET=NAME`.
fn lay_model(root: &mut Node, written: &str) -> Result<(), Mistake> {
    let place = Place::Argument(format!("--model {written}"));
    let names: Vec<String> = match root.at(&["targets"]).map(|targets| &targets.value) {
        Some(Value::Map(targets)) => targets.keys().cloned().collect(),
        _ => Vec::new(),
    };
    let one = written.split_once('=').filter(|(name, _)| names.iter().any(|known| known == name));
    let (of, model) = one.map_or((&names[..], written), |(name, model)| {
        (names.iter().position(|known| known == name).map_or(&[][..], |at| &names[at..=at]), model)
    });
    for name in of {
        let wire = match root.at(&["targets", name]).map(|target| &target.value) {
            Some(Value::Map(wires)) => wires.keys().next().cloned(),
            _ => None,
        };
        // One that is written in another form is told by the schema.
        let Some(wire) = wire else { continue };
        insert(root, &["targets", name, &wire, "model"], value(model, &place)?, &place)?;
    }
    Ok(())
}

/// `--prompts FILE`: by its ending. What the scenario says of its columns stays where it reads the same kind of file.
fn lay_prompts(root: &mut Node, file: &str) -> Result<(), Mistake> {
    let place = Place::Argument(format!("--prompts {file}"));
    let ending = file.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).unwrap_or_default();
    let kind = match ending.as_str() {
        "csv" => "csv",
        "jsonl" | "ndjson" => "jsonl",
        _ => "text",
    };
    if root.at(&["workload", "prompts", kind]).is_none() {
        let empty = Node::new(Value::Map(IndexMap::new()), place.clone());
        insert(root, &["workload", "prompts"], empty, &place)?;
    }
    // A file's name is a text, whatever it looks like.
    let name = Node { quoted: true, ..Node::new(Value::Text(file.to_owned()), place.clone()) };
    insert(root, &["workload", "prompts", kind, "path"], name, &place)
}

/// Puts a value at a path; what the scenario's file says of the load in another way gives way to it.
pub(super) fn put(root: &mut Node, path: &[impl AsRef<str>], value: Node, place: &Place) -> Result<(), Mistake> {
    let steps: Vec<&str> = path.iter().map(AsRef::as_ref).collect();
    if let ["load", kind, rest @ ..] = &steps[..]
        && KINDS.contains(kind)
        && !matches!(value.value, Value::Null)
    {
        give_way(root, kind, rest.first().copied(), place);
    }
    insert(root, path, value, place)
}

/// Takes out of the load what the file says in another way than by a field of this kind of load. What the command line says
/// stays: two ways that were both typed are a mistake.
fn give_way(root: &mut Node, kind: &str, field: Option<&str>, place: &Place) {
    let Some(Entry { node: Node { value: Value::Map(load), .. }, .. }) = root.entry_mut("load") else { return };
    let others = KINDS.into_iter().filter(|other| *other != kind);
    for other in others {
        if load.get(other).is_none_or(|entry| typed(&entry.node)) {
            continue;
        }
        let Some(Entry { key, node }) = load.shift_remove(other) else { continue };
        let mut kept = IndexMap::new();
        if let Value::Map(mut fields) = node.value {
            kept.extend(["duration", "warmup"].into_iter().filter_map(|name| fields.shift_remove_entry(name)));
        }
        // Stages and traces have a length of their own, and no load of another kind has it.
        if kind != "soak" {
            length(&mut kept, key);
        }
        let fresh = || Entry { key: place.clone(), node: Node::new(Value::Map(kept), place.clone()) };
        load.entry(kind.to_owned()).or_insert_with(fresh);
    }
    let Some(Entry { node: Node { value: Value::Map(fields), .. }, .. }) = load.get_mut(kind) else { return };
    let ways = ONE_OF.iter().find(|(of, _)| *of == kind).map_or(&[][..], |(_, ways)| ways);
    if let Some(field) = field.filter(|field| ways.contains(field)) {
        fields.retain(|name, entry| name == field || !ways.contains(&name.as_str()) || typed(&entry.node));
        if kind == "open" && matches!(field, "rate" | "ramp") {
            let place = fields.values().next().map_or(Place::Whole, |entry| entry.key.clone());
            length(fields, place);
        }
    }
}

/// Gives a load that has no length the one that is found while it runs, as if the file had it at this place.
fn length(fields: &mut IndexMap<String, Entry>, place: Place) {
    let auto = || Entry { key: place.clone(), node: Node::new(Value::Text("auto".to_owned()), place.clone()) };
    fields.entry("duration".to_owned()).or_insert_with(auto);
}

/// Whether any of it was typed on the command line.
fn typed(node: &Node) -> bool {
    let below = match &node.value {
        Value::Map(fields) => fields.values().any(|entry| typed(&entry.node)),
        Value::List(all) => all.iter().any(typed),
        _ => false,
    };
    below || node.place.is_command_line()
}
