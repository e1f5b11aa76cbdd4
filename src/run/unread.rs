//! Whether the first answers of every target hold labels that can be read: a long run that measures nothing of the answers is
//! told so at its beginning.

use super::command_line;
use super::progress::Progress;
use super::say::wrapped;
use crate::record::Sample;
use crate::report::words::elsewhere;
use crate::scenario::Task;
use crate::scenario::plan::Plan;
use std::sync::Arc;

/// Answers of each target after which it is told if none of them could be read. An engine that takes 18 s has given them to
/// four users in 36 s.
const NONE_OF: u64 = 5;

/// Answers of each target after which it is told if most of them could not, and then no more is looked at.
const MOST_OF: u64 = 20;

/// Looks at the first answers of each target.
pub(super) struct Unread {
    plan: Arc<Plan>,
    bars: Arc<Progress>,
    targets: Vec<FirstAnswers>,
    /// Nothing more is looked at.
    over: bool,
}

/// The first answers of a target.
#[derive(Clone, Default)]
struct FirstAnswers {
    answers: u64,
    unread: u64,
    /// What was said of the first that could not be read.
    first: Option<String>,
}

impl Unread {
    /// A look at a run's first answers; `None` where no labels are read.
    pub(super) fn of(plan: &Arc<Plan>, bars: &Arc<Progress>) -> Option<Self> {
        let targets = vec![FirstAnswers::default(); plan.targets.len()];
        (plan.task == Task::Classify).then(|| Self { plan: plan.clone(), bars: bars.clone(), targets, over: false })
    }

    /// Takes one row, of whatever phase.
    pub(super) fn take(&mut self, sample: &Sample) {
        let Some(seen) = self.targets.get_mut(sample.target).filter(|_| !self.over) else { return };
        if !sample.outcome.answered() || seen.answers == MOST_OF {
            return;
        }
        seen.answers += 1;
        if sample.label.is_none() {
            seen.unread += 1;
            seen.first = seen.first.take().or_else(|| sample.error.clone());
        }
        if let Some(unreadable) = judged(&self.targets) {
            self.over = true;
            if unreadable {
                self.tell();
            }
        }
    }

    fn tell(&self) {
        let names = self.plan.targets.iter().map(|target| target.label());
        let counts = names.zip(&self.targets).map(|(name, seen)| format!("{name} {} of {}", seen.unread, seen.answers));
        let counts = counts.collect::<Vec<_>>().join(", ");
        let said = self.targets.iter().find_map(|seen| seen.first.as_deref()).unwrap_or("the answers are empty");
        let cure = self.plan.readable_labels();
        let end = match cure {
            Some((_, why)) => format!("Stop it with Ctrl-C, then try this, {why}:"),
            None => self.plan.for_readable_labels(),
        };
        let text = format!(
            "loadcmp: most first answers of every target hold no readable label ({counts}; {said}). The run will \
             measure speed, but not accuracy. {end}"
        );
        self.bars.note(&wrapped(&text));
        if let Some((setting, _)) = cure {
            // In one line, to be copied.
            let command = elsewhere(&command_line::told());
            self.bars.note(&format!("  {command} {setting}"));
        }
    }
}

/// Whether most answers of every target can't be read; `None` while there are too few to say.
fn judged(targets: &[FirstAnswers]) -> Option<bool> {
    let every = |what: fn(&FirstAnswers) -> bool| targets.iter().all(what);
    if every(|seen| seen.answers >= NONE_OF && seen.unread == seen.answers) {
        return Some(true);
    }
    every(|seen| seen.answers >= MOST_OF).then(|| every(|seen| seen.unread * 2 > seen.answers))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_of_every_side_and_as_soon_as_it_is_known() {
        let seen = |all: &[(u64, u64)]| {
            let of = |(answers, unread): &(u64, u64)| FirstAnswers { answers: *answers, unread: *unread, first: None };
            judged(&all.iter().map(of).collect::<Vec<_>>())
        };
        assert_eq!(seen(&[(4, 4), (9, 9)]), None, "too few of one");
        assert_eq!(seen(&[(5, 5), (9, 9)]), Some(true));
        assert_eq!(seen(&[(5, 5), (9, 8)]), None, "one could be read: it is waited for more");
        assert_eq!(seen(&[(20, 20), (20, 11)]), Some(true));
        assert_eq!(seen(&[(20, 20), (20, 10)]), Some(false), "one side can be read");
        assert_eq!(seen(&[(20, 0), (20, 0)]), Some(false));
    }
}
