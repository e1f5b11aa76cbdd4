//! A suite as written: several scenarios, and checks on what comes of them.

use super::gate::Gate;
use super::load::read_text;
use super::mistake::{Mistake, Place, nearest, quoted};
use super::schema::GATE;
use super::tree::{self, Node, Value};
use super::{Laid, Overrides, ScenarioError, Span, TargetSpec, check, data_path, environment, sense};
use indexmap::IndexMap;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Several scenarios and the checks on them.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "a suite")]
pub struct SuiteSpec {
    /// Short name (letters, digits, dash and underscore); also names the results directory.
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    pub name: String,
    /// One sentence of description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// Time limit for the whole suite. A scenario that would not end in time is not started, and its checks are not
    /// measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Span>,
    /// Targets for all scenarios, replacing their own targets of the same names.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    #[schemars(extend("propertyNames" = { "pattern": r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$", "maxLength": 64 }))]
    pub targets: IndexMap<String, TargetSpec>,
    /// Values set in every scenario, by path: `smallest_effect: 5%`.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub set: IndexMap<String, serde_json::Value>,
    /// Values set if an environment variable is set and not empty, by its name; applied after those of each scenario.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub if_set: IndexMap<String, IndexMap<String, serde_json::Value>>,
    /// Values set for a run with `--quick`, after all others: `load.closed.duration: 2s`. `within` is the time limit of
    /// such a run (default: 5m): loads are shortened until everything fits, and what still doesn't fit is skipped.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub quick: IndexMap<String, serde_json::Value>,
    /// The scenarios by name, in the order they are run.
    #[schemars(extend("minProperties" = 1, "propertyNames" = { "pattern": r"^[A-Za-z0-9_-]+$", "maxLength": 64 }))]
    pub scenarios: IndexMap<String, SuiteScenario>,
    /// The checks, in the order they are reported.
    #[schemars(length(min = 1))]
    pub checks: Vec<CheckSpec>,
}

/// One scenario of a suite.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "a scenario of a suite")]
pub struct SuiteScenario {
    /// Its file, relative to the suite's file.
    #[schemars(length(min = 1))]
    pub file: String,
    /// Values set in it, by path: `load.closed.users: 4`.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub set: IndexMap<String, serde_json::Value>,
    /// Values set if an environment variable is set and not empty, by its name; applied after those of the suite.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub if_set: IndexMap<String, IndexMap<String, serde_json::Value>>,
    /// Values set for a run with `--quick`.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub quick: IndexMap<String, serde_json::Value>,
}

/// One check of a suite: a gate on a scenario, or why it can't be measured.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "a check")]
pub struct CheckSpec {
    /// Its name.
    #[schemars(length(min = 1, max = 200))]
    pub name: String,
    /// Its category in the table.
    #[schemars(length(min = 1, max = 64))]
    pub category: String,
    /// Its scenario.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenario: Option<String>,
    /// Its condition, written as a gate of a scenario: `native.latency.p95 <= 20ms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<String>,
    /// A weaker condition for runs with `--quick`, whose shorter scenario can't test the gate itself. Breaking it fails
    /// the check; meeting it leaves the check not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quick: Option<String>,
    /// Preconditions, written as gates with a number as the bound: `native.prompt_tokens.mean >= 4000`,
    /// `native.requests >= 600`. If one is not met, with or without `--quick`, the check is not measured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
    /// For a scenario with a sweep: the points it applies to, by paths and values. Default: every point.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub at: IndexMap<String, serde_json::Value>,
    /// Why it can't be measured through an engine's interface. Such a check neither passes nor fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cannot: Option<String>,
}

impl CheckSpec {
    /// The gate of a run with or without `--quick`; `None` for what can't be measured.
    pub fn asked(&self, quick: bool) -> Option<&str> {
        self.quick.as_deref().filter(|_| quick).or(self.gate.as_deref())
    }
}

/// The name in `quick` that is no path of scenarios: the time of a quick run.
const WITHIN: &str = "within";

impl SuiteSpec {
    /// Time that a run may take: all of it, or its quick form.
    pub fn time(&self, quick: bool) -> Option<Span> {
        let written = || self.quick.get(WITHIN).and_then(|value| value.as_str()).and_then(Span::parse);
        if quick { Some(written().unwrap_or(Span(QUICK))) } else { self.budget }
    }
}

/// Time of a quick run of which nothing is written.
const QUICK: Duration = Duration::from_secs(300);

/// A suite that was read and found right.
#[derive(Clone, Debug)]
pub struct LoadedSuite {
    /// What was written.
    pub spec: SuiteSpec,
    /// The file.
    pub path: PathBuf,
    /// The file's text as it stands.
    pub text: String,
    /// What was written, its environment variables not filled in: so it is laid over the scenarios, and filled in there.
    raw: serde_json::Value,
}

