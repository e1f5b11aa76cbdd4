//! Labels as people type them, read off a table or a page: `TTFT p95`, `peak RSS`, `output tokens/s`.

use super::{ALIASES, METRICS, metric_of};

/// Every name of a metric or of one of its figures, and its path: ids first, then what people write instead, labels, and the
/// lines of tables, those that stand for themselves before parts of others.
pub fn names() -> impl Iterator<Item = (&'static str, &'static str)> {
    let ids = METRICS.iter().map(|metric| (metric.id, metric.id));
    let aliases = ALIASES.iter().map(|(alias, _)| (*alias, *alias));
    let labels = METRICS.iter().map(|metric| (metric.label, metric.id));
    let lines = |part: bool| {
        let lines = METRICS.iter().flat_map(|metric| metric.shown);
        lines.filter(move |line| line.label.starts_with(' ') == part).map(|line| (line.label.trim(), line.path))
    };
    ids.chain(aliases).chain(labels).chain(lines(false)).chain(lines(true))
}

/// A text with ids where labels were, and where they were.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Typed {
    /// The text.
    pub text: String,
    /// Of each label: where its id begins, how long that is, where the label began, how long it was; in characters.
    moved: Vec<[usize; 4]>,
}

impl Typed {
    /// A place in the text, and how many characters, in what was typed.
    pub fn back(&self, (at, length): (usize, usize)) -> (usize, usize) {
        let mut shift = 0_isize;
        for [now, now_length, then, then_length] in self.moved.iter().copied() {
            if at < now {
                break;
            }
            if at < now + now_length {
                return (then, then_length);
            }
            shift = (then + then_length) as isize - (now + now_length) as isize;
        }
        (at.saturating_add_signed(shift), length)
    }
}

/// What belongs to a word, so that no label begins or ends next to it.
fn in_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '-'
}

/// A text with labels read as ids, in any case, the longest first: `native.TTFT p95` is `native.ttft.p95`. `None` where there
/// is no label in it.
pub fn typed(text: &str) -> Option<Typed> {
    let chars: Vec<char> = text.chars().collect();
    let lower = |c: char| c.to_lowercase().next().unwrap_or(c);
    let matches = |at: usize, name: &str| {
        let mut rest = chars.get(at..).unwrap_or_default().iter();
        let mut length = 0;
        let equal = name.chars().all(|c| {
            length += 1;
            rest.next().is_some_and(|typed| lower(*typed) == lower(c))
        });
        (equal && !rest.next().is_some_and(|next| in_word(*next))).then_some(length)
    };
    let (mut out, mut moved, mut at) = (Vec::new(), Vec::new(), 0);
    while at < chars.len() {
        let begins = at == 0 || !in_word(chars[at - 1]);
        // Behind a number it is a unit: `20 requests/s`.
        let before = chars[..at].iter().rev().find(|c| !c.is_whitespace());
        let found = Some(at).filter(|_| begins && !before.is_some_and(char::is_ascii_digit)).and_then(|at| {
            let known = names().filter_map(|(name, path)| Some((matches(at, name)?, path)));
            // Of equally long ones, the first.
            known.reduce(|longest, next| if next.0 > longest.0 { next } else { longest })
        });
        let Some((mut length, path)) = found else {
            out.push(chars[at]);
            at += 1;
            continue;
        };
        let mut path = path.to_owned();
        if !path.contains('.') && metric_of(&path).is_some_and(|metric| metric.spread) {
            let rest = &chars[at + length..];
            let blanks = rest.iter().take_while(|c| c.is_whitespace()).count();
            let figure: String = rest[blanks..].iter().take_while(|c| in_word(**c) || **c == '.').collect();
            let word = figure.to_lowercase();
            let is_figure = matches!(word.as_str(), "mean" | "min" | "max")
                || word.strip_prefix('p').is_some_and(|digits| digits.parse::<f64>().is_ok());
            if blanks > 0 && is_figure {
                length += blanks + figure.chars().count();
                path = format!("{path}.{word}");
            }
        }
        moved.push([out.len(), path.chars().count(), at, length]);
        out.extend(path.chars());
        at += length;
    }
    let written: String = out.into_iter().collect();
    (written != text).then_some(Typed { text: written, moved })
}

#[cfg(test)]
mod tests {
    use super::super::lines;
    use super::*;
    use proptest::prelude::*;

    fn text(written: &str) -> String {
        typed(written).map_or_else(|| written.to_owned(), |typed| typed.text)
    }

    #[test]
    fn every_label_and_every_line_is_read_as_its_own_metric() {
        for metric in METRICS {
            for written in [metric.label.to_owned(), metric.label.to_uppercase(), metric.id.to_owned()] {
                assert_eq!(metric_of(&text(&written)), Some(metric), "{written}");
            }
            if metric.spread {
                assert_eq!(text(&format!("{} p95", metric.label)), format!("{}.p95", metric.id));
            }
        }
        for (metric, line) in lines() {
            let read = text(line.label.trim());
            assert_eq!(metric_of(&read), Some(metric), "`{}` is read as `{read}`", line.label.trim());
            // Also behind a target.
            let read = text(&format!("native.{} <= 5", line.label.trim()));
            let path = read.strip_prefix("native.").and_then(|rest| rest.strip_suffix(" <= 5"));
            assert_eq!(path.and_then(metric_of), Some(metric), "{read}");
        }
    }

    #[test]
    fn what_is_no_label_stays() {
        for (written, read) in [
            ("native.TTFT p95 <= 1.05 * ollama.TTFT p95", "native.ttft.p95 <= 1.05 * ollama.ttft.p95"),
            ("Latency  P99.9 <= 20ms and errors <= 1%", "latency.p99.9 <= 20ms and errors <= 1%"),
            ("output tokens/s >= 20 tokens/s", "output_tokens_per_s >= 20 tokens/s"),
            ("requests/s >= 20 requests/s", "requests_per_s >= 20 requests/s"),
            ("cpu-box.latency.p95 <= 20ms", "cpu-box.latency.p95 <= 20ms"),
            ("peak RSS <= 2GiB", "memory_peak <= 2GiB"),
            ("unparsed == 0", "unparsed_rate == 0"),
            ("nonsense", "nonsense"),
            ("", ""),
        ] {
            assert_eq!(text(written), read);
        }
    }

    #[test]
    fn places_are_found_again() {
        let typed = typed("a.output tokens/s <= x").unwrap();
        assert_eq!(typed.text, "a.output_tokens_per_s <= x");
        assert_eq!([typed.back((0, 1)), typed.back((2, 19)), typed.back((25, 1))], [(0, 1), (2, 15), (21, 1)]);
    }

    proptest! {
        #[test]
        fn any_text_is_read(written in "\\PC{0,40}") {
            if let Some(typed) = typed(&written) {
                let (at, _) = typed.back((typed.text.chars().count(), 1));
                prop_assert_eq!(at, written.chars().count());
            }
        }
    }
}
