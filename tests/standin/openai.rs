//! The OpenAI wire.

use super::stage::{Stage, raise};
use base64::Engine as _;
use loadcmp::standin::EngineSpec;
use serde_json::{Value, json};

fn plain() -> Stage {
    raise(EngineSpec::default())
}

#[tokio::test]
async fn every_route_has_its_shape() {
    let stage = plain();
    let models: Value = stage.get("/v1/models").await.json().await.unwrap();
    assert_eq!((&models["object"], &models["data"][0]["id"]), (&json!("list"), &json!("standin")));
    let one: Value = stage.get("/v1/models/standin").await.json().await.unwrap();
    assert_eq!(one["object"], "model");
    let health: Value = stage.get("/health").await.json().await.unwrap();
    assert_eq!(health, json!({"status": "ok"}));
    let props: Value = stage.get("/props").await.json().await.unwrap();
    assert_eq!((&props["total_slots"], &props["default_generation_settings"]["n_ctx"]), (&json!(4), &json!(4096)));
    let slots: Value = stage.get("/slots").await.json().await.unwrap();
    assert_eq!(slots.as_array().unwrap().len(), 4);
    for reply in [stage.get("/v1/nothing").await, stage.get("/v1/completions").await] {
        assert_eq!((reply.status().as_u16(), reply.headers()["server"].to_str().unwrap()), (404, "loadcmp-standin"));
        let error: Value = reply.json().await.unwrap();
        assert_eq!(error["error"]["type"], "not_found_error");
    }
}

#[tokio::test]
async fn a_chat_stream_has_a_role_tokens_a_reason_usage_and_an_end() {
    let stage = plain();
    let mut body = json!({"model": "any", "messages": [{"role": "user", "content": [{"type": "text", "text": "a b"}]}],
                          "max_tokens": 3, "stream": true});
    let events = stage.events("/v1/chat/completions", body.clone()).await;
    assert_eq!(events.len(), 6);
    assert_eq!(events[0]["choices"][0]["delta"], json!({"role": "assistant", "content": null}));
    for event in &events[1..4] {
        assert!(event["choices"][0]["delta"]["content"].as_str().unwrap().starts_with(' '));
        assert_eq!((&event["object"], &event["model"]), (&json!("chat.completion.chunk"), &json!("standin")));
        assert_eq!(event["id"], events[0]["id"]);
    }
    let choice = &events[4]["choices"][0];
    assert_eq!((&choice["delta"], &choice["finish_reason"]), (&json!({}), &json!("length")));
    assert_eq!(events[4]["timings"]["predicted_n"], 3);
    assert_eq!(events[5], "[DONE]");

    body["stream_options"] = json!({"include_usage": true});
    let events = stage.events("/v1/chat/completions", body).await;
    assert_eq!(events.len(), 7);
    assert!(events[4]["timings"].is_null());
    let usage = json!({"completion_tokens": 3, "prompt_tokens": 3, "total_tokens": 6,
                       "prompt_tokens_details": {"cached_tokens": 0}});
    assert_eq!((&events[5]["choices"], &events[5]["usage"]), (&json!([]), &usage));
    assert_eq!(events[5]["timings"]["prompt_n"], 3);
}

#[tokio::test]
async fn a_completion_streams_text() {
    let stage = plain();
    let body = json!({"prompt": "a", "max_tokens": 2, "stream": true});
    let events = stage.events("/v1/completions", body).await;
    assert_eq!(events.len(), 4);
    assert!(events[0]["choices"][0]["text"].is_string() && events[0]["choices"][0]["finish_reason"].is_null());
    assert_eq!((&events[2]["choices"][0]["text"], &events[2]["usage"]["completion_tokens"]), (&json!(""), &json!(2)));
    assert!(events[2]["timings"].is_object());
    assert_eq!(events[3], "[DONE]");
}

