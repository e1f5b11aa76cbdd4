//! From an item of the workload to the bytes of a request: rendered once an item and kept, with the nonce patched in.

use crate::scenario::plan::Plan;
use crate::scenario::{Constrain, PromptFormat, Sampling, Task};
use crate::workload::{Item, NONCE_DIGITS, nonce_text};
use bytes::Bytes;
use memchr::memmem;
use serde_json::{Value, json};

/// What every request of a run has in common, as a target may be asked it.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) task: Task,
    pub(super) format: PromptFormat,
    pub(super) stream: bool,
    pub(super) constrain: Constrain,
    pub(super) labels: Vec<String>,
    pub(super) system: Option<String>,
    pub(super) sampling: Sampling,
}

impl Settings {
    pub(super) fn of(plan: &Plan) -> Self {
        let workload = &plan.workload;
        Self {
            task: plan.task,
            format: workload.format,
            stream: workload.stream && plan.task != Task::Embed,
            constrain: if plan.task == Task::Classify { workload.constrain } else { Constrain::None },
            labels: workload.labels.clone(),
            system: workload.system.clone(),
            sampling: workload.sampling.clone(),
        }
    }

    /// The engines' seed: 31 bits, which all of them take.
    pub(super) fn engine_seed(&self) -> u64 {
        self.sampling.seed.unwrap_or(0) & 0x7fff_ffff
    }
}

/// One request, as text: what a wire puts into its body.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    /// The prompt as one text (raw format, embeddings).
    pub(super) prompt: String,
    /// Role and text of each message (chat format).
    talk: Vec<(&'static str, std::borrow::Cow<'a, str>)>,
    pub(super) max_tokens: u32,
}

impl<'a> Asked<'a> {
    /// What turn `turn` of an item asks. `history` holds the engine's own earlier answers, where those are used.
    pub(super) fn new(
        settings: &'a Settings,
        item: &'a Item,
        turn: usize,
        history: Option<&'a [String]>,
        nonce: Option<u32>,
    ) -> Self {
        let mut talk: Vec<(&'static str, std::borrow::Cow<'a, str>)> = Vec::new();
        if let Some(system) = &settings.system {
            talk.push(("system", system.as_str().into()));
        }
        for (number, said) in item.turns.iter().take(turn + 1).enumerate() {
            talk.push(("user", said.user.as_str().into()));
            if number < turn {
                let own = history.and_then(|all| all.get(number)).map(String::as_str);
                talk.push(("assistant", own.or(said.assistant.as_deref()).unwrap_or_default().into()));
            }
        }
        // At the very start, so that no prefix can be reused; of the system message where there is one, so that what is to be
        // answered stays as it is.
        if let (Some(nonce), Some(first)) = (nonce, talk.first_mut()) {
            first.1 = (nonce_text(nonce) + &first.1).into();
        }
        Self { prompt: as_text(settings.task, &talk), talk, max_tokens: settings.sampling.max_tokens }
    }

    /// The messages, as JSON.
    pub(super) fn messages(&self) -> Value {
        self.talk.iter().map(|(role, text)| json!({"role": role, "content": text})).collect()
    }
}

/// The conversation as one text, for wires without messages.
fn as_text(task: Task, talk: &[(&'static str, std::borrow::Cow<'_, str>)]) -> String {
    if task != Task::Chat {
        return talk.iter().map(|(_, text)| text.as_ref()).collect::<Vec<_>>().join("\n\n");
    }
    let mut text = String::new();
    for (role, said) in talk {
        text.push_str(role);
        text.push_str(": ");
        text.push_str(said);
        text.push('\n');
    }
    text + "assistant:"
}

/// The schema that leaves an engine no other answer than a label.
pub(super) fn label_schema(labels: &[String]) -> Value {
    json!({"type": "object", "properties": {"label": {"type": "string", "enum": labels}}, "required": ["label"]})
}

/// A nonce that stands in prepared bodies until a real one takes its place.
const PLACE: u32 = 0x5eed_0ace;

/// Bodies of one target beyond this many bytes are rendered when they are sent.
const KEEP_LIMIT: usize = 64 << 20;

/// The same of all targets together.
const KEEP_LIMIT_ALL: usize = 256 << 20;

/// Bytes of rendered bodies that each of so many targets may keep.
pub(super) fn keep_limit(targets: usize) -> usize {
    KEEP_LIMIT.min(KEEP_LIMIT_ALL / targets.max(1))
}

/// What a body takes besides its text, at least.
const OVERHEAD: usize = 200;

