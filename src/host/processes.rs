//! The process table, and which processes serve an endpoint: read from Linux's /proc. Elsewhere nothing is found there,
//! and nothing is claimed.

use super::tree::{Process, Snapshot};
use crate::scenario::plan::Endpoint;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, ToSocketAddrs, UdpSocket};
use std::path::Path;

/// Programs that hand a port on to an engine elsewhere (a container, another machine): their time is not the engine's.
const FORWARDERS: [&str; 9] =
    ["docker-proxy", "rootlessport", "rootlesskit", "slirp4netns", "pasta", "passt", "gvproxy", "ssh", "socat"];

/// Where the processes of an endpoint are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// On this machine: these listen.
    Here(Vec<u32>),
    /// On this machine, but they can't be seen: another user's, a container's, or none at all.
    Hidden,
    /// On another machine.
    Elsewhere,
}

/// Finds the processes that listen at an endpoint. It looks through every open file that it may see: for now and then,
/// not for every second.
pub(super) fn listeners(endpoint: &Endpoint) -> Place {
    sockets(endpoint).map_or(Place::Elsewhere, |inodes| place_of(&inodes))
}

/// Whose sockets of these inodes are.
fn place_of(inodes: &[u64]) -> Place {
    let mut pids = holders(inodes);
    // It holds the sockets it opens for its services, beside them.
    pids.retain(|pid| *pid != 1);
    let forwards = |pid: &u32| text(&format!("/proc/{pid}/comm")).is_none_or(|name| FORWARDERS.contains(&name.trim()));
    if pids.is_empty() || pids.iter().any(forwards) { Place::Hidden } else { Place::Here(pids) }
}

/// Whether one process listens at both endpoints, or one socket does, whatever addresses of this machine they are. What can't
/// be seen is not one.
pub fn listens_at_both(a: &Endpoint, b: &Endpoint) -> bool {
    let (Some(one), Some(other)) = (sockets(a), sockets(b)) else { return false };
    if one.iter().any(|inode| other.contains(inode)) {
        return true;
    }
    match (place_of(&one), place_of(&other)) {
        (Place::Here(one), Place::Here(other)) => one.iter().any(|pid| other.contains(pid)),
        _ => false,
    }
}

/// The inodes of the sockets that listen at an endpoint; `None` if it is on another machine.
fn sockets(endpoint: &Endpoint) -> Option<Vec<u64>> {
    match endpoint {
        Endpoint::Tcp { host, port, .. } => {
            let ips: Vec<IpAddr> =
                (host.as_str(), *port).to_socket_addrs().map(|all| all.map(|a| a.ip()).collect()).unwrap_or_default();
            if !ips.iter().copied().any(is_here) {
                return None;
            }
            let [v4, v6] = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| text(path).unwrap_or_default());
            // The first address that answers is the one that is connected to.
            let found = ips.iter().map(|ip| listening(&v4, &v6, *ip, *port)).find(|inodes| !inodes.is_empty());
            Some(found.unwrap_or_default())
        }
        Endpoint::Unix { path } => Some(bound(&text("/proc/net/unix").unwrap_or_default(), path)),
    }
}

/// Whether an address is this machine's: only those can be bound to.
fn is_here(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback() || UdpSocket::bind((ip, 0)).is_ok()
}

/// The inodes of sockets that listen at an address, from /proc/net/tcp and tcp6. One bound to the very address is taken
/// before one bound to all.
fn listening(v4: &str, v6: &str, ip: IpAddr, port: u16) -> Vec<u64> {
    let all: Vec<(IpAddr, u64)> = v4
        .lines()
        .chain(v6.lines())
        .filter_map(listener)
        .filter(|(_, bound, _)| *bound == port)
        .map(|(ip, _, inode)| (ip, inode))
        .collect();
    let at = |wanted: &dyn Fn(IpAddr) -> bool| -> Vec<u64> {
        all.iter().filter(|(bound, _)| wanted(*bound)).map(|(_, inode)| *inode).collect()
    };
    let exact = at(&|bound| bound.to_canonical() == ip.to_canonical());
    if !exact.is_empty() {
        return exact;
    }
    let family = at(&|bound| bound.is_unspecified() && bound.is_ipv4() == ip.to_canonical().is_ipv4());
    // A socket on `::` takes IPv4, too, unless told not to.
    if family.is_empty() { at(&|bound| bound == IpAddr::V6(Ipv6Addr::UNSPECIFIED)) } else { family }
}

