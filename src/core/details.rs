//! The details of a mount as lines of text with roles, wrapped to a width, so that scrolling is computed
//! without drawing. Knows no colours.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use super::figures;
use super::msg::MaskedKey;
use super::state::EngineState;
use crate::doctor::Confidence;
use crate::engine::EngineError;
use crate::engine::daemon::Masked;
use crate::fingerprint::ClassFrom;
use crate::model::size::Measured;
use crate::model::{
    Attachment, Class, Contents, Fingerprint, Judged, Mount, MountId, MountKind, Orphan, Scan, Size, Source,
};
use crate::ops::sightings::Sighting;
use crate::text;

/// Width of the labels' column.
const LABEL: usize = 11;

/// What the details remember.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Details {
    /// The mount that `top` belongs to.
    pub of: Option<MountId>,
    /// First line shown.
    pub top: usize,
    /// What images hold beneath the mount.
    pub masked: BTreeMap<MaskedKey, Answer>,
    /// Who used the volumes last that nothing attaches; `None` until that was looked up.
    pub last_use: Option<BTreeMap<MountId, Sighting>>,
}

/// An answer, or that it is awaited.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Asked.
    Waiting,
    /// Answered.
    Is(Result<Masked, EngineError>),
}

/// What a piece of text is, for its style.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The mount's name.
    Title,
    /// A heading.
    Heading,
    /// A label.
    Label,
    /// A value.
    Plain,
    /// Something of less weight.
    Dim,
    /// Something to look at.
    Warning,
    /// A fault.
    Fault,
    /// Something good.
    Good,
}

/// A line of pieces; all text is printable already.
pub type Line = Vec<(Role, String)>;

/// Collects wrapped lines.
pub(super) struct Writer {
    pub(super) lines: Vec<Line>,
    width: usize,
}

impl Writer {
    /// For this many columns.
    pub(super) fn new(width: u16) -> Self {
        Self {
            lines: Vec::new(),
            width: usize::from(width),
        }
    }

    /// A heading behind an empty line.
    pub(super) fn heading(&mut self, text: &str) {
        self.lines.push(Vec::new());
        self.lines.push(vec![(Role::Heading, text::fit(text, self.width, "…"))]);
    }

    /// A label and its value; the value is wrapped under itself, at spaces and slashes where there are some.
    pub(super) fn field(&mut self, label: &str, role: Role, value: &str) {
        let room = self.width.saturating_sub(LABEL).max(8);
        for (at, part) in text::wrap(&text::printable_str(value), room).into_iter().enumerate() {
            let label = if at == 0 { label } else { "" };
            self.lines
                .push(vec![(Role::Label, format!("{label:<LABEL$}")), (role, part)]);
        }
    }

    /// Text, wrapped behind so many free columns.
    pub(super) fn text(&mut self, indent: usize, role: Role, value: &str) {
        for part in text::wrap(&text::printable_str(value), self.width.saturating_sub(indent).max(8)) {
            self.lines.push(vec![(Role::Plain, " ".repeat(indent)), (role, part)]);
        }
    }
}

/// The details' lines of a mount of this engine, with what the doctor says of it.
pub fn lines_of(engine: &EngineState, mount: &Mount, size: &Size, now: OffsetDateTime, width: u16) -> Vec<Line> {
    let class = engine.mounts.class(mount, size);
    let mut lines = lines(mount, size, &engine.details, class, now, width);
    let mut found = Writer::new(width);
    findings(&mut found, engine, mount, now);
    // Behind the name: whoever looks at a mount that refuses somebody looks for that.
    let name = lines
        .iter()
        .take_while(|line| line.iter().any(|(role, _)| *role == Role::Title))
        .count();
    lines.splice(name..name, found.lines);
    lines
}

