//! The rules: where one volume stands and why. Pure. They only ever move a volume away from what goes.

use std::collections::HashMap;
use std::sync::Arc;

use time::OffsetDateTime;

use super::{Evidence, Filter, Group, Looked, Scope, reattach};
use crate::fingerprint::{ClassFrom, Rules};
use crate::inventory::{is_generated, is_remote};
use crate::model::{CLASS_LABEL, Class, Contents, Judged, Mount, MountId, MountKind, Orphan, Size, Worth, bind_device};

/// The label of volumes that `docker stack deploy` made.
const STACK: &str = "com.docker.stack.namespace";

/// Where a volume stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) group: Group,
    pub(super) blocked: bool,
    pub(super) reason: String,
    pub(super) hint: Option<String>,
}

/// What all volumes of a plan are judged by.
pub(super) struct Judge<'a> {
    scope: &'a Scope,
    evidence: &'a Evidence,
    rules: &'a Rules,
    before: HashMap<&'a MountId, &'a Arc<Mount>>,
}

/// Whether it may be left over at all: then it is worth a look.
pub(super) fn is_candidate(mount: &Mount) -> bool {
    mount.kind.is_volume() && (mount.orphan == Orphan::Yes || mount.overseen)
}

/// Whether a plan speaks of a volume.
pub(super) fn in_scope(scope: &Scope, mount: &Mount) -> bool {
    match scope {
        Scope::Named { volumes, .. } => volumes.iter().any(|name| name.as_str() == mount.name),
        Scope::Orphans(filter) => labelled(filter, mount) && of_project(filter, mount),
    }
}

fn labelled(filter: &Filter, mount: &Mount) -> bool {
    filter.labels.iter().all(|(key, wanted)| match mount.labels.get(key) {
        Some(value) => wanted.as_deref().is_none_or(|wanted| wanted == value),
        None => false,
    })
}

fn of_project(filter: &Filter, mount: &Mount) -> bool {
    let wanted = filter.project.as_deref();
    wanted.is_none_or(|wanted| mount.project.as_deref() == Some(wanted))
}

/// Whether a volume is as old as the filter wants it: by its last write, else by when it was made. Unknown is not old.
pub(super) fn old_enough(scope: &Scope, mount: &Mount, looked: Option<&Looked>, now: OffsetDateTime) -> bool {
    let Scope::Orphans(Filter {
        older_than: Some(age), ..
    }) = scope
    else {
        return true;
    };
    let since = looked.and_then(Looked::last_write).or(mount.created);
    since.is_some_and(|since| now - since >= *age)
}

impl Looked {
    /// What was seen of the contents.
    pub(super) fn contents(&self) -> Option<&Contents> {
        match &self.size {
            Size::Measured(measured) => measured.contents.as_ref(),
            _ => None,
        }
    }

    /// When its newest file was written.
    pub(super) fn last_write(&self) -> Option<OffsetDateTime> {
        let newest = self.size.measured()?.totals.newest?;
        OffsetDateTime::from_unix_timestamp(newest).ok()
    }
}

impl<'a> Judge<'a> {
    pub(super) fn new(scope: &'a Scope, evidence: &'a Evidence, rules: &'a Rules) -> Self {
        let before = evidence.before.mounts.iter().map(|mount| (&mount.id, mount)).collect();
        Self {
            scope,
            evidence,
            rules,
            before,
        }
    }

    /// Judges a volume.
    pub(super) fn judge(&self, mount: &Mount) -> Verdict {
        if let Some(reason) = self.in_the_way(mount) {
            return Verdict {
                group: Group::Keep,
                blocked: true,
                reason,
                hint: None,
            };
        }
        let looked = self.evidence.looked.get(&mount.id);
        let mut weighing = Weighing::default();
        let class = self.rules.class(mount, looked.and_then(Looked::contents));
        weighing.class(mount, class);
        weighing.backing(mount);
        let told = class.filter(|(_, from)| *from != ClassFrom::Contents);
        let temporary = told.is_some_and(|(class, _)| class == Class::Temporary);
        weighing.contents(mount, looked, temporary, self.evidence.at);
        weighing.project(mount, looked, self.evidence);
        if mount.overseen {
            weighing.say(Group::Ask, mount.reason.clone());
        }
        let unasked = matches!(self.scope, Scope::Orphans(Filter { named: false, .. }));
        // A copy may carry the label of anonymous volumes along.
        let by_hand = mount.kind == MountKind::Named || !is_generated(&mount.name);
        if unasked && by_hand && weighing.group == Group::Safe {
            weighing.say(
                Group::Ask,
                "somebody named it, and named volumes were not asked for".to_owned(),
            );
        }
        // Who names a volume has decided to remove it: the name is all that is asked for then.
        if matches!(self.scope, Scope::Named { .. }) && weighing.group == Group::Keep {
            weighing.group = Group::Ask;
        }
        weighing.verdict(mount)
    }

