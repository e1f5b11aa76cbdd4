//! What /proc tells of one process beside its line in the table: what its memory is made of, its proportional share of
//! what several hold, what it read from disks, and how often its threads were put aside. `None` where it may not be read.

use super::counts::Stand;
use super::processes::text;

/// What a process's memory is made of, from its /proc/PID/status (proc_pid_status(5)); `None` for one that is gone, or of
/// the kernel's own.
pub(super) fn memory(pid: u32) -> Option<Memory> {
    made_of(&text(&format!("/proc/{pid}/status"))?)
}

/// Its proportional set size in bytes: each page it holds, divided by how many processes hold it (proc_pid_smaps(5)). The
/// kernel walks all its page tables for it: for now and then, not for every second.
pub(super) fn proportional(pid: u32) -> Option<u64> {
    kib(&text(&format!("/proc/{pid}/smaps_rollup"))?, "Pss")
}

/// Bytes that it, and its ended children, had fetched from storage (proc_pid_io(5)): pages of mapped files too, and none
/// that the cache had.
pub(super) fn disk_read(pid: u32) -> Option<u64> {
    count(&text(&format!("/proc/{pid}/io"))?, "read_bytes")
}

/// Context switches of each of its threads that lives: those it asked for by waiting, and those it was made to.
pub(super) fn switches(pid: u32) -> Option<(Vec<Stand>, Vec<Stand>)> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    let (mut voluntary, mut involuntary) = (Vec::new(), Vec::new());
    for thread in threads.flatten() {
        let Some(tid) = thread.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // A thread that ended since leaves nothing to read.
        let Some(status) = text(&format!("/proc/{pid}/task/{tid}/status")) else { continue };
        let told = count(&status, "voluntary_ctxt_switches").zip(count(&status, "nonvoluntary_ctxt_switches"));
        let (own, made) = told?;
        voluntary.push(((tid, 0), own));
        involuntary.push(((tid, 0), made));
    }
    Some((voluntary, involuntary))
}

fn made_of(status: &str) -> Option<Memory> {
    // Shared memory is nobody's file: it stays when the cache is dropped.
    let anonymous = kib(status, "RssAnon")?.saturating_add(kib(status, "RssShmem")?);
    Some(Memory { anonymous, file: kib(status, "RssFile")? })
}

/// A line `Name: 12 kB`, in bytes.
fn kib(text: &str, name: &str) -> Option<u64> {
    Some(field(text, name)?.strip_suffix(" kB")?.trim().parse::<u64>().ok()?.saturating_mul(1024))
}

/// A line `name: 12`.
fn count(text: &str, name: &str) -> Option<u64> {
    field(text, name)?.parse().ok()
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

/// What a process's resident memory is made of, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Memory {
    /// Its own, that of no file: heap, stacks, shared memory.
    pub(super) anonymous: u64,
    /// Pages of files: programs, libraries, models that are mapped. They are the cache's, too.
    pub(super) file: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_the_processes_own_or_a_files() {
        let status =
            "Name:\tx\nVmRSS:\t    99 kB\nRssAnon:\t      40 kB\nRssFile:\t      50 kB\nRssShmem:\t       9 kB\n";
        assert_eq!(made_of(status), Some(Memory { anonymous: 49 * 1024, file: 50 * 1024 }));
        for broken in ["", "RssAnon:\t1 kB\n", "RssAnon:\tx kB\nRssFile:\t1 kB\nRssShmem:\t1 kB\n"] {
            assert_eq!(made_of(broken), None, "{broken}");
        }
    }

    #[test]
    fn names_that_begin_alike_are_told_apart() {
        let rollup = "55-7f r--p 00000000 00:00 0 [rollup]\nRss:  900 kB\nPss_Dirty:  7 kB\nPss:   450 kB\n";
        assert_eq!(kib(rollup, "Pss"), Some(450 * 1024));
        let io = "rchar: 9\nread_bytes: 4096\ncancelled_write_bytes: 0\n";
        assert_eq!((count(io, "read_bytes"), count(io, "write_bytes")), (Some(4096), None));
        let status = "voluntary_ctxt_switches:\t12\nnonvoluntary_ctxt_switches:\t3\n";
        assert_eq!(
            (count(status, "voluntary_ctxt_switches"), kib(status, "voluntary_ctxt_switches")),
            (Some(12), None)
        );
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn we_can_read_ourselves() {
        let own = std::process::id();
        let resident = memory(own).map(|memory| memory.anonymous + memory.file);
        assert!(resident.is_some_and(|bytes| bytes > 100_000));
        // Some kernels are built without them; where they are, what is shared counts in part.
        assert!(proportional(own).is_none_or(|share| share > 10_000 && resident.is_some_and(|all| share <= all * 2)));
        assert!(switches(own).is_some_and(|(own, _)| !own.is_empty()));
        assert_eq!((memory(u32::MAX), proportional(u32::MAX), disk_read(u32::MAX)), (None, None, None));
    }
}
