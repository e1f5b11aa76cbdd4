//! The rest of Ollama's wire: what models there are, which is loaded, and the upload of another. A stand-in has one
//! model; an upload is checked and forgotten, and its name becomes another name of that model.

use super::call::{Call, Reply, json, reply, text};
use super::engine::Engine;
use super::ollama_fields::{error, unknown_model, unreadable};
use super::parse::Text;
use super::store::bare;
use super::stream::Answering;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json as object};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// The version it says; nobody can mistake it for the real one.
pub const VERSION: &str = "0.34.1-loadcmp-standin";
/// Names and uploads that are remembered.
const MOST: usize = 256;
/// Bytes that the model claims to have.
const SIZE: u64 = 1_048_576;

fn full(name: &str) -> String {
    if name.contains(':') { name.to_owned() } else { format!("{name}:latest") }
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow, default)]
    model: Text<'a>,
    #[serde(borrow, default)]
    name: Text<'a>,
}

impl Named<'_> {
    fn name(&self) -> &str {
        if self.model.is_empty() { &self.name } else { &self.model }
    }
}

pub(super) fn version() -> Reply {
    json(StatusCode::OK, object!({ "version": VERSION }).to_string())
}

fn details(engine: &Engine) -> Value {
    object!({
        "parent_model": "", "format": "gguf", "family": "standin", "families": ["standin"],
        "parameter_size": engine.spec.parameters, "quantization_level": engine.spec.quantization,
        "context_length": engine.spec.context, "embedding_length": engine.spec.dimensions,
    })
}

fn capabilities(engine: &Engine) -> Vec<&'static str> {
    let mut list = Vec::new();
    list.extend(engine.makes_text().then_some("completion"));
    list.extend(engine.makes_vectors().then_some("embedding"));
    list
}

fn digest(name: &str) -> String {
    Sha256::digest(name.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn tags(call: &Call) -> Reply {
    let engine = &call.engine;
    let mut names = vec![engine.spec.model.clone()];
    names.extend(engine.store.with(|known| known.names.iter().cloned().collect::<Vec<_>>()));
    let model = |name: &String| {
        object!({
            "name": full(name), "model": full(name), "modified_at": engine.wall(crate::record::Nanos(0)).to_string(),
            "size": SIZE, "digest": digest(&engine.spec.model), "details": details(engine),
            "capabilities": capabilities(engine),
        })
    };
    json(StatusCode::OK, object!({ "models": names.iter().map(model).collect::<Vec<_>>() }).to_string())
}

pub(super) fn ps(call: &Call) -> Reply {
    let engine = &call.engine;
    let mut models = Vec::new();
    if engine.is_loaded(engine.clock.now()) {
        let name = full(&engine.spec.model);
        let expires = engine.expires().map_or_else(|| "2319-01-01T00:00:00Z".into(), |at| engine.wall(at).to_string());
        models.push(object!({
            "name": name, "model": name, "size": SIZE, "digest": digest(&engine.spec.model),
            "details": details(engine), "expires_at": expires, "size_vram": 0,
            "context_length": match engine.store.context.load(Relaxed) { 0 => engine.spec.context, context => context },
        }));
    }
    json(StatusCode::OK, object!({ "models": models }).to_string())
}

pub(super) fn show(call: &Call) -> Reply {
    let named: Named<'_> = match serde_json::from_slice(&call.body) {
        Ok(named) => named,
        Err(error) => return unreadable(&call.body, &error),
    };
    let engine = &call.engine;
    if !engine.store.knows(named.name(), &engine.spec.model) {
        return unknown_model(named.name());
    }
    let info = object!({
        "general.architecture": "standin", "general.name": engine.spec.model, "general.parameter_count": 1,
        "standin.context_length": engine.spec.context, "standin.embedding_length": engine.spec.dimensions,
    });
    let whole = object!({
        "modelfile": format!("# a loadcmp stand-in, not a model\nFROM standin@sha256-{}\n", digest(&engine.spec.model)),
        "parameters": "", "template": "{{ .Prompt }}", "system": "", "details": details(engine), "model_info": info,
        "capabilities": capabilities(engine), "modified_at": engine.wall(crate::record::Nanos(0)).to_string(),
    });
    json(StatusCode::OK, whole.to_string())
}

#[derive(Deserialize)]
struct Create<'a> {
    #[serde(borrow, default)]
    model: Text<'a>,
    #[serde(borrow, default)]
    name: Text<'a>,
    #[serde(borrow, default)]
    from: Text<'a>,
    files: Option<BTreeMap<String, String>>,
    stream: Option<bool>,
}

