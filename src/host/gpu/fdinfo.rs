//! What processes hold of the memory of AMD's and Intel's devices, from what the kernel says of each file they have open
//! (/proc/PID/fdinfo, Documentation/gpu/drm-usage-stats.rst). It needs no root for processes of one's own.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::Path;

/// A device whose clients are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    /// Its address on the bus, `0000:03:00.0`.
    pub(super) pdev: String,
    /// Whether it has none but the machine's memory, or works in it as in its own.
    pub(super) in_package: bool,
}

/// What each of these processes holds of the devices' memory, in bytes; `None` for one that may not be read, or of which the
/// kernel doesn't say it all. A client that several processes hold, as after a fork, is the first one's.
pub(super) fn held(proc: &Path, pids: &[u32], slots: &[Slot]) -> BTreeMap<u32, Option<u64>> {
    let mut seen = BTreeSet::new();
    let pids: BTreeSet<u32> = pids.iter().copied().collect();
    let of = |pid: u32| match clients(&proc.join(pid.to_string())) {
        Ok(texts) => Some((pid, sum(&texts, slots, &mut seen))),
        // It has ended.
        Err(ErrorKind::NotFound) => None,
        Err(_) => Some((pid, None)),
    };
    pids.into_iter().filter_map(of).collect()
}

/// What the kernel says of each file that a process has open at a graphics device. Whose path isn't one is not read: an engine
/// has thousands of sockets.
fn clients(process: &Path) -> Result<Vec<String>, ErrorKind> {
    let files = std::fs::read_dir(process.join("fd")).map_err(|error| error.kind())?;
    let is_device = |path: &Path| std::fs::read_link(path).is_ok_and(|to| to.starts_with("/dev/dri"));
    let open = files.flatten().filter(|file| is_device(&file.path()));
    // One that was closed since leaves nothing to read.
    Ok(open.filter_map(|file| std::fs::read_to_string(process.join("fdinfo").join(file.file_name())).ok()).collect())
}

