//! A line of limits or gates cut into words, each with its place, so that a mistake is told where it stands.

/// What a character belongs to: words end where it changes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// A name, a number, a unit.
    Word,
    /// A comparison: neighbours are one.
    Comparison,
    /// What joins: neighbours are one.
    Joint,
    /// A word by itself.
    Alone,
}

/// The words and where each begins, in characters: cut at spaces and where `part` changes. A unit that stands apart from its
/// number is joined to it.
pub(super) fn cut(text: &str, part: fn(char) -> Part, is_unit: fn(&str) -> bool) -> Vec<(String, usize)> {
    let mut words: Vec<(String, usize)> = Vec::new();
    let mut last = None;
    for (at, c) in text.chars().enumerate() {
        if c.is_whitespace() || c.is_control() {
            last = None;
            continue;
        }
        let of = part(c);
        match words.last_mut() {
            Some((word, _)) if last == Some(of) && of != Part::Alone => word.push(c),
            _ => words.push((c.to_string(), at)),
        }
        last = Some(of);
    }
    let mut joined: Vec<(String, usize)> = Vec::new();
    for (word, at) in words {
        match joined.last_mut() {
            Some((number, _)) if is_unit(&word) && number.parse::<f64>().is_ok() => number.push_str(&word),
            _ => joined.push((word, at)),
        }
    }
    joined
}

/// The quantile, from 0 to 1, of a percentile's word: `p50`, `p99.5`, and `p999` as `summary.csv` writes it.
pub(super) fn quantile(word: &str) -> Option<f64> {
    let digits = word.strip_prefix('p').filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))?;
    let percent: f64 = if digits == "999" { 99.9 } else { digits.parse().ok()? };
    (1.0..=99.9).contains(&percent).then_some(percent / 100.0)
}
