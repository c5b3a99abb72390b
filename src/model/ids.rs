//! Names that must not be mixed up, each a type of its own.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps a name as the engine spells it.
            pub fn new(name: impl Into<String>) -> Self {
                Self(name.into())
            }

            /// The name as the engine spells it; hostile text, see [`crate::text`].
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id!(
    /// Identifies an engine across starts: its endpoint plus a stored id, see [`crate::engine`].
    EngineId
);
text_id!(
    /// A volume's name.
    VolumeName
);
text_id!(
    /// Identifies a mount within an engine: `volume:NAME`, `bind:/source`, `tmpfs:CONTAINER_ID:/destination`, `image:REFERENCE`.
    MountId
);

/// Identifies a job within one run of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub u64);

/// A path as bytes, relative to a mount's root: components joined by `/`, empty for the root.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BytePath(Vec<u8>);

impl BytePath {
    /// The mount's root.
    pub fn root() -> Self {
        Self::default()
    }

    /// Takes bytes as a path, dropping empty components and `.`; `..` is kept for the agent to refuse.
    pub fn new(bytes: &[u8]) -> Self {
        let mut path = Self::default();
        for part in bytes.split(|&byte| byte == b'/') {
            if !part.is_empty() && part != b"." {
                path = path.join(part);
            }
        }
        path
    }

    /// This path with one more component.
    #[must_use]
    pub fn join(&self, name: &[u8]) -> Self {
        let mut bytes = self.0.clone();
        if !bytes.is_empty() {
            bytes.push(b'/');
        }
        bytes.extend_from_slice(name);
        Self(bytes)
    }

    /// The directory that holds this entry; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        if self.0.is_empty() {
            return None;
        }
        let end = self.0.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
        Some(Self(self.0[..end].to_vec()))
    }

    /// The last component; empty for the root.
    pub fn name(&self) -> &[u8] {
        self.0.rsplit(|&byte| byte == b'/').next().unwrap_or(&[])
    }

    /// The components from the top.
    pub fn components(&self) -> impl Iterator<Item = &[u8]> {
        self.0.split(|&byte| byte == b'/').filter(|part| !part.is_empty())
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether this is the mount's root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }
}