/// What the last diagnosis says of the mount.
fn findings(out: &mut Writer, engine: &EngineState, mount: &Mount, now: OffsetDateTime) {
    let Some(at) = engine.known.at else { return };
    let mut any = false;
    for finding in engine.known.of(&mount.id) {
        let role = match finding.confidence {
            Confidence::High => Role::Fault,
            Confidence::Medium => Role::Warning,
            Confidence::Low => Role::Dim,
        };
        let label = if any { "" } else { "! doctor" };
        any = true;
        out.field(
            label,
            role,
            &format!("{}: {}", super::doctor::cause_words(finding.cause), finding.summary),
        );
    }
    if any {
        let words = format!("looked {}; e examines this mount again", figures::ago(now, at.min(now)));
        out.field("", Role::Dim, &words);
    }
}

/// The details' lines at this width.
pub fn lines(
    mount: &Mount,
    size: &Size,
    details: &Details,
    class: Option<(Class, ClassFrom)>,
    now: OffsetDateTime,
    width: u16,
) -> Vec<Line> {
    let mut out = Writer::new(width);
    out.text(0, Role::Title, &mount.name);
    facts(&mut out, mount, now);
    last_use(&mut out, mount, details, now);
    size_lines(&mut out, mount, size, now);
    if let Some(contents) = size.measured().and_then(|measured| measured.contents.as_ref()) {
        contents_lines(&mut out, contents);
    }
    class_line(&mut out, mount, class);
    out.heading(&match mount.attachments.len() {
        0 => "No container refers to it".to_owned(),
        n => format!("Used by {}", figures::counted(n as u64, "container")),
    });
    for attachment in &mount.attachments {
        attachment_lines(&mut out, attachment, details);
    }
    let options = mount.options.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    pairs(&mut out, "Options", options);
    pairs(&mut out, "Labels", mount.labels.iter());
    out.lines
}

fn facts(out: &mut Writer, mount: &Mount, now: OffsetDateTime) {
    let kind = match mount.kind {
        MountKind::Named => "named volume",
        MountKind::Anonymous => "anonymous volume",
        MountKind::Bind => "bind mount of a host path",
        MountKind::Tmpfs => "tmpfs, memory of one container",
        MountKind::Cluster => "cluster volume",
        MountKind::Image => "image mounted as a file system",
    };
    out.field("kind", Role::Plain, kind);
    if mount.kind.is_volume() {
        let (role, word) = match mount.orphan {
            Orphan::Yes => (Role::Warning, "orphan: "),
            Orphan::No => (Role::Plain, "in use: "),
            Orphan::Unknown => (Role::Warning, "unknown: "),
        };
        out.field("state", role, &format!("{word}{}", mount.reason));
    } else if !mount.reason.is_empty() {
        out.field("state", Role::Plain, &mount.reason);
    }
    if let Some(project) = &mount.project {
        let derived = if mount.project_derived {
            " (derived from its containers)"
        } else {
            ""
        };
        out.field("project", Role::Plain, &format!("{project}{derived}"));
    }
    if !mount.services.is_empty() {
        out.field("services", Role::Plain, &mount.services.join(", "));
    }
    if !mount.driver.is_empty() {
        out.field("driver", Role::Plain, &mount.driver);
    }
    if let Some(path) = &mount.host_path {
        out.field("host path", Role::Plain, path);
    }
    if let Some(created) = mount.created {
        let date = created.date();
        out.field(
            "created",
            Role::Plain,
            &format!("{date}, {}", figures::ago(now, created)),
        );
    } else if mount.kind.is_volume() {
        out.field("created", Role::Dim, "not said by the engine");
    }
}

/// Who used a volume last that no container attaches now. Those that do are listed further down.
fn last_use(out: &mut Writer, mount: &Mount, details: &Details, now: OffsetDateTime) {
    let Some(known) = &details.last_use else { return };
    if !mount.kind.is_volume() || !mount.attachments.is_empty() {
        return;
    }
    match known.get(&mount.id) {
        Some(sighting) => out.field("last use", Role::Plain, &sighting.words(now)),
        None => out.field("last use", Role::Dim, "not known"),
    }
}

