//! `make truth`: whether the statistics say what is true. Simulated runs whose truth is known go through the very fold that
//! users get, by the rules that users get (`duration: auto`, four users, both engines at once), and by others. Told are:
//!
//! - how often two equal engines are called different, by the main metric and by any,
//! - how often the 95 % interval holds the true ratio: of equal engines, and of ones 2 and 10 % apart,
//! - how often a true 10 % and a true 30 % are shown, and a true 5 % after a run of the length that the tool advises,
//! - how far that length lies from the one that was needed.
//!
//! Ways that no run can hold the truth in (one engine's speed alone wanders for longer than a run lasts) are told as what
//! they are, and not counted as wrong.
//!
//! Then searches for capacity go against the same engine, whose boundary is known: how often the answer lies within 3 % of it
//! (`--only capacity` runs these alone). And histories of runs, flat and with a step (`--only steps`), and nights of equal engines, on
//! which gates should not fail (`--only gates`), also where nights scatter (`--only nights`).
//!
//! Every draw comes from fixed seeds: the same figures each time. Then the real program runs over real sockets, 40 times
//! against two stand-ins that are alike (not with `--short` or `--only`).
//!
//! How much is run: `--runs`, `--pilots` (runs of the advised length), `--searches`, `--histories`, `--nights`; `--detail` tells of
//! every metric.
//!
//! `--keep` keeps the figures in `bench/figures/truth.json`, with a hash of the code that they are of and the figures of the short
//! form. `--short --same` runs that form again: are they the same to the last digit, then so are the others, and the hash is
//! made that of today's code.

mod capacity;
mod count;
mod drive;
mod gates;
mod kept;
mod model;
mod nights;
mod options;
mod real;
mod side;
mod simulate;
mod simulated;
mod steps;
mod ways;
mod world;

use options::Options;
use serde_json::{Value, json};

/// All that is measured.
struct Told {
    simulated: Vec<count::Figures>,
    sought: Vec<capacity::Searched>,
    stepped: Vec<steps::Told>,
    judged: Vec<gates::Judged>,
    scattered: Vec<nights::Scattered>,
}

impl Told {
    fn measure(options: &Options) -> Self {
        let runs = |word: &str, few: u64, usual: u64| options.number(word, if options.short() { few } else { usual });
        let wanted = |part: &str| options.wanted(part);
        let whole = |part: &str| wanted(part) && !options.short();
        let kind = options.after("--kind").or_else(|| options.short().then(|| "declared".to_owned()));
        Self {
            simulated: simulated::measure(options),
            sought: if wanted("capacity") {
                capacity::measure(runs("--searches", 2, 300), kind.as_deref())
            } else {
                Vec::new()
            },
            // Of few histories and nights nothing follows: they are the long form's.
            stepped: if whole("steps") { steps::measure(options.number("--histories", 2000)) } else { Vec::new() },
            judged: if whole("gates") { gates::measure(options.number("--nights", 1000)) } else { Vec::new() },
            scattered: if whole("nights") { nights::measure(options.number("--nights", 4000)) } else { Vec::new() },
        }
    }

    /// What lies outside, in sentences.
    fn wrong(&self) -> Vec<String> {
        let all = self.simulated.iter().flat_map(count::Figures::wrong);
        let all = all.chain(self.sought.iter().flat_map(capacity::Searched::wrong));
        let all = all.chain(self.stepped.iter().filter_map(steps::Told::wrong));
        let all = all.chain(self.judged.iter().filter_map(gates::Judged::wrong));
        all.chain(self.scattered.iter().filter_map(nights::Scattered::wrong)).collect()
    }

    fn json(&self) -> Value {
        json!({
            "simulated": self.simulated.iter().map(count::Figures::json).collect::<Vec<_>>(),
            "capacity": self.sought.iter().map(capacity::Searched::json).collect::<Vec<_>>(),
            "steps": self.stepped.iter().map(steps::Told::json).collect::<Vec<_>>(),
            "gates": self.judged.iter().map(gates::Judged::json).collect::<Vec<_>>(),
            "nights": self.scattered.iter().map(nights::Scattered::json).collect::<Vec<_>>(),
        })
    }
}

fn main() {
    let options = Options::given();
    let told = Told::measure(&options);
    let mut wrong = told.wrong();
    if options.has("--same") {
        end(kept::same(&told.json()));
    }
    let real = options.whole().then(|| real::measure().unwrap_or_else(|error| failed(&error)));
    if let Some(real) = &real {
        print!("{}", real.words());
        wrong.extend(real.wrong());
    }
    if options.has("--keep") {
        println!("\nThe short form, by which it is told later whether the figures are still the same:");
        let short = Told::measure(&Options::of_short());
        end(kept::keep(told.json(), real.as_ref().map(real::Real::json), short.json(), &wrong));
    }
    if !wrong.is_empty() {
        println!("\nOutside:\n  {}", wrong.join("\n  "));
        std::process::exit(1);
    }
    println!("\nAll inside.");
}

fn failed(error: &str) -> ! {
    eprintln!("truth: {error}");
    std::process::exit(2)
}

/// Ends where something can't be kept; tells what was kept.
fn end(kept: Result<String, String>) {
    match kept {
        Ok(words) => println!("\n{words}"),
        Err(error) => failed(&error),
    }
}
