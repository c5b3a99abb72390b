//! The JSON that scripts rely on. Field names are a contract: change nothing here without a new major version.

use std::collections::BTreeMap;

use serde::Serialize;
use time::OffsetDateTime;

use crate::core::figures;
use crate::doctor::{Finding, Fix};
use crate::engine::About;
use crate::fingerprint::Rules;
use crate::model::size::{Measured, TotalsRow};
use crate::model::{Attachment, Contents, Labels, Mount, MountKind, Source};
use crate::ops::prune::{Row, Stopped};

/// Bytes as text for people, and in full where text loses something.
#[derive(Debug, Serialize)]
pub(super) struct Path {
    /// The path, lossy where it is no UTF-8.
    pub(super) path: String,
    /// The path in base64, only when it is no UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bytes_b64: Option<String>,
}

impl Path {
    pub(super) fn new(bytes: &[u8]) -> Self {
        Self {
            path: String::from_utf8_lossy(bytes).into_owned(),
            bytes_b64: b64_unless_text(bytes),
        }
    }
}

/// Base64 of bytes that are no UTF-8.
pub(super) fn b64_unless_text(bytes: &[u8]) -> Option<String> {
    std::str::from_utf8(bytes).is_err().then(|| base64(bytes))
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for at in 0..4 {
            let index = usize::try_from(bits >> (18 - 6 * at) & 63).unwrap_or(0);
            out.push(if at <= group.len() {
                char::from(ALPHABET[index])
            } else {
                '='
            });
        }
    }
    out
}

/// The answer of `ls`.
#[derive(Debug, Serialize)]
pub(super) struct List<'a> {
    pub(super) engine: EngineInfo<'a>,
    pub(super) mounts: Vec<MountInfo<'a>>,
}

/// Which engine answered.
#[derive(Debug, Serialize)]
pub(super) struct EngineInfo<'a> {
    name: &'a str,
    version: &'a str,
    api: &'a str,
}

impl<'a> EngineInfo<'a> {
    pub(super) fn new(about: &'a About) -> Self {
        Self {
            name: about.flavour.word(),
            version: &about.version,
            api: &about.api,
        }
    }
}

/// One mount.
#[derive(Debug, Serialize)]
pub(super) struct MountInfo<'a> {
    id: &'a str,
    kind: MountKind,
    name: &'a str,
    driver: &'a str,
    options: &'a BTreeMap<String, String>,
    labels: &'a Labels,
    project: Option<&'a str>,
    project_derived: bool,
    #[serde(with = "time::serde::rfc3339::option")]
    created: Option<OffsetDateTime>,
    size_bytes: Option<u64>,
    files: Option<u64>,
    fingerprint: Option<String>,
    class: Option<&'static str>,
    orphan: Option<bool>,
    reason: &'a str,
    attachments: Vec<AttachmentInfo<'a>>,
}

impl<'a> MountInfo<'a> {
    pub(super) fn new(mount: &'a Mount, size: Option<&Measured>, rules: &Rules) -> Self {
        let contents = size.and_then(|size| size.contents.as_ref());
        Self {
            id: mount.id.as_str(),
            kind: mount.kind,
            name: &mount.name,
            driver: &mount.driver,
            options: &mount.options,
            labels: &mount.labels,
            project: mount.project.as_deref(),
            project_derived: mount.project_derived,
            created: mount.created,
            size_bytes: size.map(|size| size.totals.bytes),
            files: size.and_then(|size| size.totals.files),
            fingerprint: contents.map(Contents::words),
            class: rules.class(mount, contents).map(|(class, _)| class.word()),
            orphan: mount.orphan.as_option(),
            reason: &mount.reason,
            attachments: mount.attachments.iter().map(AttachmentInfo::new).collect(),
        }
    }
}

/// One container's use of a mount.
#[derive(Debug, Serialize)]
struct AttachmentInfo<'a> {
    container: &'a str,
    state: &'a str,
    destination: &'a str,
    rw: bool,
    propagation: &'a str,
    subpath: Option<&'a str>,
    options: &'a [String],
}

