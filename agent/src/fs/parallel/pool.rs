//! Deals out work to walkers: places that nobody has begun, and directories that a busy walker hands over.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use super::Task;
use crate::serve::lock;

/// What a walker does next.
pub(super) enum Work<C> {
    /// Begins a place, by its index.
    Place(usize),
    /// Takes over directories.
    Tasks(Vec<Task<C>>),
}

/// The work of one request.
#[derive(Debug)]
pub(in crate::fs) struct Pool<C> {
    shared: Mutex<Shared<C>>,
    changed: Condvar,
    /// Walkers that wait; read without the lock by those that could hand over.
    hungry: AtomicUsize,
    stopped: AtomicBool,
}

#[derive(Debug)]
struct Shared<C> {
    tasks: Vec<Task<C>>,
    next_place: usize,
    places: usize,
    busy: usize,
}

impl<C> Pool<C> {
    /// The work of so many places.
    pub(in crate::fs) fn new(places: usize) -> Self {
        Self {
            shared: Mutex::new(Shared {
                tasks: Vec::new(),
                next_place: 0,
                places,
                busy: 0,
            }),
            changed: Condvar::new(),
            hungry: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
        }
    }

    /// The next work; `None` when there is none and none can come. A walker that had work says so.
    pub(super) fn take(&self, had_work: bool) -> Option<Work<C>> {
        let mut shared = lock(&self.shared);
        shared.busy -= usize::from(had_work);
        loop {
            if self.stopped() {
                return None;
            }
            if !shared.tasks.is_empty() {
                shared.busy += 1;
                let keep = shared.tasks.len() / 2;
                return Some(Work::Tasks(shared.tasks.split_off(keep)));
            }
            if shared.next_place < shared.places {
                shared.busy += 1;
                shared.next_place += 1;
                return Some(Work::Place(shared.next_place - 1));
            }
            if shared.busy == 0 {
                self.changed.notify_all();
                return None;
            }
            self.hungry.fetch_add(1, Ordering::Relaxed);
            shared = self.changed.wait(shared).unwrap_or_else(PoisonError::into_inner);
            self.hungry.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Takes half of a walker's tasks when another waits: the older half, whose trees are the larger.
    pub(super) fn hand_over(&self, tasks: &mut Vec<Task<C>>) {
        if self.hungry.load(Ordering::Relaxed) == 0 || tasks.len() < 2 {
            return;
        }
        let mut shared = lock(&self.shared);
        if shared.tasks.is_empty() {
            shared.tasks.extend(tasks.drain(..tasks.len() / 2));
            drop(shared);
            self.changed.notify_all();
        }
    }

    /// Whether the request was cancelled.
    pub(in crate::fs) fn stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Ends all walkers soon.
    pub(in crate::fs) fn stop(&self) {
        // Under the lock, so that nobody who has just looked goes to wait.
        let _shared = lock(&self.shared);
        self.stopped.store(true, Ordering::Relaxed);
        self.changed.notify_all();
    }
}