/// The bytes of all clients that weren't seen before; `None` if one of them doesn't say.
fn sum(texts: &[String], slots: &[Slot], seen: &mut BTreeSet<(String, u64)>) -> Option<u64> {
    let mut sum = 0_u64;
    for text in texts {
        let Some(slot) = slots.iter().find(|slot| field(text, "drm-pdev") == Some(slot.pdev.as_str())) else {
            continue;
        };
        // Without its number (before Linux 5.19) it can't be told from a copy of itself.
        let client = field(text, "drm-client-id")?.parse().ok()?;
        if seen.insert((slot.pdev.clone(), client)) {
            sum = sum.saturating_add(bytes(text, slot.in_package)?);
        }
    }
    Some(sum)
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

/// Kinds of sizes, the best first: what is there now, by its newer name and by that which amdgpu alone has, or else what was
/// asked for.
const KINDS: [&str; 3] = ["drm-resident-", "drm-memory-", "drm-total-"];

/// What a client holds of the device's memory: of its own, where it has any; of the machine's, as far as it is the device's to
/// use, where that is all it has or it is in the processor's package. `None` if no size is told.
fn bytes(text: &str, in_package: bool) -> Option<u64> {
    let sizes = sizes(text);
    let all = |which: fn(&str) -> bool| {
        let sizes: Vec<u64> = sizes.iter().filter(|(name, _)| which(name)).map(|(_, bytes)| *bytes).collect();
        (!sizes.is_empty()).then(|| sizes.into_iter().fold(0, u64::saturating_add))
    };
    match (all(is_own), all(is_shared)) {
        (Some(own), Some(shared)) if in_package => Some(own.saturating_add(shared)),
        (own, shared) => own.or(shared),
    }
}

/// Regions on the device: amdgpu's `vram`, xe's `vram0`, i915's `local0` and `stolen-local0`.
fn is_own(region: &str) -> bool {
    ["vram", "local", "stolen-local"].iter().any(|name| region.starts_with(name))
}

/// The machine's memory that a device may use: `gtt` of amdgpu and xe, `system` and `stolen` of Intel's. What amdgpu calls `cpu`
/// was taken from it.
fn is_shared(region: &str) -> bool {
    ["gtt", "system", "stolen"].iter().any(|name| region.starts_with(name)) && !is_own(region)
}

/// The size of each region, in bytes, of the best kind that is told of it.
fn sizes(text: &str) -> BTreeMap<&str, u64> {
    let mut sizes = BTreeMap::new();
    for kind in KINDS {
        for (name, value) in text.lines().filter_map(|line| line.strip_prefix(kind)?.split_once(':')) {
            if let Some(bytes) = size(value) {
                sizes.entry(name.trim()).or_insert(bytes);
            }
        }
    }
    sizes
}

/// `12 KiB`, `3 MiB`, or bytes.
fn size(value: &str) -> Option<u64> {
    let mut words = value.split_ascii_whitespace();
    let number: u64 = words.next()?.parse().ok()?;
    let unit = match words.next() {
        None => 1,
        Some("KiB") => 1 << 10,
        Some("MiB") => 1 << 20,
        Some(_) => return None,
    };
    Some(number.saturating_mul(unit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As amdgpu of Linux 6.14 writes it.
    const AMDGPU: &str = "pos:\t0\nflags:\t02100002\nmnt_id:\t24\nino:\t1239\ndrm-driver:\tamdgpu\ndrm-client-id:\t4\n\
        drm-pdev:\t0000:04:00.0\npasid:\t32771\ndrm-total-cpu:\t0\ndrm-resident-cpu:\t0\ndrm-total-gtt:\t2392 KiB\n\
        drm-shared-gtt:\t0\ndrm-resident-gtt:\t2392 KiB\ndrm-total-vram:\t44564 KiB\ndrm-shared-vram:\t31952 KiB\n\
        drm-resident-vram:\t44564 KiB\ndrm-memory-vram:\t44564 KiB\ndrm-memory-gtt: \t2392 KiB\ndrm-memory-cpu: \t0 KiB\n\
        amd-evicted-vram:\t0 KiB\namd-requested-vram:\t44564 KiB\ndrm-engine-compute:\t46464671 ns\n";

    /// As amdgpu of Linux 6.1 does.
    const OLD_AMDGPU: &str = "pasid:\t32784\ndrm-driver:\tamdgpu\ndrm-pdev:\t0000:04:00.0\ndrm-client-id:\t217\n\
        drm-memory-vram:\t2068 KiB\ndrm-memory-gtt: \t8192 KiB\ndrm-memory-cpu: \t0 KiB\ndrm-engine-gfx:\t107322799 ns\n";

    /// As xe does, of a card with memory.
    const XE: &str = "pos:\t0\ndrm-driver:\txe\ndrm-client-id:\t20\ndrm-pdev:\t0000:03:00.0\ndrm-total-system:\t0\n\
        drm-resident-system:\t0\ndrm-total-gtt:\t2 MiB\ndrm-resident-gtt:\t2 MiB\ndrm-total-vram0:\t16946852 KiB\n\
        drm-resident-vram0:\t16000 MiB\ndrm-total-stolen:\t0\ndrm-resident-stolen:\t0\ndrm-cycles-rcs:\t744\n\
        drm-total-cycles-rcs:\t18956600119\n";

    /// As i915 does, of a device without any.
    const I915: &str = "drm-driver:\ti915\ndrm-client-id:\t14\ndrm-pdev:\t0000:00:02.0\ndrm-total-system0:\t8192 KiB\n\
        drm-shared-system0:\t0\ndrm-resident-system0:\t6144 KiB\ndrm-total-stolen-system0:\t0\n\
        drm-resident-stolen-system0:\t0\ndrm-engine-render:\t2000 ns\n";

    fn slots() -> Vec<Slot> {
        ["0000:04:00.0", "0000:03:00.0", "0000:00:02.0"]
            .map(|pdev| Slot { pdev: pdev.to_owned(), in_package: false })
            .to_vec()
    }

    /// A process's files: each one's number, what it leads to, and what the kernel says of it.
    fn process(proc: &Path, pid: u32, files: &[(u32, &str, &str)]) {
        let folder = proc.join(pid.to_string());
        for part in ["fd", "fdinfo"] {
            std::fs::create_dir_all(folder.join(part)).unwrap();
        }
        for (number, to, text) in files {
            std::os::unix::fs::symlink(to, folder.join("fd").join(number.to_string())).unwrap();
            std::fs::write(folder.join("fdinfo").join(number.to_string()), text).unwrap();
        }
    }

    #[test]
    fn a_device_with_memory_counts_that_and_one_without_the_machines() {
        assert_eq!(bytes(AMDGPU, false), Some(44564 << 10));
        // A chip that is processor and graphics in one uses what is set aside for it, and as much more as it maps.
        assert_eq!(bytes(AMDGPU, true), Some((44564 + 2392) << 10));
        assert_eq!((bytes(OLD_AMDGPU, false), bytes(OLD_AMDGPU, true)), (Some(2068 << 10), Some((2068 + 8192) << 10)));
        assert_eq!(bytes(XE, false), Some(16000 << 20), "resident, and no cycles");
        assert_eq!(bytes(I915, false), Some(6144 << 10));
        let local = "drm-total-system0:\t4 KiB\ndrm-total-local0:\t4194304 KiB\ndrm-total-stolen-local0:\t1 MiB\n";
        assert_eq!(bytes(local, false), Some((4096 + 1) << 20));
        // Before Linux 6.8 i915 says nothing of memory.
        assert_eq!(bytes("drm-driver:\ti915\ndrm-engine-render:\t0 ns\n", false), None);
        assert_eq!(bytes("drm-resident-vram:\t0\n", false), Some(0));
        assert_eq!(bytes("drm-resident-vram:\t7 GiB\n", false), None, "no such unit");
    }

    #[test]
    fn a_client_counts_once_however_many_files_and_processes_have_it() {
        let proc = tempfile::tempdir().unwrap();
        let render = "/dev/dri/renderD128";
        let card = AMDGPU.replace("drm-client-id:\t4", "drm-client-id:\t5");
        process(proc.path(), 7, &[(3, render, AMDGPU), (4, render, AMDGPU), (5, "/dev/dri/card0", &card)]);
        process(proc.path(), 8, &[(3, render, AMDGPU), (9, "/dev/dri/renderD129", XE)]);
        // What isn't open at a device is not read, nor is one of a driver that isn't looked for.
        let other = AMDGPU.replace("0000:04:00.0", "0000:09:00.0");
        process(
            proc.path(),
            9,
            &[(3, "socket:[12]", AMDGPU), (4, "/dev/dri/renderD130", &other), (5, "/dev/null", "")],
        );
        let held = held(proc.path(), &[9, 8, 7, 7, 10], &slots());
        assert_eq!(held, BTreeMap::from([(7, Some(2 * (44564 << 10))), (8, Some(16000 << 20)), (9, Some(0))]));
    }

    #[test]
    fn what_is_not_told_is_not_known() {
        let proc = tempfile::tempdir().unwrap();
        let render = "/dev/dri/renderD128";
        let nameless = AMDGPU.replace("drm-client-id:\t4\n", "");
        process(proc.path(), 7, &[(3, render, &nameless)]);
        process(proc.path(), 8, &[(3, render, "drm-pdev:\t0000:00:02.0\ndrm-client-id:\t3\n")]);
        // As one that may not be listed.
        std::fs::create_dir(proc.path().join("9")).unwrap();
        std::fs::write(proc.path().join("9/fd"), "").unwrap();
        let held = held(proc.path(), &[7, 8, 9], &slots());
        assert_eq!(held, BTreeMap::from([(7, None), (8, None), (9, None)]));
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text: String, lines: Vec<(u8, String, u64, u8)>) {
            let line = |(kind, region, number, unit): &(u8, String, u64, u8)| {
                let unit = ["", " KiB", " MiB", " x"][usize::from(unit % 4)];
                format!("{}{region}:\t{number}{unit}\n", KINDS[usize::from(kind % 3)])
            };
            let made: String = lines.iter().map(line).collect();
            for text in [text, made] {
                let (own, both) = (bytes(&text, false), bytes(&text, true));
                prop_assert!(both >= own && both.is_some() == own.is_some());
                sum(&[text.clone(), format!("drm-pdev: 0000:04:00.0\ndrm-client-id: 1\n{text}")], &slots(), &mut BTreeSet::new());
            }
        }
    }
}
