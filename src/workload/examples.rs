//! Examples for a prompt, drawn from the data: as many of each label as can be had, and none of them is asked.

use super::Item;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use std::collections::HashSet;

/// The stream of the seed that examples are drawn from. The order of the requests is drawn from stream 0.
const STREAM: u64 = 1;

/// Items, part of which became examples.
#[derive(Debug)]
pub(super) struct Drawn {
    /// The examples, in the order in which they stand in the prompt.
    pub examples: Vec<Item>,
    /// What is left to ask, in the data's order: no text of an example is in it.
    pub rest: Vec<Item>,
}

/// Draws `count` examples from items that each hold one text and its label, in rounds: one of each label, in an order drawn
/// anew for each round, as far as the labels go. The last text of a label is left to be asked. The error is a sentence.
pub(super) fn draw(items: Vec<Item>, labels: usize, count: usize, seed: u64) -> Result<Drawn, String> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(STREAM);
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.shuffle(&mut random);
    // The different texts of each label; one that stands there twice is one.
    let mut of_label: Vec<Vec<usize>> = vec![Vec::new(); labels];
    let mut seen = HashSet::new();
    for at in order {
        if let Some(of) = items[at].label.and_then(|label| of_label.get_mut(label))
            && seen.insert(text(&items[at]))
        {
            of.push(at);
        }
    }
    for of in &mut of_label {
        of.pop();
    }
    let spare: usize = of_label.iter().map(Vec::len).sum();
    if spare < count {
        return Err(format!(
            "`examples` is {count}, but only {spare} texts can be examples: at least one prompt per label must remain"
        ));
    }
    let mut drawn = Vec::with_capacity(count);
    let mut round: Vec<usize> = (0..labels).collect();
    while drawn.len() < count {
        round.shuffle(&mut random);
        let next = round.iter().filter_map(|label| of_label[*label].pop());
        let room = count - drawn.len();
        drawn.extend(next.take(room));
    }
    let examples: Vec<Item> = drawn.iter().map(|at| items[*at].clone()).collect();
    let texts: HashSet<&str> = examples.iter().map(text).collect();
    let rest = items.into_iter().filter(|item| !texts.contains(text(item))).collect();
    Ok(Drawn { examples, rest })
}

/// The text of an item, before anything stands around it.
fn text(item: &Item) -> &str {
    item.turns.first().map_or("", |turn| turn.user.as_str())
}

/// The examples as they stand in a prompt, a blank line after each; their labels as the JSON that a schema asks for, or as they are.
pub(super) fn block(examples: &[Item], labels: &[String], as_json: bool) -> String {
    let one = |item: &Item| {
        let label = item.label.and_then(|label| labels.get(label)).map_or("", String::as_str);
        if as_json {
            format!("Text: {}\n{{\"label\": {}}}\n\n", text(item), serde_json::Value::from(label))
        } else {
            format!("Text: {}\nLabel: {label}\n\n", text(item))
        }
    };
    examples.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::Turn;
    use proptest::prelude::*;

    fn items(labels: &[usize]) -> Vec<Item> {
        let item = |(at, label): (usize, &usize)| Item {
            id: at.to_string(),
            turns: vec![Turn { user: format!("text {at}"), assistant: None, think: None }],
            label: Some(*label),
            ..Item::default()
        };
        labels.iter().enumerate().map(item).collect()
    }

    proptest! {
        #[test]
        fn examples_are_balanced_and_never_asked(
            labels in prop::collection::vec(0_usize..4, 8..60), count in 1_usize..20, seed: u64
        ) {
            let of = |items: &[Item], label| items.iter().filter(|item| item.label == Some(label)).count();
            let all = items(&labels);
            let spare: usize = (0..4).map(|label| of(&all, label).saturating_sub(1)).sum();
            let Ok(drawn) = draw(all.clone(), 4, count, seed) else {
                prop_assert!(spare < count);
                return Ok(());
            };
            prop_assert_eq!(drawn.examples.len(), count);
            prop_assert_eq!(drawn.rest.len(), all.len() - count);
            for label in 0..4 {
                let (taken, there) = (of(&drawn.examples, label), of(&all, label));
                prop_assert!(there == 0 || of(&drawn.rest, label) > 0, "each label is still asked");
                // One fewer than another label only in the last round, or where there was no more to take.
                let most = (0..4).map(|other| of(&drawn.examples, other)).max().unwrap_or(0);
                prop_assert!(taken + 1 >= most || taken == there.saturating_sub(1));
            }
            let again = draw(all, 4, count, seed).map(|drawn| drawn.examples);
            prop_assert_eq!(again, Ok(drawn.examples));
        }
    }

    #[test]
    fn another_seed_draws_others_and_the_same_text_is_never_asked() {
        let drawn = |seed| draw(items(&[0, 1].repeat(20)), 2, 4, seed).unwrap().examples;
        assert_ne!(drawn(1), drawn(2));
        let mut twice = items(&[0, 0, 1, 1, 0, 1]);
        twice[1].turns = twice[0].turns.clone();
        twice[3].turns = twice[2].turns.clone();
        for seed in 0..20 {
            let drawn = draw(twice.clone(), 2, 2, seed).unwrap();
            let texts: Vec<&str> = drawn.examples.iter().map(text).collect();
            assert!(drawn.rest.iter().all(|item| !texts.contains(&text(item))), "{drawn:?}");
        }
        let refused = draw(twice, 2, 3, 1).unwrap_err();
        assert!(refused.contains("only 2 texts can be examples"), "{refused}");
    }

    #[test]
    fn they_stand_in_the_prompt_with_their_labels() {
        let labels = ["bug".to_owned(), "praise".to_owned()];
        let text = block(&items(&[1, 0]), &labels, false);
        assert_eq!(text, "Text: text 0\nLabel: praise\n\nText: text 1\nLabel: bug\n\n");
        let text = block(&items(&[1, 0]), &labels, true);
        assert_eq!(text, "Text: text 0\n{\"label\": \"praise\"}\n\nText: text 1\n{\"label\": \"bug\"}\n\n");
    }
}
