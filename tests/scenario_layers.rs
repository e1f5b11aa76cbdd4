//! What is laid over a scenario's file: the environment, `--set`, `--target` and `--seed`; and the files around it.

use loadcmp::scenario::{Length, Loaded, Overrides, Rate, ScenarioError, Span, TargetSpec, load, load_with};
use std::env::VarError;
use std::path::Path;
use std::time::Duration;

const TEXT: &str = r#"name: layers
task: generate
targets:
  native: { openai: { url: "${NATIVE_URL:-auto}", token: "${TOKEN:-}" } }
  ollama:
    ollama:
      url: "${OLLAMA_HOST:-auto}"
      model: "${MODEL:-auto}"
      num_ctx: ${NUM_CTX:-2048}
      options:
        num_thread: "${THREADS:-8}"
        plain: ${THREADS:-8}
        mirostat: 0
workload:
  prompts: { inline: [{ text: "costs $5, or $$5, or ${PRICE:-5$}" }] }
  sampling: { temperature: "${TEMPERATURE:-0}" }
load: { closed: { users: "${USERS:-2}", duration: "${DURATION:-5s}" } }
"#;

fn read(overrides: &Overrides, environment: &[(&str, &str)]) -> Result<Loaded, ScenarioError> {
    let lookup = |name: &str| {
        let found = environment.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned()).ok_or(VarError::NotPresent)
    };
    load_with(Path::new("layers.yaml"), Path::new("."), TEXT.to_owned(), overrides, &lookup)
}

fn right(overrides: &Overrides, environment: &[(&str, &str)]) -> Loaded {
    read(overrides, environment).map_err(|error| error.to_string()).unwrap()
}

fn set(arguments: &[&str]) -> Overrides {
    Overrides { set: arguments.iter().map(|a| (*a).to_owned()).collect(), ..Overrides::default() }
}

fn targets(arguments: &[&str]) -> Overrides {
    Overrides { targets: arguments.iter().map(|a| (*a).to_owned()).collect(), ..Overrides::default() }
}

fn closed(loaded: &Loaded) -> &loadcmp::scenario::ClosedSpec {
    loaded.scenario.load.closed.as_ref().expect("a closed loop")
}

fn ollama(loaded: &Loaded) -> &loadcmp::scenario::OllamaSpec {
    match &loaded.scenario.targets["ollama"] {
        TargetSpec::Ollama(spec) => spec,
        other => panic!("{other:?}"),
    }
}

#[test]
fn variables_take_the_type_that_is_asked_for() {
    let unset = right(&Overrides::default(), &[]);
    assert_eq!(closed(&unset).users, 2);
    assert_eq!(ollama(&unset).num_ctx, Some(2048));
    let environment = [
        ("USERS", "8"),
        ("DURATION", "1m"),
        ("MODEL", "7"),
        ("NUM_CTX", "4096"),
        ("TEMPERATURE", "0.5"),
        ("THREADS", "4"),
    ];
    let loaded = right(&Overrides::default(), &environment);
    assert_eq!(closed(&loaded).users, 8);
    assert_eq!(closed(&loaded).duration, Some(Length::Of(Span(Duration::from_secs(60)))));
    assert_eq!(loaded.scenario.workload.sampling.temperature, 0.5);
    assert_eq!(ollama(&loaded).model, "7", "a model whose name is a number stays a text");
    assert_eq!(ollama(&loaded).num_ctx, Some(4096));
    let options = serde_json::to_string(&ollama(&loaded).options).unwrap();
    assert_eq!(
        options, r#"{"num_thread":"4","plain":4,"mirostat":0}"#,
        "in quotes it is a text, without it is what it looks like"
    );
}

#[test]
fn a_dollar_is_a_dollar_and_secrets_are_not_shown() {
    let loaded = right(&Overrides::default(), &[("TOKEN", "s3cr3t")]);
    let TargetSpec::OpenAi(native) = &loaded.scenario.targets["native"] else { panic!() };
    assert_eq!(native.token.expose(), "s3cr3t");
    let shown = format!("{:?}{}{}", loaded, serde_json::to_string(&loaded.scenario).unwrap(), loaded.text);
    assert!(!shown.contains("s3cr3t"));
    let prompts = serde_json::to_string(&loaded.scenario.workload.prompts).unwrap();
    assert!(prompts.contains("costs $5, or $5, or 5$"), "{prompts}");
}

