//! Starts what the core wants done in tasks of their own and carries their answers to the loop. Knows which
//! operation an effect asks for, not how it works.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::files::{Browser, Work};
use super::mail::Mail;
use super::sightings::Lookout;
use super::{Found, Looking, archiving, diagnosing, measure, owning, removing, restoring, watching};
use crate::core::effect::EngineEffect;
use crate::core::jobs::JobEnd;
use crate::core::msg::{Attempt, Connected, EngineMsg, MaskedKey, Msg, Notice, Space};
use crate::engine::contexts::Environment;
use crate::engine::daemon::NewVolume;
use crate::engine::{Engine, EngineError};
use crate::journal::Store;
use crate::model::{EngineId, JobId};
use crate::ops::list::{self, Depth, Inventory};
use crate::ops::{create, df};

/// First-level names that are shown of what an image holds.
const MASKED_NAMES: usize = 200;

/// One engine's part of the shell.
struct Running {
    engine: Engine,
    browser: Browser,
    /// Ends the pause before the next try to reach it.
    retry: Arc<Notify>,
    lookout: Lookout,
    /// Ends what is under way for plans that are not there yet.
    plans: Plans,
    /// The journals of its changes: one store for the whole run, since the demo's goes with it.
    journals: Result<Store, EngineError>,
}

/// What ends the making of each kind of plan.
#[derive(Default)]
struct Plans {
    removal: CancellationToken,
    own: CancellationToken,
    backup: CancellationToken,
    restore: CancellationToken,
}

/// All tasks.
pub(super) struct Tasks {
    to: mpsc::Sender<Msg>,
    to_found: mpsc::Sender<Result<Found, Vec<Attempt>>>,
    engines: HashMap<EngineId, Running>,
    jobs: HashMap<JobId, CancellationToken>,
    tracker: TaskTracker,
    /// Ends everything.
    end: CancellationToken,
}

impl Tasks {
    pub(super) fn new(to: mpsc::Sender<Msg>, to_found: mpsc::Sender<Result<Found, Vec<Attempt>>>) -> Self {
        Self {
            to,
            to_found,
            engines: HashMap::new(),
            jobs: HashMap::new(),
            tracker: TaskTracker::new(),
            end: CancellationToken::new(),
        }
    }

    /// Starts a search for an engine.
    pub(super) fn look(&mut self, looking: Looking) {
        let to = self.to_found.clone();
        self.spawn(async move {
            // Nobody hears it when the loop has ended.
            to.send(looking.await).await.ok();
        });
    }

    /// Takes an engine that was found.
    pub(super) fn take(&mut self, found: Found) -> Connected {
        let Found { engine, about, demo } = found;
        let connected = Connected {
            id: engine.id.clone(),
            endpoint: engine.daemon.endpoint(),
            about,
            demo,
        };
        let environment = Environment::of_process();
        let journals = Store::of(&environment, &engine.id);
        let (lookout, gathering) = Lookout::new(environment);
        let mail = Mail::new(engine.id.clone(), self.to.clone());
        self.watch_over(gathering.run(engine.id.clone(), mail, self.end.clone()));
        self.engines.insert(
            engine.id.clone(),
            Running {
                engine,
                browser: Browser::default(),
                retry: Arc::new(Notify::new()),
                lookout,
                plans: Plans::default(),
                journals,
            },
        );
        connected
    }

    /// Asks a job to stop.
    pub(super) fn cancel(&mut self, job: JobId) {
        if let Some(token) = self.jobs.get(&job) {
            token.cancel();
        }
    }

