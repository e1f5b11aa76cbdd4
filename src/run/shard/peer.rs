//! What generators of a run say to each other: a JSON object a line, over TCP.

use super::deal::Deal;
use crate::scenario::Shard;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;

/// Longest line that is taken.
const LINE_LIMIT: u64 = 1 << 20;

/// The variable with the token that all generators of a run share, and the one with the file that holds it.
const TOKEN: &str = "LOADCMP_SHARD_TOKEN";
const TOKEN_FILE: &str = "LOADCMP_SHARD_TOKEN_FILE";

/// One thing said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Word {
    /// Shard 0 to whoever dials: proof of the token is to be of this.
    Challenge { nonce: String },
    /// Who dials, what it is about to do, and the proof.
    Hello { shard: Shard, deal: Deal, proof: String },
    /// All have come, and it takes part in this run, whose nonces are drawn from this.
    Welcome { run: String, salt: String },
    /// It may not.
    Refused { why: String },
    /// What is the time there?
    Ping,
    /// Nanoseconds on the clock of shard 0.
    Pong { at: u64 },
    /// It has come to a point where all wait for each other.
    Ready { point: u32 },
    /// All have: they go on at this instant of shard 0's clock.
    Go { point: u32, at: u64 },
    /// It is alive.
    Beat,
    /// Its load is done.
    Done,
    /// All are done.
    Bye,
    /// The run is over for all.
    Over { why: String },
}

/// The end that words are written to: one at a time, whoever writes.
pub(super) struct Voice(Mutex<TcpStream>);

impl Voice {
    pub(super) fn say(&self, word: &Word) -> io::Result<()> {
        let mut line = serde_json::to_vec(word)?;
        line.push(b'\n');
        crate::host::lock(&self.0).write_all(&line)
    }
}

/// The end that words are read from.
pub(super) struct Ear(io::Take<BufReader<TcpStream>>);

impl Ear {
    /// The next word; `None` at the end. Ends with an error when nothing has come for as long as the socket waits.
    pub(super) fn hear(&mut self) -> io::Result<Option<Word>> {
        let mut line = String::new();
        self.0.set_limit(LINE_LIMIT);
        if self.0.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        serde_json::from_str(&line).map(Some).map_err(|_| io::Error::other("what came is no word of loadcmp's"))
    }
}

/// Both ends of a connection; reading waits for `patience` at most.
pub(super) fn ends(stream: TcpStream, patience: std::time::Duration) -> io::Result<(Voice, Ear)> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    let reader = BufReader::new(stream.try_clone()?);
    Ok((Voice(Mutex::new(stream)), Ear(reader.take(LINE_LIMIT))))
}

/// The token that all share: from the environment, or a file that it names; empty without.
pub(super) fn token() -> Result<String, String> {
    if let Ok(token) = std::env::var(TOKEN) {
        return Ok(token);
    }
    let Ok(file) = std::env::var(TOKEN_FILE) else {
        return Ok(String::new());
    };
    let told = std::fs::read_to_string(&file)
        .map_err(|error| format!("reading the token from {file} ({TOKEN_FILE}): {error}"))?;
    Ok(told.trim().to_owned())
}

/// What is said where a token is needed and there is none.
pub(super) fn no_token(address: &str) -> String {
    format!(
        "{address} can be reached from other machines: set {TOKEN} (or {TOKEN_FILE}) to the same text for all shards"
    )
}

/// The proof that a shard has the token, which itself never leaves the process.
pub(super) fn proof(token: &str, nonce: &str, shard: Shard) -> String {
    let mut hasher = Sha256::new();
    for part in [token, nonce, &shard.to_string()] {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_of_the_token_the_challenge_and_the_shard() {
        let shard = Shard { index: 1, of: 3 };
        let one = proof("token", "nonce", shard);
        assert_eq!(one, proof("token", "nonce", shard));
        for other in [
            proof("other", "nonce", shard),
            proof("token", "another", shard),
            proof("token", "nonce", Shard { index: 2, of: 3 }),
            proof("tokenn", "once", shard),
        ] {
            assert_ne!(one, other);
        }
    }
}