/// Address, port and inode of a line of /proc/net/tcp that is about a listening socket.
fn listener(line: &str) -> Option<(IpAddr, u16, u64)> {
    const LISTEN: &str = "0A";
    let fields: Vec<&str> = line.split_ascii_whitespace().take(10).collect();
    let [_, local, _, LISTEN, .., inode] = fields[..] else { return None };
    let (ip, port) = local.split_once(':')?;
    // Words of the address as it lies in memory, each printed as a number of this machine's.
    let word = |at: usize| Some(u32::from_str_radix(ip.get(at * 8..at * 8 + 8)?, 16).ok()?.to_ne_bytes());
    let ip = match ip.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let bytes: Vec<u8> = [word(0)?, word(1)?, word(2)?, word(3)?].concat();
            IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?))
        }
        _ => return None,
    };
    Some((ip, u16::from_str_radix(port, 16).ok()?, inode.parse().ok()?))
}

/// The inodes of the sockets that listen at a path, from /proc/net/unix.
fn bound(table: &str, path: &Path) -> Vec<u64> {
    /// The kernel's mark of a socket that accepts connections.
    const ACCEPTS: u32 = 1 << 16;
    let wanted = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mut found = Vec::new();
    for line in table.lines() {
        // Num RefCount Protocol Flags Type St Inode Path: a path may have blanks in it.
        let mut rest = line.trim_start();
        let mut fields = Vec::new();
        for _ in 0..7 {
            let (field, after) = rest.split_once(' ').unwrap_or((rest, ""));
            fields.push(field);
            rest = after.trim_start();
        }
        let accepts = u32::from_str_radix(fields[3], 16).is_ok_and(|flags| flags & ACCEPTS != 0);
        if let (true, Ok(inode)) = (accepts && !rest.is_empty(), fields[6].parse()) {
            let there = Path::new(rest);
            if there == path || there.canonicalize().is_ok_and(|there| there == wanted) {
                found.push(inode);
            }
        }
    }
    found
}

/// The processes that hold a socket open, as far as we may see.
fn holders(inodes: &[u64]) -> Vec<u32> {
    let names: BTreeSet<String> = inodes.iter().map(|inode| format!("socket:[{inode}]")).collect();
    if names.is_empty() {
        return Vec::new();
    }
    let holds = |pid: &u32| {
        let Ok(files) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
        files
            .flatten()
            .filter_map(|file| file.path().read_link().ok())
            .any(|to| to.to_str().is_some_and(|to| names.contains(to)))
    };
    pids().into_iter().filter(holds).collect()
}

/// The processes that go by a name: the program's file, the word it was called by, or the kernel's name for it. Never
/// ourselves, nor the first of all.
pub(super) fn named(name: &str) -> Vec<u32> {
    let own = std::process::id();
    pids().into_iter().filter(|pid| *pid != own && *pid != 1 && goes_by(*pid, name)).collect()
}

fn goes_by(pid: u32, name: &str) -> bool {
    let file_name = |path: &str| Path::new(path).file_name().is_some_and(|file| file == name);
    if let Ok(program) = std::fs::read_link(format!("/proc/{pid}/exe"))
        && file_name(program.to_string_lossy().trim_end_matches(" (deleted)"))
    {
        return true;
    }
    // The kernel keeps 15 bytes of it.
    if text(&format!("/proc/{pid}/comm")).is_some_and(|comm| comm.trim_end_matches('\n') == name) {
        return true;
    }
    let called = text(&format!("/proc/{pid}/cmdline")).unwrap_or_default();
    called.split('\0').next().is_some_and(file_name)
}

/// Whether there is a process of that number; where there is no /proc nobody can say, and it may be.
pub(super) fn exists(pid: u32) -> bool {
    let told = |pid| process(pid, &mut Vec::new()).is_some();
    told(pid) || !told(std::process::id())
}

