//! Browsing archives that are made here, over the protocol.

use futures_util::StreamExt as _;
use std::io::Write as _;
use vole_agent::archive::seal::seal;
use vole_agent::archive::{Entry, Form, Writer};
use vole_agent::proto::Time;
use vole_agent::proto::archive::Compression;

use super::*;
use crate::archive::sample;
use crate::engine::{Session, local};

fn entry(path: &str, form: Form) -> Entry {
    Entry {
        mode: 0o640,
        uid: 7,
        gid: 8,
        mtime: Time { secs: 5, nanos: 6 },
        ..sample::entry(path, form)
    }
}

fn file(path: &str, contents: &[u8]) -> (Entry, Vec<u8>) {
    let size = contents.len() as u64;
    (entry(path, Form::File { size, map: None }), contents.to_vec())
}

fn bare(path: &str, form: Form) -> (Entry, Vec<u8>) {
    (entry(path, form), Vec::new())
}

/// An archive of these entries.
fn archive(entries: &[(Entry, Vec<u8>)]) -> tempfile::NamedTempFile {
    let mut writer = Writer::begin(Vec::new(), b"{}").unwrap();
    for (entry, contents) in entries {
        writer.entry(entry).unwrap();
        writer.contents(contents).unwrap();
    }
    let (tar, ..) = writer.finish(&entries[0].0).unwrap();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&tar).unwrap();
    file.write_all(&seal(Compression::None, [0; 32])).unwrap();
    file
}

fn tree() -> Vec<(Entry, Vec<u8>)> {
    let sparse = Form::File {
        size: 3 << 20,
        map: Some(vec![(1 << 20, 4), (2 << 20, 3)]),
    };
    let link = |target: &str| Form::Hardlink {
        target: target.as_bytes().to_vec(),
    };
    let target = b"../\xff".to_vec();
    vec![
        bare("", Form::Dir),
        file("f", b"first"),
        bare("before", link("f")),
        file("f", b"second, which takes its place"),
        bare("after", link("f")),
        bare("d", Form::Dir),
        file("d/text", b"one\ntwo needle\nthree\n"),
        bare("d/link", Form::Symlink { target }),
        (entry("sparse", sparse), b"dataend".to_vec()),
        file("made/up/x", &[b'x'; 700_000]),
        file("../out", b"never shown"),
    ]
}

async fn browse(archive: &tempfile::NamedTempFile) -> Session {
    let view = View::open(archive.path(), |_| true).unwrap();
    assert_eq!((view.damage(), view.hidden()), (None, 1));
    local::in_process(Arc::new(view)).await.unwrap()
}

fn at(path: &str) -> Place {
    Place {
        root: 0,
        path: path.as_bytes().to_vec(),
    }
}

async fn read(session: &Session, path: &str, offset: u64, len: u64) -> Vec<u8> {
    let replies: Vec<_> = session.read(at(path), offset, len).collect().await;
    replies.into_iter().flat_map(|reply| reply.unwrap()).collect()
}

#[tokio::test]
async fn files_links_and_holes_read_as_they_would_be_restored() {
    let archive = archive(&tree());
    let session = browse(&archive).await;
    assert_eq!(read(&session, "before", 0, u64::MAX).await, b"first");
    assert_eq!(read(&session, "after", 7, 5).await, b" whic");
    let whole = read(&session, "sparse", 0, u64::MAX).await;
    assert_eq!(whole.len(), 3 << 20);
    assert_eq!(&whole[1 << 20..][..5], b"data\0");
    assert_eq!(read(&session, "sparse", (2 << 20) - 1, 5).await, b"\0end\0");
    let entry = session.stat(at("d/link")).await.unwrap();
    assert_eq!((entry.kind, entry.target), (Kind::Symlink, Some(b"../\xff".to_vec())));
    let entry = session.stat(at("after")).await.unwrap();
    assert_eq!((entry.size, entry.nlink, entry.uid, entry.mode), (29, 2, 7, 0o640));
    assert!(session.stat(at("out")).await.is_err());
    assert!(session.read(at("d"), 0, 1).next().await.unwrap().is_err());
}

