//! The arguments, as clap reads them. Says nothing of what a command does.

mod backup;
mod restore;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

pub use backup::{Backup, Backups, CompressionWord, Consistency, Verify};

use super::exit::Exit;
use super::output::Output;
use crate::engine::connect::ConnectOptions;
use crate::model::MountKind;
pub use restore::{Clone, Recover, Rename, Restore};

/// Explores the mounts of a Docker or Podman engine: volumes, binds, tmpfs, their containers, sizes and contents.
///
/// Without a command it opens the screen. A MOUNT is a volume's name, a path of the engine's host (it starts with `/`),
/// or CONTAINER:/destination for a tmpfs.
#[derive(Debug, Parser)]
#[command(name = "vole", version, max_term_width = 100)]
pub struct Arguments {
    /// What holds for every command.
    #[command(flatten)]
    pub globals: Globals,
    /// The command; none opens the screen.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Options of every command.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Everywhere")]
pub struct Globals {
    /// The engine's endpoint: unix:///path, tcp://host:port.
    #[arg(long, global = true, value_name = "URL")]
    pub host: Option<String>,
    /// The docker context that names the engine.
    #[arg(long, global = true, value_name = "NAME")]
    pub context: Option<String>,
    /// Makes every operation that changes a mount, container or volume unavailable. The agent's image and short-lived
    /// read-only helper containers remain.
    #[arg(long, global = true)]
    pub read_only: bool,
    /// Starts no helper container: sizes come from this host's paths or the engine, contents may be unreachable.
    #[arg(long, global = true)]
    pub no_helper: bool,
    /// Shows a made-up fleet; needs no engine.
    #[arg(long, global = true)]
    pub demo: bool,
    /// Prints one JSON document.
    #[arg(long, global = true)]
    pub json: bool,
    /// Answers the question of a changing command's plan with yes.
    #[arg(long, global = true)]
    pub yes: bool,
    /// Uses no colours (NO_COLOR does the same).
    #[arg(long, global = true)]
    pub no_color: bool,
    /// Draws with ASCII alone.
    #[arg(long, global = true)]
    pub ascii: bool,
    /// The configuration file.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

impl Globals {
    /// Which engine is meant, and whether helpers may run on it.
    pub(super) fn connect_options(&self) -> ConnectOptions {
        ConnectOptions {
            host: self.host.clone(),
            context: self.context.clone(),
            no_helper: self.no_helper,
        }
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Lists mounts with their containers, project, and whether anything refers to them.
    Ls(Ls),
    /// Measures mounts, or directories in them.
    Du(Du),
    /// Shows the file systems behind the volumes, and what else the engine keeps.
    Df,
    /// Lists a directory of a mount and what is below it.
    Tree(Tree),
    /// Prints a file of a mount.
    Cat(Cat),
    /// Finds lines in the files of a mount.
    Grep(Grep),
    /// Downloads a file or directory of a mount; never overwrites.
    Get(Get),
    /// Removes volumes that nothing refers to: prints the plan with its reasons and asks. Removes empty anonymous volumes
    /// and those that hold only recognised caches; everything else needs --include NAME.
    Prune(Prune),
    /// Removes volumes by name, with the same plan.
    Rm(Rm),
    /// Makes a volume.
    Create(Create),
    /// Changes owner and group of a mount's contents by their numbers: prints the plan and asks. A journal on this machine
    /// takes it back.
    Chown(Chown),
    /// Changes permissions of a mount's contents, with the same plan and journal.
    Chmod(Chmod),
    /// Takes a change of owners or permissions back: what the change left as it made it becomes what it was.
    Undo(Undo),
    /// Brings the contents of an archive into a volume: a new one, or one whose contents it replaces. Prints the plan and asks.
    /// Either the old or the new contents stand there whatever happens.
    Restore(Restore),
    /// Copies a volume, or a path of the host, into a new volume, here or on another engine, and compares what arrived.
    Clone(Clone),
    /// Gives a volume another name: copies it, compares the copy, and removes the old one.
    Rename(Rename),
    /// Brings to an end what a killed vole left half-done.
    Recover(Recover),
    /// Says why containers are refused something on their mounts, and what mends it. Tries every access without writing.
    Doctor(Doctor),
    /// Copies mounts into archives that any tar can read and that prove by themselves that they are whole.
    Backup(Backup),
    /// Lists the archives that are there, newest first.
    Backups(Backups),
    /// Proves from an archive alone that it is whole, or says where it is damaged.
    Verify(Verify),
    /// Prints the keys of the screen.
    Keys(Keys),
    /// Prints where vole keeps its files and what is configured.
    Config,
    /// Prints a completion script.
    Completions {
        /// For which shell.
        shell: clap_complete::Shell,
    },
}

impl Command {
    /// Whether it prints what is no text of ours: then there is no place for a document.
    pub(super) fn prints_bytes(&self) -> bool {
        match self {
            Self::Cat(_) | Self::Completions { .. } => true,
            Self::Backup(options) => options.is_piped(),
            _ => false,
        }
    }
}

/// Options of `ls`.
#[derive(Debug, Args)]
pub struct Ls {
    /// Only volumes that nothing refers to.
    #[arg(long)]
    pub orphans: bool,
    /// Only this kind.
    #[arg(long, value_name = "KIND")]
    pub kind: Option<KindFilter>,
    /// Measures sizes too, and says what the contents look like.
    #[arg(long)]
    pub sizes: bool,
}

/// The kinds that `ls` filters by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KindFilter {
    /// Named, anonymous and cluster volumes.
    Volume,
    /// Volumes that somebody named.
    Named,
    /// Volumes that nobody named.
    Anonymous,
    /// Paths of the host.
    Bind,
    /// Memory of a container.
    Tmpfs,
    /// Swarm cluster volumes.
    Cluster,
    /// Images mounted as file systems.
    Image,
}

impl KindFilter {
    /// Whether a kind passes.
    pub fn passes(self, kind: MountKind) -> bool {
        match self {
            Self::Volume => kind.is_volume(),
            Self::Named => kind == MountKind::Named,
            Self::Anonymous => kind == MountKind::Anonymous,
            Self::Bind => kind == MountKind::Bind,
            Self::Tmpfs => kind == MountKind::Tmpfs,
            Self::Cluster => kind == MountKind::Cluster,
            Self::Image => kind == MountKind::Image,
        }
    }
}

/// Options of `du`.
#[derive(Debug, Args)]
pub struct Du {
    /// What to measure; everything that may be measured unasked when not given.
    #[arg(value_name = "MOUNT[:PATH]")]
    pub places: Vec<OsString>,
    /// Shows directories down to this depth too.
    #[arg(long, short, value_name = "N", default_value_t = 0)]
    pub depth: u32,
}

/// Options of `tree`.
#[derive(Debug, Args)]
pub struct Tree {
    /// Where to start.
    #[arg(value_name = "MOUNT[:PATH]")]
    pub place: OsString,
    /// How deep to look.
    #[arg(long, short, value_name = "N", default_value_t = 3)]
    pub depth: u32,
}

/// Options of `cat`.
#[derive(Debug, Args)]
pub struct Cat {
    /// The file.
    #[arg(value_name = "MOUNT:PATH")]
    pub place: OsString,
    /// Goes on printing what is appended, through truncation and rotation.
    #[arg(long, short)]
    pub follow: bool,
}

/// Options of `grep`.
#[derive(Debug, Args)]
pub struct Grep {
    /// A regular expression.
    pub pattern: String,
    /// Where to look.
    #[arg(value_name = "MOUNT[:PATH]")]
    pub place: OsString,
    /// Takes upper and lower case for the same.
    #[arg(long, short)]
    pub ignore_case: bool,
    /// Takes the pattern as it stands.
    #[arg(long, short = 'F')]
    pub fixed_strings: bool,
    /// Searches binary files too.
    #[arg(long)]
    pub binary: bool,
}

/// Options of `get`.
#[derive(Debug, Args)]
pub struct Get {
    /// The file or directory.
    #[arg(value_name = "MOUNT:PATH")]
    pub place: OsString,
    /// Where to put it: a directory that exists takes it under its own name, anything else becomes its name.
    #[arg(value_name = "DEST")]
    pub destination: PathBuf,
}

/// Options of `prune`.
#[derive(Debug, Args)]
pub struct Prune {
    /// Prints the plan and changes nothing.
    #[arg(long, short = 'n')]
    pub dry_run: bool,
    /// Takes volumes that somebody named as safe too, when their contents are.
    #[arg(long)]
    pub named: bool,
    /// Takes this volume along although it would be asked about; may be given several times. Of a generated name the
    /// first twelve digits will do.
    #[arg(long, value_name = "NAME")]
    pub include: Vec<String>,
    /// Only volumes last written, or else made, at least so long ago: 12h, 30d, 8w, 1y.
    #[arg(long, value_name = "AGE", value_parser = age)]
    pub older_than: Option<time::Duration>,
    /// Only volumes with this label; may be given several times.
    #[arg(long = "label", value_name = "KEY[=VALUE]")]
    pub labels: Vec<String>,
    /// Only volumes of this project.
    #[arg(long)]
    pub project: Option<String>,
}

/// Options of `rm`.
#[derive(Debug, Args)]
pub struct Rm {
    /// The volumes, by their exact names.
    #[arg(value_name = "VOLUME")]
    pub volumes: Vec<String>,
    /// Removes this container first; it must not run. Its volumes stay unless they are named too.
    #[arg(long = "container", value_name = "NAME")]
    pub containers: Vec<String>,
    /// Types the name of a volume that is not safe to remove; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub include: Vec<String>,
    /// Prints the plan and changes nothing.
    #[arg(long, short = 'n')]
    pub dry_run: bool,
}

/// Options of `create`.
#[derive(Debug, Args)]
pub struct Create {
    /// Its name.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Its driver; `local` when not said.
    #[arg(long, short)]
    pub driver: Option<String>,
    /// A driver option; may be given several times.
    #[arg(long = "opt", short = 'o', value_name = "KEY=VALUE", value_parser = pair)]
    pub options: Vec<(String, String)>,
    /// A label; may be given several times.
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    pub labels: Vec<(String, String)>,
}

/// Options of `chown`.
#[derive(Debug, Args)]
pub struct Chown {
    /// Where; everything beneath it too.
    #[arg(value_name = "MOUNT[:PATH]")]
    pub place: OsString,
    /// The new owner: UID, UID:GID or :GID.
    #[arg(value_name = "UID:GID", allow_negative_numbers = true)]
    pub owner: String,
    /// What holds for `chmod` too.
    #[command(flatten)]
    pub changing: Changing,
}

/// Options of `chmod`.
#[derive(Debug, Args)]
pub struct Chmod {
    /// Where; everything beneath it too.
    #[arg(value_name = "MOUNT[:PATH]")]
    pub place: OsString,
    /// The new permissions: octal (750) or symbolic (u+rwX,go-w). One that begins with a minus is written behind `--`.
    #[arg(value_name = "MODE")]
    pub mode: String,
    /// What holds for `chown` too.
    #[command(flatten)]
    pub changing: Changing,
}

/// What holds for `chown` and `chmod`.
#[derive(Debug, Clone, Default, Args)]
pub struct Changing {
    /// Only what has this owner now: UID, UID:GID or :GID.
    #[arg(long, value_name = "UID[:GID]", allow_negative_numbers = true)]
    pub from: Option<String>,
    /// Leaves what is beneath as it is.
    #[arg(long)]
    pub no_recursive: bool,
    /// Prints the plan and changes nothing.
    #[arg(long, short = 'n')]
    pub dry_run: bool,
    /// Types the mount's name, where the plan says that yes is not enough.
    #[arg(long, value_name = "NAME")]
    pub include: Vec<String>,
}

/// Options of `undo`.
#[derive(Debug, Args)]
pub struct Undo {
    /// The journal; the latest that was not taken back when not given.
    #[arg(value_name = "ID")]
    pub id: Option<String>,
    /// Lists the journals.
    #[arg(long)]
    pub list: bool,
}

/// Reads a length of time: a whole number of hours, days, weeks or years; days when it has no unit.
fn age(text: &str) -> Result<time::Duration, String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let hours = match unit {
        "h" => 1,
        "" | "d" => 24,
        "w" => 7 * 24,
        "y" => 365 * 24,
        _ => return Err("write it as 12h, 30d, 8w or 1y".to_owned()),
    };
    let number: u32 = number
        .parse()
        .map_err(|_| "write it as 12h, 30d, 8w or 1y".to_owned())?;
    Ok(time::Duration::hours(i64::from(number) * hours))
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write it as KEY=VALUE".to_owned()),
    }
}

