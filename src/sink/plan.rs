//! The plan, for a look before any load is sent: what `loadcmp check` prints.

use super::draw::wrapped;
use crate::report::human;
use crate::report::lasting::{early_words, length_words, span};
use crate::report::words::{about, blocks_words};
use crate::scenario::plan::{LoadPlan, OpenPlan, Plan, TargetPlan, Until};
use crate::scenario::{Constrain, Order, Pacing, Rate, RecordedPlan, Task, TokensPlan, yaml_word as word};
use crate::target::discover::has_templates;
use crate::workload::MOST_TRIALS;
use comfy_table::{ContentArrangement, Table};

/// The plan as people read it.
pub fn plan(plan: &Plan, notes: &[String], width: u16) -> String {
    let mut text = String::new();
    let mut line = |part: String| {
        text.push_str(&part);
        text.push('\n');
    };
    let about = plan.about.as_ref().map(|about| format!(": {about}")).unwrap_or_default();
    line(format!("{}{about}", plan.name));
    let mut field = |name: &str, text: String| line(entry(name, &text, usize::from(width)));
    field("asks", asks(plan));
    field("load", load(plan));
    if let LoadPlan::Open(open) = &plan.load {
        field("arrivals", arrivals(plan, open));
    }
    field("waits", waits(plan));
    field("lasts", lasts(plan));
    field("order", order(plan));
    field("workload", workload(plan));
    if let Some(tokens) = &plan.workload.tokens {
        if let Some(recorded) = &tokens.recorded {
            field("trace", trace(recorded));
        }
        field("tokens", wanted(plan, tokens));
    }
    field("hash", plan.workload.hash.clone());
    field("seed", plan.seed.to_string());
    for gate in &plan.gates.all {
        field("gate", gate.text.clone());
    }
    for (name, gates) in &plan.gates.tiers {
        let texts: Vec<&str> = gates.iter().map(|gate| gate.text.as_str()).collect();
        field("tier", format!("{name}: {}", texts.join(", ")));
    }
    line(String::new());
    line(targets(plan, width));
    let width = usize::from(width);
    for target in plan.targets.iter().filter(|target| target.stand_in) {
        let sentence = format!("STAND-IN: `{}` is loadcmp's embedded stand-in; its timing is made up", target.name);
        line(set_in(&sentence, width));
    }
    for target in &plan.targets {
        for inequality in &target.inequalities {
            line(set_in(&format!("{}: {inequality}", target.name), width));
        }
    }
    if let Some(words) = templates(plan) {
        line(entry("template", &words, width));
    }
    for note in notes {
        line(set_in(&format!("note: {note}"), width));
    }
    line("No load was sent.".to_owned());
    text
}

/// How many different prompts there are, and the examples that stand in each.
fn workload(plan: &Plan) -> String {
    let work = &plan.workload;
    let prompts = format!("{} from {}", human::counted(work.items as u64, "prompt", "prompts"), work.source);
    match work.examples.len() {
        0 => prompts,
        n => format!("{prompts}; {n} others are used as examples in each prompt ({})", work.examples.join(", ")),
    }
}

/// How many tokens the prompts are to have, and how that is reached.
fn wanted(plan: &Plan, tokens: &TokensPlan) -> String {
    let TokensPlan { wanted, by, around, exact, .. } = tokens;
    let Some(by) = by else {
        let reference = plan.targets.get(plan.reference).map_or("the reference", |target| target.name.as_str());
        return format!(
            "{wanted} in each whole prompt: before the load, a run asks `{reference}`, or else another target, for its \
             token counts, with 2 requests of one output token (at most {MOST_TRIALS}); if none counts tokens, a word \
             counts as a token"
        );
    };
    let met = if *exact { "" } else { "about " };
    format!(
        "{met}{wanted} in each whole prompt as `{by}` counts them with /tokenize, {around} of them template and \
             other text around the prompt"
    )
}

/// A record of lengths.
fn trace(recorded: &RecordedPlan) -> String {
    let RecordedPlan { kind, requests, seconds, prompts, answers, shared, left_out, .. } = recorded;
    let span = about(std::time::Duration::from_secs_f64(seconds.clamp(0.0, 1e9)));
    let shared = if *shared { "; prompts share the recorded blocks" } else { "" };
    let left_out: String = left_out.iter().map(|what| format!("; {what}")).collect();
    format!(
        "{kind} of {} requests in {span}: prompts of {prompts} tokens, answers of {answers}{shared}{left_out}",
        human::count(*requests)
    )
}

