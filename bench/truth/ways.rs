//! The ways of driving that are tried: what users get by default, and what may go wrong with it.

use crate::side::Load;
use crate::world::Spec;
use loadcmp::scenario::plan::Plan;
use loadcmp::scenario::{BlocksSpec, Order, Sampling};

/// How long a run is.
#[derive(Clone, Copy, Debug)]
pub enum Length {
    /// `duration: auto`.
    Auto,
    /// So many seconds of measuring each target.
    Seconds(f64),
}

/// A way of driving.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    pub name: &'static str,
    pub spec: Spec,
    pub load: Load,
    pub order: Order,
    pub targets: usize,
    pub length: Length,
    /// Share of runs in which a true 10 % has to be shown; 0 where none is asked for.
    pub power: f64,
    /// Whether a run can hold the truth to 5 %; else (a speed that wanders on one side only, as the machine's does where one
    /// engine is driven after the other) the row is printed as what it is.
    pub held: bool,
    /// Whether it is what users get who set nothing.
    pub default: bool,
    /// Whether it is in the short form.
    pub short: bool,
}

const USERS: usize = 4;

const fn way(name: &'static str, spec: Spec) -> Way {
    Way {
        name,
        spec,
        load: Load::Closed(USERS),
        order: Order::Concurrent,
        targets: 2,
        length: Length::Auto,
        power: 0.0,
        held: true,
        default: false,
        short: false,
    }
}

/// An engine with a slot for each user, tickets classified as `make run` does: `answer` is what a user waits, in seconds.
const fn many(answer: f64) -> Spec {
    Spec::new(answer, USERS, true)
}

/// The same with one slot: the answer is waited for as long, four times the time in the slot.
const fn one(answer: f64) -> Spec {
    Spec::new(answer / USERS as f64, 1, true)
}

/// Prompts answered at length, as streams.
const fn long(answer: f64) -> Spec {
    Spec::new(answer, USERS, false)
}

const fn shared(name: &'static str, memory: f64) -> Way {
    way(name, Spec { shared: (0.05, memory), ..many(0.44) })
}

const fn own(name: &'static str, memory: f64) -> Way {
    Way { held: false, ..way(name, Spec { own: (0.03, memory), ..many(0.44) }) }
}

const fn timed(name: &'static str, seconds: f64, spec: Spec) -> Way {
    Way { length: Length::Seconds(seconds), ..way(name, spec) }
}

const fn alternate(name: &'static str, spec: Spec) -> Way {
    Way { order: Order::Alternate, ..way(name, spec) }
}

const fn open(name: &'static str, load: Load) -> Way {
    Way { load, ..way(name, long(0.44)) }
}

