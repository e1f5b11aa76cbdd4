//! Oddities of real engines, by name: what `loadcmp serve --quirk NAME` plays. Which there are, which wire each fits,
//! and what can't be played together. `quirk_reply` plays those that take the place of an answer, `quirk_events` those
//! that change one.

use serde::{Deserialize, Serialize};

/// Which oddities are played, and how often.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, clap::Args)]
#[serde(default, deny_unknown_fields)]
pub struct Quirks {
    /// Oddities of real engines to play on the Ollama and OpenAI wires, several together if they can be.
    #[arg(long = "quirk", value_enum, value_delimiter = ',', value_name = "NAME")]
    pub names: Vec<Quirk>,
    /// Share of requests that are answered with the quirks, spread evenly in the order they come.
    #[arg(long = "quirk-share", default_value_t = 1.0, value_name = "SHARE", value_parser = super::parse::share)]
    pub share: f64,
    /// Time of the quirks that take one: late-usage, close-after.
    #[arg(long = "quirk-ms", default_value_t = 100.0, value_name = "MS", value_parser = super::parse::amount)]
    pub ms: f64,
}

impl Default for Quirks {
    fn default() -> Self {
        Self { names: Vec::new(), share: 1.0, ms: 100.0 }
    }
}

/// One oddity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Quirk {
    /// A stream of nothing but an error object and `[DONE]`, status 200.
    ErrorThenDone,
    /// A stream of nothing but `event: error` with a message.
    EventError,
    /// A stream of nothing but a field `error:` with a message.
    ErrorField,
    /// A stream of nothing but `[DONE]`.
    DoneOnly,
    /// A stream that ends after its finish reason, without `[DONE]`.
    NoDone,
    /// Status 500, `{"error": "words"}`.
    ErrorString,
    /// Status 500, `{"detail": "words"}`.
    ErrorDetail,
    /// Status 500 with a page of HTML.
    ErrorHtml,
    /// An error inside a 200, after half of the tokens.
    ErrorAfterTokens,
    /// A chunk whose `choices` is null.
    ChoicesNull,
    /// Content as a list of parts.
    ContentParts,
    /// A chunk that is `null`.
    NullChunk,
    /// Counts of tokens that are negative, fractions or words.
    BadCounts,
    /// Times that are negative, fractions or words.
    BadDurations,
    /// Half a surrogate pair, and UTF-8 cut short, in the text.
    HalfCharacter,
    /// Lines that end with CR LF.
    Crlf,
    /// Lines that end with CR.
    Cr,
    /// A byte order mark before the stream.
    Bom,
    /// No blank line after the last event.
    NoLastBlank,
    /// Events without data between the others.
    EmptyData,
    /// Comments, and `event:`, `id:` and `retry:` fields.
    Comments,
    /// The whole answer as JSON where a stream was asked for.
    JsonForStream,
    /// No newline after the last line of NDJSON.
    NoNewline,
    /// What follows the last token of a stream comes --quirk-ms later.
    LateUsage,
    /// Thoughts in the text, between `<think>` and `</think>`.
    ThinkTags,
    /// Thoughts in the text before a lone `</think>`: the template opened the tag.
    ThinkTagsOpenedByTemplate,
    /// Thoughts in the text after a `<think>` that is never closed.
    ThinkUnclosed,
    /// Thoughts in their own field, `reasoning_content` or `thinking`.
    ReasoningContent,
    /// Thoughts and answer as the harmony channels `analysis` and `final`.
    Harmony,
    /// Tool calls in place of text.
    ToolCalls,
    /// A schema is passed over: the answer is a bare label, or free text.
    SchemaIgnored,
    /// In the place of a label, all of those that there are.
    ListsLabels,
    /// In the place of a label, the first words of the prompt, as small models do.
    RepeatsStart,
    /// Embeddings with a number that is none (`null`; NaN in base64).
    VectorNan,
    /// Embeddings of zeros.
    VectorZero,
    /// Embeddings without numbers.
    VectorEmpty,
    /// Embeddings of which every other one is shorter by a number.
    VectorLengths,
    /// Streams that never end.
    Endless,
    /// Status 429 with `Retry-After: 1`.
    #[value(name = "reject-429")]
    #[serde(rename = "reject-429")]
    Reject429,
    /// Status 503.
    #[value(name = "reject-503")]
    #[serde(rename = "reject-503")]
    Reject503,
    /// The connection is closed without an answer, after --quirk-ms of work.
    CloseAfter,
    /// `Connection: keep-alive`, and the connection is closed after the answer.
    NoKeepAliveThoughPromised,
}

