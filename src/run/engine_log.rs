//! What an engine writes, kept in a file: its beginning and its end, without secrets.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
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

/// The end of a file.
pub(super) fn last_words_in(path: &Path) -> String {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|mut file| {
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(LAST_WORDS as u64)))?;
        file.take(LAST_WORDS as u64).read_to_end(&mut bytes)
    });
    read.map_or_else(|_| String::new(), |_| String::from_utf8_lossy(&bytes).into_owned())
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

    /// Keeps the last line, ended or not; gives it if it is what is listened for next.
    pub(super) fn flush(&mut self) -> Option<String> {
        let mut line = std::mem::take(&mut self.line);
        if !self.secrets.is_empty() {
            let text = String::from_utf8_lossy(&line);
            if self.secrets.iter().any(|secret| text.contains(secret)) {
                let clean = self.secrets.iter().fold(text.into_owned(), |text, secret| text.replace(secret, "***"));
                line = clean.into_bytes();
            }
        }
        self.keep(&line);
        let text = String::from_utf8_lossy(&line);
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
        let Some(file) = self.file.as_mut().filter(|_| self.more > 0) else { return };
        let end = self.tail.len().min(usize::try_from(self.more).unwrap_or(usize::MAX)).min(TAIL);
        let left_out = self.more - end as u64;
        let _ = writeln!(file, "\n[loadcmp: {left_out} bytes are left out here]");
        let _ = file.write_all(self.tail.get(self.tail.len() - end..).unwrap_or_default());
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
        assert!(text.contains("bytes are left out here]") && kept.len() < HEAD + TAIL + 100, "{}", kept.len());
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
}
