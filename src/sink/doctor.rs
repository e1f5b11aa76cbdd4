//! What a machine can measure, for people: a line for each thing, made for 80 columns.

use super::draw::{broken, wrapped};
use crate::host::{Ability, Doctor};
use crate::metrics::human;
use std::io::{self, Write};

/// Columns of a line, and of what stands before what was found.
const WIDTH: usize = 80;
const BEFORE: usize = 32;

/// Writes it.
pub fn doctor(doctor: &Doctor, out: &mut dyn Write) -> io::Result<()> {
    let machine = &doctor.machine;
    let cores = machine.logical_cores.map(|cores| format!("{cores} cores"));
    let memory = machine.memory_bytes.map(|bytes| format!("{} of memory", human::bytes(bytes)));
    let kernel = machine.kernel.as_ref().map(|kernel| format!("kernel {kernel}"));
    let known = [machine.os.clone(), kernel, machine.cpu.clone(), cores, memory];
    wrapped(
        out,
        &format!("{}: {}", doctor.tool, known.into_iter().flatten().collect::<Vec<_>>().join(", ")),
        WIDTH,
        "",
    )?;
    for (head, all) in [("This machine", &doctor.abilities), ("Engines at their usual addresses", &doctor.engines)] {
        writeln!(out, "\n{head}:")?;
        all.iter().try_for_each(|ability| line(ability, out))?;
    }
    Ok(())
}

fn line(ability: &Ability, out: &mut dyn Write) -> io::Result<()> {
    let advice = ability.advice.as_ref().map(|advice| format!("; to change it: {advice}")).unwrap_or_default();
    let mark = if ability.available { "yes" } else { "no" };
    let text = format!("{}{advice}", ability.found);
    for (number, text) in broken(&text, WIDTH - BEFORE, "").into_iter().enumerate() {
        match number {
            0 => writeln!(out, "  {mark:3}  {:23}  {text}", ability.what)?,
            _ => writeln!(out, "{:BEFORE$}{text}", "")?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Facts;

    #[test]
    fn it_fits_into_80_columns() {
        let doctor = Doctor {
            tool: "loadcmp 0.1.0",
            machine: Facts { logical_cores: Some(2), memory_bytes: Some(24 << 30), ..Facts::default() },
            abilities: vec![
                Ability::there("clock", "steps of 31 ns or less"),
                Ability::missing("energy (RAPL)", "only root may read it")
                    .advised("chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj, at each start of the machine"),
            ],
            engines: vec![Ability::missing("ollama", "no answer from 127.0.0.1:11434")],
        };
        let mut text = Vec::new();
        super::doctor(&doctor, &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        insta::assert_snapshot!(text);
    }
}
