//! `loadcmp calibrate`: what this machine can be measured to. Every wire is driven against a null server, a stand-in
//! without declared times in a process of its own, by the same path that a run takes; the result is kept, and each run
//! reads the floor of its wires from it.

mod keep;
mod probe;
mod wires;

pub use keep::kept;
pub(super) use keep::{floors, standing};

use super::child::StandIn;
use super::{Failure, tell};
use crate::host::{
    Bound, CALIBRATION_VERSION, Calibration, Floor, INSTRUMENT, Rate, Streams, Stretch, Watch, Wire, facts,
    generator_threads,
};
use crate::record::Stopwatch;
use crate::report::human::time;
use crate::report::{pretty, replace};
use anyhow::{Context, anyhow};
use keep::{path, writable};
use probe::{Load, ProbeFigures, Way, Wired, probe, quantile};
use std::path::PathBuf;
use std::time::Duration;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
struct Effort {
    repeats: u32,
    floor: Load,
    rate: Load,
    rate_users: &'static [u32],
    streams: Load,
    streams_users: &'static [u32],
}

const fn load(warmup: u64, length: u64) -> Load {
    Load { users: 1, warmup: Duration::from_millis(warmup), length: Duration::from_millis(length) }
}

/// About a minute in all.
const FULL: Effort = Effort {
    repeats: 5,
    floor: load(50, 300),
    rate: load(50, 300),
    rate_users: &[1, 2, 4, 8, 16, 32],
    streams: load(250, 400),
    streams_users: &[1, 4, 16, 64, 128, 256, 512],
};

/// About 15 s in all.
const QUICK: Effort = Effort {
    repeats: 3,
    floor: load(20, 100),
    rate: load(20, 120),
    rate_users: &[1, 4, 16],
    streams: load(100, 150),
    streams_users: &[1, 8, 64],
};

/// A null server: nothing is declared, and nothing runs out.
const NULL: [&str; 8] =
    ["--slots", "4096", "--queue", "65536", "--gg-connections", "4096", "--gg-session-limit", "1000000000"];

/// A server of paced streams; their lengths are drawn, so that they don't stay in step.
const PACED: [&str; 6] = ["--first-token-ms", "20", "--decode-rate", "100", "--early-stop", "0.9"];

/// Most that a first token may come later than with one stream, and a request leave after it was due, in microseconds
/// (99th percentile).
const LATE_US: f64 = 1000.0;

/// How many times as long one stream is followed as more are.
const BASE: u32 = 4;

/// Share of the median by which repeats differ on a machine that does something else.
const RESTLESS: f64 = 0.25;

/// Share of the generator's processor time that may be used (measuring.md 9).
const CPU_SHARE: f64 = 0.8;

/// What the command line asks for.
#[derive(Clone, Copy, Debug, Default)]
pub struct CalibrateOptions {
    /// The short form.
    pub quick: bool,
    /// Say nothing but the result.
    pub quiet: bool,
}

/// Measures this machine, and keeps it. Gives the calibration and its file.
pub async fn calibrate(options: CalibrateOptions) -> Result<(Calibration, PathBuf), Failure> {
    let path = path()?;
    // Before the minute that it takes: a place that can't be written to must not cost it.
    writable(&path)?;
    let calibration = tokio::select! {
        measured = measure(options) => measured?,
        _ = crate::host::signalled(0) => return Err(interrupted()),
    };
    replace(&path, |out| pretty(out, &calibration)).with_context(|| format!("writing {}", path.display()))?;
    if let Some(restless) = restless(&calibration).filter(|_| !options.quiet) {
        tell(super::say::wrapped(&format!("loadcmp: {restless}")));
    }
    Ok((calibration, path))
}

fn interrupted() -> Failure {
    Failure::Interrupted("loadcmp: interrupted: nothing was saved".to_owned())
}

