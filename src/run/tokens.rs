//! Prompts of wanted numbers of tokens: asks an engine, in a few questions, what its tokeniser makes of the commonest words,
//! and makes the prompts of that. The same texts for all targets.

use super::prepare::Prepared;
use super::say::wrapped;
use super::wanting::Wanting;
use super::{Failure, tell};
use crate::record::Stopwatch;
use crate::scenario::plan::{Plan, TargetPlan};
use crate::scenario::{PromptCache, TokensPlan};
use crate::target::discover::{may_tokenize, settings, tokenized};
use crate::target::{Ask, Link, Target};
use crate::workload::{Fit, Item, MOST_TRIALS, WordSearch, Workload, trial};
use std::sync::Arc;
use std::time::Duration;

/// Longest a connection for a question may take.
const CONNECT: Duration = Duration::from_secs(5);

/// What may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asking {
    /// Tokenisers alone: nothing is generated.
    Tokenisers,
    /// Requests of one output token, where there is no tokeniser to ask.
    Requests,
}

/// Makes the prompts of a plan as long as they are wanted, if their lengths are given in tokens.
///
/// # Errors
/// What is wanted can't be had: a prompt shorter than its template, or longer than an engine's context.
pub(super) async fn fit(prepared: &mut Prepared, asking: Asking, quiet: bool) -> Result<(), Failure> {
    let Some(wanting) = prepared.wanting.clone() else { return Ok(()) };
    let Some(mut tokens) = wanting.plan() else { return Ok(()) };
    // Nonces are written in another way from here on.
    prepared.plan.workload.tokens = Some(tokens.clone());
    let mut found = None;
    // A look can't know whether the first will tell its counts: it asks no other, so that it says what a run will do.
    let looks = if asking == Asking::Tokenisers { 1 } else { usize::MAX };
    for at in asked_in_turn(&prepared.plan).take(looks) {
        found = searched(&mut prepared.plan, at, &wanting, asking, quiet).await.map(|(fit, search)| (at, fit, search));
        if found.is_some() {
            break;
        }
    }
    let fit = match found {
        Some((at, fit, search)) => {
            let target = &prepared.plan.targets[at];
            let tokenised = may_tokenize(target);
            tokens.by = Some(target.name.clone());
            tokens.how = Some(if tokenised { "/tokenize" } else { "requests" }.to_owned());
            (tokens.questions, tokens.around, tokens.exact) = (search.asked(), fit.base, fit.exact);
            fit
        }
        None => Fit::guess(),
    };
    refuse(&prepared.plan, &tokens, &fit)?;
    if asking == Asking::Requests && !quiet {
        told(&tokens).into_iter().for_each(|words| tell(wrapped(&format!("loadcmp: {words}"))));
    }
    let plan = &mut prepared.plan;
    let items = wanting.items(plan.seed, &fit);
    plan.workload.tokens = Some(tokens);
    let workload = of(plan, items).showing(wanting.shown(plan.seed, &fit));
    (plan.workload.items, plan.workload.hash) = (workload.items().len(), workload.hash());
    prepared.workload = Arc::new(workload);
    Ok(())
}

/// The targets in the order they are asked: the reference, then the others.
fn asked_in_turn(plan: &Plan) -> impl Iterator<Item = usize> + use<> {
    let (reference, count) = (plan.reference, plan.targets.len());
    std::iter::once(reference).chain((0..count).filter(move |at| *at != reference)).filter(move |at| *at < count)
}

/// Asks one target; `None` where it doesn't tell.
async fn searched(
    plan: &mut Plan,
    at: usize,
    wanting: &Wanting,
    asking: Asking,
    quiet: bool,
) -> Option<(Fit, WordSearch)> {
    let target = plan.targets.get(at)?.clone();
    let instruction = wanting.instruction.as_deref();
    let bust = plan.workload.prompt_cache == PromptCache::Bust;
    let (mut search, mut number) = (WordSearch::default(), 0);
    let tokenises = may_tokenize(&target);
    if !tokenises && asking == Asking::Tokenisers {
        return None;
    }
    if !tokenises && !quiet {
        tell(wrapped(&format!(
            "loadcmp: asking `{}` how many tokens its prompts have: 2 requests of one output token, at most \
             {MOST_TRIALS}",
            target.name
        )));
    }
    while let Some(words) = search.next() {
        let item = trial(&words, instruction);
        let told = if tokenises {
            let nonce = of(plan, vec![item.clone()]).unit(crate::record::Phase::Cold, number).nonce;
            tokenized(plan, &target, &item, nonce).await
        } else {
            tokens_of(plan, &target, item, number).await
        };
        search.told(told?);
        number += 1;
    }
    if !tokenises {
        // Its model is loaded now: its context is known.
        let told = settings(&target).await;
        if let Some(context) = told.context.filter(|_| target.same_as.is_none()) {
            plan.targets[at].facts.context = Some(context);
        }
    }
    Some((search.fit(bust)?, search))
}