#[tokio::test]
async fn pages_hold_every_name_once_in_every_order() {
    let archive = archive(&tree());
    let session = browse(&archive).await;
    for (order, want) in [
        (Order::Name, ["d", "made", "after", "before", "f", "sparse"]),
        (Order::NameDescending, ["made", "d", "sparse", "f", "before", "after"]),
        (Order::Size, ["d", "made", "after", "f", "sparse", "before"]),
        (Order::Modified, ["d", "made", "after", "before", "f", "sparse"]),
    ] {
        let (mut names, mut after) = (Vec::new(), None);
        loop {
            let page = session.list(at(""), order, after, 2).await.unwrap();
            assert_eq!(page.total, 6);
            names.extend(
                page.entries
                    .into_iter()
                    .map(|entry| String::from_utf8(entry.name).unwrap()),
            );
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(names, want, "{order:?}");
    }
}

#[tokio::test]
async fn sums_count_a_file_with_two_names_once() {
    let archive = archive(&tree());
    let session = browse(&archive).await;
    let items: Vec<_> = session.usage(vec![at(""), at("d")], 1, Vec::new()).collect().await;
    let items: Vec<_> = items.into_iter().flat_map(|items| items.unwrap()).collect();
    let totals = |wanted: u32| {
        let complete = items.iter().find_map(|item| match item {
            vole_agent::proto::UsageItem::Complete { place, totals, .. } if *place == wanted => Some(*totals),
            _ => None,
        });
        complete.unwrap()
    };
    assert_eq!((totals(0).files, totals(0).dirs), (7, 4));
    assert_eq!(totals(0).bytes, 5 + 29 + 21 + 7 + 700_000);
    // The link's own length counts, as `du` has it.
    assert_eq!(totals(1).apparent, 21 + 4);
}

#[tokio::test]
async fn names_and_lines_are_found() {
    let archive = archive(&tree());
    let session = browse(&archive).await;
    let dfa = |pattern: &str| {
        let dense = regex_automata::dfa::dense::Builder::new().build(pattern).unwrap();
        dense.to_sparse().unwrap().to_bytes_little_endian()
    };
    let found: Vec<_> = session.find(at(""), dfa("^x$"), 10).collect().await;
    assert_eq!(found[0].as_ref().unwrap()[0].path, b"made/up/x");
    let hits: Vec<_> = session.grep(at(""), dfa("needle"), 10, 100, false).collect().await;
    let hit = &hits[0].as_ref().unwrap()[0];
    assert_eq!((hit.path.as_slice(), hit.line, hit.offset), (&b"d/text"[..], 2, 4));
    assert_eq!(hit.text, b"two needle");
}

#[tokio::test]
async fn a_cut_archive_shows_what_is_left_of_it() {
    let whole = archive(&tree());
    let bytes = std::fs::read(whole.path()).unwrap();
    let cut = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(cut.path(), &bytes[..bytes.len() - 500_000]).unwrap();
    let view = View::open(cut.path(), |_| true).unwrap();
    assert!(view.damage().is_some());
    let session = local::in_process(Arc::new(view)).await.unwrap();
    assert_eq!(read(&session, "f", 0, 6).await, b"second");
    let replies: Vec<_> = session.read(at("made/up/x"), 0, u64::MAX).collect().await;
    assert!(replies.last().unwrap().is_err());
    assert!(matches!(View::open(cut.path(), |_| false), Err(ViewError::Cancelled)));
}

#[test]
fn frames_are_found_where_they_begin() {
    let tree = tempfile::tempdir().unwrap();
    let text: Vec<u8> = (0..5_000_000_u32).map(|n| (n.wrapping_mul(n) >> 9) as u8).collect();
    std::fs::write(tree.path().join("f"), &text).unwrap();
    let pack = vole_agent::proto::archive::Pack {
        at: at(""),
        leave: Vec::new(),
        compression: Compression::Zstd,
        head: b"{}".to_vec(),
        threads: 2,
    };
    let (mut bytes, mut digest) = (Vec::new(), sha2::Sha256::default());
    vole_agent::fs::Roots::open([tree.path()])
        .archive(&pack, |item| {
            if let vole_agent::fs::Coming::Data(data) = item {
                sha2::Digest::update(&mut digest, data);
                bytes.extend(data);
            }
            Ok(())
        })
        .unwrap();
    bytes.extend(seal(Compression::Zstd, sha2::Digest::finalize(digest).into()));
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &bytes).unwrap();
    let frames = Frames::of(&File::open(file.path()).unwrap());
    let (plain, at) = frames.before(4_500_000);
    assert!((3 << 20..=4_500_000).contains(&plain) && at > 0, "{plain} {at}");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let view = View::open(file.path(), |_| true).unwrap();
        assert_eq!(view.damage(), None);
        let session = local::in_process(Arc::new(view)).await.unwrap();
        assert_eq!(read(&session, "f", 4_000_000, 1000).await, &text[4_000_000..4_001_000]);
        assert_eq!(read(&session, "f", 0, u64::MAX).await, text);
    });
}
