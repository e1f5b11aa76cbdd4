//! Quirks by name: the bytes that are served, on every wire that they fit.

use super::stage::{Stage, raise};
use loadcmp::standin::{EngineSpec, Quirk, Quirks};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const OPENAI: &str = "/v1/chat/completions";
const COMPLETIONS: &str = "/v1/completions";
const CHAT: &str = "/api/chat";
const OLLAMA: &str = "/api/generate";

fn odd(names: &[Quirk]) -> Stage {
    raise(EngineSpec { quirks: Quirks { names: names.to_vec(), ..Quirks::default() }, ..EngineSpec::default() })
}

fn body(path: &str, stream: bool) -> Value {
    let said = json!([{ "role": "user", "content": "x" }]);
    match path {
        OPENAI => {
            json!({ "messages": said, "stream": stream, "max_tokens": 6, "stream_options": { "include_usage": true } })
        }
        COMPLETIONS => json!({ "prompt": "x", "stream": stream, "max_tokens": 6 }),
        CHAT => json!({ "model": "standin", "messages": said, "stream": stream, "options": { "num_predict": 6 } }),
        _ => json!({ "model": "standin", "prompt": "x", "stream": stream, "options": { "num_predict": 6 } }),
    }
}

/// Status and bytes of an answer.
async fn bytes(stage: &Stage, path: &str, stream: bool) -> (u16, Vec<u8>) {
    let reply = stage.post(path, body(path, stream)).await;
    (reply.status().as_u16(), reply.bytes().await.unwrap().to_vec())
}

async fn text(quirk: Quirk, path: &str, stream: bool) -> String {
    let (status, bytes) = bytes(&odd(&[quirk]), path, stream).await;
    assert_eq!(status, 200, "{quirk:?} {path}: {}", String::from_utf8_lossy(&bytes));
    String::from_utf8(bytes).unwrap()
}

/// The events' data, as JSON.
fn events(text: &str) -> Vec<Value> {
    let data = text.lines().filter_map(|line| line.strip_prefix("data: ").or((!line.is_empty()).then_some(line)));
    data.map(|data| serde_json::from_str(data).unwrap_or_else(|_| Value::from(data))).collect()
}

/// The text of all pieces, joined.
fn joined(all: &[Value], pointer: &str) -> String {
    all.iter().filter_map(|event| event.pointer(pointer)?.as_str()).collect()
}

#[tokio::test]
async fn streams_that_are_no_answers() {
    for (quirk, want) in [
        (
            Quirk::ErrorThenDone,
            "data: {\"code\":500,\"message\":\"the stand-in imitates a failing engine\",\"object\":\"error\",\"type\":\
             \"server_error\"}\n\ndata: [DONE]\n\n",
        ),
        (Quirk::EventError, "event: error\ndata: {\"message\":\"the stand-in imitates a failing engine\"}\n\n"),
        (Quirk::ErrorField, "error: {\"code\":500,\"message\":\"the stand-in imitates a failing engine\"}\n\n"),
        (Quirk::DoneOnly, "data: [DONE]\n\n"),
    ] {
        // Whatever the order of an object's fields.
        let sorted = |text: &str| {
            let mut all: Vec<u8> = text.bytes().collect();
            all.sort_unstable();
            all
        };
        assert_eq!(sorted(&text(quirk, OPENAI, true).await), sorted(want), "{quirk:?}");
    }
    let ends = text(Quirk::NoDone, OPENAI, true).await;
    assert!(ends.contains("\"finish_reason\":\"length\"") && !ends.contains("[DONE]"), "{ends}");
    let broken = events(&text(Quirk::ErrorAfterTokens, OPENAI, true).await);
    assert!(broken.last().unwrap()["error"].is_object() && broken.len() == 5, "{broken:?}");
    let broken = events(&text(Quirk::ErrorAfterTokens, OLLAMA, true).await);
    assert!(broken.last().unwrap()["error"].is_string() && broken.len() == 4, "{broken:?}");
}

