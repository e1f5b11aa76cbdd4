//! What GG-CORE's socket can't do, told before anything is sent.

use crate::scenario::plan::{LoadPlan, Plan};
use crate::scenario::{GgCoreSpec, History, PromptCache, Task};
use crate::target::render::{RequestSettings, RequestText};
use crate::workload::{Item, Nonce};

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
pub(in crate::target) fn refusal(
    spec: &GgCoreSpec,
    plan: &Plan,
    settings: &RequestSettings,
    items: &[Item],
) -> Option<String> {
    if settings.task == Task::Embed {
        return Some(
            "GG-CORE's socket only generates: an embedding model answers \"Model returned non-generation output\"; use \
             another target for this task, such as a `json` one of its host program"
                .into(),
        );
    }
    let (side, most, at_once) = (u32::from(settings.stream), spec.connections(), plan.load.concurrency());
    if at_once.saturating_add(side) > most {
        let (what, setting) = match plan.load {
            LoadPlan::Closed(_) => ("users", "load.closed.users"),
            LoadPlan::Open(_) => ("requests in flight", "load.open.in_flight"),
        };
        let stream = if side > 0 { " (one wakes the streams)" } else { "" };
        return Some(format!(
            "{at_once} {what} need {} connections{stream}, and the server allows {most}: lower `{setting}`, or raise the \
             server's GG_CORE_MAX_CONNECTIONS and this target's `max_connections`",
            at_once.saturating_add(side),
        ));
    }
    let (prompt, longest) = items.iter().map(|item| size(plan, settings, item)).max_by_key(|(tokens, _)| *tokens)?;
    let output = items.iter().filter_map(|item| item.max_tokens).max().unwrap_or(settings.sampling.max_tokens) as usize;
    let (batch, context) = (spec.batch() as usize, spec.context() as usize);
    if prompt > batch {
        return Some(format!(
            "the longest prompt has {longest}: a prompt of more than {batch} tokens (the host's n_batch) crashes GG-CORE; \
             shorten the prompts, or set the target's `batch` if the host's is larger"
        ));
    }
    (prompt + output > context).then(|| {
        format!(
            "the longest prompt has {longest} plus {output} output tokens: beyond {context} tokens GG-CORE loses the \
             whole answer; shorten the prompts or `max_tokens`, or set the target's `context` if the host's is larger"
        )
    })
}

/// Tokens of an item's longest prompt, and its size in words: as they are counted where that is exact, or is still to be made so;
/// else the most that its text is likely to have, with all that stands around it.
fn size(plan: &Plan, settings: &RequestSettings, item: &Item) -> (usize, String) {
    let counted = plan.workload.tokens.as_ref().is_none_or(|tokens| tokens.exact);
    if let Some(tokens) = item.prompt_tokens.filter(|_| counted) {
        return (usize::try_from(tokens).unwrap_or(usize::MAX), format!("{tokens} tokens"));
    }
    // The last turn holds all before it.
    let last = item.turns.len().saturating_sub(1);
    let nonce = (plan.workload.prompt_cache == PromptCache::Bust).then_some(Nonce { start: u32::MAX, behind: None });
    let text = RequestText::new(settings, item, last, None, nonce).prompt;
    // Answers of its own may each be as long as they are allowed to be.
    let own = if plan.workload.history == History::Own { last * settings.sampling.max_tokens as usize } else { 0 };
    let (all, bytes) = (tokens(&text) + own, text.len());
    let answers = if own > 0 { ", earlier answers included" } else { "" };
    (all, format!("{bytes} bytes (up to {all} tokens{answers})"))
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
