//! Whether an answer is JSON as a schema wants it: its types, required fields, listed values and no others where those are
//! forbidden, all the way down. What else a schema may say (ranges, patterns, lengths, `anyOf`, references) is the engine's to
//! keep and isn't looked at: an answer that breaks only that counts as valid.

use serde_json::Value;

/// Whether a text is JSON, and by the schema.
pub fn is_by_schema(text: &str, schema: &Value) -> bool {
    serde_json::from_str::<Value>(text.trim()).is_ok_and(|value| fits(&value, schema))
}

fn fits(value: &Value, schema: &Value) -> bool {
    let Some(schema) = schema.as_object() else { return true };
    let of_type = match schema.get("type") {
        Some(Value::String(name)) => is(value, name),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).any(|name| is(value, name)),
        _ => true,
    };
    let listed = schema.get("enum").and_then(Value::as_array).is_none_or(|all| all.contains(value));
    let constant = schema.get("const").is_none_or(|only| only == value);
    of_type && listed && constant && parts_fit(value, schema)
}

fn parts_fit(value: &Value, schema: &serde_json::Map<String, Value>) -> bool {
    match value {
        Value::Object(fields) => {
            let required = schema.get("required").and_then(Value::as_array);
            let has = |name: &Value| name.as_str().is_none_or(|name| fields.contains_key(name));
            let properties = schema.get("properties").and_then(Value::as_object);
            let others = schema.get("additionalProperties");
            let field_fits = |(name, value): (&String, &Value)| match (properties.and_then(|all| all.get(name)), others)
            {
                (Some(schema), _) => fits(value, schema),
                (None, Some(Value::Bool(allowed))) => *allowed,
                (None, Some(schema)) => fits(value, schema),
                (None, None) => true,
            };
            required.is_none_or(|all| all.iter().all(has)) && fields.iter().all(field_fits)
        }
        Value::Array(items) => schema.get("items").is_none_or(|schema| items.iter().all(|item| fits(item, schema))),
        _ => true,
    }
}

fn is(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        // 2.0 is one, by JSON Schema.
        "integer" => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|x| x.fract() == 0.0),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn types_required_fields_and_listed_values_are_looked_at() {
        let schema = json!({
            "type": "object",
            "required": ["name", "tags"],
            "additionalProperties": false,
            "properties": {
                "name": { "type": "string" },
                "age": { "type": ["integer", "null"] },
                "kind": { "enum": ["a", "b"] },
                "tags": { "type": "array", "items": { "type": "string" } },
                "deep": { "type": "object", "required": ["x"], "properties": { "x": { "const": 1 } } },
            },
        });
        let fine = [
            r#"{"name": "n", "tags": []}"#,
            "\n {\"name\": \"n\", \"tags\": [\"t\"], \"age\": null, \"kind\": \"b\", \"deep\": {\"x\": 1, \"y\": 2}} ",
            r#"{"name": "n", "tags": [], "age": 2.0}"#,
        ];
        for text in fine {
            assert!(is_by_schema(text, &schema), "{text}");
        }
        let wrong = [
            "",
            "Sure! {\"name\": \"n\", \"tags\": []}",
            r#"{"name": "n", "tags": ["#,
            r#"{"name": "n"}"#,
            r#"{"name": 5, "tags": []}"#,
            r#"{"name": "n", "tags": [5]}"#,
            r#"{"name": "n", "tags": [], "age": 2.5}"#,
            r#"{"name": "n", "tags": [], "kind": "c"}"#,
            r#"{"name": "n", "tags": [], "deep": {"x": 2}}"#,
            r#"{"name": "n", "tags": [], "more": 1}"#,
            "[]",
        ];
        for text in wrong {
            assert!(!is_by_schema(text, &schema), "{text}");
        }
        // What isn't looked at breaks nothing, and a schema that says nothing takes all JSON.
        assert!(is_by_schema("3", &json!({ "minimum": 5 })) && is_by_schema("[1]", &json!({})));
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(text in ".{0,60}", kind in "[a-z]{0,8}") {
            let _ = is_by_schema(&text, &json!({ "type": kind, "required": [3, "a"], "properties": [], "items": 7 }));
        }
    }
}
