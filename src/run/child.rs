//! The stand-in as a child process: started for a target that is found nowhere, ended with the run.
//!
//! A process of its own, so that it takes no turn of the generator's thread, and its cost is not the generator's.

use crate::scenario::{Scenario, TargetSpec, Task};
use crate::workload::Item;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
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
    child: Child,
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
        let program = std::env::current_exe().map_err(|error| words(&error.to_string()))?;
        let mut command = Command::new(program);
        command.args(["serve", "--listen", "127.0.0.1:0", "--until-stdin-closes"]).args(TIMING);
        command.args(["--seed", &(scenario.seed.wrapping_add(number)).to_string()]);
        let socket = matches!(spec, TargetSpec::GgCore(_)).then(|| files.path().join("standin.sock"));
        if let Some(socket) = &socket {
            command.arg("--socket").arg(socket);
        }
        if scenario.task == Task::Classify {
            let path = files.path().join("labels.csv");
            write_labels(&path, items, &scenario.workload.labels).map_err(|error| words(&error.to_string()))?;
            command.arg("--labels").arg(path);
        }
        if let TargetSpec::GgCore(gg_core) = spec {
            // In its environment, as the real server's; the scenario's need not be what ours holds.
            command.env("CORE_AUTH_TOKEN", gg_core.token.expose());
        }
        Self::launch(command, files, socket).await.map_err(|why| words(&why))
    }

    /// Starts one that is told everything here: a null server for a calibration. It serves every wire it can.
    pub(super) async fn null(args: &[&str]) -> Result<Self, String> {
        let words = |what: &str| format!("no null server: {what}");
        let files = tempfile::tempdir().map_err(|error| words(&error.to_string()))?;
        let program = std::env::current_exe().map_err(|error| words(&error.to_string()))?;
        let mut command = Command::new(program);
        command.args(["serve", "--listen", "127.0.0.1:0", "--until-stdin-closes"]).args(args);
        command.args(["--tls-listen", "127.0.0.1:0"]).env_remove("CORE_AUTH_TOKEN");
        let socket = cfg!(unix).then(|| files.path().join("null.sock"));
        if let Some(socket) = &socket {
            command.arg("--socket").arg(socket).arg("--http-socket").arg(http_socket(socket));
        }
        Self::launch(command, files, socket).await.map_err(|why| words(&why))
    }

    /// Where a null server's HTTP wires answer on a Unix socket.
    pub(super) fn http_socket(&self) -> Option<PathBuf> {
        self.socket.as_deref().map(http_socket)
    }

    /// Runs the command and waits for the line that says where it listens: on a thread for what blocks, so that the runtime
    /// goes on, and with it whoever wants to end the run.
    async fn launch(command: Command, files: tempfile::TempDir, socket: Option<PathBuf>) -> Result<Self, String> {
        let launched = tokio::task::spawn_blocking(move || Self::launch_now(command, files, socket)).await;
        launched.unwrap_or_else(|error| Err(error.to_string()))
    }

    fn launch_now(mut command: Command, files: tempfile::TempDir, socket: Option<PathBuf>) -> Result<Self, String> {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        let mut child = child.map_err(|error| error.to_string())?;
        let tls = command.get_args().any(|arg| arg == "--tls-listen");
        let heard = listen(&mut child, 1 + usize::from(tls));
        match heard {
            Some(urls) => Ok(Self { child, urls, socket, _files: files }),
            None => {
                let _ = child.kill();
                let _ = child.wait();
                Err("it did not say where it listens".to_owned())
            }
        }
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
    pub(super) fn socket(&self) -> Option<&std::path::Path> {
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

impl Drop for StandIn {
    fn drop(&mut self) {
        // Its standard input closes with the child's handle, too: it would end by itself even if this were never run.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The socket of HTTP beside that of GG-CORE's wire.
fn http_socket(socket: &std::path::Path) -> PathBuf {
    socket.with_file_name("http.sock")
}

/// Waits for the lines that say where it listens, and keeps its standard error empty from then on.
fn listen(child: &mut Child, lines: usize) -> Option<Vec<String>> {
    let stderr = child.stderr.take()?;
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            if let Some(at) = line.find("http://").or_else(|| line.find("https://")) {
                let _ = tell.send(line[at..].trim().to_owned());
            }
        }
    });
    (0..lines).map(|_| told.recv_timeout(PATIENCE).ok()).collect()
}

/// The right label of each prompt, for a stand-in that is to know some of them.
fn write_labels(path: &std::path::Path, items: &[Item], labels: &[String]) -> std::io::Result<()> {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    writeln!(file, "text,label")?;
    for item in items {
        if let (Some(turn), Some(label)) = (item.turns.first(), item.label.and_then(|n| labels.get(n))) {
            writeln!(file, "\"{}\",\"{}\"", turn.user.replace('"', "\"\""), label.replace('"', "\"\""))?;
        }
    }
    file.flush()
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

    // One thread: a wait that blocked it would stop the clock, too.
    #[tokio::test(flavor = "current_thread")]
    async fn the_runtime_goes_on_while_a_stand_in_starts() {
        let ticks = AtomicU32::new(0);
        let mut command = Command::new("sh");
        // It says where it listens when the clock has ticked, or gives up.
        let folder = tempfile::tempdir().unwrap();
        let ticked = folder.path().join("ticked");
        let script = "while ! [ -e \"$0\" ]; do sleep 0.02; done; echo at http://here >&2; sleep 30";
        command.args(["-c", script]).arg(&ticked);
        let clock = async {
            loop {
                tokio::time::sleep(Duration::from_millis(10)).await;
                if ticks.fetch_add(1, Relaxed) == 5 {
                    std::fs::write(&ticked, "").unwrap();
                }
            }
        };
        let launched = tokio::select! {
            launched = StandIn::launch(command, tempfile::tempdir().unwrap(), None) => launched,
            () = clock => unreachable!(),
        };
        assert_eq!(launched.map(|one| one.url().to_owned()), Ok("http://here".to_owned()));
        assert!(ticks.load(Relaxed) > 5);
    }
}
