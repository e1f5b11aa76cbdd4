//! The house rules, held: rooms import only rooms below them, third-party crates come in by their one door, the clock is
//! read in one place, and no room is in a cycle (which the first rule alone makes impossible), nor are two files of a room.

#[path = "common/circles.rs"]
mod circles;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The rooms from the top down, as `src/lib.rs` lists them.
const ROOMS: [&str; 18] = [
    "run", "sink", "suite", "baseline", "history", "report", "gate", "audit", "capacity", "stats", "drive", "target",
    "standin", "workload", "record", "host", "scenario", "metrics",
];

/// The doors of crates that have one: where `name` may be imported.
const DOORS: [(&str, &[&str]); 24] = [
    ("goose", &["src/drive/closed.rs"]),
    ("ctrlc", &["src/host/signals.rs"]),
    ("hyper", &["src/target/transport.rs", "src/target/discover/upload.rs", "src/standin/"]),
    ("http_body_util", &["src/target/transport.rs", "src/standin/"]),
    ("tokio_rustls", &["src/target/tls/", "src/standin/"]),
    ("rustls_native_certs", &["src/target/tls/"]),
    ("rcgen", &["src/standin/tls.rs"]),
    ("reqwest", &["src/target/discover/", "src/target/scrape.rs"]),
    ("serde_yaml", &["src/scenario/"]),
    ("schemars", &["src/scenario/", "src/report/schema.rs"]),
    ("csv", &["src/sink/", "src/record/", "src/workload/source", "src/standin/labels.rs"]),
    ("ruzstd", &["src/record/zst.rs"]),
    ("hdrhistogram", &["src/stats/"]),
    ("statrs", &["src/stats/"]),
    ("indicatif", &["src/run/progress.rs"]),
    ("glob", &["src/run/compare.rs"]),
    ("clap", &["src/main.rs", "src/commands.rs", "src/commands/", "src/standin/"]),
    ("comfy_table", &["src/sink/"]),
    (
        "askama",
        &[
            "src/sink/html.rs",
            "src/sink/filters.rs",
            "src/sink/many.rs",
            "src/sink/sweep_html.rs",
            "src/sink/suite_html.rs",
            "src/sink/nightly.rs",
            "src/sink/history/page.rs",
        ],
    ),
    ("sysinfo", &["src/host/"]),
    ("nvml_wrapper", &["src/host/gpu/nvidia.rs"]),
    ("macmon", &["src/host/apple/ioreport.rs"]),
    ("mimalloc", &["src/main.rs"]),
    ("rustix", &["src/drive/pacer.rs", "src/host/"]),
];

/// Names that say nothing by themselves, and have stood for several things: a type that is called so is the only one.
const ONCE: [&str; 23] = [
    "Asked",
    "Entry",
    "Evidence",
    "Found",
    "Gather",
    "Held",
    "Judged",
    "Kept",
    "Known",
    "Laid",
    "Outcome",
    "Point",
    "Probe",
    "Said",
    "Seen",
    "Settings",
    "Side",
    "ProcessLookup",
    "State",
    "Target",
    "Told",
    "Verdict",
    "Window",
];

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// Every line of code with its file and number: comments and tests left out.
fn lines() -> Vec<(String, usize, String)> {
    let mut files = Vec::new();
    sources(Path::new("src"), &mut files);
    files.sort();
    let mut all = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a source");
        let name = file.display().to_string();
        if circles::is_test(&name) {
            continue;
        }
        // By custom the tests stand at a file's end.
        let code = text.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default();
        for (number, line) in code.lines().enumerate() {
            let line = line.trim();
            if !line.starts_with("//") {
                all.push((name.clone(), number + 1, line.to_owned()));
            }
        }
    }
    all
}

fn room(file: &str) -> Option<&'static str> {
    let rest = file.strip_prefix("src/")?;
    let name = rest.split('/').next()?.trim_end_matches(".rs");
    ROOMS.into_iter().find(|room| *room == name)
}

