//! Quirks that change an answer: its events are read back, changed, and written in another form. Slow and plain: nobody
//! measures an engine with quirks.

use super::quirk::{Play, Quirk, Wire};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};

/// Stand for half a surrogate pair and for UTF-8 cut short until the JSON is written: no JSON value can hold them.
const HALF: [(&str, &[u8]); 2] = [("\u{e000}", br"\ud83d"), ("\u{e001}", &[0xf0, 0x9f])];

/// One piece of a stream.
enum Event {
    Done,
    Value(Value),
}

/// The quirks of one stream at work.
pub(super) struct Player {
    play: Play,
    begun: bool,
    /// Pieces of text and of thought so far.
    pieces: u32,
    /// Whether thoughts are being written into the text.
    thinking: bool,
    events: u32,
}

impl Player {
    pub(super) fn new(play: Play) -> Self {
        Self { play, begun: false, pieces: 0, thinking: false, events: 0 }
    }

    /// What is sent in the stead of a frame; `last` is the stream's last.
    pub(super) fn frame(&mut self, frame: &[u8], last: bool) -> Bytes {
        let text = String::from_utf8_lossy(frame);
        let mut events = Vec::new();
        let parts = if self.play.wire.is_openai() { text.split("\n\n") } else { text.split("\n") };
        for part in parts.filter(|part| !part.is_empty()) {
            match serde_json::from_str(part.strip_prefix("data: ").unwrap_or(part)) {
                Ok(value) => self.change(value, &mut events),
                Err(_) => events.push(Event::Done),
            }
        }
        if self.play.has(Quirk::NoDone) {
            events.retain(|event| matches!(event, Event::Value(_)));
        }
        let mut out = Vec::new();
        let count = events.len();
        for (at, event) in events.into_iter().enumerate() {
            self.write(&event, last && at + 1 == count, &mut out);
        }
        out.into()
    }

    /// One event, and what comes before and after it.
    fn change(&mut self, mut value: Value, events: &mut Vec<Event>) {
        counts_and_times(self.play, &mut value);
        let speaks =
            said(self.play.wire, &value).is_some_and(|(text, thought)| !(text.is_empty() && thought.is_empty()));
        if !speaks {
            if self.play.has(Quirk::ToolCalls)
                && let Some(reason) = value.pointer_mut("/choices/0/finish_reason").filter(|reason| reason.is_string())
            {
                *reason = json!("tool_calls");
            }
            return events.push(Event::Value(value));
        }
        if self.pieces == 0 && self.play.has(Quirk::ChoicesNull) {
            let mut none = value.clone();
            none["choices"] = Value::Null;
            events.push(Event::Value(none));
        }
        self.speak(&mut value);
        self.pieces += 1;
        events.push(Event::Value(value));
        if self.pieces == 1 && self.play.has(Quirk::NullChunk) {
            events.push(Event::Value(Value::Null));
        }
    }

    /// Changes the text of a piece.
    fn speak(&mut self, value: &mut Value) {
        let Some((mut text, mut thought)) = said(self.play.wire, value) else { return };
        if let Some([open, shut]) = marks(self.play) {
            let thinks = !thought.is_empty();
            let mark = match (thinks, self.thinking, self.pieces) {
                (true, false, 0) => open,
                (false, true, _) => shut,
                _ => "",
            };
            text = format!("{mark}{thought}{text}");
            thought = String::new();
            self.thinking = thinks;
        }
        if self.play.has(Quirk::HalfCharacter) {
            let at = self.pieces as usize;
            text.push_str(HALF.get(at).map_or("", |(mark, _)| mark));
        }
        say(self.play, value, &text, &thought, self.pieces == 0, true);
    }

