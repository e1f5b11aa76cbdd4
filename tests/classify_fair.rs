//! Whether classification is a fair task: examples that aren't asked, schemas on all sides or none, templates for engines
//! that have none, and what is said where the answers say nothing.

use crate::cli::{Row, StandIn, ask, json, loadcmp, number, rows, write};
use crate::raw::{Do, Raw, response};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

const LABELS: [&str; 3] = ["bug", "praise", "billing"];

/// Tickets of three labels in turn.
fn tickets(dir: &Path, count: usize) -> String {
    let line = |n: usize| format!("t{n},\"Ticket number {n}, please look at it\",{}\n", LABELS[n % 3]);
    let text = format!("id,text,label\n{}", (0..count).map(line).collect::<String>());
    write(dir, "tickets.csv", &text).display().to_string()
}

fn openai(engine: &StandIn) -> String {
    format!("{{ openai: {{ url: \"{}\" }} }}", engine.url)
}

fn ollama(engine: &StandIn) -> String {
    format!("{{ ollama: {{ url: \"{}\" }} }}", engine.url)
}

/// A scenario that asks for labels; `more` of its workload.
fn scenario(dir: &Path, targets: [&str; 2], more: &str, load: &str) {
    let [a, b] = targets;
    let yaml = format!(
        "name: t\ntask: classify\nseed: 5\ntargets:\n  a: {a}\n  b: {b}\nreference: b\nworkload: {{ prompts: {{ csv: {{ path: \
         tickets.csv, text: text, label: label }} }}, labels: [bug, praise, billing]{more} }}\nload: {{ closed: {{ {load} }} }}\n"
    );
    write(dir, "t.yaml", &yaml);
}

/// Runs it; what was said.
fn run(dir: &Path) -> (String, String) {
    let (code, out, err) = ask(dir, &["run", "t.yaml", "--full", "--out", "out"]);
    assert!([0, 4].contains(&code), "{code}: {err}");
    (out, err)
}

fn plan(dir: &Path) -> serde_json::Value {
    json(&dir.join("out/manifest.json"))["plan"].clone()
}

fn findings(dir: &Path, id: &str) -> Vec<Row> {
    rows(&dir.join("out/findings.csv")).into_iter().filter(|row| row["id"] == id).collect()
}

fn summed(dir: &Path, metric: &str) -> Vec<Option<f64>> {
    let all = rows(&dir.join("out/summary.csv")).into_iter().filter(|row| row["metric"] == metric);
    all.map(|row| number(&row, "mean")).collect()
}

/// A server that answers every post, and keeps the prompts of its requests.
fn prompts_of(server: &Raw) -> Vec<String> {
    server.seen(|seen| {
        let prompt =
            |body: &str| serde_json::from_str::<serde_json::Value>(body).ok()?["p"].as_str().map(str::to_owned);
        seen.posts.iter().filter_map(|came| prompt(&came.body)).collect()
    })
}

fn json_target(server: &Raw, more: &str) -> String {
    format!(
        "{{ json: {{ url: \"{}\", path: /x, body: {{ p: \"{{{{prompt}}}}\" }}, answer: {{ text: /text, finish: /finish }}{more} }} }}",
        server.url
    )
}

fn says(text: &'static str) -> Raw {
    let body = format!("{{\"text\":\"{text}\",\"finish\":\"stop\"}}");
    Raw::start_by_body(move |_| Do::Reply(response("200 OK", "", &body)))
}

