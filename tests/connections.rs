//! Connections that die, engines that refuse, and what loadcmp makes of both: raw sockets, and the program as people run it.

use crate::cli::{Row, ask, json, number, rows, write};
use crate::raw::{Do, Raw, response};
use std::path::Path;
use std::time::Duration;

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Runs a scenario over some targets; the exit code, what was printed, and the rows of the measured window.
fn run(dir: &Path, targets: &[String], load: &str, more: &str) -> (i32, String, Vec<Row>) {
    let text = format!(
        "name: t\ntask: generate\ntargets:\n{}workload: {{ prompts: {{ synthetic: {{ count: 8, words: {{ fixed: 5 }} }} }}, \
         sampling: {{ max_tokens: 8 }} }}\nload: {{ {load} }}\n{more}",
        targets.concat()
    );
    write(dir, "t.yaml", &text);
    let (code, out, err) = ask(dir, &["run", "t.yaml", "--out", "out"]);
    let all = rows(&dir.join("out/samples.csv"));
    let measured = all.into_iter().filter(|row| row["phase"] == "measure").collect();
    (code, format!("{out}{err}"), measured)
}

/// The findings of a run, by id.
fn findings(dir: &Path, id: &str) -> Vec<(String, String)> {
    let report = json(&dir.join("out/report.json"));
    let all = report["findings"].as_array().expect("findings").clone();
    let word = |finding: &serde_json::Value, field: &str| finding[field].as_str().unwrap_or_default().to_owned();
    all.iter().filter(|f| f["id"] == id).map(|f| (word(f, "severity"), word(f, "sentence"))).collect()
}

fn count(rows: &[Row], column: &str, value: &str) -> usize {
    rows.iter().filter(|row| row[column] == value).count()
}

#[test]
fn a_crash_after_a_second_of_work_is_a_failed_row_that_took_a_second() {
    let dir = tempfile::tempdir().expect("a directory");
    // The third request of every connection dies when the engine has worked on it for a second.
    let server = Raw::start(|_, place| if place == 2 { Do::Close(ms(1000)) } else { Do::Answer(ms(2)) });
    let (_, told, rows) = run(dir.path(), &[server.target("a")], "closed: { users: 1, requests: 9, warmup: 0s }", "");
    assert_eq!(rows.len(), 9, "{told}");
    let failed: Vec<&Row> = rows.iter().filter(|row| row["outcome"] == "connect").collect();
    assert_eq!(failed.len(), 3, "{told}");
    for row in &failed {
        assert!(number(row, "latency_us").is_some_and(|us| us >= 990_000.0), "{row:?}");
        assert_eq!((row["retries"].as_str(), row["http_status"].as_str()), ("0", ""));
    }
    assert_eq!(count(&rows, "outcome", "ok"), 6);
    // Nothing was asked twice: nine measured requests and the first one.
    assert_eq!(server.seen(|seen| seen.posts.len()), 10);
}

#[test]
fn what_was_dead_when_it_was_written_is_sent_again_and_counts_from_the_first_time() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Raw::start(|_, place| if place == 19 { Do::Close(ms(0)) } else { Do::Answer(ms(1)) });
    let (_, told, rows) = run(dir.path(), &[server.target("a")], "closed: { users: 1, requests: 100, warmup: 0s }", "");
    let died = server.seen(|seen| seen.posts.iter().filter(|post| post.place == 19).count());
    assert!(died >= 4, "{told}");
    let again = count(&rows, "retries", "1");
    // On a busy machine the close itself may come late: then the engine had it for a while, and it is a failure.
    let failed: Vec<&Row> = rows.iter().filter(|row| row["outcome"] == "connect").collect();
    assert!(failed.iter().all(|row| number(row, "latency_us").is_some_and(|us| us > 5_000.0)), "{told}");
    assert_eq!(again + failed.len(), died, "{told}");
    assert_eq!(again + rows.len() + 1, server.seen(|seen| seen.posts.len()), "{told}");
}

