//! Dropping a future at every place where it waits.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

/// Polls a future a number of times and then drops it, wherever it stands.
pub struct DropAfter<F> {
    inner: Option<Pin<Box<F>>>,
    left: usize,
    restless: bool,
}

/// `inner`, dropped at the end of its poll number `polls` unless it is done by then; 0 drops it before the first. It is polled
/// when it is woken: so it is dropped at each place where it waits.
pub fn drop_after<F: Future>(polls: usize, inner: F) -> DropAfter<F> {
    DropAfter {
        inner: Some(Box::pin(inner)),
        left: polls,
        restless: false,
    }
}

/// The same with a poll in every round of the scheduler: so it is dropped at each place where what it waits *for* can be.
pub fn drop_after_rounds<F: Future>(rounds: usize, inner: F) -> DropAfter<F> {
    DropAfter {
        restless: true,
        ..drop_after(rounds, inner)
    }
}

impl<F: Future> Future for DropAfter<F> {
    /// `None` where it was dropped.
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.left > 0
            && let Some(inner) = &mut self.inner
        {
            let polled = inner.as_mut().poll(cx);
            self.left -= 1;
            match polled {
                Poll::Ready(output) => return Poll::Ready(Some(output)),
                Poll::Pending if self.left > 0 => {
                    if self.restless {
                        cx.waker().wake_by_ref();
                    }
                    return Poll::Pending;
                }
                Poll::Pending => {}
            }
        }
        self.inner = None;
        Poll::Ready(None)
    }
}
