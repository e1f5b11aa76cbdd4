//! What an answer is, on every wire: lenient in what is read, strict in what counts. Scripted bytes over real sockets, read
//! by the library whole and byte by byte, and by the program as people run it.

use crate::cli::{Run, loadcmp, number, rows, write};
use crate::common::{plan, read_request, replay, spec};
use loadcmp::record::Outcome::{self, *};
use loadcmp::scenario::{PromptFormat, Task};
use serde_json::json;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// A body in chunks with a proper end, or one of a known length.
fn http(body: &[u8], chunked: bool) -> Vec<u8> {
    let mut all = b"HTTP/1.1 200 OK\r\n".to_vec();
    if chunked {
        all.extend_from_slice(format!("Transfer-Encoding: chunked\r\n\r\n{:x}\r\n", body.len()).as_bytes());
        all.extend_from_slice(body);
        all.extend_from_slice(b"\r\n0\r\n\r\n");
    } else {
        all.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
        all.extend_from_slice(body);
    }
    all
}

/// What is expected: the outcome, the text or a part of the error, output tokens, remarks, pieces and those of reasoning.
type Told = (Outcome, &'static str, Option<u64>, &'static str, (u32, u32));

const OPENAI: &str = r#"data: {"choices":[{"delta":{"content":"pos"}}]}"#;
const FINISH: &str = r#"data: {"choices":[{"delta":{},"finish_reason":"stop"}]}"#;
const NDJSON: &str = r#"{"response":"pos","done":false}"#;

/// A stream of chat chunks: each a `delta` of JSON's; a finish reason and `[DONE]` at the end.
fn deltas(deltas: &[&str]) -> String {
    let mut all: String = deltas.iter().map(|d| format!("data: {{\"choices\":[{{\"delta\":{d}}}]}}\n\n")).collect();
    all.push_str(&format!("{FINISH}\n\ndata: [DONE]\n\n"));
    all
}

fn contents(pieces: &[&str]) -> String {
    let all: Vec<String> = pieces.iter().map(|piece| json!({"content": piece}).to_string()).collect();
    deltas(&all.iter().map(String::as_str).collect::<Vec<_>>())
}

