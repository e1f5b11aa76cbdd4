//! What the README shows of the code and of recorded figures is made from them: `UPDATE_GOLDEN=1 cargo test --test readme`
//! writes it anew. The figures are those of the last `make truth` and `make bench` whose files were kept.

#[path = "common/sources.rs"]
mod sources;

use serde_json::Value;
use std::fmt::Write;
use std::sync::Mutex;

/// The kept figures of `make truth`.
const TRUTH: &str = "bench/figures/truth.json";

/// One at a time: each writes the same file.
static README: Mutex<()> = Mutex::new(());

/// Compares what stands between two marks of a page with what it has to be, or writes that there.
fn keeps(path: &str, mark: &str, made: &str) {
    let _one = README.lock();
    let readme = std::fs::read_to_string(path).expect("the page");
    let (begin, end) = (format!("<!-- {mark}: begin -->\n"), format!("<!-- {mark}: end -->"));
    let from = readme.find(&begin).expect("the mark that begins it") + begin.len();
    let kept = &readme[from..from + readme[from..].find(&end).expect("the mark that ends it")];
    let made = format!("\n{}\n\n", made.trim_end());
    if kept == made {
        return;
    }
    assert!(
        std::env::var_os("UPDATE_GOLDEN").is_some(),
        "{path} shows other {mark} than there are; run: UPDATE_GOLDEN=1 cargo test --test readme"
    );
    let whole = readme.replace(&format!("{begin}{kept}{end}"), &format!("{begin}{made}{end}"));
    std::fs::write(path, whole).expect("writing the page");
}

fn recorded(path: &str) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().unwrap_or_else(|| panic!("no {name} in {value}"))
}

#[test]
fn the_list_of_audit_rules_is_the_codes() {
    keeps("docs/fairness.md", "audit rules", &loadcmp::audit::rules_table());
}

#[test]
fn the_table_of_metrics_is_the_codes() {
    keeps("docs/metrics.md", "metrics", &loadcmp::metrics::document());
}

#[test]
fn the_columns_of_samples_are_the_codes() {
    keeps("docs/samples.md", "samples", &loadcmp::record::dictionary::document());
}

#[test]
fn the_figures_of_truth_are_of_this_code() {
    let told = recorded(TRUTH);
    let now = sources::sources();
    let parts = now.as_object().expect("folders");
    let changed: Vec<&str> =
        parts.iter().filter(|(folder, hash)| told["of"][folder] != **hash).map(|(folder, _)| folder.as_str()).collect();
    assert!(
        changed.is_empty(),
        "{} changed since {TRUTH} was made (at {}). If no figure should have changed: make truth-short ARGS=--same (minutes). \
         Else: make truth ARGS=--keep (an hour), and UPDATE_GOLDEN=1 cargo test --test readme",
        changed.join(", "),
        told["commit"]
    );
}

#[test]
fn comments_tests_and_layout_change_no_hash() {
    let one =
        "//! About.\n\nfn a(\n    x: u8,\n) {\n    b(x); }\n#[cfg(test)]\nmod tests {\n    fn c() {}\n}\nfn d() {}\n";
    let other = "/// More.\nfn a(x: u8) { b(x); }\n\n#[cfg(test)]\n#[path = \"t.rs\"]\nmod tests;\nfn d() {}\n";
    assert_eq!(sources::code(one), sources::code(other));
    assert_ne!(sources::code(one), sources::code(&one.replace("b(x)", "b(x + 1)")));
    assert_ne!(sources::code(one), sources::code(&one.replace("fn d", "fn e")), "what stands below the tests counts");
}

