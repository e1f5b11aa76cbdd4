//! What GG-CORE's socket can't do, told before anything is sent.

use crate::scenario::{GgCoreSpec, Task};
use crate::target::render::Settings;
use crate::workload::Item;

/// Bytes of a token at least, in texts that aren't plain words.
const BYTES: usize = 3;

/// Letters of a plain word that are one token at least: a word of English is 1.3 tokens of 4.7 letters on average.
const LETTERS: usize = 5;

/// Most tokens that a text is likely to have. The server tells none, and a prompt that is too long ends it.
fn tokens(text: &str) -> usize {
    let word = |word: &str| {
        let letters = word.trim_matches(|c: char| c.is_ascii_punctuation());
        if letters.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            letters.len().div_ceil(LETTERS) + (word.len() - letters.len())
        } else {
            word.len().div_ceil(BYTES)
        }
    };
    text.split_whitespace().map(word).sum()
}

/// Why this wire can't do a run, if it can't.
pub(in crate::target) fn refusal(spec: &GgCoreSpec, settings: &Settings, users: u32, items: &[Item]) -> Option<String> {
    if settings.task == Task::Embed {
        return Some(
            "GG-CORE's socket only generates: an embedding model answers \"Model returned non-generation output\"; use \
             another target for this task, such as a `json` one of its host program"
                .into(),
        );
    }
    let (side, most) = (u32::from(settings.stream), spec.connections());
    if users.saturating_add(side) > most {
        return Some(format!(
            "{users} users need {} connections, and the server allows {most}: lower `load.closed.users`, or raise the \
             server's GG_CORE_MAX_CONNECTIONS and this target's `max_connections`",
            users + side,
        ));
    }
    let size = |item: &Item| {
        let texts = item.turns.iter().flat_map(|turn| std::iter::once(&turn.user).chain(&turn.assistant));
        texts.fold((0, 0), |(all, bytes), text| (all + tokens(text), bytes + text.len()))
    };
    let (prompt, longest) = items.iter().map(size).max().unwrap_or_default();
    let output = settings.sampling.max_tokens as usize;
    let (batch, context) = (spec.batch() as usize, spec.context() as usize);
    if prompt > batch {
        return Some(format!(
            "the longest prompt has {longest} bytes (up to {prompt} tokens): a prompt of more than {batch} tokens (the \
             host's n_batch) crashes GG-CORE; shorten the prompts, or set the target's `batch` if the host's is larger"
        ));
    }
    (prompt + output > context).then(|| {
        format!(
            "the longest prompt has {longest} bytes (up to {prompt} tokens) plus {output} output tokens: beyond \
             {context} tokens GG-CORE loses the whole answer; shorten the prompts or `max_tokens`, or set the target's \
             `context` if the host's is larger"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn plain_words_are_counted_by_their_letters_and_everything_else_by_its_bytes() {
        assert_eq!(tokens(""), 0);
        assert_eq!(tokens("the parcel is late."), 1 + 2 + 1 + 1 + 1);
        assert_eq!(tokens("0123456789 übergrößenträger"), 4 + 7);
        // A thousand common words fit into the smallest context, and two thousand don't.
        assert!(tokens(&"people ".repeat(1000)) <= 2048 && tokens(&"the ".repeat(2049)) > 2048);
    }

    proptest! {
        #[test]
        fn no_text_has_more_tokens_than_bytes_and_more_text_has_no_fewer(a in ".{0,200}", b in ".{0,200}") {
            prop_assert!(tokens(&a) <= a.len());
            let both = format!("{a} {b}");
            prop_assert_eq!(tokens(&both), tokens(&a) + tokens(&b));
        }
    }
}
