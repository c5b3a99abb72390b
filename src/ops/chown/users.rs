//! As whom containers use a mount: what they were configured with, and what runs in them. Guesses nothing: what cannot be
//! told is a doubt.

use std::collections::BTreeSet;

use futures_util::{FutureExt as _, StreamExt as _, stream};

use crate::engine::{About, Engine, EngineError};
use crate::model::Attachment;

/// Containers asked at once.
const AT_ONCE: usize = 8;

/// A user of a container.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct User {
    /// The container's name.
    pub(super) container: String,
    /// The user's number.
    pub(super) uid: u32,
}

/// Who was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Users {
    /// Every user of every container, once.
    pub(super) users: BTreeSet<User>,
    /// What could not be told, a line each.
    pub(super) doubts: Vec<String>,
}

/// Finds the users of containers.
pub(super) async fn of(engine: &Engine, about: &About, uses: &[Attachment]) -> Users {
    let mut found = Users::default();
    if about.security.iter().any(|one| one.contains("name=userns")) && !uses.is_empty() {
        let what = "the engine maps containers' users to others of the host: UID and GID are the host's numbers";
        found.doubts.push(what.to_owned());
        return found;
    }
    let asked: Vec<_> = uses.iter().map(|one| users(engine, one).boxed()).collect();
    let answers: Vec<_> = stream::iter(asked).buffered(AT_ONCE).collect().await;
    for (one, answer) in uses.iter().zip(answers) {
        found.users.extend(answer.uids.into_iter().map(|uid| User {
            container: one.container.clone(),
            uid,
        }));
        found.doubts.extend(
            answer
                .doubt
                .map(|why| format!("whether {} would lose access cannot be told: {why}", one.container)),
        );
    }
    found
}

/// The users of one container, and what could not be told of them.
#[derive(Debug, Default)]
struct Answer {
    uids: BTreeSet<u32>,
    doubt: Option<String>,
}

/// What is known counts, also where something else could not be told.
async fn users(engine: &Engine, one: &Attachment) -> Answer {
    let daemon = &engine.daemon;
    let mut answer = Answer::default();
    match configured(engine, one).await {
        Ok(uids) => answer.uids.extend(uids),
        Err(why) => answer.doubt = Some(why),
    }
    if one.state.is_live() {
        // An entrypoint that starts as root may have become somebody else.
        match daemon.processes(&one.container_id).await {
            Ok(running) => answer.uids.extend(running.iter().map(|process| process.uid)),
            Err(error) => answer.doubt = Some(error.to_string()),
        }
    }
    answer
}

/// The user that a container starts as; none when it is gone meanwhile, and loses nothing.
async fn configured(engine: &Engine, one: &Attachment) -> Result<Option<u32>, String> {
    let daemon = &engine.daemon;
    let words = |error: EngineError| error.to_string();
    let Some(detail) = daemon.container(&one.container_id).await.map_err(words)? else {
        return Ok(None);
    };
    let user = detail.run.user.split(':').next().unwrap_or_default();
    if user.is_empty() {
        return Ok(Some(0));
    }
    if let Ok(uid) = user.parse() {
        return Ok(Some(uid));
    }
    let passwd = daemon.file_in(&one.container_id, "/etc/passwd").await.map_err(words)?;
    let known = passwd.and_then(|passwd| named(&passwd, user));
    known
        .map(Some)
        .ok_or_else(|| format!("its user {user} has no number in its /etc/passwd"))
}

/// The number of a user in a passwd file.
fn named(passwd: &[u8], name: &str) -> Option<u32> {
    let text = String::from_utf8_lossy(passwd);
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then_some(())?;
        fields.nth(1)?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_looked_up_by_the_whole_name() {
        let passwd = b"root:x:0:0::/:/x\napp2:x:7:7::/:/x\napp:x:1000:1000::/:/x\nbad:x:y:1::/:/x\n";
        assert_eq!(named(passwd, "app"), Some(1000));
        assert_eq!(
            (named(passwd, "ap"), named(passwd, "bad"), named(b"", "app")),
            (None, None, None)
        );
    }
}
