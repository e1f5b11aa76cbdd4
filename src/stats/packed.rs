//! Histograms as text: how a report carries them, and how `histograms.hlog` is written from that.

use super::{Distribution, Metric};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, IntervalLogWriterError, Tag};
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};
use serde::{Deserialize, Serialize};
use std::io;
use std::time::Duration;

/// The histogram of one metric of one target: mergeable with others of it without loss.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Packed {
    /// Position in the report's targets.
    pub target: usize,
    /// The metric's word.
    pub metric: String,
    /// Unit of a value once divided by `ticks_per_unit`.
    pub unit: String,
    /// Recorded ticks in one unit.
    pub ticks_per_unit: f64,
    /// HdrHistogram V2, deflated, in base64.
    pub v2_deflate: String,
}

impl Packed {
    /// Packs a distribution; `None` if it is empty.
    pub(super) fn new(target: usize, metric: Metric, distribution: &Distribution) -> Option<Self> {
        let mut bytes = Vec::new();
        V2DeflateSerializer::new().serialize(distribution.histogram()?, &mut bytes).ok()?;
        Some(Self {
            target,
            metric: metric.name().to_owned(),
            unit: metric.unit().to_owned(),
            ticks_per_unit: metric.ticks_per_unit(),
            v2_deflate: STANDARD.encode(bytes),
        })
    }

    fn unpack(&self) -> Option<Histogram<u64>> {
        let bytes = STANDARD.decode(&self.v2_deflate).ok()?;
        Deserializer::new().deserialize(&mut io::Cursor::new(bytes)).ok()
    }

    /// Values at these quantiles, which ascend (one pass over the buckets finds all), in units; empty if the text is no histogram or has
    /// no values.
    pub fn values_at(&self, quantiles: &[f64]) -> Vec<f64> {
        match self.unpack() {
            Some(h) if !h.is_empty() => h
                .value_at_quantiles(quantiles.iter().copied())
                .map(|ticks| ticks as f64 / self.ticks_per_unit)
                .collect(),
            _ => Vec::new(),
        }
    }

    /// Number of values in it.
    pub fn n(&self) -> u64 {
        self.unpack().map_or(0, |h| h.len())
    }
}

/// Writes histograms as an interval log, which HistogramLogReader and its kin read. Each comes with its tag and the
/// window it covers, from and to in seconds since the run's start.
pub fn write_interval_log(
    out: &mut dyn io::Write,
    comments: &[String],
    histograms: &[(String, f64, f64, &Packed)],
) -> io::Result<()> {
    let mut builder = IntervalLogWriterBuilder::new();
    for comment in comments {
        builder.add_comment(comment);
    }
    let (mut out, mut serializer) = (out, V2DeflateSerializer::new());
    let mut log = builder.begin_log_with(&mut out, &mut serializer)?;
    for (tag, from, to, packed) in histograms {
        let Some(histogram) = packed.unpack() else { continue };
        // A tag ends at a comma, a space or the line.
        let tag: String = tag.chars().filter(|c| *c != ',' && !c.is_whitespace()).collect();
        let (begin, length) = (Duration::try_from_secs_f64(*from), Duration::try_from_secs_f64(to - from));
        log.write_histogram(&histogram, begin.unwrap_or_default(), length.unwrap_or_default(), Tag::new(&tag))
            .map_err(|error| match error {
                IntervalLogWriterError::IoError(error) => error,
                IntervalLogWriterError::SerializeError(error) => io::Error::other(error.to_string()),
            })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    #[test]
    fn what_holds_nothing_tells_nothing() {
        let mut latency = Distribution::default();
        latency.record(1e6);
        let packed = Packed::new(0, Metric::Latency, &latency).unwrap();
        let mut bytes = Vec::new();
        V2DeflateSerializer::new().serialize(&Histogram::<u64>::new(3).unwrap(), &mut bytes).unwrap();
        for text in [STANDARD.encode(bytes), "no histogram".to_owned(), String::new()] {
            let other = Packed { v2_deflate: text, ..packed.clone() };
            assert_eq!((other.n(), other.values_at(&[0.5])), (0, Vec::new()));
        }
    }

    #[test]
    fn a_log_reads_back() {
        let mut latency = Distribution::default();
        (1..=1000).for_each(|i| latency.record(f64::from(i) * 1e6));
        let packed = Packed::new(0, Metric::Latency, &latency).unwrap();
        assert_eq!(packed.n(), 1000);
        assert!((packed.values_at(&[0.5])[0] / 500_000.0 - 1.0).abs() < 1e-3);
        let mut bytes = Vec::new();
        let entry = ("a b,c.latency".to_owned(), 1.5, 11.5, &packed);
        write_interval_log(&mut bytes, &["unit: ns".to_owned()], &[entry]).unwrap();
        let entries: Vec<_> = IntervalLogIterator::new(&bytes).map(Result::unwrap).collect();
        let Some(LogEntry::Interval(interval)) = entries.first() else { panic!("{entries:?}") };
        assert_eq!(interval.tag().map(|t| t.as_str().to_owned()), Some("abc.latency".to_owned()));
        assert_eq!((interval.start_timestamp().as_millis(), interval.duration().as_millis()), (1500, 10_000));
        assert_eq!(interval.encoded_histogram(), packed.v2_deflate);
    }
}
