//! Whether a load can be driven as it is written: one rate, one end, an order that its other settings go with.

use super::Sense;
use crate::scenario::{Arrivals, ClosedSpec, Length, MOST_ARRIVALS, OpenSpec, Order, Rate, SoakSpec};
use std::path::Path;

const CLOSED: [&str; 2] = ["load", "closed"];
const OPEN: [&str; 2] = ["load", "open"];
const SOAK: [&str; 2] = ["load", "soak"];

fn open_field(name: &str) -> [&str; 3] {
    ["load", "open", name]
}

impl Sense<'_> {
    pub(super) fn load(&mut self, base: &Path) {
        let load = &self.scenario.load;
        if let Some(soak) = &load.soak {
            self.soak(soak);
            self.order();
            self.timeout();
            return;
        }
        if load.closed.is_none() && load.open.is_none() {
            self.wrong_key(&["load"], "`load` needs a loop: `closed`, `open` or `soak`")
                .add_help("for example: load: { closed: { users: 4, duration: 30s } }");
        }
        if load.closed.is_some() && load.open.is_some() {
            self.wrong_key(&OPEN, "`closed` and `open` are alternatives; write one of them");
        } else if let Some(closed) = &load.closed {
            self.closed(closed);
        } else if let Some(open) = &load.open {
            self.open(open, base);
        }
        self.order();
        self.until();
        self.timeout();
    }

    fn timeout(&mut self) {
        if self.scenario.written_limit().is_some_and(|limit| limit.0.is_zero()) {
            self.wrong(&["timeout"], "`timeout` must be more than 0: every request would fail");
        }
        if self.scenario.load_timeout.is_some_and(|limit| limit.0.is_zero()) {
            self.wrong(&["load_timeout"], "`load_timeout` must be more than 0: every first request would fail");
        }
    }

    /// A soak is one loop of its own, and one stretch.
    fn soak(&mut self, soak: &SoakSpec) {
        for other in ["closed", "open", "until"] {
            if self.has(&["load", other]) {
                let message =
                    format!("`{other}` can't be used with `soak`, which has its own loop and runs to its end");
                self.wrong_key(&["load", other], message);
            }
        }
        match (soak.users, soak.rate) {
            (None, None) => {
                self.wrong_key(&SOAK, "`soak` needs a load: `users` or `rate`")
                    .add_help("for example: load: { soak: { duration: 2h, users: 4 } }");
            }
            (Some(_), Some(_)) => {
                self.wrong_key(&["load", "soak", "rate"], "`users` and `rate` are alternatives; write one of them");
            }
            _ => {}
        }
        if soak.duration.0.is_zero() {
            self.wrong(&["load", "soak", "duration"], "`duration` must be more than 0");
        }
        let planned = soak.rate.unwrap_or(0.0) * (soak.duration.0 + soak.warmup.0).as_secs_f64();
        if planned > MOST_ARRIVALS as f64 {
            let message = format!("about {planned:.0} requests would be planned; the limit is {MOST_ARRIVALS}");
            self.wrong_key(&["load", "soak", "rate"], message)
                .add_help("lower the rate, or write `users`, whose requests are not planned");
        }
        if !soak.think.0.is_zero() && soak.rate.is_some() {
            self.wrong_key(
                &["load", "soak", "think"],
                "`think` is for `users`: with `rate`, requests don't wait for \
                                                        answers",
            );
        }
        if self.scenario.order == Order::Alternate {
            self.wrong(&["order"], "a soak is one long run and can't be split into blocks")
                .add_help("use `order: isolated` or `order: concurrent`");
        }
        if self.scenario.interference {
            self.wrong_key(&["interference"], "`interference` can't be used with `soak`: it would run it twice");
        }
    }

    fn closed(&mut self, closed: &ClosedSpec) {
        match (closed.duration, closed.requests) {
            (None, None) => {
                self.wrong_key(&CLOSED, "`closed` needs an end: `duration` or `requests`")
                    .add_help("for example: duration: 30s");
            }
            (Some(_), Some(_)) => {
                self.wrong_key(
                    &["load", "closed", "requests"],
                    "`duration` and `requests` both end the run; write one of them",
                );
            }
            (Some(Length::Of(duration)), None) if duration.0.is_zero() => {
                self.wrong(&["load", "closed", "duration"], "`duration` must be more than 0");
            }
            (None, Some(requests)) if requests < self.blocks() => {
                let message = format!("{requests} requests are too few for {} blocks", self.blocks());
                self.wrong(&["load", "closed", "requests"], message).add_help(FEWER_BLOCKS);
            }
            _ => {}
        }
    }

    /// Blocks of each target; 1 where the order has none.
    fn blocks(&self) -> u64 {
        match self.scenario.order {
            Order::Alternate => u64::from(self.scenario.blocks.unwrap_or_default().pairs),
            _ => 1,
        }
    }

    fn open(&mut self, open: &OpenSpec, base: &Path) {
        let given = ["rate", "ramp", "stages", "trace"];
        let given: Vec<&str> = given.into_iter().filter(|name| self.has(&open_field(name))).collect();
        match given[..] {
            [] => {
                self.wrong_key(&OPEN, "`open` needs a rate: `rate`, `ramp`, `stages` or `trace`")
                    .add_help("for example: load: { open: { rate: 20, duration: 30s } }");
            }
            [one] => self.one_rate(one, open, base),
            [one, other, ..] => {
                let message = format!("`{one}` and `{other}` both say when requests are sent; write one of them");
                self.wrong_key(&open_field(other), message);
            }
        }
        self.arrivals(open);
    }

    /// What goes with the one way the rate was given in.
    fn one_rate(&mut self, given: &str, open: &OpenSpec, base: &Path) {
        let own_length = matches!(given, "stages" | "trace");
        match open.duration {
            None if !own_length => {
                self.wrong_key(&OPEN, format!("`{given}` needs an end: `duration`"))
                    .add_help("for example: duration: 30s");
                return;
            }
            Some(_) if own_length => {
                let message = format!("`duration` can't be used with `{given}`, which has its own length");
                self.wrong_key(&open_field("duration"), message);
            }
            Some(Length::Of(duration)) if duration.0.is_zero() => {
                self.wrong(&open_field("duration"), "`duration` must be more than 0");
                return;
            }
            Some(_) if given == "ramp" && self.scenario.load.auto => {
                let message =
                    "`ramp` needs a fixed `duration`: with `auto` the slope would depend on when the run ends";
                self.wrong(&open_field("duration"), message).add_help("for example: duration: 60s");
            }
            _ => {}
        }
        if let Some(trace) = &open.trace {
            if let Err(why) = trace.path.open(base) {
                self.wrong(&["load", "open", "trace", "path"], why);
            }
            for field in ["arrivals", "burstiness", "burst"] {
                if self.has(&open_field(field)) {
                    let message = format!("`{field}` can't be used with `trace`, which has its own send times");
                    self.wrong_key(&open_field(field), message);
                }
            }
            return;
        }
        for (i, stage) in open.stages.iter().flatten().enumerate() {
            if stage.duration.0.is_zero() {
                let path = ["load", "open", "stages", &i.to_string(), "duration"];
                self.wrong(&path, "`duration` of a stage must be more than 0");
            }
        }
        self.number(given, open);
    }

    /// How many requests the rate comes to.
    fn number(&mut self, given: &str, open: &OpenSpec) {
        let warmup = open.first_rate() * open.warmup.0.as_secs_f64();
        let (expected, blocks) = (open.expected(), self.blocks());
        let path = open_field(given);
        if open.rate == Some(Rate::Auto) {
            return;
        }
        if open.as_stages().iter().all(|stage| stage.begin() == 0.0 && stage.rate == 0.0) {
            self.wrong_key(&path, "the rate is 0 throughout: nothing would be sent");
        } else if expected + warmup > MOST_ARRIVALS as f64 {
            let message =
                format!("about {:.0} requests would be planned; the limit is {MOST_ARRIVALS}", expected + warmup);
            self.wrong_key(&path, message).add_help("lower the rate, or shorten the duration");
        } else if expected < blocks as f64 && blocks > 1 {
            let message = format!("about {expected:.0} requests are too few for {blocks} blocks");
            self.wrong_key(&path, message).add_help(FEWER_BLOCKS);
        } else if warmup == 0.0
            && !open.warmup.0.is_zero()
            && open.stages.iter().flatten().all(|s| !s.duration.0.is_zero())
        {
            self.wrong(&open_field("warmup"), "`warmup` would send nothing: the rate starts at 0")
                .add_help("start above 0, or leave the warm-up out");
        }
    }

    /// What goes with the way requests lie around the rate.
    fn arrivals(&mut self, open: &OpenSpec) {
        if open.trace.is_some() {
            return;
        }
        for (kind, word, field, given, example) in [
            (Arrivals::Gamma, "gamma", "burstiness", open.burstiness.is_some(), "burstiness: 0.5"),
            (Arrivals::Bursts, "bursts", "burst", open.burst.is_some(), "burst: { size: 10, gap: 5ms }"),
        ] {
            if open.arrivals == kind && !given {
                self.wrong(&open_field("arrivals"), format!("`{word}` needs `{field}`"))
                    .add_help(format!("for example: {example}"));
            } else if open.arrivals != kind && given {
                self.wrong_key(&open_field(field), format!("`{field}` is for `arrivals: {word}`"));
            }
        }
    }

    fn order(&mut self) {
        let scenario = self.scenario;
        let lone = scenario.targets.len() < 2;
        if scenario.blocks.is_some() && scenario.order != Order::Alternate {
            self.wrong_key(&["blocks"], "`blocks` are for `order: alternate`");
        }
        if scenario.order == Order::Alternate && lone {
            self.wrong(&["order"], "`alternate` needs two or more targets");
        }
        if scenario.order == Order::Alternate && self.goose {
            self.wrong(
                &["order"],
                "`--driver goose` can't be used with `alternate`: each block would be a separate goose attack",
            )
            .add_help("leave `--driver` out: blocks use the `native` driver");
        }
        if scenario.interference && scenario.order != Order::Concurrent {
            self.wrong(&["order"], "`interference` already runs the targets at once and then one after another")
                .add_help("leave `order` out, or write one scenario for each order");
        }
        if scenario.interference && lone {
            self.wrong_key(&["interference"], "`interference` needs two or more targets");
        }
    }

    fn until(&mut self) {
        let Some(until) = self.scenario.load.until else { return };
        if until.ci.0 <= 0.0 {
            self.wrong(&["load", "until", "ci"], "`ci` must be more than 0%")
                .add_help("for example: until: { ci: 5% }");
        }
        if until.most.is_some_and(|most| most < until.least) && self.has(&["load", "until", "least"]) {
            self.wrong(&["load", "until", "most"], "`most` is less than `least`");
        }
        // By itself `auto` has the least to go by where there is no ratio.
        if self.scenario.load.auto && !self.has(&["load", "until", "ci"]) {
            return;
        }
        if self.scenario.targets.len() < 2 {
            self.wrong_key(&["load", "until"], "`until` needs a ratio, and a single target has none");
        } else if self.scenario.order == Order::Isolated {
            self.wrong_key(
                &["load", "until"],
                "`until` can't be used with `order: isolated`, which has no ratio before its end",
            )
            .add_help("use `order: alternate`, which has a ratio after every few blocks");
        }
    }
}

const FEWER_BLOCKS: &str = "use more requests, or fewer blocks: blocks: { pairs: 6 }";