#[test]
fn the_table_of_truth_is_the_one_recorded() {
    let told = recorded(TRUTH);
    let share =
        |value: &Value| value["share"].as_f64().map_or("–".to_owned(), |share| format!("{:.1} %", share * 100.0));
    let ways = list(&told, "simulated");
    assert!(ways.len() >= 30, "every way of driving was run");
    let table = |ways: &[Value]| {
        let mut table =
            "| way of driving | measured, mean | equal engines called different (at most 6 %) | 95 % intervals that hold the \
                 truth: engines equal, and 2 and 10 % different (93 to 97 %) | a true 10 % shown | a true 5 % shown at the advised length (at \
                 least 90 %) | that length, median | compared with what is needed |\n\
                 |:--|--:|--:|--:|--:|--:|--:|--:|\n"
                .to_owned();
        for way in ways {
            let number = |name: &str, places: usize, unit: &str| {
                way["advice"][name].as_f64().map_or("–".to_owned(), |number| format!("{number:.places$} {unit}"))
            };
            writeln!(
                table,
                "| {}{} | {:.0} s | {} | {}, {} | {} | {} | {} | {} |",
                way["name"].as_str().expect("its name").replace("of unlike lengths", "answers of different lengths"),
                if way["held"] == true { "" } else { " (can't be held)" },
                way["seconds"].as_f64().expect("a length"),
                share(&way["false_any"]),
                share(&way["holds_equal"]),
                share(&way["holds_different"]),
                share(&way["ten_found"]),
                share(&way["five_found"]),
                number("median_s", 0, "s"),
                number("of_needed", 1, "×"),
            )
            .expect("text");
        }
        table
    };
    let of = |name: &str| ways[0][name]["of"].as_u64().expect("a number of runs");
    let real = &told["real_sockets"];
    let sum = |name: &str| list(real, name).iter().filter_map(Value::as_u64).sum::<u64>();
    let sockets = if real.is_null() {
        String::new()
    } else {
        format!(
            " The real program over real sockets, {} runs of two equal stand-ins: {} with a verdict; {} of {} intervals \
             leave out 1.",
            real["runs"],
            real["false_verdicts"],
            sum("excluded"),
            sum("intervals")
        )
    };
    let outside = list(&told, "outside").len();
    let words = format!(
        "\nEach line: {} runs of equal engines, {} of a true 10 %, {} of the advised length; {}.{sockets} Made at {}.",
        of("false_any"),
        of("ten_found"),
        of("unadvised"),
        match outside {
            0 => "nothing lies outside".to_owned(),
            1 => "1 figure lies outside".to_owned(),
            _ => format!("{outside} figures lie outside"),
        },
        told["commit"].as_str().unwrap_or("a commit that isn't known")
    );
    // The defaults; the page of statistics has them all.
    let defaults = ways.iter().position(|way| way["default"] != true).unwrap_or(ways.len());
    keeps("README.md", "truth", &(table(&ways[..defaults]) + &words));
    keeps("docs/statistics.md", "truth", &(table(ways) + &words));
}

/// The kept figures of `make bench`.
const BENCH: &str = "bench/figures/bench.json";

/// A number of the bench, whose places may be missing from no file.
fn figure(told: &Value, place: &str) -> f64 {
    told.pointer(place).and_then(Value::as_f64).unwrap_or_else(|| panic!("{BENCH} has no {place}"))
}

/// A count with its thousands grouped.
fn grouped(count: f64) -> String {
    let digits = format!("{count:.0}");
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).expect("digits")).collect();
    groups.join(",")
}

