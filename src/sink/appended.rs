//! A CSV file of a results directory that is appended to while the run goes on, so that a run that is killed keeps it and
//! one of hours holds nothing of it in memory.

use std::fs::File;
use std::io;
use std::path::Path;

/// The file of a run that goes on.
pub(super) struct Appended {
    csv: csv::Writer<File>,
    /// Whether a write failed: then no more is written, for a row must never hang on to half of another.
    broken: bool,
}

impl Appended {
    /// Makes it in a results directory, with its header.
    pub fn create(directory: &Path, name: &str, header: &[&str]) -> io::Result<Self> {
        let mut made = Self::over(File::create(directory.join(name))?);
        made.csv.write_record(header)?;
        made.csv.flush()?;
        Ok(made)
    }

    fn over(file: File) -> Self {
        Self { csv: csv::Writer::from_writer(file), broken: false }
    }

    /// Appends rows. The first time that it can't is an error; from then on nothing is written, and nothing said.
    pub fn append<const N: usize>(&mut self, mut rows: impl Iterator<Item = [String; N]>) -> io::Result<()> {
        if self.broken {
            return Ok(());
        }
        let written = rows.try_for_each(|cells| self.csv.write_record(cells));
        let written = written.map_err(io::Error::from).and_then(|()| self.csv.flush());
        self.broken = written.is_err();
        written
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_os = "linux")]
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_is_told_once_and_then_no_more_is_written() {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut file = Appended::over(full);
        let row = || [["1".to_owned(), "x".to_owned()]].into_iter();
        let error = file.append(row()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert!(file.append(row()).is_ok());
    }
}
