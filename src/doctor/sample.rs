//! Cases for tests, built up in words. Nothing here is measured: what a test says is the evidence.

use std::sync::Arc;

use time::OffsetDateTime;
use vole_agent::proto::Kind;
use vole_agent::proto::probe::{Denied, Facts, Identity, Owner, Probed, cap};

use super::evidence::{Attached, Case, FileSystemFacts, Inner, Named, Runs, Untried, Who};
use super::may::{self, ENTER, READ, WRITE};
use crate::engine::About;
use crate::engine::daemon::{ContainerRow, Flavour, Layer, PathIn, RunFacts};
use crate::model::{Attachment, ContainerState, Mount, MountId, MountKind};

/// A user without rights.
pub(super) fn user(uid: u32, gid: u32) -> Identity {
    Identity {
        uid,
        gid,
        ..Identity::default()
    }
}

/// Root with these capabilities.
pub(super) fn root(caps: u64) -> Identity {
    Identity {
        caps,
        ..Identity::default()
    }
}

/// Root as containers have it.
pub(super) fn full_root() -> Identity {
    root(cap::CHOWN | cap::DAC_OVERRIDE | cap::FOWNER | cap::FSETID)
}

/// A directory.
pub(super) fn dir(uid: u32, gid: u32, mode: u32) -> Facts {
    Facts {
        kind: Kind::Dir,
        mode,
        uid,
        gid,
        nlink: 2,
        ino: 2,
        immutable: false,
        append_only: false,
        acl: None,
        label: None,
    }
}

/// A file.
pub(super) fn file(uid: u32, gid: u32, mode: u32) -> Facts {
    Facts {
        kind: Kind::File,
        nlink: 1,
        ..dir(uid, gid, mode)
    }
}

/// A path that a complaint names, what stands there, and the directories on the way.
type NamedPath = (String, Option<Facts>, Vec<(String, Facts)>);

/// A mount of a case while it is described. What is tried follows from the rules of owner and mode, unless said otherwise.
pub(super) struct On {
    mount: Mount,
    destination: String,
    facts: Facts,
    deep: Vec<(Vec<u8>, Facts)>,
    named: Vec<NamedPath>,
    named_errno: Option<[i32; 3]>,
    rw: bool,
    empty: Option<bool>,
    errno: Option<[i32; 4]>,
    super_read_only: bool,
    untried: Option<Untried>,
    file_system: FileSystemFacts,
    above: Vec<(String, PathIn)>,
    in_image: Option<PathIn>,
    others: Vec<(String, Identity)>,
    options: Vec<String>,
}

/// A named volume at a destination.
pub(super) fn volume(name: &str, destination: &str, facts: Facts) -> On {
    On {
        mount: Mount::sample(name),
        destination: destination.to_owned(),
        facts,
        deep: Vec::new(),
        named: Vec::new(),
        named_errno: None,
        rw: true,
        empty: Some(true),
        errno: None,
        super_read_only: false,
        untried: None,
        file_system: FileSystemFacts {
            kind: "ext4".to_owned(),
            size: 1 << 40,
            available: 1 << 39,
            inodes: 1 << 20,
            inodes_free: 1 << 19,
            noexec: false,
        },
        above: Vec::new(),
        in_image: None,
        others: Vec::new(),
        options: Vec::new(),
    }
}

/// A bind.
pub(super) fn bind(source: &str, destination: &str, facts: Facts) -> On {
    let on = volume(source, destination, facts).kind(MountKind::Bind);
    On {
        mount: Mount {
            id: MountId::new(format!("bind:{source}")),
            driver: String::new(),
            ..on.mount
        },
        empty: Some(false),
        ..on
    }
}

