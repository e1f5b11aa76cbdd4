//! Several runs, each compared with the first: for the terminal, a pull request, programs, and as a page.

use super::compare::{cells_of, differences};
use super::csv_text::{rows, text};
use super::draw::{Look, print, verdict, wrapped};
use super::filters::{self, link};
use super::forest::{Forest, ForestRow, Scaled, scaled};
use super::html::unbroken;
use super::lines::{in_order, values};
use super::markup::plain;
use super::terms;
use crate::metrics::{metric_of, metric_words};
use crate::report::words::ratio_words;
use crate::report::{ComparedRun, Pair, TwoRuns, human, pretty};
use crate::stats::Comparison;
use askama::Template;
use std::io::{self, Write};
use std::path::Path;

/// One target over all the runs that have it.
struct Engine<'a> {
    /// Its name in the first run.
    name: &'a str,
    /// Positions of the runs in `besides`, with the pair of each.
    pairs: Vec<(usize, &'a Pair)>,
}

/// The targets of the first run that others have, too.
fn engines(besides: &[TwoRuns]) -> Vec<Engine<'_>> {
    let mut all: Vec<Engine<'_>> = Vec::new();
    for (at, pair) in
        besides.iter().enumerate().flat_map(|(at, beside)| beside.pairs.iter().map(move |pair| (at, pair)))
    {
        match all.iter_mut().find(|engine| engine.name == pair.first) {
            Some(engine) => engine.pairs.push((at, pair)),
            None => all.push(Engine { name: &pair.first, pairs: vec![(at, pair)] }),
        }
    }
    all
}

/// The runs: the first, then the others.
fn sides(besides: &[TwoRuns]) -> impl Iterator<Item = &ComparedRun> {
    let first = besides.first().map(|beside| &beside.first);
    first.into_iter().chain(besides.iter().map(|beside| &beside.second))
}

/// What runs are called: the first one's name, then the others'. The last part of each path, where these differ.
fn names(besides: &[TwoRuns]) -> Vec<String> {
    let whole: Vec<&str> = sides(besides).map(|side| side.name.as_str()).collect();
    let last = |path: &&str| {
        let path = Path::new(path);
        let named = if path.ends_with("report.json") { path.parent().unwrap_or(path) } else { path };
        named.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    };
    let short: Vec<String> = whole.iter().map(last).collect();
    let mut seen = short.clone();
    seen.sort();
    seen.dedup();
    let all = if seen.len() == short.len() && seen.iter().all(|name| !name.is_empty()) {
        short
    } else {
        whole.into_iter().map(str::to_owned).collect()
    };
    all.iter().map(|name| human::printable(name)).collect()
}

fn of<'a>(pair: &'a Pair, metric: &str) -> Option<&'a Comparison> {
    pair.comparisons.iter().find(|c| c.metric == metric)
}

/// The main metric, as the first two runs declare it.
fn main(besides: &[TwoRuns]) -> &str {
    besides.first().map(|beside| beside.primary.as_str()).unwrap_or_default()
}

/// The heads and rows of a target's table: run, main figure, ratio, verdict.
fn table_of(names: &[String], main: &str, engine: &Engine<'_>) -> (Vec<String>, Vec<Vec<String>>) {
    let heads = vec![engine.name.to_owned(), metric_words(main), "ratio (95 % CI)".to_owned(), "verdict".to_owned()];
    let mut rows = Vec::new();
    for (at, pair) in &engine.pairs {
        let c = of(pair, main);
        let (first, value) = c.map_or(("–".to_owned(), "–".to_owned()), values);
        if rows.is_empty() {
            rows.push(vec![names[0].clone(), first, "1".to_owned(), "reference".to_owned()]);
        }
        let mut row = vec![names[at + 1].clone(), value];
        row.extend(verdict(c));
        rows.push(row);
    }
    (heads, rows)
}

/// What to be careful about: of every run, once; and what it doesn't have in common with the first.
fn notes(besides: &[TwoRuns]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for beside in besides {
        let differ = differences(beside).into_iter().map(|words| format!("{}: {words}", beside.second.name));
        for note in beside.notes.iter().cloned().chain(differ) {
            if !all.contains(&note) {
                all.push(note);
            }
        }
    }
    all.push(
        "Each run is compared with the first alone. Of many equal runs, one may look different by chance.".to_owned(),
    );
    all
}

