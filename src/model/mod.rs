//! The nouns of vole: engines, mounts, attachments, sizes. Plain data without I/O.

pub mod contents;
pub mod ids;
pub mod labels;
pub mod mount;
pub mod size;

pub use contents::{CLASS_LABEL, Class, Contents, Fingerprint, Judged, Worth};
pub use ids::{BytePath, EngineId, JobId, MountId, VolumeName};
pub use labels::Labels;
pub use mount::{Attachment, ContainerState, Mount, MountKind, Orphan, Scan, bind_device, named_paths};
pub use size::{Size, Source};
