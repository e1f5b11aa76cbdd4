//! Where a request's time goes, told of engines whose times are known.

use crate::cli::{StandIn, loadcmp, rows, text, write};

#[test]
fn a_wait_for_a_slot_is_told_from_the_work() {
    // Three users; `a` has one slot, so two always wait for the third. Each answer takes 12 ms and 7 x 4 ms.
    let timing = ["--first-token-ms", "12", "--decode-rate", "250"];
    let (a, b) = (StandIn::start(&[&timing[..], &["--slots", "1"]].concat()), StandIn::start(&timing));
    for task in ["generate", "classify"] {
        let dir = tempfile::tempdir().expect("a directory");
        let labels = if task == "classify" { "labels: [x, y], " } else { "" };
        let label = if task == "classify" { ", label: x" } else { "" };
        let yaml = format!(
            "name: t\ntask: {task}\ntargets:\n  a: {{ ollama: {{ url: \"{}\" }} }}\n  b: {{ ollama: {{ url: \"{}\" }} }}\n\
             workload: {{ prompts: {{ inline: [{{ text: one two{label} }}] }}, {labels}sampling: {{ max_tokens: 8 }} }}\n\
             load: {{ closed: {{ users: 3, requests: 30 }} }}\n",
            a.url, b.url
        );
        write(dir.path(), "t.yaml", &yaml);
        let output = loadcmp()
            .current_dir(dir.path())
            .args(["run", "t.yaml", "--full", "--out", "out"])
            .output()
            .expect("a run");
        let (table, err) = text(&output);
        assert!(table.contains("queue (derived)") && table.contains("decode"), "{task}: {table}{err}");
        let page = std::fs::read_to_string(dir.path().join("out/report.html")).expect("a page");
        assert!(page.contains("Where a request's time goes</a></h2>") && page.contains("queue (derived): "), "{task}");
        let sheet = rows(&dir.path().join("out/summary.csv"));
        let ms = |target: &str, metric: &str| {
            let row = sheet.iter().find(|row| row["target"].starts_with(target) && row["metric"] == metric);
            row.map(|row| row["mean"].parse::<f64>().expect("a number") / 1e3)
        };
        let tokens = sheet.iter().find(|row| row["metric"] == "output_tokens").expect("tokens")["mean"].clone();
        let output = (tokens.parse::<f64>().expect("a number") - 1.0) * 4.0;
        for target in ["a", "b"] {
            let told = |metric: &str| ms(target, metric).unwrap_or_else(|| panic!("{task} {target} {metric}"));
            // What was declared, and on a busy machine a little more. A last token without text is a part of the tail.
            let (prompt, decode) = (told("time_prompt"), told("time_decode") + ms(target, "time_tail").unwrap_or(0.0));
            assert!(prompt > 11.0 && prompt < 12.0 + 100.0, "{task} {target}: {prompt}");
            assert!(decode > output - 2.0 && decode < output + 100.0, "{task} {target}: {decode} of {output}");
            let parts: f64 = sheet
                .iter()
                .filter(|row| row["target"].starts_with(target) && row["metric"].starts_with("time_"))
                .filter(|row| row["metric"] != "time_whole")
                .map(|row| row["mean"].parse::<f64>().expect("a number") / 1e3)
                .sum();
            assert!((parts - told("time_whole")).abs() < 0.01, "{task} {target}: {parts}");
            let whole = told("latency") + told("send_lag") + told("time_connection");
            assert!((parts - whole).abs() < 0.05, "{task} {target}: {parts} and {whole}");
        }
        // Two others' answers before one's own, but for the first ones; beside it nobody waits.
        let service = 12.0 + output;
        let (waits, none) = (ms("a", "time_queue").expect("a queue"), ms("b", "time_queue").expect("a queue"));
        // Its answers took as long as the engine says, which on a busy machine is longer than declared.
        let took = ms("a", "time_prompt").expect("a prompt") + ms("a", "time_decode").expect("a decode");
        assert!(waits > 1.5 * service && waits < 3.0 * took + 100.0, "{task}: {waits} of {service}, {took}");
        assert!(none < 0.5 * waits, "{task}: {none} of {waits}");
    }
}
