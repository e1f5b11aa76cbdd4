//! From a scenario to a plan: finds every engine, puts a stand-in where one is allowed and needed, reads the prompts, and
//! fills in every default.

use super::child::StandIn;
use super::filled::filled;
use super::fits::fits;
use super::load::{load, schedule_words};
use super::say::wrapped;
use super::started::{Engines, allowed, start};
use super::wanting::{Made, Wanting};
use super::{Failure, Options, cannot, same, tell, templates};
use crate::audit::{Finding, of_plan};
use crate::host::processes_of;
use crate::record::Stopwatch;
use crate::scenario::plan::{GatesPlan, LoadPlan, Plan, TargetPlan, WorkloadPlan, Written};
use crate::scenario::told::confirmed;
use crate::scenario::{
    Constrain, Loaded, ProcessSpec, PromptFormat, PromptsSpec, Scenario, Slo, TargetSpec, Task, located, release,
    room_for_a_label, variant_name,
};
use crate::target::discover::{FoundEngine, Missing, discover, is_auto, settings_at_first};
use crate::target::{Target, cannot, ignores_eos};
use crate::workload::{Arrivals, Item, Prompts, SourceError, Workload, read_prompts, read_schema, read_shown};
use std::hash::Hasher;
use std::sync::Arc;
use std::time::Duration;

/// A plan with everything it needs: nothing is left to find.
pub struct Prepared {
    /// The plan of a run.
    pub plan: Plan,
    /// What is asked.
    pub workload: Arc<Workload>,
    /// When the requests of an open loop leave; `None` in a closed one.
    pub arrivals: Option<Arc<Arrivals>>,
    /// Reasons to read the result with care, known before the run.
    pub notes: Vec<String>,
    /// The stand-ins, and the engines that the scenario's commands started; they end with this.
    engines: Engines,
    /// The targets whose engines the scenario's commands started.
    own_engines: Vec<String>,
    /// Prompts whose lengths are given in tokens, before they are made.
    pub(super) wanting: Option<Wanting>,
}

impl Prepared {
    /// Another plan over the same engines and prompts: the stand-ins stay with this one. `salt` draws its nonces.
    pub(super) fn another(&self, mut plan: Plan, arrivals: Option<Arc<Arrivals>>, salt: u64) -> Self {
        plan.workload.nonce_salt = format!("{salt:016x}");
        let workload = Arc::new(self.workload.salted(salt));
        let own_engines = self.own_engines.clone();
        Self { plan, workload, arrivals, notes: Vec::new(), engines: Engines::default(), own_engines, wanting: None }
    }

    /// What the engines that this started write belongs into a folder of results.
    pub(super) fn log_into(&mut self, dir: &std::path::Path) {
        self.engines.log_into(dir);
    }

    /// The engines that this started.
    pub(super) fn engines(&self) -> &Engines {
        &self.engines
    }

    /// The targets whose engines the scenario's commands started.
    pub(super) fn own_engines(&self) -> &[String] {
        &self.own_engines
    }

    /// The targets, ready to be asked.
    pub(super) fn targets(&self, clock: Stopwatch) -> Result<Vec<Arc<Target>>, Failure> {
        for target in &self.plan.targets {
            if let Some(why) = cannot(&self.plan, target, &self.workload) {
                return Err(Failure::Cannot(format!("error: `{}`: {why}", target.name)));
            }
        }
        let ready = |target: &TargetPlan| {
            let made = Target::new(&self.plan, target, self.workload.clone(), clock);
            made.map(Arc::new).map_err(|why| Failure::Usage(format!("error: `{}`: {why}", target.name)))
        };
        self.plan.targets.iter().map(ready).collect()
    }
}

