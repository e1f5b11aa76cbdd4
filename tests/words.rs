//! The words that people read: the field's vocabulary and plain English, in every string of the program, its pages,
//! scenarios, suites, docs, examples and scripts. `WORDS` lists what isn't said, and what to say instead.

use std::path::{Path, PathBuf};

/// What isn't said, and what to say instead. Each matches whole words, in any case; `_` and `-` belong to a word, so that
/// ids aren't meant. A placeholder counts as `N`.
const WORDS: [(&[&str], &str); 26] = [
    (&["tell", "tells", "told", "telling"], "report, show or say"),
    (&["held to", "hold to", "holds to", "held against"], "compare with"),
    (&["of its own", "of their own", "of your own", "of one's own"], "its own, your own, or separate"),
    (&["beside"], "next to, and, or compared with"),
    (&["worth"], "what it shows or saves"),
    (&["apart"], "separate, or differ by"),
    (&["alike"], "the same, equal, or equally"),
    (&["unlike"], "different, or differs from"),
    (&["not shown", "none is shown", "neither is shown"], "undecided"),
    (&["doubt", "doubts"], "warning"),
    (&["token gap", "token gaps"], "ITL"),
    (&["time per token"], "TPOT"),
    (&["longest gap"], "ITL max"),
    (&["sent late"], "send lag"),
    (&["unreadable"], "unparsed"),
    (&["memory at most"], "peak RSS"),
    (&["unexplained"], "other"),
    (&["so do", "so does"], "the same sentence without it"),
    (&["from N on", "from N % on", "% on and"], "N or more"),
    (
        &[
            "requests a second",
            "answers a second",
            "tokens a second",
            "times a second",
            "bytes a second",
            "row a second",
        ],
        "per second",
    ),
    (&["row a", "one a request", "tokens a request", "time a request", "ms a request", "line a"], "per"),
    (&["requests a minute", "bytes an hour", "MB an hour", "MiB an hour", "change an hour"], "per minute, per hour"),
    (&["1,000 tokens a", "a thousand tokens"], "per 1,000 tokens"),
    (&["in the place of"], "instead of"),
    (&["started anew", "drawn anew", "make it anew"], "restarted, newly drawn, or repeat it"),
    (&["on the processor", "processor time"], "CPU, CPU time"),
];

/// Where a word is right: it is read from files of earlier versions, or it is another program's.
const RIGHT: [(&str, &str); 7] = [
    // The severity, the verdict and the metric as earlier versions wrote them.
    ("src/scenario/audit.rs", "doubt"),
    ("src/scenario/audit/setting.rs", "doubt"),
    ("src/stats/compare.rs", "not shown"),
    ("src/capacity/judge.rs", "tell"),
    ("src/metrics/mod.rs", "lag"),
    // What the stand-in's record calls a frame that is no request.
    ("src/standin/gg_core.rs", "unreadable"),
    // Prompts.
    ("suites/herald.yaml", "tell"),
];

fn files(dir: &str, end: &str, deep: bool) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            if deep {
                found.extend(files(path.to_str().expect("a name"), end, deep));
            }
        } else if path.to_str().is_some_and(|name| name.ends_with(end)) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The string literals of code, with the line each begins in; comments and the tests at a file's end left out.
fn literals(source: &str) -> Vec<(usize, String)> {
    let code = source.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default();
    let chars: Vec<char> = code.chars().collect();
    let (mut at, mut line, mut found) = (0, 1, Vec::new());
    let is = |at: usize, text: &str| text.chars().enumerate().all(|(i, c)| chars.get(at + i) == Some(&c));
    while at < chars.len() {
        let word_before = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
        if is(at, "//") {
            while at < chars.len() && chars[at] != '\n' {
                at += 1;
            }
        } else if chars[at] == 'r' && !word_before && (is(at, "r\"") || is(at, "r#\"")) {
            let end = if is(at, "r\"") { "\"" } else { "\"#" };
            at += end.len() + 1;
            let (from, first) = (at, line);
            while at < chars.len() && !is(at, end) {
                line += usize::from(chars[at] == '\n');
                at += 1;
            }
            found.push((first, chars[from..at].iter().collect()));
            at += end.len();
        } else if chars[at] == '"' {
            let (first, mut text) = (line, String::new());
            at += 1;
            while at < chars.len() && chars[at] != '"' {
                match (chars[at], chars.get(at + 1)) {
                    ('\\', Some('\n')) => {
                        // A line goes on in the next one, without its indent.
                        at += 1;
                        while chars.get(at).is_some_and(|c| c.is_whitespace()) {
                            line += usize::from(chars[at] == '\n');
                            at += 1;
                        }
                        continue;
                    }
                    ('\\', Some(_)) => {
                        text.push(' ');
                        at += 1;
                    }
                    (c, _) => {
                        line += usize::from(c == '\n');
                        text.push(c);
                    }
                }
                at += 1;
            }
            found.push((first, text));
            at += 1;
        } else if chars[at] == '\'' {
            // A character; a lifetime has no second quote.
            let length = if chars.get(at + 1) == Some(&'\\') { 2 } else { 1 };
            let end = (at + 1 + length..at + 12).find(|i| chars.get(*i) == Some(&'\''));
            let close = end.filter(|end| length == 2 || *end == at + 2);
            at = close.unwrap_or(at) + 1;
        } else {
            line += usize::from(chars[at] == '\n');
            at += 1;
        }
    }
    found
}

