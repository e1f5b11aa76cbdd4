//! The scenarios that are shipped: each loads as it stands, and its data are all there.

use loadcmp::scenario::{Overrides, TargetSpec, Task, editor_schema, editor_suite_schema, load_with};
use loadcmp::workload::{Item, read_prompts};
use std::env::VarError;
use std::path::{Path, PathBuf};

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(name)
}

/// Loads with an empty environment, whatever the machine's holds.
fn load(name: &str) -> loadcmp::scenario::Loaded {
    let path = shipped(name);
    let text = std::fs::read_to_string(&path).unwrap();
    let base = path.parent().unwrap();
    load_with(&path, base, text, &Overrides::default(), &|_| Err(VarError::NotPresent))
        .map_err(|e| e.to_string())
        .unwrap()
}

fn items(name: &str) -> Vec<Item> {
    let loaded = load(name);
    let (scenario, workload) = (&loaded.scenario, &loaded.scenario.workload);
    read_prompts(
        &workload.prompts,
        &loaded.base,
        scenario.task,
        &workload.labels,
        scenario,
        scenario.seed,
        workload.history,
    )
    .unwrap()
    .items
}

#[test]
fn each_shipped_scenario_names_the_two_engines_and_reads_its_data() {
    for (task, file, count) in [
        (Task::Classify, "classify.yaml", 270),
        (Task::Embed, "embed.yaml", 200),
        (Task::Generate, "generate.yaml", 60),
        (Task::Chat, "chat.yaml", 40),
        (Task::Generate, "open.yaml", 60),
        (Task::Classify, "alternate.yaml", 270),
        (Task::Generate, "soak.yaml", 60),
        (Task::Generate, "sweep.yaml", 60),
        (Task::Generate, "ladder.yaml", 20),
        (Task::Generate, "prefix.yaml", 40),
    ] {
        let scenario = load(file).scenario;
        assert_eq!(scenario.task, task);
        assert_eq!(format!("{}.yaml", scenario.name), file);
        assert_eq!(scenario.reference.as_deref(), Some("ollama"));
        assert!(matches!(&scenario.targets["native"], TargetSpec::OpenAi(spec) if spec.url == "auto"));
        assert!(matches!(&scenario.targets["ollama"], TargetSpec::Ollama(spec) if spec.model == "auto"));
        let items = items(file);
        assert_eq!(items.len(), count, "{file}");
        assert!(items.iter().all(|item| item.label.is_some() == (task == Task::Classify)));
        assert!(items.iter().all(|item| (item.turns.len() > 1) == (task == Task::Chat)));
        assert!(items.iter().flat_map(|item| &item.turns).all(|turn| !turn.user.trim().is_empty()));
    }
}

#[test]
fn the_data_keep_their_own_names_and_the_instruction_stands_around_them() {
    let tickets = items("classify.yaml");
    assert_eq!(tickets[0].id, "t001");
    assert_eq!(tickets[0].label, Some(0));
    let text = &tickets[0].turns[0].user;
    assert!(text.starts_with("Answer with one of these labels: billing, bug, feature"), "{text}");
    assert!(text.contains("Write it as JSON") && text.contains("Text: We need our VAT number"), "{text}");
    let conversations = items("chat.yaml");
    assert_eq!(conversations[0].id, "c01");
    assert!(conversations.iter().all(|item| item.turns[0].assistant.is_some()));
}

#[test]
fn a_file_without_the_extension_is_found_by_its_name() {
    let error = loadcmp::scenario::load(&shipped("clasify"), &Overrides::default()).unwrap_err().to_string();
    assert!(error.contains("no such file") && error.contains("classify.yaml`?"), "{error}");
}

/// `UPDATE_SCHEMA=1 cargo test` writes the file anew.
#[test]
fn the_shipped_schemas_are_those_that_the_types_make() {
    let suites = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("suites/schema.json");
    for (path, schema) in [(shipped("schema.json"), editor_schema()), (suites, editor_suite_schema())] {
        let made = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        if std::env::var_os("UPDATE_SCHEMA").is_some() {
            std::fs::write(&path, &made).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(kept == made, "{} is not what the types make; run: UPDATE_SCHEMA=1 cargo test", path.display());
    }
}
