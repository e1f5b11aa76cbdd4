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
        // At the very start, so that no prefix can be reused.
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

/// Bodies beyond this many bytes in all are rendered anew each time.
const KEEP_LIMIT: usize = 64 << 20;

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

impl Bodies {
    /// Renders every turn of every item, unless they are too large to keep.
    pub(super) fn prepare(items: &[Item], bust: bool, render: impl Fn(&Item, usize, Option<u32>) -> Vec<u8>) -> Self {
        let size: usize = items.iter().flat_map(|i| &i.turns).map(|t| t.user.len() + 500).sum();
        if size > KEEP_LIMIT {
            return Self::default();
        }
        let digits = format!("{PLACE:08x}");
        let body = |item: &Item, turn: usize| {
            let bytes = render(item, turn, bust.then_some(PLACE));
            let nonces = if bust { memmem::find_iter(&bytes, &digits).collect() } else { Vec::new() };
            Body { bytes: bytes.into(), nonces }
        };
        let kept = items.iter().map(|item| (0..item.turns.len()).map(|turn| body(item, turn)).collect()).collect();
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
