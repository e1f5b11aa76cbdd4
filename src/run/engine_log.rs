//! What an engine writes, kept in a file: its beginning and its end, without secrets.

use crate::report::replace;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// Of what an engine writes, so much is kept from its beginning.
const HEAD: usize = 8 << 20;
/// And so much of its end.
const TAIL: usize = 64 << 10;
/// Of what it wrote before it ended, so much is told.
const LAST_WORDS: usize = 400;
/// A line that is longer is kept in pieces.
const LINE: usize = 64 << 10;

/// Opens a log, to add to it.
pub(super) fn file(path: &Path) -> std::io::Result<File> {
    path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
    File::options().create(true).append(true).open(path)
}

/// The end of a file that an engine writes itself.
pub(super) fn last_words_in(path: &Path, secrets: &[String]) -> String {
    let mut log = Log::new(Vec::new(), secrets.to_vec());
    // More than is told: a secret that the cut went through would not be met.
    let read = File::open(path).and_then(|mut file| {
        let from = file.metadata()?.len().saturating_sub(TAIL as u64);
        log.read(&mut file, from, TAIL)
    });
    log.flush();
    read.map_or_else(|_| String::new(), |()| log.last_words())
}

/// Makes a file that an engine wrote itself what it would be had it gone by here. One that can't be is removed: it may hold
/// secrets.
pub(super) fn clean(path: &Path, secrets: Vec<String>) {
    let mut log = Log::new(Vec::new(), secrets);
    let cleaned = File::open(path).and_then(|mut file| {
        let length = file.metadata()?.len();
        let tail = length.saturating_sub(TAIL as u64);
        if length <= HEAD as u64 {
            log.read(&mut file, 0, HEAD)?;
        } else {
            log.read(&mut file, 0, HEAD - TAIL)?;
            log.leave_out(tail - (HEAD - TAIL) as u64);
            log.read(&mut file, tail, TAIL)?;
        }
        log.flush();
        replace(path, |out| {
            out.write_all(&log.waiting)?;
            log.write_end(out)
        })
    });
    if cleaned.is_err() {
        let _ = std::fs::remove_file(path);
    }
}

/// What an engine wrote: its beginning, in memory until there is a file for it, and its end.
pub(super) struct Log {
    file: Option<File>,
    /// What no file has yet.
    waiting: Vec<u8>,
    /// Bytes of the beginning so far.
    kept: usize,
    /// Bytes after it.
    more: u64,
    tail: Vec<u8>,
    /// The line that hasn't ended.
    line: Vec<u8>,
    listen_for: Vec<String>,
    secrets: Vec<String>,
}

impl Log {
    pub(super) fn new(listen_for: Vec<String>, mut secrets: Vec<String>) -> Self {
        secrets.retain(|secret| !secret.is_empty());
        // A part of a longer one must not be replaced before it.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        let (waiting, tail, line) = (Vec::new(), Vec::new(), Vec::new());
        Self { file: None, waiting, kept: 0, more: 0, tail, line, listen_for, secrets }
    }

    /// From now on all goes into a file, after what is there. One that can't be written is left.
    pub(super) fn write_to(&mut self, path: &Path) {
        self.file = file(path).ok();
        if let Some(file) = &mut self.file {
            let _ = file.write_all(&std::mem::take(&mut self.waiting));
        }
    }

