//! The plan, for a look before any load is sent: what `loadcmp check` prints.

use crate::report::human;
use crate::scenario::plan::{LoadPlan, Plan, TargetPlan, Until};
use crate::scenario::{Order, Task};
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
    line(format!("  asks      {}", asks(plan)));
    line(format!("  load      {}", load(plan)));
    line(format!(
        "  workload  {} prompts from {}, hash {}",
        plan.workload.items, plan.workload.source, plan.workload.hash
    ));
    line(format!("  seed      {}", plan.seed));
    line(String::new());
    line(targets(plan, width));
    for target in plan.targets.iter().filter(|target| target.stand_in) {
        line(format!("  STAND-IN: `{}` is loadcmp's embedded engine; its timing is made up", target.name));
    }
    for target in &plan.targets {
        for inequality in &target.inequalities {
            line(format!("  {}: {inequality}", target.name));
        }
    }
    for note in notes {
        line(format!("  note: {note}"));
    }
    line("No load was sent.".to_owned());
    text
}

fn asks(plan: &Plan) -> String {
    let workload = &plan.workload;
    let task = match plan.task {
        Task::Classify => format!("for one of {} labels", workload.labels.len()),
        Task::Embed => return "for a vector of each text".to_owned(),
        Task::Generate => "for text".to_owned(),
        Task::Chat => "for each turn of conversations".to_owned(),
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

/// The word a value has in the YAML.
fn word(value: &impl serde::Serialize) -> String {
    let told = serde_json::to_value(value).unwrap_or_default();
    told.as_str().unwrap_or_default().replace('_', " ")
}

fn load(plan: &Plan) -> String {
    let unit = if plan.task == Task::Chat { "conversations" } else { "requests" };
    let until = match plan.load.until() {
        Until::Duration(length) => format!("for {length}"),
        Until::Requests(count) => format!("{count} {unit} each"),
    };
    let order = match plan.order {
        Order::Concurrent => "all targets at once",
        Order::Isolated => "one target after another",
        Order::Alternate => "targets in alternating blocks",
    };
    let load = match &plan.load {
        LoadPlan::Closed(closed) => format!("closed loop, {} users each", closed.users),
        LoadPlan::Open(open) => format!("open loop, {} each", open.about),
    };
    format!("{load}, {until} after {} of warm-up, {order}; a request may take {}", plan.load.warmup(), plan.timeout)
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
        ("size", |t| t.facts.size_bytes.map(human::bytes)),
        ("context", |t| t.facts.context.map(|n| format!("{n} tokens"))),
        ("slots", |t| t.facts.slots.map(|n| n.to_string())),
        ("loaded", |t| t.facts.loaded.map(|loaded| if loaded { "yes" } else { "no" }.to_owned())),
    ];
    for (name, fact) in facts {
        // What an engine says of itself may hold anything.
        let clean = |text: String| text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
        let cells = plan.targets.iter().map(|target| fact(target).map_or_else(|| "not told".to_owned(), clean));
        table.add_row(std::iter::once(name.to_owned()).chain(cells));
    }
    let text = table.to_string();
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}