pub const WAYS: [Way; 37] = [
    Way { default: true, power: 0.9, short: true, ..way("57 ms, 4 slots", many(0.057)) },
    Way { default: true, power: 0.9, short: true, ..way("0.44 s, 4 slots", many(0.44)) },
    Way { default: true, power: 0.9, short: true, ..way("2.2 s, 4 slots", many(2.2)) },
    Way { default: true, ..way("10 s, 4 slots", many(10.0)) },
    Way { default: true, power: 0.8, ..way("57 ms, 1 slot", one(0.057)) },
    Way { default: true, power: 0.8, short: true, ..way("0.44 s, 1 slot", one(0.44)) },
    Way { default: true, power: 0.8, ..way("2.2 s, 1 slot", one(2.2)) },
    Way { default: true, ..way("10 s, 1 slot", one(10.0)) },
    Way { power: 0.9, short: true, ..way("long answers, 0.44 s", long(0.44)) },
    Way { power: 0.9, ..way("long answers, 2.2 s", long(2.2)) },
    way("long answers, 10 s", long(10.0)),
    Way { power: 0.8, ..way("long answers, 2.2 s, 1 slot", Spec::new(0.55, 1, false)) },
    way("of unlike lengths", Spec { unlike: 0.3, ..long(0.44) }),
    Way { targets: 3, short: true, ..way("three targets, 0.44 s", many(0.44)) },
    way("scatter of 15 %", Spec { noise: 0.15, ..many(0.44) }),
    way("0.5 % fail", Spec { failures: 0.005, ..many(0.44) }),
    way("3 % fail", Spec { failures: 0.03, ..many(0.44) }),
    way("a third slower for 10 s", Spec { cold: (0.33, 10.0), ..many(0.44) }),
    shared("machine drifts, 1 s", 1.0),
    Way { short: true, ..shared("machine drifts, 5 s", 5.0) },
    shared("machine drifts, 30 s", 30.0),
    shared("machine drifts, 100 s", 100.0),
    own("one side drifts, 1 s", 1.0),
    own("one side drifts, 5 s", 5.0),
    Way { short: true, ..own("one side drifts, 30 s", 30.0) },
    own("one side drifts, 100 s", 100.0),
    timed("20 s of 57 ms", 20.0, many(0.057)),
    timed("20 s of 0.44 s", 20.0, many(0.44)),
    timed("60 s of 2.2 s", 60.0, many(2.2)),
    Way { short: true, ..alternate("alternate, 57 ms", many(0.057)) },
    alternate("alternate, 0.44 s", many(0.44)),
    alternate("alternate, 2.2 s", many(2.2)),
    Way { order: Order::Isolated, held: false, ..timed("isolated, 20 s of 0.44 s", 20.0, many(0.44)) },
    Way { short: true, ..open("Poisson 4/s, half loaded", Load::Poisson(4.0)) },
    Way { held: false, ..open("Poisson 6.4/s, 70 % loaded", Load::Poisson(6.4)) },
    open("even 4/s, half loaded", Load::Constant(4.0)),
    Way { order: Order::Isolated, held: false, ..timed_open("Poisson 4/s, isolated, 60 s", 60.0) },
];

const fn timed_open(name: &'static str, seconds: f64) -> Way {
    Way { length: Length::Seconds(seconds), ..open(name, Load::Poisson(4.0)) }
}

impl Way {
    pub fn open(&self) -> bool {
        !matches!(self.load, Load::Closed(_))
    }

    /// The main metric, by the rule in docs.
    pub fn main(&self) -> &'static str {
        match (self.open(), self.spec.short) {
            (true, _) => "response.p50",
            (false, true) => "latency.mean",
            (false, false) => "output_tokens_per_s",
        }
    }

    /// Answers a second of a target, about.
    pub fn rate(&self) -> f64 {
        match self.load {
            Load::Closed(users) => self.spec.slots.min(users) as f64 / self.spec.service,
            Load::Poisson(rate) | Load::Constant(rate) => rate,
        }
    }

    /// A plan; the reference is the last target.
    pub fn plan(&self, seed: u64) -> Plan {
        let target = |number: usize| {
            serde_json::json!({
                "name": format!("t{number}"), "stand_in": true, "model": "m", "inequalities": [],
                "endpoint": { "unix": { "path": "/tmp/none" } }, "spec": { "gg_core": {} },
                "facts": { "models": [] },
            })
        };
        let load = if self.open() {
            serde_json::json!({ "open": {
                "about": self.name, "spec": { "rate": 1.0 }, "duration": "40s", "warmup": "3s", "in_flight": 1024,
                "pacing": "timer", "planned": 0, "hash": "00",
            } })
        } else {
            serde_json::json!({ "closed": {
                "users": USERS, "until": { "duration": "20s" }, "think": "0s", "warmup": "3s",
            } })
        };
        let labels: &[&str] = if self.spec.short { &["a", "b", "c", "d", "e", "f"] } else { &[] };
        let plan = serde_json::json!({
            "name": "truth", "about": null, "task": if self.spec.short { "classify" } else { "generate" }, "seed": seed,
            "targets": (0..self.targets).map(target).collect::<Vec<_>>(), "reference": self.targets - 1,
            "workload": {
                "source": "none", "items": 60, "hash": "00", "labels": labels, "constrain": "none", "format": "raw",
                "system": null, "sampling": Sampling::default(), "stream": !self.spec.short, "prompt_cache": "bust",
                "history": "scripted",
            },
            "order": self.order, "blocks": BlocksSpec::default(), "interference": false, "smallest_effect": "2%",
            "until_ci": null, "load": load, "timeout": "60s", "drain": "60s",
        });
        serde_json::from_value(plan).unwrap_or_else(|error| panic!("the simulated plan: {error}"))
    }
}
