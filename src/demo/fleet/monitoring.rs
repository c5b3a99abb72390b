//! Prometheus, Grafana and the exporter that looks at the host itself.

use super::super::backend::Disk;
use super::super::contents::{random, text};
use super::super::tree::{Node, dir, file};
use super::{DAY, HOUR, MIB, World, compose_volume, service};

/// Adds it.
pub(super) fn add(world: &mut World) {
    world.volume(compose_volume("monitoring", "prometheus", 300 * DAY), prometheus());
    world.volume(compose_volume("monitoring", "grafana", 300 * DAY), grafana());
    world.path(
        Disk::System,
        "/opt/monitoring/prometheus.yml",
        file("", text(CONFIG)).age(58 * DAY),
    );
    world.container(
        service(
            "monitoring",
            "prometheus",
            "prom/prometheus:v3.5.0",
            "running",
            "Up 9 days",
        )
        .volume("monitoring_prometheus", "/prometheus", true)
        .bind(
            "/opt/monitoring/prometheus.yml",
            "/etc/prometheus/prometheus.yml",
            false,
            "rprivate",
        )
        .masks("/prometheus", &[])
        .masks("/etc/prometheus/prometheus.yml", &["prometheus.yml"]),
    );
    world.container(
        service(
            "monitoring",
            "grafana",
            "grafana/grafana:12.0.2",
            "running",
            "Up 9 days",
        )
        .volume("monitoring_grafana", "/var/lib/grafana", true)
        .masks("/var/lib/grafana", &["plugins/"]),
    );
    // Without the bind of `/` that this exporter often has: it would keep every volume of the demo from being
    // an orphan, since whatever lies under a bind source is in use.
    world.container(
        service(
            "monitoring",
            "node-exporter",
            "prom/node-exporter:v1.9.1",
            "running",
            "Up 9 days",
        )
        .bind("/proc", "/host/proc", false, "rslave")
        .bind("/sys", "/host/sys", false, "rslave"),
    );
}

fn prometheus() -> Node {
    let block = |i: u64| {
        let chunks = file(
            "000001",
            random(b"\x85\xbd\x40\xdd\x01\x00\x00\x00", 88 * MIB + i * 3 * MIB, 700 + i),
        );
        dir(
            format!("01K9{:02}VQ5X3T8B6D1N4Z7C0{}", 10 + i, 100 + i),
            [
                dir("chunks", [chunks]),
                file("index", random(b"\xba\xaa\xd7\x00\x02", 9 * MIB + i * 40_961, 720 + i)),
                file(
                    "meta.json",
                    text("{\n\t\"version\": 1,\n\t\"stats\": { \"numSamples\": 118223901, \"numSeries\": 60412 }\n}\n"),
                ),
                file("tombstones", random(b"\x0b\xa3\x0b\xa3\x01", 9, i)),
            ],
        )
        .age((12 - i as i64) * DAY)
    };
    let wal = |i: u64| {
        file(
            format!("{:08}", 4120 + i),
            random(b"\x01\x02", if i == 3 { 61 * MIB } else { 128 * MIB }, 740 + i),
        )
        .age((3 - i as i64) * 2 * HOUR)
    };
    dir(
        "",
        (0..12).map(block).chain([
            dir("wal", (0..4).map(wal)),
            dir(
                "chunks_head",
                [file("000317", random(b"\x01\x30\xbc\x91\x01", 12 * MIB, 760))],
            ),
            file("lock", text("")),
        ]),
    )
    .owner(65_534, 65_534)
    .age(15)
}

fn grafana() -> Node {
    dir(
        "",
        [
            file("grafana.db", random(b"SQLite format 3\x00\x10\x00", 7 * MIB, 61)).mode(0o640),
            dir(
                "plugins",
                [dir(
                    "grafana-clock-panel",
                    [file(
                        "plugin.json",
                        text("{ \"id\": \"grafana-clock-panel\", \"type\": \"panel\" }\n"),
                    )],
                )],
            ),
            dir("png", []),
            dir("csv", []),
        ],
    )
    .owner(472, 0)
    .age(20 * 60)
}

const CONFIG: &str = "global:\n  scrape_interval: 15s\n\nscrape_configs:\n  - job_name: node\n    static_configs:\n      - targets: [\"node-exporter:9100\"]\n  - job_name: shop\n    static_configs:\n      - targets: [\"web:8000\"]\n";
