//! Real weights (`scripts/models.sh`) on the engines of `make demo`: llama.cpp's server and an Ollama, with the same slots,
//! context, batch and threads. What is held is that the two are alike, and that loadcmp sees it; nothing is about speed.

use super::*;

/// An engine of the demo: where it is told to be, and where it is otherwise.
const OLLAMA: (&str, &str) = ("LOADCMP_REAL_DEMO_OLLAMA", "http://127.0.0.1:21440");
const LLAMA: (&str, &str) = ("LOADCMP_REAL_DEMO_LLAMA", "http://127.0.0.1:21441");
const EMBED: (&str, &str) = ("LOADCMP_REAL_DEMO_EMBED", "http://127.0.0.1:21442");

pub(super) fn address((variable, usual): (&str, &str)) -> String {
    std::env::var(variable).unwrap_or_else(|_| usual.to_owned())
}

/// The folder that the engines are installed in.
pub(super) fn cache() -> PathBuf {
    std::env::var("LOADCMP_ENGINES")
        .map_or_else(|_| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/engines"), PathBuf::from)
}

/// The models' files.
pub(super) fn weights(model: &str) -> PathBuf {
    cache().join("models").join(format!("{model}.gguf"))
}

/// Puts a model into the Ollama, by `loadcmp demo install`; what was printed.
fn install(model: &str) -> String {
    install_at(&address(OLLAMA), model)
}

fn install_at(ollama: &str, model: &str) -> String {
    let output = loadcmp()
        .args(["demo", "install", "--replace", "--ollama", ollama, "--name", model])
        .arg(weights(model))
        .output()
        .expect("the program");
    let (out, err) = text(&output);
    assert!(output.status.success(), "`make engines` installs and starts what this test needs: {err}");
    out
}

/// A run of a shipped scenario on both, and its folder.
struct Compared {
    dir: tempfile::TempDir,
    out: String,
}

impl Compared {
    fn new(scenario: &str, model: &str, native: (&str, &str), settings: &[&str]) -> Self {
        Self::with(scenario, model, native, &address(OLLAMA), settings)
    }

    fn with(scenario: &str, model: &str, native: (&str, &str), ollama: &str, settings: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let mut command = loadcmp();
        command.args(["run", scenario, "--real", "--quiet", "--set", &format!("seed={}", &fresh_seed()[..6])]);
        command.arg("--out").arg(dir.path().join("out"));
        for (name, wire, at) in [("native", "openai", address(native).as_str()), ("ollama", "ollama", ollama)] {
            command.args(["--target", &format!("{name}={wire}:{at},model={model}")]);
        }
        for setting in settings {
            command.args(["--set", setting]);
        }
        let output = command.output().expect("a run");
        let (out, err) = text(&output);
        assert_eq!(output.status.code(), Some(0), "{err}");
        Self { dir, out }
    }

    fn table(&self, name: &str) -> Vec<Row> {
        rows(&self.dir.path().join("out").join(name))
    }

    fn metric(&self, target: &str, metric: &str) -> Option<Row> {
        self.table("summary.csv").into_iter().find(|row| row["target"] == target && row["metric"] == metric)
    }

    fn mean(&self, target: &str, metric: &str) -> f64 {
        let row = self.metric(target, metric);
        row.and_then(|row| number(&row, "mean")).unwrap_or_else(|| panic!("{target}: no {metric}: {}", self.out))
    }

    /// Findings that are more than notes, and not of the machine or listed.
    fn unexpected(&self, listed: &[&str]) -> Vec<String> {
        let table = self.table("findings.csv");
        let all = table.iter().filter(|row| row["severity"] != "note");
        let all = all.filter(|row| {
            let id = row["id"].as_str();
            !super::believed::OF_THE_MACHINE.contains(&id) && !listed.contains(&id)
        });
        all.map(|row| format!("{}: {}", row["id"], row["sentence"])).collect()
    }

    fn findings(&self) -> Vec<String> {
        self.table("findings.csv").iter().map(|row| row["id"].clone()).collect()
    }

    /// The rows of both that were asked the same, native's first.
    fn pairs(&self) -> Vec<[Row; 2]> {
        let samples = self.table("samples.csv");
        let of = |target: &str| -> BTreeMap<(String, String), Row> {
            let mine = samples.iter().filter(|row| row["target"] == target && row["outcome"] == "ok");
            mine.map(|row| ((row["phase"].clone(), row["index"].clone()), row.clone())).collect()
        };
        let mut others = of("ollama");
        let pairs = of("native").into_iter().filter_map(|(key, row)| Some([row, others.remove(&key)?]));
        let pairs: Vec<[Row; 2]> = pairs.collect();
        assert!(pairs.iter().all(|[a, b]| a["request_hash"] == b["request_hash"]));
        pairs
    }
}

const ONE_USER: &str = "load.closed.users=1";

#[test]
#[ignore = "needs the real engines: make engines"]
fn a_real_file_is_installed_and_both_render_the_same_prompt() {
    let told = install("smollm2");
    assert!(
        told.starts_with("smollm2 is in Ollama 0.34.1 at ") && told.contains("llama, Q4_1, 94 MiB, 134.5 M"),
        "{told}"
    );
    // What the Ollama's own child has, the printed line has.
    assert!(told.contains(" -np 4 -c 4096 ") && told.contains("--cache-ram 0"), "{told}");
    assert!(told.contains("You are a helpful AI assistant named SmolLM"), "{told}");
    let told = install("minilm");
    assert!(told.contains("bert, F32, 87 MiB, 22.6 M") && told.contains(" --embedding"), "{told}");
}

#[test]
#[ignore = "needs the real engines: make engines"]
fn greedy_texts_prompts_and_memory_of_the_same_weights_are_alike() {
    install("smollm2");
    let settings = [
        ONE_USER,
        "load.closed.duration=null",
        "load.closed.requests=16",
        "workload.sampling.max_tokens=16",
        "workload.logprobs=true",
    ];
    let run = Compared::new("generate", "smollm2", LLAMA, &settings);
    let pairs = run.pairs();
    assert!(pairs.len() >= 16, "{}", pairs.len());
    let same = pairs.iter().filter(|[a, b]| a["text_hash"] == b["text_hash"]).count();
    // 80 of 120 and more at 24 tokens, and prompts are new in each run; of two engines that aren't alike, none.
    assert!(same * 4 >= pairs.len(), "{same} of {} texts are the same", pairs.len());
    let mut weighed = 0;
    for [a, b] in &pairs {
        assert_eq!(a["prompt_tokens"], b["prompt_tokens"], "{a:?}\n{b:?}");
        assert!(number(a, "prompt_tokens").is_some_and(|tokens| tokens > 40.0), "{a:?}");
        // Two tokens that are one character come in one piece, and one of them without its probability: then that of the answer
        // isn't known.
        let [Some(x), Some(y)] = [a, b].map(|row| number(row, "answer_logprob")) else {
            assert!([a, b].iter().any(|row| number(row, "chunks") < number(row, "output_tokens")), "{a:?}\n{b:?}");
            continue;
        };
        weighed += 1;
        // The same weights are as sure of the same text; a prompt that comes from a cache in part is reckoned in other batches.
        assert!(x < 0.0 && y < 0.0 && ((x - y).abs() < 0.1 || a["text_hash"] != b["text_hash"]), "{a:?}\n{b:?}");
    }
    assert!(weighed * 4 >= pairs.len() * 3, "{weighed} of {} answers have a log-probability", pairs.len());
    times_agree(&run.table("samples.csv"));
    let found = run.findings();
    assert!(
        !found.iter().any(|id| ["templates-differ", "unequal-prompts", "unequal-quantisation"].contains(&&**id)),
        "{found:?}"
    );
    // Weights, and what a server needs beside them. llama-server tells no shape of its model: the file has it.
    let file = std::fs::metadata(weights("smollm2")).expect("the file").len() as f64;
    for target in ["native", "ollama"] {
        let context = run.mean(target, "memory_context");
        let ratio = (run.mean(target, "memory_peak") - context) / file;
        assert!((1.0..3.0).contains(&ratio), "{target}: {ratio} times its file");
    }
}

#[test]
#[ignore = "needs the real engines: make engines"]
fn labels_held_by_a_schema_are_alike_on_both() {
    install("smollm2");
    // The form is shown, as in `make demo`: else each writes the JSON as its own grammar likes.
    let form = "workload.instruction=Answer with one of these labels: {labels}. Write it as JSON: {\"label\": \"one of them\"}\n\n\
                Text: {text}";
    let settings = [ONE_USER, "load.closed.duration=null", "load.closed.requests=16", form];
    let run = Compared::new("classify", "smollm2", LLAMA, &settings);
    assert_eq!([run.mean("native", "unparsed_rate"), run.mean("ollama", "unparsed_rate")], [0.0, 0.0]);
    let agreement = run.mean("native", "agreement");
    assert!(agreement >= 0.7, "{agreement}");
    let [a, b] = ["native", "ollama"].map(|target| run.mean(target, "accuracy"));
    assert!((a - b).abs() <= 0.3, "{a} against {b}");
    assert!(
        !run.findings().iter().any(|id| id == "schema-not-kept" || id == "templates-differ"),
        "{:?}",
        run.findings()
    );
}

#[test]
#[ignore = "needs the real engines: make engines"]
fn vectors_are_the_same_and_a_verdict_is_reached() {
    install("minilm");
    let settings = [
        "order=alternate",
        "load.closed.warmup=1s",
        "load.closed.duration=null",
        "load.closed.requests=240",
        "smallest_effect=50%",
    ];
    let run = Compared::new("embed", "minilm", EMBED, &settings);
    let lowest = run.metric("native", "cosine").and_then(|row| number(&row, "min")).expect("a cosine");
    assert!(lowest >= 0.99, "{lowest}");
    let compared = run.table("comparison.csv");
    let main = compared.iter().find(|row| row["metric"] == "latency.mean").expect("the main metric");
    assert!(["equal", "better", "worse"].contains(&&*main["verdict"]), "{main:?}");
    times_agree(&run.table("samples.csv"));
}

/// What is true of these two on real weights, and no doubt of the comparison; each with its reason.
const TRUE_OF_THEM: [&str; 6] = [
    // llama.cpp's server closes the connection after a streamed answer.
    "reconnects",
    // One user, half of whose time on that server goes to the new connection.
    "low-concurrency",
    // A server and its child use the cores otherwise than one process does.
    "different-cores",
    // Answers of seconds and windows of some.
    "long-answers",
    "short-warmup",
    // Greedy texts part at a near tie, and end elsewhere.
    "output-lengths",
];

/// Threads of the demo's engines (`scripts/engines/engines.sh`).
fn threads() -> usize {
    let written = std::env::var("LOADCMP_LLAMA_THREADS").ok().and_then(|threads| threads.parse().ok());
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    written.unwrap_or(if cores > 2 { cores / 2 } else { 1 })
}

/// An Ollama of before 0.30 runs models itself, with another llama.cpp: the same file, prompts and settings give it mostly
/// the same greedy texts.
#[test]
#[ignore = "needs the real engines: make engines"]
fn an_ollama_with_a_runner_of_its_own_writes_much_the_same() {
    let old = format!("http://{}", Old.address());
    let told = install_at(&old, "smollm2");
    assert!(told.starts_with("smollm2 is in Ollama 0.11.4 at "), "{told}");
    let same_threads = format!("targets.ollama.ollama.options.num_thread={}", threads());
    let settings = [
        ONE_USER,
        "order=isolated",
        "load.closed.duration=null",
        "load.closed.requests=12",
        "workload.sampling.max_tokens=16",
        // What a slot of the other has.
        "targets.ollama.ollama.num_ctx=1024",
        &same_threads,
    ];
    let run = Compared::with("generate", "smollm2", LLAMA, &old, &settings);
    Old.unload("smollm2");
    let pairs = run.pairs();
    assert!(pairs.len() >= 12, "{}", pairs.len());
    for [a, b] in &pairs {
        assert_eq!(a["prompt_tokens"], b["prompt_tokens"], "{a:?}\n{b:?}");
    }
    // Two builds of llama.cpp: other kernels, so that a near tie goes the other way now and then. By chance none would be the same.
    let same = pairs.iter().filter(|[a, b]| a["text_hash"] == b["text_hash"]).count();
    println!("{same} of {} greedy texts of 16 tokens are the same", pairs.len());
    assert!(same * 3 >= pairs.len(), "{same} of {} texts are the same", pairs.len());
    let similar = run.mean("native", "answer_similarity");
    assert!(similar >= 0.6, "{similar}");
    times_agree(&run.table("samples.csv"));
    let found = run.findings();
    for id in ["templates-differ", "unequal-prompts", "unequal-quantisation", "threads", "slots", "context-length"] {
        assert!(!found.iter().any(|found| found == id), "{id}: {found:?}");
    }
}

/// Nothing is set but where the engines are: the length is the shipped one, and it decides, or the ratio is known.
#[test]
#[ignore = "needs the real engines: make engines"]
fn the_shipped_length_decides_on_real_weights() {
    install("minilm");
    let run = Compared::new("embed", "minilm", EMBED, &[]);
    let compared = run.table("comparison.csv");
    let main = compared.iter().find(|row| row["metric"] == "latency.mean").expect("the main metric");
    let bound = |column: &str| number(main, column).unwrap_or_else(|| panic!("no {column}: {main:?}"));
    let half = (bound("high") - bound("low")) / 2.0 / bound("ratio");
    let decided = ["equal", "better", "worse"].contains(&&*main["verdict"]);
    assert!(decided || half <= 0.05, "{} by ±{half}: {main:?}", main["verdict"]);
    // A context of 512 tokens, as the table has it: weights, context, and what a server needs beside them.
    for target in ["native", "ollama"] {
        let ratio = run.mean(target, "memory_ratio");
        assert!((1.0..3.0).contains(&ratio), "{target}: {ratio} times its file");
    }
    let unexpected = run.unexpected(&TRUE_OF_THEM);
    assert!(unexpected.is_empty(), "{unexpected:#?}");
}
