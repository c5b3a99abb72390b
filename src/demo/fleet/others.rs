//! Containers that belong to no project, and the volumes that make trouble: a network share, a device that is
//! gone, hostile names, a spool of 20,000 mails.

use rustix::io::Errno;
use vole_agent::proto::Kind;

use super::super::backend::Disk;
use super::super::contents::{bytes, heap, lines, random, text, zeros};
use super::super::lines::Lines;
use super::super::tree::{Many, Node, dir, file, link, many, special};
use super::{DAY, GIB, HOUR, MIB, ROOT_DIR, World, container, volume};

/// Adds it.
pub(super) fn add(world: &mut World) {
    world.volume(
        volume("traefik_acme", 260 * DAY)
            .label("owner", "ops")
            .label("note", "certificates ✓"),
        certificates(),
    );
    world.container(
        container("traefik", "traefik:v3.4", "running", "Up 31 days")
            .volume("traefik_acme", "/acme", true)
            .bind("/var/run/docker.sock", "/var/run/docker.sock", false, "rprivate"),
    );
    let nas = volume("nas_photos", 180 * DAY)
        .option("type", "nfs")
        .option("device", ":/volume1/photos")
        .option("o", "addr=192.168.1.20,nfsvers=4.2,soft")
        .disk(Disk::Nas);
    world.volume(nas, photos());
    world.container(
        container("photoprism", "photoprism/photoprism:250707", "running", "Up 9 days")
            .volume("nas_photos", "/photoprism/originals", true)
            .masks("/photoprism/originals", &[]),
    );
    let export = volume("legacy_export", 510 * DAY)
        .option("type", "none")
        .option("o", "bind")
        .option("device", "/mnt/usb-backup");
    let data = format!("{ROOT_DIR}/volumes/legacy_export/_data");
    // As dockerd 28 words it.
    let fault = format!(
        "error while mounting volume '{data}': failed to mount local volume: mount /mnt/usb-backup:{data}, flags: 0x1000: no such file or directory"
    );
    world.broken_volume(export, fault);
    world.container(container("export-job", "alpine:3.22", "created", "Created").volume(
        "legacy_export",
        "/export",
        true,
    ));
    world.volume(volume("imports", 8 * DAY), hostile());
    world.container(
        container("importer", "python:3.13-slim", "exited", "Exited (1) 5 hours ago")
            .volume("imports", "/incoming", false)
            .ended(1, 5 * HOUR)
            .says(&[
                "importing 12 files from /incoming",
                "Traceback (most recent call last):",
                "  File \"/app/import.py\", line 31, in <module>",
                "    open('/incoming/.done', 'w').close()",
                "OSError: [Errno 30] Read-only file system: '/incoming/.done'",
            ])
            .masks("/incoming", &[]),
    );
    // Its data is on no volume: it goes with the container.
    world.container(
        container("analytics-db", "postgres:17.5", "running", "Up 12 days")
            .user(999, 999, "postgres")
            .ended(0, 12 * DAY)
            .says(&["LOG:  database system is ready to accept connections"])
            .wrote(
                &[
                    "/var/lib/postgresql",
                    "/var/lib/postgresql/data",
                    "/var/lib/postgresql/data/PG_VERSION",
                    "/var/lib/postgresql/data/base",
                    "/var/lib/postgresql/data/base/16384",
                    "/var/lib/postgresql/data/global/pg_control",
                    "/var/lib/postgresql/data/pg_wal",
                    "/run/postgresql/.s.PGSQL.5432",
                ],
                2_415_919_104,
            ),
    );
    world.volume(volume("mail_spool", 700 * DAY), spool());
    world.container(
        container(
            "mailserver",
            "mailserver/docker-mailserver:15.0.2",
            "running",
            "Up 31 days (healthy)",
        )
        .volume("mail_spool", "/var/mail", true),
    );
}

fn certificates() -> Node {
    let json = "{\n  \"letsencrypt\": {\n    \"Account\": { \"Email\": \"ops@example.org\" },\n    \"Certificates\": [ { \"domain\": { \"main\": \"shop.example.org\" } } ]\n  }\n}\n";
    dir("", [file("acme.json", text(json)).mode(0o600)]).age(22 * DAY)
}

