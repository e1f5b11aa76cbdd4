//! GG-CORE's local socket as a target: where it is, what its server takes, and what is assumed where nobody says it.

use super::environment::Lookup;
use super::mistake::{Mistake, Place};
use super::secret::remember;
use super::{ProcessSpec, Secret, TemplateSpec};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Connections that the server takes unless it was told otherwise (`GG_CORE_MAX_CONNECTIONS`).
const CONNECTIONS: u32 = 64;

/// Tokens of prompt and answer together that a host's context holds unless it says otherwise (n_ctx).
const CONTEXT: u32 = 2048;

/// Tokens of a prompt that a host takes at once unless it says otherwise (n_batch); one more ends the server.
const BATCH: u32 = 2048;

/// Bytes of a token's file, at most.
const LARGEST_TOKEN: u64 = 64 << 10;

/// GG-CORE's local socket.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "a `gg_core` target")]
pub struct GgCoreSpec {
    /// Path of the Unix socket (on Windows the named pipe), or `auto`: `GG_CORE_SOCKET_PATH`, then the usual path, then
    /// the stand-in.
    #[serde(default = "super::defaults::auto")]
    pub socket: String,
    /// The server's `CORE_AUTH_TOKEN`, written as `${NAME}`: it must come from the environment. Default:
    /// `CORE_AUTH_TOKEN`, then the file named by `CORE_AUTH_TOKEN_FILE`.
    #[serde(default, skip_serializing_if = "Secret::is_empty")]
    pub token: Secret,
    /// Model id, or `auto`: the first by name that is ready and generates text.
    #[serde(default = "super::defaults::auto")]
    pub model: String,
    /// The chat template for its prompts, because its engine doesn't apply one: chatml, llama2, llama3, mistral, gemma,
    /// phi3, zephyr, or `{ from: ollama }`, the template of another target's model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<TemplateSpec>,
    /// Maximum number of connections of the server (`GG_CORE_MAX_CONNECTIONS`); more users are refused. Default: 64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_connections: Option<u32>,
    /// Context of the host in tokens (n_ctx), for prompt and answer together. Default: 2048.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 16))]
    pub context: Option<u32>,
    /// Batch size of the host in tokens (n_batch): a longer prompt would crash the server, so it is refused. Default:
    /// 2048.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 16))]
    pub batch: Option<u32>,
    /// Requests per session; the session is then renewed on the same connection (the server's limit is 1000 per
    /// minute).
    #[serde(default = "super::defaults::gg_core_session")]
    #[schemars(range(min = 1))]
    pub session_requests: u32,
    /// Its processes on this machine, if they are not those that listen at its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<ProcessSpec>,
    /// Address of metrics in Prometheus format, such as `http://127.0.0.1:8080/metrics`; read every two seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<String>,
}

impl GgCoreSpec {
    /// Connections that the server takes.
    pub fn connections(&self) -> u32 {
        self.max_connections.unwrap_or(CONNECTIONS)
    }

    /// Tokens of prompt and answer together that it holds.
    pub fn context(&self) -> u32 {
        self.context.unwrap_or(CONTEXT)
    }

    /// Tokens of a prompt that it takes.
    pub fn batch(&self) -> u32 {
        self.batch.unwrap_or(BATCH)
    }

    /// Which of its limits are assumed, in a sentence; `None` where all are written. The server tells none of them.
    pub fn assumed(&self) -> Option<String> {
        let limits = [
            (self.context, format!("a context of {CONTEXT} tokens (`context`)")),
            (self.batch, format!("prompts of at most {BATCH} tokens (`batch`)")),
            (self.max_connections, format!("{CONNECTIONS} connections (`max_connections`)")),
        ];
        let assumed: Vec<String> =
            limits.into_iter().filter(|(written, _)| written.is_none()).map(|(_, it)| it).collect();
        (!assumed.is_empty()).then(|| {
            format!("GG-CORE doesn't report its limits; assumed, unless the target sets them: {}", assumed.join(", "))
        })
    }

