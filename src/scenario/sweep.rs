//! `sweep:` and `--sweep`: one scenario at several points. A point is the scenario with some of its values changed by their
//! paths, as `--set` changes them; every point is checked like a scenario of its own, before any is run.

use super::masked::masked;
use super::mistake::{Mistake, Place, quoted};
use super::secret::is_secret_name;
use super::tree::{Entry, Node, Value};
use super::{Scenario, Span, path};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Most points of a sweep, repeats counted.
const MOST_POINTS: usize = 512;

/// Fields that are the same at all points: what they say is said of the sweep as a whole.
const FIXED: [&str; 5] = ["name", "task", "sweep", "interference", "repeats"];

/// The points at which a scenario is run. One of `over` and `points` must be given.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "`sweep`")]
pub struct SweepSpec {
    /// Values by path, such as `load.closed.users: [1, 2, 4]`; with several paths, every combination.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<IndexMap<String, Vec<serde_json::Value>>>,
    /// The points one by one, each a map of paths and values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub points: Option<Vec<IndexMap<String, serde_json::Value>>>,
    /// Runs per point; each round has a different order, drawn from the seed.
    #[serde(default = "super::defaults::one")]
    #[schemars(range(min = 1, max = 100))]
    pub repeats: u32,
    /// No point is started after this time.
    #[serde(default = "an_hour")]
    pub limit: Span,
}

fn an_hour() -> Span {
    Span(Duration::from_secs(3600))
}

/// One point of a sweep.
#[derive(Clone, Debug)]
pub struct SweepPoint {
    /// What is set at it: path and value.
    pub values: Vec<(String, serde_json::Value)>,
    /// The scenario with those values: checked.
    pub scenario: Scenario,
}

/// A point before it is checked: the paths that it sets, and the scenario's tree with them set and without its `sweep`.
pub(super) struct Tree {
    pub paths: Vec<String>,
    pub root: Node,
}

/// `--sweep path=1,2,4`: one more path for `sweep.over`. A value that begins with `[` is a YAML list.
pub(super) fn lay(root: &mut Node, argument: &str) -> Result<(), Mistake> {
    let place = Place::Argument(format!("--sweep {}", masked(argument)));
    let example = "for example: --sweep load.closed.users=1,2,4,8";
    let Some((path, values)) = argument.split_once('=').filter(|(path, values)| !path.is_empty() && !values.is_empty())
    else {
        return Err(Mistake::new("--sweep needs a path, `=` and values with commas between them", place).help(example));
    };
    let list = if values.trim_start().starts_with('[') {
        path::value(values, &place)?
    } else {
        let items = values.split(',').map(|value| path::value(value, &place)).collect::<Result<Vec<_>, _>>()?;
        Node::new(Value::List(items), place.clone())
    };
    // As one step: the path of a sweep is a key, whatever points stand in it.
    path::insert(root, &["sweep", "over", path.trim()], list, &place)
}

/// The points of a tree, in the order they are written; none without a `sweep`. What can't be a point is a mistake where it
/// stands; fields of wrong types are left for the schema to find.
pub(super) fn trees(root: &Node, mistakes: &mut Vec<Mistake>) -> Vec<Tree> {
    let Some(Entry { key, node: sweep }) = root.entry("sweep") else { return Vec::new() };
    if matches!(sweep.value, Value::Null) {
        return Vec::new();
    }
    let (over, points) = (sweep.entry("over"), sweep.entry("points"));
    let written: Vec<Vec<(&str, &Place, &Node)>> = match (over, points) {
        (Some(_), Some(points)) => {
            mistakes.push(Mistake::new("`over` and `points` are alternatives; write one of them", points.key.clone()));
            return Vec::new();
        }
        (None, None) => {
            mistakes.push(
                Mistake::new("`sweep` needs `over` or `points`", key.clone())
                    .help("for example: sweep: { over: { load.closed.users: [1, 2, 4, 8] } }"),
            );
            return Vec::new();
        }
        (Some(over), None) => grid(over, mistakes),
        (None, Some(points)) => listed(points, mistakes),
    };
    let repeats = sweep.at(&["repeats"]).and_then(whole).unwrap_or(1);
    let all = written.len().saturating_mul(repeats);
    if all > MOST_POINTS {
        let message = format!("the sweep has {all} points, including repeats; the maximum is {MOST_POINTS}");
        mistakes.push(Mistake::new(message, key.clone()));
        return Vec::new();
    }
    let mut bare = root.clone();
    if let Value::Map(map) = &mut bare.value {
        map.shift_remove("sweep");
    }
    let mut trees = Vec::new();
    for point in written {
        let mut tree = Tree { paths: Vec::new(), root: bare.clone() };
        for (path, key, value) in point {
            match set(&mut tree.root, path, key, value) {
                Ok(()) => tree.paths.push(path.to_owned()),
                // A wrong path is wrong at every point.
                Err(mistake) if mistakes.iter().any(|known| known.same(&mistake)) => {}
                Err(mistake) => mistakes.push(mistake),
            }
        }
        trees.push(tree);
    }
    trees
}

