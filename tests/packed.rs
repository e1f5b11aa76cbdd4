//! `--samples zst`: rows that are compressed say what they say uncompressed, and are known wherever rows are.

use crate::cli::{StandIn, json, loadcmp, text, write};
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

fn ask(dir: &Path, args: &[&str]) -> Output {
    loadcmp().current_dir(dir).args(args).output().expect("the program")
}

#[test]
fn compressed_rows_are_read_as_those_that_are_not() {
    let engine = StandIn::start(&["--first-token-ms", "5"]);
    let dir = tempfile::tempdir().expect("a directory");
    let at = dir.path();
    let scenario = format!(
        "name: s\ntask: generate\nseed: 7\ntargets:\n  a: {{ openai: {{ url: \"{0}\" }} }}\nworkload: {{ prompts: {{ synthetic: {{ \
         count: 40, words: {{ fixed: 6 }} }} }}, sampling: {{ max_tokens: 4 }} }}\nload: {{ closed: {{ users: 2, requests: 200, warmup: \
         0s }} }}\n",
        engine.url
    );
    write(at, "s.yaml", &scenario);
    let run = ask(at, &["run", "s.yaml", "--quiet", "--samples", "zst", "--out", "packed"]);
    assert!(at.join("packed/report.json").exists(), "{}", text(&run).1);
    assert!(!at.join("packed/samples.csv").exists());
    let files = json(&at.join("packed/report.json"))["files"].to_string();
    assert!(files.contains("samples.csv.zst") && !files.contains("samples.csv\""), "{files}");
    let page = std::fs::read_to_string(at.join("packed/report.html")).expect("a page");
    assert!(page.contains("samples.csv.zst"));

    // Uncompressed by another program, they are the same run.
    std::fs::create_dir(at.join("plain")).expect("a folder");
    let rows = std::fs::read(at.join("packed/samples.csv.zst")).expect("its rows");
    assert_eq!(rows[..4], [0x28, 0xb5, 0x2f, 0xfd], "a frame of Zstandard begins so");
    std::fs::copy(at.join("packed/manifest.json"), at.join("plain/manifest.json")).expect("a file");
    let mut unpacked = loadcmp::record::zst::open(&at.join("packed/samples.csv.zst")).expect("a file");
    std::io::copy(&mut unpacked, &mut std::fs::File::create(at.join("plain/samples.csv")).expect("a file"))
        .expect("rows");
    let figures = |dir: &str| {
        let told = ask(at, &["report", dir]);
        assert!(told.status.code() == run.status.code(), "{}", text(&told).1);
        std::fs::read_to_string(at.join(dir).join("summary.csv")).expect("figures")
    };
    assert_eq!(figures("packed"), figures("plain"));
    assert!(figures("plain").contains("\na,"));
    let files = json(&at.join("plain/report.json"))["files"].to_string();
    assert!(files.contains("samples.csv\"") && !files.contains("zst"), "{files}");
    let size = |name: &str| std::fs::metadata(at.join(name)).expect("a file").len();
    assert!(size("packed/samples.csv.zst") * 2 < size("plain/samples.csv"));

    // A file that is cut off says so, and where it is.
    std::fs::write(at.join("packed/samples.csv.zst"), &rows[..rows.len() / 2]).expect("a file");
    let (_, err) = text(&ask(at, &["report", "packed"]));
    assert!(err.contains("packed/samples.csv.zst"), "{err}");
    std::fs::remove_file(at.join("packed/samples.csv.zst")).expect("ours");
    let gone = ask(at, &["report", "packed"]);
    assert_eq!(gone.status.code(), Some(2));
    assert!(text(&gone).1.contains("it has no samples.csv"), "{}", text(&gone).1);
}

#[test]
fn rows_that_can_t_be_compressed_stay_as_they_are_and_the_run_has_its_results() {
    let engine = StandIn::start(&["--first-token-ms", "5"]);
    let dir = tempfile::tempdir().expect("a directory");
    let at = dir.path();
    let scenario = format!(
        "name: s\ntask: generate\ntargets:\n  a: {{ openai: {{ url: \"{}\" }} }}\nworkload: {{ prompts: {{ synthetic: {{ count: 40, \
         words: {{ fixed: 6 }} }} }}, sampling: {{ max_tokens: 4 }} }}\nload: {{ closed: {{ users: 2, duration: 2s, warmup: 0s }} }}\n",
        engine.url
    );
    write(at, "s.yaml", &scenario);
    let mut run = loadcmp();
    run.current_dir(at).args(["run", "s.yaml", "--quiet", "--samples", "zst", "--out", "out"]);
    let run = run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program");
    let begun = Instant::now();
    while !at.join("out/samples.csv").exists() && begun.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(5));
    }
    // In the file's place.
    std::fs::create_dir_all(at.join("out/samples.csv.zst/taken")).expect("a folder");
    let (_, err) = text(&run.wait_with_output().expect("an end"));
    assert!(err.contains("warning: out/samples.csv could not be compressed"), "{err}");
    assert!(err.contains("its rows stay as they are"), "{err}");
    let report = json(&at.join("out/report.json"));
    assert_eq!(report["status"], "complete");
    assert!(report["files"].to_string().contains("samples.csv\""), "{}", report["files"]);
    assert!(crate::cli::rows(&at.join("out/samples.csv")).len() > 20);
}
