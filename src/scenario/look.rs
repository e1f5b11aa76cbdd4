//! A brief look at a scenario's engines before its load.

use super::{ClosedSpec, Order, Scenario, Span};

impl Scenario {
    /// Makes it a look at its engines, one of them after another, with its own prompts: so many users, each of whom asks
    /// until so many requests are made, and nothing that judges or repeats.
    pub fn look(&mut self, name: &str, users: u32, requests: u64) {
        self.name = name.to_owned();
        let none = Span::default();
        self.load.closed =
            Some(ClosedSpec { users, duration: None, requests: Some(requests), think: none, warmup: none });
        (self.load.open, self.load.soak, self.load.until) = (None, None, None);
        self.order = Order::Isolated;
        self.interference = false;
        self.blocks = None;
        self.cold_start = None;
        self.sweep = None;
        self.repeats = None;
        self.slo = None;
        self.gates.clear();
        self.tiers.clear();
        self.baseline = None;
        self.adaptive = false;
        if let Some(shown) = &mut self.shown {
            shown.look(name, users, requests);
        }
    }
}
