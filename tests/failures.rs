//! Why requests failed, as people and programs read it: an engine that fails in known ways, run by the program.

use crate::cli::{StandIn, ask, json, number, rows, write};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// An OpenAI server that answers question number n (from 0) as `answer` says: status and body. Its address.
fn serve(answer: impl Fn(u64) -> (u16, String) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let (answer, asked) = (Arc::new(answer), Arc::new(AtomicU64::new(0)));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (answer, asked) = (answer.clone(), asked.clone());
            std::thread::spawn(move || connection(stream, &*answer, &asked));
        }
    });
    url
}

fn connection(mut stream: TcpStream, answer: &dyn Fn(u64) -> (u16, String), asked: &AtomicU64) {
    let _ = stream.set_nodelay(true);
    let mut all = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let head = loop {
            if let Some(at) = all.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            match stream.read(&mut buffer) {
                Ok(n) if n > 0 => all.extend_from_slice(&buffer[..n]),
                _ => return,
            }
        };
        let text = String::from_utf8_lossy(&all[..head]).to_lowercase();
        let length =
            text.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok()).unwrap_or(0);
        while all.len() < head + length {
            match stream.read(&mut buffer) {
                Ok(n) if n > 0 => all.extend_from_slice(&buffer[..n]),
                _ => return,
            }
        }
        all.drain(..head + length);
        let (status, body) = match text.split(' ').nth(1) {
            Some("/v1/chat/completions" | "/v1/completions") => answer(asked.fetch_add(1, Relaxed)),
            Some("/v1/models") => (200, r#"{"object":"list","data":[{"id":"m","object":"model"}]}"#.to_owned()),
            _ => (404, r#"{"error":{"message":"no such path"}}"#.to_owned()),
        };
        let head =
            format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
        if stream.write_all((head + &body).as_bytes()).is_err() {
            return;
        }
    }
}