#[test]
fn a_connection_that_was_closed_before_is_opened_anew_and_named_as_the_engines_doing() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Raw::start(|_, _| Do::AnswerAndClose(ms(1), ms(0)));
    let load = "closed: { users: 1, requests: 20, think: 100ms, warmup: 0s }";
    let (_, told, rows) = run(dir.path(), &[server.target("a")], load, "");
    assert_eq!(count(&rows, "outcome", "ok"), 20, "{told}");
    assert!(count(&rows, "connection", "closed") >= 15, "{rows:?}");
    let found = findings(dir.path(), "reconnects");
    assert!(found.len() == 1 && found[0].1.contains("the engine had closed"), "{found:?}");
}

#[test]
fn two_deaths_end_no_keep_alive() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Raw::start(|number, place| match number {
        6 | 9 if place > 0 => Do::Close(ms(0)),
        _ => Do::Answer(ms(1)),
    });
    let load = "closed: { users: 4, requests: 600, warmup: 0s }";
    let (_, told, rows) = run(dir.path(), &[server.target("a")], load, "");
    assert_eq!(rows.len(), 600, "{told}");
    let opened = server.seen(|seen| seen.connections);
    assert!(opened <= 12, "{opened} connections for 4 users and 2 deaths\n{told}");
    assert_eq!(count(&rows, "connection", "not_kept"), 0);
}

#[test]
fn connections_that_keep_dying_are_kept_no_more_for_a_while_by_our_own_choice() {
    let dir = tempfile::tempdir().expect("a directory");
    // Every second request of a connection dies, for the first 150 requests; from then on all is well.
    let server =
        Raw::start(|number, place| if place > 0 && number < 150 { Do::Close(ms(0)) } else { Do::Answer(ms(0)) });
    let load = "closed: { users: 2, requests: 2000, warmup: 0s }";
    let (_, told, rows) = run(dir.path(), &[server.target("a")], load, "");
    let ours = count(&rows, "connection", "not_kept");
    assert!(ours >= 100, "{ours}\n{told}");
    // And it was tried again.
    let kept = rows.iter().rev().take(400).filter(|row| row["connection"].is_empty()).count();
    assert!(kept >= 350, "{kept} of the last 400 over kept connections\n{told}");
    let found = findings(dir.path(), "reconnects");
    assert_eq!(found.len(), 1, "{found:?}");
    let (severity, sentence) = &found[0];
    assert_eq!(severity, "note");
    assert!(sentence.contains("loadcmp itself") && sentence.contains(&ours.to_string()), "{sentence}");
}

#[test]
fn a_user_who_thinks_for_long_opens_a_new_connection_and_nobody_is_blamed() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Raw::start(|_, _| Do::Answer(ms(1)));
    let load = "closed: { users: 2, requests: 6, think: 4200ms, warmup: 0s }";
    let (_, told, rows) = run(dir.path(), &[server.target("a")], load, "");
    assert_eq!(count(&rows, "connection", "idle"), 4, "{told}\n{rows:?}");
    assert_eq!(findings(dir.path(), "reconnects"), [], "{told}");
}

