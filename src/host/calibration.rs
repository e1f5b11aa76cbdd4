//! What this machine can be measured to: the cost of loadcmp itself against a server that does nothing, measured once by
//! `loadcmp calibrate`, kept, and read by every run. A difference below it says nothing of engines.

use super::Facts;
use crate::scenario::plan::{Endpoint, TargetPlan};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

/// Version of the form of the file.
pub const CALIBRATION_VERSION: u32 = 1;

/// What is calibrated: the version and the build. A build without optimisation is slower, and another instrument.
pub const INSTRUMENT: &str = if cfg!(debug_assertions) {
    concat!("loadcmp ", env!("CARGO_PKG_VERSION"), " (debug)")
} else {
    concat!("loadcmp ", env!("CARGO_PKG_VERSION"))
};

/// How bytes are transported to an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// TCP; measured over loopback.
    Tcp,
    /// TLS over TCP, on connections whose handshake is done; measured over loopback.
    Tls,
    /// A Unix socket.
    Unix,
}

impl Transport {
    /// The transport of an endpoint.
    pub fn of(endpoint: &Endpoint) -> Self {
        match endpoint {
            Endpoint::Tcp { tls: false, .. } => Transport::Tcp,
            Endpoint::Tcp { tls: true, .. } => Transport::Tls,
            Endpoint::Unix { .. } => Transport::Unix,
        }
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Transport::Tcp => "tcp",
            Transport::Tls => "tls",
            Transport::Unix => "unix",
        }
    }
}

/// The cost of a request over one wire when the server does nothing, with one user in a closed loop. Times are in
/// microseconds and include the null server's own: no request takes less on this machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Floor {
    /// The wire's word: `ollama`, `openai`, `gg_core` or `json`.
    pub wire: String,
    /// Whether answers were streams.
    pub stream: bool,
    /// How bytes are transported.
    pub transport: Transport,
    /// Number of requests it is based on.
    pub requests: u64,
    /// Median of the response time (end - planned).
    pub response_p50_us: f64,
    /// 95th percentile of it.
    pub response_p95_us: f64,
    /// 99th percentile of it.
    pub response_p99_us: f64,
    /// The spread within a repeat: 99th percentile minus the median.
    pub spread_us: f64,
    /// The spread between repeats: the highest of their medians minus the lowest.
    pub between_us: f64,
    /// Median time to first token (first token - sent); streams only.
    pub ttft_p50_us: Option<f64>,
    /// CPU time of loadcmp per request.
    pub cpu_per_request_us: Option<f64>,
    /// CPU time of loadcmp per additional token of many paced streams, including the requests' share; streams only.
    pub cpu_per_token_us: Option<f64>,
    /// CPU time of the null server per request: the part of the floor that isn't loadcmp's or the kernel's.
    #[serde(default)]
    pub server_cpu_per_request_us: Option<f64>,
}

impl Floor {
    /// Whether a machine could have it: times that pass, and an hour at most.
    fn possible(&self) -> bool {
        let hour = 0.0..=3.6e9;
        let times = [Some(self.response_p50_us), Some(self.between_us), self.ttft_p50_us];
        times.into_iter().flatten().all(|us| hour.contains(&us))
    }
}

/// The least difference of two targets' times, in microseconds, that this machine can tell from its own doing.
///
/// It is the larger of the two spreads between repeats (the same null server, measured again, came out that much
/// different, so two engines that differ by less may be one), and on top of it the difference of the two floors: where
/// wires or transports are unlike, that much of a difference is theirs before any engine does anything.
pub fn least_difference_us(a: &Floor, b: &Floor) -> f64 {
    a.between_us.max(b.between_us) + (a.response_p50_us - b.response_p50_us).abs()
}

/// The same of times to first token; `None` where no stream was calibrated. Repeats are taken to differ as whole answers' do.
pub fn least_first_token_difference_us(a: &Floor, b: &Floor) -> Option<f64> {
    Some(a.between_us.max(b.between_us) + (a.ttft_p50_us? - b.ttft_p50_us?).abs())
}

/// The highest rate that a closed loop reached over a wire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// Requests a second.
    pub requests_per_s: f64,
    /// Users of the closed loop that reached it.
    pub users: u32,
}

