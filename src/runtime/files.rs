//! Does what the files screen wants: takes sessions and sends what they answer. Knows no other screen.
//!
//! Every request takes its session anew and lets it go, so that an idle screen keeps no helper and no volume in use.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;
use vole_agent::proto::{Cursor, Entry, Order, Page, Place};

use super::downloads::{self, Wanted};
use super::mail::Mail;
use super::opening::Opening;
use crate::core::files::msg::{Matches, Range, SearchKind, Start};
use crate::core::files::{Ask, Effect, Msg};
use crate::core::msg::Notice;
use crate::engine::session::Replies;
use crate::engine::{Engine, EngineError, Lease};
use crate::model::{BytePath, JobId, Mount, Source};
use crate::ops::search::{PatternError, Reading, compile};

/// Longest excerpt of a line that a search shows, in bytes.
const EXCERPT: u32 = 400;

/// The files screen's tasks of one engine.
#[derive(Debug, Default)]
pub struct Browser {
    visit: Option<Visit>,
    running: HashMap<Ask, CancellationToken>,
}

/// The mount that is browsed.
#[derive(Debug)]
struct Visit {
    id: u64,
    of: Shown,
    /// Ends all its requests.
    end: CancellationToken,
}

/// What is browsed.
#[derive(Debug, Clone)]
struct Shown {
    mount: Arc<Mount>,
    /// The archive that is read in its place.
    archive: Option<Arc<Opening>>,
}

/// What is to be run for an effect.
pub enum Work {
    /// A task that ends with the program.
    Task(BoxFuture<'static, ()>),
    /// A job; it hears its token by itself.
    Job(JobId, BoxFuture<'static, ()>),
}

impl Browser {
    /// Makes the work of an effect; answers go to `mail`. `token` makes the token by which the operator cancels a
    /// job under its id.
    pub fn execute(
        &mut self,
        engine: &Engine,
        effect: Effect,
        mail: &Mail,
        token: &mut dyn FnMut(JobId) -> CancellationToken,
    ) -> Option<Work> {
        match effect {
            Effect::Open { visit, mount, archive } => {
                let of = Shown {
                    mount,
                    archive: archive.map(Opening::new),
                };
                return Some(Work::Task(self.open(engine, visit, of, mail)));
            }
            Effect::Close { visit } => self.close(visit),
            Effect::Cancel { ask } => {
                if let Some(token) = self.running.remove(&ask) {
                    token.cancel();
                }
            }
            Effect::Download {
                job,
                mount,
                archive,
                at,
                to,
            } => {
                // What was read for the screen serves the download too.
                let open = self.visit.as_ref().and_then(|visit| visit.of.archive.clone());
                let archive =
                    archive.map(|path| open.filter(|open| open.is(&path)).unwrap_or_else(|| Opening::new(path)));
                let wanted = Wanted { mount, archive, at, to };
                let task = downloads::run(engine.clone(), wanted, job, mail.clone(), token(job));
                return Some(Work::Job(job, Box::pin(task)));
            }
            Effect::List { ask, .. }
            | Effect::Measure { ask, .. }
            | Effect::Read { ask, .. }
            | Effect::Stat { ask, .. }
            | Effect::Follow { ask, .. }
            | Effect::Search { ask, .. } => return self.request(engine, ask, effect, mail),
        }
        None
    }

    fn open(&mut self, engine: &Engine, visit: u64, of: Shown, mail: &Mail) -> BoxFuture<'static, ()> {
        if let Some(earlier) = self.visit.take() {
            earlier.end.cancel();
        }
        let end = CancellationToken::new();
        self.visit = Some(Visit {
            id: visit,
            of: of.clone(),
            end: end.clone(),
        });
        let (files, mail) = (
            Access {
                engine: engine.clone(),
                of,
            },
            mail.clone(),
        );
        Box::pin(unless(end, async move {
            let result = files.stat(&BytePath::root()).await.map_err(|error| explain(&error));
            if let Some(damage) = files.damage().await {
                let words = format!("this archive is not whole, and what follows is missing: {damage}");
                mail.notice(Notice::fault(words)).await;
            }
            mail.files(Msg::Opened { visit, result }).await;
        }))
    }

    fn close(&mut self, visit: u64) {
        if let Some(open) = self.visit.as_mut().filter(|open| open.id == visit) {
            open.end.cancel();
            // The screen may be taken up again; its mount stays known.
            open.end = CancellationToken::new();
        }
    }

    fn request(&mut self, engine: &Engine, ask: Ask, effect: Effect, mail: &Mail) -> Option<Work> {
        let visit = self.visit.as_ref().filter(|open| open.id == ask.visit)?;
        let token = visit.end.child_token();
        self.running.retain(|_, token| !token.is_cancelled());
        self.running.insert(ask, token.clone());
        let files = Access {
            engine: engine.clone(),
            of: visit.of.clone(),
        };
        let (mail, over) = (mail.clone(), token.clone());
        Some(Work::Task(Box::pin(unless(token, async move {
            files.answer(ask, effect, &mail).await;
            over.cancel();
        }))))
    }
}

/// Runs a task until it ends or is cancelled; dropping it cancels its request in the agent.
async fn unless(token: CancellationToken, task: impl Future<Output = ()>) {
    token.run_until_cancelled(task).await.unwrap_or(());
}

/// A mount through sessions of its engine.
struct Access {
    engine: Engine,
    of: Shown,
}

impl Access {
    /// Why an archive could not be read to its end.
    async fn damage(&self) -> Option<String> {
        match &self.of.archive {
            Some(archive) => archive.open().await.ok()?.damage,
            None => None,
        }
    }

