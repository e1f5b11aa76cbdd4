//! What the command line of a model's own process says: llama-server, which Ollama from 0.30 on starts for each model, and
//! the `ollama runner` of versions before.
//!
//! Only options of a fixed list are read, and only values that are a number or a word: a command line may hold a key.

use std::path::Path;

/// Which program serves the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Program {
    LlamaServer,
    OllamaRunner,
}

impl Program {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Program::LlamaServer => "llama-server",
            Program::OllamaRunner => "ollama runner",
        }
    }
}

/// An option that changes what is measured.
pub(super) struct Flag {
    /// Its name in reports, the same for every program.
    pub(super) name: &'static str,
    flags: &'static [&'static str],
    /// The environment variable that llama-server takes in its stead.
    pub(super) variable: Option<&'static str>,
    /// Its value where it stands without one; `None` where it must have one.
    bare: Option<&'static str>,
    /// llama-server's default where that is one value.
    pub(super) default: Option<&'static str>,
}

const fn flag(
    name: &'static str,
    flags: &'static [&'static str],
    variable: Option<&'static str>,
    bare: Option<&'static str>,
    default: Option<&'static str>,
) -> Flag {
    Flag { name, flags, variable, bare, default }
}

/// Every option that is read.
pub(super) const FLAGS: [Flag; 15] = [
    flag("context_total", &["-c", "--ctx-size"], Some("LLAMA_ARG_CTX_SIZE"), None, None),
    flag("slots", &["-np", "--parallel"], Some("LLAMA_ARG_N_PARALLEL"), None, None),
    flag("threads", &["-t", "--threads"], Some("LLAMA_ARG_THREADS"), None, Some("default")),
    flag("threads_batch", &["-tb", "--threads-batch"], None, None, None),
    flag("batch", &["-b", "--batch-size"], Some("LLAMA_ARG_BATCH"), None, Some("2048")),
    flag("ubatch", &["-ub", "--ubatch-size"], Some("LLAMA_ARG_UBATCH"), None, Some("512")),
    flag("flash_attention", &["-fa", "--flash-attn"], Some("LLAMA_ARG_FLASH_ATTN"), Some("on"), Some("auto")),
    flag("kv_cache_k", &["-ctk", "--cache-type-k"], Some("LLAMA_ARG_CACHE_TYPE_K"), None, Some("f16")),
    flag("kv_cache_v", &["-ctv", "--cache-type-v"], Some("LLAMA_ARG_CACHE_TYPE_V"), None, Some("f16")),
    flag("kv_cache", &["--kv-cache-type"], None, None, None),
    flag("cache_ram_mib", &["-cram", "--cache-ram"], Some("LLAMA_ARG_CACHE_RAM"), None, Some("8192")),
    flag("gpu_layers", &["-ngl", "--gpu-layers", "--n-gpu-layers"], Some("LLAMA_ARG_N_GPU_LAYERS"), None, None),
    flag("load_mode", &["--load-mode"], None, None, None),
    flag("speculative", &["--spec-type"], Some("LLAMA_ARG_SPEC_TYPE"), None, None),
    flag("no_mmap", &["--no-mmap"], Some("LLAMA_ARG_NO_MMAP"), Some("yes"), None),
];

/// A process that serves a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ModelServer {
    pub(super) program: Program,
    /// The model's file, as it is written.
    pub(super) model: Option<String>,
    /// Names it goes by (`--alias`).
    pub(super) aliases: Vec<String>,
    /// The options of [`FLAGS`] that stand there, by their names; the last of a name counts.
    pub(super) given: Vec<(&'static str, String)>,
}

/// Words before the program's own: an interpreter, a shell with its script.
const WORDS_BEFORE: usize = 5;

impl ModelServer {
    /// Reads a command line; `None` if it is no such program's.
    pub(super) fn read(words: &[String]) -> Option<Self> {
        let (program, at) = (0..words.len().min(WORDS_BEFORE)).find_map(|at| {
            let name = Path::new(&words[at]).file_name()?.to_str()?;
            match name.strip_suffix(".exe").or(name.strip_suffix(".py")).unwrap_or(name) {
                "llama-server" => Some((Program::LlamaServer, at)),
                "ollama_llama_server" => Some((Program::OllamaRunner, at)),
                "ollama" if words.get(at + 1).is_some_and(|word| word == "runner") => {
                    Some((Program::OllamaRunner, at + 1))
                }
                _ => None,
            }
        })?;
        let mut server = Self { program, model: None, aliases: Vec::new(), given: Vec::new() };
        let mut rest = words[at + 1..].iter().map(String::as_str).peekable();
        while let Some(word) = rest.next() {
            let (name, written) = match word.split_once('=') {
                Some((name, value)) if name.starts_with("--") => (name, Some(value)),
                _ => (word, None),
            };
            let mut value = || written.or_else(|| rest.next_if(|next| !is_flag(next)));
            match name {
                "-m" | "--model" => server.model = value().map(str::to_owned).or(server.model),
                // A model that guesses ahead: that there is one is all that is kept of its path.
                "-md" | "--model-draft" | "--spec-draft-model" => {
                    value();
                    if !server.given.iter().any(|(known, _)| *known == "speculative") {
                        server.given.push(("speculative", "draft-model".to_owned()));
                    }
                }
                "-a" | "--alias" => {
                    let names = value().unwrap_or_default().split(',').map(str::trim).filter(|name| !name.is_empty());
                    server.aliases.extend(names.map(str::to_owned));
                }
                _ => {
                    let Some(flag) = FLAGS.iter().find(|flag| flag.flags.contains(&name)) else { continue };
                    if let Some(value) = value().or(flag.bare).filter(|value| is_plain(value)) {
                        server.given.retain(|(known, _)| *known != flag.name);
                        server.given.push((flag.name, value.to_owned()));
                    }
                }
            }
        }
        Some(server)
    }

