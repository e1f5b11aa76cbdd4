//! ITL is every wait between two tokens, and TPOT a mean of each answer: held to when a server wrote each piece.

use crate::cli::{ask, made_again, measured, number, rows, write};
use crate::raw::{Do, Raw};
use std::time::Duration;

/// Answers of ten pieces, of which one comes late.
fn stalls(wait: Duration, stall: Duration) -> Raw {
    Raw::start(move |_, _| {
        let of = |n: usize| if n == 5 { stall } else { wait };
        Do::Stream((0..10).map(|n| (of(n), " word")).collect())
    })
}

/// The waits of all streams of a server but the first, which was asked before the load, in ms and in rising order.
fn waits(server: &Raw) -> Vec<f64> {
    let ms = |pair: &[std::time::Instant]| pair[1].duration_since(pair[0]).as_secs_f64() * 1e3;
    let mut all: Vec<f64> = server.seen(|seen| seen.streams.iter().flat_map(|s| s.windows(2).map(ms)).collect());
    all.sort_by(f64::total_cmp);
    all
}

/// Runs `requests` by two users against a server that stalls once in each answer and one that doesn't, with the same TPOT.
fn held(wait: Duration, stall: Duration, requests: u32) {
    let even = (wait * 8 + stall) / 9;
    let (a, b) = (stalls(wait, stall), stalls(even, even));
    let dir = tempfile::tempdir().expect("a directory");
    let yaml = format!(
        "name: t\ntask: generate\ntargets:\n  a: {{ openai: {{ url: \"{}\", model: m }} }}\n  b: {{ openai: {{ url: \"{}\", model: m }} }}\n\
         reference: b\nworkload: {{ prompts: {{ synthetic: {{ count: 40, words: {{ fixed: 6 }} }} }}, sampling: {{ max_tokens: 10 }} }}\n\
         load: {{ closed: {{ users: 2, requests: {requests} }} }}\n",
        a.url, b.url
    );
    write(dir.path(), "t.yaml", &yaml);
    let (code, table, err) = ask(dir.path(), &["run", "t.yaml", "--quiet", "--full", "--out", "out"]);
    assert!(code == 0 || code == 4, "{err}");
    let summary = rows(&dir.path().join("out/summary.csv"));
    let figure = |target: &str, metric: &str, figure: &str| {
        let row = summary.iter().find(|row| row["target"] == target && row["metric"] == metric);
        number(row.unwrap_or_else(|| panic!("{target} {metric}")), figure).expect("a figure") / 1e3
    };
    let near = |got: f64, want: f64| assert!((got - want).abs() < 0.1 * want + 2.0, "{got} and {want} ms expected");
    for (name, server) in [("a", &a), ("b", &b)] {
        let told = waits(server);
        let at = |q: f64| told[((q * told.len() as f64).ceil() as usize).max(1) - 1];
        let n = summary.iter().find(|row| row["target"] == name && row["metric"] == "itl").expect("a row")["n"].clone();
        assert_eq!(n, (requests * 9).to_string(), "{name}");
        near(figure(name, "itl", "p50"), at(0.5));
        near(figure(name, "itl", "p95"), at(0.95));
        near(figure(name, "itl", "mean"), told.iter().sum::<f64>() / told.len() as f64);
        near(figure(name, "tpot", "mean"), told.iter().sum::<f64>() / told.len() as f64);
        // What a request took of it, in its row: in order, and as long as from its first token to its last.
        for row in measured(dir.path(), name) {
            let gaps: Vec<f64> = row["itl_us"].split(' ').map(|gap| gap.parse().expect("a number")).collect();
            assert_eq!(gaps.len(), 9, "{row:?}");
            let whole = number(&row, "last_token_us").unwrap() - number(&row, "first_token_us").unwrap();
            assert!((gaps.iter().sum::<f64>() - whole).abs() <= 1.0, "{row:?}");
            let longest = gaps.iter().copied().fold(0.0, f64::max);
            assert!((longest - number(&row, "itl_max_us").unwrap()).abs() <= 1.0, "{row:?}");
            assert!(name == "b" || gaps[4] == longest, "{row:?}");
        }
    }
    // By TPOT the two are equal; one in nine tokens comes late all the same.
    assert!(figure("a", "itl", "p95") > 1.5 * figure("b", "itl", "p95"));
    assert!((figure("a", "tpot", "p50") / figure("b", "tpot", "p50") - 1.0).abs() < 0.25);
    assert!(code == 4 || table.contains("ITL p99"), "{table}");
    if code == 0 {
        made_again(dir.path(), &["summary.csv", "report.html"], &table);
    }
}

#[test]
fn one_late_token_of_nine_is_seen_at_milliseconds() {
    held(Duration::from_millis(20), Duration::from_millis(120), 40);
}

#[test]
fn one_late_token_of_nine_is_seen_at_seconds() {
    held(Duration::from_millis(150), Duration::from_millis(1200), 12);
}
