//! A data file as a sheet with a header. Before the CSV reader gets it, its quotes are looked at: a quote that isn't closed,
//! or is written in another way than CSV's, would swallow rows or change texts without a word.

use super::{MAX_BYTES, Source, SourceError, nearest, odd, quoted};
use std::io::{BufRead, BufReader, Read, Seek};

impl Source {
    /// The line of a quoted text that doesn't end where CSV ends one, and why.
    fn wrong_quote(&self) -> Result<Option<(u64, String)>, SourceError> {
        let told = |error: std::io::Error| self.wrong(0, format!("can't be read: {error}"));
        let mut reader = BufReader::new(Unmarked::new((&self.file).take(MAX_BYTES)));
        let (mut line, mut state, mut last) = (1, Quoting::FieldStart, 0);
        let mut opened = 1;
        let mut first = true;
        loop {
            let bytes = reader.fill_buf().map_err(told)?;
            if bytes.is_empty() {
                break;
            }
            if std::mem::take(&mut first) && odd::is_utf16(bytes) {
                return Ok(Some((1, odd::UTF16.to_owned())));
            }
            let length = bytes.len();
            for &byte in bytes {
                state = match (state, byte) {
                    (Quoting::Quoted, b'"') => Quoting::Closed { escaped: last == b'\\' },
                    (Quoting::Quoted, _) => Quoting::Quoted,
                    (_, b',' | b'\n' | b'\r') => Quoting::FieldStart,
                    (Quoting::FieldStart, b'"') => {
                        opened = line;
                        Quoting::Quoted
                    }
                    // Two quotes in a quoted field are one of its text.
                    (Quoting::Closed { .. }, b'"') => Quoting::Quoted,
                    (Quoting::Closed { escaped: true }, _) => {
                        let why = "a quote in a quoted text is written `\\\"` here; CSV doubles it: `\"\"`";
                        return Ok(Some((line, why.to_owned())));
                    }
                    (Quoting::Closed { .. }, _) if line > opened => {
                        let why = format!("the quote opened here is closed in line {line}, in the middle of a text");
                        return Ok(Some((opened, why)));
                    }
                    (Quoting::Closed { .. }, _) => {
                        let why = "a quoted text continues after its closing quote; CSV doubles a quote inside a text: \
                                   `\"\"`";
                        return Ok(Some((line, why.to_owned())));
                    }
                    _ => Quoting::Plain,
                };
                last = byte;
                line += u64::from(byte == b'\n');
            }
            reader.consume(length);
        }
        (&self.file).rewind().map_err(told)?;
        Ok((state == Quoting::Quoted).then(|| (opened, "the quote opened here is never closed".to_owned())))
    }

    /// The file as rows.
    pub(super) fn sheet(&self) -> Result<csv::Reader<impl Read + '_>, SourceError> {
        if let Some((line, why)) = self.wrong_quote()? {
            return Err(self.wrong(line, why));
        }
        Ok(csv::ReaderBuilder::new().from_reader(Unmarked::new((&self.file).take(MAX_BYTES))))
    }

    /// A row as texts.
    pub(super) fn record(&self, line: u64, row: &csv::ByteRecord) -> csv::StringRecord {
        row.iter().map(|field| self.odd.text(line, field)).collect()
    }

    /// The CSV reader's error, with its line.
    pub(super) fn told(&self, error: &csv::Error) -> SourceError {
        let line = error.position().map_or(0, csv::Position::line);
        let message = match error.kind() {
            csv::ErrorKind::Utf8 { .. } => "not valid UTF-8".to_owned(),
            csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                format!("{len} columns here, {expected_len} in the header; a text with a comma needs quotes")
            }
            _ => error.to_string(),
        };
        self.wrong(line, message)
    }

    /// Position of a column that a setting of the scenario names.
    pub(super) fn column(&self, header: &csv::StringRecord, name: &str, setting: &str) -> Result<usize, SourceError> {
        header.iter().position(|column| column.trim() == name).ok_or_else(|| {
            let near = nearest(name, header.iter());
            let columns = header.iter().collect::<Vec<_>>().join(", ");
            let wrong = self.wrong(1, format!("there is no column `{name}`{near} (columns: {})", quoted(&columns)));
            SourceError { setting: Some(setting.to_owned()), ..wrong }
        })
    }
}

/// Where in a CSV file a byte stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quoting {
    FieldStart,
    Plain,
    Quoted,
    /// Just after a quote inside a quoted field; whether a backslash stands before it.
    Closed {
        escaped: bool,
    },
}

/// A reader without the byte order mark that spreadsheets put before the first column's name.
struct Unmarked<R> {
    inner: R,
    held: std::io::Cursor<Vec<u8>>,
    begun: bool,
}

impl<R: Read> Unmarked<R> {
    fn new(inner: R) -> Self {
        Self { inner, held: std::io::Cursor::default(), begun: false }
    }
}

impl<R: Read> Read for Unmarked<R> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        if !self.begun {
            self.begun = true;
            let mut first = Vec::new();
            (&mut self.inner).take(3).read_to_end(&mut first)?;
            self.held = std::io::Cursor::new(if first == [0xef, 0xbb, 0xbf] { Vec::new() } else { first });
        }
        match self.held.read(out)? {
            0 => self.inner.read(out),
            n => Ok(n),
        }
    }
}