#[test]
fn set_changes_adds_and_types_values() {
    let loaded = right(
        &set(&[
            "load.closed.users=16",
            "load.closed.think=250ms",
            "timeout=0.5s",
            "about=5",
            "targets.ollama.ollama.model=qwen2.5:7b",
            "targets.ollama.ollama.think=true",
            "targets.ollama.ollama.num_ctx=",
            "targets.ollama.ollama.options.num_thread=3",
            "targets.native.openai.token=${TOKEN}",
            "workload.sampling.stop=[\"\\n\", end]",
            "workload.sampling.stop.2=@@",
            "workload.prompts.inline.0.text=\"7\"",
            "workload.prompts.inline.1.text=second=third",
        ]),
        &[("TOKEN", "t")],
    );
    assert_eq!(closed(&loaded).users, 16);
    assert_eq!(closed(&loaded).think.to_string(), "250ms");
    assert_eq!(loaded.scenario.limit().to_string(), "500ms");
    assert_eq!(loaded.scenario.about.as_deref(), Some("5"));
    assert_eq!(ollama(&loaded).model, "qwen2.5:7b");
    assert_eq!(ollama(&loaded).think, Some(loadcmp::scenario::Think::On));
    assert_eq!(ollama(&loaded).num_ctx, None, "nothing after `=` is the default");
    assert_eq!(ollama(&loaded).options["num_thread"], 3);
    assert_eq!(loaded.scenario.workload.sampling.stop, ["\n", "end", "@@"]);
    let prompts = serde_json::to_string(&loaded.scenario.workload.prompts).unwrap();
    assert_eq!(prompts, r#"{"inline":[{"text":"7"},{"text":"second=third"}]}"#);
    assert!(read(&set(&["workload.sampling.stop.5=x"]), &[]).is_err());
}

#[test]
fn the_targets_given_are_the_targets() {
    let overrides = targets(&[
        "native=gg_core:/run/gg.sock,max_connections=8,token=${TOKEN}",
        "third=openai:http://127.0.0.1:8080/v1,model=qwen,extra.top_k=5",
        "fourth=ollama",
        "fifth=ollama:auto",
        "sixth=ollama:model=qwen,num_ctx=2048,options.num_thread=4",
    ]);
    let loaded = right(&overrides, &[("TOKEN", "t")]);
    let names: Vec<&str> = loaded.scenario.targets.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["native", "third", "fourth", "fifth", "sixth"],
        "the scenario's `ollama` is out, for others are new"
    );
    let names = |given: &[&str]| -> Vec<String> {
        let loaded = right(&targets(given), &[]);
        loaded.scenario.targets.keys().cloned().collect()
    };
    assert_eq!(
        names(&["ollama=ollama:box"]),
        ["native", "ollama"],
        "what replaces its like leaves the others where they are"
    );
    assert_eq!(names(&["ollama=ollama:box", "native=openai"]), ["ollama", "native"], "in the order given");
    assert_eq!(names(&["new=openai:box"]), ["new"]);
    let told = serde_json::to_value(&loaded.scenario.targets).unwrap();
    assert_eq!(told["native"]["gg_core"]["socket"], "/run/gg.sock");
    assert_eq!(told["native"]["gg_core"]["max_connections"], 8);
    assert_eq!(told["native"]["gg_core"]["token"], "***");
    assert_eq!(told["third"]["openai"]["url"], "http://127.0.0.1:8080/v1");
    assert_eq!(told["third"]["openai"]["extra"]["top_k"], 5);
    assert_eq!(told["fourth"]["ollama"]["url"], "auto");
    assert_eq!(told["sixth"]["ollama"]["model"], "qwen");
    assert_eq!(told["sixth"]["ollama"]["options"]["num_thread"], 4);
}

#[test]
fn set_reaches_what_target_has_added_and_seed_wins() {
    let overrides = Overrides {
        set: vec!["targets.new.openai.model=x".to_owned(), "seed=1".to_owned()],
        targets: vec!["new=openai:box:80".to_owned()],
        seed: Some(u64::MAX),
        ..Overrides::default()
    };
    let loaded = right(&overrides, &[]);
    assert_eq!(loaded.scenario.seed, u64::MAX);
    let TargetSpec::OpenAi(new) = &loaded.scenario.targets["new"] else { panic!() };
    assert_eq!((new.url.as_str(), new.model.as_str()), ("box:80", "x"));
}