fn asks(plan: &Plan) -> String {
    let workload = &plan.workload;
    let task = match plan.task {
        Task::Classify => {
            let how = if workload.constrain == Constrain::Schema { "by a schema" } else { "as free text" };
            format!("for one of {} labels, {how}", workload.labels.len())
        }
        Task::Embed => return "for one vector per text".to_owned(),
        Task::Generate if workload.schema.is_some() => "for JSON by a schema".to_owned(),
        Task::Generate => "for text".to_owned(),
        Task::Chat if workload.schema.is_some() => "for each turn of a conversation, as JSON by a schema".to_owned(),
        Task::Chat => "for each turn of a conversation".to_owned(),
    };
    let sampling = &workload.sampling;
    let stream = if workload.stream { "streamed" } else { "whole answers" };
    format!(
        "{task}, {stream}, prompts as {}, at most {} tokens, temperature {}, cache {}",
        word(&workload.format),
        sampling.max_tokens,
        sampling.temperature,
        word(&workload.prompt_cache)
    )
}

/// A sentence in lines of at most `width` columns, all of them set in.
fn set_in(text: &str, width: usize) -> String {
    after("  ", text, "  ", width)
}

/// A named fact in lines of at most `width` columns, the later ones below the first one's text.
fn entry(name: &str, text: &str, width: usize) -> String {
    after(&format!("  {name:<9} "), text, "", width)
}

/// A text that begins after `head` and stays right of it, in lines of at most `width` columns; the later ones begin with `indent`.
fn after(head: &str, text: &str, indent: &str, width: usize) -> String {
    let (mut lines, columns) = (Vec::new(), head.chars().count());
    // Into memory: it can't fail.
    let _ = wrapped(&mut lines, text, width.saturating_sub(columns), indent);
    let lines = String::from_utf8_lossy(&lines).trim_end().replace('\n', &format!("\n{:columns$}", ""));
    format!("{head}{lines}")
}

fn unit(plan: &Plan) -> &'static str {
    if plan.task == Task::Chat { "conversations" } else { "requests" }
}

fn load(plan: &Plan) -> String {
    let until = match (plan.load.until(), plan.least) {
        (Until::Duration(_), _) => format!("for {}", length_words(plan, "")),
        (Until::Requests(count), None) => format!("{} {} each", human::count(count), unit(plan)),
        (Until::Requests(count), Some(_)) => format!("at most {} {} each", human::count(count), unit(plan)),
    };
    let load = match &plan.load {
        LoadPlan::Closed(closed) => {
            format!("closed loop, {} each", human::counted(closed.users.into(), "user", "users"))
        }
        LoadPlan::Open(open) => format!("open loop, {} each", open.about),
    };
    format!("{load}, {until} after {} of warm-up{}", span(plan.load.warmup()), early_words(plan))
}

fn waits(plan: &Plan) -> String {
    let timeout = if plan.timeout_auto {
        format!("{} for an answer, or longer where the first answers ask for it (`timeout: auto`)", span(plan.timeout))
    } else {
        format!("{} for an answer", span(plan.timeout))
    };
    let drain = if plan.drain_auto { "as long as for an answer".to_owned() } else { span(plan.drain) };
    format!(
        "{timeout}, {} for a target's first one (which may load the model), {drain} for those in flight at the end",
        span(plan.load_timeout)
    )
}

fn lasts(plan: &Plan) -> String {
    match plan.load_range() {
        None => "as long as its requests take".to_owned(),
        Some((least, most)) if least == most => format!("about {}", about(most)),
        Some((least, most)) => format!("from about {} to about {}", about(least), about(most)),
    }
}

fn arrivals(plan: &Plan, open: &OpenPlan) -> String {
    let pacing = match open.pacing {
        Pacing::Timer => "",
        Pacing::Precise => ", paced precisely",
    };
    let OpenPlan { planned, in_flight, hash, spec, .. } = open;
    if spec.rate == Some(Rate::Auto) {
        return format!("measured before the load, at most {in_flight} in flight{pacing}");
    }
    format!("{planned} {} each, at most {in_flight} in flight{pacing}, hash {hash}", unit(plan))
}

fn order(plan: &Plan) -> String {
    let blocks = &plan.blocks;
    match plan.order {
        _ if plan.interference => {
            "all targets at once, then one after another: the cost of sharing the machine".to_owned()
        }
        Order::Concurrent => "all targets at once".to_owned(),
        Order::Isolated => "one target after another".to_owned(),
        Order::Alternate => format!(
            "{}, {} pause between blocks, {} of warm-up before each except a target's first",
            blocks_words(plan),
            span(blocks.settle),
            span(blocks.warmup)
        ),
    }
}

/// Whether the engines put like templates around the prompts, as far as they tell. Where they differ, a note shows how.
fn templates(plan: &Plan) -> Option<String> {
    if plan.targets.len() < 2 || !has_templates(plan) {
        return None;
    }
    let (told, silent): (Vec<_>, Vec<_>) = plan.targets.iter().partition(|target| target.facts.template.is_some());
    let names = |of: &[&TargetPlan]| of.iter().map(|target| target.label()).collect::<Vec<_>>().join(", ");
    let mut words = match told.windows(2).all(|pair| pair[0].facts.template == pair[1].facts.template) {
        _ if told.len() < 2 => "not compared".to_owned(),
        true => format!("{} render a prompt identically", names(&told)),
        false => format!("{} render a prompt differently", names(&told)),
    };
    if !silent.is_empty() {
        words.push_str(&format!("; not reported by {}: a run compares prompt token counts", names(&silent)));
    }
    Some(words)
}

