//! What a run leaves behind for people and for other programs, as they meet it: the program, a stand-in, the files.

#[path = "common/cli.rs"]
mod cli;

use cli::{StandIn, ask, json, loadcmp, text, write};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// One short run of everything: labels, failures, two targets of one stand-in.
fn run(dir: &Path) -> PathBuf {
    let engine = StandIn::start(&["--first-token-ms", "2", "--fault-status", "0.05"]);
    let mut prompts = "text,label\n".to_owned();
    (0..12).for_each(|i| prompts += &format!("ticket {i},{}\n", ["bug", "praise"][i % 2]));
    write(dir, "prompts.csv", &prompts);
    let url = &engine.url;
    let scenario = format!(
        "name: files\nabout: Every file\ntask: classify\nseed: 7\ntargets:\n  a: {{ openai: {{ url: \"{url}\", token: \"${{REPORT_TOKEN}}\" }} }}\n  b: {{ \
         ollama: {{ url: \"{url}\" }} }}\nreference: b\nworkload:\n  prompts: {{ csv: {{ path: prompts.csv, text: text, label: \
         label }} }}\n  labels: [bug, praise]\n  sampling: {{ max_tokens: 4 }}\nload: {{ closed: {{ users: 2, requests: 60 }} }}\nallow_same_endpoint: true\n"
    );
    write(dir, "files.yaml", &scenario);
    let output = loadcmp()
        .current_dir(dir)
        .args([
            "run",
            "files.yaml",
            "--out",
            "out",
            "--quiet",
            "--set",
            "targets.a.openai.token=${REPORT_TOKEN}",
            "--seed",
            "7",
        ])
        .env("REPORT_TOKEN", "s3cr3t")
        .output()
        .expect("loadcmp");
    let (code, (_, errors)) = (output.status.code().unwrap_or(-1), text(&output));
    assert!([0, 4].contains(&code), "{code}: {errors}");
    dir.join("out")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_file_is_there_tells_stand_ins_and_no_secret_and_is_told_again_to_the_byte() {
    let dir = tempfile::tempdir().expect("a directory");
    let out = run(dir.path());
    let report = json(&out.join("report.json"));
    let listed: Vec<&str> = report["files"].as_array().expect("files").iter().filter_map(Value::as_str).collect();
    for name in ["benchstat.txt", "metrics.prom", "report.html", "report.md"] {
        assert!(listed.contains(&name), "{name}: {listed:?}");
    }
    for name in &listed {
        let text = read(&out.join(name));
        assert!(!text.contains("s3cr3t"), "{name}");
        if *name != "manifest.json" && *name != "resources.csv" {
            assert!(
                text.contains("stand-in") || text.contains("stand_in"),
                "{name} tells of no stand-in:\n{text:.400}"
            );
        }
    }
    let page = read(&out.join("report.html"));
    for words in [
        "What the audit found",
        "Latency by percentile",
        "Over time",
        "Label by label",
        "Repeat it",
        "<code>metrics.prom</code>",
    ] {
        assert!(page.contains(words), "{words}");
    }
    let command =
        "loadcmp run files.yaml --out out --quiet --set &#39;targets.a.openai.token=${REPORT_TOKEN}&#39; --seed 7";
    assert!(page.contains(command), "{}", &page[page.find("Repeat it").expect("the section")..][..400]);
    assert!(
        read(&out.join("metrics.prom")).contains("loadcmp_latency_seconds{scenario=\"files\",target=\"a (stand-in)\",")
    );
    assert!(read(&out.join("benchstat.txt")).contains("(stand-in)/step=total 1 "));

    let before: Vec<String> = listed.iter().map(|name| read(&out.join(name))).collect();
    let (code, _, errors) = ask(dir.path(), &["report", "out"]);
    assert!([0, 4].contains(&code), "{errors}");
    for (name, before) in listed.iter().zip(before) {
        assert!(read(&out.join(name)) == before, "{name} is another when it is told again");
    }
    let comment = read(&out.join("report.md"));
    assert!(comment.len() < 65_536, "a pull request takes no more: {}", comment.len());

    // Against its schema, as it is printed.
    let printed = loadcmp().args(["schema", "--report"]).output().expect("loadcmp").stdout;
    let schema: Value = serde_json::from_slice(&printed).expect("JSON");
    let mut wrong = Vec::new();
    check(&schema, &schema, &report, "", &mut wrong);
    assert!(wrong.is_empty(), "{wrong:#?}");
    // And what is no report is none.
    let mut other = report.clone();
    other["schema_version"] = 99.into();
    other["targets"][0].as_object_mut().expect("a target").remove("stand_in");
    other["plan"]["seed"] = "7".into();
    check(&schema, &schema, &other, "", &mut wrong);
    assert_eq!(wrong.len(), 3, "{wrong:#?}");
}

/// Holds a value against the words of draft-07 that the schema uses; unknown words fail, so that none is passed over.
fn check(root: &Value, schema: &Value, value: &Value, at: &str, wrong: &mut Vec<String>) {
    let Some(words) = schema.as_object() else {
        assert!(schema.as_bool() == Some(true), "{at}: {schema}");
        return;
    };
    let fits = |schema: &Value| {
        let mut wrong = Vec::new();
        check(root, schema, value, at, &mut wrong);
        wrong.is_empty()
    };
    let one = |name: &Value| match name.as_str().expect("a type") {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        other => panic!("{other}"),
    };
    for (word, rule) in words {
        let holds = match word.as_str() {
            "$schema" | "title" | "description" | "definitions" | "format" | "default" | "pattern" | "examples" => true,
            "$ref" => {
                let path = rule.as_str().and_then(|path| path.strip_prefix('#')).expect("a local reference");
                check(root, root.pointer(path).unwrap_or_else(|| panic!("{path}")), value, at, wrong);
                true
            }
            "type" => rule.as_array().map_or_else(|| one(rule), |names| names.iter().any(one)),
            "const" => value == rule,
            "enum" => rule.as_array().expect("values").contains(value),
            "anyOf" => rule.as_array().expect("schemas").iter().any(fits),
            "oneOf" => rule.as_array().expect("schemas").iter().filter(|one| fits(one)).count() == 1,
            "allOf" => rule.as_array().expect("schemas").iter().all(fits),
            "required" => {
                let names = rule.as_array().expect("names").iter().filter_map(Value::as_str);
                value.as_object().is_none_or(|of| names.into_iter().all(|name| of.contains_key(name)))
            }
            "properties" | "additionalProperties" => {
                let known = words.get("properties").and_then(Value::as_object);
                for (name, inner) in value.as_object().into_iter().flatten() {
                    let own = known.and_then(|known| known.get(name));
                    match (word.as_str(), own) {
                        ("properties", Some(own)) => check(root, own, inner, &format!("{at}/{name}"), wrong),
                        ("additionalProperties", None) if rule == &Value::Bool(false) => {
                            wrong.push(format!("{at}/{name}: unknown"))
                        }
                        ("additionalProperties", None) => check(root, rule, inner, &format!("{at}/{name}"), wrong),
                        _ => {}
                    }
                }
                true
            }
            "items" => {
                for (number, inner) in value.as_array().into_iter().flatten().enumerate() {
                    let own = rule.as_array().map_or(Some(rule), |each| each.get(number));
                    if let Some(own) = own {
                        check(root, own, inner, &format!("{at}/{number}"), wrong);
                    }
                }
                true
            }
            "minItems" => value.as_array().is_none_or(|all| all.len() as u64 >= rule.as_u64().expect("a number")),
            "maxItems" => value.as_array().is_none_or(|all| all.len() as u64 <= rule.as_u64().expect("a number")),
            "minimum" => value.as_f64().is_none_or(|x| x >= rule.as_f64().expect("a number")),
            "maximum" => value.as_f64().is_none_or(|x| x <= rule.as_f64().expect("a number")),
            "exclusiveMinimum" => value.as_f64().is_none_or(|x| x > rule.as_f64().expect("a number")),
            "minLength" => value.as_str().is_none_or(|text| text.len() as u64 >= rule.as_u64().expect("a number")),
            "minProperties" => value.as_object().is_none_or(|of| of.len() as u64 >= rule.as_u64().expect("a number")),
            "maxProperties" => value.as_object().is_none_or(|of| of.len() as u64 <= rule.as_u64().expect("a number")),
            other => panic!("{at}: the check knows no `{other}`"),
        };
        if !holds {
            wrong.push(format!("{at}: {word} {rule}: {value:.200}"));
        }
    }
}

/// `UPDATE_SCHEMA=1 cargo test` writes the file anew.
#[test]
fn the_published_schema_is_the_one_the_types_make() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/report-3.schema.json");
    let made = serde_json::to_string_pretty(&loadcmp::report::schema()).expect("JSON") + "\n";
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(&path, &made).expect("the schema's file");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == made, "docs/report-3.schema.json is not what the types make; run: UPDATE_SCHEMA=1 cargo test");
}

