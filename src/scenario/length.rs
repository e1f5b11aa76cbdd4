//! How long a load takes, as it is told beforehand.

use super::auto::least_in_blocks;
use super::plan::{LoadPlan, Plan, Until};
use super::{BlocksSpec, FIRST_PAIRS, Least, Length, Order, Scenario, Span};
use std::time::Duration;

/// The least that `timeout: auto` allows a request.
pub const TIMEOUT_LEAST: Duration = Duration::from_secs(60);
/// The most that it does: an engine that hangs has to be ended some time.
pub const TIMEOUT_MOST: Duration = Duration::from_secs(1800);

/// What decides how long a load takes that is driven for a time.
struct Shape {
    order: Order,
    targets: u32,
    blocks: BlocksSpec,
    interference: bool,
    /// Whether the pace of each target has to be learned before blocks can be cut.
    paced: bool,
    warmup: Duration,
    duration: Duration,
}

impl Shape {
    /// The least and the most that it takes, for a load that may end once so much is measured.
    fn range(self, least: Option<Least>) -> (Duration, Duration) {
        let most = self.length();
        let Some(least) = least else { return (most, most) };
        let (duration, pairs) = match self.order {
            Order::Alternate => {
                let pairs = self.blocks.pairs;
                (least_in_blocks(least.time.0, self.duration, pairs), pairs.min(FIRST_PAIRS))
            }
            _ => (least.time.0, self.blocks.pairs),
        };
        let shortest = Shape { duration, blocks: BlocksSpec { pairs, ..self.blocks }, ..self };
        (shortest.length().min(most), most)
    }

    fn length(&self) -> Duration {
        let one = self.warmup + self.duration;
        match self.order {
            // All at once, and then one after another.
            _ if self.interference => one * (1 + self.targets),
            Order::Concurrent => one,
            Order::Isolated => one * self.targets,
            Order::Alternate => {
                let BlocksSpec { pairs, settle, warmup } = self.blocks;
                // Learning takes as long as a block, after the load's own warm-up; every block then has its short one.
                let (learned, warm) = if self.paced { (1, pairs) } else { (0, pairs.saturating_sub(1)) };
                let learning = self.duration / pairs.max(1) * learned;
                let pauses = settle.0 * ((pairs + learned) * self.targets).saturating_sub(1);
                (one + learning + warmup.0 * warm) * self.targets + pauses
            }
        }
    }
}

impl Scenario {
    /// Deadline of one request; the least, where it is still to be found.
    pub fn limit(&self) -> Span {
        self.written_limit().unwrap_or(Span(TIMEOUT_LEAST))
    }

    /// The deadline that is written, if it isn't to be found.
    pub fn written_limit(&self) -> Option<Span> {
        self.timeout.and_then(Length::span)
    }

    /// Longest wait for the first answer of each target: what is written for it, else for any request, else long enough for a
    /// model to be loaded.
    pub fn first_limit(&self) -> Span {
        self.load_timeout.or(self.written_limit()).unwrap_or_else(super::defaults::load_timeout)
    }

    /// How long one pass of its load lasts at most, all targets together, if it is driven for a time.
    pub fn load_length(&self) -> Option<Duration> {
        Some(self.load_range()?.1)
    }

    /// How long one pass of its load lasts, all targets together, if it is driven for a time: the least and the most, which are
    /// one where the run doesn't find its own length. An engine with fewer answers than it has to have takes longer than the
    /// least.
    pub fn load_range(&self) -> Option<(Duration, Duration)> {
        let (warmup, duration, paced) = match (&self.load.closed, &self.load.open) {
            (Some(closed), _) => (closed.warmup, closed.duration.and_then(Length::span)?, true),
            (None, Some(open)) => (open.warmup, open.duration.and_then(Length::span)?, false),
            (None, None) => return None,
        };
        let shape = Shape {
            order: self.order,
            targets: self.targets.len().max(1) as u32,
            blocks: self.blocks.unwrap_or_default(),
            interference: self.interference,
            paced,
            warmup: warmup.0,
            duration: duration.0,
        };
        Some(shape.range(self.least()))
    }
}

impl Plan {
    /// How long one pass of its load lasts at most, all targets together, if it is driven for a time.
    pub fn load_length(&self) -> Option<Duration> {
        Some(self.load_range()?.1)
    }

    /// How long one pass of its load lasts, all targets together, if it is driven for a time: the least and the most.
    pub fn load_range(&self) -> Option<(Duration, Duration)> {
        let Until::Duration(duration) = self.load.until() else { return None };
        let shape = Shape {
            order: self.order,
            targets: self.targets.len().max(1) as u32,
            blocks: self.blocks,
            interference: self.interference,
            paced: matches!(self.load, LoadPlan::Closed(_)),
            warmup: self.load.warmup().0,
            duration: duration.0,
        };
        Some(shape.range(self.least))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_cost_their_warm_ups_and_pauses_and_what_it_takes_to_learn_their_size() {
        let s = Duration::from_secs;
        let blocks = BlocksSpec { pairs: 10, settle: Span(s(1)), warmup: Span(s(2)) };
        let shape = |order, paced, interference| Shape {
            order,
            targets: 2,
            blocks,
            interference,
            paced,
            warmup: s(5),
            duration: s(60),
        };
        assert_eq!(shape(Order::Concurrent, true, false).length(), s(65));
        assert_eq!(shape(Order::Concurrent, true, true).length(), s(195));
        assert_eq!(shape(Order::Isolated, true, false).length(), s(130));
        // 5 + 6 + 60 + 10 x 2 of each, and 21 pauses; an open loop's blocks are cut beforehand.
        assert_eq!(shape(Order::Alternate, true, false).length(), s(203));
        assert_eq!(shape(Order::Alternate, false, false).length(), s(2 * (65 + 18) + 19));
        let least = Some(Least { time: Span(s(20)), answers: 30 });
        assert_eq!(shape(Order::Concurrent, true, false).range(None), (s(65), s(65)));
        assert_eq!(shape(Order::Concurrent, true, false).range(least), (s(25), s(65)));
        // Six blocks of six seconds: 2 x (5 + 6 + 36 + 6 x 2), and 13 pauses.
        assert_eq!(shape(Order::Alternate, true, false).range(least), (s(131), s(203)));
    }
}