#[test]
fn examples_stand_in_every_prompt_alike_and_are_never_asked() {
    let dir = tempfile::tempdir().expect("a directory");
    tickets(dir.path(), 18);
    let (a, b) = (says("bug"), says("praise"));
    let targets = [json_target(&a, ""), json_target(&b, "")];
    scenario(dir.path(), [&targets[0], &targets[1]], ", examples: 6", "users: 1, requests: 24");
    let (code, told, err) = ask(dir.path(), &["check", "t.yaml"]);
    assert_eq!(code, 0, "{err}");
    let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("12 prompts from tickets.csv; 6 others are used as examples in each prompt (t"), "{told}");
    run(dir.path());
    let plan = plan(dir.path());
    let examples: Vec<String> = serde_json::from_value(plan["workload"]["examples"].clone()).expect("names");
    assert_eq!((plan["workload"]["items"].as_u64(), examples.len()), (Some(12), 6));
    // Two of each label.
    let number = |id: &String| id[1..].parse::<usize>().expect("a number");
    let mut kinds: Vec<usize> = examples.iter().map(|id| number(id) % 3).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, [0, 0, 1, 1, 2, 2]);
    let heads: Vec<(String, String)> = prompts_of(&a)
        .into_iter()
        .map(|prompt| {
            let (head, asked) = prompt.rsplit_once("Text: ").expect("a text");
            (head.to_owned(), asked.to_owned())
        })
        .collect();
    let block: String = examples
        .iter()
        .map(|id| {
            format!("Text: Ticket number {0}, please look at it\nLabel: {1}\n\n", number(id), LABELS[number(id) % 3])
        })
        .collect();
    assert!(heads.len() >= 24 && heads.iter().all(|(head, _)| head.ends_with(&block)), "{heads:?}");
    for id in &examples {
        let text = format!("Ticket number {}, please", number(id));
        assert!(heads.iter().all(|(_, asked)| !asked.contains(&text)), "{id} is asked");
    }
    let mut both = [prompts_of(&a), prompts_of(&b)];
    both.iter_mut().for_each(|prompts| prompts.sort_unstable());
    assert_eq!(both[0], both[1], "the same for all targets");
    // It is another workload than without, and than with others.
    let hash = |more: &str| {
        scenario(dir.path(), [&targets[0], &targets[1]], more, "users: 1, requests: 24");
        let (code, told, err) = ask(dir.path(), &["check", "t.yaml"]);
        assert_eq!(code, 0, "{err}");
        let line = told.lines().find(|line| line.trim_start().starts_with("hash")).expect("a hash").to_owned();
        line.split_whitespace().last().expect("a word").to_owned()
    };
    let all = [hash(""), hash(", examples: 6"), hash(", examples: 7")];
    assert_eq!(plan["workload"]["hash"], all[1]);
    assert!(all[0] != all[1] && all[1] != all[2]);
}

#[test]
fn examples_that_the_data_cannot_spare_or_that_stand_nowhere_are_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    tickets(dir.path(), 9);
    let auto = "{ ollama: { url: auto } }";
    for (more, wrong) in [
        (", examples: 7", "`examples` is 7, but only 6 texts can be examples"),
        (", examples: 2, instruction: \"{labels}? {text}\"", "`instruction` has no `{examples}`"),
        (", instruction: \"{examples}{labels}? {text}\"", "`instruction` has `{examples}`, and there are none"),
        (", examples: 201", "examples"),
    ] {
        scenario(dir.path(), [auto, auto], more, "users: 1, requests: 24");
        let (code, _, err) = ask(dir.path(), &["check", "t.yaml"]);
        assert!(code == 2 && err.contains(wrong) && err.contains("t.yaml:8:"), "{code} {more}: {err}");
    }
}

