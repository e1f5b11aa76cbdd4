//! Every format, from one report.

use super::*;
use crate::report::fixture::report;
use crate::scenario::Task;

fn text(sink: Sink, report: &Report) -> String {
    let mut bytes = Vec::new();
    sink(report, &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

fn shown(report: &Report, look: Look) -> String {
    let mut bytes = Vec::new();
    table(report, look, &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn the_table_at_80_and_at_120_columns() {
    for width in [80, 120] {
        for task in [Task::Classify, Task::Generate, Task::Embed] {
            let look = Look { width, confusion: task == Task::Classify, ..Look::default() };
            let shown = shown(&report(task, task == Task::Classify), look);
            let longest = shown.lines().map(|line| line.chars().count()).max().unwrap();
            assert!(longest <= usize::from(width), "{task:?} at {width}: {longest}\n{shown}");
            insta::assert_snapshot!(format!("table_{task:?}_{width}").to_lowercase(), shown);
        }
    }
}

/// Names with `(stand-in)` break no line: who is one stands below the table.
#[test]
fn the_table_of_stand_ins_at_80_columns() {
    for task in [Task::Classify, Task::Generate, Task::Embed] {
        let mut report = report(task, false);
        report.targets.iter_mut().for_each(|target| target.stand_in = true);
        report.plan.targets.iter_mut().for_each(|target| target.stand_in = true);
        let shown = shown(&report, Look { full: true, ..Look::default() });
        assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
        // One line for each figure, and the parts of a whole further in.
        let (_, figures) = shown.split_once("verdict\n").expect("a table");
        let (figures, _) = figures.split_once("\nnative (stand-in)").expect("what became of the requests");
        assert!(figures.lines().all(|line| line.is_empty() || line.chars().count() > 38), "{shown}");
        assert!(figures.contains("\n  prefill ") || task != Task::Generate, "{shown}");
        insta::assert_snapshot!(format!("table_{task:?}_stand_ins").to_lowercase(), shown);
    }
    let one = shown(&report(Task::Generate, true), Look { full: true, ..Look::default() });
    assert!(one.lines().all(|line| line.chars().count() <= 80) && one.contains("ollama (stand-in): "), "{one}");
    insta::assert_snapshot!("table_generate_one_stand_in", one);
}

#[test]
fn colour_ends_where_it_began_and_only_on_verdicts() {
    let report = report(Task::Classify, false);
    let plain = shown(&report, Look::default());
    let colour = shown(&report, Look { colour: true, ..Look::default() });
    assert!(!plain.contains('\x1b') && colour.contains("\x1b[32mbetter\x1b[0m"));
    let bare = ["\x1b[32m", "\x1b[31m", "\x1b[36m", "\x1b[2m", "\x1b[0m"]
        .iter()
        .fold(colour, |text, code| text.replace(code, ""));
    assert_eq!(bare, plain);
}

#[test]
fn one_target_and_three() {
    let mut one = report(Task::Generate, false);
    one.targets.truncate(1);
    one.comparisons.clear();
    one.plan.targets.truncate(1);
    one.plan.reference = 0;
    insta::assert_snapshot!("table_one_target", shown(&one, Look::default()));
    let mut three = report(Task::Generate, false);
    let mut third = three.targets[0].clone();
    "llama_cpp".clone_into(&mut third.name);
    three.targets.push(third);
    let more: Vec<_> = three.comparisons.iter().map(|c| crate::stats::Comparison { target: 2, ..c.clone() }).collect();
    three.comparisons.extend(more);
    insta::assert_snapshot!("table_three_targets", shown(&three, Look { width: 100, ..Look::default() }));
    assert!(text(markdown, &three).contains("| ratio of llama"));
    assert!(text(html, &three).contains("llama_cpp: ratio"));
}

#[test]
fn a_short_run_shows_nothing_and_says_why() {
    let plan = crate::stats::fixture::plan(Task::Classify, false);
    let manifest = crate::report::fixture::manifest(plan.clone());
    let (mut fold, mut gather) = (manifest.fold(), crate::audit::Gather::new(&plan));
    for (target, ms) in [(0, 12.0), (1, 20.0)] {
        let rows = crate::stats::fixture::closed_loop(&plan, target, ms, 0.2, 7);
        for mut row in rows.into_iter().filter(|row| row.phase == crate::record::Phase::Measure).take(50) {
            row.text_hash = Some(row.item as u64);
            fold.push(&row);
            gather.push(&row);
        }
    }
    let report = Report::build(&manifest, fold.finish(), &gather.finish(), crate::report::Levels::default());
    insta::assert_snapshot!("table_short_run", shown(&report, Look::default()));
}

#[test]
fn the_markdown() {
    insta::assert_snapshot!("markdown", text(markdown, &report(Task::Classify, false)));
}

/// GitHub takes no longer comment.
#[test]
fn the_markdown_of_a_run_with_much_to_say_fits_into_a_comment() {
    let mut report = report(Task::Classify, true);
    let finding = report.findings[0].clone();
    report.findings.extend(
        (0..400).map(|i| crate::audit::Finding { sentence: format!("{i} {}", "word ".repeat(60)), ..finding.clone() }),
    );
    report.findings.iter_mut().for_each(|finding| finding.severity = crate::audit::Severity::Note);
    let comment = text(markdown, &report);
    assert!(comment.len() < 65_536 && comment.contains("The rest is in report.html"), "{}", comment.len());
    assert_eq!(comment.matches("<details>").count(), comment.matches("</details>").count());
}

#[test]
fn csv_headers_are_the_contract() {
    let report = report(Task::Classify, false);
    for (sink, header) in [
        (
            summary_csv as Sink,
            "target,stand_in,metric,unit,n,mean,sd,min,p50,p90,p95,p99,p999,max,n_eff,mean_low,mean_high,p50_low,p50_high,\
             p95_low,p95_high,p99_low,p99_high,p95_needs,p99_needs",
        ),
        (
            comparison_csv,
            "metric,unit,target,reference,target_value,reference_value,ratio,low,high,verdict,units,pairs,unpaired_target,unpaired_reference,p,needs_requests,\
             needs_s,reason",
        ),
        (
            timeline_csv,
            "t_s,target,sent,ended,ok,errors,latency_p50_us,latency_p95_us,latency_max_us,ttft_p50_us,output_tokens,driven,answers_per_s",
        ),
        (findings_csv, "id,severity,target,sentence,evidence,threshold"),
        (failures_csv, "target,stand_in,outcome,http_status,reason,requests,first_s,last_s"),
    ] {
        let text = text(sink, &report);
        assert_eq!(text.lines().next(), Some(header));
        assert!(text.lines().count() > 1, "{text}");
    }
    let heads: Vec<String> = [summary_csv as Sink, comparison_csv, timeline_csv]
        .iter()
        .flat_map(|sink| text(*sink, &report).lines().take(9).map(str::to_owned).collect::<Vec<_>>())
        .collect();
    insta::assert_snapshot!("csv", heads.join("\n"));
}

#[test]
fn a_stand_in_is_told_in_every_file() {
    let report = report(Task::Generate, true);
    for sink in [comparison_csv as Sink, timeline_csv, markdown, html, hlog, benchstat, prometheus] {
        let text = text(sink, &report);
        assert!(text.contains("stand-in"), "{text:.400}");
    }
    assert!(text(summary_csv, &report).contains("ollama,true,latency"));
    assert!(text(json, &report).contains("\"stand_in\": true"));
    assert!(shown(&report, Look::default()).contains("(stand-in)"));
}

/// Figures of both sides, and no word of which is better.
#[test]
fn a_stand_in_beside_a_real_engine_is_not_compared() {
    let report = report(Task::Classify, true);
    let told =
        [shown(&report, Look::default()), text(markdown, &report), text(html, &report), text(prometheus, &report)];
    for text in &told {
        assert!(text.contains("Not compared: ") || text.contains("verdict=\"not compared\""), "{text}");
        let words = ["better", "worse", "ratio (95 % CI)", "undecided", "comparison_ratio{"];
        // The page names the classes of all verdicts in its style, and explains them in its glossary.
        let body = text.rsplit("</style>").next().unwrap_or_default();
        let body = body.split("<h2 id=\"glossary\"").next().unwrap_or_default().replace("no-better-than-commonest", "");
        assert!(words.iter().all(|word| !body.contains(word)), "{body}");
    }
    let rows = text(comparison_csv, &report);
    let end = ",,,,not compared,,,,,,,,`ollama` is a stand-in";
    assert!(rows.lines().skip(1).all(|row| row.ends_with(end)), "{rows}");
}

#[test]
fn nothing_that_others_wrote_is_markup_or_a_formula() {
    let mut report = report(Task::Classify, false);
    let evil = "=<script>alert(1)</script>|`@all`\x1b[31m\n# x";
    for text in [&mut report.plan.name, &mut report.targets[0].name, &mut report.plan.targets[0].name] {
        evil.clone_into(text);
    }
    report.plan.targets[0].facts.engine = Some(evil.to_owned());
    report.plan.workload.labels[0] = evil.to_owned();
    report.targets[0].confusion.as_mut().unwrap().labels[0] = evil.to_owned();
    for severity in crate::audit::Severity::ALL {
        report.findings.push(crate::audit::Finding {
            id: evil.to_owned(),
            severity,
            target: Some(0),
            sentence: evil.to_owned(),
            evidence: vec![(evil.to_owned(), evil.to_owned())],
            threshold: Some(evil.to_owned()),
        });
    }
    let outcome = Some(crate::record::Outcome::ErrorFrame);
    let reason = |words: &str| crate::stats::Reason {
        outcome,
        http_status: None,
        words: words.to_owned(),
        count: 3,
        first_s: 1.0,
        last_s: 2.0,
    };
    report.targets[0].failures = vec![reason(evil)];
    let page = text(html, &report);
    assert!(!page.contains("<script") && page.contains("&#60;script"), "{page:.2000}");
    let comment = text(markdown, &report);
    assert!(!comment.contains("<script") && !comment.contains("@all") && !comment.contains("\n# x"), "{comment}");
    let look = Look { confusion: true, ..Look::default() };
    assert!(!shown(&report, look).contains('\x1b'));
    for csv in [text(summary_csv, &report), text(findings_csv, &report), text(failures_csv, &report)] {
        let formula = |cell: &str| cell.trim_start_matches('"').starts_with('=');
        assert!(!csv.lines().skip(1).any(|line| formula(line) || line.split(",\"").any(formula)), "{csv:.300}");
    }
    assert!(!text(hlog, &report).lines().any(|line| line.starts_with("x")));
}

/// A small reader of our own page: tags close in the order they opened, and nothing is fetched or run.
#[test]
fn the_page_is_well_formed_and_alone() {
    for task in [Task::Classify, Task::Generate, Task::Embed] {
        let page = text(html, &report(task, true));
        let mut open = Vec::new();
        for tag in page.split('<').skip(1).filter_map(|rest| rest.split_once('>')).map(|(tag, _)| tag) {
            let name = tag.trim_start_matches('/').split([' ', '/', '\n']).next().unwrap_or_default();
            if ["!doctype", "meta", "link", "br"].contains(&name) || tag.ends_with('/') {
                continue;
            }
            if tag.starts_with('/') {
                assert_eq!(open.pop(), Some(name), "{tag}");
            } else {
                open.push(name);
            }
        }
        assert!(open.is_empty(), "{open:?}");
        for word in ["<script", "http:", "https:", "url(", "src=", "@import", "NaN", "inf,"] {
            assert!(!page.contains(word), "{word}");
        }
        assert!(page.contains("Content-Security-Policy") && page.contains("prefers-color-scheme: dark"));
    }
}

#[test]
fn writing_again_gives_the_same_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let read = || -> std::collections::BTreeMap<_, _> {
        let files = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path());
        files.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
    };
    let report = report(Task::Embed, true);
    write_all(directory.path(), &report).unwrap();
    let first = read();
    assert_eq!(first.len(), SINKS.len());
    write_all(directory.path(), &report).unwrap();
    assert!(first == read());
}

/// Writes a results directory to look at: `LOADCMP_LOOK=dir cargo test --lib look_at`.
#[test]
fn look_at() {
    let Some(directory) = std::env::var_os("LOADCMP_LOOK").map(std::path::PathBuf::from) else { return };
    for (name, task, stand_in) in [("classify", Task::Classify, true), ("generate", Task::Generate, false)] {
        let directory = directory.join(name);
        std::fs::create_dir_all(&directory).unwrap();
        write_all(&directory, &report(task, stand_in)).unwrap();
    }
}
