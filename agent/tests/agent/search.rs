//! Searching over pipes: by name and in files, with long lines, binaries and bad patterns.

use std::fs;
use std::io::Write;

use crate::client::{Client, place};
use regex_automata::dfa::dense;
use vole_agent::proto::{Fault, Found, Hit, Kind, Reply, Request};

fn compile(pattern: &str) -> Vec<u8> {
    dense::DFA::new(pattern)
        .unwrap()
        .to_sparse()
        .unwrap()
        .to_bytes_little_endian()
}

fn find(client: &mut Client, pattern: &str, limit: u32) -> Vec<Found> {
    let (replies, _) = client
        .run(Request::Find {
            at: place(b""),
            dfa: compile(pattern),
            limit,
        })
        .unwrap();
    let found = replies.into_iter().flat_map(|reply| match reply {
        Reply::Found(found) => found,
        other => panic!("{other:?}"),
    });
    let mut found: Vec<Found> = found.collect();
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn grep(client: &mut Client, path: &[u8], pattern: &str, limit: u32, binary: bool) -> (Vec<Hit>, Vec<Fault>) {
    let request = Request::Grep {
        at: place(path),
        dfa: compile(pattern),
        limit,
        max_line: 40,
        binary,
    };
    let (replies, notes) = client.run(request).unwrap();
    let hits = replies.into_iter().flat_map(|reply| match reply {
        Reply::Hits(hits) => hits,
        other => panic!("{other:?}"),
    });
    let mut hits: Vec<Hit> = hits.collect();
    hits.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    (hits, notes)
}

#[test]
fn names_are_found_in_the_whole_tree_up_to_the_limit() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("a/conf.d/b")).unwrap();
    fs::write(dir.path().join("a/conf.d/b/my.conf"), "12345").unwrap();
    fs::write(dir.path().join("a/other"), "").unwrap();
    std::os::unix::fs::symlink("/etc", dir.path().join("conf")).unwrap();
    let mut client = Client::over(dir.path());
    let found = find(&mut client, "conf", 100);
    let paths: Vec<&[u8]> = found.iter().map(|found| found.path.as_slice()).collect();
    assert_eq!(paths, [&b"a/conf.d"[..], b"a/conf.d/b/my.conf", b"conf"]);
    assert_eq!((found[1].kind, found[1].size), (Kind::File, 5));
    assert_eq!(found[2].kind, Kind::Symlink);
    assert_eq!(find(&mut client, "conf$", 100).len(), 2);
    assert_eq!(find(&mut client, ".", 2).len(), 2);
}

#[test]
fn lines_come_with_number_offset_and_excerpt() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("d")).unwrap();
    fs::write(dir.path().join("d/log"), "one\ntwo error\n\nthree error").unwrap();
    fs::write(dir.path().join("bin"), b"\0error\n").unwrap();
    let mut client = Client::over(dir.path());
    let (hits, _) = grep(&mut client, b"", "error$", 10, false);
    let seen: Vec<_> = hits
        .iter()
        .map(|hit| (hit.path.as_slice(), hit.line, hit.offset, hit.text.as_slice()))
        .collect();
    assert_eq!(
        seen,
        [
            (&b"d/log"[..], 2, 4, &b"two error"[..]),
            (b"d/log", 4, 15, b"three error")
        ]
    );
    assert_eq!(grep(&mut client, b"", "error", 10, true).0.len(), 3);
    assert_eq!(grep(&mut client, b"", "error", 1, true).0.len(), 1);
    assert_eq!(grep(&mut client, b"d/log", "^$", 10, true).0.len(), 1);
}

#[test]
fn a_line_of_megabytes_is_searched_exactly_and_cut() {
    let dir = tempfile::tempdir().unwrap();
    let mut file = fs::File::create(dir.path().join("long")).unwrap();
    let filler = vec![b'.'; 1 << 20];
    file.write_all(b"first\nstart").unwrap();
    for _ in 0..3 {
        file.write_all(&filler).unwrap();
    }
    file.write_all(b"<needle>").unwrap();
    file.write_all(&filler).unwrap();
    file.write_all(b"finish\nafter needle\n").unwrap();
    let mut client = Client::over(dir.path());
    let (hits, _) = grep(&mut client, b"", "needle", 10, false);
    assert_eq!(hits.len(), 2);
    assert_eq!((hits[0].line, hits[0].offset, hits[0].cut), (2, 6, true));
    assert!(
        hits[0].text.len() <= 40 && hits[0].text.windows(8).any(|part| part == b"<needle>"),
        "{:?}",
        hits[0]
    );
    assert_eq!((hits[1].line, hits[1].offset), (3, 6 + 5 + (4 << 20) + 8 + 7));
    // Anchors mean the line's ends, not those of the pieces that it is read in.
    let lines = |client: &mut Client, pattern: &str| {
        grep(client, b"long", pattern, 10, false)
            .0
            .iter()
            .map(|hit| hit.line)
            .collect::<Vec<_>>()
    };
    assert_eq!(lines(&mut client, "^start"), [2]);
    assert_eq!(lines(&mut client, "finish$"), [2]);
    assert_eq!(lines(&mut client, r"^\."), []);
    assert_eq!(lines(&mut client, r"\.$"), []);
}

#[test]
fn a_long_line_without_an_end_can_be_cancelled() {
    let dir = tempfile::tempdir().unwrap();
    fs::File::create(dir.path().join("sparse"))
        .unwrap()
        .set_len(1 << 42)
        .unwrap();
    let mut client = Client::over(dir.path());
    let request = Request::Grep {
        at: place(b""),
        dfa: compile("x"),
        limit: 1,
        max_line: 10,
        binary: true,
    };
    let id = client.start(request);
    client.cancel(id);
    assert_eq!(client.reply(), (id, Reply::Cancelled));
}

#[test]
fn a_bad_pattern_fails_its_request() {
    let dir = tempfile::tempdir().unwrap();
    let mut client = Client::over(dir.path());
    let fault = client
        .run(Request::Find {
            at: place(b""),
            dfa: vec![1, 2, 3],
            limit: 1,
        })
        .unwrap_err();
    assert!(fault.message.contains("bad pattern"));
}
