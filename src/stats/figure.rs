//! How a figure is read from groups of requests, or from stretches of time, and from a draw of them.

use super::slots::{Slot, Times};
use super::{Metric, Work};

/// A kind of work that is counted per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Done {
    /// Complete answers.
    Answers,
    /// Answers within every limit.
    Good,
    /// Output tokens.
    OutputTokens,
}

impl Done {
    /// How much of it was done.
    pub fn of(self, work: &Work) -> f64 {
        match self {
            Done::Answers => work.answers,
            Done::Good => work.good,
            Done::OutputTokens => work.output_tokens,
        }
    }
}

/// A figure that ratios are told of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Figure {
    /// A quantile over requests.
    Quantile(Metric, f64),
    /// A mean over requests.
    Mean(Metric),
    /// Work ÷ the time that was spent on it, both summed. Per user of a closed loop; of an open one, `spent` is the window.
    Rate(Done),
}

impl Figure {
    /// Its value in one part alone; `None` if the part has no rows for it.
    pub fn value(self, part: &Slot) -> Option<f64> {
        match self {
            Figure::Quantile(metric, q) => part.times(metric)?.quantile(q),
            Figure::Mean(metric) => part.times(metric)?.mean(),
            Figure::Rate(done) => Some(done.of(&part.work) / part.spent).filter(|rate| rate.is_finite()),
        }
    }

    /// How much of the whole's value a part has to say: what it was asked.
    pub fn weight(self, part: &Slot) -> f64 {
        match self {
            Figure::Mean(metric) => part.times(metric).map_or(0.0, Times::sum),
            Figure::Rate(_) => part.spent,
            Figure::Quantile(..) => self.rows(part) as f64,
        }
    }

    /// The rows that it rests on in a part.
    pub fn rows(self, part: &Slot) -> u64 {
        match self {
            Figure::Quantile(metric, _) | Figure::Mean(metric) => part.times(metric).map_or(0, |times| times.n),
            Figure::Rate(_) => part.work.answers.round() as u64,
        }
    }
}

/// A figure of one side in `parts`, to be read from any draw of them.
pub(super) enum Parts {
    /// Sums, and what they are divided by, by part.
    Ratio(Vec<(f64, f64)>),
    /// Values in rising order, each with its part and its count; the quantile.
    Ordered {
        /// Value, part, count.
        values: Vec<(f64, u32, u32)>,
        /// Counts by part.
        totals: Vec<u64>,
        /// The quantile.
        q: f64,
    },
}

impl Parts {
    /// Reads a figure's parts; each is what several groups hold.
    pub fn new(figure: Figure, parts: &[Vec<&Slot>]) -> Self {
        let sums = |of: &dyn Fn(&Slot) -> (f64, f64)| {
            let sum = |part: &Vec<&Slot>| {
                part.iter().map(|slot| of(slot)).fold((0.0, 0.0), |all, one| (all.0 + one.0, all.1 + one.1))
            };
            Parts::Ratio(parts.iter().map(sum).collect())
        };
        match figure {
            Figure::Mean(metric) => sums(&|slot| slot.times(metric).map_or((0.0, 0.0), |t| (t.sum(), t.weight()))),
            Figure::Rate(done) => sums(&|slot| (done.of(&slot.work), slot.spent)),
            Figure::Quantile(metric, q) => {
                let mut values = Vec::new();
                let mut totals = vec![0; parts.len()];
                for (at, slot) in parts.iter().enumerate().flat_map(|(at, part)| part.iter().map(move |s| (at, s))) {
                    for (value, count) in slot.times(metric).into_iter().flat_map(|times| times.counts()) {
                        values.push((value, at as u32, count));
                        totals[at] += u64::from(count);
                    }
                }
                values.sort_by(|a, b| a.0.total_cmp(&b.0));
                Parts::Ordered { values, totals, q }
            }
        }
    }

    /// The figure where part `i` counts `weights[i]` times; `None` where nothing is left of it.
    pub fn value(&self, weights: &[u32]) -> Option<f64> {
        let value = match self {
            Parts::Ratio(sums) => {
                let (sum, of) = sums
                    .iter()
                    .zip(weights)
                    .fold((0.0, 0.0), |(sum, of), ((s, o), w)| (sum + s * f64::from(*w), of + o * f64::from(*w)));
                sum / of
            }
            Parts::Ordered { values, totals, q } => {
                let n: u64 = totals.iter().zip(weights).map(|(n, w)| n * u64::from(*w)).sum();
                // Hyndman and Fan's type 8, as a histogram's median-unbiased quantile.
                let position = ((n as f64 + 1.0 / 3.0) * q + 1.0 / 3.0).clamp(1.0, (n as f64).max(1.0));
                let (rank, part) = (position.floor() as u64, position.fract());
                let mut below = 0;
                let mut low = None;
                let mut high = f64::NAN;
                for (value, at, count) in values {
                    below += u64::from(*count) * u64::from(weights[*at as usize]);
                    if below >= rank && low.is_none() {
                        low = Some(*value);
                    }
                    if below > rank || below == n && below >= rank {
                        high = *value;
                        break;
                    }
                }
                let low = low?;
                low + (high - low) * part
            }
        };
        Some(value).filter(|value| value.is_finite() && *value > 0.0)
    }

    /// How far each part lies from the whole's value, as a share of it: what dependence between parts is looked for in. Of a
    /// quantile, by the share of its rows below it: all that its scatter comes from.
    pub fn off(&self, whole: f64) -> Vec<f64> {
        match self {
            Parts::Ratio(sums) => {
                let of = sums.iter().map(|(_, of)| of).sum::<f64>() / sums.len().max(1) as f64;
                sums.iter().map(|(s, o)| (s - whole * o) / (whole * of)).collect()
            }
            Parts::Ordered { values, totals, q } => {
                let mut below = vec![0.0; totals.len()];
                for (_, at, count) in values.iter().take_while(|(value, ..)| *value <= whole) {
                    below[*at as usize] += f64::from(*count);
                }
                let mean = totals.iter().sum::<u64>() as f64 / totals.len().max(1) as f64;
                totals.iter().zip(below).map(|(n, below)| (*n as f64 * q - below) / mean).collect()
            }
        }
    }
}
