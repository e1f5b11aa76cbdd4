//! `report.html`: one page on its own. No script, nothing fetched; light or dark as its reader's system is.

use super::bars::{self, Bars, bars};
use super::chart;
use super::front::front_table;
use super::lines::{MARK, Section, compared, engine_words, lines, marked, outcome_words, reasons};
use super::plot::Chart;
use crate::audit::{Finding, Severity};
use crate::report::words::ratio_words;
use crate::report::{Report, Status, files, human};
use crate::stats::Confusion;
use askama::Template;
use std::io::{self, Write};

/// Everything on the page as text; the template escapes all of it.
#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    name: &'a str,
    about: Option<&'a str>,
    headlines: Vec<(String, &'static str)>,
    has_stand_in: bool,
    interrupted: bool,
    load: String,
    workload: String,
    targets: Vec<String>,
    compared: Vec<String>,
    sections: Vec<(Section, Vec<PageLine>)>,
    mark: Option<&'static str>,
    /// How ratios are to be read.
    ratios: String,
    /// What the tails lack for intervals of their own.
    lacks: Vec<String>,
    /// Header and rows of the table of variants; its words below it.
    front: Option<(Vec<String>, Vec<Vec<String>>)>,
    front_words: Vec<String>,
    outcomes: Vec<(String, String)>,
    floor: String,
    soak: Vec<String>,
    spent: Option<Bars>,
    watching: Option<String>,
    charts: Vec<Chart>,
    reasons: Vec<String>,
    invalid: Vec<&'a Finding>,
    doubts: Vec<&'a Finding>,
    notes: Vec<&'a Finding>,
    confusions: Vec<(String, &'a Confusion)>,
    facts: Vec<(&'static str, String)>,
    files: Vec<(&'static str, &'static str)>,
    tool: &'a str,
    started: &'a str,
}

/// A row of a search's table: cells, verdict, the verdict's class, why.
type ProbeLine = (Vec<String>, String, &'static str, String);

/// The page of a search for capacity, all of it text.
#[derive(Template)]
#[template(path = "capacity.html")]
pub(super) struct CapacityPage<'a> {
    pub name: &'a str,
    pub title: String,
    pub headlines: Vec<(String, &'static str)>,
    pub doubts: Vec<String>,
    pub has_stand_in: bool,
    pub method: String,
    pub charts: Vec<Chart>,
    /// By target: its name, the heads, and the rows.
    pub tables: Vec<(String, Vec<String>, Vec<ProbeLine>)>,
    pub legend: String,
    pub engines: Vec<(String, String)>,
    pub tool: &'a str,
    pub started: &'a str,
}

impl CapacityPage<'_> {
    pub(super) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(self.render().map_err(io::Error::other)?.as_bytes())
    }
}

/// One row of the table.
struct PageLine {
    name: &'static str,
    main: bool,
    /// It tells a part of the line before it.
    part: bool,
    values: Vec<String>,
    /// Ratio, verdict and the verdict's class; one a compared target.
    verdicts: Vec<(String, &'static str, &'static str)>,
}

/// Writes it.
pub fn html(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let text = page(report).render().map_err(io::Error::other)?;
    out.write_all(text.as_bytes())
}

fn page(report: &Report) -> Page<'_> {
    let lines = lines(report);
    let compared = compared(report, &lines);
    let label = |at: &usize| report.targets.get(*at).map(|target| target.label()).unwrap_or_default();
    let mark = marked(&lines).then_some(MARK);
    let mut sections: Vec<(Section, Vec<PageLine>)> = Vec::new();
    for line in &lines {
        let verdict = |at: &usize| match line.comparisons[*at] {
            Some(c) => (ratio_words(c).unwrap_or_default(), c.verdict.as_str(), class(c.verdict.as_str())),
            None => (String::new(), "", ""),
        };
        let row = PageLine {
            name: line.name.trim_start(),
            part: line.name.starts_with(' '),
            main: line.path == report.primary,
            values: line.values.clone(),
            verdicts: compared.iter().map(verdict).collect(),
        };
        match sections.last_mut() {
            Some((section, rows)) if *section == line.section => rows.push(row),
            _ => sections.push((line.section, vec![row])),
        }
    }
    let main = report.comparisons.iter().filter(|c| c.metric == report.primary).map(|c| class(c.verdict.as_str()));
    Page {
        name: &report.plan.name,
        about: report.plan.about.as_deref(),
        headlines: report
            .headlines()
            .iter()
            .map(|words| unbroken(words))
            .zip(main.chain(std::iter::repeat("")))
            .collect(),
        has_stand_in: report.has_stand_in(),
        interrupted: report.status != Status::Complete,
        load: report.load_words(),
        workload: report.workload_words(),
        targets: report.targets.iter().map(|target| target.label()).collect(),
        compared: compared.iter().map(label).collect(),
        sections,
        mark,
        ratios: report.ratios_words(),
        lacks: report.footnotes(),
        front: report.front.as_ref().map(|front| front_table(report, front)),
        front_words: report.front.as_ref().map(|front| front.words(report)).unwrap_or_default(),
        outcomes: report.targets.iter().map(|target| (target.label(), outcome_words(target))).collect(),
        floor: report.floor_words(),
        soak: report.soak_words(),
        spent: bars(report),
        charts: [
            chart::distribution(report),
            chart::over_time(report),
            chart::latency_over_time(report),
            chart::cores(report),
            chart::memory(report),
        ]
        .into_iter()
        .flatten()
        .collect(),
        watching: report.watching_words(),
        reasons: reasons(report, &compared),
        invalid: report.invalid(),
        doubts: report.found(Severity::Doubt).collect(),
        notes: report.found(Severity::Note).collect(),
        confusions: report.targets.iter().filter_map(|t| Some((t.label(), t.confusion.as_ref()?))).collect(),
        facts: facts(report),
        files: files(&report.plan),
        tool: &report.tool,
        started: &report.started,
    }
}

