//! The stated rule by which a label is read from an answer.

/// Reads the label from an answer; `None` if there is none, or no telling which.
///
/// The rule: surrounding blanks are cut. If the answer is a JSON object with a text field `label`, that field is the
/// answer. An answer that equals a label but for case and outer punctuation is that label. Otherwise labels are looked for
/// as whole words, whatever their case, the longer one where two overlap:
///
/// - An answer that names one label, be it many times, is that label, unless it lists what the labels are (`The labels are
///   billing`, cut there).
/// - An answer that names several is the label behind its one clear mark: `Label: bug`, `the category is bug`, or the label
///   that it opens with, before a full stop, a colon or a line's end (`bug. It is not about billing`). Without a mark, or
///   where the marked label is followed by another as in a list (`Label: bug, billing`; `billing: money`, `bug: something is
///   broken`, a line each), there is no telling which.
pub fn read_label(answer: &str, labels: &[String]) -> Option<usize> {
    let answer = answer.trim();
    let field = serde_json::from_str::<serde_json::Value>(answer)
        .ok()
        .and_then(|value| value.get("label").and_then(|l| l.as_str().map(str::to_owned)));
    let answer = field.as_deref().unwrap_or(answer).to_lowercase();
    let labels: Vec<String> = labels.iter().map(|label| label.to_lowercase()).collect();
    let bare = answer.trim_matches(|c: char| !c.is_alphanumeric());
    if let Some(exact) = labels.iter().position(|label| label == bare) {
        return Some(exact);
    }
    let named = mentions(&answer, &labels);
    let first = named.first()?;
    if named.iter().all(|mention| mention.label == first.label) {
        return (!lists(&answer[..first.from])).then_some(first.label);
    }
    let marked = |(number, mention): (usize, &Mention)| {
        let mark = is_marked(&answer[..mention.from]) || (number == 0 && opens(&answer, &named));
        // What another label follows without a word between is an item of a list.
        let apart = named.get(number + 1).is_none_or(|next| is_apart(&answer[mention.to..next.from]));
        (mark && apart).then_some(mention.label)
    };
    let mut found: Vec<usize> = named.iter().enumerate().filter_map(marked).collect();
    found.dedup();
    if let [only] = found[..] { Some(only) } else { None }
}

/// Whether an answer is what the schema of the labels allows: a JSON object whose `label` is one of them, to the letter.
pub fn keeps_schema(answer: &str, labels: &[String]) -> bool {
    let read = serde_json::from_str::<serde_json::Value>(answer.trim());
    let label = read.as_ref().ok().and_then(|value| value.get("label")?.as_str());
    label.is_some_and(|said| labels.iter().any(|label| label == said))
}

/// A label that stands in an answer: which, and the bytes it takes.
struct Mention {
    label: usize,
    from: usize,
    to: usize,
}

/// The labels in a text as whole words, in their order; of two that overlap the one that begins first, then the longer.
fn mentions(text: &str, labels: &[String]) -> Vec<Mention> {
    let of = |(label, word): (usize, &String)| {
        whole_words(text, word).map(move |from| Mention { label, from, to: from + word.len() }).collect::<Vec<_>>()
    };
    let mut all: Vec<Mention> = labels.iter().enumerate().flat_map(of).collect();
    all.sort_by_key(|mention| (mention.from, std::cmp::Reverse(mention.to), mention.label));
    let mut end = 0;
    all.retain(|mention| {
        let free = mention.from >= end;
        if free {
            end = mention.to;
        }
        free
    });
    all
}

/// Where `word` stands in `text` with no letter or digit on either side.
fn whole_words<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    // An empty label stands nowhere.
    let found = (!word.is_empty()).then(|| text.match_indices(word)).into_iter().flatten();
    found.map(|(at, _)| at).filter(move |at| {
        let before = text[..*at].chars().next_back();
        let after = text[*at + word.len()..].chars().next();
        !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
    })
}

/// Words that part the items of a list.
const JOINING: [&str; 4] = ["and", "or", "and or", "as well as"];

/// Words that a label is announced by.
const MARKS: [&str; 5] = ["label", "category", "class", "answer", "classification"];

