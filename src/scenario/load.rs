//! From a file to a scenario: read, filled in from the environment, changed by the command line, checked, decoded.

use super::environment::{self, Lookup};
use super::given::{Followed, Given};
use super::mistake::{Mistake, Place, nearest};
use super::overlay::{self, Overrides};
use super::path::steps;
use super::sweep::{self, SweepPoint, Tree};
use super::tree::{self, Entry, Node, Value};
use super::{PromptsSpec, Scenario, ScenarioError, TargetSpec, check, scrub, secret, sense, variants};
use std::borrow::Cow;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A scenario that was read and found right.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What was written, with the environment and the command line laid over it.
    pub scenario: Scenario,
    /// The file.
    pub path: PathBuf,
    /// The directory that paths in the scenario start from: the file's.
    pub base: PathBuf,
    /// The points of its sweep, in the order they are written; none without one.
    pub points: Vec<SweepPoint>,
    /// The file's text as it stands, to be kept beside the results. Holds no secret: those come from the environment.
    pub text: String,
    /// What `--target` changed besides the targets.
    pub followed: Followed,
}

/// Reads a scenario from a file.
pub fn load(path: &Path, overrides: &Overrides) -> Result<Loaded, ScenarioError> {
    let name = path.display().to_string();
    secret::remember_environment();
    let text = read_text(path, &name)?;
    let base = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    load_with(path, base, text, overrides, &|name| std::env::var(name))
}

/// Reads a scenario from a text; paths in it start from the current directory.
pub fn load_str(name: &str, text: &str, overrides: &Overrides) -> Result<Loaded, ScenarioError> {
    load_with(Path::new(name), Path::new("."), text.to_owned(), overrides, &|name| std::env::var(name))
}

/// Reads a scenario from a text whose paths start from `base`, with the environment that `lookup` tells.
pub fn load_with(
    path: &Path,
    base: &Path,
    text: String,
    overrides: &Overrides,
    lookup: &Lookup<'_>,
) -> Result<Loaded, ScenarioError> {
    let failed = |text: &str, mistakes| Err(ScenarioError::new(&path.display().to_string(), text, mistakes));
    // An editor's mark at the start, which is no part of the text.
    let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
    if text.len() > tree::MAX_BYTES {
        return failed("", vec![too_large(text.len() as u64)]);
    }
    let mut root = match tree::read(&text).and_then(|root| is_scenario(root, &text)) {
        Ok(root) => root,
        Err(mistake) => return failed(&text, vec![mistake]),
    };
    let mut mistakes = Vec::new();
    let given = overlay::lay(&mut root, overrides, &mut mistakes);
    let trees = sweep::trees(&root, &mut mistakes);
    let decode = |root: &mut Node, mistakes: &mut Vec<Mistake>| decode(root, base, overrides, &given, lookup, mistakes);
    let (scenario, followed) = decode(&mut root, &mut mistakes).unzip();
    let mut points = Vec::new();
    // What is wrong with the scenario itself is wrong at every point.
    for Tree { paths, mut root } in if mistakes.is_empty() { trees } else { Vec::new() } {
        let mut found = Vec::new();
        let scenario = decode(&mut root, &mut found).map(|(scenario, _)| scenario);
        let value = |path: &String| {
            let node = steps(&root, path).and_then(|steps| root.at(&steps));
            // They stand in the results and name their folders.
            (path.clone(), node.map_or(serde_json::Value::Null, |node| node.shown().into_json()))
        };
        let values = paths.iter().map(value).collect();
        points.extend(scenario.map(|scenario| SweepPoint { values, scenario }));
        found.retain(|mistake| !mistakes.iter().any(|known| known.same(mistake)));
        mistakes.extend(found);
    }
    match scenario.filter(|_| mistakes.is_empty()) {
        Some(scenario) => {
            let followed = followed.unwrap_or_default();
            Ok(Loaded { scenario, path: path.to_owned(), base: base.to_owned(), points, text, followed })
        }
        None => failed(&text, mistakes),
    }
}

