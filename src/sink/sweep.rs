//! A sweep: a row a run, target and figure for programs, and tables for the terminal and a pull request.

use super::csv_text::{count, number, text};
use super::draw::{Look, last, natural_width, print, wrapped};
use super::markup::{cells, plain};
use crate::metrics::{self, metric_words};
use crate::report::sweep::{Scaling, Sweep, SweptRun, cost_words, point_words, short_path, value_words};
use crate::report::words::ratio_words;
use crate::report::{Status, human, pretty};
use crate::stats::{Comparison, CostFit, Usl, Verdict};
use std::io::{self, Write};
use std::path::Path;

/// Writes `sweep.csv`: the swept paths are columns by their full names.
pub fn sweep_csv(sweep: &Sweep, out: &mut dyn Write) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(out);
    let ends =
        ["target", "stand_in", "concurrency", "metric", "unit", "n", "value", "low", "high", "run_status", "run_valid"];
    let begin = ["run", "point", "repeat", "folder"].map(str::to_owned);
    let paths = sweep.manifest.paths.iter().map(|path| text(path).into_owned());
    csv.write_record(begin.into_iter().chain(paths).chain(ends.map(str::to_owned)))?;
    for run in &sweep.runs {
        let place = sweep.manifest.runs.iter().position(|planned| planned.folder == run.planned.folder);
        for (target, met) in sweep.targets.iter().zip(&run.targets) {
            for figure in &met.figures {
                let planned = &run.planned;
                let begin = [
                    count(place.map(|at| at as u64 + 1)),
                    planned.point.to_string(),
                    planned.repeat.to_string(),
                    text(&planned.folder).into_owned(),
                ];
                let values = planned.values.iter().map(|value| text(&value_words(value)).into_owned());
                let ends = [
                    text(&target.name).into_owned(),
                    target.stand_in.to_string(),
                    run.concurrency.to_string(),
                    figure.metric.to_owned(),
                    figure.unit.clone(),
                    count(figure.n),
                    figure.value.to_string(),
                    number(figure.low),
                    number(figure.high),
                    status_word(run.status).to_owned(),
                    run.invalid.is_empty().to_string(),
                ];
                csv.write_record(begin.into_iter().chain(values).chain(ends))?;
            }
        }
    }
    csv.flush()
}

/// Writes it as JSON.
pub fn sweep_json(sweep: &Sweep, out: &mut dyn Write) -> io::Result<()> {
    pretty(out, sweep)
}

/// Writes it for a terminal: what came of it last, and then the page, which is in `files`.
pub fn sweep_table(sweep: &Sweep, look: Look, files: Option<&Path>, out: &mut dyn Write) -> io::Result<()> {
    let width = usize::from(look.width.clamp(40, 160));
    wrapped(out, &title(sweep), width, "")?;
    wrapped(out, &about(sweep), width, "")?;
    if sweep.manifest.status != Status::Complete {
        writeln!(out, "INTERRUPTED")?;
    }
    writeln!(out)?;
    // Wide terminals have room for more than the main figures.
    let fits = |sheet: &Sheet| natural_width(&sheet.header, &sheet.rows, 2) <= width;
    let most = if width >= 110 { 3 } else { 1 };
    let all: Vec<Sheet> = (1..=most).map(|metrics| headed(sweep, points(sweep, metrics))).collect();
    let best = all.iter().rposition(fits).unwrap_or(0);
    let Some(table) = all.into_iter().nth(best) else { return Ok(()) };
    if !table.title.is_empty() {
        wrapped(out, &table.title, width, "")?;
    }
    print(table.header, table.rows, usize::MAX, look, out)?;
    for table in more_tables(sweep) {
        writeln!(out)?;
        wrapped(out, &table.title, width, "")?;
        print(table.header, table.rows, usize::MAX, look, out)?;
    }
    writeln!(out)?;
    for words in fit_words(sweep) {
        wrapped(out, &words, width, "  ")?;
    }
    for note in &sweep.notes {
        wrapped(out, &format!("! {note}"), width, "  ")?;
    }
    last(&sweep.headlines(), files.map(|files| files.join("sweep.html")), width, out)
}