    /// Writes an event in the form of the quirks.
    fn write(&mut self, event: &Event, last: bool, out: &mut Vec<u8>) {
        let play = self.play;
        let end: &[u8] = match (play.has(Quirk::Crlf), play.has(Quirk::Cr)) {
            (true, _) => b"\r\n",
            (_, true) => b"\r",
            _ => b"\n",
        };
        let mut line = |text: &[u8]| {
            out.extend_from_slice(text);
            out.extend_from_slice(end);
        };
        let bytes = match event {
            Event::Done => b"[DONE]".to_vec(),
            Event::Value(value) => written(value),
        };
        if !play.wire.is_openai() {
            out.extend_from_slice(&bytes);
            if !(last && play.has(Quirk::NoNewline)) {
                out.extend_from_slice(end);
            }
            return;
        }
        let mut first: &[u8] = b"";
        if !std::mem::replace(&mut self.begun, true) && play.has(Quirk::Bom) {
            first = "\u{feff}".as_bytes();
        }
        if play.has(Quirk::Comments) {
            self.events += 1;
            let opening = [first, b": the stand-in comments"].concat();
            first = b"";
            line(&opening);
            line(b"event: message");
            line(format!("id: {}", self.events).as_bytes());
            line(b"retry: 3000");
        }
        if play.has(Quirk::EmptyData) {
            line(&[first, b"data:"].concat());
            first = b"";
            line(b"");
        }
        line(&[first, b"data: ", &bytes].concat());
        if !(last && play.has(Quirk::NoLastBlank)) {
            line(b"");
        }
    }
}

/// What stands before thoughts in the text and what after them; `None` where thoughts have a field of their own.
fn marks(play: Play) -> Option<[&'static str; 2]> {
    if play.has(Quirk::ThinkTags) {
        Some(["<think>\n", "\n</think>\n\n"])
    } else if play.has(Quirk::ThinkTagsOpenedByTemplate) {
        Some(["", "\n</think>\n\n"])
    } else if play.has(Quirk::ThinkUnclosed) {
        Some(["<think>\n", ""])
    } else if play.has(Quirk::Harmony) {
        let shut = "<|end|><|start|>assistant<|channel|>final<|message|>";
        Some(["<|channel|>analysis<|message|>", shut])
    } else {
        None
    }
}

/// The object that holds a piece's text, and the names of text and thought in it.
fn place(wire: Wire, value: &Value) -> Option<(&'static str, &'static str, &'static str)> {
    let (at, text, thought) = match wire {
        Wire::OpenAiChat if value.pointer("/choices/0/delta").is_some() => {
            ("/choices/0/delta", "content", "reasoning_content")
        }
        Wire::OpenAiChat => ("/choices/0/message", "content", "reasoning_content"),
        Wire::OpenAiText => ("/choices/0", "text", "reasoning_content"),
        Wire::OllamaChat => ("/message", "content", "thinking"),
        Wire::OllamaText => ("", "response", "thinking"),
        Wire::OpenAiEmbed | Wire::OllamaEmbed => return None,
    };
    value.pointer(at).map(|_| (at, text, thought))
}

/// Text and thought of a piece or of a whole answer.
fn said(wire: Wire, value: &Value) -> Option<(String, String)> {
    let (at, text, thought) = place(wire, value)?;
    let holder = value.pointer(at)?;
    let of = |name: &str| holder.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    Some((of(text), of(thought)))
}

/// Puts text and thought where they were; as parts or calls of tools where that is the quirk.
fn say(play: Play, value: &mut Value, text: &str, thought: &str, first: bool, streamed: bool) {
    let Some((at, text_name, thought_name)) = place(play.wire, value) else { return };
    let Some(holder) = value.pointer_mut(at).and_then(Value::as_object_mut) else { return };
    if thought.is_empty() {
        holder.remove(thought_name);
    } else {
        holder.insert(thought_name.to_owned(), json!(thought));
    }
    if play.has(Quirk::ToolCalls) && !text.is_empty() {
        let call = match (play.wire, first) {
            (Wire::OllamaChat, _) => json!({ "function": { "name": "answer", "arguments": { "text": text } } }),
            (_, true) => json!({
                "index": 0, "id": "call_1", "type": "function",
                "function": { "name": "answer", "arguments": text },
            }),
            (_, false) => json!({ "index": 0, "function": { "arguments": text } }),
        };
        holder.insert("tool_calls".to_owned(), json!([call]));
        let empty = if play.wire == Wire::OllamaChat { json!("") } else { Value::Null };
        match streamed && play.wire != Wire::OllamaChat {
            true => drop(holder.remove(text_name)),
            false => drop(holder.insert(text_name.to_owned(), empty)),
        }
    } else if play.has(Quirk::ContentParts) && !text.is_empty() {
        holder.insert(text_name.to_owned(), json!([{ "type": "text", "text": text }]));
    } else if holder.contains_key(text_name) || !text.is_empty() {
        holder.insert(text_name.to_owned(), json!(text));
    }
}

