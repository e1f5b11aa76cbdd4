//! A schema of answers, as the scenario has it.

use super::{Source, SourceError};
use crate::scenario::SchemaSpec;
use serde_json::Value;
use std::io::Read;
use std::path::Path;

/// Bytes of a schema, at most: every request holds it.
const LARGEST: u64 = 256 << 10;

/// Reads the schema of a scenario. Its path starts from `base`.
pub fn read_schema(spec: &SchemaSpec, base: &Path) -> Result<Value, SourceError> {
    let path = match spec {
        SchemaSpec::Inline(schema) => return Ok(Value::Object(schema.clone())),
        SchemaSpec::File(path) => path,
    };
    let source = Source::open_within(base, path, LARGEST)?;
    let mut text = String::new();
    let read = (&source.file).take(LARGEST).read_to_string(&mut text);
    read.map_err(|error| source.wrong(0, format!("can't be read: {error}")))?;
    let schema: Value = serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|error| {
        let column = Some(error.column() as u64).filter(|column| *column > 0);
        source.wrong_at(error.line() as u64, column, "not JSON, which a schema has to be")
    })?;
    if !schema.is_object() {
        return Err(
            source.wrong(1, "a schema is a JSON object, such as {\"type\": \"object\", \"required\": [\"name\"]}")
        );
    }
    Ok(schema)
}