/// Writes it for a terminal.
pub fn many_table(besides: &[TwoRuns], look: Look, out: &mut dyn Write) -> io::Result<()> {
    let width = usize::from(look.width.clamp(40, 160));
    let (names, main) = (names(besides), main(besides));
    for engine in engines(besides) {
        let (heads, rows) = table_of(&names, main, &engine);
        print(heads, rows, 2, look, out)?;
        writeln!(out)?;
    }
    for note in notes(besides) {
        wrapped(out, &format!("! {note}"), width, "  ")?;
    }
    Ok(())
}

/// Writes it for a pull request.
pub fn many_markdown(besides: &[TwoRuns], out: &mut dyn Write) -> io::Result<()> {
    let (names, main) = (names(besides), main(besides));
    for engine in engines(besides) {
        let (heads, rows) = table_of(&names, main, &engine);
        let line =
            |cells: &[String]| format!("| {} |", cells.iter().map(|cell| plain(cell)).collect::<Vec<_>>().join(" | "));
        writeln!(out, "{}\n|:--|--:|--:|:--|", line(&heads))?;
        rows.iter().try_for_each(|row| writeln!(out, "{}", line(row)))?;
        writeln!(out)?;
    }
    notes(besides).iter().try_for_each(|note| writeln!(out, "- {}", plain(note)))
}

/// Writes it as JSON: a list, one comparison with the first run for each other.
pub fn many_json(besides: &[TwoRuns], out: &mut dyn Write) -> io::Result<()> {
    pretty(out, &besides)
}

/// Writes a row per run, target and metric.
pub fn many_csv(besides: &[TwoRuns], out: &mut dyn Write) -> io::Result<()> {
    let header =
        ["run", "metric", "unit", "target", "first_value", "value", "ratio", "low", "high", "verdict", "reason"];
    let cells = besides.iter().flat_map(|beside| {
        beside.pairs.iter().flat_map(move |pair| pair.comparisons.iter().map(move |c| (beside, pair, c)))
    });
    let cells = cells.map(|(beside, pair, c)| {
        let [first, value, ratio, low, high, verdict, reason] = cells_of(c);
        let [run, target] = [&beside.second.name, &pair.second].map(|name| text(name).into_owned());
        [run, c.metric.clone(), c.unit.clone(), target, first, value, ratio, low, high, verdict, reason]
    });
    rows(out, header, cells)
}

/// A figure of a run: value, ratio with its interval, and the verdict, which is its class, too.
struct Cell {
    value: String,
    ratio: String,
    verdict: &'static str,
}

/// One target on the page.
struct EngineView {
    name: String,
    forest: Option<Forest>,
    runs: Vec<String>,
    /// By metric: its name, the first run's figure, and each other run's.
    rows: Vec<(String, String, Vec<Cell>)>,
}

/// A run on the page.
struct RunLine {
    name: String,
    /// Its own page, where there is one.
    page: Option<String>,
    started: String,
    note: String,
}

#[derive(Template)]
#[template(path = "compare.html")]
struct Page {
    name: String,
    headline: String,
    runs: Vec<RunLine>,
    engines: Vec<EngineView>,
    notes: Vec<String>,
    tool: String,
}

/// Writes it as a page. `report` is the address of a run's own page, by the name it was given by.
pub fn many_html(besides: &[TwoRuns], report: &dyn Fn(&str) -> Option<String>, out: &mut dyn Write) -> io::Result<()> {
    let (called, main) = (names(besides), main(besides));
    let engines = engines(besides);
    let effect = besides.first().map_or(0.0, |beside| beside.smallest_effect);
    let run = |(name, side): (&String, &ComparedRun)| {
        let note = if side.invalid { "invalid by its own audit".to_owned() } else { String::new() };
        let page = report(&side.name).map(|page| link(&page));
        RunLine { name: name.clone(), page, started: human::printable(&side.started.replacen('T', " ", 1)), note }
    };
    let page = Page {
        name: format!("{} runs compared", called.len()),
        headline: unbroken(&headline(&engines, &called, main)),
        runs: called.iter().zip(sides(besides)).map(run).collect(),
        engines: engines.iter().map(|engine| view(engine, &called, main, effect)).collect(),
        notes: notes(besides),
        tool: crate::report::TOOL.to_owned(),
    };
    out.write_all(page.render().map_err(io::Error::other)?.as_bytes())
}

