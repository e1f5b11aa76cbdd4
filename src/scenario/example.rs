//! The scenario that `loadcmp init` writes: it runs as it is, and shows in comments what else there is.

/// A commented scenario of this name, which needs no other file. What can't stand in a name becomes a dash.
pub fn example(name: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
    let name: String = name.chars().take(64).map(letter).collect();
    // In quotes, or a name such as 42 would be a number.
    include_str!("example.yaml").replace("@NAME@", &format!("\"{}\"", if name.is_empty() { "example" } else { &name }))
}

/// A commented suite of this name, and the file of the scenario that it runs: `NAME-load.yaml` next to it, an [`example`].
pub fn example_suite(name: &str) -> String {
    include_str!("example_suite.yaml").replace("@NAME@", &format!("\"{name}\"")).replace("@FILE@", name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Overrides, load_str};

    #[test]
    fn the_example_loads_under_any_name() {
        for (name, becomes) in [("first", "first"), ("my test/é", "my-test--"), ("", "example"), ("42", "42")] {
            let loaded = load_str("example.yaml", &example(name), &Overrides::default());
            assert_eq!(loaded.map(|loaded| loaded.scenario.name).map_err(|e| e.to_string()), Ok(becomes.to_owned()));
        }
        assert!(example("x").starts_with("# yaml-language-server: $schema=schema.json\n"));
    }

    /// Each alternative in the comments is read too, in place of what stands above it.
    #[test]
    fn what_the_comments_show_loads_too() {
        let text = example("x").replace("  # mine:", "  mine:").replace("  # local:", "  local:");
        let lines = text.lines().map(|line| match line.strip_prefix("  #   ") {
            Some(rest) => format!("    {rest}"),
            None => line.replace("      # num_ctx", "      num_ctx").replace("    # think", "    think"),
        });
        let text = lines.collect::<Vec<_>>().join("\n");
        // The open loop and the blocks, in place of the closed loop and the order.
        let closed = text.find("  closed:").unwrap()..text.find("  # Or an open loop").unwrap();
        let text = text.replace(&text[closed], "").replace("  # open:", "  open:").replace("  # until:", "  until:");
        let text = text.replace("order: concurrent", "order: alternate").replace("# blocks:", "blocks:");
        let loaded = load_str("example.yaml", &text, &Overrides::default()).map_err(|e| e.to_string());
        let told =
            |loaded: crate::scenario::Loaded| (loaded.scenario.targets.len(), loaded.scenario.load.open.is_some());
        assert_eq!(loaded.map(told), Ok((4, true)));
    }
}
