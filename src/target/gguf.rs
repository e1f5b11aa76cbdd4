//! What a GGUF file says of itself. Its header is read, and the size its tensors need is held against the file's: a copy that
//! was cut short, or is no model at all, is found before any engine has it. The numbers themselves are not looked at.
//!
//! The format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>.

use crate::metrics::human;
use serde_json::Value as Json;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

/// A GGUF file of a language model, by its header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gguf {
    /// `general.architecture`: `llama`, `qwen3`, `bert`, …
    pub architecture: String,
    /// `general.name`.
    pub name: Option<String>,
    /// Whether it makes vectors of texts, by its pooling.
    pub embeds: bool,
    /// Most tokens of context that it was trained with.
    pub context: Option<u64>,
    /// `tokenizer.chat_template`, in Jinja.
    pub chat_template: Option<String>,
    /// Numbers in all its tensors.
    pub parameters: u64,
    /// Size of the file, in bytes.
    pub bytes: u64,
    /// What its context is computed by, by the header's keys: numbers, or one for each layer; `null` for any other value.
    pub shape: serde_json::Map<String, Json>,
}

/// Ends of the keys that tell what a context of the model takes.
const SHAPE: [&str; 6] = [
    ".block_count",
    ".embedding_length",
    ".attention.head_count",
    ".attention.head_count_kv",
    ".attention.key_length",
    ".attention.value_length",
];

/// Keys of a model's shape under which its context is of another form than one key and one value a layer and token: windows
/// that slide, values of a low rank, states that don't grow.
pub const OTHER_FORMS: [&str; 4] = [".attention.sliding_window", ".attention.kv_lora_rank", ".ssm.", ".wkv."];

fn is_of_the_shape(key: &str) -> bool {
    SHAPE.iter().any(|end| key.ends_with(end)) || OTHER_FORMS.iter().any(|form| key.contains(form))
}

/// Longest text that is kept of a header, in bytes; longer ones are skipped.
const LONGEST_TEXT: u64 = 1 << 20;
/// Most dimensions of a tensor: llama.cpp has 4.
const DIMENSIONS: u32 = 8;
/// Most numbers of an array that are kept of a header: one for each layer.
const MOST_NUMBERS: u64 = 1024;
/// How deep arrays may lie in arrays.
const DEEPEST: u32 = 4;

/// Why a header could not be read.
enum Why {
    /// The file ends within it.
    Cut,
    /// It says what can't be.
    Wrong(String),
    /// The disk failed.
    Io(io::Error),
}

impl From<io::Error> for Why {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof { Why::Cut } else { Why::Io(error) }
    }
}

/// Reads the header of a file. Errors say what the file is instead, and what to do.
pub fn read(path: &Path) -> Result<Gguf, String> {
    let file = File::open(path).map_err(|error| format!("can't be read: {error}"))?;
    let about = file.metadata().map_err(|error| format!("can't be read: {error}"))?;
    if !about.is_file() {
        return Err("is not a file".to_owned());
    }
    let bytes = about.len();
    parse(BufReader::with_capacity(1 << 16, file), bytes)
}

/// The same of anything that holds so many bytes.
pub fn parse<R: Read + Seek>(from: R, bytes: u64) -> Result<Gguf, String> {
    let mut header = Header { from, at: 0, bytes };
    header.model().map_err(|why| match why {
        Why::Cut => {
            format!("is truncated: it ends within its header, after {bytes} bytes. Copy or download it again")
        }
        Why::Wrong(what) => what,
        Why::Io(error) => format!("can't be read: {error}"),
    })
}

struct Header<R> {
    from: R,
    /// Bytes read so far.
    at: u64,
    /// Bytes of the file.
    bytes: u64,
}

/// A value of the header, as far as anybody asks for it.
enum Value {
    Number(u64),
    /// A short array of whole numbers.
    Numbers(Vec<u64>),
    Text(String),
    Other,
}

