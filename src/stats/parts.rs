//! Shares of tokens over all requests, by the engines' own counts: of prompts, those from a cache; of drafts, those accepted.

use super::Row;
use super::effective::EffectiveRows;
use super::interval::{Z, wilson_at};
use crate::metrics::Definition;

/// Tokens of the requests that report a whole and a part of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Parts {
    n: u64,
    whole: u64,
    part: u64,
    /// Sum of the squares of the wholes.
    squares: f64,
    /// The share of each request.
    shares: EffectiveRows,
}

impl Parts {
    /// Takes a request, if it reports both.
    pub(super) fn push(&mut self, whole: Option<u64>, part: Option<u64>) {
        let (Some(whole), Some(part)) = (whole, part) else { return };
        self.n += 1;
        self.whole = self.whole.saturating_add(whole);
        self.part = self.part.saturating_add(part);
        self.squares += (whole as f64).powi(2);
        if whole > 0 {
            self.shares.push(part as f64 / whole as f64);
        }
    }

    /// The share of all tokens; `None` where no request reports any. Its interval is Wilson's at the number of requests that
    /// count: no more than Kish's effective number (Survey Sampling, 1965, 11.7), for a long request weighs more, and fewer where
    /// neighbours are alike. A request is taken to have had all or nothing of it: no request is less sure.
    pub(super) fn row(&self, metric: &Definition) -> Option<Row> {
        let share = (self.whole > 0).then(|| self.part as f64 / self.whole as f64)?;
        let kish = (self.whole as f64).powi(2) / self.squares / self.n as f64;
        let ends = self.shares.effective().and_then(|effective| wilson_at(Z, share, effective * kish.min(1.0)));
        let row = Row::total(metric, self.n, Some(share));
        Some(Row { low: ends.map(|ends| ends.0), high: ends.map(|ends| ends.1), ..row })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(requests: impl Iterator<Item = (u64, u64)>) -> Option<Row> {
        let mut all = Parts::default();
        for (prompt, cached) in requests {
            all.push(Some(prompt), Some(cached));
        }
        all.push(Some(1000), None);
        all.row(&crate::metrics::CACHED_SHARE)
    }

    #[test]
    fn the_share_has_wilsons_interval_at_the_requests_that_count() {
        assert_eq!(of([].into_iter()), None);
        // 0 of 100 requests: at most 3.7 %.
        let none = of((0..100).map(|_| (50, 0))).unwrap();
        assert_eq!((none.n, none.mean, none.low), (Some(100), Some(0.0), Some(0.0)));
        assert!((none.high.unwrap() - 0.037).abs() < 5e-4, "{none:?}");
        // One prompt has half of the tokens: 100 requests count as 4.
        let one = of((0..100).map(|i| if i == 0 { (9900, 9900) } else { (100, 0) })).unwrap();
        assert!((one.mean.unwrap() - 0.5).abs() < 1e-9 && one.high.unwrap() - one.low.unwrap() > 0.6, "{one:?}");
        // Fifteen in a row count as four: at most 49 %.
        assert!((of((0..15).map(|_| (50, 0))).unwrap().high.unwrap() - 0.49).abs() < 5e-3);
        assert_eq!(of((0..99).map(|_| (0, 0))), None);
    }
}
