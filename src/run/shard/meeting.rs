//! How generators start and end together. Shard 0 listens and the others dial it. Each says what it is about to do, and whoever is
//! about to do something else is refused. Sixteen pings before the load, and as many after it, tell each one's clock beside shard
//! 0's: the shortest of them is off by half of its way there and back at most (D. L. Mills, RFC 5905, 8). At each point where
//! all wait for each other, shard 0 sets an instant a little ahead, and each goes on then by its own clock. A word a second says
//! that one is alive; from whom none comes, or whose connection ends, the run is over for all: a smaller result never looks
//! whole.

use super::super::tell;
use super::deal::Deal;
use super::peer::{Ear, Voice, Word, ends, no_token, proof, token};
use crate::drive::{MeetingPoint, Together};
use crate::host::lock;
use crate::record::{Nanos, Stopwatch};
use crate::report::ClockReading;
use crate::scenario::Shard;
use rand::TryRng;
use rand::rngs::SysRng;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;

/// How often each says that it is alive.
const BEAT: Duration = Duration::from_secs(1);

/// How long nothing may be heard of one before it is lost.
const SILENCE: Duration = Duration::from_secs(5);

/// How far ahead of the last one's coming the instant lies at which all go on.
const AHEAD: Nanos = Nanos(200_000_000);

/// Longest that one try to dial may take.
const CONNECT: Duration = Duration::from_secs(2);

/// Readings of shard 0's clock, of which the shortest counts.
const PINGS: usize = 16;

/// Silence before a person is told what is waited for.
const SOON: Nanos = Nanos(3_000_000_000);

/// Pause between two tries to dial.
const RETRY: Duration = Duration::from_millis(100);

/// What is known so far.
#[derive(Default)]
struct MeetingState {
    /// Who has come to which point.
    ready: BTreeMap<u32, BTreeSet<u32>>,
    /// When all go on from each point, on this one's clock.
    go: BTreeMap<u32, Nanos>,
    /// Whose load is done.
    done: BTreeSet<u32>,
    /// All are done, and have been told.
    bye: bool,
    /// Why the run is over for all.
    over: Option<String>,
}

/// One generator's end of it.
pub(super) struct Meeting {
    shard: Shard,
    clock: Stopwatch,
    state: watch::Sender<MeetingState>,
    /// Shard 0's to all others, by their index; another's to shard 0.
    voices: Mutex<BTreeMap<u32, Arc<Voice>>>,
    /// Groups that have begun.
    groups: AtomicU32,
    /// The run's name, and what its nonces are drawn from: shard 0's.
    agreed: Mutex<(String, String)>,
    clocks: Mutex<Vec<ClockReading>>,
    /// What was read of shard 0's clock, and when that came.
    pongs: Mutex<Vec<(Nanos, Nanos)>>,
}

impl Meeting {
    /// Meets the others at `address`, for as long as `wait`: returns when all have come. Nonces are drawn from shard 0's `salt`. The
    /// error is a sentence.
    pub(super) fn open(
        address: &str,
        shard: Shard,
        (deal, salt): (&Deal, &str),
        wait: Duration,
        clock: Stopwatch,
    ) -> Result<Arc<Self>, String> {
        let meeting = Arc::new(Self {
            shard,
            clock,
            state: watch::Sender::default(),
            voices: Mutex::default(),
            groups: AtomicU32::new(0),
            agreed: Mutex::default(),
            clocks: Mutex::default(),
            pongs: Mutex::default(),
        });
        let token = token()?;
        let until = clock.now() + wait.into();
        // From here on: those that came early hear that it still waits.
        let beating = meeting.clone();
        std::thread::Builder::new()
            .name("beat".into())
            .spawn(move || beating.beat())
            .map_err(|error| error.to_string())?;
        let met = if shard.index == 0 {
            *lock(&meeting.agreed) = (drawn()?, salt.to_owned());
            meeting.bound(address, &token, until).and_then(|listener| meeting.gather(&listener, deal, &token, until))
        } else {
            meeting.dial(address, deal, &token, until)
        };
        if met.is_err() {
            meeting.state.send_modify(|state| state.bye = true);
        }
        met.map(|()| meeting)
    }

    /// Tries until it succeeds, or the time is over, or a signal comes: a name may not be known yet, and nobody listen. What it waits
    /// for is said soon: the address may be mistyped.
    fn tried<T>(&self, address: &str, until: Nanos, mut attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        let mut silent_until = Some(self.clock.now() + SOON);
        loop {
            match attempt() {
                Err(error) if self.clock.now() < until && crate::host::signals() == 0 => {
                    if silent_until.take_if(|at| self.clock.now() > *at).is_some() {
                        tell(format_args!("loadcmp: {} waits for {address}: {error}", self.shard));
                    }
                    std::thread::sleep(RETRY);
                }
                told => return told,
            }
        }
    }