fn size_lines(out: &mut Writer, mount: &Mount, size: &Size, now: OffsetDateTime) {
    match size {
        Size::Measured(measured) => measured_lines(out, measured, now),
        Size::Measuring { so_far, before } => {
            let text = format!("measuring, {} so far", figures::bytes(so_far.bytes));
            out.field("size", Role::Plain, &text);
            if let Some(before) = before {
                let text = format!(
                    "{}, {}",
                    figures::bytes(before.totals.bytes),
                    figures::ago(now, before.at.min(now))
                );
                out.field("before", Role::Dim, &text);
            }
        }
        Size::Failed(why) => out.field("size", Role::Fault, &format!("could not be measured: {why}")),
        Size::Unknown(Some(why)) => out.field("size", Role::Warning, &format!("unknown: {why}")),
        Size::Unknown(None) => match &mount.scan {
            Scan::Never(why) => out.field("size", Role::Dim, &format!("never measured: {why}")),
            Scan::OnDemand(why) => out.field("size", Role::Dim, &format!("measured only when asked: {why}")),
            Scan::Shared | Scan::Alone | Scan::InContainer(_) => out.field("size", Role::Dim, "not measured yet"),
        },
    }
}

fn measured_lines(out: &mut Writer, measured: &Measured, now: OffsetDateTime) {
    let totals = &measured.totals;
    let who = match measured.source {
        Source::Agent => "",
        Source::Local => ", read on this host",
        Source::Engine => ", as the engine says",
    };
    let bound = if totals.errors > 0 { "at least " } else { "" };
    let size = format!(
        "{bound}{}, {}{who}",
        figures::bytes(totals.bytes),
        figures::ago(now, measured.at.min(now))
    );
    out.field("size", Role::Plain, &size);
    if let Some(apparent) = totals.apparent {
        out.field("apparent", Role::Plain, &figures::bytes(apparent));
    }
    if let (Some(files), Some(dirs)) = (totals.files, totals.dirs) {
        let dirs = if dirs == 1 {
            "1 directory".to_owned()
        } else {
            format!("{} directories", figures::count(dirs))
        };
        out.field(
            "holds",
            Role::Plain,
            &format!("{}, {dirs}", figures::counted(files, "file")),
        );
    }
    if totals.errors > 0 {
        let what = if totals.errors == 1 { "entry" } else { "entries" };
        out.field(
            "unread",
            Role::Warning,
            &format!("{} {what} could not be read", figures::count(totals.errors)),
        );
    }
    if let Some(secs) = totals.newest {
        let words = match OffsetDateTime::from_unix_timestamp(secs) {
            Ok(newest) => format!("{}, {}", newest.date(), figures::ago(now, newest)),
            Err(_) => format!("at a time that no calendar has ({secs} s after 1970)"),
        };
        out.field("last write", Role::Plain, &words);
    }
}

fn contents_lines(out: &mut Writer, contents: &Contents) {
    let (role, words) = match contents.judge() {
        Judged::Empty => (Role::Plain, "nothing: not a single file".to_owned()),
        Judged::Caches(look) => (Role::Plain, format!("{}, which can be had again", look.words())),
        Judged::Looks(_) => {
            let all: Vec<String> = contents.looks.iter().map(Fingerprint::words).collect();
            (Role::Plain, all.join(", "))
        }
        Judged::Unknown => (Role::Dim, "unknown".to_owned()),
    };
    out.field("looks like", role, &words);
    for look in &contents.looks {
        for (at, path) in look.evidence.iter().enumerate() {
            out.field(if at == 0 { "  by" } else { "" }, Role::Dim, path);
        }
    }
    if !contents.looks.is_empty() && contents.stray > 0 && matches!(contents.judge(), Judged::Unknown) {
        let beside = format!("{} beside recognised caches", figures::counted(contents.stray, "file"));
        out.field("  but", Role::Warning, &beside);
    }
    if let Some(why) = &contents.incomplete {
        out.field("not all", Role::Warning, why);
    }
}

fn class_line(out: &mut Writer, mount: &Mount, class: Option<(Class, ClassFrom)>) {
    match class {
        Some((class, from)) => out.field("class", Role::Plain, &format!("{}, by {}", class.word(), from.words())),
        None if mount.kind.is_volume() => out.field("class", Role::Dim, "unknown"),
        None => {}
    }
}

