//! What the command line lays over a scenario: `--set a.b=value`, `--seed`, and by `given` its targets.
//!
//! Nothing is checked here but the form of the argument: the schema walk, which comes after, finds a wrong field or
//! value wherever it was written.

use super::everyday::{Everyday, put};
use super::given::{self, Given};
use super::masked::masked;
use super::mistake::{Mistake, Place};
use super::path::{insert, steps, value};
use super::tree::{Entry, Node, Value};
use super::{repeats, sweep};

/// What the command line changes in a scenario.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--set`: `path=value`, where the path is made of field names and list positions (`load.closed.users=8`).
    pub set: Vec<String>,
    /// `--target`: `NAME=SPEC`, such as `native=openai:http://127.0.0.1:8080,model=qwen`. Those given are the run's targets; the
    /// scenario's others stay only where each one given replaces one of its own.
    pub targets: Vec<String>,
    /// `--sweep`: `path=1,2,4`, one more path for the scenario's `sweep.over`.
    pub sweep: Vec<String>,
    /// `--repeats`: runs in the place of the scenario's `repeats`.
    pub repeats: Option<u32>,
    /// `--users` and the other everyday flags.
    pub everyday: Everyday,
    /// `--seed`.
    pub seed: Option<u64>,
    /// What a suite lays over its scenarios, before all of the others.
    pub laid: Vec<Laid>,
    /// `--driver goose`, asked for by name: not every load can be driven so.
    pub goose: bool,
}

/// Lays all of it over the tree: targets first, so that `--set` can change them.
pub(super) fn lay(root: &mut Node, overrides: &Overrides, mistakes: &mut Vec<Mistake>) -> Given {
    for laid in &overrides.laid {
        if let Err(mistake) = lay_one(root, laid) {
            mistakes.push(mistake);
        }
    }
    let mut given = given::lay(root, &overrides.targets, mistakes);
    overrides.everyday.lay(root, mistakes);
    for argument in &overrides.set {
        if let Err(mistake) = set(root, argument, &mut given) {
            mistakes.push(mistake);
        }
    }
    for argument in &overrides.sweep {
        if let Err(mistake) = sweep::lay(root, argument) {
            mistakes.push(mistake);
        }
    }
    given.refuse_sweep(root, mistakes);
    if let Some(runs) = overrides.repeats {
        repeats::lay(root, runs);
    }
    if let Some(seed) = overrides.seed {
        let place = Place::Argument(format!("--seed {seed}"));
        let node = Node::new(Value::Number(seed.into()), place.clone());
        if let Value::Map(map) = &mut root.value {
            map.insert("seed".to_owned(), Entry { key: place, node });
        }
    }
    given
}

/// A value of a suite. JSON is YAML: it is read as it would be had it been written here.
fn lay_one(root: &mut Node, laid: &Laid) -> Result<(), Mistake> {
    let place = Place::Argument(format!("{}: {}", laid.from, laid.path));
    let Some(path) = steps(root, &laid.path) else {
        return Err(Mistake::new("a path consists of field names with `.` between them", place)
            .help("for example: load.closed.users: 8"));
    };
    insert(root, &path, value(&laid.value.to_string(), &place)?, &place)
}

/// `--set path=value`.
fn set(root: &mut Node, argument: &str, given: &mut Given) -> Result<(), Mistake> {
    let place = Place::Argument(format!("--set {}", masked(argument)));
    let Some((path, value)) = argument.split_once('=') else {
        return Err(
            Mistake::new("--set needs a path, `=` and a value", place).help("for example: --set load.closed.users=8")
        );
    };
    given.refuse(root, path, &place)?;
    let Some(path) = steps(root, path) else {
        return Err(Mistake::new("the path of --set consists of field names with `.` between them", place)
            .help("for example: --set load.closed.users=8"));
    };
    let value = self::value(value, &place)?;
    match &path[..] {
        [first, name] if first == "targets" && matches!(value.value, Value::Null) => {
            given.leave_out(root, name, &place)
        }
        _ => put(root, &path, value, &place),
    }
}

/// A value that a suite lays over a scenario.
#[derive(Clone, Debug)]
pub struct Laid {
    /// The path of the field.
    pub path: String,
    /// The value.
    pub value: serde_json::Value,
    /// Where it was written, in words.
    pub from: String,
}
