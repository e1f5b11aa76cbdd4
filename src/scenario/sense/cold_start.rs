//! Whether engines can be started, and cold starts be made, as they are written.

use super::Sense;
use crate::scenario::mistake::{nearest, quoted};
use indexmap::IndexMap;

impl Sense<'_> {
    pub(super) fn cold_start(&mut self) {
        let scenario = self.scenario;
        let Some(cold) = &scenario.cold_start else { return };
        self.commands(&["cold_start", "restart"], &cold.restart, "[systemctl, --user, restart, my-runtime]");
        if scenario.interference {
            self.wrong_key(
                &["cold_start"],
                "`cold_start` can't be used with `interference`, whose two runs start warm",
            );
        }
    }

    /// Commands that start engines.
    pub(super) fn start(&mut self) {
        let scenario = self.scenario;
        self.commands(&["start"], &scenario.start, "[llama-server, --port, \"8081\", -m, model.gguf]");
    }

    /// Commands by target.
    fn commands(&mut self, path: &[&str], commands: &IndexMap<String, Vec<String>>, example: &str) {
        let names: Vec<&str> = self.scenario.targets.keys().map(String::as_str).collect();
        let field = path.last().copied().unwrap_or_default();
        for (name, command) in commands {
            let path = [path, &[name.as_str()]].concat();
            if !names.contains(&name.as_str()) {
                let near = nearest(name, names.iter().copied());
                let list = format!("targets: {}", names.join(", "));
                let mistake = self.wrong_key(&path, format!("`{field}` names no target: {}", quoted(name)));
                mistake.set_note(near.map(|near| format!("did you mean `{near}`?")));
                mistake.add_help(list);
            }
            if command.first().is_none_or(|program| program.trim().is_empty()) {
                self.wrong_key(&path, "a command needs at least a program").add_help(format!("for example: {example}"));
            }
        }
    }
}