async fn measure(options: CalibrateOptions) -> Result<Calibration, Failure> {
    let effort = if options.quick { QUICK } else { FULL };
    let say = |text: &str| {
        if !options.quiet {
            tell(format_args!("loadcmp: {text}"));
        }
    };
    let failed = |why: String| Failure::Other(anyhow!(why));
    let null = StandIn::null(&NULL).await.map_err(failed)?;
    let clock = Stopwatch::start();
    let mut wired = Vec::new();
    for way in wires::all(&null) {
        wired.push(wires::ready(&null, way, clock).await?);
    }
    let length = if options.quick { "15 s" } else { "a minute" };
    say(&format!("{} response time floors, about {length} in all", wired.len()));
    let floors = floors_of(&wired, &effort, clock).await?;
    let mut rates = Vec::new();
    for ready in wired.iter().filter(|ready| !ready.way.stream && ready.way.is_measured_in_full()) {
        say(&format!("{}: highest rate", ready.way));
        rates.push((ready.way, highest(ready, &effort, clock).await?));
    }
    let ways: Vec<Way> = wired.iter().map(|ready| ready.way).collect();
    drop((wired, null));
    let paced = StandIn::null(&[&NULL[..], &PACED[..]].concat()).await.map_err(failed)?;
    let mut streams = Vec::new();
    for way in ways.iter().filter(|way| way.stream && way.is_measured_in_full()) {
        say(&format!("{way}: streams at once"));
        let ready = wires::ready(&paced, *way, clock).await?;
        streams.push((*way, most_streams(&ready, &effort, clock).await?));
    }
    let wire = |(way, mut floor): (&Way, Floor)| {
        let highest = rates.iter().find(|(of, _)| of == way).and_then(|(_, rate)| rate.clone());
        let many = streams.iter().find(|(of, _)| of == way).map(|(_, many)| many.clone());
        floor.cpu_per_token_us = many.as_ref().and_then(|(_, cpu)| *cpu);
        Wire { floor, highest, streams: many.map(|(streams, _)| streams) }
    };
    let wires = ways.iter().zip(floors).map(wire).collect();
    Ok(Calibration {
        schema_version: CALIBRATION_VERSION,
        tool: INSTRUMENT.to_owned(),
        made: super::now(),
        quick: options.quick,
        machine: facts(),
        method: METHOD.map(str::to_owned).to_vec(),
        wires,
    })
}

const METHOD: [&str; 3] = [
    "Floors: one user in a closed loop against a stand-in that answers immediately, repeated in turns over the wires. \
     For TLS only the floors are measured; its handshake comes before the loop.",
    "Highest rate: closed loops with more and more users, whole answers of 8 tokens.",
    "Streams at once: closed loops with more and more users on streams of 100 tokens/s, until TTFT p99 is 1 ms higher \
     than with one stream (including delays of the stand-in), the send lag is 1 ms, or the generator uses 80 % of its \
     CPU.",
];

/// The floors of every wire.
async fn floors_of(wired: &[Wired], effort: &Effort, clock: Stopwatch) -> Result<Vec<Floor>, Failure> {
    let endpoints = wired.iter().flat_map(|ready| {
        let targets = ready.prepared.plan.targets.iter();
        targets.map(|target| (ready.way.wire.to_owned(), target.endpoint.clone()))
    });
    let watch =
        Watch::start(move || clock.now().seconds(), endpoints.collect(), |_| ()).context("watching the null server")?;
    let edges = watch.edges();
    let mut seen: Vec<Vec<ProbeFigures>> = wired.iter().map(|_| Vec::new()).collect();
    // Turn by turn, so that what drifts meanwhile shows between the repeats and not between the wires.
    for _ in 0..effort.repeats {
        for (ready, seen) in wired.iter().zip(&mut seen) {
            let begin = clock.now() + effort.floor.warmup.into();
            edges.at(begin.seconds());
            edges.at((begin + effort.floor.length.into()).seconds());
            let told = probe(ready, clock, effort.floor).await?;
            if let Some(why) = told.failed {
                return Err(Failure::Other(anyhow!("the null server failed on {}: {why}", ready.way)));
            }
            seen.push(told);
        }
    }
    let watched = watch.stop();
    let server = |at: usize, seen: &[ProbeFigures]| {
        let stretch = |seen: &ProbeFigures| Stretch { target: at, from_s: seen.window.0, to_s: seen.window.1 };
        let stretches: Vec<Stretch> = seen.iter().map(stretch).collect();
        let cores = watched.conditions(&stretches).target_cores.get(at).copied().flatten()?;
        per(cores * seen.iter().map(ProbeFigures::seconds).sum::<f64>(), seen.iter().map(|seen| seen.answered).sum())
    };
    let floors = wired.iter().zip(&seen).enumerate().map(|(at, (ready, seen))| {
        Ok(Floor { server_cpu_per_request_us: server(at, seen), ..floor(ready.way, seen)? })
    });
    floors.collect()
}

