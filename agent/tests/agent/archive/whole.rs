//! That an archive passes for whole only when every bit of it is as it was written.

use std::convert::Infallible;

use vole_agent::archive::verify::{Checked, State, verify};
use vole_agent::archive::{Form, Writer};
use vole_agent::proto::archive::{Compression, Counts};

use super::build::{Built, compressed, entry, little, ours};

const ALL: [Compression; 3] = [Compression::None, Compression::Gzip, Compression::Zstd];

pub(crate) fn check(bytes: &[u8]) -> Checked {
    match verify(bytes, |_| Ok::<(), Infallible>(())) {
        Ok(checked) => checked,
        Err(never) => match never {},
    }
}

#[test]
fn a_whole_archive_is_ok_and_says_what_is_in_it() {
    for compression in ALL {
        let checked = check(&compressed(&ours(), compression));
        assert_eq!(checked.state, State::Ok, "{compression:?}: {:?}", checked.damage);
        assert_eq!(checked.head.as_deref(), Some(&b"{\"name\":\"data\"}"[..]));
        let counts = Counts {
            entries: 8,
            bytes: 11 + 600 + 1024,
        };
        assert_eq!((checked.counts, checked.compression), (counts, Some(compression)));
        assert!(checked.digest.is_some() && checked.shape.has_top);
    }
}

/// What decompresses hands on 128 KiB at a time, and hashes them before anybody knows where the trailer begins.
#[test]
fn the_digest_is_right_wherever_the_trailer_begins() {
    let blocks = 128 * 1024 / 512;
    for contents in blocks - 12..blocks + 4 {
        let mut writer = Writer::begin(Vec::new(), b"{}").unwrap();
        let top = entry(b"", Form::Dir);
        writer.entry(&top).unwrap();
        let size = contents * 512;
        writer.entry(&entry(b"f", Form::File { size, map: None })).unwrap();
        writer.contents(&vec![7; size as usize]).unwrap();
        let (tar, _, digest) = writer.finish(&top).unwrap();
        for compression in ALL {
            let checked = check(&compressed(&tar, compression));
            assert_eq!(
                checked.state,
                State::Ok,
                "{contents} blocks, {compression:?}: {:?}",
                checked.damage
            );
            assert_eq!(checked.digest, Some(digest));
        }
    }
}

/// Flips every bit.
fn flip(compression: Compression) {
    let whole = compressed(&little(), compression);
    for bit in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let checked = check(&flipped);
        // A flip in a length may make it look cut.
        let told = matches!(checked.state, State::Corrupt | State::Truncated) && checked.damage.is_some();
        assert!(
            told,
            "{compression:?} bit {bit}: {:?} {:?}",
            checked.state, checked.damage
        );
    }
}

#[test]
fn every_flipped_bit_shows() {
    flip(Compression::None);
}

#[test]
fn every_flipped_bit_of_a_gzip_shows() {
    flip(Compression::Gzip);
}

#[test]
fn every_flipped_bit_of_a_zstd_shows() {
    flip(Compression::Zstd);
}

#[test]
fn an_archive_cut_at_any_byte_is_truncated() {
    for compression in ALL {
        let whole = compressed(&little(), compression);
        for length in 0..whole.len() {
            let checked = check(&whole[..length]);
            assert_eq!(
                checked.state,
                State::Truncated,
                "{compression:?} cut at {length}: {:?}",
                checked.damage
            );
            assert!(checked.damage.is_some());
        }
    }
}

#[test]
fn what_follows_an_archive_makes_it_corrupt() {
    for compression in ALL {
        let whole = compressed(&ours(), compression);
        let tails: [&[u8]; 6] = [
            b"\0",
            &[0; 512],
            b"x",
            &whole,
            &compressed(b"", Compression::Gzip),
            &compressed(b"", Compression::Zstd),
        ];
        for (at, tail) in tails.into_iter().enumerate() {
            let checked = check(&[&whole, tail].concat());
            // What follows may itself look like something that is cut.
            let told = matches!(checked.state, State::Corrupt | State::Truncated);
            assert!(
                told,
                "{compression:?} tail {at}: {:?} {:?}",
                checked.state, checked.damage
            );
        }
    }
}

