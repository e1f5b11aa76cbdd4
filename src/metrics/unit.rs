//! Units, as files write them.

/// Microseconds.
pub const MICROS: &str = "us";
/// Tokens.
pub const TOKENS: &str = "tokens";
/// Tokens per second.
pub const TOKENS_PER_S: &str = "tokens/s";
/// Requests.
pub const REQUESTS: &str = "requests";
/// Requests per second.
pub const REQUESTS_PER_S: &str = "requests/s";
/// Bytes.
pub const BYTES: &str = "bytes";
/// Bytes an hour.
pub const BYTES_PER_H: &str = "bytes/h";
/// Cores kept busy.
pub const CORES: &str = "cores";
/// Threads.
pub const THREADS: &str = "threads";
/// Page faults.
pub const FAULTS: &str = "faults";
/// Context switches.
pub const SWITCHES: &str = "switches";
/// Joules.
pub const JOULES: &str = "J";
/// Tokens per second for each gibibyte.
pub const TOKENS_PER_S_PER_GIB: &str = "tokens/s/GiB";
/// A share or any other pure number.
pub const ONE: &str = "1";