    /// Shard 0: listens at the address.
    fn bound(&self, address: &str, token: &str, until: Nanos) -> Result<TcpListener, String> {
        let found = self.tried(address, until, || Ok(address.to_socket_addrs()?.collect::<Vec<_>>()));
        let places = found.map_err(|error| format!("--rendezvous {address}: {error}"))?;
        if token.is_empty() && places.iter().any(|place| !place.ip().is_loopback()) {
            return Err(no_token(address));
        }
        TcpListener::bind(&places[..]).map_err(|error| format!("listening at {address}: {error}"))
    }

    /// Shard 0: waits until all others have come.
    fn gather(self: &Arc<Self>, listener: &TcpListener, deal: &Deal, token: &str, until: Nanos) -> Result<(), String> {
        listener.set_nonblocking(true).map_err(|error| error.to_string())?;
        let others = self.shard.of - 1;
        while (lock(&self.voices).len() as u32) < others {
            if crate::host::signals() > 0 {
                self.end(&format!("{} was interrupted", self.shard));
                return Err("interrupted while it waited for the others".to_owned());
            }
            if let Some(why) = self.state.borrow().over.clone() {
                return Err(why);
            }
            match listener.accept() {
                Ok((stream, _)) => {
                    // By a thread of its own: whoever says nothing must not keep the others from coming. One that is no shard, or a
                    // wrong one, doesn't end the wait: whoever it is, it hears why.
                    let (meeting, deal, token) = (self.clone(), deal.clone(), token.to_owned());
                    let work = move || {
                        if let Err(why) = meeting.admit(stream, &deal, &token) {
                            super::super::tell(format_args!(
                                "loadcmp: {}: refused one that came: {why}",
                                meeting.shard
                            ));
                        }
                    };
                    std::thread::Builder::new().name("admits".into()).spawn(work).map_err(|error| error.to_string())?;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.clock.now() >= until {
                        let mut here: BTreeSet<u32> = lock(&self.voices).keys().copied().collect();
                        here.insert(self.shard.index);
                        let why = format!("not all shards came in time; missing: {}", self.shard.missing(&here));
                        self.end(&why);
                        return Err(why);
                    }
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(error) => return Err(error.to_string()),
            }
        }
        let (run, salt) = lock(&self.agreed).clone();
        self.tell(&Word::Welcome { run, salt });
        Ok(())
    }

    /// Hears one that has come, and lets it take part.
    fn admit(self: &Arc<Self>, stream: TcpStream, deal: &Deal, token: &str) -> Result<(), String> {
        let told = |error: io::Error| error.to_string();
        stream.set_nonblocking(false).map_err(told)?;
        let (voice, mut ear) = ends(stream, SILENCE).map_err(told)?;
        let nonce = drawn()?;
        voice.say(&Word::Challenge { nonce: nonce.clone() }).map_err(told)?;
        let Some(Word::Hello { shard, deal: theirs, proof: proved }) = ear.hear().map_err(told)? else {
            return Err("it is no generator of loadcmp's".to_owned());
        };
        let voice = Arc::new(voice);
        let refused = {
            let mut voices = lock(&self.voices);
            let why = if proved != proof(token, &nonce, shard) {
                Some("its token is another".to_owned())
            } else if shard.of != self.shard.of {
                Some(format!("this is shard 0 of {}, and not of {}", self.shard.of, shard.of))
            } else if shard.index == 0 || voices.contains_key(&shard.index) {
                Some(format!("there is a shard {} already", shard.index))
            } else {
                let differs = deal.differs(&theirs);
                differs.map(|what| format!("it would do something else: {what} (shard 0, shard {})", shard.index))
            };
            if why.is_none() {
                voices.insert(shard.index, voice.clone());
            }
            why
        };
        if let Some(why) = refused {
            let _ = voice.say(&Word::Refused { why: why.clone() });
            return Err(why);
        }
        let meeting = self.clone();
        let work = move || meeting.listen(ear, shard.index, &voice);
        std::thread::Builder::new().name(format!("shard {}", shard.index)).spawn(work).map_err(told)?;
        Ok(())
    }

    /// Another shard: dials shard 0 until it answers.
    fn dial(self: &Arc<Self>, address: &str, deal: &Deal, token: &str, until: Nanos) -> Result<(), String> {
        let connect = || {
            let mut last = io::Error::other("the name has no address");
            for place in address.to_socket_addrs()? {
                match TcpStream::connect_timeout(&place, CONNECT) {
                    Ok(stream) => return Ok(stream),
                    Err(error) => last = error,
                }
            }
            Err(last)
        };
        let stream = self.tried(address, until, connect).map_err(|error| match crate::host::signals() {
            0 => format!("nobody opened the rendezvous at {address} in time: {error}"),
            _ => "interrupted while it waited for shard 0".to_owned(),
        })?;
        let told = |error: io::Error| format!("shard 0 at {address}: {error}");
        let (voice, mut ear) = ends(stream, SILENCE).map_err(told)?;
        let Some(Word::Challenge { nonce }) = ear.hear().map_err(told)? else {
            return Err(format!("what listens at {address} is no shard 0"));
        };
        let (shard, proof) = (self.shard, proof(token, &nonce, self.shard));
        voice.say(&Word::Hello { shard, deal: deal.clone(), proof }).map_err(told)?;
        let voice = Arc::new(voice);
        // From here on it says that it is alive, while shard 0 waits for the others.
        lock(&self.voices).insert(0, voice.clone());
        loop {
            match ear.hear().map_err(told)? {
                Some(Word::Welcome { run, salt }) => {
                    *lock(&self.agreed) = (run, salt);
                    break;
                }
                Some(Word::Beat) if crate::host::signals() == 0 => {}
                Some(Word::Beat) => return Err("interrupted while it waited for the others".to_owned()),
                Some(Word::Refused { why }) => return Err(format!("shard 0 refused it: {why}")),
                Some(Word::Over { why }) => return Err(why),
                _ => return Err(format!("shard 0 at {address} ended the connection")),
            }
        }
        let meeting = self.clone();
        let work = move || meeting.listen(ear, 0, &voice);
        std::thread::Builder::new().name("shard 0".into()).spawn(work).map_err(told)?;
        self.read_clock().map_err(|why| format!("reading the clock of shard 0: {why}"))
    }

    /// Hears one of the others, until it is gone.
    fn listen(&self, mut ear: Ear, who: u32, voice: &Voice) {
        loop {
            let word = match ear.hear() {
                Ok(Some(word)) => word,
                told => {
                    let ended = {
                        let state = self.state.borrow();
                        state.bye || state.done.contains(&who) && who != 0
                    };
                    if !ended {
                        let why = match told {
                            Err(error)
                                if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) =>
                            {
                                format!("nothing was heard of it for {} s", SILENCE.as_secs())
                            }
                            Err(error) => error.to_string(),
                            Ok(_) => "its connection ended".to_owned(),
                        };
                        self.end(&format!("shard {who} was lost after {:.1} s: {why}", self.clock.now().seconds()));
                    }
                    return;
                }
            };
            match word {
                Word::Ping => {
                    let _ = voice.say(&Word::Pong { at: self.clock.now().0 });
                }
                Word::Pong { at } => {
                    let now = self.clock.now();
                    lock(&self.pongs).push((Nanos(at), now));
                }
                Word::Ready { point } => self.came(point, who),
                Word::Go { point, at } => {
                    let at = self.own(Nanos(at));
                    self.state.send_modify(|state| {
                        state.go.insert(point, at);
                    });
                }
                Word::Done => {
                    self.state.send_modify(|state| {
                        state.done.insert(who);
                    });
                    self.unmatched();
                }
                Word::Bye => self.state.send_modify(|state| state.bye = true),
                Word::Over { why } => self.end(&why),
                _ => {}
            }
        }
    }

