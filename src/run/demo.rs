//! A model's file into a running Ollama, and the command lines that compare it there with the same file in another server.

use super::command_line::quoted;
use super::{Failure, tell};
use crate::host;
use crate::record::Stopwatch;
use crate::scenario::plan::{EngineFacts, TargetPlan};
use crate::scenario::{TargetSpec, Task};
use crate::target::discover::install::{Model, Ollama, digest_of, ollama_at};
use crate::target::discover::{discover, settings};
use crate::target::gguf::{self, Gguf};
use anyhow::{Context, anyhow};
use serde_json::json;
use std::path::{Path, PathBuf};

/// What is to be installed, and where.
#[derive(Clone, Debug, Default)]
pub struct Install {
    /// Address of Ollama.
    pub ollama: String,
    /// The GGUF file.
    pub file: PathBuf,
    /// The model's name there; that of the file without.
    pub name: Option<String>,
    /// Its system message; the one in the file's chat template without.
    pub system: Option<String>,
    /// Its template in Ollama's language (Go); Ollama's choice without.
    pub template: Option<String>,
    /// Whether the Ollama may be on another machine.
    pub allow_remote: bool,
    /// Whether a model of that name may be replaced.
    pub replace: bool,
    /// Whether a file may be larger than the memory that is left.
    pub anyway: bool,
    /// Whether nothing but the result is said.
    pub quiet: bool,
}

/// What was installed, and how it is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// What it is, in a line.
    pub what: String,
    /// The command that serves the same file with the same settings.
    pub serve: String,
    /// The command that compares the two.
    pub compare: String,
    /// What to know about the two, in sentences.
    pub notes: Vec<String>,
}

/// Where the other server is said to be.
const NATIVE: u16 = 8080;

/// Checks the file, sends it, and has it loaded once.
pub async fn install(asked: &Install) -> Result<Installed, Failure> {
    let path = &asked.file;
    let usage = |why: String| Failure::Usage(format!("error: {why}"));
    let gguf = gguf::read(path).map_err(|why| usage(format!("{} {why}", path.display())))?;
    let (base, here) = ollama_at(&asked.ollama).map_err(usage)?;
    if !here && !asked.allow_remote {
        return Err(usage(format!(
            "{base} is another machine, and a file of {} would be sent there. To allow that, add --allow-remote",
            size(gguf.bytes)
        )));
    }
    if here && !asked.anyway {
        fits(&gguf, path).map_err(usage)?;
    }
    let name = match &asked.name {
        Some(name) => name.clone(),
        None => named_after(path).ok_or_else(|| {
            usage(format!("{} can't be used as a model name. Give one with --name NAME", path.display()))
        })?,
    };
    if gguf.embeds && (asked.system.is_some() || asked.template.is_some()) {
        return Err(usage(format!("{} is an embedding model: it has no template", path.display())));
    }
    let say = |text: String| {
        if !asked.quiet {
            tell(text);
        }
    };
    let fault = |why: String| Failure::Target(format!("error: {why}"));
    let ollama = Ollama::meet(&base).await.map_err(fault)?;
    let hashed = path.clone();
    let digest = tokio::task::spawn_blocking(move || digest_of(&hashed)).await.context("reading the file")?;
    let digest = digest.map_err(|error| anyhow!("reading {}: {error}", path.display()))?;
    if !asked.replace && ollama.has_another(&name, &digest).await {
        return Err(usage(format!(
            "the Ollama at {base} already has a model `{name}` from another file: choose another --name, or add \
             --replace"
        )));
    }
    let clock = Stopwatch::start();
    let system = asked.system.clone().or_else(|| gguf.chat_template.as_deref().and_then(gguf::default_system));
    say(format!("loadcmp: sending {} ({}) to {base}", path.display(), size(gguf.bytes)));
    if !ollama.upload(path, &digest).await.map_err(fault)? {
        say("loadcmp: it is already there".to_owned());
    }
    let file = path.file_name().map_or_else(|| "model.gguf".into(), |name| name.to_string_lossy().into_owned());
    let model = Model {
        name: &name,
        file: &file,
        digest: &digest,
        system: system.as_deref(),
        template: asked.template.as_deref(),
    };
    ollama.create(&model).await.map_err(fault)?;
    ollama.load(&name, gguf.embeds).await.map_err(fault)?;
    let seconds = clock.now().0 as f64 / 1e9;
    let spec: TargetSpec =
        serde_json::from_value(json!({ "ollama": { "url": base.as_str(), "model": name } })).context("a target")?;
    let task = if gguf.embeds { Task::Embed } else { Task::Generate };
    let found = discover(&spec, task).await.map_err(|why| fault(why.to_string()))?;
    let mut target = TargetPlan {
        name: "ollama".to_owned(),
        stand_in: found.stand_in,
        endpoint: found.endpoint,
        model: found.model,
        spec,
        facts: found.facts,
        inequalities: Vec::new(),
        same_as: None,
        filled: None,
        template: None,
    };
    let told = settings(&target).await;
    target.facts.context = told.context.or(target.facts.context);
    target.facts.slots = told.slots;
    target.facts.settings = told.settings;
    let version = if ollama.stand_in { format!("{} (a stand-in)", ollama.version) } else { ollama.version };
    let loaded = &target.facts;
    let parts = [
        Some(gguf.architecture.clone()),
        loaded.quantization.clone(),
        Some(size(gguf.bytes)),
        Some(format!("{:.1} M parameters", gguf.parameters as f64 / 1e6)),
    ];
    let about = parts.into_iter().flatten().collect::<Vec<_>>().join(", ");
    let what = format!("{name} is in Ollama {version} at {}: {about}; {seconds:.1} s", target.endpoint);
    let file = path.canonicalize().unwrap_or_else(|_| path.clone());
    Ok(Installed {
        what,
        serve: serve_line(&file, &name, &gguf, loaded),
        compare: compare_line(&name, &gguf, &target),
        notes: notes(&gguf, system.as_deref(), asked, loaded),
    })
}

