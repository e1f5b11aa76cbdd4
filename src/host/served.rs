//! What the processes at an endpoint were started with: the options of the model's own process, and some variables of its
//! and its server's environment.
//!
//! An environment holds secrets. Only names of a fixed list are looked at, and GG-CORE's by their beginning where nothing in
//! them sounds of one and the value is a number, a switch, a length of time or a size; nothing else of it is kept, and no value
//! that isn't a number or a word.

use super::argv::{FLAGS, ModelServer, Program, is_plain};
use super::models::{Model, Serves};
use super::processes::{Place, listeners, named, snapshot, text, words};
use super::tree::{Snapshot, Tree};
use crate::scenario::ProcessSpec;
use crate::scenario::plan::{Endpoint, EngineSetting};
use std::path::{Path, PathBuf};

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Served {
    /// The program that serves the model (`llama-server`, `ollama runner`); `None` where it isn't one that is known.
    pub program: Option<&'static str>,
    /// Its settings: from its command line, its environment, or its defaults; and those in its server's environment.
    pub settings: Vec<EngineSetting>,
    /// The file that holds the model's weights.
    pub file: Option<WeightsFile>,
}

/// A file of weights, where this process may look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightsFile {
    /// Its path as this process reaches it.
    pub path: PathBuf,
    /// Its size, in bytes.
    pub bytes: u64,
}

/// Whose environment it is: which variables of it are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment {
    /// Ollama's.
    Ollama,
    /// GG-CORE's.
    GgCore,
    /// Another's: none.
    Other,
}

/// Ollama's variables that change what is measured, and that hold no secret and no path.
const OLLAMA: [&str; 20] = [
    "OLLAMA_CONTEXT_LENGTH",
    "OLLAMA_DEBUG",
    "OLLAMA_FLASH_ATTENTION",
    "OLLAMA_GO_TEMPLATE",
    "OLLAMA_GPU_OVERHEAD",
    "OLLAMA_IGPU_ENABLE",
    "OLLAMA_KEEP_ALIVE",
    "OLLAMA_KV_CACHE_TYPE",
    "OLLAMA_LLM_LIBRARY",
    "OLLAMA_LOAD_TIMEOUT",
    "OLLAMA_MAX_LOADED_MODELS",
    "OLLAMA_MAX_QUEUE",
    "OLLAMA_MULTIUSER_CACHE",
    "OLLAMA_NEW_ENGINE",
    "OLLAMA_NO_CLOUD",
    "OLLAMA_NOPRUNE",
    "OLLAMA_NUM_GPU",
    "OLLAMA_NUM_PARALLEL",
    "OLLAMA_SCHED_SPREAD",
    "OLLAMA_VULKAN",
];

/// Parts of names of variables that may hold a secret.
const SECRET: [&str; 15] = [
    "TOKEN", "KEY", "SECRET", "PASS", "AUTH", "CRED", "CERT", "SALT", "BEARER", "PIN", "PSK", "HMAC", "LICENSE",
    "SIGN", "SESSION",
];

impl Environment {
    fn keeps(self, name: &str, value: &str) -> bool {
        // A number of tokens is no token.
        let upper = name.to_ascii_uppercase();
        let counts = upper.ends_with("_TOKENS") && value.parse::<u32>().is_ok();
        let sounds = |name: &str| SECRET.iter().any(|part| name.contains(part));
        match self {
            Environment::Ollama => OLLAMA.contains(&name),
            Environment::GgCore => {
                let sounding = if counts { upper.trim_end_matches("_TOKENS") } else { upper.as_str() };
                upper.starts_with("GG_CORE_") && !sounds(sounding) && is_measure(value)
            }
            Environment::Other => false,
        }
    }
}

/// Whether a value is a switch, a number, a length of time or a size: a word might be anything.
fn is_measure(value: &str) -> bool {
    const SWITCHES: [&str; 7] = ["true", "false", "on", "off", "yes", "no", "auto"];
    const UNITS: [&str; 18] =
        ["", "ms", "s", "m", "min", "h", "d", "b", "k", "kb", "kib", "mb", "mi", "mib", "g", "gb", "gi", "gib"];
    let lower = value.to_ascii_lowercase();
    let unit = lower.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-'));
    let number = &lower[..lower.len() - unit.len()];
    SWITCHES.contains(&lower.as_str()) || (number.parse::<f64>().is_ok() && UNITS.contains(&unit))
}

