//! The answers, made once: the pieces of each, every piece written by a call of its own.

/// What is asked for, by the request's line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Route {
    Generate,
    Completions,
    Chat,
    Other,
}

/// All answers of this server.
pub struct Answers {
    generate: Vec<Vec<u8>>,
    completions: Vec<Vec<u8>>,
    chat: Vec<Vec<u8>>,
}

fn whole(status: &str, kind: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// Pieces of a chunked answer: the head goes with the first one, the end of all with the last one.
fn streamed(kind: &str, lines: &[String]) -> Vec<Vec<u8>> {
    let mut pieces: Vec<Vec<u8>> =
        lines.iter().map(|line| format!("{:x}\r\n{line}\r\n", line.len()).into_bytes()).collect();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n\r\n");
    if let Some(first) = pieces.first_mut() {
        first.splice(0..0, head.into_bytes());
    }
    if let Some(last) = pieces.last_mut() {
        last.extend_from_slice(b"0\r\n\r\n");
    }
    pieces
}

const OF: &str = r#""model":"bench","created_at":"2026-01-01T00:00:00.000000Z""#;
const SSE: &str = "text/event-stream";

impl Answers {
    /// Of `chunks` tokens each, streamed, or of 16 in one piece.
    pub fn new(chunks: Option<usize>) -> Self {
        let tokens = chunks.unwrap_or(16);
        let end = format!(
            r#""done":true,"done_reason":"stop","total_duration":5000000,"load_duration":1000000,"prompt_eval_count":32,"prompt_eval_duration":2000000,"eval_count":{tokens},"eval_duration":2000000"#
        );
        let Some(chunks) = chunks else {
            let text = " word".repeat(tokens);
            let body = format!(r#"{{{OF},"response":"{text}",{end}}}"#);
            let json = |body: &str| vec![whole("200 OK", "application/json", body)];
            let usage = format!(
                r#""usage":{{"prompt_tokens":32,"completion_tokens":{tokens},"total_tokens":{}}}"#,
                tokens + 32
            );
            return Self {
                generate: json(&body),
                completions: json(&format!(
                    r#"{{"id":"1","object":"text_completion","model":"bench","choices":[{{"index":0,"text":"{text}","finish_reason":"stop"}}],{usage}}}"#
                )),
                chat: json(&format!(
                    r#"{{"id":"1","object":"chat.completion","model":"bench","choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}"}},"finish_reason":"stop"}}],{usage}}}"#
                )),
            };
        };
        let mut lines: Vec<String> =
            (0..chunks).map(|_| format!("{{{OF},\"response\":\" word\",\"done\":false}}\n")).collect();
        lines.push(format!("{{{OF},\"response\":\"\",{end}}}\n"));
        let events = |kind: &str, delta: &str, last: &str| {
            let event = |choice: &str, more: &str| {
                format!(
                    "data: {{\"id\":\"1\",\"object\":\"{kind}\",\"model\":\"bench\",\"choices\":[{choice}]{more}}}\n\n"
                )
            };
            let usage = format!(
                r#","usage":{{"prompt_tokens":32,"completion_tokens":{chunks},"total_tokens":{}}}"#,
                chunks + 32
            );
            let mut all: Vec<String> = (0..chunks).map(|_| event(delta, "")).collect();
            // As servers do: the reason, the usage and the mark of the end come together.
            all.push(format!("{}{}data: [DONE]\n\n", event(last, ""), event("", &usage)));
            all
        };
        Self {
            generate: streamed("application/x-ndjson", &lines),
            completions: streamed(
                SSE,
                &events(
                    "text_completion",
                    r#"{"index":0,"text":" word","finish_reason":null}"#,
                    r#"{"index":0,"text":"","finish_reason":"stop"}"#,
                ),
            ),
            chat: streamed(
                SSE,
                &events(
                    "chat.completion.chunk",
                    r#"{"index":0,"delta":{"content":" word"},"finish_reason":null}"#,
                    r#"{"index":0,"delta":{},"finish_reason":"stop"}"#,
                ),
            ),
        }
    }

    /// The pieces of an answer to an inference.
    pub fn pieces(&self, route: Route) -> &[Vec<u8>] {
        match route {
            Route::Generate | Route::Other => &self.generate,
            Route::Completions => &self.completions,
            Route::Chat => &self.chat,
        }
    }

    /// The answer to a question about the server, by its path.
    pub fn about(path: &str) -> Vec<u8> {
        let body = match path {
            "/api/version" => r#"{"version":"0.34.1"}"#,
            "/api/tags" => {
                r#"{"models":[{"name":"bench:latest","model":"bench:latest","size":1,"digest":"0","details":{"format":"gguf","family":"llama","parameter_size":"1M","quantization_level":"F16"}}]}"#
            }
            "/api/ps" => r#"{"models":[]}"#,
            "/api/show" => {
                r#"{"details":{"format":"gguf","family":"llama"},"model_info":{},"capabilities":["completion"]}"#
            }
            "/v1/models" => r#"{"object":"list","data":[{"id":"bench","object":"model","owned_by":"bench"}]}"#,
            _ => return whole("404 Not Found", "application/json", r#"{"error":"not found"}"#),
        };
        whole("200 OK", "application/json", body)
    }
}
