//! Real trees, walked by the agent's walker and judged by the table that comes along: the precious side first.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use vole_agent::fs::Roots;
use vole_agent::proto::{Place, UsageItem};
use vole_agent::signs::Signs;

use super::*;
use crate::model::{MountKind, Worth};

/// A tree of these paths: `x/` is a directory, `x=text` a file with this text, `x` a file of one byte.
fn grow(top: &Path, paths: &[&str]) {
    for path in paths {
        let (name, text) = path.split_once('=').unwrap_or((path, "x"));
        let at = top.join(name);
        if name.ends_with('/') {
            fs::create_dir_all(at).unwrap();
        } else {
            fs::create_dir_all(at.parent().unwrap()).unwrap();
            fs::write(at, text).unwrap();
        }
    }
}

fn told(top: &Path, rules: &Rules) -> Told {
    let place = Place {
        root: 0,
        path: Vec::new(),
    };
    let mut told = None;
    let walked = Roots::open([top]).measure(&[place], 0, 2, &Signs::new(rules.signs()), |items| {
        for item in items {
            if let UsageItem::Complete {
                totals,
                other_fs,
                seen,
                stray,
                ..
            } = item
            {
                told = Some(Told {
                    seen,
                    stray,
                    files: totals.files,
                    errors: totals.errors,
                    other_fs,
                });
            }
        }
        Ok(())
    });
    walked.unwrap();
    told.unwrap()
}

fn contents(name: &str, paths: &[&str]) -> Contents {
    let dir = tempfile::tempdir().unwrap();
    grow(dir.path(), paths);
    let rules = Rules::default();
    rules.contents(&Mount::sample(name), &told(dir.path(), &rules))
}

fn words(paths: &[&str]) -> String {
    contents("v", paths).words()
}

const SQLITE: &str = "SQLite format 3\0";

#[test]
fn the_table_that_comes_along_is_right() {
    let rows: Rows = toml::from_str(BUILT_IN).unwrap();
    let table = Table::new(&rows.fingerprint).unwrap();
    assert!(table.kinds.len() > 25 && *Rules::default().table == table);
}

#[test]
fn every_kind_of_the_table_is_recognised_at_the_root_and_two_levels_down() {
    let sqlite = |name: &str| format!("{name}={SQLITE}");
    let (app, grafana, wallet) = (sqlite("app.db"), sqlite("grafana.db"), sqlite("db.sqlite3"));
    let rows: &[(&[&str], &str, Worth)] = &[
        (
            &["PG_VERSION=15\n", "global/pg_control"],
            "PostgreSQL 15",
            Worth::Critical,
        ),
        (
            &["ibdata1", "mysql_upgrade_info=8.0.36"],
            "MySQL/MariaDB",
            Worth::Critical,
        ),
        (&["#innodb_redo/#ib_redo1"], "MySQL/MariaDB", Worth::Critical),
        (&["WiredTiger", "mongod.lock"], "MongoDB", Worth::Critical),
        (&["dump.rdb"], "Redis/Valkey", Worth::Medium),
        (&["dump.rdb", "appendonlydir/a.aof"], "Redis/Valkey", Worth::Critical),
        (
            &["nodes/0/_state/a", "nodes/0/node.lock"],
            "Elasticsearch/OpenSearch",
            Worth::Critical,
        ),
        (
            &["indices/a", "_state/b", "node.lock"],
            "Elasticsearch/OpenSearch",
            Worth::Critical,
        ),
        (&["chunks_head/1", "wal/0"], "Prometheus", Worth::Medium),
        (&[&grafana], "Grafana", Worth::High),
        (&["influxd.bolt", "engine/data/x"], "InfluxDB", Worth::Critical),
        (&["mnesia/a"], "RabbitMQ", Worth::High),
        (&[&app], "SQLite app db", Worth::Critical),
        (&[".git/HEAD", ".git/objects/a"], "source", Worth::Critical),
        (&["site.git/HEAD", "site.git/objects/a"], "source", Worth::Critical),
        (&["config/config.php", "data/.ocdata"], "Nextcloud", Worth::Critical),
        (&["wp-config.php"], "WordPress", Worth::Critical),
        (&["acme.json"], "TLS keys", Worth::High),
        (&["live/example.org/privkey.pem"], "TLS keys", Worth::High),
        (&["vault.db"], "Vault", Worth::Critical),
        (&[".minio.sys/format.json"], "MinIO", Worth::Critical),
        (&["config.xml", "jobs/a", "secrets/b"], "Jenkins", Worth::Critical),
        (&[&wallet, "rsa_key.pem"], "Vaultwarden", Worth::Critical),
        (&["docker/registry/v2/a"], "registry", Worth::High),
        (&["member/snap/db"], "etcd", Worth::Critical),
        (&["dump-2024.sql.gz"], "backups", Worth::Critical),
        (
            &["overlay2/a", "image/b", "volumes/c"],
            "dind /var/lib/docker",
            Worth::High,
        ),
        (&[".vscode-server/bin/x"], "devcontainer", Worth::Low),
        (&["node_modules/a/index.js"], "JS deps", Worth::Disposable),
        (&[".cargo/registry/cache/a.crate"], "build cache", Worth::Disposable),
        (&["go/pkg/mod/a/b.go"], "build cache", Worth::Disposable),
        (
            &[
                "target/CACHEDIR.TAG=Signature: 8a477f597d28d172789f06886806bc55\n",
                "target/x",
            ],
            "build cache",
            Worth::Disposable,
        ),
    ];
    for (paths, expected, worth) in rows {
        for prefix in ["", "data/", "18/docker/"] {
            let paths: Vec<String> = paths.iter().map(|path| format!("{prefix}{path}")).collect();
            let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
            let found = contents("v", &paths);
            assert!(found.words().starts_with(expected), "{paths:?}: {found:?}");
            assert_eq!(found.looks[0].worth, *worth, "{paths:?}: {found:?}");
            assert_eq!(found.looks.len(), 1, "{paths:?}: {found:?}");
            assert!(!found.looks[0].evidence.is_empty() && found.looks[0].evidence.len() <= 4);
        }
    }
}