impl<'a> AttachmentInfo<'a> {
    fn new(attachment: &'a Attachment) -> Self {
        Self {
            container: &attachment.container,
            state: attachment.state.word(),
            destination: &attachment.destination,
            rw: attachment.rw,
            propagation: &attachment.propagation,
            subpath: attachment.subpath.as_deref(),
            options: &attachment.options,
        }
    }
}

/// The answer of `du`.
#[derive(Debug, Serialize)]
pub(super) struct Usage {
    pub(super) entries: Vec<UsageEntry>,
}

/// One measured tree.
#[derive(Debug, Serialize)]
pub(super) struct UsageEntry {
    pub(super) volume: String,
    #[serde(flatten)]
    pub(super) path: Path,
    #[serde(flatten)]
    pub(super) totals: UsageTotals,
    pub(super) source: Source,
}

/// Its sums.
#[derive(Debug, Serialize)]
pub(super) struct UsageTotals {
    bytes: u64,
    apparent_bytes: Option<u64>,
    files: Option<u64>,
    dirs: Option<u64>,
    errors: u64,
}

impl UsageTotals {
    /// The size for people; `>` says that it is a lower bound.
    pub(super) fn human(&self) -> String {
        let more = if self.errors > 0 { ">" } else { "" };
        format!("{more}{}", figures::bytes(self.bytes))
    }

    /// The number of files for people.
    pub(super) fn files_word(&self) -> String {
        self.files.map_or_else(|| "?".to_owned(), |files| files.to_string())
    }
}

impl From<TotalsRow> for UsageTotals {
    fn from(totals: TotalsRow) -> Self {
        Self {
            bytes: totals.bytes,
            apparent_bytes: totals.apparent,
            files: totals.files,
            dirs: totals.dirs,
            errors: totals.errors,
        }
    }
}

/// The answer of `prune` and `rm`.
#[derive(Debug, Serialize)]
pub(super) struct RemovalInfo<'a> {
    pub(super) safe: Vec<RowInfo<'a>>,
    pub(super) ask: Vec<RowInfo<'a>>,
    pub(super) keep: Vec<RowInfo<'a>>,
    pub(super) containers: Vec<StoppedInfo<'a>>,
    pub(super) removed: Vec<RowInfo<'a>>,
    pub(super) containers_removed: &'a [String],
    pub(super) failed: Vec<RowInfo<'a>>,
    pub(super) freed_bytes: u64,
}

/// One volume of a plan.
#[derive(Debug, Serialize)]
pub(super) struct RowInfo<'a> {
    name: &'a str,
    size_bytes: Option<u64>,
    frees_bytes: Option<u64>,
    reason: &'a str,
    fingerprint: Option<&'a str>,
    kind: Option<MountKind>,
    project: Option<&'a str>,
    #[serde(with = "time::serde::rfc3339::option")]
    created: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    last_write: Option<OffsetDateTime>,
    last_use: Option<&'a str>,
    hint: Option<&'a str>,
    /// Whether nothing but a new plan can take it along.
    blocked: bool,
}

impl<'a> RowInfo<'a> {
    pub(super) fn new(row: &'a Row) -> Self {
        Self {
            name: &row.mount.name,
            size_bytes: row.size.known_bytes(),
            frees_bytes: row.frees,
            reason: &row.reason,
            fingerprint: row.fingerprint.as_deref(),
            kind: Some(row.mount.kind),
            project: row.mount.project.as_deref(),
            created: row.mount.created,
            last_write: row.last_write,
            last_use: row.last_use.as_deref(),
            hint: row.hint.as_deref(),
            blocked: row.blocked,
        }
    }