#[test]
fn the_speed_is_the_one_recorded() {
    let told = recorded(BENCH);
    let at = |place: &str| figure(&told, place);
    let spread = |place: &str| {
        let of = |word: &str| at(&format!("{place}/{word}"));
        format!("{:.2} ({:.2}–{:.2})", of("median"), of("least"), of("largest"))
    };
    let mut table =
        "| | loadcmp | oha | loadcmp ÷ oha: rate | CPU | a bare client |\n|:--|--:|--:|--:|--:|--:|\n".to_owned();
    for (part, words) in
        [("plain", "whole answers"), ("stream", "streams of 16 chunks"), ("stream128", "streams of 128 chunks")]
    {
        let tool = |name: &str| {
            let median = |what: &str| at(&format!("/{part}/{name}/{what}/median"));
            format!("{} /s, {:.1} µs", grouped(median("rate")), median("cpu_us"))
        };
        let ratio = |what: &str| spread(&format!("/{part}/{what}_ratio"));
        writeln!(
            table,
            "| {words} | {} | {} | {} | {} | {} |",
            tool("loadcmp"),
            tool("oha"),
            ratio("rate"),
            ratio("cpu_us"),
            tool("bare")
        )
        .expect("text");
    }
    let error = |which: &str| {
        let of = |tool: &str, q: &str| at(&format!("/stamps/{tool}/{which}/{q}/median"));
        let both = |q: &str| format!("{q} {:.0} µs ({:.0})", of("loadcmp", q), of("bare", q));
        format!("{}, {}", both("p50"), both("p99"))
    };
    let floor = |load: &str| {
        let bench = spread(&format!("/floor/{load}/bench_us"));
        format!("{:.1} µs by `calibrate`, {bench} µs here", at(&format!("/floor/{load}/calibrate_us")))
    };
    let chat = |peer: &str| {
        format!(
            "{} | {:.1} µs of CPU, against {:.1}: {}; rate {}",
            told["chat"][peer]["version"].as_str().unwrap_or_default(),
            at("/chat/loadcmp/cpu_us/median"),
            at(&format!("/chat/{peer}/cpu_us/median")),
            spread(&format!("/chat/{peer}/cpu_us_ratio")),
            spread(&format!("/chat/{peer}/rate_ratio")),
        )
    };
    write!(
        table,
        "\nRequests per second and CPU per request, medians of {rounds} rounds of {seconds} s at {users} connections, one tool after \
         another in each; ratios within a round, with the least and the largest. Made at commit `{commit}` on {cores} cores.\n\n\
         | | |\n|:--|:--|\n\
         | streams of 16 chunks by OpenAI's chat route, compared with vLLM's Rust client {vllm} |\n\
         | the same, compared with llmnop {llmnop} |\n\
         | first token at 20 ms, {users} users, later than the server's own record says (a bare client's) | {first} |\n\
         | the end of the same answers | {end} |\n\
         | CPU of a request by one user, whole answers | {whole} |\n\
         | the same, streams of 8 chunks | {stream_floor} |\n\
         | CPU of a token more of 64 streams, 100 tokens/s each | {token} |\n\
         | 10,000 open streams, a token per second each | {kib:.0} KiB of memory per stream, {stream:.0} µs of CPU per stream of 17 pieces |\n\
         | peak memory after 20,000, 200,000 and {rows} requests | {few:.0}, {many:.0} and {most:.0} MiB |\n\
         | `loadcmp report` of {rows} rows | {report:.1} s, {row:.2} µs of CPU per row, {held:.0} MiB |\n\
         | a whole run of one request, start to exit | {start:.0} ms with the native driver, {goose:.0} ms with goose |\n",
        rounds = told["rounds"],
        seconds = told["seconds"],
        users = told["users"],
        commit = told["commit"].as_str().unwrap_or_default(),
        cores = told["cores"],
        vllm = chat("vllm-rs"),
        llmnop = chat("llmnop"),
        whole = floor("whole"),
        stream_floor = floor("stream"),
        token = floor("token"),
        first = error("first_us"),
        end = error("end_us"),
        kib = at("/slow/kib"),
        stream = at("/slow/cpu_us"),
        few = at("/memory/mib/0"),
        many = at("/memory/mib/1"),
        most = at("/memory/mib/2"),
        rows = grouped(at("/memory/rows")),
        report = at("/memory/report_s"),
        held = at("/memory/report_mib"),
        row = at("/memory/report_cpu_us"),
        start = at("/start/native/median"),
        goose = at("/start/goose/median"),
    )
    .expect("text");
    keeps("docs/speed.md", "speed", &table);
}

