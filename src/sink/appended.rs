//! A CSV file of a results directory that is appended to while the run goes on, so that a run that is killed keeps it and
//! one of hours holds nothing of it in memory.

use std::fs::File;
use std::io;
use std::path::Path;

/// The file of a run that goes on.
pub(super) struct Appended {
    csv: csv::Writer<File>,
    /// Whether a write failed: then no more is written, for a row must never hang on to half of another. A disk that is full
    /// ends the run by its samples.
    broken: bool,
}

impl Appended {
    /// Makes it in a results directory, with its header.
    pub fn create(directory: &Path, name: &str, header: &[&str]) -> io::Result<Self> {
        let mut csv = csv::Writer::from_writer(File::create(directory.join(name))?);
        csv.write_record(header)?;
        csv.flush()?;
        Ok(Self { csv, broken: false })
    }

    /// Appends rows.
    pub fn append<const N: usize>(&mut self, mut rows: impl Iterator<Item = [String; N]>) {
        if !self.broken {
            let written = rows.try_for_each(|cells| self.csv.write_record(cells));
            self.broken = written.map_err(io::Error::from).and_then(|()| self.csv.flush()).is_err();
        }
    }
}
