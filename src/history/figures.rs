//! Which way a figure is better.

use crate::stats::unit;

/// Whether more of a figure is better; `None` where neither is, as of a count of tokens.
pub fn more_is_better(path: &str, of: &str) -> Option<bool> {
    let metric = path.split_once('.').map_or(path, |(metric, _)| metric);
    let starts = |words: &[&str]| words.iter().any(|word| metric.starts_with(word));
    if metric == "window" || starts(&["cached", "warmup"]) {
        None
    } else if starts(&["accuracy", "macro_f1", "agreement", "cosine"]) || metric.contains("per_s") {
        Some(true)
    } else if of == unit::MICROS || starts(&["error_rate", "unparsed", "memory", "gpu_memory", "cpu", "joules"]) {
        Some(false)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_way_is_better_is_known_of_what_has_one() {
        for (path, of, want) in [
            ("ttft.p95", unit::MICROS, Some(false)),
            ("tokens_per_s.p50", unit::TOKENS_PER_S, Some(true)),
            ("output_tokens_per_s", unit::TOKENS_PER_S, Some(true)),
            ("accuracy", unit::ONE, Some(true)),
            ("error_rate", unit::ONE, Some(false)),
            ("memory_peak", unit::BYTES, Some(false)),
            ("output_tokens.mean", unit::TOKENS, None),
            ("window", unit::MICROS, None),
        ] {
            assert_eq!(more_is_better(path, of), want, "{path}");
        }
    }
}