#[tokio::test]
async fn whole_answers_have_usage_and_timings_in_milliseconds() {
    let stage = raise(EngineSpec { first_token_ms: Some(10.0), decode_rate: 1000.0, ..EngineSpec::default() });
    let body = json!({"messages": [{"role": "user", "content": "hi"}], "max_completion_tokens": 5});
    let (status, whole) = stage.ask("/v1/chat/completions", body).await;
    assert_eq!((status, &whole["object"]), (200, &json!("chat.completion")));
    assert_eq!(whole["choices"][0]["message"]["role"], "assistant");
    assert_eq!(whole["usage"]["total_tokens"], 7);
    let timings = &whole["timings"];
    let time = |name: &str| timings[name].as_f64().unwrap();
    assert!(time("prompt_ms") >= 10.0 && time("prompt_ms") + time("predicted_ms") >= 14.0, "{timings}");
    assert!((time("predicted_per_second") - 4e3 / time("predicted_ms")).abs() < 1e-6);
    let (_, text) = stage.ask("/v1/completions", json!({"prompt": ["x"], "max_tokens": 1})).await;
    assert_eq!(text["object"], "text_completion");
    assert_eq!(
        (&text["timings"]["predicted_ms"], &text["timings"]["predicted_per_second"]),
        (&json!(0.001), &json!(0.0))
    );
}

#[tokio::test]
async fn embeddings_come_as_numbers_or_base64() {
    let stage = plain();
    let (_, float) = stage.ask("/v1/embeddings", json!({"input": ["a boat", "b"]})).await;
    assert_eq!((&float["object"], &float["data"][1]["index"]), (&json!("list"), &json!(1)));
    assert_eq!(float["usage"], json!({"prompt_tokens": 5, "total_tokens": 5}));
    let (_, packed) = stage.ask("/v1/embeddings", json!({"input": "a boat", "encoding_format": "base64"})).await;
    let bytes = packed["data"][0]["embedding"].as_str().unwrap();
    let bytes = base64::prelude::BASE64_STANDARD.decode(bytes).unwrap();
    let unpacked: Vec<f32> = bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    let numbers: Vec<f32> = serde_json::from_value(float["data"][0]["embedding"].clone()).unwrap();
    assert_eq!((unpacked.len(), unpacked), (384, numbers));
}

#[tokio::test]
async fn errors_have_code_message_and_type() {
    let stage = raise(EngineSpec { context: 4, ..EngineSpec::default() });
    for (path, body, status, kind) in [
        ("/v1/chat/completions", json!({"messages": []}), 400, "invalid_request_error"),
        ("/v1/chat/completions", json!({"messages": "x"}), 400, "invalid_request_error"),
        ("/v1/completions", json!({}), 400, "invalid_request_error"),
        ("/v1/embeddings", json!({"input": []}), 400, "invalid_request_error"),
        ("/v1/completions", json!({"prompt": "a b c d e"}), 400, "exceed_context_size_error"),
    ] {
        let (found, error) = stage.ask(path, body).await;
        assert_eq!((found, &error["error"]["type"], &error["error"]["code"]), (status, &json!(kind), &json!(status)));
    }
    let schema = json!({"properties": {"label": {"enum": ["a", "b"]}}});
    let format = json!({"type": "json_schema", "json_schema": {"name": "x", "schema": schema}});
    let (_, answer) = stage.ask("/v1/completions", json!({"prompt": "is it b", "response_format": format})).await;
    assert!(answer["choices"][0]["text"].as_str().unwrap().starts_with("{\"label\": "), "{answer}");
}

#[tokio::test]
async fn a_loading_model_is_not_healthy() {
    let stage = raise(EngineSpec { load_ms: 1500.0, ..EngineSpec::default() });
    assert_eq!(stage.get("/health").await.status(), 503);
    let patience = std::time::Duration::from_millis(20);
    for _ in 0..200 {
        if stage.get("/health").await.status() == 200 {
            return;
        }
        tokio::time::sleep(patience).await;
    }
    panic!("never ready");
}
