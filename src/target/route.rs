//! The fixed part of a target's requests: method, path, headers; and the run's settings as its wire can be asked them.

use super::render::RequestSettings;
use super::transport::{HeaderMap, HeaderName, HeaderValue, HttpRoute, Method, Uri, header};
use super::{ollama, openai};
use crate::scenario::plan::{Endpoint, Plan, TargetPlan};
use crate::scenario::{Api, JsonStream, TargetSpec, Task};

/// The run's settings as this target is asked them.
pub(super) fn settings_for(plan: &Plan, target: &TargetPlan) -> RequestSettings {
    let spec = &target.spec;
    let mut settings = RequestSettings::of(plan);
    if matches!(spec, TargetSpec::GgCore(_)) {
        settings.format = crate::scenario::PromptFormat::Raw;
    }
    if !spec.takes_a_schema() {
        (settings.constrain, settings.schema) = (crate::scenario::Constrain::None, None);
    }
    settings.ignore_eos = plan.workload.tokens.as_ref().is_some_and(|tokens| tokens.recorded.is_some());
    settings.ignore_eos &= ignores_eos(target);
    settings.think = spec.think().or(settings.think);
    if let Some(template) = &target.template {
        settings.template = Some(template.family);
        settings.system = settings.system.or_else(|| template.system.clone());
    }
    if let TargetSpec::Json(spec) = spec {
        settings.stream = spec.stream != JsonStream::None && plan.task != Task::Embed;
    }
    settings
}

/// Whether a target can be told to go on after its model's end token: llama-server, known by its `/props`.
pub fn ignores_eos(target: &TargetPlan) -> bool {
    matches!(&target.spec, TargetSpec::OpenAi(spec) if spec.api == Api::Completions) && target.facts.slots.is_some()
}

/// The fixed part of a target's requests; none for a wire that isn't HTTP.
pub(super) fn route(target: &TargetPlan, settings: &RequestSettings) -> Result<Option<HttpRoute>, String> {
    let (method, path) = match &target.spec {
        TargetSpec::GgCore(_) => return Ok(None),
        TargetSpec::Ollama(_) => (Method::POST, ollama::path(settings)),
        TargetSpec::OpenAi(spec) => (Method::POST, openai::path(spec, settings)),
        TargetSpec::Json(spec) => match spec.method {
            crate::scenario::Method::Post => (Method::POST, spec.path.as_str()),
            crate::scenario::Method::Put => (Method::PUT, spec.path.as_str()),
        },
    };
    let (host, prefix) = match &target.endpoint {
        Endpoint::Tcp { host, port, prefix, .. } if host.contains(':') => (format!("[{host}]:{port}"), prefix.as_str()),
        Endpoint::Tcp { host, port, prefix, .. } => (format!("{host}:{port}"), prefix.as_str()),
        Endpoint::Unix { .. } => ("localhost".to_owned(), ""),
    };
    let uri: Uri =
        format!("{prefix}{path}").parse().map_err(|error| format!("`{prefix}{path}` is not a valid path: {error}"))?;
    let mut headers = HeaderMap::new();
    headers.insert(header::HOST, value(&host)?);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static(concat!("loadcmp/", env!("CARGO_PKG_VERSION"))));
    headers.extend(own_headers(&target.spec)?);
    Ok(Some(HttpRoute { method, uri, headers }))
}

/// The headers that a target's settings ask for, on every request to its server, its token among them. The error is a
/// sentence.
pub(super) fn own_headers(spec: &TargetSpec) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    if let TargetSpec::OpenAi(spec) = spec {
        let speaks_messages = spec.api == Api::Messages;
        if speaks_messages {
            headers.insert(HeaderName::from_static("anthropic-version"), HeaderValue::from_static("2023-06-01"));
        }
        if !spec.token.is_empty() {
            let (name, form) = match speaks_messages {
                true => (HeaderName::from_static("x-api-key"), spec.token.expose().to_owned()),
                false => (header::AUTHORIZATION, format!("Bearer {}", spec.token.expose())),
            };
            let mut token = value(&form)?;
            token.set_sensitive(true);
            headers.insert(name, token);
        }
    }
    for (name, text) in spec.headers().into_iter().flatten() {
        let name: HeaderName = name.parse().map_err(|_| format!("`{name}` is not a valid header name"))?;
        let mut text = value(text.expose())?;
        text.set_sensitive(true);
        headers.insert(name, text);
    }
    Ok(headers)
}

fn value(text: &str) -> Result<HeaderValue, String> {
    HeaderValue::from_str(text).map_err(|_| "a header's value has invalid characters".to_owned())
}
