//! The answers that a page shows: a few by the seed, and those in which the targets differ most.

use crate::metrics::human;
use crate::record::answers::{ANSWERS_KEPT, Answer};
use crate::record::{Nanos, Phase, Sample};
use crate::scenario::Task;
use crate::scenario::plan::Plan;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// Prompts that the seed chooses.
const BY_SEED: usize = 5;
/// Prompts shown since their answers differ most.
const DIFFERENT: usize = 5;
/// Characters of an answer or prompt that are shown.
const SHOWN: usize = 2000;
/// The stream of the seed that prompts are chosen by: 0 and 1 are the workload's.
const STREAM: u64 = 9;

/// Why a prompt is shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Why {
    /// The seed chose it.
    Seed,
    /// The targets' labels differ.
    Labels,
    /// The latencies differ more than elsewhere: the longest divided by the shortest.
    Latency(f64),
}

/// A prompt with what each target made of it.
#[derive(Clone, Debug, PartialEq)]
pub struct ShownPrompt {
    /// Number of the request, as in `samples.csv`.
    pub index: u64,
    /// Why it is shown.
    pub why: Why,
    /// What was asked, cut at 2,000 characters.
    pub prompt: String,
    /// The right label (classify).
    pub expected: Option<String>,
    /// By target, in the plan's order.
    pub answers: Vec<ShownAnswer>,
}

/// One target's answer.
#[derive(Clone, Debug, PartialEq)]
pub struct ShownAnswer {
    /// The text, cut at 2,000 characters.
    pub text: String,
    /// The label that was read from it (classify).
    pub label: Option<String>,
    /// Sent to end, in microseconds.
    pub latency: Option<f64>,
    /// Sent to first token, in microseconds.
    pub ttft: Option<f64>,
    /// Output tokens by the engine's count.
    pub tokens: Option<u64>,
    /// The engine's word for why it stopped.
    pub finish: Option<String>,
}

/// Collects rows and texts of the first requests, in whatever order they come.
#[derive(Debug, Default)]
pub struct AnswerPicks {
    rows: BTreeMap<(u64, usize), Sample>,
    texts: BTreeMap<(u64, usize), Answer>,
}

impl AnswerPicks {
    /// Takes a row.
    pub fn sample(&mut self, sample: &Sample) {
        let early = sample.phase == Phase::Measure && sample.index < ANSWERS_KEPT;
        if early && sample.outcome.answered() {
            self.rows.insert((sample.index, sample.target), sample.clone());
        }
    }

    /// Takes a text.
    pub fn answer(&mut self, answer: Answer) {
        if answer.index < ANSWERS_KEPT {
            self.texts.insert((answer.index, answer.target), answer);
        }
    }

    /// Those to be shown, in the order in which they were asked.
    pub fn pick(&self, plan: &Plan) -> Vec<ShownPrompt> {
        let targets = 0..plan.targets.len();
        let has = |index: &u64| {
            targets.clone().all(|at| self.rows.contains_key(&(*index, at)) && self.texts.contains_key(&(*index, at)))
        };
        let mut all: Vec<u64> = (0..ANSWERS_KEPT).filter(has).collect();
        let mut random = ChaCha8Rng::seed_from_u64(plan.seed);
        random.set_stream(STREAM);
        all.shuffle(&mut random);
        let rest = all.split_off(BY_SEED.min(all.len()));
        let mut picked: Vec<(u64, Why)> = all.into_iter().map(|index| (index, Why::Seed)).collect();
        let mut different: Vec<(u64, Why)> =
            rest.into_iter().filter_map(|index| Some((index, self.difference(plan, index)?))).collect();
        // Of equal ones, in the order of the seed.
        different.sort_by(|(_, a), (_, b)| ratio(*b).total_cmp(&ratio(*a)));
        picked.extend(different.into_iter().take(DIFFERENT));
        picked.sort_by_key(|(index, _)| *index);
        picked.into_iter().filter_map(|(index, why)| self.shown(plan, index, why)).collect()
    }

    /// How like the reference's a target's answers are, over the requests of which both are kept: the mean of 1 - Levenshtein's
    /// distance ÷ the longer one's length, in characters; and the number of those requests. `None` without one.
    pub fn similarity(&self, target: usize, reference: usize) -> Option<(u64, f64)> {
        let of = |index: u64, at: usize| Some(self.texts.get(&(index, at))?.text.as_str());
        let pairs = (0..ANSWERS_KEPT).filter_map(|index| Some((of(index, target)?, of(index, reference)?)));
        let all: Vec<f64> = pairs.map(|(a, b)| similar(a, b)).collect();
        (!all.is_empty()).then(|| (all.len() as u64, all.iter().sum::<f64>() / all.len() as f64))
    }

    /// In what the targets differ on a request; `None` if in nothing that is shown.
    fn difference(&self, plan: &Plan, index: u64) -> Option<Why> {
        let rows: Vec<&Sample> = self.rows.range((index, 0)..=(index, usize::MAX)).map(|(_, row)| row).collect();
        if plan.task == Task::Classify {
            return rows.windows(2).any(|pair| pair[0].label != pair[1].label).then_some(Why::Labels);
        }
        let latencies: Vec<f64> = rows.iter().filter_map(|row| row.latency()).map(Nanos::micros).collect();
        let most = latencies.iter().copied().fold(f64::NAN, f64::max);
        let least = latencies.iter().copied().fold(f64::NAN, f64::min);
        (latencies.len() > 1 && least > 0.0).then_some(Why::Latency(most / least))
    }

