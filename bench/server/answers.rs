//! The answers, made once: the pieces of each, every piece written by a call of its own.

/// How answers are spoken.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Wire {
    /// Ollama's lines of JSON.
    #[default]
    Ollama,
    /// OpenAI's chat completions, as server-sent events.
    OpenAi,
}

impl Wire {
    /// The path of an inference.
    pub fn path(self) -> &'static str {
        match self {
            Wire::Ollama => "/api/generate",
            Wire::OpenAi => "/v1/chat/completions",
        }
    }
}

/// All answers of this server.
pub struct Answers {
    /// Of an answer to an inference.
    pub pieces: Vec<Vec<u8>>,
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

/// The start of each event.
const EVENT: &str = r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1767225600,"model":"bench""#;

/// A stream of `chunks` tokens: one event each, and what ends it in a last piece.
fn events(chunks: usize) -> Vec<String> {
    let choice = |delta: &str, finish: &str| {
        format!("data: {EVENT},\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n")
    };
    let usage = format!(
        "data: {EVENT},\"choices\":[],\"usage\":{{\"prompt_tokens\":32,\"completion_tokens\":{chunks},\"total_tokens\":{}}}}}\n\n",
        chunks + 32
    );
    let tokens = (0..chunks).map(|_| choice(r#"{"content":" word"}"#, "null"));
    tokens.chain([choice("{}", "\"stop\"") + &usage + "data: [DONE]\n\n"]).collect()
}

impl Answers {
    /// Of `chunks` tokens each, streamed, or of 16 in one piece.
    pub fn new(wire: Wire, chunks: Option<usize>) -> Self {
        let tokens = chunks.unwrap_or(16);
        if wire == Wire::OpenAi {
            return Self { pieces: streamed("text/event-stream", &events(tokens)) };
        }
        let end = format!(
            r#""done":true,"done_reason":"stop","total_duration":5000000,"load_duration":1000000,"prompt_eval_count":32,"prompt_eval_duration":2000000,"eval_count":{tokens},"eval_duration":2000000"#
        );
        let Some(chunks) = chunks else {
            let text = " word".repeat(tokens);
            let body = format!(r#"{{{OF},"response":"{text}",{end}}}"#);
            return Self { pieces: vec![whole("200 OK", "application/json", &body)] };
        };
        let mut lines: Vec<String> =
            (0..chunks).map(|_| format!("{{{OF},\"response\":\" word\",\"done\":false}}\n")).collect();
        lines.push(format!("{{{OF},\"response\":\"\",{end}}}\n"));
        Self { pieces: streamed("application/x-ndjson", &lines) }
    }

    /// The answer to a question about the server, by its path.
    pub fn about(path: &str) -> Vec<u8> {
        let body = match path {
            "/api/version" => r#"{"version":"0.34.1"}"#,
            "/api/tags" => {
                r#"{"models":[{"name":"bench:latest","model":"bench:latest","size":1,"digest":"0","details":{"format":"gguf","family":"llama","parameter_size":"1M","quantization_level":"F16"}}]}"#
            }
            "/api/ps" => r#"{"models":[]}"#,
            "/v1/models" => r#"{"object":"list","data":[{"id":"bench","object":"model","owned_by":"bench"}]}"#,
            "/api/show" => {
                r#"{"details":{"format":"gguf","family":"llama"},"model_info":{},"capabilities":["completion"]}"#
            }
            _ => return whole("404 Not Found", "application/json", r#"{"error":"not found"}"#),
        };
        whole("200 OK", "application/json", body)
    }
}
