//! OpenAI's `/v1/responses` and Anthropic's `/v1/messages`.

use super::stage::raise;
use loadcmp::standin::EngineSpec;
use serde_json::{Value, json};

#[tokio::test]
async fn all_three_apis_say_the_same_to_the_same() {
    let stage = raise(EngineSpec { think_tokens: 8, ..EngineSpec::default() });
    let talk = json!([{"role": "user", "content": "a b"}]);
    let chat = json!({"messages": talk, "max_tokens": 12, "reasoning_effort": "low"});
    let (_, chat) = stage.ask("/v1/chat/completions", chat).await;
    let body = json!({"input": talk, "max_output_tokens": 12, "reasoning": {"effort": "low"}});
    let (status, told) = stage.ask("/v1/responses", body).await;
    assert_eq!((status, &told["status"]), (200, &json!("incomplete")));
    // A quarter of its thoughts, by the level.
    assert_eq!(told["usage"]["output_tokens_details"]["reasoning_tokens"], 2);
    let said = &told["output"][1]["content"][0]["text"];
    assert_eq!(said, &chat["choices"][0]["message"]["content"]);
    let body = json!({"messages": talk, "max_tokens": 12, "output_config": {"effort": "low"}});
    let (status, told) = stage.ask("/v1/messages", body).await;
    assert_eq!((status, &told["stop_reason"], &told["content"][1]["text"]), (200, &json!("max_tokens"), said));
    assert_eq!(told["usage"]["input_tokens"], chat["usage"]["prompt_tokens"]);
    let (status, told): (u16, Value) = stage.ask("/v1/messages", json!({"messages": talk})).await;
    assert_eq!((status, &told["error"]["type"]), (400, &json!("invalid_request_error")));
    let (status, _) = stage.ask("/v1/responses", json!({})).await;
    assert_eq!(status, 400);
}