impl<R: Read + Seek> Header<R> {
    fn model(&mut self) -> Result<Gguf, Why> {
        self.magic()?;
        let version = self.u32()?;
        if version > 0xffff {
            return wrong("is a GGUF with the other byte order. Convert it for this machine");
        }
        if !(2..=3).contains(&version) {
            return wrong(format!("is a GGUF of version {version}; 2 and 3 are supported. Convert it again"));
        }
        let (tensors, values) = (self.u64()?, self.u64()?);
        let mut found = Gguf { bytes: self.bytes, ..Gguf::default() };
        let (mut kind, mut parts, mut alignment) = (None, 1, 32);
        let mut tokenizer = false;
        for _ in 0..values {
            let key = self.text()?.unwrap_or_default();
            let of = self.u32()?;
            let value = self.value(of, 0)?;
            if is_of_the_shape(&key) {
                let kept = match &value {
                    Value::Number(n) => (*n).into(),
                    Value::Numbers(all) => all.clone().into(),
                    Value::Text(_) | Value::Other => Json::Null,
                };
                found.shape.insert(key.clone(), kept);
            }
            match (key.as_str(), value) {
                ("general.architecture", Value::Text(text)) => found.architecture = text,
                ("general.name", Value::Text(text)) => found.name = Some(text),
                ("general.type", Value::Text(text)) => kind = Some(text),
                ("general.alignment", Value::Number(n)) => alignment = n,
                ("split.count", Value::Number(n)) => parts = n,
                ("tokenizer.chat_template", Value::Text(text)) => found.chat_template = Some(text),
                ("tokenizer.ggml.model", _) => tokenizer = true,
                (key, Value::Number(n)) if key.ends_with(".context_length") => found.context = Some(n),
                // 0 is "none": the vectors of all tokens.
                (key, Value::Number(_)) if key.ends_with(".pooling_type") => found.embeds = true,
                _ => {}
            }
        }
        if !found.shape.is_empty() {
            found.shape.insert("general.architecture".to_owned(), found.architecture.clone().into());
        }
        self.complete(tensors, alignment, &mut found)?;
        match kind.as_deref() {
            None | Some("model") => {}
            Some(other) => {
                return wrong(format!("is a GGUF of type `{other}`, not a complete model"));
            }
        }
        if found.architecture.is_empty() {
            return wrong("is a GGUF without an architecture (`general.architecture`). Convert it again");
        }
        if parts > 1 {
            return wrong(format!(
                "is one of {parts} parts of a model. Merge them: llama-gguf-split --merge FIRST_PART OUT.gguf"
            ));
        }
        if !tokenizer {
            let architecture = &found.architecture;
            return wrong(format!(
                "is a GGUF of architecture `{architecture}` without a tokenizer: not a language model"
            ));
        }
        Ok(found)
    }

    /// The first four bytes; of another file, what it looks like.
    fn magic(&mut self) -> Result<(), Why> {
        let magic: [u8; 4] = match self.take() {
            Ok(magic) => magic,
            Err(Why::Cut) if self.bytes == 0 => return wrong("is empty"),
            Err(Why::Cut) => return wrong("is not a GGUF file: it has fewer than four bytes"),
            Err(other) => return Err(other),
        };
        let looks = match &magic {
            b"GGUF" => return Ok(()),
            b"vers" => "a pointer of Git LFS: fetch the file itself with `git lfs pull`",
            b"PK\x03\x04" => "a zip archive, such as a Python package or a PyTorch file: extract the GGUF from it",
            b"lmgg" | b"tjgg" | b"fmgg" | b"algg" => "a model in an old llama.cpp format: convert it again",
            b"<!DO" | b"<htm" => "a web page: download the file itself",
            [_, _, _, 0] => "safetensors, maybe: convert it with llama.cpp's convert_hf_to_gguf.py",
            _ => return wrong("is not a GGUF file: its first bytes are different"),
        };
        wrong(format!("is not a GGUF file but {looks}"))
    }

    /// Reads what is said of each tensor, and holds the file's size against what they need.
    fn complete(&mut self, tensors: u64, alignment: u64, found: &mut Gguf) -> Result<(), Why> {
        let mut end = 0;
        for _ in 0..tensors {
            let name = self.text()?.unwrap_or_default();
            let impossible = || Why::Wrong(format!("is damaged: its tensor `{}` has an impossible size", plain(&name)));
            let dimensions = self.u32()?;
            if dimensions > DIMENSIONS {
                return Err(impossible());
            }
            let mut numbers: u64 = 1;
            for _ in 0..dimensions {
                numbers = numbers.checked_mul(self.u64()?).ok_or_else(impossible)?;
            }
            let kind = self.u32()?;
            let offset = self.u64()?;
            // Of a type that isn't known here, where it begins is.
            let size = size_of(kind).map_or(Some(0), |(block, bytes)| numbers.div_ceil(block).checked_mul(bytes));
            let ends = size.and_then(|size| offset.checked_add(size)).ok_or_else(impossible)?;
            end = end.max(ends);
            found.parameters = found.parameters.checked_add(numbers).ok_or_else(impossible)?;
        }
        let begin = self.at.next_multiple_of(alignment.clamp(1, 1 << 20));
        let needed = begin.saturating_add(end);
        if needed > self.bytes {
            return wrong(format!(
                "is truncated: it has {} bytes of {needed} ({:.0} %). Copy or download it again",
                self.bytes,
                self.bytes as f64 / needed as f64 * 100.0
            ));
        }
        Ok(())
    }