#[test]
fn a_label_is_held_by_schema_on_all_sides_or_on_none() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = tickets(dir.path(), 12);
    let (engine, other) = (StandIn::start(&["--labels", &file]), StandIn::start(&["--labels", &file]));
    let more = ", constrain: auto, sampling: { max_tokens: 8 }";
    scenario(dir.path(), [&openai(&other), &ollama(&engine)], more, "users: 2, requests: 24");
    run(dir.path());
    let plan_of = |what: &str| plan(dir.path())["workload"][what].clone();
    assert_eq!((plan_of("constrain"), plan_of("sampling")["max_tokens"].clone()), ("schema".into(), 32.into()));
    assert_eq!(summed(dir.path(), "unparsed_rate"), [Some(0.0), Some(0.0)]);
    assert!(findings(dir.path(), "schema-not-kept").is_empty(), "both kept it");
    // One side can't: none is held to it, and the report says whose wire it is.
    std::fs::remove_dir_all(dir.path().join("out")).expect("gone");
    let server = says("bug");
    scenario(dir.path(), [&json_target(&server, ""), &ollama(&engine)], more, "users: 2, requests: 24");
    run(dir.path());
    assert_eq!((plan_of("constrain"), plan_of("sampling")["max_tokens"].clone()), ("none".into(), 8.into()));
    let told: Vec<String> =
        findings(dir.path(), "cannot-honour").into_iter().map(|row| row["sentence"].clone()).collect();
    assert!(
        told.iter().any(|words| words.starts_with("a") && words.contains("none is used for any target")),
        "{told:?}"
    );
}

/// An OpenAI-compatible server whose every answer is a label as JSON.
fn answers_in_json() -> Raw {
    let body = r#"{"choices":[{"message":{"role":"assistant","content":"{\"label\": \"bug\"}"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":5}}"#;
    Raw::start_by_body(move |_| Do::Reply(response("200 OK", "", body)))
}

#[test]
fn a_prompt_whose_answer_is_held_by_a_schema_shows_its_form_unless_it_has_an_instruction() {
    let dir = tempfile::tempdir().expect("a directory");
    tickets(dir.path(), 12);
    let (a, b) = (answers_in_json(), answers_in_json());
    let target = |server: &Raw| format!("{{ openai: {{ url: \"{}\", model: m }} }}", server.url);
    let prompt = |more: &str| {
        scenario(dir.path(), [&target(&a), &target(&b)], more, "users: 1, requests: 24");
        let _ = std::fs::remove_dir_all(dir.path().join("out"));
        run(dir.path());
        a.seen(|seen| {
            let last = seen.posts.last().expect("a request");
            let body: serde_json::Value = serde_json::from_str(&last.body).expect("JSON");
            body["messages"][0]["content"].as_str().expect("a prompt").to_owned()
        })
    };
    let held = prompt(", constrain: schema, stream: false, examples: 3, sampling: { max_tokens: 40 }");
    assert!(held.contains("Write it as JSON: {\"label\": \"one of them\"}\n\nText: Ticket number"), "{held}");
    assert!(held.matches("{\"label\": \"").count() == 4 && !held.contains("Label:"), "{held}");
    let own =
        prompt(", constrain: schema, stream: false, instruction: \"Which? {text}\", sampling: { max_tokens: 40 }");
    assert!(own.contains("Which? Ticket number") && !own.contains("JSON"), "{own}");
    let free = prompt(", constrain: none, stream: false");
    assert!(free.trim_end().ends_with("Label:") && !free.contains("JSON"), "{free}");
}

