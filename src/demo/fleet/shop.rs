//! The web shop: a database, a cache, uploads that three containers share, a search index, logs that grow.

use std::sync::Arc;

use super::super::backend::Disk;
use super::super::contents::{growing, heap, lines, random, text};
use super::super::lines::Lines;
use super::super::tree::{Many, Node, dir, file, link, many, special};
use super::{DAY, HOUR, MIB, World, compose_volume, service};
use vole_agent::proto::Kind;

const APP: &str = "ghcr.io/example/shop:2.14.3";

/// Adds it.
pub(super) fn add(world: &mut World) {
    world.volume(compose_volume("shop", "dbdata", 112 * DAY), postgres(16, 48, 0));
    world.volume(compose_volume("shop", "redis", 112 * DAY), redis());
    world.volume(compose_volume("shop", "uploads", 112 * DAY), uploads());
    world.volume(compose_volume("shop", "search", 40 * DAY), search());
    let growth = Arc::clone(&world.growth);
    let logs = dir(
        "",
        [
            file("access.log", growing(Lines::Access, 3 * MIB + 8192, 11, growth)).age(4),
            file("access.log.1", lines(Lines::Access, 5 * MIB, 12)).age(DAY),
            file("access.log.2.gz", random(b"\x1f\x8b\x08\x00", 412_306, 13)).age(2 * DAY),
            file("error.log", lines(Lines::App, 196_608, 14)).age(50 * 60),
        ],
    );
    world.volume(compose_volume("shop", "logs", 112 * DAY), logs.age(4));
    let cache = compose_volume("shop", "cache", 12 * DAY)
        .option("type", "tmpfs")
        .option("device", "tmpfs")
        .option("o", "size=64m,uid=1000")
        .disk(Disk::Memory(64 * MIB));
    let pages = dir(
        "pages",
        [file("index.html", text(INDEX)), file("cart.html", text(INDEX))],
    );
    world.volume(cache, dir("", [pages]).owner(1000, 1000).age(120));
    world.path(Disk::System, "/opt/shop/config", config());
    world.path(
        Disk::System,
        "/opt/shop/nginx.conf",
        file("", text(NGINX)).age(33 * DAY),
    );
    containers(world);
}

fn containers(world: &mut World) {
    let run = |pid: &'static str| {
        let pid = file("shop.pid", text(pid)).owner(1000, 1000);
        dir("", [pid, special("gunicorn.sock", Kind::Socket)]).age(3 * DAY)
    };
    let lock = dir(
        "",
        [
            special(".s.PGSQL.5432", Kind::Socket),
            file(".s.PGSQL.5432.lock", text("1\n/var/lib/postgresql/data\n")),
        ],
    );
    world.container(
        service("shop", "db", "postgres:16.9", "running", "Up 3 days (healthy)")
            .user(999, 999, "postgres")
            .says(&[
                "LOG:  starting PostgreSQL 16.9 on x86_64-pc-linux-gnu, 64-bit",
                "LOG:  listening on IPv4 address \"0.0.0.0\", port 5432",
                "LOG:  database system is ready to accept connections",
                "LOG:  checkpoint complete: wrote 42 buffers (0.3%); 0 WAL file(s) added",
            ])
            .volume("shop_dbdata", "/var/lib/postgresql/data", true)
            .tmpfs("/run/postgresql", 16 * MIB, lock.owner(999, 999).age(3 * DAY))
            .masks("/var/lib/postgresql/data", &[]),
    );
    world.container(
        service("shop", "redis", "redis:7.4-alpine", "running", "Up 3 days")
            .user(999, 1000, "redis-server *:6379")
            .says(&[
                "1:M * Ready to accept connections tcp",
                "1:M * Background saving terminated with success",
            ])
            .volume("shop_redis", "/data", true)
            .masks("/data", &[]),
    );
    world.container(
        service("shop", "web", APP, "running", "Up 26 hours (healthy)")
            .volume("shop_uploads", "/srv/uploads", true)
            .volume("shop_cache", "/srv/cache", true)
            .bind("/opt/shop/config", "/etc/shop", false, "rprivate")
            .tmpfs("/run", 64 * MIB, run("7\n"))
            .masks("/srv/uploads", &[".gitkeep", "placeholder.png"])
            .masks("/etc/shop", &["shop.toml.example"]),
    );
    world.container(
        service("shop", "worker", APP, "running", "Up 26 hours")
            .volume("shop_uploads", "/srv/uploads", true)
            .bind("/opt/shop/config", "/etc/shop", false, "rprivate")
            .masks("/srv/uploads", &[".gitkeep", "placeholder.png"]),
    );
    world.container(
        service("shop", "nginx", "nginx:1.28", "running", "Up 3 days")
            .volume("shop_uploads", "/srv/uploads", false)
            .volume("shop_logs", "/var/log/nginx", true)
            .bind("/opt/shop/nginx.conf", "/etc/nginx/nginx.conf", false, "rprivate")
            .masks("/var/log/nginx", &["access.log", "error.log"])
            .masks("/etc/nginx/nginx.conf", &["nginx.conf"]),
    );
    world.container(
        service(
            "shop",
            "search",
            "opensearchproject/opensearch:2.19.2",
            "running",
            "Up 3 days",
        )
        .volume("shop_search", "/usr/share/opensearch/data", true)
        .masks("/usr/share/opensearch/data", &[]),
    );
    world.container(
        service("shop", "migrate", APP, "exited", "Exited (0) 26 hours ago").bind(
            "/opt/shop/config",
            "/etc/shop",
            false,
            "rprivate",
        ),
    );
    world.container(service("shop", "thumbs", APP, "running", "Up 26 hours").subpath(
        "shop_uploads",
        "thumbs",
        "/srv/thumbs",
    ));
}

