//! The stand-in through real sockets: every wire's shapes, faults, limits and timing, and the record it keeps. Times
//! are bounded from below (an answer never comes before it is declared to) and only loosely from above.

mod apis;
mod faults;
#[cfg(unix)]
mod gg_core;
mod ollama;
mod openai;
mod quirks;
mod stage;
mod timing;
