//! The bars: one a target, on standard error, drawn by a thread of their own from a view that the recorder fills. They
//! are off when nobody looks: a pipe and CI get a line every half minute, `--quiet` nothing.

use super::lock;
use super::sized::{self, Far};
use crate::drive::{FirstRequest, Found, Why, Window};
use crate::metrics::human;
use crate::record::{Nanos, Phase, Sample};
use crate::report::lasting::{answers_words, early_words, found_words, length_words};
use crate::report::words::about;
use crate::scenario::plan::{ClosedPlan, LoadPlan, Plan, Until};
use crate::scenario::{Least, Order, Share, Span};
use crate::stats::Distribution;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// Columns that the words beside a bar take.
const WORDS: usize = 50;

/// How often the bars are drawn.
const TICK: Duration = Duration::from_millis(200);
/// How often there is a line where there are no bars.
const LINE: Duration = Duration::from_secs(30);

/// What there is to see of each target so far.
pub(super) struct View {
    targets: Vec<Mutex<Seen>>,
    /// The target that the last row was of.
    turn: AtomicUsize,
    /// How far ahead the first window opens, from when it was known.
    opens: Mutex<Option<Duration>>,
    /// How long it is, once it is known of a run that finds its own length.
    found: Mutex<Option<Found>>,
}

#[derive(Default)]
struct Seen {
    measured: u64,
    /// Units begun by a first turn: conversations for a chat, else requests.
    units: u64,
    errors: u64,
    answers: u64,
    tokens: u64,
    /// Requests in a row that failed, up to the last.
    failed_in_a_row: u64,
    warmed: bool,
    /// Number of the block that the last row was of.
    block: u32,
    first_us: f64,
    last_us: f64,
    latency: Distribution,
    ttft: Distribution,
}

impl View {
    fn new(targets: usize) -> Self {
        Self {
            targets: (0..targets).map(|_| Mutex::default()).collect(),
            turn: AtomicUsize::new(0),
            opens: Mutex::default(),
            found: Mutex::default(),
        }
    }

    /// Takes one row.
    pub(super) fn take(&self, sample: &Sample) {
        let Some(seen) = self.targets.get(sample.target) else { return };
        let mut seen = lock(seen);
        seen.warmed |= sample.phase != Phase::Cold;
        seen.block = sample.block;
        self.turn.store(sample.target, Relaxed);
        if sample.phase != Phase::Measure {
            return;
        }
        if seen.measured == 0 {
            seen.first_us = sample.stamps.planned.micros();
        }
        seen.measured += 1;
        seen.units += u64::from(sample.turn.is_none_or(|turn| turn == 1));
        seen.last_us = sample.stamps.end.map_or(seen.last_us, |end| seen.last_us.max(end.micros()));
        match sample.latency() {
            Some(latency) if sample.outcome.answered() => {
                seen.answers += 1;
                seen.failed_in_a_row = 0;
                seen.tokens += sample.output_tokens.unwrap_or(0);
                seen.latency.record(latency.0 as f64);
                if let Some(ttft) = sample.ttft() {
                    seen.ttft.record(ttft.0 as f64);
                }
            }
            _ => {
                seen.errors += u64::from(sample.outcome.failed());
                seen.failed_in_a_row += u64::from(sample.outcome.failed());
            }
        }
    }
}

impl View {
    /// Most measured requests of a target that failed in a row, up to its last.
    pub(super) fn failed_in_a_row(&self) -> u64 {
        self.targets.iter().map(|seen| lock(seen).failed_in_a_row).max().unwrap_or(0)
    }
}

/// The bars of a run.
pub(super) struct Progress {
    view: Arc<View>,
    bars: MultiProgress,
    lines: Vec<ProgressBar>,
    shown: bool,
    quiet: bool,
    plan: Shape,
    thread: Mutex<Option<(Arc<AtomicBool>, JoinHandle<()>)>>,
}

/// What of the plan decides how a bar fills.
#[derive(Clone, Copy)]
struct Shape {
    until: Until,
    isolated: bool,
    /// Blocks of each target, in alternating order.
    blocks: Option<u32>,
    /// What a run that finds its own length has to measure in any case, and the precision that it waits for.
    least: Option<Least>,
    ci: Option<Share>,
}

