//! `metrics.prom`: the run's figures for Prometheus' textfile collector: gauges and summaries, in base units.
//!
//! What wasn't measured has no line: there, a blank would read as 0. A stand-in says so in the label `target`, and by
//! `stand_in="true"`.

use crate::audit::Severity;
use crate::metrics::{metric, metric_words};
use crate::report::{Report, Status};
use crate::scenario::yaml_word;
use crate::stats::{Row, unit};
use std::io::{self, Write};

/// A label and its value.
type Label = (&'static str, String);

/// One metric with all its lines.
struct Family {
    name: String,
    kind: &'static str,
    help: String,
    /// What comes after the name, the labels, the value.
    lines: Vec<(&'static str, Vec<Label>, f64)>,
}

/// Writes it.
pub fn prometheus(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    for family in families(report).iter().filter(|family| !family.lines.is_empty()) {
        writeln!(out, "# HELP {} {}", family.name, family.help.replace('\\', r"\\").replace('\n', r"\n"))?;
        writeln!(out, "# TYPE {} {}", family.name, family.kind)?;
        for (after, labels, value) in &family.lines {
            let labels: Vec<String> =
                labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
            writeln!(out, "{}{after}{{{}}} {value}", family.name, labels.join(","))?;
        }
    }
    Ok(())
}

/// A label's value as the format wants it.
fn escaped(text: &str) -> String {
    text.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

fn families(report: &Report) -> Vec<Family> {
    let mut families = run(report);
    for (at, target) in report.targets.iter().enumerate() {
        for row in &target.rows {
            rows(&mut families, row, &labels(report, at));
        }
    }
    families.extend(comparisons(report));
    families
}

/// The labels of a target's figures.
fn labels(report: &Report, at: usize) -> Vec<Label> {
    let (target, planned) = (report.targets.get(at), report.plan.targets.get(at));
    let engine = planned.and_then(|planned| planned.facts.engine.clone()).unwrap_or_default();
    vec![
        ("scenario", report.plan.name.clone()),
        ("target", target.map(|target| target.label()).unwrap_or_default()),
        ("engine", engine),
        ("model", planned.map(|planned| planned.model.clone()).unwrap_or_default()),
        ("stand_in", target.is_some_and(|target| target.stand_in).to_string()),
    ]
}

/// What is told of the run as a whole.
fn run(report: &Report) -> Vec<Family> {
    let scenario = || ("scenario", report.plan.name.clone());
    let gauge = |name: &str, help: &str, lines: Vec<(Vec<Label>, f64)>| Family {
        name: format!("loadcmp_{name}"),
        kind: "gauge",
        help: help.to_owned(),
        lines: lines.into_iter().map(|(labels, value)| ("", labels, value)).collect(),
    };
    let about = vec![
        scenario(),
        ("tool", report.tool.clone()),
        ("task", yaml_word(&report.plan.task)),
        ("seed", report.plan.seed.to_string()),
        ("workload_hash", report.plan.workload.hash.clone()),
        ("main_metric", report.primary.clone()),
        ("stand_in", report.has_stand_in().to_string()),
    ];
    let began = report.started.parse::<jiff::Timestamp>().ok().map(|at| (vec![scenario()], at.as_second() as f64));
    let valid = report.status == Status::Complete && report.invalid().is_empty();
    let found = Severity::ALL
        .map(|severity| (vec![scenario(), ("severity", yaml_word(&severity))], report.found(severity).count() as f64));
    vec![
        gauge("run_info", "The scenario and target; the value is always 1.", vec![(about, 1.0)]),
        gauge("run_start_time_seconds", "Start of the run, seconds since 1970.", began.into_iter().collect()),
        gauge(
            "run_valid",
            "1 if the run completed and is valid, otherwise 0.",
            vec![(vec![scenario()], f64::from(u8::from(valid)))],
        ),
        gauge("findings", "Number of audit findings by severity.", found.into()),
    ]
}

/// Adds a row of a target to the families it belongs to.
fn rows(families: &mut Vec<Family>, row: &Row, labels: &[Label]) {
    let (name, size) = base(&row.metric, &row.unit);
    let help = metric(&row.metric).map_or_else(|| metric_words(&row.metric), |metric| metric.about.to_owned());
    let help = sentence(&help) + ".";
    let told = |value: Option<f64>| value.map(|value| value / size).filter(|value| value.is_finite());
    let quantiles = [
        ("0", row.min),
        ("0.5", row.p50),
        ("0.9", row.p90),
        ("0.95", row.p95),
        ("0.99", row.p99),
        ("0.999", row.p999),
        ("1", row.max),
    ];
    if quantiles.iter().all(|(_, value)| value.is_none()) {
        let ends = [
            ("", row.mean, ""),
            ("_low", row.low, ", lower end of the 95 % interval"),
            ("_high", row.high, ", upper end of the 95 % interval"),
        ];
        for (after, value, words) in ends {
            let Some(value) = told(value) else { continue };
            let family = family(families, &format!("{name}{after}"), "gauge", &help.replace('.', &format!("{words}.")));
            family.lines.push(("", labels.to_vec(), value));
        }
        return;
    }
    let family = family(families, &name, "summary", &help);
    for (quantile, value) in quantiles {
        let Some(value) = told(value) else { continue };
        let labels = [labels, &[("quantile", quantile.to_owned())]].concat();
        family.lines.push(("", labels, value));
    }
    let n = row.n.map(|n| n as f64);
    let ends = [("_sum", n.zip(told(row.mean)).map(|(n, mean)| n * mean)), ("_count", n)];
    family.lines.extend(ends.into_iter().filter_map(|(after, value)| Some((after, labels.to_vec(), value?))));
}

/// The family of a name, made if it isn't there.
fn family<'a>(families: &'a mut Vec<Family>, name: &str, kind: &'static str, help: &str) -> &'a mut Family {
    let at = families.iter().position(|family| family.name == name).unwrap_or_else(|| {
        families.push(Family { name: name.to_owned(), kind, help: help.to_owned(), lines: Vec::new() });
        families.len() - 1
    });
    &mut families[at]
}

/// A metric's name, and how many of its units are one of the base unit.
fn base(metric: &str, of: &str) -> (String, f64) {
    let (word, size) = match of {
        unit::MICROS => ("seconds", 1e6),
        unit::BYTES => ("bytes", 1.0),
        unit::BYTES_PER_H => ("bytes_per_second", 3600.0),
        unit::TOKENS => ("tokens", 1.0),
        unit::TOKENS_PER_S | unit::REQUESTS_PER_S => ("per_second", 1.0),
        unit::TOKENS_PER_S_PER_GIB => ("tokens_per_second_per_byte", f64::from(1 << 30)),
        unit::REQUESTS => ("requests", 1.0),
        unit::CORES => ("cores", 1.0),
        unit::JOULES => ("joules", 1.0),
        unit::ONE if metric == "dimensions" => ("dimensions", 1.0),
        unit::ONE => ("ratio", 1.0),
        _ => ("", 1.0),
    };
    let plain = metric.replace("_per_s_per_gib", "").replace("_per_s", "_per_second");
    // What the name says already isn't said twice.
    let said = word.is_empty() || plain == word || plain.ends_with(&format!("_{word}"));
    let name = if of == unit::TOKENS_PER_S_PER_GIB {
        word.to_owned()
    } else if said {
        plain
    } else {
        format!("{plain}_{word}")
    };
    (format!("loadcmp_{name}"), size)
}

/// Words that begin as a sentence does.
fn sentence(words: &str) -> String {
    let mut chars = words.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// How the targets compare: ratios with their intervals, and verdicts.
fn comparisons(report: &Report) -> Vec<Family> {
    let told = |name: &str, help: &str, of: &dyn Fn(&crate::stats::Comparison) -> Option<f64>, verdict: bool| {
        let line = |c: &crate::stats::Comparison| {
            let value = of(c).filter(|value| value.is_finite())?;
            let reference = report.targets.get(c.reference).map(|target| target.label()).unwrap_or_default();
            let mut labels = labels(report, c.target);
            labels.extend([("reference", reference), ("metric", c.metric.clone())]);
            labels.extend(verdict.then(|| ("verdict", c.verdict.as_str().to_owned())));
            Some(("", labels, value))
        };
        let lines = report.comparisons.iter().filter_map(line).collect();
        Family { name: format!("loadcmp_{name}"), kind: "gauge", help: help.to_owned(), lines }
    };
    vec![
        told("comparison_ratio", "Target ÷ reference.", &|c| c.low.and(c.ratio), false),
        told("comparison_ratio_low", "Lower end of the ratio's 95 % interval.", &|c| c.low, false),
        told("comparison_ratio_high", "Upper end of the ratio's 95 % interval.", &|c| c.high, false),
        told("comparison_verdict", "The verdict of the comparison; the value is always 1.", &|_| Some(1.0), true),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::report;
    use crate::scenario::Task;
    use std::collections::{BTreeMap, BTreeSet};

    /// A strict reader of the text format: each sample with its labels, under its family's type.
    fn parse(text: &str) -> BTreeMap<String, f64> {
        let (mut samples, mut seen) = (BTreeMap::new(), BTreeSet::new());
        let mut lines = text.lines();
        let mut now: Option<(String, String)> = None;
        while let Some(line) = lines.next() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, words) = help.split_once(' ').expect("a help text");
                assert!(!words.is_empty() && seen.insert(name.to_owned()), "{name} comes twice");
                assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'), "{name}");
                let kind = lines.next().and_then(|l| l.strip_prefix(&format!("# TYPE {name} "))).expect("a type");
                now = Some((name.to_owned(), kind.to_owned()));
                continue;
            }
            let (family, kind) = now.as_ref().expect("a family before its samples");
            let open = line.find('{').expect("labels");
            let after = line[..open].strip_prefix(family.as_str()).expect("a sample of the family");
            assert!(after.is_empty() || (kind == "summary" && ["_sum", "_count"].contains(&after)), "{line}");
            let mut rest = &line[open + 1..];
            while let Some((name, value)) = rest.split_once("=\"").filter(|_| !rest.starts_with('}')) {
                assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{line}");
                let (mut end, mut bytes) = (0, value.char_indices());
                while let Some((at, c)) = bytes.next() {
                    match c {
                        '\\' => assert!(matches!(bytes.next(), Some((_, '\\' | '"' | 'n'))), "{line}"),
                        '"' => {
                            end = at;
                            break;
                        }
                        _ => {}
                    }
                }
                rest = value[end + 1..].trim_start_matches(',');
            }
            let value: f64 = rest.strip_prefix("} ").expect("a value").parse().expect("a number");
            assert!(value.is_finite(), "{line}");
            let key = line.rsplit_once(' ').expect("a value").0.to_owned();
            assert!(samples.insert(key, value).is_none(), "twice: {line}");
        }
        samples
    }

    fn text(report: &Report) -> String {
        let mut bytes = Vec::new();
        prometheus(report, &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn it_reads_back_in_base_units_and_tells_stand_ins() {
        for task in [Task::Classify, Task::Generate, Task::Embed] {
            let report = report(task, true);
            let samples = parse(&text(&report));
            let of = |name: &str, has: &[&str]| {
                let found = samples.iter().find(|(key, _)| {
                    key.starts_with(&format!("{name}{{")) && has.iter().all(|part| key.contains(part))
                });
                *found.unwrap_or_else(|| panic!("{name} {has:?}")).1
            };
            let median = report.targets[1].value("latency.p50").unwrap();
            let told = of(
                "loadcmp_latency_seconds",
                &["target=\"ollama (stand-in)\"", "stand_in=\"true\"", "quantile=\"0.5\""],
            );
            assert!((told - median / 1e6).abs() < 1e-12, "{told} {median}");
            let n = of("loadcmp_latency_seconds_count", &["target=\"native\"", "stand_in=\"false\""]);
            assert_eq!(n, report.targets[0].row("latency").unwrap().n.unwrap() as f64);
            assert_eq!(of("loadcmp_run_info", &["stand_in=\"true\"", "seed="]), 1.0);
            assert!(of("loadcmp_run_start_time_seconds", &["scenario="]) > 1.7e9);
            let ratio = |samples: &BTreeMap<String, f64>| {
                samples.keys().any(|key| key.starts_with("loadcmp_comparison_ratio_low{"))
            };
            let real = parse(&text(&crate::report::fixture::report(task, false)));
            assert!(ratio(&real) && !ratio(&samples), "a stand-in is compared with no real engine");
            assert!(samples.keys().all(|key| !key.contains("_us{") && !key.contains("_per_s{")), "base units only");
        }
    }

    #[test]
    fn names_that_others_wrote_stay_inside_their_quotes() {
        let mut report = report(Task::Classify, false);
        report.plan.targets[0].model = "a\"b\\c\nd} 1".to_owned();
        assert!(parse(&text(&report)).keys().any(|key| key.contains(r#"model="a\"b\\c\nd} 1""#)));
    }

    #[test]
    fn a_name_says_its_unit_once() {
        for (metric, of, want) in [
            ("latency", unit::MICROS, "loadcmp_latency_seconds"),
            ("requests_per_s", unit::REQUESTS_PER_S, "loadcmp_requests_per_second"),
            ("tokens_per_s", unit::TOKENS_PER_S, "loadcmp_tokens_per_second"),
            ("output_tokens", unit::TOKENS, "loadcmp_output_tokens"),
            ("ok", unit::REQUESTS, "loadcmp_ok_requests"),
            ("requests", unit::REQUESTS, "loadcmp_requests"),
            ("memory_ratio", unit::ONE, "loadcmp_memory_ratio"),
            ("accuracy", unit::ONE, "loadcmp_accuracy_ratio"),
            ("tokens_per_s_per_gib", unit::TOKENS_PER_S_PER_GIB, "loadcmp_tokens_per_second_per_byte"),
            ("threads", unit::THREADS, "loadcmp_threads"),
        ] {
            assert_eq!(base(metric, of).0, want);
        }
    }
}
