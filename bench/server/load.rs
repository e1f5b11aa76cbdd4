//! A bare client: sends one request over and over on each connection, counts bytes, reads nothing. What it gets is what the
//! server can do.

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

struct Connection {
    stream: TcpStream,
    /// Bytes of this answer that are still to come.
    missing: usize,
}

/// The length of an answer, by one that is asked for and read to its end.
fn length_of(address: std::net::SocketAddr, request: &[u8]) -> io::Result<usize> {
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

/// `HOST:PORT PATH BODY-FILE CONNECTIONS SECONDS`: prints answers per second and the CPU of one, as JSON.
pub fn run(given: &[String]) -> io::Result<()> {
    let [address, path, body, connections, seconds] = given else {
        return Err(io::Error::other("load: HOST:PORT PATH BODY-FILE CONNECTIONS SECONDS"));
    };
    let address: std::net::SocketAddr = address.parse().map_err(io::Error::other)?;
    let number = |text: &str| text.parse::<f64>().map_err(io::Error::other);
    let body = std::fs::read(body)?;
    let mut request = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(&body);
    let length = length_of(address, &request)?;
    let mut poll = Poll::new()?;
    let mut all = Vec::new();
    for at in 0..number(connections)? as usize {
        let mut stream = TcpStream::from_std({
            let stream = std::net::TcpStream::connect(address)?;
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            stream
        });
        poll.registry().register(&mut stream, Token(at), Interest::READABLE)?;
        stream.write_all(&request)?;
        all.push(Connection { stream, missing: length });
    }
    let mut events = Events::with_capacity(1024);
    let (begun, cpu) = (Instant::now(), super::cpu_s());
    let until = begun + Duration::from_secs_f64(number(seconds)?);
    let mut answered = 0_u64;
    let mut space = vec![0_u8; 65_536];
    while Instant::now() < until {
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
                connection.missing = connection.missing.saturating_sub(n);
                if connection.missing == 0 {
                    answered += 1;
                    connection.missing = length;
                    connection.stream.write_all(&request)?;
                }
                if n < space.len() {
                    break;
                }
            }
        }
    }
    let wall = begun.elapsed().as_secs_f64();
    println!(
        "{{\"per_s\": {:.1}, \"cpu_us\": {:.2}}}",
        answered as f64 / wall,
        (super::cpu_s() - cpu) / answered.max(1) as f64 * 1e6
    );
    Ok(())
}