/// Finds the engines and makes the plan.
pub async fn prepare(loaded: Loaded, options: &Options) -> Result<Prepared, Failure> {
    let Loaded { mut scenario, base, path, text, .. } = loaded;
    scenario.one_part();
    let workload = &scenario.workload;
    let read = read_prompts(
        &workload.prompts,
        &base,
        scenario.task,
        &workload.labels,
        &scenario,
        scenario.seed,
        workload.history,
    );
    // What the scenario asks for and the data lacks stands in the scenario; the data's own mistakes in the data.
    let wrong = |error: SourceError| {
        Failure::Usage(match &error.setting {
            Some(field) => located(&path, &text, &options.overrides, field, error.to_string()).to_string(),
            None => format!("error: {error}"),
        })
    };
    let Prompts { items, examples, odd, record } = read.map_err(wrong)?;
    let shown = read_shown(&scenario, &base);
    for told in odd.iter().filter(|_| !options.quiet) {
        tell(wrapped(&format!("loadcmp: {told}")));
    }
    let schema = scenario.workload.schema.as_ref().map(|spec| read_schema(spec, &base)).transpose().map_err(wrong)?;
    // Before any engine is looked for: what is wrong here is wrong whatever is there.
    let (load, arrivals) = load(&scenario, &base, &wrong)?;
    fits(&load, scenario.targets.values())?;
    scenario.workload.sampling.seed.get_or_insert(scenario.seed);
    if let Some(record) = &record {
        // Each request has its own; what is told of all is the most.
        scenario.workload.sampling.max_tokens = record.plan.longest_answer;
    }
    // Where the choice of a schema was left to us, so is the room that its JSON takes.
    let constrain = scenario.workload.constrained(scenario.task, scenario.targets.values());
    if constrain == Constrain::Schema && scenario.workload.constrain == Constrain::Auto {
        let room = room_for_a_label(&scenario.workload.labels);
        let most = &mut scenario.workload.sampling.max_tokens;
        *most = (*most).max(room);
    }
    allowed(&scenario, &path, options)?;
    let mut engines = if options.engines_run { Engines::default() } else { start(&scenario, options.quiet).await? };
    let mut targets = Vec::new();
    let mut missing = Vec::new();
    for (name, spec) in &scenario.targets {
        // A name's processes may still come; a number's that isn't there never will.
        if let Some(ProcessSpec::Pid(pid)) = spec.process()
            && processes_of(&ProcessSpec::Pid(*pid)).is_empty()
        {
            missing.push(format!(
                "error: target `{name}`: there is no process {pid}\n  correct `process: {{ pid: {pid} }}`, or leave it \
                 out: the process that listens at the target's address is then used"
            ));
            continue;
        }
        match find(name, spec, &scenario, &items, options, &mut engines.stand_ins).await {
            Ok(found) => {
                let mut target = planned(name, spec, found);
                let shown = scenario.shown.as_ref().and_then(|shown| shown.targets.get(name));
                target.filled = shown.and_then(|shown| filled(spec, shown));
                target.facts.learn(settings_at_first(&target).await);
                targets.push(target);
            }
            Err(why) => missing.push(format!("error: target `{name}`: {why}")),
        }
    }
    if !engines.stand_ins.is_empty() && !options.quiet {
        tell(wrapped(
            "loadcmp: answers and timing of a stand-in are made up. To compare real engines, start them, or give their \
             addresses with --target NAME=WIRE:ADDRESS",
        ));
    }
    if !missing.is_empty() {
        return Err(Failure::Target(missing.join("\n")));
    }
    same::mark(&mut targets).await;
    templates::choose(&mut targets).await?;
    let format = scenario.workload.format.unwrap_or_else(|| {
        let raw = targets.iter().any(|target| target.spec.is_raw());
        if raw { PromptFormat::Raw } else { PromptFormat::Chat }
    });
    let count = items.len();
    let system = scenario.workload.system.clone();
    let sampling = &scenario.workload.sampling;
    // The standard library's own randomness: it is a salt, and no secret.
    let salt = std::hash::BuildHasher::build_hasher(&std::hash::RandomState::new()).finish();
    let cache = scenario.workload.prompt_cache;
    let workload = Workload::new(items, scenario.seed, salt, system.as_deref(), sampling, cache).showing(shown);
    // A model that its engine lists is the engine's own word, and no secret.
    for target in targets.iter().filter(|target| confirmed(target)) {
        [Some(target.model.as_str()), target.spec.model()].into_iter().flatten().for_each(release);
    }
    let mut plan = plan(&scenario, targets, format, count, workload.hash(), load);
    (plan.workload.constrain, plan.workload.examples, plan.workload.schema) = (constrain, examples, schema);
    plan.workload.nonce_salt = format!("{salt:016x}");
    plan.driver = options.driver.of(&plan).map(|driver| driver.name().to_owned());
    tell_inequalities(&mut plan, scenario.workload.constrain, record.is_some());
    Ok(Prepared {
        notes: notes(&plan.told()),
        plan,
        workload: Arc::new(workload),
        arrivals,
        engines,
        own_engines: scenario.start.keys().cloned().collect(),
        wanting: {
            let made = match (&scenario.workload.prompts, record) {
                (PromptsSpec::Synthetic(spec), _) if spec.tokens.is_some() => Some(Made::Drawn(spec.clone())),
                (_, record) => record.map(Made::Recorded),
            };
            let written = scenario.shown.as_ref().map(|shown| &shown.workload);
            let (instruction, shown) = (scenario.workload.instruction.clone(), written.map(|w| w.instruction.clone()));
            let shown = shown.filter(|shown| *shown != instruction).flatten();
            made.map(|made| Wanting { made, instruction, shown })
        },
    })
}

