//! One short and one long request to each engine before a suite's first scenario: how long all of it takes is told by what
//! they took, and a short form is fitted into its time by it.

use super::super::{Failure, Options, interrupted};
use crate::record::columns::Names;
use crate::record::rows::read_rows;
use crate::record::{Nanos, Phase, Stopwatch};
use crate::scenario::{History, InlinePrompt, Loaded, PromptsSpec, Scenario, Task};
use crate::suite::{Cost, Pace, RequestSize, RunTimes, Timed};
use crate::workload::{Item, read_prompts};
use std::path::Path;

/// Words of the long prompt; the short one has a few. Both fit into the smallest context that engines have.
const LONG: usize = 192;
/// Output tokens of each.
const TOKENS: u32 = 8;
/// Seconds that a run takes besides its requests, where none was timed: finding the engines, writing files.
const RUN_S: f64 = 3.0;

/// The engines of some scenarios, timed.
pub(super) struct Group {
    key: String,
    paces: Vec<Pace>,
    /// Seconds that the run took besides its requests.
    run_s: f64,
}

/// The paces of all engines that scenarios need.
#[derive(Default)]
pub(super) struct Timing {
    groups: Vec<Group>,
}

impl Timing {
    /// Times the engines of the scenarios: those with the same targets once. What it needs is written below `dir`, and removed.
    /// Engines that don't answer have no pace: their scenarios say why.
    pub async fn of<'a>(
        scenarios: impl Iterator<Item = &'a Loaded>,
        dir: &Path,
        options: &Options,
    ) -> Result<Self, Failure> {
        let mut timing = Self::default();
        let mut all: Vec<&Loaded> = scenarios.collect();
        // Of engines that are asked for several things, texts are what says most.
        all.sort_by_key(|loaded| loaded.scenario.task != Task::Generate);
        for loaded in all {
            let key = key(&loaded.scenario);
            if timing.groups.iter().any(|group| group.key == key) {
                continue;
            }
            if interrupted() {
                break;
            }
            let folder = dir.join("timing");
            let timed = timed(loaded, &folder, options).await;
            // It may not have come to be made.
            let _ = std::fs::remove_dir_all(&folder);
            let (paces, run_s) = match timed {
                Ok(timed) => timed,
                Err(failure @ Failure::Other(_)) => return Err(failure),
                Err(_) => (Vec::new(), RUN_S),
            };
            timing.groups.push(Group { key, paces, run_s });
        }
        Ok(timing)
    }

    /// Every pace, each target of a name once.
    pub fn paces(&self) -> Vec<Pace> {
        let mut all: Vec<Pace> = Vec::new();
        for pace in self.groups.iter().flat_map(|group| &group.paces) {
            if !all.iter().any(|known| known.target == pace.target) {
                all.push(pace.clone());
            }
        }
        all
    }

    fn known(&self, scenario: &Scenario) -> Option<RunTimes<'_>> {
        let key = key(scenario);
        let group = self.groups.iter().find(|group| group.key == key)?;
        Some(RunTimes { run_s: group.run_s, paces: &group.paces })
    }

    /// What a scenario takes, all points of a sweep; `None` where its engines weren't timed, or its prompts can't be read.
    pub fn cost(&self, loaded: &Loaded) -> Option<Cost> {
        // Points may change what the targets are, and have their names.
        let known = self.known(&loaded.scenario)?;
        let points = loaded.points.iter().map(|point| &point.scenario);
        let alone = loaded.points.is_empty().then_some(&loaded.scenario);
        let all: Vec<(&Scenario, RequestSize)> =
            points.chain(alone).map(|scenario| Some((scenario, asked(scenario, loaded)?))).collect::<Option<_>>()?;
        let sweep = loaded.scenario.sweep.as_ref();
        let more = sweep.map_or((1, None), |sweep| (sweep.repeats, Some(sweep.limit.0.as_secs_f64())));
        known.cost(all.into_iter(), more)
    }

    /// Cuts a scenario's load to a share of itself; what was done, in words.
    pub fn cut(&self, loaded: &mut Loaded, share: f64) -> Option<String> {
        let known = self.known(&loaded.scenario)?;
        let slowest = |scenario: &Scenario, of: &Loaded| Some(known.slowest_s(scenario, asked(scenario, of)?));
        let all = loaded.clone();
        let words = crate::suite::cut(&mut loaded.scenario, share, slowest(&all.scenario, &all)?);
        let points = loaded.points.iter_mut().filter_map(|point| {
            let slowest = slowest(&point.scenario, &all)?;
            crate::suite::cut(&mut point.scenario, share, slowest)
        });
        // Every point is cut; the first says how.
        let points: Vec<String> = points.collect();
        if all.points.is_empty() {
            words
        } else {
            points.into_iter().next().map(|words| format!("{words} at each point"))
        }
    }
}

/// What engines are the same by.
fn key(scenario: &Scenario) -> String {
    let targets = serde_json::to_string(&scenario.targets).unwrap_or_default();
    let start = serde_json::to_string(&scenario.start).unwrap_or_default();
    format!("{}{targets}{start}", scenario.task == Task::Embed)
}