/// The same words with their numbers and units held together: `5.0 %` is read as one, and not torn at a line's end.
pub(super) fn unbroken(words: &str) -> String {
    let is_unit = |word: &str| {
        let word = word.trim_end_matches(['.', ',', ';', ':', ')']);
        ["%", "µs", "ms", "s", "tok/s", "/s"].contains(&word)
    };
    let mut held = String::with_capacity(words.len());
    for (at, word) in words.split(' ').enumerate() {
        if at > 0 {
            held.push(if is_unit(word) && held.ends_with(|c: char| c.is_ascii_digit()) { '\u{a0}' } else { ' ' });
        }
        held.push_str(word);
    }
    held
}

fn class(verdict: &str) -> &'static str {
    match verdict {
        "better" => "better",
        "worse" => "worse",
        _ => "unshown",
    }
}

/// What it takes to do it again.
fn facts(report: &Report) -> Vec<(&'static str, String)> {
    let (plan, machine) = (&report.plan, &report.machine);
    let mut facts: Vec<(&'static str, String)> =
        plan.targets.iter().map(|target| ("Engine", format!("{}: {}", target.label(), engine_words(target)))).collect();
    let sampling = &plan.workload.sampling;
    facts.push(("Load", report.load_words()));
    facts.push(("Workload", format!("{}; hash {}", report.workload_words(), plan.workload.hash)));
    facts.push((
        "Sampling",
        format!(
            "temperature {}, at most {} tokens, top-k {}, top-p {}, seed {}",
            sampling.temperature,
            sampling.max_tokens,
            sampling.top_k,
            sampling.top_p,
            sampling.seed.map_or_else(|| "none".to_owned(), |seed| seed.to_string())
        ),
    ));
    let known = [
        machine.cpu.clone(),
        machine.logical_cores.map(|n| format!("{n} logical cores")),
        machine.memory_bytes.map(human::bytes),
        machine.os.clone(),
        machine.kernel.as_ref().map(|kernel| format!("kernel {kernel}")),
    ];
    facts.push(("Machine", known.into_iter().flatten().collect::<Vec<_>>().join(", ")));
    facts.push(("Began", report.started.clone()));
    if let Some(ended) = &report.ended {
        facts.push(("Ended", ended.clone()));
    }
    facts
}