/// Quirks that can't be played together: one takes the place of the other.
const EXCLUSIVE: [&[Quirk]; 4] = [
    &[
        Quirk::ErrorThenDone,
        Quirk::EventError,
        Quirk::ErrorField,
        Quirk::DoneOnly,
        Quirk::ErrorString,
        Quirk::ErrorDetail,
        Quirk::ErrorHtml,
        Quirk::Reject429,
        Quirk::Reject503,
        Quirk::CloseAfter,
    ],
    &[Quirk::Crlf, Quirk::Cr],
    &[
        Quirk::ThinkTags,
        Quirk::ThinkTagsOpenedByTemplate,
        Quirk::ThinkUnclosed,
        Quirk::ReasoningContent,
        Quirk::Harmony,
    ],
    &[Quirk::VectorNan, Quirk::VectorZero, Quirk::VectorEmpty, Quirk::VectorLengths],
];

/// What is spoken on a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wire {
    OpenAiChat,
    OpenAiText,
    OpenAiEmbed,
    OllamaChat,
    OllamaText,
    OllamaEmbed,
}

impl Wire {
    /// The wire of a path that answers are asked on.
    pub(super) fn of(path: &str) -> Option<Self> {
        match path {
            "/v1/chat/completions" => Some(Wire::OpenAiChat),
            "/v1/completions" => Some(Wire::OpenAiText),
            "/v1/embeddings" => Some(Wire::OpenAiEmbed),
            "/api/chat" => Some(Wire::OllamaChat),
            "/api/generate" => Some(Wire::OllamaText),
            "/api/embed" | "/api/embeddings" => Some(Wire::OllamaEmbed),
            _ => None,
        }
    }

    pub(super) fn is_openai(self) -> bool {
        matches!(self, Wire::OpenAiChat | Wire::OpenAiText | Wire::OpenAiEmbed)
    }

    pub(super) fn embeds(self) -> bool {
        matches!(self, Wire::OpenAiEmbed | Wire::OllamaEmbed)
    }

    /// Whether a body asks for a stream.
    pub(super) fn streams(self, body: &serde_json::Value) -> bool {
        !self.embeds() && body.get("stream").and_then(serde_json::Value::as_bool).unwrap_or(!self.is_openai())
    }
}

impl Quirk {
    /// The name people write.
    pub(super) fn name(self) -> String {
        clap::ValueEnum::to_possible_value(&self).map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// Whether it can be played on a wire.
    pub(super) fn fits(self, wire: Wire, stream: bool) -> bool {
        let events = wire.is_openai() && stream;
        match self {
            Quirk::ErrorThenDone | Quirk::EventError | Quirk::ErrorField | Quirk::DoneOnly | Quirk::NoDone => events,
            Quirk::ChoicesNull | Quirk::Cr | Quirk::Bom | Quirk::NoLastBlank | Quirk::EmptyData => events,
            Quirk::Comments => events,
            Quirk::NoNewline => stream && !wire.is_openai(),
            Quirk::NullChunk | Quirk::Crlf | Quirk::JsonForStream | Quirk::LateUsage | Quirk::Endless => stream,
            Quirk::ContentParts => wire == Wire::OpenAiChat,
            Quirk::ToolCalls => matches!(wire, Wire::OpenAiChat | Wire::OllamaChat),
            Quirk::ReasoningContent => !wire.embeds() && wire != Wire::OpenAiText,
            Quirk::ErrorAfterTokens | Quirk::BadDurations | Quirk::HalfCharacter => !wire.embeds(),
            Quirk::ThinkTags | Quirk::ThinkTagsOpenedByTemplate | Quirk::ThinkUnclosed => !wire.embeds(),
            Quirk::Harmony | Quirk::SchemaIgnored | Quirk::ListsLabels | Quirk::RepeatsStart => !wire.embeds(),
            Quirk::VectorNan | Quirk::VectorZero | Quirk::VectorEmpty | Quirk::VectorLengths => wire.embeds(),
            Quirk::ErrorString | Quirk::ErrorDetail | Quirk::ErrorHtml | Quirk::BadCounts => true,
            Quirk::Reject429 | Quirk::Reject503 | Quirk::CloseAfter | Quirk::NoKeepAliveThoughPromised => true,
        }
    }
}

impl Quirks {
    /// Says what can't be meant.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        for group in EXCLUSIVE {
            let mut both = self.names.iter().filter(|quirk| group.contains(quirk));
            if let Some(first) = both.next()
                && let Some(other) = both.find(|quirk| *quirk != first)
            {
                anyhow::bail!("the quirks `{}` and `{}` can't be combined", first.name(), other.name());
            }
        }
        anyhow::ensure!(
            (0.0..=1.0).contains(&self.share),
            "`quirks.share` must be a share from 0 to 1, not {}",
            self.share
        );
        anyhow::ensure!(self.ms.is_finite() && self.ms >= 0.0, "`quirks.ms` must be 0 or more, not {}", self.ms);
        Ok(())
    }

    /// Why it can't be played on a wire, if it can't.
    pub(super) fn misfit(&self, wire: Wire, stream: bool) -> Option<String> {
        let quirk = self.names.iter().find(|quirk| !quirk.fits(wire, stream))?;
        let what = match (wire.embeds(), stream) {
            (true, _) => "embeddings",
            (false, true) => "streams",
            (false, false) => "whole answers",
        };
        let api = if wire.is_openai() { "OpenAI" } else { "Ollama" };
        Some(format!("the quirk `{}` doesn't apply to {what} on the {api} wire ({wire:?})", quirk.name()))
    }
}

