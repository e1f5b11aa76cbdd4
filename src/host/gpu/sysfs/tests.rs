use super::*;
use std::collections::BTreeMap;
use std::os::unix::fs::symlink;

/// A machine's folders of devices, as the kernel lays them out.
struct Machine {
    root: tempfile::TempDir,
}

impl Machine {
    fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap() }
    }

    fn drm(&self) -> PathBuf {
        self.root.path().join("class/drm")
    }

    /// Adds `card{number}` at a place on the bus, with files below its device's folder; one without text can't be read.
    fn card(&self, number: u32, pdev: &str, driver: &str, files: &[(&str, Option<&str>)]) -> &Self {
        let device = self.root.path().join("devices").join(pdev);
        let card = device.join(format!("drm/card{number}"));
        let drivers = self.root.path().join("bus/pci/drivers").join(driver);
        for folder in [&card, &drivers, &self.drm()] {
            std::fs::create_dir_all(folder).unwrap();
        }
        symlink(drivers, device.join("driver")).unwrap();
        symlink(Path::new("../../../").join(pdev), card.join("device")).unwrap();
        symlink(&card, self.drm().join(format!("card{number}"))).unwrap();
        // Its connector has a name that begins so, and is in the same folder.
        let connector = self.drm().join(format!("card{number}-DP-1"));
        std::fs::create_dir_all(&connector).unwrap();
        symlink(&card, connector.join("device")).unwrap();
        for (name, text) in files {
            let path = device.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            match text {
                Some(text) => std::fs::write(path, format!("{text}\n")).unwrap(),
                None => std::fs::create_dir(path).unwrap(),
            }
        }
        self
    }

    fn read(&self) -> Vec<Device> {
        read(&cards(&self.drm()), &self.root.path().join("proc"), &[]).all
    }

    fn names(&self) -> Result<Vec<String>, String> {
        names_under(&self.drm())
    }
}

/// A Radeon RX 7900 XTX.
const CARD: [(&str, Option<&str>); 14] = [
    ("vendor", Some("0x1002")),
    ("device", Some("0x744c")),
    ("power/runtime_status", Some("active")),
    ("gpu_busy_percent", Some("37")),
    ("mem_info_vram_total", Some("25753026560")),
    ("mem_info_vram_used", Some("9663676416")),
    ("mem_info_gtt_total", Some("33554432000")),
    ("mem_info_gtt_used", Some("83886080")),
    ("hwmon/hwmon3/name", Some("amdgpu")),
    ("hwmon/hwmon3/power1_average", Some("213000000")),
    ("hwmon/hwmon3/in0_input", Some("1012")),
    ("hwmon/hwmon3/temp1_input", Some("56000")),
    ("hwmon/hwmon3/temp2_input", Some("71000")),
    ("hwmon/hwmon3/temp3_input", Some("78000")),
];

/// The graphics of a Ryzen AI Max+ 395 that hold a model.
const PACKAGE: [(&str, Option<&str>); 11] = [
    ("vendor", Some("0x1002")),
    ("device", Some("0x1586")),
    ("gpu_busy_percent", Some("99")),
    ("mem_info_vram_total", Some("536870912")),
    ("mem_info_vram_used", Some("171044864")),
    ("mem_info_gtt_used", Some("25348276224")),
    ("hwmon/hwmon5/name", Some("amdgpu")),
    ("hwmon/hwmon5/power1_input", Some("89063000")),
    ("hwmon/hwmon5/in0_input", Some("1105")),
    ("hwmon/hwmon5/in1_input", Some("945")),
    ("hwmon/hwmon5/temp1_input", Some("64000")),
];

