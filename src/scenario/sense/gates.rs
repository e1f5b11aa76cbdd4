//! Whether the gates can be read, name targets that are there, and have what they need. A mistake in a gate is told at its
//! place in the line.

use super::Sense;
use crate::scenario::gate::{From, Gate, GateError};
use crate::scenario::mistake::{Mistake, Place, nearest, quoted};
use crate::scenario::tree::Node;

impl Sense<'_> {
    pub(super) fn gates(&mut self) {
        let scenario = self.scenario;
        for (at, text) in scenario.gates.iter().enumerate() {
            self.gate(&["gates", &at.to_string()], text);
        }
        for (tier, gates) in &scenario.tiers {
            for (at, text) in gates.iter().enumerate() {
                let at = at.to_string();
                let path = ["tiers", tier, &at];
                let Some(gate) = self.gate(&path, text) else { continue };
                if gate.subject.target.is_some() || gate.bound.from != From::Constant {
                    let help = "such as tokens_per_s >= 25: every target is compared with each tier";
                    self.wrong(&path, "a gate of a tier has no target, and compares with a number").add_help(help);
                }
            }
            if gates.is_empty() {
                self.wrong_key(&["tiers", tier], "a tier needs at least one gate");
            }
        }
        if scenario.gates.is_empty() && scenario.tiers.is_empty() {
            for field in ["strict", "adaptive"] {
                if self.has(&[field]) {
                    self.wrong_key(&[field], format!("`{field}` needs gates, and there are none"));
                }
            }
        }
        if scenario.interference && !scenario.gates.is_empty() {
            self.wrong_key(&["gates"], "gates can't be used with `interference`");
        }
    }

    fn gate(&mut self, path: &[&str], text: &str) -> Option<Gate> {
        let gate = match Gate::parse(text) {
            Ok(gate) => gate,
            Err(error) => {
                let place = within(self.root.at(path), &error).unwrap_or_else(|| super::place(self.root, path, false));
                self.add(Mistake::new(error.what, place).help(error.help));
                return None;
            }
        };
        let names: Vec<&str> = self.scenario.targets.keys().map(String::as_str).collect();
        for name in gate.targets().filter(|name| !names.contains(name)) {
            let near = nearest(name, names.iter().copied()).map(|near| format!("did you mean `{near}`?"));
            let list = format!("targets: {}", names.join(", "));
            let mistake = self.wrong(path, format!("the gate names no target: {}", quoted(name)));
            mistake.set_note(near);
            mistake.add_help(list);
        }
        if gate.needs_baseline() && self.scenario.sweep.is_some() {
            self.wrong(path, "a gate against a baseline can't be used in a `sweep`, whose points have no baseline");
        }
        Some(gate)
    }
}

/// The place of a mistake within a gate's line, where the text stands in the file as it is read.
pub(in crate::scenario) fn within(node: Option<&Node>, error: &GateError) -> Option<Place> {
    let node = node?;
    let Place::File { line, column, width, byte } = node.place else { return None };
    let length = node.text()?.chars().count();
    // In quotes the text begins a character later; a block or one with escapes can't be told.
    let before = match (node.quoted, width) {
        (false, width) if width == length => 0,
        (true, width) if width == length + 2 => 1,
        _ => return None,
    };
    let text = node.text()?;
    let bytes: usize = text.chars().take(error.at.0).map(char::len_utf8).sum();
    Some(Place::File { line, column: column + before + error.at.0, width: error.at.1, byte: byte + before + bytes })
}
