//! What the answers say: labels against the right ones, and against the other target's.

use super::{Confusion, Estimate, Row, f1, wilson};
use crate::metrics;
use crate::record::{Remark, Sample};

/// The labels that one target read.
#[derive(Clone, Debug, Default)]
pub(super) struct Answers {
    /// By expected label, then by read one; empty unless labels are there to be read.
    counts: Vec<Vec<u64>>,
    /// By item: number of the latest request, and the label it gave.
    latest: Vec<Option<(u64, Option<usize>)>>,
    unparsed: u64,
    answered: u64,
    /// Whether a schema is sent, and the answers that are outside of it.
    schema: bool,
    out_of_schema: u64,
}

impl Answers {
    /// None yet, of so many labels and items; `schema` where the target is sent one.
    pub fn new(labels: usize, items: usize, schema: bool) -> Self {
        let items = if labels == 0 { 0 } else { items };
        Self { counts: vec![vec![0; labels + 1]; labels], latest: vec![None; items], schema, ..Self::default() }
    }

    /// Takes an answered request.
    pub fn push(&mut self, sample: &Sample) {
        let unread = self.counts.len();
        if unread == 0 && !self.schema {
            return;
        }
        self.answered += 1;
        let read = sample.label.filter(|label| *label < unread);
        self.unparsed += u64::from(unread > 0 && read.is_none());
        self.out_of_schema += u64::from(sample.remarks.has(Remark::OutOfSchema));
        if let Some(row) = sample.expected_label.and_then(|label| self.counts.get_mut(label)) {
            row[read.unwrap_or(unread)] += 1;
        }
        // The highest number, not the last to arrive: answers overtake each other.
        if let Some(latest) = self.latest.get_mut(sample.item)
            && latest.is_none_or(|(index, _)| index <= sample.index)
        {
            *latest = Some((sample.index, read));
        }
    }

    /// The matrix; `None` if nothing was there to count.
    pub fn confusion(&self, labels: &[String]) -> Option<Confusion> {
        let matrix = Confusion { labels: labels.to_vec(), counts: self.counts.clone() };
        (matrix.n() > 0).then_some(matrix)
    }

    /// Different items answered: what an interval may rest on. The same item asked again mostly gives the same answer,
    /// and is no new evidence.
    pub fn items(&self) -> u64 {
        self.latest.iter().flatten().count() as u64
    }

    /// The rows of `summary.csv`; `reference` is the other side's labels, unless this is the reference.
    pub fn rows(&self, labels: &[String], reference: Option<&Answers>) -> Vec<Row> {
        let mut rows = Vec::new();
        let matrix = self.confusion(labels);
        if let Some(matrix) = &matrix {
            let n = matrix.n();
            let accuracy = wilson(matrix.right() as f64 / n as f64, n, self.items());
            rows.extend(accuracy.map(|estimate| Row::proportion(&metrics::ACCURACY, estimate)));
            // Counted, and no estimate: it says what the requests are, and nothing of the engine.
            let commonest = matrix.commonest() as f64 / n as f64;
            rows.push(Row::total(&metrics::ACCURACY_COMMONEST, n, Some(commonest)));
            let macro_f1 = f1::estimate(matrix, self.items());
            rows.push(
                macro_f1.map_or_else(
                    || Row::total(&metrics::MACRO_F1, n, None),
                    |e| Row::proportion(&metrics::MACRO_F1, e),
                ),
            );
        }
        // Of no answers there is no rate, and no interval of one.
        let answered = if self.counts.is_empty() { 0 } else { self.answered };
        let unparsed = wilson(self.unparsed as f64 / answered as f64, answered, self.items());
        rows.extend(unparsed.map(|estimate| Row::proportion(&metrics::UNPARSED_RATE, estimate)));
        if self.schema && self.answered > 0 {
            let kept = 1.0 - self.out_of_schema as f64 / self.answered as f64;
            // Without labels nobody counts how many different prompts they answer.
            let trusted = if self.counts.is_empty() { self.answered } else { self.items() };
            let kept = wilson(kept, self.answered, trusted);
            rows.extend(kept.map(|estimate| Row::proportion(&metrics::VALID_JSON, estimate)));
        }
        rows.extend(reference.and_then(|other| self.agreement(other)).map(|e| Row::proportion(&metrics::AGREEMENT, e)));
        rows
    }