/// As Docker reads labels: one without a value has an empty one.
fn label(text: &str) -> Result<(String, String), String> {
    match text {
        "" => Err("write it as KEY=VALUE".to_owned()),
        _ if text.contains('=') => pair(text),
        key => Ok((key.to_owned(), String::new())),
    }
}

/// Options of `doctor`.
#[derive(Debug, Args)]
pub struct Doctor {
    /// What to look at: a container's name or id, or a mount with every container that uses it; everything when not given.
    #[arg(value_name = "CONTAINER|MOUNT")]
    pub subjects: Vec<OsString>,
}

/// Options of `keys`.
#[derive(Debug, Args)]
pub struct Keys {
    /// Prints the table as the documents show it.
    #[arg(long)]
    pub markdown: bool,
}

/// Prints a completion script.
pub(super) fn completions(shell: clap_complete::Shell, output: &Output) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "vole", &mut script);
    output.raw(&script)?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_read_with_their_units() {
        assert_eq!(age("36h"), Ok(time::Duration::hours(36)));
        assert_eq!(age("2w"), Ok(time::Duration::days(14)));
        assert_eq!(age("30"), Ok(time::Duration::days(30)));
        for bad in ["", "d", "1m", "-3d", "1.5d", "99999999999d"] {
            assert!(age(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_commands_are_sound_and_globals_stand_before_or_after() {
        Arguments::command().debug_assert();
        let before = Arguments::try_parse_from(["vole", "--json", "--demo", "ls"]).unwrap();
        let after = Arguments::try_parse_from(["vole", "ls", "--json", "--demo"]).unwrap();
        assert!(before.globals.json && before.globals.demo && after.globals.json && after.globals.demo);
    }
}
