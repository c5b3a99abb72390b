//! Generated trees: always the same, on the file system that is there.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::thread;

use anyhow::{Context as _, anyhow};

/// Grows a tree of about `entries` entries, twelve to a directory as a package manager leaves them: most files empty,
/// some of one block, some with a second name. Returns how many entries there are.
pub(crate) fn grow(root: &Path, entries: usize) -> anyhow::Result<usize> {
    let directories = entries / 12;
    let halves = thread::scope(|scope| {
        let growing: Vec<_> = (0..2)
            .map(|half| scope.spawn(move || grow_half(root, half, directories / 2)))
            .collect();
        growing
            .into_iter()
            .map(|thread| thread.join().map_err(|_| anyhow!("a growing thread panicked"))?)
            .collect::<anyhow::Result<Vec<usize>>>()
    })?;
    Ok(halves.into_iter().sum())
}

fn grow_half(root: &Path, half: usize, directories: usize) -> anyhow::Result<usize> {
    let mut made = 0;
    for index in 0..directories {
        let dir = root.join(format!("{half}/{:03}/{:03}", index / 250, index % 250));
        fs::create_dir_all(&dir).with_context(|| dir.display().to_string())?;
        made += 1;
        for file in 0..11 {
            let path = dir.join(format!("module-{file}.js"));
            if file == 10 && index % 8 == 0 {
                fs::hard_link(dir.join("module-0.js"), &path)?;
            } else {
                let mut file_made = File::create(&path)?;
                if file % 5 == 0 && index % 2 == 0 {
                    file_made.write_all(b"content\n")?;
                }
            }
            made += 1;
        }
    }
    Ok(made + directories.div_ceil(250) + 1)
}

/// Makes one directory of `count` empty files.
pub(crate) fn flat(root: &Path, count: usize) -> anyhow::Result<()> {
    fs::create_dir_all(root)?;
    for index in 0..count {
        File::create(root.join(format!("entry-{index:06}")))?;
    }
    Ok(())
}
