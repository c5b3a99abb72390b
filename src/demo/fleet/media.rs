//! The films: one volume of 40 GB, and a directory of the host on a disk of its own.

use super::super::backend::Disk;
use super::super::contents::{lines, random, text};
use super::super::lines::Lines;
use super::super::tree::{Node, dir, file};
use super::{DAY, GIB, HOUR, MIB, Volume, World, anonymous, compose_volume, service};

const MATROSKA: &[u8] = b"\x1a\x45\xdf\xa3\xa3\x42\x86\x81\x01\x42\xf7\x81\x01\x42\x82\x88matroska";
const MP4: &[u8] = b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41";

/// Adds it.
pub(super) fn add(world: &mut World) {
    world.volume(compose_volume("media", "library", 420 * DAY), library());
    world.volume(compose_volume("media", "config", 420 * DAY), config());
    let cache: Volume = anonymous(0xcac4e, 31 * DAY);
    let name = cache.row.name.clone();
    world.volume(cache, transcodes());
    world.path(Disk::Media, "/srv/media", recordings());
    world.container(
        service(
            "media",
            "jellyfin",
            "jellyfin/jellyfin:10.10.7",
            "running",
            "Up 31 days (healthy)",
        )
        .volume("media_library", "/media/library", false)
        .volume("media_config", "/config", true)
        .volume(&name, "/cache", true)
        .bind("/srv/media", "/media/recordings", true, "rprivate")
        .masks("/config", &[])
        .masks("/cache", &[]),
    );
    world.container(
        service(
            "media",
            "import",
            "linuxserver/ffmpeg:7.1",
            "paused",
            "Up 4 hours (Paused)",
        )
        .volume("media_library", "/out", true)
        .bind("/srv/media", "/in", false, "rprivate"),
    );
}

fn library() -> Node {
    let film = |name: &str, mib: u64, days: i64| {
        let seed = mib * 31;
        let subtitles =
            "1\n00:00:01,000 --> 00:00:04,000\n[wind]\n\n2\n00:00:07,200 --> 00:00:09,900\nWho left the door open?\n";
        dir(
            name,
            [
                file(format!("{name}.mkv"), random(MATROSKA, mib * MIB + seed, seed)),
                file(format!("{name}.en.srt"), text(subtitles)),
                file("poster.jpg", random(super::shop::JPEG, 412_000 + seed % 90_000, seed)),
            ],
        )
        .age(days * DAY)
    };
    let episode =
        |i: u64| file(format!("S01E{i:02}.mp4"), random(MP4, 780 * MIB + i * 31 * MIB, i)).age((90 - i as i64) * DAY);
    dir(
        "",
        [
            dir(
                "films",
                [
                    film("Nosferatu (1922)", 6_212, 400),
                    film("Metropolis (1927)", 9_730, 380),
                    film("The General (1926)", 4_466, 371),
                    film("Safety Last! (1923)", 5_105, 120),
                    film("Häxan (1922)", 4_903, 64),
                ],
            ),
            dir("series", [dir("Garden Birds", [dir("Season 1", (1..=8).map(episode))])]),
            file(".stignore", text("*.part\n")),
        ],
    )
    .owner(1000, 1000)
    .age(4 * HOUR)
}

fn config() -> Node {
    dir(
        "",
        [
            dir("data", [file("library.db", random(b"SQLite format 3\x00\x10\x00", 61 * MIB, 51)), file("library.db-wal", random(b"\x37\x7f\x06\x82", 4 * MIB, 52))]),
            dir("log", [file("log_20261120.log", lines(Lines::App, 401_408, 53))]),
            file("system.xml", text("<?xml version=\"1.0\"?>\n<ServerConfiguration>\n  <EnableMetrics>false</EnableMetrics>\n</ServerConfiguration>\n")),
        ],
    )
    .age(300)
}

fn transcodes() -> Node {
    let part = |i: u64| {
        file(
            format!("6c1f{i:03}.ts"),
            random(b"\x47\x40\x11\x10", 2 * MIB + i * 9_731, i),
        )
        .age((400 - i as i64) * 60)
    };
    dir("", [dir("transcodes", (0..160).map(part)), dir("images", [])]).age(3 * HOUR)
}

fn recordings() -> Node {
    let clip = |i: u64| {
        file(
            format!("2026-{:02}-{:02}.mkv", 1 + i / 4, 1 + i % 4 * 7),
            random(MATROSKA, 3 * GIB / 2 + i * 41 * MIB, 600 + i),
        )
        .age((320 - 7 * i as i64) * DAY)
    };
    dir(
        "",
        [
            dir("camera", (0..40).map(clip)),
            dir("usb", []).other_fs(),
            file(
                "README.txt",
                text("Recordings of the garden camera. Nothing here is backed up.\n"),
            ),
        ],
    )
    .owner(1000, 1000)
    .age(DAY)
}
