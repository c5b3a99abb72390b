//! Tries accesses as somebody else. This file deals out the probes; [`place`] tries one, [`sample`] looks beneath it,
//! [`actor`] is who tries.

mod actor;
mod place;
mod sample;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, Builder};

use rustix::io::Errno;

use super::mounts::Tables;
use super::{Roots, fault};
use crate::proto::probe::{Facts, Identity, Probe, Probed, cap};
use crate::proto::{Fault, Reply};
use crate::serve::{Halt, Sink};
use actor::Actor;

/// Threads that probe at once, each with two actors.
const THREADS: usize = 4;
/// Stack of such a thread: nothing recurses, and buffers are on the heap.
const STACK: usize = 128 << 10;
/// Bytes of results that wait for more.
const BATCH: usize = 128 << 10;

impl Roots {
    /// Tries all probes.
    pub(super) fn probe(&self, probes: &[Probe], sink: &Sink) -> Result<(), Halt> {
        let tables = Tables::default();
        let read_only: Vec<bool> = self.roots.iter().map(|root| root.super_read_only(&tables)).collect();
        // Those of one identity after each other: who tries is a thread that serves only one.
        let mut order: Vec<usize> = (0..probes.len()).collect();
        order.sort_by(|&a, &b| probes[a].who.cmp(&probes[b].who));
        let work = Work {
            roots: self,
            probes,
            order: &order,
            read_only: &read_only,
            next: AtomicUsize::new(0),
            sink,
        };
        thread::scope(|scope| {
            let threads = THREADS.min(probes.len());
            let mut running = Vec::new();
            let mut refused = None;
            for _ in 0..threads {
                match Builder::new().stack_size(STACK).spawn_scoped(scope, || work.run()) {
                    Ok(thread) => running.push(thread),
                    Err(error) => refused = Some(Errno::from_raw_os_error(error.raw_os_error().unwrap_or(0))),
                }
            }
            if let (true, Some(errno)) = (running.is_empty(), refused) {
                return Err(fault(b"", errno, "starting a thread").into());
            }
            let broken = || fault(b"", Errno::IO, "trying accesses");
            let ended = running.into_iter().map(|thread| thread.join().map_err(|_| broken())?);
            ended.collect::<Vec<_>>().into_iter().collect()
        })
    }
}

/// The probes of one request.
struct Work<'a> {
    roots: &'a Roots,
    probes: &'a [Probe],
    /// Indexes of probes in the order in which they are tried.
    order: &'a [usize],
    /// For each root, whether its file system is read-only.
    read_only: &'a [bool],
    next: AtomicUsize,
    sink: &'a Sink,
}

/// Who tries: each actor serves one identity, so it is kept while that stays the same.
#[derive(Default)]
struct Cast {
    who: Option<(Identity, Result<Actor, Errno>)>,
    root: Option<Result<Actor, Errno>>,
}

impl Cast {
    /// The actors of a probe: the one who tries, and root if there can be one.
    fn of(&mut self, who: &Identity) -> (Result<&Actor, Errno>, Result<&Actor, Errno>) {
        if self.who.as_ref().is_none_or(|(present, _)| present != who) {
            self.who = Some((who.clone(), Actor::start(who)));
        }
        let root = self.root.get_or_insert_with(|| {
            Actor::start(&Identity {
                caps: cap::FILES,
                ..Identity::default()
            })
        });
        let who = self
            .who
            .as_ref()
            .map_or(Err(Errno::IO), |(_, actor)| actor.as_ref().map_err(|errno| *errno));
        (who, root.as_ref().map_err(|errno| *errno))
    }
}

impl Work<'_> {
    fn run(&self) -> Result<(), Halt> {
        let mut cast = Cast::default();
        let (mut results, mut bytes) = (Vec::new(), 0);
        while let Some(&index) = self.order.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            if self.sink.cancelled() {
                return Err(Halt::Cancelled);
            }
            let (Some(probe), Ok(number)) = (self.probes.get(index), u32::try_from(index)) else {
                continue;
            };
            let mut probed = nothing(number);
            if let Err(fault) = self.attempt(probe, &mut cast, &mut probed)? {
                probed.fault = Some(fault);
            }
            bytes += size(&probed);
            results.push(probed);
            if bytes >= BATCH {
                self.sink.send(Reply::Probed(std::mem::take(&mut results)))?;
                bytes = 0;
            }
        }
        match results.is_empty() {
            true => Ok(()),
            false => self.sink.send(Reply::Probed(results)),
        }
    }

    fn attempt(&self, probe: &Probe, cast: &mut Cast, probed: &mut Probed) -> Result<Result<(), Fault>, Halt> {
        let (who, root) = cast.of(&probe.who);
        let who = match who {
            Ok(actor) => actor,
            Err(errno) => return Ok(Err(no_actor(probe, errno))),
        };
        let index = usize::try_from(probe.at.root).unwrap_or(usize::MAX);
        let scene = place::Scene {
            roots: self.roots,
            probe,
            super_read_only: self.read_only.get(index).copied().unwrap_or(false),
            who,
            root,
        };
        match scene.place(probed) {
            Ok(Some(place)) if probe.sample > 0 => sample::look(&scene, &place, probed, self.sink).map(Ok),
            Ok(_) => Ok(Ok(())),
            Err(fault) => Ok(Err(fault)),
        }
    }
}

/// A result before anything was tried.
fn nothing(probe: u32) -> Probed {
    Probed {
        probe,
        fault: None,
        facts: None,
        barred: None,
        read: 0,
        write: 0,
        enter: 0,
        write_as_root: 0,
        super_read_only: false,
        sampled: 0,
        whole: true,
        denied: 0,
        denials: Vec::new(),
        owners: Vec::new(),
    }
}

fn no_actor(probe: &Probe, errno: Errno) -> Fault {
    let who = format!("becoming user {} of group {}", probe.who.uid, probe.who.gid);
    fault(&probe.at.path, errno, &who)
}

/// About the bytes that a result takes in a frame.
fn size(probed: &Probed) -> usize {
    let facts = |facts: &Facts| 64 + facts.acl.as_ref().map_or(0, Vec::len) + facts.label.as_ref().map_or(0, Vec::len);
    let own = probed.facts.as_ref().map_or(0, facts);
    let barred = probed.barred.as_ref().map_or(0, |(path, bar)| path.len() + facts(bar));
    let denials: usize = probed
        .denials
        .iter()
        .map(|denied| denied.path.len() + facts(&denied.facts))
        .sum();
    let fault = probed
        .fault
        .as_ref()
        .map_or(0, |fault| fault.path.len() + fault.message.len());
    256 + own + barred + denials + fault
}
