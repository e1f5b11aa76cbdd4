//! The stand-in as a child process: started for a target that is found nowhere, ended with the run.
//!
//! A process of its own, so that it takes no turn of the generator's thread, and its cost is not the generator's.

use super::guard::Start;
use super::guarded::Guarded;
use crate::scenario::{Scenario, TargetSpec, Task};
use crate::workload::Item;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longest a stand-in may take to say where it listens.
const PATIENCE: Duration = Duration::from_secs(10);

/// The timing a stand-in declares in a run: something like a small model on a laptop, so that a first look at the tool
/// shows figures of a likely size. They are nobody's, and every table says so.
const TIMING: [&str; 12] = [
    "--first-token-ms",
    "15",
    "--decode-rate",
    "400",
    "--jitter",
    "lognormal",
    "--jitter-scale",
    "0.15",
    "--accuracy",
    "0.9",
    "--slots",
    "4",
];

/// A running stand-in; it ends when this is dropped.
pub(super) struct StandIn {
    /// The target whose place it takes.
    name: String,
    // Before the folder: nothing is removed under a process that runs.
    guarded: Guarded,
    /// Where it listens: its HTTP wires, and the same over TLS where that was asked for.
    urls: Vec<String>,
    socket: Option<PathBuf>,
    // Holds the socket and the labels.
    _files: tempfile::TempDir,
}

impl StandIn {
    /// Starts one for a target. The error is in words.
    pub(super) async fn start(
        name: &str,
        spec: &TargetSpec,
        scenario: &Scenario,
        items: &[Item],
        number: u64,
    ) -> Result<Self, String> {
        let words = |what: &str| format!("no stand-in for `{name}`: {what}");
        let files = tempfile::tempdir().map_err(|error| words(&error.to_string()))?;
        let mut args: Vec<String> = TIMING.map(str::to_owned).to_vec();
        args.extend(["--seed".to_owned(), scenario.seed.wrapping_add(number).to_string()]);
        let socket = matches!(spec, TargetSpec::GgCore(_)).then(|| local_socket(files.path()));
        if let Some(socket) = &socket {
            args.extend(["--socket".to_owned(), socket.display().to_string()]);
        }
        if scenario.task == Task::Classify {
            let path = files.path().join("labels.csv");
            write_labels(&path, items, &scenario.workload.labels).map_err(|error| words(&error.to_string()))?;
            args.extend(["--labels".to_owned(), path.display().to_string()]);
        }
        // In its environment, as the real server's; the scenario's need not be what ours holds.
        let token = if let TargetSpec::GgCore(gg_core) = spec { Some(gg_core.token.expose()) } else { None };
        Self::launch((name, token), args, files, socket).await.map_err(|why| words(&why))
    }

    /// Starts one that is told everything here: a null server for a calibration. It serves every wire it can.
    pub(super) async fn null(args: &[&str]) -> Result<Self, String> {
        let words = |what: &str| format!("no null server: {what}");
        let files = tempfile::tempdir().map_err(|error| words(&error.to_string()))?;
        let mut args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        args.extend(["--tls-listen", "127.0.0.1:0"].map(str::to_owned));
        let socket = local_socket(files.path());
        let http = http_socket(&socket).display().to_string();
        args.extend(["--socket".to_owned(), socket.display().to_string(), "--http-socket".to_owned(), http]);
        Self::launch(("null server", Some("")), args, files, Some(socket)).await.map_err(|why| words(&why))
    }

    /// Where a null server's HTTP wires answer on a local socket.
    pub(super) fn http_socket(&self) -> Option<PathBuf> {
        self.socket.as_deref().map(http_socket)
    }