/// Seconds spread over a number of things, in microseconds each.
fn per(seconds: f64, number: f64) -> Option<f64> {
    (number > 0.0).then(|| seconds * 1e6 / number)
}

fn floor(way: Way, seen: &[ProbeFigures]) -> Result<Floor, Failure> {
    let pooled = |of: fn(&ProbeFigures) -> &Vec<f64>| {
        let mut all: Vec<f64> = seen.iter().flat_map(of).copied().collect();
        all.sort_by(f64::total_cmp);
        all
    };
    let responses = pooled(|seen| &seen.responses);
    let at =
        |q| quantile(&responses, q).ok_or_else(|| Failure::Other(anyhow!("the null server never answered on {way}")));
    let (p50, p95, p99) = (at(0.5)?, at(0.95)?, at(0.99)?);
    let medians: Vec<f64> = seen.iter().filter_map(|seen| quantile(&seen.responses, 0.5)).collect();
    let (low, high) = medians.iter().fold((f64::INFINITY, 0.0_f64), |(low, high), x| (low.min(*x), high.max(*x)));
    let own: Option<f64> = seen.iter().map(|seen| seen.own_s).sum();
    Ok(Floor {
        wire: way.wire.to_owned(),
        stream: way.stream,
        transport: way.transport,
        requests: responses.len() as u64,
        response_p50_us: p50,
        response_p95_us: p95,
        response_p99_us: p99,
        spread_us: p99 - p50,
        between_us: high - low,
        ttft_p50_us: quantile(&pooled(|seen| &seen.ttfts), 0.5),
        cpu_per_request_us: own.and_then(|own| per(own, seen.iter().map(|seen| seen.answered).sum())),
        cpu_per_token_us: None,
        server_cpu_per_request_us: None,
    })
}

/// Says so if the repeats over a wire differ much: every difference below that will not be shown.
fn restless(calibration: &Calibration) -> Option<String> {
    let share = |floor: &Floor| floor.between_us / floor.response_p50_us;
    let floors = calibration.wires.iter().map(|wire| &wire.floor);
    let worst = floors.max_by(|a, b| share(a).total_cmp(&share(b)))?;
    let form = if worst.stream { "streams" } else { "whole answers" };
    (share(worst) > RESTLESS).then(|| {
        format!(
            "the machine was busy: {form} over {} ({}) took {} (median), with a spread of {} between repeats; \
             calibrate again when it is idle for a lower noise floor",
            worst.wire,
            worst.transport.as_str(),
            time(worst.response_p50_us),
            time(worst.between_us)
        )
    })
}

/// The highest rate of whole answers, over more and more users. All are tried: a rate that doesn't rise for a while may be
/// another process's doing.
async fn highest(ready: &Wired, effort: &Effort, clock: Stopwatch) -> Result<Option<Rate>, Failure> {
    let mut best: Option<Rate> = None;
    for users in effort.rate_users {
        let seen = probe(ready, clock, Load { users: *users, ..effort.rate }).await?;
        let rate = seen.answered / seen.seconds().max(f64::MIN_POSITIVE);
        if rate > best.as_ref().map_or(0.0, |best| best.requests_per_s) {
            best = Some(Rate { requests_per_s: rate, users: *users });
        }
    }
    Ok(best)
}

/// The most streams that were followed without lag; and what a token more cost of the processor, in microseconds: what so
/// many streams took beyond one, for each token beyond its. A process that only waits takes some, too.
async fn most_streams(ready: &Wired, effort: &Effort, clock: Stopwatch) -> Result<(Streams, Option<f64>), Failure> {
    let (mut best, mut bound, mut per_token) = (0, Bound::Tried, None);
    let mut one: Option<ProbeFigures> = None;
    'more: for users in effort.streams_users {
        // Once more before it is given up: few first tokens stand behind a step, and one hiccup isn't a limit.
        for last in [false, true] {
            // One stream is what the others are measured by, and few begin in a moment.
            let length = effort.streams.length * if one.is_none() { BASE } else { 1 };
            let seen = probe(ready, clock, Load { users: *users, length, ..effort.streams }).await?;
            match too_many(&seen, one.as_ref()) {
                None => {
                    best = *users;
                    if let Some(one) = &one {
                        per_token = more(&seen, one).or(per_token);
                    }
                    one.get_or_insert(seen);
                    break;
                }
                Some(why) if last => {
                    bound = why;
                    break 'more;
                }
                Some(_) => {}
            }
        }
    }
    Ok((Streams { at_once: best, bound }, per_token))
}