    fn value(&mut self, kind: u32, depth: u32) -> Result<Value, Why> {
        Ok(match kind {
            0 | 1 | 7 => Value::Number(u64::from(self.take::<1>()?[0])),
            2 | 3 => Value::Number(u64::from(u16::from_le_bytes(self.take()?))),
            4 | 5 => Value::Number(u64::from(self.u32()?)),
            10 | 11 => Value::Number(self.u64()?),
            8 => self.text()?.map_or(Value::Other, Value::Text),
            9 => self.array(depth)?.map_or(Value::Other, Value::Numbers),
            other => {
                self.skip(width(other).ok_or_else(|| unknown(other))?)?;
                Value::Other
            }
        })
    }

    /// An array's numbers, where they are few and whole.
    fn array(&mut self, depth: u32) -> Result<Option<Vec<u64>>, Why> {
        let (of, count) = (self.u32()?, self.u64()?);
        if depth >= DEEPEST {
            return wrong("is damaged: its header has too many nested arrays");
        }
        if matches!(of, 4 | 5 | 10 | 11) && count <= MOST_NUMBERS {
            let number = |header: &mut Self| if of < 10 { header.u32().map(u64::from) } else { header.u64() };
            return (0..count).map(|_| number(self)).collect::<Result<_, _>>().map(Some);
        }
        match (of, width(of)) {
            (_, Some(each)) => self.skip(each.checked_mul(count).ok_or(Why::Cut)?),
            // Each takes eight bytes at least: a count that is too high meets the file's end.
            (8, _) => (0..count).try_for_each(|_| {
                let length = self.u64()?;
                self.skip(length)
            }),
            (9, _) => (0..count).try_for_each(|_| self.array(depth + 1).map(drop)),
            _ => Err(unknown(of)),
        }?;
        Ok(None)
    }

    /// A text; `None` where it is longer than anything that is asked for.
    fn text(&mut self) -> Result<Option<String>, Why> {
        let length = self.u64()?;
        if length > LONGEST_TEXT {
            self.skip(length)?;
            return Ok(None);
        }
        self.left(length)?;
        let mut text = vec![0; usize::try_from(length).unwrap_or(0)];
        self.from.read_exact(&mut text)?;
        self.at += length;
        Ok(Some(String::from_utf8_lossy(&text).into_owned()))
    }

    fn u32(&mut self) -> Result<u32, Why> {
        Ok(u32::from_le_bytes(self.take()?))
    }