#[test]
fn rooms_import_only_rooms_below_them() {
    let place = |room: &str| ROOMS.iter().position(|r| *r == room);
    let mut wrong = Vec::new();
    for (file, number, line) in lines() {
        let Some(here) = room(&file) else { continue };
        for part in line.split("crate::").skip(1) {
            let name: String = part.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
            if place(&name).is_some_and(|there| there < place(here).unwrap_or(0)) {
                wrong.push(format!("{file}:{number}: `{here}` imports `{name}`, which stands above it: {line}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_crate_comes_in_by_its_door() {
    let mut wrong = Vec::new();
    for (file, number, line) in lines() {
        // A type that is written says so where it stands, and nothing of the crate comes in with that.
        let line = line.replace("Deserialize, schemars::JsonSchema", "Deserialize");
        for (name, doors) in DOORS {
            let used = line.match_indices(&format!("{name}::")).any(|(at, _)| {
                let before = line[..at].chars().next_back();
                !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
            });
            if used && !doors.iter().any(|door| file.starts_with(door)) {
                wrong.push(format!("{file}:{number}: `{name}` outside its door ({}): {line}", doors.join(", ")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_clock_is_read_in_one_place() {
    let wrong: Vec<String> = lines()
        .into_iter()
        .filter(|(file, _, line)| line.contains("Instant::now") && file != "src/record/stopwatch.rs")
        .map(|(file, number, line)| format!("{file}:{number}: {line}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_unwraps_or_panics_outside_tests() {
    let words = [".unwrap()", ".expect(", "panic!(", "unreachable!(", "todo!(", "unimplemented!("];
    let wrong: Vec<String> = lines()
        .into_iter()
        .filter(|(_, _, line)| words.iter().any(|word| line.contains(word)))
        .map(|(file, number, line)| format!("{file}:{number}: {line}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_map_lists_the_rooms_from_the_top_down() {
    let map = std::fs::read_to_string("src/lib.rs").expect("the crate's root");
    let listed: Vec<&str> = map.lines().filter_map(|l| l.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    assert_eq!(listed, ROOMS);
}

#[test]
fn no_circle_between_files() {
    let mut files = Vec::new();
    sources(Path::new("src"), &mut files);
    let text = |file: &PathBuf| std::fs::read_to_string(file).expect("a source");
    let files: Vec<_> = files.iter().map(|file| (file.display().to_string(), text(file))).collect();
    let found = circles::circles(&files);
    assert!(found.is_empty(), "files need each other; move what both need into the lower one:\n{}", found.join("\n"));
}

#[test]
fn a_circle_is_found_through_what_is_passed_on_and_through_paths() {
    let circles = |files: &[(&str, &str)]| {
        let files: Vec<_> = files.iter().map(|(file, text)| (format!("src/{file}"), (*text).to_owned())).collect();
        circles::circles(&files)
    };
    let room = ("room/mod.rs", "mod a;\npub use a::A;\npub use c::{self, deep::C as D};\n");
    let a = ("room/a.rs", "use super::{\n    b,\n    x::Y,\n};\nfn f() { b::g() }");
    let c = ("room/c.rs", "use super::A;");
    let told = circles(&[room, a, c, ("room/b.rs", "fn g() -> super::c::C {}")]);
    let want = "src/room/a.rs needs src/room/b.rs: super::b\n  src/room/b.rs needs src/room/c.rs: super::c::C\n  \
                src/room/c.rs needs src/room/a.rs: super::A";
    assert_eq!(told, [want]);
    // Comments, texts and tests make none; nor does a file with those below it.
    let quiet =
        "// super::c::C\nconst A: &str = \"super::c::C\";\n#[cfg(test)]\nmod tests {\n    use super::super::c::C;\n}\n";
    assert!(circles(&[room, a, c, ("room/b.rs", quiet)]).is_empty());
    assert!(circles(&[("room/a.rs", "use deep::D;"), ("room/a/deep.rs", "use super::A;")]).is_empty());
}

#[test]
fn a_name_stands_for_one_type() {
    let defined = |line: &str| {
        let line = match line.strip_prefix("pub") {
            Some(rest) => rest.trim_start_matches(|c: char| c != ' '),
            None => line,
        };
        let (kind, rest) = line.trim_start().split_once(' ')?;
        // What a smart pointer leads to is called `Target` by the standard library.
        let is_type = ["struct", "enum", "trait", "type"].contains(&kind) && !line.starts_with("type Target =");
        is_type.then(|| rest.chars().take_while(|c| c.is_alphanumeric()).collect::<String>())
    };
    let (code, mut wrong) = (lines(), Vec::new());
    for name in ONCE {
        let all: Vec<String> = code
            .iter()
            .filter(|(_, _, line)| defined(line).as_deref() == Some(name))
            .map(|(file, number, line)| format!("  {file}:{number}: {line}"))
            .collect();
        if all.len() > 1 {
            wrong.push(format!("`{name}` stands for {} types; say what each is:\n{}", all.len(), all.join("\n")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Features that only tests turn on in a crate that the program has, too, make two crates of it and of all that stand on it:
/// loadcmp itself was compiled four times by `make test` and `make pages`, and is now twice.
#[test]
fn tests_turn_on_no_features_of_the_programs_crates() {
    let tree = |edges: &str| -> BTreeSet<String> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let asked = ["tree", "--offline", "--locked", "--prefix", "none", "--format", "{p} {f}", "--edges", edges];
        let told = std::process::Command::new(cargo).args(asked).output().expect("cargo");
        let text = String::from_utf8_lossy(&told.stdout).into_owned();
        assert!(told.status.success() && text.lines().count() > 100, "{}", String::from_utf8_lossy(&told.stderr));
        text.lines().map(|line| line.trim_end_matches(" (*)").to_owned()).collect()
    };
    let name = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    let (program, tests) = (tree("normal,build"), tree("normal,build,dev"));
    let known: BTreeSet<String> = program.iter().map(|line| name(line)).collect();
    let twice: Vec<&String> = tests.difference(&program).filter(|line| known.contains(&name(line))).collect();
    assert!(twice.is_empty(), "with tests these have other features: {twice:#?}");
}