/// What is beyond its bounds, if anything is, measured by what one stream was like. That one itself need only be answered:
/// a first token can't be later than with one stream.
fn too_many(seen: &ProbeFigures, one: Option<&ProbeFigures>) -> Option<Bound> {
    let used = seen.own_s.map(|own| own / seen.seconds() / generator_threads() as f64);
    let Some(one) = one else {
        return (seen.failed.is_some() || seen.ttfts.is_empty()).then_some(Bound::Late);
    };
    let base = quantile(&one.ttfts, 0.5).unwrap_or(0.0);
    // What failed to come is as late as can be.
    let late = |us: Option<f64>| us.is_none_or(|us| us > LATE_US);
    let lag = late(quantile(&seen.lags, 0.99)) || late(quantile(&seen.ttfts, 0.99).map(|us| us - base));
    match used {
        Some(used) if used > CPU_SHARE => Some(Bound::Cpu),
        _ if lag || seen.failed.is_some() => Some(Bound::Late),
        _ => None,
    }
}

/// Processor time for a token more, in microseconds: both as rates, for the windows differ in length.
fn more(seen: &ProbeFigures, one: &ProbeFigures) -> Option<f64> {
    let cores = seen.own_s? / seen.seconds() - one.own_s? / one.seconds();
    let tokens = seen.tokens / seen.seconds() - one.tokens / one.seconds();
    Some(cores * 1e6 / tokens).filter(|us| us.is_finite() && *us > 0.0 && tokens >= 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_machine_is_told() {
        use crate::host::fixture::{calibration, floor};
        let mut kept = calibration();
        assert_eq!(restless(&kept), None);
        kept.wires[1].floor = floor("ollama", true, 60.0, 16.0);
        let told = restless(&kept).unwrap();
        assert!(told.contains("streams over ollama") && told.contains("16.0 µs"), "{told}");
    }

    fn seen(ttft: f64, lag: f64, own_s: f64, tokens: f64) -> ProbeFigures {
        ProbeFigures {
            ttfts: vec![ttft],
            lags: vec![lag],
            own_s: Some(own_s),
            tokens,
            window: (1.0, 2.0),
            ..ProbeFigures::default()
        }
    }

    #[test]
    fn streams_are_too_many_when_late_or_when_the_processor_is_used_up() {
        let one = seen(20_500.0, 5.0, 0.01, 100.0);
        assert_eq!(too_many(&one, Some(&one)), None);
        let jittery = ProbeFigures { ttfts: vec![20_500.0, 23_000.0], ..one.clone() };
        assert_eq!(too_many(&jittery, None), None, "one stream is the measure");
        assert_eq!(too_many(&ProbeFigures { ttfts: Vec::new(), ..one.clone() }, None), Some(Bound::Late), "none came");
        assert_eq!(too_many(&seen(21_400.0, 900.0, 0.5, 900.0), Some(&one)), None);
        assert_eq!(too_many(&seen(21_600.0, 5.0, 0.5, 900.0), Some(&one)), Some(Bound::Late));
        assert_eq!(too_many(&seen(20_500.0, 1_100.0, 0.5, 900.0), Some(&one)), Some(Bound::Late));
        assert_eq!(too_many(&seen(20_500.0, 5.0, 5.0, 900.0), Some(&one)), Some(Bound::Cpu));
        assert_eq!(
            too_many(&ProbeFigures { window: (1.0, 2.0), ..ProbeFigures::default() }, Some(&one)),
            Some(Bound::Late),
            "none came"
        );
        assert_eq!(more(&seen(1.0, 1.0, 0.05, 1100.0), &one).map(f64::round), Some(40.0));
        assert_eq!(more(&one, &one), None);
        let longer = ProbeFigures { window: (1.0, 5.0), own_s: Some(0.04), tokens: 400.0, ..one.clone() };
        assert_eq!(more(&seen(1.0, 1.0, 0.05, 1100.0), &longer).map(f64::round), Some(40.0), "by rates");
    }
}