/// Finds one engine, or starts a stand-in in its place where the scenario allows one. The error is in words.
async fn find(
    name: &str,
    spec: &TargetSpec,
    scenario: &Scenario,
    items: &[Item],
    options: &Options,
    stand_ins: &mut Vec<StandIn>,
) -> Result<FoundEngine, String> {
    let why = match patiently(name, discover(spec, scenario.task), options).await {
        Ok(found) if found.stand_in && options.real => {
            return Err(format!("{} is a stand-in, which --real refuses", found.endpoint));
        }
        Ok(found) => return Ok(found),
        Err(why) => why,
    };
    // What answers where someone said it does, or doesn't, is what was asked for.
    if !is_auto(spec) || matches!(why, Missing::Different(_)) {
        return Err(why.to_string());
    }
    if options.real {
        return Err(format!("{why}\n  with --real no stand-in takes its place"));
    }
    if scenario.task == Task::Embed && matches!(spec, TargetSpec::GgCore(_)) {
        return Err("GG-CORE's socket has no embeddings, so no stand-in can take its place".to_owned());
    }
    if !options.quiet {
        tell(wrapped(&format!("loadcmp: STAND-IN for `{name}`: {}", why.in_brief())));
    }
    let stand_in = StandIn::start(name, spec, scenario, items, stand_ins.len() as u64).await?;
    let found = discover(&stand_in.spec(spec), scenario.task).await.map_err(|error| error.to_string())?;
    stand_ins.push(stand_in);
    Ok(FoundEngine { stand_in: true, ..found })
}

/// How long an engine may take to say who it is before it is told that it is waited for.
const SAY_SO: Duration = Duration::from_secs(6);

/// Waits for an engine to say who it is; where that takes long, says so.
async fn patiently<T>(name: &str, asked: impl Future<Output = T>, options: &Options) -> T {
    let mut asked = std::pin::pin!(asked);
    tokio::select! {
        told = &mut asked => return told,
        () = tokio::time::sleep(SAY_SO) => {}
    }
    if !options.quiet {
        tell(format!("loadcmp: waiting for `{name}` to identify itself: it may be busy"));
    }
    asked.await
}

fn planned(name: &str, spec: &TargetSpec, found: FoundEngine) -> TargetPlan {
    TargetPlan {
        name: name.to_owned(),
        stand_in: found.stand_in,
        endpoint: found.endpoint,
        model: found.model,
        spec: spec.clone(),
        facts: found.facts,
        inequalities: found.untold,
        template: None,
        same_as: None,
        filled: None,
    }
}

