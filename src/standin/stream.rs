//! The body of an HTTP answer: a whole one in one write, or a stream whose frames are each handed over when their
//! token is due and flushed before the next. Faults in the middle of an answer happen here.

use super::engine::millis;
use super::job::Job;
use super::quirk::Quirk;
use super::quirk_events::Player;
use super::record::Tape;
use super::spec::Fault;
use super::timer::Wait;
use super::{messages_voice, ollama_voice, openai_voice, responses_voice};
use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame, SizeHint};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// An answer's body.
pub(super) enum Answering {
    /// All of it at once.
    Whole(Bytes),
    /// All of it in two writes, or the first half only before the connection is closed.
    Halves { length: u64, first: Option<Bytes>, second: Option<Bytes>, pause: bool },
    /// Piece by piece.
    Stream(Box<Stream>),
}

/// How a wire writes a stream's frames.
pub(super) enum Voice {
    Ollama(ollama_voice::Voice),
    OpenAi(openai_voice::Voice),
    Responses(responses_voice::Voice),
    Messages(messages_voice::Voice),
}

/// A stream in the making.
pub(super) struct Stream {
    job: Job,
    voice: Voice,
    tape: Option<Arc<Tape>>,
    wait: Wait,
    stage: Stage,
    buffer: BytesMut,
    /// The second part of a split frame.
    rest: Option<Bytes>,
    /// The quirks that are played on it.
    player: Option<Player>,
    /// Have what was handed over written before anything else is.
    pause: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Opening,
    Tokens,
    /// A quirk: what follows the last token is late.
    Late,
    Ending,
    Over,
}

impl Answering {
    /// A whole answer, with its fault.
    pub(super) fn whole(bytes: Bytes, fault: Option<Fault>) -> Self {
        let half = bytes.len() / 2;
        let (first, second) = (bytes.slice(..half), bytes.slice(half..));
        let length = bytes.len() as u64;
        match fault {
            Some(Fault::Cut) => Self::Halves { length, first: Some(first), second: None, pause: false },
            Some(Fault::Split) => Self::Halves { length, first: Some(first), second: Some(second), pause: false },
            _ => Self::Whole(bytes),
        }
    }

    pub(super) fn stream(job: Job, voice: Voice, tape: Option<Arc<Tape>>) -> Self {
        let wait = job.waiter();
        let (stage, buffer) = (Stage::Opening, BytesMut::with_capacity(512));
        let player = job.play.map(Player::new);
        Self::Stream(Box::new(Stream { job, voice, tape, wait, stage, buffer, rest: None, player, pause: false }))
    }
}

impl Voice {
    /// The answer in one piece, or the error that was declared in its place.
    pub(super) fn whole(&self, job: &Job, out: &mut BytesMut) {
        match self {
            Voice::Ollama(voice) => voice.whole(job, out),
            Voice::OpenAi(voice) => voice.whole(job, out),
            Voice::Responses(voice) => voice.whole(job, out),
            Voice::Messages(voice) => voice.whole(job, out),
        }
    }

    /// What is said before the first token; may be nothing.
    fn open(&self, job: &Job, out: &mut BytesMut) {
        match self {
            Voice::Ollama(_) => {}
            Voice::OpenAi(voice) => voice.open(out),
            Voice::Responses(voice) => voice.open(job, out),
            Voice::Messages(voice) => voice.open(job, out),
        }
    }

    fn token(&self, job: &Job, index: u32, out: &mut BytesMut) {
        match self {
            Voice::Ollama(voice) => voice.token(job, index, out),
            Voice::OpenAi(voice) => voice.token(job, index, out),
            Voice::Responses(voice) => voice.token(job, index, out),
            Voice::Messages(voice) => voice.token(job, index, out),
        }
    }

    fn error(&self, out: &mut BytesMut) {
        match self {
            Voice::Ollama(_) => ollama_voice::Voice::error(out),
            Voice::OpenAi(_) => openai_voice::Voice::error(out),
            Voice::Responses(voice) => voice.error(out),
            Voice::Messages(_) => messages_voice::Voice::error(out),
        }
    }

    fn end(&self, job: &Job, out: &mut BytesMut) {
        match self {
            Voice::Ollama(voice) => voice.end(job, out),
            Voice::OpenAi(voice) => voice.end(job, out),
            Voice::Responses(voice) => voice.end(job, out),
            Voice::Messages(voice) => voice.end(job, out),
        }
    }
}

/// The client is cut off here.
fn cut() -> io::Error {
    io::Error::other("a declared fault")
}

