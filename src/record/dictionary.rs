//! What each column of `samples.csv` holds: `docs/samples.md` is made of it.

use super::columns::COLUMNS;
use std::fmt::Write;

/// What each column holds, in the order of [`COLUMNS`].
pub const ABOUT: [(&str, &str); COLUMNS.len()] = [
    ("text", "name of the target"),
    ("word", "its wire: `ollama`, `openai`, `gg_core`, `json`"),
    ("word", "`cold` (first request, its model may have to be loaded), `warmup` or `measure`; only `measure` counts"),
    ("number", "block of the alternating order, from 0, the same for the blocks that are compared; else 0"),
    ("number", "user of a closed loop, or connection of an open one, from 0"),
    ("number", "number of the request within its phase, from 0: the same request for every target"),
    ("number", "number of the conversation within its phase (chat)"),
    ("number", "turn of the conversation, from 1 (chat)"),
    (
        "µs",
        "when the request was due: its place in the schedule of an open loop; in a closed loop, when its user was ready",
    ),
    ("µs", "last byte of the request handed to the socket"),
    ("µs", "first byte of the answer, headers included"),
    ("µs", "first piece of text of a streamed answer, reasoning included; blank for an answer that came whole"),
    ("µs", "last piece of text of a streamed answer"),
    ("µs", "the answer was complete, or the failure was noticed"),
    (
        "word",
        "`ok`, `unparsed` (complete, but no label or vector in it), a failure (`http_status`, `timeout`, `connect`, `truncated`, …), or \
         `unsent` and `unfinished`, which are no failures of the engine",
    ),
    ("number", "HTTP status, where the wire has one"),
    ("text", "the engine's word for why it stopped: `stop`, `length`, …"),
    ("number", "prompt tokens, by the engine's count"),
    ("number", "prompt tokens from a prefix cache, by the engine's count"),
    ("number", "output tokens, by the engine's count; never a count of chunks"),
    ("number", "pieces of text that arrived (lines, events or frames)"),
    ("text", "the right label (classify)"),
    ("text", "the label read from the answer (classify)"),
    ("µs", "total time, by the engine's clock"),
    ("µs", "time to load the model, by the engine's clock"),
    ("µs", "time for the prompt, by the engine's clock"),
    ("µs", "time for the output, by the engine's clock"),
    ("16 hex digits", "hash of what was asked: the same for every target"),
    ("16 hex digits", "hash of the answer's text, or of the embedding's bytes"),
    ("text", "what went wrong, in the engine's or the system's words"),
    ("true, false", "whether a stand-in took the place of the engine"),
    ("number", "number of the prompt in the data, from 1"),
    ("µs", "when the driver released the request; in a closed loop its connection was open by then"),
    ("µs duration", "time to open a connection for this request; blank where an open one was used"),
    ("µs duration", "ITL max: longest wait between two pieces of text"),
    ("number", "numbers in the embedding (embed)"),
    ("number", "times the request was sent again, since its kept connection had died before any byte of the answer"),
    ("µs duration", "`end_us` − `sent_us`: service time, also of a request that failed"),
    ("µs duration", "`end_us` − `planned_us`: response time, also of a request that failed"),
    ("number", "pieces of text that are reasoning"),
    ("µs", "first piece of text that isn't reasoning"),
    ("words", "what was odd about the answer ([list](report.md#odd-answers)), with blanks between"),
    ("number", "prompt tokens that the scenario asked for ([tokens](tokens.md))"),
    ("number", "group of the shared prefix, from 1 ([shared prefixes](tokens.md#shared-prefixes))"),
    (
        "word",
        "`first` (of its group to this target) or `later` (sent after one of its group was answered); blank between the two",
    ),
    ("number", "tokens drafted by speculative decoding, by the engine's count"),
    ("number", "drafted tokens that were accepted"),
    ("number", "tokens of reasoning, by the engine's count"),
    ("number", "mean natural log-probability of the answer's tokens, where `logprobs` asks for it"),
    ("µs durations", "ITL: every wait between two pieces of text, in order, with blanks between"),
    ("number", "generator that sent it, in rows that `loadcmp merge` wrote ([many generators](many-generators.md))"),
    (
        "word",
        "why the request needed a new connection: `first` (its user had none), `closed` (the engine had closed it), `idle` or `not_kept` (our \
         choice), `broken` (the request before failed); blank where the open one was used",
    ),
];

/// The table of `docs/samples.md`, in Markdown.
pub fn document() -> String {
    let mut page = String::from("| column | unit | what |\n|:--|:--|:--|\n");
    for (column, (unit, about)) in COLUMNS.iter().zip(ABOUT) {
        let _ = writeln!(page, "| `{column}` | {unit} | {about} |");
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_those_in_the_names() {
        for (column, (unit, _)) in COLUMNS.iter().zip(ABOUT) {
            assert_eq!(column.ends_with("_us"), unit.starts_with("µs"), "{column}");
            assert_eq!(column.ends_with("_hash"), unit.starts_with("16 hex"), "{column}");
        }
    }
}