/// A PostgreSQL data directory with tables of so many MiB in all, whose server was stopped so many seconds ago.
pub(super) fn postgres(version: u32, tables: u64, stopped: i64) -> Node {
    let relation = |oid: u64, bytes: u64| file(oid.to_string(), heap(bytes, oid)).mode(0o600);
    let small = |base: u64| {
        let mut relations: Vec<Node> = (0..36).map(|i| relation(base + i * 7, 8192 * (1 + i % 5))).collect();
        relations.push(file("PG_VERSION", text(format!("{version}\n"))).mode(0o600));
        relations
    };
    let mut shop = small(2600);
    shop.extend((0..8).map(|i| relation(16_385 + i * 3, (tables * MIB) >> (i + 1))));
    let wal = (0..3).map(|i| {
        let name = format!("00000001000000000000002{}", 4 + i);
        file(name, random(b"\x13\xd1\x05\x00\x01\x00\x00\x00", 16 * MIB, 77 + i))
            .mode(0o600)
            .age(stopped + HOUR * (3 - i as i64))
    });
    let log = file("postgresql-Mon.log", lines(Lines::Postgres, 655_360, 31))
        .mode(0o600)
        .age(stopped + 240);
    dir(
        "",
        [
            file("PG_VERSION", text(format!("{version}\n"))).mode(0o600),
            dir(
                "base",
                [
                    dir("1", small(1200)).mode(0o700),
                    dir("5", small(1200)).mode(0o700),
                    dir("16384", shop).mode(0o700),
                ],
            )
            .mode(0o700),
            dir(
                "global",
                [
                    file("pg_control", random(b"\x0c\x07\x00\x00", 8192, 5)).mode(0o600),
                    relation(1262, 8192),
                ],
            )
            .mode(0o700),
            dir("log", [log]).mode(0o700),
            dir("pg_tblspc", []).mode(0o700),
            dir("pg_wal", wal.chain([dir("archive_status", []).mode(0o700)])).mode(0o700),
            file("pg_hba.conf", text(PG_HBA)).mode(0o600),
            file("postgresql.conf", text(PG_CONF)).mode(0o600),
            file("postmaster.opts", text("postgres\n")).mode(0o600),
            file("postmaster.pid", text("1\n/var/lib/postgresql/data\n"))
                .mode(0o600)
                .age(stopped + 3 * DAY),
        ],
    )
    .mode(0o700)
    .owner(999, 999)
    .age(stopped + 95)
}

fn redis() -> Node {
    let aof = [
        file(
            "appendonly.aof.12.base.rdb",
            random(b"REDIS0012\xfa\tredis-ver\x057.4.5", 6_411_204, 41),
        ),
        file(
            "appendonly.aof.12.incr.aof",
            text("*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$7\r\ncart:42\r\n$2\r\n{}\r\n"),
        ),
        file(
            "appendonly.aof.manifest",
            text("file appendonly.aof.12.base.rdb seq 12 type b\nfile appendonly.aof.12.incr.aof seq 12 type i\n"),
        ),
    ];
    dir(
        "",
        [
            dir("appendonlydir", aof),
            file("dump.rdb", random(b"REDIS0012\xfa\tredis-ver\x057.4.5", 6_398_770, 42)).mode(0o600),
        ],
    )
    .owner(999, 1000)
    .age(40)
}

