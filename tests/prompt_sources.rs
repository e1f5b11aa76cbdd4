//! Prompts from each kind of source, and what is said where they can't be read.

use loadcmp::scenario::{History, Lengths, PromptsSpec, SyntheticPrompts, Task};
use loadcmp::workload::{Item, SourceError, read_prompts};
use std::collections::BTreeSet;
use std::path::Path;

fn spec(yaml_as_json: &str) -> PromptsSpec {
    serde_json::from_str(yaml_as_json).unwrap()
}

/// Reads `bytes` as the data file of a source.
fn from_file(kind: &str, fields: &str, task: Task, bytes: &[u8]) -> Result<Vec<Item>, SourceError> {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("data"), bytes).unwrap();
    let spec = spec(&format!(r#"{{"{kind}": {{"path": "data"{fields}}}}}"#));
    let labels = ["bug".to_owned(), "praise".to_owned()];
    read_prompts(&spec, directory.path(), task, &labels, None, 7, History::Scripted).map(|prompts| prompts.items)
}

fn texts(items: &[Item]) -> Vec<&str> {
    items.iter().flat_map(|item| &item.turns).map(|turn| turn.user.as_str()).collect()
}

/// The error without the directory it lies in.
fn told(result: Result<Vec<Item>, SourceError>) -> String {
    let error = result.unwrap_err().to_string();
    let at = error.find("/data").unwrap_or_else(|| panic!("{error}"));
    error[at + 1..].to_owned()
}

#[test]
fn csv_is_read_with_marks_quotes_and_names() {
    let bytes = "\u{feff}id,text,label\r\na,\"two, with\r\na line\",bug\r\nb,plain,praise\r\n".as_bytes();
    let items = from_file("csv", r#", "label": "label""#, Task::Classify, bytes).unwrap();
    assert_eq!(items[0].id, "a");
    assert!(items[0].turns[0].user.contains("Text: two, with\r\na line\nLabel:"));
    assert_eq!(items.iter().map(|item| item.label).collect::<Vec<_>>(), [Some(0), Some(1)]);
    let items = from_file("csv", "", Task::Embed, b"text\none\ntwo\n").unwrap();
    assert_eq!((items[1].id.as_str(), texts(&items)), ("2", vec!["one", "two"]));
}

#[test]
fn csv_says_what_is_wrong_and_where() {
    let labelled = r#", "label": "label""#;
    for (fields, task, bytes, message) in [
        (
            "",
            Task::Embed,
            "txt,label\na,b\n",
            "data:1: there is no column `text`; did you mean `txt`? (columns: txt, label)",
        ),
        (
            labelled,
            Task::Classify,
            "text,label\na,bug\nb,bgu\n",
            "data:3: `bgu` is not one of the labels; did you mean `bug`? (labels: bug, praise)",
        ),
        ("", Task::Embed, "text\n", "data: there are no prompts in it"),
        (
            "",
            Task::Embed,
            "text,x\na,b\nc\n",
            "data:3: 1 columns here, 2 in the header; a text with a comma needs quotes",
        ),
        ("", Task::Embed, "text,x\n\"one\ntwo\",b\n,b\n", "data:4: the column `text` is empty"),
    ] {
        assert_eq!(told(from_file("csv", fields, task, bytes.as_bytes())), message);
    }
    assert!(told(from_file("csv", "", Task::Embed, b"")).starts_with("data:1: there is no column"), "an empty file");
}

#[test]
fn jsonl_is_read_and_says_what_is_wrong_and_where() {
    let items = from_file("jsonl", "", Task::Generate, b"{\"id\": 5, \"text\": \"a\"}\n\n{\"text\": \"b\"}").unwrap();
    assert_eq!((items[0].id.as_str(), items[1].id.as_str(), texts(&items)), ("5", "2", vec!["a", "b"]));
    let chat = br#"{"turns": [{"user": "a", "assistant": "b"}, {"user": "c"}]}"#;
    let items = from_file("jsonl", "", Task::Chat, chat).unwrap();
    assert_eq!(items[0].turns[0].assistant.as_deref(), Some("b"));
    for (task, bytes, message) in [
        (Task::Generate, "{\"text\": \"a\"}\n{\"text\": \n", "data:2:9: not a JSON object: EOF while parsing a value"),
        (Task::Generate, "[1]\n", "data:1: not a JSON object: invalid type: sequence, expected a map"),
        (Task::Generate, "{\"txt\": \"a\"}", "data:1: there is no field `text`; did you mean `txt`? (fields: txt)"),
        (Task::Generate, "{\"text\": 5}", "data:1: the field `text` is not a text"),
        (Task::Generate, "{\"text\": \" \"}", "data:1: the field `text` is empty"),
        (Task::Generate, "\n\n", "data: there are no prompts in it"),
        (Task::Chat, "{\"turns\": []}", "data:1: `turns` has no turns, or an empty one"),
    ] {
        assert_eq!(told(from_file("jsonl", "", task, bytes.as_bytes())), message, "{bytes}");
    }
    let error = told(from_file("jsonl", "", Task::Chat, br#"{"turns": [{"usr": "a"}]}"#));
    assert!(error.starts_with("data:1: `turns` is not a list of"), "{error}");
    let error = told(from_file("jsonl", "", Task::Generate, b"{}\n{\"text\": \"\x1b[31m\xff\"}"));
    assert!(error.starts_with("data:1: there is no field"), "{error}");
}

#[test]
fn text_is_split_as_asked() {
    let bytes = "\u{feff}one\r\ntwo\n\n  \nthree\n".as_bytes();
    for (split, expected) in [
        ("lines", vec!["one", "two", "three"]),
        ("blocks", vec!["one\ntwo", "three"]),
        ("file", vec!["one\ntwo\n\n  \nthree"]),
    ] {
        let items = from_file("text", &format!(r#", "split": "{split}""#), Task::Embed, bytes).unwrap();
        assert_eq!(texts(&items), expected, "{split}");
    }
}

#[test]
fn a_data_file_past_the_limit_is_refused_unread() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::File::create(directory.path().join("data")).unwrap().set_len(1 << 40).unwrap();
    let result = read_prompts(
        &spec(r#"{"text": {"path": "data"}}"#),
        directory.path(),
        Task::Embed,
        &[],
        None,
        7,
        History::Scripted,
    );
    assert!(told(result.map(|prompts| prompts.items)).contains("the limit is 256 MiB"));
}

#[test]
fn an_instruction_stands_around_each_text_once() {
    let spec = spec(r#"{"inline": [{"text": "{labels} {text}"}]}"#);
    let labels = ["a".to_owned(), "b".to_owned()];
    let items =
        read_prompts(&spec, Path::new("."), Task::Generate, &labels, Some("<{labels}|{text}>"), 1, History::Scripted)
            .unwrap()
            .items;
    assert_eq!(texts(&items), ["<a, b|{labels} {text}>"], "what a text holds is not filled in");
}

fn made_up(count: u32, turns: u32, words: Lengths, seed: u64) -> Vec<Item> {
    let spec =
        PromptsSpec::Synthetic(SyntheticPrompts { count, words: Some(words), tokens: None, prefix: None, turns });
    read_prompts(&spec, Path::new("."), Task::Chat, &[], None, seed, History::Scripted).unwrap().items
}

fn lengths(items: &[Item]) -> Vec<usize> {
    texts(items).iter().map(|text| text.split_whitespace().count()).collect()
}

#[test]
fn made_up_prompts_come_from_the_seed_alone() {
    let words = Lengths::Uniform { min: 3, max: 40 };
    assert_eq!(made_up(50, 2, words, 1), made_up(50, 2, words, 1));
    assert_ne!(made_up(50, 2, words, 1), made_up(50, 2, words, 2));
    let items = made_up(50, 2, words, 1);
    assert!(items.iter().all(|item| item.turns[0].assistant.is_some() && item.turns[1].assistant.is_none()));
}

#[test]
fn no_two_made_up_prompts_begin_alike() {
    let items = made_up(2000, 1, Lengths::Fixed(6), 3);
    let beginnings: BTreeSet<String> =
        texts(&items).iter().map(|text| text.split_whitespace().take(2).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(beginnings.len(), 2000);
    let few = made_up(300, 1, Lengths::Fixed(1), 3);
    assert_eq!(texts(&few).iter().collect::<BTreeSet<_>>().len(), 300);
}

#[test]
fn lengths_follow_their_distribution() {
    assert!(lengths(&made_up(100, 1, Lengths::Fixed(17), 5)).iter().all(|n| *n == 17));
    let uniform = lengths(&made_up(3000, 1, Lengths::Uniform { min: 5, max: 9 }, 5));
    assert_eq!(uniform.iter().collect::<BTreeSet<_>>().into_iter().copied().collect::<Vec<_>>(), [5, 6, 7, 8, 9]);
    let mut lognormal = lengths(&made_up(3001, 1, Lengths::Lognormal { median: 100.0, sigma: 0.5, max: 300 }, 5));
    lognormal.sort_unstable();
    assert!((90..=110).contains(&lognormal[1500]), "{}", lognormal[1500]);
    assert!(lognormal[0] >= 1 && lognormal[3000] == 300);
    // One standard deviation up is e^0.5 times the median.
    let upper = lognormal[(3001.0 * 0.8413) as usize];
    assert!((150..=180).contains(&upper), "{upper}");
    let bimodal = lengths(&made_up(3000, 1, Lengths::Bimodal { short: 10, long: 90, long_share: 0.2 }, 5));
    let long = bimodal.iter().filter(|n| **n == 90).count();
    assert!(bimodal.iter().all(|n| [10, 90].contains(n)) && (540..=660).contains(&long), "{long}");
}

#[test]
fn a_scripted_conversation_needs_the_answers_it_is_scripted_with() {
    let lines = b"{\"turns\":[{\"user\":\"a\",\"assistant\":\"b\"},{\"user\":\"c\"}]}\n\n{\"turns\":[{\"user\":\"a\"},{\"user\":\"c\"}]}\n";
    let error = told(from_file("jsonl", "", Task::Chat, lines));
    assert!(error.starts_with("data:3: turn 1 needs `assistant`") && error.contains("history: own"), "{error}");
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("data"), lines).unwrap();
    let spec = spec(r#"{"jsonl": {"path": "data"}}"#);
    assert_eq!(read_prompts(&spec, directory.path(), Task::Chat, &[], None, 7, History::Own).unwrap().items.len(), 2);
}

#[test]
fn a_quote_that_swallows_rows_is_told_where_it_was_opened() {
    let read = |text: &str| from_file("csv", "", Task::Embed, text.as_bytes());
    for (text, message) in [
        ("text\nfine\n\"open\nmore\n", "data:3: the quote opened here is never closed"),
        (
            "text,label\n\"open,x\n\"good\",y\n",
            "data:2: the quote opened here is closed in line 3, in the middle of a text",
        ),
        (
            &format!("text\nfine\n\"open\n{}plain\n\"good\"\n", "a line\n".repeat(300)),
            "data:3: the quote opened here is closed in line 305, in the middle of a text",
        ),
    ] {
        assert_eq!(told(read(text)), message);
    }
    let fine = "text\n\"two\nlines, and a \"\"quote\"\"\"\nplain \"quote\"\n\"\"\"at both ends\"\"\"\n";
    assert_eq!(texts(&read(fine).unwrap()), ["two\nlines, and a \"quote\"", "plain \"quote\"", "\"at both ends\""]);
}

#[test]
fn a_quoted_text_may_have_any_number_of_lines() {
    let text = (1..=5000).map(|n| format!("line {n}, and more")).collect::<Vec<_>>().join("\n");
    let items = from_file("csv", "", Task::Embed, format!("id,text\n1,\"{text}\"\n2,short\n").as_bytes()).unwrap();
    assert_eq!(texts(&items), [text.as_str(), "short"]);
}

#[test]
fn a_quote_that_is_not_written_as_csv_writes_it_is_refused_with_its_line() {
    let read = |text: &str| from_file("csv", "", Task::Embed, text.as_bytes());
    let escaped = "a quote in a quoted text is written `\\\"` here; CSV doubles it: `\"\"`";
    let goes_on = "a quoted text continues after its closing quote; CSV doubles a quote inside a text: `\"\"`";
    for (text, message) in [
        ("text\nfine\n\"say \\\"hi\\\"\"\n", format!("data:3: {escaped}")),
        ("text\n\"two\nlines \\\"hi\\\"\"\n", format!("data:3: {escaped}")),
        ("text\n\"\\\"hi\\\" he said\"\n", format!("data:2: {escaped}")),
        ("text\n\"say \"hi\" now\"\n", format!("data:2: {goes_on}")),
        ("text\n\"at the end \\\"\"\n", "data:2: the quote opened here is never closed".to_owned()),
    ] {
        assert_eq!(told(read(text)), message, "{text}");
    }
    // A backslash is a character like any other.
    assert_eq!(texts(&read("text\n\"C:\\\"\n\"a \\\"\"b\"\"\"\n").unwrap()), ["C:\\", "a \\\"b\""]);
}

/// What is read of a file, and what is said of it, without the directory it lies in.
fn with_odd(kind: &str, bytes: &[u8]) -> (Vec<String>, Vec<String>) {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("data"), bytes).unwrap();
    let spec = spec(&format!(r#"{{"{kind}": {{"path": "data"}}}}"#));
    let read = read_prompts(&spec, directory.path(), Task::Generate, &[], None, 7, History::Scripted).unwrap();
    let odd = read.odd.iter().map(|told| told[told.find("/data").unwrap() + 1..].to_owned()).collect();
    (texts(&read.items).into_iter().map(str::to_owned).collect(), odd)
}

#[test]
fn half_a_character_becomes_the_replacement_character_and_its_line_is_told() {
    let said = "not valid UTF-8, or half a character: replaced by U+FFFD";
    let (texts, odd) = with_odd("text", b"fine\ncaf\xe9\nfine\n\xf0\x9f\x98 cut\n");
    assert_eq!(texts, ["fine", "caf\u{fffd}", "fine", "\u{fffd} cut"]);
    assert_eq!(odd, [format!("data: lines 2, 4: {said}")]);
    let (texts, odd) = with_odd("csv", b"id,text\n1,ok\n2,\"two\nlines caf\xe9\"\n");
    assert_eq!(texts, ["ok", "two\nlines caf\u{fffd}"]);
    assert_eq!(odd, [format!("data: line 3: {said}")]);
    // Half of a pair, the wrong half, a whole pair, an escaped backslash before what only looks like one.
    let lines = br#"{"text": "a \ud83d b"}
{"text": "\ude00\uD83D"}
{"text": "\ud83d\ude00"}
{"text": "\\ud83d \n \u00e9"}
"#;
    let (texts, odd) = with_odd("jsonl", &[&lines[..], b"{\"text\": \"\xff\"}\n{\"text\": \"\\udc00\"}\n"].concat());
    let expected = ["a \u{fffd} b", "\u{fffd}\u{fffd}", "\u{1f600}", "\\ud83d \n \u{e9}", "\u{fffd}", "\u{fffd}"];
    assert_eq!(texts, expected);
    assert_eq!(odd, [format!("data: lines 1, 2, 5 and 1 more: {said}")]);
    assert_eq!(with_odd("text", "fine \u{1f600} \u{fffd}\n".as_bytes()).1, Vec::<String>::new());
    // Where half of the bytes would be replaced, it is another encoding.
    for kind in ["csv", "jsonl", "text"] {
        let wide: Vec<u8> =
            [0xff, 0xfe].into_iter().chain("text\none\n".encode_utf16().flat_map(u16::to_le_bytes)).collect();
        assert_eq!(told(from_file(kind, "", Task::Generate, &wide)), "data:1: the file is UTF-16: save it as UTF-8");
    }
}

#[test]
fn what_the_data_lacks_is_told_where_the_scenario_asks_for_it() {
    let directory = tempfile::tempdir().unwrap();
    let scenario = |prompts: &str, more: &str| {
        format!(
            "name: t\ntask: classify\ntargets:\n  a: {{ ollama: {{ url: \"http://127.0.0.1:9\" }} }}\nworkload:\n  labels: [bug, praise]\n  \
             prompts:\n{prompts}load: {{ closed: {{ users: 1, requests: 1 }} }}\n{more}"
        )
    };
    crate::cli::write(directory.path(), "data.csv", "id,txt,kind\n1,ticket,bug\n");
    let told = |prompts: &str, more: &[&str]| {
        crate::cli::write(directory.path(), "t.yaml", &scenario(prompts, ""));
        let (code, _, err) = crate::cli::ask(directory.path(), &[&["check", "t.yaml"], more].concat());
        assert_eq!(code, 2, "{err}");
        err
    };
    let err = told("    csv:\n      path: data.csv\n      text: text\n      label: kind\n", &[]);
    let message = "data.csv:1: there is no column `text`; did you mean `txt`? (columns: id, txt, kind)";
    assert!(err.contains(message) && err.contains("t.yaml:10:13") && err.contains("10 |       text: text"), "{err}");
    let err = told("    csv:\n      path: data.csv\n      text: txt\n      label: label\n", &[]);
    assert!(err.contains("there is no column `label`") && err.contains("t.yaml:11:14"), "{err}");
    // Where it isn't written, and where it is written on the command line.
    let err = told("    csv:\n      path: data.csv\n      label: kind\n", &[]);
    assert!(err.contains("there is no column `text`") && err.contains("t.yaml:8:5"), "{err}");
    let right = "    csv:\n      path: data.csv\n      text: txt\n      label: kind\n";
    let err = told(right, &["--set", "workload.prompts.csv.label=sort"]);
    assert!(
        err.contains("there is no column `sort`") && err.contains("--> --set workload.prompts.csv.label=sort"),
        "{err}"
    );
    let err = told("    inline:\n      - { text: a, label: bug }\n      - { text: b, label: bgu }\n", &[]);
    assert!(err.contains("`bgu` is not one of the labels") && err.contains("t.yaml:10:27"), "{err}");
}

#[test]
fn a_run_says_which_lines_were_odd() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("p.jsonl"), b"{\"text\": \"fine\"}\n{\"text\": \"half \\ud83d\"}\n").unwrap();
    let record = directory.path().join("record.csv");
    let engine = crate::cli::StandIn::start(&["--record", &record.display().to_string()]);
    let yaml = format!(
        "name: t\ntask: generate\ntargets:\n  a: {{ ollama: {{ url: \"{}\" }} }}\nworkload:\n  prompts: {{ jsonl: {{ path: p.jsonl }} }}\n  \
         sampling: {{ max_tokens: 2 }}\nload: {{ closed: {{ users: 1, requests: 4 }} }}\n",
        engine.url
    );
    crate::cli::write(directory.path(), "t.yaml", &yaml);
    for command in [&["check", "t.yaml"][..], &["run", "t.yaml", "--out", "out"]] {
        let (code, out, err) = crate::cli::ask(directory.path(), command);
        assert_eq!(code, 0, "{err}");
        let said = (out + &err).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains("p.jsonl: line 2: not valid UTF-8, or half a character"), "{said}");
    }
    let samples = crate::cli::rows(&directory.path().join("out/samples.csv"));
    assert!(samples.iter().all(|row| row["outcome"] == "ok"), "{samples:?}");
}