/// A mistake that shows only when the scenario's data is read, told where its field stands: in the file, or on the command
/// line. Where the field isn't written, the map that it would stand in is named.
pub fn located(path: &Path, text: &str, overrides: &Overrides, field: &str, message: String) -> ScenarioError {
    let place = tree::read(text).map_or(Place::Whole, |mut root| {
        overlay::lay(&mut root, overrides, &mut Vec::new());
        let (mut node, mut place) = (&root, root.place.clone());
        for step in field.split('.') {
            let next = match &node.value {
                Value::List(list) => step.parse().ok().and_then(|at: usize| list.get(at)).map(|n| (n, n.place.clone())),
                _ => node.entry(step).map(|entry| (&entry.node, entry.key.clone())),
            };
            let Some((below, at)) = next else { return place };
            (node, place) = (below, at);
        }
        node.place.clone()
    });
    ScenarioError::new(&path.display().to_string(), text, vec![Mistake::new(message, place)])
}

/// A tree as a scenario: its variants made, the environment filled in, checked, decoded; and what `--target` changed in it.
fn decode(
    root: &mut Node,
    base: &Path,
    overrides: &Overrides,
    given: &Given,
    lookup: &Lookup<'_>,
    mistakes: &mut Vec<Mistake>,
) -> Option<(Scenario, Followed)> {
    variants::expand(root, mistakes);
    // Before the environment is filled in, while it can still be told who wrote what.
    sense::secrets(root, mistakes);
    environment::fill(root, base, lookup, mistakes);
    let followed = given.follow(root);
    check::check(root, &super::schema(), mistakes);
    if !mistakes.is_empty() {
        return None;
    }
    let mut scenario = typed(root.clone(), mistakes)?;
    resolve(&mut scenario, root, base);
    complete(&mut scenario, root, lookup, mistakes);
    if !mistakes.is_empty() {
        return None;
    }
    sense::check(&scenario, root, base, overrides.goose, mistakes);
    scenario.shown = Some(Box::new(typed(shown(root), mistakes)?));
    Some((scenario, followed))
}

/// A tree that was found right as a scenario.
fn typed(root: Node, mistakes: &mut Vec<Mistake>) -> Option<Scenario> {
    let pairs = root.at(&["blocks", "pairs"]).is_some();
    let mut scenario: Scenario = match serde_json::from_value(root.into_json()) {
        Ok(scenario) => scenario,
        // The walk lets through only what the types take; were it not so, this says it without a line.
        Err(error) => {
            mistakes.push(Mistake::new(error.to_string(), Place::Whole));
            return None;
        }
    };
    scenario.load.resolve();
    scenario.cut_blocks(pairs);
    if let Some(cold) = &mut scenario.cold_start {
        cold.resolve();
    }
    scenario.targets.values_mut().for_each(TargetSpec::trim);
    Some(scenario)
}

/// Makes the paths among the targets' settings as seen from here: those of the file start from its directory, those of the
/// command line from here already. What is told has them as they were written: they are one setup wherever it is run from.
fn resolve(scenario: &mut Scenario, root: &Node, base: &Path) {
    for (name, target) in &mut scenario.targets {
        let ca = root.at(&["targets", name, target.wire(), "tls", "ca"]);
        if !ca.is_some_and(|ca| ca.place.is_command_line()) {
            target.resolve(base);
        }
    }
    // Whoever types a path means what he sees from where he is.
    let given = |path: &[&str]| root.at(path).is_some_and(|node| node.place.is_command_line());
    let prompts = |kind| given(&["workload", "prompts", kind, "path"]);
    match &mut scenario.workload.prompts {
        PromptsSpec::Csv(spec) => spec.path.given = prompts("csv"),
        PromptsSpec::Jsonl(spec) => spec.path.given = prompts("jsonl"),
        PromptsSpec::Text(spec) => spec.path.given = prompts("text"),
        PromptsSpec::Trace(spec) => spec.path.given = prompts("trace"),
        PromptsSpec::Inline(_) | PromptsSpec::Synthetic(_) => {}
    }
    if let Some(trace) = scenario.load.open.as_mut().and_then(|open| open.trace.as_mut()) {
        trace.path.given = given(&["load", "open", "trace", "path"]);
    }
}

