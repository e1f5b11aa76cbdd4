//! What an engine published of its own process (Prometheus's `process_*`), folded like what is read of those on this
//! machine: the only source for an engine on another.

use super::windows::{between, joined};
use super::{Conditions, Stretch};

/// What one target published, with when.
#[derive(Clone, Debug, Default)]
pub struct Published {
    /// Processor time of its process since its start, in seconds.
    pub cpu_s: Vec<(f64, f64)>,
    /// Its resident memory, in bytes.
    pub rss_bytes: Vec<(f64, f64)>,
}

impl Conditions {
    /// Takes what target number `at` published, where its processes weren't seen.
    pub fn publish(&mut self, at: usize, told: &Published, stretches: &[Stretch]) {
        let Some(used) = self.targets.get_mut(at) else { return };
        if used.cpu_s.is_some() || used.peak_bytes.is_some() {
            return;
        }
        let own = joined(stretches.iter().filter(|s| s.target == at).map(|s| (s.from_s, s.to_s)));
        let grown: Option<Vec<f64>> = own.iter().map(|(from, to)| between(&told.cpu_s, *from, *to)).collect();
        used.cpu_s = grown.filter(|all| !all.is_empty()).map(|all| all.iter().sum::<f64>().max(0.0));
        let within = told.rss_bytes.iter().filter(|(t_s, _)| own.iter().any(|(from, to)| (*from..=*to).contains(t_s)));
        used.peak_bytes = within.map(|(_, bytes)| bytes.max(0.0) as u64).max();
        // The first page may have come only under load.
        let begun = own.first().map_or(0.0, |(from, _)| *from);
        used.rest_bytes =
            told.rss_bytes.first().filter(|(t_s, _)| *t_s < begun).map(|(_, bytes)| bytes.max(0.0) as u64);
        used.published = used.cpu_s.is_some() || used.peak_bytes.is_some();
        let seconds: f64 = own.iter().map(|(from, to)| to - from).sum();
        if let Some(cores) = self.target_cores.get_mut(at).filter(|_| seconds > 0.0) {
            *cores = cores.or(used.cpu_s.map(|cpu| cpu / seconds));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Used;
    use super::*;

    #[test]
    fn what_is_published_fills_what_was_not_seen_and_nothing_else() {
        let stretches = [Stretch { target: 0, from_s: 3.0, to_s: 9.0 }];
        let told = Published {
            cpu_s: (0..7).map(|n| (f64::from(n) * 2.0, 100.0 + f64::from(n))).collect(),
            rss_bytes: vec![(0.0, 50.0), (4.0, 90.0), (8.0, 80.0), (12.0, 999.0)],
        };
        let blank = Conditions { targets: vec![Used::default()], target_cores: vec![None], ..Conditions::default() };
        let mut filled = blank.clone();
        filled.publish(0, &told, &stretches);
        let used = &filled.targets[0];
        assert!(used.cpu_s.is_some_and(|cpu| (cpu - 3.0).abs() < 1e-9) && used.published, "{used:?}");
        assert_eq!((used.rest_bytes, used.peak_bytes), (Some(50), Some(90)), "the last is after it");
        assert!(filled.target_cores[0].is_some_and(|cores| (cores - 0.5).abs() < 1e-9));
        let seen = Conditions { targets: vec![Used { cpu_s: Some(1.0), ..Used::default() }], ..blank.clone() };
        let mut kept = seen.clone();
        kept.publish(0, &told, &stretches);
        kept.publish(7, &told, &stretches);
        assert_eq!(kept, seen);
        let mut never = blank.clone();
        never.publish(0, &Published::default(), &stretches);
        assert_eq!(never, blank);
    }
}
