//! The open loop over real sockets: instants kept whatever the target does, and every arrival a row.

use crate::cli::{StandIn, write};
use loadcmp::drive::{Driver, Found, Judge, LaneSetup, LaneWindow, Said, Stop, Why, drive};
use loadcmp::record::columns::Names;
use loadcmp::record::log::{Folder, Log, Vector};
use loadcmp::record::{Nanos, Outcome, Phase, Sample, Stopwatch};
use loadcmp::run::{Options, prepare};
use loadcmp::scenario::plan::{LoadPlan, OpenPlan, Plan};
use loadcmp::scenario::{Least, Loaded, OpenSpec, Overrides, Pacing, Share, Span};
use loadcmp::target::Target;
use loadcmp::workload::Arrivals;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Keeps every row.
#[derive(Default)]
struct Keep(Vec<Sample>);

impl Folder for Keep {
    fn sample(&mut self, sample: &Sample) {
        self.0.push(sample.clone());
    }
    fn vector(&mut self, _: &Vector) {}
}

/// An open run, and what may be changed of it.
struct Open {
    urls: Vec<String>,
    task: &'static str,
    more: &'static str,
    arrivals: Arrivals,
    length: Duration,
    in_flight: u32,
    pacing: Pacing,
    stop: Stop,
    /// Told when a window opens.
    begun: Arc<tokio::sync::Notify>,
    judge: Option<Arc<dyn Judge>>,
}

/// What came of it.
struct Told {
    rows: Vec<Sample>,
    windows: Vec<LaneWindow>,
    plan: Plan,
}

impl Told {
    fn measured(&self, target: usize) -> Vec<&Sample> {
        let mut rows: Vec<&Sample> =
            self.rows.iter().filter(|row| row.target == target && row.phase == Phase::Measure).collect();
        rows.sort_by_key(|row| (row.block, row.index));
        rows
    }

    /// Planned instants from the window's opening.
    fn offsets(&self, target: usize) -> Vec<Nanos> {
        let from = self.windows.iter().find(|window| window.target == target).expect("a window").from;
        self.measured(target).iter().map(|row| row.stamps.planned.since(from)).collect()
    }
}

impl Open {
    fn at(urls: &[&str], arrivals: Arrivals, length: Duration) -> Self {
        Self {
            urls: urls.iter().map(|url| (*url).to_owned()).collect(),
            task: "generate",
            more: "",
            arrivals,
            length,
            in_flight: 64,
            pacing: Pacing::Timer,
            stop: Stop::default(),
            begun: Arc::default(),
            judge: None,
        }
    }

    async fn run(self) -> Told {
        let dir = tempfile::tempdir().expect("a directory");
        let targets: Vec<String> =
            (0..self.urls.len()).map(|n| format!("  t{n}: {{ ollama: {{ url: \"{}\" }} }}\n", self.urls[n])).collect();
        let prompts = if self.task == "chat" {
            "{ synthetic: { count: 4, words: { fixed: 5 }, turns: 3 } }"
        } else {
            "{ synthetic: { count: 40, words: { fixed: 5 } } }"
        };
        let yaml = format!(
            "name: t\ntask: {}\nseed: 5\ntargets:\n{}reference: t0\nworkload: {{ prompts: {prompts}, sampling: \
             {{ max_tokens: 2 }} }}\nload: {{ closed: {{ users: 1, requests: 100 }} }}\ndrain: 2s\n{}",
            self.task,
            targets.concat(),
            self.more
        );
        let path = write(dir.path(), "t.yaml", &yaml);
        let loaded: Loaded = loadcmp::scenario::load(&path, &Overrides::default()).expect("a scenario");
        let prepared = prepare(loaded, &Options { quiet: true, ..Options::default() }).await.expect("a plan");
        let mut plan = prepared.plan.clone();
        if self.judge.is_some() {
            plan.until_ci = Some(Share(0.05));
            plan.least = Some(Least { time: Span(ms(600)), answers: 5 });
        }
        plan.load = LoadPlan::Open(Box::new(OpenPlan {
            about: "a list".to_owned(),
            spec: serde_json::from_str::<OpenSpec>("{}").expect("defaults"),
            duration: Span(self.length),
            warmup: Span(Duration::from_millis(100)),
            in_flight: self.in_flight,
            pacing: self.pacing,
            planned: self.arrivals.measure().len() as u64,
            hash: String::new(),
        }));
        let clock = Stopwatch::start();
        let ready = |target| Target::new(&plan, target, prepared.workload.clone(), clock).expect("a target");
        let targets: Vec<Arc<Target>> = plan.targets.iter().map(|target| Arc::new(ready(target))).collect();
        let (log, recorder) = Log::start(dir.path(), Names::of(&plan), false, Keep::default()).expect("a log");
        let setup = LaneSetup {
            plan: Arc::new(plan.clone()),
            workload: prepared.workload.clone(),
            arrivals: Some(Arc::new(self.arrivals)),
            recorder,
            clock,
            stop: self.stop,
            together: None,
        };
        let windows = Arc::new(Mutex::new(Vec::<LaneWindow>::new()));
        let opened = {
            let (windows, begun) = (windows.clone(), self.begun.clone());
            move |window: LaneWindow| {
                begun.notify_one();
                let mut windows = windows.lock().unwrap();
                windows.retain(|w| (w.target, w.block) != (window.target, window.block));
                windows.push(window);
            }
        };
        drive(&setup, &targets, Driver::Native, self.judge, opened).await.expect("a run");
        let rows = log.finish().expect("its rows").0;
        let windows = windows.lock().unwrap().clone();
        Told { rows, windows, plan }
    }
}

