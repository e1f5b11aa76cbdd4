//! What Apple's chips report of their CPU and GPU without root. Samples are made by a thread, since each takes the time that it
//! is about (`ioreport`); here they are summed up, and said to stand at something when they are asked for.

#[cfg(all(target_os = "macos", target_arch = "aarch64"))]
mod ioreport;

#[cfg(all(target_os = "macos", target_arch = "aarch64"))]
pub(super) use ioreport::{Chip, cpu_described, described};

/// Longest time after which a sample is still believed, in seconds: the thread may have ended.
const STALE_S: f64 = 3.0;

/// Means over a sample's time; `None` for what isn't told.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Sample {
    /// Share of the time in which the GPU was in an active state.
    gpu_busy: Option<f64>,
    /// The GPU's power, in watts.
    gpu_w: Option<f64>,
    /// The GPU's temperature, in degrees Celsius: of all its sensors.
    gpu_c: Option<f64>,
    /// The CPU's power, in watts: of all its cores.
    cpu_w: Option<f64>,
}

/// What the chip stands at; `None` for what isn't told.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Stand {
    /// Share of the last sample's time in which the GPU had work.
    pub(super) gpu_busy: Option<f64>,
    /// The GPU's power in the last sample's time, in watts.
    pub(super) gpu_w: Option<f64>,
    /// The GPU's temperature, in degrees Celsius.
    pub(super) gpu_c: Option<f64>,
    /// Energy that the GPU took since the first sample, in joules.
    pub(super) gpu_j: Option<f64>,
    /// Energy that the CPU took since the first sample, in joules.
    pub(super) cpu_j: Option<f64>,
}

/// The samples up to the last one.
#[derive(Clone, Copy, Debug)]
struct Sum {
    /// When the last one ended, in seconds of some clock.
    at_s: f64,
    last: Sample,
    gpu_j: Option<f64>,
    cpu_j: Option<f64>,
}

impl Sum {
    /// The first sample: energy counts from its end.
    fn first(at_s: f64, sample: Sample) -> Self {
        Self { at_s, last: sample, gpu_j: sample.gpu_w.map(|_| 0.0), cpu_j: sample.cpu_w.map(|_| 0.0) }
    }

    /// With a sample that ended at `at_s` and reaches back to the one before. A sum lacks what one sample doesn't tell, and isn't
    /// told from then on.
    fn and(self, at_s: f64, sample: Sample) -> Self {
        let since = (at_s - self.at_s).max(0.0);
        let add =
            |joules: Option<f64>, watts: Option<f64>| joules.zip(watts).map(|(joules, watts)| joules + watts * since);
        Self { at_s, last: sample, gpu_j: add(self.gpu_j, sample.gpu_w), cpu_j: add(self.cpu_j, sample.cpu_w) }
    }

    /// What it comes to at `now_s`: as if the last sample's power had gone on, so that a reading between two samples isn't of
    /// the one before. Nothing of a sample that is too old.
    fn at(&self, now_s: f64) -> Stand {
        let since = (now_s - self.at_s).max(0.0);
        if since > STALE_S {
            return Stand::default();
        }
        let Sample { gpu_busy, gpu_w, gpu_c, cpu_w } = self.last;
        let on =
            |joules: Option<f64>, watts: Option<f64>| joules.zip(watts).map(|(joules, watts)| joules + watts * since);
        Stand { gpu_busy, gpu_w, gpu_c, gpu_j: on(self.gpu_j, gpu_w), cpu_j: on(self.cpu_j, cpu_w) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(gpu_w: Option<f64>, cpu_w: Option<f64>) -> Sample {
        Sample { gpu_busy: Some(0.5), gpu_w, gpu_c: Some(48.0), cpu_w }
    }

    #[test]
    fn energy_is_power_over_the_time_of_its_samples() {
        let sum = Sum::first(10.0, sample(Some(99.0), Some(99.0)));
        assert_eq!((sum.at(10.0).gpu_j, sum.at(10.0).cpu_j), (Some(0.0), Some(0.0)), "it counts from its end");
        let sum = sum.and(10.5, sample(Some(20.0), Some(4.0))).and(11.0, sample(Some(10.0), Some(6.0)));
        let want = Stand {
            gpu_busy: Some(0.5),
            gpu_w: Some(10.0),
            gpu_c: Some(48.0),
            gpu_j: Some(10.0 + 5.0),
            cpu_j: Some(2.0 + 3.0),
        };
        assert_eq!(sum.at(11.0), want);
        // A reading between two samples goes on as the last one did.
        assert_eq!(sum.at(11.25), Stand { gpu_j: Some(17.5), cpu_j: Some(6.5), ..want });
        // A clock that stands still or goes back adds nothing.
        assert_eq!(sum.at(1.0), want);
        assert_eq!(sum.and(10.9, sample(Some(500.0), Some(500.0))).gpu_j, Some(15.0));
    }

    #[test]
    fn what_a_sample_does_not_tell_is_in_no_sum() {
        let sum = Sum::first(0.0, sample(Some(1.0), None)).and(1.0, sample(Some(2.0), Some(2.0)));
        assert_eq!((sum.at(1.0).gpu_j, sum.at(1.0).cpu_j), (Some(2.0), None));
        let sum = sum.and(2.0, sample(None, None)).and(3.0, sample(Some(2.0), None));
        assert_eq!((sum.at(3.0).gpu_w, sum.at(3.0).gpu_j), (Some(2.0), None));
    }

    #[test]
    fn what_no_thread_renews_is_not_believed() {
        let sum = Sum::first(5.0, sample(Some(1.0), Some(1.0)));
        assert!(sum.at(5.0 + STALE_S).gpu_w.is_some());
        assert_eq!(sum.at(5.1 + STALE_S), Stand::default());
    }
}
