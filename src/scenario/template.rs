//! Chat templates that loadcmp renders itself, for wires whose engine has none: by name, or as another target has it.

use super::yaml_word;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The chat template for a target's prompts, if its engine applies none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[schemars(title = "a template")]
pub enum TemplateSpec {
    /// `<|im_start|>user` (Qwen, SmolLM, Hermes and many others).
    Chatml,
    /// `[INST] <<SYS>>`: Llama 2.
    Llama2,
    /// `<|start_header_id|>user<|end_header_id|>`: Llama 3 and later.
    Llama3,
    /// `[INST]`: Mistral.
    Mistral,
    /// `<start_of_turn>user`: Gemma.
    Gemma,
    /// `<|user|>` and `<|end|>`: Phi 3.
    Phi3,
    /// `<|user|>` and `</s>`: Zephyr, TinyLlama.
    Zephyr,
    /// The template of another target of this scenario, an `ollama` one, by name.
    From(#[schemars(length(min = 1))] String),
}

impl TemplateSpec {
    /// The template that is named; `None` where it is another target's.
    pub fn family(&self) -> Option<Family> {
        Some(match self {
            TemplateSpec::Chatml => Family::Chatml,
            TemplateSpec::Llama2 => Family::Llama2,
            TemplateSpec::Llama3 => Family::Llama3,
            TemplateSpec::Mistral => Family::Mistral,
            TemplateSpec::Gemma => Family::Gemma,
            TemplateSpec::Phi3 => Family::Phi3,
            TemplateSpec::Zephyr => Family::Zephyr,
            TemplateSpec::From(_) => return None,
        })
    }
}

/// A known template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "each is documented by `TemplateSpec`")]
pub enum Family {
    Chatml,
    Llama2,
    Llama3,
    Mistral,
    Gemma,
    Phi3,
    Zephyr,
}

impl Family {
    /// Every family.
    pub const ALL: [Family; 7] =
        [Family::Chatml, Family::Llama2, Family::Llama3, Family::Mistral, Family::Gemma, Family::Phi3, Family::Zephyr];

    /// All of them by their words in the YAML, as a list for people.
    pub fn words() -> String {
        Self::ALL.map(|family| yaml_word(&family)).join(", ")
    }

    /// The family that a template in any language is of, by the markers in it, as llama.cpp tells them; `None` where it holds
    /// none of them.
    pub fn of(template: &str) -> Option<Self> {
        let has = |marker: &str| template.contains(marker);
        Some(match () {
            () if has("<|im_start|>") => Family::Chatml,
            () if has("<|start_header_id|>") => Family::Llama3,
            () if has("<start_of_turn>") => Family::Gemma,
            () if has("[INST]") && has("<<SYS>>") => Family::Llama2,
            () if has("[INST]") => Family::Mistral,
            () if has("<|user|>") && has("<|end|>") => Family::Phi3,
            () if has("<|user|>") && has("</s>") => Family::Zephyr,
            () => return None,
        })
    }
}

/// The template of a target's prompts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TemplatePlan {
    /// Its family.
    pub family: Family,
    /// The system message of the model it was taken from, used if the scenario has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_known_by_their_markers_and_called_by_their_words() {
        for (template, family) in [
            ("{{ if .System }}<|im_start|>system\n{{ .System }}<|im_end|>\n{{ end }}<|im_start|>user", Some("chatml")),
            ("<|start_header_id|>user<|end_header_id|>\n\n{{ .Prompt }}<|eot_id|>", Some("llama3")),
            ("<start_of_turn>user\n{{ .Prompt }}<end_of_turn>", Some("gemma")),
            ("[INST] <<SYS>>{{ .System }}<</SYS>>\n\n{{ .Prompt }} [/INST]", Some("llama2")),
            ("[INST] {{ .System }} {{ .Prompt }} [/INST]", Some("mistral")),
            ("<|user|>\n{{ .Prompt }}<|end|>\n<|assistant|>", Some("phi3")),
            ("<|user|>\n{{ .Prompt }}</s>\n<|assistant|>", Some("zephyr")),
            ("{{ .Prompt }}", None),
        ] {
            assert_eq!(Family::of(template).map(|family| yaml_word(&family)).as_deref(), family, "{template}");
        }
        assert_eq!(Family::words(), "chatml, llama2, llama3, mistral, gemma, phi3, zephyr");
        for family in Family::ALL {
            let spec: TemplateSpec = serde_json::from_value(serde_json::json!(family)).unwrap();
            assert_eq!(spec.family(), Some(family));
        }
    }
}
