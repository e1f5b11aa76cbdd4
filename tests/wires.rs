//! The wires against what real engines really sent: answers recorded from Ollama 0.11.4, Ollama 0.34.1 and llama.cpp's
//! server, replayed over a socket, whole and byte by byte.

use crate::common::{ask, plan, replay, spec};
use loadcmp::record::Outcome::{self, *};
use loadcmp::scenario::PromptFormat::{self, Raw};
use loadcmp::scenario::Task::{self, Chat, Embed, Generate};
use loadcmp::target::Exchange;
use serde_json::json;
use std::time::Duration;

const OLD: &str = "ollama-0.11.4";
const NEW: &str = "ollama-0.34.1";
const LLAMA: &str = "llama.cpp-2026.10.11549";
const RING: &str = " babo babu baca bace baci baco bacu bada";

struct Case {
    engine: &'static str,
    case: &'static str,
    wire: &'static str,
    task: Task,
    format: PromptFormat,
    stream: bool,
    outcome: Outcome,
    /// Exact text, or part of the error.
    says: &'static str,
    /// Prompt tokens, cached tokens, output tokens.
    tokens: (Option<u64>, Option<u64>, Option<u64>),
}

fn case(
    engine: &'static str,
    case: &'static str,
    (wire, task, format, stream): (&'static str, Task, PromptFormat, bool),
    outcome: Outcome,
    says: &'static str,
    tokens: (Option<u64>, Option<u64>, Option<u64>),
) -> Case {
    Case { engine, case, wire, task, format, stream, outcome, says, tokens }
}

fn cases() -> Vec<Case> {
    let whole = ("ollama", Generate, Raw, false);
    let stream = ("ollama", Generate, Raw, true);
    let chat = ("ollama", Chat, PromptFormat::Chat, true);
    let embed = ("ollama", Embed, Raw, false);
    let open_chat = ("openai", Generate, PromptFormat::Chat, true);
    let open_whole = ("openai", Generate, PromptFormat::Chat, false);
    let open_raw = ("openai", Generate, Raw, true);
    let open_embed = ("openai", Embed, Raw, false);
    let none = (None, None, None);
    let mut all = Vec::new();
    for engine in [OLD, NEW] {
        let cached = if engine == NEW { Some(1) } else { None };
        all.push(case(
            engine,
            "generate-stream",
            stream,
            Ok,
            " bobo bobu boca boce boci boco bocu boda",
            (Some(3), cached, Some(8)),
        ));
        all.push(case(engine, "generate-load", whole, Ok, "", (Some(0), None, Some(0))));
        all.push(case(engine, "error-unknown-model", whole, HttpStatus, "not found", none));
        all.push(case(engine, "error-unknown-model-chat", chat, HttpStatus, "not found", none));
        all.push(case(engine, "error-bad-json", whole, HttpStatus, "", none));
        all.push(case(engine, "error-generate-on-embedder", whole, HttpStatus, "does not support generate", none));
        all.push(case(engine, "error-embed-too-long", embed, HttpStatus, "context length", none));
        all.push(case(engine, "error-wrong-path", whole, HttpStatus, "404 page not found", none));
        all.push(case(engine, "killed-runner-generate", stream, ErrorFrame, "unexpected EOF", none));
        all.push(case(engine, "killed-runner-chat", chat, ErrorFrame, "unexpected EOF", none));
        all.push(case(engine, "killed-runner-openai", open_chat, Truncated, "without its end marker", none));
        all.push(case(engine, "openai-completions-stream", open_raw, Ok, "*", (Some(3), None, Some(8))));
    }
    all.push(case(OLD, "error-bad-format", stream, ErrorFrame, "", none));
    all.push(case(NEW, "error-bad-format", stream, HttpStatus, "", none));
    all.push(case(OLD, "error-queue-full", whole, Rejected, "server busy", none));
    all.push(case(NEW, "error-think", whole, HttpStatus, "does not support thinking", none));
    all.push(case(
        LLAMA,
        "openai-chat-stream",
        open_chat,
        Ok,
        " baba babe babi babo babu baca bace baci",
        (Some(23), Some(22), Some(8)),
    ));
    all.push(case(LLAMA, "openai-chat-stream-no-usage", open_chat, Ok, "*", (Some(23), Some(22), Some(4))));
    all.push(case(LLAMA, "openai-chat", open_whole, Ok, "*", (Some(23), Some(22), Some(8))));
    all.push(case(LLAMA, "openai-completions-stream", open_raw, Ok, RING, (Some(3), None, Some(8))));
    all.push(case(LLAMA, "embed-openai", open_embed, Ok, "", (Some(7), None, None)));
    for (engine, prompt, cached) in [(NEW, 85, [0, 84]), (LLAMA, 33, [0, 32])] {
        let text = " baba babe babi babo babu baca bace baci";
        for (name, streams) in
            [("messages", false), ("messages-stream", true), ("responses", false), ("responses-stream", true)]
        {
            let api = (
                if name.starts_with("messages") { "messages" } else { "responses" },
                Generate,
                PromptFormat::Chat,
                streams,
            );
            let cached = if name == "messages" { cached[0] } else { cached[1] };
            all.push(case(engine, name, api, Ok, text, (Some(prompt), Some(cached), Some(8))));
        }
        let (messages, responses) =
            (("messages", Generate, PromptFormat::Chat, true), ("responses", Generate, PromptFormat::Chat, true));
        let missing = if engine == NEW { "messages is required" } else { "'messages' is required" };
        all.push(case(engine, "error-missing-messages-messages", messages, HttpStatus, missing, none));
        all.push(case(engine, "error-missing-input", responses, HttpStatus, "is required", none));
    }
    for (name, api) in [("messages", "messages"), ("responses", "responses")] {
        let api = (api, Generate, PromptFormat::Chat, true);
        let (killed, unknown) = if name == "messages" {
            ("killed-runner-messages", "error-unknown-model-messages")
        } else {
            ("killed-runner-responses", "error-unknown-model-responses")
        };
        all.push(case(NEW, killed, api, Truncated, "without its end marker", none));
        all.push(case(NEW, unknown, api, HttpStatus, "not found", none));
    }
    let messages = ("messages", Generate, PromptFormat::Chat, true);
    all.push(case(LLAMA, "messages-stream-prompt-too-long", messages, HttpStatus, "context size", none));
    all.push(case(LLAMA, "error-too-long", open_raw, HttpStatus, "context", none));
    all.push(case(LLAMA, "loading", open_chat, Rejected, "Loading model", none));
    all
}

async fn replayed(case: &Case, piece: usize) -> Exchange {
    let path = format!("tests/captures/{}/{}.txt", case.engine, case.case);
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let target = match case.wire {
        "ollama" => spec(json!({"ollama": {}})),
        api @ ("messages" | "responses") => spec(json!({"openai": {"api": api}})),
        _ => spec(json!({"openai": {}})),
    };
    let plan = plan(case.task, target, replay(bytes, piece), case.stream, case.format);
    ask(&plan, "babe babi", Duration::from_secs(5)).await
}

#[tokio::test]
async fn recorded_answers_are_read_for_what_they_are() {
    for case in cases() {
        for piece in [1 << 20, 37, 1] {
            let told = replayed(&case, piece).await;
            let name = format!("{}/{} in pieces of {piece}: {told:?}", case.engine, case.case);
            assert_eq!(told.outcome, case.outcome, "{name}");
            let answer = &told.answer;
            if case.outcome != Ok {
                assert!(answer.error.as_deref().is_some_and(|e| e.contains(case.says)), "{name}");
                continue;
            }
            if case.says != "*" {
                assert_eq!(answer.text, case.says, "{name}");
            }
            let (prompt, cached, output) = case.tokens;
            assert_eq!((answer.prompt_tokens, answer.output_tokens), (prompt, output), "{name}");
            assert!(cached.is_none() || answer.cached_tokens == cached, "{name}");
            assert_eq!(answer.first_token.is_some(), case.stream && !answer.text.is_empty(), "{name}");
            assert_eq!(answer.vector.is_some(), case.task == Embed, "{name}");
            assert!(told.sent <= told.first_byte && told.first_byte <= Some(told.end), "{name}");
        }
    }
}

#[tokio::test]
async fn a_stream_cut_anywhere_before_its_end_mark_is_a_failure() {
    let path = format!("tests/captures/{NEW}/generate-stream.txt");
    let bytes = std::fs::read(path).expect("a capture");
    let mark = bytes.windows(11).position(|w| w == b"\"done\":true").expect("an end mark");
    let head = bytes.windows(4).position(|w| w == b"\r\n\r\n").expect("a head") + 4;
    for cut in (head..mark).step_by(97) {
        let plan = plan(Generate, spec(json!({"ollama": {}})), replay(bytes[..cut].to_vec(), 1 << 20), true, Raw);
        let told = ask(&plan, "bobe bobi", Duration::from_secs(5)).await;
        assert_eq!(told.outcome, Truncated, "cut at {cut}: {told:?}");
    }
}

#[tokio::test]
async fn silence_is_a_timeout_and_keeps_what_is_known() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let endpoint =
        loadcmp::scenario::plan::Endpoint::Tcp { host: "127.0.0.1".into(), port, prefix: String::new(), tls: false };
    let plan = plan(Generate, spec(json!({"ollama": {}})), endpoint, true, Raw);
    let told = ask(&plan, "babe", Duration::from_millis(200)).await;
    assert_eq!(told.outcome, Timeout);
    assert!(told.sent.is_some() && told.first_byte.is_none(), "{told:?}");
    assert!(told.answer.error.is_some_and(|e| e.contains("no reply")));
}

