//! What an engine tells of its settings once its model is loaded: Ollama says only then how it loaded it, and only then is
//! there a child whose command line says the rest.

use super::super::gguf;
use super::context::context_bytes;
use super::{Control, PATIENCE, list, text};
use crate::host::{Environment, Model, Served, served};
use crate::metrics::human;
use crate::scenario::plan::{CONTEXT_BYTES, EngineFacts, TargetPlan};
use crate::scenario::{TargetSpec, same_model, scrub};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Asks it again, and looks at its processes where they are on this machine; what it doesn't tell is blank. It takes at most
/// five seconds, and never fails: an engine that tells nothing has told nothing.
pub async fn settings(target: &TargetPlan) -> EngineFacts {
    tokio::time::timeout(PATIENCE, asked(target, false)).await.unwrap_or_default()
}

/// The same before the first request. An Ollama may have loaded the model for somebody else, and loads it anew for what is asked
/// of it: of how it is loaded now, nothing is told.
pub async fn settings_at_first(target: &TargetPlan) -> EngineFacts {
    tokio::time::timeout(PATIENCE, asked(target, true)).await.unwrap_or_default()
}

async fn asked(target: &TargetPlan, at_first: bool) -> EngineFacts {
    let mut shape = Value::Null;
    let (mut told, files, environment) = match &target.spec {
        TargetSpec::Ollama(_) => {
            let (told, files, info) = ollama(target).await.unwrap_or_default();
            shape = info;
            (told, files, Environment::Ollama)
        }
        TargetSpec::OpenAi(_) => {
            let (told, files, is_ollama) = openai(target).await.unwrap_or_default();
            (told, files, if is_ollama { Environment::Ollama } else { Environment::Other })
        }
        TargetSpec::GgCore(_) => (EngineFacts::default(), Vec::new(), Environment::GgCore),
        TargetSpec::Json(_) => (EngineFacts::default(), Vec::new(), Environment::Other),
    };
    let blobs = if told.blobs.is_empty() { target.facts.blobs.clone() } else { told.blobs.clone() };
    let model = Model { name: target.model.clone(), blobs };
    let (endpoint, process) = (target.endpoint.clone(), target.spec.process().cloned());
    let unknown = shape.is_null();
    let look = move || {
        let found = served(&endpoint, process.as_ref(), &model, environment, &files)?;
        // An engine that doesn't say what its model looks like has it in its file.
        let file = found.file.as_ref().filter(|_| unknown).and_then(|file| gguf::read(&file.path).ok());
        Some((found, file.map(|model| Value::Object(model.shape))))
    };
    let mut by = "/api/show";
    if let Ok(Some((found, of_file))) = tokio::task::spawn_blocking(look).await {
        add(&mut told, found);
        if let Some(of_file) = of_file {
            (shape, by) = (of_file, "the model's file");
        }
    }
    add_context(&mut told, &shape, by);
    if at_first && environment == Environment::Ollama {
        forget_loaded(&mut told);
    }
    told
}

/// Leaves of what an Ollama told only what is of the model's files and of its server.
fn forget_loaded(told: &mut EngineFacts) {
    (told.context, told.slots) = (None, None);
    told.settings.retain(|setting| setting.by == "/api/show" || setting.name.starts_with("OLLAMA_"));
}

/// Adds what its processes say to what it told itself.
fn add(told: &mut EngineFacts, found: Served) {
    for setting in found.settings {
        told.set(&setting.name, setting.value, &setting.by);
    }
    if let Some(program) = found.program {
        told.set("program", program, "command line");
    }
    if let Some(file) = found.file {
        (told.size_bytes, told.size_of) = (Some(file.bytes), Some(FILE.to_owned()));
    }
    let number = |name: &str| told.setting(name)?.parse::<u64>().ok().filter(|n| *n > 0);
    let variable = told.setting("OLLAMA_NUM_PARALLEL").and_then(|n| n.parse().ok()).filter(|n| *n > 0);
    let slots = number("slots");
    // `-c` is for all slots together, 0 for what the model was trained with.
    let context = number("context_total").zip(slots).map(|(total, slots)| total / slots);
    // A llama-server tells both itself. Ollama 0.11's `/api/ps` has a context that its runner was not started with.
    told.context = if told.slots.is_some() { told.context.or(context) } else { context.or(told.context) };
    told.slots = told.slots.or(slots).or(variable);
}

/// Adds what the context of all slots takes, where the shape of the model and how it is loaded are known.
fn add_context(told: &mut EngineFacts, shape: &Value, by: &str) {
    let kind = |name: &str| told.setting(name).or(told.setting("kv_cache")).unwrap_or("f16");
    let tokens = told.context.zip(told.slots).map(|(context, slots)| context.saturating_mul(slots));
    if let Some(bytes) = tokens.and_then(|n| context_bytes(shape, n, [kind("kv_cache_k"), kind("kv_cache_v")])) {
        told.set(CONTEXT_BYTES, bytes.to_string(), by);
    }
}