/// Writes it for a pull request.
pub fn sweep_markdown(sweep: &Sweep, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "### {}\n", plain(&title(sweep)))?;
    for headline in sweep.headlines() {
        writeln!(out, "**{}**\n", plain(&headline))?;
    }
    if sweep.manifest.status != Status::Complete {
        writeln!(out, "**Interrupted.**\n")?;
    }
    writeln!(out, "{}\n", plain(&about(sweep)))?;
    let mut tables = more_tables(sweep);
    tables.insert(0, points(sweep, 3));
    for table in tables {
        if !table.title.is_empty() {
            writeln!(out, "**{}**\n", plain(&table.title))?;
        }
        writeln!(out, "| {} |\n|:--|{}", cells(&table.header), "--:|".repeat(table.header.len() - 1))?;
        table.rows.iter().try_for_each(|row| writeln!(out, "| {} |", cells(row)))?;
        writeln!(out)?;
    }
    let words = fit_words(sweep);
    words.iter().chain(&sweep.notes).try_for_each(|line| writeln!(out, "- {}", plain(line)))
}

/// A table, the first column of words and the others of numbers.
pub(super) struct Sheet {
    pub title: String,
    pub header: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

fn title(sweep: &Sweep) -> String {
    let about = sweep.manifest.about.as_ref().map(|about| format!(": {about}")).unwrap_or_default();
    format!("{}{about}", sweep.manifest.name)
}

/// What was swept, in a sentence.
pub(super) fn about(sweep: &Sweep) -> String {
    let manifest = &sweep.manifest;
    let each = if manifest.repeats > 1 { format!(", each {} times", manifest.repeats) } else { String::new() };
    format!(
        "Swept over {}: {} points{each}, in an order drawn from seed {}; {} of {} runs made.",
        manifest.paths.join(", "),
        sweep.points(),
        manifest.seed,
        sweep.runs.len(),
        manifest.runs.len()
    )
}

fn status_word(status: Status) -> &'static str {
    match status {
        Status::Running => "running",
        Status::Complete => "complete",
        Status::Interrupted => "interrupted",
    }
}

/// The figures that tables show, the main one first.
fn shown(sweep: &Sweep, most: usize) -> Vec<&str> {
    let all = [sweep.primary.as_str(), "latency.p50", "latency.p95", "requests_per_s", "ttft.p50"];
    let mut told: Vec<&str> = Vec::new();
    for metric in all {
        let measured = sweep.runs.iter().flat_map(|run| &run.targets).any(|met| met.figure(metric).is_some());
        if measured && !told.contains(&metric) {
            told.push(metric);
        }
    }
    told.truncate(most);
    told
}

/// A sheet of several metrics with the targets' names below those of the metrics.
fn headed(sweep: &Sweep, mut sheet: Sheet) -> Sheet {
    let names: Vec<String> =
        sweep.targets.iter().map(|target| format!(" {}", human::printable(&target.label()))).collect();
    for head in &mut sheet.header {
        if let Some(metric) = names.iter().find_map(|name| head.strip_suffix(name.as_str())) {
            *head = format!("{metric}\n{}", &head[metric.len() + 1..]);
        }
    }
    sheet
}

/// What a target is called in a table.
fn label(sweep: &Sweep, target: usize) -> String {
    sweep.targets.get(target).map(|target| human::printable(&target.label())).unwrap_or_default()
}

/// The heads of the columns that say which point a row is of.
fn point_heads(sweep: &Sweep) -> impl Iterator<Item = String> {
    sweep.manifest.paths.iter().map(|path| short_path(path).to_owned())
}

