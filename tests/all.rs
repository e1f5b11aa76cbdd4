//! The tests of the whole program as one: linked once, and what waits for an engine waits next to what computes.
//!
//! One of them alone: `cargo test --test all answers::`.

// What is asked of /proc, signals and Unix sockets is asked where they are.
#![cfg_attr(not(target_os = "linux"), allow(dead_code, unused_imports))]

#[path = "common/cli.rs"]
mod cli;
#[path = "common/mod.rs"]
mod common;
#[cfg(unix)]
#[path = "common/gg_core.rs"]
mod gg_core;
#[path = "common/raw.rs"]
mod raw;

mod alike_prompts;
mod answers;
mod audit;
mod auto;
mod calibrate;
mod capacity;
mod classify_fair;
mod cold_start;
mod command_line;
mod compare;
mod connections;
mod doctor;
mod ends;
mod everyday;
mod failures;
mod false_alarms;
mod first_request;
mod floors;
mod gates;
mod gates_decided;
#[cfg(unix)]
mod gg_core_frames;
#[cfg(unix)]
mod gg_core_live;
mod gone;
mod goodput;
mod history;
mod host;
mod idle;
mod inside;
mod install;
mod itl;
mod kept_answers;
mod nights;
mod open_loop;
mod own_limits;
mod packed;
mod pipeline;
mod prefix;
mod prompt_sources;
mod quirks;
mod rate_auto;
mod repeats;
mod resources;
mod scenario_errors;
mod scenario_layers;
mod scenario_shipped;
mod secrets;
mod shards;
mod slow;
mod spent;
mod standin;
mod suite_truth;
mod suites;
mod suites_shipped;
mod sweep;
mod tls;
mod tokens;
mod traces;
mod warm;
mod who;
mod wires;
mod wires_end_to_end;
mod words;
mod work;
