//! `resources.csv`: what the machine and known processes used, a row each a second. It is appended to while the run goes
//! on, and read back.

use super::appended::Appended;
use super::csv_text::{count, number, text};
use crate::host::Usage;
use crate::scenario::plan::Plan;
use std::io;
use std::path::Path;

/// Its name in a results directory.
const NAME: &str = "resources.csv";

const HEADER: [&str; 24] = [
    "t_s",
    "who",
    "cpu_cores",
    "rss_bytes",
    "rss_anonymous_bytes",
    "rss_file_bytes",
    "pss_bytes",
    "threads",
    "minor_faults",
    "major_faults",
    "disk_read_bytes",
    "voluntary_switches",
    "involuntary_switches",
    "gpu_memory_bytes",
    "gpu_busy",
    "power_w",
    "temperature_c",
    "other_cores",
    "available_bytes",
    "swap_bytes",
    "frequency_mhz",
    "stolen_cores",
    "swapped_bytes",
    "other_models_bytes",
];

/// The file of a run that goes on.
pub struct ResourcesFile {
    file: Appended,
    labels: Labels,
}

impl ResourcesFile {
    /// Makes it in a results directory, with its header.
    pub fn create(directory: &Path, plan: &Plan) -> io::Result<Self> {
        Ok(Self { file: Appended::create(directory, NAME, &HEADER)?, labels: Labels::of(plan) })
    }

    /// Appends rows; the first time that it can't is an error, and the file is given up.
    pub fn append(&mut self, rows: &[Usage]) -> io::Result<()> {
        self.file.append(rows.iter().map(|usage| self.labels.cells(usage)))
    }
}

/// Targets' names as the file shows them: marked, if it is a stand-in.
struct Labels(Vec<(String, String)>);

impl Labels {
    fn of(plan: &Plan) -> Self {
        Self(plan.targets.iter().map(|target| (target.name.clone(), target.label())).collect())
    }

    fn cells(&self, usage: &Usage) -> [String; HEADER.len()] {
        let label = self.0.iter().find(|(name, _)| *name == usage.who).map_or(&usage.who, |(_, label)| label);
        let rounded = |x: Option<f64>| number(x.map(|x| (x * 1e4).round() / 1e4));
        [
            format!("{:.3}", usage.t_s),
            text(label).into_owned(),
            rounded(usage.cpu_cores),
            count(usage.rss_bytes),
            count(usage.rss_anonymous_bytes),
            count(usage.rss_file_bytes),
            count(usage.pss_bytes),
            count(usage.threads),
            count(usage.minor_faults),
            count(usage.major_faults),
            count(usage.disk_read_bytes),
            count(usage.voluntary_switches),
            count(usage.involuntary_switches),
            count(usage.gpu_memory_bytes),
            rounded(usage.gpu_busy),
            rounded(usage.power_w),
            rounded(usage.temperature_c),
            rounded(usage.other_cores),
            count(usage.available_bytes),
            count(usage.swap_bytes),
            rounded(usage.frequency_mhz),
            rounded(usage.stolen_cores),
            count(usage.swapped_bytes),
            count(usage.other_models_bytes),
        ]
    }
}

/// Reads the rows of a results directory in their order, with targets by their names. Without the file there are none. A
/// row that a killed run left half-written is no row; columns that an older file hasn't are blank.
pub fn read_resources(directory: &Path, plan: &Plan, mut take: impl FnMut(Usage)) -> io::Result<()> {
    let whole = match std::fs::read(directory.join(NAME)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let end = whole.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let labels = Labels::of(plan);
    let mut csv = csv::ReaderBuilder::new().flexible(true).from_reader(&whole[..end]);
    for row in csv.deserialize() {
        let mut usage: Usage = row.map_err(|error| io::Error::other(format!("{NAME}: {error}")))?;
        let name = labels.0.iter().find(|(_, label)| *text(label) == usage.who);
        if let Some((name, _)) = name {
            usage.who.clone_from(name);
        }
        take(usage);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Task;

    fn usage(t_s: f64, who: &str) -> Usage {
        Usage { t_s, who: who.to_owned(), cpu_cores: Some(0.25), rss_bytes: Some(12_345_678), ..Usage::default() }
    }

    fn read(directory: &Path, plan: &Plan) -> Vec<Usage> {
        let mut all = Vec::new();
        read_resources(directory, plan, |usage| all.push(usage)).unwrap();
        all
    }

    #[test]
    fn rows_come_back_as_they_were_also_from_a_run_that_was_cut_off() {
        let directory = tempfile::tempdir().unwrap();
        let plan = crate::stats::fixture::plan(Task::Classify, true);
        assert_eq!(read(directory.path(), &plan), [], "no file, no rows");
        let mut file = ResourcesFile::create(directory.path(), &plan).unwrap();
        let full = Usage {
            pss_bytes: Some(7),
            gpu_busy: Some(0.5),
            swapped_bytes: Some(0),
            ..usage(1.0, &plan.targets[1].name)
        };
        let rows = [usage(1.0, "host"), full];
        file.append(&rows).unwrap();
        assert_eq!(read(directory.path(), &plan), rows, "while it is still open");
        file.append(&[usage(2.0, "host")]).unwrap();
        let path = directory.path().join(NAME);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("(stand-in)") && text.starts_with("t_s,who,cpu_cores,rss_bytes,"), "{text}");
        std::fs::write(&path, &text[..text.len() - 9]).unwrap();
        assert_eq!(read(directory.path(), &plan), rows);
        // As it was before there were more columns.
        std::fs::write(&path, "t_s,who,cpu_cores,rss_bytes\n1.000,host,0.25,12345678\n").unwrap();
        assert_eq!(read(directory.path(), &plan), [usage(1.0, "host")]);
        std::fs::write(&path, "t_s,who\nx,host\n").unwrap();
        assert!(read_resources(directory.path(), &plan, |_| ()).is_err());
    }
}
