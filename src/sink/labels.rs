//! What the page of a run tells of labels: how each fared, and which were taken for which.

use crate::report::{Report, human};
use crate::stats::{Confusion, LabelScore};

/// How each label fared on each target.
pub(super) struct LabelTable {
    /// The targets.
    pub targets: Vec<String>,
    /// A label, and for each target: how many were right, precision, F1.
    pub rows: Vec<(String, Vec<[String; 3]>)>,
}

/// What was expected and what was read, of one target.
pub(super) struct Matrix {
    pub target: String,
    pub labels: Vec<String>,
    /// A label, and the counts of what was read, each with what the cell is.
    pub rows: Vec<(String, Vec<(String, &'static str)>)>,
}

/// The table; `None` where nothing was labelled.
pub(super) fn label_table(report: &Report) -> Option<LabelTable> {
    let told: Vec<(String, &Confusion)> = of(report);
    let labels = &told.first()?.1.labels;
    let scores: Vec<Vec<LabelScore>> = told.iter().map(|(_, matrix)| matrix.by_label()).collect();
    let none = || "–".to_owned();
    let cells = |score: &LabelScore| {
        let right = score
            .recall()
            .map_or_else(none, |share| format!("{} of {}, {}", score.right, score.expected, human::percent(share)));
        [
            right,
            score.precision().map_or_else(none, human::percent),
            score.f1().map_or_else(none, |f1| format!("{f1:.3}")),
        ]
    };
    let row =
        |(at, label): (usize, &String)| (label.clone(), scores.iter().filter_map(|of| of.get(at)).map(cells).collect());
    Some(LabelTable {
        rows: labels.iter().enumerate().map(row).collect(),
        targets: told.into_iter().map(|(target, _)| target).collect(),
    })
}

/// The matrices, one a target that was labelled.
pub(super) fn matrices(report: &Report) -> Vec<Matrix> {
    let matrix = |(target, told): (String, &Confusion)| {
        let cell = |row: usize, column: usize, n: u64| {
            let class = match (row == column, n) {
                (true, _) => "right",
                (false, 0) => "none",
                (false, _) => "wrong",
            };
            (if n == 0 { "·".to_owned() } else { n.to_string() }, class)
        };
        let rows = told.labels.iter().zip(&told.counts).enumerate().map(|(row, (label, counts))| {
            let cells = counts.iter().enumerate().map(|(column, n)| cell(row, column, *n));
            (label.clone(), cells.collect())
        });
        Matrix { target, labels: told.labels.clone(), rows: rows.collect() }
    };
    of(report).into_iter().map(matrix).collect()
}

fn of(report: &Report) -> Vec<(String, &Confusion)> {
    report.targets.iter().filter_map(|target| Some((target.label(), target.confusion.as_ref()?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;
    use crate::scenario::Task;

    #[test]
    fn each_label_is_told_for_each_target() {
        let mut report = fixture::report(Task::Classify, true);
        let matrix = report.targets[0].confusion.as_mut().unwrap();
        matrix.labels = vec!["a".to_owned(), "b".to_owned(), "c".to_owned()];
        matrix.counts = vec![vec![3, 1, 0, 0], vec![0, 2, 0, 2], vec![0, 0, 0, 0]];
        let same = report.targets[0].confusion.clone();
        report.targets[1].confusion = same;
        let table = label_table(&report).unwrap();
        assert_eq!(table.targets.len(), 2);
        let told = |at: usize| table.rows[at].1[0].clone();
        assert_eq!(told(0), ["3 of 4, 75.0 %", "100.0 %", "0.857"]);
        assert_eq!(told(1), ["2 of 4, 50.0 %", "66.7 %", "0.571"], "an unread answer is a miss");
        assert_eq!(told(2), ["–", "–", "–"], "neither expected nor read");
        let matrix = &matrices(&report)[1];
        assert_eq!(
            matrix.rows[1].1,
            [("·", "none"), ("2", "right"), ("·", "none"), ("2", "wrong")].map(|(n, c)| (n.to_owned(), c))
        );
        assert!(label_table(&fixture::report(Task::Generate, true)).is_none());
    }
}