/// The paces of a scenario's engines, and the seconds that the run took besides its requests.
async fn timed(loaded: &Loaded, folder: &Path, options: &Options) -> Result<(Vec<Pace>, f64), Failure> {
    let clock = Stopwatch::start();
    let words = |item: &Item| item.turns.iter().map(|turn| turn.user.split_whitespace().count()).sum::<usize>() as f64;
    let mut loaded = Loaded { points: Vec::new(), ..loaded.clone() };
    brief(&mut loaded.scenario);
    let items = prompts(&loaded.scenario, &loaded);
    let options = Options { out: Some(folder.to_owned()), quiet: true, baseline: None, ..options.clone() };
    let finished = super::super::run_one(loaded, &options).await?;
    let mut rows = Vec::new();
    read_rows(&finished.dir, &Names::of(&finished.report.plan), |sample| {
        if sample.outcome.answered() && matches!(sample.phase, Phase::Cold | Phase::Measure) {
            rows.push(sample.clone());
        }
    })?;
    let seconds = |at: Option<Nanos>, from: Option<Nanos>| Some(at?.since(from?).seconds());
    let all: f64 = rows.iter().filter_map(|row| row.latency()).map(Nanos::seconds).sum();
    let paces = finished.report.plan.targets.iter().enumerate().filter_map(|(number, target)| {
        let own = || rows.iter().filter(move |row| row.target == number);
        let first =
            own().find(|row| row.phase == Phase::Cold).and_then(|row| row.latency()).map_or(0.0, Nanos::seconds);
        let mut timed: Vec<Timed> = own()
            .filter(|row| row.phase == Phase::Measure)
            .filter_map(|row| {
                Some(Timed {
                    words: items.as_deref().and_then(|items| items.get(row.item)).map_or(0.0, words),
                    until_first: seconds(row.stamps.first_token, row.stamps.sent),
                    whole: row.latency()?.seconds(),
                    tokens: row.output_tokens.map(|tokens| tokens as f64),
                })
            })
            .collect();
        timed.sort_by(|a, b| a.words.total_cmp(&b.words));
        Pace::of(&target.name, first, &timed, target.facts.slots)
    });
    let paces: Vec<Pace> = paces.collect();
    Ok((paces, (clock.now().seconds() - all).max(0.1)))
}

/// Makes a scenario one that only times its engines, one request after the other: of texts a short and a long one, else two of
/// its own.
fn brief(scenario: &mut Scenario) {
    scenario.look("timing", 1, 2);
    cut_short(scenario);
    if let Some(shown) = &mut scenario.shown {
        cut_short(shown);
    }
}

/// Its few tokens, and of texts its two prompts. A text's tokens are asked for where it may have but one, too: points of a sweep
/// may have more, and from one token nothing is known of the next.
fn cut_short(scenario: &mut Scenario) {
    let workload = &mut scenario.workload;
    let most = &mut workload.sampling.max_tokens;
    *most = if scenario.task == Task::Generate { TOKENS } else { TOKENS.min(*most) };
    if scenario.task == Task::Generate {
        let text = |words: usize| {
            let some = ["one", "word", "after", "another", "says", "how", "long", "this", "takes", "here"];
            some.iter().copied().cycle().take(words).collect::<Vec<_>>().join(" ")
        };
        let prompt = |words| InlinePrompt { text: Some(text(words)), label: None, turns: Vec::new() };
        workload.prompts = PromptsSpec::Inline(vec![prompt(6), prompt(LONG)]);
        workload.instruction = None;
    }
}

/// The prompts of a scenario, as they are asked; `None` where they can't be read.
fn prompts(scenario: &Scenario, of: &Loaded) -> Option<Vec<Item>> {
    let workload = &scenario.workload;
    let (prompts, labels) = (&workload.prompts, &workload.labels);
    let read = read_prompts(prompts, &of.base, scenario.task, labels, scenario, scenario.seed, workload.history);
    Some(read.ok()?.items)
}

/// What a scenario asks, on the average: in a conversation, every turn comes with those before it.
fn asked(scenario: &Scenario, of: &Loaded) -> Option<RequestSize> {
    let items = prompts(scenario, of)?;
    let count = |text: &str| text.split_whitespace().count() as f64;
    let system = scenario.workload.system.as_deref().map_or(0.0, count);
    let own = scenario.workload.history == History::Own;
    let (mut words, mut requests) = (0.0, 0.0);
    for item in &items {
        let mut before = system;
        for turn in &item.turns {
            before += count(&turn.user);
            words += before;
            requests += 1.0;
            let most = f64::from(scenario.workload.sampling.max_tokens);
            before += turn.assistant.as_deref().map_or(if own { most } else { 0.0 }, count);
        }
    }
    (requests > 0.0).then(|| RequestSize { words: words / requests, turns: requests / items.len() as f64 })
}
