//! `repeats:` and `--repeats`: one scenario run several times, the runs being what its headline rests on.

use super::mistake::Place;
use super::tree::{Entry, Node, Value};
use super::{Scenario, Span};
use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Fewest runs.
pub const LEAST: u32 = 2;
/// Most runs.
pub const MOST: u32 = 50;

/// How often the whole run is made. Written as a number, or as a map where more than that is to be said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RepeatsSpec {
    /// Runs of the same plan, each with the targets in an order drawn anew.
    pub runs: u32,
    /// Pause between two runs.
    pub pause: Span,
    /// Whether the engines that `start` names are ended and started again between two runs. Default: they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart: Option<bool>,
}

impl RepeatsSpec {
    /// Whether the engines of the scenario's own commands are started anew for each run.
    pub fn restarts(&self, scenario: &Scenario) -> bool {
        !scenario.start.is_empty() && self.restart != Some(false)
    }
}

fn pause() -> Span {
    Span(Duration::from_secs(5))
}

/// The form with everything that can be said.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Written {
    /// Number of runs of the same plan: the same prompts in the same order, the targets in a newly drawn order.
    #[schemars(range(min = 2, max = 50))]
    runs: u32,
    /// Pause between runs. Default: 5s.
    #[serde(default = "pause")]
    pause: Span,
    /// Whether the engines in `start` are restarted between runs. Default: true if there are any. Engines started by
    /// others keep running, and the report says so.
    #[serde(default)]
    restart: Option<bool>,
}

impl<'de> Deserialize<'de> for RepeatsSpec {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> serde::de::Visitor<'de> for Either {
            type Value = RepeatsSpec;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a number of runs, or a map with `runs`")
            }
            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<RepeatsSpec, E> {
                let runs = u32::try_from(number);
                let runs = runs.map_err(|_| E::invalid_value(serde::de::Unexpected::Unsigned(number), &self))?;
                Ok(RepeatsSpec { runs, pause: pause(), restart: None })
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<RepeatsSpec, A::Error> {
                let Written { runs, pause, restart } = Written::deserialize(MapAccessDeserializer::new(map))?;
                Ok(RepeatsSpec { runs, pause, restart })
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl JsonSchema for RepeatsSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "RepeatsSpec".into()
    }
    /// The schema of the map, which a number may stand in the place of.
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let mut schema = Written::json_schema(generator);
        for (key, value) in [
            ("title", "`repeats`".into()),
            ("description", "A number of runs, or a map with `runs`.".into()),
            ("type", serde_json::json!(["object", "integer"])),
            ("minimum", LEAST.into()),
            ("maximum", MOST.into()),
        ] {
            schema.insert(key.to_owned(), value);
        }
        schema
    }
}

/// `--repeats N`: the number of runs, whatever else the scenario says of them.
pub(super) fn lay(root: &mut Node, runs: u32) {
    let place = Place::Argument(format!("--repeats {runs}"));
    let number = Node::new(Value::Number(runs.into()), place.clone());
    let Value::Map(fields) = &mut root.value else { return };
    match fields.get_mut("repeats").map(|entry| &mut entry.node.value) {
        Some(Value::Map(written)) => drop(written.insert("runs".to_owned(), Entry { key: place, node: number })),
        _ => drop(fields.insert("repeats".to_owned(), Entry { key: place, node: number })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Loaded, Overrides, load_str};

    fn read(more: &str, repeats: Option<u32>) -> Result<Loaded, String> {
        let text = format!(
            "name: x\ntask: generate\ntargets: {{ a: {{ ollama: {{}} }}, b: {{ ollama: {{}} }} }}\n\
             workload: {{ prompts: {{ inline: [{{ text: hi }}] }} }}\nload: {{ closed: {{ users: 1, requests: 8 }} }}\n{more}\n"
        );
        load_str("x.yaml", &text, &Overrides { repeats, ..Overrides::default() }).map_err(|e| e.to_string())
    }

    fn told(more: &str, repeats: Option<u32>) -> RepeatsSpec {
        read(more, repeats).unwrap().scenario.repeats.unwrap()
    }

    #[test]
    fn a_number_or_a_map_and_the_command_line_changes_the_number_alone() {
        let plain = RepeatsSpec { runs: 5, pause: pause(), restart: None };
        assert_eq!(told("repeats: 5", None), plain);
        assert_eq!(told("repeats: { runs: 5 }", None), plain);
        let full = RepeatsSpec { runs: 3, pause: Span::parse("10s").unwrap(), restart: None };
        assert_eq!(told("repeats: { runs: 3, pause: 10s }", None), full);
        assert_eq!(told("repeats: { runs: 3, pause: 10s }", Some(7)), RepeatsSpec { runs: 7, ..full });
        assert_eq!(told("repeats: 3", Some(5)), plain);
        assert_eq!(told("", Some(5)), plain);
        assert_eq!(read("", None).unwrap().scenario.repeats, None);
        // What is written is what is read again.
        let again: RepeatsSpec = serde_json::from_value(serde_json::to_value(&plain).unwrap()).unwrap();
        assert_eq!(again, plain);
    }

    #[test]
    fn what_can_be_no_repeats_is_told_where_it_stands() {
        for (more, words) in [
            ("repeats: 1", "`repeats` must be from 2 to 50, not 1"),
            ("repeats: 51", "`repeats` must be from 2 to 50"),
            ("repeats: often", "`repeats` must be"),
            ("repeats: { runs: 1 }", "`runs` must be from 2 to 50"),
            ("repeats: { pause: 3s }", "`runs`"),
            ("repeats: { runs: 3, pausse: 3s }", "did you mean `pause`?"),
            ("repeats: { runs: 3, restart: true }", "has no `start`"),
            ("repeats: 3\nsweep: { over: { seed: [1, 2] } }", "`repeats` and `sweep`"),
            ("repeats: 3\ninterference: true", "`repeats` and `interference`"),
        ] {
            let text = read(more, None).unwrap_err();
            assert!(text.contains(words) && text.contains("x.yaml:"), "{more}: {text}");
        }
        assert!(read("", Some(51)).unwrap_err().contains("--repeats 51"));
    }
}