/// Whether a process of a group runs: one that has ended, and that nobody has waited for, doesn't. Where there is no /proc
/// nobody can say, and one may.
#[cfg(unix)]
pub(super) fn group_runs(group: u32) -> bool {
    let all = pids();
    let member = |pid: &u32| {
        let line = text(&format!("/proc/{pid}/stat"))?;
        // Its name may hold blanks and parentheses: the last one ends it.
        let mut fields = line.get(line.rfind(')')? + 1..)?.split_ascii_whitespace();
        let state = fields.next()?;
        Some(!matches!(state, "Z" | "X") && fields.nth(1)?.parse() == Ok(group))
    };
    all.is_empty() || all.iter().any(|pid| member(pid) == Some(true))
}

/// The processes now. `None` where there is no /proc.
pub(super) fn snapshot() -> Option<Snapshot> {
    let mut line = Vec::with_capacity(512);
    let all = pids();
    // By number: a parent, which is mostly the older, is read before its child, so that what ends between the two is
    // missing for a moment and never there twice.
    let read = all.into_iter().filter_map(|pid| Some((pid, process(pid, &mut line)?)));
    let snapshot: Snapshot = read.collect();
    (!snapshot.is_empty()).then_some(snapshot)
}

fn pids() -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut pids: Vec<u32> = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    pids.sort_unstable();
    pids
}

fn process(pid: u32, line: &mut Vec<u8>) -> Option<Process> {
    use std::io::Read;
    line.clear();
    std::fs::File::open(format!("/proc/{pid}/stat")).ok()?.read_to_end(line).ok()?;
    stat(&String::from_utf8_lossy(line))
}

/// Reads a process's line (proc_pid_stat(5)). Its name may hold blanks and parentheses: the last one ends it.
fn stat(line: &str) -> Option<Process> {
    let mut fields = line.get(line.rfind(')')? + 1..)?.split_ascii_whitespace();
    // Fields are numbered from 1 there; the state is the third, and the first here.
    let mut last = 2;
    let mut field = |number: usize| -> Option<i64> {
        let text = fields.nth(number - last - 1)?;
        last = number;
        text.parse().ok()
    };
    let parent = field(4)?;
    let faults = [field(10)?, field(11)?, field(12)?, field(13)?].map(|count| u64::try_from(count).unwrap_or(0));
    let time = [field(14)?, field(15)?, field(16)?, field(17)?].map(|ticks| u64::try_from(ticks).unwrap_or(0));
    Some(Process {
        parent: u32::try_from(parent).ok()?,
        own: time[0] + time[1],
        reaped: time[2] + time[3],
        threads: u64::try_from(field(20)?).unwrap_or(0),
        started: u64::try_from(field(22)?).ok()?,
        pages: u64::try_from(field(24)?).unwrap_or(0),
        minor_faults: faults[0] + faults[1],
        major_faults: faults[2] + faults[3],
    })
}

/// The words of a process's command line; none of one that is gone or may not be read.
pub(super) fn words(pid: u32) -> Vec<String> {
    let line = text(&format!("/proc/{pid}/cmdline")).unwrap_or_default();
    line.trim_end_matches('\0').split('\0').map(str::to_owned).filter(|word| !word.is_empty()).collect()
}