#[tokio::test]
async fn refusals_and_errors_in_all_their_forms() {
    for path in [OPENAI, COMPLETIONS, CHAT, OLLAMA] {
        for (quirk, status, words) in [
            (Quirk::ErrorString, 500, "{\"error\":\"the stand-in"),
            (Quirk::ErrorDetail, 500, "{\"detail\":\"the stand-in"),
            (Quirk::ErrorHtml, 500, "<h1>Internal Server Error</h1><p>the stand-in"),
            (Quirk::Reject503, 503, "no room"),
            (Quirk::Reject429, 429, "too many requests"),
        ] {
            let stage = odd(&[quirk]);
            let reply = stage.post(path, body(path, true)).await;
            let after = reply.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
            assert_eq!(after.as_deref(), (quirk == Quirk::Reject429).then_some("1"), "{quirk:?}");
            assert_eq!(reply.status().as_u16(), status);
            let text = reply.text().await.unwrap();
            assert!(text.contains(words), "{quirk:?}: {text}");
            assert!(stage.strike().await.iter().all(|row| row["fault"] == "quirk"));
        }
    }
}

#[tokio::test]
async fn fields_that_cannot_be_read() {
    let none = events(&text(Quirk::ChoicesNull, OPENAI, true).await);
    assert_eq!(none.iter().filter(|event| event.get("choices").is_some_and(Value::is_null)).count(), 1, "{none:?}");
    for path in [OPENAI, OLLAMA] {
        let null = events(&text(Quirk::NullChunk, path, true).await);
        assert_eq!(null.iter().filter(|event| event.is_null()).count(), 1, "{null:?}");
    }
    let parts = events(&text(Quirk::ContentParts, OPENAI, true).await);
    assert_eq!(joined(&parts, "/choices/0/delta/content/0/text").split_whitespace().count(), 6, "{parts:?}");
    let whole = events(&text(Quirk::ContentParts, OPENAI, false).await);
    assert_eq!(whole[0]["choices"][0]["message"]["content"][0]["type"], "text");

    let counts = events(&text(Quirk::BadCounts, OPENAI, true).await);
    let usage = counts.iter().find_map(|event| event.get("usage")).expect("a usage");
    assert_eq!((&usage["completion_tokens"], &usage["prompt_tokens"]), (&json!(-1), &json!(12.5)));
    assert_eq!(
        (&usage["total_tokens"], &usage["prompt_tokens_details"]["cached_tokens"]),
        (&json!("many"), &json!("many"))
    );
    for stream in [true, false] {
        let last = events(&text(Quirk::BadCounts, OLLAMA, stream).await).pop().unwrap();
        assert_eq!(
            (&last["eval_count"], &last["prompt_eval_count"], &last["done"]),
            (&json!(-1), &json!(12.5), &json!(true))
        );
        let last = events(&text(Quirk::BadDurations, OLLAMA, stream).await).pop().unwrap();
        assert_eq!((&last["total_duration"], &last["load_duration"]), (&json!(-5.5), &json!("soon")));
    }
    let times = events(&text(Quirk::BadDurations, OPENAI, false).await).remove(0);
    assert_eq!((&times["timings"]["predicted_ms"], &times["timings"]["prompt_ms"]), (&json!(-5.5), &json!("soon")));

    for (path, stream) in [(OPENAI, true), (OPENAI, false), (COMPLETIONS, true), (CHAT, true), (OLLAMA, false)] {
        let (_, raw) = bytes(&odd(&[Quirk::HalfCharacter]), path, stream).await;
        let has = |part: &[u8]| raw.windows(part.len()).any(|window| window == part);
        assert!(has(br"\ud83d") && has(b"\xf0\x9f\""), "{path} {}", String::from_utf8_lossy(&raw));
        assert!(std::str::from_utf8(&raw).is_err());
    }
}

