//! What was odd about an answer and is no failure: lenient in what is read, but told.

/// One oddity of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Remark {
    /// A stream was asked for, and the answer came whole.
    NoStream,
    /// The stream ended after its reason to end, without its end marker (`[DONE]`).
    NoEnd,
    /// A count of tokens or a time was there and couldn't be read: it is blank.
    BadCount,
    /// The text held half a character or what is no UTF-8: U+FFFD stands there.
    BadText,
    /// A block of reasoning was begun and not closed.
    OpenThought,
    /// A vector holds what is no finite number: NaN, an infinity, `null`.
    BadVector,
    /// A vector is all zeros: it has no direction.
    ZeroVector,
    /// A schema was asked for, and the answer is not the JSON that it allows.
    OutOfSchema,
    /// The answer repeats the nonce that its prompt began with.
    NonceRepeated,
}

impl Remark {
    /// Every remark, in the order of their bits.
    pub const ALL: [Remark; 9] = [
        Remark::NoStream,
        Remark::NoEnd,
        Remark::BadCount,
        Remark::BadText,
        Remark::OpenThought,
        Remark::BadVector,
        Remark::ZeroVector,
        Remark::OutOfSchema,
        Remark::NonceRepeated,
    ];

    /// The word in `samples.csv`.
    pub fn as_str(self) -> &'static str {
        match self {
            Remark::NoStream => "no_stream",
            Remark::NoEnd => "no_end_mark",
            Remark::BadCount => "bad_count",
            Remark::BadText => "bad_text",
            Remark::OpenThought => "open_thought",
            Remark::BadVector => "bad_vector",
            Remark::ZeroVector => "zero_vector",
            Remark::OutOfSchema => "out_of_schema",
            Remark::NonceRepeated => "nonce_repeated",
        }
    }
}

/// Remarks on one answer. As text: their words with a blank between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Remarks(u16);

impl Remarks {
    /// Adds one.
    pub fn add(&mut self, remark: Remark) {
        self.0 |= 1 << remark as u16;
    }

    /// Adds what is odd about a vector's numbers.
    pub fn add_vector(&mut self, numbers: &[f32]) {
        if numbers.iter().any(|x| !x.is_finite()) {
            self.add(Remark::BadVector);
        } else if !numbers.is_empty() && numbers.iter().all(|x| *x == 0.0) {
            self.add(Remark::ZeroVector);
        }
    }

    /// Whether one is there.
    pub fn has(self, remark: Remark) -> bool {
        self.0 & 1 << remark as u16 != 0
    }

    /// Those that are there.
    pub fn all(self) -> impl Iterator<Item = Remark> {
        Remark::ALL.into_iter().filter(move |remark| self.has(*remark))
    }

    /// The remarks of a cell of `samples.csv`; `None` if a word is unknown.
    pub fn parse(cell: &str) -> Option<Self> {
        let mut remarks = Self::default();
        for word in cell.split_ascii_whitespace() {
            remarks.add(Remark::ALL.into_iter().find(|remark| remark.as_str() == word)?);
        }
        Some(remarks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remarks_are_words_that_read_back() {
        let mut remarks = Remarks::default();
        assert_eq!(Remarks::parse(""), Some(remarks));
        for remark in Remark::ALL {
            remarks.add(remark);
            let words: Vec<&str> = remarks.all().map(Remark::as_str).collect();
            assert_eq!(Remarks::parse(&words.join(" ")), Some(remarks));
        }
        assert_eq!(Remarks::parse("no_stream never_heard_of"), None);
    }

    #[test]
    fn vectors_without_a_direction_are_told() {
        for (numbers, want) in [
            (&[0.5, -0.5][..], ""),
            (&[0.0, 0.0], "zero_vector"),
            (&[0.0, -0.0], "zero_vector"),
            (&[0.0, f32::NAN], "bad_vector"),
            (&[f32::INFINITY, 1.0], "bad_vector"),
            (&[], ""),
        ] {
            let mut remarks = Remarks::default();
            remarks.add_vector(numbers);
            assert_eq!(Some(remarks), Remarks::parse(want), "{numbers:?}");
        }
    }
}