#[allow(clippy::too_many_lines)] // A table.
fn openai_cases() -> Vec<(Vec<u8>, Told)> {
    let good = format!("{OPENAI}\n\n{FINISH}\n\n");
    let usage = |usage: &str| format!("{good}data: {{\"choices\":[],\"usage\":{usage}}}\n\ndata: [DONE]\n\n");
    let failed = |error| (ErrorFrame, error, None, "", (0, 0));
    let midway = |error| (ErrorFrame, error, None, "", (1, 0));
    let fine = (Ok, "pos", None, "", (1, 0));
    let text: Vec<(String, Told)> = vec![
        // Complete, or not.
        (format!("{good}data: [DONE]\n\n"), fine),
        (good.clone(), (Ok, "pos", None, "no_end_mark", (1, 0))),
        ("data: [DONE]\n\n".into(), (Truncated, "without a finish_reason", None, "", (0, 0))),
        (format!("{OPENAI}\n\ndata: [DONE]\n\n"), (Truncated, "without a finish_reason", None, "", (1, 0))),
        (format!("{OPENAI}\n\n"), (Truncated, "without its end marker", None, "", (1, 0))),
        (good.replace("stop", "abort"), midway("abort")),
        // Errors in every form.
        (
            "data: {\"object\":\"error\",\"message\":\"no slot\",\"code\":500}\n\ndata: [DONE]\n\n".into(),
            failed("no slot"),
        ),
        ("event: error\ndata: {\"message\":\"no slot\"}\n\ndata: [DONE]\n\n".into(), failed("no slot")),
        (format!("{good}event: error\ndata: no slot\n\ndata: [DONE]\n\n"), midway("no slot")),
        ("error: {\"code\":500,\"message\":\"no slot\"}\n\n".into(), failed("no slot")),
        (format!("{OPENAI}\n\ndata: {{\"error\":\"no slot\"}}\n\n"), midway("no slot")),
        ("data: {\"error\":{\"message\":\"no slot\",\"type\":\"server_error\"}}\n\n".into(), failed("no slot")),
        ("data: {\"detail\":\"no slot\"}\n\ndata: [DONE]\n\n".into(), failed("no slot")),
        ("data: {\"message\":\"no slot\",\"code\":13}\n\n".into(), failed("no slot")),
        ("data: oh no\n\ndata: [DONE]\n\n".into(), failed("oh no")),
        ("{\"object\":\"error\",\"message\":\"no slot\"}".into(), failed("no slot")),
        ("{\"error\":\"no slot\"}".into(), failed("no slot")),
        ("{\"detail\":[{\"msg\":\"field required\"}]}".into(), failed("field required")),
        ("Internal Server Error".into(), failed("Internal Server Error")),
        ("error in the server".into(), failed("error in the server")),
        ("<html><title>502 Bad Gateway</title><h1>502 Bad Gateway</h1><hr>nginx</html>".into(), failed("502 Bad Gateway: nginx")),
        ("".into(), (Truncated, "an empty body", None, "", (0, 0))),
        // Optional fields that can't be read.
        (format!("data: {{\"choices\":null}}\n\ndata: null\n\ndata: {{\"id\":1}}\n\n{good}data: [DONE]\n\n"), fine),
        (deltas(&[r#"{"role":"assistant","content":null}"#, r#"{"content":[{"type":"text","text":"po"},{"type":"text","text":"s"}]}"#]), fine),
        (good.replace("\"stop\"", "{\"type\":\"stop\"}") + "data: [DONE]\n\n", fine),
        (usage(r#"{"prompt_tokens":3,"completion_tokens":7}"#), (Ok, "pos", Some(7), "", (1, 0))),
        (usage(r#"{"prompt_tokens":3.0,"completion_tokens":"7"}"#), (Ok, "pos", Some(7), "", (1, 0))),
        (usage(r#"{"prompt_tokens":3,"completion_tokens":-1}"#), (Ok, "pos", None, "bad_count", (1, 0))),
        (usage(r#"{"prompt_tokens":3,"completion_tokens":7.5}"#), (Ok, "pos", None, "bad_count", (1, 0))),
        (usage(r#"{"prompt_tokens":3,"completion_tokens":NaN}"#), (Ok, "pos", None, "bad_count", (1, 0))),
        (usage(r#"{"prompt_tokens":3,"completion_tokens":{}}"#), (Ok, "pos", None, "bad_count", (1, 0))),
        (usage("null"), fine),
        (usage(r#"{"prompt_tokens":3},"timings":{"prompt_ms":-1,"predicted_n":7}"#), (Ok, "pos", Some(7), "bad_count", (1, 0))),
        (deltas(&[r#"{"content":"pos\ud83d"}"#]), (Ok, "pos\u{fffd}", None, "bad_text", (1, 0))),
        // Server-sent events by the standard.
        (format!("\u{feff}: hi\nretry: 5\nid: 7\ndata:\n\n{}data: [DONE]\n\n", good.replace('\n', "\r\n")), fine),
        (format!("{good}data: [DONE]\n\n").replace('\n', "\r"), fine),
        (format!("{good}data: [DONE]"), fine),
        (format!("{}data: [DONE]\n\n", good.replace(",\"finish", ",\ndata: \"finish")), fine),
        (format!("{good}data: {{\"cho"), (Ok, "pos", None, "no_end_mark", (1, 0))),
        // A whole answer where a stream was asked.
        (
            r#"{"object":"chat.completion","choices":[{"message":{"content":"pos"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":7}}"#.into(),
            (Ok, "pos", Some(7), "no_stream", (1, 0)),
        ),
        ("{\n \"choices\": [\n{\"message\":{\"content\":\"pos\"}}]\n}".into(), (Truncated, "finish_reason", None, "", (1, 0))),
        // Tools and reasoning.
        (deltas(&[r#"{"tool_calls":[{"index":0,"function":{"name":"label","arguments":""}}]}"#, r#"{"tool_calls":[{"index":0,"function":{"arguments":"{\"label\":"}}]}"#, r#"{"tool_calls":[{"index":0,"function":{"arguments":"\"pos\"}"}}]}"#]), (Ok, "{\"label\":\"pos\"}", None, "", (3, 0))),
        (deltas(&[r#"{"reasoning_content":"neg?"}"#, r#"{"reasoning":"neg?"}"#, r#"{"content":"pos"}"#]), (Ok, "pos", None, "", (3, 2))),
        (contents(&["<think>", "neg?", "</think>", "\n\n", "pos"]), (Ok, "pos", None, "", (5, 3))),
        (contents(&["<th", "ink>neg?</th", "ink>pos"]), (Ok, "pos", None, "", (3, 2))),
        (contents(&["neg", "?", "</think>", "pos"]), (Ok, "pos", None, "", (4, 3))),
        (contents(&["<think>neg", "?"]), (Ok, "", None, "open_thought", (2, 2))),
        (contents(&["<|channel|>", "analysis", "<|message|>", "neg?", "<|end|>", "<|start|>assistant<|channel|>final", "<|message|>", "pos", "<|return|>"]), (Ok, "pos", None, "", (9, 8))),
        (contents(&["pos ", "<", "thin"]), (Ok, "pos <thin", None, "", (3, 0))),
    ];
    let mut all: Vec<(Vec<u8>, Told)> = text.into_iter().map(|(body, told)| (body.into_bytes(), told)).collect();
    let cut: Vec<u8> = good.replace("pos", "po\u{1f600}s").into_bytes();
    let at = cut.windows(4).position(|w| w == "\u{1f600}".as_bytes()).expect("a character");
    let cut = [&cut[..at + 2], &cut[at + 4..], b"data: [DONE]\n\n"].concat();
    all.push((cut, (Ok, "po\u{fffd}s", None, "bad_text", (1, 0))));
    all
}

fn ollama_cases() -> Vec<(Vec<u8>, Told)> {
    let last = |more: &str| format!("{NDJSON}\n{{\"response\":\"\",\"done\":true{more}}}\n");
    let text: Vec<(String, Told)> = vec![
        (last(",\"eval_count\":7"), (Ok, "pos", Some(7), "", (1, 0))),
        (last(",\"eval_count\":7").trim_end().into(), (Ok, "pos", Some(7), "", (1, 0))),
        (last(""), (Ok, "pos", Some(0), "", (1, 0))),
        (last(",\"eval_count\":null"), (Ok, "pos", None, "", (1, 0))),
        (last(",\"eval_count\":-7,\"total_duration\":1.5"), (Ok, "pos", None, "bad_count", (1, 0))),
        (last(",\"eval_count\":7,\"eval_duration\":-1"), (Ok, "pos", Some(7), "bad_count", (1, 0))),
        (last(",\"eval_count\":7,\"done_reason\":null"), (Ok, "pos", Some(7), "", (1, 0))),
        (last(",\"eval_count\":7,\"done_reason\":{\"type\":\"stop\"}"), (Ok, "pos", Some(7), "", (1, 0))),
        (format!("null\n{{\"response\":null,\"message\":null,\"done\":false}}\n{}", last("")), (Ok, "pos", Some(0), "", (1, 0))),
        (format!("{NDJSON}\n"), (Truncated, "without its end marker", None, "", (1, 0))),
        (format!("{NDJSON}\n{{\"error\":\"no slot\"}}\n"), (ErrorFrame, "no slot", None, "", (1, 0))),
        (last(",\"error\":{\"message\":\"no slot\"}"), (ErrorFrame, "no slot", None, "", (1, 0))),
        ("{\"object\":\"error\",\"message\":\"no slot\",\"code\":500}\n".into(), (ErrorFrame, "no slot", None, "", (0, 0))),
        ("{\"detail\":\"no slot\"}\n".into(), (ErrorFrame, "no slot", None, "", (0, 0))),
        ("<h1>no slot</h1>".into(), (ErrorFrame, "no slot", None, "", (0, 0))),
        ("{\"response\":\"pos\",\"done\":true,\"eval_count\":7}".into(), (Ok, "pos", Some(7), "no_stream", (1, 0))),
        ("{\n  \"response\": \"pos\",\n  \"done\": true,\n  \"eval_count\": 7\n}\n".into(), (Ok, "pos", Some(7), "no_stream", (1, 0))),
        (
            "{\"message\":{\"content\":\"\",\"thinking\":\"neg?\"},\"done\":false}\n{\"message\":{\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":{\"a\":1}}}]},\"done\":false}\n{\"done\":true,\"eval_count\":2}\n".into(),
            (Ok, "{\"a\":1}", Some(2), "", (2, 1)),
        ),
        (
            "{\"response\":\"<think>neg?\",\"done\":false}\n{\"response\":\"</think>pos\",\"done\":false}\n{\"done\":true,\"eval_count\":2}\n".into(),
            (Ok, "pos", Some(2), "", (2, 1)),
        ),
    ];
    text.into_iter().map(|(body, told)| (body.into_bytes(), told)).collect()
}

/// The JSON wire: what the scenario says of its answers, the body, and what comes of it.
fn json_cases() -> Vec<(&'static str, &'static str, &'static str, Told)> {
    let plain = (Ok, "pos", None, "", (1, 0));
    let t = r#"{"text":"/t"}"#;
    let td = r#"{"text":"/t","done":"/end","output_tokens":"/n"}"#;
    let tf = r#"{"text":"/t","finish":"/why"}"#;
    vec![
        ("none", t, "{\"t\":\"pos\"}", plain),
        ("none", t, "{\"t\":[{\"text\":\"po\"},\"s\"]}", plain),
        ("none", t, "{\"t\":null}", (Ok, "", None, "", (0, 0))),
        ("none", t, "{\"object\":\"error\",\"message\":\"no slot\"}", (ErrorFrame, "no slot", None, "", (0, 0))),
        ("none", t, "{\"x\":1}", (ErrorFrame, "no text at `/t`", None, "", (0, 0))),
        ("ndjson", t, "{\"t\":\"pos\"}\n", plain),
        ("ndjson", td, "{\"t\":\"pos\"}\n", (Truncated, "without its end marker", None, "", (1, 0))),
        ("ndjson", td, "{\"t\":\"pos\"}\n{\"end\":true,\"n\":\"7\"}", (Ok, "pos", Some(7), "", (1, 0))),
        ("ndjson", td, "{\"t\":\"pos\"}\n{\"end\":true,\"n\":-7}", (Ok, "pos", None, "bad_count", (1, 0))),
        ("ndjson", tf, "{\"t\":\"pos\",\"why\":\"stop\"}\n", plain),
        ("ndjson", tf, "{\"t\":\"pos\",\"why\":null}\n", (Truncated, "without its end marker", None, "", (1, 0))),
        ("sse", t, "data: {\"t\":\"pos\"}\n\ndata: [DONE]\n\n", plain),
        ("sse", t, "data: {\"t\":\"pos\"}\n\n", (Ok, "pos", None, "no_end_mark", (1, 0))),
        ("sse", t, "data: [DONE]\n\n", (Truncated, "[DONE]", None, "", (0, 0))),
        ("sse", t, "event: error\ndata: {\"t\":\"x\"}\n\ndata: [DONE]\n\n", (ErrorFrame, "x", None, "", (0, 0))),
        (
            "sse",
            t,
            "data: {\"object\":\"error\",\"message\":\"no slot\"}\n\ndata: [DONE]\n\n",
            (ErrorFrame, "no slot", None, "", (0, 0)),
        ),
        ("sse", t, "{\"t\":\"pos\"}", (Ok, "pos", None, "no_stream", (1, 0))),
    ]
}

async fn check(name: &str, wire: serde_json::Value, stream: bool, bytes: Vec<u8>, told: Told) {
    let (outcome, says, tokens, remarks, pieces) = told;
    for piece in [1 << 20, 1] {
        let plan = plan(Task::Generate, spec(wire.clone()), replay(bytes.clone(), piece), stream, PromptFormat::Chat);
        let got = crate::common::ask(&plan, "?", Duration::from_secs(20)).await;
        let name = format!("{name} in pieces of {piece}: {}\n{got:?}", String::from_utf8_lossy(&bytes));
        assert_eq!(got.outcome, outcome, "{name}");
        let answer = &got.answer;
        if outcome == Ok {
            assert_eq!(answer.text, says, "{name}");
            assert_eq!(answer.error, None, "{name}");
        } else {
            assert!(answer.error.as_deref().is_some_and(|error| error.contains(says)), "{name}");
        }
        assert_eq!(answer.output_tokens, tokens, "{name}");
        let words: Vec<&str> = answer.remarks.all().map(|remark| remark.as_str()).collect();
        assert_eq!(words.join(" "), remarks, "{name}");
        assert_eq!((answer.chunks, answer.thoughts), pieces, "{name}");
        if outcome == Ok {
            // What comes whole has no first token.
            let streamed = stream && remarks != "no_stream";
            assert_eq!(answer.first_token.is_some(), streamed && answer.chunks > 0, "{name}");
            assert_eq!(answer.first_answer.is_some(), streamed && answer.chunks > answer.thoughts, "{name}");
        }
        assert!(answer.first_token <= answer.first_answer || answer.first_answer.is_none(), "{name}");
    }
}

#[tokio::test]
async fn openai_answers_are_read_for_what_they_are() {
    for (body, told) in openai_cases() {
        check("openai", json!({"openai": {}}), true, http(&body, true), told).await;
    }
}

/// Events of the two newer APIs, told apart by their `type`.
fn typed(events: &[&str]) -> Vec<u8> {
    let named = |data: &&str| {
        let kind = data.split('"').nth(3).unwrap_or_default();
        format!("event: {kind}\ndata: {data}\n\n")
    };
    http(events.iter().map(named).collect::<String>().as_bytes(), true)
}

#[tokio::test]
async fn anthropics_messages_are_read_for_what_they_are() {
    let start = r#"{"type":"message_start","message":{"usage":{"input_tokens":3,"cache_read_input_tokens":2,"output_tokens":0}}}"#;
    let text = r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"pos"}}"#;
    let thought = r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"neg?"}}"#;
    let tool = r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","name":"f","input":{}}}"#;
    let call = r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{}"}}"#;
    let delta = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":7}}"#;
    let stop = r#"{"type":"message_stop"}"#;
    let error = r#"{"type":"error","error":{"type":"overloaded_error","message":"no slot"}}"#;
    let ping = r#"{"type":"ping"}"#;
    for (events, told) in [
        (&[start, ping, text, delta, stop][..], (Ok, "pos", Some(7), "", (1, 0))),
        (&[start, thought, text, delta, stop], (Ok, "pos", Some(7), "", (2, 1))),
        (&[start, tool, call, delta, stop], (Ok, "{}", Some(7), "", (2, 0))),
        (&[start, text, delta], (Ok, "pos", Some(7), "no_end_mark", (1, 0))),
        (&[start, text, stop], (Truncated, "without a stop_reason", None, "", (1, 0))),
        (&[start, text], (Truncated, "without its end marker", None, "", (1, 0))),
        (&[start, text, error], (ErrorFrame, "no slot", None, "", (1, 0))),
        (&[error], (ErrorFrame, "no slot", None, "", (0, 0))),
    ] {
        check("messages", json!({"openai": {"api": "messages"}}), true, typed(events), told).await;
    }
}

#[tokio::test]
async fn responses_are_read_for_what_they_are() {
    let text = r#"{"type":"response.output_text.delta","delta":"pos"}"#;
    let thought = r#"{"type":"response.reasoning_text.delta","delta":"neg?"}"#;
    let usage = r#""usage":{"input_tokens":3,"output_tokens":7}"#;
    let done = format!(r#"{{"type":"response.completed","response":{{"status":"completed",{usage}}}}}"#);
    let cut = format!(
        r#"{{"type":"response.incomplete","response":{{"status":"incomplete","incomplete_details":{{"reason":"max_output_tokens"}},{usage}}}}}"#
    );
    let failed =
        r#"{"type":"response.failed","response":{"status":"failed","error":{"code":"x","message":"no slot"}}}"#;
    let error = r#"{"type":"error","code":"x","message":"no slot"}"#;
    let all = format!(
        r#"{{"type":"response.completed","response":{{"status":"completed","output":[{{"type":"message","content":[{{"type":"output_text","text":"pos"}}]}}],{usage}}}}}"#
    );
    for (events, told) in [
        (&[text, done.as_str()][..], (Ok, "pos", Some(7), "", (1, 0))),
        (&[text, cut.as_str()], (Ok, "pos", Some(7), "", (1, 0))),
        (&[thought, text, done.as_str()], (Ok, "pos", Some(7), "", (2, 1))),
        (&[all.as_str()], (Ok, "pos", Some(7), "no_stream", (1, 0))),
        (&[text], (Truncated, "without its end marker", None, "", (1, 0))),
        (&[text, failed], (ErrorFrame, "no slot", None, "", (1, 0))),
        (&[text, error], (ErrorFrame, "no slot", None, "", (1, 0))),
    ] {
        check("responses", json!({"openai": {"api": "responses"}}), true, typed(events), told).await;
    }
}

#[tokio::test]
async fn whole_answers_are_read_by_the_same_rule() {
    let openai = |message: &str| format!("{{\"choices\":[{{\"message\":{message},\"finish_reason\":\"stop\"}}]}}");
    let failed = |error| (ErrorFrame, error, None, "", (0, 0));
    for (wire, body, told) in [
        ("openai", openai(r#"{"content":"pos"}"#), (Ok, "pos", None, "", (1, 0))),
        ("openai", openai(r#"{"content":"<think>neg?</think>\n\npos"}"#), (Ok, "pos", None, "", (2, 1))),
        ("openai", openai(r#"{"content":"neg?</think>pos"}"#), (Ok, "pos", None, "", (2, 1))),
        ("openai", openai(r#"{"content":"<think>pos"}"#), (Ok, "", None, "open_thought", (1, 1))),
        ("openai", openai(r#"{"content":"pos","reasoning_content":"neg?"}"#), (Ok, "pos", None, "", (2, 1))),
        (
            "openai",
            openai(r#"{"content":null,"tool_calls":[{"function":{"name":"f","arguments":"{}"}}]}"#),
            (Ok, "{}", None, "", (1, 0)),
        ),
        ("openai", "{\"choices\":null}".into(), (Truncated, "finish_reason", None, "", (0, 0))),
        ("openai", "{\"object\":\"error\",\"message\":\"no slot\"}".into(), failed("no slot")),
        ("openai", "<title>no slot</title>".into(), failed("no slot")),
        ("openai", "".into(), (Truncated, "an empty body", None, "", (0, 0))),
        ("ollama", "{\"response\":\"pos\",\"done\":true,\"eval_count\":1.0}".into(), (Ok, "pos", Some(1), "", (1, 0))),
        ("ollama", "{\"response\":\"\",\"done\":false}".into(), failed("`done` false")),
        ("ollama", "{\"detail\":\"no slot\"}".into(), failed("no slot")),
    ] {
        check(&format!("{wire}, whole"), json!({wire: {}}), false, http(body.as_bytes(), true), told).await;
    }
}

#[tokio::test]
#[cfg(unix)]
async fn gg_core_frames_are_read_by_the_same_rule() {
    use std::io::Read;
    let (token, clamp) = (r#""type":"inference_response","request_id":1"#, r#""tokens_generated":7"#);
    let whole = |rest: &str| format!("{{{token},{rest}}}").into_bytes();
    let cut = [b"{".as_slice(), token.as_bytes(), b",\"output\":\"po\xf0\x9f\",", clamp.as_bytes(), b"}"].concat();
    for (frame, told) in [
        // Its count leaves the end token out: an answer that ended before its limit has one more.
        (whole(&format!("\"output\":\"pos\",{clamp}")), (Ok, "pos", Some(8), "")),
        (whole("\"output\":\"pos\",\"tokens_generated\":7.0"), (Ok, "pos", Some(8), "")),
        (whole("\"output\":\"pos\",\"tokens_generated\":-7"), (Ok, "pos", None, "bad_count")),
        (whole("\"output\":\"<think>neg?</think>pos\""), (Ok, "pos", None, "")),
        (whole("\"output\":null"), (Ok, "", None, "")),
        (whole("\"output\":\"pos\\ud83d\""), (Ok, "pos\u{fffd}", None, "bad_text")),
        (cut, (Ok, "po\u{fffd}", Some(8), "bad_text")),
        (whole("\"error\":{\"message\":\"no slot\"}"), (ErrorFrame, "no slot", None, "")),
        (b"nonsense".to_vec(), (ErrorFrame, "nonsense", None, "")),
    ] {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("gg.sock");
        let listener = std::os::unix::net::UnixListener::bind(&path).expect("a socket");
        let (answer, shown) = (frame.clone(), String::from_utf8_lossy(&frame).into_owned());
        std::thread::spawn(move || {
            let (mut socket, _) = listener.accept()?;
            for frame in [br#"{"type":"handshake_ack"}"#.to_vec(), answer] {
                let mut length = [0; 4];
                socket.read_exact(&mut length)?;
                socket.read_exact(&mut vec![0; u32::from_le_bytes(length) as usize])?;
                socket.write_all(&[&(frame.len() as u32).to_le_bytes(), frame.as_slice()].concat())?;
            }
            std::io::Result::Ok(())
        });
        let target = spec(json!({"gg_core": {"socket": path}}));
        let endpoint = loadcmp::scenario::plan::Endpoint::Unix { path };
        let plan = plan(Task::Generate, target, endpoint, false, PromptFormat::Raw);
        let got = crate::common::ask(&plan, "?", Duration::from_secs(20)).await;
        let remarks: Vec<&str> = got.answer.remarks.all().map(|remark| remark.as_str()).collect();
        let says =
            if got.outcome == Ok { got.answer.text.clone() } else { got.answer.error.clone().unwrap_or_default() };
        assert_eq!(
            (got.outcome, got.answer.output_tokens, remarks.join(" ").as_str()),
            (told.0, told.2, told.3),
            "{shown}\n{got:?}"
        );
        assert!(if got.outcome == Ok { says == told.1 } else { says.contains(told.1) }, "{shown}: {says}");
    }
}

#[tokio::test]
async fn ollama_answers_are_read_for_what_they_are() {
    for (body, told) in ollama_cases() {
        check("ollama", json!({"ollama": {}}), true, http(&body, true), told).await;
    }
}

#[tokio::test]
async fn json_answers_are_read_for_what_they_are() {
    for (stream, answer, body, told) in json_cases() {
        let answer: serde_json::Value = serde_json::from_str(answer).expect("JSON");
        let wire = json!({"json": {"url": "http://x", "path": "/x", "stream": stream, "body": {}, "answer": answer}});
        let bytes = String::from_utf8(http(body.as_bytes(), false)).expect("text").replace("200 OK", "201 Created");
        check(&format!("{stream} {answer}"), wire, stream != "none", bytes.into_bytes(), told).await;
    }
}

const MODELS: &str = r#"{"data":[{"id":"m"}]}"#;
const VECTOR: &str = r#"{"data":[{"embedding":[0.5,1.0]}]}"#;
const WHOLE: &str = r#"{"choices":[{"message":{"content":"pos"},"finish_reason":"stop"}]}"#;

/// An OpenAI-compatible engine that plays a script to every request but the first.
struct Engine {
    address: String,
}

impl Engine {
    /// `play` gets the socket and the body of the request.
    fn start(play: impl Fn(&mut TcpStream, &[u8]) -> std::io::Result<()> + Send + Sync + 'static) -> Self {
        Self::playing(play, true)
    }

    fn playing(
        play: impl Fn(&mut TcpStream, &[u8]) -> std::io::Result<()> + Send + Sync + 'static,
        answers_first: bool,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let play = std::sync::Arc::new(play);
        // The first request, which a run makes before its clock opens, is answered well.
        let first = std::sync::Arc::new(AtomicBool::new(answers_first));
        std::thread::spawn(move || {
            for mut socket in listener.incoming().flatten() {
                let (play, first_request) = (play.clone(), first.clone());
                std::thread::spawn(move || {
                    let _ = socket.set_nodelay(true);
                    loop {
                        let mut first = [0; 64];
                        let Some(read @ 1..) = socket.peek(&mut first).ok() else { return };
                        let asked = String::from_utf8_lossy(&first[..read]).into_owned();
                        let body = read_request(&mut socket);
                        let path = asked.split(' ').nth(1).unwrap_or_default();
                        let streams = String::from_utf8_lossy(&body).contains("\"stream\":true");
                        let told = match (path, asked.starts_with("POST") && first_request.swap(false, Relaxed)) {
                            ("/v1/embeddings" | "/x", true) => socket.write_all(&http(VECTOR.as_bytes(), true)),
                            (_, true) if streams => socket.write_all(&http(contents(&["pos"]).as_bytes(), true)),
                            (_, true) => socket.write_all(&http(WHOLE.as_bytes(), true)),
                            ("/v1/models", _) => socket.write_all(&http(MODELS.as_bytes(), true)),
                            _ if asked.starts_with("POST") => play(&mut socket, &body),
                            _ => socket.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
                        };
                        if told.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { address }
    }

    /// One that sends the same bytes each time.
    fn of(body: impl Into<Vec<u8>>) -> Self {
        let bytes = http(&body.into(), true);
        Self::start(move |socket, _| socket.write_all(&bytes))
    }

    fn openai(&self, name: &str) -> String {
        format!("  {name}: {{ openai: {{ url: \"http://{}\", model: m }} }}\n", self.address)
    }
}

fn run(task: &str, targets: &[String], workload: &str, load: &str, more: &str) -> Run {
    let targets = targets.concat();
    let label = if task == "classify" { ", label: pos" } else { "" };
    let yaml = format!(
        "name: t\ntask: {task}\nseed: 3\ntargets:\n{targets}workload: {{ prompts: {{ inline: [ {{ text: a{label} }} ] }}{workload} }}\n\
         load: {{ closed: {load} }}\ndrain: 2s\n{more}"
    );
    Run::of_text(&yaml, |_| {})
}

const FEW: &str = "{ users: 1, requests: 5 }";
const LABELS: &str = ", stream: true, labels: [pos, neg], sampling: { max_tokens: 8 }";

#[test]
fn an_engine_that_answers_errors_only_fails_every_request_in_its_own_words() {
    let bad =
        Engine::of("data: {\"object\":\"error\",\"message\":\"no slot is free\",\"code\":500}\n\ndata: [DONE]\n\n");
    let good = Engine::of(contents(&["pos"]));
    let run = run("generate", &[bad.openai("bad"), good.openai("good")], ", stream: true", FEW, "");
    let (bad, good) = (run.measured("bad"), run.measured("good"));
    assert!(
        bad.iter().all(|row| row["outcome"] == "error_frame" && row["error"].contains("no slot is free")),
        "{bad:?}"
    );
    assert!(good.iter().all(|row| row["outcome"] == "ok" && row["remarks"].is_empty()), "{good:?}");
    assert!(!run.out.contains("bad: better") && run.code != 0, "{}\n{}", run.out, run.err);
}

#[test]
fn time_per_token_ends_at_the_last_token_and_the_first_answer_is_a_stamp_of_its_own() {
    const GAP: Duration = Duration::from_millis(20);
    let chunk = |body: &str| format!("{:x}\r\n{body}\r\n", body.len());
    let engine = Engine::start(move |socket, _| {
        socket.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        let content = |text: &str| format!("data: {}\n\n", json!({"choices": [{"delta": {"content": text}}]}));
        for text in ["<think>", "hm", "</think>\n", "po", "s"] {
            std::thread::sleep(GAP);
            socket.write_all(chunk(&content(text)).as_bytes())?;
        }
        socket.write_all(chunk(&format!("{FINISH}\n\n")).as_bytes())?;
        std::thread::sleep(5 * GAP);
        let usage =
            "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":5}}\n\ndata: [DONE]\n\n";
        socket.write_all(format!("{}0\r\n\r\n", chunk(usage)).as_bytes())
    });
    let run = run("classify", &[engine.openai("e")], LABELS, FEW, "");
    // A busy machine delays a stamp here and there: what the engine's pauses are shows in the best of the rows, and what a
    // figure is made of in all.
    let (mut tpot, mut widest) = (Vec::new(), [0.0_f64; 3]);
    for row in run.measured("e") {
        let at = |column| number(&row, column).unwrap_or_else(|| panic!("{column}: {row:?}"));
        assert_eq!((row["outcome"].as_str(), row["label"].as_str()), ("ok", "pos"), "{row:?}");
        let (first, answer, last, end) =
            (at("first_token_us"), at("first_answer_us"), at("last_token_us"), at("end_us"));
        assert!(first < answer && answer <= last && last <= end, "{row:?}");
        assert_eq!((row["output_tokens"].as_str(), row["thoughts"].as_str()), ("5", "3"));
        tpot.push((last - first) / 4.0 / 1000.0);
        widest = [widest[0].max(answer - first), widest[1].max(last - first), widest[2].max(end - last)];
    }
    assert!(widest[0] >= 54_000.0 && widest[1] >= 72_000.0 && widest[2] >= 90_000.0, "{widest:?}");
    let mean = tpot.iter().sum::<f64>() / tpot.len() as f64;
    let all = rows(&run.dir.path().join("out/summary.csv"));
    let told = all.iter().find(|row| row["metric"] == "tpot").expect("a row of TPOT");
    let told_ms = number(told, "mean").map(|mean| if told["unit"] == "us" { mean / 1000.0 } else { mean });
    assert!(told_ms.is_some_and(|told| (told - mean).abs() < 0.02 * mean), "{told:?} {mean}");
}

#[test]
fn a_slow_answer_is_read_like_a_quick_one() {
    let chunk = |body: &str| format!("{:x}\r\n{body}\r\n", body.len());
    let engine = Engine::start(move |socket, _| {
        socket.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        for half in [OPENAI.split_at(20).0, OPENAI.split_at(20).1, "\n", "\n"] {
            std::thread::sleep(Duration::from_millis(550));
            socket.write_all(chunk(half).as_bytes())?;
        }
        socket.write_all(chunk(&format!("{FINISH}\n\n")).as_bytes())?;
        socket.write_all(b"0\r\n\r\n")
    });
    let run = run("classify", &[engine.openai("e")], LABELS, "{ users: 2, requests: 2 }", "");
    for row in run.measured("e") {
        assert_eq!((row["outcome"].as_str(), row["label"].as_str()), ("ok", "pos"), "{row:?}");
        assert_eq!(row["remarks"], "no_end_mark");
        let (sent, first) = (number(&row, "sent_us"), number(&row, "first_token_us"));
        assert!(first.zip(sent).is_some_and(|(first, sent)| first - sent >= 2_100_000.0), "{row:?}");
    }
}

#[test]
fn a_thought_is_no_label_and_a_call_of_a_tool_is_one() {
    for (body, outcome, label, remarks) in [
        (contents(&["<think>neg or pos?"]), "unparsed", "", "open_thought"),
        (contents(&["so: pos <think>or neg?"]), "unparsed", "", "open_thought"),
        (contents(&["<think>neg?</think>", "\n\npos"]), "ok", "pos", ""),
        (contents(&["not neg</thi", "nk>pos"]), "ok", "pos", ""),
        (
            deltas(&[r#"{"tool_calls":[{"function":{"name":"neg","arguments":"{\"label\":\"pos\"}"}}]}"#]),
            "ok",
            "pos",
            "",
        ),
        (
            r#"{"choices":[{"message":{"content":"<think>neg</think>pos"},"finish_reason":"stop"}]}"#.into(),
            "ok",
            "pos",
            "no_stream",
        ),
    ] {
        let engine = Engine::of(body.clone());
        let run = run("classify", &[engine.openai("e")], LABELS, FEW, "");
        for row in run.measured("e") {
            let told = (row["outcome"].as_str(), row["label"].as_str(), row["remarks"].as_str());
            assert_eq!(told, (outcome, label, remarks), "{body}\n{row:?}");
        }
    }
}

#[test]
fn vectors_that_are_none_are_unparsed_and_base64_is_one() {
    let openai = |vector: &str| {
        format!("{{\"object\":\"list\",\"data\":[{{\"embedding\":{vector}}}],\"usage\":{{\"prompt_tokens\":2}}}}")
    };
    for (body, outcome, dimensions, error) in [
        (openai("[0.5,-1,0]"), "ok", "3", ""),
        (openai("\"AACAPwAAAEA=\""), "ok", "2", ""),
        (openai("[\"0.5\",1]"), "ok", "2", ""),
        (openai("[0.5,NaN,null]"), "unparsed", "3", "2 of the vector's 3 elements"),
        (openai("[]"), "unparsed", "0", "the vector is empty"),
        (openai("null"), "unparsed", "", "no vector"),
        ("{\"data\":[]}".into(), "unparsed", "", "no vector"),
        ("{\"detail\":\"no slot\"}".into(), "error_frame", "", "no slot"),
    ] {
        let engine = Engine::of(body.clone());
        let other = Engine::of(body.clone());
        let json = format!(
            "  j: {{ json: {{ url: \"http://{}\", path: /x, body: {{ q: \"{{{{prompt}}}}\" }}, answer: {{ embedding: /data/0/embedding }} }} }}\n",
            other.address
        );
        let run = run("embed", &[engine.openai("e"), json], "", FEW, "");
        for name in ["e", "j"] {
            for row in run.measured(name) {
                let told = (row["outcome"].as_str(), row["dimensions"].as_str());
                assert_eq!(told, (outcome, dimensions), "{name} {body}\n{row:?}");
                assert!(row["error"].contains(error), "{name} {body}\n{row:?}");
            }
        }
    }
}

/// The most memory that a program of this machine has held, in MiB.
#[cfg(target_os = "linux")]
fn peak_mib(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib >> 10)
}

#[test]
#[cfg(target_os = "linux")]
fn an_answer_without_end_fills_no_memory_and_ends_at_the_limits() {
    for (head, event, error) in [
        // Bytes in plenty, text in plenty, a line without end: each has its bound, and the timeout bounds them all.
        (
            "",
            format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{}\"}}}}]}}\n\n", "x ".repeat(20_000)),
            "more than 4 MiB of text",
        ),
        ("data: ", "z".repeat(60_000), "more than 16 MiB in one piece"),
        ("", format!(": {}\n", "x".repeat(60_000)), "an answer of more than|within the time"),
    ] {
        let bytes = event.repeat(4);
        let play = move |socket: &mut TcpStream, _: &[u8]| {
            socket.write_all(format!("HTTP/1.1 200 OK\r\n\r\n{head}").as_bytes())?;
            loop {
                socket.write_all(bytes.as_bytes())?;
            }
        };
        let engine = Engine::playing(play, false);
        let dir = tempfile::tempdir().expect("a directory");
        let yaml = format!(
            "name: t\ntask: generate\nseed: 3\ntargets:\n{}workload: {{ prompts: {{ inline: [ {{ text: a }} ] }}, stream: true }}\n\
             load: {{ closed: {{ users: 2, requests: 4 }} }}\ndrain: 1s\ntimeout: 8s\n",
            engine.openai("e")
        );
        let path = write(dir.path(), "t.yaml", &yaml);
        let begun = Instant::now();
        let mut child = loadcmp()
            .arg("run")
            .arg(path)
            .arg("--out")
            .arg(dir.path().join("out"))
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("a run");
        let mut peak = 0;
        while child.try_wait().expect("a state").is_none() {
            peak = peak.max(peak_mib(child.id()).unwrap_or(0));
            if begun.elapsed() > Duration::from_secs(300) {
                let _ = child.kill();
                panic!("{error}: it doesn't end");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(peak < 400, "{error}: {peak} MiB");
        let all = rows(&dir.path().join("out/samples.csv"));
        assert!(!all.is_empty());
        for row in all {
            assert!(error.split('|').any(|error| row["error"].contains(error)), "{error}: {row:?}");
            assert!(["truncated", "timeout", "connect"].contains(&row["outcome"].as_str()), "{row:?}");
        }
    }
}

#[test]
fn an_answer_that_drips_on_ends_at_the_timeout() {
    let engine = Engine::start(|socket, _| {
        socket.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
        loop {
            socket.write_all(format!("{OPENAI}\n\n").as_bytes())?;
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    let load = "{ users: 2, requests: 4 }";
    let run = run("generate", &[engine.openai("e")], ", stream: true", load, "timeout: 1s\n");
    for row in run.measured("e") {
        assert_eq!(row["outcome"], "timeout", "{row:?}");
        let latency = number(&row, "latency_us");
        assert!(latency.is_some_and(|latency| (0.9e6..20e6).contains(&latency)), "{row:?}");
        assert!(number(&row, "chunks").is_some_and(|chunks| chunks >= 1.0), "{row:?}");
    }
}

#[test]
fn refusals_keep_the_engines_words_in_any_form() {
    for (body, words) in [
        ("{\"error\":{\"message\":\"no slot\"}}", "no slot"),
        ("{\"detail\":\"no slot\"}", "no slot"),
        ("{\"message\":\"no slot\"}", "no slot"),
        ("<html><head><title>500 no slot</title></head><body></body></html>", "500 no slot"),
        ("no slot", "no slot"),
    ] {
        let bytes = String::from_utf8(http(body.as_bytes(), true)).expect("text").replace("200 OK", "500 Oh");
        let engine = Engine::start(move |socket, _| socket.write_all(bytes.as_bytes()));
        let run = run("generate", &[engine.openai("e")], "", "{ users: 1, requests: 2 }", "");
        for row in run.measured("e") {
            assert_eq!((row["outcome"].as_str(), row["http_status"].as_str()), ("http_status", "500"), "{row:?}");
            assert_eq!(row["error"], words);
        }
    }
}

#[test]
fn an_answer_that_is_over_is_not_waited_for() {
    // `[DONE]` has come, and the body never ends: the answer is complete, and took no longer than to `[DONE]`.
    let engine = Engine::start(|socket, _| {
        socket.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
        socket.write_all(contents(&["pos"]).as_bytes())?;
        std::thread::sleep(Duration::from_secs(20));
        Err(std::io::ErrorKind::Other.into())
    });
    let run = run("generate", &[engine.openai("e")], "", "{ users: 1, requests: 3 }", "timeout: 60s\n");
    let begun = run.measured("e");
    assert!(begun.iter().all(|row| row["outcome"] == "ok"), "{begun:?}");
}
