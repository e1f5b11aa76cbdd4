//! What variants and sweeps ask of the rest of a scenario.

use super::Sense;
use crate::scenario::Order;

impl Sense<'_> {
    pub(super) fn variants(&mut self) {
        if !self.scenario.variants.is_empty() && self.scenario.order == Order::Concurrent {
            let path = if self.has(&["order"]) { "order" } else { "variants" };
            self.wrong_key(&[path], "variants driven at once contend with each other for the machine")
                .add_help("write `order: alternate` for a verdict, or `order: isolated`");
        }
        if self.scenario.sweep.is_some() && self.scenario.interference {
            self.wrong_key(&["interference"], "`interference` and `sweep` each make several runs; write one of them");
        }
    }
}