/// The quirks of one request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Play {
    set: u64,
    pub(super) wire: Wire,
    pub(super) ms: f64,
    /// Its number among the requests that are answered so, from 0.
    pub(super) number: u64,
}

/// Thoughts of an answer whose quirk is about thoughts, where the engine has none of its own.
const THOUGHTS: u32 = 4;

impl Play {
    /// Of request `number`, counted from 0; `None` where it isn't among the share.
    pub(super) fn of(quirks: &Quirks, number: u64, wire: Wire) -> Option<Self> {
        let Quirks { names, share, ms } = quirks;
        let n = number as f64;
        // So many of the first n + 1 are to be among the share; half a request ahead, so that the first isn't always out.
        let due = |n: f64| (n * share + 0.5 * share).floor();
        let number = if *share >= 1.0 { n } else { due(n) };
        (*share >= 1.0 || due(n + 1.0) > due(n)).then(|| Self {
            set: names.iter().fold(0, |set, quirk| set | 1 << *quirk as u64),
            wire,
            ms: *ms,
            number: number as u64,
        })
    }

    pub(super) fn has(self, quirk: Quirk) -> bool {
        self.set & 1 << quirk as u64 != 0
    }

    /// The fewest tokens of thought its answer begins with.
    pub(super) fn thoughts(self) -> u32 {
        let thinks = EXCLUSIVE[2].iter().any(|quirk| self.has(*quirk));
        if thinks { THOUGHTS } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;

    #[test]
    fn every_quirk_has_a_name_in_yaml_and_on_the_command_line_and_fits_somewhere() {
        assert!(Quirk::value_variants().len() < 64);
        let wires = [
            Wire::OpenAiChat,
            Wire::OpenAiText,
            Wire::OpenAiEmbed,
            Wire::OllamaChat,
            Wire::OllamaText,
            Wire::OllamaEmbed,
        ];
        for quirk in Quirk::value_variants() {
            assert_eq!(serde_json::json!(quirk), serde_json::json!(quirk.name()));
            assert!(wires.iter().any(|wire| quirk.fits(*wire, true) || quirk.fits(*wire, false)), "{quirk:?}");
        }
    }

    #[test]
    fn what_takes_the_others_place_is_refused_beside_it() {
        let check = |names: &[Quirk]| Quirks { names: names.to_vec(), ..Quirks::default() }.check();
        assert!(check(&[Quirk::Crlf, Quirk::Bom, Quirk::ThinkTags, Quirk::Crlf]).is_ok());
        let told = check(&[Quirk::Crlf, Quirk::Cr]).unwrap_err().to_string();
        assert_eq!(told, "the quirks `crlf` and `cr` can't be combined");
        assert!(check(&[Quirk::DoneOnly, Quirk::Reject429]).is_err());
    }

    #[test]
    fn a_share_is_spread_evenly_and_exact() {
        for (share, want) in [(0.3, 30), (0.5, 50), (1.0, 100), (0.0, 0), (0.07, 7)] {
            let quirks = Quirks { names: vec![Quirk::DoneOnly], share, ..Quirks::default() };
            let plays: Vec<u64> =
                (0..100).filter_map(|number| Some(Play::of(&quirks, number, Wire::OpenAiChat)?.number)).collect();
            assert_eq!(plays, (0..want).collect::<Vec<_>>(), "{share}");
        }
    }
}