/// An Arc B580 by xe.
const ARC: [(&str, Option<&str>); 8] = [
    ("vendor", Some("0x8086")),
    ("device", Some("0xe20b")),
    ("hwmon/hwmon2/name", Some("xe")),
    ("hwmon/hwmon2/energy1_input", Some("5241876543")),
    ("hwmon/hwmon2/energy2_input", Some("3104201112")),
    ("hwmon/hwmon2/temp2_input", Some("47000")),
    ("hwmon/hwmon2/temp3_input", Some("52000")),
    ("hwmon/hwmon2/fan1_input", Some("820")),
];

#[test]
fn a_card_reports_its_own_memory_and_power() {
    let machine = Machine::new();
    machine.card(1, "0000:03:00.0", "amdgpu", &CARD);
    let want = Device {
        memory_bytes: Some(9_663_676_416),
        busy: Some(0.37),
        power_w: Some(213.0),
        temperature_c: Some(56.0),
        energy_j: None,
        in_package: false,
    };
    assert_eq!(machine.read(), [want]);
    let name = "AMD 1002:744c (amdgpu): memory, busy, power, temperature, memory per process; not energy (not read)";
    assert_eq!(machine.names(), Ok(vec![name.to_owned()]));
}

#[test]
fn in_a_package_the_machines_memory_counts_and_the_processors_power_does_not() {
    let machine = Machine::new();
    machine.card(0, "0000:c5:00.0", "amdgpu", &PACKAGE);
    let want = Device {
        memory_bytes: Some(171_044_864 + 25_348_276_224),
        busy: Some(0.99),
        temperature_c: Some(64.0),
        in_package: true,
        ..Device::default()
    };
    assert_eq!(machine.read(), [want]);
    let name = "AMD 1002:1586 (amdgpu): memory, busy, temperature, memory per process; not power (GPU and CPU have one \
                figure), energy (not read)";
    assert_eq!(machine.names(), Ok(vec![name.to_owned()]));
}

#[test]
fn an_intel_card_has_energy_and_temperature() {
    let machine = Machine::new();
    machine.card(0, "0000:03:00.0", "xe", &ARC);
    let want = Device { energy_j: Some(5_241.876_543), temperature_c: Some(47.0), ..Device::default() };
    assert_eq!(machine.read(), [want]);
    let name = "Intel 8086:e20b (xe): power, temperature, energy, memory per process; not memory (the kernel shows it to \
                root only), busy (the kernel has it per process)";
    assert_eq!(machine.names(), Ok(vec![name.to_owned()]));

    // By i915 its parts have counters, too; a counter that stands at nothing is none.
    let machine = Machine::new();
    let parts = [
        ("hwmon/hwmon1/name", Some("i915_gt0")),
        ("hwmon/hwmon1/energy1_input", Some("77")),
        ("hwmon/hwmon2/name", Some("i915")),
        ("hwmon/hwmon2/energy1_input", Some("0")),
        ("hwmon/hwmon2/energy2_input", Some("2500000")),
    ];
    machine.card(0, "0000:03:00.0", "i915", &parts);
    assert_eq!(machine.read(), [Device { energy_j: Some(2.5), ..Device::default() }]);

    // A counter that can't be read for a moment is not another one: what it counted since would be the difference of the two.
    let machine = Machine::new();
    machine.card(0, "0000:03:00.0", "xe", &ARC);
    let (cards, proc) = (cards(&machine.drm()), machine.root.path().join("proc"));
    std::fs::remove_file(cards[0].energy.as_ref().unwrap()).unwrap();
    assert_eq!(read(&cards, &proc, &[]).all, [Device { temperature_c: Some(47.0), ..Device::default() }]);
}

#[test]
fn one_that_sleeps_is_not_woken() {
    let machine = Machine::new();
    let mut files = CARD;
    files[2].1 = Some("suspended");
    machine.card(0, "0000:03:00.0", "amdgpu", &files);
    assert_eq!(machine.read(), [Device::default()]);
    files[0] = ("product_name", Some("AMD Radeon PRO W7900"));
    machine.card(1, "0000:04:00.0", "amdgpu", &files);
    let asleep = ["AMD 1002:744c", "AMD Radeon PRO W7900"];
    let asleep = asleep.map(|name| format!("{name} (amdgpu): suspended now, and not woken to be read"));
    assert_eq!(machine.names(), Ok(asleep.to_vec()));
}