impl On {
    pub(super) fn kind(mut self, kind: MountKind) -> Self {
        self.mount.kind = kind;
        self
    }
    pub(super) fn option(mut self, key: &str, value: &str) -> Self {
        self.mount.options.insert(key.to_owned(), value.to_owned());
        self
    }
    pub(super) fn read_only(mut self) -> Self {
        self.rw = false;
        self
    }
    pub(super) fn filled(mut self) -> Self {
        self.empty = Some(false);
        self
    }
    pub(super) fn empty(mut self) -> Self {
        self.empty = Some(true);
        self
    }
    /// What stands beneath.
    pub(super) fn with(mut self, path: &str, facts: Facts) -> Self {
        self.deep.push((path.as_bytes().to_vec(), facts));
        self.filled()
    }
    /// What was found at a path that a complaint names, or nothing; and the directories above it, outermost first.
    pub(super) fn named(mut self, path: &str, there: Option<Facts>, above: &[(&str, Facts)]) -> Self {
        let above = above.iter().map(|(path, facts)| ((*path).to_owned(), facts.clone()));
        self.named.push((path.to_owned(), there, above.collect()));
        self.filled()
    }
    /// What reading, writing and entering answered, and writing as root.
    pub(super) fn answers(mut self, errno: [i32; 4]) -> Self {
        self.errno = Some(errno);
        self
    }
    /// What reading, writing and entering a named path answered.
    pub(super) fn answers_named(mut self, errno: [i32; 3]) -> Self {
        self.named_errno = Some(errno);
        self
    }
    pub(super) fn untried(mut self, why: Untried) -> Self {
        self.untried = Some(why);
        self
    }
    pub(super) fn on(mut self, kind: &str) -> Self {
        self.file_system.kind = kind.to_owned();
        self
    }
    pub(super) fn space(mut self, size: u64, available: u64, inodes: u64, inodes_free: u64) -> Self {
        self.file_system = FileSystemFacts {
            size,
            available,
            inodes,
            inodes_free,
            ..self.file_system
        };
        self
    }
    pub(super) fn noexec(mut self) -> Self {
        self.file_system.noexec = true;
        self
    }
    pub(super) fn below(mut self, path: &str, uid: u32, mode: u32) -> Self {
        let there = PathIn {
            is_dir: true,
            mode,
            uid,
            gid: uid,
            link: None,
        };
        self.above.push((path.to_owned(), there));
        self
    }
    pub(super) fn in_image(mut self) -> Self {
        self.in_image = Some(PathIn {
            is_dir: true,
            mode: 0o755,
            ..PathIn::default()
        });
        self
    }
    pub(super) fn shared_with(mut self, name: &str, who: Identity) -> Self {
        self.others.push((name.to_owned(), who));
        self
    }
    pub(super) fn attached_with(mut self, option: &str) -> Self {
        self.options.push(option.to_owned());
        self
    }

    /// What each identity was answered at a named path.
    fn tried(&self, who: &[Runs], path: &str, there: Option<&Facts>, above: &[(String, Facts)]) -> Named {
        let mut way: Vec<(&str, &Facts)> = vec![("", &self.facts)];
        way.extend(above.iter().map(|(path, facts)| (path.as_str(), facts)));
        let trial = |way: &[(&str, &Facts)], facts: &Facts, runs: &Runs| {
            let bare = On {
                errno: self.named_errno.map(|[read, write, enter]| [read, write, enter, write]),
                ..volume("bare", "/", facts.clone())
            };
            let who = &runs.identity;
            let bar = way.iter().find(|(_, facts)| !may::may(who, facts, ENTER));
            Probed {
                barred: bar.map(|(path, facts)| (path.as_bytes().to_vec(), (*facts).clone())),
                ..bare.probed(0, who)
            }
        };
        let (last, before) = way
            .split_last()
            .map_or((("", &self.facts), &way[..0]), |(last, way)| (*last, way));
        let holder = who.iter().map(|runs| trial(before, last.1, runs)).collect();
        Named {
            path: path.as_bytes().to_vec(),
            place: there.map_or(last.0, |_| path).as_bytes().to_vec(),
            exists: there.is_some(),
            tried: match there {
                Some(facts) => who.iter().map(|runs| trial(&way, facts, runs)).collect(),
                None => Vec::clone(&holder),
            },
            holder: if there.is_some() { holder } else { Vec::new() },
        }
    }

    fn probed(&self, at: usize, who: &Identity) -> Probed {
        let errno = |facts: &Facts, want: u32| if may::may(who, facts, want) { 0 } else { 13 };
        let write = if self.facts.kind == Kind::Dir {
            WRITE | ENTER
        } else {
            WRITE
        };
        let all = [READ, write, ENTER].map(|want| errno(&self.facts, want));
        let [read, write, enter, write_as_root] = self.errno.unwrap_or([all[0], all[1], all[2], 0]);
        let mut owners: Vec<Owner> = Vec::new();
        for facts in self.deep.iter().map(|(_, facts)| facts).chain([&self.facts]) {
            match owners
                .iter_mut()
                .find(|one| (one.uid, one.gid) == (facts.uid, facts.gid))
            {
                Some(one) => one.entries += 1,
                None => owners.push(Owner {
                    uid: facts.uid,
                    gid: facts.gid,
                    entries: 1,
                }),
            }
        }
        owners.sort_by_key(|one| std::cmp::Reverse(one.entries));
        let denials: Vec<Denied> = self
            .deep
            .iter()
            .map(|(path, facts)| Denied {
                path: path.clone(),
                facts: facts.clone(),
                read: errno(facts, READ),
                write: errno(facts, WRITE),
            })
            .filter(|denied| denied.read != 0 || denied.write != 0)
            .collect();
        Probed {
            probe: u32::try_from(at).unwrap_or(0),
            fault: None,
            facts: Some(self.facts.clone()),
            barred: None,
            read,
            write,
            enter,
            write_as_root,
            super_read_only: self.super_read_only,
            sampled: self.deep.len() as u64,
            whole: true,
            denied: denials.len() as u64,
            denials,
            owners,
        }
    }

