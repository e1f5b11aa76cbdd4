//! A suite: for the terminal, a pull request and programs. Its page is `suite_html`.

use super::csv_text::{number, rows, text};
use super::draw::{Look, print, wrapped};
use super::markup::{cells, plain};
use crate::report::{Status, human, pretty};
use crate::suite::{Category, ScenarioState, Suite};
use std::io::{self, Write};

/// Heads of the table by category.
const HEADS: [&str; 8] =
    ["category", "passed", "failed", "inconclusive", "not measured", "can't be", "share passed", "before"];

/// Cells of a category.
pub(super) fn category(category: &Category) -> [String; 8] {
    let count = |n: usize| if n == 0 { "·".to_owned() } else { n.to_string() };
    [
        human::printable(&category.name),
        count(category.passed),
        count(category.failed),
        count(category.inconclusive),
        count(category.not_measured),
        count(category.cannot),
        category.rate().map(human::percent).unwrap_or_else(|| "–".to_owned()),
        category.passed_before.map(|n| format!("{n} passed")).unwrap_or_default(),
    ]
}

/// The categories with the sum below: heads and rows. The last column only beside an earlier run.
pub(super) fn by_category(suite: &Suite) -> (Vec<String>, Vec<Vec<String>>) {
    let columns = if suite.before.is_some() { HEADS.len() } else { HEADS.len() - 1 };
    let cut = |cells: [String; 8]| cells.into_iter().take(columns).collect::<Vec<_>>();
    let all = suite.categories();
    let mut rows: Vec<Vec<String>> = all.iter().map(|one| cut(category(one))).collect();
    if all.len() > 1 {
        rows.push(cut(category(&suite.total())));
    }
    (cut(HEADS.map(str::to_owned)), rows)
}

/// What is said of the suite as a whole, besides its headline.
pub(super) fn about(suite: &Suite) -> Vec<String> {
    let mut words = Vec::new();
    if suite.has_stand_in() {
        let judged = if suite.judge_stand_ins { ": they are judged as stand-ins" } else { "" };
        words.push(format!("Stand-ins answered; their figures say nothing about a real engine{judged}."));
    }
    if suite.quick {
        let within = suite.budget_s.map(|s| format!(", within {}", human::length(s))).unwrap_or_default();
        words.push(format!(
            "Quick form{within}: shorter loads, wider intervals. Checks that it skips are not measured."
        ));
    }
    if let Some((folder, started)) = &suite.before {
        words.push(format!("Before: {folder}, of {started}."));
    }
    words.extend(suite.scenario_notes());
    words
}

/// Writes it for a terminal: categories, then the checks.
pub fn suite_table(suite: &Suite, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let width = usize::from(look.width.clamp(40, 160));
    let about_it = suite.about.as_deref().map(|about| format!(": {about}")).unwrap_or_default();
    wrapped(out, &format!("suite {}{about_it}", suite.name), width, "")?;
    if suite.status != Status::Complete {
        writeln!(out, "INTERRUPTED")?;
    }
    writeln!(out)?;
    wrapped(out, &suite.headline(), width, "")?;
    about(suite).iter().try_for_each(|words| wrapped(out, words, width, "  "))?;
    writeln!(out)?;
    let (heads, cells) = by_category(suite);
    print(heads, cells, 7, look, out)?;
    for category in suite.categories() {
        writeln!(out)?;
        let checks = suite.checks.iter().filter(|check| check.category == category.name);
        let row = |check: &crate::suite::Check| {
            let told = [check.told(), check.change()].into_iter().filter(|words| !words.is_empty());
            let gate = check.gate.as_deref().map(|gate| format!("{}: {gate}", check.name));
            let outcome = if check.cannot.is_some() { "can't be" } else { check.outcome.as_str() };
            let told = human::printable(&told.collect::<Vec<_>>().join("; "));
            vec![outcome.to_owned(), human::printable(&gate.unwrap_or_else(|| check.name.clone())), told]
        };
        let heads = vec!["outcome".to_owned(), human::printable(&category.name), String::new()];
        print(heads, checks.map(row).collect(), 1, look, out)?;
    }
    writeln!(out)?;
    for scenario in &suite.scenarios {
        let took = scenario.took_s.map(|s| format!(" in {}", human::length(s))).unwrap_or_default();
        wrapped(out, &format!("{}: {}{took}", scenario.name, scenario.state.as_str()), width, "  ")?;
        for headline in scenario.headlines.iter().filter(|_| scenario.state == ScenarioState::Done) {
            wrapped(out, &format!("  {headline}"), width, "    ")?;
        }
    }
    Ok(())
}

