//! A server of a few lines that does with each request what a test says: it answers, falls silent, closes, refuses. It speaks
//! HTTP/1.1 over raw sockets, and keeps what came when.

#![allow(dead_code)] // Each test program uses a part.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// What becomes of a request.
pub enum Do {
    /// A complete answer after this time; the connection stays.
    Answer(Duration),
    /// A complete answer after the first time; the connection is closed the second time later, without a word.
    AnswerAndClose(Duration, Duration),
    /// The connection is closed after this time, without a byte.
    Close(Duration),
    /// These bytes as they are, and then a close.
    Say(String),
    /// These bytes as they are; the connection stays.
    Reply(String),
    /// A stream of server-sent events: each piece of text after its wait, then a usage with their number and the end mark.
    Stream(Vec<(Duration, &'static str)>),
}

/// A request, as it came.
pub struct Came {
    pub at: Instant,
    /// Number of its connection, from 0, and of the request on it, from 0.
    pub connection: usize,
    pub place: usize,
    pub body: String,
}

/// What a server saw.
#[derive(Default)]
pub struct Seen {
    pub posts: Vec<Came>,
    /// Of each stream, when its pieces were handed to the socket.
    pub streams: Vec<Vec<Instant>>,
    pub connections: usize,
}

/// A running server; it ends with the test's process.
pub struct Raw {
    pub url: String,
    seen: Arc<Mutex<Seen>>,
}

impl Raw {
    /// Starts one. `act` is told the number of the request among all, and its place on its connection, both from 0.
    pub fn start(act: impl Fn(usize, usize) -> Do + Send + Sync + 'static) -> Self {
        Self::start_with(|_| None, move |number, place, _| act(number, place))
    }

    /// Starts one that looks at a request's body.
    pub fn start_by_body(act: impl Fn(&str) -> Do + Send + Sync + 'static) -> Self {
        Self::start_with(|_| None, move |_, _, body| act(body))
    }

    /// The same, which also answers what isn't posted, by its first line (`GET /props HTTP/1.1`).
    pub fn start_telling(
        tell: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
        act: impl Fn(&str) -> Do + Send + Sync + 'static,
    ) -> Self {
        Self::start_with(tell, move |_, _, body| act(body))
    }

    fn start_with(
        tell: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
        act: impl Fn(usize, usize, &str) -> Do + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (seen, act, tell) = (Arc::<Mutex<Seen>>::default(), Arc::new(act), Arc::new(tell));
        let kept = seen.clone();
        std::thread::spawn(move || {
            while let Ok((socket, _)) = listener.accept() {
                let (seen, act, tell) = (seen.clone(), act.clone(), tell.clone());
                std::thread::spawn(move || serve(socket, &seen, &*tell, &*act));
            }
        });
        Self { url, seen: kept }
    }

    /// What it has seen so far.
    pub fn seen<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&self.seen.lock().expect("what was seen"))
    }

    /// A target of a scenario that asks it.
    pub fn target(&self, name: &str) -> String {
        format!(
            "  {name}: {{ json: {{ url: \"{}\", path: /x, body: {{ p: \"{{{{prompt}}}}\" }}, answer: {{ text: /text, \
             output_tokens: /n, finish: /finish }} }} }}\n",
            self.url
        )
    }
}

const BODY: &str = r#"{"text":"yes it is","n":3,"finish":"stop"}"#;

/// An answer with a status, headers (each with its line's end) and a body.
pub fn response(status: &str, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn serve(
    mut socket: TcpStream,
    seen: &Mutex<Seen>,
    tell: &dyn Fn(&str) -> Option<String>,
    act: &dyn Fn(usize, usize, &str) -> Do,
) {
    let _ = socket.set_nodelay(true);
    let (mut connection, mut place) = (None, 0);
    let mut kept = Vec::new();
    while let Some((head, body)) = request(&mut socket, &mut kept) {
        if !head.starts_with("POST") {
            let told = tell(&head).unwrap_or_else(|| response("404 Not Found", "", "{}"));
            if socket.write_all(told.as_bytes()).is_err() {
                return;
            }
            continue;
        }
        let number = {
            let mut seen = seen.lock().expect("what was seen");
            let mine = *connection.get_or_insert_with(|| {
                seen.connections += 1;
                seen.connections - 1
            });
            seen.posts.push(Came { at: Instant::now(), connection: mine, place, body: body.clone() });
            seen.posts.len() - 1
        };
        let answer = response("200 OK", "", BODY);
        let told = match act(number, place, &body) {
            Do::Answer(after) => {
                sleep(after);
                socket.write_all(answer.as_bytes())
            }
            Do::AnswerAndClose(after, later) => {
                sleep(after);
                let _ = socket.write_all(answer.as_bytes());
                sleep(later);
                return;
            }
            Do::Close(after) => {
                sleep(after);
                return;
            }
            Do::Say(bytes) => {
                let _ = socket.write_all(bytes.as_bytes());
                return;
            }
            Do::Reply(bytes) => socket.write_all(bytes.as_bytes()),
            Do::Stream(pieces) => stream(&mut socket, seen, &pieces),
        };
        if told.is_err() {
            return;
        }
        place += 1;
    }
}

fn stream(socket: &mut TcpStream, seen: &Mutex<Seen>, pieces: &[(Duration, &str)]) -> std::io::Result<()> {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    socket.write_all(head.as_bytes())?;
    let mut event = |json: &str| {
        let event = format!("data: {json}\n\n");
        socket.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes())
    };
    let mut sent = Vec::new();
    for (wait, text) in pieces {
        sleep(*wait);
        sent.push(Instant::now());
        event(&format!(
            "{{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":null}}]}}"
        ))?;
    }
    event("{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}")?;
    let n = pieces.len();
    event(&format!(
        "{{\"choices\":[],\"usage\":{{\"prompt_tokens\":5,\"completion_tokens\":{n},\"total_tokens\":{}}}}}",
        n + 5
    ))?;
    event("[DONE]")?;
    seen.lock().expect("what was seen").streams.push(sent);
    socket.write_all(b"0\r\n\r\n")
}

/// The head and the body of the next request; `None` at the end. What came after it is in `kept`.
pub fn request(socket: &mut impl Read, kept: &mut Vec<u8>) -> Option<(String, String)> {
    let mut buffer = [0; 65536];
    loop {
        if let Some(at) = kept.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&kept[..at]).into_owned();
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
            });
            let end = at + 4 + length.unwrap_or(0);
            if kept.len() >= end {
                let body = String::from_utf8_lossy(&kept[at + 4..end]).into_owned();
                kept.drain(..end);
                return Some((head, body));
            }
        }
        match socket.read(&mut buffer) {
            Ok(0) | Err(_) => return None,
            Ok(n) => kept.extend_from_slice(&buffer[..n]),
        }
    }
}