#[test]
fn yaml_in_its_other_forms_reads_the_same() {
    let text = TEXT.replace("${NUM_CTX:-2048}", "&n 2048").replace("plain: ${THREADS:-8}", "plain: *n");
    for text in [
        text.clone(),
        format!("\u{feff}{text}"),
        format!("---\n{text}"),
        format!("%YAML 1.2\n---\n{text}...\n"),
        text.replace('\n', "\r\n"),
    ] {
        let lookup = |_: &str| Err(VarError::NotPresent);
        let loaded = load_with(Path::new("x.yaml"), Path::new("."), text, &Overrides::default(), &lookup);
        let loaded = loaded.map_err(|error| error.to_string()).unwrap();
        assert_eq!(ollama(&loaded).options["plain"], 2048);
    }
}

#[test]
fn paths_start_from_the_scenario() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("words.txt"), "one\n\ntwo\n").unwrap();
    let path = directory.path().join("s.yaml");
    let text = "name: s\ntask: embed\ntargets: { ollama: { ollama: {} } }\n\
                workload: { prompts: { text: { path: words.txt } } }\nload: { closed: { users: 1, requests: 2 } }\n";
    std::fs::write(&path, text).unwrap();
    let loaded = load(&path, &Overrides::default()).map_err(|error| error.to_string()).unwrap();
    assert_eq!((loaded.base.as_path(), loaded.path.as_path()), (directory.path(), path.as_path()));
    assert_eq!(loaded.text, text);
    let workload = &loaded.scenario.workload;
    let prompts = loadcmp::workload::read_prompts(
        &workload.prompts,
        &loaded.base,
        loaded.scenario.task,
        &[],
        None,
        1,
        workload.history,
    );
    assert_eq!(prompts.unwrap().items.len(), 2);
}

#[test]
fn the_loop_and_the_order_can_be_changed_from_the_command_line() {
    let loaded = right(
        &set(&[
            "load.closed=",
            "load.open.rate=50",
            "load.open.duration=10s",
            "load.open.arrivals=gamma",
            "load.open.burstiness=0.5",
            "load.open.in_flight=8",
            "load.until.ci=5%",
            "order=alternate",
            "blocks.pairs=6",
            "smallest_effect=1.5%",
        ]),
        &[],
    );
    let open = loaded.scenario.load.open.as_ref().expect("an open loop");
    assert_eq!((open.rate, open.burstiness, open.in_flight), (Some(Rate::Of(50.0)), Some(0.5), Some(8)));
    assert_eq!(loaded.scenario.load.until.map(|until| until.ci.to_string()).as_deref(), Some("5%"));
    let blocks = loaded.scenario.blocks.expect("blocks");
    assert_eq!((blocks.pairs, blocks.settle.to_string()), (6, "500ms".to_owned()));
    assert_eq!(loaded.scenario.smallest_effect.to_string(), "1.5%");
    let stages = set(&[
        "load.closed=",
        "load.open.stages=[{ rate: 5, duration: 10s }]",
        "load.open.stages.1.rate=50",
        "load.open.stages.1.duration=5s",
    ]);
    let loaded = right(&stages, &[]);
    let open = loaded.scenario.load.open.as_ref().expect("an open loop");
    assert_eq!(open.stages.as_ref().map(|stages| stages[1].rate), Some(50.0));
    // One target more or less changes what the others are asked in nothing.
    let overrides = Overrides { targets: vec!["third=ollama:127.0.0.1:9".to_owned()], ..stages };
    assert_eq!(right(&overrides, &[]).scenario.load.open.as_ref(), Some(open));
    // The file's loop gives way to the one that is typed; two that are typed are a mistake.
    let load = right(&set(&["load.open.rate=50"]), &[]).scenario.load;
    assert_eq!((load.closed.is_none(), load.open.and_then(|open| open.rate)), (true, Some(Rate::Of(50.0))));
    let both = set(&["load.open.rate=50", "load.closed.users=3"]);
    let error = read(&both, &[]).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("`closed` and `open` are alternatives") && error.contains("--set load."), "{error}");
    let error = read(&set(&["load.open.rate=0"]), &[]).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("--set load.open.rate=0"), "{error}");
}
