//! Which of several candidates no other is better than in everything at once.

/// How two candidates stand in one respect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stands {
    /// The first is shown to be better.
    Better,
    /// The first's figure is better or the same, and it is not shown that it is better.
    NoWorse,
    /// The first's figure is worse.
    Worse,
}

/// By candidate, whether it is one that no other dominates. One dominates another if its figure is worse in no respect, and
/// it is shown to be better in at least one: chance alone dominates nobody.
pub fn non_dominated(candidates: usize, respects: usize, stands: impl Fn(usize, usize, usize) -> Stands) -> Vec<bool> {
    let dominates = |a: usize, b: usize| {
        let all: Vec<Stands> = (0..respects).map(|respect| stands(a, b, respect)).collect();
        all.contains(&Stands::Better) && !all.contains(&Stands::Worse)
    };
    (0..candidates).map(|b| !(0..candidates).any(|a| a != b && dominates(a, b))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn exact(figures: &[Vec<i32>]) -> Vec<bool> {
        let respects = figures.first().map_or(0, Vec::len);
        non_dominated(figures.len(), respects, |a, b, respect| match figures[a][respect].cmp(&figures[b][respect]) {
            std::cmp::Ordering::Greater => Stands::Better,
            std::cmp::Ordering::Equal => Stands::NoWorse,
            std::cmp::Ordering::Less => Stands::Worse,
        })
    }

    #[test]
    fn the_front_of_a_few() {
        // Fast and poor, slow and good, slow and poor, and the same as the second again.
        assert_eq!(exact(&[vec![9, 1], vec![1, 9], vec![1, 1], vec![1, 9]]), [true, true, false, true]);
        // What isn't shown dominates nobody.
        assert_eq!(non_dominated(2, 1, |a, _, _| if a == 0 { Stands::NoWorse } else { Stands::Worse }), [true, true]);
        assert_eq!(non_dominated(2, 0, |_, _, _| Stands::Better), [true, true]);
    }

    proptest! {
        #[test]
        fn somebody_is_always_on_the_front_and_whoever_is_not_has_a_better_one_there(
            figures in prop::collection::vec(prop::collection::vec(0..5_i32, 3), 1..8)
        ) {
            let front = exact(&figures);
            prop_assert!(front.contains(&true));
            for (at, on) in front.iter().enumerate().filter(|(_, on)| !**on) {
                let better = |other: usize| front[other] && (0..3).all(|r| figures[other][r] >= figures[at][r]);
                prop_assert!((0..figures.len()).any(better), "{at} {on}");
            }
        }
    }
}
