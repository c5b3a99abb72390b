//! Every action, declared once: matcher, footer, help, palette, configuration names and the key table in the
//! documents come from this table. Says nothing of what an action does.

/// Where an action's keys work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    /// Everywhere but in a text field.
    Global,
    /// Moving in any list, tree or text.
    Move,
    /// The first screen, while no engine answers.
    Start,
    /// The table of mounts.
    Mounts,
    /// The details of one mount.
    Details,
    /// Who may use a mount: of its table and of its details.
    Rights,
    /// Copies of a mount: of its table and of its details.
    Copies,
    /// The tree of files.
    Files,
    /// The preview of one file.
    Preview,
    /// The plan of a removal.
    Plan,
    /// What fills the disk.
    Disk,
    /// What is refused, why, and what mends it.
    Doctor,
    /// A change of owner or mode.
    Own,
    /// What can be taken back.
    Undo,
    /// The plan of a backup.
    Backup,
    /// The archives on this machine.
    Backups,
    /// The plan of a restore.
    Restore,
    /// A question. It has the keys for itself.
    Confirm,
    /// The list of jobs.
    Jobs,
}

impl Section {
    /// All sections in the order in which help shows them.
    pub const ALL: [Self; 19] = [
        Self::Global,
        Self::Move,
        Self::Start,
        Self::Mounts,
        Self::Details,
        Self::Rights,
        Self::Copies,
        Self::Files,
        Self::Preview,
        Self::Plan,
        Self::Disk,
        Self::Doctor,
        Self::Own,
        Self::Undo,
        Self::Backup,
        Self::Backups,
        Self::Restore,
        Self::Confirm,
        Self::Jobs,
    ];

    /// Its title.
    pub fn title(self) -> &'static str {
        match self {
            Self::Global => "Everywhere",
            Self::Move => "Moving",
            Self::Start => "Start",
            Self::Mounts => "Mounts",
            Self::Details => "Details",
            Self::Rights => "Permissions",
            Self::Copies => "Copies",
            Self::Files => "Files",
            Self::Preview => "Preview",
            Self::Plan => "Plan",
            Self::Disk => "Disk",
            Self::Doctor => "Doctor",
            Self::Own => "Change of owner or mode",
            Self::Undo => "Undo",
            Self::Backup => "Backup",
            Self::Backups => "Backups",
            Self::Restore => "Restore",
            Self::Confirm => "A question",
            Self::Jobs => "Jobs",
        }
    }
}

/// An action as the table declares it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Declared {
    /// The action.
    pub action: Action,
    /// Its name in configuration and palette.
    pub id: &'static str,
    /// Where its keys work.
    pub section: Section,
    /// Its default keys, in the words of [`super::key`].
    pub keys: &'static [&'static str],
    /// What it does, for help and palette.
    pub doc: &'static str,
    /// Its word in the footer; empty keeps it out.
    pub short: &'static str,
}