    /// Starts an effect of one engine.
    pub(super) fn execute(&mut self, id: EngineId, effect: EngineEffect) {
        let mail = Mail::new(id.clone(), self.to.clone());
        let Some(running) = self.engines.get(&id) else {
            return;
        };
        let (engine, lookout) = (running.engine.clone(), running.lookout.clone());
        let journals = running.journals.clone();
        match effect {
            EngineEffect::Load(depth) => self.spawn(load(engine, depth, lookout, mail)),
            EngineEffect::Watch => {
                let retry = Arc::clone(&running.retry);
                self.spawn(watching::watch(engine, retry, lookout, mail));
            }
            EngineEffect::Retry => running.retry.notify_one(),
            EngineEffect::ReadSizes(inventory) => self.spawn(measure::read_sizes(engine, inventory, mail)),
            EngineEffect::WriteSizes(inventory, sizes) => {
                self.spawn(measure::write_sizes(engine, inventory, sizes, mail));
            }
            EngineEffect::Space(inventory) => self.spawn(space(engine, inventory, mail)),
            EngineEffect::Measure { job, mounts, asked } => {
                let token = self.token(job);
                let run = measure::run(engine, job, mounts, asked, mail.clone(), token);
                self.spawn_job(job, mail, run);
            }
            EngineEffect::Masked(of) => self.spawn(masked(engine, of, mail)),
            EngineEffect::FileSystems(inventory) => self.spawn(file_systems(engine, inventory, mail)),
            EngineEffect::NotVolumes => self.spawn(not_volumes(engine, mail)),
            EngineEffect::Create(wanted) => self.spawn(create(engine, wanted, mail)),
            EngineEffect::Plan { ask, scope, at } => {
                let cancel = self.instead(&id, |plans| &mut plans.removal);
                self.spawn(removing::plan(engine, ask, scope, at, mail, cancel));
            }
            EngineEffect::DropPlan => drop(self.instead(&id, |plans| &mut plans.removal)),
            EngineEffect::Remove { job, plan, chosen } => {
                let token = self.token(job);
                let run = removing::run(engine, job, plan, chosen, mail.clone(), token);
                self.spawn_job(job, mail, run);
            }
            EngineEffect::Diagnose { job, scope, at } => {
                let token = self.token(job);
                let run = diagnosing::run(engine, job, scope, at, mail.clone(), token);
                self.spawn_job(job, mail, run);
            }
            EngineEffect::LogTail(container) => self.spawn(diagnosing::log_tail(engine, container, mail)),
            EngineEffect::Switch {
                job,
                container,
                name,
                switch,
            } => {
                let token = self.token(job);
                let run = diagnosing::switch(engine, job, container, name, switch, mail.clone(), token);
                self.spawn_job(job, mail, run);
            }
            EngineEffect::OwnPlan { ask, request, at } => {
                let cancel = self.instead(&id, |plans| &mut plans.own);
                self.spawn(owning::plan(engine, ask, *request, at, mail, cancel));
            }
            EngineEffect::DropOwn => drop(self.instead(&id, |plans| &mut plans.own)),
            EngineEffect::Own { job, plan } => {
                let token = self.token(job);
                let run = owning::run(engine, job, plan, journals, mail.clone(), token);
                self.spawn_job(job, mail, run);
            }
            EngineEffect::BackupPlan {
                ask,
                request,
                sizes,
                at,
            } => {
                let cancel = self.instead(&id, |plans| &mut plans.backup);
                self.spawn(archiving::plan(engine, ask, *request, sizes, at, mail, cancel));
            }
            EngineEffect::DropBackup => drop(self.instead(&id, |plans| &mut plans.backup)),
            EngineEffect::Backup { job, plan } => {
                let token = self.token(job);
                let run = archiving::run(engine, job, plan, mail.clone(), token);
                self.spawn_job(job, mail, run);
            }
            EngineEffect::Archives => self.spawn(archiving::list(engine, mail)),
            EngineEffect::Verify { job, path } => {
                let token = self.token(job);
                let run = archiving::verify(job, path, mail.clone(), token);
                self.spawn_job(job, mail, run);
            }
            EngineEffect::RestorePlan { ask, request, at } => {
                let cancel = self.instead(&id, |plans| &mut plans.restore);
                self.spawn(restoring::plan(engine, ask, *request, at, mail, cancel));
            }
            EngineEffect::DropRestore => drop(self.instead(&id, |plans| &mut plans.restore)),
            EngineEffect::Restore { job, plan } => {
                let token = self.token(job);
                let run = restoring::run(engine, job, plan, mail.clone(), token);
                self.spawn_job(job, mail, run);
            }
            EngineEffect::Journals => self.spawn(owning::list(journals, mail)),
            EngineEffect::Undo { job, id: journal } => {
                let token = self.token(job);
                let run = owning::undo(engine, job, journal, journals, mail.clone(), token);
                self.spawn_job(job, mail, run);
            }
            EngineEffect::Files(effect) => {
                let (end, jobs) = (&self.end, &mut self.jobs);
                let mut token = |job: JobId| {
                    let token = end.child_token();
                    jobs.insert(job, token.clone());
                    token
                };
                let Some(running) = self.engines.get_mut(&id) else {
                    return;
                };
                match running.browser.execute(&engine, effect, &mail, &mut token) {
                    Some(Work::Task(task)) => self.spawn(task),
                    Some(Work::Job(job, task)) => self.spawn_job(job, mail, task),
                    None => {}
                }
            }
        }
    }