impl Stream {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if std::mem::take(&mut self.pause) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if let Some(rest) = self.rest.take() {
            return Poll::Ready(Some(Ok(self.hand_over(rest))));
        }
        loop {
            match self.stage {
                Stage::Opening => {
                    self.stage = Stage::Tokens;
                    self.voice.open(&self.job, &mut self.buffer);
                    if !self.buffer.is_empty() {
                        return self.frame();
                    }
                }
                Stage::Tokens => {
                    if self.job.made >= self.job.goal() && !self.plays(Quirk::Endless) {
                        self.stage = Stage::Ending;
                        if let Some(play) = self.job.play.filter(|play| play.has(Quirk::LateUsage)) {
                            self.stage = Stage::Late;
                            self.wait.reset(self.job.engine.clock.now() + millis(play.ms));
                        }
                        continue;
                    }
                    ready!(Pin::new(&mut self.wait).poll(context));
                    self.tokens();
                    if !self.buffer.is_empty() {
                        return self.frame();
                    }
                }
                Stage::Late => {
                    ready!(Pin::new(&mut self.wait).poll(context));
                    self.stage = Stage::Ending;
                }
                Stage::Ending => {
                    self.stage = Stage::Over;
                    self.close();
                    match self.job.fault {
                        Some(Fault::Cut) => return Poll::Ready(Some(Err(cut()))),
                        Some(Fault::Truncate) => {}
                        Some(Fault::ErrorFrame) => self.voice.error(&mut self.buffer),
                        _ => self.voice.end(&self.job, &mut self.buffer),
                    }
                    if !self.buffer.is_empty() {
                        return self.frame();
                    }
                }
                Stage::Over => return Poll::Ready(None),
            }
        }
    }

    fn plays(&self, quirk: Quirk) -> bool {
        self.job.play.is_some_and(|play| play.has(quirk))
    }

    /// The next token, or all that are due if they may share a write.
    fn tokens(&mut self) {
        loop {
            let index = self.job.make();
            let pieces = self.job.answer.len();
            // A stream without end says the same again and again.
            let index = if index >= pieces && self.plays(Quirk::Endless) { index % pieces.max(1) } else { index };
            if index < pieces {
                self.voice.token(&self.job, index, &mut self.buffer);
            }
            self.wait.reset(self.job.due());
            let more = self.job.engine.spec.coalesce && self.job.made < self.job.goal();
            if !more || self.job.due() > self.job.engine.clock.now() {
                break;
            }
        }
        if let Some(tape) = &self.tape {
            tape.token();
        }
    }

    /// The job is done: its slot is free, and the record knows.
    fn close(&mut self) {
        let free = self.job.free();
        if let Some(tape) = &self.tape {
            tape.made(&self.job, free);
        }
    }

    fn frame(&mut self) -> Poll<Option<io::Result<Bytes>>> {
        let mut whole = self.buffer.split().freeze();
        if let Some(player) = &mut self.player {
            whole = player.frame(&whole, self.stage == Stage::Over);
        }
        if self.job.fault == Some(Fault::Split) && whole.len() > 1 {
            self.rest = Some(whole.slice(whole.len() / 2..));
            self.pause = true;
            return Poll::Ready(Some(Ok(whole.slice(..whole.len() / 2))));
        }
        Poll::Ready(Some(Ok(self.hand_over(whole))))
    }

    /// A frame's last bytes; what follows waits until they are written.
    fn hand_over(&mut self, bytes: Bytes) -> Bytes {
        if self.stage == Stage::Over
            && let Some(tape) = &self.tape
        {
            tape.done();
        }
        self.pause = self.stage != Stage::Over;
        bytes
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if self.stage != Stage::Over {
            self.close();
        } else if let Some(tape) = &self.tape {
            tape.done();
        }
    }
}

impl Body for Answering {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let next = match self.get_mut() {
            Self::Whole(bytes) if bytes.is_empty() => None,
            Self::Whole(bytes) => Some(Ok(std::mem::take(bytes))),
            Self::Halves { pause, .. } if *pause => {
                *pause = false;
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            Self::Halves { first, second, pause, .. } => match (first.take(), second.take()) {
                (Some(now), then) => {
                    (*second, *pause) = (then, true);
                    Some(Ok(now))
                }
                (None, Some(now)) => Some(Ok(now)),
                (None, None) => Some(Err(cut())),
            },
            Self::Stream(stream) => ready!(stream.poll(context)),
        };
        Poll::Ready(next.map(|result| result.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_empty(),
            _ => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Halves { length, .. } => SizeHint::with_exact(*length),
            Self::Stream(_) => SizeHint::default(),
        }
    }
}
