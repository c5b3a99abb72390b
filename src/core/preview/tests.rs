use super::*;
use vole_agent::proto::Time;

fn entry(kind: Kind, size: u64) -> Entry {
    Entry {
        name: b"log".to_vec(),
        kind,
        mode: 0o644,
        uid: 0,
        gid: 0,
        size,
        allocated: size,
        mtime: Time { secs: 0, nanos: 0 },
        nlink: 1,
        ino: 1,
        target: None,
        other_fs: false,
        errno: None,
    }
}

fn preview(size: u64) -> Preview {
    Preview::new(BytePath::new(b"log"), entry(Kind::File, size), None, true, (40, 10))
}

/// Answers what the preview wants from a file that repeats one numbered line, however long it is.
fn serve(preview: &mut Preview, size: u64) -> usize {
    let mut asked = 0;
    while let Some((start, len)) = preview.wants() {
        asked += 1;
        assert!(asked < 5, "a preview does not ask for ever");
        let offset = match start {
            Start::At(offset) => offset,
            Start::BeforeEnd(back) => size.saturating_sub(back),
        };
        let bytes =
            (offset..(offset + len).min(size)).map(|at| if at % 10 == 9 { b'\n' } else { b'0' + (at % 10) as u8 });
        preview.take(Range {
            offset,
            bytes: bytes.collect(),
            size,
        });
    }
    asked
}

#[test]
fn a_file_of_forty_gigabytes_is_read_by_ranges_only() {
    let size = 40 << 30;
    let mut preview = preview(size);
    assert_eq!(serve(&mut preview, size), 1);
    preview.last();
    assert_eq!(serve(&mut preview, size), 1, "the end is one read away");
    assert_eq!(preview.bottom(), size);
    assert!(preview.window().unwrap().bytes.len() < 1 << 20);
    for _ in 0..300 {
        preview.scroll(-50);
        serve(&mut preview, size);
    }
    assert_eq!(preview.top(), size - 100 - 15_000 * 10);
    preview.first();
    serve(&mut preview, size);
    assert_eq!(preview.top(), 0);
}

#[test]
fn scrolling_down_asks_for_more_before_the_window_ends_and_stops_at_the_end() {
    let size = 1_000_000;
    let mut preview = preview(size);
    serve(&mut preview, size);
    let mut reads = 0;
    for step in 1..=520u64 {
        preview.scroll(200);
        reads += serve(&mut preview, size);
        assert_eq!(preview.top(), (step * 2000).min(size - 100));
    }
    assert!((4..20).contains(&reads), "{reads} reads for a megabyte");
}

#[test]
fn a_file_that_shrinks_says_so_and_shows_its_new_end() {
    let mut preview = preview(1_000_000);
    serve(&mut preview, 1_000_000);
    preview.last();
    serve(&mut preview, 1_000_000);
    preview.first();
    serve(&mut preview, 200);
    assert_eq!(preview.shrank, Some((1_000_000, 200)));
    preview.last();
    serve(&mut preview, 0);
    assert_eq!(preview.body, Body::Nothing);
}

#[test]
fn what_is_no_file_is_never_read() {
    for kind in [
        Kind::Dir,
        Kind::Symlink,
        Kind::Fifo,
        Kind::Socket,
        Kind::CharDevice,
        Kind::BlockDevice,
    ] {
        let preview = Preview::new(BytePath::new(b"x"), entry(kind, 10), None, true, (40, 10));
        assert_eq!(preview.wants(), None, "{kind:?}");
        assert_eq!(preview.body, Body::Nothing);
    }
}

#[test]
fn following_goes_along_with_the_end_until_scrolled_up() {
    let mut preview = preview(100);
    serve(&mut preview, 100);
    let ask = Ask { visit: 1, number: 2 };
    preview.start_following(ask);
    assert_eq!(preview.wants(), None);
    for n in 0..100u64 {
        preview.follow(Followed::Data {
            offset: n * 10,
            bytes: b"123456789\n".to_vec(),
        });
    }
    assert_eq!(preview.top(), 900);
    preview.scroll(-5);
    preview.follow(Followed::Data {
        offset: 1000,
        bytes: b"123456789\n".to_vec(),
    });
    assert_eq!(preview.top(), 850);
    preview.last();
    assert_eq!(preview.top(), 910);
    preview.follow(Followed::Data {
        offset: 1010,
        bytes: b"123456789\n".to_vec(),
    });
    assert_eq!(preview.top(), 920);
    assert_eq!(preview.stop_following(), Some(ask));
    assert!(matches!(preview.wants(), Some((Start::BeforeEnd(_), _))));
}

#[test]
fn hex_and_text_keep_the_place() {
    let size = 10_000;
    let mut preview = preview(size);
    serve(&mut preview, size);
    preview.scroll(100);
    preview.toggle_hex();
    assert_eq!((preview.mode(), preview.top()), (Mode::Hex, 1000));
    preview.scroll(1);
    preview.toggle_hex();
    assert_eq!((preview.mode(), preview.top()), (Mode::Text, 1000));
    preview.resize((4, 3));
    assert_eq!(preview.top(), 1000);
}