/// Position among the targets of the one that ratios are told against.
pub(super) fn reference(scenario: &Scenario, names: &[&str]) -> usize {
    let position = |name: &str| names.iter().position(|known| *known == name);
    let written = match &scenario.reference {
        Some(name) => position(name),
        None => position("ollama"),
    };
    // Without a word about it, ratios are told against the first variant of what would be the reference.
    let variant = || {
        let of = scenario.variants.get_key_value("ollama").or_else(|| scenario.variants.last())?;
        let last = names.last().is_some_and(|last| of.1.keys().any(|name| variant_name(of.0, name) == *last));
        (of.0 == "ollama" || last).then(|| position(&variant_name(of.0, of.1.keys().next()?)))?
    };
    written.or_else(variant).unwrap_or(names.len().saturating_sub(1))
}

fn plan(
    scenario: &Scenario,
    targets: Vec<TargetPlan>,
    format: PromptFormat,
    items: usize,
    hash: String,
    load: LoadPlan,
) -> Plan {
    let workload = &scenario.workload;
    let names: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
    let reference = reference(scenario, &names);
    let named = scenario.variants.iter().flat_map(|(of, all)| all.keys().map(move |name| variant_name(of, name)));
    Plan {
        name: scenario.name.clone(),
        about: scenario.about.clone(),
        task: scenario.task,
        seed: scenario.seed,
        reference,
        variants: named.filter(|name| names.contains(&name.as_str())).collect(),
        targets,
        driver: None,
        workload: WorkloadPlan {
            source: source(&workload.prompts),
            items,
            examples: Vec::new(),
            hash,
            labels: workload.labels.clone(),
            constrain: workload.constrain,
            schema: None,
            format,
            system: workload.system.clone(),
            sampling: workload.sampling.clone(),
            think: workload.think,
            stream: scenario.streams(),
            logprobs: workload.logprobs && scenario.task != Task::Embed,
            prompt_cache: workload.prompt_cache,
            nonce_salt: String::new(),
            history: workload.history,
            tokens: None,
        },
        order: scenario.order,
        allow_same_endpoint: scenario.allow_same_endpoint,
        blocks: scenario.blocks.unwrap_or_default(),
        interference: scenario.interference,
        cold_start: scenario.cold_start.clone(),
        soak: scenario.load.soak.is_some(),
        // Read at load, where a mistake has its line.
        slo: scenario.slo.as_deref().and_then(|text| Slo::parse(text).ok()),
        smallest_effect: scenario.smallest_effect,
        until_ci: scenario.until_ci(),
        least: scenario.least(),
        load,
        timeout: scenario.limit(),
        timeout_auto: scenario.written_limit().is_none(),
        load_timeout: scenario.first_limit(),
        drain: scenario.drain.unwrap_or(scenario.limit()),
        drain_auto: scenario.drain.is_none() && scenario.written_limit().is_none(),
        keep_answers: scenario.keep_answers,
        audit: scenario.audit.clone(),
        gates: GatesPlan::of(scenario),
        start: Some(scenario.start.clone()),
        shard: None,
        written: scenario.shown.as_deref().map(|shown| {
            let open = shown.load.open.as_ref().map(schedule_words);
            Arc::new(Written::of(shown, source(&shown.workload.prompts), open))
        }),
    }
}

/// Where the prompts come from, in words.
fn source(prompts: &PromptsSpec) -> String {
    match prompts {
        PromptsSpec::Inline(_) => "the scenario".to_owned(),
        PromptsSpec::Csv(csv) => csv.path.display().to_string(),
        PromptsSpec::Jsonl(jsonl) => jsonl.path.display().to_string(),
        PromptsSpec::Text(text) => text.path.display().to_string(),
        PromptsSpec::Trace(trace) => trace.path.display().to_string(),
        PromptsSpec::Synthetic(_) => "synthetic".to_owned(),
    }
}