    /// Runs `loadcmp serve` and waits for the line that says where it listens. A token that is none is taken away.
    async fn launch(
        (name, token): (&str, Option<&str>),
        args: Vec<String>,
        files: tempfile::TempDir,
        socket: Option<PathBuf>,
    ) -> Result<Self, String> {
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut words = vec![program.display().to_string()];
        // Without its guard it ends, too.
        words.extend(["serve", "--listen", "127.0.0.1:0", "--until-stdin-closes"].map(str::to_owned));
        words.extend(args);
        let tls = words.iter().any(|word| word == "--tls-listen");
        let listen_for: Vec<String> =
            ["http://", "https://"].map(str::to_owned).into_iter().take(1 + usize::from(tls)).collect();
        let (lines, remove) = (listen_for.clone(), Some(files.path().to_owned()));
        let secrets = token.into_iter().map(str::to_owned).collect();
        let start = Start { words, listen_for, holds_stdin: true, secrets, remove, ..Start::default() };
        let mut guarded = Guarded::start(start, |command| {
            match token {
                Some("") => command.env_remove("CORE_AUTH_TOKEN"),
                Some(token) => command.env("CORE_AUTH_TOKEN", token),
                None => command,
            };
        })?;
        let mut urls = Vec::new();
        for scheme in lines {
            let line = tokio::time::timeout(PATIENCE, guarded.line()).await;
            let line = line.unwrap_or_else(|_| Err("it did not report its address".to_owned()))?;
            urls.push(line.find(&scheme).and_then(|at| line.get(at..)).unwrap_or_default().trim().to_owned());
        }
        Ok(Self { name: name.to_owned(), guarded, urls, socket, _files: files })
    }

    /// What it writes belongs into a folder of results.
    pub(super) fn log_into(&mut self, dir: &Path) {
        self.guarded.log_to(&super::guarded::log_path(dir, &self.name, ""));
    }

    /// Tells it to end; it is waited for where this is dropped.
    pub(super) fn let_go(&mut self) {
        self.guarded.let_go();
    }

    /// Where its HTTP wires answer.
    pub(super) fn url(&self) -> &str {
        self.urls.first().map_or("", String::as_str)
    }

    /// The same over TLS; a null server has them.
    pub(super) fn tls_url(&self) -> Option<&str> {
        self.urls.get(1).map(String::as_str)
    }

    /// Its GG-CORE socket, where it has one.
    pub(super) fn socket(&self) -> Option<&Path> {
        self.socket.as_deref()
    }

    /// The target's settings, pointed at this stand-in.
    pub(super) fn spec(&self, spec: &TargetSpec) -> TargetSpec {
        let mut spec = spec.clone();
        match &mut spec {
            TargetSpec::Ollama(ollama) => {
                self.url().clone_into(&mut ollama.url);
                ollama.model = "auto".to_owned();
            }
            TargetSpec::OpenAi(openai) => {
                self.url().clone_into(&mut openai.url);
                openai.model = "auto".to_owned();
            }
            TargetSpec::GgCore(gg_core) => {
                if let Some(socket) = &self.socket {
                    gg_core.socket = socket.display().to_string();
                }
                gg_core.model = "auto".to_owned();
            }
            TargetSpec::Json(_) => {}
        }
        spec
    }
}

/// A local socket that nobody else has, by a folder that nobody else has: a file in it, or a pipe of its name.
fn local_socket(files: &Path) -> PathBuf {
    if cfg!(windows) {
        let name = files.file_name().unwrap_or_default().to_string_lossy();
        return PathBuf::from(format!(r"\\.\pipe\loadcmp-{}", name.trim_start_matches('.')));
    }
    files.join("own.sock")
}

/// The socket of HTTP next to that of GG-CORE's wire.
fn http_socket(socket: &Path) -> PathBuf {
    let mut path = socket.as_os_str().to_owned();
    path.push("-http");
    PathBuf::from(path)
}

/// The right label of each prompt, for a stand-in that is to know some of them.
fn write_labels(path: &Path, items: &[Item], labels: &[String]) -> std::io::Result<()> {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    writeln!(file, "text,label")?;
    for item in items {
        if let (Some(turn), Some(label)) = (item.turns.first(), item.label.and_then(|n| labels.get(n))) {
            writeln!(file, "\"{}\",\"{}\"", turn.user.replace('"', "\"\""), label.replace('"', "\"\""))?;
        }
    }
    file.flush()
}
