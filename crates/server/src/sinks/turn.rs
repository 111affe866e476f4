//! Work that may hang, such as what a dead network disk is asked: one after the other, beside the tasks.
//!
//! A thread that hangs can neither be stopped nor be waited for. So there is one of them at the most: nothing new is begun
//! before it comes back, and nothing older can follow something newer. And all of them together leave threads for others:
//! names of hosts are looked up on the same ones.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, Semaphore};

use super::standing::SinkFailure;

/// The right to do one thing that may hang. Whoever is done, however late, gives it back.
#[derive(Clone, Debug)]
pub(super) struct Turn {
    lock: Arc<Mutex<()>>,
    patience: Duration,
}

/// How many threads may hang: half of those that there are for what blocks.
const MOST: usize = 256;
static THREADS: Semaphore = Semaphore::const_new(MOST);

impl Turn {
    pub(super) fn new(patience: Duration) -> Turn {
        Turn { lock: Arc::default(), patience }
    }

    /// Does what may hang, when all that was begun before has come back. Gives up when both together take too long; what
    /// was begun goes on.
    pub(super) async fn take<T: Send + 'static>(
        &self,
        path: &Path,
        work: impl FnOnce() -> Result<T, SinkFailure> + Send + 'static,
    ) -> Result<T, SinkFailure> {
        let lock = Arc::clone(&self.lock);
        let working = async {
            let turn = lock.lock_owned().await;
            // Nobody closes it; without a permit there is no thread all the same.
            let permit = THREADS.acquire().await;
            let blocking = move || {
                let _turn = (turn, permit);
                work()
            };
            tokio::task::spawn_blocking(blocking).await
        };
        match tokio::time::timeout(self.patience, working).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => {
                Err(SinkFailure::new("writing was broken off", "Report this as a defect of Tokenward."))
            }
            Err(_) if self.lock.try_lock().is_ok() => Err(SinkFailure::new(
                format!(
                    "{} could not be reached: {MOST} other places hang, and no more may at the same time",
                    path.display()
                ),
                "See which network disk is gone; local disks are better places for sinks.",
            )),
            Err(_) => Err(SinkFailure::new(
                format!(
                    "{} has not been reached for {} seconds: its disk hangs. Nothing is written until it comes back",
                    path.display(),
                    self.patience.as_secs()
                ),
                "See whether a network disk is gone; local disks are better places for sinks.",
            )),
        }
    }
}

#[cfg(test)]
impl Turn {
    /// From now on nothing is late.
    pub(super) fn be_patient(&mut self) {
        self.patience = Duration::from_secs(30);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{self, Sender};

    use super::*;

    /// A turn that something holds until the sender is gone.
    async fn hanging() -> (Turn, Sender<()>) {
        let turn = Turn::new(Duration::from_millis(20));
        let (sender, receiver) = mpsc::channel::<()>();
        let hang = move || {
            let _ = receiver.recv();
            Ok(())
        };
        let late = turn.take(Path::new("/net/token"), hang).await;
        assert!(late.unwrap_err().detail.contains("/net/token has not been reached"));
        (turn, sender)
    }

    #[tokio::test]
    async fn nothing_is_begun_while_something_hangs() {
        let (turn, _sender) = hanging().await;
        let begun = Arc::new(());
        for _ in 0..3 {
            let mark = Arc::clone(&begun);
            let begin = move || {
                drop(mark);
                panic!("it was begun")
            };
            let refused: Result<(), SinkFailure> = turn.take(Path::new("/net/token"), begin).await;
            assert!(refused.unwrap_err().detail.contains("has not been reached"));
        }
        assert_eq!(Arc::strong_count(&begun), 1, "nothing waits to be begun either");
    }

    #[tokio::test]
    async fn however_many_places_hang_there_are_threads_left() {
        let all: tokio::task::JoinSet<_> = (0..MOST).map(|_| hanging()).collect();
        let mut all = all.join_all().await;
        let late = Turn::new(Duration::from_millis(20)).take(Path::new("/net/token"), || Ok(())).await;
        assert!(late.unwrap_err().detail.contains("256 other places hang"));
        drop(all.pop());
        let mut patient = Turn::new(Duration::ZERO);
        patient.be_patient();
        assert_eq!(patient.take(Path::new("/net/token"), || Ok(7)).await, Ok(7));
    }

    #[tokio::test]
    async fn what_hung_and_came_back_stands_in_nobodys_way() {
        let (mut turn, sender) = hanging().await;
        drop(sender);
        turn.be_patient();
        assert_eq!(turn.take(Path::new("/net/token"), || Ok(7)).await, Ok(7));
    }
}
