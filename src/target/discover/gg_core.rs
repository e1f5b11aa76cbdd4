//! A GG-CORE: asked over its socket, on connections of their own, each question with a deadline.

use super::{Found, Missing, PATIENCE, STAND_IN_SERVER, list, text, there_are};
use crate::record::{Stopwatch, chain};
use crate::scenario::GgCoreSpec;
use crate::scenario::plan::{Endpoint, EngineFacts};
use crate::target::gg_core::GgConnection;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Where GG-CORE's socket usually lies: today's path, and that of versions up to 0.8.1.
const GG_CORE_SOCKETS: [&str; 2] = ["/var/run/gg-core/GG-CORE.sock", "/var/run/veritas/GG-CORE.sock"];

/// Looks for it.
pub(super) async fn find(spec: &GgCoreSpec) -> Result<Found, Missing> {
    let paths: Vec<PathBuf> = if spec.socket == "auto" {
        GG_CORE_SOCKETS.map(PathBuf::from).to_vec()
    } else {
        vec![PathBuf::from(&spec.socket)]
    };
    let mut tried = Vec::new();
    for path in paths {
        let endpoint = Endpoint::Unix { path };
        match models_of(&endpoint).await {
            Ok(models) => return gg_core_model(spec, endpoint, &models).await,
            Err(why) => tried.push(format!("{endpoint} ({why})")),
        }
    }
    Err(Missing::Unreachable {
        tried: format!("no GG-CORE at {}", tried.join(", nor at ")),
        hint:
            "start its host program, or say where its socket is: GG_CORE_SOCKET_PATH=/path, or `socket:` of the target"
                .into(),
    })
}

async fn models_of(endpoint: &Endpoint) -> Result<Value, String> {
    control(endpoint, &json!({"type": "models_request"})).await
}

/// One question over the socket, with a deadline: that server can fall silent.
async fn control(endpoint: &Endpoint, message: &Value) -> Result<Value, String> {
    let asked = GgConnection::control(endpoint, message, Stopwatch::start());
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(told) => told.map_err(|error| chain(&error)),
        Err(_) => Err(format!("no reply within {} s", PATIENCE.as_secs())),
    }
}

async fn gg_core_model(spec: &GgCoreSpec, endpoint: Endpoint, models: &Value) -> Result<Found, Missing> {
    let all = list(models, "models");
    let names: Vec<String> = all.iter().filter_map(|model| text(model, "/name")).collect();
    let ready = all.iter().find(|model| text(model, "/state").as_deref() == Some("ready"));
    let model = match (spec.model.as_str(), ready.and_then(|model| text(model, "/name"))) {
        ("auto", Some(name)) => name,
        ("auto", None) => {
            return Err(Missing::NoModel {
                told: format!("the GG-CORE at {endpoint} has no model that is ready"),
                hint: "its stock server loads none: start a host program that loads one".into(),
            });
        }
        (named, _) => named.to_owned(),
    };
    // The list's name may differ from the id that requests need: only a warm-up of that id proves it.
    let warmed = control(&endpoint, &json!({"type": "warmup_request", "model_id": model, "tokens": 1})).await;
    if let Ok(told) = &warmed
        && told.get("success").and_then(Value::as_bool) == Some(false)
    {
        let why = text(told, "/error").unwrap_or_default();
        return Err(Missing::Different(format!(
            "the GG-CORE at {endpoint} can't warm up the model `{model}` ({why}); {}",
            there_are(&names, "")
        )));
    }
    let entry = all.iter().find(|entry| text(entry, "/name").as_deref() == Some(&model));
    let stand_in = models.get("server").and_then(Value::as_str).is_some_and(|s| s.starts_with(STAND_IN_SERVER));
    let facts = EngineFacts {
        engine: Some(if stand_in { "loadcmp stand-in" } else { "gg-core" }.to_owned()),
        size_bytes: entry.and_then(|entry| entry.get("size_bytes")).and_then(Value::as_u64),
        context: Some(2048),
        slots: Some(1),
        loaded: Some(ready.is_some()),
        models: names,
        ..EngineFacts::default()
    };
    Ok(Found { endpoint, model, facts, stand_in, untold: Vec::new() })
}