    async fn lease(&self) -> Result<Lease, EngineError> {
        match &self.of.archive {
            Some(archive) => Ok(Lease {
                session: archive.open().await?.session,
                root: 0,
                source: Source::Local,
            }),
            None => self.engine.browse(&self.of.mount).await,
        }
    }

    async fn answer(&self, ask: Ask, effect: Effect, mail: &Mail) {
        match effect {
            Effect::List {
                at,
                order,
                after,
                limit,
                ..
            } => {
                let page = |lease| list(lease, at.clone(), order, after.clone(), limit);
                let result = self.once_more(page).await.map_err(|error| explain(&error));
                mail.files(Msg::Listed { ask, result }).await;
            }
            Effect::Stat { at, .. } => {
                let result = self.stat(&at).await.map_err(|error| explain(&error));
                mail.files(Msg::Stated { ask, result }).await;
            }
            Effect::Read { at, start, len, .. } => {
                let range = |lease| read(lease, at.clone(), start, len);
                let result = self.once_more(range).await.map_err(|error| explain(&error));
                mail.files(Msg::Read { ask, result }).await;
            }
            Effect::Measure { at, .. } => {
                let error = self.measure(ask, &at, mail).await.err().map(|error| explain(&error));
                mail.files(Msg::MeasureEnded { ask, error }).await;
            }
            Effect::Follow { at, tail, .. } => {
                let error = match self.follow(ask, &at, tail, mail).await {
                    Ok(()) => "following ended".to_owned(),
                    Err(error) => explain(&error),
                };
                mail.files(Msg::FollowEnded { ask, error }).await;
            }
            Effect::Search {
                kind,
                at,
                pattern,
                limit,
                ..
            } => {
                let error = self.search(ask, kind, &at, &pattern, limit, mail).await.err();
                mail.files(Msg::SearchEnded { ask, error }).await;
            }
            Effect::Open { .. } | Effect::Close { .. } | Effect::Cancel { .. } | Effect::Download { .. } => {}
        }
    }

    /// Asks; when the helper went away at that moment, asks a new one.
    async fn once_more<T, F>(&self, ask: impl Fn(Lease) -> F) -> Result<T, EngineError>
    where
        F: Future<Output = Result<T, EngineError>>,
    {
        match ask(self.lease().await?).await {
            Err(EngineError::SessionLost(_)) => ask(self.lease().await?).await,
            other => other,
        }
    }

    async fn stat(&self, at: &BytePath) -> Result<Entry, EngineError> {
        self.once_more(|lease| stat(lease, at.clone())).await
    }