fn attachment_lines(out: &mut Writer, attachment: &Attachment, details: &Details) {
    let state = if attachment.state.is_live() {
        Role::Good
    } else {
        Role::Dim
    };
    let room = out
        .width
        .saturating_sub(text::width(attachment.state.word()) + 1)
        .max(8);
    let name = text::fit(&text::printable_str(&attachment.container), room, "…");
    out.lines.push(vec![
        (Role::Plain, name),
        (Role::Plain, " ".to_owned()),
        (state, text::printable_str(attachment.state.word())),
    ]);
    let access = if attachment.rw { "rw" } else { "ro" };
    out.text(2, Role::Plain, &format!("{access} {}", attachment.destination));
    if let Some(subpath) = &attachment.subpath {
        out.text(2, Role::Dim, &format!("subpath {subpath}"));
    }
    let mut extras: Vec<&str> = attachment.options.iter().map(String::as_str).collect();
    if !attachment.propagation.is_empty() {
        extras.push(&attachment.propagation);
    }
    if !extras.is_empty() {
        out.text(2, Role::Dim, &extras.join(", "));
    }
    out.text(2, Role::Dim, &format!("image {}", attachment.image));
    masked_lines(out, attachment, details);
}

fn masked_lines(out: &mut Writer, attachment: &Attachment, details: &Details) {
    let key = MaskedKey {
        container: attachment.container_id.clone(),
        destination: attachment.destination.clone(),
    };
    match details.masked.get(&key) {
        None => {}
        Some(Answer::Waiting) => out.text(2, Role::Dim, "asking what the image holds here"),
        Some(Answer::Is(Err(error))) => {
            out.text(
                2,
                Role::Fault,
                &format!("cannot tell what the image holds here: {error}"),
            );
        }
        Some(Answer::Is(Ok(masked))) if !masked.exists => out.text(2, Role::Dim, "the image has no such path"),
        Some(Answer::Is(Ok(masked))) if masked.names.is_empty() => {
            out.text(2, Role::Dim, "the image holds nothing here");
        }
        Some(Answer::Is(Ok(masked))) => {
            let names: Vec<String> = masked.names.iter().map(|name| text::printable(name)).collect();
            let more = if masked.more { ", and more" } else { "" };
            out.text(
                2,
                Role::Dim,
                &format!("the image holds here: {}{more}", names.join(", ")),
            );
        }
    }
}

fn pairs<'a>(out: &mut Writer, title: &str, pairs: impl ExactSizeIterator<Item = (&'a str, &'a str)>) {
    if pairs.len() == 0 {
        return;
    }
    out.heading(title);
    for (key, value) in pairs {
        let text = if value.is_empty() {
            key.to_owned()
        } else {
            format!("{key} = {value}")
        };
        out.text(0, Role::Plain, &text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Worth;

    #[test]
    fn what_contents_look_like_is_said_with_its_evidence_and_nothing_hostile() {
        let mount = Mount::sample("v");
        let contents = Contents {
            looks: vec![Fingerprint {
                kind: "PostgreSQL".to_owned(),
                version: Some("15\u{1b}[2J".to_owned()),
                worth: Worth::Critical,
                evidence: vec!["a\u{202e}b/PG_VERSION".to_owned(), "a/global/pg_control".to_owned()],
            }],
            stray: 9,
            files: 9,
            incomplete: Some("an entry could not be read".to_owned()),
        };
        let size = Size::Measured(Measured {
            contents: Some(contents),
            ..crate::core::sample::measured(1)
        });
        let now = crate::core::sample::NOW;
        let class = Some((Class::Critical, ClassFrom::Contents));
        let lines = lines(&mount, &size, &Details::default(), class, now, 60);
        let text: Vec<String> = lines
            .iter()
            .map(|line| line.iter().map(|(_, text)| text.as_str()).collect())
            .collect();
        let text = text.join("\n");
        for words in [
            "looks like PostgreSQL 15",
            "/PG_VERSION",
            "a/global/pg_control",
            "not all",
            "class      critical, by its contents",
        ] {
            assert!(text.contains(words), "{words:?} in\n{text}");
        }
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text:?}");
    }
}
