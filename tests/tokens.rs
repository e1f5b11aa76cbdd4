//! Prompts of wanted numbers of tokens: fitted to what an engine counts, in a few questions, and verified on every row.

use crate::cli::{Row, StandIn, ask, json, measured, number, one_line, rows, target, write};
use std::path::Path;

fn scenario(targets: &str, workload: &str) -> String {
    format!(
        "name: t\ntask: generate\nseed: 5\ntargets:\n{targets}reference: b\nworkload: {{ {workload}, sampling: {{ max_tokens: 2 }} \
         }}\nload: {{ closed: {{ users: 2, requests: 24 }} }}\n"
    )
}

fn finding(dir: &Path, target: &str) -> Option<String> {
    let all = rows(&dir.join("out/findings.csv"));
    all.into_iter()
        .find(|row| row["id"] == "requested-prompts" && row["target"].starts_with(target))
        .map(|row| row["sentence"].clone())
}

/// Requests that a stand-in answered with text.
fn asked(record: &Path) -> usize {
    rows(record).iter().filter(|row| !row["text_hash"].is_empty()).count()
}

/// Each row of a target counts what was asked for and so many more.
fn differ_by(rows: &[Row], more: f64) {
    assert_eq!(rows.len(), 24);
    for row in rows {
        let [counted, wanted] =
            ["prompt_tokens", "requested_prompt_tokens"].map(|column| number(row, column).expect(column));
        assert_eq!(counted - wanted, more, "{row:?}");
    }
}

#[test]
fn prompts_have_the_tokens_that_the_reference_counts_and_another_template_is_told() {
    let dir = tempfile::tempdir().expect("a directory");
    let record = dir.path().join("b.csv");
    let a = StandIn::start(&["--template-tokens", "30"]);
    let b = StandIn::start(&["--template-tokens", "9", "--record", record.to_str().expect("a path")]);
    let targets = target("a", "openai", &a) + &target("b", "ollama", &b);
    let workload = "prompts: { synthetic: { count: 20, tokens: { uniform: { min: 60, max: 200 } } } }, prompt_cache: bust, system: Be brief.";
    write(dir.path(), "t.yaml", &scenario(&targets, workload));
    let (code, out, err) = ask(dir.path(), &["check", "t.yaml"]);
    assert_eq!(code, 0, "{err}");
    assert!(
        one_line(&out).contains("60 to 200 in each whole prompt: before the load, a run asks `b`, or else another target, for its token counts, with 2 requests"),
        "{out}"
    );
    assert_eq!(asked(&record), 0, "a look sends no load");
    let (code, told, err) = ask(dir.path(), &["run", "t.yaml", "--full", "--out", "out"]);
    assert_eq!(code, 0, "{err}");
    differ_by(&measured(dir.path(), "b"), 0.0);
    differ_by(&measured(dir.path(), "a"), 21.0);
    let wanted: std::collections::BTreeSet<String> =
        measured(dir.path(), "b").iter().map(|row| row["requested_prompt_tokens"].clone()).collect();
    assert!(wanted.len() > 10, "the lengths are drawn: {wanted:?}");
    let summary = rows(&dir.path().join("out/summary.csv"));
    let mean = |target: &str, metric: &str| {
        let row = summary.iter().find(|row| row["target"] == target && row["metric"] == metric);
        number(row.expect(metric), "mean").expect("a mean")
    };
    assert!((mean("b", "requested_prompt_tokens") - mean("b", "prompt_tokens")).abs() < 1e-6);
    assert!((mean("a", "prompt_tokens") - mean("a", "requested_prompt_tokens") - 21.0).abs() < 1e-6);
    assert!(told.contains("requested prompt tokens, mean"), "{told}");
    assert_eq!(finding(dir.path(), "b"), None);
    let told = finding(dir.path(), "a").expect("the finding");
    assert!(told.contains("24 of 24 prompts") && told.contains("21 more") && told.contains("fitted to `b`"), "{told}");
    let plan = &json(&dir.path().join("out/manifest.json"))["plan"]["workload"]["tokens"];
    assert_eq!(
        (plan["by"].as_str(), plan["how"].as_str(), plan["questions"].as_u64()),
        (Some("b"), Some("requests"), Some(2))
    );
    assert_eq!(plan["exact"], true, "{plan}");
    // Two questions and a first request beside the load.
    assert_eq!(asked(&record), 2 + 1 + 24);
    assert!(one_line(&err).contains("asking `b` how many tokens its prompts have"), "{err}");
}