#[test]
fn what_can_not_be_read_is_not_known() {
    let machine = Machine::new();
    let silent =
        CARD.map(|(name, text)| (name, text.filter(|_| name.ends_with("name") || name == "power/runtime_status")));
    machine.card(0, "0000:03:00.0", "amdgpu", &silent);
    let nonsense =
        CARD.map(|(name, text)| (name, text.map(|text| if name.ends_with("name") { text } else { "65535 x" })));
    machine.card(1, "0000:04:00.0", "amdgpu", &nonsense);
    // Firmware that doesn't know says 65535 % or 0 W.
    let odd = CARD.map(|(name, text)| match name {
        "gpu_busy_percent" => (name, Some("65535")),
        "hwmon/hwmon3/power1_average" => (name, Some("0")),
        _ => (name, text),
    });
    machine.card(2, "0000:05:00.0", "amdgpu", &odd);
    let known = Device { memory_bytes: Some(9_663_676_416), temperature_c: Some(56.0), ..Device::default() };
    assert_eq!(machine.read(), [Device::default(), Device::default(), known]);
    assert!(machine.names().unwrap()[0].starts_with("AMD 0000:03:00.0 (amdgpu): memory per process; not memory"));
}

#[test]
fn devices_of_other_drivers_are_named_and_not_read() {
    let machine = Machine::new();
    assert_eq!(machine.names(), Err("the kernel has no graphics device".to_owned()));
    machine.card(0, "0000:02:00.0", "ast", &CARD).card(1, "0000:01:00.0", "nvidia", &CARD);
    assert!(machine.read().is_empty());
    assert_eq!(machine.names(), Err("no device of amdgpu, i915 or xe; the kernel has ast, nvidia".to_owned()));
    // They are in the order of their numbers, and one without sensors is there for what processes hold of it.
    machine.card(10, "0000:0a:00.0", "amdgpu", &CARD).card(2, "0000:c5:00.0", "amdgpu", &PACKAGE);
    let plain = [("vendor", Some("0x8086")), ("device", Some("0xa780"))];
    machine.card(3, "0000:00:02.0", "i915", &plain);
    assert_eq!(machine.read().iter().map(|device| device.in_package).collect::<Vec<_>>(), [true, false]);
    let names = machine.names().unwrap();
    assert!(names.len() == 3 && names[1].starts_with("Intel 8086:a780 (i915): memory per process; not "), "{names:?}");
}

#[test]
fn a_process_is_asked_for_what_it_holds_of_each() {
    let machine = Machine::new();
    machine.card(0, "0000:03:00.0", "amdgpu", &CARD).card(1, "0000:c5:00.0", "amdgpu", &PACKAGE);
    let proc = machine.root.path().join("proc");
    for (number, pdev) in [(3, "0000:03:00.0"), (4, "0000:c5:00.0")] {
        for part in ["fd", "fdinfo"] {
            std::fs::create_dir_all(proc.join("7").join(part)).unwrap();
        }
        symlink(format!("/dev/dri/renderD{number}"), proc.join(format!("7/fd/{number}"))).unwrap();
        let text = format!(
            "drm-driver:\tamdgpu\ndrm-client-id:\t9\ndrm-pdev:\t{pdev}\ndrm-resident-gtt:\t1 MiB\ndrm-resident-vram:\t4 MiB\n"
        );
        std::fs::write(proc.join(format!("7/fdinfo/{number}")), text).unwrap();
    }
    let devices = read(&cards(&machine.drm()), &proc, &[7]);
    assert_eq!(devices.held, [BTreeMap::from([(7, Some((4 + 4 + 1) << 20))])]);
}