#[test]
fn answers_that_no_side_can_be_read_from_are_told_at_once_with_what_to_change() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = tickets(dir.path(), 12);
    // A quarter of a second an answer, and a run of ten minutes.
    let args = ["--labels", &file, "--quirk", "lists-labels", "--first-token-ms", "250"];
    let (a, b) = (StandIn::start(&args), StandIn::start(&args));
    scenario(dir.path(), [&openai(&a), &ollama(&b)], "", "users: 2, duration: 10m");
    let mut child = loadcmp()
        .current_dir(dir.path())
        .args(["run", "t.yaml", "--full", "--out", "out"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a run");
    let mut lines = BufReader::new(child.stderr.take().expect("its standard error")).lines().map_while(Result::ok);
    let mut said = String::new();
    // The line to be copied is the last of it; a run that says nothing of it ends the loop in ten minutes.
    for line in lines.by_ref() {
        said.push_str(&line);
        said.push('\n');
        if line.contains("--set ") {
            break;
        }
    }
    let _ = child.kill();
    let _ = child.wait();
    let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("most first answers of every target hold no readable label"), "{said}");
    assert!(words.contains("5 of 5") && words.contains("no label in the answer"), "{said}");
    // docs/classify.md quotes it.
    let doc = crate::cli::one_line(include_str!("../docs/classify.md"));
    for quoted in [
        "loadcmp: most first answers of every target hold no readable label (",
        "). The run will measure speed, but not accuracy. Stop it with Ctrl-C, then try this, which forces every engine to \
         answer with a label:",
    ] {
        assert!(words.contains(quoted) && doc.contains(quoted), "{quoted}: {said}");
    }
    let ready = said.lines().last().unwrap_or_default();
    assert_eq!(ready, "  loadcmp run t.yaml --full --set workload.constrain=auto");
    // What is proposed works, also where the limit was made for a bare label.
    scenario(dir.path(), [&openai(&a), &ollama(&b)], ", sampling: { max_tokens: 8 }", "users: 2, requests: 24");
    let (code, told, err) = ask(dir.path(), &["check", "t.yaml", "--set", "workload.constrain=auto"]);
    assert!(code == 0 && told.contains("by a schema"), "{told}\n{err}");
}

#[test]
fn answers_that_can_be_read_or_come_from_one_side_only_are_not_called_unreadable() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = tickets(dir.path(), 12);
    let (lists, reads) =
        (StandIn::start(&["--labels", &file, "--quirk", "lists-labels"]), StandIn::start(&["--labels", &file]));
    scenario(dir.path(), [&openai(&lists), &ollama(&reads)], "", "users: 2, requests: 30");
    let (_, err) = run(dir.path());
    assert!(!err.contains("most first answers"), "{err}");
    let found = findings(dir.path(), "unparsed-labels");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0]["target"].starts_with('a') && found[0]["sentence"].contains("100.0 % of 30"), "{found:?}");
    assert!(found[0]["sentence"].contains("--set workload.constrain=auto"), "{found:?}");
}

#[test]
fn accuracy_stands_beside_that_of_always_giving_the_commonest_label() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = tickets(dir.path(), 12);
    let (wrong, right) =
        (StandIn::start(&["--labels", &file, "--accuracy", "0"]), StandIn::start(&["--labels", &file]));
    let load = "users: 1, requests: 24";
    scenario(dir.path(), [&openai(&wrong), &ollama(&right)], "", load);
    let (table, _) = run(dir.path());
    // Each of the 12 twice: eight of each label.
    assert_eq!(summed(dir.path(), "accuracy_commonest"), [Some(0.333333), Some(0.333333)]);
    assert_eq!(summed(dir.path(), "accuracy"), [Some(0.0), Some(1.0)]);
    assert!(table.contains("commonest label"), "{table}");
    assert!(findings(dir.path(), "no-better-than-commonest").is_empty(), "one side is better");
    std::fs::remove_dir_all(dir.path().join("out")).expect("gone");
    scenario(dir.path(), [&openai(&wrong), &ollama(&wrong)], "", load);
    let yaml = std::fs::read_to_string(dir.path().join("t.yaml")).expect("text") + "allow_same_endpoint: true\n";
    write(dir.path(), "t.yaml", &yaml);
    run(dir.path());
    let found = findings(dir.path(), "no-better-than-commonest");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0]["sentence"].contains("0.0 % vs 33.3 %"), "{found:?}");
}

