//! Whether each target can be spoken to, and can do the task.

use super::Sense;
use crate::scenario::mistake::{nearest, quoted};
use crate::scenario::{
    Address, Api, Family, JsonSpec, JsonStream, ProcessSpec, PromptFormat, TargetSpec, Task, TemplateSpec, yaml_word,
};

/// What a `json` body can ask for.
const PLACEHOLDERS: [&str; 6] = ["prompt", "messages", "model", "max_tokens", "temperature", "seed"];

/// Bytes of a Unix socket's path, at most; the system's limit with the zero at its end.
const SOCKET_PATH: usize = 107;

impl Sense<'_> {
    pub(super) fn targets(&mut self) {
        let scenario = self.scenario;
        for (name, target) in &scenario.targets {
            match target {
                TargetSpec::Ollama(spec) => {
                    self.address(&["targets", name, "ollama", "url"], &spec.url, true);
                    self.keep_alive(&["targets", name, "ollama", "keep_alive"], &spec.keep_alive);
                }
                TargetSpec::OpenAi(spec) => {
                    self.address(&["targets", name, "openai", "url"], &spec.url, true);
                    self.talks(name, spec.api);
                }
                TargetSpec::GgCore(spec) => {
                    if spec.socket != "auto" {
                        self.socket(&["targets", name, "gg_core", "socket"], &spec.socket);
                    }
                }
                TargetSpec::Json(spec) => self.json(name, spec),
            }
            let wire = wire(target);
            self.template(name, target);
            self.headers(name, target);
            self.tls(name, target);
            if let Some(process) = target.process() {
                self.process(&["targets", name, wire, "process"], process);
            }
            if let Some(url) = target.metrics() {
                self.metrics(&["targets", name, wire, "metrics"], url);
            }
        }
    }

    /// An API of conversations has no other routes.
    fn talks(&mut self, name: &str, api: Api) {
        let Some(route) = api.talks_only() else { return };
        let scenario = self.scenario;
        let path = ["targets", name, "openai", "api"];
        if scenario.task == Task::Embed {
            self.wrong(&path, format!("{route} has no embeddings")).add_help("leave `api` out");
        } else if scenario.workload.format == Some(PromptFormat::Raw) {
            self.wrong(&path, format!("{route} takes messages, and `format: raw` sends none"))
                .add_help("leave `format` or `api` out");
        } else if scenario.workload.format.is_none()
            && scenario.targets.values().any(|target| matches!(target, TargetSpec::GgCore(_)))
        {
            self.wrong(&path, format!("{route} takes messages, and the format is raw where a target speaks GG-CORE"))
                .add_help("write `format: chat` in the workload");
        }
    }

    /// A template is either named or another target's, and put around prompts that are messages.
    fn template(&mut self, name: &str, target: &TargetSpec) {
        let Some(template) = target.template() else { return };
        let path = ["targets", name, wire(target), "template"];
        if self.scenario.workload.format == Some(PromptFormat::Raw) {
            self.wrong_key(&path, "`template` applies to messages, and `format: raw` sends none")
                .add_help("write `format: chat`, or leave `template` out");
        } else if self.scenario.task == Task::Embed {
            self.wrong_key(&path, "`template` applies to messages, and embed sends texts");
        }
        if let TemplateSpec::From(other) = template
            && !matches!(self.scenario.targets.get(other), Some(TargetSpec::Ollama(_)))
        {
            let ollamas = self.scenario.targets.iter().filter(|(_, spec)| matches!(spec, TargetSpec::Ollama(_)));
            let names: Vec<&str> = ollamas.map(|(name, _)| name.as_str()).collect();
            let help = match names.as_slice() {
                [] => format!("name the template instead: {}", Family::words()),
                names => format!("there are: {}", names.join(", ")),
            };
            let path = [&path[..], &["from"]].concat();
            self.wrong(&path, format!("`from` must name an `ollama` target, and {} isn't one", quoted(other)))
                .add_help(help);
        }
    }

    fn process(&mut self, path: &[&str], process: &ProcessSpec) {
        match process {
            ProcessSpec::Pid(_) => {}
            ProcessSpec::Name(name) if name.trim().is_empty() => {
                self.wrong(&[path, &["name"]].concat(), "`name` must be the name of a process");
            }
            ProcessSpec::Name(name) if name.contains('/') => {
                self.wrong(&[path, &["name"]].concat(), "`name` is the program's file name, without folders")
                    .add_help("for example: llama-server");
            }
            ProcessSpec::Name(_) => {}
        }
    }

    fn metrics(&mut self, path: &[&str], url: &str) {
        if let Err(why) = Address::parse(url) {
            // The text is not repeated: a password may be in it.
            let mistake = self.wrong(path, format!("`metrics` {why}"));
            mistake.add_help("for example: http://127.0.0.1:8080/metrics");
            if url.contains('@') {
                mistake.hide_it();
            }
        }
    }

    fn address(&mut self, path: &[&str], url: &str, auto: bool) {
        if auto && url == "auto" {
            return;
        }
        if let Err(why) = Address::parse(url) {
            // The text is not repeated: a password may be in it.
            let mistake = self.wrong(path, format!("`url` {why}"));
            mistake.add_help("for example: http://127.0.0.1:8080");
            if url.contains('@') {
                mistake.hide_it();
            }
        }
    }

    fn socket(&mut self, path: &[&str], socket: &str) {
        if socket.is_empty() || socket.contains('\0') {
            self.wrong(path, "`socket` must be the path of a Unix socket");
        } else if socket.len() > SOCKET_PATH {
            let message = format!("`socket` is {} bytes long; the system allows {SOCKET_PATH}", socket.len());
            self.wrong(path, message);
        }
    }

    fn keep_alive(&mut self, path: &[&str], text: &str) {
        let positive = text.strip_prefix('-').unwrap_or(text);
        let seconds = !positive.is_empty() && positive.bytes().all(|b| b.is_ascii_digit());
        // Ollama takes Go's form, in which units may follow each other: 1h30m.
        let mut rest = positive;
        while let Some(end) = rest.find(|c: char| c.is_ascii_alphabetic()) {
            let after = rest[end..].find(|c: char| !c.is_ascii_alphabetic()).map_or(rest.len(), |n| end + n);
            if crate::scenario::Span::parse(&rest[..after]).is_none() {
                break;
            }
            rest = &rest[after..];
        }
        if !seconds && (positive.is_empty() || !rest.is_empty()) {
            self.wrong(path, "`keep_alive` must be a duration such as 5m, or \"-1\" for ever");
        }
    }

    fn json(&mut self, name: &str, spec: &JsonSpec) {
        let path = |field| ["targets", name, "json", field];
        match (&spec.url, &spec.socket) {
            (None, None) => {
                self.wrong_key(&path("url")[..3], "a `json` target needs `url` or `socket`");
            }
            (Some(_), Some(_)) => {
                self.wrong_key(&path("socket"), "`url` and `socket` both give the address; write one of them");
            }
            (Some(url), None) => self.address(&path("url"), url, false),
            (None, Some(socket)) => self.socket(&path("socket"), &socket.to_string_lossy()),
        }
        if spec.path.chars().any(|c| c.is_whitespace() || c.is_control() || !c.is_ascii() || c == '#') {
            let message = "`path` has an invalid character; percent-encode it";
            self.wrong(&path("path"), message);
        }
        self.json_answer(name, spec);
        self.json_body(name, spec);
    }

    fn headers(&mut self, name: &str, target: &TargetSpec) {
        let token = match target {
            TargetSpec::OpenAi(spec) if !spec.token.is_empty() && spec.api == Api::Messages => Some("x-api-key"),
            TargetSpec::OpenAi(spec) if !spec.token.is_empty() => Some("authorization"),
            _ => None,
        };
        for (header, value) in target.headers().into_iter().flatten() {
            let path = ["targets", name, wire(target), "headers", header];
            let lower = header.to_ascii_lowercase();
            let odd = |c: char| !c.is_ascii_alphanumeric() && !"!#$%&'*+-.^_`|~".contains(c);
            if ["host", "content-type", "content-length", "transfer-encoding", "connection"].contains(&&*lower) {
                self.wrong_key(&path, format!("the header `{header}` is set by loadcmp itself"));
            } else if token == Some(&*lower) {
                self.wrong_key(&path, format!("`token` and the header `{header}` mean the same; write one of them"));
            } else if header.is_empty() || header.contains(odd) {
                self.wrong_key(&path, format!("`{header}` is not a valid header name"));
            } else if value.expose().chars().any(|c| c.is_control() || !c.is_ascii()) {
                let message = format!("the header `{header}` has an invalid character");
                self.wrong(&path, message).hide_it();
            }
        }
    }

    fn tls(&mut self, name: &str, target: &TargetSpec) {
        let Some(tls) = target.tls().filter(|tls| !tls.is_default()) else { return };
        let path = ["targets", name, wire(target), "tls"];
        let url = match target {
            TargetSpec::Ollama(spec) => Some(spec.url.as_str()),
            TargetSpec::OpenAi(spec) => Some(spec.url.as_str()),
            TargetSpec::Json(spec) => spec.url.as_deref(),
            TargetSpec::GgCore(_) => None,
        };
        // What is found by itself is plain http, and a page of figures may be https where its server isn't.
        let https = |url: &str| Address::parse(url).map_or(true, |address| address.tls);
        let addresses: Vec<&str> = url.into_iter().chain(target.metrics()).collect();
        if url != Some("auto") && !addresses.into_iter().any(https) {
            self.wrong_key(&path, "`tls` is for https, and this target's address isn't https")
                .add_help("for example: url: https://127.0.0.1:8443");
        }
        match tls.wrong_ca() {
            _ if tls.ca.is_some() && tls.insecure => {
                self.wrong_key(&path, "`ca` checks the certificate, and `insecure` doesn't; write one of them");
            }
            Some(why) => {
                self.wrong(&[&path[..], &["ca"]].concat(), format!("`ca` {why}"));
            }
            None => {}
        }
    }

    fn json_answer(&mut self, name: &str, spec: &JsonSpec) {
        let path = ["targets", name, "json", "answer"];
        let task = yaml_word(&self.scenario.task);
        match self.scenario.task {
            Task::Embed if spec.answer.embedding.is_none() => {
                self.wrong_key(&path, format!("`answer` needs `embedding`, the location of the vector ({task})"))
                    .add_help("for example: embedding: /data/0/embedding");
            }
            Task::Embed if spec.stream != JsonStream::None => {
                let path = ["targets", name, "json", "stream"];
                self.wrong(&path, "embeddings never stream; write `stream: none`, or leave it out");
            }
            Task::Generate | Task::Chat | Task::Classify if spec.answer.text.is_none() => {
                self.wrong_key(&path, format!("`answer` needs `text`, the location of the text ({task})"))
                    .add_help("for example: text: /choices/0/message/content");
            }
            _ => {}
        }
    }

    fn json_body(&mut self, name: &str, spec: &JsonSpec) {
        let path = ["targets", name, "json", "body"];
        let mut asked = Vec::new();
        placeholders(&spec.body, &mut asked);
        let known = |word: &String| PLACEHOLDERS.contains(&word.as_str());
        for word in asked.iter().filter(|word| !known(word)) {
            let near = nearest(word, PLACEHOLDERS);
            let mistake = self.wrong_key(&path, format!("`body` has the unknown placeholder `{{{{{word}}}}}`"));
            mistake.set_note(near.map(|near| format!("did you mean `{{{{{near}}}}}`?")));
            mistake
                .add_help(format!("placeholders: {}", PLACEHOLDERS.map(|word| format!("{{{{{word}}}}}")).join(", ")));
        }
        if asked.iter().all(known) && !asked.iter().any(|word| word == "prompt" || word == "messages") {
            self.wrong_key(&path, "`body` has no placeholder for the prompt")
                .add_help("add \"{{prompt}}\" or \"{{messages}}\"");
        }
        if asked.iter().any(|word| word == "model") && spec.model.is_none() {
            self.wrong_key(&path, "`body` has `{{model}}`, but the target has no `model`");
        }
    }
}

/// The field that a target's settings stand in.
fn wire(target: &TargetSpec) -> &'static str {
    match target {
        TargetSpec::Ollama(_) => "ollama",
        TargetSpec::OpenAi(_) => "openai",
        TargetSpec::GgCore(_) => "gg_core",
        TargetSpec::Json(_) => "json",
    }
}

/// The words between `{{` and `}}` in every text of a body.
fn placeholders(body: &serde_json::Value, found: &mut Vec<String>) {
    match body {
        serde_json::Value::String(text) => {
            let inside = text.split("{{").skip(1).filter_map(|part| part.split_once("}}"));
            found.extend(inside.map(|(word, _)| word.trim().to_owned()));
        }
        serde_json::Value::Array(list) => list.iter().for_each(|item| placeholders(item, found)),
        serde_json::Value::Object(map) => map.values().for_each(|value| placeholders(value, found)),
        _ => {}
    }
}
