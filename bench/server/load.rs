//! A bare client: sends one request over and over on each connection, counts bytes, reads nothing. What it gets is what the
//! server can do, and how late it sees a first byte is what the machine's sockets and wake-ups take.

use super::serve::BEFORE;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Digits of a request's number where each has one: all requests are as long.
const DIGITS: usize = 6;

struct Connection {
    stream: TcpStream,
    /// Bytes of this answer that are still to come.
    missing: usize,
    /// The number of its request, when that was sent, and when the first bytes of its answer were there.
    number: u32,
    sent: Instant,
    first: Option<Instant>,
}

/// The length of an answer, by one that is asked for and read to its end.
fn length_of(address: SocketAddr, request: &[u8]) -> io::Result<usize> {
    let mut stream = std::net::TcpStream::connect(address)?;
    stream.write_all(request)?;
    let mut got = Vec::new();
    let mut space = [0_u8; 65_536];
    loop {
        let n = stream.read(&mut space)?;
        got.extend_from_slice(&space[..n]);
        let Some(head) = memchr::memmem::find(&got, b"\r\n\r\n") else { continue };
        let text = String::from_utf8_lossy(&got[..head]);
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
        match length {
            Some(length) if got.len() >= head + 4 + length => return Ok(got.len()),
            None if got.ends_with(b"0\r\n\r\n") => return Ok(got.len()),
            _ if n == 0 => return Err(io::Error::other("the server closed the connection")),
            _ => {}
        }
    }
}

/// What is sent, and how often.
struct Client {
    request: Vec<u8>,
    /// Where the number stands in it, if each request has its own.
    number_at: Option<usize>,
    begun: Instant,
    sent: u32,
    most: u32,
    rows: Vec<[f64; 4]>,
}

impl Client {
    fn send(&mut self, connection: &mut Connection, length: usize) -> io::Result<()> {
        self.sent += 1;
        if let Some(at) = self.number_at {
            self.request[at..at + DIGITS].copy_from_slice(format!("{:0DIGITS$}", self.sent).as_bytes());
        }
        (connection.missing, connection.number, connection.first) = (length, self.sent, None);
        connection.sent = Instant::now();
        connection.stream.write_all(&self.request)
    }

    /// Takes the bytes of a read; whether the answer is complete.
    fn take(&mut self, connection: &mut Connection, n: usize) -> bool {
        connection.missing = connection.missing.saturating_sub(n);
        if self.number_at.is_some() {
            let now = Instant::now();
            let first = *connection.first.get_or_insert(now);
            if connection.missing == 0 {
                let us = |at: Instant| at.duration_since(self.begun).as_nanos() as f64 / 1e3;
                self.rows.push([f64::from(connection.number), us(connection.sent), us(first), us(now)]);
            }
        }
        connection.missing == 0
    }
}

/// `HOST:PORT PATH BODY-FILE CONNECTIONS SECONDS [REQUESTS FILE]`: prints answers per second and the CPU of one, as JSON. With
/// the last two it sends so many at most, each with a number, and writes down when each was sent, and its answer read.
pub fn run(given: &[String]) -> io::Result<()> {
    let (given, recorded) = given.split_at(given.len().min(5));
    let [address, path, body, connections, seconds] = given else {
        return Err(io::Error::other("load: HOST:PORT PATH BODY-FILE CONNECTIONS SECONDS [REQUESTS FILE]"));
    };
    let address: SocketAddr = address.parse().map_err(io::Error::other)?;
    let number = |text: &str| text.parse::<f64>().map_err(io::Error::other);
    let body = std::fs::read(body)?;
    let mut request = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(&body);
    let length = length_of(address, &request)?;
    let most = recorded.first().map_or(Ok(f64::from(u32::MAX)), |count| number(count))? as u32;
    let number_at = memchr::memmem::find(&request, BEFORE).map(|at| at + BEFORE.len());
    let mut client = Client {
        request,
        number_at: number_at.filter(|_| !recorded.is_empty()),
        begun: Instant::now(),
        sent: 0,
        most,
        rows: Vec::new(),
    };
    let mut poll = Poll::new()?;
    let mut all = Vec::new();
    for at in 0..number(connections)? as usize {
        let stream = std::net::TcpStream::connect(address)?;
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let mut stream = TcpStream::from_std(stream);
        poll.registry().register(&mut stream, Token(at), Interest::READABLE)?;
        all.push(Connection { stream, missing: length, number: 0, sent: client.begun, first: None });
    }
    let cpu = super::cpu_s();
    client.begun = Instant::now();
    for connection in &mut all {
        client.send(connection, length)?;
    }
    let mut events = Events::with_capacity(1024);
    let until = client.begun + Duration::from_secs_f64(number(seconds)?);
    let mut answered = 0_u32;
    let mut space = vec![0_u8; 65_536];
    while answered < client.most && Instant::now() < until {
        poll.poll(&mut events, Some(Duration::from_millis(100)))?;
        for event in &events {
            let connection = &mut all[event.token().0];
            loop {
                let n = match connection.stream.read(&mut space) {
                    Ok(0) => return Err(io::Error::other("the server closed a connection")),
                    Ok(n) => n,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                };
                if client.take(connection, n) {
                    answered += 1;
                    if client.sent < client.most {
                        client.send(connection, length)?;
                    }
                }
                if n < space.len() {
                    break;
                }
            }
        }
    }
    let wall = client.begun.elapsed().as_secs_f64();
    let cpu_us = (super::cpu_s() - cpu) / f64::from(answered.max(1)) * 1e6;
    println!("{{\"per_s\": {:.1}, \"cpu_us\": {cpu_us:.2}}}", f64::from(answered) / wall);
    let Some(file) = recorded.get(1) else { return Ok(()) };
    let mut file = io::BufWriter::new(std::fs::File::create(file)?);
    writeln!(file, "item,sent_us,first_token_us,end_us")?;
    for [number, sent, first, end] in &client.rows {
        writeln!(file, "{number},{sent:.3},{first:.3},{end:.3}")?;
    }
    file.flush()
}
