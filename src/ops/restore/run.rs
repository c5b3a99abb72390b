//! Carries a plan out: into a volume that is made for it, or over a target that is there. Compares what was unpacked with
//! what was checked before anything takes the place of anything.

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use vole_agent::proto::archive::{Counts, Unpacked};

use super::filling::{Fed, Feed, Teller};
use super::fresh::{self, Job};
use super::{Into, Plan, Progress, Report, existing, plan, words};
use crate::archive::hex;
use crate::engine::{Engine, EngineError};
use crate::ops::backup::words::lack;
use crate::ops::writable::refusal;

/// See [`super::run`].
pub(super) async fn run(
    engine: &Engine,
    plan: &Plan,
    news: &mpsc::Sender<Progress>,
    cancel: &CancellationToken,
) -> Result<Report, EngineError> {
    plan::stop(plan)?;
    if let Some(unclear) = &plan.unclear {
        return Err(refusal(unclear.why.clone()));
    }
    let whole = plan.request.only.is_empty();
    let job = Job {
        words: words::operation(&plan.request),
        strip: plan.strip,
        only: plan.request.only.iter().map(|path| path.as_bytes().to_vec()).collect(),
        foreign: plan.takes_foreign(),
        room: plan.needed(),
        check: Box::new(|unpacked, fed| check(plan, unpacked, fed)),
        teller: Teller {
            news,
            total: plan.counts.map(|(_, bytes)| bytes).filter(|_| whole),
        },
        cancel,
    };
    job.teller.say("unpacking", Counts::default());
    let feed = Feed::Bytes(plan.source.reader()?);
    let filled = match &plan.into {
        Into::New(wanted) => fresh::fill(engine, wanted, feed, &job).await,
        Into::Existing(_) => existing::run(engine, plan, feed, &job).await,
    };
    let unpacked = filled.map_err(words::damaged)?;
    Ok(report(plan.typed_name(), &unpacked))
}

/// What a restore came to.
pub(in crate::ops) fn report(target: &str, unpacked: &Unpacked) -> Report {
    let harmless = unpacked.lacks.iter().filter(|lack| !lack.want.is_partial()).count() as u64;
    Report {
        target: target.to_owned(),
        entries: unpacked.made.entries,
        bytes: unpacked.made.bytes,
        digest: unpacked.digest.map(|digest| hex(&digest)),
        warnings: unpacked.lacks.iter().map(lack).collect(),
        warned: unpacked.lacking,
        partial: unpacked.lacking.saturating_sub(harmless),
    }
}

/// Whether what was unpacked is what was checked; from a pipe, whether it proves to be whole.
fn check(plan: &Plan, unpacked: &Unpacked, fed: &Fed) -> Result<(), EngineError> {
    let damaged = |what: &str| Err(EngineError::Damaged(what.to_owned()));
    if plan.verdict.is_some() {
        let counts = (unpacked.held.entries, unpacked.held.bytes);
        return match unpacked.digest == plan.digest && plan.counts.is_none_or(|planned| planned == counts) {
            true => Ok(()),
            false => damaged("the archive is another one than was checked: it was changed meanwhile"),
        };
    }
    match (unpacked.digest, fed.sealed) {
        (Some(_), None | Some(true)) => Ok(()),
        (Some(_), Some(false)) => damaged("the archive does not end in its seal: it is cut, or was changed on the way"),
        (None, _) if plan.takes_foreign() => Ok(()),
        (None, _) => damaged("the archive has no proof that it is whole"),
    }
}

impl Plan {
    /// Whether an archive of another program is taken: it was found to be one, or, from a pipe, the operator says how its
    /// names begin.
    fn takes_foreign(&self) -> bool {
        match self.verdict {
            Some(verdict) => verdict == crate::archive::Verdict::Foreign,
            None => self.origin.is_none() && self.request.strip.is_some(),
        }
    }
}
