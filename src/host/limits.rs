//! What this process may have of the machine: open files, ports. What it may not have is no fault of an engine's.

use std::io;

/// Open files that are no connection to a target: the run's own files, pipes and timers, control calls, /proc.
pub const OTHER_FILES: u64 = 64;

/// Raises the soft limit of open files to the hard one: the soft one is there for programs of another age.
pub fn raise_open_files() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let limit = getrlimit(Resource::Nofile);
        if limit.current == limit.maximum {
            return;
        }
        let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
        // macOS tells of no limit, and takes no more than this.
        let most = limit.current.map(|current| current.max(10_240));
        if raised.is_err() {
            // What can't be raised is as it was, and `open_files` tells it.
            let _ = setrlimit(Resource::Nofile, Rlimit { current: most, ..limit });
        }
    }
}

/// Files that this process may have open; `None` where nothing limits it.
pub fn open_files() -> Option<u64> {
    #[cfg(unix)]
    return rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    #[cfg(not(unix))]
    None
}

/// Connections that may be open at the same time to one address: the ports that the system gives out by itself.
pub fn local_ports() -> Option<u64> {
    ports(&super::processes::text("/proc/sys/net/ipv4/ip_local_port_range")?)
}

fn ports(range: &str) -> Option<u64> {
    let mut bounds = range.split_ascii_whitespace().map_while(|word| word.parse::<u64>().ok());
    let (first, last) = (bounds.next()?, bounds.next()?);
    (last >= first).then(|| last - first + 1)
}

/// Whether it is a limit of ours that kept a connection from being opened: of open files (this process's or the machine's), of
/// local ports, of memory for sockets.
pub fn is_own_limit(error: &io::Error) -> bool {
    #[cfg(unix)]
    {
        use rustix::io::Errno;
        const OURS: [Errno; 5] = [Errno::MFILE, Errno::NFILE, Errno::ADDRNOTAVAIL, Errno::NOBUFS, Errno::NOMEM];
        error.raw_os_error().is_some_and(|code| OURS.iter().any(|ours| ours.raw_os_error() == code))
    }
    #[cfg(not(unix))]
    {
        let _ = error;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_ports_is_counted() {
        assert_eq!(ports("32768\t60999\n"), Some(28_232));
        assert_eq!((ports(""), ports("5"), ports("9 3"), ports("a b")), (None, None, None, None));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_is_ours_is_told_from_what_is_the_engines() {
        let ours = [24, 23, 99, 105];
        let theirs = [111, 104, 110, 113, 2];
        assert!(ours.iter().all(|code| is_own_limit(&io::Error::from_raw_os_error(*code))));
        assert!(!theirs.iter().any(|code| is_own_limit(&io::Error::from_raw_os_error(*code))));
        assert!(!is_own_limit(&io::Error::other("a word")));
    }

    #[test]
    #[cfg(unix)]
    fn the_soft_limit_becomes_the_hard_one() {
        use rustix::process::{Resource, getrlimit};
        raise_open_files();
        let limit = getrlimit(Resource::Nofile);
        assert!(limit.maximum.is_none() || limit.current == limit.maximum, "{limit:?}");
        assert_eq!(open_files(), limit.current);
    }
}
