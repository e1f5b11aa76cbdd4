//! The JSON Schema of `report.json`, made from the types: what programs that read it can count on.

use super::{Report, SCHEMA_VERSION};
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

/// The JSON Schema of `report.json` as it is written (draft-07). Within one version fields are added and none is taken away or
/// changed in meaning, so it lets unknown ones through.
pub fn schema() -> Value {
    let settings = SchemaSettings::draft07().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<Report>().to_value();
    schema["title"] = json!(format!("report.json of loadcmp, version {SCHEMA_VERSION}"));
    schema["description"] = json!(
        "The report of one run. Times are in microseconds unless a field's name or unit says otherwise; null means not \
         measured."
    );
    schema["properties"]["schema_version"] = json!({
        "description": "Version of this document's format. A reader should refuse a later one.",
        "const": SCHEMA_VERSION,
    });
    schema
}
