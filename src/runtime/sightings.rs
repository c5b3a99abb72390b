//! Gathers who uses volumes, from events and lists, and keeps it on disk. Never in the way: what comes while the disk
//! is slow is left out. Sets no timer; what is too soon to be written is written after a later list, or at the end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use time::OffsetDateTime;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::mail::Mail;
use crate::core::msg::{EngineMsg, Notice};
use crate::engine::contexts::Environment;
use crate::engine::daemon::EngineEvent;
use crate::model::{EngineId, Mount, MountId};
use crate::ops::list::Inventory;
use crate::ops::sightings::{Heard, Sighting, Sightings};

/// The file is written at most once in this time.
const PACE: Duration = Duration::from_secs(30);
/// News that may wait.
const QUEUE: usize = 64;

/// Something that may tell who uses what.
#[derive(Debug)]
enum Seen {
    Events(Vec<EngineEvent>, OffsetDateTime),
    EventsLost,
    List(Arc<Inventory>),
}

/// The way to what is gathered. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Lookout(mpsc::Sender<Seen>);

/// The other end.
pub(super) struct Gathering {
    environment: Environment,
    news: mpsc::Receiver<Seen>,
    heard: Heard,
    sightings: Option<Sightings>,
    written: Option<Instant>,
    complained: bool,
}

impl Lookout {
    /// `environment` says where the file lies.
    pub(super) fn new(environment: Environment) -> (Self, Gathering) {
        let (to, news) = mpsc::channel(QUEUE);
        let gathering = Gathering {
            environment,
            news,
            heard: Heard::default(),
            sightings: None,
            written: None,
            complained: false,
        };
        (Self(to), gathering)
    }

    /// Takes a batch of events.
    pub(super) fn events(&self, events: Vec<EngineEvent>) {
        self.tell(Seen::Events(events, OffsetDateTime::now_utc()));
    }

    /// Events may have been missed.
    pub(super) fn events_lost(&self) {
        self.tell(Seen::EventsLost);
    }

    /// Takes a list for which every container was inspected.
    pub(super) fn list(&self, inventory: &Arc<Inventory>) {
        self.tell(Seen::List(Arc::clone(inventory)));
    }

    fn tell(&self, seen: Seen) {
        // Full: the disk is slow, and the next list tells most of it again.
        self.0.try_send(seen).ok();
    }
}

impl Gathering {
    /// Gathers until the program ends, and writes what is left then.
    pub(super) async fn run(mut self, engine: EngineId, mail: Mail, end: CancellationToken) {
        while let Some(Some(seen)) = end.run_until_cancelled(self.news.recv()).await {
            match seen {
                Seen::Events(events, at) => self.heard.hear(&events, at),
                Seen::EventsLost => self.heard.lost(),
                Seen::List(inventory) => self.take(&engine, inventory, &mail, &end).await,
            }
        }
        if let Some(mut sightings) = self.sightings.take() {
            // Nobody is left to be told of a failure.
            tokio::task::spawn_blocking(move || sightings.save().ok()).await.ok();
        }
    }

    async fn take(&mut self, engine: &EngineId, list: Arc<Inventory>, mail: &Mail, end: &CancellationToken) {
        let (engine, environment) = (engine.clone(), self.environment.clone());
        let (sightings, mut heard) = (self.sightings.take(), std::mem::take(&mut self.heard));
        let due = self.written.is_none_or(|written| written.elapsed() >= PACE);
        let noting = tokio::task::spawn_blocking(move || {
            let now = OffsetDateTime::now_utc();
            let mut sightings = sightings.unwrap_or_else(|| Sightings::open(&engine, &environment));
            sightings.note(&list, &heard, now);
            sightings.prune(&list, now);
            heard.settle(&list);
            let write = due && sightings.changed();
            let saved = if write { sightings.save() } else { Ok(()) };
            let last = unused(&sightings, &list);
            (sightings, heard, last, write, saved)
        });
        let (last, failure) = match noting.await {
            Ok((sightings, heard, last, wrote, saved)) => {
                self.sightings = Some(sightings);
                self.heard = heard;
                self.written = if wrote { Some(Instant::now()) } else { self.written };
                (Some(last), saved.err().map(|error| error.to_string()))
            }
            // The next list starts anew, from the file.
            Err(error) => (None, Some(error.to_string())),
        };
        // Said once: a full disk is full at the next list, too.
        let failure = failure.filter(|_| !std::mem::replace(&mut self.complained, true));
        // A loop that has ended takes no mail, and what is left to write must not wait for it.
        end.run_until_cancelled(tell(mail, last, failure)).await;
    }
}

