//! `--target NAME=SPEC`: the targets that the command line gives. They are the run's; the scenario's others stay only where
//! each one that is given replaces one of them. What names a target that is left out goes with it, and that is told.

use super::masked::masked;
use super::mistake::{Mistake, Place, nearest, quoted};
use super::path::{insert, value};
use super::tree::{Entry, Node, Value};
use super::{gate::Gate, variant_name};
use indexmap::IndexMap;

/// Wires that a `--target` can name, with the field its address fills.
const WIRES: [(&str, &str); 4] = [("ollama", "url"), ("openai", "url"), ("gg_core", "socket"), ("json", "url")];

const EXAMPLE: &str = "for example: --target native=openai:http://127.0.0.1:8080,model=qwen";

/// What became of the scenario's own targets.
#[derive(Clone, Debug, Default)]
pub(super) struct Given {
    /// Those that stay, next to the ones that are given.
    kept: Vec<String>,
    /// Those that are left out, and their variants.
    out: Vec<String>,
}

/// What `--target` changed in a scenario besides its targets.
#[derive(Clone, Debug, Default)]
pub struct Followed {
    /// What stayed and what took whose place, in sentences.
    pub notes: Vec<String>,
    /// What is said even where little else is, in sentences: gates that are left out, and why; targets that stayed and may be
    /// anything that answers.
    pub always: Vec<String>,
}

/// Whether a target is looked for where its engine usually is, or a stand-in takes its place.
fn is_auto(target: &Node) -> bool {
    let Value::Map(wires) = &target.value else { return false };
    wires.iter().any(|(wire, entry)| {
        let auto = |field: &str| entry.node.get(field).is_none_or(|node| node.text() == Some("auto"));
        match wire.as_str() {
            "ollama" | "openai" => auto("url"),
            "gg_core" => auto("socket"),
            _ => false,
        }
    })
}

/// Lays the targets over the tree, in the order given.
pub(super) fn lay(root: &mut Node, arguments: &[String], mistakes: &mut Vec<Mistake>) -> Given {
    let mut given = IndexMap::new();
    for argument in arguments {
        match target(argument) {
            Ok((name, Entry { key, .. })) if given.contains_key(&name) => {
                let message = format!("--target gives {} twice", quoted(&name));
                mistakes.push(Mistake::new(message, key).help("each target needs a different name"));
            }
            Ok((name, entry)) => drop(given.insert(name, entry)),
            Err(mistake) => mistakes.push(mistake),
        }
    }
    let (Some(first), Value::Map(fields)) = (given.values().next(), &mut root.value) else { return Given::default() };
    let fresh = Entry { key: first.key.clone(), node: Node::new(Value::Null, first.key.clone()) };
    let targets = &mut fields.entry("targets".to_owned()).or_insert(fresh).node.value;
    let mut known = match std::mem::replace(targets, Value::Null) {
        Value::Map(known) => known,
        _ => IndexMap::new(),
    };
    let others: Vec<String> = known.keys().filter(|name| !given.contains_key(*name)).cloned().collect();
    if given.keys().all(|name| known.contains_key(name)) && !others.is_empty() {
        known.extend(given);
        *targets = Value::Map(known);
        return Given { kept: others, out: Vec::new() };
    }
    *targets = Value::Map(given);
    Given { kept: Vec::new(), out: leave_out(fields, others) }
}

/// Removes what belongs to targets that are left out. Gives their names and those of their variants.
fn leave_out(fields: &mut IndexMap<String, Entry>, names: Vec<String>) -> Vec<String> {
    let mut out = names.clone();
    for (field, below) in [("variants", None), ("start", None), ("cold_start", Some("restart"))] {
        let Some(entry) = fields.get_mut(field) else { continue };
        let node = match (below, &mut entry.node.value) {
            (None, _) => &mut entry.node,
            (Some(below), Value::Map(map)) if map.contains_key(below) => &mut map[below].node,
            _ => continue,
        };
        let Value::Map(map) = &mut node.value else { continue };
        for name in &names {
            let Some(removed) = map.shift_remove(name) else { continue };
            if let (Value::Map(variants), "variants") = (&removed.node.value, field) {
                out.extend(variants.keys().map(|variant| variant_name(name, variant)));
            }
        }
    }
    out
}

impl Given {
    /// Leaves out one target: `--set targets.NAME=null`.
    pub(super) fn leave_out(&mut self, root: &mut Node, name: &str, place: &Place) -> Result<(), Mistake> {
        let Value::Map(fields) = &mut root.value else { return Ok(()) };
        let targets = fields.get_mut("targets").map(|entry| &mut entry.node.value);
        let Some(Value::Map(targets)) = targets else { return Ok(()) };
        if targets.shift_remove(name).is_none() {
            let known: Vec<String> = targets.keys().map(|name| quoted(name)).collect();
            return Err(Mistake::new(format!("there is no target {} to leave out", quoted(name)), place.clone())
                .help(format!("there are {}", known.join(", "))));
        }
        self.kept.retain(|kept| kept != name);
        self.out.extend(leave_out(fields, vec![name.to_owned()]));
        Ok(())
    }

