//! A file as the body of an answer, read while it is sent.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::fs::File;
use tokio::io::{AsyncRead, ReadBuf};

const CHUNK: usize = 64 * 1024;

/// Bytes of a file from where it stands.
#[derive(Debug)]
pub(crate) struct FileBody {
    file: File,
    announced: u64,
    left: u64,
    /// What is announced and never sent.
    withheld: u64,
    has_waited: bool,
    buffer: Box<[u8]>,
}

impl FileBody {
    /// This many of them.
    pub(crate) fn of(file: File, length: u64) -> FileBody {
        let buffer = vec![0; CHUNK].into();
        FileBody { file, announced: length, left: length, withheld: 0, has_waited: false, buffer }
    }

    /// The same, which breaks off in the middle.
    pub(crate) fn half(mut self) -> FileBody {
        self.withheld = self.announced - self.announced / 2;
        self
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = self.get_mut();
        if this.left == 0 {
            return Poll::Ready(None);
        }
        let wanted = usize::try_from(this.left.saturating_sub(this.withheld)).unwrap_or(CHUNK).min(CHUNK);
        if wanted == 0 {
            // The connection writes what it has only while the body is not ready; see `CutBody`.
            if std::mem::replace(&mut this.has_waited, true) {
                return Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into())));
            }
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let mut buffer = ReadBuf::new(this.buffer.get_mut(..wanted).unwrap_or_default());
        ready!(Pin::new(&mut this.file).poll_read(cx, &mut buffer))?;
        let chunk = Bytes::copy_from_slice(buffer.filled());
        if chunk.is_empty() {
            return Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into())));
        }
        this.left -= chunk.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