/// The JSON Schema of a suite (draft-07).
pub fn suite_schema() -> serde_json::Value {
    SchemaSettings::draft07().into_generator().into_root_schema_for::<SuiteSpec>().to_value()
}

/// Reads a suite from a file. The scenarios that it names are read by themselves, with [`LoadedSuite::overrides`].
pub fn load_suite(path: &Path) -> Result<LoadedSuite, ScenarioError> {
    let name = path.display().to_string();
    super::secret::remember_environment();
    let text = read_text(path, &name)?;
    let failed = |mistakes| Err(ScenarioError::new(&name, &text, mistakes));
    let root = match tree::read(&text) {
        Ok(root) if matches!(root.value, Value::Map(_)) => root,
        Ok(root) => return failed(vec![Mistake::new("a suite is a map of fields", root.place)]),
        Err(mistake) => return failed(vec![mistake]),
    };
    let mut mistakes = Vec::new();
    sense::secrets(&root, &mut mistakes);
    // What the environment fills in is filled in where the scenarios are read; here it has to be there.
    let mut filled = root.clone();
    environment::fill(&mut filled, folder(path), &|name| std::env::var(name), &mut mistakes);
    check::check(&mut filled, &suite_schema(), &mut mistakes);
    if !mistakes.is_empty() {
        return failed(mistakes);
    }
    let typed = |root: Node| serde_json::from_value::<SuiteSpec>(root.into_json()).map_err(|error| error.to_string());
    let shown = filled.shown();
    let spec = match typed(filled).and_then(|spec| Ok(told(spec, typed(shown)?))) {
        Ok(spec) => spec,
        Err(error) => return failed(vec![Mistake::new(error, Place::Whole)]),
    };
    files(&spec, &root, path, &mut mistakes);
    checks(&spec, &root, &mut mistakes);
    if mistakes.is_empty() {
        Ok(LoadedSuite { spec, path: path.to_owned(), raw: root.into_json(), text: text.clone() })
    } else {
        failed(mistakes)
    }
}

/// The suite with its free words as they may be told: they stand in its report.
fn told(mut spec: SuiteSpec, shown: SuiteSpec) -> SuiteSpec {
    spec.about = shown.about;
    for (check, shown) in spec.checks.iter_mut().zip(shown.checks) {
        (check.name, check.category, check.cannot, check.at) = (shown.name, shown.category, shown.cannot, shown.at);
    }
    spec
}