fn good() -> (u16, String) {
    let usage = r#""usage":{"prompt_tokens":5,"completion_tokens":2}"#;
    let choice = r#"{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"a b"}}"#;
    (200, format!(r#"{{"object":"chat.completion","choices":[{choice}],{usage}}}"#))
}

fn scenario(a: &str, b: &str) -> String {
    format!(
        "name: t\ntask: generate\nseed: 5\ntargets:\n  a: {{ openai: {{ url: \"{a}\", model: m }} }}\n  b: {{ openai: {{ url: \
         \"{b}\", model: m }} }}\nreference: b\nworkload: {{ prompts: {{ synthetic: {{ count: 40, words: {{ uniform: {{ min: 3, \
         max: 12 }} }} }} }}, sampling: {{ max_tokens: 16 }}, stream: false }}\nload: {{ closed: {{ users: 1, requests: 40 }} }}\n\
         allow_same_endpoint: true\n"
    )
}

/// 30 % of the requests fail, for two reasons; each of one kind has an id of its own, and the other is full of markup.
#[test]
fn two_reasons_stand_in_every_file_with_exact_counts_and_times() {
    // Number 0 is the cold one.
    let a = serve(|n| match n % 10 {
        3 => (500, format!(r#"{{"error":{{"message":"request req_{n} ran out of memory after {}.5 s"}}}}"#, n * 7)),
        6 | 9 => (502, r#"{"error":{"message":"=CUDA <b>error</b> 700 | broken"}}"#.to_owned()),
        _ => good(),
    });
    let b = serve(|_| good());
    let dir = tempfile::tempdir().expect("a directory");
    write(dir.path(), "t.yaml", &scenario(&a, &b));
    let (_, table, err) = ask(dir.path(), &["run", "t.yaml", "--out", "out", "--quiet"]);
    let out = dir.path().join("out");
    let samples = rows(&out.join("samples.csv"));
    let mut want = Vec::new();
    for (status, reason, count) in
        [("502", "=CUDA <b>error</b> 700 | broken", 8), ("500", "request req_# ran out of memory after # s", 4)]
    {
        let failed = samples.iter().filter(|row| row["phase"] == "measure" && row["http_status"] == status);
        let ends: Vec<f64> = failed.filter_map(|row| number(row, "end_us")).collect();
        assert_eq!(ends.len(), count, "{err}");
        let (first, last) = ends.iter().fold((f64::INFINITY, 0_f64), |(low, high), x| (low.min(*x), high.max(*x)));
        want.push((status, reason, count, first / 1e6, last / 1e6));
    }

    let sheet = rows(&out.join("failures.csv"));
    let target = &json(&out.join("report.json"))["targets"][0];
    let listed = target["failures"].as_array().expect("reasons");
    assert_eq!((sheet.len(), listed.len()), (2, 2), "{sheet:?}");
    for (((status, reason, count, first, last), row), told) in want.iter().zip(&sheet).zip(listed) {
        assert_eq!(
            (row["target"].as_str(), row["outcome"].as_str(), row["stand_in"].as_str()),
            ("a", "http_status", "false")
        );
        assert_eq!((row["http_status"].as_str(), row["requests"].as_str()), (*status, count.to_string().as_str()));
        // No spreadsheet is to take it for a formula.
        assert_eq!(row["reason"].trim_start_matches('\''), *reason);
        assert!(!row["reason"].starts_with('='));
        for (column, time) in [("first_s", first), ("last_s", last)] {
            assert!((number(row, column).expect("a time") - time).abs() < 2e-6, "{column}: {row:?}, not {time}");
            assert_eq!(told[column].as_f64(), number(row, column));
        }
        assert_eq!((told["words"].as_str(), told["count"].as_u64()), (Some(*reason), Some(*count as u64)));
        assert_eq!(told["outcome"], "http_status");
    }

    // What people read: the same lines, and nothing an engine says is markup.
    let comment = std::fs::read_to_string(out.join("report.md")).expect("a comment");
    let page = std::fs::read_to_string(out.join("report.html")).expect("a page");
    let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    for words in
        ["a 8 ", "HTTP 502: =CUDA <b>error</b> 700 | broken", "HTTP 500: request req_# ran out of memory after # s"]
    {
        assert!(squeezed(&table).contains(words), "{words}\n{table}");
    }
    assert!(comment.contains("| a | 8 | ") && comment.contains("| a | 4 | "), "{comment}");
    assert!(comment.contains(r"| HTTP 502: =CUDA &lt;b&gt;error&lt;/b&gt; 700 \| broken |"), "{comment}");
    assert!(comment.contains(r"| HTTP 500: request req\_&#35; ran out of memory after &#35; s |"), "{comment}");
    assert!(
        page.contains("Why requests failed") && page.contains("=CUDA &#60;b&#62;error&#60;/b&#62; 700 | broken"),
        "page"
    );
    assert!(page.contains("<td>8</td>") && page.contains("<td>4</td>"));
    assert!(!page.contains("<b>error"));

    // Told again from the rows, it is the same.
    let files = ["failures.csv", "report.json", "report.md", "report.html"];
    let read = || files.map(|name| std::fs::read_to_string(out.join(name)).expect("a file"));
    let before = read();
    let (_, again, _) = ask(dir.path(), &["report", "out"]);
    assert_eq!(again, table);
    assert!(read() == before, "another when it is told again");
}

/// As many reasons as requests: the list stays short, and every failure is in it.
#[test]
fn an_engine_with_ever_new_words_gets_a_short_list() {
    let letters = |n: u64| [n / 26, n].map(|n| char::from(b'a' + (n % 26) as u8)).iter().collect::<String>();
    let a = serve(move |n| match n {
        0 => good(),
        n => (500, format!(r#"{{"error":{{"message":"oops {}"}}}}"#, letters(n))),
    });
    let b = serve(|_| good());
    let dir = tempfile::tempdir().expect("a directory");
    write(dir.path(), "t.yaml", &scenario(&a, &b));
    let (_, table, err) = ask(dir.path(), &["run", "t.yaml", "--out", "out", "--quiet"]);
    let sheet = rows(&dir.path().join("out/failures.csv"));
    assert_eq!(sheet.len(), 21, "{err}");
    assert_eq!(sheet.iter().filter_map(|row| number(row, "requests")).sum::<f64>(), 40.0);
    assert_eq!((sheet[20]["reason"].as_str(), sheet[20]["requests"].as_str()), ("other reasons", "20"));
    assert!(table.contains("other reasons"), "{table}");
}

/// A run in which nothing failed has no table, and a file of a header alone.
#[test]
fn where_nothing_failed_there_is_no_table() {
    let b = StandIn::start(&["--decode-rate", "20000", "--model", "m"]);
    let dir = tempfile::tempdir().expect("a directory");
    write(dir.path(), "t.yaml", &scenario(&b.url, &b.url));
    let (_, table, err) = ask(dir.path(), &["run", "t.yaml", "--out", "out", "--quiet"]);
    assert!(!table.contains("why requests failed"), "{table}{err}");
    assert!(rows(&dir.path().join("out/failures.csv")).is_empty());
    for (name, words) in [("report.md", "why requests failed"), ("report.html", "id=\"failures\"")] {
        let text = std::fs::read_to_string(dir.path().join("out").join(name)).expect("a file");
        assert!(!text.contains(words), "{name}");
    }
}
