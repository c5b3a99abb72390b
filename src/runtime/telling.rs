//! Tells the loop what an operation reports, at most some times a second: news that are folded and passed on in batches, or
//! the latest of them alone. Knows no operation.

use std::future::Future;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::mail::Mail;
use crate::core::jobs::Progress;
use crate::model::JobId;

/// The shortest time between two reports.
const PACE: Duration = Duration::from_millis(100);
/// News that may wait for their turn.
pub(super) const QUEUE: usize = 64;

/// What news are folded into.
pub(super) trait Fold: Send {
    /// One piece of news.
    type News: Send;

    /// Takes a piece of news.
    fn take(&mut self, news: Self::News);

    /// Tells the loop what came since the last time. A loop that has ended cancels the operation; nothing is to be done
    /// about it here.
    fn tell(&mut self) -> impl Future<Output = ()> + Send;
}

/// Folds news until their senders are gone, and tells of them.
pub(super) async fn folded<F: Fold>(mut fold: F, mut news: mpsc::Receiver<F::News>) -> F {
    let mut due = Instant::now();
    let mut fresh = false;
    loop {
        tokio::select! {
            one = news.recv() => match one {
                Some(one) => {
                    fold.take(one);
                    fresh = true;
                }
                None => break,
            },
            () = tokio::time::sleep_until(due), if fresh => {
                fold.tell().await;
                fresh = false;
                due = Instant::now() + PACE;
            }
        }
    }
    fold.tell().await;
    fold
}

/// Tells the latest value until its sender is gone, or `tell` says that nobody listens.
pub(super) async fn latest<T, F>(mut from: watch::Receiver<T>, tell: impl Fn(T) -> F)
where
    T: Clone,
    F: Future<Output = bool>,
{
    while from.changed().await.is_ok() {
        let now = from.borrow_and_update().clone();
        if !tell(now).await {
            return;
        }
        tokio::time::sleep(PACE).await;
    }
}

/// A job of whose news only the latest counts.
pub(super) struct Counting<'a, N> {
    job: JobId,
    mail: &'a Mail,
    words: fn(N) -> Progress,
    now: Option<Progress>,
}

impl<'a, N> Counting<'a, N> {
    /// For a job; `words` makes its progress of a piece of news.
    pub(super) fn new(job: JobId, mail: &'a Mail, words: fn(N) -> Progress) -> Self {
        Self {
            job,
            mail,
            words,
            now: None,
        }
    }
}

impl<N: Send> Fold for Counting<'_, N> {
    type News = N;

    fn take(&mut self, news: N) {
        self.now = Some((self.words)(news));
    }

    async fn tell(&mut self) {
        if let Some(progress) = self.now.take() {
            let _listened = self.mail.progress(self.job, progress).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts what it takes, and how often it tells.
    #[derive(Default)]
    struct Sum {
        taken: u32,
        told: Vec<u32>,
    }

    impl Fold for Sum {
        type News = u32;

        fn take(&mut self, news: u32) {
            self.taken += news;
        }

        async fn tell(&mut self) {
            self.told.push(self.taken);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn news_are_told_in_batches_and_the_last_ones_always() {
        let (to, news) = mpsc::channel(QUEUE);
        let sending = async move {
            for one in 1..=50 {
                to.send(one).await.unwrap();
                tokio::time::sleep(PACE / 10).await;
            }
        };
        let (sum, ()) = tokio::join!(folded(Sum::default(), news), sending);
        assert_eq!((sum.taken, sum.told.last()), (1275, Some(&1275)));
        assert!((4..=7).contains(&sum.told.len()), "{:?}", sum.told);
    }
}