#[test]
fn what_is_precious_wins_wherever_it_lies_beside_caches() {
    assert_eq!(
        words(&[
            "node_modules/a.js",
            "18/docker/PG_VERSION=18",
            "18/docker/global/pg_control"
        ]),
        "PostgreSQL 18"
    );
    assert_eq!(words(&["node_modules/a.js", "notes.txt"]), "unknown");
    assert_eq!(words(&["node_modules/a.js", "dump.sql"]), "backups");
    assert_eq!(
        words(&["CACHEDIR.TAG=Signature: 8a477f597d28d172789f06886806bc55", "a/x"]),
        "build cache"
    );
    assert_eq!(words(&[".package-lock.json", "notes.txt", "a/index.js"]), "unknown");
    let tagged = [
        "CACHEDIR.TAG=Signature: 8a477f597d28d172789f06886806bc55",
        "PG_VERSION=15",
        "global/pg_control",
    ];
    assert_eq!(words(&tagged), "PostgreSQL 15");
    assert_eq!(
        words(&[".package-lock.json", "PG_VERSION=15", "global/pg_control"]),
        "PostgreSQL 15"
    );
    let both = contents("v", &["dump.rdb", "PG_VERSION=15", "global/pg_control"]);
    let kinds: Vec<&str> = both.looks.iter().map(|look| look.kind.as_str()).collect();
    assert_eq!(kinds, ["PostgreSQL", "Redis/Valkey"]);
}

#[test]
fn names_that_merely_look_like_caches_prove_nothing() {
    let harmless = [
        "target/release/x",
        "registry/a",
        "repository/a",
        ".yarn/patches/a.patch",
        ".gradle/gradle.properties",
    ];
    for path in harmless {
        assert_eq!(words(&[path]), "unknown", "{path}");
    }
    assert_eq!(words(&["node_modules"]), "unknown", "a file");
    assert_eq!(words(&["target/x", "target/CACHEDIR.TAG="]), "unknown");
    assert_eq!(words(&["CACHEDIR.TAG=Signature: 8a477f59", "x"]), "unknown");
    assert_eq!(words(&["a/b/c/node_modules/x.js"]), "unknown", "too deep to be told");
    let dir = tempfile::tempdir().unwrap();
    symlink("/usr/lib", dir.path().join("node_modules")).unwrap();
    let rules = Rules::default();
    let found = rules.contents(&Mount::sample("v"), &told(dir.path(), &rules));
    assert_eq!(found.words(), "unknown", "a symlink is a file that may matter");
}

#[test]
fn a_set_must_be_whole_below_one_directory_and_of_the_right_kinds() {
    assert_eq!(words(&["PG_VERSION=15"]), "unknown");
    assert_eq!(words(&["a/PG_VERSION=15", "b/global/pg_control"]), "unknown");
    assert_eq!(words(&["PG_VERSION/x", "global/pg_control"]), "unknown", "a directory");
    assert_eq!(words(&["app.db=no SQLite"]), "unknown");
    assert_eq!(words(&["app.db="]), "unknown", "an empty file is a file");
}

