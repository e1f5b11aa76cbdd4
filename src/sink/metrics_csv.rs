//! `metrics.csv`: what engines published of themselves, a row each figure and reading; only where a target names such a
//! page. It is appended to while the run goes on, like `resources.csv`.

use super::appended::Appended;
use super::csv_text::text;
use crate::scenario::plan::Plan;
use crate::target::scrape::Scraped;
use std::io;
use std::path::Path;

const HEADER: [&str; 5] = ["t_s", "target", "metric", "labels", "value"];

/// The file of a run that goes on.
pub struct MetricsFile {
    file: Appended,
    labels: Vec<String>,
}

impl MetricsFile {
    /// Makes it in a results directory, with its header.
    pub fn create(directory: &Path, plan: &Plan) -> io::Result<Self> {
        let file = Appended::create(directory, "metrics.csv", &HEADER)?;
        Ok(Self { file, labels: plan.targets.iter().map(|target| target.label()).collect() })
    }

    /// Appends figures.
    pub fn append(&mut self, figures: &[Scraped]) {
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
        self.file.append(figures.iter().map(cells));
    }
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
        file.append(&[Scraped { t_s: 1.0, target: 1, metric: "vllm:x".to_owned(), labels, value: 0.5 }]);
        let text = std::fs::read_to_string(directory.path().join("metrics.csv")).unwrap();
        assert_eq!(
            text,
            "t_s,target,metric,labels,value\n1.000,ollama (stand-in),vllm:x,\"'=cmd(\"\"x\"\"),a=\"\"1\"\"\",0.5\n"
        );
    }
}
