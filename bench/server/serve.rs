//! The server: one thread that waits for all sockets at once, answers what has come, and writes down when.

use super::answers::{Answers, Wire};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

const LISTENER: Token = Token(usize::MAX);
const END: Token = Token(usize::MAX - 1);

/// What is served, and when.
#[derive(Default)]
pub struct Options {
    wire: Wire,
    chunks: Option<usize>,
    first: Duration,
    gap: Duration,
    record: Option<PathBuf>,
}

impl Options {
    pub fn of(given: &[String]) -> io::Result<Self> {
        let mut options = Self::default();
        let mut words = given.iter();
        while let Some(word) = words.next() {
            if word == "--openai" {
                options.wire = Wire::OpenAi;
                continue;
            }
            let value = words.next().ok_or_else(|| io::Error::other(format!("{word}: its value is missing")))?;
            let number = || value.parse::<f64>().map_err(|_| io::Error::other(format!("{word} {value}: no number")));
            match word.as_str() {
                "--stream" => options.chunks = Some(number()? as usize),
                "--first-ms" => options.first = Duration::from_secs_f64(number()? / 1e3),
                "--gap-ms" => options.gap = Duration::from_secs_f64(number()? / 1e3),
                "--record" => options.record = Some(value.into()),
                _ => return Err(io::Error::other(format!("no option is called {word}"))),
            }
        }
        Ok(options)
    }
}

/// A connection, and the request that is being answered on it.
struct Connection {
    stream: TcpStream,
    input: Vec<u8>,
    /// When the first byte of this request was read.
    arrived: Option<Instant>,
    /// The number in the prompt, `request number N`, by which a client's row is found.
    number: Option<u32>,
    first: Option<Instant>,
    /// Bytes that the socket had no room for.
    waiting: Vec<u8>,
}

struct Row {
    number: u32,
    arrived: Duration,
    first: Duration,
    last: Duration,
}

struct Server {
    options: Options,
    answers: Answers,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    /// Pieces that are written later: when, of which connection, which piece.
    due: BinaryHeap<Reverse<(Instant, usize, usize)>>,
    rows: Vec<Row>,
    started: Instant,
    answered: u64,
}

/// Serves until the standard input ends; then prints what it cost, as JSON.
pub fn run(options: Options) -> io::Result<()> {
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::bind("127.0.0.1:0".parse().map_err(io::Error::other)?)?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let waker = Arc::new(Waker::new(poll.registry(), END)?);
    println!("http://{}", listener.local_addr()?);
    // It is held here, too: one that is dropped takes its event with it.
    let wakes = waker.clone();
    std::thread::spawn(move || {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        let _ = wakes.wake();
    });
    let mut server = Server {
        answers: Answers::new(options.wire, options.chunks),
        options,
        connections: Vec::new(),
        free: Vec::new(),
        due: BinaryHeap::new(),
        rows: Vec::new(),
        started: Instant::now(),
        answered: 0,
    };
    let mut events = Events::with_capacity(1024);
    'serving: loop {
        let wait = server.due.peek().map(|Reverse((at, ..))| at.saturating_duration_since(Instant::now()));
        match poll.poll(&mut events, wait) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            told => told?,
        }
        for event in &events {
            match event.token() {
                END => break 'serving,
                LISTENER => server.accept(&listener, &poll)?,
                Token(at) => server.ready(at, event.is_readable(), event.is_writable()),
            }
        }
        server.write_due();
    }
    if let Some(path) = &server.options.record {
        let mut file = io::BufWriter::new(std::fs::File::create(path)?);
        writeln!(file, "number,arrived_us,first_us,last_us")?;
        let us = |at: Duration| at.as_nanos() as f64 / 1e3;
        for row in &server.rows {
            writeln!(file, "{},{:.3},{:.3},{:.3}", row.number, us(row.arrived), us(row.first), us(row.last))?;
        }
        file.flush()?;
    }
    println!("{{\"answered\": {}, \"cpu_s\": {:.2}}}", server.answered, super::cpu_s());
    Ok(())
}

/// Where the head of a request ends, its path, and the length of its body.
fn head_of(input: &[u8]) -> Option<(usize, &str, usize)> {
    let end = memchr::memmem::find(input, b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&input[..end]).unwrap_or_default();
    let path = head.split(' ').nth(1).unwrap_or_default();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    Some((end, path, length.unwrap_or(0)))
}

/// What stands before the number in a prompt that has one.
pub const BEFORE: &[u8] = b"request number ";

