//! What real engines do that is no fault of a run, over real sockets; and beside it, what is one.

use crate::cli::{ask, rows, write};
use crate::raw::{request, response};
use std::collections::BTreeSet;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// What an engine says of an answer.
struct Said {
    total: Duration,
    load: Duration,
    prompt_tokens: u64,
    cached_tokens: u64,
}

/// An engine on Ollama's wire that answers the n-th request, from 0, as it is told to.
fn ollama(answer: impl Fn(u64) -> Said + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("its address"));
    let (answer, count) = (Arc::new(answer), Arc::<AtomicU64>::default());
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let (answer, count) = (answer.clone(), count.clone());
            std::thread::spawn(move || serve(socket, &*answer, &count));
        }
    });
    url
}

fn serve(mut socket: TcpStream, answer: &dyn Fn(u64) -> Said, count: &AtomicU64) {
    let _ = socket.set_nodelay(true);
    let mut kept = Vec::new();
    while let Some((head, _)) = request(&mut socket, &mut kept) {
        let path = head.split_whitespace().nth(1).unwrap_or_default();
        let body = match path {
            "/api/version" => r#"{"version":"0.34.1"}"#.to_owned(),
            "/api/tags" | "/api/ps" => {
                r#"{"models":[{"name":"m:latest","model":"m:latest","size":1000,"digest":"aa","details":{}}]}"#
                    .to_owned()
            }
            "/api/show" => r#"{"details":{},"model_info":{},"capabilities":["completion"]}"#.to_owned(),
            _ => {
                let Said { total, load, prompt_tokens, cached_tokens } = answer(count.fetch_add(1, SeqCst));
                format!(
                    "{{\"model\":\"m:latest\",\"created_at\":\"2026-01-01T00:00:00Z\",\"response\":\"fine\",\"done\":true,\
                     \"done_reason\":\"stop\",\"total_duration\":{},\"load_duration\":{},\"prompt_eval_count\":{prompt_tokens},\
                     \"prompt_eval_cached_count\":{cached_tokens},\"prompt_eval_duration\":1000,\"eval_count\":3,\
                     \"eval_duration\":1000}}",
                    total.as_nanos(),
                    load.as_nanos()
                )
            }
        };
        if socket.write_all(response("200 OK", "", &body).as_bytes()).is_err() {
            return;
        }
    }
}

/// Runs two engines beside each other; the rules that spoke, with the target each is about.
fn found(dir: &Path, a: &str, b: &str, users: u32, more: &str) -> BTreeSet<(String, String)> {
    let yaml = format!(
        "name: t\ntask: generate\ntargets:\n  a: {{ ollama: {{ url: \"{a}\", model: m }} }}\n  b: {{ ollama: {{ url: \"{b}\", \
         model: m }} }}\nreference: b\nworkload: {{ prompts: {{ synthetic: {{ count: 40, words: {{ fixed: 6 }} }} }}, sampling: {{ \
         max_tokens: 8 }}, stream: false, prompt_cache: bust }}\nload: {{ closed: {{ users: {users}, requests: 20 }} }}\n{more}"
    );
    write(dir, "t.yaml", &yaml);
    let (code, _, err) = ask(dir, &["run", "t.yaml", "--out", "out", "-q"]);
    assert_eq!(code, 0, "{err}");
    rows(&dir.join("out/findings.csv")).iter().map(|row| (row["id"].clone(), row["target"].clone())).collect()
}

fn spoke(found: &BTreeSet<(String, String)>, id: &str) -> Vec<String> {
    found.iter().filter(|(known, _)| known == id).map(|(_, target)| target.clone()).collect()
}

/// One slot, and the wait for it counts as load; `away` is how long the model is loaded anew before the twelfth request.
fn one_slot(away: Duration) -> impl Fn(u64) -> Said + Send + Sync + 'static {
    let slot = Mutex::new(());
    move |number| {
        let came = Instant::now();
        let _mine = slot.lock().expect("the slot");
        if number == 12 {
            sleep(away);
        }
        let load = came.elapsed();
        sleep(Duration::from_millis(120));
        Said { total: came.elapsed(), load, prompt_tokens: 40, cached_tokens: 0 }
    }
}

#[test]
fn waiting_for_a_busy_engine_is_no_load_of_its_model() {
    let dir = tempfile::tempdir().expect("a directory");
    let (busy, reloads) = (ollama(one_slot(Duration::ZERO)), ollama(one_slot(Duration::from_millis(900))));
    // Each waits for three others: 360 ms and more, whatever else the machine does.
    let told = found(dir.path(), &busy, &reloads, 4, "audit: { model-reload: 300ms, cold-load: 300ms }\n");
    let waits = rows(&dir.path().join("out/samples.csv"));
    let long = |row: &&crate::cli::Row| crate::cli::number(row, "server_load_us").is_some_and(|us| us > 300_000.0);
    assert!(waits.iter().filter(|row| row["target"] == "a").filter(long).count() >= 10, "{waits:?}");
    assert_eq!((spoke(&told, "model-reload"), spoke(&told, "cold-load")), (vec!["b".to_owned()], vec![]), "{told:?}");
}

#[test]
fn a_templates_head_that_comes_from_a_cache_is_no_hit() {
    let dir = tempfile::tempdir().expect("a directory");
    let cached = |of: fn(u64) -> u64| {
        ollama(move |number| {
            let (came, prompt) = (Instant::now(), 40 + number * 7 % 30);
            sleep(Duration::from_millis(5));
            Said {
                total: came.elapsed(),
                load: Duration::from_micros(10),
                prompt_tokens: prompt,
                cached_tokens: of(prompt),
            }
        })
    };
    let told = found(dir.path(), &cached(|_| 31), &cached(|prompt| prompt - 1), 2, "");
    assert_eq!(spoke(&told, "cache-when-busting"), ["b"], "{told:?}");
}