#[test]
fn blocks_that_are_left_out_doubled_or_exchanged_show() {
    let whole = ours();
    let blocks: Vec<&[u8]> = whole.chunks(512).collect();
    for at in 0..blocks.len() {
        let mut without = blocks.clone();
        without.remove(at);
        let mut doubled = blocks.clone();
        doubled.insert(at, blocks[at]);
        for changed in [without, doubled] {
            let checked = check(&changed.concat());
            assert_ne!(checked.state, State::Ok, "block {at}");
        }
        let mut exchanged = blocks.clone();
        exchanged.swap(at, blocks.len() - 1 - at);
        if exchanged.concat() != whole {
            assert_ne!(check(&exchanged.concat()).state, State::Ok, "block {at}");
        }
    }
}

#[test]
fn damage_names_the_entry_that_it_is_in() {
    let mut tar = ours();
    let at = tar
        .windows(7)
        .position(|bytes| bytes == b"\x01\x01\x01\x01\x01\x01\x01")
        .unwrap();
    tar.truncate(at);
    let damage = check(&tar).damage.unwrap();
    assert_eq!(damage.path, b"sparse");
    assert!(damage.to_string().contains("sparse"), "{damage}");
}

#[test]
fn garbage_is_foreign() {
    let mut state = 1_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    })
    .take(100_000)
    .collect();
    let checked = check(&noise);
    assert_eq!(checked.state, State::Foreign);
    assert!(checked.damage.is_some());
    for (other, name) in [(&b"\xfd7zXZ\0rest of it"[..], "xz"), (b"BZh91AY&SY", "bzip2")] {
        let checked = check(other);
        assert_eq!(checked.state, State::Foreign);
        assert!(checked.damage.unwrap().what.contains(name));
    }
}

#[test]
fn little_that_was_never_an_archive_is_foreign_and_nothing_at_all_is_truncated() {
    let zip = [&b"PK\x03\x04\x0a"[..], &[0; 74], b"PK\x05\x06", &[0; 18]].concat();
    let other = Built::new().file(b"./f", b"x").end();
    for bytes in [b"hello\n", zip.as_slice(), &other[..300], b"pax_global"] {
        for compression in ALL {
            // Without a seal.
            let whole = compressed(bytes, compression);
            let length = whole.len() - vole_agent::archive::seal::seal(compression, [0; 32]).len();
            let checked = check(&whole[..length]);
            let wanted = match bytes {
                b"pax_global" => State::Truncated,
                _ => State::Foreign,
            };
            assert_eq!(
                checked.state,
                wanted,
                "{compression:?} {:?}",
                bytes.escape_ascii().to_string()
            );
            assert!(checked.damage.is_some());
        }
    }
    for compression in ALL {
        let nothing = compressed(b"", compression);
        let length = nothing.len() - vole_agent::archive::seal::seal(compression, [0; 32]).len();
        for bytes in [&nothing[..length], b""] {
            assert_eq!(check(bytes).state, State::Truncated, "{compression:?}");
        }
        // What is cut within compressed data does not tell whose it is.
        if compression != Compression::None {
            let text = compressed(b"some text", compression);
            assert_eq!(check(&text[..12]).state, State::Truncated, "{compression:?}");
        }
    }
}

#[test]
fn a_check_can_be_cancelled_at_any_entry() {
    let whole = compressed(&ours(), Compression::Zstd);
    for after in 0..8 {
        let mut seen = 0;
        let result = verify(whole.as_slice(), |_| {
            seen += 1;
            if seen > after { Err("enough") } else { Ok(()) }
        });
        assert_eq!(result.err(), Some("enough"));
    }
}