    async fn measure(&self, ask: Ask, at: &BytePath, mail: &Mail) -> Result<(), EngineError> {
        let lease = self.lease().await?;
        let news = lease.session.usage(vec![place(&lease, at)], 1, Vec::new());
        forward(news, mail, |news| Msg::Measured { ask, news }).await
    }

    async fn follow(&self, ask: Ask, at: &BytePath, tail: u64, mail: &Mail) -> Result<(), EngineError> {
        let lease = self.lease().await?;
        let news = lease.session.follow(place(&lease, at), tail);
        forward(news, mail, |news| Msg::Followed { ask, news }).await
    }

    async fn search(
        &self,
        ask: Ask,
        kind: SearchKind,
        at: &BytePath,
        pattern: &str,
        limit: u32,
        mail: &Mail,
    ) -> Result<(), String> {
        let dfa = compile(pattern, Reading::default())
            .map_err(|error| pattern_words(&error))?
            .dfa;
        let lease = self.lease().await.map_err(|error| explain(&error))?;
        let at = place(&lease, at);
        let matched = |matches| Msg::Matched { ask, matches };
        let ended = match kind {
            SearchKind::Names => {
                let found = lease.session.find(at, dfa, limit);
                forward(found, mail, |found| matched(Matches::Names(found))).await
            }
            SearchKind::Lines => {
                let hits = lease.session.grep(at, dfa, limit, EXCERPT, false);
                forward(hits, mail, |hits| matched(Matches::Lines(hits))).await
            }
        };
        ended.map_err(|error| explain(&error))
    }
}

/// Sends what a stream yields until it ends.
async fn forward<T>(mut news: Replies<T>, mail: &Mail, msg: impl Fn(T) -> Msg) -> Result<(), EngineError> {
    while let Some(item) = news.next().await {
        if !mail.files(msg(item?)).await {
            break;
        }
    }
    Ok(())
}

async fn stat(lease: Lease, at: BytePath) -> Result<Entry, EngineError> {
    lease.session.stat(place(&lease, &at)).await
}

async fn list(
    lease: Lease,
    at: BytePath,
    order: Order,
    after: Option<Cursor>,
    limit: u32,
) -> Result<Page, EngineError> {
    lease.session.list(place(&lease, &at), order, after, limit).await
}

/// Reads a range and the file's length as they are now.
async fn read(lease: Lease, at: BytePath, start: Start, len: u64) -> Result<Range, EngineError> {
    let (session, at) = (&lease.session, place(&lease, &at));
    match start {
        Start::At(offset) => {
            let (entry, bytes) = tokio::join!(session.stat(at.clone()), collect(session.read(at, offset, len)));
            Ok(Range {
                offset,
                bytes: bytes?,
                size: entry?.size,
            })
        }
        Start::BeforeEnd(back) => {
            let size = session.stat(at.clone()).await?.size;
            let offset = size.saturating_sub(back);
            let bytes = collect(session.read(at, offset, len)).await?;
            Ok(Range { offset, bytes, size })
        }
    }
}

async fn collect(mut parts: Replies<Vec<u8>>) -> Result<Vec<u8>, EngineError> {
    let mut bytes = Vec::new();
    while let Some(part) = parts.next().await {
        bytes.extend_from_slice(&part?);
    }
    Ok(bytes)
}

fn place(lease: &Lease, at: &BytePath) -> Place {
    Place {
        root: lease.root,
        path: at.as_bytes().to_vec(),
    }
}

/// What is wrong with a pattern, with what helps here: a screen has no switch for literal searches.
fn pattern_words(error: &PatternError) -> String {
    match error {
        PatternError::Syntax(why) => format!("not a regular expression: {why}; a backslash takes a sign as it stands"),
        PatternError::Empty | PatternError::TooLarge => error.to_string(),
    }
}

fn explain(error: &EngineError) -> String {
    match error {
        EngineError::NoHelper { reason } => format!("browsing needs a helper, and none can run: {reason}"),
        other => other.to_string(),
    }
}