/// A pace that stand-ins are declared to have, and what is asked of them.
struct Pace {
    /// Tokens per second: of the prompt, of the answer.
    prefill: f64,
    decode: f64,
    /// Tokens of an answer.
    output: u32,
    users: usize,
    requests: usize,
    /// By how much the best or half of a client's times may be off those of the stand-in's record, in µs: what a busy machine
    /// takes to wake the client for a token.
    late: f64,
}

/// The middle one of some values, or the mean of the two in the middle.
fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    (all[(all.len() - 1) / 2] + all[all.len() / 2]) / 2.0
}

/// The rows of a stand-in's record whose answers have so many tokens, once it has that many of them.
fn served(record: &Path, tokens: u32, least: usize) -> Vec<Row> {
    for _ in 0..100 {
        let mut all = rows(record);
        all.retain(|row| row["output_tokens"] == tokens.to_string());
        if all.len() >= least {
            return all;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    panic!("{} has no {least} answers of {tokens} tokens", record.display());
}

/// The time from one stamp to another of each row.
fn between(all: &[Row], from: &str, to: &str) -> Vec<f64> {
    all.iter().map(|row| number(row, to).expect(to) - number(row, from).expect(from)).collect()
}

/// Prefill and decode by both clocks are those of the stand-in's record, and none is above the declared pace.
fn rates_are_those_of_the_record(pace: &Pace) {
    const PROMPT: f64 = 100.0;
    let dir = tempfile::tempdir().expect("a directory");
    let records = ["a", "b"].map(|name| dir.path().join(format!("{name}.csv")));
    let [prefill, decode, slots] = [pace.prefill, pace.decode, pace.users as f64].map(|x| x.to_string());
    let engines = records.each_ref().map(|record| {
        let record = record.to_str().expect("a path");
        let rates = ["--prefill-rate", &prefill, "--decode-rate", &decode, "--slots", &slots, "--record", record];
        StandIn::start(&rates)
    });
    let targets = target("a", "openai", &engines[0]) + &target("b", "ollama", &engines[1]);
    let text = scenario(&targets, "prompts: { synthetic: { count: 20, tokens: 100 } }")
        .replace("max_tokens: 2", &format!("max_tokens: {}", pace.output))
        .replace("users: 2, requests: 24", &format!("users: {}, requests: {}", pace.users, pace.requests));
    let gates = "gates: [ a.decode_tokens_per_s.p50 >= 1, a.prefill_tokens_per_s.p50 >= 1 ]\n";
    write(dir.path(), "t.yaml", &(text + gates));
    // On a busy machine a median of a few is known too badly for a gate: inconclusive is right there, not measured never is.
    let args = ["run", "t.yaml", "--full", "--out", "out", "--judge-stand-ins", "--inconclusive", "pass"];
    let (code, table, err) = ask(dir.path(), &args);
    assert_eq!(code, 0, "{err}");
    for words in ["prefill tokens/s p50", "decode tokens/s p50"] {
        assert!(table.contains(words), "{table}");
    }
    let summary = rows(&dir.path().join("out/summary.csv"));
    // What the declared pace takes at least, in µs; a nanosecond is lost in each step.
    let gaps = f64::from(pace.output) - 1.0;
    let (first, last) = (PROMPT / pace.prefill * 1e6 - 1.0, (PROMPT / pace.prefill + gaps / pace.decode) * 1e6 - 1.0);
    for (name, record) in ["a", "b"].into_iter().zip(&records) {
        let mut asked = rows(&dir.path().join("out/samples.csv"));
        asked.retain(|row| row["target"] == name && row["phase"] == "measure");
        assert_eq!(asked.len(), pace.requests, "{err}");
        // Without the first request, which is before the load.
        let recorded = &served(record, pace.output, pace.requests + 1)[1..];
        let told = |metric: &str, figure: &str| {
            let row = summary.iter().find(|row| row["target"] == name && row["metric"] == metric);
            number(row.expect(metric), figure).expect(figure)
        };
        // Nobody is faster than the stand-in is declared to be: neither what it did itself, nor what the client saw of it.
        for (all, from, [one, other]) in [
            (recorded, "slot_us", ["made_first_us", "made_last_us"]),
            (recorded, "slot_us", ["first_token_us", "last_token_us"]),
            (&asked[..], "sent_us", ["first_token_us", "last_token_us"]),
        ] {
            let (ones, others) = (between(all, from, one), between(all, from, other));
            assert!(ones.iter().all(|time| *time >= first), "{name} {one}: {ones:?}");
            assert!(others.iter().all(|time| *time >= last), "{name} {other}: {others:?}");
        }
        // Each first token was read after it was made, and one of them at once; waits before the slot are in a client's time.
        let made = median(between(recorded, "slot_us", "made_first_us"));
        assert!(told("prefill_tokens_per_s", "p50") <= PROMPT / made * 1.002e6, "{name}: {made}");
        let least = between(recorded, "slot_us", "first_token_us").into_iter().fold(f64::INFINITY, f64::min);
        let (slow, fast) = (PROMPT / (least + pace.late) * 1e6, pace.prefill * 1.001);
        let best = told("prefill_tokens_per_s", "max");
        assert!((slow..=fast).contains(&best), "{name}: {best} is not {slow} to {fast}");
        // From token to token half of the client's times are the stand-in's.
        let time = median(between(recorded, "first_token_us", "last_token_us"));
        let (slow, fast) = (gaps / (time + pace.late) * 1e6, gaps / (time - pace.late) * 1e6);
        let half = told("decode_tokens_per_s", "p50");
        assert!((slow..=fast).contains(&half), "{name}: {half} is not {slow} to {fast}");
        // The engine's own times are those it made its tokens in, to the nanosecond.
        let made: Vec<(f64, f64)> = between(recorded, "slot_us", "made_first_us")
            .into_iter()
            .zip(between(recorded, "made_first_us", "made_last_us"))
            .collect();
        let mut rates = Vec::new();
        for row in &asked {
            let [prompt, output] =
                ["server_prompt_us", "server_output_us"].map(|column| number(row, column).expect(column));
            let same = |(x, y): &&(f64, f64)| (x - prompt).abs() < 0.002 && (y - output).abs() < 0.002;
            let (prompt, output) = made.iter().find(same).unwrap_or_else(|| panic!("{name}: {row:?} of {made:?}"));
            rates.push((PROMPT / prompt * 1e6, gaps / output * 1e6));
        }
        let mean = |of: fn(&(f64, f64)) -> f64| rates.iter().map(of).sum::<f64>() / rates.len() as f64;
        for (metric, mean) in [("server_prefill_per_s", mean(|x| x.0)), ("server_decode_per_s", mean(|x| x.1))] {
            assert!(
                (told(metric, "mean") / mean - 1.0).abs() < 0.002,
                "{name} {metric}: {} {mean}",
                told(metric, "mean")
            );
        }
    }
}

#[test]
fn prefill_and_decode_are_told_apart_by_both_clocks() {
    // 43 ms an answer.
    let pace = Pace { prefill: 4000.0, decode: 400.0, output: 8, users: 2, requests: 24, late: 8000.0 };
    rates_are_those_of_the_record(&pace);
}

#[test]
fn prefill_and_decode_of_slow_answers_are_told_apart_by_both_clocks() {
    // 2 s an answer; a token too many or too few in a rate would be a quarter.
    let pace = Pace { prefill: 100.0, decode: 4.0, output: 5, users: 6, requests: 6, late: 60_000.0 };
    rates_are_those_of_the_record(&pace);
}

#[test]
fn a_ladder_leaves_out_what_no_context_holds_and_has_a_table_of_both_rates() {
    let dir = tempfile::tempdir().expect("a directory");
    // A busy client that reads all tokens of an answer at once has no rate of it: seven gaps of 10 ms.
    let b = StandIn::start(&["--context", "256", "--decode-rate", "100"]);
    let workload = "prompts: { synthetic: { count: 20, tokens: 64 } }, prompt_cache: bust";
    let text = scenario(&target("b", "openai", &b), workload)
        .replace("requests: 24", "requests: 4")
        .replace("max_tokens: 2", "max_tokens: 8");
    let sweep = "sweep: { over: { workload.prompts.synthetic.tokens: [32, 512, 128], workload.prompts.synthetic.prefix.tokens: \
                 [0, 64] } }\n";
    write(dir.path(), "t.yaml", &(text + sweep));
    let (code, table, err) = ask(dir.path(), &["run", "t.yaml", "--full", "--out", "out"]);
    assert_eq!(code, 3, "a point failed: {err}");
    assert!(one_line(&err).contains("has a context of 256 tokens, and prompts of 512"), "{err}");
    assert!(table.contains("Prefill and decode tokens/s of one request (p50)"), "{table}");
    let all = rows(&dir.path().join("out/sweep.csv"));
    for metric in ["prefill_tokens_per_s.p50", "decode_tokens_per_s.p50"] {
        let of: std::collections::BTreeSet<(&str, &str)> = all
            .iter()
            .filter(|row| row["metric"] == metric)
            .map(|row| {
                let path = |end: &str| row[&format!("workload.prompts.synthetic.{end}")].as_str();
                (path("tokens"), path("prefix.tokens"))
            })
            .collect();
        let want = [("128", "0"), ("128", "64"), ("32", "0"), ("32", "64")];
        assert!(of.iter().eq(&want), "{metric}: {of:?}");
    }
    // No prefix of no tokens.
    for row in &all {
        let manifest = json(&dir.path().join("out").join(&row["folder"]).join("manifest.json"));
        let prefix = &manifest["plan"]["workload"]["tokens"]["prefix"]["tokens"];
        let want = row["workload.prompts.synthetic.prefix.tokens"].as_str();
        assert_eq!(prefix.as_u64().unwrap_or(0).to_string(), want, "{manifest}");
    }
    // A curve of each rate over the length, at each depth.
    let page = std::fs::read_to_string(dir.path().join("out/sweep.html")).expect("a page");
    for depth in [0, 64] {
        for rate in ["prefill tokens/s p50", "decode tokens/s p50"] {
            let title = format!("{rate} by tokens, prefix.tokens {depth}");
            assert!(page.contains(&title), "{title}");
        }
    }
}

#[test]
fn a_tokeniser_that_can_be_asked_costs_no_request() {
    let dir = tempfile::tempdir().expect("a directory");
    let record = dir.path().join("b.csv");
    let b = StandIn::start(&["--template-tokens", "4", "--record", record.to_str().expect("a path")]);
    let targets = target("b", "openai", &b);
    write(dir.path(), "t.yaml", &scenario(&targets, "prompts: { synthetic: { tokens: 128 } }"));
    let (code, out, err) = ask(dir.path(), &["check", "t.yaml"]);
    assert_eq!(code, 0, "{err}");
    assert!(
        one_line(&out).contains("128 in each whole prompt as `b` counts them with /tokenize, 6 of them template"),
        "{out}"
    );
    assert_eq!(asked(&record), 0, "a look sends no load");
    let (code, _, err) = ask(dir.path(), &["run", "t.yaml", "--full", "--out", "out"]);
    assert_eq!(code, 0, "{err}");
    let all = measured(dir.path(), "b");
    differ_by(&all, 0.0);
    assert!(all.iter().all(|row| row["prompt_tokens"] == "128"));
    let plan = &json(&dir.path().join("out/manifest.json"))["plan"]["workload"]["tokens"];
    assert_eq!((plan["how"].as_str(), plan["around"].as_u64()), (Some("/tokenize"), Some(6)));
    assert_eq!(asked(&record), 1 + 24);
}

#[test]
fn a_run_of_an_earlier_version_is_told_again_as_it_was() {
    let dir = tempfile::tempdir().expect("a directory");
    let b = StandIn::start(&[]);
    // Whole answers: those versions kept none of a stream's waits.
    let workload = "stream: false, prompts: { synthetic: { words: { fixed: 20 } } }";
    write(dir.path(), "t.yaml", &scenario(&target("b", "openai", &b), workload));
    let (code, _, err) = ask(dir.path(), &["run", "t.yaml", "--full", "--out", "out"]);
    assert_eq!(code, 0, "{err}");
    let (samples, report) = (dir.path().join("out/samples.csv"), dir.path().join("out/report.json"));
    let before = std::fs::read_to_string(&report).expect("a report");
    let mut all = csv::ReaderBuilder::new().has_headers(false).from_path(&samples).expect("samples");
    let records: Vec<csv::StringRecord> = all.records().map(|record| record.expect("a row")).collect();
    let newer = [
        "requested_prompt_tokens",
        "prefix_group",
        "prefix_use",
        "draft_tokens",
        "draft_accepted",
        "thought_tokens",
        "answer_logprob",
        "itl_us",
        "shard",
    ];
    let newer = newer.map(|name| records[0].iter().position(|column| column == name).expect("the newer column"));
    let mut older = csv::Writer::from_path(&samples).expect("samples");
    for record in &records {
        let cells: Vec<&str> =
            record.iter().enumerate().filter(|(at, _)| !newer.contains(at)).map(|(_, cell)| cell).collect();
        older.write_record(&cells).expect("a row");
    }
    drop(older);
    std::fs::remove_file(&report).expect("the report");
    let (code, _, err) = ask(dir.path(), &["report", "out"]);
    assert_eq!(code, 0, "{err}");
    assert_eq!(std::fs::read_to_string(&report).expect("a report"), before);
}

#[test]
fn where_nobody_counts_words_stand_for_tokens_and_it_is_said() {
    let dir = tempfile::tempdir().expect("a directory");
    let b = StandIn::start(&[]);
    let body = "{ model: standin, prompt: \"{{prompt}}\", max_tokens: \"{{max_tokens}}\" }";
    let targets = format!(
        "  b: {{ json: {{ url: \"{}\", path: /v1/completions, body: {body}, answer: {{ text: /choices/0/text }} }} }}\n",
        b.url
    );
    write(dir.path(), "t.yaml", &scenario(&targets, "prompts: { synthetic: { tokens: 40 } }"));
    let (code, _, err) = ask(dir.path(), &["run", "t.yaml", "--full", "--out", "out"]);
    assert_eq!(code, 0, "{err}");
    assert!(one_line(&err).contains("no target reports how many tokens a prompt has"), "{err}");
    let plan = &json(&dir.path().join("out/manifest.json"))["plan"]["workload"]["tokens"];
    assert!(plan.get("by").is_none() && plan["exact"] == false, "{plan}");
}

#[test]
fn what_no_engine_can_be_asked_is_refused_before_the_load() {
    let dir = tempfile::tempdir().expect("a directory");
    let b = StandIn::start(&["--template-tokens", "50", "--context", "256"]);
    for (wire, tokens, words) in [
        ("openai", "256", "has a context of 256 tokens, and prompts of 256 with up to 2 of answer don't fit"),
        ("ollama", "256", "has a context of 256 tokens"),
        (
            "openai",
            "{ fixed: 40 }",
            "prompts of 40 tokens are too short: template, system message, instruction and nonce alone are 52 tokens on `b`",
        ),
    ] {
        let workload = format!("prompts: {{ synthetic: {{ tokens: {tokens} }} }}");
        write(dir.path(), "t.yaml", &scenario(&target("b", wire, &b), &workload));
        let (code, _, err) = ask(dir.path(), &["run", "t.yaml", "--full", "--out", "out"]);
        assert_eq!(code, 2, "{wire} {tokens}: {err}");
        assert!(err.contains(words), "{wire} {tokens}: {err}");
        assert!(!dir.path().join("out").exists());
    }
}