/// Takes from the environment what targets leave to it. What is told has them as they were written.
fn complete(scenario: &mut Scenario, root: &Node, lookup: &Lookup<'_>, mistakes: &mut Vec<Mistake>) {
    for (name, target) in &mut scenario.targets {
        if let TargetSpec::GgCore(spec) = target {
            let place = root.at(&["targets", name]).map_or(Place::Whole, |node| node.place.clone());
            spec.complete(lookup, &place, mistakes);
        }
    }
}

/// Fields in a grammar of their own, which a report has to be able to read again; they hold names of targets and figures.
const READ_AGAIN: [&str; 4] = ["gates", "tiers", "slo", "reference"];

/// The tree as it may be told: see [`Node::shown`].
fn shown(root: &Node) -> Node {
    let mut root = root.clone();
    let Value::Map(fields) = &mut root.value else { return root };
    for name in READ_AGAIN {
        if let Some(entry) = fields.get_mut(name) {
            entry.node.visit(&mut |node| node.filled = None);
        }
    }
    if let Some(Entry { node: Node { value: Value::Map(targets), .. }, .. }) = fields.get_mut("targets") {
        for target in targets.values_mut() {
            let Value::Map(wires) = &mut target.node.value else { continue };
            for (wire, Entry { node: wire_node, .. }) in wires {
                // What an engine works with: numbers and switches, and an Ollama a length of time.
                let (open, length) = match wire.as_str() {
                    "ollama" => ("options", Some("keep_alive")),
                    "openai" => ("extra", None),
                    "json" => ("body", None),
                    _ => continue,
                };
                if let Some(entry) = length.and_then(|length| wire_node.entry_mut(length)) {
                    entry.node.filled = None;
                }
                let Some(open) = wire_node.entry_mut(open) else { continue };
                open.node.visit(&mut |node| {
                    let plain = match &node.value {
                        Value::Bool(_) => true,
                        // One that is looked for in other texts is no setting.
                        Value::Number(number) => matches!(scrub(&number.to_string()), Cow::Borrowed(_)),
                        _ => false,
                    };
                    if plain {
                        node.filled = None;
                    }
                });
            }
        }
    }
    root.shown()
}

/// Whether a tree can be a scenario at all.
fn is_scenario(root: Node, text: &str) -> Result<Node, Mistake> {
    match root.value {
        Value::Map(_) => Ok(root),
        Value::Null => Err(Mistake::new("the scenario is empty", Place::Whole).help(INIT)),
        Value::List(_) => Err(Mistake::new("a scenario is a map of fields, not a list", root.place)),
        _ => {
            let mistake = Mistake::new("a scenario is a map of fields, not a single value", root.place);
            let first = text.lines().find(|line| line.contains(':')).unwrap_or_default();
            Err(if first.is_empty() { mistake.help(INIT) } else { mistake.help("write a space after `:`") })
        }
    }
}

const INIT: &str = "`loadcmp init` writes one as a starting point";

/// The text of a file.
pub(super) fn read_text(path: &Path, name: &str) -> Result<String, ScenarioError> {
    let fail = |mistake| Err(ScenarioError::new(name, "", vec![mistake]));
    let whole = |message: String| Mistake::new(message, Place::Whole);
    // Asked before it is opened: opening a pipe waits for its writer.
    let facts = match std::fs::metadata(path) {
        Ok(facts) => facts,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return fail(missing(path)),
        Err(error) => return fail(whole(format!("can't read the scenario: {error}"))),
    };
    if facts.is_dir() {
        let files = scenarios_in(path);
        let mistake = whole("this is a directory, not a scenario".to_owned());
        return fail(if files.is_empty() { mistake } else { mistake.help(format!("in it: {}", files.join(", "))) });
    }
    if !facts.is_file() {
        return fail(whole("this is not a regular file".to_owned()));
    }
    if facts.len() > tree::MAX_BYTES as u64 {
        return fail(too_large(facts.len()));
    }
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(tree::MAX_BYTES as u64 + 1).read_to_end(&mut bytes));
    match read {
        Ok(_) => text(bytes, name),
        Err(error) => fail(whole(format!("can't read the scenario: {error}"))),
    }
}