/// Why no more streams were followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// First tokens were late.
    Late,
    /// The generator used up its share of the processor.
    Cpu,
    /// More were not tried.
    Tried,
}

/// How many streams were followed at once without lag.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Streams {
    /// The most that kept within the bounds; 0 if not even one was answered.
    pub at_once: u32,
    /// What kept it from more.
    pub bound: Bound,
}

/// One wire, calibrated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Wire {
    /// What a request costs at least.
    pub floor: Floor,
    /// The highest rate (whole answers).
    pub highest: Option<Rate>,
    /// The most streams.
    pub streams: Option<Streams>,
}

/// A machine, calibrated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Version of this form.
    pub schema_version: u32,
    /// What measured it.
    pub tool: String,
    /// When, UTC (RFC 3339).
    pub made: String,
    /// Whether it was the short form.
    pub quick: bool,
    /// The machine.
    pub machine: Facts,
    /// How it was measured, in sentences.
    pub method: Vec<String>,
    /// Each wire, whole answers and streams.
    pub wires: Vec<Wire>,
}

impl Calibration {
    /// Reads a kept one; `None` if there is none. The error is in words and names the file.
    pub fn read(path: &Path) -> io::Result<Option<Self>> {
        let words =
            |why: String| io::Error::other(format!("the calibration in {} can't be used: {why}", path.display()));
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(words(error.to_string())),
        };
        let version = serde_json::from_slice(&bytes).map(|Version { schema_version }| schema_version);
        match version.map_err(|error| words(format!("it is not from loadcmp ({error})")))? {
            CALIBRATION_VERSION => {}
            other => {
                return Err(words(format!(
                    "its format is version {other}; this loadcmp reads version \
                                          {CALIBRATION_VERSION}"
                )));
            }
        }
        let read: Self =
            serde_json::from_slice(&bytes).map_err(|error| words(format!("it is not from loadcmp ({error})")))?;
        match read.wires.iter().find(|wire| !wire.floor.possible()) {
            Some(wire) => Err(words(format!("its floor for {} is impossible", wire.floor.wire))),
            None => Ok(Some(read)),
        }
    }

    /// Whether it was made on this machine by this instrument; the error says what differs.
    pub fn suits(&self, machine: &Facts) -> Result<(), String> {
        if self.tool != INSTRUMENT {
            return Err(format!("it was made by another version of loadcmp ({}, this one is {INSTRUMENT})", self.tool));
        }
        match self.machine.unlike(machine) {
            None => Ok(()),
            Some((what, kept, here)) => Err(format!("it was made on another {what} ({kept}, here {here})")),
        }
    }

    /// The floor of a target: of its wire and transport, for streams or whole answers.
    pub fn floor(&self, target: &TargetPlan, stream: bool) -> Option<Floor> {
        let transport = Transport::of(&target.endpoint);
        let floors = self.wires.iter().map(|wire| &wire.floor);
        let same = |floor: &&Floor| floor.wire == target.wire() && floor.transport == transport;
        floors.filter(same).find(|floor| floor.stream == stream).cloned()
    }
}

#[derive(Deserialize)]
struct Version {
    schema_version: u32,
}

