//! What the schema can't say: whether the parts of a scenario make sense together. Each mistake with its line.

mod cold_start;
mod gates;
mod load;
mod slo;
mod targets;
mod variants;
mod workload;

pub(super) use gates::within;

use super::mistake::{Mistake, Place, nearest, quoted};
use super::tree::{Node, Value};
use super::{Scenario, environment};
use std::path::Path;

/// Finds what doesn't make sense in a scenario that its schema lets pass.
pub(super) fn check(scenario: &Scenario, root: &Node, base: &Path, goose: bool, mistakes: &mut Vec<Mistake>) {
    let mut sense = Sense { scenario, root, goose, mistakes };
    sense.reference();
    sense.load(base);
    sense.slo();
    sense.start();
    sense.cold_start();
    sense.targets();
    sense.variants();
    sense.workload(base);
    sense.gates();
}

struct Sense<'a> {
    scenario: &'a Scenario,
    root: &'a Node,
    /// Whether goose was asked for by name.
    goose: bool,
    mistakes: &'a mut Vec<Mistake>,
}

impl Sense<'_> {
    /// A mistake at the value of a path.
    fn wrong(&mut self, path: &[&str], message: impl Into<String>) -> &mut Mistake {
        let place = place(self.root, path, false);
        self.add(Mistake::new(message, place))
    }

    /// A mistake at the key of a path.
    fn wrong_key(&mut self, path: &[&str], message: impl Into<String>) -> &mut Mistake {
        let place = place(self.root, path, true);
        self.add(Mistake::new(message, place))
    }

    fn add(&mut self, mistake: Mistake) -> &mut Mistake {
        self.mistakes.push(mistake);
        let last = self.mistakes.len() - 1;
        &mut self.mistakes[last]
    }

    /// Whether a field is written (and not left empty).
    fn has(&self, path: &[&str]) -> bool {
        self.root.at(path).is_some_and(|node| !matches!(node.value, Value::Null))
    }

    fn reference(&mut self) {
        let Some(reference) = &self.scenario.reference else { return };
        let names: Vec<&str> = self.scenario.targets.keys().map(String::as_str).collect();
        if !names.contains(&reference.as_str()) {
            let near = nearest(reference, names.iter().copied());
            let message = format!("`reference` names no target: {}", quoted(reference));
            let list = format!("targets: {}", names.join(", "));
            let mistake = self.wrong(&["reference"], message);
            mistake.set_note(near.map(|near| format!("did you mean `{near}`?")));
            mistake.add_help(list);
        }
    }
}

/// Where a path was written: its value, or its key; where it isn't, the key of the nearest map around it.
pub(super) fn place(root: &Node, path: &[&str], key: bool) -> Place {
    let (mut node, mut place) = (root, root.place.clone());
    for (i, step) in path.iter().enumerate() {
        let last = i + 1 == path.len();
        match &node.value {
            Value::Map(map) => {
                let Some(entry) = map.get(*step) else { return place };
                node = &entry.node;
                let scalar = !matches!(node.value, Value::Map(_) | Value::List(_) | Value::Null);
                place = if last && !key && scalar { node.place.clone() } else { entry.key.clone() };
            }
            Value::List(list) => {
                let Some(item) = step.parse::<usize>().ok().and_then(|n| list.get(n)) else { return place };
                node = item;
                place = node.place.clone();
            }
            _ => return place,
        }
    }
    place
}

/// Refuses secrets that are written out, and references whose values could not but be seen. Looks at the tree before the
/// environment is filled in, and whatever else is wrong with it.
pub(super) fn secrets(root: &Node, mistakes: &mut Vec<Mistake>) {
    seen(root, mistakes);
    let Some(Node { value: Value::Map(targets), .. }) = root.get("targets") else { return };
    for target in targets.values() {
        for (wire, example) in [("openai", "${API_TOKEN}"), ("gg_core", "${CORE_AUTH_TOKEN}")] {
            if let Some(token) = target.node.at(&[wire, "token"]) {
                secret(token, "token", example, mistakes);
            }
        }
        for wire in ["ollama", "openai", "json"] {
            let Some(Node { value: Value::Map(headers), .. }) = target.node.at(&[wire, "headers"]) else { continue };
            for (name, entry) in headers.iter().filter(|(name, _)| super::secret::is_secret_name(name)) {
                let bearer = name.eq_ignore_ascii_case("authorization");
                secret(&entry.node, name, if bearer { "Bearer ${TOKEN}" } else { "${TOKEN}" }, mistakes);
            }
        }
    }
}

/// References in a name, which every file has, and in the arguments of commands, which everyone on the machine can read.
fn seen(root: &Node, mistakes: &mut Vec<Mistake>) {
    let refers = |node: &Node| node.text().is_some_and(|text| environment::references(text).is_some());
    if let Some(name) = root.get("name").filter(|name| refers(name)) {
        let mistake =
            Mistake::new("`name` appears in every file, so it can't come from the environment", name.place.clone());
        mistakes.push(mistake.help("set it on the command line: --set name=…"));
    }
    for (field, commands) in [("start", root.get("start")), ("restart", root.at(&["cold_start", "restart"]))] {
        let Some(Node { value: Value::Map(commands), .. }) = commands else { continue };
        for command in commands.values() {
            let Value::List(words) = &command.node.value else { continue };
            // The first is the program, which is no secret.
            for word in words.iter().skip(1).filter(|word| refers(word)) {
                let message =
                    format!("`{field}` has a variable in its arguments, which everyone on this machine can read");
                mistakes.push(Mistake::new(message, word.place.clone()).help(
                    "the command inherits the environment: let it read the variable itself, or use a shell: [sh, -c, \
                     'exec llama-server -m \"$MODEL\"']",
                ));
            }
        }
    }
}

fn secret(node: &Node, name: &str, example: &str, mistakes: &mut Vec<Mistake>) {
    let text = match &node.value {
        Value::Text(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return,
    };
    let message = match environment::references(&text) {
        _ if text.is_empty() => return,
        Some(filled) if !filled.defaulted => return,
        Some(_) => format!("`{name}` has a secret as its default"),
        None => format!("`{name}` contains a secret; secrets must come from the environment"),
    };
    let mistake = Mistake::new(message, node.place.clone()).hide();
    mistakes.push(mistake.help(format!("write it as \"{example}\", and set that variable")));
}
