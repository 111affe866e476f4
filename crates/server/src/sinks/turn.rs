//! Work that may hang, such as what a dead network disk is asked: one after the other, beside the tasks.
//!
//! A thread that hangs can neither be stopped nor be waited for. So there is one of them at the most: nothing new is begun
//! before it comes back, and nothing older can follow something newer.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use super::standing::SinkFailure;

/// The right to do one thing that may hang. Whoever is done, however late, gives it back.
#[derive(Debug)]
pub(super) struct Turn {
    lock: Arc<Mutex<()>>,
    patience: Duration,
}

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
            let blocking = move || {
                let _turn = turn;
                work()
            };
            tokio::task::spawn_blocking(blocking).await
        };
        match tokio::time::timeout(self.patience, working).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => {
                Err(SinkFailure::new("writing was broken off", "Report this as a defect of Tokenward."))
            }
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
    async fn what_hung_and_came_back_stands_in_nobodys_way() {
        let (mut turn, sender) = hanging().await;
        drop(sender);
        turn.be_patient();
        assert_eq!(turn.take(Path::new("/net/token"), || Ok(7)).await, Ok(7));
    }
}