impl Progress {
    /// Sets up the bars, if anybody looks.
    pub(super) fn start(plan: &Plan, quiet: bool) -> Self {
        let ci = std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false");
        let shown = !quiet && !ci && std::io::stderr().is_terminal();
        let bars = MultiProgress::with_draw_target(if shown {
            ProgressDrawTarget::stderr_with_hz(5)
        } else {
            ProgressDrawTarget::hidden()
        });
        let width = plan.targets.iter().map(|t| t.label().chars().count()).max().unwrap_or(0);
        // Room for the words first: what doesn't fit would be cut off.
        let columns =
            terminal_size::terminal_size_of(std::io::stderr()).map_or(80, |(columns, _)| usize::from(columns.0));
        let bar = columns.saturating_sub(width + WORDS + 4).clamp(4, 30);
        let template = format!("{{prefix}} [{{bar:{bar}}}] {{wide_msg}}");
        let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let line = |label: String| {
            let bar = bars.add(ProgressBar::new(1000));
            bar.set_style(style.clone().progress_chars("=> "));
            bar.set_prefix(format!("{label:width$}"));
            bar
        };
        let lines = plan.targets.iter().map(|target| line(target.label())).collect();
        let plan_shape = Shape {
            until: plan.load.until(),
            isolated: plan.order != Order::Concurrent,
            blocks: (plan.order == Order::Alternate).then_some(plan.blocks.pairs),
            least: plan.least,
            ci: plan.until_ci.filter(|_| plan.order != Order::Isolated),
        };
        let view = Arc::new(View::new(plan.targets.len()));
        if !quiet && !shown {
            super::tell(super::prepare::wrapped(&format!("loadcmp: {}", headline(plan))));
        }
        Self { view, bars, lines, shown, quiet, plan: plan_shape, thread: Mutex::default() }
    }

    /// The view that the recorder fills.
    pub(super) fn view(&self) -> Arc<View> {
        self.view.clone()
    }

    /// A word on what is going on before the load.
    pub(super) fn say(&self, text: &str) {
        for line in &self.lines {
            line.set_message(text.to_owned());
            line.tick();
        }
    }

    /// Says something that stays, above the bars where there are some: also to who wants to hear of nothing but the result,
    /// for he asked by a signal.
    pub(super) fn tell(&self, text: &str) {
        if !self.shown || self.bars.println(text).is_err() {
            super::tell(text);
        }
    }

    /// Says something that stays, unless nothing but the result is wanted.
    pub(super) fn note(&self, text: &str) {
        if !self.quiet {
            self.tell(text);
        }
    }

    /// Every prompt is asked once before the load.
    pub(super) fn warming(&self, prompts: usize) {
        let text = format!("sending every prompt once before the load ({prompts}, `prompt_cache: warm`)");
        if !self.quiet && !self.shown {
            super::tell(super::prepare::wrapped(&format!("loadcmp: {text}")));
        }
        self.say(&text);
    }

    /// A window is known, at `now`.
    pub(super) fn opened(&self, window: Window, now: Nanos) {
        lock(&self.view.opens).get_or_insert(Duration::from_nanos(window.from.since(now).0));
    }

    /// A run that finds its own length has found it, or found it anew.
    pub(super) fn found(&self, plan: &Plan, found: Found) {
        let before = lock(&self.view.found).replace(found);
        // Where no ratio is waited for, it is what was said at the beginning.
        if before.is_none() && found.why != Why::Least && !self.quiet && !self.shown {
            let Found { answers, .. } = found;
            let answers = answers_words(answers);
            let text = format!("loadcmp: {answers} each so far; measuring for {}", found_words(plan, &found));
            super::tell(super::prepare::wrapped(&text));
        }
    }

    /// A first answer is still waited for, which is heard every second; or its request failed, and is sent again.
    pub(super) fn first(&self, told: FirstRequest<'_>) {
        match told {
            FirstRequest::Waiting { name, seconds, limit } => {
                let limit = limit_words(limit);
                let text = format!("waiting for the first answer of `{name}`: {seconds} s (limit {limit})");
                if self.shown {
                    self.say(&text);
                } else if !self.quiet && told_at(seconds) {
                    super::tell(format_args!("loadcmp: {text}"));
                }
            }
            FirstRequest::Again { name, outcome, why, pause, tries: (next, all) } => {
                let text = format!(
                    "loadcmp: the first request to `{name}` failed ({}): {why}; sent again in {:.0} s (try {next} of {all})",
                    outcome.as_str(),
                    pause.as_secs_f64().ceil()
                );
                if !self.quiet {
                    self.bars.suspend(|| super::tell(super::prepare::wrapped(&text)));
                }
            }
        }
    }