/// Bytes that the bodies of all turns will take, at least: each holds the system message and all turns before it.
fn least_bytes(items: &[Item], system: usize) -> usize {
    let of = |item: &Item| {
        let (mut sum, mut talk) = (0usize, system);
        for turn in &item.turns {
            talk = talk.saturating_add(turn.user.len());
            sum = sum.saturating_add(talk + OVERHEAD);
            talk = talk.saturating_add(turn.assistant.as_ref().map_or(0, String::len));
        }
        sum
    };
    items.iter().fold(0, |sum, item| sum.saturating_add(of(item)))
}

/// The bodies of a workload for one target, rendered ahead.
#[derive(Debug, Default)]
pub(super) struct Bodies {
    kept: Vec<Vec<Body>>,
}

#[derive(Debug)]
struct Body {
    bytes: Bytes,
    nonces: Vec<usize>,
}

impl Body {
    /// Bytes that it takes in memory.
    fn size(&self) -> usize {
        self.bytes.len() + self.nonces.len() * size_of::<usize>() + size_of::<Self>()
    }
}

impl Bodies {
    /// Renders every turn of every item, unless they take more than `limit` bytes: then none is kept, so that every request
    /// is made in the same way. `system` is the length of the system message, which stands in each.
    pub(super) fn prepare(
        items: &[Item],
        system: usize,
        limit: usize,
        bust: bool,
        render: impl Fn(&Item, usize, Option<u32>) -> Vec<u8>,
    ) -> Self {
        if least_bytes(items, system) > limit {
            return Self::default();
        }
        let digits = format!("{PLACE:08x}");
        let (mut kept, mut bytes) = (Vec::with_capacity(items.len()), 0usize);
        for item in items {
            let mut turns = Vec::with_capacity(item.turns.len());
            for turn in 0..item.turns.len() {
                let body = render(item, turn, bust.then_some(PLACE));
                let nonces: Vec<usize> = if bust { memmem::find_iter(&body, &digits).collect() } else { Vec::new() };
                let body = Body { bytes: body.into(), nonces };
                bytes = bytes.saturating_add(body.size());
                if bytes > limit {
                    return Self::default();
                }
                turns.push(body);
            }
            kept.push(turns);
        }
        Self { kept }
    }

    /// The body of a turn, if it was kept.
    pub(super) fn get(&self, item: usize, turn: usize, nonce: Option<u32>) -> Option<Bytes> {
        let body = self.kept.get(item)?.get(turn)?;
        let Some(nonce) = nonce else { return Some(body.bytes.clone()) };
        let mut bytes = body.bytes.to_vec();
        let digits = format!("{nonce:08x}");
        for at in &body.nonces {
            bytes[*at..*at + NONCE_DIGITS].copy_from_slice(digits.as_bytes());
        }
        Some(bytes.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::Turn;

    fn items(count: usize, turns: usize, text: usize) -> Vec<Item> {
        let turn = || Turn { user: "x".repeat(text), assistant: Some("y".repeat(text)) };
        let item = |n: usize| Item { id: n.to_string(), turns: (0..turns).map(|_| turn()).collect(), label: None };
        (0..count).map(item).collect()
    }

    /// What is kept of some items whose bodies are the system message, the talk so far and 250 bytes.
    fn kept(items: &[Item], system: usize, limit: usize) -> usize {
        let talk = |item: &Item, turn: usize| -> usize {
            let before = |t: &Turn| t.user.len() + t.assistant.as_ref().map_or(0, String::len);
            item.turns[..turn].iter().map(before).sum::<usize>() + item.turns[turn].user.len()
        };
        let bodies =
            Bodies::prepare(items, system, limit, false, |item, turn, _| vec![b'x'; system + talk(item, turn) + 250]);
        let size = bodies.kept.iter().flatten().map(Body::size).sum();
        assert!(size <= limit);
        size
    }

    #[test]
    fn bodies_are_counted_with_their_system_message_and_history() {
        // Small ones are kept, to the byte that they take.
        let each = 10 + 250 + size_of::<Body>();
        assert_eq!(kept(&items(100, 1, 10), 0, 1 << 20), 100 * each);
        // A system message stands in each of them.
        assert_eq!(kept(&items(100, 1, 10), 20_000, 1 << 20), 0);
        // Forty turns of 1 KB: each body holds all before it, 1.6 MB in all and not 80 KB.
        assert_eq!(kept(&items(1, 40, 1000), 0, 1 << 20), 0);
        assert!(kept(&items(1, 40, 1000), 0, 2 << 20) > 1_600_000);
        // What a template adds is seen when it is rendered.
        let blown_up = Bodies::prepare(&items(100, 1, 10), 0, 1 << 20, false, |_, _, _| vec![b'x'; 20_000]);
        assert!(blown_up.kept.is_empty());
    }

    #[test]
    fn many_targets_share_what_may_be_kept() {
        assert_eq!([1, 4, 8].map(keep_limit), [64 << 20, 64 << 20, 32 << 20]);
    }
}