#[test]
fn only_no_file_at_all_is_empty() {
    assert_eq!(words(&[]), "empty");
    assert_eq!(words(&["lost+found/", "a/b/c/"]), "empty");
    assert_eq!(words(&["lost+found="]), "unknown", "a file of that name");
    assert_eq!(words(&["node_modules/"]), "empty");
}

#[test]
fn what_was_not_seen_in_full_is_unknown_unless_it_is_precious() {
    let rules = Rules::default();
    let judge = |told: Told| rules.contents(&Mount::sample("v"), &told).words();
    let unread = Told {
        errors: 1,
        ..Told::default()
    };
    assert_eq!(judge(unread.clone()), "unknown");
    assert_eq!(
        judge(Told {
            other_fs: 1,
            ..Told::default()
        }),
        "unknown"
    );
    let dir = tempfile::tempdir().unwrap();
    grow(dir.path(), &["node_modules/x", "PG_VERSION=15", "global/pg_control"]);
    let seen = told(dir.path(), &rules);
    let partly = Told {
        errors: 3,
        ..seen.clone()
    };
    assert_eq!(judge(partly), "PostgreSQL 15");
    let caches = Told {
        seen: seen
            .seen
            .into_iter()
            .filter(|one| one.path == b"node_modules")
            .collect(),
        stray: 0,
        files: 1,
        ..unread
    };
    assert_eq!(judge(caches), "unknown");
}

#[test]
fn a_name_speaks_for_a_volume_but_not_over_what_is_precious_in_it() {
    let name = "buildx_buildkit_builder0_state";
    assert_eq!(
        contents(name, &["cache.db=bolt", "runc-overlayfs/x"]).words(),
        "BuildKit state"
    );
    assert_eq!(
        contents("other", &["cache.db=bolt", "runc-overlayfs/x"]).words(),
        "unknown"
    );
    assert_eq!(
        contents(name, &["PG_VERSION=15", "global/pg_control"]).words(),
        "PostgreSQL 15"
    );
    assert_eq!(contents(name, &[]).words(), "empty");
    let bind = Mount {
        kind: MountKind::Bind,
        ..Mount::sample(name)
    };
    let told = Told {
        stray: 1,
        files: 1,
        ..Told::default()
    };
    assert_eq!(Rules::default().contents(&bind, &told).words(), "unknown");
}

#[test]
fn hostile_versions_and_paths_are_made_printable_and_short() {
    let long = "n".repeat(250);
    let found = contents(
        "v",
        &[
            &format!("{long}/\u{1b}[2J/PG_VERSION=15\u{1b}]0;x\u{7} and a long tail of words"),
            &format!("{long}/\u{1b}[2J/global/pg_control"),
        ],
    );
    let look = &found.looks[0];
    let version = look.version.as_deref().unwrap();
    assert!(
        !version.contains('\u{1b}') && crate::text::width(version) <= 24,
        "{version:?}"
    );
    let fine = |path: &String| !path.contains('\u{1b}') && crate::text::width(path) <= 100;
    assert!(look.evidence.iter().all(fine), "{:?}", look.evidence);
}

#[test]
fn what_an_agent_makes_up_harms_nobody() {
    let seen = |sign, path: &[u8]| vole_agent::proto::Seen {
        sign,
        path: path.to_vec(),
        head: vec![0xff; 200],
    };
    let rules = Rules::default();
    let all = u32::try_from(rules.signs().len()).unwrap();
    let seen = (0..all + 3).flat_map(|sign| {
        [
            seen(sign, b""),
            seen(sign, b"/"),
            seen(sign, b"a//b/"),
            seen(sign, b"x"),
        ]
    });
    let told = Told {
        seen: seen.collect(),
        ..Told::default()
    };
    assert!(!rules.contents(&Mount::sample("v"), &told).looks.is_empty());
}

#[test]
fn an_own_row_replaces_that_kind_and_others_are_added() {
    let own: Rows = toml::from_str(
        "[[fingerprint]]\nkind = 'Grafana'\nworth = 'low'\nany = [['grafana.db']]\n\
         [[fingerprint]]\nkind = 'renders'\nworth = 'disposable'\ncaches = [{dir = 'frames', with = ['.render']}]\n",
    )
    .unwrap();
    let rules = Rules::new(&own.fingerprint, &BTreeMap::new()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    grow(dir.path(), &["frames/.render", "frames/1.png"]);
    let found = rules.contents(&Mount::sample("v"), &told(dir.path(), &rules));
    assert_eq!(found.words(), "renders");
    grow(dir.path(), &[&format!("grafana.db={SQLITE}")]);
    let found = rules.contents(&Mount::sample("v"), &told(dir.path(), &rules));
    assert_eq!((found.words().as_str(), found.looks[0].worth), ("Grafana", Worth::Low));
    assert_eq!(found.stray, 1);
}
