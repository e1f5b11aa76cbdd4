//! The stated rule by which a label is read from an answer.

/// Reads the label from an answer; `None` if there is none, or no telling which.
///
/// The rule: surrounding blanks are cut. If the answer is a JSON object with a text field `label`, that field is the
/// answer. An answer that equals a label but for case and outer punctuation is that label. Otherwise the label that
/// stands earliest in the answer as a whole word, whatever its case, is taken; of two at the same place the longer.
pub fn read_label(answer: &str, labels: &[String]) -> Option<usize> {
    let answer = answer.trim();
    let field = serde_json::from_str::<serde_json::Value>(answer)
        .ok()
        .and_then(|value| value.get("label").and_then(|l| l.as_str().map(str::to_owned)));
    let answer = field.as_deref().unwrap_or(answer).to_lowercase();
    let bare = answer.trim_matches(|c: char| !c.is_alphanumeric());
    if let Some(exact) = labels.iter().position(|label| label.to_lowercase() == bare) {
        return Some(exact);
    }
    labels
        .iter()
        .enumerate()
        .filter_map(|(number, label)| {
            let label = label.to_lowercase();
            let at = whole_word(&answer, &label)?;
            Some((at, std::cmp::Reverse(label.len()), number))
        })
        .min()
        .map(|(_, _, number)| number)
}

/// Where `word` first stands in `text` with no letter or digit on either side.
fn whole_word(text: &str, word: &str) -> Option<usize> {
    if word.is_empty() {
        return None;
    }
    text.match_indices(word).map(|(at, _)| at).find(|at| {
        let before = text[..*at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn labels() -> Vec<String> {
        ["billing", "bug", "feature", "feature request"].map(str::to_owned).to_vec()
    }

    #[test]
    fn the_rule_by_cases() {
        for (answer, expected) in [
            ("billing", Some(0)),
            ("  Billing.\n", Some(0)),
            ("**bug**", Some(1)),
            ("The label is bug, not billing", Some(1)),
            ("debugging", None),
            ("feature request", Some(3)),
            ("It is a feature request.", Some(3)),
            ("feature", Some(2)),
            ("{ \"label\": \"bug\"}\n      ", Some(1)),
            ("{\"label\": 3}", None),
            ("", None),
            ("refund", None),
        ] {
            assert_eq!(read_label(answer, &labels()), expected, "{answer:?}");
        }
    }

    proptest! {
        #[test]
        fn any_answer_is_read_without_a_panic(answer in "\\PC{0,40}", label in "\\PC{0,6}") {
            let _ = read_label(&answer, &[label]);
        }
    }
}
