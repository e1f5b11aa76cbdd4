//! What goes wrong, on both HTTP wires, and how raw bytes are dealt with.

use super::stage::{Stage, at, raise};
use loadcmp::standin::{EngineSpec, Faults};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn faulty(faults: Faults) -> Stage {
    raise(EngineSpec { faults, ..EngineSpec::default() })
}

fn ollama(stream: bool) -> Value {
    json!({"model": "standin", "prompt": "x", "stream": stream, "options": {"num_predict": 4}})
}

fn openai(stream: bool) -> Value {
    json!({"messages": [{"role": "user", "content": "x"}], "stream": stream, "max_tokens": 4})
}

const OPENAI: &str = "/v1/chat/completions";
const OLLAMA: &str = "/api/generate";

#[tokio::test]
async fn a_status_of_500_has_the_wires_own_body() {
    let stage = faulty(Faults { status: 1.0, ..Faults::default() });
    let (status, error) = stage.ask(OLLAMA, ollama(true)).await;
    assert!(status == 500 && error["error"].is_string());
    let (status, error) = stage.ask(OPENAI, openai(true)).await;
    assert!(status == 500 && error["error"]["message"].is_string());
    for row in stage.strike().await {
        assert_eq!((row["fault"].as_str(), row["status"].as_str()), ("status", "500"));
    }
}

#[tokio::test]
async fn an_error_frame_stands_in_a_200() {
    let stage = faulty(Faults { error_frame: 1.0, ..Faults::default() });
    let lines = stage.lines(OLLAMA, ollama(true)).await;
    assert_eq!(lines.len(), 3);
    assert!(lines[2]["error"].is_string() && lines[2]["done"].is_null());
    let (status, whole) = stage.ask(OLLAMA, ollama(false)).await;
    assert!(status == 200 && whole["error"].is_string());
    let events = stage.events(OPENAI, openai(true)).await;
    assert!(events.last().unwrap()["error"].is_object());
    let (status, whole) = stage.ask(OPENAI, openai(false)).await;
    assert!(status == 200 && whole["error"].is_object());
    for row in stage.strike().await {
        assert_eq!((row["fault"].as_str(), row["output_tokens"].as_str()), ("error_frame", "2"));
        assert!(!row["end_us"].is_empty());
    }
}

#[tokio::test]
async fn a_connection_that_is_hung_up_gives_no_byte() {
    let stage = faulty(Faults { hang_up: 1.0, ..Faults::default() });
    for (path, body) in [(OLLAMA, ollama(true)), (OPENAI, openai(true))] {
        let body = body.to_string();
        let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        let mut stream = TcpStream::connect(stage.host()).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(answer.is_empty(), "{}", String::from_utf8_lossy(&answer));
    }
}

#[tokio::test]
async fn thoughts_have_a_field_of_their_own_and_count() {
    let stage = raise(EngineSpec { think_tokens: 3, ..EngineSpec::default() });
    let lines = stage.lines(OLLAMA, ollama(true)).await;
    assert!(lines[..3].iter().all(|line| line["response"] == "" && line["thinking"].is_string()), "{lines:?}");
    assert!(lines[3]["thinking"].is_null() && lines[3]["response"] != "" && lines[4]["eval_count"] == 4);
    let (_, whole) = stage.ask(OLLAMA, ollama(false)).await;
    assert_eq!(whole["response"], lines[3]["response"]);
    assert_eq!(whole["thinking"].as_str().map(|text| text.split_whitespace().count()), Some(3));
    let events = stage.events(OPENAI, openai(true)).await;
    let thought = |event: &&Value| event["choices"][0]["delta"]["reasoning_content"].is_string();
    assert_eq!(events.iter().filter(thought).count(), 3);
    let (_, whole) = stage.ask(OPENAI, openai(false)).await;
    let message = &whole["choices"][0]["message"];
    assert!(
        message["content"].as_str().is_some_and(|text| !text.is_empty()) && message["reasoning_content"].is_string()
    );
}

#[tokio::test]
async fn a_truncated_answer_ends_in_order_without_its_mark() {
    let stage = faulty(Faults { truncate: 1.0, ..Faults::default() });
    let lines = stage.lines(OLLAMA, ollama(true)).await;
    assert_eq!(lines.len(), 2);
    assert!(lines.iter().all(|line| line["done"] == false));
    let (status, whole) = stage.ask(OLLAMA, ollama(false)).await;
    assert_eq!((status, &whole["done"]), (200, &json!(false)));
    let events = stage.events(OPENAI, openai(true)).await;
    assert_eq!(events.len(), 3);
    assert!(events.iter().all(|event| event["choices"][0]["finish_reason"].is_null() && *event != "[DONE]"));
    assert!(stage.strike().await.iter().all(|row| row["fault"] == "truncate" && !row["end_us"].is_empty()));
}

#[tokio::test]
async fn a_cut_answer_closes_the_connection() {
    let stage = faulty(Faults { cut: 1.0, ..Faults::default() });
    for (path, body) in
        [(OLLAMA, ollama(true)), (OLLAMA, ollama(false)), (OPENAI, openai(true)), (OPENAI, openai(false))]
    {
        let mut reply = stage.post(path, body).await;
        assert_eq!(reply.status(), 200);
        let mut got = 0;
        let broken = loop {
            match reply.chunk().await {
                Ok(Some(chunk)) => got += chunk.len(),
                Ok(None) => break false,
                Err(_) => break true,
            }
        };
        assert!(broken && got > 0, "{path} {got}");
    }
    let rows = stage.strike().await;
    assert!(rows.len() == 4 && rows.iter().all(|row| row["fault"] == "cut"), "{rows:?}");
}