    /// Takes what was written, and keeps the lines that have ended; those that are listened for, if they are among them.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut heard = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.line.len() > LINE {
                heard.extend(self.flush());
            }
        }
        heard
    }

    /// Takes a part of a file, from the first whole line on.
    fn read(&mut self, file: &mut File, from: u64, most: usize) -> io::Result<()> {
        // The byte before tells whether a line begins there.
        file.seek(SeekFrom::Start(from.saturating_sub(1)))?;
        let mut bytes = Vec::new();
        file.take(most as u64 + u64::from(from > 0)).read_to_end(&mut bytes)?;
        let whole = match bytes.iter().position(|byte| *byte == b'\n').filter(|_| from > 0) {
            Some(before) => before + 1,
            None => 0,
        };
        self.take(bytes.get(whole..).unwrap_or_default());
        Ok(())
    }

    /// Leaves out what comes next of a file, and the line that goes on there: a part of a secret would not be known. What
    /// follows is its end.
    fn leave_out(&mut self, bytes: u64) {
        self.more += bytes + self.line.len() as u64;
        self.line.clear();
        self.tail.clear();
        self.kept = HEAD;
    }

    /// Keeps the last line, ended or not; gives it, as it was written, if it is what is listened for next.
    pub(super) fn flush(&mut self) -> Option<String> {
        let line = std::mem::take(&mut self.line);
        let text = String::from_utf8_lossy(&line);
        if self.secrets.iter().any(|secret| text.contains(secret)) {
            let clean = self.secrets.iter().fold(text.to_string(), |text, secret| text.replace(secret, "***"));
            self.keep(clean.as_bytes());
        } else {
            self.keep(&line);
        }
        // An address that is listened for may hold what is a secret elsewhere.
        text.contains(self.listen_for.first()?.as_str()).then(|| {
            self.listen_for.remove(0);
            text.trim_end().to_owned()
        })
    }

    fn keep(&mut self, bytes: &[u8]) {
        let (head, rest) = bytes.split_at(bytes.len().min(HEAD - self.kept));
        self.kept += head.len();
        match &mut self.file {
            Some(file) => {
                let _ = file.write_all(head);
            }
            None => self.waiting.extend_from_slice(head),
        }
        self.more += rest.len() as u64;
        self.tail.extend_from_slice(bytes);
        if self.tail.len() > 2 * TAIL {
            self.tail.drain(..self.tail.len() - TAIL);
        }
    }

    pub(super) fn last_words(&self) -> String {
        let from = self.tail.len().saturating_sub(LAST_WORDS);
        String::from_utf8_lossy(self.tail.get(from..).unwrap_or_default()).into_owned()
    }

    /// Adds the end where it isn't in the file by then.
    pub(super) fn finish(mut self) {
        self.flush();
        if let Some(mut file) = self.file.take() {
            let _ = self.write_end(&mut file);
        }
    }

    fn write_end(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.more == 0 {
            return Ok(());
        }
        let end = self.tail.len().min(usize::try_from(self.more).unwrap_or(usize::MAX)).min(TAIL);
        let left_out = self.more - end as u64;
        writeln!(out, "\n[loadcmp: {left_out} bytes left out]")?;
        out.write_all(self.tail.get(self.tail.len() - end..).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_keeps_its_beginning_and_its_end_and_waits_for_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("engines/a.log");
        let mut log = Log::new(vec!["http://".to_owned()], Vec::new());
        assert!(log.take(b"first\nstand-in at http://h").is_empty());
        assert_eq!(log.take(b"ere:1\nmore"), ["stand-in at http://here:1"]);
        assert!(log.take(b"http://again\n").is_empty(), "told once");
        log.write_to(&path);
        let line = [b'x'; 1 << 20];
        for _ in 0..9 {
            log.take(&line);
        }
        log.take(b"the end");
        log.flush();
        assert!(log.last_words().ends_with("the end") && log.last_words().len() == LAST_WORDS);
        log.finish();
        let kept = std::fs::read(&path).unwrap();
        let text = String::from_utf8_lossy(&kept);
        assert!(text.starts_with("first\n") && text.ends_with("the end"), "{}", kept.len());
        assert!(text.contains("bytes left out]") && kept.len() < HEAD + TAIL + 100, "{}", kept.len());
    }

    #[test]
    fn a_short_log_is_whole_but_for_secrets() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.log");
        let mut log = Log::new(Vec::new(), vec!["tok-1".to_owned()]);
        log.take(b"one\n");
        log.write_to(&path);
        log.take(b"two tok");
        log.take(b"-1 three\nfour");
        log.finish();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntwo *** three\nfour");
    }

    #[test]
    fn a_line_that_is_listened_for_is_told_as_it_was_written() {
        let mut log = Log::new(vec!["http://".to_owned()], vec!["127.0.0.1".to_owned()]);
        assert_eq!(log.take(b"at http://127.0.0.1:4000\n"), ["at http://127.0.0.1:4000"]);
        assert_eq!(log.last_words(), "at http://***:4000\n");
    }

    #[test]
    fn a_file_that_an_engine_wrote_itself_is_as_clean_and_as_short() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.log");
        let secrets = ["tok", "tok-1234567890"].map(str::to_owned).to_vec();
        std::fs::write(&path, "one tok-1234567890\ntwo").unwrap();
        assert_eq!(last_words_in(&path, &secrets), "one ***\ntwo");
        clean(&path, secrets.clone());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one ***\ntwo");

        let line = "a tok-1234567890\n";
        let long = format!("first\n{}the end tok-1234567890", line.repeat(2 * HEAD / line.len()));
        std::fs::write(&path, &long).unwrap();
        let last = last_words_in(&path, &secrets);
        assert!(last.len() == LAST_WORDS && last.ends_with("the end ***") && !last.contains("tok"), "{last}");
        clean(&path, secrets);
        let kept = std::fs::read_to_string(&path).unwrap();
        assert!(kept.starts_with("first\na ***\n") && kept.ends_with("a ***\nthe end ***"));
        assert!(kept.len() < HEAD + TAIL + 100 && !kept.contains("123"), "{}", kept.len());
        assert!(kept.contains("bytes left out]\na ***\n"));
    }
}
