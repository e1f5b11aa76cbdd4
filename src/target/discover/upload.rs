//! A file as the body of a request, read as it is sent: models are larger than memory.

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::fs::File;
use std::io::{Error, ErrorKind, Read};
use std::pin::Pin;
use std::task::{Context, Poll};

/// Bytes of a piece.
const PIECE: u64 = 1 << 18;

/// The file, from where it stands.
pub(super) struct FileBody {
    file: File,
    /// Bytes that are still to be sent.
    left: u64,
}

impl FileBody {
    /// So many bytes of a file.
    pub(super) fn new(file: File, bytes: u64) -> Self {
        Self { file, left: bytes }
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = Error;

    // A disk is read where it is waited for: nothing is measured meanwhile, and nothing else is to be done.
    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let want = self.left.min(PIECE);
        if want == 0 {
            return Poll::Ready(None);
        }
        let mut piece = Vec::with_capacity(PIECE as usize);
        let read = (&self.file).take(want).read_to_end(&mut piece);
        self.left -= (piece.len() as u64).min(self.left);
        Poll::Ready(Some(match read {
            Ok(0) => Err(Error::new(ErrorKind::UnexpectedEof, "the file was truncated while it was sent")),
            Ok(_) => Ok(Frame::data(piece.into())),
            Err(error) => Err(error),
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