/// A run that an earlier version left behind: its names of rules and metrics are read as those of today.
#[test]
fn a_run_of_an_earlier_version_is_reported() {
    let dir = tempfile::tempdir().expect("a directory");
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/runs/version-2");
    std::fs::create_dir(dir.path().join("out")).expect("a directory");
    for name in ["manifest.json", "samples.csv"] {
        std::fs::copy(kept.join(name), dir.path().join("out").join(name)).expect("a copy");
    }
    let earlier = json(&dir.path().join("out/manifest.json"));
    assert_eq!(earlier["schema_version"], 2);
    assert_eq!(earlier["plan"]["audit"]["generator-lag"], "note 2ms");
    let (code, out, err) = ask(dir.path(), &["report", "out", "--full"]);
    assert_eq!(code, 0, "{out}{err}");
    let report = json(&dir.path().join("out/report.json"));
    assert_eq!(report["schema_version"], 3);
    assert_eq!(
        report["plan"]["audit"],
        serde_json::json!({ "send-lag": "note 2ms", "unparsed-labels": "off", "send-lag-share": "60%" })
    );
    let measured = report["targets"][0]["rows"].as_array().expect("rows");
    assert!(measured.iter().any(|row| row["metric"] == "time_other"), "{measured:?}");
    assert!(out.contains("pass     native.gap_max.p50 <= 10s") && out.contains("1 off: unparsed-labels"), "{out}");
    // Its files aren't touched.
    assert_eq!(json(&dir.path().join("out/manifest.json")), earlier);
}
