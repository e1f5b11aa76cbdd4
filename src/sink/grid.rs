//! Checks × nights: what became of each check in each night, at a glance.

use crate::gate::GateOutcome;
use crate::report::human;
use crate::suite::{Check, Night, Nightly};

/// Nights that have a column, at most: the last ones.
const COLUMNS: usize = 21;
/// Rows that stand open, at most.
const ROWS: usize = 10;

/// The grid, all of it text.
pub(super) struct Grid {
    /// Day and folder of each night, the latest first.
    pub nights: Vec<(String, String)>,
    /// Checks that failed in the last night, or whose outcome changed within the columns; those that failed last are first.
    pub moved: Vec<GridRow>,
    /// More of them than are shown at once.
    pub more: Vec<GridRow>,
    /// The others.
    pub steady: Vec<GridRow>,
    /// Nights before the first column.
    pub earlier: usize,
}

/// A check over the nights.
pub(super) struct GridRow {
    pub name: String,
    pub category: String,
    pub cells: Vec<Cell>,
}

/// What became of a check in a night.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    /// What is seen.
    pub mark: &'static str,
    /// What it means.
    pub word: &'static str,
    /// The page's class of it.
    pub class: &'static str,
}

const MISSING: Cell = Cell { mark: "·", word: "no such check", class: "none" };

fn cell(check: &Check) -> Cell {
    match check.outcome {
        GateOutcome::Pass => Cell { mark: "✓", word: "passed", class: "better" },
        GateOutcome::Fail => Cell { mark: "✗", word: "failed", class: "worse" },
        GateOutcome::Inconclusive => Cell { mark: "?", word: "inconclusive", class: "unshown" },
        GateOutcome::NotMeasured => Cell { mark: "–", word: "not measured", class: "none" },
    }
}

/// Makes it. Rows are the last night's checks, in the suite's order.
pub(super) fn grid(nightly: &Nightly) -> Grid {
    let shown: Vec<&Night> = nightly.nights.iter().rev().take(COLUMNS).collect();
    let day = |night: &&Night| {
        let day = night.suite.started.get(5..10).unwrap_or(&night.folder);
        (human::printable(day), night.folder.clone())
    };
    let of = |night: &Night, check: &Check| {
        let same = |other: &&Check| (&other.category, &other.name) == (&check.category, &check.name);
        night.suite.checks.iter().find(same).map_or(MISSING, cell)
    };
    let row = |check: &Check| GridRow {
        name: human::printable(&check.name),
        category: human::printable(&check.category),
        cells: shown.iter().map(|night| of(night, check)).collect(),
    };
    let checks = nightly.last().map(|night| night.suite.checks.as_slice()).unwrap_or_default();
    // What is not measured every night is no news.
    let calm = |row: &GridRow| {
        let first = row.cells.first().copied().unwrap_or(MISSING);
        first.class != "worse" && row.cells.iter().all(|cell| *cell == first || *cell == MISSING)
    };
    let (steady, mut moved): (Vec<GridRow>, Vec<GridRow>) = checks.iter().map(row).partition(calm);
    moved.sort_by_key(|row| row.cells.first().is_none_or(|cell| cell.class != "worse"));
    let more = moved.split_off(ROWS.min(moved.len()));
    let earlier = nightly.nights.len().saturating_sub(COLUMNS);
    Grid { nights: shown.iter().map(day).collect(), moved, more, steady, earlier }
}