    /// Takes from the environment what isn't written: where the socket is, and the token. `place` is where the target stands.
    pub(super) fn complete(&mut self, lookup: &Lookup<'_>, place: &Place, mistakes: &mut Vec<Mistake>) {
        let given = |name: &str| lookup(name).ok().filter(|value| !value.trim().is_empty());
        if self.socket == "auto"
            && let Some(path) = given("GG_CORE_SOCKET_PATH")
        {
            self.socket = path.trim().to_owned();
        }
        if !self.token.is_empty() {
            return;
        }
        if let Some(token) = given("CORE_AUTH_TOKEN") {
            remember(&token, "${CORE_AUTH_TOKEN}");
            self.token = Secret::new(token);
        } else if let Some(file) = given("CORE_AUTH_TOKEN_FILE") {
            match token_of(Path::new(&file)) {
                Ok(token) => {
                    remember(&token, "${CORE_AUTH_TOKEN_FILE}");
                    self.token = Secret::new(token);
                }
                Err(why) => {
                    let message = format!("the environment variable `CORE_AUTH_TOKEN_FILE` names {file}, which {why}");
                    let help = "correct or unset it; CORE_AUTH_TOKEN and the target's `token` take precedence";
                    mistakes.push(Mistake::new(message, place.clone()).help(help));
                }
            }
        }
    }
}

/// The token in a file, without the line's end behind it; else what is wrong with the file, in words that follow it.
fn token_of(path: &Path) -> Result<String, String> {
    let facts = std::fs::metadata(path).map_err(|error| format!("can't be read: {error}"))?;
    if !facts.is_file() {
        return Err("is not a file".to_owned());
    }
    if facts.len() > LARGEST_TOKEN {
        return Err(format!("has {} bytes: too long for a token", facts.len()));
    }
    let text = std::fs::read_to_string(path).map_err(|error| format!("can't be read: {error}"))?;
    let token = text.trim_end_matches(['\n', '\r']);
    if token.is_empty() { Err("is empty".to_owned()) } else { Ok(token.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::env::VarError;

    fn completed(socket: &str, token: &str, variables: &[(&str, &str)]) -> (GgCoreSpec, Vec<Mistake>) {
        let mut spec: GgCoreSpec =
            serde_json::from_value(serde_json::json!({ "socket": socket, "token": token })).unwrap();
        let lookup = |name: &str| {
            let known = variables.iter().find(|(known, _)| *known == name);
            known.map(|(_, value)| (*value).to_owned()).ok_or(VarError::NotPresent)
        };
        let mut mistakes = Vec::new();
        spec.complete(&lookup, &Place::Whole, &mut mistakes);
        (spec, mistakes)
    }

    #[test]
    fn what_is_written_comes_before_the_environment_and_that_before_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        std::fs::write(&path, "of-the-file\n").unwrap();
        let file = path.display().to_string();
        let all = [
            ("GG_CORE_SOCKET_PATH", "/run/x.sock"),
            ("CORE_AUTH_TOKEN", "of-the-env"),
            ("CORE_AUTH_TOKEN_FILE", &*file),
        ];
        let of = |socket, token, variables: &[(&str, &str)]| {
            let (spec, mistakes) = completed(socket, token, variables);
            assert!(mistakes.is_empty());
            (spec.socket.clone(), spec.token.expose().to_owned())
        };
        let told = |socket: &str, token: &str| (socket.to_owned(), token.to_owned());
        assert_eq!(of("/a", "written", &all), told("/a", "written"));
        assert_eq!(of("auto", "", &all), told("/run/x.sock", "of-the-env"));
        assert_eq!(of("/a", "", &all[2..]), told("/a", "of-the-file"));
        assert_eq!(of("auto", "", &[("GG_CORE_SOCKET_PATH", ""), ("CORE_AUTH_TOKEN", "")]), told("auto", ""));
    }

    #[test]
    fn a_token_file_that_cannot_be_read_is_a_mistake() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name).display().to_string();
        std::fs::write(at("empty"), "\n").unwrap();
        for (file, why) in [
            (at("none"), "can't be read"),
            (dir.path().display().to_string(), "is not a file"),
            (at("empty"), "is empty"),
        ] {
            let (spec, mistakes) = completed("auto", "", &[("CORE_AUTH_TOKEN_FILE", &*file)]);
            assert!(spec.token.is_empty() && mistakes.len() == 1);
            assert!(
                mistakes[0].message().contains(&file) && mistakes[0].message().contains(why),
                "{}",
                mistakes[0].message()
            );
        }
    }

    #[test]
    fn what_is_assumed_is_told_until_it_is_written() {
        let spec = |json| serde_json::from_value::<GgCoreSpec>(json).unwrap();
        let told = spec(serde_json::json!({})).assumed().unwrap();
        assert!(["`context`", "`batch`", "`max_connections`"].iter().all(|it| told.contains(it)), "{told}");
        let told = spec(serde_json::json!({ "context": 8192, "max_connections": 8 })).assumed().unwrap();
        assert!(told.contains("`batch`") && !told.contains("`context`"), "{told}");
        assert_eq!(spec(serde_json::json!({ "context": 8192, "max_connections": 8, "batch": 512 })).assumed(), None);
    }
}
