//! Declared timing, slots and queue, held against the record.

use super::stage::{Row, Stage, at, raise};
use loadcmp::standin::{EngineSpec, Jitter};
use serde_json::json;
use std::sync::Arc;

fn body(prompt: &str, tokens: u32, stream: bool) -> serde_json::Value {
    json!({"model": "standin", "prompt": prompt, "stream": stream, "raw": true, "options": {"num_predict": tokens}})
}

/// Asks that many times at once; says the statuses.
async fn crowd(stage: &Arc<Stage>, count: usize, tokens: u32) -> Vec<u16> {
    let one = |number: usize| {
        let stage = stage.clone();
        tokio::spawn(async move {
            let reply =
                stage.post("/api/generate", body(&format!("p{number}"), tokens, number.is_multiple_of(2))).await;
            let status = reply.status().as_u16();
            reply.bytes().await.unwrap();
            status
        })
    };
    let mut statuses = Vec::new();
    for task in (0..count).map(one).collect::<Vec<_>>() {
        statuses.push(task.await.unwrap());
    }
    statuses
}

async fn record(stage: Arc<Stage>) -> Vec<Row> {
    Arc::into_inner(stage).unwrap().strike().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_requests_run_than_there_are_slots() {
    let stage = Arc::new(raise(EngineSpec { slots: 3, first_token_ms: Some(30.0), ..EngineSpec::default() }));
    assert!(crowd(&stage, 12, 2).await.iter().all(|status| *status == 200));
    let rows = record(stage).await;
    let mut edges: Vec<(f64, i32)> = Vec::new();
    for row in &rows {
        edges.extend([(at(row, "slot_us"), 1), (at(row, "free_us"), -1)]);
    }
    edges.sort_by(|a, b| a.partial_cmp(b).unwrap());
    let mut running = 0;
    let most = edges
        .iter()
        .map(|(_, step)| {
            running += step;
            running
        })
        .max()
        .unwrap();
    assert_eq!(most, 3);
    let span = edges.last().unwrap().0 - edges[0].0;
    assert!(span >= 4.0 * 30_000.0, "{span}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_is_answered_with_503() {
    let spec = EngineSpec { slots: 1, queue: 2, first_token_ms: Some(1200.0), ..EngineSpec::default() };
    let stage = Arc::new(raise(spec));
    let statuses = crowd(&stage, 6, 1).await;
    assert_eq!(statuses.iter().filter(|status| **status == 503).count(), 3, "{statuses:?}");
    let rows = record(stage).await;
    let refused: Vec<_> = rows.iter().filter(|row| row["status"] == "503").collect();
    assert_eq!(refused.len(), 3);
    assert!(refused.iter().all(|row| row["slot_us"].is_empty()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn first_token_and_rate_are_what_was_declared() {
    let spec = EngineSpec { slots: 8, prefill_rate: 100.0, decode_rate: 200.0, ..EngineSpec::default() };
    let stage = Arc::new(raise(spec));
    crowd(&stage, 8, 11).await;
    let rows = record(stage).await;
    assert_eq!(rows.len(), 8);
    let mut late = Vec::new();
    for row in &rows {
        // Two prompt tokens at 100/s, then ten gaps of 5 ms.
        assert!(at(row, "free_us") - at(row, "slot_us") >= 70_000.0, "{row:?}");
        if row["first_token_us"].is_empty() {
            continue;
        }
        let first = at(row, "first_token_us") - at(row, "slot_us");
        let last = at(row, "last_token_us") - at(row, "slot_us");
        assert!(first >= 20_000.0 && last >= 70_000.0, "{row:?}");
        late.push(last - 70_000.0);
    }
    late.sort_by(f64::total_cmp);
    assert!(late[late.len() / 2] < 1_000_000.0, "{late:?}");
}

#[tokio::test]
async fn the_model_is_loaded_once_for_all_who_wait() {
    let stage = Arc::new(raise(EngineSpec { load_ms: 1000.0, slots: 2, ..EngineSpec::default() }));
    crowd(&stage, 4, 1).await;
    let rows = record(stage).await;
    let first = rows.iter().map(|row| at(row, "slot_us")).fold(f64::MAX, f64::min);
    let arrived = rows.iter().map(|row| at(row, "arrived_us")).fold(f64::MAX, f64::min);
    let last = rows.iter().map(|row| at(row, "free_us")).fold(0.0, f64::max);
    assert!(first - arrived >= 999_000.0, "{first} {arrived}");
    assert!(last - first < 999_000.0, "loaded once: {last} {first}");
}

#[tokio::test]
async fn jitter_is_the_seeds() {
    let times = async |seed: u64| {
        let spec = EngineSpec {
            seed,
            first_token_ms: Some(2.0),
            jitter: Jitter::Exponential,
            jitter_scale: 40.0,
            ..EngineSpec::default()
        };
        let stage = raise(spec);
        for number in 0..12 {
            stage.lines("/api/generate", body(&format!("p{number}"), 1, true)).await;
        }
        let rows = stage.strike().await;
        rows.iter().map(|row| at(row, "first_token_us") - at(row, "slot_us")).collect::<Vec<_>>()
    };
    let (one, again, other) = (times(1).await, times(1).await, times(2).await);
    let apart = |a: &[f64], b: &[f64]| {
        let mut gaps: Vec<f64> = a.iter().zip(b).map(|(a, b)| (a - b).abs()).collect();
        gaps.sort_by(f64::total_cmp);
        gaps[gaps.len() / 2]
    };
    assert!(one.iter().all(|time| *time >= 2_000.0));
    assert!(apart(&one, &again) < apart(&one, &other), "{one:?} {again:?} {other:?}");
}

#[tokio::test]
async fn tokens_share_a_write_only_if_that_was_chosen() {
    for (coalesce, least, most) in [(false, 20, 21), (true, 1, 2)] {
        let stage = raise(EngineSpec { coalesce, ..EngineSpec::default() });
        let body = body("x", 20, true).to_string();
        let head = "POST /api/generate HTTP/1.1\r\nhost: x\r\nconnection: close\r\n";
        let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
        let mut raw = tokio::net::TcpStream::connect(stage.host()).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut raw, request.as_bytes()).await.unwrap();
        let mut text = String::new();
        tokio::io::AsyncReadExt::read_to_string(&mut raw, &mut text).await.unwrap();
        let chunks = text.split("\r\n").filter(|line| line.starts_with('{')).count();
        assert!((least..=most).contains(&chunks), "{coalesce} {chunks}\n{text}");
        assert_eq!(text.matches("\"done\":false").count(), 20);
    }
}

#[tokio::test]
async fn what_is_being_answered_at_the_end_is_answered() {
    let stage = raise(EngineSpec { first_token_ms: Some(2000.0), ..EngineSpec::default() });
    let asked = stage.client.post(format!("{}/api/generate", stage.url)).json(&body("x", 3, true));
    let answer = tokio::spawn(async move { asked.send().await.unwrap().text().await.unwrap() });
    // The request is in flight once it has been sent; the answer is not due before two seconds.
    tokio::time::sleep(std::time::Duration::from_millis(700)).await;
    let rows = stage.strike().await;
    assert!(answer.await.unwrap().contains("\"done\":true"));
    assert_eq!(rows.len(), 1);
}