    /// The digest that the model's file goes by, if it is one of Ollama's blobs: 64 hex digits.
    pub(super) fn blob(&self) -> Option<&str> {
        blob(self.model.as_deref()?)
    }
}

/// The digest in a path of Ollama's store: `…/blobs/sha256-<hex>`.
pub(super) fn blob(path: &str) -> Option<&str> {
    let (_, digest) = path.rsplit_once("sha256-").or_else(|| path.rsplit_once("sha256:"))?;
    (digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(digest)
}

/// Whether a word is the next option and not this one's value: `-1` is a value.
fn is_flag(word: &str) -> bool {
    word.starts_with('-') && word.parse::<f64>().is_err()
}

/// Whether a value is a number or a word of a few letters, as those of the options that are read are.
pub(super) fn is_plain(value: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-+,:/".contains(&byte);
    !value.is_empty() && value.len() <= 64 && value.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Option<ModelServer> {
        ModelServer::read(&line.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    fn given(server: &ModelServer, name: &str) -> Option<String> {
        server.given.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
    }

    const HEX: &str = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53";

    #[test]
    fn the_child_of_a_real_ollama_0_34_1() {
        let line = format!(
            "/venv/bin/python /o/lib/ollama/llama-server --model /m/blobs/sha256-{HEX} --port 43813 --host 127.0.0.1 \
             --no-webui --offline -c 4096 -np 2 --log-verbosity 4 --no-log-prefix --no-jinja --chat-template chatml \
             --load-mode none --flash-attn auto -b 512 -ub 512 --context-shift --keep 4"
        );
        let server = read(&line).unwrap();
        assert_eq!((server.program, server.blob()), (Program::LlamaServer, Some(HEX)));
        for (name, value) in [
            ("context_total", "4096"),
            ("slots", "2"),
            ("flash_attention", "auto"),
            ("batch", "512"),
            ("ubatch", "512"),
            ("load_mode", "none"),
        ] {
            assert_eq!(given(&server, name).as_deref(), Some(value), "{name}");
        }
        assert_eq!((given(&server, "threads"), given(&server, "cache_ram_mib")), (None, None));
    }

    #[test]
    fn what_guesses_ahead_is_told_by_its_kind_or_by_a_second_model() {
        for (line, told) in [
            ("llama-server -m a.gguf --spec-type draft-mtp --spec-draft-model /m/secret.gguf", Some("draft-mtp")),
            ("llama-server --spec-draft-model /m/secret.gguf --spec-type draft-simple -m a.gguf", Some("draft-simple")),
            ("llama-server -m a.gguf -md /m/secret.gguf --spec-draft-n-max 4", Some("draft-model")),
            ("llama-server -m a.gguf", None),
        ] {
            let server = read(line).unwrap();
            assert_eq!(
                (given(&server, "speculative").as_deref(), server.model.as_deref()),
                (told, Some("a.gguf")),
                "{line}"
            );
        }
    }

    #[test]
    fn the_runner_of_a_real_ollama_0_11_4() {
        let line = format!(
            "/o/bin/ollama runner --model /m/blobs/sha256-{HEX} --ctx-size 16384 --batch-size 512 --threads 2 --no-mmap \
             --parallel 4 --flash-attn --kv-cache-type q8_0 --port 33401"
        );
        let server = read(&line).unwrap();
        assert_eq!((server.program, server.blob()), (Program::OllamaRunner, Some(HEX)));
        let told = ["context_total", "slots", "threads", "no_mmap", "flash_attention", "kv_cache"];
        let told = told.map(|name| given(&server, name).unwrap_or_default());
        assert_eq!(told, ["16384", "4", "2", "yes", "on", "q8_0"]);
        assert_eq!(read("/o/bin/ollama serve"), None, "the server itself serves no model");
    }

    #[test]
    fn options_as_people_write_them() {
        let server =
            read("nice llama-server -m ./x.gguf -a smol,other --ctx-size=4096 -t -1 -fa -cram 0 -c 512 -ctk q8_0")
                .unwrap();
        assert_eq!((server.model.as_deref(), server.blob()), (Some("./x.gguf"), None));
        assert_eq!(server.aliases, ["smol", "other"]);
        let told = ["context_total", "threads", "flash_attention", "cache_ram_mib", "kv_cache_k"];
        let told = told.map(|name| given(&server, name).unwrap_or_default());
        assert_eq!(told, ["512", "-1", "on", "0", "q8_0"], "the last of a name counts");
    }

    #[test]
    fn what_is_no_number_and_no_word_is_not_kept_and_other_programs_are_none() {
        let server = read("llama-server -m x --api-key hush -t").unwrap();
        assert_eq!(server.given, []);
        let words = ["llama-server", "-t", "a b; rm", "-b", ""].map(str::to_owned);
        assert_eq!(ModelServer::read(&words).unwrap().given, []);
        for line in ["", "python -m vllm.entrypoints -t 3", "a b c d e llama-server -m x", "sh", "ollama"] {
            assert_eq!(read(line), None, "{line}");
        }
    }
}