/// The cells below them: the swept values of a point's runs.
fn point_cells(runs: &[&SweptRun]) -> impl Iterator<Item = String> {
    let values = runs.first().map(|run| run.planned.values.as_slice()).unwrap_or_default();
    values.iter().map(|value| human::printable(&value_words(value)))
}

/// The runs of each point in one row: means over its runs.
pub(super) fn points(sweep: &Sweep, metrics: usize) -> Sheet {
    let metrics = shown(sweep, metrics);
    let mut header: Vec<String> = point_heads(sweep).collect();
    for metric in &metrics {
        let of = |label: String| if metrics.len() > 1 { format!("{} {label}", metric_words(metric)) } else { label };
        header.extend((0..sweep.targets.len()).map(|target| of(label(sweep, target))));
    }
    let title = if let [only] = metrics[..] { metric_words(only) } else { String::new() };
    let compared = compared(sweep);
    header.extend(compared.iter().map(|target| match compared.len() {
        1 => RATIO.to_owned(),
        _ => format!("{} {RATIO}", sweep.targets.get(*target).map(|t| human::printable(&t.name)).unwrap_or_default()),
    }));
    header.push("verdict".to_owned());
    let rows = by_point(sweep).into_iter().map(|runs| {
        let mut row: Vec<String> = point_cells(&runs).collect();
        for metric in &metrics {
            row.extend((0..sweep.targets.len()).map(|target| mean_words(&runs, target, metric)));
        }
        row.extend(compared.iter().map(|target| ratio_cell(&runs, *target)));
        row.push(verdict_words(&runs));
        row
    });
    Sheet { title, header, rows: rows.collect() }
}

const RATIO: &str = "ratio (95 % CI)";

/// The targets that the main metric has a ratio of.
fn compared(sweep: &Sweep) -> Vec<usize> {
    let has = |target: &usize| {
        let all = sweep.runs.iter().flat_map(|run| &run.verdicts);
        all.filter(|c| c.target == *target).any(|c| c.verdict != Verdict::NotCompared && c.ratio.is_some())
    };
    (0..sweep.targets.len()).filter(has).collect()
}

/// The main metric's ratio at a point: with its interval of one run, and of several their mean and from where to where they lie.
fn ratio_cell(runs: &[&SweptRun], target: usize) -> String {
    let all = runs.iter().flat_map(|run| &run.verdicts).filter(|c| c.target == target);
    let all: Vec<&Comparison> = all.filter(|c| c.verdict != Verdict::NotCompared).collect();
    if let [only] = all[..] {
        return ratio_words(only).unwrap_or_else(|| "–".to_owned());
    }
    let ratios: Vec<f64> = all.iter().filter_map(|c| c.ratio).filter(|ratio| *ratio > 0.0).collect();
    if ratios.is_empty() {
        return "–".to_owned();
    }
    let mean = (ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / ratios.len() as f64).exp();
    let (low, high) = ratios.iter().fold((f64::INFINITY, 0_f64), |(low, high), x| (low.min(*x), high.max(*x)));
    let ends = human::between(&human::ratio(low), &human::ratio(high));
    format!("{} ({} runs: {ends})", human::ratio(mean), ratios.len())
}

/// The runs of each point, in the order in which points are written.
pub(super) fn by_point(sweep: &Sweep) -> Vec<Vec<&SweptRun>> {
    let mut all: std::collections::BTreeMap<usize, Vec<&SweptRun>> = Default::default();
    for run in &sweep.runs {
        all.entry(run.planned.point).or_default().push(run);
    }
    all.into_values().collect()
}

fn mean_words(runs: &[&SweptRun], target: usize, metric: &str) -> String {
    mean(runs, target, metric).map_or_else(|| "–".to_owned(), |(x, unit)| metrics::value_words(metric, unit, x))
}

