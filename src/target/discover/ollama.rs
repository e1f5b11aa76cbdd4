//! An Ollama: its version, its models, which of them is loaded, and which can do the task.

use super::{Control, Found, Missing, base_url, endpoint, is_stand_in, list, text, there_are};
use crate::scenario::plan::EngineFacts;
use crate::scenario::{OllamaSpec, Task};
use reqwest::Url;
use serde_json::{Value, json};

/// Looks for it.
pub(super) async fn find(spec: &OllamaSpec, task: Task) -> Result<Found, Missing> {
    let base = base_url(if spec.url == "auto" { "127.0.0.1:11434" } else { &spec.url }, 11434)?;
    let control = Control::new(base.clone(), "")?;
    let unreachable = |why: String| Missing::Unreachable {
        tried: format!("no Ollama at {base} ({why})"),
        hint: "start one with `ollama serve`, or say where it is: OLLAMA_HOST=host:port, or `url:` of the target"
            .into(),
    };
    let version = control.send("/api/version", None).await.map_err(unreachable)?;
    let stand_in = is_stand_in(&version);
    let status = version.status();
    let version: Value = version.json().await.unwrap_or_default();
    let Some(number) = text(&version, "/version") else {
        return Err(Missing::Different(format!(
            "what answers at {base} is no Ollama: /api/version gave status {status} and no version"
        )));
    };
    let tags = control.ask("/api/tags", None).await.unwrap_or_default();
    let running = control.ask("/api/ps", None).await.unwrap_or_default();
    let mut facts = EngineFacts {
        engine: Some(if stand_in { "loadcmp stand-in" } else { "ollama" }.to_owned()),
        version: Some(number),
        models: list(&tags, "models").iter().filter_map(|model| text(model, "/name")).collect(),
        ..EngineFacts::default()
    };
    let loaded: Vec<String> = list(&running, "models").iter().filter_map(|model| text(model, "/name")).collect();
    let model = if spec.model == "auto" {
        pick_model(&control, &tags, &loaded, task).await.ok_or_else(|| no_ollama_model(&base, &facts.models, task))?
    } else {
        let full = if spec.model.contains(':') { spec.model.clone() } else { format!("{}:latest", spec.model) };
        if !facts.models.contains(&full) && !facts.models.contains(&spec.model) {
            return Err(Missing::Different(format!(
                "the Ollama at {base} has no model `{}`; {}",
                spec.model,
                there_are(&facts.models, "`ollama pull` gets one")
            )));
        }
        spec.model.clone()
    };
    let same = |entry: &&Value| {
        text(entry, "/name").is_some_and(|name| name == model || name.strip_suffix(":latest") == Some(model.as_str()))
    };
    facts.loaded = Some(list(&running, "models").iter().any(|entry| same(&entry)));
    if let Some(entry) = list(&running, "models").iter().find(same) {
        facts.context = entry.get("context_length").and_then(Value::as_u64).filter(|tokens| *tokens > 0);
    }
    if let Some(entry) = list(&tags, "models").iter().find(same) {
        facts.digest = text(entry, "/digest");
        facts.size_bytes = entry.get("size").and_then(Value::as_u64);
        facts.size_of = facts.size_bytes.map(|_| "all files of the model".to_owned());
        facts.family = text(entry, "/details/family");
        facts.parameters = text(entry, "/details/parameter_size");
        // Ollama up to 0.11 says `unknown` of what is not quantised at all.
        facts.quantization = text(entry, "/details/quantization_level").filter(|told| told != "unknown");
    }
    // What is asked for is what the model is loaded with, whatever it is loaded with now; `options` has the last word.
    let asked = spec.options.get("num_ctx").and_then(Value::as_u64).or(spec.num_ctx.map(u64::from));
    facts.context = asked.or(facts.context);
    Ok(Found { endpoint: endpoint(&base), model, facts, stand_in })
}

/// The model already loaded, else the smallest, that can do the task.
async fn pick_model(control: &Control, tags: &Value, loaded: &[String], task: Task) -> Option<String> {
    let mut models: Vec<&Value> = list(tags, "models").iter().collect();
    models.sort_by_key(|model| {
        let name = text(model, "/name").unwrap_or_default();
        (!loaded.contains(&name), model.get("size").and_then(Value::as_u64), name)
    });
    for model in models {
        let Some(name) = text(model, "/name") else { continue };
        let mut can = list(model, "capabilities").to_vec();
        if can.is_empty() {
            let shown = control.ask("/api/show", Some(json!({"model": name}))).await.unwrap_or_default();
            can = list(&shown, "capabilities").to_vec();
        }
        let needed = if task == Task::Embed { "embedding" } else { "completion" };
        if can.iter().any(|word| word == needed) {
            return Some(name);
        }
    }
    None
}

fn no_ollama_model(base: &Url, models: &[String], task: Task) -> Missing {
    let (kind, example) = if task == Task::Embed {
        ("an embedding model", "all-minilm")
    } else {
        ("a model that writes text", "qwen3:0.6b")
    };
    let others = if models.is_empty() { String::new() } else { format!(" ({})", there_are(models, "")) };
    Missing::NoModel {
        told: format!(
            "the Ollama at {base} has no {}{others}",
            kind.trim_start_matches("an ").trim_start_matches("a ")
        ),
        hint: format!("get {kind} with `ollama pull {example}`"),
    }
}