/// What a size is the size of, where it is that of the weights' file.
const FILE: &str = "the file";

/// How Ollama loaded the model; where it keeps its weights; and the model's shape.
async fn ollama(target: &TargetPlan) -> Option<(EngineFacts, Vec<String>, Value)> {
    let control = Control::of(target).await?;
    let model = &target.model;
    let mut told = EngineFacts::default();
    let running = control.ask("/api/ps", None).await.unwrap_or_default();
    let same = |entry: &&Value| text(entry, "/name").is_some_and(|name| same_model(&name, model));
    if let Some(entry) = list(&running, "models").iter().find(same) {
        told.context = entry.get("context_length").and_then(Value::as_u64).filter(|tokens| *tokens > 0);
        if let Some(bytes) = entry.get("size_vram").and_then(Value::as_u64) {
            told.set("size_vram", bytes.to_string(), "/api/ps");
        }
    }
    let mut shown = control.ask("/api/show", Some(json!({ "model": model }))).await.unwrap_or_default();
    let files = shown_settings(&mut told, &shown);
    Some((told, files, shown["model_info"].take()))
}

/// What `/api/show` says of a model: the blobs of its files, its parameters, its template; and the paths of its files.
fn shown_settings(told: &mut EngineFacts, shown: &Value) -> Vec<String> {
    let modelfile = text(shown, "/modelfile").unwrap_or_default();
    told.blobs = Model::blobs_of(&modelfile);
    if let Some(parameters) = text(shown, "/parameters") {
        let words = parameters.split_whitespace().collect::<Vec<_>>().join(" ");
        told.set("model_parameters", short(&words), "/api/show");
    }
    if let Some(template) = text(shown, "/template") {
        told.set("template_sha256", short_hash(&template), "/api/show");
    }
    let from = modelfile.lines().filter_map(|line| line.strip_prefix("FROM "));
    from.map(|path| path.trim().to_owned()).filter(|path| path.starts_with('/')).take(1).collect()
}

/// What an OpenAI-compatible server tells: llama-server by `/props`, an Ollama behind this wire by `/api/show`.
/// And whether it is an Ollama.
async fn openai(target: &TargetPlan) -> Option<(EngineFacts, Vec<String>, bool)> {
    let control = Control::of(target).await?;
    let mut told = EngineFacts::default();
    if let Some(props) = control.ask("/props", None).await {
        let files = props_settings(&mut told, &props);
        let slots = control.ask("/slots", None).await.unwrap_or_default();
        if let Some(speculates) = slots.pointer("/0/speculative").and_then(Value::as_bool) {
            told.set("speculative", speculates.to_string(), "/slots");
        }
        return Some((told, files, false));
    }
    // Nothing is posted to a server that isn't known to take it.
    text(&control.ask("/api/version", None).await?, "/version")?;
    let shown = control.ask("/api/show", Some(json!({ "model": target.model }))).await.unwrap_or_default();
    let files = shown_settings(&mut told, &shown);
    Some((told, files, true))
}

/// Sampling that llama-server has by itself, for what a request leaves out.
const SAMPLING: [&str; 9] = [
    "temperature",
    "top_k",
    "top_p",
    "min_p",
    "repeat_penalty",
    "repeat_last_n",
    "presence_penalty",
    "frequency_penalty",
    "n_keep",
];

/// What llama-server's `/props` says; and the path of its model.
pub(super) fn props_settings(told: &mut EngineFacts, props: &Value) -> Vec<String> {
    const BY: &str = "/props";
    told.slots = props.get("total_slots").and_then(Value::as_u64).filter(|slots| *slots > 0);
    told.context = props.pointer("/default_generation_settings/n_ctx").and_then(Value::as_u64).filter(|n| *n > 0);
    told.version = text(props, "/build_info");
    for name in SAMPLING {
        // The numbers are floats of 32 bits, told with the digits of 64.
        let value = props.pointer(&format!("/default_generation_settings/params/{name}")).and_then(Value::as_f64);
        if let Some(value) = value {
            told.set(&format!("default {name}"), (value as f32).to_string(), BY);
        }
    }
    if let Some(template) = text(props, "/chat_template") {
        told.set("template_sha256", short_hash(&template), BY);
    }
    let path = text(props, "/model_path");
    if let Some(name) = path.as_deref().and_then(|path| path.rsplit(['/', '\\']).next()) {
        told.set("model_file", short(name), BY);
    }
    path.into_iter().collect()
}