#[tokio::test]
async fn silences_last_as_long_as_declared() {
    let stage = faulty(Faults { stall: 1.0, stall_for_ms: 60.0, ..Faults::default() });
    assert_eq!(stage.lines(OLLAMA, ollama(true)).await.last().unwrap()["done"], true);
    assert_eq!(stage.ask(OLLAMA, ollama(false)).await.1["done"], true);
    for row in stage.strike().await {
        assert!(at(&row, "free_us") - at(&row, "slot_us") >= 60_000.0, "{row:?}");
        if !row["first_token_us"].is_empty() {
            assert!(at(&row, "last_token_us") - at(&row, "first_token_us") >= 50_000.0, "{row:?}");
        }
    }
    let stage = faulty(Faults { slow_first_byte: 1.0, slow_first_byte_ms: 60.0, ..Faults::default() });
    let mut reply = stage.post(OPENAI, openai(true)).await;
    assert!(reply.chunk().await.unwrap().is_some());
    drop(reply);
    let rows = stage.strike().await;
    assert!(rows.iter().all(|row| row["fault"] == "slow_first_byte"), "{rows:?}");
    let first = &rows[0];
    assert!(at(first, "first_token_us") - at(first, "arrived_us") >= 60_000.0, "{first:?}");
}

#[tokio::test]
async fn split_writes_are_whole_for_those_who_read_well() {
    let stage = faulty(Faults { split: 1.0, ..Faults::default() });
    let body = ollama(true).to_string();
    let head =
        format!("POST {OLLAMA} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
    let mut raw = TcpStream::connect(stage.host()).await.unwrap();
    raw.write_all((head + &body).as_bytes()).await.unwrap();
    let mut text = String::new();
    raw.read_to_string(&mut text).await.unwrap();
    let chunks = text.matches("\r\n").count();
    // Head: 5 lines or more; every one of five frames in two chunks of two lines each.
    assert!(chunks >= 5 + 5 * 2 * 2, "{text}");
    assert_eq!(stage.lines(OLLAMA, ollama(true)).await.len(), 5);
    assert_eq!(stage.ask(OLLAMA, ollama(false)).await.1["done"], true);
    assert_eq!(stage.events(OPENAI, openai(true)).await.last().unwrap(), "[DONE]");
}

#[tokio::test]
async fn bodies_in_bits_and_requests_in_bunches_are_understood() {
    let stage = raise(EngineSpec::default());
    let body = ollama(false).to_string();
    let head = format!("POST {OLLAMA} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
    let one = head + &body;
    let mut raw = TcpStream::connect(stage.host()).await.unwrap();
    raw.set_nodelay(true).unwrap();
    for bit in one.as_bytes().chunks(17) {
        raw.write_all(bit).await.unwrap();
        tokio::task::yield_now().await;
    }
    // Two at once, then a third that ends the connection.
    let last = one.replacen("host: x", "connection: close", 1);
    raw.write_all(format!("{one}{one}{last}").as_bytes()).await.unwrap();
    let mut text = String::new();
    raw.read_to_string(&mut text).await.unwrap();
    assert_eq!(text.matches("HTTP/1.1 200 OK").count(), 4);
    let rows = stage.strike().await;
    assert_eq!(rows.len(), 4);
    assert!(rows.iter().all(|row| row["connection"] == rows[0]["connection"] && row["fault"].is_empty()));
}

#[tokio::test]
async fn faults_come_as_often_as_declared_and_again_with_the_same_seed() {
    let faults = || Faults { status: 0.2, truncate: 0.3, ..Faults::default() };
    let spec = |seed| EngineSpec { seed, faults: faults(), slots: 8, ..EngineSpec::default() };
    let pattern = async |seed: u64, backwards: bool| {
        let stage = raise(spec(seed));
        let mut numbers: Vec<u32> = (0..200).collect();
        if backwards {
            numbers.reverse();
        }
        let mut found = Vec::new();
        for number in numbers {
            let body = json!({"model": "standin", "prompt": format!("p{}", number / 2), "options": {"num_predict": 2}});
            let text = stage.post(OLLAMA, body).await.text().await.unwrap();
            let fate = if text.contains("\"error\"") {
                'e'
            } else if text.contains("\"done\":true") {
                '.'
            } else {
                't'
            };
            found.push((number / 2, fate));
        }
        // The two askings of a prompt stand in their own order either way.
        found.sort_by_key(|(prompt, _)| *prompt);
        found
    };
    let first = pattern(1, false).await;
    assert_eq!(first, pattern(1, true).await);
    assert_ne!(first, pattern(2, false).await);
    let share = |fate| first.iter().filter(|(_, found)| *found == fate).count();
    assert!((20..=60).contains(&share('e')) && (36..=84).contains(&share('t')), "{first:?}");
}

#[tokio::test]
async fn who_goes_away_is_recorded_and_frees_the_slot() {
    let stage = raise(EngineSpec { slots: 1, decode_rate: 20.0, ..EngineSpec::default() });
    let mut reply = stage.post(OLLAMA, ollama(true)).await;
    assert!(reply.chunk().await.unwrap().is_some());
    drop(reply);
    let start = std::time::Instant::now();
    let body = json!({"model": "standin", "prompt": "y", "stream": false, "options": {"num_predict": 1}});
    assert_eq!(stage.ask(OLLAMA, body).await.0, 200);
    assert!(start.elapsed().as_secs() < 5);
    let rows = stage.strike().await;
    assert!(rows.iter().any(|row| row["fault"] == "client_gone"), "{rows:?}");
}
