//! The bars: one a target, on standard error, drawn by a thread of their own from a view that the recorder fills. They
//! are off when nobody looks: a pipe and CI get a line every half minute, `--quiet` nothing.

use super::sized::{self, Far};
use crate::drive::{FirstRequest, Found, LaneWindow, Why};
use crate::host::lock;
use crate::metrics::human;
use crate::record::{Nanos, Phase, Sample};
use crate::report::lasting::{answers_words, early_words, found_words, length_words, span};
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
const WORDS: usize = 64;

/// How often the bars are drawn.
const TICK: Duration = Duration::from_millis(200);
/// How often there is a line where there are no bars.
const LINE: Duration = Duration::from_secs(30);

/// What there is to see of each target so far.
pub(super) struct View {
    targets: Vec<Mutex<TargetProgress>>,
    /// The target that the last row was of.
    turn: AtomicUsize,
    /// How far ahead the first window opens, from when it was known.
    opens: Mutex<Option<Duration>>,
    /// How long it is, once it is known of a run that finds its own length.
    found: Mutex<Option<Found>>,
}

#[derive(Default)]
struct TargetProgress {
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

/// What a run stands in: which of several it is, and how long those after it take, where that is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Among {
    /// Which of them, from 1.
    pub at: usize,
    /// How many there are; 0 and 1 for a run on its own.
    pub all: usize,
    /// What those after it take at most; `None` where one's length isn't known.
    pub after: Option<Duration>,
}

/// The bars of a run.
pub(super) struct Progress {
    view: Arc<View>,
    bars: MultiProgress,
    lines: Vec<ProgressBar>,
    /// How far the whole is.
    whole: ProgressBar,
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
    /// How long the load lasts, all targets together, where it is driven for a time: the least and the most.
    range: Option<(Duration, Duration)>,
    among: Among,
}

impl Progress {
    /// Sets up the bars, if anybody looks.
    pub(super) fn start(plan: &Plan, quiet: bool, among: Among) -> Self {
        let shown = !quiet && watched();
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
        let whole = bars.add(ProgressBar::new_spinner());
        whole.set_style(ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_bar()));
        let plan_shape = Shape {
            until: plan.load.until(),
            isolated: plan.order != Order::Concurrent,
            blocks: (plan.order == Order::Alternate).then_some(plan.blocks.pairs),
            least: plan.least,
            ci: plan.until_ci.filter(|_| plan.order != Order::Isolated),
            range: plan.load_range(),
            among,
        };
        let view = Arc::new(View::new(plan.targets.len()));
        if !quiet && !shown {
            super::tell(super::say::wrapped(&format!("loadcmp: {}", headline(plan))));
        }
        Self { view, bars, lines, whole, shown, quiet, plan: plan_shape, thread: Mutex::default() }
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
            super::tell(super::say::wrapped(&format!("loadcmp: {text}")));
        }
        self.say(&text);
    }

    /// A window is known, at `now`.
    pub(super) fn opened(&self, window: LaneWindow, now: Nanos) {
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
            super::tell(super::say::wrapped(&text));
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
                    self.bars.suspend(|| super::tell(super::say::wrapped(&text)));
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
        let whole = self.whole.clone();
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
                let (mut said, mut shares) = (Vec::new(), Vec::new());
                for (number, (seen, line)) in view.targets.iter().zip(&lines).enumerate() {
                    let seen = lock(seen);
                    let (share, text) = told_of(&seen, shape, measured, number == turn, found);
                    line.set_position((share * 1000.0) as u64);
                    shares.push(share);
                    said.push(format!("{}: {text}", line.prefix().trim_end()));
                    line.set_message(text);
                }
                let left = whole_words(shape, elapsed, &shares);
                if !shown && !elapsed.is_zero() && elapsed.as_millis().is_multiple_of(LINE.as_millis()) {
                    let left = left.as_ref().map(|left| format!(", {left}")).unwrap_or_default();
                    let text = format!("loadcmp: {} s{left}; {}", elapsed.as_secs(), said.join("; "));
                    super::tell(super::say::wrapped(&text));
                }
                whole.set_message(left.unwrap_or_default());
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
        for line in self.lines.iter().chain([&self.whole]) {
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
    if seconds >= 120 && seconds.is_multiple_of(60) { format!("{} min", seconds / 60) } else { span(limit) }
}

/// How full a bar is, and what stands beside it, when so much of the window is over; `turn` = the last row was this target's.
fn told_of(seen: &TargetProgress, shape: Shape, measured: Duration, turn: bool, found: Option<Found>) -> (f64, String) {
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
    // In blocks, the time between is the others'.
    let so_far = so_far(seen, Some(seconds).filter(|_| shape.blocks.is_none()));
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
        return (share.min(1.0), format!("{block}{text}, {so_far}"));
    }
    let answers = answers_words(seen.answers);
    if let Some(blocks) = shape.blocks {
        let share = f64::from(seen.block + u32::from(!turn)) / f64::from(blocks.max(1));
        let now = if turn { "" } else { " done" };
        return (share.min(1.0), format!("block {} of {blocks}{now}, {answers}, {so_far}", seen.block + 1));
    }
    let (share, ahead) = match shape.until {
        Until::Requests(limit) => (
            seen.units as f64 / limit.max(1) as f64,
            format!("{} of {}", human::count(seen.units), human::count(limit)),
        ),
        Until::Duration(length) => {
            let left = (length.0.as_secs_f64() - done).max(0.0);
            let ahead = if left > 0.0 { format!("{:.0} s left", left.ceil()) } else { "draining".to_owned() };
            (done / length.0.as_secs_f64(), format!("{ahead}, {answers}"))
        }
    };
    (share.min(1.0), format!("{ahead}, {so_far}"))
}