/// The folder that a suite's paths start from.
fn folder(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Whether every scenario's file may be read. A suite may come from someone else: it reads what lies beside its own folder,
/// or below the current one, and nothing else.
fn files(spec: &SuiteSpec, root: &Node, path: &Path, mistakes: &mut Vec<Mistake>) {
    let folder = folder(path);
    let real = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let around = real.parent().unwrap_or(&real);
    for (name, scenario) in &spec.scenarios {
        // A file that isn't there is told where the scenario is read.
        if let Err(why) = data_path(around, &real.join(&scenario.file)).map(drop)
            && why.contains("outside")
        {
            let why = why.replace("the scenario's directory", "the suite's parent folder");
            let place = sense::place(root, &["scenarios", name, "file"], false);
            mistakes.push(Mistake::new(why, place));
        }
    }
}

/// Whether every check is one, and the time of a quick run a time.
fn checks(spec: &SuiteSpec, root: &Node, mistakes: &mut Vec<Mistake>) {
    let time = |value: &serde_json::Value| value.as_str().and_then(Span::parse).is_some_and(|span| !span.0.is_zero());
    if spec.quick.get(WITHIN).is_some_and(|value| !time(value)) {
        let place = sense::place(root, &["quick", WITHIN], false);
        mistakes.push(Mistake::new("`within` is a duration", place).help("for example: quick: { within: 5m }"));
    }
    let mut names = std::collections::BTreeSet::new();
    for (at, check) in spec.checks.iter().enumerate() {
        let at = at.to_string();
        let mut wrong = |field: &str, message: String| {
            let place = sense::place(root, &["checks", &at, field], false);
            mistakes.push(Mistake::new(message, place));
            mistakes.len() - 1
        };
        if !names.insert((&check.category, &check.name)) {
            wrong("name", format!("another check of {} is called {}", quoted(&check.category), quoted(&check.name)));
        }
        match (&check.scenario, &check.gate, &check.cannot) {
            (Some(scenario), Some(gate), None) => {
                if !spec.scenarios.contains_key(scenario) {
                    let names = spec.scenarios.keys().map(String::as_str);
                    let near = nearest(scenario, names).map(|near| format!("; did you mean `{near}`?"));
                    let message = format!("the suite has no scenario called {}", quoted(scenario));
                    wrong("scenario", message + &near.unwrap_or_default());
                }
                let gates = [("gate", Some(gate)), ("quick", check.quick.as_ref())];
                for (field, gate) in gates.into_iter().filter_map(|(field, gate)| Some((field, gate?))) {
                    let Err(error) = Gate::parse(gate) else { continue };
                    let path = ["checks", &at, field];
                    let place = sense::within(root.at(&path), &error);
                    let place = place.unwrap_or_else(|| sense::place(root, &path, false));
                    mistakes.push(Mistake::new(error.what, place).help(error.help));
                }
                needs(check, root, &at, mistakes);
            }
            (None, None, Some(_)) => {
                let written = [
                    ("at", !check.at.is_empty()),
                    ("quick", check.quick.is_some()),
                    ("needs", !check.needs.is_empty()),
                ];
                for (field, written) in written {
                    if written {
                        wrong(field, format!("`{field}` belongs to a check that is measured"));
                    }
                }
            }
            _ => {
                wrong(
                    "name",
                    "a check needs a `scenario` and a `gate`, or the reason why it `cannot` be measured".to_owned(),
                );
            }
        }
    }
}

/// Whether what a check needs is said in numbers.
fn needs(check: &CheckSpec, root: &Node, at: &str, mistakes: &mut Vec<Mistake>) {
    for (number, text) in check.needs.iter().enumerate() {
        let path = ["checks", at, "needs", &number.to_string()];
        let place = || sense::place(root, &path, false);
        match Gate::parse(text) {
            Ok(gate) if gate.is_absolute() => {}
            Ok(_) => mistakes.push(
                Mistake::new("`needs` compares with a number, not with another figure", place())
                    .help("for example: native.prompt_tokens.mean >= 4000"),
            ),
            Err(error) => {
                let place = sense::within(root.at(&path), &error).unwrap_or_else(place);
                mistakes.push(Mistake::new(error.what, place).help(error.help));
            }
        }
    }
}

/// Where a suite's targets are laid.
const TARGETS: &str = "targets.";

impl LoadedSuite {
    /// The file of a scenario.
    pub fn file(&self, scenario: &SuiteScenario) -> PathBuf {
        folder(&self.path).join(&scenario.file)
    }

    /// What is laid over a scenario: the suite's targets, its values, the scenario's own, those of a quick run, and last what
    /// the command line says.
    pub fn overrides(&self, name: &str, quick: bool, last: &Overrides) -> Overrides {
        let mut laid = Vec::new();
        let mut lay = |from: String, before: &str, values: &serde_json::Value| {
            let laid_over = |path: &String| from != "`quick`" || path != WITHIN;
            for (path, value) in values.as_object().into_iter().flatten().filter(|(path, _)| laid_over(path)) {
                let from = format!("{from} of {}", self.path.display());
                // A target's name is one step, dots and all.
                let quote = if before == TARGETS && path.contains('.') { "\"" } else { "" };
                laid.push(Laid { path: format!("{before}{quote}{path}{quote}"), value: value.clone(), from });
            }
        };
        // Runs go by the suite's names: two of them may be of one file.
        let called = serde_json::json!({ "name": name });
        lay("the name".to_owned(), "", &called);
        let (raw, own) = (&self.raw, &self.raw["scenarios"][name]);
        lay("`targets`".to_owned(), TARGETS, &raw["targets"]);
        lay("`set`".to_owned(), "", &raw["set"]);
        lay(format!("`set` of `{name}`"), "", &own["set"]);
        for (whose, all) in [("", &raw["if_set"]), (name, &own["if_set"])] {
            for (variable, values) in all.as_object().into_iter().flatten().filter(|(variable, _)| is_set(variable)) {
                let of = if whose.is_empty() { String::new() } else { format!(" of `{whose}`") };
                lay(format!("`if_set: {variable}`{of}"), "", values);
            }
        }
        if quick {
            lay("`quick`".to_owned(), "", &raw["quick"]);
            lay(format!("`quick` of `{name}`"), "", &own["quick"]);
        }
        Overrides { laid, ..last.clone() }
    }
}

/// Whether an environment variable says something.
fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}

/// The schema of a suite for editors.
pub fn editor_suite_schema() -> serde_json::Value {
    let mut whole = suite_schema();
    let check = &mut whole["definitions"]["CheckSpec"]["properties"];
    for field in ["gate", "quick"] {
        check[field]["pattern"] = json!(GATE);
    }
    check["needs"]["items"]["pattern"] = json!(GATE);
    whole
}