/// Which run is best in the main metric, and how many are undecided.
fn headline(engines: &[Engine<'_>], called: &[String], main: &str) -> String {
    let Some(engine) = engines.first() else { return "No target is in the first run and another.".to_owned() };
    let told = |at: &usize, pair: &Pair| of(pair, main).map(|c| (*at, c.clone()));
    let all: Vec<(usize, Comparison)> = engine.pairs.iter().filter_map(|(at, pair)| told(at, pair)).collect();
    let with = |verdict: &str| -> Vec<String> {
        let chosen = all.iter().filter(|(_, c)| c.verdict.as_str() == verdict);
        chosen.map(|(at, c)| format!("{} ({})", called[at + 1], ratio_words(c).unwrap_or_default())).collect()
    };
    let parts: Vec<String> = ["better", "worse", "equal", "undecided"]
        .into_iter()
        .map(|verdict| (verdict, with(verdict)))
        .filter(|(_, runs)| !runs.is_empty())
        .map(|(verdict, runs)| format!("{verdict}: {}", runs.join(", ")))
        .collect();
    let first = &called[0];
    format!("{} of {} against {first}. {}.", metric_words(main), engine.name, parts.join("; "))
}

fn view(engine: &Engine<'_>, called: &[String], main: &str, effect: f64) -> EngineView {
    let known = |(at, pair): &(usize, &Pair)| Some((called[at + 1].clone(), of(pair, main)?.clone()));
    let mains: Vec<(String, Comparison)> = engine.pairs.iter().filter_map(known).collect();
    // Every metric that any run has, in the order in which people read them.
    let all: Vec<Comparison> =
        engine.pairs.iter().flat_map(|(_, pair)| &pair.comparisons).fold(Vec::new(), |mut all, c| {
            if !all.iter().any(|known: &Comparison| known.metric == c.metric) {
                all.push(c.clone());
            }
            all
        });
    let row = |(name, c): (String, &Comparison)| {
        let cell = |(_, pair): &(usize, &Pair)| match of(pair, &c.metric) {
            Some(c) => {
                Cell { value: values(c).1, ratio: ratio_words(c).unwrap_or_default(), verdict: c.verdict.as_str() }
            }
            None => Cell { value: "–".to_owned(), ratio: String::new(), verdict: "" },
        };
        (name, values(c).0, engine.pairs.iter().map(cell).collect())
    };
    EngineView {
        name: engine.name.to_owned(),
        forest: forest(&mains, main, &called[0], effect),
        runs: engine.pairs.iter().map(|(at, _)| called[at + 1].clone()).collect(),
        rows: in_order(&all).into_iter().map(row).collect(),
    }
}

/// The main ratio of each run around 1.
fn forest(mains: &[(String, Comparison)], main: &str, first: &str, effect: f64) -> Option<Forest> {
    let ratios = mains.iter().filter_map(|(name, c)| Some((name, c, [c.ratio?, c.low?, c.high?])));
    let ratios: Vec<(&String, &Comparison, [f64; 3])> =
        ratios.filter(|(_, _, xs)| xs.iter().all(|x| *x > 0.0)).collect();
    let axis: Scaled = scaled(ratios.iter().flat_map(|(_, _, xs)| xs.iter().copied()));
    let row = |(name, c, [ratio, low, high]): &(&String, &Comparison, [f64; 3])| {
        let (left, width, at) = axis.row(*ratio, *low, *high);
        ForestRow {
            section: "",
            name: (*name).clone(),
            about: metric_of(main).map(|metric| metric.about).unwrap_or_default(),
            path: "",
            main: false,
            left,
            width,
            at,
            ratio: ratio_words(c).unwrap_or_default(),
            verdict: c.verdict.as_str(),
        }
    };
    (!ratios.is_empty()).then(|| Forest {
        title: format!("{} ÷ {first}", metric_words(main)),
        band: axis.band(effect),
        ends: axis.ends(),
        rows: ratios.iter().map(row).collect(),
        more: Vec::new(),
    })
}