/// The number in a prompt that has one.
fn number_in(body: &[u8]) -> Option<u32> {
    let at = memchr::memmem::find(body, BEFORE)? + BEFORE.len();
    let digits = body[at..].iter().take_while(|byte| byte.is_ascii_digit());
    Some(digits.fold(0, |number, digit| number * 10 + u32::from(digit - b'0')))
}

impl Server {
    fn accept(&mut self, listener: &TcpListener, poll: &Poll) -> io::Result<()> {
        loop {
            let mut stream = match listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            stream.set_nodelay(true)?;
            let at = self.free.pop().unwrap_or_else(|| {
                self.connections.push(None);
                self.connections.len() - 1
            });
            poll.registry().register(&mut stream, Token(at), Interest::READABLE | Interest::WRITABLE)?;
            self.connections[at] = Some(Connection {
                stream,
                input: Vec::with_capacity(4096),
                arrived: None,
                number: None,
                first: None,
                waiting: Vec::new(),
            });
        }
    }

    fn ready(&mut self, at: usize, readable: bool, writable: bool) {
        let Some(connection) = self.connections.get_mut(at).and_then(Option::as_mut) else { return };
        if writable && !connection.waiting.is_empty() {
            let rest = std::mem::take(&mut connection.waiting);
            put(connection, &rest);
        }
        if !readable {
            return;
        }
        let mut space = [0_u8; 16_384];
        loop {
            match connection.stream.read(&mut space) {
                Ok(0) => break self.close(at),
                Ok(n) => {
                    connection.arrived.get_or_insert_with(Instant::now);
                    connection.input.extend_from_slice(&space[..n]);
                    if n < space.len() {
                        break self.answer(at);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break self.answer(at),
                Err(_) => break self.close(at),
            }
        }
    }

    fn close(&mut self, at: usize) {
        if self.connections[at].take().is_some() {
            self.free.push(at);
        }
    }

    /// Answers the request that has come as a whole, or has it answered later.
    fn answer(&mut self, at: usize) {
        let Some(connection) = self.connections[at].as_mut() else { return };
        let Some((head, path, length)) = head_of(&connection.input) else { return };
        if connection.input.len() < head + length {
            return;
        }
        if path != self.options.wire.path() {
            let about = Answers::about(path);
            put(connection, &about);
            connection.input.clear();
            connection.arrived = None;
            return;
        }
        connection.number =
            self.options.record.is_some().then(|| number_in(&connection.input[head..head + length]).unwrap_or(0));
        connection.input.drain(..head + length);
        if self.options.first.is_zero() && self.options.gap.is_zero() {
            for piece in 0..self.answers.pieces.len() {
                self.write(at, piece);
            }
        } else {
            self.due.push(Reverse((Instant::now() + self.options.first, at, 0)));
        }
    }

    fn write_due(&mut self) {
        while let Some(Reverse((when, at, piece))) = self.due.peek().copied()
            && when <= Instant::now()
        {
            self.due.pop();
            self.write(at, piece);
            if self.connections[at].is_some() && piece + 1 < self.answers.pieces.len() {
                self.due.push(Reverse((when + self.options.gap, at, piece + 1)));
            }
        }
    }

    /// Writes a piece, and after the last one a row.
    fn write(&mut self, at: usize, piece: usize) {
        let Some(connection) = self.connections[at].as_mut() else { return };
        let pieces = &self.answers.pieces;
        if self.options.record.is_some() && piece == 0 {
            connection.first = Some(Instant::now());
        }
        let last = (self.options.record.is_some() && piece + 1 == pieces.len()).then(Instant::now);
        put(connection, &pieces[piece]);
        if piece + 1 < pieces.len() {
            return;
        }
        self.answered += 1;
        let arrived = connection.arrived.take();
        if let (Some(number), Some(arrived), Some(first), Some(last)) =
            (connection.number, arrived, connection.first, last)
        {
            let of = |at: Instant| at.duration_since(self.started);
            self.rows.push(Row { number, arrived: of(arrived), first: of(first), last: of(last) });
        }
    }
}

/// Writes bytes, and keeps those that there is no room for.
fn put(connection: &mut Connection, bytes: &[u8]) {
    if !connection.waiting.is_empty() {
        return connection.waiting.extend_from_slice(bytes);
    }
    let written = match connection.stream.write(bytes) {
        Ok(written) => written,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
        Err(_) => return,
    };
    connection.waiting.extend_from_slice(&bytes[written..]);
}
