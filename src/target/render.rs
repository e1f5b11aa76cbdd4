//! From an item of the workload to the bytes of a request: rendered once an item and kept, with the nonce patched in.

use super::template::{self, Message};
use crate::scenario::plan::Plan;
use crate::scenario::{Constrain, Family, PromptFormat, Sampling, Task, Think};
use crate::workload::{BEHIND, Item, Nonce, NonceForm};
use bytes::Bytes;
use memchr::memmem;
use serde_json::{Value, json};

/// What every request of a run has in common, as a target may be asked it.
#[derive(Clone, Debug)]
pub(super) struct RequestSettings {
    pub(super) task: Task,
    pub(super) format: PromptFormat,
    pub(super) stream: bool,
    pub(super) constrain: Constrain,
    pub(super) labels: Vec<String>,
    /// The schema of answers that the scenario asks for.
    pub(super) schema: Option<Value>,
    pub(super) system: Option<String>,
    pub(super) sampling: Sampling,
    pub(super) nonces: NonceForm,
    /// How much the model is to reason; `None` where nobody says.
    pub(super) think: Option<Think>,
    /// Whether the log-probability of each token is asked for.
    pub(super) logprobs: bool,
    /// The template that we render prompts by, for an engine that has none.
    pub(super) template: Option<Family>,
    /// Whether a model is made to go on after its end token, so that answers are as long as they were recorded.
    pub(super) ignore_eos: bool,
}

impl RequestSettings {
    pub(super) fn of(plan: &Plan) -> Self {
        let workload = &plan.workload;
        Self {
            task: plan.task,
            format: workload.format,
            stream: workload.stream && plan.task != Task::Embed,
            constrain: if plan.task == Task::Classify { workload.constrain } else { Constrain::None },
            labels: workload.labels.clone(),
            schema: workload.schema.clone().filter(|_| matches!(plan.task, Task::Generate | Task::Chat)),
            system: workload.system.clone(),
            sampling: workload.sampling.clone(),
            nonces: NonceForm::of(workload),
            think: workload.think,
            logprobs: workload.logprobs,
            template: None,
            ignore_eos: false,
        }
    }

    /// The schema that answers are to have, and what it is called; `None` where none is sent.
    pub(super) fn answer_schema(&self) -> Option<(&'static str, Value)> {
        if self.constrain == Constrain::Schema {
            return Some(("label", label_schema(&self.labels)));
        }
        self.schema.clone().map(|schema| ("answer", schema))
    }

    /// The engines' seed: 31 bits, which all of them take.
    pub(super) fn engine_seed(&self) -> u64 {
        self.sampling.seed.unwrap_or(0) & 0x7fff_ffff
    }
}

/// One request, as text: what a wire puts into its body.
#[derive(Debug)]
pub(super) struct RequestText<'a> {
    /// The prompt as one text (raw format, embeddings).
    pub(super) prompt: String,
    /// Role and text of each message (chat format).
    talk: Vec<Message<'a>>,
    pub(super) max_tokens: u32,
}

impl<'a> RequestText<'a> {
    /// What turn `turn` of an item asks. `history` holds the engine's own earlier answers, where those are used.
    pub(super) fn new(
        settings: &'a RequestSettings,
        item: &'a Item,
        turn: usize,
        history: Option<&'a [String]>,
        nonce: Option<Nonce>,
    ) -> Self {
        let mut talk: Vec<Message<'a>> = Vec::new();
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
            first.1 = (settings.nonces.text(nonce.start) + &first.1).into();
        }
        if let Some(behind) = nonce.and_then(|nonce| nonce.behind) {
            let [place, own] = [BEHIND, behind].map(|nonce| settings.nonces.digits(nonce));
            talk.iter_mut().for_each(|(_, text)| *text = text.replacen(&place, &own, 1).into());
        }
        let prompt = match settings.template {
            Some(family) => template::render(family, &talk),
            None => as_text(settings.task, &talk),
        };
        Self { prompt, talk, max_tokens: item.max_tokens.unwrap_or(settings.sampling.max_tokens) }
    }

    /// The system message, for wires that have a field for it; the rest of the talk is role and text.
    pub(super) fn system_and_talk(&self) -> (Option<&str>, impl Iterator<Item = (&'static str, &str)>) {
        let system = self.talk.first().filter(|(role, _)| *role == "system").map(|(_, text)| text.as_ref());
        let rest = self.talk.iter().skip(usize::from(system.is_some()));
        (system, rest.map(|(role, text)| (*role, text.as_ref())))
    }

    /// The messages, as JSON.
    pub(super) fn messages(&self) -> Value {
        self.talk.iter().map(|(role, text)| json!({"role": role, "content": text})).collect()
    }
}