/// The mean of a figure over the runs of a point, and its unit.
fn mean<'a>(runs: &[&'a SweptRun], target: usize, metric: &str) -> Option<(f64, &'a str)> {
    let figures = runs.iter().filter_map(|run| run.targets.get(target)?.figure(metric));
    let (values, unit): (Vec<f64>, Vec<&str>) = figures.map(|f| (f.value, f.unit.as_str())).unzip();
    Some((values.iter().sum::<f64>() / values.len() as f64, unit.first()?))
}

/// What the runs of a point say of the main metric: one word if they agree.
fn verdict_words(runs: &[&SweptRun]) -> String {
    if runs.iter().any(|run| !run.invalid.is_empty()) {
        return "invalid".to_owned();
    }
    let mut words: Vec<&str> = runs.iter().flat_map(|run| &run.verdicts).map(|c| c.verdict.as_str()).collect();
    words.sort_unstable();
    words.dedup();
    words.join(" / ")
}

/// Prefill and decode of one request at each length of prompts, where those are swept: as a client sees them, and by the
/// engines' own clocks where those tell.
fn rates(sweep: &Sweep) -> Option<Sheet> {
    const LENGTH: &str = "workload.prompts.synthetic.";
    const RATES: [(&str, &str); 4] = [
        ("prefill", "prefill_tokens_per_s.p50"),
        ("server prefill", "server_prefill_per_s.p50"),
        ("decode", "decode_tokens_per_s.p50"),
        ("server decode", "server_decode_per_s.p50"),
    ];
    sweep.manifest.paths.iter().find(|path| path.starts_with(LENGTH))?;
    let told = |target: usize, metric: &str| {
        sweep.runs.iter().any(|run| run.targets.get(target).is_some_and(|met| met.figure(metric).is_some()))
    };
    let targets: Vec<usize> =
        (0..sweep.targets.len()).filter(|target| RATES.iter().any(|(_, metric)| told(*target, metric))).collect();
    let columns: Vec<(&str, &str)> =
        RATES.into_iter().filter(|(_, metric)| targets.iter().any(|target| told(*target, metric))).collect();
    if columns.is_empty() {
        return None;
    }
    let mut header = vec![String::new()];
    header.extend(point_heads(sweep));
    header.extend(columns.iter().map(|(words, _)| (*words).to_owned()));
    // One row per point and target, as llama-bench has one per test: a column per target and rate fits no terminal.
    let points = by_point(sweep);
    let rows =
        points.iter().flat_map(|runs| targets.iter().map(move |target| (runs, *target))).map(|(runs, target)| {
            // The unit is in the title.
            let bare = |x: Option<(f64, &str)>| x.map_or_else(|| "–".to_owned(), |(x, _)| human::three(x));
            let rates = columns.iter().map(|(_, metric)| bare(mean(runs, target, metric)));
            std::iter::once(label(sweep, target)).chain(point_cells(runs)).chain(rates).collect()
        });
    Some(Sheet {
        title: "Prefill and decode tokens/s of one request (p50), by the client's and by the engine's own clock"
            .to_owned(),
        header,
        rows: rows.collect(),
    })
}

