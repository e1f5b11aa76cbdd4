//! The right labels of tickets, read from a file, and the choice of a label: right with the declared probability.

use super::text::{labels_in, labels_of_schema, mix, quick_hash, ticket_in};
use anyhow::Context;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::HashMap;
use std::path::Path;

/// Tickets and their labels.
#[derive(Debug, Default)]
pub(super) struct Labels {
    by_text: HashMap<u64, usize>,
    rows: Vec<(String, String)>,
}

/// A choice that a request asks for.
#[derive(Debug)]
pub(super) struct Choice {
    /// The labels to choose from.
    labels: Vec<String>,
    /// The property of the JSON object that the answer is to be.
    property: Option<String>,
}

impl Labels {
    /// Reads a CSV file with a header line and columns `text` and `label`, among others.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let whole = || format!("reading the labels in {}", path.display());
        let mut reader = csv::Reader::from_path(path).with_context(whole)?;
        let header = reader.headers().with_context(whole)?.clone();
        let column = |name: &str| header.iter().position(|h| h == name);
        let (Some(text), Some(label)) = (column("text"), column("label")) else {
            anyhow::bail!("{} has no columns `text` and `label`", path.display());
        };
        let mut labels = Self::default();
        for row in reader.records() {
            let row = row.with_context(whole)?;
            let (text, label) = (row.get(text).unwrap_or_default().trim(), row.get(label).unwrap_or_default().trim());
            if !text.is_empty() {
                labels.by_text.insert(quick_hash(text.as_bytes()), labels.rows.len());
                labels.rows.push((text.to_owned(), label.to_owned()));
            }
        }
        Ok(labels)
    }

    /// The known ticket in a prompt: text and label. Loadcmp's own instruction is found by a look-up, others by search.
    fn find(&self, prompt: &str) -> Option<&(String, String)> {
        if self.rows.is_empty() {
            return None;
        }
        let at = self.by_text.get(&quick_hash(ticket_in(prompt).trim().as_bytes()));
        match at {
            Some(at) => self.rows.get(*at),
            None => self.rows.iter().filter(|(text, _)| prompt.contains(text)).max_by_key(|(text, _)| text.len()),
        }
    }
}

impl Choice {
    /// What is to be chosen from, if this is such a request: an enum in the schema, or a list in the prompt.
    pub(super) fn asked(prompt: &str, schema: Option<&serde_json::Value>) -> Option<Self> {
        if let Some((property, labels)) = schema.and_then(labels_of_schema) {
            return Some(Self { labels, property: Some(property) });
        }
        let labels = labels_in(prompt)?.into_iter().map(str::to_owned).collect();
        Some(Self { labels, property: None })
    }

    /// The answer: the right label in `accuracy` of the tickets. The same ticket always gets the same answer, as it
    /// does from a model at temperature 0; seed and ticket decide which tickets go wrong.
    pub(super) fn answer(&self, prompt: &str, known: &Labels, accuracy: f64, seed: u64) -> String {
        let found = known.find(prompt);
        let ticket = found.map_or_else(|| ticket_in(prompt), |(text, _)| text);
        let hash = quick_hash(ticket.trim().as_bytes());
        let right = found
            .and_then(|(_, label)| self.labels.iter().position(|l| l == label))
            .or_else(|| self.mentioned(ticket))
            .unwrap_or((hash % self.labels.len() as u64) as usize);
        let mut random = ChaCha8Rng::seed_from_u64(mix(seed ^ mix(hash ^ 0x1abe1)));
        let mut chosen = right;
        if self.labels.len() > 1 && random.random::<f64>() >= accuracy {
            chosen = (right + random.random_range(1..self.labels.len())) % self.labels.len();
        }
        let label = self.labels.get(chosen).map(String::as_str).unwrap_or_default();
        match &self.property {
            Some(property) => {
                let text = |text: &str| serde_json::to_string(text).unwrap_or_default();
                format!("{{{}: {}}}", text(property), text(label))
            }
            None => label.to_owned(),
        }
    }

    /// An answer that only lists what there is to choose from.
    pub(super) fn all(&self) -> String {
        format!("The labels are {}.", self.labels.join(", "))
    }

    /// The first label that the ticket itself names.
    fn mentioned(&self, ticket: &str) -> Option<usize> {
        let ticket = ticket.to_lowercase();
        self.labels.iter().position(|label| ticket.contains(&label.to_lowercase()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn prompt(ticket: &str) -> String {
        format!("Answer with one of these labels: a1, b2, c3.\n\nText: {ticket}\nLabel:")
    }

    fn known(count: usize) -> Labels {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "id,text,label").unwrap();
        for n in 0..count {
            writeln!(file, "{n},\"ticket, number {n} \",{}", ["a1", "b2", "c3"][n % 3]).unwrap();
        }
        Labels::read(file.path()).unwrap()
    }

    #[test]
    fn known_tickets_get_the_right_label_as_often_as_declared() {
        let known = known(900);
        let right = |accuracy| {
            let is_right = |n: &usize| {
                let text = prompt(&format!("ticket, number {n}"));
                let answer = Choice::asked(&text, None).unwrap().answer(&text, &known, accuracy, 5);
                answer == ["a1", "b2", "c3"][n % 3]
            };
            (0..900).filter(is_right).count()
        };
        assert_eq!(right(1.0), 900);
        assert_eq!(right(0.0), 0);
        assert!((600..720).contains(&right(0.75)), "{}", right(0.75));
    }

    #[test]
    fn other_instructions_and_schemas_work_too() {
        let known = known(30);
        let schema = serde_json::json!({"properties": {"kind": {"enum": ["a1", "b2", "c3"]}}});
        let text = "What is this? ticket, number 28 (please hurry)";
        let answer = Choice::asked(text, Some(&schema)).unwrap().answer(text, &known, 1.0, 5);
        assert_eq!(answer, r#"{"kind": "b2"}"#);
        assert!(Choice::asked("What is this?", None).is_none());
        let text = prompt("it is about C3, I think");
        assert_eq!(Choice::asked(&text, None).unwrap().answer(&text, &Labels::default(), 1.0, 5), "c3");
    }
}