    fn shown(&self, plan: &Plan, index: u64, why: Why) -> Option<ShownPrompt> {
        let label = |at: Option<usize>| at.and_then(|at| plan.workload.labels.get(at).cloned());
        let of = |at: usize| {
            let (row, told) = (self.rows.get(&(index, at))?, self.texts.get(&(index, at))?);
            Some(ShownAnswer {
                text: human::cut(&told.text, SHOWN),
                label: label(row.label),
                latency: row.latency().map(Nanos::micros),
                ttft: row.ttft().map(Nanos::micros),
                tokens: row.output_tokens,
                finish: row.finish.clone(),
            })
        };
        let answers: Option<Vec<ShownAnswer>> = (0..plan.targets.len()).map(of).collect();
        let prompt = human::cut(&self.texts.get(&(index, 0))?.prompt, SHOWN);
        let expected = label(self.rows.get(&(index, 0))?.expected_label);
        Some(ShownPrompt { index, why, prompt, expected, answers: answers? })
    }
}

/// How like each other two texts are, from 0 to 1. The distance takes the product of their lengths to find, so that only so much
/// of them is looked at as is shown.
fn similar(a: &str, b: &str) -> f64 {
    if a == b {
        return 1.0;
    }
    let short = |text: &str| text.chars().take(SHOWN).collect::<String>();
    strsim::normalized_levenshtein(&short(a), &short(b))
}

fn ratio(why: Why) -> f64 {
    if let Why::Latency(ratio) = why { ratio } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Outcome;
    use crate::stats::fixture::{plan, sample};

    fn row(target: usize, index: u64, label: usize, took: u64) -> Sample {
        let mut row = sample(target, index);
        (row.phase, row.outcome, row.label) = (Phase::Measure, Outcome::Ok, Some(label));
        (row.stamps.sent, row.stamps.end) = (Some(Nanos(1000)), Some(Nanos(1000 + took * 1000)));
        row
    }

    fn answer(target: usize, index: u64, text: &str) -> Answer {
        Answer { target, index, prompt: format!("prompt {index}"), text: text.to_owned() }
    }

    fn picks(n: u64, label: impl Fn(u64) -> usize, took: impl Fn(u64) -> u64) -> AnswerPicks {
        let mut picks = AnswerPicks::default();
        for index in 0..n {
            for target in 0..2 {
                let other = target == 1;
                picks.sample(&row(
                    target,
                    index,
                    if other { label(index) } else { 0 },
                    if other { took(index) } else { 100 },
                ));
                picks.answer(answer(target, index, &format!("text {index}")));
            }
        }
        picks
    }

    #[test]
    fn five_by_the_seed_and_those_whose_labels_differ() {
        let plan = plan(Task::Classify, false);
        let shown = picks(60, |index| usize::from(index % 7 == 0), |_| 100).pick(&plan);
        let seeded = shown.iter().filter(|shown| shown.why == Why::Seed).count();
        assert_eq!((seeded, shown.len()), (5, 10));
        assert!(shown.iter().filter(|shown| shown.why == Why::Labels).all(|shown| shown.index % 7 == 0));
        assert!(shown.windows(2).all(|pair| pair[0].index < pair[1].index));
        assert_eq!(shown[0].answers[0].latency, Some(100.0));
        let alike = picks(60, |_| 0, |_| 100).pick(&plan);
        assert_eq!(alike.len(), 5);
    }

    #[test]
    fn the_latencies_that_differ_most_are_shown_of_long_answers() {
        let plan = plan(Task::Generate, false);
        let shown = picks(40, |_| 0, |index| 100 + index * 10).pick(&plan);
        let worst: Vec<u64> = shown.iter().filter(|shown| shown.why != Why::Seed).map(|shown| shown.index).collect();
        let seeded: Vec<u64> = shown.iter().filter(|shown| shown.why == Why::Seed).map(|shown| shown.index).collect();
        let want: Vec<u64> = (0..40).rev().filter(|index| !seeded.contains(index)).take(5).collect();
        assert!(worst.iter().rev().eq(&want), "{worst:?} {want:?}");
    }

    #[test]
    fn answers_are_as_like_as_their_edit_distance_says() {
        let mut picks = AnswerPicks::default();
        let texts = [("kitten", "sitting"), ("äöü", "äöü"), ("", "abc"), ("abcd", "abce")];
        for (index, (a, b)) in (0..).zip(texts) {
            picks.answer(answer(0, index, a));
            picks.answer(answer(1, index, b));
        }
        picks.answer(answer(0, 9, "alone"));
        // Three edits of seven, none, all, one of four.
        let (n, mean) = picks.similarity(0, 1).unwrap();
        assert_eq!(n, 4);
        assert!((mean - (4.0 / 7.0 + 1.0 + 0.0 + 0.75) / 4.0).abs() < 1e-12, "{mean}");
        assert_eq!(picks.similarity(0, 2), None);
        assert_eq!(AnswerPicks::default().similarity(0, 1), None);
        // What is never shown isn't looked at.
        let long = "x".repeat(SHOWN);
        assert_eq!(similar(&format!("{long}a"), &format!("{long}{}", "b".repeat(100_000))), 1.0);
    }

    #[test]
    fn what_one_target_lacks_is_not_shown_and_long_texts_are_cut() {
        let plan = plan(Task::Generate, false);
        let mut picks = AnswerPicks::default();
        picks.sample(&row(0, 0, 0, 5));
        picks.answer(answer(0, 0, "only one"));
        assert!(picks.pick(&plan).is_empty());
        picks.sample(&row(1, 0, 0, 5));
        picks.answer(answer(1, 0, &"ä".repeat(3000)));
        let shown = picks.pick(&plan);
        assert_eq!(shown[0].answers[1].text.chars().count(), 2000);
        assert!(shown[0].answers[1].text.ends_with('…'));
        // Beyond the first hundred nothing is held.
        picks.answer(answer(0, 100, "late"));
        assert_eq!(picks.texts.len(), 2);
    }
}