    /// An instant of shard 0's clock on this one's.
    fn own(&self, at: Nanos) -> Nanos {
        let offset = lock(&self.clocks).last().map_or(0, |reading| reading.offset_ns);
        Nanos(at.0.saturating_add_signed(-offset))
    }

    /// Notes that one has come to a point; the last one to come sets the instant for all. Shard 0's alone.
    fn came(&self, point: u32, who: u32) {
        let mut all = false;
        self.state.send_modify(|state| {
            let here = state.ready.entry(point).or_default();
            here.insert(who);
            all = here.len() == self.shard.of as usize;
        });
        if all {
            let at = self.clock.now() + AHEAD;
            self.tell(&Word::Go { point, at: at.0 });
            self.state.send_modify(|state| {
                state.go.insert(point, at);
            });
        }
        self.unmatched();
    }

    /// Ends the run if one waits for another that has ended its load, and will not come: a target that was gone for one of them, say.
    /// Shard 0's alone.
    fn unmatched(&self) {
        let waits = {
            let state = self.state.borrow();
            let open = state.ready.iter().filter(|(point, _)| !state.go.contains_key(point));
            open.into_iter().find_map(|(_, here)| {
                let ended = state.done.iter().find(|shard| !here.contains(shard))?;
                Some((*ended, *here.first()?))
            })
        };
        if let Some((ended, waiting)) = waits {
            self.end(&format!("shard {ended} ended its load while shard {waiting} waited for it"));
        }
    }

    /// The run's name, and what its nonces are drawn from.
    pub(super) fn agreed(&self) -> (String, String) {
        lock(&self.agreed).clone()
    }

    /// Says something to all that it has a connection to.
    fn tell(&self, word: &Word) {
        for voice in lock(&self.voices).values() {
            let _ = voice.say(word);
        }
    }

