//! What several test programs need: a plan for one target, and a server that replays recorded answers.

#![allow(dead_code)]

use loadcmp::record::Stopwatch;
use loadcmp::scenario::plan::{
    ClosedPlan, Endpoint, EngineFacts, GatesPlan, LoadPlan, Plan, TargetPlan, Until, WorkloadPlan,
};
use loadcmp::scenario::*;
use loadcmp::target::{Ask, Exchange, Link, Target};
use loadcmp::workload::{Item, Turn, Workload};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

/// A target's settings from YAML-like JSON.
pub fn spec(json: serde_json::Value) -> TargetSpec {
    serde_json::from_value(json).expect("a target")
}

/// A plan that asks one target `prompt`.
pub fn plan(task: Task, spec: TargetSpec, endpoint: Endpoint, stream: bool, format: PromptFormat) -> Plan {
    Plan {
        driver: None,
        name: "test".into(),
        about: None,
        task,
        seed: 1,
        targets: vec![TargetPlan {
            name: "t".into(),
            stand_in: false,
            endpoint,
            model: "cyc".into(),
            spec,
            facts: EngineFacts::default(),
            inequalities: Vec::new(),
            template: None,
            same_as: None,
            filled: None,
        }],
        reference: 0,
        variants: Vec::new(),
        workload: WorkloadPlan {
            source: "test".into(),
            items: 1,
            examples: Vec::new(),
            hash: String::new(),
            labels: vec!["pos".into(), "neg".into()],
            constrain: Constrain::None,
            schema: None,
            format,
            system: None,
            sampling: Sampling { max_tokens: 8, ..Sampling::default() },
            think: None,
            logprobs: false,
            stream,
            prompt_cache: PromptCache::AsIs,
            nonce_salt: String::new(),
            history: History::Scripted,
            tokens: None,
        },
        order: Order::Concurrent,
        allow_same_endpoint: false,
        blocks: BlocksSpec::default(),
        interference: false,
        soak: false,
        cold_start: None,
        slo: None,
        smallest_effect: Share(0.02),
        until_ci: None,
        least: None,
        load: LoadPlan::Closed(ClosedPlan {
            users: 1,
            until: Until::Requests(1),
            think: Span::default(),
            warmup: Span::default(),
        }),
        timeout: Span(Duration::from_secs(5)),
        timeout_auto: false,
        load_timeout: Span(Duration::from_secs(600)),
        drain: Span(Duration::from_secs(1)),
        drain_auto: false,
        keep_answers: loadcmp::scenario::KeepAnswers::None,
        audit: AuditSpec::default(),
        gates: GatesPlan::default(),
        start: None,
        shard: None,
        written: None,
    }
}

pub fn items(prompt: &str) -> Vec<Item> {
    vec![Item {
        id: "1".into(),
        turns: vec![Turn { user: prompt.into(), assistant: None, think: None }],
        ..Item::default()
    }]
}

/// One exchange over a fresh link.
pub async fn ask(plan: &Plan, prompt: &str, limit: Duration) -> Exchange {
    let clock = Stopwatch::start();
    let sampling = &plan.workload.sampling;
    let workload = Workload::new(items(prompt), 1, 1, None, sampling, plan.workload.prompt_cache);
    let target = Target::new(plan, &plan.targets[0], Arc::new(workload), clock).expect("a target");
    let mut link = Link::default();
    target.connect(&mut link).await.expect("a connection");
    let ask = Ask { item: 0, turn: 0, nonce: None, history: None };
    let body = target.body(&ask);
    target.exchange(&mut link, body, tokio::time::sleep(limit)).await
}

/// Serves `bytes` to one request on a loopback port, in pieces of `piece` bytes, and closes the connection.
pub fn replay(bytes: Vec<u8>, piece: usize) -> Endpoint {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        let Ok((mut socket, _)) = listener.accept() else { return };
        let _ = socket.set_nodelay(true);
        read_request(&mut socket);
        for part in bytes.chunks(piece.max(1)) {
            if socket.write_all(part).is_err() {
                return;
            }
            if piece < 64 {
                std::thread::sleep(Duration::from_micros(50));
            }
        }
    });
    Endpoint::Tcp { host: "127.0.0.1".into(), port, prefix: String::new(), tls: false }
}

/// Reads a request to the end of its body; gives the body.
pub fn read_request(socket: &mut std::net::TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(at) = all.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&all[..at]).to_lowercase();
            let length =
                head.lines().find_map(|l| l.strip_prefix("content-length: ")?.trim().parse().ok()).unwrap_or(0);
            if all.len() >= at + 4 + length {
                return all.split_off(at + 4);
            }
        }
        match socket.read(&mut buffer) {
            Ok(0) | Err(_) => return all,
            Ok(n) => all.extend_from_slice(&buffer[..n]),
        }
    }
}

/// A GGUF of one small tensor, whose header says these things.
pub fn gguf(texts: &[(&str, &str)], numbers: &[(&str, u32)]) -> Vec<u8> {
    fn text(out: &mut Vec<u8>, text: &str) {
        out.extend((text.len() as u64).to_le_bytes());
        out.extend(text.as_bytes());
    }
    let mut out = b"GGUF".to_vec();
    out.extend(3u32.to_le_bytes());
    out.extend(1u64.to_le_bytes());
    out.extend(((texts.len() + numbers.len()) as u64).to_le_bytes());
    for (key, value) in texts {
        text(&mut out, key);
        out.extend(8u32.to_le_bytes());
        text(&mut out, value);
    }
    for (key, value) in numbers {
        text(&mut out, key);
        out.extend(4u32.to_le_bytes());
        out.extend(value.to_le_bytes());
    }
    text(&mut out, "token_embd.weight");
    out.extend(1u32.to_le_bytes());
    out.extend(64u64.to_le_bytes());
    // 64 numbers of type F32.
    out.extend([0; 12]);
    out.resize(out.len().next_multiple_of(32) + 256, 7);
    out
}
