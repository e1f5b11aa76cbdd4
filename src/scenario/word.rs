//! Words of the YAML.

/// The word a value has in the YAML, for people: `_` is a blank.
pub fn yaml_word(value: &impl serde::Serialize) -> String {
    let told = serde_json::to_value(value).unwrap_or_default();
    told.as_str().unwrap_or_default().replace('_', " ")
}
