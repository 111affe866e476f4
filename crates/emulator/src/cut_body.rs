//! A body that promises more than it delivers.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

/// Announces its full length, delivers the first half, and breaks.
#[derive(Debug)]
pub(crate) struct CutBody {
    announced: u64,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Half(Bytes),
    /// The connection writes what it has only while the body is not ready, and forgets it when the body
    /// fails. So the body is not ready once before it fails.
    Written,
    Broken,
}

impl CutBody {
    pub(crate) fn half_of(mut whole: Bytes) -> Self {
        let announced = whole.len() as u64;
        whole.truncate(whole.len() / 2);
        Self { announced, stage: Stage::Half(whole) }
    }
}

impl Body for CutBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match std::mem::replace(&mut self.stage, Stage::Broken) {
            Stage::Half(half) => {
                self.stage = Stage::Written;
                Poll::Ready(Some(Ok(Frame::data(half))))
            }
            Stage::Written => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Stage::Broken => Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into()))),
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.announced)
    }
}
