//! The scenario's JSON Schema, made from the types: what editors complete and check with, and what `check` walks.

use super::Scenario;
use schemars::generate::SchemaSettings;

/// The JSON Schema of a scenario (draft-07, which editors' YAML servers read).
pub fn schema() -> serde_json::Value {
    SchemaSettings::draft07().into_generator().into_root_schema_for::<Scenario>().to_value()
}