    /// Why nothing but a new plan can take it along.
    fn in_the_way(&self, mount: &Mount) -> Option<String> {
        if !is_candidate(mount) {
            return Some(mount.reason.clone());
        }
        let changed = |why: &str| Some(format!("it changed while the plan was made: {why}"));
        let Some(before) = self.before.get(&mount.id) else {
            return changed("it was not there before");
        };
        if !is_candidate(before) {
            return changed(&before.reason);
        }
        if let Some(what) = difference(before, mount) {
            return changed(what);
        }
        if !self.evidence.dangling.contains(&mount.name) {
            let why = "the engine counts it as attached, but lists no container that attaches it";
            return Some(why.to_owned());
        }
        self.evidence.short.clone()
    }
}

/// Whether what a volume shows lies elsewhere, and stays there when the volume is removed.
pub(super) fn is_elsewhere(mount: &Mount) -> bool {
    let memory = mount.options.get("type").is_some_and(|kind| kind == "tmpfs");
    mount.driver == "local"
        && (memory || is_remote(&mount.options) || bind_device(&mount.driver, &mount.options).is_some())
}

/// What is not the same in two looks at a volume.
pub(super) fn difference(before: &Mount, now: &Mount) -> Option<&'static str> {
    let differences = [
        (before.created != now.created, "it was made anew"),
        (before.driver != now.driver, "its driver is another one"),
        (before.options != now.options, "its options are others"),
        (before.labels != now.labels, "its labels are others"),
        (before.host_path != now.host_path, "it lies elsewhere"),
        (before.kind != now.kind, "it is of another kind"),
    ];
    differences
        .into_iter()
        .find_map(|(differs, what)| differs.then_some(what))
}

/// What speaks against the removal of a volume, one rule after the other.
#[derive(Debug)]
struct Weighing {
    group: Group,
    /// What was said, with how much it weighs.
    said: Vec<(Group, String)>,
    hint: Option<String>,
}

impl Default for Weighing {
    fn default() -> Self {
        Self {
            group: Group::Safe,
            said: Vec::new(),
            hint: None,
        }
    }
}

impl Weighing {
    fn say(&mut self, group: Group, reason: String) {
        self.group = self.group.max(group);
        self.said.push((group, reason));
    }

    /// What its owner says of it.
    fn class(&mut self, mount: &Mount, class: Option<(Class, ClassFrom)>) {
        if let Some(word) = mount
            .labels
            .get(CLASS_LABEL)
            .filter(|word| Class::parse(word).is_none())
        {
            self.say(
                Group::Ask,
                format!("its label {CLASS_LABEL} says {word:?}, which is no class"),
            );
        }
        let Some((class, from)) = class else { return };
        let who = match from {
            ClassFrom::Label => "its label",
            ClassFrom::Config => "the configuration",
            ClassFrom::Contents => return,
        };
        let group = match class {
            Class::Critical => Group::Keep,
            Class::Important => Group::Ask,
            Class::Temporary => return,
        };
        self.say(group, format!("{who} calls it {}", class.word()));
    }

    /// What its removal reaches: another disk, a server, a plugin.
    fn backing(&mut self, mount: &Mount) {
        if mount.driver != "local" {
            let driver = if mount.driver.is_empty() {
                "an unknown driver"
            } else {
                &mount.driver
            };
            return self.say(
                Group::Keep,
                format!("kept by volume driver {driver}, which decides what a removal deletes"),
            );
        }
        if let Some(device) = bind_device(&mount.driver, &mount.options) {
            return self.say(
                Group::Ask,
                format!("a bind of {device}: its removal leaves the files there"),
            );
        }
        if mount.options.is_empty() {
            return;
        }
        let option = |key: &str| mount.options.get(key).map_or("", String::as_str);
        match option("type") {
            "tmpfs" => self.say(
                Group::Ask,
                "memory: it keeps nothing, but somebody set its options".to_owned(),
            ),
            _ if is_remote(&mount.options) => {
                let device = option("device");
                self.say(
                    Group::Ask,
                    format!("a share at {device}: its removal leaves the files there"),
                );
            }
            _ => self.say(
                Group::Keep,
                "it has driver options, so what a removal reaches is not known".to_owned(),
            ),
        }
    }

