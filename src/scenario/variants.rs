//! `variants:` of a target: the same target several times, each with some of its values changed. The target's place is taken
//! by one target for each variant, `NAME-VARIANT`; from there on they are targets like others.

use super::mistake::{Mistake, nearest, quoted};
use super::path;
use super::tree::{Entry, Node, Value};
use indexmap::IndexMap;
use serde_json::Value as Json;

/// Most variants of a target.
const MOST: usize = 32;

/// By target, by the variant's name: values by their path within the target, such as `ollama.model: "qwen3:0.6b-q4_K_M"`.
pub type Variants = IndexMap<String, IndexMap<String, serde_json::Map<String, Json>>>;

/// The name of a variant as a target.
pub fn variant_name(target: &str, variant: &str) -> String {
    format!("{target}-{variant}")
}

/// Puts the variants into the places of their targets. What has the wrong shape is left for the schema to find.
pub(super) fn expand(root: &mut Node, mistakes: &mut Vec<Mistake>) {
    let Some(Node { value: Value::Map(variants), .. }) = root.get("variants").cloned() else { return };
    let Some(Node { value: Value::Map(targets), .. }) = root.get("targets").cloned() else { return };
    for (name, entry) in &variants {
        if !targets.contains_key(name) {
            let near = nearest(name, targets.keys().map(String::as_str));
            let mut mistake = Mistake::new(format!("`variants` names no target: {}", quoted(name)), entry.key.clone());
            mistake.set_note(near.map(|near| format!("did you mean `{near}`?")));
            let names: Vec<&str> = targets.keys().map(String::as_str).collect();
            mistakes.push(mistake.help(format!("targets: {}", names.join(", "))));
        }
    }
    let mut expanded = IndexMap::new();
    for (name, target) in &targets {
        let Some(Entry { key, node: Node { value: Value::Map(of), .. } }) = variants.get(name) else {
            expanded.insert(name.clone(), target.clone());
            continue;
        };
        if of.is_empty() || of.len() > MOST {
            let message = format!("{} has {} variants; 1 to {MOST} are allowed", quoted(name), of.len());
            mistakes.push(Mistake::new(message, key.clone()));
            expanded.insert(name.clone(), target.clone());
            continue;
        }
        for (variant, Entry { key, node }) in of {
            let mut made = Entry { key: key.clone(), node: target.node.clone() };
            let Value::Map(values) = &node.value else { continue };
            for (path, value) in values {
                let Some(steps) = path::steps(&made.node, path) else {
                    let message = format!("{} is not the path of a value", quoted(path));
                    mistakes.push(Mistake::new(message, value.key.clone()).help("for example: ollama.model"));
                    continue;
                };
                mistakes.extend(path::insert(&mut made.node, &steps, value.node.clone(), &value.key).err());
            }
            let full = variant_name(name, variant);
            if targets.contains_key(&full) || expanded.contains_key(&full) {
                let message = format!("the variant gets the target name {}, which is already used", quoted(&full));
                mistakes.push(Mistake::new(message, key.clone()));
            }
            expanded.insert(full, made);
        }
    }
    let Value::Map(map) = &mut root.value else { return };
    // A reference that names the target as a whole means its first variant.
    if let Some(reference) = map.get_mut("reference")
        && let Value::Text(text) = &mut reference.node.value
        && !expanded.contains_key(text.as_str())
        && let Some(first) = variants.get(text.as_str()).and_then(|entry| first_of(&entry.node))
    {
        *text = variant_name(text, &first);
    }
    if let Some(targets) = map.get_mut("targets") {
        targets.node.value = Value::Map(expanded);
    }
}

fn first_of(node: &Node) -> Option<String> {
    match &node.value {
        Value::Map(map) => map.keys().next().cloned(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::scenario::{Overrides, Scenario, TargetSpec, load_str};

    fn read(more: &str, set: &[&str]) -> Result<Scenario, String> {
        let text = format!(
            "name: x\ntask: generate\ntargets: {{ a: {{ openai: {{}} }}, ollama: {{ ollama: {{ num_ctx: 512 }} }} }}\norder: isolated\n\
             workload: {{ prompts: {{ inline: [{{ text: hi }}] }} }}\nload: {{ closed: {{ users: 1, requests: 8 }} }}\n{more}\n"
        );
        let set = set.iter().map(|s| (*s).to_owned()).collect();
        let loaded = load_str("x.yaml", &text, &Overrides { set, ..Overrides::default() });
        loaded.map(|loaded| loaded.scenario).map_err(|e| e.to_string())
    }

    const TWO: &str = "variants: { ollama: { q4: { ollama.model: \"m:q4\" }, q8: { ollama.model: \"m:q8\", ollama.num_ctx: 1024 } } }";

    #[test]
    fn a_target_is_there_once_for_each_variant_in_its_place() {
        let scenario = read(&format!("{TWO}\nreference: ollama"), &[]).unwrap();
        let names: Vec<&str> = scenario.targets.keys().map(String::as_str).collect();
        assert_eq!(names, ["a", "ollama-q4", "ollama-q8"]);
        let of = |name: &str| match &scenario.targets[name] {
            TargetSpec::Ollama(spec) => (spec.model.clone(), spec.num_ctx),
            _ => panic!("another wire"),
        };
        assert_eq!((of("ollama-q4"), of("ollama-q8")), (("m:q4".into(), Some(512)), ("m:q8".into(), Some(1024))));
        assert_eq!(scenario.reference.as_deref(), Some("ollama-q4"));
        assert_eq!(read(&format!("{TWO}\nreference: ollama-q8"), &[]).unwrap().reference.as_deref(), Some("ollama-q8"));
    }

    #[test]
    fn what_is_set_for_the_target_is_set_for_all_its_variants() {
        let scenario = read(TWO, &["targets.ollama.ollama.keep_alive=9m"]).unwrap();
        for name in ["ollama-q4", "ollama-q8"] {
            assert!(matches!(&scenario.targets[name], TargetSpec::Ollama(spec) if spec.keep_alive == "9m"), "{name}");
        }
    }

    #[test]
    fn two_targets_of_one_name_are_refused() {
        let why = read("variants: { a: { x: {} }, ollama: {} }", &[]).unwrap_err();
        assert!(why.contains("has 0 variants"), "{why}");
        let taken = "variants: { ollama: { x: {} } }";
        let why = read(taken, &["targets.ollama-x={ollama: {}}"]).unwrap_err();
        assert!(why.contains("which is already used"), "{why}");
    }
}