#[tokio::test]
async fn framing_as_the_standards_allow_it() {
    let plain = events(&text(Quirk::NoLastBlank, OPENAI, true).await);
    assert_eq!(plain.last().unwrap(), "[DONE]");
    assert!(text(Quirk::NoLastBlank, OPENAI, true).await.ends_with("data: [DONE]\n"));
    let crlf = text(Quirk::Crlf, OPENAI, true).await;
    assert!(crlf.ends_with("data: [DONE]\r\n\r\n") && !crlf.replace("\r\n", "").contains(['\r', '\n']), "{crlf}");
    let cr = text(Quirk::Cr, OPENAI, true).await;
    assert!(cr.ends_with("data: [DONE]\r\r") && !cr.contains('\n'), "{cr}");
    let bom = text(Quirk::Bom, OPENAI, true).await;
    assert!(bom.starts_with("\u{feff}data: {") && bom.matches('\u{feff}').count() == 1, "{bom}");
    let empty = text(Quirk::EmptyData, OPENAI, true).await;
    assert!(
        empty.starts_with("data:\n\ndata: {") && empty.matches("data:\n\n").count() == events(&bom).len(),
        "{empty}"
    );
    let comments = text(Quirk::Comments, OPENAI, true).await;
    assert!(comments.starts_with(": the stand-in comments\nevent: message\nid: 1\nretry: 3000\ndata: {"), "{comments}");
    let line = text(Quirk::NoNewline, OLLAMA, true).await;
    assert!(line.ends_with('}') && line.lines().count() == 7, "{line}");
    let lines = text(Quirk::Crlf, CHAT, true).await;
    assert!(lines.ends_with("}\r\n") && lines.matches("\r\n").count() == 7, "{lines}");
    // Several at once.
    let (_, both) = bytes(&odd(&[Quirk::Bom, Quirk::Crlf, Quirk::Comments, Quirk::NoDone]), OPENAI, true).await;
    let both = String::from_utf8(both).unwrap();
    assert!(
        both.starts_with("\u{feff}: the stand-in comments\r\nevent: message\r\n") && !both.contains("[DONE]"),
        "{both}"
    );
}

#[tokio::test]
async fn json_where_a_stream_was_asked() {
    for (path, pointer) in [(OPENAI, "/choices/0/message/content"), (CHAT, "/message/content"), (OLLAMA, "/response")] {
        let stage = odd(&[Quirk::JsonForStream]);
        let reply = stage.post(path, body(path, true)).await;
        assert!(reply.headers()["content-type"].to_str().unwrap().starts_with("application/json"), "{path}");
        let whole: Value = reply.json().await.unwrap();
        assert!(whole.pointer(pointer).is_some_and(|text| text != ""), "{whole}");
    }
}

#[tokio::test]
async fn thoughts_in_every_form() {
    for (path, delta, whole) in [
        (OPENAI, "/choices/0/delta/content", "/choices/0/message/content"),
        (COMPLETIONS, "/choices/0/text", "/choices/0/text"),
        (CHAT, "/message/content", "/message/content"),
        (OLLAMA, "/response", "/response"),
    ] {
        for (quirk, open, shut) in [
            (Quirk::ThinkTags, "<think>\n the", "\n</think>\n\n"),
            (Quirk::ThinkTagsOpenedByTemplate, " the", "\n</think>\n\n"),
            (Quirk::ThinkUnclosed, "<think>\n the", ""),
            (
                Quirk::Harmony,
                "<|channel|>analysis<|message|> the",
                "<|end|><|start|>assistant<|channel|>final<|message|>",
            ),
        ] {
            for (stream, pointer) in [(true, delta), (false, whole)] {
                let said = joined(&events(&text(quirk, path, stream).await), pointer);
                assert!(said.starts_with(open), "{quirk:?} {path} {stream}: {said}");
                assert_eq!(said.matches("</think>").count(), usize::from(shut.contains("</think>")), "{said}");
                // Four thoughts, two words of answer.
                let (thought, answer) = said.split_once(shut).filter(|_| !shut.is_empty()).unwrap_or((&said, ""));
                let (thought, answer) = (thought.split_whitespace().count(), answer.split_whitespace().count());
                let opening = usize::from(!open.starts_with(" the"));
                let want = if shut.is_empty() { (6 + opening, 0) } else { (4 + opening, 2) };
                assert_eq!((thought, answer), want, "{quirk:?} {path} {stream}: {said}");
            }
        }
    }
    let own = events(&text(Quirk::ReasoningContent, OPENAI, true).await);
    assert_eq!(joined(&own, "/choices/0/delta/reasoning_content").split_whitespace().count(), 4);
    let own = events(&text(Quirk::ReasoningContent, CHAT, true).await);
    assert_eq!(joined(&own, "/message/thinking").split_whitespace().count(), 4);
}

