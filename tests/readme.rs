//! What the README shows of the code and of recorded figures is made from them: `UPDATE_GOLDEN=1 cargo test --test readme`
//! writes it anew. The figures are those of the last `make truth` and `make bench` whose files were kept.

use serde_json::Value;
use std::fmt::Write;
use std::sync::Mutex;

/// One at a time: each writes the same file.
static README: Mutex<()> = Mutex::new(());

/// Compares what stands between two marks of the README with what it has to be, or writes that there.
fn keeps(mark: &str, made: &str) {
    let _one = README.lock();
    let path = "README.md";
    let readme = std::fs::read_to_string(path).expect("the README");
    let (begin, end) = (format!("<!-- {mark}: begin -->\n"), format!("<!-- {mark}: end -->"));
    let from = readme.find(&begin).expect("the mark that begins it") + begin.len();
    let kept = &readme[from..from + readme[from..].find(&end).expect("the mark that ends it")];
    let made = format!("\n{}\n\n", made.trim_end());
    if kept == made {
        return;
    }
    assert!(
        std::env::var_os("UPDATE_GOLDEN").is_some(),
        "README.md shows other {mark} than there are; run: UPDATE_GOLDEN=1 cargo test --test readme"
    );
    let whole = readme.replace(&format!("{begin}{kept}{end}"), &format!("{begin}{made}{end}"));
    std::fs::write(path, whole).expect("writing the README");
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
    keeps("audit rules", &loadcmp::audit::rules_table());
}

#[test]
fn the_table_of_truth_is_the_one_recorded() {
    let told = recorded("bench/figures/truth.json");
    let share = |value: &Value| value.as_f64().map_or("–".to_owned(), |share| format!("{:.1} %", share * 100.0));
    let mut table =
        "| way of driving | figure | equal engines called different (0.5 to 6 %) | 95 % intervals that hold the \
                     truth (93 to 97 %) | 5 % found at the advised size (at least 90 %) | advised, mean |\n\
                     |:--|:--|--:|--:|--:|--:|\n"
            .to_owned();
    let ways = list(&told, "simulated");
    assert!(ways.len() >= 7, "every way of driving was run");
    for way in ways {
        for line in list(way, "figures") {
            let advised =
                line["units_advised_mean"].as_f64().map_or("–".to_owned(), |units| format!("{units:.0} units"));
            writeln!(
                table,
                "| {} | {} | {} | {} | {} | {advised} |",
                way["name"].as_str().expect("its name"),
                line["figure"].as_str().expect("a figure"),
                share(&line["false_rate"]),
                share(&line["coverage"]),
                share(&line["found"])
            )
            .expect("text");
        }
    }
    let of = |name: &str| ways[0][name].as_u64().expect("a number of runs");
    let (worst, real) = (ways.iter().filter_map(|way| way["false_verdicts"].as_f64()), &told["real_sockets"]);
    let worst = worst.fold(0.0, f64::max) * 100.0;
    let excluded: u64 = list(real, "excluded").iter().filter_map(Value::as_u64).sum();
    let pilots = || ways.iter().flat_map(|way| list(way, "pilots")).filter_map(Value::as_u64);
    let (fewest, pilots) = (pilots().min().unwrap_or(0), pilots().max().unwrap_or(0));
    let intervals: u64 = list(real, "intervals").iter().filter_map(Value::as_u64).sum();
    writeln!(
        table,
        "\nEach line: {} runs of equal engines, {} of a true 5 %, {pilots} of the size advised after a run of usual size \
         ({fewest} where blocks alternate: such runs are long). Over all metrics of a run, at most {worst:.1} % of runs of equal engines had any verdict. The real program over real \
         sockets, {} runs of two stand-ins that are alike: {} with a verdict; {excluded} of {intervals} intervals leave \
         out 1.",
        of("equal_runs"),
        of("different_runs"),
        real["runs"],
        real["false_verdicts"]
    )
    .expect("text");
    keeps("truth", &table);
}

#[test]
fn the_pacing_figures_are_those_recorded() {
    let told = recorded("bench/figures/pacing.json");
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
    let mut table = "| µs late: p50 / p99 / largest | released | written | arrived | CPU a request |\n\
                     |:--|--:|--:|--:|--:|\n"
        .to_owned();
    for line in list(&told, "tools") {
        let cpu = line["cpu_us"].as_f64().map_or("–".to_owned(), |cpu| format!("{cpu:.0} µs"));
        let (released, written, arrived) = (cell(line, "release"), cell(line, "send"), cell(line, "arrival"));
        let name = line["tool"].as_str().expect("its name");
        writeln!(table, "| {name} | {released} | {written} | {arrived} | {cpu} |").expect("text");
    }
    writeln!(
        table,
        "\n{} requests a second on {} cores that the server shared; medians of {} rounds of {} s, one tool after the other \
         in each.",
        told["rate"], told["cores"], told["rounds"], told["seconds"]
    )
    .expect("text");
    keeps("pacing", &table);
}