fn every(gap_ms: u64, count: u64) -> Vec<Nanos> {
    (0..count).map(|n| Nanos(n * gap_ms * 1_000_000)).collect()
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_arrival_is_a_row_at_the_same_instant_on_every_target() {
    for pacing in [Pacing::Timer, Pacing::Precise] {
        let (a, b) = (StandIn::start(&["--first-token-ms", "3"]), StandIn::start(&["--first-token-ms", "9"]));
        let all: Vec<Nanos> = (0..120).map(|n| Nanos(n * 4_000_000 + (n * n % 7) * 311_113)).collect();
        let arrivals = Arrivals::at(every(10, 10), all.clone());
        let told = Open { pacing, ..Open::at(&[&a.url, &b.url], arrivals, ms(500)) }.run().await;
        for target in [0, 1] {
            assert_eq!(told.offsets(target), all, "{pacing:?}");
            let rows = told.measured(target);
            assert!(rows.iter().map(|row| row.index).eq(0..120));
            for row in rows {
                assert_eq!(row.outcome, Outcome::Ok, "{row:?}");
                let stamps = row.stamps;
                let (dispatched, sent) = (stamps.dispatched.unwrap(), stamps.sent.unwrap());
                assert!(stamps.planned <= dispatched && dispatched <= sent && Some(sent) <= stamps.end, "{row:?}");
            }
            assert_eq!(told.rows.iter().filter(|r| r.target == target && r.phase == Phase::Warmup).count(), 10);
        }
        for window in &told.windows {
            assert_eq!(window.to, Some(window.from + ms(500).into()));
        }
        assert_eq!(told.plan.targets.len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_stalls_is_asked_on_time_all_the_same() {
    // One slot of 50 ms at an arrival each 20 ms: the queue is the target's, and it grows.
    let a = StandIn::start(&["--first-token-ms", "50", "--slots", "1", "--queue", "1000"]);
    let all = every(20, 40);
    let told = Open { more: "timeout: 30s\n", ..Open::at(&[&a.url], Arrivals::at(vec![], all.clone()), ms(800)) };
    let told = Open { ..told }.run().await;
    assert_eq!(told.offsets(0), all, "no arrival waits for an answer");
    let rows = told.measured(0);
    let sent: Vec<&&Sample> = rows.iter().filter(|row| row.stamps.sent.is_some()).collect();
    assert_eq!(sent.len(), 40);
    // A closed loop of one user would tell 50 ms for each; here the wait is in it.
    let late = sent.iter().filter_map(|row| row.response()).max().unwrap();
    assert!(late.0 > 500_000_000, "{late:?}");
    for row in sent {
        if let (Some(response), Some(latency), Some(lag)) = (row.response(), row.latency(), row.lag()) {
            assert_eq!(response, latency + lag);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_finds_no_connection_is_unsent_and_delays_nothing() {
    let a = StandIn::start(&["--first-token-ms", "400", "--slots", "64"]);
    let b = StandIn::start(&["--first-token-ms", "1", "--slots", "64"]);
    let arrivals = Arrivals::at(vec![], every(10, 60));
    let told = Open { in_flight: 8, ..Open::at(&[&a.url, &b.url], arrivals, ms(600)) }.run().await;
    let unsent: Vec<&Sample> = told.measured(0).into_iter().filter(|row| row.outcome == Outcome::Unsent).collect();
    assert!(unsent.len() >= 20, "{}", unsent.len());
    for row in &unsent {
        let stamps = row.stamps;
        assert!(stamps.dispatched.is_none() && stamps.sent.is_none() && stamps.end.is_none(), "{row:?}");
        assert!(row.error.as_deref().is_some_and(|why| why.contains("in_flight")));
    }
    // The other target's requests leave as if nothing were.
    let other = told.measured(1);
    assert_eq!((told.measured(0).len(), other.len()), (60, 60));
    assert_eq!(told.offsets(0), told.offsets(1));
    // But for a moment in which the machine did other work.
    assert!(other.iter().filter(|row| row.outcome == Outcome::Ok).count() >= 30);
    let connections: BTreeSet<u32> = told.measured(0).iter().map(|row| row.user).collect();
    assert!(connections.len() <= 9, "{connections:?}");
    // Never more at once than allowed.
    let sent = told.measured(0).into_iter().filter_map(|row| Some((row.stamps.sent?, row.stamps.end?)));
    let spans: Vec<(Nanos, Nanos)> = sent.collect();
    let most = spans.iter().map(|(at, _)| spans.iter().filter(|(s, e)| s <= at && at < e).count()).max();
    assert!(most.is_some_and(|most| most <= 8), "{most:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn later_turns_of_a_conversation_are_due_when_the_answer_has_come() {
    let a = StandIn::start(&["--first-token-ms", "20"]);
    let arrivals = Arrivals::at(vec![], every(50, 8));
    let told = Open { task: "chat", ..Open::at(&[&a.url], arrivals, ms(1500)) }.run().await;
    let rows = told.measured(0);
    assert_eq!(rows.len(), 24);
    let from = told.windows[0].from;
    for pair in rows.windows(2).filter(|pair| pair[1].turn != Some(1)) {
        assert!(pair[1].stamps.planned >= pair[0].stamps.end.unwrap(), "{pair:?}");
        let wait = pair[1].stamps.planned.since(pair[0].stamps.end.unwrap());
        assert!(wait.0 < 5_000_000_000, "{wait:?}");
    }
    let firsts = rows.iter().filter(|row| row.turn == Some(1)).map(|row| row.stamps.planned.since(from));
    assert!(firsts.eq(every(50, 8)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_target_gives_a_row_an_arrival_and_no_more() {
    let a = StandIn::start(&[]);
    let mut b = StandIn::start(&[]);
    let open = Open::at(&[&a.url, &b.url], Arrivals::at(vec![], every(10, 150)), ms(1500));
    let killer = tokio::task::spawn_blocking(move || {
        std::thread::sleep(ms(700));
        b.kill();
    });
    let told = open.run().await;
    killer.await.unwrap();
    assert_eq!((told.measured(0).len(), told.measured(1).len()), (150, 150));
    assert!(told.measured(0).iter().all(|row| row.outcome == Outcome::Ok));
    let dead = told.measured(1);
    assert_eq!(dead.last().unwrap().outcome, Outcome::Connect);
    assert!(dead.last().unwrap().error.is_some());
    assert_eq!(told.offsets(0), told.offsets(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_never_comes_is_a_timeout_and_the_drain_is_bounded() {
    let a = StandIn::start(&["--first-token-ms", "60000", "--slots", "64"]);
    let arrivals = Arrivals::at(vec![], every(50, 10));
    let more = "timeout: 300ms\n";
    let told = Open { more, ..Open::at(&[&a.url], arrivals.clone(), ms(500)) }.run().await;
    assert!(told.measured(0).iter().all(|row| row.outcome == Outcome::Timeout));
    // With a deadline far beyond it, the time to drain ends them: they didn't fail, they were not waited for.
    let told = Open { more: "timeout: 50s\n", ..Open::at(&[&a.url], arrivals, ms(500)) }.run().await;
    let rows = told.measured(0);
    assert_eq!(rows.len(), 10);
    for row in rows {
        assert_eq!(row.outcome, Outcome::Unfinished);
        let waited = row.response().unwrap();
        assert!(waited.0 > 1_900_000_000 && waited.0 < 20_000_000_000, "{waited:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_an_interruption_nothing_more_is_planned() {
    for pacing in [Pacing::Timer, Pacing::Precise] {
        let a = StandIn::start(&["--first-token-ms", "100", "--slots", "64"]);
        let stop = Stop::default();
        let open = Open::at(&[&a.url], Arrivals::at(vec![], every(10, 3000)), ms(30_000));
        let open = Open { stop: stop.clone(), pacing, ..open };
        let begun = open.begun.clone();
        tokio::spawn(async move {
            begun.notified().await;
            tokio::time::sleep(ms(800)).await;
            stop.interrupt();
        });
        let told = open.run().await;
        let rows = told.measured(0);
        assert!(!rows.is_empty() && rows.len() < 2000, "{}", rows.len());
        assert!(rows.iter().all(|row| row.outcome == Outcome::Ok), "what was in flight was waited for");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocks_of_a_schedule_are_the_same_stretch_for_each_target() {
    let (a, b) = (StandIn::start(&[]), StandIn::start(&[]));
    let all = every(7, 100);
    let arrivals = Arrivals::at(every(10, 5), all.clone());
    let more = "order: alternate\nblocks: { pairs: 4, settle: 30ms, warmup: 40ms }\n";
    let told = Open { more, ..Open::at(&[&a.url, &b.url], arrivals, ms(700)) }.run().await;
    for target in [0, 1] {
        let rows = told.measured(target);
        assert!(rows.iter().map(|row| row.index).eq(0..100));
        let mut windows: Vec<&LaneWindow> = told.windows.iter().filter(|window| window.target == target).collect();
        windows.sort_by_key(|window| window.block);
        assert!(windows.iter().map(|window| window.block).eq(0..4));
        for row in rows {
            let window = windows[row.block as usize];
            let offset = row.stamps.planned.since(window.from) + Nanos(u64::from(row.block) * 175_000_000);
            assert_eq!(offset, all[row.index as usize]);
            assert_eq!(window.to, Some(window.from + ms(175).into()));
        }
        // Connections outlive their block; a machine that stands still for a moment needs more of them at once.
        let opened = told.rows.iter().filter(|row| row.target == target && row.connect.is_some()).count();
        assert!(opened <= 50, "{opened}");
    }
}

/// Says how many times as long, and keeps what it hears.
struct Says(f64, Mutex<Vec<Found>>);

impl Judge for Says {
    fn say(&self) -> Said {
        Said::Times(self.0)
    }
    fn set(&self, found: Found) {
        self.1.lock().unwrap().push(found);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_judge_is_asked_once_and_ends_the_run_early() {
    let (a, b) = (StandIn::start(&[]), StandIn::start(&[]));
    let judge = Arc::new(Says(2.0, Mutex::default()));
    let open = Open::at(&[&a.url, &b.url], Arrivals::at(vec![], every(10, 240)), ms(2400));
    let told = Open { judge: Some(judge.clone()), ..open }.run().await;
    let found = judge.1.lock().unwrap().clone();
    assert!(found.len() == 1 && found[0].why == Why::Known && found[0].length.0 >= ms(1200), "{found:?}");
    for window in &told.windows {
        // Twice as long as the first stage, for both at the same instant.
        assert_eq!(window.to, Some(window.from + found[0].length.0.into()));
    }
    // As many as the schedule has until then.
    let sent = found[0].length.0.as_nanos().div_ceil(10_000_000) as usize;
    assert_eq!((told.measured(0).len(), told.measured(1).len()), (sent, sent));

    let judge = Arc::new(Says(7.0 / 6.0, Mutex::default()));
    let open = Open::at(&[&a.url, &b.url], Arrivals::at(vec![], every(10, 160)), ms(1600));
    let more = "order: alternate\nblocks: { pairs: 16, settle: 0s, warmup: 0s }\n";
    let told = Open { judge: Some(judge.clone()), more, ..open }.run().await;
    let found = judge.1.lock().unwrap().clone();
    assert!(found.iter().all(|found| found.first.0 == ms(600) && found.why == Why::Known), "{found:?}");
    let blocks: BTreeSet<u32> = told.measured(0).iter().map(|row| row.block).collect();
    assert!(blocks.into_iter().eq(0..7));
    assert_eq!(told.measured(0).len(), told.measured(1).len());
}