#[tokio::test]
async fn tools_are_called() {
    let calls = events(&text(Quirk::ToolCalls, OPENAI, true).await);
    let arguments = joined(&calls, "/choices/0/delta/tool_calls/0/function/arguments");
    assert_eq!(arguments.split_whitespace().count(), 6, "{calls:?}");
    assert_eq!(joined(&calls, "/choices/0/delta/content"), "");
    assert_eq!(joined(&calls, "/choices/0/finish_reason"), "tool_calls");
    assert_eq!(joined(&calls, "/choices/0/delta/tool_calls/0/id"), "call_1");
    let whole = events(&text(Quirk::ToolCalls, OPENAI, false).await).remove(0);
    assert!(whole["choices"][0]["message"]["content"].is_null(), "{whole}");
    assert_eq!(whole["choices"][0]["message"]["tool_calls"][0]["function"]["name"], "answer");
    let calls = events(&text(Quirk::ToolCalls, CHAT, true).await);
    assert_eq!(joined(&calls, "/message/tool_calls/0/function/arguments/text").split_whitespace().count(), 6);
}

#[tokio::test]
async fn vectors_that_are_none() {
    let vector = async |quirk: Quirk, path: &str, body: Value, pointer: &str| {
        let stage = odd(&[quirk]);
        let mut all = Vec::new();
        for _ in 0..2 {
            let (status, value) = stage.ask(path, body.clone()).await;
            assert_eq!(status, 200, "{value}");
            all.push(value.pointer(pointer).unwrap().clone());
        }
        all
    };
    let openai = json!({ "input": "x" });
    let ollama = json!({ "model": "standin", "input": "x" });
    let old = json!({ "model": "standin", "prompt": "x" });
    for (path, body, pointer) in [
        ("/v1/embeddings", openai, "/data/0/embedding"),
        ("/api/embed", ollama, "/embeddings/0"),
        ("/api/embeddings", old, "/embedding"),
    ] {
        let lengths = |all: Vec<Value>| all.iter().map(|v| v.as_array().unwrap().len()).collect::<Vec<_>>();
        let of = async |quirk| vector(quirk, path, body.clone(), pointer).await;
        let nan = of(Quirk::VectorNan).await;
        assert!(nan[0][0].is_null() && nan[0][1].is_number(), "{path}");
        let zero = of(Quirk::VectorZero).await;
        assert!(zero[0].as_array().unwrap().iter().all(|x| x.as_f64() == Some(0.0)));
        assert_eq!(lengths(zero), [384, 384]);
        assert_eq!(lengths(of(Quirk::VectorEmpty).await), [0, 0]);
        assert_eq!(lengths(of(Quirk::VectorLengths).await), [384, 383]);
    }
}