/// Sets one value of a point. Its mistakes, and those that the checks find later, stand where the sweep was written.
fn set(root: &mut Node, path: &str, key: &Place, value: &Node) -> Result<(), Mistake> {
    let Some(steps) = path::steps(root, path) else {
        return Err(Mistake::new(format!("{} is not the path of a value", quoted(path)), key.clone())
            .help("use field names with `.` between them, such as load.closed.users"));
    };
    let first = steps.first().map_or("", String::as_str);
    if FIXED.contains(&first) {
        return Err(Mistake::new(format!("`{first}` can't be swept: it must be the same at all points"), key.clone()));
    }
    if is_secret_name(path) || steps.iter().any(|step| step == "headers") {
        let message = format!("{} can't be swept: its values would appear in the results", quoted(path));
        return Err(Mistake::new(message, key.clone()));
    }
    path::insert(root, &steps, value.clone(), key)
}

/// Every combination, the last path changing fastest.
fn grid<'a>(over: &'a Entry, mistakes: &mut Vec<Mistake>) -> Vec<Vec<(&'a str, &'a Place, &'a Node)>> {
    let Value::Map(map) = &over.node.value else { return Vec::new() };
    if map.is_empty() {
        mistakes.push(Mistake::new("`over` is empty", over.key.clone()));
        return Vec::new();
    }
    let mut points = vec![Vec::new()];
    for (path, Entry { key, node }) in map {
        let Value::List(values) = &node.value else {
            mistakes.push(
                Mistake::new(format!("the values of {} must be a list", quoted(path)), key.clone())
                    .help(format!("for example: {path}: [1, 2, 4]")),
            );
            return Vec::new();
        };
        if values.is_empty() {
            mistakes.push(Mistake::new(format!("{} has no values", quoted(path)), key.clone()));
            return Vec::new();
        }
        // Told by whoever counts the points; a grid beyond it is never made.
        if points.len().saturating_mul(values.len()) > 8 * MOST_POINTS {
            let message = format!("the grid has more than {MOST_POINTS} points");
            mistakes.push(Mistake::new(message, over.key.clone()));
            return Vec::new();
        }
        let with = |point: &Vec<_>, value| point.iter().copied().chain([(path.as_str(), key, value)]).collect();
        points = points.iter().flat_map(|point| values.iter().map(move |value| with(point, value))).collect();
    }
    points
}

/// Points as they are listed: maps that all have the same paths.
fn listed<'a>(points: &'a Entry, mistakes: &mut Vec<Mistake>) -> Vec<Vec<(&'a str, &'a Place, &'a Node)>> {
    let Value::List(list) = &points.node.value else { return Vec::new() };
    if list.is_empty() {
        mistakes.push(Mistake::new("`points` is empty", points.key.clone()));
    }
    let mut all: Vec<Vec<(&str, &Place, &Node)>> = Vec::new();
    for node in list {
        let Value::Map(map) = &node.value else { return Vec::new() };
        let mut point: Vec<_> = map.iter().map(|(path, entry)| (path.as_str(), &entry.key, &entry.node)).collect();
        if let Some(first) = all.first() {
            let place = |path: &str| first.iter().position(|(known, ..)| *known == path);
            point.sort_by_key(|(path, ..)| place(path));
            if !first.iter().map(|p| p.0).eq(point.iter().map(|p| p.0)) {
                let names = first.iter().map(|p| p.0).collect::<Vec<_>>().join(", ");
                mistakes.push(
                    Mistake::new("this point doesn't set the same values as the first one", node.place.clone())
                        .help(format!("each must set: {names}")),
                );
                continue;
            }
        } else if point.is_empty() {
            mistakes.push(Mistake::new("this point sets nothing", node.place.clone()));
            return Vec::new();
        }
        all.push(point);
    }
    all
}