/// Bytes as text; the first byte that is none is told with its line and column.
fn text(bytes: Vec<u8>, name: &str) -> Result<String, ScenarioError> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        let mistake = Mistake::new("the file is UTF-16 text", Place::Whole).help("save it as UTF-8");
        return Err(ScenarioError::new(name, "", vec![mistake]));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let before = String::from_utf8_lossy(&error.as_bytes()[..valid]).into_owned();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let byte = error.as_bytes().get(valid).copied().unwrap_or_default();
        let place = Place::File { line, column, width: 1, byte: valid };
        let mistake = Mistake::new(format!("not valid UTF-8: the byte 0x{byte:02x}"), place);
        let shown = String::from_utf8_lossy(error.as_bytes());
        ScenarioError::new(name, &shown, vec![mistake.help("save the file as UTF-8")])
    })
}

fn too_large(bytes: u64) -> Mistake {
    let limit = tree::MAX_BYTES / (1 << 20);
    let message = format!("too large for a scenario: {bytes} bytes; the limit is {limit} MiB");
    Mistake::new(message, Place::Whole).help("prompts belong in a data file: `prompts: { jsonl: { path: ... } }`")
}

/// A scenario that isn't there, with what is.
fn missing(path: &Path) -> Mistake {
    let mistake = Mistake::new("no such file", Place::Whole);
    let wanted = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let beside = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut files: Vec<String> = Vec::new();
    for directory in [beside, Path::new("scenarios")] {
        let join = |file: &String| match directory == Path::new(".") {
            true => file.clone(),
            false => directory.join(file).display().to_string(),
        };
        files.extend(scenarios_in(directory).iter().map(join).filter(|file| !files.contains(file)).collect::<Vec<_>>());
    }
    let stem = |file: &str| Path::new(file).file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let stems: Vec<String> = files.iter().filter_map(|file| stem(file)).collect();
    let wanted = stem(&wanted).unwrap_or_default();
    let near = nearest(&wanted, stems.iter().map(String::as_str));
    let near = near.and_then(|near| stems.iter().position(|stem| stem == near)).and_then(|i| files.get(i));
    match (near, files.is_empty()) {
        (Some(near), _) => mistake.note(format!("did you mean `{near}`?")).help(format!("there: {}", files.join(", "))),
        (None, false) => mistake.help(format!("there: {}", files.join(", "))),
        (None, true) => mistake.help(INIT),
    }
}

/// The names of the first YAML files in a directory.
fn scenarios_in(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten().take(1000);
    let mut names: Vec<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".yaml") || name.ends_with(".yml"))
        .collect();
    names.sort();
    names.truncate(12);
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_and_switches_of_the_environment_are_told_and_texts_are_not() {
        let text = "name: t\ntask: generate\ntargets:\n  a:\n    openai:\n      url: http://h:1\n      extra:\n        n: ${N}\n        \
                    b: ${B}\n        t: ${T}\n        long: ${LONG}\nworkload: { prompts: { inline: [ { text: x } ] } }\nload: { closed: { users: 1, \
                    requests: 1 } }\n";
        let lookup = |name: &str| match name {
            "N" => Ok("7".to_owned()),
            "B" => Ok("true".to_owned()),
            "T" => Ok("hush".to_owned()),
            "LONG" => Ok("4711081512345".to_owned()),
            _ => Err(std::env::VarError::NotPresent),
        };
        let path = Path::new("t.yaml");
        let loaded = load_with(path, Path::new("."), text.to_owned(), &Overrides::default(), &lookup).unwrap();
        let told = serde_json::to_value(&loaded.scenario.shown.unwrap().targets["a"]).unwrap();
        assert_eq!(told["openai"]["extra"], json!({ "n": 7, "b": true, "t": "${T}", "long": "${LONG}" }));
    }
}
