//! `loadcmp doctor`: what this machine can measure and what not, and which engines answer at their usual addresses.

use super::calibrate::standing;
use crate::host::{Ability, Doctor, abilities, facts};
use crate::record::Stopwatch;
use crate::report::TOOL;
use crate::scenario::{TargetSpec, Task};
use crate::target::discover::discover;
use serde_json::json;
use std::time::Duration;

/// Longest wait for an engine.
const PATIENCE: Duration = Duration::from_secs(10);

/// Pairs of readings by which a clock's step is found.
const READINGS: usize = 10_000;

/// The wires of which an engine has a usual address, by their words in a scenario; the field of another one, and the variable that
/// gives it to the shipped scenarios.
const WIRES: [(&str, &str, &str); 3] =
    [("ollama", "url", "OLLAMA_HOST"), ("openai", "url", "NATIVE_URL"), ("gg_core", "socket", "GG_CORE_SOCKET_PATH")];

/// Looks at the machine and for engines. Nothing is sent to them but what `check` asks.
pub async fn doctor() -> Doctor {
    let machine = facts();
    let mut all = vec![clock()];
    all.extend(abilities());
    all.push(standing(&machine));
    let [ollama, openai, gg_core] = WIRES.map(engine);
    let (ollama, openai, gg_core) = tokio::join!(ollama, openai, gg_core);
    let home = std::env::var("HOME").ok().filter(|home| home.len() > 1);
    let nameless = |mut ability: Ability| {
        if let Some(home) = &home {
            ability.found = ability.found.replace(home.as_str(), "~");
        }
        ability
    };
    Doctor {
        tool: TOOL,
        machine,
        abilities: all.into_iter().map(nameless).collect(),
        engines: [ollama, openai, gg_core].into_iter().map(nameless).collect(),
    }
}

/// The shortest time that the clock can tell from none.
fn clock() -> Ability {
    let clock = Stopwatch::start();
    let step =
        (0..READINGS).map(|_| (clock.now(), clock.now())).map(|(a, b)| b.since(a).0).filter(|step| *step > 0).min();
    match step {
        Some(ns) if ns < 1_000 => Ability::there("clock", format!("steps of {ns} ns or less")),
        Some(ns) => Ability::missing(
            "clock",
            format!("its steps are {:.1} µs: nothing shorter can be measured", ns as f64 / 1e3),
        ),
        None => Ability::missing("clock", "it doesn't move"),
    }
}

/// The engine that a shipped scenario's target of a wire would find.
async fn engine((wire, field, variable): (&'static str, &str, &str)) -> Ability {
    let address = std::env::var(variable).ok().filter(|address| !address.is_empty());
    let fields = address.map_or(json!({}), |address| json!({ (field): address }));
    let spec = match serde_json::from_value::<TargetSpec>(json!({ wire: fields })) {
        Ok(spec) => spec,
        Err(error) => return Ability::missing(wire, error.to_string()),
    };
    match tokio::time::timeout(PATIENCE, discover(&spec, Task::Generate)).await {
        Ok(Ok(found)) => {
            let facts = &found.facts;
            let who =
                [facts.engine.as_deref(), facts.version.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" ");
            let who = if who.is_empty() { "a server".to_owned() } else { who };
            Ability::there(wire, format!("{who} at {}, model {}", found.endpoint, found.model))
        }
        Ok(Err(missing)) => {
            let advice = missing.advice().map(str::to_owned);
            Ability { advice, ..Ability::missing(wire, missing.in_brief()) }
        }
        Err(_) => Ability::missing(wire, format!("somebody is there and says nothing for {} s", PATIENCE.as_secs())),
    }
}
