//! The load of a probe: the scenario's own way of sending, with another rate or another number of users.

use super::super::Failure;
use super::super::load::open_plan;
use crate::capacity::{By, probe_seed};
use crate::scenario::plan::{ClosedPlan, LoadPlan, OpenPlan, Plan, Until};
use crate::scenario::{Arrivals as Law, Length, OpenSpec, Rate, Scenario, Span};
use crate::workload::Arrivals;
use std::sync::Arc;
use std::time::Duration;

/// What stays the same from probe to probe.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    by: By,
    /// How requests lie around the rate; the rate itself is each probe's.
    open: OpenSpec,
    /// Requests that may be in flight.
    in_flight: u32,
    /// A user's pause.
    think: Span,
}

impl Shape {
    /// The scenario's: its arrivals where its loop is open (Poisson else; stages, ramps and traces have no one rate and are
    /// left out), its users' pause where it is closed.
    pub fn of(scenario: &Scenario, by: By) -> Self {
        let written = scenario.load.open.clone().unwrap_or_default();
        let open = OpenSpec { ramp: None, stages: None, trace: None, ..written };
        let think = scenario.load.closed.as_ref().map(|closed| closed.think).unwrap_or_default();
        Self { by, open, in_flight: scenario.in_flight(), think }
    }

    /// In words.
    pub fn words(&self) -> String {
        match self.by {
            By::Users if self.think == Span::default() => "closed loop, no think time".to_owned(),
            By::Users => format!("closed loop, {} think time", self.think),
            By::Rate => format!("open loop, {}", self.arrivals()),
        }
    }

    fn arrivals(&self) -> &'static str {
        match self.open.arrivals {
            Law::Poisson => "Poisson arrivals",
            Law::Constant => "constant arrivals",
            Law::Gamma => "gamma arrivals",
            Law::Bursts => "bursts",
        }
    }

    /// Users who each wait for their answer, in a closed loop.
    pub fn closed(&self, users: u32, length: Duration, warmup: Duration) -> ClosedPlan {
        ClosedPlan { users, until: Until::Duration(Span(length)), think: self.think, warmup: Span(warmup) }
    }

    /// A probe's load. Its instants are drawn from the scenario's seed, the load and the number of the attempt: the same for
    /// every target.
    pub fn at(
        &self,
        at: f64,
        attempt: u32,
        length: Duration,
        warmup: Duration,
        plan: &Plan,
    ) -> Result<(LoadPlan, Option<Arc<Arrivals>>), Failure> {
        if self.by == By::Users {
            return Ok((LoadPlan::Closed(self.closed(at as u32, length, warmup)), None));
        }
        let spec = OpenSpec {
            rate: Some(Rate::Of(at)),
            duration: Some(Length::Of(Span(length))),
            warmup: Span(warmup),
            ..self.open.clone()
        };
        let arrivals = Arrivals::build(&spec, None, probe_seed(plan.seed, at, attempt));
        let arrivals = arrivals.map_err(|why| Failure::Usage(format!("error: a probe of {at}/s: {why}")))?;
        let open = OpenPlan {
            about: format!("{}, {at}/s", self.arrivals()),
            ..open_plan(&spec, self.in_flight, None, &arrivals)
        };
        Ok((LoadPlan::Open(Box::new(open)), Some(Arc::new(arrivals))))
    }
}