macro_rules! actions {
    ($($section:ident { $($variant:ident $id:literal [$($key:literal),*] $short:literal $doc:literal;)* })*) => {
        /// Everything that a key, the palette or a script of keys can ask for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Action {
            $($(#[doc = $doc] $variant,)*)*
        }

        /// The table, in the order in which help shows it.
        pub const ACTIONS: &[Declared] = &[
            $($(Declared { action: Action::$variant, id: $id, section: Section::$section, keys: &[$($key),*], doc: $doc, short: $short },)*)*
        ];
    };
}

actions! {
    Global {
        Help "help" ["?", "f1"] "help" "Shows the keys that work here now";
        Palette "palette" [":"] "actions" "Finds any action by its name";
        Jobs "jobs" ["w"] "jobs" "Lists running and finished jobs";
        Back "back" ["esc"] "back" "Closes what is open, clears the filter, or goes back";
        Refresh "refresh" ["R"] "" "Asks the engine for everything again";
        NextPane "next-pane" ["tab"] "" "Moves to the next pane";
        ShowMounts "show-mounts" ["1"] "" "Shows the mounts";
        ShowDetails "show-details" ["2"] "" "Shows the details of this mount";
        ShowFiles "show-files" ["3"] "" "Shows the files of this mount";
        ShowDisk "show-disk" ["4"] "" "Shows what fills the disk";
        ShowPlan "show-plan" ["5"] "" "Shows the plan of a removal that was made last";
        ShowBackups "show-backups" ["6"] "" "Lists the backups on this machine";
        ShowUndo "undo" ["z"] "" "Lists the changes that can be taken back";
        Copy "copy" ["y"] "" "Copies the name, path or hint to your terminal's clipboard";
        Suspend "suspend" ["ctrl-z"] "" "Suspends vole; `fg` brings it back";
        Quit "quit" ["q", "ctrl-c"] "quit" "Ends vole";
    }
    Move {
        Down "down" ["j", "down"] "" "Moves down";
        Up "up" ["k", "up"] "" "Moves up";
        PageDown "page-down" ["ctrl-d", "pagedown"] "" "Moves down by half a screen";
        PageUp "page-up" ["ctrl-u", "pageup"] "" "Moves up by half a screen";
        First "first" ["g", "home"] "" "Moves to the first line";
        Last "last" ["G", "end"] "" "Moves to the last line";
    }
    Start {
        Demo "demo" ["enter", "d"] "demo" "Shows a made-up fleet instead of an engine";
        Retry "retry" ["r"] "try again" "Looks for an engine again";
    }
    Mounts {
        OpenFiles "open-files" ["enter", "l", "right"] "files" "Opens the mount's files";
        Inspect "inspect" ["i"] "details" "Opens or closes the details beside the table";
        Filter "filter" ["/"] "filter" "Filters the table, fuzzily";
        Orphans "filter-orphans" ["O"] "orphans" "Shows orphans only";
        Anonymous "filter-anonymous" ["A"] "" "Shows anonymous volumes only";
        Binds "filter-binds" ["B"] "" "Shows bind mounts only";
        Class "filter-class" ["C"] "" "Shows one class only: critical, important, temporary, unknown, all in turn";
        Sort "sort" ["s"] "sort" "Sorts by size, name, age, attached or last write in turn";
        SortReverse "sort-reverse" ["S"] "" "Reverses the order";
        Group "group" ["p"] "" "Groups by project, or not";
        Mark "mark" ["space"] "mark" "Marks the mount, or not, and moves down";
        MarkRange "mark-range" ["v"] "" "Starts a range of marks, or ends it";
        MarkNone "mark-none" ["V"] "" "Takes all marks away";
        Prune "prune" ["P"] "prune" "Plans what of the orphans can go; removes nothing yet";
        Remove "remove" ["d"] "remove" "Plans the removal of what is marked, or else of this volume";
        Create "create" ["n"] "new" "Makes a new volume";
        Measure "measure" ["r"] "measure" "Measures again: what is marked, or else this mount";
        MeasureAll "measure-all" ["M"] "" "Measures every mount again";
        CancelMeasure "cancel-measure" ["X"] "" "Cancels the running measurement";
    }
    Details {
        Masked "masked" ["m"] "image" "Lists what the image holds beneath the mount";
    }
    Rights {
        Doctor "doctor" ["D"] "doctor" "Shows why permission is denied anywhere, and what mends it";
        DoctorMount "doctor-mount" ["e"] "examine" "Shows why permission is denied on this mount alone";
        Chown "chown" ["o"] "owner" "Plans another owner for everything in this mount; changes nothing yet";
    }
    Copies {
        Backup "backup" ["b"] "backup" "Plans a copy of what is marked, or else of this mount; writes nothing yet";
        Restore "restore" ["u"] "restore" "Lists the backups of this mount, to restore one";
    }
    Files {
        Enter "enter" ["enter", "l", "right"] "open" "Opens the directory, or the file's preview";
        Leave "leave" ["h", "left", "backspace"] "up" "Closes the directory, or goes to the one above";
        FilesSort "files-sort" ["s"] "sort" "Sorts by the next column: name, size, last change";
        FindName "find" ["/"] "find" "Finds names in this directory and below";
        Grep "grep" ["ctrl-f"] "grep" "Finds lines in the files of this directory and below";
        FilesRestore "files-restore" ["u"] "restore" "Plans the restore of this out of the archive";
        Download "download" ["D"] "get" "Downloads the file or directory to this machine";
        FilesChown "files-chown" ["o"] "owner" "Plans another owner for this and all below it";
        MeasureTree "measure-tree" ["r"] "" "Measures the directories again";
    }
    Preview {
        Follow "follow" ["f"] "follow" "Follows the growing file, or stops";
        ToggleHex "hex" ["x"] "hex" "Shows bytes in hex, or text";
        Wrap "wrap" ["W"] "" "Wraps long lines, or not";
    }
    Plan {
        PlanToggle "plan-toggle" ["space"] "take" "Takes the volume or container along, or not";
        PlanRemove "plan-remove" ["enter"] "remove" "Removes what is chosen, after a question";
        PlanUnfold "plan-unfold" ["u"] "used" "Lists the volumes that are used, or not";
        PlanNamed "plan-named" ["n"] "named" "Plans again: volumes with a name may be safe too, or not";
        PlanProject "plan-project" ["p"] "project" "Plans again: only the project of this volume, or all";
        PlanAge "plan-age" ["a"] "age" "Plans again: any age, or untouched for 7, 30, 90 days, a year";
        PlanFilter "plan-filter" ["/"] "filter" "Filters the plan's rows, fuzzily";
        PlanCancel "plan-cancel" ["x"] "cancel" "Stops the removal before its next volume";
    }
    Disk {
        DiskAsk "disk-ask" ["r"] "count the rest" "Asks the engine what images, layers and build cache take; may take minutes";
    }
    Doctor {
        DoctorFix "doctor-fix" ["enter", "o"] "fix" "Opens the plan of the fix; changes nothing yet";
        DoctorAgain "doctor-again" ["r"] "again" "Looks again at the same";
        DoctorLog "doctor-log" ["l"] "log" "Shows the last lines of the container's log, or not";
        DoctorStart "container-start" ["s"] "start" "Starts the container";
        DoctorStop "container-stop" ["S"] "stop" "Stops the container, after a question";
        DoctorRestart "container-restart" ["T"] "restart" "Stops and starts the container, after a question";
        DoctorCancel "doctor-cancel" ["x"] "cancel" "Cancels the running diagnosis";
    }
    Own {
        OwnRun "own-run" ["enter"] "change" "Carries the plan out, after a question";
        OwnEdit "own-edit" ["o"] "another" "Asks for another owner";
        OwnCancel "own-cancel" ["x"] "cancel" "Stops the change behind its present batch";
    }
    Undo {
        UndoRun "undo-run" ["enter"] "take back" "Takes the change back, after a question";
        UndoCancel "undo-cancel" ["x"] "cancel" "Stops what is taken back";
    }
    Backup {
        BackupRun "backup-run" ["enter"] "back up" "Copies what the plan lists into archives";
        BackupCompress "backup-compress" ["c"] "compression" "Compresses with zstd, gzip or not at all, in turn";
        BackupCancel "backup-cancel" ["x"] "cancel" "Stops the backup; the copy that is not whole is removed";
    }
    Backups {
        BackupsOpen "backups-open" ["enter", "l", "right"] "files" "Opens the archive's files";
        BackupsRestore "backups-restore" ["u"] "restore" "Checks the archive and plans its restore";
        BackupsVerify "backups-verify" ["v"] "verify" "Reads all of the archive, to see whether it is whole";
        BackupsFilter "backups-filter" ["/"] "filter" "Filters the archives, fuzzily";
        BackupsFile "backups-file" ["o"] "other file" "Plans the restore of any archive on this machine";
        BackupsAgain "backups-again" ["r"] "" "Lists the archives again";
        BackupsCancel "backups-cancel" ["x"] "cancel" "Stops the check of an archive";
    }
    Restore {
        RestoreRun "restore-run" ["enter"] "restore" "Restores what the plan says; may ask for a name";
        RestoreAs "restore-as" ["n"] "as" "Restores to another volume, new or there already";
        RestoreStrip "restore-strip" ["s"] "strip" "Takes leading components of the archive's names away";
        RestoreInPlace "restore-in-place" ["i"] "in place" "Removes what is there first, for want of room, or not";
        RestorePlain "restore-plain" ["p"] "" "Leaves the driver's options away, or not";
        RestoreCancel "restore-cancel" ["x"] "cancel" "Stops the restore, or the check before it";
    }
    Confirm {
        Yes "yes" ["y"] "yes" "Does what the question asks";
        No "no" ["n", "enter", "esc", "q", "ctrl-c"] "no" "Leaves everything as it is";
    }
    Jobs {
        CancelJob "cancel-job" ["x"] "cancel" "Cancels the job under the cursor";
    }
}

impl Action {
    /// Its row in the table.
    pub fn declared(self) -> Option<&'static Declared> {
        ACTIONS.iter().find(|row| row.action == self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ids_are_unique_and_keys_are_unique_within_what_can_be_active_together() {
        let mut ids = HashSet::new();
        for row in ACTIONS {
            assert!(ids.insert(row.id), "two actions are called {}", row.id);
        }
        for section in [
            Section::Start,
            Section::Mounts,
            Section::Details,
            Section::Rights,
            Section::Files,
            Section::Preview,
            Section::Plan,
            Section::Disk,
            Section::Doctor,
            Section::Own,
            Section::Undo,
            Section::Copies,
            Section::Backup,
            Section::Backups,
            Section::Restore,
            Section::Confirm,
            Section::Jobs,
        ] {
            let mut keys = HashSet::new();
            let everywhere = |other| section != Section::Confirm && matches!(other, Section::Global | Section::Move);
            for row in ACTIONS
                .iter()
                .filter(|row| everywhere(row.section) || row.section == section)
            {
                for key in row.keys {
                    assert!(keys.insert(*key), "{key} means two things in {section:?}");
                }
            }
        }
    }
}
