//! The arguments of what fills volumes: `restore`, `clone`, `rename`, and of `recover`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

/// Options of `restore`.
#[derive(Debug, Args)]
pub struct Restore {
    /// The archive; `-` for what comes by standard input, which is proved whole on the way.
    #[arg(value_name = "ARCHIVE|-")]
    pub archive: PathBuf,
    /// The volume, or an absolute path of the engine's host; a new volume of the archive's own name when not given.
    #[arg(long = "as", value_name = "VOLUME|/PATH")]
    pub target: Option<String>,
    /// Only this path of it and what is beneath; may be given several times.
    #[arg(long = "path", value_name = "PATH")]
    pub paths: Vec<OsString>,
    /// Replaces what the target holds: the new contents are made beside the old ones and take their place at the end. With
    /// --yes that is all it takes.
    #[arg(long)]
    pub overwrite: bool,
    /// With --overwrite: removes the old contents first, where there is no room for both. Nothing brings them back, so the
    /// target's name has to be typed (--include NAME).
    #[arg(long, requires = "overwrite")]
    pub in_place: bool,
    /// Takes so many leading components off the names; 0 takes them as they are. Found out when not given, where it can be.
    #[arg(long, value_name = "N")]
    pub strip_components: Option<u32>,
    /// Makes a new volume with the local driver and without options.
    #[arg(long)]
    pub plain: bool,
    /// Prints the plan and changes nothing.
    #[arg(long, short = 'n')]
    pub dry_run: bool,
    /// Types the target's name, where the plan says that yes is not enough.
    #[arg(long, value_name = "NAME")]
    pub include: Vec<String>,
}

/// Options of `clone`.
#[derive(Debug, Args)]
pub struct Clone {
    /// What is copied: a volume, or a path of the engine's host.
    #[arg(value_name = "SRC")]
    pub source: OsString,
    /// The new volume.
    #[arg(value_name = "DST")]
    pub name: String,
    /// Makes it on this engine instead: unix:///path, tcp://host:port.
    #[arg(long, value_name = "URL")]
    pub to_host: Option<String>,
    /// Makes it with the local driver and without options.
    #[arg(long)]
    pub plain: bool,
    /// Prints the plan and changes nothing.
    #[arg(long, short = 'n')]
    pub dry_run: bool,
    /// Types the new volume's name, where the plan says that yes is not enough.
    #[arg(long, value_name = "NAME")]
    pub include: Vec<String>,
}

/// Options of `rename`.
#[derive(Debug, Args)]
pub struct Rename {
    /// The volume. No container may know it, running or not.
    #[arg(value_name = "OLD")]
    pub old: String,
    /// Its new name.
    #[arg(value_name = "NEW")]
    pub new: String,
    /// Prints the plan and changes nothing.
    #[arg(long, short = 'n')]
    pub dry_run: bool,
}

/// Options of `recover`.
#[derive(Debug, Args)]
pub struct Recover {
    /// Only these mounts; each is also looked into, for what was left there by somebody else, or by a journal that is lost.
    #[arg(value_name = "MOUNT")]
    pub mounts: Vec<OsString>,
    /// Prints the plan and changes nothing.
    #[arg(long, short = 'n')]
    pub dry_run: bool,
}