    /// Refuses a path that leads into a target that is left out: set there, a value would bring half of it back.
    pub(super) fn refuse(&self, root: &Node, path: &str, place: &Place) -> Result<(), Mistake> {
        let Some(below) = path.trim().strip_prefix("targets.") else { return Ok(()) };
        let is_in = |name: &&String| below.replace(['"', '\''], "").starts_with(&format!("{name}."));
        match self.out.iter().find(is_in) {
            Some(name) if root.at(&["targets", name.as_str()]).is_none() => {
                let message =
                    format!("{} belongs to {}, which the command line leaves out", quoted(path), quoted(name));
                let help = "only the given targets are used: give this one, too, or leave the value out";
                Err(Mistake::new(message, place.clone()).help(help))
            }
            _ => Ok(()),
        }
    }

    /// The same for what a sweep sets.
    pub(super) fn refuse_sweep(&self, root: &Node, mistakes: &mut Vec<Mistake>) {
        let points = root.at(&["sweep", "points"]).map(|points| &points.value);
        let points = if let Some(Value::List(points)) = points { points.as_slice() } else { &[] };
        for node in root.at(&["sweep", "over"]).into_iter().chain(points) {
            let Value::Map(map) = &node.value else { continue };
            let wrong = map.iter().filter_map(|(path, entry)| self.refuse(root, path, &entry.key).err());
            for mistake in wrong.collect::<Vec<_>>() {
                // Wrong at one point, wrong at all.
                if !mistakes.iter().any(|known| known.message() == mistake.message()) {
                    mistakes.push(mistake);
                }
            }
        }
    }

    /// Takes out of a tree, its variables filled in, what names targets that are left out.
    pub(super) fn follow(&self, root: &mut Node) -> Followed {
        let mut followed = Followed::default();
        if !self.kept.is_empty() {
            let words = format!("also used, from the scenario: {}", listed(&self.kept));
            // Nobody named it here: what answers there is measured, and may be the very engine that was given. Variants stand in
            // the place of what they are of.
            let kept = |name: &str| {
                self.kept
                    .iter()
                    .any(|kept| name.strip_prefix(kept).is_some_and(|rest| rest.is_empty() || rest.starts_with('-')))
            };
            let any = match root.get("targets").map(|targets| &targets.value) {
                Some(Value::Map(targets)) => targets.iter().any(|(name, entry)| kept(name) && is_auto(&entry.node)),
                _ => false,
            };
            if any { followed.always.push(words) } else { followed.notes.push(words) }
        }
        let Value::Map(fields) = &mut root.value else { return followed };
        let is_out = |name: &str| self.out.iter().any(|out| out == name);
        let reference = fields.get("reference").and_then(|entry| entry.node.text()).filter(|name| is_out(name));
        if let Some(name) = reference.map(quoted) {
            fields.shift_remove("reference");
            let targets = fields.get("targets").map(|entry| &entry.node.value);
            let names = if let Some(Value::Map(targets)) = targets { targets.keys().collect() } else { Vec::new() };
            let new = names.iter().find(|name| **name == "ollama").or(names.last()).map(|name| quoted(name));
            let new = new.unwrap_or_default();
            followed
                .notes
                .push(format!("the reference is {new}, because the command line leaves out the scenario's, {name}"));
        }
        let mut gone = Vec::new();
        if let Some(Entry { node: Node { value: Value::List(gates), .. }, .. }) = fields.get_mut("gates") {
            gates.retain(|node| {
                let names = |gate: &Gate| gate.targets().any(is_out);
                let out = node.text().filter(|text| Gate::parse(text).is_ok_and(|gate| names(&gate)));
                gone.extend(out.map(str::to_owned));
                out.is_none()
            });
            // What is said of gates is said of nothing without any.
            if gates.is_empty() && !gone.is_empty() && !fields.contains_key("tiers") {
                fields.retain(|field, _| !matches!(field.as_str(), "gates" | "strict" | "adaptive"));
            }
        }
        if !gone.is_empty() {
            let (s, they) = if gone.len() == 1 { ("", "it names") } else { ("s", "they name") };
            followed.always.push(format!(
                "gate{s} left out, because {they} a target that the command line leaves out: {}",
                gone.join("; ")
            ));
        }
        followed
    }
}

fn listed(names: &[String]) -> String {
    names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ")
}