    fn u64(&mut self) -> Result<u64, Why> {
        Ok(u64::from_le_bytes(self.take()?))
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Why> {
        let mut bytes = [0; N];
        self.from.read_exact(&mut bytes)?;
        self.at += N as u64;
        Ok(bytes)
    }

    fn skip(&mut self, bytes: u64) -> Result<(), Why> {
        self.left(bytes)?;
        // Small steps stay in the buffer.
        if bytes <= 1 << 12 {
            io::copy(&mut (&mut self.from).take(bytes), &mut io::sink())?;
        } else {
            self.from.seek(SeekFrom::Current(i64::try_from(bytes).map_err(|_| Why::Cut)?))?;
        }
        self.at += bytes;
        Ok(())
    }

    /// Whether so many bytes are left.
    fn left(&self, bytes: u64) -> Result<(), Why> {
        if bytes > self.bytes.saturating_sub(self.at) { Err(Why::Cut) } else { Ok(()) }
    }
}

fn wrong<T>(what: impl Into<String>) -> Result<T, Why> {
    Err(Why::Wrong(what.into()))
}

fn unknown(kind: u32) -> Why {
    Why::Wrong(format!("is damaged: its header has a value of unknown type {kind}"))
}

/// A name without what moves a cursor.
fn plain(name: &str) -> String {
    human::cut(&human::printable(name), 80)
}

/// Bytes of a value of fixed size.
fn width(kind: u32) -> Option<u64> {
    Some(match kind {
        0 | 1 | 7 => 1,
        2 | 3 => 2,
        4..=6 => 4,
        10..=12 => 8,
        _ => return None,
    })
}

/// Numbers in a block of a tensor's type, and the block's bytes, as ggml.h and ggml-common.h have them; `None` of a type that
/// isn't known here.
fn size_of(kind: u32) -> Option<(u64, u64)> {
    Some(match kind {
        0 | 26 => (1, 4),
        1 | 25 | 30 => (1, 2),
        24 => (1, 1),
        27 | 28 => (1, 8),
        2 | 20 => (32, 18),
        3 => (32, 20),
        6 => (32, 22),
        7 => (32, 24),
        8 => (32, 34),
        9 => (32, 36),
        10 => (256, 84),
        11 | 21 => (256, 110),
        12 => (256, 144),
        13 => (256, 176),
        14 => (256, 210),
        15 => (256, 292),
        16 | 35 => (256, 66),
        17 => (256, 74),
        18 => (256, 98),
        19 => (256, 50),
        22 => (256, 82),
        23 => (256, 136),
        29 => (256, 56),
        34 => (256, 54),
        39 => (32, 17),
        _ => return None,
    })
}

/// The system message that a chat template of the ChatML family puts in where a conversation has none. Ollama's templates have
/// none of their own: without it, the same file is asked with other prompts there.
pub fn default_system(template: &str) -> Option<String> {
    const OPEN: &str = "<|im_start|>system";
    const CLOSE: &str = "<|im_end|>";
    template.match_indices(OPEN).find_map(|(at, _)| {
        let after = &template[at + OPEN.len()..];
        let text = after.strip_prefix("\\n").or_else(|| after.strip_prefix('\n'))?;
        let text = &text[..text.find(CLOSE)?];
        // A quote that ends the literal, or Jinja's own signs: what is said there is put together at run time.
        let literal =
            !text.is_empty() && !["{{", "{%", "' ", "'+", "\" ", "\"+", "' ~"].iter().any(|s| text.contains(s));
        literal.then(|| text.replace("\\n", "\n").replace("\\'", "'").replace("\\\"", "\"").trim_end().to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Cursor;

    fn text(out: &mut Vec<u8>, text: &str) {
        out.extend((text.len() as u64).to_le_bytes());
        out.extend(text.as_bytes());
    }

    /// A small model: `values` are texts, and it has one tensor of 64 numbers in Q4_0.
    fn file(values: &[(&str, &str)]) -> Vec<u8> {
        let mut out = b"GGUF".to_vec();
        out.extend(3u32.to_le_bytes());
        out.extend(1u64.to_le_bytes());
        out.extend((values.len() as u64 + 2).to_le_bytes());
        for (key, value) in values {
            text(&mut out, key);
            out.extend(8u32.to_le_bytes());
            text(&mut out, value);
        }
        text(&mut out, "llama.context_length");
        out.extend(4u32.to_le_bytes());
        out.extend(2048u32.to_le_bytes());
        text(&mut out, "tokenizer.ggml.tokens");
        out.extend(9u32.to_le_bytes());
        out.extend(8u32.to_le_bytes());
        out.extend(2u64.to_le_bytes());
        text(&mut out, "a");
        text(&mut out, "b");
        text(&mut out, "token_embd.weight");
        out.extend(1u32.to_le_bytes());
        out.extend(64u64.to_le_bytes());
        out.extend(2u32.to_le_bytes());
        out.extend(0u64.to_le_bytes());
        out.resize(out.len().next_multiple_of(32) + 36, 0);
        out
    }

    const WHOLE: [(&str, &str); 3] =
        [("general.architecture", "llama"), ("general.name", "Tiny"), ("tokenizer.ggml.model", "gpt2")];

    fn of(bytes: &[u8]) -> Result<Gguf, String> {
        parse(Cursor::new(bytes), bytes.len() as u64)
    }

    #[test]
    fn a_model_says_what_it_is() {
        let bytes = file(&WHOLE);
        let found = of(&bytes).unwrap();
        assert_eq!((found.architecture.as_str(), found.name.as_deref()), ("llama", Some("Tiny")));
        assert_eq!((found.context, found.parameters, found.embeds), (Some(2048), 64, false));
        assert_eq!(found.bytes, bytes.len() as u64);
        assert!(found.shape.is_empty(), "{:?}", found.shape);
    }

    #[test]
    fn what_a_context_is_computed_by_is_kept() {
        let mut bytes = file(&WHOLE);
        let mut more = Vec::new();
        for (key, number) in [("llama.block_count", 2u32), ("llama.attention.sliding_window", 7)] {
            text(&mut more, key);
            more.extend(4u32.to_le_bytes());
            more.extend(number.to_le_bytes());
        }
        text(&mut more, "llama.attention.head_count_kv");
        more.extend(9u32.to_le_bytes());
        more.extend(5u32.to_le_bytes());
        more.extend(2u64.to_le_bytes());
        more.extend(3u32.to_le_bytes());
        more.extend(1u32.to_le_bytes());
        // Three values more, before the first.
        bytes[16..24].copy_from_slice(&(WHOLE.len() as u64 + 5).to_le_bytes());
        bytes.splice(24..24, more);
        let shape = Json::Object(of(&[bytes, vec![0; 64]].concat()).unwrap().shape);
        let wanted = serde_json::json!({
            "general.architecture": "llama", "llama.block_count": 2, "llama.attention.sliding_window": 7,
            "llama.attention.head_count_kv": [3, 1],
        });
        assert_eq!(shape, wanted);
    }

    #[test]
    fn what_is_no_model_is_said_to_be_what_it_is() {
        for (bytes, words) in [
            (&b""[..], "is empty"),
            (b"PK\x03\x04 and so on", "zip archive"),
            (b"version https://git-lfs.github.com/spec/v1", "Git LFS"),
            (b"<!DOCTYPE html>", "web page"),
            (b"hello, world", "not a GGUF file"),
            (b"GGUF\x00\x00\x00\x03\x00\x00\x00\x00", "byte order"),
            (b"GGUF\x01\x00\x00\x00\x00\x00\x00\x00", "version 1"),
        ] {
            let told = of(bytes).unwrap_err();
            assert!(told.contains(words), "{words}: {told}");
        }
        for (values, words) in [
            (vec![("general.architecture", "clip"), ("general.type", "mmproj")], "type `mmproj`"),
            (vec![("general.architecture", "whisper")], "`whisper` without a tokenizer"),
            (vec![("tokenizer.ggml.model", "gpt2")], "without an architecture"),
        ] {
            let told = of(&file(&values)).unwrap_err();
            assert!(told.contains(words), "{words}: {told}");
        }
    }

    #[test]
    fn a_default_system_message_is_found_where_the_template_spells_it_out() {
        let smollm = "{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou are SmolLM<|im_end|>\n' \
                      }}{% endif %}{{'<|im_start|>' + message['role'] + '\n'}}";
        assert_eq!(default_system(smollm).as_deref(), Some("You are SmolLM"));
        let qwen = "{{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}{%- else %}\
                    {{- '<|im_start|>system\\nYou\\'re Qwen.<|im_end|>\\n' }}";
        assert_eq!(default_system(qwen).as_deref(), Some("You're Qwen."));
        for none in
            ["", "{{ '<|im_start|>' + role }}", "<|im_start|>system\n{{ system }}<|im_end|>", "<|im_start|>system\n"]
        {
            assert_eq!(default_system(none), None, "{none}");
        }
    }

    proptest! {
        /// However short a copy was cut, it is no model; and nothing is ever read past its end.
        #[test]
        fn every_cut_is_found(keep in 0.0..1.0f64) {
            let bytes = file(&WHOLE);
            let cut = &bytes[..(bytes.len() as f64 * keep) as usize];
            prop_assert!(of(cut).is_err());
        }

        /// Any bytes behind the magic give an answer, and soon.
        #[test]
        fn noise_is_answered(noise in prop::collection::vec(any::<u8>(), 0..400), at in 8usize..200, byte: u8) {
            let _ = of(&[b"GGUF\x03\x00\x00\x00".as_slice(), &noise].concat());
            let mut bytes = file(&WHOLE);
            let at = at.min(bytes.len() - 1);
            bytes[at] = byte;
            let _ = of(&bytes);
        }
    }
}