/// A value as JSON, with the halves of characters in it.
fn written(value: &Value) -> Vec<u8> {
    let mut text = value.to_string().into_bytes();
    for (mark, bytes) in HALF {
        let mark = mark.as_bytes();
        while let Some(at) = text.windows(mark.len()).position(|window| window == mark) {
            text.splice(at..at + mark.len(), bytes.iter().copied());
        }
    }
    text
}

/// Spoils counts and times, where an event has them.
fn counts_and_times(play: Play, value: &mut Value) {
    let bad_count = |name: &str| match name {
        "completion_tokens" | "eval_count" | "predicted_n" => Some(json!(-1)),
        "prompt_tokens" | "prompt_eval_count" | "prompt_n" => Some(json!(12.5)),
        "total_tokens" | "prompt_eval_cached_count" | "cache_n" => Some(json!("many")),
        "prompt_tokens_details" => Some(json!({ "cached_tokens": "many" })),
        _ => None,
    };
    let bad_time = |name: &str| match name {
        "predicted_ms" | "total_duration" => Some(json!(-5.5)),
        "prompt_ms" | "load_duration" => Some(json!("soon")),
        "prompt_eval_duration" => Some(json!(1.5)),
        "eval_duration" => Some(json!(-3)),
        _ => None,
    };
    for at in ["", "/usage", "/timings"] {
        let Some(fields) = value.pointer_mut(at).and_then(Value::as_object_mut) else { continue };
        for (name, field) in fields.iter_mut() {
            let bad = bad_count(name).filter(|_| play.has(Quirk::BadCounts));
            if let Some(bad) = bad.or_else(|| bad_time(name).filter(|_| play.has(Quirk::BadDurations))) {
                *field = bad;
            }
        }
    }
}

/// A whole answer, changed.
pub(super) fn whole(play: Play, bytes: &Bytes) -> Bytes {
    let Ok(mut value) = serde_json::from_slice::<Value>(bytes) else { return bytes.clone() };
    counts_and_times(play, &mut value);
    if play.wire.embeds() {
        vectors(play, &mut value);
        return written(&value).into();
    }
    if let Some((mut text, mut thought)) = said(play.wire, &value) {
        if let Some([open, shut]) = marks(play) {
            text = format!("{open}{thought}{shut}{text}");
            thought = String::new();
        }
        if play.has(Quirk::HalfCharacter) {
            HALF.iter().for_each(|(mark, _)| text.push_str(mark));
        }
        say(play, &mut value, &text, &thought, true, false);
        if play.has(Quirk::ToolCalls)
            && let Some(reason) = value.pointer_mut("/choices/0/finish_reason")
        {
            *reason = json!("tool_calls");
        }
    }
    written(&value).into()
}

/// Spoils the vectors of an answer.
fn vectors(play: Play, value: &mut Value) {
    let change = |vector: &mut Value| match vector {
        Value::String(base64) => {
            let bytes = BASE64_STANDARD.decode(&*base64).unwrap_or_default();
            let mut numbers: Vec<f32> = bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
            spoil(play, &mut numbers, f32::NAN, 0.0);
            *base64 = BASE64_STANDARD.encode(numbers.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>());
        }
        Value::Array(numbers) => spoil(play, numbers, Value::Null, json!(0.0)),
        _ => {}
    };
    if let Some(all) = value.get_mut("data").and_then(Value::as_array_mut) {
        all.iter_mut().filter_map(|one| one.get_mut("embedding")).for_each(change);
    } else if let Some(all) = value.get_mut("embeddings").and_then(Value::as_array_mut) {
        all.iter_mut().for_each(change);
    } else {
        value.get_mut("embedding").into_iter().for_each(change);
    }
}

fn spoil<T: Clone>(play: Play, numbers: &mut Vec<T>, none: T, zero: T) {
    if play.has(Quirk::VectorEmpty) {
        numbers.clear();
    } else if play.has(Quirk::VectorZero) {
        numbers.fill(zero);
    } else if play.has(Quirk::VectorLengths) && play.number % 2 == 1 {
        numbers.pop();
    } else if play.has(Quirk::VectorNan)
        && let Some(first) = numbers.first_mut()
    {
        *first = none;
    }
}