/// The words of a text, with one blank between.
fn words(text: &str) -> String {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Whether what stands between two labels is more than a list's comma, number or `or`.
fn is_apart(between: &str) -> bool {
    between.contains(char::is_alphabetic) && !JOINING.contains(&words(between).as_str())
}

/// Whether a text ends by announcing a label: `label:`, `the category is`, `answer = `.
fn is_marked(before: &str) -> bool {
    let said = before.trim_end_matches(|c: char| c.is_whitespace() || "\"'`*_“‘«(".contains(c));
    let (said, sign) = match said.strip_suffix([':', '=']) {
        Some(said) => (said, true),
        None => (said, false),
    };
    let said = words(said);
    let mark = |said: &str| MARKS.contains(&said.rsplit(' ').next().unwrap_or_default());
    said.strip_suffix(" is").map_or(sign && mark(&said), mark)
}

/// Whether a text ends by announcing what all the labels are: `the labels are`, `labels:`.
fn lists(before: &str) -> bool {
    let said = words(before);
    let last = said.strip_suffix(" are").or_else(|| said.strip_suffix(" include")).unwrap_or(&said);
    let plural = |word: &str| ["labels", "categories", "classes", "options", "choices"].contains(&word);
    plural(last.rsplit(' ').next().unwrap_or_default()) && (last != said || before.trim_end().ends_with([':', '=']))
}

/// Whether an answer opens with the first of its labels and is done with it, and no other label does the same further on: where
/// each has its line or its part of one, with what it means, the answer says what the labels are.
fn opens(answer: &str, named: &[Mention]) -> bool {
    let Some((first, later)) = named.split_first() else { return false };
    let heads = |mention: &Mention| {
        let item = answer[..mention.from].rsplit(['\n', '\r', ';', ',']).next().unwrap_or_default();
        !item.contains(char::is_alphabetic) && is_done(&answer[mention.to..])
    };
    !answer[..first.from].contains(char::is_alphanumeric)
        && is_done(&answer[first.to..])
        && !later.iter().any(|mention| mention.label != first.label && heads(mention))
}

/// Whether what follows a label parts it from the rest: a full stop, a colon, a bracket, a dash, or the end of line or answer.
fn is_done(after: &str) -> bool {
    let after = after.trim_start_matches(['"', '\'', '`', '*', '_', '”', '’', '»', ' ']);
    after.is_empty() || after.starts_with(['.', ':', ';', '\n', '\r', '(', '–', '—', '-', '!'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn labels() -> Vec<String> {
        ["billing", "bug", "feature", "feature request", "account"].map(str::to_owned).to_vec()
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
            // One label, however often.
            ("This is about billing.", Some(0)),
            ("Label: billing.", Some(0)),
            ("Billing! Billing, I say.", Some(0)),
            ("I choose from the labels the one called bug", Some(1)),
            // A list of the labels is no answer.
            ("billing, bug, feature, account", None),
            ("The labels are billing, bug, feature and account.", None),
            ("The labels are: billing", None),
            ("Labels: billing, b", None),
            ("1. billing\n2. bug\n3. feature", None),
            ("- billing\n- bug", None),
            ("billing. bug. feature.", None),
            ("billing/bug", None),
            ("Label: billing, bug, feature", None),
            ("Label: billing or bug", None),
            ("billing or bug", None),
            ("{\"label\": \"billing, bug\"}", None),
            ("It could be a bug, or about the account", None),
            // Nor is one that says what each of them means.
            ("billing: questions about money\nbug: something is broken\nfeature: a wish", None),
            ("- billing: questions about money\n- bug: something is broken\n- feature: a wish", None),
            ("**Billing** – questions about money\n**Bug** – something is broken", None),
            ("billing (money); bug (broken); feature (a wish)", None),
            ("bug: it crashes\n2. billing", None),
            // Several labels, and a mark that says which.
            ("Label: bug\n\nThe customer mentions billing, too.", Some(1)),
            ("The category is \"bug\". It is not about billing.", Some(1)),
            ("Not billing and no feature. Answer: **bug**", Some(1)),
            ("bug\n\nIt isn't about billing.", Some(1)),
            ("Bug. The account is fine.", Some(1)),
            ("bug (not billing)", Some(1)),
            ("**Bug**: the account can't be opened", Some(1)),
            ("bug: it crashes\nThe billing page: it is empty", Some(1)),
            ("bug: it crashes\nbug: and again, on the account page", Some(1)),
            ("bug and then some billing", None),
            // Two marks that say different things.
            ("Label: bug. No, wait. Label: billing", None),
            ("Label: bug. Yes. Label: bug, since billing works.", Some(1)),
        ] {
            assert_eq!(read_label(answer, &labels()), expected, "{answer:?}");
        }
    }

    #[test]
    fn a_schema_allows_its_labels_and_nothing_else() {
        for answer in ["{\"label\": \"bug\"}", " {\n \"label\" : \"feature request\"\n}\n"] {
            assert!(keeps_schema(answer, &labels()), "{answer}");
        }
        for answer in ["bug", "{\"label\": \"Bug\"}", "{\"label\": \"bu", "{\"label\": 3}", "[\"bug\"]", "{}", ""] {
            assert!(!keeps_schema(answer, &labels()), "{answer}");
        }
    }

    #[test]
    fn a_label_inside_a_longer_one_is_not_named() {
        let labels = ["request", "feature request"].map(str::to_owned);
        assert_eq!(read_label("It is a feature request", &labels), Some(1));
        assert_eq!(read_label("It is a request", &labels), Some(0));
    }

    proptest! {
        #[test]
        fn any_answer_is_read_without_a_panic(answer in "\\PC{0,40}", label in "\\PC{0,6}", other in "[a-cß –]{0,3}") {
            let _ = read_label(&answer, &[label, other]);
        }

        #[test]
        fn any_order_of_all_labels_is_no_answer(order in Just(labels()).prop_shuffle(), between in "( |, |\n|\n- |/| or |; )") {
            prop_assert_eq!(read_label(&order.join(&between), &labels()), None);
        }
    }
}