/// What each target can't honour of the scenario: told, not hidden. `constrain` is as it was written.
fn tell_inequalities(plan: &mut Plan, constrain: Constrain, recorded: bool) {
    let (workload, task) = (plan.workload.clone(), plan.task);
    let generates = task != Task::Embed;
    for target in &mut plan.targets {
        let free = task == Task::Classify && !target.spec.takes_a_schema();
        let ignores_eos = ignores_eos(target);
        let no_schema = workload.schema.is_some() && !target.spec.takes_a_schema();
        let mut tell = |text: &str| target.inequalities.push(text.to_owned());
        if recorded && task == Task::Generate && !ignores_eos {
            tell(
                "its API has no option to continue after the end token (`ignore_eos`), so answers may be shorter than \
                 recorded",
            );
        }
        if no_schema {
            tell("its API has no schema for answers: `schema` isn't sent, and its answers are free text");
        }
        match constrain {
            Constrain::Auto if free => {
                tell(
                    "its API has no schema for answers, so none is used for any target: labels are read from free text",
                );
            }
            Constrain::Schema if free => tell("its API has no schema for answers: they are free text"),
            _ => {}
        }
        match &target.spec {
            TargetSpec::GgCore(_) => {
                tell(
                    "GG-CORE always uses seed 42 and repetition penalty 1.1 over 64 tokens, and has no min_p and no \
                     stop texts",
                );
                tell("GG-CORE generates one request at a time: additional users only queue");
                if workload.format == PromptFormat::Chat && target.template.is_none() {
                    tell(
                        "GG-CORE has no chat template: it gets the prompt as it is (set one with the target's \
                         `template:`)",
                    );
                }
                if workload.stream {
                    tell(
                        "GG-CORE holds back 128 characters of a stream and counts no tokens in it, so TTFT, ITL, \
                         decode rate and tokens/s are not measured; a stream that the model ends by itself fails \
                         (`detok: Unknown Token Type`), and each stream needs another message to start. `--set \
                         workload.stream=false` measures tokens/s of whole answers",
                    );
                } else {
                    tell(
                        "GG-CORE doesn't count the end token; it is added where an answer ended before its limit, as \
                         Ollama counts it",
                    );
                }
            }
            TargetSpec::Json(spec) => {
                let body = spec.body.to_string();
                for (place, option) in
                    [("{{temperature}}", "temperature"), ("{{max_tokens}}", "max_tokens"), ("{{seed}}", "seed")]
                {
                    if generates && !body.contains(place) {
                        tell(&format!("`{option}` isn't sent: `body` has no {place}"));
                    }
                }
            }
            TargetSpec::OpenAi(_) | TargetSpec::Ollama(_) => {}
        }
    }
    cannot::tell(plan);
}

/// What the audit finds in a plan, but for what is told beside each target anyway.
pub(super) fn notes(plan: &Plan) -> Vec<String> {
    let told = |finding: &Finding| !matches!(finding.id.as_str(), "stand-in" | "cannot-honour");
    let findings = of_plan(plan).into_iter().filter(told).map(|finding| finding.sentence);
    findings.chain(named(plan)).collect()
}

/// What each name in a `process` stands for just now, unless it is one process.
pub(super) fn named(plan: &Plan) -> impl Iterator<Item = String> {
    plan.targets.iter().filter_map(named_by)
}

fn named_by(target: &TargetPlan) -> Option<String> {
    let Some(process @ ProcessSpec::Name(name)) = target.spec.process() else { return None };
    let found = processes_of(process);
    match found.as_slice() {
        [] => {
            Some(format!("{}: no process is called {name} now; loadcmp looks again every few seconds.", target.label()))
        }
        [_] => None,
        many => {
            let pids = many.iter().take(8).map(u32::to_string).collect::<Vec<_>>().join(", ");
            let more = if many.len() > 8 { ", …" } else { "" };
            Some(format!(
                "{}: {} processes are called {name} ({pids}{more}); all of them are counted.",
                target.label(),
                many.len()
            ))
        }
    }
}
