//! Samples of the counters of Apple's chips (IOReport) and of their sensors, by a library that needs no root. Its door is this
//! file. It is compiled with its tests, and was never run on hardware.

use super::super::lock;
use super::{Sample, Stand, Sum};
use macmon::{Metrics, Sampler};
use std::sync::{Arc, Mutex, Weak};

/// Length of a sample, in milliseconds: two between readings a second apart.
const PERIOD_MS: u32 = 500;

/// Length of one that is made only to see what it has.
const LOOK_MS: u32 = 100;

/// The chip, whose counters are sampled as long as somebody has it.
#[derive(Clone, Debug)]
pub(in crate::host) struct Chip(Arc<Mutex<Samples>>);

#[derive(Debug, Default)]
struct Samples {
    sum: Option<Sum>,
    /// Processor time of the thread that makes them.
    thread_s: f64,
}

/// That of the chip that is sampled now: one thread is enough for its GPU and its CPU.
static SAMPLED: Mutex<Weak<Mutex<Samples>>> = Mutex::new(Weak::new());

impl Chip {
    /// Begins to sample it, if nobody did; `None` in a virtual machine, which has no such counters.
    pub(in crate::host) fn watched() -> Option<Self> {
        let mut sampled = lock(&SAMPLED);
        if let Some(samples) = sampled.upgrade() {
            return Some(Self(samples));
        }
        if macmon::sources::get_soc_info().ok()?.vm {
            return None;
        }
        let samples = Arc::default();
        let kept = Arc::downgrade(&samples);
        *sampled = kept.clone();
        std::thread::Builder::new().name("host-chip".to_owned()).spawn(move || make(&kept)).ok()?;
        Some(Self(samples))
    }

    /// What it stands at; nothing before the first sample.
    pub(in crate::host) fn now(&self) -> Stand {
        lock(&self.0).sum.map(|sum| sum.at(clock_s())).unwrap_or_default()
    }

    /// Processor time of the thread that samples it, in seconds.
    pub(in crate::host) fn thread_s(&self) -> f64 {
        lock(&self.0).thread_s
    }
}

/// Makes samples until nobody wants them, or one can't be made.
fn make(samples: &Weak<Mutex<Samples>>) {
    let Ok(mut sampler) = Sampler::new() else { return };
    let has_states = has_states(&sampler);
    while let Ok(metrics) = sampler.get_metrics(PERIOD_MS) {
        let at_s = clock_s();
        let Some(samples) = samples.upgrade() else { return };
        let mut samples = lock(&samples);
        let sample = sample(&metrics, has_states, samples.sum.map(|sum| sum.last));
        samples.sum = Some(samples.sum.map_or_else(|| Sum::first(at_s, sample), |sum| sum.and(at_s, sample)));
        samples.thread_s = super::super::machine::thread_processor_time().unwrap_or_default();
    }
}

/// Whether the chip's table has states in which the GPU works: without it all time looks idle.
fn has_states(sampler: &Sampler) -> bool {
    sampler.get_soc_info().gpu_freqs.len() > 1
}

/// What a sample tells. The library writes 0 for a counter that isn't there: no chip's cores take nothing while they sample, and
/// a GPU takes nothing only while it does nothing.
///
/// Whether a counter is there is known by a `before` that it counted in: next to nothing may round to it.
fn sample(metrics: &Metrics, has_states: bool, before: Option<Sample>) -> Sample {
    let counted = |of: fn(Sample) -> Option<f64>| before.and_then(of).is_some();
    let known = |value: f32| Some(f64::from(value)).filter(|value| value.is_finite() && *value >= 0.0);
    let gpu_busy = known(metrics.gpu_active_ratio).filter(|share| has_states && *share <= 1.0);
    Sample {
        gpu_busy,
        gpu_w: known(metrics.gpu_power)
            .filter(|watts| *watts > 0.0 || gpu_busy == Some(0.0) || counted(|before| before.gpu_w)),
        gpu_c: metrics.temp.gpu_temp_avg.and_then(known),
        cpu_w: known(metrics.cpu_power).filter(|watts| *watts > 0.0 || counted(|before| before.cpu_w)),
    }
}

