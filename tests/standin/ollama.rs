//! Ollama's wire.

use super::stage::{Stage, at, raise};
use loadcmp::standin::{EngineSpec, Kind};
use loadcmp::workload::text_hash;
use serde_json::{Value, json};
use std::io::Write;

fn plain() -> Stage {
    raise(EngineSpec::default())
}

#[tokio::test]
async fn every_route_has_its_shape_and_says_what_it_is() {
    let stage = plain();
    let root = stage.get("/").await;
    assert_eq!(root.headers()["server"], "loadcmp-standin");
    assert_eq!(root.text().await.unwrap(), "Ollama is running");
    let head = stage.client.head(&stage.url).send().await.unwrap();
    assert_eq!(head.status(), 200);
    let version: Value = stage.get("/api/version").await.json().await.unwrap();
    assert!(version["version"].as_str().unwrap().ends_with("loadcmp-standin"));
    let tags: Value = stage.get("/api/tags").await.json().await.unwrap();
    assert_eq!(tags["models"][0]["name"], "standin:latest");
    assert_eq!(tags["models"][0]["capabilities"], json!(["completion", "embedding"]));
    for field in ["model", "modified_at", "size", "digest", "details"] {
        assert!(!tags["models"][0][field].is_null(), "{field}");
    }
    let (status, show) = stage.ask("/api/show", json!({"model": "standin"})).await;
    assert_eq!((status, &show["details"]["format"]), (200, &json!("gguf")));
    assert_eq!(show["model_info"]["standin.context_length"], 4096);
    let (status, error) = stage.ask("/api/show", json!({"model": "nope"})).await;
    assert_eq!((status, error), (404, json!({"error": "model 'nope' not found"})));
}

#[tokio::test]
async fn a_stream_is_lines_and_the_last_has_the_metrics() {
    let stage = plain();
    let body = json!({"model": "standin", "prompt": "one two three", "raw": true, "options": {"num_predict": 5}});
    let reply = stage.post("/api/generate", body.clone()).await;
    assert_eq!(reply.headers()["content-type"], "application/x-ndjson");
    assert_eq!(reply.headers()["server"], "loadcmp-standin");
    let lines = stage.lines("/api/generate", body.clone()).await;
    assert_eq!(lines.len(), 6);
    for line in &lines[..5] {
        let keys: Vec<_> = line.as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys, ["model", "created_at", "response", "done"]);
        assert!(line["response"].as_str().unwrap().starts_with(' ') && line["done"] == false);
        line["created_at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    }
    let last = &lines[5];
    assert_eq!((&last["done"], &last["done_reason"], &last["response"]), (&json!(true), &json!("length"), &json!("")));
    assert_eq!((&last["prompt_eval_count"], &last["eval_count"]), (&json!(4), &json!(5)));
    assert!(last["context"].is_null(), "raw has none");
    let time = |name: &str| last[name].as_u64().unwrap_or(0);
    assert!(time("load_duration") > 0);
    let sum = time("load_duration") + time("prompt_eval_duration") + time("eval_duration");
    assert!(time("total_duration") >= sum, "{last}");

    let mut once = body;
    once["stream"] = json!(false);
    let (_, whole) = stage.ask("/api/generate", once).await;
    let said: String = lines.iter().map(|line| line["response"].as_str().unwrap()).collect();
    assert_eq!((&whole["response"], &whole["done"]), (&json!(said), &json!(true)));
    let rows = stage.strike().await;
    assert_eq!(rows.len(), 3);
    for row in rows {
        assert_eq!(row["text_hash"], format!("{:016x}", text_hash(b"one two three")));
        assert_eq!((row["prompt_tokens"].as_str(), row["output_tokens"].as_str()), ("4", "5"));
        assert_eq!((row["status"].as_str(), row["fault"].as_str()), ("200", ""));
        assert!(row["headers"].split(' ').any(|name| name == "content-type"), "{}", row["headers"]);
        assert!(at(&row, "end_us") >= at(&row, "arrived_us"));
        assert_eq!(row["first_token_us"].is_empty(), row["last_token_us"].is_empty());
    }
}

#[tokio::test]
async fn a_chat_speaks_in_messages() {
    let stage = plain();
    let messages = json!([{"role": "system", "content": "be brief"}, {"role": "user", "content": "hello"}]);
    let body = json!({"model": "standin:latest", "messages": messages, "options": {"num_predict": 2}});
    let lines = stage.lines("/api/chat", body).await;
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0]["message"]["role"], "assistant");
    assert_eq!(lines[2]["message"]["content"], "");
    assert_eq!(lines[2]["prompt_eval_count"], 4);
}