fn photos() -> Node {
    let picture = |year: u64, i: u64| {
        file(
            format!("DSC_{:04}.NEF", 1000 + i),
            random(b"MM\x00\x2a\x00\x00\x00\x08", 24 * MIB + i * 40_009, year * 500 + i),
        )
        .age((2026 - year as i64) * 365 * DAY)
    };
    let year = |year: u64, count: u64| dir(year.to_string(), (0..count).map(|i| picture(year, i)));
    // The server squashes root: not even root may look in here.
    let private = dir("private", [])
        .mode(0o700)
        .owner(1026, 100)
        .unreadable(Errno::ACCESS);
    dir("", [year(2023, 80), year(2024, 210), year(2025, 340), private])
        .owner(1026, 100)
        .age(6 * DAY)
}

/// Names that try to take over a terminal, or to confuse who reads or types them.
fn hostile() -> Node {
    let note = || text("a file like any other\n");
    let escapes = bytes(b"harmless so far \x1b[31mred\x1b[0m \x1b]0;pwned\x07\x1b]52;c;cm0gLXJmIC8=\x07 and on\n");
    dir(
        "",
        [
            file(b"esc-\x1b[31mred\x1b[0m\x1b]0;pwned\x07.txt", note()),
            file(b"new\nline.txt", note()),
            file(b"tab\tcarriage\rback\x08.txt", note()),
            file("invoice\u{202e}gpj.exe", note()),
            file(b"caf\xe9-latin1-\xff.txt", note()),
            file("-rf", note()),
            file(" leading and trailing ", note()),
            file("$(reboot)", note()),
            file("日本語 é 👩‍👩‍👧.txt", note()),
            file("L".repeat(255), note()),
            dir(b"dir-\xff\x1b[2J", [file("inside.txt", note())]),
            file("escape-contents.txt", escapes),
            file(
                "one-line.json",
                text(format!("{{\"items\":[{}0]}}\n", "1234567890,".repeat(20_000))),
            ),
            file("customers.csv", lines(Lines::Csv, 524_288, 111)),
            file("events.ndjson", lines(Lines::Json, 1_048_576, 112)),
            file("sparse.img", zeros(20 * GIB)).allocated(MIB),
            file("ledger.dat", heap(4 * MIB, 113)),
            file(
                "report-final.pdf",
                random(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", 730_113, 114),
            )
            .hard_link(1, 2),
            file(
                "report-final-2.pdf",
                random(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", 730_113, 114),
            )
            .hard_link(1, 2),
            file("locked", text("nobody may read this\n")).mode(0o000),
            file("setuid", text("#!/bin/sh\n")).mode(0o4755),
            file("empty", text("")),
            special("queue", Kind::Fifo),
            special("control.sock", Kind::Socket),
            special("null", Kind::CharDevice).mode(0o666),
            link("loop", "loop"),
            link("shadow", "/etc/shadow"),
            link("dangling", "no/such/file"),
        ],
    )
    .owner(1000, 1000)
    .age(5 * HOUR)
}

fn spool() -> Node {
    let mails = Many {
        count: 20_000,
        make: |i| {
            let when = 1_700_000_000 + i * 1_731;
            file(
                format!(
                    "{when}.M{:06}P{}.mx1,S={}:2,S",
                    i * 7_919 % 1_000_000,
                    100 + i % 30_000,
                    2_048 + i % 5 * 1024
                ),
                lines(Lines::Mail, 2_048 + i % 5 * 1024, i),
            )
            .mode(0o600)
        },
    };
    let mailbox =
        |name: &str, cur: Node| dir(name, [cur, dir("new", []).mode(0o700), dir("tmp", []).mode(0o700)]).mode(0o700);
    let few = |count: u64| {
        dir(
            "cur",
            (0..count).map(|i| {
                file(
                    format!("{}.M1P2.mx1:2,S", 1_760_000_000 + i),
                    lines(Lines::Mail, 3_072, i),
                )
                .mode(0o600)
            }),
        )
    };
    dir(
        "",
        [dir(
            "example.org",
            [
                mailbox("info", many("cur", mails).age(2 * HOUR)),
                mailbox("ops", few(40)),
                mailbox("sales", few(310)),
            ],
        )],
    )
    .mode(0o700)
    .owner(5000, 5000)
    .age(2 * HOUR)
}
