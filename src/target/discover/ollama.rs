//! An Ollama: its version, its models, which of them is loaded, and which can do the task.

use super::model::listed;
use super::{
    BUSY, Control, FoundEngine, Missing, Silent, TLS_THERE, base_url, endpoint, found_busy, is_stand_in, list, text,
    there_are,
};
use crate::scenario::plan::EngineFacts;
use crate::scenario::{OllamaSpec, TargetSpec, Task, same_model};
use reqwest::Url;
use serde_json::{Value, json};

/// Looks for it.
pub(super) async fn find(target: &TargetSpec, spec: &OllamaSpec, task: Task) -> Result<FoundEngine, Missing> {
    let base = base_url(if spec.url == "auto" { "127.0.0.1:11434" } else { &spec.url }, 11434)?;
    let control = Control::new(base.clone(), target).await?;
    let unreachable = |why: String| Missing::Unreachable {
        tried: format!("no Ollama at {base} ({why})"),
        hint: "start it with `ollama serve`, or give its address: OLLAMA_HOST=host:port, or the target's `url:`".into(),
    };
    let version = match control.first("/api/version").await {
        Ok(version) => version,
        Err(Silent::Absent(why)) => return Err(unreachable(control.guessed(why).await)),
        Err(Silent::Busy(why)) => return found_busy(&base, endpoint(&base), &spec.model, &why),
    };
    let stand_in = is_stand_in(&version);
    let status = version.status();
    let version: Value = version.json().await.unwrap_or_default();
    let number = text(&version, "/version");
    if number.is_none() && control.is_sealed().await {
        return Err(Missing::Different(format!("the server at {base} is not Ollama: {TLS_THERE}")));
    }
    if number.is_none() && spec.model == "auto" {
        return Err(Missing::Different(format!(
            "the server at {base} is not Ollama: /api/version returned status {status} and no version\n  if it is a \
             proxy in front of Ollama, set the target's `model:`"
        )));
    }
    // One that is at work with something else may take as long for this.
    let told = control.ask_within(BUSY, "/api/tags", None).await;
    let is_list = told.as_ref().is_some_and(|tags| tags.get("models").is_some());
    let tags = told.unwrap_or_default();
    let running = control.ask("/api/ps", None).await.unwrap_or_default();
    let mut untold = Vec::new();
    if number.is_none() {
        untold.push(format!("it reports no version (/api/version returned status {status}): a proxy, or not Ollama"));
    }
    let mut facts = EngineFacts {
        engine: Some(if stand_in { "loadcmp stand-in" } else { "ollama" }.to_owned()),
        version: number,
        models: list(&tags, "models").iter().filter_map(|model| text(model, "/name")).collect(),
        ..EngineFacts::default()
    };
    let loaded: Vec<String> = list(&running, "models").iter().filter_map(|model| text(model, "/name")).collect();
    let model = match (spec.model.as_str(), listed(&spec.model, &facts.models)) {
        ("auto", _) => {
            if !is_list {
                return Err(Missing::NoModel {
                    told: format!("the Ollama at {base} lists no models (/api/tags)"),
                    hint: "name one with the target's `model:`, or OLLAMA_MODEL=MODEL".into(),
                });
            }
            let picked = pick_model(&control, &tags, &loaded, task).await;
            let (name, sure) = picked.ok_or_else(|| no_ollama_model(&base, &facts.models, task))?;
            if !sure {
                untold.push(format!("it doesn't report what its models can do: `{name}` is used without a check"));
            }
            name
        }
        (_, Some(name)) => name.to_owned(),
        (named, None) if is_list => {
            return Err(Missing::Different(format!(
                "the Ollama at {base} has no model `{named}`; {}",
                there_are(&facts.models, "get one with `ollama pull`")
            )));
        }
        (named, None) => {
            untold.push(format!("it lists no models (/api/tags): `{named}` is used without a check"));
            named.to_owned()
        }
    };
    let same = |entry: &&Value| text(entry, "/name").is_some_and(|name| same_model(&name, &model));
    facts.loaded = Some(list(&running, "models").iter().any(|entry| same(&entry)));
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
    facts.context = spec.options.get("num_ctx").and_then(Value::as_u64).or(spec.num_ctx.map(u64::from));
    Ok(FoundEngine { endpoint: endpoint(&base), model, facts, stand_in, untold, busy: false })
}

/// The model already loaded, else the smallest, that can do the task, and whether it says that it can. Models that don't tell
/// what they can do come after those that do: older versions and proxies tell of none.
async fn pick_model(control: &Control, tags: &Value, loaded: &[String], task: Task) -> Option<(String, bool)> {
    let mut models: Vec<&Value> = list(tags, "models").iter().collect();
    models.sort_by_key(|model| {
        let name = text(model, "/name").unwrap_or_default();
        (!loaded.contains(&name), model.get("size").and_then(Value::as_u64), name)
    });
    let mut on_trust = None;
    for model in models {
        let Some(name) = text(model, "/name") else { continue };
        let mut can = list(model, "capabilities").to_vec();
        if can.is_empty() {
            let shown = control.ask("/api/show", Some(json!({"model": name}))).await.unwrap_or_default();
            can = list(&shown, "capabilities").to_vec();
        }
        let needed = if task == Task::Embed { "embedding" } else { "completion" };
        if can.iter().any(|word| word == needed) {
            return Some((name, true));
        }
        if can.is_empty() && on_trust.is_none() && embeds(model, &name) == (task == Task::Embed) {
            on_trust = Some((name, false));
        }
    }
    on_trust
}

/// Whether a model that doesn't say what it can do is one for embeddings, by its family and its name.
fn embeds(model: &Value, name: &str) -> bool {
    let words = format!("{} {name}", text(model, "/details/family").unwrap_or_default()).to_lowercase();
    ["bert", "embed", "minilm", "bge-"].iter().any(|word| words.contains(word))
}

fn no_ollama_model(base: &Url, models: &[String], task: Task) -> Missing {
    let (kind, example) = if task == Task::Embed {
        ("an embedding model", "all-minilm")
    } else {
        ("a text generation model", "qwen3:0.6b")
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