/// Where the calibration is kept: the file of $LOADCMP_CALIBRATION, else `loadcmp/calibration.json` where the system
/// keeps programs' state. `None` where the environment names no home.
pub fn calibration_path() -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(path) = variable("LOADCMP_CALIBRATION") {
        return Some(path);
    }
    let state = if cfg!(windows) {
        variable("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        variable("HOME").map(|home| home.join("Library/Application Support"))
    } else {
        // A relative path there is invalid by the XDG Base Directory Specification, and to be ignored.
        let home = || variable("HOME").map(|home| home.join(".local/state"));
        variable("XDG_STATE_HOME").filter(|path| path.is_absolute()).or_else(home)
    };
    state.map(|state| state.join("loadcmp").join("calibration.json"))
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{calibration, floor};
    use super::*;

    #[test]
    fn a_difference_must_be_more_than_repeats_and_floors_differ_by() {
        let (a, b) = (floor("ollama", false, 45.0, 3.0), floor("gg_core", false, 25.0, 1.0));
        assert_eq!(least_difference_us(&a, &a), 3.0);
        assert_eq!(least_difference_us(&a, &b), 23.0);
        assert_eq!(least_difference_us(&a, &b), least_difference_us(&b, &a));
        assert_eq!(least_first_token_difference_us(&a, &b), None, "whole answers have no first token");
        let (a, b) = (floor("ollama", true, 45.0, 3.0), floor("gg_core", true, 25.0, 1.0));
        assert_eq!(least_first_token_difference_us(&a, &b), Some(23.0));
    }

    #[test]
    fn another_machine_or_instrument_does_not_suit() {
        let kept = calibration();
        let here = kept.machine.clone();
        assert_eq!(kept.suits(&here), Ok(()));
        let patched = Facts { kernel: Some("6.99.1".to_owned()), memory_bytes: None, ..here.clone() };
        assert_eq!(kept.suits(&patched), Ok(()), "a patch level is the same kernel");
        for (machine, part) in [
            (Facts { cpu: Some("Other".to_owned()), ..here.clone() }, "CPU"),
            (Facts { logical_cores: Some(64), ..here.clone() }, "(2, here 64)"),
            (Facts { kernel: Some("7.0".to_owned()), ..here.clone() }, "(6, here 7)"),
            (Facts { kernel: None, ..here.clone() }, "unknown"),
        ] {
            assert!(kept.suits(&machine).unwrap_err().contains(part), "{machine:?}");
        }
        let other = Calibration { tool: "loadcmp 0.0.1".to_owned(), ..kept };
        assert!(other.suits(&here).unwrap_err().contains("another version of loadcmp"));
    }

    #[test]
    fn it_reads_back_and_what_is_broken_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.json");
        assert_eq!(Calibration::read(&path).unwrap(), None);
        std::fs::write(&path, serde_json::to_vec(&calibration()).unwrap()).unwrap();
        assert_eq!(Calibration::read(&path).unwrap(), Some(calibration()));
        let mut absurd = calibration();
        absurd.wires[1].floor.between_us = -1e300;
        let later = Calibration { schema_version: 9, ..calibration() };
        for (bytes, part) in [
            (serde_json::to_vec(&later).unwrap(), "version 9"),
            (serde_json::to_vec(&absurd).unwrap(), "its floor for ollama is impossible"),
            (b"{".to_vec(), "not from loadcmp"),
            (b"{\"schema_version\":1}".to_vec(), "not from loadcmp"),
        ] {
            std::fs::write(&path, bytes).unwrap();
            let error = Calibration::read(&path).unwrap_err().to_string();
            assert!(error.contains(part) && error.contains("c.json"), "{error}");
        }
    }

    #[test]
    fn a_target_gets_the_floor_of_its_wire_transport_and_form() {
        let plan = crate::stats::fixture::plan(crate::scenario::Task::Classify, false);
        let target = TargetPlan {
            endpoint: Endpoint::Tcp { host: "127.0.0.1".to_owned(), port: 1, prefix: String::new(), tls: false },
            ..plan.targets[0].clone()
        };
        let mut kept = calibration();
        kept.wires.retain(|wire| wire.floor.wire == "ollama");
        for wire in &mut kept.wires {
            wire.floor.wire = target.wire().to_owned();
        }
        assert_eq!(kept.floor(&target, true).map(|floor| floor.response_p50_us), Some(60.0));
        assert_eq!(kept.floor(&target, false).map(|floor| floor.response_p50_us), Some(45.0));
        let endpoint = Endpoint::Tcp { host: "127.0.0.1".to_owned(), port: 1, prefix: String::new(), tls: true };
        let sealed = TargetPlan { endpoint, ..target.clone() };
        assert_eq!(kept.floor(&sealed, false), None, "measured without TLS only");
        kept.wires[0].floor.transport = Transport::Tls;
        assert_eq!(kept.floor(&sealed, kept.wires[0].floor.stream), Some(kept.wires[0].floor.clone()));
        let unix = TargetPlan { endpoint: Endpoint::Unix { path: "/x".into() }, ..target };
        assert_eq!(kept.floor(&unix, false), None, "never measured");
    }
}
