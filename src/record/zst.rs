//! `samples.csv`, compressed once all rows are there: to a fifth of its size, read by DuckDB, pandas and `zstd` as it is.

use std::fs::File;
use std::io::{BufRead, BufReader, Error, Read, Result, Write};
use std::path::{Path, PathBuf};

/// The rows of a run, as they are written.
pub const PLAIN: &str = "samples.csv";
/// The same, compressed.
pub const PACKED: &str = "samples.csv.zst";

/// Bytes that are asked for in one go.
const BLOCK: usize = 1 << 18;

/// The file that a run's rows are in; `None` if there is none. Of two, the one that was there first: the other may not be whole.
pub fn rows_file(dir: &Path) -> Option<PathBuf> {
    [PLAIN, PACKED].map(|name| dir.join(name)).into_iter().find(|path| path.is_file())
}

/// Compresses all of `from` into one frame (Zstandard, RFC 8878), with a checksum.
pub fn pack(from: impl Read, to: impl Write) -> Result<()> {
    // What it compresses with takes no failure: it is told of an end, and of bytes that were written.
    let (from, to) = (Unfailing { io: from, error: None }, Unfailing { io: to, error: None });
    let mut packer = ruzstd::encoding::FrameCompressor::new(ruzstd::encoding::CompressionLevel::Fastest);
    packer.set_source(from);
    packer.set_drain(to);
    packer.compress();
    let unread = packer.take_source().and_then(|from| from.error);
    unread.or(packer.take_drain().and_then(|to| to.error)).map_or(Ok(()), Err)
}

/// Reads a file of rows, compressed or not.
///
/// # Errors
///
/// It can't be opened, or its first bytes are no compressed frame's.
pub fn open(path: &Path) -> Result<Box<dyn BufRead>> {
    let file = BufReader::with_capacity(BLOCK, File::open(path)?);
    if path.extension().is_none_or(|extension| extension != "zst") {
        return Ok(Box::new(file));
    }
    let rows = ruzstd::decoding::StreamingDecoder::new(file).map_err(Error::other)?;
    Ok(Box::new(BufReader::with_capacity(BLOCK, rows)))
}

/// A file whose first error is kept, after which it reads as ended, and takes what it is given.
struct Unfailing<T> {
    io: T,
    error: Option<Error>,
}

impl<T> Unfailing<T> {
    fn kept<R>(&mut self, done: impl FnOnce(&mut T) -> Result<R>, else_: R) -> Result<R> {
        if self.error.is_some() {
            return Ok(else_);
        }
        done(&mut self.io).or_else(|error| {
            self.error = Some(error);
            Ok(else_)
        })
    }
}

impl<T: Read> Read for Unfailing<T> {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize> {
        self.kept(|io| io.read(bytes), 0)
    }
}

impl<T: Write> Write for Unfailing<T> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.kept(|io| io.write(bytes), bytes.len())
    }

    fn flush(&mut self) -> Result<()> {
        self.kept(T::flush, ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file on a full disk, or one that can't be read any further.
    struct Broken(usize);

    impl Write for Broken {
        fn write(&mut self, bytes: &[u8]) -> Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or_else(|| Error::other("full"))?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> Result<()> {
            Ok(())
        }
    }

    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> Result<usize> {
            Err(Error::other("unreadable"))
        }
    }

    #[test]
    fn what_is_packed_reads_back_and_is_smaller() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(rows_file(dir.path()), None);
        let rows: String = (0..20_000_u64).map(|n| format!("native,openai,measure,{n},{}.125\n", n * 7919)).collect();
        let path = dir.path().join(PACKED);
        pack(rows.as_bytes(), File::create(&path).unwrap()).unwrap();
        assert!(std::fs::metadata(&path).unwrap().len() < rows.len() as u64 / 2);
        assert_eq!(rows_file(dir.path()), Some(path.clone()));
        let mut read = String::new();
        open(&path).unwrap().read_to_string(&mut read).unwrap();
        assert!(read == rows, "not what was packed");
        // Cut off, it says so.
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        assert!(open(&path).unwrap().read_to_string(&mut read).is_err());
        std::fs::write(&path, "target,wire").unwrap();
        assert!(open(&path).is_err());
        std::fs::write(dir.path().join(PLAIN), "").unwrap();
        assert_eq!(rows_file(dir.path()), Some(dir.path().join(PLAIN)));
    }

    #[test]
    fn a_full_disk_and_an_unreadable_file_are_errors() {
        let rows = "a,b,c\n".repeat(100_000);
        assert_eq!(pack(rows.as_bytes(), Broken(100)).unwrap_err().to_string(), "full");
        assert_eq!(pack(Broken(0), Vec::new()).unwrap_err().to_string(), "unreadable");
    }
}