/// What an engine counts of a prompt that it is asked over the wire that is measured.
async fn tokens_of(plan: &Plan, target: &TargetPlan, item: Item, number: u64) -> Option<u64> {
    let mut plan = plan.clone();
    plan.workload.sampling.max_tokens = 1;
    plan.workload.stream = false;
    let workload = Arc::new(of(&plan, vec![item]));
    let unit = workload.unit(crate::record::Phase::Cold, number);
    let asked = Target::new(&plan, target, workload, Stopwatch::start()).ok()?;
    let body = asked.body(&Ask { item: unit.item, turn: 0, nonce: unit.nonce, history: None });
    let mut link = Link::default();
    tokio::time::timeout(CONNECT, asked.connect(&mut link)).await.ok()?.ok()?;
    // The model may have to be loaded for the first one.
    let patience = if number == 0 { plan.load_timeout } else { plan.timeout };
    let told = asked.exchange(&mut link, body, tokio::time::sleep(patience.0)).await;
    told.answer.prompt_tokens.filter(|_| told.outcome.answered())
}

/// A workload of some items, with the plan's seed and rules.
fn of(plan: &Plan, items: Vec<Item>) -> Workload {
    let asked = &plan.workload;
    let salt = u64::from_str_radix(&asked.nonce_salt, 16).unwrap_or(plan.seed);
    Workload::new(items, plan.seed, salt, asked.system.as_deref(), &asked.sampling, asked.prompt_cache)
}

/// Refuses what can't be had.
fn refuse(plan: &Plan, tokens: &TokensPlan, fit: &Fit) -> Result<(), Failure> {
    let (longest, by) = (tokens.longest, tokens.by.as_deref().unwrap_or_default());
    let (own, least) = (longest - tokens.prefix.map_or(0, |prefix| u64::from(prefix.tokens)), fit.least(tokens.prefix));
    if own < least {
        let behind = if tokens.prefix.is_some() { ", plus 8 for the nonce after the prefix" } else { "" };
        return Err(Failure::Usage(format!(
            "error: prompts of {own} tokens are too short: template, system message, instruction and nonce alone are \
             {} tokens on `{by}`{behind}\n  ask for {least} tokens or more, or write `format: raw`",
            fit.base
        )));
    }
    let output = if plan.task == crate::scenario::Task::Embed { 0 } else { plan.workload.sampling.max_tokens.into() };
    // Of a record, the longest prompt and the longest answer need not be of one request.
    let whole = tokens.recorded.as_ref().map_or(longest + output, |recorded| recorded.longest);
    let narrow = plan.targets.iter().find_map(|target| {
        let context = target.facts.context.filter(|context| whole > *context)?;
        Some((target, context))
    });
    match narrow {
        None => Ok(()),
        Some((target, context)) => {
            let what = match &tokens.recorded {
                None => format!("prompts of {longest} with up to {output} of answer"),
                Some(_) => format!("requests of up to {whole} with their answers"),
            };
            let fewer = match &tokens.recorded {
                None => "ask for fewer tokens".to_owned(),
                Some(_) => format!("leave them out with `--set workload.prompts.trace.longest={context}`"),
            };
            Err(Failure::Usage(format!(
                "error: `{}` has a context of {context} tokens, and {what} don't fit\n  {fewer}, or start it with a \
                 larger context",
                target.name
            )))
        }
    }
}

/// What is said of how the prompts were made.
fn told(tokens: &TokensPlan) -> Option<String> {
    let TokensPlan { wanted, by, around, exact, questions, .. } = tokens;
    Some(match by {
        None => format!(
            "no target reports how many tokens a prompt has: prompts of {wanted} tokens are made of as many words"
        ),
        Some(by) if *exact => {
            format!(
                "prompts of {wanted} tokens as `{by}` counts them, {around} of them template and other text around the \
                 prompt ({questions} questions)"
            )
        }
        Some(by) => format!(
            "prompts of about {wanted} tokens ({questions} questions): `{by}` counts several tokens for common words, \
             so the number can't be exact"
        ),
    })
}
