//! Puts a part of one tree into another, where a part of a volume is restored. Knows nothing of archives.

use rustix::io::Errno;
use vole_agent::proto::Fault;

use super::{Body, Node, fault};

/// What is tried, for its faults.
const PLACING: &str = "placing what was unpacked";

impl Node {
    /// Puts what another tree has at a path in the place of what this one, a root, has there. Directories that are missing on
    /// the way come with it.
    ///
    /// # Errors
    ///
    /// When the other tree has nothing there, or a directory on the way is made up as it is read.
    pub(in crate::demo) fn graft(&mut self, other: &Self, path: &[u8], now: i64) -> Result<(), Fault> {
        self.graft_at(other, path, path, now)
    }

    fn graft_at(&mut self, other: &Self, whole: &[u8], path: &[u8], now: i64) -> Result<(), Fault> {
        let (name, below) = match path.iter().position(|&byte| byte == b'/') {
            Some(at) => (&path[..at], &path[at + 1..]),
            None => (path, &path[..0]),
        };
        let new = other.child(name).ok_or_else(|| fault(Errno::NOENT, whole, PLACING))?;
        let (ino, age, owner, given) = (self.ino, self.age.unwrap_or(0), self.owner, self.given.clone());
        let Body::Dir(children) = &mut self.body else {
            return Err(fault(Errno::NOTSUP, whole, PLACING));
        };
        let there = children.iter().position(|child| child.name == name);
        if let Some(child) = there.map(|at| &mut children[at])
            && !below.is_empty()
            && child.enterable().is_ok()
        {
            return child.graft_at(&new, whole, below, now);
        }
        let mut new = new.into_owned();
        new.owner = new.owner.or(owner);
        new.settle(now, ino, age, &given);
        match there {
            Some(at) => children[at] = new,
            None => children.push(new),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::contents::kept;
    use super::super::{Many, dir, file, many};
    use super::*;

    fn bytes(name: &str, text: &str) -> Node {
        file(name, kept(text.as_bytes().to_vec().into()))
    }

    fn length(tree: &Node, path: &str) -> Option<u64> {
        let found = tree.resolve(path.as_bytes()).ok()?;
        Some(found.entry().size)
    }

    #[test]
    fn a_part_takes_the_place_of_what_is_there_and_nothing_else_does() {
        let old = [
            bytes("keep", "1"),
            dir("conf", [bytes("a", "1"), bytes("b", "1")]),
            bytes("file", "1"),
        ];
        let mut tree = dir("", old).owner(7, 7).rooted(1000, 1);
        let new = [
            dir("conf", [bytes("a", "22"), bytes("b", "22")]),
            dir("deep", [dir("er", [bytes("c", "22")])]),
            dir("file", [bytes("d", "22")]),
        ];
        let new = dir("", new);
        for path in ["conf/a", "deep/er", "file/d"] {
            tree.graft(&new, path.as_bytes(), 1000).unwrap();
        }
        let found = ["keep", "conf/a", "conf/b", "deep/er/c", "file/d"].map(|path| length(&tree, path));
        assert_eq!(found, [1, 2, 1, 2, 2].map(Some));
        assert_eq!(
            tree.resolve(b"conf/a").unwrap().entry().uid,
            7,
            "it is of the tree that it is in"
        );
    }

    #[test]
    fn what_is_not_there_or_made_up_is_refused() {
        let made_up = Many {
            count: 3,
            make: |at| bytes(&at.to_string(), "1"),
        };
        let mut tree = dir("", [many("many", made_up)]).rooted(1000, 1);
        let new = dir("", [dir("many", [bytes("1", "22")])]);
        let refused = |fault: Result<(), Fault>| fault.unwrap_err().errno;
        assert_eq!(refused(tree.graft(&new, b"x", 1000)), Some(Errno::NOENT.raw_os_error()));
        assert_eq!(
            refused(tree.graft(&new, b"many/1", 1000)),
            Some(Errno::NOTSUP.raw_os_error())
        );
    }
}