/// Whether there is room for the weights at least.
fn fits(gguf: &Gguf, path: &Path) -> Result<(), String> {
    match host::memory_left() {
        Some(left) if gguf.bytes > left => Err(format!(
            "{} needs {} of memory for its weights alone, and {} are available. Use a smaller quantisation, or try it \
             with --anyway",
            path.display(),
            size(gguf.bytes),
            size(left)
        )),
        _ => Ok(()),
    }
}

/// The command of a llama-server with the same settings as Ollama's child, as far as they are known.
fn serve_line(file: &Path, name: &str, gguf: &Gguf, loaded: &EngineFacts) -> String {
    let mut words: Vec<String> = ["llama-server", "-m", &file.to_string_lossy(), "-a", name].map(quoted).into();
    words.extend(["--host".to_owned(), "127.0.0.1".to_owned(), "--port".to_owned(), NATIVE.to_string()]);
    let mut add = |flag: &str, value: Option<String>| {
        if let Some(value) = value {
            words.extend([flag.to_owned(), quoted(&value)]);
        }
    };
    let slots = loaded.slots.unwrap_or(1);
    add("-np", Some(slots.to_string()));
    add("-c", loaded.context.map(|context| (context * slots).to_string()));
    // Not a default's word: it stands for each program's own.
    let set = |name: &str| {
        let setting = loaded.settings.iter().find(|setting| setting.name == name && setting.by != "default")?;
        setting.value.parse::<u64>().ok().map(|n| n.to_string())
    };
    for (flag, name) in [("-t", "threads"), ("-b", "batch"), ("-ub", "ubatch"), ("--cache-ram", "cache_ram_mib")] {
        add(flag, set(name));
    }
    if gguf.embeds {
        words.push("--embedding".to_owned());
    }
    words.join(" ")
}

/// The command that compares the two.
fn compare_line(name: &str, gguf: &Gguf, target: &TargetPlan) -> String {
    let scenario = if gguf.embeds { "embed" } else { "generate" };
    let native = format!("native=openai:http://127.0.0.1:{NATIVE},model={name}");
    let ollama = format!("ollama=ollama:{},model={name}", target.endpoint);
    let real = if target.stand_in { "" } else { " --real" };
    format!(
        "loadcmp run {scenario}{real} --set order=alternate --target {} --target {}",
        quoted(&native),
        quoted(&ollama)
    )
}

