//! One generator of several that divide a run: which requests are its own. All make the whole plan from the seed, and each
//! takes the numbers that leave its index when they are divided by how many there are.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Most generators of one run.
const MOST: u32 = 1024;

/// The variables that a scheduler gives each of its processes: its index, and how many there are. The first pair that is set
/// counts. MPI's come first: in a job of Slurm its ranks inherit what Slurm set for the script; and arrays come before
/// steps, whose variables stand beside them with other meanings.
const SCHEDULERS: [(&str, &str, &str); 6] = [
    ("Open MPI", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("MPI", "PMI_RANK", "PMI_SIZE"),
    ("Kubernetes", "JOB_COMPLETION_INDEX", "LOADCMP_SHARDS"),
    ("a Slurm array", "SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT"),
    ("srun", "SLURM_PROCID", "SLURM_NTASKS"),
    ("the environment", "LOADCMP_SHARD", "LOADCMP_SHARDS"),
];

/// One generator of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// Its index, from 0.
    pub index: u32,
    /// How many there are.
    pub of: u32,
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "shard {} of {}", self.index, self.of)
    }
}

impl Shard {
    /// Reads `i/N`, i from 0, or `auto`: by what a scheduler has set, as `variable` tells it. The error is a sentence.
    pub fn read(text: &str, variable: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        if text == "auto" {
            return Self::scheduled(variable);
        }
        let parts = text.split_once('/').and_then(|(index, of)| Some((index.parse().ok()?, of.parse().ok()?)));
        let (index, of) = parts.ok_or_else(|| format!("`{text}` is no shard: write i/N, such as 0/4, or auto"))?;
        Self::new(index, of)
    }

    fn new(index: u32, of: u32) -> Result<Self, String> {
        match of {
            0 => Err(format!("{index}/0 is no shard: there must be one at least")),
            _ if of > MOST => Err(format!("{of} shards are too many: {MOST} at most")),
            _ if index >= of => {
                Err(format!("there is no shard {index} of {of}: they count from 0, so the last is {}", of - 1))
            }
            _ => Ok(Self { index, of }),
        }
    }

    fn scheduled(variable: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        for (who, index, count) in SCHEDULERS {
            let Some(told) = set(index) else { continue };
            let of = set(count).ok_or_else(|| {
                format!("{index} is set (by {who}) and {count} isn't: set it to the number of shards")
            })?;
            let number = |name: &str, value: &str| {
                value.parse::<u32>().map_err(|_| format!("{name} is `{value}`, and no number"))
            };
            let (mut at, of) = (number(index, &told)?, number(count, &of)?);
            // An array may count from any number.
            if index == "SLURM_ARRAY_TASK_ID"
                && let Some(first) = set("SLURM_ARRAY_TASK_MIN").and_then(|first| first.parse::<u32>().ok())
            {
                at = at.saturating_sub(first);
            }
            return Self::new(at, of).map_err(|why| format!("{why} ({index} and {count}, by {who})"));
        }
        let names: Vec<&str> = SCHEDULERS.iter().map(|(_, index, _)| *index).collect();
        Err(format!("no scheduler has set an index here (none of {}): write --shard i/N", names.join(", ")))
    }

    /// Its part of so many users or connections: what can't be divided goes to the first.
    pub fn share(self, all: u32) -> u32 {
        all / self.of + u32::from(self.index < all % self.of)
    }

    /// The indices of those that are not here, as a list for people; empty if all are.
    pub fn missing(self, here: &BTreeSet<u32>) -> String {
        let missing: Vec<String> =
            (0..self.of).filter(|index| !here.contains(index)).map(|index| index.to_string()).collect();
        missing.join(", ")
    }

    /// Whether a number is its own.
    pub fn has(self, number: u64) -> bool {
        number % u64::from(self.of) == u64::from(self.index)
    }

    /// The `nth` of its numbers from `first` on, counted from 0.
    pub fn number(self, first: u64, nth: u64) -> u64 {
        let (of, index) = (u64::from(self.of), u64::from(self.index));
        let begin = first + (index + of - first % of) % of;
        begin.saturating_add(nth.saturating_mul(of))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str, set: &[(&str, &str)]) -> Result<Shard, String> {
        Shard::read(text, |name| set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn shards_are_read_and_wrong_ones_are_told() {
        assert_eq!(read("2/3", &[]), Ok(Shard { index: 2, of: 3 }));
        for (text, part) in [
            ("3/3", "the last is 2"),
            ("0/0", "one at least"),
            ("0/9999", "1024 at most"),
            ("1", "write i/N"),
            ("-1/3", "write i/N"),
            ("auto", "no scheduler"),
        ] {
            let why = read(text, &[]).unwrap_err();
            assert!(why.contains(part), "{text}: {why}");
        }
    }

    #[test]
    fn schedulers_tell_which_one_it_is() {
        let two = Ok(Shard { index: 2, of: 4 });
        for set in [
            [("JOB_COMPLETION_INDEX", "2"), ("LOADCMP_SHARDS", "4")],
            [("SLURM_PROCID", "2"), ("SLURM_NTASKS", "4")],
            [("OMPI_COMM_WORLD_RANK", "2"), ("OMPI_COMM_WORLD_SIZE", "4")],
            [("PMI_RANK", "2"), ("PMI_SIZE", "4")],
            [("LOADCMP_SHARD", "2"), ("LOADCMP_SHARDS", "4")],
        ] {
            assert_eq!(read("auto", &set), two, "{set:?}");
        }
        // Each task of an array has a step of its own with one process.
        let array = [
            ("SLURM_ARRAY_TASK_ID", "7"),
            ("SLURM_ARRAY_TASK_COUNT", "4"),
            ("SLURM_ARRAY_TASK_MIN", "5"),
            ("SLURM_PROCID", "0"),
            ("SLURM_NTASKS", "1"),
        ];
        assert_eq!(read("auto", &array), two);
        // Open MPI's ranks in a job of Slurm's.
        let both = [
            ("SLURM_PROCID", "0"),
            ("SLURM_NTASKS", "4"),
            ("OMPI_COMM_WORLD_RANK", "2"),
            ("OMPI_COMM_WORLD_SIZE", "4"),
        ];
        assert_eq!(read("auto", &both), two);
        let why = read("auto", &[("JOB_COMPLETION_INDEX", "0")]).unwrap_err();
        assert!(why.contains("LOADCMP_SHARDS isn't"), "{why}");
        let why = read("auto", &[("PMI_RANK", "x"), ("PMI_SIZE", "4")]).unwrap_err();
        assert!(why.contains("`x`"), "{why}");
    }

    proptest! {
        #[test]
        fn every_number_belongs_to_one_shard(of in 1_u32..50, first in 0_u64..1000, count in 1_u64..200, all in 0_u32..500) {
            let shards: Vec<Shard> = (0..of).map(|index| Shard { index, of }).collect();
            prop_assert_eq!(shards.iter().map(|shard| shard.share(all)).sum::<u32>(), all);
            let mut union: Vec<u64> = Vec::new();
            for shard in &shards {
                let own = (0..).map(|nth| shard.number(first, nth)).take_while(|number| number - first < count);
                let own: Vec<u64> = own.collect();
                prop_assert!(own.iter().all(|number| shard.has(*number)));
                union.extend(own);
            }
            union.sort_unstable();
            prop_assert!(union.into_iter().eq(first..first + count));
        }
    }
}