    /// Something that was not removed: a row, or a container.
    pub(super) fn failed(name: &'a str, why: &'a str, row: Option<&'a Row>) -> Self {
        let known = row.map(Self::new);
        Self {
            name,
            reason: why,
            ..known.unwrap_or(Self {
                name,
                size_bytes: None,
                frees_bytes: None,
                reason: why,
                fingerprint: None,
                kind: None,
                project: None,
                created: None,
                last_write: None,
                last_use: None,
                hint: None,
                blocked: false,
            })
        }
    }
}

/// One container of a plan.
#[derive(Debug, Serialize)]
pub(super) struct StoppedInfo<'a> {
    name: &'a str,
    image: &'a str,
    chosen: bool,
    blocked: Option<&'a str>,
    frees: &'a [String],
    anonymous: &'a [String],
}

impl<'a> From<&'a Stopped> for StoppedInfo<'a> {
    fn from(one: &'a Stopped) -> Self {
        Self {
            name: &one.name,
            image: &one.image,
            chosen: one.chosen,
            blocked: one.blocked.as_deref(),
            frees: &one.frees,
            anonymous: &one.anonymous,
        }
    }
}

/// The answer of `doctor`.
#[derive(Debug, Serialize)]
pub(super) struct Diagnosis<'a> {
    pub(super) findings: Vec<FindingInfo<'a>>,
    pub(super) containers: usize,
    pub(super) mounts: usize,
    pub(super) left_out: &'a [String],
}

/// One fault.
#[derive(Debug, Serialize)]
pub(super) struct FindingInfo<'a> {
    cause: &'static str,
    container: Option<&'a str>,
    mount: Option<&'a str>,
    path: Option<&'a str>,
    summary: &'a str,
    evidence: &'a [String],
    confidence: &'static str,
    fix: FixInfo<'a>,
    caveats: &'a [String],
    wrong_fixes: &'a [String],
}

/// What mends a fault.
#[derive(Debug, Serialize)]
struct FixInfo<'a> {
    kind: &'static str,
    command: Option<String>,
    compose: Option<&'a str>,
    words: Option<&'a str>,
    plan: Option<PlanInfo<'a>>,
}

/// What a change of owners or modes comes to.
#[derive(Debug, Serialize)]
struct PlanInfo<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<&'a str>,
    change: Option<u64>,
    unchanged: Option<u64>,
}

impl<'a> From<&'a Finding> for FindingInfo<'a> {
    fn from(one: &'a Finding) -> Self {
        let plan = |to, mode| PlanInfo {
            to,
            mode,
            change: one.counted.map(|counted| counted.change),
            unchanged: one.counted.map(|counted| counted.unchanged),
        };
        let plan = match &one.fix {
            Fix::Chown { .. } => one.fix.owner().map(|to| plan(Some(to), None)),
            Fix::Chmod { words, .. } => Some(plan(None, Some(words.as_str()))),
            Fix::Config { .. } | Fix::Host { .. } | Fix::Refused { .. } | Fix::Advice { .. } => None,
        };
        Self {
            cause: one.cause.word(),
            container: one.container.as_deref(),
            mount: one.mount.as_ref().map(|(_, name)| name.as_str()),
            path: one.path.as_deref(),
            summary: &one.summary,
            evidence: &one.evidence,
            confidence: one.confidence.word(),
            fix: FixInfo {
                kind: one.fix.kind(),
                command: one.fix.command(),
                compose: one.fix.compose(),
                words: one.fix.words(),
                plan,
            },
            caveats: &one.caveats,
            wrong_fixes: &one.wrong_fixes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_as_rfc_4648_has_it() {
        let pairs = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("foobar", "Zm9vYmFy"),
        ];
        for (plain, coded) in pairs {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
        assert_eq!(base64(&[0xff, 0xfe]), "//4=");
    }

    #[test]
    fn only_what_is_no_text_comes_in_base64() {
        assert_eq!(
            serde_json::to_string(&Path::new("é".as_bytes())).unwrap(),
            r#"{"path":"é"}"#
        );
        assert_eq!(
            serde_json::to_string(&Path::new(b"a\xff")).unwrap(),
            r#"{"path":"a�","bytes_b64":"Yf8="}"#
        );
    }
}
