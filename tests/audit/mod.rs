//! The audit through its front door: runs of the program, and results directories that are told again.

mod directory;
mod faults;
mod live;
mod odd;
mod quiet;
mod rules;
mod run;
mod suites;
