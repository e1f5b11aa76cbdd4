//! An OpenAI-compatible server: the models it lists, and what llama-server and vLLM tell beyond them.

use super::model::listed;
use super::settings::props_settings;
use super::{
    Control, FoundEngine, Missing, Silent, TLS_THERE, base_url, endpoint, found_busy, is_stand_in, list, text,
    there_are,
};
use crate::scenario::plan::EngineFacts;
use crate::scenario::{OpenAiSpec, TargetSpec};
use serde_json::Value;

/// Looks for it.
pub(super) async fn find(target: &TargetSpec, spec: &OpenAiSpec) -> Result<FoundEngine, Missing> {
    let mut base = base_url(if spec.url == "auto" { "127.0.0.1:8080" } else { &spec.url }, 8080)?;
    let root = base.path().trim_end_matches('/').trim_end_matches("/v1").to_owned();
    base.set_path(&root);
    let control = Control::new(base.clone(), target).await?;
    let unreachable = |why: String| Missing::Unreachable {
        tried: format!("no OpenAI-compatible server at {base} ({why})"),
        hint:
            "start yours (`llama-server -m MODEL.gguf --port 8080`), or give its address: NATIVE_URL=http://host:port, \
             the target's `url:`, or --target NAME=openai:http://host:port"
                .into(),
    };
    let models = match control.first("/v1/models").await {
        Ok(models) => models,
        Err(Silent::Absent(why)) => return Err(unreachable(control.guessed(why).await)),
        Err(Silent::Busy(why)) => {
            let mut at = base.clone();
            at.set_path(&format!("{root}/v1"));
            return found_busy(&base, endpoint(&at), &spec.model, &why);
        }
    };
    let stand_in = is_stand_in(&models);
    let server = models.headers().get("server").and_then(|server| server.to_str().ok()).map(str::to_owned);
    let status = models.status();
    match status.as_u16() {
        401 | 403 if spec.token.is_empty() && spec.headers.is_empty() => {
            return Err(Missing::Different(format!(
                "the server at {base} requires a token (status {status}): set the target's `token: ${{NAME}}`"
            )));
        }
        // A token may be for completions alone: where the scenario names the model, that is found out by asking for it.
        401 | 403 if spec.url == "auto" || spec.model == "auto" => {
            return Err(Missing::Different(format!(
                "the server at {base} refuses the token (/v1/models returned status {status}): correct the target's \
                 `token:` or `headers:`, or set its `model:` if the token is only valid for completions"
            )));
        }
        503 => {
            return Err(Missing::Different(format!(
                "the server at {base} is still loading its model: wait, and run again"
            )));
        }
        // Plain http on a port of TLS is answered by some, and is no server to be measured.
        400.. if control.is_sealed().await => {
            return Err(Missing::Different(format!(
                "the server at {base} is not OpenAI-compatible: /v1/models returned status {status}; {TLS_THERE}"
            )));
        }
        _ => {}
    }
    // A proxy, or a runtime of a few lines, may speak nothing but completions: what it is asked for is named then.
    let models: Value = if status.is_success() { models.json().await.unwrap_or_default() } else { Value::Null };
    let names: Vec<String> = list(&models, "data").iter().filter_map(|model| text(model, "/id")).collect();
    let mut untold = Vec::new();
    let model = match (spec.model.as_str(), names.first()) {
        ("auto", Some(first)) => first.clone(),
        ("auto", None) if !status.is_success() => {
            return Err(Missing::Different(format!(
                "the server at {base} lists no models (/v1/models returned status {status}), so `auto` finds none\n \
                 name one with the target's `model:`, or --target NAME=openai:{base},model=MODEL"
            )));
        }
        ("auto", None) => {
            return Err(Missing::NoModel {
                told: format!("the server at {base} lists no model"),
                hint: "name one with the target's `model:`".into(),
            });
        }
        (named, Some(_)) => match listed(named, &names) {
            Some(listed) => listed.to_owned(),
            None => {
                return Err(Missing::Different(format!(
                    "the server at {base} has no model `{named}`; {}",
                    there_are(&names, "")
                )));
            }
        },
        (named, None) => {
            let why = match status.as_u16() {
                401 | 403 => format!("status {status}: it refuses the token"),
                _ if status.is_success() => "none".to_owned(),
                _ => format!("status {status}"),
            };
            untold.push(format!("it lists no models (/v1/models returned {why}): `{named}` is used without a check"));
            named.to_owned()
        }
    };
    let mut facts = EngineFacts { models: names, loaded: Some(true), ..EngineFacts::default() };
    facts.engine = if stand_in { Some("loadcmp stand-in".to_owned()) } else { server.clone() };
    if let Some(entry) = list(&models, "data").iter().find(|entry| text(entry, "/id").as_deref() == Some(&model)) {
        facts.size_bytes = entry.pointer("/meta/size").and_then(Value::as_u64);
        facts.size_of = facts.size_bytes.map(|_| "the tensors alone".to_owned());
        facts.parameters = entry.pointer("/meta/n_params").and_then(Value::as_u64).map(|n| n.to_string());
        // "all F32" and "mostly Q4_0" are Ollama's "F32" and "Q4_0".
        let told = text(entry, "/meta/ftype");
        facts.quantization = told.map(|t| t.trim_start_matches("all ").trim_start_matches("mostly ").to_owned());
        facts.context = entry.pointer("/meta/n_ctx").and_then(Value::as_u64);
    }
    if let Some(props) = control.ask("/props", None).await {
        let trained = facts.context;
        props_settings(&mut facts, &props);
        facts.context = facts.context.or(trained);
        facts.engine = facts.engine.or(Some("llama.cpp".to_owned()));
    } else if let Some(version) = control.ask("/version", None).await {
        facts.version = text(&version, "/version");
    } else if let Some(version) = control.ask("/api/version", None).await {
        facts.engine = facts.engine.or(Some("ollama".to_owned()));
        facts.version = text(&version, "/version");
    }
    base.set_path(&format!("{root}/v1"));
    Ok(FoundEngine { endpoint: endpoint(&base), model, facts, stand_in, untold, busy: false })
}
