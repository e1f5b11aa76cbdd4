//! Answers on the page: what was asked, and what each target made of it.

use crate::report::answers::{ShownAnswer, ShownPrompt, Why};
use crate::report::{Report, human};

/// Characters of a prompt in the line that opens it.
const OPENING: usize = 70;

/// A prompt and its answers, all of it text.
pub(super) struct PromptView {
    pub title: String,
    pub why: String,
    pub prompt: String,
    pub answers: Vec<AnswerView>,
}

/// One target's answer.
pub(super) struct AnswerView {
    pub name: String,
    /// Its times, tokens, and label.
    pub facts: String,
    pub text: String,
}

/// The prompts that are shown.
pub(super) fn answers(report: &Report) -> Vec<PromptView> {
    report.answers.iter().map(|shown| view(report, shown)).collect()
}

fn view(report: &Report, shown: &ShownPrompt) -> PromptView {
    let why = match shown.why {
        Why::Seed => "chosen by the seed".to_owned(),
        Why::Labels => "the labels differ".to_owned(),
        Why::Latency(ratio) => format!("latencies differ by a factor of {}", human::three(ratio)),
    };
    let expected = shown.expected.as_ref().map(|label| format!(", expected label: {label}")).unwrap_or_default();
    let one_line = shown.prompt.split_whitespace().collect::<Vec<_>>().join(" ");
    let opening: String = one_line.chars().take(OPENING).collect();
    let more = if opening.len() < one_line.len() { "…" } else { "" };
    PromptView {
        title: format!("Request {}: {opening}{more}", shown.index + 1),
        why: format!("{why}{expected}"),
        prompt: shown.prompt.clone(),
        answers: report
            .targets
            .iter()
            .zip(&shown.answers)
            .map(|(target, answer)| AnswerView {
                name: target.label(),
                facts: facts(answer),
                text: if answer.text.is_empty() { "(empty)".to_owned() } else { answer.text.clone() },
            })
            .collect(),
    }
}

fn facts(answer: &ShownAnswer) -> String {
    let times = [("TTFT", answer.ttft), ("latency", answer.latency)];
    let times = times.into_iter().filter_map(|(name, us)| Some(format!("{name} {}", human::time(us?))));
    let tokens = answer.tokens.map(|n| format!("{n} output {}", if n == 1 { "token" } else { "tokens" }));
    let finish = answer.finish.as_ref().map(|word| format!("finish: {word}"));
    let label = answer.label.as_ref().map(|label| format!("label: {label}"));
    times.chain(label).chain(tokens).chain(finish).collect::<Vec<_>>().join(" · ")
}