/// Looks at the processes that listen at an endpoint, or that the scenario names, and what they started. `files` are paths
/// at which the engine says the weights are. `None` if its processes aren't seen.
///
/// It looks through every open file that it may see: not while anything is measured.
pub fn served(
    endpoint: &Endpoint,
    process: Option<&ProcessSpec>,
    model: &Model,
    environment: Environment,
    files: &[String],
) -> Option<Served> {
    let roots = match process {
        Some(ProcessSpec::Pid(pid)) => vec![*pid],
        Some(ProcessSpec::Name(name)) => named(name),
        None => match listeners(endpoint) {
            Place::Here(pids) => pids,
            Place::Hidden | Place::Elsewhere => return None,
        },
    };
    let now = snapshot()?;
    let certain = match process {
        Some(ProcessSpec::Name(_)) => which(&roots, endpoint, &now),
        _ => roots.clone(),
    };
    let tops = if certain.is_empty() { &roots } else { &certain };
    let family: Vec<u32> = Tree::new(std::process::id()).family(tops, &now).into_iter().map(|(pid, _)| pid).collect();
    if family.is_empty() {
        return None;
    }
    let servers: Vec<(u32, ModelServer)> =
        family.iter().filter_map(|pid| Some((*pid, ModelServer::read(&words(*pid))?))).collect();
    let mut found = Served::default();
    for pid in &certain {
        let kept = variables(*pid, |name, value| environment.keeps(name, value));
        found.settings.extend(kept.into_iter().map(|(name, value)| setting(&name, value, "environment")));
    }
    found.settings.sort_by(|a, b| a.name.cmp(&b.name));
    found.settings.dedup_by(|a, b| a.name == b.name);
    if let Some((pid, server)) = own(&servers, model, &certain) {
        found.program = Some(server.program.as_str());
        found
            .settings
            .extend(options(server, |name| variables(*pid, |known, _| known == name).pop().map(|(_, value)| value)));
        found.file = server.model.as_deref().and_then(|path| file(*pid, path));
    }
    let told = || tops.iter().flat_map(|pid| files.iter().map(|path| (*pid, path)));
    found.file = found.file.or_else(|| told().find_map(|(pid, path)| file(pid, path)));
    Some(found)
}

/// Of the processes that go by a name, those that are the target's for certain: the ones that listen where it answers, else
/// the only one that none of the others started.
fn which(named: &[u32], endpoint: &Endpoint, now: &Snapshot) -> Vec<u32> {
    if let Place::Here(mut pids) = listeners(endpoint) {
        pids.retain(|pid| named.contains(pid));
        if !pids.is_empty() {
            return pids;
        }
    }
    let started = |pid: u32, by: u32| {
        let mut family = Tree::new(std::process::id()).family(&[by], now).into_iter();
        family.any(|(kin, _)| kin == pid)
    };
    let mut tops = named.to_vec();
    tops.retain(|pid| !named.iter().any(|other| other != pid && started(*pid, *other)));
    if tops.len() == 1 { tops } else { Vec::new() }
}

/// The process of the model's own: the one that says so, else the only one that doesn't say it is another's. `certain` are
/// known to be the target's; where none is, two that say so may be two servers', and neither is taken.
fn own<'a>(servers: &'a [(u32, ModelServer)], model: &Model, certain: &[u32]) -> Option<&'a (u32, ModelServer)> {
    // A server that was found where the target answers serves it, whatever its model is called.
    let serves = |(pid, server): &&(u32, ModelServer)| match server.model.is_some() {
        true if certain.contains(pid) => Serves::This,
        true => model.served_by(server),
        false => Serves::Another,
    };
    let are = |wanted: Serves| servers.iter().filter(move |entry| serves(entry) == wanted);
    let only = |wanted: Serves| {
        let mut all = are(wanted);
        all.next().filter(|_| all.next().is_none())
    };
    let this = if certain.is_empty() { only(Serves::This) } else { are(Serves::This).next() };
    this.or_else(|| only(Serves::Unclear).filter(|_| are(Serves::This).next().is_none()))
}

/// The options of a model's server: those that stand in its command line, else in its environment, else its defaults.
fn options(server: &ModelServer, variable: impl Fn(&str) -> Option<String>) -> Vec<EngineSetting> {
    let told = FLAGS.iter().filter_map(|flag| {
        if let Some((_, value)) = server.given.iter().find(|(name, _)| *name == flag.name) {
            return Some(setting(flag.name, value.clone(), "command line"));
        }
        // The older runner has no such variables and defaults.
        if server.program != Program::LlamaServer {
            return None;
        }
        let told = flag.variable.and_then(&variable).map(|value| setting(flag.name, value, "environment"));
        told.or_else(|| Some(setting(flag.name, flag.default?.to_owned(), "default")))
    });
    told.collect()
}

fn setting(name: &str, value: String, by: &str) -> EngineSetting {
    EngineSetting { name: name.to_owned(), value, by: by.to_owned() }
}