#[test]
fn an_engine_that_fails_at_once_is_asked_at_a_bounded_rate_and_the_others_are_not_slowed() {
    let dir = tempfile::tempdir().expect("a directory");
    // The first request, which comes before the load, is answered.
    let after_first = |bad: Do| {
        let bad = std::sync::Mutex::new(bad);
        Raw::start(move |number, _| {
            if number == 0 {
                return Do::Answer(ms(0));
            }
            match &*bad.lock().expect("what to do") {
                Do::Say(bytes) => Do::Say(bytes.clone()),
                Do::Reply(bytes) => Do::Reply(bytes.clone()),
                _ => Do::Close(ms(0)),
            }
        })
    };
    let full = after_first(Do::Reply(response("429 Too Many Requests", "", r#"{"error":"slow down"}"#)));
    let later = after_first(Do::Reply(response("503 Service Unavailable", "Retry-After: 60\r\n", "{}")));
    let broken = after_first(Do::Reply(response("500 Internal Server Error", "", r#"{"error":"out of memory"}"#)));
    let told_inside = after_first(Do::Reply(response("200 OK", "", r#"{"error":"no slot"}"#)));
    let cut = after_first(Do::Say("HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{\"text\":".to_owned()));
    let closed = after_first(Do::Close(ms(0)));
    let good = Raw::start(|_, _| Do::Answer(ms(5)));
    let all = [
        ("full", &full, "rejected"),
        ("later", &later, "rejected"),
        ("broken", &broken, "http_status"),
        ("inside", &told_inside, "error_frame"),
        ("cut", &cut, "truncated"),
        ("closed", &closed, "connect"),
        ("good", &good, "ok"),
    ];
    let targets: Vec<String> = all.iter().map(|(name, server, _)| server.target(name)).collect();
    let load = "closed: { users: 4, duration: 2s, warmup: 0s }";
    let (_, told, rows) = run(dir.path(), &targets, load, "reference: good\n");
    for (name, server, outcome) in all {
        let mine: Vec<Row> = rows.iter().filter(|row| row["target"] == name).cloned().collect();
        assert_eq!(count(&mine, "outcome", outcome), mine.len(), "{name}: {told}");
        let posts = server.seen(|seen| seen.posts.len());
        match name {
            // Pauses of 50 ms, 100 ms, 200 ms and so on: six requests of each user within 2 s.
            "good" => assert!(posts > 150, "the good one was slowed: {posts}\n{told}"),
            // It asked for a minute: nobody comes back before the end of the run.
            "later" => assert_eq!(posts, 5, "{told}"),
            _ => assert!((5..=40).contains(&posts), "{name}: {posts} requests in 2 s\n{told}"),
        }
    }
}

#[test]
fn retry_after_is_honoured_in_seconds_and_as_a_date() {
    let dir = tempfile::tempdir().expect("a directory");
    let asking = |header: &'static str| {
        Raw::start(move |number, _| match number {
            0 => Do::Answer(ms(0)),
            _ => Do::Reply(response("429 Too Many Requests", header, "{}")),
        })
    };
    let seconds = asking("Retry-After: 1\r\n");
    let date = asking("Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nRetry-After: Sun, 06 Nov 1994 08:49:38 GMT\r\n");
    let targets = [seconds.target("seconds"), date.target("date")];
    run(dir.path(), &targets, "closed: { users: 1, requests: 3, warmup: 0s }", "reference: date\n");
    for server in [seconds, date] {
        server.seen(|seen| {
            assert_eq!(seen.posts.len(), 4);
            let gaps: Vec<Duration> = seen.posts[1..].windows(2).map(|pair| pair[1].at - pair[0].at).collect();
            assert!(gaps.iter().all(|gap| *gap >= ms(990)), "{gaps:?}");
        });
    }
}

/// What ended a request that we gave up, or that was refused, is told as that: only an engine that closes after a good answer is
/// blamed for the new connection.
#[test]
fn a_connection_that_went_with_a_failed_request_is_nobodys_reconnect() {
    let dir = tempfile::tempdir().expect("a directory");
    let late = Raw::start(|number, _| Do::Answer(ms(if number % 3 == 2 { 1500 } else { 1 })));
    let refusing = Raw::start(|number, _| match number % 3 {
        2 => Do::Say(response("503 Service Unavailable", "Connection: close\r\n", r#"{"error":"full"}"#)),
        _ => Do::Answer(ms(1)),
    });
    let closing = Raw::start(|_, _| Do::AnswerAndClose(ms(1), ms(0)));
    let targets = [late.target("late"), refusing.target("refusing"), closing.target("closing")];
    let load = "closed: { users: 1, requests: 15, think: 100ms, warmup: 0s }";
    let (_, told, rows) = run(dir.path(), &targets, load, "timeout: 300ms\nload_timeout: 10s\n");
    let of = |target: &str, connection: &str| {
        rows.iter().filter(|row| row["target"] == target && row["connection"] == connection).count()
    };
    assert!(count(&rows, "outcome", "timeout") >= 4 && count(&rows, "outcome", "rejected") >= 4, "{told}");
    assert!(of("late", "broken") >= 3 && of("refusing", "broken") >= 3, "{rows:?}");
    assert_eq!((of("late", "closed"), of("refusing", "closed")), (0, 0), "{rows:?}");
    let found = findings(dir.path(), "reconnects");
    assert!(found.len() == 1 && found[0].1.starts_with("closing"), "{found:?}");
}
