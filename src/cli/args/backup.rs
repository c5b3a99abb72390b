//! Arguments of what makes, lists and checks archives.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use vole_agent::proto::archive::Compression;

/// Options of `backup`.
#[derive(Debug, Args)]
pub struct Backup {
    /// What to copy, each into an archive of its own.
    #[arg(value_name = "MOUNT", required = true)]
    pub mounts: Vec<OsString>,
    /// The directory for the archives, which must be there; `-` writes the archive of the only mount to standard output.
    /// When not given: vole's data directory, per engine and mount.
    #[arg(long, value_name = "DIR|-")]
    pub to: Option<PathBuf>,
    /// How containers that use a mount are treated meanwhile.
    #[arg(long, value_enum, default_value_t = Consistency::Live)]
    pub consistency: Consistency,
    /// How archives are compressed.
    #[arg(long, value_enum, default_value_t = CompressionWord::Zstd)]
    pub compress: CompressionWord,
}

impl Backup {
    /// Whether the archive goes to standard output.
    pub(in crate::cli) fn is_piped(&self) -> bool {
        self.to.as_deref() == Some(Path::new("-"))
    }
}

/// How containers are treated while what they use is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Consistency {
    /// They go on: what changes while it is read is read again, and else told.
    Live,
}

/// The words for how an archive is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CompressionWord {
    /// Zstandard: fast.
    Zstd,
    /// Gzip: for what knows nothing newer.
    Gzip,
    /// Not at all.
    None,
}

impl From<CompressionWord> for Compression {
    fn from(word: CompressionWord) -> Self {
        match word {
            CompressionWord::Zstd => Self::Zstd,
            CompressionWord::Gzip => Self::Gzip,
            CompressionWord::None => Self::None,
        }
    }
}

/// Options of `backups`.
#[derive(Debug, Args)]
pub struct Backups {
    /// Where to look, and in the directories in it; vole's data directory when not given.
    #[arg(value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// Options of `verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// The archives; `-` reads one from standard input.
    #[arg(value_name = "ARCHIVE|-", required = true)]
    pub archives: Vec<PathBuf>,
}
