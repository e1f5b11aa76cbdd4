//! Names of models, as Ollama takes them: in any case, `:latest` where no tag is written, and without the registry and the
//! namespace that it takes where none is.

/// Whether two names are of one model.
pub fn same_model(a: &str, b: &str) -> bool {
    a == b || whole(a) == whole(b)
}

/// A name with all that may be left out of it. A `:` before the last `/` is a port's.
fn whole(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    let short = name.strip_prefix("registry.ollama.ai/").unwrap_or(&name);
    let short = short.strip_prefix("library/").unwrap_or(short);
    let tag = if short.rsplit('/').next().is_some_and(|last| last.contains(':')) { "" } else { ":latest" };
    format!("{short}{tag}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_as_ollama_does() {
        for (a, b, same) in [
            ("qwen", "qwen:latest", true),
            ("Qwen2.5:0.5B", "qwen2.5:0.5b", true),
            ("127.0.0.1:5000/ns/tiny", "127.0.0.1:5000/ns/tiny:latest", true),
            ("registry.ollama.ai/library/tiny", "tiny:latest", true),
            ("library/tiny:q4", "tiny:q4", true),
            ("tiny:q4", "tiny:q8", false),
            ("tiny", "tiny:q4", false),
            ("ns/tiny", "tiny", false),
            ("127.0.0.1:5000/ns/tiny", "127.0.0.1:6000/ns/tiny", false),
        ] {
            assert_eq!((same_model(a, b), same_model(b, a)), (same, same), "{a} {b}");
        }
    }
}
