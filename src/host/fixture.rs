//! A calibration for tests, of a machine that never was.

use super::*;

pub(crate) fn floor(wire: &str, stream: bool, p50: f64, between: f64) -> Floor {
    Floor {
        wire: wire.to_owned(),
        stream,
        transport: if wire == "gg_core" { Transport::Unix } else { Transport::Tcp },
        requests: 1000,
        response_p50_us: p50,
        response_p95_us: p50 + 5.0,
        response_p99_us: p50 + 20.0,
        spread_us: 20.0,
        between_us: between,
        ttft_p50_us: stream.then_some(p50 - 10.0),
        cpu_per_request_us: Some(15.0),
        cpu_per_token_us: stream.then_some(3.25),
        server_cpu_per_request_us: Some(12.0),
    }
}

pub(crate) fn calibration() -> Calibration {
    let wire = |floor: Floor| Wire {
        highest: (!floor.stream).then_some(Rate { requests_per_s: 123_456.0, users: 16 }),
        streams: floor.stream.then_some(Streams { at_once: 512, bound: Bound::Tried }),
        floor,
    };
    let floors = [("ollama", false, 45.0), ("ollama", true, 60.0), ("gg_core", false, 25.0), ("gg_core", true, 33.0)];
    Calibration {
        schema_version: CALIBRATION_VERSION,
        tool: INSTRUMENT.to_owned(),
        made: "2026-11-21T01:02:03Z".to_owned(),
        quick: false,
        machine: Facts {
            os: Some("Debian GNU/Linux 12".to_owned()),
            kernel: Some("6.18.5".to_owned()),
            cpu: Some("Some CPU @ 2.0 GHz".to_owned()),
            logical_cores: Some(2),
            memory_bytes: Some(8 << 30),
        },
        method: vec!["Some way.".to_owned()],
        wires: floors.map(|(name, stream, p50)| wire(floor(name, stream, p50, 2.0))).to_vec(),
    }
}