/// Writes it for a pull request.
pub fn suite_markdown(suite: &Suite, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "### {}\n\n**{}**\n", plain(&suite.name), plain(&suite.headline()))?;
    if suite.status != Status::Complete {
        writeln!(out, "**Interrupted.**\n")?;
    }
    about(suite).iter().try_for_each(|words| writeln!(out, "- {}", plain(words)))?;
    let (heads, rows) = by_category(suite);
    writeln!(out, "\n| {} |\n|:--|{}", heads.join(" | "), "--:|".repeat(heads.len() - 1))?;
    for row in &rows {
        writeln!(out, "| {} |", cells(row))?;
    }
    writeln!(
        out,
        "\n<details><summary>Every check</summary>\n\n| outcome | check | gate | value (95 % CI) and reason | before |"
    )?;
    writeln!(out, "|:--|:--|:--|:--|:--|")?;
    for check in &suite.checks {
        let row = [
            check.outcome.as_str().to_owned(),
            format!("{}: {}", check.category, check.name),
            check.gate.clone().unwrap_or_default(),
            check.told(),
            check.change(),
        ];
        writeln!(out, "| {} |", cells(&row))?;
    }
    writeln!(out, "\n</details>\n\n<details><summary>Scenarios</summary>\n")?;
    for scenario in &suite.scenarios {
        writeln!(out, "- {}: {}", plain(&scenario.name), scenario.state.as_str())?;
        scenario.headlines.iter().try_for_each(|headline| writeln!(out, "  - {}", plain(headline)))?;
    }
    writeln!(out, "\n</details>\n\n{}, {}", plain(&suite.tool), plain(&suite.started))
}

/// Writes it as JSON.
pub fn suite_json(suite: &Suite, out: &mut dyn Write) -> io::Result<()> {
    pretty(out, suite)
}

/// Writes `checks.csv`: a row a check and judgement.
pub fn checks_csv(suite: &Suite, out: &mut dyn Write) -> io::Result<()> {
    let header = [
        "category",
        "check",
        "scenario",
        "gate",
        "outcome",
        "at",
        "judged",
        "measure",
        "unit",
        "value",
        "point",
        "low",
        "high",
        "bound",
        "before",
        "before_point",
        "reason",
    ];
    let table = suite.checks.iter().flat_map(|check| {
        let blank = (check.judged.is_empty()).then_some(None);
        blank.into_iter().chain(check.judged.iter().map(Some)).map(move |judged| {
            let of = |field: fn(&crate::gate::JudgedGate) -> Option<f64>| {
                number(judged.and_then(|(_, judged)| field(judged)))
            };
            let word =
                |field: fn(&crate::gate::JudgedGate) -> String| judged.map(|(_, j)| field(j)).unwrap_or_default();
            let reason = judged.and_then(|(_, judged)| judged.reason.clone()).or_else(|| check.why.clone());
            [
                text(&check.category).into_owned(),
                text(&check.name).into_owned(),
                text(check.scenario.as_deref().unwrap_or_default()).into_owned(),
                text(check.gate.as_deref().unwrap_or_default()).into_owned(),
                check.outcome.as_str().to_lowercase(),
                text(judged.map(|(at, _)| at.as_str()).unwrap_or_default()).into_owned(),
                word(|judged| judged.outcome.as_str().to_lowercase()),
                word(|judged| judged.measure.as_str().to_owned()),
                word(|judged| judged.unit.clone()),
                of(|judged| judged.value),
                of(|judged| judged.point),
                of(|judged| judged.low),
                of(|judged| judged.high),
                of(|judged| judged.bound),
                check.before.as_ref().map(|before| before.outcome.as_str().to_lowercase()).unwrap_or_default(),
                number(check.before.as_ref().and_then(|before| before.point)),
                text(reason.as_deref().unwrap_or_default()).into_owned(),
            ]
        })
    });
    rows(out, header, table)
}