/// The text of a file of the kernel's; `None` where it isn't there or may not be read.
pub(super) fn text(path: &str) -> Option<String> {
    std::fs::read(path).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TCP: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11 1 0 100 0 0 10 0
   1: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12 1 0 100 0 0 10 0
   2: 0100007F:1F91 0100007F:D2F0 01 00000000:00000000 00:00000000 00000000     0        0 13 1 0 20 4 30 10 -1
   3: 00000000:1F92 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 14 1 0 100 0 0 10 0
";
    const TCP6: &str = "\
  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 21 1 0 100 0 0 10 0
   1: 00000000000000000000000000000000:1F93 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 22 1 0 100 0 0 10 0
   2: 0000000000000000FFFF00000100007F:1F94 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 23 1 0 100 0 0 10 0
";

    #[test]
    #[cfg(target_endian = "little")]
    fn the_socket_that_would_answer_is_taken() {
        let at = |ip: &str, port| listening(TCP, TCP6, ip.parse().unwrap(), port);
        assert_eq!(at("127.0.0.1", 8080), [11], "the very address before all of them");
        assert_eq!(at("127.0.0.2", 8080), [12]);
        assert_eq!(at("::1", 8080), [21]);
        assert_eq!(at("127.0.0.1", 8081), [0; 0], "connected, not listening");
        assert_eq!(at("127.0.0.1", 8082), [14]);
        assert_eq!(at("127.0.0.1", 8083), [22], ":: takes IPv4, too");
        assert_eq!(at("127.0.0.1", 8084), [23], "IPv4 in IPv6");
        assert_eq!(at("127.0.0.1", 1), [0; 0]);
    }

    #[test]
    fn a_socket_is_found_by_its_path() {
        let table = "Num       RefCount Protocol Flags    Type St Inode Path\n\
                     0000: 00000002 00000000 00010000 0001 01  31 /nowhere/a b.sock\n\
                     0000: 00000003 00000000 00000000 0001 03  32 /nowhere/a b.sock\n\
                     0000: 00000002 00000000 00010000 0001 01  33 @abstract\n\
                     0000: 00000002 00000000 00010000 0001 01  34\n";
        assert_eq!(bound(table, Path::new("/nowhere/a b.sock")), [31], "not its connections");
        assert_eq!(bound(table, Path::new("/nowhere/a")), [0; 0]);
        assert_eq!(bound("", Path::new("/nowhere/a")), [0; 0]);
    }

    #[test]
    fn a_name_may_hold_anything() {
        let line = "12 (a) b (c) S 7 1 1 0 -1 4194560 1 2 3 4 100 20 30 4 20 0 9 0 555 1000 42 1844 1 1";
        let told = stat(line).unwrap();
        let (minor_faults, major_faults) = (1 + 2, 3 + 4);
        let told_of = Process {
            parent: 7,
            started: 555,
            own: 120,
            reaped: 34,
            pages: 42,
            threads: 9,
            minor_faults,
            major_faults,
        };
        assert_eq!(told, told_of);
        for broken in ["", "12 (a", "12 (a) S", "12 (a) S x y"] {
            assert_eq!(stat(broken), None, "{broken}");
        }
    }

    #[test]
    fn what_another_machine_serves_is_elsewhere() {
        let at = |host: &str| Endpoint::Tcp { host: host.to_owned(), port: 9, prefix: String::new(), tls: false };
        // TEST-NET-1 (RFC 5737) is nobody's.
        assert_eq!(listeners(&at("192.0.2.1")), Place::Elsewhere);
        assert_eq!(listeners(&Endpoint::Unix { path: "/nowhere/x.sock".into() }), Place::Hidden);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn our_own_sockets_are_found_and_what_nobody_serves_is_not() {
        let own = Place::Here(vec![std::process::id()]);
        // A child that another test begins holds our sockets, too, until it is a program of its own.
        let listeners = |at: &Endpoint| {
            let mut place = listeners(at);
            for _ in 0..100 {
                if !matches!(&place, Place::Here(pids) if pids.len() > 1) {
                    break;
                }
                std::thread::sleep(std::time::Duration::from_millis(20));
                place = super::listeners(at);
            }
            place
        };
        let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = tcp.local_addr().unwrap().port();
        let at = |host: &str| Endpoint::Tcp { host: host.to_owned(), port, prefix: String::new(), tls: false };
        assert_eq!(listeners(&at("127.0.0.1")), own);
        assert_eq!(listeners(&at("localhost")), own);
        drop(tcp);
        assert_eq!(listeners(&at("127.0.0.1")), Place::Hidden);

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a socket.sock");
        let unix = std::os::unix::net::UnixListener::bind(&path).unwrap();
        assert_eq!(listeners(&Endpoint::Unix { path: path.clone() }), own);
        let link = folder.path().join("link.sock");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert_eq!(listeners(&Endpoint::Unix { path: link }), own, "by another name");
        drop(unix);
        assert_eq!(listeners(&Endpoint::Unix { path }), Place::Hidden);
    }
}