pub(super) fn create(call: &Call) -> Reply {
    let asked: Create<'_> = match serde_json::from_slice(&call.body) {
        Ok(asked) => asked,
        Err(error) => return unreadable(&call.body, &error),
    };
    let engine = &call.engine;
    let name = if asked.model.is_empty() { &*asked.name } else { &*asked.model };
    if name.is_empty() {
        return error(StatusCode::BAD_REQUEST, "model is required");
    }
    let known = |digest: &String| engine.store.with(|known| known.blobs.contains(digest));
    let files = asked.files.unwrap_or_default();
    let problem = if files.is_empty() && !engine.store.knows(&asked.from, &engine.spec.model) {
        Some("neither 'from' or 'files' was specified")
    } else if !files.values().all(known) {
        Some("blob not found")
    } else {
        let taken = engine.store.with(|known| known.names.len() < MOST && known.names.insert(bare(name).to_owned()));
        (!taken && !engine.store.knows(name, &engine.spec.model)).then_some("the stand-in can't store more model names")
    };
    let last = problem.map_or(object!({ "status": "success" }), |problem| object!({ "error": problem }));
    if asked.stream == Some(false) {
        let status = if problem.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
        return json(status, last.to_string());
    }
    let lines = format!("{{\"status\":\"parsing GGUF\"}}\n{{\"status\":\"writing manifest\"}}\n{last}\n");
    reply(StatusCode::OK, "application/x-ndjson", Answering::Whole(lines.into()))
}

pub(super) fn delete(call: &Call) -> Reply {
    let named: Named<'_> = match serde_json::from_slice(&call.body) {
        Ok(named) => named,
        Err(error) => return unreadable(&call.body, &error),
    };
    if call.engine.store.with(|known| known.names.remove(bare(named.name()))) {
        return json(StatusCode::OK, "");
    }
    unknown_model(named.name())
}

/// `/api/blobs/sha256:<hex>`: whether it was uploaded (HEAD), or its upload (POST), which is hashed and not kept.
pub(super) async fn blob(engine: &Arc<Engine>, method: &Method, digest: &str, body: Incoming) -> Reply {
    let known = engine.store.with(|known| known.blobs.contains(digest));
    let hex = digest.strip_prefix("sha256:").or_else(|| digest.strip_prefix("sha256-")).unwrap_or_default();
    match *method {
        Method::HEAD => json(if known { StatusCode::OK } else { StatusCode::NOT_FOUND }, ""),
        Method::POST if known => json(StatusCode::OK, ""),
        Method::POST => {
            let mut hasher = Sha256::new();
            let mut body = pin!(body);
            while let Some(frame) = body.frame().await {
                match frame {
                    Ok(frame) => hasher.update(frame.data_ref().map_or(&[][..], |data| data)),
                    Err(_) => return error(StatusCode::BAD_REQUEST, "the upload was cut off"),
                }
            }
            let found: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
            if found != hex {
                return error(StatusCode::BAD_REQUEST, &format!("digest mismatch, expected \"sha256:{found}\""));
            }
            engine.store.with(|known| known.blobs.len() < MOST && known.blobs.insert(digest.to_owned()));
            json(StatusCode::CREATED, "")
        }
        _ => text(StatusCode::METHOD_NOT_ALLOWED, "405 method not allowed"),
    }
}