/// The beginning of a text's SHA-256: enough to see that it changed.
fn short_hash(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

/// A text as long as a table holds, without what moves a terminal's cursor, and without what came from the environment or a
/// file.
fn short(text: &str) -> String {
    human::cut(&human::printable(&scrub(text)), 200)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::WeightsFile;
    use crate::scenario::plan::EngineSetting;

    fn served(settings: &[(&str, &str)]) -> Served {
        let setting = |(name, value): &(&str, &str)| EngineSetting {
            name: (*name).into(),
            value: (*value).into(),
            by: "x".into(),
        };
        Served {
            program: Some("llama-server"),
            settings: settings.iter().map(setting).collect(),
            file: Some(WeightsFile { path: "/m/smol.gguf".into(), bytes: 98_362_432 }),
        }
    }

    #[test]
    fn the_context_of_a_command_line_is_that_of_all_slots() {
        let mut told = EngineFacts::default();
        add(&mut told, served(&[("context_total", "8192"), ("slots", "4"), ("threads", "2")]));
        assert_eq!((told.context, told.slots, told.setting("threads")), (Some(2048), Some(4), Some("2")));
        assert_eq!((told.size_bytes, told.size_of.as_deref()), (Some(98_362_432), Some("the file")));
        // What llama-server says itself has the last word.
        let mut told = EngineFacts { context: Some(512), slots: Some(1), ..EngineFacts::default() };
        add(&mut told, served(&[("context_total", "8192"), ("slots", "4")]));
        assert_eq!((told.context, told.slots), (Some(512), Some(1)));
        let mut told = EngineFacts { context: Some(4096), ..EngineFacts::default() };
        add(&mut told, served(&[("context_total", "2048"), ("slots", "1")]));
        assert_eq!(told.context, Some(2048), "Ollama 0.11.4 says 4096 of this runner");
        let mut told = EngineFacts::default();
        add(&mut told, served(&[("context_total", "0"), ("slots", "-1"), ("OLLAMA_NUM_PARALLEL", "3")]));
        assert_eq!((told.context, told.slots), (None, Some(3)));
    }

    #[test]
    fn how_a_model_is_loaded_for_somebody_else_is_not_told_before_the_first_request() {
        let mut told = EngineFacts { context: Some(8192), ..EngineFacts::default() };
        told.set("template_sha256", "abc", "/api/show");
        told.set("size_vram", "5", "/api/ps");
        add(&mut told, served(&[("context_total", "8192"), ("threads", "2"), ("OLLAMA_NUM_PARALLEL", "1")]));
        forget_loaded(&mut told);
        assert_eq!((told.context, told.slots), (None, None));
        let names: Vec<&str> = told.settings.iter().map(|setting| setting.name.as_str()).collect();
        assert_eq!(names, ["template_sha256", "OLLAMA_NUM_PARALLEL"]);
        assert_eq!(told.size_of.as_deref(), Some("the file"));
        // What is asked for stays.
        let mut facts = EngineFacts { context: Some(2048), ..EngineFacts::default() };
        facts.learn(told);
        assert_eq!(facts.context, Some(2048));
    }

    #[test]
    fn what_is_told_later_has_the_last_word() {
        let mut facts =
            EngineFacts { context: Some(9), size_bytes: Some(7), loaded: Some(false), ..EngineFacts::default() };
        facts.set("threads", "8", "command line");
        let mut later = EngineFacts { context: Some(4096), size_bytes: Some(3), ..EngineFacts::default() };
        later.set("threads", "1", "command line");
        later.set("batch", "512", "default");
        facts.learn(later);
        assert_eq!((facts.context, facts.loaded), (Some(4096), Some(false)));
        assert_eq!(facts.size_bytes, Some(7), "a size without a word of what it is of is no news");
        assert_eq!((facts.setting("threads"), facts.setting("batch")), (Some("1"), Some("512")));
        facts.learn(EngineFacts::default());
        assert_eq!(
            (facts.context, facts.settings.len()),
            (Some(4096), 2),
            "an engine that tells nothing changes nothing"
        );
    }

    #[test]
    fn what_llama_server_and_ollama_tell() {
        let mut told = EngineFacts::default();
        let props = json!({
            "default_generation_settings": { "n_ctx": 1024, "params": { "temperature": 0.800000011920929, "seed": 7 } },
            "total_slots": 2, "model_path": "/home/me/smol.gguf", "chat_template": "{{ x }}", "build_info": "b1-2"
        });
        assert_eq!(props_settings(&mut told, &props), ["/home/me/smol.gguf"]);
        assert_eq!((told.slots, told.context, told.version.as_deref()), (Some(2), Some(1024), Some("b1-2")));
        assert_eq!((told.setting("default temperature"), told.setting("model_file")), (Some("0.8"), Some("smol.gguf")));
        let hex = "c".repeat(64);
        let shown = json!({ "modelfile": format!("# x\nFROM /m/blobs/sha256-{hex}\nTEMPLATE y"), "template": "y",
                            "parameters": "stop    \"<|im_end|>\"\nnum_ctx 512" });
        let mut told = EngineFacts::default();
        assert_eq!(shown_settings(&mut told, &shown), [format!("/m/blobs/sha256-{hex}")]);
        assert_eq!(
            (told.blobs.as_slice(), told.setting("model_parameters")),
            (&[hex][..], Some("stop \"<|im_end|>\" num_ctx 512"))
        );
        assert!(told.setting("template_sha256").is_some_and(|hash| hash.len() == 12));
    }
}
