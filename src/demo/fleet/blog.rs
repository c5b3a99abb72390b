//! The blog that crashes and starts again for ever: its volume belongs to root, its program runs as 999.

use super::super::contents::{lines, random, text};
use super::super::lines::Lines;
use super::super::tree::{Node, dir, file};
use super::{DAY, HOUR, MIB, World, compose_volume, service};

/// Adds it.
pub(super) fn add(world: &mut World) {
    world.volume(compose_volume("blog", "content", 6 * DAY), content());
    world.volume(compose_volume("blog", "db", 200 * DAY), mysql(9, 7 * 60));
    world.container(
        service(
            "blog",
            "app",
            "ghost:5.130",
            "restarting",
            "Restarting (1) 12 seconds ago",
        )
        .volume("blog_content", "/var/lib/ghost/content", true)
        .user(999, 998, "node current/index.js")
        .ended(1, 14)
        .crashes_without("blog_content", 412)
        .says(&[
            "[2026-03-14 09:26:31] INFO Ghost is running in production...",
            "[2026-03-14 09:26:31] INFO Ghost boot 0.713s",
            "[2026-03-14 09:26:32] ERROR EACCES: permission denied, open '/var/lib/ghost/content/data/ghost.db'",
            "Error: EACCES: permission denied, open '/var/lib/ghost/content/data/ghost.db'",
            "    at async open (node:internal/fs/promises:639:25) {",
            "  errno: -13, code: 'EACCES', syscall: 'open', path: '/var/lib/ghost/content/data/ghost.db'",
            "}",
            "sh: can't create /var/lib/ghost/content/logs/ghost.error.log: Permission denied",
        ])
        .masks(
            "/var/lib/ghost/content",
            &[
                "apps/",
                "data/",
                "files/",
                "images/",
                "logs/",
                "media/",
                "public/",
                "settings/",
                "themes/",
            ],
        ),
    );
    world.container(
        service("blog", "db", "mysql:8.4", "running", "Up 6 days")
            .user(999, 999, "mysqld")
            .says(&["[Server] /usr/sbin/mysqld: ready for connections. Version: '8.4.5'  port: 3306"])
            .volume("blog_db", "/var/lib/mysql", true)
            .masks("/var/lib/mysql", &[]),
    );
}

/// As `tar x` by root left it: nothing here may be written by uid 999.
fn content() -> Node {
    let image = |i: u64| {
        file(
            format!("post-{i:02}.png"),
            random(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", 90_000 + i * 61_817 % 700_000, i),
        )
        .age((i as i64 + 6) * DAY)
    };
    dir(
        "",
        [
            dir(
                "data",
                [file("ghost.db", random(b"SQLite format 3\x00\x10\x00", 4 * MIB, 3))],
            ),
            dir("images", [dir("2026", (0..24).map(image))]),
            dir(
                "logs",
                [file("ghost.error.log", lines(Lines::Crash, 81_920, 21))
                    .owner(999, 999)
                    .age(12)],
            ),
            dir("settings", [file("routes.yaml", text(ROUTES))]),
            dir(
                "themes",
                [dir(
                    "casper",
                    [
                        file("package.json", text(THEME)),
                        file(
                            "index.hbs",
                            text("{{!< default}}\n{{#foreach posts}}{{> \"post-card\"}}{{/foreach}}\n"),
                        ),
                    ],
                )],
            ),
        ],
    )
    .owner(0, 0)
    .age(6 * DAY)
}

/// A MySQL data directory; `seed` makes them differ.
pub(super) fn mysql(seed: u64, idle: i64) -> Node {
    let table = |name: &str, mib: u64| {
        file(
            format!("{name}.ibd"),
            random(b"\x8a\x1f\x5c\x02\x00\x00\x00\x00", mib * MIB, seed ^ mib),
        )
        .mode(0o640)
    };
    let log = |i: u64| {
        file(format!("binlog.{i:06}"), random(b"\xfebin", 1 << (14 + i), seed + i))
            .mode(0o640)
            .age(idle + (9 - i as i64) * 11 * HOUR)
    };
    dir(
        "",
        [
            file(
                "auto.cnf",
                text("[auto]\nserver-uuid=6f1c1f4e-52d5-11f0-9a4e-0242ac130002\n"),
            )
            .mode(0o640),
            dir(
                "blog",
                [
                    table("posts", 28),
                    table("users", 1),
                    table("tags", 1),
                    table("sessions", 12),
                ],
            )
            .mode(0o750),
            dir("mysql", [table("general", 4)]).mode(0o750),
            dir("performance_schema", []).mode(0o750),
            dir(
                "#innodb_redo",
                [file("#ib_redo17", random(b"\x00\x00\x00\x06", 3_276_800, seed))],
            )
            .mode(0o750),
            table("mysql", 24),
            file(
                "ibdata1",
                random(b"\x00\x00\x00\x00\x00\x00\x00\x00", 12 * MIB, seed + 2),
            )
            .mode(0o640),
            file("ib_buffer_pool", lines(Lines::Csv, 8192, seed)).mode(0o640),
        ]
        .into_iter()
        .chain((4..8).map(log)),
    )
    .mode(0o755)
    .owner(999, 999)
}

const ROUTES: &str = "routes:\n\ncollections:\n  /:\n    permalink: /{slug}/\n    template: index\n";
const THEME: &str =
    "{\n  \"name\": \"casper\",\n  \"version\": \"5.8.2\",\n  \"engines\": { \"ghost\": \">=5.0.0\" }\n}\n";