/// Seconds of the system's clock that only goes forward.
fn clock_s() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// The chip's name, and a short sample of it. The error is in words. By a thread of its own: of a chip that it doesn't know the library
/// panics.
fn looked() -> Result<(String, Sample), String> {
    let unknown = |_| Err("IOReport can't be read: its counters aren't known for this chip".to_owned());
    std::thread::spawn(sampled).join().unwrap_or_else(unknown)
}

fn sampled() -> Result<(String, Sample), String> {
    let mut sampler = Sampler::new().map_err(|error| format!("IOReport can't be read: {error}"))?;
    if sampler.get_soc_info().vm {
        return Err("a virtual machine has no such counters".to_owned());
    }
    let metrics = sampler.get_metrics(LOOK_MS).map_err(|error| format!("IOReport can't be read: {error}"))?;
    Ok((sampler.get_soc_info().chip_name.clone(), sample(&metrics, has_states(&sampler), None)))
}

/// The GPU with what it reports and what not; the error says why there is nothing.
pub(in crate::host) fn described() -> Result<String, String> {
    let (chip, sample) = looked()?;
    let figures = [
        ("busy", sample.gpu_busy.is_some()),
        ("power, energy", sample.gpu_w.is_some()),
        ("temperature", sample.gpu_c.is_some()),
    ];
    let of = |there: bool| {
        let named: Vec<_> = figures.iter().filter(|(_, told)| *told == there).map(|(what, _)| *what).collect();
        named.join(", ")
    };
    let missing = Some(of(false)).filter(|missing| !missing.is_empty());
    let missing = missing.map(|missing| format!("{missing} (no counter), ")).unwrap_or_default();
    Ok(format!("{chip}: {}; not {missing}memory (it is the machine's)", of(true)))
}

/// What there is of the CPU's energy; the error says why there is nothing.
pub(in crate::host) fn cpu_described() -> Result<String, String> {
    let watts = looked()?.1.cpu_w.ok_or("the chip's counter of the CPU stands still")?;
    Ok(format!("the CPU of the chip, {watts:.1} W now"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use macmon::TempMetrics;

    /// As an M2 Pro under load.
    fn metrics() -> Metrics {
        let temp = TempMetrics { cpu_temp_avg: Some(71.5), gpu_temp_avg: Some(64.25) };
        Metrics { temp, gpu_active_ratio: 0.75, gpu_power: 12.5, cpu_power: 8.25, ..Metrics::default() }
    }

    #[test]
    fn a_sample_has_what_the_library_knows() {
        let want = Sample { gpu_busy: Some(0.75), gpu_w: Some(12.5), gpu_c: Some(64.25), cpu_w: Some(8.25) };
        assert_eq!(sample(&metrics(), true, None), want);
        assert_eq!(sample(&metrics(), false, None), Sample { gpu_busy: None, ..want });
    }

    #[test]
    fn a_counter_that_is_not_there_is_not_nothing() {
        let idle = Metrics { gpu_active_ratio: 0.0, gpu_power: 0.0, ..metrics() };
        assert_eq!((sample(&idle, true, None).gpu_busy, sample(&idle, true, None).gpu_w), (Some(0.0), Some(0.0)));
        let none = Metrics { gpu_power: 0.0, cpu_power: 0.0, ..metrics() };
        assert_eq!((sample(&none, true, None).gpu_w, sample(&none, true, None).cpu_w), (None, None));
        let before = Some(sample(&metrics(), true, None));
        assert_eq!((sample(&none, true, before).gpu_w, sample(&none, true, before).cpu_w), (Some(0.0), Some(0.0)));
        let odd =
            Metrics { gpu_active_ratio: f32::NAN, gpu_power: -1.0, cpu_power: f32::INFINITY, ..Metrics::default() };
        assert_eq!(sample(&odd, true, None), Sample::default());
    }

    #[test]
    fn looking_is_free_of_errors_anywhere() {
        if let Some(chip) = Chip::watched() {
            assert!(Chip::watched().is_some_and(|same| Arc::ptr_eq(&same.0, &chip.0)));
            assert!(chip.now().gpu_busy.is_none_or(|share| (0.0..=1.0).contains(&share)));
        }
        assert!(described().is_ok_and(|chip| !chip.is_empty()) || described().is_err_and(|why| !why.is_empty()));
    }
}
