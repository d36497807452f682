//! A connection on which hyper finds what Go's transport finds (kubelet-prober.md 9.4).
//!
//! Go reads and writes side by side, so an answer that comes before the request is as good as another: `nc` sends what it has to
//! whoever connects. hyper takes it for noise and gives the request up. And Go reads any status of three digits.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::task::{Context, Poll, Waker, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What every HTTP/1 answer begins with; its minor version and status follow.
const VERSION: &[u8] = b"HTTP/1.";
/// As long as `HTTP/1.1 099`.
const STATUS_LINE: usize = 12;
/// Stands for a status below 100 while hyper reads: it has a body, is no redirect, and no server means it.
const STAND_IN: &[u8] = b"999";

/// The status below 100 that an answer really has.
#[derive(Debug, Clone, Default)]
pub(super) struct OddStatus(Arc<AtomicU16>);

impl OddStatus {
    /// The status of an answer whose status hyper read as this.
    pub(super) fn of(&self, read: u16) -> u16 {
        let odd = self.0.load(Ordering::Relaxed);
        if odd == 0 || read.to_string().as_bytes() != STAND_IN { read } else { odd - 1 }
    }

    fn set(&self, status: u16) {
        self.0.store(status + 1, Ordering::Relaxed);
    }
}

/// The stream under a request.
pub(super) struct Connection<S> {
    stream: S,
    /// The request is on its way: what comes is its answer.
    written: bool,
    /// Who waits for that.
    reader: Option<Waker>,
    /// The first bytes of the answer, until there are enough of them; then `None`.
    head: Option<Vec<u8>>,
    /// Of them, those that are not yet handed on.
    ready: Vec<u8>,
    odd: OddStatus,
}

impl<S> Connection<S> {
    pub(super) fn new(stream: S, odd: OddStatus) -> Connection<S> {
        Connection { stream, written: false, reader: None, head: Some(Vec::new()), ready: Vec::new(), odd }
    }

    fn has_written(&mut self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if !written.is_pending() {
            self.written = true;
            self.reader.take().into_iter().for_each(Waker::wake);
        }
        written
    }

    /// Hands the first bytes on, with a status that hyper reads.
    fn release(&mut self, mut head: Vec<u8>) {
        if let Some([b'0', tens @ b'0'..=b'9', ones @ b'0'..=b'9']) = status_of(&head) {
            self.odd.set(u16::from(tens - b'0') * 10 + u16::from(ones - b'0'));
            head[STATUS_LINE - STAND_IN.len()..STATUS_LINE].copy_from_slice(STAND_IN);
        }
        self.ready = head;
    }
}

fn status_of(head: &[u8]) -> Option<[u8; 3]> {
    let line = head.get(..STATUS_LINE)?;
    (line.starts_with(VERSION) && line[VERSION.len() + 1] == b' ').then(|| [line[9], line[10], line[11]])
}

impl<S: AsyncRead + Unpin> AsyncRead for Connection<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.written {
            self.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        while let Some(mut head) = self.head.take() {
            let mut bytes = [0; STATUS_LINE];
            let mut more = ReadBuf::new(&mut bytes[head.len()..]);
            match Pin::new(&mut self.stream).poll_read(cx, &mut more) {
                Poll::Ready(Ok(())) if more.filled().is_empty() => self.release(head),
                Poll::Ready(Ok(())) => {
                    head.extend_from_slice(more.filled());
                    match head.len() {
                        STATUS_LINE => self.release(head),
                        _ => self.head = Some(head),
                    }
                }
                // What came before the trouble is handed on first.
                Poll::Ready(Err(e)) if head.is_empty() => return Poll::Ready(Err(e)),
                Poll::Ready(Err(_)) => self.release(head),
                Poll::Pending => {
                    self.head = Some(head);
                    return Poll::Pending;
                }
            }
        }
        if self.ready.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let length = self.ready.len().min(buf.remaining());
        buf.put_slice(&self.ready[..length]);
        self.ready.drain(..length);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Connection<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.has_written(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.has_written(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
        Poll::Ready(Ok(()))
    }
}
