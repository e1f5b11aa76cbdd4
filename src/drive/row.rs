//! How a request becomes a row.

use super::ask::{Attempt, Request};
use super::lane::Lane;
use crate::metrics::human;
use crate::record::{Details, Nanos, Outcome, Remark, Remarks, Sample, Stamps};
use crate::scenario::{Task, scrub, scrubbed};
use crate::target::Exchange;
use crate::workload::{NonceForm, is_by_schema, keeps_schema, read_label, repeats_nonce, text_hash};

impl Lane {
    /// A request that was planned and never sent, and why.
    pub fn unsent(&self, request: Request<'_>, planned: Nanos, why: String) -> Sample {
        Sample { error: Some(scrubbed(why)), ..self.row(0, request, planned) }
    }

    /// What is known of a request before it leaves.
    fn row(&self, user: u32, request: Request<'_>, planned: Nanos) -> Sample {
        let Request { phase, unit, turn } = request;
        let plan = &self.setup.plan;
        let chat = plan.task == Task::Chat;
        Sample {
            target: self.side.number,
            phase,
            block: self.stretch.block,
            user,
            index: unit.first_index + turn as u64,
            conversation: chat.then_some(unit.number),
            turn: chat.then_some(turn as u32 + 1),
            stamps: Stamps { planned, ..Stamps::default() },
            outcome: Outcome::Unsent,
            http_status: None,
            finish: None,
            prompt_tokens: None,
            cached_tokens: None,
            output_tokens: None,
            chunks: 0,
            expected_label: self.setup.workload.items()[unit.item].label,
            label: None,
            server_total: None,
            server_load: None,
            server_prompt: None,
            server_output: None,
            request_hash: self.setup.workload.request_hash(unit, turn),
            text_hash: None,
            error: None,
            item: unit.item,
            itl_max: None,
            gaps: Vec::new(),
            shard: None,
            dimensions: None,
            connect: None,
            retries: 0,
            thoughts: 0,
            remarks: Remarks::default(),
            opened: None,
            wanted_prompt: self.setup.workload.items()[unit.item].prompt_tokens,
            prefix_group: self.group(request).map(|group| group + 1),
            prefix_use: None,
            details: Details::default(),
        }
    }

    /// Puts together what is known of a request.
    pub fn sample(&self, user: u32, request: Request<'_>, told: Attempt) -> (Sample, String, Option<Vec<f32>>) {
        let Attempt { planned, dispatched, connect, story } = told;
        let mut sample = self.row(user, request, planned);
        sample.connect = connect;
        let Exchange { sent, first_byte, end, outcome, mut answer, retries, .. } = match story {
            Ok(told) => told,
            Err((end, no)) => {
                sample.outcome = no.outcome;
                // What a limit of ours kept from being sent has no end.
                sample.stamps.end = (no.outcome != Outcome::Unsent).then_some(end);
                sample.error = Some(scrubbed(no.why));
                return (sample, String::new(), None);
            }
        };
        sample.stamps = Stamps {
            planned,
            dispatched: Some(dispatched),
            sent,
            first_byte,
            first_token: answer.first_token,
            first_answer: answer.first_answer,
            last_token: answer.last_token,
            end: Some(end),
        };
        if outcome == Outcome::Unsent {
            // Written to a dead connection, and no new one was to be had: nobody got it.
            (sample.stamps.sent, sample.stamps.end) = (None, None);
        }
        sample.details = answer.reported();
        sample.outcome = outcome;
        sample.http_status = answer.status;
        sample.finish = answer.finish.map(scrubbed);
        sample.prompt_tokens = answer.prompt_tokens;
        sample.cached_tokens = answer.cached_tokens;
        sample.output_tokens = answer.output_tokens;
        sample.chunks = answer.chunks;
        sample.server_total = answer.server_total;
        sample.server_load = answer.server_load;
        sample.server_prompt = answer.server_prompt;
        sample.server_output = answer.server_output;
        sample.itl_max = answer.itl_max;
        sample.gaps = std::mem::take(&mut answer.gaps);
        // Whatever an engine repeats of what it was sent.
        sample.error = answer.error.map(scrubbed);
        sample.retries = retries;
        sample.thoughts = answer.thoughts;
        sample.remarks = answer.remarks;
        if let Some(vector) = &answer.vector {
            sample.dimensions = u32::try_from(vector.len()).ok();
            sample.remarks.add_vector(vector);
            sample.text_hash = Some(text_hash(&vector.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>()));
        } else if !answer.text.is_empty() {
            sample.text_hash = Some(text_hash(answer.text.as_bytes()));
        }
        let form = NonceForm::of(&self.setup.plan.workload);
        if request.unit.nonce.is_some_and(|nonce| repeats_nonce(&answer.text, nonce.start, form)) {
            sample.remarks.add(Remark::NonceRepeated);
        }
        self.judge(&mut sample, &answer.text, answer.vector.as_deref());
        (sample, answer.text, answer.vector)
    }

    /// What an answer that came through is worth to the task.
    fn judge(&self, sample: &mut Sample, text: &str, vector: Option<&[f32]>) {
        if sample.outcome != Outcome::Ok {
            return;
        }
        let error = match self.setup.plan.task {
            // Its answer never began, or goes on: a label inside is a thought, and one before it a guess.
            _ if sample.remarks.has(Remark::OpenThought) => "the answer ended inside its reasoning".to_owned(),
            Task::Classify => {
                let asked = &self.setup.plan.workload;
                if self.side.target.asks_for_a_schema() && !keeps_schema(text, &asked.labels) {
                    sample.remarks.add(Remark::OutOfSchema);
                }
                sample.label = read_label(text, &asked.labels);
                if sample.label.is_some() {
                    return;
                }
                let shown = human::cut(&human::printable(&scrub(text)), 80);
                format!("no label in the answer: {shown}")
            }
            Task::Embed => {
                match vector.map(|vector| (vector.len(), vector.iter().filter(|x| !x.is_finite()).count())) {
                    None => "no vector in the answer".to_owned(),
                    Some((0, _)) => "the vector is empty".to_owned(),
                    Some((_, 0)) => return,
                    Some((all, bad)) => format!("{bad} of the vector's {all} elements are not numbers"),
                }
            }
            Task::Generate | Task::Chat => {
                let schema = self.setup.plan.workload.schema.as_ref();
                if self.side.target.asks_for_a_schema() && !schema.is_none_or(|schema| is_by_schema(text, schema)) {
                    sample.remarks.add(Remark::OutOfSchema);
                }
                return;
            }
        };
        sample.outcome = Outcome::Unparsed;
        sample.error = Some(error);
    }
}
