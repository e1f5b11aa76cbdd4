//! Whether a scenario's `slo` can be read, and its goodput be measured.

use super::Sense;
use crate::scenario::mistake::{Mistake, Place};
use crate::scenario::tree::Node;
use crate::scenario::{Slo, Task};

impl Sense<'_> {
    pub(super) fn slo(&mut self) {
        let scenario = self.scenario;
        let Some(text) = &scenario.slo else { return };
        let slo = match Slo::parse(text) {
            Ok(slo) => slo,
            Err(error) => {
                let whole = super::place(self.root, &["slo"], false);
                let place = self.root.get("slo").and_then(|node| within(node, error.at)).unwrap_or(whole);
                self.add(Mistake::new(error.what, place).help(error.help));
                return;
            }
        };
        if slo.of_each().next().is_none() {
            self.wrong(&["slo"], "no limit of `slo` applies to single requests: every answer would count as good")
                .add_help(
                    "add one such as latency.p95 <= 300ms; limits on shares of requests alone are for `loadcmp \
                           capacity --slo`",
                );
        }
        let streams = scenario.workload.stream.unwrap_or(matches!(scenario.task, Task::Generate | Task::Chat));
        if let Some(limit) = slo.needs_stream().filter(|_| !streams) {
            let message = format!("`{}` needs streamed answers, and this scenario doesn't stream", limit.subject());
            self.wrong(&["slo"], message).add_help("write `workload: { stream: true }`, or limit `latency` instead");
        }
    }
}

/// A part of a text in the file: from which character on, and how many. `None` where what was written is not what was read:
/// from elsewhere, with escapes, or over several lines.
fn within(node: &Node, (at, length): (usize, usize)) -> Option<Place> {
    let Place::File { line, column, width, byte } = node.place else { return None };
    let text = node.text()?;
    let quote = usize::from(node.quoted);
    let as_written = !node.loose && node.filled.is_none() && width == text.chars().count() + 2 * quote;
    let before: usize = text.chars().take(at).map(char::len_utf8).sum();
    as_written.then(|| Place::File {
        line,
        column: column + quote + at,
        width: length.max(1),
        byte: byte + quote + before,
    })
}

#[cfg(test)]
mod tests {
    use crate::scenario::{Overrides, load_str};

    fn told(slo: &str, more: &str) -> String {
        let text = format!(
            "name: t\ntask: generate\nslo: {slo}\ntargets: {{ a: {{ ollama: {{}} }} }}\nworkload: {{ prompts: {{ inline: [{{ text: hello }}] }}\
             {more} }}\nload: {{ closed: {{ users: 1, requests: 5 }} }}\n"
        );
        load_str("t.yaml", &text, &Overrides::default()).map_or_else(|error| error.to_string(), |_| String::new())
    }

    #[test]
    fn a_mistake_is_told_where_it_stands() {
        for (slo, column) in [
            ("errors <= 1% and ttf.p95 <= 300ms", 23),
            ("\"errors <= 1% and ttf.p95 <= 300ms\"", 24),
            ("'latency.p95 ≤ 1s and ttf.p95 <= 300ms'", 28),
            // Over two lines, and with an escape: at its beginning.
            ("errors <= 1% and\n  ttf.p95 <= 300ms", 6),
            ("\"errors <= 1%\\u0020and ttf.p95 <= 300ms\"", 6),
        ] {
            let told = told(slo, "");
            assert!(told.contains("unknown metric `ttf`") && told.contains("did you mean `ttft`?"), "{told}");
            assert!(told.contains(&format!("--> t.yaml:3:{column}\n")), "{column}: {told}");
        }
        assert!(told("ttft.p95 <=", "").contains("t.yaml:3:17"), "{}", told("ttft.p95 <=", ""));
    }

    #[test]
    fn limits_that_no_request_can_keep_or_break_are_refused() {
        assert_eq!(told("ttft.p95 <= 300ms and errors <= 1%", ""), "");
        assert!(told("errors <= 1%", "").contains("t.yaml:3:6"));
        assert!(told("errors <= 1%", "").contains("no limit of `slo` applies to single requests"));
        let whole = told("ttft.p95 <= 300ms", ", stream: false");
        assert!(whole.contains("`ttft.p95` needs streamed answers"), "{whole}");
        assert_eq!(told("latency.p95 <= 300ms", ", stream: false"), "");
        assert!(told("7", "").contains("`slo` must be a text"), "{}", told("7", ""));
    }
}