    /// The load begins: draws from now on.
    pub(super) fn load(&self) {
        if self.quiet {
            return;
        }
        let (stop, shown) = (Arc::new(AtomicBool::new(false)), self.shown);
        let (told, view, lines, shape) = (stop.clone(), self.view.clone(), self.lines.clone(), self.plan);
        let tick = if shown { TICK } else { Duration::from_secs(1) };
        let draw = move || {
            let mut elapsed = Duration::ZERO;
            // When the window opened, as the bars count.
            let mut opened = None;
            while !told.load(Relaxed) {
                let turn = view.turn.load(Relaxed);
                opened = opened.or_else(|| lock(&view.opens).map(|ahead| elapsed + ahead));
                let found = *lock(&view.found);
                let measured = opened.map_or(Duration::ZERO, |at| elapsed.saturating_sub(at));
                let mut said = Vec::new();
                for (number, (seen, line)) in view.targets.iter().zip(&lines).enumerate() {
                    let seen = lock(seen);
                    let (share, text) = told_of(&seen, shape, measured, number == turn, found);
                    line.set_position((share * 1000.0) as u64);
                    said.push(format!("{}: {}", line.prefix().trim_end(), one_line(&text)));
                    line.set_message(text);
                }
                if !shown && !elapsed.is_zero() && elapsed.as_millis().is_multiple_of(LINE.as_millis()) {
                    super::tell(format_args!("loadcmp: {} s; {}", elapsed.as_secs(), said.join("; ")));
                }
                std::thread::park_timeout(tick);
                elapsed += tick;
            }
        };
        if let Ok(thread) = std::thread::Builder::new().name("progress".into()).spawn(draw) {
            *lock(&self.thread) = Some((stop, thread));
        }
    }

    /// Takes the bars away: the result follows.
    pub(super) fn finish(&self) {
        if let Some((stop, thread)) = lock(&self.thread).take() {
            stop.store(true, Relaxed);
            thread.thread().unpark();
            let _ = thread.join();
        }
        for line in &self.lines {
            line.finish_and_clear();
        }
        let _ = self.bars.clear();
    }
}

/// Whether it is told after so many seconds where every time is a line: at first every few, later every half minute.
fn told_at(seconds: u64) -> bool {
    match seconds {
        0..30 => seconds.is_multiple_of(3),
        _ => seconds.is_multiple_of(30),
    }
}

fn limit_words(limit: Span) -> String {
    let seconds = limit.0.as_secs();
    if seconds >= 120 && seconds.is_multiple_of(60) { format!("{} min", seconds / 60) } else { limit.to_string() }
}

/// How full a bar is, and what stands beside it, when so much of the window is over; `turn` = the last row was this target's.
fn told_of(seen: &Seen, shape: Shape, measured: Duration, turn: bool, found: Option<Found>) -> (f64, String) {
    if seen.measured == 0 {
        let text = match (seen.warmed, shape.isolated) {
            (true, _) => "warming up",
            (false, true) => "waiting for its turn",
            (false, false) => "starting",
        };
        return (0.0, text.to_owned());
    }
    let seconds = ((seen.last_us - seen.first_us) / 1e6).max(1e-3);
    let done = if shape.isolated { seconds } else { measured.as_secs_f64() };
    if let Some(least) = shape.least {
        let time = Duration::try_from_secs_f64(done).ok().filter(|_| shape.blocks.is_none());
        let most = match shape.until {
            Until::Duration(most) => Some(most),
            Until::Requests(_) => None,
        };
        // What was found of a target that had its turn before says nothing of this one.
        let found = found.filter(|_| shape.ci.is_some());
        let (share, text) = sized::told(&Far { answers: seen.answers, time, least, most, ci: shape.ci, found });
        let block = shape.blocks.map(|_| format!("block {}, ", seen.block + 1)).unwrap_or_default();
        // In blocks, the time between is the others'.
        let so_far = one_line(&so_far(seen, Some(seconds).filter(|_| shape.blocks.is_none())));
        return (share.min(1.0), format!("{block}{text}  {so_far}  {}", told_errors(seen.errors)));
    }
    if let Some(blocks) = shape.blocks {
        let share = f64::from(seen.block + u32::from(!turn)) / f64::from(blocks.max(1));
        let now = if turn { "" } else { " done, waiting for its turn" };
        let errors = told_errors(seen.errors);
        return (share.min(1.0), format!("block {} of {blocks}{now}  {errors}", seen.block + 1));
    }
    let (share, ahead) = match shape.until {
        Until::Requests(limit) => (seen.units as f64 / limit.max(1) as f64, format!("{}/{limit}", seen.units)),
        Until::Duration(length) => {
            let left = (length.0.as_secs_f64() - done).max(0.0);
            let ahead = if left > 0.0 { format!("{:.0} s left", left.ceil()) } else { "draining".to_owned() };
            (done / length.0.as_secs_f64(), ahead)
        }
    };
    let so_far = so_far(seen, Some(seconds));
    let errors = told_errors(seen.errors);
    (share.min(1.0), format!("{ahead:>9}  {so_far}  {errors}"))
}

