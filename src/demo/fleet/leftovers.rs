//! What nothing uses any more, or seems not to: a renamed project's old volumes, anonymous volumes.

use super::super::contents::{lines, mix, random};
use super::super::lines::{Lines, hex};
use super::super::tree::{Node, dir, file};
use super::blog::mysql;
use super::shop::postgres;
use super::{DAY, HOUR, MIB, World, anonymous, compose_volume, container, service, volume};

/// Adds it.
pub(super) fn add(world: &mut World) {
    // The project `shop_old` was renamed to `store`: Compose made new volumes and left these.
    world.volume(
        compose_volume("shop_old", "dbdata", 390 * DAY),
        postgres(16, 210, 113 * DAY),
    );
    world.volume(compose_volume("shop_old", "uploads", 390 * DAY), old_uploads());
    world.volume(compose_volume("store", "dbdata", 113 * DAY), postgres(16, 12, 0));
    world.container(
        service("store", "db", "postgres:16.9", "running", "Up 9 days (healthy)")
            .volume("store_dbdata", "/var/lib/postgresql/data", true)
            .masks("/var/lib/postgresql/data", &[]),
    );

    world.volume(anonymous(0xdb_10c4, 71 * DAY), mysql(4, 70 * DAY));
    world.volume(
        anonymous(0x5c4a7c4, 18 * DAY),
        dir("", [file("scratch.csv", lines(Lines::Csv, 262_144, 81))]).age(18 * DAY),
    );
    world.volume(anonymous(0x0e3b7f, 18 * DAY), dir("", []).age(18 * DAY));
    // The data of a database whose container was made without a name for its volume, and is gone.
    world.volume(anonymous(0x9015, 420 * DAY), postgres(15, 96, 260 * DAY));
    let used = anonymous(0x4ed15, 2 * DAY);
    let name = used.row.name.clone();
    world.volume(
        used,
        dir(
            "",
            [file(
                "dump.rdb",
                random(b"REDIS0012\xfa\tredis-ver\x057.4.5", 88_204, 82),
            )],
        )
        .owner(999, 1000)
        .age(2 * DAY),
    );
    world.container(
        container("quick-redis", "redis:7.4-alpine", "exited", "Exited (137) 2 days ago").volume(&name, "/data", true),
    );

    world.volume(volume("test-data", 240 * DAY), dir("", []).age(240 * DAY));

    // Unused by name, but in use by its path.
    world.volume(volume("backups", 150 * DAY).label("owner", "ops"), backups());
    world.container(
        container("restic", "restic/restic:0.18.0", "running", "Up 9 days").bind(
            "/var/lib/docker/volumes/backups/_data",
            "/repo",
            true,
            "rprivate",
        ),
    );
}

fn old_uploads() -> Node {
    let picture = |i: u64| {
        file(
            format!("product-{i:03}.jpg"),
            random(super::shop::JPEG, 310_000 + mix(i) % 900_000, i),
        )
    };
    dir("", [dir("products", (0..140).map(picture)), dir("tmp", [])])
        .owner(1000, 1000)
        .age(113 * DAY)
}

fn backups() -> Node {
    let pack = |i: u64| {
        let name = format!("{:02x}{}", i * 5, hex(0xbac4 + i, 62));
        dir(
            name.get(..2).unwrap_or("00"),
            [file(&name, random(b"\x91\x5e", 16 * MIB + mix(i) % (2 * MIB), i)).mode(0o400)],
        )
        .age(i as i64 * DAY)
    };
    dir(
        "",
        [
            dir("data", (0..48).map(pack)),
            dir(
                "snapshots",
                (0..7).map(|i| {
                    file(hex(0x54a9 + i, 64), random(b"\x22\x01", 310, i))
                        .mode(0o400)
                        .age(i as i64 * DAY + 3 * HOUR)
                }),
            ),
            dir("index", [file(hex(0x1d, 64), random(b"\x31\x01", MIB, 7)).mode(0o400)]),
            file("shop.sql", lines(Lines::Sql, 6 * MIB, 71)).mode(0o600),
            file("config", random(b"\x07\x01", 155, 70)).mode(0o400),
        ],
    )
    .age(3 * HOUR)
}