/// What a target has done so far: tokens per second and TTFT where its answers have any, else answers per second and latency;
/// and its errors. `seconds` is how long it has been at work, where that is one stretch.
fn so_far(seen: &TargetProgress, seconds: Option<f64>) -> String {
    let half = |times: &Distribution| times.quantile(0.5).map_or_else(|| "–".to_owned(), |ns| human::time(ns / 1e3));
    let rate = seconds.map(|seconds| match seen.tokens {
        0 => format!("{}/s, ", human::three(seen.measured as f64 / seconds)),
        tokens => format!("{} tok/s, ", human::three(tokens as f64 / seconds)),
    });
    let time = match seen.ttft.n() {
        0 => format!("p50 {}", half(&seen.latency)),
        _ => format!("TTFT {}", half(&seen.ttft)),
    };
    format!("{}{time}, {}", rate.unwrap_or_default(), told_errors(seen.errors))
}

/// How long all of it still takes, when so much time has gone by and the targets are so far: of this run and of those after it.
/// `None` where nothing is known yet.
fn whole_words(shape: Shape, elapsed: Duration, shares: &[f64]) -> Option<String> {
    let all = shares.len().max(1) as f64;
    let share = match shape.isolated {
        true => shares.iter().sum::<f64>() / all,
        false => shares.iter().copied().fold(1.0, f64::min),
    };
    let at_pace = || {
        let rest = elapsed.as_secs_f64() * (1.0 - share) / share;
        Duration::try_from_secs_f64(rest).ok().filter(|_| share > 0.02).map(|rest| (rest, "about"))
    };
    let known = shape
        .range
        .map(|(least, most)| (most.saturating_sub(elapsed), if least == most { "about" } else { "at most" }));
    let left = known.or_else(at_pace);
    let Among { at, all, after } = shape.among;
    if all < 2 {
        return left.map(|(left, word)| format!("{word} {} left", about(left)));
    }
    let scenario = format!("scenario {at} of {all}");
    Some(match (left, after) {
        (Some((left, word)), Some(after)) => format!("{scenario}, {word} {} left in all", about(left + after)),
        (Some((left, word)), None) => format!("{scenario}, {word} {} left of this one", about(left)),
        (None, _) => scenario,
    })
}

/// Whether somebody watches standard error: a terminal, and no CI.
fn watched() -> bool {
    let ci = std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false");
    !ci && std::io::stderr().is_terminal()
}

/// The bar of a search: how much of its time is gone, and what it does.
pub(super) struct SearchBar {
    bar: Option<ProgressBar>,
    budget: Duration,
}

impl SearchBar {
    /// Sets it up, if anybody looks.
    pub(super) fn start(budget: Duration, quiet: bool) -> Self {
        let template = "{elapsed} [{bar:20}] {wide_msg}";
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = (!quiet && watched()).then(|| {
            let bar = ProgressBar::new(1000).with_style(style.progress_chars("=> "));
            bar.enable_steady_tick(TICK);
            bar
        });
        Self { bar, budget }
    }

    /// What is done now, when so much of the time is gone.
    pub(super) fn at(&self, gone: Duration, text: &str) {
        let Some(bar) = &self.bar else { return };
        bar.set_position((gone.as_secs_f64() / self.budget.as_secs_f64().max(1e-3) * 1000.0) as u64);
        bar.set_message(format!("{text}; {}", budget_words(self.budget, gone)));
    }

    /// Says something that stays.
    pub(super) fn tell(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| super::tell(text)),
            None => super::tell(text),
        }
    }

    /// Takes it away: the result follows.
    pub(super) fn finish(&self) {
        self.bar.iter().for_each(ProgressBar::finish_and_clear);
    }
}