/// A text with `N` for each placeholder. The braces of YAML and of Markdown hold text.
fn read(file: &str, text: &str) -> String {
    if !file.ends_with(".rs") && !file.ends_with(".html") {
        return text.to_lowercase();
    }
    let (mut out, mut depth) = (String::new(), 0);
    for c in text.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => {
                depth -= 1;
                out.push('N');
            }
            c if depth == 0 => out.push(c),
            _ => {}
        }
    }
    out.to_lowercase()
}

/// Whether a text has these words, each whole.
fn has(text: &str, words: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let words = words.to_lowercase();
    text.match_indices(&words).any(|(at, _)| {
        let (before, after) = (text[..at].chars().next_back(), text[at + words.len()..].chars().next());
        !before.is_some_and(part) && !after.is_some_and(part)
    })
}

/// What isn't said in a text, each with what to say instead.
fn wrong(file: &str, text: &str) -> Vec<(&'static str, &'static str)> {
    let text = read(file, text);
    let mut found: Vec<_> = WORDS
        .iter()
        .flat_map(|(words, better)| words.iter().map(move |word| (*word, *better)))
        .filter(|(word, _)| has(&text, word))
        .collect();
    if has(&text.replace("send lag", ""), "lag") {
        found.push(("lag", "send lag"));
    }
    found
}

/// Every text that people read, with its file and line.
fn texts() -> Vec<(String, usize, String)> {
    let mut all = Vec::new();
    let mut add = |path: &Path, lines: Vec<(usize, String)>| {
        let name = path.display().to_string().replace('\\', "/");
        all.extend(lines.into_iter().map(|(line, text)| (name.clone(), line, text)));
    };
    let text = |path: &Path| std::fs::read_to_string(path).expect("a file");
    let lines = |text: &str| text.lines().enumerate().map(|(at, line)| (at + 1, line.to_owned())).collect::<Vec<_>>();
    for path in files("src", ".rs", true) {
        if !["tests.rs", "cases.rs", "fixture.rs", "properties.rs"]
            .iter()
            .any(|end| path.ends_with(end) || path.to_str().is_some_and(|name| name.ends_with(&format!("_{end}"))))
        {
            add(&path, literals(&text(&path)));
        }
    }
    for (dir, end) in [("templates", ".html"), ("scenarios", ".yaml"), ("suites", ".yaml"), ("src/scenario", ".yaml")] {
        for path in files(dir, end, true) {
            add(&path, lines(&text(&path)));
        }
    }
    let schema = PathBuf::from("scenarios/schema.json");
    add(&schema, lines(&text(&schema)).into_iter().filter(|(_, line)| line.contains("\"description\":")).collect());
    // With their fences: what is printed there, the program prints.
    let pages = ["README.md", "CONTRIBUTING.md", "Makefile", "action.yml"].map(PathBuf::from).into_iter();
    let scripts = [".sh", ".py", ".yaml"].into_iter().flat_map(|end| files("scripts", end, true));
    for path in pages.chain(files("docs", ".md", false)).chain(files("examples", "", true)).chain(scripts) {
        add(&path, lines(&text(&path)));
    }
    // Between backticks it names what there was in earlier versions.
    let prose = |line: &str| line.split('`').step_by(2).collect::<Vec<_>>().join("`");
    let changes = PathBuf::from("CHANGELOG.md");
    add(&changes, lines(&text(&changes)).into_iter().map(|(at, line)| (at, prose(&line))).collect());
    all
}

#[test]
fn texts_say_what_the_field_says() {
    let mut found = Vec::new();
    for (file, line, text) in texts() {
        for (word, better) in wrong(&file, &text) {
            if !RIGHT.contains(&(file.as_str(), word)) {
                found.push(format!("{file}:{line}: \"{word}\": better {better}: {}", text.trim()));
            }
        }
    }
    assert!(found.is_empty(), "{} of them:\n{}", found.len(), found.join("\n"));
}

#[test]
fn exceptions_are_needed() {
    let texts = texts();
    for (file, word) in RIGHT {
        let needed =
            |(name, _, text): &(String, usize, String)| name == file && wrong(name, text).iter().any(|w| w.0 == word);
        assert!(texts.iter().any(needed), "{file} doesn't say \"{word}\" any more");
    }
}

#[test]
fn literals_are_read_and_comments_are_not() {
    let source = "// \"told\"\nlet a = \"one \\\n    two\"; let b = '\"'; let c = r#\"x \"y\"\"#; fn d<'a>() {}\n\
                  let e = \"z\\\"\";\n#[cfg(test)]\nmod tests { \"told\" }";
    let found = literals(source);
    assert_eq!(found.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>(), ["one two", "x \"y\"", "z "]);
    assert_eq!(found.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 3, 4]);
}

#[test]
fn words_are_found_whole() {
    let words = |text: &str| wrong("a.rs", text).into_iter().map(|(word, _)| word).collect::<Vec<_>>();
    assert_eq!(words("It is Told here"), ["told"]);
    assert!(words("{told} of unlike-cores, worth_showing").is_empty());
    assert_eq!(words("the lag of loadcmp"), ["lag"]);
    assert!(words("the send lag of loadcmp").is_empty());
    assert_eq!(words("better or worse from {} on"), ["from N on"]);
    assert_eq!(wrong("a.yaml", "{ name: 10 tokens a second }").len(), 1);
}
