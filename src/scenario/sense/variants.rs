//! What variants, sweeps and repeats ask of the rest of a scenario.

use super::Sense;
use crate::scenario::Order;

impl Sense<'_> {
    pub(super) fn variants(&mut self) {
        if !self.scenario.variants.is_empty() && self.scenario.order == Order::Concurrent {
            let path = if self.has(&["order"]) { "order" } else { "variants" };
            self.wrong_key(&[path], "variants that run at once compete for the machine")
                .add_help("use `order: alternate` for a verdict, or `order: isolated`");
        }
        if self.scenario.sweep.is_some() && self.scenario.interference {
            self.wrong_key(&["interference"], "`interference` and `sweep` can't be combined: each makes several runs");
        }
        self.repeats();
    }

    fn repeats(&mut self) {
        let Some(repeats) = &self.scenario.repeats else { return };
        let (restart, several) = (repeats.restart, "each make several runs; write one of them");
        if self.scenario.sweep.is_some() {
            self.wrong_key(&["repeats"], format!("`repeats` and `sweep` {several}"))
                .add_help("a sweep has its own `repeats`: sweep: { repeats: 3 }");
        }
        if self.scenario.interference {
            self.wrong_key(&["repeats"], format!("`repeats` and `interference` {several}"));
        }
        if restart == Some(true) && self.scenario.start.is_empty() {
            self.wrong_key(&["repeats", "restart"], "there is nothing to restart: the scenario has no `start`")
                .add_help("start: { NAME: [command, argument] } lets loadcmp start and restart an engine");
        }
    }
}