    /// Share of the items that got a label from both sides for which the two latest labels are equal.
    fn agreement(&self, other: &Answers) -> Option<Estimate> {
        let label = |latest: &Option<(u64, Option<usize>)>| latest.and_then(|(_, label)| label);
        let both = self.latest.iter().zip(&other.latest).filter_map(|(a, b)| label(a).zip(label(b)));
        let (n, equal) = both.fold((0, 0), |(n, equal), (a, b)| (n + 1, equal + u64::from(a == b)));
        wilson(equal as f64 / f64::max(n as f64, 1.0), n, n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::fixture;

    fn labels(n: usize) -> Vec<String> {
        (0..n).map(|i| format!("l{i}")).collect()
    }

    fn answers(rows: &[(usize, usize, Option<usize>)]) -> Answers {
        let mut answers = Answers::new(3, 10, false);
        for (index, (item, expected, read)) in rows.iter().enumerate() {
            answers.push(&Sample {
                index: index as u64,
                item: *item,
                expected_label: Some(*expected),
                label: *read,
                ..fixture::sample(0, 0)
            });
        }
        answers
    }

    #[test]
    fn answers_outside_the_schema_are_no_valid_json() {
        for (schema, kept) in [(true, Some(0.75)), (false, None)] {
            let mut all = Answers::new(3, 10, schema);
            for item in 0..4 {
                let mut sample = Sample { item, expected_label: Some(0), label: Some(1), ..fixture::sample(0, 0) };
                if item == 0 {
                    sample.remarks.add(Remark::OutOfSchema);
                }
                all.push(&sample);
            }
            let rows = all.rows(&labels(3), None);
            assert_eq!(rows.iter().find(|row| row.metric == "valid_json").and_then(|row| row.mean), kept);
        }
    }

    #[test]
    fn unread_and_wrong_both_count_as_wrong() {
        let got = answers(&[(0, 0, Some(0)), (1, 0, Some(1)), (2, 1, None), (3, 1, Some(1))]);
        let rows = got.rows(&labels(3), None);
        let value = |metric: &str| rows.iter().find(|r| r.metric == metric).and_then(|r| r.mean);
        assert_eq!(value("accuracy"), Some(0.5));
        assert_eq!(value("unparsed_rate"), Some(0.25));
        assert_eq!(value("accuracy_commonest"), Some(0.5), "l0 and l1 are expected twice each");
        assert_eq!(
            answers(&[(0, 0, None), (1, 1, None), (2, 1, Some(0))]).confusion(&labels(3)).unwrap().commonest(),
            2
        );
        // l0: 2*1/(2+1) = 2/3; l1: 2*1/(2+2) = 1/2; l2 neither expected nor read.
        assert!((value("macro_f1").unwrap() - (2.0 / 3.0 + 0.5) / 2.0).abs() < 1e-12);
        assert_eq!(got.confusion(&labels(3)).unwrap().counts[1], [0, 1, 0, 1]);
        // A label that is never read, and one that is never right, count as nothing found.
        let never = answers(&[(0, 0, Some(0)), (1, 1, None)]).confusion(&labels(3)).unwrap();
        assert_eq!((never.macro_f1(), never.n(), never.right()), (Some(0.5), 2, 1));
        let wrong = answers(&[(0, 0, Some(1))]).confusion(&labels(3)).unwrap();
        assert_eq!((wrong.macro_f1(), wrong.right()), (Some(0.0), 0));
    }

    #[test]
    fn the_interval_rests_on_items_not_on_repeats() {
        let once = answers(&[(0, 0, Some(0)), (1, 0, Some(1))]);
        let often = answers(&[(0, 0, Some(0)), (1, 0, Some(1))].repeat(50));
        let width = |a: &Answers| a.rows(&labels(3), None).first().map(|r| (r.low, r.high));
        assert_eq!(width(&once), width(&often));
    }

    #[test]
    fn agreement_is_over_items_that_both_labelled() {
        let a = answers(&[(0, 0, Some(0)), (1, 0, Some(1)), (2, 0, None), (0, 0, Some(2))]);
        let b = answers(&[(0, 0, Some(2)), (1, 0, Some(0)), (2, 0, Some(0)), (3, 0, Some(0))]);
        let got = a.agreement(&b).unwrap();
        assert_eq!((got.n, got.value), (2, 0.5));
    }

    #[test]
    fn nothing_is_read_without_labels() {
        let mut none = Answers::new(0, 10, false);
        none.push(&fixture::sample(0, 0));
        assert!(none.rows(&[], None).is_empty());
    }
}