/// An Ollama that shows a template and a system message, renders what it is asked by them, and answers.
fn ollama_of(template: &'static str, system: &'static str) -> Raw {
    let tell = |line: &str| {
        let told = match line.split(' ').nth(1)? {
            "/api/version" => r#"{"version":"0.34.1"}"#,
            "/api/tags" => r#"{"models":[{"name":"m:latest","size":1492128,"capabilities":["completion"]}]}"#,
            "/api/ps" => r#"{"models":[]}"#,
            _ => return None,
        };
        Some(response("200 OK", "", told))
    };
    Raw::start_telling(tell, move |body| {
        let asked: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
        let told = if asked.get("messages").is_none() {
            serde_json::json!({ "template": template, "system": system, "modelfile": "", "capabilities": ["completion"] })
        } else if asked["_debug_render_only"] == true {
            let said = asked["messages"][0]["content"].as_str().unwrap_or_default();
            let rendered = format!(
                "<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n{said}<|im_end|>\n<|im_start|>assistant\n"
            );
            serde_json::json!({ "_debug_info": { "rendered_template": rendered } })
        } else {
            let message = serde_json::json!({ "role": "assistant", "content": "bug" });
            serde_json::json!({ "message": message, "done": true, "done_reason": "stop", "eval_count": 1, "prompt_eval_count": 9 })
        };
        Do::Reply(response("200 OK", "", &told.to_string()))
    })
}

const CHATML: &str =
    "{{ if .System }}<|im_start|>system\n{{ .System }}<|im_end|>\n{{ end }}<|im_start|>user\n{{ .Prompt }}<|im_end|>\n";

#[test]
fn a_wire_without_a_template_gets_the_prompt_as_the_other_side_renders_it() {
    let dir = tempfile::tempdir().expect("a directory");
    tickets(dir.path(), 9);
    let (native, other) = (says("bug"), ollama_of(CHATML, "You sort tickets."));
    let ollama = format!("{{ ollama: {{ url: \"{}\" }} }}", other.url);
    scenario(
        dir.path(),
        [&json_target(&native, ", template: { from: b }"), &ollama],
        ", instruction: \"{text}\"",
        "users: 1, requests: 24",
    );
    run(dir.path());
    let prompts = prompts_of(&native);
    assert!(prompts.len() >= 24);
    for prompt in prompts {
        let (head, tail) = (
            "<|im_start|>system\nYou sort tickets.<|im_end|>\n<|im_start|>user\nTicket number ",
            "<|im_end|>\n<|im_start|>assistant\n",
        );
        assert!(prompt.starts_with(head) && prompt.ends_with(tail), "{prompt}");
    }
    let plan = plan(dir.path());
    assert_eq!(
        plan["targets"][0]["template"],
        serde_json::json!({ "family": "chatml", "system": "You sort tickets." })
    );
    // A template that nobody knows is told so, with those that there are.
    let odd = ollama_of("<<< {{ .Prompt }} >>>", "");
    let ollama = format!("{{ ollama: {{ url: \"{}\" }} }}", odd.url);
    scenario(dir.path(), [&json_target(&native, ", template: { from: b }"), &ollama], "", "users: 1, requests: 24");
    let (code, _, err) = ask(dir.path(), &["check", "t.yaml"]);
    assert_eq!(code, 3, "{err}");
    assert!(err.contains("loadcmp doesn't know the template of `m:latest`: <<< {{ .Prompt }} >>>"), "{err}");
    assert!(
        err.contains("`targets.a.json.template` is one of chatml, llama2, llama3, mistral, gemma, phi3, zephyr"),
        "{err}"
    );
}