fn whole(node: &Node) -> Option<usize> {
    match &node.value {
        Value::Number(number) => usize::try_from(number.as_u64()?).ok(),
        Value::Text(text) => text.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::scenario::{Loaded, Overrides, load_str};
    use proptest::prelude::*;
    use serde_json::json;

    fn read(more: &str, sweep: &[&str]) -> Result<Loaded, String> {
        let text = format!(
            "name: x\ntask: generate\ntargets: {{ a: {{ ollama: {{}} }}, b: {{ ollama: {{}} }} }}\n\
             workload: {{ prompts: {{ inline: [{{ text: hi }}] }} }}\nload: {{ closed: {{ users: 1, requests: 8 }} }}\n{more}\n"
        );
        let sweep = sweep.iter().map(|s| (*s).to_owned()).collect();
        load_str("x.yaml", &text, &Overrides { sweep, ..Overrides::default() }).map_err(|e| e.to_string())
    }

    #[test]
    fn a_grid_has_every_combination_and_each_is_a_scenario() {
        let loaded = read("sweep: { over: { load.closed.users: [2, 3], seed: [7, 8, 9] }, repeats: 2 }", &[]).unwrap();
        let set: Vec<_> = loaded.points.iter().map(|p| (p.values[0].1.clone(), p.values[1].1.clone())).collect();
        assert_eq!(set[..4], [(json!(2), json!(7)), (json!(2), json!(8)), (json!(2), json!(9)), (json!(3), json!(7))]);
        assert_eq!(set.len(), 6);
        let scenario = &loaded.points[5].scenario;
        assert_eq!((scenario.load.closed.as_ref().unwrap().users, scenario.seed), (3, 9));
        assert!(scenario.sweep.is_none() && loaded.scenario.sweep.is_some() && loaded.scenario.seed == 42);
    }

    #[test]
    fn the_command_line_sweeps_too_and_its_values_take_the_schemas_types() {
        let loaded = read("", &["load.closed.users=1,2", "timeout=[5s, 2m]", "targets.a.ollama.model=m:1"]).unwrap();
        assert_eq!(loaded.points.len(), 4);
        let values: Vec<_> = loaded.points[1].values.iter().map(|(_, value)| value.clone()).collect();
        assert_eq!(values, [json!(1), json!("2m"), json!("m:1")]);
        for wrong in ["load.closed.users", "=1", "load.closed.users=", "load.closed.users=1,,2", "load.closed.users=[1"]
        {
            assert!(read("", &[wrong]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn listed_points_may_name_their_paths_in_any_order() {
        let points = "sweep: { points: [{ seed: 1, load.closed.users: 2 }, { load.closed.users: 3, seed: 4 }] }";
        let loaded = read(points, &[]).unwrap();
        let names: Vec<Vec<&str>> =
            loaded.points.iter().map(|p| p.values.iter().map(|(path, _)| path.as_str()).collect()).collect();
        assert_eq!(names, [["seed", "load.closed.users"], ["seed", "load.closed.users"]]);
        assert_eq!(loaded.points[1].scenario.load.closed.as_ref().unwrap().users, 3);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn nothing_written_below_sweep_is_a_panic(path in "[a-z.0-9\\[\\]]{0,20}", value in "[ -~]{0,20}") {
            let _ = read(&format!("sweep: {{ over: {{ \"{path}\": [{value}] }} }}"), &[]);
            let _ = read("", &[&format!("{path}={value}")]);
        }
    }
}