async fn tell(mail: &Mail, last: Option<BTreeMap<MountId, Sighting>>, failure: Option<String>) {
    if let Some(last) = last {
        mail.engine(EngineMsg::LastUse(last)).await;
    }
    if let Some(why) = failure {
        let notice = Notice::warning(format!("who uses volumes is not kept: {why}"));
        mail.notice(notice).await;
    }
}

/// Who used the volumes last that nothing attaches now.
fn unused(sightings: &Sightings, inventory: &Inventory) -> BTreeMap<MountId, Sighting> {
    let unused = inventory.mounts.iter().filter(|mount| mount.attachments.is_empty());
    let known = |mount: &Arc<Mount>| Some((mount.id.clone(), sightings.last(mount)?.clone()));
    unused.filter_map(known).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::core::msg::Msg;
    use crate::core::sample;

    fn environment(state: &Path) -> Environment {
        let state = state.display().to_string();
        Environment {
            variables: [("XDG_STATE_HOME".to_owned(), state)].into(),
            ..Environment::default()
        }
    }

    fn ran(volume: &str, name: &str) -> Vec<EngineEvent> {
        let container = EngineEvent::Container {
            id: name.to_owned(),
            action: "create".to_owned(),
            name: Some(name.to_owned()),
            image: None,
        };
        let mount = EngineEvent::Volume {
            name: volume.to_owned(),
            action: "mount".to_owned(),
            container: Some(name.to_owned()),
        };
        vec![mount, container]
    }

    struct Run {
        lookout: Lookout,
        mail: mpsc::Receiver<Msg>,
        end: CancellationToken,
        task: tokio::task::JoinHandle<()>,
    }

    impl Run {
        fn start(state: &Path) -> Self {
            let (lookout, gathering) = Lookout::new(environment(state));
            let (to, mail) = mpsc::channel(8);
            let end = CancellationToken::new();
            let engine = sample::engine();
            let task = tokio::spawn(gathering.run(engine.clone(), Mail::new(engine, to), end.clone()));
            Self {
                lookout,
                mail,
                end,
                task,
            }
        }

        /// What is known after a list.
        async fn listed(&mut self, inventory: &Arc<Inventory>) -> Vec<String> {
            self.lookout.list(inventory);
            match self.mail.recv().await {
                Some(Msg::Engine(_, EngineMsg::LastUse(known))) => known
                    .into_values()
                    .filter_map(|sighting| Some(sighting.used?.container))
                    .collect(),
                other => panic!("{other:?}"),
            }
        }
    }

    #[tokio::test]
    async fn uses_between_lists_reach_the_screen_at_once_and_the_file_at_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let list = sample::inventory(vec![sample::volume("a"), sample::volume("b")]);
        let kept = || Sightings::open(&sample::engine(), &environment(dir.path()));
        let known = |name: &str| {
            let mount = list.mounts.iter().find(|mount| mount.name == name).unwrap();
            Some(kept().last(mount)?.used.as_ref()?.container.clone())
        };
        let mut run = Run::start(dir.path());
        run.lookout.events(ran("a", "one"));
        assert_eq!(run.listed(&list).await, ["one"]);
        assert_eq!(known("a").as_deref(), Some("one"));
        run.lookout.events(ran("b", "lost"));
        run.lookout.events_lost();
        run.lookout.events(ran("a", "two"));
        assert_eq!(run.listed(&list).await, ["two"]);
        assert_eq!(known("a").as_deref(), Some("one"), "so soon it is not written again");
        run.end.cancel();
        run.task.await.unwrap();
        assert_eq!((known("a").as_deref(), known("b")), (Some("two"), None));
    }

    #[tokio::test]
    async fn a_store_that_cannot_be_written_is_told_once() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let list = sample::inventory(vec![sample::volume("a")]);
        let mut run = Run::start(file.path());
        run.lookout.events(ran("a", "one"));
        assert_eq!(run.listed(&list).await, ["one"], "it is known all the same");
        let Some(Msg::Notice(notice)) = run.mail.recv().await else {
            panic!("no notice");
        };
        assert!(notice.text.contains(&file.path().display().to_string()), "{notice:?}");
        assert_eq!(run.listed(&list).await, ["one"]);
        run.end.cancel();
        run.task.await.unwrap();
        assert!(run.mail.recv().await.is_none(), "not again");
    }
}