#[tokio::test]
async fn what_is_late_is_late_and_what_never_ends_goes_on() {
    let spec = |quirk, ms| {
        let quirks = Quirks { names: vec![quirk], ms, ..Quirks::default() };
        EngineSpec { quirks, ..EngineSpec::default() }
    };
    for (path, after) in [(OPENAI, "usage"), (OLLAMA, "done_reason")] {
        let stage = raise(spec(Quirk::LateUsage, 150.0));
        let mut reply = stage.post(path, body(path, true)).await;
        let (mut text, mut token, mut late) = (String::new(), None, None);
        while let Some(chunk) = reply.chunk().await.unwrap() {
            text.push_str(&String::from_utf8_lossy(&chunk));
            let now = Instant::now();
            if text.contains(after) {
                late.get_or_insert(now)
            } else {
                token.insert(now)
            };
        }
        let (token, late) = (token.expect("tokens"), late.expect("an end"));
        // Read off the wire, so some milliseconds may be lost at either end, and never half of it.
        assert!(late.duration_since(token) > Duration::from_millis(75), "{:?}", late.duration_since(token));
    }
    for path in [OPENAI, OLLAMA] {
        let stage = raise(spec(Quirk::Endless, 0.0));
        let mut reply = stage.post(path, body(path, true)).await;
        let mut read = 0;
        while read < 100_000 {
            read += reply.chunk().await.unwrap().expect("more").len();
        }
    }
}

#[tokio::test]
async fn connections_that_are_not_what_they_were_said_to_be() {
    let head = |path: &str, stream| {
        let body = body(path, stream).to_string();
        format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    };
    for (path, stream) in [(OPENAI, true), (OPENAI, false), (OLLAMA, true), (OLLAMA, false)] {
        let stage = odd(&[Quirk::NoKeepAliveThoughPromised]);
        let mut raw = TcpStream::connect(stage.host()).await.unwrap();
        raw.write_all(head(path, stream).as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // It ends, though nobody asked for that.
        let limit = Duration::from_secs(10);
        tokio::time::timeout(limit, raw.read_to_end(&mut answer)).await.expect("an end").unwrap();
        let answer = String::from_utf8(answer).unwrap().to_lowercase();
        assert!(answer.contains("connection: keep-alive") && !answer.contains("connection: close"), "{answer}");
        assert!(
            answer.contains("[done]")
                || answer.contains("\"finish_reason\":\"length\"")
                || answer.contains("\"done\":true")
        );
    }
    let quirks = Quirks { names: vec![Quirk::CloseAfter], ms: 120.0, ..Quirks::default() };
    let stage = raise(EngineSpec { quirks, ..EngineSpec::default() });
    let mut raw = TcpStream::connect(stage.host()).await.unwrap();
    let begun = Instant::now();
    raw.write_all(head(OPENAI, true).as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = raw.read_to_end(&mut answer).await;
    assert!(answer.is_empty() && begun.elapsed() >= Duration::from_millis(120));
}

#[tokio::test]
async fn a_quirk_that_does_not_fit_says_so() {
    for (quirk, path, stream, words) in [
        (Quirk::DoneOnly, OLLAMA, true, "the quirk `done-only` doesn't apply to streams on the Ollama wire"),
        (Quirk::DoneOnly, OPENAI, false, "the quirk `done-only` doesn't apply to whole answers on the OpenAI wire"),
        (Quirk::VectorNan, OPENAI, false, "the quirk `vector-nan` doesn't apply to whole answers"),
        (Quirk::NoNewline, OPENAI, true, "the quirk `no-newline` doesn't apply to streams on the OpenAI wire"),
        (Quirk::ToolCalls, COMPLETIONS, true, "the quirk `tool-calls` doesn't apply to streams"),
    ] {
        let (status, bytes) = bytes(&odd(&[quirk]), path, stream).await;
        let text = String::from_utf8(bytes).unwrap();
        assert!(status == 501 && text.contains(words), "{quirk:?}: {status} {text}");
    }
}

#[tokio::test]
async fn a_share_of_the_requests_and_the_others_as_ever() {
    let quirks = Quirks { names: vec![Quirk::ErrorString], share: 0.3, ..Quirks::default() };
    let stage = raise(EngineSpec { quirks, ..EngineSpec::default() });
    let mut failed = 0;
    for _ in 0..20 {
        let (status, _) = bytes(&stage, OPENAI, true).await;
        failed += u32::from(status == 500);
    }
    assert_eq!(failed, 6);
    // Other paths are as they were.
    assert_eq!(stage.get("/v1/models").await.status(), 200);
}
