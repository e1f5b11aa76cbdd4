//! The JSON Schemas of scenarios and suites, made from the types: what editors complete and check with, and what `check` walks.

use super::Scenario;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

/// What a gate looks like: a figure, one comparison, a bound. Whether its words are right is for `check` to say, with their place.
pub(super) const GATE: &str = "^[^<>=]*[A-Za-z0-9_][^<>=]*(<=|>=|==|<|>)[^<>=]*[A-Za-z0-9_%][^<>=]*$";
/// What the limits of an SLO look like: one or several such, joined by `and`.
const SLO: &str = "^[^<>=]+((<=|>=|<|>)[^<>=]+)+$";

/// The JSON Schema of a scenario (draft-07, which editors' YAML servers read).
pub fn schema() -> serde_json::Value {
    SchemaSettings::draft07().into_generator().into_root_schema_for::<Scenario>().to_value()
}

/// The schema of a scenario for editors: gates and limits have a pattern there. `check` reads these by itself, and says more.
pub fn editor_schema() -> Value {
    let mut whole = schema();
    let fields = &mut whole["properties"];
    fields["gates"]["items"]["pattern"] = json!(GATE);
    fields["tiers"]["additionalProperties"]["items"]["pattern"] = json!(GATE);
    fields["slo"]["pattern"] = json!(SLO);
    whole
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::editor_suite_schema;

    #[test]
    fn patterns_stand_where_the_fields_are() {
        let (scenario, suite) = (editor_schema(), editor_suite_schema());
        let gates = &scenario["properties"]["gates"]["items"];
        assert!(gates["type"] == "string" && gates["pattern"] == GATE, "{gates}");
        let tier = &scenario["properties"]["tiers"]["additionalProperties"]["items"];
        assert!(tier["type"] == "string" && tier["pattern"] == GATE, "{tier}");
        assert!(scenario["properties"]["slo"]["description"].is_string());
        let check = &suite["definitions"]["CheckSpec"]["properties"];
        assert!(check["gate"]["description"].is_string() && check["needs"]["items"]["type"] == "string", "{check}");
        // What `check` walks has none.
        assert!(schema()["properties"]["slo"]["pattern"].is_null());
    }
}
