//! What the keys and values of an engine's whole context take in memory, by the shape of its model.

use super::super::gguf::OTHER_FORMS;
use super::text;
use serde_json::{Map, Value};

/// Bytes of `tokens` of context, by a model's metadata as GGUF has them (`/api/show` of Ollama tells them): layers × tokens ×
/// (numbers of a key × bytes of one + the same of a value). `types` are llama.cpp's names for the types of keys and values.
/// `None` where the shape isn't told, or is another.
pub(super) fn context_bytes(info: &Value, tokens: u64, types: [&str; 2]) -> Option<u64> {
    let architecture = text(info, "/general.architecture")?;
    let info = info.as_object()?;
    if info.keys().any(|key| OTHER_FORMS.iter().any(|form| key.contains(form))) {
        return None;
    }
    let number = |name: &str| info.get(&format!("{architecture}.{name}")).and_then(Value::as_u64);
    let layers = number("block_count")?;
    let heads = number("attention.head_count").filter(|heads| *heads > 0);
    let width = heads.zip(number("embedding_length")).map(|(heads, length)| length / heads);
    let each = |name: &str| number(name).or(width);
    // Heads of all layers together: one number for all of them, or a list.
    let pairs = heads_of_all(info, &architecture, layers).or(Some(layers * heads?))?;
    let of = |name: &str, kind: &str| Some((tokens * pairs * each(name)?) as f64 * bytes_of_a_number(kind)?);
    Some((of("attention.key_length", types[0])? + of("attention.value_length", types[1])?) as u64)
}

fn heads_of_all(info: &Map<String, Value>, architecture: &str, layers: u64) -> Option<u64> {
    match info.get(&format!("{architecture}.attention.head_count_kv"))? {
        Value::Array(each) => each.iter().map(Value::as_u64).sum(),
        heads => heads.as_u64().map(|heads| heads * layers),
    }
}

/// Bytes of one number in a cache of this type: blocks of 32 with their scales, as ggml has them.
fn bytes_of_a_number(kind: &str) -> Option<f64> {
    Some(match kind {
        "f32" => 4.0,
        "f16" | "bf16" => 2.0,
        "q8_0" => 34.0 / 32.0,
        "q5_1" => 24.0 / 32.0,
        "q5_0" => 22.0 / 32.0,
        "q4_1" => 20.0 / 32.0,
        "q4_0" | "iq4_nl" => 18.0 / 32.0,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_context_of_a_known_shape_takes_what_llama_cpp_logs() {
        // SmolLM2-135M: 30 layers, 3 heads of 64. llama.cpp logs 180.00 MiB for 8192 cells of f16.
        let smol = json!({
            "general.architecture": "llama", "llama.block_count": 30, "llama.attention.head_count": 9,
            "llama.attention.head_count_kv": 3, "llama.embedding_length": 576
        });
        assert_eq!(context_bytes(&smol, 8192, ["f16", "f16"]), Some(180 << 20));
        assert_eq!(context_bytes(&smol, 8192, ["f16", "q8_0"]), Some((90 << 20) + (90 << 20) * 34 / 64));
        assert_eq!(context_bytes(&smol, 8192, ["f16", "odd"]), None);
        let mut shape = smol.clone();
        shape["llama.attention.key_length"] = json!(128);
        shape["llama.attention.head_count_kv"] = json!([3, 0, 3]);
        assert_eq!(context_bytes(&shape, 10, ["f16", "f16"]), Some(10 * 6 * (128 + 64) * 2));
        let of_a_window = |key: &str| {
            let mut other = smol.clone();
            other[key] = json!(512);
            context_bytes(&other, 8192, ["f16", "f16"])
        };
        assert_eq!((of_a_window("llama.attention.sliding_window"), of_a_window("llama.ssm.state_size")), (None, None));
        assert_eq!(context_bytes(&json!({}), 8192, ["f16", "f16"]), None);
    }
}