    /// Ends the making of a plan that is under way; the token is for the next.
    fn instead(&mut self, id: &EngineId, which: fn(&mut Plans) -> &mut CancellationToken) -> CancellationToken {
        let token = self.end.child_token();
        if let Some(running) = self.engines.get_mut(id) {
            std::mem::replace(which(&mut running.plans), token.clone()).cancel();
        }
        token
    }

    fn token(&mut self, job: JobId) -> CancellationToken {
        self.jobs.retain(|_, token| !token.is_cancelled());
        let token = self.end.child_token();
        self.jobs.insert(job, token.clone());
        token
    }

    /// Starts a task that ends with the program.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let end = self.end.clone();
        self.watch_over(async move { end.run_until_cancelled(task).await.unwrap_or(()) });
    }

    /// Starts a task that hears the end by itself, to clean up; a panic is told as a fault.
    fn watch_over(&self, task: impl Future<Output = ()> + Send + 'static) {
        let to = self.to.clone();
        let handle = self.tracker.spawn(task);
        self.tracker.spawn(async move {
            if let Err(error) = handle.await
                && error.is_panic()
            {
                to.send(Msg::Notice(Notice::fault(panic_text(error)))).await.ok();
            }
        });
    }

    /// Starts a job's task: it hears its token by itself, to clean up; a panic ends the job with its message.
    fn spawn_job(&self, job: JobId, mail: Mail, task: impl Future<Output = ()> + Send + 'static) {
        let handle = self.tracker.spawn(task);
        self.tracker.spawn(async move {
            if let Err(error) = handle.await
                && error.is_panic()
            {
                mail.ended(job, JobEnd::Failed(panic_text(error))).await;
            }
        });
    }

    /// Ends all tasks and waits for their cleaning up, at most so long.
    pub(super) async fn part(self, at_most: Duration) {
        self.end.cancel();
        self.tracker.close();
        let engines: Vec<Engine> = self.engines.into_values().map(|running| running.engine).collect();
        let all = async {
            self.tracker.wait().await;
            for engine in &engines {
                engine.release().await;
            }
        };
        // What is left then, the guard process removes.
        tokio::time::timeout(at_most, all).await.ok();
    }
}

/// What a task that panicked says, as a fault of vole's own.
fn panic_text(error: tokio::task::JoinError) -> String {
    let payload = error.into_panic();
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    format!("a fault in vole itself: {text}; please report it")
}

async fn load(engine: Engine, depth: Depth, lookout: Lookout, mail: Mail) {
    let result = list::load(&engine, depth).await.map(Arc::new);
    if let (Depth::Full, Ok(inventory)) = (depth, &result) {
        lookout.list(inventory);
    }
    mail.engine(EngineMsg::Inventory(result)).await;
}

async fn file_systems(engine: Engine, inventory: Arc<Inventory>, mail: Mail) {
    let found = df::file_systems(&engine, &inventory).await.map(Arc::new);
    mail.engine(EngineMsg::FileSystems(found)).await;
}

async fn not_volumes(engine: Engine, mail: Mail) {
    let counted = match engine.daemon.about().await {
        Ok(about) => df::not_volumes(&engine, &about).await,
        Err(error) => Err(error),
    };
    mail.engine(EngineMsg::NotVolumes(counted.map(Arc::new))).await;
}

async fn create(engine: Engine, wanted: NewVolume, mail: Mail) {
    let name = wanted.name.clone();
    let result = create::run(&engine, wanted).await.map(drop);
    mail.engine(EngineMsg::Created { name, result }).await;
}

async fn masked(engine: Engine, of: MaskedKey, mail: Mail) {
    let result = engine.daemon.masked(&of.container, &of.destination, MASKED_NAMES).await;
    mail.engine(EngineMsg::Masked { of, result }).await;
}

/// Asks for the file system of the engine's data: this host, where the engine runs on it, else a helper.
async fn space(engine: Engine, inventory: Arc<Inventory>, mail: Mail) {
    let all = match df::data_root(&inventory.about) {
        Some(here) => Ok(vec![here]),
        None => df::file_systems(&engine, &inventory).await.map(|found| found.rows),
    };
    // The one that holds most of the mounts is the one that fills up.
    let space = all.map(|all| all.into_iter().max_by_key(|backing| backing.mounts.len()));
    let space = match space {
        Ok(Some(backing)) => Ok(Space {
            free: backing.available,
            size: backing.size,
        }),
        // No plain volume, so no file system to speak of.
        Ok(None) => return,
        Err(error) => Err(error),
    };
    mail.engine(EngineMsg::Space(space)).await;
}