    fn attached(self, who: &[Runs], container: &ContainerRow, state: &ContainerState) -> Attached {
        let tried = match &self.untried {
            Some(why) => Err(why.clone()),
            None => Ok(who
                .iter()
                .enumerate()
                .map(|(at, runs)| self.probed(at, &runs.identity))
                .collect()),
        };
        let named = self.named.iter();
        let named = named
            .map(|(path, there, above)| self.tried(who, path, there.as_ref(), above))
            .collect();
        Attached {
            named,
            attachment: Attachment {
                container: container.name.clone(),
                container_id: container.id.clone(),
                state: state.clone(),
                image: container.image.clone(),
                destination: self.destination,
                rw: self.rw,
                propagation: String::new(),
                subpath: None,
                options: self.options,
                service: None,
            },
            mount: Arc::new(self.mount),
            tried,
            file_system: Some(self.file_system),
            above: self.above,
            in_image: self.in_image,
            empty: self.empty,
            others: self.others,
        }
    }
}

/// A case while it is described: a running container of root that says nothing.
pub(super) struct A {
    case: Case,
    who: Vec<Runs>,
    mounts: Vec<On>,
}

/// A container of an image.
pub(super) fn container(image: &str) -> A {
    let row = ContainerRow {
        id: "c".repeat(64),
        name: "web".to_owned(),
        image: image.to_owned(),
        ..ContainerRow::default()
    };
    A {
        case: Case {
            about: Arc::new(About {
                name: "host".to_owned(),
                flavour: Flavour::Docker,
                version: "20.10".to_owned(),
                api: "1.41".to_owned(),
                arch: "x86_64".to_owned(),
                kernel: "6.1".to_owned(),
                os: "Debian".to_owned(),
                root_dir: "/var/lib/docker".to_owned(),
                same_host: true,
                rootless: false,
                security: vec!["name=apparmor".to_owned()],
            }),
            container: row,
            state: ContainerState::Running,
            run: RunFacts {
                exit_code: Some(0),
                workdir: "/".to_owned(),
                ..RunFacts::default()
            },
            who: Who::Known(Vec::new()),
            mounts: Vec::new(),
            log: Ok(Vec::new()),
            inner: Vec::new(),
            layer: None,
            at: OffsetDateTime::UNIX_EPOCH,
        },
        who: Vec::new(),
        mounts: Vec::new(),
    }
}

impl A {
    /// One more identity.
    pub(super) fn runs_as(mut self, identity: Identity) -> Self {
        if self.who.is_empty() {
            self.case.run.user = format!("{}:{}", identity.uid, identity.gid);
        }
        self.who.push(Runs {
            identity,
            known_by: "process 1 runs so".to_owned(),
            command: None,
        });
        self
    }
    pub(super) fn mounts(mut self, on: On) -> Self {
        self.mounts.push(on);
        self
    }
    pub(super) fn says(mut self, line: &str) -> Self {
        if let Ok(lines) = &mut self.case.log {
            lines.push(line.as_bytes().to_vec());
        }
        self
    }
    pub(super) fn ended(mut self, code: i64) -> Self {
        self.case.state = ContainerState::Exited;
        self.case.run.exit_code = Some(code);
        self
    }
    pub(super) fn crashes(mut self) -> Self {
        self.case.state = ContainerState::Restarting;
        self.case.run.restarts = 7;
        self.case.run.exit_code = Some(1);
        self
    }
    pub(super) fn in_state(mut self, state: ContainerState) -> Self {
        self.case.state = state;
        self
    }
    pub(super) fn run(mut self, alter: impl FnOnce(&mut RunFacts)) -> Self {
        alter(&mut self.case.run);
        self
    }
    pub(super) fn engine(mut self, alter: impl FnOnce(&mut About)) -> Self {
        alter(Arc::make_mut(&mut self.case.about));
        self
    }
    /// The way to a path of the container's own: each step's path, owner and mode.
    pub(super) fn has(mut self, path: &str, way: &[(&str, u32, u32)]) -> Self {
        let step = |(step, uid, mode): &(&str, u32, u32)| {
            let there = PathIn {
                is_dir: *step != path,
                mode: *mode,
                uid: *uid,
                gid: *uid,
                link: None,
            };
            ((*step).to_owned(), there)
        };
        self.case.inner.push(Inner {
            path: path.as_bytes().to_vec(),
            way: way.iter().map(step).collect(),
            exists: way.last().is_some_and(|(last, ..)| *last == path),
            owners: true,
        });
        self
    }
    /// The engine does not tell the owners of the container's own paths.
    pub(super) fn without_owners(mut self) -> Self {
        for inner in &mut self.case.inner {
            inner.owners = false;
        }
        self
    }
    pub(super) fn wrote(mut self, paths: &[&str], bytes: Option<u64>) -> Self {
        self.case.layer = Some(Layer {
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
            more: false,
            bytes,
        });
        self
    }

    /// The case as the rules take it.
    pub(super) fn case(self) -> Case {
        let mut case = self.case;
        let attached = |on: On| on.attached(&self.who, &case.container, &case.state);
        case.mounts = self.mounts.into_iter().map(attached).collect();
        case.who = Who::Known(self.who);
        case
    }
}