/// Pictures of customers: years, and so many thumbnails that nobody lists them for pleasure.
fn uploads() -> Node {
    let picture = |year: u64, i: u64| {
        let name = format!("IMG_{year}_{:04}.jpg", i * 13 % 10_000);
        file(
            name,
            random(JPEG, 180_000 + (i * 7919 + year) % 2_600_000, year * 1000 + i),
        )
        .age(((2026 - year as i64) * 300 + 9 - (i as i64 % 9)) * DAY)
    };
    let year = |year: u64, count: u64| dir(year.to_string(), (0..count).map(|i| picture(year, i)));
    let thumbs = Many {
        count: 20_000,
        make: |i| {
            file(
                format!("{i:05}_320x240.webp"),
                random(b"RIFF\x00\x00\x00\x00WEBPVP8 ", 4_000 + i * 7919 % 11_000, i),
            )
        },
    };
    dir(
        "",
        [
            year(2024, 90),
            year(2025, 160),
            year(2026, 210),
            many("thumbs", thumbs).age(5 * HOUR),
            dir(
                "incoming",
                [file("upload-7f3a.part", random(JPEG, 1_310_720, 9)).mode(0o600)],
            )
            .mode(0o770)
            .age(700),
            file("robots.txt", text("User-agent: *\nDisallow: /uploads/incoming/\n")).age(80 * DAY),
            link("latest", "2026"),
        ],
    )
    .owner(1000, 1000)
    .age(620)
}

fn search() -> Node {
    let segment = |shard: u64, i: u64| {
        file(
            format!("_{shard}{i}.cfs"),
            random(
                b"\x3f\xd7\x6c\x17\x14Lucene90CompoundData",
                (3 + (shard + i) % 9) * 4 * MIB + i * 4133,
                shard * 100 + i,
            ),
        )
    };
    let shard = |shard: u64| {
        let mut files: Vec<Node> = (0..9).map(|i| segment(shard, i)).collect();
        files.push(file(
            "segments_4c",
            random(b"\x3f\xd7\x6c\x17\x08segments", 1_204, shard),
        ));
        files.push(file("write.lock", text("")));
        dir(
            shard.to_string(),
            [
                dir("index", files),
                dir(
                    "translog",
                    [file(
                        "translog-88.tlog",
                        random(b"\x3f\xd7\x6c\x17\x08translog", 55, shard),
                    )],
                ),
            ],
        )
    };
    let indices = dir("indices", [dir("pQ3vB0mYSQ2k9hYJ0a1rXw", (0..3).map(shard))]);
    dir("", [dir("nodes", [dir("0", [indices, file("node.lock", text(""))])])])
        .owner(1000, 1000)
        .age(2 * HOUR)
}

fn config() -> Node {
    let secrets = [
        file("database_password", text("correct-horse-battery-staple\n")).mode(0o600),
        file("stripe_key", text("sk_test_0000000000000000\n")).mode(0o600),
    ];
    dir(
        "",
        [
            file("shop.toml", text(SHOP_TOML)),
            file("feature-flags.json", text(FLAGS)),
            dir("secrets", secrets).mode(0o700),
        ],
    )
    .owner(1000, 1000)
    .age(9 * DAY)
}

/// How a JPEG starts.
pub(super) const JPEG: &[u8] = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x01\x00\x60\x00\x60\x00\x00";

const INDEX: &str = "<!doctype html>\n<title>Teapots and more</title>\n<h1>Welcome back</h1>\n";

const PG_HBA: &str = "# TYPE  DATABASE  USER  ADDRESS       METHOD\nlocal   all       all                 trust\nhost    all       all   127.0.0.1/32  trust\nhost    all       all   all           scram-sha-256\n";

const PG_CONF: &str = "listen_addresses = '*'\nmax_connections = 100\nshared_buffers = 512MB\nwal_level = replica\nmax_wal_size = 1GB\nlog_directory = 'log'\nlog_min_duration_statement = 0\nlogging_collector = on\n";

const SHOP_TOML: &str = "[server]\nlisten = \"0.0.0.0:8000\"\nworkers = 4\n\n[database]\nhost = \"db\"\nname = \"shop\"\npassword_file = \"/etc/shop/secrets/database_password\"\n\n[uploads]\ndirectory = \"/srv/uploads\"\nmax_bytes = 26214400\n";

const FLAGS: &str = "{\n  \"new_checkout\": true,\n  \"gift_cards\": false,\n  \"search\": { \"backend\": \"opensearch\", \"fuzzy\": true }\n}\n";

const NGINX: &str = "worker_processes auto;\n\nevents { worker_connections 1024; }\n\nhttp {\n    upstream shop { server web:8000; }\n    access_log /var/log/nginx/access.log;\n    server {\n        listen 80;\n        location /uploads/ { alias /srv/uploads/; expires 7d; }\n        location / { proxy_pass http://shop; }\n    }\n}\n";