/// The conversation as one text, for wires without messages.
fn as_text(task: Task, talk: &[Message<'_>]) -> String {
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

/// The schema that leaves an engine no other answer than a label. Without `additionalProperties` a small model goes on with
/// fields of its own until its tokens are used up.
fn label_schema(labels: &[String]) -> Value {
    json!({"type": "object", "properties": {"label": {"type": "string", "enum": labels}}, "required": ["label"], "additionalProperties": false})
}

/// A nonce that stands in prepared bodies until a real one takes its place.
const PLACE: Nonce = Nonce { start: 0x5eed_0ace, behind: None };

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
    form: NonceForm,
}

#[derive(Debug)]
struct Body {
    bytes: Bytes,
    /// Where nonces stand: those at the start, and those behind a prefix.
    nonces: [Vec<usize>; 2],
}

impl Body {
    /// Bytes that it takes in memory.
    fn size(&self) -> usize {
        self.bytes.len() + self.nonces.iter().map(Vec::len).sum::<usize>() * size_of::<usize>() + size_of::<Self>()
    }
}

impl Bodies {
    /// Renders every turn of every item, unless they take more than `limit` bytes: then none is kept, so that every request
    /// is made in the same way. `system` is the length of the system message, which stands in each.
    pub(super) fn prepare(
        items: &[Item],
        system: usize,
        limit: usize,
        bust: Option<NonceForm>,
        render: impl Fn(&Item, usize, Option<Nonce>) -> Vec<u8>,
    ) -> Self {
        if least_bytes(items, system) > limit {
            return Self::default();
        }
        let form = bust.unwrap_or_default();
        let digits = [PLACE.start, BEHIND].map(|place| form.digits(place));
        let (mut kept, mut bytes) = (Vec::with_capacity(items.len()), 0usize);
        for item in items {
            let mut turns = Vec::with_capacity(item.turns.len());
            for turn in 0..item.turns.len() {
                let body = render(item, turn, bust.map(|_| PLACE));
                let places = |digits: &String| memmem::find_iter(&body, digits).collect();
                let [start, behind] = &digits;
                let nonces = [(start, bust.is_some()), (behind, bust.is_some() && item.group.is_some())]
                    .map(|(digits, there)| if there { places(digits) } else { Vec::new() });
                let body = Body { bytes: body.into(), nonces };
                bytes = bytes.saturating_add(body.size());
                if bytes > limit {
                    return Self::default();
                }
                turns.push(body);
            }
            kept.push(turns);
        }
        Self { kept, form }
    }

    /// The body of a turn, if it was kept.
    pub(super) fn get(&self, item: usize, turn: usize, nonce: Option<Nonce>) -> Option<Bytes> {
        let body = self.kept.get(item)?.get(turn)?;
        let Some(nonce) = nonce else { return Some(body.bytes.clone()) };
        let mut bytes = body.bytes.to_vec();
        for (places, nonce) in body.nonces.iter().zip([Some(nonce.start), nonce.behind]) {
            let Some(digits) = nonce.map(|nonce| self.form.digits(nonce)) else { continue };
            for at in places {
                bytes[*at..*at + digits.len()].copy_from_slice(digits.as_bytes());
            }
        }
        Some(bytes.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::Turn;

    fn items(count: usize, turns: usize, text: usize) -> Vec<Item> {
        let turn = || Turn { user: "x".repeat(text), assistant: Some("y".repeat(text)), think: None };
        let item =
            |n: usize| Item { id: n.to_string(), turns: (0..turns).map(|_| turn()).collect(), ..Item::default() };
        (0..count).map(item).collect()
    }

    /// What is kept of some items whose bodies are the system message, the talk so far and 250 bytes.
    fn kept(items: &[Item], system: usize, limit: usize) -> usize {
        let talk = |item: &Item, turn: usize| -> usize {
            let before = |t: &Turn| t.user.len() + t.assistant.as_ref().map_or(0, String::len);
            item.turns[..turn].iter().map(before).sum::<usize>() + item.turns[turn].user.len()
        };
        let bodies =
            Bodies::prepare(items, system, limit, None, |item, turn, _| vec![b'x'; system + talk(item, turn) + 250]);
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
        let blown_up = Bodies::prepare(&items(100, 1, 10), 0, 1 << 20, None, |_, _, _| vec![b'x'; 20_000]);
        assert!(blown_up.kept.is_empty());
    }

    #[test]
    fn many_targets_share_what_may_be_kept() {
        assert_eq!([1, 4, 8].map(keep_limit), [64 << 20, 64 << 20, 32 << 20]);
    }
}