fn targets(plan: &Plan, width: u16) -> String {
    let mut table = Table::new();
    let style = comfy_table::presets::NOTHING.header_separator(comfy_table::LineStyle::none().fill('─').junction('─'));
    table.load_style(style).set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    let names = plan.targets.iter().enumerate().map(|(number, target)| {
        let mark = if number == plan.reference && plan.targets.len() > 1 { ", reference" } else { "" };
        format!("{}{mark}", target.label())
    });
    table.set_header(std::iter::once(String::new()).chain(names));
    type Fact = fn(&TargetPlan) -> Option<String>;
    let facts: [(&str, Fact); 12] = [
        ("wire", |t| Some(t.wire().to_owned())),
        ("at", |t| Some(t.endpoint.to_string())),
        ("engine", |t| t.facts.engine.clone()),
        ("version", |t| t.facts.version.clone()),
        ("model", |t| Some(t.model.clone())),
        ("family", |t| t.facts.family.clone()),
        ("parameters", |t| t.facts.parameters.clone()),
        ("quantisation", |t| t.facts.quantization.clone()),
        ("size", super::repeat::size),
        ("context", |t| t.facts.context.map(|n| format!("{n} tokens"))),
        ("slots", |t| t.facts.slots.map(|n| n.to_string())),
        ("loaded", |t| t.facts.loaded.map(|loaded| if loaded { "yes" } else { "no" }.to_owned())),
    ];
    for (name, fact) in facts {
        // What an engine says of itself may hold anything.
        let shown = |text: String| human::printable(&text);
        let cells = plan.targets.iter().map(|target| fact(target).map_or_else(|| "not reported".to_owned(), shown));
        table.add_row(std::iter::once(name.to_owned()).chain(cells));
    }
    // What few engines tell has a row only where one does.
    for name in ["threads", "batch", "flash_attention", "kv_cache_k", "cache_ram_mib"] {
        let values: Vec<_> = plan.targets.iter().map(|target| target.facts.setting(name)).collect();
        if values.iter().any(Option::is_some) {
            let cells = values.into_iter().map(|value| value.unwrap_or("not reported").to_owned());
            table.add_row(std::iter::once(name.replace('_', " ")).chain(cells));
        }
    }
    let text = table.to_string();
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::plan::{ClosedPlan, TargetPlan};
    use crate::scenario::{BlocksSpec, Share, Span};
    use std::time::Duration;

    fn shown(change: impl Fn(&mut Plan)) -> String {
        let mut made = crate::stats::fixture::plan(Task::Generate, false);
        change(&mut made);
        let shown = plan(&made, &[], 80);
        let longest = shown.lines().map(|line| line.chars().count()).max();
        assert!(longest <= Some(80), "{longest:?}\n{shown}");
        shown.split("\n\n").next().unwrap_or_default().to_owned()
    }

    fn open(plan: &mut Plan) {
        let spec = r#"{"rate": 20, "duration": "1m", "warmup": "5s", "in_flight": 64, "pacing": "precise"}"#;
        plan.load = LoadPlan::Open(Box::new(OpenPlan {
            about: "Poisson, 20/s".to_owned(),
            spec: serde_json::from_str(spec).unwrap(),
            duration: Span(Duration::from_secs(60)),
            warmup: Span(Duration::from_secs(5)),
            in_flight: 64,
            pacing: Pacing::Precise,
            planned: 1213,
            hash: "5e".repeat(32),
        }));
    }

    #[test]
    fn an_open_loop_in_80_columns() {
        insta::assert_snapshot!(shown(open));
    }

    #[test]
    fn blocks_that_may_end_early_in_80_columns() {
        insta::assert_snapshot!(shown(|plan| {
            plan.order = Order::Alternate;
            plan.blocks = BlocksSpec::default();
            plan.until_ci = Some(Share(0.05));
            plan.load = LoadPlan::Closed(ClosedPlan {
                users: 4,
                until: Until::Requests(2000),
                think: Span::default(),
                warmup: Span(Duration::from_secs(3)),
            });
        }));
    }

    #[test]
    fn the_other_orders() {
        let order = |change: &dyn Fn(&mut Plan)| {
            let text = shown(change);
            let found = text.split("  order     ").nth(1).and_then(|rest| rest.split("\n  w").next());
            found.unwrap_or_default().to_owned()
        };
        assert_eq!(order(&|_| {}), "all targets at once");
        assert_eq!(order(&|plan| plan.order = Order::Isolated), "one target after another");
        assert!(order(&|plan| plan.interference = true).starts_with("all targets at once, then one after another"));
        let three = order(&|plan| {
            plan.order = Order::Alternate;
            let more: Vec<TargetPlan> = plan.targets.iter().take(1).cloned().collect();
            plan.targets.extend(more);
        });
        assert!(three.starts_with("10 blocks of each, A B C C B A,"), "{three}");
    }
}
