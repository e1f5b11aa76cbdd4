//! A GG-CORE of a few lines on a Unix socket: it answers with bytes that a test gives it, recorded ones or its own.

#![allow(dead_code)] // Each test program uses a part.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What becomes of a message.
#[derive(Clone)]
pub enum Do {
    /// These bytes, frames and all; the connection stays.
    Say(Vec<u8>),
    /// These bytes, and then a close.
    SayAndClose(Vec<u8>),
    /// The connection is reset: closed with what was sent unread.
    Reset,
    /// No answer, and the connection stays.
    Silence,
    /// The same after a while.
    Late(Duration, Vec<u8>),
}

/// A message as it came.
#[derive(Clone, Debug)]
pub struct Came {
    /// Number of its connection, from 0.
    pub connection: usize,
    /// The message.
    pub message: serde_json::Value,
}

/// A running one; it ends with the test's process.
pub struct GgCore {
    dir: tempfile::TempDir,
    pub socket: PathBuf,
    seen: Arc<Mutex<Vec<Came>>>,
}

impl GgCore {
    /// Starts one. `act` is told each message, and how many of its kind came before it.
    pub fn start(act: impl Fn(&str, usize, &serde_json::Value) -> Do + Send + Sync + 'static) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let socket = dir.path().join("gg.sock");
        let listener = UnixListener::bind(&socket).expect("a socket");
        let (seen, act) = (Arc::<Mutex<Vec<Came>>>::default(), Arc::new(act));
        let kept = seen.clone();
        std::thread::spawn(move || {
            for (connection, stream) in listener.incoming().enumerate() {
                let Ok(stream) = stream else { return };
                let (seen, act) = (seen.clone(), act.clone());
                std::thread::spawn(move || serve(stream, connection, &seen, &*act));
            }
        });
        Self { dir, socket, seen: kept }
    }

    /// What has come so far, of one kind.
    pub fn seen(&self, kind: &str) -> Vec<Came> {
        let mut seen = self.seen.lock().expect("what was seen").clone();
        seen.retain(|came| came.message["type"] == kind);
        seen
    }

    /// Where it listens, as text.
    pub fn at(&self) -> String {
        self.socket.display().to_string()
    }
}

fn serve(
    mut stream: UnixStream,
    connection: usize,
    seen: &Mutex<Vec<Came>>,
    act: &dyn Fn(&str, usize, &serde_json::Value) -> Do,
) {
    let mut length = [0; 4];
    while stream.read_exact(&mut length).is_ok() {
        let mut text = vec![0; u32::from_le_bytes(length) as usize];
        if stream.read_exact(&mut text).is_err() {
            return;
        }
        let message: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
        let kind = message["type"].as_str().expect("a kind").to_owned();
        let before = {
            let mut seen = seen.lock().expect("what was seen");
            let before = seen.iter().filter(|came| came.message["type"] == kind).count();
            seen.push(Came { connection, message: message.clone() });
            before
        };
        let id = message["request_id"].as_u64();
        let said = match act(&kind, before, &message) {
            Do::Say(bytes) => stream.write_all(&numbered(&bytes, id)),
            Do::SayAndClose(bytes) => {
                let _ = stream.write_all(&numbered(&bytes, id));
                return;
            }
            Do::Reset => return,
            Do::Silence => continue,
            Do::Late(time, bytes) => {
                std::thread::sleep(time);
                stream.write_all(&numbered(&bytes, id))
            }
        };
        if said.is_err() {
            return;
        }
    }
}

/// Frames with the number of the request in the place of the recorded one.
fn numbered(mut bytes: &[u8], id: Option<u64>) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    while let Some(head) = bytes.first_chunk::<4>() {
        let length = u32::from_le_bytes(*head) as usize;
        let Some(text) = bytes.get(4..4 + length).and_then(|text| std::str::from_utf8(text).ok()) else { break };
        let field = "\"request_id\":";
        let text = match (text.find(field), id) {
            (Some(at), Some(id)) => {
                let after = text[at + field.len()..].trim_start_matches(|c: char| c.is_ascii_digit());
                format!("{}{id}{after}", &text[..at + field.len()])
            }
            _ => text.to_owned(),
        };
        out.extend(frame(&text));
        bytes = &bytes[4 + length..];
    }
    out.extend_from_slice(bytes);
    out
}

/// A frame of a text.
pub fn frame(text: &str) -> Vec<u8> {
    let mut bytes = u32::try_from(text.len()).expect("a length").to_le_bytes().to_vec();
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

/// The bytes of a recorded case.
pub fn recorded(case: &str) -> Vec<u8> {
    let path = folder().join(format!("{case}.bin"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Where the recorded cases are.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures/gg-core-0.8.2")
}

/// What a healthy one says to each kind of message.
pub fn healthy(kind: &str) -> Do {
    Do::Say(recorded(match kind {
        "handshake" => "handshake",
        "models_request" => "models",
        "warmup_request" => "warmup",
        _ => "generate",
    }))
}
