//! `report.html`: one page on its own. No script, nothing fetched; light or dark as its reader's system is.

use super::answers::{PromptView, answers};
use super::bars::{self, Bars, bars};
use super::chart;
use super::failures;
use super::filters;
use super::forest::{Card, CheckGroup, Forest, RatioMatrix, cards, checks, forests, matrix};
use super::labels::{LabelTable, Matrix, label_table, matrices};
use super::lines::{Line, MARK, Section, compared, lines, marked, outcome_words, ratio_cell, reasons};
use super::pareto::front_table;
use super::plot::Chart;
use super::repeat;
use super::terms;
use super::timeline::{TimeChart, timeline};
use crate::audit::{Finding, Severity};
use crate::metrics::metric_of;
use crate::report::{Report, files, human};
use crate::scenario::{History, Task, yaml_word};
use crate::stats::Verdict;
use askama::Template;
use std::io::{self, Write};

/// Warnings that are written out at the top of the page, at most: more would push the answer off the first screen.
const SPELT: usize = 2;

/// Everything on the page as text; the template escapes all of it.
#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    name: &'a str,
    about: Option<&'a str>,
    headlines: Vec<(String, &'static str)>,
    /// Every ratio around 1, of several compared targets also in one table; a card for each target, and the checks of the audit
    /// with what they came to.
    forests: Vec<Forest>,
    matrix: Option<RatioMatrix>,
    cards: Vec<Card>,
    fairness: String,
    one_start: Option<&'static str>,
    identical: String,
    checks: Vec<CheckGroup>,
    check_count: usize,
    has_stand_in: bool,
    unfinished: Option<&'a str>,
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
    /// Why requests failed, a row a target and reason; and those that are no failures.
    failures: Vec<[String; 5]>,
    failures_legend: Option<String>,
    ours: Option<String>,
    floor: String,
    soak: Vec<String>,
    spent: Option<Bars>,
    watching: Option<String>,
    charts: Vec<Chart>,
    /// The curves as a table.
    percentiles: (Vec<&'static str>, Vec<Vec<String>>),
    timeline: Option<TimeChart>,
    reasons: Vec<String>,
    invalid: Vec<&'a Finding>,
    /// Warnings that are written out at the top, and those that are named.
    warnings: Vec<&'a Finding>,
    more_warnings: Vec<&'a Finding>,
    /// Everything the audit found: how grave it is, and what.
    findings: Vec<(String, &'a Finding)>,
    answers: Vec<PromptView>,
    /// Each metric on the page: label, id, what it is.
    glossary: Vec<(&'static str, &'static str, &'static str)>,
    labels: Option<LabelTable>,
    confusions: Vec<Matrix>,
    command: &'a str,
    /// Gates: outcome, gate, figures and why; then tiers, and what else is said of gates and baseline.
    judged: Vec<[String; 3]>,
    tiers: Vec<String>,
    held: Vec<String>,
    /// The run beside its baseline: header and rows by target.
    deltas: Vec<([String; 5], Vec<[String; 5]>)>,
    /// How the gates ended.
    verdict: Option<String>,
    facts: Vec<(&'static str, String)>,
    engines: Vec<(String, Vec<String>)>,
    inequalities: Vec<String>,
    plan: String,
    files: Vec<(&'static str, &'static str)>,
    tool: &'a str,
    started: &'a str,
}

/// A row of a search's table: cells, verdict, the verdict's class, why, and the probe's own page.
pub(super) struct ProbeLine {
    pub cells: Vec<String>,
    pub verdict: String,
    pub class: &'static str,
    pub why: String,
    pub page: String,
}

/// The files of a search, each with what it is.
const CAPACITY_FILES: [(&str, &str); 6] = [
    ("capacity.html", "this page"),
    ("capacity.csv", "one row per probe"),
    ("capacity.json", "everything, for programs"),
    ("capacity.md", "for a pull request"),
    ("search.json", "the search as it was planned"),
    ("probes/", "one results directory per probe, each with its own report"),
];

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
    /// The heads and rows of the table of failures.
    pub failed_heads: [&'static str; 4],
    pub failed: Vec<[String; 4]>,
    pub legend: String,
    pub engines: Vec<(String, String)>,
    pub tool: &'a str,
    pub started: &'a str,
}

impl CapacityPage<'_> {
    pub(super) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(self.render().map_err(io::Error::other)?.as_bytes())
    }

    /// For the template.
    fn files(&self) -> [(&'static str, &'static str); 6] {
        CAPACITY_FILES
    }
}

/// One row of the table.
struct PageLine {
    name: &'static str,
    /// What its metric is.
    about: &'static str,
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
            Some(c) => (ratio_cell(line, c).unwrap_or_default(), c.verdict.as_str(), class(c.verdict.as_str())),
            None => (String::new(), "", ""),
        };
        let row = PageLine {
            name: line.name.trim_start(),
            about: metric_of(line.path).map(|metric| metric.about).unwrap_or_default(),
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
    let (forests, checks) = (forests(report, &lines), checks(report));
    let mut warnings: Vec<&Finding> = report.found(Severity::Warning).collect();
    let more_warnings = if warnings.len() > SPELT { warnings.split_off(1) } else { Vec::new() };
    // A sentence on several targets has the colour that all of them have.
    let main = report.comparisons.iter().filter(|c| c.metric == report.primary && c.verdict != Verdict::NotCompared);
    let main: Vec<&'static str> = main.map(|c| class(c.verdict.as_str())).collect();
    let main = main.first().filter(|first| main.iter().all(|class| class == *first)).copied();
    Page {
        name: &report.plan.name,
        about: report.plan.about.as_deref(),
        headlines: report
            .headlines()
            .iter()
            .map(|words| unbroken(words))
            .zip(main.into_iter().chain(std::iter::repeat("")))
            .collect(),
        matrix: matrix(&forests),
        forests,
        cards: cards(report),
        fairness: super::last::fairness(report),
        one_start: report.one_start(),
        identical: identical(report),
        check_count: checks.iter().map(|group| group.checks.len()).sum(),
        checks,
        has_stand_in: report.has_stand_in(),
        unfinished: report.unfinished.as_ref().map(|unfinished| unfinished.sentence.as_str()),
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
        failures: failures::rows(report),
        failures_legend: failures::legend(report),
        ours: failures::ours(report),
        floor: report.floor_words(),
        soak: report.soak_words(),
        spent: bars(report),
        charts: chart::distributions(report),
        percentiles: chart::percentiles(report),
        timeline: timeline(report),
        watching: report.watching_words(),
        reasons: reasons(report, &compared),
        invalid: report.spoilt().collect(),
        warnings,
        more_warnings,
        findings: report.findings.iter().map(|finding| (yaml_word(&finding.severity), finding)).collect(),
        answers: answers(report),
        glossary: glossary(&lines),
        labels: label_table(report),
        confusions: matrices(report),
        command: &report.command,
        facts: repeat::facts(report),
        engines: repeat::engines(report),
        inequalities: repeat::inequalities(report),
        plan: repeat::plan(report),
        files: files(&report.plan, report.baseline.is_some(), report.packed()),
        judged: super::gates::rows(report),
        tiers: super::gates::tier_words(report),
        held: super::gates::notes(report),
        deltas: super::gates::deltas(report),
        verdict: report.judgement.as_ref().and_then(|judgement| judgement.summary()),
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

/// What says that every target was asked the same.
fn identical(report: &Report) -> String {
    let hash = report.plan.workload.hash.get(..12).unwrap_or_default();
    let list = format!("drawn with seed {} before anything was sent (hash of the list: {hash}…)", report.plan.seed);
    let own = report.plan.task == Task::Chat && report.plan.workload.history == History::Own;
    match report.identical.filter(|_| !own) {
        Some((same, compared)) => {
            format!("{} of {} by their hash, in the same order, {list}.", human::count(same), human::count(compared))
        }
        None if own => format!(
            "the same first turns in the same order, {list}; later turns continue with each engine’s own answers."
        ),
        None => format!("one list in one order, {list}."),
    }
}

/// The metrics of some lines, each once.
fn glossary(lines: &[Line]) -> Vec<(&'static str, &'static str, &'static str)> {
    let mut all: Vec<(&str, &str, &str)> = Vec::new();
    for metric in lines.iter().filter_map(|line| metric_of(line.path)) {
        if !all.iter().any(|(_, id, _)| *id == metric.id) {
            all.push((metric.label, metric.id, metric.about));
        }
    }
    all
}

fn class(verdict: &str) -> &'static str {
    match verdict {
        "better" => "better",
        "worse" => "worse",
        _ => "unshown",
    }
}
