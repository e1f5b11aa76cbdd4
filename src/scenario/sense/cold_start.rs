//! Whether cold starts can be made as they are written.

use super::Sense;
use crate::scenario::mistake::{nearest, quoted};

impl Sense<'_> {
    pub(super) fn cold_start(&mut self) {
        let scenario = self.scenario;
        let Some(cold) = &scenario.cold_start else { return };
        let names: Vec<&str> = scenario.targets.keys().map(String::as_str).collect();
        for (name, command) in &cold.restart {
            let path = ["cold_start", "restart", name.as_str()];
            if !names.contains(&name.as_str()) {
                let near = nearest(name, names.iter().copied());
                let list = format!("targets: {}", names.join(", "));
                let mistake = self.wrong_key(&path, format!("`restart` names no target: {}", quoted(name)));
                mistake.set_note(near.map(|near| format!("did you mean `{near}`?")));
                mistake.add_help(list);
            }
            if command.first().is_none_or(|program| program.trim().is_empty()) {
                self.wrong_key(&path, "a command needs a program at least")
                    .add_help("for example: [systemctl, --user, restart, my-runtime]");
            }
        }
        if scenario.interference {
            self.wrong_key(&["cold_start"], "`cold_start` is not for `interference`, whose two runs begin warm");
        }
    }
}