    /// What it holds.
    fn contents(&mut self, mount: &Mount, looked: Option<&Looked>, temporary: bool, now: OffsetDateTime) {
        // Nothing of what a bind or a share holds is removed with it.
        if is_elsewhere(mount) {
            return;
        }
        let Some(contents) = looked.and_then(Looked::contents) else {
            let why = match looked.map(|looked| &looked.size) {
                Some(Size::Failed(why) | Size::Unknown(Some(why))) => format!(": {why}"),
                Some(Size::Measured(_)) => ": only the engine could count it".to_owned(),
                _ => String::new(),
            };
            return self.say(Group::Keep, format!("nobody could look into it{why}"));
        };
        let written = looked.and_then(Looked::last_write);
        let last = written.map_or_else(String::new, |at| format!(", last write {}", ago(now, at)));
        let evidence = |look: &crate::model::Fingerprint| match look.evidence.as_slice() {
            [] => String::new(),
            paths => format!(" ({})", paths.join(", ")),
        };
        match contents.judge() {
            Judged::Empty => self.say(Group::Safe, "empty".to_owned()),
            Judged::Caches(look) => {
                let what = format!("holds only {}{}{last}", look.words(), evidence(look));
                self.say(Group::Safe, what);
            }
            Judged::Looks(look) => {
                let group = match look.worth {
                    Worth::Critical | Worth::High if temporary => Group::Ask,
                    Worth::Critical | Worth::High => Group::Keep,
                    _ => Group::Ask,
                };
                self.say(group, format!("looks like {}{}{last}", look.words(), evidence(look)));
            }
            Judged::Unknown => match &contents.incomplete {
                Some(why) => self.say(Group::Keep, format!("not all of it could be seen: {why}")),
                None => self.say(Group::Ask, format!("nobody knows what it holds{last}")),
            },
        }
    }

    /// What its project says of it.
    fn project(&mut self, mount: &Mount, looked: Option<&Looked>, evidence: &Evidence) {
        let Some(project) = mount.project.as_deref().filter(|_| !mount.project_derived) else {
            return;
        };
        let light = self.group == Group::Safe;
        let group = if light { Group::Ask } else { Group::Keep };
        // `/volumes` is per node: a task that was moved away left its data here and finds it when it comes back.
        if mount.labels.contains_key(STACK) {
            let why = format!("swarm stack {project} made it; its task may run on another node and come back");
            return self.say(group, why);
        }
        if evidence.now.live_projects.contains(project) {
            return;
        }
        let look = |twin: &Mount| evidence.looked.get(&twin.id);
        match reattach::renamed(mount, looked, &evidence.now, look) {
            Some(renamed) => {
                self.say(group, renamed.reason);
                self.hint = Some(renamed.hint);
            }
            None => self.say(
                group,
                format!("project {project} has no live container; it may come back for it"),
            ),
        }
    }

    /// The heaviest reasons first, then what else is known.
    fn verdict(self, mount: &Mount) -> Verdict {
        let kind = match mount.kind {
            MountKind::Anonymous => "anonymous",
            _ => "named",
        };
        let mut said = self.said;
        said.sort_by_key(|(group, _)| std::cmp::Reverse(*group));
        let reasons: Vec<String> = said.into_iter().map(|(_, reason)| reason).collect();
        let reasons = reasons.join("; ");
        let reason = match self.group {
            Group::Safe => format!("{kind}, no container, {reasons}"),
            Group::Ask | Group::Keep => format!("{reasons}; {kind}, no container"),
        };
        Verdict {
            group: self.group,
            blocked: false,
            reason,
            hint: self.hint,
        }
    }
}

/// A time in the past as people say it.
fn ago(now: OffsetDateTime, at: OffsetDateTime) -> String {
    if at > now {
        return format!("at {}, which is to come", at.date());
    }
    let days = (now - at).whole_days();
    match days {
        0 => "today".to_owned(),
        1 => "yesterday".to_owned(),
        2..60 => format!("{days} days ago"),
        _ => format!("in {} {}", at.month(), at.year()),
    }
}
