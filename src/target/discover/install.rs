//! Puts a model's file into a running Ollama through its API: the blob, the model made of it, and its first load.

use super::client::words;
use super::upload::FileBody;
use super::{Control, base_url, is_stand_in, list, text};
use crate::scenario::TargetSpec;
use crate::scenario::same_model;
use crate::target::answer::brief;
use reqwest::{Body, Response, Url};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::io::Read;
use std::path::Path;
use std::time::Duration;

/// Longest silence of an Ollama that takes a model in, or loads it.
const SILENCE: Duration = Duration::from_secs(600);
/// Longest upload: a hundred gigabytes over a slow network.
const UPLOAD: Duration = Duration::from_secs(24 * 3600);

/// An Ollama that is there, by its own word.
pub struct Ollama {
    control: Control,
    /// Its version.
    pub version: String,
    /// Whether it is the embedded engine.
    pub stand_in: bool,
}

/// A model to be made.
pub struct Model<'a> {
    /// Its name in Ollama.
    pub name: &'a str,
    /// Its file's name.
    pub file: &'a str,
    /// SHA-256 of the file, in hexadecimal.
    pub digest: &'a str,
    /// The system message that it gets where a conversation has none.
    pub system: Option<&'a str>,
    /// Ollama's template (Go); its own choice without.
    pub template: Option<&'a str>,
}

/// Where an Ollama is meant to be, and whether that is this machine.
pub fn ollama_at(text: &str) -> Result<(Url, bool), String> {
    let base = base_url(text, 11434).map_err(|why| why.to_string())?;
    let here = super::endpoint(&base).is_here();
    Ok((base, here))
}

/// SHA-256 of a file, in hexadecimal.
pub fn digest_of(path: &Path) -> std::io::Result<String> {
    let (mut file, mut hash) = (std::fs::File::open(path)?, Sha256::new());
    let mut piece = vec![0; 1 << 20];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            n => hash.update(&piece[..n]),
        }
    }
}

impl Ollama {
    /// Asks who is there.
    pub async fn meet(base: &Url) -> Result<Self, String> {
        let spec: TargetSpec = serde_json::from_value(json!({ "ollama": { "url": base.as_str() } }))
            .map_err(|error| format!("{base}: {error}"))?;
        let control = Control::new(base.clone(), &spec).await.map_err(|why| why.to_string())?;
        let answer = match control.send("/api/version", None).await {
            Ok(answer) => answer,
            Err(why) => {
                return Err(format!("no Ollama at {base} ({})\n  start one: ollama serve", control.guessed(why).await));
            }
        };
        let (status, stand_in) = (answer.status(), is_stand_in(&answer));
        let told: Value = answer.json().await.unwrap_or_default();
        let version = text(&told, "/version");
        let version = version.ok_or_else(|| {
            format!(
                "the server at {base} is not Ollama: /api/version returned status {} and no version",
                status.as_u16()
            )
        })?;
        Ok(Self { control, version, stand_in })
    }

    /// Whether it has a model of this name that is of another file: to put one there would take that one away.
    pub async fn has_another(&self, name: &str, digest: &str) -> bool {
        let tags = self.control.ask("/api/tags", None).await.unwrap_or_default();
        if !list(&tags, "models").iter().filter_map(|model| text(model, "/name")).any(|other| same_model(&other, name))
        {
            return false;
        }
        let shown = self.control.ask("/api/show", Some(json!({ "model": name }))).await.unwrap_or_default();
        !crate::host::Model::blobs_of(&text(&shown, "/modelfile").unwrap_or_default()).iter().any(|blob| blob == digest)
    }

    /// Sends the file, unless it is there; whether it was sent.
    pub async fn upload(&self, path: &Path, digest: &str) -> Result<bool, String> {
        let mut url = self.control.base.clone();
        url.set_path(&format!("{}/api/blobs/sha256:{digest}", url.path().trim_end_matches('/')));
        // First: an upload of what is there is answered before it is read.
        let there = self.control.client.head(url.clone()).send().await.map_err(words)?;
        if there.status().is_success() {
            return Ok(false);
        }
        let file = std::fs::File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let bytes = file.metadata().map_err(|error| format!("{}: {error}", path.display()))?.len();
        let request = self.control.client.post(url).timeout(UPLOAD).body(Body::wrap(FileBody::new(file, bytes)));
        let answer = request.send().await.map_err(|why| format!("the file was not accepted: {}", words(why)))?;
        if answer.status().is_success() {
            Ok(true)
        } else {
            Err(format!("the file was refused: {}", said(answer).await))
        }
    }

    /// Makes the model of the file that it has.
    pub async fn create(&self, model: &Model<'_>) -> Result<(), String> {
        let mut asked = json!({ "model": model.name, "files": { model.file: format!("sha256:{}", model.digest) } });
        for (field, value) in [("system", model.system), ("template", model.template)] {
            if let Some(value) = value {
                asked[field] = value.into();
            }
        }
        let refused = |why: String| format!("no model could be created from it: {why}");
        let mut answer = self.control.send_within(UPLOAD, "/api/create", Some(asked)).await.map_err(refused)?;
        if !answer.status().is_success() {
            return Err(refused(said(answer).await));
        }
        // A line for each step; a failure is one of them, under status 200.
        let mut told = Vec::new();
        loop {
            let piece = tokio::time::timeout(SILENCE, answer.chunk()).await;
            match piece {
                Ok(Ok(Some(piece))) => told.extend_from_slice(&piece),
                Ok(Ok(None)) => break,
                Ok(Err(why)) => return Err(refused(words(why))),
                Err(_) => return Err(refused(format!("no response for {} s", SILENCE.as_secs()))),
            }
        }
        let lines: Vec<Value> =
            told.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
        if let Some(why) = lines.iter().find_map(|line| text(line, "/error")) {
            return Err(refused(why));
        }
        let done = lines.iter().any(|line| text(line, "/status").as_deref() == Some("success"));
        if done { Ok(()) } else { Err(refused("it ended without reporting success".into())) }
    }

    /// Has it load the model, which shows whether it can: its architecture is one that the engine knows, and there is room.
    pub async fn load(&self, model: &str, embeds: bool) -> Result<(), String> {
        let (path, body) = if embeds {
            ("/api/embed", json!({ "model": model, "input": "a" }))
        } else {
            ("/api/generate", json!({ "model": model, "stream": false }))
        };
        let failed = |why: String| format!("it can't load the model: {why}");
        let answer = self.control.send_within(SILENCE, path, Some(body)).await.map_err(failed)?;
        if answer.status().is_success() { Ok(()) } else { Err(failed(said(answer).await)) }
    }
}

/// What an answer that is none says.
async fn said(answer: Response) -> String {
    let status = answer.status().as_u16();
    let told = answer.text().await.unwrap_or_default();
    let error = serde_json::from_str::<Value>(&told).ok().and_then(|told| text(&told, "/error"));
    format!("status {status}: {}", brief(&error.unwrap_or(told)))
}