/// What a target has done so far: tokens per second and TTFT where its answers have any, else answers per second and latency.
/// `seconds` is how long it has been at work, where that is one stretch.
fn so_far(seen: &Seen, seconds: Option<f64>) -> String {
    let half = |times: &Distribution| times.quantile(0.5).map_or_else(|| "-".to_owned(), |ns| human::time(ns / 1e3));
    let rate = seconds.map(|seconds| match seen.tokens {
        0 => format!("{:>7.1}/s  ", seen.measured as f64 / seconds),
        tokens => format!("{:>6.1} tok/s  ", tokens as f64 / seconds),
    });
    let time = match seen.ttft.n() {
        0 => format!("p50 {:>9}", half(&seen.latency)),
        _ => format!("TTFT {:>8}", half(&seen.ttft)),
    };
    rate.unwrap_or_default() + &time
}

/// A bar's words without the room that keeps them in place.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn told_errors(errors: u64) -> String {
    human::counted(errors, "error", "errors")
}

/// One line on what is about to happen.
fn headline(plan: &Plan) -> String {
    let names: Vec<String> = plan.targets.iter().map(|target| target.label()).collect();
    let length = match plan.load.until() {
        Until::Duration(_) => format!("for {}", length_words(plan, "")),
        Until::Requests(_) => length_words(plan, " each"),
    };
    // Where targets take turns, it takes longer than one of them.
    let all = plan.load_range().filter(|_| plan.order != Order::Concurrent);
    let all = all.map(|(least, most)| match least == most {
        true => format!(" (about {} in all)", about(most)),
        false => format!(" (about {} to {} in all)", about(least), about(most)),
    });
    let all = all.unwrap_or_default();
    let load = match &plan.load {
        LoadPlan::Closed(ClosedPlan { users: 1, .. }) => "1 user each".to_owned(),
        LoadPlan::Closed(closed) => format!("{} users each", closed.users),
        LoadPlan::Open(open) => format!("{} each", open.about),
    };
    format!("{}: {}, {load}, {length}{all}{}", plan.name, names.join(", "), early_words(plan))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_so_far_is_of_the_targets_own_time() {
        let mut seen = Seen { measured: 10, tokens: 300, ..Seen::default() };
        seen.latency.record(2e9);
        assert_eq!(one_line(&so_far(&seen, Some(10.0))), "30.0 tok/s p50 2.00 s");
        assert_eq!(one_line(&so_far(&seen, None)), "p50 2.00 s");
        seen.ttft.record(3e8);
        assert_eq!(one_line(&so_far(&seen, Some(10.0))), "30.0 tok/s TTFT 300 ms");
        seen.tokens = 0;
        assert_eq!(one_line(&so_far(&seen, Some(4.0))), "2.5/s TTFT 300 ms");
    }

    #[test]
    fn alternating_bars_tell_the_block_and_whose_turn_it_is() {
        let shape = Shape { until: Until::Requests(100), isolated: true, blocks: Some(10), least: None, ci: None };
        let seen = Seen { measured: 30, block: 2, warmed: true, ..Seen::default() };
        assert_eq!(told_of(&seen, shape, Duration::ZERO, true, None), (0.2, "block 3 of 10  0 errors".to_owned()));
        let (share, text) = told_of(&seen, shape, Duration::ZERO, false, None);
        assert_eq!((share, text.as_str()), (0.3, "block 3 of 10 done, waiting for its turn  0 errors"));
        let (_, text) = told_of(&Seen::default(), shape, Duration::ZERO, false, None);
        assert_eq!(text, "waiting for its turn");
    }
}
