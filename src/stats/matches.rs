//! Whether targets gave the very same answers as the reference to the same requests.

use super::{Estimate, wilson};
use crate::record::{Phase, Sample};
use std::collections::HashMap;

/// The answers of a run, as their hashes.
#[derive(Clone, Debug)]
pub struct Matches {
    reference: usize,
    /// By target, by block and number of the request.
    answers: Vec<HashMap<(u32, u64), u64>>,
}

impl Matches {
    /// For a number of targets, one of them the reference.
    pub fn new(targets: usize, reference: usize) -> Self {
        Self { reference, answers: vec![HashMap::new(); targets] }
    }

    /// Takes a row; only measured requests with a complete answer count.
    pub fn push(&mut self, sample: &Sample) {
        let counts = sample.phase == Phase::Measure && sample.outcome.answered();
        if let (Some(hash), Some(answers)) = (sample.text_hash.filter(|_| counts), self.answers.get_mut(sample.target))
        {
            answers.insert((sample.block, sample.index), hash);
        }
    }

    /// The share of a target's answers that are the reference's to the last character, over the requests that both answered;
    /// `None` without one. For the reference itself it is 1 by what it means.
    pub fn share(&self, target: usize) -> Option<Estimate> {
        let (own, reference) = (self.answers.get(target)?, self.answers.get(self.reference)?);
        let pairs = own.iter().filter_map(|(request, hash)| Some(hash == reference.get(request)?));
        let (n, same) = pairs.fold((0, 0), |(n, same), is_same| (n + 1, same + u64::from(is_same)));
        if n == 0 {
            return None;
        }
        wilson(same as f64 / n as f64, n, n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_matched_by_request() {
        let mut matches = Matches::new(3, 1);
        let mut push = |target: usize, index: u64, hash: Option<u64>| {
            let mut sample = super::super::fixture::sample(target, index);
            (sample.phase, sample.text_hash) = (Phase::Measure, hash);
            matches.push(&sample);
        };
        for index in 0..10 {
            push(1, index, Some(index));
            push(0, index + 5, Some(if index == 0 { 99 } else { index + 5 }));
        }
        push(2, 40, Some(1));
        push(2, 1, None);
        // Of requests 5 to 9, all but the first are the same.
        let share = matches.share(0).unwrap();
        assert_eq!((share.value, share.n), (0.8, 5));
        assert_eq!(matches.share(1).map(|share| share.value), Some(1.0));
        assert_eq!(matches.share(2), None);
    }
}