#[cfg(unix)]
#[test]
fn gg_core_gets_a_template_or_the_audit_says_that_it_gets_none() {
    let dir = tempfile::tempdir().expect("a directory");
    tickets(dir.path(), 9);
    let (socket, other) = (dir.path().join("gg.sock").display().to_string(), ollama_of(CHATML, "S"));
    let _engine = StandIn::start(&["--socket", &socket]);
    let ollama = format!("{{ ollama: {{ url: \"{}\" }} }}", other.url);
    let gg_core = |more: &str| format!("{{ gg_core: {{ socket: \"{socket}\"{more} }} }}");
    let differs = || findings(dir.path(), "templates-differ");
    let load = "users: 1, requests: 12";
    // Rendered, both sides read the same.
    scenario(dir.path(), [&gg_core(", template: { from: b }"), &ollama], ", stream: false", load);
    run(dir.path());
    let told = plan(dir.path());
    assert_eq!(told["workload"]["format"], "chat");
    assert_eq!(told["targets"][0]["facts"]["template"], told["targets"][1]["facts"]["template"]);
    assert!(differs().is_empty(), "{:?}", differs());
    // Without, one side alone has a template.
    std::fs::remove_dir_all(dir.path().join("out")).expect("gone");
    scenario(dir.path(), [&gg_core(""), &ollama], ", stream: false, format: chat", load);
    run(dir.path());
    let found = differs();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0]["sentence"].contains("template: { from: ollama }"), "{found:?}");
    // So is where the other side doesn't tell its own.
    std::fs::remove_dir_all(dir.path().join("out")).expect("gone");
    let server = Raw::start_telling(
        |line| line.contains("/v1/models").then(|| response("200 OK", "", r#"{"data":[{"id":"m"}]}"#)),
        |_| {
            let told = r#"{"choices":[{"message":{"role":"assistant","content":"bug"},"finish_reason":"stop"}]}"#;
            Do::Reply(response("200 OK", "", told))
        },
    );
    let silent = format!("{{ openai: {{ url: \"{}\" }} }}", server.url);
    scenario(dir.path(), [&gg_core(""), &silent], ", stream: false, format: chat", load);
    run(dir.path());
    let found = differs();
    assert!(found.len() == 1 && found[0]["sentence"].contains("one gets it as it is"), "{found:?}");
}

#[test]
fn files_of_other_sizes_are_found_where_an_engine_tells_no_parameters() {
    let dir = tempfile::tempdir().expect("a directory");
    tickets(dir.path(), 9);
    let other = ollama_of(CHATML, "S");
    // A llama-server of a model of 94 MiB beside an Ollama of one of 1.4 MiB; neither reports its parameters.
    let server = Raw::start_telling(
        |line| {
            let told = match line.split(' ').nth(1)? {
                "/v1/models" => r#"{"data":[{"id":"m","meta":{"size":98566144}}]}"#,
                _ => return None,
            };
            Some(response("200 OK", "", told))
        },
        |_| {
            let told = r#"{"choices":[{"message":{"role":"assistant","content":"bug"},"finish_reason":"stop"}]}"#;
            Do::Reply(response("200 OK", "", told))
        },
    );
    let (a, b) =
        (format!("{{ openai: {{ url: \"{}\" }} }}", server.url), format!("{{ ollama: {{ url: \"{}\" }} }}", other.url));
    scenario(dir.path(), [&a, &b], "", "users: 1, requests: 12");
    // Before any load, and after.
    let (code, told, err) = ask(dir.path(), &["check", "t.yaml"]);
    assert!(code == 0 && told.contains("The models' files differ in size"), "{told}\n{err}");
    run(dir.path());
    let found = findings(dir.path(), "model-size");
    assert!(found.len() == 1 && found[0]["sentence"].contains("a 94 MiB, b 1 MiB"), "{found:?}");
}

#[test]
fn a_template_that_does_not_exist_is_told_with_those_that_do() {
    let dir = tempfile::tempdir().expect("a directory");
    tickets(dir.path(), 9);
    let auto = "{ ollama: { url: auto } }";
    for (template, wrong) in [
        ("chatlm", "did you mean `chatml`?"),
        ("chatlm", "chatml, llama2, llama3, mistral, gemma, phi3, zephyr"),
        ("{ from: native }", "`from` must name an `ollama` target"),
        ("{ from: native }", "there are: b"),
        ("{ of: b }", "kinds: from"),
    ] {
        let native = format!("{{ gg_core: {{ socket: auto, template: {template} }} }}");
        scenario(dir.path(), [&native, auto], "", "users: 1, requests: 24");
        let (code, _, err) = ask(dir.path(), &["check", "t.yaml"]);
        assert!(code == 2 && err.contains(wrong), "{template}: {err}");
    }
}
