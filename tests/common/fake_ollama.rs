//! An Ollama of a few lines that keeps a process for each model, as the real one does: it is this test's own process, and
//! the models' processes are its children, with the command lines of the real ones'.

#![allow(dead_code)] // Each test program uses a part.

use crate::raw::request;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A model: what its process is like.
#[derive(Clone, Default)]
pub struct Model {
    /// What fills the digest of its blob.
    pub hex: char,
    /// Whether `/api/show` says which blob is its.
    pub shown: bool,
    /// Memory that its process takes at least, in MiB.
    pub mib: u32,
    /// And more of it, so many seconds later.
    pub more: Option<(u32, u32)>,
    /// The rest of its command line.
    pub options: &'static str,
    /// What `/api/ps` says of its context, once it is loaded.
    pub context: u32,
}

impl Model {
    pub fn blob(&self) -> String {
        self.hex.to_string().repeat(64)
    }
}

struct State {
    /// Where the blobs lie.
    store: PathBuf,
    models: BTreeMap<String, Model>,
    children: BTreeMap<String, Child>,
}

/// Size of a blob: that of a model's file.
pub const BLOB_BYTES: usize = 123_456;

/// The running server. Its children end with it.
pub struct FakeOllama {
    pub url: String,
    state: Arc<Mutex<State>>,
}

impl FakeOllama {
    /// Starts one that keeps its blobs in a folder, each a file of [`BLOB_BYTES`].
    pub fn start(store: &Path, models: &[(&str, Model)]) -> Self {
        for (_, model) in models {
            std::fs::write(store.join(format!("sha256-{}", model.blob())), vec![7; BLOB_BYTES]).expect("a blob");
        }
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let models = models.iter().map(|(name, model)| ((*name).to_owned(), model.clone())).collect();
        let state = Arc::new(Mutex::new(State { store: store.to_owned(), models, children: BTreeMap::new() }));
        let shared = state.clone();
        std::thread::spawn(move || {
            while let Ok((socket, _)) = listener.accept() {
                let state = shared.clone();
                std::thread::spawn(move || serve(socket, &state));
            }
        });
        Self { url, state }
    }

    /// Loads a model, as its first request does.
    pub fn load(&self, model: &str) {
        lock(&self.state).load(model);
    }

    /// Resident memory of a model's process, in bytes.
    pub fn resident(&self, model: &str) -> f64 {
        let pid = lock(&self.state).children[model].id();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
        let line = status.lines().find(|line| line.starts_with("VmRSS")).expect("its memory");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).expect("a number") * 1024.0
    }
}

impl Drop for FakeOllama {
    fn drop(&mut self) {
        for child in lock(&self.state).children.values_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    fn load(&mut self, name: &str) {
        let Some(model) = self.models.get(name).filter(|_| !self.children.contains_key(name)) else { return };
        let take = |variable: &str, mib: u32| format!("{variable}=$(head -c {mib}000000 /dev/zero | tr '\\0' x); ");
        let more = model.more.map(|(mib, after)| format!("sleep {after}; {}", take("y", mib))).unwrap_or_default();
        // The pipe's other end is the test's: it ends with it, however that ends.
        let script = format!("{}echo up; {more}read z", take("x", model.mib));
        let blob = self.store.join(format!("sha256-{}", model.blob()));
        let mut child = Command::new("sh")
            .args(["-c", &script, "/lib/ollama/llama-server", "--model"])
            .arg(blob)
            .args(model.options.split_whitespace())
            .env("LLAMA_ARG_CACHE_RAM", "512")
            .env("LLAMA_API_KEY", "hush-this-is-secret")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let mut up = [0; 2];
        child.stdout.as_mut().expect("its output").read_exact(&mut up).expect("a word");
        self.children.insert(name.to_owned(), child);
    }

    fn answer(&mut self, path: &str, body: &str) -> (u16, String) {
        let asked: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
        let name = asked["model"].as_str().unwrap_or_default().to_owned();
        let entry = |name: &String, model: &Model| {
            serde_json::json!({ "name": name, "model": name, "size": 1_048_999, "digest": "0".repeat(64),
                "details": { "family": "llama", "parameter_size": "1M", "quantization_level": "F16" },
                "capabilities": ["completion"], "context_length": model.context })
        };
        let told = match path {
            "/api/version" => serde_json::json!({ "version": "0.34.1" }),
            "/api/tags" => {
                serde_json::json!({ "models": self.models.iter().map(|(n, m)| entry(n, m)).collect::<Vec<_>>() })
            }
            "/api/ps" => {
                let loaded = self.models.iter().filter(|(name, _)| self.children.contains_key(*name));
                serde_json::json!({ "models": loaded.map(|(n, m)| entry(n, m)).collect::<Vec<_>>() })
            }
            "/api/show" => {
                let Some(model) = self.models.get(&name) else { return (404, "{}".to_owned()) };
                let blob = self.store.join(format!("sha256-{}", model.blob()));
                let from = if model.shown { format!("FROM {}\n", blob.display()) } else { String::new() };
                serde_json::json!({ "modelfile": format!("# FROM {name}\n{from}TEMPLATE x\n"), "template": "x" })
            }
            "/api/generate" | "/api/chat" => {
                self.load(&name);
                let part = |done: bool, text: &str| {
                    let mut line = serde_json::json!({ "model": name, "done": done, "response": text,
                        "message": { "role": "assistant", "content": text } });
                    if done {
                        for (key, value) in [("prompt_eval_count", 3), ("eval_count", 3), ("total_duration", 1_000_000)]
                        {
                            line[key] = value.into();
                        }
                        line["done_reason"] = "stop".into();
                    }
                    format!("{line}\n")
                };
                return (200, part(false, "yes it is") + &part(true, ""));
            }
            _ => return (404, "{}".to_owned()),
        };
        (200, told.to_string())
    }
}

fn serve(mut socket: TcpStream, state: &Mutex<State>) {
    let _ = socket.set_nodelay(true);
    let mut kept = Vec::new();
    while let Some((head, body)) = request(&mut socket, &mut kept) {
        let path = head.split(' ').nth(1).unwrap_or_default();
        let (status, answer) = lock(state).answer(path, &body);
        if body.contains("prompt") || body.contains("messages") {
            std::thread::sleep(Duration::from_millis(25));
        }
        let head = format!(
            "HTTP/1.1 {status} X\r\nContent-Type: application/x-ndjson\r\nContent-Length: {}\r\n\r\n",
            answer.len()
        );
        if socket.write_all((head + &answer).as_bytes()).is_err() {
            return;
        }
    }
}
