//! Chat templates, rendered as engines render them. What a tokeniser puts before every prompt (a BOS) is left to the engine.

use crate::scenario::Family;
use std::borrow::Cow;

/// A message: role and text.
pub(super) type Message<'a> = (&'static str, Cow<'a, str>);

/// The messages as the model is to read them, up to where its answer begins. The forms are those of llama.cpp's
/// `llm_chat_apply_template`.
pub(super) fn render(family: Family, talk: &[Message<'_>]) -> String {
    match family {
        Family::Chatml => {
            each(talk, |role, text| format!("<|im_start|>{role}\n{text}<|im_end|>\n")) + "<|im_start|>assistant\n"
        }
        Family::Llama3 => {
            each(talk, |role, text| format!("<|start_header_id|>{role}<|end_header_id|>\n\n{}<|eot_id|>", text.trim()))
                + "<|start_header_id|>assistant<|end_header_id|>\n\n"
        }
        Family::Phi3 => each(talk, |role, text| format!("<|{role}|>\n{text}<|end|>\n")) + "<|assistant|>\n",
        Family::Zephyr => each(talk, |role, text| format!("<|{role}|>\n{text}</s>\n")) + "<|assistant|>\n",
        Family::Gemma => {
            let turn = |role: &str, text: &str| {
                let role = if role == "assistant" { "model" } else { role };
                format!("<start_of_turn>{role}\n{}<end_of_turn>\n", text.trim())
            };
            each(&without_system(talk, |system| format!("{}\n\n", system.trim())), turn) + "<start_of_turn>model\n"
        }
        Family::Llama2 => inst(&without_system(talk, |system| format!("<<SYS>>\n{system}\n<</SYS>>\n\n"))),
        Family::Mistral => inst(&without_system(talk, |system| format!("{system}\n\n"))),
    }
}

fn each(talk: &[Message<'_>], turn: impl Fn(&str, &str) -> String) -> String {
    talk.iter().map(|(role, text)| turn(role, text)).collect()
}

/// `[INST] user [/INST] assistant</s>`.
fn inst(talk: &[Message<'_>]) -> String {
    let turn = |role: &str, text: &str| match role {
        "assistant" => format!(" {}</s>", text.trim()),
        _ => format!("[INST] {text} [/INST]"),
    };
    each(talk, turn)
}

/// The messages with the system message at the beginning of the first user's, for templates that have no turn for it.
fn without_system<'a>(talk: &[Message<'a>], head: impl Fn(&str) -> String) -> Vec<Message<'a>> {
    let mut talk = talk.to_vec();
    if talk.len() > 1 && talk[0].0 == "system" {
        let (_, system) = talk.remove(0);
        talk[0].1 = (head(&system) + &talk[0].1).into();
    }
    talk
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_family_renders_a_conversation_as_its_models_were_taught() {
        let talk: Vec<Message<'_>> =
            [("system", "S"), ("user", "U"), ("assistant", "A"), ("user", "V")].map(|(r, t)| (r, t.into())).to_vec();
        let rendered = |family| render(family, &talk);
        assert_eq!(
            rendered(Family::Chatml),
            "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nU<|im_end|>\n<|im_start|>assistant\nA<|im_end|>\n<|im_start|>user\n\
             V<|im_end|>\n<|im_start|>assistant\n"
        );
        assert_eq!(
            rendered(Family::Llama3),
            "<|start_header_id|>system<|end_header_id|>\n\nS<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nU<|eot_id|>\
             <|start_header_id|>assistant<|end_header_id|>\n\nA<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nV<|eot_id|>\
             <|start_header_id|>assistant<|end_header_id|>\n\n"
        );
        assert_eq!(rendered(Family::Llama2), "[INST] <<SYS>>\nS\n<</SYS>>\n\nU [/INST] A</s>[INST] V [/INST]");
        assert_eq!(rendered(Family::Mistral), "[INST] S\n\nU [/INST] A</s>[INST] V [/INST]");
        assert_eq!(
            rendered(Family::Gemma),
            "<start_of_turn>user\nS\n\nU<end_of_turn>\n<start_of_turn>model\nA<end_of_turn>\n<start_of_turn>user\nV<end_of_turn>\n\
             <start_of_turn>model\n"
        );
        assert_eq!(
            rendered(Family::Phi3),
            "<|system|>\nS<|end|>\n<|user|>\nU<|end|>\n<|assistant|>\nA<|end|>\n<|user|>\nV<|end|>\n<|assistant|>\n"
        );
        assert_eq!(
            rendered(Family::Zephyr),
            "<|system|>\nS</s>\n<|user|>\nU</s>\n<|assistant|>\nA</s>\n<|user|>\nV</s>\n<|assistant|>\n"
        );
        for family in Family::ALL {
            let one = render(family, &[("user", "U".into())]);
            assert!(one.contains('U') && !one.contains("system"), "{one}");
            assert_eq!(Family::of(&rendered(family)), Some(family), "it is known by what it renders");
        }
    }
}
