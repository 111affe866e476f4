//! Waiting for something beside a busy future, at no cost while nothing happens.
//!
//! Whoever polls two futures in one task polls both at every wake-up, although all but a few wake-ups belong to one of
//! them. Here the other one has a waker of its own, and is polled only after that was used.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// A future that is polled only when it was woken itself.
pub struct Aside<F> {
    future: Pin<Box<F>>,
    bell: Arc<Bell>,
    /// The bell as a waker, made once.
    waker: Waker,
    /// Whom the bell wakes.
    task: Option<Waker>,
}

/// Notes that the future was woken, and wakes the task.
struct Bell {
    rung: AtomicBool,
    task: Mutex<Option<Waker>>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        if let Some(task) = &*self.task.lock().unwrap_or_else(PoisonError::into_inner) {
            task.wake_by_ref();
        }
    }
}

impl<F: Future> Aside<F> {
    /// Sets a future aside. It is polled first when [`Aside::poll`] is called first.
    pub fn new(future: F) -> Aside<F> {
        let bell = Arc::new(Bell { rung: AtomicBool::new(true), task: Mutex::default() });
        let waker = Waker::from(Arc::clone(&bell));
        Aside { future: Box::pin(future), bell, waker, task: None }
    }

    /// Polls the future if it was woken.
    pub fn poll(&mut self, context: &Context<'_>) -> Poll<F::Output> {
        if self.task.as_ref().is_none_or(|task| !task.will_wake(context.waker())) {
            self.task = Some(context.waker().clone());
            *self.bell.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(context.waker().clone());
        }
        if !self.bell.rung.load(Ordering::Relaxed) || !self.bell.rung.swap(false, Ordering::Acquire) {
            return Poll::Pending;
        }
        self.future.as_mut().poll(&mut Context::from_waker(&self.waker))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;

    #[derive(Default)]
    struct Task(AtomicU32);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn it_is_polled_only_after_it_was_woken() {
        let polls = Arc::new(AtomicU32::new(0));
        let own = Arc::new(Mutex::new(None::<Waker>));
        let (counted, kept) = (Arc::clone(&polls), Arc::clone(&own));
        let mut aside = Aside::new(std::future::poll_fn(move |context| {
            *kept.lock().unwrap() = Some(context.waker().clone());
            if counted.fetch_add(1, Ordering::Relaxed) == 1 { Poll::Ready("woken") } else { Poll::Pending }
        }));
        let task = Arc::new(Task::default());
        let waker = Waker::from(Arc::clone(&task));
        let context = Context::from_waker(&waker);
        for _ in 0..5 {
            assert_eq!(aside.poll(&context), Poll::Pending);
        }
        assert_eq!(polls.load(Ordering::Relaxed), 1);
        own.lock().unwrap().take().unwrap().wake();
        assert_eq!(task.0.load(Ordering::Relaxed), 1, "the task is woken, too");
        assert_eq!(aside.poll(&context), Poll::Ready("woken"));
    }
}