/// The variables of a process's environment that are wanted, if they hold a number or a word.
fn variables(pid: u32, wanted: impl Fn(&str, &str) -> bool) -> Vec<(String, String)> {
    let all = text(&format!("/proc/{pid}/environ")).unwrap_or_default();
    let pairs = all.split('\0').filter_map(|pair| pair.split_once('='));
    let kept = pairs.filter(|(name, value)| is_plain(value) && wanted(name, value));
    kept.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// A file as a process sees it: in its own folder, and in its own file system where it has one (a container).
fn file(pid: u32, path: &str) -> Option<WeightsFile> {
    let look = |path: PathBuf| {
        let bytes = std::fs::metadata(&path).ok().filter(|file| file.is_file())?.len();
        Some(WeightsFile { path, bytes })
    };
    let path = Path::new(path);
    let whole = match path.is_absolute() {
        true => path.to_owned(),
        false => std::fs::read_link(format!("/proc/{pid}/cwd")).ok()?.join(path),
    };
    look(Path::new(&format!("/proc/{pid}/root")).join(whole.strip_prefix("/").ok()?)).or_else(|| look(whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(line: &str) -> ModelServer {
        ModelServer::read(&line.split(' ').map(str::to_owned).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn what_does_not_stand_there_is_the_environments_or_the_default() {
        let told = options(&server("llama-server -m x -np 2 -cram 0"), |name| {
            (name == "LLAMA_ARG_THREADS" || name == "LLAMA_ARG_CACHE_RAM").then(|| "7".to_owned())
        });
        let of = |name: &str| told.iter().find(|s| s.name == name).map(|s| (s.value.as_str(), s.by.as_str()));
        assert_eq!(of("slots"), Some(("2", "command line")));
        assert_eq!((of("threads"), of("cache_ram_mib")), (Some(("7", "environment")), Some(("0", "command line"))));
        assert_eq!((of("batch"), of("context_total")), (Some(("2048", "default")), None));
        let older = options(&server("ollama runner --model x --threads 2"), |_| Some("7".to_owned()));
        assert_eq!(older, [setting("threads", "2".to_owned(), "command line")]);
    }

    #[test]
    fn names_that_may_hold_a_secret_are_not_looked_at() {
        for name in [
            "GG_CORE_AUTH_TOKEN",
            "GG_CORE_API_KEY",
            "gg_core_api_key",
            "GG_CORE_PASSWORD",
            "GG_CORE_HMAC",
            "GG_CORE_PIN",
            "CORE_AUTH_TOKEN",
            "HOME",
        ] {
            assert!(!Environment::GgCore.keeps(name, "5"), "{name}");
        }
        for value in ["5", "0.5", "-1", "true", "OFF", "250ms", "8GiB"] {
            assert!(Environment::GgCore.keeps("GG_CORE_X", value), "{value}");
        }
        for value in ["hush", "5hush", "1.2.3", "sk-4711", "deadbeef"] {
            assert!(!Environment::GgCore.keeps("GG_CORE_X", value), "{value}");
        }
        assert!(Environment::GgCore.keeps("GG_CORE_MAX_QUEUE_DEPTH", "256"));
        assert!(Environment::GgCore.keeps("GG_CORE_MAX_CONTEXT_TOKENS", "4096"));
        assert!(!Environment::GgCore.keeps("GG_CORE_TOKENS", "hush"));
        assert!(!Environment::GgCore.keeps("GG_CORE_AUTH_TOKENS", "5"));
        assert!(
            Environment::Ollama.keeps("OLLAMA_NUM_PARALLEL", "1") && !Environment::Ollama.keeps("OLLAMA_API_KEY", "1")
        );
        assert!(!Environment::Other.keeps("OLLAMA_NUM_PARALLEL", "1"));
    }

    #[test]
    fn a_server_where_the_target_answers_is_its_own_and_of_children_the_models() {
        let hex = ["a".repeat(64), "b".repeat(64)];
        let child = |n: usize| server(&format!("llama-server --model /m/blobs/sha256-{}", hex[n]));
        let both = [(7, child(0)), (8, child(1))];
        let model = |blobs: &[&String]| Model { name: "x".into(), blobs: blobs.iter().map(|b| (*b).clone()).collect() };
        let pid = |servers: &[(u32, ModelServer)], model: &Model, certain: &[u32]| {
            own(servers, model, certain).map(|(pid, _)| *pid)
        };
        assert_eq!(pid(&both, &model(&[&hex[1]]), &[5]), Some(8));
        assert_eq!(pid(&both, &model(&[]), &[5]), None, "nobody says which");
        assert_eq!(pid(&both[..1], &model(&[]), &[5]), Some(7));
        assert_eq!(pid(&both[..1], &model(&[&hex[1]]), &[5]), None, "its own isn't loaded");
        assert_eq!(pid(&both, &model(&[&hex[0]]), &[8]), Some(7));
        assert_eq!(pid(&[(8, server("llama-server -m y.gguf -a other"))], &model(&[]), &[8]), Some(8));
        // Two servers of one name, and nobody knows which of them answers: the model may say it.
        let twins = ["other", "x", "x"].map(|alias| server(&format!("llama-server -m y.gguf -a {alias}")));
        let twins: Vec<(u32, ModelServer)> = (7..).zip(twins).collect();
        assert_eq!(pid(&twins[..2], &model(&[]), &[]), Some(8));
        assert_eq!(pid(&twins, &model(&[]), &[]), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_file_is_seen_as_its_process_sees_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.gguf");
        std::fs::write(&path, [0; 1234]).unwrap();
        let mut child = std::process::Command::new("sleep").arg("60").current_dir(folder.path()).spawn().unwrap();
        let told = ["x.gguf", path.to_str().unwrap(), "/nowhere/x.gguf", "."]
            .map(|path| file(child.id(), path).map(|file| file.bytes));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(told, [Some(1234), Some(1234), None, None]);
    }
}
