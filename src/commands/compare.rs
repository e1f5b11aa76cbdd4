//! `loadcmp compare`.

use super::{CommandResult, Failure, look, print_compare, show};
use crate::{CompareArgs, Format};
use anyhow::Context;
use loadcmp::gate::Judgement;
use loadcmp::run::{CompareGates, tell};
use loadcmp::sink;
use std::path::Path;

/// How a page at `page` reaches what lies in `folder`: by names of folders, each with a slash; the whole path where they have
/// nothing in common.
pub(crate) fn leads(page: &Path, folder: &Path) -> String {
    let whole = |path: &Path| path.canonicalize().or_else(|_| std::path::absolute(path)).unwrap_or_default();
    let from = page.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (from, to) = (whole(from), whole(folder));
    let common = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    let up = from.components().skip(common).map(|_| "../".to_owned());
    let down = to.components().skip(common).map(|part| format!("{}/", part.as_os_str().to_string_lossy()));
    up.chain(down).collect()
}

/// The page of a run that is named by its directory or its report.json, from a page; `None` where there is none.
fn page_of(page: &Path, run: &str) -> Option<String> {
    let run = Path::new(run);
    let dir = if run.is_dir() { run } else { run.parent()? };
    dir.join("report.html").is_file().then(|| format!("{}report.html", leads(page, dir)))
}

pub(crate) fn compare(args: CompareArgs) -> CommandResult {
    let hold = CompareGates {
        gates: args.gates,
        judge_stand_ins: args.judge_stand_ins,
        inconclusive: args.decided.inconclusive(),
    };
    let runs = loadcmp::run::runs_of(std::iter::once(&args.first).chain(&args.others))?;
    let Some((first, others)) = runs.split_first().filter(|(_, others)| !others.is_empty()) else {
        return Err(Failure::Usage("error: only one run was found: name another to compare with it".to_owned()));
    };
    let besides = loadcmp::run::compare(first, others, &hold)?;
    let write = |path: &Path| {
        loadcmp::report::replace(path, |page| sink::many_html(&besides, &|run| page_of(path, run), page))
            .with_context(|| format!("writing {}", path.display()))
    };
    match &args.html {
        Some(path) => write(path)?,
        None if others.len() > 1 => {
            // Nobody asked for it: a folder that can't be written to is no failure.
            let path = first.parent().unwrap_or(Path::new("")).join("compare.html");
            match write(&path) {
                Ok(()) => tell(format_args!("file: {}", path.display())),
                Err(error) => tell(format_args!("warning: {error:#}; --html FILE writes the page elsewhere")),
            }
        }
        None => {}
    }
    let [beside] = &besides[..] else {
        show("the result", |text| match args.format {
            Format::Table => sink::many_table(&besides, look(), text),
            Format::Json => sink::many_json(&besides, text),
            Format::Csv => sink::many_csv(&besides, text),
            Format::Markdown => sink::many_markdown(&besides, text),
        })?;
        return Ok(besides.iter().map(loadcmp::report::TwoRuns::code).max().unwrap_or(0));
    };
    print_compare(beside, args.format)?;
    if let Some(path) = &args.junit {
        let mut text = Vec::new();
        sink::compare_junit(beside, &mut text).context("writing the gates")?;
        std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    let code = beside.code();
    if code != 0
        && let Some(words) = beside.judgement.as_ref().and_then(Judgement::summary)
    {
        tell(format_args!("loadcmp: {words}"));
    }
    Ok(code)
}