/// `NAME=SPEC`, with SPEC as `wire`, `wire:address` or `wire:address,field=value,...`.
fn target(argument: &str) -> Result<(String, Entry), Mistake> {
    let place = Place::Argument(format!("--target {}", masked(argument)));
    let Some((name, spec)) = argument.split_once('=').filter(|(name, _)| !name.contains([':', ','])) else {
        return Err(Mistake::new("--target needs a name, `=` and a wire with an address", place).help(EXAMPLE));
    };
    let (wire, rest) = spec.split_once(':').unwrap_or((spec, ""));
    let wires = WIRES.map(|(wire, _)| wire);
    let Some((_, address_field)) = WIRES.iter().find(|(known, _)| *known == wire) else {
        let near = nearest(wire, wires).map(|near| format!("did you mean `{near}`?"));
        return Err(Mistake::new(format!("{} is not a kind of target", quoted(wire)), place)
            .note(near.unwrap_or_default())
            .help(format!("kinds: {}", wires.join(", ")))
            .help(EXAMPLE));
    };
    let mut node = Node::new(Value::Map(IndexMap::new()), place.clone());
    let parts = parts(rest).map_err(|open| {
        let message = format!("a `{open}` is not closed before the end");
        Mistake::new(message, place.clone()).help("commas within brackets, braces and quotes belong to the value")
    })?;
    for (i, part) in parts.into_iter().enumerate().filter(|(_, part)| !part.trim().is_empty()) {
        let is_field =
            |(field, _): &(&str, &str)| field.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
        match part.split_once('=').filter(is_field) {
            Some((field, value)) => {
                let path: Vec<&str> = field.split('.').collect();
                insert(&mut node, &path, self::value(value, &place)?, &place)?;
            }
            // As it stands: `[::1]:8080` is an address, and no list.
            None if i == 0 && wire == "json" => json_address(&mut node, part, &place)?,
            None if i == 0 => insert(&mut node, &[address_field], text(part, &place), &place)?,
            None => {
                let message = format!("{} is not `field=value`", quoted(part));
                return Err(Mistake::new(message, place).help(EXAMPLE));
            }
        }
    }
    let tagged = IndexMap::from([(wire.to_owned(), Entry { key: place.clone(), node })]);
    Ok((name.to_owned(), Entry { key: place.clone(), node: Node::new(Value::Map(tagged), place) }))
}

fn text(text: &str, place: &Place) -> Node {
    let text = Value::Text(text.trim().trim_matches(['"', '\'']).to_owned());
    Node { loose: true, ..Node::new(text, place.clone()) }
}

/// Where a `json` target is: a socket's path, or a server's address, whose path is the request's: the field `path` has the
/// last word.
fn json_address(node: &mut Node, address: &str, place: &Place) -> Result<(), Mistake> {
    let address = address.trim().trim_matches(['"', '\'']);
    if let Some(socket) = address.strip_prefix("unix:").or(address.starts_with('/').then_some(address)) {
        return insert(node, &["socket"], text(socket, place), place);
    }
    let begin = address.find("://").map_or(0, |at| at + 3);
    let (base, path) = address.split_at(address[begin..].find('/').map_or(address.len(), |at| begin + at));
    insert(node, &["url"], text(base, place), place)?;
    if path.len() > 1 { insert(node, &["path"], text(path, place), place) } else { Ok(()) }
}

/// The parts of a specification: cut at commas, but for those within brackets, braces and quotes. The error is what is open
/// at the end.
fn parts(text: &str) -> Result<Vec<&str>, char> {
    let (mut parts, mut begin, mut open, mut before) = (Vec::new(), 0, Vec::new(), ',');
    for (at, c) in text.char_indices() {
        match (open.last(), c) {
            (Some(quote @ ('"' | '\'')), c) if *quote == c && before != '\\' => drop(open.pop()),
            (Some('"' | '\''), _) => {}
            // In the middle of a word it is an apostrophe.
            (_, '"' | '\'') if matches!(before, '=' | ',' | ':' | '[' | '{' | ' ') => open.push(c),
            (_, '[' | '{') => open.push(c),
            (Some('['), ']') | (Some('{'), '}') => drop(open.pop()),
            (None, ',') => {
                parts.push(&text[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
        before = c;
    }
    parts.push(&text[begin..]);
    open.last().map_or(Ok(parts), |open| Err(*open))
}

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn commas_within_a_value_are_its_own() {
        for (text, cut) in [
            ("", vec![""]),
            ("http://h:1,model=a,x=b", vec!["http://h:1", "model=a", "x=b"]),
            ("[::1]:8080,stop=[a, b],n=1", vec!["[::1]:8080", "stop=[a, b]", "n=1"]),
            (
                r#"h,body={"p":"{{prompt}}, x","n":[1,2]},a.b=/t"#,
                vec!["h", r#"body={"p":"{{prompt}}, x","n":[1,2]}"#, "a.b=/t"],
            ),
            ("h,model=it's,x=1", vec!["h", "model=it's", "x=1"]),
            ("h,stop=\"a,b\"", vec!["h", "stop=\"a,b\""]),
            (r#"h,stop="a\",b",x=1"#, vec!["h", r#"stop="a\",b""#, "x=1"]),
        ] {
            assert_eq!(parts(text), Ok(cut), "{text}");
        }
        assert_eq!((parts("h,body={a,b"), parts("h,s='a,b")), (Err('{'), Err('\'')));
    }
}