#[tokio::test]
async fn the_json_wire_reads_by_pointers() {
    let target = json!({"json": {"url": "http://x", "path": "/infer", "stream": "ndjson",
        "body": {"q": "{{prompt}}", "n": "{{max_tokens}}", "m": "{{messages}}"},
        "answer": {"text": "/t", "done": "/end", "output_tokens": "/n", "server_total": "/ms"}}});
    for (body, outcome, text) in [
        ("{\"t\":\"a\"}\n{\"t\":\"b\"}\n{\"t\":\"\",\"end\":true,\"n\":2,\"ms\":1.5}\n", Ok, "ab"),
        ("{\"t\":\"a\"}\n{\"t\":\"b\"}\n", Truncated, "ab"),
        ("{\"t\":\"a\"}\n{\"error\":\"out of memory\"}\n", ErrorFrame, "a"),
        ("{\"t\":\"a\"}\nnonsense\n", ErrorFrame, "a"),
    ] {
        let bytes = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let plan = plan(Generate, spec(target.clone()), replay(bytes.into_bytes(), 7), true, Raw);
        let told = ask(&plan, "babe", Duration::from_secs(5)).await;
        assert_eq!((told.outcome, told.answer.text.as_str()), (outcome, text), "{told:?}");
        if outcome == Ok {
            assert_eq!(told.answer.output_tokens, Some(2));
            assert_eq!(told.answer.server_total.map(|t| t.0), Some(1_500_000));
        }
    }
}
