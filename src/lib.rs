//! loadcmp drives one seeded workload against a native inference runtime and Ollama at the same time, and says
//! which is better, by how much, and how sure it is.
//!
//! The map, from the command line down. A room imports only rooms below it (`tests/architecture.rs` holds it to that):

#![forbid(unsafe_code)]
#![warn(missing_docs)]

// The table of contents of a run: wiring, the results directory, progress bars.
pub mod run;

// Report -> bytes: one format a file.
pub mod sink;

// Several scenarios and the checks on them, told as one.
pub mod suite;

// Kept reports, which later runs are held to.
pub mod baseline;
// Earlier runs as entries: lists, trends with their steps, and what is removed when it is old.
pub mod history;

// The one serialisable document that everything people read is made from.
pub mod report;

// What gates and tiers come to, by intervals.
pub mod gate;

// The rules that doubt a comparison.
pub mod audit;

// The search for the most that a target sustains: a pure machine over judged probes.
pub mod capacity;

// Folds over samples, and intervals: no input or output, no clock, no async.
pub mod stats;

// When a request leaves: the closed loop, and the order of the targets.
pub mod drive;

// How one request is spoken: one wire a file; `transport` owns sockets and stamps.
pub mod target;

// The embedded engine and the wires it is served on: a leaf, started as a process of its own.
pub mod standin;

// What is asked: pure and seeded.
pub mod workload;

// One request's life as a row, the stopwatch that stamps it, the file it is appended to.
pub mod record;

// What the machine and the engines' processes did meanwhile.
pub mod host;

// What was written (the YAML) and what will happen (the plan).
pub mod scenario;

// Every metric once: id, label, unit, direction, where it is judged; and figures in words.
pub mod metrics;
