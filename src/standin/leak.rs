//! Memory that is never given back, on purpose: a known growth, for those who watch an engine to be held to.

use crate::host::lock;
use std::sync::Mutex;

/// Grows with each request.
#[derive(Debug, Default)]
pub(super) struct Leak {
    bytes: usize,
    held: Mutex<Vec<Vec<u8>>>,
}

impl Leak {
    /// One that grows by so many KiB a request; 0 = never.
    pub(super) fn of(kib: u32) -> Self {
        Self { bytes: kib as usize * 1024, held: Mutex::default() }
    }

    /// Takes a request's part. It is written to: memory that nobody touched is not resident.
    pub(super) fn grow(&self) {
        if self.bytes > 0 {
            let taken = vec![0xA5; self.bytes];
            lock(&self.held).push(taken);
        }
    }
}