/// The tables of rates, of costs and of scaling.
pub(super) fn more_tables(sweep: &Sweep) -> Vec<Sheet> {
    let mut tables: Vec<Sheet> = rates(sweep).into_iter().collect();
    if !sweep.costs.fits.is_empty() {
        let row = |fit: &CostFit| {
            vec![
                label(sweep, fit.target),
                cost_words(Some(fit.fixed_us)),
                cost_words(fit.prompt_token_us),
                cost_words(fit.output_token_us),
                format!("{:.3}", fit.r2),
            ]
        };
        tables.push(Sheet {
            title: format!("Cost of a request with {} in flight (95 % CI)", sweep.costs.concurrency),
            header: ["", "per request", "+ per prompt token", "+ per output token", "R²"].map(str::to_owned).to_vec(),
            rows: sweep.costs.fits.iter().map(row).collect(),
        });
    }
    for scaling in &sweep.scaling {
        let at = point_words(scaling.at.iter().map(|(path, value)| (path, value)));
        let at = if at.is_empty() { String::new() } else { format!(", {at}") };
        let share = |x: Option<f64>| x.map_or_else(|| "–".to_owned(), |x| format!("{x:.2}"));
        let row = |level: &crate::report::sweep::Level| {
            vec![
                level.concurrency.to_string(),
                human::three(level.requests_per_s),
                human::percent(level.efficiency),
                share(level.slowdown),
                share(level.slowest_user),
                level.fairness.map_or_else(|| "–".to_owned(), |x| format!("{x:.3}")),
            ]
        };
        tables.push(Sheet {
            title: format!("{}: throughput by requests in flight{at}", label(sweep, scaling.target)),
            header: ["in flight", "requests/s", "efficiency", "slowdown", "slowest user", "fairness"]
                .map(str::to_owned)
                .to_vec(),
            rows: scaling.levels.iter().map(row).collect(),
        });
    }
    tables
}

/// How the fits are to be read, and what they lack.
pub(super) fn fit_words(sweep: &Sweep) -> Vec<String> {
    let label = |at: usize| sweep.targets.get(at).map(|t| t.label()).unwrap_or_default();
    let mut told = Vec::new();
    if let Some(fit) = sweep.costs.fits.first() {
        told.push(format!(
            "Costs are a straight line through {} points, fitted by least squares on relative errors; intervals by \
             cluster jackknife over the points.",
            fit.points
        ));
    }
    for fit in &sweep.costs.fits {
        told.extend(fit.bent.iter().map(|bent| format!("{}: {bent}.", label(fit.target))));
        let left_out = match (fit.prompt_token_us, fit.output_token_us) {
            (None, _) => "prompts hardly varied in length, so the cost per prompt token",
            (_, None) => "answers hardly varied in length, so the cost per output token",
            _ => continue,
        };
        told.push(format!("{}: {left_out} is part of the fixed cost.", label(fit.target)));
    }
    if sweep.manifest.paths.iter().any(|path| path.starts_with("workload.")) {
        told.extend(sweep.costs.lacking.iter().map(|(at, why)| format!("{}: no costs are fitted: {why}.", label(*at))));
    }
    for scaling in &sweep.scaling {
        match (&scaling.usl, &scaling.lacking) {
            (Some(usl), _) => told.push(format!("{}: {}", label(scaling.target), usl_words(usl, scaling))),
            (None, Some(why)) => told.push(format!("{}: {why}.", label(scaling.target))),
            (None, None) => {}
        }
    }
    if !sweep.scaling.is_empty() {
        told.push(
            "efficiency: requests/s per request in flight, relative to the lowest level; slowdown: mean latency \
             relative to the lowest level; fairness: Jain's index over the users' rates, 1 is even."
                .to_owned(),
        );
    }
    told
}

fn usl_words(usl: &Usl, scaling: &Scaling) -> String {
    let at = point_words(scaling.at.iter().map(|(path, value)| (path, value)));
    let at = if at.is_empty() { String::new() } else { format!(" at {at}") };
    let ends = |b: crate::stats::Bounds, word: &dyn Fn(f64) -> String| match (b.low, b.high) {
        (Some(low), Some(high)) => {
            format!("{} ({})", word(b.value), human::between(&word(low), &word(high)))
        }
        (Some(low), None) => format!("{} ({} or more)", word(b.value), word(low)),
        _ => word(b.value),
    };
    format!(
        "scalability law{at}: {} /s alone, contention {}, coherence {}, R² {:.3} over {} runs.",
        ends(usl.lambda, &human::three),
        ends(usl.sigma, &|x| human::percent(x)),
        ends(usl.kappa, &|x| format!("{:.3} %", x * 100.0)),
        usl.r2,
        usl.runs
    )
}

#[cfg(test)]
#[path = "sweep_tests.rs"]
mod tests;