/// What is left of a search's time.
pub(super) fn budget_words(budget: Duration, gone: Duration) -> String {
    format!("at most {} left", about(budget.saturating_sub(gone)))
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
        let mut seen = TargetProgress { measured: 10, tokens: 300, ..TargetProgress::default() };
        seen.latency.record(2e9);
        assert_eq!(so_far(&seen, Some(10.0)), "30.0 tok/s, p50 2.00 s, 0 errors");
        assert_eq!(so_far(&seen, None), "p50 2.00 s, 0 errors");
        seen.ttft.record(3e8);
        seen.errors = 1;
        assert_eq!(so_far(&seen, Some(10.0)), "30.0 tok/s, TTFT 300 ms, 1 error");
        seen.tokens = 0;
        assert_eq!(so_far(&seen, Some(4.0)), "2.50/s, TTFT 300 ms, 1 error");
    }

    fn shape(until: Until) -> Shape {
        Shape { until, isolated: false, blocks: None, least: None, ci: None, range: None, among: Among::default() }
    }

    #[test]
    fn alternating_bars_tell_the_block_and_what_was_done() {
        let shape = Shape { isolated: true, blocks: Some(10), ..shape(Until::Requests(100)) };
        let mut seen =
            TargetProgress { measured: 1300, answers: 1234, block: 2, warmed: true, ..TargetProgress::default() };
        seen.ttft.record(3e8);
        let words = "block 3 of 10, 1,234 answers, TTFT 300 ms, 0 errors".to_owned();
        assert_eq!(told_of(&seen, shape, Duration::ZERO, true, None), (0.2, words));
        let (share, text) = told_of(&seen, shape, Duration::ZERO, false, None);
        assert_eq!((share, text.as_str()), (0.3, "block 3 of 10 done, 1,234 answers, TTFT 300 ms, 0 errors"));
        assert!(text.chars().count() <= WORDS, "{text}");
        let (_, text) = told_of(&TargetProgress::default(), shape, Duration::ZERO, false, None);
        assert_eq!(text, "waiting for its turn");
    }

    #[test]
    fn a_bar_of_a_time_counts_answers_too() {
        let mut seen =
            TargetProgress { measured: 1300, answers: 1234, tokens: 12_000, last_us: 8e6, ..TargetProgress::default() };
        seen.ttft.record(3e8);
        let timed = shape(Until::Duration(Span(Duration::from_secs(20))));
        let (share, text) = told_of(&seen, timed, Duration::from_secs(8), true, None);
        assert_eq!((share, text.as_str()), (0.4, "12 s left, 1,234 answers, 1,500 tok/s, TTFT 300 ms, 0 errors"));
        assert!(text.chars().count() <= WORDS, "{text}");
        seen.units = 50;
        let (share, text) = told_of(&seen, shape(Until::Requests(2000)), Duration::from_secs(8), true, None);
        assert_eq!((share, text.as_str()), (0.025, "50 of 2,000, 1,500 tok/s, TTFT 300 ms, 0 errors"));
    }

    #[test]
    fn what_is_left_is_of_the_whole_run() {
        let s = Duration::from_secs;
        let by_requests = shape(Until::Requests(100));
        let words = |shape, elapsed: u64, shares: &[f64]| whole_words(shape, s(elapsed), shares);
        assert_eq!(words(by_requests, 10, &[0.0, 0.5]), None);
        assert_eq!(words(by_requests, 10, &[0.25, 0.5]).as_deref(), Some("about 30 s left"));
        // In turns, one after the other.
        let turns = Shape { isolated: true, ..by_requests };
        assert_eq!(words(turns, 10, &[1.0, 0.0]).as_deref(), Some("about 10 s left"));
        let timed = Shape { range: Some((s(60), s(60))), ..by_requests };
        assert_eq!(words(timed, 10, &[0.1]).as_deref(), Some("about 50 s left"));
        let found = Shape { range: Some((s(20), s(360))), ..by_requests };
        assert_eq!(words(found, 60, &[0.1]).as_deref(), Some("at most 5 min left"));
        let among = Among { at: 2, all: 3, after: Some(s(300)) };
        let second = Shape { among, ..timed };
        assert_eq!(words(second, 60, &[0.1]).as_deref(), Some("scenario 2 of 3, about 5 min left in all"));
        let unknown = Shape { among: Among { after: None, ..among }, ..timed };
        assert_eq!(words(unknown, 10, &[0.1]).as_deref(), Some("scenario 2 of 3, about 50 s left of this one"));
        assert_eq!(budget_words(s(600), s(360)), "at most 4 min left");
        assert_eq!(budget_words(s(600), s(700)), "at most 0 s left");
    }
}
