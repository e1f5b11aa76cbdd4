//! What people read when a scenario is wrong: each `tests/broken/NAME.yaml` and the whole message in `NAME.txt`.
//!
//! A first line `# env: NAME=value` or `# args: --set a.b=c --target d=e` sets what its words say. `UPDATE_GOLDEN=1`
//! writes the messages anew; read them before you keep them.

use loadcmp::scenario::{Loaded, Overrides, ScenarioError, load, load_str, load_with};
use proptest::prelude::*;
use std::env::VarError;
use std::path::{Path, PathBuf};

/// Reads a scenario the way its first line says.
fn read(path: &Path) -> Result<Loaded, ScenarioError> {
    let bytes = std::fs::read(path).unwrap();
    let first = String::from_utf8_lossy(&bytes).lines().next().unwrap_or_default().to_owned();
    let mut overrides = Overrides::default();
    let mut words = first.strip_prefix("# args: ").unwrap_or_default().split_whitespace();
    while let Some(flag) = words.next() {
        let list = match flag {
            "--set" => &mut overrides.set,
            "--sweep" => &mut overrides.sweep,
            _ => &mut overrides.targets,
        };
        list.push(words.next().unwrap().to_owned());
    }
    let variable = first.strip_prefix("# env: ").and_then(|text| text.split_once('='));
    let lookup = |name: &str| match variable {
        Some((known, value)) if known == name => Ok(value.to_owned()),
        _ => Err(VarError::NotPresent),
    };
    match String::from_utf8(bytes) {
        Ok(text) => load_with(path, Path::new("."), text, &overrides, &lookup),
        Err(_) => load(path, &overrides),
    }
}

#[test]
fn every_broken_scenario_says_what_is_wrong_and_where() {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir("tests/broken").unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    paths.sort();
    assert!(paths.len() >= 40);
    let mut different = Vec::new();
    for path in paths {
        let message = match read(&path) {
            Ok(_) => panic!("{} loads", path.display()),
            Err(error) => format!("{error}\n"),
        };
        assert!(!message.chars().any(|c| c.is_control() && c != '\n'), "{}", path.display());
        assert!(
            ["sk-abc123", "s3cr3t", "987654321", "letmein", "user:pass"].iter().all(|secret| !message.contains(secret)),
            "{message}"
        );
        let golden = path.with_extension("txt");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&golden, &message).unwrap();
        }
        let kept = std::fs::read_to_string(&golden).unwrap_or_default();
        if kept != message {
            different.push(format!("{}\n--- kept\n{kept}--- now\n{message}", path.display()));
        }
    }
    assert!(different.is_empty(), "{}\n(UPDATE_GOLDEN=1 keeps what is now)", different.join("\n"));
}

#[test]
fn a_huge_file_is_refused_without_being_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("huge.yaml");
    std::fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
    let begun = std::time::Instant::now();
    let error = load(&path, &Overrides::default()).unwrap_err().to_string();
    assert!(error.contains("1099511627776 bytes") && error.contains("1 MiB"), "{error}");
    assert!(begun.elapsed().as_secs() < 1);
}

#[test]
fn what_is_no_file_is_refused_without_waiting() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("here.yaml"), "").unwrap();
    let error = load(directory.path(), &Overrides::default()).unwrap_err().to_string();
    assert!(error.contains("directory") && error.contains("here.yaml"), "{error}");
    #[cfg(unix)]
    {
        let error = load(Path::new("/dev/zero"), &Overrides::default()).unwrap_err().to_string();
        assert!(error.contains("not a regular file"), "{error}");
    }
}

/// Texts that are small and cost much where a reader isn't careful.
#[test]
fn hostile_texts_are_refused_soon() {
    let deep_flow = format!("a: {}", "[".repeat(500_000));
    let deep_block = (0..2000).map(|n| format!("{}a:\n", " ".repeat(n % 400))).collect::<String>();
    let many = "- x\n".repeat(250_000);
    let one_line = format!("a: [{}]", "x, ".repeat(300_000));
    let long_key = format!("{}: 1", "k".repeat(1_000_000));
    let dollars = format!("name: \"{}\"", "${A:-".repeat(180_000));
    let nested = format!(
        "a: &a {0}{1}\nb: &b {0}*a{1}\nc: &c {0}*b{1}\nd: &d {0}*c{1}\ne: &e {0}*d{1}\n",
        "[".repeat(30),
        "]".repeat(30)
    );
    let fields: String = (0..9000).map(|n| format!("usres{n}: 1\n")).collect();
    let begun = std::time::Instant::now();
    for text in [deep_flow, deep_block, many, one_line, long_key, dollars, nested, fields] {
        let error = load_str("hostile.yaml", &text, &Overrides::default()).unwrap_err();
        let told = error.to_string();
        assert!(told.lines().all(|line| line.chars().count() < 1000), "{}", &told[..500]);
    }
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
}

/// A scenario with one piece replaced: near enough to a right one to reach every part of the check.
fn nearly_right() -> impl Strategy<Value = String> {
    let text = std::fs::read_to_string("scenarios/generate.yaml").unwrap();
    let length = text.len();
    (0..length, 0..40usize, "\\PC{0,12}|[\\[\\]{}:,&*!|>'\"%@`$#\\-\n\t 0-9a-z]{0,20}").prop_map(
        move |(at, cut, new)| {
            let bytes = [&text.as_bytes()[..at], new.as_bytes(), &text.as_bytes()[(at + cut).min(length)..]].concat();
            String::from_utf8_lossy(&bytes).into_owned()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..4096)) {
        let text = String::from_utf8_lossy(&bytes);
        if let Err(error) = load_str("any.yaml", &text, &Overrides::default()) {
            prop_assert!(!error.to_string().chars().any(|c| c.is_control() && c != '\n'));
        }
    }

    #[test]
    fn no_yaml_like_text_makes_it_panic(text in "[\\[\\]{}:,&*!|>'\"%@`$#\\-\n\t a-e0-9é日]{0,400}") {
        if let Err(error) = load_str("any.yaml", &text, &Overrides::default()) {
            prop_assert!(error.to_string().contains("in any.yaml"));
        }
    }

    #[test]
    fn no_damage_to_a_scenario_makes_it_panic(text in nearly_right()) {
        if let Err(error) = load_str("scenarios/any.yaml", &text, &Overrides::default()) {
            prop_assert!(!error.mistakes().is_empty());
            prop_assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn no_argument_makes_it_panic(set in "[a-z.0-9=\\[{\"':,]{0,30}", target in "[a-z=:.,/$\\{}0-9]{0,40}") {
        let overrides = Overrides { set: vec![set], targets: vec![target], seed: Some(1), ..Overrides::default() };
        let text = std::fs::read_to_string("scenarios/generate.yaml").unwrap();
        if let Err(error) = load_str("scenarios/any.yaml", &text, &overrides) {
            let _ = error.to_string();
        }
    }
}
