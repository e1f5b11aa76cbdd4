//! `metrics.csv`: what engines published of themselves, a row each figure and reading; only where a target names such a
//! page. It is appended to while the run goes on, like `resources.csv`, and read back where a run was killed.

use super::appended::Appended;
use super::csv_text::text;
use crate::scenario::plan::Plan;
use crate::target::scrape::Scraped;
use serde::Deserialize;
use std::io;
use std::path::Path;

/// Its name in a results directory.
const NAME: &str = "metrics.csv";

const HEADER: [&str; 5] = ["t_s", "target", "metric", "labels", "value"];

/// The file of a run that goes on.
pub struct MetricsFile {
    file: Appended,
    labels: Vec<String>,
}

impl MetricsFile {
    /// Makes it in a results directory, with its header.
    pub fn create(directory: &Path, plan: &Plan) -> io::Result<Self> {
        let file = Appended::create(directory, NAME, &HEADER)?;
        Ok(Self { file, labels: plan.targets.iter().map(|target| target.label()).collect() })
    }

    /// Appends figures; the first time that it can't is an error, and the file is given up.
    pub fn append(&mut self, figures: &[Scraped]) -> io::Result<()> {
        let label = |at: usize| self.labels.get(at).map(String::as_str).unwrap_or_default();
        let cells = |figure: &Scraped| {
            [
                format!("{:.3}", figure.t_s),
                text(label(figure.target)).into_owned(),
                text(&figure.metric).into_owned(),
                text(&figure.labels).into_owned(),
                figure.value.to_string(),
            ]
        };
        self.file.append(figures.iter().map(cells))
    }
}

/// Reads the figures of a results directory, a page of them at a time: those of one target that were read together. Without
/// the file there are none; a row that a killed run left half-written is no row.
pub fn read_metrics(directory: &Path, plan: &Plan, mut take: impl FnMut(&[Scraped])) -> io::Result<()> {
    let whole = match std::fs::read(directory.join(NAME)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let end = whole.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let labels: Vec<String> = plan.targets.iter().map(|target| text(&target.label()).into_owned()).collect();
    let mut page: Vec<Scraped> = Vec::new();
    for row in csv::ReaderBuilder::new().flexible(true).from_reader(&whole[..end]).deserialize() {
        let row: Row = row.map_err(|error| io::Error::other(format!("{NAME}: {error}")))?;
        let Some(target) = labels.iter().position(|label| *label == row.target) else { continue };
        if page.first().is_some_and(|first| first.target != target || first.t_s != row.t_s) {
            take(&page);
            page.clear();
        }
        let Row { t_s, metric, labels, value, .. } = row;
        page.push(Scraped { t_s, target, metric, labels, value });
    }
    if !page.is_empty() {
        take(&page);
    }
    Ok(())
}

/// A row as it is written.
#[derive(Deserialize)]
struct Row {
    t_s: f64,
    target: String,
    metric: String,
    labels: String,
    value: f64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Task;

    #[test]
    fn what_an_engine_wrote_is_no_formula() {
        let directory = tempfile::tempdir().unwrap();
        let mut file =
            MetricsFile::create(directory.path(), &crate::stats::fixture::plan(Task::Classify, true)).unwrap();
        let labels = "=cmd(\"x\"),a=\"1\"".to_owned();
        file.append(&[Scraped { t_s: 1.0, target: 1, metric: "vllm:x".to_owned(), labels, value: 0.5 }]).unwrap();
        let text = std::fs::read_to_string(directory.path().join("metrics.csv")).unwrap();
        assert_eq!(
            text,
            "t_s,target,metric,labels,value\n1.000,ollama (stand-in),vllm:x,\"'=cmd(\"\"x\"\"),a=\"\"1\"\"\",0.5\n"
        );
    }

    #[test]
    fn pages_come_back_as_they_were_also_from_a_run_that_was_cut_off() {
        let directory = tempfile::tempdir().unwrap();
        let plan = crate::stats::fixture::plan(Task::Classify, true);
        let read = || {
            let mut pages = Vec::new();
            read_metrics(directory.path(), &plan, |page| pages.push(page.to_vec())).unwrap();
            pages
        };
        assert!(read().is_empty(), "no file, no rows");
        let figure = |t_s: f64, target: usize, value: f64| Scraped {
            t_s,
            target,
            metric: "process_cpu_seconds_total".to_owned(),
            labels: "a=\"1\",b=\"2\"".to_owned(),
            value,
        };
        let pages =
            [vec![figure(1.25, 0, 5.0), figure(1.25, 0, 6.5)], vec![figure(1.25, 1, 7.0)], vec![figure(3.25, 1, 8e9)]];
        let mut file = MetricsFile::create(directory.path(), &plan).unwrap();
        pages.iter().for_each(|page| file.append(page).unwrap());
        assert_eq!(read(), pages);
        let path = directory.path().join(NAME);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, &text[..text.len() - 2]).unwrap();
        assert_eq!(read(), pages[..2]);
        std::fs::write(&path, text.replace("1.250", "x")).unwrap();
        assert!(read_metrics(directory.path(), &plan, |_| ()).is_err());
    }
}