#[test]
fn the_pacing_figures_are_those_recorded() {
    let all = recorded(BENCH);
    let cell = |line: &Value, kind: &str| {
        let number = |value: &Value| match value.as_f64().expect("a time") {
            large if large >= 100.0 => format!("{large:.0}"),
            small => format!("{small:.1}"),
        };
        let all = &line[kind];
        if all.is_null() {
            return "–".to_owned();
        }
        format!("{} / {} / {}", number(&all["p50"]), number(&all["p99"]), number(&all["max"]))
    };
    let mut page = String::new();
    for told in [&all["pacing200"], &all["pacing"]] {
        let rate = grouped(told["rate"].as_f64().expect("a rate"));
        writeln!(page, "| µs late at {rate}/s: p50 / p99 / largest | released | written | arrived | CPU per request |\n|:--|--:|--:|--:|--:|")
            .expect("text");
        for line in list(told, "tools") {
            let cpu = line["cpu_us"].as_f64().map_or("–".to_owned(), |cpu| format!("{cpu:.0} µs"));
            let (released, written, arrived) = (cell(line, "release"), cell(line, "send"), cell(line, "arrival"));
            let name = line["tool"].as_str().expect("its name");
            writeln!(page, "| {name} | {released} | {written} | {arrived} | {cpu} |").expect("text");
        }
        page.push('\n');
    }
    let told = &all["pacing"];
    writeln!(
        page,
        "Requests per second on {} cores, the client on one half and the server on the other; medians of {} rounds of {} s, one tool \
         after the other in each.",
        told["cores"], told["rounds"], told["seconds"]
    )
    .expect("text");
    keeps("docs/speed.md", "pacing", &page);
}

/// A page that nobody reads to its end says nothing.
#[test]
fn the_readme_is_short_and_shows_the_command_with_its_output() {
    let text = std::fs::read_to_string("README.md").expect("the page");
    assert!(text.lines().count() <= 150, "{} lines", text.lines().count());
    let (before, _) = text.split_once("In this run native is").expect("a printed result");
    let command = before.lines().last().expect("a line before it");
    assert!(command.starts_with("$ make demo"), "{command}");
}

#[test]
fn links_between_pages_lead_somewhere() {
    let mut pages = vec!["README.md".to_owned(), "CONTRIBUTING.md".to_owned()];
    for entry in std::fs::read_dir("docs").expect("the pages") {
        let path = entry.expect("a page").path();
        if path.extension().is_some_and(|end| end == "md") {
            pages.push(path.display().to_string());
        }
    }
    let anchor = |heading: &str| -> String {
        let kept = heading.trim_start_matches('#').trim().to_lowercase();
        kept.chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect()
    };
    let mut lost = Vec::new();
    for page in &pages {
        let text = std::fs::read_to_string(page).expect("a page");
        let folder = std::path::Path::new(page).parent().expect("its folder");
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") || link.is_empty() {
                continue;
            }
            let (file, part) = link.split_once('#').unwrap_or((link, ""));
            let there = if file.is_empty() { page.into() } else { folder.join(file) };
            let found = there.exists()
                && (part.is_empty()
                    || std::fs::read_to_string(&there)
                        .is_ok_and(|text| text.lines().any(|line| line.starts_with('#') && anchor(line) == part)));
            if !found {
                lost.push(format!("{page}: {link}"));
            }
        }
    }
    assert!(lost.is_empty(), "{}", lost.join("\n"));
    let index = std::fs::read_to_string("docs/README.md").expect("the index");
    let missing: Vec<_> = pages
        .iter()
        .filter_map(|page| page.strip_prefix("docs/"))
        .filter(|page| *page != "README.md" && !index.contains(*page))
        .collect();
    assert!(missing.is_empty(), "docs/README.md leaves out {missing:?}");
}

/// A page that explains rows of the table calls them as the table does.
#[test]
fn rows_that_are_explained_are_called_as_in_the_table() {
    let page = std::fs::read_to_string("docs/fair-setup.md").expect("the page");
    let mut seen = 0;
    for line in page.lines().filter(|line| line.starts_with('|')) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let Some(id) = cells.get(2).and_then(|cell| cell.strip_prefix('`')?.strip_suffix('`')) else { continue };
        let Some(known) = loadcmp::metrics::metric(id) else { continue };
        let labels: Vec<&str> = known.shown.iter().map(|shown| shown.label.trim()).collect();
        assert!(labels.contains(&cells[1]), "docs/fair-setup.md calls {id} \"{}\", the table {labels:?}", cells[1]);
        seen += 1;
    }
    assert!(seen >= 5, "{seen}");
}
