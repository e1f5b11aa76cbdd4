//! Cold starts: has an engine let go of its model, and asks whether it is there again. Not timed here.

use super::{Control, base_url, discover, list, text};
use crate::scenario::plan::{Endpoint, TargetPlan};
use crate::scenario::same_model;
use crate::scenario::{TargetSpec, Task};
use serde_json::json;
use std::time::Duration;

/// Longest wait for a model to be gone.
const GONE: Duration = Duration::from_secs(30);
/// Between two looks whether it is.
const LOOK: Duration = Duration::from_millis(20);

/// Whether a target's model can be let go by asking the engine.
pub fn can_unload(target: &TargetPlan) -> bool {
    matches!((&target.spec, &target.endpoint), (TargetSpec::Ollama(_), Endpoint::Tcp { .. }))
}

/// Has the engine let go of the target's model, and waits until it says that it has; what went wrong, in words.
///
/// Ollama's way: a request without a prompt and with `keep_alive: 0`, and then its list of running models.
pub async fn unload(target: &TargetPlan) -> Result<(), String> {
    if !can_unload(target) {
        return Err("its wire can't unload a model".to_owned());
    }
    let base = base_url(&target.endpoint.to_string(), 11434).map_err(|why| why.to_string())?;
    let control = Control::new(base, &target.spec).await.map_err(|why| why.to_string())?;
    let model = &target.model;
    // A model that only embeds isn't asked to write.
    let ways = [
        ("/api/generate", json!({ "model": model, "keep_alive": 0 })),
        ("/api/embed", json!({ "model": model, "input": "", "keep_alive": 0 })),
    ];
    let mut why = String::new();
    for (path, body) in ways {
        match control.send(path, Some(body)).await {
            Ok(answer) if answer.status().is_success() => {
                why.clear();
                break;
            }
            Ok(answer) => why = format!("{path} gave status {}", answer.status().as_u16()),
            Err(error) => return Err(error),
        }
    }
    if !why.is_empty() {
        return Err(why);
    }
    let running = async || {
        let told = control.ask("/api/ps", None).await?;
        let same = |name: String| same_model(&name, model);
        Some(list(&told, "models").iter().filter_map(|entry| text(entry, "/name")).any(same))
    };
    let gone = async {
        while running().await != Some(false) {
            tokio::time::sleep(LOOK).await;
        }
    };
    let told = tokio::time::timeout(GONE, gone).await;
    told.map_err(|_| format!("after {} s the model was still loaded", GONE.as_secs()))
}

/// Whether the target's engine is there and has its model.
pub async fn answers(target: &TargetPlan, task: Task) -> bool {
    let mut spec = target.spec.clone();
    match &mut spec {
        TargetSpec::Ollama(ollama) => ollama.url = target.endpoint.to_string(),
        TargetSpec::OpenAi(openai) if matches!(target.endpoint, Endpoint::Tcp { .. }) => {
            openai.url = target.endpoint.to_string();
        }
        TargetSpec::GgCore(gg_core) => {
            if let Endpoint::Unix { path } = &target.endpoint {
                gg_core.socket = path.display().to_string();
            }
        }
        _ => {}
    }
    discover(&spec, task).await.is_ok_and(|found| !found.busy)
}