    /// Says once a second that it is alive, until all is over.
    fn beat(&self) {
        loop {
            std::thread::sleep(BEAT);
            if self.state.borrow().bye {
                return;
            }
            self.tell(&Word::Beat);
        }
    }

    /// Reads the clock of shard 0.
    fn read_clock(&self) -> Result<(), String> {
        let voice = lock(&self.voices).get(&0).cloned().ok_or("no connection")?;
        let mut best: Option<ClockReading> = None;
        for _ in 0..PINGS {
            lock(&self.pongs).clear();
            let sent = self.clock.now();
            voice.say(&Word::Ping).map_err(|error| error.to_string())?;
            let (theirs, came) = loop {
                if let Some(told) = lock(&self.pongs).pop() {
                    break told;
                }
                if self.clock.now().since(sent) > SILENCE.into() || self.state.borrow().over.is_some() {
                    return Err("no answer".to_owned());
                }
                std::thread::sleep(Duration::from_micros(100));
            };
            let (way, middle) = (came.since(sent), sent.0 / 2 + came.0 / 2);
            let reading = ClockReading {
                at: Nanos(middle),
                offset_ns: theirs.0.cast_signed() - middle.cast_signed(),
                error_ns: way.0 / 2,
            };
            if best.is_none_or(|best| reading.error_ns < best.error_ns) {
                best = Some(reading);
            }
        }
        lock(&self.clocks).extend(best);
        Ok(())
    }

    /// Ends the run for all, for the first reason that there was.
    pub(super) fn end(&self, why: &str) {
        let first = self.state.send_if_modified(|state| {
            let first = state.over.is_none() && !state.bye;
            if first {
                state.over = Some(why.to_owned());
            }
            first
        });
        if first {
            self.tell(&Word::Over { why: why.to_owned() });
        }
    }

    /// Ends with the reason when the run is over for all.
    pub(super) async fn over(&self) -> String {
        let mut seen = self.state.subscribe();
        let why = seen.wait_for(|state| state.over.is_some()).await.map(|state| state.over.clone().unwrap_or_default());
        match why {
            Ok(why) => why,
            Err(_) => std::future::pending().await,
        }
    }

    /// Its load is done: waits for the others; why the run is over for all, if it is.
    pub(super) async fn finish(self: &Arc<Self>) -> Option<String> {
        let me = self.clone();
        if self.shard.index > 0 && self.state.borrow().over.is_none() {
            // Once more, so that a clock that runs faster or slower is seen.
            let _ = tokio::task::spawn_blocking(move || me.read_clock()).await;
        }
        let mut seen = self.state.subscribe();
        self.state.send_modify(|state| {
            state.done.insert(self.shard.index);
        });
        if self.shard.index > 0 {
            self.tell(&Word::Done);
            let _ = seen.wait_for(|state| state.bye || state.over.is_some()).await;
        } else {
            self.unmatched();
            let all = self.shard.of as usize;
            let _ = seen.wait_for(|state| state.done.len() == all || state.over.is_some()).await;
            if self.state.borrow().over.is_none() {
                self.tell(&Word::Bye);
            }
        }
        let over = self.state.borrow().over.clone();
        self.state.send_modify(|state| state.bye = true);
        over
    }

    /// This one's clock beside shard 0's, as often as it was read; shard 0's own is the measure.
    pub(super) fn clocks(&self) -> Vec<ClockReading> {
        if self.shard.index == 0 {
            return vec![ClockReading { at: self.clock.now(), offset_ns: 0, error_ns: 0 }];
        }
        lock(&self.clocks).clone()
    }
}

impl Together for Meeting {
    fn meet(&self, point: MeetingPoint) -> Pin<Box<dyn Future<Output = Option<Nanos>> + Send + '_>> {
        Box::pin(async move {
            // Of each group two: one that never opens its window keeps its number, and the next group's are the next ones.
            let point = match point {
                MeetingPoint::Begin => 2 * self.groups.fetch_add(1, Relaxed),
                MeetingPoint::Open => (2 * self.groups.load(Relaxed)).saturating_sub(1),
            };
            let mut seen = self.state.subscribe();
            if self.shard.index == 0 {
                self.came(point, 0);
            } else {
                self.tell(&Word::Ready { point });
            }
            let state = seen.wait_for(|state| state.go.contains_key(&point) || state.over.is_some()).await.ok()?;
            if state.over.is_some() { None } else { state.go.get(&point).copied() }
        })
    }
}

/// Sixteen bytes of the system's randomness, as text.
fn drawn() -> Result<String, String> {
    let mut drawn = [0_u8; 16];
    SysRng.try_fill_bytes(&mut drawn).map_err(|error| error.to_string())?;
    Ok(format!("{:032x}", u128::from_le_bytes(drawn)))
}
