//! A trace's file: one column of seconds, or a kind of its own.

use super::super::Trace;
use super::{Source, SourceError, quoted, recorded};
use crate::scenario::{MOST_ARRIVALS, TracePart, TraceSpec};
use std::path::Path;

/// Reads the recorded instants of a trace: of all requests, or of the part whose prompts are used. Its path starts from `base`.
pub fn read_trace(spec: &TraceSpec, part: TracePart, base: &Path) -> Result<Trace, SourceError> {
    let part = TracePart { requests: spec.requests.or(part.requests), ..part };
    let source = Source::open_part(base, &spec.path, part)?;
    let mut seconds = Vec::new();
    let known = if recorded::has_column(&source, &spec.column)? { None } else { recorded::read(&source, part)? };
    match known {
        Some(recorded::Record::Lengths(_, lengths)) => seconds.extend(lengths.all.into_iter().map(|(at, _)| at)),
        Some(recorded::Record::Talks(kind, ..)) => {
            return Err(source.wrong(0, format!("these are {}, which have no times", kind.name())));
        }
        None => {
            let mut reader = source.sheet()?;
            let tell = |error: csv::Error| source.told(&error);
            let header = reader.headers().map_err(tell)?.clone();
            let column = source.column(&header, &spec.column, "load.open.trace.column")?;
            for record in reader.records() {
                let record = record.map_err(tell)?;
                let line = record.position().map_or(0, csv::Position::line);
                let written = record.get(column).unwrap_or_default().trim();
                let number = written.parse().ok().filter(|number: &f64| number.is_finite());
                let number = number
                    .ok_or_else(|| source.wrong(line, format!("`{}` is not a number of seconds", quoted(written))))?;
                if seconds.len() as u64 == MOST_ARRIVALS {
                    return Err(source.wrong(line, format!("more than {MOST_ARRIVALS} times, the limit")));
                }
                seconds.push(number);
                if part.requests.is_some_and(|most| seconds.len() as u64 >= most) {
                    break;
                }
            }
        }
    }
    Trace::new(seconds, spec.speed).map_err(|why| source.wrong(0, why))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, column: &str) -> Result<Vec<u64>, String> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("trace.csv"), text).unwrap();
        let spec = TraceSpec { path: "trace.csv".into(), column: column.to_owned(), speed: 2.0, requests: None };
        let trace = read_trace(&spec, TracePart::default(), dir.path()).map_err(|error| {
            let told = error.to_string();
            told.rsplit_once("trace.csv").map(|(_, rest)| rest.to_owned()).unwrap_or(told)
        })?;
        Ok(trace.offsets().iter().map(|at| at.0).collect())
    }

    #[test]
    fn a_column_of_seconds_is_read() {
        assert_eq!(read("id,offset_s\na, 3.5\nb,0.5\n", "offset_s"), Ok(vec![0, 1_500_000_000]));
        assert_eq!(read("\u{feff}t\r\n1e1\r\n", "t"), Ok(vec![0]));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let wrong = |text, told: &str| {
            let error = read(text, "offset_s").unwrap_err();
            assert_eq!(error, told, "{text:?}");
        };
        wrong("offset_s\n0\nsoon\n", ":3: `soon` is not a number of seconds");
        wrong("offset_s\n0\n\"\"\n", ":3: `` is not a number of seconds");
        wrong("offset_s\nNaN\n", ":2: `NaN` is not a number of seconds");
        wrong("offset_s,b\n0,1\n0\n", ":3: 1 columns here, 2 in the header; a text with a comma needs quotes");
        wrong("offset\n0\n", ":1: there is no column `offset_s`; did you mean `offset`? (columns: offset)");
        wrong("offset_s\n", ": it has no times");
        let error = read_trace(
            &TraceSpec { path: "/etc/passwd".into(), column: "t".to_owned(), speed: 1.0, requests: None },
            TracePart::default(),
            Path::new("/nowhere"),
        );
        assert!(error.unwrap_err().to_string().contains("outside"));
    }
}