fn notes(gguf: &Gguf, system: Option<&str>, asked: &Install, loaded: &EngineFacts) -> Vec<String> {
    let mut notes = Vec::new();
    match (system, &gguf.chat_template) {
        _ if gguf.embeds => {}
        (Some(system), _) if asked.system.is_none() => notes.push(format!(
            "Its system message is set to the default of the file's chat template, so that both sides use it: \
             {system:?}."
        )),
        (None, Some(_)) if asked.template.is_none() => notes.push(
            "Ollama chooses one of its built-in templates by the file's. The run checks whether both sides render the \
             same prompt (`templates-differ`)."
                .to_owned(),
        ),
        (None, None) if asked.template.is_none() => notes.push(
            "The file has no chat template: set one on both sides (`--template` here, `--chat-template` of \
             llama-server), or compare with `--set workload.format=raw`."
                .to_owned(),
        ),
        _ => {}
    }
    let cached =
        |setting: &crate::scenario::plan::EngineSetting| setting.name == "cache_ram_mib" && setting.value == "0";
    if !loaded.settings.iter().any(cached) && !gguf.embeds {
        notes.push(
            "Both cache earlier prompts in memory, up to 8 GiB. To compare memory: `LLAMA_ARG_CACHE_RAM=0` in Ollama's \
             environment, `--cache-ram 0` here."
                .to_owned(),
        );
    }
    if loaded.slots.is_none() {
        notes.push(
            "The number of slots and threads of Ollama is not known: set `-np` and `-t` to its values.".to_owned(),
        );
    }
    notes
}

/// A model's name made of a file's: small letters, digits, `.`, `_` and `-`, as Ollama takes them.
fn named_after(path: &Path) -> Option<String> {
    let stem = path.file_stem()?.to_string_lossy().to_lowercase();
    let name: String =
        stem.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' }).collect();
    let name = name.trim_matches(|c: char| !c.is_ascii_alphanumeric()).to_owned();
    (!name.is_empty()).then_some(name)
}

/// Bytes for people.
fn size(bytes: u64) -> String {
    let mib = bytes as f64 / f64::from(1 << 20);
    match mib {
        m if m >= 1024.0 => format!("{:.1} GiB", m / 1024.0),
        m if m >= 10.0 => format!("{m:.0} MiB"),
        m => format!("{m:.1} MiB"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_gives_its_model_a_name_that_ollama_takes() {
        for (path, name) in [
            ("/m/SmolLM2-135M-Instruct.Q4_1.gguf", Some("smollm2-135m-instruct.q4_1")),
            ("my model (2).gguf", Some("my-model--2")),
            ("ü.gguf", None),
            ("/", None),
        ] {
            assert_eq!(named_after(Path::new(path)).as_deref(), name, "{path}");
        }
    }

    #[test]
    fn the_other_server_gets_the_settings_that_ollama_has() {
        let gguf = Gguf { architecture: "llama".into(), ..Gguf::default() };
        let mut loaded = EngineFacts { context: Some(1024), slots: Some(4), ..EngineFacts::default() };
        loaded.set("threads", "2", "environment");
        loaded.set("batch", "512", "command line");
        loaded.set("ubatch", "512", "default");
        loaded.set("cache_ram_mib", "0", "environment");
        let line = serve_line(Path::new("/m/a b.gguf"), "tiny", &gguf, &loaded);
        assert_eq!(
            line,
            "llama-server -m '/m/a b.gguf' -a tiny --host 127.0.0.1 --port 8080 -np 4 -c 4096 -t 2 -b 512 --cache-ram 0"
        );
        let embeds = Gguf { embeds: true, ..gguf };
        let line = serve_line(Path::new("m.gguf"), "tiny", &embeds, &EngineFacts::default());
        assert!(line.ends_with(" -np 1 --embedding"), "{line}");
    }
}
