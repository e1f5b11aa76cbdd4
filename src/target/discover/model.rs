//! The name by which a server is asked for a model.

use crate::scenario::same_model;

/// The name as a server lists it: the very one if it does, else the one that is the same model; `None` if it lists none.
pub(super) fn listed<'a>(name: &'a str, names: &'a [String]) -> Option<&'a str> {
    if names.iter().any(|known| known == name || known.strip_suffix(":latest") == Some(name)) {
        return Some(name);
    }
    names.iter().find(|known| same_model(known, name)).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_called_as_it_was_written_unless_that_is_not_listed() {
        let names = ["Tiny:Q4".to_owned(), "qwen:latest".to_owned()];
        assert_eq!(listed("qwen", &names), Some("qwen"));
        assert_eq!(listed("QWEN", &names), Some("qwen:latest"));
        assert_eq!(listed("tiny:q4", &names), Some("Tiny:Q4"));
        assert_eq!(listed("other", &names), None);
    }
}
