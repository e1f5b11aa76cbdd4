//! Whether what is asked fits the task: labels for classify, turns for chat, no setting that would be passed over.

use super::Sense;
use crate::scenario::DataPath;
use crate::scenario::constrain::{least_tokens, room_for_a_label};
use crate::scenario::mistake::{nearest, quoted};
use crate::scenario::{
    Constrain, History, InlinePrompt, Lengths, PrefixSpec, PromptCache, PromptFormat, PromptsSpec, Scenario,
    SchemaSpec, SyntheticPrompts, TargetSpec, Task, yaml_word,
};
use std::path::Path;

/// What wires call the most tokens of an answer.
const OWN_LIMITS: [&str; 5] = ["num_predict", "max_tokens", "max_completion_tokens", "max_output_tokens", "n_predict"];

impl Sense<'_> {
    pub(super) fn workload(&mut self, base: &Path) {
        self.labels();
        self.instruction();
        self.format();
        self.unused();
        self.room_for_a_label();
        self.own_room_for_a_label();
        self.prompts(base);
        for (i, stop) in self.scenario.workload.sampling.stop.iter().enumerate() {
            if stop.is_empty() {
                self.wrong(&["workload", "sampling", "stop", &i.to_string()], "a `stop` text must not be empty");
            }
        }
    }

    fn labels(&mut self) {
        let labels = &self.scenario.workload.labels;
        let path = ["workload", "labels"];
        if self.scenario.task != Task::Classify {
            if !labels.is_empty() {
                let message = format!("`labels` are for classify, and the task is {}", yaml_word(&self.scenario.task));
                self.wrong_key(&path, message);
            }
            return;
        }
        if labels.len() < 2 {
            self.wrong_key(&path, "classify needs two or more `labels`")
                .add_help("for example: labels: [billing, bug, praise]");
        }
        for (i, label) in labels.iter().enumerate() {
            let path = ["workload", "labels", &i.to_string()];
            if label.trim().is_empty() {
                self.wrong(&path, "a label must not be empty");
            } else if label.trim() != label || label.contains('\n') {
                self.wrong(&path, "a label must be on one line, without spaces around it");
            } else if labels[..i].iter().any(|earlier| earlier.to_lowercase() == label.to_lowercase()) {
                // An answer is read without regard to case.
                self.wrong(&path, format!("the label {} is listed twice", quoted(label)));
            }
        }
    }

    fn instruction(&mut self) {
        let Some(instruction) = &self.scenario.workload.instruction else { return };
        let path = ["workload", "instruction"];
        let task = self.scenario.task;
        if task == Task::Chat {
            self.wrong_key(&path, "`instruction` can't be used with chat, whose turns are sent as they are")
                .add_help("write `system` for a system message");
        } else if !instruction.contains("{text}") {
            self.wrong_key(&path, "`instruction` has no `{text}`: the prompts would all be the same");
        } else if task != Task::Classify && instruction.contains("{labels}") {
            self.wrong_key(&path, format!("`instruction` has `{{labels}}`, and the task is {}", yaml_word(&task)));
        } else if instruction.contains("{examples}") != (self.scenario.workload.examples > 0) {
            let message = match self.scenario.workload.examples {
                0 => "`instruction` has `{examples}`, and there are none".to_owned(),
                n => format!("`instruction` has no `{{examples}}`: the {n} examples would not be used"),
            };
            self.wrong_key(&path, message)
                .add_help("add `examples: 6` below `workload`, and `{examples}` before `{text}`");
        }
    }

    fn format(&mut self) {
        let workload = &self.scenario.workload;
        if workload.system.is_none() {
            return;
        }
        let path = ["workload", "system"];
        let is_raw = self.scenario.targets.values().any(TargetSpec::is_raw);
        if self.scenario.task == Task::Embed {
            self.wrong_key(&path, "`system` is a message, and embed sends texts");
        } else if workload.format == Some(PromptFormat::Raw) {
            self.wrong_key(&path, "`system` is a message, and `format: raw` sends none");
        } else if workload.format.is_none() && is_raw {
            self.wrong_key(&path, "`system` is a message, and the format is raw where a target speaks GG-CORE")
                .add_help("write `template:` below that target, or `format: chat`, or leave `system` out");
        }
    }

    /// Settings that the task would pass over: what is written should do something.
    fn unused(&mut self) {
        let workload = &self.scenario.workload;
        let task = self.scenario.task;
        if task == Task::Embed && workload.stream == Some(true) {
            self.wrong(&["workload", "stream"], "embeddings never stream; write `stream: false`, or leave it out");
        }
        if task != Task::Classify && workload.examples > 0 {
            let message = format!("`examples` are texts with their labels, and the task is {}", yaml_word(&task));
            self.wrong_key(&["workload", "examples"], message);
        }
        if task != Task::Classify && workload.constrain != Constrain::None {
            let message = format!("`constrain` forces a label, and the task is {}", yaml_word(&task));
            self.wrong_key(&["workload", "constrain"], message);
        }
        if workload.schema.is_some() && !matches!(task, Task::Generate | Task::Chat) {
            let message = format!("`schema` is for generate and chat, and the task is {}", yaml_word(&task));
            let mistake = self.wrong_key(&["workload", "schema"], message);
            if task == Task::Classify {
                mistake.add_help("constrain: schema   # forces a label");
            }
        }
        if task != Task::Chat && workload.history != History::Scripted {
            let message = format!("`history` is for chat, and the task is {}", yaml_word(&task));
            self.wrong_key(&["workload", "history"], message);
        }
    }

    /// An answer by a schema is JSON around a label: a limit that cuts it leaves no label at all. A schema ends its answers
    /// itself, so room that isn't needed costs nothing.
    fn room_for_a_label(&mut self) {
        let workload = &self.scenario.workload;
        if self.scenario.task != Task::Classify || workload.constrain != Constrain::Schema {
            return;
        }
        let Some((least, answer)) = least_tokens(&workload.labels) else { return };
        let limit = workload.sampling.max_tokens;
        if limit < least {
            let set = room_for_a_label(&workload.labels);
            let message = format!("`max_tokens` is {limit}, too few for {answer}, which `constrain: schema` asks for");
            let path = ["workload", "sampling", "max_tokens"];
            let path = if self.has(&path) { &path[..] } else { &["workload", "constrain"] };
            self.wrong(path, message).add_help(format!("max_tokens: {set}   # the schema ends the answer itself"));
        }
    }

    /// A target's own limit has the last word on its wire: one that cuts its answers is as wrong as one of all targets.
    fn own_room_for_a_label(&mut self) {
        let scenario = self.scenario;
        let workload = &scenario.workload;
        let constrain = workload.constrained(scenario.task, scenario.targets.values());
        if scenario.task != Task::Classify || constrain != Constrain::Schema {
            return;
        }
        let Some((least, answer)) = least_tokens(&workload.labels) else { return };
        for (name, target) in scenario.targets.iter().filter(|(_, target)| target.takes_a_schema()) {
            let (wire, field, limits) = match target {
                TargetSpec::Ollama(spec) => ("ollama", "options", &spec.options),
                TargetSpec::OpenAi(spec) => ("openai", "extra", &spec.extra),
                TargetSpec::GgCore(_) | TargetSpec::Json(_) => continue,
            };
            for limit in OWN_LIMITS {
                // A negative one is no limit.
                let Some(tokens) = limits.get(limit).and_then(serde_json::Value::as_u64) else { continue };
                if tokens < u64::from(least) {
                    let set = room_for_a_label(&workload.labels);
                    let message = format!("`{limit}` is {tokens}, too few for {answer}, which a schema asks for here");
                    self.wrong(&["targets", name, wire, field, limit], message)
                        .add_help(format!("{limit}: {set}   # the schema ends the answer itself"));
                }
            }
        }
    }

    fn prompts(&mut self, base: &Path) {
        let scenario = self.scenario;
        if let Some(SchemaSpec::File(path)) = &scenario.workload.schema
            && let Err(why) = path.open(base)
        {
            self.wrong(&["workload", "schema", "file"], why);
        }
        let (chat, classify) = (scenario.task == Task::Chat, scenario.task == Task::Classify);
        let kind = match &scenario.workload.prompts {
            PromptsSpec::Inline(prompts) => {
                return prompts.iter().enumerate().for_each(|(i, prompt)| self.inline(i, prompt));
            }
            PromptsSpec::Csv(_) => "csv",
            PromptsSpec::Jsonl(_) => "jsonl",
            PromptsSpec::Text(_) => "text",
            PromptsSpec::Synthetic(_) => "synthetic",
            PromptsSpec::Trace(_) => "trace",
        };
        let path = |field| ["workload", "prompts", kind, field];
        if let Some(file) = file(scenario)
            && let Err(why) = file.open(base)
        {
            self.wrong(&path("path"), why);
        }
        if chat && matches!(kind, "csv" | "text") {
            self.wrong_key(&path("")[..3], format!("chat needs conversations, which `{kind}` doesn't have"))
                .add_help("write them as `jsonl`, `inline` or `synthetic`");
        }
        if chat && kind == "jsonl" && self.has(&path("text")) {
            self.wrong_key(&path("text"), "chat reads `turns`, not `text`");
        }
        if !chat && kind == "jsonl" && self.has(&path("turns")) {
            let message = format!("`turns` are for chat, and the task is {}", yaml_word(&scenario.task));
            self.wrong_key(&path("turns"), message);
        }
        match kind {
            "text" | "synthetic" | "trace" if classify => {
                self.wrong_key(
                    &path("")[..3],
                    format!("classify needs the right label of each prompt, which `{kind}` doesn't have"),
                )
                .add_help("write them as `csv`, `jsonl` or `inline`");
            }
            "csv" | "jsonl" if classify && !self.has(&path("label")) => {
                let what = if kind == "csv" { "column" } else { "field" };
                self.wrong_key(&path("")[..3], format!("classify needs `label`: the {what} with the right label"))
                    .add_help("for example: label: label");
            }
            "csv" | "jsonl" if !classify && self.has(&path("label")) => {
                let message = format!("`label` is for classify, and the task is {}", yaml_word(&scenario.task));
                self.wrong_key(&path("label"), message);
            }
            _ => {}
        }
        let limit = ["workload", "sampling", "max_tokens"];
        if kind == "trace" && !chat && self.has(&limit) {
            self.wrong_key(
                &limit,
                "`max_tokens` can't be used with a trace of lengths, whose requests have their own limits",
            );
        }
        if let PromptsSpec::Trace(trace) = &scenario.workload.prompts
            && let Some(times) = scenario.load.open.as_ref().and_then(|open| open.trace.as_ref())
            && times.path != trace.path
        {
            let message = format!(
                "times and prompts must come from the same file, {}: they belong together request by request",
                quoted(&trace.path.display().to_string())
            );
            self.wrong(&["load", "open", "trace", "path"], message);
        }
        if let PromptsSpec::Trace(trace) = &scenario.workload.prompts
            && let Some(times) = scenario.load.open.as_ref().and_then(|open| open.trace.as_ref())
            && times.requests.is_some_and(|times| trace.requests.is_some_and(|prompts| prompts != times))
        {
            self.wrong(
                &["load", "open", "trace", "requests"],
                "times and prompts belong together request by request: write `requests` once, in `workload.prompts.trace`",
            );
        }
        if let PromptsSpec::Synthetic(synthetic) = &scenario.workload.prompts {
            if !chat && synthetic.turns > 1 {
                let message = format!("`turns` are for chat, and the task is {}", yaml_word(&scenario.task));
                self.wrong_key(&path("turns"), message);
            }
            self.synthetic(synthetic);
        }
    }

    /// Lengths in words or in tokens: one of them.
    fn synthetic(&mut self, synthetic: &SyntheticPrompts) {
        let path = |field| ["workload", "prompts", "synthetic", field];
        match (synthetic.words, synthetic.tokens) {
            (Some(_), Some(_)) => {
                self.wrong_key(
                    &path("tokens"),
                    "a prompt's length is given in `words` or in `tokens`; write one of them",
                );
            }
            (None, None) => {
                self.wrong_key(&path("")[..3], "`synthetic` needs the length of its prompts: `tokens` or `words`")
                    .add_help("for example: synthetic: { tokens: 512 }");
            }
            (Some(words), None) => self.lengths("words", words),
            (None, Some(tokens)) => self.lengths("tokens", tokens),
        }
        if let Some(prefix) = synthetic.prefix {
            self.prefix(synthetic, prefix);
        }
        if synthetic.tokens.is_some() && synthetic.turns > 1 {
            self.wrong_key(
                &path("tokens"),
                "`tokens` is the length of a whole prompt, and a conversation has one prompt per turn",
            )
            .add_help("write `words`, or leave `turns` out");
        }
    }

    /// A prefix has to be new to every engine when its first request comes, and the rest of each prompt always.
    fn prefix(&mut self, synthetic: &SyntheticPrompts, prefix: PrefixSpec) {
        let path = |field| ["workload", "prompts", "synthetic", "prefix", field];
        let whole = &path("")[..4];
        if synthetic.tokens.is_none() {
            self.wrong_key(whole, "`prefix` is given in tokens, but these prompts in words")
                .add_help("use `tokens` instead of `words`; the prefix is added to it");
        }
        if prefix.groups > synthetic.count {
            let message =
                format!("{} groups but only {} prompts: some groups would have none", prefix.groups, synthetic.count);
            self.wrong(&path("groups"), message).add_help(format!("count: {}", prefix.groups.saturating_mul(10)));
        }
        if self.scenario.task == Task::Embed {
            self.wrong_key(whole, "`prefix` can't be used with embeddings, which have no first token");
        }
        if self.scenario.workload.prompt_cache != PromptCache::Bust {
            let at = ["workload", "prompt_cache"];
            let message = "`prefix` needs `prompt_cache: bust`: otherwise caches could hold prefixes of the warm-up or \
                           an earlier run, and whole prompts that repeat";
            let mistake = if self.has(&at) { self.wrong(&at, message) } else { self.wrong_key(whole, message) };
            mistake
                .add_help("prompt_cache: bust   # a nonce per group before each prefix, and one per prompt after it");
        }
    }

    fn lengths(&mut self, unit: &str, lengths: Lengths) {
        let path = |kind, field| ["workload", "prompts", "synthetic", unit, kind, field];
        match lengths {
            Lengths::Uniform { min, max } if min > max => {
                self.wrong(&path("uniform", "min"), format!("`min` is {min}, more than `max`, {max}"));
            }
            Lengths::Lognormal { median, max, .. } if median > f64::from(max) => {
                let message = format!("`median` is {median}, more than `max`, {max}");
                self.wrong(&path("lognormal", "median"), message);
            }
            Lengths::Bimodal { short, long, .. } if short > long => {
                self.wrong(&path("bimodal", "short"), format!("`short` is {short}, more than `long`, {long}"));
            }
            _ => {}
        }
    }

    fn inline(&mut self, i: usize, prompt: &InlinePrompt) {
        let (task, labels) = (self.scenario.task, &self.scenario.workload.labels);
        let i = i.to_string();
        let path = |field| ["workload", "prompts", "inline", &i, field];
        if task == Task::Chat {
            if prompt.text.is_some() {
                self.wrong_key(&path("text"), "chat reads `turns`, not `text`")
                    .add_help("for example: - turns: [{ user: Hello, assistant: Hi }, { user: How are you? }]");
            } else if prompt.turns.is_empty() {
                self.wrong(&path("")[..4], "a chat's prompt needs `turns`");
            }
        } else if !prompt.turns.is_empty() {
            self.wrong_key(&path("turns"), format!("`turns` are for chat, and the task is {}", yaml_word(&task)));
        } else if prompt.text.as_deref().is_none_or(|text| text.trim().is_empty()) {
            self.wrong(&path("text"), "a prompt needs `text` that is not empty");
        }
        if task == Task::Chat {
            self.turns(&i, prompt);
        }
        match &prompt.label {
            None if task == Task::Classify => {
                self.wrong(&path("")[..4], "classify needs a `label` for each prompt");
            }
            Some(_) if task != Task::Classify => {
                self.wrong_key(
                    &path("label"),
                    format!("`label` is for classify, and the task is {}", yaml_word(&task)),
                );
            }
            Some(label) if !labels.contains(label) => {
                let near =
                    nearest(label, labels.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`?"));
                let list = format!("labels: {}", labels.join(", "));
                let mistake = self.wrong(&path("label"), format!("{} is not one of the labels", quoted(label)));
                mistake.set_note(near);
                mistake.add_help(list);
            }
            _ => {}
        }
    }

    fn turns(&mut self, i: &str, prompt: &InlinePrompt) {
        let scripted = self.scenario.workload.history == History::Scripted;
        for (n, turn) in prompt.turns.iter().enumerate() {
            let n_text = n.to_string();
            let path = ["workload", "prompts", "inline", i, "turns", &n_text, "user"];
            if turn.user.trim().is_empty() {
                self.wrong(&path, "`user` must not be empty");
            }
            if scripted && turn.assistant.is_none() && n + 1 < prompt.turns.len() {
                self.wrong(&path[..6], "a turn before the last needs `assistant`, the scripted answer")
                    .add_help("or write `history: own` to use each engine's own answers");
            }
        }
    }
}

/// The file the prompts come from, if they come from one.
fn file(scenario: &Scenario) -> Option<&DataPath> {
    match &scenario.workload.prompts {
        PromptsSpec::Csv(csv) => Some(&csv.path),
        PromptsSpec::Jsonl(jsonl) => Some(&jsonl.path),
        PromptsSpec::Text(text) => Some(&text.path),
        PromptsSpec::Trace(trace) => Some(&trace.path),
        PromptsSpec::Inline(_) | PromptsSpec::Synthetic(_) => None,
    }
}
