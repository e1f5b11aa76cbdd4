//! What watching the machine cost, and what of it could not be measured: said, so that a blank is never taken for nothing.

use super::Report;
use crate::host::{Gpu, Stopped};
use crate::metrics::human::{percent, three};

impl Report {
    /// In a few sentences; `None` of a run that told nothing of it.
    pub fn watching_words(&self) -> Option<String> {
        let conditions = self.conditions.as_ref()?;
        let ends = conditions.stopped.iter().map(|Stopped { file, at_s, why }| {
            format!(
                "{file} ends {at_s:.0} s into the run, because it couldn't be written: {why}. Time series end \
                     there."
            )
        });
        let ends = ends.collect::<Vec<_>>().join(" ");
        let Some(share) = conditions.watching_cores.map(percent) else {
            return Some(ends).filter(|ends| !ends.is_empty());
        };
        let mut words =
            format!("Monitoring the machine and the engines' processes took {share} of a core (resources.csv).");
        if !ends.is_empty() {
            words.push_str(&format!(" {ends}"));
        }
        for (at, gpu) in conditions.gpus.iter().enumerate() {
            let told = [
                gpu.peak_bytes.map(|bytes| format!("peak memory {}", crate::metrics::human::bytes(bytes))),
                gpu.busy.map(|share| format!("{} busy", percent(share))),
                gpu.power_w.map(|watts| format!("{} W", three(watts))),
                gpu.temperature_c.map(|degrees| format!("peak {degrees:.0} °C")),
            ];
            let told: Vec<_> = told.into_iter().flatten().collect();
            if !told.is_empty() {
                words.push_str(&format!(" gpu{at}: {}.", told.join(", ")));
            }
        }
        let with = self.targets.iter().zip(&conditions.targets);
        let published: Vec<_> = with.filter(|(_, used)| used.published).map(|(target, _)| target.label()).collect();
        if !published.is_empty() {
            words.push_str(&format!(" CPU and memory of {} are what it published itself.", published.join(", ")));
        }
        for (target, used) in self.targets.iter().zip(&conditions.targets) {
            if let Some(bytes) = used.other_models_bytes.filter(|bytes| *bytes > 0) {
                let (label, bytes) = (target.label(), crate::metrics::human::bytes(bytes));
                words.push_str(&format!(" Other models of {label}'s server: peak {bytes}, not counted."));
            }
        }
        let mut missing = Vec::new();
        let unseen: Vec<_> = self
            .targets
            .iter()
            .zip(&conditions.targets)
            .filter(|(_, used)| used.peak_bytes.is_none() && used.cpu_s.is_none())
            .map(|(target, _)| target.label())
            .collect();
        if !unseen.is_empty() {
            missing.push(format!("the processes of {} (on another machine, or not visible)", unseen.join(", ")));
        }
        if conditions.busy_cores.is_none() {
            missing.push("other processes' load (/proc/stat doesn't show it here)".to_owned());
        }
        if conditions.gpus.iter().all(|gpu| *gpu == Gpu::default()) {
            missing.push("GPU (none readable)".to_owned());
        }
        let energy = |of: &dyn Fn(&crate::host::Used) -> bool| conditions.targets.iter().any(of);
        if conditions.energy_j.is_none() && !energy(&|used| used.gpu_energy_j.is_some()) {
            missing.push("energy (no counter readable)".to_owned());
        } else if self.targets.len() > 1 && !energy(&|used| used.energy_j.is_some() || used.gpu_energy_j.is_some()) {
            missing.push("energy per target (targets that run at once share the CPU package)".to_owned());
        }
        if !missing.is_empty() {
            words.push_str(&format!(" Not measured: {}.", missing.join("; ")));
        }
        Some(words)
    }
}

#[cfg(test)]
mod tests {
    use crate::host::{Conditions, Gpu, Stopped, Used};
    use crate::report::fixture::report;
    use crate::scenario::Task;

    #[test]
    fn what_is_blank_is_said_to_be() {
        let words = |conditions: Conditions| {
            let mut report = report(Task::Generate, false);
            report.conditions = Some(conditions);
            report.watching_words()
        };
        assert_eq!(words(Conditions::default()), None, "an older run");
        let full = Stopped { file: "resources.csv".to_owned(), at_s: 12.0, why: "No space left on device".to_owned() };
        let ends = "resources.csv ends 12 s into the run, because it couldn't be written: No space left on device. Time series end there.";
        let stopped = Conditions { stopped: vec![full], ..Conditions::default() };
        assert_eq!(words(stopped.clone()).unwrap(), ends);
        assert!(
            words(Conditions { watching_cores: Some(0.002), ..stopped }).unwrap().contains(&format!(". {ends} Not"))
        );
        let seen = Used { cpu_s: Some(1.0), ..Used::default() };
        let told = words(Conditions {
            watching_cores: Some(0.0023),
            busy_cores: Some(1.0),
            targets: vec![seen.clone(), Used::default()],
            ..Conditions::default()
        });
        let watching = "Monitoring the machine and the engines' processes took 0.2 % of a core (resources.csv).";
        let label = |at: usize| report(Task::Generate, false).targets[at].label();
        assert_eq!(
            told.unwrap(),
            format!(
                "{watching} Not measured: the processes of {} (on another machine, or not visible); GPU (none readable); \
                 energy (no counter readable).",
                label(1)
            )
        );
        let blind = words(Conditions { watching_cores: Some(0.0023), ..Conditions::default() }).unwrap();
        assert!(blind.contains(" Not measured: other processes' load (/proc/stat doesn't show it here); "), "{blind}");
        let told = words(Conditions {
            watching_cores: Some(0.0023),
            targets: vec![seen.clone(), seen],
            energy_j: Some(500.0),
            busy_cores: Some(1.0),
            gpus: vec![Gpu {
                peak_bytes: Some(3 << 30),
                busy: Some(0.5),
                power_w: Some(120.0),
                temperature_c: Some(61.0),
                energy_j: None,
            }],
            ..Conditions::default()
        });
        assert_eq!(
            told.unwrap(),
            format!(
                "{watching} gpu0: peak memory 3.0 GiB, 50.0 % busy, 120 W, peak 61 °C. Not measured: energy \
                 per target (targets that run at once share the CPU package)."
            )
        );
    }
}