#[tokio::test]
async fn limits_and_stops_are_heeded() {
    let stage = plain();
    let ask = |options: Value| json!({"model": "standin", "prompt": "x", "stream": false, "options": options});
    let (_, whole) = stage.ask("/api/generate", ask(json!({"num_predict": 6}))).await;
    let said = whole["response"].as_str().unwrap().to_owned();
    assert_eq!(whole["context"].as_array().unwrap().len(), 8);
    let third = said.split_whitespace().nth(2).unwrap();
    let (_, cut) = stage.ask("/api/generate", ask(json!({"num_predict": 6, "stop": [third]}))).await;
    assert_eq!((&cut["done_reason"], &cut["eval_count"]), (&json!("stop"), &json!(3)));
    assert_eq!(said.split_once(third).unwrap().0, cut["response"].as_str().unwrap());
    let (_, one) = stage.ask("/api/generate", ask(json!({"num_predict": 1}))).await;
    assert_eq!((&one["eval_count"], &one["eval_duration"]), (&json!(1), &json!(1000)));
    let (_, default) = stage.ask("/api/generate", ask(json!({}))).await;
    assert_eq!(default["eval_count"], 64);
}

#[tokio::test]
async fn errors_are_ollamas() {
    let stage = plain();
    let generate = |more: Value| {
        let mut body = json!({"model": "standin", "prompt": "x", "stream": false});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    for (more, status, message) in [
        (json!({"model": "nope"}), 404, "model 'nope' not found"),
        (json!({"model": ""}), 400, "model is required"),
        (json!({"think": true}), 400, "\"standin\" does not support thinking"),
        (json!({"options": {"num_ctx": "x"}}), 500, "option \"num_ctx\" must be of type integer"),
        (json!({"format": "xml"}), 500, "invalid format"),
        (json!({"raw": true, "system": "s"}), 400, "raw mode does not support"),
        (json!({"options": {"num_ctx": 1}, "truncate": false}), 400, "longer than the context length"),
    ] {
        let (found, error) = stage.ask("/api/generate", generate(more)).await;
        let text = error["error"].as_str().unwrap().to_owned();
        assert!(found == status && text.contains(message), "{found} {text}");
    }
    let (status, whole) = stage.ask("/api/generate", generate(json!({"think": false, "format": null}))).await;
    assert_eq!((status, &whole["done"]), (200, &json!(true)));
    let bad = stage.client.post(format!("{}/api/chat", stage.url)).body("{not json").send().await.unwrap();
    assert_eq!(bad.status(), 400);
    let empty = stage.client.post(format!("{}/api/chat", stage.url)).send().await.unwrap();
    assert_eq!(empty.json::<Value>().await.unwrap(), json!({"error": "missing request body"}));
    let wrong = stage.get("/api/generate").await;
    assert_eq!((wrong.status().as_u16(), wrong.text().await.unwrap().as_str()), (405, "405 method not allowed"));
    let lost = stage.get("/api/nothing").await;
    assert_eq!((lost.status().as_u16(), lost.text().await.unwrap().as_str()), (404, "404 page not found"));
}

#[tokio::test]
async fn a_model_of_one_kind_refuses_the_other() {
    let texts = raise(EngineSpec { kind: Kind::Completion, ..EngineSpec::default() });
    assert_eq!(texts.ask("/api/embed", json!({"model": "standin", "input": "x"})).await.0, 501);
    assert_eq!(texts.ask("/v1/embeddings", json!({"input": "x"})).await.0, 501);
    let vectors = raise(EngineSpec { kind: Kind::Embedding, ..EngineSpec::default() });
    let (status, error) = vectors.ask("/api/generate", json!({"model": "standin", "prompt": "x"})).await;
    assert_eq!((status, error), (400, json!({"error": "\"standin\" does not support generate"})));
    assert_eq!(vectors.ask("/v1/completions", json!({"prompt": "x"})).await.0, 500);
}

#[tokio::test]
async fn an_empty_prompt_loads_and_unloads() {
    let stage = raise(EngineSpec { load_ms: 30.0, ..EngineSpec::default() });
    let loaded = async || stage.get("/api/ps").await.json::<Value>().await.unwrap()["models"].as_array().unwrap().len();
    assert_eq!(loaded().await, 0);
    let (_, load) = stage.ask("/api/generate", json!({"model": "standin"})).await;
    assert_eq!((&load["done"], &load["done_reason"], &load["response"]), (&json!(true), &json!("load"), &json!("")));
    assert!(load["total_duration"].is_null() && load["eval_count"].is_null());
    assert_eq!(loaded().await, 1);
    let ask = json!({"model": "standin", "messages": [], "keep_alive": 0});
    let (_, gone) = stage.ask("/api/chat", ask).await;
    assert_eq!((&gone["done_reason"], &gone["message"]["content"]), (&json!("unload"), &json!("")));
    assert_eq!(loaded().await, 0);
    let body = json!({"model": "standin", "prompt": "x", "stream": false, "keep_alive": "0s"});
    let (_, cold) = stage.ask("/api/generate", body).await;
    assert!(cold["load_duration"].as_u64().unwrap() >= 30_000_000, "{cold}");
    assert_eq!(loaded().await, 0, "and it went again");
}

#[tokio::test]
async fn texts_become_unit_vectors() {
    let stage = plain();
    let (_, both) = stage.ask("/api/embed", json!({"model": "standin", "input": ["a boat", "a green boat"]})).await;
    let vectors: Vec<Vec<f64>> = serde_json::from_value(both["embeddings"].clone()).unwrap();
    assert_eq!((vectors.len(), vectors[0].len(), &both["prompt_eval_count"]), (2, 384, &json!(7)));
    for vector in &vectors {
        assert!((vector.iter().map(|x| x * x).sum::<f64>() - 1.0).abs() < 1e-4);
    }
    assert!(both["total_duration"].as_u64().unwrap() > 0 && both["load_duration"].as_u64().unwrap() > 0);
    let (_, one) = stage.ask("/api/embed", json!({"model": "standin", "input": "a boat", "dimensions": 16})).await;
    assert_eq!(one["embeddings"][0].as_array().unwrap().len(), 16);
    let (_, none) = stage.ask("/api/embed", json!({"model": "standin", "input": []})).await;
    assert_eq!(none, json!({"model": "standin", "embeddings": []}));
    let (_, old) = stage.ask("/api/embeddings", json!({"model": "standin", "prompt": "a boat"})).await;
    let old: Vec<f64> = serde_json::from_value(old["embedding"].clone()).unwrap();
    assert_eq!(old, vectors[0]);
}

#[tokio::test]
async fn a_ticket_gets_its_label_in_text_and_by_schema() {
    let mut labels = tempfile::NamedTempFile::new().unwrap();
    writeln!(labels, "id,text,label\n1,\"It broke, twice.\",bug\n2,Where is my parcel?,shipping").unwrap();
    let path = Some(labels.path().to_owned());
    let stage = raise(EngineSpec { labels: path, ..EngineSpec::default() });
    let prompt = "Answer with one of these labels: billing, bug, shipping.\n\nText: It broke, twice.\nLabel:";
    let body = json!({"model": "standin", "prompt": prompt, "stream": false, "options": {"num_predict": 8}});
    let (_, answer) = stage.ask("/api/generate", body.clone()).await;
    let told = (&answer["response"], &answer["done_reason"], &answer["eval_count"]);
    assert_eq!(told, (&json!("bug"), &json!("stop"), &json!(1)));
    let mut by_schema = body;
    by_schema["prompt"] = json!("Request 0a1b2c3d.\n\nWhat is it? Where is my parcel?");
    let property = json!({"type": "string", "enum": ["billing", "bug", "shipping"]});
    by_schema["format"] = json!({"type": "object", "properties": {"label": property}});
    let (_, answer) = stage.ask("/api/generate", by_schema).await;
    assert_eq!(answer["response"], r#"{"label": "shipping"}"#);
}

#[tokio::test]
async fn an_upload_gives_the_model_another_name() {
    let stage = plain();
    let digest = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    let blob = format!("{}/api/blobs/{digest}", stage.url);
    assert_eq!(stage.client.head(&blob).send().await.unwrap().status(), 404);
    assert_eq!(stage.client.post(&blob).body("other").send().await.unwrap().status(), 400);
    assert_eq!(stage.client.post(&blob).body("hello").send().await.unwrap().status(), 201);
    assert_eq!(stage.client.head(&blob).send().await.unwrap().status(), 200);
    let lines = stage.lines("/api/create", json!({"model": "mine", "files": {"m.gguf": digest}})).await;
    assert_eq!(lines.last().unwrap(), &json!({"status": "success"}));
    assert_eq!(stage.ask("/api/show", json!({"model": "mine"})).await.0, 200);
    let lines = stage.lines("/api/create", json!({"model": "other", "files": {"m.gguf": "sha256:00"}})).await;
    assert!(lines.last().unwrap()["error"].is_string());
}
