//! Lengths that a run finds for itself: what `duration: auto` comes to, and what bounds it.

use super::{BlocksSpec, Length, LoadSpec, Order, Scenario, Share, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Pairs of blocks in the first stage of `order: alternate`: with fewer, their scatter says next to nothing.
pub const FIRST_PAIRS: u32 = 6;

/// Most blocks that a load may be cut into.
pub const MOST_PAIRS: u32 = 200;

/// What must be measured per target before a run may end early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Least {
    /// This long.
    pub time: Span,
    /// This many answers.
    pub answers: u64,
}

impl LoadSpec {
    /// Puts the most that may be measured in the place of `auto`: a run ends early, and is never made longer.
    pub(super) fn size(&mut self) {
        let loops = [
            self.closed.as_mut().and_then(|closed| closed.duration.as_mut()),
            self.open.as_mut().and_then(|open| open.duration.as_mut()),
        ];
        let most = self.until.and_then(|until| until.most).unwrap_or(defaults::most());
        for length in loops.into_iter().flatten().filter(|length| **length == Length::Auto) {
            *length = Length::Of(most);
            self.until.get_or_insert_default();
            self.auto = true;
        }
    }

    /// Length of its window, for a load that is driven for a time; the most where it may end early.
    fn window(&self) -> Option<Span> {
        let length = self.closed.as_ref().map(|closed| closed.duration);
        length.or_else(|| self.open.as_ref().map(|open| open.duration)).flatten()?.span()
    }
}

impl Scenario {
    /// What is measured before the run may end early; `None` where it may not.
    pub fn least(&self) -> Option<Least> {
        let until = self.load.until?;
        let time = self.load.window().map_or(until.least, |most| until.least.min(most));
        Some(Least { time, answers: until.answers })
    }

    /// The precision of the main ratio at which the run may end; `None` where there is none to wait for: of one target alone,
    /// and one after another, where there is no ratio before the end.
    pub fn until_ci(&self) -> Option<Share> {
        let ratio = self.targets.len() > 1 && self.order != Order::Isolated;
        self.load.until.filter(|_| ratio).map(|until| until.ci)
    }

    /// Cuts the blocks of a run that finds its own length so that its first stage is the least that it measures, unless the
    /// scenario says how many there are.
    pub(super) fn cut_blocks(&mut self, written: bool) {
        let (Some(least), Some(most)) = (self.least(), self.load.window()) else { return };
        if written || !self.load.auto || self.order != Order::Alternate {
            return;
        }
        let times = most.0.as_secs_f64() / least.time.0.as_secs_f64().max(f64::MIN_POSITIVE);
        let pairs = (f64::from(FIRST_PAIRS) * times).round().min(f64::from(MOST_PAIRS)) as u32;
        self.blocks = Some(BlocksSpec { pairs: pairs.max(FIRST_PAIRS), ..self.blocks.unwrap_or_default() });
    }
}

/// The least that is measured in blocks: whole ones, six of each target.
pub(super) fn least_in_blocks(least: Duration, most: Duration, pairs: u32) -> Duration {
    least.max(most * FIRST_PAIRS.min(pairs) / pairs.max(1)).min(most)
}

mod defaults {
    use super::{Duration, Span};

    pub fn most() -> Span {
        Span(Duration::from_secs(180))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Overrides, load_str};

    fn scenario(load: &str, more: &str) -> Scenario {
        let text = format!(
            "name: x\ntask: generate\ntargets: {{ a: {{ ollama: {{}} }}, b: {{ openai: {{}} }} }}\n\
             workload: {{ prompts: {{ inline: [{{ text: hi }}] }} }}\nload: {load}\n{more}"
        );
        load_str("x.yaml", &text, &Overrides::default()).map_err(|e| e.to_string()).unwrap().scenario
    }

    fn told(scenario: &Scenario) -> (String, Option<String>, Option<(String, u64)>) {
        let least = scenario.least().map(|least| (least.time.to_string(), least.answers));
        let window = scenario.load.window().map_or_else(String::new, |span| span.to_string());
        (window, scenario.until_ci().map(|ci| ci.to_string()), least)
    }

    #[test]
    fn auto_is_the_most_with_an_earlier_end_and_each_bound_is_a_setting() {
        let say = |window: &str, ci: Option<&str>, least: Option<(&str, u64)>| {
            (window.to_owned(), ci.map(str::to_owned), least.map(|(time, n)| (time.to_owned(), n)))
        };
        let closed = "closed: { users: 4, duration: auto }";
        assert_eq!(told(&scenario(&format!("{{ {closed} }}"), "")), say("3m", Some("5%"), Some(("20s", 30))));
        let set = "until: { ci: 2%, least: 5s, answers: 9, most: 40s }";
        assert_eq!(told(&scenario(&format!("{{ {closed}, {set} }}"), "")), say("40s", Some("2%"), Some(("5s", 9))));
        let open = "{ open: { rate: 4, duration: auto } }";
        assert_eq!(told(&scenario(open, "")), say("3m", Some("5%"), Some(("20s", 30))));
        // There is no ratio before the end of the last target's turn.
        assert_eq!(told(&scenario(open, "order: isolated")), say("3m", None, Some(("20s", 30))));
        // The older spelling, and none at all; the least is never more than the most.
        let until = "{ closed: { users: 4, duration: 8s }, until: { ci: 10% } }";
        assert_eq!(told(&scenario(until, "")), say("8s", Some("10%"), Some(("8s", 30))));
        assert_eq!(told(&scenario("{ closed: { users: 4, duration: 8s } }", "")), say("8s", None, None));
    }

    #[test]
    fn blocks_are_cut_so_that_six_pairs_are_the_least() {
        let pairs = |load: &str, more: &str| {
            let more = format!("order: alternate\n{more}");
            scenario(load, &more).blocks.unwrap_or_default().pairs
        };
        assert_eq!(pairs("{ closed: { users: 4, duration: auto } }", ""), 54);
        assert_eq!(pairs("{ closed: { users: 4, duration: auto }, until: { least: 2s, most: 12s } }", ""), 36);
        assert_eq!(pairs("{ closed: { users: 4, duration: auto }, until: { least: 0s } }", ""), 200);
        assert_eq!(pairs("{ closed: { users: 4, duration: auto } }", "blocks: { pairs: 8 }"), 8);
        assert_eq!(pairs("{ closed: { users: 4, duration: auto } }", "blocks: { settle: 0s }"), 54);
        assert_eq!(pairs("{ closed: { users: 4, duration: 60s } }", ""), 10);
        let s = Duration::from_secs;
        assert_eq!(least_in_blocks(s(20), s(180), 54), s(20));
        assert_eq!(least_in_blocks(s(20), s(180), 10), s(108));
        assert_eq!(least_in_blocks(s(20), s(180), 2), s(180));
    }
}
