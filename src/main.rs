//! The command line: clap types, dispatch, exit codes; nothing else.

#![forbid(unsafe_code)]

fn main() {}
